//! A screen to be tested: made-up channels and messages, keys by their names, pictures as text.

use crossterm::event::KeyEvent;
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use waxwing_light::{
    Age, Author, BodyKind, ChannelId, ChannelView, ClockVerdict, FaultView, Ladder, MessageId, MessageView,
    NetworkView, NodeView, Range,
};

use super::super::draw;
use super::super::keys::{BINDINGS, Chord, name};
use super::super::model::{Effect, Event, Model};
use super::super::names::Me;
use super::super::theme::Look;
use super::super::when::Zone;
use crate::ids;

/// 2026-11-23 14:00 UTC.
pub(super) const NOON: u64 = 1_795_442_400_000;

pub(super) const COLORED: Look = Look {
    ascii: false,
    color: true,
};

pub(super) const GARDEN: ChannelId = ChannelId(1);

pub(super) fn device(number: u8) -> String {
    ids::hex(&[number; 32])
}

/// The owner is device 1, alice.
pub(super) fn author(number: u8, name: &str) -> Author {
    Author {
        device: device(number),
        account: None,
        name: name.to_owned(),
    }
}

pub(super) fn network_id() -> String {
    ids::hex(&[9; 32])
}

/// A final message of the garden at this place in its log, a minute after the one before.
pub(super) fn message(index: u64, number: u8, author_name: &str, text: &str) -> MessageView {
    let content = index.to_be_bytes();
    MessageView {
        id: MessageId(i64::try_from(index).unwrap() + 1),
        channel: GARDEN,
        state: Ladder::Final,
        log_index: Some(index),
        height: Some(index + 1),
        ordered_ms: Some(NOON - 3_600_000 + index * 60_000),
        own: number == 1,
        author: Some(author(number, author_name)),
        queued_ms: None,
        written_ms: Some(NOON - 3_600_000 + index * 60_000),
        content_id: Some(ids::hex(&[content, content].concat())),
        kind: Some("text"),
        about: None,
        quotes: None,
        told: None,
        text: Some(text.to_owned()),
        mentions: Vec::new(),
        edited: false,
        retracted: false,
        reactions: Vec::new(),
        body: BodyKind::Here,
        expires_ms: None,
        timer_days: None,
        reach: None,
        blocked: false,
        beside: None,
        missing_before: 0,
        exceptions: Vec::new(),
        attachment: None,
        event: None,
        reason: None,
        change: 1,
    }
}

/// An own message on its way.
pub(super) fn waiting(number: i64, state: Ladder, text: &str) -> MessageView {
    let mut view = message(0, 1, "alice", text);
    view.id = MessageId(1_000_000 + number);
    view.state = state;
    (view.log_index, view.height, view.ordered_ms) = (None, None, None);
    view.queued_ms = Some(NOON - 1000);
    view.content_id = Some(ids::hex(&[u8::try_from(200 + number).unwrap(); 16]));
    view
}

pub(super) fn channel(number: i64, name: &str, entries: u64) -> ChannelView {
    ChannelView {
        id: ChannelId(number),
        name: name.to_owned(),
        created_ms: NOON,
        network: network_id(),
        log: ids::hex(&[u8::try_from(number).unwrap(); 32]),
        group: false,
        closed: false,
        entries,
        checked: entries,
        proven: Some(entries),
        waiting: 0,
        unread: 0,
        mentioned: 0,
        first_unread: None,
        timer_days: 0,
    }
}

pub(super) fn network() -> NetworkView {
    let node = |number: u8, standing, served| NodeView {
        node: ids::hex(&[number; 32]),
        address: format!("192.0.2.{number}:4433"),
        named_by_person: number == 20,
        standing,
        until_ms: None,
        served_ms: served,
    };
    NetworkView {
        network: network_id(),
        name: "home".to_owned(),
        height: 1204,
        head: ids::hex(&[7; 32]),
        head_ms: NOON - 3_000,
        started_at: 0,
        validators: 4,
        tolerated: 1,
        signers: Some(4),
        age: Age::Fresh { age_ms: 3_000 },
        clock: ClockVerdict::Agrees,
        forked_at: None,
        nodes: vec![
            node(20, "fine", Some(NOON - 3_000)),
            node(21, "lags", Some(NOON - 600_000)),
            node(22, "lies", None),
        ],
        faults: vec![FaultView {
            node: ids::hex(&[22; 32]),
            time_ms: NOON - 60_000,
            code: "wrong-log-proof".to_owned(),
            says: "its proof about a conversation's log does not hold".to_owned(),
        }],
        trouble: None,
    }
}

/// A screen and what it wanted so far.
pub(super) struct Screen {
    pub(super) model: Model,
    pub(super) wanted: Vec<Effect>,
}

impl Screen {
    /// An empty screen.
    pub(super) fn new(look: Look, width: u16, height: u16) -> Self {
        let me = Me {
            device: device(1),
            name: "alice".to_owned(),
        };
        let zone = Zone(TimeZone::UTC);
        Self {
            model: Model::new(me, look, zone, NOON, (width, height)),
            wanted: Vec::new(),
        }
    }

    /// The garden with these messages, the kitchen beside it, a healthy network.
    pub(super) fn with(messages: Vec<MessageView>, look: Look, width: u16, height: u16) -> Self {
        let mut screen = Self::new(look, width, height);
        let finals = messages.iter().filter(|view| view.log_index.is_some()).count();
        let mut garden = channel(1, "garden", u64::try_from(finals).unwrap());
        garden.waiting = u64::try_from(messages.len() - finals).unwrap();
        screen.on(Event::Network(Box::new(network()), 0));
        screen.on(Event::Channels(vec![garden, channel(2, "kitchen", 0)]));
        screen.on(Event::Page(GARDEN, Range::Last(super::super::window::PAGE), messages));
        screen.wanted.clear();
        screen
    }

    pub(super) fn on(&mut self, event: Event) {
        let effects = self.model.on(event);
        self.wanted.extend(effects);
    }

    /// Presses a key by the name that the help gives it; any other text is typed letter by letter.
    pub(super) fn press(&mut self, key: &str) {
        let chords = BINDINGS.iter().flat_map(|binding| binding.keys.iter());
        let bound = chords.into_iter().find(|chord| name(**chord) == key);
        match bound {
            Some(Chord(held, code)) => self.on(Event::Key(KeyEvent::new(*code, *held))),
            None => self.write(key),
        }
    }

    /// Types a text.
    pub(super) fn write(&mut self, text: &str) {
        for letter in text.chars() {
            self.on(Event::Key(KeyEvent::from(crossterm::event::KeyCode::Char(letter))));
        }
    }

    /// What is on the screen.
    pub(super) fn buffer(&self) -> Buffer {
        let (width, height) = self.model.size;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw::draw(&self.model, frame)).unwrap();
        terminal.backend().buffer().clone()
    }

    /// The same as lines of text, without the space at their ends.
    pub(super) fn picture(&self) -> String {
        let buffer = self.buffer();
        let mut lines = Vec::new();
        for y in 0..buffer.area.height {
            let (mut line, mut x) = (String::new(), 0);
            while x < buffer.area.width {
                let symbol = buffer[(x, y)].symbol();
                line.push_str(symbol);
                // The cell behind a wide letter is part of it.
                let width = unicode_width::UnicodeWidthStr::width(symbol).max(1);
                x += u16::try_from(width).unwrap();
            }
            lines.push(line.trim_end().to_owned());
        }
        lines.join("\n")
    }
}

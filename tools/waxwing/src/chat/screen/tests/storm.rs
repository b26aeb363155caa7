//! Keys, news and window sizes in no order at all: nothing may panic, no message may stand twice, and what is drawn moves
//! no terminal. Each run is made from its seed, which a failure names.

use std::collections::BTreeSet;

use waxwing_light::{BodyKind, Exception, Ladder, MessageView, Range};
use zeroize::Zeroizing;

use super::super::keys::{BINDINGS, name};
use super::super::model::{Effect, Event, Say};
use super::super::writing::Purpose;
use super::fixtures::{COLORED, GARDEN, NOON, Screen, channel, message, network, waiting};

const RUNS: u64 = 24;
const STEPS: u64 = 150;

const TEXTS: [&str; 7] = [
    "",
    "hello",
    "a\n\n\nb\r\nc",
    "\u{1b}]0;title\u{7}\u{202e}x\u{200b}",
    "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字",
    "👩‍👩‍👧‍👦❤\u{fe0f}🇩🇪1\u{fe0f}\u{20e3}",
    "z\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
];

const SIZES: [(u16, u16); 9] = [
    (60, 15),
    (100, 30),
    (200, 60),
    (40, 10),
    (41, 11),
    (79, 24),
    (80, 24),
    (1, 1),
    (300, 10),
];

/// A generator that needs no clock and no crate: xorshift.
pub(super) struct Lot(pub(super) u64);

impl Lot {
    pub(super) fn draw(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % below.max(1)
    }

    pub(super) fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.draw(all.len())]
    }
}

fn news(lot: &mut Lot, index: u64) -> MessageView {
    let number = u8::try_from(1 + lot.draw(5)).unwrap();
    let text = lot.of(&TEXTS);
    let mut view = match lot.draw(4) {
        0 => waiting(
            i64::try_from(lot.draw(20)).unwrap(),
            lot.of(&[Ladder::Queued, Ladder::Sent, Ladder::Failed]),
            text,
        ),
        _ => message(index, number, text, lot.of(&TEXTS)),
    };
    view.retracted = lot.draw(9) == 0;
    view.edited = lot.draw(5) == 0;
    view.kind = lot.of(&[Some("text"), Some("reply"), Some("reaction"), Some("edit"), None]);
    view.body = lot.of(&[BodyKind::Here, BodyKind::Here, BodyKind::Withheld, BodyKind::Erased]);
    if lot.draw(6) == 0 {
        view.exceptions = vec![Exception::Withheld, Exception::ClockOdd];
        view.author = None;
    }
    view
}

fn step(lot: &mut Lot, screen: &mut Screen, length: &mut u64) {
    match lot.draw(12) {
        0..6 => {
            let binding = lot.of(BINDINGS);
            let key = name(lot.of(binding.keys));
            screen.press(&key);
        }
        6 => screen.write(lot.of(&["a", "1", "roses", "y", " "])),
        7 => screen.on(Event::Paste(lot.of(&TEXTS).to_owned())),
        8 => {
            let (width, height) = lot.of(&SIZES);
            screen.on(Event::Resize(width, height));
        }
        9 => {
            let view = news(lot, *length);
            *length += u64::from(view.log_index.is_some());
            screen.on(Event::Changed(Box::new(view)));
        }
        10 => match lot.draw(6) {
            0 => screen.on(Event::Tick(NOON + u64::try_from(lot.draw(1_000_000)).unwrap())),
            1 => screen.on(Event::Refused(
                Say::Words(GARDEN, Purpose::Text, "again".to_owned()),
                "no".to_owned(),
            )),
            2 => screen.on(Event::Invited(
                GARDEN,
                Zeroizing::new("waxwing:abc".repeat(lot.draw(400))),
            )),
            3 => screen.on(Event::Failed(lot.of(&TEXTS).to_owned())),
            4 => {
                let mut view = network();
                view.forked_at = (lot.draw(3) == 0).then_some(7);
                view.trouble = (lot.draw(2) == 0).then(|| lot.of(&TEXTS).to_owned());
                screen.on(Event::Network(Box::new(view), lot.draw(3)));
            }
            _ => screen.on(Event::Found("roses".to_owned(), Vec::new())),
        },
        _ => screen.on(Event::Channels(vec![
            channel(1, "garden", *length),
            channel(2, lot.of(&TEXTS), 0),
        ])),
    }
    answer(lot, screen, *length);
}

/// Answers what the screen reads; now and then late, as a busy store would.
fn answer(lot: &mut Lot, screen: &mut Screen, length: u64) {
    if lot.draw(3) == 0 {
        return;
    }
    for effect in std::mem::take(&mut screen.wanted) {
        match effect {
            Effect::Read(channel, range) => {
                let (from, to) = match range {
                    Range::Last(most) => (length.saturating_sub(u64::from(most)), length),
                    Range::Before(index, most) => (index.saturating_sub(u64::from(most)), index),
                    Range::From(index, most) => (index, (index + u64::from(most)).min(length)),
                };
                let views = (from..to).map(|index| message(index, 2, "bob", "as it was"));
                let views = if channel == GARDEN { views.collect() } else { Vec::new() };
                screen.on(Event::Page(channel, range, views));
            }
            Effect::Whole(_) => screen.on(Event::Whole(Box::new(message(0, 2, "bob", lot.of(&TEXTS))))),
            _ => {}
        }
    }
}

fn judge(screen: &Screen) {
    let picture = screen.picture();
    let is_harmless = |letter: char| {
        let is_hidden = ('\u{202a}'..='\u{202e}').contains(&letter) || letter == '\u{200b}';
        letter == '\n' || !letter.is_control() && !is_hidden
    };
    assert!(picture.chars().all(is_harmless), "{picture:?}");
    if let Some(window) = &screen.model.window {
        let ids: BTreeSet<_> = window.rows().iter().map(|row| row.id).collect();
        assert_eq!(ids.len(), window.rows().len(), "a message stands twice");
        let places: Vec<_> = window.rows().iter().filter_map(|row| row.log_index).collect();
        assert!(places.is_sorted(), "out of order: {places:?}");
        assert!(window.rows().len() <= 600, "{} rows", window.rows().len());
    }
}

#[test]
fn whatever_comes_in_whatever_order_the_screen_stays_whole() {
    for seed in 1..=RUNS {
        let mut lot = Lot(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut screen = Screen::new(COLORED, 100, 30);
        let mut length = u64::try_from(lot.draw(1_000)).unwrap();
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..STEPS {
                step(&mut lot, &mut screen, &mut length);
                judge(&screen);
            }
        }));
        assert!(run.is_ok(), "seed {seed}");
    }
}

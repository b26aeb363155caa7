//! What the screen knows and shows: a value without a terminal, a clock or a network.
//!
//! ```text
//! keys, clock ─┐                     ┌─> draw(&Model)        draw.rs
//!              ├─> Model::on(event) ─┤
//! the client ──┘     on.rs           └─> effects             work.rs does them and answers with events
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crossterm::event::KeyEvent;
use ratatui::layout::Rect;
use ratatui_textarea::TextArea;
use waxwing_core::envelope::KeepFor;
use waxwing_light::{
    ChannelId, ChannelView, ContactId, ContactView, GroupView, Hit, Manners, MessageId, MessageView, NetworkView,
    Range, RequestView, Seen, Why,
};
use zeroize::Zeroizing;

use super::keys::Place;
use super::names::{Me, Names};
use super::person::Person;
use super::search::Search;
use super::theme::Look;
use super::when::Zone;
use super::window::Window;
use super::writing::{Purpose, Writing};
use crate::chat::groups::who::Someone;
use crate::output::Tone;

/// Smaller than this, nothing is shown but that it is too small.
pub(super) const WIDTH_MIN: u16 = 40;
/// The same in lines.
pub(super) const HEIGHT_MIN: u16 = 10;

/// How much is said about each message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Density {
    /// What was said.
    Calm,
    /// And where it stands in the ledger.
    Detailed,
    /// And by which names anybody can check it.
    Auditor,
}

impl Density {
    /// The next one.
    pub(super) const fn next(self) -> Self {
        match self {
            Self::Calm => Self::Detailed,
            Self::Detailed => Self::Auditor,
            Self::Auditor => Self::Calm,
        }
    }

    /// One word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Detailed => "detailed",
            Self::Auditor => "auditor",
        }
    }
}

/// Where the keys go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Focus {
    /// To the text that is being written.
    Writing,
    /// To the messages.
    Messages,
    /// To the channels.
    Channels,
}

/// A ledger as it was when it was last asked for.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// What is known.
    pub(super) view: NetworkView,
    /// When that was.
    pub(super) at: u64,
    /// Pieces of evidence that are kept.
    pub(super) evidence: usize,
    /// Nodes that agreed, and when they were asked.
    pub(super) compared: Option<(usize, u64)>,
}

/// What somebody wants to be said.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Say {
    /// These words, to this end, in this channel.
    Words(ChannelId, Purpose, String),
    /// A reaction.
    React(MessageId, String),
    /// No reaction any more.
    Unreact(MessageId, String),
    /// Nothing any more.
    Retract(MessageId),
}

/// What reaches the screen.
pub(super) enum Event {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has this size now.
    Resize(u16, u16),
    /// The time.
    Tick(u64),
    /// The channels, as they are now.
    Channels(Vec<ChannelView>),
    /// What is known about a ledger, and how much evidence is kept.
    Network(Box<NetworkView>, usize),
    /// A page of messages, as long as the log is.
    Page(ChannelId, Range, Vec<MessageView>),
    /// A message that was read again.
    Again(Box<MessageView>),
    /// A message changed.
    Changed(Box<MessageView>),
    /// What was said is durable.
    Queued,
    /// What was said is not: why.
    Refused(Say, String),
    /// What stands behind a message.
    Why(Box<Why>),
    /// All of a message.
    Whole(Box<MessageView>),
    /// Who is in a channel.
    Members(ChannelId, Box<GroupView>, Vec<Someone>),
    /// Who asked to be let in.
    Requests(Vec<RequestView>),
    /// Everybody who was met.
    Contacts(Vec<ContactView>),
    /// Somebody, with what is compared.
    Person(Box<Person>),
    /// How a channel is used, and how far its members have come.
    Manners(ChannelId, Box<Manners>),
    /// An invitation.
    Invited(ChannelId, Zeroizing<String>),
    /// A channel was joined, or was here before.
    Joined(ChannelId),
    /// These messages say what was looked for, oldest first.
    Found(String, Vec<Hit>),
    /// So many nodes agreed with what is held.
    Compared(String, usize),
    /// How far something is that takes long.
    Told(Tone, String),
    /// Something went wrong; nothing is lost.
    Failed(String),
    /// The terminal is gone.
    Gone,
}

/// What the screen wants to be done.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// List the channels.
    Channels,
    /// Say what is known about the ledgers.
    Networks,
    /// Read messages.
    Read(ChannelId, Range),
    /// Read a message again.
    Again(MessageId),
    /// Say something.
    Say(Say),
    /// Everything of a channel up to this message was shown.
    Shown(ChannelId, MessageId),
    /// Try a failed message again.
    Retry(MessageId),
    /// List the checks behind a message.
    Why(MessageId),
    /// Show all of a message.
    Whole(MessageId),
    /// Make an invitation.
    Invite(ChannelId),
    /// List the people of a channel.
    Members(ChannelId),
    /// List who asked to be let in.
    Requests,
    /// Let somebody in.
    Accept(i64),
    /// Tell somebody no.
    Decline(i64),
    /// List everybody who was met.
    Contacts,
    /// Show what is compared with the person of an account, on the ledger of a channel.
    Person(ChannelId, String),
    /// Note that the two compared, and it matched; or that this counts no longer.
    Compared(ContactId, bool),
    /// Block somebody on this device, or no more.
    Block(ContactId, bool),
    /// Change who is in a channel, and what it is called.
    Group(ChannelId, GroupChange),
    /// Found a channel of this name on a ledger.
    Found(String, String),
    /// Say how a channel is used.
    Manners(ChannelId),
    /// Say what was delivered and read here, or do not.
    Receipts(ChannelId, bool),
    /// Say what this device holds.
    SeenBy(ChannelId, Seen),
    /// Have messages disappear after this time.
    Timer(ChannelId, KeepFor),
    /// Join by a link.
    Join(Zeroizing<String>),
    /// Send a file, with these words.
    Attach(ChannelId, PathBuf, String),
    /// Save the file of a message.
    Save(MessageId),
    /// Look for messages.
    Search(String),
    /// Ask all nodes of a ledger for their heads.
    Compare(String),
    /// Back to the shell for a while.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Leave.
    Quit,
}

/// What somebody wants to be changed about a group. Accounts are in hexadecimal.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum GroupChange {
    /// This account is out.
    Remove(String),
    /// This account is an admin, or is not.
    Appoint(String, bool),
    /// All call it so.
    Rename(String),
    /// This device goes.
    Leave,
}

/// A sentence that stays for a while.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Notice {
    pub(super) text: String,
    pub(super) tone: Tone,
    pub(super) until: u64,
}

/// What lies over the screen.
pub(super) enum Over {
    /// The keys.
    Help,
    /// What stands behind a message.
    Why(Box<Why>),
    /// A ledger and its nodes.
    Network(String),
    /// An invitation.
    Invite(ChannelId, Zeroizing<String>),
    /// Who is in a channel; the one that the keys act on, by its place in the list.
    Members(ChannelId, Box<GroupView>, Vec<Someone>, usize),
    /// Somebody, and what is compared with them.
    Person(Box<Person>),
    /// How a channel is used.
    Manners(ChannelId, Box<Manners>),
    /// Something that is not done before it was agreed to.
    Sure(Box<Sure>),
    /// Who asks to be let in; the one that the keys act on, by its place in the list.
    Requests(usize),
    /// All of a message.
    Whole(Box<MessageView>),
    /// Two histories of one ledger.
    Fork(String),
    /// Take a message back?
    Retract(MessageId),
    /// React with what?
    React(MessageId, String),
    /// A line to be filled, and what for.
    Line(Wanted, Box<TextArea<'static>>),
    /// Which messages?
    Search(Box<Search>),
}

/// What a line is filled for.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The link to join by.
    Link,
    /// The path of a file to send.
    Path,
    /// The name that all members call this channel by.
    Name(ChannelId),
    /// The name of a new channel on this ledger.
    Found(String),
}

/// A question whose answer "yes" does something.
pub(super) struct Sure {
    pub(super) title: String,
    /// What it would do.
    pub(super) says: String,
    /// What "yes" means.
    pub(super) yes: String,
    /// What "no" means.
    pub(super) no: &'static str,
    pub(super) effect: Effect,
}

/// The screen.
pub(super) struct Model {
    pub(super) size: (u16, u16),
    pub(super) now: u64,
    pub(super) zone: Zone,
    pub(super) look: Look,
    pub(super) density: Density,
    pub(super) focus: Focus,
    pub(super) me: Me,
    pub(super) names: Names,
    pub(super) channels: Vec<ChannelView>,
    /// Whether the channels have been listed.
    pub(super) is_listed: bool,
    /// Messages of others that were not shown: as the store counts them, and those that came since it was asked.
    pub(super) unread: BTreeMap<ChannelId, u64>,
    /// The newest message of a channel that was shown, as far as the store was told.
    pub(super) shown: BTreeMap<ChannelId, MessageId>,
    /// The first of them, and the first that came while the channel is open.
    pub(super) marks: BTreeMap<ChannelId, u64>,
    pub(super) window: Option<Window>,
    /// The message that the keys act on; none while the end is followed.
    pub(super) selected: Option<MessageId>,
    /// The entry to be selected when its page comes.
    pub(super) aim: Option<u64>,
    /// Messages that came below what is shown.
    pub(super) below: u64,
    pub(super) writing: Writing,
    /// What is being written elsewhere.
    pub(super) drafts: BTreeMap<ChannelId, Writing>,
    pub(super) networks: BTreeMap<String, Known>,
    /// Forks that an alarm was shown for.
    pub(super) alarmed: BTreeSet<String>,
    /// Who asked to be let in, as it was when it was last looked up.
    pub(super) requests: Vec<RequestView>,
    /// Those of them that this person was told of.
    pub(super) asking: BTreeSet<i64>,
    /// Everybody who was met, as it was when it was last looked up; nobody before the first look.
    pub(super) contacts: Option<Vec<ContactView>>,
    /// Links that were made here and that nobody was seen to use, and when.
    pub(super) links: BTreeMap<ChannelId, (u64, Zeroizing<String>)>,
    pub(super) over: Option<Over>,
    /// Lines of the page over the screen that are above its first one.
    pub(super) scroll: usize,
    pub(super) notice: Option<Notice>,
    /// Whether leaving was asked for and something is not sent.
    pub(super) is_leaving: bool,
    /// Whether the lists have to be read again at the next tick.
    pub(super) is_outdated: bool,
    pub(super) listed_at: u64,
}

/// How long a sentence stays.
const NOTICE_MS: u64 = 8_000;

impl Model {
    /// A screen that knows nothing yet.
    pub(super) fn new(me: Me, look: Look, zone: Zone, now: u64, size: (u16, u16)) -> Self {
        Self {
            size,
            now,
            zone,
            look,
            density: Density::Calm,
            focus: Focus::Writing,
            names: Names::with(&me),
            me,
            channels: Vec::new(),
            is_listed: false,
            unread: BTreeMap::new(),
            shown: BTreeMap::new(),
            marks: BTreeMap::new(),
            window: None,
            selected: None,
            aim: None,
            below: 0,
            writing: Writing::new(look),
            drafts: BTreeMap::new(),
            networks: BTreeMap::new(),
            alarmed: BTreeSet::new(),
            requests: Vec::new(),
            asking: BTreeSet::new(),
            contacts: None,
            links: BTreeMap::new(),
            over: None,
            scroll: 0,
            notice: None,
            is_leaving: false,
            is_outdated: false,
            listed_at: now,
        }
    }

    /// Where the keys go.
    pub(super) const fn place(&self) -> Place {
        match (&self.over, self.focus) {
            (Some(Over::Retract(_) | Over::Sure(_)), _) => Place::Question,
            (Some(Over::React(..)), _) => Place::Reaction,
            (Some(Over::Line(..)), _) => Place::Line,
            (Some(Over::Members(..)), _) => Place::Members,
            (Some(Over::Person(_)), _) => Place::Person,
            (Some(Over::Manners(..)), _) => Place::Manners,
            (Some(Over::Search(_)), _) => Place::Search,
            (Some(Over::Requests(_)), _) => Place::Requests,
            (Some(_), _) => Place::Page,
            (None, Focus::Writing) => Place::Writing,
            (None, Focus::Messages) => Place::Messages,
            (None, Focus::Channels) => Place::Channels,
        }
    }

    /// The open channel.
    pub(super) fn open(&self) -> Option<&ChannelView> {
        let open = self.window.as_ref()?.channel;
        self.channel(open)
    }

    /// A channel by its number.
    pub(super) fn channel(&self, id: ChannelId) -> Option<&ChannelView> {
        self.channels.iter().find(|channel| channel.id == id)
    }

    /// The ledger of the open channel.
    pub(super) fn network(&self) -> Option<&Known> {
        self.networks.get(&self.open()?.network)
    }

    /// Height of a fork of the open channel's ledger: nothing is sent then.
    pub(super) fn forked_at(&self) -> Option<u64> {
        self.network()?.view.forked_at
    }

    /// The message that the keys act on: the selected one, else the newest.
    pub(super) fn current(&self) -> Option<&MessageView> {
        let window = self.window.as_ref()?;
        match self.selected.and_then(|selected| window.position(selected)) {
            Some(position) => window.rows().get(position),
            None => window.rows().last(),
        }
    }

    /// The position of [`Self::current`] in the window.
    pub(super) fn position(&self) -> usize {
        let Some(window) = &self.window else { return 0 };
        let last = window.rows().len().saturating_sub(1);
        self.selected
            .and_then(|selected| window.position(selected))
            .unwrap_or(last)
    }

    /// Says something for a while.
    pub(super) fn tell(&mut self, tone: Tone, text: impl Into<String>) {
        self.notice = Some(Notice {
            text: text.into(),
            tone,
            until: self.now.saturating_add(NOTICE_MS),
        });
    }

    /// Whether there is room for a screen.
    pub(super) const fn fits(&self) -> bool {
        self.size.0 >= WIDTH_MIN && self.size.1 >= HEIGHT_MIN
    }

    /// Where everything stands.
    pub(super) fn areas(&self) -> Areas {
        let (width, height) = self.size;
        let writing = self.writing.height(width, (height / 3).clamp(1, 8));
        let (strip, hint, edge) = (1, 1, 1);
        let body = height.saturating_sub(strip + hint + edge + writing);
        let channels = match width {
            0..80 if self.focus == Focus::Channels => width.saturating_sub(1).min(28),
            0..80 => 0,
            80..120 => 22,
            120.. => 28,
        };
        let wall = u16::from(channels > 0);
        Areas {
            strip: Rect::new(0, 0, width, strip),
            channels: Rect::new(0, strip, channels, body),
            wall: Rect::new(channels, strip, wall, body),
            messages: Rect::new(channels + wall, strip, width.saturating_sub(channels + wall), body),
            edge: Rect::new(0, strip + body, width, edge),
            writing: Rect::new(2, strip + body + edge, width.saturating_sub(3), writing),
            hint: Rect::new(0, height.saturating_sub(hint), width, hint),
        }
    }
}

/// Where everything stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Areas {
    /// What is proven, at the top.
    pub(super) strip: Rect,
    pub(super) channels: Rect,
    /// Between channels and messages.
    pub(super) wall: Rect,
    pub(super) messages: Rect,
    /// The line above what is being written.
    pub(super) edge: Rect,
    pub(super) writing: Rect,
    /// What can be done now, at the bottom.
    pub(super) hint: Rect,
}

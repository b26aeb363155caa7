//! What a reader is shown: messages, their states, and what is odd about them.
//!
//! These values can be printed as JSON as they are. Texts are as their authors wrote them: **hostile until they went
//! through** [`waxwing_seal::display`]. Two axes are kept apart: how far a message is ([`Ladder`]), and what speaks
//! against it ([`Exception`]), which is empty for almost all. "Verified" does not appear: it has four meanings.

use serde::Serialize;
use waxwing_core::keys::LogId;
use waxwing_seal::{Content, ContentId, Kind};

use crate::files::AttachmentView;
use crate::groups::event::Event;
use crate::history::ToldView;
use crate::mention::MentionView;
use crate::reach::ReachView;
use crate::store::messages::{BodyState, Message, State, ViewCheck};

/// A conversation in this home.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct ChannelId(pub i64);

/// A message in this home.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct MessageId(pub i64);

/// How far a message is. The same words in every interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ladder {
    /// Durable on this device.
    Queued,
    /// A node promised to include it. It promises inclusion, not durability.
    Sent,
    /// In a certified block; proof and place were checked here.
    Final,
    /// The same, and every other member that is known has proven to hold it.
    SeenByAll,
    /// Not on its way; the reason says what to do.
    Failed,
    /// From before this device came, as a member tells it. Nothing of it is proven.
    Told,
}

impl Ladder {
    /// Whether it stands in a certified block.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Final | Self::SeenByAll)
    }
}

/// What became of a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BodyKind {
    /// It is here and was opened.
    Here,
    /// It is certified and does not open: a tombstone, with its reason.
    Unopened,
    /// No node gave it, and none had an excuse. It is asked for again.
    Withheld,
    /// Its author erased it.
    Erased,
    /// Its time has passed.
    Expired,
}

/// What speaks against a message. A closed list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exception {
    /// It does not open.
    NotOpened,
    /// Its body is kept back by the nodes that were asked.
    Withheld,
    /// Its writer had proven another history of this conversation than this client: somebody was shown a fork.
    OtherHistory,
    /// Messages that its device wrote before it are not here: not sent, on their way, or withheld.
    MissingBefore,
    /// It claims to have been written after it was ordered: its writer's clock is wrong, or it lies.
    ClockOdd,
    /// Of a kind that this version cannot show.
    UnknownKind,
    /// A member tells it, and another one, or its author, says it otherwise.
    ToldOtherwise,
    /// The keys of its writer's account are such as no sound account can have, since it was compared.
    KeyChanged,
    /// Its device is not on the card of its account, or was suspended or revoked there before.
    DeviceUnknown,
}

/// Who wrote a message.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Author {
    /// The device, whose signature was checked.
    pub device: String,
    /// Whose device it is; known in groups, where the account has certified it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The name it claims.
    pub name: String,
}

/// A reaction to a message.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Reaction {
    /// The reaction's own content id, to take it back by.
    pub content_id: String,
    /// Who.
    pub author: Author,
    /// With what.
    pub emoji: String,
}

/// The message that another one is about, as it stands now.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Quote {
    /// In this home.
    pub id: MessageId,
    /// Its place in the log; none before it is final.
    pub log_index: Option<u64>,
    /// Who wrote it, if it was opened.
    pub author: Option<Author>,
    /// The beginning of what it says; none if it was taken back, or is not here.
    pub text: Option<String>,
    /// Whether a member tells it, and nothing of it is proven.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub told: bool,
}

/// Characters of a quotation: enough to know again what is meant.
const QUOTE_CHARACTERS_MAX: usize = 120;

impl Quote {
    pub(crate) fn of(view: &MessageView) -> Self {
        let beginning = |text: &String| text.chars().take(QUOTE_CHARACTERS_MAX).collect();
        Self {
            id: view.id,
            log_index: view.log_index,
            author: view.author.clone(),
            text: view.text.as_ref().map(beginning),
            told: view.state == Ladder::Told,
        }
    }
}

/// One message as a reader sees it.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct MessageView {
    /// In this home.
    pub id: MessageId,
    /// The conversation.
    pub channel: ChannelId,
    /// How far it is.
    pub state: Ladder,
    /// Who tells of it, if it is from before this device came: then nothing of it is proven, its author neither.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<ToldView>,
    /// Its place in the conversation's log; none before it is final. Of what was told, its number in this home.
    pub log_index: Option<u64>,
    /// Height of its block.
    pub height: Option<u64>,
    /// Certified time of its block, ms since 1970.
    pub ordered_ms: Option<u64>,
    /// Whether this device wrote it.
    pub own: bool,
    /// Who wrote it, if it was opened.
    pub author: Option<Author>,
    /// When it was queued on this device, by its clock.
    pub queued_ms: Option<u64>,
    /// When it was written, as its writer claims.
    pub written_ms: Option<u64>,
    /// Names it for replies, edits and reactions.
    pub content_id: Option<String>,
    /// `text`, `reply`, `reaction`, `edit`, `retraction`, or a word for what this version cannot show.
    pub kind: Option<&'static str>,
    /// The content id of the message it is about.
    pub about: Option<String>,
    /// That message, if it is here.
    pub quotes: Option<Quote>,
    /// The file that it hands over.
    pub attachment: Option<AttachmentView>,
    /// What it says: for an edited message what its author put in its place.
    pub text: Option<String>,
    /// Whom the text means.
    pub mentions: Vec<MentionView>,
    /// Whether its author replaced the text.
    pub edited: bool,
    /// Whether its author asked to forget it.
    pub retracted: bool,
    /// Reactions that were not taken back.
    pub reactions: Vec<Reaction>,
    /// What became of the body.
    pub body: BodyKind,
    /// When its words disappear, by certified time, ms since 1970; none if they are kept.
    pub expires_ms: Option<u64>,
    /// For how many days what follows is kept, if it sets the timer of the conversation; 0 for ever.
    pub timer_days: Option<u32>,
    /// How far the other members have come with it, if it is an own message that is final.
    pub reach: Option<ReachView>,
    /// Messages that its device wrote before it and that are not here.
    pub missing_before: u64,
    /// What speaks against it.
    pub exceptions: Vec<Exception>,
    /// Whether this person blocked whoever wrote it: what it says is left out then, unless it was asked for.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub blocked: bool,
    /// Something that this device noticed by itself, and no entry of the log: the entry in front of which it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<u64>,
    /// What it changed in the group, in place of something said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
    /// Why it failed or does not open, and what to do.
    pub reason: Option<String>,
    /// Number of its last change in this home.
    pub change: i64,
}

/// How far ahead of its block a message may claim to have been written: the skew that blocks have, and a sloppy clock.
const CLAIM_AHEAD_MS: u64 = 60_000;

impl From<State> for Ladder {
    fn from(state: State) -> Self {
        match state {
            State::Queued => Self::Queued,
            State::Sent => Self::Sent,
            State::Final => Self::Final,
            State::Failed => Self::Failed,
        }
    }
}

impl From<BodyState> for BodyKind {
    fn from(body: BodyState) -> Self {
        match body {
            BodyState::Here => Self::Here,
            BodyState::Unopened => Self::Unopened,
            BodyState::Withheld => Self::Withheld,
            BodyState::Erased => Self::Erased,
            BodyState::Expired => Self::Expired,
        }
    }
}

/// What a kind says in words, and what it is about. An edit or reaction without words is one whose words were forgotten.
fn said(kind: &Kind) -> (Option<&str>, Option<ContentId>) {
    match kind {
        Kind::Reaction { to: about, emoji } if emoji.as_str().is_empty() => (None, Some(*about)),
        Kind::Edit { of: about, body } if body.as_str().is_empty() => (None, Some(*about)),
        Kind::Text(body) => (Some(body.as_str()), None),
        Kind::Reply { to, body } => (Some(body.as_str()), Some(*to)),
        Kind::Reaction { to, emoji } => (Some(emoji.as_str()), Some(*to)),
        Kind::Edit { of, body } => (Some(body.as_str()), Some(*of)),
        Kind::Retraction { of } => (None, Some(*of)),
        Kind::Receipt(_) | Kind::Timer { .. } | Kind::History(_) => (None, None),
        Kind::Attachment(manifest) if manifest.words.as_str().is_empty() => (None, None),
        Kind::Attachment(manifest) => (Some(manifest.words.as_str()), None),
        Kind::Unknown(_) => (None, None),
    }
}

fn attachment(content: &Content) -> Option<AttachmentView> {
    match &content.kind {
        Kind::Attachment(manifest) => AttachmentView::of(manifest),
        _ => None,
    }
}

fn author(message: &Message) -> Option<Author> {
    let device = message.device?;
    let name = match (&message.content, &message.event) {
        (Some(content), _) => content.name.as_str(),
        // What it was called elsewhere in the conversation is looked up by whoever shows it.
        (None, Some(_)) => "",
        (None, None) => return None,
    };
    Some(Author {
        device: device.to_string(),
        account: message.account.map(|account| account.to_string()),
        name: name.to_owned(),
    })
}

fn exceptions(message: &Message) -> Vec<Exception> {
    let written = message.content.as_ref().map(|content| content.time_ms);
    let is_ahead = |ordered: u64| written.is_some_and(|written| written > ordered.saturating_add(CLAIM_AHEAD_MS));
    let is_unknown = |content: &waxwing_seal::Content| matches!(content.kind, Kind::Unknown(_));
    let found = [
        (message.body == BodyState::Unopened, Exception::NotOpened),
        (message.body == BodyState::Withheld, Exception::Withheld),
        (message.view == ViewCheck::Differs, Exception::OtherHistory),
        (
            message.place.is_some_and(|place| is_ahead(place.time)),
            Exception::ClockOdd,
        ),
        (message.content.as_ref().is_some_and(is_unknown), Exception::UnknownKind),
    ];
    found
        .into_iter()
        .filter(|(is_so, _)| *is_so)
        .map(|(_, what)| what)
        .collect()
}

impl MessageView {
    /// The message by itself.
    pub(crate) fn of(message: &Message) -> Self {
        let content = message.content.as_ref();
        let (text, about) = content.map_or((None, None), |content| said(&content.kind));
        Self {
            id: message.id,
            channel: message.channel,
            state: if message.is_told() {
                Ladder::Told
            } else {
                message.state.into()
            },
            told: None,
            log_index: message.log_index,
            height: message.place.map(|place| place.height),
            ordered_ms: message.place.map(|place| place.time),
            own: message.is_own,
            queued_ms: message.queued,
            author: author(message),
            written_ms: content.map(|content| content.time_ms),
            content_id: content.map(|content| content.id.to_string()),
            kind: content.map(|content| content.kind.word()),
            about: about.map(|about| about.to_string()),
            quotes: None,
            attachment: content.and_then(attachment),
            text: text.map(str::to_owned),
            mentions: Vec::new(),
            edited: false,
            retracted: false,
            reactions: Vec::new(),
            body: message.body.into(),
            expires_ms: expires(message),
            timer_days: content.and_then(|content| timer(&content.kind)),
            reach: None,
            missing_before: 0,
            exceptions: exceptions(message),
            blocked: false,
            beside: message.beside,
            event: message.event.clone(),
            reason: message.reason.clone(),
            change: message.changed,
        }
    }

    /// The message with what later ones do to it, in their order. An edit or retraction counts only from the device
    /// that wrote what it is about; `about_reactions` are the retractions of the reactions among them.
    pub(crate) fn with(message: &Message, about: &[Message], about_reactions: &[Message]) -> Self {
        let mut view = Self::of(message);
        for later in about {
            let is_same_device = later.device.is_some() && later.device == message.device;
            match later.content.as_ref().map(|content| &content.kind) {
                Some(Kind::Edit { body, .. }) if is_same_device && can_be_edited(message) => {
                    view.text = Some(body.as_str().to_owned());
                    view.edited = true;
                }
                Some(Kind::Retraction { .. }) if is_same_device => view.retracted = true,
                Some(Kind::Reaction { .. }) if !is_retracted(later, about_reactions) => {
                    view.reactions.extend(reaction(later));
                }
                _ => {}
            }
        }
        if view.retracted {
            view.text = None;
            view.attachment = None;
            view.reactions.clear();
        }
        view
    }
}

impl MessageView {
    /// What a message with a file is found by: its words, and the file's name behind them.
    pub(crate) fn name_and_words(&self) -> Option<String> {
        let name = &self.attachment.as_ref()?.name;
        // The words first: where they match is told by their places.
        Some(format!("{}\n{name}", self.text.as_deref().unwrap_or_default()))
    }
}

/// When the words of a message that is here disappear.
fn expires(message: &Message) -> Option<u64> {
    let (signed, place) = (message.signed.as_ref()?, message.place?);
    let at = signed.header.keep_for.expiry(place.time);
    at.filter(|_| message.content.is_some())
}

const fn timer(kind: &Kind) -> Option<u32> {
    match kind {
        Kind::Timer { keep_for } => Some(keep_for.days()),
        _ => None,
    }
}

/// Whether `later` puts other words in the place of those of `message`.
pub(crate) fn is_edit_of(later: &Message, message: &Message) -> bool {
    let kind = later.content.as_ref().map(|content| &content.kind);
    let is_same_device = later.device.is_some() && later.device == message.device;
    is_same_device && can_be_edited(message) && matches!(kind, Some(Kind::Edit { .. }))
}

fn can_be_edited(message: &Message) -> bool {
    let kind = message.content.as_ref().map(|content| &content.kind);
    matches!(kind, Some(Kind::Text(_) | Kind::Reply { .. }))
}

fn is_retracted(message: &Message, later: &[Message]) -> bool {
    let id = message.content.as_ref().map(|content| content.id);
    later.iter().any(|retraction| {
        let kind = retraction.content.as_ref().map(|content| &content.kind);
        retraction.device == message.device && matches!(kind, Some(Kind::Retraction { of }) if Some(*of) == id)
    })
}

fn reaction(message: &Message) -> Option<Reaction> {
    let content = message.content.as_ref()?;
    let Kind::Reaction { emoji, .. } = &content.kind else {
        return None;
    };
    Some(Reaction {
        content_id: content.id.to_string(),
        author: author(message)?,
        emoji: emoji.as_str().to_owned(),
    })
}

/// A conversation as a list shows it.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct ChannelView {
    /// In this home.
    pub id: ChannelId,
    /// What this device calls it.
    pub name: String,
    /// When it was made or joined here, by this device's clock.
    pub created_ms: u64,
    /// The ledger it lives on.
    pub network: String,
    /// Its log: names it everywhere. That of a group's present epoch: it changes with every epoch.
    pub log: String,
    /// Whether it has members who come and go; else everybody with its link is in.
    pub group: bool,
    /// Whether this device is out of its group, or cannot follow it: nothing new is read or written.
    pub closed: bool,
    /// Entries read and checked: the number of the next one. Behind a gap, where what was told before this device came stands.
    pub entries: u64,
    /// The same without gaps: so many entries of its logs were recomputed here.
    pub checked: u64,
    /// Entries proven to exist at the last look.
    pub proven: Option<u64>,
    /// Own messages that are not final.
    pub waiting: u64,
    /// Messages of others that were not shown yet.
    pub unread: u64,
    /// Of them, those that mean this device.
    pub mentioned: u64,
    /// The place of the first of them.
    pub first_unread: Option<u64>,
    /// For how many days what is written from now on is kept; 0 for ever.
    pub timer_days: u32,
}

/// Texts and names never reach a log line by way of `{:?}`; to show them, the fields or the JSON form are there.
mod quiet {
    use core::fmt::{Debug, Formatter, Result};

    use super::{Author, ChannelView, MessageView, Quote, Reaction};

    impl Debug for Author {
        fn fmt(&self, f: &mut Formatter<'_>) -> Result {
            write!(f, "Author({})", self.device)
        }
    }

    impl Debug for Reaction {
        fn fmt(&self, f: &mut Formatter<'_>) -> Result {
            write!(f, "Reaction({}, {:?})", self.content_id, self.author)
        }
    }

    impl Debug for Quote {
        fn fmt(&self, f: &mut Formatter<'_>) -> Result {
            write!(f, "Quote({}, {:?})", self.id.0, self.author)
        }
    }

    impl Debug for ChannelView {
        fn fmt(&self, f: &mut Formatter<'_>) -> Result {
            write!(
                f,
                "ChannelView({}, {} entries of {})",
                self.id.0, self.entries, self.log
            )
        }
    }

    impl Debug for MessageView {
        fn fmt(&self, f: &mut Formatter<'_>) -> Result {
            f.debug_struct("MessageView")
                .field("id", &self.id.0)
                .field("channel", &self.channel.0)
                .field("state", &self.state)
                .field("log_index", &self.log_index)
                .field("author", &self.author)
                .field("kind", &self.kind)
                .field("body", &self.body)
                .field("exceptions", &self.exceptions)
                .field("reason", &self.reason)
                .finish_non_exhaustive()
        }
    }
}

/// Prints an id as 64 lower-case digits.
pub(crate) fn log_name(log: LogId) -> String {
    log.to_string()
}

/// Whether `text` begins the printed form of a device, content or log.
pub(crate) fn begins(printed: &str, text: &str) -> bool {
    text.len() >= 4 && printed.starts_with(&text.to_ascii_lowercase())
}

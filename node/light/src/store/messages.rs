//! What readers see: opened entries, tombstones, and own messages on their way.
//!
//! A row with a log index is an entry whose place is proven; the index never changes. An own message has a row from the
//! moment it is queued and gains its index when the synced log shows it: the same row, so that nothing is shown twice.

mod find;

use rusqlite::{Connection, OptionalExtension, Row};
use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::SignedHeader;
use waxwing_core::log::Place;
use waxwing_seal::identity::AccountId;
use waxwing_seal::sealer::Opened;
use waxwing_seal::{Content, ContentId, DeviceId, Kind};

use super::forget::NEXT_MESSAGE;
use super::{StoreError, aftermath, hash, next_change, outbox};
use crate::groups::event::Event;
use crate::message::{ChannelId, MessageId};
pub(crate) use find::{
    about, all_with_content, at, before, beginning_with, change_before_last, changed, count, from, has_counter, load,
    name_of, name_of_account, receipt, with_content, withheld,
};

/// Since version 14: what this device noticed by itself stands in front of an entry, and is none.
pub(super) const COLUMNS_BESIDE: &str = "
ALTER TABLE message ADD COLUMN beside INTEGER;
CREATE INDEX message_beside ON message (channel, beside) WHERE beside IS NOT NULL;
";

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $number:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            pub(crate) const fn number(self) -> i64 {
                match self { $(Self::$variant => $number),+ }
            }

            pub(crate) const fn from_number(number: i64) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

numbered! {
    /// How far a message is.
    State {
        /// Durable on this device.
        Queued = 0,
        /// A node promised to include it.
        Sent = 1,
        /// In a certified block, checked here.
        Final = 2,
        /// Not on its way: the row says why.
        Failed = 3,
    }
}

numbered! {
    /// What became of a body.
    BodyState {
        /// Opened, or written here.
        Here = 0,
        /// Certified, and does not open: a tombstone.
        Unopened = 1,
        /// No node that was asked gave it, and none had an excuse.
        Withheld = 2,
        /// Its author revealed the secret.
        Erased = 3,
        /// Its time has passed.
        Expired = 4,
    }
}

numbered! {
    /// Whether the writer had proven the same log as this client.
    ViewCheck {
        /// There was nothing to compare.
        None = 0,
        /// The same entries, by their root.
        Agrees = 1,
        /// Other entries, or more than there were: somebody was shown another history.
        Differs = 2,
    }
}

/// An entry whose place is proven.
#[derive(Clone, Debug)]
pub(crate) struct Proved {
    pub(crate) index: u64,
    pub(crate) entry: Hash,
    pub(crate) signed: SignedHeader,
    pub(crate) place: Place,
    /// Root of the log with this entry as its last.
    pub(crate) root: Hash,
}

/// A content, and who proved to have written it.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) device: DeviceId,
    /// Whose device it is; only groups know.
    pub(crate) account: Option<AccountId>,
    /// The device's own count of its messages on the log; groups have none.
    pub(crate) counter: Option<u64>,
    pub(crate) content: Content,
}

impl From<Opened> for Heard {
    fn from(opened: Opened) -> Self {
        Self {
            device: opened.device,
            account: None,
            counter: Some(opened.counter),
            content: opened.content,
        }
    }
}

/// A change of the group, and who made it.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    pub(crate) device: DeviceId,
    pub(crate) account: AccountId,
    pub(crate) event: Event,
}

/// What became of an entry's body.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Opened(Box<Heard>),
    Changed(Box<Changed>),
    /// Something in an inbox or on a card: what it led to stands elsewhere.
    Posted,
    Unopened(String),
    Withheld,
    Erased,
    Expired,
}

impl Outcome {
    const fn body(&self) -> BodyState {
        match self {
            Self::Opened(_) | Self::Changed(_) | Self::Posted => BodyState::Here,
            Self::Unopened(_) => BodyState::Unopened,
            Self::Withheld => BodyState::Withheld,
            Self::Erased => BodyState::Erased,
            Self::Expired => BodyState::Expired,
        }
    }
}

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: MessageId,
    pub(crate) channel: ChannelId,
    pub(crate) log_index: Option<u64>,
    pub(crate) state: State,
    pub(crate) is_own: bool,
    pub(crate) body: BodyState,
    pub(crate) device: Option<DeviceId>,
    pub(crate) account: Option<AccountId>,
    pub(crate) counter: Option<u64>,
    pub(crate) content: Option<Content>,
    /// A change of the group, in place of a content.
    pub(crate) event: Option<Event>,
    pub(crate) entry: Option<Hash>,
    pub(crate) signed: Option<SignedHeader>,
    pub(crate) place: Option<Place>,
    pub(crate) view: ViewCheck,
    pub(crate) reason: Option<String>,
    /// Of what this device noticed by itself: the entry in front of which it stands.
    pub(crate) beside: Option<u64>,
    /// When it was queued here, by this device's clock.
    pub(crate) queued: Option<u64>,
    pub(crate) changed: i64,
}

impl Message {
    /// Whether a member told it, and this device never read it: it has a number in the conversation and no entry.
    pub(crate) const fn is_told(&self) -> bool {
        self.log_index.is_some() && self.entry.is_none()
    }
}

const COLUMNS: &str = "id, channel, log_index, state, own, body, device, counter, content, entry, signed, height, time,
    in_block, view, reason, queued, changed, account, event, beside";

fn optional_hash(row: &Row<'_>, column: usize) -> Result<Option<Hash>, StoreError> {
    row.get::<_, Option<Vec<u8>>>(column)?
        .map(|bytes| hash(&bytes))
        .transpose()
}

fn read(row: &Row<'_>) -> Result<Message, StoreError> {
    let place = match row.get::<_, Option<u64>>(11)? {
        None => None,
        Some(height) => Some(Place {
            height,
            time: row.get(12)?,
            in_block: row.get(13)?,
        }),
    };
    let content = row.get::<_, Option<Vec<u8>>>(8)?;
    let signed = row.get::<_, Option<Vec<u8>>>(10)?;
    Ok(Message {
        id: MessageId(row.get(0)?),
        channel: ChannelId(row.get(1)?),
        log_index: row.get(2)?,
        state: State::from_number(row.get(3)?).ok_or(StoreError::Damaged)?,
        is_own: row.get(4)?,
        body: BodyState::from_number(row.get(5)?).ok_or(StoreError::Damaged)?,
        device: optional_hash(row, 6)?.map(|device| DeviceId(device.0)),
        account: optional_hash(row, 18)?.map(|account| AccountId(account.0)),
        counter: row.get(7)?,
        event: row
            .get::<_, Option<String>>(19)?
            .map(|event| Event::read(&event))
            .transpose()?,
        content: content.map(|bytes| Content::from_bytes(&bytes)).transpose()?,
        entry: optional_hash(row, 9)?,
        signed: signed.map(|bytes| SignedHeader::from_bytes(&bytes)).transpose()?,
        place,
        view: ViewCheck::from_number(row.get(14)?).ok_or(StoreError::Damaged)?,
        reason: row.get(15)?,
        queued: row.get(16)?,
        changed: row.get(17)?,
        beside: row.get(20)?,
    })
}

pub(super) fn select(
    connection: &Connection,
    rest: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<Message>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM message {rest}"))?;
    let mut rows = statement.query(values)?;
    let mut messages = Vec::new();
    while let Some(row) = rows.next()? {
        messages.push(read(row)?);
    }
    Ok(messages)
}

/// The message another one is about.
pub(crate) const fn target(kind: &Kind) -> Option<ContentId> {
    match kind {
        Kind::Reply { to, .. } | Kind::Reaction { to, .. } => Some(*to),
        Kind::Edit { of, .. } | Kind::Retraction { of } => Some(*of),
        Kind::Receipt(_) | Kind::Timer { .. } | Kind::History(_) => None,
        Kind::Text(_) | Kind::Attachment(_) | Kind::Unknown(_) => None,
    }
}

/// A message of this device that was just sealed.
pub(crate) fn queue(
    connection: &Connection,
    channel: ChannelId,
    device: DeviceId,
    content: &Content,
    now: u64,
) -> Result<MessageId, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "INSERT INTO message (id, channel, state, own, body, device, content_id, kind, target, content, queued, changed)
         VALUES ({NEXT_MESSAGE}, ?1, ?2, 1, 0, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
    ))?;
    statement.execute((
        channel.0,
        State::Queued.number(),
        &device.0,
        &content.id.0,
        content.kind.number(),
        target(&content.kind).map(|target| target.0),
        content.to_bytes(),
        now,
        next_change(connection)?,
    ))?;
    let message = MessageId(connection.last_insert_rowid());
    aftermath::queued(connection, message, content)?;
    Ok(message)
}

/// A change of a group that was just sealed. What it does is told when it has come true.
pub(crate) fn queue_event(
    connection: &Connection,
    channel: ChannelId,
    device: DeviceId,
    event: &Event,
    now: u64,
) -> Result<MessageId, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "INSERT INTO message (id, channel, state, own, body, device, event, queued, changed)
         VALUES ({NEXT_MESSAGE}, ?1, ?2, 1, 0, ?3, ?4, ?5, ?6)"
    ))?;
    statement.execute((
        channel.0,
        State::Queued.number(),
        &device.0,
        event.to_text(),
        now,
        next_change(connection)?,
    ))?;
    Ok(MessageId(connection.last_insert_rowid()))
}

/// Something that this device noticed by itself, and that concerns everybody who reads here: it stands behind everything that
/// was read so far.
pub(crate) fn note_beside(
    connection: &Connection,
    channel: &super::channels::Channel,
    event: &Event,
    now: u64,
) -> Result<MessageId, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "INSERT INTO message (id, channel, state, own, body, event, beside, queued, changed)
         VALUES ({NEXT_MESSAGE}, ?1, ?2, 0, 0, ?3, ?4, ?5, ?6)"
    ))?;
    statement.execute((
        channel.id.0,
        State::Final.number(),
        event.to_text(),
        channel.next_number(),
        now,
        next_change(connection)?,
    ))?;
    Ok(MessageId(connection.last_insert_rowid()))
}

/// Something for an inbox or a card that was just sealed: on its way like a message, and none.
pub(crate) fn queue_posted(
    connection: &Connection,
    channel: ChannelId,
    device: DeviceId,
    now: u64,
) -> Result<MessageId, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "INSERT INTO message (id, channel, state, own, body, device, queued, changed)
         VALUES ({NEXT_MESSAGE}, ?1, ?2, 1, 0, ?3, ?4, ?5)"
    ))?;
    statement.execute((
        channel.0,
        State::Queued.number(),
        &device.0,
        now,
        next_change(connection)?,
    ))?;
    Ok(MessageId(connection.last_insert_rowid()))
}

/// Stores a proven entry of an inbox or a card, or gives what this device posted its place.
pub(crate) fn store_posted(
    connection: &Connection,
    channel: ChannelId,
    proved: &Proved,
    outcome: &Outcome,
    own: DeviceId,
) -> Result<(), StoreError> {
    let message = match outbox::signed_as(connection, proved.entry)? {
        Some(message) => message,
        None => insert_blank(connection, channel)?,
    };
    place_entry(connection, message, proved)?;
    settle_body(connection, channel, message, proved.index, outcome, own)?;
    outbox::remove(connection, message)
}

/// Another form of the content of a message that is on its way, under the same id.
pub(crate) fn set_content(connection: &Connection, message: MessageId, content: &Content) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE message SET content = ?2 WHERE id = ?1 AND log_index IS NULL")?
        .execute((message.0, content.to_bytes()))?;
    Ok(())
}

/// Drops a message that never got a place, with what nodes said to it.
pub(crate) fn remove_waiting(connection: &Connection, message: MessageId) -> Result<(), StoreError> {
    connection.execute("UPDATE device SET messages_used = max(messages_used, ?1)", [message.0])?;
    connection.execute("DELETE FROM submission WHERE message = ?1", [message.0])?;
    connection.execute("DELETE FROM message WHERE id = ?1 AND log_index IS NULL", [message.0])?;
    Ok(())
}

/// Stores a proven entry, or gives the own message it turns out to be its place.
pub(crate) fn store_entry(
    connection: &Connection,
    channel: ChannelId,
    proved: &Proved,
    outcome: &Outcome,
    own: DeviceId,
) -> Result<MessageId, StoreError> {
    let waiting = match outcome {
        Outcome::Opened(opened) if opened.device == own => waiting_for(connection, channel, opened.content.id)?,
        Outcome::Changed(change) if change.device == own => outbox::signed_as(connection, proved.entry)?,
        _ => None,
    };
    let message = match waiting {
        Some(message) => message,
        None => insert_blank(connection, channel)?,
    };
    place_entry(connection, message, proved)?;
    settle_body(connection, channel, message, proved.index, outcome, own)?;
    outbox::remove(connection, message)?;
    Ok(message)
}

fn waiting_for(
    connection: &Connection,
    channel: ChannelId,
    content: ContentId,
) -> Result<Option<MessageId>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM message WHERE channel = ?1 AND content_id = ?2 AND own = 1 AND log_index IS NULL",
    )?;
    Ok(statement
        .query_row((channel.0, &content.0), |row| row.get(0).map(MessageId))
        .optional()?)
}

fn insert_blank(connection: &Connection, channel: ChannelId) -> Result<MessageId, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "INSERT INTO message (id, channel, state, own, body, changed) VALUES ({NEXT_MESSAGE}, ?1, ?2, 0, ?3, 0)"
    ))?;
    statement.execute((channel.0, State::Final.number(), BodyState::Withheld.number()))?;
    Ok(MessageId(connection.last_insert_rowid()))
}

fn place_entry(connection: &Connection, message: MessageId, proved: &Proved) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "UPDATE message SET log_index = ?2, state = ?3, entry = ?4, signed = ?5, height = ?6, time = ?7, in_block = ?8,
            root = ?9 WHERE id = ?1",
    )?;
    statement.execute((
        message.0,
        proved.index,
        State::Final.number(),
        proved.entry.as_bytes(),
        proved.signed.to_bytes(),
        proved.place.height,
        proved.place.time,
        proved.place.in_block,
        proved.root.as_bytes(),
    ))?;
    Ok(())
}

/// Says what became of the body of a placed entry: now, or later when a node gives it after all.
pub(crate) fn settle_body(
    connection: &Connection,
    channel: ChannelId,
    message: MessageId,
    index: u64,
    outcome: &Outcome,
    own: DeviceId,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "UPDATE message SET body = ?2, own = ?3, device = ?4, counter = ?5, content_id = ?6, kind = ?7, target = ?8,
            content = ?9, view = ?10, reason = ?11, changed = ?12, account = ?13, event = ?14 WHERE id = ?1",
    )?;
    let opened = match outcome {
        Outcome::Opened(opened) => Some(opened),
        _ => None,
    };
    let change = match outcome {
        Outcome::Changed(change) => Some(change),
        _ => None,
    };
    let device = opened
        .map(|opened| opened.device)
        .or(change.map(|change| change.device));
    let account = opened
        .and_then(|opened| opened.account)
        .or(change.map(|change| change.account));
    let content = opened.map(|opened| &opened.content);
    let view = match content {
        Some(content) => compare_view(connection, channel, index, content)?,
        None => ViewCheck::None,
    };
    let reason = match outcome {
        Outcome::Unopened(reason) => Some(reason.as_str()),
        _ => None,
    };
    statement.execute((
        message.0,
        outcome.body().number(),
        device == Some(own),
        device.map(|device| device.0),
        opened.and_then(|opened| opened.counter),
        content.map(|content| content.id.0),
        content.map(|content| content.kind.number()),
        content.and_then(|content| target(&content.kind)).map(|target| target.0),
        content.map(Encode::to_bytes),
        view.number(),
        reason,
        next_change(connection)?,
        account.map(|account| account.0),
        change.map(|change| change.event.to_text()),
    ))?;
    aftermath::follow(connection, message)
}

/// Compares what the writer had proven of the log with what is proven here: `root` was kept for every length.
fn compare_view(
    connection: &Connection,
    channel: ChannelId,
    index: u64,
    content: &Content,
) -> Result<ViewCheck, StoreError> {
    let view = &content.view;
    let Some(last) = view.length.checked_sub(1) else {
        return Ok(ViewCheck::None);
    };
    // The writer speaks of the log of its epoch: the present one, whose entries are numbered from `base`.
    let base: u64 = connection
        .prepare_cached("SELECT base FROM channel WHERE id = ?1")?
        .query_row([channel.0], |row| row.get(0))?;
    let last = base.saturating_add(last);
    if last >= index {
        // A writer cannot have seen its own entry, or later ones.
        return Ok(ViewCheck::Differs);
    }
    let mut statement = connection.prepare_cached("SELECT root FROM message WHERE channel = ?1 AND log_index = ?2")?;
    let root: Vec<u8> = statement.query_row((channel.0, last), |row| row.get(0))?;
    if hash(&root)? == view.root {
        Ok(ViewCheck::Agrees)
    } else {
        Ok(ViewCheck::Differs)
    }
}

/// Moves an own message that is not final along its ladder; a state it has already changes nothing.
pub(crate) fn set_state(
    connection: &Connection,
    message: MessageId,
    state: State,
    reason: Option<&str>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "UPDATE message SET state = ?2, reason = ?3, changed = ?4
         WHERE id = ?1 AND log_index IS NULL AND (state <> ?2 OR reason IS NOT ?3)",
    )?;
    statement.execute((message.0, state.number(), reason, next_change(connection)?))?;
    Ok(())
}

/// Keeps a verified receipt.
pub(crate) fn set_receipt(connection: &Connection, message: MessageId, bytes: &[u8]) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO receipt (message, bytes) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET bytes = excluded.bytes",
        (message.0, bytes),
    )?;
    Ok(())
}

//! What readers see: opened entries, tombstones, and own messages on their way.
//!
//! A row with a log index is an entry whose place is proven; the index never changes. An own message has a row from the
//! moment it is queued and gains its index when the synced log shows it: the same row, so that nothing is shown twice.

use std::collections::BTreeSet;

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
    /// When it was queued here, by this device's clock.
    pub(crate) queued: Option<u64>,
    pub(crate) changed: i64,
}

const COLUMNS: &str = "id, channel, log_index, state, own, body, device, counter, content, entry, signed, height, time,
    in_block, view, reason, queued, changed, account, event";

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
    })
}

fn select(connection: &Connection, rest: &str, values: impl rusqlite::Params) -> Result<Vec<Message>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM message {rest}"))?;
    let mut rows = statement.query(values)?;
    let mut messages = Vec::new();
    while let Some(row) = rows.next()? {
        messages.push(read(row)?);
    }
    Ok(messages)
}

/// [`Kind::number`] of a reply.
const REPLY: u16 = 2;

/// The message another one is about.
pub(crate) const fn target(kind: &Kind) -> Option<ContentId> {
    match kind {
        Kind::Reply { to, .. } | Kind::Reaction { to, .. } => Some(*to),
        Kind::Edit { of, .. } | Kind::Retraction { of } => Some(*of),
        Kind::Receipt(_) | Kind::Timer { .. } => None,
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
    aftermath::follow(connection, message)?;
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

/// What a device called itself in its newest message of a conversation.
pub(crate) fn name_of(
    connection: &Connection,
    channel: ChannelId,
    device: DeviceId,
) -> Result<Option<String>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT content FROM message WHERE channel = ?1 AND device = ?2 AND content IS NOT NULL ORDER BY id DESC LIMIT 1",
    )?;
    let content: Option<Vec<u8>> = statement
        .query_row((channel.0, &device.0), |row| row.get(0))
        .optional()?;
    let content = content.map(|bytes| Content::from_bytes(&bytes)).transpose()?;
    Ok(content.map(|content| content.name.as_str().to_owned()))
}

/// What an account's newest message of a conversation calls it, whichever device wrote it.
pub(crate) fn name_of_account(
    connection: &Connection,
    channel: ChannelId,
    account: AccountId,
) -> Result<Option<String>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT content FROM message WHERE channel = ?1 AND account = ?2 AND content IS NOT NULL ORDER BY id DESC LIMIT 1",
    )?;
    let content: Option<Vec<u8>> = statement
        .query_row((channel.0, &account.0), |row| row.get(0))
        .optional()?;
    let content = content.map(|bytes| Content::from_bytes(&bytes)).transpose()?;
    Ok(content.map(|content| content.name.as_str().to_owned()))
}

/// One message.
pub(crate) fn load(connection: &Connection, message: MessageId) -> Result<Option<Message>, StoreError> {
    Ok(select(connection, "WHERE id = ?1", [message.0])?.pop())
}

/// The entry at an index of a channel's log.
pub(crate) fn at(connection: &Connection, channel: ChannelId, index: u64) -> Result<Option<Message>, StoreError> {
    Ok(select(connection, "WHERE channel = ?1 AND log_index = ?2", (channel.0, index))?.pop())
}

/// The message with a content id; if members posted several, the first in the log.
pub(crate) fn with_content(
    connection: &Connection,
    channel: ChannelId,
    content: ContentId,
) -> Result<Option<Message>, StoreError> {
    let rest = "WHERE channel = ?1 AND content_id = ?2 ORDER BY log_index IS NULL, log_index, id LIMIT 1";
    Ok(select(connection, rest, (channel.0, &content.0))?.pop())
}

/// Every message with a content id: members may have posted several.
pub(crate) fn all_with_content(
    connection: &Connection,
    channel: ChannelId,
    content: ContentId,
) -> Result<Vec<Message>, StoreError> {
    let rest = "WHERE channel = ?1 AND content_id = ?2 ORDER BY id";
    select(connection, rest, (channel.0, &content.0))
}

/// Messages that do something to another one, in their order: reactions, edits, retractions. Not the replies, of which there
/// may be many: they only answer it.
pub(crate) fn about(
    connection: &Connection,
    channel: ChannelId,
    target: ContentId,
) -> Result<Vec<Message>, StoreError> {
    let rest = "WHERE channel = ?1 AND target = ?2 AND kind <> ?3 ORDER BY log_index IS NULL, log_index, id";
    select(connection, rest, (channel.0, &target.0, REPLY))
}

/// At most `most` messages before `before` (an index of the log; `None` for the end, with what is on its way), in
/// order.
pub(crate) fn before(
    connection: &Connection,
    channel: ChannelId,
    before: Option<u64>,
    most: u32,
) -> Result<Vec<Message>, StoreError> {
    let waiting = match before {
        Some(_) => Vec::new(),
        None => select(
            connection,
            "WHERE channel = ?1 AND log_index IS NULL AND event IS NULL ORDER BY id LIMIT ?2",
            (channel.0, most),
        )?,
    };
    let rest = u32::try_from(waiting.len()).map_or(0, |waiting| most.saturating_sub(waiting));
    let mut messages = select(
        connection,
        "WHERE channel = ?1 AND log_index < ?2 ORDER BY log_index DESC LIMIT ?3",
        (channel.0, before.unwrap_or(i64::MAX.unsigned_abs()), rest),
    )?;
    messages.reverse();
    messages.extend(waiting);
    Ok(messages)
}

/// At most `most` messages from an index of the log on, in order.
pub(crate) fn from(
    connection: &Connection,
    channel: ChannelId,
    index: u64,
    most: u32,
) -> Result<Vec<Message>, StoreError> {
    let rest = "WHERE channel = ?1 AND log_index >= ?2 ORDER BY log_index LIMIT ?3";
    select(connection, rest, (channel.0, index, most))
}

/// At most `most` messages that changed after the change `after`, oldest change first; of one channel or of all.
pub(crate) fn changed(
    connection: &Connection,
    channel: Option<ChannelId>,
    after: i64,
    most: u32,
) -> Result<Vec<Message>, StoreError> {
    let rest = "WHERE changed > ?1 AND (?2 IS NULL OR channel = ?2) AND (event IS NULL OR log_index IS NOT NULL)
        AND channel IN (SELECT id FROM channel WHERE kind IN (0, 1, 5)) ORDER BY changed LIMIT ?3";
    select(connection, rest, (after, channel.map(|channel| channel.0), most))
}

/// The number of the change behind which the newest `most` changed messages stand.
pub(crate) fn change_before_last(
    connection: &Connection,
    channel: Option<ChannelId>,
    most: u32,
) -> Result<i64, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT changed FROM message WHERE (?1 IS NULL OR channel = ?1) AND (event IS NULL OR log_index IS NOT NULL)
            AND channel IN (SELECT id FROM channel WHERE kind IN (0, 1, 5)) ORDER BY changed DESC LIMIT 1 OFFSET ?2",
    )?;
    let found = statement.query_row((channel.map(|channel| channel.0), most), |row| row.get(0));
    Ok(found.optional()?.unwrap_or(0))
}

/// Entries whose bodies no node gave so far, at most `most`.
pub(crate) fn withheld(connection: &Connection, channel: ChannelId, most: u32) -> Result<Vec<Message>, StoreError> {
    let rest = "WHERE channel = ?1 AND body = ?2 AND body <> 0 ORDER BY log_index LIMIT ?3";
    select(connection, rest, (channel.0, BodyState::Withheld.number(), most))
}

/// How many messages a channel has, and how many of them are not final.
pub(crate) fn count(connection: &Connection, channel: ChannelId) -> Result<(u64, u64), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT count(log_index), count(*) FILTER (WHERE log_index IS NULL AND event IS NULL)
             FROM message WHERE channel = ?1",
    )?;
    Ok(statement.query_row([channel.0], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// Keeps a verified receipt.
pub(crate) fn set_receipt(connection: &Connection, message: MessageId, bytes: &[u8]) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO receipt (message, bytes) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET bytes = excluded.bytes",
        (message.0, bytes),
    )?;
    Ok(())
}

/// A receipt that was verified before.
pub(crate) fn receipt(connection: &Connection, message: MessageId) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(connection
        .query_row("SELECT bytes FROM receipt WHERE message = ?1", [message.0], |row| {
            row.get(0)
        })
        .optional()?)
}

/// Messages with one beginning of their ids that are named beside each other; somebody types more digits anyway.
const SEVERAL: usize = 16;

/// The messages whose content ids begin with these hexadecimal digits, each content once.
pub(crate) fn beginning_with(
    connection: &Connection,
    channel: ChannelId,
    digits: &str,
) -> Result<Vec<Message>, StoreError> {
    let is_hexadecimal = digits.len() >= 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if !is_hexadecimal {
        return Ok(Vec::new());
    }
    let rest = "WHERE channel = ?1 AND content_id IS NOT NULL AND substr(hex(content_id), 1, length(?2)) = upper(?2)
        ORDER BY log_index IS NULL, log_index, id LIMIT ?3";
    let limit = i64::try_from(SEVERAL).unwrap_or(i64::MAX);
    let mut found = select(connection, rest, (channel.0, digits, limit))?;
    let mut met = BTreeSet::new();
    found.retain(|message| met.insert(message.content.as_ref().map(|content| content.id)));
    Ok(found)
}

/// Whether a device's message with this count is here.
pub(crate) fn has_counter(
    connection: &Connection,
    channel: ChannelId,
    device: DeviceId,
    counter: u64,
) -> Result<bool, StoreError> {
    Ok(connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM message WHERE channel = ?1 AND device = ?2 AND counter = ?3)",
        (channel.0, device.0, counter),
        |row| row.get(0),
    )?)
}

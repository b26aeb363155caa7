//! How stored messages are found again: by what names them, in the order of a screen, and by what changed.
//!
//! What may be long is asked for with a limit, through an index: a conversation may have a hundred thousand messages.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};
use waxwing_core::codec::Decode;
use waxwing_seal::identity::AccountId;
use waxwing_seal::{Content, ContentId, DeviceId};

use super::{BodyState, Message, StoreError, select};
use crate::message::{ChannelId, MessageId};

/// [`Kind::number`] of a reply.
const REPLY: u16 = 2;

/// What a device called itself in its newest message of a conversation.
pub(crate) fn name_of(
    connection: &Connection,
    channel: ChannelId,
    device: DeviceId,
) -> Result<Option<String>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT content FROM message WHERE channel = ?1 AND device = ?2 AND content IS NOT NULL
            AND (entry IS NOT NULL OR log_index IS NULL) ORDER BY id DESC LIMIT 1",
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
        "SELECT content FROM message WHERE channel = ?1 AND account = ?2 AND content IS NOT NULL
            AND (entry IS NOT NULL OR log_index IS NULL) ORDER BY id DESC LIMIT 1",
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

/// The message with a content id; if members posted several, the first in the log; and what was only told behind what was read.
pub(crate) fn with_content(
    connection: &Connection,
    channel: ChannelId,
    content: ContentId,
) -> Result<Option<Message>, StoreError> {
    let rest = "WHERE channel = ?1 AND content_id = ?2
        ORDER BY log_index IS NOT NULL AND entry IS NULL, log_index IS NULL, log_index, id LIMIT 1";
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
    // What is left out above is shown with those, and what stands behind the newest entry with the end.
    let first = messages.first().and_then(|message| message.log_index).unwrap_or(0);
    let noticed = beside(connection, channel, first, before.unwrap_or(u64::MAX >> 1), most)?;
    let mut messages = in_front(messages, noticed);
    messages.extend(waiting);
    Ok(messages)
}

/// What this device noticed in front of the entries from `first` to before `end`, or behind the last one.
fn beside(
    connection: &Connection,
    channel: ChannelId,
    first: u64,
    end: u64,
    most: u32,
) -> Result<Vec<Message>, StoreError> {
    let rest = "WHERE channel = ?1 AND beside >= ?2 AND beside < ?3 ORDER BY beside DESC, id DESC LIMIT ?4";
    let mut noticed = select(connection, rest, (channel.0, first, end, most))?;
    noticed.reverse();
    Ok(noticed)
}

/// Both in one order: what was noticed before an entry was read stands in front of it.
fn in_front(entries: Vec<Message>, noticed: Vec<Message>) -> Vec<Message> {
    if noticed.is_empty() {
        return entries;
    }
    let mut all: Vec<Message> = noticed.into_iter().chain(entries).collect();
    all.sort_by_key(|message| (message.log_index.or(message.beside), message.log_index.is_some()));
    all
}

/// At most `most` messages from an index of the log on, in order.
pub(crate) fn from(
    connection: &Connection,
    channel: ChannelId,
    index: u64,
    most: u32,
) -> Result<Vec<Message>, StoreError> {
    let rest = "WHERE channel = ?1 AND log_index >= ?2 ORDER BY log_index LIMIT ?3";
    let entries = select(connection, rest, (channel.0, index, most))?;
    let is_to_end = u32::try_from(entries.len()).is_ok_and(|read| read < most);
    let last = entries.last().and_then(|message| message.log_index);
    let end = match last {
        Some(last) if !is_to_end => last.saturating_add(1),
        _ => u64::MAX >> 1,
    };
    Ok(in_front(entries, beside(connection, channel, index, end, most)?))
}

/// At most `most` messages that changed after the change `after`, oldest change first; of one channel or of all.
pub(crate) fn changed(
    connection: &Connection,
    channel: Option<ChannelId>,
    after: i64,
    most: u32,
) -> Result<Vec<Message>, StoreError> {
    let rest = "WHERE changed > ?1 AND (?2 IS NULL OR channel = ?2) AND (event IS NULL OR coalesce(log_index, beside) IS NOT NULL)
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
        "SELECT changed FROM message WHERE (?1 IS NULL OR channel = ?1) AND (event IS NULL OR coalesce(log_index, beside) IS NOT NULL)
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

//! Who has written in a conversation, and how far each of them has come.
//!
//! Every content carries what its writer had proven of the log. Where that agrees with what is proven here, it says: this
//! device holds so many entries. Receipts say more, and are claims. From both, for each member, three numbers of entries
//! are kept, counted through all logs of the conversation; a message with a lower number is covered by them.
//!
//! ```text
//! entry      0 1 2 3 4 5 6 7 8 9
//! held       ───────────> 5          proven: by the newest view that agrees
//! delivered  ───────────────> 7      told by a receipt
//! read       ─────> 2
//! ```
//!
//! As long as nothing else says who is in, members are the devices that wrote; where a group's changes name them, those
//! who were added count from then on, and those who were removed no more.

use rusqlite::{Connection, OptionalExtension, Row};
use waxwing_core::Hash;
use waxwing_core::keys::LogId;
use waxwing_seal::identity::AccountId;
use waxwing_seal::{Content, DeviceId, Kind, View};

use super::messages::{Message, ViewCheck};
use super::{StoreError, gaps, hash, next_change};
use crate::groups::event::Event;
use crate::message::{ChannelId, MessageId};

pub(super) const TABLES: &str = "
-- Whoever has written in a conversation, and how many of its entries are proven to be held there, or said to be
-- delivered or read. `log` and `counter`: its highest number on the log that it wrote on last. `head_height`: the newest
-- head that it has named, with its id and the message as long as that is to be compared.
CREATE TABLE member (
    channel   INTEGER NOT NULL REFERENCES channel,
    device    BLOB NOT NULL,
    own       INTEGER NOT NULL,
    name      TEXT NOT NULL,
    since     INTEGER NOT NULL,
    wrote     INTEGER NOT NULL,
    held      INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    read      INTEGER NOT NULL,
    log       BLOB,
    counter   INTEGER NOT NULL,
    head_height  INTEGER NOT NULL DEFAULT 0,
    head         BLOB,
    head_message INTEGER,
    PRIMARY KEY (channel, device)
) STRICT, WITHOUT ROWID;
";

/// Own messages that are told to have come further at once: what somebody may have on a screen.
const TOLD_AT_ONCE: u32 = 256;

/// Members up to whom every step of every receipt is a change of the messages that it is about. With more, messages
/// change when all have come so far; each member's place can be looked up.
const TOLD_SINGLY_MAX: u64 = 8;

/// Kinds that are shown as a message of their own: what can be read, and be seen by all.
const SHOWN: &str = "kind NOT IN (3, 4, 5, 6, 8)";

/// A member as stored.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) device: DeviceId,
    /// Whose device it is, where somebody looked that up; not stored here.
    pub(crate) account: Option<AccountId>,
    pub(crate) is_own: bool,
    /// What it called itself last; nothing if it never wrote.
    pub(crate) name: String,
    /// The first entry that it is expected to hold.
    pub(crate) since: u64,
    /// The number behind its newest entry.
    wrote: u64,
    pub(crate) held: u64,
    pub(crate) delivered: u64,
    pub(crate) read: u64,
    log: Option<LogId>,
    counter: u64,
}

/// Never a name.
impl core::fmt::Debug for Member {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "Member({}, {}/{}/{})",
            self.device, self.held, self.delivered, self.read
        )
    }
}

impl Member {
    /// Somebody of this name, for tests of names.
    #[cfg(test)]
    pub(crate) fn called(device: DeviceId, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::new(device, false)
        }
    }

    const fn new(device: DeviceId, is_own: bool) -> Self {
        Self {
            device,
            account: None,
            is_own,
            name: String::new(),
            since: 0,
            wrote: 0,
            held: 0,
            delivered: 0,
            read: 0,
            log: None,
            counter: 0,
        }
    }
}

const COLUMNS: &str = "device, own, name, since, wrote, held, delivered, read, log, counter";

fn read(row: &Row<'_>) -> Result<Member, StoreError> {
    let log: Option<Vec<u8>> = row.get(8)?;
    Ok(Member {
        device: DeviceId(hash(&row.get::<_, Vec<u8>>(0)?)?.0),
        account: None,
        is_own: row.get(1)?,
        name: row.get(2)?,
        since: row.get(3)?,
        wrote: row.get(4)?,
        held: row.get(5)?,
        delivered: row.get(6)?,
        read: row.get(7)?,
        log: log.map(|log| hash(&log)).transpose()?.map(|log| LogId(log.0)),
        counter: row.get(9)?,
    })
}

fn select(connection: &Connection, rest: &str, values: impl rusqlite::Params) -> Result<Vec<Member>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM member {rest}"))?;
    let mut rows = statement.query(values)?;
    let mut members = Vec::new();
    while let Some(row) = rows.next()? {
        members.push(read(row)?);
    }
    Ok(members)
}

/// The members of a conversation, as far as they are known.
pub(crate) fn all(connection: &Connection, channel: ChannelId) -> Result<Vec<Member>, StoreError> {
    select(connection, "WHERE channel = ?1 ORDER BY device", [channel.0])
}

fn load(connection: &Connection, channel: ChannelId, device: DeviceId) -> Result<Option<Member>, StoreError> {
    Ok(select(connection, "WHERE channel = ?1 AND device = ?2", (channel.0, device.0))?.pop())
}

fn save(connection: &Connection, channel: ChannelId, member: &Member) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO member (channel, device, own, name, since, wrote, held, delivered, read, log, counter)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
             ON CONFLICT DO UPDATE SET name = excluded.name, wrote = excluded.wrote, held = excluded.held,
                delivered = excluded.delivered, read = excluded.read, log = excluded.log, counter = excluded.counter",
        )?
        .execute((
            channel.0,
            member.device.0,
            member.is_own,
            &member.name,
            member.since,
            member.wrote,
            member.held,
            member.delivered,
            member.read,
            member.log.map(|log| log.0),
            member.counter,
        ))?;
    Ok(())
}

/// The number of the first entry of one of a conversation's logs.
fn base(connection: &Connection, channel: ChannelId, log: LogId) -> Result<Option<u64>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT base FROM channel WHERE id = ?1 AND log = ?2
         UNION ALL SELECT base FROM past_log WHERE channel = ?1 AND log = ?2",
    )?;
    Ok(statement
        .query_row((channel.0, log.as_bytes()), |row| row.get(0))
        .optional()?)
}

/// Follows up on a message that has its place and was opened: who wrote it has come so far.
pub(super) fn heard(connection: &Connection, row: &Message) -> Result<(), StoreError> {
    let Some(number) = row.log_index else { return Ok(()) };
    if let Some(event) = &row.event {
        return changed(connection, row.channel, event, number);
    }
    let (Some(device), Some(content)) = (row.device, &row.content) else {
        return Ok(());
    };
    let before = load(connection, row.channel, device)?;
    let before = before.unwrap_or_else(|| Member::new(device, row.is_own));
    let Some(member) = come_further(connection, row, content, before.clone())? else {
        return Ok(());
    };
    let has_moved = (member.held, member.delivered, member.read) != (before.held, before.delivered, before.read);
    if member.is_own || !has_moved {
        save(connection, row.channel, &member)?;
    } else {
        let floor = floor(connection, row.channel)?;
        save(connection, row.channel, &member)?;
        tell(connection, row.channel, floor, &before, &member)?;
    }
    note_head(connection, row, device, &content.view)
}

/// What is known of a member after a message of it; `None` for one on a log that is not the conversation's.
fn come_further(
    connection: &Connection,
    row: &Message,
    content: &Content,
    mut member: Member,
) -> Result<Option<Member>, StoreError> {
    let (Some(number), Some(signed)) = (row.log_index, &row.signed) else {
        return Ok(None);
    };
    let log = signed.header.log;
    let Some(base) = base(connection, row.channel, log)? else {
        return Ok(None);
    };
    if row.view != ViewCheck::Differs {
        // Who writes on a log has come through those before it.
        member.held = member.held.max(base.saturating_add(content.view.length));
    }
    if let Kind::Receipt(receipt) = &content.kind {
        for mark in receipt.watermarks() {
            if let Some(base) = self::base(connection, row.channel, mark.log)? {
                // Nobody has got what comes behind its own word about it.
                let told = |count: u64| Some(base.saturating_add(count)).filter(|told| *told <= number);
                member.delivered = member.delivered.max(told(mark.delivered).unwrap_or(0));
                member.read = member.read.max(told(mark.read).unwrap_or(0));
            }
        }
    }
    if let Some(counter) = row.counter {
        let before = if member.log == Some(log) {
            (member.counter, member.wrote)
        } else {
            (0, 0)
        };
        gaps::count(connection, row, log, counter, before)?;
        if member.log != Some(log) {
            (member.log, member.counter) = (Some(log), 0);
        }
        member.counter = member.counter.max(counter);
    }
    if number >= member.wrote {
        member.wrote = number.saturating_add(1);
        content.name.as_str().clone_into(&mut member.name);
    }
    Ok(Some(member))
}

/// A head that a member had checked, to be held against the own history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct HeadToCompare {
    channel: ChannelId,
    device: DeviceId,
    message: MessageId,
    pub(crate) height: u64,
    pub(crate) head: Hash,
}

/// Notes the head that a message of somebody else names. One that cannot have been there yet is not looked for.
fn note_head(connection: &Connection, row: &Message, device: DeviceId, view: &View) -> Result<(), StoreError> {
    if row.is_own || row.view == ViewCheck::Differs {
        return Ok(());
    }
    if row.place.is_some_and(|place| view.height >= place.height) {
        return differs(connection, row.id);
    }
    connection
        .prepare_cached(
            "UPDATE member SET head_height = ?3, head = ?4, head_message = ?5
             WHERE channel = ?1 AND device = ?2 AND head_height < ?3",
        )?
        .execute((row.channel.0, device.0, view.height, view.head.as_bytes(), row.id.0))?;
    Ok(())
}

fn differs(connection: &Connection, message: MessageId) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE message SET view = ?2 WHERE id = ?1")?
        .execute((message.0, ViewCheck::Differs.number()))?;
    touch_one(connection, message)
}

/// Heads of members on one ledger that were not compared, at most `most`.
pub(crate) fn heads_to_compare(
    connection: &Connection,
    network: Hash,
    most: u32,
) -> Result<Vec<HeadToCompare>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT member.channel, member.device, member.head_message, member.head_height, member.head
         FROM member JOIN channel ON channel.id = member.channel
         WHERE member.head IS NOT NULL AND channel.network = ?1 ORDER BY member.head_height, member.device LIMIT ?2",
    )?;
    let mut rows = statement.query((network.as_bytes(), most))?;
    let mut heads = Vec::new();
    while let Some(row) = rows.next()? {
        heads.push(HeadToCompare {
            channel: ChannelId(row.get(0)?),
            device: DeviceId(hash(&row.get::<_, Vec<u8>>(1)?)?.0),
            message: MessageId(row.get(2)?),
            height: row.get(3)?,
            head: hash(&row.get::<_, Vec<u8>>(4)?)?,
        });
    }
    Ok(heads)
}

/// A member's head was compared: it is in the own history, or its message says so.
pub(crate) fn compared(connection: &Connection, theirs: &HeadToCompare, agrees: bool) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE member SET head = NULL, head_message = NULL
             WHERE channel = ?1 AND device = ?2 AND head_height = ?3",
        )?
        .execute((theirs.channel.0, theirs.device.0, theirs.height))?;
    if agrees {
        Ok(())
    } else {
        differs(connection, theirs.message)
    }
}

/// This device has come into a group: who else is in, is expected to hold what is said from now on.
pub(crate) fn enter(connection: &Connection, channel: ChannelId, devices: &[DeviceId]) -> Result<(), StoreError> {
    let (own, _) = super::device(connection)?;
    let since: u64 = connection.query_row(
        "SELECT coalesce(max(log_index) + 1, 0) FROM message WHERE channel = ?1",
        [channel.0],
        |row| row.get(0),
    )?;
    connection.execute("DELETE FROM member WHERE channel = ?1", [channel.0])?;
    for device in devices {
        let member = Member {
            since,
            held: since,
            ..Member::new(*device, own.id() == *device)
        };
        save(connection, channel, &member)?;
    }
    Ok(())
}

/// A group's change: who is in from here on, and who is not. What is left out of account with somebody who went may now be seen
/// by all.
fn changed(connection: &Connection, channel: ChannelId, event: &Event, number: u64) -> Result<(), StoreError> {
    let before = floor(connection, channel)?;
    for added in &event.added {
        let Some(device) = device_of(&added.device) else {
            continue;
        };
        if load(connection, channel, device)?.is_none() {
            let (own, _) = super::device(connection)?;
            let since = number.saturating_add(1);
            let member = Member {
                since,
                held: since,
                ..Member::new(device, own.id() == device)
            };
            save(connection, channel, &member)?;
        }
    }
    for removed in &event.removed {
        if let Some(device) = device_of(&removed.device) {
            connection.execute(
                "DELETE FROM member WHERE channel = ?1 AND device = ?2",
                (channel.0, device.0),
            )?;
        }
    }
    let (from, to) = (before.unwrap_or(0), floor(connection, channel)?.unwrap_or(0));
    touch(connection, channel, from, to)
}

/// A device from its 64 digits.
fn device_of(digits: &str) -> Option<DeviceId> {
    let mut id = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (place, byte) in id.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(DeviceId(id))
}

/// So many entries every other member is proven to hold; none if nobody else is known.
fn floor(connection: &Connection, channel: ChannelId) -> Result<Option<u64>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT min(held) FROM member WHERE channel = ?1 AND own = 0")?;
    Ok(statement.query_row([channel.0], |row| row.get(0))?)
}

/// Own messages that a member's word has moved along are changed messages: whoever looks at them looks again.
fn tell(
    connection: &Connection,
    channel: ChannelId,
    floor_before: Option<u64>,
    before: &Member,
    after: &Member,
) -> Result<(), StoreError> {
    let (from, to) = (floor_before.unwrap_or(0), floor(connection, channel)?.unwrap_or(0));
    touch(connection, channel, from, to)?;
    let others: u64 = connection
        .prepare_cached("SELECT count(*) FROM member WHERE channel = ?1 AND own = 0")?
        .query_row([channel.0], |row| row.get(0))?;
    if others < TOLD_SINGLY_MAX {
        touch(connection, channel, before.held.max(to), after.held)?;
        touch(connection, channel, before.delivered, after.delivered)?;
        touch(connection, channel, before.read, after.read)?;
    }
    Ok(())
}

/// Numbers a change of the newest own messages with numbers from `from` to before `to`.
fn touch(connection: &Connection, channel: ChannelId, from: u64, to: u64) -> Result<(), StoreError> {
    if from >= to {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(&format!(
        "SELECT id FROM message WHERE channel = ?1 AND log_index >= ?2 AND log_index < ?3 AND own = 1 AND {SHOWN}
         ORDER BY log_index DESC LIMIT ?4"
    ))?;
    let rows = statement.query_map((channel.0, from, to, TOLD_AT_ONCE), |row| row.get::<_, i64>(0))?;
    let mut ids = rows.collect::<Result<Vec<_>, _>>()?;
    ids.reverse();
    ids.into_iter().try_for_each(|id| touch_one(connection, MessageId(id)))
}

pub(super) fn touch_one(connection: &Connection, message: MessageId) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE message SET changed = ?2 WHERE id = ?1")?
        .execute((message.0, next_change(connection)?))?;
    Ok(())
}

/// How far the other members have come with an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Reach {
    /// Other members that are expected to hold it.
    pub(crate) others: u64,
    /// Of them, proven to hold it.
    pub(crate) held: u64,
    /// Told to have it.
    pub(crate) delivered: u64,
    /// Told to have read it.
    pub(crate) read: u64,
}

/// How far the other members have come with the entry of a number.
pub(crate) fn reach(connection: &Connection, channel: ChannelId, number: u64) -> Result<Reach, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*), coalesce(sum(held > ?2), 0), coalesce(sum(delivered > ?2), 0), coalesce(sum(read > ?2), 0)
         FROM member WHERE channel = ?1 AND own = 0 AND since <= ?2",
    )?;
    Ok(statement.query_row((channel.0, number), |row| {
        Ok(Reach {
            others: row.get(0)?,
            held: row.get(1)?,
            delivered: row.get(2)?,
            read: row.get(3)?,
        })
    })?)
}

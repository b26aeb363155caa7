//! What was said before this device came, as members tell it; and whom this device is to tell it to.
//!
//! A told message is a row like any other, so that it is read, searched, quoted and saved like one. It is told apart by having a
//! number in the conversation and **no entry**: what is proven always has one. Its numbers lie in a gap that was left in front of
//! this device's own time, in the order of the times that were told, and may move while more is told. Nothing that this device
//! read itself is ever replaced by what it is told, and it counts for nothing but reading: not as a member's word, not as a name,
//! not for who has come how far.

use rusqlite::{Connection, OptionalExtension};
use waxwing_core::Hash;
use waxwing_core::codec::Encode;
use waxwing_seal::content::{EraseSalt, Past, Told};
use waxwing_seal::identity::AccountId;
use waxwing_seal::limits::HISTORY_MESSAGES_MAX;
use waxwing_seal::{Content, ContentId, DeviceId, Kind, View};

use super::forget::NEXT_MESSAGE;
use super::messages::{self, BodyState, Message, State, select, target};
use super::{StoreError, aftermath, hash, next_change, search};
use crate::limits::HISTORY_TELLERS_MAX;
use crate::message::{ChannelId, MessageId};

pub(super) const TABLES: &str = "
-- Messages that somebody else tells of: who tells, when it is said to have been ordered, whether to have been edited, its order
-- among those of one time, and whether others tell it otherwise.
CREATE TABLE told (
    message INTEGER PRIMARY KEY REFERENCES message,
    channel INTEGER NOT NULL REFERENCES channel,
    teller  BLOB NOT NULL,
    account BLOB NOT NULL,
    ordered INTEGER NOT NULL,
    edited  INTEGER NOT NULL,
    place   INTEGER NOT NULL,
    differs INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX told_of ON told (channel);

-- From which number on what is said in a group may be told to newcomers, if it may; the epoch that this device came with; and
-- the number at which its own time began, if it may be told what was before.
CREATE TABLE past (
    channel   INTEGER PRIMARY KEY REFERENCES channel,
    open_from INTEGER,
    epoch     INTEGER,
    begins    INTEGER
) STRICT;

-- Newcomers that nobody has told yet: the epoch that they came with, and the number of the commit that let them in.
CREATE TABLE to_tell (
    channel    INTEGER NOT NULL REFERENCES channel,
    epoch      INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    PRIMARY KEY (channel, epoch)
) STRICT, WITHOUT ROWID;
";

/// Numbers that are left free in front of a newcomer's own time.
const ROOM: u64 = 2 * 500;
const _: () = assert!(HISTORY_MESSAGES_MAX == 500 && HISTORY_TELLERS_MAX == 2);

/// This device has come into a group. If its members may tell it the past, its own numbers begin behind a gap.
pub(crate) fn enter(
    connection: &Connection,
    channel: ChannelId,
    epoch: u64,
    may_be_told: bool,
) -> Result<(), StoreError> {
    connection.execute("DELETE FROM to_tell WHERE channel = ?1", [channel.0])?;
    let begins: Option<u64> = match may_be_told {
        false => None,
        true => Some(
            connection
                .prepare_cached("UPDATE channel SET base = base + ?2 WHERE id = ?1 RETURNING base")?
                .query_row((channel.0, ROOM), |row| row.get(0))?,
        ),
    };
    connection.execute(
        "INSERT OR REPLACE INTO past (channel, open_from, epoch, begins) VALUES (?1, ?2, ?3, ?2)",
        (channel.0, begins, epoch),
    )?;
    Ok(())
}

/// Nothing may be told in a group any more, and nobody is to be told.
pub(crate) fn close(connection: &Connection, channel: ChannelId) -> Result<(), StoreError> {
    connection.execute("UPDATE past SET open_from = NULL WHERE channel = ?1", [channel.0])?;
    connection.execute("DELETE FROM to_tell WHERE channel = ?1", [channel.0])?;
    Ok(())
}

/// What is said from `number` on may be told, unless that was so before.
pub(crate) fn open(connection: &Connection, channel: ChannelId, number: u64) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO past (channel, open_from) VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET open_from = excluded.open_from WHERE open_from IS NULL",
        (channel.0, number),
    )?;
    Ok(())
}

/// From which number on what was said may be told.
pub(crate) fn open_from(connection: &Connection, channel: ChannelId) -> Result<Option<u64>, StoreError> {
    Ok(connection
        .query_row("SELECT open_from FROM past WHERE channel = ?1", [channel.0], |row| {
            row.get(0)
        })
        .optional()?
        .flatten())
}

/// Newcomers that are to be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ToTell {
    pub(crate) channel: ChannelId,
    /// The epoch that they came with.
    pub(crate) epoch: u64,
    /// The number of the commit that let them in.
    pub(crate) number: u64,
    pub(crate) not_before: u64,
}

/// Notes newcomers that are to be told.
pub(crate) fn want(connection: &Connection, wanted: &ToTell) -> Result<(), StoreError> {
    connection.execute(
        "INSERT OR REPLACE INTO to_tell (channel, epoch, number, not_before) VALUES (?1, ?2, ?3, ?4)",
        (wanted.channel.0, wanted.epoch, wanted.number, wanted.not_before),
    )?;
    Ok(())
}

/// Those whose time has come.
pub(crate) fn due(connection: &Connection, now: u64) -> Result<Vec<ToTell>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT channel, epoch, number, not_before FROM to_tell WHERE not_before <= ?1 ORDER BY channel, epoch",
    )?;
    let rows = statement.query_map([now], |row| {
        Ok(ToTell {
            channel: ChannelId(row.get(0)?),
            epoch: row.get(1)?,
            number: row.get(2)?,
            not_before: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// They were told, by whomever, or there is nothing to tell them: nothing if that was known.
pub(crate) fn done(connection: &Connection, channel: ChannelId, epoch: u64) -> Result<(), StoreError> {
    connection.execute(
        "DELETE FROM to_tell WHERE channel = ?1 AND epoch = ?2",
        (channel.0, epoch),
    )?;
    Ok(())
}

/// The newest messages from `from` to before `end` that may be told, newest first: read by this device, with words, ordered
/// since, and not to disappear.
pub(crate) fn tellable(
    connection: &Connection,
    channel: ChannelId,
    (from, end): (u64, u64),
    since: u64,
) -> Result<Vec<Message>, StoreError> {
    let rest = "WHERE channel = ?1 AND log_index >= ?2 AND log_index < ?3 AND entry IS NOT NULL AND body = 0
        AND kind IN (?6, ?7, ?8) AND time >= ?4 AND id NOT IN (SELECT message FROM expiry) ORDER BY log_index DESC LIMIT ?5";
    let [text, reply, attachment] = search::SAYING;
    let values = (
        channel.0,
        from,
        end,
        since,
        HISTORY_MESSAGES_MAX,
        text,
        reply,
        attachment,
    );
    select(connection, rest, values)
}

/// Why what a member tells is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// The group's rule lets nobody tell newcomers anything.
    NotAllowed,
    /// It tells of what came later than itself.
    FromTheFuture,
    /// Others have told enough.
    TooManyTellers,
    /// Its teller has told enough.
    TooMuch,
}

impl core::fmt::Display for Refused {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NotAllowed => {
                "it tells what was said before you came, which this group does not allow: it was not taken"
            }
            Self::FromTheFuture => {
                "it tells of messages as said before you came that would be later than itself: it was not taken"
            }
            Self::TooManyTellers => "enough members have told what was said before you came: it was not taken",
            Self::TooMuch => "it tells more of what was said before you came than a member may: it was not taken",
        })
    }
}

/// Follows up on a message that has its place: does it tell of the past? What it told is kept once, and not with it.
pub(super) fn heard(connection: &Connection, row: &Message) -> Result<(), StoreError> {
    let (Some(content), Some(place), Some(device), Some(account)) = (&row.content, row.place, row.device, row.account)
    else {
        return Ok(());
    };
    let Kind::History(past) = &content.kind else {
        return Ok(());
    };
    if past.told().is_empty() {
        return Ok(());
    }
    if past.is_last() {
        done(connection, row.channel, past.epoch())?;
    }
    let teller = Teller { device, account };
    let reason = if row.is_own {
        None
    } else {
        take(connection, row.channel, teller, past, place.time)?
    };
    let forgotten = Content {
        kind: Kind::History(past.forgotten()),
        ..content.clone()
    };
    connection
        .prepare_cached("UPDATE message SET content = ?2, reason = ?3 WHERE id = ?1")?
        .execute((row.id.0, forgotten.to_bytes(), reason))?;
    Ok(())
}

#[derive(Clone, Copy, Debug)]
struct Teller {
    device: DeviceId,
    account: AccountId,
}

/// Takes what a member tells this device. Returns what a reader has to know about it.
fn take(
    connection: &Connection,
    channel: ChannelId,
    teller: Teller,
    past: &Past,
    time: u64,
) -> Result<Option<String>, StoreError> {
    let begins: Option<Option<u64>> = connection
        .prepare_cached("SELECT begins FROM past WHERE channel = ?1 AND epoch = ?2")?
        .query_row((channel.0, past.epoch()), |row| row.get(0))
        .optional()?;
    let begins = match begins {
        // It is for others, who came with another epoch.
        None => return Ok(None),
        Some(None) => return Ok(Some(Refused::NotAllowed.to_string())),
        Some(Some(begins)) => begins,
    };
    if past.told().iter().any(|told| told.ordered_ms > time) {
        return Ok(Some(Refused::FromTheFuture.to_string()));
    }
    if let Some(refused) = too_much(connection, channel, begins, teller, past)? {
        return Ok(Some(refused.to_string()));
    }
    let (mut differing, mut number) = (0_u32, 0_i64);
    for told in past.told() {
        number += 1;
        let place = number - i64::from(past.part()) * i64::from(HISTORY_MESSAGES_MAX);
        if !keep(connection, channel, teller, told, place)? {
            differing += 1;
        }
    }
    arrange(connection, channel, begins)?;
    Ok((differing > 0).then(|| {
        format!("it tells {differing} of the messages from before you came otherwise than what is here: what is here was kept")
    }))
}

fn too_much(
    connection: &Connection,
    channel: ChannelId,
    begins: u64,
    teller: Teller,
    past: &Past,
) -> Result<Option<Refused>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT told.teller, count(*) FROM told JOIN message ON message.id = told.message
         WHERE told.channel = ?1 AND message.log_index >= ?2 AND message.log_index < ?3 GROUP BY told.teller",
    )?;
    let tellers = statement.query_map((channel.0, begins.saturating_sub(ROOM), begins), |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, u32>(1)?))
    })?;
    let tellers = tellers.collect::<Result<Vec<_>, _>>()?;
    let before = tellers.iter().find(|(device, _)| device[..] == teller.device.0);
    let told = before.map_or(0, |(_, told)| *told);
    let more = u32::try_from(past.told().len()).unwrap_or(u32::MAX);
    Ok(if before.is_none() && tellers.len() >= HISTORY_TELLERS_MAX {
        Some(Refused::TooManyTellers)
    } else if told.saturating_add(more) > HISTORY_MESSAGES_MAX {
        Some(Refused::TooMuch)
    } else {
        None
    })
}

/// Keeps one told message, unless it is here. False if what is here says otherwise.
fn keep(
    connection: &Connection,
    channel: ChannelId,
    teller: Teller,
    told: &Told,
    place: i64,
) -> Result<bool, StoreError> {
    let known = messages::all_with_content(connection, channel, told.id)?;
    // What was read here first: nothing that is told comes before it.
    if let Some(known) = known.iter().find(|row| !row.is_told()).or(known.first()) {
        let agrees = agrees(connection, known, told)?;
        if !agrees && known.is_told() {
            differs(connection, known.id)?;
        }
        return Ok(agrees);
    }
    let content = Content {
        id: told.id,
        time_ms: told.written_ms,
        name: told.name.clone(),
        salt: EraseSalt([0; 16]),
        view: View::empty_log(0, Hash::ZERO),
        kind: told.kind.clone(),
    };
    let mut statement = connection.prepare_cached(&format!(
        "INSERT INTO message (id, channel, state, own, body, device, account, content_id, kind, target, content, changed)
         VALUES ({NEXT_MESSAGE}, ?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
    ))?;
    statement.execute((
        channel.0,
        State::Final.number(),
        BodyState::Here.number(),
        told.device.0,
        told.account.0,
        told.id.0,
        told.kind.number(),
        target(&told.kind).map(|target| target.0),
        content.to_bytes(),
        next_change(connection)?,
    ))?;
    let message = connection.last_insert_rowid();
    connection
        .prepare_cached(
            "INSERT INTO told (message, channel, teller, account, ordered, edited, place) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            message,
            channel.0,
            teller.device.0,
            teller.account.0,
            told.ordered_ms,
            told.is_edited,
            place,
        ))?;
    Ok(true)
}

/// Whether what is here and what is told are one message, as far as both still have their words: who wrote it, when, and what.
fn agrees(connection: &Connection, row: &Message, told: &Told) -> Result<bool, StoreError> {
    let Some(content) = &row.content else { return Ok(true) };
    let is_same =
        (row.device, row.account, content.time_ms) == (Some(told.device), Some(told.account), told.written_ms);
    let is_edited = told.is_edited || is_edited(connection, row)?;
    Ok(is_same && (is_edited || !content.kind.says_something() || content.kind == told.kind))
}

fn is_edited(connection: &Connection, row: &Message) -> Result<bool, StoreError> {
    if let Some(told) = teller_of(connection, row.id)? {
        return Ok(told.is_edited);
    }
    let Some(content) = &row.content else { return Ok(false) };
    let about = messages::about(connection, row.channel, content.id)?;
    Ok(about.iter().any(|later| crate::message::is_edit_of(later, row)))
}

fn differs(connection: &Connection, message: MessageId) -> Result<(), StoreError> {
    connection.execute("UPDATE told SET differs = 1 WHERE message = ?1", [message.0])?;
    touch(connection, message)
}

fn touch(connection: &Connection, message: MessageId) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE message SET changed = ?2 WHERE id = ?1")?
        .execute((message.0, next_change(connection)?))?;
    Ok(())
}

/// Gives told messages their numbers, the last one right in front of this device's own time; and has those found that are new.
fn arrange(connection: &Connection, channel: ChannelId, begins: u64) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT message.id, message.log_index FROM told JOIN message ON message.id = told.message
         WHERE told.channel = ?1 AND (message.log_index IS NULL OR message.log_index BETWEEN ?2 AND ?3)
         ORDER BY told.ordered DESC, told.place DESC, told.message DESC",
    )?;
    let first = begins.saturating_sub(ROOM);
    let rows = statement.query_map((channel.0, first, begins), |row| {
        Ok((MessageId(row.get(0)?), row.get::<_, Option<u64>>(1)?))
    })?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let numbered = rows.iter().zip((first..begins).rev());
    let moved: Vec<_> = numbered
        .filter(|((_, before), number)| *before != Some(*number))
        .collect();
    for ((message, before), _) in &moved {
        if before.is_some() {
            connection.execute("UPDATE message SET log_index = NULL WHERE id = ?1", [message.0])?;
        }
    }
    for ((message, before), number) in moved {
        connection
            .prepare_cached("UPDATE message SET log_index = ?2, changed = ?3 WHERE id = ?1")?
            .execute((message.0, number, next_change(connection)?))?;
        if before.is_none() {
            aftermath::told(connection, *message)?;
        }
    }
    Ok(())
}

/// A message was read here that may have been told before: it is shown once, as what was read, unless it was told otherwise.
pub(super) fn met(connection: &Connection, row: &Message) -> Result<(), StoreError> {
    let (Some(content), Some(_)) = (&row.content, row.log_index) else {
        return Ok(());
    };
    for told in told_with(connection, row.channel, content.id)? {
        let is_one = match (&told.content, teller_of(connection, told.id)?) {
            (Some(before), Some(teller)) => {
                let is_same = told.device == row.device && told.account == row.account;
                let is_said = teller.is_edited || !before.kind.says_something() || before.kind == content.kind;
                is_same && is_said
            }
            _ => true,
        };
        if is_one {
            search::set(connection, told.id, None)?;
            for table in [
                "DELETE FROM saved WHERE message = ?1",
                "DELETE FROM told WHERE message = ?1",
            ] {
                connection.execute(table, [told.id.0])?;
            }
            connection.execute("UPDATE device SET messages_used = max(messages_used, ?1)", [told.id.0])?;
            connection.execute("DELETE FROM message WHERE id = ?1", [told.id.0])?;
        } else {
            differs(connection, told.id)?;
        }
    }
    Ok(())
}

fn told_with(connection: &Connection, channel: ChannelId, content: ContentId) -> Result<Vec<Message>, StoreError> {
    let rest = "WHERE channel = ?1 AND content_id = ?2 AND entry IS NULL AND log_index IS NOT NULL";
    select(connection, rest, (channel.0, &content.0))
}

/// Who tells of a message, and what is told beside its words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TellerOf {
    pub(crate) device: DeviceId,
    pub(crate) account: AccountId,
    pub(crate) ordered: u64,
    pub(crate) is_edited: bool,
    pub(crate) differs: bool,
}

/// Who tells of a message; `None` for one that was read here.
pub(crate) fn teller_of(connection: &Connection, message: MessageId) -> Result<Option<TellerOf>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT teller, account, ordered, edited, differs FROM told WHERE message = ?1")?;
    let mut rows = statement.query([message.0])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(TellerOf {
        device: DeviceId(hash(&row.get::<_, Vec<u8>>(0)?)?.0),
        account: AccountId(hash(&row.get::<_, Vec<u8>>(1)?)?.0),
        ordered: row.get(2)?,
        is_edited: row.get(3)?,
        differs: row.get(4)?,
    }))
}

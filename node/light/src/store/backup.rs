//! A backup: one encrypted file with what was said and who is known, and nothing that speaks or decrypts.
//!
//! ```text
//! store.db ──copy rows──> FILE.part ──synced, renamed──> FILE        SQLCipher 4, its key from the passphrase
//! ```
//!
//! The file is a database of its own, in the open format of SQLCipher: its tool reads it without this program. Not in it: keys of
//! devices, logs and groups, what is on its way, the account's words, and what is to disappear. So a copy that is stolen
//! opens nothing but itself, and a home that is made from it is a new device. `// see README: decisions`

use std::path::Path;

use rusqlite::{Connection, params};

use super::forget::{NEXT_CHANNEL, NEXT_MESSAGE};
use super::messages::State;
use super::{StoreError, Transaction, aftermath, next_change};
use crate::message::MessageId;
use crate::store::channels::ChannelKind;

/// What stands in every backup, and in nothing else.
const WHAT: &str = "waxwing backup";

/// The version of its tables. 2: what is unread, and how each conversation was used. 3: who told of what was said before.
const VERSION: i64 = 3;

const TABLES: &str = "
CREATE TABLE backup.meta (what TEXT NOT NULL, version INTEGER NOT NULL, made INTEGER NOT NULL) STRICT;
CREATE TABLE backup.network (
    id BLOB PRIMARY KEY, genesis BLOB NOT NULL, held BLOB NOT NULL, start_height INTEGER NOT NULL, start_id BLOB NOT NULL
) STRICT;
CREATE TABLE backup.node (network BLOB NOT NULL, id BLOB NOT NULL, address TEXT NOT NULL, source INTEGER NOT NULL) STRICT;
CREATE TABLE backup.contact (
    account BLOB PRIMARY KEY, claimed TEXT NOT NULL, petname TEXT, met INTEGER NOT NULL, asks INTEGER NOT NULL,
    compared INTEGER, blocked INTEGER, report TEXT
) STRICT;
CREATE TABLE backup.channel (
    id INTEGER PRIMARY KEY, network BLOB NOT NULL, log BLOB NOT NULL, name TEXT NOT NULL, created INTEGER NOT NULL,
    base INTEGER NOT NULL, last_height INTEGER NOT NULL, frontier BLOB NOT NULL
) STRICT;
CREATE TABLE backup.past_log (
    log BLOB PRIMARY KEY, channel INTEGER NOT NULL, base INTEGER NOT NULL, length INTEGER NOT NULL
) STRICT;
CREATE TABLE backup.message (
    id INTEGER PRIMARY KEY, channel INTEGER NOT NULL, log_index INTEGER NOT NULL, own INTEGER NOT NULL, body INTEGER NOT NULL,
    device BLOB, account BLOB, counter INTEGER, content_id BLOB, kind INTEGER, target BLOB, content BLOB, event TEXT,
    entry BLOB, signed BLOB, height INTEGER, time INTEGER, in_block INTEGER, root BLOB, view INTEGER NOT NULL, reason TEXT,
    queued INTEGER
) STRICT;
CREATE TABLE backup.receipt (message INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
CREATE TABLE backup.unread (message INTEGER PRIMARY KEY) STRICT;
CREATE TABLE backup.told (
    message INTEGER PRIMARY KEY, teller BLOB NOT NULL, account BLOB NOT NULL, ordered INTEGER NOT NULL,
    edited INTEGER NOT NULL, place INTEGER NOT NULL, differs INTEGER NOT NULL
) STRICT;
CREATE TABLE backup.manner (
    channel INTEGER PRIMARY KEY, receipts INTEGER NOT NULL, seen INTEGER NOT NULL, timer INTEGER NOT NULL,
    timer_at INTEGER NOT NULL
) STRICT;
";

/// Conversations, and those that came out of an earlier backup.
const CONVERSATIONS: &str = "SELECT id FROM main.channel WHERE kind IN (0, 1, 5)";

/// What is in a backup, or was taken out of one.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, serde::Serialize)]
pub struct Counts {
    /// Conversations.
    pub channels: u64,
    /// Messages and tombstones.
    pub messages: u64,
    /// People.
    pub contacts: u64,
    /// Ledgers.
    pub networks: u64,
    /// What was left out: on its way, or to disappear. Or, taken out: what was here already.
    pub left_out: u64,
}

/// Opens or makes the file beside the store.
pub(super) fn attach(connection: &Connection, file: &Path, key: &str) -> Result<(), StoreError> {
    let file = file.to_str().ok_or(StoreError::ReadOnly)?;
    connection.execute("ATTACH DATABASE ?1 AS backup KEY ?2", (file, key))?;
    Ok(())
}

pub(super) fn detach(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch("DETACH DATABASE backup")?;
    Ok(())
}

/// Writes everything that a backup has into a new file.
pub(super) fn write(connection: &Connection, file: &Path, key: &str, now: u64) -> Result<Counts, StoreError> {
    attach(connection, file, key)?;
    let written = copy_all(connection, now);
    let detached = detach(connection);
    let counts = written?;
    detached?;
    Ok(counts)
}

fn copy_all(connection: &Connection, now: u64) -> Result<Counts, StoreError> {
    connection.execute_batch("PRAGMA backup.synchronous = FULL")?;
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.execute("INSERT INTO backup.meta VALUES (?1, ?2, ?3)", (WHAT, VERSION, now))?;
    let copy = |statement: &str| -> Result<u64, StoreError> {
        Ok(u64::try_from(transaction.execute(statement, [])?).unwrap_or(u64::MAX))
    };
    let networks =
        copy("INSERT INTO backup.network SELECT id, genesis, held, start_height, start_id FROM main.network")?;
    copy("INSERT INTO backup.node SELECT network, id, address, source FROM main.node")?;
    let contacts = copy(
        "INSERT INTO backup.contact SELECT account, claimed, petname, met, asks, compared, blocked, report FROM main.contact",
    )?;
    let channels = copy(&format!(
        "INSERT INTO backup.channel SELECT id, network, log, name, created, base, last_height, frontier FROM main.channel
         WHERE id IN ({CONVERSATIONS})"
    ))?;
    copy(&format!(
        "INSERT INTO backup.past_log SELECT log, channel, base, length FROM main.past_log WHERE channel IN ({CONVERSATIONS})"
    ))?;
    let messages = copy(&format!(
        "INSERT INTO backup.message SELECT id, channel, log_index, own, body, device, account, counter, content_id, kind,
            target, content, event, entry, signed, height, time, in_block, root, view, reason, queued FROM main.message
         WHERE log_index IS NOT NULL AND channel IN ({CONVERSATIONS}) AND id NOT IN (SELECT message FROM main.expiry)"
    ))?;
    copy(
        "INSERT INTO backup.receipt SELECT message, bytes FROM main.receipt WHERE message IN (SELECT id FROM backup.message)",
    )?;
    copy(
        "INSERT INTO backup.told SELECT message, teller, account, ordered, edited, place, differs FROM main.told
         WHERE message IN (SELECT id FROM backup.message)",
    )?;
    copy("INSERT INTO backup.unread SELECT message FROM main.unread WHERE message IN (SELECT id FROM backup.message)")?;
    copy(&format!(
        "INSERT INTO backup.manner SELECT channel, receipts, seen, timer, timer_at FROM main.manner
         WHERE channel IN ({CONVERSATIONS})"
    ))?;
    let all: u64 = transaction.query_row(
        &format!("SELECT count(*) FROM main.message WHERE channel IN ({CONVERSATIONS})"),
        [],
        |row| row.get(0),
    )?;
    transaction.commit()?;
    Ok(Counts {
        channels,
        messages,
        contacts,
        networks,
        left_out: all.saturating_sub(messages),
    })
}

/// Why a file is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BackupError {
    /// It does not open with this passphrase, or is no backup.
    NotOpened,
    /// It was made by a newer version.
    Newer,
    /// There is something at that place already.
    Exists,
    /// There is no such file, or it cannot be used.
    File(std::io::ErrorKind),
    /// The passphrase has to be text.
    NoText,
}

impl core::fmt::Display for BackupError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotOpened => f.write_str("it does not open: another passphrase, no backup, or a damaged one"),
            Self::Newer => f.write_str("it was made by a newer version: update this program"),
            Self::Exists => f.write_str("there is a file of that name: choose another, nothing is overwritten"),
            Self::File(kind) => write!(f, "the file cannot be used: {kind}"),
            Self::NoText => f.write_str("the passphrase of a backup has to be text"),
        }
    }
}

impl core::error::Error for BackupError {}

/// Whether the attached file is a backup of this version or an earlier one.
pub(super) fn judge(connection: &Connection) -> Result<(), BackupError> {
    let found = connection.query_row("SELECT what, version FROM backup.meta", [], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
    });
    match found {
        Ok((what, 1..=VERSION)) if what == WHAT => Ok(()),
        Ok((what, version)) if what == WHAT && version > VERSION => Err(BackupError::Newer),
        _ => Err(BackupError::NotOpened),
    }
}

/// Takes everything out of the attached file that is not here yet.
pub(super) fn take_all(tx: Transaction<'_>) -> Result<Counts, StoreError> {
    let copy = |statement: &str| -> Result<u64, StoreError> {
        Ok(u64::try_from(tx.execute(statement, [])?).unwrap_or(u64::MAX))
    };
    let networks = copy(
        "INSERT OR IGNORE INTO main.network (id, genesis, held, start_height, start_id)
         SELECT id, genesis, held, start_height, start_id FROM backup.network",
    )?;
    copy(
        "INSERT OR IGNORE INTO main.node (network, id, address, source) SELECT network, id, address, source FROM backup.node",
    )?;
    let contacts = copy(
        "INSERT OR IGNORE INTO main.contact (account, claimed, petname, met, asks, compared, blocked, report)
         SELECT account, claimed, petname, met, asks, compared, blocked, report FROM backup.contact
         WHERE account NOT IN (SELECT id FROM main.account)",
    )?;
    // Who made the first version kept no account of it: what was backed up then counts as read.
    let version: i64 = tx.query_row("SELECT version FROM backup.meta", [], |row| row.get(0))?;
    let mut counts = Counts {
        networks,
        contacts,
        ..Counts::default()
    };
    let known = "(SELECT log FROM main.channel UNION SELECT log FROM main.past_log)";
    let new: Vec<i64> = tx
        .prepare(&format!(
            "SELECT id FROM backup.channel WHERE log NOT IN {known} ORDER BY id"
        ))?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for old in new {
        counts.messages += take_channel(&tx, old, version)?;
        counts.channels += 1;
    }
    let all: u64 = tx.query_row("SELECT count(*) FROM backup.message", [], |row| row.get(0))?;
    counts.left_out = all.saturating_sub(counts.messages);
    tx.commit()?;
    Ok(counts)
}

fn take_channel(tx: &Transaction<'_>, old: i64, version: i64) -> Result<u64, StoreError> {
    let (keeps_unread, keeps_told) = (version > 1, version > 2);
    tx.execute(
        &format!(
            "INSERT INTO main.channel (id, kind, network, log, secret, name, created, engine, base, last_height, frontier, live)
             SELECT {NEXT_CHANNEL}, ?2, network, log, zeroblob(32), name, created, zeroblob(0), base, last_height, frontier, 0
             FROM backup.channel WHERE id = ?1"
        ),
        (old, ChannelKind::Archive.number()),
    )?;
    let channel = tx.last_insert_rowid();
    tx.execute(
        "INSERT OR IGNORE INTO main.past_log (log, channel, base, length)
         SELECT log, ?2, base, length FROM backup.past_log WHERE channel = ?1",
        (old, channel),
    )?;
    let messages: Vec<i64> = tx
        .prepare("SELECT id FROM backup.message WHERE channel = ?1 ORDER BY log_index")?
        .query_map([old], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    if keeps_unread {
        tx.execute(
            "INSERT INTO main.manner (channel, receipts, seen, timer, timer_at)
             SELECT ?2, receipts, seen, timer, timer_at FROM backup.manner WHERE channel = ?1",
            (old, channel),
        )?;
    }
    for message in &messages {
        let taken = take_message(tx, *message, channel)?;
        if keeps_told {
            tx.execute(
                "INSERT INTO main.told (message, channel, teller, account, ordered, edited, place, differs)
                 SELECT ?2, ?3, teller, account, ordered, edited, place, differs FROM backup.told WHERE message = ?1",
                (message, taken.0, channel),
            )?;
        }
        if !keeps_unread || !is_unread(tx, *message)? {
            tx.execute("DELETE FROM main.unread WHERE message = ?1", [taken.0])?;
        }
    }
    Ok(u64::try_from(messages.len()).unwrap_or(u64::MAX))
}

/// Whether nobody had read it when the backup was made.
fn is_unread(tx: &Transaction<'_>, old: i64) -> Result<bool, StoreError> {
    let mut statement = tx.prepare_cached("SELECT EXISTS (SELECT 1 FROM backup.unread WHERE message = ?1)")?;
    Ok(statement.query_row([old], |row| row.get(0))?)
}

fn take_message(tx: &Transaction<'_>, old: i64, channel: i64) -> Result<MessageId, StoreError> {
    let changed = next_change(tx)?;
    tx.prepare_cached(&format!(
        "INSERT INTO main.message (id, channel, log_index, state, own, body, device, account, counter, content_id, kind, target,
            content, event, entry, signed, height, time, in_block, root, view, reason, queued, changed)
         SELECT {NEXT_MESSAGE}, ?2, log_index, ?3, own, body, device, account, counter, content_id, kind, target, content,
            event, entry, signed, height, time, in_block, root, view, reason, queued, ?4 FROM backup.message WHERE id = ?1"
    ))?
    .execute(params![old, channel, State::Final.number(), changed])?;
    let message = MessageId(tx.last_insert_rowid());
    tx.prepare_cached(
        "INSERT INTO main.receipt (message, bytes) SELECT ?2, bytes FROM backup.receipt WHERE message = ?1",
    )?
    .execute((old, message.0))?;
    aftermath::follow(tx, message)?;
    Ok(message)
}

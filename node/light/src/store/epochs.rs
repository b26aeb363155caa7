//! The logs that a conversation has had: one for each epoch of its group.
//!
//! The present one stands in the conversation's row. When a commit closes the epoch, what was read of its log goes here, and
//! the next log starts empty. Entries are numbered through all of them, so that a conversation reads as one.

use rusqlite::{Connection, OptionalExtension};
use waxwing_core::codec::Encode;
use waxwing_core::keys::LogId;
use waxwing_core::log::LogState;
use waxwing_core::merkle::Frontier;
use waxwing_seal::EpochKeys;

use super::channels::Channel;
use super::{StoreError, hash};
use crate::message::ChannelId;

/// Since version 5.
pub(super) const TABLES: &str = "
ALTER TABLE channel ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channel ADD COLUMN base INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channel ADD COLUMN live INTEGER NOT NULL DEFAULT 1;
ALTER TABLE message ADD COLUMN account BLOB;
ALTER TABLE message ADD COLUMN event TEXT;
ALTER TABLE outbox ADD COLUMN inside BLOB;

-- Logs of epochs that are over, and where in the conversation they begin.
CREATE TABLE past_log (
    log     BLOB PRIMARY KEY,
    channel INTEGER NOT NULL REFERENCES channel,
    base    INTEGER NOT NULL,
    length  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Changes of a group that this device wants, and the commit on its way that is to make them.
CREATE TABLE wanted (
    id         INTEGER PRIMARY KEY,
    channel    INTEGER NOT NULL REFERENCES channel,
    change     BLOB NOT NULL,
    not_before INTEGER NOT NULL,
    message    INTEGER REFERENCES message
) STRICT;

-- What newcomers need, once the commit that adds them is final.
CREATE TABLE welcome (
    message INTEGER PRIMARY KEY REFERENCES message,
    welcome BLOB NOT NULL,
    tree    BLOB NOT NULL
) STRICT;
";

/// A place in one of a conversation's logs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LogPlace {
    pub(crate) log: LogId,
    pub(crate) index: u64,
}

/// How many entries of a conversation's logs were recomputed here.
pub(crate) fn checked(connection: &Connection, channel: &Channel) -> Result<u64, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT coalesce(sum(length), 0) FROM past_log WHERE channel = ?1")?;
    let past: u64 = statement.query_row([channel.id.0], |row| row.get(0))?;
    Ok(past.saturating_add(channel.state.length()))
}

/// Where in which log an entry of a conversation stands, by its number.
pub(crate) fn place(connection: &Connection, channel: &Channel, number: u64) -> Result<Option<LogPlace>, StoreError> {
    if let Some(index) = number.checked_sub(channel.base) {
        return Ok(Some(LogPlace {
            log: channel.log(),
            index,
        }));
    }
    let mut statement = connection
        .prepare_cached("SELECT log, base FROM past_log WHERE channel = ?1 AND base <= ?2 AND ?2 < base + length")?;
    let found: Option<(Vec<u8>, u64)> = statement
        .query_row((channel.id.0, number), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    found
        .map(|(log, base)| {
            Ok(LogPlace {
                log: LogId(hash(&log)?.0),
                index: number.saturating_sub(base),
            })
        })
        .transpose()
}

/// The epoch is over: its log ends as it was read, and the next one begins. Without keys there is no next one for this
/// device, and nothing is followed any more.
pub(crate) fn close(
    connection: &Connection,
    channel: &Channel,
    end: &LogState,
    next: Option<&EpochKeys>,
) -> Result<(), StoreError> {
    let Some(next) = next else {
        connection.execute(
            "UPDATE channel SET last_height = ?2, frontier = ?3, secret = zeroblob(32), live = 0 WHERE id = ?1",
            (channel.id.0, end.last_height, end.frontier.to_bytes()),
        )?;
        return Ok(());
    };
    connection.execute(
        "INSERT INTO past_log (log, channel, base, length) VALUES (?1, ?2, ?3, ?4)",
        (end.log.as_bytes(), channel.id.0, channel.base, end.length()),
    )?;
    begin(connection, channel.id, channel.base.saturating_add(end.length()), next)
}

/// A log takes the present one's place, with nothing read of it.
pub(crate) fn begin(
    connection: &Connection,
    channel: ChannelId,
    base: u64,
    keys: &EpochKeys,
) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE channel SET log = ?2, secret = ?3, base = ?4, last_height = 0, frontier = ?5, live = 1, proven_height = NULL,
            proven_head = NULL, proven_time = NULL, proven_length = NULL WHERE id = ?1",
        (
            channel.0,
            keys.log().as_bytes(),
            &keys.log_key().seed()[..],
            base,
            Frontier::empty().to_bytes(),
        ),
    )?;
    Ok(())
}

//! Messages that disappear: when each of them does, and the forgetting itself.
//!
//! An envelope says how long its body is to be kept, counted from the certified time of its block. Nodes drop the body then,
//! and here the words, the salt with which the author could still erase it, and what later edits put in their place leave
//! the file as well. What stays is that there was a message, whose device wrote it, and when.
//!
//! It binds honest members only: another program may keep what it has read.

use rusqlite::{Connection, OptionalExtension};

use super::messages::{BodyState, Message};
use super::{StoreError, aftermath};
use crate::message::MessageId;

pub(super) const TABLES: &str = "
-- Messages whose words are to be forgotten, and when: ms since 1970.
CREATE TABLE expiry (
    message INTEGER PRIMARY KEY REFERENCES message,
    at      INTEGER NOT NULL
) STRICT;
CREATE INDEX expiry_at ON expiry (at);
";

/// Follows up on a message that was stored: will it disappear?
pub(super) fn note(connection: &Connection, row: &Message) -> Result<(), StoreError> {
    let is_here = row.body == BodyState::Here && row.content.is_some();
    let (Some(signed), Some(place), true) = (&row.signed, &row.place, is_here) else {
        return Ok(());
    };
    let Some(at) = signed.header.keep_for.expiry(place.time) else {
        return Ok(());
    };
    connection
        .prepare_cached("INSERT INTO expiry (message, at) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET at = excluded.at")?
        .execute((row.id.0, at))?;
    Ok(())
}

/// When the next message disappears.
pub(crate) fn next(connection: &Connection) -> Result<Option<u64>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT at FROM expiry ORDER BY at LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?)
}

/// Forgets what has had its time by `now`, at most `most` messages. Returns how many.
pub(crate) fn sweep(connection: &Connection, now: u64, most: u32) -> Result<u32, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT message FROM expiry WHERE at <= ?1 ORDER BY at, message LIMIT ?2")?;
    let due = statement.query_map((now, most), |row| row.get(0).map(MessageId))?;
    let due = due.collect::<Result<Vec<_>, _>>()?;
    for message in &due {
        aftermath::expire(connection, *message)?;
        connection
            .prepare_cached("DELETE FROM expiry WHERE message = ?1")?
            .execute([message.0])?;
    }
    Ok(u32::try_from(due.len()).unwrap_or(u32::MAX))
}

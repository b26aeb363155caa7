//! Files on their way out, and where received ones were saved.
//!
//! An upload's row is written before the first of its chunks leaves this device, and it holds the id of every chunk. So an
//! upload that was killed goes on with the same chunks, and nothing else is ever shown to anybody under its key.

use rusqlite::{Connection, OptionalExtension};
use waxwing_core::Hash;
use waxwing_seal::file::{FileKey, list_bytes, listed};

use super::{StoreError, hash, next_change};
use crate::files::Plan;
use crate::message::{ChannelId, MessageId};

/// Made in the version of the schema that knows files.
pub(super) const TABLES: &str = "
-- Files that are being sent: what their chunks will be, once and for all.
CREATE TABLE upload (
    channel INTEGER NOT NULL REFERENCES channel,
    path    BLOB NOT NULL,
    length  INTEGER NOT NULL,
    hash    BLOB NOT NULL,
    key     BLOB NOT NULL,
    ids     BLOB NOT NULL,
    begun   INTEGER NOT NULL,
    PRIMARY KEY (channel, path)
) STRICT, WITHOUT ROWID;

-- Where a message's file was last saved on this device.
CREATE TABLE saved (
    message INTEGER PRIMARY KEY REFERENCES message,
    path    TEXT NOT NULL,
    time    INTEGER NOT NULL
) STRICT;
";

/// An upload that was begun and not finished.
pub(crate) fn upload(connection: &Connection, channel: ChannelId, path: &[u8]) -> Result<Option<Plan>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT length, hash, key, ids FROM upload WHERE channel = ?1 AND path = ?2")?;
    let row = statement.query_row((channel.0, path), |row| {
        let (length, hash): (u64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let (key, ids): (Vec<u8>, Vec<u8>) = (row.get(2)?, row.get(3)?);
        Ok((length, hash, key, ids))
    });
    let Some((length, whole, key, ids)) = row.optional()? else {
        return Ok(None);
    };
    let key = zeroize::Zeroizing::new(key);
    Ok(Some(Plan {
        length,
        hash: hash(&whole)?,
        key: FileKey::from_bytes(hash(&key)?.0),
        ids: listed(&ids).ok_or(StoreError::Damaged)?,
    }))
}

/// Notes what will be sent, in place of an earlier attempt. From here on its chunks may be shown to nodes.
pub(crate) fn begin_upload(
    connection: &Connection,
    channel: ChannelId,
    path: &[u8],
    plan: &Plan,
    now: u64,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO upload (channel, path, length, hash, key, ids, begun) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    statement.execute((
        channel.0,
        path,
        plan.length,
        plan.hash.as_bytes(),
        plan.key.expose(),
        list_bytes(&plan.ids),
        now,
    ))?;
    Ok(())
}

/// Forgets an upload: it was sent, or the file is another one now. Says whether it was still there with these contents:
/// of two processes that send the same file, one says so in a message.
pub(crate) fn end_upload(
    connection: &Connection,
    channel: ChannelId,
    path: &[u8],
    whole: Hash,
) -> Result<bool, StoreError> {
    let mut statement =
        connection.prepare_cached("DELETE FROM upload WHERE channel = ?1 AND path = ?2 AND hash = ?3")?;
    Ok(statement.execute((channel.0, path, whole.as_bytes()))? > 0)
}

/// Forgets uploads that were begun so long ago that nodes have dropped what they were given.
pub(crate) fn drop_old_uploads(connection: &Connection, before: u64) -> Result<(), StoreError> {
    connection.execute("DELETE FROM upload WHERE begun < ?1", [before])?;
    Ok(())
}

/// Notes where a message's file is.
pub(crate) fn save(connection: &Connection, message: MessageId, path: &str, now: u64) -> Result<(), StoreError> {
    connection.execute(
        "INSERT OR REPLACE INTO saved (message, path, time) SELECT id, ?2, ?3 FROM message WHERE id = ?1",
        (message.0, path, now),
    )?;
    connection.execute(
        "UPDATE message SET changed = ?2 WHERE id = ?1",
        (message.0, next_change(connection)?),
    )?;
    Ok(())
}

/// Where a message's file was saved, and when.
pub(crate) fn saved(connection: &Connection, message: MessageId) -> Result<Option<(String, u64)>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT path, time FROM saved WHERE message = ?1")?;
    Ok(statement
        .query_row([message.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

//! Changes of groups that this device wants, until the ledger has them.
//!
//! What is kept is the wish, not the commit: a commit belongs to one epoch, and if another member's comes first it is nothing
//! any more. Then the wish is looked at again, and a new commit is made if it still makes sense.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::message::{ChannelId, MessageId};

/// One wish.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Want {
    /// A device comes in.
    Add {
        device: [u8; 32],
        key_package: Vec<u8>,
        /// The request that it asked with, to be answered with a welcome.
        request: Option<i64>,
        /// The account whose inbox the welcome goes to, of a device that did not ask.
        #[serde(default)]
        to: Option<[u8; 32]>,
        /// Whether it is taken out and in again if it is in already.
        #[serde(default)]
        afresh: bool,
    },
    /// A device goes.
    Remove { device: [u8; 32] },
    /// This device goes.
    Leave,
    /// The group has another name.
    Name(String),
    /// An account may remove, rename and appoint; or no more.
    Admin { account: [u8; 32], is_admin: bool },
    /// This device has new keys.
    Renew,
    /// Newcomers are told otherwise of the past: the number of the rule.
    History(u32),
}

impl core::fmt::Debug for Want {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Add { .. } => "Add",
            Self::Remove { .. } => "Remove",
            Self::Leave => "Leave",
            Self::Name(_) => "Name",
            Self::Admin { .. } => "Admin",
            Self::Renew => "Renew",
            Self::History(_) => "History",
        })
    }
}

/// A wish as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) id: i64,
    pub(crate) want: Want,
    /// The commit that is to make it true.
    pub(crate) message: Option<MessageId>,
}

fn encode(want: &Want) -> Result<Vec<u8>, StoreError> {
    let mut out = Vec::new();
    ciborium::into_writer(want, &mut out).map_err(|_| StoreError::Damaged)?;
    Ok(out)
}

/// Notes a wish that is to be made true from `not_before` on. The same wish twice is one.
pub(crate) fn insert(
    connection: &Connection,
    channel: ChannelId,
    want: &Want,
    not_before: u64,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO wanted (channel, change, not_before) SELECT ?1, ?2, ?3
         WHERE NOT EXISTS (SELECT 1 FROM wanted WHERE channel = ?1 AND change = ?2)",
        (channel.0, encode(want)?, not_before),
    )?;
    Ok(())
}

/// All wishes for a conversation, oldest first.
pub(crate) fn all(connection: &Connection, channel: ChannelId) -> Result<Vec<Wanted>, StoreError> {
    select(connection, channel, u64::MAX >> 1)
}

/// Those whose time has come.
pub(crate) fn due(connection: &Connection, channel: ChannelId, now: u64) -> Result<Vec<Wanted>, StoreError> {
    select(connection, channel, now)
}

fn select(connection: &Connection, channel: ChannelId, now: u64) -> Result<Vec<Wanted>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT id, change, message FROM wanted WHERE channel = ?1 AND not_before <= ?2 ORDER BY id")?;
    let mut rows = statement.query((channel.0, now))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let change: Vec<u8> = row.get(1)?;
        found.push(Wanted {
            id: row.get(0)?,
            want: ciborium::from_reader(change.as_slice()).map_err(|_| StoreError::Damaged)?,
            message: row.get::<_, Option<i64>>(2)?.map(MessageId),
        });
    }
    Ok(found)
}

/// How many wishes there are.
pub(crate) fn count(connection: &Connection) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached("SELECT count(*) FROM wanted")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// The conversations for which something is due and not on its way.
pub(crate) fn channels(connection: &Connection, now: u64) -> Result<Vec<ChannelId>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT channel FROM wanted WHERE not_before <= ?1 AND message IS NULL ORDER BY channel",
    )?;
    let rows = statement.query_map([now], |row| row.get(0).map(ChannelId))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A commit on its way is to make a wish true.
pub(crate) fn bind(connection: &Connection, id: i64, message: MessageId) -> Result<(), StoreError> {
    connection.execute("UPDATE wanted SET message = ?2 WHERE id = ?1", (id, message.0))?;
    Ok(())
}

/// The commit came too late: its wishes wait for the next one.
pub(crate) fn unbind(connection: &Connection, channel: ChannelId, not_before: u64) -> Result<(), StoreError> {
    connection.execute(
        "DELETE FROM welcome WHERE message IN (SELECT message FROM wanted WHERE channel = ?1)",
        [channel.0],
    )?;
    connection.execute(
        "UPDATE wanted SET message = NULL, not_before = max(not_before, ?2) WHERE channel = ?1 AND message IS NOT NULL",
        (channel.0, not_before),
    )?;
    Ok(())
}

/// A wish came true, or cannot.
pub(crate) fn remove(connection: &Connection, id: i64) -> Result<(), StoreError> {
    connection.execute("DELETE FROM wanted WHERE id = ?1", [id])?;
    Ok(())
}

/// Nothing is wanted of a group any more.
pub(crate) fn remove_all(connection: &Connection, channel: ChannelId) -> Result<(), StoreError> {
    connection.execute(
        "DELETE FROM welcome WHERE message IN (SELECT message FROM wanted WHERE channel = ?1)",
        [channel.0],
    )?;
    connection.execute("DELETE FROM wanted WHERE channel = ?1", [channel.0])?;
    Ok(())
}

/// Keeps what newcomers need until the commit that adds them is final.
pub(crate) fn keep_welcome(
    connection: &Connection,
    message: MessageId,
    welcome: &waxwing_seal::group::Welcome,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO welcome (message, welcome, tree) VALUES (?1, ?2, ?3)",
        (message.0, &welcome.message, &welcome.tree),
    )?;
    Ok(())
}

/// What was kept for those whom a commit added; it is handed out once.
pub(crate) fn take_welcome(
    connection: &Connection,
    message: MessageId,
) -> Result<Option<waxwing_seal::group::Welcome>, StoreError> {
    let mut statement = connection.prepare_cached("DELETE FROM welcome WHERE message = ?1 RETURNING welcome, tree")?;
    let mut rows = statement.query([message.0])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(waxwing_seal::group::Welcome {
        message: row.get(0)?,
        tree: row.get(1)?,
    }))
}

//! Forgetting a conversation: every row that is about it, in one transaction.
//!
//! Deleted pages are overwritten (`secure_delete`), and the index removes the words themselves. The numbers of what is
//! forgotten are kept from being given again.

use rusqlite::Connection;

use super::{StoreError, inboxes};
use crate::message::ChannelId;

/// Since version 4: the highest numbers of what was forgotten. New rows are numbered above them.
pub(super) const COLUMNS: &str = "
ALTER TABLE device ADD COLUMN channels_used INTEGER NOT NULL DEFAULT 0;
ALTER TABLE device ADD COLUMN messages_used INTEGER NOT NULL DEFAULT 0;
";

/// The number of the next message, inside of the statement that inserts it.
pub(super) const NEXT_MESSAGE: &str =
    "(SELECT max(messages_used, coalesce((SELECT max(id) FROM message), 0)) + 1 FROM device)";

/// The number of the next channel.
pub(super) const NEXT_CHANNEL: &str =
    "(SELECT max(channels_used, coalesce((SELECT max(id) FROM channel WHERE id < 4294967296), 0)) + 1 FROM device)";

/// The number of the next row that no list shows: people count their conversations, and nothing else.
pub(super) const NEXT_HIDDEN: &str = "(SELECT max(4294967295, coalesce(max(id), 0)) + 1 FROM channel)";

/// In an order in which nothing is referred to that is gone.
const STATEMENTS: [&str; 23] = [
    "UPDATE device SET channels_used = max(channels_used, ?1)",
    "UPDATE device SET messages_used = max(messages_used,
        coalesce((SELECT max(id) FROM message WHERE channel = ?1), 0))",
    "DELETE FROM search WHERE rowid IN (SELECT id FROM message WHERE channel = ?1)",
    "DELETE FROM reveal WHERE message IN (SELECT id FROM message WHERE channel = ?1)",
    "DELETE FROM receipt WHERE message IN (SELECT id FROM message WHERE channel = ?1)",
    "DELETE FROM submission WHERE message IN (SELECT id FROM message WHERE channel = ?1)",
    "DELETE FROM welcome WHERE message IN (SELECT id FROM message WHERE channel = ?1)",
    "DELETE FROM wanted WHERE channel = ?1",
    "DELETE FROM brought WHERE channel = ?1",
    "DELETE FROM saved WHERE message IN (SELECT id FROM message WHERE channel = ?1)",
    "DELETE FROM upload WHERE channel = ?1",
    "DELETE FROM told WHERE channel = ?1",
    "DELETE FROM past WHERE channel = ?1",
    "DELETE FROM to_tell WHERE channel = ?1",
    "DELETE FROM expiry WHERE message IN (SELECT id FROM message WHERE channel = ?1)",
    "DELETE FROM unread WHERE channel = ?1",
    "DELETE FROM gap WHERE channel = ?1",
    "DELETE FROM member WHERE channel = ?1",
    "DELETE FROM manner WHERE channel = ?1",
    "DELETE FROM outbox WHERE channel = ?1",
    "DELETE FROM message WHERE channel = ?1",
    "DELETE FROM past_log WHERE channel = ?1",
    "DELETE FROM channel WHERE id = ?1",
];

/// Removes a conversation and everything in it.
pub(crate) fn channel(connection: &Connection, channel: ChannelId) -> Result<(), StoreError> {
    inboxes::forget(connection, channel)?;
    for statement in STATEMENTS {
        connection.execute(statement, [channel.0])?;
    }
    Ok(())
}

//! What nobody has read on this device yet: one row for each message, gone once it was shown.
//!
//! Rows, and not a mark in the log: what was taken back, was erased or has expired is not unread any more, and whose body came
//! late is, wherever it stands. How far everything was read is the place of the first of them.

use rusqlite::Connection;
use waxwing_seal::content::{Meant, Mention};
use waxwing_seal::identity::AccountId;
use waxwing_seal::{DeviceId, Kind};

use super::messages::{BodyState, Message};
use super::{StoreError, account};
use crate::message::{ChannelId, MessageId};

pub(super) const TABLES: &str = "
-- Messages of others that were not shown yet; `mentioned` those that mean this device or its account.
CREATE TABLE unread (
    message   INTEGER PRIMARY KEY REFERENCES message,
    channel   INTEGER NOT NULL REFERENCES channel,
    mentioned INTEGER NOT NULL
) STRICT;
CREATE INDEX unread_of ON unread (channel);
";

/// What is not read yet in a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Unread {
    /// Messages.
    pub(crate) messages: u64,
    /// Of them, those that mean this device.
    pub(crate) mentioned: u64,
    /// The number of the first.
    pub(crate) first: Option<u64>,
}

/// Follows up on a message that was stored or changed: is it one to be read?
pub(super) fn heard(connection: &Connection, row: &Message) -> Result<(), StoreError> {
    if row.log_index.is_none() || row.is_own {
        return Ok(());
    }
    let Some(words) = words_of(row) else { return Ok(()) };
    // Nobody waits for what a blocked person says.
    if crate::doubt::is_of_blocked(connection, row)? {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO unread (message, channel, mentioned) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET mentioned = excluded.mentioned",
        )?
        .execute((row.id.0, row.channel.0, means_me(connection, words)?))?;
    Ok(())
}

/// Whom a message that is one to be read means; `None` for every other one.
fn words_of(row: &Message) -> Option<&[Mention]> {
    let content = row.content.as_ref().filter(|_| row.body == BodyState::Here)?;
    match &content.kind {
        Kind::Text(words) | Kind::Reply { body: words, .. } => Some(words.mentions()),
        Kind::Attachment(manifest) => Some(manifest.words.mentions()),
        Kind::Unknown(_) => Some(&[]),
        Kind::Reaction { .. }
        | Kind::Edit { .. }
        | Kind::Retraction { .. }
        | Kind::Receipt(_)
        | Kind::Timer { .. }
        | Kind::History(_) => None,
    }
}

fn means_me(connection: &Connection, mentions: &[Mention]) -> Result<bool, StoreError> {
    if mentions.is_empty() {
        return Ok(false);
    }
    let me = Me::of(connection)?;
    Ok(mentions.iter().any(|mention| me.is(mention.who)))
}

/// This device and its account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Me {
    device: DeviceId,
    account: AccountId,
}

impl Me {
    pub(crate) fn of(connection: &Connection) -> Result<Self, StoreError> {
        let (device, _) = super::device(connection)?;
        Ok(Self {
            device: device.id(),
            account: account::load(connection)?.id,
        })
    }

    /// Whether somebody who is meant is this device or its person.
    pub(crate) fn is(&self, who: Meant) -> bool {
        match who {
            Meant::Device(device) => device == self.device,
            Meant::Account(account) => account == self.account,
        }
    }
}

/// Somebody was blocked: what they said waits for nobody.
pub(crate) fn gone_of(connection: &Connection, account: AccountId) -> Result<(), StoreError> {
    connection.execute(
        "DELETE FROM unread WHERE message IN (SELECT id FROM message WHERE account = ?1)",
        [account.as_bytes()],
    )?;
    Ok(())
}

/// There is nothing left of a message that could be read.
pub(super) fn gone(connection: &Connection, message: MessageId) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM unread WHERE message = ?1")?
        .execute([message.0])?;
    Ok(())
}

/// Everything up to a message was shown. Returns how many were not read before.
pub(crate) fn clear(connection: &Connection, channel: ChannelId, up_to: MessageId) -> Result<u64, StoreError> {
    // Messages of others are numbered in the order of the log, but for bodies that came late.
    let cleared = connection
        .prepare_cached("DELETE FROM unread WHERE channel = ?1 AND message <= ?2")?
        .execute((channel.0, up_to.0))?;
    Ok(u64::try_from(cleared).unwrap_or(u64::MAX))
}

/// What is not read yet in a conversation: asked whenever a list of conversations is shown.
pub(crate) fn count(connection: &Connection, channel: ChannelId) -> Result<Unread, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*), coalesce(sum(unread.mentioned), 0), min(message.log_index)
         FROM unread JOIN message ON message.id = unread.message WHERE unread.channel = ?1",
    )?;
    Ok(statement.query_row([channel.0], |row| {
        Ok(Unread {
            messages: row.get(0)?,
            mentioned: row.get(1)?,
            first: row.get(2)?,
        })
    })?)
}

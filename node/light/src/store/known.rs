//! Between people who know each other: the inbox that each has for the other, and which of this person's own devices were
//! brought into which groups.

use rusqlite::{Connection, OptionalExtension};
use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Encode};
use waxwing_seal::DeviceId;
use waxwing_seal::identity::AccountId;
use waxwing_seal::inbox::Recipient;

use super::{StoreError, hash};
use crate::message::ChannelId;

pub(super) const TABLES: &str = "
-- Inboxes of this device, each made for one other account to write to.
CREATE TABLE contact_inbox (
    channel INTEGER PRIMARY KEY REFERENCES channel,
    account BLOB NOT NULL,
    network BLOB NOT NULL REFERENCES network
) STRICT;

-- Where this device writes to a person: the inbox that they handed over last.
CREATE TABLE contact_door (
    account   BLOB NOT NULL,
    network   BLOB NOT NULL REFERENCES network,
    recipient BLOB NOT NULL,
    PRIMARY KEY (account, network)
) STRICT, WITHOUT ROWID;

-- The inbox of the account's own devices, for each card that this device may write on.
CREATE TABLE own_inbox (
    channel INTEGER PRIMARY KEY REFERENCES channel,
    card    INTEGER NOT NULL UNIQUE REFERENCES card
) STRICT;

-- Own devices that are, or were, in a group: each is brought in once, so that one that leaves stays out.
CREATE TABLE brought (
    channel INTEGER NOT NULL REFERENCES channel,
    device  BLOB NOT NULL,
    PRIMARY KEY (channel, device)
) STRICT, WITHOUT ROWID;

-- Key packages that were handed out in requests: when their secrets are to go.
CREATE TABLE spent_key (
    inbox   INTEGER PRIMARY KEY REFERENCES channel,
    network BLOB NOT NULL REFERENCES network,
    made    INTEGER NOT NULL,
    gone    INTEGER NOT NULL,
    bytes   BLOB NOT NULL
) STRICT;

-- Since this version welcomes of people who are known wait among the requests (kind 1), and key packages know of their use.
ALTER TABLE request ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request ADD COLUMN device BLOB;
ALTER TABLE request ADD COLUMN called TEXT;
ALTER TABLE request ADD COLUMN members INTEGER;
ALTER TABLE offered ADD COLUMN used INTEGER;
";

/// This inbox is one that an account writes to.
pub(crate) fn insert_inbox(
    connection: &Connection,
    channel: ChannelId,
    (account, network): (AccountId, Hash),
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT OR IGNORE INTO contact_inbox (channel, account, network) VALUES (?1, ?2, ?3)",
        (channel.0, account.as_bytes(), network.as_bytes()),
    )?;
    Ok(())
}

/// Who writes to an inbox.
pub(crate) fn writer(connection: &Connection, channel: ChannelId) -> Result<Option<AccountId>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT account FROM contact_inbox WHERE channel = ?1")?;
    let account: Option<Vec<u8>> = statement.query_row([channel.0], |row| row.get(0)).optional()?;
    account.map(|account| Ok(AccountId(hash(&account)?.0))).transpose()
}

/// The inboxes that are followed for an account on a ledger, oldest first.
pub(crate) fn inboxes_of(
    connection: &Connection,
    account: AccountId,
    network: Hash,
) -> Result<Vec<ChannelId>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT contact_inbox.channel FROM contact_inbox JOIN channel ON channel.id = contact_inbox.channel
         WHERE account = ?1 AND contact_inbox.network = ?2 AND live ORDER BY contact_inbox.channel",
    )?;
    let rows = statement.query_map((account.as_bytes(), network.as_bytes()), |row| {
        row.get(0).map(ChannelId)
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many of them are followed in all.
pub(crate) fn inboxes_followed(connection: &Connection) -> Result<u32, StoreError> {
    let sql = "SELECT count(*) FROM contact_inbox JOIN channel ON channel.id = contact_inbox.channel WHERE live";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

/// Where a person is written to from now on.
pub(crate) fn set_door(connection: &Connection, network: Hash, to: &Recipient) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO contact_door (account, network, recipient) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET recipient = excluded.recipient",
        (to.account().as_bytes(), network.as_bytes(), to.to_bytes()),
    )?;
    Ok(())
}

/// Where a person is written to.
pub(crate) fn door(
    connection: &Connection,
    account: AccountId,
    network: Hash,
) -> Result<Option<Recipient>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT recipient FROM contact_door WHERE account = ?1 AND network = ?2")?;
    let whose = (account.as_bytes(), network.as_bytes());
    let bytes: Option<Vec<u8>> = statement.query_row(whose, |row| row.get(0)).optional()?;
    Ok(bytes.map(|bytes| Recipient::from_bytes(&bytes)).transpose()?)
}

/// The inbox of the devices that have a card's seed.
pub(crate) fn insert_own_inbox(connection: &Connection, channel: ChannelId, card: ChannelId) -> Result<(), StoreError> {
    connection.execute(
        "INSERT OR IGNORE INTO own_inbox (channel, card) VALUES (?1, ?2)",
        (channel.0, card.0),
    )?;
    Ok(())
}

/// The inbox that goes with a card, if it is a row already.
pub(crate) fn own_inbox(connection: &Connection, card: ChannelId) -> Result<Option<ChannelId>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT channel FROM own_inbox WHERE card = ?1")?;
    Ok(statement
        .query_row([card.0], |row| row.get(0).map(ChannelId))
        .optional()?)
}

/// Whether an inbox is one of the account's own devices.
pub(crate) fn is_own_inbox(connection: &Connection, channel: ChannelId) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM own_inbox WHERE channel = ?1)")?;
    Ok(statement.query_row([channel.0], |row| row.get(0))?)
}

/// Notes that an own device is or was in a group, or is on its way there; says whether that is new.
pub(crate) fn bring(connection: &Connection, channel: ChannelId, device: DeviceId) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached("INSERT OR IGNORE INTO brought (channel, device) VALUES (?1, ?2)")?;
    Ok(statement.execute((channel.0, device.0))? > 0)
}

/// Whether an own device was in a group once.
pub(crate) fn is_brought(connection: &Connection, channel: ChannelId, device: DeviceId) -> Result<bool, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM brought WHERE channel = ?1 AND device = ?2)")?;
    Ok(statement.query_row((channel.0, device.0), |row| row.get(0))?)
}

/// A key package that was handed out in a request.
pub(crate) struct Spent {
    /// Where the answer comes to.
    pub(crate) inbox: ChannelId,
    pub(crate) network: Hash,
    /// When it was made.
    pub(crate) made: u64,
    pub(crate) bytes: Vec<u8>,
}

/// Notes a key package whose secrets are not needed after a while.
pub(crate) fn insert_spent(connection: &Connection, spent: &Spent, gone: u64) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO spent_key (inbox, network, made, gone, bytes) VALUES (?1, ?2, ?3, ?4, ?5)",
        (spent.inbox.0, spent.network.as_bytes(), spent.made, gone, &spent.bytes),
    )?;
    Ok(())
}

/// The request behind which it was handed out is answered, or never will be.
pub(crate) fn spend(connection: &Connection, inbox: ChannelId, gone: u64) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE spent_key SET gone = min(gone, ?2) WHERE inbox = ?1",
        (inbox.0, gone),
    )?;
    Ok(())
}

/// Those whose secrets are to go now.
pub(crate) fn spent(connection: &Connection, now: u64) -> Result<Vec<Spent>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT inbox, network, made, bytes FROM spent_key WHERE gone <= ?1 ORDER BY inbox")?;
    let mut rows = statement.query([now])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(Spent {
            inbox: ChannelId(row.get(0)?),
            network: hash(&row.get::<_, Vec<u8>>(1)?)?,
            made: row.get(2)?,
            bytes: row.get(3)?,
        });
    }
    Ok(found)
}

/// Their secrets went, in the same transaction.
pub(crate) fn forget_spent(connection: &Connection, inbox: ChannelId) -> Result<(), StoreError> {
    connection.execute("DELETE FROM spent_key WHERE inbox = ?1", [inbox.0])?;
    Ok(())
}

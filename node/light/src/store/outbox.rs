//! What is on its way: sealed bodies, their signed envelopes, and what nodes said to them.
//!
//! A body is sealed once, in the transaction that stores it. An envelope over it is signed and stored before anybody
//! else sees it, and replaced only by [`sign`] with the entry id that it replaces: of two processes that want to sign
//! again, one does.

use rusqlite::{Connection, OptionalExtension, Row};
use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::{ErasureSecret, KeepFor, SignedHeader};
use waxwing_core::keys::{LogId, NodeId};
use waxwing_core::limits::ANCHOR_VALID_MS;
use waxwing_core::receipt::Acknowledgement;
use waxwing_seal::Sealed;

use super::messages::{self, State};
use super::{StoreError, hash};
use crate::message::{ChannelId, MessageId};

/// An envelope that was signed over a body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Signing {
    pub(crate) signed: SignedHeader,
    pub(crate) entry: Hash,
    /// Time of the anchor's block.
    pub(crate) anchor_time: u64,
}

/// One message that is not final.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) message: MessageId,
    pub(crate) channel: ChannelId,
    pub(crate) sealed: Sealed,
    pub(crate) signing: Option<Signing>,
    /// How often it was signed.
    pub(crate) signings: u32,
}

/// Stores a sealed body for a message row of the same transaction.
pub(crate) fn insert(
    connection: &Connection,
    message: MessageId,
    channel: ChannelId,
    sealed: &Sealed,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO outbox (message, channel, body, body_hash, erasure, keep_for) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    statement.execute((
        message.0,
        channel.0,
        &sealed.body,
        sealed.body_hash.as_bytes(),
        sealed.erasure.as_bytes(),
        sealed.keep_for.days(),
    ))?;
    Ok(())
}

/// Stores the body of a message that a group has sealed, with the name by which it will know it again, and its envelope if it
/// could be signed at once.
pub(crate) fn insert_of_group(
    connection: &Connection,
    (message, channel): (MessageId, ChannelId),
    sealed: &Sealed,
    inside: Hash,
    signing: Option<&Signing>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO outbox (message, channel, body, body_hash, erasure, keep_for, inside, signed, entry, anchor_height,
            anchor_time, signings) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    statement.execute((
        message.0,
        channel.0,
        &sealed.body,
        sealed.body_hash.as_bytes(),
        sealed.erasure.as_bytes(),
        sealed.keep_for.days(),
        inside.as_bytes(),
        signing.map(|signing| signing.signed.to_bytes()),
        signing.map(|signing| signing.entry.0),
        signing.map(|signing| signing.signed.header.anchor.height),
        signing.map(|signing| signing.anchor_time),
        signing.is_some(),
    ))?;
    Ok(())
}

const SELECT: &str = "
    SELECT outbox.message, outbox.channel, outbox.signings, channel.log, outbox.body, outbox.body_hash, outbox.erasure,
           outbox.keep_for, outbox.signed, outbox.entry, outbox.anchor_time
    FROM outbox JOIN channel ON channel.id = outbox.channel";

fn read(row: &Row<'_>) -> Result<Item, StoreError> {
    let signing = match row.get::<_, Option<Vec<u8>>>(8)? {
        None => None,
        Some(signed) => Some(Signing {
            signed: SignedHeader::from_bytes(&signed)?,
            entry: hash(&row.get::<_, Vec<u8>>(9)?)?,
            anchor_time: row.get(10)?,
        }),
    };
    Ok(Item {
        message: MessageId(row.get(0)?),
        channel: ChannelId(row.get(1)?),
        sealed: Sealed {
            log: LogId(hash(&row.get::<_, Vec<u8>>(3)?)?.0),
            body: row.get(4)?,
            body_hash: hash(&row.get::<_, Vec<u8>>(5)?)?,
            erasure: hash(&row.get::<_, Vec<u8>>(6)?)?,
            keep_for: KeepFor::try_from(row.get::<_, u32>(7)?)?,
        },
        signing,
        signings: row.get(2)?,
    })
}

/// Everything of a conversation that is not final, in the order in which it was said.
pub(crate) fn of_channel(connection: &Connection, channel: ChannelId) -> Result<Vec<MessageId>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT message FROM outbox WHERE channel = ?1 ORDER BY message")?;
    let rows = statement.query_map([channel.0], |row| row.get(0).map(MessageId))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes by which name a group will know a body again that it sealed.
pub(crate) fn set_inside(connection: &Connection, message: MessageId, inside: Hash) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE outbox SET inside = ?2 WHERE message = ?1")?
        .execute((message.0, inside.as_bytes()))?;
    Ok(())
}

/// The message that a group sealed under this name.
pub(crate) fn with_inside(
    connection: &Connection,
    channel: ChannelId,
    inside: Hash,
) -> Result<Option<MessageId>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT message FROM outbox WHERE channel = ?1 AND inside = ?2")?;
    Ok(statement
        .query_row((channel.0, inside.as_bytes()), |row| row.get(0).map(MessageId))
        .optional()?)
}

/// At most `most` messages of one ledger that are not final, oldest first, after the one with id `after`.
pub(crate) fn items(
    connection: &Connection,
    network: Hash,
    after: MessageId,
    most: u32,
) -> Result<Vec<Item>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT} WHERE channel.network = ?1 AND outbox.message > ?2 ORDER BY outbox.message LIMIT ?3"
    ))?;
    let mut rows = statement.query((network.as_bytes(), after.0, most))?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        items.push(read(row)?);
    }
    Ok(items)
}

/// One message, if it is not final.
pub(crate) fn load(connection: &Connection, message: MessageId) -> Result<Option<Item>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE outbox.message = ?1"))?;
    let mut rows = statement.query([message.0])?;
    rows.next()?.map(read).transpose()
}

/// The message on `channel` whose body has this hash, if it is not final: an entry that carries it needs no download.
pub(crate) fn with_body(
    connection: &Connection,
    channel: ChannelId,
    body_hash: Hash,
) -> Result<Option<Vec<u8>>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT body FROM outbox WHERE channel = ?1 AND body_hash = ?2")?;
    Ok(statement
        .query_row((channel.0, body_hash.as_bytes()), |row| row.get(0))
        .optional()?)
}

/// The message whose present envelope has this entry id.
pub(crate) fn signed_as(connection: &Connection, entry: Hash) -> Result<Option<MessageId>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT message FROM outbox WHERE entry = ?1")?;
    Ok(statement
        .query_row([entry.as_bytes()], |row| row.get(0).map(MessageId))
        .optional()?)
}

/// Whether the anchor of a message on its way is so old that a head at `time` may have ended it.
pub(crate) fn any_expired(connection: &Connection, network: Hash, time: u64) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM outbox JOIN channel ON channel.id = outbox.channel
            WHERE channel.network = ?1 AND outbox.anchor_time < ?2)",
    )?;
    let last = time.saturating_sub(ANCHOR_VALID_MS);
    Ok(statement.query_row((network.as_bytes(), last), |row| row.get(0))?)
}

/// All messages that are not final, on all ledgers.
pub(crate) fn ids(connection: &Connection) -> Result<Vec<MessageId>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT message FROM outbox ORDER BY message")?;
    let rows = statement.query_map([], |row| row.get(0).map(MessageId))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether a compare-and-set took effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stored {
    /// It did.
    Yes,
    /// Somebody else was first, or the message is final.
    No,
}

/// Stores a signed envelope in place of the one with entry id `replaces` (none for the first). From here on it may be
/// shown to nodes, and not before. Not over a body that another one has replaced meanwhile, for another epoch.
pub(crate) fn sign(
    connection: &Connection,
    message: MessageId,
    replaces: Option<Hash>,
    signing: &Signing,
) -> Result<Stored, StoreError> {
    let mut statement = connection.prepare_cached(
        "UPDATE outbox SET signed = ?3, entry = ?4, anchor_height = ?5, anchor_time = ?6, signings = signings + 1
         WHERE message = ?1 AND entry IS ?2 AND body_hash = ?7",
    )?;
    let changed = statement.execute((
        message.0,
        replaces.map(|entry| entry.0),
        signing.signed.to_bytes(),
        signing.entry.as_bytes(),
        signing.signed.header.anchor.height,
        signing.anchor_time,
        signing.signed.header.body_hash.as_bytes(),
    ))?;
    if changed == 0 {
        return Ok(Stored::No);
    }
    if replaces.is_some() {
        messages::set_state(connection, message, State::Queued, None)?;
    }
    Ok(Stored::Yes)
}

/// Notes a node's promise: the message is `sent`. Of one that was forgotten meanwhile nothing is noted.
pub(crate) fn acknowledged(
    connection: &Connection,
    message: MessageId,
    promise: &Acknowledgement,
    now: u64,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO submission (message, entry, node, time, acknowledgement)
            SELECT id, ?2, ?3, ?4, ?5 FROM message WHERE id = ?1
         ON CONFLICT DO UPDATE SET time = excluded.time, acknowledgement = excluded.acknowledgement, refusal = NULL",
    )?;
    statement.execute((
        message.0,
        promise.entry.as_bytes(),
        promise.node.as_bytes(),
        now,
        promise.to_bytes(),
    ))?;
    let item = load(connection, message)?;
    let is_current = item
        .and_then(|item| item.signing)
        .is_some_and(|signing| signing.entry == promise.entry);
    if is_current {
        messages::set_state(connection, message, State::Sent, None)?;
    }
    Ok(())
}

/// Notes that a node did not take the envelope.
pub(crate) fn refused(
    connection: &Connection,
    message: MessageId,
    entry: Hash,
    node: NodeId,
    reason: &str,
    now: u64,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO submission (message, entry, node, time, refusal)
            SELECT id, ?2, ?3, ?4, ?5 FROM message WHERE id = ?1
         ON CONFLICT DO UPDATE SET time = excluded.time, refusal = excluded.refusal",
    )?;
    statement.execute((message.0, entry.as_bytes(), node.as_bytes(), now, reason))?;
    Ok(())
}

/// What a node said to an envelope of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Submission {
    pub(crate) entry: Hash,
    pub(crate) node: NodeId,
    pub(crate) time: u64,
    pub(crate) acknowledgement: Option<Acknowledgement>,
    pub(crate) refusal: Option<String>,
}

/// Everything nodes said about a message, oldest first.
pub(crate) fn submissions(connection: &Connection, message: MessageId) -> Result<Vec<Submission>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT entry, node, time, acknowledgement, refusal FROM submission WHERE message = ?1 ORDER BY time, node",
    )?;
    let mut rows = statement.query([message.0])?;
    let mut submissions = Vec::new();
    while let Some(row) = rows.next()? {
        let acknowledgement = row.get::<_, Option<Vec<u8>>>(3)?;
        submissions.push(Submission {
            entry: hash(&row.get::<_, Vec<u8>>(0)?)?,
            node: NodeId(hash(&row.get::<_, Vec<u8>>(1)?)?.0),
            time: row.get(2)?,
            acknowledgement: acknowledgement
                .map(|bytes| Acknowledgement::from_bytes(&bytes))
                .transpose()?,
            refusal: row.get(4)?,
        });
    }
    Ok(submissions)
}

/// The message is final, or can never be: nothing is on its way any more.
pub(crate) fn remove(connection: &Connection, message: MessageId) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM outbox WHERE message = ?1")?
        .execute([message.0])?;
    Ok(())
}

/// An erasure that no node has confirmed yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reveal {
    pub(crate) message: MessageId,
    pub(crate) log: LogId,
    pub(crate) index: u64,
    pub(crate) secret: ErasureSecret,
}

/// Notes that a message's secret is to be revealed.
pub(crate) fn reveal(connection: &Connection, message: MessageId, secret: &ErasureSecret) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO reveal (message, secret) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        (message.0, &secret.0),
    )?;
    Ok(())
}

/// Erasures on one ledger that no node has confirmed.
pub(crate) fn reveals(connection: &Connection, network: Hash) -> Result<Vec<Reveal>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT reveal.message, coalesce(past_log.log, channel.log),
            message.log_index - coalesce(past_log.base, channel.base), reveal.secret
         FROM reveal JOIN message ON message.id = reveal.message JOIN channel ON channel.id = message.channel
            LEFT JOIN past_log ON past_log.channel = channel.id AND past_log.base <= message.log_index
                AND message.log_index < past_log.base + past_log.length
         WHERE reveal.done = 0 AND channel.network = ?1 ORDER BY reveal.message",
    )?;
    let mut rows = statement.query([network.as_bytes()])?;
    let mut reveals = Vec::new();
    while let Some(row) = rows.next()? {
        reveals.push(Reveal {
            message: MessageId(row.get(0)?),
            log: LogId(hash(&row.get::<_, Vec<u8>>(1)?)?.0),
            index: row.get(2)?,
            secret: ErasureSecret(hash(&row.get::<_, Vec<u8>>(3)?)?.0),
        });
    }
    Ok(reveals)
}

/// How many erasures of a channel no node has confirmed.
pub(crate) fn unconfirmed_reveals(connection: &Connection, channel: ChannelId) -> Result<u64, StoreError> {
    Ok(connection.query_row(
        "SELECT count(*) FROM reveal JOIN message ON message.id = reveal.message
         WHERE reveal.done = 0 AND message.channel = ?1",
        [channel.0],
        |row| row.get(0),
    )?)
}

/// A node confirmed an erasure.
pub(crate) fn revealed(connection: &Connection, message: MessageId) -> Result<(), StoreError> {
    connection.execute("UPDATE reveal SET done = 1 WHERE message = ?1", [message.0])?;
    Ok(())
}

/// Whether an erasure was asked for, and whether a node confirmed it.
pub(crate) fn is_revealed(connection: &Connection, message: MessageId) -> Result<Option<bool>, StoreError> {
    Ok(connection
        .query_row("SELECT done FROM reveal WHERE message = ?1", [message.0], |row| {
            row.get(0)
        })
        .optional()?)
}

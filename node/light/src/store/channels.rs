//! Conversations: the secret, the state of layer 3, and how far the log is checked.
//!
//! A conversation has one log at a time. A group's changes with its epoch: then the next one takes the place of the one
//! that ended ([`super::epochs`]), and the entries of both are numbered on. What else is a log of the ledger that this device
//! reads or writes (an inbox, a card) is a row here too, of another kind, and shown in no list.

use rusqlite::{Connection, Row};
use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::keys::{LogId, LogKey};
use waxwing_core::log::LogState;
use waxwing_core::merkle::Frontier;
use waxwing_seal::{ChannelSecret, StandIn};
use zeroize::Zeroizing;

use super::forget::{NEXT_CHANNEL, NEXT_HIDDEN};
use super::{StoreError, hash};
use crate::limits::CHANNELS_MAX;
use crate::message::ChannelId;

/// What a head was last shown to say about a log: the head, and how long the log is under it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Proven {
    /// Height of the head.
    pub(crate) height: u64,
    /// Its block id.
    pub(crate) head: Hash,
    /// Its time.
    pub(crate) time: u64,
    /// Entries that the log has under it.
    pub(crate) length: u64,
}

/// What stands behind a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ChannelKind {
    /// A conversation that everybody with its link is in.
    Link,
    /// A conversation of a group.
    Group,
    /// An inbox of this device.
    Inbox,
    /// Somebody else's inbox, to post to.
    Post,
    /// An account's card.
    Card,
    /// A conversation out of a backup: it can be read, and nothing can be said in it.
    Archive,
}

impl ChannelKind {
    pub(crate) const fn number(self) -> i64 {
        match self {
            Self::Link => 0,
            Self::Group => 1,
            Self::Inbox => 2,
            Self::Post => 3,
            Self::Card => 4,
            Self::Archive => 5,
        }
    }

    const fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Link),
            1 => Some(Self::Group),
            2 => Some(Self::Inbox),
            3 => Some(Self::Post),
            4 => Some(Self::Card),
            5 => Some(Self::Archive),
            _ => None,
        }
    }

    /// Whether people talk there.
    pub(crate) const fn is_conversation(self) -> bool {
        matches!(self, Self::Link | Self::Group | Self::Archive)
    }
}

/// A conversation as stored, without its layer 3 state.
#[derive(Clone)]
pub(crate) struct Channel {
    pub(crate) id: ChannelId,
    pub(crate) kind: ChannelKind,
    pub(crate) network: Hash,
    /// Of a link the channel's secret, else the seed of the log's key, or nothing of use where this device only reads.
    pub(crate) secret: ChannelSecret,
    pub(crate) name: String,
    pub(crate) created: u64,
    /// Entries of the logs before the present one: where its own are numbered from.
    pub(crate) base: u64,
    /// Whether the log is followed. No more, once this device is out of the group.
    pub(crate) is_live: bool,
    /// How far the log is checked and read.
    pub(crate) state: LogState,
    pub(crate) proven: Option<Proven>,
}

/// Neither its name nor its secret reach a log line.
impl core::fmt::Debug for Channel {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "Channel({}, {} entries of {})",
            self.id.0,
            self.state.length(),
            self.state.log
        )
    }
}

impl Channel {
    pub(crate) const fn log(&self) -> LogId {
        self.state.log
    }

    /// What signs envelopes for the log; none for a log that this device only reads.
    pub(crate) fn log_key(&self) -> Option<LogKey> {
        let key = match self.kind {
            ChannelKind::Link => self.secret.epoch_keys(self.network, 0).log_key().clone(),
            _ => LogKey::from_seed(self.secret.expose()),
        };
        (key.public() == self.log()).then_some(key)
    }

    /// The number of the log's next entry in the conversation.
    pub(crate) fn next_number(&self) -> u64 {
        self.base.saturating_add(self.state.length())
    }

    /// Whether everything that is proven to exist has been read.
    pub(crate) fn is_read(&self) -> bool {
        self.proven.is_some_and(|proven| proven.length == self.state.length())
    }
}

/// Why no channel was added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotAdded {
    /// It is here already.
    Known(ChannelId),
    /// There are too many.
    TooMany,
}

/// Adds a conversation at the start of its log.
pub(crate) fn insert(
    connection: &Connection,
    network: Hash,
    secret: &ChannelSecret,
    name: &str,
    now: u64,
) -> Result<Result<ChannelId, NotAdded>, StoreError> {
    let new = New {
        kind: ChannelKind::Link,
        network,
        log: secret.epoch_keys(network, 0).log(),
        secret,
        name,
        engine: &StandIn::new().to_bytes(),
    };
    insert_any(connection, &new, now)
}

/// A row to be added.
pub(crate) struct New<'a> {
    pub(crate) kind: ChannelKind,
    pub(crate) network: Hash,
    pub(crate) log: LogId,
    pub(crate) secret: &'a ChannelSecret,
    pub(crate) name: &'a str,
    pub(crate) engine: &'a [u8],
}

/// Adds a conversation, or what else has a log, at the start of its log.
pub(crate) fn insert_any(
    connection: &Connection,
    new: &New<'_>,
    now: u64,
) -> Result<Result<ChannelId, NotAdded>, StoreError> {
    if let Some(known) = find(connection, new.log)? {
        return Ok(Err(NotAdded::Known(known.id)));
    }
    let count: i64 = connection.query_row("SELECT count(*) FROM channel WHERE live", [], |row| row.get(0))?;
    if count >= i64::from(CHANNELS_MAX) {
        return Ok(Err(NotAdded::TooMany));
    }
    let number = if new.kind.is_conversation() {
        NEXT_CHANNEL
    } else {
        NEXT_HIDDEN
    };
    connection.execute(
        &format!(
            "INSERT INTO channel (id, kind, network, log, secret, name, created, engine, last_height, frontier)
             VALUES ({number}, ?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)"
        ),
        (
            new.kind.number(),
            new.network.as_bytes(),
            new.log.as_bytes(),
            new.secret.expose(),
            new.name,
            now,
            new.engine,
            Frontier::empty().to_bytes(),
        ),
    )?;
    Ok(Ok(ChannelId(connection.last_insert_rowid())))
}

const COLUMNS: &str = "id, network, log, secret, name, created, last_height, frontier, proven_height, proven_head, \
    proven_time, proven_length, kind, base, live";

fn read(row: &Row<'_>) -> Result<Channel, StoreError> {
    let secret = Zeroizing::new(row.get::<_, Vec<u8>>(3)?);
    let secret = secret.as_slice().try_into().map_err(|_| StoreError::Damaged)?;
    let proven = match row.get::<_, Option<u64>>(8)? {
        None => None,
        Some(height) => Some(Proven {
            height,
            head: hash(&row.get::<_, Vec<u8>>(9)?)?,
            time: row.get(10)?,
            length: row.get(11)?,
        }),
    };
    Ok(Channel {
        id: ChannelId(row.get(0)?),
        kind: ChannelKind::from_number(row.get(12)?).ok_or(StoreError::Damaged)?,
        network: hash(&row.get::<_, Vec<u8>>(1)?)?,
        secret: ChannelSecret::from_bytes(secret),
        name: row.get(4)?,
        created: row.get(5)?,
        base: row.get(13)?,
        is_live: row.get(14)?,
        state: LogState {
            log: LogId(hash(&row.get::<_, Vec<u8>>(2)?)?.0),
            last_height: row.get(6)?,
            frontier: Frontier::from_bytes(&row.get::<_, Vec<u8>>(7)?)?,
        },
        proven,
    })
}

fn select(connection: &Connection, rest: &str, value: impl rusqlite::Params) -> Result<Vec<Channel>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM channel {rest}"))?;
    let mut rows = statement.query(value)?;
    let mut channels = Vec::new();
    while let Some(row) = rows.next()? {
        channels.push(read(row)?);
    }
    Ok(channels)
}

/// All conversations, oldest first.
pub(crate) fn all(connection: &Connection) -> Result<Vec<Channel>, StoreError> {
    let mut channels = select(connection, "ORDER BY id", [])?;
    channels.retain(|channel| channel.kind.is_conversation());
    Ok(channels)
}

/// Everything that is followed on one ledger: conversations, inboxes, cards.
pub(crate) fn on(connection: &Connection, network: Hash) -> Result<Vec<Channel>, StoreError> {
    select(
        connection,
        "WHERE network = ?1 AND live ORDER BY id",
        [network.as_bytes()],
    )
}

/// One conversation.
pub(crate) fn load(connection: &Connection, id: ChannelId) -> Result<Option<Channel>, StoreError> {
    Ok(select(connection, "WHERE id = ?1", [id.0])?.pop())
}

/// The conversation with this log.
pub(crate) fn find(connection: &Connection, log: LogId) -> Result<Option<Channel>, StoreError> {
    Ok(select(connection, "WHERE log = ?1", [log.as_bytes()])?.pop())
}

/// Whether a log is followed.
pub(crate) fn set_live(connection: &Connection, id: ChannelId, is_live: bool) -> Result<(), StoreError> {
    connection.execute("UPDATE channel SET live = ?2 WHERE id = ?1", (id.0, is_live))?;
    Ok(())
}

/// Calls a conversation something else, on this device.
pub(crate) fn rename(connection: &Connection, id: ChannelId, name: &str) -> Result<(), StoreError> {
    connection.execute("UPDATE channel SET name = ?2 WHERE id = ?1", (id.0, name))?;
    Ok(())
}

/// The state of layer 3, encoded.
pub(crate) fn engine(connection: &Connection, id: ChannelId) -> Result<Vec<u8>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT engine FROM channel WHERE id = ?1")?;
    Ok(statement.query_row([id.0], |row| row.get(0))?)
}

/// Stores the state of layer 3, in the transaction of the rows that it goes with.
pub(crate) fn set_engine(connection: &Connection, id: ChannelId, engine: &[u8]) -> Result<(), StoreError> {
    let mut statement =
        connection.prepare_cached("UPDATE channel SET engine = ?2, written = written + 1 WHERE id = ?1")?;
    statement.execute((id.0, engine))?;
    Ok(())
}

/// This device may sign on a log that it only read so far.
pub(crate) fn set_secret(connection: &Connection, id: ChannelId, secret: &ChannelSecret) -> Result<(), StoreError> {
    connection.execute("UPDATE channel SET secret = ?2 WHERE id = ?1", (id.0, secret.expose()))?;
    Ok(())
}

/// Stores how far the log is checked and read.
pub(crate) fn set_state(connection: &Connection, id: ChannelId, state: &LogState) -> Result<(), StoreError> {
    let mut statement =
        connection.prepare_cached("UPDATE channel SET last_height = ?2, frontier = ?3 WHERE id = ?1")?;
    statement.execute((id.0, state.last_height, state.frontier.to_bytes()))?;
    Ok(())
}

/// Stores what a head says about the log; an older head changes nothing.
pub(crate) fn set_proven(connection: &Connection, id: ChannelId, proven: &Proven) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "UPDATE channel SET proven_height = ?2, proven_head = ?3, proven_time = ?4, proven_length = ?5
         WHERE id = ?1 AND (proven_height IS NULL OR proven_height <= ?2)",
    )?;
    statement.execute((id.0, proven.height, proven.head.as_bytes(), proven.time, proven.length))?;
    Ok(())
}

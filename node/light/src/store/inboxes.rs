//! Inboxes and who asked: invitations of this home, requests to it, and requests of its own.

use rusqlite::{Connection, OptionalExtension, Row};
use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Encode};
use waxwing_seal::identity::AccountId;
use waxwing_seal::inbox::Taken;
use zeroize::Zeroizing;

use super::channels::ChannelKind;
use super::{StoreError, hash};
use crate::message::ChannelId;

/// Since version 9.
pub(super) const TABLES: &str = "
-- Inboxes that invitations of this home lead to; `leads` is the group that whoever asks wants to be in, none to write to the
-- person.
CREATE TABLE inbox (
    channel INTEGER PRIMARY KEY REFERENCES channel,
    leads   INTEGER REFERENCES channel,
    consent INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT;

-- Who asked.
CREATE TABLE request (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    inbox   INTEGER NOT NULL REFERENCES channel,
    leads   INTEGER REFERENCES channel,
    taken   BLOB NOT NULL,
    account BLOB NOT NULL,
    time    INTEGER NOT NULL,
    state   INTEGER NOT NULL
) STRICT;

-- Where this device asked, by a link; `link` is forgotten when the request is made.
CREATE TABLE asked (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    network BLOB NOT NULL REFERENCES network,
    door    INTEGER NOT NULL REFERENCES channel,
    link    TEXT,
    note    TEXT NOT NULL,
    account BLOB NOT NULL,
    name    TEXT,
    answer  INTEGER REFERENCES channel,
    joined  INTEGER REFERENCES channel,
    time    INTEGER NOT NULL,
    state   INTEGER NOT NULL,
    reason  TEXT
) STRICT;
CREATE UNIQUE INDEX asked_door ON asked (door);
";

/// An inbox of an invitation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inbox {
    pub(crate) channel: ChannelId,
    /// The group that it leads to.
    pub(crate) leads: Option<ChannelId>,
    /// Whether whoever asks is let in without asking this person.
    pub(crate) is_open: bool,
    /// After this time of the ledger nothing is taken.
    pub(crate) expires: u64,
}

pub(crate) fn insert_inbox(connection: &Connection, inbox: &Inbox) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO inbox (channel, leads, consent, expires) VALUES (?1, ?2, ?3, ?4)",
        (
            inbox.channel.0,
            inbox.leads.map(|leads| leads.0),
            !inbox.is_open,
            inbox.expires,
        ),
    )?;
    Ok(())
}

fn read_inbox(row: &Row<'_>) -> rusqlite::Result<Inbox> {
    Ok(Inbox {
        channel: ChannelId(row.get(0)?),
        leads: row.get::<_, Option<i64>>(1)?.map(ChannelId),
        is_open: !row.get::<_, bool>(2)?,
        expires: row.get(3)?,
    })
}

/// The inbox in a row; none if the row is one for answers.
pub(crate) fn inbox(connection: &Connection, channel: ChannelId) -> Result<Option<Inbox>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT channel, leads, consent, expires FROM inbox WHERE channel = ?1")?;
    Ok(statement.query_row([channel.0], read_inbox).optional()?)
}

/// The invitations that lead to a conversation, or to the person, and are still followed.
pub(crate) fn invitations(connection: &Connection, leads: Option<ChannelId>) -> Result<Vec<Inbox>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT inbox.channel, leads, consent, expires FROM inbox JOIN channel ON channel.id = inbox.channel
         WHERE channel.live AND leads IS ?1 ORDER BY inbox.channel",
    )?;
    let rows = statement.query_map([leads.map(|leads| leads.0)], read_inbox)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What was put into inboxes and is not final: openings, requests and answers.
pub(crate) fn on_their_way(connection: &Connection) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*) FROM outbox JOIN channel ON channel.id = outbox.channel WHERE channel.kind NOT IN (?1, ?2)",
    )?;
    let conversations = (ChannelKind::Link.number(), ChannelKind::Group.number());
    Ok(statement.query_row(conversations, |row| row.get(0))?)
}

/// How far a request is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestState {
    /// This person has not said anything to it.
    Waiting,
    /// A change of the group is on its way.
    BeingLetIn,
    /// The welcome is on its way or there.
    LetIn,
    /// This person said no.
    Declined,
}

impl RequestState {
    const fn number(self) -> i64 {
        match self {
            Self::Waiting => 0,
            Self::BeingLetIn => 1,
            Self::LetIn => 2,
            Self::Declined => 3,
        }
    }

    const fn of(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Waiting),
            1 => Some(Self::BeingLetIn),
            2 => Some(Self::LetIn),
            3 => Some(Self::Declined),
            _ => None,
        }
    }
}

/// Somebody who asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) id: i64,
    pub(crate) inbox: ChannelId,
    pub(crate) leads: Option<ChannelId>,
    pub(crate) taken: Taken,
    pub(crate) time: u64,
    pub(crate) state: RequestState,
}

pub(crate) fn insert_request(
    connection: &Connection,
    inbox: &Inbox,
    taken: &Taken,
    time: u64,
) -> Result<i64, StoreError> {
    connection.execute(
        "INSERT INTO request (inbox, leads, taken, account, time, state) VALUES (?1, ?2, ?3, ?4, ?5, 0)",
        (
            inbox.channel.0,
            inbox.leads.map(|leads| leads.0),
            taken.to_bytes(),
            taken.request.certificate.account.as_bytes(),
            time,
        ),
    )?;
    Ok(connection.last_insert_rowid())
}

const REQUEST: &str = "SELECT id, inbox, leads, taken, time, state FROM request";

fn read_request(row: &Row<'_>) -> Result<Request, StoreError> {
    Ok(Request {
        id: row.get(0)?,
        inbox: ChannelId(row.get(1)?),
        leads: row.get::<_, Option<i64>>(2)?.map(ChannelId),
        taken: Taken::from_bytes(&row.get::<_, Vec<u8>>(3)?)?,
        time: row.get(4)?,
        state: RequestState::of(row.get(5)?).ok_or(StoreError::Damaged)?,
    })
}

/// One request.
pub(crate) fn request(connection: &Connection, id: i64) -> Result<Option<Request>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{REQUEST} WHERE id = ?1"))?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(read_request).transpose()
}

/// All requests, oldest first.
pub(crate) fn requests(connection: &Connection) -> Result<Vec<Request>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{REQUEST} ORDER BY id"))?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read_request(row)?);
    }
    Ok(found)
}

pub(crate) fn set_request(connection: &Connection, id: i64, state: RequestState) -> Result<(), StoreError> {
    connection.execute("UPDATE request SET state = ?2 WHERE id = ?1", (id, state.number()))?;
    Ok(())
}

/// The conversation that a request leads to, once there is one.
pub(crate) fn set_leads(connection: &Connection, id: i64, leads: ChannelId) -> Result<(), StoreError> {
    connection.execute("UPDATE request SET leads = ?2 WHERE id = ?1", (id, leads.0))?;
    Ok(())
}

/// How far a request of this device is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AskedState {
    /// The inbox was not read yet.
    Asking,
    /// It is on its way or there: the other has to be connected, or to say yes.
    Asked,
    /// This device is in.
    Joined,
    /// The other said no.
    Declined,
    /// It leads nowhere: the reason says why.
    Failed,
}

impl AskedState {
    const fn number(self) -> i64 {
        match self {
            Self::Asking => 0,
            Self::Asked => 1,
            Self::Joined => 2,
            Self::Declined => 3,
            Self::Failed => 4,
        }
    }

    const fn of(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Asking),
            1 => Some(Self::Asked),
            2 => Some(Self::Joined),
            3 => Some(Self::Declined),
            4 => Some(Self::Failed),
            _ => None,
        }
    }
}

/// Where this device asked.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) id: i64,
    pub(crate) network: Hash,
    pub(crate) link: Option<Zeroizing<String>>,
    pub(crate) note: String,
    pub(crate) account: AccountId,
    pub(crate) name: Option<String>,
    pub(crate) joined: Option<ChannelId>,
    pub(crate) time: u64,
    pub(crate) state: AskedState,
    pub(crate) reason: Option<String>,
}

pub(crate) fn insert_asked(
    connection: &Connection,
    (network, door, account): (Hash, ChannelId, AccountId),
    (link, note): (&str, &str),
    now: u64,
) -> Result<i64, StoreError> {
    connection.execute(
        "INSERT INTO asked (network, door, link, note, account, time, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)",
        (network.as_bytes(), door.0, link, note, account.as_bytes(), now),
    )?;
    Ok(connection.last_insert_rowid())
}

const ASKED: &str = "SELECT id, network, link, note, account, name, joined, time, state, reason FROM asked";

fn read_asked(row: &Row<'_>) -> Result<Asked, StoreError> {
    Ok(Asked {
        id: row.get(0)?,
        network: hash(&row.get::<_, Vec<u8>>(1)?)?,
        link: row.get::<_, Option<String>>(2)?.map(Zeroizing::new),
        note: row.get(3)?,
        account: AccountId(hash(&row.get::<_, Vec<u8>>(4)?)?.0),
        name: row.get(5)?,
        joined: row.get::<_, Option<i64>>(6)?.map(ChannelId),
        time: row.get(7)?,
        state: AskedState::of(row.get(8)?).ok_or(StoreError::Damaged)?,
        reason: row.get(9)?,
    })
}

fn one_asked(connection: &Connection, rest: &str, value: i64) -> Result<Option<Asked>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{ASKED} WHERE {rest} = ?1"))?;
    let mut rows = statement.query([value])?;
    rows.next()?.map(read_asked).transpose()
}

pub(crate) fn asked(connection: &Connection, id: i64) -> Result<Option<Asked>, StoreError> {
    one_asked(connection, "id", id)
}

/// What was asked at this door.
pub(crate) fn asked_at(connection: &Connection, door: ChannelId) -> Result<Option<Asked>, StoreError> {
    one_asked(connection, "door", door.0)
}

/// What is answered in this inbox.
pub(crate) fn answered_in(connection: &Connection, inbox: ChannelId) -> Result<Option<Asked>, StoreError> {
    one_asked(connection, "answer", inbox.0)
}

/// Everything this device asked, oldest first.
pub(crate) fn all_asked(connection: &Connection) -> Result<Vec<Asked>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{ASKED} ORDER BY id"))?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read_asked(row)?);
    }
    Ok(found)
}

/// The request is on its way; the answer will come to this inbox, and the link is not needed any more.
pub(crate) fn is_asked(connection: &Connection, id: i64, answer: ChannelId, name: &str) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE asked SET answer = ?2, name = ?3, state = ?4, link = NULL WHERE id = ?1",
        (id, answer.0, name, AskedState::Asked.number()),
    )?;
    Ok(())
}

pub(crate) fn is_joined(connection: &Connection, id: i64, channel: ChannelId) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE asked SET joined = ?2, state = ?3, reason = NULL WHERE id = ?1",
        (id, channel.0, AskedState::Joined.number()),
    )?;
    Ok(())
}

pub(crate) fn is_over(connection: &Connection, id: i64, state: AskedState, reason: &str) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE asked SET state = ?2, reason = ?3, link = NULL WHERE id = ?1",
        (id, state.number(), reason),
    )?;
    Ok(())
}

/// What leads to or from a conversation that is forgotten leads nowhere.
pub(super) fn forget(connection: &Connection, channel: ChannelId) -> Result<(), StoreError> {
    connection.execute("UPDATE asked SET joined = NULL WHERE joined = ?1", [channel.0])?;
    connection.execute("DELETE FROM request WHERE leads = ?1", [channel.0])?;
    connection.execute(
        "UPDATE channel SET live = 0 WHERE id IN (SELECT channel FROM inbox WHERE leads = ?1)",
        [channel.0],
    )?;
    connection.execute("DELETE FROM inbox WHERE leads = ?1", [channel.0])?;
    Ok(())
}

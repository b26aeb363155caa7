//! Inboxes and who asked: invitations of this home, requests to it, and requests of its own.

use rusqlite::{Connection, OptionalExtension, Row};
use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Encode};
use waxwing_seal::DeviceId;
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

/// All invitations that are still followed.
pub(crate) fn standing(connection: &Connection) -> Result<Vec<Inbox>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT inbox.channel, leads, consent, expires FROM inbox JOIN channel ON channel.id = inbox.channel
         WHERE channel.live ORDER BY inbox.channel",
    )?;
    let rows = statement.query_map([], read_inbox)?;
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
    /// It came to nothing: the device asked again, its keys are not good any more, or what it leads to is gone.
    Over,
}

impl RequestState {
    const fn number(self) -> i64 {
        match self {
            Self::Waiting => 0,
            Self::BeingLetIn => 1,
            Self::LetIn => 2,
            Self::Declined => 3,
            Self::Over => 4,
        }
    }

    const fn of(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Waiting),
            1 => Some(Self::BeingLetIn),
            2 => Some(Self::LetIn),
            3 => Some(Self::Declined),
            4 => Some(Self::Over),
            _ => None,
        }
    }
}

/// What somebody wants.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    /// To be let in.
    ComeIn(Box<Taken>),
    /// That this device comes in.
    Invite(Welcomed),
}

/// A welcome that waits for this person's consent.
#[derive(Clone, Debug)]
pub(crate) struct Welcomed {
    /// Who added this device.
    pub(crate) device: DeviceId,
    /// What the group is called.
    pub(crate) called: String,
    /// Devices in it.
    pub(crate) members: u64,
    /// The welcome; nothing once it was answered.
    pub(crate) whole: Vec<u8>,
}

/// Somebody who asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) id: i64,
    pub(crate) inbox: ChannelId,
    pub(crate) leads: Option<ChannelId>,
    pub(crate) account: AccountId,
    pub(crate) wish: Wish,
    pub(crate) time: u64,
    pub(crate) state: RequestState,
}

impl Request {
    /// What was taken, of somebody who wants to be let in.
    pub(crate) fn taken(&self) -> Option<&Taken> {
        match &self.wish {
            Wish::ComeIn(taken) => Some(taken),
            Wish::Invite(_) => None,
        }
    }
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

/// A welcome of somebody who is known waits.
pub(crate) fn insert_welcomed(
    connection: &Connection,
    (inbox, account): (ChannelId, AccountId),
    welcomed: &Welcomed,
    time: u64,
) -> Result<i64, StoreError> {
    connection.execute(
        "INSERT INTO request (inbox, taken, account, time, state, kind, device, called, members)
         VALUES (?1, ?2, ?3, ?4, 0, 1, ?5, ?6, ?7)",
        (
            inbox.0,
            &welcomed.whole,
            account.as_bytes(),
            time,
            welcomed.device.0,
            &welcomed.called,
            welcomed.members,
        ),
    )?;
    Ok(connection.last_insert_rowid())
}

/// How many welcomes of an account wait.
pub(crate) fn welcomed_waiting(connection: &Connection, account: AccountId) -> Result<u32, StoreError> {
    let sql = "SELECT count(*) FROM request WHERE kind = 1 AND state = 0 AND account = ?1";
    Ok(connection.query_row(sql, [account.as_bytes()], |row| row.get(0))?)
}

/// Forgets the welcome of a request that was answered.
pub(crate) fn forget_welcome(connection: &Connection, id: i64) -> Result<(), StoreError> {
    connection.execute("UPDATE request SET taken = x'' WHERE id = ?1 AND kind = 1", [id])?;
    Ok(())
}

/// The requests that are being let in, with where each leads.
pub(crate) fn being_let_in(connection: &Connection) -> Result<Vec<(i64, Option<ChannelId>)>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT id, leads FROM request WHERE state = ?1 AND kind = 0 ORDER BY id")?;
    let rows = statement.query_map([RequestState::BeingLetIn.number()], |row| {
        Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?.map(ChannelId)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const REQUEST: &str =
    "SELECT id, inbox, leads, taken, time, state, account, kind, device, called, members FROM request";

fn read_request(row: &Row<'_>) -> Result<Request, StoreError> {
    let said: Vec<u8> = row.get(3)?;
    let wish = match row.get(7)? {
        0 => Wish::ComeIn(Box::new(Taken::from_bytes(&said)?)),
        1 => Wish::Invite(Welcomed {
            device: DeviceId(hash(&row.get::<_, Vec<u8>>(8)?)?.0),
            called: row.get(9)?,
            members: row.get(10)?,
            whole: said,
        }),
        _ => return Err(StoreError::Damaged),
    };
    Ok(Request {
        id: row.get(0)?,
        inbox: ChannelId(row.get(1)?),
        leads: row.get::<_, Option<i64>>(2)?.map(ChannelId),
        account: AccountId(hash(&row.get::<_, Vec<u8>>(6)?)?.0),
        wish,
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

/// This device asked again, for what the same person calls the same, and is in: what it asked before is not waited for.
pub(crate) fn is_answered_elsewhere(connection: &Connection, asked: &Asked) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE asked SET state = ?1, reason = 'this device asked again, and is in' WHERE state = ?2 AND id <> ?3
         AND network = ?4 AND account = ?5 AND name IS ?6",
        (
            AskedState::Failed.number(),
            AskedState::Asked.number(),
            asked.id,
            asked.network.as_bytes(),
            asked.account.as_bytes(),
            &asked.name,
        ),
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

/// Requests of this device that nobody answered in so long, with where the answer would have come to.
pub(crate) fn unanswered(connection: &Connection, before: u64) -> Result<Vec<(i64, Option<ChannelId>)>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT id, answer FROM asked WHERE state IN (?1, ?2) AND time <= ?3 ORDER BY id")?;
    let states = (AskedState::Asking.number(), AskedState::Asked.number());
    let rows = statement.query_map((states.0, states.1, before), |row| {
        Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?.map(ChannelId)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Logs in which this device will look for what it was told of by a link, and does not yet.
pub(crate) fn doors_waiting(connection: &Connection, network: Hash) -> Result<Vec<ChannelId>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT channel.id FROM asked JOIN channel ON channel.id = asked.door
         WHERE asked.network = ?1 AND state = ?2 AND NOT live ORDER BY asked.id",
    )?;
    let asking = AskedState::Asking.number();
    let rows = statement.query_map((network.as_bytes(), asking), |row| row.get(0).map(ChannelId))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Inboxes of invitations that are followed although their time is over at the head up to which they were read.
pub(crate) fn expired(connection: &Connection) -> Result<Vec<ChannelId>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT inbox.channel FROM inbox JOIN channel ON channel.id = inbox.channel
         WHERE live AND proven_time > expires ORDER BY inbox.channel",
    )?;
    let rows = statement.query_map([], |row| row.get(0).map(ChannelId))?;
    Ok(rows.collect::<Result<_, _>>()?)
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

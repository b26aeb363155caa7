//! Devices on their way into an account: this one into somebody's, or others into this home's.

use rusqlite::{Connection, Row};
use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Encode};
use waxwing_seal::identity::Acceptance;
use waxwing_seal::identity::certificate::DeviceName;

use super::{StoreError, hash};
use crate::message::ChannelId;

pub(super) const TABLES: &str = "
-- `inbox`: the new device's, which is this device's own or is posted to. `answer`: where the new device's word comes to. `link`
-- is forgotten once what it leads to was read.
CREATE TABLE linking (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    own        INTEGER NOT NULL,
    network    BLOB NOT NULL REFERENCES network,
    inbox      INTEGER NOT NULL REFERENCES channel,
    answer     INTEGER REFERENCES channel,
    link       TEXT,
    name       TEXT NOT NULL,
    acceptance BLOB,
    state      INTEGER NOT NULL
) STRICT;
";

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkingState {
    /// The new device shows its link, or was not found behind it yet.
    Looking,
    /// The account offered to take it in.
    Offered,
    /// The new device's owner agreed.
    Agreed,
    /// It is one of the account's, or was told how to be.
    Done,
}

impl LinkingState {
    const fn number(self) -> i64 {
        match self {
            Self::Looking => 0,
            Self::Offered => 1,
            Self::Agreed => 2,
            Self::Done => 3,
        }
    }

    const fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Looking),
            1 => Some(Self::Offered),
            2 => Some(Self::Agreed),
            3 => Some(Self::Done),
            _ => None,
        }
    }
}

/// Which of the two devices this is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    /// The new one.
    New,
    /// The one of the account.
    Account,
}

/// A device on its way into an account.
#[derive(Clone)]
pub(crate) struct Linking {
    pub(crate) id: i64,
    pub(crate) side: Side,
    pub(crate) network: Hash,
    pub(crate) inbox: ChannelId,
    pub(crate) answer: Option<ChannelId>,
    pub(crate) link: Option<String>,
    /// What the new device calls itself; hostile.
    pub(crate) name: String,
    pub(crate) acceptance: Option<Acceptance>,
    pub(crate) state: LinkingState,
}

impl Linking {
    /// The name that its certificate has.
    pub(crate) fn device_name(&self) -> DeviceName {
        DeviceName::new(self.name.as_str()).unwrap_or_default()
    }
}

const COLUMNS: &str = "id, own, network, inbox, answer, link, name, acceptance, state";

fn read(row: &Row<'_>) -> Result<Linking, StoreError> {
    let acceptance: Option<Vec<u8>> = row.get(7)?;
    Ok(Linking {
        id: row.get(0)?,
        side: if row.get(1)? { Side::New } else { Side::Account },
        network: hash(&row.get::<_, Vec<u8>>(2)?)?,
        inbox: ChannelId(row.get(3)?),
        answer: row.get::<_, Option<i64>>(4)?.map(ChannelId),
        link: row.get(5)?,
        name: row.get(6)?,
        acceptance: acceptance.map(|bytes| Acceptance::from_bytes(&bytes)).transpose()?,
        state: LinkingState::from_number(row.get(8)?).ok_or(StoreError::Damaged)?,
    })
}

fn select(connection: &Connection, rest: &str, values: impl rusqlite::Params) -> Result<Vec<Linking>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM linking {rest}"))?;
    let mut rows = statement.query(values)?;
    let mut linkings = Vec::new();
    while let Some(row) = rows.next()? {
        linkings.push(read(row)?);
    }
    Ok(linkings)
}

/// One of them.
pub(crate) fn load(connection: &Connection, id: i64) -> Result<Option<Linking>, StoreError> {
    Ok(select(connection, "WHERE id = ?1", [id])?.pop())
}

/// The one whose inbox, or whose answers, come to this log.
pub(crate) fn at(connection: &Connection, channel: ChannelId) -> Result<Option<Linking>, StoreError> {
    let rest = "WHERE inbox = ?1 OR answer = ?1 ORDER BY id DESC LIMIT 1";
    Ok(select(connection, rest, [channel.0])?.pop())
}

/// Those that wait for this account's device to go on, on a ledger.
pub(crate) fn agreed(connection: &Connection, network: Hash) -> Result<Vec<Linking>, StoreError> {
    let rest = "WHERE own = 0 AND state = ?1 AND network = ?2 ORDER BY id";
    select(connection, rest, (LinkingState::Agreed.number(), network.as_bytes()))
}

/// Adds one; its number is given.
pub(crate) fn insert(connection: &Connection, linking: &Linking) -> Result<i64, StoreError> {
    connection.execute(
        "INSERT INTO linking (own, network, inbox, answer, link, name, acceptance, state)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        (
            linking.side == Side::New,
            linking.network.as_bytes(),
            linking.inbox.0,
            linking.answer.map(|answer| answer.0),
            &linking.link,
            &linking.name,
            linking.acceptance.as_ref().map(Encode::to_bytes),
            linking.state.number(),
        ),
    )?;
    Ok(connection.last_insert_rowid())
}

/// Stores how far it is.
pub(crate) fn update(connection: &Connection, linking: &Linking) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE linking SET answer = ?2, link = ?3, name = ?4, acceptance = ?5, state = ?6 WHERE id = ?1",
        (
            linking.id,
            linking.answer.map(|answer| answer.0),
            &linking.link,
            &linking.name,
            linking.acceptance.as_ref().map(Encode::to_bytes),
            linking.state.number(),
        ),
    )?;
    Ok(())
}

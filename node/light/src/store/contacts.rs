//! People met: what they claim, what this person calls them, and which of their keys were taken note of.

use rusqlite::{Connection, OptionalExtension, Row};
use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Encode};
use waxwing_seal::identity::AccountId;
use waxwing_seal::identity::change::Keys;

use super::{StoreError, hash};
use crate::account::contacts::{Consent, ContactId};
use crate::limits::{CONTACTS_MAX, KEY_CHANGES_KEPT};

pub(super) const TABLES: &str = "
-- A person is an account; another account is another person, whatever it calls itself. `asks`: they wrote, and were not
-- answered yet.
CREATE TABLE contact (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    account  BLOB NOT NULL UNIQUE,
    claimed  TEXT NOT NULL,
    petname  TEXT,
    met      INTEGER NOT NULL,
    asks     INTEGER NOT NULL,
    compared INTEGER,
    blocked  INTEGER,
    report   TEXT
) STRICT;

-- A person's keys on a ledger as they were last taken note of; `seen` are others that stopped the sending.
CREATE TABLE contact_keys (
    contact INTEGER NOT NULL REFERENCES contact,
    network BLOB NOT NULL REFERENCES network,
    noted   BLOB NOT NULL,
    seen    BLOB,
    PRIMARY KEY (contact, network)
) STRICT, WITHOUT ROWID;

-- What became of people's keys: the last of it.
CREATE TABLE key_change (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    contact  INTEGER NOT NULL REFERENCES contact,
    network  BLOB NOT NULL REFERENCES network,
    time     INTEGER NOT NULL,
    device   BLOB,
    breaks   INTEGER NOT NULL,
    sentence TEXT NOT NULL
) STRICT;
CREATE INDEX key_change_contact ON key_change (contact, number);
";

/// A person as stored.
#[derive(Clone)]
pub(crate) struct Contact {
    pub(crate) id: ContactId,
    pub(crate) account: AccountId,
    /// The name that they claim.
    pub(crate) claimed: String,
    /// The name that this person gave them.
    pub(crate) petname: Option<String>,
    pub(crate) met: u64,
    pub(crate) consent: Consent,
    /// When the account was compared, if that still stands.
    pub(crate) compared: Option<u64>,
    pub(crate) blocked: Option<u64>,
    /// What was noted when they were reported.
    pub(crate) report: Option<String>,
}

const COLUMNS: &str = "id, account, claimed, petname, met, asks, compared, blocked, report";

fn read(row: &Row<'_>) -> Result<Contact, StoreError> {
    Ok(Contact {
        id: ContactId(row.get(0)?),
        account: AccountId(hash(&row.get::<_, Vec<u8>>(1)?)?.0),
        claimed: row.get(2)?,
        petname: row.get(3)?,
        met: row.get(4)?,
        consent: if row.get(5)? { Consent::Asks } else { Consent::Given },
        compared: row.get(6)?,
        blocked: row.get(7)?,
        report: row.get(8)?,
    })
}

fn select(connection: &Connection, rest: &str, value: impl rusqlite::Params) -> Result<Vec<Contact>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM contact {rest}"))?;
    let mut rows = statement.query(value)?;
    let mut contacts = Vec::new();
    while let Some(row) = rows.next()? {
        contacts.push(read(row)?);
    }
    Ok(contacts)
}

/// Everybody, in the order in which they were met.
pub(crate) fn all(connection: &Connection) -> Result<Vec<Contact>, StoreError> {
    select(connection, "ORDER BY id", [])
}

/// One person.
pub(crate) fn load(connection: &Connection, id: ContactId) -> Result<Option<Contact>, StoreError> {
    Ok(select(connection, "WHERE id = ?1", [id.0])?.pop())
}

/// The person who is an account.
pub(crate) fn find(connection: &Connection, account: AccountId) -> Result<Option<Contact>, StoreError> {
    Ok(select(connection, "WHERE account = ?1", [account.as_bytes()])?.pop())
}

/// Adds a person; `None` if there are as many as a home has room for.
pub(crate) fn insert(
    connection: &Connection,
    account: AccountId,
    claimed: &str,
    consent: Consent,
    now: u64,
) -> Result<Option<ContactId>, StoreError> {
    let count: i64 = connection.query_row("SELECT count(*) FROM contact", [], |row| row.get(0))?;
    if count >= i64::from(CONTACTS_MAX) {
        return Ok(None);
    }
    connection.execute(
        "INSERT INTO contact (account, claimed, met, asks) VALUES (?1, ?2, ?3, ?4)",
        (account.as_bytes(), claimed, now, consent == Consent::Asks),
    )?;
    Ok(Some(ContactId(connection.last_insert_rowid())))
}

/// Stores everything about a person but their account and keys.
pub(crate) fn update(connection: &Connection, contact: &Contact) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "UPDATE contact SET claimed = ?2, petname = ?3, asks = ?4, compared = ?5, blocked = ?6, report = ?7
         WHERE id = ?1",
    )?;
    statement.execute((
        contact.id.0,
        &contact.claimed,
        &contact.petname,
        contact.consent == Consent::Asks,
        contact.compared,
        contact.blocked,
        &contact.report,
    ))?;
    Ok(())
}

/// Removes a person and all that was known of their keys.
pub(crate) fn forget(connection: &Connection, id: ContactId) -> Result<(), StoreError> {
    for table in ["key_change", "contact_keys"] {
        connection.execute(&format!("DELETE FROM {table} WHERE contact = ?1"), [id.0])?;
    }
    connection.execute("DELETE FROM contact WHERE id = ?1", [id.0])?;
    Ok(())
}

/// A person's keys on one ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KeysRow {
    pub(crate) network: Hash,
    /// As they were last taken note of.
    pub(crate) noted: Keys,
    /// Others that were seen since, and that stop the sending.
    pub(crate) seen: Option<Keys>,
}

/// A person's keys on all ledgers where they were seen.
pub(crate) fn keys(connection: &Connection, id: ContactId) -> Result<Vec<KeysRow>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT network, noted, seen FROM contact_keys WHERE contact = ?1 ORDER BY network")?;
    let mut rows = statement.query([id.0])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let seen: Option<Vec<u8>> = row.get(2)?;
        keys.push(KeysRow {
            network: hash(&row.get::<_, Vec<u8>>(0)?)?,
            noted: Keys::from_bytes(&row.get::<_, Vec<u8>>(1)?)?,
            seen: seen.map(|seen| Keys::from_bytes(&seen)).transpose()?,
        });
    }
    Ok(keys)
}

/// A person's keys on one ledger.
pub(crate) fn keys_on(connection: &Connection, id: ContactId, network: Hash) -> Result<Option<KeysRow>, StoreError> {
    let keys = keys(connection, id)?;
    Ok(keys.into_iter().find(|keys| keys.network == network))
}

/// Stores a person's keys on one ledger.
pub(crate) fn set_keys(connection: &Connection, id: ContactId, keys: &KeysRow) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO contact_keys (contact, network, noted, seen) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET noted = excluded.noted, seen = excluded.seen",
    )?;
    let seen = keys.seen.as_ref().map(Encode::to_bytes);
    statement.execute((id.0, keys.network.as_bytes(), keys.noted.to_bytes(), seen))?;
    Ok(())
}

/// Those whose keys changed so that nothing is sent to them: nobody, almost always.
pub(crate) fn stopped(connection: &Connection) -> Result<Vec<AccountId>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT contact.account FROM contact_keys JOIN contact ON contact.id = contact_keys.contact
         WHERE contact_keys.seen IS NOT NULL",
    )?;
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|account| Ok(AccountId(hash(&account?)?.0))).collect()
}

/// Something that became of a person's keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ChangeRow {
    pub(crate) network: Hash,
    pub(crate) time: u64,
    pub(crate) device: Option<Hash>,
    /// Whether what was compared says nothing any more.
    pub(crate) breaks: bool,
    pub(crate) sentence: String,
}

/// Keeps what became of a person's keys, and drops the oldest of it.
pub(crate) fn add_change(connection: &Connection, id: ContactId, change: &ChangeRow) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO key_change (contact, network, time, device, breaks, sentence) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (
            id.0,
            change.network.as_bytes(),
            change.time,
            change.device.as_ref().map(Hash::as_bytes),
            change.breaks,
            &change.sentence,
        ),
    )?;
    connection.execute(
        "DELETE FROM key_change WHERE contact = ?1 AND number <=
            (SELECT number FROM key_change WHERE contact = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
        (id.0, KEY_CHANGES_KEPT),
    )?;
    Ok(())
}

/// What became of a person's keys, newest first.
pub(crate) fn changes(connection: &Connection, id: ContactId) -> Result<Vec<ChangeRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT network, time, device, breaks, sentence FROM key_change WHERE contact = ?1 ORDER BY number DESC",
    )?;
    let mut rows = statement.query([id.0])?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        let device: Option<Vec<u8>> = row.get(2)?;
        changes.push(ChangeRow {
            network: hash(&row.get::<_, Vec<u8>>(0)?)?,
            time: row.get(1)?,
            device: device.map(|device| hash(&device)).transpose()?,
            breaks: row.get(3)?,
            sentence: row.get(4)?,
        });
    }
    Ok(changes)
}

/// The newest change, if there was any.
pub(crate) fn newest_change(connection: &Connection, id: ContactId) -> Result<Option<u64>, StoreError> {
    Ok(connection
        .query_row(
            "SELECT time FROM key_change WHERE contact = ?1 ORDER BY number DESC LIMIT 1",
            [id.0],
            |row| row.get(0),
        )
        .optional()?)
}

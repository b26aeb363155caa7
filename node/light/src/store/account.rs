//! The account of this home: its root, while that is here, and what certifies this device on each ledger.

use rusqlite::{Connection, OptionalExtension};
use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Encode};
use waxwing_seal::identity::{AccountId, DeviceCertificate, Phrase};
use zeroize::Zeroizing;

use super::{StoreError, hash};
use crate::chance;

pub(super) const TABLES: &str = "
-- Whose device this is. `entropy` are the bits behind the 24 words, none once they were removed. `begun`: whether the
-- account began in this home, so that nobody can have signed a certificate before this home does.
CREATE TABLE account (
    only    INTEGER PRIMARY KEY CHECK (only = 1),
    id      BLOB NOT NULL,
    entropy BLOB,
    begun   INTEGER NOT NULL
) STRICT;

-- This device's certificate on each ledger, as others see it.
CREATE TABLE certificate (
    network BLOB PRIMARY KEY REFERENCES network,
    bytes   BLOB NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Where an account began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Began {
    /// In this home.
    Here,
    /// In another one: there may be other devices, and certificates that this home has not seen.
    Elsewhere,
}

/// Whose device this is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) began: Began,
}

/// A new account, in the transaction that makes the home or brings it up to date.
pub(super) fn begin(connection: &Connection) -> Result<(), StoreError> {
    insert(connection, &Phrase::random(&mut chance::fill), Began::Here)
}

/// An account that there was before.
pub(super) fn recover(connection: &Connection, phrase: &Phrase) -> Result<(), StoreError> {
    insert(connection, phrase, Began::Elsewhere)
}

fn insert(connection: &Connection, phrase: &Phrase, began: Began) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO account (only, id, entropy, begun) VALUES (1, ?1, ?2, ?3)",
        (
            phrase.account().id().as_bytes(),
            &phrase.entropy()[..],
            began == Began::Here,
        ),
    )?;
    Ok(())
}

/// This device speaks for another account from now on, which it was taken into.
pub(crate) fn join(connection: &Connection, account: AccountId) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE account SET id = ?1, entropy = NULL, begun = 0",
        [account.as_bytes()],
    )?;
    Ok(())
}

/// Whose device this is.
pub(crate) fn load(connection: &Connection) -> Result<Account, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id, begun FROM account")?;
    let (id, begun): (Vec<u8>, bool) = statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Account {
        id: AccountId(hash(&id)?.0),
        began: if begun { Began::Here } else { Began::Elsewhere },
    })
}

/// The 24 words, if they are here.
pub(crate) fn phrase(connection: &Connection) -> Result<Option<Phrase>, StoreError> {
    let entropy: Option<Vec<u8>> = connection.query_row("SELECT entropy FROM account", [], |row| row.get(0))?;
    let Some(entropy) = entropy.map(Zeroizing::new) else {
        return Ok(None);
    };
    let entropy: &[u8; 32] = entropy.as_slice().try_into().map_err(|_| StoreError::Damaged)?;
    Ok(Some(Phrase::from_entropy(entropy)))
}

/// Whether the 24 words are here, without looking at them.
pub(crate) fn has_phrase(connection: &Connection) -> Result<bool, StoreError> {
    Ok(connection.query_row("SELECT entropy IS NOT NULL FROM account", [], |row| row.get(0))?)
}

/// Keeps the 24 words, or removes them. The pages that held them are overwritten.
pub(crate) fn set_phrase(connection: &Connection, phrase: Option<&Phrase>) -> Result<(), StoreError> {
    let entropy = phrase.map(Phrase::entropy);
    let entropy = entropy.as_ref().map(|entropy| &entropy[..]);
    connection.execute("UPDATE account SET entropy = ?1", [entropy])?;
    Ok(())
}

/// This device's certificate on a ledger.
pub(crate) fn certificate(connection: &Connection, network: Hash) -> Result<Option<DeviceCertificate>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT bytes FROM certificate WHERE network = ?1")?;
    let bytes: Option<Vec<u8>> = statement.query_row([network.as_bytes()], |row| row.get(0)).optional()?;
    Ok(bytes.map(|bytes| DeviceCertificate::from_bytes(&bytes)).transpose()?)
}

/// Everything that this device is on a ledger, as it stands in the rows: its seed, its account, its certificate.
pub(crate) type Standing = (Zeroizing<Vec<u8>>, AccountId, Vec<u8>);

/// What this device is on a ledger; `None` if it has no certificate there.
pub(crate) fn standing(connection: &Connection, network: Hash) -> Result<Option<Standing>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT device.seed, account.id, certificate.bytes FROM device, account, certificate
         WHERE certificate.network = ?1",
    )?;
    let found = statement.query_row([network.as_bytes()], |row| {
        Ok((Zeroizing::new(row.get(0)?), row.get::<_, Vec<u8>>(1)?, row.get(2)?))
    });
    let Some((seed, account, certificate)) = found.optional()? else {
        return Ok(None);
    };
    Ok(Some((seed, AccountId(hash(&account)?.0), certificate)))
}

/// Keeps this device's certificate on a ledger, in place of an older one.
pub(crate) fn keep_certificate(
    connection: &Connection,
    network: Hash,
    certificate: &DeviceCertificate,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO certificate (network, bytes) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET bytes = excluded.bytes",
        (network.as_bytes(), certificate.to_bytes()),
    )?;
    Ok(())
}

//! What the group library keeps, in the same encrypted file and the same transactions as everything else.
//!
//! The tables are the library's own. Its values describe themselves (CBOR): they are read back by newer versions of the
//! library, and nothing of ours depends on their form.

use openmls_sqlite_storage::{Codec, SqliteStorageProvider};
use rusqlite::Connection;
use serde::Serialize;
use serde::de::DeserializeOwned;
use waxwing_seal::group::Provider;

use super::StoreError;
use crate::chance;

/// How values are written.
#[derive(Default)]
pub(crate) struct Cbor;

impl Codec for Cbor {
    type Error = std::io::Error;

    fn to_vec<T: Serialize>(value: &T) -> Result<Vec<u8>, Self::Error> {
        let mut out = Vec::new();
        ciborium::into_writer(value, &mut out).map_err(std::io::Error::other)?;
        Ok(out)
    }

    fn from_slice<T: DeserializeOwned>(slice: &[u8]) -> Result<T, Self::Error> {
        ciborium::from_reader(slice).map_err(std::io::Error::other)
    }
}

/// The library's storage on a connection that may be in the middle of a transaction.
pub(crate) type Storage<'a> = SqliteStorageProvider<Cbor, &'a Connection>;

/// Makes the library's tables, or brings them up to its version.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), StoreError> {
    SqliteStorageProvider::<Cbor, &mut Connection>::new(connection)
        .run_migrations()
        .map_err(|error| {
            tracing::error!("the tables of the group library could not be made: {error}");
            StoreError::Damaged
        })
}

/// The same for a step that may fail: then nothing of it is left.
pub(crate) fn attempt<R, E>(
    connection: &Connection,
    step: impl FnOnce(&Provider<'_, Storage<'_>>) -> Result<R, E>,
) -> Result<Result<R, E>, StoreError> {
    connection.execute_batch("SAVEPOINT attempt")?;
    let outcome = lend(connection, step);
    if outcome.is_err() {
        connection.execute_batch("ROLLBACK TO attempt")?;
    }
    connection.execute_batch("RELEASE attempt")?;
    Ok(outcome)
}

/// Lends storage and chance to one step of a group, inside of the transaction that the connection is in.
pub(crate) fn lend<R>(connection: &Connection, step: impl FnOnce(&Provider<'_, Storage<'_>>) -> R) -> R {
    let storage = Storage::new(connection);
    let mut chance = chance::fill;
    step(&Provider::new(&storage, &mut chance))
}

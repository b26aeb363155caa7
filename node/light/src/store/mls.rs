//! What the group library keeps, in the same encrypted file and the same transactions as everything else.
//!
//! The tables are the library's own. Its values describe themselves (CBOR): they are read back by newer versions of the
//! library, and nothing of ours depends on their form.
//!
//! Rows are found by comparing bytes of values, such as the id of a group or a public key. So whatever is small enough to be one
//! of these is written as it was from the beginning, and only what is larger in the form that is quick to write.

use openmls_sqlite_storage::{Codec, SqliteStorageProvider};
use rusqlite::Connection;
use serde::Serialize;
use serde::de::DeserializeOwned;
use waxwing_seal::group::Provider;

use super::{StoreError, cbor};
use crate::chance;

/// Bytes up to which a value may be what a row is found by: the longest is a public key, of some 1,200 bytes.
const FOUND_BY_BYTES_MAX: usize = 2 << 10;

/// How values are written.
#[derive(Default)]
pub(crate) struct Cbor;

impl Codec for Cbor {
    type Error = std::io::Error;

    fn to_vec<T: Serialize>(value: &T) -> Result<Vec<u8>, Self::Error> {
        let mut out = cbor::to_vec(value).map_err(std::io::Error::other)?;
        if out.len() <= FOUND_BY_BYTES_MAX {
            out.clear();
            ciborium::into_writer(value, &mut out).map_err(std::io::Error::other)?;
        }
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

#[cfg(test)]
mod tests {
    use ciborium::Value;
    use waxwing_core::limits::DAY_MS;
    use waxwing_seal::inbox::Uses;

    use super::*;
    use crate::conversations::Joined;
    use crate::inbox::Inviting;
    use crate::tests::{Person, TestNode, World, texts, until};

    const PATIENCE: core::time::Duration = core::time::Duration::from_secs(60);

    #[test]
    fn what_rows_are_found_by_is_written_as_it_always_was_and_what_is_large_shortly() {
        let public_key = vec![200_u8; 1_216];
        let written = Cbor::to_vec(&public_key).unwrap();
        assert_eq!(written, plain(&public_key));
        let tree = vec![public_key; 4];
        let written = Cbor::to_vec(&tree).unwrap();
        assert!(written.len() < 4 * 1_216 + 32, "{}", written.len());
        assert_eq!(Cbor::from_slice::<Vec<Vec<u8>>>(&written).unwrap(), tree);
    }

    fn plain<T: Serialize>(value: &T) -> Vec<u8> {
        let mut out = Vec::new();
        ciborium::into_writer(value, &mut out).unwrap();
        out
    }

    /// A value with a list of numbers in place of each byte string, as homes had it once.
    fn spread(value: Value) -> Value {
        match value {
            Value::Bytes(bytes) => Value::Array(bytes.into_iter().map(Value::from).collect()),
            Value::Array(values) => Value::Array(values.into_iter().map(spread).collect()),
            Value::Map(pairs) => Value::Map(pairs.into_iter().map(|(key, value)| (key, spread(value))).collect()),
            value => value,
        }
    }

    /// Writes what a home keeps of groups as it was written once; says how many values had another form.
    fn write_as_before(connection: &Connection) -> Result<usize, StoreError> {
        let mut changed = 0;
        for (table, column) in [
            ("openmls_group_data", "group_data"),
            ("openmls_epoch_keys_pairs", "key_pairs"),
        ] {
            let mut rows = connection.prepare(&format!("SELECT rowid, {column} FROM {table}"))?;
            let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            for (row, bytes) in rows.collect::<Result<Vec<(i64, Vec<u8>)>, _>>()? {
                let before = plain(&spread(ciborium::from_reader(bytes.as_slice()).unwrap()));
                if before != bytes {
                    changed += connection.execute(
                        &format!("UPDATE {table} SET {column} = ?2 WHERE rowid = ?1"),
                        (row, before),
                    )?;
                }
            }
        }
        Ok(changed)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_home_whose_groups_were_written_in_the_longer_form_goes_on() {
        let world = World::new("test");
        let node = TestNode::honest(&world);
        let ada = Person::on("Ada", &world, &[&node]).await;
        let hers = ada.client.found_group(world.network(), "plans").await.unwrap();
        let inviting = Inviting {
            uses: Uses::ONE,
            valid_ms: DAY_MS,
            asks: false,
        };
        let invited = ada.client.invite_to_group(hers, inviting).await.unwrap();
        ada.client.start();
        ada.client.settle(invited.opening, PATIENCE).await.unwrap();
        let ben = Person::new("Ben").await;
        let Joined::Asked(asked) = ben.client.join(&invited.link).await.unwrap() else {
            panic!("it is an invitation");
        };
        let his = ben.client.answered(asked, PATIENCE).await.unwrap().channel.unwrap();
        ben.client.start();
        ben.say_finally(his, "before").await;
        let reads = async |client: &crate::Client, channel, words: &str| {
            let found = texts(client, channel).await;
            found.iter().filter(|text| *text == words).count() == 1
        };
        until("Ada reads it", async || reads(&ada.client, hers, "before").await).await;
        ada.client.leave().await;

        let again = ada.again().await;
        let changed = again.core.store().write(|tx| write_as_before(tx)).unwrap();
        assert!(
            changed > 1,
            "the tree and the keys of its nodes are written in the short form"
        );
        again.start();
        let said = again.send(hers, crate::Draft::text("after").unwrap()).await.unwrap();
        again.settle(said, PATIENCE).await.unwrap();
        again.rename_group(hers, "birds").await.unwrap();
        let name = async || {
            let channels = ben.client.channels().await.unwrap();
            channels.into_iter().find(|channel| channel.id == his).unwrap().name
        };
        until("Ben follows the change", async || name().await == "birds").await;
        assert!(reads(&ben.client, his, "after").await);
    }
}

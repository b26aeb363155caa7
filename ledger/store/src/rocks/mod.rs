//! The families in RocksDB.
//!
//! The database locks its directory, so that two processes never write one ledger. Every write is synced before it
//! returns; what the operating system had not written by a crash is cut off at the last whole batch (point-in-time
//! recovery). The choices behind the options are in [`options`].

mod options;

pub use options::Options;

use core::fmt;
use core::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rocksdb::statistics::Ticker;
use rocksdb::{ColumnFamily, DB, DBPinnableSlice, ReadOptions, WaitForCompactOptions, WriteBatch, WriteOptions};
use waxwing_core::genesis::Genesis;

use crate::error::{OpenError, StoreError};
use crate::store::Store;
use crate::tables::{Batch, Failure, Family, Tables};

/// A RocksDB database with one column family per [`Family`].
pub struct RocksTables {
    db: DB,
    options: rocksdb::Options,
    synced: WriteOptions,
    reading: ReadOptions,
}

/// Why a directory could not be opened, naming it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirectoryError {
    /// Which directory.
    pub directory: PathBuf,
    /// Why.
    pub error: OpenError,
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.directory.display(), self.error)
    }
}

impl core::error::Error for DirectoryError {}

impl Store<RocksTables> {
    /// Founds a ledger in a directory, which is made if it is not there.
    ///
    /// # Errors
    /// [`OpenError::Occupied`] if it holds a ledger, [`OpenError::Locked`] if another process has it open.
    pub fn create(directory: &Path, genesis: &Genesis, options: &Options) -> Result<Self, DirectoryError> {
        let tables = RocksTables::create(directory, options);
        named(directory, tables.and_then(|tables| Self::create_on(tables, genesis)))
    }

    /// Opens the ledger in a directory, alone: nobody else can write it meanwhile.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(directory: &Path, options: &Options) -> Result<Self, DirectoryError> {
        named(directory, RocksTables::open(directory, options).and_then(Self::open_on))
    }

    /// Opens the ledger in a directory for reading. Not a byte in the directory changes, no file is made there. A node
    /// may be running on it: what is read is what was durable when it was opened, until the node merges files away.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_read_only(directory: &Path, options: &Options) -> Result<Self, DirectoryError> {
        named(
            directory,
            RocksTables::open_read_only(directory, options).and_then(Self::open_on),
        )
    }
}

impl Store<RocksTables> {
    /// Writes what is in memory into tables and waits until they are merged: for measurements, and for who is about to
    /// damage files on purpose.
    ///
    /// # Errors
    /// If the database fails.
    pub fn settle(&self) -> Result<(), StoreError> {
        let _alone = self.writing();
        self.rows.ask(|tables| {
            for family in Family::ALL {
                let handle = tables.family(family);
                tables.db.flush_cf(handle).map_err(|error| failure(&error))?;
            }
            let waiting = WaitForCompactOptions::default();
            tables.db.wait_for_compact(&waiting).map_err(|error| failure(&error))
        })
    }
}

fn named<T>(directory: &Path, outcome: Result<T, OpenError>) -> Result<T, DirectoryError> {
    outcome.map_err(|error| DirectoryError {
        directory: directory.to_path_buf(),
        error,
    })
}

impl RocksTables {
    fn create(directory: &Path, options: &Options) -> Result<Self, OpenError> {
        let mut database = options.database();
        database.create_if_missing(true);
        database.create_missing_column_families(true);
        Self::started(database, |database| {
            DB::open_cf_descriptors(database, directory, options.families())
        })
    }

    fn open(directory: &Path, options: &Options) -> Result<Self, OpenError> {
        let database = options.database();
        expect_database(directory, &database)?;
        Self::started(database, |database| {
            DB::open_cf_descriptors(database, directory, options.families())
        })
    }

    fn open_read_only(directory: &Path, options: &Options) -> Result<Self, OpenError> {
        let database = options.read_only_database();
        expect_database(directory, &database)?;
        Self::started(database, |database| {
            DB::open_cf_descriptors_read_only(database, directory, options.families(), false)
        })
    }

    fn started(
        options: rocksdb::Options,
        open: impl FnOnce(&rocksdb::Options) -> Result<DB, rocksdb::Error>,
    ) -> Result<Self, OpenError> {
        let db = open(&options).map_err(|error| open_error(&error))?;
        let mut synced = WriteOptions::default();
        synced.set_sync(true);
        Ok(Self {
            db,
            options,
            synced,
            reading: ReadOptions::default(),
        })
    }

    /// The handle of a family.
    fn family(&self, family: Family) -> &ColumnFamily {
        let handle = self.db.cf_handle(family.name());
        handle.expect("every family is named when the database is opened, and none is ever dropped")
    }
}

impl Tables for RocksTables {
    type Value<'a> = DBPinnableSlice<'a>;
    type Batch<'a> = RocksBatch<'a>;

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<DBPinnableSlice<'_>>, Failure> {
        let value = self.db.get_pinned_cf_opt(self.family(family), key, &self.reading);
        value.map_err(|error| failure(&error))
    }

    fn multi_get<K: AsRef<[u8]>>(
        &self,
        family: Family,
        keys: &[K],
    ) -> Result<Vec<Option<DBPinnableSlice<'_>>>, Failure> {
        let values = self
            .db
            .batched_multi_get_cf_opt(self.family(family), keys, true, &self.reading);
        values
            .into_iter()
            .map(|value| value.map_err(|error| failure(&error)))
            .collect()
    }

    fn scan(
        &self,
        family: Family,
        from: &[u8],
        to: Option<&[u8]>,
        mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        let mut rows = self
            .db
            .raw_iterator_cf_opt(self.family(family), options::scanning(family, from, to));
        rows.seek(from);
        while let Some((key, value)) = rows.item() {
            if visit(key, value).is_break() {
                break;
            }
            rows.next();
        }
        rows.status().map_err(|error| failure(&error))
    }

    fn batch(&self, bytes: usize) -> RocksBatch<'_> {
        RocksBatch {
            batch: WriteBatch::with_capacity_bytes(bytes),
            families: Family::ALL.map(|family| self.family(family)),
        }
    }

    fn write(&self, batch: RocksBatch<'_>) -> Result<(), Failure> {
        self.db
            .write_opt(batch.batch, &self.synced)
            .map_err(|error| failure(&error))
    }

    fn syncs(&self) -> u64 {
        self.options.get_ticker_count(Ticker::WalFileSynced)
    }
}

/// Changes in the form in which RocksDB logs them.
pub struct RocksBatch<'a> {
    batch: WriteBatch,
    /// In the order of [`Family::ALL`].
    families: [&'a ColumnFamily; Family::ALL.len()],
}

impl<'a> RocksBatch<'a> {
    fn handle(&self, family: Family) -> &'a ColumnFamily {
        let [body, entry, index, log, excuse, expiry, node, block, recent, meta] = self.families;
        match family {
            Family::Body => body,
            Family::Entry => entry,
            Family::Index => index,
            Family::Log => log,
            Family::Excuse => excuse,
            Family::Expiry => expiry,
            Family::Node => node,
            Family::Block => block,
            Family::Recent => recent,
            Family::Meta => meta,
        }
    }
}

impl Batch for RocksBatch<'_> {
    fn put(&mut self, family: Family, key: &[u8], value: &[u8]) {
        let handle = self.handle(family);
        self.batch.put_cf(handle, key, value);
    }

    fn delete(&mut self, family: Family, key: &[u8]) {
        let handle = self.handle(family);
        self.batch.delete_cf(handle, key);
    }

    fn delete_range(&mut self, family: Family, from: &[u8], to: &[u8]) {
        let handle = self.handle(family);
        self.batch.delete_range_cf(handle, from, to);
    }
}

impl fmt::Debug for RocksBatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RocksBatch({} changes)", self.batch.len())
    }
}

impl fmt::Debug for RocksTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RocksTables({})", self.db.path().display())
    }
}

fn failure(error: &rocksdb::Error) -> Failure {
    Failure::new(error.as_ref())
}

/// What an attempt to open says. RocksDB tells its reasons apart in words only.
fn open_error(error: &rocksdb::Error) -> OpenError {
    let is_locked = |words: &str| error.as_ref().contains(words);
    if is_locked("lock hold by current process") || is_locked("While lock file") {
        OpenError::Locked
    } else {
        OpenError::Store(StoreError::Failed(failure(error)))
    }
}

/// Opening makes missing directories: a mistyped name must not. And families are made one after the other, before the first
/// row: where one is missing, somebody was killed while making the database, and nothing is there yet.
fn expect_database(directory: &Path, database: &rocksdb::Options) -> Result<(), OpenError> {
    if !directory.join("CURRENT").is_file() {
        return Err(OpenError::NoLedger);
    }
    match DB::list_cf(database, directory) {
        Ok(made)
            if Family::ALL
                .iter()
                .any(|family| !made.iter().any(|name| name == family.name())) =>
        {
            Err(OpenError::NoLedger)
        }
        // What else is wrong, opening says.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, Note, World};

    /// How many syncs each of ten blocks, an erasure and a sweep took, as RocksDB counts them.
    fn syncs(prepare: impl FnOnce(&mut RocksTables)) -> Vec<u64> {
        let directory = tempfile::tempdir().unwrap();
        let mut tables = RocksTables::create(directory.path(), &Options::default()).unwrap();
        prepare(&mut tables);
        let mut world = World::resume(Store::create_on(tables, &fixture::genesis(1)).unwrap(), 1);
        let mut counted = vec![world.store.syncs()];
        for number in 0..10 {
            world.append(1000, &[Note::new(1, number)]);
            counted.push(world.store.syncs());
        }
        let (log, secret) = (fixture::writer(1).public(), Note::new(1, 3).secret(world.store.keys()));
        world.store.erase(&log, 3, secret).unwrap();
        counted.push(world.store.syncs());
        counted.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[test]
    fn every_block_and_every_erasure_is_synced_before_its_call_returns() {
        let syncs = syncs(|_| ());
        assert_eq!(syncs.len(), 11);
        assert!(syncs.iter().all(|count| *count >= 1), "{syncs:?}");
    }

    #[test]
    fn with_syncing_turned_off_the_count_of_syncs_tells() {
        let syncs = syncs(|tables| tables.synced.set_sync(false));
        assert!(syncs.iter().all(|count| *count == 0), "{syncs:?}");
    }

    #[test]
    fn a_database_that_was_only_half_made_holds_no_ledger_and_is_finished_by_whoever_makes_one() {
        let (directory, options) = (tempfile::tempdir().unwrap(), Options::default());
        let mut database = options.database();
        database.create_if_missing(true);
        database.create_missing_column_families(true);
        let some: Vec<_> = options.families().into_iter().take(3).collect();
        drop(DB::open_cf_descriptors(&database, directory.path(), some).unwrap());
        let no_ledger = |opened: Result<RocksTables, OpenError>| matches!(opened, Err(OpenError::NoLedger));
        assert!(no_ledger(RocksTables::open(directory.path(), &options)));
        assert!(no_ledger(RocksTables::open_read_only(directory.path(), &options)));
        drop(RocksTables::create(directory.path(), &options).unwrap());
        assert!(RocksTables::open_read_only(directory.path(), &options).is_ok());
    }
}

//! The in-memory double of a database, which knows what a disk only shows after the power has failed: the difference
//! between *written* and *durable*.
//!
//! Killing a process leaves the page cache alive, so a store that never syncs survives every `kill -9` and loses blocks
//! with the first power cut. Here a crash keeps what was synced and any number of batches beyond it, never half of one,
//! and a process can be made to die before, in and after any write.

use core::ops::ControlFlow;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::tables::{Batch, Failure, Family, Tables};

type Row = (Family, Vec<u8>);

/// What rows held before a batch.
type Undo = Vec<(Row, Option<Arc<[u8]>>)>;

/// Where in a write the process dies, or what goes wrong there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The process dies before anything is written.
    DiesBefore,
    /// The process dies when the batch is written and not yet durable.
    DiesUnsynced,
    /// The process dies when the batch is durable, before the caller knows.
    DiesAfter,
    /// The disk refuses: nothing is written, the process lives on.
    Refused,
}

/// Whether writes are made durable, as they must be. The other value exists to show that tests notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Syncing {
    /// As a database does it.
    Honest,
    /// The mutation: "durable" is said and nothing is done.
    Forgotten,
}

/// Rows in memory.
#[derive(Clone, Debug)]
pub struct MemoryTables {
    disk: Arc<RwLock<Disk>>,
}

#[derive(Debug)]
struct Disk {
    rows: BTreeMap<Row, Arc<[u8]>>,
    /// What it takes to undo each batch that is written and not durable, oldest first.
    undurable: Vec<Undo>,
    syncing: Syncing,
    syncs: u64,
    writes: u64,
    fault: Option<(u64, Fault)>,
    is_dead: bool,
}

impl MemoryTables {
    /// Without rows.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Syncing::Honest)
    }

    /// Without rows, syncing or not.
    #[must_use]
    pub fn with(syncing: Syncing) -> Self {
        Self::of(BTreeMap::new(), syncing)
    }

    fn of(rows: BTreeMap<Row, Arc<[u8]>>, syncing: Syncing) -> Self {
        let disk = Disk {
            rows,
            undurable: Vec::new(),
            syncing,
            syncs: 0,
            writes: 0,
            fault: None,
            is_dead: false,
        };
        Self {
            disk: Arc::new(RwLock::new(disk)),
        }
    }

    /// Lets something go wrong in a later write: 0 is the next one.
    pub fn fail(&self, later: u64, fault: Fault) {
        let mut disk = self.change();
        disk.fault = Some((disk.writes + later, fault));
    }

    /// Number of writes that were asked for so far.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.read().writes
    }

    /// Number of batches that are written and not durable: as many a crash may lose.
    #[must_use]
    pub fn undurable(&self) -> usize {
        self.read().undurable.len()
    }

    /// What a process that starts after the power failed finds: everything durable, and the first `kept` of the batches
    /// that were only written. Whoever still holds the old tables gets failures.
    #[must_use]
    pub fn crash(&self, kept: usize) -> Self {
        let mut disk = self.change();
        disk.is_dead = true;
        let mut rows = disk.rows.clone();
        for batch in disk.undurable.iter().skip(kept).rev() {
            for (row, before) in batch.iter().rev() {
                match before {
                    Some(value) => rows.insert(row.clone(), Arc::clone(value)),
                    None => rows.remove(row),
                };
            }
        }
        Self::of(rows, disk.syncing)
    }

    /// The same rows for somebody else, all of them durable.
    #[must_use]
    pub fn copy(&self) -> Self {
        let disk = self.read();
        Self::of(disk.rows.clone(), disk.syncing)
    }

    // A panic while the lock is held leaves a batch half written; the test it happened in has failed anyway.
    fn read(&self) -> RwLockReadGuard<'_, Disk> {
        self.disk.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, Disk> {
        self.disk.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryTables {
    fn default() -> Self {
        Self::new()
    }
}

impl Disk {
    fn alive(&self) -> Result<(), Failure> {
        if self.is_dead {
            Err(Failure::new("the process that held these tables is dead"))
        } else {
            Ok(())
        }
    }

    fn die(&mut self) -> Failure {
        self.is_dead = true;
        Failure::new("the process died")
    }

    fn apply(&mut self, changes: Vec<Change>) {
        let mut undo = Vec::new();
        for change in changes {
            match change {
                Change::Put(row, value) => {
                    let before = self.rows.insert(row.clone(), value);
                    undo.push((row, before));
                }
                Change::Delete(row) => {
                    let before = self.rows.remove(&row);
                    undo.push((row, before));
                }
                Change::DeleteRange(family, from, to) => {
                    let range = (family, from)..(family, to);
                    let gone: Vec<Row> = self.rows.range(range).map(|(row, _)| row.clone()).collect();
                    for row in gone {
                        let before = self.rows.remove(&row);
                        undo.push((row, before));
                    }
                }
            }
        }
        self.undurable.push(undo);
    }

    fn sync(&mut self) {
        if self.syncing == Syncing::Honest {
            self.undurable.clear();
            self.syncs += 1;
        }
    }
}

#[derive(Debug)]
enum Change {
    Put(Row, Arc<[u8]>),
    Delete(Row),
    DeleteRange(Family, Vec<u8>, Vec<u8>),
}

/// Changes in the making.
#[derive(Debug, Default)]
pub struct MemoryBatch {
    changes: Vec<Change>,
}

impl Batch for MemoryBatch {
    fn put(&mut self, family: Family, key: &[u8], value: &[u8]) {
        self.changes.push(Change::Put((family, key.to_vec()), value.into()));
    }

    fn delete(&mut self, family: Family, key: &[u8]) {
        self.changes.push(Change::Delete((family, key.to_vec())));
    }

    fn delete_range(&mut self, family: Family, from: &[u8], to: &[u8]) {
        self.changes
            .push(Change::DeleteRange(family, from.to_vec(), to.to_vec()));
    }
}

impl Tables for MemoryTables {
    type Value<'a> = Arc<[u8]>;
    type Batch<'a> = MemoryBatch;

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Arc<[u8]>>, Failure> {
        let disk = self.read();
        disk.alive()?;
        Ok(disk.rows.get(&(family, key.to_vec())).cloned())
    }

    fn multi_get<K: AsRef<[u8]>>(&self, family: Family, keys: &[K]) -> Result<Vec<Option<Arc<[u8]>>>, Failure> {
        keys.iter().map(|key| self.get(family, key.as_ref())).collect()
    }

    fn scan(
        &self,
        family: Family,
        from: &[u8],
        to: Option<&[u8]>,
        mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        let disk = self.read();
        disk.alive()?;
        if to.is_some_and(|to| to < from) {
            return Ok(());
        }
        let end = to.map_or(Bound::Unbounded, |to| Bound::Excluded((family, to.to_vec())));
        let rows = disk.rows.range((Bound::Included((family, from.to_vec())), end));
        for ((_, key), value) in rows.take_while(|((here, _), _)| *here == family) {
            if visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn batch(&self, _bytes: usize) -> MemoryBatch {
        MemoryBatch::default()
    }

    fn write(&self, batch: MemoryBatch) -> Result<(), Failure> {
        let mut disk = self.change();
        disk.alive()?;
        let number = disk.writes;
        disk.writes += 1;
        let fault = disk.fault.filter(|(at, _)| *at == number).map(|(_, fault)| fault);
        match fault {
            Some(Fault::DiesBefore) => return Err(disk.die()),
            Some(Fault::Refused) => return Err(Failure::new("no space left on the device")),
            Some(Fault::DiesUnsynced | Fault::DiesAfter) | None => disk.apply(batch.changes),
        }
        if fault == Some(Fault::DiesUnsynced) {
            return Err(disk.die());
        }
        disk.sync();
        if fault == Some(Fault::DiesAfter) {
            return Err(disk.die());
        }
        Ok(())
    }

    fn syncs(&self) -> u64 {
        self.read().syncs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(tables: &MemoryTables, key: u8, value: u8) -> Result<(), Failure> {
        let mut batch = tables.batch(0);
        batch.put(Family::Meta, &[key], &[value]);
        tables.write(batch)
    }

    fn value(tables: &MemoryTables, key: u8) -> Option<u8> {
        let row = tables.get(Family::Meta, &[key]).unwrap();
        row.map(|row| row[0])
    }

    #[test]
    fn what_is_synced_survives_and_what_is_not_is_lost_batch_by_batch() {
        let honest = MemoryTables::new();
        put(&honest, 1, 10).unwrap();
        assert_eq!((honest.undurable(), honest.syncs()), (0, 1));
        assert_eq!(value(&honest.crash(0), 1), Some(10));

        for kept in 0..=3 {
            let tables = MemoryTables::with(Syncing::Forgotten);
            put(&tables, 1, 10).unwrap();
            put(&tables, 1, 11).unwrap();
            let mut batch = tables.batch(0);
            batch.delete(Family::Meta, &[1]);
            batch.put(Family::Meta, &[2], &[20]);
            tables.write(batch).unwrap();
            assert_eq!((tables.undurable(), tables.syncs()), (3, 0));
            let found = tables.crash(kept);
            let expected = [(None, None), (Some(10), None), (Some(11), None), (None, Some(20))];
            assert_eq!((value(&found, 1), value(&found, 2)), expected[kept]);
        }
    }

    #[test]
    fn a_process_dies_where_it_is_told_to() {
        for (fault, written, lost) in [
            (Fault::DiesBefore, None, 0),
            (Fault::DiesUnsynced, Some(7), 1),
            (Fault::DiesAfter, Some(7), 0),
        ] {
            let tables = MemoryTables::new();
            tables.fail(1, fault);
            put(&tables, 1, 1).unwrap();
            assert!(put(&tables, 2, 7).is_err());
            assert!(tables.get(Family::Meta, &[1]).is_err(), "the dead do not read");
            assert!(put(&tables, 3, 3).is_err(), "nor write");
            assert_eq!(tables.undurable(), lost);
            assert_eq!(value(&tables.crash(lost), 2), written);
            let least = if lost == 0 { written } else { None };
            assert_eq!(value(&tables.crash(0), 2), least);
            assert_eq!(value(&tables.crash(0), 1), Some(1));
        }
    }

    #[test]
    fn a_disk_that_refuses_writes_nothing_and_lives_on() {
        let tables = MemoryTables::new();
        tables.fail(0, Fault::Refused);
        assert!(put(&tables, 1, 1).is_err());
        assert_eq!(value(&tables, 1), None);
        put(&tables, 1, 2).unwrap();
        assert_eq!(value(&tables, 1), Some(2));
        let after = tables.crash(0);
        assert!(
            tables.get(Family::Meta, &[1]).is_err(),
            "whoever held the old tables is dead"
        );
        assert_eq!(value(&after, 1), Some(2));
    }

    #[test]
    fn ranges_are_shown_and_deleted_without_their_ends() {
        let tables = MemoryTables::new();
        for key in 1..6 {
            put(&tables, key, key).unwrap();
        }
        let mut batch = tables.batch(0);
        batch.put(Family::Node, &[3], &[99]);
        batch.delete_range(Family::Meta, &[2], &[4]);
        tables.write(batch).unwrap();
        let shown = |from: &[u8], to: Option<&[u8]>| {
            let mut shown = Vec::new();
            tables
                .scan(Family::Meta, from, to, |key, _| {
                    shown.push(key[0]);
                    ControlFlow::Continue(())
                })
                .unwrap();
            shown
        };
        assert_eq!(shown(&[], None), [1, 4, 5]);
        assert_eq!(shown(&[4], Some(&[5])), [4]);
        assert_eq!(shown(&[5], Some(&[4])), [0; 0]);
        assert_eq!(tables.get(Family::Node, &[3]).unwrap().as_deref(), Some(&[99][..]));
    }
}

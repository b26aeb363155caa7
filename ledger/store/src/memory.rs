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

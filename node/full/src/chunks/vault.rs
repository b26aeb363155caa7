//! The chunks that this node keeps: list and files in step, whatever is asked at once and whenever the process dies.
//!
//! ```text
//! put   reserve room ── write, sync ── { rename, list } ── sync the folder ── durable: only now is it promised
//! get   list ── read ── hash ── serve, or forget what is damaged
//! sweep { forget } ── remove folders ── give back the room
//! ```
//!
//! What stands in braces happens under one lock, so that a file is always where the list says. Everything here waits for the
//! disk. The files are the truth: the list is made from them at every start.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use waxwing_core::HashKeys;
use waxwing_core::chunk::ChunkId;
use waxwing_core::limits::CHUNK_BYTES_MAX;

use super::day::Day;
use super::files::{Files, Written};
use super::held::{Held, Kept, Reserved};
use super::limits::{DISK_LEFT_BYTES, counted};

/// The chunks.
#[derive(Debug)]
pub(crate) struct Vault {
    keys: HashKeys,
    files: Files,
    held: Mutex<Held>,
}

/// What keeping a chunk takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Taken {
    /// Room.
    pub(super) bytes: u64,
    /// How many more days it takes that room for; nothing if it was not here before.
    pub(super) longer: Option<u32>,
    /// While so much room is free.
    pub(super) free: u64,
}

/// What became of a chunk that was put.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stored {
    /// It is kept until that day now.
    New(Day),
    /// It was here, and is kept until that day.
    Already(Day),
}

/// Why a chunk is not kept.
#[derive(Debug)]
pub(super) enum PutError {
    /// Longer than a chunk.
    TooLong,
    /// The quota is used up, or the disk.
    Full,
    /// Whoever asks has taken its share.
    Share,
    /// The disk failed.
    Disk(io::Error),
}

impl From<io::Error> for PutError {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// What a chunk that was asked for turned out to be.
#[derive(Debug)]
pub(super) enum Fetched {
    /// These bytes, which have its id.
    Chunk(Vec<u8>),
    /// Not here.
    Unknown,
    /// What the disk had was something else; it is forgotten now.
    Damaged,
}

/// How full it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Level {
    pub(super) chunks: u64,
    pub(super) used_bytes: u64,
}

impl Vault {
    /// Takes up what is in the folder; what is over is removed.
    pub(super) fn open(keys: HashKeys, root: PathBuf, quota_bytes: u64, now_ms: u64) -> io::Result<Self> {
        let vault = Self {
            keys,
            files: Files::open(root)?,
            held: Mutex::new(Held::new(quota_bytes)),
        };
        let mut doubled = Vec::new();
        let mut held = vault.held();
        vault.files.scan(|found| {
            let before = held.find(&found.id);
            // Only an accident leaves a chunk in two folders; the promise that reaches further stands.
            if let Some(before) = before {
                doubled.push((before.day.min(found.day), found.id));
            }
            if before.is_none_or(|before| before.day < found.day) {
                if let Some(before) = before {
                    held.forget(&found.id, before.day);
                }
                held.found(found.id, found.day, found.bytes);
            }
        })?;
        drop(held);
        for (day, id) in doubled {
            vault.files.remove(day, &id)?;
        }
        vault.sweep(now_ms)?;
        Ok(vault)
    }

    /// How full it is.
    pub(super) fn level(&self) -> Level {
        let held = self.held();
        Level {
            chunks: held.count(),
            used_bytes: held.used(),
        }
    }

    /// Room that is left: of the quota, and of the disk without what is left to the ledger.
    pub(super) fn free(&self) -> u64 {
        let left = self.files.disk_left().map(|left| left.saturating_sub(DISK_LEFT_BYTES));
        left.unwrap_or(u64::MAX).min(self.held().free())
    }

    /// What the list says of a chunk. A function of its own, so that nobody holds the list longer.
    fn listed(&self, id: &ChunkId) -> Option<Kept> {
        self.held().find(id)
    }

    /// The same for one that is not over.
    fn find(&self, id: &ChunkId, now_ms: u64) -> Option<Kept> {
        self.listed(id).filter(|kept| !kept.day.is_over(now_ms))
    }

    /// Until when each of these is kept, durably; `None` for one that is not here.
    pub(super) fn have(&self, ids: impl Iterator<Item = ChunkId>, now_ms: u64) -> Vec<Option<Day>> {
        let held = self.held();
        let durable = |kept: &Kept| kept.is_durable && !kept.day.is_over(now_ms);
        ids.map(|id| held.find(&id).filter(durable).map(|kept| kept.day))
            .collect()
    }

    /// Keeps a chunk until a day. When this returns well, it stays there until then. `may` decides whether whoever asks gets
    /// what that takes: a chunk that is here stays as it is if not.
    pub(super) fn put(
        &self,
        bytes: &[u8],
        day: Day,
        now_ms: u64,
        may: &mut dyn FnMut(Taken) -> bool,
    ) -> Result<Stored, PutError> {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if length > CHUNK_BYTES_MAX {
            return Err(PutError::TooLong);
        }
        let id = ChunkId::of(&self.keys, bytes);
        let day = self.held().at_least(day);
        if let Some(day) = self.keep_longer(&id, bytes, day, may)? {
            return Ok(Stored::Already(day));
        }
        let reserved = self.reserve(length, now_ms, may)?;
        let placed = self
            .files
            .write(bytes)
            .and_then(|written| self.place(&written, id, day, &reserved));
        let day = placed.map_err(|error| {
            self.held().release(&reserved);
            unwritten(error)
        })?;
        self.settle(&id, day)?;
        Ok(Stored::New(day))
    }

    /// Room for a chunk. What is over and not removed yet makes room first.
    fn reserve(&self, bytes: u32, now_ms: u64, may: &mut dyn FnMut(Taken) -> bool) -> Result<Reserved, PutError> {
        if self.held().is_due(Day::over(now_ms)) {
            self.sweep(now_ms)?;
        }
        let (bytes_counted, free) = (counted(bytes), self.free());
        if free < bytes_counted {
            return Err(PutError::Full);
        }
        let taken = Taken {
            bytes: bytes_counted,
            longer: None,
            free,
        };
        if !may(taken) {
            return Err(PutError::Share);
        }
        self.held().reserve(bytes).map_err(|_| PutError::Full)
    }

    /// Gives a written file its place, or the place that the same chunk got meanwhile.
    fn place(&self, written: &Written, id: ChunkId, day: Day, reserved: &Reserved) -> io::Result<Day> {
        let mut held = self.held();
        let before = held.find(&id);
        let day = before.map_or(day, |before| before.day.max(day));
        let day = held.at_least(day);
        self.files.place(written, day, &id)?;
        if let Some(before) = held.place(id, day, reserved).filter(|before| before.day != day) {
            // The chunk is where it should be. A second file that stays goes at the next start, or with its day.
            let _ = self.files.remove(before.day, &id);
        }
        Ok(day)
    }

    /// If a chunk is here, undamaged: has it kept until a day, if that is later; returns until when it is.
    fn keep_longer(
        &self,
        id: &ChunkId,
        bytes: &[u8],
        day: Day,
        may: &mut dyn FnMut(Taken) -> bool,
    ) -> Result<Option<Day>, PutError> {
        if !self.is_whole(id, bytes)? {
            return Ok(None);
        }
        let mut held = self.held();
        let Some(kept) = held.find(id) else { return Ok(None) };
        let wanted = kept.day.max(held.at_least(day));
        let days = wanted.later_than(kept.day);
        let taken = Taken {
            bytes: counted(kept.bytes),
            longer: Some(days),
            free: held.free(),
        };
        let until = if days > 0 && may(taken) { wanted } else { kept.day };
        if until > kept.day {
            self.files.shift(kept.day, until, id)?;
            held.shift(id, until);
        } else if kept.is_durable {
            return Ok(Some(until));
        }
        drop(held);
        // Also when somebody else is about to: whoever is promised something must not depend on that.
        self.settle(id, until)?;
        Ok(Some(until))
    }

    /// Whether a chunk is here with exactly these bytes. One that is not what it should be is forgotten.
    fn is_whole(&self, id: &ChunkId, bytes: &[u8]) -> io::Result<bool> {
        while let Some(kept) = self.listed(id) {
            let found = self.files.read(kept.day, id)?;
            if found.is_some_and(|found| found == bytes) {
                return Ok(true);
            }
            if self.forget(id, kept.day)? {
                return Ok(false);
            }
            // It was moved while it was read.
        }
        Ok(false)
    }

    /// A chunk, if what the disk has is what was put.
    pub(super) fn get(&self, id: &ChunkId, now_ms: u64) -> io::Result<Fetched> {
        while let Some(kept) = self.find(id, now_ms) {
            let found = self.files.read(kept.day, id)?;
            if let Some(bytes) = found.filter(|bytes| id.names(&self.keys, bytes)) {
                return Ok(Fetched::Chunk(bytes));
            }
            if self.forget(id, kept.day)? {
                return Ok(Fetched::Damaged);
            }
            // It was moved while it was read.
        }
        Ok(Fetched::Unknown)
    }

    /// Forgets a chunk and removes its file, if it is still kept until that day.
    fn forget(&self, id: &ChunkId, day: Day) -> io::Result<bool> {
        let mut held = self.held();
        let is_forgotten = held.forget(id, day);
        if is_forgotten {
            self.files.remove(day, id)?;
        }
        Ok(is_forgotten)
    }

    /// Removes what is over; returns how many chunks that were.
    pub(super) fn sweep(&self, now_ms: u64) -> io::Result<u64> {
        let over = Day::over(now_ms);
        let gone = self.held().expire(over);
        // Nothing is placed in these folders any more: the list has noted that they are over.
        let removed = self.files.remove_until(over);
        let mut held = self.held();
        gone.iter().for_each(|kept| held.freed(kept.bytes));
        drop(held);
        removed?;
        Ok(u64::try_from(gone.len()).unwrap_or(u64::MAX))
    }

    /// Whether there is anything that will be over some day.
    pub(super) fn is_empty(&self) -> bool {
        self.held().count() == 0
    }

    fn settle(&self, id: &ChunkId, day: Day) -> io::Result<()> {
        self.files.settle(day)?;
        self.held().is_durable(id, day);
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Each change is whole before anything that could panic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A disk that has no room is full, whatever the quota says.
fn unwritten(error: io::Error) -> PutError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => PutError::Full,
        _ => PutError::Disk(error),
    }
}

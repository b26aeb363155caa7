//! Which chunks are here, until when, and how much room is left: the list in memory. Pure; the files are [`super::files`]'s.

use std::collections::BTreeMap;

use waxwing_core::chunk::ChunkId;

use super::day::Day;
use super::limits::counted;

/// A chunk that is here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Kept {
    /// Until when.
    pub(super) day: Day,
    /// Its length.
    pub(super) bytes: u32,
    /// Whether a power failure from now on leaves it there, until that day.
    pub(super) is_durable: bool,
}

/// Room for a chunk that is being written. Must be given back, with or without the chunk.
#[derive(Debug)]
#[must_use]
pub(super) struct Reserved {
    counted: u64,
    bytes: u32,
}

/// There is no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Full;

/// The list.
#[derive(Debug)]
pub(super) struct Held {
    quota: u64,
    chunks: BTreeMap<ChunkId, Kept>,
    /// How many end on each day.
    by_day: BTreeMap<Day, u64>,
    /// Counted bytes of the chunks, of those that are being written, and of those that are being removed.
    used: u64,
    /// Nothing is kept until this day or an earlier one any more.
    swept: Day,
}

impl Held {
    /// Nothing yet.
    pub(super) const fn new(quota: u64) -> Self {
        Self {
            quota,
            chunks: BTreeMap::new(),
            by_day: BTreeMap::new(),
            used: 0,
            swept: Day::ZERO,
        }
    }

    pub(super) fn find(&self, id: &ChunkId) -> Option<Kept> {
        self.chunks.get(id).copied()
    }

    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.chunks.len()).unwrap_or(u64::MAX)
    }

    pub(super) const fn used(&self) -> u64 {
        self.used
    }

    pub(super) const fn free(&self) -> u64 {
        self.quota.saturating_sub(self.used)
    }

    /// The day that a chunk is kept until if it is asked for `day`: a clock that was set back does not bring back a day whose
    /// folder is being removed.
    pub(super) fn at_least(&self, day: Day) -> Day {
        day.max(self.swept.next())
    }

    /// Room for a chunk of so many bytes.
    pub(super) fn reserve(&mut self, bytes: u32) -> Result<Reserved, Full> {
        let counted = counted(bytes);
        if counted > self.free() {
            return Err(Full);
        }
        self.used += counted;
        Ok(Reserved { counted, bytes })
    }

    /// The chunk did not come to be.
    pub(super) const fn release(&mut self, reserved: &Reserved) {
        self.used = self.used.saturating_sub(reserved.counted);
    }

    /// The chunk is there now. Returns where it was before, if it was: the room of one of both is free again.
    pub(super) fn place(&mut self, id: ChunkId, day: Day, reserved: &Reserved) -> Option<Kept> {
        let before = self.take(&id);
        if let Some(before) = before {
            self.freed(before.bytes);
        }
        self.put(id, day, reserved.bytes);
        before
    }

    /// A chunk that was found at the start: it counts whether or not there is room for it.
    pub(super) fn found(&mut self, id: ChunkId, day: Day, bytes: u32) {
        self.used = self.used.saturating_add(counted(bytes));
        self.put(id, day, bytes);
        self.is_durable(&id, day);
    }

    /// A chunk is kept until another day.
    pub(super) fn shift(&mut self, id: &ChunkId, day: Day) {
        if let Some(kept) = self.take(id) {
            self.put(*id, day, kept.bytes);
        }
    }

    /// What puts a chunk where it is has been confirmed by the disk.
    pub(super) fn is_durable(&mut self, id: &ChunkId, day: Day) {
        if let Some(kept) = self.chunks.get_mut(id).filter(|kept| kept.day == day) {
            kept.is_durable = true;
        }
    }

    /// Forgets a chunk if it is still kept until that day; says whether it was. Its file is the caller's to remove.
    pub(super) fn forget(&mut self, id: &ChunkId, day: Day) -> bool {
        if self.find(id).is_none_or(|kept| kept.day != day) {
            return false;
        }
        if let Some(kept) = self.take(id) {
            self.freed(kept.bytes);
        }
        true
    }

    /// Whether anything is over.
    pub(super) fn is_due(&self, over: Day) -> bool {
        self.by_day.first_key_value().is_some_and(|(day, _)| *day <= over)
    }

    /// Forgets everything that is over. The room is taken until [`Held::freed`] says that the files are gone.
    pub(super) fn expire(&mut self, over: Day) -> Vec<Kept> {
        self.swept = self.swept.max(over);
        let mut gone = Vec::new();
        self.chunks.retain(|_, kept| {
            let stays = kept.day > over;
            if !stays {
                gone.push(*kept);
            }
            stays
        });
        self.by_day.retain(|day, _| *day > over);
        gone
    }

    /// A file is gone.
    pub(super) fn freed(&mut self, bytes: u32) {
        self.used = self.used.saturating_sub(counted(bytes));
    }

    fn put(&mut self, id: ChunkId, day: Day, bytes: u32) {
        let kept = Kept {
            day,
            bytes,
            is_durable: false,
        };
        self.chunks.insert(id, kept);
        *self.by_day.entry(day).or_default() += 1;
    }

    fn take(&mut self, id: &ChunkId) -> Option<Kept> {
        let kept = self.chunks.remove(id)?;
        if let Some(count) = self.by_day.get_mut(&kept.day) {
            *count -= 1;
            if *count == 0 {
                self.by_day.remove(&kept.day);
            }
        }
        Some(kept)
    }
}

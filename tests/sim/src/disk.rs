//! A validator's journal as a disk keeps it: what was flushed is there after a crash, of the rest some first part.
//!
//! The tables have their own double (`waxwing_store::MemoryTables`). The journal is a file that is appended to, flushed
//! and begun anew. The note of where the key has last signed is a file beside it that nobody flushes.

use waxwing_order::Guard;

use crate::chance::Chance;

#[derive(Clone, Debug)]
enum Change {
    Append(Vec<u8>),
    Reset,
}

/// The files of a validator beside its tables.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// What a crash leaves.
    durable: Vec<Vec<u8>>,
    /// What was written since, oldest first.
    written: Vec<Change>,
    /// The note as it was when the journal was last flushed, and as it is.
    guard: (Guard, Guard),
}

/// What a process finds when it starts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// The journal's records, oldest first.
    pub records: Vec<Vec<u8>>,
    /// Where the key has last signed, as far as the note knows.
    pub guard: Guard,
}

impl Disk {
    /// Adds a record to the journal.
    pub fn append(&mut self, record: Vec<u8>) {
        self.written.push(Change::Append(record));
    }

    /// Begins the journal anew.
    pub fn reset(&mut self) {
        self.written.push(Change::Reset);
    }

    /// Notes where the key has last signed.
    pub const fn sign(&mut self, guard: Guard) {
        self.guard.1 = guard;
    }

    /// Makes everything durable.
    pub fn flush(&mut self) {
        let written = self.written.len();
        self.keep(written);
        self.guard.0 = self.guard.1;
    }

    /// The process dies and the power fails. Returns whether anything was lost.
    pub fn crash(&mut self, chance: &mut Chance) -> bool {
        let kept = chance.place(self.written.len() + 1);
        let is_lost = kept < self.written.len();
        self.keep(kept);
        if chance.once_in(2) {
            self.guard.0 = self.guard.1;
        }
        self.guard.1 = self.guard.0;
        is_lost
    }

    /// What the next process finds. The process before it has ended, by a crash or in good order.
    #[must_use]
    pub fn found(&self) -> Found {
        Found {
            records: self.durable.clone(),
            guard: self.guard.0,
        }
    }

    fn keep(&mut self, kept: usize) {
        for change in std::mem::take(&mut self.written).into_iter().take(kept) {
            match change {
                Change::Append(record) => self.durable.push(record),
                Change::Reset => self.durable.clear(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use waxwing_order::Step;

    #[test]
    fn a_crash_leaves_what_was_flushed_and_some_first_part_of_the_rest() {
        let mut disk = Disk::default();
        disk.append(vec![1]);
        disk.flush();
        disk.append(vec![2]);
        disk.reset();
        disk.append(vec![3]);
        let mut chance = Chance::new(3);
        let found: BTreeSet<Vec<Vec<u8>>> = (0..100)
            .map(|_| {
                let mut crashed = disk.clone();
                crashed.crash(&mut chance);
                crashed.found().records
            })
            .collect();
        let possible = [vec![], vec![vec![1]], vec![vec![1], vec![2]], vec![vec![3]]];
        assert_eq!(found, BTreeSet::from(possible));
        disk.flush();
        assert!(!disk.crash(&mut chance), "nothing is lost of what was flushed");
        assert_eq!(disk.found().records, [[3]]);
    }

    #[test]
    fn the_note_of_the_guard_may_be_as_old_as_the_last_flush() {
        let at = |height| Guard {
            height,
            round: 0,
            step: Step::Prevote,
        };
        let mut disk = Disk::default();
        disk.sign(at(1));
        disk.flush();
        disk.sign(at(2));
        let mut chance = Chance::new(4);
        let found: BTreeSet<u64> = (0..100)
            .map(|_| {
                let mut crashed = disk.clone();
                crashed.crash(&mut chance);
                crashed.found().guard.height
            })
            .collect();
        assert_eq!(found, BTreeSet::from([1, 2]));
    }
}

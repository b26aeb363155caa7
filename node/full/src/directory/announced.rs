//! The newest block whose certificate left this node.
//!
//! Someone restores yesterday's copy of `db/` and starts the validator: it would order other blocks at heights for which
//! clients already hold certificates, and fork the network in good faith. So the newest announced block is noted beside
//! the database, and a validator whose ledger ends before it does not start.
//!
//! The note is written after the block is durable and before it is announced, and not synced: after a power failure it may
//! lag behind the database, which is harmless, and it can never run ahead of it. It does not help if the whole directory
//! is replaced; nothing inside a directory can.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use waxwing_core::Hash;

/// Height, block id.
const BYTES: usize = 40;

/// The ledger is older than what was announced from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RolledBack {
    /// Height of the block that was announced.
    pub(crate) announced: u64,
}

impl fmt::Display for RolledBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "this validator has announced block {} and its ledger does not hold it: an older copy of db/ was put back, and \
             going on would fork the network. Put the newer copy back; if it is lost, copy the ledger from a follower",
            self.announced
        )
    }
}

/// The note.
#[derive(Debug)]
pub(crate) struct Announced {
    file: File,
}

impl Announced {
    /// Opens the note in a node's directory.
    pub(crate) fn open(directory: &Path) -> io::Result<Self> {
        let file = super::options(0o644)
            .create(true)
            .truncate(false)
            .open(directory.join("announced"))?;
        Ok(Self { file })
    }

    /// Compares the note with the ledger: its newest height, and the id of its block at a height.
    pub(crate) fn check(&self, applied: u64, id_at: impl FnOnce(u64) -> Option<Hash>) -> Result<(), RolledBack> {
        let mut note = [0; BYTES];
        // No note, or half of one after a power failure: nothing is known that the ledger could contradict.
        if self.file.read_exact_at(&mut note, 0).is_err() {
            return Ok(());
        }
        let (height, id) = note.split_at(8);
        let announced = u64::from_be_bytes(height.try_into().unwrap_or_default());
        let is_held = announced <= applied && id_at(announced).is_some_and(|held| held.as_bytes() == id);
        if is_held { Ok(()) } else { Err(RolledBack { announced }) }
    }

    /// Notes a block.
    pub(crate) fn note(&self, height: u64, id: Hash) -> io::Result<()> {
        let mut note = [0; BYTES];
        let (first, second) = note.split_at_mut(8);
        first.copy_from_slice(&height.to_be_bytes());
        second.copy_from_slice(id.as_bytes());
        self.file.write_all_at(&note, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_that_lacks_what_was_announced_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let announced = Announced::open(directory.path()).unwrap();
        let id = Hash([7; 32]);
        assert_eq!(announced.check(0, |_| None), Ok(()), "nothing was announced yet");
        announced.note(5, id).unwrap();
        let announced = Announced::open(directory.path()).unwrap();
        assert_eq!(announced.check(5, |height| (height == 5).then_some(id)), Ok(()));
        assert_eq!(announced.check(9, |_| Some(id)), Ok(()));
        let refused = Err(RolledBack { announced: 5 });
        assert_eq!(announced.check(4, |_| Some(id)), refused, "an older copy");
        assert_eq!(announced.check(9, |_| Some(Hash([8; 32]))), refused, "another history");
        announced.note(6, Hash([6; 32])).unwrap();
        assert_eq!(announced.check(5, |_| Some(id)), Err(RolledBack { announced: 6 }));
    }
}

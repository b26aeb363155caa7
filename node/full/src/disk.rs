//! What the database takes on disk, against what the operator lets it take.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::faults::QUOTA_REACHED;

/// The node's share of the disk.
#[derive(Debug)]
pub(crate) struct Disk {
    database: PathBuf,
    quota_bytes: Option<u64>,
    used_bytes: AtomicU64,
    /// The operator was told.
    is_full: AtomicBool,
}

impl Disk {
    pub(crate) fn new(database: PathBuf, quota_bytes: Option<u64>) -> Self {
        let disk = Self {
            database,
            quota_bytes,
            used_bytes: AtomicU64::new(0),
            is_full: AtomicBool::new(false),
        };
        disk.measure();
        disk
    }

    pub(crate) const fn quota_bytes(&self) -> Option<u64> {
        self.quota_bytes
    }

    pub(crate) fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.quota_bytes.is_some_and(|quota| self.used_bytes() >= quota)
    }

    /// Looks again. A few hundred file names, so rarely enough is often enough.
    pub(crate) fn measure(&self) {
        let used = bytes_in(&self.database);
        self.used_bytes.store(used, Ordering::Relaxed);
        let is_full = self.is_full();
        if is_full && !self.is_full.swap(is_full, Ordering::Relaxed) {
            tracing::warn!(
                code = QUOTA_REACHED,
                used_bytes = used,
                "the disk quota is used up; no envelopes are taken"
            );
        }
        self.is_full.store(is_full, Ordering::Relaxed);
    }
}

/// Bytes of the files in a directory. One that goes while this looks counts as nothing.
fn bytes_in(directory: &Path) -> u64 {
    let Ok(files) = fs::read_dir(directory) else { return 0 };
    let lengths = files
        .filter_map(|file| file.ok()?.metadata().ok())
        .map(|found| found.len());
    lengths.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_reached_when_the_files_take_as_much() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Disk::new(directory.path().to_owned(), Some(10));
        assert!(!disk.is_full());
        fs::write(directory.path().join("a"), [0; 6]).unwrap();
        fs::write(directory.path().join("b"), [0; 4]).unwrap();
        disk.measure();
        assert!(disk.is_full());
        assert_eq!(disk.used_bytes(), 10);
        fs::remove_file(directory.path().join("b")).unwrap();
        disk.measure();
        assert!(!disk.is_full());
        assert!(
            !Disk::new(directory.path().to_owned(), None).is_full(),
            "no quota is no bound"
        );
    }
}

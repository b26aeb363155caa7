//! Whatever is put, asked for and broken, and whenever the node ends: what was promised is there, nothing else is served, and
//! there is never more than the quota.

mod asked;
mod law;
mod vault;

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use waxwing_core::chunk::ChunkId;
use waxwing_core::limits::DAY_MS;
use waxwing_core::{Hash, HashKeys};

use super::day::Day;
use super::limits::COUNTED_BYTES_MIN;
use super::vault::{PutError, Stored, Vault};

/// Noon of a day like others.
const NOON: u64 = 20_000 * DAY_MS + DAY_MS / 2;

fn keys() -> HashKeys {
    HashKeys::new(Hash([7; 32]))
}

/// A chunk like no other number's.
fn chunk(number: u32) -> Vec<u8> {
    let length = usize::try_from(number % 50).unwrap() * 40 + 4;
    let mut bytes = vec![0xc4; length];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn id(number: u32) -> ChunkId {
    ChunkId::of(&keys(), &chunk(number))
}

fn day(now_ms: u64, days: u32) -> Day {
    Day::after(now_ms, NonZeroU32::new(days).unwrap())
}

/// A folder with room for so many small chunks.
struct Place {
    folder: TempDir,
    room: u64,
}

impl Place {
    fn with_room(chunks: u64) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            room: chunks * COUNTED_BYTES_MIN,
        }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("chunks")
    }

    fn open(&self, now_ms: u64) -> Vault {
        Vault::open(keys(), self.root(), self.room, now_ms).unwrap()
    }

    fn file(&self, day: Day, number: u32) -> PathBuf {
        self.root().join(day.to_string()).join(id(number).to_string())
    }
}

/// Files below a folder.
fn files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap();
    let count = |path: PathBuf| if path.is_dir() { files(&path) } else { 1 };
    entries.map(|entry| count(entry.unwrap().path())).sum()
}

/// Puts a chunk for somebody who may take everything.
fn put(vault: &Vault, number: u32, until: Day, now_ms: u64) -> Result<Stored, PutError> {
    vault.put(&chunk(number), until, now_ms, &mut |_| true)
}

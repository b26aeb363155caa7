//! The journal as a file: what must be on disk before a vote leaves.
//!
//! ```text
//! record   length u32 | generation u64 | check, 16 bytes of a hash over generation, place and payload | payload
//! file     record record record ...  torn or older bytes
//! ```
//!
//! Beginning anew goes back to the front of the file and writes over what is there, under the next generation: the file
//! keeps its length, so making a record durable seldom has to change the file's own record on disk. What is left of an
//! older generation, or torn by a crash, does not check, and everything from there on is as if it had never been
//! written; nothing that depended on it has left the machine.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::limits::JOURNAL_KEPT_BYTES;

const HEAD: usize = 4 + 8 + 16;

/// A journal that is open.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    generation: u64,
    /// Where the next record goes.
    end: u64,
    /// How long the file is.
    length: u64,
    is_dirty: bool,
}

impl Journal {
    /// Opens the journal in a node's directory; gives what it holds, oldest first.
    pub(crate) fn open(directory: &Path) -> io::Result<(Self, Vec<Vec<u8>>)> {
        Self::open_as(directory, "journal")
    }

    /// Opens a file of this form under another name.
    pub(crate) fn open_as(directory: &Path, name: &str) -> io::Result<(Self, Vec<Vec<u8>>)> {
        let file = crate::directory::options(0o600)
            .create(true)
            .truncate(false)
            .open(directory.join(name))?;
        let length = file.metadata()?.len();
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, 0)?;
        let (generation, records) = read(&bytes);
        let taken = records.iter().map(|record| HEAD + record.len()).sum::<usize>();
        let end = u64::try_from(taken).map_err(io::Error::other)?;
        // A whole record behind a torn one must not come back behind whatever takes the torn one's place.
        file.set_len(end)?;
        let journal = Self {
            file,
            generation,
            end,
            length: end,
            is_dirty: false,
        };
        Ok((journal, records))
    }

    /// Appends a record. It may be lost until [`Journal::flush`] has returned.
    pub(crate) fn append(&mut self, payload: &[u8]) -> io::Result<()> {
        let mut record = Vec::with_capacity(HEAD + payload.len());
        record.extend_from_slice(&u32::try_from(payload.len()).map_err(io::Error::other)?.to_be_bytes());
        record.extend_from_slice(&self.generation.to_be_bytes());
        record.extend_from_slice(&check(self.generation, self.end, payload));
        record.extend_from_slice(payload);
        self.file.write_all_at(&record, self.end)?;
        self.end += u64::try_from(record.len()).map_err(io::Error::other)?;
        self.length = self.length.max(self.end);
        self.is_dirty = true;
        Ok(())
    }

    /// Makes everything that was appended durable.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_dirty) {
            self.file.sync_data()?;
        }
        Ok(())
    }

    /// Begins anew. What was there need not be gone for ever after a crash: it is about a height that is done.
    pub(super) fn reset(&mut self) -> io::Result<()> {
        self.generation += 1;
        self.end = 0;
        self.is_dirty = false;
        if self.length > JOURNAL_KEPT_BYTES {
            self.file.set_len(0)?;
            self.length = 0;
        }
        Ok(())
    }
}

fn check(generation: u64, place: u64, payload: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&generation.to_be_bytes());
    hasher.update(&place.to_be_bytes());
    hasher.update(payload);
    let mut check = [0; 16];
    hasher.finalize_xof().fill(&mut check);
    check
}

/// The records from the front on that check, and their generation.
fn read(bytes: &[u8]) -> (u64, Vec<Vec<u8>>) {
    let (mut records, mut generation, mut place) = (Vec::new(), None, 0);
    while let Some((found, payload)) = bytes.get(place..).and_then(|rest| record(rest, place)) {
        if generation.is_some_and(|generation| generation != found) {
            break;
        }
        generation = Some(found);
        place += HEAD + payload.len();
        records.push(payload.to_vec());
    }
    (generation.unwrap_or(0), records)
}

fn record(rest: &[u8], place: usize) -> Option<(u64, &[u8])> {
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (generation, rest) = rest.split_first_chunk::<8>()?;
    let (expected, rest) = rest.split_first_chunk::<16>()?;
    let payload = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    let generation = u64::from_be_bytes(*generation);
    (check(generation, u64::try_from(place).ok()?, payload) == *expected).then_some((generation, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(directory: &Path) -> (Journal, Vec<Vec<u8>>) {
        Journal::open(directory).unwrap()
    }

    #[test]
    fn what_was_appended_is_found_again_until_the_journal_begins_anew() {
        let directory = tempfile::tempdir().unwrap();
        let (mut journal, found) = open(directory.path());
        assert!(found.is_empty());
        for payload in [&b"one"[..], b"", b"three"] {
            journal.append(payload).unwrap();
        }
        journal.flush().unwrap();
        drop(journal);
        let (mut journal, found) = open(directory.path());
        assert_eq!(found, [&b"one"[..], b"", b"three"]);
        journal.append(b"four").unwrap();
        drop(journal);
        let (mut journal, found) = open(directory.path());
        assert_eq!(found.len(), 4);
        journal.reset().unwrap();
        journal.append(b"uno").unwrap();
        drop(journal);
        assert_eq!(
            open(directory.path()).1,
            [b"uno"],
            "the others are still in the file and do not count"
        );
    }

    #[test]
    fn a_torn_record_is_dropped_wherever_it_was_torn() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("journal");
        let (mut journal, _) = open(directory.path());
        journal.append(b"whole").unwrap();
        let first = std::fs::metadata(&file).unwrap().len();
        journal.append(b"torn").unwrap();
        drop(journal);
        let bytes = std::fs::read(&file).unwrap();
        for length in usize::try_from(first).unwrap()..bytes.len() {
            std::fs::write(&file, &bytes[..length]).unwrap();
            assert_eq!(open(directory.path()).1, [b"whole"], "{length} bytes");
        }
        for place in usize::try_from(first).unwrap()..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            std::fs::write(&file, &changed).unwrap();
            assert_eq!(open(directory.path()).1, [b"whole"], "byte {place} changed");
        }
    }

    #[test]
    fn a_whole_record_behind_a_torn_one_never_comes_back() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("journal");
        let (mut journal, _) = open(directory.path());
        journal.append(b"torn").unwrap();
        journal.append(b"whole").unwrap();
        drop(journal);
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[HEAD] ^= 1;
        std::fs::write(&file, &bytes).unwrap();
        let (mut journal, found) = open(directory.path());
        assert!(found.is_empty());
        journal.append(b"same").unwrap();
        drop(journal);
        assert_eq!(open(directory.path()).1, [b"same"]);
    }

    #[test]
    fn a_first_record_that_was_torn_over_an_older_one_brings_nothing_back() {
        let directory = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(directory.path());
        journal.append(b"old one").unwrap();
        journal.append(b"old two").unwrap();
        journal.reset().unwrap();
        journal.append(b"new one").unwrap();
        drop(journal);
        let file = directory.path().join("journal");
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[HEAD] ^= 1;
        std::fs::write(&file, &bytes).unwrap();
        let (mut journal, found) = open(directory.path());
        assert!(found.is_empty());
        journal.append(b"new one").unwrap();
        drop(journal);
        assert_eq!(open(directory.path()).1, [b"new one"]);
    }
}

//! What is known of evidence, over a restart.
//!
//! ```text
//! DIR/evidence    waits(piece)  carried(piece)  waits(piece)  carried(id) ...
//! ```
//!
//! A record is added whenever something becomes known, and the node starts with what they say together: nothing that a
//! block carries is put into a second one, and operators see what they saw. A block's record is durable before the next
//! block is made, so a crash can lose that of the newest block alone; and the newest blocks are looked at at the start,
//! which makes up for it, and for a file that is lost. What was only heard may be lost: whoever told it tells it again.

use std::collections::VecDeque;
use std::io;
use std::path::Path;

use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::evidence::Evidence;
use waxwing_core::hash::{HashKeys, Meaning};

use super::{KNOWN_MAX, SHOWN_MAX};
use crate::order::Journal;

/// The name of the file in a node's directory.
const FILE: &str = "evidence";

/// Pieces that are still known after a restart: half of what may be, so that there is always room for news.
const TAKEN_UP_MAX: usize = KNOWN_MAX / 2;

/// Records at which a start writes the file anew: more than half of them say what others say again.
const RECORDS_MAX: usize = 2 * TAKEN_UP_MAX;

/// What a record says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Record {
    /// A piece that no block carries yet.
    Waits(Evidence),
    /// A piece that a block carries.
    Carried(Evidence),
    /// The same, of a piece that stands further in front or is too old to be shown.
    CarriedId(Hash),
}

impl Record {
    fn to_bytes(&self) -> Vec<u8> {
        let (kind, rest) = match self {
            Self::Waits(piece) => (0, piece.to_bytes()),
            Self::Carried(piece) => (1, piece.to_bytes()),
            Self::CarriedId(id) => (2, id.as_bytes().to_vec()),
        };
        [&[kind][..], &rest].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        match kind {
            0 => Evidence::from_bytes(rest).ok().map(Self::Waits),
            1 => Evidence::from_bytes(rest).ok().map(Self::Carried),
            2 => rest.try_into().ok().map(|id| Self::CarriedId(Hash(id))),
            _ => None,
        }
    }
}

/// A piece that is known.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) id: Hash,
    /// Nothing if only its name is known any more.
    pub(super) evidence: Option<Evidence>,
    pub(super) is_carried: bool,
}

/// Everything that records say together, oldest first.
pub(super) fn together(keys: &HashKeys, records: impl IntoIterator<Item = Record>) -> VecDeque<Piece> {
    let mut pieces: VecDeque<Piece> = VecDeque::new();
    for record in records {
        let (id, evidence, is_carried) = match record {
            Record::Waits(piece) => (id(keys, &piece), Some(piece), false),
            Record::Carried(piece) => (id(keys, &piece), Some(piece), true),
            Record::CarriedId(id) => (id, None, true),
        };
        match pieces.iter_mut().find(|piece| piece.id == id) {
            Some(piece) => {
                piece.is_carried |= is_carried;
                piece.evidence = piece.evidence.take().or(evidence);
            }
            None => pieces.push_back(Piece {
                id,
                evidence,
                is_carried,
            }),
        }
    }
    while pieces.len() > TAKEN_UP_MAX {
        pieces.pop_front();
    }
    pieces
}

/// The name of a piece.
pub(super) fn id(keys: &HashKeys, evidence: &Evidence) -> Hash {
    keys.hash(Meaning::Evidence, &evidence.to_bytes())
}

/// The file.
#[derive(Debug)]
pub(super) struct Kept(Journal);

impl Kept {
    /// Opens the file in a node's directory; gives everything that it says.
    pub(super) fn open(directory: &Path, keys: &HashKeys) -> io::Result<(Self, VecDeque<Piece>)> {
        let (mut journal, records) = Journal::open_as(directory, FILE)?;
        let count = records.len();
        // What cannot be read was written by a later version, and is of no use to this one.
        let pieces = together(keys, records.iter().filter_map(|record| Record::from_bytes(record)));
        if count > RECORDS_MAX {
            journal = anew(directory, &pieces)?;
        }
        Ok((Self(journal), pieces))
    }

    /// Adds what was heard.
    pub(super) fn heard(&mut self, evidence: &Evidence) -> io::Result<()> {
        self.0.append(&Record::Waits(evidence.clone()).to_bytes())
    }

    /// Adds what a block carries; durable when this returns.
    pub(super) fn carried(&mut self, records: &[Record]) -> io::Result<()> {
        for record in records {
            self.0.append(&record.to_bytes())?;
        }
        self.0.flush()
    }
}

/// The file written anew, with one record for each piece. The old one counts until the new one is whole.
fn anew(directory: &Path, pieces: &VecDeque<Piece>) -> io::Result<Journal> {
    let name = format!("{FILE}.new");
    match std::fs::remove_file(directory.join(&name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let (mut journal, _) = Journal::open_as(directory, &name)?;
    let too_old = pieces.len().saturating_sub(SHOWN_MAX);
    for (place, piece) in pieces.iter().enumerate() {
        let record = match &piece.evidence {
            Some(evidence) if !piece.is_carried => Record::Waits(evidence.clone()),
            Some(evidence) if place >= too_old => Record::Carried(evidence.clone()),
            _ => Record::CarriedId(piece.id),
        };
        journal.append(&record.to_bytes())?;
    }
    journal.flush()?;
    std::fs::rename(directory.join(&name), directory.join(FILE))?;
    // Else a power failure brings the old file back, without what is added from now on.
    std::fs::File::open(directory)?.sync_all()?;
    Ok(journal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::tests::{evidence, genesis};

    #[test]
    fn records_are_read_back_together_and_old_ones_are_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let keys = genesis().keys();
        let (mut kept, pieces) = Kept::open(directory.path(), &keys).unwrap();
        assert!(pieces.is_empty());
        let [one, other] = [2, 3].map(evidence);
        kept.heard(&one).unwrap();
        kept.heard(&other).unwrap();
        kept.carried(&[Record::CarriedId(id(&keys, &one))]).unwrap();
        drop(kept);
        let (_, pieces) = Kept::open(directory.path(), &keys).unwrap();
        let said: Vec<_> = pieces
            .iter()
            .map(|piece| (piece.evidence.clone(), piece.is_carried))
            .collect();
        assert_eq!(said, [(Some(one), true), (Some(other), false)]);
    }

    #[test]
    fn a_torn_record_and_one_of_a_later_version_are_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let keys = genesis().keys();
        let (mut kept, _) = Kept::open(directory.path(), &keys).unwrap();
        kept.0.append(&[9, 1, 2]).unwrap();
        kept.heard(&evidence(2)).unwrap();
        kept.heard(&evidence(3)).unwrap();
        drop(kept);
        let path = directory.path().join(FILE);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let (_, pieces) = Kept::open(directory.path(), &keys).unwrap();
        let said: Vec<_> = pieces.into_iter().map(|piece| piece.evidence).collect();
        assert_eq!(said, [Some(evidence(2))]);
    }

    #[test]
    fn a_file_that_has_grown_long_is_written_anew_and_says_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let keys = genesis().keys();
        let (mut kept, _) = Kept::open(directory.path(), &keys).unwrap();
        let waits = evidence(2);
        kept.heard(&waits).unwrap();
        let many = u64::try_from(RECORDS_MAX).unwrap();
        let carried: Vec<Record> = (0..many)
            .map(|number| Record::CarriedId(numbered(number / 4)))
            .collect();
        kept.carried(&carried).unwrap();
        let last = evidence(3);
        kept.carried(&[Record::Carried(last.clone())]).unwrap();
        drop(kept);
        let length = || std::fs::metadata(directory.path().join(FILE)).unwrap().len();
        let before = length();
        for _ in 0..2 {
            let (_, pieces) = Kept::open(directory.path(), &keys).unwrap();
            assert_eq!(pieces.len(), RECORDS_MAX / 4 + 2);
            assert_eq!(pieces.front().unwrap().evidence.as_ref(), Some(&waits));
            assert_eq!(pieces.back().unwrap().evidence.as_ref(), Some(&last));
        }
        assert!(length() < before / 2);
    }

    fn numbered(number: u64) -> Hash {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Hash(bytes)
    }
}

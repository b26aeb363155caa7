//! The validator's journal: what a height must not forget when the machine dies in the middle of it.
//!
//! ```text
//! begun at height h | what the host recorded | contents of a block, before it is voted for | ...
//! ```
//!
//! It begins anew with every height. Contents are there because a block that this validator voted for must not be lost
//! with it: if a quorum voted for it, it is final, and every one of the quorum must be able to show it.

use waxwing_core::block::Block;
use waxwing_core::codec::{Decode, Encode, put_count, put_list};
use waxwing_core::ledger::Step;
use waxwing_order::Record;

const BEGUN: u8 = 0;
const HOST: u8 = 1;
const CONTENTS: u8 = 2;

/// The height that the records behind it are about.
pub(super) fn begun(height: u64) -> Vec<u8> {
    let mut bytes = vec![BEGUN];
    bytes.extend_from_slice(&height.to_be_bytes());
    bytes
}

pub(super) fn host(record: &Record) -> Vec<u8> {
    let mut bytes = vec![HOST];
    record.encode(&mut bytes);
    bytes
}

pub(super) fn contents(step: &Step) -> Vec<u8> {
    let mut bytes = vec![CONTENTS];
    step.header.encode(&mut bytes);
    put_count(&mut bytes, step.entries.len());
    for entry in &step.entries {
        entry.carried.encode(&mut bytes);
    }
    put_list(&mut bytes, &step.evidence);
    bytes
}

/// What a journal holds.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    /// The height it is about.
    pub(super) height: u64,
    /// What the host recorded, oldest first.
    pub(super) records: Vec<Record>,
    /// Blocks that may have been voted for.
    pub(super) blocks: Vec<Block>,
}

/// A record is none: not a torn one, which the file drops, but one that this program did not write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Foreign;

/// Reads a journal.
pub(super) fn read(journal: &[Vec<u8>]) -> Result<Recovered, Foreign> {
    let mut recovered = Recovered::default();
    for record in journal {
        match record.split_first() {
            Some((&BEGUN, height)) => {
                recovered = Recovered {
                    height: u64::from_be_bytes(height.try_into().map_err(|_| Foreign)?),
                    ..Recovered::default()
                };
            }
            Some((&HOST, record)) => recovered.records.push(Record::from_bytes(record).map_err(|_| Foreign)?),
            Some((&CONTENTS, block)) => recovered.blocks.push(Block::from_bytes(block).map_err(|_| Foreign)?),
            _ => return Err(Foreign),
        }
    }
    Ok(recovered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_order::{Timer, TimerKind};

    fn timeout(height: u64) -> Record {
        Record::Timeout(Timer {
            height,
            round: 1,
            kind: TimerKind::Propose,
        })
    }

    #[test]
    fn what_was_written_of_the_newest_height_is_read_back() {
        let journal = [begun(7), host(&timeout(7)), begun(8), host(&timeout(8))];
        let recovered = read(&journal).unwrap();
        assert_eq!((recovered.height, recovered.records), (8, vec![timeout(8)]));
        assert!(recovered.blocks.is_empty());
        assert_eq!(read(&[]).unwrap().height, 0);
    }

    #[test]
    fn what_this_program_did_not_write_is_refused() {
        for foreign in [&[][..], &[9], &[BEGUN, 1], &[HOST, 0], &[CONTENTS]] {
            assert_eq!(read(&[begun(1), foreign.to_vec()]).unwrap_err(), Foreign, "{foreign:?}");
        }
    }
}

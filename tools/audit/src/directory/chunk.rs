//! Reading blocks in chunks: one sweep over each table for many blocks, so that small blocks cost no more than large ones.

use core::ops::ControlFlow;

use waxwing_core::certificate::{Certificate, Head};
use waxwing_core::codec::{CodecError, Decode};
use waxwing_core::committee::Signatures;
use waxwing_core::envelope::{Body, Carried};
use waxwing_core::limits::BLOCK_BYTES_MAX;
use waxwing_store::rows::{self, BlockRow, EntryRow};
use waxwing_store::{Family, Tables};

use super::{Directory, unopened, unreadable};
use crate::source::{Gap, Label, SourceBlock, SourceError};

/// Blocks in a chunk.
pub(super) const BLOCKS: usize = 256;

/// Entries in a chunk; the last block can exceed it by its own.
const ENTRIES: u64 = 2048;

/// Bytes of bodies that are read at once; the last block can exceed it by its own.
const BYTES: u64 = 8 << 20;

/// What a sweep found wrong, which ends it.
type Stop = Option<SourceError>;

impl<T: Tables> Directory<T> {
    /// Reads a chunk of blocks; after the last one it says why there are no more.
    pub(super) fn fill(&mut self) -> Result<(), SourceError> {
        let outcome = self.read_chunk();
        if outcome.is_err() && self.chunk > 1 {
            // Somewhere in the chunk is a row that cannot be read: one block at a time tells which block's it is.
            self.chunk = 1;
            return self.read_chunk();
        }
        outcome
    }

    fn read_chunk(&mut self) -> Result<(), SourceError> {
        let (mut blocks, end) = self.headers()?;
        let gap = self.entries(&mut blocks)?;
        if let Some(broken) = gap {
            blocks.truncate(broken + 1);
        } else {
            self.end = end;
        }
        let (fitting, is_whole) = fitting(&blocks);
        blocks.truncate(fitting);
        if !is_whole {
            // The rest is read again with the next chunk; so is why there are no more.
            self.end = None;
        }
        self.bodies(&mut blocks)?;
        self.is_over = blocks.is_empty() || gap.is_some_and(|broken| broken < fitting) || self.end.is_some();
        for block in &blocks {
            self.position = self.position.saturating_add(u64::from(block.head.header.entry_count));
            self.height = self.height.saturating_add(1);
        }
        self.ready.extend(blocks);
        Ok(())
    }

    /// The next blocks without their entries, and what is wrong with the one after them.
    fn headers(&self) -> Result<(Vec<SourceBlock>, Stop), SourceError> {
        let (mut blocks, mut stop, mut entries) = (Vec::new(), None, 0);
        let (mut expected, from) = (self.height, rows::number_key(self.height));
        // Behind what is filled in there may be headers without their blocks, and later blocks without what came before.
        let gap = self.store.gap();
        let to = gap.map(|gap| rows::number_key(gap.filled.saturating_add(1)));
        let to = to.as_ref().map(<[u8; 8]>::as_slice).filter(|to| *to > from.as_slice());
        let last = gap.map_or(self.store.applied(), |gap| gap.filled);
        if gap.is_some() && to.is_none() {
            return Ok((blocks, None));
        }
        // Of a snapshot that was not brought in to its end there may be any rows; none counts.
        if gap.is_none() && self.store.is_joining().map_err(|error| unopened(error.into()))? {
            return Ok((blocks, None));
        }
        let tables = self.store.tables();
        tables
            .scan(Family::Block, &from, to, |key, value| {
                match self.header(key, value, expected) {
                    Ok(block) => {
                        entries += u64::from(block.head.header.entry_count);
                        blocks.push(block);
                    }
                    Err(error) => stop = Some(error),
                }
                expected = expected.saturating_add(1);
                go_on(stop.is_none() && blocks.len() < self.chunk && entries < ENTRIES)
            })
            .map_err(|failure| unreadable(&failure))?;
        let is_end = stop.is_none() && blocks.len() < self.chunk && entries < ENTRIES;
        if is_end && expected <= last {
            stop = Some(SourceError::MissingBlock);
        }
        Ok((blocks, stop))
    }

    fn header(&self, key: &[u8], value: &[u8], expected: u64) -> Result<SourceBlock, SourceError> {
        match rows::decode_number(key) {
            Ok(height) if height == expected => {}
            Ok(_) => return Err(SourceError::MissingBlock),
            Err(error) => return Err(malformed(&format!("the key of a block after {expected}"), error)),
        }
        let row =
            BlockRow::from_bytes(value).map_err(|error| malformed(&format!("the row of block {expected}"), error))?;
        // A row without a certificate is a block with one that nobody signed.
        let nobody = || Certificate {
            round: 0,
            signatures: Signatures::collect(&self.store.genesis().committee(), []),
        };
        Ok(SourceBlock {
            head: Head {
                header: row.header,
                certificate: row.certificate.unwrap_or_else(nobody),
            },
            entries: Vec::new(),
            evidence: row.evidence,
            gap: None,
            labels: Vec::new(),
        })
    }

    /// Fills in the entries, their bodies still absent; says which block is the first that lacks one.
    fn entries(&self, blocks: &mut [SourceBlock]) -> Result<Option<usize>, SourceError> {
        let (mut sorter, mut stop) = (Sorter::new(self.position, blocks), None);
        let (from, to) = (rows::number_key(sorter.first), rows::number_key(sorter.end));
        let tables = self.store.tables();
        tables
            .scan(Family::Entry, &from, Some(&to), |key, value| {
                match rows::decode_number(key) {
                    Ok(position) => sorter.put(position, EntryRow::from_bytes(value)),
                    Err(error) => stop = Some(malformed("the key of an entry", error)),
                }
                go_on(stop.is_none() && sorter.broken.is_none())
            })
            .map_err(|failure| unreadable(&failure))?;
        stop.map_or_else(|| Ok(sorter.finish()), Err)
    }

    /// Fills in bodies and excuses.
    fn bodies(&self, blocks: &mut [SourceBlock]) -> Result<(), SourceError> {
        let mut slots: Vec<Slot<'_>> = Vec::new();
        for block in blocks {
            let reading = Reading::of(block);
            slots.extend(block.entries.iter_mut().map(|entry| Slot {
                limit: usize::try_from(entry.signed.header.body_length).unwrap_or(usize::MAX),
                body: &mut entry.body,
                reading,
            }));
        }
        let first = self.position;
        let end = first.saturating_add(u64::try_from(slots.len()).unwrap_or(u64::MAX));
        let (from, to) = (rows::number_key(first), rows::number_key(end));
        for family in [Family::Excuse, Family::Body] {
            let mut stop = None;
            let tables = self.store.tables();
            tables
                .scan(family, &from, Some(&to), |key, value| {
                    let slot = rows::decode_number(key).map(|position| usize::try_from(position - first));
                    let outcome = slot.and_then(|slot| match slot.ok().and_then(|slot| slots.get_mut(slot)) {
                        Some(slot) => slot.fill(family, value),
                        None => Ok(()),
                    });
                    stop = outcome
                        .err()
                        .map(|error| malformed(&format!("a row of '{family}'"), error));
                    go_on(stop.is_none())
                })
                .map_err(|failure| unreadable(&failure))?;
            stop.map_or(Ok(()), Err)?;
        }
        Ok(())
    }
}

/// Where a body belongs.
struct Slot<'a> {
    body: &'a mut Body,
    limit: usize,
    reading: Reading,
}

/// Whether a block's bodies are read at all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Whole,
    /// They are said to have more bytes than a block can: the rules refuse it whatever they are, so they are not read into
    /// memory.
    None,
}

impl Reading {
    fn of(block: &SourceBlock) -> Self {
        if body_bytes(block) > u64::from(BLOCK_BYTES_MAX) {
            Self::None
        } else {
            Self::Whole
        }
    }
}

impl Slot<'_> {
    fn fill(&mut self, family: Family, value: &[u8]) -> Result<(), CodecError> {
        if family == Family::Excuse {
            *self.body = Body::Erased(rows::decode_excuse(value)?);
        } else if self.reading == Reading::Whole {
            // One byte more than there should be is enough to see that there are too many.
            let read = value.get(..self.limit.saturating_add(1)).unwrap_or(value);
            *self.body = Body::Present(read.to_vec());
        }
        Ok(())
    }
}

fn body_bytes(block: &SourceBlock) -> u64 {
    let lengths = block
        .entries
        .iter()
        .map(|entry| u64::from(entry.signed.header.body_length));
    lengths.sum()
}

/// How many of the blocks have bodies that may be read at once, and whether that is all of them.
fn fitting(blocks: &[SourceBlock]) -> (usize, bool) {
    let mut bytes: u64 = 0;
    let taken = blocks.iter().take_while(|block| {
        let fits = bytes < BYTES;
        bytes = bytes.saturating_add(body_bytes(block));
        fits
    });
    let count = taken.count();
    (count, count == blocks.len())
}

/// Puts rows of entries, which come by position, into their blocks.
struct Sorter<'a> {
    blocks: &'a mut [SourceBlock],
    first: u64,
    end: u64,
    /// The block that is being filled, and the position that is due.
    block: usize,
    due: u64,
    /// The block that has a gap.
    broken: Option<usize>,
}

impl<'a> Sorter<'a> {
    fn new(first: u64, blocks: &'a mut [SourceBlock]) -> Self {
        let count: u64 = blocks
            .iter()
            .map(|block| u64::from(block.head.header.entry_count))
            .sum();
        Self {
            blocks,
            first,
            end: first.saturating_add(count),
            block: 0,
            due: first,
            broken: None,
        }
    }

    /// Goes on to the block that still lacks entries.
    fn filling(&mut self) -> Option<&mut SourceBlock> {
        while let Some(block) = self.blocks.get(self.block) {
            if u32::try_from(block.entries.len()).is_ok_and(|count| count < block.head.header.entry_count) {
                break;
            }
            self.block += 1;
        }
        self.blocks.get_mut(self.block)
    }

    fn put(&mut self, position: u64, row: Result<EntryRow, CodecError>) {
        let due = self.due;
        let Some(block) = self.filling() else { return };
        match row {
            Ok(row) if position == due => {
                block.labels.push(Label {
                    height: row.height,
                    index: row.log_index,
                });
                block.entries.push(Carried {
                    signed: row.signed,
                    body: Body::Withheld,
                });
                self.due += 1;
            }
            other => {
                block.gap = Some(match other {
                    Err(error) if position == due => Gap::Undecodable(error),
                    _ => Gap::Missing,
                });
                self.broken = Some(self.block);
            }
        }
    }

    /// The first block with a gap, if there is one.
    fn finish(mut self) -> Option<usize> {
        if self.broken.is_none() {
            let block = self.filling()?;
            block.gap = Some(Gap::Missing);
            self.broken = Some(self.block);
        }
        self.broken
    }
}

const fn go_on(condition: bool) -> ControlFlow<()> {
    if condition {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(())
    }
}

fn malformed(what: &str, error: CodecError) -> SourceError {
    SourceError::Malformed {
        what: format!("{what} cannot be read: {error}"),
    }
}

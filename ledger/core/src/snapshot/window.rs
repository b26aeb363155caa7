//! The duplicate window: the headers of the last day, chained to the certified one, and what stood in their blocks.
//!
//! ```text
//! height   A ... A+64 ......................... H      A is the oldest block that an envelope can still name
//! headers  <─────<─────<────<─────<─────<────── ■      downwards, each named as parent by the one above it
//! entries   ─────┴─────┴────┴─────┴─────┴────── ■      of every block after A, each against its entries root
//! ```
//!
//! A node that orders or checks a block must know every envelope that could come again. What is remembered of one is its
//! stamp, and a stamp is certified by nothing but the entry it belongs to; so the headers of all entries come, 232 bytes
//! each, and the stamps are computed from them. The same headers say which blocks envelopes may name, and who proposed
//! when. `// SPEC 25.4, SPEC 25.5`

use std::collections::VecDeque;

use super::SnapshotError;
use super::limits::{BLOCKS_PER_PART_MAX, ENTRIES_PER_PART_MAX, HEADERS_PER_PART_MAX};
use crate::block::{BlockHeader, block_leaf, entries_root};
use crate::codec::{CodecError, Decode, Encode, Reader, put_list};
use crate::envelope::SignedHeader;
use crate::hash::{Hash, HashKeys};
use crate::limits::{ANCHOR_INTERVAL, ANCHOR_VALID_MS, BLOCK_ENTRIES_MAX, SIGNED_HEADER_BYTES};

/// Bytes of an encoded [`WindowEntry`].
const ENTRY_BYTES: usize = SIGNED_HEADER_BYTES + 8;

/// An entry of the window as it travels: what its block commits to. Nothing is checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WindowEntry {
    /// Header and signature.
    pub signed: SignedHeader,
    /// Its index in its log.
    pub log_index: u64,
}

impl Encode for WindowEntry {
    fn encode(&self, out: &mut Vec<u8>) {
        self.signed.encode(out);
        out.extend_from_slice(&self.log_index.to_be_bytes());
    }
}

impl Decode for WindowEntry {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            signed: SignedHeader::decode(reader)?,
            log_index: reader.u64()?,
        })
    }
}

/// The entries of one block of the window, in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WindowBlock {
    /// They.
    pub entries: Vec<WindowEntry>,
}

impl Encode for WindowBlock {
    fn encode(&self, out: &mut Vec<u8>) {
        put_list(out, &self.entries);
    }
}

impl Decode for WindowBlock {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            entries: reader.list(BLOCK_ENTRIES_MAX, ENTRY_BYTES)?,
        })
    }
}

/// An envelope that could come again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Recent {
    /// Height of its anchor.
    pub anchor: u64,
    /// The name under which duplicates are known.
    pub stamp: Hash,
    /// Its place among all entries of the ledger.
    pub position: u64,
}

/// What must be known of a block to check its entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Expected {
    height: u64,
    entries_root: Hash,
    count: u32,
    first: u64,
}

impl Expected {
    fn of(header: &BlockHeader) -> Self {
        Self {
            height: header.height,
            entries_root: header.entries_root,
            count: header.entry_count,
            first: header.first_position(),
        }
    }

    /// Checks the entries; gives what could come again.
    fn check(&self, keys: &HashKeys, block: &WindowBlock) -> Result<Vec<Recent>, SnapshotError> {
        let height = self.height;
        match u32::try_from(block.entries.len()).map(|given| given.cmp(&self.count)) {
            Ok(core::cmp::Ordering::Equal) => {}
            Ok(core::cmp::Ordering::Less) => return Err(SnapshotError::MissingEntry { height }),
            _ => return Err(SnapshotError::ExtraEntry { height }),
        }
        let leaf = |entry: &WindowEntry| block_leaf(keys, &entry.signed.entry_id(keys), entry.log_index);
        let leaves: Vec<Hash> = block.entries.iter().map(leaf).collect();
        if entries_root(keys, &leaves) != self.entries_root {
            return Err(SnapshotError::WrongEntry { height });
        }
        let recent = |(position, entry): (u64, &WindowEntry)| Recent {
            anchor: entry.signed.header.anchor.height,
            stamp: entry.signed.header.stamp(keys),
            position,
        };
        Ok((self.first..).zip(&block.entries).map(recent).collect())
    }
}

/// Blocks of the window that lie one behind the other, few enough to be asked for at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Group {
    /// Descending.
    blocks: Vec<Expected>,
    entries: u32,
}

impl Group {
    pub(super) fn from(&self) -> u64 {
        self.blocks.last().map_or(0, |block| block.height)
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.blocks.len()).unwrap_or(u32::MAX)
    }

    /// Checks their entries, ascending.
    pub(super) fn check(&self, keys: &HashKeys, given: &[WindowBlock]) -> Result<Vec<Recent>, SnapshotError> {
        if given.len() != self.blocks.len() {
            return Err(SnapshotError::OtherAnswer);
        }
        let mut recent = Vec::new();
        for (expected, block) in self.blocks.iter().rev().zip(given) {
            recent.extend(expected.check(keys, block)?);
        }
        Ok(recent)
    }

    fn takes(&self, block: &Expected) -> bool {
        self.count() < BLOCKS_PER_PART_MAX && self.entries.saturating_add(block.count) <= ENTRIES_PER_PART_MAX
    }
}

/// What is known of the lowest header that is here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Lowest {
    pub(super) height: u64,
    /// The block it names as its parent.
    parent: Hash,
    /// The root it names of the history before it.
    pub(super) history_root: Hash,
}

impl Lowest {
    const fn of(header: &BlockHeader) -> Self {
        Self {
            height: header.height,
            parent: header.parent,
            history_root: header.history_root,
        }
    }
}

/// The headers below the certified one, as far down as they matter.
#[derive(Debug)]
pub(super) struct Chain {
    head_time: u64,
    head_height: u64,
    /// The newest height that can be an anchor: such a block can be named however old it is.
    newest_anchor: u64,
    /// Down to here proposers must be known.
    first_proposer: u64,
    /// The lowest header here, or the head.
    lowest: Lowest,
    /// Blocks that can be named, descending.
    anchors: Vec<(u64, Hash, u64)>,
    /// Whether there are no older ones.
    is_settled: bool,
    /// Blocks whose entries are not asked for yet, descending.
    waiting: VecDeque<Expected>,
}

impl Chain {
    /// Below `head`. `genesis` is block 0 and its id, which nobody has to be asked for.
    pub(super) fn new(keys: &HashKeys, head: &BlockHeader, first_proposer: u64, genesis: (&BlockHeader, Hash)) -> Self {
        let mut chain = Self {
            head_time: head.time,
            head_height: head.height,
            newest_anchor: head.height - head.height % ANCHOR_INTERVAL,
            first_proposer,
            lowest: Lowest::of(head),
            anchors: Vec::new(),
            is_settled: false,
            waiting: VecDeque::new(),
        };
        chain.note(head, head.id(keys));
        chain.reach_genesis(genesis);
        chain
    }

    /// The headers to ask for next: the first height, and how many; `None` once everything is known.
    pub(super) fn wanted(&self) -> Option<(u64, u32)> {
        let is_done = self.is_settled && self.lowest.height <= self.first_proposer;
        let newest = self.lowest.height.checked_sub(1);
        let newest = newest.filter(|newest| *newest > 0 && !is_done)?;
        // More at a time the further it goes: a quiet ledger needs few, and no more than half as many again are for nothing.
        let taken = self.head_height.saturating_sub(self.lowest.height);
        let count = (2 * ANCHOR_INTERVAL + taken / 2).min(u64::from(HEADERS_PER_PART_MAX));
        let count = count.min(newest);
        Some((newest + 1 - count, u32::try_from(count).unwrap_or(HEADERS_PER_PART_MAX)))
    }

    /// Takes the headers that were asked for, ascending. Gives back those that count, which are all.
    pub(super) fn take(
        &mut self,
        keys: &HashKeys,
        headers: &[BlockHeader],
        genesis: (&BlockHeader, Hash),
    ) -> Result<(), SnapshotError> {
        // All of them first: a part that breaks in the middle leaves nothing behind.
        let mut lowest = self.lowest;
        let mut ids = Vec::with_capacity(headers.len());
        for header in headers.iter().rev() {
            let id = header.id(keys);
            if lowest.height.checked_sub(1) != Some(header.height) || id != lowest.parent {
                return Err(SnapshotError::BrokenChain {
                    height: lowest.height.saturating_sub(1),
                });
            }
            lowest = Lowest::of(header);
            ids.push(id);
        }
        if lowest.height == 1 && lowest.parent != genesis.1 {
            return Err(SnapshotError::BrokenChain { height: 0 });
        }
        for (header, id) in headers.iter().rev().zip(ids) {
            self.note(header, id);
        }
        self.lowest = lowest;
        self.reach_genesis(genesis);
        Ok(())
    }

    /// Block 0 is known without asking.
    fn reach_genesis(&mut self, (block, id): (&BlockHeader, Hash)) {
        if self.lowest.height == 1 {
            self.note(block, id);
            self.lowest = Lowest::of(block);
            self.settle();
        }
    }

    /// There are no older anchors; what stands in their block and before it cannot come again.
    fn settle(&mut self) {
        self.is_settled = true;
        let oldest = self.anchors.last().map_or(0, |(height, _, _)| *height);
        self.waiting.retain(|block| block.height > oldest);
    }

    /// One header further down, or the head.
    fn note(&mut self, header: &BlockHeader, id: Hash) {
        if self.is_settled {
            return;
        }
        if header.can_be_anchor() {
            let is_newest = header.height == self.newest_anchor;
            if is_newest || self.head_time.saturating_sub(header.time) <= ANCHOR_VALID_MS {
                self.anchors.push((header.height, id, header.time));
            } else {
                return self.settle();
            }
        }
        if header.entry_count > 0 {
            self.waiting.push_back(Expected::of(header));
        }
    }

    /// The lowest header here.
    pub(super) const fn lowest(&self) -> &Lowest {
        &self.lowest
    }

    /// Whether so many blocks wait that no more headers should be asked for.
    pub(super) fn is_behind(&self, most: usize) -> bool {
        self.waiting.len() >= most
    }

    /// The next blocks whose entries are to be asked for.
    pub(super) fn group(&mut self) -> Option<Group> {
        let first = self.waiting.pop_front()?;
        let mut group = Group {
            entries: first.count,
            blocks: vec![first],
        };
        while let Some(next) = self.waiting.front() {
            let follows = group.from().checked_sub(1) == Some(next.height);
            if !follows || !group.takes(next) {
                break;
            }
            group.entries += next.count;
            group.blocks.extend(self.waiting.pop_front());
        }
        Some(group)
    }

    /// Blocks that can be named, ascending.
    pub(super) fn anchors(&self) -> Vec<(u64, Hash, u64)> {
        self.anchors.iter().rev().copied().collect()
    }
}

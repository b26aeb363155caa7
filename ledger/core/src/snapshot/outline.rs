//! The outline of a log map: its subtrees of at most [`SLOT_LOGS_MAX`] logs, in the order of their map keys.
//!
//! ```text
//! root                      certified
//!  ├── 0 ──┬── 00  slot     a subtree with few enough logs, whose parent has too many
//!  │       └── 01  slot
//!  └── 1 ─────────── slot
//! ```
//!
//! A million logs are two hundred megabytes, and whoever sends them may lie in the last byte. So the hashes of the slots
//! come first, some fifty kilobytes that fold to the certified root or do not; after that each slot is checked for itself
//! as soon as it is here, whoever sent it. How a map is cut follows from its content alone: the slots are the largest
//! subtrees that are small enough, so every node can serve any slot to who knows the outline. `// SPEC 25.2`

use std::collections::VecDeque;

use super::SnapshotError;
use super::limits::SLOT_LOGS_MAX;
use crate::block::BlockHeader;
use crate::codec::{CodecError, Decode, Encode, Reader};
use crate::hash::{Hash, HashKeys, Meaning};
use crate::limits::MAP_DEPTH_MAX;

/// Bytes of an encoded [`Slot`].
pub(super) const SLOT_BYTES: usize = 38;

/// A subtree of the log map. Where it begins follows from the slots before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    /// Bits that the map keys in it share.
    pub depth: u16,
    /// Logs in it.
    pub logs: u32,
    /// Its hash; zeros without logs.
    pub hash: Hash,
}

impl Encode for Slot {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.depth.to_be_bytes());
        out.extend_from_slice(&self.logs.to_be_bytes());
        self.hash.encode(out);
    }
}

impl Decode for Slot {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let slot = Self {
            depth: reader.u16()?,
            logs: reader.u32()?,
            hash: reader.hash()?,
        };
        if usize::from(slot.depth) > MAP_DEPTH_MAX || slot.logs > SLOT_LOGS_MAX {
            return Err(CodecError::TooLong);
        }
        if (slot.logs == 0) == (slot.hash == Hash::ZERO) {
            Ok(slot)
        } else {
            Err(CodecError::BadValue)
        }
    }
}

/// Where a slot lies: the map keys that share the first `depth` bits of `start`, whose other bits are zeros.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// The lowest map key.
    pub start: Hash,
    /// Bits that are shared.
    pub depth: u16,
}

impl Span {
    /// All of the log map.
    pub const ALL: Self = Self {
        start: Hash::ZERO,
        depth: 0,
    };

    /// The span, if no bit behind the shared ones is set and there are not too many of them.
    #[must_use]
    pub fn new(start: Hash, depth: u16) -> Option<Self> {
        let is_sound = usize::from(depth) <= MAP_DEPTH_MAX && alignment(&start) <= depth;
        is_sound.then_some(Self { start, depth })
    }

    /// Whether a map key lies in it.
    #[must_use]
    pub fn contains(&self, key: &Hash) -> bool {
        common_bits(key, &self.start) >= self.depth
    }

    /// The lowest map key behind it; `None` if it reaches to the end.
    #[must_use]
    pub fn end(&self) -> Option<Hash> {
        let mut end = self.start;
        for bit in (0..self.depth).rev() {
            let byte = end.0.get_mut(usize::from(bit / 8))?;
            let mask = 0x80_u8 >> (bit % 8);
            *byte ^= mask;
            if *byte & mask != 0 {
                return Some(end);
            }
            // It was set: carry to the bit before.
        }
        None
    }
}

/// Bits up to the last one that is set: the smallest depth at which a span can begin here.
fn alignment(start: &Hash) -> u16 {
    (0..256_u16)
        .rev()
        .find(|bit| start.bit(usize::from(*bit)))
        .map_or(0, |bit| bit + 1)
}

/// Bits that two keys have in common from the front.
fn common_bits(one: &Hash, other: &Hash) -> u16 {
    let mut bits: u16 = 0;
    for (a, b) in one.0.iter().zip(&other.0) {
        let differing = a ^ b;
        bits += u16::try_from(differing.leading_zeros()).unwrap_or(0);
        if differing != 0 {
            break;
        }
    }
    bits
}

/// The hash of the subtree at `depth` of these (map key, leaf hash), which ascend and share that many bits. // SPEC 6.2
pub(super) fn subtree_root(keys: &HashKeys, depth: u16, leaves: &[(Hash, Hash)]) -> Hash {
    match leaves {
        [] => Hash::ZERO,
        [(_, leaf)] => *leaf,
        _ => {
            let middle = leaves.partition_point(|(key, _)| !key.bit(usize::from(depth)));
            let (left, right) = leaves.split_at(middle);
            // Two different keys part at the last bit at the latest, so this ends.
            let (left, right) = (
                subtree_root(keys, depth + 1, left),
                subtree_root(keys, depth + 1, right),
            );
            keys.node(Meaning::MapNode, &left, &right)
        }
    }
}

/// Cuts a map into slots. Holds one leaf more than a slot can, however many there are.
#[derive(Debug)]
pub struct Cutter<'a> {
    keys: &'a HashKeys,
    /// Where the next slot begins; `None` behind the last.
    next: Option<Hash>,
    waiting: VecDeque<(Hash, Hash)>,
    slots: Vec<Slot>,
}

impl<'a> Cutter<'a> {
    /// Before the first leaf.
    #[must_use]
    pub const fn new(keys: &'a HashKeys) -> Self {
        Self {
            keys,
            next: Some(Hash::ZERO),
            waiting: VecDeque::new(),
            slots: Vec::new(),
        }
    }

    /// The next leaf, in strictly ascending order of map keys.
    pub fn push(&mut self, map_key: Hash, leaf: Hash) {
        self.waiting.push_back((map_key, leaf));
        while self.waiting.len() > widen(SLOT_LOGS_MAX) {
            self.cut(Some(map_key));
        }
    }

    /// All slots.
    #[must_use]
    pub fn finish(mut self) -> Vec<Slot> {
        while self.next.is_some() {
            self.cut(None);
        }
        self.slots
    }

    /// Cuts off the largest subtree from here that does not reach to `beyond`, the first leaf that is one too many.
    fn cut(&mut self, beyond: Option<Hash>) {
        let Some(start) = self.next else {
            return self.waiting.clear();
        };
        let least = beyond.map_or(0, |key| common_bits(&start, &key) + 1);
        let span = Span {
            start,
            depth: alignment(&start).max(least),
        };
        let count = self.waiting.iter().take_while(|(key, _)| span.contains(key)).count();
        let leaves: Vec<(Hash, Hash)> = self.waiting.drain(..count).collect();
        self.slots.push(Slot {
            depth: span.depth,
            logs: u32::try_from(count).unwrap_or(u32::MAX),
            hash: subtree_root(self.keys, span.depth, &leaves),
        });
        self.next = span.end();
    }
}

/// An outline that is being checked, slot by slot.
#[derive(Debug)]
pub(super) struct OutlineCheck {
    /// Subtrees that wait for their right siblings: depth, hash, logs.
    open: Vec<(u16, Hash, u64)>,
    next: Option<Hash>,
    logs: u64,
    slots: Vec<(Span, Slot)>,
}

impl OutlineCheck {
    pub(super) const fn new() -> Self {
        Self {
            open: Vec::new(),
            next: Some(Hash::ZERO),
            logs: 0,
            slots: Vec::new(),
        }
    }

    /// Slots so far.
    pub(super) const fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether the slots reach to the end of the map.
    pub(super) const fn is_whole(&self) -> bool {
        self.next.is_none()
    }

    /// The next slot, under this header. What is claimed beyond the certified number of logs is refused at once, and an
    /// inner node needs more logs than a slot may have: so a liar cannot make an outline longer than the map allows.
    pub(super) fn push(&mut self, keys: &HashKeys, header: &BlockHeader, slot: Slot) -> Result<(), SnapshotError> {
        let start = self.next.ok_or(SnapshotError::OutlineShape)?;
        let span = Span::new(start, slot.depth).ok_or(SnapshotError::OutlineShape)?;
        self.logs = self.logs.saturating_add(u64::from(slot.logs));
        if self.logs > header.log_count {
            return Err(SnapshotError::OutlineCount);
        }
        self.slots.push((span, slot));
        self.next = span.end();
        let mut whole = (slot.depth, slot.hash, u64::from(slot.logs));
        while let Some((_, left, logs)) = self.open.pop_if(|(depth, _, _)| *depth == whole.0) {
            let logs = logs + whole.2;
            if logs <= u64::from(SLOT_LOGS_MAX) {
                return Err(SnapshotError::OutlineShape);
            }
            // Equal depths are siblings: what lies left of a subtree is complete by the time it comes.
            whole = (whole.0 - 1, keys.node(Meaning::MapNode, &left, &whole.1), logs);
        }
        self.open.push(whole);
        Ok(())
    }

    /// Compares a whole outline with the header.
    pub(super) fn finish(&mut self, header: &BlockHeader) -> Result<Vec<(Span, Slot)>, SnapshotError> {
        if self.logs != header.log_count {
            return Err(SnapshotError::OutlineCount);
        }
        match self.open.as_slice() {
            [(0, root, _)] if *root == header.map_root => Ok(core::mem::take(&mut self.slots)),
            _ => Err(SnapshotError::OutlineRoot),
        }
    }
}

/// A `u32` as a `usize`; both sides of the limit it stands for are far below.
fn widen(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;

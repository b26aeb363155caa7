//! A store whose history begins in the middle: what it has, what it lacks, and how proofs are made all the same.
//!
//! ```text
//! height   0 ───── filled ............ joined ───────── applied
//!          replayed so far   lacking     │    ordered since: whole
//!                                        └ from the snapshot: states of logs, history's frontier, what could come again
//! ```
//!
//! After a snapshot the next block can be checked, and everything from there on is here. What the proofs of the present
//! need of the past are complete subtrees, and those are the peaks of the frontiers that the snapshot brought: so the
//! *base*, each log's state as it was joined, is kept until the rest is filled in. Whoever asks for older blocks is told
//! that they are not here yet.

use core::sync::atomic::{AtomicU64, Ordering};

use waxwing_core::codec::{CodecError, Decode, Encode, Reader};
use waxwing_core::hash::Hash;
use waxwing_core::history;
use waxwing_core::keys::LogId;
use waxwing_core::log::{LogState, log_tree};
use waxwing_core::logmap::map_key;
use waxwing_core::merkle::{Frontier, NodeReader, Sha256Tree, TreeHasher};

use crate::error::StoreError;
use crate::guard::Guarded;
use crate::nodes::{HistoryNodes, LogNodes};
use crate::rows::{self, meta};
use crate::store::Store;
use crate::tables::{Family, Tables};

/// Blocks that a joined store lacks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// Height of the snapshot. From the block after it on everything is here.
    pub joined: u64,
    /// Height up to which blocks were filled in from the genesis on.
    pub filled: u64,
}

impl Gap {
    /// Whether a block's entries are not here yet.
    #[must_use]
    pub const fn lacks(&self, height: u64) -> bool {
        self.filled < height && height <= self.joined
    }

    /// The first height from which everything is here.
    #[must_use]
    pub const fn whole_from(&self) -> u64 {
        self.joined.saturating_add(1)
    }
}

/// Where a store was joined, for readers; zeros if it is whole.
#[derive(Debug, Default)]
pub(crate) struct Joins {
    joined: AtomicU64,
    filled: AtomicU64,
}

impl Joins {
    pub(crate) fn read<T: Tables>(rows: &Guarded<T>) -> Result<Self, StoreError> {
        let joins = Self::default();
        let malformed = |_| StoreError::Malformed(Family::Meta);
        if let Some(row) = rows.get(Family::Meta, meta::JOINED)? {
            let joint = JointRow::from_bytes(&row).map_err(malformed)?;
            let filled = match rows.get(Family::Meta, &meta::behind(meta::BEHIND_META, meta::APPLIED))? {
                Some(row) => rows::decode_number(&row).map_err(malformed)?,
                None => 0,
            };
            joins.set(joint.height, filled);
        }
        Ok(joins)
    }

    pub(crate) fn set(&self, joined: u64, filled: u64) {
        self.filled.store(filled, Ordering::Release);
        self.joined.store(joined, Ordering::Release);
    }

    pub(crate) fn fill(&self, filled: u64) {
        self.filled.store(filled, Ordering::Release);
    }

    fn gap(&self) -> Option<Gap> {
        let joined = self.joined.load(Ordering::Acquire);
        (joined > 0).then(|| Gap {
            joined,
            filled: self.filled.load(Ordering::Acquire),
        })
    }
}

/// Row of `meta`: where a store was joined.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct JointRow {
    /// Height of the snapshot's head.
    pub(crate) height: u64,
    /// Its block id.
    pub(crate) id: Hash,
    /// Over all headers before the lowest one that is here.
    pub(crate) history: Frontier,
}

impl Encode for JointRow {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.height.to_be_bytes());
        self.id.encode(out);
        self.history.encode(out);
    }
}

impl Decode for JointRow {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            height: reader.u64()?,
            id: reader.hash()?,
            history: Frontier::decode(reader)?,
        })
    }
}

impl<T: Tables> Store<T> {
    /// What this store lacks; `None` if it is whole.
    #[must_use]
    pub fn gap(&self) -> Option<Gap> {
        self.joins.gap()
    }

    /// Whether a snapshot was being brought in when the process that did it ended: until it is discarded there is nothing
    /// here but the genesis.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn is_joining(&self) -> Result<bool, StoreError> {
        Ok(self.rows.get(Family::Meta, meta::JOINING)?.is_some())
    }

    pub(crate) fn joint_row(&self) -> Result<Option<JointRow>, StoreError> {
        self.row(Family::Meta, meta::JOINED, JointRow::from_bytes)
    }

    /// The state that a log had in the snapshot; `None` if there was no such log, or there was no snapshot.
    pub(crate) fn base(&self, map_key: &Hash) -> Result<Option<LogState>, StoreError> {
        self.row(Family::Meta, &meta::base_key(map_key), rows::decode_log)
    }

    /// Entries of a log that are not here yet: its length in the snapshot, 0 in a store that is whole.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn first_index(&self, log: &LogId) -> Result<u64, StoreError> {
        if self.gap().is_none() {
            return Ok(0);
        }
        let base = self.base(&map_key(self.keys(), &log.as_hash()))?;
        Ok(base.map_or(0, |state| state.length()))
    }

    /// Refuses to answer about an entry that is not here yet.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if it stood in the log when the store was joined.
    pub fn expect_entry(&self, log: &LogId, index: u64) -> Result<(), StoreError> {
        if index < self.first_index(log)? {
            return Err(StoreError::Missing(Family::Entry));
        }
        Ok(())
    }

    /// Refuses to answer about a block that is not here yet.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if so.
    pub fn expect_block(&self, height: u64) -> Result<(), StoreError> {
        if self.gap().is_some_and(|gap| gap.lacks(height)) {
            return Err(StoreError::Missing(Family::Block));
        }
        Ok(())
    }

    /// A node of a log's tree that lies across the snapshot.
    pub(crate) fn log_node_across(&self, log: &LogId, level: u8, index: u64) -> Result<Hash, StoreError> {
        let base = self.base(&map_key(self.keys(), &log.as_hash()))?;
        let base = base.map_or_else(Frontier::empty, |state| state.frontier);
        let reader = LogNodes { store: self, log };
        across(&reader, &log_tree(self.keys()), &base, (level, index))?.ok_or(StoreError::Missing(Family::Index))
    }

    /// The same for the history, of which the way from the genesis to the snapshot is here as well.
    pub(crate) fn history_node_across(&self, level: u8, index: u64) -> Result<Hash, StoreError> {
        let on_the_way = self.rows.get(Family::Meta, &meta::path_key(level, index))?;
        if let Some(row) = on_the_way {
            let hash = row.as_ref().try_into().map(Hash);
            return hash.map_err(|_| StoreError::Malformed(Family::Meta));
        }
        let base = self.joint_row()?.map_or_else(Frontier::empty, |row| row.history);
        let reader = HistoryNodes { store: self };
        if level == 0 {
            // Headers of the window are here without their blocks.
            let header = self.header(index)?;
            return header
                .map(|header| history::leaf(&header))
                .or_else(|| peak(&base, level, index))
                .ok_or(StoreError::Missing(Family::Block));
        }
        across(&reader, &Sha256Tree, &base, (level, index))?.ok_or(StoreError::Missing(Family::Block))
    }
}

/// A node that is a peak of the base, or whose leaves lie on both sides of its end; `None` for any other.
fn across<R: NodeReader>(
    reader: &R,
    hasher: &impl TreeHasher,
    base: &Frontier,
    (level, index): (u8, u64),
) -> Result<Option<Hash>, R::Error> {
    if let Some(peak) = peak(base, level, index) {
        return Ok(Some(peak));
    }
    let (from, end) = (index << level, index.saturating_add(1) << level);
    // Whatever lies on one side is a node of its own, or not here; only one child lies across, so this is a walk down.
    if base.len() <= from || end <= base.len() || level == 0 {
        return Ok(None);
    }
    let (left, right) = (
        reader.node(level - 1, 2 * index)?,
        reader.node(level - 1, 2 * index + 1)?,
    );
    Ok(Some(hasher.node(&left, &right)))
}

/// The peak of a frontier at a place, if it is one.
fn peak(frontier: &Frontier, level: u8, index: u64) -> Option<Hash> {
    let above = frontier.len().checked_shr(u32::from(level))?;
    // The subtree at the end of what is above this level, present if the lowest of its bits is set.
    if above & 1 == 0 || above - 1 != index {
        return None;
    }
    let place = usize::try_from((above >> 1).count_ones()).ok()?;
    frontier.peaks().get(place).copied()
}

#[cfg(test)]
mod tests {
    use waxwing_core::merkle::{LeafSlice, ProofError, frontier_at};

    use super::*;

    /// Leaves from a place on, as a store has them that was joined there.
    struct Behind<'a> {
        base: &'a Frontier,
        leaves: &'a [Hash],
    }

    impl NodeReader for Behind<'_> {
        type Error = ProofError;

        fn node(&self, level: u8, index: u64) -> Result<Hash, ProofError> {
            if index << level >= self.base.len() {
                return LeafSlice::new(&Sha256Tree, self.leaves).node(level, index);
            }
            across(self, &Sha256Tree, self.base, (level, index))?.ok_or(ProofError::OutOfRange)
        }
    }

    #[test]
    fn the_peaks_of_a_base_and_what_came_after_lead_to_every_later_frontier() {
        let leaves: Vec<Hash> = (0..70_u8).map(|number| Sha256Tree.leaf_hash(&[number])).collect();
        let whole = LeafSlice::new(&Sha256Tree, &leaves);
        for joined in 0..70 {
            let base = frontier_at(&whole, joined).unwrap();
            let reader = Behind {
                base: &base,
                leaves: &leaves,
            };
            for size in joined..=70 {
                assert_eq!(
                    frontier_at(&reader, size),
                    frontier_at(&whole, size),
                    "{joined} to {size}"
                );
            }
        }
    }

    #[test]
    fn nothing_is_made_up_for_what_lies_before_the_base() {
        let leaves: Vec<Hash> = (0..70_u8).map(|number| Sha256Tree.leaf_hash(&[number])).collect();
        let base = frontier_at(&LeafSlice::new(&Sha256Tree, &leaves), 70).unwrap();
        let reader = Behind {
            base: &base,
            leaves: &leaves,
        };
        for (level, index) in [(0, 0), (1, 0), (5, 1), (1, 33), (0, 69)] {
            assert_eq!(
                reader.node(level, index),
                Err(ProofError::OutOfRange),
                "({level},{index})"
            );
        }
        for (level, index) in [(6, 0), (2, 16), (1, 34)] {
            assert!(reader.node(level, index).is_ok(), "({level},{index}) is a peak");
        }
    }
}

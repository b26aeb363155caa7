//! From rows to a ledger: what every start does, and what decides whether the rows are sound.
//!
//! The log map is built anew from the `log` rows and compared with the newest certified header, the history from the kept
//! nodes and compared with it too. So a node never goes on from state that no committee certified, however it came about;
//! there is no other way to start, and none that repairs.

use core::ops::ControlFlow;

use waxwing_core::block::BlockHeader;
use waxwing_core::codec::CodecError;
use waxwing_core::hash::Hash;
use waxwing_core::ladder::Ladder;
use waxwing_core::ledger::{Ledger, Stored};
use waxwing_core::limits::{ANCHOR_INTERVAL, ANCHOR_VALID_MS};
use waxwing_core::logmap::LogMap;

use crate::error::{RestoreError, StoreError};
use crate::rows::{self, BlockRow};
use crate::store::Store;
use crate::tables::{Family, Tables};

/// Rows of `log` read at once: 1.5 MB of hashes.
const CHUNK: usize = 1 << 14;

impl<T: Tables> Store<T> {
    /// The ledger as of the newest block: about a second for a million logs. Nothing is written.
    ///
    /// # Errors
    /// See [`RestoreError`]; each says what to do.
    pub fn restore(&self) -> Result<Ledger, RestoreError> {
        let ladder = self.climbed_ladder()?;
        let head = self.certified_tip(&ladder)?;
        let mut leaves = Leaves {
            store: self,
            size: CHUNK,
            from: Some(Hash::ZERO),
            chunk: Vec::new().into_iter(),
            error: None,
        };
        let map = LogMap::build(self.keys(), &mut leaves);
        if let Some(error) = leaves.error {
            return Err(error.into());
        }
        let stored = Stored {
            map: map.map_err(RestoreError::Map)?,
            history: self.history_frontier(head.height)?,
            anchors: self.anchors(&head)?,
            proposers: self.proposers(&ladder, &head)?,
            pending: self.pending_change(&ladder, &head)?,
            ladder,
            head,
        };
        Ledger::restore(self.genesis(), stored).map_err(RestoreError::State)
    }

    /// The newest header, its certificate checked once more: by now it may have been anywhere.
    fn certified_tip(&self, ladder: &Ladder) -> Result<BlockHeader, RestoreError> {
        let height = self.applied();
        let row: BlockRow = self.block_row(height)?.ok_or(StoreError::Missing(Family::Block))?;
        let genesis = self.genesis().block();
        let header = row.header.clone();
        if header == genesis {
            return Ok(header);
        }
        let head = row.into_head().ok_or(RestoreError::Uncertified)?;
        let verified = head.verify(self.keys(), ladder.at(height));
        let header = verified.map_err(RestoreError::Head)?.into_inner().header;
        if header.height == height {
            Ok(header)
        } else {
            Err(StoreError::Malformed(Family::Block).into())
        }
    }

    /// Blocks that envelopes may still name: the newest at a multiple of 64, and those less than a day before the head.
    pub(crate) fn anchors(&self, head: &BlockHeader) -> Result<Vec<(u64, Hash, u64)>, StoreError> {
        let mut anchors = Vec::new();
        let newest = head.height - head.height % ANCHOR_INTERVAL;
        let step = usize::try_from(ANCHOR_INTERVAL).unwrap_or(usize::MAX);
        for height in (0..=newest).rev().step_by(step) {
            let header = self.header_of(height)?;
            if height != newest && head.time.saturating_sub(header.time) > ANCHOR_VALID_MS {
                break;
            }
            anchors.push((height, header.id(self.keys()), header.time));
        }
        anchors.reverse();
        Ok(anchors)
    }
}

/// The leaves of the log map in the order of their keys, read in chunks: a million rows at once would take more memory
/// than the map.
struct Leaves<'a, T> {
    store: &'a Store<T>,
    /// Leaves in a chunk.
    size: usize,
    /// Where the next chunk starts; `None` behind the last.
    from: Option<Hash>,
    chunk: std::vec::IntoIter<(Hash, Hash)>,
    error: Option<StoreError>,
}

impl<T: Tables> Leaves<'_, T> {
    fn refill(&mut self, from: Hash) -> Result<(), StoreError> {
        let keys = self.store.keys();
        let mut chunk = Vec::with_capacity(self.size);
        let (mut next, mut outcome) = (None, Ok(()));
        self.store.rows.scan(Family::Log, from.as_bytes(), None, |key, value| {
            let leaf = leaf(key, value).map(|(key, state)| (key, state.leaf(keys).hash(keys)));
            match leaf {
                Ok((key, _)) if chunk.len() == self.size => next = Some(key),
                Ok(leaf) => {
                    chunk.push(leaf);
                    return ControlFlow::Continue(());
                }
                Err(_) => outcome = Err(StoreError::Malformed(Family::Log)),
            }
            ControlFlow::Break(())
        })?;
        outcome?;
        self.chunk = chunk.into_iter();
        self.from = next;
        Ok(())
    }
}

fn leaf(key: &[u8], value: &[u8]) -> Result<(Hash, waxwing_core::log::LogState), CodecError> {
    let key = key.try_into().map(Hash).map_err(|_| CodecError::Truncated)?;
    Ok((key, rows::decode_log(value)?))
}

impl<T: Tables> Iterator for Leaves<'_, T> {
    type Item = (Hash, Hash);

    fn next(&mut self) -> Option<(Hash, Hash)> {
        if let Some(leaf) = self.chunk.next() {
            return Some(leaf);
        }
        let from = self.from.take()?;
        match self.refill(from) {
            Ok(()) => self.chunk.next(),
            Err(error) => {
                self.error = Some(error);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Plan, World};
    use crate::memory::MemoryTables;

    #[test]
    fn leaves_come_once_and_in_order_however_they_are_cut() {
        let plan = Plan {
            entries: 24,
            logs: 24,
            per_block: 8,
            bytes: 1,
            interval: 1,
        };
        let mut world = World::found(MemoryTables::new(), 1);
        world.grow(0, &plan);
        let leaves = |size| -> Vec<(Hash, Hash)> {
            Leaves {
                store: &world.store,
                size,
                from: Some(Hash::ZERO),
                chunk: Vec::new().into_iter(),
                error: None,
            }
            .collect()
        };
        let whole = leaves(CHUNK);
        assert_eq!(whole.len(), 24);
        assert!(whole.is_sorted_by(|(one, _), (next, _)| one < next));
        for size in 1..26 {
            assert_eq!(leaves(size), whole, "chunks of {size}");
        }
        let map = LogMap::build(world.store.keys(), whole).unwrap();
        assert_eq!(map.root(), world.ledger.head().map_root);
    }
}

//! Proofs, made from what is kept.
//!
//! What is proved is always a state of the past: only complete subtrees are read ([`crate::nodes`]), and those never
//! change. So a proof for the head a client is shown can be made while the next block is being written.

use waxwing_core::block::{BlockHeader, block_leaf};
use waxwing_core::follow::{HeadProof, HeadUpdate, LadderStep, LogProof};
use waxwing_core::hash::{Hash, Meaning};
use waxwing_core::keys::LogId;
use waxwing_core::ledger::{Ledger, LedgerReader};
use waxwing_core::limits::LADDER_STEPS_MAX;
use waxwing_core::log::LogState;
use waxwing_core::logmap::{MapLeaf, MapPath, map_key};
use waxwing_core::merkle::{
    Frontier, InclusionProof, KeyedTree, PathError, Sha256Tree, frontier_at, inclusion_path, path_of,
};
use waxwing_core::receipt::Receipt;

use crate::error::StoreError;
use crate::nodes::{HistoryNodes, LogNodes};
use crate::rows;
use crate::store::Store;
use crate::tables::{Family, Tables};

impl<T: Tables> Store<T> {
    /// The frontier that a log had when it was `size` entries long; `None` if it never was.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn frontier_at(&self, log: &LogId, size: u64) -> Result<Option<Frontier>, StoreError> {
        let frontier = self.log(log)?.map_or_else(Frontier::empty, |state| state.frontier);
        if size == frontier.len() {
            return Ok(Some(frontier));
        }
        if size > frontier.len() {
            return Ok(None);
        }
        self.frontier_of(log, size).map(Some)
    }

    pub(crate) fn frontier_of(&self, log: &LogId, size: u64) -> Result<Frontier, StoreError> {
        frontier_at(&LogNodes { store: self, log }, size).map_err(|error| read_error(error, Family::Log))
    }

    /// The frontier of the history over the first `size` headers, which are all here.
    pub(crate) fn history_frontier(&self, size: u64) -> Result<Frontier, StoreError> {
        frontier_at(&HistoryNodes { store: self }, size).map_err(|error| read_error(error, Family::Block))
    }

    /// That the header at height `older` is in the history that a header at height `newer` commits to; `None` if it is
    /// not older, or the newer one is not here.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn history_path(&self, older: u64, newer: u64) -> Result<Option<InclusionProof>, StoreError> {
        if older >= newer || newer > self.applied() {
            return Ok(None);
        }
        match inclusion_path(&Sha256Tree, &HistoryNodes { store: self }, older, newer) {
            Ok(path) => Ok(Some(path)),
            Err(error) => Err(read_error(error, Family::Block)),
        }
    }

    /// What brings a client that holds the head at height `held` to the one at height `head`; `None` if that one is older,
    /// is not here or is block 0. With more changes of the committee in between than fit into one message, it leads to the
    /// last change that does, and the client asks again from there.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn head_update(&self, held: u64, head: u64) -> Result<Option<HeadUpdate>, StoreError> {
        let max = usize::try_from(LADDER_STEPS_MAX).unwrap_or(usize::MAX);
        self.head_update_of(held, head, max)
    }

    /// The same with at most so many changes of the committee.
    pub(crate) fn head_update_of(&self, held: u64, head: u64, max: usize) -> Result<Option<HeadUpdate>, StoreError> {
        if head < held || head > self.applied() {
            return Ok(None);
        }
        let rungs = self.rungs(held, head, max)?;
        let head = match rungs.last() {
            Some((last, _)) if rungs.len() == max => *last,
            _ => head,
        };
        let (mut ladder, mut below) = (Vec::with_capacity(rungs.len()), held);
        for (height, next) in rungs {
            ladder.push(LadderStep {
                head: self.certified(height)?.ok_or(StoreError::Missing(Family::Block))?,
                extension: self.extension(below, height)?,
                next,
            });
            below = height;
        }
        let extension = self.extension(below, head)?;
        Ok(self.certified(head)?.map(|head| HeadUpdate {
            ladder,
            head,
            extension,
        }))
    }

    /// That one block here extends another one, not newer; empty if they are one.
    fn extension(&self, older: u64, newer: u64) -> Result<InclusionProof, StoreError> {
        Ok(self.history_path(older, newer)?.unwrap_or_default())
    }

    /// What the log map of the ledger's head says about a log. The ledger may be a block behind the store: a block is
    /// durable before it is true.
    ///
    /// # Errors
    /// If it cannot be read, or what is stored is not what the ledger was restored from.
    pub fn log_proof(&self, ledger: &Ledger, log: &LogId) -> Result<LogProof, StoreError> {
        let key = map_key(self.keys(), &log.as_hash());
        let leaf = |key: &Hash| {
            let leaf = self.leaf_at(ledger.head(), key)?;
            leaf.ok_or(StoreError::Missing(Family::Log))
        };
        Ok(match ledger.prove(&key) {
            MapPath::Present(path) => LogProof {
                leaf: Some(leaf(&key)?),
                path,
            },
            MapPath::EmptySlot(path) => LogProof { leaf: None, path },
            MapPath::OtherLeaf(other) => {
                let there = leaf(other.map_key())?;
                let path = other.into_absence(self.keys(), there);
                LogProof {
                    leaf: None,
                    path: path.map_err(|_| StoreError::Malformed(Family::Log))?,
                }
            }
        })
    }

    /// "This log has exactly n entries with this root", for a client that holds the head at height `held`; `None` if the
    /// ledger's head is older, or block 0.
    ///
    /// # Errors
    /// As [`Store::log_proof`].
    pub fn head_proof(&self, ledger: &Ledger, log: &LogId, held: u64) -> Result<Option<HeadProof>, StoreError> {
        let Some(update) = self.head_update(held, ledger.head().height)? else {
            return Ok(None);
        };
        let log = self.log_proof(ledger, log)?;
        Ok(Some(HeadProof { update, log }))
    }

    /// The leaf of a log in the map of `head`, which may be older than what is stored.
    fn leaf_at(&self, head: &BlockHeader, map_key: &Hash) -> Result<Option<MapLeaf>, StoreError> {
        let Some(state) = self.row(Family::Log, map_key.as_bytes(), rows::decode_log)? else {
            return Ok(None);
        };
        let then = self.state_at(head, map_key, state)?;
        Ok(then.map(|state| state.leaf(self.keys())))
    }

    /// The state that a log, which is in `state` now, had after the block with this header; `None` if it had none. In a
    /// store that was joined the block is the snapshot's head or a later one.
    pub(crate) fn state_at(
        &self,
        head: &BlockHeader,
        map_key: &Hash,
        state: LogState,
    ) -> Result<Option<LogState>, StoreError> {
        if state.last_height <= head.height {
            return Ok(Some(state));
        }
        let base = match self.gap() {
            Some(_) => self.base(map_key)?,
            None => None,
        };
        let held = base.as_ref().map_or(0, LogState::length);
        // Positions ascend along a log: those before the end of the head's block are its entries then.
        let (mut length, mut end) = (held, state.length());
        while length < end {
            let middle = length + (end - length) / 2;
            let position = self.position_of(&state.log, middle)?;
            if position.ok_or(StoreError::Missing(Family::Index))? < head.total_entries {
                length = middle + 1;
            } else {
                end = middle;
            }
        }
        let Some(last) = length.checked_sub(1).filter(|last| *last >= held) else {
            return Ok(base);
        };
        let position = self.position_of(&state.log, last)?;
        let entry = self.entry(position.ok_or(StoreError::Missing(Family::Index))?)?;
        Ok(Some(LogState {
            frontier: self.frontier_of(&state.log, length)?,
            last_height: entry.ok_or(StoreError::Missing(Family::Entry))?.height,
            log: state.log,
        }))
    }

    /// What convinces somebody offline that the entry with an index in a log is final; `None` if there is no such entry.
    /// Reads the headers of all entries of its block: some milliseconds for the fullest.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn receipt(&self, log: &LogId, index: u64) -> Result<Option<Receipt>, StoreError> {
        let Some(position) = self.position_of(log, index)? else {
            return Ok(None);
        };
        let entry = self.entry(position)?.ok_or(StoreError::Missing(Family::Entry))?;
        let head = self
            .certified(entry.height)?
            .ok_or(StoreError::Missing(Family::Block))?;
        let leaves = self.block_leaves(&head.header)?;
        let place = position.checked_sub(head.header.first_position());
        let in_block = place.and_then(|place| u32::try_from(place).ok());
        let in_block = in_block.ok_or(StoreError::Malformed(Family::Entry))?;
        let path = path_of(&KeyedTree::block(self.keys()), &leaves, u64::from(in_block));
        Ok(Some(Receipt {
            signed: entry.signed,
            log_index: index,
            in_block,
            path: path.map_err(|_| StoreError::Malformed(Family::Entry))?,
            head,
        }))
    }

    fn block_leaves(&self, header: &BlockHeader) -> Result<Vec<Hash>, StoreError> {
        let keys = self.keys();
        let mut leaves = Vec::new();
        self.entry_rows(header, |row| {
            let (place, signed) = row.split_at_checked(rows::ENTRY_BYTES - 224).ok_or(MALFORMED_ENTRY)?;
            let log_index = place.last_chunk::<8>().ok_or(MALFORMED_ENTRY)?;
            let entry = keys.hash(Meaning::Entry, signed);
            leaves.push(block_leaf(keys, &entry, u64::from_be_bytes(*log_index)));
            Ok(())
        })?;
        Ok(leaves)
    }
}

const MALFORMED_ENTRY: StoreError = StoreError::Malformed(Family::Entry);

/// A size that no tree has comes from a row that is not what was written.
fn read_error(error: PathError<StoreError>, family: Family) -> StoreError {
    match error {
        PathError::OutOfRange => StoreError::Malformed(family),
        PathError::Read(error) => error,
    }
}

//! Nodes of trees, a sixteenth of them kept and the rest folded when asked for.
//!
//! ```text
//! level 8   *                                   kept: (log, level, index) -> hash
//! level 4   *       *       *       *           kept
//!           |\ ...                              between: folded from the kept ones below
//! level 0   leaves                              in the `index` rows of a log, the `block` rows of the history
//! ```

use waxwing_core::block::BlockHeader;
use waxwing_core::codec::{Decode, Reader};
use waxwing_core::hash::Hash;
use waxwing_core::history;
use waxwing_core::keys::LogId;
use waxwing_core::ledger::KEPT_LEVEL_STEP;
use waxwing_core::log::log_tree;
use waxwing_core::merkle::{NodeReader, Sha256Tree, root_of};

use crate::error::StoreError;
use crate::read::go_on_if;
use crate::rows::{self, HISTORY};
use crate::store::Store;
use crate::tables::{Family, Tables};

/// The tree of one log.
pub(crate) struct LogNodes<'a, T> {
    pub(crate) store: &'a Store<T>,
    pub(crate) log: &'a LogId,
}

/// The tree of all headers.
pub(crate) struct HistoryNodes<'a, T> {
    pub(crate) store: &'a Store<T>,
}

impl<T: Tables> NodeReader for LogNodes<'_, T> {
    type Error = StoreError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, StoreError> {
        let run = Run::below(level, index)?;
        let hashes = if run.level == 0 {
            let (from, to) = (rows::index_key(self.log, run.from), rows::index_key(self.log, run.to));
            let leaf = |row: &[u8]| row.last_chunk().map(|leaf| Hash(*leaf));
            run.collect(self.store, Family::Index, (&from, &to), leaf)
        } else {
            run.kept(self.store, self.log)
        };
        match hashes {
            Err(StoreError::Missing(_)) if self.store.gap().is_some() => {
                self.store.log_node_across(self.log, level, index)
            }
            hashes => Ok(root_of(&log_tree(self.store.keys()), &hashes?)),
        }
    }
}

impl<T: Tables> NodeReader for HistoryNodes<'_, T> {
    type Error = StoreError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, StoreError> {
        let run = Run::below(level, index)?;
        let hashes = if run.level == 0 {
            let (from, to) = (rows::number_key(run.from), rows::number_key(run.to));
            let leaf = |row: &[u8]| {
                let header = BlockHeader::decode(&mut Reader::new(row)).ok()?;
                Some(history::leaf(&header))
            };
            run.collect(self.store, Family::Block, (&from, &to), leaf)
        } else {
            run.kept(self.store, &HISTORY)
        };
        match hashes {
            Err(StoreError::Missing(_)) if self.store.gap().is_some() => self.store.history_node_across(level, index),
            hashes => Ok(root_of(&Sha256Tree, &hashes?)),
        }
    }
}

/// The kept nodes, or leaves, that a node is folded from: at most eight, and the node itself if it is kept.
struct Run {
    level: u8,
    from: u64,
    to: u64,
}

impl Run {
    fn below(level: u8, index: u64) -> Result<Self, StoreError> {
        let above = level % KEPT_LEVEL_STEP;
        let width = 1 << above;
        let from = index.checked_mul(width);
        let to = from.and_then(|from| from.checked_add(width));
        let (from, to) = from.zip(to).ok_or(StoreError::Missing(Family::Node))?;
        Ok(Self {
            level: level - above,
            from,
            to,
        })
    }

    fn kept<T: Tables>(&self, store: &Store<T>, tree: &LogId) -> Result<Vec<Hash>, StoreError> {
        let from = rows::node_key(tree, self.level, self.from);
        let to = rows::node_key(tree, self.level, self.to);
        let node = |row: &[u8]| row.try_into().map(Hash).ok();
        self.collect(store, Family::Node, (&from, &to), node)
    }

    /// One hash for every number from the first to the last.
    fn collect<T: Tables>(
        &self,
        store: &Store<T>,
        family: Family,
        (from, to): (&[u8], &[u8]),
        hash: impl Fn(&[u8]) -> Option<Hash>,
    ) -> Result<Vec<Hash>, StoreError> {
        let mut hashes = Vec::new();
        let mut is_sound = true;
        store.rows.scan(family, from, Some(to), |_, row| {
            match hash(row) {
                Some(hash) => hashes.push(hash),
                None => is_sound = false,
            }
            go_on_if(is_sound)
        })?;
        if !is_sound {
            return Err(StoreError::Malformed(family));
        }
        // The keys of a run are as many as its numbers, so as many rows are all of them.
        if u64::try_from(hashes.len()) == Ok(self.to - self.from) {
            Ok(hashes)
        } else {
            Err(StoreError::Missing(family))
        }
    }
}

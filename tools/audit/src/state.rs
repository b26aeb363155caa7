//! The ledger's state during a replay: everything the rules read, rebuilt from the blocks alone.
//!
//! An auditor believes no table that a node keeps. What the rules ask for while a block is checked (where a log stands,
//! whether an envelope was ordered before) is answered from here, and is itself the outcome of the blocks checked so far.
//! About 200 bytes a log, and 40 for each envelope whose anchor is still valid.

use core::convert::Infallible;
use std::collections::{HashMap, HashSet};

use waxwing_core::Hash;
use waxwing_core::keys::LogId;
use waxwing_core::ledger::{LedgerReader, Step};
use waxwing_core::log::LogState;

/// Logs and envelopes known after the blocks replayed so far.
#[derive(Debug, Default)]
pub struct State {
    logs: HashMap<LogId, LogState>,
    /// Stamps of the envelopes ordered, by the height of their anchor; an anchor's go when it expires.
    known: HashMap<u64, HashSet<Hash>>,
}

impl State {
    /// Number of entries in a log; 0 if there is no such log.
    #[must_use]
    pub fn length(&self, log: &LogId) -> u64 {
        self.logs.get(log).map_or(0, LogState::length)
    }

    /// All logs, in no order: whoever shows them sorts.
    pub fn all_logs(&self) -> impl Iterator<Item = &LogState> {
        self.logs.values()
    }

    /// Number of logs.
    #[must_use]
    pub fn logs(&self) -> usize {
        self.logs.len()
    }

    /// Makes a checked block's changes true here. Takes the logs out of the step: nothing after this needs them.
    pub(crate) fn apply(&mut self, step: &mut Step) {
        for change in std::mem::take(&mut step.logs) {
            self.logs.insert(change.state.log, change.state);
        }
        for entry in &step.entries {
            let anchor = entry.carried.signed.header.anchor.height;
            self.known.entry(anchor).or_default().insert(entry.stamp);
        }
        for anchor in &step.expired_anchors {
            self.known.remove(anchor);
        }
    }
}

impl LedgerReader for State {
    type Error = Infallible;

    fn log(&self, log: &LogId) -> Result<Option<LogState>, Infallible> {
        Ok(self.logs.get(log).cloned())
    }

    fn is_known(&self, anchor: u64, stamp: &Hash) -> Result<bool, Infallible> {
        Ok(self.known.get(&anchor).is_some_and(|stamps| stamps.contains(stamp)))
    }
}

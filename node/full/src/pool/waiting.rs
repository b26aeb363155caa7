//! The pool between those who bring envelopes and the thread that orders them, behind a lock.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use waxwing_core::Verified;
use waxwing_core::envelope::Carried;

use waxwing_core::Hash;
use waxwing_core::limits::BLOCK_BYTES_MAX;

use super::select::Selected;
use super::{Admitted, Candidate, NotAdmitted, Pool, PoolLimits};
use crate::order::Backlog;

/// Shortest and longest wait that a sender is asked for.
const RETRY_MS: (u64, u64) = (200, 30_000);

#[derive(Debug)]
struct State {
    pool: Pool,
    /// How long a block took lately, for an honest "try again in".
    block_ms: u64,
}

/// Who is told that more waits. Called without the pool's lock.
pub(crate) type Listener = Box<dyn Fn() + Send + Sync>;

/// A pool that several threads use.
pub(crate) struct Waiting {
    state: Mutex<State>,
    listener: OnceLock<Listener>,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waiting")
    }
}

impl Waiting {
    pub(crate) fn new(limits: PoolLimits) -> Self {
        let state = State {
            pool: Pool::new(limits),
            block_ms: 20,
        };
        Self {
            state: Mutex::new(state),
            listener: OnceLock::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The pool's methods do not panic half way; if one did, its counts would be off and nothing worse.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entry id of the envelope that waits under a stamp.
    pub(crate) fn entry_of(&self, stamp: &Hash) -> Option<Hash> {
        self.state().pool.entry_of(stamp)
    }

    /// Whether one more envelope of so many bytes may wait.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.state().pool.has_room(u64::try_from(bytes).unwrap_or(u64::MAX))
    }

    /// Takes envelopes in, in order; says of each whether it waits now.
    pub(crate) fn admit(&self, candidates: Vec<Candidate>) -> Vec<Result<Admitted, NotAdmitted>> {
        let mut state = self.state();
        let outcomes = candidates
            .into_iter()
            .map(|candidate| state.pool.admit(candidate))
            .collect();
        drop(state);
        if let Some(listener) = self.listener.get() {
            listener();
        }
        outcomes
    }

    /// Has `listener` called whenever envelopes were brought. The first one stays: one thread orders from one pool.
    pub(crate) fn tell(&self, listener: Listener) {
        let _ = self.listener.set(listener);
    }

    /// How much waits.
    pub(crate) fn backlog(&self) -> Backlog {
        self.state().pool.backlog()
    }

    /// What the next block is tried with, in order.
    pub(crate) fn select(&self) -> Vec<Selected> {
        self.state().pool.select()
    }

    /// The envelopes that wait under these stamps; `None` for each that does not.
    pub(crate) fn find<'a>(&self, stamps: impl Iterator<Item = &'a Hash>) -> Vec<Option<Arc<Verified<Carried>>>> {
        let state = self.state();
        stamps.map(|stamp| state.pool.carried(stamp)).collect()
    }

    /// Those of these envelopes that are to be handed to other validators now: each once, however often it is submitted.
    pub(crate) fn pass_on(&self, stamps: &[Hash]) -> Vec<Arc<Verified<Carried>>> {
        let mut state = self.state();
        stamps.iter().filter_map(|stamp| state.pool.pass_on(stamp)).collect()
    }

    /// When a sender should try again.
    pub(crate) fn retry_after_ms(&self) -> u64 {
        let state = self.state();
        let blocks = state.pool.bytes() / u64::from(BLOCK_BYTES_MAX) + 1;
        // Half of what waits must be ordered before it is worth trying again with a batch.
        (blocks * state.block_ms / 2).clamp(RETRY_MS.0, RETRY_MS.1)
    }

    /// Envelopes and bytes that wait.
    pub(crate) fn level(&self) -> (u64, u64) {
        let state = self.state();
        (u64::try_from(state.pool.len()).unwrap_or(u64::MAX), state.pool.bytes())
    }

    /// Takes out what was ordered, and what can never be; returns how many of the latter.
    pub(crate) fn settle(&self, ordered: &[Hash], hopeless: &[Hash], block_ms: u64) -> usize {
        let mut state = self.state();
        state.pool.remove_ordered(ordered);
        if !ordered.is_empty() {
            state.block_ms = (3 * state.block_ms + block_ms) / 4;
        }
        hopeless.iter().map(|stamp| state.pool.remove_hopeless(stamp)).sum()
    }
}

//! The pool between those who bring envelopes and the thread that orders them.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use waxwing_core::Hash;
use waxwing_core::limits::BLOCK_BYTES_MAX;

use super::select::Selected;
use super::{Admitted, Candidate, NotAdmitted, Pool, PoolLimits};
use crate::order::{Next, Pace};

/// Shortest and longest wait that a sender is asked for.
const RETRY_MS: (u64, u64) = (200, 30_000);

#[derive(Debug)]
struct State {
    pool: Pool,
    /// How long a block took lately, for an honest "try again in".
    block_ms: u64,
    /// No more envelopes come; what waits is still ordered.
    is_closed: bool,
    /// Nothing is ordered any more.
    is_dead: bool,
}

/// A pool that can be waited at.
#[derive(Debug)]
pub(crate) struct Waiting {
    state: Mutex<State>,
    changed: Condvar,
}

/// What the ordering thread is to do.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Try a block with these.
    Order(Vec<Selected>),
    /// There will be no more.
    End,
}

impl Waiting {
    pub(crate) fn new(limits: PoolLimits) -> Self {
        let state = State {
            pool: Pool::new(limits),
            block_ms: 20,
            is_closed: false,
            is_dead: false,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
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

    /// Takes envelopes in, in order; says of each whether it waits now.
    pub(crate) fn admit(&self, candidates: Vec<Candidate>) -> Vec<Result<Admitted, NotAdmitted>> {
        let mut state = self.state();
        let outcomes = candidates
            .into_iter()
            .map(|candidate| state.pool.admit(candidate))
            .collect();
        drop(state);
        self.changed.notify_one();
        outcomes
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

    /// Waits until it is time for a block.
    pub(crate) fn next(&self, pace: &Pace, now_ms: impl Fn() -> u64) -> Turn {
        let mut state = self.state();
        loop {
            if state.is_dead {
                return Turn::End;
            }
            state = match pace.next(now_ms(), state.pool.backlog()) {
                Next::Propose => return Turn::Order(state.pool.select()),
                Next::Rest if state.is_closed => return Turn::End,
                // What waits when the node stops is ordered without further pauses.
                Next::Pause(_) if state.is_closed => return Turn::Order(state.pool.select()),
                Next::Rest => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Next::Pause(ms) => {
                    let waited = self.changed.wait_timeout(state, Duration::from_millis(ms));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
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

    /// No more envelopes come: the ordering thread ends when nothing waits.
    pub(crate) fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }

    /// The ordering thread ends now.
    pub(crate) fn kill(&self) {
        self.state().is_dead = true;
        self.changed.notify_all();
    }
}

//! The ordering thread of a committee of one: takes from the pool, drafts, signs, makes durable, announces.
//!
//! ```text
//! select ──> draft ──> Step ──> certify ──> commit, advance, announce (see `chain`) ──> settle the pool
//!            drafting is checking: the same lines check a block that somebody else proposes
//! ```
//!
//! One thread does all of it, one block after the other: the next draft needs the state that this block leads to. Meanwhile
//! the other cores verify what comes in. An envelope stays in the pool until its block is durable, so a failure in between
//! forgets nothing.

use std::sync::{Arc, Mutex, PoisonError};

use waxwing_core::Hash;
use waxwing_core::certificate::Certificate;
use waxwing_core::ledger::{EntryFault, Step, is_timely};
use waxwing_store::{StoreError, Tables};

use super::{Pace, Voter};
use crate::chain::Chain;
use crate::clock::Clock;
use crate::faults::{CLOCK_BEHIND, Fault, Lifeline, Seldom};
use crate::meter::{Meter, Outcome};
use crate::pool::{Selected, Turn, Waiting};
use crate::reports::Reports;

/// Everything the ordering thread works with.
pub(crate) struct Proposer<T> {
    pub(crate) chain: Arc<Chain<T>>,
    pub(crate) waiting: Arc<Waiting>,
    pub(crate) voter: Arc<Mutex<Voter>>,
    pub(crate) reports: Arc<Reports>,
    pub(crate) pace: Pace,
    pub(crate) clock: Clock,
    pub(crate) lifeline: Lifeline,
    pub(crate) meter: Arc<Meter>,
    pub(crate) behind: Seldom,
}

/// What came of trying a block.
struct Tried {
    /// The block, if any entry fits.
    step: Option<Step>,
    /// Stamps of what it orders.
    ordered: Vec<Hash>,
    /// Stamps of what can never be ordered.
    hopeless: Vec<Hash>,
}

impl<T: Tables> Proposer<T> {
    /// Orders until the pool ends or the node does.
    pub(crate) fn run(mut self) {
        let clock = self.clock.clone();
        while let Turn::Order(selected) = self.waiting.next(&self.pace, || clock.steady_ms()) {
            if let Err(fault) = self.block(selected) {
                self.lifeline.fail(fault);
                return;
            }
            self.pace.done(clock.steady_ms());
        }
    }

    fn block(&mut self, selected: Vec<Selected>) -> Result<(), Fault> {
        let started = self.clock.steady_us();
        let Tried {
            step,
            ordered,
            hopeless,
        } = self.try_block(selected)?;
        if let Some(step) = step {
            let certificate = self.certify(&step)?;
            let (drafted, reports) = (self.clock.steady_us(), step.evidence.len());
            self.chain.apply(step, &certificate)?;
            self.reports.carried(reports);
            self.meter.commit(self.clock.steady_us() - drafted);
            self.meter.block(ordered.len(), self.clock.steady_us() - started);
        }
        let took_ms = u64::try_from((self.clock.steady_us() - started) / 1000).unwrap_or(u64::MAX);
        let dropped = self.waiting.settle(&ordered, &hopeless, took_ms);
        if dropped > 0 {
            self.meter
                .envelope(Outcome::Hopeless, u64::try_from(dropped).unwrap_or(u64::MAX));
        }
        Ok(())
    }

    /// Drafts a block from what was selected. What does not fit now stays in the pool for the next one.
    fn try_block(&self, selected: Vec<Selected>) -> Result<Tried, StoreError> {
        let ledger = self.chain.ledger();
        let now = self.clock.now_ms();
        if !is_timely(ledger.head().time, now) && self.behind.is_due(self.clock.steady_ms()) {
            let ahead_ms = ledger.head().time - now;
            tracing::warn!(
                code = CLOCK_BEHIND,
                ahead_ms,
                "the newest block is ahead of this machine's clock"
            );
        }
        // Strictly after the parent, whatever the clock does.
        let time = now.max(ledger.head().time.saturating_add(1));
        let mut draft = ledger.draft(self.chain.store(), time);
        let (mut ordered, mut hopeless) = (Vec::with_capacity(selected.len()), Vec::new());
        for Selected { carried, stamp } in selected {
            match draft.add(carried)? {
                Ok(()) => ordered.push(stamp),
                Err(EntryFault::LogFull | EntryFault::NewLogsFull | EntryFault::BlockFull) => {}
                Err(
                    EntryFault::AnchorUnknown
                    | EntryFault::AnchorExpired
                    | EntryFault::Duplicate
                    | EntryFault::WeakStamp { .. }
                    | EntryFault::Change(_),
                ) => hopeless.push(stamp),
            }
        }
        let proposer = self.voter.lock().unwrap_or_else(PoisonError::into_inner).public();
        let step = (!draft.is_empty()).then(|| draft.finish(proposer, self.reports.waiting()));
        Ok(Tried {
            step,
            ordered,
            hopeless,
        })
    }

    fn certify(&self, step: &Step) -> Result<Certificate, Fault> {
        let committee = self.chain.ledger().committee().clone();
        let mut voter = self.voter.lock().unwrap_or_else(PoisonError::into_inner);
        voter
            .certify(&committee, &step.header, step.id)
            .map_err(|contradiction| Fault::SignedTwice {
                signed: contradiction.signed,
            })
    }
}

impl<T> std::fmt::Debug for Proposer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proposer")
    }
}

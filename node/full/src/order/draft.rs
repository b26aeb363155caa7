//! A block made of what waits in the pool.
//!
//! Drafting is checking: the same lines check a block that somebody else proposes. An envelope stays in the pool until
//! a block that holds it is durable, so a failure in between forgets nothing.

use waxwing_core::Hash;
use waxwing_core::keys::ValidatorId;
use waxwing_core::ledger::{EntryFault, Step, is_timely};
use waxwing_store::{StoreError, Tables};

use super::event::Now;
use crate::chain::Chain;
use crate::faults::{CLOCK_BEHIND, Seldom};
use crate::pool::Selected;
use crate::reports::Reports;

/// What came of trying a block.
pub(super) struct Drafted {
    /// The block, if any entry fits.
    pub(super) step: Option<Step>,
    /// Stamps of what can never be ordered.
    pub(super) hopeless: Vec<Hash>,
}

/// Drafts a block from what was selected. What does not fit now stays in the pool for the next one.
pub(super) fn draft<T: Tables>(
    chain: &Chain<T>,
    reports: &Reports,
    selected: Vec<Selected>,
    proposer: ValidatorId,
    (now, behind): (Now, &Seldom),
) -> Result<Drafted, StoreError> {
    let ledger = chain.ledger();
    let parent = ledger.head().time;
    if !is_timely(parent, now.wall_ms) && behind.is_due(now.steady_ms) {
        let ahead_ms = parent - now.wall_ms;
        tracing::warn!(
            code = CLOCK_BEHIND,
            ahead_ms,
            "the newest block is ahead of this machine's clock"
        );
    }
    // Strictly after the parent, whatever the clock does.
    let mut draft = ledger.draft(chain.store(), now.wall_ms.max(parent.saturating_add(1)));
    let mut hopeless = Vec::new();
    for Selected { carried, stamp } in selected {
        match draft.add(carried)? {
            Ok(()) | Err(EntryFault::LogFull | EntryFault::NewLogsFull | EntryFault::BlockFull) => {}
            Err(
                EntryFault::AnchorUnknown
                | EntryFault::AnchorExpired
                | EntryFault::Duplicate
                | EntryFault::WeakStamp { .. }
                | EntryFault::Change(_),
            ) => hopeless.push(stamp),
        }
    }
    let step = (!draft.is_empty()).then(|| {
        // What was evidence when it was reported is no use in a block that others would refuse for it.
        let mut evidence = reports.waiting();
        evidence.retain(|piece| ledger.check_evidence(piece).is_ok());
        draft.finish(proposer, evidence)
    });
    Ok(Drafted { step, hopeless })
}

//! Sync: a follower copies the ledger from upstream nodes, checks everything, and then is as good a node as they are.
//!
//! ```text
//! session (one per upstream node)   connect, compare networks, follow heads, hear of erasures
//!     │ who has what, verified
//! standing                          pure: whom to ask next
//!     │
//! copy (one)                        fetch ── check ── apply
//! ```
//!
//! A node that votes does not: it decides blocks itself, and copies only what it missed ([`behind`]).
//!
//! Nothing is called final here that this node has not verified itself; what an upstream node claims is shown as a claim.

mod behind;
mod check;
mod copy;
mod faults;
mod session;
mod standing;
mod upstreams;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use waxwing_core::certificate::Head;
use waxwing_core::codec::Encode;
use waxwing_core::committee::Committee;
use waxwing_core::evidence::Evidence;
use waxwing_core::evidence_file::{EvidenceFile, Rung};
use waxwing_core::hash::HashKeys;
use waxwing_net::quic::{Closed, Dialer, RequestError};
use waxwing_store::{StoreError, Tables};

pub(crate) use behind::{CatchingUp, Lacking};
pub(crate) use check::{Absent, Checked, Ended, Rules, check};
pub use faults::{Lie, RuleBroken, UpstreamFault};
pub use upstreams::UpstreamStatus;
pub(crate) use upstreams::Upstreams;

use crate::chain::Chain;
use crate::clock::Clock;
use crate::erasures::Erasures;
use crate::faults::{FORKED, Lifeline};
use crate::meter::Meter;
use crate::order::Inbox;
use crate::reports::Reports;
use crate::serve::Memory;
use crate::workers::Workers;

/// The end of a loop in good order.
struct Stop;

/// Everything that copying works with.
pub(crate) struct Copying<T> {
    pub(crate) chain: Arc<Chain<T>>,
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) erasures: Arc<Erasures<T>>,
    pub(crate) reports: Arc<Reports>,
    pub(crate) workers: Arc<Workers>,
    pub(crate) clock: Clock,
    pub(crate) lifeline: Lifeline,
    pub(crate) meter: Arc<Meter>,
    /// Where evidence is kept.
    pub(crate) directory: PathBuf,
    pub(crate) halted: Arc<AtomicBool>,
    /// The thread that orders.
    pub(crate) inbox: Arc<Inbox>,
    /// What was passed on and is not final yet.
    pub(crate) memory: Arc<Memory>,
    /// Whether this node votes.
    pub(crate) votes: watch::Receiver<bool>,
    pub(crate) catching_up: CatchingUp,
    pub(crate) lacking: Mutex<Lacking>,
}

impl<T: Tables> Copying<T> {
    /// Begins to copy, on tasks of the caller's runtime, until the node stops. It pauses while the node votes.
    pub(crate) fn begin(self: &Arc<Self>, dialer: Dialer) {
        let dialer = Arc::new(dialer);
        for index in 0..self.upstreams.addresses().len() {
            tokio::spawn(session::attend(Arc::clone(self), Arc::clone(&dialer), index));
        }
        tokio::spawn(copy::copy(Arc::clone(self)));
    }

    fn fault(&self, index: usize, fault: &UpstreamFault) {
        if *fault == UpstreamFault::Request(RequestError::Closed(Closed::Here)) {
            // The reason for which this node ended the connection was noted then, and must not be covered by this.
            return self.upstreams.disconnected(index);
        }
        if let UpstreamFault::Withholds { height, .. } = fault {
            self.upstreams.withholds(*height, index);
        }
        self.meter.upstream_fault(fault.name());
        self.upstreams.fault(index, fault);
    }

    fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Relaxed)
    }

    /// Who certifies blocks.
    fn certifiers(&self) -> (HashKeys, Committee) {
        let ledger = self.chain.ledger();
        (ledger.keys().clone(), ledger.committee().clone())
    }

    /// Compares the heads that upstream nodes showed with the ledger, as far as the ledger goes.
    fn compare(&self) {
        for head in self.upstreams.take_heads(self.chain.tip().height) {
            self.contradicts(head);
        }
    }

    /// Halts if a head that somebody showed is certified and is not the block held here at its height.
    fn contradicts(&self, theirs: Head) {
        let (keys, _) = self.certifiers();
        let Ok(Some(own)) = self.chain.store().certified(theirs.header.height) else {
            return;
        };
        let evidence = Evidence::of_heads(&keys, own, theirs);
        // Two certified heads of one height, or it is no evidence of anything.
        if self.chain.ledger().check_evidence(&evidence).is_ok() {
            self.halt(&evidence);
        }
    }

    /// The committee certified two histories. Which one is right nobody can compute, so this node copies neither, keeps
    /// serving what it has, and keeps the evidence for people.
    fn halt(&self, evidence: &Evidence) {
        if self.halted.swap(true, Ordering::Relaxed) {
            return;
        }
        let height = evidence.height();
        if self.reports.found(self.chain.store().keys(), evidence) {
            self.reports.pass_on(evidence);
        }
        let file = self.directory.join(format!("fork-at-{height}.wxe"));
        let kept = self.portable(evidence);
        let kept = kept.map(|evidence| std::fs::write(&file, evidence.to_bytes()));
        tracing::error!(
            code = FORKED,
            height,
            file = %file.display(),
            is_kept = matches!(kept, Ok(Ok(()))),
            "two certified blocks of one height exist; nothing more is copied"
        );
    }
}

impl<T: Tables> Copying<T> {
    /// Evidence with the changes of the committee that lead to the accused one: what a stranger needs to check it.
    fn portable(&self, evidence: &Evidence) -> Result<EvidenceFile, StoreError> {
        let (store, mut held, mut ladder) = (self.chain.store(), 0, Vec::new());
        // As clients climb: some changes at a time, each time from the last one.
        while let Some(update) = store.head_update(held, store.applied())? {
            let top = update.ladder.last().map_or(held, |last| last.head.header.height);
            ladder.extend(update.ladder.into_iter().map(Rung::from));
            if top <= held {
                break;
            }
            held = top;
        }
        ladder.retain(|rung| rung.head.header.height < evidence.height());
        Ok(EvidenceFile {
            genesis: store.genesis().clone(),
            ladder,
            evidence: evidence.clone(),
        })
    }
}

fn lock<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    // A height and a set that are exchanged as a whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> std::fmt::Debug for Copying<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Copying")
    }
}

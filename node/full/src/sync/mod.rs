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
//! Nothing is called final here that this node has not verified itself; what an upstream node claims is shown as a claim.

mod check;
mod copy;
mod faults;
mod session;
mod standing;
mod upstreams;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use waxwing_core::certificate::Head;
use waxwing_core::codec::Encode;
use waxwing_core::committee::Committee;
use waxwing_core::evidence::Evidence;
use waxwing_core::hash::HashKeys;
use waxwing_net::quic::{Closed, Dialer, RequestError};
use waxwing_store::Tables;

pub use faults::{Lie, RuleBroken, UpstreamFault};
pub use upstreams::UpstreamStatus;
pub(crate) use upstreams::Upstreams;

use crate::chain::Chain;
use crate::clock::Clock;
use crate::erasures::Erasures;
use crate::faults::{FORKED, Lifeline};
use crate::meter::Meter;
use crate::workers::Workers;

/// The end of a loop in good order.
struct Stop;

/// Everything that copying works with.
pub(crate) struct Copying<T> {
    pub(crate) chain: Arc<Chain<T>>,
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) erasures: Arc<Erasures<T>>,
    pub(crate) workers: Arc<Workers>,
    pub(crate) clock: Clock,
    pub(crate) lifeline: Lifeline,
    pub(crate) meter: Arc<Meter>,
    /// Where evidence is kept.
    pub(crate) directory: PathBuf,
    pub(crate) halted: Arc<AtomicBool>,
}

impl<T: Tables> Copying<T> {
    /// Begins to copy, on tasks of the caller's runtime, until the node stops.
    pub(crate) fn begin(self, dialer: Dialer) {
        let (copying, dialer) = (Arc::new(self), Arc::new(dialer));
        for index in 0..copying.upstreams.addresses().len() {
            tokio::spawn(session::attend(Arc::clone(&copying), Arc::clone(&dialer), index));
        }
        tokio::spawn(copy::copy(copying));
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
        let (keys, committee) = self.certifiers();
        let Ok(Some(own)) = self.chain.store().certified(theirs.header.height) else {
            return;
        };
        let evidence = Evidence::of_heads(&keys, own, theirs);
        // Two certified heads of one height, or it is no evidence of anything.
        if evidence.verify(&keys, &committee).is_ok() {
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
        let file = self.directory.join(format!("fork-at-{height}.evidence"));
        let kept = std::fs::write(&file, evidence.to_bytes());
        tracing::error!(
            code = FORKED,
            height,
            file = %file.display(),
            is_kept = kept.is_ok(),
            "two certified blocks of one height exist; nothing more is copied"
        );
    }
}

impl<T> std::fmt::Debug for Copying<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Copying")
    }
}

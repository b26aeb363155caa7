//! The one history, kept by somebody who sees everything: what every honest validator applied is compared with it.
//!
//! Whoever applies a height first adds to it; each block is judged once more, by the ledger's rules on tables of its
//! own and by the naive model, so that a rule that all validators forget is noticed all the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use waxwing_core::block::{BlockHeader, CertifiedBlock, evidence_root};
use waxwing_core::change::CommitteeChange;
use waxwing_core::codec::Decode;
use waxwing_core::envelope::{Anchor, Carried, SignedHeader};
use waxwing_core::hash::Hash;
use waxwing_core::keys::Verified;
use waxwing_core::ledger::Ledger;
use waxwing_core::limits::{ANCHOR_INTERVAL, CLOCK_SKEW_MS};
use waxwing_rules::model::ledger::NaiveLedger;
use waxwing_store::{MemoryTables, Store};

use crate::founding::{Founding, Past, copied};
use crate::network::Seat;
use crate::violation::Violation;

/// How far wrong the clocks of those are that certify blocks, ms.
pub const HONEST_SKEW_MS: u64 = 4_500;

/// Whether certificates are looked at. Where validators are told that too few votes are enough, they never hold, and
/// would hide what comes of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Certificates {
    /// Each is verified.
    Checked,
    /// None is.
    Ignored,
}

/// The history.
#[derive(Debug)]
pub struct Chronicle {
    founding: Founding,
    certificates: Certificates,
    /// Rules and tables of its own.
    ledger: Ledger,
    store: Store<MemoryTables>,
    /// The same, slow and obvious.
    model: NaiveLedger,
    /// The block ids from height 0 on.
    ids: Vec<Hash>,
    /// What clients wrote: hashes of bodies, each to be ordered once.
    bodies: BTreeSet<Hash>,
}

impl Chronicle {
    /// The history up to where a run starts.
    ///
    /// # Panics
    /// If the past is not one.
    #[must_use]
    pub fn new(founding: &Founding, past: &Past, certificates: Certificates) -> Self {
        let store = Store::open_on(past.tables.copy()).expect("the past is a ledger");
        Self {
            ledger: store.restore().expect("the past is sound"),
            ids: past.model.headers().map(|header| header.id(&founding.keys)).collect(),
            store,
            model: past.model.clone(),
            founding: founding.clone(),
            certificates,
            bodies: BTreeSet::new(),
        }
    }

    /// Whether certificates are looked at.
    #[must_use]
    pub const fn certificates(&self) -> Certificates {
        self.certificates
    }

    /// Rules and state after the newest block.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What is stored.
    #[must_use]
    pub const fn store(&self) -> &Store<MemoryTables> {
        &self.store
    }

    /// The naive model.
    #[must_use]
    pub const fn model(&self) -> &NaiveLedger {
        &self.model
    }

    /// The newest height.
    #[must_use]
    pub const fn height(&self) -> u64 {
        self.ledger.head().height
    }

    /// The block at a height.
    #[must_use]
    pub fn id(&self, height: u64) -> Option<Hash> {
        self.ids.get(usize::try_from(height).ok()?).copied()
    }

    /// The header at a height.
    #[must_use]
    pub fn header(&self, height: u64) -> Option<&BlockHeader> {
        self.model.headers().nth(usize::try_from(height).ok()?)
    }

    /// The last entry of the newest block.
    #[must_use]
    pub fn newest_entry(&self) -> Option<Arc<Verified<Carried>>> {
        let block = self.store.block(self.height()).ok().flatten()?;
        copied(&block, &self.founding)?.pop()
    }

    /// The newest anchor up to a height.
    #[must_use]
    pub fn anchor(&self, height: u64) -> Option<Anchor> {
        let height = height / ANCHOR_INTERVAL * ANCHOR_INTERVAL;
        self.id(height).map(|id| Anchor { height, id })
    }

    /// A validator has applied a block. `now_ms` is the true time.
    ///
    /// # Errors
    /// If it is not the block of its height, or the first of its height and not a good one.
    pub fn applied(&mut self, node: Seat, block: &CertifiedBlock, now_ms: u64) -> Result<(), Violation> {
        let header = &block.head.header;
        let (height, id) = (header.height, header.id(&self.founding.keys));
        match self.id(height) {
            Some(known) if known == id => Ok(()),
            Some(_) => Err(Violation::TwoBlocks { height, node }),
            None => self.add(node, block, now_ms),
        }
    }

    fn add(&mut self, node: Seat, block: &CertifiedBlock, now_ms: u64) -> Result<(), Violation> {
        let height = block.head.header.height;
        let bad = |rule: String| Violation::BadBlock { height, node, rule };
        self.judge_by_model(block, now_ms).map_err(bad)?;
        let entries = copied(block, &self.founding).ok_or_else(|| bad("an entry does not verify".to_owned()))?;
        let step = self
            .ledger
            .check(&self.store, &block.head.header, entries, block.evidence.clone())
            .map_err(|error| bad(error.to_string()))?;
        if self.certificates == Certificates::Checked {
            let verified = block.head.clone().verify(&self.founding.keys, self.ledger.committee());
            verified.map_err(|error| Violation::BadCertificate {
                height,
                node,
                why: error.to_string(),
            })?;
        }
        for entry in &block.entries {
            if !self.bodies.insert(entry.signed.header.body_hash) {
                return Err(Violation::WrittenTwice { height });
            }
        }
        let committed = self.store.commit(&step, &block.head.certificate);
        committed.map_err(|error| bad(error.to_string()))?;
        self.ids.push(step.id);
        let signed = block.entries.iter().map(|entry| entry.signed.clone()).collect();
        self.model.add(step.header.clone(), signed);
        self.ledger.advance(step);
        let ladder = self.ledger.ladder();
        match self.ledger.pending() {
            Some(change) => self.model.expect_term(change.from_height, change.next.clone()),
            None => self.model.expect_term(ladder.from(), ladder.current().clone()),
        }
        Ok(())
    }

    /// Who votes next, if this very block says so of the height behind it. Whether a quorum wants that, the ledger checks.
    fn next_committee(&self, block: &CertifiedBlock) -> Option<Hash> {
        let log = self.ledger.committee_log();
        let bodies = block.entries.iter().filter(|entry| entry.signed.header.log == log);
        let mut changes = bodies.filter_map(|entry| CommitteeChange::from_bytes(entry.body.present()?).ok());
        let next = changes.rfind(|change| change.from_height == block.head.header.height + 1)?;
        Some(next.next.hash(&self.founding.keys))
    }

    /// The rules once more, from the first entry on.
    fn judge_by_model(&self, block: &CertifiedBlock, now_ms: u64) -> Result<(), String> {
        let header = &block.head.header;
        if header.time <= self.model.head().time {
            return Err("its time is not after its parent's".to_owned());
        }
        if header.time > now_ms + CLOCK_SKEW_MS + HONEST_SKEW_MS {
            return Err("its time is ahead of every clock".to_owned());
        }
        let signed: Vec<SignedHeader> = block.entries.iter().map(|entry| entry.signed.clone()).collect();
        for (place, entry) in signed.iter().enumerate() {
            let before = signed.get(..place).unwrap_or_default();
            let verdict = self.model.verdict(header.time, before, entry);
            verdict.map_err(|fault| format!("entry {place}: {fault}"))?;
        }
        let mut expected = self.model.next_header(header.time, header.proposer, &signed);
        expected.evidence_root = evidence_root(&self.founding.keys, &block.evidence);
        if let Some(next) = self.next_committee(block) {
            expected.next_committee = next;
        }
        if *header == expected {
            Ok(())
        } else {
            Err("its header is not what the model says".to_owned())
        }
    }
}

//! The replay: every block against the state that all blocks before it lead to.
//!
//! The rules are the ledger's own, `check` and `advance`, the same lines that a node runs; this file decides what a refusal
//! *means*. Where the stored content is not what the certified header commits to, it was changed afterwards. Where it is, and
//! still breaks a rule, the committee certified a broken block. Where header and certificate do not belong together, the next
//! certified block says which of them is wrong. See [`crate::blame`] for how that is found out.
//!
//! The first thing that puts the order in doubt ends the replay: nothing after it can be computed. A wrong body, or a wrong
//! row of a table that is computed from the blocks, does not: bodies are committed to by their hash alone.

use core::ops::ControlFlow;
use std::sync::Arc;

use waxwing_core::Hash;
use waxwing_core::certificate::Head;
use waxwing_core::change::ChangeError;
use waxwing_core::envelope::{EnvelopeError, EnvelopeHeader};
use waxwing_core::genesis::Genesis;
use waxwing_core::ledger::{EntryFault, Ledger, Step};
use waxwing_core::policy::PinnedHead;

use crate::blame::Suspect;
use crate::bodies::{Bodies, Tally};
use crate::check::{CheckedBlock, CheckedEntry, Committees};
use crate::finding::{At, Coverage, Fault, Finding};
use crate::source::{Beside, Label, SourceError};
use crate::state::State;
use crate::words::count;

/// Findings that are kept; more are only counted.
pub(crate) const FINDINGS_KEPT: usize = 64;

/// Sums over the blocks replayed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    /// Blocks, block 0 not counted.
    pub blocks: u64,
    /// Entries in them.
    pub entries: u64,
    /// Logs they are on.
    pub logs: u64,
    /// Bytes of headers, certificates, evidence, entries and bodies.
    pub bytes: u64,
    /// Pieces of evidence about validators that the blocks carry.
    pub evidence: u64,
}

pub(crate) struct Replay {
    pub(crate) ledger: Ledger,
    pub(crate) state: State,
    pub(crate) beside: Option<Box<dyn Beside>>,
    /// Shared with whoever checks blocks ahead of the replay.
    committees: Arc<Committees>,
    tally: Tally,
    figures: Figures,
    pinned: Option<PinnedHead>,
    /// The block at the pinned height that is not the pinned one, and what certifies it; nothing certifies block 0.
    conflict: Option<(Hash, Option<Head>)>,
    /// The newest block before anything was wrong with the order; block 0 if there is none.
    good: Option<Head>,
    findings: Vec<Finding>,
    more_findings: u64,
    is_order_broken: bool,
    pub(crate) suspects: Vec<Suspect>,
}

/// What a replay came to.
pub(crate) struct Outcome {
    pub(crate) ledger: Ledger,
    pub(crate) figures: Figures,
    pub(crate) bodies: Bodies,
    pub(crate) conflict: Option<(Hash, Option<Head>)>,
    pub(crate) good: Option<Head>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) more_findings: u64,
}

impl Replay {
    pub(crate) fn new(
        genesis: &Genesis,
        pinned: Option<PinnedHead>,
        beside: Option<Box<dyn Beside>>,
        committees: Arc<Committees>,
    ) -> Self {
        let ledger = Ledger::new(genesis);
        committees.add(ledger.keys(), ledger.committee());
        let conflict = pinned
            .filter(|pin| pin.height == 0 && pin.id != ledger.id())
            .map(|_| (ledger.id(), None));
        Self {
            ledger,
            state: State::default(),
            beside,
            committees,
            tally: Tally::default(),
            figures: Figures::default(),
            pinned,
            conflict,
            good: None,
            findings: Vec::new(),
            more_findings: 0,
            is_order_broken: false,
            suspects: Vec::new(),
        }
    }

    pub(crate) const fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Height of the block that is due.
    pub(crate) fn next_height(&self) -> u64 {
        self.ledger.head().height.saturating_add(1)
    }

    /// Takes the next block; breaks if nothing after it can be replayed.
    ///
    /// # Errors
    /// If what stands beside the blocks cannot be read.
    pub(crate) fn block(&mut self, mut block: CheckedBlock) -> Result<ControlFlow<()>, SourceError> {
        self.certify(&mut block);
        let refused = match self.judge(&block) {
            Ok(step) if block.certified.is_ok() => {
                self.resolve(block.head.header.parent);
                self.advance(block, step)?;
                return Ok(ControlFlow::Continue(()));
            }
            Ok(step) => {
                // Content and history agree with the header, so either its certificate is wrong or a field that nothing
                // but the certificate covers (time, proposer). The next certified block names the one that was certified.
                let finding = self.uncertified(&block);
                self.record(finding);
                self.advance(block, step)?;
                return Ok(ControlFlow::Continue(()));
            }
            Err(finding) => *finding,
        };
        if block.certified.is_ok() && refused.fault == Fault::Rule(EntryFault::Change(ChangeError::BodyMissing)) {
            self.stop_at_change(&block, &refused);
        } else if matches!(refused.fault, Fault::ForeignBlock { .. }) {
            // Nobody's vote for another network says anything here.
            self.record(refused);
        } else if block.certified.is_err() {
            let finding = self.wrong_header(&block, refused);
            self.record(finding);
        } else if !self.suspects.is_empty() && self.names_another_parent(&block) {
            self.resolve(block.head.header.parent);
        } else {
            self.record(refused);
        }
        Ok(ControlFlow::Break(()))
    }

    /// Without the body of a change of the committee nobody can say who certifies what follows: the audit ends before it.
    /// Nobody broke a rule by that; the body is withheld, or damaged.
    fn stop_at_change(&mut self, block: &CheckedBlock, refused: &Finding) {
        let place = refused.at.place.and_then(|place| usize::try_from(place).ok());
        match place.and_then(|place| block.entries.get(place)) {
            Some(CheckedEntry::WithoutBody(entry, error, found)) => {
                self.tally.damaged();
                self.record(Finding {
                    fault: Fault::Body(*error),
                    at: refused.at,
                    expected: right_body(&entry.signed.header, *error),
                    found: found.clone(),
                    coverage: Coverage::Changed,
                });
            }
            _ => self.tally.withhold(1, vec![refused.at]),
        }
        // What stands beside the blocks is not compared with a part of them.
        self.is_order_broken = true;
    }

    /// Only the committee that the history leads to can certify its next block. Where another one was asked, or none,
    /// because that committee was not known when the block was checked, it is asked now.
    fn certify(&self, block: &mut CheckedBlock) {
        let (keys, committee) = (self.ledger.keys(), self.ledger.committee());
        if block.asked != Some(committee.hash(keys)) {
            block.certified = block.head.clone().verify(keys, committee).map(|_| ());
        }
    }

    fn advance(&mut self, block: CheckedBlock, mut step: Step) -> Result<(), SourceError> {
        self.count(&block, &step);
        self.compare_labels(&block.labels, &step);
        let beside = self.beside.as_mut().map(|beside| beside.follow(&step)).transpose()?;
        if let Some(finding) = beside.flatten() {
            self.record(finding);
        }
        self.state.apply(&mut step);
        if let Some(term) = &step.next_term {
            self.committees.add(self.ledger.keys(), &term.committee);
        }
        self.tally.advance(step.header.time);
        let is_other = self
            .pinned
            .is_some_and(|pin| pin.height == step.header.height && pin.id != step.id);
        self.ledger.advance(step);
        if block.certified.is_ok() {
            if is_other {
                self.conflict = Some((block.id, Some(block.head.clone())));
            }
            if !self.is_order_broken {
                self.good = Some(block.head);
            }
        }
        Ok(())
    }

    fn count(&mut self, block: &CheckedBlock, step: &Step) {
        let coverage = match block.certified {
            Ok(()) => Coverage::Changed,
            Err(_) => Coverage::Open,
        };
        for (place, (checked, entry)) in (0..).zip(block.entries.iter().zip(&step.entries)) {
            let header = &entry.carried.signed.header;
            let at = At {
                height: step.header.height,
                time: Some(step.header.time),
                place: Some(place),
                position: Some(entry.position),
                entry: Some((header.log, entry.log_index)),
            };
            match checked {
                CheckedEntry::WithoutBody(_, error, found) => {
                    self.tally.damaged();
                    self.record(Finding {
                        fault: Fault::Body(*error),
                        at,
                        expected: right_body(header, *error),
                        found: found.clone(),
                        coverage,
                    });
                }
                _ => self.tally.add(&entry.carried.body, header, at),
            }
        }
        self.figures.blocks += 1;
        self.figures.entries += u64::from(step.header.entry_count);
        self.figures.logs = step.header.log_count;
        self.figures.bytes = self.figures.bytes.saturating_add(block.bytes);
        self.figures.evidence += u64::try_from(step.evidence.len()).unwrap_or(u64::MAX);
    }

    /// What the rows of entries say of their places is computed from the blocks, and so compared with them.
    fn compare_labels(&mut self, labels: &[Label], step: &Step) {
        for (place, (label, entry)) in (0..).zip(labels.iter().zip(&step.entries)) {
            let is_right = label.height == step.header.height && label.index == entry.log_index;
            if !is_right {
                let at = At {
                    height: step.header.height,
                    time: Some(step.header.time),
                    place: Some(place),
                    position: Some(entry.position),
                    entry: Some((entry.carried.signed.header.log, entry.log_index)),
                };
                let words = |height, index| format!("block {height}, index {index} of its log");
                let expected = words(step.header.height, entry.log_index);
                self.record(Finding::row("entry", at, expected, words(label.height, label.index)));
            }
        }
    }

    fn names_another_parent(&self, block: &CheckedBlock) -> bool {
        let header = &block.head.header;
        header.height == self.next_height() && header.parent != self.ledger.id()
    }

    /// A certified block follows the uncertified ones, or names others in their place: now it is known what was wrong with
    /// them.
    fn resolve(&mut self, parent: Hash) {
        if self.suspects.is_empty() {
            return;
        }
        // The last suspect is the parent or stands in its place. If it is the parent, what it names is as good as
        // certified; if it is not, nothing it names is.
        let mut named = parent;
        for suspect in std::mem::take(&mut self.suspects).into_iter().rev() {
            for finding in &mut self.findings {
                suspect.resolve(finding, named);
            }
            if suspect.id != named {
                return;
            }
            named = suspect.parent;
        }
        // Where a certified block names them all, only their certificates are wrong.
        self.is_order_broken = self.more_findings > 0 || self.findings.iter().any(Finding::breaks_order);
    }

    pub(crate) fn record(&mut self, finding: Finding) {
        self.is_order_broken |= finding.breaks_order();
        if self.findings.len() < FINDINGS_KEPT {
            self.findings.push(finding);
        } else {
            self.more_findings += 1;
        }
    }

    /// Compares what stands beside the blocks with the whole replay, unless that ended early.
    pub(crate) fn compare(&mut self) -> Result<(), SourceError> {
        let Some(mut beside) = self.beside.take() else {
            return Ok(());
        };
        if !self.is_order_broken {
            for finding in beside.compare(&self.ledger, &self.state)? {
                self.record(finding);
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Outcome {
        let mut findings = self.findings;
        Finding::sort(&mut findings);
        Outcome {
            ledger: self.ledger,
            figures: self.figures,
            bodies: self.tally.finish(),
            conflict: self.conflict,
            good: self.good,
            findings,
            more_findings: self.more_findings,
        }
    }
}

/// What the header says that the body or the excuse must be.
fn right_body(header: &EnvelopeHeader, error: EnvelopeError) -> String {
    match error {
        EnvelopeError::WrongSecret => format!("a secret that hashes to {}", header.erasure),
        _ => format!(
            "{} that hash to {}",
            count(header.body_length, "byte", "bytes"),
            header.body_hash
        ),
    }
}

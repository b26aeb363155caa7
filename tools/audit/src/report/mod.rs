//! The report: a verdict with its limits, and everything it rests on.
//!
//! The first line says what holds, up to where and when, and who vouches for it; then come the facts, and if something does
//! not hold: where, what was expected, what was found, what is affected, what still holds, what to do next. The same report
//! is text for people ([`core::fmt::Display`]) and JSON for programs ([`Report::to_json`]), and depends on nothing but the
//! history and the policy: two audits of the same bytes print the same bytes.

mod advice;
mod json;
mod text;

use waxwing_core::Hash;
use waxwing_core::block::BlockHeader;
use waxwing_core::certificate::Head;
use waxwing_core::genesis::Genesis;
use waxwing_core::keys::LogId;
use waxwing_core::policy::{PinnedHead, Policy};
use waxwing_core::verdict::Verdict;

use crate::bodies::Bodies;
use crate::finding::Finding;
use crate::replay::{Figures, Outcome};
use crate::source::{Joined, SourceKind};

/// What an audit found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// What was audited.
    pub source: SourceKind,
    /// The network it claims to be of; absent if not even that could be read.
    pub network: Option<Network>,
    /// Committees that certified, one after the other.
    pub terms: usize,
    /// What it was held against.
    pub anchor: Option<Anchoring>,
    /// The newest block replayed.
    pub head: Option<Reached>,
    /// The newest certified block before anything was wrong with the order.
    pub good: Option<Reached>,
    /// Height of the newest block there should be, as far as the source says.
    pub claimed: Option<u64>,
    /// Where the source was joined, if it does not have the whole history yet.
    pub joined: Option<Joined>,
    /// Sums over the blocks replayed.
    pub figures: Figures,
    /// Which bodies are there, and why others are not.
    pub bodies: Bodies,
    /// A block that contradicts the policy.
    pub conflict: Option<Conflict>,
    /// What does not hold, in the order of the history.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub more_findings: u64,
}

/// A network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Network {
    /// Its id.
    pub id: Hash,
    /// Its name, printable by the rules.
    pub name: String,
    /// How many validators must sign, of how many: of the newest committee replayed.
    pub quorum: (usize, usize),
}

/// What a policy pins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Anchoring {
    /// Names the policy.
    pub fingerprint: Hash,
    /// The network it pins.
    pub network: Hash,
    /// The block it pins.
    pub pinned: Option<PinnedHead>,
}

/// How far something goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reached {
    /// Height of the block.
    pub height: u64,
    /// Its id.
    pub id: Hash,
    /// Its time, ms since 1970.
    pub time: u64,
}

/// Two blocks of one height.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conflict {
    /// The one that the policy pins.
    pub pinned: PinnedHead,
    /// The one that the history has.
    pub found: Hash,
    /// Header and certificate of that one: evidence. Block 0 has none.
    pub evidence: Option<Head>,
}

/// What is touched by what was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Affected {
    /// The first block of which nothing can be said any more, if there is one, and the time from which on that is.
    pub from: Option<(u64, Option<u64>)>,
    /// Logs that are named by findings, each with the first index named, in the order of the history.
    pub logs: Vec<(LogId, u64)>,
}

impl Report {
    pub(crate) fn unopened(source: SourceKind, policy: Option<&Policy>, finding: Finding) -> Self {
        Self {
            verdict: finding.verdict(),
            source,
            network: None,
            terms: 0,
            anchor: policy.map(Anchoring::of),
            head: None,
            good: None,
            claimed: None,
            joined: None,
            figures: Figures::default(),
            bodies: Bodies::default(),
            conflict: None,
            findings: vec![finding],
            more_findings: 0,
        }
    }

    /// The exit code of a program that prints this report.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        self.verdict.exit_code()
    }

    /// The first thing that does not hold.
    #[must_use]
    pub fn first(&self) -> Option<&Finding> {
        self.findings.first()
    }

    /// What is touched by what was found.
    #[must_use]
    pub fn affected(&self) -> Affected {
        let broken = self.findings.iter().find(|finding| finding.breaks_order());
        let mut logs: Vec<(LogId, u64)> = Vec::new();
        for (log, index) in self.findings.iter().filter_map(|finding| finding.at.entry) {
            match logs.iter_mut().find(|(known, _)| *known == log) {
                Some((_, first)) => *first = index.min(*first),
                None => logs.push((log, index)),
            }
        }
        Affected {
            from: broken.map(|finding| (finding.at.height, self.good.map(|good| good.time))),
            logs,
        }
    }
}

impl Network {
    /// As its founding facts describe it.
    pub(crate) fn of(genesis: &Genesis) -> Self {
        let committee = genesis.committee();
        Self {
            id: genesis.network(),
            name: genesis.name.clone(),
            quorum: (committee.quorum(), committee.members().len()),
        }
    }
}

impl Anchoring {
    pub(crate) fn of(policy: &Policy) -> Self {
        Self {
            fingerprint: policy.fingerprint(),
            network: policy.genesis.network(),
            pinned: policy.head,
        }
    }
}

impl Reached {
    pub(crate) fn of(header: &BlockHeader, id: Hash) -> Self {
        Self {
            height: header.height,
            id,
            time: header.time,
        }
    }
}

/// Puts the report together.
pub(crate) fn conclude(
    source: SourceKind,
    claimed: Option<u64>,
    genesis: &Genesis,
    policy: Option<&Policy>,
    outcome: Outcome,
) -> Report {
    let (keys, committee) = (outcome.ledger.keys(), outcome.ledger.committee());
    let head = Reached::of(outcome.ledger.head(), outcome.ledger.id());
    let certified = |head: Head| Reached::of(&head.header, head.header.id(keys));
    let good = outcome.good.map_or_else(
        || {
            let block = genesis.block();
            Reached::of(&block, block.id(keys))
        },
        certified,
    );
    let network = Network {
        id: keys.network(),
        name: genesis.name.clone(),
        quorum: (committee.quorum(), committee.members().len()),
    };
    let anchor = policy.map(Anchoring::of);
    let pinned = anchor.as_ref().and_then(|anchor| anchor.pinned);
    let conflict = pinned
        .zip(outcome.conflict)
        .map(|(pinned, (found, evidence))| Conflict {
            pinned,
            found,
            evidence,
        });
    let report = Report {
        verdict: Verdict::Verified,
        source,
        network: Some(network),
        terms: outcome.ledger.ladder().terms().count(),
        anchor,
        head: Some(head),
        good: Some(good),
        claimed,
        joined: None,
        figures: outcome.figures,
        bodies: outcome.bodies,
        conflict,
        findings: outcome.findings,
        more_findings: outcome.more_findings,
    };
    report.judged()
}

impl Report {
    /// With the verdict that follows from the rest.
    pub(crate) fn judged(mut self) -> Self {
        self.verdict = self.judge();
        self
    }

    /// The verdict: the first thing that does not hold decides; without one, what the policy says; then what is missing.
    fn judge(&self) -> Verdict {
        if let Some(first) = self.first() {
            return first.verdict();
        }
        if self.conflict.is_some() {
            return Verdict::Diverged;
        }
        if !self.is_anchored() {
            return Verdict::Unanchored;
        }
        if self.joined.is_some() || self.missing_blocks().is_some() || self.bodies.withheld > 0 {
            return Verdict::Incomplete;
        }
        Verdict::Verified
    }

    /// Whether the policy pins this very network.
    fn is_anchored(&self) -> bool {
        let network = self.network.as_ref().map(|network| network.id);
        self.anchor
            .as_ref()
            .is_some_and(|anchor| Some(anchor.network) == network)
    }

    /// The height that was reached and the height that the policy pins, if that is higher.
    fn missing_blocks(&self) -> Option<(u64, u64)> {
        let reached = self.head.map_or(0, |head| head.height);
        let pinned = self.anchor.as_ref().and_then(|anchor| anchor.pinned)?.height;
        (reached < pinned).then_some((reached, pinned))
    }
}

//! Blocks that break one rule each, and keep all others: what an honest validator must not vote for.
//!
//! The header of each is computed by the naive model of the ledger, which asks no entry whether it may stand there. So
//! every root fits, and a validator that forgets the one rule has no other reason to refuse.

use std::fmt;
use std::sync::Arc;

use waxwing_core::block::{BlockHeader, evidence_root};
use waxwing_core::certificate::VoteKind;
use waxwing_core::envelope::{Anchor, Carried, SignedHeader};
use waxwing_core::evidence::{Evidence, TwoVotes};
use waxwing_core::hash::Hash;
use waxwing_core::keys::{LogKey, Signature, ValidatorId, Verified, VoteKey};
use waxwing_core::limits::{ANCHOR_INTERVAL, ANCHOR_VALID_MS, CLOCK_SKEW_MS};
use waxwing_rules::model::ledger::NaiveLedger;

use crate::founding::Founding;

/// A rule to break.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Invalid {
    /// The time of its parent.
    TimeBack,
    /// Further ahead than any voter's clock allows.
    TimeAhead,
    /// An entry under an anchor of another history.
    AnchorUnknown,
    /// An entry under a block that is no anchor.
    AnchorUneven,
    /// An entry under an anchor that has expired.
    AnchorExpired,
    /// An entry that is in the ledger already.
    DuplicateBefore,
    /// An entry twice.
    DuplicateInside,
    /// The first entry of a log with a stamp that is good enough for the second.
    WeakStamp,
    /// Another root over the entries.
    EntriesRoot,
    /// Another root of the log map.
    MapRoot,
    /// Another root of the history.
    HistoryRoot,
    /// Another parent.
    Parent,
    /// More entries in all than there are.
    TotalEntries,
    /// More logs than there are.
    LogCount,
    /// Other parameters.
    Parameters,
    /// Another next committee.
    NextCommittee,
    /// Another term.
    Term,
    /// Evidence that proves nothing.
    Evidence,
    /// Evidence that the header does not name.
    EvidenceRoot,
    /// In the name of another validator.
    OtherProposer,
    /// In the name of a stranger.
    Stranger,
}

impl Invalid {
    /// Every rule.
    pub const ALL: [Self; 21] = [
        Self::TimeBack,
        Self::TimeAhead,
        Self::AnchorUnknown,
        Self::AnchorUneven,
        Self::AnchorExpired,
        Self::DuplicateBefore,
        Self::DuplicateInside,
        Self::WeakStamp,
        Self::EntriesRoot,
        Self::MapRoot,
        Self::HistoryRoot,
        Self::Parent,
        Self::TotalEntries,
        Self::LogCount,
        Self::Parameters,
        Self::NextCommittee,
        Self::Term,
        Self::Evidence,
        Self::EvidenceRoot,
        Self::OtherProposer,
        Self::Stranger,
    ];
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimeBack => "not after its parent",
            Self::TimeAhead => "ahead of every clock",
            Self::AnchorUnknown => "anchor of another history",
            Self::AnchorUneven => "anchor at a height without one",
            Self::AnchorExpired => "expired anchor",
            Self::DuplicateBefore => "entry of an earlier block",
            Self::DuplicateInside => "entry twice",
            Self::WeakStamp => "weak stamp of a new log",
            Self::EntriesRoot => "entries root",
            Self::MapRoot => "log map root",
            Self::HistoryRoot => "history root",
            Self::Parent => "parent",
            Self::TotalEntries => "total of entries",
            Self::LogCount => "number of logs",
            Self::Parameters => "parameters",
            Self::NextCommittee => "next committee",
            Self::Term => "term",
            Self::Evidence => "evidence of nothing",
            Self::EvidenceRoot => "evidence root",
            Self::OtherProposer => "another validator's name",
            Self::Stranger => "a stranger's name",
        })
    }
}

/// A block that somebody made up.
#[derive(Clone, Debug)]
pub struct Forged {
    /// Its header.
    pub header: BlockHeader,
    /// Its entries in order.
    pub entries: Vec<Arc<Verified<Carried>>>,
    /// What it reports.
    pub evidence: Vec<Evidence>,
}

/// What a block is made from.
#[derive(Debug)]
pub struct Scene<'a> {
    /// The network.
    pub founding: &'a Founding,
    /// The history so far.
    pub model: &'a NaiveLedger,
    /// Who proposes.
    pub proposer: ValidatorId,
    /// The true time, ms since 1970.
    pub now_ms: u64,
    /// Entries that may stand in the next block.
    pub fit: Vec<Arc<Verified<Carried>>>,
    /// An entry of an earlier block.
    pub ordered: Option<Arc<Verified<Carried>>>,
    /// A number that no other scene of the run has.
    pub number: u64,
}

impl Scene<'_> {
    /// A block that an honest validator would propose.
    #[must_use]
    pub fn sound(&self) -> Forged {
        self.block(self.time(), self.fit.clone())
    }

    /// A block that breaks one rule; `None` where the history gives no occasion.
    #[must_use]
    pub fn forge(&self, rule: Invalid) -> Option<Forged> {
        let time = self.time();
        let head = self.model.head();
        Some(match rule {
            Invalid::TimeBack => self.block(head.time, self.fit.clone()),
            Invalid::TimeAhead => self.block(time.max(self.now_ms) + 3 * CLOCK_SKEW_MS, self.fit.clone()),
            Invalid::AnchorUnknown => self.anchored(Anchor {
                height: head.height.next_multiple_of(ANCHOR_INTERVAL),
                id: Hash([9; 32]),
            }),
            Invalid::AnchorUneven => self.anchored(self.uneven()?),
            Invalid::AnchorExpired => self.anchored(self.expired(time)?),
            Invalid::DuplicateBefore => {
                let mut entries = self.fit.clone();
                entries.push(self.ordered.clone()?);
                self.block(time, entries)
            }
            Invalid::DuplicateInside => {
                let one = self.own(self.newest());
                self.block(time, vec![Arc::clone(&one), one])
            }
            Invalid::WeakStamp => self.block(time, vec![self.weak()]),
            Invalid::Evidence => self.reporting(self.nothing()),
            _ => self.altered(rule),
        })
    }

    /// A sound block but for one field of its header.
    fn altered(&self, rule: Invalid) -> Forged {
        let mut forged = self.sound();
        let header = &mut forged.header;
        let other = Hash([self.number.to_le_bytes().first().copied().unwrap_or(0) | 1; 32]);
        match rule {
            Invalid::EntriesRoot => header.entries_root = other,
            Invalid::MapRoot => header.map_root = other,
            Invalid::HistoryRoot => header.history_root = other,
            Invalid::Parent => header.parent = other,
            Invalid::TotalEntries => header.total_entries += 1,
            Invalid::LogCount => header.log_count += 1,
            Invalid::Parameters => header.parameters = other,
            Invalid::NextCommittee => header.next_committee = other,
            Invalid::Term => header.term += 1,
            Invalid::EvidenceRoot => header.evidence_root = other,
            Invalid::OtherProposer => header.proposer = self.somebody_else(),
            _ => header.proposer = VoteKey::from_seed(&[255; 32]).public(),
        }
        forged
    }

    fn somebody_else(&self) -> ValidatorId {
        let mut others = self.founding.voters.iter().map(VoteKey::public);
        others.find(|other| *other != self.proposer).unwrap_or(self.proposer)
    }

    fn time(&self) -> u64 {
        self.now_ms.max(self.model.head().time + 1)
    }

    fn block(&self, time: u64, entries: Vec<Arc<Verified<Carried>>>) -> Forged {
        let signed: Vec<SignedHeader> = entries.iter().map(|entry| entry.signed.clone()).collect();
        Forged {
            header: self.model.next_header(time, self.proposer, &signed),
            entries,
            evidence: Vec::new(),
        }
    }

    fn reporting(&self, evidence: Evidence) -> Forged {
        let mut forged = self.sound();
        forged.evidence = vec![evidence];
        forged.header.evidence_root = evidence_root(&self.founding.keys, &forged.evidence);
        forged
    }

    /// Two votes that nobody signed.
    fn nothing(&self) -> Evidence {
        Evidence::TwoVotes(Box::new(TwoVotes {
            validator: self.somebody_else(),
            kind: VoteKind::Precommit,
            height: self.model.head().height,
            round: 0,
            first: (Hash([1; 32]), Signature([1; 64])),
            second: (Hash([2; 32]), Signature([2; 64])),
        }))
    }

    fn newest(&self) -> Anchor {
        let anchors = self.model.anchors();
        let newest = anchors.last().copied().unwrap_or_else(|| self.model.head());
        self.anchor(newest)
    }

    fn anchor(&self, header: &BlockHeader) -> Anchor {
        Anchor {
            height: header.height,
            id: header.id(&self.founding.keys),
        }
    }

    fn uneven(&self) -> Option<Anchor> {
        let mut headers = self.model.headers().rev();
        let uneven = headers.find(|header| header.height % ANCHOR_INTERVAL != 0)?;
        Some(self.anchor(uneven))
    }

    /// An anchor that was one and is none any more.
    fn expired(&self, time: u64) -> Option<Anchor> {
        let anchors = self.model.headers().filter(|header| header.can_be_anchor());
        let anchors: Vec<&BlockHeader> = anchors.collect();
        let (_, older) = anchors.split_last()?;
        let is_over = |header: &&&BlockHeader| time.saturating_sub(header.time) > ANCHOR_VALID_MS;
        older.iter().find(is_over).map(|header| self.anchor(header))
    }

    /// An entry of the proposer's own that may stand in the next block.
    #[must_use]
    pub fn own_newest(&self) -> Arc<Verified<Carried>> {
        self.own(self.newest())
    }

    fn anchored(&self, anchor: Anchor) -> Forged {
        self.block(self.time(), vec![self.own(anchor)])
    }

    /// An entry of the proposer's own.
    fn own(&self, anchor: Anchor) -> Arc<Verified<Carried>> {
        let key = LogKey::from_seed(&[200; 32]);
        let envelope = self.founding.envelope(&key, anchor, &self.number.to_be_bytes());
        self.founding.verified(envelope)
    }

    /// The first entry of a log, whose stamp would do for the second.
    fn weak(&self) -> Arc<Verified<Carried>> {
        let mut seed = [201; 32];
        for (byte, from) in seed.iter_mut().zip(self.number.to_be_bytes()) {
            *byte = from;
        }
        let least = u32::from(self.founding.genesis.parameters.stamp_bits);
        let key = LogKey::from_seed(&seed);
        let envelope = self
            .founding
            .envelope_of(&key, self.newest(), b"weak", |bits| bits == least);
        self.founding.verified(envelope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::founding::{Archive, BEGUN_MS};
    use waxwing_core::ledger::{BlockError, is_timely};
    use waxwing_store::{Store, StoreError};

    fn scene<'a>(archive: &'a Archive, model: &'a NaiveLedger) -> Scene<'a> {
        let founding = &archive.founding;
        let mut scene = Scene {
            founding,
            model,
            proposer: founding.id(1),
            now_ms: BEGUN_MS + 60_000,
            fit: Vec::new(),
            ordered: None,
            number: 5,
        };
        scene.fit = vec![scene.own_newest()];
        scene
    }

    fn judged(archive: &Archive, forged: Forged) -> Result<(), BlockError<StoreError>> {
        let store = Store::open_on(archive.past(66).tables.copy()).unwrap();
        let ledger = store.restore().unwrap();
        let Forged {
            header,
            entries,
            evidence,
        } = forged;
        ledger.check(&store, &header, entries, evidence).map(|_| ())
    }

    #[test]
    fn the_rules_refuse_every_block_that_breaks_one_and_no_other() {
        let archive = Archive::new(4);
        let past = archive.past(66);
        let mut scene = scene(&archive, &past.model);
        let store = Store::open_on(past.tables.copy()).unwrap();
        let block = store.block(66).unwrap().unwrap();
        scene.ordered = crate::founding::copied(&block, &archive.founding).unwrap().pop();
        assert_eq!(judged(&archive, scene.sound()), Ok(()));
        for rule in Invalid::ALL {
            let forged = scene.forge(rule).unwrap();
            let time = forged.header.time;
            let outcome = judged(&archive, forged);
            match rule {
                // The clock's rule and the turn's are for voters, not for the ledger.
                Invalid::TimeAhead => assert!(outcome.is_ok() && !is_timely(time, scene.now_ms)),
                Invalid::OtherProposer => assert_eq!(outcome, Ok(())),
                _ => assert!(outcome.is_err(), "{rule}"),
            }
        }
    }

    #[test]
    fn without_an_older_anchor_none_has_expired() {
        let archive = Archive::new(4);
        let scene = scene(&archive, &archive.past(0).model);
        assert!(scene.forge(Invalid::AnchorExpired).is_none());
        assert!(scene.forge(Invalid::AnchorUneven).is_none());
    }
}

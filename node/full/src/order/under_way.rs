//! Blocks under way: what others list, what is missing of it, and what was checked and may be voted for.
//!
//! ```text
//! Contents ──> Listing: which entries are here, which are missing ──complete──> ledger.check ──> Ready
//! Judge ─────> Question: is this block fit to be voted for? ──────────────────────────┘
//! ```
//!
//! A listing is its sender's word. The header's roots say in the end whether it was true, and a wrong listing says
//! nothing against the block, so the listings of several validators stand side by side, and each has room for few.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use waxwing_core::block::BlockHeader;
use waxwing_core::envelope::Carried;
use waxwing_core::evidence::Evidence;
use waxwing_core::keys::ValidatorId;
use waxwing_core::ledger::Step;
use waxwing_core::{Hash, Verified};

use super::event::{Contents, Listed};
use super::limits::UNDER_WAY_PER_VALIDATOR_MAX;

/// One validator's word about what a block consists of.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) id: Hash,
    pub(super) by: ValidatorId,
    contents: Contents,
    /// In the order of the list; `None` is missing.
    entries: Vec<Option<Arc<Verified<Carried>>>>,
    missing: usize,
    /// Who was asked for what is missing.
    asked: BTreeSet<ValidatorId>,
}

impl Listing {
    /// What is missing, by stamps.
    pub(super) fn missing(&self) -> Vec<Hash> {
        let slots = self.contents.entries.iter().zip(&self.entries);
        let missing = slots.filter(|(_, entry)| entry.is_none());
        missing.map(|(listed, _)| listed.stamp).collect()
    }

    /// Notes that somebody is asked for what is missing; false if that one was asked before.
    pub(super) fn ask(&mut self, whom: ValidatorId) -> bool {
        self.missing > 0 && self.asked.insert(whom)
    }

    /// Whether somebody was not asked yet.
    pub(super) fn would_ask(&self, whom: &ValidatorId) -> bool {
        !self.asked.contains(whom)
    }

    /// Everybody may be asked again.
    pub(super) fn ask_again(&mut self) {
        self.asked.clear();
    }

    pub(super) const fn is_complete(&self) -> bool {
        self.missing == 0
    }

    fn fill(&mut self, entries: &[Arc<Verified<Carried>>]) {
        let by_id: BTreeMap<Hash, &Arc<Verified<Carried>>> = entries.iter().map(|entry| (entry.id(), entry)).collect();
        for (listed, slot) in self.contents.entries.iter().zip(&mut self.entries) {
            if let (None, Some(entry)) = (&slot, by_id.get(&listed.entry)) {
                *slot = Some(Arc::clone(entry));
                self.missing -= 1;
            }
        }
    }
}

/// A question that the host waits for an answer to.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) header: BlockHeader,
    /// Who proposed it: has its contents.
    pub(super) proposer: ValidatorId,
    /// How often others were asked for its contents.
    pub(super) tries: u32,
    /// Its time is ahead of this machine's clock: it is looked at again when that has passed.
    pub(super) is_early: bool,
}

/// All blocks under way.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    /// Oldest first.
    listings: Vec<Listing>,
    questions: BTreeMap<Hash, Question>,
    ready: BTreeMap<Hash, Step>,
}

impl UnderWay {
    pub(super) fn is_empty(&self) -> bool {
        self.listings.is_empty() && self.questions.is_empty() && self.ready.is_empty()
    }

    /// Takes a listing. `find` looks entries up where envelopes wait. Of one sender the oldest listings leave.
    pub(super) fn list(
        &mut self,
        (by, id): (ValidatorId, Hash),
        contents: Contents,
        find: impl FnOnce(&[Listed]) -> Vec<Option<Arc<Verified<Carried>>>>,
    ) -> &mut Listing {
        self.listings.retain(|listing| (listing.by, listing.id) != (by, id));
        let others = self.listings.iter().filter(|listing| listing.by == by).count();
        if others >= UNDER_WAY_PER_VALIDATOR_MAX
            && let Some(oldest) = self.listings.iter().position(|listing| listing.by == by)
        {
            self.listings.remove(oldest);
        }
        // The same stamp is not yet the same entry.
        let same = |(listed, found): (&Listed, Option<Arc<Verified<Carried>>>)| {
            found.filter(|entry| entry.id() == listed.entry)
        };
        let found = find(&contents.entries);
        let entries: Vec<_> = contents.entries.iter().zip(found).map(same).collect();
        self.listings.push(Listing {
            id,
            by,
            missing: entries.iter().filter(|entry| entry.is_none()).count(),
            entries,
            contents,
            asked: BTreeSet::new(),
        });
        self.listings.last_mut().expect("it was pushed just now")
    }

    /// Puts entries that were delivered where they are missing.
    pub(super) fn fill(&mut self, id: &Hash, entries: &[Arc<Verified<Carried>>]) {
        for listing in self.of(id) {
            listing.fill(entries);
        }
    }

    /// The listings of a block.
    pub(super) fn of(&mut self, id: &Hash) -> impl Iterator<Item = &mut Listing> {
        self.listings.iter_mut().filter(move |listing| listing.id == *id)
    }

    /// Takes a listing of the block that is complete, and who made it.
    pub(super) fn take_complete(&mut self, id: &Hash) -> Option<(ValidatorId, Complete)> {
        let found = |listing: &Listing| listing.id == *id && listing.is_complete();
        let place = self.listings.iter().position(found)?;
        let listing = self.listings.remove(place);
        Some((
            listing.by,
            Complete {
                entries: listing.entries.into_iter().flatten().collect(),
                evidence: listing.contents.evidence,
            },
        ))
    }

    pub(super) fn ask(&mut self, id: Hash, question: Question) {
        self.questions.insert(id, question);
    }

    pub(super) fn question(&mut self, id: &Hash) -> Option<&mut Question> {
        self.questions.get_mut(id)
    }

    pub(super) fn answered(&mut self, id: &Hash) {
        self.questions.remove(id);
    }

    /// Blocks that are asked about.
    pub(super) fn questions(&self) -> impl Iterator<Item = (&Hash, &Question)> {
        self.questions.iter()
    }

    pub(super) fn is_ready(&self, id: &Hash) -> bool {
        self.ready.contains_key(id)
    }

    /// A block that was checked.
    pub(super) fn ready(&self, id: &Hash) -> Option<&Step> {
        self.ready.get(id)
    }

    pub(super) fn put_ready(&mut self, step: Step) {
        self.ready.insert(step.id, step);
    }

    pub(super) fn take_ready(&mut self, id: &Hash) -> Option<Step> {
        self.ready.remove(id)
    }

    /// Forgets everything about heights that are done.
    pub(super) fn forget(&mut self, height: u64) {
        self.listings.retain(|listing| listing.contents.header.height > height);
        self.questions.clear();
        self.ready.clear();
    }
}

/// What a block consists of, all of it here.
#[derive(Debug)]
pub(super) struct Complete {
    pub(super) entries: Vec<Arc<Verified<Carried>>>,
    pub(super) evidence: Vec<Evidence>,
}

/// What a checked block consists of, as others are told.
pub(super) fn contents(step: &Step) -> Contents {
    let listed = step.entries.iter().map(|entry| Listed {
        stamp: entry.stamp,
        entry: entry.carried.id(),
    });
    Contents {
        header: step.header.clone(),
        entries: listed.collect(),
        evidence: step.evidence.clone(),
    }
}

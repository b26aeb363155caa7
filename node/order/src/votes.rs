//! The votes of a height whose signatures were checked.
//!
//! A vote comes several times: by itself, said again, inside certificates, in the block's own certificate at last. Here
//! its signature is checked the first time and remembered. Two different votes of one step stand out at once, wherever
//! the second came from, and are evidence.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use waxwing_core::Hash;
use waxwing_core::certificate::{Certificate, VoteKind};
use waxwing_core::committee::Committee;
use waxwing_core::evidence::TwoVotes;
use waxwing_core::keys::{Signature, ValidatorId};

use crate::limits::VOTES_REMEMBERED_MAX;
use crate::message::Vote;

/// A step of a validator: round, whether it is the second vote, whose.
type Place = (u32, bool, ValidatorId);

pub(crate) struct Votes {
    network: Hash,
    committee: Arc<Committee>,
    height: u64,
    checked: BTreeMap<Place, (Hash, Signature)>,
    accused: BTreeSet<ValidatorId>,
    found: Vec<TwoVotes>,
}

impl Votes {
    pub(crate) const fn new(network: Hash, committee: Arc<Committee>, height: u64) -> Self {
        Self {
            network,
            committee,
            height,
            checked: BTreeMap::new(),
            accused: BTreeSet::new(),
            found: Vec::new(),
        }
    }

    pub(crate) const fn height(&self) -> u64 {
        self.height
    }

    pub(crate) fn has_member(&self, validator: &ValidatorId) -> bool {
        self.committee.members().binary_search(validator).is_ok()
    }

    /// Whether a vote is a member's and its signature counts.
    pub(crate) fn verify(&mut self, vote: &Vote) -> bool {
        if self.checked.get(&place(vote)) == Some(&(vote.block, vote.signature)) {
            return true;
        }
        let counts = self.has_member(&vote.validator)
            && vote
                .validator
                .verify(&vote.signed_bytes(self.network), &vote.signature)
                .is_ok();
        if counts {
            self.remember(vote);
        }
        counts
    }

    /// Takes note of a vote whose signature counts.
    pub(crate) fn remember(&mut self, vote: &Vote) {
        let has_room = self.checked.len() < VOTES_REMEMBERED_MAX;
        match self.checked.entry(place(vote)) {
            Entry::Vacant(slot) => {
                if has_room {
                    slot.insert((vote.block, vote.signature));
                }
            }
            Entry::Occupied(slot) => {
                let (block, signature) = *slot.get();
                if block != vote.block && self.accused.insert(vote.validator) {
                    let (first, second) = if block < vote.block {
                        ((block, signature), (vote.block, vote.signature))
                    } else {
                        ((vote.block, vote.signature), (block, signature))
                    };
                    self.found.push(TwoVotes {
                        validator: vote.validator,
                        kind: vote.kind,
                        height: vote.height,
                        round: vote.round,
                        first,
                        second,
                    });
                }
            }
        }
    }

    /// Looks at a vote that is of no other use any more: it may be one half of a contradiction. Both halves may come
    /// late, so the first one is checked and kept as well.
    pub(crate) fn compare(&mut self, vote: &Vote) {
        let says_nothing_new = |(block, _): &(Hash, Signature)| *block == vote.block;
        if !self.accused.contains(&vote.validator) && !self.checked.get(&place(vote)).is_some_and(says_nothing_new) {
            self.verify(vote);
        }
    }

    /// The same with the precommits of a certificate.
    pub(crate) fn compare_certificate(&mut self, block: Hash, certificate: &Certificate) {
        for (member, signature) in certificate.signatures.pairs() {
            if let Some(validator) = self.committee.members().get(member).copied() {
                self.compare(&Vote {
                    validator,
                    kind: VoteKind::Precommit,
                    height: self.height,
                    round: certificate.round,
                    block,
                    signature,
                });
            }
        }
    }

    /// How many members cast their second vote of a round for no block.
    pub(crate) fn precommits_for_nothing(&self, round: u32) -> usize {
        let votes = self.checked.iter();
        let of_round = votes.filter(|((of, is_second, _), _)| *of == round && *is_second);
        of_round.filter(|(_, (block, _))| *block == Hash::ZERO).count()
    }

    /// Whether at least `needed` different members cast these votes, and every one counts. Counted first: signatures
    /// cost.
    pub(crate) fn verify_all(&mut self, votes: &[Vote], needed: usize) -> bool {
        let voters: BTreeSet<_> = votes.iter().map(|vote| vote.validator).collect();
        voters.len() == votes.len() && votes.len() >= needed && votes.iter().all(|vote| self.verify(vote))
    }

    /// Contradictions found since the last time.
    pub(crate) fn take_found(&mut self) -> Vec<TwoVotes> {
        std::mem::take(&mut self.found)
    }
}

fn place(vote: &Vote) -> Place {
    (vote.round, vote.kind == VoteKind::Precommit, vote.validator)
}

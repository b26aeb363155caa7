//! Who voted when: the committees of a network, one after the other.
//!
//! ```text
//! height   0 ──────────── 41 | 42 ──────────────── 97 | 98 ───
//! term     0: genesis' own   | 1                      | 2
//!                         ▲                        ▲
//!                 names the next committee in its header: a rung
//! ```
//!
//! Each committee was named by a block that the one before it certified, so whoever knows the genesis can climb to any
//! term. What somebody signed long ago is judged by the committee of that time: evidence and receipts look it up here.
//! `// SPEC 8.5`

use crate::committee::Committee;
use crate::follow::{FollowError, LadderStep};
use crate::hash::{Hash, HashKeys};

/// A committee, and since when it certifies blocks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Term {
    /// The first height it certifies; 0 for the genesis', which also answers for block 0.
    pub from: u64,
    /// Who votes.
    pub committee: Committee,
}

/// All committees of a network up to some time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ladder {
    earlier: Vec<Term>,
    current: Term,
}

/// A committee does not follow the one before it: another term than the next, or it begins before that one did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotTheNextTerm;

impl core::fmt::Display for NotTheNextTerm {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the committee's term does not follow the one before it")
    }
}

impl core::error::Error for NotTheNextTerm {}

impl Ladder {
    /// Starts with the committee of the genesis.
    #[must_use]
    pub const fn new(committee: Committee) -> Self {
        Self {
            earlier: Vec::new(),
            current: Term { from: 0, committee },
        }
    }

    /// One term further.
    ///
    /// # Errors
    /// If it does not follow; nothing has changed then.
    pub fn climb(&mut self, next: Term) -> Result<(), NotTheNextTerm> {
        let follows = Some(next.committee.term()) == self.current.committee.term().checked_add(1);
        if !follows || next.from <= self.current.from {
            return Err(NotTheNextTerm);
        }
        self.earlier.push(core::mem::replace(&mut self.current, next));
        Ok(())
    }

    /// One term further, by its rung: a block that the newest committee certified names the next one. What the block
    /// extends is not asked, since no block is held here.
    ///
    /// # Errors
    /// [`FollowError::Head`] if it is not certified, [`FollowError::BadLadder`] if it names another committee; nothing has
    /// changed then.
    pub fn climb_rung(&mut self, keys: &HashKeys, rung: &LadderStep) -> Result<(), FollowError> {
        let verified = rung.head.clone().verify(keys, self.current());
        let header = verified.map_err(FollowError::Head)?.into_inner().header;
        if header.next_committee != rung.next.hash(keys) || header.next_committee == header.committee {
            return Err(FollowError::BadLadder);
        }
        let next = Term {
            from: header.height.saturating_add(1),
            committee: rung.next.clone(),
        };
        self.climb(next).map_err(|NotTheNextTerm| FollowError::BadLadder)
    }

    /// The newest committee.
    #[must_use]
    pub const fn current(&self) -> &Committee {
        &self.current.committee
    }

    /// The first height that the newest committee certifies.
    #[must_use]
    pub const fn from(&self) -> u64 {
        self.current.from
    }

    /// All terms, oldest first.
    pub fn terms(&self) -> impl Iterator<Item = &Term> {
        self.earlier.iter().chain([&self.current])
    }

    /// Who certifies the block at a height; the newest committee for all that is to come.
    #[must_use]
    pub fn at(&self, height: u64) -> &Committee {
        if height >= self.current.from {
            return &self.current.committee;
        }
        let later = self.earlier.partition_point(|term| term.from <= height);
        let there = later.checked_sub(1).and_then(|place| self.earlier.get(place));
        there.map_or(&self.current.committee, |term| &term.committee)
    }

    /// The hash of the newest committee: what the newest header names as next.
    #[must_use]
    pub fn hash(&self, keys: &HashKeys) -> Hash {
        self.current.committee.hash(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::VoteKey;

    fn term(number: u8, from: u64) -> Term {
        let member = VoteKey::from_seed(&[number + 1; 32]).public();
        Term {
            from,
            committee: Committee::new(u64::from(number), vec![member]).unwrap(),
        }
    }

    #[test]
    fn every_height_has_the_committee_of_its_time() {
        let mut ladder = Ladder::new(term(0, 0).committee);
        assert_eq!(ladder.at(u64::MAX).term(), 0);
        ladder.climb(term(1, 42)).unwrap();
        ladder.climb(term(2, 43)).unwrap();
        ladder.climb(term(3, 98)).unwrap();
        for (height, term) in [(0, 0), (41, 0), (42, 1), (43, 2), (97, 2), (98, 3), (u64::MAX, 3)] {
            assert_eq!(ladder.at(height).term(), term, "height {height}");
        }
        let from: Vec<u64> = ladder.terms().map(|term| term.from).collect();
        assert_eq!(from, [0, 42, 43, 98]);
    }

    #[test]
    fn only_the_next_term_follows() {
        let mut ladder = Ladder::new(term(0, 0).committee);
        assert_eq!(ladder.climb(term(2, 42)), Err(NotTheNextTerm));
        assert_eq!(ladder.climb(term(0, 42)), Err(NotTheNextTerm));
        assert_eq!(ladder.climb(term(1, 0)), Err(NotTheNextTerm));
        ladder.climb(term(1, 42)).unwrap();
        assert_eq!(ladder.climb(term(2, 42)), Err(NotTheNextTerm));
        assert_eq!(ladder.current().term(), 1);
    }
}

//! A chain of headers as a committee would certify it: honest, or with anything in it that a committee could agree to
//! lie about.
//!
//! Every header is kept, so whether one chain extends another is a comparison of lists, and nobody has to trust a proof
//! to find out.

use waxwing_core::block::BlockHeader;
use waxwing_core::certificate::{Beacon, Certificate, Head};
use waxwing_core::committee::Committee;
use waxwing_core::follow::{HeadUpdate, LadderStep};
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::hash::{Hash, HashKeys};
use waxwing_core::history;
use waxwing_core::keys::VoteKey;
use waxwing_core::merkle::{InclusionProof, Sha256Tree, path_of};

use super::tree;
use crate::world::{FOUNDED, voters};

/// Who votes in one term.
#[derive(Clone, Debug)]
pub struct Term {
    /// The committee.
    pub committee: Committee,
    /// Its keys, in committee order.
    pub voters: Vec<VoteKey>,
}

impl Term {
    /// Four validators, different ones in every term.
    ///
    /// # Panics
    /// After more terms than a test needs.
    #[must_use]
    pub fn new(term: u8) -> Self {
        let voters = voters(term * 4 + 1..=term * 4 + 4);
        let members = voters.iter().map(VoteKey::public).collect();
        Self {
            committee: Committee::new(u64::from(term), members).expect("four usable keys, ascending"),
            voters,
        }
    }
}

/// All headers from genesis on, and everybody's keys.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The founding facts.
    pub genesis: Genesis,
    /// The network's hash keys.
    pub keys: HashKeys,
    /// The terms so far; the last one certifies what comes next.
    pub terms: Vec<Term>,
    /// The headers, by height.
    pub headers: Vec<BlockHeader>,
}

impl Chain {
    /// Genesis alone.
    ///
    /// # Panics
    /// Never: four keys are a committee.
    #[must_use]
    pub fn new() -> Self {
        let term = Term::new(0);
        let members = term.committee.members().to_vec();
        let genesis = Genesis::new("chain", FOUNDED, Parameters::DEFAULT, members).expect("sound facts");
        Self {
            keys: genesis.keys(),
            headers: vec![genesis.block()],
            terms: vec![term],
            genesis,
        }
    }

    /// Genesis and this many blocks, a second apart.
    #[must_use]
    pub fn grown(blocks: usize) -> Self {
        let mut chain = Self::new();
        (0..blocks).for_each(|_| chain.grow(|_| ()));
        chain
    }

    /// Height of the newest block.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.headers.len() - 1
    }

    /// The header at a height.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn header(&self, height: usize) -> &BlockHeader {
        self.headers.get(height).expect("the block was made before")
    }

    /// The block id at a height.
    #[must_use]
    pub fn id(&self, height: usize) -> Hash {
        self.header(height).id(&self.keys)
    }

    fn leaves(&self, count: usize) -> Vec<Hash> {
        self.headers.iter().take(count).map(history::leaf).collect()
    }

    /// Whether the header at a height names the history that stands before it here. A header that was put into another
    /// history does not.
    #[must_use]
    pub fn is_linked(&self, height: usize) -> bool {
        tree::root(&Sha256Tree, &self.leaves(height)) == self.header(height).history_root
    }

    /// Who certifies the next block.
    ///
    /// # Panics
    /// Never: there is a term 0.
    #[must_use]
    pub fn term(&self) -> &Term {
        self.terms.last().expect("there is a term 0")
    }

    /// Adds a block, altered by `change` before anything commits to it.
    pub fn grow(&mut self, change: impl FnOnce(&mut BlockHeader)) {
        let height = self.height();
        let parent = self.header(height);
        let committee = self.term().committee.hash(&self.keys);
        let mut header = BlockHeader {
            height: parent.height + 1,
            time: parent.time + 1_000,
            parent: self.id(height),
            history_root: tree::root(&Sha256Tree, &self.leaves(height + 1)),
            term: self.term().committee.term(),
            committee,
            next_committee: committee,
            ..parent.clone()
        };
        change(&mut header);
        self.headers.push(header);
    }

    /// Adds the last block of this term, which names the next committee.
    ///
    /// # Panics
    /// After more terms than a test needs.
    pub fn end_term(&mut self) {
        let next = Term::new(u8::try_from(self.terms.len()).expect("tests have few terms"));
        let named = next.committee.hash(&self.keys);
        self.grow(|header| header.next_committee = named);
        self.terms.push(next);
    }

    /// The heights of the last blocks of terms.
    #[must_use]
    pub fn ends(&self) -> Vec<usize> {
        let is_end = |header: &BlockHeader| header.committee != header.next_committee;
        (0..)
            .zip(&self.headers)
            .filter(|(_, header)| is_end(header))
            .map(|(height, _)| height)
            .collect()
    }

    /// The heights of the last blocks of terms on the way from one height to another: above the first, up to the second.
    #[must_use]
    pub fn ends_between(&self, from: usize, to: usize) -> Vec<usize> {
        let between = |end: &usize| (from + 1..=to).contains(end);
        self.ends().into_iter().filter(between).collect()
    }

    /// A header certified by the first few of its committee.
    ///
    /// # Panics
    /// If there is no such block.
    #[must_use]
    pub fn head_signed(&self, height: usize, signers: usize) -> Head {
        let header = self.header(height).clone();
        let term = usize::try_from(header.term).ok().and_then(|term| self.terms.get(term));
        let Term { committee, voters } = term.expect("every header has its term");
        let signers: Vec<&VoteKey> = voters.iter().take(signers).collect();
        let certificate = Certificate::sign(committee, 0, &header, self.id(height), &signers);
        Head { header, certificate }
    }

    /// A certified header.
    #[must_use]
    pub fn head(&self, height: usize) -> Head {
        self.head_signed(height, 3)
    }

    /// That the header at `from` stands in the history of the one at `to`; empty if they are one.
    ///
    /// # Panics
    /// If `from` is newer.
    #[must_use]
    pub fn extension(&self, from: usize, to: usize) -> InclusionProof {
        if from == to {
            return InclusionProof::default();
        }
        let from = u64::try_from(from).expect("heights of tests are small");
        path_of(&Sha256Tree, &self.leaves(to), from).expect("it is older")
    }

    /// The rung that leads a client at `from` over the end of a term.
    ///
    /// # Panics
    /// If no term ends there.
    #[must_use]
    pub fn rung(&self, from: usize, end: usize) -> LadderStep {
        let next = usize::try_from(self.header(end).term + 1).ok();
        let next = next.and_then(|term| self.terms.get(term)).expect("a term ends there");
        LadderStep {
            head: self.head(end),
            extension: self.extension(from, end),
            next: next.committee.clone(),
        }
    }

    /// What brings an honest client from one height to another, over as many terms as end between.
    #[must_use]
    pub fn update(&self, from: usize, to: usize) -> HeadUpdate {
        let mut at = from;
        let mut ladder = Vec::new();
        for end in self.ends_between(from, to) {
            ladder.push(self.rung(at, end));
            at = end;
        }
        HeadUpdate {
            ladder,
            head: self.head(to),
            extension: self.extension(at, to),
        }
    }

    /// The term whose committee certifies the block after this height.
    #[must_use]
    pub fn term_after(&self, height: usize) -> usize {
        let header = self.header(height);
        let ends = header.committee != header.next_committee;
        usize::try_from(header.term).unwrap_or(usize::MAX) + usize::from(ends)
    }

    /// Another history: the same up to this height, and then whatever is added.
    #[must_use]
    pub fn branch(&self, height: usize) -> Self {
        let mut branch = self.clone();
        branch.headers.truncate(height + 1);
        branch.terms.truncate(self.term_after(height) + 1);
        branch
    }

    /// A quorum's word, by the committee that certifies the next block, that a head was the newest at a time.
    #[must_use]
    pub fn beacon(&self, height: usize, time: u64, signers: usize) -> Beacon {
        self.beacon_of(self.terms.len() - 1, height, time, signers)
    }

    /// The same, signed by the committee of a certain term.
    ///
    /// # Panics
    /// If there is no such term.
    #[must_use]
    pub fn beacon_of(&self, term: usize, height: usize, time: u64, signers: usize) -> Beacon {
        let Term { committee, voters } = self.terms.get(term).expect("the term was begun before");
        let signers: Vec<&VoteKey> = voters.iter().take(signers).collect();
        let head = (self.header(height).height, self.id(height));
        Beacon::sign(committee, self.keys.network(), head, time, &signers)
    }
}

impl Default for Chain {
    fn default() -> Self {
        Self::new()
    }
}

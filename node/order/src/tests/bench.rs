//! A host and the keys of its whole committee, so that a test can speak for everybody else.

use std::sync::Arc;

use waxwing_core::block::BlockHeader;
use waxwing_core::certificate::VoteKind;
use waxwing_core::committee::Committee;
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::keys::{Signature, ValidatorId, VoteKey};
use waxwing_core::{Hash, HashKeys};

use crate::{
    Guard, Host, Input, Message, Output, Polka, Proposal, Record, RoundCertificate, RoundKind, RoundVote, Settings,
    Vote,
};

/// No signature.
pub(super) const BLANK: Signature = Signature([0; 64]);

/// A committee of which the test holds every key. Member 0 proposes in round 0, member 1 in round 1, and so on.
pub(super) struct Bench {
    pub(super) genesis: Genesis,
    pub(super) hashes: HashKeys,
    pub(super) committee: Arc<Committee>,
    seeds: Vec<[u8; 32]>,
}

impl Bench {
    pub(super) fn new(validators: u8) -> Self {
        let mut seeds: Vec<[u8; 32]> = (1..=validators).map(|seed| [seed; 32]).collect();
        seeds.sort_by_key(|seed| VoteKey::from_seed(seed).public());
        let members = seeds.iter().map(|seed| VoteKey::from_seed(seed).public()).collect();
        let genesis = Genesis::new("bench", 1_000, Parameters::DEFAULT, members).unwrap();
        Self {
            hashes: genesis.keys(),
            committee: Arc::new(genesis.committee()),
            genesis,
            seeds,
        }
    }

    pub(super) fn key(&self, member: usize) -> VoteKey {
        VoteKey::from_seed(&self.seeds[member])
    }

    pub(super) fn id(&self, member: usize) -> ValidatorId {
        self.key(member).public()
    }

    /// Member `member`'s host, which inherits `guard`.
    pub(super) fn guarded(&self, member: usize, guard: Guard) -> Host {
        Host::new(self.genesis.network(), self.key(member), Settings::DEFAULT, guard)
    }

    pub(super) fn host(&self, member: usize) -> Host {
        self.guarded(member, Guard::default())
    }

    /// Member `member`'s host, at height 1.
    pub(super) fn begun(&self, member: usize) -> (Host, Vec<Output>) {
        let mut host = self.host(member);
        let outputs = self.begin(&mut host, 1, &[]);
        (host, outputs)
    }

    pub(super) fn begin(&self, host: &mut Host, height: u64, recovered: &[Record]) -> Vec<Output> {
        host.begin(height, &self.committee, self.committee.members(), recovered)
    }

    /// A block of height 1 by a member; `salt` makes it another one.
    pub(super) fn block(&self, member: usize, salt: u64) -> BlockHeader {
        BlockHeader {
            height: 1,
            parent: self.genesis.block().id(&self.hashes),
            time: 2_000 + salt,
            proposer: self.id(member),
            ..self.genesis.block()
        }
    }

    pub(super) fn block_id(&self, header: &BlockHeader) -> Hash {
        header.id(&self.hashes)
    }

    pub(super) fn proposal(
        &self,
        member: usize,
        header: &BlockHeader,
        round: u32,
        polka_round: Option<u32>,
    ) -> Proposal {
        let mut proposal = Proposal {
            header: header.clone(),
            round,
            polka_round,
            validator: self.id(member),
            signature: BLANK,
        };
        proposal.signature = self.key(member).sign(&proposal.signed_bytes(&self.hashes));
        proposal
    }

    pub(super) fn vote(&self, member: usize, kind: VoteKind, height: u64, round: u32, block: Hash) -> Vote {
        let mut vote = Vote {
            validator: self.id(member),
            kind,
            height,
            round,
            block,
            signature: BLANK,
        };
        vote.signature = self.key(member).sign(&vote.signed_bytes(self.genesis.network()));
        vote
    }

    pub(super) fn prevote(&self, member: usize, round: u32, block: Hash) -> Vote {
        self.vote(member, VoteKind::Prevote, 1, round, block)
    }

    pub(super) fn precommit(&self, member: usize, round: u32, block: Hash) -> Vote {
        self.vote(member, VoteKind::Precommit, 1, round, block)
    }

    pub(super) fn polka(&self, members: &[usize], round: u32, block: Hash) -> Polka {
        let vote = |member: &usize| (self.id(*member), self.prevote(*member, round, block).signature);
        Polka {
            height: 1,
            round,
            block,
            votes: members.iter().map(vote).collect(),
        }
    }

    pub(super) fn round_certificate(&self, kind: RoundKind, votes: &[Vote]) -> RoundCertificate {
        RoundCertificate {
            height: votes[0].height,
            round: votes[0].round,
            kind,
            votes: votes
                .iter()
                .map(|vote| RoundVote {
                    validator: vote.validator,
                    kind: vote.kind,
                    block: vote.block,
                    signature: vote.signature,
                })
                .collect(),
        }
    }
}

pub(super) fn hear_vote(host: &mut Host, vote: &Vote) -> Vec<Output> {
    host.on(Input::Message(Message::Vote(vote.clone())))
}

pub(super) fn hear_proposal(host: &mut Host, proposal: &Proposal) -> Vec<Output> {
    host.on(Input::Message(Message::Proposal(Box::new(proposal.clone()))))
}

/// What was recorded.
pub(super) fn records(outputs: &[Output]) -> Vec<Record> {
    let record = |output: &Output| match output {
        Output::Record(record) => Some(record.clone()),
        _ => None,
    };
    outputs.iter().filter_map(record).collect()
}

/// What was published.
pub(super) fn published(outputs: &[Output]) -> Vec<Message> {
    let message = |output: &Output| match output {
        Output::Publish(message) => Some(message.clone()),
        _ => None,
    };
    outputs.iter().filter_map(message).collect()
}

/// The votes that were published: step, round, block.
pub(super) fn votes(outputs: &[Output]) -> Vec<(VoteKind, u32, Hash)> {
    let vote = |message: Message| match message {
        Message::Vote(vote) => Some((vote.kind, vote.round, vote.block)),
        _ => None,
    };
    published(outputs).into_iter().filter_map(vote).collect()
}

/// Whether a decision came out, and if, at the very end.
pub(super) fn has_decided(outputs: &[Output]) -> bool {
    let at = outputs
        .iter()
        .position(|output| matches!(output, Output::Decided { .. }));
    assert!(
        at.is_none_or(|at| at + 1 == outputs.len()),
        "nothing comes behind a decision"
    );
    at.is_some()
}

//! Between the engine's words and ours: the same things, named differently. Nothing here decides.

use arc_malachitebft_core_types as types;
use types::{NilOrVal, SignedMessage, Timeout, TimeoutKind, VoteType};
use waxwing_core::Hash;
use waxwing_core::block::BlockHeader;
use waxwing_core::certificate::VoteKind;
use waxwing_core::hash::HashKeys;
use waxwing_core::keys::{Signature, ValidatorId};

use super::{
    Address, Block, BlockId, CommitCertificate, Height, PolkaCertificate, Proposal, ProposedValue, Round,
    RoundCertificate, Sig, SignedProposal, SignedVote, Vote, Waxwing,
};
use crate::event::{Timer, TimerKind};
use crate::message;
use crate::record::Judged;

/// The engine's name for a block voted for; zeros are none.
fn nil_or(block: Hash) -> NilOrVal<BlockId> {
    if block == Hash::ZERO {
        NilOrVal::Nil
    } else {
        NilOrVal::Val(BlockId(block))
    }
}

/// The block voted for; zeros for none.
pub(crate) fn block_of(value: &NilOrVal<BlockId>) -> Hash {
    match value {
        NilOrVal::Nil => Hash::ZERO,
        NilOrVal::Val(id) => id.0,
    }
}

const fn kind_of(kind: VoteType) -> VoteKind {
    match kind {
        VoteType::Prevote => VoteKind::Prevote,
        VoteType::Precommit => VoteKind::Precommit,
    }
}

const fn type_of(kind: VoteKind) -> VoteType {
    match kind {
        VoteKind::Prevote => VoteType::Prevote,
        VoteKind::Precommit => VoteType::Precommit,
    }
}

/// A round as a number. Nothing is ever said about the engine's "no round" but the missing polka round.
pub(crate) fn number(round: Round) -> u32 {
    round.as_u32().unwrap_or(0)
}

pub(crate) fn vote_in(vote: &message::Vote) -> SignedVote {
    let unsigned = Vote {
        height: Height(vote.height),
        round: Round::new(vote.round),
        kind: type_of(vote.kind),
        block: nil_or(vote.block),
        validator: Address(vote.validator),
    };
    SignedMessage::new(unsigned, Sig(vote.signature))
}

pub(crate) fn vote_out(vote: &Vote, signature: Sig) -> message::Vote {
    message::Vote {
        validator: vote.validator.0,
        kind: kind_of(vote.kind),
        height: vote.height.0,
        round: number(vote.round),
        block: block_of(&vote.block),
        signature: signature.0,
    }
}

pub(crate) fn proposal_in(keys: &HashKeys, proposal: &message::Proposal) -> SignedProposal {
    let unsigned = Proposal {
        height: Height(proposal.header.height),
        round: Round::new(proposal.round),
        block: Block::new(keys, proposal.header.clone()),
        polka_round: Round::from(proposal.polka_round),
        validator: Address(proposal.validator),
    };
    SignedMessage::new(unsigned, Sig(proposal.signature))
}

pub(crate) fn proposal_out(proposal: &Proposal, signature: Sig) -> message::Proposal {
    message::Proposal {
        header: BlockHeader::clone(&proposal.block.header),
        round: number(proposal.round),
        polka_round: proposal.polka_round.as_u32(),
        validator: proposal.validator.0,
        signature: signature.0,
    }
}

/// The precommits that a decision rests on.
pub(crate) fn precommits(certificate: &CommitCertificate) -> Vec<message::Vote> {
    let vote = |signed: &types::CommitSignature<Waxwing>| message::Vote {
        validator: signed.address.0,
        kind: VoteKind::Precommit,
        height: certificate.height.0,
        round: number(certificate.round),
        block: certificate.value_id.0,
        signature: signed.signature.0,
    };
    certificate.commit_signatures.iter().map(vote).collect()
}

/// The prevotes of a polka, as they stand there.
pub(crate) fn prevotes(polka: &PolkaCertificate) -> Vec<message::Vote> {
    let vote = |signed: &types::PolkaSignature<Waxwing>| message::Vote {
        validator: signed.address.0,
        kind: VoteKind::Prevote,
        height: polka.height.0,
        round: number(polka.round),
        block: polka.value_id.0,
        signature: signed.signature.0,
    };
    polka.polka_signatures.iter().map(vote).collect()
}

/// The votes of a round certificate, as they stand there.
pub(crate) fn round_votes(certificate: &RoundCertificate) -> Vec<message::Vote> {
    let vote = |signed: &types::RoundSignature<Waxwing>| message::Vote {
        validator: signed.address.0,
        kind: kind_of(signed.vote_type),
        height: certificate.height.0,
        round: number(certificate.round),
        block: block_of(&signed.value_id),
        signature: signed.signature.0,
    };
    certificate.round_signatures.iter().map(vote).collect()
}

pub(crate) fn polka_in(polka: &message::Polka) -> PolkaCertificate {
    let vote = |(validator, signature): &(ValidatorId, Signature)| {
        types::PolkaSignature::new(Address(*validator), Sig(*signature))
    };
    PolkaCertificate {
        height: Height(polka.height),
        round: Round::new(polka.round),
        value_id: BlockId(polka.block),
        polka_signatures: polka.votes.iter().map(vote).collect(),
    }
}

pub(crate) fn polka_out(polka: &PolkaCertificate) -> message::Polka {
    let vote = |vote: &types::PolkaSignature<Waxwing>| (vote.address.0, vote.signature.0);
    let mut votes: Vec<_> = polka.polka_signatures.iter().map(vote).collect();
    votes.sort_by_key(|(validator, _)| *validator);
    votes.dedup_by_key(|(validator, _)| *validator);
    message::Polka {
        height: polka.height.0,
        round: number(polka.round),
        block: polka.value_id.0,
        votes,
    }
}

pub(crate) fn round_in(certificate: &message::RoundCertificate) -> RoundCertificate {
    let vote = |vote: &message::RoundVote| {
        types::RoundSignature::new(
            type_of(vote.kind),
            nil_or(vote.block),
            Address(vote.validator),
            Sig(vote.signature),
        )
    };
    RoundCertificate {
        height: Height(certificate.height),
        round: Round::new(certificate.round),
        cert_type: match certificate.kind {
            message::RoundKind::Skip => types::RoundCertificateType::Skip,
            message::RoundKind::Over => types::RoundCertificateType::Precommit,
        },
        round_signatures: certificate.votes.iter().map(vote).collect(),
    }
}

pub(crate) fn round_out(certificate: &RoundCertificate) -> message::RoundCertificate {
    let vote = |vote: &types::RoundSignature<Waxwing>| message::RoundVote {
        validator: vote.address.0,
        kind: kind_of(vote.vote_type),
        block: block_of(&vote.value_id),
        signature: vote.signature.0,
    };
    let mut votes: Vec<_> = certificate.round_signatures.iter().map(vote).collect();
    votes.sort_by_key(|vote| vote.validator);
    votes.dedup_by_key(|vote| vote.validator);
    message::RoundCertificate {
        height: certificate.height.0,
        round: number(certificate.round),
        kind: match certificate.cert_type {
            types::RoundCertificateType::Skip => message::RoundKind::Skip,
            types::RoundCertificateType::Precommit => message::RoundKind::Over,
        },
        votes,
    }
}

pub(crate) fn judged_in(keys: &HashKeys, judged: &Judged) -> ProposedValue {
    ProposedValue {
        height: Height(judged.header.height),
        round: Round::new(judged.round),
        valid_round: Round::Nil,
        proposer: Address(judged.proposer),
        value: Block::new(keys, judged.header.clone()),
        validity: types::Validity::from_bool(judged.is_valid),
    }
}

pub(crate) fn judged_out(value: &ProposedValue) -> Judged {
    Judged {
        header: BlockHeader::clone(&value.value.header),
        round: number(value.round),
        proposer: value.proposer.0,
        is_valid: value.validity.is_valid(),
    }
}

pub(crate) fn timeout_in(timer: Timer) -> Timeout {
    let kind = match timer.kind {
        TimerKind::Propose => TimeoutKind::Propose,
        TimerKind::Prevote => TimeoutKind::Prevote,
        TimerKind::Precommit => TimeoutKind::Precommit,
        TimerKind::Again => TimeoutKind::Rebroadcast,
    };
    Timeout::new(Round::new(timer.round), kind)
}

/// The timer of a timeout; none for the engine's wait after a decision, which the host never asks for.
pub(crate) fn timer_out(height: u64, timeout: &Timeout) -> Option<Timer> {
    let kind = match timeout.kind {
        TimeoutKind::Propose => TimerKind::Propose,
        TimeoutKind::Prevote => TimerKind::Prevote,
        TimeoutKind::Precommit => TimerKind::Precommit,
        TimeoutKind::Rebroadcast => TimerKind::Again,
        TimeoutKind::FinalizeHeight(_) => return None,
    };
    Some(Timer {
        height,
        round: number(timeout.round),
        kind,
    })
}

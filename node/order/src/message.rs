//! What validators say to each other to agree: proposals, votes, and two kinds of collected votes.
//!
//! A vote's bytes are `waxwing_core::certificate::vote_message`, nil being the zero hash, so that precommits become the
//! ledger's certificates as they are. A proposal is signed under a domain of its own ([`proposal_message`]): it names
//! the proposer's wish, binds nobody else, and is in no certificate. Collected votes carry no signature of whoever
//! passes them on; every vote inside counts by itself.
//!
//! Decoding is not trusting: what comes out has the right shape, and the host verifies it before it acts.

use waxwing_core::block::BlockHeader;
use waxwing_core::certificate::{VoteKind, vote_message};
use waxwing_core::codec::{CodecError, Decode, Encode, Reader, put_count};
use waxwing_core::keys::{Signature, ValidatorId};
use waxwing_core::limits::COMMITTEE_MAX;
use waxwing_core::{Hash, HashKeys};

use crate::limits::{POLKA_VOTE_BYTES, ROUND_VOTE_BYTES};

/// What a signed proposal starts with.
pub const PROPOSAL_DOMAIN: &[u8] = b"waxwing v1 proposal";

/// Stands for "no earlier round" where a proposal names the round of its polka.
const NO_ROUND: u32 = u32::MAX;

/// One message of the agreement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// A validator proposes a block in its turn.
    Proposal(Box<Proposal>),
    /// A validator votes.
    Vote(Vote),
    /// A quorum's prevotes for one block: why it may be proposed again.
    Polka(Polka),
    /// Votes that prove that a round is over, or that enough others are in a later one.
    Round(RoundCertificate),
}

/// A block proposed for one round.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// The block. Its proposer is who proposed it first; a block that is proposed again keeps it.
    pub header: BlockHeader,
    /// For which round.
    pub round: u32,
    /// The earlier round in which a quorum prevoted for it, if it is proposed again.
    pub polka_round: Option<u32>,
    /// Whose turn it is in `round`.
    pub validator: ValidatorId,
    /// Over [`proposal_message`].
    pub signature: Signature,
}

/// A vote for a block or for none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vote {
    /// Whose.
    pub validator: ValidatorId,
    /// Which step.
    pub kind: VoteKind,
    /// At which height.
    pub height: u64,
    /// In which round.
    pub round: u32,
    /// For which block; zeros for none.
    pub block: Hash,
    /// Over `waxwing_core::certificate::vote_message`.
    pub signature: Signature,
}

/// A quorum's prevotes for one block in one round.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Polka {
    /// At which height.
    pub height: u64,
    /// In which round.
    pub round: u32,
    /// For which block.
    pub block: Hash,
    /// Who prevoted, ascending, and the signatures.
    pub votes: Vec<(ValidatorId, Signature)>,
}

/// What a round certificate proves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoundKind {
    /// More than f validators vote in this round: whoever is in an earlier one may go there.
    Skip,
    /// A quorum precommitted in this round, for whatever: it may end without a block.
    Over,
}

/// Votes of one round, collected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoundCertificate {
    /// At which height.
    pub height: u64,
    /// Which round.
    pub round: u32,
    /// What it proves.
    pub kind: RoundKind,
    /// At most one vote of each validator, ascending by validator.
    pub votes: Vec<RoundVote>,
}

/// One vote of a round certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoundVote {
    /// Whose.
    pub validator: ValidatorId,
    /// Which step.
    pub kind: VoteKind,
    /// For which block; zeros for none.
    pub block: Hash,
    /// Over `waxwing_core::certificate::vote_message`.
    pub signature: Signature,
}

/// The bytes a validator signs to propose: domain, network, height, round, round of the polka (all ones for none),
/// block id.
#[must_use]
pub fn proposal_message(network: Hash, height: u64, round: u32, polka_round: Option<u32>, block: Hash) -> Vec<u8> {
    let mut message = PROPOSAL_DOMAIN.to_vec();
    network.encode(&mut message);
    message.extend_from_slice(&height.to_be_bytes());
    message.extend_from_slice(&round.to_be_bytes());
    message.extend_from_slice(&polka_round.unwrap_or(NO_ROUND).to_be_bytes());
    block.encode(&mut message);
    message
}

impl Message {
    /// The height it is about.
    #[must_use]
    pub const fn height(&self) -> u64 {
        match self {
            Self::Proposal(proposal) => proposal.header.height,
            Self::Vote(vote) => vote.height,
            Self::Polka(polka) => polka.height,
            Self::Round(certificate) => certificate.height,
        }
    }

    /// The round it is about.
    #[must_use]
    pub const fn round(&self) -> u32 {
        match self {
            Self::Proposal(proposal) => proposal.round,
            Self::Vote(vote) => vote.round,
            Self::Polka(polka) => polka.round,
            Self::Round(certificate) => certificate.round,
        }
    }

    /// Who signed it; none for collected votes.
    #[must_use]
    pub const fn validator(&self) -> Option<ValidatorId> {
        match self {
            Self::Proposal(proposal) => Some(proposal.validator),
            Self::Vote(vote) => Some(vote.validator),
            Self::Polka(_) | Self::Round(_) => None,
        }
    }

    /// Its signature; none for collected votes.
    #[must_use]
    pub const fn signature(&self) -> Option<Signature> {
        match self {
            Self::Proposal(proposal) => Some(proposal.signature),
            Self::Vote(vote) => Some(vote.signature),
            Self::Polka(_) | Self::Round(_) => None,
        }
    }

    /// The same with this signature; collected votes have none and stay as they are.
    #[must_use]
    pub(crate) fn with_signature(mut self, signature: Signature) -> Self {
        match &mut self {
            Self::Proposal(proposal) => proposal.signature = signature,
            Self::Vote(vote) => vote.signature = signature,
            Self::Polka(_) | Self::Round(_) => {}
        }
        self
    }

    /// The bytes its signature is over; none for collected votes.
    #[must_use]
    pub fn signed_bytes(&self, keys: &HashKeys) -> Option<Vec<u8>> {
        match self {
            Self::Proposal(proposal) => Some(proposal.signed_bytes(keys)),
            Self::Vote(vote) => Some(vote.signed_bytes(keys.network())),
            Self::Polka(_) | Self::Round(_) => None,
        }
    }

    /// Whether it is signed, strictly, by whom it names. Says nothing of who that is; collected votes are not signed.
    #[must_use]
    pub fn is_signed(&self, keys: &HashKeys) -> bool {
        match (self.validator(), self.signed_bytes(keys), self.signature()) {
            (Some(validator), Some(bytes), Some(signature)) => validator.verify(&bytes, &signature).is_ok(),
            _ => false,
        }
    }

    /// The votes it consists of.
    #[must_use]
    pub fn votes(&self) -> Vec<Vote> {
        match self {
            Self::Proposal(_) => Vec::new(),
            Self::Vote(vote) => vec![vote.clone()],
            Self::Polka(polka) => polka.votes().collect(),
            Self::Round(certificate) => certificate.votes().collect(),
        }
    }
}

impl Proposal {
    /// The bytes it signs.
    #[must_use]
    pub fn signed_bytes(&self, keys: &HashKeys) -> Vec<u8> {
        proposal_message(
            keys.network(),
            self.header.height,
            self.round,
            self.polka_round,
            self.header.id(keys),
        )
    }
}

impl Vote {
    /// The bytes it signs.
    #[must_use]
    pub fn signed_bytes(&self, network: Hash) -> Vec<u8> {
        vote_message(network, self.kind, self.height, self.round, self.block)
    }
}

impl Polka {
    /// The votes it consists of.
    pub fn votes(&self) -> impl Iterator<Item = Vote> + '_ {
        self.votes.iter().map(|(validator, signature)| Vote {
            validator: *validator,
            kind: VoteKind::Prevote,
            height: self.height,
            round: self.round,
            block: self.block,
            signature: *signature,
        })
    }
}

impl RoundCertificate {
    /// The votes it consists of.
    pub fn votes(&self) -> impl Iterator<Item = Vote> + '_ {
        self.votes.iter().map(|vote| Vote {
            validator: vote.validator,
            kind: vote.kind,
            height: self.height,
            round: self.round,
            block: vote.block,
            signature: vote.signature,
        })
    }
}

// ---- Bytes -------------------------------------------------------------------------------------------------------

fn put_kind(out: &mut Vec<u8>, kind: VoteKind) {
    out.push(match kind {
        VoteKind::Prevote => 1,
        VoteKind::Precommit => 2,
    });
}

fn read_kind(reader: &mut Reader<'_>) -> Result<VoteKind, CodecError> {
    match reader.u8()? {
        1 => Ok(VoteKind::Prevote),
        2 => Ok(VoteKind::Precommit),
        _ => Err(CodecError::BadValue),
    }
}

/// Refuses a list in which somebody stands twice or out of order: then there is one way to write it.
fn ascending<T>(votes: Vec<T>, validator: impl Fn(&T) -> ValidatorId) -> Result<Vec<T>, CodecError> {
    if votes.is_sorted_by(|a, b| validator(a) < validator(b)) {
        Ok(votes)
    } else {
        Err(CodecError::BadValue)
    }
}

impl Encode for Proposal {
    fn encode(&self, out: &mut Vec<u8>) {
        self.header.encode(out);
        out.extend_from_slice(&self.round.to_be_bytes());
        out.extend_from_slice(&self.polka_round.unwrap_or(NO_ROUND).to_be_bytes());
        self.validator.encode(out);
        self.signature.encode(out);
    }
}

impl Decode for Proposal {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            header: BlockHeader::decode(reader)?,
            round: reader.u32()?,
            polka_round: Some(reader.u32()?).filter(|round| *round != NO_ROUND),
            validator: ValidatorId::decode(reader)?,
            signature: Signature::decode(reader)?,
        })
    }
}

impl Encode for Vote {
    fn encode(&self, out: &mut Vec<u8>) {
        self.validator.encode(out);
        put_kind(out, self.kind);
        out.extend_from_slice(&self.height.to_be_bytes());
        out.extend_from_slice(&self.round.to_be_bytes());
        self.block.encode(out);
        self.signature.encode(out);
    }
}

impl Decode for Vote {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            validator: ValidatorId::decode(reader)?,
            kind: read_kind(reader)?,
            height: reader.u64()?,
            round: reader.u32()?,
            block: reader.hash()?,
            signature: Signature::decode(reader)?,
        })
    }
}

impl Encode for Polka {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.height.to_be_bytes());
        out.extend_from_slice(&self.round.to_be_bytes());
        self.block.encode(out);
        put_count(out, self.votes.len());
        for (validator, signature) in &self.votes {
            validator.encode(out);
            signature.encode(out);
        }
    }
}

impl Decode for Polka {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let (height, round, block) = (reader.u64()?, reader.u32()?, reader.hash()?);
        if block == Hash::ZERO {
            // A quorum for no block is what a round certificate is for.
            return Err(CodecError::BadValue);
        }
        let count = reader.count(COMMITTEE_MAX, POLKA_VOTE_BYTES)?;
        let vote = |_| Ok((ValidatorId::decode(reader)?, Signature::decode(reader)?));
        let votes = (0..count).map(vote).collect::<Result<Vec<_>, CodecError>>()?;
        Ok(Self {
            height,
            round,
            block,
            votes: ascending(votes, |(validator, _)| *validator)?,
        })
    }
}

impl Encode for RoundVote {
    fn encode(&self, out: &mut Vec<u8>) {
        self.validator.encode(out);
        put_kind(out, self.kind);
        self.block.encode(out);
        self.signature.encode(out);
    }
}

impl Decode for RoundVote {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            validator: ValidatorId::decode(reader)?,
            kind: read_kind(reader)?,
            block: reader.hash()?,
            signature: Signature::decode(reader)?,
        })
    }
}

impl Encode for RoundCertificate {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.height.to_be_bytes());
        out.extend_from_slice(&self.round.to_be_bytes());
        out.push(match self.kind {
            RoundKind::Skip => 1,
            RoundKind::Over => 2,
        });
        waxwing_core::codec::put_list(out, &self.votes);
    }
}

impl Decode for RoundCertificate {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            height: reader.u64()?,
            round: reader.u32()?,
            kind: match reader.u8()? {
                1 => RoundKind::Skip,
                2 => RoundKind::Over,
                _ => return Err(CodecError::BadValue),
            },
            votes: ascending(reader.list(COMMITTEE_MAX, ROUND_VOTE_BYTES)?, |vote: &RoundVote| {
                vote.validator
            })?,
        })
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Proposal(proposal) => {
                out.push(1);
                proposal.encode(out);
            }
            Self::Vote(vote) => {
                out.push(2);
                vote.encode(out);
            }
            Self::Polka(polka) => {
                out.push(3);
                polka.encode(out);
            }
            Self::Round(certificate) => {
                out.push(4);
                certificate.encode(out);
            }
        }
    }
}

impl Decode for Message {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match reader.u8()? {
            1 => Proposal::decode(reader).map(|proposal| Self::Proposal(Box::new(proposal))),
            2 => Vote::decode(reader).map(Self::Vote),
            3 => Polka::decode(reader).map(Self::Polka),
            4 => RoundCertificate::decode(reader).map(Self::Round),
            _ => Err(CodecError::BadValue),
        }
    }
}

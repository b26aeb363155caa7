//! What a host writes down so that it cannot contradict itself after a crash.
//!
//! The engine is deterministic: whoever feeds it the same inputs gets the same votes. So the journal of a height holds
//! its inputs in order, what we said ourselves among them, and a restart replays them. It is about one height only and
//! begins anew with the next.

use waxwing_core::block::BlockHeader;
use waxwing_core::codec::{CodecError, Decode, Encode, Reader};
use waxwing_core::keys::ValidatorId;

use crate::event::{Timer, TimerKind};
use crate::guard::{Guard, Step};
use crate::message::{Polka, Proposal, Vote};

/// One record of the journal of a height.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Record {
    /// A proposal that counts, ours or another's.
    Proposal(Box<Proposal>),
    /// A vote that counts, ours or another's.
    Vote(Vote),
    /// A quorum's prevotes that another collected.
    Polka(Polka),
    /// What was found about a proposed block, or that we made it ourselves.
    Judged(Box<Judged>),
    /// A timer ran out.
    Timeout(Timer),
}

/// A block whose contents were checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// The block.
    pub header: BlockHeader,
    /// The round it was proposed in.
    pub round: u32,
    /// Who proposed it in that round.
    pub proposer: ValidatorId,
    /// Whether it may be voted for.
    pub is_valid: bool,
}

impl Record {
    /// The height it belongs to.
    #[must_use]
    pub const fn height(&self) -> u64 {
        match self {
            Self::Proposal(proposal) => proposal.header.height,
            Self::Vote(vote) => vote.height,
            Self::Polka(polka) => polka.height,
            Self::Judged(judged) => judged.header.height,
            Self::Timeout(timer) => timer.height,
        }
    }

    /// The step in which it shows `validator` to have signed something.
    #[must_use]
    pub fn signed_by(&self, validator: &ValidatorId) -> Option<Guard> {
        let (signer, round, step) = match self {
            Self::Proposal(proposal) => (proposal.validator, proposal.round, Step::Propose),
            Self::Vote(vote) => (vote.validator, vote.round, Step::of_vote(vote.kind)),
            Self::Polka(_) | Self::Judged(_) | Self::Timeout(_) => return None,
        };
        (signer == *validator).then(|| Guard {
            height: self.height(),
            round,
            step,
        })
    }
}

impl Encode for Record {
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
            Self::Judged(judged) => {
                out.push(4);
                judged.header.encode(out);
                out.extend_from_slice(&judged.round.to_be_bytes());
                judged.proposer.encode(out);
                out.push(u8::from(judged.is_valid));
            }
            Self::Timeout(timer) => {
                out.push(5);
                out.extend_from_slice(&timer.height.to_be_bytes());
                out.extend_from_slice(&timer.round.to_be_bytes());
                out.push(match timer.kind {
                    TimerKind::Propose => 1,
                    TimerKind::Prevote => 2,
                    TimerKind::Precommit => 3,
                    TimerKind::Again => 4,
                });
            }
        }
    }
}

impl Decode for Record {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match reader.u8()? {
            1 => Proposal::decode(reader).map(|proposal| Self::Proposal(Box::new(proposal))),
            2 => Vote::decode(reader).map(Self::Vote),
            3 => Polka::decode(reader).map(Self::Polka),
            4 => Ok(Self::Judged(Box::new(Judged {
                header: BlockHeader::decode(reader)?,
                round: reader.u32()?,
                proposer: ValidatorId::decode(reader)?,
                is_valid: match reader.u8()? {
                    0 => false,
                    1 => true,
                    _ => return Err(CodecError::BadValue),
                },
            }))),
            5 => Ok(Self::Timeout(Timer {
                height: reader.u64()?,
                round: reader.u32()?,
                kind: match reader.u8()? {
                    1 => TimerKind::Propose,
                    2 => TimerKind::Prevote,
                    3 => TimerKind::Precommit,
                    4 => TimerKind::Again,
                    _ => return Err(CodecError::BadValue),
                },
            })),
            _ => Err(CodecError::BadValue),
        }
    }
}

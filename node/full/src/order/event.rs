//! What a validator is told, what it wants done, and what validators send each other.
//!
//! ```text
//! links, clock, pool, sync ──Event──> Validator ──Action──> journal, links, timers, sync
//!                                        │
//!                                        └── Frame to and from other validators, inside Event::Frame and Action::Send
//! ```
//!
//! All values: whoever carries them (threads and sockets in a node, a seeded queue in a simulation) decides nothing.
//! Actions are carried out in order, each before the next begins: what stands behind a [`Action::Flush`] must not leave
//! before everything appended before it is on disk, or a crash would let the validator contradict itself.

use std::sync::Arc;

use waxwing_core::block::BlockHeader;
use waxwing_core::certificate::Head;
use waxwing_core::codec::{CodecError, Decode, Encode, Reader, put_list};
use waxwing_core::envelope::Carried;
use waxwing_core::evidence::Evidence;
use waxwing_core::keys::ValidatorId;
use waxwing_core::ledger::BlockError;
use waxwing_core::limits::{BLOCK_ENTRIES_MAX, EVIDENCE_MAX};
use waxwing_core::{Hash, Verified};
use waxwing_order::{Guard, Message};
use waxwing_store::StoreError;

use crate::faults::Fault;

/// What time it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Now {
    /// Milliseconds since 1970, by this machine's clock: may jump.
    pub wall_ms: u64,
    /// Milliseconds since some moment: never jumps, never runs back.
    pub steady_ms: u64,
}

/// What a validator is told.
#[derive(Clone, Debug)]
pub enum Event {
    /// Another validator sent something. That it was this one is proved; what it sent is not.
    Frame {
        /// Who.
        from: ValidatorId,
        /// What.
        frame: Frame,
    },
    /// A validator can be reached from now on, or again. Whatever was sent to it before may be lost.
    PeerUp(ValidatorId),
    /// A validator cannot be reached any more.
    PeerDown(ValidatorId),
    /// The time of an [`Action::Set`] has come.
    Timer(TimerId),
    /// The pool or the waiting evidence changed.
    Work,
    /// A certified block that was copied. Answered with [`Action::Copied`].
    Copied(Box<CopiedBlock>),
    /// What came of an [`Action::Pull`]: what was delivered, verified one by one, whatever it is.
    Missing {
        /// The block it was asked for.
        block: Hash,
        /// What was delivered; nothing if the other did not answer.
        entries: Vec<Arc<Verified<Carried>>>,
    },
}

/// A block that somebody else certified. `head` was verified with the committee that it names.
#[derive(Clone, Debug)]
pub struct CopiedBlock {
    /// Header and certificate.
    pub head: Verified<Head>,
    /// Its entries in order.
    pub entries: Vec<Arc<Verified<Carried>>>,
    /// What it reports.
    pub evidence: Vec<Evidence>,
}

/// To whom something is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum To {
    /// To every other validator of the committee.
    All,
    /// To one of them.
    One(ValidatorId),
}

/// What a validator wants done.
#[derive(Clone, Debug)]
pub enum Action {
    /// Append a record to the journal.
    Append(Vec<u8>),
    /// Everything appended so far is durable before any later action is carried out.
    Flush,
    /// The journal begins anew: what it holds is about a height that is done.
    Reset,
    /// Note beside the vote key where it has last signed, before any later action is carried out. It need not be
    /// durable as long as the journal is.
    Signed(Guard),
    /// Send something, in this order per receiver. Whoever cannot be reached does not get it.
    Send {
        /// To whom.
        to: To,
        /// What.
        frame: Frame,
    },
    /// An [`Event::Timer`] after so many milliseconds; replaces an earlier one of the same name.
    Set(TimerId, u64),
    /// No such event after all.
    Cancel(TimerId),
    /// Ask another validator for entries of a block under way, by their stamps; verify each as if it had been
    /// submitted; report with [`Event::Missing`].
    Pull {
        /// The block.
        block: Hash,
        /// Whom to ask.
        from: ValidatorId,
        /// What for.
        stamps: Vec<Hash>,
    },
    /// Others are further: copy blocks, up to this height at least if it exists, and report each with
    /// [`Event::Copied`].
    CatchUp {
        /// A height that `from` says it has.
        height: u64,
        /// Who says so.
        from: ValidatorId,
    },
    /// What came of an [`Event::Copied`].
    Copied {
        /// The block's height.
        height: u64,
        /// Whether it is in the ledger now; else why not.
        outcome: Result<(), Box<BlockError<StoreError>>>,
    },
    /// A contradiction was seen first here: tell everybody.
    Evidence(Evidence),
    /// Whether this node votes has changed with the term.
    Role(Role),
    /// The vote key has left the committee: destroy it, wherever it is kept.
    DestroyKey,
    /// The node must stop.
    Stop(Fault),
}

/// Whether a node votes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// It has a vote key of the committee.
    Validator,
    /// It has not, or not any more.
    Follower,
}

/// The name of a timer: to be compared, nothing else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TimerId(pub(super) u64);

/// What validators send each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// A message of the agreement.
    Consensus {
        /// It.
        message: Box<Message>,
        /// Whether the sender has something to order. Where nobody has, the validators let the height rest.
        has_work: bool,
    },
    /// What a block consists of.
    Contents(Box<Contents>),
    /// The wish for the contents of a block under way.
    WantContents(Hash),
    /// The height of the sender's newest block.
    Status(u64),
}

/// What a block consists of, for whoever holds the entries already: gossip brought them when they were submitted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contents {
    /// The block's header.
    pub header: BlockHeader,
    /// Its entries in order.
    pub entries: Vec<Listed>,
    /// What it reports.
    pub evidence: Vec<Evidence>,
}

/// An entry by its names. The stamp finds it in a pool; the entry id says whether it is the same one: whoever holds a
/// log's key can sign one header twice, with two signatures that both count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listed {
    /// Hash of the envelope's header.
    pub stamp: Hash,
    /// Hash of header and signature.
    pub entry: Hash,
}

impl Encode for Listed {
    fn encode(&self, out: &mut Vec<u8>) {
        self.stamp.encode(out);
        self.entry.encode(out);
    }
}

impl Decode for Listed {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            stamp: reader.hash()?,
            entry: reader.hash()?,
        })
    }
}

impl Encode for Contents {
    fn encode(&self, out: &mut Vec<u8>) {
        self.header.encode(out);
        put_list(out, &self.entries);
        put_list(out, &self.evidence);
    }
}

impl Decode for Contents {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let header = BlockHeader::decode(reader)?;
        let entries: Vec<Listed> = reader.list(BLOCK_ENTRIES_MAX, 64)?;
        let evidence = reader.list(EVIDENCE_MAX, 1)?;
        if u32::try_from(entries.len()) == Ok(header.entry_count) {
            Ok(Self {
                header,
                entries,
                evidence,
            })
        } else {
            Err(CodecError::BadValue)
        }
    }
}

impl Encode for Frame {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Consensus { message, has_work } => {
                out.extend_from_slice(&[0, u8::from(*has_work)]);
                message.encode(out);
            }
            Self::Contents(contents) => {
                out.push(1);
                contents.encode(out);
            }
            Self::WantContents(block) => {
                out.push(2);
                block.encode(out);
            }
            Self::Status(height) => {
                out.push(3);
                out.extend_from_slice(&height.to_be_bytes());
            }
        }
    }
}

impl Decode for Frame {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match reader.u8()? {
            0 => Ok(Self::Consensus {
                has_work: match reader.u8()? {
                    0 => false,
                    1 => true,
                    _ => return Err(CodecError::BadValue),
                },
                message: Message::decode(reader).map(Box::new)?,
            }),
            1 => Contents::decode(reader).map(|contents| Self::Contents(Box::new(contents))),
            2 => reader.hash().map(Self::WantContents),
            3 => reader.u64().map(Self::Status),
            _ => Err(CodecError::BadValue),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::limits::FRAME_BYTES_MAX;
    use waxwing_core::certificate::VoteKind;
    use waxwing_core::genesis::{Genesis, Parameters};
    use waxwing_core::keys::{Signature, VoteKey};
    use waxwing_order::Vote;

    fn contents(entries: usize) -> Contents {
        let validator = VoteKey::from_seed(&[1; 32]).public();
        let genesis = Genesis::new("test", 1, Parameters::DEFAULT, vec![validator]).unwrap();
        let mut header = genesis.block();
        header.entry_count = u32::try_from(entries).unwrap();
        header.total_entries = u64::from(header.entry_count);
        let listed = Listed {
            stamp: Hash([2; 32]),
            entry: Hash([3; 32]),
        };
        Contents {
            header,
            entries: vec![listed; entries],
            evidence: Vec::new(),
        }
    }

    fn vote() -> Message {
        Message::Vote(Vote {
            validator: VoteKey::from_seed(&[1; 32]).public(),
            kind: VoteKind::Prevote,
            height: 1,
            round: 0,
            block: Hash([5; 32]),
            signature: Signature([6; 64]),
        })
    }

    #[test]
    fn every_frame_is_read_back_and_nothing_longer_or_shorter_is() {
        let frames = [
            Frame::Consensus {
                message: Box::new(vote()),
                has_work: true,
            },
            Frame::Contents(Box::new(contents(3))),
            Frame::WantContents(Hash([4; 32])),
            Frame::Status(u64::MAX),
        ];
        for frame in frames {
            let mut bytes = frame.to_bytes();
            assert_eq!(Frame::from_bytes(&bytes).as_ref(), Ok(&frame));
            assert_eq!(Frame::from_bytes(&bytes[..bytes.len() - 1]), Err(CodecError::Truncated));
            bytes.push(0);
            assert_eq!(Frame::from_bytes(&bytes), Err(CodecError::Trailing));
        }
        assert_eq!(Frame::from_bytes(&[4]), Err(CodecError::BadValue));
    }

    #[test]
    fn counts_are_bounded_and_the_header_has_the_last_word() {
        let largest = Frame::Contents(Box::new(contents(usize::try_from(BLOCK_ENTRIES_MAX).unwrap())));
        assert!(largest.to_bytes().len() < usize::try_from(FRAME_BYTES_MAX).unwrap());
        let mut more = contents(2);
        more.header.entry_count = 3;
        more.header.total_entries = 3;
        let bytes = Frame::Contents(Box::new(more)).to_bytes();
        assert_eq!(Frame::from_bytes(&bytes), Err(CodecError::BadValue));
    }
}

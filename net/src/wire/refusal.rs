//! Why a node does not do what it was asked, in words and in numbers.
//!
//! A refusal is an answer, not an accusation: the peer may have done nothing wrong. Who breaks the protocol is not
//! refused but dropped, see [`crate::quic::CloseCode`]. The numbers are stable, so that programs may act on them; the
//! words say what is wrong and what to do next, and come from this crate, never from the peer.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::limits::RETRY_AFTER_MS_MAX;

/// Why a request is not answered. The order is part of the format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Refusal {
    /// The node has more to do than it can. Nothing of this request was done.
    Busy {
        /// When to try again.
        retry_after_ms: u64,
    },
    /// Requests come faster from this address than the node allows.
    TooManyRequests {
        /// When to try again.
        retry_after_ms: u64,
    },
    /// This connection has as many subscriptions as it may.
    TooManySubscriptions,
    /// The node stops. Ask another one.
    ShuttingDown,
    /// The node is still copying or checking the ledger and would answer wrongly.
    NotReady {
        /// Height up to which it could answer.
        verified: u64,
    },
    /// The node has a fault of its own, a broken disk for instance. Ask another one; its operator knows.
    Broken,
    /// The operator does not serve this peer or this kind of request.
    NotAllowed,
    /// The node does not have that block yet; perhaps nobody has.
    HeightAhead {
        /// The newest height it has.
        newest: u64,
    },
    /// The node no longer has what lies so far back.
    Pruned {
        /// The oldest height it can answer for.
        oldest: u64,
    },
    /// No entry was ever ordered on that log, as far as this node knows.
    UnknownLog,
    /// The log has no entry with that index, as far as this node knows.
    IndexAhead {
        /// Its length.
        length: u64,
    },
    /// The question contradicts itself, as a history that is smaller than the height asked for.
    Contradiction,
    /// Not enough validators answered in time.
    NoBeacon,
    /// Only a validator can answer that.
    NoValidator,
    /// That is not the head any more.
    NotTheHead {
        /// The newest height.
        newest: u64,
    },
    /// The secret is not the one that the envelope committed to.
    WrongSecret,
    /// The evidence proves nothing.
    NoEvidence,
    /// Only validators may ask that, and the asker has not shown that it is one.
    Stranger,
    /// No block with that id is under way here.
    UnknownBlock,
    /// The time lies ahead of the node's clock.
    TimeAhead {
        /// What time it is there.
        now_ms: u64,
    },
    /// The node joined lately and is still filling in what came before.
    NotHereYet {
        /// The first height from which it has everything.
        from: u64,
    },
    /// The node keeps no chunks of attachments.
    NoChunks,
    /// The node keeps as many chunks as it may.
    ChunksFull {
        /// When there may be room again.
        retry_after_ms: u64,
    },
    /// So much room for chunks was taken from this address that the rest is for others.
    ChunkShareUsed {
        /// When there may be room again.
        retry_after_ms: u64,
    },
    /// The node does not have that chunk, or not any more.
    UnknownChunk,
    /// The chunk is longer than this node takes.
    ChunkTooLong {
        /// The most that it takes.
        most: u32,
    },
}

/// Why an envelope is not taken. The order is part of the format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum EnvelopeRefusal {
    /// Not an envelope.
    Malformed,
    /// The body is longer than a body may be.
    TooLarge,
    /// The body is not the one that the header names.
    WrongBody,
    /// Not enough work in the stamp.
    WeakStamp {
        /// Bits that are needed for this envelope.
        required: u32,
    },
    /// The log's key did not sign this header for this network.
    BadSignature,
    /// No block that may be an anchor has this height and id.
    UnknownAnchor {
        /// Height of the newest anchor.
        newest: u64,
    },
    /// The anchor is too old: this envelope can never be ordered any more. Sign the same body under a new one.
    ExpiredAnchor {
        /// Height of the newest anchor.
        newest: u64,
    },
    /// The pool is full.
    PoolFull {
        /// When to try again.
        retry_after_ms: u64,
    },
    /// This log has as much waiting as one log may.
    LogFull {
        /// When to try again.
        retry_after_ms: u64,
    },
    /// This node does not order, and cannot reach a node that does.
    NoValidator {
        /// When to try again.
        retry_after_ms: u64,
    },
}

impl Refusal {
    /// A stable number: 1xx the node's state, 2xx what it has, 3xx what was asked.
    #[must_use]
    pub const fn code(&self) -> u16 {
        match self {
            Self::Busy { .. } => 100,
            Self::TooManyRequests { .. } => 101,
            Self::TooManySubscriptions => 102,
            Self::ShuttingDown => 103,
            Self::NotReady { .. } => 104,
            Self::Broken => 105,
            Self::NotAllowed => 106,
            Self::HeightAhead { .. } => 200,
            Self::Pruned { .. } => 201,
            Self::UnknownLog => 202,
            Self::IndexAhead { .. } => 203,
            Self::NoBeacon => 204,
            Self::NoValidator => 205,
            Self::NotTheHead { .. } => 206,
            Self::Contradiction => 300,
            Self::WrongSecret => 301,
            Self::NoEvidence => 302,
            Self::Stranger => 107,
            Self::UnknownBlock => 207,
            Self::TimeAhead { .. } => 303,
            Self::NotHereYet { .. } => 208,
            Self::NoChunks => 108,
            Self::ChunksFull { .. } => 109,
            Self::ChunkShareUsed { .. } => 110,
            Self::UnknownChunk => 209,
            Self::ChunkTooLong { .. } => 304,
        }
    }

    /// When to ask the same node again, if waiting helps. Bounded, whatever the node says.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::Busy { retry_after_ms }
            | Self::TooManyRequests { retry_after_ms }
            | Self::ChunksFull { retry_after_ms }
            | Self::ChunkShareUsed { retry_after_ms } => Some((*retry_after_ms).min(RETRY_AFTER_MS_MAX)),
            _ => None,
        }
    }

    fn about_chunks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoChunks => f.write_str("this node keeps no attachments; ask another node"),
            Self::ChunksFull { retry_after_ms } => write!(
                f,
                "the node's room for attachments is used up; try again in {retry_after_ms} ms or ask another node"
            ),
            Self::ChunkShareUsed { retry_after_ms } => write!(
                f,
                "this address has used its share of the node's room for attachments; try again in {retry_after_ms} ms or \
                 ask another node"
            ),
            Self::UnknownChunk => {
                f.write_str("the node does not have that piece of an attachment, or not any more; ask another node")
            }
            Self::ChunkTooLong { most } => write!(f, "the node takes pieces of at most {most} bytes; cut smaller ones"),
            _ => Ok(()),
        }
    }
}

impl EnvelopeRefusal {
    /// A stable number: 4xx wrong in itself, 5xx not now.
    #[must_use]
    pub const fn code(&self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::TooLarge => 401,
            Self::WrongBody => 402,
            Self::WeakStamp { .. } => 403,
            Self::BadSignature => 404,
            Self::UnknownAnchor { .. } => 405,
            Self::ExpiredAnchor { .. } => 406,
            Self::PoolFull { .. } => 500,
            Self::LogFull { .. } => 501,
            Self::NoValidator { .. } => 502,
        }
    }

    /// When to submit the same envelope again, if waiting helps. Bounded, whatever the node says.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::PoolFull { retry_after_ms }
            | Self::LogFull { retry_after_ms }
            | Self::NoValidator { retry_after_ms } => Some((*retry_after_ms).min(RETRY_AFTER_MS_MAX)),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { retry_after_ms } => {
                write!(
                    f,
                    "the node is busy; try again in {retry_after_ms} ms or ask another node"
                )
            }
            Self::TooManyRequests { retry_after_ms } => {
                write!(
                    f,
                    "too many requests from this address; try again in {retry_after_ms} ms"
                )
            }
            Self::TooManySubscriptions => {
                f.write_str("this connection has all the subscriptions it may have; end one first")
            }
            Self::ShuttingDown => f.write_str("the node is shutting down; ask another node"),
            Self::NotReady { verified } => {
                write!(
                    f,
                    "the node has checked the ledger up to block {verified} only; wait or ask another node"
                )
            }
            Self::Broken => f.write_str("the node has a fault of its own; ask another node"),
            Self::NotAllowed => f.write_str("this node's operator does not allow that; ask another node"),
            Self::HeightAhead { newest } => write!(f, "the node has no block beyond {newest} yet"),
            Self::Pruned { oldest } => write!(f, "the node keeps nothing before block {oldest}; ask another node"),
            Self::UnknownLog => f.write_str("nothing was ordered on that log"),
            Self::IndexAhead { length } => write!(f, "the log has only {length} entries"),
            Self::Contradiction => {
                f.write_str("the question contradicts itself; this is a fault of the asking program")
            }
            Self::NoBeacon => f.write_str("not enough validators confirmed the head in time; try again"),
            Self::NoValidator => f.write_str("this node is no validator; ask one"),
            Self::NotTheHead { newest } => write!(f, "the newest block is {newest}; ask for its head first"),
            Self::WrongSecret => f.write_str("the secret does not belong to that entry; nothing was erased"),
            Self::NoEvidence => f.write_str("what was reported proves nothing"),
            Self::Stranger => {
                f.write_str("only validators of this network may ask that, after they have shown their key")
            }
            Self::UnknownBlock => f.write_str("no such block is under way; it may be final already"),
            Self::TimeAhead { now_ms } => {
                write!(f, "that time lies ahead of the node's clock, which shows {now_ms} ms")
            }
            Self::NotHereYet { from } => write!(
                f,
                "not here yet: the node has everything from block {from} on and is filling in what came before; ask another \
                 node"
            ),
            Self::NoChunks
            | Self::ChunksFull { .. }
            | Self::ChunkShareUsed { .. }
            | Self::UnknownChunk
            | Self::ChunkTooLong { .. } => self.about_chunks(f),
        }
    }
}

impl fmt::Display for EnvelopeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("not an envelope"),
            Self::TooLarge => f.write_str("the body is too large; split the message"),
            Self::WrongBody => f.write_str("the body is not the one the header names"),
            Self::WeakStamp { required } => write!(f, "the stamp needs {required} bits; grind it again"),
            Self::BadSignature => f.write_str("the log's key did not sign this envelope for this network"),
            Self::UnknownAnchor { newest } => {
                write!(f, "the anchor is not in this ledger; the newest is at block {newest}")
            }
            Self::ExpiredAnchor { newest } => {
                write!(f, "the anchor has expired; seal again under the one at block {newest}")
            }
            Self::PoolFull { retry_after_ms } => write!(f, "the pool is full; try again in {retry_after_ms} ms"),
            Self::LogFull { retry_after_ms } => {
                write!(
                    f,
                    "this conversation has too much waiting; try again in {retry_after_ms} ms"
                )
            }
            Self::NoValidator { retry_after_ms } => write!(
                f,
                "this node reaches no validator now; try again in {retry_after_ms} ms or ask another node"
            ),
        }
    }
}

impl core::error::Error for Refusal {}
impl core::error::Error for EnvelopeRefusal {}

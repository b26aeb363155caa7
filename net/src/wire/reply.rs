//! What a node answers, and what it tells a subscriber.
//!
//! A client believes proofs, never these words: every opaque value below is checked with `waxwing-core` before it counts,
//! and what is not provable (a status, a peer's address) is shown or tried, not trusted.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use waxwing_core::Hash;
use waxwing_core::envelope::ErasureSecret;
use waxwing_core::keys::{LogId, NodeId};
use waxwing_core::limits::CHUNK_BYTES_MAX;

use super::chunks::{ChunkTerms, Holding};
use super::codec::{Message, WireError};
use super::limits::{
    BLOCKS_PER_REPLY_MAX, CHUNKS_PER_QUESTION_MAX, ENTRIES_PER_REPLY_MAX, ENVELOPES_PER_SUBMIT_MAX,
    HEADERS_PER_REPLY_MAX, HINDRANCES_PER_REPLY_MAX, MISSING_PER_REQUEST_MAX, ORDER_BYTES_MAX, PEERS_PER_REPLY_MAX,
    POLICY_BYTES_MAX, REPLY_BYTES_MAX, SOFTWARE_BYTES_MAX,
};
use super::ready::Hindrance;
use super::refusal::{EnvelopeRefusal, Refusal};
use super::request::Kind;
use super::values::{List, Opaque, Text, name};

/// First frame of every answer.
pub type Reply = Result<Response, Refusal>;

impl Message for Reply {
    const BYTES_MAX: usize = REPLY_BYTES_MAX;

    fn check(&self) -> Result<(), WireError> {
        match self {
            Ok(Response::GetChunk(bytes)) if bytes.is_empty() => Err(WireError::BadValue),
            Ok(Response::GetChunk(bytes))
                if u32::try_from(bytes.len()).is_ok_and(|length| length <= CHUNK_BYTES_MAX) =>
            {
                Ok(())
            }
            Ok(Response::GetChunk(_)) => Err(WireError::TooLong),
            _ => Ok(()),
        }
    }
}

/// The answer to the [`Request`](super::Request) of the same name. The order is part of the format.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Response {
    /// What the node says about itself.
    Status(Box<Status>),
    /// `core::genesis::Genesis`.
    Genesis(Opaque),
    /// One answer per envelope, in the order of the submission.
    Submit(List<Admission, ENVELOPES_PER_SUBMIT_MAX>),
    /// `core::follow::HeadUpdate`.
    Head(Opaque),
    /// `core::follow::HeadProof`.
    Log(Opaque),
    /// Entries of one log.
    Entries(Entries),
    /// `core::receipt::Receipt`.
    Receipt(Opaque),
    /// `core::block::BlockHeader` each, ascending without gaps.
    Headers(List<Opaque, HEADERS_PER_REPLY_MAX>),
    /// An old header and its place in history.
    HistoryProof {
        /// `core::block::BlockHeader`.
        header: Opaque,
        /// `core::merkle::InclusionProof`.
        proof: Opaque,
    },
    /// `core::block::CertifiedBlock` each, ascending without gaps.
    Blocks(List<Opaque, BLOCKS_PER_REPLY_MAX>),
    /// `core::certificate::Beacon`.
    Beacon(Opaque),
    /// One validator's signature over a beacon's message, with its time.
    Statement(Opaque),
    /// The body is gone, now or already before.
    Reveal,
    /// The subscription stands; pushes follow.
    Subscribed,
    /// Other nodes.
    Peers(List<Peer, PEERS_PER_REPLY_MAX>),
    /// The evidence holds and will be passed on, or is known already.
    Report,
    /// Whether there was room for the envelopes.
    Spread(Room),
    /// `core::envelope::Carried` each: those that the node has, in the order of the question.
    Missing(List<Opaque, MISSING_PER_REQUEST_MAX>),
    /// `core::keys::Signature`.
    Confirm(Opaque),
    /// `core::snapshot::Answer`, to the question that was asked.
    Snapshot(Opaque),
    /// The chunk is durable, now or already before.
    PutChunk {
        /// Until when it is kept: milliseconds since 1970, by the node's clock.
        until_ms: u64,
    },
    /// The chunk. Whoever asked computes its id again.
    GetChunk(Opaque),
    /// One answer per id, in the order of the question.
    HaveChunks(List<Holding, CHUNKS_PER_QUESTION_MAX>),
    /// What the node offers.
    ChunkTerms(ChunkTerms),
    /// What stands in the way of its being of use: nothing, if it is ready.
    Ready(List<Hindrance, HINDRANCES_PER_REPLY_MAX>),
}

impl Response {
    /// Which request this answers.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Status(_) => Kind::Status,
            Self::Genesis(_) => Kind::Genesis,
            Self::Submit(_) => Kind::Submit,
            Self::Head(_) => Kind::Head,
            Self::Log(_) => Kind::Log,
            Self::Entries(_) => Kind::Entries,
            Self::Receipt(_) => Kind::Receipt,
            Self::Headers(_) => Kind::Headers,
            Self::HistoryProof { .. } => Kind::HistoryProof,
            Self::Blocks(_) => Kind::Blocks,
            Self::Beacon(_) => Kind::Beacon,
            Self::Statement(_) => Kind::Statement,
            Self::Reveal => Kind::Reveal,
            Self::Subscribed => Kind::Subscribe,
            Self::Peers(_) => Kind::Peers,
            Self::Report => Kind::Report,
            Self::Spread(_) => Kind::Spread,
            Self::Missing(_) => Kind::Missing,
            Self::Confirm(_) => Kind::Confirm,
            Self::Snapshot(_) => Kind::Snapshot,
            Self::PutChunk { .. } => Kind::PutChunk,
            Self::GetChunk(_) => Kind::GetChunk,
            Self::HaveChunks(_) => Kind::HaveChunks,
            Self::ChunkTerms(_) => Kind::ChunkTerms,
            Self::Ready(_) => Kind::Ready,
        }
    }
}

/// What a node says about itself. Shown to people, used to choose a node, never believed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Status {
    /// Its network.
    #[serde(with = "name")]
    pub network: Hash,
    /// Height of its newest certified head.
    pub height: u64,
    /// Id of that head.
    #[serde(with = "name")]
    pub head: Hash,
    /// Name and version of its software.
    pub software: Text<SOFTWARE_BYTES_MAX>,
    /// Whether it votes.
    pub role: Role,
    /// How far it is.
    pub progress: Progress,
    /// Whose envelopes it takes.
    pub access: Access,
    /// For how long it keeps bodies.
    pub retention: Retention,
}

/// Whether a node votes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Role {
    /// Votes on blocks in the current term.
    Validator,
    /// Checks and serves, does not vote.
    Follower,
}

/// How far a node is. "Synced" does not exist: what is not verified is not claimed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Progress {
    /// Still copying blocks.
    Downloading {
        /// Height up to which it has them.
        have: u64,
        /// Height it aims for.
        target: u64,
    },
    /// Has the blocks, checks them.
    Verifying {
        /// Height up to which everything holds.
        verified: u64,
        /// Height it aims for.
        target: u64,
    },
    /// Everything up to here was checked by this node.
    Verified {
        /// The height.
        height: u64,
    },
    /// Has everything from a snapshot on, and fills in what came before.
    Joined {
        /// Height of the snapshot.
        joined: u64,
        /// Height up to which everything since the genesis was checked by this node.
        verified: u64,
    },
}

/// Whose envelopes a node takes, and how much of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Access {
    /// Who may submit.
    pub submit: Submitters,
    /// What the operator says about it.
    pub policy: Text<POLICY_BYTES_MAX>,
    /// Bytes that the node is willing to store in all, if its operator set a bound.
    pub quota_bytes: Option<u64>,
    /// Bytes of it that are used.
    pub used_bytes: u64,
}

/// Who may submit through a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Submitters {
    /// Everybody who stamps.
    Everybody,
    /// Those whom the operator knows.
    Members,
    /// Nobody: it serves only.
    Nobody,
}

/// For how long a node keeps bodies that nobody erases.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Retention {
    /// As long as their envelopes ask.
    AsAsked,
    /// As long as their envelopes ask, but at most so many days.
    AtMostDays(u32),
}

/// What became of one submitted envelope.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Admission {
    /// It waits for a block. `core::receipt::Acknowledgement`: the node's signed promise to include it.
    Acknowledged(Opaque),
    /// It waited already; the same promise again.
    Waiting(Opaque),
    /// It was ordered before: ask for its receipt.
    Final {
        /// Its index in its log.
        index: u64,
        /// Height of its block.
        height: u64,
    },
    /// Not taken, for this reason.
    Refused(EnvelopeRefusal),
    /// It waits for a block, now or already before; no signed promise was asked for.
    Taken,
}

/// Whether a validator had room for what another one passed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Room {
    /// For all of it that counts.
    Enough,
    /// Not for all; what was left out comes with its block.
    Full {
        /// When there may be room again.
        retry_after_ms: u64,
    },
}

/// A range of a log's entries.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entries {
    /// Index of the first one.
    pub from: u64,
    /// `core::merkle::Frontier` of the log at `from`, for a client that does not hold it.
    pub frontier: Opaque,
    /// Ascending without gaps; each in the form that [`Bodies`](super::Bodies) says.
    pub entries: List<Opaque, ENTRIES_PER_REPLY_MAX>,
    /// Length of the log at the time of the answer; if it is beyond these entries there is more to ask for.
    pub length: u64,
}

/// Another node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Peer {
    /// Its key.
    #[serde(with = "name")]
    pub node: NodeId,
    /// Where it was reached.
    pub address: SocketAddr,
    /// What it says to be.
    pub role: Role,
}

/// What a subscriber is told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Push {
    /// Entries that a new block added to a followed log, or that existed when the subscription began.
    Entries {
        /// The log.
        #[serde(with = "name")]
        log: LogId,
        /// They, with bodies.
        entries: Entries,
        /// `core::follow::HeadProof`, from the head pushed last to the one that proves these entries.
        proof: Opaque,
    },
    /// `core::follow::HeadUpdate`, from the head pushed last.
    Head(Opaque),
    /// `core::certificate::Beacon` for the head pushed last.
    Beacon(Opaque),
    /// The subscriber reads too slowly and something was left out. The next push of a log may begin beyond what the
    /// subscriber has: it asks for the range between with [`Request::Entries`](super::Request::Entries).
    Lagged {
        /// How many pushes were left out.
        left_out: u64,
    },
    /// The node ends the subscription, for this reason. Nothing follows.
    Ended(Refusal),
    /// An author revealed this secret: for [`Watch::Ledger`](super::Watch::Ledger).
    Revealed {
        /// The log.
        #[serde(with = "name")]
        log: LogId,
        /// The entry's index in it.
        index: u64,
        /// What its envelope committed to.
        #[serde(with = "name")]
        secret: ErasureSecret,
    },
    /// What a validator says about the next block: for [`Request::Order`](super::Request::Order).
    Order(Opaque),
    /// `core::evidence::Evidence`: for [`Watch::Ledger`](super::Watch::Ledger).
    Reported(Opaque),
}

impl Message for Push {
    const BYTES_MAX: usize = REPLY_BYTES_MAX;

    fn check(&self) -> Result<(), WireError> {
        match self {
            Self::Order(bytes) if bytes.len() > ORDER_BYTES_MAX => Err(WireError::TooLong),
            _ => Ok(()),
        }
    }
}

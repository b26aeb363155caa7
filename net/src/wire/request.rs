//! What a client, or a node that acts as one, asks of a node.
//!
//! One request is one frame on a stream of its own; the stream's other direction carries the reply
//! ([`Reply`](super::Reply)) and, after a subscription, pushes. Requests are independent: none changes what the next one
//! means, so they may be sent at once, answered in any order, and asked of another node after a failure.

use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use waxwing_core::Hash;
use waxwing_core::chunk::ChunkId;
use waxwing_core::envelope::ErasureSecret;
use waxwing_core::keys::LogId;

use super::chunks::{Chunk, HOLDING_BYTES};
use super::codec::{Message, WireError};
use super::limits::{
    ACKNOWLEDGEMENT_ROOM_BYTES, BEACON_WAIT_MS_MAX, BLOCK_ROOM_BYTES, BLOCKS_PER_REPLY_MAX, CHUNK_ROOM_BYTES,
    CHUNKS_PER_QUESTION_MAX, ENTRIES_PER_REPLY_MAX, ENTRY_ROOM_BYTES, ENVELOPES_PER_SUBMIT_MAX, HEADER_ROOM_BYTES,
    HEADERS_PER_REPLY_MAX, HELLO_BYTES_MAX, LOGS_PER_SUBSCRIPTION_MAX, MISSING_PER_REQUEST_MAX, ORDER_BYTES_MAX,
    REPLY_BYTES_MAX, REQUEST_BYTES_MAX, SNAPSHOT_ASK_BYTES_MAX, SNAPSHOT_ROOM_BYTES,
};
use super::values::{List, Opaque, name};

/// Everything that can be asked. The order is part of the format: new ones go to the end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Who are you, how far are you, what do you take and keep? -> [`Response::Status`](super::Response::Status)
    Status,
    /// The network's founding facts, to compare with the pinned id.
    Genesis,
    /// Please order these. Each is answered for itself: one bad envelope does not spoil the others.
    Submit {
        /// `core::envelope::Envelope` each.
        envelopes: List<Opaque, ENVELOPES_PER_SUBMIT_MAX>,
        /// Whether a signed promise is wanted for each.
        promise: Promise,
    },
    /// The newest head, and why it extends the one I hold.
    Head {
        /// Height of the asker's head; 0 is the genesis block.
        held: u64,
    },
    /// The state of one log under the newest head, and why that head extends mine.
    Log {
        /// Which.
        #[serde(with = "name")]
        log: LogId,
        /// Height of the asker's head.
        held: u64,
    },
    /// A range of one log's entries, to be appended to a frontier and compared with a proven root.
    Entries {
        /// Which log.
        #[serde(with = "name")]
        log: LogId,
        /// First index.
        from: u64,
        /// At most so many.
        count: NonZeroU32,
        /// At most so many bytes, but at least one entry.
        bytes: NonZeroU32,
        /// With or without their bodies.
        bodies: Bodies,
    },
    /// What convinces somebody offline that this entry was ordered.
    Receipt {
        /// The log.
        #[serde(with = "name")]
        log: LogId,
        /// The entry's index in it.
        index: u64,
    },
    /// Block headers, without certificates.
    Headers {
        /// First height.
        from: u64,
        /// At most so many.
        count: NonZeroU32,
    },
    /// The header at a height, and why it is in the history that a head of this size commits to.
    HistoryProof {
        /// The height.
        height: u64,
        /// Number of headers in that history.
        size: u64,
    },
    /// Whole blocks with their certificates, for a node that copies the ledger.
    Blocks {
        /// First height.
        from: u64,
        /// At most so many.
        count: NonZeroU32,
        /// At most so many bytes, but at least one block.
        bytes: NonZeroU32,
    },
    /// A beacon that is newer than a given time. A node that is no validator passes the wish on in the same form; when
    /// the wait is over the wish is forgotten.
    Beacon {
        /// Milliseconds since 1970, by the validators' clocks.
        newer_than_ms: u64,
        /// How long the asker would wait.
        wait_ms: u64,
    },
    /// One validator's own statement that a head is still the newest, at a time that it names itself: what a committee of
    /// one has to say. See [`Request::Confirm`] for the others.
    Statement {
        /// Height of the head.
        height: u64,
        /// Its block id.
        #[serde(with = "name")]
        head: Hash,
    },
    /// The author's secret: drop this body and keep the secret as the excuse.
    Reveal {
        /// The log.
        #[serde(with = "name")]
        log: LogId,
        /// The entry's index in it.
        index: u64,
        /// What its envelope committed to.
        #[serde(with = "name")]
        secret: ErasureSecret,
    },
    /// From now on, tell me. Answered by [`Response::Subscribed`](super::Response::Subscribed) and then by
    /// [`Push`](super::Push)es until one side ends the stream.
    Subscribe {
        /// The logs to follow.
        logs: List<FollowLog, LOGS_PER_SUBSCRIPTION_MAX>,
        /// Height of the asker's head: the first pushed head proves that it extends it, each later one that it extends
        /// the one pushed before.
        held: u64,
        /// What to be told beside new entries.
        watch: Watch,
    },
    /// Other nodes of this network that you know.
    Peers,
    /// Proof that validators misbehaved, to be spread and put into a block.
    Report {
        /// `core::evidence::Evidence`.
        evidence: Opaque,
    },
    /// From one validator to another: tell me what you say about the next block, from now on. Answered by
    /// [`Response::Subscribed`](super::Response::Subscribed) and then by [`Push::Order`](super::Push::Order)s.
    Order {
        /// Proves that the asker holds a vote key; read and checked by the node.
        hello: Opaque,
    },
    /// From one validator to another: envelopes that others have just submitted here and that I have checked. Not to be
    /// passed on any further.
    Spread {
        /// `core::envelope::Envelope` each.
        envelopes: List<Opaque, ENVELOPES_PER_SUBMIT_MAX>,
    },
    /// From one validator to another: entries of a block under way that I lack.
    Missing {
        /// The block's id.
        #[serde(with = "name")]
        block: Hash,
        /// The entries' stamps.
        stamps: List<Stamp, MISSING_PER_REQUEST_MAX>,
    },
    /// One validator's statement that a head was still the newest at a time which the asker names, so that those of
    /// several make one beacon.
    Confirm {
        /// Height of the head.
        height: u64,
        /// Its block id.
        #[serde(with = "name")]
        head: Hash,
        /// Milliseconds since 1970.
        time: u64,
    },
    /// A part of the snapshot at a height, for a node that joins.
    Snapshot {
        /// Height of the snapshot's head.
        height: u64,
        /// `core::snapshot::Ask`.
        part: Opaque,
    },
    /// Please keep this piece of an attachment. One that is there already is kept longer, if that was asked for.
    PutChunk {
        /// For how long it is wanted. A node may keep it for less, and says so.
        days: NonZeroU32,
        /// Sealed by the sender.
        bytes: Opaque,
    },
    /// A piece of an attachment.
    GetChunk {
        /// Its id.
        #[serde(with = "name")]
        id: ChunkId,
    },
    /// Which of these do you have? For going on with a transfer that broke off.
    HaveChunks {
        /// Their ids.
        ids: List<Chunk, CHUNKS_PER_QUESTION_MAX>,
    },
    /// How much do you keep of attachments, and for how long?
    ChunkTerms,
    /// Can you be recommended, and if not, why? A status says how far a node is; this, whether it is any use there.
    Ready,
}

/// The name of an envelope that is on its way: the hash that its stamp was ground for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Stamp(#[serde(with = "name")] pub Hash);

/// Whether bodies are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Bodies {
    /// Each entry is a `core::log::Place` and a `core::envelope::Carried`.
    With,
    /// Each entry is a `core::log::Place` and a `core::envelope::SignedHeader`: enough to recompute the log.
    Without,
}

/// Whether a submitter wants the node's signed promise to include its envelopes. A signature costs a node half as much
/// as checking the envelope did, so who loads thousands and waits for their receipts anyway does without.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Promise {
    /// Each envelope that waits is answered with a `core::receipt::Acknowledgement`.
    Signed,
    /// A word is enough: [`Admission::Taken`](super::Admission::Taken).
    Word,
}

/// A log in a subscription.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FollowLog {
    /// Which.
    #[serde(with = "name")]
    pub log: LogId,
    /// First index that the subscriber does not have. If entries from there on exist already, they are pushed first.
    pub from: u64,
}

/// What a subscriber is told beside the entries of its logs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Watch {
    /// Nothing: heads come only with entries.
    Logs,
    /// Every new head.
    Heads,
    /// Every new head, and beacons while nothing happens: somebody is looking at a screen.
    HeadsAndBeacons,
    /// Every new head, and every secret that authors reveal, lately revealed ones first: a node that copies the ledger.
    Ledger,
}

/// Names a request without its arguments: what a response must answer, what a counter counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// [`Request::Status`].
    Status,
    /// [`Request::Genesis`].
    Genesis,
    /// [`Request::Submit`].
    Submit,
    /// [`Request::Head`].
    Head,
    /// [`Request::Log`].
    Log,
    /// [`Request::Entries`].
    Entries,
    /// [`Request::Receipt`].
    Receipt,
    /// [`Request::Headers`].
    Headers,
    /// [`Request::HistoryProof`].
    HistoryProof,
    /// [`Request::Blocks`].
    Blocks,
    /// [`Request::Beacon`].
    Beacon,
    /// [`Request::Statement`].
    Statement,
    /// [`Request::Reveal`].
    Reveal,
    /// [`Request::Subscribe`].
    Subscribe,
    /// [`Request::Peers`].
    Peers,
    /// [`Request::Report`].
    Report,
    /// [`Request::Order`].
    Order,
    /// [`Request::Spread`].
    Spread,
    /// [`Request::Missing`].
    Missing,
    /// [`Request::Confirm`].
    Confirm,
    /// [`Request::Snapshot`].
    Snapshot,
    /// [`Request::PutChunk`].
    PutChunk,
    /// [`Request::GetChunk`].
    GetChunk,
    /// [`Request::HaveChunks`].
    HaveChunks,
    /// [`Request::ChunkTerms`].
    ChunkTerms,
    /// [`Request::Ready`].
    Ready,
}

/// Replies that hold a receipt, a proof, a status: what a node sets aside for one before it knows.
const SMALL_REPLY_BYTES: usize = 16 << 10;

const _: () = assert!(
    CHUNKS_PER_QUESTION_MAX * HOLDING_BYTES + 64 < SMALL_REPLY_BYTES,
    "which chunks a node has must be a small reply"
);

/// Replies that may hold a committee ladder.
const PROOF_REPLY_BYTES: usize = 64 << 10;

impl Request {
    /// What is asked, without the arguments.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Status => Kind::Status,
            Self::Genesis => Kind::Genesis,
            Self::Submit { .. } => Kind::Submit,
            Self::Head { .. } => Kind::Head,
            Self::Log { .. } => Kind::Log,
            Self::Entries { .. } => Kind::Entries,
            Self::Receipt { .. } => Kind::Receipt,
            Self::Headers { .. } => Kind::Headers,
            Self::HistoryProof { .. } => Kind::HistoryProof,
            Self::Blocks { .. } => Kind::Blocks,
            Self::Beacon { .. } => Kind::Beacon,
            Self::Statement { .. } => Kind::Statement,
            Self::Reveal { .. } => Kind::Reveal,
            Self::Subscribe { .. } => Kind::Subscribe,
            Self::Peers => Kind::Peers,
            Self::Report { .. } => Kind::Report,
            Self::Order { .. } => Kind::Order,
            Self::Spread { .. } => Kind::Spread,
            Self::Missing { .. } => Kind::Missing,
            Self::Confirm { .. } => Kind::Confirm,
            Self::Snapshot { .. } => Kind::Snapshot,
            Self::PutChunk { .. } => Kind::PutChunk,
            Self::GetChunk { .. } => Kind::GetChunk,
            Self::HaveChunks { .. } => Kind::HaveChunks,
            Self::ChunkTerms => Kind::ChunkTerms,
            Self::Ready => Kind::Ready,
        }
    }

    /// What it counts against the limit of requests per second: those that may read megabytes count eightfold (a
    /// receipt reads the headers of a whole block), and so does a piece of a file that is to be written and synced.
    #[must_use]
    pub const fn cost(&self) -> NonZeroU32 {
        const LIGHT: NonZeroU32 = NonZeroU32::MIN;
        const HEAVY: NonZeroU32 = LIGHT.saturating_add(7);
        match self.kind() {
            Kind::Entries
            | Kind::Receipt
            | Kind::Headers
            | Kind::Blocks
            | Kind::Subscribe
            | Kind::Order
            | Kind::Missing
            | Kind::Snapshot
            | Kind::PutChunk
            | Kind::GetChunk
            | Kind::HaveChunks => HEAVY,
            Kind::Status
            | Kind::Genesis
            | Kind::Submit
            | Kind::Head
            | Kind::Log
            | Kind::HistoryProof
            | Kind::Beacon
            | Kind::Statement
            | Kind::Reveal
            | Kind::Peers
            | Kind::Report
            | Kind::Spread
            | Kind::Confirm
            | Kind::ChunkTerms
            | Kind::Ready => LIGHT,
        }
    }

    /// How large the reply is likely to be at most: what a node sets aside before it begins to make it.
    #[must_use]
    pub fn reply_bytes(&self) -> usize {
        match self {
            // One entry or block always comes, however few bytes were asked for.
            Self::Entries { bytes, .. } => room(*bytes).max(ENTRY_ROOM_BYTES),
            Self::Blocks { bytes, .. } => room(*bytes).max(BLOCK_ROOM_BYTES),
            Self::Headers { count, .. } => room(*count) * HEADER_ROOM_BYTES,
            Self::Head { .. } | Self::Log { .. } | Self::Genesis => PROOF_REPLY_BYTES,
            Self::Snapshot { .. } => SNAPSHOT_ROOM_BYTES,
            Self::GetChunk { .. } => CHUNK_ROOM_BYTES,
            Self::Missing { stamps, .. } => stamps.len().saturating_mul(ENTRY_ROOM_BYTES).min(BLOCK_ROOM_BYTES),
            Self::Submit { envelopes, .. } => SMALL_REPLY_BYTES + envelopes.len() * ACKNOWLEDGEMENT_ROOM_BYTES,
            _ => SMALL_REPLY_BYTES,
        }
    }
}

impl Request {
    /// The longest push that may answer a subscription: a subscriber refuses more as soon as it is announced.
    #[must_use]
    pub const fn push_bytes_max(&self) -> usize {
        match self {
            // Variant and length.
            Self::Order { .. } => ORDER_BYTES_MAX + 12,
            _ => REPLY_BYTES_MAX,
        }
    }
}

impl Message for Request {
    const BYTES_MAX: usize = REQUEST_BYTES_MAX;

    fn check(&self) -> Result<(), WireError> {
        let within = |count: NonZeroU32, max: usize| {
            if room(count) <= max {
                Ok(())
            } else {
                Err(WireError::TooLong)
            }
        };
        match self {
            Self::Submit { envelopes, .. } | Self::Spread { envelopes } if envelopes.is_empty() => {
                Err(WireError::BadValue)
            }
            Self::Missing { stamps, .. } if stamps.is_empty() => Err(WireError::BadValue),
            Self::PutChunk { bytes, .. } if bytes.is_empty() => Err(WireError::BadValue),
            Self::HaveChunks { ids } if ids.is_empty() => Err(WireError::BadValue),
            Self::Order { hello } if hello.len() > HELLO_BYTES_MAX => Err(WireError::TooLong),
            Self::Snapshot { part, .. } if part.len() > SNAPSHOT_ASK_BYTES_MAX => Err(WireError::TooLong),
            Self::Entries { count, bytes, .. } => {
                within(*count, ENTRIES_PER_REPLY_MAX)?;
                within(*bytes, REPLY_BYTES_MAX)
            }
            Self::Headers { count, .. } => within(*count, HEADERS_PER_REPLY_MAX),
            Self::Blocks { count, bytes, .. } => {
                within(*count, BLOCKS_PER_REPLY_MAX)?;
                within(*bytes, REPLY_BYTES_MAX)
            }
            Self::Beacon { wait_ms, .. } if *wait_ms > BEACON_WAIT_MS_MAX => Err(WireError::TooLong),
            _ => Ok(()),
        }
    }
}

/// A `u32` as a `usize`; one that does not fit is beyond every limit anyway.
fn room(value: NonZeroU32) -> usize {
    usize::try_from(value.get()).unwrap_or(usize::MAX)
}

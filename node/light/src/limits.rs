//! Every bound of the light client, each with its reason.
//!
//! Sizes are bytes, times are milliseconds. What others send is bounded by `waxwing_net::wire::limits` and
//! `waxwing_core::limits` before it arrives here.

use std::time::Duration;

use waxwing_core::limits::{FRESH_MS, SECOND_MS};

/// A passphrase, UTF-8 bytes: a long sentence, and no file picked by mistake.
pub const PASSPHRASE_BYTES_MAX: usize = 1024;

/// Memory that a key file may ask for: more would keep a small machine from opening its own home.
pub const KDF_MEMORY_KIB_MAX: u32 = 1 << 20;

/// Passes over that memory: a minute at most.
pub const KDF_PASSES_MAX: u32 = 64;

/// Lanes of Argon2.
pub const KDF_LANES_MAX: u32 = 16;

/// How long a process waits for another one that writes to the same home. Each holds it for one transaction.
pub const BUSY_MS: u64 = 10 * SECOND_MS;

/// Entries that are checked, opened and stored in one transaction: as many as the design allows, so that catching up is
/// not one synced write per message.
pub const ENTRIES_PER_TRANSACTION_MAX: u32 = 256;

/// Bytes of entries asked for at once. A page is held in memory whole until its part of the log is proven.
pub const PAGE_BYTES: u32 = 2 << 20;

/// Entries without bodies asked for at once while a long log is measured: about a megabyte.
pub const HEADERS_PER_PAGE: u32 = 4096;

/// Nodes remembered for one network: those a person named, and others they led to.
pub const NODES_MAX: usize = 32;

/// Nodes asked for their head in one round. More would say little more and cost each of them.
pub const NODES_COMPARED_MAX: usize = 8;

/// Sentences about nodes' faults that are kept for one network.
pub const FAULTS_KEPT: u32 = 200;

/// How long a client waits for others. A person on a line of many seconds may choose longer times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// How long a node may take to accept a connection.
    pub connect: Duration,
    /// How long a node may take for an answer that it does not have to wait for itself, before it counts as stalled.
    pub answer: Duration,
    /// How long a sent message may stay out of the ledger before it is handed to a further node; doubled each time.
    pub inclusion: Duration,
    /// How often the heads of several nodes are compared while a client runs.
    pub compare: Duration,
}

impl Pace {
    /// For a bad mobile line: two round trips of a second, some loss, and a node that reads from disk.
    pub const DEFAULT: Self = Self {
        connect: Duration::from_secs(5),
        answer: Duration::from_secs(10),
        inclusion: Duration::from_secs(4),
        compare: Duration::from_millis(FRESH_MS),
    };
}

/// The longest wait between two attempts for one message.
pub const ATTEMPT_WAIT_MS_MAX: u64 = 300 * SECOND_MS;

/// An anchor that was checked longer ago than this is not used for a new signature before a newer head was checked: the
/// network may have moved on, and the message would have to wait for its proof of death.
pub const ANCHOR_RECENT_MS: u64 = 3600 * SECOND_MS;

/// Stamps up to this strength are ground where a message is queued; stronger ones in the background.
pub const STAMP_BITS_AT_ONCE: u32 = 16;

/// How often a process looks for what other processes wrote to the same home.
pub const NOTICE_MS: u64 = 250;

/// How far two nodes' certified times may lie apart while a wrong device clock is judged.
pub const CLOCK_AGREE_MS: u64 = 10 * SECOND_MS;

/// Silence after which a node counts as lost. QUIC begins to count anew when the client says that it is still there, which
/// it does every eight seconds, so a node that died is left before its last word stops to count as fresh.
pub const SILENCE_MS: u64 = 20 * SECOND_MS;

const _: () = assert!(
    SILENCE_MS * 7 / 5 < FRESH_MS,
    "two fifths of the silence pass before it begins to count"
);

/// How long a client that ends waits until its nodes know. A node that is not told holds the connection, against the
/// few that one address may have, for half a minute; that the word gets lost on the way is not worth waiting for.
pub const LEAVE_MS: u64 = 50;

/// Channels in one home.
pub const CHANNELS_MAX: u32 = 4096;

/// What is looked for at once, UTF-8 bytes: some dozen words. More is a text pasted by mistake.
pub const SEARCH_BYTES_MAX: usize = 1024;

/// Messages handed out at once.
pub const MESSAGES_PER_READ_MAX: u32 = 1000;

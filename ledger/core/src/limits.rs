//! Every bound of the protocol, each with its reason, related to each other at compile time.
//!
//! A number that is not here does not bound anything. Sizes are bytes, times are milliseconds. `// SPEC 21`

/// Milliseconds in a second.
pub const SECOND_MS: u64 = 1000;

/// Milliseconds in an hour.
pub const HOUR_MS: u64 = 3600 * SECOND_MS;

/// Milliseconds in a day.
pub const DAY_MS: u64 = 24 * HOUR_MS;

/// Envelope header: 160 bytes, fixed.
pub const ENVELOPE_HEADER_BYTES: usize = 160;

/// Envelope header and signature, what is kept of an entry for ever.
pub const SIGNED_HEADER_BYTES: usize = ENVELOPE_HEADER_BYTES + 64;

/// Body of an envelope: large enough for a commit of a group of 256 devices, small enough for four in a block.
pub const BODY_BYTES_MAX: u32 = 512 << 10;

/// Bytes of a chunk beside the part of a file in it: a nonce and a tag of any cipher, and a word about the chunk's place.
pub const CHUNK_OVERHEAD_BYTES: u32 = 64;

/// A chunk of an attachment: 256 KiB of a file and what sealing adds. A file of 1 GiB is 4,096 of them, whose ids are a list of
/// 128 KiB; one crosses a mobile link of 1 Mbit/s in two seconds, so that little is lost where a transfer breaks off, and a
/// node that hashes it before it serves it is done in a tenth of a millisecond.
pub const CHUNK_BYTES_MAX: u32 = (256 << 10) + CHUNK_OVERHEAD_BYTES;

/// A block must cross a 10 Mbit/s link well within one round.
pub const BLOCK_BYTES_MAX: u32 = 2 << 20;

/// Entries in a block; the smallest entry is 224 bytes, so this is near what the byte limit allows anyway.
pub const BLOCK_ENTRIES_MAX: u32 = 8192;

/// Entries of one log in one block: one conversation cannot fill a block, and a proposer can shuffle at most this many,
/// which stays below the out-of-order tolerance of group encryption (256).
pub const LOG_ENTRIES_PER_BLOCK_MAX: u32 = 64;

/// Bytes of one log in one block.
pub const LOG_BYTES_PER_BLOCK_MAX: u32 = 1 << 20;

/// New logs in one block: logs are kept for ever by every node, so their growth is bounded; strongest stamp first.
pub const NEW_LOGS_PER_BLOCK_MAX: u32 = 2048;

/// Validators in a committee: certificates stay below 5 kB.
pub const COMMITTEE_MAX: u32 = 100;

/// Missed turns of a proposer that are counted, one less than a power of two: a dead validator costs its timeout at one
/// of 64 of its turns, and 63 blocks a member are all that must be read again to know the turns.
pub const MISSED_TURNS_MAX: u32 = 63;

/// Every block whose height is a multiple of this can be an anchor, no other: a node cannot tag its clients by handing
/// each a head of its own.
pub const ANCHOR_INTERVAL: u64 = 64;

/// How long an anchor stays valid after its block, in header time, once a newer one exists.
pub const ANCHOR_VALID_MS: u64 = DAY_MS;

/// How far a header's time may be ahead of a voter's clock.
pub const CLOCK_SKEW_MS: u64 = 10 * SECOND_MS;

/// A head older than this without a beacon is not called fresh.
pub const FRESH_MS: u64 = 30 * SECOND_MS;

/// A client whose trusted head is older than this needs a new pin: validators' old keys may have leaked since.
pub const TRUSTING_PERIOD_MS: u64 = 30 * DAY_MS;

/// Depth of the log map: its keys have 256 bits.
pub const MAP_DEPTH_MAX: usize = 256;

/// Committee changes a client accepts in one message.
pub const LADDER_STEPS_MAX: u32 = 64;

/// Committee changes in an evidence file: eighty years of one a month.
pub const EVIDENCE_RUNGS_MAX: u32 = 1024;

/// Pieces of evidence in a block.
pub const EVIDENCE_MAX: u32 = 16;

/// Name of a network, UTF-8 bytes.
pub const NETWORK_NAME_BYTES_MAX: u32 = 64;

/// Highest stamp difficulty a network may ask for: 2^40 hashes are a day of one core, nobody could write.
pub const STAMP_BITS_MAX: u8 = 40;

/// Levels in a Merkle tree over at most 2^63 leaves, and so the longest path.
pub const TREE_LEVELS_MAX: usize = 64;

const _: () = assert!((BODY_BYTES_MAX + 224) * 3 < BLOCK_BYTES_MAX && SIGNED_HEADER_BYTES == 224);
const _: () = assert!(CHUNK_BYTES_MAX <= BODY_BYTES_MAX);
const _: () = assert!(LOG_BYTES_PER_BLOCK_MAX <= BLOCK_BYTES_MAX);
const _: () = assert!(BODY_BYTES_MAX <= LOG_BYTES_PER_BLOCK_MAX);
const _: () = assert!(LOG_ENTRIES_PER_BLOCK_MAX < 256);
const _: () = assert!(NEW_LOGS_PER_BLOCK_MAX <= BLOCK_ENTRIES_MAX);
const _: () = assert!(CLOCK_SKEW_MS < FRESH_MS);

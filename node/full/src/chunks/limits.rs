//! What chunks of attachments may cost a node, beside what its operator sets. Each bound with its reason.

use waxwing_core::limits::{CHUNK_BYTES_MAX, DAY_MS};

/// What a chunk counts at least: so that the list of what is here, which is in memory and takes some 80 bytes for each, stays
/// within half a percent of the quota even if somebody fills it with single bytes.
pub(super) const COUNTED_BYTES_MIN: u64 = 16 << 10;

/// Files take whole blocks of the disk, so that is what is counted.
pub(super) const BLOCK_BYTES: u64 = 4 << 10;

/// Bytes of the disk that are never taken for chunks: the ledger lives there as well, and a node whose disk is full stops.
pub(super) const DISK_LEFT_BYTES: u64 = 512 << 20;

/// Chunks that are written at once. Each waits for the disk to confirm it; a few keep a disk busy, and more would only make
/// the ledger's own writes wait longer.
pub(super) const WRITES_MAX: usize = 4;

/// Chunks that are read at once: few enough that files never take what proofs and entries are read with.
pub(super) const READS_MAX: usize = 8;

/// Of either, for one address: whoever comes has at most so many of every other address before it, however much that one
/// asks for.
pub(super) const TURNS_PER_ADDRESS: usize = 2;

/// Addresses whose turns are remembered before those at rest are forgotten.
pub(super) const TURNS_REMEMBERED: usize = 1024;

/// Addresses of which is remembered how much they have put. 100 bytes each; who has put least is forgotten first.
pub(super) const ADDRESSES_MAX: usize = 64 << 10;

/// When a sender should try again if there is no room: an operator has to act, or time to pass.
pub(super) const NO_ROOM_RETRY_MS: u64 = 60_000;

/// Strangers are told what is free in parts of the quota: whoever asks again and again learns when a part is full, and not
/// when others send how much.
pub(super) const FREE_PARTS: u64 = 64;

/// How often what is over is looked for while there is anything: days end seldom, but clocks are set.
pub(super) const SWEEP_MS: u64 = DAY_MS / 24;

const _: () = assert!(TURNS_PER_ADDRESS < WRITES_MAX && TURNS_PER_ADDRESS < READS_MAX);
const _: () = assert!(COUNTED_BYTES_MIN.is_multiple_of(BLOCK_BYTES) && BLOCK_BYTES.is_power_of_two());
const _: () = assert!(CHUNK_BYTES_MAX > 0);

/// What a chunk of so many bytes counts.
pub(super) fn counted(bytes: u32) -> u64 {
    u64::from(bytes).next_multiple_of(BLOCK_BYTES).max(COUNTED_BYTES_MIN)
}

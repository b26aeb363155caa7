//! Bounds on what validators send each other, and on what one of them keeps of what others sent.

use waxwing_core::block::HEADER_BYTES;
use waxwing_core::limits::{BLOCK_ENTRIES_MAX, COMMITTEE_MAX, EVIDENCE_MAX};
use waxwing_order::limits::MESSAGE_BYTES_MAX;

/// One piece of evidence: two certified headers of the largest committee.
pub const EVIDENCE_BYTES_MAX: u32 = 2 * (widened(HEADER_BYTES) + 64 * COMMITTEE_MAX + 64);

/// A frame: the largest lists a full block, two hashes an entry, and carries the evidence itself.
pub const FRAME_BYTES_MAX: u32 =
    widened(HEADER_BYTES) + BLOCK_ENTRIES_MAX * 64 + EVIDENCE_MAX * EVIDENCE_BYTES_MAX + 64;

/// Blocks under way that are kept of one validator's listing. An honest one proposes one block a round, and passes one
/// on; whoever lists more pushes out his own.
pub const UNDER_WAY_PER_VALIDATOR_MAX: usize = 2;

#[expect(
    clippy::as_conversions,
    reason = "TryFrom is not const, and the header has 372 bytes"
)]
const fn widened(bytes: usize) -> u32 {
    bytes as u32
}

const _: () = assert!(MESSAGE_BYTES_MAX < FRAME_BYTES_MAX && FRAME_BYTES_MAX < 1 << 20);

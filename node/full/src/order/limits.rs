//! Bounds on what validators send each other, and on what one of them keeps of what others sent.

use waxwing_core::block::HEADER_BYTES;
use waxwing_core::limits::{BLOCK_ENTRIES_MAX, COMMITTEE_MAX, EVIDENCE_MAX};
use waxwing_order::limits::MESSAGE_BYTES_MAX;

/// One piece of evidence: two certified headers of the largest committee.
pub const EVIDENCE_BYTES_MAX: u32 = 2 * (widened(HEADER_BYTES) + 64 * COMMITTEE_MAX + 64);

/// A frame: the largest lists a full block, two hashes an entry, and carries the evidence itself.
pub const FRAME_BYTES_MAX: u32 =
    widened(HEADER_BYTES) + BLOCK_ENTRIES_MAX * 64 + EVIDENCE_MAX * EVIDENCE_BYTES_MAX + 64;

/// Blocks under way that are kept of one validator's listing, over the next height and the one after. An honest one
/// proposes one block a round and shows those of others when asked; whoever lists more pushes out his own.
pub const UNDER_WAY_PER_VALIDATOR_MAX: usize = 4;

/// Length that the journal's file keeps between heights: a few full blocks. One that grew beyond begins with none.
pub const JOURNAL_KEPT_BYTES: u64 = 16 << 20;

/// Bytes of one validator's frames that wait for the thread that orders: two of the largest and many small ones. What
/// comes beyond is dropped; whoever sent it says it again while it matters.
pub const INBOX_BYTES_PER_VALIDATOR_MAX: usize = 4 << 20;

#[expect(
    clippy::as_conversions,
    reason = "TryFrom is not const, and the header has 372 bytes"
)]
const fn widened(bytes: usize) -> u32 {
    bytes as u32
}

const _: () = assert!(MESSAGE_BYTES_MAX < FRAME_BYTES_MAX && FRAME_BYTES_MAX < 1 << 20);

//! How large the parts of a snapshot are. Both sides cut it alike, so these numbers are part of the format: the outline of a
//! log map follows from its content and from them. `// SPEC 25.7`

use crate::limits::{BLOCK_ENTRIES_MAX, SIGNED_HEADER_BYTES};
use crate::logmap::MAP_LEAF_BYTES;

/// Logs in a slot of the outline. Even if each had the largest frontier, a slot would fit a reply of four megabytes; with
/// ordinary ones it takes a tenth of one, which is all that a lie can cost before it is noticed.
pub const SLOT_LOGS_MAX: u32 = 1024;

/// Slots in one part of the outline: 600 kB, some ten million logs.
pub const SLOTS_PER_PART_MAX: u32 = 1 << 14;

/// Headers in one part: 400 kB.
pub const HEADERS_PER_PART_MAX: u32 = 1024;

/// Blocks whose entries come in one part, if they have few.
pub const BLOCKS_PER_PART_MAX: u32 = 1024;

/// Entries in one part: those of the fullest block, since a block is checked as a whole.
pub const ENTRIES_PER_PART_MAX: u32 = BLOCK_ENTRIES_MAX;

/// Blocks that may wait for their entries to be asked for before older headers are: what a snapshot holds in memory
/// of the window, 60 bytes each.
pub(super) const BLOCKS_WAITING_MAX: usize = 1 << 14;

/// Bytes of the largest part.
pub const PART_BYTES_MAX: usize = 3 << 20;

/// The largest row of a log: its leaf, and one peak for each bit of its length.
const LOG_ROW_BYTES_MAX: usize = MAP_LEAF_BYTES + 63 * 32;

const _: () = assert!(widen(SLOT_LOGS_MAX) * LOG_ROW_BYTES_MAX + 4 <= PART_BYTES_MAX);
const _: () = assert!(
    widen(ENTRIES_PER_PART_MAX) * (SIGNED_HEADER_BYTES + 8) + widen(BLOCKS_PER_PART_MAX) * 4 + 4 <= PART_BYTES_MAX
);
const _: () = assert!(widen(SLOTS_PER_PART_MAX) * 38 + 4 <= PART_BYTES_MAX);
const _: () = assert!(widen(HEADERS_PER_PART_MAX) * crate::block::HEADER_BYTES + 4 <= PART_BYTES_MAX);

/// A `u32` as a `usize` where a constant is needed.
#[expect(
    clippy::as_conversions,
    reason = "From is not const; usize has at least 32 bits wherever this is built"
)]
const fn widen(value: u32) -> usize {
    value as usize
}

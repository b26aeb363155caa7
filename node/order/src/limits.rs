//! Every bound of the agreement, each with its reason, related to each other and to the ledger's at compile time.
//!
//! A number that is not here does not bound anything. Sizes are bytes.

use waxwing_core::block::HEADER_BYTES;
use waxwing_core::keys::SIGNATURE_BYTES;
use waxwing_core::limits::COMMITTEE_MAX;

/// A vote in a round certificate: validator, step, block, signature.
pub const ROUND_VOTE_BYTES: usize = 32 + 1 + 32 + SIGNATURE_BYTES;

/// A vote in a polka certificate: validator and signature; all are for the same block.
pub const POLKA_VOTE_BYTES: usize = 32 + SIGNATURE_BYTES;

/// A message on its way: the largest is a round certificate with a vote of every member of the largest committee.
pub const MESSAGE_BYTES_MAX: u32 = 64 + COMMITTEE_MAX * widened(ROUND_VOTE_BYTES);

/// A record of the journal: a message, or a judged header.
pub const RECORD_BYTES_MAX: u32 = MESSAGE_BYTES_MAX + 64;

/// How many heights ahead of the current one messages are kept: whoever just decided a block may be there already, and
/// one more. Who is further behind copies blocks instead.
pub const HEIGHTS_AHEAD_MAX: u64 = 2;

/// Messages of one validator that are kept for one height ahead: proposal, prevote and precommit of two rounds. Whoever
/// waits that long for the others sends its votes again.
pub const MESSAGES_AHEAD_MAX: usize = 6;

/// Votes of one height whose signatures are remembered as checked: some ten rounds of the largest committee. Those
/// beyond are checked again whenever they are needed, which costs time and nothing else.
pub const VOTES_REMEMBERED_MAX: usize = 2048;

#[expect(clippy::as_conversions, reason = "TryFrom is not const, and the numbers are small")]
const fn widened(bytes: usize) -> u32 {
    bytes as u32
}

const _: () = assert!(MESSAGE_BYTES_MAX > widened(HEADER_BYTES) + 256 && MESSAGE_BYTES_MAX < 16 << 10);

//! Bounds on what one validator can cost another, each with its reason. A validator is known by its vote key, and up to a
//! third of them may be hostile all the same.

use waxwing_core::limits::COMMITTEE_MAX;
use waxwing_net::wire::limits::{ENVELOPES_PER_SUBMIT_MAX, ORDER_BYTES_MAX, REQUEST_BYTES_MAX};

use crate::order::limits::FRAME_BYTES_MAX;

/// Frames that wait for a validator that reads slowly: some seconds of agreement. One that has more waiting is let go; when
/// it comes back it is told what counts then.
pub(super) const QUEUE_FRAMES_MAX: usize = 4096;

/// The same in bytes: the listings of a dozen full blocks.
pub(super) const QUEUE_BYTES_MAX: usize = 8 << 20;

/// What one validator may say in a second, in units of a frame and of each further kilobyte. Sixty blocks a second take
/// 400 frames; a full listing is 700 units. Who says more is read more slowly.
pub(super) const UNITS_PER_SECOND: u64 = 4000;

/// The same at once: what is re-sent on a new connection.
pub(super) const UNITS_BURST: u64 = 8000;

/// Bytes of a frame that make a further unit.
pub(super) const UNIT_BYTES: usize = 1 << 10;

/// Validators whose addresses were learnt from their hellos, and not from the settings.
pub(super) const LEARNT_MAX: usize = widen(COMMITTEE_MAX);

/// Pause after a frame for which there was no room: what waits is taken up within this time, or the machine is overloaded.
pub(super) const NO_ROOM_MS: u64 = 20;

/// Envelopes on their way to a validator that takes them slowly. The oldest are left out first: their block brings them.
pub(super) const SPREAD_ENVELOPES_MAX: usize = 8192;

/// The same in bytes.
pub(super) const SPREAD_BYTES_MAX: usize = 8 << 20;

/// Bytes of envelopes in one message; the rest of a request's frame is lengths.
pub(super) const SPREAD_BATCH_BYTES: usize = 900 << 10;

/// Envelopes in one message.
pub(super) const SPREAD_BATCH_ENVELOPES: usize = ENVELOPES_PER_SUBMIT_MAX;

/// Pause after a message of envelopes, in which more gather. The first one after a rest goes at once; a block is under way
/// for longer than this.
pub(super) const SPREAD_PAUSE_MS: u64 = 5;

/// For how long nothing more is taken from a validator that passed on what can never count. An honest one has checked it.
pub(super) const SPREAD_BAN_MS: u64 = 60_000;

/// Pulls under way: one of the largest blocks each.
pub(super) const PULLS_MAX: usize = 4;

/// Time for pulled entries to arrive: a block of 2 MiB at 10 Mbit/s takes two seconds.
pub(super) const PULL_MS: u64 = 5000;

const _: () = assert!(widen(FRAME_BYTES_MAX) <= ORDER_BYTES_MAX && ORDER_BYTES_MAX * 4 < QUEUE_BYTES_MAX);
const _: () = assert!(SPREAD_BATCH_BYTES + 8 * SPREAD_BATCH_ENVELOPES + 64 < REQUEST_BYTES_MAX);

#[expect(
    clippy::as_conversions,
    reason = "TryFrom is not const; usize has at least 32 bits here"
)]
const fn widen(value: u32) -> usize {
    value as usize
}

//! Fast join: a new node is of use within seconds, and fills in what came before behind its own back.
//!
//! ```text
//! start, with nothing here:   heads of all upstream nodes ── ladder ──> the newest certified header
//!                             fast ── questions ──> sources ── answers ──> assembling ── rows, checked ──> store
//! then, as every node:        serves heads, new entries, proofs of the present; takes and passes on envelopes; copies
//! behind:                     backfill ── blocks from 1 on ── every check of a full copy ──> store, until it is whole
//! ```
//!
//! What is joined is held against one certified header, byte by byte (`core::snapshot`). That the blocks before it kept the
//! rules nobody has checked here by then, so the node says that it is *verifying* until the replay has arrived at the same
//! state; and whoever asks for what is older is told from which block on it has everything.
//!
//! From a genesis of more than 30 days the way up needs a block that the operator pins ([`climb`]).
//!
//! A snapshot that was not brought in to its end is discarded at the next start. It takes seconds to begin anew, and less
//! to explain.

mod assembling;
mod backfill;
mod climb;
mod fast;
mod offers;
mod sources;

pub(crate) use backfill::Backfill;
pub use fast::JoinError;
pub(crate) use fast::{Entrance, at_start};
pub(crate) use offers::Offers;

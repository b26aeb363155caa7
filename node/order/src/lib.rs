//! How a committee agrees on the next block.
//!
//! One type, [`Host`], wraps a Byzantine fault tolerant engine (Tendermint's algorithm, `arc-malachitebft-core-*`) so
//! that nothing of it is seen outside: a host is told [`Input`]s and wants [`Output`]s done, all of them values. It
//! knows no socket, disk, clock or thread, so a simulation runs the real one in virtual time.
//!
//! ```text
//! begin(height) ─> Propose ─> Proposed ─> Record.. Flush Publish.. ─> Message.. Judge ─> Judged ─> .. ─> Decided
//! ```
//!
//! Read in this order: [`message`], [`event`], [`record`], [`guard`], then `host`, `height`, `signer`.

mod ahead;
mod engine;
pub mod event;
pub mod guard;
mod height;
mod host;
pub mod limits;
pub mod message;
pub mod record;
mod signer;
#[cfg(test)]
mod tests;
mod votes;

pub use event::{Input, Output, Settings, StopReason, Timer, TimerKind};
pub use guard::{Guard, Step};
pub use host::Host;
pub use message::{Message, Polka, Proposal, RoundCertificate, RoundKind, RoundVote, Vote};
pub use record::{Judged, Record};

//! The Waxwing full node: takes envelopes in, orders them, keeps the ledger, serves it, copies it.
//!
//! It cannot decrypt anything: the crate that seals and opens messages is not among its dependencies, and never will be.
//! What it serves proves itself, so nobody has to trust it; what it copies it checks, so it trusts nobody.
//!
//! ```text
//! bytes ──> intake ──> pool ──> order ──> chain ──> serve ──> clients, other nodes
//!                                 ↑ ↑
//!       other validators ── peers ┘ └ sync ── nodes that are further
//! ```
//!
//! Read in this order: `chain` (the one way in which the ledger changes), `intake`, `pool`, `order`, `peers`, `serve`,
//! `sync`, and `node`, which puts them together. The pure parts (`pool`, `order::validator`, `sync::standing`, `config`) know
//! no clock, socket or thread.
//!
//! [`start`] runs a node on a [`directory::Directory`] with a [`config::NodeConfig`], on the caller's tokio runtime.

mod address;
mod chain;
mod chunks;
mod clock;
pub mod config;
pub mod directory;
mod disk;
mod erasures;
mod faults;
mod http;
mod intake;
mod join;
#[cfg(feature = "liar")]
mod liar;
mod meter;
mod node;
pub mod order;
mod peers;
mod pool;
mod reach;
mod reports;
mod serve;
mod sweep;
mod sync;
mod workers;

pub use address::{AddressError, NodeAddress};
pub use chain::Tip;
pub use chunks::ChunkStatus;
pub use clock::Clock;
pub use faults::{CODES, Code, Fault};
pub use join::JoinError;
pub use node::{NodeHandle, StartError, Stopped, start, start_on};
pub use reach::Unreached;
pub use serve::{
    CertificateReport, CommitteeReport, EvidenceReport, LinkReport, NodeStatus, PoolStatus, UpstreamReport,
};
pub use sync::{Lie, RuleBroken, UpstreamFault, UpstreamStatus};

//! The rules of the Waxwing ledger.
//!
//! Everything that decides whether a byte sequence belongs into the ledger, and whether somebody's claim about the
//! ledger is true, is in this crate and nowhere else: a full node, a light client, an auditor and a receipt verifier in
//! a browser run the same lines. It knows no socket, disk, clock, thread or random number; time and chance are
//! arguments, state is read through [`ledger::LedgerReader`].
//!
//! Decoding is not trusting: `decode` yields a value whose *shape* is right, `verify` consumes it and yields
//! [`Verified`], and whatever acts asks for the latter in its signature.
//!
//! Read in this order: [`envelope`], [`merkle`], [`logmap`], [`block`], [`certificate`], [`ledger`], [`follow`].

pub mod codec;
pub mod hash;
pub mod limits;
pub mod logmap;
pub mod merkle;

pub use hash::{Hash, HashKeys};

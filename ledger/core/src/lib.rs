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
//! Read in this order: [`envelope`], [`merkle`], [`log`], [`logmap`], [`block`], [`certificate`], [`ledger`],
//! [`receipt`], [`follow`].

pub mod block;
pub mod certificate;
pub mod change;
pub mod chunk;
pub mod codec;
pub mod committee;
pub mod envelope;
pub mod evidence;
pub mod evidence_file;
pub mod follow;
pub mod genesis;
pub mod hash;
pub mod history;
pub mod keys;
pub mod ladder;
pub mod ledger;
pub mod limits;
pub mod log;
pub mod logmap;
pub mod merkle;
pub mod policy;
pub mod receipt;
pub mod receipt_file;
pub mod schedule;
pub mod snapshot;
pub mod verdict;

pub use hash::{Hash, HashKeys, Meaning};
pub use keys::Verified;

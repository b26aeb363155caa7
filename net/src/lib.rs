//! How Waxwing's programs talk to each other.
//!
//! [`wire`] is the language: requests, replies and frames, as pure functions between bytes and values. [`quic`] is the
//! telephone: endpoints that know each other by their keys, and limits on what one side may cost the other. Neither
//! knows the ledger's rules: what is signed or proven passes through as opaque bytes.

pub mod quic;
pub mod wire;

//! What the rules of the ledger are held against.
//!
//! The tests of `waxwing-core` itself say how each rule is meant. The tests here try to prove the rules wrong from
//! outside: with vectors that nobody of this project wrote ([`vectors`]), with models that are slow and obvious
//! ([`model`]), and with laws over every small case there is, or over random values of every format ([`values`]). They
//! build without RocksDB and without a network.

pub mod chance;
pub mod model;
pub mod terms;
pub mod values;
pub mod vectors;
pub mod world;

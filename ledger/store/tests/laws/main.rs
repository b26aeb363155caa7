//! What the store promises, tried on both kinds of tables.
//!
//! One program, because each that links RocksDB takes a while to link. The modules are marked as tests so that the lints
//! know it.

#[cfg(test)]
mod crash;
#[cfg(feature = "rocks")]
#[cfg(test)]
mod directory;
#[cfg(test)]
mod erasure;
#[cfg(feature = "rocks")]
#[cfg(test)]
mod killed;
#[cfg(test)]
mod model;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod proofs;
#[cfg(test)]
mod random;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod snapshot;
#[cfg(test)]
mod terms;

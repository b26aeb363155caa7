//! Whole validators in virtual time, with every fault that a network, a disk, a clock or a liar can show.
//!
//! ```text
//! seed ──> Plan ──> World { validators (the real ones), liars, clients, links, disks, clocks } ──> Outcome
//!                       │ after every event
//!                       └── Chronicle: one history   Ballots: one signature a step   clients: one head a height
//! ```
//!
//! A run has one source of chance, so its seed is all of it: the same seed gives the same run on every machine. What is
//! simulated is what surrounds a validator; the validator, the host of the agreement, the rules, the store above its
//! tables and the light client's state machine are the real ones.
//!
//! Read in this order: [`plan`], [`world`], `carry`, [`chronicle`], [`liar`], `visits`, `fork`.

pub mod ballots;
mod beacons;
mod carry;
pub mod chance;
mod changes;
pub mod chronicle;
pub mod client;
pub mod disk;
pub mod faults;
pub mod figures;
mod fork;
pub mod founding;
pub mod invalid;
pub mod liar;
pub mod lies;
pub mod network;
pub mod node;
pub mod packet;
pub mod plan;
pub mod queue;
pub mod runs;
pub mod story;
pub mod time;
mod troubles;
pub mod violation;
mod visits;
pub mod world;

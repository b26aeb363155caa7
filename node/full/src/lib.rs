//! The Waxwing full node.
mod address;
mod chain;
mod clock;
pub mod config;
pub mod directory;
mod faults;
mod intake;
mod meter;
mod node;
mod order;
mod pool;
mod serve;
pub use address::{AddressError, NodeAddress};
pub use chain::Tip;
pub use clock::Clock;
pub use faults::{CODES, Code, Fault};
pub use node::{NodeHandle, StartError, Stopped, start, start_on};

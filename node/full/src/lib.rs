//! The Waxwing full node.
mod address;
mod clock;
pub mod config;
mod order;
mod pool;
pub use address::{AddressError, NodeAddress};
pub use clock::Clock;

//! The Waxwing ledger on disk.
//!
//! Everything a node needs to answer is here, in one database: entries, bodies, the state of each log, the kept nodes of
//! every tree, certified headers. A block becomes durable in one synced write and then only becomes true; a start builds
//! the state anew and compares it with a certified header, so nothing is ever repaired and nothing is believed.
//!
//! [`Store`] knows the ledger and no database; [`Tables`] is the seam below it, with two sides: [`RocksTables`] for disks,
//! and [`MemoryTables`], which separates what is *written* from what is *durable* and loses the difference on demand.
//!
//! Read in this order: [`tables`], [`rows`], `commit`, `restore`, `prove`, `erase`, [`memory`], `rocks`.

mod behind;
mod commit;
mod erase;
mod error;
#[cfg(feature = "fixture")]
pub mod fixture;
mod guard;
mod joined;
pub mod memory;
mod nodes;
mod page;
mod prove;
pub mod raw;
mod read;
mod restore;
#[cfg(feature = "rocks")]
mod rocks;
pub mod rows;
mod snapshot;
mod store;
pub mod tables;
mod terms;

pub use behind::{Behind, FillError};
pub use erase::{Erasure, Rest, Sweep};
pub use error::{EraseError, OpenError, RestoreError, StoreError};
pub use joined::Gap;
pub use memory::MemoryTables;
pub use page::{Bodies, LogEntry, Page};
#[cfg(feature = "rocks")]
pub use rocks::{DirectoryError, Options, RocksTables};
pub use snapshot::{Import, ImportError};
pub use store::{SCHEMA, Store};
pub use tables::{Failure, Family, Tables};

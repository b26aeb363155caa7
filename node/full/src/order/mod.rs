//! Order: which envelopes the next block holds, and that it becomes durable before anybody hears of it.
//!
//! ```text
//! inbox ──> driver (one thread) ──> validator ──> host of the agreement (crate waxwing-order)
//!               │                       └──> chain
//!               └──> journal, timers, links
//! ```
//!
//! Public so that a simulation can run whole validators in virtual time; no stable interface.

mod draft;
mod driver;
pub mod event;
mod inbox;
mod journal;
pub mod limits;
mod lookup;
mod pace;
mod record;
mod under_way;
mod validator;
mod voter;

pub(crate) use driver::{Driver, Outlets};
pub(crate) use inbox::Inbox;
pub(crate) use journal::Journal;
pub(crate) use lookup::Lookup;
pub(crate) use pace::{Backlog, Pace};
pub(crate) use validator::{Beginning, Shared};
pub use validator::{Setup, Validator};
pub(crate) use voter::Voter;

#[cfg(test)]
mod tests;

//! Order: which envelopes the next block holds, and that it becomes durable before anybody hears of it.
//!
//! Public so that a simulation can run whole validators in virtual time; no stable interface.

pub mod event;
pub mod limits;
mod pace;
mod proposer;
mod voter;

pub(crate) use pace::{Backlog, Next, Pace};
pub(crate) use proposer::Proposer;
pub(crate) use voter::Voter;

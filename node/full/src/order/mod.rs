//! Order: which envelopes the next block holds, and that it becomes durable before anybody hears of it.

mod pace;
mod proposer;
mod voter;

pub(crate) use pace::{Backlog, Next, Pace};
pub(crate) use proposer::Proposer;
pub(crate) use voter::Voter;

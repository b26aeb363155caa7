//! Audits of histories that hold, and beside each of them the same history with one thing wrong.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed, and says where"
)]

mod bundle;
mod compare;
mod directory;
mod histories;
mod joined;
mod replay;
mod tamper;
mod terms;
mod verdicts;

//! The rules once more, written to be obviously right instead of fast.

pub mod chain;
pub mod ledger;
pub mod tree;

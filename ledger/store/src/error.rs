//! What can go wrong in a store, by whose fault.

use core::fmt;

use waxwing_core::certificate::HeadError;
use waxwing_core::ledger;
use waxwing_core::logmap::MapError;

use crate::store::SCHEMA;
use crate::tables::{Failure, Family};

/// The store cannot answer or cannot write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreError {
    /// The database failed now. It is not asked again: after a failed write nobody knows what is durable.
    Failed(Failure),
    /// The database failed earlier.
    Stopped,
    /// A row is not in the form in which this program writes it.
    Malformed(Family),
    /// A row is missing that others say is there.
    Missing(Family),
    /// The block does not follow the newest one stored.
    NotNext {
        /// Height of the newest block stored.
        applied: u64,
        /// Height of the block offered.
        offered: u64,
    },
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failure) => write!(f, "the database failed: {failure}"),
            Self::Stopped => f.write_str("the database failed earlier and is not asked again: restart the program"),
            Self::Malformed(family) => write!(f, "a row of '{family}' is not in the form in which it was written"),
            Self::Missing(family) => write!(f, "a row of '{family}' is missing that others say is there"),
            Self::NotNext { applied, offered } => {
                write!(
                    f,
                    "block {offered} does not follow block {applied}, the newest one stored"
                )
            }
        }
    }
}

impl core::error::Error for StoreError {}

/// Why a ledger could not be founded or opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OpenError {
    /// There is a ledger already.
    Occupied,
    /// There is no ledger.
    NoLedger,
    /// Another process has it open.
    Locked,
    /// An older program wrote it, in a layout this one does not read.
    Older {
        /// Version of the layout found.
        found: u32,
    },
    /// A newer program wrote it.
    Newer {
        /// Version of the layout found.
        found: u32,
    },
    /// The database cannot be opened.
    Store(StoreError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Occupied => f.write_str("there is a ledger already: open it, or name an empty directory"),
            Self::NoLedger => f.write_str("there is no ledger: found one first, or name another directory"),
            Self::Locked => f.write_str("another process has the ledger open: stop it, or name another directory"),
            Self::Older { found } => write!(
                f,
                "the ledger has layout {found}, from before this program, which reads layout {SCHEMA}: copy it again from \
                 another node into an empty directory, or run the older program"
            ),
            Self::Newer { found } => write!(
                f,
                "the ledger has layout {found}, and this program reads layout {SCHEMA}: run a newer program"
            ),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for OpenError {}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Why stored rows do not make a ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RestoreError {
    /// They could not be read.
    Store(StoreError),
    /// The newest block is not certified by the committee.
    Head(HeadError),
    /// The newest block has no certificate.
    Uncertified,
    /// A committee does not follow from the one before it.
    Ladder,
    /// The rows of the logs are not a log map.
    Map(MapError),
    /// They do not add up to what the newest certified block commits to.
    State(ledger::RestoreError),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stored ledger cannot be used: ")?;
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Head(error) => write!(f, "the newest block is not final: {error}"),
            Self::Uncertified => f.write_str("the newest block has no certificate"),
            Self::Ladder => f.write_str("a committee does not follow from the one before it"),
            Self::Map(error) => write!(f, "the rows of the logs are damaged: {error}"),
            Self::State(error) => error.fmt(f),
        }?;
        f.write_str(
            "; nothing was changed. Put a backup of the directory in its place, or start with an empty directory and \
             copy the ledger from another node; `waxwing audit run` says what is damaged",
        )
    }
}

impl core::error::Error for RestoreError {}

impl From<StoreError> for RestoreError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Why a body was not erased.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EraseError {
    /// The log has no entry with this index.
    NoSuchEntry,
    /// The secret is not the one the entry commits to.
    WrongSecret,
    /// It is a change of the committee: whoever checks the ledger needs it.
    Kept,
    /// The store failed.
    Store(StoreError),
}

impl fmt::Display for EraseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchEntry => f.write_str("the log has no entry with this index"),
            Self::WrongSecret => f.write_str("the secret is not the one that the entry commits to"),
            Self::Kept => f.write_str("a change of the committee cannot be erased: whoever checks the ledger needs it"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for EraseError {}

impl From<StoreError> for EraseError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

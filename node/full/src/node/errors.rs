//! Why a node does not start, in words for its operator.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use waxwing_store::{OpenError, RestoreError, StoreError};

use crate::chain::OpenFault;
use crate::directory::RolledBack;
use crate::join::JoinError;
use crate::reports::Unopened;

/// What to do about a note that is lost.
const NOTE: &str = "Put it back from the backup of the key. If it is lost, write one: a line with a height that the network \
                    has passed (the head that another validator's `waxwing node status` shows), or 0 if the key has never \
                    voted";

/// Why a node does not start.
#[derive(Debug)]
pub enum StartError {
    /// The ledger cannot be opened.
    Open {
        /// Where it is.
        directory: PathBuf,
        /// Why.
        error: OpenError,
    },
    /// The ledger in the directory belongs to another network than the genesis beside it.
    OtherNetwork,
    /// What is stored does not add up to what is certified.
    Restore(RestoreError),
    /// There is nothing here yet, and no snapshot could be joined.
    Join(JoinError),
    /// An older copy of the ledger was put back under a validator.
    RolledBack {
        /// The newest block it announced.
        announced: u64,
    },
    /// There is a vote key, and nothing that says where it has last signed.
    NoteMissing {
        /// Where that should be.
        file: PathBuf,
    },
    /// There is a vote key, and what should say where it has last signed does not.
    NoteUnreadable {
        /// Which file.
        file: PathBuf,
    },
    /// An address cannot be listened at.
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The system gives no thread, no socket or no file.
    System(io::Error),
}

impl StartError {
    /// What is known of evidence cannot be taken up.
    pub(super) fn reports(error: Unopened) -> Self {
        match error {
            Unopened::File(error) => Self::System(error),
            Unopened::Store(error) => Self::Restore(RestoreError::Store(error)),
        }
    }

    /// Whether the machine is at fault (its disk, its ports), so that the same start may work later.
    #[must_use]
    pub const fn is_the_machines(&self) -> bool {
        matches!(
            self,
            Self::System(_)
                | Self::Listen { .. }
                | Self::Join(JoinError::Stalled { .. } | JoinError::Import(_))
                | Self::Open {
                    error: OpenError::Store(StoreError::Failed(_)),
                    ..
                }
                | Self::Restore(RestoreError::Store(StoreError::Failed(_)))
        )
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { directory, error } => {
                write!(f, "{}: {error}", directory.display())?;
                if self.is_the_machines() {
                    f.write_str("; check the disk and its space, then start the node again")?;
                }
                Ok(())
            }
            Self::OtherNetwork => f.write_str(
                "the ledger in db/ belongs to another network than the genesis beside it: put the right one in its place",
            ),
            Self::Restore(error) => error.fmt(f),
            Self::Join(error) => error.fmt(f),
            Self::RolledBack { announced } => RolledBack { announced: *announced }.fmt(f),
            Self::NoteMissing { file } => write!(
                f,
                "{} is missing, which says where the vote key beside it has last signed; without it this validator could sign \
                 a block twice. {NOTE}",
                file.display()
            ),
            Self::NoteUnreadable { file } => write!(
                f,
                "{} does not say where the vote key beside it has last signed: it should be a line of a height, a round and a \
                 step, or of a height alone. {NOTE}",
                file.display()
            ),
            Self::Listen { address, error } => write!(
                f,
                "cannot listen at {address}: {error}; choose another address with `listen` or `http`, or stop the program \
                 that uses it"
            ),
            Self::System(error) => write!(f, "the system refuses: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<OpenFault> for StartError {
    fn from(fault: OpenFault) -> Self {
        match fault {
            OpenFault::Note(error) => Self::System(error),
            OpenFault::Store(error) => Self::Restore(RestoreError::Store(error)),
            OpenFault::RolledBack(RolledBack { announced }) => Self::RolledBack { announced },
        }
    }
}

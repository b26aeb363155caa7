//! A node's data directory as a source, opened for reading: not a byte in it changes.
//!
//! Rows are read as they are, past everything that the store believes of them, and in the order in which they lie on the
//! disk: a chunk of blocks, then the entries, bodies and excuses of all of them, each in one sweep. A row that is not there
//! or cannot be read is handed out as that; the replay decides what it means.

mod beside;
mod chunk;
mod locate;
mod small;
mod sum;
mod terms;

use core::fmt;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use waxwing_core::genesis::Genesis;
use waxwing_store::{Failure, OpenError, Options, RocksTables, Store, StoreError, Tables};

use crate::source::{Beside, HistorySource, Joined, SourceBlock, SourceError, SourceKind};
use beside::Rows;

/// A data directory.
pub struct Directory<T = RocksTables> {
    store: Arc<Store<T>>,
    secret: [u8; 32],
    /// Height of the block that is read next.
    height: u64,
    /// Position of its first entry, by the counts of the headers before it.
    position: u64,
    /// Read and not yet handed out.
    ready: VecDeque<SourceBlock>,
    /// Why nothing is read after that.
    end: Option<SourceError>,
    is_over: bool,
    /// Blocks that are read at once.
    chunk: usize,
}

impl<T> fmt::Debug for Directory<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Directory(at block {})", self.height)
    }
}

impl Directory<RocksTables> {
    /// Opens a data directory for reading. A node may be running on it: what is audited is what was durable by now.
    ///
    /// # Errors
    /// [`SourceError::Malformed`] if there is a database that cannot be read, [`SourceError::Failed`] if there is none, or
    /// one of another version.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)
            .map_err(|error| SourceError::Failed(format!("there are no random numbers: {error}")))?;
        let store = Store::open_read_only(path, &Options::default()).map_err(|refused| match refused.error {
            OpenError::NoLedger if !path.join("CURRENT").is_file() => SourceError::Failed(refused.to_string()),
            error => unopened(error),
        })?;
        Ok(Self::of(Arc::new(store), secret))
    }
}

impl<T: Tables> Directory<T> {
    /// The ledger in these tables.
    ///
    /// # Errors
    /// As [`Directory::open`].
    pub fn on(tables: T, secret: [u8; 32]) -> Result<Self, SourceError> {
        let store = Store::open_on(tables).map_err(unopened)?;
        Ok(Self::of(Arc::new(store), secret))
    }

    /// The rows of an open store. The secret protects the comparison of tables with the replay: whoever wrote them must not
    /// know it, so it is random.
    #[must_use]
    pub const fn of(store: Arc<Store<T>>, secret: [u8; 32]) -> Self {
        Self {
            store,
            secret,
            height: 1,
            position: 0,
            ready: VecDeque::new(),
            end: None,
            is_over: false,
            chunk: chunk::BLOCKS,
        }
    }
}

impl<T: Tables> Directory<T> {
    pub(crate) fn store(&self) -> &Store<T> {
        &self.store
    }
}

impl<T: Tables> HistorySource for Directory<T> {
    fn kind(&self) -> SourceKind {
        SourceKind::Directory
    }

    fn genesis(&self) -> &Genesis {
        self.store.genesis()
    }

    fn claimed(&self) -> Option<u64> {
        Some(self.store.applied())
    }

    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceError> {
        if self.ready.is_empty() && !self.is_over {
            self.fill()?;
        }
        match self.ready.pop_front() {
            Some(block) => Ok(Some(block)),
            None => self.end.take().map_or(Ok(None), Err),
        }
    }

    fn joined(&self) -> Result<Option<Joined>, SourceError> {
        if let Some(gap) = self.store.gap() {
            return Ok(Some(Joined {
                height: gap.joined,
                filled: gap.filled,
            }));
        }
        let is_joining = self.store.is_joining().map_err(|error| unopened(error.into()))?;
        Ok(is_joining.then_some(Joined { height: 0, filled: 0 }))
    }

    fn beside(&self) -> Option<Box<dyn Beside>> {
        // What lies beside the blocks of a node that joined leads to blocks that are not here: there is nothing to compare.
        if !matches!(self.joined(), Ok(None)) {
            return None;
        }
        Some(Box::new(Rows::new(Arc::clone(&self.store), &self.secret)))
    }
}

/// What it means for an audit that a database cannot be opened as a ledger.
fn unopened(error: OpenError) -> SourceError {
    match error {
        OpenError::Store(StoreError::Failed(failure)) => unreadable(&failure),
        OpenError::NoLedger => SourceError::Malformed {
            what: "the database holds no ledger: its first rows are missing".to_owned(),
        },
        OpenError::Store(error) => SourceError::Malformed {
            what: error.to_string(),
        },
        error => SourceError::Failed(error.to_string()),
    }
}

/// What it means for an audit that the database cannot read something.
pub(crate) fn unreadable(failure: &Failure) -> SourceError {
    if is_passing(failure) {
        return SourceError::Failed(format!(
            "{failure}; if a node is writing there, stop it or audit a copy"
        ));
    }
    SourceError::Malformed {
        what: format!("the database cannot be read: {failure}"),
    }
}

/// Whether the database could not be read for a reason that does not lie in it: permissions, the disk, a node that merged
/// files away meanwhile. Files that were missing or too short from the start are found when it is opened, and called
/// corruption. RocksDB tells its reasons apart in words only.
fn is_passing(failure: &Failure) -> bool {
    failure.to_string().starts_with("IO error")
}

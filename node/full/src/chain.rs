//! The ledger as this node holds it, and the one way in which it changes.
//!
//! ```text
//! check -> Step      elsewhere, on a read lock: everything the block changes, as a value
//! commit(step)       one synced write. A crash before it loses the block, and nobody has heard of it. A crash after it
//!                    finds the block at the next start, as if the lines below had run
//! advance(step)      only now do readers here see it. Earlier, they could prove to others what a power failure takes back
//! announce           only now do others hear of it. Earlier, a crash could leave a certificate in the world for a block
//!                    that this node does not have, and its next block of that height would be a fork
//! ```

use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::{oneshot, watch};
use waxwing_core::Hash;
use waxwing_core::block::BlockHeader;
use waxwing_core::certificate::Certificate;
use waxwing_core::keys::LogId;
use waxwing_core::ledger::{Ledger, Step};
use waxwing_core::logmap::{MapPath, map_key};
use waxwing_store::{Store, StoreError, Tables};

use crate::directory::Announced;

/// The newest block, as far as anybody needs to know who waits for one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tip {
    /// Its height.
    pub height: u64,
    /// Its block id.
    pub id: Hash,
    /// When it was ordered, ms since 1970.
    pub time: u64,
    /// Entries in all blocks up to it.
    pub entries: u64,
    /// Logs after it.
    pub logs: u64,
}

impl Tip {
    fn of(header: &BlockHeader, id: Hash) -> Self {
        Self {
            height: header.height,
            id,
            time: header.time,
            entries: header.total_entries,
            logs: header.log_count,
        }
    }
}

/// Who wants to know which logs a block added to. Called after the block is true here, before anybody is told its
/// height.
pub(crate) type Listener = Box<dyn Fn(&[LogId]) + Send + Sync>;

/// Store and ledger, always in step.
pub(crate) struct Chain<T> {
    store: Store<T>,
    ledger: RwLock<Ledger>,
    announced: Option<Announced>,
    tips: watch::Sender<Tip>,
    listener: Listener,
    /// Dropped last: whoever waits at the other end knows then that the database is closed.
    _closed: oneshot::Sender<()>,
}

impl<T: Tables> Chain<T> {
    /// `announced` is for validators: followers announce nothing of their own. The receiver ends when the last user of
    /// the chain has gone and the database is closed.
    pub(crate) fn new(
        store: Store<T>,
        ledger: Ledger,
        announced: Option<Announced>,
        listener: Listener,
    ) -> (Self, oneshot::Receiver<()>) {
        let (tips, _) = watch::channel(Tip::of(ledger.head(), ledger.id()));
        let (closed, until_closed) = oneshot::channel();
        let chain = Self {
            store,
            ledger: RwLock::new(ledger),
            announced,
            tips,
            listener,
            _closed: closed,
        };
        (chain, until_closed)
    }

    pub(crate) const fn store(&self) -> &Store<T> {
        &self.store
    }

    /// The newest block that is true here.
    pub(crate) fn tip(&self) -> Tip {
        *self.tips.borrow()
    }

    /// Changes with every block.
    pub(crate) fn tips(&self) -> watch::Receiver<Tip> {
        self.tips.subscribe()
    }

    /// The rules and their state. Whoever holds it holds up the next block: read, compute, let go.
    pub(crate) fn ledger(&self) -> RwLockReadGuard<'_, Ledger> {
        // The only writer is `apply`, and `advance` panics before it changes anything or not at all.
        self.ledger.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the ledger has an entry on a log.
    pub(crate) fn has_log(&self, log: &LogId) -> bool {
        let key = map_key(self.store.keys(), &log.as_hash());
        matches!(self.ledger().prove(&key), MapPath::Present(_))
    }

    /// Makes a certified block durable, then true, then known, in this order; see above for what each place prevents.
    /// One thread of a node does this, and no other.
    pub(crate) fn apply(&self, step: Step, certificate: &Certificate) -> Result<(), StoreError> {
        let tip = Tip::of(&step.header, step.id);
        let logs: Vec<LogId> = step.logs.iter().map(|change| change.state.log).collect();
        self.store.commit(&step, certificate)?;
        if let Some(announced) = &self.announced {
            // Between durable and known: a note that ran ahead of the database would stop the next start for nothing.
            let noted = announced.note(tip.height, tip.id);
            noted.map_err(|error| StoreError::Failed(waxwing_store::Failure::new(error.to_string())))?;
        }
        self.ledger
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .advance(step);
        // Subscribers before waiters: who waits for a height may ask at once what the subscribers were told.
        (self.listener)(&logs);
        self.tips.send_replace(tip);
        Ok(())
    }
}

impl<T> std::fmt::Debug for Chain<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chain({:?})", *self.tips.borrow())
    }
}

/// Opens the note of what was announced, and refuses a ledger that lacks it.
pub(crate) fn open_announced<T: Tables>(directory: &Path, store: &Store<T>) -> Result<Announced, OpenFault> {
    let announced = Announced::open(directory).map_err(OpenFault::Note)?;
    let mut failed = None;
    let checked = announced.check(store.applied(), |height| match store.header(height) {
        Ok(header) => header.map(|header| header.id(store.keys())),
        Err(error) => {
            failed = Some(error);
            None
        }
    });
    match (failed, checked) {
        (Some(error), _) => Err(OpenFault::Store(error)),
        (None, Err(rolled_back)) => Err(OpenFault::RolledBack(rolled_back)),
        (None, Ok(())) => Ok(announced),
    }
}

/// Why the note of what was announced does not let a validator start.
#[derive(Debug)]
pub(crate) enum OpenFault {
    /// It cannot be read.
    Note(std::io::Error),
    /// The ledger cannot be read.
    Store(StoreError),
    /// The ledger is older.
    RolledBack(crate::directory::RolledBack),
}

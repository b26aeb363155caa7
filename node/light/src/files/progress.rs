//! How far a transfer is, and how it is given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a transfer is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// The file is read and sealed for the first time: nothing has left this device.
    Sealing,
    /// Chunks go to the nodes.
    Sending,
    /// What an earlier attempt left behind is checked.
    Checking,
    /// Chunks come from the nodes.
    Fetching,
}

/// How far a transfer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Bytes of the file that this is done with.
    pub done: u64,
    /// Bytes of the file.
    pub all: u64,
}

/// Is told how far a transfer is, some hundred times or more; must not wait.
pub type Report = Arc<dyn Fn(Progress) + Send + Sync>;

/// Ends the work of a thread when whoever wanted it is gone: a future that is dropped takes its threads along.
#[derive(Debug, Default)]
pub(super) struct Wanted(Arc<AtomicBool>);

/// The thread's side.
#[derive(Clone, Debug)]
pub(super) struct StillWanted(Arc<AtomicBool>);

impl Wanted {
    pub(super) fn watch(&self) -> StillWanted {
        StillWanted(Arc::clone(&self.0))
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl StillWanted {
    pub(super) fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

//! Signals that ask a program to end. The first one is heard and answered in order; what a second one does is the
//! command's decision.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;
use crate::files;

/// Interrupts from the terminal and from service managers.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Listens from now on: a signal that comes later does not end the process by itself.
    ///
    /// # Errors
    /// If the system refuses.
    pub(crate) fn new() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Failure::failed(format!("cannot listen for signals: {}", files::reason(&error))))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Returns at the next one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

//! Drops bodies whose keep-for has passed, a little after the block whose time says so.
//!
//! Header time moves with blocks only, so a node at rest has nothing to sweep and sets no timer.

use std::sync::Arc;
use std::time::Duration;

use waxwing_store::{Rest, StoreError, Tables};

use crate::chain::Chain;
use crate::disk::Disk;
use crate::faults::{Fault, Lifeline};
use crate::meter::Meter;

/// Time between two sweeps.
const BETWEEN: Duration = Duration::from_secs(60);

/// Bodies dropped in one write, during which no block can be written.
const BUDGET: u64 = 4096;

/// What sweeps.
pub(crate) struct Sweeper<T> {
    pub(crate) chain: Arc<Chain<T>>,
    pub(crate) disk: Arc<Disk>,
    pub(crate) lifeline: Lifeline,
    pub(crate) meter: Arc<Meter>,
}

impl<T: Tables> Sweeper<T> {
    /// Sweeps after blocks, until the node stops.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut tips = self.chain.tips();
        loop {
            let here = Arc::clone(&self);
            let swept = tokio::task::spawn_blocking(move || here.sweep()).await;
            if let Ok(Err(error)) = swept {
                self.lifeline.fail(Fault::Store(error));
            }
            let next = async {
                tokio::time::sleep(BETWEEN).await;
                tips.changed().await
            };
            tokio::select! {
                changed = next => if changed.is_err() { return },
                () = self.lifeline.stopped() => return,
            }
        }
    }

    /// Drops what is due now. Waits for the disk.
    pub(crate) fn sweep(&self) -> Result<u64, StoreError> {
        let mut dropped = 0;
        while !self.lifeline.is_stopping() {
            let sweep = self.chain.store().expire(BUDGET)?;
            dropped += sweep.dropped;
            if sweep.rest == Rest::None {
                break;
            }
        }
        if dropped > 0 {
            self.meter.bodies_dropped("expired", dropped);
        }
        self.disk.measure();
        Ok(dropped)
    }
}

impl<T> std::fmt::Debug for Sweeper<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sweeper")
    }
}

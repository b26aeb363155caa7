//! Erasure: an author reveals a secret, every honest node drops the body and keeps the secret as its excuse.
//!
//! A secret is passed on once, to upstream nodes, to validators that this one is linked with, and to nodes that copy from
//! here: whoever knew it already passes nothing
//! on, so gossip ends. Nodes that were away when it was told get the latest ones when they come back, and copy older blocks
//! with the excuse already in them. Nobody can prove that a body was dropped; that is why DESIGN says "honest nodes only".

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;
use waxwing_core::envelope::ErasureSecret;
use waxwing_core::keys::LogId;
use waxwing_net::quic::{Connection, RequestError};
use waxwing_net::wire::Request;
use waxwing_store::{EraseError, Erasure, Tables};

use crate::chain::Chain;
use crate::faults::{Fault, Lifeline};
use crate::meter::Meter;
use crate::reports::Others;

/// Secrets that are kept for nodes that come back: a megabyte.
const RECENT_MAX: usize = 8192;

/// Secrets that another validator is told when it has been reached: what was revealed in a short absence. The rest it copies
/// with the blocks, or hears of from others.
const TOLD_MAX: usize = 1024;

/// Secrets for entries that this node does not have yet.
const EARLY_MAX: usize = 1024;

/// Secrets on their way to a subscriber before it is given the recent ones anew.
const UNDER_WAY_MAX: usize = 256;

/// Time for an upstream node to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A secret, and the entry it belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Revealed {
    pub(crate) log: LogId,
    pub(crate) index: u64,
    pub(crate) secret: ErasureSecret,
}

/// Everything about revealed secrets.
pub(crate) struct Erasures<T> {
    chain: Arc<Chain<T>>,
    others: Others,
    recent: Mutex<VecDeque<Revealed>>,
    early: Mutex<VecDeque<Revealed>>,
    spread: broadcast::Sender<Revealed>,
    lifeline: Lifeline,
    meter: Arc<Meter>,
}

impl<T: Tables> Erasures<T> {
    pub(crate) fn new(chain: Arc<Chain<T>>, others: Others, lifeline: Lifeline, meter: Arc<Meter>) -> Self {
        Self {
            chain,
            others,
            recent: Mutex::default(),
            early: Mutex::default(),
            spread: broadcast::channel(UNDER_WAY_MAX).0,
            lifeline,
            meter,
        }
    }

    /// Drops the body, and passes the secret on if that is news. Waits for the disk.
    ///
    /// # Errors
    /// See [`EraseError`]; a failing store stops the node as well.
    pub(crate) fn reveal(self: &Arc<Self>, revealed: Revealed) -> Result<(), EraseError> {
        let Revealed { log, index, secret } = revealed;
        match self.chain.store().erase(&log, index, secret) {
            Ok(Erasure::Done) => {
                self.meter.bodies_dropped("erased", 1);
                self.pass_on(revealed);
                Ok(())
            }
            Ok(Erasure::Already) => Ok(()),
            Err(EraseError::Store(error)) => {
                self.lifeline.fail(Fault::Store(error.clone()));
                Err(EraseError::Store(error))
            }
            Err(error) => Err(error),
        }
    }

    /// A secret that another node told. One that comes before its entry is tried again when the next block is here.
    pub(crate) fn heard(self: &Arc<Self>, revealed: Revealed) {
        if self.reveal(revealed) == Err(EraseError::NoSuchEntry) {
            let mut early = lock(&self.early);
            if early.len() < EARLY_MAX {
                early.push_back(revealed);
            }
        }
    }

    /// The same, for a caller that must not wait for the disk.
    pub(crate) fn heard_later(self: &Arc<Self>, revealed: Revealed) {
        let here = Arc::clone(self);
        tokio::task::spawn_blocking(move || here.heard(revealed));
    }

    /// After a new block: its entries may be ones whose secrets came before them. Does not wait for the disk.
    pub(crate) fn retry(self: &Arc<Self>) {
        let early = std::mem::take(&mut *lock(&self.early));
        if early.is_empty() {
            return;
        }
        let here = Arc::clone(self);
        tokio::task::spawn_blocking(move || early.into_iter().for_each(|revealed| here.heard(revealed)));
    }

    /// Secrets revealed from now on, and the recent ones. A subscriber that is too slow for the former asks again.
    pub(crate) fn follow(&self) -> (broadcast::Receiver<Revealed>, Vec<Revealed>) {
        // Subscribed first: what is revealed in between comes twice rather than not at all.
        let spread = self.spread.subscribe();
        let recent = lock(&self.recent).iter().copied().collect();
        (spread, recent)
    }

    /// Tells another validator, which has just been reached, what it may have missed.
    pub(crate) fn tell(&self, connection: Connection) {
        let newest: Vec<Revealed> = lock(&self.recent).iter().rev().take(TOLD_MAX).copied().collect();
        if newest.is_empty() {
            return;
        }
        tokio::spawn(async move {
            for Revealed { log, index, secret } in newest {
                let request = Request::Reveal { log, index, secret };
                // A refusal is an answer: it may lack the block that the entry is in, and gets the excuse with it.
                if let Err(RequestError::Closed(_)) = connection.request(&request, PATIENCE).await {
                    return;
                }
            }
        });
    }

    fn pass_on(&self, revealed: Revealed) {
        let mut recent = lock(&self.recent);
        if recent.len() == RECENT_MAX {
            recent.pop_front();
        }
        recent.push_back(revealed);
        drop(recent);
        // Nobody listening is no failure.
        let _ = self.spread.send(revealed);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let Revealed { log, index, secret } = revealed;
            for connection in (self.others)() {
                let request = Request::Reveal { log, index, secret };
                runtime.spawn(async move { connection.request(&request, PATIENCE).await });
            }
        }
    }
}

fn lock<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    // Queues of copies: no half-made change can be in them.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> std::fmt::Debug for Erasures<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Erasures")
    }
}

//! What all parts of one running client share: the store, the clock, connections, and who waits for what.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use waxwing_core::Hash;
use waxwing_core::keys::NodeId;
use waxwing_net::quic::{Dialer, Shown};
use waxwing_seal::NodeAddress;

use crate::clock::{Clock, ClockVerdict, Sample, judge};
use crate::error::Error;
use crate::limits::{LEAVE_MS, Pace, SILENCE_MS};
use crate::nodes::{self, Fault};
use crate::outbox::Attempts;
use crate::peer::Peer;
use crate::store::networks::Node;
use crate::store::{Store, StoreError, Transaction, networks};

/// Shared by the handle that a program holds and the tasks that work for it.
#[derive(Debug)]
pub(crate) struct Core {
    store: Arc<Store>,
    pub(crate) clock: Clock,
    pub(crate) pace: Pace,
    dialer: Dialer,
    peers: Mutex<HashMap<(Hash, NodeId), Peer>>,
    samples: Mutex<HashMap<(Hash, NodeId), Sample>>,
    troubles: Mutex<HashMap<Hash, Error>>,
    pub(crate) attempts: Attempts,
    /// Rises with everything that was written here.
    written: watch::Sender<u64>,
    /// Rises when somebody queued a message, or wants one sent now.
    outbox: watch::Sender<u64>,
    /// Rises when channels, nodes or onlookers changed: whoever follows them looks again.
    lists: watch::Sender<u64>,
    /// Screens that are being looked at: worth a beacon.
    watchers: AtomicUsize,
}

/// Somebody looks at a screen until this is dropped.
#[derive(Debug)]
pub(crate) struct Watching(Arc<Core>);

impl Drop for Watching {
    fn drop(&mut self) {
        if self.0.watchers.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.lists_changed();
        }
    }
}

impl Core {
    pub(crate) fn new(store: Store, clock: Clock, pace: Pace) -> Result<Self, Error> {
        let dialer = Dialer::new(Shown::Ephemeral).map_err(|error| Error::NoSocket(error.kind()))?;
        let dialer = dialer.noticing_silence_after(Duration::from_millis(SILENCE_MS));
        Ok(Self {
            store: Arc::new(store),
            clock,
            pace,
            dialer,
            peers: Mutex::default(),
            samples: Mutex::default(),
            troubles: Mutex::default(),
            attempts: Attempts::default(),
            written: watch::Sender::new(0),
            outbox: watch::Sender::new(0),
            lists: watch::Sender::new(0),
            watchers: AtomicUsize::new(0),
        })
    }

    /// The store itself, for what is quick or runs where blocking is allowed.
    pub(crate) const fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Reads one consistent state, where blocking is allowed.
    pub(crate) async fn read<R, E>(
        &self,
        read: impl FnOnce(&Transaction<'_>) -> Result<R, E> + Send + 'static,
    ) -> Result<R, E>
    where
        R: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let store = Arc::clone(&self.store);
        blocking(move || store.read(read)).await
    }

    /// Writes one transaction: durable when this returns.
    pub(crate) async fn write<R, E>(
        &self,
        write: impl FnOnce(&mut Transaction<'_>) -> Result<R, E> + Send + 'static,
    ) -> Result<R, E>
    where
        R: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let store = Arc::clone(&self.store);
        let written = blocking(move || store.write(write)).await?;
        rise(&self.written);
        Ok(written)
    }

    /// Wakes up after every write of this process.
    pub(crate) fn writes(&self) -> watch::Receiver<u64> {
        self.written.subscribe()
    }

    /// The channels or nodes changed: whoever follows them looks again.
    pub(crate) fn lists_changed(&self) {
        rise(&self.lists);
    }

    /// Wakes up when the channels or nodes changed.
    pub(crate) fn lists(&self) -> watch::Receiver<u64> {
        self.lists.subscribe()
    }

    /// A message is to be sent.
    pub(crate) fn outbox_changed(&self) {
        rise(&self.outbox);
    }

    /// Wakes up when a message is to be sent.
    pub(crate) fn outbox(&self) -> watch::Receiver<u64> {
        self.outbox.subscribe()
    }

    /// Somebody looks at a screen, until what is returned is dropped: the head is kept fresh meanwhile.
    pub(crate) fn watch(self: &Arc<Self>) -> Watching {
        if self.watchers.fetch_add(1, Ordering::Relaxed) == 0 {
            self.lists_changed();
        }
        Watching(Arc::clone(self))
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.watchers.load(Ordering::Relaxed) > 0
    }

    /// The nodes of a ledger, in the order in which to ask them.
    pub(crate) async fn nodes(&self, network: Hash) -> Result<Vec<Node>, StoreError> {
        let now = self.clock.now();
        let nodes = self.read(move |tx| networks::nodes(tx, network)).await?;
        Ok(nodes::in_order(nodes, now))
    }

    /// A connection to a node: the one there is, or a new one.
    pub(crate) async fn peer(&self, network: Hash, node: &NodeAddress) -> Result<Peer, Fault> {
        let key = (network, node.id());
        let known = self.peers().get(&key).cloned();
        if let Some(peer) = known.filter(|peer| !peer.is_closed()) {
            return Ok(peer);
        }
        let peer = Peer::dial(&self.dialer, node, &self.pace).await?;
        self.peers().insert(key, peer.clone());
        Ok(peer)
    }

    /// Forgets a connection; it ends when the last user is gone.
    pub(crate) fn hang_up(&self, network: Hash, node: NodeId) {
        self.peers().remove(&(network, node));
    }

    fn peers(&self) -> std::sync::MutexGuard<'_, HashMap<(Hash, NodeId), Peer>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the reason why a node is left, and lowers its standing. Nobody is blamed for what this program ended itself.
    pub(crate) async fn blame(&self, network: Hash, node: NodeId, fault: &Fault) -> Result<(), StoreError> {
        if fault.is_own_end() {
            return Ok(());
        }
        tracing::info!(node = %node, code = fault.code(), "node left: {fault}");
        let (fault, now) = (fault.clone(), self.clock.now());
        self.write(move |tx| networks::blame(tx, network, node, &fault, now))
            .await?;
        Ok(())
    }

    /// Notes that a node served.
    pub(crate) async fn praise(&self, network: Hash, node: NodeId) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.write(move |tx| networks::praise(tx, network, node, now)).await
    }

    /// Notes a certified time that a node gave when asked for a new one.
    pub(crate) fn sample(&self, network: Hash, node: NodeId, certified: u64) {
        let sample = Sample {
            node,
            certified,
            received: self.clock.now(),
        };
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.insert((network, node), sample);
    }

    /// What can be said about the device's clock, by one ledger.
    pub(crate) fn judge_clock(&self, network: Hash, confirmed: u64) -> ClockVerdict {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_network: Vec<Sample> = samples
            .iter()
            .filter(|((of, _), _)| *of == network)
            .map(|(_, sample)| *sample)
            .collect();
        drop(samples);
        of_network.sort_unstable_by_key(|sample| sample.node);
        judge(self.clock.now(), confirmed, &of_network)
    }

    /// Keeps the last thing that went wrong here with a ledger, for people to see.
    pub(crate) fn note_trouble(&self, network: Hash, trouble: Option<Error>) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        match trouble {
            Some(trouble) => troubles.insert(network, trouble),
            None => troubles.remove(&network),
        };
    }

    /// What went wrong here with a ledger, if it still does.
    pub(crate) fn trouble(&self, network: Hash) -> Option<Error> {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.get(&network).cloned()
    }

    /// Ends all connections.
    pub(crate) fn hang_up_all(&self) {
        self.peers().clear();
    }

    /// Ends all connections for good, and tells the nodes.
    pub(crate) async fn take_leave(&self) {
        self.hang_up_all();
        self.dialer.hang_up(Duration::from_millis(LEAVE_MS)).await;
    }
}

fn rise(count: &watch::Sender<u64>) {
    count.send_modify(|count| *count = count.wrapping_add(1));
}

/// Runs what blocks (the disk, a stamp) beside the tasks that must not.
pub(crate) async fn blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Tasks that block are never cancelled, and a runtime that shuts down waits for nobody who could ask.
            Err(_) => std::future::pending().await,
        },
    }
}

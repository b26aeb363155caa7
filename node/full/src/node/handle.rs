//! What the program that started a node holds: where it listens, how it is, and how to stop it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use waxwing_core::keys::NodeId;
use waxwing_net::quic::Server;
use waxwing_store::StoreError;

use crate::chain::Tip;
use crate::directory::Directory;
use crate::faults::{Fault, Lifeline, SLOW_TO_CLOSE};
use crate::order::Inbox;
use crate::serve::NodeStatus;

/// How long the parts of a stopping node may keep the database open at least. Each ends by itself within a request's time; one
/// that does not must not keep an operator from restarting, and an end without closing loses nothing that was final.
const CLOSING: Duration = Duration::from_secs(30);

/// A running node. Dropped without [`NodeHandle::shut_down`] it stops after the block that is being written; what waits
/// in the pool is lost.
pub struct NodeHandle {
    pub(super) server: Option<Arc<Server>>,
    pub(super) address: SocketAddr,
    pub(super) http: Option<SocketAddr>,
    pub(super) node: NodeId,
    pub(super) tips: watch::Receiver<Tip>,
    pub(super) inside: Option<Arc<dyn Inside>>,
    pub(super) lifeline: Lifeline,
    pub(super) inbox: Arc<Inbox>,
    pub(super) ordering: Option<JoinHandle<()>>,
    /// Ends when the database is closed.
    pub(super) closed: Option<oneshot::Receiver<()>>,
    /// Holds the lock on the directory: given back last.
    #[expect(dead_code, reason = "held for its lock, which is given back when it is dropped")]
    pub(super) directory: Directory,
}

/// The parts of a node that its handle asks, whatever tables they work on.
pub(super) trait Inside: Send + Sync {
    /// Everything an operator is shown.
    fn status(&self) -> NodeStatus;
    /// Drops expired bodies.
    fn sweep(&self) -> Result<u64, StoreError>;
}

/// The node stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the node stopped")
    }
}

impl std::error::Error for Stopped {}

impl NodeHandle {
    /// The key that clients pin.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// Where it listens: the port that the system chose if none was asked for.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where health and figures are, if anywhere.
    #[must_use]
    pub const fn http(&self) -> Option<SocketAddr> {
        self.http
    }

    /// The newest block.
    #[must_use]
    pub fn tip(&self) -> Tip {
        *self.tips.borrow()
    }

    /// Everything an operator is shown.
    #[must_use]
    pub fn status(&self) -> Option<NodeStatus> {
        self.inside.as_ref().map(|inside| inside.status())
    }

    /// Waits until the ledger has a block of this height.
    ///
    /// # Errors
    /// If the node stops before.
    pub async fn until_height(&self, height: u64) -> Result<Tip, Stopped> {
        let mut tips = self.tips.clone();
        tokio::select! {
            tip = tips.wait_for(|tip| tip.height >= height) => tip.map(|tip| *tip).map_err(|_| Stopped),
            () = self.lifeline.stopped() => Err(Stopped),
        }
    }

    /// Drops expired bodies now rather than within a minute after the next block; returns how many.
    ///
    /// # Errors
    /// If the store fails; the node stops then.
    pub async fn sweep(&self) -> Result<u64, Fault> {
        let Some(inside) = self.inside.clone() else {
            return Ok(0);
        };
        match tokio::task::spawn_blocking(move || inside.sweep()).await {
            Ok(Ok(dropped)) => Ok(dropped),
            Ok(Err(error)) => {
                self.lifeline.fail(Fault::Store(error.clone()));
                Err(Fault::Store(error))
            }
            Err(_) => Err(Fault::Broken("sweeping panicked")),
        }
    }

    /// Returns when the node stops by itself, with the reason.
    pub async fn failed(&self) -> Option<Fault> {
        self.lifeline.stopped().await;
        self.lifeline.fault().cloned()
    }

    /// Stops: takes no more requests, waits at most `patience` for those under way, orders what waits in the pool, closes
    /// the database. After it the directory can be opened again.
    pub async fn shut_down(mut self, patience: Duration) {
        tracing::info!(height = self.tip().height, "the node stops");
        self.lifeline.stop();
        // Pages over HTTP may look at the server at this moment; then it ends with the last reference instead.
        if let Some(server) = self.server.take().and_then(Arc::into_inner) {
            server.shut_down(patience).await;
        }
        self.inbox.close();
        if let Some(ordering) = self.ordering.take() {
            // Whether it ended well or panicked, it has ended.
            let _ = tokio::task::spawn_blocking(move || ordering.join()).await;
        }
        self.inside = None;
        if let Some(closed) = self.closed.take() {
            // Nothing is ever sent: the wait ends when the other end is dropped, after the database.
            if tokio::time::timeout(patience.max(CLOSING), closed).await.is_err() {
                tracing::warn!(
                    code = SLOW_TO_CLOSE,
                    "the database is still in use: the node ends without closing it"
                );
            }
        }
    }
}

impl Drop for NodeHandle {
    fn drop(&mut self) {
        self.lifeline.stop();
        self.inbox.kill();
        // A block that is being written is waited for: a program that ended meanwhile would take the database's own
        // globals away under it, and die of that instead of ending.
        if let Some(ordering) = self.ordering.take() {
            let _ = ordering.join();
        }
    }
}

impl fmt::Debug for NodeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeHandle({} at {})", self.node, self.address)
    }
}

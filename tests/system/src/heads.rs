//! Somebody who is told every head of a node and believes none: each must be certified and extend the one before it,
//! across every restart.
//!
//! A node that announced a block before it was durable, and died in between, would order another one in its place. Who was
//! told the first one would know.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use waxwing_core::Hash;
use waxwing_core::codec::Decode;
use waxwing_core::follow::{Follow, HeadUpdate};
use waxwing_core::genesis::Genesis;
use waxwing_core::keys::NodeId;
use waxwing_net::quic::{Dialer, Shown, Subscription};
use waxwing_net::wire::{List, Push, Request, Watch};
use waxwing_node::Clock;

use crate::node::Node;

/// How long a node may take to answer before it is called again.
const PATIENCE: Duration = Duration::from_secs(2);

/// Between two calls to a node that does not answer, and between two looks whether the watch is over.
const PAUSE: Duration = Duration::from_millis(20);

/// Somebody who watches.
#[derive(Debug)]
pub struct Heads {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<BTreeMap<u64, Hash>>,
}

impl Heads {
    /// Begins to watch a node that runs, and goes on whatever happens to it.
    #[must_use]
    pub fn watch(node: &Node, genesis: &Genesis) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let watcher = Watcher {
            place: (node.listens(), node.id()),
            follow: Follow::from_genesis(genesis),
            seen: BTreeMap::new(),
            stop: Arc::clone(&stop),
        };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime
                .expect("the system has room for a runtime")
                .block_on(watcher.run())
        });
        Self { stop, thread }
    }

    /// Ends the watch; returns the block ids that were shown, by height.
    ///
    /// # Panics
    /// If a head was shown that does not extend the one before it, or is not certified.
    #[must_use]
    pub fn finish(self) -> BTreeMap<u64, Hash> {
        self.stop.store(true, Ordering::Release);
        self.thread
            .join()
            .expect("every head extends the one that was shown before it")
    }
}

struct Watcher {
    place: (std::net::SocketAddr, NodeId),
    follow: Follow,
    seen: BTreeMap<u64, Hash>,
    stop: Arc<AtomicBool>,
}

impl Watcher {
    async fn run(mut self) -> BTreeMap<u64, Hash> {
        let dialer = Dialer::new(Shown::Ephemeral).expect("the system has room for a socket");
        while !self.is_over() {
            if let Some(pushes) = self.subscribe(&dialer).await {
                self.take(pushes).await;
            }
            sleep(PAUSE).await;
        }
        dialer.shut_down().await;
        self.seen
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    async fn subscribe(&self, dialer: &Dialer) -> Option<Subscription> {
        let connection = dialer.connect(self.place.0, self.place.1, PATIENCE).await.ok()?;
        let request = Request::Subscribe {
            logs: List::EMPTY,
            held: self.follow.header().height,
            watch: Watch::Heads,
        };
        connection.subscribe(&request, PATIENCE).await.ok()
    }

    /// Until the subscription or the watch is over.
    async fn take(&mut self, mut pushes: Subscription) {
        let now = Clock::system();
        while !self.is_over() {
            match timeout(PAUSE, pushes.next()).await {
                Err(_) => {}
                Ok(Ok(Some(Push::Head(update)))) => {
                    let update = HeadUpdate::from_bytes(&update).expect("a node pushes what it says it pushes");
                    let accepted = self.follow.accept(&update, now.now_ms());
                    assert!(
                        accepted.is_ok(),
                        "{accepted:?} after block {}",
                        self.follow.header().height
                    );
                    self.seen.insert(self.follow.header().height, self.follow.id());
                }
                Ok(_) => return,
            }
        }
    }
}

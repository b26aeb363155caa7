//! One connection as the server sees it: who is there, what it holds, how it is dropped.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use quinn::Connection;
use tokio::sync::Semaphore;
use waxwing_core::keys::NodeId;

use super::budget::Budget;
use super::close::CloseCode;
use super::doors::{Origin, Owner, Word};
use super::gate::{Gate, KeptPlace, Ticket};
use super::limits::ServerLimits;
use super::tally::Tally;
use crate::wire::Refusal;
use crate::wire::limits::{
    CONNECTION_REPLY_BYTES_MAX, CONNECTION_REQUEST_BYTES_MAX, REFUSALS_IN_A_ROW_MAX, RETRY_AFTER_MS_MAX,
    STREAMS_TOLERATED_MAX, SUBSCRIPTIONS_MAX,
};

/// Who asks. An identity costs nothing, so it says only that two requests come from the same one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerInfo {
    /// The key it proved to hold.
    pub node: NodeId,
    /// Where it was when it connected.
    pub address: SocketAddr,
    /// Number of the connection, never used again by this server.
    pub connection: u64,
}

/// What all connections of a server share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) limits: ServerLimits,
    pub(super) gate: Arc<Gate>,
    pub(super) tally: Tally,
    /// What everybody shares who has no kept place.
    pub(super) everybody: Pool,
    /// What those share who have one.
    pub(super) kept: Pool,
    pub(super) stopping: AtomicBool,
}

/// Memory and turns that connections share.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) request_bytes: Arc<Semaphore>,
    pub(super) reply_bytes: Arc<Semaphore>,
    pub(super) served: Arc<Semaphore>,
}

impl Pool {
    pub(super) fn new(request_bytes: usize, reply_bytes: usize, served: usize) -> Self {
        Self {
            request_bytes: Arc::new(Semaphore::new(request_bytes)),
            reply_bytes: Arc::new(Semaphore::new(reply_bytes)),
            served: Arc::new(Semaphore::new(served)),
        }
    }
}

impl Shared {
    /// Returns when no request is being answered any more.
    pub(super) async fn served_all(&self) {
        let all = |places: usize| u32::try_from(places).unwrap_or(u32::MAX);
        let (everybody, kept) = (all(self.limits.requests_served), all(self.limits.kept.requests_served));
        let _everybody = self.everybody.served.acquire_many(everybody).await;
        let _kept = self.kept.served.acquire_many(kept).await;
    }

    /// Why a request that finds everything taken is not served.
    pub(super) fn no_room(&self) -> Refusal {
        if self.stopping.load(Ordering::Relaxed) {
            Refusal::ShuttingDown
        } else {
            BUSY
        }
    }
}

/// How long a peer should wait when everybody together asks for too much.
pub(super) const BUSY: Refusal = Refusal::Busy { retry_after_ms: 500 };

/// A connection and everything that is counted on it.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) info: PeerInfo,
    pub(super) shared: Arc<Shared>,
    pub(super) requests: Budget,
    pub(super) replies: Budget,
    connection: Connection,
    origin: Origin,
    word: Arc<Word>,
    streams: AtomicUsize,
    subscriptions: AtomicUsize,
    refused_in_a_row: AtomicU32,
}

impl Peer {
    pub(super) fn new(info: PeerInfo, connection: Connection, ticket: &Ticket, shared: Arc<Shared>) -> Self {
        Self {
            info,
            requests: Budget::new(CONNECTION_REQUEST_BYTES_MAX),
            replies: Budget::new(CONNECTION_REPLY_BYTES_MAX),
            shared,
            connection,
            origin: ticket.origin(),
            word: ticket.word().clone(),
            streams: AtomicUsize::new(0),
            subscriptions: AtomicUsize::new(0),
            refused_in_a_row: AtomicU32::new(0),
        }
    }

    pub(super) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What it takes memory and turns from.
    pub(super) fn pool(&self) -> &Pool {
        if self.word.is_vouched_for() {
            &self.shared.kept
        } else {
            &self.shared.everybody
        }
    }

    /// Whether it has no place, and has to show first who it is.
    pub(super) fn is_on_the_threshold(&self) -> bool {
        self.word.is_on_the_threshold()
    }

    /// Gives it the place that is kept for `owner`, as long as what is returned lives.
    pub(super) fn keep_place(&self, owner: Owner) -> Option<KeptPlace> {
        self.shared.gate.keep(self.info.connection, owner)
    }

    /// Ends the connection and says why. Only the first reason counts.
    pub(super) fn drop_for(&self, code: CloseCode) {
        if self.connection.close_reason().is_none() {
            self.shared.tally.dropped(code);
            close(&self.connection, code);
        }
    }

    /// Counts a stream; `None` if the peer has too many.
    pub(super) fn stream(self: &Arc<Self>) -> Option<Slot> {
        Slot::take(self, |peer| &peer.streams, STREAMS_TOLERATED_MAX)
    }

    /// Counts a subscription; `None` if the peer has too many.
    pub(super) fn subscription(self: &Arc<Self>) -> Option<Slot> {
        Slot::take(self, |peer| &peer.subscriptions, SUBSCRIPTIONS_MAX)
    }

    /// Counts a request of this weight against what its address may ask in a second. A peer that goes on asking
    /// although it was told to wait is dropped.
    pub(super) fn may_ask(&self, weight: NonZeroU32) -> Result<(), Refusal> {
        match self.shared.gate.request(self.origin, weight) {
            Ok(()) => {
                self.refused_in_a_row.store(0, Ordering::Relaxed);
                Ok(())
            }
            Err(wait) => {
                if self.refused_in_a_row.fetch_add(1, Ordering::Relaxed) >= REFUSALS_IN_A_ROW_MAX {
                    self.drop_for(CloseCode::TooManyRequests);
                }
                let wait = u64::try_from(wait.as_millis()).unwrap_or(RETRY_AFTER_MS_MAX);
                Err(Refusal::TooManyRequests {
                    retry_after_ms: wait.saturating_add(1),
                })
            }
        }
    }
}

/// Ends a connection with a code and its words.
pub(super) fn close(connection: &Connection, code: CloseCode) {
    connection.close(code.var_int(), code.words().as_bytes());
}

/// One of the few places a peer has. Given back by being dropped.
#[derive(Debug)]
pub(super) struct Slot {
    peer: Arc<Peer>,
    counter: fn(&Peer) -> &AtomicUsize,
}

impl Slot {
    fn take(peer: &Arc<Peer>, counter: fn(&Peer) -> &AtomicUsize, max: usize) -> Option<Self> {
        let slot = Self {
            peer: peer.clone(),
            counter,
        };
        (counter(peer).fetch_add(1, Ordering::Relaxed) < max).then_some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        (self.counter)(&self.peer).fetch_sub(1, Ordering::Relaxed);
    }
}

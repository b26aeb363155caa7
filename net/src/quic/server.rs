//! The answering side: takes connections under limits, turns streams into requests, hands them to a [`Service`].
//!
//! ```text
//! Endpoint ──> Gate ──> handshake ──> Peer ──┬─ stream ──> receive ──> Service::call(peer, request, responder)
//!   (1 task)  (decides)  (1 task each)       ├─ stream ──> ...              └── Responder ──> reply | pushes
//!                                            └─ ...  (1 task each, counted)
//! ```

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quinn::{Connecting, Connection, Endpoint, Incoming, NoneTokenLog, ValidationTokenConfig};
use rustls::pki_types::CertificateDer;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use waxwing_core::keys::NodeId;

use super::close::CloseCode;
use super::doors::Origin;
use super::gate::{Address, Gate, Ticket, Verdict};
use super::identity::{Identity, shown_node};
use super::limits::ServerLimits;
use super::peer::{Peer, PeerInfo, Pool, Shared, close};
use super::receive::{Received, Trouble, receive};
use super::respond::{Line, Responder};
use super::tally::{Counts, Tally};
use super::{tls, transport};
use crate::wire::Request;
use crate::wire::limits::ALPN;

/// What answers requests.
///
/// Each request runs in a task of its own, which is never cancelled: a submission is not left half done because its
/// sender hung up. How many run at once is bounded for each connection and for all.
pub trait Service: Send + Sync + 'static {
    /// Answers one request through `responder`.
    fn call(&self, peer: PeerInfo, request: Request, responder: Responder) -> impl Future<Output = ()> + Send;
}

/// Newcomers after which the gate forgets addresses that have been quiet.
const TIDY_AFTER: u64 = 1024;

/// How long peers are waited for that do not confirm the end of their connections. It was said to them, and nothing else
/// hangs on it.
const FAREWELL: Duration = Duration::from_secs(1);

/// First packets that wait for the accepting task, and what QUIC keeps of each: a client hello with a post-quantum key
/// takes two packets.
const INCOMING_MAX: usize = 1024;
const INCOMING_BYTES: u64 = 16 << 10;
const INCOMING_BYTES_TOTAL: u64 = 4 << 20;

/// A listening endpoint. It runs until it is shut down or dropped.
#[derive(Debug)]
pub struct Server {
    endpoint: Endpoint,
    node: NodeId,
    pub(super) shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Listens at `address` and answers with `service`.
    ///
    /// # Errors
    /// If the address cannot be listened at.
    pub fn bind(
        address: SocketAddr,
        identity: &Identity,
        limits: ServerLimits,
        service: impl Service,
    ) -> io::Result<Self> {
        let crypto = tls::quic_server(tls::server_config(identity, ALPN));
        let mut config = quinn::ServerConfig::with_crypto(crypto);
        let mut tokens = ValidationTokenConfig::default();
        // A token for the next connection would let a node recognise a client that wants to be new each time.
        tokens.sent(0).log(Arc::new(NoneTokenLog));
        config
            .transport_config(Arc::new(transport::of_server(&limits)))
            .validation_token_config(tokens)
            .migration(true)
            .max_incoming(INCOMING_MAX)
            .incoming_buffer_size(INCOMING_BYTES)
            .incoming_buffer_size_total(INCOMING_BYTES_TOTAL);
        let endpoint = transport::endpoint(address, identity.reset().endpoint(), Some(config))?;
        let shared = Arc::new(Shared {
            gate: Arc::new(Gate::new(limits.clone())),
            tally: Tally::default(),
            everybody: Pool::new(limits.request_bytes, limits.reply_bytes, limits.requests_served),
            kept: Pool::new(
                limits.kept.request_bytes,
                limits.kept.reply_bytes,
                limits.kept.requests_served,
            ),
            stopping: AtomicBool::new(false),
            limits,
        });
        let accepting = tokio::spawn(accept(endpoint.clone(), shared.clone(), Arc::new(service)));
        Ok(Self {
            endpoint,
            node: identity.node(),
            shared,
            accepting,
        })
    }

    /// Where it listens: the port that the system chose if none was asked for.
    ///
    /// # Errors
    /// If the system does not know.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    /// The key that clients must pin.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// Figures since the start.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.tally.counts()
    }

    /// Who is connected.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerInfo> {
        self.shared.tally.peers()
    }

    /// Requests that are being answered.
    #[must_use]
    pub fn serving(&self) -> usize {
        let Shared {
            limits,
            everybody,
            kept,
            ..
        } = &*self.shared;
        let busy = |all: usize, pool: &Pool| all.saturating_sub(pool.served.available_permits());
        busy(limits.requests_served, everybody) + busy(limits.kept.requests_served, kept)
    }

    /// Takes no more connections, waits at most `patience` for the requests that are being answered, tells everybody
    /// that the node stops, and returns when they know, or have been silent for a second.
    pub async fn shut_down(self, patience: Duration) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.endpoint.set_server_config(None);
        let _ = timeout(patience, self.shared.served_all()).await;
        self.endpoint.close(
            CloseCode::ShuttingDown.var_int(),
            CloseCode::ShuttingDown.words().as_bytes(),
        );
        // A peer that vanished cannot know; QUIC would wait for it up to the idle time.
        let _ = timeout(FAREWELL, self.endpoint.wait_idle()).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        self.endpoint.close(
            CloseCode::ShuttingDown.var_int(),
            CloseCode::ShuttingDown.words().as_bytes(),
        );
    }
}

async fn accept<S: Service>(endpoint: Endpoint, shared: Arc<Shared>, service: Arc<S>) {
    let mut newcomers: u64 = 0;
    while let Some(incoming) = endpoint.accept().await {
        newcomers += 1;
        if newcomers.is_multiple_of(TIDY_AFTER) {
            shared.gate.tidy();
        }
        let origin = Origin::of(incoming.remote_address().ip());
        let address = if incoming.remote_address_validated() {
            Address::Proven
        } else {
            Address::Unproven
        };
        match shared.gate.judge(origin, address) {
            Verdict::Admit(ticket) => {
                tokio::spawn(welcome(incoming, ticket, shared.clone(), service.clone()));
            }
            Verdict::Explain(ticket, code) => {
                tokio::spawn(explain(incoming, ticket, code, shared.clone()));
            }
            Verdict::Prove => {
                shared.tally.count(|counts| counts.made_to_prove += 1);
                // It cannot fail: an unproven newcomer may always be asked. Else it is dropped, which refuses it.
                let _ = incoming.retry();
            }
            Verdict::TurnAway => {
                shared.tally.count(|counts| counts.turned_away += 1);
                incoming.refuse();
            }
        }
    }
}

/// Brings a connection up within the time for a handshake, unless it has to make room for somebody else.
async fn shake_hands(incoming: Incoming, ticket: &Ticket, shared: &Shared) -> Option<Connection> {
    let connecting: Option<Connecting> = incoming.accept().ok();
    let connection = match connecting {
        Some(connecting) => tokio::select! {
            shaken = timeout(shared.limits.handshake_time, connecting) => shaken.ok().and_then(Result::ok),
            () = ticket.word().to_leave() => None,
        },
        None => None,
    };
    if connection.is_none() {
        shared.tally.count(|counts| counts.failed_handshakes += 1);
    }
    connection
}

async fn explain(incoming: Incoming, ticket: Ticket, code: CloseCode, shared: Arc<Shared>) {
    if let Some(connection) = shake_hands(incoming, &ticket, &shared).await {
        shared.tally.count(|counts| counts.explained += 1);
        close(&connection, code);
    }
    drop(ticket);
}

async fn welcome<S: Service>(incoming: Incoming, ticket: Ticket, shared: Arc<Shared>, service: Arc<S>) {
    let Some(connection) = shake_hands(incoming, &ticket, &shared).await else {
        return;
    };
    ticket.established();
    // The handshake demands a key and a signature by it; a connection without one cannot come up.
    let Some(node) = node_of(&connection) else {
        close(&connection, CloseCode::Broken);
        return;
    };
    let info = PeerInfo {
        node,
        address: connection.remote_address(),
        connection: ticket.number(),
    };
    let peer = Arc::new(Peer::new(info, connection, &ticket, shared.clone()));
    shared.tally.came(info);
    tokio::select! {
        () = converse(&peer, &service) => {}
        () = ticket.word().to_leave() => peer.drop_for(CloseCode::NodeFull),
        () = silence(&peer) => peer.drop_for(CloseCode::NodeFull),
    }
    shared.tally.went(info);
    // Requests of this peer may still be running; they are bounded for all together, and the place is free again.
    drop(ticket);
}

fn node_of(connection: &Connection) -> Option<NodeId> {
    let shown = connection
        .peer_identity()?
        .downcast::<Vec<CertificateDer<'static>>>()
        .ok()?;
    shown_node(shown.first()?)
}

/// Answers streams until the connection ends.
async fn converse<S: Service>(peer: &Arc<Peer>, service: &Arc<S>) {
    while let Ok((send, receive)) = peer.connection().accept_bi().await {
        match peer.stream() {
            Some(slot) => {
                let line = Line::new(peer.clone(), send, slot);
                tokio::spawn(attend(peer.clone(), service.clone(), line, receive));
            }
            None => peer.drop_for(CloseCode::TooManyStreams),
        }
    }
}

/// Returns when a connection that came when all places were taken has not shown in time that one is kept for it.
async fn silence(peer: &Peer) {
    if peer.is_on_the_threshold() {
        tokio::time::sleep(peer.shared.limits.hello_time).await;
        if peer.is_on_the_threshold() {
            return;
        }
    }
    std::future::pending().await
}

/// Everything that happens on one stream.
async fn attend<S: Service>(peer: Arc<Peer>, service: Arc<S>, line: Line, mut stream: quinn::RecvStream) {
    match receive(&peer, &mut stream).await {
        Ok(Received { request, .. }) if peer.is_on_the_threshold() && !matches!(request, Request::Order { .. }) => {
            peer.drop_for(CloseCode::NodeFull);
        }
        Ok(Received { request, held }) => {
            peer.shared.tally.count(|counts| counts.requests += 1);
            service.call(peer.info, request, Responder::new(line, held)).await;
            if peer.is_on_the_threshold() {
                // Nobody vouches for it.
                peer.drop_for(CloseCode::NodeFull);
            }
        }
        Err(Trouble::Refused(refusal)) => line.refuse(refusal).await,
        Err(Trouble::Cancelled) => line.forget(),
        Err(Trouble::Broke(code)) => peer.drop_for(code),
    }
}

//! Links over real QUIC on loopback: what honest validators get, and what others get.

mod honest;
mod hostile;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use waxwing_core::Hash;
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::keys::{NodeKey, ValidatorId, VoteKey};
use waxwing_core::ledger::Ledger;
use waxwing_net::quic::{Connection, Dialer, Identity, PeerInfo, Responder, Server, ServerLimits, Service, Shown};
use waxwing_net::wire::{Opaque, Refusal, Request, Response, Room};
use waxwing_store::Store;
use waxwing_store::memory::MemoryTables;

use super::*;
use crate::chain::Chain;
use crate::faults::Lifeline;
use crate::order::Lookup;
use crate::pool::{PoolLimits, Waiting};

/// Far beyond what anything here takes, and short enough to see a hanging test.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who votes, in tests.
const MEMBERS: u8 = 4;

fn vote_key(number: u8) -> VoteKey {
    VoteKey::from_seed(&[number; 32])
}

fn node_key(number: u8) -> NodeKey {
    NodeKey::from_seed(&[number + 100; 32])
}

fn genesis() -> Genesis {
    let members = (1..=MEMBERS).map(|number| vote_key(number).public()).collect();
    let parameters = Parameters {
        stamp_bits: 2,
        new_log_bits: 2,
    };
    Genesis::new("links", 1_000, parameters, members).unwrap()
}

/// One node: links and a server that answers for them.
struct Node {
    links: Arc<Links<MemoryTables>>,
    waiting: Arc<Waiting>,
    server: Server,
    events: mpsc::UnboundedReceiver<Event>,
    spread: mpsc::UnboundedReceiver<Vec<Opaque>>,
    /// What it says about its pool.
    room: Arc<Mutex<Room>>,
    lifeline: Lifeline,
    number: u8,
}

/// Answers what validators ask of each other.
struct Answers {
    links: Arc<Links<MemoryTables>>,
    spread: mpsc::UnboundedSender<Vec<Opaque>>,
    room: Arc<Mutex<Room>>,
}

impl Service for Answers {
    async fn call(&self, peer: PeerInfo, request: Request, responder: Responder) {
        match request {
            Request::Order { hello } => Arc::clone(&self.links).listen(peer, &hello, responder).await,
            Request::Missing { block, stamps } => {
                responder.reply(self.links.missing(&peer.node, block, &stamps)).await;
            }
            Request::Spread { envelopes } => match self.links.may_spread(&peer.node) {
                Some(_) => {
                    self.spread.send(envelopes.into_vec()).unwrap();
                    let room = *self.room.lock().unwrap();
                    responder.answer(Response::Spread(room)).await;
                }
                None => responder.refuse(Refusal::Stranger).await,
            },
            _ => responder.refuse(Refusal::NotAllowed).await,
        }
    }
}

impl Node {
    /// The node of a validator, or of somebody who is none; it dials these.
    fn start(number: u8, known: &[NodeAddress]) -> Self {
        Self::start_at(number, known, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    fn start_at(number: u8, known: &[NodeAddress], address: SocketAddr) -> Self {
        let (told, events) = mpsc::unbounded_channel();
        let node = Self::with(number, events, address, Box::new(move |event| told.send(event).is_ok()));
        let identity = Identity::new(&node_key(number));
        let dialer = Dialer::from_address((Ipv4Addr::LOCALHOST, 0).into(), Shown::Always(identity)).unwrap();
        let port = node.server.address().unwrap().port();
        node.links.begin(dialer, port, known, Box::new(|_| {}));
        node
    }

    fn with(number: u8, events: mpsc::UnboundedReceiver<Event>, address: SocketAddr, deliver: Deliver) -> Self {
        Self::limited(number, events, (address, ServerLimits::DEFAULT), deliver)
    }

    /// One that takes only so much.
    fn limited(
        number: u8,
        events: mpsc::UnboundedReceiver<Event>,
        (address, limits): (SocketAddr, ServerLimits),
        deliver: Deliver,
    ) -> Self {
        let genesis = genesis();
        let store = Store::create_on(MemoryTables::new(), &genesis).unwrap();
        let (chain, _) = Chain::new(store, Ledger::new(&genesis), None, Box::new(|_| {}));
        let waiting = Arc::new(Waiting::new(PoolLimits {
            entries: 1000,
            bytes: 1 << 20,
        }));
        let lifeline = Lifeline::default();
        let links = Links::new(Parts {
            chain: Arc::new(chain),
            lookup: Arc::new(Lookup::new(Arc::clone(&waiting))),
            workers: Arc::new(Workers::new(1).unwrap()),
            clock: Clock::system(),
            lifeline: lifeline.clone(),
            node: node_key(number).public(),
            vote: Some(vote_key(number)),
            deliver,
        });
        let (heard, spread) = mpsc::unbounded_channel();
        let room = Arc::new(Mutex::new(Room::Enough));
        let answers = Answers {
            links: Arc::clone(&links),
            spread: heard,
            room: Arc::clone(&room),
        };
        let identity = Identity::new(&node_key(number));
        let server = Server::bind(address, &identity, limits, answers).unwrap();
        Self {
            links,
            waiting,
            server,
            events,
            spread,
            room,
            lifeline,
            number,
        }
    }

    fn validator(&self) -> ValidatorId {
        vote_key(self.number).public()
    }

    fn address(&self) -> NodeAddress {
        NodeAddress {
            node: self.server.node(),
            host: "127.0.0.1".to_owned(),
            port: self.server.address().unwrap().port(),
        }
    }

    /// Waits for an event from which something wanted can be taken.
    async fn until<V>(&mut self, mut wanted: impl FnMut(Event) -> Option<V>) -> V {
        soon(async {
            loop {
                if let Some(found) = wanted(self.events.recv().await.unwrap()) {
                    return found;
                }
            }
        })
        .await
    }

    /// Waits until another validator listens here.
    async fn until_up(&mut self, other: ValidatorId) {
        self.until(|event| matches!(event, Event::PeerUp(validator) if validator == other).then_some(()))
            .await;
    }

    /// Waits until it does not any more.
    async fn until_down(&mut self, other: ValidatorId) {
        self.until(|event| matches!(event, Event::PeerDown(validator) if validator == other).then_some(()))
            .await;
    }

    /// The next frame, and who sent it.
    async fn frame(&mut self) -> (ValidatorId, Frame) {
        self.until(|event| match event {
            Event::Frame { from, frame } => Some((from, frame)),
            _ => None,
        })
        .await
    }

    /// What the next pull brought, by entry id.
    async fn pulled(&mut self) -> Vec<Hash> {
        self.until(|event| match event {
            Event::Missing { entries, .. } => Some(entries.iter().map(|entry| entry.id()).collect()),
            _ => None,
        })
        .await
    }

    /// Waits until this node listens to another validator.
    async fn until_reached(&self, other: ValidatorId) -> Connection {
        soon(async {
            loop {
                if let Some(connection) = self.links.connection(&other) {
                    return connection;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
    }

    async fn stop(self) {
        self.lifeline.stop();
        self.server.shut_down(Duration::ZERO).await;
    }
}

/// Awaits what must not take for ever.
async fn soon<V>(future: impl Future<Output = V>) -> V {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("this does not take so long")
}

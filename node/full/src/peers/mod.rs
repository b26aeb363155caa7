//! Links: every validator of a committee speaks to every other one.
//!
//! ```text
//! this node                                                    another validator
//! dial ─── Order{hello} ──────────────────────────────────────> listen     proves this node's vote key
//!      <── Push::Order(hello), Push::Order(frame), ... ────────            proves the other's, then what it says
//!      ─── Spread, Missing ───────────────────────────────────> serve      allowed while its own Order stands
//! listen <─────────────────────────────────── Order{hello} ─── dial        the same the other way round
//! ```
//!
//! Each direction of talk is a subscription of its own, so each side dials, and nobody depends on who came first. What is
//! said about the next block goes before everything else on its connection. An address comes from the settings, or from the
//! hello of a validator that dialled here: it is enough that one of two knows the other.
//!
//! Nothing here decides about blocks. Frames become [`Event`]s. A validator that talks faster than it may, or than it is
//! listened to, is read more slowly, and nobody else waits for that.

mod allowance;
mod dial;
mod hello;
pub(crate) mod limits;
mod listen;
mod pull;
mod queue;
mod spread;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{Notify, Semaphore};
use waxwing_core::Hash;
use waxwing_core::codec::Encode;
use waxwing_core::keys::{NodeId, ValidatorId, VoteKey};
use waxwing_net::quic::{Connection, Dialer};
use waxwing_net::wire::Opaque;
use waxwing_store::Tables;

use crate::address::NodeAddress;
use crate::chain::Chain;
use crate::clock::Clock;
use crate::faults::Lifeline;
use crate::order::Lookup;
use crate::order::event::{Event, Frame, To};
use crate::serve::LinkReport;
use crate::workers::Workers;

use hello::{Hello, hello_message};
use limits::PULLS_MAX;
use queue::Queue;
use spread::Outgoing;

/// Takes what the links hear to the thread that orders; says whether there was room for it.
pub(crate) type Deliver = Box<dyn Fn(Event) -> bool + Send + Sync>;

/// What links need of the node that they belong to.
pub(crate) struct Parts<T> {
    pub(crate) chain: Arc<Chain<T>>,
    /// What is here of blocks under way.
    pub(crate) lookup: Arc<Lookup>,
    pub(crate) workers: Arc<Workers>,
    pub(crate) clock: Clock,
    pub(crate) lifeline: Lifeline,
    /// This node's key.
    pub(crate) node: NodeId,
    /// Signs hellos, and nothing else.
    pub(crate) vote: Option<VoteKey>,
    pub(crate) deliver: Deliver,
}

/// A validator that listens to this node.
#[derive(Debug)]
struct Listener {
    node: NodeId,
    queue: Arc<Queue>,
}

/// A validator that this node listens to.
#[derive(Debug)]
struct Reached {
    connection: Connection,
    outgoing: Arc<Outgoing>,
}

#[derive(Debug, Default)]
struct State {
    listeners: BTreeMap<ValidatorId, Listener>,
    reached: BTreeMap<ValidatorId, Reached>,
    /// Nodes that are dialled; a word through here makes one look after its connection.
    dialled: BTreeMap<NodeId, Arc<Notify>>,
    /// Nodes that introduced themselves, and are not in the settings.
    learnt: BTreeMap<ValidatorId, NodeId>,
    /// Validators that passed on what can never count, and until when nothing more is taken from them.
    banned: BTreeMap<ValidatorId, u64>,
}

/// All links of a node.
pub(crate) struct Links<T> {
    chain: Arc<Chain<T>>,
    lookup: Arc<Lookup>,
    workers: Arc<Workers>,
    clock: Clock,
    lifeline: Lifeline,
    node: NodeId,
    vote: Mutex<Option<VoteKey>>,
    deliver: Deliver,
    pulls: Semaphore,
    state: Mutex<State>,
    /// From the moment at which the node can be dialled itself.
    begun: OnceLock<Begun>,
}

/// What links need to dial.
struct Begun {
    dialer: Dialer,
    /// This node's own port.
    port: u16,
    greet: Greet,
}

/// Tells a validator that has just been reached what it may have missed beside blocks.
pub(crate) type Greet = Box<dyn Fn(Connection) + Send + Sync>;

impl<T: Tables> Links<T> {
    /// Links that do nothing yet.
    pub(crate) fn new(parts: Parts<T>) -> Arc<Self> {
        Arc::new(Self {
            chain: parts.chain,
            lookup: parts.lookup,
            workers: parts.workers,
            clock: parts.clock,
            lifeline: parts.lifeline,
            node: parts.node,
            vote: Mutex::new(parts.vote),
            deliver: parts.deliver,
            pulls: Semaphore::new(PULLS_MAX),
            state: Mutex::default(),
            begun: OnceLock::new(),
        })
    }

    /// Begins to dial, on tasks of the caller's runtime, until the node stops. While this node does not vote, it does
    /// nothing but wait for a block that changes that.
    pub(crate) fn begin(self: &Arc<Self>, dialer: Dialer, port: u16, addresses: &[NodeAddress], greet: Greet) {
        if self.begun.set(Begun { dialer, port, greet }).is_err() {
            return;
        }
        for address in addresses.iter().filter(|address| address.node != self.node) {
            self.dial(address.clone());
        }
        tokio::spawn(Arc::clone(self).follow_terms());
    }

    /// Sends a frame to those who listen. Whoever does not gets nothing, and hears what counts when it comes back.
    pub(crate) fn send(&self, to: To, frame: &Frame) {
        let bytes = Opaque::from(frame.to_bytes());
        let state = self.state();
        match to {
            To::All => state
                .listeners
                .values()
                .for_each(|listener| listener.queue.push(bytes.clone())),
            To::One(validator) => {
                if let Some(listener) = state.listeners.get(&validator) {
                    listener.queue.push(bytes);
                }
            }
        }
    }

    /// The validator whose node this is, if it has shown its key and listens to this node at the moment.
    pub(crate) fn validator_at(&self, node: &NodeId) -> Option<ValidatorId> {
        let state = self.state();
        let mut found = state.listeners.iter().filter(|(_, listener)| listener.node == *node);
        found.next().map(|(validator, _)| *validator)
    }

    /// A connection to a validator, if it can be reached.
    pub(crate) fn connection(&self, validator: &ValidatorId) -> Option<Connection> {
        self.state()
            .reached
            .get(validator)
            .map(|reached| reached.connection.clone())
    }

    /// Connections to all validators that can be reached.
    pub(crate) fn connections(&self) -> Vec<(ValidatorId, Connection)> {
        let state = self.state();
        let reached = state.reached.iter();
        reached
            .map(|(validator, reached)| (*validator, reached.connection.clone()))
            .collect()
    }

    /// The other validators of the committee, for the operator.
    pub(crate) fn report(&self) -> Vec<LinkReport> {
        let Some(own) = self.own() else { return Vec::new() };
        let members = self.members();
        let state = self.state();
        let others = members.into_iter().filter(|member| *member != own);
        let reports = others.map(|validator| LinkReport {
            validator: validator.to_string(),
            listens: state.listeners.contains_key(&validator),
            heard_at: state.reached.get(&validator).map(|reached| {
                let connection = &reached.connection;
                format!("{}@{}", connection.node(), connection.address())
            }),
        });
        reports.collect()
    }

    /// The other validators with whom there is a link both ways.
    pub(crate) fn linked(&self) -> Vec<ValidatorId> {
        let state = self.state();
        let listeners = state.listeners.keys().copied();
        listeners
            .filter(|validator| state.reached.contains_key(validator))
            .collect()
    }

    /// Destroys the vote key's copy and ends all links: this validator leaves.
    pub(crate) fn leave(&self) {
        *lock(&self.vote) = None;
        self.keep(&BTreeSet::new());
    }

    /// This node's validator, if it is one at the moment or in the next term.
    fn own(&self) -> Option<ValidatorId> {
        let own = lock(&self.vote).as_ref().map(VoteKey::public)?;
        self.members().contains(&own).then_some(own)
    }

    /// Who may take part: the committee, and the next one as soon as it is known, so that a term begins with links.
    fn members(&self) -> BTreeSet<ValidatorId> {
        let ledger = self.chain.ledger();
        let next = ledger.pending().map(|change| change.next.members()).unwrap_or_default();
        ledger.committee().members().iter().chain(next).copied().collect()
    }

    /// This node's hello to another; `None` if it has no key any more, or cannot be dialled yet.
    fn hello(&self, to: &NodeId) -> Option<Opaque> {
        let port = self.begun.get()?.port;
        let vote = lock(&self.vote);
        let key = vote.as_ref()?;
        let message = hello_message(self.network(), &self.node, to, port);
        let hello = Hello {
            validator: key.public(),
            port,
            signature: key.sign(&message),
        };
        Some(hello.to_bytes().into())
    }

    /// Reads the hello of a node; `None` unless it proves the key of another validator that may take part.
    fn meet(&self, bytes: &[u8], from: &NodeId) -> Option<Hello> {
        let hello = Hello::read(bytes, self.network(), from, &self.node)?;
        let is_own = lock(&self.vote)
            .as_ref()
            .is_some_and(|key| key.public() == hello.validator);
        (!is_own && self.members().contains(&hello.validator)).then_some(hello)
    }

    fn network(&self) -> Hash {
        self.chain.store().keys().network()
    }

    /// Lets go of validators that left the committee, whenever somebody may have.
    async fn follow_terms(self: Arc<Self>) {
        let mut tips = self.chain.tips();
        let mut members = self.members();
        loop {
            tokio::select! {
                changed = tips.changed() => if changed.is_err() { return },
                () = self.lifeline.stopped() => return,
            }
            let now = self.members();
            if now != members {
                members = now;
                let stays = self.own().is_some();
                self.keep(if stays { &members } else { const { &BTreeSet::new() } });
            }
        }
    }

    /// Ends the links with everybody else.
    fn keep(&self, members: &BTreeSet<ValidatorId>) {
        let state = self.state();
        for (validator, listener) in &state.listeners {
            if !members.contains(validator) {
                listener.queue.end();
            }
        }
        for (validator, reached) in &state.reached {
            if !members.contains(validator) {
                reached.connection.close();
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// The node stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stopped;

fn lock<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    // Maps that single insertions and removals change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> std::fmt::Debug for Links<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Links")
    }
}

#[cfg(test)]
mod tests;

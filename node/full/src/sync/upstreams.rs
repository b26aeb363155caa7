//! All upstream nodes: who is connected, who is asked, what was wrong with whom.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use waxwing_core::certificate::Head;
use waxwing_core::keys::NodeId;
use waxwing_net::quic::{Connection, RequestError};
use waxwing_net::wire::{Request, Response, Role};

use super::faults::UpstreamFault;
use super::standing::{Standing, Withheld, choose, order};
use crate::address::NodeAddress;
use crate::clock::Clock;
use crate::faults::{UPSTREAM_LIED, UPSTREAM_LOST, UPSTREAM_STALLED};

/// One upstream node, as it is shown to people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpstreamStatus {
    /// Where it is.
    pub address: NodeAddress,
    /// Whether there is a connection.
    pub is_connected: bool,
    /// Whether it says that it orders.
    pub is_validator: bool,
    /// Whether blocks are copied from it now.
    pub is_in_use: bool,
    /// Height of the newest head that it showed and that was verified here.
    pub announced: u64,
    /// The last thing that was wrong with it, and when (ms since 1970).
    pub fault: Option<(UpstreamFault, u64)>,
}

/// Whom to copy from.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) index: usize,
    pub(super) connection: Connection,
    /// Height up to which it can deliver.
    pub(super) announced: u64,
    pub(super) faults_in_a_row: u32,
}

#[derive(Debug, Default)]
struct State {
    standings: Vec<Standing>,
    connections: Vec<Option<Connection>>,
    /// How often each was connected.
    sessions: Vec<u64>,
    /// The newest head that each showed: compared with the ledger as soon as it is as high.
    heads: Vec<Option<Head>>,
    in_use: Option<usize>,
    withheld: Withheld,
    /// Newest certified time that any of them showed: bodies may have expired up to it.
    newest_time: u64,
}

/// The upstream nodes of a node.
#[derive(Debug)]
pub(crate) struct Upstreams {
    addresses: Vec<NodeAddress>,
    state: Mutex<State>,
    /// Changes when somebody connects, goes, or shows a newer head.
    news: watch::Sender<u64>,
    clock: Clock,
}

impl Upstreams {
    pub(crate) fn new(addresses: Vec<NodeAddress>, clock: Clock) -> Self {
        let state = State {
            standings: vec![Standing::default(); addresses.len()],
            connections: vec![None; addresses.len()],
            sessions: vec![0; addresses.len()],
            heads: vec![None; addresses.len()],
            ..State::default()
        };
        Self {
            addresses,
            state: Mutex::new(state),
            news: watch::channel(0).0,
            clock,
        }
    }

    pub(crate) fn addresses(&self) -> &[NodeAddress] {
        &self.addresses
    }

    /// Changes whenever the choice of an upstream could change.
    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change below is a few assignments; a panic cannot leave half of one that matters.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, index: usize, change: impl FnOnce(&mut Standing)) {
        if let Some(standing) = self.state().standings.get_mut(index) {
            change(standing);
        }
        self.news.send_modify(|number| *number += 1);
    }

    pub(super) fn connected(&self, index: usize, connection: &Connection, role: Role) {
        let mut state = self.state();
        if let Some(slot) = state.connections.get_mut(index) {
            *slot = Some(connection.clone());
        }
        if let Some(number) = state.sessions.get_mut(index) {
            *number += 1;
        }
        drop(state);
        self.change(index, |standing| {
            standing.is_connected = true;
            standing.is_validator = role == Role::Validator;
        });
    }

    pub(super) fn announced(&self, index: usize, head: Head) {
        let (height, time) = (head.header.height, head.header.time);
        let mut state = self.state();
        state.newest_time = state.newest_time.max(time);
        if let Some(slot) = state.heads.get_mut(index) {
            *slot = Some(head);
        }
        drop(state);
        self.change(index, |standing| {
            standing.announced = standing.announced.max(height);
        });
    }

    pub(super) fn delivered(&self, index: usize) {
        self.change(index, Standing::delivered);
    }

    /// Notes a fault. A connection on which somebody lied is over; one that only failed is kept if it can be.
    pub(super) fn fault(&self, index: usize, fault: &UpstreamFault) {
        let code = match fault {
            UpstreamFault::Lied(_) | UpstreamFault::OtherNetwork => UPSTREAM_LIED,
            UpstreamFault::Stalled { .. } | UpstreamFault::Withholds { .. } => UPSTREAM_STALLED,
            _ => UPSTREAM_LOST,
        };
        let node = self.addresses.get(index).map(|address| address.node.to_string());
        tracing::warn!(code, node, "upstream node: {fault}");
        if fault.is_grave()
            && let Some(Some(connection)) = self.state().connections.get(index)
        {
            connection.close();
        }
        let now = self.clock.now_ms();
        self.change(index, |standing| standing.note(fault.clone(), now));
    }

    /// The same for who knows the node by its key.
    pub(crate) fn blame(&self, node: NodeId, fault: &UpstreamFault) {
        if let Some(index) = self.addresses.iter().position(|address| address.node == node) {
            self.fault(index, fault);
        }
    }

    /// Keeps a fault that was met, and told, before there were connections.
    pub(crate) fn remember(&self, index: usize, fault: UpstreamFault) {
        let now = self.clock.now_ms();
        self.change(index, |standing| standing.note(fault, now));
    }

    pub(super) fn disconnected(&self, index: usize) {
        if let Some(slot) = self.state().connections.get_mut(index) {
            *slot = None;
        }
        self.change(index, |standing| {
            standing.is_connected = false;
            // What it will have when it comes back has to be shown again.
            standing.announced = 0;
        });
    }

    /// The node to copy the block at `height` from; `None` if nobody has it.
    pub(super) fn choose(&self, height: u64) -> Option<Choice> {
        let mut state = self.state();
        let index = choose(&state.standings, height, state.in_use, Some(&state.withheld))
            .or_else(|| choose(&state.standings, height, state.in_use, None))?;
        state.in_use = Some(index);
        let connection = state.connections.get(index)?.clone()?;
        let standing = state.standings.get(index)?;
        Some(Choice {
            index,
            connection,
            announced: standing.announced,
            faults_in_a_row: standing.faults_in_a_row,
        })
    }

    pub(super) fn withholds(&self, height: u64, by: usize) {
        self.state().withheld.note(height, by);
    }

    /// Whether every node that has a block lacks the same body.
    pub(super) fn is_withheld_by_all(&self, height: u64) -> bool {
        let state = self.state();
        state.withheld.by_all(height, &state.standings)
    }

    /// Takes out the heads up to a height, to be compared with the ledger.
    pub(super) fn take_heads(&self, height: u64) -> Vec<Head> {
        let mut state = self.state();
        let due = state
            .heads
            .iter_mut()
            .filter_map(|slot| slot.take_if(|head| head.header.height <= height));
        due.collect()
    }

    /// Newest certified time that was seen.
    pub(crate) fn newest_time(&self) -> u64 {
        self.state().newest_time
    }

    /// Newest height that any of them showed and that was verified. What they only claim does not count: one liar could
    /// make this node look behind for ever.
    pub(crate) fn announced_height(&self) -> u64 {
        let state = self.state();
        state
            .standings
            .iter()
            .map(|standing| standing.announced)
            .max()
            .unwrap_or(0)
    }

    /// Connections, in the order in which nodes are asked for what any may answer.
    pub(crate) fn connections(&self) -> Vec<Connection> {
        let state = self.state();
        order(&state.standings)
            .into_iter()
            .filter_map(|index| state.connections.get(index)?.clone())
            .collect()
    }

    /// The same with the node's key and the number of the connection to it: another number, another connection, behind which
    /// may be a node that has forgotten everything.
    pub(crate) fn sessions(&self) -> Vec<((NodeId, u64), Connection)> {
        let state = self.state();
        let sessions = order(&state.standings).into_iter().filter_map(|index| {
            let connection = state.connections.get(index)?.clone()?;
            Some(((connection.node(), *state.sessions.get(index)?), connection))
        });
        sessions.collect()
    }

    /// Notes a certified time that somebody showed.
    pub(super) fn note_time(&self, time: u64) {
        let mut state = self.state();
        state.newest_time = state.newest_time.max(time);
    }

    /// Asks one after the other until one answers.
    pub(crate) async fn ask(&self, request: &Request, within: Duration) -> Option<Result<Response, RequestError>> {
        let mut last = None;
        for connection in self.connections() {
            match connection.request(request, within).await {
                Ok(response) => return Some(Ok(response)),
                Err(error) => last = Some(Err(error)),
            }
        }
        last
    }

    /// What people are shown.
    pub(crate) fn status(&self) -> Vec<UpstreamStatus> {
        let state = self.state();
        let shown = self.addresses.iter().zip(&state.standings).enumerate();
        shown
            .map(|(index, (address, standing))| UpstreamStatus {
                address: address.clone(),
                is_connected: standing.is_connected,
                is_validator: standing.is_validator,
                is_in_use: standing.is_connected && state.in_use == Some(index),
                announced: standing.announced,
                fault: standing.fault.clone(),
            })
            .collect()
    }
}

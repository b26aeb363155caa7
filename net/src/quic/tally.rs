//! What a server has seen: for its operator's figures, and for tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::close::CloseCode;
use super::peer::PeerInfo;

/// Figures since the server started.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// Connections that are open.
    pub open: usize,
    /// Connections that came up.
    pub admitted: u64,
    /// Connections that came up only to be told why they are unwanted.
    pub explained: u64,
    /// Newcomers that were made to prove their address.
    pub made_to_prove: u64,
    /// Newcomers that were refused at the first packet.
    pub turned_away: u64,
    /// Handshakes that failed or took too long.
    pub failed_handshakes: u64,
    /// Requests that reached the service.
    pub requests: u64,
    /// Requests that were refused before they reached the service.
    pub refused: u64,
    /// Connections that were ended, by reason.
    pub dropped: BTreeMap<CloseCode, u64>,
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    counts: Counts,
    peers: BTreeMap<u64, PeerInfo>,
}

impl Tally {
    pub(super) fn counts(&self) -> Counts {
        let state = self.state();
        Counts {
            open: state.peers.len(),
            ..state.counts.clone()
        }
    }

    pub(super) fn peers(&self) -> Vec<PeerInfo> {
        self.state().peers.values().copied().collect()
    }

    pub(super) fn came(&self, peer: PeerInfo) {
        let mut state = self.state();
        state.counts.admitted += 1;
        state.peers.insert(peer.connection, peer);
    }

    pub(super) fn went(&self, peer: PeerInfo) {
        self.state().peers.remove(&peer.connection);
    }

    pub(super) fn dropped(&self, code: CloseCode) {
        *self.state().counts.dropped.entry(code).or_default() += 1;
    }

    /// Changes a figure.
    pub(super) fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.state().counts);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is a single step; a panic elsewhere cannot leave half of one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

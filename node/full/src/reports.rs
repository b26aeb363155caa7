//! Evidence against validators: checked, kept once, told to everybody once, put into the next block by whoever orders.
//!
//! Whoever hears of a piece for the first time tells upstream nodes, validators that it is linked with, and nodes that copy
//! from it; whoever knows it tells nobody, so gossip ends. Who comes later is told what is known.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;
use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::evidence::Evidence;
use waxwing_core::hash::{HashKeys, Meaning};
use waxwing_core::ledger::Ledger;
use waxwing_core::limits::EVIDENCE_MAX;
use waxwing_net::quic::{Connection, RequestError};
use waxwing_net::wire::{Opaque, Request};

/// Pieces that are remembered, so that none goes into two blocks.
const KNOWN_MAX: usize = 4096;

/// Pieces that are shown to operators, and told to who comes later.
const SHOWN_MAX: usize = 64;

/// Pieces on their way to a subscriber before it is given all that are shown.
const UNDER_WAY_MAX: usize = 64;

/// Time for another node to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Finds whoever this node speaks to among other nodes.
pub(crate) type Others = Box<dyn Fn() -> Vec<Connection> + Send + Sync>;

#[derive(Debug, Default)]
struct State {
    known: HashSet<Hash>,
    waiting: Vec<Evidence>,
    /// Newest last.
    shown: VecDeque<Evidence>,
}

/// What a report turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Report {
    /// It holds, and is passed on.
    News,
    /// It holds; it was passed on before, or there is more of it than can be carried.
    Known,
    /// It proves nothing.
    Nothing,
}

/// Evidence that holds.
pub(crate) struct Reports {
    state: Mutex<State>,
    spread: broadcast::Sender<Opaque>,
    others: OnceLock<Others>,
}

impl Default for Reports {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            spread: broadcast::channel(UNDER_WAY_MAX).0,
            others: OnceLock::new(),
        }
    }
}

impl Reports {
    fn state(&self) -> MutexGuard<'_, State> {
        // Lists and sets that single lines change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on news are told to these as well.
    pub(crate) fn tell_others(&self, others: Others) {
        // It is said once, when the node is put together.
        let _ = self.others.set(others);
    }

    /// Takes a report of somebody else, and passes it on if it is news.
    pub(crate) fn take(&self, bytes: &[u8], ledger: &Ledger) -> Report {
        let Ok(evidence) = Evidence::from_bytes(bytes) else {
            return Report::Nothing;
        };
        if ledger.check_evidence(&evidence).is_err() {
            return Report::Nothing;
        }
        if self.found(ledger.keys(), &evidence) {
            self.pass_on(&evidence);
            Report::News
        } else {
            Report::Known
        }
    }

    /// Takes what this node saw itself; says whether it is news.
    pub(crate) fn found(&self, keys: &HashKeys, evidence: &Evidence) -> bool {
        let mut state = self.state();
        let is_news =
            state.known.len() < KNOWN_MAX && state.known.insert(keys.hash(Meaning::Evidence, &evidence.to_bytes()));
        if is_news {
            state.show(evidence);
            // Beyond the bound it holds all the same; it is only not carried by this node.
            if state.waiting.len() < usize::try_from(EVIDENCE_MAX).unwrap_or(usize::MAX) {
                state.waiting.push(evidence.clone());
            }
        }
        is_news
    }

    /// Tells everybody who copies from here, and, on a runtime, everybody else this node speaks to.
    pub(crate) fn pass_on(&self, evidence: &Evidence) {
        let bytes = Opaque::from(evidence.to_bytes());
        // Nobody listening is no failure.
        let _ = self.spread.send(bytes.clone());
        let (Some(others), Ok(runtime)) = (self.others.get(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        for connection in others() {
            let evidence = bytes.clone();
            let tell = async move { connection.request(&Request::Report { evidence }, PATIENCE).await };
            runtime.spawn(tell);
        }
    }

    /// Tells another validator, which has just been reached, what is known.
    pub(crate) fn tell(&self, connection: Connection) {
        let known = self.shown();
        if known.is_empty() {
            return;
        }
        tokio::spawn(async move {
            for evidence in known {
                let evidence = evidence.to_bytes().into();
                let told = connection.request(&Request::Report { evidence }, PATIENCE).await;
                if let Err(RequestError::Closed(_)) = told {
                    return;
                }
            }
        });
    }

    /// Pieces that become known from now on, and those that are known.
    pub(crate) fn follow(&self) -> (broadcast::Receiver<Opaque>, Vec<Opaque>) {
        // Subscribed first: what becomes known in between comes twice rather than not at all.
        let spread = self.spread.subscribe();
        let known = self.shown().iter().map(|evidence| evidence.to_bytes().into()).collect();
        (spread, known)
    }

    /// The newest pieces that are known, for people and for who comes later.
    pub(crate) fn shown(&self) -> Vec<Evidence> {
        self.state().shown.iter().cloned().collect()
    }

    /// What the next block carries.
    pub(crate) fn waiting(&self) -> Vec<Evidence> {
        self.state().waiting.clone()
    }

    /// A block that carries these pieces is durable, whoever proposed it: none goes into a second one.
    pub(crate) fn settle(&self, keys: &HashKeys, carried: &[Evidence]) {
        if carried.is_empty() {
            return;
        }
        let mut state = self.state();
        state.waiting.retain(|piece| !carried.contains(piece));
        for piece in carried {
            let is_news =
                state.known.len() < KNOWN_MAX && state.known.insert(keys.hash(Meaning::Evidence, &piece.to_bytes()));
            if is_news {
                state.show(piece);
            }
        }
    }
}

impl State {
    fn show(&mut self, evidence: &Evidence) {
        if self.shown.len() == SHOWN_MAX {
            self.shown.pop_front();
        }
        self.shown.push_back(evidence.clone());
    }
}

impl std::fmt::Debug for Reports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reports")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_core::certificate::{Certificate, Head};
    use waxwing_core::genesis::{Genesis, Parameters};
    use waxwing_core::keys::VoteKey;

    fn head(genesis: &Genesis, key: &VoteKey, time: u64) -> Head {
        let mut header = genesis.block();
        header.height = 1;
        header.time = time;
        let id = header.id(&genesis.keys());
        let certificate = Certificate::sign(&genesis.committee(), 0, &header, id, &[key]);
        Head { header, certificate }
    }

    #[test]
    fn evidence_that_holds_waits_for_one_block_and_nonsense_for_none() {
        let key = VoteKey::from_seed(&[1; 32]);
        let genesis = Genesis::new("test", 1, Parameters::DEFAULT, vec![key.public()]).unwrap();
        let (keys, ledger, reports) = (genesis.keys(), Ledger::new(&genesis), Reports::default());
        let [one, other] = [2, 3].map(|time| head(&genesis, &key, time));
        let evidence = Evidence::of_heads(&keys, one.clone(), other).to_bytes();
        assert_eq!(reports.take(&evidence, &ledger), Report::News);
        assert_eq!(reports.take(&evidence, &ledger), Report::Known);
        assert_eq!(reports.waiting().len(), 1);
        let nothing = Evidence::of_heads(&keys, one.clone(), one).to_bytes();
        assert_eq!(reports.take(&nothing, &ledger), Report::Nothing);
        assert_eq!(reports.take(b"abc", &ledger), Report::Nothing);
        assert_eq!(reports.follow().1, [Opaque::from(evidence.clone())]);
        reports.settle(&keys, &reports.waiting());
        assert_eq!(reports.take(&evidence, &ledger), Report::Known, "never in two blocks");
        assert_eq!(reports.waiting(), []);
        assert_eq!(reports.shown().len(), 1, "people are shown it all the same");
    }

    #[test]
    fn what_a_copied_block_carries_is_known_and_not_carried_again() {
        let key = VoteKey::from_seed(&[1; 32]);
        let genesis = Genesis::new("test", 1, Parameters::DEFAULT, vec![key.public()]).unwrap();
        let (keys, ledger, reports) = (genesis.keys(), Ledger::new(&genesis), Reports::default());
        let [one, other] = [2, 3].map(|time| head(&genesis, &key, time));
        let evidence = Evidence::of_heads(&keys, one, other);
        reports.settle(&keys, std::slice::from_ref(&evidence));
        assert_eq!(reports.take(&evidence.to_bytes(), &ledger), Report::Known);
        assert_eq!((reports.waiting(), reports.shown()), (vec![], vec![evidence]));
    }
}

//! Evidence against validators: checked, kept once, told to everybody once, put into the next block by whoever orders.
//!
//! Whoever hears of a piece for the first time tells upstream nodes, validators that it is linked with, and nodes that copy
//! from it; whoever knows it tells nobody, so gossip ends. Who comes later is told what is known. What is known survives a
//! restart ([`kept`]).

mod kept;

use std::collections::{HashSet, VecDeque};
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;
use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::evidence::Evidence;
use waxwing_core::hash::HashKeys;
use waxwing_core::ledger::Ledger;
use waxwing_core::limits::EVIDENCE_MAX;
use waxwing_net::quic::{Connection, RequestError};
use waxwing_net::wire::{Opaque, Request};
use waxwing_store::{Store, StoreError, Tables};

use crate::faults::EVIDENCE_UNKEPT;
use kept::{Kept, Piece, Record};

/// Pieces that are remembered, so that none goes into two blocks.
const KNOWN_MAX: usize = 4096;

/// Pieces that are shown to operators, and told to who comes later.
const SHOWN_MAX: usize = 64;

/// Blocks that are looked at when the node starts. The newest one is enough after a crash; the others are for a file that
/// is lost or came from an older copy, and cost some milliseconds.
const LOOKED_AT_MAX: u64 = 1024;

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
    /// Nothing in a simulation.
    kept: Option<Kept>,
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
    /// What was known when the node stopped, and what the newest blocks carry.
    ///
    /// # Errors
    /// If the file or the ledger cannot be read.
    pub(crate) fn open<T: Tables>(directory: &Path, ledger: &Ledger, store: &Store<T>) -> Result<Self, Unopened> {
        let keys = ledger.keys();
        let (kept, pieces) = Kept::open(directory, keys).map_err(Unopened::File)?;
        let reports = Self::default();
        {
            let mut state = reports.state();
            for Piece {
                id,
                evidence,
                is_carried,
            } in pieces
            {
                if let Some(evidence) = evidence {
                    // A file from elsewhere is not believed. Beside an older copy of the ledger what it says may not hold
                    // yet, and becomes known again by the blocks that are copied.
                    if ledger.check_evidence(&evidence).is_err() {
                        continue;
                    }
                    state.show(&evidence);
                    if !is_carried {
                        state.wait(&evidence);
                    }
                }
                state.known.insert(id);
            }
            state.kept = Some(kept);
        }
        for carried in newest_carried(store).map_err(Unopened::Store)? {
            reports.settle(keys, &carried);
        }
        Ok(reports)
    }

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
        let is_news = state.known.len() < KNOWN_MAX && state.known.insert(kept::id(keys, evidence));
        if is_news {
            state.show(evidence);
            state.wait(evidence);
            state.keep(|kept| kept.heard(evidence));
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
        let before = state.waiting.len();
        state.waiting.retain(|piece| !carried.contains(piece));
        let mut is_new = state.waiting.len() != before;
        let mut records = Vec::with_capacity(carried.len());
        for piece in carried {
            let id = kept::id(keys, piece);
            let is_news = state.known.len() < KNOWN_MAX && state.known.insert(id);
            if is_news {
                state.show(piece);
            }
            is_new |= is_news;
            records.push(if is_news {
                Record::Carried(piece.clone())
            } else {
                Record::CarriedId(id)
            });
        }
        // At a start most of what blocks carry stands in the file.
        if is_new {
            state.keep(|kept| kept.carried(&records));
        }
    }
}

/// Why what was known cannot be taken up again.
#[derive(Debug)]
pub(crate) enum Unopened {
    /// The file.
    File(io::Error),
    /// The ledger.
    Store(StoreError),
}

/// What the newest blocks carry, oldest first.
fn newest_carried<T: Tables>(store: &Store<T>) -> Result<Vec<Vec<Evidence>>, StoreError> {
    let mut found = Vec::new();
    for height in (1..=store.applied())
        .rev()
        .take(usize::try_from(LOOKED_AT_MAX).unwrap_or(usize::MAX))
    {
        // What came before a snapshot is not here yet.
        let Some(row) = store.block_row(height)? else { break };
        if !row.evidence.is_empty() {
            found.push(row.evidence);
        }
    }
    found.reverse();
    Ok(found)
}

impl State {
    fn show(&mut self, evidence: &Evidence) {
        if self.shown.len() == SHOWN_MAX {
            self.shown.pop_front();
        }
        self.shown.push_back(evidence.clone());
    }

    /// Beyond the bound it holds all the same; it is only not carried by this node.
    fn wait(&mut self, evidence: &Evidence) {
        if self.waiting.len() < usize::try_from(EVIDENCE_MAX).unwrap_or(usize::MAX) {
            self.waiting.push(evidence.clone());
        }
    }

    /// A disk that fails here fails for the ledger as well, which stops the node; until then it goes on without the file.
    fn keep(&mut self, write: impl FnOnce(&mut Kept) -> io::Result<()>) {
        let Some(kept) = &mut self.kept else { return };
        if let Err(error) = write(kept) {
            tracing::warn!(
                code = EVIDENCE_UNKEPT,
                "what is known of evidence cannot be written down: {error}"
            );
            self.kept = None;
        }
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
    use waxwing_store::memory::MemoryTables;

    fn key() -> VoteKey {
        VoteKey::from_seed(&[1; 32])
    }

    pub(super) fn genesis() -> Genesis {
        Genesis::new("test", 1, Parameters::DEFAULT, vec![key().public()]).unwrap()
    }

    fn head(time: u64) -> Head {
        let genesis = genesis();
        let mut header = genesis.block();
        header.height = 1;
        header.time = time;
        let id = header.id(&genesis.keys());
        let certificate = Certificate::sign(&genesis.committee(), 0, &header, id, &[&key()]);
        Head { header, certificate }
    }

    /// One piece for each number but one.
    pub(super) fn evidence(time: u64) -> Evidence {
        Evidence::of_heads(&genesis().keys(), head(1), head(time))
    }

    #[test]
    fn evidence_that_holds_waits_for_one_block_and_nonsense_for_none() {
        let genesis = genesis();
        let (keys, ledger, reports) = (genesis.keys(), Ledger::new(&genesis), Reports::default());
        let evidence = evidence(2).to_bytes();
        assert_eq!(reports.take(&evidence, &ledger), Report::News);
        assert_eq!(reports.take(&evidence, &ledger), Report::Known);
        assert_eq!(reports.waiting().len(), 1);
        let nothing = Evidence::of_heads(&keys, head(1), head(1)).to_bytes();
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
        let genesis = genesis();
        let (keys, ledger, reports) = (genesis.keys(), Ledger::new(&genesis), Reports::default());
        let evidence = evidence(2);
        reports.settle(&keys, std::slice::from_ref(&evidence));
        assert_eq!(reports.take(&evidence.to_bytes(), &ledger), Report::Known);
        assert_eq!((reports.waiting(), reports.shown()), (vec![], vec![evidence]));
    }

    fn reopened(directory: &Path) -> Reports {
        let genesis = genesis();
        let store = Store::create_on(MemoryTables::new(), &genesis).unwrap();
        Reports::open(directory, &Ledger::new(&genesis), &store).unwrap()
    }

    #[test]
    fn what_was_known_is_known_and_shown_after_a_restart_and_waits_only_if_no_block_carries_it() {
        let directory = tempfile::tempdir().unwrap();
        let genesis = genesis();
        let (keys, ledger) = (genesis.keys(), Ledger::new(&genesis));
        let [waits, carried, copied] = [2, 3, 4].map(evidence);
        let reports = reopened(directory.path());
        assert!(reports.found(&keys, &waits) && reports.found(&keys, &carried));
        reports.settle(&keys, &[carried.clone(), copied.clone()]);
        for _ in 0..3 {
            let reports = reopened(directory.path());
            assert_eq!(reports.waiting(), std::slice::from_ref(&waits));
            assert_eq!(reports.shown(), [waits.clone(), carried.clone(), copied.clone()]);
            for piece in [&waits, &carried, &copied] {
                assert_eq!(reports.take(&piece.to_bytes(), &ledger), Report::Known);
            }
        }
        assert_eq!(
            reopened(directory.path()).take(&evidence(9).to_bytes(), &ledger),
            Report::News
        );
    }

    #[test]
    fn a_piece_that_does_not_hold_is_not_taken_from_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let keys = genesis().keys();
        let reports = reopened(directory.path());
        // Written by another program, or about a block that an older copy of the ledger does not know.
        let nothing = Evidence::of_heads(&keys, head(1), head(1));
        assert!(reports.found(&keys, &nothing) && reports.found(&keys, &evidence(2)));
        let reports = reopened(directory.path());
        assert_eq!(reports.shown(), [evidence(2)]);
        assert_eq!(reports.waiting(), [evidence(2)]);
    }
}

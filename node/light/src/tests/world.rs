//! A ledger in memory for tests: the rules of `waxwing-core` over naive maps, ordered at once, signed by its
//! validators.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use waxwing_core::block::{BlockHeader, CertifiedBlock};
use waxwing_core::certificate::{Beacon, Certificate, Head};
use waxwing_core::change::CommitteeChange;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::committee::Committee;
use waxwing_core::envelope::{Anchor, Body, Carried, Envelope, EnvelopeHeader, ErasureSecret, KeepFor};
use waxwing_core::evidence::Evidence;
use waxwing_core::follow::{HeadProof, HeadUpdate, LadderStep, LogProof};
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::keys::{LogId, Verified, VoteKey};
use waxwing_core::ledger::{Ledger, LedgerReader};
use waxwing_core::limits::LADDER_STEPS_MAX;
use waxwing_core::log::{LogState, Place};
use waxwing_core::logmap::{MapLeaf, MapPath, map_key};
use waxwing_core::merkle::{InclusionProof, KeyedTree, Sha256Tree, path_of};
use waxwing_core::receipt::Receipt;
use waxwing_core::{Hash, HashKeys, Meaning, block, history};

use crate::clock::Clock;

/// Cheap stamps: tests sign thousands.
const PARAMETERS: Parameters = Parameters {
    stamp_bits: 1,
    new_log_bits: 2,
};

#[derive(Default)]
struct Rows {
    logs: RefCell<HashMap<LogId, LogState>>,
    known: RefCell<HashSet<(u64, Hash)>>,
}

impl LedgerReader for Rows {
    type Error = Infallible;

    fn log(&self, log: &LogId) -> Result<Option<LogState>, Infallible> {
        Ok(self.logs.borrow().get(log).cloned())
    }

    fn is_known(&self, anchor: u64, stamp: &Hash) -> Result<bool, Infallible> {
        Ok(self.known.borrow().contains(&(anchor, *stamp)))
    }
}

/// An entry in its log.
#[derive(Clone)]
pub(crate) struct LogRow {
    pub(crate) place: Place,
    pub(crate) carried: Carried,
}

/// What came of an envelope.
pub(crate) enum Admitted {
    Taken(Hash),
    Waiting(Hash),
    Final { index: u64, height: u64 },
    Unknown(u64),
    Expired(u64),
    Malformed,
}

struct State {
    ledger: Ledger,
    rows: Rows,
    logs: BTreeMap<LogId, Vec<LogRow>>,
    places: HashMap<Hash, (LogId, u64, u64)>,
    blocks: Vec<(CertifiedBlock, Vec<u64>)>,
    headers: Vec<BlockHeader>,
    pool: Vec<Arc<Verified<Carried>>>,
    is_ordering: bool,
}

/// One ledger. Several test nodes may serve it.
pub(crate) struct World {
    pub(crate) genesis: Genesis,
    pub(crate) keys: HashKeys,
    /// Whoever votes in any term.
    validators: Vec<VoteKey>,
    pub(crate) clock: Clock,
    state: Mutex<State>,
    tips: watch::Sender<u64>,
    reported: Mutex<Vec<Evidence>>,
}

impl World {
    /// A ledger with four validators, founded a minute ago.
    pub(crate) fn new(name: &str) -> Arc<Self> {
        let clock = Clock::system();
        let founded = clock.now() - 60_000;
        Self::founded(name, founded, clock)
    }

    pub(crate) fn founded(name: &str, time: u64, clock: Clock) -> Arc<Self> {
        let validators: Vec<_> = (1..=12).map(|seed| VoteKey::from_seed(&[seed; 32])).collect();
        let members = validators.iter().take(4).map(VoteKey::public).collect();
        let genesis = Genesis::new(name, time, PARAMETERS, members).unwrap();
        Arc::new(Self::of(genesis, validators, clock))
    }

    fn of(genesis: Genesis, validators: Vec<VoteKey>, clock: Clock) -> Self {
        let ledger = Ledger::new(&genesis);
        Self {
            keys: genesis.keys(),
            validators,
            clock,
            state: Mutex::new(State {
                headers: vec![genesis.block()],
                ledger,
                rows: Rows::default(),
                logs: BTreeMap::new(),
                places: HashMap::new(),
                blocks: Vec::new(),
                pool: Vec::new(),
                is_ordering: true,
            }),
            genesis,
            tips: watch::Sender::new(0),
            reported: Mutex::default(),
        }
    }

    /// The same ledger up to a height, going its own way from there: a fork, or a node that stands still.
    pub(crate) fn branch(&self, height: u64) -> Arc<Self> {
        let branch = Self::of(self.genesis.clone(), self.validators.clone(), self.clock.clone());
        let blocks = self.lock().blocks.clone();
        for (block, _) in blocks.into_iter().take(usize::try_from(height).unwrap()) {
            branch.lock().follow(&branch, block);
        }
        branch.tips.send_replace(height);
        Arc::new(branch)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn network(&self) -> Hash {
        self.keys.network()
    }

    pub(crate) fn tips(&self) -> watch::Receiver<u64> {
        self.tips.subscribe()
    }

    pub(crate) fn height(&self) -> u64 {
        self.lock().ledger.head().height
    }

    /// Takes an envelope into the pool and, unless ordering is paused, orders it at once.
    pub(crate) fn submit(&self, bytes: &[u8]) -> Admitted {
        let Ok(envelope) = Envelope::from_bytes(bytes) else {
            return Admitted::Malformed;
        };
        let Ok(verified) = envelope.verify(&self.keys, PARAMETERS.stamp_bits) else {
            return Admitted::Malformed;
        };
        let mut state = self.lock();
        let id = verified.id();
        if let Some((_, index, height)) = state.places.get(&id) {
            return Admitted::Final {
                index: *index,
                height: *height,
            };
        }
        if state.pool.iter().any(|waiting| waiting.id() == id) {
            return Admitted::Waiting(id);
        }
        let time = self.next_time(&state);
        let newest = state.ledger.anchors().newest().unwrap().height;
        match state.ledger.anchors().check(&verified.signed.header.anchor, time) {
            Ok(()) => {}
            Err(waxwing_core::ledger::AnchorError::Expired) => return Admitted::Expired(newest),
            Err(waxwing_core::ledger::AnchorError::Unknown) => return Admitted::Unknown(newest),
        }
        state.pool.push(Arc::new(verified));
        if state.is_ordering {
            state.order(self, time);
            drop(state);
            self.announce();
        }
        Admitted::Taken(id)
    }

    fn next_time(&self, state: &State) -> u64 {
        self.clock.now().max(state.ledger.head().time + 1)
    }

    /// Orders what is in the pool, or an empty block.
    pub(crate) fn order(&self) {
        let mut state = self.lock();
        let time = self.next_time(&state);
        state.order(self, time);
        drop(state);
        self.announce();
    }

    /// Orders a change of the committee, agreed on by everybody: the validators with these numbers vote from the block
    /// after that on.
    pub(crate) fn change_committee(&self, numbers: core::ops::Range<usize>) {
        let mut state = self.lock();
        let current = state.ledger.committee();
        let members = self.validators[numbers].iter().map(VoteKey::public).collect();
        let from = state.ledger.head().height + 2;
        let mut change = CommitteeChange::propose(&self.keys, current, from, members).unwrap();
        for key in self.voters(current, usize::MAX) {
            change.sign(current, key).unwrap();
        }
        let body = change.to_bytes();
        let mut header = EnvelopeHeader {
            body_length: u32::try_from(body.len()).unwrap(),
            log: self.genesis.committee_log_id(),
            anchor: state.ledger.anchors().newest().unwrap(),
            body_hash: self.keys.hash(Meaning::Body, &body),
            erasure: self.keys.hash(Meaning::Erasure, &body),
            keep_for: KeepFor::Ever,
            nonce: 0,
        };
        header.grind(
            &self.keys,
            u32::from(PARAMETERS.stamp_bits + PARAMETERS.new_log_bits) + 4,
        );
        let signed = header.sign(&self.keys, &self.genesis.committee_log());
        let verified = Envelope { signed, body }
            .verify(&self.keys, PARAMETERS.stamp_bits)
            .unwrap();
        let term = current.term();
        state.pool.push(Arc::new(verified));
        let time = self.next_time(&state);
        state.order(self, time);
        assert_eq!(state.ledger.committee().term(), term + 1);
        drop(state);
        self.announce();
    }

    /// The first keys of a committee.
    fn voters(&self, committee: &Committee, count: usize) -> Vec<&VoteKey> {
        let votes = |key: &&VoteKey| committee.members().contains(&key.public());
        self.validators.iter().filter(votes).take(count).collect()
    }

    /// Who votes at a height.
    pub(crate) fn committee_at(&self, height: u64) -> Committee {
        self.lock().ledger.ladder().at(height).clone()
    }

    pub(crate) fn order_many(&self, blocks: u64) {
        (0..blocks).for_each(|_| self.order());
    }

    fn announce(&self) {
        self.tips.send_replace(self.height());
    }

    /// Whether envelopes are ordered when they come.
    pub(crate) fn set_ordering(&self, is_ordering: bool) {
        self.lock().is_ordering = is_ordering;
    }

    /// Does with what waits whatever nodes and lines can do: order it otherwise, keep some for later, lose some.
    pub(crate) fn with_pool<R>(&self, change: impl FnOnce(&mut Vec<Arc<Verified<Carried>>>) -> R) -> R {
        change(&mut self.lock().pool)
    }

    /// What an envelope that is signed now would name.
    pub(crate) fn anchor(&self) -> Anchor {
        self.lock().ledger.anchors().newest().unwrap()
    }

    /// Forgets everything that waits: nodes that crashed.
    pub(crate) fn lose_pool(&self) -> usize {
        core::mem::take(&mut self.lock().pool).len()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.lock().pool.len()
    }

    pub(crate) fn length(&self, log: &LogId) -> u64 {
        self.lock()
            .logs
            .get(log)
            .map_or(0, |rows| u64::try_from(rows.len()).unwrap())
    }

    /// All entries of a log.
    pub(crate) fn log(&self, log: &LogId) -> Vec<LogRow> {
        self.lock().logs.get(log).cloned().unwrap_or_default()
    }

    /// Drops a body, if the secret is its author's.
    pub(crate) fn erase(&self, log: &LogId, index: u64, secret: ErasureSecret) -> bool {
        let mut state = self.lock();
        let row = state
            .logs
            .get_mut(log)
            .and_then(|rows| rows.get_mut(usize::try_from(index).unwrap()));
        let Some(row) = row else { return false };
        let body = Body::Erased(secret);
        let is_right = body.check(&row.carried.signed.header, &self.keys).is_ok();
        if is_right {
            row.carried.body = body;
        }
        is_right
    }

    pub(crate) fn head_update(&self, held: u64) -> Option<HeadUpdate> {
        self.lock().head_update(held)
    }

    pub(crate) fn head_proof(&self, log: &LogId, held: u64) -> Option<HeadProof> {
        let state = self.lock();
        Some(HeadProof {
            update: state.head_update(held)?,
            log: state.log_proof(&self.keys, log),
        })
    }

    pub(crate) fn header(&self, height: u64) -> Option<BlockHeader> {
        self.lock().headers.get(usize::try_from(height).unwrap()).cloned()
    }

    pub(crate) fn history(&self, height: u64, size: u64) -> Option<(BlockHeader, InclusionProof)> {
        let state = self.lock();
        let header = state.headers.get(usize::try_from(height).ok()?)?.clone();
        Some((header, state.history_path(height, size)?))
    }

    pub(crate) fn block(&self, height: u64) -> Option<CertifiedBlock> {
        let place = usize::try_from(height.checked_sub(1)?).ok()?;
        self.lock().blocks.get(place).map(|(block, _)| block.clone())
    }

    pub(crate) fn receipt(&self, log: &LogId, index: u64) -> Option<Receipt> {
        let state = self.lock();
        let row = state.logs.get(log)?.get(usize::try_from(index).ok()?)?;
        let (block, indexes) = state.blocks.get(usize::try_from(row.place.height - 1).ok()?)?;
        let leaves: Vec<Hash> = block
            .entries
            .iter()
            .zip(indexes)
            .map(|(entry, index)| block::block_leaf(&self.keys, &entry.signed.entry_id(&self.keys), *index))
            .collect();
        Some(Receipt {
            signed: row.carried.signed.clone(),
            log_index: index,
            in_block: row.place.in_block,
            path: path_of(&KeyedTree::block(&self.keys), &leaves, u64::from(row.place.in_block)).ok()?,
            head: block.head.clone(),
        })
    }

    /// A beacon for the newest head, at a time of the caller's choice.
    pub(crate) fn beacon(&self, time: u64) -> Beacon {
        let state = self.lock();
        let head = (state.ledger.head().height, state.ledger.id());
        let committee = state.ledger.committee();
        let voters = self.voters(committee, committee.quorum());
        Beacon::sign(committee, self.network(), head, time, &voters)
    }

    pub(crate) fn report(&self, evidence: Evidence) {
        self.reported
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(evidence);
    }

    pub(crate) fn reported(&self) -> Vec<Evidence> {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl State {
    fn order(&mut self, world: &World, time: u64) {
        let pool = core::mem::take(&mut self.pool);
        let mut draft = self.ledger.draft(&self.rows, time);
        let mut left = Vec::new();
        for envelope in pool {
            match draft.add(Arc::clone(&envelope)).unwrap() {
                Ok(()) => {}
                Err(fault) if fault.is_passing() => left.push(envelope),
                Err(_) => {}
            }
        }
        let step = draft.finish(self.ledger.turns()[0], Vec::new());
        let committee = self.ledger.committee();
        let voters = world.voters(committee, committee.quorum());
        let certificate = Certificate::sign(committee, 0, &step.header, step.id, &voters);
        let block = CertifiedBlock {
            head: Head {
                header: step.header.clone(),
                certificate,
            },
            entries: step.entries.iter().map(|entry| (**entry.carried).clone()).collect(),
            evidence: Vec::new(),
        };
        self.commit(world, step, block);
        self.pool = left;
    }

    fn follow(&mut self, world: &World, block: CertifiedBlock) {
        let entries = block
            .entries
            .iter()
            .map(|entry| Arc::new(entry.clone().verify(&world.keys, PARAMETERS.stamp_bits).unwrap()))
            .collect();
        let step = self
            .ledger
            .check(&self.rows, &block.head.header, entries, Vec::new())
            .unwrap();
        self.commit(world, step, block);
    }

    fn commit(&mut self, world: &World, step: waxwing_core::ledger::Step, block: CertifiedBlock) {
        let header = step.header.clone();
        for change in &step.logs {
            self.rows
                .logs
                .borrow_mut()
                .insert(change.state.log, change.state.clone());
        }
        for (in_block, entry) in (0..).zip(&step.entries) {
            let signed = &entry.carried.signed;
            let anchor = signed.header.anchor.height;
            self.rows.known.borrow_mut().insert((anchor, entry.stamp));
            let log = signed.header.log;
            self.places
                .insert(signed.entry_id(&world.keys), (log, entry.log_index, header.height));
            self.logs.entry(log).or_default().push(LogRow {
                place: Place {
                    height: header.height,
                    time: header.time,
                    in_block,
                },
                carried: (**entry.carried).clone(),
            });
        }
        let indexes = step.entries.iter().map(|entry| entry.log_index).collect();
        self.blocks.push((block, indexes));
        self.headers.push(header);
        self.ledger.advance(step);
    }

    fn head_update(&self, held: u64) -> Option<HeadUpdate> {
        let mut newest = self.ledger.head().height;
        let (mut ladder, mut at) = (Vec::new(), held);
        for term in self.ledger.ladder().terms() {
            let Some(last) = term.from.checked_sub(1).filter(|last| *last > held) else {
                continue;
            };
            ladder.push(LadderStep {
                head: self.head(last)?,
                extension: self.extension(at, last)?,
                next: term.committee.clone(),
            });
            at = last;
            if u32::try_from(ladder.len()) == Ok(LADDER_STEPS_MAX) {
                newest = last;
                break;
            }
        }
        Some(HeadUpdate {
            ladder,
            head: self.head(newest)?,
            extension: self.extension(at, newest)?,
        })
    }

    fn head(&self, height: u64) -> Option<Head> {
        let place = usize::try_from(height.checked_sub(1)?).ok()?;
        self.blocks.get(place).map(|(block, _)| block.head.clone())
    }

    fn extension(&self, older: u64, newer: u64) -> Option<InclusionProof> {
        if older == newer {
            Some(InclusionProof::default())
        } else {
            self.history_path(older, newer)
        }
    }

    fn history_path(&self, height: u64, size: u64) -> Option<InclusionProof> {
        let leaves: Vec<Hash> = self
            .headers
            .iter()
            .take(usize::try_from(size).ok()?)
            .map(history::leaf)
            .collect();
        path_of(&Sha256Tree, &leaves, height).ok()
    }

    fn log_proof(&self, keys: &HashKeys, log: &LogId) -> LogProof {
        let leaf_of = |log: &LogId| self.rows.logs.borrow().get(log).map(|state| state.leaf(keys));
        match self.ledger.prove(&map_key(keys, &log.as_hash())) {
            MapPath::Present(path) => LogProof {
                leaf: leaf_of(log),
                path,
            },
            MapPath::EmptySlot(path) => LogProof { leaf: None, path },
            MapPath::OtherLeaf(other) => {
                let logs = self.rows.logs.borrow();
                let leaf: MapLeaf = logs
                    .values()
                    .map(|state| state.leaf(keys))
                    .find(|leaf| leaf.map_key(keys) == *other.map_key())
                    .unwrap();
                LogProof {
                    leaf: None,
                    path: other.into_absence(keys, leaf).unwrap(),
                }
            }
        }
    }
}

/// Prints as bytes, for nodes.
pub(crate) fn bytes<T: Encode>(value: &T) -> waxwing_net::wire::Opaque {
    value.to_bytes().into()
}

//! A committee in one thread: real validators on ledgers in memory, joined by a queue, in a time that only moves when
//! nothing else is to be done. Nothing in it is random, so every run of a test is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use waxwing_core::Hash;
use waxwing_core::block::CertifiedBlock;
use waxwing_core::certificate::VoteKind;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::keys::{Signature, ValidatorId, VoteKey};
use waxwing_core::ledger::Ledger;
use waxwing_order::{Guard, Message, Settings, Vote};
use waxwing_store::Store;
use waxwing_store::fixture::{self, FOUNDED, Note, PARAMETERS};
use waxwing_store::memory::MemoryTables;

use crate::faults::Fault;
use crate::order::event::{Action, CopiedBlock, Event, Frame, Now, Role, TimerId, To};
use crate::order::{Setup, Validator};

/// Time on the way, ms.
const LATENCY: u64 = 5;

/// Something that happens at one node.
#[derive(Debug)]
enum Due {
    Event(usize, Event),
    Timer(usize, TimerId, u64),
    Restart(usize),
}

/// One machine.
pub(super) struct Machine {
    pub(super) key: VoteKey,
    pub(super) validator: Option<Validator<MemoryTables>>,
    tables: MemoryTables,
    /// What is on disk of the journal, and what is only written.
    pub(super) journal: Vec<Vec<u8>>,
    unflushed: Vec<Vec<u8>>,
    pub(super) guard: Guard,
    timers: BTreeMap<TimerId, u64>,
    pub(super) stopped: Option<Fault>,
    pub(super) roles: Vec<Role>,
    pub(super) is_key_destroyed: bool,
    /// By how much its clock is ahead, ms.
    pub(super) ahead: u64,
    /// Actions until it dies.
    pub(super) dies_in: Option<u64>,
}

/// Where a vote was cast: by whom, height, round, whether it was the second one.
type Place = (ValidatorId, u64, u32, bool);

/// Changes a frame on its way.
type Lie = fn(&mut Frame);

/// All of them, and what is under way between them.
pub(super) struct World {
    pub(super) machines: Vec<Machine>,
    due: BTreeMap<(u64, u64), Due>,
    next: u64,
    pub(super) now: u64,
    /// Pairs that cannot reach each other.
    pub(super) cut: BTreeSet<(usize, usize)>,
    /// Frames sent so far.
    pub(super) sent: u64,
    pub(super) pulled: u64,
    pub(super) copied: u64,
    pub(super) evidence: u64,
    /// Every vote that was ever sent: two for one step would be the end.
    votes: BTreeMap<Place, Hash>,
    pub(super) contradictions: u64,
    /// Changes what one machine sends on its way.
    pub(super) liar: Option<(usize, Lie)>,
}

impl World {
    pub(super) fn new(count: u8) -> Self {
        let genesis = fixture::genesis(count);
        let keys = (0..count).map(fixture::validator).collect::<Vec<_>>();
        let mut world = Self {
            machines: Vec::new(),
            due: BTreeMap::new(),
            next: 0,
            now: 0,
            cut: BTreeSet::new(),
            sent: 0,
            pulled: 0,
            copied: 0,
            evidence: 0,
            votes: BTreeMap::new(),
            contradictions: 0,
            liar: None,
        };
        for key in keys {
            let store = Store::create_on(MemoryTables::new(), &genesis).unwrap();
            world.add(key, store);
        }
        world.join();
        world
    }

    /// Another machine on a ledger of its own.
    pub(super) fn add(&mut self, key: VoteKey, store: Store<MemoryTables>) -> usize {
        let machine = Machine {
            key,
            tables: store.tables().clone(),
            validator: None,
            journal: Vec::new(),
            unflushed: Vec::new(),
            guard: Guard::default(),
            timers: BTreeMap::new(),
            stopped: None,
            roles: Vec::new(),
            is_key_destroyed: false,
            ahead: 0,
            dies_in: None,
        };
        self.machines.push(machine);
        let at = self.machines.len() - 1;
        self.start_on(at, store);
        at
    }

    /// Everybody reaches everybody.
    pub(super) fn join(&mut self) {
        for at in 0..self.machines.len() {
            self.connect(at);
        }
    }

    fn start_on(&mut self, at: usize, store: Store<MemoryTables>) {
        let now = self.time(at);
        let machine = &mut self.machines[at];
        let setup = Setup {
            store,
            key: (!machine.is_key_destroyed).then(|| machine.key.clone()),
            settings: Settings::DEFAULT,
            block_pause_ms: 100,
            guard: machine.guard,
            journal: machine.journal.clone(),
        };
        let (validator, actions) = Validator::open(setup, now).unwrap();
        machine.validator = Some(validator);
        self.carry_out(at, actions);
    }

    /// Loses its power now, with everything that was not on disk, and starts again after a while.
    pub(super) fn crash(&mut self, at: usize, back_after: u64) {
        let machine = &mut self.machines[at];
        machine.validator = None;
        machine.unflushed.clear();
        machine.timers.clear();
        machine.dies_in = None;
        machine.tables = machine.tables.crash(0);
        // It is not synced: the journal has to do without.
        machine.guard = Guard::default();
        for other in 0..self.machines.len() {
            let me = self.id(at);
            self.tell(other, Event::PeerDown(me), LATENCY);
        }
        self.push(back_after, Due::Restart(at));
    }

    fn restart(&mut self, at: usize) {
        let store = Store::open_on(self.machines[at].tables.clone()).unwrap();
        self.start_on(at, store);
        self.connect(at);
    }

    fn connect(&mut self, at: usize) {
        for other in 0..self.machines.len() {
            if other != at && !self.is_cut(at, other) {
                let (me, them) = (self.id(at), self.id(other));
                self.tell(at, Event::PeerUp(them), LATENCY);
                self.tell(other, Event::PeerUp(me), LATENCY);
            }
        }
    }

    /// Cuts one machine off, or joins it again.
    pub(super) fn isolate(&mut self, at: usize) {
        for other in (0..self.machines.len()).filter(|other| *other != at) {
            self.cut.insert((at, other));
            let (me, them) = (self.id(at), self.id(other));
            self.tell(at, Event::PeerDown(them), 0);
            self.tell(other, Event::PeerDown(me), 0);
        }
    }

    pub(super) fn heal(&mut self, at: usize) {
        self.cut.clear();
        self.connect(at);
    }

    fn is_cut(&self, one: usize, other: usize) -> bool {
        self.cut.contains(&(one, other)) || self.cut.contains(&(other, one))
    }

    pub(super) fn id(&self, at: usize) -> ValidatorId {
        self.machines[at].key.public()
    }

    fn time(&self, at: usize) -> Now {
        Now {
            wall_ms: FOUNDED + 1_000_000 + self.now + self.machines[at].ahead,
            steady_ms: self.now,
        }
    }

    fn push(&mut self, after: u64, due: Due) {
        self.next += 1;
        self.due.insert((self.now + after, self.next), due);
    }

    pub(super) fn tell(&mut self, at: usize, event: Event, after: u64) {
        self.push(after, Due::Event(at, event));
    }

    /// Does what is due next, if that is before `end`.
    fn step(&mut self, end: u64) -> bool {
        let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= end) else {
            return false;
        };
        let (time, _) = *entry.key();
        let due = entry.remove();
        self.now = self.now.max(time);
        match due {
            Due::Event(at, event) => self.on(at, event),
            Due::Timer(at, timer, name) => {
                if self.machines[at].timers.get(&timer) == Some(&name) {
                    self.machines[at].timers.remove(&timer);
                    self.on(at, Event::Timer(timer));
                }
            }
            Due::Restart(at) => self.restart(at),
        }
        true
    }

    pub(super) fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        while self.step(end) {}
        self.now = end;
    }

    fn on(&mut self, at: usize, event: Event) {
        let now = self.time(at);
        let machine = &mut self.machines[at];
        if machine.stopped.is_some() {
            return;
        }
        let Some(validator) = &mut machine.validator else {
            return;
        };
        let actions = validator.on(event, now);
        self.carry_out(at, actions);
    }

    fn carry_out(&mut self, at: usize, actions: Vec<Action>) {
        for action in actions {
            if let Some(left) = &mut self.machines[at].dies_in {
                if *left == 0 {
                    return self.crash(at, 60);
                }
                *left -= 1;
            }
            self.carry_out_one(at, action);
        }
    }

    fn carry_out_one(&mut self, at: usize, action: Action) {
        let machine = &mut self.machines[at];
        match action {
            Action::Append(record) => machine.unflushed.push(record),
            Action::Flush => machine.journal.append(&mut machine.unflushed),
            Action::Reset => {
                machine.journal.clear();
                machine.unflushed.clear();
            }
            Action::Signed(guard) => machine.guard = guard,
            Action::Send { to, frame } => self.send(at, to, frame),
            Action::Set(timer, ms) => {
                let name = self.next;
                machine.timers.insert(timer, name + 1);
                self.push(ms, Due::Timer(at, timer, name + 1));
            }
            Action::Cancel(timer) => {
                machine.timers.remove(&timer);
            }
            Action::Pull { block, from, stamps } => {
                self.pulled += u64::try_from(stamps.len()).unwrap();
                let from = self.find(&from).filter(|from| !self.is_cut(at, *from));
                let holder = from.and_then(|from| self.machines[from].validator.as_ref());
                let entries = holder.map(|holder| holder.entries(&block, &stamps)).unwrap_or_default();
                self.tell(at, Event::Missing { block, entries }, 2 * LATENCY);
            }
            Action::CatchUp { from, .. } => self.copy(at, &from),
            Action::Copied { outcome, .. } => self.copied += u64::from(outcome.is_ok()),
            Action::Evidence(evidence) => self.pass_on(at, &evidence.to_bytes()),
            Action::Role(role) => machine.roles.push(role),
            Action::DestroyKey => machine.is_key_destroyed = true,
            Action::Stop(fault) => machine.stopped = Some(fault),
        }
    }

    fn pass_on(&mut self, at: usize, evidence: &[u8]) {
        self.evidence += 1;
        for other in (0..self.machines.len()).filter(|other| *other != at) {
            if let Some(validator) = &self.machines[other].validator {
                assert!(validator.report(evidence), "it is news");
            }
        }
    }

    fn find(&self, id: &ValidatorId) -> Option<usize> {
        (0..self.machines.len()).find(|at| self.id(*at) == *id)
    }

    fn send(&mut self, at: usize, to: To, mut frame: Frame) {
        if let Some((_, lie)) = self.liar.filter(|(liar, _)| *liar == at) {
            lie(&mut frame);
        } else if let Frame::Consensus { message, .. } = &frame {
            self.watch(message);
        }
        // As bytes, as it travels.
        let frame = Frame::from_bytes(&frame.to_bytes()).unwrap();
        let from = self.id(at);
        for other in 0..self.machines.len() {
            let is_meant = to == To::All || to == To::One(self.id(other));
            if other != at && is_meant && !self.is_cut(at, other) {
                self.sent += 1;
                let frame = frame.clone();
                self.tell(other, Event::Frame { from, frame }, LATENCY);
            }
        }
    }

    fn watch(&mut self, message: &Message) {
        if let Message::Vote(vote) = message {
            let step = (
                vote.validator,
                vote.height,
                vote.round,
                vote.kind == VoteKind::Precommit,
            );
            let first = *self.votes.entry(step).or_insert(vote.block);
            self.contradictions += u64::from(first != vote.block);
        }
    }

    /// What the rest of a node does about [`Action::CatchUp`].
    fn copy(&mut self, at: usize, from: &ValidatorId) {
        let Some(from) = self.find(from).filter(|from| !self.is_cut(at, *from)) else {
            return;
        };
        let Some((mine, theirs)) = self.machines[at]
            .validator
            .as_ref()
            .zip(self.machines[from].validator.as_ref())
        else {
            return;
        };
        let ladder = theirs.store().restore().unwrap();
        let heights = mine.tip().height + 1..=theirs.tip().height;
        let blocks: Vec<_> = heights
            .map(|height| copied(&ladder, theirs.store().block(height).unwrap().unwrap()))
            .collect();
        for block in blocks {
            self.tell(at, Event::Copied(Box::new(block)), 2 * LATENCY);
        }
    }

    /// Brings an envelope to these machines, as gossip does.
    pub(super) fn submit(&mut self, note: &Note, to: &[usize]) {
        let bytes = self.envelope(note, to[0]);
        for at in to {
            let now = self.time(*at);
            let Some(validator) = &self.machines[*at].validator else {
                continue;
            };
            assert!(validator.submit(&bytes, now).unwrap(), "machine {at} takes it");
            self.on(*at, Event::Work);
        }
    }

    fn envelope(&self, note: &Note, at: usize) -> Vec<u8> {
        let ledger = self.machines[at].validator.as_ref().unwrap().store().restore().unwrap();
        let anchor = ledger.anchors().newest().unwrap();
        let key = fixture::writer(note.writer);
        note.envelope(ledger.keys(), &PARAMETERS, anchor, &key).to_bytes()
    }

    /// Another envelope with the same header, signed again, brought to one machine.
    pub(super) fn submit_bytes(&mut self, bytes: &[u8], at: usize) {
        let now = self.time(at);
        let validator = self.machines[at].validator.as_ref().unwrap();
        assert!(validator.submit(bytes, now).unwrap());
        self.on(at, Event::Work);
    }

    /// One machine's disk is gone; its key and the note beside it are not.
    pub(super) fn lose_disk(&mut self, at: usize) {
        let store = Store::create_on(MemoryTables::new(), &fixture::genesis(4)).unwrap();
        let machine = &mut self.machines[at];
        machine.journal.clear();
        machine.unflushed.clear();
        machine.timers.clear();
        machine.tables = store.tables().clone();
        self.start_on(at, store);
        self.connect(at);
    }

    /// Two votes of one machine that contradict each other, at the next height.
    pub(super) fn contradict(&self, at: usize) -> [Vote; 2] {
        let (key, network) = (&self.machines[at].key, self.ledger(0).keys().network());
        [1, 2].map(|block| {
            let mut vote = Vote {
                validator: key.public(),
                kind: VoteKind::Prevote,
                height: 1,
                round: 0,
                block: Hash([block; 32]),
                signature: Signature([0; 64]),
            };
            vote.signature = key.sign(&vote.signed_bytes(network));
            vote
        })
    }

    /// One machine is told a message.
    pub(super) fn hear(&mut self, at: usize, from: ValidatorId, message: Box<Message>) {
        let frame = Frame::Consensus {
            message,
            has_work: false,
        };
        self.tell(at, Event::Frame { from, frame }, LATENCY);
    }

    /// Pieces of evidence in a block.
    pub(super) fn carried(&self, at: usize, height: u64) -> usize {
        let store = self.machines[at].validator.as_ref().unwrap().store();
        store.block(height).unwrap().unwrap().evidence.len()
    }

    pub(super) fn height(&self, at: usize) -> u64 {
        self.machines[at]
            .validator
            .as_ref()
            .map_or(0, |validator| validator.tip().height)
    }

    pub(super) fn ledger(&self, at: usize) -> Ledger {
        self.machines[at].validator.as_ref().unwrap().store().restore().unwrap()
    }

    /// Every pair of ledgers has the same blocks as far as both go, and nobody signed twice.
    pub(super) fn check(&self) {
        assert_eq!(self.contradictions, 0, "somebody voted twice in one step");
        for at in 0..self.machines.len() {
            for height in 1..=self.height(at) {
                let blocks: BTreeSet<Hash> = (0..self.machines.len())
                    .filter(|other| self.height(*other) >= height)
                    .map(|other| self.block_id(other, height))
                    .collect();
                assert_eq!(blocks.len(), 1, "height {height}");
            }
        }
    }

    fn block_id(&self, at: usize, height: u64) -> Hash {
        let store = self.machines[at].validator.as_ref().unwrap().store();
        store.header(height).unwrap().unwrap().id(store.keys())
    }

    /// The block that a machine voted for first of all.
    pub(super) fn first_vote(&self, at: usize) -> Option<Hash> {
        let (me, mut votes) = (self.id(at), self.votes.iter());
        votes.find(|(place, _)| place.0 == me).map(|(_, block)| *block)
    }

    /// Whether a machine ever voted for a block.
    pub(super) fn has_voted_for(&self, at: usize, block: Hash) -> bool {
        let (me, mut votes) = (self.id(at), self.votes.iter());
        votes.any(|(place, voted)| place.0 == me && *voted == block)
    }

    /// Entries in one machine's ledger.
    pub(super) fn entries(&self, at: usize) -> u64 {
        self.machines[at]
            .validator
            .as_ref()
            .map_or(0, |validator| validator.tip().entries)
    }
}

/// A block as copying hands it over: everything verified.
fn copied(ledger: &Ledger, block: CertifiedBlock) -> CopiedBlock {
    let committee = ledger.ladder().at(block.head.header.height);
    let verify = |entry: waxwing_core::envelope::Carried| Arc::new(entry.verify(ledger.keys(), 1).unwrap());
    CopiedBlock {
        head: block.head.verify(ledger.keys(), committee).unwrap(),
        entries: block.entries.into_iter().map(verify).collect(),
        evidence: block.evidence,
    }
}

//! A committee in one thread, in virtual time, with everything that goes wrong drawn from a seed.
//!
//! Each validator is a real [`Host`] with a journal that tells *written* from *durable*. Messages travel as bytes and
//! are lost, late and doubled; machines die between any two outputs and lose what was not flushed, all of it or its
//! end. What comes out is watched: one block per height, and no honest validator ever signs two things for one step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use waxwing_core::Hash;
use waxwing_core::block::BlockHeader;
use waxwing_core::certificate::Certificate;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::committee::Committee;
use waxwing_core::evidence::Evidence;
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::hash::HashKeys;
use waxwing_core::keys::{ValidatorId, VoteKey};
use waxwing_order::event::Broken;
use waxwing_order::{Guard, Host, Input, Message, Output, Record, Settings, Timer};

use crate::chance::Chance;

/// Time, in virtual milliseconds.
pub(crate) type Ms = u64;

/// What a validator is like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Character {
    /// Runs a host.
    Honest,
    /// Says nothing.
    Silent,
    /// Tells one half this and the other half that.
    TwoFaced,
    /// Says whatever is well formed.
    Wild,
}

/// What is to happen in a run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) characters: Vec<Character>,
    /// Messages lost, of a thousand.
    pub(crate) lost: u64,
    /// Messages that come twice, of a thousand.
    pub(crate) doubled: u64,
    /// Outputs before which the machine dies, of a hundred thousand.
    pub(crate) deadly: u64,
    /// Whether the links between two halves are cut from time to time.
    pub(crate) is_cut: bool,
    /// From when on nothing goes wrong any more.
    pub(crate) calm_from: Ms,
    /// When it ends at the latest.
    pub(crate) until: Ms,
    /// How many blocks everybody honest must get further in the calm; then it ends.
    pub(crate) goal: usize,
    pub(crate) broken: Broken,
}

impl Plan {
    /// A quiet run of honest validators.
    pub(crate) fn quiet(seed: u64, validators: usize) -> Self {
        Self {
            seed,
            characters: vec![Character::Honest; validators],
            lost: 0,
            doubled: 0,
            deadly: 0,
            is_cut: false,
            calm_from: 0,
            until: 60_000,
            goal: 50,
            broken: Broken::Nothing,
        }
    }

    /// A run with everything that links and machines do.
    pub(crate) fn rough(seed: u64, validators: usize) -> Self {
        Self {
            lost: 60,
            doubled: 60,
            deadly: 150,
            is_cut: true,
            calm_from: 15_000,
            until: 60_000,
            goal: 5,
            ..Self::quiet(seed, validators)
        }
    }
}

/// What was seen in a run.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Seen {
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) deaths: u64,
    pub(crate) records_lost: u64,
    pub(crate) replays: u64,
    pub(crate) cuts: u64,
    pub(crate) later_rounds: u64,
    pub(crate) sat_out: u64,
    pub(crate) copied: u64,
    /// Honest validators' heights when the faults stopped, the highest of them.
    pub(crate) height_at_calm: usize,
    /// Who was caught with two votes.
    pub(crate) caught: BTreeSet<ValidatorId>,
}

/// What must never be seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Violation {
    /// Two final blocks at one height.
    Fork(u64),
    /// An honest validator signed two things for one step.
    TwoFaced(u64, u32),
    /// An honest validator stopped.
    Stopped(String),
}

struct Journal {
    durable: Vec<Vec<u8>>,
    written: Vec<Vec<u8>>,
}

struct Node {
    key: [u8; 32],
    character: Character,
    host: Option<Host>,
    /// Counts machines' lives: what an earlier one set in motion does not reach a later one.
    life: u64,
    journal: Journal,
    chain: Vec<(BlockHeader, Certificate)>,
    timers: BTreeMap<Timer, u64>,
}

enum Event {
    Arrive(usize, Arc<Vec<u8>>),
    Status(usize, usize),
    Timer(usize, Timer, u64),
    Answer(usize, u64, Input),
    Begin(usize, u64),
    Restart(usize),
    Gossip,
    Cut,
    Heal,
}

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) chance: Chance,
    pub(crate) genesis: Genesis,
    pub(crate) hashes: HashKeys,
    pub(crate) committee: Arc<Committee>,
    pub(crate) seen: Seen,
    pub(crate) violation: Option<Violation>,
    nodes: Vec<Node>,
    queue: BTreeMap<(Ms, u64), Event>,
    now: Ms,
    count: u64,
    cut: Option<u64>,
    decided: BTreeMap<u64, Hash>,
    said: BTreeMap<(ValidatorId, u64, u32, &'static str), Vec<u8>>,
    /// What the liars said already.
    pub(crate) lies: BTreeSet<(usize, u64, u32, u8, Hash)>,
    /// What the wild ones heard last.
    pub(crate) heard: Vec<Message>,
}

impl World {
    pub(crate) fn new(plan: Plan) -> Self {
        let count = u8::try_from(plan.characters.len()).unwrap();
        let mut seeds: Vec<[u8; 32]> = (1..=count).map(|seed| [seed; 32]).collect();
        seeds.sort_by_key(|seed| VoteKey::from_seed(seed).public());
        let members = seeds.iter().map(|seed| VoteKey::from_seed(seed).public()).collect();
        let genesis = Genesis::new("agreement", 1_000, Parameters::DEFAULT, members).unwrap();
        let node = |(key, character): (&[u8; 32], &Character)| Node {
            key: *key,
            character: *character,
            host: None,
            life: 0,
            journal: Journal {
                durable: Vec::new(),
                written: Vec::new(),
            },
            chain: Vec::new(),
            timers: BTreeMap::new(),
        };
        let mut world = Self {
            chance: Chance::new(plan.seed),
            hashes: genesis.keys(),
            committee: Arc::new(genesis.committee()),
            nodes: seeds.iter().zip(&plan.characters).map(node).collect(),
            genesis,
            plan,
            seen: Seen::default(),
            violation: None,
            queue: BTreeMap::new(),
            now: 0,
            count: 0,
            cut: None,
            decided: BTreeMap::new(),
            said: BTreeMap::new(),
            lies: BTreeSet::new(),
            heard: Vec::new(),
        };
        for node in 0..world.nodes.len() {
            world.after(0, Event::Restart(node));
        }
        world.after(300, Event::Gossip);
        if world.plan.is_cut {
            world.after(2_000, Event::Cut);
        }
        world
    }

    /// Runs to the end, or to the first thing that must never be seen.
    pub(crate) fn run(mut self) -> Self {
        let mut was_calm = false;
        while let Some(((time, _), event)) = self.queue.pop_first() {
            let is_reached = was_calm && self.is_goal_reached();
            if time > self.plan.until || is_reached || self.violation.is_some() {
                break;
            }
            self.now = time;
            if !was_calm && time >= self.plan.calm_from {
                was_calm = true;
                self.seen.height_at_calm = self.heights().into_iter().max().unwrap_or(0);
            }
            self.happen(event);
        }
        self
    }

    /// Whether everybody honest got as far in the calm as was asked.
    pub(crate) fn is_goal_reached(&self) -> bool {
        let goal = self.seen.height_at_calm + self.plan.goal;
        self.heights().iter().all(|height| *height >= goal)
    }

    /// The heights that honest validators have reached.
    pub(crate) fn heights(&self) -> Vec<usize> {
        let honest = self.nodes.iter().filter(|node| node.character == Character::Honest);
        honest.map(|node| node.chain.len()).collect()
    }

    pub(crate) fn key(&self, node: usize) -> VoteKey {
        VoteKey::from_seed(&self.nodes[node].key)
    }

    pub(crate) fn validators(&self) -> usize {
        self.nodes.len()
    }

    /// Whose turn each round of a height is.
    pub(crate) fn turns(&self, height: u64) -> Vec<ValidatorId> {
        let mut turns = self.committee.members().to_vec();
        let first = usize::try_from(height).unwrap() % turns.len();
        turns.rotate_left(first);
        turns
    }

    /// A block on top of `parent`, like no other.
    pub(crate) fn block(&mut self, height: u64, parent: Hash, proposer: ValidatorId) -> BlockHeader {
        self.count += 1;
        BlockHeader {
            height,
            parent,
            time: 10_000 + self.count,
            proposer,
            ..self.genesis.block()
        }
    }

    /// The final block of a height, if it is decided anywhere.
    pub(crate) fn final_block(&self, height: u64) -> Option<Hash> {
        if height == 0 {
            return Some(self.genesis.block().id(&self.hashes));
        }
        self.decided.get(&height).copied()
    }

    fn parent(&self, node: usize) -> Hash {
        let newest = self.nodes[node].chain.last();
        newest.map_or_else(
            || self.genesis.block().id(&self.hashes),
            |(header, _)| header.id(&self.hashes),
        )
    }

    fn is_calm(&self) -> bool {
        self.now >= self.plan.calm_from
    }

    fn after(&mut self, wait: Ms, event: Event) {
        self.count += 1;
        self.queue.insert((self.now + wait, self.count), event);
    }

    /// Sends a message to one other validator, if the links let it through.
    pub(crate) fn send(&mut self, from: usize, to: usize, bytes: &Arc<Vec<u8>>) {
        let is_apart = |cut: u64| (cut >> from) & 1 != (cut >> to) & 1;
        if self.cut.is_some_and(is_apart) || (!self.is_calm() && self.chance.of_thousand(self.plan.lost)) {
            self.seen.lost += 1;
            return;
        }
        let wait = 5 + self.chance.below(45);
        self.after(wait, Event::Arrive(to, Arc::clone(bytes)));
        if !self.is_calm() && self.chance.of_thousand(self.plan.doubled) {
            self.seen.doubled += 1;
            let wait = 5 + self.chance.below(1_000);
            self.after(wait, Event::Arrive(to, Arc::clone(bytes)));
        }
    }

    fn publish(&mut self, node: usize, message: &Message) {
        self.watch(node, message);
        let bytes = Arc::new(message.to_bytes());
        for to in (0..self.nodes.len()).filter(|to| *to != node) {
            self.send(node, to, &bytes);
        }
    }

    /// Nobody honest says two things in one step.
    fn watch(&mut self, node: usize, message: &Message) {
        let me = self.key(node).public();
        let bytes = message.signed_bytes(&self.hashes);
        let step = match message {
            Message::Proposal(_) => "proposal",
            Message::Vote(vote) if vote.kind == waxwing_core::certificate::VoteKind::Prevote => "prevote",
            _ => "precommit",
        };
        if let Some(bytes) = bytes.filter(|_| message.validator() == Some(me)) {
            assert!(message.is_signed(&self.hashes), "an honest validator's message counts");
            let place = (me, message.height(), message.round(), step);
            if *self.said.entry(place).or_insert_with(|| bytes.clone()) != bytes {
                self.violation = Some(Violation::TwoFaced(message.height(), message.round()));
            }
        }
    }

    // ---- What happens ----------------------------------------------------------------------------------------------

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive(node, bytes) => {
                let message = Message::from_bytes(&bytes).expect("what was sent can be read");
                match self.nodes[node].character {
                    Character::Honest => self.tell(node, Input::Message(message)),
                    Character::Silent => {}
                    Character::TwoFaced => crate::liar::answer(self, node, &message),
                    Character::Wild => crate::wild::answer(self, node, &message),
                }
            }
            Event::Status(node, from) => self.catch_up(node, from),
            Event::Timer(node, timer, count) => {
                if self.nodes[node].timers.get(&timer) == Some(&count) {
                    self.nodes[node].timers.remove(&timer);
                    self.tell(node, Input::Timeout(timer));
                }
            }
            Event::Answer(node, life, input) => {
                if self.nodes[node].life == life {
                    self.tell(node, input);
                }
            }
            Event::Begin(node, life) => {
                if self.nodes[node].life == life {
                    self.begin(node, &[]);
                }
            }
            Event::Restart(node) => self.restart(node),
            Event::Gossip => self.gossip(),
            Event::Cut => {
                let halves = self.chance.below(1 << self.nodes.len());
                self.cut = (!self.is_calm()).then_some(halves);
                self.seen.cuts += u64::from(!self.is_calm());
                let wait = 500 + self.chance.below(3_000);
                self.after(wait, Event::Heal);
            }
            Event::Heal => {
                self.cut = None;
                let wait = 500 + self.chance.below(3_000);
                self.after(wait, Event::Cut);
            }
        }
    }

    fn gossip(&mut self) {
        for from in 0..self.nodes.len() {
            for to in (0..self.nodes.len()).filter(|to| *to != from) {
                let wait = 5 + self.chance.below(45);
                self.after(wait, Event::Status(to, from));
            }
        }
        self.after(300, Event::Gossip);
    }

    /// Whoever is behind copies what the other has, checking it.
    fn catch_up(&mut self, node: usize, from: usize) {
        let is_apart = |cut: u64| (cut >> from) & 1 != (cut >> node) & 1;
        let have = self.nodes[node].chain.len();
        if self.cut.is_some_and(is_apart) || self.nodes[node].host.is_none() || self.nodes[from].chain.len() <= have {
            return;
        }
        let blocks = self.nodes[from].chain.split_at(have).1.to_vec();
        for (header, certificate) in blocks {
            self.seen.copied += 1;
            let (height, id) = (header.height, header.id(&self.hashes));
            let host = self.nodes[node].host.as_mut();
            let outputs = host.map(|host| host.compare(height, id, &certificate));
            self.carry_out(node, outputs.unwrap_or_default());
            self.commit(node, header, certificate);
        }
        let next = self.next(node);
        let committee = Arc::clone(&self.committee);
        let outputs = self.nodes[node].host.as_mut().map(|host| host.expect(next, &committee));
        self.carry_out(node, outputs.unwrap_or_default());
    }

    fn next(&self, node: usize) -> u64 {
        u64::try_from(self.nodes[node].chain.len()).unwrap() + 1
    }

    fn restart(&mut self, node: usize) {
        if self.nodes[node].character != Character::Honest {
            return;
        }
        let settings = Settings {
            broken: self.plan.broken,
            ..Settings::DEFAULT
        };
        let host = Host::new(self.genesis.network(), self.key(node), settings, Guard::default());
        let at = &mut self.nodes[node];
        at.host = Some(host);
        let records = at.journal.durable.iter().map(|bytes| Record::from_bytes(bytes));
        let records: Vec<Record> = records
            .map(|record| record.expect("what was recorded can be read"))
            .collect();
        self.seen.replays += u64::from(!records.is_empty());
        self.begin(node, &records);
    }

    fn begin(&mut self, node: usize, recovered: &[Record]) {
        let next = self.next(node);
        let (committee, turns) = (Arc::clone(&self.committee), self.turns(next));
        let at = &mut self.nodes[node];
        if let Some(host) = at.host.as_mut().filter(|host| host.at().is_none()) {
            let outputs = host.begin(next, &committee, &turns, recovered);
            self.carry_out(node, outputs);
        }
    }

    fn tell(&mut self, node: usize, input: Input) {
        if let Some(host) = self.nodes[node].host.as_mut() {
            let outputs = host.on(input);
            self.carry_out(node, outputs);
        }
    }

    /// Does what a host wants done, in its order, unless the machine dies in between.
    fn carry_out(&mut self, node: usize, outputs: Vec<Output>) {
        for output in outputs {
            if !self.is_calm() && self.chance.below(100_000) < self.plan.deadly {
                self.die(node);
                return;
            }
            self.act(node, output);
        }
    }

    fn die(&mut self, node: usize) {
        self.seen.deaths += 1;
        let at = &mut self.nodes[node];
        at.life += 1;
        at.host = None;
        at.timers.clear();
        let written = std::mem::take(&mut at.journal.written);
        let kept = usize::try_from(self.chance.below(1 + u64::try_from(written.len()).unwrap())).unwrap();
        self.seen.records_lost += u64::try_from(written.len() - kept).unwrap();
        self.nodes[node].journal.durable.extend(written.into_iter().take(kept));
        let wait = 50 + self.chance.below(4_000);
        self.after(wait, Event::Restart(node));
    }

    fn act(&mut self, node: usize, output: Output) {
        let life = self.nodes[node].life;
        match output {
            Output::Record(record) => self.nodes[node].journal.written.push(record.to_bytes()),
            Output::Flush => {
                let journal = &mut self.nodes[node].journal;
                journal.durable.append(&mut journal.written);
            }
            Output::Publish(message) => self.publish(node, &message),
            Output::Set(timer, wait) => {
                self.count += 1;
                self.nodes[node].timers.insert(timer, self.count);
                let event = Event::Timer(node, timer, self.count);
                self.after(u64::try_from(wait.as_millis()).unwrap(), event);
            }
            Output::Cancel(timer) => {
                self.nodes[node].timers.remove(&timer);
            }
            Output::Propose { height, round, .. } => {
                self.seen.later_rounds += u64::from(round > 0);
                let (parent, me) = (self.parent(node), self.key(node).public());
                let header = Box::new(self.block(height, parent, me));
                let wait = self.chance.below(10);
                self.after(wait, Event::Answer(node, life, Input::Proposed { round, header }));
            }
            Output::Judge { header, id, .. } => {
                let is_valid = header.parent == self.parent(node);
                let wait = self.chance.below(20);
                self.after(wait, Event::Answer(node, life, Input::Judged { id, is_valid }));
            }
            Output::Decided {
                header, certificate, ..
            } => {
                self.commit(node, *header, certificate);
                self.after(5, Event::Begin(node, life));
            }
            Output::Equivocation(votes) => {
                self.seen.caught.insert(votes.validator);
                let verdict = Evidence::TwoVotes(votes).verify(&self.hashes, &self.committee);
                assert_eq!(verdict, Ok(()), "evidence stands by itself");
            }
            Output::SitOut { .. } => self.seen.sat_out += 1,
            Output::Stop(reason) => self.violation = Some(Violation::Stopped(format!("{reason:?}"))),
        }
    }

    fn commit(&mut self, node: usize, header: BlockHeader, certificate: Certificate) {
        let (height, id) = (header.height, header.id(&self.hashes));
        assert_eq!(height, self.next(node), "heights come one after the other");
        if self.plan.broken != Broken::SmallQuorum {
            let verdict = certificate.verify(&self.committee, self.genesis.network(), height, id);
            assert_eq!(verdict, Ok(()), "a certificate is the ledger's");
        }
        if *self.decided.entry(height).or_insert(id) != id {
            self.violation = Some(Violation::Fork(height));
        }
        let at = &mut self.nodes[node];
        at.chain.push((header, certificate));
        at.journal.durable.clear();
        at.journal.written.clear();
        let life = at.life;
        self.after(5, Event::Begin(node, life));
    }
}

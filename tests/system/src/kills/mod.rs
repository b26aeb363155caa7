//! `kill -9`, again and again, at moments drawn by lot, of a whole small network under load: what was final must be
//! there afterwards, nothing may be there twice, and everybody goes on from what is on disk.
//!
//! ```text
//! load, heads ──────> validator <── follower          one strike: people say something; at a moment drawn by lot one
//! ann, ben, cyd: `chat tail` on both, `chat send`     process or all of them die; the dead are started again
//! ```
//!
//! A killed process leaves the system's page cache alive, so this says nothing about power failures: those are the
//! crash double's (`waxwing-store`) and the count of syncs. It says that no moment is a bad one to end a process: no
//! half-written file, no lock left behind, no message lost between two steps or sent again.
//!
//! The seed decides who dies and after how many microseconds. The machine decides what happens in them, so that a seed
//! replays a plan, not a race.

mod ends;
mod people;

use std::fmt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use waxwing_rules::chance::Chance;

use crate::command::{json, number};
use crate::heads::Heads;
use crate::load::Load;
use crate::node::{Network, Node};
use crate::person::Person;
use crate::told::Told;
use crate::until::until;
use people::{Member, Sending};

/// The channel that everybody writes.
const CHANNEL: &str = "den";

/// The members.
const NAMES: [&str; 3] = ["ann", "ben", "cyd"];

/// Within this time after the first process of a strike was started its victim dies: long enough for a message to be
/// final, so that every step of one is met.
const MOMENTS_US: u64 = 700_000;

/// Members who speak at once.
const SPEAKERS_MAX: usize = 2;

/// A reader shows a thousand messages at once, and the end of a run reads them all.
const KILLS_MAX: u32 = 500;

/// Entries that must become final after a validator came back, before the next strike: it orders again.
const PROOF_OF_LIFE: u64 = 20;

/// How many strikes, and what decides them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Strikes.
    pub kills: u32,
    /// Decides who dies, and when.
    pub seed: u64,
}

impl Plan {
    /// So many strikes, or as many as `WAXWING_KILLS` says; by the seed in `WAXWING_SEED`, or a new one.
    #[must_use]
    pub fn from_environment(kills: u32) -> Self {
        let kills = set("WAXWING_KILLS").unwrap_or(kills.into());
        Self {
            kills: kills.try_into().unwrap_or(u32::MAX),
            seed: set("WAXWING_SEED").unwrap_or_else(any_seed),
        }
    }
}

/// A number in the environment. One that is none ends the test: it must not run with another plan than was meant.
#[expect(clippy::panic, reason = "the test must not run with another plan than was meant")]
fn set(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is to be a number, and is {value:?}")),
    )
}

/// Another number each time.
fn any_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish() % 1_000_000_000
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WAXWING_KILLS={} WAXWING_SEED={}", self.kills, self.seed)
    }
}

/// Who dies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Victim {
    Validator,
    Follower,
    /// A client that delivers and reads.
    Reader,
    /// A client that was just told to say something.
    Writer,
    /// All of them at once.
    Everybody,
}

/// In ten strikes each is met, most often the one that writes the ledger.
const VICTIMS: [Victim; 10] = [
    Victim::Validator,
    Victim::Writer,
    Victim::Validator,
    Victim::Reader,
    Victim::Follower,
    Victim::Validator,
    Victim::Writer,
    Victim::Everybody,
    Victim::Validator,
    Victim::Reader,
];

/// What was done, and what was there to be lost.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Processes killed: validators.
    pub validators: u32,
    /// Followers.
    pub followers: u32,
    /// Clients that were reading.
    pub readers: u32,
    /// Clients that were sending.
    pub writers: u32,
    /// Messages that were queued for certain, all of them final once.
    pub messages: usize,
    /// Messages whose client died before it could say whether they were queued, and that came.
    pub doubtful: usize,
    /// Messages that a later one of the same speaker overtook, since the node that had the earlier one died with it.
    pub overtaken: usize,
    /// Places that somebody was told are final.
    pub told: usize,
    /// Block ids that somebody was shown.
    pub heads: usize,
    /// Receipts that somebody kept.
    pub receipts: usize,
    /// Entries of the ledger.
    pub entries: u64,
    /// Blocks of the ledger.
    pub blocks: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "killed: {} validators, {} followers, {} readers, {} writers; all there, nothing twice: {} messages ({} more \
             that were doubtful, {} overtaken), {} final places, {} heads, {} receipts, in {} entries and {} blocks",
            self.validators,
            self.followers,
            self.readers,
            self.writers,
            self.messages,
            self.doubtful,
            self.overtaken,
            self.told,
            self.heads,
            self.receipts,
            self.entries,
            self.blocks
        )
    }
}

/// Kills as the plan says, in a folder that is empty, and checks every law above.
///
/// # Panics
/// If a law is broken, or somebody does not come back.
pub fn run(plan: &Plan, folder: &Path) -> Report {
    assert!(plan.kills <= KILLS_MAX, "at most {KILLS_MAX} in one run");
    let mut world = World::new(plan, folder);
    for victim in VICTIMS
        .iter()
        .cycle()
        .take(usize::try_from(plan.kills).unwrap_or(usize::MAX))
    {
        world.strike(*victim);
    }
    world.end()
}

struct World {
    folder: PathBuf,
    network: Network,
    validator: Node,
    follower: Node,
    members: Vec<Member>,
    /// The channel's log.
    log: String,
    load: Load,
    heads: Heads,
    told: Told,
    /// Kept by somebody.
    receipts: Vec<PathBuf>,
    chance: Chance,
    report: Report,
}

impl World {
    fn new(plan: &Plan, folder: &Path) -> Self {
        let network = Network::found_cheap(&folder.join("network"), "kills");
        // Blocks follow each other as fast as they become durable, so that a kill meets one.
        let mut validator = Node::validator(&folder.join("validator"), &network).with("block-pause-ms", "5");
        validator.start();
        let mut follower = Node::follower(&folder.join("follower"), &network, &[&validator.address()]);
        follower.start();
        let mut members: Vec<Member> = NAMES
            .iter()
            .map(|name| Member::new(Person::new(folder, name)))
            .collect();
        let nodes = [validator.address(), follower.address()];
        let log = people::gather(&members, &network, &nodes.each_ref().map(String::as_str));
        members.iter_mut().for_each(Member::listen);
        Self {
            load: Load::start(&validator, &network.genesis(), plan.seed),
            heads: Heads::watch(&validator, &network.genesis()),
            folder: folder.to_owned(),
            network,
            validator,
            follower,
            members,
            log,
            told: Told::default(),
            receipts: Vec::new(),
            chance: Chance::new(plan.seed),
            report: Report::default(),
        }
    }

    fn strike(&mut self, victim: Victim) {
        let before = self.load.told();
        let mut sending = self.send_some();
        thread::sleep(Duration::from_micros(self.chance.below(MOMENTS_US)));
        self.kill(victim, &mut sending);
        if matches!(victim, Victim::Validator | Victim::Everybody) {
            until("the validator orders again", || {
                (self.load.told() > before + PROOF_OF_LIFE).then_some(())
            });
        }
        for sending in sending {
            sending.finish(&mut self.members, &mut self.told, &self.log);
        }
        self.listen_to_everybody();
        if self.chance.once_in(4) {
            self.keep_a_receipt();
        }
    }

    /// One or two members say something, each in a process of its own.
    fn send_some(&mut self) -> Vec<Sending> {
        let first = self.chance.place(self.members.len());
        let count = 1 + self.chance.place(SPEAKERS_MAX);
        let speakers = (0..self.members.len()).cycle().skip(first).take(count);
        let chance = &mut self.chance;
        speakers
            .map(|member| Sending::start(member, &mut self.members, chance.once_in(3)))
            .collect()
    }

    fn kill(&mut self, victim: Victim, sending: &mut Vec<Sending>) {
        let writer = if victim == Victim::Everybody { sending.len() } else { 1 };
        match victim {
            Victim::Validator => self.kill_validator(),
            Victim::Follower => self.kill_follower(),
            Victim::Reader => {
                let member = self.chance.place(self.members.len());
                self.kill_readers(member..member + 1);
            }
            Victim::Writer => self.kill_writers(sending, writer),
            Victim::Everybody => {
                self.validator.kill();
                self.follower.kill();
                self.kill_writers(sending, writer);
                let everybody = 0..self.members.len();
                self.kill_readers(everybody);
                self.kill_follower();
                self.kill_validator();
            }
        }
    }

    fn kill_validator(&mut self) {
        self.validator.kill();
        self.validator.start();
        self.report.validators += 1;
    }

    fn kill_follower(&mut self) {
        self.follower.kill();
        self.follower.start();
        self.report.followers += 1;
    }

    fn kill_readers(&mut self, members: std::ops::Range<usize>) {
        for member in self.members.iter_mut().skip(members.start).take(members.len()) {
            member.deafen(&mut self.told, &self.log);
            member.listen();
            self.report.readers += 1;
        }
    }

    fn kill_writers(&mut self, sending: &mut Vec<Sending>, count: usize) {
        for victim in sending.drain(..count.min(sending.len())) {
            victim.kill(&mut self.members, &mut self.told, &self.log);
            self.report.writers += 1;
        }
    }

    /// Notes what everybody was told meanwhile.
    fn listen_to_everybody(&mut self) {
        for member in &mut self.members {
            member.hear(&mut self.told, &self.log);
        }
        for node in [&self.validator, &self.follower] {
            self.told.head(&node.status());
        }
    }

    /// Somebody fetches the receipt of a message that is final.
    fn keep_a_receipt(&mut self) {
        let member = self.chance.place(self.members.len());
        let Some(member) = self.members.get(member) else { return };
        let read = member.person.read(CHANNEL);
        let entries = number(&read, "/channel/entries");
        if entries == 0 {
            return;
        }
        let file = self.folder.join(format!("receipt-{}", self.receipts.len()));
        let message = format!("{CHANNEL}#{}", self.chance.below(entries));
        let mut command = member.person.chat(&["receipt", &message, "--out"]);
        self.told.receipt(&json(command.arg(&file)));
        self.receipts.push(file);
    }
}

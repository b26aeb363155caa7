//! An honest validator with everything a process has around it: tables, journal, clocks, timers, and what it waits for.
//!
//! The validator is the real one. What stands here carries its wishes out, as the driver, the links and the copying of
//! a real node do; it decides nothing about order.

use std::collections::{BTreeMap, BTreeSet};

use waxwing_core::Hash;
use waxwing_core::block::CertifiedBlock;
use waxwing_core::certificate::Head;
use waxwing_core::committee::Committee;
use waxwing_core::keys::Verified;
use waxwing_node::order::event::{Action, CopiedBlock, Event, Role, TimerId};
use waxwing_node::order::{Setup, Validator};
use waxwing_order::Settings;
use waxwing_store::{MemoryTables, Store};

use crate::chance::Chance;
use crate::disk::Disk;
use crate::founding::{Founding, copied};
use crate::network::Seat;
use crate::time::{Clock, Micros};

/// Pause between two blocks that are not full, ms.
const BLOCK_PAUSE_MS: u64 = 100;

/// Blocks that are handed over at once.
pub const BLOCKS_MAX: usize = 16;

/// One honest validator, whether or not its process runs.
#[derive(Debug)]
pub struct Node {
    /// Its place in the committee.
    pub seat: Seat,
    /// Its clocks.
    pub clock: Clock,
    /// Journal and notes.
    pub disk: Disk,
    /// Its tables.
    pub tables: MemoryTables,
    /// The process.
    pub process: Option<Process>,
    /// Which process it is, counted.
    pub boot: u64,
    /// The newest height that others may know it has.
    pub known_height: u64,
    /// What the next process is to die of.
    pub doom: Option<u64>,
    /// How long it stays away when it dies.
    pub away: Micros,
    /// Whether it has left the committee, and has no vote key any more.
    pub has_left: bool,
    settings: Settings,
}

/// What ends with a process.
#[derive(Debug)]
pub struct Process {
    /// The real one.
    pub validator: Validator<MemoryTables>,
    /// The timers that run: which of several settings of one name counts.
    pub timers: BTreeMap<TimerId, u64>,
    set: u64,
    /// Entries that were asked for: block and from whom.
    pub pulls: BTreeSet<(Hash, Seat)>,
    /// Blocks that are being copied: up to which height, and from whom.
    pub copying: Option<(u64, Seat)>,
}

/// Somebody asks for something and waits no longer than this for an answer.
pub const ANSWER_LIMIT: Micros = 2 * crate::time::SECOND;

impl Node {
    /// A validator that was not started yet.
    #[must_use]
    pub fn new(seat: Seat, clock: Clock, tables: MemoryTables, settings: Settings) -> Self {
        Self {
            seat,
            clock,
            disk: Disk::default(),
            tables,
            process: None,
            boot: 0,
            known_height: 0,
            doom: None,
            away: 0,
            has_left: false,
            settings,
        }
    }

    /// Starts a process on what the last one left.
    ///
    /// # Errors
    /// If it does not start, what it says.
    pub fn start(&mut self, founding: &Founding, now: Micros) -> Result<Vec<Action>, String> {
        self.boot += 1;
        self.clock.boot(now);
        let found = self.disk.found();
        let store = Store::open_on(self.tables.clone()).map_err(|error| error.to_string())?;
        let setup = Setup {
            store,
            key: (!self.has_left).then(|| founding.voter(self.seat).clone()),
            settings: self.settings,
            block_pause_ms: BLOCK_PAUSE_MS,
            guard: found.guard,
            journal: found.records,
        };
        let opened = Validator::open(setup, self.clock.now(now)).map_err(|error| error.to_string())?;
        let (validator, actions) = opened;
        self.process = Some(Process {
            validator,
            timers: BTreeMap::new(),
            set: 0,
            pulls: BTreeSet::new(),
            copying: None,
        });
        Ok(actions)
    }

    /// The process dies and the power fails. Returns whether records of the journal were lost.
    pub fn crash(&mut self, chance: &mut Chance) -> bool {
        self.process = None;
        self.doom = None;
        let undurable = self.tables.undurable();
        self.tables = self.tables.crash(chance.place(undurable + 1));
        self.disk.crash(chance)
    }

    /// Tells the process something.
    pub fn on(&mut self, event: Event, now: Micros) -> Vec<Action> {
        let told = self.clock.now(now);
        let process = self.process.as_mut();
        process.map_or_else(Vec::new, |process| process.validator.on(event, told))
    }

    /// The newest height it has.
    #[must_use]
    pub fn height(&self) -> Option<u64> {
        self.process.as_ref().map(|process| process.validator.tip().height)
    }

    /// Whether its process copies what others decide and does not vote.
    #[must_use]
    pub fn follows(&self) -> bool {
        let process = self.process.as_ref();
        process.is_some_and(|process| process.validator.role() == Role::Follower)
    }

    /// Blocks from a height on, for whoever copies.
    #[must_use]
    pub fn blocks(&self, from: u64) -> Vec<CertifiedBlock> {
        let Some(process) = &self.process else {
            return Vec::new();
        };
        let store = process.validator.store();
        let heights = (from..=store.applied()).take(BLOCKS_MAX);
        heights
            .filter_map(|height| store.block(height).ok().flatten())
            .collect()
    }
}

impl Process {
    /// A timer runs from now on. Gives the number of the setting.
    pub fn set(&mut self, timer: TimerId) -> u64 {
        self.set += 1;
        self.timers.insert(timer, self.set);
        self.set
    }

    /// A timer ran out; whether it still counts.
    pub fn run_out(&mut self, timer: TimerId, set: u64) -> bool {
        let counts = self.timers.get(&timer) == Some(&set);
        if counts {
            self.timers.remove(&timer);
        }
        counts
    }
}

/// A block that somebody handed over, checked as whoever copies does: by the committee of its height, entry by entry. `None`
/// if it does not hold.
#[must_use]
pub fn verified(block: CertifiedBlock, founding: &Founding, committee: &Committee) -> Option<Box<CopiedBlock>> {
    let entries = copied(&block, founding)?;
    let CertifiedBlock { head, evidence, .. } = block;
    let head: Verified<Head> = head.verify(&founding.keys, committee).ok()?;
    Some(Box::new(CopiedBlock {
        head,
        entries,
        evidence,
    }))
}

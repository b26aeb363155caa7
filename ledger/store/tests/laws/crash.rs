//! The power fails at every moment of a small history.
//!
//! A process is made to die before a write, in it (written and not durable) and after it (durable, but nobody was told),
//! and between writes before and after it told others; whatever else was written and not durable is lost, all of it or
//! any later part. Then a new process starts by the normal way, goes on where it stands, and may die once more.
//!
//! The law: what was announced is there, the state is the one before or the one after the write that was cut short, and
//! whoever goes on arrives at the same rows, to the byte, as who was never disturbed; so nothing is there twice either.
//! That a test of this law notices a store that does not sync is tested too: last in this file.

use std::ops::ControlFlow;

use waxwing_core::block::BlockHeader;
use waxwing_core::certificate::Certificate;
use waxwing_core::envelope::KeepFor;
use waxwing_core::ledger::Step;
use waxwing_core::limits::DAY_MS;
use waxwing_store::fixture::{self, Note, World};
use waxwing_store::memory::{Fault, Syncing};
use waxwing_store::{Family, MemoryTables, OpenError, Store, StoreError, Tables};

/// What a node does. Each act is one write; founding is number 0.
enum Act {
    Found,
    Block(u64, Vec<Note>),
    Erase(Note, u64),
    Expire,
}

fn history() -> Vec<Act> {
    let note = |writer, number, keep_for| Note {
        writer,
        number,
        bytes: 40,
        keep_for,
    };
    let [ever, day] = [KeepFor::Ever, KeepFor::Day];
    vec![
        Act::Found,
        Act::Block(1000, vec![note(1, 0, ever), note(2, 1, day), note(1, 2, ever)]),
        Act::Block(1000, vec![]),
        Act::Erase(note(1, 2, ever), 1),
        Act::Block(2 * DAY_MS, vec![note(2, 3, ever), note(3, 4, day)]),
        Act::Expire,
        Act::Block(1000, vec![note(1, 5, ever)]),
    ]
}

type Rows = Vec<(Family, Vec<u8>, Vec<u8>)>;

fn rows(tables: &MemoryTables) -> Rows {
    let mut rows = Vec::new();
    for family in Family::ALL {
        let scan = tables.scan(family, &[], None, |key, value| {
            rows.push((family, key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        });
        scan.unwrap();
    }
    rows
}

/// When, in and around an act, the power fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Moment {
    In(Fault),
    /// The write was called durable; nobody else was told.
    BeforeTelling,
    /// Others were told.
    AfterTelling,
}

const MOMENTS: [Moment; 5] = [
    Moment::In(Fault::DiesBefore),
    Moment::In(Fault::DiesUnsynced),
    Moment::In(Fault::DiesAfter),
    Moment::BeforeTelling,
    Moment::AfterTelling,
];

/// How the law was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Violation {
    /// Something was announced, and is not there after the crash.
    Lost,
    /// The rows are neither those before the act nor those after it.
    Between,
    /// Going on led elsewhere.
    Astray,
}

/// A process: what it holds in memory.
struct Process {
    tables: MemoryTables,
    world: Option<World<MemoryTables>>,
}

impl Process {
    /// A new one, over what is on the disk.
    fn start(tables: MemoryTables) -> Self {
        let world = match Store::open_on(tables.clone()) {
            Ok(store) => Some(World::resume(store, 1)),
            Err(error) => {
                assert_eq!(error, OpenError::NoLedger);
                None
            }
        };
        Self { tables, world }
    }

    /// One act, up to where others are told; an error if the process dies in it.
    fn act(&mut self, act: &Act) -> Result<(), StoreError> {
        let Some(world) = &mut self.world else {
            assert!(matches!(act, Act::Found), "a ledger is founded first");
            let store = match Store::create_on(self.tables.clone(), &fixture::genesis(1)) {
                Ok(store) => store,
                Err(OpenError::Store(error)) => return Err(error),
                Err(error) => panic!("{error}"),
            };
            self.world = Some(World::resume(store, 1));
            return Ok(());
        };
        match act {
            Act::Found => panic!("a ledger is founded once"),
            Act::Block(after, notes) => {
                let (step, certificate) = block(world, *after, notes);
                world.store.commit(&step, &certificate)?;
                // A node that cannot know whether its write arrived asks for the same block again.
                let writes = self.tables.writes();
                assert_eq!(world.store.commit(&step, &certificate), Ok(()));
                assert_eq!(self.tables.writes(), writes, "the same block again writes nothing");
                world.ledger.advance(step);
                Ok(())
            }
            Act::Erase(note, index) => {
                let (log, secret) = (fixture::writer(note.writer).public(), note.secret(world.store.keys()));
                match world.store.erase(&log, *index, secret) {
                    Ok(_) => Ok(()),
                    Err(waxwing_store::EraseError::Store(error)) => Err(error),
                    Err(error) => panic!("{error}"),
                }
            }
            Act::Expire => world.store.expire(100).map(|_| ()),
        }
    }
}

fn block(world: &World<MemoryTables>, after: u64, notes: &[Note]) -> (Step, Certificate) {
    let entries: Vec<_> = notes.iter().map(|note| world.verified(note)).collect();
    world.propose(after, &entries)
}

/// The whole search.
struct Search {
    acts: Vec<Act>,
    /// Rows after each number of acts of a process that nothing happens to.
    reference: Vec<Rows>,
    crashes: u64,
}

impl Search {
    fn new() -> Self {
        let acts = history();
        let mut process = Process::start(MemoryTables::new());
        let mut reference = vec![rows(&process.tables)];
        for act in &acts {
            process.act(act).unwrap();
            reference.push(rows(&process.tables));
        }
        assert_eq!(
            process.tables.writes(),
            u64::try_from(acts.len()).unwrap(),
            "each act is one write"
        );
        Self {
            acts,
            reference,
            crashes: 0,
        }
    }

    /// From `done` acts that are durable on these tables: dies at every later moment, `lives` times at most.
    fn explore(&mut self, tables: &MemoryTables, done: usize, lives: u32) -> Result<(), Violation> {
        self.go_on(tables, done)?;
        if lives == 0 {
            return Ok(());
        }
        for last in done..self.acts.len() {
            for moment in MOMENTS {
                let (dead, told) = self.die(tables, done, last, moment);
                for kept in 0..=dead.undurable() {
                    self.crashes += 1;
                    let found = dead.crash(kept);
                    let reached = self.judge(&found, told, last + 1)?;
                    self.explore(&found, reached, lives - 1)?;
                }
            }
        }
        Ok(())
    }

    /// Runs to the end undisturbed, on a copy: every way leads to the same rows.
    fn go_on(&self, tables: &MemoryTables, done: usize) -> Result<(), Violation> {
        let mut process = Process::start(copy(tables));
        for act in &self.acts[done..] {
            process.act(act).unwrap();
        }
        let same = Some(&rows(&process.tables)) == self.reference.last();
        if same { Ok(()) } else { Err(Violation::Astray) }
    }

    /// A process dies at this moment of act `last`; what was told by then.
    fn die(&self, tables: &MemoryTables, done: usize, last: usize, moment: Moment) -> (MemoryTables, usize) {
        let mut process = Process::start(copy(tables));
        for act in &self.acts[done..last] {
            process.act(act).unwrap();
        }
        let told = match moment {
            Moment::In(fault) => {
                process.tables.fail(0, fault);
                let outcome = process.act(&self.acts[last]);
                assert!(matches!(outcome, Err(StoreError::Failed(_))), "{outcome:?}");
                last
            }
            Moment::BeforeTelling => {
                process.act(&self.acts[last]).unwrap();
                last
            }
            Moment::AfterTelling => {
                process.act(&self.acts[last]).unwrap();
                last + 1
            }
        };
        (process.tables, told)
    }

    /// What is on the disk now is the state after as many acts as were told, or after one more.
    fn judge(&self, found: &MemoryTables, told: usize, most: usize) -> Result<usize, Violation> {
        let rows = rows(found);
        let reached = self.reference.iter().position(|reference| *reference == rows);
        let reached = reached.ok_or(Violation::Between)?;
        if reached < told {
            return Err(Violation::Lost);
        }
        assert!(reached <= most, "nothing is there that was never done");
        Ok(reached)
    }
}

/// The same disk for another process, everything durable.
fn copy(tables: &MemoryTables) -> MemoryTables {
    tables.copy()
}

fn law(syncing: Syncing) -> (Result<(), Violation>, u64) {
    let mut search = Search::new();
    let outcome = search.explore(&MemoryTables::with(syncing), 0, 2);
    (outcome, search.crashes)
}

#[test]
fn whatever_was_announced_survives_two_crashes_at_any_moment() {
    let (outcome, crashes) = law(Syncing::Honest);
    assert_eq!(outcome, Ok(()));
    assert!(crashes > 500, "only {crashes} crashes were tried");
}

#[test]
fn with_syncing_turned_off_the_law_of_announced_blocks_is_broken() {
    let (outcome, _) = law(Syncing::Forgotten);
    assert_eq!(outcome, Err(Violation::Lost));
}

#[test]
fn a_refused_write_changes_nothing_and_stops_the_store() {
    let mut process = Process::start(MemoryTables::new());
    let acts = history();
    process.act(&acts[0]).unwrap();
    process.act(&acts[1]).unwrap();
    let before = rows(&process.tables);
    process.tables.fail(0, Fault::Refused);
    assert!(matches!(process.act(&acts[2]), Err(StoreError::Failed(_))));
    assert_eq!(rows(&process.tables), before);

    let world = process.world.as_ref().unwrap();
    let (store, log) = (&world.store, fixture::writer(1).public());
    let stopped = StoreError::Stopped;
    assert_eq!(
        store.header(1),
        Err(stopped.clone()),
        "the disk would answer, and is not asked"
    );
    assert_eq!(
        store.log_entries(&log, 0, crate::model::EVERYTHING),
        Err(stopped.clone())
    );
    assert_eq!(store.expire(1), Err(stopped));
    assert_eq!(store.applied(), 1);

    let mut again = Process::start(process.tables.clone());
    let header = |process: &Process| -> BlockHeader { process.world.as_ref().unwrap().ledger.head().clone() };
    assert_eq!(header(&again).height, 1);
    again.act(&acts[2]).unwrap();
    assert_eq!(header(&again).height, 2);
}

#[test]
fn a_block_that_does_not_follow_is_refused_and_writes_nothing() {
    let mut process = Process::start(MemoryTables::new());
    let acts = history();
    process.act(&acts[0]).unwrap();
    let world = process.world.as_mut().unwrap();
    let (first, certificate) = block(world, 1000, &[Note::new(1, 0)]);
    let (rival, rival_certificate) = block(world, 1000, &[Note::new(2, 1)]);
    world.store.commit(&first, &certificate).unwrap();
    let not_next = |applied, offered| Err(StoreError::NotNext { applied, offered });
    let before = rows(&process.tables);
    assert_eq!(world.store.commit(&rival, &rival_certificate), not_next(1, 1));
    world.ledger.advance(first);
    let (second, _) = block(world, 1000, &[]);
    world.ledger.advance(second);
    let (third, certificate_of_third) = block(world, 1000, &[]);
    assert_eq!(world.store.commit(&third, &certificate_of_third), not_next(1, 3));
    let mut elsewhere = Process::start(MemoryTables::new());
    elsewhere.act(&acts[0]).unwrap();
    let other = elsewhere.world.as_mut().unwrap();
    let (same_rival, _) = block(other, 1000, &[Note::new(2, 1)]);
    other.ledger.advance(same_rival);
    let (child_of_rival, certificate) = block(other, 1000, &[]);
    assert_eq!(
        world.store.commit(&child_of_rival, &certificate),
        not_next(1, 2),
        "of another parent"
    );
    assert_eq!(rows(&process.tables), before);
}

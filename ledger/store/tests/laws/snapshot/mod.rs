//! A store that is joined from a snapshot is as good as one that has seen everything, and becomes the same to the byte.
//!
//! The world has what makes snapshots hard: more logs than a slot takes, two days, changes of the committee that took over
//! and one that still waits, a validator that never proposes. Every kind of lie is told about every part and refused for
//! its own reason; power fails at every write of bringing it in and of filling in what came before.

use std::ops::ControlFlow;
use std::sync::Arc;

use waxwing_core::block::CertifiedBlock;
use waxwing_core::ledger::Ledger;
use waxwing_core::limits::DAY_MS;
use waxwing_core::snapshot::{Answer, Ascent, Ask, Assembly, Joint, Rows, SnapshotError};
use waxwing_store::fixture::{self, Note, Plan, World};
use waxwing_store::{Behind, Family, FillError, Gap, ImportError, MemoryTables, Store, Tables};

mod lies;
mod pinned;
mod power;

/// Milliseconds that no clock in these tests goes beyond.
const SOON: u64 = fixture::FOUNDED + 10 * DAY_MS;

fn plan(entries: u64, logs: u64, interval: u64) -> Plan {
    Plan {
        entries,
        logs,
        per_block: 40,
        bytes: 10,
        interval,
    }
}

/// Blocks of three days with this many logs; the committee has changed twice and will once more.
fn world(logs: u64) -> World<MemoryTables> {
    let mut world = World::found(MemoryTables::new(), 4);
    world.absent = vec![fixture::validator(2).public()];
    world.grow(0, &plan(logs, logs, 1000));
    change(&mut world, 2, 0..3);
    change(&mut world, 3, 1..6);
    world.append(DAY_MS, &[Note::new(1, 1_000_000)]);
    world.grow(logs, &plan(2 * logs, logs / 2, 30_000));
    world.append(DAY_MS / 2, &[]);
    world.grow(4 * logs, &plan(logs, logs / 3, 30_000));
    let head = world.ledger.head().height;
    let change = world.change(head + 500, 0..4);
    world.append_entries(1000, &[change]);
    world.grow(6 * logs, &plan(80, 7, 1000));
    world
}

fn change(world: &mut World<MemoryTables>, after: u64, numbers: std::ops::Range<u8>) {
    let from = world.ledger.head().height + 1 + after;
    let change = world.change(from, numbers);
    world.append_entries(1000, &[change]);
    (0..after).for_each(|_| world.append(1000, &[]));
}

type AllRows = Vec<(Family, Vec<u8>, Vec<u8>)>;

fn rows(tables: &MemoryTables) -> AllRows {
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

/// Climbs to a head of a store.
fn ascend<T: Tables>(store: &Store<T>, head: u64) -> Assembly {
    let mut ascent = Ascent::new(store.genesis());
    let update = store.head_update(0, head).unwrap().unwrap();
    ascent.accept(&update, SOON).unwrap();
    ascent.begin().unwrap()
}

/// Asks a store for everything. `lie` may change an answer; what is refused is asked again and told the truth, so that a
/// refusal is shown to change nothing.
fn assemble<T: Tables>(
    store: &Store<T>,
    mut assembly: Assembly,
    mut lie: impl FnMut(&Ask, &mut Answer),
) -> (Vec<Rows>, Joint, Vec<SnapshotError>) {
    let height = assembly.head().header.height;
    let outline = store.outline(height).unwrap().unwrap();
    let (mut all, mut refusals) = (Vec::new(), Vec::new());
    while let Some(question) = assembly.next_question() {
        let mut answer = store.snapshot_part(height, &question.ask, &outline).unwrap().unwrap();
        let truth = answer.to_bytes();
        lie(&question.ask, &mut answer);
        let told = answer.to_bytes();
        match assembly.take(question, &told) {
            Ok(rows) => {
                assert!(told == truth, "a lie was believed");
                all.push(rows);
            }
            Err(error) => refusals.push(error),
        }
    }
    (all, assembly.finish().unwrap(), refusals)
}

fn bring_in<T: Tables>(store: &Store<T>, parts: &[Rows], joint: &Joint) -> Result<(), ImportError> {
    let mut import = store.begin_import()?;
    for part in parts {
        import.put(part)?;
    }
    Ok(import.finish(joint)?)
}

/// A store that is joined at a head of another.
fn joined(from: &Store<MemoryTables>, head: u64) -> (Arc<Store<MemoryTables>>, Ledger) {
    let (parts, joint, refusals) = assemble(from, ascend(from, head), |_, _| {});
    assert_eq!(refusals, []);
    let store = Store::create_on(MemoryTables::new(), from.genesis()).unwrap();
    bring_in(&store, &parts, &joint).unwrap();
    let ledger = store.restore().unwrap();
    (Arc::new(store), ledger)
}

fn apply<T: Tables>(store: &Store<T>, ledger: &mut Ledger, block: CertifiedBlock) {
    let (keys, bits) = (ledger.keys().clone(), ledger.parameters().stamp_bits);
    let entries = block
        .entries
        .into_iter()
        .map(|entry| Arc::new(entry.verify(&keys, bits).unwrap()));
    let step = ledger
        .check(store, &block.head.header, entries.collect(), block.evidence)
        .unwrap();
    store.commit(&step, &block.head.certificate).unwrap();
    ledger.advance(step);
}

fn copy_blocks<T: Tables>(from: &Store<MemoryTables>, to: &Store<T>, ledger: &mut Ledger, last: u64) {
    for height in ledger.head().height + 1..=last {
        apply(to, ledger, from.block(height).unwrap().unwrap());
    }
}

type Replay = Store<Behind<Host, MemoryTables>>;

struct Host(Arc<Store<MemoryTables>>);

impl AsRef<Store<MemoryTables>> for Host {
    fn as_ref(&self) -> &Store<MemoryTables> {
        &self.0
    }
}

fn behind(store: &Arc<Store<MemoryTables>>) -> (Replay, Ledger) {
    let tables = || Behind::new(Host(Arc::clone(store)));
    let replay = Store::open_on(tables())
        .or_else(|_| Store::create_on(tables(), store.genesis()))
        .unwrap();
    let ledger = replay.restore().unwrap();
    (replay, ledger)
}

fn same_ledger(one: &Ledger, other: &Ledger) {
    assert_eq!((one.head(), one.id()), (other.head(), other.id()));
    assert_eq!(one.anchors(), other.anchors());
    assert_eq!(one.turns(), other.turns());
    assert_eq!(one.ladder(), other.ladder());
    assert_eq!(one.pending(), other.pending());
}

#[test]
fn a_joined_store_goes_on_like_one_that_has_seen_everything_and_becomes_the_same_to_the_byte() {
    let mut world = world(3000);
    let head = world.ledger.head().height;
    assert!(world.ledger.pending().is_some() && world.ledger.ladder().terms().count() == 3);
    let (store, mut ledger) = joined(&world.store, head);
    same_ledger(&ledger, &world.ledger);
    assert_eq!(
        store.gap(),
        Some(Gap {
            joined: head,
            filled: 0
        })
    );

    // It goes on, across restarts.
    for round in 0..70 {
        world.append(
            10_000,
            &[Note::new(round % 5, 2_000_000 + round), Note::new(9000 + round, 0)],
        );
        let block = world.store.block(head + 1 + round).unwrap().unwrap();
        apply(&*store, &mut ledger, block);
        if round % 23 == 0 {
            same_ledger(
                &Store::open_on(store.tables().copy()).unwrap().restore().unwrap(),
                &world.ledger,
            );
        }
    }
    same_ledger(&ledger, &world.ledger);

    // Meanwhile what came before is filled in, and with the last block of it the store is whole.
    assert_eq!(
        store.become_whole(),
        Err(FillError::NotThere {
            filled: 0,
            joined: head
        })
    );
    let (replay, mut past) = behind(&store);
    copy_blocks(&world.store, &replay, &mut past, head / 2);
    assert_eq!(
        Store::open_on(store.tables().copy()).unwrap().gap(),
        store.gap(),
        "a start knows how far it is"
    );
    assert_eq!(
        store.gap(),
        Some(Gap {
            joined: head,
            filled: head / 2
        })
    );
    drop((replay, past));
    let (replay, mut past) = behind(&store);
    copy_blocks(&world.store, &replay, &mut past, head);
    store.become_whole().unwrap();
    assert_eq!(store.gap(), None);
    assert!(
        rows(store.tables()) == rows(world.store.tables()),
        "nothing tells that it was joined"
    );
}

#[test]
fn proofs_of_a_joined_store_are_those_of_the_whole_one() {
    let mut world = world(1500);
    let head = world.ledger.head().height;
    let (store, mut ledger) = joined(&world.store, head);
    for round in 0..40 {
        let notes: Vec<Note> = (0..30)
            .map(|writer| Note::new(writer * 7, 3_000_000 + 100 * round + writer))
            .collect();
        world.append(1000, &notes);
        apply(
            &*store,
            &mut ledger,
            world.store.block(head + 1 + round).unwrap().unwrap(),
        );
    }
    let newest = world.ledger.head().height;
    // Clients that were there within a day are led on, and those who start from the genesis or climb from term to term.
    let lowest = (1..head)
        .rev()
        .take_while(|height| store.header(*height).unwrap().is_some())
        .last()
        .unwrap();
    assert!(lowest + 64 < head, "{lowest} of {head}");
    for held in (lowest..=newest).chain([0]) {
        assert_eq!(store.head_update(held, newest), world.store.head_update(held, newest));
        assert_eq!(store.history_path(held, newest), world.store.history_path(held, newest));
    }
    for writer in 0..300 {
        let log = fixture::writer(writer).public();
        assert_eq!(
            store.log_proof(&ledger, &log),
            world.store.log_proof(&world.ledger, &log)
        );
        let first = store.first_index(&log).unwrap();
        let page = crate::model::EVERYTHING;
        assert_eq!(
            store.log_entries(&log, first, page),
            world.store.log_entries(&log, first, page)
        );
        assert_eq!(store.frontier_at(&log, first), world.store.frontier_at(&log, first));
        assert_eq!(store.receipt(&log, first), world.store.receipt(&log, first));
    }
}

#[test]
fn a_snapshot_of_an_earlier_block_is_the_same_however_far_the_store_has_gone_on() {
    let mut world = world(1200);
    let head = world.ledger.head().height;
    let before = assemble(&world.store, ascend(&world.store, head), |_, _| {});
    let other = world.change(head + 60, 2..5);
    world.append_entries(1000, &[other]);
    world.grow(9_000_000, &plan(2500, 1700, 60_000));
    let after = assemble(&world.store, ascend(&world.store, head), |_, _| {});
    assert!(before == after);
}

#[test]
fn a_joined_store_hands_a_snapshot_on_as_far_as_it_has_one() {
    let mut world = world(1200);
    let head = world.ledger.head().height;
    let (store, mut ledger) = joined(&world.store, head);
    let ask = |ask: Ask| {
        store
            .snapshot_part(head, &ask, &store.outline(head).unwrap().unwrap())
            .unwrap()
    };
    assert_eq!(
        ask(Ask::Opening { size: head }),
        None,
        "the last change of the committee came before"
    );
    assert_eq!(ask(Ask::Window { from: head, count: 1 }), None);
    assert_eq!(store.outline(head - 1), Ok(None));
    assert_eq!(store.outline(head), world.store.outline(head));
    // After a day everything that could come again came after the snapshot, and so did a change of the committee.
    world.append(DAY_MS, &[]);
    world.grow(9_000_000, &plan(40 * 140, 1700, 60_000));
    let change = world.change(world.ledger.head().height + 5, 2..5);
    world.append_entries(DAY_MS, &[change]);
    (0..150).for_each(|_| world.append(1000, &[]));
    let newest = world.ledger.head().height;
    copy_blocks(&world.store, &store, &mut ledger, newest);
    let assembly = || ascend(&world.store, newest);
    assert!(assemble(&store, assembly(), |_, _| {}) == assemble(&world.store, assembly(), |_, _| {}));
}

#[test]
fn small_ledgers_can_be_joined_too() {
    for blocks in [1_u64, 2, 63, 64, 65, 130] {
        let mut world = World::found(MemoryTables::new(), 1);
        for number in 0..blocks {
            let notes = [Note::new(number % 3, number)];
            world.append(1000, if number % 2 == 0 { &notes } else { &[] });
        }
        let (store, ledger) = joined(&world.store, blocks);
        same_ledger(&ledger, &world.ledger);
        let (replay, mut past) = behind(&store);
        copy_blocks(&world.store, &replay, &mut past, blocks);
        store.become_whole().unwrap();
        assert!(rows(store.tables()) == rows(world.store.tables()), "{blocks} blocks");
    }
    let empty: World<MemoryTables> = World::found(MemoryTables::new(), 1);
    assert!(
        Ascent::new(empty.store.genesis()).begin().is_none(),
        "there is no head to join at"
    );
}

#[test]
fn a_store_with_blocks_is_not_joined() {
    let world = world(60);
    let head = world.ledger.head().height;
    let (parts, joint, _) = assemble(&world.store, ascend(&world.store, head), |_, _| {});
    let before = rows(world.store.tables());
    assert_eq!(
        bring_in(&world.store, &parts, &joint),
        Err(ImportError::NotEmpty { applied: head })
    );
    assert!(rows(world.store.tables()) == before);
}

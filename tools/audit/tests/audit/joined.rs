//! A node that joined lately has part of its history: an audit says so, and calls it neither verified nor tampered with.

use std::sync::Arc;

use waxwing_audit::audit;
use waxwing_audit::compare::{CompareError, Outcome, Which, compare};
use waxwing_audit::directory::Directory;
use waxwing_audit::report::Report;
use waxwing_audit::source::Joined;
use waxwing_core::ledger::Ledger;
use waxwing_core::policy::Policy;
use waxwing_core::snapshot::{Ascent, Assembly, Rows};
use waxwing_core::verdict::Verdict;
use waxwing_store::fixture::{FOUNDED, Note, World, genesis};
use waxwing_store::rows::number_key;
use waxwing_store::{Behind, Family, MemoryTables, Store, Tables};

struct Host(Arc<Store<MemoryTables>>);

impl AsRef<Store<MemoryTables>> for Host {
    fn as_ref(&self) -> &Store<MemoryTables> {
        &self.0
    }
}

/// A history of some days.
fn world() -> World<MemoryTables> {
    let mut world = World::found(MemoryTables::new(), 4);
    for number in 0..150 {
        world.append(1_000_000, &[Note::new(number % 9, number), Note::new(100 + number, 0)]);
    }
    world
}

/// The parts of the newest snapshot.
fn parts(world: &World<MemoryTables>) -> (Vec<Rows>, Assembly) {
    let (store, head) = (&world.store, world.ledger.head().height);
    let mut ascent = Ascent::new(store.genesis());
    ascent
        .accept(&store.head_update(0, head).unwrap().unwrap(), FOUNDED)
        .unwrap();
    let (mut assembly, outline) = (ascent.begin().unwrap(), store.outline(head).unwrap().unwrap());
    let mut parts = Vec::new();
    while let Some(question) = assembly.next_question() {
        let answer = store.snapshot_part(head, &question.ask, &outline).unwrap().unwrap();
        parts.push(assembly.take(question, &answer.to_bytes()).unwrap());
    }
    (parts, assembly)
}

fn founded() -> Store<MemoryTables> {
    Store::create_on(MemoryTables::new(), &genesis(4)).unwrap()
}

fn joined(world: &World<MemoryTables>) -> Arc<Store<MemoryTables>> {
    let (store, (parts, assembly)) = (founded(), parts(world));
    let mut import = store.begin_import().unwrap();
    parts.iter().for_each(|part| import.put(part).unwrap());
    import.finish(&assembly.finish().unwrap()).unwrap();
    Arc::new(store)
}

fn copy<T: Tables>(world: &World<MemoryTables>, store: &Store<T>, ledger: &mut Ledger, last: u64) {
    for height in ledger.head().height + 1..=last {
        let block = world.store.block(height).unwrap().unwrap();
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
}

fn report(tables: &MemoryTables, policy: Option<&Policy>) -> Report {
    let mut directory = Directory::on(tables.copy(), [7; 32]).unwrap();
    audit(&mut directory, policy, &mut |_| ()).unwrap()
}

#[test]
fn a_directory_that_is_not_filled_in_yet_is_incomplete_and_says_how_far_it_is() {
    let (mut world, policy) = (
        world(),
        Policy {
            genesis: genesis(4),
            head: None,
        },
    );
    let store = joined(&world);
    let newest = world.ledger.head().height;
    let judge = |filled| {
        let report = report(store.tables(), Some(&policy));
        assert_eq!(report.verdict, Verdict::Incomplete, "{report}");
        assert_eq!(report.joined, Some(Joined { height: newest, filled }));
        assert_eq!(report.head.unwrap().height, filled);
        let words = format!("joined at block {newest} and has filled in what came before up to block {filled}");
        assert!(report.headline().contains(&words), "{report}");
        assert!(report.to_json().contains(&format!("\"filled_height\": {filled}")));
    };
    judge(0);
    let mut ledger = store.restore().unwrap();
    world.append(1000, &[Note::new(1, 9999)]);
    copy(&world, &*store, &mut ledger, newest + 1);
    judge(0);
    let replay = Store::create_on(Behind::new(Host(Arc::clone(&store))), store.genesis()).unwrap();
    let mut past = replay.restore().unwrap();
    for last in [1, 63, 64, 100, newest - 1, newest] {
        copy(&world, &replay, &mut past, last);
        judge(last);
    }
    let unanchored = report(store.tables(), None);
    assert_eq!(unanchored.verdict, Verdict::Unanchored);
    assert!(
        unanchored.headline().contains("the node joined at block"),
        "{unanchored}"
    );
    store.become_whole().unwrap();
    let whole = report(store.tables(), Some(&policy));
    assert_eq!((whole.verdict, whole.joined), (Verdict::Verified, None), "{whole}");
    assert_eq!(whole.head.unwrap().height, newest + 1);
}

#[test]
fn a_snapshot_that_was_not_brought_in_is_nothing_yet() {
    let (world, policy) = (
        world(),
        Policy {
            genesis: genesis(4),
            head: None,
        },
    );
    let store = founded();
    let judge = || {
        let report = report(store.tables(), Some(&policy));
        assert_eq!(report.verdict, Verdict::Incomplete, "{report}");
        assert!(report.headline().contains("it has nothing yet"), "{report}");
    };
    let newest = world.ledger.head().height;
    let has_row = |height: u64| {
        store
            .tables()
            .get(Family::Block, &number_key(height))
            .unwrap()
            .is_some()
    };
    let is_written = || (1..=newest).any(has_row);
    let mut import = store.begin_import().unwrap();
    judge();
    // Again and again, until some of it does not wait for the rest any more.
    let parts = parts(&world).0;
    for _ in 0..1000 {
        parts.iter().for_each(|part| import.put(part).unwrap());
        if is_written() {
            break;
        }
    }
    assert!(is_written());
    drop(import);
    judge();
}

#[test]
fn what_was_filled_in_and_is_changed_is_tampered_with_all_the_same() {
    let (world, policy) = (
        world(),
        Policy {
            genesis: genesis(4),
            head: None,
        },
    );
    let store = joined(&world);
    let replay = Store::create_on(Behind::new(Host(Arc::clone(&store))), store.genesis()).unwrap();
    let mut past = replay.restore().unwrap();
    copy(&world, &replay, &mut past, 100);
    let key = 33_u64.to_be_bytes();
    let mut row = store.raw().get(waxwing_store::Family::Entry, &key).unwrap().unwrap();
    row[40] ^= 1;
    store.raw().put(waxwing_store::Family::Entry, &key, &row).unwrap();
    let report = report(store.tables(), Some(&policy));
    assert_eq!(report.verdict, Verdict::Tampered, "{report}");
}

#[test]
fn what_a_joined_node_lacks_accuses_nobody_in_a_comparison() {
    let (world, mut other) = (world(), World::found(MemoryTables::new(), 4));
    for number in 0..150 {
        other.append(1_000_001, &[Note::new(number % 9, number)]);
    }
    let directory = |store: Arc<Store<MemoryTables>>| Directory::of(store, [1; 32]);
    let mut half = directory(joined(&world));
    // The newest block is here, and it covers all before it.
    let mut whole = directory(Arc::new(world.store));
    let found = compare(&mut half, &mut whole, None).unwrap();
    assert!(
        matches!(&found.outcome, Outcome::Agree { common, .. } if common.height == 150),
        "{found}"
    );
    // Where two histories part cannot be looked up: nothing is said of either.
    let mut forked = directory(Arc::new(other.store));
    let Err(CompareError::Failed(Which::Second, why)) = compare(&mut forked, &mut half, None) else {
        panic!("a joined node does not hold those blocks")
    };
    assert!(why.contains("compare again when it has filled that in"), "{why}");
}

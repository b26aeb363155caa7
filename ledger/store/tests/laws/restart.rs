//! Every start compares the rows with a certified header, and goes on from nothing else.

use waxwing_core::certificate::HeadError;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::committee::QuorumError;
use waxwing_core::ledger;
use waxwing_core::limits::DAY_MS;
use waxwing_core::logmap::map_key;
use waxwing_store::fixture::{self, Note, Plan, World};
use waxwing_store::raw::Change;
use waxwing_store::rows::{self, BlockRow, HISTORY, meta};
use waxwing_store::{Family, MemoryTables, OpenError, RestoreError, Store, StoreError};

fn world() -> World<MemoryTables> {
    let plan = Plan {
        entries: 200,
        logs: 7,
        per_block: 10,
        bytes: 10,
        interval: 1000,
    };
    let mut world = World::found(MemoryTables::new(), 4);
    world.grow(0, &plan);
    world
}

/// What a start says after these rows were changed.
fn start_after(changes: impl FnOnce(&World<MemoryTables>) -> Vec<Change>) -> RestoreError {
    let world = world();
    let changes = changes(&world);
    world.store.raw().change(&changes).unwrap();
    let store = Store::open_on(world.store.tables().copy()).unwrap();
    let before = store.tables().writes();
    let error = store.restore().unwrap_err();
    assert_eq!(store.tables().writes(), before, "a start writes nothing");
    let told = error.to_string();
    assert!(told.contains("backup") && told.contains("another node"), "{told}");
    error
}

fn altered_head(world: &World<MemoryTables>, alter: impl FnOnce(&mut BlockRow)) -> Vec<Change> {
    let mut row = world.store.block_row(20).unwrap().unwrap();
    alter(&mut row);
    vec![Change::Put(
        Family::Block,
        rows::number_key(20).to_vec(),
        row.to_bytes(),
    )]
}

#[test]
fn a_ledger_goes_on_where_it_stopped_again_and_again() {
    let mut world = World::found(MemoryTables::new(), 4);
    for round in 0..150 {
        let after = if round % 7 == 0 { DAY_MS / 2 } else { 1000 };
        let notes: Vec<Note> = (0..round % 3)
            .map(|writer| Note::new(writer, 3 * round + writer))
            .collect();
        world.append(after, &notes);
        let again = World::resume(Store::open_on(world.store.tables().copy()).unwrap(), 4);
        assert_eq!(again.ledger.head(), world.ledger.head());
        assert_eq!(again.ledger.anchors(), world.ledger.anchors(), "block {round}");
        let (here, there) = (world.propose(1, &[]).0, again.propose(1, &[]).0);
        assert_eq!(here.header, there.header);
    }
}

#[test]
fn an_anchor_is_remembered_for_exactly_as_long_as_it_can_be_named() {
    let mut world = World::found(MemoryTables::new(), 1);
    (0..128).for_each(|_| world.append(1000, &[]));
    let since = world.ledger.head().time - world.store.header(64).unwrap().unwrap().time;
    for after in [DAY_MS - since - 1, 1, 1, DAY_MS, 1] {
        world.append(after, &[]);
        let again = World::resume(Store::open_on(world.store.tables().copy()).unwrap(), 1);
        assert_eq!(again.ledger.anchors(), world.ledger.anchors());
    }
}

#[test]
fn a_log_that_is_not_what_was_certified_stops_the_start() {
    let wrong_map = RestoreError::State(ledger::RestoreError::WrongMap);
    let key = |world: &World<MemoryTables>| {
        map_key(world.store.keys(), &fixture::writer(3).public().as_hash())
            .0
            .to_vec()
    };
    let changed = start_after(|world| {
        let mut row = world.store.raw().get(Family::Log, &key(world)).unwrap().unwrap();
        *row.last_mut().unwrap() ^= 1;
        vec![Change::Put(Family::Log, key(world), row)]
    });
    assert_eq!(changed, wrong_map);
    assert_eq!(
        start_after(|world| vec![Change::Delete(Family::Log, key(world))]),
        wrong_map
    );
    let added = start_after(|world| {
        let row = world.store.raw().get(Family::Log, &key(world)).unwrap().unwrap();
        vec![Change::Put(Family::Log, vec![0xff; 32], row)]
    });
    assert_eq!(added, wrong_map);
    let cut = start_after(|world| vec![Change::Put(Family::Log, key(world), vec![1; 40])]);
    assert_eq!(cut, RestoreError::Store(StoreError::Malformed(Family::Log)));
}

#[test]
fn a_head_that_is_not_certified_stops_the_start() {
    let unsigned = start_after(|world| altered_head(world, |row| row.header.time += 1));
    assert_eq!(
        unsigned,
        RestoreError::Head(HeadError::Quorum(QuorumError::BadSignature))
    );
    let bare = start_after(|world| altered_head(world, |row| row.certificate = None));
    assert_eq!(bare, RestoreError::Uncertified);
    let stolen = start_after(|world| {
        let older = world.store.block_row(19).unwrap().unwrap();
        altered_head(world, |row| *row = older)
    });
    assert_eq!(stolen, RestoreError::Store(StoreError::Malformed(Family::Block)));
    let gone = start_after(|_| vec![Change::Delete(Family::Block, rows::number_key(20).to_vec())]);
    assert_eq!(gone, RestoreError::Store(StoreError::Missing(Family::Block)));
}

#[test]
fn a_history_that_does_not_lead_to_the_head_stops_the_start() {
    let node = rows::node_key(&HISTORY, 4, 0).to_vec();
    let wrong = start_after(|_| vec![Change::Put(Family::Node, node.clone(), vec![1; 32])]);
    assert_eq!(wrong, RestoreError::State(ledger::RestoreError::WrongHistory));
    let gone = start_after(|_| vec![Change::Delete(Family::Node, node)]);
    assert_eq!(gone, RestoreError::Store(StoreError::Missing(Family::Node)));
}

#[test]
fn a_height_that_points_elsewhere_stops_the_start() {
    let applied = |height: u64| Change::Put(Family::Meta, meta::APPLIED.to_vec(), height.to_be_bytes().to_vec());
    let back = start_after(|_| vec![applied(19)]);
    assert_eq!(back, RestoreError::State(ledger::RestoreError::WrongMap));
    assert_eq!(
        start_after(|_| vec![applied(21)]),
        RestoreError::Store(StoreError::Missing(Family::Block))
    );
}

#[test]
fn the_log_under_which_the_history_is_kept_is_nobodys() {
    assert!(!HISTORY.is_usable(), "no entry can ever stand on it");
}

#[test]
fn layouts_of_older_and_newer_programs_are_refused_with_their_number() {
    let world = world();
    let opened = |schema: &[u8]| {
        world.store.raw().put(Family::Meta, meta::SCHEMA, schema).unwrap();
        Store::open_on(world.store.tables().copy()).map(|_| ())
    };
    assert_eq!(opened(&0_u32.to_be_bytes()), Err(OpenError::Older { found: 0 }));
    assert_eq!(opened(&2_u32.to_be_bytes()), Err(OpenError::Newer { found: 2 }));
    assert_eq!(opened(b"x"), Err(OpenError::Store(StoreError::Malformed(Family::Meta))));
    assert_eq!(opened(&1_u32.to_be_bytes()), Ok(()));
    for (error, words) in [
        (OpenError::Older { found: 0 }, "layout 0"),
        (OpenError::Newer { found: 2 }, "newer program"),
    ] {
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn tables_hold_one_ledger_or_none() {
    let genesis = fixture::genesis(1);
    assert_eq!(
        Store::open_on(MemoryTables::new()).map(|_| ()),
        Err(OpenError::NoLedger)
    );
    let tables = MemoryTables::new();
    let store = Store::create_on(tables.clone(), &genesis).unwrap();
    assert_eq!(store.genesis(), &genesis);
    assert_eq!(
        Store::create_on(tables.clone(), &genesis).map(|_| ()),
        Err(OpenError::Occupied)
    );
    assert_eq!(Store::open_on(tables).unwrap().genesis(), &genesis);
}

#[test]
fn rows_are_read_back_and_shortened_or_lengthened_ones_are_refused() {
    let world = world();
    let row = world.store.block_row(3).unwrap().unwrap();
    assert_eq!(BlockRow::from_bytes(&row.to_bytes()).as_ref(), Ok(&row));
    let entry = world.store.entry(3).unwrap().unwrap();
    let bytes = entry.to_bytes();
    assert_eq!(bytes.len(), rows::ENTRY_BYTES);
    assert!(rows::EntryRow::from_bytes(&bytes[1..]).is_err());
    assert_eq!(rows::EntryRow::from_bytes(&bytes), Ok(entry));
    let places = [0, 7, 8191];
    assert_eq!(rows::decode_expiry(&rows::expiry_row(&places)), Ok(places.to_vec()));
    assert!(rows::decode_expiry(&[1]).is_err());
    for length in [7, 9] {
        assert!(rows::decode_number(&vec![0; length]).is_err());
    }
    for length in [31, 33] {
        assert!(rows::decode_excuse(&vec![0; length]).is_err());
    }
    assert!(rows::decode_log(&[0; 48]).is_err(), "a log without entries has no row");
}

//! A ledger in a directory: one writer, readers that touch nothing, refusals that name it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use waxwing_core::envelope::KeepFor;
use waxwing_store::fixture::{self, Note, Plan, World};
use waxwing_store::rows::meta;
use waxwing_store::{Family, OpenError, Options, Store};

const PLAN: Plan = Plan {
    entries: 300,
    logs: 5,
    per_block: 20,
    bytes: 200,
    interval: 1000,
};

fn create(directory: &Path) -> World<waxwing_store::RocksTables> {
    let store = Store::create(directory, &fixture::genesis(1), &Options::default()).unwrap();
    World::resume(store, 1)
}

/// Every file with its content and the time of its last change.
fn files(directory: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let changed = entry.metadata().unwrap().modified().unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, (fs::read(entry.path()).unwrap(), changed))
        })
        .collect()
}

fn copy(from: &Path, to: &Path) {
    for (name, (content, _)) in files(from) {
        fs::write(to.join(name), content).unwrap();
    }
}

/// Reads everything there is to read.
fn read_all(store: &Store) -> u64 {
    let ledger = store.restore().unwrap();
    for height in 1..=store.applied() {
        assert!(store.block(height).unwrap().is_some());
    }
    for writer in 0..5 {
        let log = fixture::writer(writer).public();
        assert!(store.head_proof(&ledger, &log, 0).unwrap().is_some());
        assert!(store.receipt(&log, 0).unwrap().is_some());
    }
    ledger.head().height
}

#[test]
fn reading_changes_not_a_byte_of_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let (closed, killed) = (directory.path().join("closed"), directory.path().join("killed"));
    fs::create_dir(&killed).unwrap();
    let mut world = create(&closed);
    world.grow(0, &PLAN);
    world.store.settle().unwrap();
    world.append(1000, &[Note::new(1, 1000)]);
    // As a power failure leaves it: what is newest stands in the write-ahead log alone.
    copy(&closed, &killed);
    drop(world);
    for directory in [&closed, &killed] {
        let before = files(directory);
        assert!(before.keys().any(|name| name.ends_with(".sst")), "{:?}", before.keys());
        let store = Store::open_read_only(directory, &Options::default()).unwrap();
        assert_eq!(read_all(&store), 16);
        drop(store);
        assert!(files(directory) == before, "{:?}", files(directory).keys());
    }
}

#[test]
fn a_reader_cannot_write() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = create(directory.path());
    world.append(
        1000,
        &[Note {
            keep_for: KeepFor::Day,
            ..Note::new(1, 0)
        }],
    );
    drop(world);
    let world = World::resume(Store::open_read_only(directory.path(), &Options::default()).unwrap(), 1);
    let (step, certificate) = world.propose(1000, &[]);
    assert!(world.store.commit(&step, &certificate).is_err());
    assert_eq!(world.store.applied(), 1);
    drop(world);
    let world = World::resume(Store::open(directory.path(), &Options::default()).unwrap(), 1);
    assert_eq!(world.ledger.head().height, 1);
}

#[test]
fn a_directory_has_one_writer_and_the_second_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = create(directory.path());
    world.append(1000, &[Note::new(1, 0)]);
    for second in [
        Store::open(directory.path(), &Options::default()),
        Store::create(directory.path(), &fixture::genesis(1), &Options::default()),
    ] {
        let error = second.unwrap_err();
        assert_eq!(error.error, OpenError::Locked);
        let told = error.to_string();
        assert!(told.contains(directory.path().to_str().unwrap()), "{told}");
        assert!(told.contains("another process"), "{told}");
    }
    let reader = Store::open_read_only(directory.path(), &Options::default()).unwrap();
    assert_eq!(
        reader.restore().unwrap().id(),
        world.ledger.id(),
        "readers are not refused"
    );
    world.append(1000, &[Note::new(1, 1)]);
    assert_eq!(reader.applied(), 1, "and see what was there when they came");
}

#[test]
fn a_directory_without_a_ledger_is_not_made_and_one_with_a_ledger_is_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("mistyped");
    let refused = |outcome: Result<Store, waxwing_store::DirectoryError>| outcome.unwrap_err().error;
    assert_eq!(refused(Store::open(&missing, &Options::default())), OpenError::NoLedger);
    assert_eq!(
        refused(Store::open_read_only(&missing, &Options::default())),
        OpenError::NoLedger
    );
    assert!(!missing.exists());
    drop(create(&missing));
    let again = Store::create(&missing, &fixture::genesis(2), &Options::default());
    assert_eq!(refused(again), OpenError::Occupied);
    let store = Store::open(&missing, &Options::default()).unwrap();
    assert_eq!(store.genesis(), &fixture::genesis(1));
}

#[test]
fn a_founding_that_was_cut_short_can_be_repeated() {
    let directory = tempfile::tempdir().unwrap();
    let store = create(directory.path()).store;
    for name in [meta::SCHEMA, meta::GENESIS, meta::APPLIED] {
        store.raw().delete(Family::Meta, name).unwrap();
    }
    drop(store);
    let error = Store::open(directory.path(), &Options::default()).unwrap_err();
    assert_eq!(error.error, OpenError::NoLedger);
    assert_eq!(create(directory.path()).ledger.head().height, 0);
}

#[test]
fn both_kinds_of_tables_hold_the_same_history_and_a_damaged_file_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = create(directory.path());
    world.grow(0, &PLAN);
    let mut double = World::found(waxwing_store::MemoryTables::new(), 1);
    double.grow(0, &PLAN);
    assert_eq!(world.ledger.id(), double.ledger.id());
    world.store.settle().unwrap();
    assert!(world.store.syncs() >= world.store.applied());
    drop(world);
    for entry in fs::read_dir(directory.path()).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|ending| ending == "sst") {
            let mut content = fs::read(entry.path()).unwrap();
            content.iter_mut().take(300).for_each(|byte| *byte ^= 1);
            fs::write(entry.path(), content).unwrap();
        }
    }
    let store = Store::open(directory.path(), &Options::default());
    let told = match store {
        Ok(store) => store.restore().map(|_| ()).unwrap_err().to_string(),
        Err(error) => error.to_string(),
    };
    assert!(told.contains("failed") && told.contains("mismatch"), "{told}");
}

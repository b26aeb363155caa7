//! Directories: audited as they are, unchanged by it; and every bit of every row matters.

use std::path::Path;

use proptest::prelude::*;
use waxwing_audit::directory::Directory;
use waxwing_audit::report::Report;
use waxwing_audit::source::{SourceError, SourceKind};
use waxwing_audit::{audit, unopened};
use waxwing_core::Hash;
use waxwing_core::ledger::LedgerReader;
use waxwing_core::policy::Policy;
use waxwing_core::verdict::Verdict;
use waxwing_store::fixture::{World, genesis};
use waxwing_store::{Family, MemoryTables, Options, Store, Tables};

use crate::histories::{History, VALIDATORS, live, live_in, note, tiny, town};

fn policy_of(validators: u8) -> Policy {
    Policy {
        genesis: genesis(validators),
        head: None,
    }
}

fn audit_tables(tables: &MemoryTables, policy: &Policy) -> Report {
    match Directory::on(tables.clone(), [7; 32]) {
        Ok(mut directory) => audit(&mut directory, Some(policy), &mut |_| ()).unwrap(),
        Err(error) => unopened(SourceKind::Directory, Some(policy), error).unwrap(),
    }
}

pub(crate) fn audit_path(path: &Path, policy: &Policy) -> Report {
    waxwing_audit::audit_path(path, Some(policy), &mut |_| ()).unwrap()
}

/// One hash over names and contents of all files.
fn hash_of(directory: &Path) -> Hash {
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(file.file_name().unwrap().as_encoded_bytes());
        hasher.update(blake3::hash(&std::fs::read(&file).unwrap()).as_bytes());
    }
    Hash(*hasher.finalize().as_bytes())
}

#[test]
fn a_directory_is_verified_and_not_a_byte_in_it_changes() {
    let directory = tempfile::tempdir().unwrap();
    live_in(directory.path());
    let before = hash_of(directory.path());
    let report = audit_path(directory.path(), &policy_of(VALIDATORS));
    assert_eq!(report.verdict, Verdict::Verified, "{report}");
    assert_eq!(
        (report.figures.blocks, report.figures.entries, report.claimed),
        (7, 11, Some(7))
    );
    assert_eq!(
        (report.bodies.present, report.bodies.erased, report.bodies.expired),
        (9, 1, 1)
    );
    assert_eq!(hash_of(directory.path()), before);
    std::fs::write(directory.path().join("new"), b"x").unwrap();
    assert_ne!(
        hash_of(directory.path()),
        before,
        "the hash of this test notices a change"
    );
}

#[test]
fn a_directory_that_a_node_has_open_can_be_audited() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::create(directory.path(), &genesis(VALIDATORS), &Options::default()).unwrap();
    let mut world = World::resume(store, VALIDATORS);
    live(&mut world);
    let report = audit_path(directory.path(), &policy_of(VALIDATORS));
    assert_eq!(
        (report.verdict, report.figures.blocks),
        (Verdict::Verified, 7),
        "{report}"
    );
    world.append(100, &[note(1, 50)]);
    let report = audit_path(directory.path(), &policy_of(VALIDATORS));
    assert_eq!(
        (report.verdict, report.figures.blocks),
        (Verdict::Verified, 8),
        "{report}"
    );
}

#[test]
fn a_directory_and_its_blocks_as_a_list_give_the_same_report() {
    let mut world = town();
    live(&mut world);
    let tables = audit_tables(world.store.tables(), &policy_of(VALIDATORS));
    let mut list = History::of(&world).verdict();
    list.source = SourceKind::Directory;
    assert_eq!(tables, list);
}

#[test]
fn what_is_no_ledger_is_no_verdict() {
    let directory = tempfile::tempdir().unwrap();
    for path in [directory.path().to_path_buf(), directory.path().join("none")] {
        let refused = Directory::open(&path).map(|_| ());
        assert!(matches!(refused, Err(SourceError::Failed(_))), "{refused:?}");
    }
}

#[test]
fn a_file_of_tables_that_is_missing_is_damage_and_no_tampering() {
    let directory = tempfile::tempdir().unwrap();
    live_in(directory.path());
    let files = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|file| file.unwrap().path());
    let table = files
        .into_iter()
        .find(|path| path.extension().is_some_and(|ending| ending == "sst"));
    std::fs::remove_file(table.unwrap()).unwrap();
    let report = audit_path(directory.path(), &policy_of(VALIDATORS));
    assert_eq!(report.verdict, Verdict::Malformed, "{report}");
}

#[test]
fn a_body_of_any_length_in_the_place_of_another_is_named() {
    let bench = Bench::new(tiny());
    let raw = bench.world.store.raw();
    let key = waxwing_store::rows::number_key(0);
    for (body, found) in [(vec![0; 1 << 20], "more than 1 byte"), (Vec::new(), "0 bytes")] {
        raw.put(Family::Body, &key, &body).unwrap();
        let report = audit_tables(bench.world.store.tables(), &bench.policy);
        assert_eq!(report.first().unwrap().found, found, "{report}");
        assert_eq!(report.first().unwrap().at.position, Some(0));
    }
}

/// Blocks in all sizes, logs with kept nodes, anchors that expire, several chunks of the reader.
fn long() -> World<MemoryTables> {
    let mut world = World::found(MemoryTables::new(), 1);
    let day = waxwing_core::limits::DAY_MS;
    for height in 0..300_u64 {
        let notes: Vec<_> = (0..height % 20)
            .map(|number| note(number % 3, height * 100 + number))
            .collect();
        world.append(if height == 200 { 2 * day } else { 100 }, &notes);
    }
    world
}

#[test]
fn a_long_history_with_kept_nodes_and_expired_anchors_is_verified() {
    let world = long();
    let tables = world.store.tables();
    let length = |writer| {
        let log = waxwing_store::fixture::writer(writer).public();
        usize::try_from(world.store.log(&log).unwrap().unwrap().length()).unwrap()
    };
    let trees = [length(0), length(1), length(2), 301];
    let kept: usize = trees.iter().map(|length| length / 16 + length / 256).sum();
    assert_eq!(tables_in(tables, Family::Node).len(), kept);
    let report = audit_tables(tables, &policy_of(1));
    assert_eq!(
        (report.verdict, report.figures.entries),
        (Verdict::Verified, 2850),
        "{report}"
    );
}

type Row = (Vec<u8>, Vec<u8>);

fn tables_in(tables: &MemoryTables, family: Family) -> Vec<Row> {
    let mut rows = Vec::new();
    tables
        .scan(family, &[], None, |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    rows
}

/// A world's rows, one of them changed for the time of an audit.
struct Bench {
    world: World<MemoryTables>,
    policy: Policy,
}

impl Bench {
    fn new(world: World<MemoryTables>) -> Self {
        let genesis = world.store.genesis().clone();
        let policy = Policy { genesis, head: None };
        let bench = Self { world, policy };
        let report = audit_tables(bench.world.store.tables(), &bench.policy);
        assert_eq!(report.verdict, Verdict::Verified, "{report}");
        bench
    }

    fn flipped_value(&self, family: Family, (key, value): &Row, bit: usize) -> Report {
        let mut changed = value.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let raw = self.world.store.raw();
        raw.put(family, key, &changed).unwrap();
        let report = audit_tables(self.world.store.tables(), &self.policy);
        raw.put(family, key, value).unwrap();
        report
    }

    fn flipped_key(&self, family: Family, (key, value): &Row, bit: usize) -> Report {
        let mut changed = key.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let raw = self.world.store.raw();
        let there = raw.get(family, &changed).unwrap();
        raw.delete(family, key).unwrap();
        raw.put(family, &changed, value).unwrap();
        let report = audit_tables(self.world.store.tables(), &self.policy);
        match there {
            Some(there) => raw.put(family, &changed, &there).unwrap(),
            None => raw.delete(family, &changed).unwrap(),
        }
        raw.put(family, key, value).unwrap();
        report
    }

    fn every_bit(&self, family: Family) {
        let rows = tables_in(self.world.store.tables(), family);
        assert!(!rows.is_empty(), "{family} has rows");
        for row in &rows {
            for bit in 0..row.1.len() * 8 {
                let report = self.flipped_value(family, row, bit);
                assert_ne!(
                    report.verdict,
                    Verdict::Verified,
                    "bit {bit} of the value {row:?} in {family}"
                );
            }
            for bit in 0..row.0.len() * 8 {
                let report = self.flipped_key(family, row, bit);
                assert_ne!(
                    report.verdict,
                    Verdict::Verified,
                    "bit {bit} of the key {row:?} in {family}"
                );
            }
        }
    }
}

#[test]
fn every_bit_of_every_row_of_a_tiny_directory_matters() {
    let bench = Bench::new(tiny());
    for family in [
        Family::Body,
        Family::Entry,
        Family::Index,
        Family::Log,
        Family::Excuse,
        Family::Block,
        Family::Recent,
    ] {
        bench.every_bit(family);
    }
}

#[test]
fn every_bit_of_kept_nodes_and_of_expiries_matters() {
    let mut world = World::found(MemoryTables::new(), 1);
    let week = waxwing_core::envelope::KeepFor::Week;
    let notes: Vec<_> = (0..16)
        .map(|number| waxwing_store::fixture::Note {
            keep_for: week,
            bytes: 1,
            ..note(1, number)
        })
        .collect();
    world.append(100, &notes);
    let bench = Bench::new(world);
    bench.every_bit(Family::Node);
    bench.every_bit(Family::Expiry);
}

#[test]
fn a_row_put_into_any_table_is_one_too_many() {
    let bench = Bench::new(tiny());
    let tables = bench.world.store.tables();
    for family in Family::ALL.into_iter().filter(|family| *family != Family::Meta) {
        for (key, value) in [
            (vec![0xff; 8], vec![1; 40]),
            (Vec::new(), vec![1; 40]),
            (vec![0; 41], vec![2; 32]),
        ] {
            let raw = bench.world.store.raw();
            assert_eq!(raw.get(family, &key).unwrap(), None);
            raw.put(family, &key, &value).unwrap();
            let report = audit_tables(tables, &bench.policy);
            assert_ne!(report.verdict, Verdict::Verified, "{key:?} in {family}");
            raw.delete(family, &key).unwrap();
        }
    }
    assert_eq!(audit_tables(tables, &bench.policy).verdict, Verdict::Verified);
}

#[test]
fn a_row_missing_from_any_table_is_missed() {
    let bench = Bench::new(tiny());
    let tables = bench.world.store.tables();
    for family in Family::ALL.into_iter().filter(|family| *family != Family::Meta) {
        for (key, value) in tables_in(tables, family) {
            let raw = bench.world.store.raw();
            raw.delete(family, &key).unwrap();
            let report = audit_tables(tables, &bench.policy);
            assert_ne!(report.verdict, Verdict::Verified, "{key:?} in {family}");
            raw.put(family, &key, &value).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_flipped_bit_anywhere_in_a_long_history_is_found(
        family in prop::sample::select(&[
            Family::Body, Family::Entry, Family::Index, Family::Log, Family::Block, Family::Node, Family::Recent,
        ][..]),
        row in any::<prop::sample::Index>(),
        bit in any::<prop::sample::Index>(),
    ) {
        let bench = Bench::new(long());
        let rows = tables_in(bench.world.store.tables(), family);
        let row = &rows[row.index(rows.len())];
        let report = bench.flipped_value(family, row, bit.index(row.1.len() * 8));
        prop_assert_ne!(report.verdict, Verdict::Verified);
    }
}

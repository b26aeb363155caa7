//! How fast blocks of one-kilobyte entries over 10,000 logs are checked and committed, what they take on disk, and how
//! fast they are read again:
//! `cargo run --release -p waxwing-store --features fixture --example commit_rate [ENTRIES] [PER_BLOCK] [LOGS]`.
//!
//! Envelopes are made and verified beforehand, outside of the measurement. Processor time is that of the whole process,
//! so it includes what RocksDB does behind the writer's back.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use waxwing_core::envelope::Carried;
use waxwing_core::hash::Hash;
use waxwing_core::keys::Verified;
use waxwing_core::ledger::LedgerReader;
use waxwing_store::fixture::{self, Note, World};
use waxwing_store::{Bodies, Options, Page, RocksTables, Store};

type Entries = [Arc<Verified<Carried>>];

#[expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]
fn timed<T>(total: &mut Duration, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    *total += start.elapsed();
    result
}

/// Processor time of this process so far, in ms, from the kernel's ticks of 10 ms.
fn processor_ms() -> u64 {
    let told = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = told.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks = ticks.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
    ticks.sum::<u64>() * 10
}

fn kilobytes_below(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let bytes = entries.filter_map(|entry| entry.metadata().ok()).map(|data| data.len());
    bytes.sum::<u64>() >> 10
}

fn argument(place: usize, default: u64) -> u64 {
    let told = std::env::args().nth(place);
    told.map_or(default, |told| told.parse().expect("the argument is a number"))
}

fn float(number: u64) -> f64 {
    f64::from(u32::try_from(number).expect("numbers of a measurement are below four thousand million"))
}

fn each(total: Duration, count: u64) -> f64 {
    total.as_secs_f64() * 1e6 / float(count)
}

#[expect(clippy::print_stdout, reason = "its output is the measurement")]
fn write(world: &mut World<RocksTables>, prepared: &Entries, per_block: usize) {
    let count = u64::try_from(prepared.len()).expect("entries can be counted");
    let (mut check, mut commit, mut advance, mut slowest) = Default::default();
    let before = processor_ms();
    for block in prepared.chunks(per_block) {
        let (step, certificate) = timed(&mut check, || world.propose(100, block));
        let mut one = Duration::ZERO;
        timed(&mut one, || world.store.commit(&step, &certificate)).expect("the store can be written");
        slowest = one.max(slowest);
        commit += one;
        timed(&mut advance, || world.ledger.advance(step));
    }
    let processor = processor_ms() - before;
    let together = check + commit + advance;
    println!("check    {:6.2} us an entry", each(check, count));
    println!(
        "commit   {:6.2} us an entry, slowest block {slowest:.0?}",
        each(commit, count)
    );
    println!("advance  {:6.2} us an entry", each(advance, count));
    println!(
        "commit alone {:.0} entries/s, all three {:.0} entries/s, {:.2} us of processor time an entry",
        1e6 / each(commit, count),
        1e6 / each(together, count),
        float(processor) * 1e3 / float(count)
    );
    println!("syncs    {} for {} blocks", world.store.syncs(), world.store.applied());
}

#[expect(clippy::print_stdout, reason = "its output is the measurement")]
fn read(world: &World<RocksTables>, prepared: &Entries) {
    let store = &world.store;
    let count = u64::try_from(prepared.len()).expect("entries can be counted");
    let (mut log, mut known, mut blocks, mut receipts, mut pages) = Default::default();
    timed(&mut log, || {
        prepared
            .iter()
            .for_each(|entry| drop(black_box(store.log(&entry.signed.header.log))))
    });
    timed(&mut known, || {
        prepared
            .iter()
            .for_each(|entry| drop(black_box(store.is_known(0, &Hash(entry.id().0)))))
    });
    timed(&mut blocks, || {
        (1..=store.applied()).for_each(|height| drop(black_box(store.block(height))))
    });
    let page = Page {
        max_entries: 100,
        max_bytes: u32::MAX,
        bodies: Bodies::With,
    };
    let mut paged = 0;
    for entry in prepared.iter().step_by(prepared.len() / 100) {
        let log = &entry.signed.header.log;
        let found = timed(&mut pages, || store.log_entries(log, 0, page)).expect("the store can be read");
        paged += u64::try_from(found.len()).expect("entries can be counted");
        timed(&mut receipts, || black_box(store.receipt(log, 0))).expect("the store can be read");
    }
    println!("log      {:6.2} us, of a log that is there", each(log, count));
    println!("is_known {:6.2} us, of an envelope that is new", each(known, count));
    println!(
        "block    {:6.2} us an entry, whole blocks one after the other",
        each(blocks, count)
    );
    println!(
        "page     {:6.2} us an entry, {paged} entries in 100 pages of logs",
        each(pages, paged)
    );
    println!("receipt  {:6.0} us", each(receipts, 100));
}

#[expect(clippy::print_stdout, reason = "its output is the measurement")]
fn main() {
    let (entries, per_block, logs) = (argument(1, 200_000), argument(2, 1_000), argument(3, 10_000));
    let scratch = tempfile::tempdir().expect("a directory for the measurement can be made");
    let store = Store::create(scratch.path(), &fixture::genesis(1), &Options::default());
    let mut world = World::resume(store.expect("the directory is new"), 1);
    let note = |number: u64| Note::new(number.wrapping_mul(7919) % logs, number);
    let numbers = (0..entries).into_par_iter();
    let prepared: Vec<_> = numbers.map(|number| world.verified(&note(number))).collect();

    println!("{entries} entries of 1000 bytes in blocks of {per_block} over {logs} logs");
    write(
        &mut world,
        &prepared,
        usize::try_from(per_block).expect("the argument is small"),
    );
    read(&world, &prepared);
    let (mut settle, mut restore) = Default::default();
    timed(&mut settle, || world.store.settle()).expect("the store can be written");
    let ledger = timed(&mut restore, || world.store.restore()).expect("what was written can be restored");
    println!(
        "restore  {restore:.0?} for {} logs; settling took {settle:.0?}",
        ledger.head().log_count
    );
    let kilobytes = float(kilobytes_below(scratch.path()));
    println!(
        "disk     {:.0} bytes an entry beyond its body",
        kilobytes * 1024.0 / float(entries) - 1000.0
    );
}

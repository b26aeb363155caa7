//! How fast blocks of one-kilobyte entries over 10,000 logs are checked and committed, and what they take on disk:
//! `cargo run --release -p waxwing-store --features fixture --example commit_rate [ENTRIES] [PER_BLOCK] [LOGS] [DIRECTORY]`.
//!
//! Envelopes are made and verified beforehand, outside of the measurement. Processor time is that of the whole process,
//! so it includes what RocksDB does behind the writer's back.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use waxwing_core::envelope::Carried;
use waxwing_core::keys::Verified;
use waxwing_store::fixture::{self, Note, World};
use waxwing_store::{Options, Store};

type Entries = Vec<Arc<Verified<Carried>>>;

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
    ticks
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum::<u64>()
        * 10
}

fn bytes_below(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.metadata().ok())
        .map(|data| data.len())
        .sum()
}

fn argument(place: usize, default: u64) -> u64 {
    std::env::args()
        .nth(place)
        .map_or(default, |told| told.parse().expect("the argument is a number"))
}

#[expect(clippy::print_stdout, reason = "its output is the measurement")]
fn main() {
    let (entries, per_block, logs) = (argument(1, 200_000), argument(2, 1_000), argument(3, 10_000));
    let kept = std::env::args().nth(4).map(PathBuf::from);
    let scratch = tempfile::tempdir().expect("a directory for the measurement can be made");
    let directory = kept.unwrap_or_else(|| scratch.path().join("ledger"));
    let store = Store::create(&directory, &fixture::genesis(1), &Options::default()).expect("the directory is new");
    let mut world = World::resume(store, 1);

    let note = |number: u64| Note::new(number.wrapping_mul(7919) % logs, number);
    let prepared: Entries = (0..entries)
        .into_par_iter()
        .map(|number| world.verified(&note(number)))
        .collect();
    let per_block = usize::try_from(per_block).expect("the argument fits");
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
    drop(prepared);
    let mut settle = Duration::ZERO;
    timed(&mut settle, || world.store.settle()).expect("the store can be written");
    let mut restore = Duration::ZERO;
    let restored = timed(&mut restore, || world.store.restore()).expect("what was written can be restored");

    let count = f64::from(u32::try_from(entries).expect("the argument fits"));
    let micros = |time: Duration| time.as_secs_f64() * 1e6 / count;
    println!("{entries} entries of 1000 bytes in blocks of {per_block} over {logs} logs");
    println!("check   {:6.2} us an entry", micros(check));
    println!(
        "commit  {:6.2} us an entry, {:.0} entries/s, slowest block {slowest:?}",
        micros(commit),
        1e6 / micros(commit)
    );
    println!("advance {:6.2} us an entry", micros(advance));
    println!(
        "together {:.0} entries/s, {:.2} us of processor time an entry",
        1e6 / micros(check + commit + advance),
        f64::from(u32::try_from(processor).expect("the run was shorter than a month")) * 1e3 / count
    );
    println!(
        "settle  {settle:?}; restore {} logs in {restore:?}",
        restored.head().log_count
    );
    println!(
        "disk    {:.0} bytes an entry beyond its body",
        (f64::from(u32::try_from(bytes_below(&directory) >> 10).expect("less than 4 TB")) * 1024.0 / count) - 1000.0
    );
    println!("syncs   {} for {} blocks", world.store.syncs(), world.store.applied());
}

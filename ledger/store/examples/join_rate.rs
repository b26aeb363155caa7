//! How long a node that has nothing takes to be of use, what it reads for that, and how fast it fills in what came before:
//! `cargo run --release -p waxwing-store --features fixture --example join_rate [ENTRIES] [LOGS] [PER_BLOCK]`.
//!
//! Both ledgers are on disk, in one process and without a network between them, so the figures are those of reading,
//! checking and writing alone. All entries are of one day: the duplicate window is as large as the history lets it be.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use waxwing_core::snapshot::Ascent;
use waxwing_store::fixture::{FOUNDED, Plan, World, genesis};
use waxwing_store::{Behind, Options, RocksTables, Store};

#[expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]
fn timed<T>(total: &mut Duration, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    *total += start.elapsed();
    result
}

fn argument(place: usize, default: u64) -> u64 {
    let told = std::env::args().nth(place);
    told.map_or(default, |told| told.parse().expect("the argument is a number"))
}

struct Host(Arc<Store<RocksTables>>);

impl AsRef<Store<RocksTables>> for Host {
    fn as_ref(&self) -> &Store<RocksTables> {
        &self.0
    }
}

/// Joins the newest head of a store.
#[expect(clippy::print_stdout, reason = "its output is the measurement")]
fn join(from: &Store<RocksTables>, to: &Store<RocksTables>) {
    let head = from.applied();
    let (mut read, mut checked, mut restored, mut cut) = Default::default();
    let mut ascent = Ascent::new(from.genesis());
    let update = from.head_update(0, head).expect("the store can be read");
    let climbed = ascent.accept(&update.expect("there is a head"), FOUNDED);
    climbed.expect("the head holds");
    let mut assembly = ascent.begin().expect("there is a head");
    let outline = timed(&mut cut, || from.outline(head)).expect("the store can be read");
    let outline = outline.expect("the head is here");
    let mut import = to.begin_import().expect("there is nothing yet");
    let (mut bytes, mut parts) = (0, 0);
    while let Some(question) = assembly.next_question() {
        let answer = timed(&mut read, || from.snapshot_part(head, &question.ask, &outline));
        let answer = answer
            .expect("the store can be read")
            .expect("all of it is here")
            .to_bytes();
        (bytes, parts) = (bytes + answer.len(), parts + 1);
        let taken = timed(&mut checked, || {
            assembly.take(question, &answer).map(|rows| import.put(&rows))
        });
        taken.expect("it holds").expect("the store can be written");
    }
    let joint = assembly.finish().expect("nothing is missing");
    timed(&mut checked, || import.finish(&joint)).expect("the store can be written");
    timed(&mut restored, || to.restore()).expect("it adds up");
    println!("snapshot          {bytes} bytes in {parts} parts");
    println!("the other side    {cut:.2?} for the outline, {read:.2?} for the parts");
    println!("this side         {checked:.2?} to check and write, {restored:.2?} to restore");
}

#[expect(clippy::print_stdout, reason = "its output is the measurement")]
fn fill_in(from: &Store<RocksTables>, to: &Arc<Store<RocksTables>>) {
    let (mut replayed, mut compared) = Default::default();
    let replay = Store::create_on(Behind::new(Host(Arc::clone(to))), from.genesis()).expect("there is none yet");
    let mut ledger = replay.restore().expect("it begins at block 0");
    let (keys, bits) = (ledger.keys().clone(), ledger.parameters().stamp_bits);
    for height in 1..=from.applied() {
        let block = from.block(height).expect("the store can be read").expect("it is here");
        timed(&mut replayed, || {
            let verified = block
                .entries
                .into_par_iter()
                .map(|entry| entry.verify(&keys, bits).map(Arc::new));
            let entries: Result<Vec<_>, _> = verified.collect();
            let step = ledger.check(&replay, &block.head.header, entries.expect("they hold"), block.evidence);
            let step = step.expect("it follows");
            replay
                .commit(&step, &block.head.certificate)
                .expect("the store can be written");
            ledger.advance(step);
        });
    }
    timed(&mut compared, || to.become_whole()).expect("it leads to the snapshot");
    println!("what came before  {replayed:.2?} to check and write, {compared:.2?} to compare");
}

#[expect(clippy::print_stdout, reason = "its output is the measurement")]
fn main() {
    let (entries, logs) = (argument(1, 300_000), argument(2, 30_000));
    let per_block = u32::try_from(argument(3, 1_000)).expect("a block has fewer entries");
    let (one, other) = (tempfile::tempdir(), tempfile::tempdir());
    let (one, other) = (one.expect("there is room"), other.expect("there is room"));
    let options = Options::default();
    let store = Store::<RocksTables>::create(one.path(), &genesis(4), &options).expect("the directory is new");
    let mut world = World::resume(store, 4);
    let plan = Plan {
        entries,
        logs,
        per_block,
        bytes: 1000,
        interval: 100,
    };
    world.grow(0, &plan);
    println!(
        "{entries} entries of 1 kB, {logs} logs, {} blocks",
        world.store.applied()
    );
    let new = Store::<RocksTables>::create(other.path(), &genesis(4), &options).expect("the directory is new");
    join(&world.store, &new);
    fill_in(&world.store, &Arc::new(new));
}

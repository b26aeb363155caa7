//! How fast the log map builds, plans and applies, and how much memory it takes:
//! `cargo run --release -p waxwing-core --example log_map_rate [LOGS]` (a million if not said).

use std::time::{Duration, Instant};

use waxwing_core::codec::Encode;
use waxwing_core::hash::{Hash, HashKeys, Meaning};
use waxwing_core::logmap::{LogMap, MapPath};

/// Updates timed for each size of a block.
const UPDATES: usize = 400_000;

#[expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// A number that looks random and is the same in every run.
fn mixed(keys: &HashKeys, number: usize) -> Hash {
    keys.hash(Meaning::MapKey, &number.to_le_bytes())
}

/// The map keys of `count` logs out of all, spread by a hash of the round.
fn chosen(keys: &HashKeys, all: &[Hash], count: usize, round: usize) -> Vec<(Hash, Hash)> {
    let leaf = mixed(keys, usize::MAX - round);
    let pick = |number| {
        let mixed = mixed(keys, round.wrapping_mul(1 << 20).wrapping_add(number) ^ (1 << 60));
        let spread = mixed
            .0
            .iter()
            .take(7)
            .fold(0, |sum, byte| sum * 256 + usize::from(*byte));
        all.get(spread % all.len()).copied()
    };
    let mut keys: Vec<Hash> = (0..count).filter_map(pick).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter().map(|key| (key, leaf)).collect()
}

#[expect(clippy::print_stdout, reason = "its output is the measurement")]
fn main() {
    let logs = std::env::args()
        .nth(1)
        .map_or(1_000_000, |logs| logs.parse().expect("LOGS is a number"));
    let keys = HashKeys::new(Hash([1; 32]));
    let mut all: Vec<Hash> = (0..logs).map(|number| mixed(&keys, number)).collect();
    all.sort_unstable();
    let leaves = all.iter().map(|key| (*key, *key));
    let (map, took) = timed(|| LogMap::build(&keys, leaves).expect("the keys are sorted"));
    let mut map = map;
    println!(
        "build   {} logs in {:.3} s, {} bytes per log",
        map.len(),
        took.as_secs_f64(),
        map.memory_bytes() / logs
    );

    for block in [100, 1000, 10_000] {
        let (mut planning, mut applying, mut updated) = (Duration::ZERO, Duration::ZERO, 0);
        for round in 0..UPDATES / block {
            let updates = chosen(&keys, &all, block, round);
            updated += updates.len();
            let (step, took) = timed(|| map.plan(&keys, &updates).expect("the keys are sorted"));
            planning += took;
            applying += timed(|| map.apply(step).expect("nothing came between")).1;
        }
        let updated = u32::try_from(updated).map_or(f64::NAN, f64::from);
        let rate = updated / (planning + applying).as_secs_f64();
        let part = |time: Duration| time.as_secs_f64() * 1e6 / updated;
        println!(
            "block   {block:>6} updates: {rate:.0}/s (plan {:.2} us, apply {:.2} us)",
            part(planning),
            part(applying)
        );
    }

    let proofs = 100_000.min(logs);
    let (bytes, took) = timed(|| {
        let asked = all.iter().step_by(logs / proofs).take(proofs);
        asked
            .map(|key| match map.prove(key) {
                MapPath::Present(proof) => proof.to_bytes().len(),
                MapPath::EmptySlot(_) | MapPath::OtherLeaf(_) => unreachable!("every one of these logs is there"),
            })
            .fold((0, 0), |(sum, most): (usize, usize), size| (sum + size, most.max(size)))
    });
    let each = took.as_secs_f64() * 1e6 / u32::try_from(proofs).map_or(f64::NAN, f64::from);
    println!(
        "prove   {} bytes on average, {} at most, {each:.2} us",
        bytes.0 / proofs,
        bytes.1
    );
}

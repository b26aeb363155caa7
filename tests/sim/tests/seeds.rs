//! Two hundred runs, and that a run is what its seed says: the part of the simulation that every change must pass.

use std::ops::Range;

use waxwing_sim::plan::Plan;
use waxwing_sim::runs::{Kind, Next, Runner, Summary};

/// Runs seeds, and stops at the first that breaks a promise; its line says how to see it again.
fn run(seeds: Range<u64>) -> Summary {
    let summary = Runner::default().run_all(seeds, &Kind::SOUND, |_, outcome| {
        if outcome.violation.is_some() {
            Next::Stop
        } else {
            Next::GoOn
        }
    });
    let failures: Vec<String> = summary.failures.iter().map(ToString::to_string).collect();
    assert_eq!(failures, Vec::<String>::new());
    summary
}

/// The seeds are halved so that two cores run them side by side; each half has its own floors.
fn half(seeds: Range<u64>) {
    let asked = seeds.end - seeds.start;
    let summary = run(seeds);
    let too_few: Vec<String> = summary
        .counts
        .below_floor(asked)
        .into_iter()
        .map(|(fault, seen, floor)| format!("{fault}: {seen} of {floor}"))
        .collect();
    assert_eq!(too_few, Vec::<String>::new(), "{summary}");
    assert!(summary.letters > 4000 && summary.beacons > 1000, "{summary}");
}

#[test]
fn a_hundred_seeds_break_no_promise() {
    half(0..100);
}

#[test]
fn another_hundred_seeds_break_no_promise() {
    half(100..200);
}

#[test]
fn a_seed_is_the_whole_run() {
    let has_all = |plan: &Plan| plan.liars.len() == 1 && plan.troubles.len() > 20 && plan.change.is_some();
    let seed = (0..).find(|seed| has_all(&Plan::new(*seed).0)).unwrap();
    let told = |seed| Runner::default().tell(seed, &Kind::SOUND);
    let first = told(seed);
    assert!(first.events > 1000 && first.story.len() > 500);
    // Story, counts, bytes, times, block ids: all of it, also with other maps in memory.
    assert_eq!(first, told(seed));
    assert_ne!(first.head, told(seed + 1).head);
}

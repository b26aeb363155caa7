//! Whole committees in virtual time: agreement always, progress once faults stop, and rules that are broken on purpose
//! are noticed.
//!
//! A failing run names its plan, seed included; `World::new(plan).run()` replays it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should fail where it stands"
)]

mod chance;
mod liar;
mod wild;
mod world;

use waxwing_order::event::Broken;

use world::{Character, Plan, Seen, Violation, World};

/// Runs, and demands agreement always and progress of everybody honest once it is calm.
fn agree(plan: Plan) -> Seen {
    let world = World::new(plan).run();
    assert_eq!(world.violation, None, "replay with {:?}", world.plan);
    let heights = world.heights();
    assert!(
        world.is_goal_reached(),
        "{heights:?} after {} in the calm; replay with {:?}",
        world.seen.height_at_calm,
        world.plan
    );
    world.seen
}

fn sum(runs: &[Seen], count: impl Fn(&Seen) -> u64) -> u64 {
    runs.iter().map(count).sum()
}

#[test]
fn committees_of_every_size_agree_in_the_first_round_when_nothing_goes_wrong() {
    for validators in [1, 2, 3, 4, 7] {
        let seen = agree(Plan::quiet(1, validators));
        assert_eq!((seen.later_rounds, seen.sat_out), (0, 0), "{validators} validators");
        assert!(seen.caught.is_empty());
    }
}

#[test]
fn loss_delay_doubles_cuts_and_crashes_never_fork_and_are_recovered_from() {
    let mut runs = Vec::new();
    for (validators, seeds) in [(1, 5), (2, 5), (4, 25), (7, 5)] {
        runs.extend((0..seeds).map(|seed| agree(Plan::rough(seed, validators))));
    }
    // Floors, or a quiet world could pass for a survived storm.
    assert!(sum(&runs, |seen| seen.lost) > 1_000, "{runs:?}");
    assert!(sum(&runs, |seen| seen.doubled) > 1_000);
    assert!(sum(&runs, |seen| seen.deaths) > 60);
    assert!(sum(&runs, |seen| seen.records_lost) > 20);
    assert!(sum(&runs, |seen| seen.replays) > 40);
    assert!(sum(&runs, |seen| seen.cuts) > 50);
    assert!(sum(&runs, |seen| seen.later_rounds) > 40);
    assert_eq!(sum(&runs, |seen| seen.sat_out), 0, "a replay took another turn");
}

#[test]
fn a_silent_validator_costs_its_turns_and_nothing_else() {
    for validators in [4, 7] {
        let mut plan = Plan::quiet(2, validators);
        plan.goal = 20;
        plan.characters[0] = Character::Silent;
        let seen = agree(plan);
        assert!(seen.later_rounds >= 2);
    }
}

#[test]
fn two_faced_validators_are_caught_and_fork_nothing() {
    let mut caught = 0;
    for (validators, liars) in [(4, 1), (7, 2)] {
        for seed in 0..8 {
            let mut plan = Plan::rough(seed, validators);
            plan.characters
                .iter_mut()
                .take(liars)
                .for_each(|character| *character = Character::TwoFaced);
            let members = World::new(plan.clone()).committee.members().to_vec();
            let seen = agree(plan);
            assert!(
                seen.caught
                    .iter()
                    .all(|guilty| members.iter().take(liars).any(|liar| liar == guilty))
            );
            caught += seen.caught.len();
        }
    }
    assert!(caught >= 16, "only {caught} of 24 liars were caught");
}

#[test]
fn nothing_that_is_well_formed_stops_or_divides_the_honest() {
    for (validators, wild, seeds) in [(4, 1, 12), (7, 2, 4)] {
        for seed in 0..seeds {
            let mut plan = Plan::rough(seed, validators);
            (plan.calm_from, plan.goal) = (6_000, 3);
            let wild = plan.characters.iter_mut().take(wild);
            wild.for_each(|character| *character = Character::Wild);
            agree(plan);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| agree(Plan::rough(seed, 4));
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

// ---- Tests of the test -------------------------------------------------------------------------------------------

/// The first of 200 seeds in which a broken rule is noticed, and as what.
fn noticed(broken: Broken) -> Option<(u64, Violation)> {
    (0..200).find_map(|seed| {
        let plan = Plan {
            broken,
            ..Plan::rough(seed, 4)
        };
        World::new(plan).run().violation.map(|violation| (seed, violation))
    })
}

#[test]
fn a_quorum_that_is_too_small_is_noticed() {
    let violation = noticed(Broken::SmallQuorum).map(|(_, violation)| violation);
    assert!(matches!(violation, Some(Violation::Fork(_))), "{violation:?}");
}

#[test]
fn a_journal_that_is_not_flushed_is_noticed() {
    let violation = noticed(Broken::NoFlush).map(|(_, violation)| violation);
    assert!(
        matches!(violation, Some(Violation::TwoFaced(..) | Violation::Stopped(_))),
        "{violation:?}"
    );
}

//! A committee in good order, and one whose members come and go.

use waxwing_order::Guard;
use waxwing_store::Store;
use waxwing_store::fixture::{self, Note};
use waxwing_store::memory::MemoryTables;

use super::world::World;
use crate::order::event::Role;

const ALL: [usize; 4] = [0, 1, 2, 3];

#[test]
fn four_order_what_was_submitted_and_then_say_nothing_more() {
    let mut world = World::new(4);
    for number in 0..10 {
        world.submit(&Note::new(number, 0), &ALL);
        world.run(30);
    }
    world.run(3000);
    for at in ALL {
        assert_eq!(
            (
                world.entries(at),
                world.machines[at].validator.as_ref().unwrap().waiting()
            ),
            (10, 0)
        );
        assert!(
            world.machines[at].journal.is_empty(),
            "it is about heights that are done"
        );
        assert_eq!(world.machines[at].roles, [Role::Validator]);
    }
    world.check();
    let (sent, pulled) = (world.sent, world.pulled);
    world.run(3_600_000);
    assert_eq!(world.sent, sent, "an hour at rest");
    assert_eq!(pulled, 0, "everybody had everything");
    assert!(world.ledger(0).head().height >= 3, "not one block at the end");
}

#[test]
fn one_alone_orders_without_a_word_and_without_a_journal() {
    let mut world = World::new(1);
    for number in 0..5 {
        world.submit(&Note::new(number, 0), &[0]);
        world.run(200);
    }
    assert_eq!((world.entries(0), world.height(0), world.sent), (5, 5, 0));
    assert!(world.machines[0].journal.is_empty());
    assert_eq!(
        world.machines[0].guard.height, 5,
        "the note beside the key is kept all the same"
    );
}

#[test]
fn what_only_the_proposer_has_is_pulled_and_verified() {
    let mut world = World::new(4);
    let proposer = world.ledger(0).turns()[0];
    let proposer = ALL.into_iter().find(|at| world.id(*at) == proposer).unwrap();
    for number in 0..20 {
        world.submit(&Note::new(number, 0), &[proposer]);
    }
    // The first block holds the first one; for the next ones others have a turn, and nothing to propose.
    world.run(30_000);
    assert_eq!(ALL.map(|at| world.entries(at)), [20; 4]);
    assert!(world.pulled >= 3, "each of the others lacked something");
    world.check();
}

#[test]
fn what_only_one_who_is_not_the_proposer_has_is_ordered_at_its_turn() {
    let mut world = World::new(4);
    let proposer = world.ledger(0).turns()[0];
    let other = ALL.into_iter().find(|at| world.id(*at) != proposer).unwrap();
    world.submit(&Note::new(1, 0), &[other]);
    world.run(30_000);
    assert_eq!(ALL.map(|at| world.entries(at)), [1; 4]);
    world.check();
    let sent = world.sent;
    world.run(3_600_000);
    assert_eq!(world.sent, sent);
}

#[test]
fn one_header_signed_twice_does_not_divide_the_committee() {
    let mut world = World::new(4);
    // The same header under two signatures that both count: two entries under one stamp.
    let (one, other) = super::faults::signed_twice(&world);
    for at in ALL {
        world.submit_bytes(if at < 2 { &one } else { &other }, at);
    }
    world.run(3000);
    assert_eq!(ALL.map(|at| world.entries(at)), [1; 4]);
    assert!(world.pulled > 0, "those who had the other one asked for this one");
    world.check();
}

#[test]
fn one_that_was_away_copies_what_it_missed_and_votes_again() {
    let mut world = World::new(4);
    world.submit(&Note::new(0, 0), &ALL);
    world.run(500);
    world.isolate(3);
    for number in 1..10 {
        world.submit(&Note::new(number, 0), &[0, 1, 2]);
        world.run(3000);
    }
    assert_eq!((world.entries(0), world.entries(3)), (10, 1));
    world.heal(3);
    world.run(3000);
    assert_eq!(world.entries(3), 10);
    assert!(world.copied >= 2, "as blocks that the others certified");
    // With another one away it is needed for a quorum.
    world.isolate(0);
    world.submit(&Note::new(20, 0), &[1, 2, 3]);
    world.run(20_000);
    assert_eq!((world.entries(1), world.entries(3)), (11, 11));
    world.check();
}

#[test]
fn without_a_quorum_nothing_is_final_and_with_one_again_it_is() {
    let mut world = World::new(4);
    world.isolate(2);
    world.isolate(3);
    world.submit(&Note::new(0, 0), &[0, 1]);
    world.run(60_000);
    assert_eq!(ALL.map(|at| world.height(at)), [0; 4]);
    world.heal(2);
    world.heal(3);
    world.run(60_000);
    assert_eq!(ALL.map(|at| world.entries(at)), [1; 4]);
    world.check();
}

#[test]
fn a_key_without_a_seat_copies_and_does_not_vote() {
    let mut world = World::new(4);
    let store = Store::create_on(MemoryTables::new(), &fixture::genesis(4)).unwrap();
    let follower = world.add(fixture::validator(9), store);
    world.submit(&Note::new(0, 0), &ALL);
    world.run(1000);
    assert_eq!(world.entries(follower), 1);
    let machine = &world.machines[follower];
    assert!(machine.roles.is_empty() && !machine.is_key_destroyed);
    assert_eq!(machine.guard, Guard::default());
    world.check();
}

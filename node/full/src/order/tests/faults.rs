//! What goes wrong on purpose: crashes at every step, clocks, lies, a key on two machines.

use curve25519_dalek::EdwardsPoint;
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use sha2::{Digest, Sha512};
use waxwing_core::codec::Encode;
use waxwing_core::envelope::ENVELOPE_DOMAIN;
use waxwing_core::keys::Signature;
use waxwing_core::limits::CLOCK_SKEW_MS;
use waxwing_order::{Guard, Message, Step};
use waxwing_store::Store;
use waxwing_store::fixture::{self, Note};
use waxwing_store::memory::MemoryTables;

use super::world::World;
use crate::faults::Fault;
use crate::order::event::{Event, Frame};

const ALL: [usize; 4] = [0, 1, 2, 3];

/// One header under two signatures of its log's key. That the same message gets the same signature is a custom among
/// programs; any nonce gives one that counts.
pub(super) fn signed_twice(world: &World) -> (Vec<u8>, Vec<u8>) {
    let ledger = world.ledger(0);
    let (note, key) = (Note::new(1, 0), fixture::writer(1));
    let anchor = ledger.anchors().newest().unwrap();
    let one = note.envelope(ledger.keys(), &fixture::PARAMETERS, anchor, &key);
    let mut message = ENVELOPE_DOMAIN.to_vec();
    message.extend_from_slice(ledger.keys().network().as_bytes());
    message.extend_from_slice(&one.signed.header.to_bytes());
    let expanded: [u8; 64] = Sha512::digest(key.seed().as_slice()).into();
    let secret = Scalar::from_bytes_mod_order(clamp_integer(expanded[..32].try_into().unwrap()));
    let nonce = Scalar::from(7_u64);
    let point = EdwardsPoint::mul_base(&nonce).compress();
    let mut hasher = Sha512::new();
    hasher.update(point.as_bytes());
    hasher.update(key.public().as_bytes());
    hasher.update(&message);
    let challenge = Scalar::from_bytes_mod_order_wide(&hasher.finalize().into());
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(point.as_bytes());
    signature[32..].copy_from_slice((nonce + challenge * secret).as_bytes());
    let mut other = one.clone();
    other.signed.signature = Signature(signature);
    assert_ne!(one.signed.signature, other.signed.signature);
    (one.to_bytes(), other.to_bytes())
}

/// Lets one machine lose its power at each of its steps in turn. Returns after how many steps it did.
fn die_at_every_step(away: Option<usize>) -> u64 {
    for step in 0..400 {
        let mut world = World::new(4);
        if let Some(away) = away {
            world.isolate(away);
        }
        world.machines[1].dies_in = Some(step);
        for number in 0..5 {
            world.submit(&Note::new(number, 0), &ALL);
            // The turn of the one that is away costs its time.
            world.run(if away.is_some() { 3000 } else { 150 });
        }
        let died = world.machines[1].dies_in.is_none();
        world.run(60_000);
        assert_eq!(world.entries(0), 5, "step {step}");
        assert_eq!(world.entries(1), 5, "step {step}: it came back");
        world.check();
        if !died {
            return step;
        }
    }
    panic!("the test is too short for so many steps");
}

#[test]
fn a_validator_that_dies_at_any_step_never_votes_twice_and_comes_back() {
    assert!(die_at_every_step(None) > 50);
}

#[test]
fn one_that_the_others_wait_for_dies_at_any_step_and_goes_on_where_it_was() {
    assert!(die_at_every_step(Some(3)) > 50);
}

#[test]
fn a_block_ahead_of_the_clock_is_not_voted_for() {
    let mut world = World::new(4);
    let proposer = world.ledger(0).turns()[0];
    let early = ALL.into_iter().find(|at| world.id(*at) == proposer).unwrap();
    world.machines[early].ahead = CLOCK_SKEW_MS + 60_000;
    world.submit(&Note::new(0, 0), &ALL);
    world.run(20_000);
    assert_eq!(ALL.map(|at| world.entries(at)), [1; 4]);
    let head = world.ledger(0).head().clone();
    assert_ne!(head.proposer, proposer, "another one's block");
    assert!(head.time <= fixture::FOUNDED + 1_000_000 + world.now);
    world.check();
}

#[test]
fn a_block_ahead_by_less_than_the_skew_is() {
    let mut world = World::new(4);
    let proposer = world.ledger(0).turns()[0];
    let early = ALL.into_iter().find(|at| world.id(*at) == proposer).unwrap();
    world.machines[early].ahead = CLOCK_SKEW_MS - 100;
    world.submit(&Note::new(0, 0), &ALL);
    world.run(20_000);
    assert_eq!(world.ledger(0).head().proposer, proposer);
    world.check();
}

#[test]
fn one_clock_that_is_behind_does_not_keep_its_machine_behind() {
    let mut world = World::new(4);
    for at in [0, 1, 2] {
        world.machines[at].ahead = CLOCK_SKEW_MS + 5_000;
    }
    world.submit(&Note::new(0, 0), &ALL);
    world.run(30_000);
    assert_eq!(
        ALL.map(|at| world.entries(at)),
        [1; 4],
        "it copies what it did not vote for in time"
    );
    world.check();
}

/// Three see a block in time, and one of them goes before the round ends; the fourth, whose clock is behind, is needed.
#[test]
fn a_block_that_is_early_here_is_voted_for_when_its_time_has_come_and_not_before() {
    let mut world = World::new(4);
    let turns = world.ledger(0).turns();
    let [proposer, other, away, behind] = [0, 1, 2, 3].map(|turn| {
        let whose = |at: &usize| world.id(*at) == turns[turn];
        ALL.into_iter().find(whose).unwrap()
    });
    let early_ms = 5_000;
    for at in [proposer, other, away] {
        world.machines[at].ahead = CLOCK_SKEW_MS + early_ms;
    }
    world.submit(&Note::new(0, 0), &ALL);
    // The prevotes are on their way, the precommits are not.
    world.run(7);
    world.isolate(away);
    let block = world.first_vote(proposer).unwrap();
    assert_eq!(world.first_vote(away), Some(block));
    while world.now < early_ms {
        assert!(!world.has_voted_for(behind, block), "too early at {} ms", world.now);
        world.run(1);
    }
    world.run(30_000);
    assert!(world.has_voted_for(behind, block));
    for at in [proposer, other, behind] {
        assert_eq!((world.entries(at), world.ledger(at).id()), (1, block));
    }
    world.check();
}

/// Brings one machine behind, and joins it again with the first one alone, as far as copying goes.
fn behind_with_one_honest() -> World {
    let mut world = World::new(4);
    world.isolate(3);
    for number in 0..4 {
        world.submit(&Note::new(number, 0), &[0, 1, 2]);
        world.run(3000);
    }
    assert_eq!((world.entries(0), world.entries(3)), (4, 0));
    world.heal(3);
    world.cut.extend([(3, 1), (3, 2)]);
    world
}

#[test]
fn whoever_claims_more_and_more_keeps_nobody_from_copying_from_another() {
    let mut world = behind_with_one_honest();
    let liar = world.id(1);
    for claim in 0..400 {
        let frame = Frame::Status(1000 + claim);
        world.tell(3, Event::Frame { from: liar, frame }, 1);
        world.run(25);
    }
    assert_eq!(world.entries(3), 4);
    world.check();
}

#[test]
fn whoever_could_copy_from_nobody_for_long_tries_again_though_nobody_claims_anything_new() {
    let mut world = behind_with_one_honest();
    world.cut.insert((3, 0));
    let (from, frame) = (world.id(0), Frame::Status(world.height(0)));
    world.tell(3, Event::Frame { from, frame }, 1);
    world.run(600_000);
    assert_eq!(world.entries(3), 0, "there was no way");
    // Nobody is told that there is one again: the others need this one, and say nothing new.
    world.cut.clear();
    world.run(60_000);
    assert_eq!(world.entries(3), 4);
    world.check();
}

#[test]
fn a_list_of_other_entries_is_not_voted_for() {
    let mut world = World::new(4);
    let proposer = world.ledger(0).turns()[0];
    let liar = ALL.into_iter().find(|at| world.id(*at) == proposer).unwrap();
    world.liar = Some((liar, |frame| {
        if let Frame::Contents(contents) = frame {
            contents.entries.reverse();
        }
    }));
    for number in 0..3 {
        world.submit(&Note::new(number, 0), &ALL);
    }
    world.run(30_000);
    let proposers: Vec<_> = ALL.iter().map(|at| world.ledger(*at).head().proposer).collect();
    assert_eq!(ALL.map(|at| world.entries(at)), [3; 4]);
    assert!(
        proposers.iter().all(|id| *id != proposer),
        "the others ordered without the one that lied"
    );
    world.check();
}

#[test]
fn a_key_on_two_machines_stops_them_before_they_contradict_each_other() {
    let mut world = World::new(4);
    let store = Store::create_on(MemoryTables::new(), &fixture::genesis(4)).unwrap();
    let second = world.add(world.machines[2].key.clone(), store);
    world.join();
    world.submit(&Note::new(0, 0), &ALL);
    world.run(20_000);
    let is_stopped = |at: usize| matches!(world.machines[at].stopped, Some(Fault::SecondMachine { .. }));
    assert!(is_stopped(second) || is_stopped(2), "whoever heard of the other first");
    assert_eq!([0, 1, 3].map(|at| world.entries(at)), [1; 3], "the others go on");
    assert_eq!(world.contradictions, 0);
}

#[test]
fn a_copy_of_the_key_that_lags_meets_its_own_signatures_and_stops() {
    let mut world = World::new(4);
    for number in 0..4 {
        world.submit(&Note::new(number, 0), &ALL);
        world.run(1000);
    }
    let signed = world.machines[3].guard.height;
    assert!(signed >= 4);
    // The note beside the key was not copied with it.
    world.machines[3].guard = Guard::default();
    world.lose_disk(3);
    world.run(20_000);
    assert!(matches!(world.machines[3].stopped, Some(Fault::SecondMachine { height }) if height <= signed));
    world.check();
}

#[test]
fn a_restored_key_signs_nothing_again_and_waits_until_the_ledger_has_passed_its_note() {
    let mut world = World::new(4);
    for number in 0..3 {
        world.submit(&Note::new(number, 0), &ALL);
        world.run(1000);
    }
    let height = world.height(3);
    // The disk is lost; key and note come from the backup.
    world.lose_disk(3);
    world.run(20_000);
    assert_eq!(world.height(3), height, "it copied everything");
    assert_eq!(world.machines[3].stopped, None, "its own signatures are not news");
    world.isolate(0);
    world.submit(&Note::new(9, 0), &[1, 2, 3]);
    world.run(20_000);
    assert_eq!(
        world.height(3),
        height + 1,
        "and votes again: without it there is no quorum"
    );
    world.check();
}

#[test]
fn one_alone_whose_ledger_is_older_than_its_signatures_does_not_order() {
    let mut world = World::new(1);
    world.crash(0, 10);
    world.machines[0].guard = Guard {
        height: 5,
        round: 0,
        step: Step::Precommit,
    };
    world.run(100);
    assert_eq!(world.machines[0].stopped, Some(Fault::SecondMachine { height: 5 }));
}

#[test]
fn two_votes_of_one_step_are_evidence_and_stand_in_the_next_block() {
    let mut world = World::new(4);
    let votes = world.contradict(3);
    for vote in votes {
        let from = world.id(3);
        world.hear(0, from, Box::new(Message::Vote(vote)));
    }
    for number in 0..6 {
        world.submit(&Note::new(number, 0), &ALL);
        world.run(5000);
    }
    assert_eq!(world.evidence, 1, "told to everybody by whoever saw it, once");
    let carried: usize = (1..=world.height(1)).map(|height| world.carried(1, height)).sum();
    assert_eq!(carried, 1);
    world.check();
}

#[test]
fn a_dead_validator_costs_a_timeout_once_and_is_waited_for_again_when_it_is_heard_of() {
    let mut world = World::new(4);
    world.isolate(3);
    let next = |world: &mut World, number: u64, to: &[usize]| {
        let (before, mut waited) = (world.height(0), 0);
        world.submit(&Note::new(number, 0), to);
        while world.height(0) == before {
            world.run(50);
            waited += 50;
            assert!(waited < 10_000, "nothing is decided");
        }
        waited
    };
    let waits: Vec<u64> = (0..32).map(|number| next(&mut world, number, &[0, 1, 2])).collect();
    // Its turns are tried more and more seldom, but there are several of them among so many blocks.
    assert_eq!(waits.iter().filter(|waited| **waited >= 1000).count(), 1, "{waits:?}");
    assert!(waits.iter().filter(|waited| **waited >= 100).count() >= 3, "{waits:?}");

    world.heal(3);
    world.run(3000);
    let proposed = (32..96).any(|number| {
        next(&mut world, number, &ALL);
        world.ledger(0).head().proposer == world.id(3)
    });
    assert!(proposed, "who is back has its turns");
    world.check();
}

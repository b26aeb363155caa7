//! Laws of evidence: every true contradiction counts, whoever finds it and in whichever order; nothing honest and
//! nothing altered does.

use waxwing_core::certificate::{Head, VoteKind, vote_message};
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::evidence::{Evidence, EvidenceError, TwoVotes};
use waxwing_core::hash::Hash;
use waxwing_core::keys::{Signature, VoteKey};
use waxwing_rules::world::{World, voters};

fn world() -> World {
    let mut world = World::new(4);
    for number in 1..=3 {
        world.grow(&[world.envelope(number, b"entry")]);
    }
    world
}

fn counts(world: &World, evidence: &Evidence) -> Result<(), EvidenceError> {
    evidence.verify(world.keys(), &world.genesis.committee())
}

/// Another certified block at this height.
fn beside(world: &World, height: u64, later: u64) -> Head {
    let mut header = world.header(height);
    header.time += later;
    world.certify(&header)
}

/// (height, round, kind, block)
type Cast = (u64, u32, VoteKind, u8);

fn vote(world: &World, key: &VoteKey, (height, round, kind, block): Cast) -> (Hash, Signature) {
    let block = Hash([block; 32]);
    let message = vote_message(world.keys().network(), kind, height, round, block);
    (block, key.sign(&message))
}

fn two_votes(world: &World, key: &VoteKey, first: Cast, second: Cast) -> Evidence {
    let (height, round, kind, _) = first;
    Evidence::TwoVotes(Box::new(TwoVotes {
        validator: key.public(),
        kind,
        height,
        round,
        first: vote(world, key, first),
        second: vote(world, key, second),
    }))
}

#[test]
fn two_heads_are_evidence_exactly_if_they_are_two_blocks_of_one_height() {
    let world = world();
    let all: Vec<Head> = (1..=3)
        .flat_map(|height| (0..3).map(move |later| (height, later)))
        .map(|(height, later)| beside(&world, height, later))
        .collect();
    for a in &all {
        for b in &all {
            let evidence = Evidence::of_heads(world.keys(), a.clone(), b.clone());
            let contradict = a.header.height == b.header.height && a.header != b.header;
            let expected = if contradict {
                Ok(())
            } else {
                Err(EvidenceError::NoContradiction)
            };
            assert_eq!(counts(&world, &evidence), expected);
            let mirrored = Evidence::of_heads(world.keys(), b.clone(), a.clone());
            assert_eq!(
                contradict.then_some(&mirrored),
                contradict.then_some(&evidence),
                "one form"
            );
        }
    }
}

/// Two rounds, two heights or two steps are no contradiction: an honest validator casts such votes every day.
#[test]
fn two_votes_are_evidence_exactly_if_height_round_and_step_agree_and_the_blocks_do_not() {
    let world = world();
    let key = &world.voters[2];
    let kinds = [VoteKind::Prevote, VoteKind::Precommit];
    let mut all: Vec<Cast> = Vec::new();
    for height in [8, 9] {
        for round in [0, 1] {
            all.extend(
                kinds
                    .iter()
                    .flat_map(|kind| [1, 2].map(|block| (height, round, *kind, block))),
            );
        }
    }
    for first in &all {
        for second in &all {
            let evidence = two_votes(&world, key, *first, *second);
            let same_place = (first.0, first.1, first.2) == (second.0, second.1, second.2);
            let expected = match (first.3 < second.3, same_place) {
                (false, _) => Err(EvidenceError::NoContradiction),
                (true, false) => Err(EvidenceError::BadSignature),
                (true, true) => Ok(()),
            };
            assert_eq!(counts(&world, &evidence), expected, "{first:?} and {second:?}");
        }
    }
}

#[test]
fn nobody_is_accused_by_votes_of_another_key_network_or_committee() {
    let world = world();
    let (first, second) = ((9, 0, VoteKind::Precommit, 1), (9, 0, VoteKind::Precommit, 2));
    let stranger = voters(30..=30).pop().unwrap();
    let evidence = two_votes(&world, &stranger, first, second);
    assert_eq!(counts(&world, &evidence), Err(EvidenceError::Stranger));
    let Evidence::TwoVotes(mut blamed) = evidence else {
        unreachable!("it is of two votes")
    };
    blamed.validator = world.voters[0].public();
    assert_eq!(
        counts(&world, &Evidence::TwoVotes(blamed)),
        Err(EvidenceError::BadSignature)
    );
    let elsewhere = World::new(5);
    let foreign = two_votes(&elsewhere, &world.voters[0], first, second);
    assert_eq!(counts(&world, &foreign), Err(EvidenceError::BadSignature));
}

#[test]
fn every_flipped_bit_cut_and_addition_makes_evidence_worthless() {
    let world = world();
    let first = (9, 1, VoteKind::Precommit, 1);
    let votes = two_votes(&world, &world.voters[0], first, (9, 1, VoteKind::Precommit, 2));
    let heads = Evidence::of_heads(world.keys(), world.head(2), beside(&world, 2, 1));
    for evidence in [votes, heads] {
        let bytes = evidence.to_bytes();
        let accepted =
            |bytes: &[u8]| Evidence::from_bytes(bytes).is_ok_and(|evidence| counts(&world, &evidence).is_ok());
        assert!(accepted(&bytes));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 0x80 >> (bit % 8);
            assert!(!accepted(&flipped), "bit {bit}");
        }
        assert!((0..bytes.len()).all(|length| !accepted(&bytes[..length])));
        assert!(!accepted(&[&bytes[..], &[0]].concat()));
    }
}

/// An honest validator's whole life gives no evidence: one vote per height, round and step.
#[test]
fn no_two_votes_of_an_honest_validator_are_evidence() {
    let world = world();
    let key = &world.voters[1];
    let mut cast: Vec<Cast> = Vec::new();
    for (height, round, block) in [(1, 0, 5), (1, 1, 6), (1, 2, 5), (2, 0, 7), (3, 0, 5)] {
        cast.extend([VoteKind::Prevote, VoteKind::Precommit].map(|kind| (height, round, kind, block)));
    }
    for first in &cast {
        for second in &cast {
            // Whoever accuses may also claim that both belong to the second one's place.
            for claimed in [first, second] {
                let evidence = Evidence::TwoVotes(Box::new(TwoVotes {
                    validator: key.public(),
                    kind: claimed.2,
                    height: claimed.0,
                    round: claimed.1,
                    first: vote(&world, key, *first),
                    second: vote(&world, key, *second),
                }));
                assert!(counts(&world, &evidence).is_err(), "{first:?} and {second:?}");
            }
        }
    }
}

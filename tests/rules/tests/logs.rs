//! A reader's cursor against the truth: of all lists of entries that a node could hand over, one is accepted.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on panics"
)]

use proptest::prelude::*;
use waxwing_core::hash::{Hash, HashKeys};
use waxwing_core::keys::LogId;
use waxwing_core::log::{LogCursor, LogError, LogState, Place, log_leaf};
use waxwing_core::logmap::MapLeaf;
use waxwing_core::merkle::{Frontier, KeyedTree};
use waxwing_rules::chance::Chance;
use waxwing_rules::model::tree;
use waxwing_rules::world::{World, log_key};

const LOG: LogId = LogId([7; 32]);

type Entry = (Hash, Place);

fn keys() -> HashKeys {
    HashKeys::new(Hash([0xaa; 32]))
}

/// A log as some ledger could have ordered it: one to three entries a block, not in every block.
fn log(chance: &mut Chance, count: usize) -> Vec<Entry> {
    let (mut height, mut time, mut in_block) = (1, 1_000, 0);
    let mut entries = Vec::new();
    while entries.len() < count {
        let place = Place { height, time, in_block };
        entries.push((Hash(chance.array()), place));
        if chance.once_in(2) {
            in_block += 1 + u32::from(chance.byte() % 3);
        } else {
            height += 1 + chance.below(3);
            time += 1 + chance.below(1_000);
            in_block = u32::from(chance.byte() % 3);
        }
    }
    entries
}

/// The leaf of the log map, computed by the definition of the tree.
fn proven(keys: &HashKeys, entries: &[Entry]) -> MapLeaf {
    let leaves: Vec<Hash> = entries.iter().map(|(id, place)| log_leaf(keys, id, place)).collect();
    MapLeaf {
        log: LOG.as_hash(),
        length: u64::try_from(entries.len()).unwrap(),
        root: tree::root(&KeyedTree::log(keys), &leaves),
        last_height: entries.last().map_or(0, |(_, place)| place.height),
    }
}

fn cursor(keys: &HashKeys, held: &[Entry]) -> LogCursor {
    let mut cursor = LogCursor::start(LOG);
    cursor.extend(keys, held, &proven(keys, held)).unwrap();
    cursor
}

/// All logs of up to seven entries, cut anywhere; of the rest every subset in order is offered. One passes.
#[test]
fn of_all_subsets_of_the_new_entries_only_the_whole_is_accepted() {
    let (keys, mut chance) = (keys(), Chance::new(1));
    for count in 0..=7_usize {
        let all = log(&mut chance, count);
        let leaf = proven(&keys, &all);
        for held in 0..=count {
            let rest = &all[held..];
            for subset in 0..1_u32 << rest.len() {
                let offered: Vec<Entry> = (0..)
                    .zip(rest)
                    .filter(|(bit, _)| (subset >> bit) & 1 == 1)
                    .map(|(_, entry)| *entry)
                    .collect();
                let outcome = cursor(&keys, &all[..held]).extend(&keys, &offered, &leaf);
                assert_eq!(
                    outcome.is_ok(),
                    offered.len() == rest.len(),
                    "{held} of {count}, subset {subset:b}"
                );
                if outcome.is_err() {
                    let (have, proven) = (held + offered.len(), count);
                    let (have, proven) = (u64::try_from(have).unwrap(), u64::try_from(proven).unwrap());
                    assert_eq!(outcome, Err(LogError::Withheld { have, proven }));
                }
            }
        }
    }
}

#[test]
fn a_cursor_stays_where_it_was_when_it_refuses_and_can_be_served_again() {
    let (keys, mut chance) = (keys(), Chance::new(2));
    let all = log(&mut chance, 20);
    let leaf = proven(&keys, &all);
    let mut cursor = cursor(&keys, &all[..8]);
    let before = cursor.clone();
    let mut wrong = all[8..].to_vec();
    wrong[5].0 = Hash::ZERO;
    for offered in [&all[9..], &all[7..], &wrong[..], &[]] {
        assert!(cursor.extend(&keys, offered, &leaf).is_err());
        assert_eq!(cursor, before);
    }
    assert_eq!(cursor.extend(&keys, &all[8..], &leaf), Ok(()));
    assert_eq!(cursor.state.leaf(&keys), leaf);
}

/// A frontier may come from anywhere: only the true one leads on.
#[test]
fn a_frontier_that_a_node_made_up_leads_nowhere() {
    let (keys, mut chance) = (keys(), Chance::new(3));
    let all = log(&mut chance, 16);
    let leaf = proven(&keys, &all);
    for held in 1..16_usize {
        let state = cursor(&keys, &all[..held]).state;
        assert_eq!(LogCursor::at(state.clone()).extend(&keys, &all[held..], &leaf), Ok(()));
        for peak in 0..state.frontier.peaks().len() {
            let mut peaks = state.frontier.peaks().to_vec();
            peaks[peak].0[0] ^= 1;
            let frontier = Frontier::from_parts(state.length(), peaks).unwrap();
            let claimed = LogState {
                frontier,
                ..state.clone()
            };
            let outcome = LogCursor::at(claimed).extend(&keys, &all[held..], &leaf);
            assert_eq!(outcome, Err(LogError::WrongRoot), "peak {peak} of {held}");
        }
        let elsewhere = cursor(&keys, &all[..held - 1]).state;
        let outcome = LogCursor::at(elsewhere).extend(&keys, &all[held..], &leaf);
        assert!(matches!(outcome, Err(LogError::Withheld { .. })));
    }
}

/// The ledger's own logs: what it orders, a reader recomputes to the root that it commits to.
#[test]
fn a_reader_arrives_at_the_root_that_the_ledger_commits_to() {
    let mut world = World::new(1);
    let mut readers: Vec<LogCursor> = (1..=3)
        .map(|writer| LogCursor::start(log_key(writer).public()))
        .collect();
    for round in 0..12_u8 {
        let envelopes: Vec<_> = (0..round % 5)
            .map(|number| world.envelope_at(world.newest_anchor(), 1 + (round + number) % 3, &[round, number], 4))
            .collect();
        world.grow(&envelopes);
        for reader in &mut readers {
            let log = reader.state.log;
            let all = world.entries(&log);
            let new = &all[usize::try_from(reader.state.length()).unwrap()..];
            let proof = world.log_proof(&log);
            match proof.verify(world.keys(), world.ledger.head(), &log).unwrap() {
                Some(leaf) => assert_eq!(reader.extend(world.keys(), new, &leaf), Ok(())),
                None => assert!(all.is_empty()),
            }
        }
    }
    assert!(readers.iter().all(|reader| reader.state.length() > 3));
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Nothing,
    Drop,
    Repeat,
    Swap,
    OtherEntry,
    OtherHeight,
    OtherTime,
    OtherPlace,
    Insert,
    Replace,
}

const CHANGES: [Change; 10] = [
    Change::Nothing,
    Change::Drop,
    Change::Repeat,
    Change::Swap,
    Change::OtherEntry,
    Change::OtherHeight,
    Change::OtherTime,
    Change::OtherPlace,
    Change::Insert,
    Change::Replace,
];

fn changed(chance: &mut Chance, entries: &[Entry], change: Change) -> Vec<Entry> {
    let mut list = entries.to_vec();
    let place = chance.place(list.len());
    let other = chance.place(list.len());
    let made_up = (Hash(chance.array()), list[place].1);
    match change {
        Change::Nothing => {}
        Change::Drop => drop(list.remove(place)),
        Change::Repeat => list.insert(place, list[place]),
        Change::Swap => list.swap(place, other),
        Change::OtherEntry => list[place].0 = Hash(chance.array()),
        Change::OtherHeight => list[place].1.height ^= 1 << chance.below(64),
        Change::OtherTime => list[place].1.time ^= 1 << chance.below(64),
        Change::OtherPlace => list[place].1.in_block ^= 1 << chance.below(32),
        Change::Insert => list.insert(place, made_up),
        Change::Replace => list[place] = made_up,
    }
    list
}

proptest! {
    #[test]
    fn entries_are_accepted_exactly_if_they_are_the_true_ones(
        seed in any::<u64>(),
        count in 1_usize..40,
        cut in any::<prop::sample::Index>(),
        first in 0..CHANGES.len(),
        second in 0..CHANGES.len(),
    ) {
        let (keys, mut chance) = (keys(), Chance::new(seed));
        let all = log(&mut chance, count);
        let held = cut.index(count);
        let once = changed(&mut chance, &all[held..], CHANGES[first]);
        let offered = if once.is_empty() { once } else { changed(&mut chance, &once, CHANGES[second]) };
        let outcome = cursor(&keys, &all[..held]).extend(&keys, &offered, &proven(&keys, &all));
        prop_assert_eq!(outcome.is_ok(), offered == all[held..], "{:?}", outcome);
    }
}

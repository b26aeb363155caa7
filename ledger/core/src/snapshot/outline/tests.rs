//! The laws of outlines: every map is cut in one way, and no other cut of it is believed.

use super::*;
use crate::genesis::{Genesis, Parameters};
use crate::keys::VoteKey;
use crate::logmap::LogMap;

fn keys() -> HashKeys {
    HashKeys::new(Hash([5; 32]))
}

/// Leaves whose keys begin with `front` and go on at random.
fn leaves(keys: &HashKeys, count: u32, front: &[u8]) -> Vec<(Hash, Hash)> {
    let mut leaves: Vec<(Hash, Hash)> = (0..count)
        .map(|number| {
            let mut key = keys.hash(Meaning::MapKey, &[&number.to_be_bytes()[..], front].concat());
            key.0[..front.len()].copy_from_slice(front);
            (key, keys.hash(Meaning::MapLeaf, &key.0))
        })
        .collect();
    leaves.sort_unstable();
    leaves
}

fn cut(keys: &HashKeys, leaves: &[(Hash, Hash)]) -> Vec<Slot> {
    let mut cutter = Cutter::new(keys);
    leaves.iter().for_each(|(key, leaf)| cutter.push(*key, *leaf));
    cutter.finish()
}

fn header(root: Hash, logs: u64) -> BlockHeader {
    let validator = VoteKey::from_seed(&[1; 32]).public();
    let genesis = Genesis::new("test", 1, Parameters::DEFAULT, vec![validator]).unwrap();
    BlockHeader {
        map_root: root,
        log_count: logs,
        ..genesis.block()
    }
}

fn check(keys: &HashKeys, header: &BlockHeader, slots: &[Slot]) -> Result<Vec<(Span, Slot)>, SnapshotError> {
    let mut check = OutlineCheck::new();
    for slot in slots {
        check.push(keys, header, *slot)?;
    }
    if !check.is_whole() {
        return Err(SnapshotError::OutlineShape);
    }
    check.finish(header)
}

/// Maps of many sizes: none, one, as many as a slot takes and one more, and a crowd that shares forty bits.
fn maps(keys: &HashKeys) -> Vec<Vec<(Hash, Hash)>> {
    let mut maps: Vec<_> = [0, 1, 2, 1023, 1024, 1025, 5000]
        .map(|count| leaves(keys, count, &[]))
        .into();
    let mut crowded = leaves(keys, 3000, &[]);
    crowded.extend(leaves(keys, 1500, &[0x5a, 0xff, 0, 7, 9]));
    crowded.extend(leaves(keys, 1200, &[0xff; 31]));
    crowded.sort_unstable();
    crowded.dedup_by_key(|(key, _)| *key);
    maps.push(crowded);
    maps
}

#[test]
fn every_outline_folds_to_the_root_of_its_map_and_its_slots_hold_all_leaves_once() {
    let keys = keys();
    for leaves in maps(&keys) {
        let root = LogMap::build(&keys, leaves.clone()).unwrap().root();
        let header = header(root, u64::try_from(leaves.len()).unwrap());
        let slots = check(&keys, &header, &cut(&keys, &leaves)).unwrap();
        let mut rest = leaves.as_slice();
        for (span, slot) in slots {
            let (here, behind) = rest.split_at(rest.partition_point(|(key, _)| span.contains(key)));
            assert_eq!(here.len(), widen(slot.logs));
            assert_eq!(subtree_root(&keys, span.depth, here), slot.hash);
            rest = behind;
        }
        assert_eq!(rest, []);
    }
}

#[test]
fn a_slot_that_is_altered_left_out_or_put_in_is_refused() {
    let keys = keys();
    let leaves = leaves(&keys, 5000, &[]);
    let header = header(LogMap::build(&keys, leaves.clone()).unwrap().root(), 5000);
    let slots = cut(&keys, &leaves);
    assert!(slots.len() > 4, "{}", slots.len());
    let changed = |change: &dyn Fn(&mut Vec<Slot>)| {
        let mut slots = slots.clone();
        change(&mut slots);
        check(&keys, &header, &slots).unwrap_err()
    };
    assert_eq!(changed(&|slots| slots[1].hash.0[0] ^= 1), SnapshotError::OutlineRoot);
    assert_eq!(changed(&|slots| slots.swap(0, 1)), SnapshotError::OutlineRoot);
    assert_eq!(changed(&|slots| slots[1].logs -= 1), SnapshotError::OutlineCount);
    assert_eq!(changed(&|slots| slots[1].logs += 1), SnapshotError::OutlineCount);
    assert_eq!(
        changed(&|slots| slots.truncate(slots.len() - 1)),
        SnapshotError::OutlineShape,
        "an end is missing"
    );
    assert_eq!(
        changed(&|slots| slots.push(slots[0])),
        SnapshotError::OutlineShape,
        "behind the end"
    );
    assert_eq!(
        changed(&|slots| slots[1].depth = 1),
        SnapshotError::OutlineShape,
        "not where a span can begin"
    );
}

#[test]
fn an_outline_that_is_cut_finer_than_it_must_be_is_refused() {
    let keys = keys();
    let leaves = leaves(&keys, 600, &[]);
    let header = header(LogMap::build(&keys, leaves.clone()).unwrap().root(), 600);
    let middle = leaves.partition_point(|(key, _)| !key.bit(0));
    let half = |leaves: &[(Hash, Hash)]| Slot {
        depth: 1,
        logs: u32::try_from(leaves.len()).unwrap(),
        hash: subtree_root(&keys, 1, leaves),
    };
    let halves = [half(&leaves[..middle]), half(&leaves[middle..])];
    assert_eq!(check(&keys, &header, &halves), Err(SnapshotError::OutlineShape));
}

#[test]
fn spans_follow_each_other_without_gaps_and_end_at_the_end() {
    let span = |byte: u8, depth| Span::new(Hash([&[byte][..], &[0; 31]].concat().try_into().unwrap()), depth);
    assert_eq!(span(0b1010_0000, 2), None, "a bit behind the shared ones");
    assert_eq!(span(0, 257), None);
    let quarter = span(0b0100_0000, 2).unwrap();
    assert_eq!(quarter.end(), Some(span(0b1000_0000, 1).unwrap().start));
    assert_eq!(span(0b1100_0000, 2).unwrap().end(), None);
    assert_eq!(Span::ALL.end(), None);
    let last = Span::new(Hash([0xff; 32]), 256).unwrap();
    assert_eq!(last.end(), None);
    assert!(last.contains(&Hash([0xff; 32])) && !last.contains(&Hash([0xfe; 32])));
    assert!(quarter.contains(&Hash([0x7f; 32])) && !quarter.contains(&Hash([0x80; 32])));
}

#[test]
fn a_slot_is_read_back_and_each_broken_form_is_refused_by_name() {
    let slot = Slot {
        depth: 7,
        logs: 3,
        hash: Hash([2; 32]),
    };
    let bytes = slot.to_bytes();
    assert_eq!(bytes.len(), SLOT_BYTES);
    assert_eq!(Slot::from_bytes(&bytes), Ok(slot));
    let read = |slot: Slot| Slot::from_bytes(&slot.to_bytes());
    assert_eq!(read(Slot { depth: 257, ..slot }), Err(CodecError::TooLong));
    assert_eq!(read(Slot { logs: 1025, ..slot }), Err(CodecError::TooLong));
    assert_eq!(read(Slot { logs: 0, ..slot }), Err(CodecError::BadValue));
    assert_eq!(
        read(Slot {
            hash: Hash::ZERO,
            ..slot
        }),
        Err(CodecError::BadValue)
    );
    assert!(Slot::from_bytes(&bytes[1..]).is_err());
}

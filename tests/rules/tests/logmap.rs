//! The log map against a naive model: roots, paths and verdicts.
//!
//! The model is the definition of DESIGN section 6 written down as recursion over a sorted map, with a proof encoder of
//! its own; it shares no line with the map beyond the hash of a node. First every map over a few keys, then random
//! histories, then proofs: what they show, and that nothing else passes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::hash::{Hash, HashKeys, Meaning};
use waxwing_core::logmap::{LogMap, MapError, MapLeaf, MapPath, MapProof, MapProofError, ProofEnd, map_key};

/// Map key to leaf hash.
type Leaves = BTreeMap<Hash, Hash>;
/// The same in order.
type Sorted = Vec<(Hash, Hash)>;

fn keys() -> HashKeys {
    HashKeys::new(Hash([5; 32]))
}

fn built(keys: &HashKeys, leaves: &Leaves) -> LogMap {
    LogMap::build(keys, leaves.iter().map(|(key, leaf)| (*key, *leaf))).expect("a sorted map is in order")
}

/// The definition: nothing is zeros, one leaf is itself, more are a node of both halves.
fn model_root(keys: &HashKeys, leaves: &[(Hash, Hash)], depth: usize) -> Hash {
    match leaves {
        [] => Hash::ZERO,
        [(_, leaf)] => *leaf,
        more => {
            let (left, right) = halves(more, depth);
            keys.node(
                Meaning::MapNode,
                &model_root(keys, &left, depth + 1),
                &model_root(keys, &right, depth + 1),
            )
        }
    }
}

fn halves(leaves: &[(Hash, Hash)], depth: usize) -> (Sorted, Sorted) {
    leaves.iter().partition(|(key, _)| !key.bit(depth))
}

/// The siblings on the way to `key` and what lies at its end, by the same definition.
fn model_path(keys: &HashKeys, leaves: &Leaves, key: &Hash) -> (Vec<Hash>, Option<(Hash, Hash)>) {
    let mut below = sorted(leaves);
    let mut siblings = Vec::new();
    while below.len() > 1 {
        let (left, right) = halves(&below, siblings.len());
        let (next, beside) = if key.bit(siblings.len()) {
            (right, left)
        } else {
            (left, right)
        };
        siblings.push(model_root(keys, &beside, siblings.len() + 1));
        below = next;
    }
    (siblings, below.first().copied())
}

fn sorted(leaves: &Leaves) -> Sorted {
    leaves.iter().map(|(key, leaf)| (*key, *leaf)).collect()
}

/// A proof's bytes from its parts, whether or not they make sense.
fn proof_bytes(end: u8, siblings: &[Hash], other: Option<&MapLeaf>) -> Vec<u8> {
    let depth = u16::try_from(siblings.len()).expect("no test goes below level 256");
    let mut bytes = vec![end];
    bytes.extend(depth.to_be_bytes());
    bytes.extend(siblings.chunks(8).map(|eight| {
        let padded = eight.iter().chain([&Hash::ZERO; 8]).take(8);
        padded.fold(0_u8, |byte, sibling| (byte << 1) | u8::from(*sibling != Hash::ZERO))
    }));
    for sibling in siblings.iter().filter(|sibling| **sibling != Hash::ZERO) {
        bytes.extend(sibling.as_bytes());
    }
    bytes.extend(other.iter().flat_map(|leaf| leaf.to_bytes()));
    bytes
}

fn proof_of(end: u8, siblings: &[Hash], other: Option<&MapLeaf>) -> MapProof {
    MapProof::from_bytes(&proof_bytes(end, siblings, other)).expect("these parts have an encoding")
}

/// A key with ones at these places, counted from the front.
fn key_with(ones: &[usize]) -> Hash {
    let byte = |byte: usize| (0..8).fold(0, |bits, bit| (bits << 1) | u8::from(ones.contains(&(byte * 8 + bit))));
    Hash(core::array::from_fn(byte))
}

/// The three low bits of `value`, written into a key of zeros from bit `offset` on.
fn key_at(offset: usize, value: usize) -> Hash {
    let ones: Vec<usize> = (0..3)
        .filter(|place| (value >> (2 - place)) & 1 == 1)
        .map(|place| offset + place)
        .collect();
    key_with(&ones)
}

fn leaf_hash(number: usize) -> Hash {
    Hash(*blake3::hash(&number.to_be_bytes()).as_bytes())
}

/// The map gives, for this key, the model's path and end, byte for byte.
fn agrees_at(keys: &HashKeys, map: &LogMap, leaves: &Leaves, key: &Hash) {
    let (siblings, end) = model_path(keys, leaves, key);
    let expected = match end {
        Some((found, _)) if found == *key => (Some(found), Some(proof_bytes(0, &siblings, None))),
        None => (None, Some(proof_bytes(1, &siblings, None))),
        Some((other, _)) => (Some(other), None),
    };
    let found = match map.prove(key) {
        MapPath::Present(proof) => (Some(*key), Some(proof.to_bytes())),
        MapPath::EmptySlot(proof) => (None, Some(proof.to_bytes())),
        MapPath::OtherLeaf(path) => (Some(*path.map_key()), None),
    };
    assert_eq!(found, expected, "for key {key}");
}

#[test]
fn every_map_over_eight_keys_has_the_models_root_and_paths_wherever_the_keys_part() {
    let keys = keys();
    for offset in [0, 1, 6, 127, 252, 253] {
        let universe: Vec<Hash> = (0..8).map(|value| key_at(offset, value)).collect();
        for subset in 0_u32..256 {
            let leaves: Leaves = (0..8)
                .filter(|place| (subset >> place) & 1 == 1)
                .map(|place| (universe[place], leaf_hash(place)))
                .collect();
            let map = built(&keys, &leaves);
            assert_eq!(
                map.root(),
                model_root(&keys, &sorted(&leaves), 0),
                "offset {offset}, subset {subset:08b}"
            );
            assert_eq!(map.len(), leaves.len());
            if offset < 8 || subset % 17 == 0 {
                universe.iter().for_each(|key| agrees_at(&keys, &map, &leaves, key));
            }
        }
    }
}

#[test]
fn from_every_map_over_six_keys_every_update_leads_where_building_anew_leads() {
    // 64 maps, each updated by every subset of the keys: new logs, changed logs and both at once.
    let keys = keys();
    for offset in [0, 5, 250] {
        let universe = [0, 1, 2, 3, 5, 7].map(|value| key_at(offset, value));
        let chosen = |subset: u32, salt: usize| -> Leaves {
            let places = (0..6).filter(|place| (subset >> place) & 1 == 1);
            places.map(|place| (universe[place], leaf_hash(salt + place))).collect()
        };
        for (before, change) in (0_u32..64).flat_map(|before| (0_u32..64).map(move |change| (before, change))) {
            let (mut leaves, updates) = (chosen(before, 0), chosen(change, 100));
            let mut map = built(&keys, &leaves);
            let old_root = map.root();
            let step = map.plan(&keys, &sorted(&updates)).unwrap();
            assert_eq!(
                (map.root(), map.len()),
                (old_root, leaves.len()),
                "planning changes nothing"
            );
            assert_eq!(step.new_logs(), u64::from((change & !before).count_ones()));
            leaves.extend(updates);
            let planned = step.root();
            map.apply(step).unwrap();
            assert_eq!(planned, map.root());
            assert_eq!(
                map.root(),
                model_root(&keys, &sorted(&leaves), 0),
                "{before:06b} then {change:06b}"
            );
            assert_eq!(map.len(), leaves.len());
            universe.iter().for_each(|key| agrees_at(&keys, &map, &leaves, key));
        }
    }
}

/// Keys that crowd: a few bits at a few places, so that prefixes of every length up to 255 bits are shared.
fn crowded_key() -> impl Strategy<Value = Hash> {
    let places = vec![0_usize, 1, 2, 3, 7, 8, 9, 31, 128, 200, 253, 254, 255];
    prop::collection::vec(prop::sample::select(places), 0..4).prop_map(|ones| key_with(&ones))
}

fn any_key() -> impl Strategy<Value = Hash> {
    prop_oneof![crowded_key(), any::<[u8; 32]>().prop_map(Hash)]
}

fn batches() -> impl Strategy<Value = Vec<Leaves>> {
    let batch = prop::collection::btree_map(any_key(), (1_usize..1000).prop_map(leaf_hash), 0..12);
    prop::collection::vec(batch, 0..8)
}

proptest! {
    #[test]
    fn any_history_of_batches_leads_to_the_root_of_its_content(history in batches(), asked in any_key()) {
        let keys = keys();
        let mut map = LogMap::new();
        let mut leaves = Leaves::new();
        for batch in history {
            leaves.extend(batch.clone());
            let step = map.plan(&keys, &sorted(&batch)).unwrap();
            map.apply(step).unwrap();
            prop_assert_eq!(map.root(), model_root(&keys, &sorted(&leaves), 0));
        }
        prop_assert_eq!(built(&keys, &leaves).root(), map.root());
        leaves.keys().chain([&asked]).for_each(|key| agrees_at(&keys, &map, &leaves, key));
    }

    #[test]
    fn the_order_of_updates_leaves_no_trace(
        order in prop::collection::btree_map(any_key(), (1_usize..1000).prop_map(leaf_hash), 1..24)
            .prop_flat_map(|leaves| Just(sorted(&leaves)).prop_shuffle()),
        cuts in prop::collection::vec(1_usize..6, 24),
    ) {
        let keys = keys();
        let mut map = LogMap::new();
        let mut rest = order.as_slice();
        for cut in cuts {
            let (now, later) = rest.split_at(cut.min(rest.len()));
            let batch: Leaves = now.iter().copied().collect();
            let step = map.plan(&keys, &sorted(&batch)).unwrap();
            map.apply(step).unwrap();
            rest = later;
        }
        prop_assert_eq!(map.len(), order.len());
        prop_assert_eq!(map.root(), built(&keys, &order.into_iter().collect()).root());
    }

    #[test]
    fn planning_twice_gives_one_result_and_leaves_the_map_alone(
        before in prop::collection::btree_map(any_key(), (1_usize..1000).prop_map(leaf_hash), 0..24),
        change in prop::collection::btree_map(any_key(), (1_usize..1000).prop_map(leaf_hash), 1..24),
    ) {
        let keys = keys();
        let mut map = built(&keys, &before);
        let first = map.plan(&keys, &sorted(&change)).unwrap();
        let second = map.plan(&keys, &sorted(&change)).unwrap();
        prop_assert_eq!((first.root(), first.new_logs()), (second.root(), second.new_logs()));
        before.keys().chain(change.keys()).for_each(|key| agrees_at(&keys, &map, &before, key));
        let changes_something = first.root() != map.root();
        map.apply(first).unwrap();
        let expected = if changes_something { Err(MapError::StaleStep) } else { Ok(()) };
        prop_assert_eq!(map.apply(second), expected, "the map has moved on since it was planned");
    }
}

/// A log as it stands in a ledger, its map key hashed from its id.
fn log(number: u8) -> MapLeaf {
    MapLeaf {
        log: Hash([number; 32]),
        length: u64::from(number) + 1,
        root: leaf_hash(7),
        last_height: 9,
    }
}

fn map_of(keys: &HashKeys, logs: &[MapLeaf]) -> LogMap {
    built(
        keys,
        &logs.iter().map(|log| (log.map_key(keys), log.hash(keys))).collect(),
    )
}

/// The complete proof for a log, as a node would hand it out.
fn proof_for(keys: &HashKeys, map: &LogMap, logs: &[MapLeaf], asked: &Hash) -> MapProof {
    match map.prove(&map_key(keys, asked)) {
        MapPath::Present(proof) | MapPath::EmptySlot(proof) => proof,
        MapPath::OtherLeaf(path) => {
            let other = logs
                .iter()
                .find(|log| log.map_key(keys) == *path.map_key())
                .expect("the map holds these logs");
            path.into_absence(keys, *other).expect("it is that leaf")
        }
    }
}

fn siblings_of(keys: &HashKeys, logs: &[MapLeaf], asked: &Hash) -> Vec<Hash> {
    let leaves = logs.iter().map(|log| (log.map_key(keys), log.hash(keys))).collect();
    model_path(keys, &leaves, &map_key(keys, asked)).0
}

#[test]
fn in_every_map_over_nine_logs_each_log_is_proved_present_or_absent_and_never_both() {
    let keys = keys();
    let all: Vec<MapLeaf> = (0..9).map(log).collect();
    let mut ends = [0_usize; 3];
    for subset in 0_u32..512 {
        let logs: Vec<MapLeaf> = all
            .iter()
            .enumerate()
            .filter(|(place, _)| (subset >> place) & 1 == 1)
            .map(|(_, log)| *log)
            .collect();
        let map = map_of(&keys, &logs);
        for asked in &all {
            let proof = proof_for(&keys, &map, &logs, &asked.log);
            let proof = MapProof::from_bytes(&proof.to_bytes()).unwrap();
            let present = proof.verify_presence(&keys, &map.root(), asked);
            let absent = proof.verify_absence(&keys, &map.root(), &asked.log);
            if logs.contains(asked) {
                assert_eq!((present, absent), (Ok(()), Err(MapProofError::NotAbsence)));
            } else {
                assert_eq!((present, absent), (Err(MapProofError::NotPresence), Ok(())));
            }
            match proof.end() {
                ProofEnd::Present => ends[0] += 1,
                ProofEnd::EmptySlot => ends[1] += 1,
                ProofEnd::OtherLeaf(_) => ends[2] += 1,
            }
        }
    }
    assert!(
        ends.iter().all(|count| *count > 100),
        "every kind of proof occurs: {ends:?}"
    );
}

#[test]
fn a_proof_is_accepted_for_its_own_log_leaf_root_and_network_only() {
    let keys = keys();
    let logs: Vec<MapLeaf> = (0..40).map(log).collect();
    let map = map_of(&keys, &logs);
    let root = map.root();
    let older = map_of(&keys, &logs[..39]).root();
    for own in &logs {
        let proof = proof_for(&keys, &map, &logs, &own.log);
        for asked in &logs {
            let expected = if asked == own {
                Ok(())
            } else {
                Err(MapProofError::WrongRoot)
            };
            assert_eq!(proof.verify_presence(&keys, &root, asked), expected);
        }
        let others = [
            MapLeaf {
                length: own.length + 1,
                ..*own
            },
            MapLeaf {
                root: leaf_hash(8),
                ..*own
            },
            MapLeaf {
                last_height: 10,
                ..*own
            },
        ];
        for other in others {
            assert_eq!(
                proof.verify_presence(&keys, &root, &other),
                Err(MapProofError::WrongRoot)
            );
        }
        assert_eq!(proof.verify_presence(&keys, &older, own), Err(MapProofError::WrongRoot));
        let foreign = HashKeys::new(Hash([6; 32]));
        assert_eq!(
            proof.verify_presence(&foreign, &root, own),
            Err(MapProofError::WrongRoot)
        );
    }
}

#[test]
fn a_proof_of_absence_never_passes_for_a_log_that_is_there() {
    let keys = keys();
    let logs: Vec<MapLeaf> = (0..40).map(log).collect();
    let map = map_of(&keys, &logs);
    for absent in 40..=255 {
        let proof = proof_for(&keys, &map, &logs, &log(absent).log);
        assert_eq!(proof.verify_absence(&keys, &map.root(), &log(absent).log), Ok(()));
        for there in &logs {
            assert!(proof.verify_absence(&keys, &map.root(), &there.log).is_err());
            assert_eq!(
                proof.verify_presence(&keys, &map.root(), there),
                Err(MapProofError::NotPresence)
            );
        }
    }
}

#[test]
fn every_flipped_bit_cut_and_addition_makes_a_proof_worthless() {
    let keys = keys();
    let logs: Vec<MapLeaf> = (0..40).map(log).collect();
    let map = map_of(&keys, &logs);
    let mut ends = [0_usize; 3];
    for asked in (0..60).map(log) {
        let bytes = proof_for(&keys, &map, &logs, &asked.log).to_bytes();
        let passes = |bytes: &[u8], root: &Hash| {
            MapProof::from_bytes(bytes).is_ok_and(|proof| {
                proof.verify_presence(&keys, root, &asked).is_ok()
                    || proof.verify_absence(&keys, root, &asked.log).is_ok()
            })
        };
        assert!(passes(&bytes, &map.root()));
        ends[usize::from(bytes[0])] += 1;
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 0x80 >> (bit % 8);
            assert!(
                !passes(&flipped, &map.root()),
                "bit {bit} of the proof for log {}",
                asked.log
            );
        }
        for bit in 0..256 {
            let mut flipped = map.root();
            flipped.0[bit / 8] ^= 0x80 >> (bit % 8);
            assert!(!passes(&bytes, &flipped), "bit {bit} of the root");
        }
        assert!((0..bytes.len()).all(|length| MapProof::from_bytes(&bytes[..length]).is_err()));
        assert!(MapProof::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
    }
    assert!(
        ends.iter().all(|count| *count > 0),
        "every kind of proof is tried: {ends:?}"
    );
}

#[test]
fn an_empty_proof_shows_absence_from_the_empty_map_only() {
    let keys = keys();
    let nothing = proof_of(1, &[], None);
    assert_eq!(nothing.verify_absence(&keys, &Hash::ZERO, &log(1).log), Ok(()));
    for count in 1..10 {
        let logs: Vec<MapLeaf> = (0..count).map(log).collect();
        let root = map_of(&keys, &logs).root();
        assert_eq!(
            nothing.verify_absence(&keys, &root, &log(99).log),
            Err(MapProofError::WrongRoot)
        );
        assert_eq!(
            proof_of(0, &[], None).verify_presence(&keys, &Hash::ZERO, &log(1)),
            Err(MapProofError::WrongRoot)
        );
    }
}

#[test]
fn a_log_is_not_absent_because_its_own_leaf_is_there() {
    let keys = keys();
    let logs: Vec<MapLeaf> = (0..20).map(log).collect();
    let map = map_of(&keys, &logs);
    for own in &logs {
        let forged = proof_of(2, &siblings_of(&keys, &logs, &own.log), Some(own));
        assert_eq!(
            forged.verify_absence(&keys, &map.root(), &own.log),
            Err(MapProofError::SameLog)
        );
    }
}

#[test]
fn a_log_is_not_absent_because_another_branch_holds_another_log() {
    let keys = keys();
    let logs: Vec<MapLeaf> = (0..20).map(log).collect();
    let map = map_of(&keys, &logs);
    for other in &logs {
        let true_path = siblings_of(&keys, &logs, &other.log);
        let forged = proof_of(2, &true_path, Some(other));
        for own in logs.iter().filter(|own| *own != other) {
            let verdict = forged.verify_absence(&keys, &map.root(), &own.log);
            assert_eq!(verdict, Err(MapProofError::OffPath));
        }
    }
}

#[test]
fn a_path_that_is_too_short_or_too_long_leads_nowhere() {
    let keys = keys();
    let logs: Vec<MapLeaf> = (0..40).map(log).collect();
    let root = map_of(&keys, &logs).root();
    for own in &logs {
        let path = siblings_of(&keys, &logs, &own.log);
        let verdict = |siblings: &[Hash]| proof_of(0, siblings, None).verify_presence(&keys, &root, own);
        assert_eq!(verdict(&path), Ok(()));
        for kept in 0..path.len() {
            assert!(verdict(&path[..kept]).is_err(), "cut below");
            assert!(verdict(&path[path.len() - kept..]).is_err(), "cut above");
        }
        for place in 0..=path.len() {
            let mut longer = path.clone();
            longer.insert(place, leaf_hash(3));
            assert_eq!(
                verdict(&longer),
                Err(MapProofError::WrongRoot),
                "a sibling too many at level {place}"
            );
        }
    }
}

#[test]
fn a_node_is_never_a_leaf_and_a_leaf_never_a_node() {
    // A path cut at a node would need a leaf whose hash is the node's. Even the same bytes hash differently.
    let keys = keys();
    let bytes = log(1).to_bytes();
    let (left, right) = (
        Hash(bytes[..32].try_into().unwrap()),
        Hash(bytes[32..64].try_into().unwrap()),
    );
    let node = keys.node(Meaning::MapNode, &left, &right);
    assert_eq!(node, keys.hash(Meaning::MapNode, &bytes[..64]));
    assert_ne!(node, keys.hash(Meaning::MapLeaf, &bytes[..64]));
    assert_ne!(log(1).hash(&keys), keys.hash(Meaning::MapNode, &bytes));
}

#[test]
fn nothing_stands_below_a_node_that_should_have_collapsed() {
    // These hashes do agree: only the rule that a leaf alone takes its node's place refuses them. Two shapes of one
    // content would give it two roots.
    let keys = keys();
    let own = log(1);
    let key = own.map_key(&keys);
    let above = |end: Hash| {
        let (left, right) = if key.bit(0) {
            (Hash::ZERO, end)
        } else {
            (end, Hash::ZERO)
        };
        keys.node(Meaning::MapNode, &left, &right)
    };
    let present = proof_of(0, &[Hash::ZERO], None);
    let verdict = present.verify_presence(&keys, &above(own.hash(&keys)), &own);
    assert_eq!(verdict, Err(MapProofError::Uncollapsed));
    let empty = proof_of(1, &[Hash::ZERO], None);
    assert_eq!(
        empty.verify_absence(&keys, &above(Hash::ZERO), &own.log),
        Err(MapProofError::Uncollapsed)
    );
    let other = (2..=255)
        .map(log)
        .find(|other| other.map_key(&keys).bit(0) == key.bit(0))
        .unwrap();
    let beside = proof_of(2, &[Hash::ZERO], Some(&other));
    let verdict = beside.verify_absence(&keys, &above(other.hash(&keys)), &own.log);
    assert_eq!(verdict, Err(MapProofError::Uncollapsed));
}

#[test]
fn proofs_stay_small_as_the_map_grows() {
    let keys = keys();
    let count = 20_000_u32;
    let logs: Vec<MapLeaf> = (0..count)
        .map(|number| MapLeaf {
            log: keys.hash(Meaning::Body, &number.to_be_bytes()),
            ..log(0)
        })
        .collect();
    let map = map_of(&keys, &logs);
    let sizes: Vec<usize> = logs
        .iter()
        .map(|log| proof_for(&keys, &map, &logs, &log.log).to_bytes().len())
        .collect();
    let mean = sizes.iter().sum::<usize>() / sizes.len();
    // log2(20,000) = 14.3 levels, and 1.3 more until keys part; most of the extra levels are empty and take a bit.
    assert!((14 * 32..16 * 32).contains(&mean), "{mean} bytes on average");
}

//! The Merkle tree, every small case of it, against the recursive definition of RFC 6962.
//!
//! The law of each verifier is stated in both directions: the one proof that the definition gives is accepted, and at
//! every other place, or changed in any way, it is refused.

use waxwing_core::hash::Meaning;
use waxwing_core::merkle::{
    ConsistencyProof, Frontier, InclusionProof, KeyedTree, LeafSlice, ProofError, RangeProof, Sha256Tree, TreeHasher,
    consistency_path, frontier_at, inclusion_path, inclusion_path_len, path_of, prefix_root_from_inclusion, range_path,
    root_of, verify_consistency, verify_inclusion, verify_range,
};
use waxwing_core::{Hash, HashKeys};
use waxwing_rules::model::tree as model;
use waxwing_rules::model::tree::Side;

/// Two complete trees of 16, one leaf more: every shape that bits can make at five levels.
const SIZE: usize = 33;

fn keys() -> HashKeys {
    HashKeys::new(Hash([9; 32]))
}

fn leaves(keys: &HashKeys, count: usize) -> Vec<Hash> {
    (0..count)
        .map(|number| keys.hash(Meaning::LogLeaf, &number.to_be_bytes()))
        .collect()
}

fn number(value: usize) -> u64 {
    u64::try_from(value).expect("small numbers fit")
}

/// Every list that differs from `hashes` by one flipped bit, one hash left out, one put in, or two exchanged.
fn damaged(hashes: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = Vec::new();
    for place in 0..=hashes.len() {
        let (before, after) = hashes.split_at(place);
        for extra in [Hash::ZERO].iter().chain(hashes) {
            all.push([before, &[*extra], after].concat());
        }
        let Some((hash, after)) = after.split_first() else {
            continue;
        };
        all.push([before, after].concat());
        for bit in [0x80, 0x01] {
            let mut flipped = *hash;
            flipped.0[31] ^= bit;
            all.push([before, &[flipped], after].concat());
        }
        if let Some((next, after)) = after.split_first() {
            all.push([before, &[*next, *hash], after].concat());
        }
    }
    all
}

fn roots_and_frontiers_are_the_models(hasher: &impl TreeHasher, leaves: &[Hash]) {
    let mut frontier = Frontier::empty();
    for size in 0..=leaves.len() {
        let (first, _) = leaves.split_at(size);
        let expected = model::root(hasher, first);
        assert_eq!(frontier.len(), number(size));
        assert_eq!(frontier.peaks(), model::peaks(hasher, first), "{size}");
        assert_eq!(frontier.root(hasher), expected, "{size}");
        assert_eq!(root_of(hasher, first), expected, "{size}");
        assert_eq!(
            frontier_at(&LeafSlice::new(hasher, leaves), number(size)),
            Ok(frontier.clone()),
            "{size}"
        );
        assert_eq!(
            Frontier::from_parts(number(size), frontier.peaks().to_vec()),
            Ok(frontier.clone()),
            "{size}"
        );
        if let Some(next) = leaves.get(size) {
            frontier.append(hasher, *next);
        }
    }
}

#[test]
fn roots_and_frontiers_of_all_sizes_are_those_of_the_definition() {
    let keys = keys();
    let leaves = leaves(&keys, 130);
    roots_and_frontiers_are_the_models(&Sha256Tree, &leaves);
    roots_and_frontiers_are_the_models(&KeyedTree::log(&keys), &leaves);
    roots_and_frontiers_are_the_models(&KeyedTree::block(&keys), &leaves);
}

#[test]
fn completed_nodes_are_all_complete_subtrees_each_once() {
    let keys = keys();
    let (hasher, leaves) = (KeyedTree::log(&keys), leaves(&keys, 70));
    let mut frontier = Frontier::empty();
    let mut told = Vec::new();
    for leaf in &leaves {
        frontier.append_with(&hasher, *leaf, |level, index, hash| told.push((level, index, hash)));
    }
    told.sort_unstable();
    let mut expected = Vec::new();
    for level in 1..=6_u8 {
        for (index, subtree) in (0..).zip(leaves.chunks_exact(1 << level)) {
            expected.push((level, index, model::root(&hasher, subtree)));
        }
    }
    assert_eq!(told, expected);
}

#[test]
fn inclusion_proofs_are_those_of_the_definition_and_their_left_siblings_the_tree_before() {
    let keys = keys();
    let (hasher, leaves) = (KeyedTree::log(&keys), leaves(&keys, SIZE));
    for size in 1..=SIZE {
        let (first, _) = leaves.split_at(size);
        for index in 0..size {
            let path = model::path(&hasher, index, first);
            let siblings: Vec<Hash> = path.iter().map(|(_, hash)| *hash).collect();
            let proof = InclusionProof {
                siblings: siblings.clone(),
            };
            let (i, n) = (number(index), number(size));
            // Read from the whole tree: a proof for any earlier size can still be made.
            assert_eq!(
                inclusion_path(&hasher, &LeafSlice::new(&hasher, &leaves), i, n),
                Ok(proof.clone())
            );
            assert_eq!(path_of(&hasher, first, i), Ok(proof));
            assert_eq!(inclusion_path_len(i, n).map(usize::try_from), Ok(Ok(siblings.len())));
            let root = model::root(&hasher, first);
            assert_eq!(verify_inclusion(&hasher, i, n, leaves[index], &siblings, root), Ok(()));

            let mut before: Vec<Hash> = path
                .iter()
                .filter(|(side, _)| *side == Side::Left)
                .map(|(_, h)| *h)
                .collect();
            before.reverse();
            assert_eq!(before, model::peaks(&hasher, &leaves[..index]), "{index} of {size}");
            let prefix_root = prefix_root_from_inclusion(&hasher, i, n, &siblings);
            assert_eq!(
                prefix_root,
                Ok(model::root(&hasher, &leaves[..index])),
                "{index} of {size}"
            );
        }
    }
}

/// The same hashes can only lead to the same root where the siblings stand on the same sides. So within its own tree a
/// proof holds at its own index only. And a root alone does not say how many leaves there are: some places in trees of
/// different sizes have the same sides. This is why a root is always certified together with its size.
#[test]
fn an_inclusion_proof_holds_exactly_where_the_sides_are_its_own() {
    let keys = keys();
    let (hasher, leaves) = (KeyedTree::log(&keys), leaves(&keys, SIZE));
    let places: Vec<(usize, usize)> = (1..=SIZE)
        .flat_map(|size| (0..size).map(move |index| (index, size)))
        .collect();
    let sides = |(index, size): (usize, usize)| -> Vec<Side> {
        model::path(&hasher, index, &leaves[..size])
            .into_iter()
            .map(|(side, _)| side)
            .collect()
    };
    let all_sides: Vec<Vec<Side>> = places.iter().map(|place| sides(*place)).collect();
    let roots: Vec<Hash> = (0..=SIZE).map(|size| model::root(&hasher, &leaves[..size])).collect();
    let mut same_sides_elsewhere = 0;
    for ((index, size), own) in places.iter().copied().zip(&all_sides) {
        let siblings = path_of(&hasher, &leaves[..size], number(index)).unwrap().siblings;
        for ((other_index, other_size), other) in places.iter().copied().zip(&all_sides) {
            let verify = |root| {
                let (i, n) = (number(other_index), number(other_size));
                verify_inclusion(&hasher, i, n, leaves[index], &siblings, root)
            };
            let same_place = (index, size) == (other_index, other_size);
            assert_eq!(
                verify(roots[size]).is_ok(),
                own == other,
                "{index} of {size}: {other_index} of {other_size}"
            );
            assert_eq!(
                verify(roots[other_size]).is_ok(),
                same_place,
                "{index} of {size}: {other_index} of {other_size}"
            );
            assert!(same_place || own != other || size != other_size);
            same_sides_elsewhere += usize::from(own == other && !same_place);
        }
    }
    assert!(same_sides_elsewhere > 0);
}

#[test]
fn an_inclusion_proof_that_is_changed_in_any_way_is_refused() {
    let keys = keys();
    let (hasher, leaves) = (KeyedTree::log(&keys), leaves(&keys, SIZE));
    for size in 1..=SIZE {
        let root = root_of(&hasher, &leaves[..size]);
        for index in 0..size {
            let siblings = path_of(&hasher, &leaves[..size], number(index)).unwrap().siblings;
            let verify = |leaf, siblings: &[Hash], root| {
                verify_inclusion(&hasher, number(index), number(size), leaf, siblings, root)
            };
            for damaged in damaged(&siblings) {
                let expected = if damaged.len() == siblings.len() {
                    ProofError::WrongRoot
                } else {
                    ProofError::WrongLength
                };
                assert_eq!(
                    verify(leaves[index], &damaged, root),
                    Err(expected),
                    "{index} of {size}"
                );
            }
            for (other, leaf) in leaves.iter().enumerate().filter(|(other, _)| *other != index) {
                assert_eq!(
                    verify(*leaf, &siblings, root),
                    Err(ProofError::WrongRoot),
                    "{index} of {size}: {other}"
                );
            }
            assert_eq!(verify(leaves[index], &siblings, Hash::ZERO), Err(ProofError::WrongRoot));
        }
    }
}

#[test]
fn places_outside_of_a_tree_are_refused_whatever_comes_with_them() {
    let keys = keys();
    let hasher = KeyedTree::log(&keys);
    let hash = Hash([1; 32]);
    for (index, size) in [
        (0, 0),
        (1, 0),
        (1, 1),
        (33, 33),
        (0, 1 << 63),
        (u64::MAX, u64::MAX),
        (u64::MAX, 0),
    ] {
        for count in 0..=64 {
            let siblings = vec![hash; count];
            assert_eq!(
                verify_inclusion(&hasher, index, size, hash, &siblings, hash),
                Err(ProofError::OutOfRange)
            );
            assert_eq!(
                prefix_root_from_inclusion(&hasher, index, size, &siblings),
                Err(ProofError::OutOfRange)
            );
        }
    }
    for (old, new) in [
        (0, 0),
        (0, 1),
        (2, 1),
        (1, 1 << 63),
        (1 << 63, 1 << 63),
        (u64::MAX, u64::MAX),
        (1, 0),
    ] {
        for count in 0..=64 {
            let refusal = verify_consistency(&hasher, old, new, &vec![hash; count], hash, hash);
            assert_eq!(refusal, Err(ProofError::OutOfRange), "{old} to {new}");
        }
    }
}

#[test]
fn consistency_proofs_are_those_of_the_definition() {
    let keys = keys();
    let (hasher, leaves) = (KeyedTree::log(&keys), leaves(&keys, SIZE));
    let roots: Vec<Hash> = (0..=SIZE).map(|size| model::root(&hasher, &leaves[..size])).collect();
    for new in 1..=SIZE {
        for old in 1..=new {
            let proof = ConsistencyProof {
                hashes: model::consistency(&hasher, old, &leaves[..new]),
            };
            let (a, b) = (number(old), number(new));
            assert_eq!(
                consistency_path(&hasher, &LeafSlice::new(&hasher, &leaves), a, b),
                Ok(proof.clone())
            );
            assert_eq!(
                verify_consistency(&hasher, a, b, &proof.hashes, roots[old], roots[new]),
                Ok(())
            );
        }
    }
}

#[test]
fn a_consistency_proof_holds_only_between_its_own_two_trees() {
    let keys = keys();
    let (hasher, leaves) = (KeyedTree::log(&keys), leaves(&keys, 20));
    let roots: Vec<Hash> = (0..=20).map(|size| model::root(&hasher, &leaves[..size])).collect();
    let pairs: Vec<(usize, usize)> = (1..=20).flat_map(|new| (1..=new).map(move |old| (old, new))).collect();
    let proofs: Vec<Vec<Hash>> = pairs
        .iter()
        .map(|(old, new)| model::consistency(&hasher, *old, &leaves[..*new]))
        .collect();
    for (proof, pair) in proofs.iter().zip(&pairs) {
        for ((old, new), own) in pairs.iter().copied().zip(&proofs) {
            let outcome = verify_consistency(&hasher, number(old), number(new), proof, roots[old], roots[new]);
            // Equal sizes have the empty proof in common; otherwise each pair has a proof of its own.
            assert_eq!(outcome.is_ok(), proof == own, "{pair:?} for {old} to {new}");
            assert_eq!(proof == own, *pair == (old, new) || (proof.is_empty() && old == new));
        }
    }
}

#[test]
fn a_consistency_proof_that_is_changed_in_any_way_is_refused() {
    let keys = keys();
    let (hasher, leaves) = (KeyedTree::log(&keys), leaves(&keys, SIZE));
    let roots: Vec<Hash> = (0..=SIZE).map(|size| model::root(&hasher, &leaves[..size])).collect();
    for new in 1..=SIZE {
        for old in 1..=new {
            let proof = model::consistency(&hasher, old, &leaves[..new]);
            let verify = |hashes: &[Hash], old_root, new_root| {
                verify_consistency(&hasher, number(old), number(new), hashes, old_root, new_root)
            };
            for damaged in damaged(&proof) {
                let refusal = verify(&damaged, roots[old], roots[new]);
                assert_eq!(
                    refusal == Err(ProofError::WrongLength),
                    damaged.len() != proof.len(),
                    "{old} to {new}"
                );
                assert!(refusal.is_err(), "{old} to {new}");
            }
            if old < new {
                assert_eq!(verify(&proof, roots[old], Hash::ZERO), Err(ProofError::WrongRoot));
                assert!(verify(&proof, roots[old], roots[old]).is_err());
                assert!(verify(&proof, roots[new], roots[new]).is_err());
                assert!(verify(&proof, roots[new], roots[old]).is_err());
            }
            assert!(verify(&proof, Hash::ZERO, roots[new]).is_err());
        }
    }
}

#[test]
fn every_range_is_proved_and_leads_to_the_frontier_behind_it() {
    let keys = keys();
    let (hasher, leaves) = (KeyedTree::log(&keys), leaves(&keys, SIZE));
    let reader = LeafSlice::new(&hasher, &leaves);
    let frontiers: Vec<Frontier> = (0..=SIZE)
        .map(|size| frontier_at(&reader, number(size)).unwrap())
        .collect();
    for size in 1..=SIZE {
        let root = model::root(&hasher, &leaves[..size]);
        for to in 1..=size {
            let last = model::path(&hasher, to - 1, &leaves[..size]);
            let right: Vec<Hash> = last
                .iter()
                .filter(|(side, _)| *side == Side::Right)
                .map(|(_, hash)| *hash)
                .collect();
            assert!(
                to < size || right.is_empty(),
                "a range to the end needs only the frontier"
            );
            for from in 0..to {
                let proof = range_path(&hasher, &reader, number(from)..number(to), number(size)).unwrap();
                assert_eq!(
                    proof,
                    RangeProof {
                        left: frontiers[from].clone(),
                        right: right.clone()
                    }
                );
                let behind = verify_range(&hasher, &proof.left, &leaves[from..to], &right, number(size), root);
                assert_eq!(behind.as_ref(), Ok(&frontiers[to]), "{from}..{to} of {size}");
            }
        }
    }
}

#[test]
fn a_range_with_a_leaf_changed_missing_added_or_moved_is_refused() {
    let keys = keys();
    let (hasher, leaves) = (KeyedTree::log(&keys), leaves(&keys, 18));
    let reader = LeafSlice::new(&hasher, &leaves);
    for size in 1..=18 {
        let root = root_of(&hasher, &leaves[..size]);
        for (from, to) in (1..=size).flat_map(|to| (0..to).map(move |from| (from, to))) {
            let proof = range_path(&hasher, &reader, number(from)..number(to), number(size)).unwrap();
            let verify = |left: &Frontier, leaves: &[Hash], right: &[Hash]| {
                verify_range(&hasher, left, leaves, right, number(size), root)
            };
            let run = &leaves[from..to];
            for damaged in damaged(run) {
                assert!(
                    verify(&proof.left, &damaged, &proof.right).is_err(),
                    "{from}..{to} of {size}"
                );
            }
            for damaged in damaged(&proof.right) {
                assert!(verify(&proof.left, run, &damaged).is_err(), "{from}..{to} of {size}");
            }
            for damaged in damaged(proof.left.peaks()) {
                if let Ok(left) = Frontier::from_parts(number(from), damaged) {
                    assert_eq!(
                        verify(&left, run, &proof.right),
                        Err(ProofError::WrongRoot),
                        "{from}..{to} of {size}"
                    );
                }
            }
            for other in (0..=size).filter(|other| *other != from) {
                let left = frontier_at(&reader, number(other)).unwrap();
                assert!(
                    verify(&left, run, &proof.right).is_err(),
                    "{from}..{to} of {size} from {other}"
                );
            }
        }
    }
}

/// Whoever withholds the end of a log can offer the hash of what is withheld. It proves the shorter range, which is
/// then known to be shorter than the certified length; it never passes for the end.
#[test]
fn a_range_cut_short_never_passes_for_one_that_reaches_the_end() {
    let keys = keys();
    let (hasher, leaves) = (KeyedTree::log(&keys), leaves(&keys, SIZE));
    let reader = LeafSlice::new(&hasher, &leaves);
    let root = root_of(&hasher, &leaves);
    for (from, to) in (1..SIZE).flat_map(|to| (0..to).map(move |from| (from, to))) {
        let left = frontier_at(&reader, number(from)).unwrap();
        let withheld = model::root(&hasher, &leaves[to..]);
        let verify = |leaves: &[Hash], right: &[Hash]| verify_range(&hasher, &left, leaves, right, number(SIZE), root);
        assert_eq!(
            verify(&leaves[from..to], &[]),
            Err(ProofError::WrongLength),
            "{from}..{to}"
        );
        let honest = range_path(&hasher, &reader, number(from)..number(to), number(SIZE)).unwrap();
        let behind = verify(&leaves[from..to], &[withheld]).ok();
        assert_eq!(behind.is_some(), honest.right == [withheld], "{from}..{to}");
        assert!(behind.is_none_or(|frontier| frontier.len() == number(to)));
        let posing_as_a_leaf = [&leaves[from..to], &[withheld]].concat();
        assert_eq!(verify(&posing_as_a_leaf, &[]).is_ok(), to + 1 == SIZE, "{from}..{to}");
    }
}

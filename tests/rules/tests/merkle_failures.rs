//! Ways in which proof verifiers failed elsewhere, each as the attack it was.

use waxwing_core::codec::{Decode, Encode};
use waxwing_core::hash::Meaning;
use waxwing_core::merkle::{
    Frontier, InclusionProof, KeyedTree, LeafSlice, ProofError, Sha256Tree, TreeHasher, path_of,
    prefix_root_from_inclusion, range_path, root_from_inclusion, root_of, verify_consistency, verify_inclusion,
    verify_range,
};
use waxwing_core::{Hash, HashKeys};

fn keys() -> HashKeys {
    HashKeys::new(Hash([3; 32]))
}

fn leaves(keys: &HashKeys, count: u64) -> Vec<Hash> {
    (0..count)
        .map(|number| keys.hash(Meaning::LogLeaf, &number.to_be_bytes()))
        .collect()
}

/// An empty proof passes only where the tree is the leaf, or the two trees are one.
#[test]
fn an_empty_proof_proves_nothing_about_a_larger_tree() {
    let keys = keys();
    let (hasher, leaves) = (KeyedTree::log(&keys), leaves(&keys, 9));
    for (size, root) in (1..=9).map(|size: usize| (size, root_of(&hasher, &leaves[..size]))) {
        let size = u64::try_from(size).unwrap();
        for index in 0..size {
            let outcome = verify_inclusion(&hasher, index, size, root, &[], root);
            assert_eq!(outcome.is_ok(), size == 1, "even the root itself is no leaf of {size}");
        }
        for old in 0..size {
            assert!(
                verify_consistency(&hasher, old, size, &[], root, root).is_err(),
                "{old} to {size}"
            );
        }
        assert!(verify_range(&hasher, &Frontier::empty(), &[], &[], size, root).is_err());
    }
    assert_eq!(
        verify_inclusion(&hasher, 0, 0, Hash::ZERO, &[], hasher.empty()),
        Err(ProofError::OutOfRange)
    );
    assert_eq!(
        verify_consistency(&hasher, 0, 0, &[], Hash::ZERO, Hash::ZERO),
        Err(ProofError::OutOfRange)
    );
    assert!(verify_range(&hasher, &Frontier::empty(), &[], &[], 0, hasher.empty()).is_err());
}

/// A verifier that stops at the root and ignores the rest lets anybody smuggle bytes along and make two proofs of one.
#[test]
fn siblings_that_are_not_needed_are_refused() {
    let keys = keys();
    let (hasher, leaves) = (KeyedTree::log(&keys), leaves(&keys, 6));
    let root = root_of(&hasher, &leaves);
    let mut siblings = path_of(&hasher, &leaves, 5).unwrap().siblings;
    assert_eq!(verify_inclusion(&hasher, 5, 6, leaves[5], &siblings, root), Ok(()));
    for extra in 1..70 {
        siblings.push(Hash::ZERO);
        assert_eq!(
            verify_inclusion(&hasher, 5, 6, leaves[5], &siblings, root),
            Err(ProofError::WrongLength),
            "{extra}"
        );
        assert_eq!(
            prefix_root_from_inclusion(&hasher, 5, 6, &siblings),
            Err(ProofError::WrongLength),
            "{extra}"
        );
    }
    let range = range_path(&hasher, &LeafSlice::new(&hasher, &leaves), 1..3, 6).unwrap();
    let right = [&range.right[..], &[Hash::ZERO]].concat();
    let outcome = verify_range(&hasher, &range.left, &leaves[1..3], &right, 6, root);
    assert_eq!(outcome, Err(ProofError::WrongLength));
}

/// Bytes behind a proof, or a count that does not fit its hashes, are refused before it is a proof.
#[test]
fn an_encoded_proof_has_no_room_for_other_bytes() {
    let proof = InclusionProof {
        siblings: vec![Hash([1; 32]); 3],
    };
    let bytes = proof.to_bytes();
    assert!(InclusionProof::from_bytes(&bytes).is_ok());
    for length in 0..bytes.len() {
        assert!(InclusionProof::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
    }
    assert!(InclusionProof::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
    for count in [0_u32, 1, 2, 4, 64, 65, u32::MAX] {
        let recounted = [&count.to_be_bytes(), &bytes[4..]].concat();
        assert!(InclusionProof::from_bytes(&recounted).is_err(), "{count} hashes");
    }
}

/// Cut at the bottom, a path still leads from an inner node to the root; cut at the top, from the leaf to an inner
/// node.
#[test]
fn a_truncated_path_is_refused_at_both_ends() {
    let keys = keys();
    let (hasher, leaves) = (KeyedTree::log(&keys), leaves(&keys, 8));
    let root = root_of(&hasher, &leaves);
    let siblings = path_of(&hasher, &leaves, 5).unwrap().siblings;
    let pair = hasher.node(&leaves[4], &leaves[5]);
    let half = root_of(&hasher, &leaves[4..]);
    assert_eq!(
        verify_inclusion(&hasher, 5, 8, pair, &siblings[1..], root),
        Err(ProofError::WrongLength)
    );
    assert_eq!(
        verify_inclusion(&hasher, 5, 8, leaves[5], &siblings[..2], half),
        Err(ProofError::WrongLength)
    );
}

/// The classic second preimage: an inner node is shown as a leaf of a smaller tree. The path is a true one, and only
/// the leaf's own hash, under a prefix or key that no node has, tells it apart: no data hashes to that "leaf".
#[test]
fn an_inner_node_is_the_hash_of_no_leaf() {
    let keys = keys();
    let log_leaf = |data: &[u8]| keys.hash(Meaning::LogLeaf, data);
    node_is_no_leaf(&KeyedTree::log(&keys), log_leaf);
    node_is_no_leaf(&KeyedTree::block(&keys), |data| keys.hash(Meaning::BlockLeaf, data));
    node_is_no_leaf(&Sha256Tree, |data| Sha256Tree.leaf_hash(data));
}

fn node_is_no_leaf(hasher: &impl TreeHasher, leaf_hash: impl Fn(&[u8]) -> Hash) {
    let leaves = [leaf_hash(b"a"), leaf_hash(b"b"), leaf_hash(b"c"), leaf_hash(b"d")];
    let [a, b, c, d] = &leaves;
    let (left, right) = (hasher.node(a, b), hasher.node(c, d));
    let root = root_of(hasher, &leaves);
    assert_eq!(
        verify_inclusion(hasher, 0, 2, left, &[right], root),
        Ok(()),
        "as hashes alone they are a tree of two"
    );
    let data = [a.0, b.0].concat();
    for prefix in [&[][..], &[0x00], &[0x01]] {
        let shown = leaf_hash(&[prefix, &data].concat());
        assert_ne!(shown, left);
        assert_eq!(
            verify_inclusion(hasher, 0, 2, shown, &[right], root),
            Err(ProofError::WrongRoot)
        );
    }
    // With the certified size of four the same attempt does not even have a path.
    assert_eq!(
        verify_inclusion(hasher, 0, 4, left, &[right], root),
        Err(ProofError::WrongLength)
    );
}

/// The other way round: a leaf is shown as a subtree of two, with children to follow for whoever asks.
#[test]
fn a_leaf_is_the_hash_of_no_two_children() {
    let keys = keys();
    let hasher = KeyedTree::log(&keys);
    let (x, y) = (Hash([1; 32]), Hash([2; 32]));
    let leaf = keys.hash(Meaning::LogLeaf, &[x.0, y.0].concat());
    let other = keys.hash(Meaning::LogLeaf, b"other");
    let root = root_of(&hasher, &[leaf, other]);
    assert_eq!(verify_inclusion(&hasher, 0, 2, leaf, &[other], root), Ok(()));
    for size in [3, 4] {
        assert_eq!(
            verify_inclusion(&hasher, 0, size, x, &[y, other], root),
            Err(ProofError::WrongRoot),
            "{size}"
        );
    }
}

/// Where an odd leaf is paired with itself (CVE-2012-2459), lists of different length have one root. Here all lists
/// over two leaves have different roots, repeated ones included.
#[test]
fn no_two_lists_of_leaves_have_the_same_root() {
    let keys = keys();
    let (hasher, leaves) = (KeyedTree::log(&keys), leaves(&keys, 2));
    let mut roots = Vec::new();
    for length in 0..=10_u32 {
        for bits in 0..1_u32 << length {
            let list: Vec<Hash> = (0..length)
                .map(|bit| leaves[usize::from((bits >> bit) & 1 == 1)])
                .collect();
            roots.push(root_of(&hasher, &list));
        }
    }
    let count = roots.len();
    roots.sort_unstable();
    roots.dedup();
    assert_eq!((roots.len(), count), (2047, 2047));
}

/// Proofs, roots and frontiers of one kind of tree or one network mean nothing in another.
#[test]
fn a_proof_of_one_kind_of_tree_or_network_is_refused_in_every_other() {
    let (ours, theirs) = (keys(), HashKeys::new(Hash([4; 32])));
    let leaves = leaves(&ours, 5);
    let hasher = KeyedTree::log(&ours);
    let (root, siblings) = (
        root_of(&hasher, &leaves),
        path_of(&hasher, &leaves, 2).unwrap().siblings,
    );
    assert_eq!(root_from_inclusion(&hasher, 2, 5, leaves[2], &siblings), Ok(root));
    assert_ne!(
        root_from_inclusion(&KeyedTree::block(&ours), 2, 5, leaves[2], &siblings),
        Ok(root)
    );
    assert_ne!(
        root_from_inclusion(&KeyedTree::log(&theirs), 2, 5, leaves[2], &siblings),
        Ok(root)
    );
    assert_ne!(root_from_inclusion(&Sha256Tree, 2, 5, leaves[2], &siblings), Ok(root));
}

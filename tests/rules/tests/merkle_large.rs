//! The Merkle tree at sizes that no list reaches, and at random ones.
//!
//! A tree of nearly 2^63 leaves can be read node by node when all of its leaves but one are alike. That is enough for
//! the laws: generated proofs verify, the frontier before and after fits, and a neighbour's place is refused.

use core::convert::Infallible;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::hash::Meaning;
use waxwing_core::merkle::{
    ConsistencyProof, Frontier, InclusionProof, KeyedTree, LEAVES_MAX, LeafSlice, NodeReader, RangeProof, TreeHasher,
    consistency_path, frontier_at, inclusion_path, inclusion_path_len, prefix_root_from_inclusion, range_path, root_of,
    verify_consistency, verify_inclusion, verify_range,
};
use waxwing_core::{Hash, HashKeys};
use waxwing_rules::model::tree as model;

fn keys() -> HashKeys {
    HashKeys::new(Hash([9; 32]))
}

/// All leaves are [`Alike::COMMON`] but the one at `special`.
struct Alike {
    size: u64,
    special: u64,
    /// By level: the subtree of common leaves, and the one that holds the special leaf.
    nodes: Vec<(Hash, Hash)>,
}

impl Alike {
    const COMMON: Hash = Hash([1; 32]);
    const SPECIAL: Hash = Hash([2; 32]);

    fn new(hasher: &impl TreeHasher, size: u64, special: u64) -> Self {
        let mut nodes = vec![(Self::COMMON, Self::SPECIAL)];
        let (mut common, mut with) = (Self::COMMON, Self::SPECIAL);
        for level in 0..62 {
            with = if (special >> level) & 1 == 1 {
                hasher.node(&common, &with)
            } else {
                hasher.node(&with, &common)
            };
            common = hasher.node(&common, &common);
            nodes.push((common, with));
        }
        Self { size, special, nodes }
    }

    fn leaf(&self, index: u64) -> Hash {
        if index == self.special {
            Self::SPECIAL
        } else {
            Self::COMMON
        }
    }
}

impl NodeReader for Alike {
    type Error = Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Infallible> {
        assert!(
            index < self.size >> level,
            "({level},{index}) is not complete among {}",
            self.size
        );
        let (common, with) = self
            .nodes
            .get(usize::from(level))
            .expect("a complete subtree has at most 2^62 leaves");
        Ok(if index == self.special >> level { *with } else { *common })
    }
}

/// Sizes from one to the largest, small and large ones, and those near powers of two.
fn size() -> impl Strategy<Value = u64> {
    prop_oneof![
        (0..63_u32, any::<u64>()).prop_map(|(bits, random)| (random >> (63 - bits).min(63)).clamp(1, LEAVES_MAX)),
        (0..63_u32, -2..=2_i64).prop_map(|(bit, off)| (1_u64 << bit).saturating_add_signed(off).clamp(1, LEAVES_MAX)),
        Just(LEAVES_MAX),
    ]
}

/// A size and two places in it.
fn places() -> impl Strategy<Value = (u64, u64, u64)> {
    size().prop_flat_map(|size| (Just(size), 0..size, 0..size))
}

/// A frontier, a counted list or both; with the right number of hashes or another, and sometimes bytes too many.
fn nearly_encoded() -> impl Strategy<Value = Vec<u8>> {
    let hashes = |right: usize| {
        let count = prop_oneof![4 => Just(right), 1 => 0..5_usize];
        count.prop_flat_map(|count| vec(any::<u8>(), 32 * count))
    };
    let frontier = (0..16_u64).prop_flat_map(move |len| {
        let peaks = hashes(usize::try_from(len.count_ones()).expect("a few"));
        peaks.prop_map(move |peaks| [&len.to_be_bytes()[..], &peaks].concat())
    });
    let list = (0..5_usize).prop_flat_map(move |count| {
        let counted = u32::try_from(count).expect("a few").to_be_bytes();
        hashes(count).prop_map(move |hashes| [&counted[..], &hashes].concat())
    });
    let frontier = prop_oneof![Just(Vec::new()), frontier];
    let list = prop_oneof![1 => Just(Vec::new()), 2 => list];
    let rest = prop_oneof![8 => Just(Vec::new()), 1 => vec(any::<u8>(), 1..40)];
    (frontier, list, rest).prop_map(|(frontier, list, rest)| [frontier, list, rest].concat())
}

proptest! {
    #[test]
    fn an_inclusion_proof_of_any_size_verifies_at_its_place_and_not_beside_it((size, index, special) in places()) {
        let keys = keys();
        let hasher = KeyedTree::log(&keys);
        let tree = Alike::new(&hasher, size, special);
        let root = frontier_at(&tree, size).unwrap().root(&hasher);
        for index in [index, special] {
            let siblings = inclusion_path(&hasher, &tree, index, size).unwrap().siblings;
            prop_assert_eq!(inclusion_path_len(index, size).map(usize::try_from), Ok(Ok(siblings.len())));
            prop_assert!(siblings.len() <= 63);
            prop_assert_eq!(verify_inclusion(&hasher, index, size, tree.leaf(index), &siblings, root), Ok(()));
            let before = frontier_at(&tree, index).unwrap().root(&hasher);
            prop_assert_eq!(prefix_root_from_inclusion(&hasher, index, size, &siblings), Ok(before));
        }
        let siblings = inclusion_path(&hasher, &tree, special, size).unwrap().siblings;
        for other in [index, special.wrapping_sub(1), special + 1, special ^ 1].into_iter().filter(|i| *i != special) {
            prop_assert!(verify_inclusion(&hasher, other, size, Alike::SPECIAL, &siblings, root).is_err());
        }
    }

    #[test]
    fn appending_leads_from_the_frontier_of_any_size_to_the_next((size, index, special) in places()) {
        let keys = keys();
        let hasher = KeyedTree::log(&keys);
        let tree = Alike::new(&hasher, size, special);
        for at in [index, special] {
            let mut frontier = frontier_at(&tree, at).unwrap();
            let mut told = Vec::new();
            frontier.append_with(&hasher, tree.leaf(at), |level, index, hash| told.push((level, index, hash)));
            prop_assert_eq!(&frontier, &frontier_at(&tree, at + 1).unwrap());
            prop_assert_eq!(told.len(), usize::try_from((at + 1).trailing_zeros()).unwrap());
            for (level, index, hash) in told {
                prop_assert_eq!(tree.node(level, index), Ok(hash));
            }
        }
    }

    #[test]
    fn a_consistency_proof_of_any_sizes_verifies_and_not_for_another_leaf((size, old, special) in places()) {
        let keys = keys();
        let hasher = KeyedTree::log(&keys);
        let (tree, old) = (Alike::new(&hasher, size, special), old + 1);
        let root = |tree: &Alike, size| frontier_at(tree, size).unwrap().root(&hasher);
        let proof = consistency_path(&hasher, &tree, old, size).unwrap();
        prop_assert!(proof.hashes.len() <= 64);
        let (old_root, new_root) = (root(&tree, old), root(&tree, size));
        prop_assert_eq!(verify_consistency(&hasher, old, size, &proof.hashes, old_root, new_root), Ok(()));
        let moved = Alike::new(&hasher, size, if special == 0 { size } else { special - 1 });
        let moved_root = root(&moved, size);
        prop_assert!(verify_consistency(&hasher, old, size, &proof.hashes, old_root, moved_root).is_err());
    }

    #[test]
    fn a_range_anywhere_verifies_and_not_with_the_special_leaf_moved(
        (size, last, _) in places(),
        count in 1..40_u64,
        at in any::<proptest::sample::Index>(),
    ) {
        let keys = keys();
        let hasher = KeyedTree::log(&keys);
        let (from, to) = ((last + 1).saturating_sub(count), last + 1);
        let mut leaves = vec![Alike::COMMON; usize::try_from(to - from).unwrap()];
        let at = at.index(leaves.len());
        leaves[at] = Alike::SPECIAL;
        let tree = Alike::new(&hasher, size, from + u64::try_from(at).unwrap());
        let root = frontier_at(&tree, size).unwrap().root(&hasher);
        let proof = range_path(&hasher, &tree, from..to, size).unwrap();
        let behind = verify_range(&hasher, &proof.left, &leaves, &proof.right, size, root);
        prop_assert_eq!(behind, Ok(frontier_at(&tree, to).unwrap()));
        if leaves.len() > 1 {
            leaves.rotate_left(1);
            prop_assert!(verify_range(&hasher, &proof.left, &leaves, &proof.right, size, root).is_err());
        }
        leaves.pop();
        prop_assert!(verify_range(&hasher, &proof.left, &leaves, &proof.right, size, root).is_err());
    }

    #[test]
    fn trees_of_some_thousand_leaves_are_those_of_the_definition(
        seed in any::<[u8; 32]>(),
        count in 1..3000_usize,
        one in any::<proptest::sample::Index>(),
        two in any::<proptest::sample::Index>(),
    ) {
        let keys = HashKeys::new(Hash(seed));
        let hasher = KeyedTree::block(&keys);
        let leaves: Vec<Hash> = (0..count).map(|n| keys.hash(Meaning::BlockLeaf, &n.to_be_bytes())).collect();
        let reader = LeafSlice::new(&hasher, &leaves);
        let size = u64::try_from(count).unwrap();
        prop_assert_eq!(root_of(&hasher, &leaves), model::root(&hasher, &leaves));
        let index = one.index(count);
        let expected: Vec<Hash> = model::path(&hasher, index, &leaves).into_iter().map(|(_, hash)| hash).collect();
        let proof = inclusion_path(&hasher, &reader, u64::try_from(index).unwrap(), size).unwrap();
        prop_assert_eq!(proof.siblings, expected);
        let old = two.index(count) + 1;
        let proof = consistency_path(&hasher, &reader, u64::try_from(old).unwrap(), size).unwrap();
        prop_assert_eq!(proof.hashes, model::consistency(&hasher, old, &leaves));
    }

    /// How a store works: of what appending tells it, it keeps the leaves and every fourth level, and recomputes the
    /// rest.
    #[test]
    fn keeping_every_fourth_level_is_enough_to_read_every_node(count in 1..1500_u64, seed in any::<u64>()) {
        let keys = keys();
        let hasher = KeyedTree::log(&keys);
        let mut kept = EveryFourth { hasher, nodes: BTreeMap::new() };
        let mut frontier = Frontier::empty();
        let mut leaves = Vec::new();
        for number in 0..count {
            let leaf = keys.hash(Meaning::LogLeaf, &[seed.to_be_bytes(), number.to_be_bytes()].concat());
            leaves.push(leaf);
            kept.nodes.insert((0, number), leaf);
            frontier.append_with(&hasher, leaf, |level, index, hash| {
                if level.is_multiple_of(4) {
                    kept.nodes.insert((level, index), hash);
                }
            });
        }
        prop_assert_eq!(frontier_at(&kept, count).unwrap(), frontier);
        let whole = LeafSlice::new(&hasher, &leaves);
        for index in [0, count / 3, count - 1] {
            let expected = inclusion_path(&hasher, &whole, index, count).unwrap();
            prop_assert_eq!(inclusion_path(&hasher, &kept, index, count).unwrap(), expected);
        }
    }

    #[test]
    fn whatever_decodes_encodes_to_the_same_bytes(bytes in nearly_encoded()) {
        if let Ok(value) = Frontier::from_bytes(&bytes) {
            prop_assert_eq!(value.to_bytes(), bytes.clone());
        }
        if let Ok(value) = InclusionProof::from_bytes(&bytes) {
            prop_assert_eq!(value.to_bytes(), bytes.clone());
        }
        if let Ok(value) = ConsistencyProof::from_bytes(&bytes) {
            prop_assert_eq!(value.to_bytes(), bytes.clone());
        }
        if let Ok(value) = RangeProof::from_bytes(&bytes) {
            prop_assert_eq!(value.to_bytes(), bytes);
        }
    }

    #[test]
    fn proofs_and_frontiers_are_read_back(len in 0..=LEAVES_MAX, hashes in vec(any::<[u8; 32]>(), 0..=64)) {
        let hashes: Vec<Hash> = hashes.into_iter().map(Hash).collect();
        let peaks = (0..len.count_ones()).map(|n| Hash([u8::try_from(n).unwrap(); 32])).collect();
        let left = Frontier::from_parts(len, peaks).unwrap();
        prop_assert_eq!(Frontier::from_bytes(&left.to_bytes()), Ok(left.clone()));
        let range = RangeProof { left, right: hashes.clone() };
        prop_assert_eq!(RangeProof::from_bytes(&range.to_bytes()), Ok(range));
        let inclusion = InclusionProof { siblings: hashes.clone() };
        prop_assert_eq!(InclusionProof::from_bytes(&inclusion.to_bytes()), Ok(inclusion));
        let consistency = ConsistencyProof { hashes };
        prop_assert_eq!(ConsistencyProof::from_bytes(&consistency.to_bytes()), Ok(consistency));
    }
}

struct EveryFourth<'a> {
    hasher: KeyedTree<'a>,
    nodes: BTreeMap<(u8, u64), Hash>,
}

impl NodeReader for EveryFourth<'_> {
    type Error = (u8, u64);

    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        match self.nodes.get(&(level, index)) {
            Some(hash) => Ok(*hash),
            None if level.is_multiple_of(4) => Err((level, index)),
            None => Ok(self
                .hasher
                .node(&self.node(level - 1, 2 * index)?, &self.node(level - 1, 2 * index + 1)?)),
        }
    }
}

//! Merkle trees: roots, frontiers, and proofs of inclusion, growth and ranges.

use serde_json::{Value, json};
use waxwing_core::codec::Encode;
use waxwing_core::hash::{Hash, HashKeys, Meaning};
use waxwing_core::merkle::{
    Frontier, KeyedTree, LEAVES_MAX, LeafSlice, consistency_path, frontier_at, path_of, range_path, root_of,
};

use crate::case::{Cases, hex};

const NETWORK: Hash = Hash([0xaa; 32]);

fn leaves(keys: &HashKeys) -> Vec<Hash> {
    (0..13_u64)
        .map(|number| keys.hash(Meaning::LogLeaf, &number.to_be_bytes()))
        .collect()
}

fn hashes(list: &[Hash]) -> Value {
    list.iter().map(|hash| hex(hash.0)).collect()
}

struct Tree {
    keys: HashKeys,
    leaves: Vec<Hash>,
}

impl Tree {
    fn root(&self, size: usize) -> Hash {
        root_of(&KeyedTree::log(&self.keys), &self.leaves[..size])
    }
}

pub(crate) fn cases() -> Cases {
    let story = "The tree of RFC 6962 under keyed BLAKE3 (log, block) and SHA-256 (history). Leaf number n of the log \
        tree is the log leaf hash of n as eight bytes.";
    let shared = json!({"network": hex(NETWORK.0), "tree": "log"});
    let mut cases = Cases::new(story, shared);
    let keys = HashKeys::new(NETWORK);
    let tree = Tree {
        leaves: leaves(&keys),
        keys,
    };
    roots(&mut cases, &tree);
    frontiers(&mut cases, &tree);
    inclusion(&mut cases, &tree);
    consistency(&mut cases, &tree);
    ranges(&mut cases, &tree);
    cases
}

fn roots(cases: &mut Cases, tree: &Tree) {
    for name in ["log", "block", "sha-256"] {
        for size in [0, 1, 2, 3, 7, 13] {
            let given = json!({"tree": name, "leaves": hashes(&tree.leaves[..size])});
            cases.accept(&format!("{name} root of {size}"), "root", given);
        }
    }
}

fn frontiers(cases: &mut Cases, tree: &Tree) {
    let hasher = KeyedTree::log(&tree.keys);
    for size in [0, 1, 7, 13] {
        let frontier = frontier_at(&LeafSlice::new(&hasher, &tree.leaves), size).unwrap();
        let given = json!({"bytes": hex(frontier.to_bytes())});
        cases.accept(&format!("frontier of {size}"), "frontier", given);
    }
    let seven = frontier_at(&LeafSlice::new(&hasher, &tree.leaves), 7).unwrap();
    cases.cut_and_extended("frontier", &seven.to_bytes());
    let too_long = json!({"bytes": hex((LEAVES_MAX + 1).to_be_bytes())});
    cases.refuse(
        "Codec(BadValue)",
        "a frontier is shorter than 2^63",
        "frontier",
        too_long,
    );
}

fn inclusion(cases: &mut Cases, tree: &Tree) {
    let hasher = KeyedTree::log(&tree.keys);
    let path = path_of(&hasher, &tree.leaves[..7], 4).unwrap().siblings;
    let given = |index, size, leaf, siblings: &[Hash]| place_of_seven(tree, index, size, leaf, siblings);
    let (leaf, check) = (tree.leaves[4], "inclusion");
    cases.accept("leaf 4 of 7", check, given(4, 7, leaf, &path));
    let root = json!({"index": 4, "size": 7, "siblings": hashes(&path)});
    cases.accept("the left siblings of leaf 4 lead to the root of 4", "prefix root", root);
    let only = json!({"index": 0, "size": 1, "leaf": hex(leaf.0), "siblings": [], "root": hex(leaf.0)});
    cases.accept("the only leaf is the root", check, only);
    broken_paths(cases, tree, &path);
    let proof = path_of(&hasher, &tree.leaves[..7], 4).unwrap();
    cases.cut_and_extended("inclusion proof", &proof.to_bytes());
    let too_many = [&65_u32.to_be_bytes()[..], &[0; 65 * 32]].concat();
    let given = json!({"format": "inclusion proof", "bytes": hex(too_many)});
    cases.refuse("Codec(TooLong)", "a path has at most 64 hashes", "decode", given);
}

fn place_of_seven(tree: &Tree, index: u64, size: u64, leaf: Hash, siblings: &[Hash]) -> Value {
    json!({"index": index, "size": size, "leaf": hex(leaf.0), "siblings": hashes(siblings),
        "root": hex(tree.root(7).0)})
}

fn broken_paths(cases: &mut Cases, tree: &Tree, path: &[Hash]) {
    let given = |index, size, leaf, siblings: &[Hash]| place_of_seven(tree, index, size, leaf, siblings);
    let (leaf, check) = (tree.leaves[4], "inclusion");
    cases.refuse(
        "OutOfRange",
        "an index is below the size",
        check,
        given(7, 7, leaf, path),
    );
    cases.refuse(
        "OutOfRange",
        "nothing is in an empty tree",
        check,
        given(0, 0, leaf, &[]),
    );
    let vast = given(4, LEAVES_MAX + 1, leaf, path);
    cases.refuse("OutOfRange", "a tree is smaller than 2^63", check, vast);
    let longer = [path, &[Hash::ZERO]].concat();
    cases.refuse(
        "WrongLength",
        "every sibling is used",
        check,
        given(4, 7, leaf, &longer),
    );
    cases.refuse(
        "WrongLength",
        "no sibling is missing",
        check,
        given(4, 7, leaf, &path[1..]),
    );
    cases.refuse(
        "WrongLength",
        "an empty path proves nothing",
        check,
        given(4, 7, leaf, &[]),
    );
    cases.refuse(
        "WrongRoot",
        "a leaf stands at its own index",
        check,
        given(5, 7, leaf, path),
    );
    let other = tree.leaves[5];
    cases.refuse(
        "WrongRoot",
        "the leaf is the one proven",
        check,
        given(4, 7, other, path),
    );
    let pair = tree.keys.node(Meaning::LogNode, &tree.leaves[4], &tree.leaves[5]);
    cases.refuse("WrongLength", "a node is no leaf", check, given(4, 7, pair, &path[1..]));
}

fn consistency(cases: &mut Cases, tree: &Tree) {
    let hasher = KeyedTree::log(&tree.keys);
    let proof = |old, new| {
        consistency_path(&hasher, &LeafSlice::new(&hasher, &tree.leaves), old, new)
            .unwrap()
            .hashes
    };
    let given = |old: u64, new: u64, hashes_: &[Hash], old_root: Hash, new_root: Hash| {
        json!({"old size": old, "new size": new, "hashes": hashes(hashes_), "old root": hex(old_root.0),
            "new root": hex(new_root.0)})
    };
    let check = "consistency";
    for (old, new) in [(1, 13), (4, 13), (6, 11), (8, 8), (7, 8)] {
        let roots = (tree.root(old), tree.root(new));
        let (old, new) = (u64::try_from(old).unwrap(), u64::try_from(new).unwrap());
        let given = given(old, new, &proof(old, new), roots.0, roots.1);
        cases.accept(&format!("from {old} to {new}"), check, given);
    }
    let (good, six, eleven) = (proof(6, 11), tree.root(6), tree.root(11));
    let empty = given(0, 11, &[], Hash::ZERO, eleven);
    cases.refuse("OutOfRange", "an empty tree proves no growth", check, empty);
    let shrunk = given(11, 6, &good, eleven, six);
    cases.refuse("OutOfRange", "a tree does not shrink", check, shrunk);
    let cut = given(6, 11, &good[1..], six, eleven);
    cases.refuse("WrongLength", "no hash of growth is missing", check, cut);
    let nothing = given(6, 11, &[], six, eleven);
    cases.refuse("WrongLength", "an empty proof proves no growth", check, nothing);
    let other_old = given(6, 11, &good, tree.root(5), eleven);
    cases.refuse("WrongPrefix", "the old root is the one held", check, other_old);
    let other_new = given(6, 11, &good, six, tree.root(10));
    cases.refuse("WrongRoot", "the new root is the one certified", check, other_new);
}

fn ranges(cases: &mut Cases, tree: &Tree) {
    let hasher = KeyedTree::log(&tree.keys);
    let reader = LeafSlice::new(&hasher, &tree.leaves);
    let proof = range_path(&hasher, &reader, 3..6, 13).unwrap();
    let given = |left: &Frontier, leaves: &[Hash], right: &[Hash]| {
        json!({"left": hex(left.to_bytes()), "leaves": hashes(leaves), "right": hashes(right), "size": 13,
            "root": hex(tree.root(13).0)})
    };
    let check = "range";
    let (left, right) = (&proof.left, &proof.right[..]);
    cases.accept("leaves 3 to 5 of 13", check, given(left, &tree.leaves[3..6], right));
    let tail = frontier_at(&reader, 9).unwrap();
    cases.accept(
        "a range to the end needs no right siblings",
        check,
        given(&tail, &tree.leaves[9..], &[]),
    );
    cases.refuse("OutOfRange", "a range has leaves", check, given(left, &[], right));
    let beyond = [&tree.leaves[9..], &[Hash::ZERO]].concat();
    cases.refuse(
        "OutOfRange",
        "a range ends within the tree",
        check,
        given(&tail, &beyond, &[]),
    );
    cases.refuse(
        "WrongLength",
        "a range to the end is not cut short",
        check,
        given(&tail, &tree.leaves[9..12], &[]),
    );
    let extra = [right, &[Hash::ZERO]].concat();
    cases.refuse(
        "WrongLength",
        "every right sibling is used",
        check,
        given(left, &tree.leaves[3..6], &extra),
    );
    let swapped = [tree.leaves[4], tree.leaves[3], tree.leaves[5]];
    cases.refuse(
        "WrongRoot",
        "leaves stand in their order",
        check,
        given(left, &swapped, right),
    );
    let moved = given(&frontier_at(&reader, 2).unwrap(), &tree.leaves[3..6], right);
    cases.refuse("WrongLength", "a range follows its frontier", check, moved);
    cases.cut_and_extended("range proof", &proof.to_bytes());
    let grown = consistency_path(&hasher, &reader, 6, 11).unwrap();
    cases.cut_and_extended("consistency proof", &grown.to_bytes());
}

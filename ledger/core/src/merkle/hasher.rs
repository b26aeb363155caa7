//! How two children become their parent.

use crate::hash::{HASH_BYTES, Hash, HashKeys, Meaning};
use sha2::{Digest, Sha256};

/// The node hash of one kind of tree.
///
/// Leaf hashes are made elsewhere, under a key or prefix that no node uses; otherwise an inner node could be passed off
/// as a leaf and the other way round.
pub trait TreeHasher {
    /// The parent of two children.
    fn node(&self, left: &Hash, right: &Hash) -> Hash;

    /// The root of a tree without leaves.
    fn empty(&self) -> Hash;
}

/// SHA-256 as in RFC 6962, section 2.1: leaves prefixed with 0x00, nodes with 0x01. The history tree, so that the tools
/// of the transparency world work on it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Sha256Tree;

impl Sha256Tree {
    /// The leaf hash of `data`.
    #[must_use]
    pub fn leaf_hash(&self, data: &[u8]) -> Hash {
        Hash(Sha256::new_with_prefix([0x00]).chain_update(data).finalize().into())
    }
}

impl TreeHasher for Sha256Tree {
    fn node(&self, left: &Hash, right: &Hash) -> Hash {
        let mut bytes = [0x01; 1 + 2 * HASH_BYTES];
        let (_, children) = bytes.split_at_mut(1);
        let (first, second) = children.split_at_mut(HASH_BYTES);
        first.copy_from_slice(&left.0);
        second.copy_from_slice(&right.0);
        Hash(Sha256::digest(bytes).into())
    }

    fn empty(&self) -> Hash {
        Hash(Sha256::digest([]).into())
    }
}

/// Keyed BLAKE3, one compression a node: logs and blocks. Only the meanings that are nodes can be chosen.
#[derive(Clone, Copy, Debug)]
pub struct KeyedTree<'a> {
    keys: &'a HashKeys,
    meaning: Meaning,
}

impl<'a> KeyedTree<'a> {
    /// The tree of a log's entries; its leaves are hashed as [`Meaning::LogLeaf`].
    #[must_use]
    pub const fn log(keys: &'a HashKeys) -> Self {
        Self {
            keys,
            meaning: Meaning::LogNode,
        }
    }

    /// The tree of a block's entries; its leaves are hashed as [`Meaning::BlockLeaf`].
    #[must_use]
    pub const fn block(keys: &'a HashKeys) -> Self {
        Self {
            keys,
            meaning: Meaning::BlockNode,
        }
    }
}

impl TreeHasher for KeyedTree<'_> {
    fn node(&self, left: &Hash, right: &Hash) -> Hash {
        self.keys.node(self.meaning, left, right)
    }

    fn empty(&self) -> Hash {
        Hash::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_rfc_6962_leaf_is_never_a_node() {
        let (left, right) = (Sha256Tree.leaf_hash(b"left"), Sha256Tree.leaf_hash(b"right"));
        let node = Sha256Tree.node(&left, &right);
        assert_ne!(Sha256Tree.leaf_hash(&[left.0, right.0].concat()), node);
        let prefixed = [&[0x01][..], &left.0, &right.0].concat();
        assert_eq!(Hash(Sha256::digest(&prefixed).into()), node);
        assert_ne!(Sha256Tree.leaf_hash(&prefixed), node);
    }

    #[test]
    fn nodes_of_logs_blocks_and_leaves_hash_under_different_keys() {
        let keys = HashKeys::new(Hash([1; 32]));
        let (left, right) = (Hash([2; 32]), Hash([3; 32]));
        let both = [left.0, right.0].concat();
        let log = KeyedTree::log(&keys).node(&left, &right);
        assert_eq!(log, keys.hash(Meaning::LogNode, &both));
        assert_ne!(log, KeyedTree::block(&keys).node(&left, &right));
        assert_ne!(log, keys.hash(Meaning::LogLeaf, &both));
        assert_ne!(log, KeyedTree::log(&keys).node(&right, &left));
    }
}

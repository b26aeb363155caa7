//! The log map: where every log stands, under one hash in every header.
//!
//! A header must say of each of a million logs how long it is and what its root is, and a client must be able to check
//! one of them, or that there is none, with some 700 bytes. Without it a node could show one client a log of 90
//! entries and another the same log of 80: both would recompute, and both would be content.
//!
//! ```text
//!              root                  a binary trie over map keys, most significant bit first
//!            0/    \1                map key  = keyed_hash(map key, LogId): nobody chooses its place cheaply
//!           *       L3               leaf     = keyed_hash(map leaf, LogId, length, root, last height)
//!         0/ \1                      node     = keyed_hash(map node, left, right)
//!     ZERO    *                      empty    = zeros
//!           0/ \1                    one leaf = that leaf, whatever the depth (L3 above)
//!          L1   L2
//! ```
//!
//! A subtree that holds one leaf is that leaf; two leaves that share a prefix hang below one node for each shared bit,
//! whose other child is zeros. So the root depends on the content alone, never on the order in which it came, and two
//! nodes that agree on the logs agree on the root. Logs are never removed. `// SPEC 6`
//!
//! [`LogMap`] holds the map in memory and changes it in two steps, [`LogMap::plan`] and [`LogMap::apply`], because a
//! block must be durable between them. [`MapProof`] is what a client checks.

mod proof;
mod trie;

pub use proof::{MAP_PROOF_BYTES_MAX, MapPath, MapProof, MapProofError, PathToOther, ProofEnd, WrongLeaf};
pub use trie::{LogMap, MapError, MapStep};

use crate::codec::{CodecError, Decode, Encode, Reader};
use crate::hash::{Hash, HashKeys, Meaning};

/// Bytes of an encoded [`MapLeaf`].
pub const MAP_LEAF_BYTES: usize = 80;

/// Where one log stands: the content of a leaf of the log map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MapLeaf {
    /// The log's id, which is a public key.
    pub log: Hash,
    /// Number of entries.
    pub length: u64,
    /// Root of the log's Merkle tree at that length.
    pub root: Hash,
    /// Height of the block that holds the last entry.
    pub last_height: u64,
}

impl MapLeaf {
    /// The hash that stands for this leaf in the trie.
    #[must_use]
    pub fn hash(&self, keys: &HashKeys) -> Hash {
        let mut bytes = Vec::with_capacity(MAP_LEAF_BYTES);
        self.encode(&mut bytes);
        keys.hash(Meaning::MapLeaf, &bytes)
    }

    /// The leaf's place in the trie.
    #[must_use]
    pub fn map_key(&self, keys: &HashKeys) -> Hash {
        map_key(keys, &self.log)
    }
}

impl Encode for MapLeaf {
    fn encode(&self, out: &mut Vec<u8>) {
        self.log.encode(out);
        out.extend_from_slice(&self.length.to_be_bytes());
        self.root.encode(out);
        out.extend_from_slice(&self.last_height.to_be_bytes());
    }
}

impl Decode for MapLeaf {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            log: reader.hash()?,
            length: reader.u64()?,
            root: reader.hash()?,
            last_height: reader.u64()?,
        })
    }
}

/// Where a log stands in the trie: its id hashed, so that crowding one branch costs its author a search for keys.
#[must_use]
pub fn map_key(keys: &HashKeys, log: &Hash) -> Hash {
    keys.hash(Meaning::MapKey, log.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf() -> MapLeaf {
        MapLeaf {
            log: Hash([1; 32]),
            length: 2,
            root: Hash([3; 32]),
            last_height: 4,
        }
    }

    #[test]
    fn a_leaf_is_eighty_bytes_in_the_order_of_the_specification() {
        let bytes = leaf().to_bytes();
        let expected = [&[1; 32][..], &2_u64.to_be_bytes(), &[3; 32], &4_u64.to_be_bytes()].concat();
        assert_eq!(bytes, expected);
        assert_eq!(bytes.len(), MAP_LEAF_BYTES);
        assert_eq!(MapLeaf::from_bytes(&bytes), Ok(leaf()));
        assert_eq!(MapLeaf::from_bytes(&bytes[..79]), Err(CodecError::Truncated));
        assert_eq!(
            MapLeaf::from_bytes(&[&bytes[..], &[0]].concat()),
            Err(CodecError::Trailing)
        );
    }

    #[test]
    fn every_field_of_a_leaf_reaches_its_hash() {
        let keys = HashKeys::new(Hash([9; 32]));
        let changed = [
            MapLeaf {
                log: Hash([2; 32]),
                ..leaf()
            },
            MapLeaf { length: 3, ..leaf() },
            MapLeaf {
                root: Hash([4; 32]),
                ..leaf()
            },
            MapLeaf {
                last_height: 5,
                ..leaf()
            },
        ];
        for other in changed {
            assert_ne!(other.hash(&keys), leaf().hash(&keys), "{other:?}");
        }
        assert_ne!(
            leaf().hash(&keys),
            leaf().hash(&HashKeys::new(Hash([8; 32]))),
            "another network"
        );
    }
}

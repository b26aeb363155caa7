//! Proofs of what the log map says about a log: that it stands there with this content, or that it does not exist.
//!
//! A proof is the way from the root down to the place where the log's map key leads: the hash beside the way at each
//! level, and what lies at its end. A log is absent if that is an empty slot, or the leaf of *another* log: one leaf
//! stands for its whole subtree, so nothing else can be there.
//!
//! Who checks computes the root upwards along the bits of the key it asked for, never along bits taken from the proof:
//! such a verifier would accept a true proof about another place. Known mistakes elsewhere, each refused here: an empty
//! proof taken for absence, absence shown with the log's own leaf or with a leaf of another branch, a node taken for a
//! leaf (they hash under different keys), bytes that no hash covers (there are none). `// SPEC 6.3`

use core::fmt;

use super::{MAP_LEAF_BYTES, MapLeaf, map_key};
use crate::codec::{CodecError, Decode, Encode, Reader};
use crate::hash::{HASH_BYTES, Hash, HashKeys, Meaning};
use crate::limits::MAP_DEPTH_MAX;

/// Bytes of the longest proof: end, depth, bitmap, a sibling at every level and another log's leaf. Real ones are about
/// 700 bytes at a million logs.
pub const MAP_PROOF_BYTES_MAX: usize = 1 + 2 + MAP_DEPTH_MAX / 8 + MAP_DEPTH_MAX * HASH_BYTES + MAP_LEAF_BYTES;

/// Why a proof does not show what it was given for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapProofError {
    /// It leads to another root: another leaf, another map, or changed on the way.
    WrongRoot,
    /// It proves absence where presence was asked for.
    NotPresence,
    /// It proves presence where absence was asked for.
    NotAbsence,
    /// The "other" leaf is the leaf of the very log that is said to be absent.
    SameLog,
    /// The other leaf does not stand on the way to the log.
    OffPath,
    /// The lowest sibling is empty: a leaf alone below a node stands in the node's place instead.
    Uncollapsed,
}

impl fmt::Display for MapProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongRoot => "the proof leads to another log map root",
            Self::NotPresence => "the proof is not one of presence",
            Self::NotAbsence => "the proof is not one of absence",
            Self::SameLog => "the log is called absent with its own leaf",
            Self::OffPath => "the other log's leaf does not stand on the way to this log",
            Self::Uncollapsed => "the proof ends below a node with nothing beside it",
        })
    }
}

impl core::error::Error for MapProofError {}

/// The leaf that was handed in is not the one the path leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrongLeaf;

impl fmt::Display for WrongLeaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the leaf is not the one the log map holds in that place")
    }
}

impl core::error::Error for WrongLeaf {}

/// What lies at the end of the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProofEnd {
    /// The log's own leaf, whose content whoever checks holds.
    Present,
    /// Nothing.
    EmptySlot,
    /// The leaf of another log.
    OtherLeaf(MapLeaf),
}

/// Proof of presence or absence of one log.
///
/// Encoded as end (u8: 0, 1, 2), depth (u16), a bitmap of the levels with a sibling (first level in the highest bit),
/// these siblings from the root down, and the other leaf if there is one. Empty siblings take no bytes but their bit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MapProof {
    /// From the root down, at most [`MAP_DEPTH_MAX`].
    siblings: Vec<Hash>,
    end: ProofEnd,
}

impl MapProof {
    /// What the proof says is at the end of the way.
    #[must_use]
    pub const fn end(&self) -> &ProofEnd {
        &self.end
    }

    /// Levels between the root and the end of the way.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.siblings.len()
    }

    /// Checks that the map with this root holds exactly this leaf.
    ///
    /// # Errors
    /// [`MapProofError`] if the proof does not show it.
    pub fn verify_presence(&self, keys: &HashKeys, root: &Hash, leaf: &MapLeaf) -> Result<(), MapProofError> {
        match self.end {
            ProofEnd::Present => self.climb(keys, &leaf.map_key(keys), leaf.hash(keys), root),
            ProofEnd::EmptySlot | ProofEnd::OtherLeaf(_) => Err(MapProofError::NotPresence),
        }
    }

    /// Checks that the map with this root has no log of this id.
    ///
    /// # Errors
    /// [`MapProofError`] if the proof does not show it.
    pub fn verify_absence(&self, keys: &HashKeys, root: &Hash, log: &Hash) -> Result<(), MapProofError> {
        let key = map_key(keys, log);
        match &self.end {
            ProofEnd::Present => Err(MapProofError::NotAbsence),
            ProofEnd::EmptySlot => self.climb(keys, &key, Hash::ZERO, root),
            ProofEnd::OtherLeaf(leaf) => {
                on_the_way(&key, &leaf.map_key(keys), self.depth())?;
                self.climb(keys, &key, leaf.hash(keys), root)
            }
        }
    }

    /// Computes the root from what lies at the end, upwards along the bits of `key`.
    fn climb(&self, keys: &HashKeys, key: &Hash, end: Hash, root: &Hash) -> Result<(), MapProofError> {
        if self.siblings.last() == Some(&Hash::ZERO) {
            return Err(MapProofError::Uncollapsed);
        }
        let top = self
            .siblings
            .iter()
            .enumerate()
            .rev()
            .fold(end, |below, (depth, sibling)| {
                let (left, right) = if key.bit(depth) {
                    (sibling, &below)
                } else {
                    (&below, sibling)
                };
                keys.node(Meaning::MapNode, left, right)
            });
        if top == *root {
            Ok(())
        } else {
            Err(MapProofError::WrongRoot)
        }
    }
}

/// Whether a leaf with the key `other` rules out one with the key `key` when it stands at `depth`.
fn on_the_way(key: &Hash, other: &Hash, depth: usize) -> Result<(), MapProofError> {
    match first_difference(key, other) {
        None => Err(MapProofError::SameLog),
        Some(bit) if bit < depth => Err(MapProofError::OffPath),
        Some(_) => Ok(()),
    }
}

/// The first bit in which two keys differ.
fn first_difference(one: &Hash, other: &Hash) -> Option<usize> {
    (0..MAP_DEPTH_MAX).find(|depth| one.bit(*depth) != other.bit(*depth))
}

impl Encode for MapProof {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self.end {
            ProofEnd::Present => 0,
            ProofEnd::EmptySlot => 1,
            ProofEnd::OtherLeaf(_) => 2,
        });
        let depth = u16::try_from(self.depth()).expect("a proof has at most 256 levels");
        out.extend_from_slice(&depth.to_be_bytes());
        out.extend(self.siblings.chunks(8).map(|eight| {
            let bits = eight
                .iter()
                .enumerate()
                .map(|(place, sibling)| u8::from(*sibling != Hash::ZERO) << (7 - place));
            bits.fold(0, core::ops::BitOr::bitor)
        }));
        for sibling in self.siblings.iter().filter(|sibling| **sibling != Hash::ZERO) {
            sibling.encode(out);
        }
        if let ProofEnd::OtherLeaf(leaf) = &self.end {
            leaf.encode(out);
        }
    }
}

impl Decode for MapProof {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let end = reader.u8()?;
        let depth = usize::from(reader.u16()?);
        if depth > MAP_DEPTH_MAX {
            return Err(CodecError::TooLong);
        }
        let bitmap = reader.take(depth.div_ceil(8))?;
        let present = |level: usize| {
            bitmap
                .get(level / 8)
                .is_some_and(|byte| (byte >> (7 - level % 8)) & 1 == 1)
        };
        if (depth..bitmap.len() * 8).any(present) {
            return Err(CodecError::BadValue);
        }
        let sibling = |level| {
            if present(level) {
                some_hash(reader)
            } else {
                Ok(Hash::ZERO)
            }
        };
        let siblings = (0..depth).map(sibling).collect::<Result<_, _>>()?;
        let end = match end {
            0 => ProofEnd::Present,
            1 => ProofEnd::EmptySlot,
            2 => ProofEnd::OtherLeaf(MapLeaf::decode(reader)?),
            _ => return Err(CodecError::BadValue),
        };
        Ok(Self { siblings, end })
    }
}

/// A hash that is not zeros: an empty sibling has one encoding only, its bit.
fn some_hash(reader: &mut Reader<'_>) -> Result<Hash, CodecError> {
    match reader.hash()? {
        Hash::ZERO => Err(CodecError::BadValue),
        hash => Ok(hash),
    }
}

/// What [`super::LogMap::prove`] found on the way to a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MapPath {
    /// The log is there: the proof of presence.
    Present(MapProof),
    /// The log is not there: the proof of absence.
    EmptySlot(MapProof),
    /// The log is not there, since another stands in its place: the proof needs that log's leaf.
    OtherLeaf(PathToOther),
}

impl MapPath {
    pub(super) const fn present(siblings: Vec<Hash>) -> Self {
        Self::Present(MapProof {
            siblings,
            end: ProofEnd::Present,
        })
    }

    pub(super) const fn empty_slot(siblings: Vec<Hash>) -> Self {
        Self::EmptySlot(MapProof {
            siblings,
            end: ProofEnd::EmptySlot,
        })
    }
}

/// A proof of absence that lacks the content of the other log's leaf, which the map does not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PathToOther {
    siblings: Vec<Hash>,
    map_key: Hash,
    leaf_hash: Hash,
}

impl PathToOther {
    pub(super) const fn new(siblings: Vec<Hash>, map_key: Hash, leaf_hash: Hash) -> Self {
        Self {
            siblings,
            map_key,
            leaf_hash,
        }
    }

    /// The map key of the log whose leaf is needed.
    #[must_use]
    pub const fn map_key(&self) -> &Hash {
        &self.map_key
    }

    /// The whole proof, given the other log's leaf.
    ///
    /// # Errors
    /// [`WrongLeaf`] if the map holds another leaf there, perhaps because one side is a block ahead of the other.
    pub fn into_absence(self, keys: &HashKeys, leaf: MapLeaf) -> Result<MapProof, WrongLeaf> {
        // The hash covers the log's id, and with it the map key.
        if leaf.hash(keys) == self.leaf_hash {
            Ok(MapProof {
                siblings: self.siblings,
                end: ProofEnd::OtherLeaf(leaf),
            })
        } else {
            Err(WrongLeaf)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::LogMap;
    use super::*;

    fn keys() -> HashKeys {
        HashKeys::new(Hash([5; 32]))
    }

    fn leaf(log: u8) -> MapLeaf {
        MapLeaf {
            log: Hash([log; 32]),
            length: 1,
            root: Hash([log; 32]),
            last_height: 1,
        }
    }

    /// A map key with ones in these places.
    fn key_with(ones: &[usize]) -> Hash {
        let mut key = Hash::ZERO;
        for one in ones {
            key.0[one / 8] |= 1 << (7 - one % 8);
        }
        key
    }

    #[test]
    fn keys_that_share_all_bits_but_the_last_prove_each_other_and_no_third() {
        // Nobody can find such logs, so the checks of real proofs never come here: the keys are made up.
        let keys = keys();
        let [zero, last, middle] = [Hash::ZERO, key_with(&[255]), key_with(&[200])];
        let map = LogMap::build(&keys, [(zero, Hash([1; 32])), (last, Hash([2; 32]))]).unwrap();
        let MapPath::Present(proof) = map.prove(&last) else {
            panic!("it is there")
        };
        assert_eq!((proof.depth(), proof.to_bytes().len()), (256, 1 + 2 + 32 + 32));
        assert_eq!(proof.climb(&keys, &last, Hash([2; 32]), &map.root()), Ok(()));
        assert_eq!(
            proof.climb(&keys, &zero, Hash([2; 32]), &map.root()),
            Err(MapProofError::WrongRoot)
        );
        let MapPath::EmptySlot(proof) = map.prove(&middle) else {
            panic!("nothing is there")
        };
        assert_eq!(proof.depth(), 201);
        assert_eq!(proof.climb(&keys, &middle, Hash::ZERO, &map.root()), Ok(()));
        assert_eq!(
            proof.climb(&keys, &last, Hash::ZERO, &map.root()),
            Err(MapProofError::WrongRoot)
        );
    }

    #[test]
    fn another_leaf_rules_a_key_out_only_from_above_their_first_difference() {
        let key = Hash::ZERO;
        for bit in [0, 1, 7, 8, 100, 254, 255] {
            let other = key_with(&[bit]);
            assert_eq!(first_difference(&key, &other), Some(bit));
            for depth in 0..=MAP_DEPTH_MAX {
                let expected = if depth <= bit {
                    Ok(())
                } else {
                    Err(MapProofError::OffPath)
                };
                assert_eq!(on_the_way(&key, &other, depth), expected, "bit {bit}, depth {depth}");
            }
        }
        assert_eq!(on_the_way(&key, &key, 0), Err(MapProofError::SameLog));
    }

    #[test]
    fn the_longest_proof_takes_the_stated_bytes_and_one_level_more_is_refused() {
        let proof = MapProof {
            siblings: vec![Hash([1; 32]); MAP_DEPTH_MAX],
            end: ProofEnd::OtherLeaf(leaf(1)),
        };
        let bytes = proof.to_bytes();
        assert_eq!(bytes.len(), MAP_PROOF_BYTES_MAX);
        assert_eq!(MapProof::from_bytes(&bytes), Ok(proof));
        let mut longer = vec![0];
        longer.extend_from_slice(&257_u16.to_be_bytes());
        longer.extend_from_slice(&[0xff; 33 + 257 * 32]);
        assert_eq!(MapProof::from_bytes(&longer), Err(CodecError::TooLong));
    }

    #[test]
    fn siblings_are_read_back_whatever_their_number_and_gaps() {
        for depth in 0..=17 {
            for gap in 1..=depth + 1 {
                let sibling = |level: usize| {
                    if level.is_multiple_of(gap) {
                        Hash([7; 32])
                    } else {
                        Hash::ZERO
                    }
                };
                let siblings: Vec<Hash> = (0..depth).map(sibling).collect();
                let given = siblings.iter().filter(|sibling| **sibling != Hash::ZERO).count();
                let proof = MapProof {
                    siblings,
                    end: ProofEnd::EmptySlot,
                };
                let bytes = proof.to_bytes();
                assert_eq!(bytes.len(), 3 + depth.div_ceil(8) + 32 * given);
                assert_eq!(MapProof::from_bytes(&bytes), Ok(proof));
            }
        }
    }

    #[test]
    fn every_second_way_to_write_a_proof_is_refused() {
        let proof = MapProof {
            siblings: vec![Hash([1; 32]), Hash::ZERO, Hash([2; 32])],
            end: ProofEnd::Present,
        };
        let bytes = proof.to_bytes();
        assert_eq!(bytes[..4], [0, 0, 3, 0b1010_0000]);
        assert_eq!(MapProof::from_bytes(&bytes), Ok(proof));
        let changed = |place: usize, value: u8| {
            let mut changed = bytes.clone();
            changed[place] = value;
            MapProof::from_bytes(&changed)
        };
        assert_eq!(changed(0, 3), Err(CodecError::BadValue), "no such end");
        assert_eq!(
            changed(3, 0b1010_0001),
            Err(CodecError::BadValue),
            "a bit below the last level"
        );
        assert_eq!(
            changed(3, 0b1110_0000),
            Err(CodecError::Truncated),
            "one sibling more than given"
        );
        assert_eq!(
            changed(3, 0b1000_0000),
            Err(CodecError::Trailing),
            "one sibling fewer than given"
        );
        let mut zero_listed = bytes.clone();
        zero_listed[3] = 0b1110_0000;
        zero_listed.splice(36..36, [0; 32]);
        assert_eq!(
            MapProof::from_bytes(&zero_listed),
            Err(CodecError::BadValue),
            "an empty sibling written out"
        );
    }

    #[test]
    fn an_other_leaf_that_the_map_does_not_hold_makes_no_proof() {
        let keys = keys();
        let map = LogMap::build(&keys, [(leaf(1).map_key(&keys), leaf(1).hash(&keys))]).unwrap();
        let path = || match map.prove(&map_key(&keys, &Hash([2; 32]))) {
            MapPath::OtherLeaf(path) => path,
            found => panic!("the only leaf stands there, not {found:?}"),
        };
        assert_eq!(path().map_key(), &leaf(1).map_key(&keys));
        let proof = path().into_absence(&keys, leaf(1)).unwrap();
        assert_eq!(proof.verify_absence(&keys, &map.root(), &Hash([2; 32])), Ok(()));
        let newer = MapLeaf { length: 2, ..leaf(1) };
        assert_eq!(path().into_absence(&keys, newer), Err(WrongLeaf));
        assert_eq!(path().into_absence(&keys, leaf(3)), Err(WrongLeaf));
    }
}

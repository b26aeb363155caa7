//! The way from a leaf up to the root, derived from index and size alone.
//!
//! Bit `level` of the index says on which side the sibling stands. A right sibling exists only below the level where
//! the index and the last leaf part (`inner`); above it the leaf is on the right edge, and only left siblings are met.

use super::{LEAVES_MAX, ProofError, TreeHasher};
use crate::codec::{CodecError, Reader};
use crate::hash::{HASH_BYTES, Hash};
use crate::limits::TREE_LEVELS_MAX;

/// On which side of the path a sibling stands, and its level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    /// A complete subtree of `2^level` leaves, ending where the path's own subtree begins.
    Left(u8),
    /// Begins where the path's own subtree ends; cut off at the end of the tree.
    Right(u8),
}

/// The siblings that a leaf meets on its way up, lowest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    index: u64,
    inner: u32,
}

impl Path {
    pub(super) const fn new(index: u64, size: u64) -> Result<Self, ProofError> {
        if index >= size || size > LEAVES_MAX {
            return Err(ProofError::OutOfRange);
        }
        Ok(Self {
            index,
            inner: bit_length(index ^ (size - 1)),
        })
    }

    /// All siblings from `level` upwards.
    pub(super) fn sides_from(self, level: u8) -> impl Iterator<Item = Side> {
        (level..64).filter_map(move |level| match (self.index >> level) & 1 {
            1 => Some(Side::Left(level)),
            _ if u32::from(level) < self.inner => Some(Side::Right(level)),
            _ => None,
        })
    }

    pub(super) fn sides(self) -> impl Iterator<Item = Side> {
        self.sides_from(0)
    }

    /// Number of siblings, left and right.
    pub(super) const fn siblings(self) -> u32 {
        self.inner + (self.index >> self.inner).count_ones()
    }

    /// Number of siblings on the right.
    pub(super) const fn right_siblings(self) -> u32 {
        self.siblings() - self.index.count_ones()
    }
}

const fn bit_length(value: u64) -> u32 {
    u64::BITS - value.leading_zeros()
}

/// Reads the hashes of a path, lowest first, with their count: at most one a level.
pub(super) fn decode_hashes(reader: &mut Reader<'_>) -> Result<Vec<Hash>, CodecError> {
    reader.list(u32::try_from(TREE_LEVELS_MAX).unwrap_or(u32::MAX), HASH_BYTES)
}

/// Refuses any other number of hashes than `count`.
pub(super) fn expect_hashes(hashes: &[Hash], count: u32) -> Result<(), ProofError> {
    if u32::try_from(hashes.len()) == Ok(count) {
        Ok(())
    } else {
        Err(ProofError::WrongLength)
    }
}

/// Hashes from `start` upwards over siblings that stand on both sides.
pub(super) fn climb<'h>(
    hasher: &impl TreeHasher,
    start: Hash,
    siblings: impl Iterator<Item = (Side, &'h Hash)>,
) -> Hash {
    siblings.fold(start, |hash, (side, sibling)| match side {
        Side::Left(_) => hasher.node(sibling, &hash),
        Side::Right(_) => hasher.node(&hash, sibling),
    })
}

/// Hashes peaks, smallest first, into the root of their tree.
pub(super) fn fold_peaks<'h>(hasher: &impl TreeHasher, mut peaks: impl Iterator<Item = &'h Hash>) -> Hash {
    peaks.next().map_or_else(
        || hasher.empty(),
        |last| peaks.fold(*last, |hash, peak| hasher.node(peak, &hash)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_as_many_siblings_as_it_says() {
        for size in 1..=130 {
            for index in 0..size {
                let path = Path::new(index, size).unwrap();
                let right = path.sides().filter(|side| matches!(side, Side::Right(_))).count();
                assert_eq!(
                    path.sides().count(),
                    usize::try_from(path.siblings()).unwrap(),
                    "{index} of {size}"
                );
                assert_eq!(
                    right,
                    usize::try_from(path.right_siblings()).unwrap(),
                    "{index} of {size}"
                );
            }
        }
    }

    #[test]
    fn there_is_no_path_outside_of_a_tree() {
        assert!(Path::new(LEAVES_MAX - 1, LEAVES_MAX).is_ok());
        for (index, size) in [(0, 0), (1, 1), (5, 4), (0, LEAVES_MAX + 1), (u64::MAX, u64::MAX)] {
            assert_eq!(
                Path::new(index, size).err(),
                Some(ProofError::OutOfRange),
                "{index} of {size}"
            );
        }
    }
}

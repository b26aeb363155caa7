//! Making paths: where the nodes of a tree come from, and which of them are asked for.

use super::path::{Path, Side, fold_peaks};
use super::{Frontier, InclusionProof, LEAVES_MAX, ProofError, TreeHasher};
use crate::hash::Hash;

/// Reads the nodes of one tree, from a disk, a cache or a slice of leaves.
///
/// Only *complete* subtrees are ever asked for: their hashes never change, so any tree size can be served from the
/// nodes of the present one.
pub trait NodeReader {
    /// Why a node cannot be read.
    type Error;

    /// The hash of the `index`-th subtree of `2^level` leaves; level 0 are the leaf hashes.
    ///
    /// # Errors
    /// The reader's own; asking behind the end of the tree is one of them.
    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

/// Why a path could not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathError<E> {
    /// No tree of that size has that place: whoever asked is wrong.
    OutOfRange,
    /// The nodes could not be read.
    Read(E),
}

impl From<PathError<ProofError>> for ProofError {
    fn from(error: PathError<ProofError>) -> Self {
        match error {
            PathError::OutOfRange => Self::OutOfRange,
            PathError::Read(error) => error,
        }
    }
}

/// The frontier that the tree had when it was `size` leaves long.
///
/// # Errors
/// [`PathError::OutOfRange`] above [`LEAVES_MAX`]; the reader's own.
pub fn frontier_at<R: NodeReader>(reader: &R, size: u64) -> Result<Frontier, PathError<R::Error>> {
    let mut peaks = peaks_below(reader, size, size)?;
    peaks.reverse();
    Frontier::from_parts(size, peaks).map_err(|_| PathError::OutOfRange)
}

/// The hashes of the siblings with these sides.
pub(super) fn siblings<R: NodeReader>(
    hasher: &impl TreeHasher,
    reader: &R,
    place: (u64, u64),
    sides: impl Iterator<Item = Side>,
) -> Result<Vec<Hash>, PathError<R::Error>> {
    let (index, size) = place;
    sides
        .map(|side| match side {
            Side::Left(level) => reader.node(level, (index >> level) - 1).map_err(PathError::Read),
            Side::Right(level) => {
                let start = ((index >> level) + 1) << level;
                let end = size.min(start + (1 << level));
                Ok(fold_peaks(hasher, peaks_below(reader, end, end - start)?.iter()))
            }
        })
        .collect()
}

/// The complete subtrees, smallest (rightmost) first, of the `width` leaves that stand before `end`.
fn peaks_below<R: NodeReader>(reader: &R, end: u64, width: u64) -> Result<Vec<Hash>, PathError<R::Error>> {
    if end > LEAVES_MAX {
        return Err(PathError::OutOfRange);
    }
    (0..63_u8)
        .filter(|level| (width >> level) & 1 == 1)
        // What lies above the level, less the subtree itself, stands before it.
        .map(|level| reader.node(level, (end >> level) - 1).map_err(PathError::Read))
        .collect()
}

/// A small tree in memory, such as the entries of one block: nodes are computed from the leaves when asked for.
#[derive(Clone, Copy, Debug)]
pub struct LeafSlice<'a, H> {
    hasher: &'a H,
    leaves: &'a [Hash],
}

impl<'a, H: TreeHasher> LeafSlice<'a, H> {
    /// Reads from these leaf hashes.
    #[must_use]
    pub const fn new(hasher: &'a H, leaves: &'a [Hash]) -> Self {
        Self { hasher, leaves }
    }
}

impl<H: TreeHasher> NodeReader for LeafSlice<'_, H> {
    type Error = ProofError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, ProofError> {
        let subtree = subtree(self.leaves, level, index).ok_or(ProofError::OutOfRange)?;
        Ok(root_of(self.hasher, subtree))
    }
}

fn subtree(leaves: &[Hash], level: u8, index: u64) -> Option<&[Hash]> {
    let width = 1_u64.checked_shl(level.into())?;
    let start = index.checked_mul(width)?;
    let end = start.checked_add(width)?;
    leaves.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
}

/// The root over these leaf hashes.
#[must_use]
pub fn root_of(hasher: &impl TreeHasher, leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::empty();
    for leaf in leaves {
        frontier.append(hasher, *leaf);
    }
    frontier.root(hasher)
}

/// The inclusion proof of one of these leaf hashes: one hash per leaf, nothing kept.
///
/// # Errors
/// [`ProofError::OutOfRange`] if there is no such leaf.
pub fn path_of(hasher: &impl TreeHasher, leaves: &[Hash], index: u64) -> Result<InclusionProof, ProofError> {
    let size = u64::try_from(leaves.len()).map_err(|_| ProofError::OutOfRange)?;
    let sides = Path::new(index, size)?.sides();
    let siblings = siblings(hasher, &LeafSlice::new(hasher, leaves), (index, size), sides)?;
    Ok(InclusionProof { siblings })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{Sha256Tree, inclusion_path};

    fn leaves(count: u8) -> Vec<Hash> {
        (0..count).map(|number| Sha256Tree.leaf_hash(&[number])).collect()
    }

    #[test]
    fn nodes_outside_of_a_slice_are_refused() {
        let leaves = leaves(5);
        let reader = LeafSlice::new(&Sha256Tree, &leaves);
        assert_eq!(reader.node(0, 4), Ok(leaves[4]));
        assert_eq!(reader.node(2, 0), Ok(root_of(&Sha256Tree, &leaves[..4])));
        for (level, index) in [
            (0, 5),
            (1, 2),
            (2, 1),
            (3, 0),
            (63, 1),
            (63, u64::MAX),
            (64, 0),
            (255, 0),
        ] {
            assert_eq!(
                reader.node(level, index),
                Err(ProofError::OutOfRange),
                "({level},{index})"
            );
        }
    }

    #[test]
    fn paths_outside_of_a_tree_are_refused_and_nothing_is_read() {
        struct NoNodes;
        impl NodeReader for NoNodes {
            type Error = ProofError;
            fn node(&self, level: u8, index: u64) -> Result<Hash, ProofError> {
                panic!("({level},{index}) was read")
            }
        }
        for (index, size) in [(0, 0), (1, 1), (9, 8), (0, 1 << 63)] {
            let path = inclusion_path(&Sha256Tree, &NoNodes, index, size);
            assert_eq!(path, Err(PathError::OutOfRange), "{index} of {size}");
        }
        assert_eq!(frontier_at(&NoNodes, 1 << 63), Err(PathError::OutOfRange));
        assert_eq!(frontier_at(&NoNodes, 0), Ok(Frontier::empty()));
    }

    #[test]
    fn a_frontier_of_any_earlier_size_can_be_read_back() {
        let leaves = leaves(21);
        let mut frontier = Frontier::empty();
        for (size, leaf) in (0..).zip(&leaves) {
            assert_eq!(
                frontier_at(&LeafSlice::new(&Sha256Tree, &leaves), size),
                Ok(frontier.clone())
            );
            frontier.append(&Sha256Tree, *leaf);
        }
        let short = LeafSlice::new(&Sha256Tree, &leaves);
        assert_eq!(frontier_at(&short, 22), Err(PathError::Read(ProofError::OutOfRange)));
    }
}

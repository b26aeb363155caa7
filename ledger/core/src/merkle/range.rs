//! A run of leaves is complete: nothing inside it left out, inserted or moved.
//!
//! The leaves of the run are appended to the frontier before it, all but the last; then the last one climbs to the
//! root, taking its left siblings from that frontier and its right siblings from the proof. A run that reaches the end
//! of the tree has no right siblings, and who already holds the frontier needs no proof at all.

use super::path::{Path, Side, climb, decode_hashes, expect_hashes};
use super::read::siblings;
use super::{Frontier, NodeReader, PathError, ProofError, TreeHasher, frontier_at};
use crate::codec::{CodecError, Decode, Encode, Reader, put_list};
use crate::hash::Hash;
use core::ops::Range;

/// What a verifier needs besides the leaves themselves.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RangeProof {
    /// The tree before the range.
    pub left: Frontier,
    /// The right siblings of the last leaf of the range, lowest first.
    pub right: Vec<Hash>,
}

impl Encode for RangeProof {
    fn encode(&self, out: &mut Vec<u8>) {
        self.left.encode(out);
        put_list(out, &self.right);
    }
}

impl Decode for RangeProof {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            left: Frontier::decode(reader)?,
            right: decode_hashes(reader)?,
        })
    }
}

/// Makes the proof for the leaves of `range` in the tree of the first `size`.
///
/// # Errors
/// [`PathError::OutOfRange`] unless `range.start < range.end <= size <= LEAVES_MAX`; the reader's own.
pub fn range_path<R: NodeReader>(
    hasher: &impl TreeHasher,
    reader: &R,
    range: Range<u64>,
    size: u64,
) -> Result<RangeProof, PathError<R::Error>> {
    let (path, last) = last_leaf(&range, size).map_err(|_| PathError::OutOfRange)?;
    let right = path.sides().filter(|side| matches!(side, Side::Right(_)));
    Ok(RangeProof {
        left: frontier_at(reader, range.start)?,
        right: siblings(hasher, reader, (last, size), right)?,
    })
}

/// Verifies that `leaves` follow directly after `left` in the tree with this size and root, and returns the frontier
/// behind them: the `left` of the next range.
///
/// `left` comes from the proof, or better from whoever verified the range before. No leaves prove nothing and are
/// refused.
///
/// # Errors
/// [`ProofError::OutOfRange`] if there are no leaves or more than fit, [`ProofError::WrongLength`],
/// [`ProofError::WrongRoot`].
pub fn verify_range(
    hasher: &impl TreeHasher,
    left: &Frontier,
    leaves: &[Hash],
    right: &[Hash],
    size: u64,
    root: Hash,
) -> Result<Frontier, ProofError> {
    let count = u64::try_from(leaves.len()).map_err(|_| ProofError::OutOfRange)?;
    let end = left.len().checked_add(count).ok_or(ProofError::OutOfRange)?;
    let (path, _) = last_leaf(&(left.len()..end), size)?;
    expect_hashes(right, path.right_siblings())?;
    let (last, others) = leaves.split_last().ok_or(ProofError::OutOfRange)?;

    let mut frontier = left.clone();
    for leaf in others {
        frontier.append(hasher, *leaf);
    }
    let (mut peaks, mut right) = (frontier.peaks().iter().rev(), right.iter());
    let steps = path.sides().filter_map(|side| match side {
        Side::Left(_) => peaks.next().map(|hash| (side, hash)),
        Side::Right(_) => right.next().map(|hash| (side, hash)),
    });
    if climb(hasher, *last, steps) != root {
        return Err(ProofError::WrongRoot);
    }
    frontier.append(hasher, *last);
    Ok(frontier)
}

/// The last leaf of the range and its way up.
fn last_leaf(range: &Range<u64>, size: u64) -> Result<(Path, u64), ProofError> {
    if range.is_empty() {
        return Err(ProofError::OutOfRange);
    }
    let last = range.end - 1;
    Ok((Path::new(last, size)?, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{LeafSlice, Sha256Tree, root_of};

    fn leaves(count: u8) -> Vec<Hash> {
        (0..count).map(|number| Sha256Tree.leaf_hash(&[number])).collect()
    }

    #[test]
    fn pages_of_a_log_are_verified_one_after_the_other() {
        let leaves = leaves(23);
        let root = root_of(&Sha256Tree, &leaves);
        let reader = LeafSlice::new(&Sha256Tree, &leaves);
        let mut held = Frontier::empty();
        for page in leaves.chunks(5) {
            let start = held.len();
            let end = start + u64::try_from(page.len()).unwrap();
            let proof = range_path(&Sha256Tree, &reader, start..end, 23).unwrap();
            assert_eq!(proof.left, held);
            held = verify_range(&Sha256Tree, &held, page, &proof.right, 23, root).unwrap();
        }
        assert_eq!((held.len(), held.root(&Sha256Tree)), (23, root));
    }

    #[test]
    fn a_run_to_the_end_needs_only_the_frontier_and_a_shortened_one_is_refused() {
        let leaves = leaves(12);
        let root = root_of(&Sha256Tree, &leaves);
        let left = frontier_at(&LeafSlice::new(&Sha256Tree, &leaves), 7).unwrap();
        let verify = |leaves: &[Hash]| verify_range(&Sha256Tree, &left, leaves, &[], 12, root);
        assert!(verify(&leaves[7..]).is_ok());
        assert_eq!(verify(&leaves[7..11]), Err(ProofError::WrongLength));
        assert_eq!(verify(&leaves[6..11]), Err(ProofError::WrongRoot));
        assert_eq!(verify(&leaves[6..]), Err(ProofError::OutOfRange));
        assert_eq!(verify(&[]), Err(ProofError::OutOfRange));
    }

    #[test]
    fn a_proof_is_read_back() {
        let leaves = leaves(12);
        let proof = range_path(&Sha256Tree, &LeafSlice::new(&Sha256Tree, &leaves), 3..5, 12).unwrap();
        assert_eq!(RangeProof::from_bytes(&proof.to_bytes()), Ok(proof));
    }
}

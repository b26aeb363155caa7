//! A leaf is in its place: inclusion proofs (RFC 6962, section 2.1.1; verified as in RFC 9162, section 2.1.3.2).

use super::path::{Path, Side, climb, decode_hashes, expect_hashes, fold_peaks};
use super::read::siblings as read_siblings;
use super::{NodeReader, PathError, ProofError, TreeHasher};
use crate::codec::{CodecError, Decode, Encode, Reader, put_list};
use crate::hash::Hash;

/// The siblings on the way from a leaf to the root, lowest first ("audit path").
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct InclusionProof {
    /// Lowest first. Their number follows from index and size: [`inclusion_path_len`].
    pub siblings: Vec<Hash>,
}

impl Encode for InclusionProof {
    fn encode(&self, out: &mut Vec<u8>) {
        put_list(out, &self.siblings);
    }
}

impl Decode for InclusionProof {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            siblings: decode_hashes(reader)?,
        })
    }
}

/// Number of siblings in the inclusion proof of leaf `index` among `size`.
///
/// # Errors
/// [`ProofError::OutOfRange`] unless `index < size <= LEAVES_MAX`.
pub fn inclusion_path_len(index: u64, size: u64) -> Result<u32, ProofError> {
    Path::new(index, size).map(Path::siblings)
}

/// Makes the inclusion proof of leaf `index` in the tree of the first `size` leaves.
///
/// # Errors
/// [`PathError::OutOfRange`] unless `index < size <= LEAVES_MAX`; the reader's own.
pub fn inclusion_path<R: NodeReader>(
    hasher: &impl TreeHasher,
    reader: &R,
    index: u64,
    size: u64,
) -> Result<InclusionProof, PathError<R::Error>> {
    let path = Path::new(index, size).map_err(|_| PathError::OutOfRange)?;
    let siblings = read_siblings(hasher, reader, (index, size), path.sides())?;
    Ok(InclusionProof { siblings })
}

/// The root that these siblings lead to from `leaf` at `index` among `size`.
///
/// # Errors
/// [`ProofError::OutOfRange`] and [`ProofError::WrongLength`].
pub fn root_from_inclusion(
    hasher: &impl TreeHasher,
    index: u64,
    size: u64,
    leaf: Hash,
    siblings: &[Hash],
) -> Result<Hash, ProofError> {
    let path = Path::new(index, size)?;
    expect_hashes(siblings, path.siblings())?;
    Ok(climb(hasher, leaf, path.sides().zip(siblings)))
}

/// Verifies that `leaf` is leaf number `index` of the tree with this size and root.
///
/// # Errors
/// [`ProofError::OutOfRange`], [`ProofError::WrongLength`], [`ProofError::WrongRoot`].
pub fn verify_inclusion(
    hasher: &impl TreeHasher,
    index: u64,
    size: u64,
    leaf: Hash,
    siblings: &[Hash],
    root: Hash,
) -> Result<(), ProofError> {
    if root_from_inclusion(hasher, index, size, leaf, siblings)? == root {
        Ok(())
    } else {
        Err(ProofError::WrongRoot)
    }
}

/// The root of the tree of the first `index` leaves, from the inclusion proof of the leaf after them: its left siblings
/// are their peaks.
///
/// So one proof shows that a newer header extends a held one: the held header is leaf `index`, and the tree before it
/// has the root that the held header names. It says nothing by itself: the same siblings must also pass
/// [`verify_inclusion`], and the result must be compared.
///
/// # Errors
/// [`ProofError::OutOfRange`] and [`ProofError::WrongLength`].
pub fn prefix_root_from_inclusion(
    hasher: &impl TreeHasher,
    index: u64,
    size: u64,
    siblings: &[Hash],
) -> Result<Hash, ProofError> {
    let path = Path::new(index, size)?;
    expect_hashes(siblings, path.siblings())?;
    let left = path
        .sides()
        .zip(siblings)
        .filter(|(side, _)| matches!(side, Side::Left(_)))
        .map(|(_, hash)| hash);
    Ok(fold_peaks(hasher, left))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{Sha256Tree, path_of, root_of};

    fn leaves(count: u8) -> Vec<Hash> {
        (0..count).map(|number| Sha256Tree.leaf_hash(&[number])).collect()
    }

    #[test]
    fn a_leaf_is_proved_at_its_own_place_only() {
        let leaves = leaves(7);
        let (root, proof) = (root_of(&Sha256Tree, &leaves), path_of(&Sha256Tree, &leaves, 4).unwrap());
        let verify =
            |index, size, siblings: &[Hash]| verify_inclusion(&Sha256Tree, index, size, leaves[4], siblings, root);
        assert_eq!(verify(4, 7, &proof.siblings), Ok(()));
        assert_eq!(verify(5, 7, &proof.siblings), Err(ProofError::WrongRoot));
        assert_eq!(verify(6, 7, &proof.siblings), Err(ProofError::WrongLength));
        assert_eq!(verify(7, 7, &proof.siblings), Err(ProofError::OutOfRange));
        assert_eq!(verify(0, 0, &[]), Err(ProofError::OutOfRange));
        assert_eq!(verify(4, 7, &[]), Err(ProofError::WrongLength));
    }

    #[test]
    fn one_proof_shows_a_leaf_and_everything_before_it() {
        let leaves = leaves(13);
        let root = root_of(&Sha256Tree, &leaves);
        let proof = path_of(&Sha256Tree, &leaves, 6).unwrap();
        assert_eq!(
            verify_inclusion(&Sha256Tree, 6, 13, leaves[6], &proof.siblings, root),
            Ok(())
        );
        let prefix_root = |index, siblings: &[Hash]| prefix_root_from_inclusion(&Sha256Tree, index, 13, siblings);
        assert_eq!(prefix_root(6, &proof.siblings), Ok(root_of(&Sha256Tree, &leaves[..6])));
        assert_eq!(prefix_root(6, &proof.siblings[1..]), Err(ProofError::WrongLength));
        assert_eq!(prefix_root(13, &proof.siblings), Err(ProofError::OutOfRange));
        let first = path_of(&Sha256Tree, &leaves, 0).unwrap();
        assert_eq!(prefix_root(0, &first.siblings), Ok(Sha256Tree.empty()));
    }

    #[test]
    fn a_proof_is_read_back_and_a_longer_path_than_any_tree_has_is_refused() {
        let proof = path_of(&Sha256Tree, &leaves(9), 3).unwrap();
        assert_eq!(InclusionProof::from_bytes(&proof.to_bytes()), Ok(proof));
        let longest = InclusionProof {
            siblings: vec![Hash::ZERO; 63],
        };
        assert_eq!(InclusionProof::from_bytes(&longest.to_bytes()), Ok(longest));
        let too_long = InclusionProof {
            siblings: vec![Hash::ZERO; 65],
        };
        assert_eq!(
            InclusionProof::from_bytes(&too_long.to_bytes()),
            Err(CodecError::TooLong)
        );
    }
}

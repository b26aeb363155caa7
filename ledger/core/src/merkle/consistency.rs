//! A tree has only grown: consistency proofs (RFC 6962, section 2.1.2; verified as in RFC 9162, section 2.1.4.2).
//!
//! The proof is the way up from the last complete subtree of the old tree. Its left siblings alone lead to the old
//! root, all siblings together to the new one.

use super::path::{Path, Side, climb, decode_hashes, expect_hashes};
use super::read::siblings;
use super::{NodeReader, PathError, ProofError, TreeHasher};
use crate::codec::{CodecError, Decode, Encode, Reader, put_list};
use crate::hash::Hash;

/// The nodes that lead from one subtree to both an older and a newer root.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ConsistencyProof {
    /// The starting subtree unless the old tree is that subtree alone, then siblings, lowest first.
    pub hashes: Vec<Hash>,
}

impl Encode for ConsistencyProof {
    fn encode(&self, out: &mut Vec<u8>) {
        put_list(out, &self.hashes);
    }
}

impl Decode for ConsistencyProof {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            hashes: decode_hashes(reader)?,
        })
    }
}

/// Where a proof between two different sizes starts and which way it goes.
struct Ascent {
    path: Path,
    /// Level of the last complete subtree of the old tree.
    level: u8,
    /// The old tree is that subtree and nothing else: its root is known and not sent.
    starts_at_old_root: bool,
}

impl Ascent {
    fn new(old_size: u64, new_size: u64) -> Result<Self, ProofError> {
        if old_size == 0 || old_size > new_size {
            return Err(ProofError::OutOfRange);
        }
        let level = u8::try_from(old_size.trailing_zeros()).map_err(|_| ProofError::OutOfRange)?;
        let path = Path::new(old_size - 1, new_size)?;
        Ok(Self {
            path,
            level,
            starts_at_old_root: old_size.is_power_of_two(),
        })
    }

    /// Number of siblings above the starting subtree: the path's own, less those inside of it.
    fn siblings(&self) -> u32 {
        self.path.siblings().saturating_sub(u32::from(self.level))
    }
}

/// Makes the proof that the tree of the first `new_size` leaves extends the tree of the first `old_size`.
///
/// # Errors
/// [`PathError::OutOfRange`] unless `0 < old_size <= new_size <= LEAVES_MAX`; the reader's own.
pub fn consistency_path<R: NodeReader>(
    hasher: &impl TreeHasher,
    reader: &R,
    old_size: u64,
    new_size: u64,
) -> Result<ConsistencyProof, PathError<R::Error>> {
    let ascent = Ascent::new(old_size, new_size).map_err(|_| PathError::OutOfRange)?;
    if old_size == new_size {
        return Ok(ConsistencyProof::default());
    }
    let last = old_size - 1;
    let mut hashes = Vec::new();
    if !ascent.starts_at_old_root {
        hashes.push(
            reader
                .node(ascent.level, last >> ascent.level)
                .map_err(PathError::Read)?,
        );
    }
    hashes.extend(siblings(
        hasher,
        reader,
        (last, new_size),
        ascent.path.sides_from(ascent.level),
    )?);
    Ok(ConsistencyProof { hashes })
}

/// Verifies that the tree with the new size and root extends the tree with the old size and root.
///
/// An empty old tree is refused: everything extends it, so a proof of it would prove nothing.
///
/// # Errors
/// [`ProofError::OutOfRange`], [`ProofError::WrongLength`], [`ProofError::WrongPrefix`] if the hashes do not lead to
/// the old root, [`ProofError::WrongRoot`] if they do not lead to the new one.
pub fn verify_consistency(
    hasher: &impl TreeHasher,
    old_size: u64,
    new_size: u64,
    hashes: &[Hash],
    old_root: Hash,
    new_root: Hash,
) -> Result<(), ProofError> {
    let ascent = Ascent::new(old_size, new_size)?;
    if old_size == new_size {
        expect_hashes(hashes, 0)?;
        return if old_root == new_root {
            Ok(())
        } else {
            Err(ProofError::WrongRoot)
        };
    }
    let (start, siblings) = if ascent.starts_at_old_root {
        (old_root, hashes)
    } else {
        let (start, siblings) = hashes.split_first().ok_or(ProofError::WrongLength)?;
        (*start, siblings)
    };
    expect_hashes(siblings, ascent.siblings())?;
    let steps = || ascent.path.sides_from(ascent.level).zip(siblings);
    if climb(hasher, start, steps().filter(|(side, _)| matches!(side, Side::Left(_)))) != old_root {
        return Err(ProofError::WrongPrefix);
    }
    if climb(hasher, start, steps()) != new_root {
        return Err(ProofError::WrongRoot);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{LeafSlice, Sha256Tree, root_of};

    #[test]
    fn growth_is_proved_and_everything_else_has_its_own_refusal() {
        let leaves: Vec<Hash> = (0..11_u8).map(|number| Sha256Tree.leaf_hash(&[number])).collect();
        let root = |size: usize| root_of(&Sha256Tree, &leaves[..size]);
        let proof = consistency_path(&Sha256Tree, &LeafSlice::new(&Sha256Tree, &leaves), 6, 11).unwrap();
        let verify = |old_size, new_size, hashes: &[Hash], old_root, new_root| {
            verify_consistency(&Sha256Tree, old_size, new_size, hashes, old_root, new_root)
        };
        assert_eq!(verify(6, 11, &proof.hashes, root(6), root(11)), Ok(()));
        assert_eq!(
            verify(6, 11, &proof.hashes, root(5), root(11)),
            Err(ProofError::WrongPrefix)
        );
        assert_eq!(
            verify(6, 11, &proof.hashes, root(6), root(10)),
            Err(ProofError::WrongRoot)
        );
        assert_eq!(verify(6, 11, &[], root(6), root(11)), Err(ProofError::WrongLength));
        assert_eq!(
            verify(6, 11, &proof.hashes[1..], root(6), root(11)),
            Err(ProofError::WrongLength)
        );
        assert_eq!(
            verify(11, 6, &proof.hashes, root(11), root(6)),
            Err(ProofError::OutOfRange)
        );
        assert_eq!(
            verify(0, 11, &[], Sha256Tree.empty(), root(11)),
            Err(ProofError::OutOfRange)
        );
        assert_eq!(verify(6, 6, &[], root(6), root(6)), Ok(()));
        assert_eq!(verify(6, 6, &[], root(6), root(5)), Err(ProofError::WrongRoot));
        assert_eq!(
            verify(6, 6, &proof.hashes, root(6), root(6)),
            Err(ProofError::WrongLength)
        );
    }

    #[test]
    fn a_proof_is_read_back() {
        let proof = ConsistencyProof {
            hashes: vec![Hash([1; 32]); 3],
        };
        assert_eq!(ConsistencyProof::from_bytes(&proof.to_bytes()), Ok(proof));
        let too_long = ConsistencyProof {
            hashes: vec![Hash::ZERO; 65],
        };
        assert_eq!(
            ConsistencyProof::from_bytes(&too_long.to_bytes()),
            Err(CodecError::TooLong)
        );
    }
}

//! The history tree: every header there ever was, in one RFC 6962 tree with SHA-256.
//!
//! The header at height h commits to the tree over the headers 0..h. It is the one tree that is not keyed BLAKE3, so
//! that the world's transparency witnesses and checkpoint tools work on it. A client that holds a header needs one
//! inclusion path to know that a newer one extends it: the path proves that the held header is leaf a, and its left
//! siblings are the peaks of the tree before it, which must fold to the history root that the held header names.
//! `// SPEC 13`

use crate::block::BlockHeader;
use crate::codec::Encode;
use crate::hash::Hash;
use crate::merkle::{self, InclusionProof, ProofError, Sha256Tree, TreeHasher};

/// Root of the empty history: what block 0 names.
#[must_use]
pub fn empty_root() -> Hash {
    Sha256Tree.empty()
}

/// A header as a leaf.
#[must_use]
pub fn leaf(header: &BlockHeader) -> Hash {
    Sha256Tree.leaf_hash(&header.to_bytes())
}

/// Checks that `older` stands at its height in the history of `newer`.
///
/// # Errors
/// If it is not older, or the path does not lead to the root.
pub fn verify_inclusion(older: &BlockHeader, newer: &BlockHeader, path: &InclusionProof) -> Result<(), ProofError> {
    merkle::verify_inclusion(
        &Sha256Tree,
        older.height,
        newer.height,
        leaf(older),
        &path.siblings,
        newer.history_root,
    )
}

/// Checks that `newer` extends `older`: inclusion, and the same history before it.
///
/// # Errors
/// As [`verify_inclusion`], and [`ProofError::WrongPrefix`] if the histories before `older` differ.
pub fn verify_extension(older: &BlockHeader, newer: &BlockHeader, path: &InclusionProof) -> Result<(), ProofError> {
    verify_inclusion(older, newer, path)?;
    let before = merkle::prefix_root_from_inclusion(&Sha256Tree, older.height, newer.height, &path.siblings)?;
    if before == older.history_root {
        Ok(())
    } else {
        Err(ProofError::WrongPrefix)
    }
}

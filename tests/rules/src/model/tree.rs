//! The Merkle tree as RFC 6962, section 2.1 writes it: recursion over lists of leaves, nothing derived from bits.

use waxwing_core::Hash;
use waxwing_core::merkle::TreeHasher;

/// On which side of the path a sibling stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Hashed before the path's own node.
    Left,
    /// Hashed after it.
    Right,
}

/// Splits a list of more than one at the largest power of two below its length (`k` in the RFC).
fn split<T>(leaves: &[T]) -> (&[T], &[T]) {
    let mut k = 1;
    while 2 * k < leaves.len() {
        k *= 2;
    }
    leaves.split_at(k)
}

/// `MTH(D)`: the root over leaf hashes.
#[must_use]
pub fn root(hasher: &impl TreeHasher, leaves: &[Hash]) -> Hash {
    match leaves {
        [] => hasher.empty(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = split(leaves);
            hasher.node(&root(hasher, left), &root(hasher, right))
        }
    }
}

/// `PATH(m, D)`: the siblings of leaf `m`, lowest first, with their sides.
///
/// # Panics
/// If there is no leaf `m`.
#[must_use]
pub fn path(hasher: &impl TreeHasher, m: usize, leaves: &[Hash]) -> Vec<(Side, Hash)> {
    assert!(m < leaves.len(), "there is no leaf {m}");
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = split(leaves);
    let (mut path, sibling) = if m < left.len() {
        (path(hasher, m, left), (Side::Right, root(hasher, right)))
    } else {
        (path(hasher, m - left.len(), right), (Side::Left, root(hasher, left)))
    };
    path.push(sibling);
    path
}

/// `PROOF(m, D)`: that the tree over `leaves` extends the one over the first `m` of them.
///
/// # Panics
/// Unless `m` is one to the number of leaves.
#[must_use]
pub fn consistency(hasher: &impl TreeHasher, m: usize, leaves: &[Hash]) -> Vec<Hash> {
    assert!(0 < m && m <= leaves.len(), "no tree of {m} leaves is extended");
    subproof(hasher, m, leaves, true)
}

/// `SUBPROOF(m, D, b)`; `whole` says that the old tree is this whole subtree, whose root the verifier knows.
fn subproof(hasher: &impl TreeHasher, m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![root(hasher, leaves)] };
    }
    let (left, right) = split(leaves);
    let (mut proof, sibling) = if m <= left.len() {
        (subproof(hasher, m, left, whole), root(hasher, right))
    } else {
        (subproof(hasher, m - left.len(), right, false), root(hasher, left))
    };
    proof.push(sibling);
    proof
}

/// The roots of the complete subtrees side by side in a tree, left to right.
#[must_use]
pub fn peaks(hasher: &impl TreeHasher, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.is_empty() {
        return Vec::new();
    }
    if leaves.len().is_power_of_two() {
        return vec![root(hasher, leaves)];
    }
    let (left, right) = split(leaves);
    let mut all = vec![root(hasher, left)];
    all.extend(peaks(hasher, right));
    all
}

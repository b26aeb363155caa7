//! The Merkle tree of RFC 6962 (the one of RFC 9162 too), generic over its node hash.
//!
//! Logs, the entries of a block and the history of headers are all this one shape: leaves in the order they came, every
//! run of `2^level` leaves that starts at a multiple of its width is a complete subtree, and what does not fill one
//! hangs off the right edge.
//!
//! ```text
//!                 root of 7
//!              /             \
//!           (2,0)             \          (level, index): a complete subtree of 2^level leaves,
//!          /     \           / \         the index-th of its level
//!      (1,0)     (1,1)    (1,2) \
//!      /   \     /   \    /   \  \
//!     0     1   2     3  4     5  6      peaks of 7 leaves: (2,0) (1,2) (0,6)
//! ```
//!
//! A tree of `n` leaves is pinned down by its *peaks*, one complete subtree per set bit of `n`: that is the
//! [`Frontier`], all that is needed to append. The siblings on a leaf's way to the root are its inclusion proof. Those
//! on its left are exactly the peaks of the tree before it: so one proof can show both that a leaf is in its place and
//! that everything before it is what it was ([`prefix_root_from_inclusion`]), and a range of leaves needs only the
//! peaks before it and the right siblings of its last leaf ([`verify_range`]).
//!
//! Leaves are given as hashes: what a leaf means, and under which key it is hashed, is said where the meaning lives
//! ([`crate::hash::Meaning`]). A root does not fix the number of leaves (the first leaf of three and of four has the
//! same path), so every root is certified together with its length, and every verifier derives the path from index and
//! size, never from what was sent. `// SPEC 5`

mod consistency;
mod frontier;
mod hasher;
mod inclusion;
mod path;
mod range;
mod read;

pub use consistency::{ConsistencyProof, consistency_path, verify_consistency};
pub use frontier::Frontier;
pub use hasher::{KeyedTree, Sha256Tree, TreeHasher};
pub use inclusion::{
    InclusionProof, inclusion_path, inclusion_path_len, prefix_root_from_inclusion, root_from_inclusion,
    verify_inclusion,
};
pub use range::{RangeProof, range_path, verify_range};
pub use read::{LeafSlice, NodeReader, PathError, frontier_at, path_of, root_of};

/// Most leaves a tree can have: lengths stay below 2^63, so that no sum of two positions overflows.
pub const LEAVES_MAX: u64 = (1 << 63) - 1;

/// Why a proof does not prove what it is held against.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProofError {
    /// No such place: an index at or behind the end, an empty or reversed range, a size of zero or above
    /// [`LEAVES_MAX`].
    OutOfRange,
    /// More or fewer hashes than the place needs. None is ever skipped or made up.
    WrongLength,
    /// The hashes do not lead to the root.
    WrongRoot,
    /// The tree before the place, or the older of two trees, is not the one that was held.
    WrongPrefix,
}

impl core::fmt::Display for ProofError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::OutOfRange => "the place is outside of the tree",
            Self::WrongLength => "the number of hashes does not fit the place",
            Self::WrongRoot => "the hashes do not lead to the root",
            Self::WrongPrefix => "the earlier tree is a different one",
        })
    }
}

impl core::error::Error for ProofError {}

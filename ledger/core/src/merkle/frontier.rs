//! The right edge of a tree: enough to append to it and to know its root, at most 63 hashes however long it is.

use super::path::fold_peaks;
use super::{LEAVES_MAX, ProofError, TreeHasher};
use crate::codec::{CodecError, Decode, Encode, Reader};
use crate::hash::Hash;

/// The peaks of a tree, one per set bit of its length ("compact range" from leaf 0).
///
/// Whoever has checked a frontier once can append new leaves himself and compare roots: he needs no proof per leaf, and
/// nothing before the frontier can be altered, moved or left out without his noticing.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Frontier {
    len: u64,
    /// Left to right, the largest subtree first.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The frontier of a tree without leaves.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            len: 0,
            peaks: Vec::new(),
        }
    }

    /// Puts a frontier together from its length and peaks, left to right. Whether they are the peaks of a certain tree
    /// shows only when [`Frontier::root`] is compared.
    ///
    /// # Errors
    /// [`ProofError::OutOfRange`] above [`LEAVES_MAX`], [`ProofError::WrongLength`] unless there is one peak per set
    /// bit of `len`.
    pub fn from_parts(len: u64, peaks: Vec<Hash>) -> Result<Self, ProofError> {
        if len > LEAVES_MAX {
            return Err(ProofError::OutOfRange);
        }
        super::path::expect_hashes(&peaks, len.count_ones())?;
        Ok(Self { len, peaks })
    }

    /// Number of leaves.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no leaves.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The peaks, left to right.
    #[must_use]
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// The root of the tree; [`TreeHasher::empty`] without leaves.
    #[must_use]
    pub fn root(&self, hasher: &impl TreeHasher) -> Hash {
        fold_peaks(hasher, self.peaks.iter().rev())
    }

    /// Appends a leaf.
    pub fn append(&mut self, hasher: &impl TreeHasher, leaf: Hash) {
        self.append_with(hasher, leaf, |_, _, _| ());
    }

    /// Appends a leaf and tells of each inner node that is now complete for ever: its level (1 and up), its index in
    /// the level, its hash. A store keeps some levels and computes the rest when asked.
    pub fn append_with(&mut self, hasher: &impl TreeHasher, leaf: Hash, mut completed: impl FnMut(u8, u64, Hash)) {
        let mut hash = leaf;
        let mut level: u8 = 0;
        // Like adding one to a binary number: each trailing one is a peak of the same width, merged and carried.
        while (self.len >> level) & 1 == 1 {
            let left = self.peaks.pop().expect("there is one peak per set bit of the length");
            hash = hasher.node(&left, &hash);
            level += 1;
            completed(level, self.len >> level, hash);
        }
        self.peaks.push(hash);
        // Starts below 2^63 and grows by one per hash computed: it cannot come near the end of u64.
        self.len += 1;
    }
}

/// The length, then the peaks left to right; their number follows from the length. // SPEC 5.2
impl Encode for Frontier {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.len.to_be_bytes());
        for peak in &self.peaks {
            peak.encode(out);
        }
    }
}

impl Decode for Frontier {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let len = reader.u64()?;
        if len > LEAVES_MAX {
            return Err(CodecError::BadValue);
        }
        let peaks = (0..len.count_ones()).map(|_| reader.hash()).collect::<Result<_, _>>()?;
        Ok(Self { len, peaks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::Sha256Tree;

    /// The eight leaves of the certificate transparency reference tests, and the roots of their first 0 to 8.
    const LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn appending_gives_the_roots_known_from_certificate_transparency() {
        let mut frontier = Frontier::empty();
        assert_eq!(frontier.root(&Sha256Tree).to_string(), ROOTS[0]);
        for (leaf, root) in LEAVES.iter().zip(&ROOTS[1..]) {
            frontier.append(&Sha256Tree, Sha256Tree.leaf_hash(leaf));
            assert_eq!(frontier.root(&Sha256Tree).to_string(), *root);
        }
    }

    #[test]
    fn completed_nodes_are_told_once_and_in_their_place() {
        let mut frontier = Frontier::empty();
        let mut told = Vec::new();
        for leaf in LEAVES {
            frontier.append_with(&Sha256Tree, Sha256Tree.leaf_hash(leaf), |level, index, hash| {
                told.push((level, index, hash.to_string()));
            });
        }
        let places: Vec<(u8, u64)> = told.iter().map(|(level, index, _)| (*level, *index)).collect();
        assert_eq!(places, [(1, 0), (1, 1), (2, 0), (1, 2), (1, 3), (2, 1), (3, 0)]);
        assert_eq!(
            (told[0].2.as_str(), told[2].2.as_str(), told[6].2.as_str()),
            (ROOTS[2], ROOTS[4], ROOTS[8])
        );
    }

    #[test]
    fn an_encoding_has_exactly_one_peak_per_set_bit() {
        let frontier = Frontier::from_parts(6, vec![Hash([1; 32]), Hash([2; 32])]).unwrap();
        let bytes = frontier.to_bytes();
        assert_eq!(bytes.len(), 8 + 2 * 32);
        assert_eq!(Frontier::from_bytes(&bytes), Ok(frontier));
        assert_eq!(Frontier::from_bytes(&bytes[..40]), Err(CodecError::Truncated));
        assert_eq!(
            Frontier::from_bytes(&[&bytes[..], &[0; 32]].concat()),
            Err(CodecError::Trailing)
        );
        assert_eq!(
            Frontier::from_bytes(&(1_u64 << 63).to_be_bytes()),
            Err(CodecError::BadValue)
        );
        assert_eq!(Frontier::from_bytes(&0_u64.to_be_bytes()), Ok(Frontier::empty()));
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        assert_eq!(Frontier::from_parts(3, vec![Hash::ZERO]), Err(ProofError::WrongLength));
        assert_eq!(
            Frontier::from_parts(4, vec![Hash::ZERO; 2]),
            Err(ProofError::WrongLength)
        );
        assert_eq!(Frontier::from_parts(0, vec![Hash::ZERO]), Err(ProofError::WrongLength));
        assert_eq!(
            Frontier::from_parts(1 << 63, vec![Hash::ZERO]),
            Err(ProofError::OutOfRange)
        );
        assert!(Frontier::from_parts(LEAVES_MAX, vec![Hash::ZERO; 63]).is_ok());
    }
}

//! Hashes, one key per meaning.
//!
//! A leaf that could be read as a node, or a header of one network as a header of another, would let a proof for one
//! thing pass as a proof for something else. So every meaning has a BLAKE3 key of its own, derived from the network id:
//! `key = derive_key("waxwing v1 <meaning>", network_id)`, then `keyed_hash(key, bytes)`. A Merkle node of 64 bytes is
//! one compression. `// SPEC 3`

use core::fmt;

/// Bytes in every hash of the ledger.
pub const HASH_BYTES: usize = 32;

/// 32 bytes that came out of a hash function, or zeros for "nothing" where the specification says so.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hash(pub [u8; HASH_BYTES]);

impl Hash {
    /// Stands for an empty tree or an empty slot; no known input hashes to it.
    pub const ZERO: Self = Self([0; HASH_BYTES]);

    /// The raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }

    /// Bit number `depth` (0 = most significant bit of the first byte), the way the log map walks.
    ///
    /// Depths of 256 and more have no bit and read as `false`.
    #[must_use]
    pub fn bit(&self, depth: usize) -> bool {
        let byte = self.0.get(depth / 8).copied().unwrap_or(0);
        (byte >> (7 - depth % 8)) & 1 == 1
    }

    /// Number of zero bits before the first one: what a stamp is worth.
    #[must_use]
    pub fn leading_zero_bits(&self) -> u32 {
        let mut zeros = 0;
        for byte in self.0 {
            zeros += byte.leading_zeros();
            if byte != 0 {
                break;
            }
        }
        zeros
    }
}

/// Lower-case hexadecimal, all 64 digits.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a hash is about. Each meaning hashes under a key of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meaning {
    /// Envelope header and signature: the entry id.
    Entry,
    /// One entry's place in its log.
    LogLeaf,
    /// Inner node of a log's tree.
    LogNode,
    /// Where a log stands in the log map.
    MapKey,
    /// A log's length, root and last height.
    MapLeaf,
    /// Inner node of the log map.
    MapNode,
    /// One entry's place in its block.
    BlockLeaf,
    /// Inner node of a block's entries tree.
    BlockNode,
    /// Block header: the block id.
    Header,
    /// Envelope header: the stamp (hashcash), and the name under which duplicates are remembered.
    Stamp,
    /// The list of validators.
    Committee,
    /// Network parameters.
    Parameters,
    /// An envelope's body.
    Body,
    /// An erasure secret: the erasure commitment.
    Erasure,
    /// The evidence a block carries.
    Evidence,
    /// An account: its fingerprint in a safety number.
    SafetyNumber,
    /// A number that is still to be revealed, when two people compare.
    ComparisonCommitment,
    /// What two people compare at once.
    Comparison,
    /// A chunk of an attachment, sealed: its id.
    Chunk,
}

impl Meaning {
    /// All of them, in the order of the specification.
    pub const ALL: [Self; 19] = [
        Self::Entry,
        Self::LogLeaf,
        Self::LogNode,
        Self::MapKey,
        Self::MapLeaf,
        Self::MapNode,
        Self::BlockLeaf,
        Self::BlockNode,
        Self::Header,
        Self::Stamp,
        Self::Committee,
        Self::Parameters,
        Self::Body,
        Self::Erasure,
        Self::Evidence,
        Self::SafetyNumber,
        Self::ComparisonCommitment,
        Self::Comparison,
        Self::Chunk,
    ];

    /// The key derivation context. // SPEC 3.1
    #[must_use]
    pub const fn context(self) -> &'static str {
        match self {
            Self::Entry => "waxwing v1 entry",
            Self::LogLeaf => "waxwing v1 log leaf",
            Self::LogNode => "waxwing v1 log node",
            Self::MapKey => "waxwing v1 map key",
            Self::MapLeaf => "waxwing v1 map leaf",
            Self::MapNode => "waxwing v1 map node",
            Self::BlockLeaf => "waxwing v1 block leaf",
            Self::BlockNode => "waxwing v1 block node",
            Self::Header => "waxwing v1 header",
            Self::Stamp => "waxwing v1 stamp",
            Self::Committee => "waxwing v1 committee",
            Self::Parameters => "waxwing v1 parameters",
            Self::Body => "waxwing v1 body",
            Self::Erasure => "waxwing v1 erasure",
            Self::Evidence => "waxwing v1 evidence",
            Self::SafetyNumber => "waxwing v1 safety number",
            Self::ComparisonCommitment => "waxwing v1 comparison commitment",
            Self::Comparison => "waxwing v1 comparison",
            Self::Chunk => "waxwing v1 chunk",
        }
    }
}

/// One network's hash keys, one per [`Meaning`]. Derived once; 608 bytes, cheap to share by reference.
#[derive(Clone)]
pub struct HashKeys {
    network: Hash,
    keys: [[u8; HASH_BYTES]; Meaning::ALL.len()],
}

impl HashKeys {
    /// Derives the keys of the network with this id.
    #[must_use]
    pub fn new(network: Hash) -> Self {
        let keys = Meaning::ALL.map(|meaning| blake3::derive_key(meaning.context(), network.as_bytes()));
        Self { network, keys }
    }

    /// The network these keys belong to.
    #[must_use]
    pub const fn network(&self) -> Hash {
        self.network
    }

    /// Hashes `bytes` under the key of `meaning`.
    #[must_use]
    pub fn hash(&self, meaning: Meaning, bytes: &[u8]) -> Hash {
        Hash(*blake3::keyed_hash(self.key(meaning), bytes).as_bytes())
    }

    /// Hashes two child hashes: one BLAKE3 compression.
    #[must_use]
    pub fn node(&self, meaning: Meaning, left: &Hash, right: &Hash) -> Hash {
        let mut bytes = [0; 2 * HASH_BYTES];
        let (first, second) = bytes.split_at_mut(HASH_BYTES);
        first.copy_from_slice(&left.0);
        second.copy_from_slice(&right.0);
        self.hash(meaning, &bytes)
    }

    fn key(&self, meaning: Meaning) -> &[u8; HASH_BYTES] {
        let [
            entry,
            log_leaf,
            log_node,
            map_key,
            map_leaf,
            map_node,
            block_leaf,
            block_node,
            rest @ ..,
        ] = &self.keys;
        let [
            header,
            stamp,
            committee,
            parameters,
            body,
            erasure,
            evidence,
            of_people @ ..,
        ] = rest;
        let [safety_number, comparison_commitment, comparison, chunk] = of_people;
        match meaning {
            Meaning::Entry => entry,
            Meaning::LogLeaf => log_leaf,
            Meaning::LogNode => log_node,
            Meaning::MapKey => map_key,
            Meaning::MapLeaf => map_leaf,
            Meaning::MapNode => map_node,
            Meaning::BlockLeaf => block_leaf,
            Meaning::BlockNode => block_node,
            Meaning::Header => header,
            Meaning::Stamp => stamp,
            Meaning::Committee => committee,
            Meaning::Parameters => parameters,
            Meaning::Body => body,
            Meaning::Erasure => erasure,
            Meaning::Evidence => evidence,
            Meaning::SafetyNumber => safety_number,
            Meaning::ComparisonCommitment => comparison_commitment,
            Meaning::Comparison => comparison,
            Meaning::Chunk => chunk,
        }
    }
}

impl fmt::Debug for HashKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HashKeys({})", self.network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_meaning_and_every_network_hashes_differently() {
        let one = HashKeys::new(Hash([1; 32]));
        let two = HashKeys::new(Hash([2; 32]));
        let mut seen: Vec<Hash> = Meaning::ALL
            .iter()
            .flat_map(|meaning| [one.hash(*meaning, b"same"), two.hash(*meaning, b"same")])
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 2 * Meaning::ALL.len());
    }

    #[test]
    fn keys_stand_in_the_order_of_their_meanings() {
        let keys = HashKeys::new(Hash([7; 32]));
        for (position, meaning) in Meaning::ALL.into_iter().enumerate() {
            assert_eq!(keys.key(meaning), &keys.keys[position], "{meaning:?}");
        }
    }

    #[test]
    fn a_stamp_counts_zero_bits_across_bytes() {
        let mut hash = Hash([0xff; 32]);
        assert_eq!(hash.leading_zero_bits(), 0);
        hash.0[0] = 0;
        hash.0[1] = 0b0001_0000;
        assert_eq!(hash.leading_zero_bits(), 11);
        assert_eq!(Hash::ZERO.leading_zero_bits(), 256);
    }

    #[test]
    fn bits_are_read_from_the_most_significant_end() {
        let mut hash = Hash::ZERO;
        hash.0[0] = 0b1000_0000;
        hash.0[31] = 1;
        assert!(hash.bit(0) && !hash.bit(1) && hash.bit(255) && !hash.bit(256));
    }
}

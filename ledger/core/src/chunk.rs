//! A chunk of an attachment: sealed bytes beside the ledger, and the id that they have on every node.
//!
//! An attachment never passes through consensus: it is cut and sealed by whoever sends it, and its pieces are put on nodes,
//! which keep them for a time. The id of a piece is the keyed hash of its bytes, so a reader needs no word of a node to know
//! that it was given what it asked for, and a node needs none of its disk. The message that refers to an attachment holds
//! ids, key, name, type and size; a chunk holds none of these in the clear, and two files have no chunk in common, because
//! each has a key of its own. `// SPEC 27`

use core::fmt;

use crate::codec::{CodecError, Decode, Encode, Reader};
use crate::hash::{Hash, HashKeys, Meaning};

/// The name of a chunk: what its bytes hash to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkId(pub [u8; 32]);

impl ChunkId {
    /// The id of these bytes in the network of these keys. `// SPEC 27`
    #[must_use]
    pub fn of(keys: &HashKeys, bytes: &[u8]) -> Self {
        let Hash(id) = keys.hash(Meaning::Chunk, bytes);
        Self(id)
    }

    /// Whether these bytes are the chunk of this id.
    #[must_use]
    pub fn names(&self, keys: &HashKeys, bytes: &[u8]) -> bool {
        *self == Self::of(keys, bytes)
    }
}

impl Encode for ChunkId {
    fn encode(&self, out: &mut Vec<u8>) {
        Hash(self.0).encode(out);
    }
}

impl Decode for ChunkId {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Hash::decode(reader).map(|Hash(id)| Self(id))
    }
}

/// Lower-case hexadecimal, all 64 digits.
impl fmt::Display for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hash(self.0), f)
    }
}

impl fmt::Debug for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_known_by_every_bit_of_it_and_in_its_own_network_only() {
        let keys = HashKeys::new(Hash([1; 32]));
        let bytes = [7; 100];
        let id = ChunkId::of(&keys, &bytes);
        assert!(id.names(&keys, &bytes));
        for place in 0..bytes.len() {
            let mut other = bytes;
            other[place] ^= 1;
            assert!(!id.names(&keys, &other), "byte {place}");
        }
        assert!(!id.names(&keys, &bytes[..99]));
        assert!(!id.names(&HashKeys::new(Hash([2; 32])), &bytes));
    }

    #[test]
    fn an_id_is_written_as_its_32_bytes() {
        let id = ChunkId([0xab; 32]);
        assert_eq!(id.to_bytes(), [0xab; 32]);
        assert_eq!(ChunkId::from_bytes(&[0xab; 32]), Ok(id));
        assert_eq!(ChunkId::from_bytes(&[0xab; 31]), Err(CodecError::Truncated));
        assert_eq!(id.to_string(), "ab".repeat(32));
    }
}

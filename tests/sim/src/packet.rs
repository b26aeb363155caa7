//! What travels between two validators: frames as bytes, and what the links of a node say to each other beside them.

use std::sync::Arc;

use waxwing_core::Hash;
use waxwing_core::block::CertifiedBlock;
use waxwing_core::codec::Encode;

/// Something that travels.
#[derive(Clone, Debug)]
pub enum Packet {
    /// A frame of the agreement.
    Frame(Arc<[u8]>),
    /// An envelope that somebody was given.
    Spread(Arc<[u8]>),
    /// A wish for entries of a block under way, by their stamps.
    Ask {
        /// The block.
        block: Hash,
        /// Which entries.
        stamps: Arc<[Hash]>,
    },
    /// Entries that were asked for, one after the other.
    Entries {
        /// The block.
        block: Hash,
        /// Each encoded.
        entries: Arc<[Vec<u8>]>,
    },
    /// A wish for blocks from a height on.
    WantBlocks(u64),
    /// Certified blocks.
    Blocks(Arc<[CertifiedBlock]>),
    /// A contradiction that was seen.
    Evidence(Arc<[u8]>),
}

impl Packet {
    /// Its bytes, without what the transport adds.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Frame(bytes) | Self::Spread(bytes) | Self::Evidence(bytes) => bytes.len(),
            Self::Ask { stamps, .. } => 32 + 32 * stamps.len(),
            Self::Entries { entries, .. } => 32 + entries.iter().map(Vec::len).sum::<usize>(),
            Self::WantBlocks(_) => 8,
            Self::Blocks(blocks) => blocks.iter().map(|block| block.to_bytes().len()).sum(),
        }
    }
}

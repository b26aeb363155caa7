//! What is said about chunks of attachments: their ids, whether a node has them, and on what terms it takes them.

use serde::{Deserialize, Serialize};
use waxwing_core::chunk::ChunkId;

use super::values::name;

/// The id of a chunk, as it travels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Chunk(#[serde(with = "name")] pub ChunkId);

/// What one [`Holding`] takes on its way.
pub(super) const HOLDING_BYTES: usize = 12;

/// Whether a node has a chunk, as far as it knows without reading it. The order is part of the format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Holding {
    /// It has not.
    Nothing,
    /// It has, durably.
    Kept {
        /// Until then: milliseconds since 1970, by its own clock.
        until_ms: u64,
    },
}

/// On what terms a node keeps chunks. Its word: shown to people and used to choose a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChunkTerms {
    /// Bytes that it keeps at most, of everybody.
    pub quota_bytes: u64,
    /// Bytes that are free, rounded down, so that a stranger who asks again and again does not learn when others send
    /// how much.
    pub free_bytes: u64,
    /// Days that it keeps a chunk at most.
    pub days: u32,
    /// The longest chunk that it takes.
    pub chunk_bytes: u32,
}

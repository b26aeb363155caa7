//! Files beside the ledger: cut into pieces, each piece sealed into a chunk that nodes keep under its hash.
//!
//! ```text
//! file ──> piece 0 │ piece 1 │ ... │ last piece, zeros       [`Shape`]: what the length decides
//!            │         │                 │
//!            v         v                 v                   [`Level::seal`]: STREAM over XChaCha20-Poly1305
//!         chunk 0   chunk 1    ...   last chunk              to nodes, which know nothing but sizes and hashes
//!            │         │                 │
//!            └── their ids, in order ────┘                   a list; while it is long it is sealed and cut like a file
//!                         │
//!                     [`Manifest`]                           inside of a message: name, length, hash, key, first ids
//! ```
//!
//! A file never passes through consensus, and no node learns its name, its type or its exact size. What holds it together
//! is the manifest: it reaches its readers inside of a sealed message, with that message's author, order and proofs, and
//! it commits to every chunk twice, by its id and by the key under which it alone opens in its place.
//!
//! Every file has a key of its own, so pieces need no random nonces: sealing one piece again gives the same chunk, which is
//! what lets an interrupted transfer go on. **One position of one key is sealed with one text only**: whoever transfers a
//! file notes the ids first, and lets no chunk out that is not among them. `// SPEC 29`

mod manifest;
mod name;
mod shape;
mod stream;
#[cfg(test)]
mod tests;

pub use manifest::{FileName, Manifest, MediaType};
pub use name::safe_file_name;
pub use shape::{Extent, Shape, levels};
pub use stream::{FileKey, Level, PieceError};

use waxwing_core::chunk::ChunkId;

/// A list of ids as the text of the next level.
#[must_use]
pub fn list_bytes(ids: &[ChunkId]) -> Vec<u8> {
    ids.iter().flat_map(|id| id.0).collect()
}

/// The ids in the text of a level; `None` if it is no whole number of them.
#[must_use]
pub fn listed(text: &[u8]) -> Option<Vec<ChunkId>> {
    let (ids, rest) = text.as_chunks::<32>();
    rest.is_empty().then(|| ids.iter().copied().map(ChunkId).collect())
}

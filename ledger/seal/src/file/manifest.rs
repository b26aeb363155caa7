//! What a message says about a file: enough to fetch, check and open it, and nothing that a node sees.
//!
//! Name, type and the time until which nodes keep it are claims of the message's author. Length, key and ids are not: with
//! another length or key nothing opens, and another id is another chunk. `// SPEC 29.3`

use core::fmt;

use waxwing_core::Hash;
use waxwing_core::chunk::ChunkId;
use waxwing_core::codec::{CodecError, Decode, Encode, Reader, put_bytes, put_list};
use waxwing_core::keys::NodeId;

use super::shape::{Shape, levels};
use super::stream::FileKey;
use crate::content::{Text, Words};
use crate::limits::{FILE_NAME_BYTES_MAX, HOLDERS_MAX, IDS_IN_MANIFEST_MAX, MEDIA_TYPE_BYTES_MAX};

const MANIFEST_VERSION: u8 = 1;

/// No bytes are known to hash to it.
const NO_CHUNK: ChunkId = ChunkId([0; 32]);

/// A file's name as its sender has it: hostile until it went through [`super::safe_file_name`] or `display`.
pub type FileName = Text<FILE_NAME_BYTES_MAX>;
/// What the sender says the file is, as `image/png`. Nothing here acts on it.
pub type MediaType = Text<MEDIA_TYPE_BYTES_MAX>;

/// A file beside the ledger: the whole payload of a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its name.
    pub name: FileName,
    /// Its type, as claimed.
    pub media_type: MediaType,
    /// Bytes.
    pub length: u64,
    /// BLAKE3 of the file, without a key: what `b3sum` prints.
    pub hash: Hash,
    /// Its key.
    pub key: FileKey,
    /// Until when the nodes that took it promised to keep it, ms since 1970; 0 if they named no end.
    pub kept_until_ms: u64,
    /// The nodes that took it: whom to ask first.
    pub holders: Vec<NodeId>,
    /// The ids of the last level's chunks, in order: the file's own while they are few, else those of a list.
    pub chunks: Vec<ChunkId>,
    /// What is said with it.
    pub words: Words,
}

impl Manifest {
    /// The shapes of the file and of its lists of ids; `None` if this is not a manifest's form.
    #[must_use]
    pub fn levels(&self) -> Option<Vec<Shape>> {
        let shapes = levels(self.length)?;
        let listed = u32::try_from(self.chunks.len()).ok()?;
        (shapes.last().map(Shape::pieces) == Some(listed)).then_some(shapes)
    }

    /// What is left of a file that its sender took back: that there was one.
    #[must_use]
    pub fn forgotten() -> Self {
        Self {
            name: FileName::default(),
            media_type: MediaType::default(),
            length: 0,
            hash: Hash::ZERO,
            key: FileKey::from_bytes([0; 32]),
            kept_until_ms: 0,
            holders: Vec::new(),
            chunks: vec![NO_CHUNK],
            words: Words::default(),
        }
    }

    /// Whether this is [`Manifest::forgotten`].
    #[must_use]
    pub fn is_forgotten(&self) -> bool {
        self.chunks == [NO_CHUNK]
    }
}

/// Names and keys never reach a log line by way of `{:?}`.
impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Manifest({} bytes, {} ids)", self.length, self.chunks.len())
    }
}

impl Encode for Manifest {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(MANIFEST_VERSION);
        self.name.encode(out);
        self.media_type.encode(out);
        out.extend_from_slice(&self.length.to_be_bytes());
        self.hash.encode(out);
        out.extend_from_slice(self.key.expose());
        out.extend_from_slice(&self.kept_until_ms.to_be_bytes());
        let holders: Vec<Hash> = self.holders.iter().map(|node| Hash(node.0)).collect();
        put_list(out, &holders);
        put_bytes(out, &super::list_bytes(&self.chunks));
        self.words.encode_last(out);
    }
}

impl Decode for Manifest {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.magic(&[MANIFEST_VERSION])?;
        let manifest = Self {
            name: FileName::decode(reader)?,
            media_type: MediaType::decode(reader)?,
            length: reader.u64()?,
            hash: reader.hash()?,
            key: FileKey::from_bytes(reader.array()?),
            kept_until_ms: reader.u64()?,
            holders: reader
                .list::<Hash>(HOLDERS_MAX, 32)?
                .into_iter()
                .map(|node| NodeId(node.0))
                .collect(),
            chunks: super::listed(reader.bytes(IDS_IN_MANIFEST_MAX * 32)?).ok_or(CodecError::BadValue)?,
            words: Words::decode_last(reader)?,
        };
        // Its length alone decides how many ids there are: a manifest has one form.
        manifest.levels().map(|_| manifest).ok_or(CodecError::BadValue)
    }
}

//! Keys and values of every family, byte for byte. Integers are big-endian, so that rows stand in the order of their
//! numbers; keys carry the whole `LogId`, since blocks of a table store a shared prefix once.
//!
//! | family | key | value |
//! |---|---|---|
//! | `body` | position u64 | sealed bytes |
//! | `entry` | position u64 | height u64, log index u64, envelope header and signature 224 |
//! | `index` | log 32, log index u64 | position u64, log leaf 32 |
//! | `log` | map key 32 | log 32, last height u64, frontier (length u64, peaks) |
//! | `excuse` | position u64 | erasure secret 32 |
//! | `expiry` | time u64, height u64 | places in the block, u16 each |
//! | `node` | log 32 (zeros: the history), level u8, index u64 | hash 32 |
//! | `block` | height u64 | header 372, certificate (list of 0 or 1), evidence (list) |
//! | `recent` | anchor height u64, stamp 32 | position u64 |
//! | `meta` | name | see [`meta`] |
//!
//! The root of a log is not stored: it is computed from the frontier, so that comparing the log map with the certified
//! header covers the very bytes that the next append starts from. An entry names its block and its index, because who
//! comes from a position (a receipt, a body's expiry) has no other way to find them.

use waxwing_core::block::BlockHeader;
use waxwing_core::certificate::{Certificate, Head};
use waxwing_core::codec::{CodecError, Decode, Encode, Reader, put_list};
use waxwing_core::envelope::{ErasureSecret, SignedHeader};
use waxwing_core::evidence::Evidence;
use waxwing_core::hash::{HASH_BYTES, Hash};
use waxwing_core::keys::LogId;
use waxwing_core::limits::{BLOCK_ENTRIES_MAX, EVIDENCE_MAX, SIGNED_HEADER_BYTES};
use waxwing_core::log::LogState;
use waxwing_core::merkle::Frontier;

/// Names of the rows in `meta`.
pub mod meta {
    /// Version of the layout: u32.
    pub const SCHEMA: &[u8] = b"schema";
    /// The network's genesis.
    pub const GENESIS: &[u8] = b"genesis";
    /// Height of the newest block: u64.
    pub const APPLIED: &[u8] = b"applied";
    /// Number of bodies erased by secrets so far: u64.
    pub const ERASED: &[u8] = b"erased";
    /// Header time up to which expired bodies were dropped: u64.
    pub const PRUNED: &[u8] = b"pruned";
    /// What the names of the committees' rows start with: the first height of a term follows, u64. The committee of the
    /// first term stands in the genesis and has none.
    pub const TERM: &[u8; 4] = b"term";

    /// Is there while a snapshot is being brought in: until it goes, nothing but the genesis counts.
    pub const JOINING: &[u8] = b"joining";
    /// Where the store was joined, while older blocks are not here yet: height u64, block id 32, frontier of the history
    /// before the lowest header that is here.
    pub const JOINED: &[u8] = b"joined";
    /// What the names of the base start with: a map key 32 follows, the row is one of `log` as it was joined.
    pub const BASE: &[u8] = b"base";
    /// What the names of nodes of the history start with that lie on the way to the snapshot: level u8 and index u64 follow,
    /// the row is a hash.
    pub const PATH: &[u8] = b"path";
    /// What the names of the replay's own rows start with: the key of a row of `log`, `recent` or `meta` follows.
    pub const BEHIND_LOG: &[u8] = b"behind.log.";
    /// Likewise.
    pub const BEHIND_RECENT: &[u8] = b"behind.recent.";
    /// Likewise.
    pub const BEHIND_META: &[u8] = b"behind.meta.";

    /// Name of the row of a log's state as it was joined.
    #[must_use]
    pub fn base_key(map_key: &super::Hash) -> [u8; 36] {
        super::joined(BASE, map_key.as_bytes())
    }

    /// Name of the row of a node of the history on the way to the snapshot.
    #[must_use]
    pub fn path_key(level: u8, index: u64) -> [u8; 13] {
        super::joined(PATH, &super::joined::<9>(&[level], &index.to_be_bytes()))
    }

    /// Name of a row of the replay.
    #[must_use]
    pub fn behind(prefix: &[u8], key: &[u8]) -> Vec<u8> {
        [prefix, key].concat()
    }

    /// Name of the row of the committee that certifies blocks from a height on.
    #[must_use]
    pub fn term_key(from: u64) -> [u8; 12] {
        super::joined(TERM, &from.to_be_bytes())
    }

    /// The height in the name of a committee's row; `None` if it is another row's.
    #[must_use]
    pub fn decode_term_key(key: &[u8]) -> Option<u64> {
        let from = key.strip_prefix(TERM)?;
        from.try_into().ok().map(u64::from_be_bytes)
    }
}

/// The log under which the nodes of the history tree are kept. No entry can ever stand on it: as an ed25519 key it is a
/// point of order four, and strict verification refuses every signature of such a key.
pub const HISTORY: LogId = LogId([0; 32]);

/// Bytes of an `entry` row.
pub const ENTRY_BYTES: usize = 16 + SIGNED_HEADER_BYTES;

/// Key of `body`, `entry`, `excuse`; of `block` with a height.
#[must_use]
pub const fn number_key(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// Key of `index`.
#[must_use]
pub fn index_key(log: &LogId, index: u64) -> [u8; 40] {
    joined(log.as_bytes(), &index.to_be_bytes())
}

/// Key of `node`.
#[must_use]
pub fn node_key(log: &LogId, level: u8, index: u64) -> [u8; 41] {
    let mut key = [0; 41];
    let (tree, place) = key.split_at_mut(HASH_BYTES);
    tree.copy_from_slice(log.as_bytes());
    place.copy_from_slice(&joined::<9>(&[level], &index.to_be_bytes()));
    key
}

/// Key of `recent`.
#[must_use]
pub fn recent_key(anchor: u64, stamp: &Hash) -> [u8; 40] {
    joined(&anchor.to_be_bytes(), stamp.as_bytes())
}

/// Key of `expiry`.
#[must_use]
pub fn expiry_key(time: u64, height: u64) -> [u8; 16] {
    joined(&time.to_be_bytes(), &height.to_be_bytes())
}

/// Two parts of a key, one after the other.
fn joined<const N: usize>(first: &[u8], second: &[u8]) -> [u8; N] {
    let mut key = [0; N];
    let (head, tail) = key.split_at_mut(first.len());
    head.copy_from_slice(first);
    tail.copy_from_slice(second);
    key
}

/// Row of `entry`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntryRow {
    /// Height of its block.
    pub height: u64,
    /// Its index in its log.
    pub log_index: u64,
    /// Header and signature.
    pub signed: SignedHeader,
}

impl Encode for EntryRow {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_entry(out, self.height, self.log_index, &self.signed);
    }
}

/// The row of an entry that is elsewhere in memory.
pub(crate) fn encode_entry(out: &mut Vec<u8>, height: u64, log_index: u64, signed: &SignedHeader) {
    out.extend_from_slice(&height.to_be_bytes());
    out.extend_from_slice(&log_index.to_be_bytes());
    signed.encode(out);
}

impl Decode for EntryRow {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            height: reader.u64()?,
            log_index: reader.u64()?,
            signed: SignedHeader::decode(reader)?,
        })
    }
}

/// Row of `index`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexRow {
    /// Where the entry is among all of the ledger.
    pub position: u64,
    /// Its leaf in the log's tree.
    pub leaf: Hash,
}

impl IndexRow {
    /// As stored.
    #[must_use]
    pub fn to_array(&self) -> [u8; 40] {
        joined(&self.position.to_be_bytes(), self.leaf.as_bytes())
    }
}

impl Decode for IndexRow {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            position: reader.u64()?,
            leaf: reader.hash()?,
        })
    }
}

/// Row of `log`: a state, as stored.
pub(crate) fn encode_log(out: &mut Vec<u8>, state: &LogState) {
    state.log.encode(out);
    out.extend_from_slice(&state.last_height.to_be_bytes());
    state.frontier.encode(out);
}

/// Row of `log`: a state, read back.
///
/// # Errors
/// If the bytes are not one, or are the state of a log without entries: such a log has no row.
pub fn decode_log(bytes: &[u8]) -> Result<LogState, CodecError> {
    let mut reader = Reader::new(bytes);
    let (log, last_height) = (LogId::decode(&mut reader)?, reader.u64()?);
    let frontier = Frontier::decode(&mut reader)?;
    reader.finish()?;
    if frontier.is_empty() {
        return Err(CodecError::BadValue);
    }
    Ok(LogState {
        log,
        frontier,
        last_height,
    })
}

/// Row of `log`, the other way round: for who writes rows by hand.
#[must_use]
pub fn log_row(state: &LogState) -> Vec<u8> {
    let mut row = Vec::new();
    encode_log(&mut row, state);
    row
}

/// Row of `block`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockRow {
    /// The header.
    pub header: BlockHeader,
    /// What makes it final; block 0 needs none.
    pub certificate: Option<Certificate>,
    /// What the block reports of validators' misconduct.
    pub evidence: Vec<Evidence>,
}

impl BlockRow {
    /// Header and certificate; `None` for block 0.
    #[must_use]
    pub fn into_head(self) -> Option<Head> {
        let Self {
            header, certificate, ..
        } = self;
        certificate.map(|certificate| Head { header, certificate })
    }
}

impl Encode for BlockRow {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_block(out, &self.header, self.certificate.as_slice(), &self.evidence);
    }
}

/// The row of a block that is elsewhere in memory.
pub(crate) fn encode_block(
    out: &mut Vec<u8>,
    header: &BlockHeader,
    certificate: &[Certificate],
    evidence: &[Evidence],
) {
    header.encode(out);
    put_list(out, certificate);
    put_list(out, evidence);
}

impl Decode for BlockRow {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            header: BlockHeader::decode(reader)?,
            certificate: reader.list(1, 1)?.pop(),
            evidence: reader.list(EVIDENCE_MAX, 1)?,
        })
    }
}

/// Row of `expiry`: places in the block, ascending.
#[must_use]
pub fn expiry_row(places: &[u16]) -> Vec<u8> {
    places.iter().flat_map(|place| place.to_be_bytes()).collect()
}

/// Row of `expiry`, read back.
///
/// # Errors
/// If the bytes are no list of places.
pub fn decode_expiry(bytes: &[u8]) -> Result<Vec<u16>, CodecError> {
    let (places, rest) = bytes.as_chunks::<2>();
    if rest.is_empty() {
        Ok(places.iter().map(|place| u16::from_be_bytes(*place)).collect())
    } else {
        Err(CodecError::Truncated)
    }
}

/// A number on its own: `recent` and most of `meta`.
///
/// # Errors
/// If the bytes are not exactly one.
pub fn decode_number(bytes: &[u8]) -> Result<u64, CodecError> {
    let mut reader = Reader::new(bytes);
    let number = reader.u64()?;
    reader.finish()?;
    Ok(number)
}

/// The version of the layout, in `meta`.
///
/// # Errors
/// If the bytes are not exactly one.
pub fn decode_schema(bytes: &[u8]) -> Result<u32, CodecError> {
    let mut reader = Reader::new(bytes);
    let version = reader.u32()?;
    reader.finish()?;
    Ok(version)
}

/// Row of `excuse`.
///
/// # Errors
/// If the bytes are not exactly a secret.
pub fn decode_excuse(bytes: &[u8]) -> Result<ErasureSecret, CodecError> {
    let mut reader = Reader::new(bytes);
    let secret = ErasureSecret(reader.array()?);
    reader.finish()?;
    Ok(secret)
}

const _: () = assert!(
    BLOCK_ENTRIES_MAX <= 1 << 16,
    "a place in a block fits an expiry row's u16"
);

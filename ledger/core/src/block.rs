//! Blocks: ordered entries, and the fixed-size header that is voted on and hash-chained.
//!
//! The header commits to everything before it (parent, history root), to what it adds (entries root), to what is true
//! after it (log map root) and to who decides next (committee hashes). A client that has checked one header can check
//! anything else against it. `// SPEC 10`

use crate::certificate::Head;
use crate::codec::{CodecError, Decode, Encode, Reader, put_list};
use crate::envelope::Carried;
use crate::evidence::Evidence;
use crate::hash::{Hash, HashKeys, Meaning};
use crate::keys::ValidatorId;
use crate::limits::{ANCHOR_INTERVAL, BLOCK_ENTRIES_MAX, EVIDENCE_MAX, SIGNED_HEADER_BYTES};
use crate::merkle::{self, KeyedTree};

/// First bytes of every block header.
pub const HEADER_MAGIC: [u8; 4] = *b"WXBH";

/// Version of the rules this header follows.
pub const PROTOCOL_VERSION: u32 = 1;

/// Bytes of a block header.
pub const HEADER_BYTES: usize = 372;

/// The commitment that is voted on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockHeader {
    /// Hash of the network's parameters in force.
    pub parameters: Hash,
    /// The network.
    pub network: Hash,
    /// Term of the committee that certifies it.
    pub term: u64,
    /// Number of blocks before it.
    pub height: u64,
    /// When it was ordered, ms since 1970: strictly greater than the parent's.
    pub time: u64,
    /// Block id of the parent; zeros in block 0.
    pub parent: Hash,
    /// Root of the history tree over all earlier headers.
    pub history_root: Hash,
    /// Root over this block's leaves; zeros without entries.
    pub entries_root: Hash,
    /// Entries in this block.
    pub entry_count: u32,
    /// Entries in all blocks up to this one, this one included.
    pub total_entries: u64,
    /// Root of the log map after this block.
    pub map_root: Hash,
    /// Logs in the map after this block.
    pub log_count: u64,
    /// Hash of the committee that certifies this block.
    pub committee: Hash,
    /// Hash of the committee that certifies the next one.
    pub next_committee: Hash,
    /// Hash of the evidence carried; zeros without any.
    pub evidence_root: Hash,
    /// Who proposed it first.
    pub proposer: ValidatorId,
}

impl BlockHeader {
    /// The block id.
    #[must_use]
    pub fn id(&self, keys: &HashKeys) -> Hash {
        keys.hash(Meaning::Header, &self.to_bytes())
    }

    /// Position of this block's first entry among all entries of the ledger.
    #[must_use]
    pub fn first_position(&self) -> u64 {
        self.total_entries.saturating_sub(u64::from(self.entry_count))
    }

    /// Whether envelopes may name this block as their anchor.
    #[must_use]
    pub const fn can_be_anchor(&self) -> bool {
        self.height.is_multiple_of(ANCHOR_INTERVAL)
    }
}

impl Encode for BlockHeader {
    fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(HEADER_BYTES);
        out.extend_from_slice(&HEADER_MAGIC);
        out.extend_from_slice(&PROTOCOL_VERSION.to_be_bytes());
        self.parameters.encode(out);
        self.network.encode(out);
        out.extend_from_slice(&self.term.to_be_bytes());
        out.extend_from_slice(&self.height.to_be_bytes());
        out.extend_from_slice(&self.time.to_be_bytes());
        self.parent.encode(out);
        self.history_root.encode(out);
        self.entries_root.encode(out);
        out.extend_from_slice(&self.entry_count.to_be_bytes());
        out.extend_from_slice(&self.total_entries.to_be_bytes());
        self.map_root.encode(out);
        out.extend_from_slice(&self.log_count.to_be_bytes());
        self.committee.encode(out);
        self.next_committee.encode(out);
        self.evidence_root.encode(out);
        self.proposer.encode(out);
    }
}

impl Decode for BlockHeader {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.magic(&HEADER_MAGIC)?;
        reader.magic(&PROTOCOL_VERSION.to_be_bytes())?;
        let header = Self {
            parameters: reader.hash()?,
            network: reader.hash()?,
            term: reader.u64()?,
            height: reader.u64()?,
            time: reader.u64()?,
            parent: reader.hash()?,
            history_root: reader.hash()?,
            entries_root: reader.hash()?,
            entry_count: reader.u32()?,
            total_entries: reader.u64()?,
            map_root: reader.hash()?,
            log_count: reader.u64()?,
            committee: reader.hash()?,
            next_committee: reader.hash()?,
            evidence_root: reader.hash()?,
            proposer: ValidatorId::decode(reader)?,
        };
        if header.entry_count > BLOCK_ENTRIES_MAX {
            return Err(CodecError::TooLong);
        }
        if header.total_entries < u64::from(header.entry_count) {
            Err(CodecError::BadValue)
        } else {
            Ok(header)
        }
    }
}

/// The leaf that commits a block to one entry and to its place in its log: what a receipt proves.
#[must_use]
pub fn block_leaf(keys: &HashKeys, entry: &Hash, log_index: u64) -> Hash {
    let mut bytes = [0; 40];
    let (id, index) = bytes.split_at_mut(32);
    id.copy_from_slice(entry.as_bytes());
    index.copy_from_slice(&log_index.to_be_bytes());
    keys.hash(Meaning::BlockLeaf, &bytes)
}

/// Root over a block's leaves; zeros without any.
#[must_use]
pub fn entries_root(keys: &HashKeys, leaves: &[Hash]) -> Hash {
    merkle::root_of(&KeyedTree::block(keys), leaves)
}

/// A block as it travels: header and entries, nothing checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// The header.
    pub header: BlockHeader,
    /// Its entries in order.
    pub entries: Vec<Carried>,
    /// What it reports of validators' misconduct.
    pub evidence: Vec<Evidence>,
}

impl Encode for Block {
    fn encode(&self, out: &mut Vec<u8>) {
        self.header.encode(out);
        put_list(out, &self.entries);
        put_list(out, &self.evidence);
    }
}

impl Decode for Block {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let header = BlockHeader::decode(reader)?;
        let (entries, evidence) = decode_content(reader, &header)?;
        Ok(Self {
            header,
            entries,
            evidence,
        })
    }
}

/// A block with what makes it final: what followers copy and bundles hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertifiedBlock {
    /// Header and certificate.
    pub head: Head,
    /// Its entries in order.
    pub entries: Vec<Carried>,
    /// What it reports of validators' misconduct.
    pub evidence: Vec<Evidence>,
}

impl Encode for CertifiedBlock {
    fn encode(&self, out: &mut Vec<u8>) {
        self.head.encode(out);
        put_list(out, &self.entries);
        put_list(out, &self.evidence);
    }
}

impl Decode for CertifiedBlock {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let head = Head::decode(reader)?;
        let (entries, evidence) = decode_content(reader, &head.header)?;
        Ok(Self {
            head,
            entries,
            evidence,
        })
    }
}

fn decode_content(reader: &mut Reader<'_>, header: &BlockHeader) -> Result<(Vec<Carried>, Vec<Evidence>), CodecError> {
    let entries: Vec<Carried> = reader.list(BLOCK_ENTRIES_MAX, SIGNED_HEADER_BYTES + 1)?;
    let evidence = reader.list(EVIDENCE_MAX, 1)?;
    if u32::try_from(entries.len()) == Ok(header.entry_count) {
        Ok((entries, evidence))
    } else {
        Err(CodecError::BadValue)
    }
}

/// What a header says about the evidence in its block; zeros without any.
#[must_use]
pub fn evidence_root(keys: &HashKeys, evidence: &[Evidence]) -> Hash {
    if evidence.is_empty() {
        return Hash::ZERO;
    }
    let mut bytes = Vec::new();
    put_list(&mut bytes, evidence);
    keys.hash(Meaning::Evidence, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genesis::{Genesis, Parameters};
    use crate::keys::VoteKey;

    fn header() -> BlockHeader {
        let validator = VoteKey::from_seed(&[1; 32]).public();
        Genesis::new("test", 1, Parameters::DEFAULT, vec![validator])
            .unwrap()
            .block()
    }

    #[test]
    fn a_header_has_372_bytes_and_is_read_back() {
        let header = BlockHeader {
            height: 9,
            entry_count: 2,
            total_entries: 5,
            ..header()
        };
        let bytes = header.to_bytes();
        assert_eq!(bytes.len(), HEADER_BYTES);
        assert_eq!(BlockHeader::from_bytes(&bytes).as_ref(), Ok(&header));
        assert_eq!(header.first_position(), 3);
    }

    #[test]
    fn every_byte_of_a_header_changes_the_block_id() {
        let keys = HashKeys::new(Hash([1; 32]));
        let bytes = header().to_bytes();
        let id = header().id(&keys);
        for place in 0..bytes.len() {
            let mut other = bytes.clone();
            other[place] ^= 1;
            if let Ok(other) = BlockHeader::from_bytes(&other) {
                assert_ne!(other.id(&keys), id, "byte {place}");
            }
        }
    }

    #[test]
    fn another_protocol_version_is_refused_and_counts_must_make_sense() {
        let mut bytes = header().to_bytes();
        bytes[7] = 2;
        assert_eq!(BlockHeader::from_bytes(&bytes), Err(CodecError::WrongMagic));
        let more = BlockHeader {
            entry_count: 2,
            total_entries: 1,
            ..header()
        };
        assert_eq!(BlockHeader::from_bytes(&more.to_bytes()), Err(CodecError::BadValue));
        let block = Block {
            header: BlockHeader {
                entry_count: 1,
                total_entries: 1,
                ..header()
            },
            entries: vec![],
            evidence: vec![],
        };
        assert_eq!(Block::from_bytes(&block.to_bytes()), Err(CodecError::BadValue));
    }
}

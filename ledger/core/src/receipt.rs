//! Receipts: convince somebody offline that an entry is final, and where it stands.
//!
//! A receipt goes through the block, so its size does not depend on the log's length: envelope header and signature,
//! place, the path from the block leaf to the entries root, header, certificate. It proves order and time; it shows
//! the message only to who already holds the body or the keys. `// SPEC 17`

use crate::block::block_leaf;
use crate::certificate::{Head, HeadError};
use crate::codec::{CodecError, Decode, Encode, Reader};
use crate::committee::Committee;
use crate::envelope::SignedHeader;
use crate::hash::{Hash, HashKeys};
use crate::keys::{LogId, NodeId, NodeKey, Signature};
use crate::log::Place;
use crate::merkle::{self, InclusionProof, KeyedTree, ProofError};

/// First bytes of every receipt; the last one is the version.
pub const RECEIPT_MAGIC: [u8; 8] = *b"WXRECEI\x01";

/// What a node's acknowledgement starts with.
pub const ACKNOWLEDGEMENT_DOMAIN: &[u8] = b"waxwing v1 acknowledgement";

/// Proof that an entry is final and where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// Envelope header and signature.
    pub signed: SignedHeader,
    /// Index in its log.
    pub log_index: u64,
    /// Place among the block's entries.
    pub in_block: u32,
    /// From the block leaf to the entries root, lowest first.
    pub path: InclusionProof,
    /// The block's header and certificate.
    pub head: Head,
}

/// What a receipt says once it is verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ordered {
    /// The entry.
    pub entry: Hash,
    /// Its log.
    pub log: LogId,
    /// Index in the log.
    pub index: u64,
    /// Block, time, place.
    pub place: Place,
    /// Id of the block.
    pub block: Hash,
}

/// Why a receipt proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReceiptError {
    /// The log never signed this envelope header.
    BadSignature,
    /// The path does not lead from this entry and place to the block's entries root.
    Proof(ProofError),
    /// The block is not final.
    Head(HeadError),
}

impl core::fmt::Display for ReceiptError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::BadSignature => f.write_str("the log's signature does not count"),
            Self::Proof(error) => write!(f, "the entry is not at this place in the block: {error}"),
            Self::Head(error) => write!(f, "the block is not final: {error}"),
        }
    }
}

impl core::error::Error for ReceiptError {}

impl Receipt {
    /// Checks everything, and says what is proven.
    ///
    /// The stamp is not checked again: a quorum's certificate over the block says that it was.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn verify(&self, keys: &HashKeys, committee: &Committee) -> Result<Ordered, ReceiptError> {
        let head = self.head.clone().verify(keys, committee).map_err(ReceiptError::Head)?;
        let entry = self
            .signed
            .clone()
            .verify_signature(keys)
            .map_err(|_| ReceiptError::BadSignature)?
            .id();
        let header = &head.header;
        merkle::verify_inclusion(
            &KeyedTree::block(keys),
            u64::from(self.in_block),
            u64::from(header.entry_count),
            block_leaf(keys, &entry, self.log_index),
            &self.path.siblings,
            header.entries_root,
        )
        .map_err(ReceiptError::Proof)?;
        Ok(Ordered {
            entry,
            log: self.signed.header.log,
            index: self.log_index,
            place: Place {
                height: header.height,
                time: header.time,
                in_block: self.in_block,
            },
            block: head.id(),
        })
    }
}

impl Encode for Receipt {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&RECEIPT_MAGIC);
        self.signed.encode(out);
        out.extend_from_slice(&self.log_index.to_be_bytes());
        out.extend_from_slice(&self.in_block.to_be_bytes());
        self.path.encode(out);
        self.head.encode(out);
    }
}

impl Decode for Receipt {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.magic(&RECEIPT_MAGIC)?;
        Ok(Self {
            signed: SignedHeader::decode(reader)?,
            log_index: reader.u64()?,
            in_block: reader.u32()?,
            path: InclusionProof::decode(reader)?,
            head: Head::decode(reader)?,
        })
    }
}

/// A node's signed promise to include an envelope: it names the node if the promise is broken. It promises inclusion,
/// not durability.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acknowledgement {
    /// Who promises.
    pub node: NodeId,
    /// The entry id.
    pub entry: Hash,
    /// When, ms since 1970, by the node's clock.
    pub time: u64,
    /// By the node.
    pub signature: Signature,
}

impl Acknowledgement {
    /// Promises.
    #[must_use]
    pub fn sign(key: &NodeKey, network: Hash, entry: Hash, time: u64) -> Self {
        let signature = key.sign(&acknowledgement_message(network, entry, time));
        Self {
            node: key.public(),
            entry,
            time,
            signature,
        }
    }

    /// Checks who promised what.
    ///
    /// # Errors
    /// If the node did not sign this.
    pub fn verify(&self, network: Hash) -> Result<(), crate::keys::BadSignature> {
        self.node.verify(
            &acknowledgement_message(network, self.entry, self.time),
            &self.signature,
        )
    }
}

fn acknowledgement_message(network: Hash, entry: Hash, time: u64) -> Vec<u8> {
    let mut message = ACKNOWLEDGEMENT_DOMAIN.to_vec();
    network.encode(&mut message);
    entry.encode(&mut message);
    message.extend_from_slice(&time.to_be_bytes());
    message
}

impl Encode for Acknowledgement {
    fn encode(&self, out: &mut Vec<u8>) {
        self.node.encode(out);
        self.entry.encode(out);
        out.extend_from_slice(&self.time.to_be_bytes());
        self.signature.encode(out);
    }
}

impl Decode for Acknowledgement {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            node: NodeId::decode(reader)?,
            entry: reader.hash()?,
            time: reader.u64()?,
            signature: Signature::decode(reader)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_names_its_node_and_counts_for_one_entry() {
        let key = NodeKey::from_seed(&[5; 32]);
        let network = Hash([1; 32]);
        let promise = Acknowledgement::sign(&key, network, Hash([2; 32]), 77);
        assert_eq!(Acknowledgement::from_bytes(&promise.to_bytes()).as_ref(), Ok(&promise));
        assert!(promise.verify(network).is_ok());
        assert!(promise.verify(Hash([9; 32])).is_err());
        let other = Acknowledgement {
            entry: Hash([3; 32]),
            ..promise
        };
        assert!(other.verify(network).is_err());
    }
}

//! The envelope: a sealed message as it is submitted.
//!
//! ```text
//!  160 bytes                                                                        64          0..512 KiB
//! ┌───────────────────────────────────────────────────────────────────────────────┬───────────┬───────────┐
//! │ magic 8, body length 4, log 32, anchor 8 + 32, body hash 32, erasure 32,      │ signature │ body      │
//! │ keep-for 4, nonce 8                                                           │ by log    │ ciphertext│
//! └───────────────────────────────────────────────────────────────────────────────┴───────────┴───────────┘
//!   hashed: the stamp, and the name under which duplicates are known
//!   header + signature, hashed: the entry id
//! ```
//!
//! The body is committed to by its hash only, so it can be erased without touching any proof. The anchor ties the
//! envelope to one history and gives it an end: it cannot live on two histories and cannot be replayed later. The
//! stamp is ground before signing and checked before the signature, so flooding costs the flooder more than the node.
//! `// SPEC 9`

use crate::codec::{CodecError, Decode, Encode, Reader, put_bytes};
use crate::hash::{Hash, HashKeys, Meaning};
use crate::keys::{LogId, LogKey, SIGNATURE_BYTES, Signature, Verified};
use crate::limits::{BODY_BYTES_MAX, DAY_MS, ENVELOPE_HEADER_BYTES, SIGNED_HEADER_BYTES};

/// First bytes of every envelope header; the last one is the version.
pub const ENVELOPE_MAGIC: [u8; 8] = *b"WXENVEL\x01";

/// What a log signs starts with this, then the network id, then the envelope header.
pub const ENVELOPE_DOMAIN: &[u8] = b"waxwing v1 envelope";

/// How long nodes are asked to keep the body. Five fixed values, so that none stands out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum KeepFor {
    /// Until it is erased by its author.
    #[default]
    Ever,
    /// One day.
    Day,
    /// Seven days.
    Week,
    /// Thirty days.
    Month,
    /// 365 days.
    Year,
}

impl KeepFor {
    /// All of them, shortest last.
    pub const ALL: [Self; 5] = [Self::Ever, Self::Year, Self::Month, Self::Week, Self::Day];

    /// The encoded value: days, 0 for ever.
    #[must_use]
    pub const fn days(self) -> u32 {
        match self {
            Self::Ever => 0,
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 30,
            Self::Year => 365,
        }
    }

    /// When the body of an entry ordered at `time` may be dropped, in header time (ms); `None` for never.
    #[must_use]
    pub fn expiry(self, time: u64) -> Option<u64> {
        match self {
            Self::Ever => None,
            _ => Some(time.saturating_add(u64::from(self.days()) * DAY_MS)),
        }
    }
}

impl TryFrom<u32> for KeepFor {
    type Error = CodecError;

    fn try_from(days: u32) -> Result<Self, CodecError> {
        Self::ALL
            .into_iter()
            .find(|keep| keep.days() == days)
            .ok_or(CodecError::BadValue)
    }
}

/// Where in a history an envelope's writer stood: a block at a multiple of 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Anchor {
    /// Height of the block.
    pub height: u64,
    /// Its block id.
    pub id: Hash,
}

/// The fixed-size part that is stamped and signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EnvelopeHeader {
    /// Bytes of the body.
    pub body_length: u32,
    /// The log it is for; its key signs.
    pub log: LogId,
    /// The block its writer had checked.
    pub anchor: Anchor,
    /// Hash of the body.
    pub body_hash: Hash,
    /// Hash of the secret whose publication erases the body. Never zero.
    pub erasure: Hash,
    /// How long the body is to be kept.
    pub keep_for: KeepFor,
    /// Ground until the stamp is good enough.
    pub nonce: u64,
}

impl EnvelopeHeader {
    /// The stamp: its leading zero bits are the work done, and the whole hash is the name for duplicates.
    #[must_use]
    pub fn stamp(&self, keys: &HashKeys) -> Hash {
        keys.hash(Meaning::Stamp, &self.to_bytes())
    }

    /// Tries nonces until the stamp has `bits` leading zero bits: 2^bits hashes on average.
    pub fn grind(&mut self, keys: &HashKeys, bits: u32) {
        while self.stamp(keys).leading_zero_bits() < bits {
            self.nonce = self.nonce.wrapping_add(1);
        }
    }

    fn signed_message(&self, network: Hash) -> Vec<u8> {
        let mut message = Vec::with_capacity(ENVELOPE_DOMAIN.len() + 32 + ENVELOPE_HEADER_BYTES);
        message.extend_from_slice(ENVELOPE_DOMAIN);
        message.extend_from_slice(network.as_bytes());
        self.encode(&mut message);
        message
    }

    /// Signs. The caller has ground the stamp: it is part of what is signed.
    #[must_use]
    pub fn sign(self, keys: &HashKeys, key: &LogKey) -> SignedHeader {
        let signature = key.sign(&self.signed_message(keys.network()));
        SignedHeader {
            header: self,
            signature,
        }
    }
}

impl Encode for EnvelopeHeader {
    fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(ENVELOPE_HEADER_BYTES);
        out.extend_from_slice(&ENVELOPE_MAGIC);
        out.extend_from_slice(&self.body_length.to_be_bytes());
        self.log.encode(out);
        out.extend_from_slice(&self.anchor.height.to_be_bytes());
        self.anchor.id.encode(out);
        self.body_hash.encode(out);
        self.erasure.encode(out);
        out.extend_from_slice(&self.keep_for.days().to_be_bytes());
        out.extend_from_slice(&self.nonce.to_be_bytes());
    }
}

impl Decode for EnvelopeHeader {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.magic(&ENVELOPE_MAGIC)?;
        let body_length = reader.u32()?;
        if body_length > BODY_BYTES_MAX {
            return Err(CodecError::TooLong);
        }
        let header = Self {
            body_length,
            log: LogId::decode(reader)?,
            anchor: Anchor {
                height: reader.u64()?,
                id: reader.hash()?,
            },
            body_hash: reader.hash()?,
            erasure: reader.hash()?,
            keep_for: KeepFor::try_from(reader.u32()?)?,
            nonce: reader.u64()?,
        };
        // A zero commitment would make the entry stand out as one that nobody can erase.
        if header.erasure == Hash::ZERO {
            Err(CodecError::BadValue)
        } else {
            Ok(header)
        }
    }
}

/// Envelope header and signature: the 224 bytes of an entry that are never erased.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedHeader {
    /// What is signed.
    pub header: EnvelopeHeader,
    /// By the key that is the log.
    pub signature: Signature,
}

impl SignedHeader {
    /// The entry id: names these 224 bytes in every tree.
    #[must_use]
    pub fn entry_id(&self, keys: &HashKeys) -> Hash {
        keys.hash(Meaning::Entry, &self.to_bytes())
    }

    /// Checks stamp and signature.
    ///
    /// # Errors
    /// [`EnvelopeError::WeakStamp`] below `base_bits` (plus the body's share), before any signature is computed;
    /// [`EnvelopeError::BadSignature`].
    pub fn verify(self, keys: &HashKeys, base_bits: u8) -> Result<Verified<Self>, EnvelopeError> {
        self.check(keys, base_bits)?;
        let id = self.entry_id(keys);
        Ok(Verified::new(self, id))
    }

    /// Checks the signature alone: for receipts, whose certificate vouches for the stamp.
    ///
    /// # Errors
    /// [`EnvelopeError::BadSignature`].
    pub fn verify_signature(self, keys: &HashKeys) -> Result<Verified<Self>, EnvelopeError> {
        self.check_signature(keys)?;
        let id = self.entry_id(keys);
        Ok(Verified::new(self, id))
    }

    fn check(&self, keys: &HashKeys, base_bits: u8) -> Result<(), EnvelopeError> {
        let required = stamp_bits(base_bits, self.header.body_length);
        if self.header.stamp(keys).leading_zero_bits() < required {
            return Err(EnvelopeError::WeakStamp { required });
        }
        self.check_signature(keys)
    }

    fn check_signature(&self, keys: &HashKeys) -> Result<(), EnvelopeError> {
        let message = self.header.signed_message(keys.network());
        self.header
            .log
            .verify(&message, &self.signature)
            .map_err(|_| EnvelopeError::BadSignature)
    }
}

impl Encode for SignedHeader {
    fn encode(&self, out: &mut Vec<u8>) {
        self.header.encode(out);
        self.signature.encode(out);
    }
}

impl Decode for SignedHeader {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            header: EnvelopeHeader::decode(reader)?,
            signature: Signature::decode(reader)?,
        })
    }
}

/// Bits a stamp needs: the base, and log2 of the body in KiB, rounded up. The first entry of a log needs more, which
/// only the ledger can tell (see [`crate::ledger`]).
#[must_use]
pub fn stamp_bits(base_bits: u8, body_length: u32) -> u32 {
    let kib = body_length.div_ceil(1024);
    let size_bits = if kib <= 1 {
        0
    } else {
        u32::BITS - (kib - 1).leading_zeros()
    };
    u32::from(base_bits).saturating_add(size_bits)
}

/// Why an envelope does not count, whatever the ledger's state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EnvelopeError {
    /// Too little work in the stamp.
    WeakStamp {
        /// Leading zero bits that are needed.
        required: u32,
    },
    /// The signature by the log does not count.
    BadSignature,
    /// The body is not as long as the header says.
    WrongBodyLength,
    /// The body does not hash to what the header commits to.
    WrongBodyHash,
    /// The revealed secret is not the one committed to.
    WrongSecret,
}

impl core::fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::WeakStamp { required } => write!(f, "the stamp has fewer than {required} zero bits"),
            Self::BadSignature => f.write_str("the log's signature does not count"),
            Self::WrongBodyLength => f.write_str("the body is not as long as the header says"),
            Self::WrongBodyHash => f.write_str("the body does not match its hash"),
            Self::WrongSecret => f.write_str("the secret does not match the erasure commitment"),
        }
    }
}

impl core::error::Error for EnvelopeError {}

/// A sealed, padded, signed message as submitted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// Header and signature.
    pub signed: SignedHeader,
    /// Ciphertext.
    pub body: Vec<u8>,
}

impl Envelope {
    /// Checks body, stamp and signature, cheapest first.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn verify(self, keys: &HashKeys, base_bits: u8) -> Result<Verified<Carried>, EnvelopeError> {
        Carried {
            signed: self.signed,
            body: Body::Present(self.body),
        }
        .verify(keys, base_bits)
    }
}

impl Encode for Envelope {
    fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(SIGNED_HEADER_BYTES + self.body.len());
        self.signed.encode(out);
        out.extend_from_slice(&self.body);
    }
}

impl Decode for Envelope {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let signed = SignedHeader::decode(reader)?;
        let length = usize::try_from(signed.header.body_length).map_err(|_| CodecError::TooLong)?;
        Ok(Self {
            signed,
            body: reader.take(length)?.to_vec(),
        })
    }
}

/// The number whose publication lets every node drop a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ErasureSecret(pub [u8; 32]);

impl ErasureSecret {
    /// What an envelope header commits to.
    #[must_use]
    pub fn commitment(&self, keys: &HashKeys) -> Hash {
        keys.hash(Meaning::Erasure, &self.0)
    }
}

/// The body of an entry as a node hands it on, or why it cannot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// Here it is.
    Present(Vec<u8>),
    /// Its author revealed the secret.
    Erased(ErasureSecret),
    /// Its keep-for time has passed. Whoever accepts this compares with header time: see [`KeepFor::expiry`].
    Expired,
    /// Not here, and no excuse: *withheld*. A verdict about the node, never about the entry.
    Withheld,
}

impl Body {
    /// Whether what is here, or the excuse, fits the header. `Expired` and `Withheld` claim nothing that a header
    /// could refute; [`Body::is_excused`] judges them.
    ///
    /// # Errors
    /// If body or secret contradict the header.
    pub fn check(&self, header: &EnvelopeHeader, keys: &HashKeys) -> Result<(), EnvelopeError> {
        match self {
            Self::Present(bytes) => {
                if u32::try_from(bytes.len()) != Ok(header.body_length) {
                    return Err(EnvelopeError::WrongBodyLength);
                }
                let same = keys.hash(Meaning::Body, bytes) == header.body_hash;
                if same {
                    Ok(())
                } else {
                    Err(EnvelopeError::WrongBodyHash)
                }
            }
            Self::Erased(secret) if secret.commitment(keys) != header.erasure => Err(EnvelopeError::WrongSecret),
            Self::Erased(_) | Self::Expired | Self::Withheld => Ok(()),
        }
    }

    /// Whether the body is there or rightly absent, for an entry ordered at `ordered` seen from header time `now`.
    #[must_use]
    pub fn is_excused(&self, header: &EnvelopeHeader, ordered: u64, now: u64) -> bool {
        match self {
            Self::Present(_) | Self::Erased(_) => true,
            Self::Expired => header.keep_for.expiry(ordered).is_some_and(|expiry| expiry <= now),
            Self::Withheld => false,
        }
    }

    /// The bytes, if they are here.
    #[must_use]
    pub fn present(&self) -> Option<&[u8]> {
        match self {
            Self::Present(bytes) => Some(bytes),
            Self::Erased(_) | Self::Expired | Self::Withheld => None,
        }
    }
}

impl Encode for Body {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Present(bytes) => {
                out.push(0);
                put_bytes(out, bytes);
            }
            Self::Erased(secret) => {
                out.push(1);
                out.extend_from_slice(&secret.0);
            }
            Self::Expired => out.push(2),
            Self::Withheld => out.push(3),
        }
    }
}

impl Decode for Body {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match reader.u8()? {
            0 => reader.bytes(BODY_BYTES_MAX).map(|bytes| Self::Present(bytes.to_vec())),
            1 => reader.array().map(|secret| Self::Erased(ErasureSecret(secret))),
            2 => Ok(Self::Expired),
            3 => Ok(Self::Withheld),
            _ => Err(CodecError::BadValue),
        }
    }
}

/// An envelope as blocks and bundles carry it: its body may be rightly absent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Carried {
    /// Header and signature.
    pub signed: SignedHeader,
    /// The body, or why it is absent.
    pub body: Body,
}

impl Carried {
    /// Checks body or excuse, stamp and signature, cheapest first.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn verify(self, keys: &HashKeys, base_bits: u8) -> Result<Verified<Self>, EnvelopeError> {
        self.verify_or_return(keys, base_bits).map_err(|refused| refused.1)
    }

    /// The same, for who looks closer at what was refused: hands it back.
    ///
    /// # Errors
    /// The entry and the first check that fails.
    pub fn verify_or_return(
        self,
        keys: &HashKeys,
        base_bits: u8,
    ) -> Result<Verified<Self>, Box<(Self, EnvelopeError)>> {
        let checked = self.body.check(&self.signed.header, keys);
        if let Err(error) = checked.and_then(|()| self.signed.check(keys, base_bits)) {
            return Err(Box::new((self, error)));
        }
        let id = self.signed.entry_id(keys);
        Ok(Verified::new(self, id))
    }

    /// Bytes this entry takes of a block's and a log's share: as if the body were there, so that erasing one never
    /// makes an old block look different.
    #[must_use]
    pub fn share(&self) -> u32 {
        let fixed = u32::try_from(SIGNED_HEADER_BYTES).expect("224 fits");
        self.signed.header.body_length.saturating_add(fixed)
    }
}

impl Encode for Carried {
    fn encode(&self, out: &mut Vec<u8>) {
        self.signed.encode(out);
        self.body.encode(out);
    }
}

impl Decode for Carried {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            signed: SignedHeader::decode(reader)?,
            body: Body::decode(reader)?,
        })
    }
}

const _: () = assert!(SIGNED_HEADER_BYTES == ENVELOPE_HEADER_BYTES + SIGNATURE_BYTES);

#[cfg(test)]
mod tests;

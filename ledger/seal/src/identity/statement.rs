//! What is said on a card, and who says it.
//!
//! ```text
//! version 1 | kind 1 | author 32 | number 8 | what is said | signature 64
//! signed: domain, network, card log, everything before the signature
//! ```
//!
//! | kind | said by | number | what is said |
//! |---|---|---|---|
//! | 1 opening | root | 0 | which card this is, the one before, and every device of the account with its standing |
//! | 2 addition | root | next | a device certificate; also a newer one for a known device |
//! | 3 lifting | root | next | the device whose suspension ends |
//! | 4 move | root | next | devices that are revoked, and the address of the next card |
//! | 5 suspension | device | the root's last | another device |
//! | 6 key packages | device | higher than before | its own key packages, in place of those before |
//! | 7 hand-over | device | from 1, of no meaning | the card's seed, sealed to devices that do not have it yet |
//!
//! The log is part of what is signed, so that no statement of one card can be said again on the next. The root counts
//! its statements and they count in that order only; one that comes too early is void and can be posted again. Devices
//! cannot count like that, because a proposer may shuffle what they post in one block: so newer key packages replace
//! older ones whichever comes first, and a suspension names the last statement of the root that its author had seen,
//! which is what keeps it from being said again after the root lifted it. `// SPEC 26.4`

use std::collections::BTreeSet;

use waxwing_core::Hash;
use waxwing_core::codec::{CodecError, Decode, Encode, Reader, put_bytes, put_list};
use waxwing_core::keys::{BadSignature, LogId, Signature};

use crate::device::{DeviceId, DeviceKey};
use crate::identity::account::{AccountId, AccountKey};
use crate::identity::address::CardAddress;
use crate::identity::certificate::{CERTIFICATE_BYTES_MIN, DeviceCertificate};
use crate::limits::{
    ACCOUNT_DEVICES_MAX, CARD_DEVICES_MAX, KEY_PACKAGE_BYTES_MAX, KEY_PACKAGES_MAX, SEALED_SEED_BYTES,
};

/// What is signed starts with this.
pub const STATEMENT_DOMAIN: &[u8] = b"waxwing v1 card statement";

const VERSION: u8 = 1;

/// Numbers of the kinds. 0 is none; a number is never used again for something else.
mod number {
    pub(super) const OPENING: u8 = 1;
    pub(super) const ADDITION: u8 = 2;
    pub(super) const LIFTING: u8 = 3;
    pub(super) const MOVE: u8 = 4;
    pub(super) const SUSPENSION: u8 = 5;
    pub(super) const KEY_PACKAGES: u8 = 6;
    pub(super) const HAND_OVER: u8 = 7;
}

/// What a device may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Standing {
    /// It speaks for the account.
    Active,
    /// Another device has reason to distrust it; the root will say.
    Suspended,
    /// It speaks for nobody any more, and never will again.
    Revoked,
}

impl Standing {
    const fn byte(self) -> u8 {
        match self {
            Self::Active => 0,
            Self::Suspended => 1,
            Self::Revoked => 2,
        }
    }
}

impl Encode for Standing {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.byte());
    }
}

impl Decode for Standing {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match reader.u8()? {
            0 => Ok(Self::Active),
            1 => Ok(Self::Suspended),
            2 => Ok(Self::Revoked),
            _ => Err(CodecError::BadValue),
        }
    }
}

/// A device as an opening lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// Its newest certificate.
    pub certificate: DeviceCertificate,
    /// What it may do from here on.
    pub standing: Standing,
}

impl Encode for Listed {
    fn encode(&self, out: &mut Vec<u8>) {
        self.certificate.encode(out);
        self.standing.encode(out);
    }
}

impl Decode for Listed {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            certificate: DeviceCertificate::decode(reader)?,
            standing: Standing::decode(reader)?,
        })
    }
}

/// The first thing said on a card: everything that somebody who sees only this card has to know of those before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opening {
    /// Which card of the account this is, from 0.
    pub card: u64,
    /// The log of the card before; zeros on card 0.
    pub previous: LogId,
    /// Every device there ever was, ascending by the sequence of its newest certificate.
    pub devices: Vec<Listed>,
}

impl Encode for Opening {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.card.to_be_bytes());
        self.previous.encode(out);
        put_list(out, &self.devices);
    }
}

impl Decode for Opening {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let opening = Self {
            card: reader.u64()?,
            previous: LogId::decode(reader)?,
            devices: reader.list(CARD_DEVICES_MAX, CERTIFICATE_BYTES_MIN + 1)?,
        };
        let is_first = opening.previous.0 == [0; 32];
        let sequences = opening.devices.iter().map(|listed| listed.certificate.sequence);
        let ids: BTreeSet<DeviceId> = opening.devices.iter().map(|listed| listed.certificate.device).collect();
        if is_first != (opening.card == 0)
            || !sequences.is_sorted_by(|a, b| a < b)
            || ids.len() != opening.devices.len()
        {
            return Err(CodecError::BadValue);
        }
        Ok(opening)
    }
}

/// The last thing said on a card.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Move {
    /// Devices that stay behind, ascending: none if only the seed is changed.
    pub revoked: Vec<DeviceId>,
    /// Where the account goes on.
    pub next: CardAddress,
}

impl Encode for Move {
    fn encode(&self, out: &mut Vec<u8>) {
        put_list(out, &self.revoked);
        self.next.encode(out);
    }
}

impl Decode for Move {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let revoked: Vec<DeviceId> = reader.list(CARD_DEVICES_MAX, 32)?;
        if !revoked.is_sorted_by(|a, b| a < b) {
            return Err(CodecError::BadValue);
        }
        Ok(Self {
            revoked,
            next: CardAddress::decode(reader)?,
        })
    }
}

/// Lets others add a device to a group while it is away. Opaque here: the group engine makes and reads it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyPackage(Vec<u8>);

impl KeyPackage {
    /// `None` for no bytes and for more than fit.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        let fits = u32::try_from(bytes.len()).is_ok_and(|length| (1..=KEY_PACKAGE_BYTES_MAX).contains(&length));
        fits.then_some(Self(bytes))
    }

    /// As the group engine made it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Encode for KeyPackage {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, &self.0);
    }
}

impl Decode for KeyPackage {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Self::new(reader.bytes(KEY_PACKAGE_BYTES_MAX)?.to_vec()).ok_or(CodecError::BadValue)
    }
}

/// The card's seed for a device that does not have it: sealed to the newest key package that it published on the card before.
/// Whoever opens it looks whether it is the seed of this card, so nobody can hand over another one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedSeed {
    /// For whom.
    pub device: DeviceId,
    sealed: Vec<u8>,
}

impl SealedSeed {
    /// `None` for what is not as long as a sealed seed.
    #[must_use]
    pub fn new(device: DeviceId, sealed: Vec<u8>) -> Option<Self> {
        let fits = u32::try_from(sealed.len()) == Ok(SEALED_SEED_BYTES);
        fits.then_some(Self { device, sealed })
    }

    /// As it was sealed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.sealed
    }
}

impl Encode for SealedSeed {
    fn encode(&self, out: &mut Vec<u8>) {
        self.device.encode(out);
        put_bytes(out, &self.sealed);
    }
}

impl Decode for SealedSeed {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let device = DeviceId::decode(reader)?;
        Self::new(device, reader.bytes(SEALED_SEED_BYTES)?.to_vec()).ok_or(CodecError::BadValue)
    }
}

/// What is said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said {
    /// The card begins.
    Opening(Opening),
    /// A device speaks for the account, or has a newer certificate.
    Addition(DeviceCertificate),
    /// A suspended device speaks for the account again.
    Lifting(DeviceId),
    /// The card ends here and goes on elsewhere.
    Move(Move),
    /// Another device must not speak until the root lifts this.
    Suspension(DeviceId),
    /// The author can be added to groups with these; at most 8.
    KeyPackages(Vec<KeyPackage>),
    /// Other devices can write on this card from now on; at least one, at most 16, ascending.
    HandOver(Vec<SealedSeed>),
}

impl Said {
    const fn kind(&self) -> u8 {
        match self {
            Self::Opening(_) => number::OPENING,
            Self::Addition(_) => number::ADDITION,
            Self::Lifting(_) => number::LIFTING,
            Self::Move(_) => number::MOVE,
            Self::Suspension(_) => number::SUSPENSION,
            Self::KeyPackages(_) => number::KEY_PACKAGES,
            Self::HandOver(_) => number::HAND_OVER,
        }
    }

    /// An opening is number 0 and nothing else is; suspensions name a number of the root's, which may be that one.
    const fn may_be_number(&self, number: u64) -> bool {
        match self {
            Self::Opening(_) => number == 0,
            Self::Suspension(_) => true,
            _ => number > 0,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Opening(opening) => opening.encode(out),
            Self::Addition(certificate) => certificate.encode(out),
            Self::Lifting(device) | Self::Suspension(device) => device.encode(out),
            Self::Move(to) => to.encode(out),
            Self::KeyPackages(packages) => put_list(out, packages),
            Self::HandOver(seeds) => put_list(out, seeds),
        }
    }

    fn decode(kind: u8, reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match kind {
            number::OPENING => Opening::decode(reader).map(Self::Opening),
            number::ADDITION => DeviceCertificate::decode(reader).map(Self::Addition),
            number::LIFTING => DeviceId::decode(reader).map(Self::Lifting),
            number::MOVE => Move::decode(reader).map(Self::Move),
            number::SUSPENSION => DeviceId::decode(reader).map(Self::Suspension),
            number::KEY_PACKAGES => reader.list(KEY_PACKAGES_MAX, 5).map(Self::KeyPackages),
            number::HAND_OVER => {
                let seeds: Vec<SealedSeed> = reader.list(ACCOUNT_DEVICES_MAX, 36)?;
                let is_ascending = seeds.is_sorted_by(|one, next| one.device < next.device);
                if seeds.is_empty() || !is_ascending {
                    return Err(CodecError::BadValue);
                }
                Ok(Self::HandOver(seeds))
            }
            _ => Err(CodecError::BadValue),
        }
    }
}

/// Whoever signs a statement.
#[derive(Clone, Copy, Debug)]
pub enum Signer<'a> {
    /// The account itself.
    Root(&'a AccountKey),
    /// One of its devices.
    Device(&'a DeviceKey),
}

impl Signer<'_> {
    fn id(self) -> Hash {
        match self {
            Self::Root(key) => Hash(key.id().0),
            Self::Device(key) => Hash(key.id().0),
        }
    }

    fn sign(self, message: &[u8]) -> Signature {
        match self {
            Self::Root(key) => key.sign(message),
            Self::Device(key) => key.sign(message),
        }
    }
}

/// A statement as it stands on a card. Whether it counts is decided by [`crate::identity::Card::apply`] alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    author: Hash,
    number: u64,
    said: Said,
    signature: Signature,
}

impl Statement {
    /// Signs a statement for a card. Nothing here asks whether it will count.
    #[must_use]
    pub fn sign(signer: Signer<'_>, network: Hash, card: LogId, number: u64, said: Said) -> Self {
        let mut statement = Self {
            author: signer.id(),
            number,
            said,
            signature: Signature([0; 64]),
        };
        statement.signature = signer.sign(&statement.message(network, card));
        statement
    }

    /// The account or device that it says it is from.
    #[must_use]
    pub const fn author(&self) -> Hash {
        self.author
    }

    /// Its number; what that means depends on what is said.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// What is said.
    #[must_use]
    pub const fn said(&self) -> &Said {
        &self.said
    }

    /// Whether the author signed it for this card, strictly. Accounts and devices have keys of one kind.
    ///
    /// # Errors
    /// If the signature does not count.
    pub(crate) fn verify(&self, network: Hash, card: LogId) -> Result<(), BadSignature> {
        AccountId(self.author.0).verify(&self.message(network, card), &self.signature)
    }

    fn message(&self, network: Hash, card: LogId) -> Vec<u8> {
        let mut message = [STATEMENT_DOMAIN, network.as_bytes(), card.as_bytes()].concat();
        self.encode_signed(&mut message);
        message
    }

    fn encode_signed(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[VERSION, self.said.kind()]);
        self.author.encode(out);
        out.extend_from_slice(&self.number.to_be_bytes());
        self.said.encode(out);
    }
}

impl Encode for Statement {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_signed(out);
        self.signature.encode(out);
    }
}

impl Decode for Statement {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.magic(&[VERSION])?;
        let kind = reader.u8()?;
        let (author, number) = (reader.hash()?, reader.u64()?);
        let said = Said::decode(kind, reader)?;
        if !said.may_be_number(number) {
            return Err(CodecError::BadValue);
        }
        Ok(Self {
            author,
            number,
            said,
            signature: Signature::decode(reader)?,
        })
    }
}

#[cfg(test)]
mod tests;

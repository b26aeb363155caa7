//! The opening of an inbox: whose it is, and the key that posts are sealed to.
//!
//! ```text
//! 1 | certificate | public key 1216 | card: 0, or 1 and address 64 | name | purpose | expires 8 | uses 4 | signature 64
//! signed by the device: domain, network, log, everything before the signature
//! ```
//!
//! Whoever has the link can write on the log, and may say that the inbox is his own. So the link names the account, and
//! **the** opening is the first on the log, in certified order, that a device of this account has signed for this log; all
//! that is said to be one before or after is void. It stays for ever, as a statement on a card does: who could take it
//! away could put another in its place for those who come later.
//!
//! A new device has no account yet. Its link names the opening itself, by its hash, and the device signs for itself.
//!
//! ```text
//! 1 | device 32 | public key 1216 | name | expires 8 | signature 64
//! ```
//! `// SPEC 28.3`

use waxwing_core::Hash;
use waxwing_core::codec::{CodecError, Decode, Encode, Reader};
use waxwing_core::keys::{LogId, Signature};

use crate::channel::derive;
use crate::content::Name;
use crate::device::{DeviceId, DeviceKey};
use crate::group::Myself;
use crate::identity::certificate::DeviceName;
use crate::identity::{AccountId, CardAddress, CertifiedDevice, DeviceCertificate};
use crate::invitation::ChannelName;

use super::key::InboxPublic;
use super::limits::USES_MAX;
use super::void::Void;

/// What a device of the account signs starts with this.
pub const OPENING_DOMAIN: &[u8] = b"waxwing v1 inbox opening";
/// What a new device signs starts with this.
pub const DEVICE_OPENING_DOMAIN: &[u8] = b"waxwing v1 device opening";

const OPENING_CONTEXT: &str = "waxwing v1 inbox opening id";

const VERSION: u8 = 1;

/// What whoever posts is asked in for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// To write to this person.
    Contact,
    /// To join a channel, as the inviter calls it.
    Channel(ChannelName),
}

impl Encode for Purpose {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Contact => out.push(1),
            Self::Channel(name) => {
                out.push(2);
                name.encode(out);
            }
        }
    }
}

impl Decode for Purpose {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match reader.u8()? {
            1 => Ok(Self::Contact),
            2 => ChannelName::decode(reader).map(Self::Channel),
            _ => Err(CodecError::BadValue),
        }
    }
}

/// How many requests an inbox takes: at least one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Uses(u32);

impl Uses {
    /// One person, once.
    pub const ONE: Self = Self(1);

    /// `None` for 0, and for more than an inbox takes.
    #[must_use]
    pub const fn new(count: u32) -> Option<Self> {
        if 0 < count && count <= USES_MAX {
            Some(Self(count))
        } else {
            None
        }
    }

    /// The number.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.0
    }
}

impl Encode for Uses {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_be_bytes());
    }
}

impl Decode for Uses {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Self::new(reader.u32()?).ok_or(CodecError::BadValue)
    }
}

/// What the owner of an inbox says about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// The owner's name as shown.
    pub name: Name,
    /// What for.
    pub purpose: Purpose,
    /// After this time of the ledger nothing is taken: milliseconds since 1970.
    pub expires_ms: u64,
    /// How many requests are taken.
    pub uses: Uses,
    /// Where the owner's devices are listed, if everybody with the link may know.
    pub card: Option<CardAddress>,
}

/// The opening of an invitation's inbox, as it travels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opening {
    /// The device that opens, and its account.
    pub certificate: DeviceCertificate,
    /// What requests are sealed to.
    pub public: InboxPublic,
    /// What is said about the inbox.
    pub terms: Terms,
    /// By the device.
    pub signature: Signature,
}

impl Opening {
    /// Signs an opening for a log.
    #[must_use]
    pub fn sign(myself: &Myself, network: Hash, log: LogId, public: InboxPublic, terms: Terms) -> Self {
        let certificate: &DeviceCertificate = myself.certificate();
        let mut opening = Self {
            certificate: certificate.clone(),
            public,
            terms,
            signature: Signature([0; 64]),
        };
        opening.signature = myself.key().sign(&opening.message(network, log));
        opening
    }

    /// Checks that a device of this account signed it for this log, in a block of this time.
    pub(super) fn verify(
        &self,
        network: Hash,
        log: LogId,
        account: AccountId,
        time_ms: u64,
    ) -> Result<CertifiedDevice, Void> {
        let certified = self
            .certificate
            .clone()
            .verify(network, account)
            .map_err(Void::Certificate)?;
        certified.counts_at(time_ms).map_err(Void::Certificate)?;
        certified
            .device
            .verify(&self.message(network, log), &self.signature)
            .map_err(|_| Void::BadSignature)?;
        Ok(certified)
    }

    /// Names it: what requests are bound to.
    #[must_use]
    pub fn id(&self, network: Hash, log: LogId) -> Hash {
        opening_id(network, log, &self.to_bytes())
    }

    fn message(&self, network: Hash, log: LogId) -> Vec<u8> {
        let mut message = [OPENING_DOMAIN, network.as_bytes(), log.as_bytes()].concat();
        self.encode_signed(&mut message);
        message
    }

    fn encode_signed(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        self.certificate.encode(out);
        self.public.encode(out);
        put_card(out, self.terms.card.as_ref());
        self.terms.name.encode(out);
        self.terms.purpose.encode(out);
        out.extend_from_slice(&self.terms.expires_ms.to_be_bytes());
        self.terms.uses.encode(out);
    }
}

impl Encode for Opening {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_signed(out);
        self.signature.encode(out);
    }
}

impl Decode for Opening {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.magic(&[VERSION])?;
        let (certificate, public) = (DeviceCertificate::decode(reader)?, InboxPublic::decode(reader)?);
        let card = card(reader)?;
        Ok(Self {
            certificate,
            public,
            terms: Terms {
                name: Name::decode(reader)?,
                purpose: Purpose::decode(reader)?,
                expires_ms: reader.u64()?,
                uses: Uses::decode(reader)?,
                card,
            },
            signature: Signature::decode(reader)?,
        })
    }
}

/// The opening of a new device's inbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceOpening {
    /// The new device.
    pub device: DeviceId,
    /// What offers, and then the account, are sealed to.
    pub public: InboxPublic,
    /// What the device calls itself: what its owner reads on the old device before he takes it in.
    pub name: DeviceName,
    /// After this time of the ledger nothing is taken.
    pub expires_ms: u64,
    /// By the device.
    pub signature: Signature,
}

impl DeviceOpening {
    /// Signs an opening for a log.
    #[must_use]
    pub fn sign(
        key: &DeviceKey,
        network: Hash,
        log: LogId,
        public: InboxPublic,
        name: DeviceName,
        expires_ms: u64,
    ) -> Self {
        let mut opening = Self {
            device: key.id(),
            public,
            name,
            expires_ms,
            signature: Signature([0; 64]),
        };
        opening.signature = key.sign(&opening.message(network, log));
        opening
    }

    /// Checks that it is the one that was named, and that the device signed it for this log.
    pub(super) fn verify(&self, network: Hash, log: LogId, id: Hash) -> Result<(), Void> {
        if self.id(network, log) != id {
            return Err(Void::OtherOpening);
        }
        self.device
            .verify(&self.message(network, log), &self.signature)
            .map_err(|_| Void::BadSignature)
    }

    /// Names it: what the link holds.
    #[must_use]
    pub fn id(&self, network: Hash, log: LogId) -> Hash {
        opening_id(network, log, &self.to_bytes())
    }

    fn message(&self, network: Hash, log: LogId) -> Vec<u8> {
        let mut message = [DEVICE_OPENING_DOMAIN, network.as_bytes(), log.as_bytes()].concat();
        self.encode_signed(&mut message);
        message
    }

    fn encode_signed(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        self.device.encode(out);
        self.public.encode(out);
        self.name.encode(out);
        out.extend_from_slice(&self.expires_ms.to_be_bytes());
    }
}

impl Encode for DeviceOpening {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_signed(out);
        self.signature.encode(out);
    }
}

impl Decode for DeviceOpening {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.magic(&[VERSION])?;
        Ok(Self {
            device: DeviceId::decode(reader)?,
            public: InboxPublic::decode(reader)?,
            name: DeviceName::decode(reader)?,
            expires_ms: reader.u64()?,
            signature: Signature::decode(reader)?,
        })
    }
}

fn opening_id(network: Hash, log: LogId, opening: &[u8]) -> Hash {
    Hash(*derive(OPENING_CONTEXT, &[network.as_bytes(), log.as_bytes(), opening]))
}

/// A card's address, or none.
pub(super) fn put_card(out: &mut Vec<u8>, card: Option<&CardAddress>) {
    match card {
        None => out.push(0),
        Some(address) => {
            out.push(1);
            address.encode(out);
        }
    }
}

pub(super) fn card(reader: &mut Reader<'_>) -> Result<Option<CardAddress>, CodecError> {
    match reader.u8()? {
        0 => Ok(None),
        1 => CardAddress::decode(reader).map(Some),
        _ => Err(CodecError::BadValue),
    }
}

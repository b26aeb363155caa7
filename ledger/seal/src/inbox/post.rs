//! What is posted into an inbox, by whoever has its address.
//!
//! ```text
//! body    outer seal of:  3 | encapsulated key 1120 | HPKE ciphertext of the text
//! text    length 4 | kind 1 | what is posted | zeros up to 7,011 bytes
//! ```
//!
//! | kind | posted by | into the inbox of | says |
//! |---|---|---|---|
//! | 1 request | whoever has a person's link | that person | who asks, a key package, and where the answer goes |
//! | 2 welcome part | who was asked | who asks | a part of a welcome to a group |
//! | 3 declined | who was asked | who asks | no |
//! | 4 hand-over | a device of the account | a new device | what makes it one of the account's |
//! | 5 greeting | one who knows the other | the other | an inbox for this one contact |
//! | 6 offer | a device of the account | a new device | which account would take it in |
//! | 7 acceptance | a new device | who offers | that it will speak for that account |
//!
//! Kinds 1, 4, 5 and 6 are signed, each for its inbox, and for the *occasion* of that inbox: the opening, request, greeting
//! or offer that it was made for. So what was said in one place is void in every other. The others need no signature:
//! they can only be written by whoever could read what they answer, and what they bring (a welcome, the word of a device)
//! is signed in itself. `// SPEC 28.4, 28.5`

use waxwing_core::Hash;
use waxwing_core::codec::{CodecError, Decode, Encode, Reader, put_list};
use waxwing_core::keys::{LogId, Signature};

use crate::channel::derive;
use crate::content::{Name, Text};
use crate::device::DeviceKey;
use crate::identity::statement::KeyPackage;
use crate::identity::{AccountId, CardAddress, CardSeed, CertifiedDevice, DeviceCertificate};
use crate::invitation::{NodeAddress, Pin};
use crate::limits::INVITATION_NODES_MAX;

use super::key::InboxAddress;
use super::limits::{HANDED_NETWORKS_MAX, NOTE_BYTES_MAX};
use super::opening::{card, put_card};
use super::void::Void;
use super::welcome::WelcomePart;

/// What the author of a post signs starts with this.
pub const POST_DOMAIN: &[u8] = b"waxwing v1 inbox post";

const POST_CONTEXT: &str = "waxwing v1 inbox post id";

/// Numbers of the kinds. 0 is none; a number is never used again for something else.
mod number {
    pub(super) const REQUEST: u8 = 1;
    pub(super) const WELCOME_PART: u8 = 2;
    pub(super) const DECLINED: u8 = 3;
    pub(super) const HAND_OVER: u8 = 4;
    pub(super) const GREETING: u8 = 5;
    pub(super) const OFFER: u8 = 6;
    pub(super) const ACCEPTANCE: u8 = 7;
}

/// What somebody who asks says about himself.
pub type Note = Text<NOTE_BYTES_MAX>;

/// Where a post stands: what its signature and its id are bound to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Spot {
    pub(super) network: Hash,
    pub(super) log: LogId,
    /// What the inbox was made for.
    pub(super) occasion: Hash,
}

impl Spot {
    fn message(&self, kind: u8, signed: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut message = [POST_DOMAIN, self.network.as_bytes(), self.log.as_bytes()].concat();
        self.occasion.encode(&mut message);
        message.push(kind);
        signed(&mut message);
        message
    }

    fn id(&self, kind: u8, said: &impl Encode) -> Hash {
        let parts: [&[u8]; 4] = [self.network.as_bytes(), self.log.as_bytes(), &[kind], &said.to_bytes()];
        Hash(*derive(POST_CONTEXT, &parts))
    }
}

/// Whether the device of a certificate signed this, and speaks for the account at this time.
fn check(
    certificate: &DeviceCertificate,
    (network, account, time_ms): (Hash, AccountId, u64),
    message: &[u8],
    signature: &Signature,
) -> Result<CertifiedDevice, Void> {
    let certified = certificate
        .clone()
        .verify(network, account)
        .map_err(Void::Certificate)?;
    certified.counts_at(time_ms).map_err(Void::Certificate)?;
    certified
        .device
        .verify(message, signature)
        .map_err(|_| Void::BadSignature)?;
    Ok(certified)
}

/// Somebody asks to be let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// The device that asks, and its account.
    pub certificate: DeviceCertificate,
    /// The name as shown.
    pub name: Name,
    /// What it says about itself.
    pub note: Note,
    /// Adds the device to a group.
    pub key_package: KeyPackage,
    /// Where the answer goes: an inbox made for it.
    pub answer: InboxAddress,
    /// Where the account's devices are listed, if the other is to know.
    pub card: Option<CardAddress>,
    /// By the device.
    pub signature: Signature,
}

impl Request {
    pub(super) fn sign(mut self, key: &DeviceKey, spot: &Spot) -> Self {
        self.signature = key.sign(&self.message(spot));
        self
    }

    pub(super) fn verify(&self, spot: &Spot, time_ms: u64) -> Result<CertifiedDevice, Void> {
        let whose = (spot.network, self.certificate.account, time_ms);
        check(&self.certificate, whose, &self.message(spot), &self.signature)
    }

    pub(super) fn id(&self, spot: &Spot) -> Hash {
        spot.id(number::REQUEST, self)
    }

    fn message(&self, spot: &Spot) -> Vec<u8> {
        spot.message(number::REQUEST, |out| self.encode_signed(out))
    }

    fn encode_signed(&self, out: &mut Vec<u8>) {
        self.certificate.encode(out);
        self.name.encode(out);
        self.note.encode(out);
        self.key_package.encode(out);
        self.answer.encode(out);
        put_card(out, self.card.as_ref());
    }
}

impl Encode for Request {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_signed(out);
        self.signature.encode(out);
    }
}

impl Decode for Request {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            certificate: DeviceCertificate::decode(reader)?,
            name: Name::decode(reader)?,
            note: Note::decode(reader)?,
            key_package: KeyPackage::decode(reader)?,
            answer: InboxAddress::decode(reader)?,
            card: card(reader)?,
            signature: Signature::decode(reader)?,
        })
    }
}

/// Why somebody was not let in, if the other cares to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// Nothing is said.
    Unsaid,
    /// There is no room.
    Full,
    /// He does not know who asks.
    Stranger,
    /// A code of another version.
    Other(u8),
}

impl Reason {
    /// The code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Unsaid => 0,
            Self::Full => 1,
            Self::Stranger => 2,
            Self::Other(code) => code,
        }
    }

    /// The reason with this code.
    #[must_use]
    pub const fn of(code: u8) -> Self {
        match code {
            0 => Self::Unsaid,
            1 => Self::Full,
            2 => Self::Stranger,
            other => Self::Other(other),
        }
    }
}

/// The answer to a request: no.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Declined {
    /// The request.
    pub request: Hash,
    /// Why.
    pub reason: Reason,
}

impl Encode for Declined {
    fn encode(&self, out: &mut Vec<u8>) {
        self.request.encode(out);
        out.push(self.reason.code());
    }
}

impl Decode for Declined {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            request: reader.hash()?,
            reason: Reason::of(reader.u8()?),
        })
    }
}

/// An inbox for one contact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Greeting {
    /// The device that greets, and its account.
    pub certificate: DeviceCertificate,
    /// The name as shown.
    pub name: Name,
    /// The inbox, made for the one who is greeted.
    pub inbox: InboxAddress,
    /// Where the account's devices are listed.
    pub card: Option<CardAddress>,
    /// By the device.
    pub signature: Signature,
}

impl Greeting {
    pub(super) fn sign(mut self, key: &DeviceKey, spot: &Spot) -> Self {
        self.signature = key.sign(&self.message(spot));
        self
    }

    pub(super) fn verify(&self, spot: &Spot, account: AccountId, time_ms: u64) -> Result<CertifiedDevice, Void> {
        let whose = (spot.network, account, time_ms);
        check(&self.certificate, whose, &self.message(spot), &self.signature)
    }

    pub(super) fn id(&self, spot: &Spot) -> Hash {
        spot.id(number::GREETING, self)
    }

    fn message(&self, spot: &Spot) -> Vec<u8> {
        spot.message(number::GREETING, |out| self.encode_signed(out))
    }

    fn encode_signed(&self, out: &mut Vec<u8>) {
        self.certificate.encode(out);
        self.name.encode(out);
        self.inbox.encode(out);
        put_card(out, self.card.as_ref());
    }
}

impl Encode for Greeting {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_signed(out);
        self.signature.encode(out);
    }
}

impl Decode for Greeting {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            certificate: DeviceCertificate::decode(reader)?,
            name: Name::decode(reader)?,
            inbox: InboxAddress::decode(reader)?,
            card: card(reader)?,
            signature: Signature::decode(reader)?,
        })
    }
}

/// An account offers to take a new device in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// The device that offers, and its account.
    pub certificate: DeviceCertificate,
    /// The owner's name as shown.
    pub name: Name,
    /// The networks that the account is on, ascending: the device accepts it on each.
    pub networks: Vec<Hash>,
    /// Where the acceptance goes: an inbox made for it.
    pub answer: InboxAddress,
    /// By the device that offers.
    pub signature: Signature,
}

impl Offer {
    pub(super) fn sign(mut self, key: &DeviceKey, spot: &Spot) -> Self {
        self.signature = key.sign(&self.message(spot));
        self
    }

    pub(super) fn verify(&self, spot: &Spot, time_ms: u64) -> Result<CertifiedDevice, Void> {
        let whose = (spot.network, self.certificate.account, time_ms);
        check(&self.certificate, whose, &self.message(spot), &self.signature)
    }

    pub(super) fn id(&self, spot: &Spot) -> Hash {
        spot.id(number::OFFER, self)
    }

    fn message(&self, spot: &Spot) -> Vec<u8> {
        spot.message(number::OFFER, |out| self.encode_signed(out))
    }

    fn encode_signed(&self, out: &mut Vec<u8>) {
        self.certificate.encode(out);
        self.name.encode(out);
        put_list(out, &self.networks);
        self.answer.encode(out);
    }
}

impl Encode for Offer {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_signed(out);
        self.signature.encode(out);
    }
}

impl Decode for Offer {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            certificate: DeviceCertificate::decode(reader)?,
            name: Name::decode(reader)?,
            networks: networks(reader)?,
            answer: InboxAddress::decode(reader)?,
            signature: Signature::decode(reader)?,
        })
    }
}

/// At least one network, ascending.
pub(super) fn networks(reader: &mut Reader<'_>) -> Result<Vec<Hash>, CodecError> {
    let networks: Vec<Hash> = reader.list(HANDED_NETWORKS_MAX, 32)?;
    if networks.is_empty() || !networks.is_sorted_by(|one, next| one < next) {
        return Err(CodecError::BadValue);
    }
    Ok(networks)
}

/// A new device speaks for the account: its signatures, one for each network of the offer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accepting {
    /// In the order of the offer.
    pub signatures: Vec<Signature>,
}

impl Encode for Accepting {
    fn encode(&self, out: &mut Vec<u8>) {
        put_list(out, &self.signatures);
    }
}

impl Decode for Accepting {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            signatures: reader.list(HANDED_NETWORKS_MAX, 64)?,
        })
    }
}

/// What a device needs to be one of the account's on one network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Handed {
    /// The network.
    pub network: Hash,
    /// A head that the other device has checked.
    pub pin: Pin,
    /// Nodes to ask first.
    pub nodes: Vec<NodeAddress>,
    /// The account's card.
    pub card: CardSeed,
    /// The new device's certificate.
    pub certificate: DeviceCertificate,
}

impl Encode for Handed {
    fn encode(&self, out: &mut Vec<u8>) {
        self.network.encode(out);
        out.extend_from_slice(&self.pin.height.to_be_bytes());
        self.pin.id.encode(out);
        put_list(out, &self.nodes);
        out.extend_from_slice(self.card.expose());
        self.certificate.encode(out);
    }
}

impl Decode for Handed {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            network: reader.hash()?,
            pin: Pin {
                height: reader.u64()?,
                id: reader.hash()?,
            },
            nodes: reader.list(INVITATION_NODES_MAX, 4 + 32)?,
            card: CardSeed::from_bytes(reader.array()?),
            certificate: DeviceCertificate::decode(reader)?,
        })
    }
}

/// The fewest bytes of it: no nodes, and a device without a name.
const HANDED_BYTES_MIN: usize = 32 + 40 + 4 + 32 + crate::identity::certificate::CERTIFICATE_BYTES_MIN;

/// What makes a new device one of the account's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandOver {
    /// The offer that it keeps.
    pub offer: Hash,
    /// The owner's name as shown.
    pub name: Name,
    /// One for each network of the offer, in its order.
    pub handed: Vec<Handed>,
    /// By the device that offered.
    pub signature: Signature,
}

impl HandOver {
    pub(super) fn sign(mut self, key: &DeviceKey, spot: &Spot) -> Self {
        self.signature = key.sign(&self.message(spot));
        self
    }

    pub(super) fn message(&self, spot: &Spot) -> Vec<u8> {
        spot.message(number::HAND_OVER, |out| self.encode_signed(out))
    }

    fn encode_signed(&self, out: &mut Vec<u8>) {
        self.offer.encode(out);
        self.name.encode(out);
        put_list(out, &self.handed);
    }
}

impl Encode for HandOver {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_signed(out);
        self.signature.encode(out);
    }
}

impl Decode for HandOver {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            offer: reader.hash()?,
            name: Name::decode(reader)?,
            handed: reader.list(HANDED_NETWORKS_MAX, HANDED_BYTES_MIN)?,
            signature: Signature::decode(reader)?,
        })
    }
}

/// Anything that is posted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Post {
    /// Somebody asks to be let in.
    Request(Box<Request>),
    /// A part of a welcome.
    Part(WelcomePart),
    /// No.
    Declined(Declined),
    /// What makes a new device one of the account's.
    HandOver(Box<HandOver>),
    /// An inbox for one contact.
    Greeting(Box<Greeting>),
    /// An account offers to take a new device in.
    Offer(Box<Offer>),
    /// The new device agrees.
    Accepting(Accepting),
}

impl Encode for Post {
    fn encode(&self, out: &mut Vec<u8>) {
        let (kind, said): (u8, &dyn Encode) = match self {
            Self::Request(request) => (number::REQUEST, &**request),
            Self::Part(part) => (number::WELCOME_PART, part),
            Self::Declined(declined) => (number::DECLINED, declined),
            Self::HandOver(handed) => (number::HAND_OVER, &**handed),
            Self::Greeting(greeting) => (number::GREETING, &**greeting),
            Self::Offer(offer) => (number::OFFER, &**offer),
            Self::Accepting(accepting) => (number::ACCEPTANCE, accepting),
        };
        out.push(kind);
        said.encode(out);
    }
}

impl Decode for Post {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(match reader.u8()? {
            number::REQUEST => Self::Request(Box::new(Request::decode(reader)?)),
            number::WELCOME_PART => Self::Part(WelcomePart::decode(reader)?),
            number::DECLINED => Self::Declined(Declined::decode(reader)?),
            number::HAND_OVER => Self::HandOver(Box::new(HandOver::decode(reader)?)),
            number::GREETING => Self::Greeting(Box::new(Greeting::decode(reader)?)),
            number::OFFER => Self::Offer(Box::new(Offer::decode(reader)?)),
            number::ACCEPTANCE => Self::Accepting(Accepting::decode(reader)?),
            _ => return Err(CodecError::BadValue),
        })
    }
}

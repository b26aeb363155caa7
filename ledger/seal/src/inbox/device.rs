//! A further device of an account: how it comes to be one, seen from both sides.
//!
//! ```text
//! new device                                         a device of the account
//! opens an inbox, shows a link  ───── link ─────>    reads the opening that the link names
//! shows who offers; its owner agrees  <── offer ──   offers; the acceptance is to come to an inbox made for it
//! accepts, on each network   ────── acceptance ──>   the owner types the 24 words: the root certifies the device
//! is one of the account's    <────── hand-over ───   hands over certificate, card, networks
//! ```
//!
//! Three posts, because a certificate needs the device's word that it speaks for this very account
//! ([`Acceptance`]), and a device cannot give it before it knows the account. Whoever looks over a shoulder and sees the
//! link can make an offer too: that is why the owner is asked, and why nothing counts that does not keep the offer he
//! agreed to, in the words of the device that made it. `// SPEC 28.8`

use core::fmt;

use waxwing_core::codec::{CodecError, Decode, Encode, Reader, put_list};
use waxwing_core::envelope::KeepFor;
use waxwing_core::keys::{LogId, Signature};
use waxwing_core::{Hash, HashKeys};

use crate::Chance;
use crate::channel::EpochKeys;
use crate::content::Name;
use crate::device::{DeviceId, DeviceKey};
use crate::group::Myself;
use crate::identity::{Acceptance, AccountId};

use super::body::{Inner, Mail, Outer, To, read, seal_post};
use super::key::InboxAddress;
use super::limits::OFFERS_MAX;
use super::opening::DeviceOpening;
use super::post::{Accepting, HandOver, Handed, Offer, Post, Spot, networks};
use super::state::{At, Event};
use super::void::{PostError, Void};

/// An offer, and what names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offered {
    /// Names it, for [`super::Inbox::accept`].
    pub id: Hash,
    /// Whose account, and on which networks.
    pub offer: Offer,
}

impl Encode for Offered {
    fn encode(&self, out: &mut Vec<u8>) {
        self.id.encode(out);
        self.offer.encode(out);
    }
}

impl Decode for Offered {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            id: reader.hash()?,
            offer: Offer::decode(reader)?,
        })
    }
}

/// How far a new device has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Progress {
    /// Its opening does not stand on the log yet.
    Unopened,
    Open,
    /// Its owner has agreed to this offer.
    Accepted(Hash),
    /// It is one of the account's.
    Done,
}

/// The side of the new device.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Youngster {
    opening: DeviceOpening,
    progress: Progress,
    offers: Vec<Offered>,
}

impl Youngster {
    pub(super) const fn new(opening: DeviceOpening) -> Self {
        Self {
            opening,
            progress: Progress::Unopened,
            offers: Vec::new(),
        }
    }

    pub(super) const fn opening(&self) -> &DeviceOpening {
        &self.opening
    }

    pub(super) fn offers(&self) -> &[Offered] {
        &self.offers
    }

    pub(super) const fn is_over(&self, time_ms: u64) -> bool {
        time_ms > self.opening.expires_ms || matches!(self.progress, Progress::Done)
    }

    pub(super) fn apply(&mut self, at: &At<'_>) -> Result<Event, Void> {
        if at.time_ms > self.opening.expires_ms {
            return Err(Void::Expired);
        }
        if self.progress == Progress::Done {
            return Err(Void::UsedUp);
        }
        match read(at.hash_keys, at.keys, at.header, at.body)? {
            Outer::DeviceOpening(opening) => self.open(&opening),
            Outer::Post(inner) => self.take(at, &inner),
            Outer::Opening(_) => Err(Void::OutOfPlace),
        }
    }

    fn open(&mut self, opening: &DeviceOpening) -> Result<Event, Void> {
        if *opening != self.opening {
            return Err(Void::OtherOpening);
        }
        if self.progress != Progress::Unopened {
            return Err(Void::SecondOpening);
        }
        self.progress = Progress::Open;
        Ok(Event::Opened)
    }

    fn take(&mut self, at: &At<'_>, inner: &Inner) -> Result<Event, Void> {
        if self.progress == Progress::Unopened {
            return Err(Void::NotOpened);
        }
        let (network, log) = (at.hash_keys.network(), at.keys.log());
        let spot = Spot {
            network,
            log,
            occasion: self.opening.id(network, log),
        };
        match inner.open(at.key, spot.occasion)? {
            Post::Offer(offer) => self.hear(&spot, at.time_ms, *offer),
            Post::HandOver(handed) => self.arrive(&spot, at.time_ms, handed),
            Post::Request(_) | Post::Part(_) | Post::Declined(_) | Post::Greeting(_) | Post::Accepting(_) => {
                Err(Void::OutOfPlace)
            }
        }
    }

    fn hear(&mut self, spot: &Spot, time_ms: u64, offer: Offer) -> Result<Event, Void> {
        let who = |offer: &Offer| (offer.certificate.account, offer.certificate.device);
        if self.offers.iter().any(|heard| who(&heard.offer) == who(&offer)) {
            return Err(Void::AskedBefore);
        }
        offer.verify(spot, time_ms)?;
        if !offer.networks.contains(&spot.network) {
            return Err(Void::OtherNetworks);
        }
        if !offer.answer.public.is_usable() {
            return Err(Void::Unanswerable);
        }
        if u32::try_from(self.offers.len()).is_ok_and(|count| count >= OFFERS_MAX) {
            return Err(Void::OffersFull);
        }
        let offered = Offered {
            id: offer.id(spot),
            offer,
        };
        self.offers.push(offered.clone());
        Ok(Event::Offer(Box::new(offered)))
    }

    pub(super) fn accept(
        &mut self,
        hash_keys: &HashKeys,
        offer: Hash,
        device: &DeviceKey,
        keep_for: KeepFor,
        chance: &mut Chance<'_>,
    ) -> Result<(Mail, EpochKeys), PostError> {
        let offered = self.offers.iter().find(|heard| heard.id == offer);
        let offered = offered.filter(|_| device.id() == self.opening.device && self.progress != Progress::Done);
        let Offered { id, offer } = offered.ok_or(PostError::NoSuchOffer)?;
        let account = offer.certificate.account;
        let sign = |network: &Hash| Acceptance::sign(device, *network, account).signature;
        let accepting = Accepting {
            signatures: offer.networks.iter().map(sign).collect(),
        };
        let keys = offer.answer.seed.keys(hash_keys.network());
        let to = To {
            keys: &keys,
            public: &offer.answer.public,
            occasion: *id,
        };
        let mail = seal_post(hash_keys, to, &Post::Accepting(accepting), device, keep_for, chance)?;
        self.progress = Progress::Accepted(*id);
        Ok((mail, keys))
    }

    fn arrive(&mut self, spot: &Spot, time_ms: u64, handed: Box<HandOver>) -> Result<Event, Void> {
        let accepted = match self.progress {
            Progress::Accepted(accepted) if accepted == handed.offer => accepted,
            _ => return Err(Void::OtherOffer),
        };
        let offered = self.offers.iter().find(|heard| heard.id == accepted);
        let Offered { offer, .. } = offered.ok_or(Void::OtherOffer)?;
        let author = offer.certificate.device;
        author
            .verify(&handed.message(spot), &handed.signature)
            .map_err(|_| Void::BadSignature)?;
        if !networks_of(&handed.handed).eq(offer.networks.iter()) {
            return Err(Void::OtherNetworks);
        }
        for one in &handed.handed {
            let certificate = one.certificate.clone();
            let certified = certificate.verify(one.network, offer.certificate.account);
            let certified = certified.map_err(Void::Certificate)?;
            certified.counts_at(time_ms).map_err(Void::Certificate)?;
            if certified.device != self.opening.device {
                return Err(Void::OtherDevice);
            }
        }
        self.progress = Progress::Done;
        Ok(Event::HandOver(handed))
    }
}

fn networks_of(handed: &[Handed]) -> impl Iterator<Item = &Hash> {
    handed.iter().map(|one| &one.network)
}

impl Encode for Youngster {
    fn encode(&self, out: &mut Vec<u8>) {
        self.opening.encode(out);
        match self.progress {
            Progress::Unopened => out.push(0),
            Progress::Open => out.push(1),
            Progress::Accepted(offer) => {
                out.push(2);
                offer.encode(out);
            }
            Progress::Done => out.push(3),
        }
        put_list(out, &self.offers);
    }
}

/// The fewest bytes of an offer with its id: no names, one network.
const OFFERED_BYTES_MIN: usize =
    32 + crate::identity::certificate::CERTIFICATE_BYTES_MIN + 4 + 4 + 32 + 32 + super::limits::PUBLIC_KEY_BYTES + 64;

impl Decode for Youngster {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let opening = DeviceOpening::decode(reader)?;
        let progress = match reader.u8()? {
            0 => Progress::Unopened,
            1 => Progress::Open,
            2 => Progress::Accepted(reader.hash()?),
            3 => Progress::Done,
            _ => return Err(CodecError::BadValue),
        };
        Ok(Self {
            opening,
            progress,
            offers: reader.list(OFFERS_MAX, OFFERED_BYTES_MIN)?,
        })
    }
}

/// The side of the device that offered.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    device: DeviceId,
    expires_ms: u64,
    /// Where the device reads, and the id of its opening.
    there: InboxAddress,
    opening: Hash,
    account: AccountId,
    /// The id of the offer.
    offer: Hash,
    networks: Vec<Hash>,
    is_accepted: bool,
}

impl Waiting {
    pub(super) fn new((opening, there, id): (&DeviceOpening, InboxAddress, Hash), offered: &Offered) -> Self {
        Self {
            device: opening.device,
            expires_ms: opening.expires_ms,
            there,
            opening: id,
            account: offered.offer.certificate.account,
            offer: offered.id,
            networks: offered.offer.networks.clone(),
            is_accepted: false,
        }
    }

    pub(super) const fn is_over(&self, time_ms: u64) -> bool {
        time_ms > self.expires_ms || self.is_accepted
    }

    pub(super) fn apply(&mut self, at: &At<'_>) -> Result<Event, Void> {
        if at.time_ms > self.expires_ms {
            return Err(Void::Expired);
        }
        let Outer::Post(inner) = read(at.hash_keys, at.keys, at.header, at.body)? else {
            return Err(Void::OutOfPlace);
        };
        let Post::Accepting(Accepting { signatures }) = inner.open(at.key, self.offer)? else {
            return Err(Void::OutOfPlace);
        };
        if self.is_accepted {
            return Err(Void::Repeated);
        }
        if signatures.len() != self.networks.len() {
            return Err(Void::OtherNetworks);
        }
        let mut accepted = Vec::with_capacity(signatures.len());
        for (network, signature) in self.networks.iter().zip(signatures) {
            let acceptance = Acceptance {
                device: self.device,
                signature,
            };
            acceptance
                .verify(*network, self.account)
                .map_err(|_| Void::BadSignature)?;
            accepted.push((*network, acceptance));
        }
        self.is_accepted = true;
        Ok(Event::Accepted(accepted))
    }

    pub(super) fn hand_over(
        &self,
        hash_keys: &HashKeys,
        myself: &Myself,
        (name, handed): (Name, Vec<Handed>),
        keep_for: KeepFor,
        chance: &mut Chance<'_>,
    ) -> Result<(Mail, EpochKeys), PostError> {
        if !self.is_accepted {
            return Err(PostError::NoSuchOffer);
        }
        let fits = |one: &Handed| one.certificate.device == self.device && one.certificate.account == self.account;
        let is_offered = networks_of(&handed).eq(self.networks.iter()) && handed.iter().all(fits);
        if !is_offered || myself.member().account != self.account {
            return Err(PostError::NotAsOffered);
        }
        let keys = self.there.seed.keys(hash_keys.network());
        let spot = self.spot(hash_keys.network(), keys.log());
        let handed = HandOver {
            offer: self.offer,
            name,
            handed,
            signature: Signature([0; 64]),
        };
        let post = Post::HandOver(Box::new(handed.sign(myself.key(), &spot)));
        let to = To {
            keys: &keys,
            public: &self.there.public,
            occasion: self.opening,
        };
        let mail = seal_post(hash_keys, to, &post, myself.key(), keep_for, chance)?;
        Ok((mail, keys))
    }

    const fn spot(&self, network: Hash, log: LogId) -> Spot {
        Spot {
            network,
            log,
            occasion: self.opening,
        }
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Waiting(for {})", self.device)
    }
}

impl Encode for Waiting {
    fn encode(&self, out: &mut Vec<u8>) {
        self.device.encode(out);
        out.extend_from_slice(&self.expires_ms.to_be_bytes());
        self.there.encode(out);
        self.opening.encode(out);
        self.account.encode(out);
        self.offer.encode(out);
        put_list(out, &self.networks);
        out.push(u8::from(self.is_accepted));
    }
}

impl Decode for Waiting {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            device: DeviceId::decode(reader)?,
            expires_ms: reader.u64()?,
            there: InboxAddress::decode(reader)?,
            opening: reader.hash()?,
            account: AccountId::decode(reader)?,
            offer: reader.hash()?,
            networks: networks(reader)?,
            is_accepted: match reader.u8()? {
                0 => false,
                1 => true,
                _ => return Err(CodecError::BadValue),
            },
        })
    }
}

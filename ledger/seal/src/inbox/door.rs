//! The inbox of somebody else, as whoever has the link sees it: its opening, and what to post.
//!
//! A door is read from the log's first entry on. The first entry that [`Door::read`] accepts is the opening; what comes
//! before it is void, and what comes after need not be read. Only bodies of which [`Door::may_open`] are fetched, and such
//! a one is waited for if it is not there: passing it over could mean taking a later opening for the first.
//! `// SPEC 28.3`

use core::fmt;

use waxwing_core::envelope::{EnvelopeHeader, KeepFor};
use waxwing_core::keys::{LogId, Signature};
use waxwing_core::{Hash, HashKeys};

use crate::Chance;
use crate::channel::EpochKeys;
use crate::content::Name;
use crate::group::Myself;
use crate::identity::statement::KeyPackage;
use crate::identity::{AccountId, CardAddress, DeviceCertificate};
use crate::sealer::no_erase;

use super::body::{Mail, Outer, To, read, seal_post};
use super::key::{InboxAddress, InboxKey, InboxPublic, InboxSeed};
use super::limits::{HANDED_NETWORKS_MAX, OPENING_BODY_BYTES_MAX};
use super::opening::{DeviceOpening, Opening};
use super::post::{Note, Offer, Post, Request, Spot};
use super::void::{PostError, Void};
use super::{Inbox, Offered};

/// Whose opening is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Owner {
    /// That of any device of the account.
    Account(AccountId),
    /// The one with this id.
    Device(Hash),
}

/// The inbox that a link leads to.
#[derive(Clone)]
pub struct Door {
    hash_keys: HashKeys,
    seed: InboxSeed,
    keys: EpochKeys,
    owner: Owner,
}

impl Door {
    pub(super) fn of_person(network: Hash, seed: &InboxSeed, account: AccountId) -> Self {
        Self::new(network, seed, Owner::Account(account))
    }

    pub(super) fn of_device(network: Hash, seed: &InboxSeed, opening: Hash) -> Self {
        Self::new(network, seed, Owner::Device(opening))
    }

    fn new(network: Hash, seed: &InboxSeed, owner: Owner) -> Self {
        Self {
            hash_keys: HashKeys::new(network),
            seed: seed.clone(),
            keys: seed.keys(network),
            owner,
        }
    }

    /// The keys of the envelopes that are posted here.
    #[must_use]
    pub const fn keys(&self) -> &EpochKeys {
        &self.keys
    }

    /// The log to read, from its first entry on.
    #[must_use]
    pub const fn log(&self) -> LogId {
        self.keys.log()
    }

    /// Whether an entry can be the opening, by its header alone: it is short, and was made so that nobody can erase it.
    /// Others are passed over unread.
    #[must_use]
    pub fn may_open(&self, header: &EnvelopeHeader) -> bool {
        let stays = header.erasure == no_erase(self.keys.seal_key(), header.body_hash);
        stays && header.log == self.log() && header.body_length <= OPENING_BODY_BYTES_MAX
    }

    /// Whether this entry, in a block of this time, is the opening.
    ///
    /// # Errors
    /// Why not: it is void, or it is a post of somebody else.
    pub fn read(&self, time_ms: u64, header: &EnvelopeHeader, body: &[u8]) -> Result<Opened, Void> {
        let (network, log) = (self.hash_keys.network(), self.keys.log());
        if header.body_length > OPENING_BODY_BYTES_MAX {
            return Err(Void::TooLarge);
        }
        match (read(&self.hash_keys, &self.keys, header, body)?, self.owner) {
            (Outer::Opening(opening), Owner::Account(account)) => {
                opening.verify(network, log, account, time_ms)?;
                let id = opening.id(network, log);
                Ok(Opened::Person(OpenInbox {
                    door: self.clone(),
                    opening,
                    id,
                }))
            }
            (Outer::DeviceOpening(opening), Owner::Device(id)) => {
                opening.verify(network, log, id)?;
                Ok(Opened::Device(OpenDevice {
                    door: self.clone(),
                    opening,
                    id,
                }))
            }
            (Outer::Opening(_) | Outer::DeviceOpening(_) | Outer::Post(_), _) => Err(Void::OutOfPlace),
        }
    }

    fn spot(&self, occasion: Hash) -> Spot {
        Spot {
            network: self.hash_keys.network(),
            log: self.log(),
            occasion,
        }
    }

    fn seal(
        &self,
        (public, occasion): (&InboxPublic, Hash),
        post: &Post,
        myself: &Myself,
        keep_for: KeepFor,
        chance: &mut Chance<'_>,
    ) -> Result<Mail, PostError> {
        let to = To {
            keys: &self.keys,
            public,
            occasion,
        };
        seal_post(&self.hash_keys, to, post, myself.key(), keep_for, chance)
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Door({}, {:?})", self.log(), self.owner)
    }
}

/// What a link led to.
#[derive(Clone, Debug)]
pub enum Opened {
    /// A person's inbox, or that of a channel.
    Person(OpenInbox),
    /// A new device's.
    Device(OpenDevice),
}

/// What somebody says who asks.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The name as shown.
    pub name: Name,
    /// What he says about himself.
    pub note: Note,
    /// From [`crate::group::KeyPackage::offer`], of the device that asks.
    pub key_package: KeyPackage,
    /// Where the account's devices are listed, if the other is to know.
    pub card: Option<CardAddress>,
}

/// An inbox whose opening counts.
#[derive(Clone, Debug)]
pub struct OpenInbox {
    door: Door,
    opening: Box<Opening>,
    id: Hash,
}

impl OpenInbox {
    /// Who opened it, and for what.
    #[must_use]
    pub const fn opening(&self) -> &Opening {
        &self.opening
    }

    /// The keys of the envelopes that are posted here.
    #[must_use]
    pub const fn keys(&self) -> &EpochKeys {
        &self.door.keys
    }

    /// Asks. Returned are what to post, and the inbox that the answer will come to, to be stored and followed.
    ///
    /// # Errors
    /// If nothing can be sealed to the inbox.
    pub fn ask(
        &self,
        myself: &Myself,
        asking: Asking,
        keep_for: KeepFor,
        chance: &mut Chance<'_>,
    ) -> Result<(Mail, Inbox), PostError> {
        let (seed, key) = (InboxSeed::random(chance), InboxKey::random(chance));
        let certificate: &DeviceCertificate = myself.certificate();
        let request = Request {
            certificate: certificate.clone(),
            name: asking.name,
            note: asking.note,
            key_package: asking.key_package,
            answer: InboxAddress {
                seed: seed.clone(),
                public: key.public(),
            },
            card: asking.card,
            signature: Signature([0; 64]),
        };
        let spot = self.door.spot(self.id);
        let request = request.sign(myself.key(), &spot);
        let id = request.id(&spot);
        let post = Post::Request(Box::new(request));
        let to = (&self.opening.public, self.id);
        let mail = self.door.seal(to, &post, myself, keep_for, chance)?;
        let account = self.opening.certificate.account;
        Ok((mail, Inbox::for_answers(spot.network, seed, key, account, id)))
    }
}

/// A new device's inbox whose opening counts.
#[derive(Clone, Debug)]
pub struct OpenDevice {
    door: Door,
    opening: Box<DeviceOpening>,
    id: Hash,
}

impl OpenDevice {
    /// Which device it is.
    #[must_use]
    pub const fn opening(&self) -> &DeviceOpening {
        &self.opening
    }

    /// The keys of the envelopes that are posted here.
    #[must_use]
    pub const fn keys(&self) -> &EpochKeys {
        &self.door.keys
    }

    /// Offers to take the device into the account, on these networks. Returned are what to post, and the inbox that the
    /// device's acceptance will come to, to be stored and followed.
    ///
    /// # Errors
    /// If nothing can be sealed to the inbox, or there are no networks, or too many.
    pub fn offer(
        &self,
        myself: &Myself,
        (name, networks): (Name, &[Hash]),
        keep_for: KeepFor,
        chance: &mut Chance<'_>,
    ) -> Result<(Mail, Inbox), PostError> {
        let (seed, key) = (InboxSeed::random(chance), InboxKey::random(chance));
        let certificate: &DeviceCertificate = myself.certificate();
        let mut networks = networks.to_vec();
        networks.sort_unstable();
        networks.dedup();
        let spot = self.door.spot(self.id);
        let is_few = u32::try_from(networks.len()).is_ok_and(|count| count <= HANDED_NETWORKS_MAX);
        if !is_few || !networks.contains(&spot.network) {
            return Err(PostError::NotAsOffered);
        }
        let offer = Offer {
            certificate: certificate.clone(),
            name,
            networks,
            answer: InboxAddress {
                seed: seed.clone(),
                public: key.public(),
            },
            signature: Signature([0; 64]),
        };
        let offer = offer.sign(myself.key(), &spot);
        let offered = Offered {
            id: offer.id(&spot),
            offer,
        };
        let post = Post::Offer(Box::new(offered.offer.clone()));
        let mail = self
            .door
            .seal((&self.opening.public, self.id), &post, myself, keep_for, chance)?;
        let there = InboxAddress {
            seed: self.door.seed.clone(),
            public: self.opening.public.clone(),
        };
        let inbox = Inbox::for_acceptance((spot.network, seed, key), (&self.opening, there, self.id), &offered);
        Ok((mail, inbox))
    }
}

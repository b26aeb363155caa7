//! Whom one can write to: the other side of an inbox.

use core::fmt;

use waxwing_core::codec::{CodecError, Decode, Encode, Reader};
use waxwing_core::envelope::KeepFor;
use waxwing_core::keys::{LogId, Signature};
use waxwing_core::{Hash, HashKeys};

use crate::Chance;
use crate::channel::EpochKeys;
use crate::content::Name;
use crate::device::DeviceKey;
use crate::group::{KeyPackage, KeyPackageFault, Myself, Welcome};
use crate::identity::{AccountId, CardAddress, DeviceCertificate};

use super::Inbox;
use super::body::{Mail, To, seal_post};
use super::key::{InboxAddress, InboxKey, InboxSeed};
use super::post::{Declined, Greeting, Post, Reason, Request, Spot};
use super::void::PostError;
use super::welcome::{CommitPlace, WholeWelcome};

/// Somebody's inbox as seen by the one person it was made for: who asked and waits for the answer, or who sent a
/// greeting. To be stored for as long as there may be something to say.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient {
    network: Hash,
    account: AccountId,
    address: InboxAddress,
    occasion: Hash,
}

impl Recipient {
    pub(super) const fn new(network: Hash, account: AccountId, address: InboxAddress, occasion: Hash) -> Self {
        Self {
            network,
            account,
            address,
            occasion,
        }
    }

    /// Who reads there.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// What the inbox was made for: the id of the request, or of the greeting.
    #[must_use]
    pub const fn occasion(&self) -> Hash {
        self.occasion
    }

    /// The keys of the envelopes: they go to this log, signed by its key.
    #[must_use]
    pub fn keys(&self) -> EpochKeys {
        self.address.seed.keys(self.network)
    }

    /// The inbox's log.
    #[must_use]
    pub fn log(&self) -> LogId {
        self.keys().log()
    }

    /// A welcome to a group, in as many posts as it takes, each an envelope of its own. Sent when the commit is final, and
    /// then only.
    ///
    /// # Errors
    /// If it is longer than any welcome, or nothing can be sealed to the inbox.
    pub fn welcome(
        &self,
        device: &DeviceKey,
        (welcome, place): (&Welcome, CommitPlace),
        keep_for: KeepFor,
        chance: &mut Chance<'_>,
    ) -> Result<Vec<Mail>, PostError> {
        let whole = WholeWelcome {
            answers: self.occasion,
            place,
            welcome: welcome.clone(),
        };
        let parts = whole.cut(self.network).ok_or(PostError::TooLong)?;
        let mut mails = Vec::with_capacity(parts.len());
        for part in parts {
            mails.push(self.seal(device, &Post::Part(part), keep_for, chance)?);
        }
        Ok(mails)
    }

    /// No. It looks like a welcome to a small group.
    ///
    /// # Errors
    /// If nothing can be sealed to the inbox.
    pub fn decline(
        &self,
        device: &DeviceKey,
        reason: Reason,
        keep_for: KeepFor,
        chance: &mut Chance<'_>,
    ) -> Result<Mail, PostError> {
        let declined = Declined {
            request: self.occasion,
            reason,
        };
        self.seal(device, &Post::Declined(declined), keep_for, chance)
    }

    /// Hands over an inbox for this contact, which is returned to be stored and followed.
    ///
    /// # Errors
    /// If nothing can be sealed to the inbox.
    pub fn greet(
        &self,
        myself: &Myself,
        (name, card): (Name, Option<CardAddress>),
        keep_for: KeepFor,
        chance: &mut Chance<'_>,
    ) -> Result<(Mail, Inbox), PostError> {
        let (seed, key) = (InboxSeed::random(chance), InboxKey::random(chance));
        let certificate: &DeviceCertificate = myself.certificate();
        let greeting = Greeting {
            certificate: certificate.clone(),
            name,
            inbox: InboxAddress {
                seed: seed.clone(),
                public: key.public(),
            },
            card,
            signature: Signature([0; 64]),
        };
        let spot = self.spot();
        let greeting = greeting.sign(myself.key(), &spot);
        let id = greeting.id(&spot);
        let mail = self.seal(myself.key(), &Post::Greeting(Box::new(greeting)), keep_for, chance)?;
        Ok((mail, Inbox::for_answers(self.network, seed, key, self.account, id)))
    }

    fn spot(&self) -> Spot {
        Spot {
            network: self.network,
            log: self.log(),
            occasion: self.occasion,
        }
    }

    fn seal(
        &self,
        device: &DeviceKey,
        post: &Post,
        keep_for: KeepFor,
        chance: &mut Chance<'_>,
    ) -> Result<Mail, PostError> {
        let to = To {
            keys: &self.keys(),
            public: &self.address.public,
            occasion: self.occasion,
        };
        seal_post(&HashKeys::new(self.network), to, post, device, keep_for, chance)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({} at {})", self.account, self.log())
    }
}

impl Encode for Recipient {
    fn encode(&self, out: &mut Vec<u8>) {
        self.network.encode(out);
        self.account.encode(out);
        self.address.encode(out);
        self.occasion.encode(out);
    }
}

impl Decode for Recipient {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            network: reader.hash()?,
            account: AccountId::decode(reader)?,
            address: InboxAddress::decode(reader)?,
            occasion: reader.hash()?,
        })
    }
}

/// A request that counts: it waits for the consent of whoever was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taken {
    network: Hash,
    /// Names it.
    pub id: Hash,
    /// What it says.
    pub request: Request,
}

impl Taken {
    pub(super) const fn new(network: Hash, id: Hash, request: Request) -> Self {
        Self { network, id, request }
    }

    /// Where the answer goes.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        let account = self.request.certificate.account;
        Recipient::new(self.network, account, self.request.answer.clone(), self.id)
    }

    /// Adds the device that asked. The key package was that device's when the request was taken; whether it can still be
    /// used depends on the time.
    ///
    /// # Errors
    /// If it cannot: then the device has to ask again.
    pub fn key_package(&self, now_ms: u64) -> Result<KeyPackage, KeyPackageFault> {
        KeyPackage::read(self.request.key_package.as_bytes(), self.network, now_ms)
    }
}

impl Encode for Taken {
    fn encode(&self, out: &mut Vec<u8>) {
        self.network.encode(out);
        self.id.encode(out);
        self.request.encode(out);
    }
}

impl Decode for Taken {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            network: reader.hash()?,
            id: reader.hash()?,
            request: Request::decode(reader)?,
        })
    }
}

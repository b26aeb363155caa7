//! An inbox of one's own: what is read on its log, entry by entry in certified order, and what comes of it.
//!
//! | made by | takes | gives |
//! |---|---|---|
//! | [`Inbox::open`] | requests, up to so many, up to a time | [`Event::Request`] |
//! | [`OpenInbox::ask`], [`Recipient::greet`] | the answer; later greetings and welcomes of the same account | [`Event::Welcome`], [`Event::Declined`], [`Event::Greeting`] |
//! | [`Inbox::open_device`] | offers, and what the one that is accepted brings | [`Event::Offer`], [`Event::HandOver`] |
//! | [`OpenDevice::offer`] | the new device's acceptance | [`Event::Accepted`] |
//!
//! The state has an end, whoever writes here: it is stored whole after each step, in the transaction of the rows that the
//! step led to. What is void changes nothing but the place to read on from. `// SPEC 28.7`
//!
//! [`OpenInbox::ask`]: super::OpenInbox::ask
//! [`OpenDevice::offer`]: super::OpenDevice::offer
//! [`Recipient::greet`]: super::Recipient::greet

use core::fmt;

use waxwing_core::codec::{CodecError, Decode, Encode, Reader};
use waxwing_core::envelope::{EnvelopeHeader, KeepFor};
use waxwing_core::keys::LogId;
use waxwing_core::limits::BODY_BYTES_MAX;
use waxwing_core::{Hash, HashKeys};

use crate::Chance;
use crate::channel::EpochKeys;
use crate::content::Name;
use crate::device::DeviceKey;
use crate::group::Myself;
use crate::identity::certificate::DeviceName;
use crate::identity::{Acceptance, AccountId};
use crate::sealer::Sealed;

use super::answers::Answers;
use super::body::{Mail, seal_device_opening, seal_opening};
use super::device::{Offered, Waiting, Youngster};
use super::key::{InboxAddress, InboxKey, InboxSeed};
use super::limits::{HAND_OVER_BODY_BYTES_MAX, REQUEST_BODY_BYTES_MAX};
use super::opening::{DeviceOpening, Opening, Terms};
use super::post::{Greeting, HandOver, Handed, Reason};
use super::recipient::{Recipient, Taken};
use super::requests::Requests;
use super::void::{PostError, Void};
use super::welcome::WholeWelcome;

/// First bytes of the stored form; the last one is the version.
const INBOX_MAGIC: [u8; 8] = *b"WXINBOX\x01";

/// What an entry led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The own opening stands on the log: the link can be handed out.
    Opened,
    /// Another device of the account opened this inbox first: nothing will come here. Make a new one.
    OpenedByAnother,
    /// Somebody asks, and waits for consent.
    Request(Box<Taken>),
    /// A part of a welcome.
    Part {
        /// Parts that are here.
        have: u32,
        /// Parts in all.
        of: u32,
    },
    /// A welcome is complete. Who is allowed to welcome is still to be checked, by [`crate::group::Joined::by`].
    Welcome(Box<WholeWelcome>),
    /// The other declined.
    Declined(Reason),
    /// The other hands over an inbox for this contact.
    Greeting(Box<Greeting>, Recipient),
    /// An account would take this new device in, and waits for its owner's consent.
    Offer(Box<Offered>),
    /// The new device speaks for the account: one acceptance for each network, to be certified by the root.
    Accepted(Vec<(Hash, Acceptance)>),
    /// This new device is one of the account's.
    HandOver(Box<HandOver>),
}

/// What an inbox is for.
#[derive(Clone, PartialEq, Eq)]
enum Role {
    Requests(Box<Requests>),
    Answers(Answers),
    Youngster(Youngster),
    Waiting(Waiting),
}

/// What every role needs to know to judge an entry.
pub(super) struct At<'a> {
    pub(super) hash_keys: &'a HashKeys,
    pub(super) keys: &'a EpochKeys,
    pub(super) key: &'a InboxKey,
    pub(super) time_ms: u64,
    pub(super) header: &'a EnvelopeHeader,
    pub(super) body: &'a [u8],
}

/// An inbox of one's own. Holds secrets: its encoding belongs into an encrypted store and nowhere else.
#[derive(Clone)]
pub struct Inbox {
    hash_keys: HashKeys,
    seed: InboxSeed,
    key: InboxKey,
    keys: EpochKeys,
    /// Index of the next entry to read.
    next: u64,
    role: Role,
}

impl Inbox {
    fn new(network: Hash, seed: InboxSeed, key: InboxKey, role: Role) -> Self {
        Self {
            hash_keys: HashKeys::new(network),
            keys: seed.keys(network),
            seed,
            key,
            next: 0,
            role,
        }
    }

    /// Makes the inbox of an invitation. Returned are the inbox and the body that opens it: it is posted to
    /// [`Self::log`], and final before the link is handed out.
    ///
    /// # Errors
    /// Never for what this version makes: the longest opening fits into a body.
    pub fn open(
        network: Hash,
        myself: &Myself,
        terms: Terms,
        chance: &mut Chance<'_>,
    ) -> Result<(Self, Sealed), PostError> {
        let (seed, key) = (InboxSeed::random(chance), InboxKey::random(chance));
        let keys = seed.keys(network);
        let opening = Opening::sign(myself, network, keys.log(), key.public(), terms);
        let sealed = seal_opening(&HashKeys::new(network), &keys, &opening, chance)?;
        let role = Role::Requests(Box::new(Requests::new(opening)));
        Ok((Self::new(network, seed, key, role), sealed))
    }

    /// Makes the inbox of a new device. Returned are the inbox and the body that opens it.
    ///
    /// # Errors
    /// Never for what this version makes: the longest opening fits into a body.
    pub fn open_device(
        network: Hash,
        device: &DeviceKey,
        (name, expires_ms): (DeviceName, u64),
        chance: &mut Chance<'_>,
    ) -> Result<(Self, Sealed), PostError> {
        let (seed, key) = (InboxSeed::random(chance), InboxKey::random(chance));
        let keys = seed.keys(network);
        let opening = DeviceOpening::sign(device, network, keys.log(), key.public(), name, expires_ms);
        let sealed = seal_device_opening(&HashKeys::new(network), &keys, &opening, chance)?;
        let role = Role::Youngster(Youngster::new(opening));
        Ok((Self::new(network, seed, key, role), sealed))
    }

    pub(super) fn for_answers(network: Hash, seed: InboxSeed, key: InboxKey, with: AccountId, occasion: Hash) -> Self {
        Self::new(network, seed, key, Role::Answers(Answers::new(with, occasion)))
    }

    pub(super) fn for_acceptance(
        (network, seed, key): (Hash, InboxSeed, InboxKey),
        device: (&DeviceOpening, InboxAddress, Hash),
        offered: &Offered,
    ) -> Self {
        Self::new(network, seed, key, Role::Waiting(Waiting::new(device, offered)))
    }

    /// The network.
    #[must_use]
    pub const fn network(&self) -> Hash {
        self.hash_keys.network()
    }

    /// What a link to this inbox holds.
    #[must_use]
    pub const fn seed(&self) -> &InboxSeed {
        &self.seed
    }

    /// The keys of the envelopes that are posted here: the opening is the owner's own.
    #[must_use]
    pub const fn keys(&self) -> &EpochKeys {
        &self.keys
    }

    /// The log to follow.
    #[must_use]
    pub const fn log(&self) -> LogId {
        self.keys.log()
    }

    /// Index of the next entry to read.
    #[must_use]
    pub const fn next_index(&self) -> u64 {
        self.next
    }

    /// Whether an entry in a block of this time can lead to anything, by its header alone: else its body need not be
    /// fetched, whatever a stranger has put there.
    #[must_use]
    pub fn wants(&self, time_ms: u64, header: &EnvelopeHeader) -> bool {
        !self.is_over(time_ms) && header.log == self.log() && header.body_length <= self.body_bytes_max()
    }

    const fn body_bytes_max(&self) -> u32 {
        match &self.role {
            Role::Requests(_) | Role::Waiting(_) => REQUEST_BODY_BYTES_MAX,
            Role::Youngster(_) => HAND_OVER_BODY_BYTES_MAX,
            Role::Answers(_) => BODY_BYTES_MAX,
        }
    }

    /// The opening of an invitation's inbox.
    #[must_use]
    pub const fn opening(&self) -> Option<&Opening> {
        match &self.role {
            Role::Requests(requests) => Some(requests.opening()),
            _ => None,
        }
    }

    /// The opening of a new device's inbox, and the id that its link holds.
    #[must_use]
    pub fn device_opening(&self) -> Option<(&DeviceOpening, Hash)> {
        match &self.role {
            Role::Youngster(device) => {
                let opening = device.opening();
                Some((opening, opening.id(self.network(), self.log())))
            }
            _ => None,
        }
    }

    /// How many requests are still taken.
    #[must_use]
    pub fn uses_left(&self) -> u32 {
        match &self.role {
            Role::Requests(requests) => requests.uses_left(),
            _ => 0,
        }
    }

    /// Whether there is nothing to come here from this time of the ledger on: the log need not be followed any more, and
    /// once all requests are answered the inbox is forgotten. Never for answers: contacts may write at any time.
    #[must_use]
    pub fn is_over(&self, time_ms: u64) -> bool {
        match &self.role {
            Role::Requests(requests) => requests.is_over(time_ms),
            Role::Answers(_) => false,
            Role::Youngster(device) => device.is_over(time_ms),
            Role::Waiting(waiting) => waiting.is_over(time_ms),
        }
    }

    /// Reads the entry at this index, in a block of this time. Entries that are not wanted, and those whose bodies are
    /// gone, are passed over.
    ///
    /// # Errors
    /// Why it is void; nothing has changed but [`Self::next_index`]. Parts that make no welcome for this inbox are forgotten.
    pub fn apply(&mut self, index: u64, time_ms: u64, header: &EnvelopeHeader, body: &[u8]) -> Result<Event, Void> {
        if index < self.next {
            return Err(Void::AlreadyRead);
        }
        self.next = index.saturating_add(1);
        if header.body_length > self.body_bytes_max() {
            return Err(Void::TooLarge);
        }
        let at = At {
            hash_keys: &self.hash_keys,
            keys: &self.keys,
            key: &self.key,
            time_ms,
            header,
            body,
        };
        match &mut self.role {
            Role::Requests(requests) => requests.apply(&at),
            Role::Answers(answers) => answers.apply(&at),
            Role::Youngster(device) => device.apply(&at),
            Role::Waiting(waiting) => waiting.apply(&at),
        }
    }

    /// The offers that this new device has heard.
    #[must_use]
    pub fn offers(&self) -> &[Offered] {
        match &self.role {
            Role::Youngster(device) => device.offers(),
            _ => &[],
        }
    }

    /// This new device's owner agrees to an offer. Returned are what to post, and the keys of the log that it goes to.
    ///
    /// # Errors
    /// If there is no such offer, or it is another device's inbox.
    pub fn accept(
        &mut self,
        offer: Hash,
        device: &DeviceKey,
        keep_for: KeepFor,
        chance: &mut Chance<'_>,
    ) -> Result<(Mail, EpochKeys), PostError> {
        match &mut self.role {
            Role::Youngster(youngster) => youngster.accept(&self.hash_keys, offer, device, keep_for, chance),
            _ => Err(PostError::NoSuchOffer),
        }
    }

    /// Hands the account over to the device that has accepted: one part for each network of the offer, with a certificate
    /// that the root has signed. Returned are what to post, and the keys of the log that it goes to.
    ///
    /// # Errors
    /// If nothing was accepted, or it is not what was offered.
    pub fn hand_over(
        &self,
        myself: &Myself,
        (name, handed): (Name, Vec<Handed>),
        keep_for: KeepFor,
        chance: &mut Chance<'_>,
    ) -> Result<(Mail, EpochKeys), PostError> {
        match &self.role {
            Role::Waiting(waiting) => waiting.hand_over(&self.hash_keys, myself, (name, handed), keep_for, chance),
            _ => Err(PostError::NoSuchOffer),
        }
    }
}

/// Equal in everything that is stored, secrets included.
impl PartialEq for Inbox {
    fn eq(&self, other: &Self) -> bool {
        self.network() == other.network()
            && self.seed == other.seed
            && self.key == other.key
            && self.next == other.next
            && self.role == other.role
    }
}

impl Eq for Inbox {}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match &self.role {
            Role::Requests(_) => "requests",
            Role::Answers(_) => "answers",
            Role::Youngster(_) => "a new device",
            Role::Waiting(_) => "an acceptance",
        };
        write!(f, "Inbox({} for {role}, read up to {})", self.log(), self.next)
    }
}

impl Encode for Inbox {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&INBOX_MAGIC);
        self.network().encode(out);
        self.seed.encode(out);
        self.key.encode(out);
        out.extend_from_slice(&self.next.to_be_bytes());
        match &self.role {
            Role::Requests(requests) => {
                out.push(1);
                requests.encode(out);
            }
            Role::Answers(answers) => {
                out.push(2);
                answers.encode(out);
            }
            Role::Youngster(device) => {
                out.push(3);
                device.encode(out);
            }
            Role::Waiting(waiting) => {
                out.push(4);
                waiting.encode(out);
            }
        }
    }
}

impl Decode for Inbox {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.magic(&INBOX_MAGIC)?;
        let network = reader.hash()?;
        let (seed, key) = (InboxSeed::decode(reader)?, InboxKey::decode(reader)?);
        let next = reader.u64()?;
        let role = match reader.u8()? {
            1 => Role::Requests(Box::new(Requests::decode(reader)?)),
            2 => Role::Answers(Answers::decode(reader)?),
            3 => Role::Youngster(Youngster::decode(reader)?),
            4 => Role::Waiting(Waiting::decode(reader)?),
            _ => return Err(CodecError::BadValue),
        };
        Ok(Self {
            next,
            ..Self::new(network, seed, key, role)
        })
    }
}

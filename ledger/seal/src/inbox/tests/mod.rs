//! Inboxes on a ledger in miniature: people with devices, and logs that everybody reads in one order.

mod device;
mod forms;
mod links;
mod requests;
mod story;
mod transfers;

use openmls_memory_storage::MemoryStorage;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::{Anchor, EnvelopeHeader, KeepFor};
use waxwing_core::keys::Signature;
use waxwing_core::{Hash, HashKeys};

use super::body::{Mail, To, seal_opening, seal_post};
use super::key::InboxSeed;
use super::opening::Opening;
use super::post::{Post, Request, Spot};
use super::*;
use crate::content::{Name, Text};
use crate::device::DeviceKey;
use crate::group::{KeyPackage, Lifetime, Myself, Provider};
use crate::identity::certificate::Validity;
use crate::identity::{Acceptance, AccountId, AccountKey, DeviceCertificate, Phrase};
use crate::sealer::Sealed;

pub(super) const NETWORK: Hash = Hash([7; 32]);
pub(super) const NOW: u64 = 1_800_000_000_000;
pub(super) const HOUR: u64 = 3_600_000;

/// Bytes that look random and are the same in every run.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(0x9e37_79b9);
            *byte = self.0.to_be_bytes()[0];
        }
    }
}

/// Somebody with one device.
pub(super) struct Person {
    pub(super) root: AccountKey,
    pub(super) myself: Myself,
    pub(super) storage: MemoryStorage,
    pub(super) dice: Dice,
}

pub(super) fn certificate(root: &AccountKey, device: &DeviceKey, validity: Validity) -> DeviceCertificate {
    let accepted = Acceptance::sign(device, NETWORK, root.id());
    DeviceCertificate::sign(root, NETWORK, &accepted, Text::default(), validity, 1)
}

pub(super) fn myself(root: &AccountKey, device: &DeviceKey) -> Myself {
    let certificate = certificate(root, device, Validity::from(NOW - HOUR));
    Myself::new(device.clone(), certificate.verify(NETWORK, root.id()).unwrap()).unwrap()
}

impl Person {
    pub(super) fn new(number: u8) -> Self {
        Self::with(number, number)
    }

    /// With a further device.
    pub(super) fn with(person: u8, device: u8) -> Self {
        let root = Phrase::from_entropy(&[person; 32]).account();
        Self {
            myself: myself(&root, &DeviceKey::from_seed(&[device; 32])),
            root,
            storage: MemoryStorage::default(),
            dice: Dice(u64::from(device)),
        }
    }

    pub(super) fn account(&self) -> AccountId {
        self.root.id()
    }

    pub(super) fn chance<T>(&mut self, work: impl FnOnce(&Myself, &mut crate::Chance<'_>) -> T) -> T {
        let Self { dice, myself, .. } = self;
        work(myself, &mut |bytes| dice.fill(bytes))
    }

    pub(super) fn lend<T>(&mut self, step: impl FnOnce(&Provider<'_, MemoryStorage>, &Myself) -> T) -> T {
        let Self {
            storage, dice, myself, ..
        } = self;
        let mut chance = |bytes: &mut [u8]| dice.fill(bytes);
        step(&Provider::new(storage, &mut chance), myself)
    }

    pub(super) fn key_package(&mut self) -> crate::identity::statement::KeyPackage {
        let lifetime = Lifetime::new(NOW - HOUR, NOW + 1000 * HOUR).unwrap();
        let bytes = self.lend(|provider, myself| KeyPackage::offer(provider, myself, lifetime));
        crate::identity::statement::KeyPackage::new(bytes.unwrap()).unwrap()
    }

    pub(super) fn asking(&mut self) -> Asking {
        Asking {
            name: Name::new("Bob").unwrap(),
            note: Note::new("we met at the lake").unwrap(),
            key_package: self.key_package(),
            card: Some(self.root.card_seed(NETWORK, 0).address(NETWORK)),
        }
    }

    /// Asks at an open inbox.
    pub(super) fn ask(&mut self, inbox: &OpenInbox) -> (Mail, Inbox) {
        let asking = self.asking();
        self.chance(|myself, chance| inbox.ask(myself, asking, KeepFor::Month, chance))
            .unwrap()
    }
}

pub(super) fn terms(uses: u32) -> Terms {
    Terms {
        name: Name::new("Ada").unwrap(),
        purpose: Purpose::Channel(Text::new("birds").unwrap()),
        expires_ms: NOW + 24 * HOUR,
        uses: Uses::new(uses).unwrap(),
        card: None,
    }
}

pub(super) fn header(sealed: &Sealed) -> EnvelopeHeader {
    sealed.header(Anchor {
        height: 64,
        id: Hash([9; 32]),
    })
}

/// An inbox of an invitation that is open, what is read of it, and the link's door.
pub(super) struct Open {
    pub(super) ada: Person,
    pub(super) inbox: Inbox,
    pub(super) opening: Sealed,
    pub(super) door: Door,
}

pub(super) fn opened(uses: u32) -> Open {
    opened_by(Person::new(1), terms(uses))
}

pub(super) fn opened_by(mut ada: Person, terms: Terms) -> Open {
    let (mut inbox, opening) = ada
        .chance(|myself, chance| Inbox::open(NETWORK, myself, terms, chance))
        .unwrap();
    assert_eq!(read(&mut inbox, &opening), Ok(Event::Opened));
    let door = Door::of_person(NETWORK, inbox.seed(), ada.account());
    Open {
        ada,
        inbox,
        opening,
        door,
    }
}

impl Open {
    /// As whoever has the link sees it.
    pub(super) fn enter(&self) -> OpenInbox {
        match self.door.read(NOW, &header(&self.opening), &self.opening.body) {
            Ok(Opened::Person(inbox)) => inbox,
            other => panic!("the opening counts: {other:?}"),
        }
    }

    pub(super) fn spot(&self) -> Spot {
        Spot {
            network: NETWORK,
            log: self.inbox.log(),
            occasion: self.inbox.opening().unwrap().id(NETWORK, self.inbox.log()),
        }
    }

    /// Posts anything, as somebody with this device who has the link.
    pub(super) fn post(&self, by: &DeviceKey, post: &Post) -> Sealed {
        let spot = self.spot();
        post_to(
            self.inbox.seed(),
            &self.inbox.opening().unwrap().public,
            spot.occasion,
            by,
            post,
        )
    }
}

pub(super) fn post_to(seed: &InboxSeed, public: &InboxPublic, occasion: Hash, by: &DeviceKey, post: &Post) -> Sealed {
    let to = To {
        keys: &seed.keys(NETWORK),
        public,
        occasion,
    };
    let mut dice = Dice(99);
    let mail = seal_post(&HashKeys::new(NETWORK), to, post, by, KeepFor::Week, &mut |bytes| {
        dice.fill(bytes)
    });
    mail.unwrap().sealed
}

/// Reads it as the next entry, in a block of now.
pub(super) fn read(inbox: &mut Inbox, sealed: &Sealed) -> Result<Event, Void> {
    read_at(inbox, NOW, sealed)
}

/// Reads it as the next entry, and back from the store; what is void must have left the state as it was.
pub(super) fn read_at(inbox: &mut Inbox, time_ms: u64, sealed: &Sealed) -> Result<Event, Void> {
    let before = inbox.clone();
    let index = inbox.next_index();
    let outcome = inbox.apply(index, time_ms, &header(sealed), &sealed.body);
    assert_eq!(inbox.next_index(), index + 1);
    // Parts that came to nothing are thrown away.
    let is_thrown_away = matches!(outcome, Err(Void::OtherWhole | Void::OtherOccasion));
    if outcome.is_err() && !is_thrown_away {
        let (mut now, then) = (inbox.to_bytes(), before.to_bytes());
        // The cursor stands behind magic, network, seed and key.
        now[104..112].copy_from_slice(&then[104..112]);
        assert!(now == then, "what is void changes nothing");
    }
    let stored = Inbox::from_bytes(&inbox.to_bytes()).unwrap();
    assert_eq!(stored, *inbox, "what is stored is read back");
    *inbox = stored;
    outcome
}

pub(super) fn request(event: Result<Event, Void>) -> Taken {
    match event {
        Ok(Event::Request(taken)) => *taken,
        other => panic!("a request counts: {other:?}"),
    }
}

/// A request as the honest make it, to be spoilt.
pub(super) fn asked(person: &mut Person) -> Request {
    let asking = person.asking();
    let certificate: &DeviceCertificate = person.myself.certificate();
    Request {
        certificate: certificate.clone(),
        name: asking.name,
        note: asking.note,
        key_package: asking.key_package,
        answer: InboxAddress {
            seed: InboxSeed::from_bytes([0x51; 32]),
            public: InboxKey::from_bytes([0x52; 32]).public(),
        },
        card: asking.card,
        signature: Signature([0; 64]),
    }
}

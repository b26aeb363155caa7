//! Taking a further device into an account, and everybody who would like to take it into his.

use super::*;
use crate::identity::certificate::DeviceName;
use crate::identity::{CardSeed, CertificateError};
use crate::inbox::post::{Accepting, HandOver, Offer};
use crate::invitation::{NodeAddress, Pin};
use waxwing_core::keys::NodeId;

const ELSEWHERE: Hash = Hash([8; 32]);

/// A new device that shows a link.
struct New {
    key: DeviceKey,
    inbox: Inbox,
    opening: Sealed,
    link: DeviceLink,
}

fn name() -> DeviceName {
    DeviceName::new("laptop").unwrap()
}

fn new_device(number: u8) -> New {
    let key = DeviceKey::from_seed(&[number; 32]);
    let mut dice = Dice(u64::from(number));
    let about = (name(), NOW + HOUR);
    let made = Inbox::open_device(NETWORK, &key, about, &mut |bytes| dice.fill(bytes));
    let (mut inbox, opening) = made.unwrap();
    assert_eq!(read(&mut inbox, &opening), Ok(Event::Opened));
    let (_, id) = inbox.device_opening().unwrap();
    let link = DeviceLink {
        network: NETWORK,
        nodes: vec![NodeAddress::new("192.0.2.7:7400", NodeId([3; 32])).unwrap()],
        seed: inbox.seed().clone(),
        opening: id,
    };
    New {
        key,
        inbox,
        opening,
        link: DeviceLink::from_link(&link.link()).unwrap(),
    }
}

impl New {
    fn enter(&self) -> OpenDevice {
        let door = self.link.door();
        assert!(door.may_open(&header(&self.opening)));
        match door.read(NOW, &header(&self.opening), &self.opening.body) {
            Ok(Opened::Device(device)) => device,
            other => panic!("the opening counts: {other:?}"),
        }
    }

    fn spot(&self) -> Spot {
        Spot {
            network: NETWORK,
            log: self.inbox.log(),
            occasion: self.link.opening,
        }
    }

    /// Posts anything, as somebody who has the link.
    fn post(&self, by: &DeviceKey, post: &Post) -> Sealed {
        let public = &self.inbox.device_opening().unwrap().0.public;
        post_to(self.inbox.seed(), public, self.link.opening, by, post)
    }
}

fn offer(person: &mut Person, new: &New, networks: &[Hash]) -> (Mail, Inbox) {
    let device = new.enter();
    let about = (Name::new("Ada").unwrap(), networks);
    person
        .chance(|myself, chance| device.offer(myself, about, KeepFor::Day, chance))
        .unwrap()
}

fn offered(event: Result<Event, Void>) -> Offered {
    match event {
        Ok(Event::Offer(offered)) => *offered,
        other => panic!("an offer counts: {other:?}"),
    }
}

fn accepted(event: Result<Event, Void>) -> Vec<(Hash, Acceptance)> {
    match event {
        Ok(Event::Accepted(accepted)) => accepted,
        other => panic!("an acceptance counts: {other:?}"),
    }
}

fn accept(new: &mut New, offer: Hash) -> Result<Sealed, PostError> {
    let mut dice = Dice(5);
    let accepted = new
        .inbox
        .accept(offer, &new.key, KeepFor::Day, &mut |bytes| dice.fill(bytes));
    accepted.map(|(mail, _)| mail.sealed)
}

/// What the root makes of acceptances.
fn certified(root: &AccountKey, accepted: &[(Hash, Acceptance)]) -> Vec<Handed> {
    let hand = |(network, acceptance): &(Hash, Acceptance)| Handed {
        network: *network,
        pin: Pin {
            height: 9,
            id: Hash([5; 32]),
        },
        nodes: vec![],
        card: root.card_seed(*network, 0),
        certificate: DeviceCertificate::sign(root, *network, acceptance, name(), Validity::from(NOW), 2),
    };
    accepted.iter().map(hand).collect()
}

fn hand_over(person: &mut Person, waiting: &Inbox, handed: Vec<Handed>) -> Result<Sealed, PostError> {
    let about = (Name::new("Ada").unwrap(), handed);
    let handed = person.chance(|myself, chance| waiting.hand_over(myself, about, KeepFor::Day, chance));
    handed.map(|(mail, _)| mail.sealed)
}

#[test]
fn a_new_device_becomes_one_of_the_accounts_on_all_its_networks() {
    let (mut ada, mut new) = (Person::new(1), new_device(21));
    assert_eq!(new.enter().opening().name.as_str(), "laptop");
    let (mail, mut waiting) = offer(&mut ada, &new, &[ELSEWHERE, NETWORK]);
    assert_eq!(
        hand_over(&mut ada, &waiting, vec![]),
        Err(PostError::NoSuchOffer),
        "not yet"
    );
    let heard = offered(read(&mut new.inbox, &mail.sealed));
    assert_eq!(heard.offer.certificate.account, ada.account());
    assert_eq!(new.inbox.offers(), core::slice::from_ref(&heard));
    let accepting = accept(&mut new, heard.id).unwrap();
    assert_eq!(accepting.log, waiting.log());
    let accepted = accepted(read(&mut waiting, &accepting));
    assert_eq!(
        accepted.iter().map(|(network, _)| *network).collect::<Vec<_>>(),
        [NETWORK, ELSEWHERE]
    );
    assert_eq!(read(&mut waiting, &accepting), Err(Void::Repeated));
    let handed = certified(&ada.root, &accepted);
    let handed = hand_over(&mut ada, &waiting, handed).unwrap();
    let Ok(Event::HandOver(arrived)) = read(&mut new.inbox, &handed) else {
        panic!("the account arrives");
    };
    assert_eq!(arrived.handed[0].card, ada.root.card_seed(NETWORK, 0));
    assert_eq!(arrived.handed[1].certificate.device, new.key.id());
    assert!(new.inbox.is_over(NOW) && waiting.is_over(NOW));
    assert_eq!(read(&mut new.inbox, &handed), Err(Void::UsedUp));
    let sizes = [&mail.sealed, &accepting, &handed].map(|sealed| sealed.body.len());
    assert_eq!(sizes, [8192; 3], "nobody sees which step it is");
}

#[test]
fn only_the_opening_that_the_link_names_opens_a_device() {
    let (mut new, other) = (new_device(21), new_device(22));
    let keys = HashKeys::new(NETWORK);
    let public = InboxKey::from_bytes([0x77; 32]).public();
    let (log, eve) = (new.inbox.log(), DeviceKey::from_seed(&[33; 32]));
    let forged = opening::DeviceOpening::sign(&eve, NETWORK, log, public, name(), NOW + HOUR);
    let forged = super::super::body::seal_device_opening(&keys, new.inbox.keys(), &forged, &mut |bytes| bytes.fill(3));
    let forged = forged.unwrap();
    let entered = |sealed: &Sealed| new.link.door().read(NOW, &header(sealed), &sealed.body);
    assert_eq!(entered(&forged).unwrap_err(), Void::OtherOpening);
    assert!(entered(&new.opening).is_ok());
    // Named by its id, and not signed by the device it is of.
    let mut unsigned = new.inbox.device_opening().unwrap().0.clone();
    unsigned.signature.0[0] ^= 1;
    let link = DeviceLink {
        opening: unsigned.id(NETWORK, log),
        ..new.link.clone()
    };
    let sealed =
        super::super::body::seal_device_opening(&keys, new.inbox.keys(), &unsigned, &mut |bytes| bytes.fill(3));
    let sealed = sealed.unwrap();
    let refused = link.door().read(NOW, &header(&sealed), &sealed.body);
    assert_eq!(refused.unwrap_err(), Void::BadSignature);
    assert_eq!(read(&mut new.inbox, &forged), Err(Void::OtherOpening));
    let again = new.opening.clone();
    assert_eq!(read(&mut new.inbox, &again), Err(Void::SecondOpening));
    let person = Door::of_person(NETWORK, new.inbox.seed(), Person::new(1).account());
    let refused = person.read(NOW, &header(&again), &again.body);
    assert_eq!(refused.unwrap_err(), Void::OutOfPlace, "a device is no person");
    assert_ne!(other.link.opening, new.link.opening);
}

#[test]
fn whoever_saw_the_link_can_offer_and_nothing_more() {
    let (mut ada, mut eve, mut new) = (Person::new(1), Person::new(3), new_device(21));
    let (mail, mut waiting) = offer(&mut ada, &new, &[NETWORK]);
    let (eves, mut eves_waiting) = offer(&mut eve, &new, &[NETWORK]);
    let heard = offered(read(&mut new.inbox, &mail.sealed));
    let eves = offered(read(&mut new.inbox, &eves.sealed));
    let accepting = accept(&mut new, heard.id).unwrap();
    let accepted = accepted(read(&mut waiting, &accepting));
    assert_eq!(
        read(&mut eves_waiting, &accepting),
        Err(Void::Seal(crate::OpenError::WrongLog))
    );
    // Eve knows the certificate, as every contact does who reads the card, and hands over a card of her own.
    let mut handed = certified(&ada.root, &accepted);
    handed[0].card = CardSeed::from_bytes([0xee; 32]);
    let forge = |offer: Hash| {
        let handed = HandOver {
            offer,
            name: Name::new("Ada").unwrap(),
            handed: handed.clone(),
            signature: Signature([0; 64]),
        };
        let signed = handed.sign(eve.myself.key(), &new.spot());
        new.post(eve.myself.key(), &Post::HandOver(Box::new(signed)))
    };
    let (in_adas_name, in_hers) = (forge(heard.id), forge(eves.id));
    assert_eq!(read(&mut new.inbox, &in_adas_name), Err(Void::BadSignature));
    assert_eq!(read(&mut new.inbox, &in_hers), Err(Void::OtherOffer));
    let honest = certified(&ada.root, &accepted);
    let honest = hand_over(&mut ada, &waiting, honest).unwrap();
    assert!(matches!(read(&mut new.inbox, &honest), Ok(Event::HandOver(_))));
}

#[test]
fn an_offer_is_signed_for_this_device_by_a_device_of_the_account() {
    let (mut ada, mut new, other) = (Person::new(1), new_device(21), new_device(22));
    let certificate: &DeviceCertificate = ada.myself.certificate();
    let honest = Offer {
        certificate: certificate.clone(),
        name: Name::new("Ada").unwrap(),
        networks: vec![NETWORK],
        answer: InboxAddress {
            seed: InboxSeed::from_bytes([0x51; 32]),
            public: InboxKey::from_bytes([0x52; 32]).public(),
        },
        signature: Signature([0; 64]),
    };
    let key = ada.myself.key().clone();
    let mut send = |offer: Offer| {
        let sealed = new.post(&key, &Post::Offer(Box::new(offer)));
        read(&mut new.inbox, &sealed)
    };
    let spot = |new: &New| new.spot();
    let elsewhere = honest.clone().sign(&key, &spot(&other));
    assert_eq!(send(elsewhere), Err(Void::BadSignature), "made for another device");
    let here = Spot {
        network: NETWORK,
        ..new_device(21).spot()
    };
    let by_eve = honest.clone().sign(Person::new(3).myself.key(), &here);
    assert_eq!(send(by_eve), Err(Void::BadSignature));
    let mut expired = honest.clone();
    expired.certificate = super::certificate(&ada.root, &key, Validity::between(1, NOW).unwrap());
    assert_eq!(
        send(expired.sign(&key, &here)),
        Err(Void::Certificate(CertificateError::Expired))
    );
    let mut without = honest.clone();
    without.networks = vec![ELSEWHERE];
    assert_eq!(send(without.sign(&key, &here)), Err(Void::OtherNetworks));
    let mut made_up = honest.clone();
    made_up.answer.public = InboxPublic::from_bytes(&[0xff; 1216]).unwrap();
    assert_eq!(send(made_up.sign(&key, &here)), Err(Void::Unanswerable));
    offered(send(honest.clone().sign(&key, &here)));
    assert_eq!(send(honest.sign(&key, &here)), Err(Void::AskedBefore));
    let device = other.enter();
    let refused = |ada: &mut Person, networks: &[Hash]| {
        let about = (Name::default(), networks);
        let made = ada.chance(|myself, chance| device.offer(myself, about, KeepFor::Day, chance));
        made.unwrap_err()
    };
    assert_eq!(refused(&mut ada, &[]), PostError::NotAsOffered);
    let many: Vec<Hash> = (0..9).map(|number| Hash([number; 32])).collect();
    assert_eq!(refused(&mut ada, &many), PostError::NotAsOffered);
}

#[test]
fn at_most_eight_accounts_are_heard() {
    let mut new = new_device(21);
    for number in 1..=9 {
        let (mail, _) = offer(&mut Person::new(number), &new, &[NETWORK]);
        let outcome = read(&mut new.inbox, &mail.sealed);
        match number {
            9 => assert_eq!(outcome, Err(Void::OffersFull)),
            _ => drop(offered(outcome)),
        }
    }
}

#[test]
fn an_acceptance_is_of_the_device_and_for_each_network() {
    let (mut ada, mut new) = (Person::new(1), new_device(21));
    let (mail, mut waiting) = offer(&mut ada, &new, &[NETWORK, ELSEWHERE]);
    let heard = offered(read(&mut new.inbox, &mail.sealed));
    assert_eq!(accept(&mut new, Hash([1; 32])), Err(PostError::NoSuchOffer));
    let mut dice = Dice(1);
    let others = new
        .inbox
        .accept(heard.id, &DeviceKey::from_seed(&[22; 32]), KeepFor::Day, &mut |bytes| {
            dice.fill(bytes)
        });
    assert_eq!(others.unwrap_err(), PostError::NoSuchOffer, "the key of another device");
    let answer = heard.offer.answer.clone();
    let sign = |key: &DeviceKey, networks: &[Hash]| Accepting {
        signatures: networks
            .iter()
            .map(|network| Acceptance::sign(key, *network, ada.account()).signature)
            .collect(),
    };
    let mut send = |accepting: Accepting| {
        let sealed = post_to(
            &answer.seed,
            &answer.public,
            heard.id,
            &new.key,
            &Post::Accepting(accepting),
        );
        read(&mut waiting, &sealed)
    };
    assert_eq!(send(sign(&new.key, &[NETWORK])), Err(Void::OtherNetworks));
    assert_eq!(
        send(sign(&new.key, &[ELSEWHERE, NETWORK])),
        Err(Void::BadSignature),
        "in another order"
    );
    let others = DeviceKey::from_seed(&[22; 32]);
    assert_eq!(send(sign(&others, &[NETWORK, ELSEWHERE])), Err(Void::BadSignature));
    assert_eq!(accepted(send(sign(&new.key, &[NETWORK, ELSEWHERE]))).len(), 2);
}

#[test]
fn what_is_handed_over_is_what_was_offered() {
    let (mut ada, mut eve, mut new) = (Person::new(1), Person::new(3), new_device(21));
    let (mail, mut waiting) = offer(&mut ada, &new, &[NETWORK, ELSEWHERE]);
    let heard = offered(read(&mut new.inbox, &mail.sealed));
    let accepting = accept(&mut new, heard.id).unwrap();
    let accepted = accepted(read(&mut waiting, &accepting));
    let good = certified(&ada.root, &accepted);
    let mut others = good.clone();
    let theirs = Acceptance::sign(&DeviceKey::from_seed(&[22; 32]), NETWORK, ada.account());
    others[0].certificate = DeviceCertificate::sign(&ada.root, NETWORK, &theirs, name(), Validity::from(NOW), 3);
    for wrong in [vec![], good[..1].to_vec(), others.clone()] {
        assert_eq!(hand_over(&mut ada, &waiting, wrong), Err(PostError::NotAsOffered));
    }
    assert_eq!(
        hand_over(&mut eve, &waiting, good.clone()),
        Err(PostError::NotAsOffered),
        "by another account"
    );
    // By a program that does not look.
    let mut send = |handed: Vec<Handed>| {
        let handed = HandOver {
            offer: heard.id,
            name: Name::default(),
            handed,
            signature: Signature([0; 64]),
        };
        let signed = handed.sign(ada.myself.key(), &new.spot());
        let sealed = new.post(ada.myself.key(), &Post::HandOver(Box::new(signed)));
        read(&mut new.inbox, &sealed)
    };
    assert_eq!(send(good[..1].to_vec()), Err(Void::OtherNetworks));
    assert_eq!(send(others), Err(Void::OtherDevice));
    let mut forged = good.clone();
    forged[1].certificate.signature.0[0] ^= 1;
    assert_eq!(send(forged), Err(Void::Certificate(CertificateError::BadSignature)));
    let mut late = good.clone();
    let validity = Validity::between(1, NOW).unwrap();
    late[0].certificate = DeviceCertificate::sign(&ada.root, NETWORK, &accepted[0].1, name(), validity, 2);
    assert_eq!(send(late), Err(Void::Certificate(CertificateError::Expired)));
    assert!(matches!(send(good), Ok(Event::HandOver(_))));
}

#[test]
fn a_device_takes_nothing_before_it_is_open_nor_after_its_time() {
    let (mut ada, mut new) = (Person::new(1), new_device(21));
    let (mail, mut waiting) = offer(&mut ada, &new, &[NETWORK]);
    let key = new.key.clone();
    let mut dice = Dice(21);
    let made = Inbox::open_device(NETWORK, &key, (name(), NOW + HOUR), &mut |bytes| dice.fill(bytes));
    let (mut fresh, opening) = made.unwrap();
    assert_eq!(fresh.log(), new.inbox.log(), "the same dice");
    assert_eq!(read(&mut fresh, &mail.sealed), Err(Void::NotOpened));
    assert_eq!(read_at(&mut fresh, NOW + HOUR + 1, &opening), Err(Void::Expired));
    assert_eq!(
        read_at(&mut new.inbox, NOW + HOUR + 1, &mail.sealed),
        Err(Void::Expired)
    );
    let heard = offered(read_at(&mut new.inbox, NOW + HOUR, &mail.sealed));
    let accepting = accept(&mut new, heard.id).unwrap();
    assert_eq!(read_at(&mut waiting, NOW + HOUR + 1, &accepting), Err(Void::Expired));
    accepted(read_at(&mut waiting, NOW + HOUR, &accepting));
}

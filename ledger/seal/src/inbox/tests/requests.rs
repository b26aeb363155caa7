//! Which openings and requests count, and each refusal beside what is accepted.

use super::*;
use crate::engine::OpenError;
use crate::group::KeyPackageFault;
use crate::identity::CertificateError;
use waxwing_core::codec::CodecError;

/// Reads with the link's door.
fn entered(door: &Door, sealed: &Sealed) -> Result<Opened, Void> {
    door.read(NOW, &header(sealed), &sealed.body)
}

fn refused(door: &Door, sealed: &Sealed) -> Void {
    match entered(door, sealed) {
        Err(void) => void,
        Ok(opened) => panic!("it should be void: {opened:?}"),
    }
}

/// An opening on this inbox's log, by anybody.
fn opening_by(open: &Open, person: &Person, spoil: impl FnOnce(&mut Opening)) -> Sealed {
    let log = open.inbox.log();
    let public = InboxKey::from_bytes([0x77; 32]).public();
    let mut opening = Opening::sign(&person.myself, NETWORK, log, public, terms(5));
    spoil(&mut opening);
    sealed_opening(open, &opening)
}

fn sealed_opening(open: &Open, opening: &Opening) -> Sealed {
    let keys = HashKeys::new(NETWORK);
    seal_opening(&keys, open.inbox.keys(), opening, &mut |bytes| bytes.fill(3)).unwrap()
}

#[test]
fn a_link_holder_who_is_not_the_owner_opens_nothing() {
    let mut open = opened(1);
    let eve = Person::new(3);
    let forged = opening_by(&open, &eve, |_| {});
    assert_eq!(
        refused(&open.door, &forged),
        Void::Certificate(CertificateError::WrongAccount)
    );
    assert_eq!(read(&mut open.inbox, &forged), Err(Void::SecondOpening));
    // With Ada's certificate, which everybody with the link can read, and her own signature.
    let hers = open.ada.myself.certificate();
    let certificate: &DeviceCertificate = hers;
    let stolen = opening_by(&open, &eve, |opening| opening.certificate = certificate.clone());
    assert_eq!(refused(&open.door, &stolen), Void::BadSignature);
    // Before the true opening, too.
    let terms = terms(1);
    let mut ada = Person::new(1);
    let (mut fresh, sealed) = ada
        .chance(|myself, chance| Inbox::open(NETWORK, myself, terms, chance))
        .unwrap();
    let forged = {
        let public = InboxKey::from_bytes([0x77; 32]).public();
        let opening = Opening::sign(&eve.myself, NETWORK, fresh.log(), public, super::terms(5));
        let keys = HashKeys::new(NETWORK);
        seal_opening(&keys, fresh.keys(), &opening, &mut |bytes| bytes.fill(3)).unwrap()
    };
    let other = Void::Certificate(CertificateError::WrongAccount);
    assert_eq!(read(&mut fresh, &forged), Err(other));
    assert_eq!(read(&mut fresh, &sealed), Ok(Event::Opened));
}

#[test]
fn the_first_opening_of_the_account_is_the_one_and_every_later_one_is_void() {
    let mut open = opened(1);
    let again = opening_by(&open, &Person::with(1, 11), |_| {});
    assert_eq!(read(&mut open.inbox, &again), Err(Void::SecondOpening));
    let opening = open.opening.clone();
    assert_eq!(
        read(&mut open.inbox, &opening),
        Err(Void::SecondOpening),
        "its own copy"
    );
    // Another device of the account was first: everybody reads that one, so nothing can come to this key.
    let mut ada = Person::new(1);
    let (mut late, sealed) = ada
        .chance(|myself, chance| Inbox::open(NETWORK, myself, terms(1), chance))
        .unwrap();
    let public = InboxKey::from_bytes([0x77; 32]).public();
    let first = Opening::sign(&Person::with(1, 11).myself, NETWORK, late.log(), public, terms(5));
    let first = seal_opening(&HashKeys::new(NETWORK), late.keys(), &first, &mut |bytes| bytes.fill(3)).unwrap();
    assert_eq!(read(&mut late, &first), Ok(Event::OpenedByAnother));
    assert_eq!(read(&mut late, &sealed), Err(Void::SecondOpening));
    assert!(late.is_over(NOW), "there is nothing to wait for");
    let door = Door::of_person(NETWORK, late.seed(), ada.account());
    let Ok(Opened::Person(inbox)) = entered(&door, &first) else {
        panic!("it counts for those with the link");
    };
    let (mail, _) = Person::new(2).ask(&inbox);
    assert_eq!(read(&mut late, &mail.sealed), Err(Void::NotForUs));
}

#[test]
fn an_opening_is_for_one_log_and_one_network_and_of_a_device_whose_time_has_come() {
    let open = opened(1);
    let other = opened_by(Person::with(1, 12), terms(1));
    let elsewhere = sealed_opening(&open, other.inbox.opening().unwrap());
    assert_eq!(
        refused(&open.door, &elsewhere),
        Void::BadSignature,
        "copied from another inbox"
    );
    let foreign = opening_by(&open, &open.ada, |opening| {
        *opening = Opening::sign(
            &open.ada.myself,
            Hash([8; 32]),
            open.inbox.log(),
            opening.public.clone(),
            terms(1),
        );
    });
    assert_eq!(refused(&open.door, &foreign), Void::BadSignature);
    let early = open
        .door
        .read(NOW - 100 * HOUR, &header(&open.opening), &open.opening.body);
    assert_eq!(early.unwrap_err(), Void::Certificate(CertificateError::NotYetValid));
    assert!(entered(&open.door, &open.opening).is_ok());
}

#[test]
fn an_opening_that_could_vanish_is_void() {
    let open = opened(1);
    assert!(open.door.may_open(&header(&open.opening)));
    let mut erasable = header(&open.opening);
    erasable.erasure.0[0] ^= 1;
    assert!(!open.door.may_open(&erasable));
    let refused = open.door.read(NOW, &erasable, &open.opening.body).unwrap_err();
    assert_eq!(refused, Void::Erasable);
    let mut expiring = header(&open.opening);
    expiring.keep_for = KeepFor::Week;
    let refused = open.door.read(NOW, &expiring, &open.opening.body).unwrap_err();
    assert_eq!(refused, Void::Seal(OpenError::WrongKeepFor));
}

#[test]
fn every_altered_byte_of_an_opening_is_noticed() {
    let open = opened(1);
    let bytes = open.inbox.opening().unwrap().to_bytes();
    for place in 0..bytes.len() {
        let mut other = bytes.clone();
        other[place] ^= 1;
        let counts = Opening::from_bytes(&other).is_ok_and(|opening| {
            opening
                .verify(NETWORK, open.inbox.log(), open.ada.account(), NOW)
                .is_ok()
        });
        assert!(!counts, "byte {place}");
    }
}

#[test]
fn a_request_before_the_opening_is_void() {
    let mut ada = Person::new(1);
    let (mut inbox, opening) = ada
        .chance(|myself, chance| Inbox::open(NETWORK, myself, terms(2), chance))
        .unwrap();
    let door = Door::of_person(NETWORK, inbox.seed(), ada.account());
    let Ok(Opened::Person(entered)) = entered(&door, &opening) else {
        panic!("the opening counts");
    };
    let (mail, _) = Person::new(2).ask(&entered);
    assert_eq!(refused(&door, &mail.sealed), Void::TooLarge, "no opening is so long");
    assert_eq!(read(&mut inbox, &mail.sealed), Err(Void::NotOpened));
    assert_eq!(read(&mut inbox, &opening), Ok(Event::Opened));
    request(read(&mut inbox, &mail.sealed));
}

#[test]
fn an_inbox_takes_as_many_requests_as_it_says_and_one_of_each_device() {
    let mut open = opened(2);
    let door = open.enter();
    let mut bob = Person::new(2);
    assert_eq!(open.inbox.uses_left(), 2);
    request(read(&mut open.inbox, &bob.ask(&door).0.sealed));
    assert_eq!(read(&mut open.inbox, &bob.ask(&door).0.sealed), Err(Void::AskedBefore));
    assert!(!open.inbox.is_over(NOW));
    request(read(&mut open.inbox, &Person::with(2, 22).ask(&door).0.sealed));
    assert!(open.inbox.is_over(NOW));
    let third = Person::new(3).ask(&door).0.sealed;
    assert_eq!(read(&mut open.inbox, &third), Err(Void::UsedUp));
}

#[test]
fn nothing_is_taken_after_the_time_that_the_opening_names() {
    let mut open = opened(3);
    let door = open.enter();
    let end = NOW + 24 * HOUR;
    let (late, just) = (Person::new(2).ask(&door).0.sealed, Person::new(3).ask(&door).0.sealed);
    assert!(!open.inbox.is_over(end) && open.inbox.is_over(end + 1));
    assert_eq!(read_at(&mut open.inbox, end + 1, &late), Err(Void::Expired));
    request(read_at(&mut open.inbox, end, &just));
}

#[test]
fn a_request_is_for_one_inbox_and_one_opening() {
    let mut open = opened(5);
    let mut other = opened_by(Person::with(1, 12), terms(5));
    let bob = Person::new(2);
    // Whoever was asked can read the request, and passes it on to another inbox.
    let copied = asked(&mut Person::new(2)).sign(bob.myself.key(), &open.spot());
    let post = Post::Request(Box::new(copied));
    let (there, here) = (other.post(bob.myself.key(), &post), open.post(bob.myself.key(), &post));
    assert_eq!(read(&mut other.inbox, &there), Err(Void::BadSignature));
    request(read(&mut open.inbox, &here));
    // The same body, on another log.
    let (mail, _) = Person::new(3).ask(&open.enter());
    assert_eq!(
        read(&mut other.inbox, &mail.sealed),
        Err(Void::Seal(OpenError::WrongLog))
    );
}

#[test]
fn a_request_is_of_the_device_that_signed_it() {
    let mut open = opened(5);
    let (bob, eve) = (Person::new(2), Person::new(3));
    let spot = open.spot();
    let mut send = |request: Request| {
        let post = Post::Request(Box::new(request));
        let sealed = open.post(eve.myself.key(), &post);
        read(&mut open.inbox, &sealed)
    };
    let by_eve = asked(&mut Person::new(2)).sign(eve.myself.key(), &spot);
    assert_eq!(send(by_eve), Err(Void::BadSignature), "in Bob's name");
    let mut altered = asked(&mut Person::new(2)).sign(bob.myself.key(), &spot);
    altered.note = Note::new("let me in at once").unwrap();
    assert_eq!(send(altered), Err(Void::BadSignature));
    let root = Phrase::from_entropy(&[2; 32]).account();
    let mut expired = asked(&mut Person::new(2));
    expired.certificate = certificate(&root, bob.myself.key(), Validity::between(1, NOW).unwrap());
    let expired = expired.sign(bob.myself.key(), &spot);
    assert_eq!(send(expired), Err(Void::Certificate(CertificateError::Expired)));
    let mut forged = asked(&mut Person::new(2));
    forged.certificate.signature.0[0] ^= 1;
    let forged = forged.sign(bob.myself.key(), &spot);
    assert_eq!(send(forged), Err(Void::Certificate(CertificateError::BadSignature)));
    request(send(asked(&mut Person::new(2)).sign(bob.myself.key(), &spot)));
}

#[test]
fn a_request_can_be_answered_and_adds_the_one_who_asks() {
    let mut open = opened(5);
    let (bob, spot) = (Person::new(2), open.spot());
    let mut send = |spoil: fn(&mut Request)| {
        let mut request = asked(&mut Person::new(2));
        spoil(&mut request);
        let post = Post::Request(Box::new(request.sign(bob.myself.key(), &spot)));
        let sealed = open.post(bob.myself.key(), &post);
        read(&mut open.inbox, &sealed)
    };
    let nobody = send(|request| request.answer.public = InboxPublic::from_bytes(&[0xff; 1216]).unwrap());
    assert_eq!(nobody, Err(Void::Unanswerable));
    let theirs = send(|request| request.key_package = Person::new(3).key_package());
    assert_eq!(theirs, Err(Void::OtherPackage));
    let none = send(|request| {
        request.key_package = crate::identity::statement::KeyPackage::new(b"a key package".to_vec()).unwrap();
    });
    assert_eq!(none, Err(Void::KeyPackage(KeyPackageFault::Malformed)));
    request(send(|_| {}));
}

#[test]
fn whoever_posts_it_again_under_other_terms_posts_nothing() {
    let mut open = opened(5);
    let (mail, _) = Person::new(2).ask(&open.enter());
    let index = open.inbox.next_index();
    let mut other = header(&mail.sealed);
    other.keep_for = KeepFor::Week;
    let refused = open.inbox.apply(index, NOW, &other, &mail.sealed.body);
    assert_eq!(refused, Err(Void::NotForUs));
    let mut other = header(&mail.sealed);
    other.erasure = Hash([5; 32]);
    let refused = open.inbox.apply(index + 1, NOW, &other, &mail.sealed.body);
    assert_eq!(refused, Err(Void::NotForUs));
    request(read(&mut open.inbox, &mail.sealed));
    let refused = open.inbox.apply(index, NOW, &header(&mail.sealed), &mail.sealed.body);
    assert_eq!(refused, Err(Void::AlreadyRead));
}

#[test]
fn what_its_author_wants_to_take_back_he_can() {
    let open = opened(1);
    let mut bob = Person::new(2);
    let (mail, _) = bob.ask(&open.enter());
    let secret = bob.myself.key().erasure_secret(mail.sealed.log, mail.salt);
    assert_eq!(secret.commitment(&HashKeys::new(NETWORK)), mail.sealed.erasure);
}

#[test]
fn nothing_but_requests_is_taken_by_an_invitation() {
    let mut open = opened(5);
    let bob = Person::new(2);
    let declined = Post::Declined(post::Declined {
        request: Hash([1; 32]),
        reason: Reason::Unsaid,
    });
    let sealed = open.post(bob.myself.key(), &declined);
    assert_eq!(read(&mut open.inbox, &sealed), Err(Void::OutOfPlace));
}

/// Bodies that only somebody with the link can make, and no program of ours makes.
#[test]
fn what_is_no_post_of_this_version_is_void() {
    let mut open = opened(5);
    let keys = open.inbox.keys().clone();
    let mut say = |message: &[u8]| {
        let keeping = crate::Keeping::Erasable(KeepFor::Week);
        let sealed = crate::sealer::enclose(
            &HashKeys::new(NETWORK),
            &keys,
            message,
            Hash([4; 32]),
            keeping,
            &[8; 24],
        );
        read(&mut open.inbox, &sealed.unwrap())
    };
    assert_eq!(say(&[]), Err(Void::Malformed(CodecError::Truncated)));
    assert_eq!(say(&[0]), Err(Void::UnknownForm(0)));
    assert_eq!(say(&[4, 1]), Err(Void::UnknownForm(4)));
    assert_eq!(say(&[1, 1]), Err(Void::Malformed(CodecError::Truncated)));
    assert_eq!(say(&[3]), Err(Void::NotForUs));
    assert_eq!(say(&[3; 3000]), Err(Void::NotForUs));
}

//! Stored and sent forms: one encoding each, and an answer to any bytes.

use super::*;
use crate::inbox::limits::{
    OPENING_BODY_BYTES_MAX, OPENING_BYTES_MAX, REQUEST_BODY_BYTES_MAX, REQUEST_BYTES_MAX, USES_MAX,
};
use crate::inbox::opening::DeviceOpening;
use crate::limits::{CHANNEL_NAME_BYTES_MAX, DEVICE_NAME_BYTES_MAX, KEY_PACKAGE_BYTES_MAX, NAME_BYTES_MAX};
use proptest::prelude::*;
use waxwing_core::codec::CodecError;

fn wide(length: u32) -> usize {
    usize::try_from(length).unwrap()
}

fn longest_text<const MAX: u32>() -> Text<MAX> {
    Text::new("x".repeat(wide(MAX))).unwrap()
}

/// With the longest name that a device can have.
fn longest_certificate(root: &AccountKey, device: &DeviceKey) -> DeviceCertificate {
    let accepted = Acceptance::sign(device, NETWORK, root.id());
    let name = longest_text::<DEVICE_NAME_BYTES_MAX>();
    DeviceCertificate::sign(root, NETWORK, &accepted, name, Validity::from(NOW - HOUR), 1)
}

#[test]
fn the_longest_of_each_kind_is_as_long_as_its_limit_and_is_taken() {
    let mut ada = Person::new(1);
    let card = ada.root.card_seed(NETWORK, 0).address(NETWORK);
    let certificate = longest_certificate(&ada.root, ada.myself.key()).verify(NETWORK, ada.account());
    ada.myself = Myself::new(ada.myself.key().clone(), certificate.unwrap()).unwrap();
    let open = opened_by(
        ada,
        Terms {
            name: longest_text::<NAME_BYTES_MAX>(),
            purpose: Purpose::Channel(longest_text::<CHANNEL_NAME_BYTES_MAX>()),
            card: Some(card.clone()),
            ..terms(USES_MAX)
        },
    );
    assert_eq!(open.inbox.opening().unwrap().to_bytes().len(), wide(OPENING_BYTES_MAX));
    assert_eq!(open.opening.body.len(), wide(OPENING_BODY_BYTES_MAX));
    open.enter();
    let bob = Person::new(2);
    let mut request = asked(&mut Person::new(2));
    request.certificate = longest_certificate(&bob.root, bob.myself.key());
    request.name = longest_text::<NAME_BYTES_MAX>();
    request.note = longest_text();
    let package = vec![1; wide(KEY_PACKAGE_BYTES_MAX)];
    request.key_package = crate::identity::statement::KeyPackage::new(package).unwrap();
    request.card = Some(card);
    assert_eq!(request.to_bytes().len(), wide(REQUEST_BYTES_MAX));
    let sealed = open.post(bob.myself.key(), &Post::Request(Box::new(request)));
    assert!(sealed.body.len() <= wide(REQUEST_BODY_BYTES_MAX));
    assert!(open.inbox.wants(NOW, &header(&sealed)));
}

#[test]
fn what_is_too_long_to_count_is_not_even_fetched() {
    let mut open = opened(2);
    let mut long = header(&open.opening);
    long.body_length = REQUEST_BODY_BYTES_MAX + 1;
    assert!(!open.inbox.wants(NOW, &long) && !open.door.may_open(&long));
    let index = open.inbox.next_index();
    assert_eq!(open.inbox.apply(index, NOW, &long, &[]), Err(Void::TooLarge));
    assert_eq!(open.door.read(NOW, &long, &[]).unwrap_err(), Void::TooLarge);
    let fits = header(&open.opening);
    assert!(open.inbox.wants(NOW, &fits) && open.door.may_open(&fits));
    assert!(
        !open.inbox.wants(NOW + 25 * HOUR, &fits),
        "after the end nothing is wanted"
    );
    let mut elsewhere = fits;
    elsewhere.log.0[0] ^= 1;
    assert!(!open.inbox.wants(NOW, &elsewhere) && !open.door.may_open(&elsewhere));
}

#[test]
fn an_inbox_takes_between_1_and_256_requests() {
    assert_eq!((Uses::new(0), Uses::new(257)), (None, None));
    assert_eq!(
        (Uses::new(1), Uses::new(256).map(Uses::count)),
        (Some(Uses::ONE), Some(256))
    );
    assert_eq!(Uses::from_bytes(&[0; 4]), Err(CodecError::BadValue));
}

/// Each post of a request's life in its one encoding.
fn samples() -> Vec<Vec<u8>> {
    let mut open = opened(2);
    let mut bob = Person::new(2);
    let (mail, answers) = bob.ask(&open.enter());
    let taken = request(read(&mut open.inbox, &mail.sealed));
    let post = Post::Request(Box::new(taken.request.clone()));
    vec![
        open.inbox.to_bytes(),
        answers.to_bytes(),
        taken.to_bytes(),
        taken.recipient().to_bytes(),
        post.to_bytes(),
        open.inbox.opening().unwrap().to_bytes(),
    ]
}

fn one_encoding<T: Encode + Decode>(bytes: &[u8]) {
    if let Ok(value) = T::from_bytes(bytes) {
        assert_eq!(value.to_bytes(), bytes);
    }
}

fn any_bytes_have_an_answer(bytes: &[u8]) {
    one_encoding::<Inbox>(bytes);
    one_encoding::<Taken>(bytes);
    one_encoding::<Recipient>(bytes);
    one_encoding::<Post>(bytes);
    one_encoding::<Opening>(bytes);
    one_encoding::<DeviceOpening>(bytes);
}

#[test]
fn every_form_has_one_encoding_and_none_is_the_beginning_of_another() {
    for bytes in samples() {
        any_bytes_have_an_answer(&bytes);
        for length in (0..bytes.len()).rev().step_by(7) {
            let cut = &bytes[..length];
            let is_read =
                Inbox::from_bytes(cut).is_ok() || Taken::from_bytes(cut).is_ok() || Post::from_bytes(cut).is_ok();
            assert!(!is_read, "cut to {length}");
        }
        for place in (0..bytes.len()).step_by(3) {
            let mut other = bytes.clone();
            other[place] ^= 0x81;
            any_bytes_have_an_answer(&other);
        }
    }
}

#[test]
fn a_stored_inbox_goes_on_where_it_was() {
    let mut open = opened(2);
    let mut bob = Person::new(2);
    let asked = bob.ask(&open.enter()).0.sealed;
    request(read(&mut open.inbox, &asked));
    let mut again = Inbox::from_bytes(&open.inbox.to_bytes()).unwrap();
    assert_eq!(again.next_index(), 2);
    assert_eq!(again.uses_left(), 1);
    let twice = bob.ask(&open.enter()).0.sealed;
    assert_eq!(read(&mut again, &twice), Err(Void::AskedBefore));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is posted by whoever has the link: an answer, and no harm.
    #[test]
    fn any_body_gets_an_answer(
        message in prop::collection::vec(any::<u8>(), 0..300),
        form in 0_u8..5,
        stays in any::<bool>(),
    ) {
        let mut open = opened(2);
        let keys = open.inbox.keys().clone();
        let keeping = if stays { crate::Keeping::Stays } else { crate::Keeping::Erasable(KeepFor::Week) };
        let message = [&[form][..], &message].concat();
        let sealed = crate::sealer::enclose(&HashKeys::new(NETWORK), &keys, &message, Hash([4; 32]), keeping, &[8; 24]);
        let sealed = sealed.unwrap();
        prop_assert!(read(&mut open.inbox, &sealed).is_err());
        prop_assert!(open.door.read(NOW, &header(&sealed), &sealed.body).is_err());
    }

    #[test]
    fn any_bytes_are_refused_or_have_one_encoding(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        any_bytes_have_an_answer(&bytes);
        any_bytes_have_an_answer(&[b"WXINBOX\x01", &bytes[..]].concat());
    }
}

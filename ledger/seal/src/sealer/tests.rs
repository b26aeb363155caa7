//! Laws of all layers together: what is sealed opens as it was, under its own terms, once; nothing else opens.

use proptest::prelude::*;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::Envelope;

use super::*;
use crate::content::{Kind, Name, Unknown, View, Words};
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::standin::StandIn;
use crate::{ChannelSecret, ContentId};

const ANCHOR: Anchor = Anchor {
    height: 64,
    id: Hash([8; 32]),
};

fn hash_keys() -> HashKeys {
    HashKeys::new(Hash([1; 32]))
}

fn sealer(device: u8) -> Sealer<StandIn> {
    let epoch = ChannelSecret::from_bytes([2; 32]).epoch_keys(hash_keys().network(), 0);
    Sealer::new(hash_keys(), epoch, DeviceKey::from_seed(&[device; 32]), StandIn::new())
}

/// Random enough for a test, the same in every run.
fn chance() -> impl FnMut(&mut [u8]) {
    let mut state = 0_u64;
    move |bytes: &mut [u8]| {
        for byte in bytes {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *byte = state.to_be_bytes()[0];
        }
    }
}

fn content(words: &str, chance: &mut Chance<'_>) -> Content {
    let view = View::empty_log(64, ANCHOR.id);
    Content::new(
        chance,
        7,
        Name::new("Ada").unwrap(),
        view,
        Kind::Text(Words::new(words).unwrap()),
    )
}

fn week(words: &str) -> (Sealed, Content) {
    let mut chance = chance();
    let content = content(words, &mut chance);
    (
        sealer(1)
            .seal(&content, Keeping::Erasable(KeepFor::Week), &mut chance)
            .unwrap(),
        content,
    )
}

#[test]
fn what_is_sealed_travels_as_an_envelope_and_opens_as_it_was() {
    let (mut ada, mut ben, mut chance) = (sealer(1), sealer(2), chance());
    let every = KeepFor::ALL.map(Keeping::Erasable).into_iter().chain([Keeping::Stays]);
    for (counter, keeping) in (1..).zip(every) {
        let content = content("hello", &mut chance);
        let sealed = ada.seal(&content, keeping, &mut chance).unwrap();
        let signed = sealed.header(ANCHOR).sign(&hash_keys(), ada.epoch().log_key());
        let envelope = Envelope {
            signed,
            body: sealed.body.clone(),
        };
        let arrived = Envelope::from_bytes(&envelope.to_bytes()).unwrap();
        assert!(arrived.clone().verify(&hash_keys(), 0).is_ok(), "the node accepts it");
        let opened = ben.open(&arrived.signed.header, &arrived.body);
        assert_eq!(
            opened,
            Ok(Opened {
                device: ada.device(),
                counter,
                keeping,
                content
            })
        );
    }
}

#[test]
fn the_same_body_opens_under_a_later_anchor() {
    let (sealed, content) = week("hello");
    let later = Anchor {
        height: 128,
        id: Hash([9; 32]),
    };
    assert_eq!(
        sealer(2).open(&sealed.header(later), &sealed.body).unwrap().content,
        content
    );
}

#[test]
fn the_authors_secret_erases_an_erasable_body_and_only_that() {
    let (sealed, content) = week("hello");
    let secret = sealer(1).erasure_secret(content.salt);
    assert_eq!(secret.commitment(&hash_keys()), sealed.erasure);
    assert_ne!(
        sealer(2).erasure_secret(content.salt).commitment(&hash_keys()),
        sealed.erasure,
        "nobody else's"
    );
    let mut chance = chance();
    let kept = sealer(1).seal(&content, Keeping::Stays, &mut chance).unwrap();
    assert_ne!(secret.commitment(&hash_keys()), kept.erasure);
    assert_ne!(kept.erasure, Hash::ZERO, "nothing stands out");
}

#[test]
fn a_body_reposted_under_other_terms_is_refused_by_name() {
    let (sealed, _) = week("hello");
    let header = sealed.header(ANCHOR);
    let no_erase = no_erase(sealer(1).epoch().seal_key(), sealed.body_hash);
    let refused = |change: &dyn Fn(&mut EnvelopeHeader)| {
        let mut other = header.clone();
        change(&mut other);
        sealer(2).open(&other, &sealed.body).unwrap_err()
    };
    assert_eq!(
        refused(&|header| header.erasure = Hash([9; 32])),
        OpenError::WrongErasure
    );
    assert_eq!(refused(&|header| header.erasure = Hash::ZERO), OpenError::WrongErasure);
    assert_eq!(
        refused(&|header| header.keep_for = KeepFor::Day),
        OpenError::WrongKeepFor
    );
    assert_eq!(
        refused(&|header| header.keep_for = KeepFor::Ever),
        OpenError::WrongKeepFor
    );
    assert_eq!(refused(&|header| header.log = LogId([9; 32])), OpenError::WrongLog);
    assert_eq!(
        refused(&|header| header.erasure = no_erase),
        OpenError::WrongKeepFor,
        "made to stay"
    );
    let made_to_stay = |header: &mut EnvelopeHeader| (header.erasure, header.keep_for) = (no_erase, KeepFor::Ever);
    assert_eq!(refused(&made_to_stay), OpenError::WrongErasure);
}

#[test]
fn what_must_stay_cannot_be_reposted_as_erasable_nor_with_an_end() {
    let mut chance = chance();
    let content = content("a commit", &mut chance);
    let sealed = sealer(1).seal(&content, Keeping::Stays, &mut chance).unwrap();
    let mut erasable = sealed.header(ANCHOR);
    erasable.erasure = ErasureSecret([9; 32]).commitment(&hash_keys());
    assert_eq!(sealer(2).open(&erasable, &sealed.body), Err(OpenError::WrongErasure));
    erasable.erasure = Hash::ZERO;
    assert_eq!(sealer(2).open(&erasable, &sealed.body), Err(OpenError::WrongErasure));
    let mut ending = sealed.header(ANCHOR);
    ending.keep_for = KeepFor::Year;
    assert_eq!(sealer(2).open(&ending, &sealed.body), Err(OpenError::WrongKeepFor));
}

#[test]
fn a_body_posted_a_second_time_is_a_replay() {
    let (sealed, content) = week("hello");
    let mut ben = sealer(2);
    assert_eq!(ben.open(&sealed.header(ANCHOR), &sealed.body).unwrap().content, content);
    let again = sealed.header(Anchor {
        height: 128,
        id: Hash([9; 32]),
    });
    assert_eq!(ben.open(&again, &sealed.body), Err(OpenError::Replayed));
}

#[test]
fn another_channel_epoch_or_network_does_not_open_it() {
    let (sealed, _) = week("hello");
    let header = sealed.header(ANCHOR);
    let open = |secret: u8, network: u8, epoch: u64| {
        let hash_keys = HashKeys::new(Hash([network; 32]));
        let epoch = ChannelSecret::from_bytes([secret; 32]).epoch_keys(hash_keys.network(), epoch);
        let mut header = header.clone();
        header.log = epoch.log();
        Sealer::new(hash_keys, epoch, DeviceKey::from_seed(&[3; 32]), StandIn::new()).open(&header, &sealed.body)
    };
    assert!(open(2, 1, 0).is_ok());
    for (secret, network, epoch) in [(9, 1, 0), (2, 9, 0), (2, 1, 9)] {
        assert_eq!(open(secret, network, epoch), Err(OpenError::SealBroken));
    }
}

#[test]
fn a_refused_entry_leaves_the_state_as_it_was() {
    let (sealed, _) = week("hello");
    let mut header = sealed.header(ANCHOR);
    header.keep_for = KeepFor::Day;
    let mut ben = sealer(2);
    assert!(ben.open(&header, &sealed.body).is_err());
    assert_eq!(*ben.engine(), StandIn::new());
}

#[test]
fn restoring_the_engine_takes_a_call_back() {
    let (sealed, _) = week("hello");
    let mut ben = sealer(2);
    let before = ben.engine().clone();
    assert!(ben.open(&sealed.header(ANCHOR), &sealed.body).is_ok());
    ben.restore(before);
    assert!(
        ben.open(&sealed.header(ANCHOR), &sealed.body).is_ok(),
        "not a replay: it was never committed"
    );
}

#[test]
fn the_largest_payload_under_the_longest_name_fits_the_largest_body() {
    let mut chance = chance();
    let payload = vec![1; usize::try_from(PAYLOAD_BYTES_MAX).unwrap()];
    let mut content = content("", &mut chance);
    content.name = Name::new("x".repeat(128)).unwrap();
    content.kind = Kind::Unknown(Unknown::new(999, payload).unwrap());
    let sealed = sealer(1).seal(&content, Keeping::Stays, &mut chance).unwrap();
    assert_eq!(sealed.body.len(), 512 << 10);
    assert_eq!(
        sealer(2).open(&sealed.header(ANCHOR), &sealed.body).unwrap().content,
        content
    );
}

#[test]
fn a_usual_line_of_chat_fits_the_smallest_body() {
    let (sealed, _) = week(&"x".repeat(128));
    assert_eq!(sealed.body.len(), 512);
}

#[test]
fn two_messages_share_no_visible_value_but_their_log() {
    let (mut ada, mut chance) = (sealer(1), chance());
    let mut seal = || {
        let content = content("hello", &mut chance);
        ada.seal(&content, Keeping::Erasable(KeepFor::Ever), &mut chance)
            .unwrap()
    };
    let (one, two) = (seal(), seal());
    assert_ne!(one.erasure, two.erasure);
    assert_ne!(one.body_hash, two.body_hash);
    let blocks = |sealed: &Sealed| sealed.body.chunks(16).map(<[u8]>::to_vec).collect::<Vec<_>>();
    assert!(blocks(&one).iter().all(|block| !blocks(&two).contains(block)));
}

#[test]
fn debug_output_shows_no_secret() {
    let sealer = sealer(0xab);
    let shown = format!("{sealer:?} {:?}", week("noon").0);
    assert!(
        !shown.contains("abab") && !shown.contains("171, 171") && !shown.contains("noon"),
        "{shown}"
    );
    assert!(!shown.contains("2, 2, 2"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn opening_undoes_sealing(words in ".{0,300}", device in 1..4_u8, id: [u8; 16], seed: [u8; 32]) {
        let mut draws = seed.into_iter().cycle();
        let mut chance = move |bytes: &mut [u8]| bytes.iter_mut().for_each(|byte| *byte = draws.next().unwrap());
        let mut content = content(&words, &mut chance);
        content.id = ContentId(id);
        let sealed = sealer(device).seal(&content, Keeping::Erasable(KeepFor::Year), &mut chance).unwrap();
        let opened = sealer(9).open(&sealed.header(ANCHOR), &sealed.body).unwrap();
        prop_assert_eq!(opened.content, content);
        prop_assert_eq!(opened.device, sealer(device).device());
    }

    #[test]
    fn any_altered_byte_of_a_body_is_refused(at: prop::sample::Index, by in 1..=255_u8) {
        let (mut sealed, _) = week("hello");
        let at = at.index(sealed.body.len());
        sealed.body[at] ^= by;
        prop_assert_eq!(sealer(2).open(&sealed.header(ANCHOR), &sealed.body), Err(OpenError::SealBroken));
    }

    #[test]
    fn random_bodies_never_open_and_never_panic(body in prop::collection::vec(any::<u8>(), 0..1100)) {
        let (sealed, _) = week("hello");
        prop_assert!(sealer(2).open(&sealed.header(ANCHOR), &body).is_err());
    }
}

//! Who somebody is: what stands on cards, what is typed, and what is scanned. Games of the target [`crate::seal`].
//!
//! A card is written on by devices of its account alone, and any of them may be a thief's: it posts what it likes, again
//! and spoilt. What is void leaves the card as it was, nothing counts twice, and whoever reads the log again from its
//! start ends with the same card.

use std::sync::LazyLock;

use waxwing_core::codec::{Decode, Encode};
use waxwing_core::hash::{Hash, HashKeys};
use waxwing_core::keys::LogId;
use waxwing_rules::chance::Chance;
use waxwing_rules::values::FORMATS;
use waxwing_seal::identity::certificate::{DeviceName, Validity};
use waxwing_seal::identity::emoji::{Commitment, Number};
use waxwing_seal::identity::phrase::words_like;
use waxwing_seal::identity::statement::{KeyPackage, Listed, Move, Opening};
use waxwing_seal::identity::{
    Acceptance, AccountId, AccountKey, At, Card, CardAddress, DeviceCertificate, Keys, Known, Phrase, SafetyNumber,
    Said, Scanned, Signer, Standing, Statement, Void, judge,
};
use waxwing_seal::{DeviceId, DeviceKey};

use crate::golden::GOLDEN;
use crate::script::{Script, seed};
use crate::values::{again, answered};

/// The games, numbered by the target behind its own.
pub(crate) const GAMES: [fn(&[u8]); 6] = [papers, statement, known, phrase, code, card];

const NETWORK: Hash = Hash([3; 32]);
const NOW: u64 = 1_700_000_000_000;

/// An account of six devices, of which the card may know some.
struct Person {
    root: AccountKey,
    stranger: AccountKey,
    devices: Vec<DeviceKey>,
    log: LogId,
    next: CardAddress,
}

static PERSON: LazyLock<Person> = LazyLock::new(|| {
    let root = Phrase::from_entropy(&[1; 32]).account();
    Person {
        log: root.card_seed(NETWORK, 0).keys(NETWORK).log(),
        next: root.card_seed(NETWORK, 1).address(NETWORK),
        root,
        stranger: Phrase::from_entropy(&[2; 32]).account(),
        devices: (0..6).map(|device| DeviceKey::from_seed(&[device; 32])).collect(),
    }
});

static KEYS: LazyLock<HashKeys> = LazyLock::new(|| HashKeys::new(NETWORK));

/// Certificates and what goes with them.
fn papers(bytes: &[u8]) {
    let account = PERSON.root.id();
    if let Some(acceptance) = again::<Acceptance>(bytes) {
        answered(acceptance.verify(NETWORK, account));
    }
    if let Some(certificate) = again::<DeviceCertificate>(bytes) {
        let whose = certificate.account;
        if let Ok(certified) = certificate.verify(NETWORK, whose) {
            answered(certified.counts_at(NOW));
        }
    }
    again::<CardAddress>(bytes);
    again::<Commitment>(bytes);
    again::<Number>(bytes);
}

/// A statement of somebody: it counts on no card but perhaps the one it was made for.
fn statement(bytes: &[u8]) {
    let Some(statement) = again::<Statement>(bytes) else {
        return;
    };
    let (mut card, opening) = (empty(), opened());
    let foreign = AccountId(statement.author().0);
    let mut theirs = Card::new(NETWORK, foreign, PERSON.log);
    answered(theirs.apply(at(0), &statement));
    assert_eq!(card.apply(at(0), &opening), Ok(()));
    let before = card.clone();
    if card.apply(at(1), &statement).is_err() {
        assert_eq!(card, before, "what is void changes nothing");
    }
}

/// What a client remembers, against any other keys: all differences have a sentence, and only comparing stops sending.
fn known(bytes: &[u8]) {
    again::<Keys>(bytes);
    let Some(known) = again::<Known>(bytes) else { return };
    let same = judge(&known, known.keys());
    assert!(same.changes.is_empty(), "no difference to itself");
    let mut other = known.keys().clone();
    other.card ^= 1;
    if let Some((_, device)) = other.devices.pop_first() {
        other.devices.insert(DeviceId([0; 32]), device);
    }
    let judgement = judge(&known, &other);
    for change in &judgement.changes {
        assert!(!change.to_string().is_empty());
    }
    assert!(known.compared_ms().is_some() || known.clone().noted(other).is_some());
}

fn phrase(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    answered(words_like(text).count());
    match Phrase::parse(text) {
        Ok(phrase) => {
            let words = phrase.words().collect::<Vec<_>>().join(" ");
            assert_eq!(Phrase::parse(&words).as_ref(), Ok(&phrase));
            assert_eq!(Phrase::from_entropy(&phrase.entropy()), phrase);
        }
        Err(error) => {
            let said = error.to_string();
            let typed = text.split_whitespace().filter(|word| word.len() > 12);
            typed.for_each(|word| assert!(!said.contains(word), "an error that repeats what was typed"));
        }
    }
}

/// Whatever is scanned, only the other's own code matches.
fn code(bytes: &[u8]) {
    let (own, other) = (PERSON.root.id(), PERSON.stranger.id());
    let number = SafetyNumber::new(&KEYS, own, other);
    let theirs = SafetyNumber::new(&KEYS, other, own).code();
    assert_eq!(number.scan(bytes) == Scanned::Match, bytes == theirs);
    let mut script = Script::new(bytes);
    let mut read = theirs.to_vec();
    script.spoil(&mut read);
    assert_eq!(number.scan(&read) == Scanned::Match, read == theirs);
}

const fn at(index: u64) -> At {
    At { index, time_ms: NOW }
}

fn empty() -> Card {
    Card::new(NETWORK, PERSON.root.id(), PERSON.log)
}

fn id(device: usize) -> DeviceId {
    PERSON.devices[device].id()
}

fn certificate(device: usize, sequence: u64) -> DeviceCertificate {
    let accepted = Acceptance::sign(&PERSON.devices[device], NETWORK, PERSON.root.id());
    let validity = Validity::from(NOW);
    DeviceCertificate::sign(
        &PERSON.root,
        NETWORK,
        &accepted,
        DeviceName::default(),
        validity,
        sequence,
    )
}

fn by_root(number: u64, said: Said) -> Statement {
    Statement::sign(Signer::Root(&PERSON.root), NETWORK, PERSON.log, number, said)
}

/// With three devices.
fn opened() -> Statement {
    let listed = |(sequence, device): (u64, usize)| Listed {
        certificate: certificate(device, sequence),
        standing: Standing::Active,
    };
    let devices = (1..).zip(0..3).map(listed).collect();
    let opening = Opening {
        card: 0,
        previous: LogId([0; 32]),
        devices,
    };
    by_root(0, Said::Opening(opening))
}

/// Anything that anybody says, near to what would count.
fn made(script: &mut Script<'_>, card: &Card) -> Statement {
    let device = script.place(6);
    let near = |script: &mut Script<'_>, number: u64| (number + script.below(3)).saturating_sub(1).max(1);
    let (said, number) = match script.byte() % 8 {
        0 => (
            Said::Addition(certificate(device, near(script, card.next_sequence()))),
            card.next_number().max(1),
        ),
        1 => (Said::Lifting(id(device)), near(script, card.next_number())),
        2 if script.byte() % 8 == 0 => {
            let next = PERSON.next.clone();
            let revoked = vec![id(device)];
            (Said::Move(Move { revoked, next }), card.next_number().max(1))
        }
        3..6 => (
            Said::Suspension(id(device)),
            card.next_number().saturating_sub(script.below(3)),
        ),
        _ => {
            let package = KeyPackage::new(vec![script.byte(); 3]).expect("three bytes are a key package");
            (Said::KeyPackages(vec![package]), 1 + script.below(9))
        }
    };
    let is_of_device = matches!(said, Said::Suspension(_) | Said::KeyPackages(_));
    let signer = match script.byte() % 8 {
        0 => Signer::Root(&PERSON.stranger),
        1 => Signer::Root(&PERSON.root),
        _ if is_of_device => Signer::Device(&PERSON.devices[script.place(6)]),
        _ => Signer::Root(&PERSON.root),
    };
    Statement::sign(signer, NETWORK, PERSON.log, number, said)
}

fn card(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let mut card = empty();
    let mut posted = vec![opened()];
    assert_eq!(card.apply(at(0), &posted[0]), Ok(()));
    while !script.is_over() && posted.len() < 24 {
        let is_again = script.byte() % 4 == 0;
        let honest = if is_again {
            script.pick(&posted).clone()
        } else {
            made(&mut script, &card)
        };
        let mut sent = honest.to_bytes();
        if script.byte() % 4 == 0 {
            script.spoil(&mut sent);
        }
        let Ok(statement) = Statement::from_bytes(&sent) else {
            continue;
        };
        let before = card.clone();
        match card.apply(at(u64::try_from(posted.len()).expect("24 are few")), &statement) {
            Ok(()) => {
                assert_eq!(statement, honest, "a spoilt statement counted");
                let counted = card.clone();
                assert!(card.apply(at(99), &statement).is_err(), "counted twice");
                assert_eq!(card, counted);
            }
            Err(void) => {
                assert_eq!(card, before, "what is void changes nothing");
                assert_eq!(void == Void::Moved, card.next().is_some());
            }
        }
        posted.push(statement);
    }
    let mut later = empty();
    for (index, statement) in (0..).zip(&posted) {
        answered(later.apply(at(index), statement));
    }
    assert_eq!(later, card, "whoever reads it again reads the same");
}

/// The vectors' statements, certificates and words, values of each format, and some scripts. `first` is the number of
/// the first game.
pub(crate) fn seeds(first: usize) -> Vec<Vec<u8>> {
    let [papers, statement, known, phrase, code, card] = core::array::from_fn(|place| first + place);
    let mut seeds = vec![seed(statement, &opened().to_bytes())];
    for bytes in &GOLDEN.bytes {
        if DeviceCertificate::from_bytes(bytes).is_ok() || Acceptance::from_bytes(bytes).is_ok() {
            seeds.push(seed(papers, bytes));
        }
        if Statement::from_bytes(bytes).is_ok() {
            seeds.push(seed(statement, bytes));
        }
        if Known::from_bytes(bytes).is_ok() {
            seeds.push(seed(known, bytes));
        }
        if bytes.starts_with(b"WXSN") {
            seeds.push(seed(code, bytes));
        }
    }
    let words = GOLDEN.texts.iter().filter(|text| text.split_whitespace().count() > 11);
    seeds.extend(words.take(40).map(|text| seed(phrase, text.as_bytes())));
    for format in FORMATS {
        let bytes = (format.random)(&mut Chance::new(5));
        match format.name {
            "device certificate" | "acceptance" | "card address" => seeds.push(seed(papers, &bytes)),
            "card statement" => seeds.push(seed(statement, &bytes)),
            "known keys" => seeds.push(seed(known, &bytes)),
            _ => {}
        }
    }
    for start in 0..8_u8 {
        let script: Vec<u8> = (0..200_u8)
            .map(|at| start.wrapping_mul(at).wrapping_add(at >> 2))
            .collect();
        seeds.push(seed(card, &script));
    }
    seeds
}

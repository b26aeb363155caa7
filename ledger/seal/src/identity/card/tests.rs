//! The card, rule by rule: what counts beside what is void for it, and that what is void changes nothing.

use super::*;
use crate::device::DeviceKey;
use crate::identity::account::AccountKey;
use crate::identity::address::CardSeed;
use crate::identity::certificate::{Acceptance, CertificateError, DeviceName, Validity};
use crate::identity::statement::{Listed, Signer};
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::limits::DAY_MS;

const NETWORK: Hash = Hash([1; 32]);
const NOW: u64 = 1000 * DAY_MS;

fn root() -> AccountKey {
    AccountKey::from_entropy(&[7; 32])
}

fn device(byte: u8) -> DeviceKey {
    DeviceKey::from_seed(&[byte; 32])
}

fn id(byte: u8) -> DeviceId {
    device(byte).id()
}

fn log() -> LogId {
    root().card_seed(NETWORK, 0).keys(NETWORK).log()
}

fn next() -> CardAddress {
    root().card_seed(NETWORK, 1).address(NETWORK)
}

fn certificate(byte: u8, sequence: u64) -> DeviceCertificate {
    certificate_for(byte, sequence, Validity::from(NOW - DAY_MS))
}

fn certificate_for(byte: u8, sequence: u64, validity: Validity) -> DeviceCertificate {
    let accepted = Acceptance::sign(&device(byte), NETWORK, root().id());
    DeviceCertificate::sign(&root(), NETWORK, &accepted, DeviceName::default(), validity, sequence)
}

fn listed(byte: u8, sequence: u64, standing: Standing) -> Listed {
    Listed {
        certificate: certificate(byte, sequence),
        standing,
    }
}

fn opening(devices: Vec<Listed>) -> Said {
    Said::Opening(Opening {
        card: 0,
        previous: LogId([0; 32]),
        devices,
    })
}

fn by_root(number: u64, said: Said) -> Statement {
    Statement::sign(Signer::Root(&root()), NETWORK, log(), number, said)
}

fn by_device(byte: u8, number: u64, said: Said) -> Statement {
    Statement::sign(Signer::Device(&device(byte)), NETWORK, log(), number, said)
}

fn packages(bytes: &[u8]) -> Said {
    Said::KeyPackages(vec![KeyPackage::new(bytes.to_vec()).unwrap()])
}

fn move_of(revoked: &[u8]) -> Said {
    let mut revoked: Vec<DeviceId> = revoked.iter().map(|byte| id(*byte)).collect();
    revoked.sort_unstable();
    Said::Move(Move { revoked, next: next() })
}

/// A card, and how many entries its log has.
struct Reader {
    card: Card,
    entries: u64,
}

impl Reader {
    fn new() -> Self {
        Self {
            card: Card::new(NETWORK, root().id(), log()),
            entries: 0,
        }
    }

    /// Opened with devices 1 and 2.
    fn opened() -> Self {
        let mut reader = Self::new();
        let devices = vec![listed(1, 1, Standing::Active), listed(2, 2, Standing::Active)];
        reader.counts(&by_root(0, opening(devices)));
        reader
    }

    /// Through its bytes, as from a body.
    fn hears(&mut self, time_ms: u64, statement: &Statement) -> Result<(), Void> {
        let at = At {
            index: self.entries,
            time_ms,
        };
        self.entries += 1;
        let read = Statement::from_bytes(&statement.to_bytes()).unwrap();
        assert_eq!(read, *statement);
        self.card.apply(at, &read)
    }

    fn counts(&mut self, statement: &Statement) {
        assert_eq!(self.hears(NOW, statement), Ok(()));
    }

    fn is_void(&mut self, statement: &Statement, why: Void) {
        let before = self.card.clone();
        assert_eq!(self.hears(NOW, statement), Err(why));
        assert_eq!(self.card, before, "what is void changes nothing");
    }

    fn standing(&self, byte: u8) -> Option<Standing> {
        self.card.device(id(byte)).map(Device::standing)
    }
}

#[test]
fn a_card_opens_with_the_devices_that_the_root_lists() {
    let reader = Reader::opened();
    assert_eq!(reader.card.number(), Some((0, LogId([0; 32]))));
    assert_eq!((reader.card.next_number(), reader.card.next_sequence()), (1, 3));
    assert_eq!(reader.standing(1), Some(Standing::Active));
    assert_eq!(reader.standing(3), None);
    assert!(reader.card.check(id(1), NOW).is_ok());
    assert_eq!(reader.card.check(id(3), NOW).unwrap_err(), DeviceFault::NotOnCard);
}

#[test]
fn before_the_opening_and_after_it_again_nothing_else_counts() {
    let mut reader = Reader::new();
    reader.is_void(
        &by_root(1, Said::Addition(certificate(1, 1))),
        Void::OutOfTurn { expected: 0 },
    );
    reader.is_void(&by_device(1, 1, packages(b"p")), Void::Author(DeviceFault::NotOnCard));
    reader.counts(&by_root(0, opening(vec![])));
    reader.is_void(&by_root(0, opening(vec![])), Void::OutOfTurn { expected: 1 });
}

#[test]
fn somebody_else_cannot_open_the_card_or_speak_as_the_root() {
    let mut reader = Reader::new();
    let other = AccountKey::from_entropy(&[8; 32]);
    let foreign = Statement::sign(Signer::Root(&other), NETWORK, log(), 0, opening(vec![]));
    reader.is_void(&foreign, Void::RootOnly);
    let mut reader = Reader::opened();
    reader.is_void(&by_device(1, 1, Said::Addition(certificate(3, 3))), Void::RootOnly);
    reader.is_void(&by_device(1, 1, Said::Lifting(id(2))), Void::RootOnly);
    reader.is_void(&by_device(1, 1, move_of(&[2])), Void::RootOnly);
    let by_the_root = by_root(1, packages(b"p"));
    reader.is_void(&by_the_root, Void::Author(DeviceFault::NotOnCard));
}

#[test]
fn a_statement_counts_on_its_own_card_and_network_only() {
    let elsewhere = CardSeed::from_bytes([9; 32]).keys(NETWORK).log();
    for (network, card) in [(NETWORK, elsewhere), (Hash([2; 32]), log())] {
        let mut reader = Reader::opened();
        let said = Said::Addition(certificate(3, 3));
        let root_there = Statement::sign(Signer::Root(&root()), network, card, 1, said);
        reader.is_void(&root_there, Void::BadSignature);
        let device_there = Statement::sign(Signer::Device(&device(1)), network, card, 1, packages(b"p"));
        reader.is_void(&device_there, Void::BadSignature);
    }
}

#[test]
fn the_roots_statements_count_in_their_order_and_an_early_one_again_in_its_turn() {
    let mut reader = Reader::opened();
    let (first, second) = (
        by_root(1, Said::Addition(certificate(3, 3))),
        by_root(2, Said::Addition(certificate(4, 4))),
    );
    reader.is_void(&second, Void::OutOfTurn { expected: 1 });
    reader.counts(&first);
    reader.is_void(&first, Void::OutOfTurn { expected: 2 });
    reader.counts(&second);
    assert_eq!(reader.standing(4), Some(Standing::Active));
}

#[test]
fn a_certificate_counts_if_it_is_sound_in_time_and_later_than_all_before() {
    let mut reader = Reader::opened();
    let mut forged = certificate(3, 3);
    forged.acceptance.0[0] ^= 1;
    let of = CertificateError::BadSignature;
    reader.is_void(&by_root(1, Said::Addition(forged)), Void::Certificate(of));
    let early = certificate_for(3, 3, Validity::from(NOW + DAY_MS + 1));
    let of = CertificateError::NotYetValid;
    reader.is_void(&by_root(1, Said::Addition(early)), Void::Certificate(of));
    let over = certificate_for(3, 3, Validity::between(1, NOW).unwrap());
    let of = CertificateError::Expired;
    reader.is_void(&by_root(1, Said::Addition(over)), Void::Certificate(of));
    reader.is_void(&by_root(1, Said::Addition(certificate(3, 2))), Void::OldCertificate);
    reader.counts(&by_root(1, Said::Addition(certificate(3, 9))));
    assert_eq!(reader.card.next_sequence(), 10);
}

#[test]
fn a_newer_certificate_of_a_suspended_device_leaves_it_suspended() {
    let mut reader = Reader::opened();
    reader.counts(&by_device(1, 0, Said::Suspension(id(2))));
    reader.counts(&by_root(1, Said::Addition(certificate(2, 3))));
    assert_eq!(reader.standing(2), Some(Standing::Suspended));
    assert_eq!(reader.card.device(id(2)).unwrap().certificate().sequence, 3);
}

#[test]
fn an_expired_device_does_not_speak_and_may_be_renewed() {
    let until = NOW + 10;
    let mut reader = Reader::new();
    let devices = vec![Listed {
        certificate: certificate_for(1, 1, Validity::between(1, until).unwrap()),
        standing: Standing::Active,
    }];
    reader.counts(&by_root(0, opening(devices)));
    assert_eq!(reader.hears(until - 1, &by_device(1, 1, packages(b"p"))), Ok(()));
    let expired = DeviceFault::Time(CertificateError::Expired);
    assert_eq!(
        reader.hears(until, &by_device(1, 2, packages(b"q"))),
        Err(Void::Author(expired))
    );
    let longer = certificate_for(1, 2, Validity::from(NOW));
    assert_eq!(reader.hears(until, &by_root(1, Said::Addition(longer))), Ok(()));
    assert_eq!(reader.hears(until, &by_device(1, 2, packages(b"q"))), Ok(()));
}

#[test]
fn a_suspended_device_says_nothing_until_the_root_lifts_it() {
    let mut reader = Reader::opened();
    reader.counts(&by_device(1, 0, Said::Suspension(id(2))));
    assert_eq!(reader.card.check(id(2), NOW).unwrap_err(), DeviceFault::Suspended);
    let why = Void::Author(DeviceFault::Suspended);
    reader.is_void(&by_device(2, 0, Said::Suspension(id(1))), why);
    reader.is_void(&by_device(2, 1, packages(b"p")), why);
    reader.is_void(&by_device(1, 0, Said::Suspension(id(2))), Void::AlreadySuspended);
    reader.counts(&by_root(1, Said::Lifting(id(2))));
    reader.is_void(&by_root(2, Said::Lifting(id(2))), Void::NotSuspended);
    reader.is_void(&by_root(2, Said::Lifting(id(3))), Void::UnknownDevice);
    reader.counts(&by_device(2, 1, packages(b"p")));
}

/// Every device of the account can post anything again that stands on the card.
#[test]
fn a_suspension_cannot_be_said_again_after_the_root_lifted_it() {
    let mut reader = Reader::opened();
    let suspension = by_device(1, 0, Said::Suspension(id(2)));
    reader.counts(&suspension);
    reader.counts(&by_root(1, Said::Lifting(id(2))));
    reader.is_void(&suspension, Void::Outdated);
    reader.is_void(&by_device(1, 2, Said::Suspension(id(2))), Void::Premature);
    reader.counts(&by_device(1, 1, Said::Suspension(id(2))));
}

#[test]
fn a_device_suspends_others_that_there_are_and_not_itself() {
    let mut reader = Reader::opened();
    reader.is_void(&by_device(1, 0, Said::Suspension(id(1))), Void::Itself);
    reader.is_void(&by_device(1, 0, Said::Suspension(id(3))), Void::UnknownDevice);
    reader.counts(&by_root(1, Said::Addition(certificate(3, 3))));
    reader.is_void(&by_device(1, 0, Said::Suspension(id(3))), Void::Outdated);
    reader.counts(&by_device(1, 1, Said::Suspension(id(3))));
}

#[test]
fn newer_key_packages_replace_older_ones_whichever_come_first() {
    let mut reader = Reader::opened();
    let shown = |reader: &Reader| -> Vec<Vec<u8>> {
        let device = reader.card.device(id(1)).unwrap();
        device
            .key_packages()
            .iter()
            .map(|one| one.as_bytes().to_vec())
            .collect()
    };
    reader.counts(&by_device(1, 2, packages(b"newer")));
    reader.is_void(&by_device(1, 1, packages(b"older")), Void::Replayed);
    reader.is_void(&by_device(1, 2, packages(b"newer")), Void::Replayed);
    assert_eq!(shown(&reader), [b"newer".to_vec()]);
    assert_eq!(reader.card.device(id(1)).unwrap().next_number(), 3);
    reader.counts(&by_device(1, 7, Said::KeyPackages(vec![])));
    assert!(shown(&reader).is_empty(), "a device may withdraw them");
    assert!(reader.card.device(id(2)).unwrap().key_packages().is_empty());
}

#[test]
fn a_move_revokes_and_ends_the_card_at_once() {
    let mut reader = Reader::opened();
    reader.counts(&by_root(1, move_of(&[2])));
    assert_eq!(reader.card.next(), Some(&next()));
    assert_eq!(reader.card.check(id(2), NOW).unwrap_err(), DeviceFault::Revoked);
    assert!(reader.card.check(id(1), NOW).is_ok());
    for late in [
        by_root(2, Said::Addition(certificate(3, 3))),
        by_root(2, move_of(&[])),
        by_device(1, 1, packages(b"p")),
        by_device(2, 1, Said::Suspension(id(1))),
    ] {
        reader.is_void(&late, Void::Moved);
    }
}

#[test]
fn a_move_names_devices_that_there_are_and_another_card() {
    let mut reader = Reader::new();
    let devices = vec![listed(1, 1, Standing::Active), listed(2, 2, Standing::Revoked)];
    reader.counts(&by_root(0, opening(devices)));
    reader.is_void(&by_root(1, move_of(&[1, 3])), Void::UnknownDevice);
    reader.is_void(&by_root(1, move_of(&[1, 2])), Void::AlreadyRevoked);
    let here = Move {
        revoked: vec![],
        next: root().card_seed(NETWORK, 0).address(NETWORK),
    };
    reader.is_void(&by_root(1, Said::Move(here)), Void::SameCard);
    reader.counts(&by_root(1, move_of(&[])));
}

#[test]
fn a_revoked_device_never_comes_back_under_the_same_key() {
    let mut reader = Reader::new();
    let devices = vec![listed(1, 1, Standing::Active), listed(2, 2, Standing::Revoked)];
    reader.counts(&by_root(0, opening(devices)));
    reader.is_void(&by_root(1, Said::Addition(certificate(2, 3))), Void::AlreadyRevoked);
    reader.is_void(&by_device(2, 1, packages(b"p")), Void::Author(DeviceFault::Revoked));
    reader.is_void(&by_device(1, 0, Said::Suspension(id(2))), Void::AlreadyRevoked);
}

#[test]
fn an_account_has_sixteen_devices_at_most_revoked_ones_aside() {
    let sixteen = || (1..=16).map(|byte: u8| listed(byte, byte.into(), Standing::Active));
    let mut reader = Reader::new();
    let too_many = sixteen().chain([listed(17, 17, Standing::Suspended)]).collect();
    reader.is_void(&by_root(0, opening(too_many)), Void::DevicesFull);
    let fitting = sixteen().chain([listed(17, 17, Standing::Revoked)]).collect();
    reader.counts(&by_root(0, opening(fitting)));
    reader.is_void(&by_root(1, Said::Addition(certificate(18, 18))), Void::DevicesFull);
    reader.counts(&by_root(1, Said::Addition(certificate(16, 18))));
}

#[test]
fn a_card_knows_256_devices_at_most_revoked_ones_included() {
    let all = (0..=255).map(|byte: u8| listed(byte, u64::from(byte) + 1, Standing::Revoked));
    let mut reader = Reader::new();
    reader.counts(&by_root(0, opening(all.collect())));
    let mut seed = [0; 32];
    seed[0] = 1;
    let fresh = DeviceKey::from_seed(&seed);
    let accepted = Acceptance::sign(&fresh, NETWORK, root().id());
    let name = DeviceName::default();
    let one_more = DeviceCertificate::sign(&root(), NETWORK, &accepted, name, Validity::from(NOW), 257);
    reader.is_void(&by_root(1, Said::Addition(one_more)), Void::DevicesFull);
}

#[test]
fn the_history_tells_everything_that_happened_and_nothing_else() {
    let mut reader = Reader::opened();
    reader.counts(&by_device(1, 0, Said::Suspension(id(2))));
    reader.is_void(&by_device(2, 1, packages(b"p")), Void::Author(DeviceFault::Suspended));
    reader.counts(&by_root(1, Said::Lifting(id(2))));
    reader.counts(&by_device(2, 1, packages(b"p")));
    reader.counts(&by_root(2, Said::Addition(certificate(3, 3))));
    reader.counts(&by_root(3, Said::Addition(certificate(3, 4))));
    reader.counts(&by_root(4, move_of(&[2])));
    let (device, by) = (id(2), id(1));
    let expected = [
        (0, What::Opened { card: 0, devices: 2 }),
        (1, What::Suspended { device, by }),
        (3, What::Lifted { device }),
        (
            4,
            What::Published {
                device,
                number: 1,
                packages: 1,
            },
        ),
        (
            5,
            What::Added {
                device: id(3),
                sequence: 3,
            },
        ),
        (
            6,
            What::Renewed {
                device: id(3),
                sequence: 4,
            },
        ),
        (7, What::Revoked { device }),
        (7, What::Moved { to: next().log() }),
    ];
    let told: Vec<(u64, What)> = reader
        .card
        .history()
        .iter()
        .map(|one| (one.at.index, one.what))
        .collect();
    assert_eq!(told, expected);
    assert!(reader.card.history().iter().all(|one| one.at.time_ms == NOW));
}

#[test]
fn an_account_is_found_again_from_its_words_alone() {
    let mut reader = Reader::opened();
    reader.counts(&by_root(1, move_of(&[1, 2])));
    // On a new machine there is nothing but the words: card 0, and from there where it points.
    let recovered = AccountKey::from_entropy(&[7; 32]);
    let first = recovered.card_seed(NETWORK, 0);
    assert_eq!(first.keys(NETWORK).log(), reader.card.log());
    let second = recovered.card_seed(NETWORK, 1);
    assert_eq!(Some(&second.address(NETWORK)), reader.card.next());
    let devices = vec![
        listed(1, 1, Standing::Revoked),
        listed(2, 2, Standing::Revoked),
        listed(3, 3, Standing::Active),
    ];
    let said = Said::Opening(Opening {
        card: 1,
        previous: first.keys(NETWORK).log(),
        devices,
    });
    let log = second.keys(NETWORK).log();
    let mut card = Card::new(NETWORK, recovered.id(), log);
    let statement = Statement::sign(Signer::Root(&recovered), NETWORK, log, 0, said);
    let at = At { index: 0, time_ms: NOW };
    assert_eq!(card.apply(at, &statement), Ok(()));
    assert!(card.check(id(3), NOW).is_ok());
    assert_eq!(card.check(id(1), NOW).unwrap_err(), DeviceFault::Revoked);
}

#[test]
fn what_a_contact_remembers_is_what_the_card_says_once_it_is_open() {
    use crate::identity::change::{Change, Known, Sending, judge};
    let mut reader = Reader::new();
    assert_eq!(
        reader.card.keys(),
        None,
        "a card that is still to be opened has lost no device"
    );
    reader.counts(&by_root(
        0,
        opening(vec![listed(1, 1, Standing::Active), listed(2, 2, Standing::Active)]),
    ));
    let known = Known::compared(reader.card.keys().unwrap(), NOW);
    reader.counts(&by_device(1, 0, Said::Suspension(id(2))));
    reader.counts(&by_root(1, Said::Addition(certificate(3, 3))));
    let judgement = judge(&known, &reader.card.keys().unwrap());
    let mut expected = vec![Change::Suspended(id(2)), Change::Added(id(3))];
    expected.sort_unstable_by_key(|change| match change {
        Change::Suspended(device) | Change::Added(device) => *device,
        _ => id(1),
    });
    assert_eq!((judgement.changes, judgement.sending), (expected, Sending::Allowed));
}

/// What `limits.rs` says about them.
#[test]
fn the_largest_statements_fit_into_a_body() {
    use crate::limits::{KEY_PACKAGE_BYTES_MAX, KEY_PACKAGES_MAX};
    let mut largest = certificate(1, 1);
    largest.name = DeviceName::new("n".repeat(64)).unwrap();
    let devices = (0..CARD_DEVICES_MAX).map(|_| Listed {
        certificate: largest.clone(),
        standing: Standing::Revoked,
    });
    let package = KeyPackage::new(vec![1; usize::try_from(KEY_PACKAGE_BYTES_MAX).unwrap()]).unwrap();
    let packages = (0..KEY_PACKAGES_MAX).map(|_| package.clone()).collect();
    let (hash_keys, keys) = (
        waxwing_core::HashKeys::new(NETWORK),
        root().card_seed(NETWORK, 0).keys(NETWORK),
    );
    for statement in [
        by_root(0, opening(devices.collect())),
        by_device(1, 1, Said::KeyPackages(packages)),
    ] {
        let sealed = crate::identity::address::seal(&hash_keys, &keys, &statement, &mut |bytes| bytes.fill(1));
        assert!(sealed.is_ok());
    }
}

fn handed(to: &[u8]) -> Said {
    let mut seeds: Vec<SealedSeed> = to
        .iter()
        .map(|byte| SealedSeed::new(id(*byte), vec![*byte; 1168]).unwrap())
        .collect();
    seeds.sort_unstable_by_key(|seed| seed.device);
    Said::HandOver(seeds)
}

#[test]
fn the_seed_is_handed_over_by_devices_to_those_that_are_not_revoked() {
    let mut reader = Reader::opened();
    assert!(!reader.card.was_handed_to(id(2)));
    reader.is_void(&by_device(3, 1, handed(&[2])), Void::Author(DeviceFault::NotOnCard));
    reader.is_void(&by_root(1, handed(&[2])), Void::Author(DeviceFault::NotOnCard));
    reader.is_void(&by_device(1, 1, handed(&[2, 3])), Void::UnknownDevice);
    let mut forged = by_device(1, 1, handed(&[2])).to_bytes();
    *forged.last_mut().unwrap() ^= 1;
    reader.is_void(&Statement::from_bytes(&forged).unwrap(), Void::BadSignature);
    reader.counts(&by_device(1, 1, handed(&[2])));
    assert!(reader.card.was_handed_to(id(2)) && !reader.card.was_handed_to(id(1)));
    // Two devices may do it at once.
    reader.counts(&by_device(1, 1, handed(&[2])));
    reader.counts(&by_device(1, 0, Said::Suspension(id(2))));
    reader.is_void(&by_device(2, 1, handed(&[1])), Void::Author(DeviceFault::Suspended));
}

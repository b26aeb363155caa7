//! Cards: what counts on them, and every way in which a statement is void.
//!
//! Statements are assembled here a second time, from the specification alone: some are of a form that no honest program
//! makes.

use serde_json::{Value, json};
use waxwing_core::codec::{Encode, put_bytes, put_count};
use waxwing_core::envelope::{Anchor, EnvelopeHeader, KeepFor};
use waxwing_core::hash::{Hash, HashKeys};
use waxwing_core::keys::{LogId, LogKey};
use waxwing_seal::identity::statement::{KeyPackage, Listed, Move, Opening};
use waxwing_seal::identity::{CardSeed, Said, Signer, Standing, Statement, address};
use waxwing_seal::{DeviceKey, Sealed};

use crate::case::{Cases, hex};
use crate::identities::{FROM, NETWORK, Paper, root, root_key};

const ZEROS: [u8; 32] = [0; 32];
const ACTIVE: u8 = 0;
const SUSPENDED: u8 = 1;
const REVOKED: u8 = 2;

fn seed(number: u64) -> CardSeed {
    root().card_seed(NETWORK, number)
}

fn log() -> LogId {
    seed(0).keys(NETWORK).log()
}

fn id(seed: u8) -> [u8; 32] {
    DeviceKey::from_seed(&[seed; 32]).id().0
}

/// Who signs: all keys are ed25519.
fn key(seed: u8) -> LogKey {
    LogKey::from_seed(&[seed; 32])
}

/// A statement on card 0, from the specification.
fn statement(key: &LogKey, kind: u8, number: u64, said: &[u8]) -> String {
    statement_on(log(), key, kind, number, said)
}

fn statement_on(card: LogId, key: &LogKey, kind: u8, number: u64, said: &[u8]) -> String {
    let fields = [&[1, kind][..], key.public().as_bytes(), &number.to_be_bytes(), said].concat();
    let message = [b"waxwing v1 card statement", &NETWORK.0[..], &card.0, &fields].concat();
    hex([fields, key.sign(&message).0.to_vec()].concat())
}

fn opening_of(card: u64, previous: [u8; 32], devices: &[(Paper, u8)]) -> Vec<u8> {
    let mut said = [&card.to_be_bytes()[..], &previous].concat();
    put_count(&mut said, devices.len());
    for (paper, standing) in devices {
        said.extend(paper.bytes());
        said.push(*standing);
    }
    said
}

fn opening(devices: &[(u8, u64, u8)]) -> String {
    let papers = |(seed, sequence, standing): &(u8, u64, u8)| (Paper::of(*seed, *sequence), *standing);
    let devices: Vec<_> = devices.iter().map(papers).collect();
    statement(&root_key(), 1, 0, &opening_of(0, ZEROS, &devices))
}

/// Devices 1 and 2, both active.
fn two() -> String {
    opening(&[(1, 1, ACTIVE), (2, 2, ACTIVE)])
}

fn addition(number: u64, paper: &Paper) -> String {
    statement(&root_key(), 2, number, &paper.bytes())
}

fn lifting(number: u64, device: u8) -> String {
    statement(&root_key(), 3, number, &id(device))
}

fn move_to(number: u64, revoked: &[u8], next: &CardSeed) -> String {
    let mut ids: Vec<[u8; 32]> = revoked.iter().map(|device| id(*device)).collect();
    ids.sort_unstable();
    let mut said = Vec::new();
    put_count(&mut said, ids.len());
    said.extend(ids.concat());
    said.extend(next.address(NETWORK).to_bytes());
    statement(&root_key(), 4, number, &said)
}

fn suspension(by: u8, seen: u64, device: u8) -> String {
    statement(&key(by), 5, seen, &id(device))
}

fn packages(by: u8, number: u64, each: &[&[u8]]) -> String {
    let mut said = Vec::new();
    put_count(&mut said, each.len());
    each.iter().for_each(|package| put_bytes(&mut said, package));
    statement(&key(by), 6, number, &said)
}

fn given(before: &[String], statement: &str) -> Value {
    json!({"before": before, "statement": statement})
}

pub(crate) fn cases() -> Cases {
    let story = "Card 0 of the account 32 x e1 on the network 32 x aa; devices with seeds of one repeated byte.";
    let shared = json!({
        "network": hex(NETWORK.0),
        "account": hex(root_key().public().0),
        "log": hex(log().0),
        "address": hex(seed(0).address(NETWORK).to_bytes()),
        "time": FROM,
        "before": [],
    });
    let mut cases = Cases::new(story, shared);
    made_by_hand_and_by_the_code();
    counting(&mut cases);
    forms(&mut cases);
    authors(&mut cases);
    of_the_root(&mut cases);
    of_known_devices(&mut cases);
    of_devices(&mut cases);
    of_acting_devices(&mut cases);
    ended(&mut cases);
    standings(&mut cases);
    bodies(&mut cases);
    cases
}

fn made_by_hand_and_by_the_code() {
    let listed = |seed, sequence, standing| Listed {
        certificate: waxwing_core::codec::Decode::from_bytes(&Paper::of(seed, sequence).bytes()).unwrap(),
        standing,
    };
    let (root, device) = (root(), DeviceKey::from_seed(&[1; 32]));
    let by_root = |number, said| Statement::sign(Signer::Root(&root), NETWORK, log(), number, said);
    let by_device = |number, said| Statement::sign(Signer::Device(&device), NETWORK, log(), number, said);
    let opened = Said::Opening(Opening {
        card: 0,
        previous: LogId(ZEROS),
        devices: vec![listed(1, 1, Standing::Active), listed(2, 2, Standing::Active)],
    });
    let moved = Said::Move(Move {
        revoked: vec![waxwing_seal::DeviceId(id(2))],
        next: seed(1).address(NETWORK),
    });
    let package = KeyPackage::new(b"a key package".to_vec()).unwrap();
    for (made, by_hand) in [
        (by_root(0, opened), two()),
        (
            by_root(1, Said::Addition(listed(3, 3, Standing::Active).certificate)),
            addition(1, &Paper::of(3, 3)),
        ),
        (by_root(2, Said::Lifting(waxwing_seal::DeviceId(id(2)))), lifting(2, 2)),
        (by_root(1, moved), move_to(1, &[2], &seed(1))),
        (
            by_device(0, Said::Suspension(waxwing_seal::DeviceId(id(2)))),
            suspension(1, 0, 2),
        ),
        (
            by_device(1, Said::KeyPackages(vec![package])),
            packages(1, 1, &[b"a key package"]),
        ),
    ] {
        assert_eq!(hex(made.to_bytes()), by_hand);
    }
}

fn counting(cases: &mut Cases) {
    let mut accept = |name: &str, before: &[String], statement: &str| {
        cases.accept(name, "card", given(before, statement));
    };
    accept("an opening", &[], &two());
    let later = opening_of(4, [7; 32], &[(Paper::of(1, 3), REVOKED), (Paper::of(2, 9), SUSPENDED)]);
    accept(
        "the opening of a later card",
        &[],
        &statement(&root_key(), 1, 0, &later),
    );
    accept("an addition", &[two()], &addition(1, &Paper::of(3, 3)));
    accept("a newer certificate", &[two()], &addition(1, &Paper::of(2, 3)));
    accept("a suspension", &[two()], &suspension(1, 0, 2));
    accept("a lifting", &[two(), suspension(1, 0, 2)], &lifting(1, 2));
    let lifted = [two(), suspension(1, 0, 2), lifting(1, 2)];
    accept("suspended again after a lifting", &lifted, &suspension(1, 1, 2));
    accept("key packages", &[two()], &packages(1, 1, &[b"a key package"]));
    let published = [two(), packages(1, 3, &[b"a key package"])];
    accept("key packages withdrawn", &published, &packages(1, 4, &[]));
    accept("a move", &[two()], &move_to(1, &[2], &seed(1)));
    accept(
        "a move that leaves all behind",
        &[two()],
        &move_to(1, &[1, 2], &seed(1)),
    );
    accept("a move that leaves none behind", &[two()], &move_to(1, &[], &seed(1)));
}

/// Bytes that are no statement.
fn forms(cases: &mut Cases) {
    let good = crate::check::unhex(&packages(1, 1, &[b"a key package"]));
    cases.cut_and_extended("card statement", &good);
    let mut refuse =
        |rule: &str, name: &str, statement: &str| cases.refuse(rule, name, "card", given(&[two()], statement));
    let mut newer = good.clone();
    newer[0] = 2;
    refuse("Codec(WrongMagic)", "the version of a statement is 1", &hex(&newer));
    for kind in [0, 8] {
        let name = format!("there is no statement of kind {kind}");
        refuse("Codec(BadValue)", &name, &statement(&root_key(), kind, 1, &id(2)));
    }
    let said = |card, previous, devices: &[(Paper, u8)]| opening_of(card, previous, devices);
    let mut no_opening = |name: &str, number, said: &[u8]| {
        refuse("Codec(BadValue)", name, &statement(&root_key(), 1, number, said));
    };
    no_opening("an opening is number 0", 1, &said(0, ZEROS, &[]));
    no_opening("card 0 has none before it", 0, &said(0, [7; 32], &[]));
    no_opening("later cards have one before them", 0, &said(1, ZEROS, &[]));
    let papers = [(Paper::of(1, 2), ACTIVE), (Paper::of(2, 1), ACTIVE)];
    no_opening("devices are listed by their sequences", 0, &said(0, ZEROS, &papers));
    let papers = [(Paper::of(1, 1), ACTIVE), (Paper::of(1, 2), ACTIVE)];
    no_opening("a device is listed once", 0, &said(0, ZEROS, &papers));
    no_opening("there are three standings", 0, &said(0, ZEROS, &[(Paper::of(1, 1), 3)]));
    let mut many = said(0, ZEROS, &[]);
    many[40..].copy_from_slice(&257_u32.to_be_bytes());
    refuse(
        "Codec(TooLong)",
        "an opening lists at most 256 devices",
        &statement(&root_key(), 1, 0, &many),
    );
    refuse("Codec(BadValue)", "only an opening is number 0", &lifting(0, 2));
    refuse(
        "Codec(BadValue)",
        "key packages are numbered from 1",
        &packages(1, 0, &[]),
    );
    refuse("Codec(BadValue)", "a key package is not empty", &packages(1, 1, &[b""]));
    let nine: Vec<&[u8]> = vec![b"p"; 9];
    refuse(
        "Codec(TooLong)",
        "there are at most 8 key packages",
        &packages(1, 1, &nine),
    );
    let long = vec![0; 8193];
    refuse(
        "Codec(TooLong)",
        "a key package has at most 8192 bytes",
        &packages(1, 1, &[&long]),
    );
    let mut ids = [id(1), id(2)];
    ids.sort_unstable_by(|one, other| other.cmp(one));
    let mut unsorted = 2_u32.to_be_bytes().to_vec();
    unsorted.extend(ids.concat());
    unsorted.extend(seed(1).address(NETWORK).to_bytes());
    let unsorted = statement(&root_key(), 4, 1, &unsorted);
    refuse("Codec(BadValue)", "revoked devices ascend", &unsorted);
}

/// Who may say what, and that he said it here.
fn authors(cases: &mut Cases) {
    let mut refuse = |rule: &str, name: &str, before: &[String], statement: &str| {
        cases.refuse(rule, name, "card", given(before, statement));
    };
    let foreign = key(0x55);
    let theirs = statement(&foreign, 1, 0, &opening_of(0, ZEROS, &[]));
    refuse("RootOnly", "the account opens its card", &[], &theirs);
    let by_device = statement(&key(1), 2, 1, &Paper::of(3, 3).bytes());
    refuse("RootOnly", "the account adds devices", &[two()], &by_device);
    refuse(
        "RootOnly",
        "the account lifts",
        &[two()],
        &statement(&key(1), 3, 1, &id(2)),
    );
    refuse(
        "Author(NotOnCard)",
        "devices suspend, strangers do not",
        &[two()],
        &suspension(3, 0, 2),
    );
    refuse(
        "Author(NotOnCard)",
        "devices publish, the account does not",
        &[two()],
        &statement(&root_key(), 6, 1, &[0; 4]),
    );
    let elsewhere = statement_on(LogId([9; 32]), &root_key(), 3, 1, &id(2));
    let suspended = [two(), suspension(1, 0, 2)];
    refuse("BadSignature", "a statement is for one card", &suspended, &elsewhere);
    let mut altered = crate::check::unhex(&packages(1, 1, &[b"a key package"]));
    altered[60] ^= 1;
    refuse("BadSignature", "a device signs what it says", &[two()], &hex(&altered));
}

fn of_the_root(cases: &mut Cases) {
    let mut refuse = |rule: &str, name: &str, before: &[String], statement: &str| {
        cases.refuse(rule, name, "card", given(before, statement));
    };
    let third = Paper::of(3, 3);
    refuse(
        "OutOfTurn { expected: 0 }",
        "a card is opened first",
        &[],
        &addition(1, &third),
    );
    refuse("OutOfTurn { expected: 1 }", "a card is opened once", &[two()], &two());
    refuse(
        "OutOfTurn { expected: 1 }",
        "statements of the root have no gap",
        &[two()],
        &addition(2, &third),
    );
    let added = [two(), addition(1, &third)];
    refuse(
        "OutOfTurn { expected: 2 }",
        "statements of the root count once",
        &added,
        &addition(1, &third),
    );
    let mut with = |rule: &str, name: &str, change: fn(&mut Paper)| {
        let mut paper = Paper::of(3, 3);
        change(&mut paper);
        refuse(rule, name, &[two()], &addition(1, &paper));
    };
    with("OldCertificate", "certificates have rising sequences", |paper| {
        paper.sequence = 2
    });
    with("Certificate(Expired)", "what is added has not expired", |paper| {
        (paper.from, paper.until) = (1, FROM);
    });
    with("Certificate(NotYetValid)", "what is added has begun", |paper| {
        paper.from = FROM + 86_400_001;
    });
    let mut forged = Paper::of(3, 3).bytes();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let forged = statement(&root_key(), 2, 1, &forged);
    refuse(
        "Certificate(BadSignature)",
        "what is added is certified",
        &[two()],
        &forged,
    );
}

/// What the root says about devices that there are, or are not.
fn of_known_devices(cases: &mut Cases) {
    let mut refuse = |rule: &str, name: &str, before: &[String], statement: &str| {
        cases.refuse(rule, name, "card", given(before, statement));
    };
    let sixteen: Vec<(u8, u64, u8)> = (1..=16).map(|seed: u8| (seed, seed.into(), ACTIVE)).collect();
    refuse(
        "DevicesFull",
        "an account has at most 16 devices",
        &[opening(&sixteen)],
        &addition(1, &Paper::of(17, 17)),
    );
    let gone = opening(&[(1, 1, ACTIVE), (2, 2, REVOKED)]);
    let gone = &[gone];
    refuse(
        "AlreadyRevoked",
        "a revoked device stays revoked",
        gone,
        &addition(1, &Paper::of(2, 3)),
    );
    refuse(
        "AlreadyRevoked",
        "a device is revoked once",
        gone,
        &move_to(1, &[1, 2], &seed(1)),
    );
    refuse(
        "UnknownDevice",
        "what is revoked is on the card",
        gone,
        &move_to(1, &[3], &seed(1)),
    );
    refuse("UnknownDevice", "what is lifted is on the card", gone, &lifting(1, 3));
    refuse("NotSuspended", "what is lifted is suspended", gone, &lifting(1, 1));
    refuse("SameCard", "a card moves to another", gone, &move_to(1, &[], &seed(0)));
}

fn of_devices(cases: &mut Cases) {
    let mut refuse = |rule: &str, name: &str, before: &[String], statement: &str| {
        cases.refuse(rule, name, "card", given(before, statement));
    };
    let suspended = [two(), suspension(1, 0, 2)];
    refuse(
        "Author(Suspended)",
        "a suspended device does not suspend",
        &suspended,
        &suspension(2, 0, 1),
    );
    refuse(
        "Author(Suspended)",
        "a suspended device does not publish",
        &suspended,
        &packages(2, 1, &[]),
    );
    refuse(
        "AlreadySuspended",
        "a device is suspended once",
        &suspended,
        &suspension(1, 0, 2),
    );
    let gone = [opening(&[(1, 1, ACTIVE), (2, 2, REVOKED)])];
    refuse(
        "Author(Revoked)",
        "a revoked device does not publish",
        &gone,
        &packages(2, 1, &[]),
    );
    refuse(
        "AlreadyRevoked",
        "a revoked device is not suspended",
        &gone,
        &suspension(1, 0, 2),
    );
}

fn of_acting_devices(cases: &mut Cases) {
    let mut refuse = |rule: &str, name: &str, before: &[String], statement: &str| {
        cases.refuse(rule, name, "card", given(before, statement));
    };
    refuse("Itself", "a device suspends another", &[two()], &suspension(1, 0, 1));
    refuse(
        "UnknownDevice",
        "what is suspended is on the card",
        &[two()],
        &suspension(1, 0, 3),
    );
    refuse(
        "Premature",
        "a suspension names what the root has said",
        &[two()],
        &suspension(1, 1, 2),
    );
    let lifted = [two(), suspension(1, 0, 2), lifting(1, 2)];
    refuse(
        "Outdated",
        "a suspension is not said again after a lifting",
        &lifted,
        &suspension(1, 0, 2),
    );
    let published = [two(), packages(1, 2, &[b"newer"])];
    refuse(
        "Replayed",
        "older key packages do not replace newer ones",
        &published,
        &packages(1, 1, &[b"older"]),
    );
    let mut short = Paper::of(1, 1);
    short.until = FROM + 1;
    let short = statement(&root_key(), 1, 0, &opening_of(0, ZEROS, &[(short, ACTIVE)]));
    let mut late = given(&[short], &packages(1, 1, &[]));
    late["later"] = json!(1);
    cases.refuse(
        "Author(Time(Expired))",
        "an expired device does not publish",
        "card",
        late,
    );
}

fn ended(cases: &mut Cases) {
    let moved = [two(), move_to(1, &[2], &seed(1))];
    for (name, statement) in [
        ("after a move the root says nothing", addition(2, &Paper::of(3, 3))),
        ("the first move counts", move_to(2, &[], &seed(2))),
        ("after a move devices say nothing", packages(1, 1, &[])),
    ] {
        cases.refuse("Moved", name, "card", given(&moved, &statement));
    }
}

fn standings(cases: &mut Cases) {
    let given = |before: &[String], device: u8| json!({"before": before, "device": hex(id(device))});
    let all = [opening(&[(1, 1, ACTIVE), (2, 2, SUSPENDED), (3, 3, REVOKED)])];
    cases.accept("a device that speaks", "device", given(&all, 1));
    cases.refuse(
        "Suspended",
        "a suspended device does not speak",
        "device",
        given(&all, 2),
    );
    cases.refuse("Revoked", "a revoked device does not speak", "device", given(&all, 3));
    cases.refuse("NotOnCard", "a device is on the card", "device", given(&all, 4));
    let mut early = given(&all, 1);
    early["time"] = json!(FROM - 86_400_001);
    cases.refuse(
        "Time(NotYetValid)",
        "a device speaks from its start on",
        "device",
        early,
    );
}

fn entry(sealed: &Sealed) -> (EnvelopeHeader, Value) {
    let header = sealed.header(Anchor {
        height: 64,
        id: Hash([0xd1; 32]),
    });
    let given = json!({"header": hex(header.to_bytes()), "body": hex(&sealed.body)});
    (header, given)
}

fn bodies(cases: &mut Cases) {
    let (keys, card) = (HashKeys::new(NETWORK), seed(0).keys(NETWORK));
    let device = DeviceKey::from_seed(&[1; 32]);
    let said = Said::KeyPackages(vec![KeyPackage::new(b"a key package".to_vec()).unwrap()]);
    let statement = Statement::sign(Signer::Device(&device), NETWORK, log(), 1, said);
    let sealed = address::seal(&keys, &card, &statement, &mut |bytes| bytes.fill(0xc3)).unwrap();
    let (header, good) = entry(&sealed);
    cases.accept("the body of a statement", "card body", good.clone());
    let mut refuse = |rule: &str, name: &str, given: Value| cases.refuse(rule, name, "card body", given);
    let with = |change: fn(&mut EnvelopeHeader)| {
        let (mut header, mut given) = (header.clone(), good.clone());
        change(&mut header);
        given["header"] = json!(hex(header.to_bytes()));
        given
    };
    refuse(
        "Seal(WrongLog)",
        "a body is opened for its own card",
        with(|header| header.log = LogId([9; 32])),
    );
    refuse(
        "Erasable",
        "statements cannot be erased",
        with(|header| header.erasure.0[0] ^= 1),
    );
    refuse(
        "Erasable",
        "statements do not expire",
        with(|header| header.keep_for = KeepFor::Week),
    );
    let mut flipped = good.clone();
    let mut body = sealed.body.clone();
    body[300] ^= 1;
    flipped["body"] = json!(hex(body));
    refuse("Seal(SealBroken)", "no byte of a statement is altered", flipped);
    let channel = waxwing_seal::Sealer::new(keys, card, device, waxwing_seal::StandIn::new());
    refuse(
        "Malformed(BadValue)",
        "a card holds statements alone",
        entry(&message(channel)).1,
    );
}

/// A message of a channel, sealed with the keys of a card: its second byte is that of a device and no kind.
fn message(mut sealer: waxwing_seal::Sealer<waxwing_seal::StandIn>) -> Sealed {
    use waxwing_seal::{Content, Keeping, Kind, View};
    let mut chance = |bytes: &mut [u8]| bytes.fill(0xc3);
    let kind = Kind::Text(waxwing_seal::content::Words::new("hello").unwrap());
    let view = View::empty_log(64, Hash([0xd1; 32]));
    let name = waxwing_seal::content::Name::new("Ada").unwrap();
    let content = Content::new(&mut chance, FROM, name, view, kind);
    sealer.seal(&content, Keeping::Stays, &mut chance).unwrap()
}

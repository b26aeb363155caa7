//! Who somebody is: phrases, the keys of cards, certificates, and what two people compare.
//!
//! Certificates and codes are assembled here a second time, from the specification alone; they must be what the code
//! makes, byte for byte.

use serde_json::{Value, json};
use waxwing_core::codec::Encode;
use waxwing_core::hash::{Hash, HashKeys, Meaning};
use waxwing_core::keys::{LogKey, Signature};
use waxwing_seal::DeviceKey;
use waxwing_seal::identity::certificate::{DeviceName, Validity};
use waxwing_seal::identity::{Acceptance, AccountId, AccountKey, DeviceCertificate, Keys, Known, Phrase, Standing};

use crate::case::{Cases, hex};

pub(crate) const NETWORK: Hash = Hash([0xaa; 32]);
pub(crate) const ENTROPY: [u8; 32] = [0xe1; 32];
pub(crate) const FROM: u64 = 1_700_000_000_000;
const DAY: u64 = 86_400_000;

pub(crate) fn root() -> AccountKey {
    Phrase::from_entropy(&ENTROPY).account()
}

/// The root key, from the specification: ed25519 like all others.
pub(crate) fn root_key() -> LogKey {
    LogKey::from_seed(&blake3::derive_key("waxwing v1 account root key", &ENTROPY))
}

/// A certificate, from the specification.
#[derive(Clone)]
pub(crate) struct Paper {
    pub(crate) seed: u8,
    pub(crate) name: &'static [u8],
    pub(crate) from: u64,
    pub(crate) until: u64,
    pub(crate) sequence: u64,
}

impl Paper {
    /// Certificate number `sequence`, for the device with the seed of these bytes.
    pub(crate) const fn of(seed: u8, sequence: u64) -> Self {
        Self {
            seed,
            name: b"phone",
            from: FROM,
            until: u64::MAX,
            sequence,
        }
    }

    pub(crate) fn acceptance(&self, account: &[u8; 32]) -> Signature {
        let message = [b"waxwing v1 device acceptance", &NETWORK.0[..], account].concat();
        DeviceKey::from_seed(&[self.seed; 32]).sign(&message)
    }

    /// The fields that the root signs, with this acceptance.
    fn fields(&self, acceptance: &Signature) -> Vec<u8> {
        let device = DeviceKey::from_seed(&[self.seed; 32]).id();
        let mut bytes = [&[1][..], root_key().public().as_bytes(), &device.0].concat();
        waxwing_core::codec::put_bytes(&mut bytes, self.name);
        for number in [self.from, self.until, self.sequence] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(acceptance.0);
        bytes
    }

    fn signed(&self, acceptance: &Signature) -> Vec<u8> {
        let fields = self.fields(acceptance);
        let message = [b"waxwing v1 device certificate", &NETWORK.0[..], &fields].concat();
        [fields, root_key().sign(&message).0.to_vec()].concat()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.signed(&self.acceptance(root_key().public().as_bytes()))
    }
}

pub(crate) fn cases() -> Cases {
    let story = "An account of 256 bits 32 x e1, network 32 x aa; devices with seeds of one repeated byte.";
    let account = hex(root_key().public().0);
    let shared = json!({"network": hex(NETWORK.0), "entropy": hex(ENTROPY), "account": account, "time": FROM});
    let mut cases = Cases::new(story, shared);
    phrases(&mut cases);
    card_keys(&mut cases);
    certificates(&mut cases);
    safety_numbers(&mut cases);
    codes(&mut cases);
    emoji(&mut cases);
    changes(&mut cases);
    cases
}

fn phrases(cases: &mut Cases) {
    let words: Vec<&str> = Phrase::from_entropy(&ENTROPY).words().collect();
    let given = |words: &[&str]| json!({"words": words.join(" ")});
    cases.accept("a phrase", "phrase", given(&words));
    cases.accept(
        "the smallest phrase",
        "phrase",
        json!({"words": format!("{}art", "abandon ".repeat(23))}),
    );
    let loud = words.join("\n  ").to_uppercase();
    cases.accept("in capitals, one word a line", "phrase", json!({"words": loud}));
    let with = |place: usize, word| {
        let mut other = words.clone();
        other[place] = word;
        given(&other)
    };
    let mut refuse = |rule: &str, name: &str, given: Value| cases.refuse(rule, name, "phrase", given);
    refuse(
        "WrongCount { found: 23 }",
        "a phrase has 24 words and not 23",
        given(&words[..23]),
    );
    refuse(
        "WrongCount { found: 12 }",
        "a phrase has 24 words and not 12",
        given(&words[..12]),
    );
    refuse(
        "UnknownWord { position: 7 }",
        "every word is on the list",
        with(6, "abandonn"),
    );
    refuse("WrongChecksum", "the last word holds the checksum", with(23, "zoo"));
    let mut swapped = words.clone();
    swapped.swap(22, 23);
    refuse("WrongChecksum", "words have an order", given(&swapped));
    let long = "a".repeat(1025);
    refuse(
        "TooLong",
        "a phrase has at most 1024 characters",
        json!({"words": long}),
    );
}

fn card_keys(cases: &mut Cases) {
    cases.accept("card 0", "card keys", json!({"number": 0}));
    cases.accept("card 1", "card keys", json!({"number": 1}));
    let elsewhere = json!({"number": 0, "network": hex([0xab; 32])});
    cases.accept("card 0 on another network", "card keys", elsewhere);
}

fn certificates(cases: &mut Cases) {
    let paper = Paper::of(1, 1);
    let account = root_key().public().0;
    let accepted = Acceptance::sign(&DeviceKey::from_seed(&[1; 32]), NETWORK, AccountId(account));
    assert_eq!(accepted.signature, paper.acceptance(&account), "accepted by hand");
    let name = DeviceName::new("phone").unwrap();
    let made = DeviceCertificate::sign(&root(), NETWORK, &accepted, name, Validity::from(FROM), 1);
    assert_eq!(made.to_bytes(), paper.bytes(), "certified by hand");
    let given = |bytes: &[u8]| json!({"bytes": hex(bytes)});
    let good = accepted.to_bytes();
    cases.accept("a device accepts an account", "acceptance", given(&good));
    cases.cut_and_extended("acceptance", &good);
    let mut other = given(&good);
    other["account"] = json!(hex([9; 32]));
    cases.refuse("BadSignature", "an acceptance is for one account", "acceptance", other);
    refused_certificates(cases);
}

fn refused_certificates(cases: &mut Cases) {
    let paper = Paper::of(1, 1);
    let given = |bytes: &[u8]| json!({"bytes": hex(bytes)});
    let good = paper.bytes();
    cases.accept("a certificate", "certificate", given(&good));
    cases.cut_and_extended("device certificate", &good);
    let mut refuse = |rule: &str, name: &str, bytes: &[u8]| cases.refuse(rule, name, "certificate", given(bytes));
    let with = |change: fn(&mut Paper)| {
        let mut other = Paper::of(1, 1);
        change(&mut other);
        other.bytes()
    };
    let mut newer = good.clone();
    newer[0] = 2;
    refuse("Codec(WrongMagic)", "the version of a certificate is 1", &newer);
    refuse("Codec(BadValue)", "sequences start at 1", &with(|one| one.sequence = 0));
    refuse(
        "Codec(BadValue)",
        "it ends after its start",
        &with(|one| one.until = FROM),
    );
    refuse(
        "Codec(BadValue)",
        "the name of a device is UTF-8",
        &with(|one| one.name = &[0xff]),
    );
    refuse(
        "Codec(TooLong)",
        "the name of a device has at most 64 bytes",
        &with(|one| one.name = &[b'a'; 65]),
    );
    let mut renamed = good.clone();
    renamed[69] ^= 1;
    refuse("BadSignature", "the root signs every field", &renamed);
    let stolen = paper.signed(&paper.acceptance(&[9; 32]));
    refuse("NotAccepted", "the device accepts the account", &stolen);
    refuse(
        "Expired",
        "a certificate ends",
        &with(|one| (one.from, one.until) = (1, FROM)),
    );
    refuse(
        "NotYetValid",
        "a certificate starts at most a day later",
        &with(|one| one.from = FROM + DAY + 1),
    );
    let day_early = given(&with(|one| one.from = FROM + DAY));
    cases.accept("a clock that was a day fast", "certificate", day_early);
    let mut other = given(&good);
    other["account"] = json!(hex([9; 32]));
    cases.refuse("WrongAccount", "a certificate is of one account", "certificate", other);
    let mut other = given(&good);
    other["network"] = json!(hex([0xab; 32]));
    cases.refuse("BadSignature", "a certificate is of one network", "certificate", other);
}

const ADA: [u8; 32] = [0x01; 32];
const BOB: [u8; 32] = [0x02; 32];

/// 30 digits of an account, from the specification.
fn thirty(account: &[u8; 32]) -> Vec<String> {
    let fingerprint = HashKeys::new(NETWORK).hash(Meaning::SafetyNumber, account);
    let groups = fingerprint.0.chunks(5).take(6);
    let digits = |five: &[u8]| five.iter().fold(0_u64, |number, byte| number * 256 + u64::from(*byte)) % 100_000;
    groups.map(|five| format!("{:05}", digits(five))).collect()
}

/// The code that `shown_by` shows to `meant_for`, from the specification.
fn code(shown_by: &[u8; 32], meant_for: &[u8; 32]) -> Vec<u8> {
    let keys = HashKeys::new(NETWORK);
    let of = |account: &[u8; 32]| keys.hash(Meaning::SafetyNumber, account).0;
    let said = [b"WXSN\x01", &of(shown_by)[..], &of(meant_for)].concat();
    let sum = blake3::derive_key("waxwing v1 safety number checksum", &said);
    [said, sum[..4].to_vec()].concat()
}

fn safety_numbers(cases: &mut Cases) {
    let given = |own: [u8; 32], other: [u8; 32]| json!({"own": hex(own), "other": hex(other)});
    cases.accept("a safety number", "safety number", given(ADA, BOB));
    cases.accept("the same seen from the other side", "safety number", given(BOB, ADA));
    let mut elsewhere = given(ADA, BOB);
    elsewhere["network"] = json!(hex([0xab; 32]));
    cases.accept("the same two on another network", "safety number", elsewhere);
    let keys = HashKeys::new(NETWORK);
    let number = waxwing_seal::identity::SafetyNumber::new(&keys, AccountId(BOB), AccountId(ADA));
    let by_hand = [thirty(&ADA), thirty(&BOB)].concat().join(" ");
    assert_eq!(number.digits(), by_hand, "the lower account first");
    assert_eq!(number.code().to_vec(), code(&BOB, &ADA), "coded by hand");
}

fn codes(cases: &mut Cases) {
    let given = |code: &[u8]| json!({"own": hex(ADA), "other": hex(BOB), "code": hex(code)});
    let good = code(&BOB, &ADA);
    cases.accept("the other's code", "scan", given(&good));
    let mut refuse = |rule: &str, name: &str, code: &[u8]| cases.refuse(rule, name, "scan", given(code));
    refuse("OwnCode", "nobody compares with himself", &code(&ADA, &BOB));
    refuse("OtherPerson", "the code is the other's", &code(&[3; 32], &ADA));
    refuse(
        "OtherPerson",
        "the code is meant for this account",
        &code(&BOB, &[3; 32]),
    );
    refuse("Damaged", "a code is read whole", &good[..72]);
    refuse("Damaged", "a code has nothing behind it", &[&good[..], &[0]].concat());
    let mut misread = good.clone();
    misread[20] ^= 1;
    refuse("Damaged", "a code has a checksum", &misread);
    refuse("Damaged", "a code starts with WXSN", b"https://example.org/");
    let mut newer = good.clone();
    newer[4] = 2;
    refuse("Newer(2)", "the version of a code is 1", &newer);
    let mut elsewhere = given(&good);
    elsewhere["network"] = json!(hex([0xab; 32]));
    cases.refuse("OtherPerson", "a code is of one network", "scan", elsewhere);
}

fn emoji(cases: &mut Cases) {
    let given = json!({
        "began": hex(ADA), "answers": hex(BOB), "first": hex([0xf1; 32]), "second": hex([0xf2; 32]),
    });
    cases.accept("seven emoji", "emoji", given.clone());
    let mut other = given.clone();
    other["began"] = json!(hex(BOB));
    other["answers"] = json!(hex(ADA));
    cases.accept("seven emoji that the other began", "emoji", other);
    let mut elsewhere = given.clone();
    elsewhere["network"] = json!(hex([0xab; 32]));
    cases.accept("seven emoji on another network", "emoji", elsewhere);
    let mut changed = given;
    changed["revealed"] = json!(hex([0xf3; 32]));
    cases.refuse(
        "BrokenCommitment",
        "the number revealed is the one promised",
        "emoji",
        changed,
    );
}

fn keys(account: u8, card: u64, devices: &[(u8, u64, Standing)]) -> Keys {
    use waxwing_seal::identity::change::SeenDevice;
    let seen = |(id, sequence, standing): &(u8, u64, Standing)| {
        let device = SeenDevice {
            sequence: *sequence,
            standing: *standing,
        };
        (waxwing_seal::DeviceId([*id; 32]), device)
    };
    Keys {
        account: AccountId([account; 32]),
        card,
        devices: devices.iter().map(seen).collect(),
    }
}

fn changes(cases: &mut Cases) {
    use Standing::{Active, Revoked, Suspended};
    let before = keys(1, 3, &[(1, 5, Active), (2, 6, Revoked), (3, 7, Suspended)]);
    let good = Known::compared(before.clone(), FROM).to_bytes();
    cases.cut_and_extended("known keys", &good);
    let table = [
        ("nothing changed", before.clone()),
        (
            "a device more, one lifted",
            keys(1, 3, &[(1, 5, Active), (2, 6, Revoked), (3, 7, Active), (4, 8, Active)]),
        ),
        (
            "a device revoked, on the next card",
            keys(1, 4, &[(1, 5, Revoked), (2, 6, Revoked), (3, 8, Suspended)]),
        ),
        ("another account", keys(9, 0, &[(4, 1, Active)])),
        (
            "a revoked device back",
            keys(1, 4, &[(1, 5, Active), (2, 6, Active), (3, 7, Suspended)]),
        ),
        (
            "a device gone without a trace",
            keys(1, 4, &[(1, 5, Active), (2, 6, Revoked)]),
        ),
        (
            "an older card",
            keys(1, 2, &[(1, 4, Active), (2, 6, Revoked), (3, 7, Suspended)]),
        ),
    ];
    for (name, now) in table {
        for (known, how) in [
            (Known::compared(before.clone(), FROM), "compared"),
            (Known::new(before.clone()), "never compared"),
        ] {
            let given = json!({"known": hex(known.to_bytes()), "keys": hex(now.to_bytes())});
            cases.accept(&format!("{name}: {how}"), "key change", given);
        }
    }
}

//! The inside of an envelope: epoch keys, the outer seal, the stand-in layer, contents, invitations.
//!
//! The bodies are sealed here a second time, from the specification alone, so that bodies can be made that sealing never
//! makes; the sound ones must be what the code makes, byte for byte.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::{AeadInOut as _, KeyInit as _, XChaCha20Poly1305, XNonce};
use serde_json::{Value, json};
use waxwing_core::codec::Encode;
use waxwing_core::envelope::{Anchor, EnvelopeHeader, KeepFor};
use waxwing_core::hash::{Hash, HashKeys, Meaning};
use waxwing_core::keys::LogId;
use waxwing_seal::content::{EraseSalt, Meant, Mention, Past, Receipt, Text, Told, Unknown, Watermark, Words};
use waxwing_seal::identity::AccountId;
use waxwing_seal::{
    ChannelSecret, Content, ContentId, DeviceKey, EpochKeys, Keeping, Kind, Sealed, Sealer, StandIn, View,
};

use crate::case::{Cases, hex};
use crate::check_seal::seal_key;

const NETWORK: Hash = Hash([0xaa; 32]);
const DEVICE: [u8; 32] = [0xbb; 32];
const SALT: [u8; 16] = [0xc2; 16];
const NONCE: [u8; 24] = [0xc3; 24];

fn secret() -> [u8; 32] {
    core::array::from_fn(|place| u8::try_from(place).unwrap())
}

fn epoch() -> EpochKeys {
    ChannelSecret::from_bytes(secret()).epoch_keys(NETWORK, 0)
}

fn content_of(kind: Kind) -> Content {
    Content {
        id: ContentId([0xc1; 16]),
        time_ms: 1_700_000_000_000,
        name: Text::new("Ada").unwrap(),
        salt: EraseSalt(SALT),
        view: View::empty_log(64, Hash([0xd1; 32])),
        kind,
    }
}

fn hello() -> Content {
    content_of(Kind::Text(Words::new("hello").unwrap()))
}

/// What the stand-in says about a content, from the specification.
struct Hand {
    counter: u64,
    erasure: Hash,
    keep_for: u32,
    content: Vec<u8>,
}

impl Hand {
    fn claim(&self) -> Vec<u8> {
        let device = DeviceKey::from_seed(&DEVICE).id();
        [
            &device.0[..],
            &self.counter.to_be_bytes(),
            &self.erasure.0,
            &self.keep_for.to_be_bytes(),
        ]
        .concat()
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let log = epoch().log();
        let start = [b"waxwing v1 device message", &NETWORK.0[..], &log.0].concat();
        [start, self.claim(), self.content.clone()].concat()
    }

    fn message(&self) -> Vec<u8> {
        let signature = DeviceKey::from_seed(&DEVICE).sign(&self.signed_bytes());
        [&[1][..], &self.claim(), &signature.0, &self.content].concat()
    }
}

/// The outer seal, from the specification, around any text whatever.
fn seal(text: &[u8]) -> Vec<u8> {
    let key = seal_key(&secret(), &NETWORK.0, 0);
    let associated = [b"waxwing v1 outer seal", &NETWORK.0[..], &epoch().log().0].concat();
    let mut sealed = text.to_vec();
    let tag = XChaCha20Poly1305::new(&key.into())
        .encrypt_inout_detached(&XNonce::from(NONCE), &associated, sealed.as_mut_slice().into())
        .unwrap();
    [&NONCE[..], &sealed, &tag].concat()
}

/// Length, message, zeros up to this size of the whole body.
fn padded(message: &[u8], body: usize) -> Vec<u8> {
    let mut text = u32::try_from(message.len()).unwrap().to_be_bytes().to_vec();
    text.extend(message);
    text.resize(body - 40, 0);
    text
}

fn entry(body: &[u8], erasure: Hash, keep_for: KeepFor) -> Value {
    let keys = HashKeys::new(NETWORK);
    let header = EnvelopeHeader {
        body_length: u32::try_from(body.len()).unwrap(),
        log: epoch().log(),
        anchor: Anchor {
            height: 64,
            id: Hash([0xd1; 32]),
        },
        body_hash: keys.hash(Meaning::Body, body),
        erasure,
        keep_for,
        nonce: 0,
    };
    json!({"header": hex(header.to_bytes()), "body": hex(body)})
}

/// What the code seals, with the nonce of the specification.
fn sealed(content: &Content, keeping: Keeping) -> Sealed {
    let device = DeviceKey::from_seed(&DEVICE);
    let mut sealer = Sealer::new(HashKeys::new(NETWORK), epoch(), device, StandIn::new());
    sealer
        .seal(content, keeping, &mut |bytes| bytes.copy_from_slice(&NONCE))
        .unwrap()
}

fn entry_of(sealed: &Sealed) -> Value {
    entry(&sealed.body, sealed.erasure, sealed.keep_for)
}

pub(crate) fn cases() -> Cases {
    let story = "A channel: secret 00 to 1f, network 32 x aa, device seed 32 x bb, nonce 24 x c3.";
    let shared = json!({"secret": hex(secret()), "network": hex(NETWORK.0), "epoch": 0});
    let mut cases = Cases::new(story, shared);
    cases.accept("epoch 0", "epoch keys", json!({}));
    cases.accept("epoch 1", "epoch keys", json!({"epoch": 1}));
    cases.accept("another network", "epoch keys", json!({"network": hex([0xab; 32])}));
    let given = json!({"device seed": hex(DEVICE), "log": hex(epoch().log().0), "salt": hex(SALT)});
    cases.accept("what erases a message", "erasure secret", given);
    contents(&mut cases);
    bodies(&mut cases);
    refused_bodies(&mut cases);
    refused_claims(&mut cases);
    counters(&mut cases);
    invitations(&mut cases);
    cases
}

fn contents(cases: &mut Cases) {
    let to = ContentId([0xc9; 16]);
    let body = || Words::new("hello").unwrap();
    let emoji = Text::new("🐦").unwrap();
    let kinds = [
        ("a text", Kind::Text(body())),
        ("a reply", Kind::Reply { to, body: body() }),
        ("a reaction", Kind::Reaction { to, emoji }),
        ("an edit", Kind::Edit { of: to, body: body() }),
        ("a retraction", Kind::Retraction { of: to }),
        (
            "a kind of a later version",
            Kind::Unknown(Unknown::new(999, vec![1, 2, 3]).unwrap()),
        ),
        ("a text that means two", meaning_two()),
        ("a receipt", Kind::Receipt(receipt())),
        ("a history", Kind::History(past())),
        ("a receipt for the view alone", Kind::Receipt(Receipt::default())),
        (
            "a timer",
            Kind::Timer {
                keep_for: KeepFor::Week,
            },
        ),
    ];
    for (name, kind) in kinds {
        let given = json!({"bytes": hex(content_of(kind).to_bytes())});
        cases.accept(name, "content", given);
    }
    refused_contents(cases);
    broken_kinds(cases);
}

fn refused_contents(cases: &mut Cases) {
    let good = hello().to_bytes();
    cases.cut_and_extended("content", &good);
    let mut refuse = |rule: &str, name: &str, place: usize, with: &[u8]| {
        let mut other = good.clone();
        other[place..place + with.len()].copy_from_slice(with);
        cases.refuse(rule, name, "content", json!({"bytes": hex(other)}));
    };
    refuse("Codec(WrongMagic)", "the version of a content is 1", 0, &[2]);
    refuse(
        "Codec(TooLong)",
        "a name has at most 128 bytes",
        25,
        &129_u32.to_be_bytes(),
    );
    refuse("Codec(BadValue)", "a name is UTF-8", 29, &[0xff]);
    let kind = good.len() - 15;
    refuse("Codec(BadValue)", "kind 0 is none", kind, &[0, 0]);
    refuse(
        "Codec(TooLong)",
        "a payload has at most 523264 bytes",
        kind + 2,
        &523_265_u32.to_be_bytes(),
    );
    refuse(
        "Codec(TooLong)",
        "a text has at most 65536 bytes",
        kind + 6,
        &65_537_u32.to_be_bytes(),
    );
    refuse(
        "Codec(Truncated)",
        "behind a text stand mentions or nothing",
        kind + 6,
        &4_u32.to_be_bytes(),
    );
}

/// "hi @Ada and @Ben", with a device behind the first name and an account behind the second.
fn meaning_two() -> Kind {
    let mention = |begin, who| Mention { begin, length: 4, who };
    let mentions = vec![
        mention(3, Meant::Device(DeviceKey::from_seed(&DEVICE).id())),
        mention(12, Meant::Account(AccountId([0xac; 32]))),
    ];
    let words = Words::new("hi @Ada and @Ben").unwrap();
    Kind::Text(words.meaning(mentions).unwrap())
}

fn past() -> Past {
    let told = Told {
        id: ContentId([0xc9; 16]),
        device: DeviceKey::from_seed(&DEVICE).id(),
        account: AccountId([0xac; 32]),
        written_ms: 1_700_000_000_000,
        ordered_ms: 1_700_000_000_100,
        is_edited: true,
        name: Text::new("Ada").unwrap(),
        kind: Kind::Text(Words::new("hello").unwrap()),
    };
    Past::new(7, (0, 1), vec![told]).unwrap()
}

fn receipt() -> Receipt {
    let mark = |log, delivered, read| Watermark {
        log: LogId(log),
        delivered,
        read,
    };
    Receipt::new(vec![mark(epoch().log().0, 12, 9), mark([0xdd; 32], 700, 700)]).unwrap()
}

/// Payloads of kinds with more than a text that break a rule each.
fn broken_kinds(cases: &mut Cases) {
    let mut refuse = |rule: &str, name: &str, kind: Kind, from_end: usize, with: &[u8]| {
        let mut bytes = content_of(kind).to_bytes();
        let place = bytes.len() - from_end;
        bytes[place..place + with.len()].copy_from_slice(with);
        cases.refuse(rule, name, "content", json!({"bytes": hex(bytes)}));
    };
    let (bad, long) = ("Codec(BadValue)", "Codec(TooLong)");
    refuse(bad, "no list of mentions is empty", meaning_two(), 86, &[0; 4]);
    refuse(
        long,
        "a text means at most 64",
        meaning_two(),
        86,
        &65_u32.to_be_bytes(),
    );
    refuse(
        bad,
        "a mention ends in its text",
        meaning_two(),
        37,
        &5_u32.to_be_bytes(),
    );
    refuse(bad, "a mention has a range", meaning_two(), 37, &[0; 4]);
    refuse(bad, "mentions do not overlap", meaning_two(), 41, &6_u32.to_be_bytes());
    refuse(bad, "a device or an account is meant", meaning_two(), 33, &[3]);
    let receipts = |rule, name, from_end, with: &[u8; 8]| (rule, name, from_end, *with);
    let broken = [
        receipts(bad, "what was read was delivered", 8, &701_u64.to_be_bytes()),
        receipts(bad, "a watermark says something", 16, &[0; 8]),
        receipts(bad, "watermarks ascend by log", 48, &[0; 8]),
    ];
    for (rule, name, from_end, with) in broken {
        refuse(rule, name, Kind::Receipt(receipt()), from_end, &with);
    }
    let count = 17_u32.to_be_bytes();
    refuse(
        long,
        "a receipt is about 16 logs at most",
        Kind::Receipt(receipt()),
        100,
        &count,
    );
    let timer = Kind::Timer {
        keep_for: KeepFor::Week,
    };
    refuse(bad, "a timer is one of five", timer, 4, &8_u32.to_be_bytes());
    broken_histories(&mut refuse);
}

/// One told message has 119 bytes, behind 14 of its part.
fn broken_histories(refuse: &mut impl FnMut(&str, &str, Kind, usize, &[u8])) {
    let (bad, long, history) = ("Codec(BadValue)", "Codec(TooLong)", || Kind::History(past()));
    refuse(bad, "a part is one of the parts", history(), 125, &[1]);
    refuse(bad, "a history has at most 4 parts", history(), 124, &[5]);
    refuse(
        long,
        "500 messages are told at most",
        history(),
        123,
        &501_u32.to_be_bytes(),
    );
    refuse(bad, "edited is 0 or 1", history(), 23, &[2]);
    refuse(bad, "a reaction is not told", history(), 15, &[0, 3]);
    refuse(bad, "no history stands in a history", history(), 15, &[0, 10]);
    refuse(
        bad,
        "what is told says something",
        history(),
        13,
        &[0, 0, 0, 4, 0, 0, 0, 0],
    );
}

fn bodies(cases: &mut Cases) {
    let week = sealed(&hello(), Keeping::Erasable(KeepFor::Week));
    let hand = Hand {
        counter: 1,
        erasure: week.erasure,
        keep_for: 7,
        content: hello().to_bytes(),
    };
    assert_eq!(week.body, seal(&padded(&hand.message(), 512)), "sealed by hand");
    cases.accept("to be kept for a week", "open", entry_of(&week));
    let stays = sealed(&hello(), Keeping::Stays);
    cases.accept("to stay", "open", entry_of(&stays));
    let long = "a".repeat(1000);
    let longer = content_of(Kind::Text(Words::new(long).unwrap()));
    let ever = sealed(&longer, Keeping::Erasable(KeepFor::Ever));
    assert_eq!(ever.body.len(), 2048);
    cases.accept("of the third size", "open", entry_of(&ever));
}

fn good_hand() -> Hand {
    Hand {
        counter: 1,
        erasure: sealed(&hello(), Keeping::Erasable(KeepFor::Week)).erasure,
        keep_for: 7,
        content: hello().to_bytes(),
    }
}

/// Bodies that do not get as far as layer 3.
fn refused_bodies(cases: &mut Cases) {
    let hand = good_hand();
    let (message, erasure) = (hand.message(), hand.erasure);
    let good = seal(&padded(&message, 512));
    let mut refuse = |rule: &str, name: &str, body: &[u8]| {
        cases.refuse(rule, name, "open", entry(body, erasure, KeepFor::Week));
    };
    refuse("BodyLength", "a body has the size of a bucket", &good[..511]);
    let mut flipped = good.clone();
    flipped[300] ^= 1;
    refuse("SealBroken", "no byte is altered", &flipped);
    let mut other_nonce = good.clone();
    other_nonce[0] ^= 1;
    refuse("SealBroken", "the nonce is the one it was sealed with", &other_nonce);
    refuse(
        "BadPadding",
        "a body has the bucket of its length",
        &seal(&padded(&message, 1024)),
    );
    let mut dirty = padded(&message, 512);
    *dirty.last_mut().unwrap() = 1;
    refuse("BadPadding", "padding is zeros", &seal(&dirty));
    let mut overlong = padded(&message, 512);
    overlong[..4].copy_from_slice(&469_u32.to_be_bytes());
    refuse("BadPadding", "a message ends within its body", &seal(&overlong));
    let mut newer = message.clone();
    newer[0] = 2;
    refuse("UnknownEngine(2)", "the engine is known", &seal(&padded(&newer, 512)));
    refuse(
        "Malformed(Truncated)",
        "a message has all its fields",
        &seal(&padded(&message[..100], 512)),
    );
    let mut given = entry(&good, erasure, KeepFor::Week);
    given["network"] = json!(hex([0xab; 32]));
    cases.refuse("WrongLog", "a body is opened for its own log", "open", given);
}

/// Bodies whose layer 3 says something else than the envelope, or nothing that counts.
fn refused_claims(cases: &mut Cases) {
    let (hand, keys) = (good_hand(), HashKeys::new(NETWORK));
    let body = |hand: &Hand| seal(&padded(&hand.message(), 512));
    let good = body(&hand);
    let other = waxwing_core::envelope::ErasureSecret([9; 32]).commitment(&keys);
    let given = entry(&good, other, KeepFor::Week);
    cases.refuse("WrongErasure", "nobody reposts under another commitment", "open", given);
    let given = entry(&good, hand.erasure, KeepFor::Day);
    cases.refuse("WrongKeepFor", "nobody reposts under another keep-for", "open", given);
    let mut stays = sealed(&hello(), Keeping::Stays);
    stays.keep_for = KeepFor::Day;
    cases.refuse("WrongKeepFor", "what stays is kept for ever", "open", entry_of(&stays));
    let mut unsigned = hand.message();
    unsigned[77] ^= 1;
    let given = entry(&seal(&padded(&unsigned, 512)), hand.erasure, KeepFor::Week);
    cases.refuse("BadSignature", "the device signs", "open", given);
    let nothing = Hand {
        counter: 0,
        ..good_hand()
    };
    let given = entry(&body(&nothing), hand.erasure, KeepFor::Week);
    cases.refuse("Malformed(BadValue)", "counters start at 1", "open", given);
    let garbage = Hand {
        content: vec![1, 2, 3],
        ..good_hand()
    };
    let given = entry(&body(&garbage), hand.erasure, KeepFor::Week);
    cases.refuse("Malformed(Truncated)", "the content is one", "open", given);
}

fn counters(cases: &mut Cases) {
    let hand = |counter| Hand { counter, ..good_hand() };
    let erasure = good_hand().erasure;
    let counted = |counter| entry(&seal(&padded(&hand(counter).message(), 512)), erasure, KeepFor::Week);
    let after = |before: u64, counter| {
        let mut given = counted(counter);
        given["before"] = json!([counted(before)]);
        given
    };
    cases.accept("counter 45 after counter 300", "open", after(300, 45));
    cases.accept("counter 900 after counter 300", "open", after(300, 900));
    cases.refuse("Replayed", "a counter is used once", "open", after(300, 300));
    cases.refuse("TooOld", "a counter is at most 255 behind", "open", after(300, 44));
}

fn checksum(parts: &[&[u8]]) -> [u8; 4] {
    *blake3::derive_key("waxwing v1 invitation checksum", &parts.concat())
        .first_chunk()
        .unwrap()
}

fn framed(fields: &[u8]) -> Vec<u8> {
    [&[1][..], &u16::try_from(fields.len()).unwrap().to_be_bytes(), fields].concat()
}

/// A link, from the specification.
fn link(open: &[u8], secret: &[u8]) -> String {
    let (open, secret) = (framed(open), framed(secret));
    let open_sum = checksum(&[&open]);
    let secret_sum = checksum(&[&open, &secret]);
    let text = |part: &[u8], sum: [u8; 4]| URL_SAFE_NO_PAD.encode([part, &sum].concat());
    format!("waxwing:{}#{}", text(&open, open_sum), text(&secret, secret_sum))
}

fn open_fields(address: &str, count: u32) -> Vec<u8> {
    let mut fields = [&NETWORK.0[..], &64_u64.to_be_bytes(), &[0xd1; 32], &count.to_be_bytes()].concat();
    waxwing_core::codec::put_bytes(&mut fields, address.as_bytes());
    fields.extend([0xee; 32]);
    fields
}

fn invitations(cases: &mut Cases) {
    let mut hidden = secret().to_vec();
    waxwing_core::codec::put_bytes(&mut hidden, b"birds");
    let good = link(&open_fields("192.0.2.7:7400", 1), &hidden);
    let given = |link: &str| json!({"link": link});
    cases.accept("an invitation", "invitation", given(&good));
    let broken = format!(" {}\n{} ", &good[..40], &good[40..]);
    cases.accept("white space in a link is ignored", "invitation", given(&broken));
    let mut refuse = |rule: &str, name: &str, link: &str| cases.refuse(rule, name, "invitation", given(link));
    let (open, behind) = good.split_once('#').unwrap();
    refuse("NotALink", "a link starts with waxwing:", &good[1..]);
    refuse("SecretMissing", "the secret is behind the #", open);
    refuse(
        "Truncated(Open)",
        "the open part is whole",
        &format!("{}#{behind}", &open[..60]),
    );
    refuse("Truncated(Secret)", "the secret part is whole", &good[..good.len() - 1]);
    refuse(
        "Trailing(Secret)",
        "nothing is behind the secret part",
        &format!("{good}A"),
    );
    let spoiled = format!("{open}#{}", behind.replacen('A', "+", 1));
    refuse(
        "BadCharacter { part: Secret, position: 1 }",
        "a link is base64url",
        &spoiled,
    );
    let mistyped = format!("{open}#{}", behind.replacen("EC", "CE", 1));
    refuse("Mistyped(Secret)", "the checksum covers both parts", &mistyped);
    let other = link(&open_fields("192.0.2.8:7400", 1), &hidden);
    let (other, _) = other.split_once('#').unwrap();
    refuse(
        "Mistyped(Secret)",
        "the secret belongs to its open part",
        &format!("{other}#{behind}"),
    );
    let mut newer = framed(&open_fields("192.0.2.7:7400", 1));
    newer[0] = 4;
    let newer = format!("waxwing:{}#{behind}", URL_SAFE_NO_PAD.encode(newer));
    refuse(
        "UnknownVersion(4)",
        "the version of a link is 1, or that of another kind",
        &newer,
    );
    let crowd = link(&open_fields("192.0.2.7:7400", 9), &hidden);
    refuse("Malformed(TooLong)", "a link names at most eight nodes", &crowd);
    let nowhere = link(&open_fields("192.0.2.7", 1), &hidden);
    refuse("Malformed(BadValue)", "an address is host and port", &nowhere);
}

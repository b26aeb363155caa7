//! Envelopes as submitted, and their bodies as they are handed on.

use serde_json::{Value, json};
use waxwing_core::codec::Encode;
use waxwing_core::envelope::{Body, Carried, Envelope, ErasureSecret, KeepFor};
use waxwing_core::hash::{HashKeys, Meaning};
use waxwing_core::limits::DAY_MS;
use waxwing_rules::world::{World, log_key};

use crate::case::{Cases, hex};

fn shared(world: &World) -> Value {
    json!({"network": hex(world.keys().network().0), "stamp bits": 1})
}

/// The envelope of all examples: "hello" under block 0, to be kept for a week, with a stamp of eight bits.
pub(crate) fn example() -> Envelope {
    let world = World::new(1);
    let mut header = world.envelope(1, b"hello").signed.header;
    header.keep_for = KeepFor::Week;
    header.grind(world.keys(), 8);
    Envelope {
        signed: header.sign(world.keys(), &log_key(1)),
        body: b"hello".to_vec(),
    }
}

pub(crate) fn envelopes() -> Cases {
    let world = World::new(1);
    let story =
        "Envelopes of log key 32 x 01 in the network `the small world` of genesis.json; erasure secret 32 x 01.";
    let mut cases = Cases::new(story, shared(&world));
    let envelope = example();
    let (header, signed) = (envelope.signed.header.to_bytes(), envelope.signed.to_bytes());
    cases.accept("a header", "envelope header", json!({"bytes": hex(&header)}));
    cases.accept("header and signature", "signed header", json!({"bytes": hex(&signed)}));
    cases.accept("an envelope", "envelope", json!({"bytes": hex(envelope.to_bytes())}));
    cases.accept(
        "an envelope without a body",
        "envelope",
        json!({"bytes": hex(empty(&world).to_bytes())}),
    );
    for length in [0, 1024, 1025, 4096, 4097, 512 << 10] {
        let given = json!({"stamp bits": 8, "new log bits": 6, "body length": length});
        cases.accept(&format!("the stamp for {length} bytes"), "stamp bits", given);
    }
    cases.accept("the commitment to a secret", "erasure", json!({"secret": hex([1; 32])}));
    unsound(&mut cases, &world, &envelope);
    malformed(&mut cases, &header);
    cases.cut_and_extended("envelope header", &header);
    cases.cut_and_extended("signed header", &signed);
    cases.cut_and_extended("envelope", &envelope.to_bytes());
    cases
}

fn empty(world: &World) -> Envelope {
    world.envelope_at(world.newest_anchor(), 1, b"", 4)
}

fn unsound(cases: &mut Cases, world: &World, good: &Envelope) {
    let mut refuse = |rule: &str, name: &str, bits: u8, envelope: &Envelope| {
        let given = json!({"stamp bits": bits, "bytes": hex(envelope.to_bytes())});
        cases.refuse(rule, name, "envelope", given);
    };
    let work = good.signed.header.stamp(world.keys()).leading_zero_bits();
    let more = u8::try_from(work + 1).unwrap();
    let rule = format!("WeakStamp {{ required: {more} }}");
    refuse(&rule, "the stamp has the bits that the network asks for", more, good);
    let mut altered = good.clone();
    altered.body[0] ^= 1;
    refuse("WrongBodyHash", "the body is the one committed to", 1, &altered);
    let mut unsigned = good.clone();
    unsigned.signed.signature.0[0] ^= 1;
    refuse("BadSignature", "the log signs", 1, &unsigned);
    let mut stolen = good.signed.header.clone();
    stolen.log = log_key(2).public();
    stolen.grind(world.keys(), 8);
    let stolen = Envelope {
        signed: stolen.sign(world.keys(), &log_key(1)),
        body: good.body.clone(),
    };
    refuse("BadSignature", "the log that is named signs", 1, &stolen);
    let mut reground = good.clone();
    while reground.signed.header == good.signed.header
        || reground.signed.header.stamp(world.keys()).leading_zero_bits() < 8
    {
        reground.signed.header.nonce += 1;
    }
    refuse("BadSignature", "the stamp is part of what is signed", 1, &reground);
    let foreign = HashKeys::new(waxwing_core::Hash([0xaa; 32]));
    let mut elsewhere = good.signed.header.clone();
    elsewhere.body_hash = foreign.hash(Meaning::Body, &good.body);
    elsewhere.grind(&foreign, 8);
    let elsewhere = Envelope {
        signed: elsewhere.sign(&foreign, &log_key(1)),
        body: good.body.clone(),
    };
    refuse("WrongBodyHash", "nothing of another network counts here", 1, &elsewhere);
}

fn malformed(cases: &mut Cases, header: &[u8]) {
    let mut refuse = |rule: &str, name: &str, place: usize, bytes: &[u8]| {
        let mut other = header.to_vec();
        other[place..place + bytes.len()].copy_from_slice(bytes);
        cases.refuse(rule, name, "envelope header", json!({"bytes": hex(other)}));
    };
    refuse("Codec(WrongMagic)", "the magic is WXENVEL", 0, b"w");
    refuse("Codec(WrongMagic)", "the version is 1", 7, &[2]);
    let long = ((512_u32 << 10) + 1).to_be_bytes();
    refuse("Codec(TooLong)", "a body has at most 512 KiB", 8, &long);
    refuse("Codec(BadValue)", "the erasure commitment is not zero", 116, &[0; 32]);
    refuse(
        "Codec(BadValue)",
        "keep-for is one of five values",
        148,
        &2_u32.to_be_bytes(),
    );
}

pub(crate) fn bodies() -> Cases {
    let world = World::new(1);
    let story = "What a node hands on of an entry: its body, or why it is not there. The entry is that of \
        envelope.json, ordered at 1000, to be kept for seven days.";
    let mut cases = Cases::new(story, shared(&world));
    let good = example();
    let carried = |body: Body| {
        let carried = Carried {
            signed: good.signed.clone(),
            body,
        };
        hex(carried.to_bytes())
    };
    let (present, erased) = (Body::Present(b"hello".to_vec()), Body::Erased(ErasureSecret([1; 32])));
    let all = [
        ("present", present.clone()),
        ("erased", erased.clone()),
        ("expired", Body::Expired),
        ("withheld", Body::Withheld),
    ];
    let end = 1000 + 7 * DAY_MS;
    for (name, body) in all {
        let bytes = carried(body);
        cases.accept(&format!("carried: {name}"), "carried", json!({"bytes": bytes}));
        for (when, now) in [("just before its time", end - 1), ("when its time has passed", end)] {
            let given = json!({"bytes": bytes, "ordered": 1000, "now": now});
            cases.accept(&format!("{name}, {when}"), "excuse", given);
        }
    }
    broken_bodies(&mut cases, &good);
    for (name, body) in [("present", present), ("erased", erased)] {
        let bytes = body.to_bytes();
        let cut = json!({"format": "body", "bytes": hex(&bytes[..bytes.len() - 1])});
        let name = format!("{name}: the bytes end too early");
        cases.refuse("Codec(Truncated)", &name, "decode", cut);
    }
    cases
}

fn broken_bodies(cases: &mut Cases, good: &Envelope) {
    let mut refuse = |rule: &str, name: &str, body: Body| {
        let signed = good.signed.clone();
        let carried = Carried { signed, body };
        cases.refuse(rule, name, "carried", json!({"bytes": hex(carried.to_bytes())}));
    };
    refuse(
        "WrongBodyLength",
        "the body is as long as the header says",
        Body::Present(b"hell".to_vec()),
    );
    refuse(
        "WrongBodyHash",
        "the body is the one committed to",
        Body::Present(b"hallo".to_vec()),
    );
    refuse(
        "WrongSecret",
        "the secret is the one committed to",
        Body::Erased(ErasureSecret([2; 32])),
    );
    let state = |bytes: &[u8]| json!({"format": "body", "bytes": hex(bytes)});
    cases.refuse(
        "Codec(BadValue)",
        "a body has one of four states",
        "decode",
        state(&[4]),
    );
    let long = [&[0][..], &((512_u32 << 10) + 1).to_be_bytes()].concat();
    cases.refuse(
        "Codec(TooLong)",
        "a body carried has at most 512 KiB",
        "decode",
        state(&long),
    );
    cases.refuse(
        "Codec(Trailing)",
        "a missing body takes one byte",
        "decode",
        state(&[3, 0]),
    );
}

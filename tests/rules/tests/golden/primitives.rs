//! Hashes under every meaning, and signatures of every purpose.

use serde_json::{Value, json};
use waxwing_core::certificate::{VoteKind, beacon_message, vote_message};
use waxwing_core::codec::Encode;
use waxwing_core::envelope::ENVELOPE_DOMAIN;
use waxwing_core::hash::{Hash, Meaning};
use waxwing_core::keys::LogKey;
use waxwing_core::receipt::ACKNOWLEDGEMENT_DOMAIN;
use waxwing_rules::world::World;

use crate::case::{Cases, hex};

const NETWORK: Hash = Hash([0xaa; 32]);

pub(crate) fn hashes() -> Cases {
    let story = "Every meaning hashes under a key of its own, derived from the network id.";
    let mut cases = Cases::new(story, json!({"network": hex(NETWORK.0)}));
    let bytes: Vec<u8> = (0..=99).collect();
    for meaning in Meaning::ALL {
        let given = |bytes: &[u8]| json!({"context": meaning.context(), "bytes": hex(bytes)});
        cases.accept(&format!("{}: no bytes", meaning.context()), "hash", given(&[]));
        cases.accept(&format!("{}: 00 to 63", meaning.context()), "hash", given(&bytes));
    }
    for meaning in [Meaning::LogNode, Meaning::MapNode, Meaning::BlockNode] {
        let given = json!({"context": meaning.context(), "left": hex([1; 32]), "right": hex([2; 32])});
        cases.accept(&format!("{}: two children", meaning.context()), "node", given);
    }
    let other = json!({"network": hex([0xab; 32]), "context": Meaning::Entry.context(), "bytes": hex(&bytes)});
    cases.accept("another network hashes differently", "hash", other);
    cases
}

/// The group order, which S must stay below, lowest byte first.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The same signature with S + order in place of S: the equation still holds.
fn with_second_s(signature: &[u8; 64]) -> [u8; 64] {
    let mut other = *signature;
    let mut carry = 0_u16;
    for (byte, order) in other[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    other
}

fn messages() -> Vec<(&'static str, Vec<u8>)> {
    let network = NETWORK;
    let block = Hash([0xb1; 32]);
    let envelope = World::new(1).envelope(1, b"hello").signed.header.to_bytes();
    let envelope = [ENVELOPE_DOMAIN, network.as_bytes(), &envelope].concat();
    let entry = Hash([0xe1; 32]);
    let acknowledgement = [
        ACKNOWLEDGEMENT_DOMAIN,
        network.as_bytes(),
        entry.as_bytes(),
        &1_700_000_000_000_u64.to_be_bytes(),
    ]
    .concat();
    vec![
        ("envelope: domain, network, header", envelope),
        (
            "prevote: domain, network, 1, height 9, round 2, block id",
            vote_message(network, VoteKind::Prevote, 9, 2, block),
        ),
        (
            "precommit: domain, network, 2, height 9, round 2, block id",
            vote_message(network, VoteKind::Precommit, 9, 2, block),
        ),
        (
            "beacon: domain, network, height 9, block id, time",
            beacon_message(network, 9, block, 1_700_000_000_000),
        ),
        ("acknowledgement: domain, network, entry id, time", acknowledgement),
    ]
}

pub(crate) fn signatures() -> Cases {
    let story = "What each kind of key signs, and signatures that strict verification refuses. The cases on which \
        implementations disagree are in tests/data/ed25519.";
    let key = LogKey::from_seed(&[1; 32]);
    let mut cases = Cases::new(story, json!({"seed": hex([1; 32])}));
    for (name, message) in messages() {
        cases.accept(name, "sign", json!({"message": hex(message)}));
    }
    let signature = key.sign(b"message").0;
    let given = |key: [u8; 32], message: &[u8], signature: [u8; 64]| -> Value {
        json!({"key": hex(key), "message": hex(message), "signature": hex(signature)})
    };
    let public = key.public().0;
    cases.accept("a signature", "signature", given(public, b"message", signature));
    let mut refuse = |name: &str, given| cases.refuse("BadSignature", name, "signature", given);
    refuse("another message", given(public, b"massage", signature));
    let other = LogKey::from_seed(&[2; 32]).public().0;
    refuse("another key", given(other, b"message", signature));
    let mut flipped = signature;
    flipped[0] ^= 1;
    refuse("R is another point", given(public, b"message", flipped));
    refuse(
        "S is below the group order",
        given(public, b"message", with_second_s(&signature)),
    );
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut signs_everything = [0; 64];
    signs_everything[0] = 1;
    refuse(
        "the key is not of small order",
        given(identity, b"message", signs_everything),
    );
    let no_point = (2..=255).map(|byte| [byte; 32]).find(|bytes| !is_point(bytes)).unwrap();
    refuse("the key is a point", given(no_point, b"message", signature));
    cases
}

fn is_point(bytes: &[u8; 32]) -> bool {
    ed25519_dalek::VerifyingKey::from_bytes(bytes).is_ok()
}

//! Which signatures count: the edge cases on which ed25519 implementations disagree.
//!
//! The twelve cases are those of "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko, 2020). Every one of them is
//! accepted by some implementation in the field. The one rule of validity here is `verify_strict`: of the twelve it
//! accepts case 3 and no other.

use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use serde::Deserialize;
use waxwing_core::keys::{self, LogId, NodeId, ValidatorId};
use waxwing_rules::vectors::{Hex, read};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    message: Hex,
    pub_key: Hex,
    signature: Hex,
}

/// What is peculiar about each case, recomputed from the points themselves, and whether strict verification accepts it.
/// "Mixed" order: a point of the large prime order plus one of small order.
const CASES: [(&str, bool); 12] = [
    ("0: key of small order, R of small order, S = 0", false),
    ("1: key of small order, R of mixed order", false),
    ("2: key of mixed order, R of small order", false),
    // The equation holds exactly, key and R are canonical and not of small order: nothing is left to refuse, and
    // everybody who verifies one by one without the cofactor agrees.
    ("3: key and R of mixed order, equation holds exactly", true),
    ("4: key and R of mixed order, equation holds only times 8", false),
    ("5: key of mixed order, equation holds only times 8", false),
    ("6: S is the group order too large", false),
    ("7: S is twice the group order too large", false),
    (
        "8: R of small order, not canonical, equation holds over its reduced form",
        false,
    ),
    (
        "9: R of small order, not canonical, equation holds over the bytes as sent",
        false,
    ),
    (
        "10: key of small order, not canonical, equation holds over its reduced form",
        false,
    ),
    (
        "11: key of small order, not canonical, equation holds over the bytes as sent",
        false,
    ),
];

fn cases() -> Vec<(VerifyingKey, Vec<u8>, Signature)> {
    let cases: Vec<Case> = read("ed25519/speccheck.json");
    let parsed = cases.into_iter().map(|case| {
        assert_eq!((case.pub_key.0.len(), case.signature.0.len()), (32, 64));
        let key = VerifyingKey::from_bytes(&case.pub_key.first()).expect("the keys of all cases are points");
        (key, case.message.0, Signature::from_bytes(&case.signature.first()))
    });
    parsed.collect()
}

#[test]
fn strict_verification_accepts_case_3_of_the_twelve_and_no_other() {
    let cases = cases();
    assert_eq!(cases.len(), CASES.len());
    for ((key, message, signature), (name, accepted)) in cases.iter().zip(CASES) {
        assert_eq!(key.verify_strict(message, signature).is_ok(), accepted, "{name}");
    }
}

/// The keys of the ledger verify strictly, whatever their purpose, and no key of small order is usable.
#[test]
fn log_vote_and_node_keys_accept_what_strict_verification_accepts() {
    for ((key, message, signature), (name, accepted)) in cases().into_iter().zip(CASES) {
        let (key, signature) = (key.to_bytes(), keys::Signature(signature.to_bytes()));
        assert_eq!(LogId(key).verify(&message, &signature).is_ok(), accepted, "{name}");
        assert_eq!(
            ValidatorId(key).verify(&message, &signature).is_ok(),
            accepted,
            "{name}"
        );
        assert_eq!(NodeId(key).verify(&message, &signature).is_ok(), accepted, "{name}");
        assert_eq!(LogId(key).is_usable(), !name.contains("key of small order"), "{name}");
    }
}

/// Why `verify` is not good enough: it also lets through what a key of small order "signs", and such a signature fits
/// any number of messages.
#[test]
fn ordinary_verification_accepts_what_strict_verification_refuses() {
    let accepted: Vec<usize> = cases()
        .iter()
        .enumerate()
        .filter(|(_, (key, message, signature))| key.verify(message, signature).is_ok())
        .map(|(number, _)| number)
        .collect();
    assert_eq!(accepted, [0, 1, 2, 3, 11]);
}

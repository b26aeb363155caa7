//! BLAKE3 is BLAKE3, and our keys are derived with it as the specification says.

use serde::Deserialize;
use waxwing_core::hash::Meaning;
use waxwing_core::{Hash, HashKeys};
use waxwing_rules::vectors::{Hex, read};

#[derive(Deserialize)]
struct Vectors {
    key: String,
    context_string: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    input_len: usize,
    hash: Hex,
    keyed_hash: Hex,
    derive_key: Hex,
}

fn input(length: usize) -> Vec<u8> {
    (0..=250_u8).cycle().take(length).collect()
}

#[test]
fn all_35_official_vectors_hold_in_all_three_modes() {
    let vectors: Vectors = read("blake3/test_vectors.json");
    assert_eq!(vectors.cases.len(), 35);
    let key: [u8; 32] = vectors.key.as_bytes().try_into().unwrap();
    for case in &vectors.cases {
        let input = input(case.input_len);
        assert_eq!(
            *blake3::hash(&input).as_bytes(),
            case.hash.first(),
            "{} bytes",
            case.input_len
        );
        assert_eq!(
            *blake3::keyed_hash(&key, &input).as_bytes(),
            case.keyed_hash.first(),
            "{} bytes",
            case.input_len
        );
        let derived = blake3::derive_key(&vectors.context_string, &input);
        assert_eq!(derived, case.derive_key.first::<32>(), "{} bytes", case.input_len);
    }
}

#[test]
fn outputs_longer_than_a_hash_hold_as_well() {
    let vectors: Vectors = read("blake3/test_vectors.json");
    let key: [u8; 32] = vectors.key.as_bytes().try_into().unwrap();
    for case in &vectors.cases {
        let modes = [
            (blake3::Hasher::new(), &case.hash),
            (blake3::Hasher::new_keyed(&key), &case.keyed_hash),
            (
                blake3::Hasher::new_derive_key(&vectors.context_string),
                &case.derive_key,
            ),
        ];
        for (mut hasher, expected) in modes {
            let mut output = vec![0; expected.0.len()];
            hasher.update(&input(case.input_len)).finalize_xof().fill(&mut output);
            assert_eq!((output.len(), &output), (131, &expected.0), "{} bytes", case.input_len);
        }
    }
}

/// `key = derive_key("waxwing v1 <meaning>", network)`, `hash = keyed_hash(key, bytes)`, put together from the crate's
/// other interface.
#[test]
fn each_meaning_hashes_under_the_key_derived_from_its_context_and_network() {
    let network = Hash([0x5a; 32]);
    let keys = HashKeys::new(network);
    for meaning in Meaning::ALL {
        assert!(meaning.context().starts_with("waxwing v1 "), "{meaning:?}");
        let key = blake3::Hasher::new_derive_key(meaning.context())
            .update(network.as_bytes())
            .finalize();
        for length in [0, 1, 64, 1024, 4097] {
            let expected = blake3::Hasher::new_keyed(key.as_bytes())
                .update(&input(length))
                .finalize();
            assert_eq!(
                keys.hash(meaning, &input(length)),
                Hash(*expected.as_bytes()),
                "{meaning:?}, {length} bytes"
            );
        }
        let (left, right) = (Hash([1; 32]), Hash([2; 32]));
        assert_eq!(
            keys.node(meaning, &left, &right),
            keys.hash(meaning, &[left.0, right.0].concat())
        );
    }
}

//! The proof vectors of the transparency world, every one of them.
//!
//! They come from github.com/transparency-dev/merkle, whose verifiers run in certificate transparency and in the Go
//! checksum database: a proof that they refuse and we accept would be a hole, the other way round a split.

use serde::Deserialize;
use waxwing_core::Hash;
use waxwing_core::codec::{CodecError, Decode};
use waxwing_core::merkle::{ProofError, Sha256Tree, verify_consistency, verify_inclusion};
use waxwing_rules::vectors::{Base64, read};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Inclusion {
    name: String,
    leaf_idx: u64,
    tree_size: u64,
    root: Base64,
    leaf_hash: Base64,
    proof: Option<Vec<Base64>>,
    desc: String,
    want_err: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Consistency {
    name: String,
    size1: u64,
    size2: u64,
    root1: Base64,
    root2: Base64,
    proof: Option<Vec<Base64>>,
    desc: String,
    want_err: bool,
}

/// Some vectors hold "hashes" of 0, 9 or 12 bytes, which our decoder refuses before any proof is looked at. So that the
/// verifier has to refuse them as well, the rest is filled with zeros here.
fn hash(bytes: &Base64) -> Hash {
    let decoded = Hash::from_bytes(&bytes.0);
    assert_eq!(decoded.is_ok(), bytes.0.len() == 32);
    decoded.unwrap_or_else(|error| {
        assert_eq!(error, CodecError::Truncated);
        let mut filled = Hash::ZERO;
        for (place, byte) in filled.0.iter_mut().zip(&bytes.0) {
            *place = *byte;
        }
        filled
    })
}

fn hashes(proof: Option<&Vec<Base64>>) -> Vec<Hash> {
    proof.into_iter().flatten().map(hash).collect()
}

/// Compares outcomes with expectations; returns the numbers of accepted and of refused vectors.
fn tally(outcomes: impl Iterator<Item = (String, bool, Result<(), ProofError>)>) -> (usize, usize) {
    let (mut accepted, mut refused) = (0, 0);
    for (name, want_err, outcome) in outcomes {
        assert_eq!(outcome.is_err(), want_err, "{name}: {outcome:?}");
        if outcome.is_ok() { accepted += 1 } else { refused += 1 }
    }
    (accepted, refused)
}

#[test]
fn all_98_inclusion_vectors_are_judged_as_their_authors_say() {
    let vectors: Vec<Inclusion> = read("rfc6962/inclusion.json");
    let outcomes = vectors.into_iter().map(|vector| {
        let (leaf, root, siblings) = (
            hash(&vector.leaf_hash),
            hash(&vector.root),
            hashes(vector.proof.as_ref()),
        );
        let outcome = verify_inclusion(&Sha256Tree, vector.leaf_idx, vector.tree_size, leaf, &siblings, root);
        (format!("{} ({})", vector.name, vector.desc), vector.want_err, outcome)
    });
    // An empty leaf under an empty root is a wrong pair only because neither is a hash; filled with zeros both would be
    // the same hash, and one leaf is its own root.
    let (unequal, by_length): (Vec<_>, Vec<_>) =
        outcomes.partition(|(name, ..)| !name.starts_with("single-entry/empty-root-and-leaf "));
    assert_eq!(tally(unequal.into_iter()), (6, 91));
    assert_eq!(by_length.len(), 1);
    assert!(by_length[0].1, "refused there by length, here by the decoder");
}

#[test]
fn all_98_consistency_vectors_are_judged_as_their_authors_say() {
    let vectors: Vec<Consistency> = read("rfc6962/consistency.json");
    let outcomes = vectors.into_iter().map(|vector| {
        let (old, new, proof) = (hash(&vector.root1), hash(&vector.root2), hashes(vector.proof.as_ref()));
        let outcome = verify_consistency(&Sha256Tree, vector.size1, vector.size2, &proof, old, new);
        (format!("{} ({})", vector.name, vector.desc), vector.want_err, outcome)
    });
    assert_eq!(tally(outcomes), (6, 92));
}

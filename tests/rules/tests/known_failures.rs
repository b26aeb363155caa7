//! How proof verifiers failed elsewhere: the table in `README.md`, and the tests that no other file has.
//!
//! The table names a test for each failure; a test here sees to it that all of them exist.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::path::Path;

use waxwing_core::certificate::{VoteKind, vote_message};
use waxwing_core::codec::{Decode, Encode, put_bytes};
use waxwing_core::committee::{QuorumError, Signatures};
use waxwing_core::follow::{BeaconError, Follow, FollowError, Freshness};
use waxwing_core::hash::{Hash, HashKeys, Meaning};
use waxwing_core::keys::Signature;
use waxwing_core::merkle::{KeyedTree, TreeHasher, path_of, root_of, verify_inclusion};
use waxwing_rules::model::chain::{Chain, Term};

/// The attack that emptied a bridge: an inner node of a proof carries a left *and* a right child, the verifier hashes one
/// and walks on with the other. Here a path holds one hash a level, and the other child is always computed: with both
/// children in it, in either order, at any level, it is too long.
#[test]
fn an_inner_node_takes_one_child_from_the_proof_and_computes_the_other() {
    let keys = HashKeys::new(Hash([3; 32]));
    let hasher = KeyedTree::log(&keys);
    let leaves: Vec<Hash> = (0..9_u8).map(|number| keys.hash(Meaning::LogLeaf, &[number])).collect();
    let forged = keys.hash(Meaning::LogLeaf, b"forged");
    for size in 2..=leaves.len() {
        let leaves = leaves.get(..size).unwrap();
        let root = root_of(&hasher, leaves);
        for (index, leaf) in (0..).zip(leaves) {
            let path = path_of(&hasher, leaves, index).unwrap().siblings;
            let size = u64::try_from(size).unwrap();
            for level in 0..path.len() {
                let own = own_node(&hasher, *leaf, index, &path, level);
                for after in [false, true] {
                    let mut both = path.clone();
                    both.insert(level + usize::from(after), own);
                    let outcome = verify_inclusion(&hasher, index, size, forged, &both, root);
                    assert!(outcome.is_err(), "leaf {index} of {size}, level {level}: {outcome:?}");
                    // Not even by leaving out what stands below.
                    let cut = both.get(level..).unwrap();
                    assert!(verify_inclusion(&hasher, index, size, forged, cut, root).is_err());
                }
            }
        }
    }
}

/// The hash that a verifier has computed when it comes to this level of a path.
fn own_node(hasher: &impl TreeHasher, leaf: Hash, index: u64, path: &[Hash], level: usize) -> Hash {
    path.iter()
        .take(level)
        .enumerate()
        .fold(leaf, |hash, (below, sibling)| {
            if (index >> below) & 1 == 1 {
                hasher.node(sibling, &hash)
            } else {
                hasher.node(&hash, sibling)
            }
        })
}

fn set(bitmap: u8, signatures: &[Signature]) -> Signatures {
    let mut bytes = Vec::new();
    put_bytes(&mut bytes, &[bitmap]);
    signatures.iter().for_each(|signature| signature.encode(&mut bytes));
    Signatures::from_bytes(&bytes).unwrap()
}

/// Every list of up to four signatures by four validators, repeated ones and all orders included, under every bitmap
/// that claims so many: it counts exactly if it is a quorum's, each once, in the order of the committee.
#[test]
fn signers_count_once_each_and_in_the_order_of_the_committee() {
    let term = Term::new(0);
    let message = vote_message(Hash([1; 32]), VoteKind::Precommit, 9, 0, Hash([2; 32]));
    let signed: Vec<Signature> = term.voters.iter().map(|key| key.sign(&message)).collect();
    let mut accepted = 0;
    for bitmap in 0..16_u8 {
        let claimed: Vec<usize> = (0..4).filter(|member| bitmap & (8 >> member) != 0).collect();
        let lists = 4_usize.pow(u32::try_from(claimed.len()).unwrap());
        for number in 0..lists {
            let list: Vec<usize> = (0..claimed.len())
                .map(|place| number / 4_usize.pow(u32::try_from(place).unwrap()) % 4)
                .collect();
            let signatures: Vec<Signature> = list.iter().filter_map(|member| signed.get(*member).copied()).collect();
            let outcome = set(bitmap << 4, &signatures).verify(&term.committee, &message);
            let expected = match (claimed.len() >= 3, list == claimed) {
                (false, _) => Err(QuorumError::TooFew),
                (true, false) => Err(QuorumError::BadSignature),
                (true, true) => Ok(()),
            };
            assert_eq!(outcome, expected, "bitmap {bitmap:04b}, signatures of {list:?}");
            accepted += usize::from(outcome.is_ok());
        }
    }
    assert_eq!(accepted, 5, "all four, and the four ways to leave one out");
}

/// A head that was final once stays certified for ever; only what the client holds already tells it from the present.
#[test]
fn an_old_head_is_neither_accepted_nor_made_fresh() {
    let chain = Chain::grown(9);
    let now = chain.header(9).time + 600_000;
    for held in 1..=9 {
        let mut client = Follow::from_genesis(&chain.genesis);
        client.accept(&chain.update(0, held), now).unwrap();
        for old in 0..held {
            let (held, offered) = (u64::try_from(held).unwrap(), u64::try_from(old).unwrap());
            let refused = client.accept(&chain.update(0, old), now);
            assert_eq!(refused, Err(FollowError::Older { held, offered }));
            let beacon = chain.beacon(old, now, 4);
            assert_eq!(client.accept_beacon(&beacon, now), Err(BeaconError::OtherHead));
        }
        let age = now - chain.header(held).time;
        assert_eq!(
            client.freshness(now),
            Freshness::Stale { age },
            "without a beacon nothing is fresh"
        );
    }
}

/// The rows of the table: failure, and the names of tests as `file::test`.
fn table(readme: &str) -> Vec<(String, Vec<(String, String)>)> {
    let section = readme.split_once("## Known failures\n").unwrap().1;
    let section = section.split("\n## ").next().unwrap();
    let row = |line: &str| {
        let (failure, tests) = line.trim_matches('|').split_once('|').unwrap();
        let named = tests.split('`').filter_map(|word| word.split_once("::"));
        let named = named.map(|(file, test)| (file.to_owned(), test.to_owned())).collect();
        (failure.trim().to_owned(), named)
    };
    section
        .lines()
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .map(row)
        .collect()
}

#[test]
fn every_known_failure_has_its_tests_and_they_exist() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rows = table(&fs::read_to_string(folder.join("README.md")).unwrap());
    assert_eq!(rows.len(), 7);
    for (failure, tests) in rows {
        assert!(!tests.is_empty(), "{failure}: no test");
        for (file, test) in tests {
            let text = fs::read_to_string(folder.join(format!("tests/{file}.rs"))).unwrap();
            assert!(
                text.contains(&format!("fn {test}(")),
                "{failure}: there is no {file}::{test}"
            );
        }
    }
}

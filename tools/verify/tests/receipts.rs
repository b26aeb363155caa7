//! The verifier on real receipts, and on each way in which one can be wrong.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod program;

use waxwing_core::block::{BlockHeader, block_leaf, entries_root};
use waxwing_core::certificate::{Certificate, Head};
use waxwing_core::codec::Encode;
use waxwing_core::committee::Committee;
use waxwing_core::envelope::{Anchor, EnvelopeHeader, ErasureSecret, KeepFor, SignedHeader};
use waxwing_core::evidence_file::Rung;
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::keys::{LogKey, VoteKey};
use waxwing_core::merkle::{KeyedTree, path_of};
use waxwing_core::policy::{PinnedHead, Policy};
use waxwing_core::receipt::Receipt;
use waxwing_core::receipt_file::ReceiptFile;
use waxwing_core::verdict::Verdict;
use waxwing_core::{Hash, Meaning};
use waxwing_verify::{BodyCheck, Finding, verify};

use program::{Folder, run};

const BODY: &[u8] = b"sealed bytes";
const ENTRIES: u32 = 5;

fn voters() -> Vec<VoteKey> {
    (1..=4).map(|seed| VoteKey::from_seed(&[seed; 32])).collect()
}

fn genesis(name: &str) -> Genesis {
    Genesis::new(
        name,
        1_000,
        Parameters::DEFAULT,
        voters().iter().map(VoteKey::public).collect(),
    )
    .unwrap()
}

fn envelope(genesis: &Genesis, number: u32) -> SignedHeader {
    let (keys, key) = (genesis.keys(), LogKey::from_seed(&[7; 32]));
    let header = EnvelopeHeader {
        body_length: u32::try_from(BODY.len()).unwrap(),
        log: key.public(),
        anchor: Anchor {
            height: 0,
            id: genesis.block().id(&keys),
        },
        body_hash: keys.hash(Meaning::Body, BODY),
        erasure: ErasureSecret([1; 32]).commitment(&keys),
        keep_for: KeepFor::Ever,
        nonce: u64::from(number),
    };
    header.sign(&keys, &key)
}

/// The receipt of entry 3 of a block of five.
fn receipt(genesis: &Genesis, signers: usize) -> Receipt {
    let keys = genesis.keys();
    let leaf = |number: u32| block_leaf(&keys, &envelope(genesis, number).entry_id(&keys), u64::from(number));
    let leaves: Vec<Hash> = (0..ENTRIES).map(leaf).collect();
    let header = BlockHeader {
        height: 1,
        time: 2_000,
        parent: genesis.block().id(&keys),
        entries_root: entries_root(&keys, &leaves),
        entry_count: ENTRIES,
        total_entries: u64::from(ENTRIES),
        ..genesis.block()
    };
    let voters = voters();
    let signers: Vec<&VoteKey> = voters.iter().take(signers).collect();
    let certificate = Certificate::sign(&genesis.committee(), 0, &header, header.id(&keys), &signers);
    Receipt {
        signed: envelope(genesis, 3),
        log_index: 3,
        in_block: 3,
        path: path_of(&KeyedTree::block(&keys), &leaves, 3).unwrap(),
        head: Head { header, certificate },
    }
}

fn policy(genesis: Genesis) -> Policy {
    Policy { genesis, head: None }
}

#[test]
fn a_true_receipt_is_verified_with_its_body() {
    let genesis = genesis("true");
    let receipt = receipt(&genesis, 3);
    let outcome = verify(&receipt.to_bytes(), Some(&policy(genesis)), Some(BODY));
    assert_eq!(outcome.verdict, Verdict::Verified);
    let Finding::Ordered {
        ordered, body, quorum, ..
    } = outcome.finding
    else {
        panic!("not ordered")
    };
    assert_eq!((ordered.index, ordered.place.height, ordered.place.in_block), (3, 1, 3));
    assert_eq!((body, quorum), (BodyCheck::Matches, (3, 4)));
}

/// The receipt's block is certified by a committee that the founders agreed on; the file says how that came about.
#[test]
fn a_receipt_of_a_later_committee_is_verified_with_the_ladder_that_leads_to_it() {
    let genesis = genesis("true");
    let (keys, founders) = (genesis.keys(), genesis.committee());
    let key = VoteKey::from_seed(&[0x77; 32]);
    let next = Committee::new(1, vec![key.public()]).unwrap();
    let handover = BlockHeader {
        height: 1,
        time: 1_500,
        next_committee: next.hash(&keys),
        ..genesis.block()
    };
    let voters = voters();
    let signers: Vec<&VoteKey> = voters.iter().take(3).collect();
    let certificate = Certificate::sign(&founders, 0, &handover, handover.id(&keys), &signers);
    let rung = Rung {
        head: Head {
            header: handover,
            certificate,
        },
        next: next.clone(),
    };
    let mut receipt = receipt(&genesis, 3);
    let header = &mut receipt.head.header;
    (header.height, header.term) = (2, 1);
    (header.committee, header.next_committee) = (next.hash(&keys), next.hash(&keys));
    receipt.head.certificate = Certificate::sign(&next, 0, header, header.id(&keys), &[&key]);
    let mut file = ReceiptFile {
        ladder: vec![rung],
        receipt,
    };
    let policy = policy(genesis);
    let outcome = verify(&file.to_bytes(), Some(&policy), Some(BODY));
    let Finding::Ordered { quorum, .. } = outcome.finding else {
        panic!("not ordered")
    };
    assert_eq!((outcome.verdict, quorum), (Verdict::Verified, (1, 1)));
    let bare = verify(&file.receipt.to_bytes(), Some(&policy), None);
    assert_eq!(bare.verdict, Verdict::Tampered, "nothing leads to that committee");
    file.ladder[0].head.certificate.round = 1;
    let forged = verify(&file.to_bytes(), Some(&policy), None);
    assert_eq!(forged.verdict, Verdict::Tampered);
    assert!(forged.to_string().contains("change 1 of the committee"), "{forged}");
}

#[test]
fn no_flipped_bit_anywhere_leaves_a_receipt_verified() {
    let genesis = genesis("true");
    let bytes = receipt(&genesis, 3).to_bytes();
    let policy = policy(genesis);
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut other = bytes.clone();
            other[place] ^= 1 << bit;
            let verdict = verify(&other, Some(&policy), None).verdict;
            assert_ne!(verdict, Verdict::Verified, "byte {place} bit {bit}");
        }
    }
}

#[test]
fn each_wrong_receipt_has_its_own_verdict() {
    let genesis = genesis("true");
    let good = receipt(&genesis, 3);
    let policy = policy(genesis.clone());
    let verdict = |receipt: &Receipt| verify(&receipt.to_bytes(), Some(&policy), None).verdict;

    for (bytes, words) in [
        (&b"hello"[..], "give a receipt file (.wxr)"),
        (
            b"WXBUNDL\x01",
            "this is a bundle, a whole history, and not a receipt: audit it with `waxwing audit run`",
        ),
    ] {
        let said = verify(bytes, Some(&policy), None).to_string();
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(verify(b"hello", Some(&policy), None).verdict, Verdict::Malformed);
    let mut longer = good.to_bytes();
    longer.push(0);
    assert_eq!(verify(&longer, Some(&policy), None).verdict, Verdict::Malformed);
    assert_eq!(verify(&good.to_bytes(), None, None).verdict, Verdict::Unanchored);
    let other = Policy {
        genesis: self::genesis("other"),
        head: None,
    };
    assert_eq!(
        verify(&good.to_bytes(), Some(&other), None).verdict,
        Verdict::Unanchored
    );
    assert_eq!(
        verdict(&receipt(&genesis, 2)),
        Verdict::Tampered,
        "two of four are no quorum"
    );
    assert_eq!(
        verdict(&Receipt {
            log_index: 2,
            ..good.clone()
        }),
        Verdict::Tampered
    );
    assert_eq!(
        verdict(&Receipt {
            in_block: 2,
            ..good.clone()
        }),
        Verdict::Tampered
    );
    let wrong_body = verify(&good.to_bytes(), Some(&policy), Some(b"other bytes!"));
    assert_eq!(
        (wrong_body.verdict, wrong_body.finding),
        (Verdict::Tampered, Finding::WrongBody)
    );
    let pinned = Policy {
        head: Some(PinnedHead {
            height: 1,
            id: Hash([1; 32]),
        }),
        ..policy.clone()
    };
    assert_eq!(verify(&good.to_bytes(), Some(&pinned), None).verdict, Verdict::Diverged);
}

#[test]
fn the_program_exits_with_the_verdicts_code() {
    let folder = Folder::new("verdicts");
    let genesis = genesis("true");
    let receipt_file = folder.write("receipt", &receipt(&genesis, 3).to_bytes());
    let forged = folder.write("forged", &receipt(&genesis, 2).to_bytes());
    let policy_file = folder.write("policy", policy(genesis).to_text().as_bytes());

    let good = run(&[&receipt_file, "--policy", &policy_file]);
    let text = String::from_utf8(good.stdout).unwrap();
    assert_eq!(good.status.code(), Some(0));
    assert!(
        text.starts_with("VERIFIED  entry 3 of its log is final in block 1\n"),
        "{text}"
    );
    assert_eq!(run(&[&forged, "--policy", &policy_file]).status.code(), Some(40));
    assert_eq!(run(&[&receipt_file]).status.code(), Some(20));
    assert_eq!(run(&[&policy_file, "--policy", &policy_file]).status.code(), Some(50));
}

#[test]
fn wrong_use_is_told_on_stderr_and_nothing_is_claimed() {
    let folder = Folder::new("use");
    let not_a_policy = folder.write("policy", b"hello");
    for (arguments, told) in [
        (vec![], "name the receipt or evidence file"),
        (vec!["a", "b"], "unexpected argument"),
        (vec!["--polcy", "x"], "--polcy"),
        (vec!["/nonexistent"], "cannot read /nonexistent"),
        (
            vec!["/nonexistent", "--policy", &not_a_policy],
            "line 1: a policy starts with",
        ),
    ] {
        let output = run(&arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            error.contains(told) && output.stdout.is_empty(),
            "{arguments:?}: {error}"
        );
    }
    assert_eq!(run(&["--help"]).status.code(), Some(0));
}

//! The verifier on evidence that holds, and on each way in which it can have been tampered with.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on panics"
)]

mod program;

use waxwing_core::Hash;
use waxwing_core::block::BlockHeader;
use waxwing_core::certificate::{Certificate, Head, VoteKind, vote_message};
use waxwing_core::codec::Encode;
use waxwing_core::committee::Committee;
use waxwing_core::evidence::{Evidence, TwoHeads, TwoVotes};
use waxwing_core::evidence_file::{EvidenceFile, Rung};
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::keys::VoteKey;
use waxwing_core::policy::Policy;
use waxwing_core::verdict::Verdict;
use waxwing_verify::{EvidenceFinding, verify_evidence};

use program::{Folder, run};

fn voters(from: u8) -> Vec<VoteKey> {
    let mut voters: Vec<_> = (from..from + 4).map(|seed| VoteKey::from_seed(&[seed; 32])).collect();
    voters.sort_by_key(VoteKey::public);
    voters
}

fn genesis(name: &str) -> Genesis {
    let validators = voters(1).iter().map(VoteKey::public).collect();
    Genesis::new(name, 1_000, Parameters::DEFAULT, validators).unwrap()
}

fn policy(name: &str) -> Policy {
    Policy {
        genesis: genesis(name),
        head: None,
    }
}

/// The committee of term 1, and the block of term 0 that hands over to it.
fn rung(genesis: &Genesis) -> Rung {
    rung_at(genesis, 5)
}

fn rung_at(genesis: &Genesis, height: u64) -> Rung {
    let keys = genesis.keys();
    let next = Committee::new(1, voters(5).iter().map(VoteKey::public).collect()).unwrap();
    let header = BlockHeader {
        height,
        time: 50_000,
        next_committee: next.hash(&keys),
        ..genesis.block()
    };
    let head = certified(genesis, &genesis.committee(), header, &voters(1)[..3]);
    Rung { head, next }
}

fn certified(genesis: &Genesis, committee: &Committee, header: BlockHeader, voters: &[VoteKey]) -> Head {
    let id = header.id(&genesis.keys());
    let voters: Vec<&VoteKey> = voters.iter().collect();
    let certificate = Certificate::sign(committee, 0, &header, id, &voters);
    Head { header, certificate }
}

/// Two final blocks at height 9, in term 1.
fn two_heads() -> EvidenceFile {
    let genesis = genesis("true");
    let (keys, rung) = (genesis.keys(), rung(&genesis));
    let head = |time| {
        let header = BlockHeader {
            height: 9,
            term: 1,
            time,
            committee: rung.next.hash(&keys),
            next_committee: rung.next.hash(&keys),
            ..genesis.block()
        };
        certified(&genesis, &rung.next, header, &voters(5)[..3])
    };
    let evidence = Evidence::of_heads(&keys, head(90_000), head(90_001));
    EvidenceFile {
        genesis,
        ladder: vec![rung],
        evidence,
    }
}

/// Two precommits of one validator, in term 0.
fn two_votes() -> EvidenceFile {
    let (genesis, key) = (genesis("true"), voters(1).remove(1));
    let vote = |block: Hash| {
        let message = vote_message(genesis.network(), VoteKind::Precommit, 7, 2, block);
        (block, key.sign(&message))
    };
    let evidence = Evidence::TwoVotes(Box::new(TwoVotes {
        validator: key.public(),
        kind: VoteKind::Precommit,
        height: 7,
        round: 2,
        first: vote(Hash([1; 32])),
        second: vote(Hash([2; 32])),
    }));
    EvidenceFile {
        genesis,
        ladder: Vec::new(),
        evidence,
    }
}

fn verdict(file: &EvidenceFile) -> Verdict {
    verify_evidence(&file.to_bytes(), Some(&policy("true"))).verdict
}

#[test]
fn true_evidence_is_verified_and_says_who_broke_the_rules() {
    let file = two_heads();
    let outcome = verify_evidence(&file.to_bytes(), Some(&policy("true")));
    assert_eq!(outcome.verdict, Verdict::Verified);
    let text = outcome.to_string();
    let EvidenceFinding::Proven(proven) = outcome.finding else {
        panic!("not proven")
    };
    assert_eq!((proven.term, proven.quorum), (1, (3, 4)));
    let both: Vec<_> = voters(5)[..3].iter().map(VoteKey::public).collect();
    assert_eq!(proven.convicted, both);
    assert!(
        text.starts_with("VERIFIED  the validators made two different blocks final at height 9\n"),
        "{text}"
    );

    let outcome = verify_evidence(&two_votes().to_bytes(), Some(&policy("true")));
    let text = outcome.to_string();
    assert!(
        text.starts_with("VERIFIED  a validator cast two contradicting precommits at height 7, round 2\n")
            && text.contains(&format!("{}  cast both", voters(1)[1].public())),
        "{text}"
    );
}

#[test]
fn no_flipped_bit_anywhere_leaves_evidence_verified() {
    let policy = policy("true");
    for file in [two_heads(), two_votes()] {
        let bytes = file.to_bytes();
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[place] ^= 1 << bit;
                let verdict = verify_evidence(&other, Some(&policy)).verdict;
                assert_ne!(verdict, Verdict::Verified, "byte {place} bit {bit}");
            }
        }
    }
}

#[test]
fn no_part_of_evidence_is_readable_as_all_of_it() {
    for file in [two_heads(), two_votes()] {
        let bytes = file.to_bytes();
        for end in 0..bytes.len() {
            let cut = verify_evidence(&bytes[..end], Some(&policy("true")));
            assert_eq!(cut.verdict, Verdict::Malformed, "cut at {end}");
        }
        let longer = [&bytes[..], b"\0"].concat();
        let longer = verify_evidence(&longer, Some(&policy("true")));
        assert_eq!(longer.verdict, Verdict::Malformed);
    }
}

/// What is changed, how, and the verdict on the result.
type Tampering = (&'static str, fn(&mut EvidenceFile), Verdict);

fn of_heads(file: &mut EvidenceFile) -> &mut TwoHeads {
    match &mut file.evidence {
        Evidence::TwoHeads(heads) => heads,
        Evidence::TwoVotes(_) => panic!("these are votes"),
    }
}

fn of_votes(file: &mut EvidenceFile) -> &mut TwoVotes {
    match &mut file.evidence {
        Evidence::TwoVotes(votes) => votes,
        Evidence::TwoHeads(_) => panic!("these are heads"),
    }
}

const HEADS: &[Tampering] = &[
    (
        "name of the network",
        |file| file.genesis.name = "other".to_owned(),
        Verdict::Tampered,
    ),
    (
        "a validator of the genesis",
        |file| file.genesis.validators = voters(3).iter().map(VoteKey::public).collect(),
        Verdict::Tampered,
    ),
    ("no ladder", |file| file.ladder.clear(), Verdict::Tampered),
    (
        "a rung twice",
        |file| file.ladder.push(file.ladder[0].clone()),
        Verdict::Tampered,
    ),
    (
        "height of a rung",
        |file| file.ladder[0].head.header.height = 4,
        Verdict::Tampered,
    ),
    (
        "a rung that comes after the blocks",
        |file| file.ladder[0] = rung_at(&genesis("true"), 9),
        Verdict::Tampered,
    ),
    (
        "round of a rung",
        |file| file.ladder[0].head.certificate.round = 1,
        Verdict::Tampered,
    ),
    (
        "members that a rung leads to",
        |file| {
            file.ladder[0].next = Committee::new(1, voters(4).iter().map(VoteKey::public).collect()).unwrap();
        },
        Verdict::Tampered,
    ),
    (
        "term that a rung leads to",
        |file| {
            file.ladder[0].next = Committee::new(2, file.ladder[0].next.members().to_vec()).unwrap();
        },
        Verdict::Tampered,
    ),
    (
        "time of a block",
        |file| of_heads(file).first.header.time += 1,
        Verdict::Tampered,
    ),
    (
        "height of both blocks",
        |file| {
            let heads = of_heads(file);
            heads.first.header.height = 8;
            heads.second.header.height = 8;
        },
        Verdict::Tampered,
    ),
    (
        "round of a certificate",
        |file| of_heads(file).second.certificate.round = 1,
        Verdict::Tampered,
    ),
    (
        "a certificate for the other block",
        |file| {
            let heads = of_heads(file);
            heads.second.certificate = heads.first.certificate.clone();
        },
        Verdict::Tampered,
    ),
    (
        "too few signatures",
        |file| {
            let genesis = file.genesis.clone();
            let next = file.ladder[0].next.clone();
            let heads = of_heads(file);
            heads.first = certified(&genesis, &next, heads.first.header.clone(), &voters(5)[..2]);
        },
        Verdict::Tampered,
    ),
    (
        "signatures of strangers",
        |file| {
            let genesis = file.genesis.clone();
            let strangers = Committee::new(1, voters(9).iter().map(VoteKey::public).collect()).unwrap();
            let heads = of_heads(file);
            heads.first = certified(&genesis, &strangers, heads.first.header.clone(), &voters(9)[..3]);
        },
        Verdict::Tampered,
    ),
    (
        "one block twice",
        |file| {
            let heads = of_heads(file);
            heads.second = heads.first.clone();
        },
        Verdict::Tampered,
    ),
    (
        "the blocks in the other order",
        |file| {
            let heads = of_heads(file);
            std::mem::swap(&mut heads.first, &mut heads.second);
        },
        Verdict::Tampered,
    ),
];

const VOTES: &[Tampering] = &[
    (
        "validator",
        |file| of_votes(file).validator = voters(1)[0].public(),
        Verdict::Tampered,
    ),
    (
        "a validator that is none",
        |file| of_votes(file).validator = voters(5)[3].public(),
        Verdict::Tampered,
    ),
    (
        "kind of vote",
        |file| of_votes(file).kind = VoteKind::Prevote,
        Verdict::Tampered,
    ),
    ("height", |file| of_votes(file).height = 8, Verdict::Tampered),
    ("round", |file| of_votes(file).round = 1, Verdict::Tampered),
    (
        "a block voted for",
        |file| of_votes(file).first.0 = Hash([0; 32]),
        Verdict::Tampered,
    ),
    (
        "a signature",
        |file| of_votes(file).second.1 = of_votes(file).first.1,
        Verdict::Tampered,
    ),
    (
        "one vote twice",
        |file| of_votes(file).second = of_votes(file).first,
        Verdict::Tampered,
    ),
    (
        "the votes in the other order",
        |file| {
            let votes = of_votes(file);
            std::mem::swap(&mut votes.first, &mut votes.second);
        },
        Verdict::Tampered,
    ),
    (
        "a ladder to another committee",
        |file| file.ladder.push(rung(&genesis("true"))),
        Verdict::Tampered,
    ),
];

#[test]
fn each_field_that_was_tampered_with_is_found() {
    for (good, table) in [(two_heads(), HEADS), (two_votes(), VOTES)] {
        assert_eq!(verdict(&good), Verdict::Verified);
        for (what, change, expected) in table {
            let mut file = good.clone();
            change(&mut file);
            assert_ne!(file, good, "{what}: nothing was changed");
            assert_eq!(verdict(&file), *expected, "{what}");
        }
    }
}

#[test]
fn evidence_proves_nothing_about_a_network_that_the_policy_does_not_pin() {
    let bytes = two_heads().to_bytes();
    assert_eq!(verify_evidence(&bytes, None).verdict, Verdict::Unanchored);
    let outcome = verify_evidence(&bytes, Some(&policy("other")));
    assert_eq!(outcome.verdict, Verdict::Unanchored);
    assert!(
        outcome.to_string().contains("get the policy of that network"),
        "{outcome}"
    );
    // Somebody founds a network of the same members and lets it contradict itself: that accuses nobody elsewhere.
    let mut other = two_votes();
    other.genesis = genesis("other");
    let vote = |block: Hash| {
        let message = vote_message(other.genesis.network(), VoteKind::Precommit, 7, 2, block);
        (block, voters(1)[1].sign(&message))
    };
    let (first, second) = (vote(Hash([1; 32])), vote(Hash([2; 32])));
    let votes = of_votes(&mut other);
    (votes.first, votes.second) = (first, second);
    assert_eq!(verdict(&other), Verdict::Unanchored);
}

#[test]
fn the_program_tells_evidence_from_receipts_by_itself() {
    let folder = Folder::new("evidence");
    let evidence = folder.write("evidence", &two_heads().to_bytes());
    let policy_file = folder.write("policy", policy("true").to_text().as_bytes());
    let good = run(&[&evidence, "--policy", &policy_file]);
    let text = String::from_utf8(good.stdout).unwrap();
    assert_eq!(good.status.code(), Some(0), "{text}");
    assert!(text.starts_with("VERIFIED  the validators made two"), "{text}");
    assert_eq!(run(&[&evidence]).status.code(), Some(20));

    let mut forged = two_heads();
    of_heads(&mut forged).first.header.time += 1;
    let forged = folder.write("forged", &forged.to_bytes());
    assert_eq!(run(&[&forged, "--policy", &policy_file]).status.code(), Some(40));
    let cut = folder.write("cut", &two_heads().to_bytes()[..300]);
    assert_eq!(run(&[&cut, "--policy", &policy_file]).status.code(), Some(50));

    let body = run(&[&evidence, "--policy", &policy_file, "--body", &policy_file]);
    let told = String::from_utf8(body.stderr).unwrap();
    assert!(
        body.status.code() == Some(2) && told.contains("leave --body out"),
        "{told}"
    );
}

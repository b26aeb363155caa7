//! Histories in which the committee changes: each block is judged by the committee of its time and no other.

use waxwing_audit::audit;
use waxwing_audit::bundle::{Bundle, export};
use waxwing_audit::directory::Directory;
use waxwing_audit::finding::{Coverage, Fault};
use waxwing_audit::report::Report;
use waxwing_core::certificate::{Certificate, HeadError, VoteKind, vote_message};
use waxwing_core::envelope::{Body, EnvelopeError, ErasureSecret};
use waxwing_core::evidence::{Evidence, TwoVotes};
use waxwing_core::hash::Hash;
use waxwing_core::keys::VoteKey;
use waxwing_core::verdict::Verdict;
use waxwing_store::fixture::{World, validator};
use waxwing_store::rows::meta;
use waxwing_store::{Family, MemoryTables};

use crate::histories::{History, note, town};

/// Terms that begin at 4, 5 and 8; the last change was agreed on in block 5 already.
fn changing() -> World<MemoryTables> {
    let mut world = town();
    world.append(100, &[note(1, 0)]);
    agree(&mut world, 4, 2..9);
    world.append(100, &[note(2, 1)]);
    agree(&mut world, 5, 8..9);
    world.append(100, &[note(1, 2), note(2, 3)]);
    agree(&mut world, 8, 0..4);
    world.append(100, &[note(1, 4)]);
    world.append(100, &[note(3, 5)]);
    world
}

fn agree(world: &mut World<MemoryTables>, from: u64, numbers: core::ops::Range<u8>) {
    let change = world.change(from, numbers);
    world.append_entries(100, &[change]);
}

fn history() -> History {
    History::of(&changing())
}

#[test]
fn a_history_of_four_terms_is_verified_from_memory_and_from_its_tables() {
    let world = changing();
    let starts: Vec<u64> = world.ledger.ladder().terms().map(|term| term.from).collect();
    assert_eq!(starts, [0, 4, 5, 8]);
    let report = History::of(&world).verdict();
    assert_eq!((report.verdict, report.terms), (Verdict::Verified, 4), "{report}");
    assert_eq!(in_tables(&world).verdict, Verdict::Verified);
    let (history, mut bytes) = (History::of(&world), Vec::new());
    export(&mut history.source(), &mut bytes, &mut |_| ()).unwrap();
    let mut bundle = Bundle::read(std::io::Cursor::new(&bytes)).unwrap();
    let report = audit(&mut bundle, Some(&history.policy()), &mut |_| ()).unwrap();
    assert_eq!((report.verdict, report.terms), (Verdict::Verified, 4), "{report}");
}

fn in_tables(world: &World<MemoryTables>) -> Report {
    let policy = History::of(world).policy();
    let mut source = Directory::on(world.store.tables().copy(), [7; 32]).unwrap();
    audit(&mut source, Some(&policy), &mut |_| ()).unwrap()
}

#[test]
fn the_committee_of_another_term_certifies_nothing() {
    for (height, voters) in [(3, 2..9_u8), (4, 0..4), (4, 8..9), (5, 2..9), (8, 8..9)] {
        let mut history = history();
        let keys = history.genesis.keys();
        let world = changing();
        let ladder = world.ledger.ladder();
        let voters: Vec<VoteKey> = voters.map(validator).collect();
        let voters: Vec<&VoteKey> = voters.iter().collect();
        let head = &mut history.at(height).head;
        let usurper = ladder.terms().find(|term| {
            let members = term.committee.members();
            members.len() == voters.len() && voters.iter().all(|key| members.contains(&key.public()))
        });
        let usurper = &usurper.unwrap().committee;
        head.certificate = Certificate::sign(usurper, 0, &head.header, head.header.id(&keys), &voters);
        let report = history.verdict();
        assert_eq!(report.verdict, Verdict::Tampered, "{height}: {report}");
        let first = report.first().unwrap();
        assert!(
            matches!(
                first.fault,
                Fault::NotCertified {
                    error: HeadError::Quorum(_),
                    ..
                }
            ),
            "{report}"
        );
    }
}

#[test]
fn a_block_of_a_term_that_is_over_is_refused() {
    let mut history = history();
    let keys = history.genesis.keys();
    let founders = history.genesis.committee();
    let header = &mut history.at(4).head.header;
    (header.term, header.committee, header.next_committee) = (0, founders.hash(&keys), founders.hash(&keys));
    let header = header.clone();
    let voters: Vec<VoteKey> = (0..4).map(validator).collect();
    let voters: Vec<&VoteKey> = voters.iter().collect();
    history.at(4).head.certificate = Certificate::sign(&founders, 0, &header, header.id(&keys), &voters);
    let report = history.verdict();
    assert_eq!(report.verdict, Verdict::Tampered, "{report}");
    let first = report.first().unwrap();
    assert!(
        matches!(
            first.fault,
            Fault::NotCertified {
                error: HeadError::WrongCommittee,
                ..
            }
        ),
        "{report}"
    );
    assert_eq!((first.at.height, report.good.unwrap().height), (4, 3));
}

#[test]
fn without_the_body_of_a_change_the_audit_ends_there_and_blames_nobody() {
    let secret = |history: &mut History| {
        let header = &history.at(4).entries[0].signed.header;
        ErasureSecret(header.body_hash.0)
    };
    let mut withheld = history();
    withheld.at(4).entries[0].body = Body::Withheld;
    let mut erased = history();
    erased.at(4).entries[0].body = Body::Erased(secret(&mut erased));
    let mut expired = history();
    expired.at(4).entries[0].body = Body::Expired;
    for history in [withheld, erased, expired] {
        let report = history.verdict();
        assert_eq!(
            (report.verdict, report.exit_code()),
            (Verdict::Incomplete, 12),
            "{report}"
        );
        assert_eq!((report.head.unwrap().height, report.bodies.withheld), (3, 1));
        assert_eq!(report.findings, []);
    }
    let mut damaged = history();
    let Body::Present(bytes) = &mut damaged.at(4).entries[0].body else {
        panic!("the change has its body")
    };
    bytes[60] ^= 1;
    let report = damaged.verdict();
    assert_eq!(report.verdict, Verdict::Tampered, "{report}");
    let first = report.first().unwrap();
    assert_eq!(first.fault, Fault::Body(EnvelopeError::WrongBodyHash));
    assert_eq!((first.at.height, first.coverage), (4, Coverage::Changed));
}

#[test]
fn the_committees_in_a_directory_are_those_that_the_blocks_lead_to() {
    type Damage<'a> = &'a dyn Fn(&World<MemoryTables>);
    let damage: [Damage<'_>; 3] = [
        &|world| world.store.raw().delete(Family::Meta, &meta::term_key(5)).unwrap(),
        &|world| {
            let other = world
                .store
                .raw()
                .get(Family::Meta, &meta::term_key(4))
                .unwrap()
                .unwrap();
            world.store.raw().put(Family::Meta, &meta::term_key(8), &other).unwrap();
        },
        &|world| {
            let other = world
                .store
                .raw()
                .get(Family::Meta, &meta::term_key(4))
                .unwrap()
                .unwrap();
            world.store.raw().put(Family::Meta, &meta::term_key(7), &other).unwrap();
        },
    ];
    for (number, change) in damage.into_iter().enumerate() {
        let world = changing();
        change(&world);
        let report = in_tables(&world);
        assert_eq!(report.verdict, Verdict::Tampered, "{number}: {report}");
        assert_eq!(report.first().unwrap().fault, Fault::Row { table: "meta" }, "{number}");
        assert_eq!(report.findings.len(), 1, "{number}");
    }
}

/// Evidence against a validator that left is carried by a later block, and judged by the committee of its time.
#[test]
fn evidence_is_judged_by_the_committee_of_its_height() {
    let against = |number: u8, height: u64| {
        let (keys, key) = (town().ledger.keys().clone(), validator(number));
        let vote = |block: u8| {
            let message = vote_message(keys.network(), VoteKind::Precommit, height, 0, Hash([block; 32]));
            (Hash([block; 32]), key.sign(&message))
        };
        Evidence::TwoVotes(Box::new(TwoVotes {
            validator: key.public(),
            kind: VoteKind::Precommit,
            height,
            round: 0,
            first: vote(1),
            second: vote(2),
        }))
    };
    for (evidence, holds) in [
        (against(1, 3), true),
        (against(1, 4), false),
        (against(6, 4), true),
        (against(6, 3), false),
    ] {
        let mut world = changing();
        let draft = world.ledger.draft(&world.store, world.ledger.head().time + 100);
        let step = draft.finish(world.ledger.turns()[0], vec![evidence]);
        let certificate = world.certify(&step);
        world.store.commit(&step, &certificate).unwrap();
        world.ledger.advance(step);
        let report = History::of(&world).verdict();
        assert_eq!(report.verdict == Verdict::Verified, holds, "{report}");
        let mut faults = report.findings.iter().map(|found| &found.fault);
        assert!(faults.all(|fault| matches!(fault, Fault::Evidence(_))));
    }
}

//! One thing wrong at a time: the verdict, the place, and whose doing it is.

use waxwing_audit::finding::{Blame, Coverage, Fault};
use waxwing_audit::report::Report;
use waxwing_core::Hash;
use waxwing_core::block::{BlockHeader, CertifiedBlock, entries_root};
use waxwing_core::certificate::{Certificate, VoteKind, vote_message};
use waxwing_core::envelope::{Body, EnvelopeError, ErasureSecret};
use waxwing_core::evidence::{Evidence, TwoVotes};
use waxwing_core::keys::VoteKey;
use waxwing_core::ledger::{EntryFault, HeaderField};
use waxwing_core::verdict::Verdict;
use waxwing_store::MemoryTables;
use waxwing_store::fixture::{World, validator};

use crate::histories::{History, VALIDATORS, certified, honest, note, sealed, town};

/// Audits an honest history after one change.
fn changed(change: impl FnOnce(&mut History)) -> Report {
    let mut history = honest();
    assert_eq!(history.verdict().verdict, Verdict::Verified);
    change(&mut history);
    history.verdict()
}

/// The first finding: fault, height, place in the block, index in the log, what a certificate says.
fn first(report: &Report) -> (Fault, u64, Option<u32>, Option<u64>, Coverage) {
    let first = report.first().unwrap();
    let index = first.at.entry.map(|(_, index)| index);
    (
        first.fault.clone(),
        first.at.height,
        first.at.place,
        index,
        first.coverage,
    )
}

fn tampered(report: &Report) -> (Fault, u64, Option<u32>, Option<u64>, Coverage) {
    assert_eq!(
        (report.verdict, report.exit_code()),
        (Verdict::Tampered, 40),
        "{report}"
    );
    first(report)
}

#[test]
fn a_bit_in_a_body_names_the_entry_and_leaves_the_order_standing() {
    let report = changed(|history| {
        let Body::Present(bytes) = &mut history.at(4).entries[0].body else {
            panic!("block 4 has its body")
        };
        bytes[100] ^= 1;
    });
    let fault = Fault::Body(EnvelopeError::WrongBodyHash);
    assert_eq!(tampered(&report), (fault, 4, Some(0), Some(2), Coverage::Changed));
    assert_eq!(
        (report.figures.blocks, report.bodies.damaged, report.bodies.present),
        (7, 1, 8)
    );
    assert_eq!(
        report.good.unwrap().height,
        7,
        "bodies are committed to by their hash alone"
    );
    assert!(report.holds()[0].contains("up to block 7"), "{report}");
}

#[test]
fn a_forged_excuse_is_a_wrong_secret() {
    let report = changed(|history| history.at(2).entries[1].body = Body::Erased(ErasureSecret([3; 32])));
    let fault = Fault::Body(EnvelopeError::WrongSecret);
    assert_eq!(tampered(&report), (fault, 2, Some(1), Some(1), Coverage::Changed));
    assert_eq!(report.bodies.erased, 0);
}

#[test]
fn a_bit_in_a_signature_names_the_entry_and_nothing_after_it_is_claimed() {
    let report = changed(|history| history.at(3).entries[1].signed.signature.0[9] ^= 4);
    let fault = Fault::Envelope(EnvelopeError::BadSignature);
    assert_eq!(tampered(&report), (fault, 3, Some(1), Some(3), Coverage::Changed));
    assert_eq!(report.good.unwrap().height, 2);
    assert_eq!(report.affected().from.unwrap().0, 3);
    assert!(report.to_string().contains("blocks 3 to 7"), "{report}");
}

#[test]
fn a_bit_in_an_envelope_header_breaks_its_signature() {
    let report = changed(|history| history.at(2).entries[2].signed.header.erasure.0[0] ^= 1);
    let found = tampered(&report);
    assert!(matches!(found.0, Fault::Envelope(_)), "{report}");
    assert_eq!((found.1, found.2, found.4), (2, Some(2), Coverage::Changed));
}

#[test]
fn a_certificate_that_was_changed_is_told_from_a_header_that_was_changed() {
    let report = changed(|history| history.at(3).head.certificate.round = 9);
    let (fault, height, ..) = tampered(&report);
    assert!(
        matches!(
            fault,
            Fault::NotCertified {
                blame: Blame::Certificate,
                ..
            }
        ),
        "the next block names this header: {report}"
    );
    assert_eq!((height, report.figures.blocks, report.good.unwrap().height), (3, 7, 7));

    let report = changed(|history| {
        let validators = history.genesis.validators.clone();
        let proposer = &mut history.at(3).head.header.proposer;
        let other = validators.into_iter().find(|validator| validator != proposer);
        *proposer = other.unwrap();
    });
    let (fault, height, .., coverage) = tampered(&report);
    assert!(
        matches!(
            fault,
            Fault::NotCertified {
                blame: Blame::Header,
                ..
            }
        ),
        "the next block names another header: {report}"
    );
    assert_eq!((height, coverage), (3, Coverage::Changed));

    let report = changed(|history| history.at(3).head.header.proposer.0[0] ^= 1);
    let (fault, height, .., coverage) = tampered(&report);
    assert!(
        matches!(
            fault,
            Fault::NotCertified {
                blame: Blame::Header,
                ..
            }
        ),
        "nobody of the committee proposed it, so it is the header that was changed: {report}"
    );
    assert_eq!((height, coverage), (3, Coverage::Open));

    let report = changed(|history| history.at(7).head.certificate.round = 9);
    assert!(
        matches!(
            tampered(&report).0,
            Fault::NotCertified {
                blame: Blame::Either,
                ..
            }
        ),
        "no block follows that could tell: {report}"
    );
}

#[test]
fn two_broken_certificates_in_a_row_are_both_cleared_by_the_next_good_one() {
    let report = changed(|history| {
        history.at(3).head.certificate.round = 9;
        history.at(4).head.certificate.round = 9;
    });
    assert_eq!(report.findings.len(), 2, "{report}");
    for (finding, height) in report.findings.iter().zip([3, 4]) {
        assert_eq!(finding.at.height, height);
        assert!(matches!(
            finding.fault,
            Fault::NotCertified {
                blame: Blame::Certificate,
                ..
            }
        ));
    }
}

#[test]
fn a_header_that_fits_neither_certificate_nor_content_was_changed() {
    let changes: [fn(&mut BlockHeader); 13] = [
        |header| header.map_root.0[0] ^= 1,
        |header| header.history_root.0[0] ^= 1,
        |header| header.entries_root.0[0] ^= 1,
        |header| header.time += 1,
        |header| header.total_entries += 1,
        |header| header.parent.0[0] ^= 1,
        |header| header.height += 1,
        |header| header.committee.0[0] ^= 1,
        |header| header.term += 1,
        |header| header.log_count += 1,
        |header| header.evidence_root.0[0] ^= 1,
        |header| header.parameters.0[0] ^= 1,
        |header| header.next_committee.0[0] ^= 1,
    ];
    for change in changes {
        let report = changed(|history| change(&mut history.at(3).head.header));
        let (fault, height, ..) = tampered(&report);
        assert!(
            matches!(
                fault,
                Fault::NotCertified {
                    blame: Blame::Header,
                    ..
                }
            ),
            "{report}"
        );
        assert_eq!(height, 3, "{report}");
        assert_eq!(report.good.unwrap().height, 2);
    }
}

#[test]
fn dropped_swapped_repeated_and_foreign_blocks_are_not_next() {
    let dropped = changed(|history| drop(history.blocks.remove(3)));
    assert_eq!(tampered(&dropped).1, 4, "{dropped}");
    assert_eq!(tampered(&dropped).0, Fault::NotNext);
    let swapped = changed(|history| history.blocks.swap(1, 2));
    assert_eq!((tampered(&swapped).0, tampered(&swapped).1), (Fault::NotNext, 2));
    let twice = changed(|history| {
        let again = history.blocks[2].clone();
        history.blocks.insert(3, again);
    });
    assert_eq!((tampered(&twice).0, tampered(&twice).1), (Fault::NotNext, 4));
    let foreign = changed(|history| {
        let mut other = World::found(MemoryTables::new(), 1);
        other.append(100, &[note(1, 0)]);
        history.blocks[0] = History::of(&other).blocks.remove(0);
    });
    assert!(matches!(tampered(&foreign).0, Fault::ForeignBlock { .. }), "{foreign}");
}

#[test]
fn entries_that_are_swapped_dropped_or_put_in_are_not_what_was_certified() {
    let swapped = changed(|history| history.at(1).entries.swap(0, 1));
    let found = tampered(&swapped);
    assert_eq!(found.0, Fault::Header(HeaderField::EntriesRoot));
    assert_eq!((found.1, found.4), (1, Coverage::Changed));

    let dropped = changed(|history| drop(history.at(2).entries.remove(1)));
    assert_eq!(
        (tampered(&dropped).1, tampered(&dropped).4),
        (2, Coverage::Changed),
        "{dropped}"
    );

    let put_in = changed(|history| {
        history.at(2).entries[1] = sealed(&town(), &note(9, 99));
    });
    assert_eq!(
        (tampered(&put_in).1, tampered(&put_in).4),
        (2, Coverage::Changed),
        "{put_in}"
    );
}

/// Puts something into block 3 that the rules do not allow, and certifies it with the network's own keys.
fn certified_against_the_rules(change: impl FnOnce(&mut CertifiedBlock)) -> Report {
    let mut world = town();
    world.append(100, &[note(1, 0)]);
    world.append(100, &[note(1, 1)]);
    let mut history = History::of(&world);
    let entries = [world.verified(&note(1, 2)), world.verified(&note(2, 3))];
    let (step, certificate) = world.propose(100, &entries);
    let mut block = certified(&step, certificate);
    change(&mut block);
    let header = &block.head.header;
    let voters: Vec<VoteKey> = (0..VALIDATORS).map(validator).collect();
    let voters: Vec<&VoteKey> = voters.iter().collect();
    let id = header.id(&history.genesis.keys());
    block.head.certificate = Certificate::sign(&history.genesis.committee(), 0, header, id, &voters);
    history.blocks.push(block);
    history.verdict()
}

#[test]
fn what_the_validators_certified_against_the_rules_is_said_to_be_their_doing() {
    let sound = certified_against_the_rules(|_| ());
    assert_eq!(sound.verdict, Verdict::Verified, "{sound}");

    let map = certified_against_the_rules(|block| block.head.header.map_root = Hash([1; 32]));
    let fault = Fault::Header(HeaderField::MapRoot);
    assert_eq!(tampered(&map), (fault, 3, None, None, Coverage::Certified));

    let early = certified_against_the_rules(|block| block.head.header.time -= 1000);
    assert_eq!(
        tampered(&early),
        (Fault::TimeRunsBack, 3, None, None, Coverage::Certified)
    );

    let again = certified_against_the_rules(|block| {
        let keys = town().store.keys().clone();
        block.entries[1] = sealed(&town(), &note(1, 0));
        let leaf = |entry: &waxwing_core::envelope::Carried, index| {
            waxwing_core::block::block_leaf(&keys, &entry.signed.entry_id(&keys), index)
        };
        let leaves = [leaf(&block.entries[0], 2), leaf(&block.entries[1], 3)];
        block.head.header.entries_root = entries_root(&keys, &leaves);
    });
    let fault = Fault::Rule(EntryFault::Duplicate);
    assert_eq!(tampered(&again), (fault, 3, Some(1), Some(3), Coverage::Certified));
    assert!(
        again
            .to_string()
            .contains("the validators certified a block that breaks the rules"),
        "{again}"
    );
}

fn two_votes(network: Hash) -> Evidence {
    let key = validator(0);
    let vote = |block| {
        let message = vote_message(network, VoteKind::Precommit, 1, 0, block);
        (block, key.sign(&message))
    };
    Evidence::TwoVotes(Box::new(TwoVotes {
        validator: key.public(),
        kind: VoteKind::Precommit,
        height: 1,
        round: 0,
        first: vote(Hash([1; 32])),
        second: vote(Hash([2; 32])),
    }))
}

#[test]
fn evidence_in_a_block_is_counted_and_changed_evidence_is_found() {
    let world = town();
    let genesis = world.store.genesis().clone();
    let draft = world.ledger.draft(&world.store, world.ledger.head().time + 100);
    let step = draft.finish(validator(0).public(), vec![two_votes(genesis.network())]);
    let blocks = vec![certified(&step, world.certify(&step))];
    let mut history = History { genesis, blocks };
    let sound = history.verdict();
    assert_eq!((sound.verdict, sound.figures.evidence), (Verdict::Verified, 1));
    history.blocks[0].evidence.clear();
    let report = history.verdict();
    let fault = Fault::Header(HeaderField::EvidenceRoot);
    assert_eq!(tampered(&report), (fault, 1, None, None, Coverage::Changed));
}

#[test]
fn damaged_founding_facts_are_told_from_another_network() {
    let mut history = honest();
    let policy = history.policy();
    history.genesis.time += 1;
    let report = history.audit(Some(&policy));
    assert_eq!(tampered(&report).0, Fault::Genesis, "{report}");
    let unpinned = history.audit(None);
    assert!(
        matches!(tampered(&unpinned).0, Fault::ForeignBlock { .. }),
        "{unpinned}"
    );
}

#[test]
fn a_wrong_stamp_says_how_many_bits_there_are() {
    let report = changed(|history| {
        let genesis = history.genesis.clone();
        let keys = genesis.keys();
        let signed = &mut history.at(4).entries[0].signed;
        while signed.header.stamp(&keys).leading_zero_bits() > 0 {
            signed.header.nonce += 1;
        }
    });
    let fault = Fault::Envelope(EnvelopeError::WeakStamp { required: 3 });
    assert_eq!(
        tampered(&report).0,
        fault,
        "3000 bytes are 3 KiB: two bits more than the base"
    );
    assert_eq!(report.first().unwrap().found, "a stamp of 0 bits");
}

#[test]
fn only_the_first_findings_are_kept_and_all_are_counted() {
    let mut world = town();
    let notes: Vec<_> = (0..100).map(|number| note(number, number)).collect();
    world.append(100, &notes);
    let mut history = History::of(&world);
    for entry in &mut history.blocks[0].entries {
        entry.body = Body::Present(vec![0; 40]);
    }
    let report = history.verdict();
    assert_eq!((report.findings.len(), report.more_findings), (64, 36));
    assert_eq!((report.bodies.damaged, report.bodies.present), (100, 0));
}

#[test]
fn a_body_of_another_length_is_wrong_even_if_it_is_empty() {
    let report = changed(|history| history.at(1).entries[0].body = Body::Present(Vec::new()));
    assert_eq!(tampered(&report).0, Fault::Body(EnvelopeError::WrongBodyLength));
}

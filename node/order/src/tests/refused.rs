//! What is not believed, each beside what is.

use waxwing_core::Hash;
use waxwing_core::certificate::VoteKind;
use waxwing_core::genesis::{Genesis, Parameters};

use super::bench::{Bench, hear_proposal, hear_vote, records};
use crate::{Host, Input, Message, Output, Proposal, RoundKind, Vote};

/// Member 1's host at height 1.
fn host(bench: &Bench) -> Host {
    bench.begun(1).0
}

fn counts_vote(bench: &Bench, vote: &Vote) -> bool {
    !hear_vote(&mut host(bench), vote).is_empty()
}

fn counts_proposal(bench: &Bench, proposal: &Proposal) -> bool {
    let outputs = hear_proposal(&mut host(bench), proposal);
    let is_judged = outputs.iter().any(|output| matches!(output, Output::Judge { .. }));
    assert_eq!(
        outputs.is_empty(),
        !is_judged,
        "recorded and asked about, or neither: {outputs:?}"
    );
    is_judged
}

fn counts(bench: &Bench, message: Message) -> bool {
    !records(&host(bench).on(Input::Message(message))).is_empty()
}

/// The same keys on another network.
fn elsewhere(bench: &Bench) -> Hash {
    let members = bench.committee.members().to_vec();
    Genesis::new("elsewhere", 1_000, Parameters::DEFAULT, members)
        .unwrap()
        .network()
}

#[test]
fn votes_that_are_forged_foreign_strangers_or_of_another_height_are_refused() {
    let bench = Bench::new(4);
    let block = Hash([4; 32]);
    let good = bench.prevote(2, 0, block);
    assert!(counts_vote(&bench, &good));

    let mut forged = good.clone();
    forged.block = Hash([5; 32]);
    assert!(!counts_vote(&bench, &forged), "another block");
    let mut posing = good.clone();
    posing.validator = bench.id(3);
    assert!(!counts_vote(&bench, &posing), "another voter");
    let mut moved = good.clone();
    moved.round = 1;
    assert!(!counts_vote(&bench, &moved), "another round");
    let mut hardened = good.clone();
    hardened.kind = VoteKind::Precommit;
    assert!(!counts_vote(&bench, &hardened), "another step");

    let mut foreign = good.clone();
    foreign.signature = bench.key(2).sign(&good.signed_bytes(elsewhere(&bench)));
    assert!(!counts_vote(&bench, &foreign), "another network");

    assert!(
        !counts_vote(&bench, &bench.vote(2, VoteKind::Prevote, 0, 0, block)),
        "a past height"
    );
    assert!(
        !counts_vote(&bench, &bench.vote(2, VoteKind::Prevote, 2, 0, block)),
        "a coming height"
    );
    assert!(counts_vote(&bench, &bench.prevote(2, 10, block)), "a later round");
    assert!(!counts_vote(&bench, &bench.prevote(2, 11, block)), "a far round");

    let larger = Bench::new(5);
    let stranger = (0..5).find(|member| !bench.committee.members().contains(&larger.id(*member)));
    let mut vote = larger.prevote(stranger.unwrap(), 0, block);
    vote.signature = larger
        .key(stranger.unwrap())
        .sign(&vote.signed_bytes(bench.genesis.network()));
    assert!(!counts_vote(&bench, &vote), "a stranger");
}

#[test]
fn a_vote_that_comes_again_changes_nothing() {
    let bench = Bench::new(4);
    let mut host = host(&bench);
    let vote = bench.prevote(2, 0, Hash([4; 32]));
    assert!(!hear_vote(&mut host, &vote).is_empty());
    assert_eq!(hear_vote(&mut host, &vote), []);
}

#[test]
fn proposals_that_are_forged_foreign_or_out_of_turn_are_refused() {
    let bench = Bench::new(4);
    let header = bench.block(0, 0);
    let good = bench.proposal(0, &header, 0, None);
    assert!(counts_proposal(&bench, &good));

    let mut forged = good.clone();
    forged.header.time += 1;
    assert!(!counts_proposal(&bench, &forged), "another block");
    let mut moved = good.clone();
    moved.round = 4;
    assert!(!counts_proposal(&bench, &moved), "another round");
    assert!(
        counts_proposal(&bench, &bench.proposal(0, &header, 4, None)),
        "its turn again"
    );
    let out_of_turn = bench.proposal(2, &bench.block(2, 0), 0, None);
    assert!(!counts_proposal(&bench, &out_of_turn), "not its turn");
    assert!(
        counts_proposal(&bench, &bench.proposal(2, &bench.block(2, 0), 2, None)),
        "its turn"
    );

    let mut foreign = header.clone();
    foreign.network = elsewhere(&bench);
    assert!(
        !counts_proposal(&bench, &bench.proposal(0, &foreign, 0, None)),
        "another network"
    );
    let mut later = header.clone();
    later.height = 2;
    assert!(
        !counts_proposal(&bench, &bench.proposal(0, &later, 0, None)),
        "a coming height"
    );
    let mut earlier = header;
    earlier.height = 0;
    assert!(
        !counts_proposal(&bench, &bench.proposal(0, &earlier, 0, None)),
        "a past height"
    );
}

#[test]
fn a_block_is_proposed_first_by_its_maker_and_again_only_after_a_polka() {
    let bench = Bench::new(4);
    let theirs = bench.block(0, 0);
    assert!(
        !counts_proposal(&bench, &bench.proposal(2, &theirs, 2, None)),
        "made by another"
    );
    assert!(
        counts_proposal(&bench, &bench.proposal(2, &theirs, 2, Some(1))),
        "proposed again"
    );
    assert!(
        !counts_proposal(&bench, &bench.proposal(2, &theirs, 2, Some(2))),
        "the same round"
    );
    assert!(
        !counts_proposal(&bench, &bench.proposal(2, &theirs, 2, Some(3))),
        "a later one"
    );
}

#[test]
fn collected_prevotes_count_only_with_a_quorum_of_good_ones() {
    let bench = Bench::new(4);
    let block = Hash([4; 32]);
    let good = bench.polka(&[0, 2, 3], 0, block);
    assert!(counts(&bench, Message::Polka(good.clone())));
    assert!(
        !counts(&bench, Message::Polka(bench.polka(&[0, 2], 0, block))),
        "too few"
    );
    assert!(
        !counts(&bench, Message::Polka(bench.polka(&[0, 2, 2], 0, block))),
        "one twice"
    );
    let mut forged = good.clone();
    forged.votes[2].1 = forged.votes[1].1;
    assert!(!counts(&bench, Message::Polka(forged)), "forged");
    let mut moved = good.clone();
    moved.round = 1;
    assert!(!counts(&bench, Message::Polka(moved)), "another round");
    let mut later = good;
    later.height = 2;
    assert!(!counts(&bench, Message::Polka(later)), "another height");
}

#[test]
fn the_end_of_a_round_is_believed_for_a_quorum_and_a_skip_for_more_than_f() {
    let bench = Bench::new(4);
    let precommits = |members: &[usize], round| -> Vec<Vote> {
        let vote = |member: &usize| bench.precommit(*member, round, Hash::ZERO);
        members.iter().map(vote).collect()
    };
    let certificate = |kind, votes: &[Vote]| Message::Round(bench.round_certificate(kind, votes));

    assert!(counts(&bench, certificate(RoundKind::Over, &precommits(&[0, 2, 3], 0))));
    assert!(
        !counts(&bench, certificate(RoundKind::Over, &precommits(&[0, 2], 0))),
        "too few"
    );
    let mut mixed = precommits(&[0, 2], 0);
    mixed.push(bench.prevote(3, 0, Hash::ZERO));
    assert!(
        !counts(&bench, certificate(RoundKind::Over, &mixed)),
        "a first vote ends nothing"
    );

    assert!(counts(&bench, certificate(RoundKind::Skip, &precommits(&[0, 2], 30))));
    assert!(
        !counts(&bench, certificate(RoundKind::Skip, &precommits(&[2], 30))),
        "one may lie"
    );
    assert!(
        !counts(&bench, certificate(RoundKind::Skip, &precommits(&[2, 2], 30))),
        "one twice"
    );
    let mut forged = precommits(&[0, 2], 30);
    forged[1].signature = forged[0].signature;
    assert!(!counts(&bench, certificate(RoundKind::Skip, &forged)), "forged");

    let mut host = host(&bench);
    host.on(Input::Message(certificate(RoundKind::Skip, &precommits(&[0, 2], 30))));
    assert_eq!(host.at(), Some((1, 30)), "where the others are");
}

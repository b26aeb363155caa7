//! Whoever votes twice is caught, wherever the second vote turns up, with evidence that stands by itself.

use waxwing_core::Hash;
use waxwing_core::certificate::{Certificate, VoteKind};
use waxwing_core::committee::Signatures;
use waxwing_core::evidence::Evidence;

use super::bench::{Bench, has_decided, hear_proposal, hear_vote};
use crate::{Host, Input, Message, Output, RoundKind};

/// Who is accused in these outputs, by evidence that counts.
fn accused(bench: &Bench, outputs: &[Output]) -> Vec<usize> {
    let guilty = |output: &Output| match output {
        Output::Equivocation(votes) => {
            let evidence = Evidence::TwoVotes(votes.clone());
            assert_eq!(evidence.verify(&bench.hashes, &bench.committee), Ok(()));
            bench.committee.members().binary_search(&votes.validator).ok()
        }
        _ => None,
    };
    outputs.iter().filter_map(guilty).collect()
}

#[test]
fn two_votes_of_one_step_are_evidence_and_two_of_different_steps_are_not() {
    let bench = Bench::new(4);
    let (one, other) = (Hash([4; 32]), Hash([5; 32]));
    let pairs = [
        (bench.prevote(2, 0, one), bench.prevote(2, 0, other), true),
        (bench.prevote(2, 0, other), bench.prevote(2, 0, one), true),
        (bench.precommit(2, 3, one), bench.precommit(2, 3, Hash::ZERO), true),
        (bench.prevote(2, 0, one), bench.precommit(2, 0, other), false),
        (bench.prevote(2, 0, one), bench.prevote(2, 1, other), false),
        (bench.prevote(2, 0, one), bench.prevote(3, 0, other), false),
        (bench.prevote(2, 0, one), bench.prevote(2, 0, one), false),
    ];
    for (first, second, is_guilty) in pairs {
        let (mut host, _) = bench.begun(1);
        assert_eq!(accused(&bench, &hear_vote(&mut host, &first)), []);
        let outputs = hear_vote(&mut host, &second);
        let expected: &[usize] = if is_guilty { &[2] } else { &[] };
        assert_eq!(accused(&bench, &outputs), expected, "{first:?} {second:?}");
    }
}

#[test]
fn nobody_is_accused_by_a_forged_vote_and_everybody_once() {
    let bench = Bench::new(4);
    let (mut host, _) = bench.begun(1);
    hear_vote(&mut host, &bench.prevote(2, 0, Hash([4; 32])));
    let mut forged = bench.prevote(2, 0, Hash([5; 32]));
    forged.block = Hash([6; 32]);
    assert_eq!(hear_vote(&mut host, &forged), []);
    assert_eq!(
        accused(&bench, &hear_vote(&mut host, &bench.prevote(2, 0, Hash([5; 32])))),
        [2]
    );
    assert_eq!(
        accused(&bench, &hear_vote(&mut host, &bench.prevote(2, 0, Hash([7; 32])))),
        []
    );
}

#[test]
fn a_second_vote_inside_collected_ones_is_evidence() {
    let bench = Bench::new(4);
    let (one, other) = (Hash([4; 32]), Hash([5; 32]));
    let (mut host, _) = bench.begun(1);
    hear_vote(&mut host, &bench.prevote(2, 0, one));
    let polka = Message::Polka(bench.polka(&[0, 2, 3], 0, other));
    assert_eq!(accused(&bench, &host.on(Input::Message(polka))), [2]);

    let (mut host, _) = bench.begun(1);
    hear_vote(&mut host, &bench.precommit(3, 2, one));
    let votes = [0, 2, 3].map(|member| bench.precommit(member, 2, Hash::ZERO));
    let over = Message::Round(bench.round_certificate(RoundKind::Over, &votes));
    assert_eq!(accused(&bench, &host.on(Input::Message(over))), [3]);
}

/// Member 1's host after a height in which 0, 1 and 2 agreed and 3 was not heard.
fn decided(bench: &Bench) -> (Host, Hash) {
    let (mut host, _) = bench.begun(1);
    let header = bench.block(0, 0);
    let id = bench.block_id(&header);
    hear_proposal(&mut host, &bench.proposal(0, &header, 0, None));
    host.on(Input::Judged { id, is_valid: true });
    let mut outputs = Vec::new();
    for member in [0, 2] {
        hear_vote(&mut host, &bench.prevote(member, 0, id));
    }
    for member in [0, 2] {
        outputs.extend(hear_vote(&mut host, &bench.precommit(member, 0, id)));
    }
    assert!(has_decided(&outputs));
    (host, id)
}

#[test]
fn a_vote_that_comes_after_the_decision_is_compared_all_the_same() {
    let bench = Bench::new(4);
    let (mut host, id) = decided(&bench);
    assert_eq!(hear_vote(&mut host, &bench.precommit(2, 0, id)), [], "an echo");
    assert_eq!(hear_vote(&mut host, &bench.precommit(3, 0, id)), [], "late");
    assert_eq!(
        accused(&bench, &hear_vote(&mut host, &bench.precommit(3, 0, Hash::ZERO))),
        [3],
        "both halves came late"
    );
    assert_eq!(
        accused(&bench, &hear_vote(&mut host, &bench.precommit(2, 0, Hash::ZERO))),
        [2]
    );
    assert_eq!(hear_vote(&mut host, &bench.precommit(2, 0, Hash::ZERO)), [], "once");
    // While the next height is under way too.
    bench.begin(&mut host, 2, &[]);
    let vote = bench.vote(0, VoteKind::Prevote, 1, 0, Hash::ZERO);
    assert_eq!(accused(&bench, &hear_vote(&mut host, &vote)), [0]);
}

#[test]
fn who_told_the_others_something_else_is_caught_by_their_certificate() {
    let bench = Bench::new(4);
    let header = bench.block(0, 0);
    let id = bench.block_id(&header);
    let keys = [0, 2, 3].map(|member| bench.key(member));
    let voters: Vec<_> = keys.iter().collect();
    let certificate = Certificate::sign(&bench.committee, 0, &header, id, &voters);

    let (mut host, _) = bench.begun(1);
    hear_vote(&mut host, &bench.precommit(0, 0, id));
    hear_vote(&mut host, &bench.precommit(2, 0, Hash::ZERO));
    hear_vote(&mut host, &bench.precommit(3, 1, Hash::ZERO));
    assert_eq!(
        accused(&bench, &host.compare(1, id, &certificate)),
        [2],
        "another round is no contradiction"
    );
    assert_eq!(host.compare(1, id, &certificate), [], "once");
    assert_eq!(
        host.compare(2, id, &certificate),
        [],
        "a height of which nothing was heard"
    );

    // The height may be over by then.
    let (mut host, _) = bench.begun(1);
    hear_vote(&mut host, &bench.precommit(2, 0, Hash::ZERO));
    host.expect(2, &bench.committee);
    let mut forged = certificate.clone();
    forged.signatures = Signatures::collect(&bench.committee, [(2, bench.prevote(2, 0, id).signature)]);
    assert_eq!(host.compare(1, id, &forged), []);
    assert_eq!(accused(&bench, &host.compare(1, id, &certificate)), [2]);
}

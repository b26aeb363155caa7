//! One key signs one thing for one step, whatever happens to machine, journal and copies of the key.

use waxwing_core::Hash;
use waxwing_core::certificate::{VoteKind, beacon_message};

use super::bench::{BLANK, Bench, hear_proposal, hear_vote, published, records, votes};
use crate::signer::{Signer, Signing};
use crate::{Guard, Input, Message, Output, RoundKind, Step, StopReason, Timer, TimerKind};

const PREVOTE: VoteKind = VoteKind::Prevote;

const fn at(round: u32, step: Step) -> Guard {
    Guard { height: 1, round, step }
}

#[test]
fn a_step_is_signed_once_and_then_only_repeated() {
    let bench = Bench::new(4);
    let mut signer = Signer::new(bench.hashes.clone(), bench.key(0), Guard::default());
    let unsigned = |round, block| {
        let mut vote = bench.prevote(0, round, block);
        vote.signature = BLANK;
        Message::Vote(vote)
    };
    let block = Hash([4; 32]);
    let signature = bench.prevote(0, 1, block).signature;
    assert_eq!(signer.sign(unsigned(1, block)), Signing::New(signature));
    assert_eq!(signer.sign(unsigned(1, block)), Signing::Again(signature));
    assert_eq!(signer.sign(unsigned(1, Hash::ZERO)), Signing::Contradiction);
    assert_eq!(signer.sign(unsigned(0, block)), Signing::Refused, "an earlier step");
    assert_eq!(signer.newest(), at(1, Step::Prevote));
    let another = Message::Vote(bench.prevote(1, 2, block));
    assert_eq!(signer.sign(another), Signing::Refused, "in another's name");
}

#[test]
fn what_is_at_or_before_an_inherited_guard_is_not_signed_and_what_is_behind_it_is() {
    let bench = Bench::new(4);
    let header = bench.block(0, 0);
    let id = bench.block_id(&header);
    let vote_after = |guard: Guard| {
        let mut host = bench.guarded(1, guard);
        bench.begin(&mut host, 1, &[]);
        hear_proposal(&mut host, &bench.proposal(0, &header, 0, None));
        let outputs = host.on(Input::Judged { id, is_valid: true });
        assert!(
            records(&outputs).len() <= 2,
            "a vote that was not signed is not written down either"
        );
        (votes(&outputs), host)
    };
    assert_eq!(vote_after(at(0, Step::Propose)).0, [(PREVOTE, 0, id)]);
    let (nothing, mut host) = vote_after(at(0, Step::Precommit));
    assert_eq!(nothing, []);
    assert_eq!(host.signed(), at(0, Step::Precommit));

    // The others end the round; from the next on we take part again.
    let votes_of_others: Vec<_> = [0, 2, 3].map(|member| bench.precommit(member, 0, Hash::ZERO)).to_vec();
    let over = bench.round_certificate(RoundKind::Over, &votes_of_others);
    host.on(Input::Message(Message::Round(over)));
    let outputs = host.on(Input::Timeout(Timer {
        height: 1,
        round: 0,
        kind: TimerKind::Precommit,
    }));
    assert!(
        outputs
            .iter()
            .any(|output| matches!(output, Output::Propose { round: 1, .. }))
    );
    let header = Box::new(bench.block(1, 0));
    let outputs = host.on(Input::Proposed { round: 1, header });
    assert_eq!(published(&outputs).len(), 2);
    assert_eq!(host.signed(), at(1, Step::Prevote));
}

/// Member 1's host after it prevoted for a block in round 0.
fn voted(bench: &Bench) -> (crate::Host, Hash) {
    let (mut host, _) = bench.begun(1);
    let header = bench.block(0, 0);
    let id = bench.block_id(&header);
    hear_proposal(&mut host, &bench.proposal(0, &header, 0, None));
    host.on(Input::Judged { id, is_valid: true });
    (host, id)
}

fn is_second_machine(outputs: &[Output]) -> bool {
    matches!(outputs, [Output::Stop(StopReason::SecondMachine { .. })])
}

#[test]
fn our_vote_that_we_did_not_cast_stops_us_and_our_own_does_not() {
    let bench = Bench::new(4);
    let (mut host, id) = voted(&bench);
    assert_eq!(hear_vote(&mut host, &bench.prevote(1, 0, id)), [], "an echo");
    let mut forged = bench.prevote(1, 0, Hash::ZERO);
    forged.signature = BLANK;
    assert_eq!(hear_vote(&mut host, &forged), [], "anybody can forge");

    let outputs = hear_vote(&mut host, &bench.prevote(1, 0, Hash::ZERO));
    assert!(is_second_machine(&outputs), "{outputs:?}");
    // It is silent from here on.
    assert_eq!(hear_vote(&mut host, &bench.prevote(2, 0, id)), []);
    assert_eq!(bench.begin(&mut host, 2, &[]), []);
    assert_eq!(host.statement((0, id), 9), None);
}

#[test]
fn a_second_machine_is_noticed_in_every_kind_of_message() {
    let bench = Bench::new(4);
    let other = Hash([9; 32]);
    let later = bench.vote(1, PREVOTE, 2, 0, other);
    let strange = [bench.precommit(0, 5, Hash::ZERO), bench.precommit(1, 5, Hash::ZERO)];
    let messages = [
        Message::Vote(bench.precommit(1, 0, other)),
        Message::Vote(bench.prevote(1, 5, other)),
        Message::Vote(later),
        Message::Proposal(Box::new(bench.proposal(1, &bench.block(1, 0), 1, None))),
        Message::Polka(bench.polka(&[0, 1, 2], 0, other)),
        Message::Round(bench.round_certificate(RoundKind::Skip, &strange)),
    ];
    for message in messages {
        let (mut host, _) = voted(&bench);
        let outputs = host.on(Input::Message(message.clone()));
        assert!(is_second_machine(&outputs), "{message:?} gives {outputs:?}");
    }
    // What we cast ourselves comes back in certificates all the time.
    let (mut host, id) = voted(&bench);
    let outputs = host.on(Input::Message(Message::Polka(bench.polka(&[0, 1, 2], 0, id))));
    assert!(!outputs.is_empty() && !is_second_machine(&outputs));
}

#[test]
fn our_own_vote_from_before_the_guard_proves_nothing_without_the_journal() {
    let bench = Bench::new(4);
    let mut host = bench.guarded(1, at(0, Step::Precommit));
    bench.begin(&mut host, 1, &[]);
    assert_eq!(hear_vote(&mut host, &bench.prevote(1, 0, Hash::ZERO)), []);
    let outputs = hear_vote(&mut host, &bench.prevote(1, 1, Hash::ZERO));
    assert!(is_second_machine(&outputs), "behind the guard it does");
}

#[test]
fn a_head_is_called_the_newest_until_we_may_have_helped_a_newer_one() {
    let bench = Bench::new(4);
    let head = (0, bench.genesis.block().id(&bench.hashes));
    let (mut host, id) = voted(&bench);
    let signature = host.statement(head, 77).expect("a prevote makes nothing final");
    let message = beacon_message(bench.genesis.network(), head.0, head.1, 77);
    assert_eq!(bench.id(1).verify(&message, &signature), Ok(()));
    for member in [0, 2] {
        hear_vote(&mut host, &bench.prevote(member, 0, id));
    }
    assert_eq!(host.signed(), at(0, Step::Precommit));
    assert_eq!(host.statement(head, 78), None);
    assert!(host.statement((1, id), 78).is_some(), "of that one it knows");
}

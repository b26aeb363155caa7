//! A height from its beginning to its decision, and the rest between heights.

use std::collections::BTreeSet;
use std::time::Duration;

use waxwing_core::Hash;
use waxwing_core::certificate::VoteKind;

use super::bench::{Bench, has_decided, hear_proposal, hear_vote, published, records, votes};
use crate::{Host, Input, Message, Output, Settings, Timer, TimerKind};

const PREVOTE: VoteKind = VoteKind::Prevote;
const PRECOMMIT: VoteKind = VoteKind::Precommit;

/// Timers that are running after these outputs.
fn running(outputs: &[Output]) -> BTreeSet<Timer> {
    let mut running = BTreeSet::new();
    for output in outputs {
        match output {
            Output::Set(timer, _) => {
                running.insert(*timer);
            }
            Output::Cancel(timer) => assert!(running.remove(timer), "only what runs is cancelled"),
            _ => {}
        }
    }
    running
}

#[test]
fn a_committee_of_one_decides_within_one_input_and_owes_nobody_anything() {
    let bench = Bench::new(1);
    let (mut host, outputs) = bench.begun(0);
    assert!(
        matches!(
            outputs[..],
            [Output::Propose {
                height: 1,
                round: 0,
                ..
            }]
        ),
        "{outputs:?}"
    );
    let header = Box::new(bench.block(0, 0));
    let outputs = host.on(Input::Proposed { round: 0, header });
    let [
        Output::Decided {
            header,
            id,
            certificate,
        },
    ] = &outputs[..]
    else {
        panic!("one thing to do, not {outputs:?}");
    };
    assert_eq!(
        certificate.verify(&bench.committee, bench.genesis.network(), 1, *id),
        Ok(())
    );
    assert_eq!((bench.block_id(header), host.at()), (*id, None));
    // And the next height, without anything between.
    let outputs = bench.begin(&mut host, 2, &[]);
    assert!(matches!(outputs[..], [Output::Propose { height: 2, .. }]));
}

#[test]
fn four_agree_and_everything_signed_is_durable_before_it_leaves() {
    let bench = Bench::new(4);
    let (mut host, mut all) = bench.begun(1);
    let header = bench.block(0, 0);
    let id = bench.block_id(&header);
    let outputs = hear_proposal(&mut host, &bench.proposal(0, &header, 0, None));
    let asked = Output::Judge {
        header: Box::new(header.clone()),
        id,
        round: 0,
        proposer: bench.id(0),
    };
    assert!(outputs.contains(&asked), "{outputs:?}");
    all.extend(outputs);
    let outputs = host.on(Input::Judged { id, is_valid: true });
    assert_eq!(votes(&outputs), [(PREVOTE, 0, id)]);
    all.extend(outputs);
    for member in [0, 2] {
        all.extend(hear_vote(&mut host, &bench.prevote(member, 0, id)));
    }
    assert_eq!(votes(&all), [(PREVOTE, 0, id), (PRECOMMIT, 0, id)]);
    all.extend(hear_vote(&mut host, &bench.precommit(2, 0, id)));
    all.extend(hear_vote(&mut host, &bench.precommit(3, 0, id)));
    assert!(has_decided(&all));
    assert_eq!(running(&all), BTreeSet::new(), "whoever rests waits for nothing");

    let mut is_durable = true;
    for output in &all {
        match output {
            Output::Record(_) => is_durable = false,
            Output::Flush => is_durable = true,
            Output::Publish(_) => assert!(is_durable),
            _ => {}
        }
    }
    let flushes = all.iter().filter(|output| matches!(output, Output::Flush)).count();
    assert_eq!(flushes, 2, "one before each vote");
}

#[test]
fn a_proposer_makes_its_block_known_once_and_says_it_again_when_nobody_answers() {
    let bench = Bench::new(4);
    let (mut host, outputs) = bench.begun(0);
    assert!(
        outputs
            .iter()
            .any(|output| matches!(output, Output::Propose { round: 0, .. }))
    );
    let header = Box::new(bench.block(0, 0));
    let id = bench.block_id(&header);
    let outputs = host.on(Input::Proposed {
        round: 0,
        header: header.clone(),
    });
    let said = published(&outputs);
    assert_eq!(said.len(), 2, "proposal and prevote");
    assert!(
        !outputs.iter().any(|output| matches!(output, Output::Judge { .. })),
        "its own"
    );
    assert_eq!(host.on(Input::Proposed { round: 0, header }), []);

    let again = Timer {
        height: 1,
        round: 0,
        kind: TimerKind::Again,
    };
    let outputs = host.on(Input::Timeout(again));
    let repeated = published(&outputs);
    assert!(repeated.len() == 2 && said.iter().all(|message| repeated.contains(message)));
    assert!(matches!(&repeated[0], Message::Proposal(proposal) if bench.block_id(&proposal.header) == id));
    assert!(
        outputs
            .iter()
            .any(|output| matches!(output, Output::Set(timer, _) if *timer == again))
    );
}

#[test]
fn a_block_that_is_not_ours_to_propose_is_not_proposed() {
    let bench = Bench::new(4);
    let good = bench.block(0, 0);
    let mut foreign = good.clone();
    foreign.network = Hash([7; 32]);
    let mut later = good.clone();
    later.height = 2;
    for (header, round) in [(bench.block(1, 0), 0), (foreign, 0), (later, 0), (good.clone(), 1)] {
        let (mut host, _) = bench.begun(0);
        assert_eq!(
            host.on(Input::Proposed {
                round,
                header: Box::new(header)
            }),
            []
        );
        let header = Box::new(good.clone());
        assert!(!host.on(Input::Proposed { round: 0, header }).is_empty());
    }
}

#[test]
fn an_invalid_block_and_a_silent_proposer_get_a_vote_for_nothing() {
    let bench = Bench::new(4);
    let (mut host, _) = bench.begun(1);
    let header = bench.block(0, 0);
    hear_proposal(&mut host, &bench.proposal(0, &header, 0, None));
    let id = bench.block_id(&header);
    let outputs = host.on(Input::Judged { id, is_valid: false });
    assert_eq!(votes(&outputs), [(PREVOTE, 0, Hash::ZERO)]);

    let (mut host, _) = bench.begun(1);
    let timer = Timer {
        height: 1,
        round: 0,
        kind: TimerKind::Propose,
    };
    let outputs = host.on(Input::Timeout(timer));
    assert_eq!(votes(&outputs), [(PREVOTE, 0, Hash::ZERO)]);
    // Once is enough: it does not run any more.
    assert_eq!(host.on(Input::Timeout(timer)), []);
}

#[test]
fn a_judgement_may_come_late_and_the_block_is_decided_all_the_same() {
    let bench = Bench::new(4);
    let (mut host, _) = bench.begun(1);
    let header = bench.block(0, 0);
    let id = bench.block_id(&header);
    hear_proposal(&mut host, &bench.proposal(0, &header, 0, None));
    for member in [0, 2, 3] {
        hear_vote(&mut host, &bench.prevote(member, 0, id));
        assert!(!has_decided(&hear_vote(&mut host, &bench.precommit(member, 0, id))));
    }
    let outputs = host.on(Input::Judged { id, is_valid: true });
    assert!(has_decided(&outputs), "{outputs:?}");
    assert_eq!(host.on(Input::Judged { id, is_valid: true }), [], "too late is no harm");
}

#[test]
fn a_round_without_a_block_is_followed_by_the_next_proposers() {
    let bench = Bench::new(4);
    let (mut host, _) = bench.begun(1);
    let timer = |round, kind| Timer { height: 1, round, kind };
    host.on(Input::Timeout(timer(0, TimerKind::Propose)));
    for member in [2, 3] {
        hear_vote(&mut host, &bench.prevote(member, 0, Hash::ZERO));
    }
    hear_vote(&mut host, &bench.precommit(2, 0, Hash::ZERO));
    hear_vote(&mut host, &bench.precommit(3, 0, Hash::ZERO));
    let outputs = host.on(Input::Timeout(timer(0, TimerKind::Precommit)));
    assert_eq!(host.at(), Some((1, 1)));
    assert!(
        outputs
            .iter()
            .any(|output| matches!(output, Output::Propose { round: 1, .. }))
    );
    // Whoever hears of the round's end goes on too.
    let (mut other, _) = bench.begun(0);
    let [Message::Round(certificate)] = &published(&outputs)[..] else {
        panic!("the others are told why the round is over: {outputs:?}");
    };
    let outputs = other.on(Input::Message(Message::Round(certificate.clone())));
    assert_eq!(records(&outputs).len(), 3, "vote by vote");
    other.on(Input::Timeout(timer(0, TimerKind::Precommit)));
    assert_eq!(other.at(), Some((1, 1)));
}

#[test]
fn a_round_that_cannot_decide_any_more_is_not_waited_out_once_round_the_table() {
    let bench = Bench::new(4);
    let timer = |round, kind| Timer { height: 1, round, kind };
    let wait = |outputs: &[Output], round: u32| {
        outputs.iter().find_map(|output| match output {
            Output::Set(set, wait) if *set == timer(round, TimerKind::Precommit) => Some(*wait),
            _ => None,
        })
    };
    // Rounds of votes for nothing by our own hand and two others, in the last of them one of the two for this block.
    let last_wait = |rounds: u32, last: Hash| {
        let (mut host, _) = bench.begun(1);
        for round in 0..rounds {
            host.on(Input::Timeout(timer(round, TimerKind::Propose)));
            let block = if round + 1 == rounds { last } else { Hash::ZERO };
            for member in [2, 3] {
                hear_vote(&mut host, &bench.prevote(member, round, Hash::ZERO));
            }
            let two = hear_vote(&mut host, &bench.precommit(2, round, Hash::ZERO));
            assert_eq!(wait(&two, round), None, "two votes are no quorum");
            let three = hear_vote(&mut host, &bench.precommit(3, round, block));
            if round + 1 == rounds {
                return wait(&three, round);
            }
            host.on(Input::Timeout(timer(round, TimerKind::Precommit)));
            assert_eq!(host.at(), Some((1, round + 1)));
        }
        None
    };
    let patience = |round| Settings::DEFAULT.wait(timer(round, TimerKind::Precommit));
    assert_eq!(last_wait(1, Hash::ZERO), Some(Duration::ZERO));
    assert_eq!(last_wait(4, Hash::ZERO), Some(Duration::ZERO));
    let fifth = last_wait(5, Hash::ZERO);
    assert_eq!(fifth, Some(patience(4)), "more rounds do not mend whatever is wrong");
    let open = last_wait(1, Hash([7; 32]));
    assert_eq!(open, Some(patience(0)), "the fourth may vote for the block as well");
}

#[test]
fn haste_is_allowed_once_round_the_table_and_not_at_rest() {
    let bench = Bench::new(4);
    assert!(!bench.host(1).may_hurry(0));
    let (host, _) = bench.begun(1);
    assert_eq!(
        [0, 3, 4, u32::MAX].map(|round| host.may_hurry(round)),
        [true, true, false, false]
    );
}

#[test]
fn what_is_said_of_the_next_height_wakes_and_counts() {
    let bench = Bench::new(4);
    let mut host = bench.host(1);
    assert_eq!(host.expect(1, &bench.committee), []);
    assert!(!host.is_awaited(1));
    let header = bench.block(0, 0);
    hear_proposal(&mut host, &bench.proposal(0, &header, 0, None));
    assert!(host.is_awaited(1) && !host.is_awaited(2));
    let outputs = bench.begin(&mut host, 1, &[]);
    assert!(outputs.iter().any(|output| matches!(output, Output::Judge { .. })));
    assert!(!host.is_awaited(1));
}

#[test]
fn few_messages_are_kept_of_each_member_and_none_of_strangers_or_of_far_heights() {
    let bench = Bench::new(4);
    let kept = |fill: &dyn Fn(&mut Host)| {
        let mut host = bench.host(1);
        host.expect(1, &bench.committee);
        fill(&mut host);
        let awaited = host.is_awaited(1) || host.is_awaited(2) || host.is_awaited(3);
        (awaited, records(&bench.begin(&mut host, 1, &[])).len())
    };
    let votes_of = |member: usize, rounds: u32| {
        let bench = &bench;
        move |host: &mut Host| {
            for round in 0..rounds {
                hear_vote(host, &bench.prevote(member, round, Hash::ZERO));
            }
        }
    };
    assert_eq!(kept(&votes_of(2, 3)), (true, 3));
    assert_eq!(kept(&votes_of(2, 9)), (true, 6), "a few");
    let stranger = Bench::new(5);
    let member = (0..5).find(|member| !bench.committee.members().contains(&stranger.id(*member)));
    let vote = stranger.prevote(member.unwrap(), 0, Hash::ZERO);
    assert_eq!(kept(&|host| drop(hear_vote(host, &vote))), (false, 0));
    let mut forged = bench.prevote(2, 0, Hash::ZERO);
    forged.validator = bench.id(3);
    assert_eq!(kept(&|host| drop(hear_vote(host, &forged))), (false, 0));
    let far = bench.vote(2, PREVOTE, 3, 0, Hash::ZERO);
    assert_eq!(kept(&|host| drop(hear_vote(host, &far))), (false, 0));
    let near = bench.vote(2, PREVOTE, 2, 0, Hash::ZERO);
    assert_eq!(kept(&|host| drop(hear_vote(host, &near))), (true, 0));
}

#[test]
fn a_height_whose_block_came_from_elsewhere_is_left_with_its_timers() {
    let bench = Bench::new(4);
    let (mut host, mut all) = bench.begun(1);
    all.extend(host.expect(2, &bench.committee));
    assert_eq!(host.at(), None);
    assert_eq!(running(&all), BTreeSet::new());
    // The same while it goes on: nothing is left.
    let (mut host, _) = bench.begun(1);
    assert_eq!(host.expect(1, &bench.committee), []);
    assert_eq!(host.at(), Some((1, 0)));
}

#[test]
fn a_host_can_be_carried_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Host>();
}

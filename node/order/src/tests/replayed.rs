//! Restarts: the journal leads back to where the host was, and never to a second word for one step.

use waxwing_core::Hash;
use waxwing_core::certificate::VoteKind;

use super::bench::{Bench, has_decided, hear_proposal, hear_vote, published, records, votes};
use crate::{Guard, Host, Input, Message, Output, Record, RoundKind, Step, Timer, TimerKind};

const PREVOTE: VoteKind = VoteKind::Prevote;
const PRECOMMIT: VoteKind = VoteKind::Precommit;

/// Everything a host recorded and said on its way.
struct Story {
    host: Host,
    outputs: Vec<Output>,
}

impl Story {
    fn of(bench: &Bench, member: usize) -> Self {
        let (host, outputs) = bench.begun(member);
        Self { host, outputs }
    }

    fn tell(&mut self, input: Input) {
        let outputs = self.host.on(input);
        self.outputs.extend(outputs);
    }
}

fn restart(bench: &Bench, member: usize, journal: &[Record]) -> (Host, Vec<Output>) {
    let mut host = bench.host(member);
    let outputs = bench.begin(&mut host, 1, journal);
    (host, outputs)
}

/// Member 1 until it precommitted member 0's block.
fn precommitted(bench: &Bench) -> (Story, Hash) {
    let mut story = Story::of(bench, 1);
    let header = bench.block(0, 0);
    let id = bench.block_id(&header);
    let proposal = bench.proposal(0, &header, 0, None);
    story.tell(Input::Message(Message::Proposal(Box::new(proposal))));
    story.tell(Input::Judged { id, is_valid: true });
    for member in [0, 2] {
        story.tell(Input::Message(Message::Vote(bench.prevote(member, 0, id))));
    }
    assert_eq!(votes(&story.outputs), [(PREVOTE, 0, id), (PRECOMMIT, 0, id)]);
    (story, id)
}

#[test]
fn a_restart_says_the_same_again_records_nothing_twice_and_goes_on() {
    let bench = Bench::new(4);
    let (story, id) = precommitted(&bench);
    let journal = records(&story.outputs);
    let (mut host, outputs) = restart(&bench, 1, &journal);
    assert_eq!(
        published(&outputs),
        published(&story.outputs),
        "word for word, signature for signature"
    );
    assert_eq!(records(&outputs), []);
    assert_eq!((host.signed(), host.at()), (story.host.signed(), Some((1, 0))));

    let mut all = hear_vote(&mut host, &bench.precommit(2, 0, id));
    all.extend(hear_vote(&mut host, &bench.precommit(3, 0, id)));
    assert!(has_decided(&all));
}

#[test]
fn after_any_part_of_the_journal_a_restart_contradicts_nothing_that_was_said() {
    let bench = Bench::new(4);
    let (story, _) = precommitted(&bench);
    let journal = records(&story.outputs);
    let said = published(&story.outputs);
    for length in 0..=journal.len() {
        let (host, outputs) = restart(&bench, 1, &journal[..length]);
        assert!(
            !outputs
                .iter()
                .any(|output| matches!(output, Output::SitOut { .. } | Output::Stop(_)))
        );
        assert!(published(&outputs).iter().all(|message| said.contains(message)));
        // What is said now and was not written down before is written down first.
        let known = &journal[..length];
        for message in published(&outputs) {
            let Message::Vote(vote) = message else { continue };
            let record = Record::Vote(vote);
            let at = |wanted: &Output| outputs.iter().position(|output| output == wanted);
            let is_new = !known.contains(&record);
            assert_eq!(at(&Output::Record(record.clone())).is_some(), is_new);
            if is_new {
                assert!(at(&Output::Record(record)) < at(&Output::Flush));
            }
        }
        assert!(host.signed() <= story.host.signed());
    }
}

#[test]
fn a_crash_before_the_judgement_asks_for_it_again() {
    let bench = Bench::new(4);
    let mut story = Story::of(&bench, 1);
    let header = bench.block(0, 0);
    let id = bench.block_id(&header);
    let proposal = bench.proposal(0, &header, 0, None);
    story.tell(Input::Message(Message::Proposal(Box::new(proposal))));
    let asked = |outputs: &[Output]| {
        let judge = outputs.iter().filter(|output| matches!(output, Output::Judge { .. }));
        judge.cloned().collect::<Vec<_>>()
    };
    let (mut host, outputs) = restart(&bench, 1, &records(&story.outputs));
    assert_eq!(asked(&outputs), asked(&story.outputs));
    let outputs = host.on(Input::Judged { id, is_valid: true });
    assert_eq!(votes(&outputs), [(PREVOTE, 0, id)]);
    // With the judgement in the journal nothing is asked.
    story.tell(Input::Judged { id, is_valid: true });
    let (_, outputs) = restart(&bench, 1, &records(&story.outputs));
    assert_eq!(asked(&outputs), []);
}

#[test]
fn a_proposer_proposes_the_same_or_nothing_after_a_restart() {
    let bench = Bench::new(4);
    let is_asked = |outputs: &[Output]| outputs.iter().any(|output| matches!(output, Output::Propose { .. }));
    let mut story = Story::of(&bench, 0);
    assert!(is_asked(&story.outputs));
    let header = Box::new(bench.block(0, 0));
    story.tell(Input::Proposed { round: 0, header });
    let journal = records(&story.outputs);
    let said = published(&story.outputs);
    let (mut host, outputs) = restart(&bench, 0, &journal);
    assert!(!is_asked(&outputs));
    assert!(said.iter().all(|message| published(&outputs).contains(message)));
    // A second block, however it came about, is not proposed.
    let header = Box::new(bench.block(0, 1));
    assert_eq!(published(&host.on(Input::Proposed { round: 0, header })), []);

    // Only the block is in the journal: nobody heard of it, and the next round is near.
    let (_, outputs) = restart(&bench, 0, &journal[..1]);
    assert!(matches!(journal[0], Record::Judged(_)) && !is_asked(&outputs));
    // Nothing of ours is in the journal: it is still our turn.
    let vote = Record::Vote(bench.prevote(2, 0, Hash::ZERO));
    let (_, outputs) = restart(&bench, 0, &[vote]);
    assert!(is_asked(&outputs));
}

#[test]
fn a_round_entered_by_a_certificate_is_entered_again_after_a_restart() {
    let bench = Bench::new(4);
    let mut story = Story::of(&bench, 3);
    let skip = [0, 1].map(|member| bench.prevote(member, 30, Hash([4; 32])));
    let skip = bench.round_certificate(RoundKind::Skip, &skip);
    story.tell(Input::Message(Message::Round(skip)));
    story.tell(Input::Timeout(Timer {
        height: 1,
        round: 30,
        kind: TimerKind::Propose,
    }));
    assert_eq!(votes(&story.outputs), [(PREVOTE, 30, Hash::ZERO)]);
    let (host, outputs) = restart(&bench, 3, &records(&story.outputs));
    assert_eq!(host.at(), Some((1, 30)));
    assert_eq!(votes(&outputs), [(PREVOTE, 30, Hash::ZERO)]);
}

#[test]
fn a_decision_in_the_journal_is_made_again() {
    let bench = Bench::new(4);
    let (mut story, id) = precommitted(&bench);
    for member in [2, 3] {
        story.tell(Input::Message(Message::Vote(bench.precommit(member, 0, id))));
    }
    assert!(has_decided(&story.outputs));
    let (host, outputs) = restart(&bench, 1, &records(&story.outputs));
    assert!(has_decided(&outputs) && host.at().is_none());
    assert_eq!(
        votes(&outputs),
        [(PREVOTE, 0, id), (PRECOMMIT, 0, id)],
        "the others may need them"
    );
}

#[test]
fn whose_journal_contradicts_itself_sits_the_height_out() {
    let bench = Bench::new(4);
    let (story, id) = precommitted(&bench);
    let journal: Vec<Record> = records(&story.outputs)
        .into_iter()
        .map(|record| match record {
            Record::Vote(vote) if vote.validator == bench.id(1) && vote.kind == PREVOTE => {
                Record::Vote(bench.prevote(1, 0, Hash::ZERO))
            }
            record => record,
        })
        .collect();
    let (mut host, outputs) = restart(&bench, 1, &journal);
    assert!(outputs.contains(&Output::SitOut { height: 1 }), "{outputs:?}");
    assert_eq!((published(&outputs), host.at()), (vec![], None));
    assert_eq!(hear_vote(&mut host, &bench.precommit(2, 0, id)), []);
    assert!(!host.is_awaited(1), "or it would be begun for ever");
    // The next one it takes part in.
    let outputs = bench.begin(&mut host, 2, &[]);
    assert!(!outputs.is_empty() && host.at() == Some((2, 0)));
}

#[test]
fn records_of_other_heights_are_not_replayed() {
    let bench = Bench::new(4);
    let other = Record::Vote(bench.vote(2, PREVOTE, 2, 0, Hash::ZERO));
    let (host, outputs) = restart(&bench, 1, &[other]);
    let (_, fresh) = bench.begun(1);
    assert_eq!((outputs, host.signed()), (fresh, Guard::default()));
}

#[test]
fn a_guard_behind_the_journal_keeps_the_host_silent() {
    let bench = Bench::new(4);
    let (story, id) = precommitted(&bench);
    // The precommit was signed and the guard kept it; the journal's end is lost.
    let journal: Vec<Record> = records(&story.outputs).into_iter().take(3).collect();
    let mut host = bench.guarded(1, story.host.signed());
    let outputs = bench.begin(&mut host, 1, &journal);
    assert_eq!(
        votes(&outputs),
        [(PREVOTE, 0, id)],
        "what the journal shows is said again"
    );
    hear_proposal(&mut host, &bench.proposal(0, &bench.block(0, 0), 0, None));
    let mut all = hear_vote(&mut host, &bench.prevote(0, 0, id));
    all.extend(hear_vote(&mut host, &bench.prevote(2, 0, id)));
    assert_eq!(votes(&all), []);
    assert_eq!(host.signed().step, Step::Precommit);
}

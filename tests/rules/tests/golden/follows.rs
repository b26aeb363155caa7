//! A client among nodes: every update it accepts, and every refusal.

use serde_json::{Value, json};
use waxwing_core::codec::Encode;
use waxwing_core::committee::Committee;
use waxwing_core::follow::{HeadProof, HeadUpdate, LadderStep, LogProof};
use waxwing_core::hash::Hash;
use waxwing_core::keys::LogId;
use waxwing_core::limits::{CLOCK_SKEW_MS, FRESH_MS, TRUSTING_PERIOD_MS};
use waxwing_core::merkle::InclusionProof;
use waxwing_rules::model::chain::{Chain, Term};
use waxwing_rules::world::{FOUNDED, World, log_key};

use crate::case::{Cases, hex};

const NOW: u64 = FOUNDED + 60_000;

/// Six blocks of term 0, the last one naming the committee of term 1, then four more.
fn chain() -> Chain {
    let mut chain = Chain::grown(5);
    chain.end_term();
    (0..4).for_each(|_| chain.grow(|_| ()));
    chain
}

fn offered(update: &HeadUpdate, now: u64) -> Value {
    json!({"update": hex(update.to_bytes()), "now": now})
}

/// A client that holds the head at `held`, and is offered `update`.
fn holding(chain: &Chain, held: usize, update: &HeadUpdate) -> Value {
    let mut given = offered(update, NOW);
    given["before"] = json!([offered(&chain.update(0, held), NOW)]);
    given
}

pub(crate) fn cases() -> Cases {
    let chain = chain();
    let story = "A client that starts from the genesis, was offered the updates under `before` (whatever came of \
        them), and is offered one more. Four validators in each of two terms; term 0 ends with block 6.";
    let mut cases = Cases::new(story, json!({"genesis": hex(chain.genesis.to_bytes())}));
    accepted(&mut cases, &chain);
    refused(&mut cases, &chain);
    rewritten(&mut cases, &chain);
    forks(&mut cases, &chain);
    ladders(&mut cases, &chain);
    pins(&mut cases, &chain);
    freshness(&mut cases, &chain);
    log_proofs(&mut cases);
    cases
}

fn accepted(cases: &mut Cases, chain: &Chain) {
    let from_genesis = |to| offered(&chain.update(0, to), NOW);
    cases.accept("from genesis to block 4", "follow", from_genesis(4));
    cases.accept(
        "from block 4 to block 5",
        "follow",
        holding(chain, 4, &chain.update(4, 5)),
    );
    cases.accept("the held head again", "follow", holding(chain, 4, &chain.update(4, 4)));
    cases.accept(
        "over the end of a term",
        "follow",
        holding(chain, 4, &chain.update(4, 9)),
    );
    cases.accept(
        "to the last block of a term, with its rung",
        "follow",
        holding(chain, 4, &chain.update(4, 6)),
    );
    cases.accept(
        "from the last block of a term",
        "follow",
        holding(chain, 6, &chain.update(6, 7)),
    );
    cases.cut_and_extended("head update", &chain.update(4, 9).to_bytes());
    cases.cut_and_extended("ladder step", &chain.rung(4, 6).to_bytes());
}

fn refused(cases: &mut Cases, chain: &Chain) {
    let mut refuse = |rule: &str, name: &str, held: usize, update: &HeadUpdate| {
        cases.refuse(rule, name, "follow", holding(chain, held, update));
    };
    let good = chain.update(2, 5);
    refuse(
        "Older { held: 4, offered: 3 }",
        "an old head is not the present one",
        4,
        &chain.update(0, 3),
    );
    let few = HeadUpdate {
        head: chain.head_signed(5, 2),
        ..good.clone()
    };
    refuse("Head(Quorum(TooFew))", "a head is certified", 2, &few);
    let mut foreign = good.clone();
    foreign.head.header.network = Hash([0xaa; 32]);
    refuse("Head(ForeignNetwork)", "a head is of this network", 2, &foreign);
    let empty = HeadUpdate {
        extension: InclusionProof::default(),
        ..good.clone()
    };
    refuse(
        "NotExtending(WrongLength)",
        "an empty path extends nothing new",
        2,
        &empty,
    );
    let elsewhere = HeadUpdate {
        extension: chain.extension(3, 5),
        ..good
    };
    refuse(
        "NotExtending(WrongRoot)",
        "the path starts at the held head",
        2,
        &elsewhere,
    );
    let padded = HeadUpdate {
        extension: chain.extension(1, 2),
        ..chain.update(2, 2)
    };
    refuse(
        "NotExtending(WrongLength)",
        "the held head again comes without a path",
        2,
        &padded,
    );
}

/// Histories that the committee itself rewrote.
fn rewritten(cases: &mut Cases, chain: &Chain) {
    let mut refuse = |rule: &str, name: &str, update: &HeadUpdate| {
        cases.refuse(rule, name, "follow", holding(chain, 2, update));
    };
    let mut rewritten = Chain::grown(1);
    rewritten.grow(|header| header.time += 1);
    (0..3).for_each(|_| rewritten.grow(|_| ()));
    let update = rewritten.update(2, 5);
    refuse(
        "NotExtending(WrongRoot)",
        "the held head is in the newer history",
        &update,
    );
    let mut hidden = Chain::new();
    hidden.grow(|header| header.time += 1);
    hidden.headers.push(chain.header(2).clone());
    (0..3).for_each(|_| hidden.grow(|_| ()));
    let update = hidden.update(2, 5);
    refuse(
        "NotExtending(WrongPrefix)",
        "nothing before the held head is rewritten",
        &update,
    );
    let mut back = Chain::grown(2);
    back.grow(|header| header.time = FOUNDED + 2_000);
    refuse("TimeRunsBack", "time is strictly greater", &back.update(2, 3));
}

fn forks(cases: &mut Cases, chain: &Chain) {
    let mut other = Chain::grown(3);
    other.grow(|header| header.time += 1);
    let fork = other.update(0, 4);
    cases.refuse(
        "Fork at height 4",
        "two final blocks at one height",
        "follow",
        holding(chain, 4, &fork),
    );
    let mut given = offered(&chain.update(4, 5), NOW);
    given["before"] = json!([offered(&chain.update(0, 4), NOW), offered(&fork, NOW)]);
    cases.refuse("Halted", "after a fork nothing is accepted", "follow", given);
    let mut other = Chain::grown(5);
    other.end_term();
    other.headers[6].time += 1;
    let mut beside = offered(&other.update(6, 6), NOW);
    beside["before"] = json!([offered(&chain.update(0, 6), NOW)]);
    let name = "two last blocks of a term, its rung just climbed";
    cases.refuse("Fork at height 6", name, "follow", beside);
    let mut beside = Chain::new();
    beside.headers[0].time += 1;
    let given = offered(&beside.update(0, 0), NOW);
    cases.refuse(
        "NotExtending(WrongRoot)",
        "a block beside genesis is refused without evidence",
        "follow",
        given,
    );
}

fn ladders(cases: &mut Cases, chain: &Chain) {
    let good = chain.update(4, 9);
    let mut refuse = |rule: &str, name: &str, change: &dyn Fn(&mut HeadUpdate)| {
        let mut update = good.clone();
        change(&mut update);
        cases.refuse(rule, name, "follow", holding(chain, 4, &update));
    };
    refuse("Head(WrongCommittee)", "no rung is left out", &|update| {
        update.ladder.clear();
        update.extension = chain.extension(4, 9);
    });
    refuse(
        "BadLadder",
        "a rung brings the committee that its head names",
        &|update| {
            update.ladder[0].next = Term::new(2).committee;
        },
    );
    refuse("BadLadder", "a rung leads to the next term", &|update| {
        let members = Term::new(1).committee.members().to_vec();
        update.ladder[0].next = Committee::new(2, members).unwrap();
    });
    refuse("BadLadder", "a rung ends its term", &|update| {
        update.ladder[0].head = chain.head(5);
        update.ladder[0].extension = chain.extension(4, 5);
        update.ladder[0].next = Term::new(0).committee;
    });
    refuse("Head(Quorum(TooFew))", "a rung is certified", &|update| {
        update.ladder[0].head = chain.head_signed(6, 2);
    });
    refuse("NotExtending(WrongLength)", "a rung extends the held head", &|update| {
        update.ladder[0].extension = InclusionProof::default();
    });
    let mut bare = chain.update(4, 6);
    bare.ladder.clear();
    bare.extension = chain.extension(4, 6);
    let name = "the last block of a term comes with its rung";
    cases.refuse("BadLadder", name, "follow", holding(chain, 4, &bare));
    cases.refuse("BadLadder", "no term is left out", "follow", left_out());
    let mut endless = good.to_bytes();
    endless[..4].copy_from_slice(&65_u32.to_be_bytes());
    let mut given = holding(chain, 4, &good);
    given["update"] = json!(hex(endless));
    cases.refuse("Codec(TooLong)", "a ladder has at most 64 rungs", "follow", given);
}

/// A committee that certifies a successor of the term after the next: the rung is true, and still leads nowhere.
fn left_out() -> Value {
    let mut chain = Chain::grown(5);
    let members = Term::new(1).committee.members().to_vec();
    let far = Committee::new(2, members).unwrap();
    let named = far.hash(&chain.keys);
    chain.grow(|header| header.next_committee = named);
    let rung = LadderStep {
        head: chain.head(6),
        extension: chain.extension(4, 6),
        next: far,
    };
    let update = HeadUpdate {
        ladder: vec![rung],
        head: chain.head(6),
        extension: InclusionProof::default(),
    };
    holding(&chain, 4, &update)
}

fn pins(cases: &mut Cases, chain: &Chain) {
    let pin = |height: usize| {
        json!({"pin": hex(chain.id(height).0), "pinned header": hex(chain.header(height).to_bytes()),
            "committee": hex(Term::new(0).committee.to_bytes())})
    };
    cases.accept("a pinned head", "follow from pin", pin(3));
    let mut given = pin(3);
    given["update"] = json!(hex(chain.update(3, 5).to_bytes()));
    given["now"] = json!(NOW);
    cases.accept("from a pinned head to a newer one", "follow", given);
    let mut other = pin(3);
    other["pin"] = json!(hex([1; 32]));
    let check = "follow from pin";
    cases.refuse(
        "Head(ForeignNetwork)",
        "a pinned header hashes to the pin",
        check,
        other,
    );
    let mut usurped = pin(3);
    usurped["committee"] = json!(hex(Term::new(1).committee.to_bytes()));
    cases.refuse(
        "Head(WrongCommittee)",
        "the committee is the one a pinned header names next",
        check,
        usurped,
    );
    let month = chain.header(2).time + TRUSTING_PERIOD_MS;
    let late = |now: u64| {
        let mut given = holding(chain, 2, &chain.update(2, 5));
        given["now"] = json!(now);
        given
    };
    cases.accept("30 days after the newest certified word", "follow", late(month));
    cases.refuse(
        "NeedsPin",
        "a head of more than 30 days ago is no start",
        "follow",
        late(month + 1),
    );
}

fn freshness(cases: &mut Cases, chain: &Chain) {
    let mut chain = chain.clone();
    chain.terms.truncate(1);
    let now = NOW + 100_000;
    let given = |height: usize, time: u64, signers: usize| {
        json!({"before": [offered(&chain.update(0, 5), NOW)], "now": now,
            "beacon": hex(chain.beacon(height, time, signers).to_bytes())})
    };
    let check = "follow beacon";
    cases.accept("a beacon of five seconds ago", check, given(5, now - 5_000, 3));
    cases.accept("a beacon ten seconds ahead", check, given(5, now + CLOCK_SKEW_MS, 3));
    cases.refuse("OtherHead", "a beacon is about the held head", check, given(4, now, 3));
    cases.refuse("Quorum(TooFew)", "a quorum signs a beacon", check, given(5, now, 2));
    let month = chain.header(5).time + TRUSTING_PERIOD_MS + 1;
    let mut late = given(5, month, 4);
    late["now"] = json!(month);
    cases.refuse(
        "NeedsPin",
        "a beacon does not revive trust that has run out",
        check,
        late,
    );
    let ahead = given(5, now + CLOCK_SKEW_MS + 1, 3);
    cases.refuse("FromTheFuture", "a beacon is at most ten seconds ahead", check, ahead);
    let confirmed = chain.header(5).time;
    for (name, now) in [
        ("at the time of the head", confirmed),
        ("30 seconds later", confirmed + FRESH_MS),
        ("more than 30 seconds later", confirmed + FRESH_MS + 1),
        ("a clock ten seconds behind", confirmed - CLOCK_SKEW_MS),
        ("a clock more than ten seconds behind", confirmed - CLOCK_SKEW_MS - 1),
    ] {
        let given = json!({"before": [offered(&chain.update(0, 5), NOW)], "now": now});
        cases.accept(name, "freshness", given);
    }
}

fn log_proofs(cases: &mut Cases) {
    let mut world = World::new(4);
    let envelopes: Vec<_> = (1..=9).map(|writer| world.envelope(writer, b"first")).collect();
    world.grow(&envelopes);
    world.grow(&[world.envelope(3, b"second")]);
    let given = |log: &LogId, proof: &LogProof| {
        json!({"genesis": hex(world.genesis.to_bytes()), "header": hex(world.ledger.head().to_bytes()),
            "log": hex(log.0), "bytes": hex(proof.to_bytes())})
    };
    let present = log_key(3).public();
    let absent = |is_beside: bool| {
        (100..=255)
            .map(|writer| log_key(writer).public())
            .find(|log| (world.log_proof(log).to_bytes()[0] == 2) == is_beside)
            .unwrap()
    };
    let proof = world.log_proof(&present);
    cases.accept("a log of two entries", "log proof", given(&present, &proof));
    let (empty, beside) = (absent(false), absent(true));
    cases.accept(
        "no such log: an empty slot",
        "log proof",
        given(&empty, &world.log_proof(&empty)),
    );
    cases.accept(
        "no such log: another stands there",
        "log proof",
        given(&beside, &world.log_proof(&beside)),
    );
    let mut refuse = |rule: &str, name: &str, log: &LogId, proof: &LogProof| {
        cases.refuse(rule, name, "log proof", given(log, proof));
    };
    refuse(
        "WrongRoot",
        "a proof is about the log asked for",
        &log_key(4).public(),
        &proof,
    );
    let mut shorter = proof.clone();
    shorter.leaf.as_mut().unwrap().length = 1;
    refuse("WrongRoot", "the length is proven", &present, &shorter);
    let denied = world.log_proof(&empty);
    refuse("WrongRoot", "absence is shown for the log asked for", &present, &denied);
    let head_proof = HeadProof {
        update: world.update(1, 2),
        log: proof.clone(),
    };
    let bytes = head_proof.to_bytes();
    cases.accept(
        "a head proof",
        "decode",
        json!({"format": "head proof", "bytes": hex(&bytes)}),
    );
    cases.cut_and_extended("head proof", &bytes);
    cases.cut_and_extended("log proof", &proof.to_bytes());
}

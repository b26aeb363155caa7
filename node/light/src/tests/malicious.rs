//! Nodes written to deceive, with bytes that decode: cut ranges, old heads, false ladders, other networks, huge proofs,
//! true proofs about something else, withheld ends, bodies without excuse. Each is refused for its own reason, and the
//! honest node beside it serves.
//!
//! Nothing here is random: every forgery is the best that a node without keys can do. Those that own the keys of all
//! validators are in `forks`.

use waxwing_core::certificate::Certificate;
use waxwing_core::codec::{Decode, Encode, Reader};
use waxwing_core::committee::Committee;
use waxwing_core::envelope::{Body, Carried, ErasureSecret};
use waxwing_core::follow::{HeadProof, HeadUpdate, LadderStep};
use waxwing_core::keys::{LogId, VoteKey};
use waxwing_core::limits::LADDER_STEPS_MAX;
use waxwing_core::log::Place;
use waxwing_core::logmap::MapProof;
use waxwing_core::merkle::InclusionProof;
use waxwing_net::wire::{List, Opaque, Refusal, Reply, Request, Response};

use super::chat::log_of;
use super::lies::{is_seen_through, stage};
use super::world::bytes;
use super::*;
use crate::status::Age;

/// Changes the head proof that answers a question about a log.
fn proof(change: impl Fn(&World, &mut HeadProof) + Send + Sync + 'static) -> impl Fn(&World, &Request, Reply) -> Reply {
    move |world, _, reply| match reply {
        Ok(Response::Log(given)) => {
            let mut proof = HeadProof::from_bytes(&given).unwrap();
            change(world, &mut proof);
            Ok(Response::Log(bytes(&proof)))
        }
        other => other,
    }
}

/// Changes the way to the newest head, wherever it is told.
fn update(
    change: impl Fn(&World, &mut HeadUpdate) + Send + Sync + 'static,
) -> impl Fn(&World, &Request, Reply) -> Reply {
    move |world, _, reply| match reply {
        Ok(Response::Log(given)) => {
            let mut proof = HeadProof::from_bytes(&given).unwrap();
            change(world, &mut proof.update);
            Ok(Response::Log(bytes(&proof)))
        }
        Ok(Response::Head(given)) => {
            let mut update = HeadUpdate::from_bytes(&given).unwrap();
            change(world, &mut update);
            Ok(Response::Head(bytes(&update)))
        }
        other => other,
    }
}

/// Changes a page of entries: the index of its first one, and they.
fn page(
    change: impl Fn(&mut u64, &mut Vec<Opaque>) + Send + Sync + 'static,
) -> impl Fn(&World, &Request, Reply) -> Reply {
    move |_, _, reply| match reply {
        Ok(Response::Entries(mut entries)) => {
            let mut given = std::mem::replace(&mut entries.entries, List::EMPTY).into_vec();
            change(&mut entries.from, &mut given);
            entries.entries = List::new(given).unwrap();
            Ok(Response::Entries(entries))
        }
        other => other,
    }
}

/// Changes what a page says of one entry's body.
fn body(index: u64, change: impl Fn(&mut Body) + Send + Sync + 'static) -> impl Fn(&World, &Request, Reply) -> Reply {
    page(move |from, entries| {
        let place = index.checked_sub(*from).and_then(|place| usize::try_from(place).ok());
        let Some(entry) = place.and_then(|place| entries.get_mut(place)) else {
            return;
        };
        let mut reader = Reader::new(entry);
        let place = Place::decode(&mut reader).unwrap();
        // Pages without bodies have none to change.
        let Ok(mut carried) = Carried::decode(&mut reader) else {
            return;
        };
        change(&mut carried.body);
        *entry = Opaque::from([place.to_bytes(), carried.to_bytes()].concat());
    })
}

/// Ben reads everything although the node he asks first answers like that; the reason has this name.
async fn forgery_is_seen_through<F>(what: &str, forgery: F, code: &str)
where
    F: Fn(&World, &Request, Reply) -> Reply + Send + Sync + 'static,
{
    let stage = stage().await;
    stage.liar.forges(forgery);
    is_seen_through(&stage, what, code).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_truncated_range_is_withheld_or_wrong_but_never_the_log() {
    // Ben holds the first entry; three are proven to be missing.
    let cut = page(|from, entries| entries.truncate(usize::try_from(3_u64.saturating_sub(*from)).unwrap()));
    forgery_is_seen_through("the last entry is cut off", cut, "withheld-entries").await;
    let empty = page(|_, entries| entries.clear());
    forgery_is_seen_through("an empty page", empty, "withheld-entries").await;
    let gap = page(|_, entries| drop((entries.len() > 2).then(|| entries.remove(1))));
    forgery_is_seen_through("an entry left out in the middle", gap, "wrong-entries").await;
    let swapped = page(|_, entries| {
        if entries.len() > 2 {
            entries.swap(0, 2);
        }
    });
    forgery_is_seen_through("two entries swapped", swapped, "wrong-entries").await;
    let later = page(|from, entries| {
        *from += 1;
        drop((!entries.is_empty()).then(|| entries.remove(0)));
    });
    forgery_is_seen_through("a range that begins later", later, "wrong-answer").await;
    let more = page(|_, entries| entries.extend(entries.clone()));
    forgery_is_seen_through("more entries than were asked for", more, "wrong-answer").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_head_is_refused_though_every_word_of_it_was_true_once() {
    let old = |world: &World, request: &Request, reply: Reply| match request {
        Request::Log { log, .. } => Ok(Response::Log(bytes(&world.branch(1).head_proof(log, 0).unwrap()))),
        Request::Head { .. } => Ok(Response::Head(bytes(&world.branch(1).head_update(0).unwrap()))),
        _ => reply,
    };
    // Ben holds the block with Ada's first message; the liar shows one before it.
    let stage = stage().await;
    let held = stage.ben.client.status(stage.world.network()).await.unwrap().height;
    assert!(held >= 1, "Ben holds block {held}");
    stage.world.order();
    stage.ben.prefers(&stage.world, &stage.honest).await;
    stage.ben.client.refresh().await.unwrap();
    stage.liar.forges(old);
    stage.ben.prefers(&stage.world, &stage.liar).await;
    let served = stage.ben.client.refresh().await.unwrap();
    assert_eq!(served[0].left[0].1.code(), "stale-head");
    assert_eq!(served[0].node, stage.honest.address().id());
}

/// A rung to a committee of the forger's own.
fn own_rung(world: &World) -> LadderStep {
    let key = VoteKey::from_seed(&[200; 32]);
    let next = Committee::new(1, vec![key.public()]).unwrap();
    let mut header = world.header(world.height()).unwrap();
    header.next_committee = next.hash(&world.keys);
    let id = header.id(&world.keys);
    // One signature, where the committee in force has three.
    let certificate = Certificate::sign(&world.committee_at(world.height()), 0, &header, id, &[&key]);
    LadderStep {
        head: waxwing_core::certificate::Head { header, certificate },
        extension: InclusionProof::default(),
        next,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_ladder_is_refused_rung_by_rung() {
    type Change = fn(&World, &mut HeadUpdate);
    let changes: [(&str, Change, &str); 7] = [
        (
            "no ladder at all",
            |_, update| update.ladder.clear(),
            "uncertified-head",
        ),
        (
            "the first rung left out",
            |_, update| drop(update.ladder.remove(0)),
            "uncertified-head",
        ),
        (
            "the rungs in the wrong order",
            |_, update| update.ladder.reverse(),
            "uncertified-head",
        ),
        (
            "a committee that the block does not name",
            |_, update| update.ladder[0].next = update.ladder[1].next.clone(),
            "wrong-ladder",
        ),
        (
            "a rung twice",
            |_, update| {
                let mut again = update.ladder[0].clone();
                again.extension = InclusionProof::default();
                update.ladder.insert(1, again);
            },
            "wrong-ladder",
        ),
        (
            "a rung that does not extend what is held",
            |_, update| update.ladder[0].extension = update.ladder[1].extension.clone(),
            "other-history",
        ),
        (
            "a rung to the forger's own committee",
            |world, update| update.ladder.insert(0, own_rung(world)),
            "uncertified-head",
        ),
    ];
    for (what, change, code) in changes {
        let stage = stage().await;
        for numbers in [1..5, 2..9] {
            stage.world.change_committee(numbers);
            stage.world.order();
        }
        stage.liar.forges(update(move |world, update| {
            if update.ladder.len() == 2 {
                change(world, update);
            }
        }));
        is_seen_through(&stage, what, code).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certified_head_of_a_foreign_network_is_named_as_that() {
    let foreign = World::new("foreign");
    foreign.order_many(20);
    let shown = std::sync::Arc::clone(&foreign);
    let forged = move |_: &World, request: &Request, reply: Reply| match request {
        Request::Log { log, .. } => Ok(Response::Log(bytes(&shown.head_proof(log, 0).unwrap()))),
        Request::Head { .. } => Ok(Response::Head(bytes(&shown.head_update(0).unwrap()))),
        _ => reply,
    };
    forgery_is_seen_through("another network's head", forged, "foreign-network").await;
}

/// Bytes of a map proof with as many levels as there can be, each with a sibling.
fn deepest_map_proof() -> MapProof {
    let mut proof = vec![0, 1, 0];
    proof.extend([0xff; 32]);
    proof.extend([7; 32 * 256]);
    MapProof::from_bytes(&proof).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn huge_proofs_cost_little_and_prove_nothing() {
    let hash = Hash([7; 32]);
    let longest = update(move |_, update| update.extension.siblings = vec![hash; 50]);
    forgery_is_seen_through("a path for a history of 2^50 blocks", longest, "other-history").await;
    let longer = update(move |_, update| update.extension.siblings = vec![hash; 10_000]);
    forgery_is_seen_through("a path longer than any history", longer, "garbled").await;
    let deep = proof(|_, proof| proof.log.path = deepest_map_proof());
    forgery_is_seen_through("a map proof of 256 levels", deep, "wrong-log-proof").await;
    let rungs = update(|world, update| {
        update.ladder = vec![own_rung(world); usize::try_from(LADDER_STEPS_MAX).unwrap()];
    });
    forgery_is_seen_through("a ladder of as many rungs as there may be", rungs, "uncertified-head").await;
    let more = update(|world, update| {
        update.ladder = vec![own_rung(world); usize::try_from(LADDER_STEPS_MAX).unwrap() + 1];
    });
    forgery_is_seen_through("a ladder of more rungs", more, "garbled").await;
    let megabytes = |_: &World, request: &Request, reply: Reply| match request {
        Request::Log { .. } => Ok(Response::Log(Opaque::from(vec![7; (4 << 20) - 64]))),
        _ => reply,
    };
    forgery_is_seen_through("four megabytes of nothing", megabytes, "garbled").await;
    let many = page(|_, entries| *entries = vec![Opaque::default(); 4096]);
    forgery_is_seen_through("four thousand empty entries", many, "wrong-answer").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_valid_proof_for_the_wrong_log_is_no_proof() {
    let stage = stage().await;
    let other = stage
        .ada
        .client
        .create_channel(stage.world.network(), "elsewhere")
        .await
        .unwrap();
    for words in ["a", "b", "c", "d", "e"] {
        stage.ada.say_finally(other, words).await;
    }
    let other: LogId = log_of(&stage.ada.client, other).await;
    // Another log, which exists and is longer.
    stage.liar.forges(proof(move |world, proof| {
        proof.log = world.head_proof(&other, 0).unwrap().log;
    }));
    is_seen_through(&stage, "the proof of another log", "wrong-log-proof").await;

    // The right log at an older block.
    let forged = |world: &World, request: &Request, reply: Reply| match (request, reply) {
        (Request::Log { log, .. }, Ok(Response::Log(given))) => {
            let mut proof = HeadProof::from_bytes(&given).unwrap();
            proof.log = world.branch(world.height() - 1).head_proof(log, 0).unwrap().log;
            Ok(Response::Log(bytes(&proof)))
        }
        (_, reply) => reply,
    };
    forgery_is_seen_through("what an older block says", forged, "wrong-log-proof").await;

    // A log that is there, as one that is not.
    let denied = proof(|_, proof| {
        let mut way = proof.log.path.to_bytes();
        // From "present" to "an empty slot", at the end of the same way.
        way[0] = 1;
        proof.log.leaf = None;
        proof.log.path = MapProof::from_bytes(&way).unwrap();
    });
    forgery_is_seen_through("a log denied by its own proof", denied, "wrong-log-proof").await;
    let longer = proof(|_, proof| proof.log.leaf.as_mut().unwrap().length += 1);
    forgery_is_seen_through("a log said to be longer", longer, "wrong-log-proof").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withheld_tail_is_shown_as_possible_when_no_fresh_word_comes() {
    let stage = stage().await;
    stage.ben.client.refresh().await.unwrap();
    let network = stage.world.network();
    let before = stage.world.beacon(stage.world.clock.now());
    // From now on the only node that answers shows the ledger as it is here, and the word of a quorum about it.
    let still = stage.world.branch(stage.world.height());
    stage.liar.serve(&still);
    stage.liar.forges(move |_, request, reply| match request {
        Request::Beacon { .. } => Ok(Response::Beacon(bytes(&before))),
        _ => reply,
    });
    let honest = stage.honest;
    stage.ada.say_finally(stage.channel.0, "five").await;
    honest.shut_down().await;
    stage.ben.client.refresh().await.unwrap();
    let age = stage.ben.client.status(network).await.unwrap().age;
    assert!(matches!(age, Age::Fresh { .. }), "{age:?}");
    // Forty seconds are the promise: then it must be said, whatever the node repeats.
    stage.world.clock.shift(41_000);
    stage.ben.client.clock().shift(41_000);
    let _ = stage.ben.client.refresh().await;
    let age = stage.ben.client.status(network).await.unwrap().age;
    assert!(matches!(age, Age::Stale { age_ms } if age_ms > 40_000), "{age:?}");
    assert_eq!(
        stage.ben.reads(stage.channel.1).await.len(),
        4,
        "nothing false was read either"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_keeps_the_end_of_a_log_back_under_a_true_head_is_withholding() {
    let refused = |_: &World, request: &Request, reply: Reply| match request {
        Request::Entries { from, .. } if *from > 0 => Err(Refusal::IndexAhead { length: *from }),
        _ => reply,
    };
    forgery_is_seen_through("the head proves more than is given", refused, "withheld-entries").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_body_needs_an_excuse_that_holds() {
    let withheld = body(2, |body| *body = Body::Withheld);
    forgery_is_seen_through("no body and no excuse", withheld, "withheld-body").await;
    let expired = body(2, |body| *body = Body::Expired);
    forgery_is_seen_through("expired, and was to be kept for ever", expired, "withheld-body").await;
    let erased = body(2, |body| *body = Body::Erased(ErasureSecret([7; 32])));
    forgery_is_seen_through("erased by a secret that is not the author's", erased, "altered-body").await;
    let other = body(2, |body| *body = Body::Present(vec![7; 300]));
    forgery_is_seen_through("somebody else's body", other, "altered-body").await;
}

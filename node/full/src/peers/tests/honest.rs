//! What honest validators get.

use waxwing_core::envelope::{Anchor, Envelope, EnvelopeHeader, KeepFor};
use waxwing_core::genesis::FirstOfLog;
use waxwing_core::hash::Meaning;
use waxwing_core::keys::LogKey;

use super::*;
use crate::pool::Candidate;

#[tokio::test]
async fn two_validators_hear_each_other_though_only_one_knew_the_other() {
    let mut one = Node::start(1, &[]);
    let mut other = Node::start(2, &[one.address()]);
    one.until_up(other.validator()).await;
    other.until_up(one.validator()).await;
    for height in 1..=100 {
        one.links.send(To::All, &Frame::Status(height));
        other
            .links
            .send(To::One(one.validator()), &Frame::Status(height + 1000));
        other.links.send(To::One(vote_key(3).public()), &Frame::Status(0));
    }
    for height in 1..=100 {
        assert_eq!(other.frame().await, (one.validator(), Frame::Status(height)));
        assert_eq!(one.frame().await, (other.validator(), Frame::Status(height + 1000)));
    }
    let report = one.links.report();
    let linked: Vec<bool> = report
        .iter()
        .map(|link| link.listens && link.heard_at.is_some())
        .collect();
    assert_eq!(linked.iter().filter(|linked| **linked).count(), 1, "{report:?}");
    assert_eq!(linked.len(), usize::from(MEMBERS) - 1);
}

#[tokio::test]
async fn a_validator_that_was_restarted_is_linked_again_and_whoever_is_left_hears_of_it() {
    let mut one = Node::start(1, &[]);
    let other = Node::start(2, &[one.address()]);
    let (known, place) = (one.address(), other.server.address().unwrap());
    one.until_up(other.validator()).await;
    let gone = other.validator();
    other.stop().await;
    one.until_down(gone).await;
    let mut other = Node::start_at(2, &[known], place);
    one.until_up(gone).await;
    other.until_up(one.validator()).await;
    one.links.send(To::All, &Frame::Status(7));
    assert_eq!(other.frame().await, (one.validator(), Frame::Status(7)));
    other.links.send(To::All, &Frame::Status(8));
    assert_eq!(one.frame().await, (gone, Frame::Status(8)));
}

#[tokio::test]
async fn whoever_leaves_ends_its_links() {
    let mut one = Node::start(1, &[]);
    let mut other = Node::start(2, &[one.address()]);
    one.until_up(other.validator()).await;
    other.until_up(one.validator()).await;
    other.links.leave();
    one.until_down(other.validator()).await;
    soon(async {
        while other.links.reaches_anybody() || !one.links.connections().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    assert_eq!(other.links.report(), []);
}

#[tokio::test]
async fn envelopes_are_passed_on_in_order_and_many_at_a_time() {
    let one = Node::start(1, &[]);
    let mut other = Node::start(2, &[one.address()]);
    one.until_reached(other.validator()).await;
    other.until_reached(one.validator()).await;
    let sealed: Vec<Opaque> = (0..3000_u32)
        .map(|number| number.to_be_bytes().to_vec().into())
        .collect();
    for part in sealed.chunks(7) {
        one.links.spread(part);
    }
    let (mut arrived, mut messages) = (Vec::new(), 0);
    while arrived.len() < sealed.len() {
        arrived.extend(soon(other.spread.recv()).await.unwrap());
        messages += 1;
    }
    assert_eq!(arrived, sealed);
    assert!(messages < 100, "{messages} messages");
}

#[tokio::test]
async fn a_validator_without_room_is_left_alone_and_then_gets_what_has_gathered() {
    let one = Node::start(1, &[]);
    let mut other = Node::start(2, &[one.address()]);
    one.until_reached(other.validator()).await;
    other.until_reached(one.validator()).await;
    *other.room.lock().unwrap() = Room::Full { retry_after_ms: 700 };
    let sealed: Vec<Opaque> = (0..40_u8).map(|number| vec![number].into()).collect();
    one.links.spread(&sealed[..1]);
    assert_eq!(soon(other.spread.recv()).await.unwrap(), sealed[..1]);
    let told = one.links.clock.steady_ms();
    for envelope in &sealed[1..] {
        one.links.spread(std::slice::from_ref(envelope));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(
        soon(other.spread.recv()).await.unwrap(),
        sealed[1..],
        "all of it at once"
    );
    assert!(one.links.clock.steady_ms() >= told + 600);
}

#[tokio::test]
async fn nothing_more_is_taken_for_a_while_from_who_passed_on_nonsense() {
    let one = Node::start(1, &[]);
    let other = Node::start(2, &[one.address()]);
    let connection = one.until_reached(other.validator()).await;
    other.until_reached(one.validator()).await;
    let spread = || Request::Spread {
        envelopes: waxwing_net::wire::List::new(vec![vec![1].into()]).unwrap(),
    };
    assert_eq!(
        connection.request(&spread(), PATIENCE).await,
        Ok(Response::Spread(Room::Enough))
    );
    other.links.ban(one.validator());
    let refused = connection.request(&spread(), PATIENCE).await;
    assert_eq!(
        refused,
        Err(waxwing_net::quic::RequestError::Refused(Refusal::Stranger))
    );
}

/// Envelopes of one writer, as they wait in a pool.
pub(super) fn candidates(count: u64) -> Vec<Candidate> {
    let (genesis, key) = (genesis(), LogKey::from_seed(&[9; 32]));
    let keys = genesis.keys();
    let seal = |number: u64| {
        let body = number.to_be_bytes().to_vec();
        let mut header = EnvelopeHeader {
            body_length: 8,
            log: key.public(),
            anchor: Anchor {
                height: 0,
                id: genesis.block().id(&keys),
            },
            body_hash: keys.hash(Meaning::Body, &body),
            erasure: Hash([3; 32]),
            keep_for: KeepFor::Ever,
            nonce: number << 32,
        };
        while header.stamp(&keys).leading_zero_bits() < 4 {
            header.nonce += 1;
        }
        let stamp = header.stamp(&keys);
        let envelope = Envelope {
            signed: header.sign(&keys, &key),
            body,
        };
        Candidate {
            carried: Arc::new(envelope.verify(&keys, genesis.parameters.stamp_bits).unwrap()),
            stamp,
            first_bits: 4,
            first: FirstOfLog::Yes,
        }
    };
    (0..count).map(seal).collect()
}

#[tokio::test]
async fn missing_entries_are_pulled_and_verified_and_unknown_ones_are_said_to_be_unknown() {
    let mut one = Node::start(1, &[]);
    let other = Node::start(2, &[one.address()]);
    one.until_reached(other.validator()).await;
    other.until_reached(one.validator()).await;
    let waiting = candidates(5);
    assert!(other.waiting.admit(waiting.clone()).iter().all(Result::is_ok));
    let (block, stamps): (Hash, Vec<Hash>) = (Hash([1; 32]), waiting.iter().map(|one| one.stamp).collect());
    let asked = [&stamps[1..4], &[Hash([8; 32])]].concat();
    one.links.pull(block, other.validator(), asked);
    let wanted: Vec<Hash> = waiting[1..4].iter().map(|one| one.carried.id()).collect();
    assert_eq!(one.pulled().await, wanted);
    one.links.pull(block, other.validator(), vec![Hash([8; 32])]);
    assert_eq!(one.pulled().await, []);
    one.links.pull(block, vote_key(3).public(), stamps);
    assert_eq!(one.pulled().await, [], "who cannot be reached has nothing either");
    let request = Request::Missing {
        block,
        stamps: waxwing_net::wire::List::new(vec![waxwing_net::wire::Stamp(Hash([8; 32]))]).unwrap(),
    };
    let connection = one.until_reached(other.validator()).await;
    let refused = connection.request(&request, PATIENCE).await;
    assert_eq!(
        refused,
        Err(waxwing_net::quic::RequestError::Refused(Refusal::UnknownBlock))
    );
}

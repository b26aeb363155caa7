//! Strangers who put into an inbox what they like: its owner reads headers first, and pays for nothing that can lead to nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use waxwing_core::codec::Encode;
use waxwing_core::envelope::{Envelope, EnvelopeHeader, KeepFor};
use waxwing_core::genesis::FirstOfLog;
use waxwing_core::limits::DAY_MS;
use waxwing_core::{Hash, Meaning};
use waxwing_net::wire::{Reply, Request, Response};
use waxwing_seal::inbox::{PersonLink, Uses};

use super::world::Admitted;
use super::*;
use crate::conversations::Joined;
use crate::inbox::Inviting;
use crate::store::inboxes::{AskedState, RequestState};

/// Bytes of each body that a stranger puts there: far more than a request can have.
const LARGE: usize = 64 << 10;

/// As many as a request of somebody can have at most.
const SHORT: usize = 12 << 10;

/// What whoever has the link may do: entries of the inbox's log that mean nothing.
fn flood(world: &Arc<World>, link: &str, count: u32, length: usize) {
    let door = PersonLink::from_link(link).unwrap().door();
    for number in 0..count {
        let mut body = vec![0x5a; length];
        body[..4].copy_from_slice(&number.to_be_bytes());
        let mut header = EnvelopeHeader {
            body_length: u32::try_from(length).unwrap(),
            log: door.log(),
            anchor: world.anchor(),
            body_hash: world.keys.hash(Meaning::Body, &body),
            erasure: Hash([7; 32]),
            keep_for: KeepFor::Month,
            nonce: 0,
        };
        let bits = world
            .genesis
            .parameters
            .required_bits(header.body_length, FirstOfLog::Yes);
        header.grind(&world.keys, bits);
        let signed = header.sign(&world.keys, door.keys().log_key());
        let taken = world.submit(&Envelope { signed, body }.to_bytes());
        assert!(matches!(taken, Admitted::Taken(_)));
    }
}

/// Counts the bytes of all pages of entries that a node gives.
fn counted(node: &TestNode) -> Arc<AtomicUsize> {
    let given = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&given);
    node.forges(move |_: &World, _: &Request, reply: Reply| {
        if let Ok(Response::Entries(page)) = &reply {
            let bytes = page.entries.iter().map(|entry| entry.len()).sum();
            counter.fetch_add(bytes, Ordering::Relaxed);
        }
        reply
    });
    given
}

/// Ada, with the link of an invitation that lets one person in, all of it final; and nobody connected.
async fn invited(world: &Arc<World>, node: &TestNode) -> (Person, String) {
    let ada = Person::on("Ada", world, &[node]).await;
    let channel = ada.client.found_group(world.network(), "plans").await.unwrap();
    let inviting = Inviting {
        uses: Uses::ONE,
        valid_ms: 7 * DAY_MS,
        asks: false,
    };
    let invited = ada.client.invite_to_group(channel, inviting).await.unwrap();
    for _ in 0..4 {
        ada.client.refresh().await.unwrap();
    }
    assert_eq!(ada.client.answers_waiting().await, Ok(0), "the opening is final");
    (ada, invited.link.to_string())
}

/// Ben asks by the link, and both look until he is in.
async fn comes_in(ada: &Client, ben: &Client, link: &str) {
    let Joined::Asked(asked) = ben.join_with(link, "").await.unwrap() else {
        panic!("the link asks");
    };
    for _ in 0..4 {
        ben.refresh().await.unwrap();
        ada.refresh().await.unwrap();
    }
    let view = ben
        .asked()
        .await
        .unwrap()
        .into_iter()
        .find(|view| view.id == asked)
        .unwrap();
    assert_eq!(view.state, AskedState::Joined, "{:?}", view.reason);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_large_entries_costs_headers_and_hides_no_request_behind_it() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let (ada, link) = invited(&world, &node).await;
    flood(&world, &link, 300, LARGE);
    let given = counted(&node);
    let ben = Person::new("Ben").await;
    comes_in(&ada.client, &ben.client, &link).await;
    // Each of the two reads the headers twice: where the log can be cut, and what is wanted of each piece.
    let given = given.load(Ordering::Relaxed);
    assert!(given < 300 * 2 * 2 * 400 + (256 << 10), "{given} bytes");
    assert!(given < 300 * LARGE / 20, "{given} bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_entries_that_may_be_requests_are_read_and_found_void_and_the_request_among_them_counts() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let (ada, link) = invited(&world, &node).await;
    flood(&world, &link, 20, SHORT);
    flood(&world, &link, 20, LARGE);
    let given = counted(&node);
    ada.client.refresh().await.unwrap();
    let short = given.load(Ordering::Relaxed);
    assert!(short > 20 * SHORT, "{short} bytes: they may be requests");
    assert!(
        short < 20 * SHORT + 20 * LARGE / 4,
        "{short} bytes: what is large cannot be"
    );
    let ben = Person::new("Ben").await;
    comes_in(&ada.client, &ben.client, &link).await;
    let requests = ada.client.requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].state, RequestState::LetIn);
    // Nothing of it is asked for again, round by round.
    ada.client.refresh().await.unwrap();
    let before = given.load(Ordering::Relaxed);
    for _ in 0..3 {
        ada.client.refresh().await.unwrap();
    }
    assert_eq!(given.load(Ordering::Relaxed), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_fetched_is_proven_all_the_same() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let (ada, link) = invited(&world, &node).await;
    flood(&world, &link, 20, LARGE);
    // Another time, another end: of entries whose bodies nobody asks for.
    for (lie, code) in [
        (Lie::MovedEntry, "wrong-entries"),
        (Lie::EndsAfter(10), "withheld-entries"),
    ] {
        node.lie(lie);
        // With nobody else to ask, the round comes to nothing; its reason is kept.
        let _ = ada.client.refresh().await;
        let faults = ada.faults(world.network()).await;
        assert!(faults.iter().any(|fault| fault == code), "{faults:?}");
        node.repent();
    }
    let ben = Person::new("Ben").await;
    comes_in(&ada.client, &ben.client, &link).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_a_node_calls_expired_without_reason_is_waited_for_and_not_lost() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let (ada, link) = invited(&world, &node).await;
    let ben = Person::new("Ben").await;
    ben.client.join_with(&link, "").await.unwrap();
    for _ in 0..3 {
        ben.client.refresh().await.unwrap();
    }
    assert_eq!(ben.client.asked().await.unwrap()[0].state, AskedState::Asked);
    node.lie(Lie::FalselyExpired);
    for _ in 0..2 {
        // With nobody else to ask, the round comes to nothing.
        let _ = ada.client.refresh().await;
    }
    assert!(ada.client.requests().await.unwrap().is_empty());
    node.repent();
    until("the request is read", async || {
        ada.client.refresh().await.unwrap();
        ada.client.requests().await.unwrap().len() == 1
    })
    .await;
}

//! What is pushed: entries with their proofs, heads, beacons; and what a slow or returning subscriber gets.

use std::time::Duration;

use waxwing_core::Hash;
use waxwing_core::certificate::Beacon;
use waxwing_core::codec::{Decode, Reader};
use waxwing_core::follow::{Freshness, HeadProof, HeadUpdate};
use waxwing_core::keys::{LogId, Signature};
use waxwing_core::log::{LogCursor, Place};
use waxwing_net::quic::{CloseCode, Closed, RequestError, Subscription};
use waxwing_net::wire::{Admission, FollowLog, List, Push, Refusal, Request, Response, Watch};

use crate::client::{Client, parse};
use crate::copy::until_upstream;
use crate::world::{SOON, World, Writer};

async fn subscribe(client: &Client, logs: &[FollowLog], watch: Watch) -> Subscription {
    let request = Request::Subscribe {
        logs: List::new(logs.to_vec()).unwrap(),
        held: client.follow.header().height,
        watch,
    };
    client.connection.subscribe(&request, SOON).await.unwrap()
}

async fn next(subscription: &mut Subscription) -> Push {
    tokio::time::timeout(SOON, subscription.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap()
}

/// Takes pushes of one log until it is as long as wanted, checking everything as a light client does.
async fn follow_log(client: &mut Client, subscription: &mut Subscription, cursor: &mut LogCursor, length: u64) {
    let keys = client.follow.keys().clone();
    let log = cursor.state.log;
    let mut gathered: Vec<(Hash, Place)> = Vec::new();
    while cursor.state.length() < length {
        let Push::Entries {
            log: pushed,
            entries,
            proof,
        } = next(subscription).await
        else {
            continue;
        };
        assert_eq!(pushed, log);
        let have = cursor.state.length() + u64::try_from(gathered.len()).unwrap();
        assert_eq!(entries.from, have, "no gap and nothing twice");
        let proof = HeadProof::from_bytes(&proof).unwrap();
        client.follow.accept(&proof.update, 0).unwrap();
        let leaf = client.follow.check_log(&log, &proof.log).unwrap().unwrap();
        for bytes in entries.entries {
            let (carried, place) = parse(&bytes);
            carried.body.check(&carried.signed.header, &keys).unwrap();
            gathered.push((carried.signed.entry_id(&keys), place));
        }
        if cursor.state.length() + u64::try_from(gathered.len()).unwrap() >= leaf.length {
            cursor.extend(&keys, &gathered, &leaf).unwrap();
            gathered.clear();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_gets_what_was_there_and_what_comes_with_proofs() {
    let world = World::new();
    let node = world.validator().await;
    let sender = Client::to(&world, &node).await;
    let mut client = Client::to(&world, &node).await;
    let (mut one, mut other) = (Writer::new(&world, 1), Writer::new(&world, 2));
    let log = one.key.public();
    sender.submit(&[one.seal(b"a"), one.seal(b"b")]).await;
    client.until_length(log, 2).await;
    let mut subscription = subscribe(&client, &[FollowLog { log, from: 0 }], Watch::Logs).await;
    let mut cursor = LogCursor::start(log);
    follow_log(&mut client, &mut subscription, &mut cursor, 2).await;
    for number in 3..=6 {
        sender.submit(&[other.seal(b"not followed"), one.seal(b"next")]).await;
        follow_log(&mut client, &mut subscription, &mut cursor, number).await;
    }
    drop(subscription);
    sender.submit(&[one.seal(b"meanwhile")]).await;
    client.until_length(log, 7).await;
    let from = cursor.state.length();
    let mut resumed = subscribe(&client, &[FollowLog { log, from }], Watch::Logs).await;
    follow_log(&mut client, &mut resumed, &mut cursor, 7).await;
}

/// On one thread: a subscription that went round and round while the ledger was empty once starved everybody else.
#[tokio::test(flavor = "current_thread")]
async fn a_log_that_does_not_exist_yet_can_be_followed() {
    let world = World::new();
    let node = world.validator().await;
    let mut client = Client::to(&world, &node).await;
    let mut writer = Writer::new(&world, 1);
    let log = writer.key.public();
    let mut subscription = subscribe(&client, &[FollowLog { log, from: 0 }], Watch::Logs).await;
    let sender = Client::to(&world, &node).await;
    assert_eq!(sender.submit_one(&writer.seal(b"first")).await, Admission::Taken);
    follow_log(&mut client, &mut subscription, &mut LogCursor::start(log), 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_log_comes_in_pages_that_lead_to_the_proven_root() {
    let world = World::new();
    let node = world.validator().await;
    let mut client = Client::to(&world, &node).await;
    let mut writer = Writer::new(&world, 1);
    let log = writer.key.public();
    let body = vec![7; 300 << 10];
    let sealed: Vec<_> = (0..9).map(|_| writer.seal(&body)).collect();
    for three in sealed.chunks(3) {
        assert!(
            client
                .submit(three)
                .await
                .iter()
                .all(|admission| *admission == Admission::Taken)
        );
    }
    client.until_length(log, 9).await;
    let mut subscription = subscribe(&client, &[FollowLog { log, from: 0 }], Watch::Logs).await;
    follow_log(&mut client, &mut subscription, &mut LogCursor::start(log), 9).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_are_pushed_each_extending_the_one_before() {
    let world = World::new();
    let node = world.validator().await;
    let mut client = Client::to(&world, &node).await;
    let sender = Client::to(&world, &node).await;
    let mut subscription = subscribe(&client, &[], Watch::Heads).await;
    let mut writer = Writer::new(&world, 1);
    for height in 1..=5 {
        sender.submit_one(&writer.seal(b"x")).await;
        while client.follow.header().height < height {
            let Push::Head(update) = next(&mut subscription).await else {
                panic!()
            };
            client
                .follow
                .accept(&HeadUpdate::from_bytes(&update).unwrap(), 0)
                .unwrap();
        }
    }
    node.handle.shut_down(SOON).await;
    let is_named = loop {
        match subscription.next().await {
            Ok(Some(Push::Head(_))) => {}
            // Which of the two comes first is chance; both name the reason.
            Ok(Some(Push::Ended(refusal))) => break refusal == Refusal::ShuttingDown,
            Err(RequestError::Closed(closed)) => break closed == Closed::ByPeer(CloseCode::ShuttingDown),
            other => panic!("{other:?}"),
        }
    };
    assert!(is_named);
}

/// The client of a node is told how fresh its head is, though nothing is ordered.
async fn beacon_for(world: &World, client: &mut Client) -> Result<Beacon, Refusal> {
    let newer_than_ms = world.clock.now_ms();
    let wish = Request::Beacon {
        newer_than_ms,
        wait_ms: 5000,
    };
    match client.ask(wish).await? {
        Response::Beacon(beacon) => Ok(Beacon::from_bytes(&beacon).unwrap()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_beacon_comes_from_the_validator_and_through_followers() {
    let world = World::new();
    let validator = world.validator().await;
    let first = world.follower(&[validator.address()]).await;
    let second = world.follower(&[first.address()]).await;
    let sender = Client::to(&world, &validator).await;
    sender.submit_one(&Writer::new(&world, 1).seal(b"x")).await;
    second.handle.until_height(1).await.unwrap();
    for node in [&validator, &second] {
        let mut client = Client::to(&world, node).await;
        client.catch_up().await;
        world.pass(Duration::from_secs(100));
        assert!(matches!(
            client.follow.freshness(world.clock.now_ms()),
            Freshness::Stale { .. }
        ));
        let beacon = beacon_for(&world, &mut client).await.unwrap();
        client.follow.accept_beacon(&beacon, world.clock.now_ms()).unwrap();
        assert!(matches!(
            client.follow.freshness(world.clock.now_ms()),
            Freshness::Fresh { .. }
        ));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_watches_is_told_that_nothing_happened() {
    let world = World::new();
    let validator = world.validator().await;
    let follower = world.follower(&[validator.address()]).await;
    let sender = Client::to(&world, &validator).await;
    sender.submit_one(&Writer::new(&world, 1).seal(b"x")).await;
    follower.handle.until_height(1).await.unwrap();
    let mut client = Client::to(&world, &follower).await;
    let mut subscription = subscribe(&client, &[], Watch::HeadsAndBeacons).await;
    world.pass(Duration::from_secs(100));
    let beacon = loop {
        match next(&mut subscription).await {
            Push::Head(update) => {
                client
                    .follow
                    .accept(&HeadUpdate::from_bytes(&update).unwrap(), 0)
                    .unwrap();
            }
            Push::Beacon(beacon) => break Beacon::from_bytes(&beacon).unwrap(),
            other => panic!("{other:?}"),
        }
    };
    client.follow.accept_beacon(&beacon, world.clock.now_ms()).unwrap();
    assert!(matches!(
        client.follow.freshness(world.clock.now_ms()),
        Freshness::Fresh { .. }
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_ask_at_once_get_the_same_beacon() {
    let world = World::new();
    let node = world.validator().await;
    let client = Client::to(&world, &node).await;
    let newer_than_ms = world.clock.now_ms() - 500;
    let wish = Request::Beacon {
        newer_than_ms,
        wait_ms: 5000,
    };
    let first = client.ask(wish.clone()).await.unwrap();
    for _ in 0..20 {
        assert_eq!(client.ask(wish.clone()).await.as_ref(), Ok(&first));
    }
    let newer = Request::Beacon {
        newer_than_ms: world.clock.now_ms(),
        wait_ms: 5000,
    };
    assert_ne!(
        client.ask(newer).await.unwrap(),
        first,
        "but never an older one than asked for"
    );
    let impatient = Request::Beacon {
        newer_than_ms: world.clock.now_ms() + 60_000,
        wait_ms: 10,
    };
    assert_eq!(client.ask(impatient).await, Err(Refusal::NoBeacon));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_without_a_validator_makes_no_beacon() {
    let world = World::new();
    let follower = world.follower(&[]).await;
    let mut client = Client::to(&world, &follower).await;
    assert_eq!(beacon_for(&world, &mut client).await, Err(Refusal::NoBeacon));
    let statement = Request::Statement {
        height: 0,
        head: world.genesis_anchor().id,
    };
    assert_eq!(client.ask(statement).await, Err(Refusal::NoValidator));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_states_what_it_signs_and_nothing_about_other_heads() {
    let world = World::new();
    let node = world.validator().await;
    let client = Client::to(&world, &node).await;
    let head = world.genesis_anchor().id;
    let Ok(Response::Statement(bytes)) = client.ask(Request::Statement { height: 0, head }).await else {
        panic!()
    };
    let mut reader = Reader::new(&bytes);
    let time = reader.u64().unwrap();
    let signature = Signature::decode(&mut reader).unwrap();
    let message = waxwing_core::certificate::beacon_message(world.keys.network(), 0, head, time);
    world.vote.public().verify(&message, &signature).unwrap();
    let other = client
        .ask(Request::Statement {
            height: 0,
            head: Hash([1; 32]),
        })
        .await;
    assert_eq!(other, Err(Refusal::NotTheHead { newest: 0 }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_beyond_what_there_is_are_answered_with_what_there_is() {
    let world = World::new();
    let node = world.validator().await;
    let client = Client::to(&world, &node).await;
    let (log, nobody) = (Writer::new(&world, 1).key.public(), LogId([0; 32]));
    assert_eq!(
        client.ask(Request::Head { held: 0 }).await,
        Err(Refusal::HeightAhead { newest: 0 })
    );
    client.submit_one(&Writer::new(&world, 1).seal(b"x")).await;
    node.handle.until_height(1).await.unwrap();
    let one = std::num::NonZeroU32::MIN;
    let ahead = Err(Refusal::HeightAhead { newest: 1 });
    assert_eq!(client.ask(Request::Head { held: 2 }).await, ahead);
    assert_eq!(client.ask(Request::Headers { from: 2, count: one }).await, ahead);
    assert_eq!(
        client
            .ask(Request::Blocks {
                from: 2,
                count: one,
                bytes: one
            })
            .await,
        ahead
    );
    assert_eq!(client.ask(Request::HistoryProof { height: 0, size: 2 }).await, ahead);
    let contradiction = client.ask(Request::HistoryProof { height: 1, size: 1 }).await;
    assert_eq!(contradiction, Err(Refusal::Contradiction));
    assert_eq!(client.entries(nobody, 0, 1, 1).await, Err(Refusal::UnknownLog));
    assert_eq!(
        client.entries(log, 2, 1, 1).await,
        Err(Refusal::IndexAhead { length: 1 })
    );
    assert_eq!(client.entries(log, 1, 1, 1).await.unwrap().entries.len(), 0);
    assert_eq!(
        client.receipt(&world, log, 1).await,
        Err(Refusal::IndexAhead { length: 1 })
    );
    assert_eq!(client.receipt(&world, nobody, 0).await, Err(Refusal::UnknownLog));
    let nonsense = client
        .ask(Request::Report {
            evidence: vec![1, 2, 3].into(),
        })
        .await;
    assert_eq!(nonsense, Err(Refusal::NoEvidence));
    let follower = world.follower(&[node.address()]).await;
    until_upstream(&follower, |upstream| upstream.is_connected).await;
}

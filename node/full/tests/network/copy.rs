//! Followers: copy, check, serve; and go on when the node they copy from goes away.

use std::time::Duration;

use waxwing_core::codec::Decode;
use waxwing_core::receipt::Acknowledgement;
use waxwing_net::wire::{Admission, EnvelopeRefusal, Progress, Promise, Request, Response, Role};
use waxwing_node::UpstreamReport;

use crate::client::Client;
use crate::world::{Running, SOON, World, Writer};

/// Waits until a node's upstreams look as wanted.
pub(crate) async fn until_upstream(node: &Running, wanted: impl Fn(&UpstreamReport) -> bool) -> UpstreamReport {
    let found = async {
        loop {
            let status = node.handle.status().unwrap();
            if let Some(found) = status.upstreams.into_iter().find(|upstream| wanted(upstream)) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, found).await.unwrap()
}

/// Orders `count` blocks of one entry each.
async fn order(client: &Client, node: &Running, writer: &mut Writer, count: u64) {
    let from = node.handle.tip().height;
    for height in from + 1..=from + count {
        assert_eq!(client.submit_one(&writer.seal(b"x")).await, Admission::Taken);
        node.handle.until_height(height).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_and_a_follower_of_it_serve_what_the_validator_serves() {
    let world = World::new();
    let validator = world.validator().await;
    let client = Client::to(&world, &validator).await;
    let mut writer = Writer::new(&world, 1);
    order(&client, &validator, &mut writer, 5).await;
    let first = world.follower(&[validator.address()]).await;
    let second = world.follower(&[first.address()]).await;
    second.handle.until_height(5).await.unwrap();
    order(&client, &validator, &mut writer, 3).await;
    second.handle.until_height(8).await.unwrap();
    let mut original = Client::to(&world, &validator).await;
    let mut copy = Client::to(&world, &second).await;
    let log = writer.key.public();
    assert_eq!(copy.read(log).await, original.read(log).await);
    assert_eq!(copy.follow.header(), original.follow.header());
    assert_eq!(
        copy.receipt(&world, log, 7).await,
        original.receipt(&world, log, 7).await
    );
    let Ok(Response::Status(status)) = copy.ask(Request::Status).await else {
        panic!()
    };
    assert_eq!(
        (status.role, status.progress),
        (Role::Follower, Progress::Verified { height: 8 })
    );
    let Ok(Response::Peers(peers)) = copy.ask(Request::Peers).await else {
        panic!()
    };
    assert_eq!((peers[0].node, peers[0].role), (first.node(), Role::Follower));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envelopes_reach_the_validator_through_followers_and_its_promise_comes_back() {
    let world = World::new();
    let validator = world.validator().await;
    let first = world.follower(&[validator.address()]).await;
    let second = world.follower(&[first.address()]).await;
    until_upstream(&first, |upstream| upstream.is_connected).await;
    until_upstream(&second, |upstream| upstream.is_connected).await;
    let mut client = Client::to(&world, &second).await;
    let mut writer = Writer::new(&world, 1);
    let mut broken = writer.seal(b"broken");
    broken.signed.signature.0[0] ^= 1;
    let good = writer.seal(b"good");
    let admissions = client.submit_for(&[broken, good.clone()], Promise::Signed).await;
    assert_eq!(admissions[0], Admission::Refused(EnvelopeRefusal::BadSignature));
    let Admission::Acknowledged(promise) = &admissions[1] else {
        panic!("{admissions:?}")
    };
    let promise = Acknowledgement::from_bytes(promise).unwrap();
    promise.verify(world.keys.network()).unwrap();
    assert_eq!(promise.node, validator.node(), "who promises is who can keep it");
    let leaf = client.until_length(writer.key.public(), 1).await;
    assert_eq!(
        client.submit_one(&good).await,
        Admission::Final {
            index: 0,
            height: leaf.last_height
        }
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_that_only_know_each_other_take_nothing_and_say_why() {
    let world = World::new();
    let place = tempfile::tempdir().unwrap();
    let first = world.follower(&[]).await;
    let second = world.follower(&[first.address()]).await;
    let (place_of_first, mut config) = first.stop().await;
    drop(place);
    config.upstreams = vec![second.address()];
    let first = world.run(place_of_first, config).await;
    until_upstream(&first, |upstream| upstream.is_connected).await;
    let client = Client::to(&world, &first).await;
    let refused = client.submit_one(&Writer::new(&world, 1).seal(b"x")).await;
    assert!(
        matches!(refused, Admission::Refused(EnvelopeRefusal::NoValidator { .. })),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_goes_on_where_it_stopped() {
    let world = World::new();
    let validator = world.validator().await;
    let client = Client::to(&world, &validator).await;
    let mut writer = Writer::new(&world, 1);
    order(&client, &validator, &mut writer, 3).await;
    let follower = world.follower(&[validator.address()]).await;
    follower.handle.until_height(3).await.unwrap();
    let (place, config) = follower.stop().await;
    order(&client, &validator, &mut writer, 4).await;
    let follower = world.run(place, config).await;
    assert!(follower.handle.tip().height >= 3, "what was copied is still there");
    follower.handle.until_height(7).await.unwrap();
    let mut copy = Client::to(&world, &follower).await;
    assert_eq!(copy.read(writer.key.public()).await.len(), 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_goes_on_where_it_stopped() {
    let world = World::new();
    let validator = world.validator().await;
    let client = Client::to(&world, &validator).await;
    let mut writer = Writer::new(&world, 1);
    order(&client, &validator, &mut writer, 3).await;
    let before = validator.handle.tip();
    let (place, config) = validator.stop().await;
    let validator = world.run(place, config).await;
    assert_eq!(validator.handle.tip(), before);
    let mut client = Client::to(&world, &validator).await;
    order(&client, &validator, &mut writer, 2).await;
    assert_eq!(client.read(writer.key.public()).await.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_one_upstream_dies_another_is_used_and_the_reason_is_kept() {
    let world = World::new();
    let validator = world.validator().await;
    let client = Client::to(&world, &validator).await;
    let mut writer = Writer::new(&world, 1);
    let middle = world.follower(&[validator.address()]).await;
    order(&client, &validator, &mut writer, 2).await;
    let follower = world.follower(&[middle.address(), validator.address()]).await;
    follower.handle.until_height(2).await.unwrap();
    let dead = middle.node().to_string();
    middle.stop().await;
    order(&client, &validator, &mut writer, 3).await;
    follower.handle.until_height(5).await.unwrap();
    let gone = until_upstream(&follower, |upstream| {
        upstream.address.starts_with(&dead) && !upstream.is_connected
    })
    .await;
    assert!(gone.fault.is_some() && gone.fault_time_ms.is_some(), "{gone:?}");
    let used = until_upstream(&follower, |upstream| upstream.is_in_use).await;
    assert!(used.address.starts_with(&validator.node().to_string()));
}

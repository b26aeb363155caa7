//! Bodies that go: by their author's secret, by their time, and by nodes that should have kept them.

use std::time::Duration;

use waxwing_core::envelope::{Body, ErasureSecret, KeepFor};
use waxwing_net::wire::{Refusal, Request, Response};

use crate::client::Client;
use crate::copy::until_upstream;
use crate::world::{SOON, World, Writer};

/// Waits until the first body of a log is what it should be.
async fn until_body(client: &mut Client, writer: &Writer, wanted: &Body) {
    let seen = async {
        while client
            .read(writer.key.public())
            .await
            .first()
            .map(|(carried, _)| &carried.body)
            != Some(wanted)
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, seen).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revealed_secret_erases_the_body_on_all_nodes_and_every_proof_still_holds() {
    let world = World::new();
    let validator = world.validator().await;
    let first = world.follower(&[validator.address()]).await;
    let second = world.follower(&[first.address()]).await;
    for node in [&first, &second] {
        until_upstream(node, |upstream| upstream.is_connected).await;
    }
    let mut client = Client::to(&world, &first).await;
    let mut writer = Writer::new(&world, 1);
    let log = writer.key.public();
    client.submit(&[writer.seal(b"regret"), writer.seal(b"keep")]).await;
    client.until_length(log, 2).await;
    second.handle.until_height(1).await.unwrap();

    let wrong = Request::Reveal {
        log,
        index: 0,
        secret: ErasureSecret([1; 32]),
    };
    assert_eq!(client.ask(wrong).await, Err(Refusal::WrongSecret));
    let secret = writer.secret(b"regret");
    let ahead = client.ask(Request::Reveal { log, index: 9, secret }).await;
    assert_eq!(ahead, Err(Refusal::IndexAhead { length: 2 }));
    // Told to the one in the middle: it goes up to the validator and down to the other follower.
    assert_eq!(
        client.ask(Request::Reveal { log, index: 0, secret }).await,
        Ok(Response::Reveal)
    );
    assert_eq!(
        client.ask(Request::Reveal { log, index: 0, secret }).await,
        Ok(Response::Reveal),
        "again is as good"
    );
    for node in [&validator, &first, &second] {
        let mut client = Client::to(&world, node).await;
        until_body(&mut client, &writer, &Body::Erased(secret)).await;
        let read = client.read(log).await;
        assert_eq!(read[1].0.body, Body::Present(b"keep".to_vec()));
    }
    // Who copies later gets the excuse with the block.
    let third = world.follower(&[second.address()]).await;
    third.handle.until_height(1).await.unwrap();
    let mut client = Client::to(&world, &third).await;
    assert_eq!(client.read(log).await[0].0.body, Body::Erased(secret));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_was_away_hears_of_erasures_when_it_returns() {
    let world = World::new();
    let validator = world.validator().await;
    let follower = world.follower(&[validator.address()]).await;
    let client = Client::to(&world, &validator).await;
    let mut writer = Writer::new(&world, 1);
    client.submit_one(&writer.seal(b"regret")).await;
    follower.handle.until_height(1).await.unwrap();
    let (place, config) = follower.stop().await;
    let (log, secret) = (writer.key.public(), writer.secret(b"regret"));
    assert_eq!(
        client.ask(Request::Reveal { log, index: 0, secret }).await,
        Ok(Response::Reveal)
    );
    let follower = world.run(place, config).await;
    until_body(&mut Client::to(&world, &follower).await, &writer, &Body::Erased(secret)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_body_goes_when_header_time_says_so_and_later_copies_do_without() {
    let world = World::new();
    let validator = world.validator().await;
    let mut client = Client::to(&world, &validator).await;
    let mut writer = Writer::new(&world, 1);
    writer.keep_for = KeepFor::Day;
    client.submit_one(&writer.seal(b"brief")).await;
    client.until_length(writer.key.public(), 1).await;
    world.pass(Duration::from_secs(86_400 + 1));
    assert_eq!(
        validator.handle.sweep().await.unwrap(),
        0,
        "no block has said yet that a day has passed"
    );
    let mut other = Writer::new(&world, 2);
    client.submit_one(&other.seal(b"a day later")).await;
    client.until_length(other.key.public(), 1).await;
    assert_eq!(validator.handle.sweep().await.unwrap(), 1);
    assert_eq!(client.read(writer.key.public()).await[0].0.body, Body::Expired);
    let follower = world.follower(&[validator.address()]).await;
    follower.handle.until_height(2).await.unwrap();
    let mut client = Client::to(&world, &follower).await;
    assert_eq!(client.read(writer.key.public()).await[0].0.body, Body::Expired);
    assert_eq!(
        client.read(other.key.public()).await[0].0.body,
        Body::Present(b"a day later".to_vec())
    );
}

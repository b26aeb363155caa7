//! Pieces of attachments, put on a node and fetched from it by clients that believe nothing but hashes.

use std::num::NonZeroU32;
use std::time::Duration;

use waxwing_core::chunk::ChunkId;
use waxwing_core::limits::{CHUNK_BYTES_MAX, DAY_MS};
use waxwing_net::quic::{CloseCode, Closed, RequestError};
use waxwing_net::wire::{Chunk, Holding, List, Refusal, Request, Response};
use waxwing_node::config::NodeConfig;

use crate::client::Client;
use crate::world::{SOON, World};

/// Like no other number's, and as long as a piece can be.
fn piece(number: u32) -> Vec<u8> {
    let mut bytes = vec![0x5a; usize::try_from(CHUNK_BYTES_MAX).unwrap()];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn wanted(number: u32, days: u32) -> Request {
    Request::PutChunk {
        days: NonZeroU32::new(days).unwrap(),
        bytes: piece(number).into(),
    }
}

async fn put(client: &Client, number: u32, days: u32) -> Result<u64, Refusal> {
    match client.ask(wanted(number, days)).await? {
        Response::PutChunk { until_ms } => Ok(until_ms),
        other => panic!("{other:?}"),
    }
}

/// Whether the node serves a piece; one with another hash fails the test.
async fn is_served(world: &World, client: &Client, number: u32) -> bool {
    let id = ChunkId::of(&world.keys, &piece(number));
    match client.ask(Request::GetChunk { id }).await {
        Ok(Response::GetChunk(bytes)) => {
            assert!(id.names(&world.keys, &bytes), "the node served something else");
            true
        }
        Err(Refusal::UnknownChunk) => false,
        other => panic!("{other:?}"),
    }
}

async fn holdings(world: &World, client: &Client, numbers: impl Iterator<Item = u32>) -> Vec<Holding> {
    let ids = numbers.map(|number| Chunk(ChunkId::of(&world.keys, &piece(number))));
    let ids = List::new(ids.collect()).unwrap();
    match client.ask(Request::HaveChunks { ids }).await {
        Ok(Response::HaveChunks(holdings)) => holdings.into_vec(),
        other => panic!("{other:?}"),
    }
}

fn roomy(config: &mut NodeConfig) {
    (config.chunks_mib, config.chunks_days, config.chunks_share) = (64, 30, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_promised_survives_a_restart_until_its_day_and_not_longer() {
    let world = World::new();
    let node = world.validator_with(roomy).await;
    let client = Client::to(&world, &node).await;
    let short = put(&client, 1, 2).await.unwrap();
    let long = put(&client, 2, 20).await.unwrap();
    assert!(short < long && short > world.clock.now_ms() + 2 * DAY_MS - 60_000);

    let (place, config) = node.stop().await;
    let node = world.run(place, config).await;
    let client = Client::to(&world, &node).await;
    assert!(is_served(&world, &client, 1).await && is_served(&world, &client, 2).await);
    let known = holdings(&world, &client, 1..=3).await;
    let kept = |until_ms| Holding::Kept { until_ms };
    assert_eq!(known, [kept(short), kept(long), Holding::Nothing]);
    let status = node.handle.status().unwrap().chunks;
    assert_eq!((status.chunks, status.quota_bytes, status.days), (2, 64 << 20, 30));
    assert!(status.used_bytes >= 2 * u64::from(CHUNK_BYTES_MAX));

    world.pass(Duration::from_millis(4 * DAY_MS));
    assert!(!is_served(&world, &client, 1).await && is_served(&world, &client, 2).await);
    node.handle.sweep().await.unwrap();
    assert_eq!(node.handle.status().unwrap().chunks.chunks, 1, "and the room is free");
    world.pass(Duration::from_millis(20 * DAY_MS));
    assert!(!is_served(&world, &client, 2).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_goes_up_and_down_with_many_pieces_under_way_at_once() {
    let world = World::new();
    let node = world.validator_with(roomy).await;
    let client = std::sync::Arc::new(Client::to(&world, &node).await);
    let mut under_way = tokio::task::JoinSet::new();
    for number in 0..40 {
        let client = std::sync::Arc::clone(&client);
        under_way.spawn(async move { put(&client, number, 3).await });
    }
    let answers = under_way.join_all().await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let known = holdings(&world, &client, 0..41).await;
    let there = known.iter().filter(|holding| **holding != Holding::Nothing).count();
    assert_eq!((there, known[40]), (40, Holding::Nothing));
    for number in 0..40 {
        assert!(is_served(&world, &client, number).await);
    }
    assert!(
        is_served(&world, &Client::to(&world, &node).await, 7).await,
        "by anybody"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_refused_by_its_name_and_the_connection_goes_on() {
    let world = World::new();
    let small = world
        .validator_with(|config| (config.chunks_mib, config.chunks_share) = (1, 100))
        .await;
    let client = Client::to(&world, &small).await;
    for number in 0..3 {
        put(&client, number, 3).await.unwrap();
    }
    let full = put(&client, 3, 3).await;
    assert!(matches!(full, Err(Refusal::ChunksFull { .. })), "{full:?}");
    put(&client, 2, 9).await.unwrap();
    let long = Request::PutChunk {
        days: NonZeroU32::MIN,
        bytes: vec![1; 600 << 10].into(),
    };
    let refused = client.ask(long).await;
    assert_eq!(refused, Err(Refusal::ChunkTooLong { most: CHUNK_BYTES_MAX }));
    assert!(is_served(&world, &client, 1).await);
    let most = holdings(&world, &client, 0..64).await;
    assert_eq!(most.iter().filter(|holding| **holding != Holding::Nothing).count(), 3);
    assert!(small.handle.status().is_some_and(|status| status.chunks.chunks == 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_more_than_there_are_turns_for_is_told_to_wait_and_dropped_if_it_does_not() {
    let world = World::new();
    let slow = world
        .validator_with(|config| {
            roomy(config);
            config.requests_per_second = 20;
        })
        .await;
    let client = Client::to(&world, &slow).await;
    let (mut answered, mut told_to_wait) = (0, 0);
    let ended = loop {
        let id = ChunkId([9; 32]);
        match client.connection.request(&Request::GetChunk { id }, SOON).await {
            Err(RequestError::Refused(Refusal::UnknownChunk)) => answered += 1,
            Err(RequestError::Refused(refusal @ Refusal::TooManyRequests { .. })) => {
                assert!(refusal.retry_after_ms().is_some_and(|wait| wait > 0));
                told_to_wait += 1;
            }
            Err(RequestError::Closed(closed)) => break closed,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ended, Closed::ByPeer(CloseCode::TooManyRequests));
    assert!(answered > 0 && told_to_wait > answered, "{answered}, {told_to_wait}");
}

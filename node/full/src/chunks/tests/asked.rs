//! What a client is answered.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use waxwing_core::chunk::ChunkId;
use waxwing_core::limits::{CHUNK_BYTES_MAX, DAY_MS};
use waxwing_net::wire::{Chunk, ChunkTerms, Holding, List, Opaque, Refusal, Reply, Request, Response};

use super::super::limits::COUNTED_BYTES_MIN;
use super::super::{Chunks, open, rounded};
use super::{Place, chunk, id, keys};
use crate::clock::Clock;
use crate::config::NodeConfig;
use crate::faults::Lifeline;
use crate::meter::{Levels, Meter};

/// A node's chunks, with a clock that can be moved.
struct Asked {
    place: Place,
    chunks: Arc<Chunks>,
    lifeline: Lifeline,
    meter: Arc<Meter>,
    ahead_ms: Arc<AtomicU64>,
}

fn config(mib: u64, days: u64, share: u64) -> NodeConfig {
    NodeConfig {
        chunks_mib: mib,
        chunks_days: days,
        chunks_share: share,
        ..NodeConfig::default()
    }
}

impl Asked {
    fn new(config: &NodeConfig) -> Self {
        Self::at(Place::with_room(0), config)
    }

    fn at(place: Place, config: &NodeConfig) -> Self {
        let ahead_ms = Arc::new(AtomicU64::new(0));
        let clock = Clock::ahead_by(Arc::clone(&ahead_ms));
        let (lifeline, meter) = (Lifeline::default(), Arc::new(Meter::new()));
        let vault = open(place.root(), keys(), config, clock.now_ms()).unwrap();
        let chunks = Chunks::new(vault, config, clock, lifeline.clone(), Arc::clone(&meter));
        Self {
            place,
            chunks: Arc::new(chunks),
            lifeline,
            meter,
            ahead_ms,
        }
    }

    fn pass(&self, days: u64) {
        self.ahead_ms.fetch_add(days * DAY_MS, Ordering::Relaxed);
    }

    async fn by(&self, who: u32, request: Request) -> Reply {
        self.chunks.answer(Ipv4Addr::from_bits(who).into(), request).await
    }

    async fn ask(&self, request: Request) -> Reply {
        self.by(1, request).await
    }

    async fn put(&self, number: u32, days: u32) -> Result<u64, Refusal> {
        match self.ask(wanted(chunk(number), days)).await? {
            Response::PutChunk { until_ms } => Ok(until_ms),
            other => panic!("{other:?}"),
        }
    }

    async fn has(&self, number: u32) -> bool {
        match self.ask(Request::GetChunk { id: id(number) }).await {
            Ok(Response::GetChunk(bytes)) => bytes[..] == chunk(number),
            Err(Refusal::UnknownChunk) => false,
            other => panic!("{other:?}"),
        }
    }

    async fn terms(&self) -> ChunkTerms {
        match self.ask(Request::ChunkTerms).await {
            Ok(Response::ChunkTerms(terms)) => terms,
            other => panic!("{other:?}"),
        }
    }

    fn figure(&self, line: &str) -> bool {
        let text = self.meter.text(&Levels::default());
        text.lines().any(|shown| shown == line)
    }
}

fn wanted(bytes: Vec<u8>, days: u32) -> Request {
    Request::PutChunk {
        days: NonZeroU32::new(days).unwrap(),
        bytes: bytes.into(),
    }
}

#[tokio::test]
async fn a_chunk_is_kept_for_as_long_as_was_asked_and_no_longer_than_is_offered() {
    let node = Asked::new(&config(16, 10, 100));
    let now_ms = Clock::system().now_ms();
    let until = node.put(1, 3).await.unwrap();
    assert!((3 * DAY_MS..4 * DAY_MS + 60_000).contains(&(until - now_ms)), "{until}");
    let most = node.put(2, 500).await.unwrap();
    assert!((10 * DAY_MS..11 * DAY_MS + 60_000).contains(&(most - now_ms)), "{most}");
    assert_eq!(node.put(1, 500).await, Ok(most), "put again it is kept longer");
    assert_eq!(node.put(1, 1).await, Ok(most), "and never shorter");
    assert!(node.figure("waxwing_chunk_puts_total{outcome=\"kept\"} 2"));
    assert!(node.figure("waxwing_chunk_puts_total{outcome=\"already\"} 2"));
}

#[tokio::test]
async fn what_is_over_is_neither_served_nor_listed_and_makes_room() {
    let node = Asked::new(&config(1, 10, 100));
    for number in 0..64 {
        node.put(number, 2).await.unwrap();
    }
    let full = node.put(64, 2).await;
    assert!(
        matches!(full, Err(Refusal::ChunksFull { retry_after_ms }) if retry_after_ms > 0),
        "{full:?}"
    );
    assert_eq!(node.terms().await.free_bytes, 0);
    node.pass(4);
    assert!(!node.has(1).await);
    let ids = List::new(vec![Chunk(id(1))]).unwrap();
    let have = node.ask(Request::HaveChunks { ids }).await.unwrap();
    assert_eq!(have, Response::HaveChunks(List::new(vec![Holding::Nothing]).unwrap()));
    node.put(64, 2).await.unwrap();
    assert_eq!(node.chunks.status().chunks, 1, "all others made room at once");
    node.pass(4);
    assert_eq!(node.chunks.sweep(), 1);
    assert!(node.figure("waxwing_chunks_expired_total 1"));
}

#[tokio::test]
async fn a_question_is_answered_in_its_order() {
    let node = Asked::new(&config(16, 10, 100));
    let until_ms = node.put(2, 3).await.unwrap();
    let ids = [1, 2, 3, 2].map(|number| Chunk(id(number))).to_vec();
    let ids = List::new(ids).unwrap();
    let kept = Holding::Kept { until_ms };
    let expected = List::new(vec![Holding::Nothing, kept, Holding::Nothing, kept]).unwrap();
    assert_eq!(
        node.ask(Request::HaveChunks { ids }).await,
        Ok(Response::HaveChunks(expected))
    );
}

#[tokio::test]
async fn a_node_that_offers_nothing_says_so_and_still_keeps_its_promises() {
    let node = Asked::new(&config(0, 10, 100));
    let ids = List::new(vec![Chunk(id(1))]).unwrap();
    for request in [
        wanted(chunk(1), 1),
        Request::GetChunk { id: id(1) },
        Request::HaveChunks { ids },
        Request::ChunkTerms,
    ] {
        assert_eq!(node.ask(request).await, Err(Refusal::NoChunks));
    }
    let before = Asked::new(&config(16, 10, 100));
    before.put(1, 3).await.unwrap();
    let after = Asked::at(before.place, &config(0, 10, 100));
    assert!(after.has(1).await, "it was promised for three days");
    assert_eq!(after.put(2, 1).await, Err(Refusal::NoChunks));
    assert_eq!(after.ask(Request::ChunkTerms).await, Err(Refusal::NoChunks));
}

#[tokio::test]
async fn a_chunk_that_is_too_long_is_refused_with_what_would_not_be() {
    let node = Asked::new(&config(16, 10, 100));
    let most = usize::try_from(CHUNK_BYTES_MAX).unwrap();
    let refused = node.ask(wanted(vec![1; most + 1], 1)).await;
    assert_eq!(refused, Err(Refusal::ChunkTooLong { most: CHUNK_BYTES_MAX }));
    assert!(node.ask(wanted(vec![1; most], 1)).await.is_ok());
    let id = ChunkId::of(&keys(), &vec![1; most]);
    let served = node.ask(Request::GetChunk { id }).await;
    assert_eq!(served, Ok(Response::GetChunk(Opaque::from(vec![1; most]))));
}

#[tokio::test]
async fn one_address_leaves_room_for_others_and_an_ipv6_subscriber_is_one_address() {
    let node = Asked::new(&config(1, 10, 50));
    let put_all = async |address: IpAddr, from: u32| {
        let mut taken = 0;
        for number in from..from + 64 {
            match node
                .chunks
                .answer(address, wanted(chunk(number), 1 + number % 10))
                .await
            {
                Ok(_) => taken += 1,
                Err(Refusal::ChunkShareUsed { .. }) => return taken,
                other => panic!("{other:?}"),
            }
        }
        taken
    };
    let v6 = |text: &str| -> IpAddr { text.parse().unwrap() };
    assert_eq!(put_all(v6("2001:db8::1"), 0).await, 32);
    assert_eq!(put_all(v6("2001:db8::2"), 100).await, 0, "the same /64");
    assert_eq!(put_all(v6("2001:db8:0:1::1"), 200).await, 16);
    assert!(node.figure("waxwing_chunk_puts_total{outcome=\"share\"} 3"));
    // What it has put already is there as before, and may be put again.
    let again = node.chunks.answer(v6("2001:db8::2"), wanted(chunk(0), 10)).await;
    assert!(again.is_ok(), "{again:?}");
}

#[tokio::test]
async fn keeping_what_is_there_for_longer_takes_a_part_of_the_share_too() {
    let node = Asked::new(&config(1, 10, 50));
    for number in 0..32 {
        node.put(number, 1).await.unwrap();
    }
    let before = node.put(0, 1).await.unwrap();
    assert_eq!(
        node.put(0, 10).await,
        Ok(before),
        "its share is used up: it stays as it is"
    );
    // Half of the time that anything is remembered for: half a share to keep half of it longer.
    node.chunks
        .shares()
        .give_back(Ipv4Addr::from_bits(1).into(), 16 * COUNTED_BYTES_MIN);
    let mut longer = 0;
    for number in 0..32 {
        longer += u32::from(node.put(number, 6).await.unwrap() > before);
    }
    assert!((30..=32).contains(&longer), "five days of ten for each of {longer}");
    let until = node.put(0, 6).await.unwrap();
    assert_eq!(node.put(0, 10).await, Ok(until), "and not once more");
}

#[tokio::test]
async fn a_damaged_chunk_is_unknown_from_then_on() {
    let node = Asked::new(&config(16, 10, 100));
    let until_ms = node.put(1, 3).await.unwrap();
    let file = node
        .place
        .root()
        .join((until_ms / DAY_MS).to_string())
        .join(id(1).to_string());
    let mut bytes = fs::read(&file).unwrap();
    bytes[2] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert!(!node.has(1).await);
    assert!(!file.exists());
    assert!(node.figure("waxwing_chunk_gets_total{outcome=\"damaged\"} 1"));
    node.put(1, 3).await.unwrap();
    assert!(node.has(1).await);
}

#[tokio::test]
async fn a_disk_that_fails_is_a_fault_of_the_node_and_costs_nobody_anything() {
    let node = Asked::new(&config(16, 10, 100));
    let new = node.place.root().join("new");
    fs::remove_dir(&new).unwrap();
    fs::write(&new, "in the way").unwrap();
    assert_eq!(node.put(1, 3).await, Err(Refusal::Broken));
    assert_eq!((node.chunks.status().chunks, node.chunks.status().used_bytes), (0, 0));
    fs::remove_file(&new).unwrap();
    fs::create_dir(&new).unwrap();
    node.put(1, 3).await.unwrap();
    assert!(node.has(1).await);
    assert!(node.figure("waxwing_chunk_puts_total{outcome=\"failed\"} 1"));
}

#[tokio::test]
async fn a_node_that_stops_promises_nothing_any_more() {
    let node = Asked::new(&config(16, 10, 100));
    node.put(1, 3).await.unwrap();
    node.lifeline.stop();
    assert_eq!(node.put(2, 3).await, Err(Refusal::ShuttingDown));
    // And whoever tends the chunks ends with it.
    Arc::clone(&node.chunks).tend().await;
}

#[tokio::test]
async fn what_is_free_is_told_in_large_parts() {
    let node = Asked::new(&config(64, 10, 100));
    let terms = node.terms().await;
    assert_eq!(
        terms,
        ChunkTerms {
            quota_bytes: 64 << 20,
            free_bytes: 64 << 20,
            days: 10,
            chunk_bytes: CHUNK_BYTES_MAX,
        }
    );
    node.put(1, 3).await.unwrap();
    let one = node.terms().await.free_bytes;
    node.put(2, 3).await.unwrap();
    assert_eq!((one, node.terms().await.free_bytes), (63 << 20, 63 << 20));
    assert_eq!(rounded(5, 3), 5, "a tiny quota has small parts");
}

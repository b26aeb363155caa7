//! Fast join: of use at once, honest about what is missing, whole in the end; and no byte of it believed.

mod lies;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;
use waxwing_core::block::BlockHeader;
use waxwing_core::codec::Decode;
use waxwing_core::envelope::Anchor;
use waxwing_core::keys::{LogId, NodeKey};
use waxwing_core::policy::PinnedHead;
use waxwing_net::quic::{Connection, Dialer, Identity, PeerInfo, Responder, Server, ServerLimits, Service, Shown};
use waxwing_net::wire::{Admission, Progress, Refusal, Request, Response};
use waxwing_node::config::{Join, NodeConfig};
use waxwing_node::directory::Directory;
use waxwing_node::{JoinError, NodeAddress, NodeHandle, StartError};

use crate::client::Client;
use crate::copy::until_upstream;
use crate::world::{Running, SOON, World, Writer, config};

/// What a double does with a question and its honest answer; `None` says nothing at all.
type Change = Arc<dyn Fn(&Request, Response) -> Option<Response> + Send + Sync>;

/// Stands between a new node and an honest one.
struct Between {
    honest: Connection,
    change: Change,
    /// Old blocks are handed out while this is true.
    blocks: watch::Receiver<bool>,
    /// Parts of snapshots are handed out while this is true; else the node is busy.
    parts: watch::Receiver<bool>,
}

impl Service for Between {
    async fn call(&self, _peer: PeerInfo, request: Request, responder: Responder) {
        if matches!(request, Request::Subscribe { .. }) {
            return self.subscribe(request, responder).await;
        }
        if let Request::Blocks { from, .. } = request
            && from < HELD_BACK
        {
            let mut blocks = self.blocks.clone();
            if blocks.wait_for(|may| *may).await.is_err() {
                return;
            }
        }
        if matches!(request, Request::Snapshot { .. }) && !*self.parts.borrow() {
            return responder.refuse(Refusal::Busy { retry_after_ms: 20 }).await;
        }
        match self.honest.request(&request, SOON).await {
            Ok(response) => {
                if let Some(changed) = (self.change)(&request, response) {
                    responder.answer(changed).await;
                }
            }
            Err(waxwing_net::quic::RequestError::Refused(refusal)) => responder.refuse(refusal).await,
            Err(_) => {}
        }
    }
}

impl Between {
    async fn subscribe(&self, request: Request, responder: Responder) {
        let mut theirs = self.honest.subscribe(&request, SOON).await.unwrap();
        let Ok(mut ours) = responder.subscribe().await else {
            return;
        };
        while let Ok(Some(push)) = theirs.next().await {
            if ours.send(&push).await.is_err() {
                return;
            }
        }
    }
}

/// Blocks below this height are old ones in these tests.
const HELD_BACK: u64 = 70;

/// Keeps a double alive.
struct Double {
    _server: Server,
    _dialer: Dialer,
    blocks: watch::Sender<bool>,
    parts: watch::Sender<bool>,
    address: NodeAddress,
}

async fn double(
    honest: &NodeAddress,
    change: impl Fn(&Request, Response) -> Option<Response> + Send + Sync + 'static,
) -> Double {
    let dialer = Dialer::from_address(([127, 0, 0, 1], 0).into(), Shown::Ephemeral).unwrap();
    let place = format!("{}:{}", honest.host, honest.port).parse().unwrap();
    let (blocks, parts) = (watch::Sender::new(true), watch::Sender::new(true));
    let service = Between {
        honest: dialer.connect(place, honest.node, SOON).await.unwrap(),
        change: Arc::new(change),
        blocks: blocks.subscribe(),
        parts: parts.subscribe(),
    };
    static DOUBLES: AtomicUsize = AtomicUsize::new(0);
    let number = u8::try_from(DOUBLES.fetch_add(1, Ordering::Relaxed) % 200).unwrap();
    let identity = Identity::new(&NodeKey::from_seed(&[20 + number; 32]));
    let server = Server::bind(([127, 0, 0, 1], 0).into(), &identity, ServerLimits::DEFAULT, service).unwrap();
    Double {
        address: NodeAddress {
            node: server.node(),
            host: "127.0.0.1".to_owned(),
            port: server.address().unwrap().port(),
        },
        blocks,
        parts,
        _server: server,
        _dialer: dialer,
    }
}

/// A validator with so many blocks of so many logs each, half of them of the day before yesterday.
async fn busy(world: &World, rounds: u64, logs: u8) -> Running {
    let validator = world.validator().await;
    let client = Client::to(world, &validator).await;
    let mut writers: Vec<Writer> = (0..logs).map(|seed| Writer::new(world, seed)).collect();
    for half in 0..2 {
        for round in 0..rounds / 2 {
            let anchor = newest_anchor(world, &client, validator.handle.tip().height).await;
            writers = writers.into_iter().map(|writer| writer.under(anchor)).collect();
            let body = [format!("{half} {round}").as_bytes(), &[7; 90]].concat();
            let envelopes: Vec<_> = writers.iter_mut().map(|writer| writer.seal(&body)).collect();
            let height = validator.handle.tip().height;
            let taken = client.submit(&envelopes).await;
            assert!(
                taken.iter().all(|admission| *admission == Admission::Taken),
                "{taken:?}"
            );
            validator.handle.until_height(height + 1).await.unwrap();
        }
        let total = u64::from(logs) * (rounds / 2) * (half + 1);
        while validator.handle.tip().entries < total {
            let height = validator.handle.tip().height;
            validator.handle.until_height(height + 1).await.unwrap();
        }
        if half == 0 {
            world.pass(Duration::from_secs(26 * 3600));
        }
    }
    validator
}

async fn newest_anchor(world: &World, client: &Client, height: u64) -> Anchor {
    let from = height - height % 64;
    if from == 0 {
        return world.genesis_anchor();
    }
    let count = NonZeroU32::MIN;
    let Ok(Response::Headers(headers)) = client.ask(Request::Headers { from, count }).await else {
        panic!()
    };
    let header = BlockHeader::from_bytes(&headers[0]).unwrap();
    Anchor {
        height: from,
        id: header.id(&world.keys),
    }
}

fn fast(upstreams: &[NodeAddress]) -> NodeConfig {
    NodeConfig {
        upstreams: upstreams.to_vec(),
        join: Join::Fast,
        ..config()
    }
}

async fn try_join(world: &World, upstreams: &[NodeAddress]) -> (TempDir, Result<NodeHandle, StartError>) {
    try_join_by(world, upstreams, None).await
}

async fn try_join_by(
    world: &World,
    upstreams: &[NodeAddress],
    pin: Option<PinnedHead>,
) -> (TempDir, Result<NodeHandle, StartError>) {
    let place = tempfile::tempdir().unwrap();
    let config = NodeConfig { pin, ..fast(upstreams) };
    Directory::found(place.path(), &world.genesis, None, &config).unwrap();
    let started = world.try_run(&place, &config).await;
    (place, started)
}

async fn join(world: &World, upstreams: &[NodeAddress]) -> Running {
    let (place, started) = try_join(world, upstreams).await;
    Running {
        handle: started.unwrap(),
        place,
        config: fast(upstreams),
    }
}

async fn until_whole(node: &Running) {
    let whole = async {
        while node.handle.status().unwrap().joined.is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, whole).await.unwrap();
}

fn log(seed: u8) -> LogId {
    waxwing_core::keys::LogKey::from_seed(&[seed; 32]).public()
}

/// Counts what passes of snapshots: bytes, parts.
async fn counting(honest: &NodeAddress) -> (Double, Arc<[AtomicUsize; 2]>) {
    let counts = Arc::<[AtomicUsize; 2]>::default();
    let here = Arc::clone(&counts);
    let double = double(honest, move |_, response| {
        if let Response::Snapshot(part) = &response {
            here[0].fetch_add(part.len(), Ordering::Relaxed);
            here[1].fetch_add(1, Ordering::Relaxed);
        }
        Some(response)
    });
    (double.await, counts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_node_serves_and_relays_before_it_has_the_history_and_is_whole_in_the_end() {
    let world = World::new();
    let validator = busy(&world, 500, 21).await;
    let head = validator.handle.tip();
    assert!(head.entries > 10_000, "{head:?}");
    let (gate, counts) = counting(&validator.address()).await;
    gate.blocks.send_replace(false);

    let before = world.clock.steady_ms();
    let node = join(&world, std::slice::from_ref(&gate.address)).await;
    let took = world.clock.steady_ms() - before;
    let (entries, logs, blocks) = (head.entries, head.logs, head.height);
    println!("joined {entries} entries of {logs} logs in {blocks} blocks within {took} ms: {counts:?} bytes, parts");
    assert_eq!(node.handle.tip(), head, "at once where the others are");
    let status = node.handle.status().unwrap();
    assert_eq!(
        (status.joined, status.verified, status.progress),
        (Some(head.height), 0, "joined")
    );
    says_what_is_not_here_yet(&world, &node, head.height).await;
    takes_and_serves_what_is_new(&world, &node, head.height).await;
    assert_eq!(
        node.handle.status().unwrap().joined,
        Some(head.height),
        "still not verified"
    );

    // Then what came before.
    gate.blocks.send_replace(true);
    until_whole(&node).await;
    let status = node.handle.status().unwrap();
    assert_eq!((status.verified, status.progress), (status.height, "verified"));
    let (mut client, mut original) = (Client::to(&world, &node).await, Client::to(&world, &validator).await);
    assert_eq!(client.read(log(3)).await.len(), 502);
    assert_eq!(client.read(log(13)).await, original.read(log(13)).await);
    assert_eq!(
        client.receipt(&world, log(5), 0).await,
        original.receipt(&world, log(5), 0).await
    );
    let (place, config) = node.stop().await;
    let node = world.run(place, config).await;
    assert_eq!(node.handle.status().unwrap().joined, None, "and stays so");
}

/// A client that starts from the genesis is led to the head, and told what is not here yet.
async fn says_what_is_not_here_yet(world: &World, node: &Running, joined: u64) {
    let mut client = Client::to(world, node).await;
    assert_eq!(client.catch_up().await, joined);
    let Ok(Response::Status(said)) = client.ask(Request::Status).await else {
        panic!()
    };
    assert_eq!(said.progress, Progress::Joined { joined, verified: 0 });
    assert_eq!(client.log(log(3)).await.unwrap().length, 500);
    let not_yet = Refusal::NotHereYet { from: joined + 1 };
    assert_eq!(client.entries(log(3), 0, 10, 1 << 20).await, Err(not_yet));
    assert_eq!(client.receipt(world, log(3), 499).await.unwrap_err(), not_yet);
    let (count, bytes) = (NonZeroU32::MIN, NonZeroU32::MIN);
    for question in [
        Request::Blocks { from: 1, count, bytes },
        Request::Blocks {
            from: joined,
            count,
            bytes,
        },
        Request::HistoryProof { height: 3, size: 9 },
        Request::Headers { from: 2, count },
    ] {
        assert_eq!(client.ask(question).await, Err(not_yet));
    }
}

async fn takes_and_serves_what_is_new(world: &World, node: &Running, joined: u64) {
    until_upstream(node, |upstream| upstream.is_connected).await;
    let mut client = Client::to(world, node).await;
    let anchor = newest_anchor(world, &client, joined).await;
    let mut old = Writer::new(world, 3).under(anchor);
    let mut new = Writer::new(world, 200).under(anchor);
    for body in [b"one", b"two"] {
        let height = node.handle.tip().height;
        let taken = client.submit(&[old.seal(body), new.seal(body)]).await;
        assert_eq!(taken, [Admission::Taken, Admission::Taken]);
        node.handle.until_height(height + 1).await.unwrap();
    }
    client.until_length(new.key.public(), 2).await;
    let began_here = client.read(new.key.public()).await.len();
    let grown = client.until_length(log(3), 502).await.length;
    let since = client.entries(log(3), 500, 10, 1 << 20).await.unwrap().entries.len();
    let receipt = client.receipt(world, log(3), 501).await.map(|_| ());
    assert_eq!((began_here, grown, since, receipt), (2, 502, 2, Ok(())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_ended_while_it_fills_in_goes_on_where_it_was() {
    let world = World::new();
    let validator = busy(&world, 160, 4).await;
    let head = validator.handle.tip();
    // Hands out a few blocks at a time, and none of the later ones until it may.
    let (slow, may) = (Arc::new(AtomicUsize::new(0)), watch::Sender::new(false));
    let (handed, allowed) = (Arc::clone(&slow), may.subscribe());
    let gate = double(&validator.address(), move |request, response| {
        if let Request::Blocks { from, .. } = request {
            if *from > 40 && !*allowed.borrow() {
                return None;
            }
            handed.fetch_add(1, Ordering::Relaxed);
            let Response::Blocks(blocks) = response else {
                return None;
            };
            let few = blocks.into_vec().into_iter().take(7).collect();
            return Some(Response::Blocks(waxwing_net::wire::List::new(few).unwrap()));
        }
        Some(response)
    })
    .await;
    let upstreams = std::slice::from_ref(&gate.address);
    let mut node = join(&world, upstreams).await;
    let mut filled = 0;
    for least in [14, 28, 42] {
        let some = async {
            while node.handle.status().unwrap().verified < least {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(SOON, some).await.unwrap();
        let (place, config) = node.stop().await;
        node = world.run(place, config).await;
        let status = node.handle.status().unwrap();
        assert_eq!(status.joined, Some(head.height));
        assert!(
            status.verified >= least && status.verified >= filled,
            "what was filled in is still there"
        );
        filled = status.verified;
        assert!(node.handle.tip().height >= head.height);
    }
    may.send_replace(true);
    until_whole(&node).await;
    let mut client = Client::to(&world, &node).await;
    assert_eq!(client.read(log(1)).await.len(), 160);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_ended_while_it_joins_begins_anew() {
    let world = World::new();
    let validator = busy(&world, 160, 4).await;
    for answered in 0..4 {
        let count = Arc::new(AtomicUsize::new(0));
        let (reached, arrived) = watch::channel(0);
        let counted = Arc::clone(&count);
        let gate = double(&validator.address(), move |request, response| match request {
            Request::Snapshot { .. } => {
                let number = counted.fetch_add(1, Ordering::Relaxed);
                reached.send_replace(number);
                (number < answered).then_some(response)
            }
            _ => Some(response),
        })
        .await;
        let (place, config) = (tempfile::tempdir().unwrap(), fast(std::slice::from_ref(&gate.address)));
        Directory::found(place.path(), &world.genesis, None, &config).unwrap();
        let mut arrived = arrived;
        tokio::select! {
            started = world.try_run(&place, &config) => panic!("joined without answers: {:?}", started.map(|_| ())),
            _ = arrived.wait_for(|number| *number >= answered) => {}
        }
        // Whoever held the directory lets go of it when it notices.
        let config = fast(&[validator.address()]);
        let directory = async {
            loop {
                match Directory::open(place.path()) {
                    Ok(directory) => return directory,
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        };
        drop(tokio::time::timeout(SOON, directory).await.unwrap());
        let started = async {
            loop {
                match world.try_run(&place, &config).await {
                    Ok(handle) => return handle,
                    Err(StartError::Open { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
                    Err(error) => panic!("{error}"),
                }
            }
        };
        let handle = tokio::time::timeout(SOON, started).await.unwrap();
        let node = Running { handle, place, config };
        assert_eq!(node.handle.tip(), validator.handle.tip(), "after {answered} answers");
        until_whole(&node).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_joined_itself_hands_on_what_it_has() {
    let world = World::new();
    let validator = busy(&world, 80, 5).await;
    let gate = double(&validator.address(), |_, response| Some(response)).await;
    gate.blocks.send_replace(false);
    let first = join(&world, std::slice::from_ref(&gate.address)).await;
    assert!(first.handle.status().unwrap().joined.is_some());
    // It lacks the entries of the window: they come from the one that has them, the rest from both.
    let second = join(&world, &[first.address(), validator.address()]).await;
    assert_eq!(second.handle.tip(), validator.handle.tip());
    until_whole(&second).await;
    gate.blocks.send_replace(true);
    until_whole(&first).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_is_nothing_to_join_a_node_begins_in_full() {
    let world = World::new();
    let validator = world.validator().await;
    let node = join(&world, &[validator.address()]).await;
    assert_eq!(node.handle.status().unwrap().joined, None);
    let client = Client::to(&world, &validator).await;
    client.submit_one(&Writer::new(&world, 1).seal(b"first")).await;
    node.handle.until_height(1).await.unwrap();
    let (place, config) = node.stop().await;
    client.submit_one(&Writer::new(&world, 2).seal(b"second")).await;
    let node = world.run(place, config).await;
    node.handle.until_height(2).await.unwrap();
    assert_eq!(
        node.handle.status().unwrap().joined,
        None,
        "whoever has blocks goes on with them"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_genesis_needs_a_full_copy() {
    let world = World::new();
    let validator = busy(&world, 4, 2).await;
    world.pass(Duration::from_secs(31 * 86_400));
    let (_place, refused) = try_join(&world, &[validator.address()]).await;
    let refused = refused.map(|_| ()).unwrap_err();
    assert!(matches!(refused, StartError::Join(JoinError::NeedsPin)), "{refused}");
    assert!(refused.to_string().contains("join = \"full\""), "{refused}");
}

/// The node's newest block, as an operator pins it.
fn head(node: &Running) -> PinnedHead {
    let tip = node.handle.tip();
    PinnedHead {
        height: tip.height,
        id: tip.id,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_network_is_joined_fast_by_a_recent_pin_and_not_by_an_old_one() {
    let world = World::new();
    let validator = busy(&world, 4, 2).await;
    let old = head(&validator);
    world.pass(Duration::from_secs(31 * 86_400));
    let client = Client::to(&world, &validator).await;
    let mut pins = Vec::new();
    for number in 0..3 {
        let mut writer = Writer::new(&world, 50 + number);
        assert!(matches!(
            client.submit_one(&writer.seal(b"much later")).await,
            Admission::Acknowledged(_) | Admission::Taken
        ));
        let height = old.height + 1 + u64::from(number);
        validator.handle.until_height(height).await.unwrap();
        pins.push(head(&validator));
    }
    let upstreams = [validator.address()];
    let refused = try_join_by(&world, &upstreams, Some(old))
        .await
        .1
        .map(|_| ())
        .unwrap_err();
    assert!(matches!(refused, StartError::Join(JoinError::OldPin)), "{refused}");
    // The head itself, and a block before it.
    for pin in [pins[2], pins[0]] {
        let (place, started) = try_join_by(&world, &upstreams, Some(pin)).await;
        let node = Running {
            handle: started.unwrap(),
            place,
            config: fast(&upstreams),
        };
        assert_eq!(node.handle.tip(), validator.handle.tip());
        until_whole(&node).await;
        let before = Client::to(&world, &node).await.entries(log(0), 0, 10, 10_000).await;
        assert_eq!(before.unwrap().entries.len(), 4, "what came before is filled in");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_joined_that_does_not_follow_the_pinned_block() {
    let world = World::new();
    let validator = busy(&world, 4, 2).await;
    let newest = head(&validator);
    let another = PinnedHead {
        id: waxwing_core::Hash([9; 32]),
        ..newest
    };
    let ahead = PinnedHead {
        height: newest.height + 1,
        ..newest
    };
    // Both at once: it is half a minute before a node gives up.
    let upstreams = [validator.address()];
    let (another, ahead) = tokio::join!(
        try_join_by(&world, &upstreams, Some(another)),
        try_join_by(&world, &upstreams, Some(ahead)),
    );
    for (tried, reason) in [(another, "another one"), (ahead, "does not deliver block")] {
        let refused = tried.1.map(|_| ()).unwrap_err();
        assert!(
            matches!(&refused, StartError::Join(JoinError::Stalled { .. })) && refused.to_string().contains(reason),
            "{refused}"
        );
    }
}

//! Followers pass envelopes on: past validators that are dead, silent, refuse, or censor; and nothing overtakes.

use std::sync::Arc;
use std::time::Duration;

use waxwing_core::envelope::{Body, Envelope};
use waxwing_core::keys::NodeKey;
use waxwing_core::logmap::MapLeaf;
use waxwing_net::quic::{Identity, PeerInfo, Responder, Server, ServerLimits, Service};
use waxwing_net::wire::{
    Access, Admission, EnvelopeRefusal, List, Progress, Refusal, Request, Response, Retention, Role, Status,
    Submitters, Text,
};
use waxwing_node::NodeAddress;
use waxwing_node::config::NodeConfig;

use crate::client::Client;
use crate::copy::until_upstream;
use crate::world::{Running, SOON, World, Writer};

/// What a dishonest validator does with what it is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Deed {
    /// Says that it takes it, and forgets it.
    Forgets,
    /// Says that its pool is full.
    Refuses,
    /// Refuses the whole submission.
    RefusesAll,
    /// Says nothing.
    IsSilent,
}

/// Looks like a validator, orders nothing, tells nobody.
struct Censor {
    status: Status,
    deed: Deed,
}

impl Service for Censor {
    async fn call(&self, _: PeerInfo, request: Request, responder: Responder) {
        match (request, self.deed) {
            (Request::Status, _) => responder.answer(Response::Status(Box::new(self.status.clone()))).await,
            (Request::Subscribe { .. }, _) => {
                if let Ok(mut pushes) = responder.subscribe().await {
                    pushes.gone().await;
                }
            }
            (Request::Submit { .. }, Deed::IsSilent) => tokio::time::sleep(2 * SOON).await,
            (Request::Submit { .. }, Deed::RefusesAll) => responder.refuse(Refusal::Busy { retry_after_ms: 1 }).await,
            (Request::Submit { envelopes, .. }, deed) => {
                let full = Admission::Refused(EnvelopeRefusal::PoolFull { retry_after_ms: 1 });
                let said = if deed == Deed::Forgets { Admission::Taken } else { full };
                let said = vec![said; envelopes.len()];
                responder.answer(Response::Submit(List::new(said).unwrap())).await;
            }
            _ => responder.refuse(Refusal::NotAllowed).await,
        }
    }
}

fn censor(world: &World, deed: Deed) -> (Server, NodeAddress) {
    let status = Status {
        network: world.keys.network(),
        height: 0,
        head: world.genesis_anchor().id,
        software: Text::new("waxwing").unwrap(),
        role: Role::Validator,
        progress: Progress::Verified { height: 0 },
        access: Access {
            submit: Submitters::Everybody,
            policy: Text::default(),
            quota_bytes: None,
            used_bytes: 0,
        },
        retention: Retention::AsAsked,
    };
    let identity = Identity::new(&NodeKey::from_seed(&[66; 32]));
    let service = Censor { status, deed };
    let server = Server::bind(([127, 0, 0, 1], 0).into(), &identity, ServerLimits::DEFAULT, service).unwrap();
    let address = NodeAddress {
        node: server.node(),
        host: "127.0.0.1".to_owned(),
        port: server.address().unwrap().port(),
    };
    (server, address)
}

/// Three of four validators. The fourth is dishonest, wherever it is.
async fn three_of_four(world: &World) -> Vec<Running> {
    let mut nodes: Vec<Running> = Vec::new();
    for vote in &world.votes[..3] {
        let others: Vec<NodeAddress> = nodes.iter().map(Running::address).collect();
        // A block takes as long as in a real network, so that blocks are what is counted and not the machine's other load.
        let pace = |config: &mut NodeConfig| config.block_pause_ms = 100;
        nodes.push(world.member_with(vote, &others, pace).await);
    }
    nodes
}

/// A follower that is connected with all these, in this order.
async fn follower_of(world: &World, upstreams: &[NodeAddress]) -> Running {
    let follower = world.follower(upstreams).await;
    for upstream in upstreams {
        let node = upstream.node.to_string();
        until_upstream(&follower, |one| one.address.starts_with(&node) && one.is_connected).await;
    }
    follower
}

/// Waits until a log has so many entries on a node; looks after each block, because others may take seconds to do without a
/// validator that says nothing.
async fn until_ordered(node: &Running, client: &mut Client, writer: &Writer, length: u64) -> MapLeaf {
    let ordered = async {
        loop {
            let height = node.handle.tip().height;
            match client.log(writer.key.public()).await {
                Some(leaf) if leaf.length >= length => return leaf,
                _ => node.handle.until_height(height + 1).await.unwrap(),
            };
        }
    };
    tokio::time::timeout(SOON, ordered).await.unwrap()
}

/// Orders something else all the time, a block after the other, so that there are blocks to count.
fn traffic(world: &Arc<World>, node: NodeAddress, seed: u8) -> tokio::task::JoinHandle<()> {
    let world = Arc::clone(world);
    tokio::spawn(async move {
        let client = Client::at(&world, &node).await;
        let mut writer = Writer::new(&world, seed);
        loop {
            client.submit_one(&writer.seal(b"traffic")).await;
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    })
}

/// The bounds in the README, for four validators of which one is dishonest. Given to an honest one: a block was under way, one
/// turn may be the dishonest one's, the next orders it.
const DIRECT_BLOCKS: u64 = 1 + 2;

/// Given to a follower: the dishonest one may take it and forget it, which is noticed after three blocks.
const CENSORSHIP_BLOCKS: u64 = 3 + DIRECT_BLOCKS;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envelope_that_one_validator_censors_is_final_within_the_stated_number_of_blocks() {
    let world = Arc::new(World::of(4));
    let nodes = three_of_four(&world).await;
    let (_censor, address) = censor(&world, Deed::Forgets);
    let mut upstreams = vec![address];
    upstreams.extend(nodes.iter().map(Running::address));
    let follower = follower_of(&world, &upstreams).await;
    let traffic = traffic(&world, nodes[0].address(), 200);
    follower.handle.until_height(3).await.unwrap();
    let mut client = Client::to(&world, &follower).await;
    for seed in 1..=5 {
        let mut writer = Writer::new(&world, seed);
        let before = follower.handle.tip().height;
        assert_eq!(client.submit_one(&writer.seal(b"unwelcome")).await, Admission::Taken);
        let leaf = until_ordered(&follower, &mut client, &writer, 1).await;
        let took = leaf.last_height - before;
        assert!(took <= CENSORSHIP_BLOCKS, "{took} blocks");
    }
    let mut direct = Client::to(&world, &nodes[2]).await;
    for seed in 11..=15 {
        let mut writer = Writer::new(&world, seed);
        let before = nodes[2].handle.tip().height;
        assert_eq!(direct.submit_one(&writer.seal(b"welcome")).await, Admission::Taken);
        let leaf = until_ordered(&nodes[2], &mut direct, &writer, 1).await;
        let took = leaf.last_height - before;
        assert!(took <= DIRECT_BLOCKS, "{took} blocks");
    }
    traffic.abort();
    // Where nothing else is ordered there are no blocks to count, and time does instead.
    let mut writer = Writer::new(&world, 100);
    assert_eq!(client.submit_one(&writer.seal(b"alone")).await, Admission::Taken);
    let alone = until_ordered(&follower, &mut client, &writer, 1);
    tokio::time::timeout(Duration::from_secs(10), alone).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_that_refuses_or_is_silent_is_passed_over() {
    for deed in [Deed::Refuses, Deed::RefusesAll, Deed::IsSilent] {
        let world = Arc::new(World::of(4));
        let nodes = three_of_four(&world).await;
        let (_censor, address) = censor(&world, deed);
        let follower = follower_of(&world, &[address, nodes[1].address()]).await;
        let mut client = Client::to(&world, &follower).await;
        let mut writer = Writer::new(&world, 1);
        for length in 1..=3 {
            let taken = tokio::time::timeout(SOON, client.submit_one(&writer.seal(b"x")))
                .await
                .unwrap();
            assert_eq!(taken, Admission::Taken, "{deed:?}");
            until_ordered(&follower, &mut client, &writer, length).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_all_refuse_is_refused() {
    let world = World::of(4);
    let (_censor, address) = censor(&world, Deed::Refuses);
    let follower = follower_of(&world, &[address]).await;
    let client = Client::to(&world, &follower).await;
    let refused = client.submit_one(&Writer::new(&world, 1).seal(b"x")).await;
    assert!(
        matches!(refused, Admission::Refused(EnvelopeRefusal::PoolFull { .. })),
        "{refused:?}"
    );
}

/// Ends a node as a power failure would: what waits in its pool is lost.
fn kill(node: Running) -> (tempfile::TempDir, NodeConfig) {
    let Running { handle, place, config } = node;
    drop(handle);
    (place, config)
}

/// Starts a node again, as soon as its old self has let go of the directory.
async fn again(world: &World, place: tempfile::TempDir, config: NodeConfig) -> Running {
    let opened = async {
        loop {
            if let Ok(directory) = waxwing_node::directory::Directory::open(place.path())
                && let Ok(handle) = waxwing_node::start(directory, &config, world.clock.clone()).await
            {
                return handle;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let handle = tokio::time::timeout(SOON, opened).await.unwrap();
    Running { handle, place, config }
}

/// The bodies of a log in their order.
async fn bodies(client: &mut Client, writer: &Writer) -> Vec<Vec<u8>> {
    let read = client.read(writer.key.public()).await;
    let body = |body| match body {
        Body::Present(bytes) => bytes,
        other => panic!("{other:?}"),
    };
    read.into_iter().map(|(carried, _)| body(carried.body)).collect()
}

/// The only validator dies with two envelopes in its pool. Their sender goes on as if nothing had happened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_validator_lost_is_ordered_before_what_came_later() {
    let world = World::new();
    let node = world.validator_with(|config| config.block_pause_ms = 3_600_000).await;
    let listen = node.handle.address();
    let follower = follower_of(&world, &[node.address()]).await;
    let mut client = Client::to(&world, &follower).await;
    let mut writer = Writer::new(&world, 1);
    let sealed: Vec<Envelope> = [b"a", b"b", b"c", b"d", b"e"].map(|body| writer.seal(body)).into();
    assert_eq!(client.submit_one(&sealed[0]).await, Admission::Taken);
    client.until_length(writer.key.public(), 1).await;
    for lost in &sealed[1..3] {
        assert_eq!(client.submit_one(lost).await, Admission::Taken);
    }
    let key = node.node().to_string();
    let (place, config) = kill(node);
    until_upstream(&follower, |upstream| {
        upstream.address.starts_with(&key) && !upstream.is_connected
    })
    .await;
    let refused = client.submit_one(&sealed[3]).await;
    assert!(
        matches!(refused, Admission::Refused(EnvelopeRefusal::NoValidator { .. })),
        "{refused:?}"
    );
    let config = NodeConfig {
        listen,
        block_pause_ms: 1,
        ..config
    };
    let _node = again(&world, place, config).await;
    until_upstream(&follower, |upstream| upstream.is_connected).await;
    for envelope in &sealed[3..] {
        assert_eq!(client.submit_one(envelope).await, Admission::Taken);
    }
    until_ordered(&follower, &mut client, &writer, 5).await;
    assert_eq!(bodies(&mut client, &writer).await, [b"a", b"b", b"c", b"d", b"e"]);
}

/// A validator of a committee dies between two envelopes of one sender; the next validator gets both, in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_is_not_overtaken_by_itself_when_its_validator_dies() {
    let world = World::of(4);
    let mut nodes = world.committee().await;
    let addresses: Vec<NodeAddress> = nodes.iter().map(Running::address).collect();
    let follower = follower_of(&world, &addresses).await;
    let mut client = Client::to(&world, &follower).await;
    let mut writer = Writer::new(&world, 1);
    let mut sent = Vec::new();
    let mut taken = 0;
    for round in 0..3_u8 {
        for number in 0..10_u8 {
            let body = vec![round, number];
            let envelope = writer.seal(&body);
            sent.push(body);
            // A sender that is told to wait submits the same again before it goes on.
            let until_taken = async { while client.submit_one(&envelope).await != Admission::Taken {} };
            tokio::time::timeout(SOON, until_taken).await.unwrap();
            taken += 1;
            if round == 1 && number == 4 {
                // The one that is asked first, in the middle of it.
                kill(nodes.remove(0));
            }
        }
    }
    until_ordered(&follower, &mut client, &writer, taken).await;
    assert_eq!(bodies(&mut client, &writer).await, sent);
}

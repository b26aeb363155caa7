//! An upstream node that lies: a test double between a follower and an honest validator, which changes what passes.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use waxwing_core::block::CertifiedBlock;
use waxwing_core::certificate::{Certificate, Head};
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::Body;
use waxwing_core::evidence::Evidence;
use waxwing_core::evidence_file::EvidenceFile;
use waxwing_core::keys::{NodeKey, VoteKey};
use waxwing_net::quic::{Connection, Dialer, Identity, PeerInfo, Responder, Server, ServerLimits, Service, Shown};
use waxwing_net::wire::{Admission, List, Push, Request, Response};
use waxwing_node::NodeAddress;

use crate::client::Client;
use crate::copy::until_upstream;
use crate::world::{Running, SOON, World, Writer};

/// Changes a reply on its way; `None` says nothing at all.
type Change = Arc<dyn Fn(Response) -> Option<Response> + Send + Sync>;

struct Between {
    honest: Connection,
    change: Change,
}

impl Service for Between {
    async fn call(&self, _peer: PeerInfo, request: Request, responder: Responder) {
        if matches!(request, Request::Subscribe { .. }) {
            let mut theirs = self.honest.subscribe(&request, SOON).await.unwrap();
            let Ok(mut ours) = responder.subscribe().await else {
                return;
            };
            while let Ok(Some(push)) = theirs.next().await {
                if ours.send(&push).await.is_err() {
                    return;
                }
                assert!(!matches!(push, Push::Lagged { .. }));
            }
            return;
        }
        let Ok(response) = self.honest.request(&request, SOON).await else {
            return;
        };
        if let Some(changed) = (self.change)(response) {
            responder.answer(changed).await;
        }
    }
}

/// Keeps a liar alive.
struct Liar {
    _server: Server,
    _dialer: Dialer,
    address: NodeAddress,
}

async fn liar(honest: &NodeAddress, change: impl Fn(Response) -> Option<Response> + Send + Sync + 'static) -> Liar {
    let dialer = Dialer::from_address(([127, 0, 0, 1], 0).into(), Shown::Ephemeral).unwrap();
    let place = format!("{}:{}", honest.host, honest.port).parse().unwrap();
    let service = Between {
        honest: dialer.connect(place, honest.node, SOON).await.unwrap(),
        change: Arc::new(change),
    };
    let identity = Identity::new(&NodeKey::from_seed(&[66; 32]));
    let server = Server::bind(([127, 0, 0, 1], 0).into(), &identity, ServerLimits::DEFAULT, service).unwrap();
    Liar {
        address: NodeAddress {
            node: server.node(),
            host: "127.0.0.1".to_owned(),
            port: server.address().unwrap().port(),
        },
        _server: server,
        _dialer: dialer,
    }
}

/// Changes the blocks that pass.
fn blocks(change: impl Fn(&mut CertifiedBlock) + Send + Sync) -> impl Fn(Response) -> Option<Response> + Send + Sync {
    move |response| match response {
        Response::Blocks(blocks) => {
            let changed = blocks.into_iter().map(|bytes| {
                let mut block = CertifiedBlock::from_bytes(&bytes).unwrap();
                change(&mut block);
                block.to_bytes().into()
            });
            Some(Response::Blocks(List::new(changed.collect()).unwrap()))
        }
        other => Some(other),
    }
}

/// A validator with three blocks.
async fn busy(world: &World) -> (Running, Writer) {
    let validator = world.validator().await;
    let client = Client::to(world, &validator).await;
    let mut writer = Writer::new(world, 1);
    for height in 1..=3 {
        assert_eq!(client.submit_one(&writer.seal(b"truth")).await, Admission::Taken);
        validator.handle.until_height(height).await.unwrap();
    }
    (validator, writer)
}

/// A follower of a liar and an honest node refuses the lie for its reason, and gets the truth from the other.
async fn refused(change: impl Fn(Response) -> Option<Response> + Send + Sync + 'static, reason: &str) {
    let world = World::new();
    let (validator, writer) = busy(&world).await;
    let liar = liar(&validator.address(), change).await;
    let alone = world.follower(std::slice::from_ref(&liar.address)).await;
    let noted = until_upstream(&alone, |upstream| upstream.fault.is_some()).await;
    assert!(
        noted.fault.as_ref().unwrap().contains(reason),
        "{reason:?} in {noted:?}"
    );
    assert_eq!(alone.handle.tip().height, 0, "nothing of it counted");
    let follower = world.follower(&[liar.address.clone(), validator.address()]).await;
    follower.handle.until_height(3).await.unwrap();
    let mut client = Client::to(&world, &follower).await;
    assert_eq!(client.read(writer.key.public()).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_altered_body_is_refused() {
    let change = |block: &mut CertifiedBlock| block.entries[0].body = Body::Present(b"lie!!".to_vec());
    refused(blocks(change), "the body does not match its hash").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_altered_signature_is_refused() {
    let change = |block: &mut CertifiedBlock| block.entries[0].signed.signature.0[5] ^= 1;
    refused(blocks(change), "the log's signature does not count").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_altered_header_is_refused() {
    let change = |block: &mut CertifiedBlock| block.head.header.time += 1;
    refused(blocks(change), "is not final").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_by_somebody_else_is_refused() {
    let stranger = VoteKey::from_seed(&[99; 32]);
    let world = World::new();
    let (keys, mut genesis) = (world.keys.clone(), world.genesis.clone());
    genesis.validators = vec![stranger.public()];
    let committee = genesis.committee();
    let change = move |block: &mut CertifiedBlock| {
        let (header, id) = (&block.head.header, block.head.header.id(&keys));
        block.head.certificate = Certificate::sign(&committee, 0, header, id, &[&stranger]);
    };
    refused(blocks(change), "is not final").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_in_another_order_or_missing_are_refused() {
    let change = |response| match response {
        Response::Blocks(blocks) => {
            let mut blocks = blocks.into_vec();
            blocks.reverse();
            Some(Response::Blocks(List::new(blocks).unwrap()))
        }
        other => Some(other),
    };
    refused(change, "something else than was asked for").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unfounded_excuse_is_refused() {
    let change = |block: &mut CertifiedBlock| block.entries[0].body = Body::Expired;
    refused(blocks(change), "without an excuse").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_announces_and_does_not_deliver_is_left_for_another() {
    let change = |response| match response {
        Response::Blocks(_) => None,
        other => Some(other),
    };
    refused(change, "the node gave no answer").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_another_network_is_refused() {
    let (world, other) = (World::new(), World::new());
    let validator = other.validator().await;
    assert_ne!(world.keys.network(), other.keys.network());
    let follower = world.follower(&[validator.address()]).await;
    let noted = until_upstream(&follower, |upstream| upstream.fault.is_some()).await;
    assert!(noted.fault.unwrap().contains("another network"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_everybody_withholds_does_not_hold_up_the_ledger() {
    let world = World::new();
    let (validator, writer) = busy(&world).await;
    let withholding = |block: &mut CertifiedBlock| {
        if block.head.header.height == 2 {
            block.entries[0].body = Body::Withheld;
        }
    };
    let liar = liar(&validator.address(), blocks(withholding)).await;
    let follower = world.follower(std::slice::from_ref(&liar.address)).await;
    follower.handle.until_height(3).await.unwrap();
    let mut client = Client::to(&world, &follower).await;
    let bodies: Vec<Body> = client
        .read(writer.key.public())
        .await
        .into_iter()
        .map(|(carried, _)| carried.body)
        .collect();
    let present = Body::Present(b"truth".to_vec());
    assert_eq!(
        bodies,
        [present.clone(), Body::Withheld, present],
        "and the follower says what it lacks"
    );
    let all = NonZeroU32::new(1 << 20).unwrap();
    let Ok(Response::Blocks(copied)) = client
        .ask(Request::Blocks {
            from: 1,
            count: NonZeroU32::new(3).unwrap(),
            bytes: all,
        })
        .await
    else {
        panic!()
    };
    assert_eq!(copied.len(), 3);
}

/// Waits until a node has noticed that there are two histories and has kept the evidence; returns it.
async fn until_halted(node: &Running) -> Evidence {
    let kept = async {
        loop {
            let files = std::fs::read_dir(node.place.path()).unwrap().filter_map(Result::ok);
            let file = files
                .map(|file| file.path())
                .find(|path| path.extension().is_some_and(|kind| kind == "wxe"));
            let file = file.and_then(|file| EvidenceFile::from_bytes(&std::fs::read(file).unwrap()).ok());
            if let Some(file) = file.filter(|_| node.handle.status().unwrap().is_halted) {
                return file.evidence;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, kept).await.unwrap()
}

/// Two validators with the same vote key, each with a history of its own: what a careless copy of a machine leads to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_certified_histories_halt_a_follower_and_it_keeps_the_evidence() {
    let world = World::new();
    let (one, other) = (world.validator().await, world.validator().await);
    for (node, seed) in [(&one, 1), (&other, 2)] {
        let client = Client::to(&world, node).await;
        client.submit_one(&Writer::new(&world, seed).seal(b"mine")).await;
        node.handle.until_height(1).await.unwrap();
    }
    let follower = world.follower(&[one.address(), other.address()]).await;
    let evidence = until_halted(&follower).await;
    assert_eq!(evidence.height(), 1);
    evidence.verify(&world.keys, &world.genesis.committee()).unwrap();
    let client = Client::to(&world, &follower).await;
    assert!(
        client.ask(Request::Head { held: 0 }).await.is_ok(),
        "what was copied is still served"
    );
    // Whoever is shown the evidence passes it on to a validator, whose next block carries it.
    let report = Request::Report {
        evidence: evidence.to_bytes().into(),
    };
    assert_eq!(Client::to(&world, &one).await.ask(report).await, Ok(Response::Report));
    assert_eq!(carried_by_the_next(&world, &one).await, [evidence]);
}

/// What the next block of a validator carries.
async fn carried_by_the_next(world: &World, validator: &Running) -> Vec<Evidence> {
    let client = Client::to(world, validator).await;
    let from = validator.handle.tip().height + 1;
    let seed = 100 + u8::try_from(from).unwrap();
    client.submit_one(&Writer::new(world, seed).seal(b"next")).await;
    validator.handle.until_height(from).await.unwrap();
    let (count, bytes) = (NonZeroU32::MIN, NonZeroU32::MIN);
    let Ok(Response::Blocks(blocks)) = client.ask(Request::Blocks { from, count, bytes }).await else {
        panic!()
    };
    CertifiedBlock::from_bytes(&blocks[0]).unwrap().evidence
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_starts_again_shows_the_evidence_it_knew_and_puts_none_of_it_into_a_second_block() {
    let world = World::new();
    let validator = world.validator().await;
    let vote = world.vote.clone();
    // Two heads of height 1 by the same key: nothing more is needed for evidence.
    let [one, other] = [1, 2].map(|time| {
        let mut header = world.genesis.block();
        (header.height, header.time) = (1, header.time + time);
        let id = header.id(&world.keys);
        let certificate = Certificate::sign(&world.genesis.committee(), 0, &header, id, &[&vote]);
        Head { header, certificate }
    });
    let evidence = Evidence::of_heads(&world.keys, one, other);
    let report = Request::Report {
        evidence: evidence.to_bytes().into(),
    };
    let told = Client::to(&world, &validator).await.ask(report.clone()).await;
    assert_eq!(told, Ok(Response::Report));
    // Stopped before any block carried it: it waits for the next one all the same.
    let (place, config) = validator.stop().await;
    let validator = world.run(place, config).await;
    assert_eq!(validator.handle.status().unwrap().evidence.len(), 1);
    assert_eq!(carried_by_the_next(&world, &validator).await, [evidence]);
    let (mut place, mut config) = validator.stop().await;
    for is_file_lost in [false, true] {
        let file = place.path().join("evidence");
        assert!(file.exists());
        if is_file_lost {
            std::fs::remove_file(file).unwrap();
        }
        let validator = world.run(place, config).await;
        let shown = validator.handle.status().unwrap().evidence;
        assert_eq!((shown.len(), shown[0].kind, shown[0].height), (1, "two_heads", 1));
        let told = Client::to(&world, &validator).await.ask(report.clone()).await;
        assert_eq!(told, Ok(Response::Report));
        assert_eq!(carried_by_the_next(&world, &validator).await, [], "it is in a block");
        (place, config) = validator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_history_is_noticed_when_it_is_longer_too() {
    let world = World::new();
    let (one, other) = (world.validator().await, world.validator().await);
    let client = Client::to(&world, &one).await;
    client.submit_one(&Writer::new(&world, 1).seal(b"mine")).await;
    one.handle.until_height(1).await.unwrap();
    let follower = world.follower(&[one.address(), other.address()]).await;
    follower.handle.until_height(1).await.unwrap();
    until_upstream(&follower, |upstream| {
        upstream.address.starts_with(&other.node().to_string()) && upstream.is_connected
    })
    .await;
    let client = Client::to(&world, &other).await;
    let mut writer = Writer::new(&world, 2);
    for height in 1..=3 {
        client.submit_one(&writer.seal(b"theirs")).await;
        other.handle.until_height(height).await.unwrap();
    }
    let evidence = until_halted(&follower).await;
    evidence.verify(&world.keys, &world.genesis.committee()).unwrap();
}

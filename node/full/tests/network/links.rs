//! What validators tell each other beside blocks: envelopes once, statements for beacons, evidence; and what strangers get.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use waxwing_core::Hash;
use waxwing_core::certificate::{Beacon, VoteKind, vote_message};
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::Envelope;
use waxwing_core::evidence::{Evidence, TwoVotes};
use waxwing_core::follow::Freshness;
use waxwing_core::keys::Signature;
use waxwing_net::wire::{Admission, List, Refusal, Request, Response, Stamp};

use crate::client::Client;
use crate::copy::until_upstream;
use crate::world::{Running, SOON, World, Writer, opaque};

/// Waits until something holds of every node.
async fn until(nodes: &[&Running], holds: impl Fn(&Running) -> bool) {
    let all = async {
        while !nodes.iter().all(|node| holds(node)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, all).await.unwrap();
}

/// Waits until every validator is linked with every other one, both ways.
async fn until_linked(nodes: &[Running]) {
    let others = nodes.len() - 1;
    let is_linked = |node: &Running| {
        let links = node.handle.status().unwrap().links;
        links
            .iter()
            .filter(|link| link.listens && link.heard_at.is_some())
            .count()
            >= others
    };
    until(&nodes.iter().collect::<Vec<_>>(), is_linked).await;
}

/// One of a node's figures.
async fn figure(node: &Running, name: &str) -> u64 {
    let mut stream = TcpStream::connect(node.handle.http().unwrap()).await.unwrap();
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let line = answer
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {answer}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_validator_checks_an_envelope_once_however_many_bring_it() {
    let world = World::of(4);
    let nodes = world
        .committee_with(|config| config.http = Some(([127, 0, 0, 1], 0).into()))
        .await;
    until_linked(&nodes).await;
    const ENVELOPES: u8 = 60;
    let sealed: Vec<Envelope> = (0..ENVELOPES)
        .map(|seed| Writer::new(&world, seed + 10).seal(b"everywhere"))
        .collect();
    let mut submissions = tokio::task::JoinSet::new();
    for node in &nodes {
        let client = Client::to(&world, node).await;
        let sealed = sealed.clone();
        submissions.spawn(async move {
            for three in sealed.chunks(3) {
                let taken = client.submit(three).await;
                let is_here = |one: &Admission| matches!(one, Admission::Taken | Admission::Final { .. });
                assert!(taken.iter().all(is_here), "{taken:?}");
            }
        });
    }
    submissions.join_all().await;
    let all: Vec<&Running> = nodes.iter().collect();
    until(&all, |node| node.handle.tip().entries == u64::from(ENVELOPES)).await;
    for node in &nodes {
        // What another validator brought in a block before anybody brought it here needs no check of its own here.
        let verified = figure(node, "waxwing_intake_verified_total").await;
        assert!((1..=u64::from(ENVELOPES)).contains(&verified), "{verified}");
    }
}

/// A beacon about the newest head, from a node, for a client that has only proofs.
async fn beacon(world: &World, node: &Running) -> Result<Beacon, Refusal> {
    let mut client = Client::to(world, node).await;
    client.catch_up().await;
    let wish = Request::Beacon {
        newer_than_ms: world.clock.now_ms(),
        wait_ms: 5000,
    };
    match client.ask(wish).await? {
        Response::Beacon(bytes) => {
            let beacon = Beacon::from_bytes(&bytes).unwrap();
            client.follow.accept_beacon(&beacon, world.clock.now_ms()).unwrap();
            assert!(matches!(
                client.follow.freshness(world.clock.now_ms()),
                Freshness::Fresh { .. }
            ));
            Ok(beacon)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quorum_makes_a_beacon_and_less_than_that_makes_none() {
    let world = World::of(4);
    let mut nodes = world.committee().await;
    until_linked(&nodes).await;
    let follower = world.follower(&[nodes[0].address()]).await;
    Client::to(&world, &nodes[0])
        .await
        .submit_one(&Writer::new(&world, 1).seal(b"x"))
        .await;
    follower.handle.until_height(1).await.unwrap();
    for node in nodes.iter().chain([&follower]) {
        node.handle.until_height(1).await.unwrap();
        let beacon = beacon(&world, node).await.unwrap();
        assert!(beacon.signatures.signers().count() >= 3);
    }
    nodes.pop().unwrap().stop().await;
    assert!(beacon(&world, &nodes[0]).await.is_ok(), "three of four are enough");
    nodes.pop().unwrap().stop().await;
    assert_eq!(beacon(&world, &nodes[0]).await, Err(Refusal::NoBeacon));
    assert_eq!(beacon(&world, &follower).await, Err(Refusal::NoBeacon));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_confirms_its_head_at_a_time_that_has_come_and_nothing_else() {
    let world = World::of(4);
    let nodes = world.committee().await;
    let client = Client::to(&world, &nodes[0]).await;
    let (now, head) = (world.clock.now_ms(), world.genesis_anchor().id);
    let confirm = |height, head, time| Request::Confirm { height, head, time };
    let Ok(Response::Confirm(bytes)) = client.ask(confirm(0, head, now)).await else {
        panic!("it is the head")
    };
    let message = waxwing_core::certificate::beacon_message(world.keys.network(), 0, head, now);
    let signature = Signature::from_bytes(&bytes).unwrap();
    let is_signed = |vote: &waxwing_core::keys::VoteKey| vote.public().verify(&message, &signature).is_ok();
    assert_eq!(world.votes.iter().filter(|vote| is_signed(vote)).count(), 1);
    let ahead = client.ask(confirm(0, head, now + 60_000)).await;
    assert!(matches!(ahead, Err(Refusal::TimeAhead { .. })), "{ahead:?}");
    let before = client.ask(confirm(0, head, world.genesis.time - 1)).await;
    assert_eq!(before, Err(Refusal::Contradiction));
    let other = client.ask(confirm(0, Hash([1; 32]), now)).await;
    assert_eq!(other, Err(Refusal::NotTheHead { newest: 0 }));
    let further = client.ask(confirm(1, head, now)).await;
    assert_eq!(further, Err(Refusal::NotTheHead { newest: 0 }));
    let follower = world.follower(&[nodes[0].address()]).await;
    let refused = Client::to(&world, &follower).await.ask(confirm(0, head, now)).await;
    assert_eq!(refused, Err(Refusal::NoValidator));
}

/// Two votes of one validator for one step.
fn two_votes(world: &World) -> Evidence {
    let key = &world.votes[2];
    let vote = |block: Hash| {
        let message = vote_message(world.keys.network(), VoteKind::Prevote, 1, 0, block);
        (block, key.sign(&message))
    };
    Evidence::TwoVotes(Box::new(TwoVotes {
        validator: key.public(),
        kind: VoteKind::Prevote,
        height: 1,
        round: 0,
        first: vote(Hash([1; 32])),
        second: vote(Hash([2; 32])),
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_that_one_follower_is_shown_reaches_every_node_and_the_next_block() {
    let world = World::of(4);
    let nodes = world.committee().await;
    until_linked(&nodes).await;
    let shown = world.follower(&[nodes[0].address()]).await;
    let far = world.follower(&[nodes[3].address()]).await;
    let beyond = world.follower(&[far.address()]).await;
    for follower in [&shown, &far, &beyond] {
        until_upstream(follower, |upstream| upstream.is_connected).await;
    }
    let evidence = two_votes(&world);
    let report = |bytes: Vec<u8>| Request::Report { evidence: bytes.into() };
    let client = Client::to(&world, &shown).await;
    let mut forged = evidence.to_bytes();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(client.ask(report(forged)).await, Err(Refusal::NoEvidence));
    assert_eq!(client.ask(report(evidence.to_bytes())).await, Ok(Response::Report));
    let mut all: Vec<&Running> = nodes.iter().collect();
    all.extend([&shown, &far, &beyond]);
    let knows = |node: &Running| !node.handle.status().unwrap().evidence.is_empty();
    until(&all, knows).await;
    let culprit = world.votes[2].public().to_string();
    for node in &all {
        let status = node.handle.status().unwrap();
        let [report] = &status.evidence[..] else {
            panic!("{:?}", status.evidence)
        };
        assert_eq!((report.kind, report.height), ("two_votes", 1));
        assert_eq!(report.validator.as_ref(), Some(&culprit));
    }
    // Whoever comes later is told as well.
    let late = world.follower(&[beyond.address()]).await;
    until(&[&late], knows).await;
    let mut writer = Writer::new(&world, 1);
    let client = Client::to(&world, &nodes[1]).await;
    for length in 1..=4 {
        client.submit_one(&writer.seal(b"x")).await;
        until(&all, |node| node.handle.tip().entries >= length).await;
    }
    let (count, bytes) = (10.try_into().unwrap(), (1 << 20).try_into().unwrap());
    let Ok(Response::Blocks(blocks)) = client.ask(Request::Blocks { from: 1, count, bytes }).await else {
        panic!("there are blocks")
    };
    let carried = blocks
        .iter()
        .map(|block| waxwing_core::block::CertifiedBlock::from_bytes(block).unwrap().evidence);
    assert_eq!(carried.flatten().collect::<Vec<_>>(), [evidence], "in one block, once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_takes_no_part_and_what_it_asks_for_costs_nothing() {
    let world = World::of(4);
    let nodes = world.committee().await;
    let follower = world.follower(&[nodes[0].address()]).await;
    let sealed = opaque(&Writer::new(&world, 1).seal(b"not this way"));
    for (node, refusal) in [(&nodes[0], Refusal::Stranger), (&follower, Refusal::NoValidator)] {
        let client = Client::to(&world, node).await;
        let order = Request::Order {
            hello: vec![1; 98].into(),
        };
        let asked = client.connection.subscribe(&order, SOON).await.map(|_| ());
        assert_eq!(asked, Err(waxwing_net::quic::RequestError::Refused(refusal)));
        let spread = Request::Spread {
            envelopes: List::new(vec![sealed.clone()]).unwrap(),
        };
        assert_eq!(client.ask(spread).await, Err(Refusal::Stranger));
        let missing = Request::Missing {
            block: Hash([1; 32]),
            stamps: List::new(vec![Stamp(Hash([2; 32]))]).unwrap(),
        };
        assert_eq!(client.ask(missing).await, Err(Refusal::Stranger));
        assert_eq!(node.handle.status().unwrap().pool.envelopes, 0);
    }
    // The same envelope the way that everybody has.
    let client = Client::to(&world, &nodes[0]).await;
    let envelopes = List::new(vec![sealed]).unwrap();
    let promise = waxwing_net::wire::Promise::Word;
    let taken = client.ask(Request::Submit { envelopes, promise }).await;
    assert_eq!(taken, Ok(Response::Submit(List::new(vec![Admission::Taken]).unwrap())));
    nodes[0].handle.until_height(1).await.unwrap();
}

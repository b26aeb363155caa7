//! Several validators: they order what is submitted to any of them, do without one, and change hands.

use std::time::Duration;

use waxwing_core::change::CommitteeChange;
use waxwing_core::codec::Encode;
use waxwing_core::keys::VoteKey;
use waxwing_net::wire::{Admission, Hindrance, Promise, Request, Response};
use waxwing_node::NodeAddress;
use waxwing_node::config::NodeConfig;
use waxwing_node::directory::Directory;

use crate::client::Client;
use crate::start::fetch;
use crate::world::{Running, SOON, World, Writer};

/// Submits so many envelopes of one writer to one node, one after the other.
async fn submit(world: &World, node: &Running, seed: u8, count: u8) {
    let client = Client::to(world, node).await;
    let mut writer = Writer::new(world, seed);
    for number in 0..count {
        let admissions = client.submit_for(&[writer.seal(&[number])], Promise::Word).await;
        assert_eq!(admissions, [Admission::Taken]);
    }
}

/// Waits until every node has so many entries; they have the same newest block then, or will.
async fn until_entries(nodes: &[&Running], entries: u64) {
    for node in nodes {
        let waited = tokio::time::timeout(SOON, async {
            while node.handle.tip().entries < entries {
                let next = node.handle.tip().height + 1;
                node.handle.until_height(next).await.unwrap();
            }
        });
        let tip = || node.handle.tip();
        waited
            .await
            .unwrap_or_else(|_| panic!("{} of {entries} entries at {}", tip().entries, tip().height));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_validators_order_what_is_submitted_to_any_of_them() {
    let world = World::of(4);
    let nodes = world.committee().await;
    let follower = world.follower(&[nodes[0].address(), nodes[1].address()]).await;
    let writers: Vec<u8> = vec![1, 2, 3, 4];
    let submissions = nodes
        .iter()
        .zip(&writers)
        .map(|(node, seed)| submit(&world, node, *seed, 25));
    for submitted in submissions {
        submitted.await;
    }
    submit(&world, &follower, 5, 5).await;
    let mut all: Vec<&Running> = nodes.iter().collect();
    all.push(&follower);
    until_entries(&all, 105).await;
    // The same blocks everywhere, each certified by a quorum: the client checks every proof.
    for node in &all {
        let mut client = Client::to(&world, node).await;
        for seed in 1..=4 {
            client.until_length(Writer::new(&world, seed).key.public(), 25).await;
        }
        assert_eq!(client.read(Writer::new(&world, 2).key.public()).await.len(), 25);
    }
    let tips: Vec<_> = all.iter().map(|node| node.handle.tip()).collect();
    assert!(tips.iter().all(|tip| *tip == tips[0]), "{tips:?}");
    for node in &nodes {
        let status = node.handle.status().unwrap();
        assert_eq!(status.role, "validator");
        let committee = status.committee;
        assert_eq!(
            (committee.members.len(), committee.quorum, committee.tolerated),
            (4, 3, 1)
        );
        assert!(committee.members.contains(&committee.own.unwrap()));
        assert!(committee.certificate.unwrap().signers.len() >= 3);
        assert_eq!(status.links.len(), 3);
        assert_eq!(status.upstreams, [], "validators are links while it votes");
    }
    assert_eq!(follower.handle.status().unwrap().committee.own, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_is_ready_as_soon_as_there_is_a_quorum_and_not_before() {
    let world = World::of(4);
    let first = world
        .member_with(&world.votes[0], &[], |config| {
            config.http = Some(([127, 0, 0, 1], 0).into())
        })
        .await;
    let lacks = fetch(&first, "/readyz").await;
    assert!(
        lacks.starts_with("HTTP/1.1 503") && lacks.contains("[-] quorum: linked with 1 of 4 validators"),
        "{lacks}"
    );
    assert!(fetch(&first, "/livez").await.starts_with("HTTP/1.1 200"));
    // Whoever asks from elsewhere hears the same.
    let client = Client::to(&world, &first).await;
    let hindrances = async || match client.ask(Request::Ready).await {
        Ok(Response::Ready(hindrances)) => hindrances.into_vec(),
        other => panic!("asked whether it is ready, it says {other:?}"),
    };
    let alone = Hindrance::NoQuorum {
        linked: 1,
        members: 4,
        needed: 3,
    };
    assert_eq!(hindrances().await, [alone]);
    let second = world.member(&world.votes[1], &[first.address()]).await;
    let known = [first.address(), second.address()];
    let _third = world.member(&world.votes[2], &known).await;
    let waited = tokio::time::timeout(SOON, async {
        while !fetch(&first, "/readyz").await.starts_with("HTTP/1.1 200") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap();
    assert!(fetch(&first, "/readyz?verbose").await.contains("[+] quorum"));
    assert_eq!(hindrances().await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_given_everybodys_address_does_not_count_itself() {
    let world = World::of(4);
    let first = world.member(&world.votes[0], &[]).await;
    let second = world.member(&world.votes[1], &[first.address()]).await;
    let listed = |node: &Running| {
        let upstreams = node.handle.status().unwrap().upstreams;
        upstreams
            .into_iter()
            .map(|upstream| upstream.address)
            .collect::<Vec<_>>()
    };
    let (place, config) = second.stop().await;
    let own = NodeAddress {
        node: Directory::open(place.path()).unwrap().transport().public(),
        ..first.address()
    };
    let all = vec![own.clone(), first.address()];
    let config = NodeConfig {
        upstreams: all.clone(),
        validators: all,
        ..config
    };
    let second = world.run(place, config.clone()).await;
    // What was named as an upstream node is shown to a validator too.
    assert_eq!(listed(&second), [first.address().to_string()]);

    let place = tempfile::tempdir().unwrap();
    Directory::found(place.path(), &world.genesis, None, &config).unwrap();
    let own = NodeAddress {
        node: Directory::open(place.path()).unwrap().transport().public(),
        ..own
    };
    let config = NodeConfig {
        upstreams: Vec::new(),
        validators: vec![own, first.address()],
        ..config
    };
    let follower = world.run(place, config).await;
    assert_eq!(follower.handle.status().unwrap().role, "follower");
    assert_eq!(
        listed(&follower),
        [first.address().to_string()],
        "it copies from validators"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_go_on_without_the_fourth_and_it_catches_up() {
    let world = World::of(4);
    let mut nodes = world.committee().await;
    submit(&world, &nodes[0], 1, 5).await;
    until_entries(&nodes.iter().collect::<Vec<_>>(), 5).await;
    let fourth = nodes.remove(3);
    let listen = fourth.handle.address();
    let (place, config) = fourth.stop().await;
    for (seed, node) in (2..).zip(&nodes) {
        submit(&world, node, seed, 5).await;
    }
    until_entries(&nodes.iter().collect::<Vec<_>>(), 20).await;
    let back = world.run(place, NodeConfig { listen, ..config }).await;
    until_entries(&[&back], 20).await;
    submit(&world, &back, 9, 5).await;
    nodes.push(back);
    until_entries(&nodes.iter().collect::<Vec<_>>(), 25).await;
}

/// Has the committee replaced from a height on; `entries` are there before, and one more after.
async fn change(world: &World, nodes: &[&Running], signers: &[VoteKey], members: &[VoteKey], from: u64) {
    let committee = world.genesis.committee();
    let members = members.iter().map(VoteKey::public).collect();
    let mut change = CommitteeChange::propose(&world.keys, &committee, from, members).unwrap();
    for key in signers {
        change.sign(&committee, key).unwrap();
    }
    let entries = nodes[0].handle.tip().entries;
    let mut writer = Writer::new(world, 0);
    writer.key = world.genesis.committee_log();
    let client = Client::to(world, nodes[0]).await;
    let sealed = writer.seal(&change.to_bytes());
    assert_eq!(client.submit_for(&[sealed], Promise::Word).await, [Admission::Taken]);
    until_entries(nodes, entries + 1).await;
    // Blocks come with work only.
    for seed in 10.. {
        if nodes[0].handle.tip().height >= from + 3 {
            return;
        }
        let entries = nodes[0].handle.tip().entries;
        submit(world, nodes[1], seed, 1).await;
        until_entries(nodes, entries + 1).await;
    }
}

async fn until_role(node: &Running, role: &str) {
    let waited = tokio::time::timeout(SOON, async {
        while node.handle.status().unwrap().role != role {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_becomes_a_validator_and_a_validator_a_follower() {
    let world = World::of(4);
    let mut nodes = world.committee().await;
    let addresses: Vec<_> = nodes.iter().map(Running::address).collect();
    let joins = VoteKey::from_seed(&[99; 32]);
    let newcomer = world.member(&joins, &addresses).await;
    submit(&world, &nodes[0], 1, 3).await;
    let all: Vec<&Running> = nodes.iter().chain([&newcomer]).collect();
    until_entries(&all, 3).await;
    assert_eq!(newcomer.handle.status().unwrap().role, "follower");

    let members = [&world.votes[..3], std::slice::from_ref(&joins)].concat();
    let from = newcomer.handle.tip().height + 4;
    change(&world, &all, &world.votes[..3], &members, from).await;
    until_role(&newcomer, "validator").await;
    assert!(newcomer.place.path().join("keys/vote").exists());
    let left = nodes.remove(3);
    until_role(&left, "follower").await;
    assert!(!left.place.path().join("keys/vote").exists(), "its key is destroyed");
    // With one of the others gone the newcomer is needed for a quorum, and the one that left still hears of everything.
    let entries = left.handle.tip().entries;
    nodes.remove(2).stop().await;
    submit(&world, &left, 200, 3).await;
    until_entries(&[&nodes[0], &nodes[1], &newcomer, &left], entries + 3).await;
    let (place, config) = left.stop().await;
    let back = world.run(place, config).await;
    assert_eq!(back.handle.status().unwrap().role, "follower");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_validator_becomes_four_and_they_can_do_without_it() {
    let world = World::new();
    let first = world.validator().await;
    let mut nodes = vec![first];
    let mut votes = vec![world.vote.clone()];
    for seed in 50..53 {
        let vote = VoteKey::from_seed(&[seed; 32]);
        let others: Vec<_> = nodes.iter().map(Running::address).collect();
        nodes.push(world.member(&vote, &others).await);
        votes.push(vote);
    }
    submit(&world, &nodes[0], 1, 3).await;
    until_entries(&nodes.iter().collect::<Vec<_>>(), 3).await;
    let from = nodes[3].handle.tip().height + 3;
    change(&world, &nodes.iter().collect::<Vec<_>>(), &world.votes, &votes, from).await;
    for node in &nodes {
        until_role(node, "validator").await;
    }
    let entries = nodes[1].handle.tip().entries;
    nodes.remove(0).stop().await;
    submit(&world, &nodes[2], 200, 3).await;
    until_entries(&nodes.iter().collect::<Vec<_>>(), entries + 3).await;
}

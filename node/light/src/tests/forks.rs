//! All validators conspire: two people are shown two histories. It is caught wherever the two meet.

use std::sync::Arc;

use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::{Envelope, KeepFor};
use waxwing_core::evidence::Evidence;
use waxwing_seal::content::Name;
use waxwing_seal::{Content, DeviceKey, Keeping, Kind, Sealer, StandIn, View};

use super::*;
use crate::chance;
use crate::error::Error;
use crate::message::Exception;

/// Ada follows one history through one node; the other node shows another one from block 3 on.
struct Fork {
    world: Arc<World>,
    other: Arc<World>,
    ada: Person,
    second: TestNode,
    first: TestNode,
}

async fn fork() -> Fork {
    let world = World::new("test");
    world.order_many(2);
    let other = world.branch(2);
    world.order_many(3);
    // Never the same block twice: the other history's times differ.
    other.clock.shift(1_000);
    other.order_many(3);
    assert_ne!(world.header(5), other.header(5));
    let first = TestNode::honest(&world);
    let second = TestNode::honest(&other);
    let ada = Person::on("Ada", &world, &[&first]).await;
    ada.client.refresh().await.unwrap();
    Fork {
        world,
        other,
        ada,
        second,
        first,
    }
}

async fn evidence_against(fork: &Fork) -> Vec<Evidence> {
    let pieces = fork.ada.client.evidence(fork.world.network()).await.unwrap();
    let read = |bytes: &Vec<u8>| Evidence::from_bytes(bytes).unwrap();
    let evidence: Vec<_> = pieces.iter().map(read).collect();
    for piece in &evidence {
        piece
            .verify(&fork.world.keys, &fork.world.genesis.committee())
            .expect("it convinces anybody who has the genesis");
    }
    evidence
}

async fn ada_has_halted_at(fork: &Fork, height: u64) {
    let status = fork.ada.client.status(fork.world.network()).await.unwrap();
    assert_eq!(status.forked_at, Some(height));
    let refused = fork
        .ada
        .client
        .create_channel(fork.world.network(), "late")
        .await
        .unwrap();
    let sent = fork
        .ada
        .client
        .send(refused, Draft::text("into the void").unwrap())
        .await;
    assert_eq!(sent, Err(Error::Forked { height }));
    assert_eq!(fork.ada.client.refresh().await, Err(Error::Forked { height }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_block_at_the_held_height_halts_the_client_with_evidence() {
    let fork = fork().await;
    fork.ada
        .client
        .add_node(fork.world.network(), fork.second.address())
        .await
        .unwrap();
    let found = fork.ada.client.compare(fork.world.network()).await;
    assert_eq!(found, Err(Error::Forked { height: 5 }));
    assert_eq!(evidence_against(&fork).await.len(), 1);
    ada_has_halted_at(&fork, 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_longer_other_history_is_looked_into_and_halts_the_client_too() {
    let fork = fork().await;
    fork.other.order_many(4);
    fork.ada
        .client
        .add_node(fork.world.network(), fork.second.address())
        .await
        .unwrap();
    let found = fork.ada.client.compare(fork.world.network()).await;
    assert_eq!(found, Err(Error::Forked { height: 5 }));
    assert_eq!(evidence_against(&fork).await[0].height(), 5);
    ada_has_halted_at(&fork, 5).await;
    let faults = fork.ada.faults(fork.world.network()).await;
    assert!(faults.contains(&"fork".to_owned()), "{faults:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_below_the_held_head_is_kept_and_shown_and_does_not_halt() {
    let fork = fork().await;
    let channel = fork
        .ada
        .client
        .create_channel(fork.world.network(), "plans")
        .await
        .unwrap();
    fork.ada.client.refresh().await.unwrap();
    fork.world.order_many(4);
    fork.ada.client.refresh().await.unwrap();
    fork.ada.client.start();
    fork.ada
        .client
        .add_node(fork.world.network(), fork.second.address())
        .await
        .unwrap();
    until("the other history is noticed", async || {
        !fork.ada.client.evidence(fork.world.network()).await.unwrap().is_empty()
    })
    .await;
    assert_eq!(evidence_against(&fork).await[0].height(), 5);
    assert_eq!(
        fork.ada.client.status(fork.world.network()).await.unwrap().forked_at,
        None
    );
    fork.ada.say_finally(channel, "still here").await;
    let faults = fork.ada.faults(fork.world.network()).await;
    assert!(faults.contains(&"other-history".to_owned()), "{faults:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_finds_a_fork_tells_the_nodes() {
    let fork = fork().await;
    fork.ada.client.start();
    fork.ada
        .client
        .add_node(fork.world.network(), fork.second.address())
        .await
        .unwrap();
    until("both histories' nodes have the evidence", async || {
        !fork.world.reported().is_empty() && !fork.other.reported().is_empty()
    })
    .await;
    assert_eq!(fork.world.reported(), fork.other.reported());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_from_the_other_history_is_refused_before_anything_is_sent() {
    let fork = fork().await;
    let ben = Person::on("Ben", &fork.other, &[&fork.second]).await;
    let channel = ben.client.create_channel(fork.other.network(), "plans").await.unwrap();
    ben.client.refresh().await.unwrap();
    // Ben names no node, so only the pinned block can tell.
    let link = ben.client.invite(channel).await.unwrap();
    let mut invitation = waxwing_seal::Invitation::from_link(&link).unwrap();
    invitation.nodes.clear();
    let refused = fork.ada.client.join(&invitation.link()).await;
    assert_eq!(refused, Err(Error::OtherHistory { height: 5 }));
    assert_eq!(fork.ada.client.channels().await.unwrap(), []);
}

/// Two people who talk find the fork, though no node that is asked for messages shows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_who_had_checked_the_other_history_leads_to_the_evidence() {
    let fork = fork().await;
    let (ada, network) = (&fork.ada, fork.world.network());
    let channel = ada.client.create_channel(network, "plans").await.unwrap();
    ada.say_finally(channel, "hello").await;
    ada.client.stop();
    ada.client.add_node(network, fork.second.address()).await.unwrap();
    ada.prefers(&fork.world, &fork.first).await;
    let head = fork.other.header(4).unwrap().id(&fork.other.keys);
    let mut eve = super::manners::Stranger::of(&fork.world, ada, channel, 5).await;
    let words = waxwing_seal::content::Words::new("I see another block 4").unwrap();
    eve.says(Kind::Text(words), View::empty_log(4, head));
    ada.client.refresh().await.unwrap();
    assert_eq!(ada.at(1).await.exceptions, [Exception::OtherHistory]);
    let evidence = evidence_against(&fork).await;
    assert_eq!(
        evidence.iter().map(Evidence::height).collect::<Vec<_>>(),
        [3],
        "where the two parted"
    );
    let status = ada.client.status(network).await.unwrap();
    assert_eq!(status.forked_at, None, "it is about blocks below the held head");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_who_has_seen_other_entries_is_marked() {
    let Pair {
        node: _node,
        world,
        ada,
        ben,
        channel,
    } = pair().await;
    ada.say_finally(channel.0, "one").await;
    let core = Arc::clone(&ada.client.core);
    let id = channel.0;
    let row = core
        .read(move |tx| crate::store::channels::load(tx, id))
        .await
        .unwrap()
        .unwrap();
    let held = row.proven.unwrap();
    let view = |length, root| View {
        height: held.height,
        head: held.head,
        length,
        root,
    };
    let device = DeviceKey::from_seed(&[5; 32]);
    let epoch = row.secret.epoch_keys(world.network(), 0);
    let mut sealer = Sealer::new(world.keys.clone(), epoch, device, StandIn::new());
    let anchor = world.header(0).unwrap();
    for (words, view) in [
        ("agrees", view(1, row.state.leaf(&world.keys).root)),
        ("saw another entry", view(1, Hash([1; 32]))),
        ("saw the future", view(9, Hash([1; 32]))),
    ] {
        let kind = Kind::Text(waxwing_seal::content::Words::new(words).unwrap());
        let content = Content::new(&mut chance::fill, 1, Name::new("Eve").unwrap(), view, kind);
        let sealed = sealer
            .seal(&content, Keeping::Erasable(KeepFor::Ever), &mut chance::fill)
            .unwrap();
        let mut header = sealed.header(waxwing_core::envelope::Anchor {
            height: 0,
            id: anchor.id(&world.keys),
        });
        header.grind(&world.keys, 4);
        let signed = header.sign(&world.keys, sealer.epoch().log_key());
        let envelope = Envelope {
            signed,
            body: sealed.body,
        };
        world.submit(&envelope.to_bytes());
    }
    ben.client.refresh().await.unwrap();
    let views = ben.client.read(channel.1, Range::Last(10)).await.unwrap();
    let exceptions: Vec<_> = views.iter().map(|view| view.exceptions.clone()).collect();
    let other = vec![Exception::OtherHistory];
    assert_eq!(exceptions, [vec![], vec![], other.clone(), other]);
}

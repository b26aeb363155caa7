//! Nodes that lie, withhold or stall: each is left for its own reason, the reason is kept, and another node serves.

use std::sync::Arc;

use waxwing_core::keys::{LogId, NodeKey};
use waxwing_net::wire::{EnvelopeRefusal, Kind, Refusal};

use super::chat::log_of;
use super::*;
use crate::error::Error;
use crate::message::BodyKind;
use crate::nodes::Fault;

const SAID: [&str; 4] = ["one", "two", "three", "four"];

/// Ada has said four things through an honest node; Ben knows that node and a liar, which he asks first.
pub(super) struct Stage {
    pub(super) world: Arc<World>,
    pub(super) honest: TestNode,
    pub(super) liar: TestNode,
    pub(super) ada: Person,
    pub(super) ben: Person,
    pub(super) channel: (ChannelId, ChannelId),
}

pub(super) async fn stage() -> Stage {
    let Pair {
        world,
        node: honest,
        ada,
        ben,
        channel,
    } = pair().await;
    ada.say_finally(channel.0, SAID[0]).await;
    ben.client.refresh().await.unwrap();
    for words in &SAID[1..] {
        ada.say_finally(channel.0, words).await;
    }
    let liar = TestNode::honest(&world);
    ben.client.add_node(world.network(), liar.address()).await.unwrap();
    ben.prefers(&world, &liar).await;
    Stage {
        world,
        honest,
        liar,
        ada,
        ben,
        channel,
    }
}

/// Ben reads everything although the node he asks first lies; the lie has this name.
async fn lies_are_seen_through(lie: Lie, code: &str) {
    let stage = stage().await;
    stage.liar.lie(lie.clone());
    is_seen_through(&stage, &format!("{lie:?}"), code).await;
}

/// The same with whatever the node does: it is named, it loses its standing, and the honest one serves.
pub(super) async fn is_seen_through(stage: &Stage, lie: &str, code: &str) {
    let served = stage.ben.client.refresh().await.unwrap();
    assert_eq!(stage.ben.reads(stage.channel.1).await, SAID, "{lie}");
    let status = stage.ben.client.status(stage.world.network()).await.unwrap();
    let liar = stage.liar.address().id().to_string();
    let kept: Vec<_> = status.faults.iter().filter(|fault| fault.node == liar).collect();
    assert!(kept.iter().any(|fault| fault.code == code), "{lie}: {kept:?}");
    let standing = status.nodes.iter().find(|node| node.node == liar).unwrap();
    assert_ne!(standing.standing, "fine", "{lie}");
    let honest = stage.honest.address().id();
    assert!(
        status.faults.iter().all(|fault| fault.node != honest.to_string()),
        "{lie}"
    );
    assert_eq!(served[0].node, honest, "{lie}");
    assert_eq!(
        served[0].left.first().map(|(_, fault)| fault.code()),
        Some(code),
        "{lie}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_lie_about_a_log_has_its_own_name() {
    lies_are_seen_through(Lie::OtherLogProof(LogId([7; 32])), "wrong-log-proof").await;
    lies_are_seen_through(Lie::NoEntries, "withheld-entries").await;
    lies_are_seen_through(Lie::EndsAfter(2), "withheld-entries").await;
    lies_are_seen_through(Lie::MovedEntry, "wrong-entries").await;
    lies_are_seen_through(Lie::AlteredBodies, "altered-body").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn withheld_bodies_are_asked_of_another_node() {
    lies_are_seen_through(Lie::NoBodies, "withheld-body").await;
    lies_are_seen_through(Lie::NoBody(2), "withheld-body").await;
    lies_are_seen_through(Lie::FalselyExpired, "withheld-body").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_do_not_serve_are_left() {
    lies_are_seen_through(Lie::Behind, "stale-head").await;
    lies_are_seen_through(Lie::Silent(Kind::Head), "stalled").await;
    lies_are_seen_through(Lie::Silent(Kind::Entries), "stalled").await;
    lies_are_seen_through(Lie::Refuses(Kind::Log, Refusal::ShuttingDown), "refused").await;
    for kind in [Kind::Head, Kind::Log, Kind::Entries] {
        lies_are_seen_through(Lie::Garbled(kind), "garbled").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_another_network_is_left() {
    let stage = stage().await;
    let foreign = World::new("foreign");
    foreign.order_many(stage.world.height() + 5);
    stage.liar.serve(&foreign);
    let served = stage.ben.client.refresh().await.unwrap();
    assert_eq!(served[0].left[0].1.code(), "foreign-network");
    assert_eq!(stage.ben.reads(stage.channel.1).await, SAID);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_nobody_gives_is_shown_as_withheld_and_read_when_somebody_does() {
    let stage = stage().await;
    stage.liar.lie(Lie::NoBody(1));
    stage.honest.lie(Lie::NoBody(1));
    stage.ben.client.refresh().await.unwrap();
    assert_eq!(
        stage.ben.reads(stage.channel.1).await,
        ["one", "(Withheld)", "three", "four"]
    );
    let message = stage.ben.client.find_message(stage.channel.1, "#1").await.unwrap();
    let view = stage.ben.client.message(message).await.unwrap();
    assert_eq!(view.body, BodyKind::Withheld);
    stage.honest.repent();
    stage.ben.client.refresh().await.unwrap();
    assert_eq!(stage.ben.reads(stage.channel.1).await, SAID);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_any_size_lead_to_the_same_log() {
    let stage = stage().await;
    stage.liar.lie(Lie::SmallPages(1));
    let served = stage.ben.client.refresh().await.unwrap();
    assert_eq!(served[0].node, stage.liar.address().id(), "slow is no lie");
    assert_eq!(stage.ben.reads(stage.channel.1).await, SAID);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_shows_another_genesis_founds_nothing() {
    let world = World::new("test");
    let (liar, honest) = (TestNode::lying(&world, Lie::OtherGenesis), TestNode::honest(&world));
    let ada = Person::new("Ada").await;
    let network = world.network();
    let refused = ada.client.fetch_network(network, &[liar.address()]).await;
    assert_eq!(
        refused,
        Err(Error::NobodyServed(vec![(liar.address().id(), Fault::WrongGenesis)]))
    );
    let nodes = [liar.address(), honest.address()];
    ada.client.fetch_network(network, &nodes).await.unwrap();
    assert_eq!(ada.client.networks().await.unwrap(), [network]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_of_another_entry_or_without_a_certificate_is_refused_and_another_node_asked() {
    for (lie, code) in [
        (Lie::OtherReceipt, "other-receipt"),
        (Lie::SpoiltReceipt, "wrong-receipt"),
    ] {
        let stage = stage().await;
        stage.ben.client.refresh().await.unwrap();
        stage.ben.prefers(&stage.world, &stage.liar).await;
        stage.liar.lie(lie);
        let message = stage.ben.client.find_message(stage.channel.1, "#2").await.unwrap();
        let receipt = stage.ben.client.receipt(message).await.unwrap();
        assert_eq!(receipt.log_index, 2);
        assert_eq!(stage.ben.faults(stage.world.network()).await, [code]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promises_that_nobody_gave_and_false_finals_do_not_count() {
    for (lie, code) in [
        (Lie::FalsePromise, "wrong-acknowledgement"),
        (Lie::OtherPromise, "wrong-acknowledgement"),
        (Lie::FalseFinal, "false-final"),
        (Lie::Garbled(Kind::Head), "garbled"),
    ] {
        let stage = stage().await;
        stage.liar.lie(lie.clone());
        stage.ben.say_finally(stage.channel.1, "five").await;
        let log = log_of(&stage.ben.client, stage.channel.1).await;
        assert_eq!(stage.world.length(&log), 5, "{lie:?}: once");
        let faults = stage.ben.faults(stage.world.network()).await;
        assert!(faults.iter().any(|fault| fault == code), "{lie:?}: {faults:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promise_that_a_node_hands_back_for_another_one_counts_as_the_others() {
    let stage = stage().await;
    stage.liar.lie(Lie::PassesOn);
    let view = stage.ben.say_finally(stage.channel.1, "five").await;
    assert!(stage.ben.faults(stage.world.network()).await.is_empty());
    let why = stage.ben.client.why(view.id).await.unwrap();
    let other = NodeKey::from_seed(&[99; 32]).public().to_string();
    let promised: Vec<_> = why.nodes.iter().map(|said| (&said.node, said.promised)).collect();
    assert_eq!(promised, [(&other, true)], "it names who promised");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_censored_message_is_handed_to_a_further_node() {
    let full = EnvelopeRefusal::PoolFull { retry_after_ms: 50 };
    let refuses = [
        full,
        EnvelopeRefusal::BadSignature,
        EnvelopeRefusal::WeakStamp { required: 40 },
    ]
    .map(Lie::TakesNone);
    for lie in refuses.into_iter().chain([Lie::Forgets]) {
        let stage = stage().await;
        stage.liar.lie(lie.clone());
        let view = stage.ben.say_finally(stage.channel.1, "five").await;
        let log = log_of(&stage.ben.client, stage.channel.1).await;
        assert_eq!(stage.world.length(&log), 5, "{lie:?}: once");
        let why = stage.ben.client.why(view.id).await.unwrap();
        let entries: std::collections::BTreeSet<_> = why.nodes.iter().map(|said| &said.entry).collect();
        assert_eq!(entries.len(), 1, "{lie:?}: the same bytes");
        assert!(stage.liar.submitted() >= 1 && stage.honest.submitted() >= 1, "{lie:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_every_node_refuses_failed_with_its_reason_and_can_be_tried_again() {
    let stage = stage().await;
    for node in [&stage.liar, &stage.honest] {
        node.lie(Lie::TakesNone(EnvelopeRefusal::BadSignature));
    }
    let message = stage.ben.say(stage.channel.1, "five").await;
    let view = stage.ben.client.settle(message, PATIENCE).await.unwrap();
    assert_eq!(view.state, Ladder::Failed);
    assert!(view.reason.unwrap().starts_with("no node takes it"));
    for node in [&stage.liar, &stage.honest] {
        node.repent();
    }
    stage.ben.client.retry(message).await.unwrap();
    let view = stage.ben.client.settle(message, PATIENCE).await.unwrap();
    assert_eq!((view.state, view.reason), (Ladder::Final, None));
    assert_eq!(stage.ben.client.retry(message).await, Err(Error::NotFailed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_never_pushes_is_noticed_by_what_others_prove() {
    let stage = stage().await;
    stage.liar.lie(Lie::NeverPushes);
    stage.ben.client.refresh().await.unwrap();
    stage.ben.prefers(&stage.world, &stage.liar).await;
    stage.ben.client.start();
    let asked = stage.liar.asked();
    until("Ben follows the liar", async || stage.liar.asked() > asked + 2).await;
    stage.ada.say_finally(stage.channel.0, "five").await;
    until("Ben reads it after all", async || {
        stage.ben.reads(stage.channel.1).await.len() == 5
    })
    .await;
    let faults = stage.ben.faults(stage.world.network()).await;
    assert!(faults.contains(&"stalled".to_owned()), "{faults:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_beacon_without_a_quorum_is_refused() {
    let stage = stage().await;
    // Half a minute passes without a block.
    stage.world.clock.shift(40_000);
    let ben = stage.ben.again().await;
    ben.clock().shift(40_000);
    stage.liar.lie(Lie::SpoiltBeacons);
    ben.refresh().await.unwrap();
    let faults = stage.ben.faults(stage.world.network()).await;
    assert_eq!(faults, ["wrong-beacon"]);
    let status = ben.status(stage.world.network()).await.unwrap();
    assert!(
        matches!(status.age, crate::status::Age::Fresh { .. }),
        "{:?}",
        status.age
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stands_still_is_found_out_by_comparing() {
    let stage = stage().await;
    stage.ben.client.refresh().await.unwrap();
    // The liar stops at what Ben holds; its ledger is true as far as it goes.
    let still = stage.world.branch(stage.world.height());
    stage.liar.serve(&still);
    stage.liar.lie(Lie::Refuses(Kind::Beacon, Refusal::NoBeacon));
    stage.ada.say_finally(stage.channel.0, "five").await;
    stage.ben.prefers(&stage.world, &stage.liar).await;
    stage.ben.client.refresh().await.unwrap();
    assert_eq!(
        stage.ben.reads(stage.channel.1).await.len(),
        4,
        "nothing it says is false"
    );
    // Whichever answers first: what the honest one shows is held, and then the other is behind it.
    stage.ben.client.compare(stage.world.network()).await.unwrap();
    stage.ben.client.compare(stage.world.network()).await.unwrap();
    stage.ben.client.refresh().await.unwrap();
    assert_eq!(stage.ben.reads(stage.channel.1).await.len(), 5);
    let faults = stage.ben.faults(stage.world.network()).await;
    assert!(
        !faults.is_empty() && faults.iter().all(|fault| fault == "stale-head"),
        "{faults:?}"
    );
}

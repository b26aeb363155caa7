//! Exactly once: whatever crashes, is lost, late or done twice, a message that was promised is in the ledger one time.

use std::collections::BTreeMap;
use std::sync::Arc;

use waxwing_core::codec::Encode;
use waxwing_core::envelope::Envelope;
use waxwing_core::limits::{ANCHOR_VALID_MS, DAY_MS};
use waxwing_net::wire::{EnvelopeRefusal, Kind};

use super::chat::log_of;
use super::groups::{all_refresh, group};
use super::*;
use crate::error::Error;
use crate::store::outbox::Item;
use crate::store::{Side, outbox};

/// Everybody's clock goes on.
fn time_passes(world: &World, clients: &[&Client], ms: u64) {
    let ms = i64::try_from(ms).unwrap();
    world.clock.shift(ms);
    for client in clients {
        client.clock().shift(ms);
    }
}

async fn outbox_of(client: &Client, world: &World) -> Vec<Item> {
    let network = world.network();
    let core = Arc::clone(&client.core);
    core.read(move |tx| outbox::items(tx, network, MessageId(0), 100))
        .await
        .unwrap()
}

/// How often each text stands in a channel, as somebody reads it who was not there.
async fn counted(world: &World, node: &TestNode, link: &str) -> BTreeMap<String, u32> {
    let reader = Person::new("Reader").await;
    reader.client.join(link).await.unwrap();
    reader.client.add_node(world.network(), node.address()).await.unwrap();
    reader.client.refresh().await.unwrap();
    let channel = reader.client.channels().await.unwrap()[0].id;
    let mut counted = BTreeMap::new();
    for text in reader.reads(channel).await {
        *counted.entry(text).or_insert(0) += 1;
    }
    counted
}

/// Refreshes until nothing is on its way.
async fn drain(client: &Client, world: &World) {
    for _ in 0..20 {
        client.refresh().await.unwrap();
        if outbox_of(client, world).await.is_empty() {
            return;
        }
    }
    panic!("the outbox does not empty");
}

/// What a person does before the power goes: `Err` as soon as it is gone.
async fn say_three(client: &Client, channel: ChannelId, promised: &mut Vec<String>) -> Result<(), Error> {
    for words in ["one", "two", "three"] {
        client.send(channel, Draft::text(words)?).await?;
        promised.push(words.to_owned());
        client.refresh().await?;
    }
    client.refresh().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_commit_loses_nothing_that_was_promised_and_doubles_nothing() {
    for side in [Side::Before, Side::After] {
        for number in 1.. {
            let world = World::new("test");
            let node = TestNode::honest(&world);
            let ada = Person::on("Ada", &world, &[&node]).await;
            let channel = ada.client.create_channel(world.network(), "plans").await.unwrap();
            let link = ada.client.invite(channel).await.unwrap();
            let mut promised = Vec::new();
            ada.client.core.store().fuse.set(number, side);
            let outcome = say_three(&ada.client, channel, &mut promised).await;
            if !ada.client.core.store().fuse.is_burnt() {
                outcome.unwrap();
                assert!(number > 10, "there are many boundaries, not {number}");
                break;
            }
            assert!(outcome.is_err(), "nobody is told that it went well");
            let restarted = ada.again().await;
            drain(&restarted, &world).await;
            let counted = counted(&world, &node, &link).await;
            for words in &promised {
                assert_eq!(counted.get(words), Some(&1), "{words}: {side:?} commit {number}");
            }
            assert!(
                counted.values().all(|times| *times == 1),
                "{side:?} commit {number}: {counted:?}"
            );
            assert_eq!(
                texts(&restarted, channel).await.len(),
                counted.len(),
                "{side:?} {number}"
            );
        }
    }
}

/// A message of Ada that a node acknowledged and lost, a day ago.
async fn lost_message() -> (Arc<World>, TestNode, Person, ChannelId, MessageId) {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let ada = Person::on("Ada", &world, &[&node]).await;
    let channel = ada.client.create_channel(world.network(), "plans").await.unwrap();
    ada.client.refresh().await.unwrap();
    world.set_ordering(false);
    let message = ada.say(channel, "lost").await;
    ada.client.refresh().await.unwrap();
    assert_eq!(ada.client.message(message).await.unwrap().state, Ladder::Sent);
    assert_eq!(world.lose_pool(), 1);
    world.set_ordering(true);
    (world, node, ada, channel, message)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_lost_is_not_overtaken_by_what_was_said_later() {
    let (world, node, ada, channel, _) = lost_message().await;
    let before = node.submitted();
    // Long before the lost one's patience is over: it goes with each later one, and before it.
    ada.say(channel, "second").await;
    ada.client.refresh().await.unwrap();
    ada.say(channel, "third").await;
    ada.client.refresh().await.unwrap();
    assert!(node.submitted() > before + 2, "it was given to the same node again");
    world.order_many(1);
    ada.client.refresh().await.unwrap();
    assert_eq!(ada.reads(channel).await, ["lost", "second", "third"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_message_is_signed_again_over_the_same_body_when_it_is_provably_dead() {
    let (world, node, ada, channel, message) = lost_message().await;
    let before = outbox_of(&ada.client, &world).await.remove(0);
    time_passes(&world, &[&ada.client], ANCHOR_VALID_MS + 120_000);
    world.order_many(64);
    let submitted = node.submitted();
    ada.client.refresh().await.unwrap();
    let view = ada.client.settle(message, PATIENCE).await.unwrap();
    assert_eq!(view.state, Ladder::Final);
    let log = log_of(&ada.client, channel).await;
    let rows = world.log(&log);
    assert_eq!(rows.len(), 1);
    let signed = &rows[0].carried.signed;
    assert_eq!(signed.header.body_hash, before.sealed.body_hash, "never sealed again");
    assert_eq!(signed.header.anchor.height, 64);
    assert_ne!(Some(signed), before.signing.as_ref().map(|signing| &signing.signed));
    assert_eq!(node.submitted(), submitted + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_message_whose_anchor_is_still_the_newest_is_sent_again_as_it_was() {
    let (world, _node, ada, channel, message) = lost_message().await;
    let before = outbox_of(&ada.client, &world).await.remove(0);
    time_passes(&world, &[&ada.client], 3 * DAY_MS);
    world.order_many(3);
    assert_eq!(ada.client.settle(message, PATIENCE).await.unwrap().state, Ladder::Final);
    let rows = world.log(&log_of(&ada.client, channel).await);
    assert_eq!(rows[0].carried.signed, before.signing.unwrap().signed, "the same bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_was_ordered_at_the_last_moment_is_found_and_not_signed_again() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let ada = Person::on("Ada", &world, &[&node]).await;
    let channel = ada.client.create_channel(world.network(), "plans").await.unwrap();
    ada.client.refresh().await.unwrap();
    world.set_ordering(false);
    let message = ada.say(channel, "late").await;
    ada.client.refresh().await.unwrap();
    // The node kept it for almost a day, ordered it, and the world moved on.
    time_passes(&world, &[&ada.client], ANCHOR_VALID_MS - 600_000);
    world.order();
    time_passes(&world, &[&ada.client], 1_200_000);
    world.order_many(64);
    world.set_ordering(true);
    let submitted = node.submitted();
    ada.client.refresh().await.unwrap();
    assert_eq!(ada.client.message(message).await.unwrap().state, Ladder::Final);
    assert_eq!(world.length(&log_of(&ada.client, channel).await), 1);
    assert_eq!(node.submitted(), submitted, "nothing was sent again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nodes_word_that_a_message_is_dead_moves_nothing() {
    let (world, node, ada, channel, message) = lost_message().await;
    let before = outbox_of(&ada.client, &world).await.remove(0);
    for word in [
        EnvelopeRefusal::ExpiredAnchor { newest: 64 },
        EnvelopeRefusal::UnknownAnchor { newest: 64 },
    ] {
        node.lie(Lie::TakesNone(word));
        ada.again().await.refresh().await.unwrap();
        node.repent();
        let after = outbox_of(&ada.client, &world).await.remove(0);
        assert_eq!(after.signing, before.signing, "{word:?}");
        assert_eq!(after.signings, 1);
    }
    assert_eq!(ada.client.settle(message, PATIENCE).await.unwrap().state, Ladder::Final);
    assert_eq!(world.length(&log_of(&ada.client, channel).await), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_commit_while_signing_again_doubles_nothing() {
    for side in [Side::Before, Side::After] {
        for number in 1.. {
            let (world, _node, ada, channel, _) = lost_message().await;
            time_passes(&world, &[&ada.client], ANCHOR_VALID_MS + 120_000);
            world.order_many(64);
            ada.client.core.store().fuse.set(number, side);
            let outcome = ada.client.refresh().await;
            if !ada.client.core.store().fuse.is_burnt() {
                outcome.unwrap();
                assert!(number > 5, "there are several boundaries, not {number}");
                break;
            }
            let restarted = ada.again().await;
            restarted
                .clock()
                .shift(i64::try_from(ANCHOR_VALID_MS + 120_000).unwrap());
            drain(&restarted, &world).await;
            assert_eq!(texts(&restarted, channel).await, ["lost"], "{side:?} commit {number}");
            assert_eq!(
                world.length(&log_of(&restarted, channel).await),
                1,
                "{side:?} commit {number}"
            );
        }
    }
}

/// The race that would deliver twice: one process has found the message dead and fetches an anchor; meanwhile the other
/// finds the same, signs under a newer anchor and submits. Then the first one wakes up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_that_find_a_message_dead_one_signs_it_again() {
    let (world, slow, ada, channel, message) = lost_message().await;
    let quick = TestNode::honest(&world);
    ada.client.add_node(world.network(), quick.address()).await.unwrap();
    let mut patient = options(ada.home.path());
    patient.pace.answer = PATIENCE;
    let first = Client::open(patient).await.unwrap();
    time_passes(&world, &[&ada.client, &first], ANCHOR_VALID_MS + 120_000);
    world.order_many(65);
    ada.prefers(&world, &slow).await;
    slow.lie(Lie::Holds(Kind::HistoryProof));
    let sleeper = tokio::spawn({
        let first = first.clone();
        async move { first.refresh().await }
    });
    until("the first one fetches an anchor", async || slow.is_holding()).await;
    world.order_many(64);
    world.set_ordering(false);
    ada.prefers(&world, &quick).await;
    ada.client.refresh().await.unwrap();
    let signed = outbox_of(&ada.client, &world).await.remove(0);
    assert_eq!(signed.signing.as_ref().unwrap().signed.header.anchor.height, 128);
    slow.repent();
    sleeper.await.unwrap().unwrap();
    assert_eq!(outbox_of(&first, &world).await.remove(0).signing, signed.signing);
    assert_eq!(world.waiting(), 1, "one envelope is on its way");
    world.set_ordering(true);
    world.order();
    assert_eq!(ada.client.settle(message, PATIENCE).await.unwrap().state, Ladder::Final);
    assert_eq!(world.length(&log_of(&ada.client, channel).await), 1);
}

/// An epoch ends between a question about its log and the answer: the answer is true, and held against nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_of_the_log_before_is_no_lie() {
    let world = World::new("test");
    let slow = TestNode::honest(&world);
    let members = group(&world, &slow, &["Ada", "Ben", "Cleo"]).await;
    all_refresh(&members).await;
    let (ada, ben) = (&members[0], &members[1]);
    let quick = TestNode::honest(&world);
    ben.client().add_node(world.network(), quick.address()).await.unwrap();
    let epoch = ben.view().await.epoch;
    ada.client()
        .remove_member(ada.channel, members[2].account().await)
        .await
        .unwrap();
    while ada.view().await.epoch == epoch {
        ada.refresh().await;
    }
    let mut patient = options(ben.person.home.path());
    patient.pace.answer = PATIENCE;
    let [first, second] = [
        Client::open(patient.clone()).await.unwrap(),
        Client::open(patient).await.unwrap(),
    ];
    let refreshing = |client: Client| tokio::spawn(async move { client.refresh().await });

    quick.lie(Lie::Holds(Kind::Entries));
    ben.person.prefers(&world, &quick).await;
    let reader = refreshing(first);
    until("the head is held and its entries are not read", async || {
        quick.is_holding()
    })
    .await;
    slow.lie(Lie::Holds(Kind::Log));
    ben.person.prefers(&world, &slow).await;
    let asker = refreshing(second);
    until("the log of the epoch is asked about", async || slow.is_holding()).await;
    assert_eq!(ben.view().await.epoch, epoch);
    quick.repent();
    reader.await.unwrap().unwrap();
    assert_ne!(ben.view().await.epoch, epoch, "the epoch has ended");
    slow.repent();
    asker.await.unwrap().unwrap();
    assert_eq!(ben.person.faults(world.network()).await, Vec::<String>::new());
    ada.say("still here").await;
    ada.refresh().await;
    ben.refresh().await;
    assert!(ben.texts().await.contains(&"still here".to_owned()));
}

/// The same race, a moment later: both have looked, both have signed, under different anchors, and now store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_envelopes_for_one_body_the_first_that_is_stored_stays() {
    let (world, _node, ada, channel, message) = lost_message().await;
    world.order_many(128);
    let item = outbox_of(&ada.client, &world).await.remove(0);
    let row = ada
        .client
        .core
        .read(move |tx| crate::store::channels::load(tx, channel))
        .await
        .unwrap()
        .unwrap();
    let signed_under = |height| {
        let header = world.header(height).unwrap();
        let anchor = crate::store::networks::KnownAnchor {
            anchor: waxwing_core::envelope::Anchor {
                height,
                id: header.id(&world.keys),
            },
            time: header.time,
            checked: 0,
        };
        crate::deliver::sign_envelope(&world.keys, &world.genesis, &row, &item.sealed, &anchor).unwrap()
    };
    let (one, two) = (signed_under(64), signed_under(128));
    assert_ne!(one.entry, two.entry);
    let dead = item.signing.as_ref().unwrap().entry;
    let other = ada.again().await;
    let store = async |client: &Client, replaces, signing: &outbox::Signing| {
        let signing = signing.clone();
        let write = client
            .core
            .write(move |tx| outbox::sign(tx, message, replaces, &signing));
        write.await.unwrap()
    };
    assert_eq!(
        store(&ada.client, None, &one).await,
        outbox::Stored::No,
        "it is signed already"
    );
    assert_eq!(store(&ada.client, Some(dead), &one).await, outbox::Stored::Yes);
    assert_eq!(store(&other, Some(dead), &two).await, outbox::Stored::No);
    assert_eq!(outbox_of(&other, &world).await.remove(0).signing, Some(one));
    drain(&other, &world).await;
    assert_eq!(
        store(&ada.client, Some(dead), &two).await,
        outbox::Stored::No,
        "it is final"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_queued_without_a_network_leaves_when_there_is_one() {
    let world = World::new("test");
    let ada = Person::on("Ada", &world, &[]).await;
    let channel = ada.client.create_channel(world.network(), "plans").await.unwrap();
    let message = ada.say(channel, "later").await;
    assert_eq!(ada.client.refresh().await, Err(Error::NoNodes));
    ada.client.stop();
    let node = TestNode::honest(&world);
    let restarted = ada.again().await;
    restarted.add_node(world.network(), node.address()).await.unwrap();
    let view = restarted.settle(message, PATIENCE).await.unwrap();
    assert_eq!((view.state, view.text.as_deref()), (Ladder::Final, Some("later")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_another_member_reposts_first_is_shown_once() {
    let Pair {
        node: _node,
        world,
        ada,
        channel,
        ..
    } = pair().await;
    ada.client.refresh().await.unwrap();
    world.set_ordering(false);
    let message = ada.say(channel.0, "mine").await;
    let item = outbox_of(&ada.client, &world).await.remove(0);
    let core = Arc::clone(&ada.client.core);
    let id = channel.0;
    let row = core
        .read(move |tx| crate::store::channels::load(tx, id))
        .await
        .unwrap()
        .unwrap();
    let epoch = row.secret.epoch_keys(world.network(), 0);
    let mut header = item.signing.unwrap().signed.header;
    header.nonce += 1;
    header.grind(&world.keys, 8);
    let reposted = Envelope {
        signed: header.sign(&world.keys, epoch.log_key()),
        body: item.sealed.body.clone(),
    };
    world.submit(&reposted.to_bytes());
    world.order();
    world.set_ordering(true);
    let view = ada.client.settle(message, PATIENCE).await.unwrap();
    assert_eq!((view.state, view.log_index), (Ladder::Final, Some(0)));
    ada.client.refresh().await.unwrap();
    let read = ada.reads(channel.0).await;
    assert_eq!(read.iter().filter(|text| *text == "mine").count(), 1, "{read:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copied_home_that_repeats_a_counter_is_told_that_nobody_can_read_it() {
    let Pair {
        node: _node,
        ada,
        channel,
        ..
    } = pair().await;
    ada.client.refresh().await.unwrap();
    ada.client.stop();
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(ada.home.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    ada.say_finally(channel.0, "original").await;
    let clone = Client::open(options(copy.path())).await.unwrap();
    let message = clone.send(channel.0, Draft::text("copied").unwrap()).await.unwrap();
    let view = clone.settle(message, PATIENCE).await.unwrap();
    assert_eq!(view.state, Ladder::Failed);
    let reason = view.reason.unwrap();
    assert!(
        reason.contains("nobody can open it") && reason.contains("write it again"),
        "{reason}"
    );
    assert_eq!(
        clone.retry(message).await,
        Err(Error::NotFailed),
        "it must not be sent as it is"
    );
    let again = clone.send(channel.0, Draft::text("copied").unwrap()).await.unwrap();
    assert_eq!(clone.settle(again, PATIENCE).await.unwrap().state, Ladder::Final);
}

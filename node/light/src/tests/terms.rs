//! Committees change while people talk: the client climbs from one to the next by proof, and remembers who said what.

use std::sync::Arc;

use waxwing_core::codec::Decode;
use waxwing_core::evidence::Evidence;
use waxwing_core::limits::LADDER_STEPS_MAX;
use waxwing_core::receipt_file::ReceiptFile;

use super::*;
use crate::error::Error;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_talk_on_while_the_committee_changes() {
    let Pair {
        node: _node,
        world,
        ada,
        ben,
        channel,
    } = pair().await;
    ada.client.start();
    ben.client.start();
    for (round, numbers) in [(0, 1..5), (1, 4..11), (2, 4..5), (3, 0..4)] {
        ada.say_finally(channel.0, &format!("before {round}")).await;
        world.change_committee(numbers);
        ben.say_finally(channel.1, &format!("after {round}")).await;
    }
    until("both have read everything", async || {
        ada.reads(channel.0).await.len() == 8 && ben.reads(channel.1).await.len() == 8
    })
    .await;
    assert_eq!(ada.faults(world.network()).await, Vec::<String>::new());
    let status = ben.client.status(world.network()).await.unwrap();
    assert_eq!((status.validators, status.forked_at), (4, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_away_climbs_all_terms_in_one_message() {
    let Pair {
        node: _node,
        world,
        ada,
        ben,
        channel,
    } = pair().await;
    ada.say_finally(channel.0, "goodbye").await;
    ben.client.refresh().await.unwrap();
    for numbers in [1..5, 2..9, 8..12] {
        world.change_committee(numbers);
        world.order_many(2);
    }
    ada.say_finally(channel.0, "welcome back").await;
    // One question, one answer: the ladder, the head and the log.
    ben.client.refresh().await.unwrap();
    assert_eq!(ben.reads(channel.1).await, ["goodbye", "welcome back"]);
    // The newest block may be the last of its term: then its rung comes with it.
    world.change_committee(0..4);
    ben.client.refresh().await.unwrap();
    world.order();
    ben.client.refresh().await.unwrap();
    assert_eq!(ben.faults(world.network()).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_terms_than_a_message_holds_are_climbed_in_several() {
    let Pair {
        node: _node,
        world,
        ada,
        ben,
        channel,
    } = pair().await;
    ada.say_finally(channel.0, "goodbye").await;
    ben.client.refresh().await.unwrap();
    for _ in 0..2 * LADDER_STEPS_MAX + 1 {
        world.change_committee(0..1);
    }
    ada.say_finally(channel.0, "welcome back").await;
    ben.client.refresh().await.unwrap();
    assert_eq!(ben.reads(channel.1).await, ["goodbye", "welcome back"]);
    assert_eq!(ben.faults(world.network()).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_pins_a_block_of_a_later_committee() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let ada = Person::on("Ada", &world, &[&node]).await;
    for rest in [2, 0] {
        world.change_committee(3..7);
        // Without a block after it, the pinned one is the last of its term.
        world.order_many(rest);
        ada.client.refresh().await.unwrap();
        let channel = ada.client.create_channel(world.network(), "plans").await.unwrap();
        let link = ada.client.invite(channel).await.unwrap();
        let ben = Person::new("Ben").await;
        let joined = ben.client.join(&link).await.unwrap();
        let crate::conversations::Joined::New(joined) = joined else {
            panic!("it was not there before");
        };
        ada.say_finally(channel, "hello").await;
        ben.client.refresh().await.unwrap();
        assert_eq!(ben.reads(joined).await, ["hello"]);
        let start = ben.client.status(world.network()).await.unwrap();
        assert!(start.forked_at.is_none());
    }
}

/// A month passes, and the committee changes: the inviter's word leads over the gap to a block of another committee.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_pin_leads_over_a_gap_in_which_the_committee_has_changed() {
    const DAY: i64 = 24 * 3_600_000;
    let Pair {
        node: _node,
        world,
        ada,
        ben,
        channel,
    } = pair().await;
    ada.say_finally(channel.0, "before").await;
    ben.client.refresh().await.unwrap();
    for numbers in [1..5, 2..9] {
        world.clock.shift(16 * DAY);
        ada.client.clock().shift(16 * DAY);
        world.order_many(70);
        world.change_committee(numbers);
        ada.client.refresh().await.unwrap();
    }
    ada.say_finally(channel.0, "after").await;
    ben.client.clock().shift(32 * DAY);
    assert_eq!(ben.client.refresh().await, Err(Error::NeedsPin));
    let link = ada.client.invite(channel.0).await.unwrap();
    ben.client.join(&link).await.unwrap();
    ben.client.refresh().await.unwrap();
    assert_eq!(ben.reads(channel.1).await, ["before", "after"]);
}

/// Two histories that differ in the last block of a term, both certified by its committee; the second may name other
/// validators for the next.
fn forked_at_the_end_of_a_term(others: core::ops::Range<usize>) -> (Arc<World>, Arc<World>) {
    let world = World::new("test");
    world.order_many(2);
    let other = world.branch(2);
    world.change_committee(4..8);
    // Never the same block twice: the other history's times differ.
    other.clock.shift(1_000);
    other.change_committee(others);
    assert_ne!(world.header(3), other.header(3));
    (world, other)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_at_a_rung_just_climbed_halts_the_client_with_evidence() {
    for (blocks, others) in [(0, 4..8), (3, 4..8), (0, 5..9), (3, 5..9)] {
        let (world, other) = forked_at_the_end_of_a_term(others);
        other.order_many(blocks);
        let (first, second) = (TestNode::honest(&world), TestNode::honest(&other));
        let ada = Person::on("Ada", &world, &[&first]).await;
        ada.client.refresh().await.unwrap();
        ada.client.add_node(world.network(), second.address()).await.unwrap();
        let found = ada.client.compare(world.network()).await;
        assert_eq!(found, Err(Error::Forked { height: 3 }), "{blocks} blocks after it");
        let pieces = ada.client.evidence(world.network()).await.unwrap();
        let evidence = Evidence::from_bytes(&pieces[0]).unwrap();
        assert_eq!(evidence.verify(&world.keys, &world.genesis.committee()), Ok(()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_in_an_earlier_term_is_evidence_against_its_committee() {
    let world = World::new("test");
    world.order_many(2);
    world.change_committee(4..8);
    world.order();
    let other = world.branch(4);
    world.order_many(4);
    world.change_committee(2..9);
    world.order_many(2);
    other.clock.shift(1_000);
    other.order_many(2);
    let (first, second) = (TestNode::honest(&world), TestNode::honest(&other));
    let ada = Person::on("Ada", &world, &[&first]).await;
    ada.client.create_channel(world.network(), "plans").await.unwrap();
    ada.client.refresh().await.unwrap();
    ada.client.start();
    ada.client.add_node(world.network(), second.address()).await.unwrap();
    until("the other history is noticed", async || {
        !ada.client.evidence(world.network()).await.unwrap().is_empty()
    })
    .await;
    let pieces = ada.client.evidence(world.network()).await.unwrap();
    let evidence = Evidence::from_bytes(&pieces[0]).unwrap();
    assert_eq!(evidence.height(), 6);
    assert_eq!(evidence.verify(&world.keys, &world.committee_at(6)), Ok(()));
    assert!(evidence.verify(&world.keys, &world.genesis.committee()).is_err());
    let files = ada.client.evidence_files(world.network()).await.unwrap();
    assert_eq!(files[0].evidence, evidence);
    assert_eq!(files[0].verify(), Ok(world.committee_at(6)));
    // Where there was no change before, nobody has to be asked.
    drop((first, second));
    let (world, other) = forked_at_the_end_of_a_term(4..8);
    let (first, second) = (TestNode::honest(&world), TestNode::honest(&other));
    let ada = Person::on("Ada", &world, &[&first]).await;
    ada.client.refresh().await.unwrap();
    ada.client.add_node(world.network(), second.address()).await.unwrap();
    assert!(ada.client.compare(world.network()).await.is_err());
    drop((first, second));
    let files = ada.client.evidence_files(world.network()).await.unwrap();
    assert_eq!(files[0].verify(), Ok(world.genesis.committee()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_count_with_the_committee_of_their_time() {
    let Pair {
        node: _node,
        world,
        ada,
        ben: _ben,
        channel,
    } = pair().await;
    let first = ada.say_finally(channel.0, "of the first term").await;
    let kept = ada.client.receipt(first.id).await.unwrap();
    world.change_committee(2..9);
    let second = ada.say_finally(channel.0, "of the second").await;
    world.change_committee(9..10);
    world.order();
    ada.client.refresh().await.unwrap();
    // From the store and from the node, of both terms; and from the store again.
    assert_eq!(ada.client.receipt(first.id).await.unwrap(), kept);
    for _ in 0..2 {
        let fetched = ada.client.receipt(second.id).await.unwrap();
        assert_eq!((fetched.signers, fetched.validators), (5, 7));
        let file = ReceiptFile::from_bytes(&fetched.bytes).unwrap();
        let (ordered, committee) = file.verify(&world.genesis).unwrap();
        assert_eq!(ordered.place.height, fetched.height);
        assert_eq!(committee, world.committee_at(fetched.height));
    }
}

/// By the time anybody compares, the two histories have nobody in common who votes: where they parted, they had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_that_also_changed_the_committee_is_traced_back_to_where_it_began() {
    // A head of the founders' own is evidence as it is; behind it the way leads back.
    for (blocks, others, parted) in [(0, 3, 9), (3, 9, 8), (9, 3, 8)] {
        let world = World::new("test");
        world.order_many(7);
        let other = world.branch(7);
        world.order_many(2);
        world.change_committee(4..8);
        world.order_many(others);
        other.clock.shift(1_000);
        other.order();
        other.change_committee(8..12);
        other.order_many(blocks);
        let (first, second) = (TestNode::honest(&world), TestNode::honest(&other));
        let ada = Person::on("Ada", &world, &[&first]).await;
        ada.client.create_channel(world.network(), "plans").await.unwrap();
        ada.client.refresh().await.unwrap();
        ada.client.start();
        ada.client.add_node(world.network(), second.address()).await.unwrap();
        until("the parting is found", async || {
            !ada.client.evidence(world.network()).await.unwrap().is_empty()
        })
        .await;
        let files = ada.client.evidence_files(world.network()).await.unwrap();
        assert_eq!(files[0].evidence.height(), parted, "{blocks} and {others} blocks");
        assert_eq!(files[0].verify(), Ok(world.genesis.committee()));
        assert_eq!(ada.client.status(world.network()).await.unwrap().forked_at, None);
    }
}

//! Forgetting a conversation: what goes, what stays, what others notice, and what happens to work that is under way.

use std::sync::Arc;

use super::*;
use crate::conversations::Joined;
use crate::error::Error;
use crate::forget::{Forgotten, UnderWay};
use crate::search::Query;
use crate::store::StoreError;

/// Rows of every table that holds something of conversations.
async fn rows(client: &Client) -> Vec<(&'static str, i64)> {
    let core = Arc::clone(&client.core);
    let tables = [
        "channel",
        "message",
        "outbox",
        "submission",
        "reveal",
        "receipt",
        "search",
    ];
    core.read::<_, StoreError>(move |tx| {
        let count = |table| tx.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0));
        tables
            .into_iter()
            .map(|table| Ok((table, count(table)?)))
            .collect::<Result<Vec<_>, StoreError>>()
    })
    .await
    .unwrap()
}

async fn joined(person: &Person, link: &str) -> ChannelId {
    match person.client.join(link).await.unwrap() {
        Joined::New(channel) => channel,
        other => panic!("{other:?}: it was not here before"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_conversation_leaves_no_row_and_no_number_is_given_again() {
    let Pair {
        node: _node,
        world,
        ada,
        channel,
        ..
    } = pair().await;
    let other = ada.client.create_channel(world.network(), "other").await.unwrap();
    let kept = ada.say_finally(other, "this stays").await;
    let before = rows(&ada.client).await;
    let plans = ada.client.create_channel(world.network(), "short").await.unwrap();
    let said = ada.say_finally(plans, "this goes").await;
    ada.client.receipt(said.id).await.unwrap();
    ada.client.react(said.id, "👍").await.unwrap();
    until("everything is final", || async {
        ada.client.refresh().await.unwrap();
        ada.client
            .channels()
            .await
            .unwrap()
            .iter()
            .all(|view| view.waiting == 0)
    })
    .await;
    let forgotten = ada.client.forget_channel(plans, UnderWay::Refuse).await;
    assert_eq!(
        forgotten,
        Ok(Forgotten {
            messages: 2,
            dropped: 0
        })
    );
    assert_eq!(rows(&ada.client).await, before);
    let gone = ada.client.forget_channel(plans, UnderWay::Refuse).await;
    assert_eq!(gone, Err(Error::UnknownChannel));
    assert_eq!(ada.client.message(said.id).await, Err(Error::UnknownMessage));
    assert_eq!(
        ada.client.message(kept.id).await.unwrap().text.as_deref(),
        Some("this stays")
    );

    let next = ada.client.create_channel(world.network(), "next").await.unwrap();
    assert!(next > plans && next > channel.0, "{next:?}");
    assert!(ada.say(next, "numbered anew").await > said.id);
    // Nor is it found.
    let found = ada.client.search(Query {
        words: vec!["goes".to_owned()],
        channel: None,
        most: 9,
    });
    assert_eq!(found.await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_under_way_is_dropped_only_if_that_is_said() {
    let Pair {
        node: _node,
        world,
        ada,
        channel,
        ..
    } = pair().await;
    let first = ada.say_finally(channel.0, "first").await;
    world.set_ordering(false);
    ada.client.stop();
    ada.say(channel.0, "on its way").await;
    let refused = ada.client.forget_channel(channel.0, UnderWay::Refuse).await;
    let waits = |messages, erasures| Err(Error::UnderWay { messages, erasures });
    assert_eq!(refused, waits(1, 0));
    ada.client.erase(first.id).await.unwrap();
    let refused = ada.client.forget_channel(channel.0, UnderWay::Refuse).await;
    assert_eq!(refused, waits(1, 1));
    assert_eq!(ada.reads(channel.0).await.len(), 2, "nothing was changed");
    let forgotten = ada.client.forget_channel(channel.0, UnderWay::Drop).await;
    assert_eq!(
        forgotten,
        Ok(Forgotten {
            messages: 2,
            dropped: 1
        })
    );
    assert!(rows(&ada.client).await.iter().all(|(_, count)| *count == 0));
    ada.client.refresh().await.unwrap();
    assert_eq!(world.waiting(), 0, "it was never sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_again_reads_from_the_beginning_and_is_understood_by_others() {
    let Pair {
        node: _node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    for number in 0..3 {
        ben.say_finally(channel.1, &format!("ben {number}")).await;
    }
    ben.client.forget_channel(channel.1, UnderWay::Refuse).await.unwrap();
    assert_eq!(
        ben.client.read(channel.1, Range::Last(9)).await,
        Err(Error::UnknownChannel)
    );
    let again = joined(&ben, &ada.client.invite(channel.0).await.unwrap()).await;
    ben.client.refresh().await.unwrap();
    assert_eq!(ben.reads(again).await, ["ben 0", "ben 1", "ben 2"]);
    // The device counts on behind what the ledger shows of it, so that nobody takes its next message for an old one.
    ben.say_finally(again, "ben again").await;
    ada.client.refresh().await.unwrap();
    assert_eq!(ada.reads(channel.0).await, ["ben 0", "ben 1", "ben 2", "ben again"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_program_that_follows_the_home_goes_on_and_its_tail_of_that_conversation_ends() {
    let Pair {
        node: _node,
        world,
        ada,
        channel,
        ..
    } = pair().await;
    let other = ada.client.create_channel(world.network(), "other").await.unwrap();
    ada.client.start();
    ada.say_finally(channel.0, "one").await;
    let mut tail = ada.client.tail(Some(channel.0), None).await.unwrap();
    let mut all = ada.client.tail(None, None).await.unwrap();
    let program = ada.again().await;
    for number in 0..20 {
        program
            .send(channel.0, Draft::text(&format!("queued {number}")).unwrap())
            .await
            .unwrap();
    }
    program.forget_channel(channel.0, UnderWay::Drop).await.unwrap();
    let ended = async {
        loop {
            if let Err(error) = tail.next().await {
                return error;
            }
        }
    };
    assert_eq!(timeout(PATIENCE, ended).await, Ok(Error::UnknownChannel));
    program.send(other, Draft::text("elsewhere").unwrap()).await.unwrap();
    let elsewhere = async {
        loop {
            let view = all.next().await.unwrap();
            if view.state == Ladder::Final && view.channel == other {
                return view;
            }
        }
    };
    assert!(timeout(PATIENCE, elsewhere).await.is_ok(), "what runs goes on");
    let status = ada.client.status(world.network()).await.unwrap();
    assert!(status.faults.is_empty(), "no node is blamed: {status:?}");
    assert_eq!(status.trouble, None);
}

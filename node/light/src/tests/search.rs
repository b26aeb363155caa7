//! Full-text search: what is found, what is not found any more, and that the index never says anything else than the
//! messages do.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::error::Error;
use crate::search::{Hit, Query};
use crate::store::tests::as_of_version;
use crate::store::{StoreError, messages};

fn query(words: &[&str], channel: Option<ChannelId>) -> Query {
    Query {
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        channel,
        most: 100,
    }
}

async fn found(client: &Client, words: &[&str]) -> Vec<String> {
    let hits = client.search(query(words, None)).await.unwrap();
    hits.into_iter().map(|hit| hit.message.text.unwrap()).collect()
}

/// What the index says, and what messages show.
async fn index_and_views(client: &Client) -> (BTreeMap<i64, String>, BTreeMap<i64, String>) {
    let core = Arc::clone(&client.core);
    let (index, rows) = core
        .read::<_, StoreError>(|tx| {
            let mut statement = tx.prepare("SELECT rowid, text FROM search")?;
            let index = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let index = index.collect::<Result<BTreeMap<i64, String>, _>>()?;
            Ok((index, messages::changed(tx, None, -1, 10_000)?))
        })
        .await
        .unwrap();
    let mut views = BTreeMap::new();
    for row in rows {
        let view = client.message(row.id).await.unwrap();
        if let (Some("text" | "reply"), Some(text)) = (view.kind, view.text) {
            views.insert(row.id.0, text);
        }
    }
    (index, views)
}

async fn index_agrees(client: &Client) -> usize {
    // Own messages on their way come into it when somebody searches.
    let _ = found(client, &["x"]).await;
    let (index, views) = index_and_views(client).await;
    assert_eq!(index, views);
    index.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_are_found_from_their_beginning_without_case_and_accents() {
    let Pair {
        node: _node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    for words in [
        "Die Röschen blühen",
        "the roses are out",
        "\u{1}NEAR(\"rosé\", 2)",
        "cafe\u{301}s",
    ] {
        ada.say_finally(channel.0, words).await;
    }
    ben.client.refresh().await.unwrap();
    let ben = &ben.client;
    assert_eq!(found(ben, &["ros"]).await.len(), 3, "oldest first");
    assert_eq!(found(ben, &["ROSCHEN", "bluhen"]).await, ["Die Röschen blühen"]);
    assert_eq!(
        found(ben, &["röse"]).await,
        ["the roses are out", "\u{1}NEAR(\"rosé\", 2)"]
    );
    assert_eq!(found(ben, &["café"]).await, ["cafe\u{301}s"]);
    assert_eq!(
        found(ben, &["roses are"]).await,
        ["the roses are out"],
        "one after the other"
    );
    assert_eq!(found(ben, &["are roses"]).await, Vec::<String>::new());
    assert_eq!(
        found(ben, &["out", "roses"]).await,
        ["the roses are out"],
        "in any order"
    );
    assert_eq!(found(ben, &["oses"]).await, Vec::<String>::new(), "not from the middle");
    assert_eq!(found(ben, &["near(\"ros"]).await.len(), 1, "nothing is an operator");
    assert_eq!(ben.search(query(&["…"], None)).await, Err(Error::NothingToFind));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn matches_are_shown_where_they_are_the_newest_first_and_in_one_channel_if_wanted() {
    let Pair {
        node: _node,
        world,
        ada,
        ben,
        channel,
    } = pair().await;
    for words in ["Die Röschen blühen", "the roses are out", "\u{1}rosé"] {
        ada.say_finally(channel.0, words).await;
    }
    ben.client.refresh().await.unwrap();
    let ben = &ben.client;
    let hits = ben.search(query(&["rose", "ou"], None)).await.unwrap();
    assert_eq!(hits[0].matches, [(4, 9), (14, 17)]);
    let pieces: Vec<_> = hits[0].pieces().collect();
    let pieces: Vec<_> = pieces
        .iter()
        .map(|(text, is_match)| (text.as_str(), *is_match))
        .collect();
    assert_eq!(
        pieces,
        [("the ", false), ("roses", true), (" are ", false), ("out", true)]
    );
    let hits = ben.search(query(&["ros"], None)).await.unwrap();
    let last = |hit: &Hit| {
        hit.pieces()
            .filter(|(_, is_match)| *is_match)
            .map(|(text, _)| text)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        hits.iter().map(last).collect::<Vec<_>>(),
        [["Röschen"], ["roses"], ["rosé"]]
    );

    let plans = ben.create_channel(world.network(), "more").await.unwrap();
    ben.send(plans, Draft::text("roses on their way").unwrap())
        .await
        .unwrap();
    assert_eq!(
        ben.search(query(&["roses"], None)).await.unwrap().len(),
        2,
        "queued ones too"
    );
    let there = ben.search(query(&["roses"], Some(channel.1))).await.unwrap();
    assert_eq!(there.len(), 1);
    assert_eq!(there[0].message.channel, channel.1);
    let mut newest = query(&["ros"], None);
    newest.most = 1;
    let newest = ben.search(newest).await.unwrap();
    assert_eq!(newest[0].message.text.as_deref(), Some("roses on their way"));
    assert!(
        !format!("{newest:?} {:?}", query(&["roses"], None)).contains("ros"),
        "no word in a log line"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_replaced_taken_back_or_erased_is_not_found_any_more() {
    let Pair {
        node: _node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let first = ada.say_finally(channel.0, "meet at noon").await;
    let second = ada.say_finally(channel.0, "bring the zyzzyva").await;
    let third = ada.say_finally(channel.0, "burn this").await;
    ben.client.refresh().await.unwrap();
    assert_eq!(index_agrees(&ben.client).await, 3);
    assert!(
        blocks_contain(&ada.client, "zyzzyva").await,
        "the words stand in the index"
    );
    let settled = async |message: Result<MessageId, Error>| {
        ada.client.settle(message.unwrap(), PATIENCE).await.unwrap();
        ben.client.refresh().await.unwrap();
    };
    settled(ada.client.edit(first.id, "meet at midnight").await).await;
    settled(ada.client.retract(second.id).await).await;
    ada.client.erase(third.id).await.unwrap();
    for client in [&ada.client, &ben.client] {
        assert_eq!(found(client, &["noon"]).await, Vec::<String>::new());
        assert_eq!(found(client, &["midnight"]).await, ["meet at midnight"]);
        assert_eq!(found(client, &["zyzzyva"]).await, Vec::<String>::new());
        assert!(
            !blocks_contain(client, "zyzzyva").await,
            "and are removed, not only hidden"
        );
    }
    assert_eq!(found(&ada.client, &["burn"]).await, Vec::<String>::new());
    assert_eq!(
        found(&ben.client, &["burn"]).await,
        ["burn this"],
        "who had read it has read it"
    );
    assert_eq!(index_agrees(&ada.client).await, 1);
    assert_eq!(index_agrees(&ben.client).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_expired_or_does_not_open_leaves_the_index_with_its_words() {
    use crate::store::messages::Outcome;
    let Pair {
        node: _node,
        ada,
        channel,
        ..
    } = pair().await;
    for outcome in [Outcome::Expired, Outcome::Withheld, Outcome::Unopened("no".to_owned())] {
        let view = ada.say_finally(channel.0, "burns after reading").await;
        assert_eq!(found(&ada.client, &["burns"]).await.len(), 1, "{outcome:?}");
        let (core, index) = (Arc::clone(&ada.client.core), view.log_index.unwrap());
        core.write::<_, StoreError>(move |tx| {
            let own = crate::store::device(tx)?.0.id();
            messages::settle_body(tx, view.channel, view.id, index, &outcome, own)
        })
        .await
        .unwrap();
        assert_eq!(found(&ada.client, &["burns"]).await, Vec::<String>::new());
        assert_eq!(index_agrees(&ada.client).await, 0);
    }
}

/// Whether the bytes of the index itself hold a word.
async fn blocks_contain(client: &Client, word: &'static str) -> bool {
    let core = Arc::clone(&client.core);
    core.read::<_, StoreError>(move |tx| {
        let mut statement = tx.prepare("SELECT block FROM search_data")?;
        let blocks = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
        let blocks = blocks.collect::<Result<Vec<_>, _>>()?;
        // A term is written without what it shares with the one before it, which for this word is not much.
        let end = &word.as_bytes()[2..];
        Ok(blocks
            .iter()
            .any(|block| block.windows(end.len()).any(|part| part == end)))
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_home_of_an_older_version_gets_its_index_and_forgets_what_was_taken_back() {
    let Pair {
        node: _node,
        ada,
        channel,
        ..
    } = pair().await;
    let taken_back = ada.say_finally(channel.0, "bring the zyzzyva").await;
    let edited = ada.say_finally(channel.0, "meet at noon").await;
    let load = async |message: MessageId| {
        let core = Arc::clone(&ada.client.core);
        let row = core.read::<_, StoreError>(move |tx| messages::load(tx, message)).await;
        row.unwrap().unwrap().content.unwrap()
    };
    let words = load(taken_back.id).await;
    for message in [
        ada.client.retract(taken_back.id).await,
        ada.client.edit(edited.id, "meet at midnight").await,
    ] {
        ada.client.settle(message.unwrap(), PATIENCE).await.unwrap();
    }
    ada.client.stop();
    // As version 2 left it: no index, and the words still there.
    let (id, bytes) = (taken_back.id.0, waxwing_core::codec::Encode::to_bytes(&words));
    let core = Arc::clone(&ada.client.core);
    core.write::<_, StoreError>(move |tx| {
        tx.execute("UPDATE message SET content = ?2 WHERE id = ?1", (id, &bytes))?;
        as_of_version(tx, 2);
        let kept: Vec<u8> = tx.query_row("SELECT content FROM message WHERE id = ?1", [id], |row| row.get(0))?;
        assert_eq!(kept, bytes);
        Ok(())
    })
    .await
    .unwrap();
    for _ in 0..2 {
        let client = ada.again().await;
        assert_eq!(index_agrees(&client).await, 1);
        assert_eq!(found(&client, &["midnight"]).await, ["meet at midnight"]);
        assert_eq!(found(&client, &["zyzzyva"]).await, Vec::<String>::new());
        assert_ne!(load(taken_back.id).await, words, "and the words are gone");
    }
}

/// Everything that can be done to messages, drawn by lot: whatever happens, the index says what is shown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_says_what_the_messages_show_after_any_course_of_events() {
    let Pair {
        node: _node,
        world,
        ada,
        ben,
        channel,
    } = pair().await;
    let mut lot = 12_345_u64;
    let mut draw = |below: usize| {
        lot = lot
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(lot >> 33).unwrap() % below
    };
    let mut said: Vec<MessageId> = Vec::new();
    for number in 0..60 {
        world.set_ordering(draw(4) > 0);
        let client = &ada.client;
        let target = said.get(draw(said.len().max(1))).copied();
        match (draw(8), target) {
            // Refusals are part of it: what was taken back cannot be edited.
            (0 | 1, Some(target)) => drop(client.edit(target, &format!("edited {number}")).await),
            (2, Some(target)) => drop(client.retract(target).await),
            (3, Some(target)) => drop(client.erase_words(target).await),
            (4, Some(target)) => said.extend(client.reply(target, &format!("reply {number}")).await),
            _ => said.push(ada.say(channel.0, &format!("words {number}")).await),
        }
        if draw(3) == 0 {
            client.refresh().await.unwrap();
            ben.client.refresh().await.unwrap();
            index_agrees(client).await;
            index_agrees(&ben.client).await;
        }
    }
    world.set_ordering(true);
    world.order();
    until("everything is final", || async {
        ada.client.refresh().await.unwrap();
        ada.client.channels().await.unwrap()[0].waiting == 0
    })
    .await;
    ben.client.refresh().await.unwrap();
    assert!(index_agrees(&ada.client).await > 5);
    assert!(index_agrees(&ben.client).await > 5);
}

/// How many messages the figures are taken with; a hundred thousand take a minute.
fn figures_with() -> usize {
    let wanted = std::env::var("WAXWING_SEARCH_MESSAGES").ok();
    wanted.and_then(|count| count.parse().ok()).unwrap_or(1_000)
}

/// Prints what finding takes and what the index costs: run it with `WAXWING_SEARCH_MESSAGES=100000` and `--nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_messages_are_found_and_what_that_costs_is_printed() {
    use crate::clock::ticks;
    let world = World::new("many");
    let ada = Person::on("Ada", &world, &[]).await;
    let channel = ada.client.create_channel(world.network(), "many").await.unwrap();
    let count = figures_with();
    let began = ticks();
    fill(&ada.client, channel, count).await;
    let filled = began.elapsed();
    let core = Arc::clone(&ada.client.core);
    core.write::<_, StoreError>(|tx| crate::store::aftermath::index_waiting(tx))
        .await
        .unwrap();
    let (text, index, all): (i64, i64, i64) = core
        .read::<_, StoreError>(|tx| {
            let size = |sql: &str| tx.query_row(sql, [], |row| row.get(0));
            Ok((
                size("SELECT sum(length(c0)) FROM search_content")?,
                size("SELECT sum(length(block)) FROM search_data")?,
                size("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")?,
            ))
        })
        .await
        .unwrap();
    println!("{count} messages stored in {filled:?}; text {text} B, index {index} B, file {all} B");
    let rebuild = ticks();
    core.write::<_, StoreError>(|tx| Ok(tx.execute("INSERT INTO search (search) VALUES ('rebuild')", [])?))
        .await
        .unwrap();
    println!("the index alone takes {:?}", rebuild.elapsed());
    let again = ticks();
    core.write::<_, StoreError>(|tx| crate::store::aftermath::follow_all(tx))
        .await
        .unwrap();
    println!("looking after every message again takes {:?}", again.elapsed());
    let rare = format!("number{}", count / 2);
    for words in [
        &["waxwing"][..],
        &["wax", "seal"],
        &["w"],
        &[rare.as_str()],
        &["seal of"],
        &["nowhere"],
    ] {
        let mut wanted = query(words, Some(channel));
        wanted.most = 50;
        let mut took = Vec::new();
        let mut hits = 0;
        for _ in 0..9 {
            let began = ticks();
            hits = ada.client.search(wanted.clone()).await.unwrap().len();
            took.push(began.elapsed());
        }
        took.sort();
        println!("{words:?}: {hits} hits, median {:?}, worst {:?}", took[4], took[8]);
        assert_eq!(hits > 0, words != ["nowhere"], "{words:?}");
    }
}

/// Stores so many messages, a transaction for every 256 as when a long conversation is read.
async fn fill(client: &Client, channel: ChannelId, count: usize) {
    for first in (0..count).step_by(256) {
        let last = (first + 256).min(count);
        let core = Arc::clone(&client.core);
        let filled = core.write::<_, Error>(move |tx| {
            let row = crate::store::channels::load(tx, channel)?.unwrap();
            let device = crate::store::device(tx)?.0.id();
            let view = crate::sync::view_of(tx, &row)?;
            for number in first..last {
                let name = waxwing_seal::content::Name::new("Ada")?;
                let words = waxwing_seal::content::Words::new(sentence(number))?;
                let kind = waxwing_seal::Kind::Text(words);
                let content = waxwing_seal::Content::new(&mut crate::chance::fill, 1, name, view, kind);
                messages::queue(tx, channel, device, &content, 1)?;
            }
            Ok(())
        });
        filled.await.unwrap();
    }
}

/// A dozen words, some frequent and some rare, the same in every run.
fn sentence(number: usize) -> String {
    const WORDS: [&str; 16] = [
        "the", "waxwing", "of", "seal", "ledger", "open", "reads", "garden", "roses", "witness", "block", "wings",
        "drops", "when", "never", "proof",
    ];
    let mut state = number.wrapping_mul(2_654_435_761) ^ 0x9e37;
    let mut words: Vec<String> = (0..11)
        .map(|_| {
            state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345) % (1 << 31);
            // The frequent ones are drawn twice as often as the others; one in four is a word of its own.
            match state >> 29 {
                0 => format!("w{}", (state >> 8) % 5_000),
                _ => WORDS[(state >> 16) % WORDS.len()].to_owned(),
            }
        })
        .collect();
    words.push(format!("number{number}"));
    words.join(" ")
}

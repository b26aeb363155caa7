//! Messages that disappear when their time has passed.

use waxwing_core::envelope::KeepFor;

use super::*;
use crate::message::BodyKind;
use crate::search::Query;
use crate::store::StoreError;
use crate::store::manners::Seen;

const DAY_MS: i64 = 86_400_000;

/// The same home, opened again so many ms later.
async fn later(person: &Person, ms: i64) -> Client {
    let mut options = options(person.home.path());
    options.clock = Clock::shifted(ms);
    Client::open(options).await.unwrap()
}

/// Every content that the file holds.
async fn contents(client: &Client) -> Vec<Vec<u8>> {
    let read = client.core.read::<_, StoreError>(|tx| {
        let mut statement = tx.prepare("SELECT content FROM message WHERE content IS NOT NULL")?;
        let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?)
    });
    read.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timer_counts_for_what_is_written_from_then_on_and_shows_when_it_ends() {
    let Pair {
        node: _node,
        world,
        ada,
        ben,
        channel,
    } = pair().await;
    let kept = ada.say_finally(channel.0, "for ever").await;
    assert_eq!(kept.expires_ms, None);
    let timer = ada.client.set_timer(channel.0, KeepFor::Week).await.unwrap();
    let timer = ada.client.settle(timer, PATIENCE).await.unwrap();
    assert_eq!(
        (timer.kind, timer.timer_days, timer.expires_ms),
        (Some("timer"), Some(7), None)
    );
    ben.catches_up().await;
    assert_eq!(ben.client.channels().await.unwrap()[0].timer_days, 7);
    let said = ben.say_finally(channel.1, "for a week").await;
    assert_eq!(said.expires_ms, said.ordered_ms.map(|ordered| ordered + 7 * 86_400_000));
    let log = world.log(&ada.row(channel.0).await.log());
    let days: Vec<_> = log
        .iter()
        .map(|row| row.carried.signed.header.keep_for.days())
        .collect();
    assert_eq!(days, [0, 0, 7], "and nodes are asked for the same");
    // Other words go with the message that they are for; what takes back must stay; a shorter wish is honoured.
    let of_ben = ada.client.edit(kept.id, "for ever and a day").await.unwrap();
    ada.client.settle(of_ben, PATIENCE).await.unwrap();
    let retracted = ben.client.retract(said.id).await.unwrap();
    ben.client.settle(retracted, PATIENCE).await.unwrap();
    let day = Draft::text("for a day").unwrap().keep_for(KeepFor::Day);
    let day = ada.client.send(channel.0, day).await.unwrap();
    ada.client.settle(day, PATIENCE).await.unwrap();
    let off = ada.client.set_timer(channel.0, KeepFor::Ever).await.unwrap();
    ada.client.settle(off, PATIENCE).await.unwrap();
    ada.say_finally(channel.0, "for ever again").await;
    let log = world.log(&ada.row(channel.0).await.log());
    let days: Vec<_> = log
        .iter()
        .map(|row| row.carried.signed.header.keep_for.days())
        .collect();
    assert_eq!(days, [0, 0, 7, 0, 0, 1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_disappear_from_messages_quotes_search_and_file_also_while_nobody_is_here() {
    let Pair {
        node: _node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let timer = ada.client.set_timer(channel.0, KeepFor::Day).await.unwrap();
    ada.client.settle(timer, PATIENCE).await.unwrap();
    let secret = ada.say_finally(channel.0, "the zyzzyva is in the cellar").await;
    let edited = ada.client.edit(secret.id, "the quokka is in the cellar").await.unwrap();
    ada.client.settle(edited, PATIENCE).await.unwrap();
    ben.catches_up().await;
    let of_ben = ben.at(1).await;
    let off = ben.client.set_timer(channel.1, KeepFor::Ever).await.unwrap();
    ben.client.settle(off, PATIENCE).await.unwrap();
    let answer = ben.client.reply(of_ben.id, "since when?").await.unwrap();
    ben.client.settle(answer, PATIENCE).await.unwrap();
    assert_eq!(
        ben.sees(answer).await.quotes.unwrap().text.as_deref(),
        Some("the quokka is in the cellar")
    );
    assert_eq!(ben.unread().await, (1, 0));

    ben.client.stop();
    let query = || Query {
        words: vec!["cellar".to_owned()],
        channel: None,
        most: 10,
    };
    let early = later(&ben, DAY_MS - 600_000).await;
    assert_eq!(early.search(query()).await.unwrap().len(), 1, "not before its time");
    drop(early);
    let late = later(&ben, DAY_MS + 600_000).await;
    let view = late.message(of_ben.id).await.unwrap();
    assert_eq!((view.body, view.text), (BodyKind::Expired, None));
    assert_eq!(view.content_id, None, "the salt went with the words");
    assert_eq!(late.message(answer).await.unwrap().quotes.unwrap().text, None);
    assert!(late.search(query()).await.unwrap().is_empty());
    assert_eq!(
        late.channels().await.unwrap()[0].unread,
        0,
        "there is nothing left to be read"
    );
    let exported = late.read(channel.1, Range::From(0, 1000)).await.unwrap();
    assert!(!serde_json::to_string(&exported).unwrap().contains("cellar"));
    let kept = contents(&late).await;
    let holds = |bytes: &Vec<u8>, words: &[u8]| bytes.windows(words.len()).any(|window| window == words);
    assert!(
        kept.iter().any(|bytes| holds(bytes, b"since when?")),
        "what is kept is found so"
    );
    assert!(
        !kept
            .iter()
            .any(|bytes| holds(bytes, b"zyzzyva") || holds(bytes, b"quokka"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_disappear_while_somebody_looks() {
    let Pair {
        node: _node,
        ada,
        channel,
        ..
    } = pair().await;
    let secret = Draft::text("gone tomorrow").unwrap().keep_for(KeepFor::Day);
    let secret = ada.client.send(channel.0, secret).await.unwrap();
    ada.client.settle(secret, PATIENCE).await.unwrap();
    let mut tail = ada.client.tail(Some(channel.0), None).await.unwrap();
    ada.client.clock().shift(DAY_MS + 600_000);
    // Anything that is written wakes up whoever looks after it.
    ada.client.set_seen(channel.0, Seen::Off).await.unwrap();
    let told = timeout(PATIENCE, async {
        loop {
            let view = tail.next().await.unwrap();
            if view.body == BodyKind::Expired {
                return view;
            }
        }
    });
    let told = told.await.unwrap();
    assert_eq!((told.id, told.text), (secret, None));
}

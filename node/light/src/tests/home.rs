//! One home, several programs; and what of it can be read by whom.

use std::fs;

use super::*;
use crate::error::Error;
use crate::store::StoreError;
use crate::store::home::HomeError;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_made_once_opened_by_its_passphrase_and_keeps_its_device() {
    let ada = Person::new("Ada").await;
    let (device, name) = ada.client.device().await.unwrap();
    assert_eq!(name, "Ada");
    assert!(Client::exists(ada.home.path()));
    let exists = Client::create(options(ada.home.path()), "Ben", CHEAP).await.err();
    assert_eq!(exists, Some(Error::Home(HomeError::Exists(ada.home.path().to_owned()))));
    let mut wrong = options(ada.home.path());
    wrong.passphrase = Passphrase::new("guess").unwrap();
    let refused = Client::open(wrong).await.err();
    assert_eq!(refused, Some(Error::Home(HomeError::WrongPassphrase)));
    let again = ada.again().await;
    again.set_name("Ada L.").await.unwrap();
    assert_eq!(ada.client.device().await.unwrap(), (device, "Ada L.".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_programs_with_one_home_send_as_one_device_and_see_each_others_messages() {
    let Pair {
        node: _node,
        world,
        ada,
        ben,
        channel,
    } = pair().await;
    let other = ada.again().await;
    ada.client.start();
    other.start();
    let mut tail = other.tail(Some(channel.0), None).await.unwrap();
    for number in 0..10 {
        ada.say(channel.0, &format!("a{number}")).await;
        let words = Draft::text(&format!("b{number}")).unwrap();
        other.send(channel.0, words).await.unwrap();
    }
    let mut finals = std::collections::BTreeSet::new();
    while finals.len() < 20 {
        let view = timeout(PATIENCE, tail.next()).await.unwrap().unwrap();
        if view.state == Ladder::Final {
            finals.insert(view.text.unwrap());
        }
    }
    ben.client.refresh().await.unwrap();
    let read = ben.reads(channel.1).await;
    assert_eq!(read.len(), 20, "{read:?}");
    let views = ben.client.read(channel.1, Range::Last(100)).await.unwrap();
    assert!(views.iter().all(|view| view.exceptions.is_empty()), "each counter once");
    let devices: std::collections::BTreeSet<_> = views
        .iter()
        .map(|view| view.author.as_ref().unwrap().device.clone())
        .collect();
    assert_eq!(devices.len(), 1);
    assert_eq!(texts(&other, channel.0).await, ada.reads(channel.0).await);
    assert!(ada.faults(world.network()).await.is_empty());
}

/// Waits until these words are final.
async fn finally(tail: &mut crate::Tail, words: &str) -> MessageView {
    loop {
        let view = timeout(PATIENCE, tail.next()).await.unwrap().unwrap();
        if view.state == Ladder::Final && view.text.as_deref() == Some(words) {
            return view;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_program_only_queues_is_done_by_the_one_that_runs_though_nobody_else_speaks() {
    let Pair {
        node: _node,
        world,
        ada,
        ben,
        channel,
    } = pair().await;
    ada.client.start();
    let mut tail = ada.client.tail(None, None).await.unwrap();
    // The subscription stands, and nothing comes in by it any more.
    ada.say(channel.0, "first").await;
    let first = finally(&mut tail, "first").await;

    let other = ada.again().await;
    other.send(channel.0, Draft::text("queued").unwrap()).await.unwrap();
    finally(&mut tail, "queued").await;
    other.erase(first.id).await.unwrap();
    let log = super::chat::log_of(&ada.client, channel.0).await;
    until("the node has dropped the body", || async {
        matches!(world.log(&log)[0].carried.body, waxwing_core::envelope::Body::Erased(_))
    })
    .await;
    // A channel that was joined meanwhile is followed too.
    let plans = ben.client.create_channel(world.network(), "other plans").await.unwrap();
    other.join(&ben.client.invite(plans).await.unwrap()).await.unwrap();
    ben.say_finally(plans, "elsewhere").await;
    finally(&mut tail, "elsewhere").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_word_of_a_conversation_stands_on_the_disk() {
    let Pair {
        node: _node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let words = "the quick brown fox meets at noon";
    ada.say_finally(channel.0, words).await;
    ada.say(channel.0, "queued and never sent: the lazy dog").await;
    ben.client.refresh().await.unwrap();
    assert_eq!(ben.reads(channel.1).await[0], words);
    let link = ada.client.invite(channel.0).await.unwrap();
    for person in [&ada, &ben] {
        for needle in [words, "lazy dog", "plans", "Ada", link.split('#').nth(1).unwrap()] {
            for file in fs::read_dir(person.home.path()).unwrap() {
                let path = file.unwrap().path();
                let bytes = fs::read(&path).unwrap();
                let is_there = bytes.windows(needle.len()).any(|part| part == needle.as_bytes());
                assert!(!is_there, "{needle:?} in {}", path.display());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_word_of_a_conversation_reaches_a_log_line() {
    let Pair {
        node: _node,
        ada,
        channel,
        ..
    } = pair().await;
    let view = ada.say_finally(channel.0, "meet at noon").await;
    let reaction = Draft::reaction(super::chat::content_of(&view), "noon").unwrap();
    let sent = ada.client.send(channel.0, reaction.clone()).await.unwrap();
    ada.client.settle(sent, PATIENCE).await.unwrap();
    let id = channel.0;
    let core = std::sync::Arc::clone(&ada.client.core);
    let rows = core
        .read(move |tx| {
            Ok::<_, crate::store::StoreError>((
                crate::store::channels::load(tx, id)?,
                crate::store::messages::load(tx, view.id)?,
            ))
        })
        .await
        .unwrap();
    let shown = format!(
        "{rows:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        ada.client,
        ada.client.channels().await.unwrap(),
        ada.client.read(id, Range::Last(9)).await.unwrap(),
        ada.client.why(view.id).await.unwrap(),
        reaction,
        options(ada.home.path()).passphrase,
    );
    assert!(
        shown.contains("MessageView") && shown.contains("Channel("),
        "it was printed: {shown}"
    );
    for word in ["noon", "plans", "Ada", "correct horse"] {
        assert!(!shown.contains(word), "{word}: {shown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_and_messages_are_found_by_what_a_person_types() {
    let Pair {
        node: _node,
        ada,
        channel,
        ..
    } = pair().await;
    let view = ada.say_finally(channel.0, "one").await;
    let log = ada.client.channels().await.unwrap()[0].log.clone();
    for text in ["plans", &log, &log[..8], &channel.0.0.to_string()] {
        assert_eq!(ada.client.find_channel(text).await, Ok(channel.0), "{text}");
    }
    for text in ["", "none", &log[..3], "99"] {
        assert_eq!(
            ada.client.find_channel(text).await,
            Err(Error::UnknownChannel),
            "{text}"
        );
    }
    let content = view.content_id.unwrap();
    for text in ["#0", &content, &content[..6]] {
        assert_eq!(ada.client.find_message(channel.0, text).await, Ok(view.id), "{text}");
    }
    for text in ["#1", "#x", "", "abc", "zzzzzz"] {
        let found = ada.client.find_message(channel.0, text).await;
        assert_eq!(found, Err(Error::UnknownMessage), "{text}");
    }
    ada.say_finally(channel.0, "two").await;
    let alike = "UPDATE message SET content_id = CAST(X'abcd' || substr(content_id, 3) AS BLOB)";
    let write = ada
        .client
        .core
        .write::<_, StoreError>(move |tx| Ok(tx.execute(alike, []).map(|_| ())?));
    write.await.unwrap();
    let two = ada.client.find_message(channel.0, "ABCD").await.unwrap_err();
    assert_eq!(two, Error::SeveralMessages(vec![0, 1]));
    assert_eq!(
        two.to_string(),
        "several messages are called that: use more digits of the id, or an index: 0 or 1"
    );
    let network = ada.client.networks().await.unwrap()[0];
    ada.client.create_channel(network, "plans").await.unwrap();
    let two = ada.client.find_channel("plans").await.unwrap_err();
    let other = ChannelId(channel.0.0 + 1);
    assert_eq!(two, Error::SeveralChannels(vec![channel.0, other]));
    assert_eq!(
        two.to_string(),
        format!(
            "several conversations are called that: use the number of one, {} or {}",
            channel.0.0, other.0
        )
    );
    assert_eq!(ada.client.find_channel(&other.0.to_string()).await, Ok(other));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_unknown_or_too_long_is_refused_by_its_name() {
    let ada = Person::new("Ada").await;
    let unknown = Hash([7; 32]);
    assert_eq!(
        ada.client.create_channel(unknown, "x").await,
        Err(Error::UnknownNetwork(unknown))
    );
    assert_eq!(
        ada.client.status(unknown).await.err(),
        Some(Error::UnknownNetwork(unknown))
    );
    assert_eq!(
        ada.client.read(ChannelId(9), Range::Last(1)).await,
        Err(Error::UnknownChannel)
    );
    assert_eq!(ada.client.message(MessageId(9)).await, Err(Error::UnknownMessage));
    let sent = ada.client.send(ChannelId(9), Draft::text("x").unwrap()).await;
    assert_eq!(sent, Err(Error::UnknownChannel));
    assert!(matches!(
        Draft::text(&"x".repeat(70_000)).err(),
        Some(Error::TooLong(_))
    ));
    let name = Client::create(options(ada.home.path()), &"x".repeat(200), CHEAP).await;
    assert!(matches!(name.err(), Some(Error::TooLong(_))));
}

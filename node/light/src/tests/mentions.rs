//! Whom words mean, and what nobody has read yet.

use waxwing_seal::Kind;
use waxwing_seal::content::{Meant, Mention, Words};

use super::manners::{Stranger, nothing_seen};
use super::*;
use crate::error::{Error, NotSaid};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_meant_is_shown_by_the_name_that_the_reader_knows_and_counted() {
    let Pair {
        node: _node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    ada.say_finally(channel.0, "hello").await;
    ben.catches_up().await;
    ben.say_finally(channel.1, "\u{202e}\u{1b}[2J @ada, and @nobody").await;
    ada.catches_up().await;
    let view = ada.at(1).await;
    let [mention] = &view.mentions[..] else {
        panic!("{view:?}")
    };
    let part: String = view
        .text
        .as_ref()
        .unwrap()
        .chars()
        .skip(mention.begin)
        .take(mention.end - mention.begin)
        .collect();
    assert_eq!(
        (part.as_str(), mention.me),
        ("@ada", true),
        "in the middle of hostile text"
    );
    assert_eq!(
        (mention.device.clone(), mention.name.as_deref()),
        (Some(ada.device().await), Some("Ada"))
    );
    assert_eq!(ada.unread().await, (1, 1));
    let of_ben = ben.at(1).await;
    assert!(!of_ben.mentions[0].me);
    assert_eq!(ben.unread().await, (1, 0), "what one says is read");
    // Other words mean others.
    let edited = ben.client.edit(of_ben.id, "no, @Ben himself").await.unwrap();
    ben.client.settle(edited, PATIENCE).await.unwrap();
    let view = ben.at(1).await;
    assert_eq!(
        (view.mentions.len(), view.mentions[0].name.as_deref()),
        (1, Some("Ben"))
    );
    assert!(!format!("{view:?}").contains("Ben"), "no name in a log line");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_members_with_names_alike_none_is_meant_until_it_is_said_which() {
    let Pair {
        node: _node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let cleo = Person::new("Ben").await;
    cleo.client
        .join(&ada.client.invite(channel.0).await.unwrap())
        .await
        .unwrap();
    let joined = cleo.client.channels().await.unwrap()[0].id;
    ben.say_finally(channel.1, "I am Ben").await;
    cleo.say_finally(joined, "and so am I").await;
    ada.catches_up().await;
    let refused = ada.client.send(channel.0, Draft::text("hi @ben").unwrap()).await;
    let Err(error @ Error::Ambiguous(_)) = refused else {
        panic!("{refused:?}")
    };
    let (first, second) = (ben.device().await, cleo.device().await);
    for device in [&first, &second] {
        assert!(error.to_string().contains(&format!("@Ben/{}", &device[..6])), "{error}");
    }
    assert_eq!(ada.client.channels().await.unwrap()[0].waiting, 0, "nothing was queued");
    let said = ada.say_finally(channel.0, &format!("hi @Ben/{}!", &second[..6])).await;
    assert_eq!(
        said.text.as_deref(),
        Some("hi @Ben!"),
        "which one stands beside the words"
    );
    cleo.catches_up().await;
    ben.catches_up().await;
    assert!(cleo.at(2).await.mentions[0].me && !ben.at(2).await.mentions[0].me);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mention_of_somebody_unknown_is_kept_without_a_name() {
    let Pair {
        node: _node,
        world,
        ada,
        channel,
        ..
    } = pair().await;
    ada.say_finally(channel.0, "hello").await;
    let mut eve = Stranger::of(&world, &ada, channel.0, 5).await;
    let mention = Mention {
        begin: 0,
        length: 4,
        who: Meant::Account(waxwing_seal::identity::AccountId([7; 32])),
    };
    let words = Words::new("@Ada look").unwrap().meaning(vec![mention]).unwrap();
    eve.says(Kind::Text(words), nothing_seen(&world));
    ada.catches_up().await;
    let view = ada.at(1).await;
    assert_eq!((view.mentions[0].name.as_deref(), view.mentions[0].me), (None, false));
    assert_eq!(view.mentions[0].account.as_deref().map(str::len), Some(64));
    let crowd = "@Ada ".repeat(65);
    let refused = ada.client.send(channel.0, Draft::text(&crowd).unwrap()).await;
    assert_eq!(refused, Err(NotSaid::TooManyMentions.into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_shown_is_counted_until_it_is_shown_taken_back_or_erased() {
    let Pair {
        node: _node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let first = ada.say_finally(channel.0, "one").await;
    let second = ada.say_finally(channel.0, "two").await;
    ada.say_finally(channel.0, "three").await;
    let reaction = ada.client.react(second.id, "👍").await.unwrap();
    ada.client.settle(reaction, PATIENCE).await.unwrap();
    ben.catches_up().await;
    assert_eq!(ben.unread().await, (3, 0), "a reaction is nothing to be read");
    assert_eq!(ben.client.channels().await.unwrap()[0].first_unread, Some(0));
    let retracted = ada.client.retract(first.id).await.unwrap();
    ada.client.settle(retracted, PATIENCE).await.unwrap();
    ben.catches_up().await;
    assert_eq!(ben.unread().await, (2, 0));
    let of_ben = ben.at(1).await.id;
    assert_eq!(ben.client.mark_read(channel.1, of_ben).await, Ok(1));
    assert_eq!(ben.client.mark_read(channel.1, of_ben).await, Ok(0), "once");
    let view = ben.client.channels().await.unwrap().remove(0);
    assert_eq!((view.unread, view.first_unread), (1, Some(2)));
    assert_eq!(
        ben.again().await.channels().await.unwrap()[0].unread,
        1,
        "and after a restart"
    );
    ben.has_read().await;
    ben.say_finally(channel.1, "four").await;
    assert_eq!(ben.unread().await, (0, 0), "what one says is read");
}

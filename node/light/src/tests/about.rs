//! Messages about messages: what is refused before it is sealed, what is shown, and what is forgotten.

use waxwing_seal::Kind;

use super::*;
use crate::about::Erasure;
use crate::error::{Error, NotSaid};
use crate::message::BodyKind;
use crate::store::{StoreError, messages};

impl Person {
    /// Waits until a message is final.
    async fn finally(&self, message: Result<MessageId, Error>) -> MessageView {
        let view = self.client.settle(message.unwrap(), PATIENCE).await.unwrap();
        assert_eq!(view.state, Ladder::Final, "{view:?}");
        view
    }

    /// The same message in this person's home.
    async fn same(&self, channel: ChannelId, view: &MessageView) -> MessageId {
        self.client.refresh().await.unwrap();
        let content = view.content_id.as_deref().unwrap();
        self.client.find_message(channel, content).await.unwrap()
    }

    async fn view(&self, message: MessageId) -> MessageView {
        self.client.message(message).await.unwrap()
    }

    /// Every word that the rows of a channel hold, shown or not.
    async fn words_kept(&self, channel: ChannelId) -> Vec<String> {
        let core = std::sync::Arc::clone(&self.client.core);
        let rows = core.read::<_, StoreError>(move |tx| messages::before(tx, channel, None, 1000));
        let kept = |row: messages::Message| match row.content?.kind {
            Kind::Text(body) | Kind::Reply { body, .. } | Kind::Edit { body, .. } => Some(body.as_str().to_owned()),
            Kind::Reaction { emoji, .. } => Some(emoji.as_str().to_owned()),
            _ => None,
        };
        let words = rows.await.unwrap().into_iter().filter_map(kept);
        words.filter(|words| !words.is_empty()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_shows_what_it_answers_as_that_stands_now() {
    let Pair {
        node: _node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let question = ada.say_finally(channel.0, "coffee at noom?").await;
    let asked = ben.same(channel.1, &question).await;
    let answer = ben.finally(ben.client.reply(asked, "yes").await).await;
    let quote = answer.quotes.as_ref().unwrap();
    let (core, id, of) = (
        std::sync::Arc::clone(&ben.client.core),
        channel.1,
        super::chat::content_of(&question),
    );
    let done = core.read::<_, StoreError>(move |tx| messages::about(tx, id, of)).await;
    assert_eq!(done.unwrap().len(), 0, "a reply does nothing to what it answers");
    assert_eq!(
        (quote.id, quote.log_index, quote.text.as_deref()),
        (asked, Some(0), Some("coffee at noom?"))
    );
    assert_eq!(quote.author.as_ref().unwrap().name, "Ada");
    ada.finally(ada.client.edit(question.id, "coffee at noon?").await).await;
    let read = ada.same(channel.0, &answer).await;
    let quote = ada.view(read).await.quotes.unwrap();
    assert_eq!(quote.text.as_deref(), Some("coffee at noon?"));
    ada.finally(ada.client.retract(question.id).await).await;
    assert_eq!(ada.view(read).await.quotes.unwrap().text, None);
    let long = ada.say_finally(channel.0, &"ö".repeat(500)).await;
    let reply = ada.finally(ada.client.reply(long.id, "too long").await).await;
    let beginning = reply.quotes.unwrap().text.unwrap();
    assert_eq!(beginning.chars().count(), 120);
    assert!(
        !format!("{:?}", ada.view(read).await.quotes).contains("Ada"),
        "no name in a log line"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_reader_would_show_is_refused_before_it_is_sealed() {
    let Pair {
        node: _node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    let (ada_says, ben_says) = (&ada.client, &ben.client);
    let own = ada.say_finally(channel.0, "mine").await;
    let of_ada = ben.same(channel.1, &own).await;
    let before = ben_says.channels().await.unwrap()[0].waiting;
    assert_eq!(ben_says.edit(of_ada, "yours").await, Err(Error::NotOwn));
    assert_eq!(ben_says.retract(of_ada).await, Err(Error::NotOwn));
    assert_eq!(ben_says.unreact(of_ada, "👍").await, Err(NotSaid::NoReaction.into()));
    for empty in ["", " \n"] {
        assert_eq!(ben_says.reply(of_ada, empty).await, Err(NotSaid::Empty.into()));
        assert_eq!(ben_says.react(of_ada, empty).await, Err(NotSaid::Empty.into()));
        assert_eq!(ada_says.edit(own.id, empty).await, Err(NotSaid::Empty.into()));
    }
    let long = ben_says.react(of_ada, &"👍".repeat(30)).await;
    assert!(matches!(long, Err(Error::TooLong(_))));
    let unknown = ben_says.reply(MessageId(99), "to whom?").await;
    assert_eq!(unknown, Err(Error::UnknownMessage));
    assert_eq!(
        ben_says.channels().await.unwrap()[0].waiting,
        before,
        "nothing was queued"
    );

    let thumb = ben.finally(ben_says.react(of_ada, " 👍 ").await).await;
    assert_eq!(thumb.text.as_deref(), Some("👍"));
    assert_eq!(ben_says.react(of_ada, "👍").await, Err(NotSaid::SameReaction.into()));
    ben.finally(ben_says.react(of_ada, "🌹").await).await;
    assert_eq!(ben_says.reply(thumb.id, "?").await, Err(NotSaid::NotWords.into()));
    assert_eq!(ben_says.edit(thumb.id, "?").await, Err(NotSaid::NotWords.into()));
    assert_eq!(ben_says.retract(thumb.id).await, Err(NotSaid::NotWords.into()));
    ben.finally(ben_says.unreact(of_ada, "👍").await).await;
    assert_eq!(ben_says.unreact(of_ada, "👍").await, Err(NotSaid::NoReaction.into()));
    let left: Vec<_> = ben.view(of_ada).await.reactions;
    assert_eq!(left.iter().map(|left| left.emoji.as_str()).collect::<Vec<_>>(), ["🌹"]);
    ben.finally(ben_says.react(of_ada, "👍").await).await;

    ada.finally(ada_says.retract(own.id).await).await;
    assert_eq!(ada_says.retract(own.id).await, Err(NotSaid::NothingThere.into()));
    assert_eq!(
        ada_says.edit(own.id, "still mine").await,
        Err(NotSaid::NothingThere.into())
    );
    ben_says.refresh().await.unwrap();
    assert_eq!(ben_says.reply(of_ada, "late").await, Err(NotSaid::NothingThere.into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_that_were_taken_back_leave_every_store_that_follows_and_those_that_join_later() {
    let Pair {
        node: _node,
        world,
        ada,
        ben,
        channel,
    } = pair().await;
    let secret = ada.say_finally(channel.0, "the key is under the mat").await;
    ada.finally(ada.client.edit(secret.id, "the key is under the rose").await)
        .await;
    // What answers it says something of its own, also where the same device wrote it.
    ada.finally(ada.client.reply(secret.id, "good morning").await).await;
    let of_ada = ben.same(channel.1, &secret).await;
    // Of Ben's retraction of Ada's words nobody takes notice, his own store least of all.
    let false_one = Draft::retraction(super::chat::content_of(&secret));
    ben.finally(ben.client.send(channel.1, false_one).await).await;
    ada.client.refresh().await.unwrap();
    assert_eq!(ada.words_kept(channel.0).await.len(), 3);
    assert_eq!(ben.words_kept(channel.1).await.len(), 3);

    world.set_ordering(false);
    let taken_back = ada.client.retract(secret.id).await;
    assert!(ada.view(secret.id).await.retracted, "shown at once");
    assert_eq!(
        ada.words_kept(channel.0).await.len(),
        3,
        "one that is on its way may still fail"
    );
    world.set_ordering(true);
    world.order();
    ada.finally(taken_back).await;
    ben.client.refresh().await.unwrap();
    let late = Person::new("Cleo").await;
    let link = ada.client.invite(channel.0).await.unwrap();
    late.client.join(&link).await.unwrap();
    late.client.refresh().await.unwrap();
    let joined = late.client.channels().await.unwrap()[0].id;
    for (person, channel) in [(&ada, channel.0), (&ben, channel.1), (&late, joined)] {
        assert_eq!(person.words_kept(channel).await, ["good morning"]);
        let first = person.client.find_message(channel, "#0").await.unwrap();
        let view = person.view(first).await;
        assert_eq!((view.retracted, view.text, view.body), (true, None, BodyKind::Here));
        assert_eq!(view.author.unwrap().name, "Ada", "that there was a message stays");
        assert!(person.client.why(first).await.is_ok());
        let edit = person.client.find_message(channel, "#1").await.unwrap();
        let view = person.view(edit).await;
        assert_eq!((view.kind, view.text), (Some("edit"), None));
    }
    assert_eq!(ben.view(of_ada).await.log_index, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasing_words_erases_the_edits_that_carry_them() {
    let Pair {
        node: _node,
        world,
        ada,
        channel,
        ..
    } = pair().await;
    let first = ada.say_finally(channel.0, "a secret").await;
    let edit = ada.finally(ada.client.edit(first.id, "no secret").await).await;
    let other = ada.say_finally(channel.0, "another message").await;
    assert_eq!(ada.client.erasure(first.id).await, Ok(Erasure::NotAsked));
    world.set_ordering(false);
    let waiting = ada.client.edit(first.id, "never a secret").await.unwrap();
    assert_eq!(ada.client.erase_words(first.id).await, Err(Error::NotFinal));
    assert_eq!(ada.view(first.id).await.body, BodyKind::Here, "all of it or nothing");
    world.set_ordering(true);
    world.order();
    ada.finally(Ok(waiting)).await;
    ada.finally(ada.client.retract(first.id).await).await;
    let erased = ada.client.erase_words(first.id).await.unwrap();
    assert_eq!(erased, [first.id, edit.id, waiting]);
    ada.client.refresh().await.unwrap();
    for one in erased {
        assert_eq!(ada.client.erasure(one).await, Ok(Erasure::Confirmed));
    }
    assert_eq!(ada.client.erasure(other.id).await, Ok(Erasure::NotAsked));
    let log = world.log(&super::chat::log_of(&ada.client, channel.0).await);
    let is_erased = |row: &super::world::LogRow| matches!(row.carried.body, waxwing_core::envelope::Body::Erased(_));
    let found: Vec<_> = log.iter().map(is_erased).collect();
    assert_eq!(found, [true, true, false, true, false]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_hands_out_what_was_done_to_whom_and_begins_where_it_is_told_to() {
    let Pair {
        node: _node,
        ada,
        ben,
        channel,
        ..
    } = pair().await;
    for words in ["one", "two", "three"] {
        ada.say_finally(channel.0, words).await;
    }
    ben.client.refresh().await.unwrap();
    let mut last = ben.client.tail_with_last(Some(channel.1), 2).await.unwrap();
    let next = async |tail: &mut crate::Tail| timeout(PATIENCE, tail.next_change()).await.unwrap().unwrap();
    let two = next(&mut last).await;
    assert_eq!((two.message.text.as_deref(), &two.target), (Some("two"), &None));
    assert_eq!(last.position(), two.message.change);
    let three = next(&mut last).await;
    assert_eq!(three.message.text.as_deref(), Some("three"));
    let position = last.position();

    let thumb = ben.client.react(two.message.id, "👍").await.unwrap();
    let mut again = ben.client.tail(Some(channel.1), Some(position)).await.unwrap();
    let reacted = next(&mut again).await;
    assert_eq!((reacted.message.id, reacted.message.kind), (thumb, Some("reaction")));
    assert!(reacted.message.change > position);
    let target = reacted.target.unwrap();
    assert_eq!((target.id, target.reactions.len()), (two.message.id, 1));

    let mut all = ben.client.tail_with_last(None, 1000).await.unwrap();
    assert_eq!(next(&mut all).await.message.text.as_deref(), Some("one"));
    let newest = reacted.message.change;
    for after in [newest + 1, i64::MAX] {
        let refused = ben.client.tail(None, Some(after)).await.err();
        assert_eq!(refused, Some(Error::NoSuchChange { newest }));
    }
    assert!(ben.client.tail(None, Some(newest)).await.is_ok());
}

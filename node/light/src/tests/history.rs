//! Newcomers who are told what was said before them: by whom, what, what never; tellers that lie, fall silent or lose power.

use std::collections::BTreeSet;
use std::sync::Arc;

use waxwing_core::codec::Encode;
use waxwing_core::envelope::KeepFor;
use waxwing_seal::content::{Name, Past, Told, Words};
use waxwing_seal::group::HistoryRule;
use waxwing_seal::identity::AccountId;
use waxwing_seal::limits::HISTORY_MESSAGES_MAX;
use waxwing_seal::{ContentId, DeviceId, Kind};

use super::groups::{Member, all_refresh, group, join, offer, want, welcome_of};
use super::*;
use crate::chat::queue;
use crate::error::Error;
use crate::message::Exception;
use crate::store::past::Refused;
use crate::store::{Side, StoreError, messages};
use crate::why::Finding;

/// A person who comes in by this member's commit, and knows nothing yet but the welcome.
async fn comes(name: &str, by: &Member, world: &Arc<World>, node: &TestNode) -> Member {
    let person = Person::on(name, world, &[node]).await;
    let key_package = offer(&person, world).await;
    want(by, key_package).await;
    by.refresh().await;
    let welcome = welcome_of(by).await;
    join(person, world, welcome).await
}

async fn open_group(world: &Arc<World>, node: &TestNode, names: &[&str]) -> Vec<Member> {
    let members = group(world, node, names).await;
    all_refresh(&members).await;
    let ada = &members[0];
    ada.client().set_history(ada.channel, HistoryRule::All).await.unwrap();
    all_refresh(&members).await;
    members
}

async fn views(member: &Member) -> Vec<MessageView> {
    let read = member.client().read(member.channel, Range::Last(1000)).await.unwrap();
    read.into_iter().filter(|view| view.event.is_none()).collect()
}

async fn told(member: &Member) -> Vec<MessageView> {
    let views = views(member).await;
    views.into_iter().filter(|view| view.told.is_some()).collect()
}

fn texts_of(views: &[MessageView]) -> Vec<String> {
    views.iter().map(|view| view.text.clone().unwrap_or_default()).collect()
}

/// What a member's program may send that is not ours.
async fn tells(member: &Member, past: Past) {
    let (channel, now) = (member.channel, member.client().core.clock.now());
    let draft = Draft::of(Kind::History(past));
    let told = member
        .client()
        .core
        .write::<_, Error>(move |tx| queue(tx, channel, draft, now));
    told.await.unwrap();
    member.refresh().await;
}

fn lie(id: u8, author: &MessageView, words: &str, ordered_ms: u64) -> Told {
    let author = author.author.as_ref().unwrap();
    let bytes = |hex: &str| {
        let digits = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
        core::array::from_fn::<u8, 32, _>(digits)
    };
    Told {
        id: ContentId([id; 16]),
        device: DeviceId(bytes(&author.device)),
        account: AccountId(bytes(author.account.as_ref().unwrap())),
        written_ms: ordered_ms,
        ordered_ms,
        is_edited: false,
        name: Name::new("Ada").unwrap(),
        kind: Kind::Text(Words::new(words).unwrap()),
    }
}

async fn epoch(member: &Member) -> u64 {
    member.view().await.epoch
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newcomers_are_told_what_the_rule_allows_and_by_whom() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let mut members = group(&world, &node, &["Ada", "Ben"]).await;
    all_refresh(&members).await;
    let (ada, ben) = (&members[0], &members[1]);
    ada.say("before there was a rule").await;
    all_refresh(&members).await;
    let refused = ben.client().set_history(ben.channel, HistoryRule::All).await;
    assert_eq!(refused, Err(Error::NotAnAdmin));
    ada.client()
        .set_history(ada.channel, HistoryRule::Days(30))
        .await
        .unwrap();
    all_refresh(&members).await;
    assert_eq!(ben.view().await.history, "30d");
    let first = ada.say("first").await;
    all_refresh(&members).await;
    let second = ada.say("secund").await;
    let vanishes = Draft::text("vanishes").unwrap().keep_for(KeepFor::Day);
    ada.client().send(ada.channel, vanishes).await.unwrap();
    let regretted = ben.say("regretted").await;
    all_refresh(&members).await;
    ada.client().edit(second, "second").await.unwrap();
    ben.client().retract(regretted).await.unwrap();
    ben.say("his").await;
    all_refresh(&members).await;
    let cleo = comes("Cleo", ada, &world, &node).await;
    members.push(cleo);
    all_refresh(&members).await;
    let (ada, ben, cleo) = (&members[0], &members[1], &members[2]);
    let seen = told(cleo).await;
    assert_eq!(texts_of(&seen), ["first", "second", "his"]);
    let device = ada.client().account().await.unwrap().device.to_string();
    for view in &seen {
        let by = view.told.as_ref().unwrap();
        assert_eq!((&by.device, by.differs), (&device, false));
        assert_eq!((view.state, view.own, view.ordered_ms), (Ladder::Told, false, None));
    }
    assert!(seen[1].edited && !seen[0].edited);
    let author = seen[2].author.as_ref().unwrap();
    assert_eq!(author.account, Some(ben.account().await.to_string()));
    let read = views(cleo).await;
    assert!(
        read.iter().map(|view| view.log_index).is_sorted(),
        "before its own time"
    );
    nothing_is_claimed(cleo, &seen[0]).await;
    // Words of one's own about them are as about any message, and what their author does to them is done.
    let id = ContentId(core::array::from_fn(|at| {
        u8::from_str_radix(&seen[0].content_id.as_ref().unwrap()[2 * at..2 * at + 2], 16).unwrap()
    }));
    let reply = Draft::reply(id, "what was that?").unwrap();
    cleo.client().send(cleo.channel, reply).await.unwrap();
    all_refresh(&members).await;
    let quoted = |views: Vec<MessageView>| views.last().unwrap().quotes.clone().unwrap();
    assert!(quoted(views(cleo).await).told && !quoted(views(ben).await).told);
    ada.client().retract(first).await.unwrap();
    all_refresh(&members).await;
    let seen = told(cleo).await;
    assert!(seen[0].retracted && seen[0].text.is_none());
    assert_eq!(told(ada).await.len() + told(ben).await.len(), 0, "they were there");
}

/// Of what is told nothing holds but that it is told, and it is found, and forgotten, like every other message.
async fn nothing_is_claimed(member: &Member, view: &MessageView) {
    let why = member.client().why(view.id).await.unwrap();
    let holds: Vec<_> = why
        .checks
        .iter()
        .filter(|check| check.result == Finding::Holds)
        .collect();
    assert_eq!(holds.iter().map(|check| check.check).collect::<Vec<_>>(), ["teller"]);
    assert_eq!(member.client().receipt(view.id).await.map(|_| ()), Err(Error::OnlyTold));
    let query = crate::Query {
        words: vec![view.text.clone().unwrap()],
        channel: Some(member.channel),
        most: 5,
    };
    let hits = member.client().search(query).await.unwrap();
    assert_eq!(hits.len(), 1);
    assert!(hits[0].message.told.is_some());
    let view = &member.client().channels().await.unwrap()[0];
    assert_eq!(view.unread, 0, "nobody waits for an answer to it");
    assert!(view.checked < view.entries, "{view:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_rule_allows_nothing_nothing_is_told_or_taken() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let mut members = group(&world, &node, &["Ada", "Ben"]).await;
    all_refresh(&members).await;
    members[0].say("before").await;
    all_refresh(&members).await;
    let said = views(&members[0]).await.remove(0);
    let cleo = comes("Cleo", &members[0], &world, &node).await;
    members.push(cleo);
    all_refresh(&members).await;
    assert_eq!(texts_of(&views(&members[2]).await), Vec::<String>::new());
    let past = Past::new(epoch(&members[2]).await, (0, 1), vec![lie(7, &said, "a lie", 5)]).unwrap();
    tells(&members[1], past).await;
    all_refresh(&members).await;
    let seen = views(&members[2]).await;
    assert_eq!(seen.len(), 1, "that somebody tried is seen");
    assert_eq!(
        (seen[0].reason.clone(), seen[0].kind),
        (Some(Refused::NotAllowed.to_string()), Some("history"))
    );
    assert!(told(&members[2]).await.is_empty());
    assert_eq!(views(&members[0]).await.len(), 1, "it was not for Ada");
    let direct = members[0].client().set_history(ChannelId(99), HistoryRule::All).await;
    assert_eq!(direct, Err(Error::UnknownChannel));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_member_takes_over_when_whoever_let_somebody_in_is_gone_and_nobody_tells_twice() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let members = open_group(&world, &node, &["Ada", "Ben"]).await;
    members[0].say("first").await;
    all_refresh(&members).await;
    let (ada, ben) = (&members[0], &members[1]);
    // Ada's commit is in the ledger, and she is gone before she has seen that.
    let cleo = comes("Cleo", ada, &world, &node).await;
    for _ in 0..3 {
        ben.refresh().await;
        cleo.refresh().await;
    }
    assert!(told(&cleo).await.is_empty(), "it is not Ben's turn yet");
    let wait = i64::try_from(crate::limits::HISTORY_WAIT_MS * 2).unwrap();
    world.clock.shift(wait);
    for member in [ada, ben, &cleo] {
        member.client().clock().shift(wait);
    }
    for _ in 0..3 {
        ben.refresh().await;
        cleo.refresh().await;
    }
    let seen = told(&cleo).await;
    assert_eq!(texts_of(&seen), ["first"]);
    let by = ben.client().account().await.unwrap().device.to_string();
    assert_eq!(seen[0].told.as_ref().unwrap().device, by);
    let log = ben.client().channels().await.unwrap()[0].log.clone();
    let length = ben.client().channels().await.unwrap()[0].entries;
    for _ in 0..3 {
        ada.refresh().await;
        ben.refresh().await;
    }
    let after = &ben.client().channels().await.unwrap()[0];
    assert_eq!((&after.log, after.entries), (&log, length), "Ada sees that it was done");
    assert_eq!(texts_of(&told(&cleo).await), ["first"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_teller_who_lies_replaces_nothing_and_floods_nobody() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let mut members = open_group(&world, &node, &["Ada", "Ben", "Dora"]).await;
    members[0].say("the truth").await;
    all_refresh(&members).await;
    let cleo = comes("Cleo", &members[0], &world, &node).await;
    members.push(cleo);
    all_refresh(&members).await;
    let epoch = epoch(&members[3]).await;
    let seen = told(&members[3]).await.remove(0);
    let truth = seen.content_id.clone().unwrap();
    let time = seen.told.as_ref().unwrap().ordered_ms;
    members[0].say("said to Cleo").await;
    all_refresh(&members).await;
    let heard = views(&members[3]).await.pop().unwrap();
    assert!(heard.told.is_none() && heard.text.as_deref() == Some("said to Cleo"));
    let id = |hex: &str| {
        ContentId(core::array::from_fn(|at| {
            u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()
        }))
    };
    let mut lies = vec![
        lie(1, &seen, "a lie about the past", time),
        lie(2, &seen, "a lie about Cleo's own ears", time),
        lie(3, &seen, "never said\u{1b}[2J", time),
    ];
    lies[0].id = id(&truth);
    lies[1].id = id(heard.content_id.as_ref().unwrap());
    tells(&members[1], Past::new(epoch, (0, 1), lies).unwrap()).await;
    all_refresh(&members).await;
    let read = views(&members[3]).await;
    assert_eq!(texts_of(&told(&members[3]).await), ["the truth", "never said\u{1b}[2J"]);
    let first = read
        .iter()
        .find(|view| view.content_id.as_ref() == Some(&truth))
        .unwrap();
    assert!(first.exceptions.contains(&Exception::ToldOtherwise) && first.told.as_ref().unwrap().differs);
    let again = read.iter().find(|view| view.id == heard.id).unwrap();
    assert_eq!(
        (again.text.as_deref(), again.told.is_none()),
        (Some("said to Cleo"), true)
    );
    let reason = read.last().unwrap().reason.clone().unwrap();
    assert!(reason.contains("tells 2 of the messages"), "{reason}");
    refused_floods(&members, epoch, (&seen, time)).await;
}

/// What a teller may not: more than its share, the future, and being the third.
async fn refused_floods(members: &[Member], epoch: u64, (seen, time): (&MessageView, u64)) {
    let many = |from: u32| {
        let told = (from..from + HISTORY_MESSAGES_MAX / 2 + 1).map(|number| {
            let mut told = lie(0, seen, "flood", time);
            told.id.0[..4].copy_from_slice(&number.to_be_bytes());
            told
        });
        told.collect::<Vec<_>>()
    };
    let refusals = [
        (1, many(1_000_000), None),
        (1, many(2_000_000), Some(Refused::TooMuch)),
        (1, vec![lie(9, seen, "soon", u64::MAX)], Some(Refused::FromTheFuture)),
        (2, vec![lie(9, seen, "me too", time)], Some(Refused::TooManyTellers)),
    ];
    for (who, told, refused) in refusals {
        let (before, more) = (self::told(&members[3]).await.len(), told.len());
        tells(&members[who], Past::new(epoch, (0, 1), told).unwrap()).await;
        members[3].refresh().await;
        let last = views(&members[3]).await.pop().unwrap();
        let after = self::told(&members[3]).await.len();
        match refused {
            None => assert_eq!(after, before + more, "{last:?}"),
            Some(refused) => assert_eq!((last.reason, after), (Some(refused.to_string()), before)),
        }
    }
    let all = told(&members[3]).await;
    assert_eq!(all.len(), 2 + usize::try_from(HISTORY_MESSAGES_MAX / 2 + 1).unwrap());
    let stored = members[3].client().core.read::<_, StoreError>(|tx| {
        let rows = messages::from(tx, ChannelId(1), 0, 2000)?;
        let histories = rows.into_iter().filter_map(|row| row.content);
        Ok(histories
            .filter(|content| matches!(content.kind, Kind::History(_)))
            .map(|content| content.to_bytes().len())
            .max())
    });
    assert!(
        stored.await.unwrap().unwrap() < 300,
        "what was told is not kept a second time"
    );
}

/// All that happens between a newcomer's coming and its reading on, as often as it takes.
async fn goes_on(ada: &Client, cleo: &Client) -> Result<(), Error> {
    for _ in 0..4 {
        ada.refresh().await?;
        cleo.refresh().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_commit_of_teller_or_newcomer_loses_nothing_and_doubles_nothing() {
    for who in [0, 1] {
        for side in [Side::Before, Side::After] {
            for number in 1.. {
                let world = World::new("test");
                let node = TestNode::honest(&world);
                let mut members = open_group(&world, &node, &["Ada"]).await;
                for words in ["one", "two", "three"] {
                    members[0].say(words).await;
                    members[0].refresh().await;
                }
                let cleo = comes("Cleo", &members[0], &world, &node).await;
                members.push(cleo);
                members[who].client().core.store().fuse.set(number, side);
                let outcome = goes_on(members[0].client(), members[1].client()).await;
                if !members[who].client().core.store().fuse.is_burnt() {
                    outcome.unwrap();
                    assert!(number > 5, "there are several boundaries, not {number}");
                    break;
                }
                let restarted = members[who].person.again().await;
                members[who].person.client = restarted;
                goes_on(members[0].client(), members[1].client()).await.unwrap();
                let seen = told(&members[1]).await;
                assert_eq!(texts_of(&seen), ["one", "two", "three"], "{who} {side:?} {number}");
                let places: BTreeSet<_> = seen.iter().map(|view| view.log_index).collect();
                assert_eq!(places.len(), 3);
            }
        }
    }
}

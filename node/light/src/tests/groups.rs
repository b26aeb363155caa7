//! Conversations of groups over honest nodes: members come and go, commits race, power goes.

use std::collections::BTreeSet;
use std::sync::Arc;

use waxwing_seal::group::{Standing, Welcome};
use waxwing_seal::identity::AccountId;

use super::*;
use crate::error::Error;
use crate::groups;
use crate::message::BodyKind;
use crate::store::{StoreError, channels};
use crate::why::Finding;

/// A person in a group.
pub(super) struct Member {
    pub(super) person: Person,
    pub(super) channel: ChannelId,
}

impl Member {
    pub(super) fn client(&self) -> &Client {
        &self.person.client
    }

    pub(super) async fn say(&self, words: &str) -> MessageId {
        self.person.say(self.channel, words).await
    }

    pub(super) async fn refresh(&self) {
        self.client().refresh().await.unwrap();
    }

    pub(super) async fn texts(&self) -> Vec<String> {
        let views = self.client().read(self.channel, Range::Last(1000)).await.unwrap();
        let said = views.into_iter().filter(|view| view.event.is_none());
        said.map(|view| view.text.unwrap_or_else(|| format!("({:?})", view.body)))
            .collect()
    }

    pub(super) async fn account(&self) -> AccountId {
        self.client().account().await.unwrap().id
    }

    pub(super) async fn view(&self) -> groups::GroupView {
        self.client().group(self.channel).await.unwrap().unwrap()
    }
}

/// What a newcomer hands to a member, and what the member hands back, without the inbox between.
pub(super) async fn offer(person: &Person, world: &World) -> Vec<u8> {
    let (network, now) = (world.network(), person.client.core.clock.now());
    let offered = person
        .client
        .core
        .write::<_, Error>(move |tx| groups::offer(tx, network, now));
    offered.await.unwrap()
}

pub(super) async fn want(by: &Member, key_package: Vec<u8>) {
    let (channel, now) = (by.channel, by.client().core.clock.now());
    let wanted = by.client().core.write::<_, Error>(move |tx| {
        let channel = channels::load(tx, channel)?.ok_or(Error::UnknownChannel)?;
        groups::want_member(tx, &channel, key_package, None, now)
    });
    wanted.await.unwrap();
}

pub(super) async fn welcome_of(by: &Member) -> Welcome {
    let read = by.client().core.read::<_, StoreError>(|tx| {
        Ok(tx.query_row(
            "SELECT welcome, tree FROM welcome ORDER BY message DESC LIMIT 1",
            [],
            |row| {
                Ok(Welcome {
                    message: row.get(0)?,
                    tree: row.get(1)?,
                })
            },
        )?)
    });
    read.await.unwrap()
}

pub(super) async fn join(person: Person, world: &World, welcome: Welcome) -> Member {
    let (network, now) = (world.network(), person.client.core.clock.now());
    let joined = person
        .client
        .core
        .write::<_, Error>(move |tx| groups::join(tx, network, &welcome, now));
    let (channel, _) = joined.await.unwrap();
    Member { person, channel }
}

/// A group on one ledger; the first founded it and is its admin.
pub(super) async fn group(world: &Arc<World>, node: &TestNode, names: &[&str]) -> Vec<Member> {
    let (first, others) = names.split_first().unwrap();
    let ada = Person::on(first, world, &[node]).await;
    let channel = ada.client.found_group(world.network(), "plans").await.unwrap();
    let mut members = vec![Member { person: ada, channel }];
    let mut newcomers = Vec::new();
    for name in others {
        let person = Person::on(name, world, &[node]).await;
        let key_package = offer(&person, world).await;
        want(&members[0], key_package).await;
        newcomers.push(person);
    }
    if !newcomers.is_empty() {
        members[0].refresh().await;
        members[0].refresh().await;
        let welcome = welcome_of(&members[0]).await;
        for person in newcomers {
            members.push(join(person, world, welcome.clone()).await);
        }
    }
    members
}

pub(super) async fn all_refresh(members: &[Member]) {
    for _ in 0..3 {
        for member in members {
            member.refresh().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_read_what_is_said_and_see_who_is_in() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let members = group(&world, &node, &["Ada", "Ben", "Cleo"]).await;
    members[0].say("hello").await;
    members[0].refresh().await;
    members[1].say("hello Ada").await;
    members[1].refresh().await;
    all_refresh(&members).await;
    for member in &members {
        assert_eq!(member.texts().await, ["hello", "hello Ada"]);
        let view = member.view().await;
        assert_eq!((view.members.len(), view.standing, view.suite), (3, "member", 0x4e));
        assert_eq!(view.members.iter().filter(|member| member.admin).count(), 1);
        assert_eq!(view.authenticator, members[0].view().await.authenticator);
    }
    let read = members[1]
        .client()
        .read(members[1].channel, Range::Last(10))
        .await
        .unwrap();
    let authors: BTreeSet<_> = read.iter().filter_map(|view| view.author.clone()?.account).collect();
    let expected = [members[0].account().await, members[1].account().await].map(|account| account.to_string());
    assert_eq!(authors, expected.into_iter().collect());
    assert!(
        read.iter()
            .all(|view| view.state == Ladder::Final && view.exceptions.is_empty()),
        "{read:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_removed_reads_nothing_that_is_said_afterwards() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let members = group(&world, &node, &["Ada", "Ben", "Cleo"]).await;
    members[0].say("before").await;
    all_refresh(&members).await;
    let ben = members[1].account().await;
    assert_eq!(
        members[2].client().remove_member(members[2].channel, ben).await,
        Err(Error::NotAnAdmin)
    );
    members[0]
        .client()
        .remove_member(members[0].channel, ben)
        .await
        .unwrap();
    all_refresh(&members).await;
    members[0].say("after").await;
    all_refresh(&members).await;
    assert_eq!(members[2].texts().await, ["before", "after"]);
    assert_eq!(members[1].texts().await, ["before"]);
    assert_eq!(members[1].view().await.standing, "removed");
    let refused = members[1]
        .client()
        .send(members[1].channel, Draft::text("still here?").unwrap())
        .await;
    assert_eq!(refused, Err(Error::Group(waxwing_seal::group::GroupError::NotAMember)));
    let events: Vec<_> = members[2]
        .client()
        .read(members[2].channel, Range::Last(10))
        .await
        .unwrap();
    let removed = events
        .iter()
        .filter_map(|view| view.event.as_ref())
        .find(|event| !event.removed.is_empty());
    let removed = removed.unwrap();
    assert_eq!(removed.removed[0].account, ben.to_string());
    assert!(removed.left.is_empty(), "he did not wish to go");
    // He never wrote, and nobody has met him.
    assert_eq!(removed.names.get(&ben.to_string()), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_says_whose_device_it_was_and_what_forgetting_keys_gives() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let members = group(&world, &node, &["Ada", "Ben"]).await;
    let said = members[1].say("sealed for two").await;
    all_refresh(&members).await;
    let ben = members[1].account().await.to_string();
    let (ada, words) = (&members[0], "sealed for two");
    let heard = ada.client().read(ada.channel, Range::Last(10)).await.unwrap();
    let heard = heard
        .iter()
        .find(|view| view.text.as_deref() == Some(words))
        .unwrap()
        .id;
    let says = async |member: &Member, message, name: &str| {
        let why = member.client().why(message).await.unwrap();
        let check = why.checks.into_iter().find(|check| check.check == name).unwrap();
        (check.result, check.says)
    };
    let (result, account) = says(ada, heard, "account").await;
    assert_eq!((result, account.contains(&ben)), (Finding::Holds, true), "{account}");
    let (result, now) = says(ada, heard, "forward-secrecy").await;
    assert_eq!((result, now.contains("for it alone")), (Finding::Holds, true), "{now}");
    ada.client().rename_group(ada.channel, "later").await.unwrap();
    all_refresh(&members).await;
    for (member, message) in [(ada, heard), (&members[1], said)] {
        let (result, later) = says(member, message, "forward-secrecy").await;
        assert_eq!(
            (result, later.contains("epoch is over")),
            (Finding::Holds, true),
            "{later}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_what_a_change_did_and_what_those_are_called_whom_it_is_about() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let members = group(&world, &node, &["Ada", "Ben", "Cleo"]).await;
    all_refresh(&members).await;
    for member in &members {
        member.say("here").await;
        member.refresh().await;
    }
    all_refresh(&members).await;
    let (ada, ben) = (&members[0], members[1].account().await);
    ada.client().appoint(ada.channel, ben, true).await.unwrap();
    all_refresh(&members).await;
    ada.client().appoint(ada.channel, ben, false).await.unwrap();
    all_refresh(&members).await;
    members[1].client().leave_group(members[1].channel).await.unwrap();
    let gone = async {
        while ada.view().await.members.len() > 2 {
            for member in &members {
                member.client().clock().shift(10_000);
            }
            world.clock.shift(10_000);
            all_refresh(&members).await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
    all_refresh(&members).await;
    let cleo = &members[2];
    let read = cleo.client().read(cleo.channel, Range::Last(100)).await.unwrap();
    let events: Vec<_> = read
        .into_iter()
        .filter_map(|view| Some((view.author?.name, view.event?)))
        .filter(|(_, event)| event.is_visible())
        .collect();
    let ben = ben.to_string();
    let called = |event: &crate::groups::event::Event| event.names.get(&ben).cloned();
    let (by, appointed) = &events[0];
    assert_eq!((by.as_str(), &appointed.appointed), ("Ada", &vec![ben.clone()]));
    assert_eq!(called(appointed).as_deref(), Some("Ben"));
    assert_eq!(events[1].1.dismissed, [ben.as_str()]);
    assert!(events[1].1.appointed.is_empty());
    assert_eq!((events[2].0.as_str(), events[2].1.leaving), ("Ben", true));
    let last = &events.last().unwrap().1;
    assert_eq!(last.left, [last.removed[0].device.as_str()]);
    assert_eq!(called(last).as_deref(), Some("Ben"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_epoch_left_behind_is_said_in_the_next_once_and_in_its_order() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let members = group(&world, &node, &["Ada", "Ben"]).await;
    all_refresh(&members).await;
    // Ben has said three things that no node knows yet, when Ada's change closes the epoch.
    let mut said = Vec::new();
    for words in ["one", "two", "three"] {
        said.push(members[1].say(words).await);
    }
    members[0]
        .client()
        .rename_group(members[0].channel, "better plans")
        .await
        .unwrap();
    members[0].refresh().await;
    members[0].refresh().await;
    all_refresh(&members).await;
    for member in &members {
        assert_eq!(member.texts().await, ["one", "two", "three"]);
        assert_eq!(member.client().channels().await.unwrap()[0].name, "better plans");
    }
    for message in said {
        assert_eq!(members[1].client().message(message).await.unwrap().state, Ladder::Final);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_group_is_called_on_one_device_alone_stays_whatever_members_change() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let members = group(&world, &node, &["Ada", "Ben"]).await;
    all_refresh(&members).await;
    let (ada, ben) = (&members[0], &members[1]);
    ben.client().rename_channel(ben.channel, "Ben's own").await.unwrap();
    let called = async |member: &Member| member.client().channels().await.unwrap()[0].name.clone();
    ada.client()
        .appoint(ada.channel, ben.account().await, true)
        .await
        .unwrap();
    all_refresh(&members).await;
    assert!(ben.view().await.members.iter().all(|member| member.admin));
    assert_eq!(called(ben).await, "Ben's own", "a change of roles is none of names");
    ada.client().rename_group(ada.channel, "Ada's").await.unwrap();
    all_refresh(&members).await;
    assert_eq!(called(ada).await, "Ada's");
    assert_eq!(called(ben).await, "Ben's own");
    // Who takes the members' name again follows them again.
    ben.client().rename_channel(ben.channel, "Ada's").await.unwrap();
    ada.client().rename_group(ada.channel, "ours").await.unwrap();
    all_refresh(&members).await;
    assert_eq!(called(ben).await, "ours");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_changes_at_once_both_come_true_one_after_the_other() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let members = group(&world, &node, &["Ada", "Ben", "Cleo"]).await;
    all_refresh(&members).await;
    let ben = members[1].account().await;
    members[0]
        .client()
        .appoint(members[0].channel, ben, true)
        .await
        .unwrap();
    all_refresh(&members).await;
    // Both propose for the same epoch: the ledger holds both commits, and the second is nothing.
    world.set_ordering(false);
    members[0]
        .client()
        .rename_group(members[0].channel, "Ada's")
        .await
        .unwrap();
    let cleo = members[2].account().await;
    members[1]
        .client()
        .appoint(members[1].channel, cleo, true)
        .await
        .unwrap();
    members[0].refresh().await;
    members[1].refresh().await;
    assert_eq!(world.waiting(), 2);
    world.order();
    world.set_ordering(true);
    let both = async {
        loop {
            all_refresh(&members).await;
            let view = members[2].view().await;
            let admins = view.members.iter().filter(|member| member.admin).count();
            let authenticators: BTreeSet<_> = [
                members[0].view().await.authenticator,
                members[1].view().await.authenticator,
                view.authenticator,
            ]
            .into();
            let name = members[2].client().channels().await.unwrap()[0].name.clone();
            if admins == 3 && name == "Ada's" && authenticators.len() == 1 {
                break;
            }
        }
    };
    timeout(PATIENCE, both).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_who_was_away_for_many_epochs_catches_up() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let members = group(&world, &node, &["Ada", "Ben"]).await;
    all_refresh(&members).await;
    for round in 0..12 {
        members[0]
            .client()
            .rename_group(members[0].channel, &format!("round {round}"))
            .await
            .unwrap();
        members[0].refresh().await;
        members[0].refresh().await;
        members[0].say(&format!("said in {round}")).await;
        members[0].refresh().await;
    }
    members[0].refresh().await;
    members[1].refresh().await;
    assert_eq!(members[1].texts().await, members[0].texts().await);
    assert_eq!(members[1].texts().await.len(), 12);
    assert_eq!(
        members[1].view().await.authenticator,
        members[0].view().await.authenticator
    );
    let numbers: Vec<_> = members[1]
        .client()
        .read(members[1].channel, Range::From(0, 100))
        .await
        .unwrap()
        .iter()
        .filter_map(|view| view.log_index)
        .collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wishes_to_leave_is_let_go_and_the_last_admin_is_not() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let members = group(&world, &node, &["Ada", "Ben"]).await;
    all_refresh(&members).await;
    assert_eq!(
        members[0].client().leave_group(members[0].channel).await,
        Err(Error::NoAdmin)
    );
    members[1].client().leave_group(members[1].channel).await.unwrap();
    let gone = async {
        while members[1].view().await.standing != "removed" {
            for member in &members {
                member.client().clock().shift(10_000);
            }
            world.clock.shift(10_000);
            all_refresh(&members).await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
    assert_eq!(members[0].view().await.members.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_and_erasures_find_entries_of_epochs_that_are_over() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let members = group(&world, &node, &["Ada", "Ben"]).await;
    all_refresh(&members).await;
    let early = members[0].say("early").await;
    all_refresh(&members).await;
    members[0]
        .client()
        .rename_group(members[0].channel, "later")
        .await
        .unwrap();
    all_refresh(&members).await;
    let late = members[0].say("late").await;
    all_refresh(&members).await;
    let (first, second) = (
        members[0].client().receipt(early).await.unwrap(),
        members[0].client().receipt(late).await.unwrap(),
    );
    assert_ne!(first.log, second.log);
    assert_eq!(second.log_index, 0, "the first of its epoch");
    members[0].client().erase(early).await.unwrap();
    all_refresh(&members).await;
    let log = waxwing_core::keys::LogId(hex(&first.log));
    let rows = world.log(&log);
    let body = &rows[usize::try_from(first.log_index).unwrap()].carried.body;
    assert!(matches!(body, waxwing_core::envelope::Body::Erased(_)), "{body:?}");
    let erased = members[0].client().message(early).await.unwrap();
    assert_eq!(erased.body, BodyKind::Erased);
}

fn hex(text: &str) -> [u8; 32] {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    core::array::from_fn(|index| digit(2 * index))
}

/// What members do before the power goes at one of them: everything that writes.
async fn busy_life(members: &[Member], promised: &mut Vec<String>) -> Result<(), Error> {
    let (ada, ben) = (&members[0], &members[1]);
    for round in 0..2 {
        ben.client()
            .send(ben.channel, Draft::text(&format!("Ben {round}"))?)
            .await?;
        promised.push(format!("Ben {round}"));
        // The epoch ends while Ben's words are on their way.
        ada.client()
            .rename_group(ada.channel, &format!("round {round}"))
            .await?;
        ada.client().refresh().await?;
        ada.client().refresh().await?;
        ben.client().refresh().await?;
        ada.client().refresh().await?;
    }
    ben.client().refresh().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_commit_of_any_member_leaves_all_in_one_epoch_with_one_history() {
    for who in [0, 1] {
        for side in [crate::store::Side::Before, crate::store::Side::After] {
            for number in 1.. {
                let world = World::new("test");
                let node = TestNode::honest(&world);
                let mut members = group(&world, &node, &["Ada", "Ben"]).await;
                all_refresh(&members).await;
                let mut promised = Vec::new();
                members[who].client().core.store().fuse.set(number, side);
                let outcome = busy_life(&members, &mut promised).await;
                if !members[who].client().core.store().fuse.is_burnt() {
                    outcome.unwrap();
                    assert!(number > 10, "there are many boundaries, not {number}");
                    break;
                }
                assert!(outcome.is_err(), "nobody is told that it went well");
                let restarted = members[who].person.again().await;
                members[who].person.client = restarted;
                all_refresh(&members).await;
                all_refresh(&members).await;
                let (ada, ben) = (members[0].texts().await, members[1].texts().await);
                assert_eq!(ada, ben, "{who} {side:?} {number}");
                let counted: BTreeSet<_> = ada.iter().collect();
                assert_eq!(
                    counted.len(),
                    ada.len(),
                    "nothing twice: {who} {side:?} {number}: {ada:?}"
                );
                assert!(
                    promised.iter().all(|words| ada.contains(words)),
                    "{who} {side:?} {number}: {ada:?}"
                );
                let (one, other) = (members[0].view().await, members[1].view().await);
                assert_eq!(one.authenticator, other.authenticator, "{who} {side:?} {number}");
                assert_eq!(one.standing, "member");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_on_a_closed_log_is_nothing() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let members = group(&world, &node, &["Ada", "Ben"]).await;
    all_refresh(&members).await;
    // Ben's message and Ada's change reach the ledger in one block; whichever is first, the words arrive once.
    for round in 0..6 {
        world.set_ordering(false);
        let words = format!("word {round}");
        if round % 2 == 0 {
            members[1].say(&words).await;
            members[1].refresh().await;
        }
        members[0]
            .client()
            .rename_group(members[0].channel, &format!("name {round}"))
            .await
            .unwrap();
        members[0].refresh().await;
        if round % 2 == 1 {
            members[1].say(&words).await;
            members[1].refresh().await;
        }
        world.order();
        world.set_ordering(true);
        all_refresh(&members).await;
        for member in &members {
            let texts = member.texts().await;
            assert_eq!(texts.iter().filter(|text| **text == words).count(), 1, "{texts:?}");
        }
    }
    let standing = members[1]
        .client()
        .core
        .read::<_, Error>({
            let channel = members[1].channel;
            move |tx| {
                let channel = channels::load(tx, channel)?.ok_or(Error::UnknownChannel)?;
                Ok(groups::standing(tx, &channel)?)
            }
        })
        .await
        .unwrap();
    assert_eq!(standing, Standing::Member);
}

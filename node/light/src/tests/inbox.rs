//! People who get together by links: asked, let in, told no; and what links do not do.

use std::sync::Arc;

use waxwing_core::limits::DAY_MS;
use waxwing_seal::inbox::Uses;

use super::*;
use crate::conversations::Joined;
use crate::error::{AskError, Error};
use crate::inbox::Inviting;
use crate::store::Side;
use crate::store::inboxes::{AskedState, RequestState};

const OPEN: Inviting = Inviting {
    uses: Uses::ONE,
    valid_ms: 7 * DAY_MS,
    asks: false,
};

fn for_people(count: u32) -> Inviting {
    Inviting {
        uses: Uses::new(count).unwrap(),
        ..OPEN
    }
}

/// Ada with a group, connected; the link of an invitation whose opening is final.
async fn founded(world: &Arc<World>, node: &TestNode, inviting: Inviting) -> (Person, ChannelId, String) {
    let ada = Person::on("Ada", world, &[node]).await;
    let channel = ada.client.found_group(world.network(), "plans").await.unwrap();
    let invited = ada.client.invite_to_group(channel, inviting).await.unwrap();
    assert_eq!(ada.client.answers_waiting().await, Ok(1), "the opening");
    ada.client.start();
    let opened = ada.client.settle(invited.opening, PATIENCE).await.unwrap();
    assert_eq!(opened.state, Ladder::Final);
    (ada, channel, invited.link.to_string())
}

async fn ask(person: &Person, link: &str, note: &str) -> i64 {
    match person.client.join_with(link, note).await.unwrap() {
        Joined::Asked(asked) => asked,
        other => panic!("{other:?}"),
    }
}

async fn said(person: &Person, channel: ChannelId) -> Vec<String> {
    let views = person.client.read(channel, Range::Last(100)).await.unwrap();
    views.into_iter().filter_map(|view| view.text).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_the_link_is_let_in_while_a_member_is_connected_and_messages_flow() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let (ada, hers, link) = founded(&world, &node, OPEN).await;
    let ben = Person::new("Ben").await;
    let asked = ask(&ben, &link, "").await;
    let answered = ben.client.answered(asked, PATIENCE).await.unwrap();
    assert_eq!(
        (answered.state, answered.name.as_deref()),
        (AskedState::Joined, Some("plans"))
    );
    let his = answered.channel.unwrap();
    ben.say_finally(his, "hello Ada").await;
    ada.say_finally(hers, "welcome").await;
    until("Ben reads it", async || {
        said(&ben, his).await == ["hello Ada", "welcome"]
    })
    .await;
    until("Ada reads it", async || {
        said(&ada, hers).await == ["hello Ada", "welcome"]
    })
    .await;
    assert_eq!(ada.client.requests().await.unwrap()[0].state, RequestState::LetIn);
    assert_eq!(ada.client.answers_waiting().await, Ok(0), "Ben has his answer");
    // Neither inboxes nor what goes through them are conversations.
    assert_eq!(ben.client.channels().await.unwrap().len(), 1);
    assert_eq!(ada.client.channels().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_compared_is_said_behind_their_messages_and_behind_nobody_elses() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let (ada, hers, link) = founded(&world, &node, OPEN).await;
    let ben = Person::new("Ben").await;
    let asked = ask(&ben, &link, "").await;
    let his = ben.client.answered(asked, PATIENCE).await.unwrap().channel.unwrap();
    ben.say_finally(his, "it is me").await;
    let own = ada.say_finally(hers, "is it?").await;
    until("Ada reads it", async || said(&ada, hers).await.len() == 2).await;
    let views = ada.client.read(hers, Range::Last(10)).await.unwrap();
    let bens = views
        .iter()
        .find(|view| view.text.as_deref() == Some("it is me"))
        .unwrap()
        .id;
    let person = async |message| {
        let why = ada.client.why(message).await.unwrap();
        why.checks
            .into_iter()
            .find(|check| check.check == "person")
            .unwrap()
            .result
    };
    assert_eq!(person(bens).await, crate::why::Finding::NotDone);
    let contact = ada.client.contacts().await.unwrap()[0].id;
    ada.client.note_compared(contact).await.unwrap();
    assert_eq!(person(bens).await, crate::why::Finding::Holds);
    assert_eq!(person(own.id).await, crate::why::Finding::NotDone);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seven_come_in_by_one_link_and_an_eighth_does_not() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let (ada, hers, link) = founded(&world, &node, for_people(3)).await;
    let mut newcomers = Vec::new();
    for name in ["Ben", "Cleo", "Dora"] {
        let person = Person::new(name).await;
        let asked = ask(&person, &link, "").await;
        person.client.start();
        newcomers.push((person, asked));
    }
    for (person, asked) in &newcomers {
        let answered = person.client.answered(*asked, PATIENCE).await.unwrap();
        assert_eq!(answered.state, AskedState::Joined, "{:?}", answered.reason);
    }
    until("all four are in", async || {
        ada.client.group(hers).await.unwrap().unwrap().members.len() == 4
    })
    .await;
    let late = Person::new("Eve").await;
    let asked = ask(&late, &link, "me too").await;
    let never = late.client.answered(asked, Duration::from_millis(1500)).await;
    assert_eq!(never, Err(Error::Ask(AskError::StillAsking)));
    assert_eq!(ada.client.requests().await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_consent_is_asked_for_nobody_comes_in_without_and_no_is_told() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let inviting = Inviting {
        asks: true,
        ..for_people(2)
    };
    let (ada, hers, link) = founded(&world, &node, inviting).await;
    let (ben, cleo) = (Person::new("Ben").await, Person::new("Cleo").await);
    let (bens, cleos) = (ask(&ben, &link, "it is me").await, ask(&cleo, &link, "let me in").await);
    ben.client.start();
    cleo.client.start();
    until("both have asked", async || {
        ada.client.requests().await.unwrap().len() == 2
    })
    .await;
    let requests = ada.client.requests().await.unwrap();
    assert!(requests.iter().all(|request| request.state == RequestState::Waiting));
    assert_eq!(ada.client.group(hers).await.unwrap().unwrap().members.len(), 1);
    let of = |name: &str| requests.iter().find(|request| request.name == name).unwrap();
    assert_eq!((of("Ben").note.as_str(), of("Ben").channel), ("it is me", Some(hers)));
    ada.client.accept_request(of("Ben").id).await.unwrap();
    ada.client.decline_request(of("Cleo").id).await.unwrap();
    assert_eq!(
        ada.client.accept_request(of("Cleo").id).await,
        Err(Error::Ask(AskError::UnknownRequest))
    );
    assert_eq!(
        ben.client.answered(bens, PATIENCE).await.unwrap().state,
        AskedState::Joined
    );
    let declined = cleo.client.answered(cleos, PATIENCE).await.unwrap();
    assert_eq!(
        (declined.state, declined.reason.as_deref()),
        (AskedState::Declined, Some("they said no"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_to_a_person_leads_to_a_conversation_of_two_once_they_agree() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let ada = Person::on("Ada", &world, &[&node]).await;
    let invited = ada.client.invite_contact(world.network(), OPEN).await.unwrap();
    ada.client.start();
    ada.client.settle(invited.opening, PATIENCE).await.unwrap();
    let ben = Person::new("Ben").await;
    let asked = ask(&ben, &invited.link, "remember me?").await;
    ben.client.start();
    until("Ben has asked", async || {
        ada.client.requests().await.unwrap().len() == 1
    })
    .await;
    ada.client
        .accept_request(ada.client.requests().await.unwrap()[0].id)
        .await
        .unwrap();
    let answered = ben.client.answered(asked, PATIENCE).await.unwrap();
    let (his, hers) = (
        answered.channel.unwrap(),
        ada.client.requests().await.unwrap()[0].channel.unwrap(),
    );
    assert!(ben.client.group(his).await.unwrap().unwrap().direct);
    ben.say_finally(his, "just us").await;
    until("Ada reads it", async || said(&ada, hers).await == ["just us"]).await;
    assert_eq!(ada.client.channels().await.unwrap()[0].name, "Ben");
    assert_eq!(ben.client.channels().await.unwrap()[0].name, "Ada");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_that_is_over_or_revoked_lets_nobody_in() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let (ada, hers, link) = founded(&world, &node, for_people(5)).await;
    assert_eq!(ada.client.join(&link).await, Err(Error::Ask(AskError::OwnInvitation)));
    assert_eq!(ada.client.revoke_invitations(Some(hers)).await, Ok(1));
    let ben = Person::new("Ben").await;
    let asked = ask(&ben, &link, "").await;
    let never = ben.client.answered(asked, Duration::from_millis(1500)).await;
    assert_eq!(never, Err(Error::Ask(AskError::StillAsking)));

    let late = ada.client.invite_to_group(hers, OPEN).await.unwrap();
    ada.client.settle(late.opening, PATIENCE).await.unwrap();
    let cleo = Person::new("Cleo").await;
    cleo.client.clock().shift(i64::try_from(8 * DAY_MS).unwrap());
    let asked = ask(&cleo, &late.link, "").await;
    let answered = cleo.client.answered(asked, PATIENCE).await.unwrap();
    assert_eq!(answered.state, AskedState::Failed);
    assert!(answered.reason.unwrap().contains("time of this invitation has passed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_taken_out_of_one_group_comes_into_another_and_back_into_the_first() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let (ada, first, link) = founded(&world, &node, OPEN).await;
    let ben = Person::new("Ben").await;
    let asked = ask(&ben, &link, "").await;
    let was = ben.client.answered(asked, PATIENCE).await.unwrap().channel.unwrap();
    let account = ben.client.account().await.unwrap().id;
    ada.client.remove_member(first, account).await.unwrap();
    until("Ben is out", async || {
        ben.client.group(was).await.unwrap().unwrap().standing == "removed"
    })
    .await;
    let second = ada.client.found_group(world.network(), "other plans").await.unwrap();
    for (channel, expected) in [(second, None), (first, Some(was))] {
        let invited = ada.client.invite_to_group(channel, OPEN).await.unwrap();
        ada.client.settle(invited.opening, PATIENCE).await.unwrap();
        let asked = ask(&ben, &invited.link, "").await;
        let answered = ben.client.answered(asked, PATIENCE).await.unwrap();
        let joined = answered.channel.unwrap_or_else(|| panic!("{:?}", answered.reason));
        assert!(
            expected.is_none_or(|expected| expected == joined),
            "back in, it is the same conversation"
        );
        ben.say_finally(joined, "here I am").await;
    }
    assert_eq!(ben.client.channels().await.unwrap().len(), 2);
}

/// Everything that writes when somebody is let in.
async fn coming_in(ada: &Client, ben: &Client, link: &str) -> Result<(), Error> {
    let Joined::Asked(asked) = ben.join(link).await? else {
        return Ok(());
    };
    for _ in 0..4 {
        ben.refresh().await?;
        ada.refresh().await?;
    }
    let is_in = ben
        .asked()
        .await?
        .iter()
        .any(|view| view.id == asked && view.channel.is_some());
    assert!(is_in, "{:?}", ben.asked().await?);
    Ok(())
}

/// The other one is in when both go on, and what he says is heard once.
async fn is_in_all_the_same(ada: &Client, ben: &Client, (hers, link): (ChannelId, &str), what: &str) {
    coming_in(ada, ben, link).await.unwrap();
    let his = ben.channels().await.unwrap()[0].id;
    let message = ben.send(his, Draft::text("in").unwrap()).await.unwrap();
    for _ in 0..3 {
        ben.refresh().await.unwrap();
        ada.refresh().await.unwrap();
    }
    assert_eq!(ben.message(message).await.unwrap().state, Ladder::Final, "{what}");
    let views = ada.read(hers, Range::Last(10)).await.unwrap();
    let heard = views.iter().filter(|view| view.text.as_deref() == Some("in")).count();
    assert_eq!(heard, 1, "{what}");
    assert_eq!(ada.group(hers).await.unwrap().unwrap().members.len(), 2, "{what}");
}

/// The power goes at each commit of one of the two in turn, while one lets the other in. Between two commits things are
/// submitted: before one of them is not after the one before it.
async fn crash_while_coming_in(who: usize, side: Side) {
    for number in 1.. {
        let world = World::new("test");
        let node = TestNode::honest(&world);
        let ada = Person::on("Ada", &world, &[&node]).await;
        let hers = ada.client.found_group(world.network(), "plans").await.unwrap();
        let invited = ada.client.invite_to_group(hers, OPEN).await.unwrap();
        ada.client.refresh().await.unwrap();
        ada.client.refresh().await.unwrap();
        let ben = Person::new("Ben").await;
        let victim = if who == 0 { &ada } else { &ben };
        victim.client.core.store().fuse.set(number, side);
        let outcome = coming_in(&ada.client, &ben.client, &invited.link).await;
        if !victim.client.core.store().fuse.is_burnt() {
            outcome.unwrap();
            assert!(number > 8, "there are many boundaries, not {number}");
            return;
        }
        let what = format!("{who} {side:?} {number}");
        let (adas, bens) = (ada.again().await, ben.again().await);
        is_in_all_the_same(&adas, &bens, (hers, invited.link.as_ref()), &what).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_before_any_commit_of_who_lets_somebody_in_changes_nothing() {
    crash_while_coming_in(0, Side::Before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_any_commit_of_who_lets_somebody_in_changes_nothing() {
    crash_while_coming_in(0, Side::After).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_before_any_commit_of_who_comes_in_changes_nothing() {
    crash_while_coming_in(1, Side::Before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_any_commit_of_who_comes_in_changes_nothing() {
    crash_while_coming_in(1, Side::After).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_invited_and_accepted_by_one_process_is_let_in_by_the_one_that_runs() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let ada = Person::on("Ada", &world, &[&node]).await;
    let hers = ada.client.found_group(world.network(), "plans").await.unwrap();
    ada.client.start();
    ada.say_finally(hers, "connected").await;
    let other = ada.again().await;
    let inviting = Inviting { asks: true, ..OPEN };
    // The other process connects to nobody at all.
    let invited = other.invite_to_group(hers, inviting).await.unwrap();
    let ben = Person::new("Ben").await;
    let asked = ask(&ben, &invited.link, "").await;
    ben.client.start();
    until("the one that runs hears him", async || {
        ada.client.requests().await.unwrap().len() == 1
    })
    .await;
    let request = other.requests().await.unwrap()[0].id;
    other.accept_request(request).await.unwrap();
    let answered = ben.client.answered(asked, PATIENCE).await.unwrap();
    assert_eq!(answered.state, AskedState::Joined);
}

/// A new machine, the 24 words and somebody's link: the first thing that many do there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recovered_device_asks_once_its_account_is_found() {
    for published in [true, false] {
        let world = World::new("test");
        let node = TestNode::honest(&world);
        let (ada, _, link) = founded(&world, &node, OPEN).await;
        let old = Person::on("Ben", &world, &[&node]).await;
        if published {
            old.client.publish_account(world.network()).await.unwrap();
            old.client.settle_account(world.network(), PATIENCE).await.unwrap();
        }
        let home = tempfile::tempdir().unwrap();
        let words = old.client.phrase().await.unwrap();
        let new = Client::recover(options(home.path()), "Ben", CHEAP, words)
            .await
            .unwrap();
        // The card is not read when this returns; the wish is durable all the same.
        let Joined::Asked(asked) = new.join_with(&link, "my new machine").await.unwrap() else {
            panic!("it is a person's link")
        };
        assert_eq!(new.asked().await.unwrap()[0].state, AskedState::Asking);
        let answered = new.answered(asked, PATIENCE).await.unwrap();
        assert_eq!(answered.state, AskedState::Joined, "{:?}", answered.reason);
        let devices = new.devices(world.network()).await.unwrap().devices;
        assert_eq!(devices.len(), if published { 2 } else { 1 });
        let person = Person { home, client: new };
        person.say_finally(answered.channel.unwrap(), "found it").await;
        let request = ada.client.requests().await.unwrap().remove(0);
        assert_eq!(request.account, old.client.account().await.unwrap().id.to_string());
    }
}

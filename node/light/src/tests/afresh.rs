//! Groups that go on: after wishes that cannot be, after two requests of one device, after a hundred epochs without somebody.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use waxwing_core::limits::DAY_MS;
use waxwing_net::wire::{Response, codec};
use waxwing_seal::inbox::Uses;

use super::groups::{Member, group};
use super::*;
use crate::conversations::Joined;
use crate::inbox::Inviting;
use crate::store::inboxes::AskedState;

/// Epochs that somebody misses.
const MISSED: u32 = 100;

const OPEN: Inviting = Inviting {
    uses: Uses::ONE,
    valid_ms: 7 * DAY_MS,
    asks: false,
};

pub(super) async fn link_of(member: &Member) -> String {
    let invited = member.client().invite_to_group(member.channel, OPEN).await.unwrap();
    member.refresh().await;
    invited.link.to_string()
}

pub(super) async fn ask(person: &Person, link: &str) -> i64 {
    match person.client.join(link).await.unwrap() {
        Joined::Asked(asked) => asked,
        other => panic!("{other:?}"),
    }
}

/// Both do whatever is due, until nothing is.
pub(super) async fn go_on(members: &[&Client]) {
    for _ in 0..5 {
        for client in members {
            client.clock().shift(3_000);
            client.refresh().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_twice_before_anybody_looks_is_let_in_and_keeps_nobody_waiting() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let members = group(&world, &node, &["Ada"]).await;
    let ada = &members[0];
    let links = [link_of(ada).await, link_of(ada).await];
    let ben = Person::new("Ben").await;
    let mut asked = Vec::new();
    for link in &links {
        asked.push(ask(&ben, link).await);
    }
    go_on(&[&ben.client]).await;
    // Both requests are there when Ada looks, and what she wants herself as well.
    ada.client()
        .rename_group(ada.channel, "not kept waiting")
        .await
        .unwrap();
    go_on(&[ada.client(), &ben.client]).await;
    let view = ada.client().group(ada.channel).await.unwrap().unwrap();
    assert_eq!((view.members.len(), view.changes_waiting), (2, 0));
    let views = ben.client.asked().await.unwrap();
    let last = views.iter().find(|view| view.id == asked[1]).unwrap();
    assert_eq!(last.state, AskedState::Joined, "{:?}", last.reason);
    let his = last.channel.unwrap();
    ben.say(his, "in").await;
    go_on(&[&ben.client, ada.client()]).await;
    let read = texts(ada.client(), ada.channel).await;
    assert!(read.contains(&"in".to_owned()), "{read:?}");
    assert_eq!(ada.client().channels().await.unwrap()[0].name, "not kept waiting");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wish_that_cannot_be_takes_no_other_with_it() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let members = group(&world, &node, &["Ada", "Ben"]).await;
    go_on(&[members[0].client(), members[1].client()]).await;
    let ada = &members[0];
    // Nobody would be left to act for the group: neither way.
    let own = ada.client().account().await.unwrap().id;
    ada.client().remove_member(ada.channel, own).await.unwrap();
    ada.client().appoint(ada.channel, own, false).await.unwrap();
    ada.client().rename_group(ada.channel, "kept").await.unwrap();
    go_on(&[ada.client(), members[1].client()]).await;
    for member in &members {
        let view = member.client().group(member.channel).await.unwrap().unwrap();
        assert_eq!(
            (view.standing, view.members.len(), view.changes_waiting),
            ("member", 2, 0)
        );
        assert_eq!(view.members.iter().filter(|member| member.admin).count(), 1);
        assert_eq!(member.client().channels().await.unwrap()[0].name, "kept");
    }
}

/// Counts what a node gives.
fn given_by(node: &TestNode) -> Arc<AtomicUsize> {
    let given = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&given);
    node.forges(move |_, _, reply| {
        let mut bytes = Vec::new();
        codec::encode(&reply, &mut bytes).unwrap();
        if let Ok(Response::Entries(_)) = &reply {
            assert!(bytes.len() > 32, "an answer has an entry");
        }
        counted.fetch_add(bytes.len(), Ordering::Relaxed);
        reply
    });
    given
}

/// Measures as well; the figures are printed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_who_missed_a_hundred_epochs_catches_up() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let names = ["Ada", "Ben", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hal"];
    let members = group(&world, &node, &names).await;
    go_on(&members.iter().map(Member::client).collect::<Vec<_>>()).await;
    let (ada, hal) = (&members[0], &members[7]);
    let before = hal.client().group(hal.channel).await.unwrap().unwrap().epoch;
    for round in 0..MISSED {
        ada.client()
            .rename_group(ada.channel, &format!("round {round}"))
            .await
            .unwrap();
        ada.refresh().await;
        ada.refresh().await;
        ada.person.say(ada.channel, &format!("said in {round}")).await;
        ada.refresh().await;
    }
    ada.refresh().await;
    let given = given_by(&node);
    let began = crate::clock::ticks();
    hal.refresh().await;
    let took = began.elapsed();
    let (hers, his) = (
        ada.client().group(ada.channel).await.unwrap().unwrap(),
        hal.client().group(hal.channel).await.unwrap().unwrap(),
    );
    println!(
        "{} epochs and {MISSED} messages missed in a group of {}: caught up in {} ms (test build), {} bytes read",
        his.epoch - before,
        names.len(),
        took.as_millis(),
        given.load(Ordering::Relaxed)
    );
    assert!(his.epoch >= before + u64::from(MISSED));
    assert_eq!((his.epoch, &his.authenticator), (hers.epoch, &hers.authenticator));
    let texts = texts(hal.client(), hal.channel).await;
    let said: Vec<&String> = texts.iter().filter(|text| text.starts_with("said in")).collect();
    let expected: Vec<String> = (0..MISSED).map(|round| format!("said in {round}")).collect();
    assert_eq!(said, expected.iter().collect::<Vec<_>>());
    // It can go on.
    hal.person.say(hal.channel, "what have I missed?").await;
    hal.refresh().await;
    ada.refresh().await;
    assert!(
        super::texts(ada.client(), ada.channel)
            .await
            .contains(&"what have I missed?".to_owned())
    );
}

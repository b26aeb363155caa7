//! Members who cannot follow: locked out by another's spite, or because their own keys are damaged. They notice, say so, write
//! nothing that nobody would read, and are added afresh, before everybody's eyes; and a liar's rubbish strands nobody.

pub(super) mod spite;

use waxwing_seal::group::GroupError;

use super::afresh::{ask, go_on, link_of};
use super::groups::{Member, group};
use super::*;
use crate::error::Error;
use crate::message::BodyKind;
use crate::store::StoreError;

async fn standing(member: &Member) -> &'static str {
    member.view().await.standing
}

async fn all_go_on(members: &[Member]) {
    let clients: Vec<_> = members.iter().map(Member::client).collect();
    go_on(&clients).await;
}

async fn device(member: &Member) -> String {
    member.client().account().await.unwrap().device.to_string()
}

/// By a link of another member, who need not be an admin. It is the same conversation afterwards.
async fn is_added_afresh(who: &Member, by: &Member, all: &[Member]) {
    let device = device(who).await;
    let link = link_of(by).await;
    let asked = ask(&who.person, &link).await;
    for _ in 0..3 {
        all_go_on(all).await;
    }
    let views = who.client().asked().await.unwrap();
    let view = views.iter().find(|view| view.id == asked).unwrap();
    assert_eq!(view.channel, Some(who.channel), "{:?}: {:?}", view.state, view.reason);
    for other in all
        .iter()
        .filter(|other| other.channel != who.channel || !std::ptr::eq(*other, who))
    {
        let read = other.client().read(other.channel, Range::Last(100)).await.unwrap();
        let afresh = read.iter().filter_map(|view| view.event.as_ref()).any(|event| {
            let has = |members: &[crate::MemberId]| members.iter().any(|member| member.device == device);
            has(&event.added) && has(&event.removed)
        });
        assert!(afresh, "the others see it");
    }
}

/// Newcomers renew keys after a wait that is drawn by lot: here they do not, so that an epoch ends when the test says so.
pub(super) async fn nobody_renews_keys(members: &[Member]) {
    for member in members {
        let kept = member
            .client()
            .core
            .write::<_, StoreError>(|tx| Ok(tx.execute("DELETE FROM wanted", [])?));
        kept.await.unwrap();
    }
}

/// Everybody says something that everybody reads, in one epoch.
async fn all_are_together(members: &[Member], words: &str) {
    all_go_on(members).await;
    nobody_renews_keys(members).await;
    all_go_on(members).await;
    for (number, member) in members.iter().enumerate() {
        member.person.say(member.channel, &format!("{words} {number}")).await;
    }
    all_go_on(members).await;
    let authenticator = members[0].view().await.authenticator;
    for member in members {
        let view = member.view().await;
        assert_eq!((view.standing, &view.authenticator), ("member", &authenticator));
        let read = member.texts().await;
        for number in 0..members.len() {
            assert!(read.contains(&format!("{words} {number}")), "{read:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_a_member_locks_out_says_so_stops_and_is_added_afresh_before_everybodys_eyes() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let mut members = group(&world, &node, &["Ada", "Ben", "Cleo"]).await;
    all_are_together(&members, "before").await;
    let queued = members[1].person.say(members[1].channel, "on its way").await;
    spite::lock_out(&world, &members[0], &device(&members[1]).await).await;
    all_go_on(&members).await;
    assert_eq!(standing(&members[0]).await, "member");
    assert_eq!(standing(&members[1]).await, "stranded");
    assert_eq!(standing(&members[2]).await, "member");
    let ben = &members[1];
    assert!(ben.client().channels().await.unwrap()[0].closed);
    let read = ben.client().read(ben.channel, Range::Last(100)).await.unwrap();
    let stranding = read.iter().rfind(|view| view.body == BodyKind::Unopened).unwrap();
    let why = stranding.reason.as_deref().unwrap();
    assert!(why.contains("ask a member to add you afresh"), "{why}");
    let given_up = ben.client().message(queued).await.unwrap();
    assert_eq!(given_up.state, Ladder::Failed);
    assert!(given_up.reason.unwrap().contains("cannot follow the group any more"));
    // It knows so after a restart, and nothing that it writes would be read.
    members[1].person.client = members[1].person.again().await;
    let ben = &members[1];
    assert_eq!(standing(ben).await, "stranded");
    let refused = ben.client().send(ben.channel, Draft::text("hello?").unwrap()).await;
    assert_eq!(refused, Err(Error::Group(GroupError::NotAMember)));
    members[0].person.say(members[0].channel, "without Ben").await;
    all_go_on(&members).await;
    is_added_afresh(&members[1], &members[2], &members).await;
    all_are_together(&members, "again").await;
    assert!(!members[1].texts().await.contains(&"without Ben".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubbish_that_looks_like_a_change_strands_nobody_and_the_doubt_ends_when_somebody_writes() {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let members = group(&world, &node, &["Ada", "Ben", "Cleo"]).await;
    all_are_together(&members, "before").await;
    // Written before it, and read behind it: that shows nothing.
    world.set_ordering(false);
    spite::post_rubbish(&world, &members[0]).await;
    members[2].person.say(members[2].channel, "at the same time").await;
    members[2].refresh().await;
    world.order();
    world.set_ordering(true);
    all_go_on(&members).await;
    for member in &members {
        assert!(member.texts().await.contains(&"at the same time".to_owned()));
        assert_eq!(standing(member).await, "in-doubt");
    }
    members[0].person.say(members[0].channel, "still here").await;
    all_go_on(&members).await;
    assert_eq!(standing(&members[0]).await, "in-doubt", "nobody else has written");
    assert_eq!(standing(&members[1]).await, "member");
    all_are_together(&members, "after").await;
}

/// Where the group library keeps what a device needs to follow, what is put there in its place, and what comes of it.
const DAMAGES: [(&str, &str, &str, Damage, &str); 4] = [
    (
        "openmls_epoch_keys_pairs",
        "1",
        "key_pairs",
        Damage::Nothing,
        "stranded",
    ),
    ("openmls_epoch_keys_pairs", "1", "key_pairs", Damage::OfBen, "stranded"),
    (
        "openmls_group_data",
        "data_type = 'message_secrets'",
        "group_data",
        Damage::Older,
        "in-doubt",
    ),
    (
        "openmls_group_data",
        "data_type = 'group_epoch_secrets'",
        "group_data",
        Damage::Older,
        "stranded",
    ),
];

/// What a fault of the program, or of a backup, leaves behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Damage {
    /// A list of nothing.
    Nothing,
    /// What another device has there.
    OfBen,
    /// What stood there an epoch ago.
    Older,
}

async fn value(member: &Member, (table, which, column): (&'static str, &'static str, &'static str)) -> Vec<u8> {
    let read = member.client().core.read::<_, StoreError>(move |tx| {
        let select = format!("SELECT {column} FROM {table} WHERE {which}");
        Ok(tx.query_row(&select, [], |row| row.get(0))?)
    });
    read.await.unwrap()
}

async fn put(member: &Member, (table, which, column): (&'static str, &'static str, &'static str), value: Vec<u8>) {
    let written = member.client().core.write::<_, StoreError>(move |tx| {
        let update = format!("UPDATE {table} SET {column} = ?1 WHERE {which}");
        assert_eq!(tx.execute(&update, [value])?, 1);
        Ok(())
    });
    written.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_lost_own_keys_never_goes_another_way_unaware_and_is_added_afresh() {
    for (table, which, column, damage, expected) in DAMAGES {
        let (world, place) = (World::new("test"), (table, which, column));
        let node = TestNode::honest(&world);
        let mut members = group(&world, &node, &["Ada", "Ben", "Cleo"]).await;
        all_are_together(&members, "before").await;
        let older = value(&members[2], place).await;
        let rename = async |members: &[Member], name| {
            let ada = &members[0];
            ada.client().rename_group(ada.channel, name).await.unwrap();
        };
        rename(&members, "next").await;
        all_go_on(&members).await;
        all_are_together(&members, "in the next epoch").await;
        let put_there = match damage {
            Damage::Nothing => vec![0x80],
            Damage::OfBen => value(&members[1], place).await,
            Damage::Older => older,
        };
        put(&members[2], place, put_there).await;
        members[2].person.client = members[2].person.again().await;
        rename(&members, "missed").await;
        all_go_on(&members[..2]).await;
        members[0].person.say(members[0].channel, "do you hear me?").await;
        all_go_on(&members).await;
        let came = standing(&members[2]).await;
        assert_eq!(came, expected, "{table} {which} {damage:?}");
        is_added_afresh(&members[2], &members[1], &members).await;
        all_are_together(&members, "again").await;
    }
}

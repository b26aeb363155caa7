//! Groups on the screen: changes between the messages, who is in, who asks, and a channel that this device is out of.

use insta::assert_snapshot;
use waxwing_light::{Event as GroupEvent, GroupView, MemberId, MemberView, MessageView, RequestState, RequestView};
use zeroize::Zeroizing;

use super::super::model::{Effect, Event};
use super::fixtures::{COLORED, GARDEN, NOON, Screen, author, channel, device, message};
use crate::chat::groups::who;
use crate::ids;

pub(super) fn account(number: u8) -> String {
    ids::hex(&[number + 50; 32])
}

pub(super) fn member(number: u8) -> MemberId {
    MemberId {
        account: account(number),
        device: device(number),
    }
}

/// A change of the group at this place in the garden.
pub(super) fn change(index: u64, event: GroupEvent) -> MessageView {
    let mut view = message(index, 2, "bob", "");
    let mut by = author(2, "bob");
    by.account = Some(account(2));
    (view.text, view.kind, view.content_id) = (None, None, None);
    (view.author, view.event) = (Some(by), Some(event));
    view
}

fn named(names: &[(u8, &str)], event: GroupEvent) -> GroupEvent {
    let names = names.iter().map(|(number, name)| (device(*number), (*name).to_owned()));
    GroupEvent {
        names: names.collect(),
        ..event
    }
}

/// What happens to the garden.
fn life() -> Vec<MessageView> {
    let added = named(
        &[(3, "carol"), (4, "bob added eve")],
        GroupEvent {
            added: vec![member(3), member(4)],
            ..GroupEvent::default()
        },
    );
    let left = named(
        &[(3, "carol")],
        GroupEvent {
            removed: vec![member(3)],
            left: vec![device(3)],
            ..GroupEvent::default()
        },
    );
    let renamed = GroupEvent {
        name: Some("winter garden \u{202e}".to_owned()),
        ..GroupEvent::default()
    };
    vec![
        message(0, 2, "bob", "the roses are out"),
        change(1, added),
        message(2, 2, "bob", "and who is here now?"),
        change(3, GroupEvent::default()),
        message(4, 3, "carol", "only me"),
        change(5, left),
        change(6, renamed),
    ]
}

fn in_group(messages: Vec<MessageView>, width: u16, height: u16) -> Screen {
    let mut screen = Screen::with(messages, COLORED, width, height);
    let mut garden = channel(1, "garden", 7);
    garden.group = true;
    screen.on(Event::Channels(vec![garden, channel(2, "kitchen", 0)]));
    screen.wanted.clear();
    screen
}

#[test]
fn changes_of_the_group_stand_between_the_messages_and_renewals_do_not() {
    let screen = in_group(life(), 100, 24);
    let picture = screen.picture();
    assert!(!picture.contains('\u{202e}'), "{picture}");
    assert_snapshot!("group_changes_100x24", picture);
    assert_snapshot!("group_changes_60x15", in_group(life(), 60, 15).picture());
}

#[test]
fn nobody_writes_what_looks_like_a_change_of_the_group() {
    let forged = vec![
        message(0, 2, "bob", "carol left"),
        message(1, 2, "· carol left", "\u{200b}"),
        life().swap_remove(5),
    ];
    for look in [
        COLORED,
        super::super::theme::Look {
            ascii: true,
            color: false,
        },
    ] {
        let screen = Screen::with(forged.clone(), look, 60, 15);
        let picture = screen.picture();
        let sign = if look.ascii {
            " *   carol left"
        } else {
            " ·   carol left"
        };
        let real = picture.lines().filter(|line| line.starts_with(sign)).count();
        assert_eq!(real, 1, "{picture}");
    }
}

#[test]
fn a_change_is_nothing_to_be_read_and_counts_as_nothing_new() {
    let mut screen = in_group(life(), 100, 24);
    let mut elsewhere = change(
        9,
        GroupEvent {
            leaving: true,
            ..GroupEvent::default()
        },
    );
    elsewhere.channel = waxwing_light::ChannelId(2);
    screen.on(Event::Changed(Box::new(elsewhere)));
    assert!(screen.model.unread.is_empty());
}

pub(super) fn group(standing: &'static str) -> GroupView {
    let member = |number: u8, name: Option<&str>, admin| MemberView {
        account: account(number),
        device: device(number),
        name: name.map(str::to_owned),
        admin,
        own: number == 1,
        leaving: number == 3,
    };
    GroupView {
        standing,
        direct: false,
        epoch: 12,
        suite: 0x4e,
        authenticator: ids::hex(&[8; 32]),
        members: vec![
            member(1, Some("alice"), true),
            member(2, Some("bob"), false),
            member(3, Some("b\u{43e}b"), false),
            member(4, None, false),
        ],
        history: "none".to_owned(),
        changes_waiting: 0,
    }
}

#[test]
fn the_people_of_a_channel_are_shown_with_what_tells_them_apart() {
    let mut screen = in_group(life(), 100, 24);
    screen.press("F9");
    assert!(screen.wanted.contains(&Effect::Members(GARDEN)));
    let group = group("member");
    let people = who::people(&group, &[]);
    screen.on(Event::Members(GARDEN, Box::new(group), people));
    assert_snapshot!("members_100x24", screen.picture());
    screen.press("Esc");
    assert!(screen.model.over.is_none());
    // A channel by link has none.
    screen.on(Event::Channels(vec![channel(1, "garden", 7)]));
    screen.wanted.clear();
    screen.press("F9");
    assert!(screen.wanted.is_empty() && screen.picture().contains("has no members"));
}

fn request(id: i64, name: &str, state: RequestState) -> RequestView {
    RequestView {
        id,
        account: account(9),
        device: device(9),
        name: name.to_owned(),
        note: "it is me\u{1b}[2J, let me in".to_owned(),
        channel: Some(GARDEN),
        invites: None,
        asked_ms: NOON,
        state,
    }
}

/// One was let in, two wait.
pub(super) fn asked() -> Vec<RequestView> {
    vec![
        request(1, "dora", RequestState::LetIn),
        request(2, "eve", RequestState::Waiting),
        request(3, "frank", RequestState::Waiting),
    ]
}

#[test]
fn whoever_asks_is_announced_once_and_answered_by_a_key() {
    let mut screen = in_group(life(), 100, 24);
    screen.on(Event::Requests(asked()));
    assert!(
        screen.picture().contains("frank asks to be let in: F10"),
        "{}",
        screen.picture()
    );
    screen.model.notice = None;
    screen.on(Event::Requests(asked()));
    assert!(screen.model.notice.is_none(), "nobody is told twice");
    screen.press("F10");
    let picture = screen.picture();
    assert!(!picture.contains('\u{1b}'));
    assert_snapshot!("requests_100x24", picture);
    screen.wanted.clear();
    // Those who wait are on top, the newest first.
    screen.press("Down");
    screen.press("y");
    assert!(screen.wanted == [Effect::Accept(2)]);
    screen.press("Up");
    screen.press("n");
    assert!(screen.wanted == [Effect::Accept(2), Effect::Decline(3)]);
    // Who has an answer gets no other.
    screen.press("Down");
    screen.press("Down");
    screen.press("Down");
    screen.press("y");
    assert_eq!(screen.wanted.len(), 2);
    screen.press("Esc");
    assert!(screen.model.over.is_none());
}

#[test]
fn a_key_is_for_the_request_that_was_pointed_at_though_others_come_in() {
    let mut screen = in_group(life(), 100, 24);
    screen.on(Event::Requests(asked()));
    screen.press("F10");
    screen.wanted.clear();
    // Frank is on top and pointed at; a request of somebody else comes in above, just before the key.
    let mut more = asked();
    more.push(request(4, "mallory", RequestState::Waiting));
    screen.on(Event::Requests(more));
    screen.press("y");
    assert!(screen.wanted == [Effect::Accept(3)], "Mallory was not meant");
    screen.wanted.clear();
    // The one that was pointed at is gone: no key is for another one instead.
    let mut fewer = asked();
    fewer.pop();
    screen.on(Event::Requests(fewer));
    assert!(screen.picture().contains("is gone: F10"), "{}", screen.picture());
    screen.press("y");
    assert!(!screen.wanted.iter().any(|effect| matches!(effect, Effect::Accept(_))));
}

#[test]
fn an_answer_is_given_to_nobody_where_nobody_asked() {
    let mut screen = in_group(life(), 60, 15);
    screen.press("F10");
    screen.wanted.clear();
    for key in ["y", "n", "Down", "Up"] {
        screen.press(key);
    }
    assert!(screen.wanted.is_empty() && screen.picture().contains("nobody has asked"));
}

#[test]
fn an_invitation_to_a_group_says_that_somebody_has_to_be_connected() {
    let mut screen = in_group(life(), 100, 50);
    screen.on(Event::Invited(GARDEN, Zeroizing::new("waxwing:AgB_".repeat(12))));
    let picture = screen.picture();
    assert!(picture.contains("while a member is connected"), "{picture}");
    assert!(!picture.contains("reads and writes the channel, from its beginning"));
}

#[test]
fn a_channel_that_this_device_is_out_of_is_closed_for_writing() {
    let mut screen = in_group(life(), 100, 24);
    let mut garden = channel(1, "garden", 7);
    (garden.group, garden.closed) = (true, true);
    screen.on(Event::Channels(vec![garden, channel(2, "kitchen", 0)]));
    assert_snapshot!("closed_100x24", screen.picture());
    screen.wanted.clear();
    screen.write("still here?");
    screen.press("Enter");
    let says = |effect: &Effect| matches!(effect, Effect::Say(_));
    assert!(!screen.wanted.iter().any(says));
    assert_eq!(
        screen.model.writing.text(),
        "still here?",
        "nothing that was written is lost"
    );
    let group = group("removed");
    let people = who::people(&group, &[]);
    screen.on(Event::Members(GARDEN, Box::new(group), people));
    assert!(screen.picture().contains("this device is out"), "{}", screen.picture());
}

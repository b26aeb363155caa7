//! Comparing with somebody, the page of a channel, links that are shown again, and keys that change.

use insta::assert_snapshot;
use waxwing_core::envelope::KeepFor;
use waxwing_light::{
    Consent, ContactDetail, ContactId, ContactView, KeyChange, Manners, MemberReach, Seen, Standstill,
};
use zeroize::Zeroizing;

use super::super::model::{Effect, Event, GroupChange};
use super::super::person::Person;
use super::super::theme::Look;
use super::fixtures::{COLORED, GARDEN, NOON, Screen, channel, device, message, network_id};
use super::groups::{account, change, group};
use crate::chat::groups::who;

const BOB: ContactId = ContactId(7);

fn contact(standstill: Standstill) -> ContactView {
    ContactView {
        id: BOB,
        account: account(2),
        name: "bob \u{202e}".to_owned(),
        claimed: "bob".to_owned(),
        petname: None,
        met_ms: NOON,
        consent: Consent::Given,
        compared_ms: None,
        blocked_ms: None,
        report: None,
        standstill,
        changed_ms: None,
        alike: Vec::new(),
    }
}

fn person(standstill: Standstill) -> Person {
    let change = |breaks, sentence: &str| KeyChange {
        network: network_id(),
        time_ms: NOON,
        device: None,
        breaks,
        sentence: sentence.to_owned(),
    };
    Person {
        detail: ContactDetail {
            contact: contact(standstill),
            keys: Vec::new(),
            changes: vec![
                change(true, "there is another account in their place"),
                change(false, "a device was added"),
            ],
        },
        digits: (1..=12).map(|group| format!("{:05}", group * 8_123)).collect(),
        emoji: ["🐶🚲☂\u{fe0f}", "🐱🎸🔨"]
            .iter()
            .cycle()
            .take(12)
            .map(|one| (*one).to_owned())
            .collect(),
        code: "57".repeat(73),
    }
}

fn in_group(look: Look, width: u16, height: u16) -> Screen {
    let mut bob = message(0, 2, "bob", "the roses are out");
    if let Some(author) = &mut bob.author {
        author.account = Some(account(2));
    }
    let mut screen = Screen::with(vec![bob], look, width, height);
    let mut garden = channel(1, "garden", 1);
    garden.group = true;
    screen.on(Event::Channels(vec![garden]));
    screen.wanted.clear();
    screen
}

/// Shows who is in the channel.
pub(super) fn list_members(screen: &mut Screen) {
    let list = group("member");
    let people = who::people(&list, &[]);
    screen.on(Event::Members(GARDEN, Box::new(list), people));
    screen.press("j");
}

/// Shows somebody to compare with.
pub(super) fn meet(screen: &mut Screen) {
    screen.on(Event::Person(Box::new(person(Standstill::None))));
}

/// Shows how the channel is used.
pub(super) fn choose_manners(screen: &mut Screen) {
    screen.on(Event::Manners(GARDEN, Box::new(manners())));
}

/// Whether everything that was wanted is this.
fn wanted(screen: &mut Screen, effects: &[Effect]) -> bool {
    let wanted = std::mem::take(&mut screen.wanted);
    wanted == effects
}

#[test]
fn somebody_is_compared_by_digits_emoji_and_a_code_where_there_is_room() {
    for (width, height) in [(60, 15), (80, 24), (120, 60)] {
        let mut screen = in_group(COLORED, width, height);
        screen.on(Event::Person(Box::new(person(Standstill::None))));
        let picture = screen.picture();
        assert!(
            picture.contains("don't match") && picture.contains("08123"),
            "{picture}"
        );
        assert_eq!(picture.contains('█'), height == 60, "{picture}");
        assert!(
            !picture.contains('\u{202e}') && !picture.contains('\u{fe0f}'),
            "{picture}"
        );
        assert_snapshot!(format!("compare_{width}x{height}"), picture);
    }
    let ascii = Look {
        ascii: true,
        color: false,
    };
    let mut screen = in_group(ascii, 80, 24);
    let mut changed = person(Standstill::KeysChanged);
    changed.detail.contact.name = "bob".to_owned();
    screen.on(Event::Person(Box::new(changed)));
    let picture = screen.picture();
    assert!(picture.is_ascii() && picture.contains("97476"), "{picture}");
    assert!(picture.contains("! the keys changed after you compared"), "{picture}");
}

#[test]
fn only_the_key_for_it_says_that_they_match_and_whoever_is_not_sure_says_no() {
    for (key, effects) in [
        ("y", vec![Effect::Compared(BOB, true)]),
        ("n", Vec::new()),
        ("Enter", Vec::new()),
        ("Esc", Vec::new()),
    ] {
        let mut screen = in_group(COLORED, 80, 24);
        screen.on(Event::Person(Box::new(person(Standstill::None))));
        screen.press(key);
        assert!(wanted(&mut screen, &effects), "{key}");
        let is_warned = screen.picture().contains("somebody may stand between you");
        assert_eq!(is_warned, key == "n" || key == "Enter", "{key}");
        if is_warned {
            screen.press("y");
            assert!(wanted(&mut screen, &[Effect::Block(BOB, true)]));
        }
    }
    // What was compared counts no longer; a change of keys is not agreed to by the way.
    for (standstill, effects) in [
        (Standstill::None, vec![Effect::Compared(BOB, false)]),
        (Standstill::KeysChanged, Vec::new()),
    ] {
        let mut screen = in_group(COLORED, 80, 24);
        let mut person = person(standstill);
        person.detail.contact.compared_ms = Some(NOON);
        screen.on(Event::Person(Box::new(person)));
        screen.press("n");
        assert!(wanted(&mut screen, &effects));
    }
}

#[test]
fn members_are_compared_taken_out_appointed_and_blocked_from_their_list() {
    let mut screen = in_group(COLORED, 80, 24);
    let list = group("member");
    let people = who::people(&list, &[]);
    screen.on(Event::Members(GARDEN, Box::new(list), people));
    for key in ["Enter", "x", "a", "b"] {
        screen.press(key);
        assert!(wanted(&mut screen, &[]), "{key}: nobody does any of this to themselves");
    }
    screen.press("j");
    screen.press("c");
    assert!(wanted(&mut screen, &[Effect::Person(GARDEN, account(2))]));
    screen.press("b");
    assert!(screen.picture().contains("is no contact yet"), "{}", screen.picture());
    screen.press("x");
    assert!(screen.picture().contains("take bob out?"), "{}", screen.picture());
    assert!(wanted(&mut screen, &[]), "it is asked first");
    screen.press("y");
    let removed = GroupChange::Remove(account(2));
    assert!(wanted(&mut screen, &[Effect::Group(GARDEN, removed)]));
}

#[test]
fn keys_answer_and_choose_nothing_that_a_small_window_hides() {
    let (mut screen, list) = (in_group(COLORED, 80, 24), group("member"));
    let people = who::people(&list, &[]);
    screen.on(Event::Members(GARDEN, Box::new(list), people));
    screen.press("j");
    screen.press("x");
    let question = screen.picture();
    assert!(question.contains("take bob out?"), "{question}");
    screen.on(Event::Resize(30, 8));
    for key in ["y", "n", "Enter", "Esc", "F9", "F11"] {
        screen.press(key);
        assert!(wanted(&mut screen, &[]), "{key}");
    }
    screen.on(Event::Resize(80, 24));
    assert_eq!(screen.picture(), question, "it is asked as before");
    screen.press("y");
    let removed = GroupChange::Remove(account(2));
    assert!(wanted(&mut screen, &[Effect::Group(GARDEN, removed)]));
}

#[test]
fn nobody_is_made_an_admin_or_none_without_being_asked_about() {
    let (mut screen, mut list) = (in_group(COLORED, 80, 24), group("member"));
    for (is_admin, says) in [(false, "make bob an admin?"), (true, "make bob an ordinary member?")] {
        list.members[1].admin = is_admin;
        for (answer, effects) in [
            ("n", vec![]),
            (
                "y",
                vec![Effect::Group(GARDEN, GroupChange::Appoint(account(2), !is_admin))],
            ),
        ] {
            let people = who::people(&list, &[]);
            screen.on(Event::Members(GARDEN, Box::new(list.clone()), people));
            screen.press("j");
            screen.press("a");
            assert!(screen.picture().contains(says), "{}", screen.picture());
            assert!(wanted(&mut screen, &[]), "it is asked first");
            screen.press(answer);
            assert!(wanted(&mut screen, &effects), "{says} {answer}");
        }
    }
}

#[test]
fn a_key_is_for_whom_the_list_of_people_points_at_though_others_come_in_above() {
    let (mut screen, mut list) = (in_group(COLORED, 80, 24), group("member"));
    let people = who::people(&list, &[]);
    screen.on(Event::Members(GARDEN, Box::new(list.clone()), people));
    screen.press("j");
    let mut newcomer = list.members[1].clone();
    (newcomer.account, newcomer.device) = (account(7), super::fixtures::device(7));
    list.members.insert(1, newcomer);
    let people = who::people(&list, &[]);
    screen.on(Event::Members(GARDEN, Box::new(list), people));
    screen.press("c");
    assert!(wanted(&mut screen, &[Effect::Person(GARDEN, account(2))]));
}

fn manners() -> Manners {
    let member = |number: u8, name: &str, own| MemberReach {
        device: device(number),
        name: name.to_owned(),
        own,
        held: 12,
        delivered: u64::from(number) * 3,
        read: 4,
    };
    Manners {
        receipts: false,
        seen: Seen::Auto,
        tells_seen: true,
        timer_days: 7,
        members: vec![member(1, "alice", true), member(2, "bob", false), member(3, "", false)],
    }
}

#[test]
fn timer_receipts_name_and_leaving_have_keys_on_the_page_of_the_channel() {
    let mut screen = in_group(COLORED, 80, 24);
    screen.press("F11");
    assert!(wanted(&mut screen, &[Effect::Manners(GARDEN)]));
    screen.on(Event::Manners(GARDEN, Box::new(manners())));
    assert_snapshot!("channel_80x24", screen.picture());
    let timers = [
        ("0", KeepFor::Ever),
        ("1", KeepFor::Day),
        ("2", KeepFor::Week),
        ("3", KeepFor::Month),
        ("4", KeepFor::Year),
    ];
    for (key, keep_for) in timers {
        screen.press(key);
        assert!(wanted(&mut screen, &[Effect::Timer(GARDEN, keep_for)]));
    }
    screen.press("r");
    screen.press("s");
    let switched = [Effect::Receipts(GARDEN, true), Effect::SeenBy(GARDEN, Seen::On)];
    assert!(wanted(&mut screen, &switched));
    screen.press("l");
    assert!(wanted(&mut screen, &[]) && screen.picture().contains("leave garden?"));
    screen.press("y");
    assert!(wanted(&mut screen, &[Effect::Group(GARDEN, GroupChange::Leave)]));
    screen.on(Event::Manners(GARDEN, Box::new(manners())));
    screen.press("n");
    screen.write("winter garden");
    screen.press("Enter");
    let renamed = GroupChange::Rename("winter garden".to_owned());
    assert!(wanted(&mut screen, &[Effect::Group(GARDEN, renamed)]));
    let mut small = in_group(COLORED, 60, 15);
    small.on(Event::Manners(GARDEN, Box::new(manners())));
    assert_snapshot!("channel_60x15", small.picture());
}

#[test]
fn a_new_channel_is_opened_on_the_network_that_is_open() {
    let mut screen = in_group(COLORED, 80, 24);
    screen.press("F12");
    screen.write("kitchen");
    screen.press("Enter");
    assert!(wanted(
        &mut screen,
        &[Effect::Found(network_id(), "kitchen".to_owned())]
    ));
    let mut nowhere = Screen::new(COLORED, 80, 24);
    nowhere.on(Event::Channels(Vec::new()));
    nowhere.press("F12");
    assert!(
        nowhere.picture().contains("no network is known here yet"),
        "{}",
        nowhere.picture()
    );
}

#[test]
fn a_link_is_shown_again_until_somebody_came_in() {
    let mut screen = in_group(COLORED, 80, 24);
    screen.press("F4");
    assert!(wanted(&mut screen, &[Effect::Invite(GARDEN)]));
    screen.on(Event::Invited(GARDEN, Zeroizing::new("waxwing:abc".to_owned())));
    screen.press("Esc");
    screen.press("F4");
    assert!(wanted(&mut screen, &[]) && screen.picture().contains("waxwing:abc"));
    screen.press("n");
    assert!(
        wanted(&mut screen, &[Effect::Invite(GARDEN)]),
        "another one is made if it is wanted"
    );
    screen.press("Esc");
    let added = waxwing_light::Event {
        added: vec![super::groups::member(3)],
        ..waxwing_light::Event::default()
    };
    screen.on(Event::Changed(Box::new(change(1, added))));
    screen.wanted.clear();
    screen.press("F4");
    assert!(
        wanted(&mut screen, &[Effect::Invite(GARDEN)]),
        "one that was used lets nobody in"
    );
}

#[test]
fn keys_that_change_are_told_once_and_stay_in_sight_where_they_stop_something() {
    let mut screen = in_group(COLORED, 100, 24);
    screen.on(Event::Contacts(vec![contact(Standstill::None)]));
    assert!(screen.model.notice.is_none());
    let mut changed = contact(Standstill::None);
    changed.changed_ms = Some(NOON);
    screen.on(Event::Contacts(vec![changed.clone()]));
    let picture = screen.picture();
    assert!(
        picture.contains("the keys of bob") && !picture.contains('\u{202e}'),
        "{picture}"
    );
    assert!(!picture.contains("compare again"), "it stops nothing: {picture}");
    screen.model.notice = None;
    screen.on(Event::Contacts(vec![changed]));
    assert!(screen.model.notice.is_none(), "nobody is told twice");
    let mut broken = contact(Standstill::KeysChanged);
    broken.changed_ms = Some(NOON + 1);
    screen.on(Event::Contacts(vec![broken.clone()]));
    screen.model.notice = None;
    let picture = screen.picture();
    assert!(picture.contains("changed: compare again (F9)"), "{picture}");
    // Whoever opens the screen later is told what stops something.
    let mut later = in_group(COLORED, 100, 24);
    later.on(Event::Contacts(vec![broken]));
    assert!(later.model.notice.is_some());
}

#[test]
fn a_screen_whose_keyboard_is_gone_ends() {
    let mut screen = in_group(COLORED, 80, 24);
    screen.write("half a sentence");
    screen.on(Event::Gone);
    assert!(wanted(&mut screen, &[Effect::Quit]));
}

//! What members tell each other beside what they say, as the screen shows it: who is meant, who has it, what is unread, how
//! long it stays.

use insta::assert_snapshot;
use ratatui::style::Modifier;
use waxwing_light::{ChannelId, Exception, Ladder, MentionView, MessageView, Range, ReachView};

use super::super::model::{Effect, Event};
use super::super::theme::Look;
use super::super::window::PAGE;
use super::fixtures::{COLORED, GARDEN, NOON, Screen, channel, device, message, waiting};

/// A message that means somebody, or nobody who is known.
fn meaning(index: u64, words: &str, part: (usize, usize), who: Option<(u8, &str)>) -> MessageView {
    let mut view = message(index, 2, "bob", words);
    view.mentions = vec![MentionView {
        begin: part.0,
        end: part.1,
        device: who.map(|(number, _)| device(number)),
        account: None,
        name: who.map(|(_, name)| name.to_owned()),
        me: who.is_some_and(|(number, _)| number == 1),
    }];
    view
}

fn reached(index: u64, words: &str, state: Ladder, held: u64) -> MessageView {
    let mut view = message(index, 1, "alice", words);
    view.state = state;
    view.reach = Some(ReachView {
        others: 2,
        held,
        delivered: 0,
        read: 0,
    });
    view
}

fn conversation() -> Vec<MessageView> {
    let mut gap = message(5, 3, "carol", "as I said");
    (gap.missing_before, gap.exceptions) = (2, vec![Exception::MissingBefore]);
    let mut timer = message(6, 3, "carol", "");
    (timer.kind, timer.text, timer.timer_days) = (Some("timer"), None, Some(7));
    let mut short = message(7, 2, "bob", "gone in a week");
    short.expires_ms = Some(NOON + 7 * 86_400_000);
    vec![
        meaning(0, "look, @Alice, the roses", (6, 12), Some((1, "alice"))),
        meaning(1, "\u{202e}@carol is \u{1b}[2J me", (1, 7), Some((4, "dave"))),
        meaning(2, "@somebody?", (0, 9), None),
        reached(3, "so they are", Ladder::SeenByAll, 2),
        reached(4, "all of them", Ladder::Final, 1),
        gap,
        timer,
        short,
    ]
}

fn screen(look: Look) -> Screen {
    let mut screen = Screen::with(conversation(), look, 100, 30);
    let mut garden = channel(1, "garden", 8);
    garden.timer_days = 7;
    let mut kitchen = channel(2, "kitchen", 5);
    (kitchen.unread, kitchen.mentioned, kitchen.first_unread) = (3, 1, Some(2));
    screen.on(Event::Channels(vec![garden, kitchen]));
    screen
}

#[test]
fn all_of_it_in_one_conversation() {
    assert_snapshot!("manners_100x30", screen(COLORED).picture());
    let mut detailed = screen(COLORED);
    detailed.press("F5");
    let picture = detailed.picture();
    assert!(picture.contains("seen by all"), "{picture}");
    assert!(
        picture.contains("held by 1 of 2") && picture.contains("disappears "),
        "{picture}"
    );
    let ascii = screen(Look {
        ascii: true,
        color: false,
    });
    let picture = ascii.picture();
    assert!(picture.contains(" ++  so they are"), "{picture}");
}

#[test]
fn who_is_meant_stands_out_also_without_colours() {
    for color in [true, false] {
        let screen = screen(Look { ascii: false, color });
        let buffer = screen.buffer();
        let bold = |word: &str| {
            let picture = screen.picture();
            let (y, line) = picture
                .lines()
                .enumerate()
                .find(|(_, line)| line.contains(word))
                .unwrap();
            let before = line.split(word).next().unwrap();
            let x = unicode_width::UnicodeWidthStr::width(before);
            let cell = &buffer[(u16::try_from(x).unwrap(), u16::try_from(y).unwrap())];
            cell.modifier.contains(Modifier::BOLD)
        };
        assert!(bold("@alice") && bold("@dave") && bold("@somebody"));
        assert!(!bold("look,"));
    }
}

#[test]
fn what_is_unread_is_what_the_store_counts_and_showing_it_is_told_once() {
    let mut screen = screen(COLORED);
    assert!(screen.picture().contains("kitchen"), "{}", screen.picture());
    let line = |screen: &Screen| {
        let picture = screen.picture();
        let mut left = picture
            .lines()
            .filter_map(|line| line.split_once('│'))
            .map(|(left, _)| left);
        left.find(|left| left.contains("kitchen")).unwrap().to_owned()
    };
    assert!(line(&screen).contains("@1 3"), "{}", line(&screen));
    screen.press("Ctrl-N");
    let kitchen = ChannelId(2);
    let mut page: Vec<MessageView> = (0..5).map(|index| message(index, 2, "bob", "tea?")).collect();
    for view in &mut page {
        view.channel = kitchen;
    }
    let newest = page[4].id;
    screen.on(Event::Page(kitchen, Range::Last(PAGE), page.clone()));
    let told = |screen: &Screen| {
        let shown = screen
            .wanted
            .iter()
            .filter(|effect| **effect == Effect::Shown(kitchen, newest));
        shown.count()
    };
    assert_eq!(told(&screen), 1);
    let picture = screen.picture();
    let new = picture
        .lines()
        .position(|line| line.contains(" new "))
        .expect("where reading goes on is marked");
    let texts: Vec<usize> = picture
        .lines()
        .enumerate()
        .filter(|(_, line)| line.contains("tea?"))
        .map(|(y, _)| y)
        .collect();
    assert_eq!(texts.iter().filter(|text| **text < new).count(), 2, "{picture}");
    screen.on(Event::Changed(Box::new(page[4].clone())));
    assert_eq!(told(&screen), 1, "once");
    let mut counted = channel(2, "kitchen", 5);
    (counted.unread, counted.mentioned) = (3, 1);
    screen.on(Event::Channels(vec![channel(1, "garden", 8), counted]));
    assert!(
        !line(&screen).contains('3'),
        "what is on the screen is not unread: {}",
        line(&screen)
    );
}

#[test]
fn what_is_not_on_the_screen_is_not_told_as_shown() {
    let mut screen = Screen::with(
        vec![message(0, 2, "bob", "one"), waiting(1, Ladder::Queued, "two")],
        COLORED,
        100,
        30,
    );
    screen.press("Up");
    screen.wanted.clear();
    screen.on(Event::Changed(Box::new(message(
        9,
        2,
        "bob",
        "below what is looked at",
    ))));
    let shown = |effect: &Effect| matches!(effect, Effect::Shown(GARDEN, _));
    assert!(!screen.wanted.iter().any(shown));
}

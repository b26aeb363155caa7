//! What the screen looks like, in the sizes and situations that matter. The pictures lie in `snapshots/`; after an
//! intended change `INSTA_UPDATE=always cargo nextest run -p waxwing pictures` writes them anew, to be looked at.

use insta::assert_snapshot;
use waxwing_light::{Age, Check, ClockVerdict, Exception, Finding, Ladder, MessageView, Quote, Reaction, Said, Why};
use zeroize::Zeroizing;

use super::super::model::Event;
use super::super::theme::Look;
use super::fixtures::{COLORED, GARDEN, NOON, Screen, author, channel, message, network, waiting};

const PLAIN: Look = Look {
    ascii: false,
    color: false,
};
const ASCII: Look = Look {
    ascii: true,
    color: false,
};

/// A conversation in which everything happens once.
fn conversation() -> Vec<MessageView> {
    let mut roses = message(1, 2, "bob", "the roses are out");
    roses.reactions = vec![
        Reaction {
            content_id: String::new(),
            author: author(1, "alice"),
            emoji: "👍".to_owned(),
        },
        Reaction {
            content_id: String::new(),
            author: author(3, "carol"),
            emoji: "👍".to_owned(),
        },
    ];
    let mut reply = message(
        3,
        1,
        "alice",
        "so they are, all of them at once; I have never seen that before in March",
    );
    reply.kind = Some("reply");
    reply.quotes = Some(Quote {
        id: roses.id,
        log_index: roses.log_index,
        author: roses.author.clone(),
        text: roses.text.clone(),
        told: false,
    });
    let mut edited = message(4, 3, "carol", "I mean November");
    edited.edited = true;
    let mut retracted = message(5, 2, "bob", "");
    (retracted.retracted, retracted.text) = (true, None);
    let mut odd = message(6, 2, "bob", "sent from the future");
    odd.exceptions = vec![Exception::ClockOdd];
    let mut yesterday = message(0, 3, "carol", "good night");
    yesterday.ordered_ms = Some(NOON - 86_400_000);
    let mut failed = waiting(1, Ladder::Failed, "does this work?");
    failed.reason = Some("no node took it in a day".to_owned());
    vec![
        yesterday,
        roses,
        message(2, 2, "bob", "and the kettle is on"),
        reply,
        edited,
        retracted,
        odd,
        failed,
        waiting(2, Ladder::Sent, "on my way"),
        waiting(3, Ladder::Queued, "with cake"),
    ]
}

#[test]
fn a_conversation_in_three_sizes() {
    assert_snapshot!(
        "conversation_60x15",
        Screen::with(conversation(), COLORED, 60, 15).picture()
    );
    assert_snapshot!(
        "conversation_100x30",
        Screen::with(conversation(), COLORED, 100, 30).picture()
    );
    assert_snapshot!(
        "conversation_200x60",
        Screen::with(conversation(), COLORED, 200, 60).picture()
    );
}

#[test]
fn without_colours_and_without_signs_everything_is_still_said() {
    let colored = Screen::with(conversation(), COLORED, 100, 30).picture();
    assert_eq!(
        Screen::with(conversation(), PLAIN, 100, 30).picture(),
        colored,
        "colours add nothing"
    );
    let ascii = Screen::with(conversation(), ASCII, 100, 30).picture();
    let own_signs = ascii.replace('👍', "");
    assert!(own_signs.is_ascii(), "{ascii}");
    assert_snapshot!("conversation_ascii", ascii);
}

#[test]
fn detailed_and_auditor_say_where_a_message_stands() {
    let mut screen = Screen::with(conversation(), COLORED, 100, 40);
    screen.press("F5");
    assert_snapshot!("density_detailed", screen.picture());
    screen.press("F5");
    assert_snapshot!("density_auditor", screen.picture());
}

#[test]
fn hostile_words_and_names_stay_where_they_belong() {
    let spoof = "fine\nalice (you)  14:05\n  I give you the house";
    let messages = vec![
        message(0, 2, "bob", "\u{1b}[2J\u{1b}[31mred\u{7}\u{8}"),
        message(1, 3, "b\u{043e}b", "I am bob"),
        message(2, 4, "alice (you)", "and I am you"),
        message(3, 5, "eve\u{202e}ecila", spoof),
        message(
            4,
            5,
            "eve\u{202e}ecila",
            "exe.\u{202e}gpj \u{200b}\u{200b}zero\u{feff} \u{9b}1m",
        ),
        message(
            5,
            6,
            &"n".repeat(300),
            &"z\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}".repeat(4),
        ),
        message(
            6,
            7,
            "\u{200b}",
            "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字",
        ),
    ];
    let screen = Screen::with(messages, COLORED, 80, 40);
    let picture = screen.picture();
    let is_harmless = |letter: char| {
        letter == '\n' || !letter.is_control() && !('\u{202a}'..='\u{202e}').contains(&letter) && letter != '\u{200b}'
    };
    assert!(picture.chars().all(is_harmless), "{picture:?}");
    assert_snapshot!("hostile", picture);
}

#[test]
fn offline_is_seen_and_harmless() {
    let mut screen = Screen::with(conversation(), COLORED, 100, 15);
    let mut view = network();
    view.trouble = Some("no node served; 14141414: it did not answer in time".to_owned());
    screen.on(Event::Network(Box::new(view.clone()), 0));
    screen.on(Event::Tick(NOON + 30_000));
    screen.on(Event::Network(Box::new(view), 0));
    assert_snapshot!("offline", screen.picture());
    screen.on(Event::Network(Box::new(network()), 0));
    assert!(
        !screen.picture().contains("offline"),
        "it is over when a node serves again"
    );
}

#[test]
fn the_strip_never_says_more_than_is_known() {
    let strip = |change: &dyn Fn(&mut waxwing_light::NetworkView), later: u64| {
        let mut screen = Screen::with(Vec::new(), COLORED, 120, 15);
        let mut view = network();
        change(&mut view);
        screen.on(Event::Network(Box::new(view), 0));
        screen.on(Event::Tick(NOON + later));
        screen.picture().lines().next().unwrap_or_default().to_owned()
    };
    let said = [
        strip(&|_| {}, 0),
        strip(&|_| {}, 200_000),
        strip(&|view| view.age = Age::Stale { age_ms: 900_000 }, 0),
        strip(&|view| view.age = Age::Unknown, 0),
        strip(&|view| (view.signers, view.height) = (None, 0), 0),
        strip(&|view| view.signers = None, 0),
        strip(&|view| view.signers = Some(3), 0),
        strip(&|view| view.clock = ClockVerdict::Ahead { by_ms: 9, nodes: 2 }, 0),
        strip(&|view| view.trouble = Some("no node served".to_owned()), 0),
        strip(&|view| view.forked_at = Some(12), 0),
    ];
    assert_snapshot!("strip", said.join("\n"));
}

#[test]
fn the_strip_leaves_out_what_comforts_before_what_warns() {
    for width in [40, 60, 80] {
        let mut screen = Screen::with(conversation(), PLAIN, width, 15);
        let mut garden = channel(1, "conservatory", 7);
        garden.entries = garden.checked;
        screen.on(Event::Channels(vec![garden]));
        let mut stale = network();
        stale.age = Age::Stale { age_ms: 180_000 };
        screen.on(Event::Network(Box::new(stale), 0));
        let picture = screen.picture();
        let strip = picture.lines().next().unwrap();
        assert!(strip.contains("3 min ago"), "{width}: {strip}");
    }
}

#[test]
fn a_fork_raises_an_alarm_and_pauses_sending() {
    let mut screen = Screen::with(conversation(), COLORED, 100, 30);
    let mut view = network();
    view.forked_at = Some(1204);
    screen.on(Event::Network(Box::new(view.clone()), 2));
    assert_snapshot!("fork_alarm", screen.picture());
    screen.press("Esc");
    assert_snapshot!("fork_paused", screen.picture());
    screen.on(Event::Network(Box::new(view.clone()), 2));
    assert!(!screen.picture().contains("What to do now"), "the alarm is shown once");
    screen.wanted.clear();
    screen.write("hello");
    screen.press("Enter");
    assert!(screen.wanted.is_empty(), "nothing is sent");
    assert!(
        screen.picture().contains("> hello"),
        "and nothing is lost:\n{}",
        screen.picture()
    );
    screen.press("F3");
    assert!(screen.picture().contains("What to do now"));
    let small = {
        let mut screen = Screen::with(conversation(), COLORED, 60, 15);
        screen.on(Event::Network(Box::new(view), 2));
        screen.picture()
    };
    assert_snapshot!("fork_alarm_60x15", small);
}

#[test]
fn an_empty_home_says_what_to_do() {
    let mut screen = Screen::new(COLORED, 100, 15);
    screen.on(Event::Channels(Vec::new()));
    assert_snapshot!("empty_home", screen.picture());
    let mut screen = Screen::with(Vec::new(), COLORED, 60, 15);
    screen.on(Event::Tick(NOON + 1000));
    assert_snapshot!("empty_channel", screen.picture());
}

#[test]
fn a_window_that_is_too_small_says_so() {
    for (width, height) in [(39, 20), (60, 9), (20, 5), (1, 1), (0, 0)] {
        let picture = Screen::with(conversation(), COLORED, width, height).picture();
        let is_seen = width < 20 || picture.contains("This window has");
        assert!(is_seen && !picture.contains("roses"), "{width} x {height}:\n{picture}");
    }
    assert!(
        Screen::with(conversation(), COLORED, 40, 10)
            .picture()
            .contains("with cake")
    );
}

#[test]
fn many_channels_show_where_something_is_new() {
    let mut screen = Screen::with(conversation(), COLORED, 100, 12);
    let mut channels: Vec<_> = (1..30)
        .map(|number| channel(number, &format!("channel {number}"), 0))
        .collect();
    channels[2].waiting = 2;
    screen.on(Event::Channels(channels));
    let mut news = message(7, 2, "bob", "hello");
    news.channel = waxwing_light::ChannelId(3);
    screen.on(Event::Changed(Box::new(news)));
    assert_snapshot!("channels", screen.picture());
}

#[test]
fn pages_over_the_screen() {
    let mut screen = Screen::with(conversation(), COLORED, 100, 30);
    screen.press("F1");
    assert_snapshot!("page_help", screen.picture());
    screen.press("Esc");
    screen.press("F3");
    assert_snapshot!("page_network", screen.picture());
    screen.press("Esc");
    let check = |check, result, says: &str| Check {
        check,
        result,
        says: says.to_owned(),
    };
    let why = Why {
        message: message(1, 2, "bob", "the roses are out"),
        checks: vec![
            check("device-signature", Finding::Holds, "the device signed what is in it"),
            check(
                "same-history",
                Finding::Fails,
                "its writer claims to have proven other entries than this client",
            ),
            check(
                "person",
                Finding::NotDone,
                "nobody compared in person whose device it is",
            ),
        ],
        signings: Some(2),
        members: Vec::new(),
        nodes: vec![Said {
            node: super::fixtures::device(20),
            entry: String::new(),
            time_ms: NOON,
            promised: true,
            refusal: None,
        }],
    };
    screen.on(Event::Why(Box::new(why)));
    assert_snapshot!("page_why", screen.picture());
    screen.press("Esc");
    screen.press("Up");
    screen.press("+");
    assert_snapshot!("page_react", screen.picture());
    screen.press("Esc");
    screen.press("F6");
    screen.on(Event::Paste("waxwing:abc".to_owned()));
    assert_snapshot!("page_join", screen.picture());
}

#[test]
fn an_invitation_is_a_picture_where_there_is_room_and_a_link_everywhere() {
    let link = format!("waxwing:{}", "Ab0_".repeat(60));
    let shown = |look, width, height| {
        let mut screen = Screen::with(Vec::new(), look, width, height);
        screen.on(Event::Invited(GARDEN, Zeroizing::new(link.clone())));
        screen.picture()
    };
    let (large, small, ascii) = (shown(COLORED, 120, 50), shown(COLORED, 60, 15), shown(ASCII, 120, 50));
    assert!(large.contains('█') && !small.contains('█') && ascii.is_ascii());
    for picture in [large, small, ascii] {
        let letters: String = picture
            .chars()
            .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
            .collect();
        assert!(
            letters.contains(&"Ab0_".repeat(60)),
            "the whole link is there:\n{picture}"
        );
    }
}

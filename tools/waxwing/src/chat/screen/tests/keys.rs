//! What each key does, by what the screen wants then and what it shows.

use insta::assert_snapshot;
use waxwing_light::{ChannelId, Hit, Ladder, MessageId, MessageView, Range, Reaction};
use zeroize::Zeroizing;

use super::super::keys::{Action, BINDINGS, Binding, Place, name};
use super::super::model::{Density, Effect, Event, Focus, Say};
use super::super::writing::Purpose;
use super::fixtures::{COLORED, GARDEN, NOON, Screen, author, channel, message, network, network_id, waiting};

fn messages() -> Vec<MessageView> {
    vec![
        message(0, 2, "bob", "the roses are out"),
        message(1, 1, "alice", "so they are"),
        waiting(1, Ladder::Failed, "does this work?"),
    ]
}

fn screen() -> Screen {
    Screen::with(messages(), COLORED, 100, 30)
}

fn is(effects: &[Effect], wanted: &Effect) -> bool {
    effects.contains(wanted)
}

/// Brings a screen to a place.
fn at(place: Place) -> Screen {
    let mut screen = screen();
    match place {
        Place::Anywhere | Place::Writing => {}
        Place::Messages => screen.press("Up"),
        Place::Channels => screen.press("Shift-Tab"),
        Place::Page => screen.press("F1"),
        Place::Question => {
            screen.press("Up");
            screen.press("k");
            screen.press("d");
        }
        Place::Reaction => {
            screen.press("Up");
            screen.press("+");
        }
        Place::Line => screen.press("F6"),
        Place::Search => screen.press("F7"),
        Place::Requests => screen.press("F10"),
        Place::Members => super::person::list_members(&mut screen),
        Place::Person => super::person::meet(&mut screen),
        Place::Manners => super::person::choose_manners(&mut screen),
    }
    let wanted = if place == Place::Anywhere {
        Place::Writing
    } else {
        place
    };
    assert!(screen.model.place() == wanted, "{place:?}");
    screen
}

/// All of a screen that a key can change, as text.
fn state(screen: &Screen) -> String {
    let model = &screen.model;
    format!(
        "{:?} {:?} {:?} {:?} {:?} {}",
        model.focus,
        model.selected,
        model.density,
        model.scroll,
        model.notice,
        screen.picture()
    )
}

/// Makes a screen one on which the binding has something to do.
fn prepare(binding: &Binding, screen: &mut Screen) {
    if matches!(
        binding.action,
        Action::Up | Action::PageUp | Action::First | Action::ChannelBack
    ) {
        // Something has to be above.
        match (binding.place, binding.action) {
            (Place::Page, _) => screen.press("PgDn"),
            (Place::Channels, _) | (_, Action::ChannelBack) => screen.press("Ctrl-N"),
            _ => {}
        }
    }
    if matches!(
        (binding.place, binding.action),
        (Place::Messages, Action::Down | Action::Last | Action::PageDown)
    ) {
        screen.press("g");
    }
    if (binding.place, binding.action) == (Place::Anywhere, Action::PageDown) {
        screen.press("PgUp");
    }
    if binding.place == Place::Requests {
        screen.on(Event::Requests(super::groups::asked()));
        if binding.action == Action::Up {
            screen.press("Down");
        }
    }
    if matches!(binding.place, Place::Person | Place::Manners) {
        screen.on(Event::Resize(60, 15));
        if matches!(binding.action, Action::Up | Action::PageUp) {
            screen.press("Down");
        }
    }
    prepare_action(binding, screen);
}

/// What an action needs, wherever it is bound.
fn prepare_action(binding: &Binding, screen: &mut Screen) {
    match binding.action {
        Action::Fresh => screen.on(Event::Invited(GARDEN, Zeroizing::new("waxwing:abc".to_owned()))),
        Action::Send => screen.write("hello"),
        Action::Compare => {
            screen.press("Esc");
            screen.press("F3");
        }
        Action::Edit | Action::Retract => screen.press("k"),
        Action::Choose if binding.place == Place::Line => screen.write("waxwing:abc"),
        Action::Choose if binding.place == Place::Search => screen.write("roses"),
        Action::Up | Action::Down if binding.place == Place::Search => {
            screen.on(Event::Found("roses".to_owned(), hits()));
            screen.press(if binding.action == Action::Up { "Down" } else { "Up" });
        }
        Action::Choose => screen.write(":)"),
        Action::Leave if binding.place == Place::Writing => {
            screen.press("Up");
            screen.press("r");
        }
        _ => {}
    }
}

#[test]
fn every_binding_does_something_where_it_holds() {
    for binding in BINDINGS {
        for chord in binding.keys {
            let mut screen = at(binding.place);
            prepare(binding, &mut screen);
            let (before, wanted) = (state(&screen), screen.wanted.len());
            screen.press(&name(*chord));
            let did = screen.wanted.len() > wanted || state(&screen) != before;
            assert!(did, "{} at {:?} does nothing", name(*chord), binding.place);
        }
    }
}

#[test]
fn enter_sends_what_was_written_and_empties_the_field() {
    let mut screen = screen();
    screen.press("Enter");
    assert!(screen.wanted.is_empty(), "nothing is sent for nothing");
    screen.write("two lines:");
    screen.press("Alt-Enter");
    screen.write("this one too ");
    screen.press("Enter");
    let said = Effect::Say(Say::Words(GARDEN, Purpose::Text, "two lines:\nthis one too".to_owned()));
    assert!(is(&screen.wanted, &said) && screen.model.writing.is_empty());
}

#[test]
fn what_was_refused_comes_back_to_where_it_was_written() {
    let refused = |purpose, words: &str| {
        let say = Say::Words(GARDEN, purpose, words.to_owned());
        Event::Refused(say, "the text is too long".to_owned())
    };
    let mut screen = screen();
    screen.on(refused(Purpose::Edit(MessageId(2)), "precious"));
    assert_eq!(screen.model.writing.text(), "precious");
    let picture = screen.picture();
    assert!(
        picture.contains("the text is too long") && picture.contains("edit your message"),
        "{picture}"
    );
    screen.on(refused(Purpose::Text, "older"));
    assert_eq!(
        screen.model.writing.text(),
        "precious\nolder",
        "what is being written is not covered"
    );
    let mut screen = self::screen();
    screen.press("Ctrl-N");
    screen.write("for the kitchen");
    screen.on(refused(Purpose::Text, "for the garden"));
    assert_eq!(
        screen.model.writing.text(),
        "for the kitchen",
        "it goes to no other channel"
    );
    screen.press("Ctrl-P");
    assert_eq!(screen.model.writing.text(), "for the garden");
}

#[test]
fn a_reply_names_what_it_answers_and_can_be_given_up() {
    let mut screen = screen();
    screen.press("Up");
    screen.press("g");
    screen.press("r");
    assert!(screen.model.focus == Focus::Writing && screen.picture().contains("reply to bob: the roses are out"));
    screen.write("yes");
    screen.press("Esc");
    assert!(!screen.picture().contains("reply to bob") && screen.picture().contains("> yes"));
    screen.press("Esc");
    let mut screen = self::screen();
    screen.press("Up");
    screen.press("g");
    screen.press("r");
    screen.write("yes");
    screen.press("Enter");
    assert!(is(
        &screen.wanted,
        &Effect::Say(Say::Words(
            GARDEN,
            Purpose::Reply(MessageId(1), "bob: the roses are out".to_owned()),
            "yes".to_owned()
        ))
    ));
}

#[test]
fn only_own_messages_are_edited_and_taken_back_and_the_latter_asks_first() {
    let mut screen = screen();
    screen.press("Up");
    screen.press("g");
    screen.press("e");
    screen.press("d");
    assert!(screen.model.over.is_none() && screen.wanted.is_empty());
    screen.press("j");
    screen.press("e");
    assert_eq!(screen.model.writing.text(), "so they are");
    screen.write("!");
    screen.press("Enter");
    assert!(is(
        &screen.wanted,
        &Effect::Say(Say::Words(
            GARDEN,
            Purpose::Edit(MessageId(2)),
            "so they are!".to_owned()
        ))
    ));
    let retraction = Effect::Say(Say::Retract(MessageId(2)));
    for (answer, goes) in [("n", false), ("Esc", false), ("Enter", false), ("y", true)] {
        let mut screen = self::screen();
        screen.press("Up");
        screen.press("k");
        screen.press("d");
        screen.press(answer);
        assert!(screen.model.over.is_none());
        assert_eq!(is(&screen.wanted, &retraction), goes, "{answer}");
    }
}

#[test]
fn a_reaction_is_chosen_by_a_digit_or_typed_and_taken_back_by_the_same() {
    let mut screen = screen();
    screen.press("Up");
    screen.press("g");
    screen.press("+");
    screen.write("1");
    assert!(is(
        &screen.wanted,
        &Effect::Say(Say::React(MessageId(1), "👍".to_owned()))
    ));
    screen.press("+");
    screen.write("🦉");
    screen.press("Enter");
    assert!(is(
        &screen.wanted,
        &Effect::Say(Say::React(MessageId(1), "🦉".to_owned()))
    ));
    let mut liked = message(0, 2, "bob", "the roses are out");
    liked.reactions.push(Reaction {
        content_id: String::new(),
        author: author(1, "alice"),
        emoji: "👍".to_owned(),
    });
    screen.on(Event::Changed(Box::new(liked)));
    screen.press("+");
    screen.write("1");
    assert!(is(
        &screen.wanted,
        &Effect::Say(Say::Unreact(MessageId(1), "👍".to_owned()))
    ));
}

#[test]
fn a_failed_message_is_tried_again_and_another_is_not() {
    let mut screen = screen();
    screen.press("Up");
    screen.press("t");
    assert!(is(&screen.wanted, &Effect::Retry(MessageId(1_000_001))));
    screen.wanted.clear();
    screen.press("k");
    screen.press("t");
    assert!(screen.wanted.is_empty());
}

#[test]
fn drafts_stay_with_their_channels() {
    let mut screen = screen();
    screen.write("for the garden");
    screen.press("Ctrl-N");
    assert!(screen.model.writing.is_empty());
    screen.write("for the kitchen");
    screen.press("Ctrl-P");
    assert_eq!(screen.model.writing.text(), "for the garden");
    screen.press("Ctrl-N");
    assert_eq!(screen.model.writing.text(), "for the kitchen");
}

#[test]
fn leaving_asks_once_if_something_is_not_sent() {
    let mut screen = screen();
    screen.press("Ctrl-C");
    assert!(is(&screen.wanted, &Effect::Quit));
    let mut screen = self::screen();
    screen.write("almost");
    screen.press("Ctrl-C");
    assert!(!is(&screen.wanted, &Effect::Quit) && screen.picture().contains("not sent"));
    screen.write(" done");
    screen.press("Ctrl-C");
    assert!(
        !is(&screen.wanted, &Effect::Quit),
        "it asks anew after something else was done"
    );
    screen.press("Ctrl-C");
    assert!(is(&screen.wanted, &Effect::Quit));
}

#[test]
fn pasted_text_is_written_as_it_will_be_seen() {
    let mut screen = screen();
    screen.on(Event::Paste("a\nb\u{202e}c\u{1b}\rd\r\ne".to_owned()));
    assert_eq!(screen.model.writing.text(), "a\nb⟨202E⟩c␛\nd\ne");
    assert!(screen.wanted.is_empty(), "a line break in it does not send it");
}

#[test]
fn a_link_is_pasted_and_joined() {
    let mut screen = screen();
    screen.press("F6");
    screen.on(Event::Paste(" waxwing:abc\n".to_owned()));
    screen.press("Enter");
    assert!(is(
        &screen.wanted,
        &Effect::Join(Zeroizing::new("waxwing:abc".to_owned()))
    ));
    screen.on(Event::Joined(ChannelId(7)));
    screen.on(Event::Channels(vec![channel(1, "garden", 0), channel(7, "attic", 0)]));
    assert_eq!(screen.model.open().map(|open| open.name.as_str()), Some("attic"));
}

#[test]
fn the_density_goes_round() {
    let mut screen = screen();
    let mut seen = Vec::new();
    for _ in 0..3 {
        screen.press("F5");
        seen.push(screen.model.density);
    }
    assert_eq!(seen, [Density::Detailed, Density::Auditor, Density::Calm]);
}

#[test]
fn pages_scroll_to_their_end_and_no_further() {
    let mut screen = Screen::with(messages(), COLORED, 60, 15);
    screen.press("F1");
    let top = screen.picture();
    screen.press("G");
    let end = screen.picture();
    assert!(end.contains("the end") && end != top);
    for key in ["j", "PgDn", "Down"] {
        screen.press(key);
        assert_eq!(screen.picture(), end, "{key}");
    }
    screen.press("g");
    assert_eq!(screen.picture(), top);
}

/// Two messages that say "roses".
fn hits() -> Vec<Hit> {
    let hit = |index, text: &str, matches| Hit {
        message: message(index, 2, "bob", text),
        matches,
    };
    vec![
        hit(0, "the roses are out", vec![(4, 9)]),
        hit(50, "\u{202e}more roses", vec![(6, 11)]),
    ]
}

#[test]
fn what_is_found_is_gone_to() {
    let mut screen = screen();
    screen.press("F7");
    screen.write("roses");
    screen.press("Enter");
    assert!(is(&screen.wanted, &Effect::Search("roses".to_owned())));
    screen.on(Event::Found("roses".to_owned(), hits()));
    assert_snapshot!("search", screen.picture());
    screen.wanted.clear();
    screen.press("Enter");
    let range = Range::From(0, 100);
    assert!(
        is(&screen.wanted, &Effect::Read(GARDEN, range)),
        "the newest is offered first, entry 50 in the middle"
    );
    screen.on(Event::Page(
        GARDEN,
        range,
        vec![message(49, 2, "bob", "before"), message(50, 2, "bob", "more roses")],
    ));
    assert_eq!(screen.model.current().and_then(|view| view.log_index), Some(50));
    assert!(screen.model.focus == Focus::Messages && screen.model.over.is_none());
    screen.press("/");
    screen.write("nothing");
    screen.on(Event::Found("nothing".to_owned(), Vec::new()));
    screen.wanted.clear();
    screen.press("Enter");
    assert!(screen.wanted.is_empty() && screen.picture().contains("nothing says all of this"));
}

#[test]
fn the_networks_page_asks_all_nodes() {
    let mut screen = screen();
    screen.press("F3");
    screen.press("c");
    assert!(is(&screen.wanted, &Effect::Compare(network_id())));
    screen.on(Event::Compared(network_id(), 3));
    assert!(
        screen.picture().contains("3 nodes agreed with what is held"),
        "{}",
        screen.picture()
    );
}

#[test]
fn a_reaction_to_a_message_that_is_shown_has_it_read_again() {
    let mut screen = screen();
    let mut reaction = message(5, 2, "bob", "👍");
    reaction.kind = Some("reaction");
    reaction.about = message(1, 1, "alice", "").content_id;
    screen.on(Event::Changed(Box::new(reaction)));
    assert!(is(&screen.wanted, &Effect::Again(MessageId(2))));
    assert!(!screen.picture().contains("👍"), "it is no message of its own");
}

#[test]
fn an_own_message_climbs_the_ladder_in_place() {
    let mut screen = screen();
    for (state, word) in [
        (Ladder::Queued, "queued"),
        (Ladder::Sent, "sent"),
        (Ladder::Final, "final"),
    ] {
        let mut view = waiting(9, state, "hello there");
        if state == Ladder::Final {
            (view.log_index, view.ordered_ms) = (Some(2), Some(NOON));
        }
        screen.on(Event::Changed(Box::new(view)));
        let picture = screen.picture();
        let lines: Vec<_> = picture.lines().filter(|line| line.contains("hello there")).collect();
        assert!(matches!(lines.as_slice(), [only] if only.ends_with(word)), "{picture}");
    }
}

#[test]
fn what_is_known_is_looked_up_again_every_few_seconds_and_not_more_often() {
    let mut screen = screen();
    let mut looks = 0;
    for second in 1..=60 {
        screen.wanted.clear();
        screen.on(Event::Tick(NOON + second * 1000));
        looks += screen
            .wanted
            .iter()
            .filter(|effect| **effect == Effect::Networks)
            .count();
    }
    assert!((10..=16).contains(&looks), "{looks} looks in a minute");
    screen.on(Event::Network(Box::new(network()), 0));
}

//! Colours: the sixteen of the terminal and no ground of our own, so that light and dark stay what they are; none where
//! none are wanted.

use ratatui::style::{Color, Modifier};
use waxwing_light::Ladder;
use zeroize::Zeroizing;

use super::super::model::Event;
use super::super::theme::Look;
use super::fixtures::{COLORED, GARDEN, Screen, message, network, waiting};

const KEYS: [&str; 6] = ["F1", "F3", "F6", "Up", "Tab", "F5"];

fn screens(look: Look) -> Vec<Screen> {
    let mut all = Vec::new();
    for key in KEYS {
        let messages = vec![message(0, 2, "bob", "hello"), waiting(1, Ladder::Failed, "hm")];
        let mut screen = Screen::with(messages, look, 100, 30);
        screen.press(key);
        all.push(screen);
    }
    let mut forked = Screen::with(Vec::new(), look, 100, 30);
    let mut view = network();
    view.forked_at = Some(3);
    forked.on(Event::Network(Box::new(view), 1));
    all.push(forked);
    all
}

#[test]
fn colours_are_the_terminals_own_and_no_ground_is_set() {
    let named = |color: Color| !matches!(color, Color::Rgb(..) | Color::Indexed(_) | Color::White | Color::Black);
    let mut seen = 0;
    for screen in screens(COLORED) {
        for cell in screen.buffer().content() {
            assert!(named(cell.fg) && cell.bg == Color::Reset, "{cell:?}");
            seen += usize::from(cell.fg != Color::Reset);
        }
    }
    assert!(seen > 100, "colours are used: {seen}");
}

#[test]
fn without_colours_there_are_none_anywhere() {
    let look = Look {
        color: false,
        ..COLORED
    };
    for screen in screens(look) {
        let buffer = screen.buffer();
        assert!(
            buffer
                .content()
                .iter()
                .all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset)
        );
    }
}

#[test]
fn an_alarm_stands_out_even_without_colours() {
    let look = Look {
        color: false,
        ..COLORED
    };
    for look in [look, COLORED] {
        let screen = screens(look).pop().unwrap();
        let reversed = screen
            .buffer()
            .content()
            .iter()
            .filter(|cell| cell.modifier.contains(Modifier::REVERSED))
            .count();
        assert!(reversed > 20, "{reversed}");
    }
}

#[test]
fn a_picture_for_cameras_is_dark_on_light_whatever_the_terminal_is() {
    let mut screen = Screen::with(Vec::new(), COLORED, 120, 50);
    screen.on(Event::Invited(GARDEN, Zeroizing::new("waxwing:abc".to_owned())));
    let buffer = screen.buffer();
    let ink = buffer
        .content()
        .iter()
        .filter(|cell| cell.fg == Color::Black && cell.bg == Color::White);
    assert!(ink.count() > 100);
}

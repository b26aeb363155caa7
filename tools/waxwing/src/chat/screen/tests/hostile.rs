//! Whatever others write, everywhere they can write something: every line of the screen stays as wide as it is, nothing in it
//! moves a terminal, and what the program says stands where it always stands. Texts are made from what is known to hurt;
//! each run is made from its seed, which a failure names.

use ratatui::buffer::Buffer;
use unicode_width::UnicodeWidthStr;
use waxwing_light::{AttachmentView, Exception, Ladder, MessageView, Quote, Reaction, RequestState, RequestView};

use super::super::model::Event;
use super::super::theme::Look;
use super::fixtures::{COLORED, GARDEN, NOON, Screen, author, channel, device, message, network, waiting};
use super::groups::account;
use super::storm::Lot;

const RUNS: u64 = 40;

const SIZES: [(u16, u16); 7] = [(40, 10), (60, 15), (79, 24), (80, 24), (81, 25), (133, 43), (200, 60)];

/// What moves, hides, turns, stacks or widens; and a little of what is harmless.
const PIECES: [&str; 40] = [
    "\u{1b}[2J",
    "\u{1b}]0;owned\u{7}",
    "\u{1b}[?1049l",
    "\u{9b}31m",
    "\u{90}q\u{9c}",
    "\r",
    "\n",
    "\t",
    "\u{8}\u{8}",
    "\0",
    "\u{202e}",
    "\u{202a}",
    "\u{2066}",
    "\u{2069}",
    "\u{200e}",
    "\u{61c}",
    "\u{200b}",
    "\u{200d}",
    "\u{2060}",
    "\u{feff}",
    "\u{ad}",
    "\u{034f}",
    "\u{115f}",
    "\u{3164}",
    "\u{e0041}",
    "e\u{301}",
    "z\u{301}\u{302}\u{303}\u{304}",
    "\u{301}",
    "\u{20e3}",
    "\u{fe0f}",
    "漢",
    "字",
    "ｗ",
    "한",
    "ﷺ",
    "👩‍👩‍👧‍👦",
    "🇩🇪",
    "❤\u{fe0f}",
    "word ",
    "אב",
];

fn nasty(lot: &mut Lot) -> String {
    match lot.draw(12) {
        0 => format!("z{}", "\u{301}".repeat(10_000)),
        1 => "W".repeat(5_000),
        2 => "漢".repeat(3_000),
        3 => "👩‍👩‍👧‍👦".repeat(400),
        4 => "\n".repeat(500),
        5 => format!("fine{}\n · carol left\nalice (you)  14:05", " ".repeat(300)),
        _ => (0..lot.draw(60)).map(|_| lot.of(&PIECES)).collect(),
    }
}

fn one(lot: &mut Lot, index: u64) -> MessageView {
    let number = u8::try_from(2 + lot.draw(4)).unwrap();
    let mut view = message(index, number, &nasty(lot), &nasty(lot));
    view.edited = lot.draw(4) == 0;
    if lot.draw(3) == 0 {
        let from = author(3, &nasty(lot));
        view.reactions = vec![Reaction {
            content_id: String::new(),
            author: from,
            emoji: nasty(lot),
        }];
    }
    if lot.draw(3) == 0 {
        view.kind = Some("reply");
        view.quotes = Some(Quote {
            id: view.id,
            log_index: Some(0),
            author: Some(author(4, &nasty(lot))),
            text: Some(nasty(lot)),
            told: false,
        });
    }
    if lot.draw(4) == 0 {
        view.kind = Some("attachment");
        view.attachment = Some(AttachmentView {
            name: nasty(lot),
            safe_name: String::new(),
            media_type: nasty(lot),
            size: 12,
            hash: String::new(),
            kept_until_ms: Some(NOON),
            copies: 2,
            saved: Some(nasty(lot)),
            saved_ms: None,
        });
    }
    if lot.draw(4) == 0 {
        (view.state, view.own) = (Ladder::Failed, true);
        view.reason = Some(nasty(lot));
        view.exceptions = vec![Exception::ClockOdd, Exception::Withheld];
    }
    view
}

fn screen(lot: &mut Lot) -> Screen {
    let (width, height) = lot.of(&SIZES);
    let look = Look {
        ascii: lot.draw(4) == 0,
        ..COLORED
    };
    let mut screen = Screen::new(look, width, height);
    let mut known = network();
    known.name = nasty(lot);
    known.trouble = (lot.draw(2) == 0).then(|| nasty(lot));
    screen.on(Event::Network(Box::new(known), 0));
    let mut garden = channel(1, &nasty(lot), 6);
    garden.group = true;
    let mut kitchen = channel(2, &nasty(lot), 1);
    (kitchen.unread, kitchen.waiting) = (u64::MAX, u64::MAX);
    screen.on(Event::Channels(vec![garden, kitchen]));
    let mut views: Vec<MessageView> = (0..6).map(|index| one(lot, index)).collect();
    views.push(waiting(1, Ladder::Queued, &nasty(lot)));
    let range = waxwing_light::Range::Last(super::super::window::PAGE);
    screen.on(Event::Page(GARDEN, range, views));
    screen
}

/// Puts something of others over the screen, or has them say something at its foot.
fn cover(lot: &mut Lot, screen: &mut Screen) {
    match lot.draw(9) {
        0 => screen.on(Event::Failed(nasty(lot))),
        1 => screen.on(Event::Whole(Box::new(one(lot, 1)))),
        2 => {
            let request = RequestView {
                id: 1,
                account: account(9),
                device: device(9),
                name: nasty(lot),
                note: nasty(lot),
                channel: Some(GARDEN),
                invites: None,
                asked_ms: NOON,
                state: RequestState::Waiting,
            };
            screen.on(Event::Requests(vec![request]));
            screen.press("F10");
        }
        // The own heart is sent as it was pasted.
        3 => screen.on(Event::Paste(nasty(lot).replace('\u{fe0f}', ""))),
        4 => screen.press("F3"),
        5 => {
            screen.press("Up");
            screen.press("r");
        }
        6 => {
            let mut list = super::groups::group("member");
            for member in &mut list.members {
                member.name = Some(nasty(lot));
            }
            let people = crate::chat::groups::who::people(&list, &[]);
            screen.on(Event::Members(GARDEN, Box::new(list), people));
            for key in ["j", "x"].iter().take(lot.draw(3)) {
                screen.press(key);
            }
        }
        7 => screen.press("F5"),
        _ => {}
    }
}

/// Every line is as wide as the screen, and no cell holds what a terminal obeys or hides.
fn judge(buffer: &Buffer, wall: Option<u16>) {
    for y in 0..buffer.area.height {
        let mut x = 0;
        while x < buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            let is_obeyed = |letter: char| {
                letter.is_control()
                    || ('\u{202a}'..='\u{202e}').contains(&letter)
                    || ('\u{2066}'..='\u{2069}').contains(&letter)
                    || ['\u{200b}', '\u{200e}', '\u{200f}', '\u{61c}', '\u{feff}', '\u{fe0f}'].contains(&letter)
            };
            assert!(!symbol.chars().any(is_obeyed), "at {x}, {y}: {symbol:?}");
            assert!(
                symbol.chars().count() <= 24,
                "at {x}, {y}: {} characters in one cell",
                symbol.chars().count()
            );
            let width = u16::try_from(symbol.width().max(1)).unwrap();
            assert!(
                width <= 2 && x + width <= buffer.area.width,
                "at {x}, {y}: {symbol:?} is {width} wide"
            );
            x += width;
        }
        assert_eq!(x, buffer.area.width, "line {y}");
        if let Some(wall) = wall.filter(|_| y > 0 && y < buffer.area.height - 10) {
            let symbol = buffer[(wall, y)].symbol();
            assert!(symbol == "│" || symbol == "|", "the wall at {wall}, {y}: {symbol:?}");
        }
    }
}

#[test]
fn every_line_stays_as_wide_as_it_is_whatever_others_write() {
    for seed in 1..=RUNS {
        let mut lot = Lot(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut screen = screen(&mut lot);
            let wall = screen.model.areas().wall;
            judge(&screen.buffer(), (wall.width > 0).then_some(wall.x));
            let strip = screen.picture().lines().next().unwrap_or_default().to_owned();
            assert!(
                strip.contains("verified to") || strip.contains("offline"),
                "the strip says what it always says: {strip}"
            );
            for _ in 0..4 {
                cover(&mut lot, &mut screen);
                judge(&screen.buffer(), None);
            }
        }));
        assert!(run.is_ok(), "seed {seed}");
    }
}

/// The search of the line above would notice what it looks for: each of the pieces, put into a buffer as it is, is found.
#[test]
fn the_judge_finds_what_it_looks_for() {
    for piece in ["\u{1b}", "\u{202e}", "\u{200b}", "\u{fe0f}x"] {
        let mut buffer = Buffer::empty(ratatui::layout::Rect::new(0, 0, 20, 12));
        buffer[(3, 3)].set_symbol(piece);
        let judged = std::panic::catch_unwind(|| judge(&buffer, None));
        assert!(judged.is_err(), "{piece:?}");
    }
    let mut buffer = Buffer::empty(ratatui::layout::Rect::new(0, 0, 20, 12));
    buffer[(19, 3)].set_symbol("漢");
    assert!(
        std::panic::catch_unwind(|| judge(&buffer, None)).is_err(),
        "half a letter at the edge"
    );
}

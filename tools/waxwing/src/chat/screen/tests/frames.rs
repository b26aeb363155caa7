//! How long a frame takes: as long in a hundred thousand messages as in a thousand, because only what is seen is laid out.
//!
//! `cargo nextest run -p waxwing frames --no-capture` prints what was measured.

use std::io::Write;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::super::draw;
use super::super::model::Event;
use super::fixtures::{COLORED, Screen, channel, network};
use super::length::Store;
use crate::clock;

const STEPS: usize = 400;

/// Half of the frames are faster than the first, all but one in a hundred faster than the second.
struct Frames {
    p50: Duration,
    p99: Duration,
    rows: usize,
}

/// Walks up through a conversation of so many messages; each step is a key, what is read for it, and a frame.
fn scrolled(messages: u64, width: u16, height: u16) -> Frames {
    let mut screen = Screen::new(COLORED, width, height);
    let mut store = Store::with(messages);
    screen.on(Event::Network(Box::new(network()), 0));
    screen.on(Event::Channels(vec![channel(1, "garden", messages)]));
    store.serve(&mut screen);
    screen.press("Up");
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let (mut frames, mut rows) = (Vec::new(), 0);
    for step in 0..STEPS {
        let watch = clock::steady();
        screen.press(if step % 10 == 9 { "PgUp" } else { "k" });
        store.serve(&mut screen);
        terminal.draw(|frame| draw::draw(&screen.model, frame)).unwrap();
        frames.push(watch.elapsed());
        rows = rows.max(screen.model.window.as_ref().unwrap().rows().len());
    }
    frames.sort_unstable();
    Frames {
        p50: frames[STEPS / 2],
        p99: frames[STEPS * 99 / 100],
        rows,
    }
}

#[test]
fn a_frame_takes_as_long_in_a_hundred_thousand_messages_as_in_a_thousand() {
    for (width, height) in [(60, 15), (80, 24), (200, 60)] {
        let few = scrolled(1_000, width, height);
        let many = scrolled(100_000, width, height);
        let line = format!(
            "{width} x {height}: 1,000 messages p50 {:?} p99 {:?}; 100,000 messages p50 {:?} p99 {:?}, at most {} rows held\n",
            few.p50, few.p99, many.p50, many.p99, many.rows
        );
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        assert!(many.rows <= 500, "{line}");
        // A hundred times the messages; what does not depend on them may be disturbed a few times over by a busy machine.
        assert!(many.p50 <= few.p50 * 5 + Duration::from_millis(5), "{line}");
    }
}

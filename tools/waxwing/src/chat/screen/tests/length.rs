//! A conversation of a hundred thousand messages: what counts is how many rows are read, not how fast a machine is.

use waxwing_light::{MessageView, Range};

use super::super::model::{Effect, Event};
use super::fixtures::{COLORED, GARDEN, Screen, channel, message, network};

const LENGTH: u64 = 100_000;

/// A store that counts what is read from it; every tenth entry is a reaction, which has an index and no row.
pub(super) struct Store {
    length: u64,
    rows_read: u64,
}

impl Store {
    fn entry(index: u64) -> Option<MessageView> {
        (index % 10 != 5).then(|| {
            message(
                index,
                u8::try_from(2 + index % 7).unwrap(),
                "bob",
                &format!("message {index}"),
            )
        })
    }

    /// So many entries.
    pub(super) const fn with(length: u64) -> Self {
        Self { length, rows_read: 0 }
    }

    fn read(&mut self, range: Range) -> Vec<MessageView> {
        let (from, to) = match range {
            Range::Last(most) => (self.length.saturating_sub(u64::from(most)), self.length),
            Range::Before(index, most) => (index.saturating_sub(u64::from(most)), index),
            Range::From(index, most) => (index, (index + u64::from(most)).min(self.length)),
        };
        self.rows_read += to - from;
        (from..to).filter_map(Self::entry).collect()
    }

    /// Does what the screen wants until it wants nothing more.
    pub(super) fn serve(&mut self, screen: &mut Screen) {
        loop {
            let wanted = std::mem::take(&mut screen.wanted);
            if wanted.is_empty() {
                return;
            }
            for effect in wanted {
                if let Effect::Read(channel, range) = effect {
                    let views = self.read(range);
                    screen.on(Event::Page(channel, range, views));
                }
            }
        }
    }
}

fn opened() -> (Screen, Store) {
    let mut screen = Screen::new(COLORED, 100, 30);
    let mut store = Store {
        length: LENGTH,
        rows_read: 0,
    };
    screen.on(Event::Network(Box::new(network()), 0));
    screen.on(Event::Channels(vec![channel(1, "garden", LENGTH)]));
    store.serve(&mut screen);
    (screen, store)
}

fn rows(screen: &Screen) -> usize {
    screen.model.window.as_ref().unwrap().rows().len()
}

#[test]
fn opening_reads_a_page() {
    let (screen, store) = opened();
    assert!(screen.picture().contains("message 99999"), "{}", screen.picture());
    assert_eq!(store.rows_read, 100);
}

#[test]
fn walking_up_reads_as_much_as_is_walked_and_keeps_a_window() {
    let (mut screen, mut store) = opened();
    screen.press("Up");
    for _ in 0..2_000 {
        screen.press("k");
        store.serve(&mut screen);
        assert!(rows(&screen) <= 500, "{} rows are held", rows(&screen));
    }
    assert!(
        (2_000..2_600).contains(&store.rows_read),
        "{} rows for 2,000 steps",
        store.rows_read
    );
    let at = screen.model.current().and_then(|view| view.log_index).unwrap();
    // Nine of ten entries are rows: 2,000 of those are 2,222 entries.
    assert!((97_700..97_800).contains(&at), "{at}");
    assert!(screen.picture().contains(&format!("message {at}")));
}

#[test]
fn walking_back_down_shows_every_message_again_in_order() {
    let (mut screen, mut store) = opened();
    screen.press("Up");
    for _ in 0..900 {
        screen.press("k");
        store.serve(&mut screen);
    }
    let mut seen = Vec::new();
    for _ in 0..900 {
        screen.press("j");
        store.serve(&mut screen);
        seen.extend(screen.model.current().and_then(|view| view.log_index));
    }
    assert_eq!(seen.last(), Some(&99_999), "the end is reached");
    let missed = seen.windows(2).find(|pair| {
        let step = pair[1] - pair[0];
        !(step == 1 || step == 2 && (pair[0] + 1) % 10 == 5)
    });
    assert_eq!(missed, None, "neither skipped nor twice");
    assert!(screen.model.window.as_ref().unwrap().is_at_end());
}

#[test]
fn the_beginning_is_one_page_away_and_so_is_the_end() {
    let (mut screen, mut store) = opened();
    screen.press("Up");
    let before = store.rows_read;
    screen.press("g");
    store.serve(&mut screen);
    screen.press("g");
    store.serve(&mut screen);
    let picture = screen.picture();
    assert!(
        picture.contains("the beginning") && picture.contains("message 0"),
        "{picture}"
    );
    screen.press("G");
    store.serve(&mut screen);
    assert!(screen.picture().contains("message 99999"));
    assert!(store.rows_read - before <= 500, "{}", store.rows_read - before);
}

#[test]
fn a_burst_of_news_reads_nothing_and_holds_a_window() {
    let (mut screen, mut store) = opened();
    let before = store.rows_read;
    for index in LENGTH..LENGTH + 2_000 {
        if let Some(view) = Store::entry(index) {
            store.length = index + 1;
            screen.on(Event::Changed(Box::new(view)));
            store.serve(&mut screen);
        }
    }
    assert_eq!(store.rows_read, before);
    assert!(rows(&screen) <= 400, "{}", rows(&screen));
    assert!(screen.picture().contains("message 101999"));
}

#[test]
fn whoever_reads_further_up_is_not_moved_by_news() {
    let (mut screen, mut store) = opened();
    screen.press("Up");
    for _ in 0..30 {
        screen.press("k");
    }
    store.serve(&mut screen);
    let before: Vec<String> = screen.picture().lines().skip(1).take(20).map(str::to_owned).collect();
    screen.on(Event::Changed(Box::new(message(LENGTH, 3, "carol", "news"))));
    let picture = screen.picture();
    let after: Vec<String> = picture.lines().skip(1).take(20).map(str::to_owned).collect();
    assert_eq!(before, after);
    screen.press("Tab");
    screen.press("Tab");
    assert!(screen.picture().contains("1 new message below"), "{picture}");
}

#[test]
fn half_a_megabyte_is_one_message_and_weighs_no_more_than_a_window() {
    let mut screen = Screen::new(COLORED, 100, 30);
    let huge = "word ".repeat(100_000);
    let mut store = Store {
        length: 0,
        rows_read: 0,
    };
    screen.on(Event::Channels(vec![channel(1, "garden", 60)]));
    let views = (0..60).map(|index| message(index, 2, "bob", &huge)).collect();
    screen.on(Event::Page(GARDEN, Range::Last(100), views));
    assert!(rows(&screen) <= 20, "{}", rows(&screen));
    assert!(
        screen.picture().contains("more: Enter reads all of it"),
        "{}",
        screen.picture()
    );
    store.serve(&mut screen);
}

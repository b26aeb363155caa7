//! Looking for messages of this device by their words, and going to where they stand.
//!
//! ```text
//! words ─Enter─> Effect::Search ─> hits ─Up, Down─> one of them ─Enter─> its channel, around it
//! ```

use crossterm::event::KeyEvent;
use ratatui_textarea::TextArea;
use waxwing_light::Hit;

use super::keys::Action;
use super::model::{Effect, Focus, Model, Over};
use super::window::Window;
use super::writing;
use crate::output::Tone;

/// Messages that are looked for at once.
pub(super) const HITS_MAX: u32 = 100;

/// What is looked for, and what was found.
pub(super) struct Search {
    /// What is being typed.
    pub(super) field: TextArea<'static>,
    /// What the hits were found by.
    pub(super) asked: String,
    /// Newest first.
    pub(super) hits: Vec<Hit>,
    /// The one that Enter goes to.
    pub(super) chosen: usize,
}

impl Search {
    /// What is typed.
    fn words(&self) -> String {
        self.field.lines().concat().trim().to_owned()
    }
}

impl Model {
    pub(super) fn open_search(&mut self) {
        self.cover(Over::Search(Box::new(Search {
            field: writing::area(self.look, "Words, each from its beginning"),
            asked: String::new(),
            hits: Vec::new(),
            chosen: 0,
        })));
    }

    pub(super) fn type_search(&mut self, key: KeyEvent) {
        if let Some(Over::Search(search)) = &mut self.over {
            search.field.input(key);
        }
    }

    /// Moves among the hits.
    pub(super) fn walk_hits(&mut self, action: Action) {
        if let Some(Over::Search(search)) = &mut self.over {
            let last = search.hits.len().saturating_sub(1);
            search.chosen = match action {
                Action::Up => search.chosen.saturating_sub(1),
                _ => search.chosen.saturating_add(1).min(last),
            };
        }
    }

    /// Looks for what was typed; if that was done, goes to what was found.
    pub(super) fn search_or_go(&mut self, effects: &mut Vec<Effect>) {
        let Some(Over::Search(search)) = &self.over else { return };
        let words = search.words();
        if words.is_empty() {
            return;
        }
        if words != search.asked {
            return effects.push(Effect::Search(words));
        }
        let found = search
            .hits
            .get(search.chosen)
            .map(|hit| (hit.message.channel, hit.message.log_index));
        let Some((channel, index)) = found else { return };
        self.over = None;
        self.switch(channel, effects);
        self.focus = Focus::Messages;
        // What is on its way stands at the end, where a channel is opened.
        let Some(index) = index else { return };
        let (window, range) = Window::around(channel, index);
        effects.push(Effect::Read(channel, range));
        self.window = Some(window);
        (self.selected, self.aim) = (None, Some(index));
    }

    pub(super) fn on_found(&mut self, asked: String, mut hits: Vec<Hit>) {
        let Some(Over::Search(search)) = &mut self.over else {
            return;
        };
        hits.reverse();
        let is_nothing = hits.is_empty();
        (search.asked, search.hits, search.chosen) = (asked, hits, 0);
        if is_nothing {
            self.tell(Tone::Faint, "nothing on this device says all of this");
        }
    }
}

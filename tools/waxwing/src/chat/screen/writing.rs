//! The text that is being written, and what will become of it: a message, an answer, or other words for one.
//!
//! What is seen is what is sent: pasted text passes the same filter as text from others, so that a word that was turned
//! around or hidden in it shows before it goes out under one's own name.

use crossterm::event::KeyEvent;
use ratatui::style::{Modifier, Style};
use ratatui_textarea::{CursorMove, TextArea, WrapMode};
use unicode_width::UnicodeWidthStr;
use waxwing_light::MessageId;
use waxwing_seal::display::display_safe_lines;

use super::theme::Look;
use crate::output::Tone;

/// What becomes of the text.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A message of its own.
    Text,
    /// An answer to this one, which begins so.
    Reply(MessageId, String),
    /// Other words for this one.
    Edit(MessageId),
}

/// The text.
pub(super) struct Writing {
    area: TextArea<'static>,
    look: Look,
    /// What becomes of it.
    pub(super) purpose: Purpose,
}

impl Writing {
    /// Nothing yet.
    pub(super) fn new(look: Look) -> Self {
        Self {
            area: area(look, "Write a message"),
            look,
            purpose: Purpose::Text,
        }
    }

    /// What is written.
    pub(super) fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    /// Whether nothing but space is written.
    pub(super) fn is_empty(&self) -> bool {
        self.area.lines().iter().all(|line| line.trim().is_empty())
    }

    /// The field on the screen.
    pub(super) const fn area(&self) -> &TextArea<'static> {
        &self.area
    }

    /// A key that is not bound to anything else.
    pub(super) fn key(&mut self, key: KeyEvent) {
        self.area.input(key);
    }

    /// Text from the clipboard. Terminals hand its line breaks over as if Enter had been pressed.
    pub(super) fn paste(&mut self, text: &str) {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        self.area.insert_str(display_safe_lines(&text));
    }

    /// A further line.
    pub(super) fn new_line(&mut self) {
        self.area.insert_newline();
    }

    /// Begins with a text, which is the author's own.
    pub(super) fn begin(&mut self, purpose: Purpose, text: &str) {
        let hint = match purpose {
            Purpose::Text => "Write a message",
            Purpose::Reply(..) => "Write the answer",
            Purpose::Edit(_) => "Write other words",
        };
        self.area = area(self.look, hint);
        self.area.insert_str(display_safe_lines(text));
        self.area.move_cursor(CursorMove::End);
        self.purpose = purpose;
    }

    /// Words that were not taken after all. They never cover others.
    pub(super) fn put_back(&mut self, purpose: Purpose, words: &str) {
        if self.is_empty() {
            return self.begin(purpose, words);
        }
        self.area.move_cursor(CursorMove::Bottom);
        self.area.move_cursor(CursorMove::End);
        self.area.insert_newline();
        self.area.insert_str(display_safe_lines(words));
    }

    /// Changes what becomes of the text, and keeps it.
    pub(super) fn turn(&mut self, purpose: Purpose) {
        let text = self.text();
        self.begin(purpose, &text);
    }

    /// Nothing any more.
    pub(super) fn clear(&mut self) {
        self.begin(Purpose::Text, "");
    }

    /// Lines of the screen that it takes at this width, at most `most`.
    pub(super) fn height(&self, width: u16, most: u16) -> u16 {
        // A column is kept for the cursor behind the last letter.
        let room = usize::from(width.saturating_sub(4)).max(1);
        let lines: usize = self.area.lines().iter().map(|line| line.width() / room + 1).sum();
        u16::try_from(lines).unwrap_or(u16::MAX).clamp(1, most.max(1))
    }
}

/// A field to write in.
pub(super) fn area(look: Look, hint: &str) -> TextArea<'static> {
    let mut area = TextArea::default();
    area.set_wrap_mode(WrapMode::WordOrGlyph);
    area.set_cursor_line_style(Style::new());
    area.set_cursor_style(Style::new().add_modifier(Modifier::REVERSED));
    area.set_placeholder_text(hint);
    area.set_placeholder_style(look.style(Tone::Faint));
    area
}

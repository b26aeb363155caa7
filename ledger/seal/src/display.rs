//! Text from others, made harmless before it meets a screen, a log or a report.
//!
//! A terminal obeys escape sequences, an override character turns "exe.jpg" around, a zero-width space makes two names
//! look the same. So whatever others wrote passes here. What is dangerous is *shown*, not dropped: a name with
//! something hidden in it must not look like the name without it.
//!
//! | in the text | on the screen |
//! |---|---|
//! | control characters (escape, bell, backspace, delete, ...) | their pictures: ␛ ␇ ␈ ␡ |
//! | bidirectional controls, zero-width and other invisible characters, C1 controls | `⟨202E⟩`, a run as `⟨200B+7⟩` |
//! | line separators, tags, private use, unassigned | the same |
//! | spaces of any width, tabulators, the blank Braille cell | one space each |
//! | accents without a letter under them | on a dotted circle: ◌́ |
//! | more than eight accents on one letter | eight, and a mark |
//! | joiners inside emoji, and between letters of Arabic and Indic scripts | as they are: words and emoji need them |
//!
//! What this cannot do: right-to-left *letters* still turn the words around them, within their line. Screens keep text
//! from others on lines or in elements of its own.

use std::borrow::Cow;

use unicode_properties::{GeneralCategory as Category, UnicodeEmoji, UnicodeGeneralCategory};

/// Accents on one letter that are shown: more than any language stacks; the next lines stay free.
const MARKS_MAX: u32 = 8;

/// Characters of a name that are shown.
const NAME_CHARACTERS_MAX: usize = 40;

/// Variation selector 16: the emoji form of the character before.
const EMOJI_FORM: char = '\u{fe0f}';
/// Variation selector 15: the text form of the character before.
const TEXT_FORM: char = '\u{fe0e}';
const ZERO_WIDTH_JOINER: char = '\u{200d}';
const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';

/// Characters that are not drawn by definition (Unicode 18, `Default_Ignorable_Code_Point`), beside those whose
/// category gives them away. Fixed ranges: the standard reserves them for this use.
const INVISIBLE: [(char, char); 15] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{202a}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fff8}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// Scripts in which joiners change how a word is written: Arabic and its extensions, the Indic scripts.
const JOINING: [(char, char); 4] = [
    ('\u{600}', '\u{6ff}'),
    ('\u{750}', '\u{77f}'),
    ('\u{8a0}', '\u{8ff}'),
    ('\u{900}', '\u{dff}'),
];

/// Text from others as one line: line breaks are shown as ␊.
#[must_use]
pub fn display_safe(text: &str) -> Cow<'_, str> {
    filter(text, LineBreaks::Show)
}

/// Text from others that may have several lines: line breaks stay.
#[must_use]
pub fn display_safe_lines(text: &str) -> Cow<'_, str> {
    filter(text, LineBreaks::Keep)
}

/// A claimed name: one line, no space around it or doubled in it, at most 40 characters, never empty.
#[must_use]
pub fn display_safe_name(name: &str) -> String {
    let safe = display_safe(name);
    let words = safe.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() {
        return "(no name)".to_owned();
    }
    match words.char_indices().nth(NAME_CHARACTERS_MAX) {
        Some((end, _)) => {
            // A joiner left at the cut would join the name to what the screen puts behind it.
            let is_loose = |letter: char| letter == ' ' || is_hidden(letter);
            words
                .get(..end)
                .unwrap_or_default()
                .trim_end_matches(is_loose)
                .to_owned()
                + "…"
        }
        None => words,
    }
}

/// Whether two names can be taken for each other: equal after mapping look-alikes of all scripts onto one form
/// (UTS 39, `skeleton`), with and without regard to case. A screen shows such names with their devices.
#[must_use]
pub fn look_alike(one: &str, other: &str) -> bool {
    let (one, other) = (drawn(one), drawn(other));
    same_skeleton(&one, &other) || same_skeleton(&one.to_lowercase(), &other.to_lowercase())
}

fn same_skeleton(one: &str, other: &str) -> bool {
    unicode_security::skeleton(one).eq(unicode_security::skeleton(other))
}

/// A name without what is not drawn, and with single spaces.
fn drawn(name: &str) -> String {
    let seen: String = name
        .chars()
        .map(|letter| if is_space(letter) { ' ' } else { letter })
        .collect();
    let seen: String = seen
        .chars()
        .filter(|letter| !is_hidden(*letter) && !letter.is_control())
        .collect();
    seen.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LineBreaks {
    Show,
    Keep,
}

fn filter(text: &str, breaks: LineBreaks) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Cow::Borrowed(text);
    }
    let mut screen = Screen::default();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\r' if breaks == LineBreaks::Keep && letters.peek() == Some(&'\n') => {}
            '\n' if breaks == LineBreaks::Keep => screen.line_break(),
            _ => screen.put(letter, letters.peek().copied()),
        }
    }
    Cow::Owned(screen.finish())
}

fn within(ranges: &[(char, char)], letter: char) -> bool {
    ranges.iter().any(|(first, last)| (*first..=*last).contains(&letter))
}

fn is_space(letter: char) -> bool {
    // U+2800 is the Braille cell without dots.
    letter == '\t' || letter == '\u{2800}' || letter.general_category() == Category::SpaceSeparator
}

/// Not drawn, or drawn as anything at all.
fn is_hidden(letter: char) -> bool {
    within(&INVISIBLE, letter)
        || matches!(
            letter.general_category(),
            Category::Format
                | Category::LineSeparator
                | Category::ParagraphSeparator
                | Category::PrivateUse
                | Category::Surrogate
                | Category::Unassigned
        )
}

fn is_mark(letter: char) -> bool {
    matches!(
        letter.general_category(),
        Category::NonspacingMark | Category::EnclosingMark | Category::SpacingMark
    )
}

fn is_picture(letter: char) -> bool {
    !letter.is_ascii() && letter.is_emoji_char()
}

/// What has been put out, and as much of it as the next character depends on.
#[derive(Default)]
struct Screen {
    out: String,
    /// The last character on this line, `None` at its start or behind a mark of ours: there is nothing to join or
    /// accent.
    last: Option<char>,
    /// The one before, if `last` is a variation selector.
    selected: Option<char>,
    marks: u32,
    /// First of a run of hidden characters, and how many follow it.
    hidden: Option<(char, u32)>,
}

impl Screen {
    fn put(&mut self, letter: char, next: Option<char>) {
        if let Some(picture) = control_picture(letter) {
            return self.show(picture);
        }
        if is_space(letter) {
            return self.show(' ');
        }
        if self.hidden.is_none() && self.is_wanted(letter, next) {
            self.out.push(letter);
            self.selected = self.last.replace(letter);
            return;
        }
        if letter.is_control() || is_hidden(letter) {
            return self.hide(letter);
        }
        if is_mark(letter) {
            return self.accent(letter);
        }
        self.show(letter);
    }

    /// Whether an invisible character does something here that readers need.
    fn is_wanted(&self, letter: char, next: Option<char>) -> bool {
        let Some(last) = self.last else { return false };
        match letter {
            EMOJI_FORM | TEXT_FORM => last.is_emoji_char(),
            ZERO_WIDTH_JOINER if self.ends_in_picture() => next.is_some_and(is_picture),
            ZERO_WIDTH_JOINER | ZERO_WIDTH_NON_JOINER => joins(last) && next.is_some_and(joins),
            _ => false,
        }
    }

    fn ends_in_picture(&self) -> bool {
        let drawn = if self.last == Some(EMOJI_FORM) {
            self.selected
        } else {
            self.last
        };
        drawn.is_some_and(is_picture)
    }

    fn show(&mut self, letter: char) {
        self.flush();
        self.out.push(letter);
        self.last = Some(letter);
        self.marks = 0;
    }

    fn accent(&mut self, mark: char) {
        if self.marks >= MARKS_MAX {
            return self.hide(mark);
        }
        self.flush();
        if self.last.is_none_or(|last| last == ' ') {
            self.show('◌');
        }
        self.out.push(mark);
        self.last = Some(mark);
        self.marks += 1;
    }

    fn hide(&mut self, letter: char) {
        self.hidden = match self.hidden {
            None => Some((letter, 0)),
            Some((first, following)) => Some((first, following + 1)),
        };
    }

    /// Puts out the mark for a run of hidden characters.
    fn flush(&mut self) {
        let Some((first, following)) = self.hidden.take() else {
            return;
        };
        let code = u32::from(first);
        let mark = if following == 0 {
            format!("⟨{code:04X}⟩")
        } else {
            format!("⟨{code:04X}+{following}⟩")
        };
        self.out.push_str(&mark);
        self.last = None;
        self.marks = 0;
    }

    fn line_break(&mut self) {
        self.flush();
        self.out.push('\n');
        self.last = None;
        self.marks = 0;
    }

    fn finish(mut self) -> String {
        self.flush();
        self.out
    }
}

/// A letter or mark of a script that uses joiners.
fn joins(letter: char) -> bool {
    within(&JOINING, letter) && (letter.is_alphabetic() || is_mark(letter))
}

/// The picture of an ASCII control character; a tabulator is a space instead.
fn control_picture(letter: char) -> Option<char> {
    match letter {
        '\t' => None,
        '\u{7f}' => Some('␡'),
        _ if letter.is_ascii_control() => char::from_u32(0x2400 + u32::from(letter)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

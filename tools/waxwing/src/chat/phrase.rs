//! The 24 words as they are typed in: from a file, or word by word on a terminal.
//!
//! On a terminal four letters are enough for each word: what they can be is shown beside them, and Space, Tab or Enter takes
//! it. Backspace at the beginning of a word goes back to the one before. Whoever pastes all words at once types the same
//! letters, faster. What is typed here stands in no argument, and in no history of a shell.

use std::io::IsTerminal;
use std::path::Path;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use waxwing_seal::identity::Phrase;
use waxwing_seal::identity::phrase::{WORDS, words_like};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::files;
use crate::output;

/// 24 words of eight letters, and room for line ends.
const FILE_MAX: u64 = 4096;

/// Reads the words.
///
/// # Errors
/// If they are no phrase, or nobody can be asked.
pub(super) fn read(file: Option<&Path>) -> Result<Phrase, Failure> {
    let typed = match file {
        Some(file) => Zeroizing::new(files::read_text(file, "file with 24 words", FILE_MAX)?),
        None if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() => ask()?,
        None => {
            return Err(Failure::usage(
                "the 24 words are needed and there is no terminal to ask on: give --words FILE, or --words - for \
                 standard input",
            ));
        }
    };
    Phrase::parse(&typed).map_err(|error| Failure::usage(error.to_string()))
}

/// The words so far, and the letters of the next one. Wiped when dropped.
#[derive(Default)]
struct Entry {
    taken: Vec<&'static str>,
    letters: Zeroizing<String>,
}

/// What a key leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// Go on typing.
    On,
    /// All words are there.
    Done,
    /// The person would rather not.
    Cancelled,
}

impl Entry {
    fn on(&mut self, key: KeyEvent) -> Step {
        match key.code {
            KeyCode::Esc => return Step::Cancelled,
            KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => return Step::Cancelled,
            KeyCode::Char(' ') | KeyCode::Tab | KeyCode::Enter => self.take(),
            KeyCode::Char(letter) if letter.is_ascii_alphabetic() => self.letters.push(letter.to_ascii_lowercase()),
            KeyCode::Backspace if self.letters.pop().is_none() => {
                if let Some(word) = self.taken.pop() {
                    self.letters.push_str(word);
                }
            }
            _ => {}
        }
        if self.taken.len() == WORDS {
            Step::Done
        } else {
            Step::On
        }
    }

    /// Takes the word that was typed, or the only one that it can be.
    fn take(&mut self) {
        let like: Vec<_> = words_like(&self.letters).collect();
        let whole = like.iter().find(|word| **word == self.letters.as_str());
        let only = like.first().filter(|_| like.len() == 1);
        if let Some(word) = whole.or(only) {
            self.taken.push(word);
            self.letters.clear();
        }
    }

    /// The line as it stands: which word, its letters, what it can be.
    fn line(&self) -> Zeroizing<String> {
        let like: Zeroizing<String> = Zeroizing::new(words_like(&self.letters).collect::<Vec<_>>().join(" "));
        let number = self.taken.len() + 1;
        let beside = match (self.letters.is_empty(), like.is_empty()) {
            (true, _) => "",
            (false, true) => "  no such word",
            (false, false) => like.as_str(),
        };
        Zeroizing::new(format!("word {number:>2} of {WORDS}: {}   {beside}", *self.letters))
    }
}

fn ask() -> Result<Zeroizing<String>, Failure> {
    output::to_stderr("Type the 24 words, in order; four letters are enough for each. Esc gives up.\n");
    let raw = Raw::begin()?;
    let mut entry = Entry::default();
    loop {
        output::to_stderr(&format!("\r\u{1b}[K{}", *entry.line()));
        let event = crossterm::event::read()
            .map_err(|error| Failure::failed(format!("the terminal cannot be read: {}", files::reason(&error))))?;
        let Event::Key(key) = event else { continue };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        match entry.on(key) {
            Step::On => {}
            Step::Done => break,
            Step::Cancelled => {
                drop(raw);
                return Err(Failure::usage("nothing was changed"));
            }
        }
    }
    drop(raw);
    Ok(Zeroizing::new(entry.taken.join(" ")))
}

/// Keys arrive one by one until this is dropped; then the line is wiped.
struct Raw;

impl Raw {
    fn begin() -> Result<Self, Failure> {
        crossterm::terminal::enable_raw_mode()
            .map_err(|error| Failure::failed(format!("the terminal cannot be read: {}", files::reason(&error))))?;
        Ok(Self)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        output::to_stderr("\r\u{1b}[K");
        let _ = crossterm::terminal::disable_raw_mode();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_in(entry: &mut Entry, text: &str) -> Step {
        let mut last = Step::On;
        for letter in text.chars() {
            let code = match letter {
                '\n' => KeyCode::Enter,
                '\u{8}' => KeyCode::Backspace,
                other => KeyCode::Char(other),
            };
            last = entry.on(KeyEvent::new(code, KeyModifiers::NONE));
        }
        last
    }

    #[test]
    fn four_letters_and_a_space_are_a_word_and_a_pasted_phrase_is_one_too() {
        let mut entry = Entry::default();
        assert_eq!(type_in(&mut entry, &"Zoo ".repeat(22)), Step::On);
        assert_eq!(type_in(&mut entry, "saus\n"), Step::On);
        assert_eq!(type_in(&mut entry, "vote "), Step::Done);
        assert_eq!((entry.taken[22], entry.taken[23]), ("sausage", "vote"));
    }

    #[test]
    fn what_can_be_several_words_or_none_is_not_taken() {
        let mut entry = Entry::default();
        type_in(&mut entry, "ab ");
        assert!(
            entry.taken.is_empty() && entry.line().contains("abandon ability"),
            "{}",
            *entry.line()
        );
        type_in(&mut entry, "x ");
        assert!(
            entry.taken.is_empty() && entry.line().ends_with("no such word"),
            "{}",
            *entry.line()
        );
        type_in(&mut entry, "\u{8}\u{8}\u{8}");
        type_in(&mut entry, "zo ");
        assert!(entry.taken.is_empty(), "zone or zoo");
        type_in(&mut entry, "o ");
        assert_eq!(
            entry.taken,
            ["zoo"],
            "a whole word is taken though longer ones begin with it"
        );
        type_in(&mut entry, "1 ?");
        assert!(entry.line().starts_with("word  2 of 24: "), "{}", *entry.line());
    }

    #[test]
    fn backspace_leads_back_into_the_word_before_and_escape_out() {
        let mut entry = Entry::default();
        type_in(&mut entry, "zoo ");
        type_in(&mut entry, "\u{8}\u{8}ne ");
        assert_eq!(entry.taken, ["zone"]);
        assert_eq!(
            entry.on(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE)),
            Step::Cancelled
        );
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(entry.on(control_c), Step::Cancelled);
    }
}

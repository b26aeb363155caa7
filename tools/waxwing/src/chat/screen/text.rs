//! Text from others on lines of the screen's width: harmless, broken between words, and never more than was asked for.

use textwrap::{Options, WordSplitter};
use unicode_width::UnicodeWidthStr;
use waxwing_seal::display::{display_safe, display_safe_lines};

/// Lines of a text, and whether there are more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Folded {
    /// What fits.
    pub(super) lines: Vec<String>,
    /// Whether something was left out.
    pub(super) is_cut: bool,
}

/// The first `most` lines of what somebody wrote, made harmless, at most `width` columns wide.
///
/// A message may be half a megabyte long; what is looked at is bounded by what can be shown.
pub(super) fn folded(text: &str, width: usize, most: usize) -> Folded {
    let width = width.max(1);
    // Every line that is shown takes at most this many characters, its break included; marks that stand on one column
    // are the exception, and get room for eight.
    let enough = most
        .saturating_add(1)
        .saturating_mul(width.saturating_add(1))
        .saturating_mul(2);
    let (text, was_long) = match text.char_indices().nth(enough) {
        Some((end, _)) => (text.get(..end).unwrap_or_default(), true),
        None => (text, false),
    };
    let mut lines = wrapped(&narrow(&display_safe_lines(text)), width);
    let is_cut = was_long || lines.len() > most;
    lines.truncate(most);
    Folded { lines, is_cut }
}

/// Our own words on lines.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let options = Options::new(width.max(1)).word_splitter(WordSplitter::NoHyphenation);
    text.lines()
        .flat_map(|line| textwrap::wrap(line, &options))
        .map(std::borrow::Cow::into_owned)
        .collect()
}

/// One line of somebody's words, cut to a width with a sign that says so.
pub(super) fn line_of(text: &str, width: usize, more: &str) -> String {
    let first: String = text.chars().take(width.saturating_mul(4).saturating_add(8)).collect();
    cut(&narrow(&display_safe(first.trim())), width, more)
}

/// Without the sign that asks for the coloured form of a character: terminals do not agree on how wide it makes one, and
/// where they disagree everything behind it stands in another place than the screen believes.
fn narrow(text: &str) -> String {
    text.replace('\u{fe0f}', "")
}

/// A text that is harmless already, cut to a width.
pub(super) fn cut(text: &str, width: usize, more: &str) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(more.width());
    let mut out = String::new();
    for letter in text.chars() {
        let mut bytes = [0; 4];
        if out.width() + letter.encode_utf8(&mut bytes).width() > room {
            break;
        }
        out.push(letter);
    }
    out.push_str(more);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_wide_letters_count_twice() {
        assert_eq!(folded("the roses are out", 9, 9).lines, ["the roses", "are out"]);
        assert_eq!(folded("漢字漢字", 4, 9).lines, ["漢字", "漢字"]);
        assert_eq!(folded("one\n\ntwo", 9, 9).lines, ["one", "", "two"]);
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        let long = "word ".repeat(100_000);
        let shown = folded(&long, 20, 3);
        assert_eq!((shown.lines.len(), shown.is_cut), (3, true));
        assert!(!folded("short", 20, 3).is_cut);
        assert!(folded("a\nb\nc\nd", 20, 3).is_cut);
    }

    #[test]
    fn what_moves_a_terminal_is_shown_as_a_picture() {
        assert_eq!(folded("\u{1b}[2J\u{202e}x", 40, 3).lines, ["␛[2J⟨202E⟩x"]);
        assert_eq!(line_of("a\nb\u{7}", 10, "…"), "a␊b␇");
    }

    #[test]
    fn a_character_has_the_width_on_which_terminals_agree() {
        assert_eq!(folded("❤\u{fe0f}!", 9, 1).lines, ["❤!"]);
        assert_eq!(line_of("❤\u{fe0f}", 9, "…"), "❤");
    }

    #[test]
    fn a_cut_never_exceeds_the_width() {
        assert_eq!(cut("abcdef", 4, "…"), "abc…");
        assert_eq!(cut("漢字漢字", 5, "…"), "漢字…");
        assert_eq!(cut("abc", 3, "…"), "abc");
        assert!(cut("漢字", 1, "…").width() <= 1);
    }
}

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

/// A line in pieces, each with whether it is marked.
pub(super) type Marked = Vec<(String, bool)>;

/// The first `most` lines of a text in pieces that are harmless already, and whether there are more. What is marked stays
/// marked on whatever line it comes to stand.
pub(super) fn folded_pieces(pieces: &[(String, bool)], width: usize, most: usize) -> (Vec<Marked>, bool) {
    let (mut text, mut marked) = (String::new(), Vec::new());
    for (piece, is_marked) in pieces {
        let begin = text.len();
        text.push_str(&narrow(piece));
        if *is_marked {
            marked.push(begin..text.len());
        }
    }
    let folded = folded(&text, width, most);
    // Lines are parts of the text, one behind the other, with nothing but space left out between them.
    let (mut lines, mut at) = (Vec::new(), 0);
    for line in folded.lines {
        let rest = text.get(at..).unwrap_or_default();
        let begin = rest.find(line.as_str()).map_or(at, |skipped| at + skipped);
        at = begin + line.len();
        lines.push(cut_at(&line, begin, &marked));
    }
    (lines, folded.is_cut)
}

/// A line that begins at a byte of its text, cut where what is marked begins and ends.
fn cut_at(line: &str, begin: usize, marked: &[std::ops::Range<usize>]) -> Marked {
    let end = begin + line.len();
    let edges = marked.iter().flat_map(|range| [range.start, range.end]);
    let mut cuts: Vec<usize> = edges.filter(|edge| (begin + 1..end).contains(edge)).collect();
    cuts.extend([begin, end]);
    cuts.sort_unstable();
    let pairs = cuts.iter().zip(cuts.iter().skip(1));
    let piece = |(from, to): (&usize, &usize)| {
        let is_marked = marked.iter().any(|range| range.contains(from));
        (
            line.get(from - begin..to - begin).unwrap_or_default().to_owned(),
            is_marked,
        )
    };
    pairs.map(piece).filter(|(text, _)| !text.is_empty()).collect()
}

/// Our own words on lines.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let text = narrow(text);
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
pub(super) fn narrow(text: &str) -> String {
    text.replace('\u{fe0f}', "")
}

/// A text that is harmless already, cut to a width.
pub(super) fn cut(text: &str, width: usize, more: &str) -> String {
    let text = narrow(text);
    if text.width() <= width {
        return text;
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
    fn what_is_marked_stays_marked_wherever_its_line_is_broken() {
        let pieces = |texts: &[(&str, bool)]| -> Vec<(String, bool)> {
            texts
                .iter()
                .map(|(text, is_marked)| ((*text).to_owned(), *is_marked))
                .collect()
        };
        let text = pieces(&[("@Ada is no name; ", false), ("@Ada Lovelace", true), (" is", false)]);
        let (lines, is_cut) = folded_pieces(&text, 12, 9);
        let expected = [
            pieces(&[("@Ada is no", false)]),
            pieces(&[("name; ", false), ("@Ada", true)]),
            pieces(&[("Lovelace", true), (" is", false)]),
        ];
        assert_eq!((lines, is_cut), (expected.to_vec(), false));
        let whole = pieces(&[("@Ada", true)]);
        assert_eq!(folded_pieces(&whole, 40, 9).0, [whole]);
        let long = pieces(&[("word\n", false), ("@Ada", true)]);
        assert_eq!(folded_pieces(&long, 40, 1), (vec![pieces(&[("word", false)])], true));
    }

    #[test]
    fn a_cut_never_exceeds_the_width() {
        assert_eq!(cut("abcdef", 4, "…"), "abc…");
        assert_eq!(cut("漢字漢字", 5, "…"), "漢字…");
        assert_eq!(cut("abc", 3, "…"), "abc");
        assert!(cut("漢字", 1, "…").width() <= 1);
    }
}

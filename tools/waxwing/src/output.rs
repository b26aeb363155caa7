//! What a command says, and the only place that prints.
//!
//! Results go to standard output, everything else (progress, hints, faults) to standard error. With `--json` standard
//! output holds nothing but JSON, one object a line, each with `"schema": "waxwing.<noun>.<verb>/1"`: a script that
//! knows the schema can rely on the rest. Colour and symbols carry no meaning that the words beside them do not carry.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value};
use waxwing_seal::display::display_safe;

use crate::args::{Color, Global};
use crate::failure::Failure;
use crate::ids::{self, Kind};

/// How a command speaks.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    verbose: u8,
    color: bool,
    width: Option<usize>,
    /// Symbols and lines in ASCII.
    pub(crate) ascii: bool,
    /// Whether whatever would be asked is answered with yes.
    pub(crate) yes: bool,
}

/// What a stretch of text is, which decides its colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tone {
    /// As hoped.
    Good,
    /// Needs somebody's attention.
    Bad,
    /// Worth knowing.
    Doubtful,
    /// Beside the point.
    Faint,
    /// The point.
    Strong,
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        Self {
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose,
            color: wants_color(global.color),
            width: terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0)),
            ascii: global.ascii || !locale_is_unicode(),
            yes: global.yes,
        }
    }

    /// Whether full ids and details are wanted.
    pub(crate) const fn is_verbose(&self) -> bool {
        self.verbose > 0
    }

    /// Whether standard output is to hold JSON alone.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// Whether colours are wanted.
    pub(crate) const fn is_colored(&self) -> bool {
        self.color
    }

    /// Whether what happens inside is printed on standard error.
    pub(crate) const fn shows_inside(&self) -> bool {
        self.verbose >= crate::inside::WANTED
    }

    /// Whether progress and hints are unwanted.
    pub(crate) const fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// A result: the object for programs, or the text for people.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub(crate) fn result(&self, schema: &str, object: Value, text: &str) -> Result<(), Failure> {
        if self.json {
            self.object(schema, object)
        } else {
            self.text(text)
        }
    }

    /// An object for programs alone; nothing without `--json`.
    ///
    /// # Errors
    /// If nobody reads any more.
    #[cfg(feature = "node")]
    pub(crate) fn record(&self, schema: &str, object: Value) -> Result<(), Failure> {
        if self.json { self.object(schema, object) } else { Ok(()) }
    }

    /// Text for people alone; nothing with `--json`.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        let end = if text.ends_with('\n') { "" } else { "\n" };
        print(&format!("{text}{end}"))
    }

    /// A piece of a line that goes on later, for people alone.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub(crate) fn part(&self, text: &str) -> Result<(), Failure> {
        if self.json { Ok(()) } else { print(text) }
    }

    /// Columns of the terminal; `None` if standard output is none, and nothing is to be wrapped.
    pub(crate) const fn width(&self) -> Option<usize> {
        self.width
    }

    /// Text wrapped at the terminal's width between words, later lines indented; as it is where there is no terminal.
    /// Whatever is longer than a line (ids, hashes) is broken, dates and paths are not.
    pub(crate) fn wrapped(&self, text: &str, indent: usize) -> String {
        self.width
            .map_or_else(|| text.to_owned(), |width| wrapped_at(text, width, indent))
    }

    fn object(&self, schema: &str, object: Value) -> Result<(), Failure> {
        let mut all = Map::new();
        all.insert("schema".to_owned(), Value::from(format!("waxwing.{schema}/1")));
        match object {
            Value::Object(fields) => all.extend(fields),
            other => {
                all.insert("value".to_owned(), other);
            }
        }
        print(&format!("{}\n", escaped(&Value::Object(all).to_string())))
    }

    /// What happens meanwhile, on standard error; silent with `--quiet`.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            to_stderr(&format!("{text}\n"));
        }
    }

    /// What to type next, below a result; silent with `--quiet` and `--json`.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub(crate) fn next(&self, command: &str) -> Result<(), Failure> {
        if self.quiet {
            return Ok(());
        }
        self.text(&format!("\n{} {command}", self.paint(Tone::Faint, "next:")))
    }

    /// An id for people: short and checksummed, or all of it with `-v`.
    pub(crate) fn id(&self, kind: Kind, id: &[u8; 32]) -> String {
        if self.is_verbose() {
            ids::full(kind, id)
        } else {
            ids::short(kind, id)
        }
    }

    /// Text in the colour of its tone, if colours are wanted.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let style = match tone {
            Tone::Good => Style::new().fg_color(Some(AnsiColor::Green.into())),
            Tone::Bad => Style::new().fg_color(Some(AnsiColor::Red.into())).bold(),
            Tone::Doubtful => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
            Tone::Faint => Style::new().dimmed(),
            Tone::Strong => Style::new().bold(),
        };
        format!("{style}{text}{style:#}")
    }

    /// Text that was looked for, told apart from what stands around it with and without colours.
    pub(crate) fn mark(&self, text: &str) -> String {
        if self.color {
            self.paint(Tone::Doubtful, text)
        } else {
            format!("*{text}*")
        }
    }

    /// A heading and the facts under it, names and values in two columns.
    pub(crate) fn facts(&self, heading: &str, facts: &[(&str, String)]) -> String {
        let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut text = format!("{}\n", self.paint(Tone::Strong, heading));
        for (name, value) in facts {
            let name = self.paint(Tone::Faint, &format!("{name:width$}"));
            text.push_str(&format!("  {name}  {value}\n"));
        }
        text
    }
}

/// [`Output::wrapped`] at a given width.
pub(crate) fn wrapped_at(text: &str, width: usize, indent: usize) -> String {
    let indent = " ".repeat(indent);
    let options = textwrap::Options::new(width.max(indent.len() + 20))
        .subsequent_indent(&indent)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::fill(text, options)
}

/// JSON says exactly what others wrote, and shown on a terminal it must not move it: whatever `display_safe` would replace
/// stands as `\u202e`. Outside of strings JSON has no such characters.
pub(crate) fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        let is_plain = letter.is_ascii() && letter != '\u{7f}';
        let mut bytes = [0; 4];
        let alone: &str = letter.encode_utf8(&mut bytes);
        if is_plain || display_safe(alone) == alone {
            text.push(letter);
        } else {
            let mut units = [0; 2];
            text.extend(
                letter
                    .encode_utf16(&mut units)
                    .iter()
                    .map(|unit| format!("\\u{unit:04x}")),
            );
        }
    }
    text
}

fn wants_color(color: Color) -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            io::stdout().is_terminal() && !is_set("NO_COLOR") && !dumb
        }
    }
}

/// Whether the locale can show more than ASCII. One that is not set says nothing, and today's terminals can.
fn locale_is_unicode() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
    locale.is_none_or(|locale| {
        let locale = locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// Writes a result to standard output.
///
/// # Errors
/// If nobody reads any more, or the disk behind it is full.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// Writes bytes that somebody asked for with `-`.
///
/// # Errors
/// If nobody reads any more, or the disk behind it is full.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::NobodyReads,
        _ => Failure::failed(format!("cannot write to standard output: {error}")),
    })
}

/// Writes to standard output where a failure to do so changes nothing.
pub(crate) fn to_stdout(text: &str) {
    let _ = print(text);
}

/// Writes to standard error; if that is closed, nobody is left to be told.
pub(crate) fn to_stderr(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(color: bool) -> Output {
        Output {
            json: false,
            quiet: false,
            verbose: 0,
            color,
            width: None,
            ascii: false,
            yes: false,
        }
    }

    #[test]
    fn facts_stand_in_two_columns() {
        let facts = [("id", "a".to_owned()), ("vote key", "b".to_owned())];
        assert_eq!(
            output(false).facts("network", &facts),
            "network\n  id        a\n  vote key  b\n"
        );
    }

    #[test]
    fn colour_is_added_only_where_it_is_wanted() {
        assert_eq!(output(false).paint(Tone::Bad, "x"), "x");
        let painted = output(true).paint(Tone::Bad, "x");
        assert!(painted.starts_with('\u{1b}') && painted.contains('x'), "{painted:?}");
    }

    #[test]
    fn json_carries_hostile_text_exactly_and_moves_no_terminal() {
        let hostile = "a\u{202e}b\u{9b}2J\u{7f} é 漢 \u{e0041}";
        let json = escaped(&Value::from(hostile).to_string());
        assert!(
            json.contains("\\u202e") && json.contains("\\u009b") && json.contains("\\u007f"),
            "{json}"
        );
        assert!(
            json.contains('é') && json.contains('漢') && !json.contains('\u{202e}'),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), Value::from(hostile));
    }

    #[test]
    fn lines_are_wrapped_between_words_and_dates_are_kept_whole() {
        let text = "ordered on 2026-11-23T10:00:00Z in block 7";
        assert_eq!(
            wrapped_at(text, 24, 2),
            "ordered on\n  2026-11-23T10:00:00Z\n  in block 7"
        );
        assert_eq!(output(false).wrapped(text, 2), text, "no terminal, no wrapping");
    }

    #[test]
    fn ids_are_short_unless_more_is_wanted() {
        let calm = output(false);
        assert_eq!(calm.id(Kind::Node, &[7; 32]), ids::short(Kind::Node, &[7; 32]));
        let verbose = Output { verbose: 1, ..calm };
        assert_eq!(verbose.id(Kind::Node, &[7; 32]), ids::full(Kind::Node, &[7; 32]));
    }
}

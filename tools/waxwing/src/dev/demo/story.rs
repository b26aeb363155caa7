//! How the demonstration tells what happens: chapters, facts, and a few lines of the conversation.

use std::path::{Path, PathBuf};
use std::time::Duration;

use waxwing_audit::Report;
use waxwing_light::MessageView;
use waxwing_seal::display::display_safe_name;

use super::figures::Figures;
use super::people::People;
use crate::chat::show::{said, step};
use crate::failure::Failure;
use crate::home::quoted;
use crate::output::{Output, Tone, wrapped_at};

/// Columns where standard output is no terminal.
const WIDTH: usize = 100;

/// Columns of the names of facts.
const NAMES: usize = 11;

/// The column in which the values of facts begin.
const VALUES: usize = NAMES + 5;

/// Tells it.
pub(super) struct Story<'a> {
    pub(super) output: &'a Output,
    chapters: std::cell::Cell<u32>,
}

impl<'a> Story<'a> {
    pub(super) const fn new(output: &'a Output) -> Self {
        Self {
            output,
            chapters: std::cell::Cell::new(0),
        }
    }

    pub(super) fn title(&self, dir: &Path) -> Result<(), Failure> {
        let title = self.output.paint(Tone::Strong, "Waxwing, demonstrated");
        self.output
            .text(&format!("{title}\neverything below happens now, in {}", dir.display()))
    }

    pub(super) fn chapter(&self, title: &str) -> Result<(), Failure> {
        self.chapters.set(self.chapters.get() + 1);
        let number = self.chapters.get();
        self.output.text(&format!(
            "\n{}",
            self.output.paint(Tone::Strong, &format!("{number}  {title}"))
        ))
    }

    pub(super) fn fact(&self, name: &str, value: &str) -> Result<(), Failure> {
        let name = self.output.paint(Tone::Faint, &format!("{name:NAMES$}"));
        let value = wrapped_at(&format!("{}{value}", " ".repeat(VALUES)), self.width(), VALUES);
        let value = value.trim_start();
        self.output.text(&format!("   {name}  {value}"))
    }

    /// A message as the reader sees it, with its proof, on one line.
    pub(super) fn message(&self, view: &MessageView) -> Result<(), Failure> {
        let step = step(view.state);
        let ladder = format!("{} {}", step.symbol(self.output.ascii), step.word());
        let place = format!(
            "block {:>3} entry {:>3}",
            view.height.unwrap_or(0),
            view.log_index.unwrap_or(0)
        );
        let name = view
            .author
            .as_ref()
            .map_or_else(|| "unknown".to_owned(), |author| display_safe_name(&author.name));
        let room = self.width().saturating_sub(ladder.chars().count() + place.len() + 9);
        let words = cut(&format!("{name}  {}", said(view).replace('\n', " ")), room);
        let words = match words.split_once("  ") {
            Some((name, words)) => format!("{}  {words}", self.output.paint(Tone::Strong, name)),
            None => words,
        };
        let (ladder, place) = (
            self.output.paint(step.tone(), &ladder),
            self.output.paint(Tone::Faint, &place),
        );
        self.output.text(&format!("   {ladder}  {place}  {words}"))
    }

    pub(super) fn aside(&self, text: &str) -> Result<(), Failure> {
        self.output
            .text(&format!("   {}", self.output.paint(Tone::Faint, text)))
    }

    /// The report of an audit: the verdict, and what matters of the rest.
    pub(super) fn report(&self, report: &Report, tone: Tone) -> Result<(), Failure> {
        let text = report.to_string();
        let mut lines = text.lines();
        let headline = lines.next().unwrap_or_default();
        let (word, claim) = headline.split_once("  ").unwrap_or((headline, ""));
        let claim = wrapped_at(&format!("{}{claim}", " ".repeat(VALUES)), self.width(), VALUES);
        let claim = claim.trim_start();
        self.output.text(&format!(
            "   {}  {claim}",
            self.output.paint(tone, &format!("{word:NAMES$}"))
        ))?;
        const SHOWN: [&str; 6] = ["where", "expected", "found", "certified", "holds", "last good"];
        for line in lines {
            let row = line.trim_start();
            let (name, value) = row.split_at_checked(10).unwrap_or((row, ""));
            if SHOWN.contains(&name.trim()) {
                self.fact(name.trim(), value.trim())?;
            }
        }
        Ok(())
    }

    pub(super) fn figures(&self, figures: &Figures) -> Result<(), Failure> {
        self.chapter("Figures of this run")?;
        for (name, value) in figures.lines() {
            self.fact(name, &value)?;
        }
        self.output.record("dev.demo", figures.as_json())
    }

    /// Commands to go on with; `first` is a message that the reader has.
    pub(super) fn explore(&self, dir: &Path, people: &People, first: u64) -> Result<(), Failure> {
        self.chapter("Look around")?;
        if let Some(program) = program_off_the_path() {
            self.output.text(&format!("   alias waxwing={program}"))?;
        }
        let path = |name: &str| quoted(&dir.join(name).to_string_lossy());
        let home = quoted(&people.home_of_reader().to_string_lossy());
        let open = format!("--home {home} --passphrase-file {}", path("passphrase"));
        for command in [
            format!("waxwing chat read {} --offline --proofs {open}", super::CHANNEL),
            format!("waxwing chat why {}#{first} {open}", super::CHANNEL),
            format!(
                "waxwing audit run {} --policy {}",
                path("validator-1"),
                path("policy.txt")
            ),
            format!(
                "waxwing audit compare {} {} --policy {}",
                path("validator-1"),
                path("validator-2"),
                path("policy.txt")
            ),
            format!("waxwing audit run {} --policy {}", path("tampered"), path("policy.txt")),
            format!(
                "waxwing dev up --validators {} --followers {} --dir {}",
                super::VALIDATORS,
                super::FOLLOWERS,
                quoted(&dir.to_string_lossy())
            ),
        ] {
            self.output.text(&format!("   {command}"))?;
        }
        Ok(())
    }

    fn width(&self) -> usize {
        self.output.width().unwrap_or(WIDTH)
    }
}

/// Where this program is, if typing its name would not start it.
fn program_off_the_path() -> Option<String> {
    let program = std::env::current_exe().ok()?.canonicalize().ok()?;
    let path = std::env::var_os("PATH")?;
    let is_this = |folder: PathBuf| {
        folder
            .join("waxwing")
            .canonicalize()
            .is_ok_and(|found| found == program)
    };
    let is_found = std::env::split_paths(&path).any(is_this);
    (!is_found).then(|| quoted(&program.to_string_lossy()))
}

/// At most so many columns.
fn cut(text: &str, columns: usize) -> String {
    if textwrap::core::display_width(text) <= columns {
        return text.to_owned();
    }
    let mut short = String::new();
    for letter in text.chars() {
        short.push(letter);
        if textwrap::core::display_width(&short) >= columns {
            short.pop();
            break;
        }
    }
    short + "…"
}

/// `12.3 s`, or `45 ms` where that says more.
pub(super) fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_to_its_columns() {
        assert_eq!(cut("hello", 5), "hello");
        assert_eq!(cut("hello you", 5), "hell…");
        assert_eq!(textwrap::core::display_width(&cut("漢字漢字漢字", 5)), 5);
    }

    #[test]
    fn short_times_are_in_milliseconds() {
        assert_eq!(seconds(Duration::from_millis(45)), "45 ms");
        assert_eq!(seconds(Duration::from_millis(12_340)), "12.3 s");
    }
}

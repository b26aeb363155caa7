//! How a command fails: one line that says what is wrong and what to do, and an exit code that says whose turn it is.
//!
//! | code | means |
//! |---|---|
//! | 0 | done; for an audit, VERIFIED |
//! | 1 | it could not be done: nobody answers, the disk is full, or a bug |
//! | 2 | used wrongly: arguments, files and links that the caller can put right |
//! | 10 and above | verdicts of an audit, see `waxwing audit run --help`; 30, a fork, ends `chat tail` as well |
//!
//! A panic is a bug of ours and is said to be one. It ends the process at once: what was acknowledged is on disk, and
//! the next start goes on from there.

use std::ffi::OsString;
use std::fmt::{self, Display, Formatter};
use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::ErrorKind;
use waxwing_seal::display::display_safe;

use crate::args::Cli;
use crate::output;

/// Where a bug is reported.
const BUGS: &str = "this is a bug in waxwing; please report it with this line and what you typed";

/// Why a command did not do what it was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Failure {
    /// The caller can put it right.
    Usage(String),
    /// It could not be done.
    Failed(String),
    /// Whoever read our output has gone, as in `waxwing ... | head`: nothing to say, and nobody to say it to.
    NobodyReads,
}

impl Failure {
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self::Failed(text.into())
    }

    /// Prints the line; the exit code goes to whoever called.
    pub(crate) fn tell(&self) -> ExitCode {
        match self {
            Self::Usage(text) => {
                error_line(text);
                ExitCode::from(2)
            }
            Self::Failed(text) => {
                error_line(text);
                ExitCode::from(1)
            }
            Self::NobodyReads => ExitCode::SUCCESS,
        }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Failed(text) => f.write_str(text),
            Self::NobodyReads => f.write_str("nobody reads what is printed"),
        }
    }
}

/// One line whatever the text holds: it may quote a file that somebody else wrote.
fn error_line(text: &dyn Display) {
    let text = text.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    output::to_stderr(&format!("error: {}\n", display_safe(&text)));
}

/// Panics print as bugs and end the process with code 1, on whatever thread they happen: a node that has lost a thread
/// must not look alive.
pub(crate) fn call_panics_bugs() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(String::new, |place| format!(" ({}:{})", place.file(), place.line()));
        let what = panic.payload_as_str().unwrap_or("no reason given");
        error_line(&format!("{BUGS}: {what}{place}"));
        std::process::exit(1);
    }));
}

/// Arguments that clap refused become one line; help and version, which clap reports the same way, print as they are.
pub(crate) fn refuse_arguments(refusal: &clap::Error) -> ExitCode {
    match refusal.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            output::to_stdout(&refusal.render().to_string());
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            output::to_stderr(&refusal.render().to_string());
            ExitCode::from(2)
        }
        _ => {
            error_line(&argument_line(refusal, std::env::args_os()));
            ExitCode::from(2)
        }
    }
}

/// The first paragraph of clap's answer, its tips, and where the help is.
fn argument_line(refusal: &clap::Error, arguments: impl Iterator<Item = OsString>) -> String {
    let text = refusal.render().to_string();
    let mut paragraphs = text.split("\n\n");
    let first = paragraphs.next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let mut line = first.split_whitespace().collect::<Vec<_>>().join(" ");
    for paragraph in paragraphs {
        for tip in paragraph.lines().filter_map(|tip| tip.trim().strip_prefix("tip: ")) {
            line.push_str("; ");
            line.push_str(tip);
        }
    }
    line.push_str(&format!(
        "; see `{} --help`",
        command_of(&text).unwrap_or_else(|| command_in(arguments))
    ));
    line
}

/// The command that was being read, from clap's usage line: `Usage: waxwing network new [OPTIONS] <NAME>`.
fn command_of(text: &str) -> Option<String> {
    let usage = text.lines().find_map(|line| line.strip_prefix("Usage: "))?;
    let is_word = |word: &&str| word.bytes().all(|letter| letter.is_ascii_lowercase());
    let words: Vec<_> = usage.split_whitespace().take_while(is_word).collect();
    Some(words.join(" "))
}

/// The command that was typed: a refused value comes without a usage line.
fn command_in(arguments: impl Iterator<Item = OsString>) -> String {
    let (mut command, mut words) = (Cli::command(), "waxwing".to_owned());
    for argument in arguments.skip(1) {
        if let Some(verb) = command.find_subcommand(&argument).cloned() {
            words = format!("{words} {}", verb.get_name());
            command = verb;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn refused(arguments: &[&str]) -> String {
        let refusal = Cli::try_parse_from(arguments).expect_err("these arguments are wrong");
        argument_line(&refusal, arguments.iter().map(OsString::from))
    }

    #[test]
    fn wrong_arguments_give_one_line_that_names_the_help() {
        for arguments in [
            &["waxwing", "nettwork"][..],
            &["waxwing", "network", "new"],
            &["waxwing", "network", "new", "a", "--frob"],
            &["waxwing", "--color", "blue", "version"],
            &["waxwing", "network", "show", "a", "b"],
        ] {
            let line = refused(arguments);
            assert!(!line.contains('\n'), "{line}");
            assert!(line.contains("; see `waxwing"), "{line}");
            assert!(line.ends_with(" --help`"), "{line}");
        }
    }

    #[test]
    fn a_misspelt_command_is_answered_with_the_nearest() {
        assert!(refused(&["waxwing", "nettwork"]).contains("'network'"));
        assert!(refused(&["waxwing", "network", "new"]).contains("<NAME>"));
    }

    #[test]
    fn a_refused_value_names_the_help_of_its_command() {
        let line = refused(&["waxwing", "--home", "x", "network", "new", "a", "--validators", "0"]);
        assert!(line.ends_with("; see `waxwing network new --help`"), "{line}");
    }
}

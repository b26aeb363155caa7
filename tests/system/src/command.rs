//! The `waxwing` program as somebody types it: arguments in; exit code, output and complaints out.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// What came of a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// The same in words, with the signal's name.
    pub ended: String,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// `waxwing`, with this folder as its home.
#[must_use]
pub fn waxwing(home: &Path) -> Command {
    let mut command = Command::new(crate::program("waxwing"));
    // Nothing of whoever runs the tests gets in.
    let inherited = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WAXWING_"));
    for (name, _) in inherited {
        command.env_remove(name);
    }
    command
        .env("WAXWING_HOME", home)
        .env("LC_ALL", "C.UTF-8")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end.
///
/// # Panics
/// If it cannot be started.
#[must_use]
#[expect(clippy::panic, reason = "the test cannot go on without its program")]
pub fn run(command: &mut Command) -> Said {
    let Output { status, stdout, stderr } = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    Said {
        code: status.code(),
        ended: status.to_string(),
        out: String::from_utf8_lossy(&stdout).into_owned(),
        err: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// Runs a command that must succeed; returns what it printed.
///
/// # Panics
/// If it fails.
pub fn done(command: &mut Command) -> String {
    let said = run(command);
    assert_eq!(
        said.code,
        Some(0),
        "{command:?}: {}\n{}{}",
        said.ended,
        said.out,
        said.err
    );
    said.out
}

/// Runs a command that must succeed, with `--json`; returns the object that it printed.
///
/// # Panics
/// If it fails, or prints anything else.
pub fn json(command: &mut Command) -> Value {
    let (code, object) = verdict(command);
    assert_eq!(code, 0, "{command:?} prints {object}");
    object
}

/// Runs a command that answers by its exit code, with `--json`; returns both.
///
/// # Panics
/// If it prints anything but an object.
#[expect(clippy::panic, reason = "the test fails here")]
pub fn verdict(command: &mut Command) -> (i32, Value) {
    let said = run(command.arg("--json"));
    let (Some(code), Ok(object)) = (said.code, serde_json::from_str(&said.out)) else {
        panic!("{command:?} does not answer: {}\n{}{}", said.ended, said.out, said.err);
    };
    (code, object)
}

/// Runs a command that must be refused: returns its exit code and the one line that it says.
///
/// # Panics
/// If it succeeds, says more than a line or panics.
pub fn refusal(command: &mut Command) -> (i32, String) {
    let said = run(command);
    let line = said.err.lines().last().unwrap_or_default().to_owned();
    let complaints = said.err.lines().filter(|line| line.starts_with("error: ")).count();
    let refused = matches!(said.code, Some(1 | 2));
    assert!(
        refused && line.starts_with("error: ") && !said.err.contains("this is a bug") && complaints == 1,
        "{command:?}: {}\n{}{}",
        said.ended,
        said.out,
        said.err
    );
    (said.code.unwrap_or_default(), line)
}

/// A text in a result, found by its path, as `/message/text`.
///
/// # Panics
/// If there is none.
#[must_use]
#[expect(clippy::panic, reason = "the test fails here")]
pub fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    let found = value.pointer(path).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("there is no text {path} in {value}"))
}

/// A number in a result, found by its path.
///
/// # Panics
/// If there is none.
#[must_use]
#[expect(clippy::panic, reason = "the test fails here")]
pub fn number(value: &Value, path: &str) -> u64 {
    let found = value.pointer(path).and_then(Value::as_u64);
    found.unwrap_or_else(|| panic!("there is no number {path} in {value}"))
}

/// A list in a result, found by its path.
///
/// # Panics
/// If there is none.
#[must_use]
#[expect(clippy::panic, reason = "the test fails here")]
pub fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    let found = value.pointer(path).and_then(Value::as_array);
    found.unwrap_or_else(|| panic!("there is no list {path} in {value}"))
}

//! Rules on what stands in a file.

use crate::{Source, findings, nothing_found};

/// A file tells one story; a longer one tells two.
const LINES_MAX: usize = 600;

/// Where a clock may be read, and why there. Everywhere else time is an argument.
const CLOCKS: [(&str, &str); 11] = [
    (
        "ledger/core/examples/log_map_rate.rs",
        "measures how fast the log map is, by hand; no part of the crate",
    ),
    (
        "ledger/store/examples/commit_rate.rs",
        "measures how fast blocks are written and read, by hand; no part of the crate",
    ),
    (
        "ledger/store/examples/join_rate.rs",
        "measures how long joining takes, by hand; no part of the crate",
    ),
    (
        "net/examples/loopback.rs",
        "measures what an envelope costs on the way, by hand; no part of the crate",
    ),
    (
        "net/src/quic/receive.rs",
        "the transport's edge: how long a peer may take to send a request, by the runtime's clock",
    ),
    (
        "net/src/quic/tests/fairness.rs",
        "measures how fast an honest client is served while others attack",
    ),
    (
        "node/full/src/clock.rs",
        "the node's edge: header times, pauses between blocks, and how long things took",
    ),
    (
        "node/light/src/clock.rs",
        "the client's edge: how old certified words are, and how long to wait for a node",
    ),
    (
        "node/order/examples/height_cost.rs",
        "measures what agreeing on a height costs, by hand; no part of the crate",
    ),
    ("tools/bench/src/clock.rs", "the stopwatch of the benchmarks"),
    (
        "tools/waxwing/src/clock.rs",
        "the program's edge: what people are told about time, and what founds a network",
    ),
];

/// The ways to read a clock that the crates we use have.
const CLOCK_READS: [&str; 5] = ["Instant", "SystemTime", "Timestamp", "Zoned", "Utc"];

/// Names that say nothing: what is in such a file belongs beside what uses it.
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "helper", "helpers", "common", "manager"];

// The words that the rules look for are put together here, or this file would be the first finding.
const UNFINISHED: [&str; 7] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("HA", "CK"),
    concat!("todo", "!("),
    concat!("unimple", "mented!("),
    concat!("#[", "ignore"),
];
const ALLOW: [&str; 2] = [concat!("#[", "allow("), concat!("#![", "allow(")];
const MACHINE_PATHS: [&str; 5] = [
    concat!("/wor", "k/"),
    concat!("/far", "m/"),
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Use", "rs/"),
];

fn is_rust(source: &Source) -> bool {
    source.path.ends_with(".rs")
}

/// Rust, and the scripts, which have no ending.
fn is_code(source: &Source) -> bool {
    [".rs", ".py", ".sh", ".js", ".ts", ".tsx"]
        .iter()
        .any(|ending| source.path.ends_with(ending))
        || source.text.starts_with("#!")
}

/// One finding for every line that `is_bad` objects to.
fn lines(source: &Source, rule: &str, is_bad: impl Fn(&str) -> bool) -> Vec<String> {
    let bad = source.text.lines().enumerate().filter(|(_, line)| is_bad(line));
    bad.map(|(index, line)| format!("{}:{}: {rule}: {}", source.path, index + 1, line.trim()))
        .collect()
}

/// Whether `word` stands in the line as a word of its own at its start: `METHOD` is no finding for `HOD`.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|head| head.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|tail| tail.chars().next());
        let ends_open = !word.ends_with(char::is_alphanumeric);
        let starts_open = !word.starts_with(char::is_alphanumeric);
        let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        (starts_open || !joins(before)) && (ends_open || !joins(after))
    })
}

fn long_file(source: &Source) -> Vec<String> {
    let count = source.text.lines().count();
    if is_code(source) && count > LINES_MAX {
        return vec![format!(
            "{}: {count} lines, {LINES_MAX} is the wall: split it by story",
            source.path
        )];
    }
    Vec::new()
}

fn unfinished(source: &Source) -> Vec<String> {
    if !is_code(source) {
        return Vec::new();
    }
    lines(source, "finish it or leave it out", |line| {
        UNFINISHED.iter().any(|word| has_word(line, word))
    })
}

fn silent_lint(source: &Source) -> Vec<String> {
    if !is_rust(source) {
        return Vec::new();
    }
    lines(source, "use #[expect(lint, reason = ...)]", |line| {
        ALLOW.iter().any(|word| line.contains(word))
    })
}

fn clock(source: &Source) -> Vec<String> {
    if !is_rust(source) || CLOCKS.iter().any(|(path, _)| *path == source.path) {
        return Vec::new();
    }
    lines(source, "reads a clock, and is not named in CLOCKS", reads_clock)
}

fn reads_clock(line: &str) -> bool {
    let code = line.trim_start();
    !code.starts_with("//") && CLOCK_READS.iter().any(|clock| has_word(line, &format!("{clock}::now")))
}

fn no_opening(source: &Source) -> Vec<String> {
    let opening = source.text.lines().next().unwrap_or_default();
    let says_something = opening.strip_prefix("//! ").is_some_and(|words| words.len() > 20);
    if is_rust(source) && (!says_something || opening.contains("Placeholder")) {
        return vec![format!(
            "{}: no `//!` opening that says what it is and why it exists",
            source.path
        )];
    }
    Vec::new()
}

fn limit_without_reason(source: &Source) -> Vec<String> {
    if !source.path.ends_with("/limits.rs") {
        return Vec::new();
    }
    let mut before = "";
    let mut found = Vec::new();
    for line in source.text.lines() {
        if line.trim_start().starts_with("pub const ") && !before.trim_start().starts_with("/// ") {
            found.push(format!("{}: a bound without its reason: {}", source.path, line.trim()));
        }
        before = line;
    }
    found
}

fn machine_path(source: &Source) -> Vec<String> {
    // A path stands at the start of a word; `network/root/` is a path of ours, `src/root/` may be one.
    let starts_path = |c: char| c.is_whitespace() || "\"'`(=:,<[".contains(c);
    lines(source, "a path of somebody's machine", |line| {
        MACHINE_PATHS.iter().any(|path| {
            line.match_indices(path).any(|(at, _)| {
                line.get(..at)
                    .and_then(|head| head.chars().next_back())
                    .is_none_or(starts_path)
            })
        })
    })
}

fn empty_name(source: &Source) -> Vec<String> {
    let named = |part: &str| EMPTY_NAMES.contains(&part.trim_end_matches(".rs"));
    if is_rust(source) && source.path.split('/').any(named) {
        return vec![format!("{}: the name says nothing about what is inside", source.path)];
    }
    if !is_rust(source) {
        return Vec::new();
    }
    // An indented function without `pub` may be the method of somebody else's trait, who chose its name.
    lines(source, "a noun needs no get_", |line| {
        let chosen_here = line.trim_start().starts_with("pub") || !line.starts_with(' ');
        chosen_here && line.contains(concat!("fn ", "get_"))
    })
}

fn names_rocksdb(source: &Source) -> Vec<String> {
    if !is_rust(source) || source.path.starts_with("ledger/store/") {
        return Vec::new();
    }
    lines(source, "only the store names rocksdb", |line| {
        !line.trim_start().starts_with("//") && has_word(line, concat!("rocks", "db::"))
    })
}

#[test]
fn files_are_short_enough_to_tell_one_story() {
    nothing_found(long_file);
    assert_eq!(findings(long_file, "a.rs", &"x\n".repeat(600)), Vec::<String>::new());
    assert_eq!(findings(long_file, "a.rs", &"x\n".repeat(601)).len(), 1);
    assert_eq!(
        findings(long_file, "tools/demo", &format!("#!/bin/sh\n{}", "x\n".repeat(600))).len(),
        1
    );
}

#[test]
fn nothing_is_left_open() {
    nothing_found(unfinished);
    for word in UNFINISHED {
        assert_eq!(
            findings(unfinished, "a.rs", &format!("let a = 1; // {word} later")).len(),
            1,
            "{word}"
        );
    }
    let longer = format!("const A{}S: u8 = 1;", concat!("HA", "CK"));
    assert_eq!(findings(unfinished, "a.rs", &longer), Vec::<String>::new());
}

#[test]
fn every_exception_to_a_lint_is_expected_with_a_reason() {
    nothing_found(silent_lint);
    for word in ALLOW {
        assert_eq!(findings(silent_lint, "a.rs", &format!("{word}dead_code)]")).len(), 1);
    }
}

#[test]
fn clocks_are_read_at_the_named_edges_only() {
    nothing_found(clock);
    let tree = crate::sources();
    for (path, reason) in CLOCKS {
        assert!(reason.len() > 20, "{path}: {reason:?} is no reason");
        let read = tree
            .iter()
            .any(|source| source.path == path && source.text.lines().any(reads_clock));
        assert!(read, "{path} reads no clock any more: take it off the list");
    }
    for name in CLOCK_READS {
        assert_eq!(findings(clock, "a.rs", &format!("let now = {name}::now();")).len(), 1);
        assert_eq!(
            findings(clock, "a.rs", &format!("// never {name}::now here")),
            Vec::<String>::new()
        );
    }
}

#[test]
fn every_file_opens_with_its_story() {
    nothing_found(no_opening);
    assert_eq!(
        findings(no_opening, "a.rs", "//! Placeholder opening of this file.").len(),
        1
    );
    assert_eq!(findings(no_opening, "a.rs", "use std::fs;").len(), 1);
    assert_eq!(findings(no_opening, "a.rs", "").len(), 1);
    assert_eq!(
        findings(no_opening, "a.rs", "//! Reads what others wrote.\n"),
        Vec::<String>::new()
    );
}

#[test]
fn every_limit_has_its_reason() {
    nothing_found(limit_without_reason);
    assert_eq!(
        findings(limit_without_reason, "a/limits.rs", "\npub const A: u8 = 1;").len(),
        1
    );
    assert_eq!(
        findings(limit_without_reason, "a/limits.rs", "/// Fits.\npub const A: u8 = 1;"),
        Vec::<String>::new()
    );
    let limits = crate::sources()
        .into_iter()
        .filter(|source| source.path.ends_with("/limits.rs"))
        .count();
    assert!(limits > 0, "no limits.rs was looked at");
}

#[test]
fn no_path_of_a_machine_is_written_down() {
    nothing_found(machine_path);
    for path in MACHINE_PATHS {
        assert_eq!(
            findings(machine_path, "README.md", &format!("look into `{path}main`")).len(),
            1
        );
        assert_eq!(findings(machine_path, "README.md", &format!("{path}main")).len(), 1);
        assert_eq!(
            findings(machine_path, "README.md", &format!("see net{path}main")),
            Vec::<String>::new()
        );
    }
}

#[test]
fn names_say_what_is_inside() {
    nothing_found(empty_name);
    assert_eq!(findings(empty_name, "net/src/utils.rs", "").len(), 1);
    assert_eq!(findings(empty_name, "net/src/common/a.rs", "").len(), 1);
    assert_eq!(
        findings(empty_name, "a.rs", &format!("pub fn {}head() {{}}", "get_")).len(),
        1
    );
    assert_eq!(
        findings(empty_name, "a.rs", &format!("    pub(crate) fn {}head() {{}}", "get_")).len(),
        1
    );
    assert_eq!(
        findings(empty_name, "a.rs", &format!("    fn {}by_index() {{}}", "get_")),
        Vec::<String>::new()
    );
}

#[test]
fn only_the_store_names_the_database() {
    nothing_found(names_rocksdb);
    let line = format!("use {}DB;", concat!("rocks", "db::"));
    assert_eq!(findings(names_rocksdb, "node/full/src/lib.rs", &line).len(), 1);
    assert_eq!(
        findings(names_rocksdb, "ledger/store/src/lib.rs", &line),
        Vec::<String>::new()
    );
}

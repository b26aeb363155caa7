//! Rules on which files there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What a visitor sees first, and nothing else: one folder per part, the papers, what cargo needs.
const VISIBLE: [&str; 12] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "ledger",
    "net",
    "node",
    "rust-toolchain.toml",
    "tests",
    "tools",
];

/// Settings of tools are dotfiles; these are the ones we have.
const HIDDEN: [&str; 9] = [
    ".cargo",
    ".ci",
    ".clippy.toml",
    ".config",
    ".deny.toml",
    ".git",
    ".github",
    ".gitignore",
    ".rustfmt.toml",
];

/// What a reader needs before the first line of code.
const PAPERS: [&str; 6] = [
    "README.md",
    "CHANGELOG.md",
    "ledger/README.md",
    "ledger/SPEC.md",
    ".github/CONTRIBUTING.md",
    ".github/SECURITY.md",
];

/// What a plain `cargo build` leaves there; git ignores it.
const BUILT: &str = "target";

fn surplus<'a>(top: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    top.into_iter()
        .filter(|name| !VISIBLE.contains(name) && !HIDDEN.contains(name) && *name != BUILT)
        .collect()
}

/// A paper that is not there, or has a title and nothing below it.
fn missing_paper(root: &Path, paper: &str) -> Option<String> {
    let text = fs::read_to_string(root.join(paper)).unwrap_or_default();
    (text.lines().filter(|line| !line.is_empty()).count() < 5).then(|| format!("{paper} is missing or says nothing"))
}

#[test]
fn the_papers_are_there() {
    let root = waxwing_system::root();
    let missing: Vec<String> = PAPERS.iter().filter_map(|paper| missing_paper(root, paper)).collect();
    assert_eq!(missing, Vec::<String>::new());
    assert!(missing_paper(root, "ledger/NO-SUCH-PAPER.md").is_some());
    // A file of three lines stands for a paper that was only begun.
    assert!(missing_paper(root, ".gitignore").is_some());
}

#[test]
fn the_top_level_is_the_agreed_one() {
    let entries = fs::read_dir(waxwing_system::root()).expect("the root can be read");
    let names: BTreeSet<String> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(surplus(names.iter().map(String::as_str)), Vec::<&str>::new());
    assert_eq!(surplus(["ledger", "docs", ".env", "target"]), ["docs", ".env"]);
}

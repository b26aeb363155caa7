//! The whole `--help` of every command as golden files: what people can type changes only where a reviewer sees it.
//!
//! The commands are found by reading the help itself, from `waxwing --help` downwards, so a new command cannot be left
//! out. After an intended change: `WAXWING_GOLDEN=write cargo test -p waxwing-system --test cli_help`, and look at the
//! difference.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The help texts, by command (`network new`; the program itself is `waxwing`).
type Helps = BTreeMap<String, String>;

fn folder() -> PathBuf {
    waxwing_system::root().join("tests/data/golden/help")
}

fn help(command: &[&str]) -> String {
    let output = Command::new(waxwing_system::program("waxwing"))
        .args(command)
        .arg("--help")
        .env("COLUMNS", "100")
        .output()
        .expect("the program starts");
    let shown = command.join(" ");
    assert_eq!(output.status.code(), Some(0), "waxwing {shown} --help");
    assert!(
        output.stderr.is_empty(),
        "waxwing {shown} --help says something on standard error"
    );
    String::from_utf8(output.stdout).expect("help is UTF-8")
}

/// The commands that a help text lists: indented by two, below `Commands:`.
fn listed(help: &str) -> Vec<&str> {
    let below = help.split("Commands:\n").nth(1).unwrap_or_default();
    let lines = below.lines().take_while(|line| !line.is_empty());
    let first_words = lines.filter_map(|line| line.strip_prefix("  ")?.split_once(' '));
    first_words
        .map(|(name, _)| name)
        .filter(|name| !name.is_empty())
        .collect()
}

fn gather(command: &[&str], helps: &mut Helps) {
    let text = help(command);
    for verb in listed(&text) {
        gather(&[command, &[verb]].concat(), helps);
    }
    let name = if command.is_empty() {
        "waxwing".to_owned()
    } else {
        command.join(" ")
    };
    helps.insert(name, text);
}

/// What the file of a command is called. Verbs have hyphens of their own, so there is no way back.
fn stem(command: &str) -> String {
    command.replace(' ', "-")
}

/// The golden files, by their stems.
fn golden() -> Helps {
    let files = fs::read_dir(folder()).expect("the golden files are part of the tree");
    files
        .map(|file| {
            let path = file.expect("the folder can be listed").path();
            let name = path.file_stem().expect("golden files have names");
            let name = name.to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("golden files are text"))
        })
        .collect()
}

fn write(helps: &Helps) {
    let _ = fs::remove_dir_all(folder());
    fs::create_dir_all(folder()).expect("the tree can be written");
    for (name, text) in helps {
        let file = folder().join(format!("{}.txt", stem(name)));
        fs::write(file, text).expect("the tree can be written");
    }
}

#[test]
fn every_help_text_is_the_golden_one() {
    let mut helps = Helps::new();
    gather(&[], &mut helps);
    if std::env::var_os("WAXWING_GOLDEN").is_some_and(|value| value == "write") {
        write(&helps);
    }
    let golden = golden();
    for (name, text) in &helps {
        let expected = golden.get(&stem(name)).map_or("", String::as_str);
        assert_eq!(
            text, expected,
            "the help of `{name}` changed; if that is meant, see the top of this file"
        );
    }
    let there: BTreeSet<String> = helps.keys().map(|name| stem(name)).collect();
    let gone: Vec<_> = golden.keys().filter(|stem| !there.contains(*stem)).collect();
    assert!(gone.is_empty(), "golden files of commands that are no more: {gone:?}");
}

#[test]
fn help_says_what_each_argument_is_and_fits_a_terminal() {
    let mut helps = Helps::new();
    gather(&[], &mut helps);
    for (name, text) in helps {
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "`{name}`: {line}");
        }
        // An argument without words beside or below it explains nothing.
        let lines: Vec<_> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let entry = line.trim_start();
            // Text beside an entry starts further right than any entry does.
            let is_entry = line.len() - entry.len() <= 6 && (entry.starts_with('-') || entry.starts_with('<'));
            let said_beside = entry.contains("  ");
            let said_below = lines.get(index + 1).is_some_and(|next| next.starts_with("        "));
            assert!(
                !is_entry || said_beside || said_below,
                "`{name}`: nothing is said about {entry}"
            );
        }
    }
}

#[test]
fn the_listing_of_commands_is_read() {
    let text = "Head\n\nUsage: x\n\nCommands:\n  new   Make\n        more words\n  show  Look\n\nOptions:\n  -h  x\n";
    assert_eq!(listed(text), ["new", "show"]);
    assert_eq!(listed("Usage: x\n\nOptions:\n  -h  x\n"), Vec::<&str>::new());
}

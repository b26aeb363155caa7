//! What was said and who is known, in one encrypted file and back: `chat backup`, `chat restore`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use waxwing_system::command::{done, json, list, number, refusal, run, text, waxwing};
use waxwing_system::den::{Den, reads};
use waxwing_system::person::Person;

/// A passphrase of its own for the backup, in a file.
fn phrase(folder: &Path) -> PathBuf {
    let file = folder.join("of the backup");
    fs::write(&file, "berries for the winter\n").unwrap();
    file
}

/// `waxwing chat backup` or `waxwing chat restore`, with this backup and the file with its passphrase.
fn typed(person: &Person, verb: &str, backup: &Path, phrase: &Path) -> Command {
    let mut command = person.chat(&[verb]);
    command.arg(backup).arg("--backup-passphrase-file").arg(phrase);
    command
}

/// A new device of nobody who was there before: a home, and nothing in it.
fn newcomer(ann: &Person, folder: &Path) -> Person {
    let paper = folder.join("paper");
    let shown = json(&mut ann.chat(&["account", "phrase", "--print"]));
    let words: Vec<&str> = list(&shown, "/words")
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    fs::write(&paper, words.join(" ")).unwrap();
    let new = Person::new(folder, "new machine");
    json(new.chat(&["recover", "--name", "ann", "--words"]).arg(&paper));
    new
}

#[test]
fn what_was_said_comes_back_on_a_new_device_where_it_is_read_and_nothing_is_said() {
    let Den { ann, ben, folder, .. } = &Den::new();
    ann.send("den", "hello");
    ben.send("den", "the roses are out");
    assert!(reads(ann, "den").contains("the roses are out"));
    ann.queue("den", "on its way");
    let (phrase, backup) = (phrase(folder.path()), folder.path().join("ann.backup"));
    let made = json(&mut typed(ann, "backup", &backup, &phrase));
    assert_eq!(text(&made, "/schema"), "waxwing.chat.backup/1");
    let counts = ["/channels", "/messages", "/networks", "/left_out"].map(|field| number(&made, field));
    assert_eq!(counts, [1, 2, 1, 1], "{made}");
    let bytes = fs::read(&backup).unwrap();
    for words in [&b"roses"[..], b"den", b"ann"] {
        assert!(
            !bytes.windows(words.len()).any(|window| window == words),
            "in the clear"
        );
    }

    let new = newcomer(ann, folder.path());
    let taken = json(&mut typed(&new, "restore", &backup, &phrase));
    assert_eq!(text(&taken, "/schema"), "waxwing.chat.restore/1");
    assert_eq!(["/channels", "/messages"].map(|field| number(&taken, field)), [1, 2]);
    let found = json(&mut new.chat(&["search", "roses"]));
    assert_eq!(list(&found, "/hits").len(), 1, "{found}");
    let (code, line) = refusal(&mut new.chat(&["send", "den", "anybody?"]));
    assert_eq!(code, 2, "{line}");
    assert!(
        line.contains("can only be read") && line.contains("invitation"),
        "{line}"
    );
    let said = run(&mut typed(&new, "restore", &backup, &phrase));
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("took 0 messages in 0 conversations"), "{}", said.out);
}

#[test]
fn what_is_said_about_a_backup_tells_what_is_in_it_and_what_is_not() {
    let Den { ann, folder, .. } = &Den::new();
    ann.send("den", "hello");
    let said = run(&mut typed(
        ann,
        "backup",
        &folder.path().join("b"),
        &phrase(folder.path()),
    ));
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("1 message in 1 conversation"), "{}", said.out);
    for words in ["no key is in it", "24 words", "file and passphrase"] {
        assert!(said.err.contains(words), "{}", said.err);
    }
}

#[test]
fn a_wrong_passphrase_or_file_changes_nothing_and_no_file_is_written_over() {
    let Den { ann, ben, folder, .. } = &Den::new();
    ann.send("den", "hello");
    let (phrase, backup) = (phrase(folder.path()), folder.path().join("ann.backup"));
    done(&mut typed(ann, "backup", &backup, &phrase));
    let bytes = fs::read(&backup).unwrap();
    let refused = |person: &Person, verb: &str, file: &Path, phrase: &Path, words: &str| {
        let (code, line) = refusal(&mut typed(person, verb, file, phrase));
        assert_eq!(code, 2, "{line}");
        assert!(line.contains(words), "{line}");
    };
    refused(ann, "backup", &backup, &phrase, "nothing is overwritten");
    assert!(fs::read(&backup).unwrap() == bytes);
    let nowhere = folder.path().join("no such folder/ann.backup");
    refused(ann, "backup", &nowhere, &phrase, "cannot be used");

    let before = json(&mut ben.chat(&["channels"]));
    let wrong = ben.passphrase_file();
    refused(ben, "restore", &backup, &wrong, "does not open");
    refused(ben, "restore", &nowhere, &phrase, "cannot be used");
    let letter = folder.path().join("letter");
    fs::write(&letter, "dear Ben").unwrap();
    refused(ben, "restore", &letter, &phrase, "does not open");
    assert_eq!(fs::read(&letter).unwrap(), b"dear Ben");
    assert_eq!(json(&mut ben.chat(&["channels"])), before);

    let mut both = waxwing(ann.home());
    both.args([
        "chat",
        "--passphrase-file",
        "-",
        "restore",
        "--backup-passphrase-file",
        "-",
    ]);
    let (_, line) = refusal(both.arg(&backup));
    assert!(line.contains("one of the two"), "{line}");
    assert_eq!(list(&json(&mut ann.chat(&["channels"])), "/channels").len(), 1);
    assert_ne!(before["channels"], json!([]));
}

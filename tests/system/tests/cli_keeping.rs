//! What a device keeps and forgets: `chat forget`, `chat passphrase`, `chat name`.

use std::fs;
use std::process::Stdio;

use serde_json::json;
use waxwing_system::command::{done, json, list, number, refusal, text, waxwing};
use waxwing_system::den::{Den, reads};

#[test]
fn a_channel_is_forgotten_after_a_yes_and_can_be_joined_again() {
    let den = Den::new();
    let Den { ann, ben, .. } = &den;
    ann.send("den", "hello");
    assert!(reads(ben, "den").contains("hello"));
    let (code, line) = refusal(&mut ben.chat(&["forget", "den"]));
    assert_eq!(code, 2);
    for words in [
        "1 entry",
        "without an invitation",
        "nodes keep the sealed bodies",
        "add --yes",
    ] {
        assert!(line.contains(words), "{line}");
    }
    let (_, line) = refusal(&mut ben.chat(&["forget", "attic", "--yes"]));
    assert!(line.contains("no channel attic"), "{line}");

    ben.queue("den", "not sent yet");
    let (code, line) = refusal(&mut ben.chat(&["forget", "den", "--yes"]));
    assert_eq!(code, 2);
    assert!(
        line.contains("1 own message of this channel is not final") && line.contains("--drop-waiting"),
        "{line}"
    );
    let forgotten = json(&mut ben.chat(&["forget", "den", "--drop-waiting", "--yes"]));
    assert_eq!(text(&forgotten, "/schema"), "waxwing.chat.forget/1");
    assert_eq!(
        (number(&forgotten, "/messages"), number(&forgotten, "/dropped")),
        (2, 1)
    );
    assert_eq!(json(&mut ben.chat(&["channels"]))["channels"], json!([]));
    assert_eq!(json(&mut ben.chat(&["search", "hello"]))["hits"], json!([]));
    let (_, line) = refusal(&mut ben.chat(&["read", "den"]));
    assert!(line.contains("no channels in this home"), "{line}");

    // The link leads in again, and what was dropped was never sent.
    ben.join(&ann.invite("den"));
    let again = ben.send("den", "here again");
    assert_ne!(
        again["message"]["channel"], forgotten["channel"],
        "numbers are not given twice"
    );
    let said: Vec<_> = list(&ann.read("den"), "/messages")
        .iter()
        .map(|message| text(message, "/text").to_owned())
        .collect();
    assert_eq!(said, ["hello", "here again"]);
}

#[test]
fn a_tail_ends_when_its_channel_is_forgotten() {
    let Den { ann, .. } = &Den::new();
    ann.send("den", "hello");
    let mut tail = ann.tail("den");
    tail.line_with("\"hello\"");
    done(&mut ann.chat(&["forget", "den", "--yes"]));
    let (status, said) = tail.end();
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains("error: no conversation"), "{said}");
}

#[test]
fn the_passphrase_is_changed_by_who_knows_it_and_the_old_one_opens_nothing() {
    let Den { ann, folder, .. } = &Den::new();
    let new = folder.path().join("new");
    fs::write(&new, "fed by somebody else\n").unwrap();
    let changed = json(ann.chat(&["passphrase", "--new-passphrase-file"]).arg(&new));
    assert_eq!(text(&changed, "/schema"), "waxwing.chat.passphrase/1");
    let (code, line) = refusal(&mut ann.chat(&["channels"]));
    assert_eq!(code, 2);
    assert!(line.contains("passphrase does not open"), "{line}");
    let (_, line) = refusal(ann.chat(&["passphrase", "--new-passphrase-file"]).arg(&new));
    assert!(
        line.contains("passphrase does not open"),
        "only who knows the old one: {line}"
    );
    let opened = || {
        let mut command = waxwing(ann.home());
        command.args(["chat", "--passphrase-file"]).arg(&new).arg("channels");
        list(&json(&mut command), "/channels").len()
    };
    assert_eq!(opened(), 1);

    // Nobody is asked where nobody can answer, and nothing is changed without a new one.
    let empty = folder.path().join("empty");
    fs::write(&empty, "\n").unwrap();
    let passphrase = |options: &[&str]| {
        let mut command = waxwing(ann.home());
        command
            .args(["chat", "passphrase", "--passphrase-file"])
            .arg(&new)
            .args(options);
        command.stdin(Stdio::null());
        refusal(&mut command).1
    };
    assert!(passphrase(&[]).contains("no terminal"));
    assert!(passphrase(&["--new-passphrase-file", &empty.to_string_lossy()]).contains("holds no passphrase"));
    let mut both = waxwing(ann.home());
    both.args([
        "chat",
        "passphrase",
        "--passphrase-file",
        "-",
        "--new-passphrase-file",
        "-",
    ]);
    assert!(refusal(&mut both).1.contains("one of the two"));
    assert_eq!(opened(), 1, "what was refused has changed nothing");
}

#[test]
fn a_name_is_shown_changed_and_seen_by_others_from_then_on() {
    let Den { ann, ben, .. } = &Den::new();
    ann.send("den", "first");
    let name = json(&mut ann.chat(&["name"]));
    assert_eq!(
        (text(&name, "/schema"), text(&name, "/name")),
        ("waxwing.chat.name/1", "ann")
    );
    let changed = json(&mut ann.chat(&["name", "Ann \u{1b}[2JB."]));
    assert_eq!(changed["device"], name["device"]);
    ann.send("den", "second");
    let read = reads(ben, "den");
    assert!(
        read.contains("ann  first") && read.contains("Ann ␛[2JB.  second"),
        "{read}"
    );
    assert!(done(&mut ann.chat(&["name"])).starts_with("Ann ␛[2JB.  device1"));
    let (_, line) = refusal(&mut ann.chat(&["name", " "]));
    assert!(line.contains("name is empty"), "{line}");
    let (_, line) = refusal(&mut ann.chat(&["name", &"x".repeat(129)]));
    assert!(line.contains("longer than 128 bytes"), "{line}");
}

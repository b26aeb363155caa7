//! The chat built by itself, without a node and its database: everything a person does, and nothing that it cannot.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use waxwing_system::command::{json, list, run, text};
use waxwing_system::node::{Network, Node};
use waxwing_system::person::Person;

/// `waxwing`, as `tools/test` built it without its feature `node`.
fn chat_alone(home: &Path) -> Command {
    let mut command = Command::new(waxwing_system::program("waxwing-chat"));
    command.arg("--home").arg(home);
    command
}

fn chat(person: &Person, arguments: &[&str]) -> Command {
    let mut command = chat_alone(person.home());
    command
        .args(["--json", "chat", "--passphrase-file"])
        .arg(person.passphrase_file());
    command.args(arguments);
    command
}

#[test]
fn who_only_chats_needs_no_node_and_talks_with_who_has_everything() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::found(&folder.path().join("network"), "alone");
    let mut node = Node::validator(&folder.path().join("validator"), &network);
    node.start();
    let [ann, ben] = ["ann", "ben"].map(|name| Person::new(folder.path(), name));
    ann.open("den", &network.genesis_file(), &[&node.address()]);
    let link = ann.invite("den");
    json(&mut chat(&ben, &["join", &link, "--as", "ben"]));
    let sent = json(&mut chat(&ben, &["send", "den", "without a node"]));
    assert_eq!(text(&sent, "/message/state"), "final");
    ann.send("den", "with everything");
    let said: Vec<String> = list(&json(&mut chat(&ben, &["read", "den"])), "/messages")
        .iter()
        .map(|message: &Value| text(message, "/text").to_owned())
        .collect();
    assert_eq!(said, ["without a node", "with everything"]);
}

#[test]
fn what_a_node_is_needed_for_is_not_offered() {
    let folder = tempfile::tempdir().unwrap();
    let help = run(chat_alone(folder.path()).arg("--help"));
    let offers = |what: &str| help.out.lines().any(|line| line.trim_start().starts_with(what));
    assert!(offers("chat ") && offers("audit "), "{}", help.out);
    for absent in ["node", "dev"] {
        assert!(!offers(&format!("{absent} ")), "{}", help.out);
        let refused = run(chat_alone(folder.path()).args([absent, "run"]));
        assert_eq!(refused.code, Some(2), "{}", refused.err);
        assert!(
            refused.err.contains(&format!("unrecognized subcommand '{absent}'")),
            "{}",
            refused.err
        );
    }
}

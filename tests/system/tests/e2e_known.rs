//! People who know each other already, a process for each command: one adds the other without a link, who agrees or does not.

#![expect(clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use serde_json::Value;
use waxwing_system::command::{done, json, list, refusal, text};
use waxwing_system::node::{Network, Node};
use waxwing_system::person::Person;
use waxwing_system::process::Running;
use waxwing_system::until::until;

/// The invitation into this channel that waits for somebody's answer.
fn invitation(person: &Person, channel: &str) -> Option<Value> {
    let requests = json(&mut person.chat(&["requests"]));
    let mut all = list(&requests, "/requests").iter();
    all.find(|request| request["invites"]["name"] == channel && request["state"] == "waiting")
        .cloned()
}

/// Waits for it; returns its number.
fn invited(person: &Person, channel: &str) -> String {
    until("the invitation comes", || invitation(person, channel))["id"].to_string()
}

#[test]
fn a_contact_is_added_without_a_link_and_reads_along_once_they_agree() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::found_cheap(&folder.path().join("network"), "circle");
    let mut node = Node::validator(&folder.path().join("validator"), &network);
    node.start();
    let [ada, ben] = ["ada", "ben"].map(|name| Person::new(folder.path(), name));
    ada.found("plans", &network.genesis_file(), &[&node.address()]);
    let mut inviting = Running::start(&mut ada.chat(&["invite", "--wait", "--json"]));
    let line: Value = serde_json::from_str(&inviting.line_with("waxwing.chat.invite/1")).unwrap();
    let link = text(&line, "/link").to_owned();
    let listed = json(&mut ada.chat(&["invite", "--list"]));
    let standing = &list(&listed, "/invitations")[0];
    assert_eq!(
        (standing["uses_left"].as_u64(), standing["asks"].as_bool()),
        (Some(1), Some(false))
    );
    let again = json(&mut ada.chat(&["invite", "--again", &standing["id"].to_string()]));
    // The same account, seed and channel, pinned to a head of now: it is the same link for whoever uses it.
    assert!(text(&again, "/link").starts_with("waxwing:"));
    ben.join(&link);
    assert!(inviting.end().0.success());
    let over = done(&mut ada.chat(&["invite", "--list"]));
    assert!(over.contains("no link lets anybody in"), "{over}");

    // Nobody who is not known, and nobody who is in.
    let (code, line) = refusal(&mut ada.chat(&["add", "plans", "eve"]));
    assert!(code == 2 && line.contains("no contact eve"), "{line}");
    ada.found("birds", &network.genesis_file(), &[&node.address()]);
    until("he can be added", || {
        let outcome = ada.chat(&["add", "birds", "ben"]).output().unwrap();
        let is_in = String::from_utf8_lossy(&outcome.stderr).contains("are in already");
        (outcome.status.success() || is_in).then_some(())
    });
    let number = invited(&ben, "birds");
    let shown = done(&mut ben.chat(&["requests"]));
    assert!(shown.contains("invites you into birds, 2 people"), "{shown}");
    let accepted = done(&mut ben.chat(&["accept", &number]));
    assert!(accepted.contains("you are in birds"), "{accepted}");
    assert_eq!(text(&ben.send("birds", "no link needed"), "/message/state"), "final");
    let read = done(&mut ada.chat(&["read", "birds"]));
    assert!(read.contains("no link needed"), "{read}");
    let (code, line) = refusal(&mut ada.chat(&["add", "birds", "ben"]));
    assert!(code != 0 && line.contains("--afresh"), "{line}");

    // The other way round, and no is an answer.
    ben.found("boats", &network.genesis_file(), &[&node.address()]);
    let added = json(&mut ben.chat(&["add", "boats", "ada"]));
    assert_eq!((added["devices"].as_u64(), text(&added, "/state")), (Some(1), "final"));
    let number = invited(&ada, "boats");
    let declined = done(&mut ada.chat(&["decline", &number]));
    assert!(declined.contains("is not told"), "{declined}");
    let (code, line) = refusal(&mut ada.chat(&["accept", &number]));
    assert!(code != 0 && line.contains("no such request"), "{line}");
    let channels = done(&mut ada.chat(&["channels"]));
    assert!(channels.contains("birds") && !channels.contains("boats"), "{channels}");
}

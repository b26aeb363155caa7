//! A newcomer who is told what was said before, with a real node and a process for each person: labelled wherever it is shown.

use serde_json::Value;
use waxwing_system::command::{done, json, list, refusal, text};
use waxwing_system::node::{Network, Node};
use waxwing_system::person::Person;
use waxwing_system::process::Running;
use waxwing_system::until::until;

const PLANS: &str = "plans";

/// What was told, as somebody reads it.
fn told(person: &Person) -> Vec<Value> {
    let read = person.read(PLANS);
    let messages = list(&read, "/messages").iter();
    messages
        .filter(|message| message.get("told").is_some())
        .cloned()
        .collect()
}

#[test]
fn who_comes_late_is_told_what_was_said_and_sees_by_whom() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::found_cheap(&folder.path().join("network"), "circle");
    let mut node = Node::validator(&folder.path().join("validator"), &network);
    node.start();
    let ada = Person::new(folder.path(), "ada");
    ada.found(PLANS, &network.genesis_file(), &[&node.address()]);
    assert_eq!(json(&mut ada.chat(&["history", PLANS]))["history"], "none");
    ada.send(PLANS, "before the rule");
    let chosen = json(&mut ada.chat(&["history", PLANS, "30d"]));
    assert_eq!((text(&chosen, "/history"), text(&chosen, "/state")), ("30d", "final"));
    ada.send(PLANS, "bring the ladder");
    let mut inviting = Running::start(&mut ada.chat(&["invite", "--wait", "--json"]));
    let line: Value = serde_json::from_str(&inviting.line_with("waxwing.chat.invite/1")).unwrap();
    let ben = Person::new(folder.path(), "ben");
    ben.join(text(&line, "/link"));
    assert!(inviting.end().0.success());
    until("Ben is told", || {
        // Whoever let him in tells him as soon as she is connected.
        done(&mut ada.chat(&["members", PLANS]));
        (!told(&ben).is_empty()).then_some(())
    });
    let seen = told(&ben);
    let words: Vec<&str> = seen.iter().map(|message| text(message, "/text")).collect();
    assert_eq!(words, ["bring the ladder"]);
    let first = seen.first().unwrap();
    assert_eq!(
        (text(first, "/state"), first["told"]["differs"].as_bool()),
        ("told", Some(false))
    );
    let plain = done(&mut ben.chat(&["read", PLANS]));
    assert!(plain.contains("as told by"), "{plain}");
    let id = text(first, "/content_id");
    let why = json(&mut ben.chat(&["why", id]));
    let holds = list(&why, "/checks").iter().filter(|check| check["result"] == "holds");
    assert_eq!(holds.map(|check| text(check, "/check")).collect::<Vec<_>>(), ["teller"]);
    let (_, refused) = refusal(&mut ben.chat(&["receipt", id]));
    assert!(refused.contains("nothing of it is proven"), "{refused}");
    let page = done(&mut ben.chat(&["export", PLANS, "--format", "html", "--out", "-"]));
    assert!(
        page.contains("as told by") && page.contains("Anything of the first 1 message"),
        "{page}"
    );
    let (_, refused) = refusal(&mut ben.chat(&["history", PLANS, "all"]));
    assert!(refused.contains("only an admin"), "{refused}");
}

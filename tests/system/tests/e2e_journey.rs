//! The whole way of a message, as people type it: a network, a validator and two followers, a channel, messages with
//! their proofs, a receipt, a bundle, and what an auditor says of all of it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use waxwing_system::command::{self, done, list, number, refusal, run, text, verdict, waxwing};
use waxwing_system::node::{Network, Node};
use waxwing_system::person::{Person, final_line};
use waxwing_system::until::until;

/// A validator, a follower of it, and a follower of that follower.
fn three_nodes(folder: &Path) -> (Network, [Node; 3]) {
    let network = Network::found(&folder.join("network"), "journey");
    let mut validator = Node::validator(&folder.join("validator"), &network);
    validator.start();
    let mut near = Node::follower(&folder.join("near"), &network, &[&validator.address()]);
    near.start();
    let mut far = Node::follower(&folder.join("far"), &network, &[&near.address()]);
    far.start();
    (network, [validator, near, far])
}

fn audit(source: &Path, policy: Option<&Path>) -> (i32, Value) {
    let mut command = waxwing(source);
    command.args(["audit", "run"]).arg(source);
    if let Some(policy) = policy {
        command.arg("--policy").arg(policy);
    }
    verdict(&mut command)
}

fn verify(receipt: &Path, policy: &Path) -> (Option<i32>, String) {
    let mut verifier = Command::new(waxwing_system::program("waxwing-verify"));
    let said = run(verifier.arg(receipt).arg("--policy").arg(policy));
    (said.code, said.out + &said.err)
}

/// What was said, by whom, in the order in which a person reads it.
fn conversation(person: &Person) -> Vec<(String, String)> {
    let read = person.read("den");
    let line = |message: &Value| {
        (
            text(message, "/author/name").to_owned(),
            text(message, "/text").to_owned(),
        )
    };
    list(&read, "/messages").iter().map(line).collect()
}

#[test]
fn a_message_travels_from_one_person_to_the_other_and_every_proof_holds() {
    let folder = tempfile::tempdir().unwrap();
    let (network, nodes) = three_nodes(folder.path());
    let [validator, _, far] = &nodes;
    let [ann, ben, cyd] = ["ann", "ben", "cyd"].map(|name| Person::new(folder.path(), name));
    ann.open("den", &network.genesis_file(), &[&validator.address()]);
    let link = ann.invite("den");
    assert_eq!(number(&ben.join(&link), "/channel"), 1);
    // Cyd knows the node that is two steps away from whoever orders, and no other.
    cyd.open("of her own", &network.genesis_file(), &[&far.address()]);
    cyd.join(&link);

    let mut tail = ben.tail("den");
    tail.line_with("waiting for messages");
    let sent = ann.send("den", "is anybody there?");
    assert_eq!(sent["ladder"], json!(["queued", "sent", "final"]), "{sent}");
    let seen = final_line(&mut tail, "is anybody there?");
    let same = ["/state", "/log_index", "/height", "/content_id"];
    for field in same.into_iter().chain(["/ordered", "/author/name"]) {
        assert_eq!(seen.pointer(field), sent["message"].pointer(field), "{field}");
    }
    assert_eq!(conversation(&cyd).len(), 1);
    let sent = cyd.send("den", "here!");
    assert_eq!(
        (&sent["ladder"], &sent["message"]["log_index"]),
        (&json!(["queued", "sent", "final"]), &json!(1))
    );
    let knows = cyd.read("den")["network"].clone();
    assert_eq!(
        (list(&knows, "/faults").len(), standing(&knows, &far.id().to_string())),
        (0, "fine"),
        "{knows}"
    );
    ben.queue("den", "I was slow");
    final_line(&mut tail, "I was slow");
    tail.kill();

    let said = [("ann", "is anybody there?"), ("cyd", "here!"), ("ben", "I was slow")];
    let said = said.map(|(name, words)| (name.to_owned(), words.to_owned()));
    for person in [&ann, &ben, &cyd] {
        assert_eq!(conversation(person), said, "as {} reads it", person.name);
    }

    let why = command::json(&mut ben.chat(&["why", "den#1"]));
    let checks: BTreeMap<&str, &str> = list(&why, "/checks")
        .iter()
        .map(|check| (text(check, "/check"), text(check, "/result")))
        .collect();
    for holds in [
        "log-signature",
        "device-signature",
        "in-the-ledger",
        "final",
        "stamp",
        "same-history",
    ] {
        assert_eq!(checks.get(holds), Some(&"holds"), "{holds} in {why}");
    }
    assert_eq!(
        checks.get("person"),
        Some(&"not-done"),
        "what nobody did is said: {why}"
    );
    assert!(!checks.values().any(|result| *result == "fails"), "{why}");

    receipts(folder.path(), &network, &ben);
}

/// A receipt convinces a program that knows nothing but the policy; another network's policy it does not convince.
fn receipts(folder: &Path, network: &Network, ben: &Person) {
    let [policy, foreign, file] = ["policy", "foreign", "receipt"].map(|name| folder.join(name));
    network.policy(&policy, None);
    Network::found(&folder.join("elsewhere"), "elsewhere").policy(&foreign, None);
    let receipt = command::json(ben.chat(&["receipt", "den#1", "--out"]).arg(&file));
    assert_eq!(number(&receipt, "/log_index"), 1);
    assert_eq!(verify(&file, &policy).0, Some(0));
    let (code, said) = verify(&file, &foreign);
    assert_eq!(code, Some(20), "it anchors nothing of this network: {said}");
    let mut bytes = fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&file, bytes).unwrap();
    let (code, said) = verify(&file, &policy);
    assert_eq!(code, Some(40), "one bit is another: {said}");
    let (code, refused) = refusal(&mut ben.chat(&["receipt", "den#17"]));
    assert_eq!(code, 2, "{refused}");
}

#[test]
fn an_auditor_gets_each_verdict_from_a_real_history() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (network, mut nodes) = three_nodes(folder.path());
    let ann = Person::new(folder.path(), "ann");
    ann.open("den", &network.genesis_file(), &[&nodes[0].address()]);
    let first = ann.send("den", "one");
    let bundle = |directory: &Path, name: &str| {
        done(
            waxwing(directory)
                .arg("export")
                .arg(directory)
                .arg("--out")
                .arg(at(name)),
        );
        at(name)
    };
    let early = bundle(&nodes[0].directory(), "early");
    let last = ann.send("den", "two");
    let height = number(&last, "/message/height");
    assert!(height > number(&first, "/message/height"));
    let head = format!("{height}:{}", text(&nodes[0].status(), "/head"));
    network.policy(&at("genesis-only"), None);
    network.policy(&at("pinned"), Some(&head));

    nodes[2].until_height(height);
    for node in &mut nodes {
        node.stop();
    }
    let late = bundle(&nodes[2].directory(), "late");
    for source in [nodes[0].directory(), nodes[1].directory(), nodes[2].directory(), late] {
        let shown = source.display().to_string();
        assert_eq!(audit(&source, Some(&at("pinned"))).0, 0, "{shown}");
        assert_eq!(audit(&source, Some(&at("genesis-only"))).0, 0, "{shown}");
        let (code, report) = audit(&source, None);
        assert_eq!((code, text(&report, "/verdict")), (20, "UNANCHORED"), "{shown}");
    }
    // Nothing inside a short history can tell that it is short; the pinned head does, and both heights are named.
    assert_eq!(audit(&early, Some(&at("genesis-only"))).0, 0);
    let (code, report) = audit(&early, Some(&at("pinned")));
    assert_eq!((code, text(&report, "/verdict")), (12, "INCOMPLETE"), "{report}");
    let said = run(waxwing(&early)
        .args(["audit", "run"])
        .arg(&early)
        .arg("--policy")
        .arg(at("pinned")))
    .out;
    for shown in [height, number(&first, "/message/height")] {
        assert!(said.contains(&shown.to_string()), "{shown} in {said}");
    }
    // A block of the same height that is another one contradicts the history.
    let other = format!("{height}:{}", "ab".repeat(32));
    network.policy(&at("contradicting"), Some(&other));
    assert_eq!(audit(&nodes[0].directory(), Some(&at("contradicting"))).0, 30);
    fs::write(at("rubbish"), b"not a bundle").unwrap();
    assert_eq!(audit(&at("rubbish"), Some(&at("pinned"))).0, 50);
}

#[test]
fn an_audit_changes_not_a_byte_of_a_directory_and_works_while_the_node_runs() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::found(&folder.path().join("network"), "untouched");
    let mut node = Node::validator(&folder.path().join("node"), &network);
    node.start();
    let ann = Person::new(folder.path(), "ann");
    ann.open("den", &network.genesis_file(), &[&node.address()]);
    ann.send("den", "one");
    let policy = folder.path().join("policy");
    network.policy(&policy, None);
    let (code, report) = audit(&node.directory(), Some(&policy));
    assert_eq!(code, 0, "while it runs: {report}");
    node.stop();
    let before = files_of(&node.directory());
    assert!(before.len() > 8, "{:?}", before.keys());
    assert_eq!(audit(&node.directory(), Some(&policy)).0, 0);
    let after = files_of(&node.directory());
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    assert!(before == after, "a file was changed");
    // And the node goes on from it.
    node.start();
    assert_eq!(ann.send("den", "two")["message"]["log_index"], 1);
}

/// Every file below a folder, whole.
fn files_of(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for found in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = found.file_name().to_string_lossy().into_owned();
        if found.file_type().unwrap().is_dir() {
            let inside = files_of(&found.path());
            files.extend(
                inside
                    .into_iter()
                    .map(|(below, bytes)| (format!("{name}/{below}"), bytes)),
            );
        } else {
            files.insert(name, fs::read(found.path()).unwrap());
        }
    }
    files
}

/// How a node stands with a reader.
fn standing<'a>(network: &'a Value, id: &str) -> &'a str {
    let mut nodes = list(network, "/nodes").iter();
    text(nodes.find(|node| text(node, "/node") == id).unwrap(), "/standing")
}

#[test]
fn readers_go_on_when_their_node_dies_and_know_why_they_left_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let network = Network::found(&at("network"), "failover");
    let mut validator = Node::validator(&at("validator"), &network);
    validator.start();
    let mut followers = ["left", "right"].map(|name| Node::follower(&at(name), &network, &[&validator.address()]));
    followers.iter_mut().for_each(Node::start);
    let [ann, ben] = ["ann", "ben"].map(|name| Person::new(folder.path(), name));
    // The link names the followers; whom Ben asks of them is his program's choice.
    ann.open(
        "den",
        &network.genesis_file(),
        &followers.each_ref().map(Node::address).each_ref().map(String::as_str),
    );
    ben.join(&ann.invite("den"));
    ann.open("of her own", &network.genesis_file(), &[&validator.address()]);
    let mut tail = ben.tail("den");
    tail.line_with("waiting for messages");
    let serving = until("a follower serves Ben", || {
        followers
            .iter()
            .position(|node| node.figure("waxwing_subscriptions") > 0)
    });
    let dead = followers[serving].id().to_string();
    ann.send("den", "one");
    final_line(&mut tail, "\"one\"");

    followers[serving].kill();
    ann.send("den", "two");
    final_line(&mut tail, "\"two\"");
    ben.queue("den", "three");
    final_line(&mut tail, "\"three\"");
    let knows = ben.read("den")["network"].clone();
    let faults = list(&knows, "/faults");
    let reason = faults.iter().find(|fault| text(fault, "/node") == dead);
    assert!(reason.is_some_and(|fault| text(fault, "/says").len() > 10), "{knows}");
    assert_eq!(standing(&knows, &dead), "fails", "{knows}");
    assert!(
        list(&knows, "/nodes")
            .iter()
            .any(|node| text(node, "/standing") == "fine"),
        "{knows}"
    );
    assert_eq!(conversation(&ann).len(), 3);

    // The dead one comes back and has caught up before anybody asks it.
    followers[serving].start();
    followers[serving].until_height(number(&validator.status(), "/height"));
    assert_eq!(followers[serving].status()["head"], validator.status()["head"]);
}

#[test]
fn what_was_on_its_way_when_the_ordering_node_died_is_ordered_once_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let (network, [mut validator, near, far]) = three_nodes(folder.path());
    let [ann, ben] = ["ann", "ben"].map(|name| Person::new(folder.path(), name));
    ann.open("den", &network.genesis_file(), &[&validator.address()]);
    let link = ann.invite("den");
    ben.open("of his own", &network.genesis_file(), &[&far.address()]);
    ben.join(&link);
    ann.send("den", "one");
    assert_eq!(conversation(&ben).len(), 1);

    validator.kill();
    ann.queue("den", "two");
    ben.queue("den", "three");
    let mut tails = [ann.tail("den"), ben.tail("den")];
    for tail in &mut tails {
        final_line(tail, "\"one\"");
    }
    validator.start();
    for tail in &mut tails {
        final_line(tail, "\"two\"");
        final_line(tail, "\"three\"");
    }
    let mut said: Vec<String> = conversation(&ann).into_iter().map(|(_, words)| words).collect();
    assert_eq!(
        said,
        conversation(&ben)
            .into_iter()
            .map(|(_, words)| words)
            .collect::<Vec<_>>()
    );
    said.sort();
    assert_eq!(said, ["one", "three", "two"]);
    for node in [&near, &far] {
        until("followers have it too", || {
            (node.status()["head"] == validator.status()["head"]).then_some(())
        });
    }
}

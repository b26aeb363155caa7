//! What goes wrong for newcomers: each mistake gets one line that says what is wrong and what to do next, and harms
//! nothing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::Path;

use waxwing_store::rows::meta;
use waxwing_store::{Family, Options, RocksTables, SCHEMA, Store};
use waxwing_system::command::{done, list, number, refusal, run, text, verdict, waxwing};
use waxwing_system::node::{Network, Node};
use waxwing_system::person::Person;
use waxwing_system::until::until;

/// Asserts that a refusal has a code and says each of these.
fn says((code, line): (i32, String), expected: i32, words: &[&str]) {
    assert_eq!(code, expected, "{line}");
    for word in words {
        assert!(line.contains(word), "{word:?} in: {line}");
    }
}

/// A network with its validator, which runs, and somebody with a channel.
fn begun(folder: &Path) -> (Network, Node, Person) {
    let network = Network::found(&folder.join("network"), "mistakes");
    let mut node = Node::validator(&folder.join("node"), &network);
    node.start();
    let ann = Person::new(folder, "ann");
    ann.open("den", &network.genesis_file(), &[&node.address()]);
    (network, node, ann)
}

#[test]
fn a_wrong_passphrase_opens_nothing_and_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (_network, _node, ann) = begun(folder.path());
    ann.send("den", "mine");
    let right = fs::read(ann.passphrase_file()).unwrap();
    for wrong in ["guess", "ann keeps the waxwings fed "] {
        fs::write(ann.passphrase_file(), wrong).unwrap();
        says(refusal(&mut ann.chat(&["read", "den"])), 2, &["passphrase"]);
    }
    fs::write(ann.passphrase_file(), "").unwrap();
    says(refusal(&mut ann.chat(&["read", "den"])), 2, &["passphrase"]);
    let mut without = waxwing(ann.home());
    says(
        refusal(without.args(["chat", "read", "den"])),
        2,
        &["--passphrase-file", "WAXWING_PASSPHRASE_FILE"],
    );
    fs::write(ann.passphrase_file(), right).unwrap();
    assert_eq!(list(&ann.read("den"), "/messages").len(), 1);
}

#[test]
fn a_wrong_link_joins_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (_network, mut node, ann) = begun(folder.path());
    let link = ann.invite("den");
    let ben = Person::new(folder.path(), "ben");
    let mut altered = link.clone().into_bytes();
    let place = altered.len() - 10;
    altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
    let altered = String::from_utf8(altered).unwrap();
    for wrong in ["https://example.org", "waxwing:", &link[..link.len() - 4], &altered] {
        says(refusal(&mut ben.chat(&["join", wrong, "--as", "ben"])), 2, &[]);
    }
    assert!(!ben.home().join("chat").exists(), "a link that is none makes no home");
    // A good link whose node is away: nothing is joined by halves, and the same words work later.
    node.kill();
    says(
        refusal(&mut ben.chat(&["join", &link, "--as", "ben"])),
        1,
        &["no node served", "Check the network"],
    );
    node.start();
    assert_eq!(text(&ben.join(&link), "/name"), "den");
    assert_eq!(text(&ben.join(&link), "/name"), "den", "joining twice is joining once");
}

#[test]
fn a_node_that_is_away_keeps_nobody_from_reading_and_queueing() {
    let folder = tempfile::tempdir().unwrap();
    let (_network, mut node, ann) = begun(folder.path());
    ann.send("den", "before");
    let address = node.address();
    let health = done(waxwing(ann.home()).args(["node", "health", "--node", &address]));
    assert!(health.contains("ready: verified to its head"), "{health}");
    node.kill();
    let said = run(&mut ann.chat(&["read", "den"]));
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    assert!(said.out.contains("before"), "what is here is shown: {}", said.out);
    assert!(said.err.contains("no node served"), "{}", said.err);
    says(
        refusal(&mut ann.chat(&["send", "den", "meanwhile", "--timeout", "2"])),
        1,
        &["not final yet", "outbox", "exactly once"],
    );
    says(
        refusal(waxwing(ann.home()).args(["node", "status", "--node", &address])),
        1,
        &["127.0.0.1"],
    );
    let health = run(waxwing(ann.home()).args(["node", "health", "--node", &address]));
    assert_eq!(health.code, Some(1), "{}{}", health.out, health.err);
    node.start();
    until("the message goes out with the next command", || {
        let read = ann.read("den");
        let messages = list(&read, "/messages");
        assert_eq!(messages.len(), 2, "{read}");
        (text(&messages[1], "/state") == "final").then_some(())
    });
}

#[test]
fn somebody_with_the_founding_facts_of_another_network_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let (_network, mut node, ann) = begun(folder.path());
    ann.send("den", "one");
    let other = Network::found(&folder.path().join("other"), "other");
    let ben = Person::new(folder.path(), "ben");
    ben.open("den", &other.genesis_file(), &[&node.address()]);
    says(
        refusal(&mut ben.chat(&["send", "den", "hello?", "--timeout", "3"])),
        1,
        &["not final yet", "network"],
    );
    let read = run(&mut ben.chat(&["read", "den"]));
    assert!(
        read.code == Some(1) && read.err.contains("network"),
        "{}{}",
        read.out,
        read.err
    );
    // A follower of the wrong network copies nothing, and says why.
    let mut lost = Node::follower(&folder.path().join("lost"), &other, &[&node.address()]);
    lost.start();
    let fault = until("the follower knows what is wrong", || {
        let status = lost.status();
        status.pointer("/upstreams/0/fault")?.as_str().map(str::to_owned)
    });
    assert!(fault.contains("network"), "{fault}");
    assert_eq!(number(&lost.status(), "/height"), 0);
    // Founding facts that were put into a node's directory under it.
    node.stop();
    fs::copy(other.genesis_file(), node.directory().join("genesis")).unwrap();
    says(refusal(&mut node.command()), 2, &["another network"]);
}

#[test]
fn a_second_process_on_a_directory_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (network, mut node, ann) = begun(folder.path());
    let number = node.process().id().to_string();
    let mut second = waxwing(node.home());
    says(
        refusal(second.args(["node", "run", "--listen", "127.0.0.1:0", "--http", "off"])),
        2,
        &["another process", &number, &node.directory().display().to_string()],
    );
    let mut again = waxwing(node.home());
    again.args(["node", "init", "--genesis"]).arg(network.genesis_file());
    says(refusal(&mut again), 2, &["holds a node already"]);
    ann.send("den", "the first is unharmed");
}

#[test]
fn a_directory_of_a_newer_program_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (network, mut node, ann) = begun(folder.path());
    ann.send("den", "one");
    node.stop();
    let (database, kept) = (node.directory().join("db"), folder.path().join("kept"));
    copy_files(&database, &kept);
    let store = Store::<RocksTables>::open(&database, &Options::default()).unwrap();
    let newer = (SCHEMA + 1).to_be_bytes();
    store.raw().put(Family::Meta, meta::SCHEMA, &newer).unwrap();
    drop(store);
    let shown = database.display().to_string();
    says(
        refusal(&mut node.command()),
        2,
        &[&shown, "layout 2", "run a newer program"],
    );
    let policy = folder.path().join("policy");
    network.policy(&policy, None);
    let mut audit = waxwing(folder.path());
    audit
        .args(["audit", "run"])
        .arg(node.directory())
        .arg("--policy")
        .arg(&policy);
    let said = run(&mut audit);
    assert!(
        matches!(said.code, Some(1 | 50)),
        "not called tampered: {}\n{}{}",
        said.ended,
        said.out,
        said.err
    );
    // The copy from before is as good as ever.
    fs::remove_dir_all(&database).unwrap();
    copy_files(&kept, &database);
    assert_eq!(verdict(&mut audit).0, 0);
    node.start();
    ann.send("den", "two");
}

fn copy_files(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

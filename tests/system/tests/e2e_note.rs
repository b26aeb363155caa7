//! The note of where a vote key has last signed: a validator whose note is lost says so and does not start; with a height
//! that the network has passed in its place it runs, catches up, and votes again.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use waxwing_core::genesis::Genesis;
use waxwing_system::command::{list, number, refusal, text};
use waxwing_system::load::Load;
use waxwing_system::node::{Network, Node};

/// Four validators on this machine.
fn four(folder: &std::path::Path) -> (Network, Vec<Node>) {
    let homes: Vec<PathBuf> = (1..=4)
        .map(|number| folder.join(format!("validator-{number}")))
        .collect();
    let network = Network::found_together(&folder.join("network"), "notes", &homes);
    let mut nodes: Vec<Node> = Vec::new();
    for home in &homes {
        let (node, _) = Node::member(home, &network);
        // Of two validators one has to know the other's address.
        let known: Vec<String> = nodes.iter().map(Node::address).collect();
        let mut node = if known.is_empty() {
            node
        } else {
            node.with("validators", &known.join(","))
        };
        node.start();
        nodes.push(node);
    }
    (network, nodes)
}

fn height(node: &Node) -> u64 {
    number(&node.status(), "/height")
}

/// Lets the first node and the others make some blocks, and returns when all have them.
fn work(nodes: &[&Node], genesis: &Genesis, seed: u64) {
    let first = nodes.first().unwrap();
    let load = Load::start(first, genesis, seed);
    let wanted = height(first) + 3;
    for node in nodes {
        node.until_height(wanted);
    }
    drop(load.finish());
}

/// Which of the committee signed the newest block that a node has, as public vote keys.
fn signers(status: &Value) -> Vec<String> {
    let signers = list(status, "/committee/certificate/signers");
    signers
        .iter()
        .map(|signer| signer.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_validator_whose_note_is_lost_says_so_and_votes_again_with_a_height_that_has_passed() {
    let folder = tempfile::tempdir().unwrap();
    let (network, mut nodes) = four(folder.path());
    let genesis = network.genesis();
    work(&nodes.iter().collect::<Vec<_>>(), &genesis, 1);
    let mut fourth = nodes.pop().unwrap();
    let key = text(&fourth.status(), "/committee/own").to_owned();
    fourth.stop();
    let note = fourth.directory().join("keys").join("signed");
    let before = fs::read_to_string(&note).unwrap();
    let signed: u64 = before.split_whitespace().next().unwrap().parse().unwrap();
    assert!(signed >= 1, "{before}");
    fs::remove_file(&note).unwrap();

    // It says what is missing and what to do, and signs nothing.
    let (code, said) = refusal(&mut fourth.command());
    assert_eq!(code, 2, "{said}");
    for words in [
        "keys/signed",
        "is missing",
        "could sign a block twice",
        "a height that the network has passed",
    ] {
        assert!(said.contains(words), "{words:?} in: {said}");
    }
    assert!(!note.exists(), "nobody but the operator knows what to write");
    fs::write(&note, "soon\n").unwrap();
    let (code, said) = refusal(&mut fourth.command());
    assert!(code == 2 && said.contains("should be a line of a height"), "{said}");

    // The others go on; their height is the one to write.
    work(&nodes.iter().collect::<Vec<_>>(), &genesis, 2);
    let passed = height(&nodes[0]);
    assert!(passed > signed);
    fs::write(&note, format!("{passed}\n")).unwrap();
    fourth.start();
    fourth.until_height(passed);

    // Without it there is no quorum now: whatever becomes final, it has signed.
    nodes[2].stop();
    work(&[&nodes[0], &nodes[1], &fourth], &genesis, 3);
    let status = nodes[0].status();
    assert!(number(&status, "/height") > passed);
    assert!(signers(&status).contains(&key), "{key} in {status}");
    assert_eq!(list(&status, "/evidence").len(), 0);
    let after = fs::read_to_string(&note).unwrap();
    let signed: u64 = after.split_whitespace().next().unwrap().parse().unwrap();
    assert!(signed > passed, "the node keeps the note itself again: {after}");
}

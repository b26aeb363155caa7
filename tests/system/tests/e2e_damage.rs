//! A ledger that real people and a real load have filled, damaged in every way that `waxwing dev tamper` knows: what the
//! auditor says as a program, and that a validator does not go on from an older copy.
//!
//! The audit's own tests have the table with the faults' names on generated histories; here the whole way is gone, through
//! the programs, on a directory that a node has written.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use waxwing_system::command::{json, list, number, refusal, text, verdict, waxwing};
use waxwing_system::load::Load;
use waxwing_system::node::{Network, Node};
use waxwing_system::person::Person;
use waxwing_system::told::Told;
use waxwing_system::until::until;

/// What an audit says of each kind of damage: exit code and verdict. Whatever is done through the database, with valid
/// checksums, is found as what it is; what is only missing at the end or kept back is no tampering; what can no longer be
/// read says nothing about it.
const CODES: [(&str, i32, &str); 21] = [
    ("body-bit", 40, "TAMPERED"),
    ("header-bit", 40, "TAMPERED"),
    ("signature-bit", 40, "TAMPERED"),
    ("certificate-bit", 40, "TAMPERED"),
    ("block-header-bit", 40, "TAMPERED"),
    ("index-bit", 40, "TAMPERED"),
    ("node-bit", 40, "TAMPERED"),
    ("log-bit", 40, "TAMPERED"),
    ("recent-bit", 40, "TAMPERED"),
    ("applied-changed", 40, "TAMPERED"),
    ("entry-dropped", 40, "TAMPERED"),
    ("entries-swapped", 40, "TAMPERED"),
    ("entry-inserted", 40, "TAMPERED"),
    ("block-dropped", 40, "TAMPERED"),
    ("block-forged", 40, "TAMPERED"),
    ("body-removed", 12, "INCOMPLETE"),
    ("excuse-forged", 40, "TAMPERED"),
    ("older-directory", 12, "INCOMPLETE"),
    ("table-byte", 50, "MALFORMED"),
    ("table-cut", 50, "MALFORMED"),
    ("manifest-byte", 50, "MALFORMED"),
];

/// A node's directory, whole, in a new place.
fn copied(from: &Path, to: PathBuf) -> PathBuf {
    fs::create_dir_all(&to).unwrap();
    for file in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            copied(&file.path(), target);
        } else {
            fs::copy(file.path(), target).unwrap();
        }
    }
    to
}

/// A directory that a node filled, and a policy that pins its newest block. The node has stopped.
fn filled(folder: &Path) -> (Node, PathBuf, Told) {
    let network = Network::found_cheap(&folder.join("network"), "damage");
    let mut node = Node::validator(&folder.join("home"), &network).with("block-pause-ms", "20");
    node.start();
    let ann = Person::new(folder, "ann");
    ann.open("den", &network.genesis_file(), &[&node.address()]);
    let load = Load::start(&node, &network.genesis(), 5);
    ann.send("den", "between all the others");
    // Every log is long enough for nodes of its tree to be kept.
    until("there is something to damage", || (load.told() > 150).then_some(()));
    let mut told = Told::default();
    load.finish().iter().for_each(|one| told.envelope(one));
    let status = node.status();
    let policy = folder.join("policy");
    let head = format!("{}:{}", number(&status, "/height"), text(&status, "/head"));
    network.policy(&policy, Some(&head));
    told.head(&status);
    node.stop();
    (node, policy, told)
}

fn audit(directory: &Path, policy: &Path) -> (i32, Value) {
    let mut command = waxwing(directory);
    verdict(
        command
            .args(["audit", "run"])
            .arg(directory)
            .arg("--policy")
            .arg(policy),
    )
}

#[test]
fn every_damage_that_the_program_can_do_the_program_finds_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (node, policy, _) = filled(folder.path());
    assert_eq!(audit(&node.directory(), &policy).0, 0);
    let listed = json(waxwing(folder.path()).args(["dev", "tamper"]));
    let listed: Vec<&str> = list(&listed, "/kinds").iter().map(|kind| text(kind, "/kind")).collect();
    assert_eq!(listed, CODES.map(|(kind, ..)| kind), "each kind has its code here");
    for (kind, code, word) in CODES {
        let copy = copied(&node.directory(), folder.path().join(kind));
        let damage = json(waxwing(folder.path()).args(["dev", "tamper", kind, "--yes"]).arg(&copy));
        let (found, report) = audit(&copy, &policy);
        assert_eq!((found, text(&report, "/verdict")), (code, word), "{damage}\n{report}");
        if found == 40 {
            let at = &list(&report, "/findings")[0]["at"];
            for place in ["height", "log", "index"] {
                assert!(
                    damage[place].is_null() || damage[place] == at[place],
                    "{place}: {damage}\n{at}"
                );
            }
        }
        fs::remove_dir_all(copy).unwrap();
    }
}

#[test]
fn a_validator_does_not_go_on_from_an_older_copy_or_from_a_state_that_does_not_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let (mut node, ..) = filled(folder.path());
    let whole = copied(&node.directory(), folder.path().join("whole"));
    for (kind, words) in [
        ("older-directory", ["an older copy", "Put the newer copy back"]),
        ("log-bit", ["cannot be used", "waxwing audit run"]),
        ("table-cut", ["database failed", "check the disk"]),
    ] {
        json(
            waxwing(folder.path())
                .args(["dev", "tamper", kind, "--yes"])
                .arg(node.directory()),
        );
        let (_, line) = refusal(&mut node.command());
        for word in words {
            assert!(line.contains(word), "{kind}: {word:?} in: {line}");
        }
        fs::remove_dir_all(node.directory()).unwrap();
        copied(&whole, node.directory());
        for secret in ["keys/transport", "keys/vote"] {
            private(&node.directory().join(secret));
        }
    }
    // What was copied back is the node again.
    node.start();
    node.stop();
}

fn private(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// The test of the test: the kills would notice a ledger that lost, moved or exchanged what was final.
#[test]
fn what_was_told_is_missed_when_it_is_gone_or_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let (node, _, told) = filled(folder.path());
    assert!(told.hold_against(&node.directory()) > 150);
    for kind in ["older-directory", "entry-dropped", "entries-swapped", "header-bit"] {
        let copy = copied(&node.directory(), folder.path().join(kind));
        json(waxwing(folder.path()).args(["dev", "tamper", kind, "--yes"]).arg(&copy));
        let held = std::panic::catch_unwind(|| told.hold_against(&copy));
        assert!(held.is_err(), "{kind} went unnoticed");
    }
}

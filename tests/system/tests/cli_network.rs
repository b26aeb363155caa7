//! Founding a network together, and changing its committee while it runs, as several operators type it: each in a home of
//! his own, and nothing passes between them but public lines and files.

#![expect(
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed, and says where"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use waxwing_system::command::{done, json, list, number, refusal, text, verdict, waxwing};
use waxwing_system::load::Load;
use waxwing_system::node::{Network, Node};

/// `waxwing network ...`, typed by an operator in the folder of all.
fn network(folder: &Path, operator: &str, arguments: &[&str]) -> Command {
    let mut command = waxwing(&folder.join(operator));
    command.arg("network").args(arguments).current_dir(folder);
    command
}

#[test]
fn four_operators_found_a_network_and_nobodys_secret_leaves_his_home() {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let at = folder.path();
    let operators = ["ann", "ben", "cleo", "dan"];
    let lines: Vec<String> = operators
        .iter()
        .map(|operator| text(&json(&mut network(at, operator, &["key"])), "/line").to_owned())
        .collect();
    // Asked again, a home shows the key that it has.
    let again = json(&mut network(at, "ann", &["key"]));
    assert_eq!(
        (text(&again, "/line"), again.get("new")),
        (lines[0].as_str(), Some(&Value::Bool(false)))
    );

    let mut founding = network(at, "ann", &["new", "quartet", "--validators", "4", "--out", "shared"]);
    for line in &lines {
        founding.args(["--key", line]);
    }
    let founded = json(&mut founding);
    let fingerprint = text(&founded, "/fingerprint").to_owned();
    assert_eq!(
        (list(&founded, "/validators").len(), number(&founded, "/quorum")),
        (4, 3)
    );
    assert!(!at.join("shared/vote.key").exists(), "no key is made for others");

    // Everybody sees the same fingerprint, and finds himself at another place.
    let mut places = Vec::new();
    for operator in operators {
        let shown = json(&mut network(at, operator, &["show", "shared"]));
        assert_eq!(text(&shown, "/fingerprint"), fingerprint);
        places.push(number(&shown, "/own_validator"));
        let secret = std::fs::read_to_string(at.join(operator).join("vote.key")).expect("the key was made");
        let genesis = std::fs::read(at.join("shared/genesis.wxg")).expect("the network was founded");
        let seed = secret.trim();
        assert!(!String::from_utf8_lossy(&genesis).contains(seed));
    }
    places.sort_unstable();
    assert_eq!(places, [1, 2, 3, 4]);

    // Whoever is not among them is told so, before and when he starts a node.
    done(&mut network(at, "eve", &["key"]));
    let shown = done(&mut network(at, "eve", &["show", "shared"]));
    assert!(shown.contains("is none of them: start no node with it"), "{shown}");
    let mut init = waxwing(&at.join("eve"));
    let (code, line) = refusal(
        init.args(["node", "init", "--genesis"])
            .arg(at.join("shared/genesis.wxg")),
    );
    assert!(code == 2 && line.contains("key of no validator"), "{line}");
    // Another name, or another key, is another network: the fingerprint tells.
    let mut other = network(at, "ann", &["new", "quartet", "--out", "other"]);
    for line in lines.iter().take(3) {
        other.args(["--key", line]);
    }
    assert_ne!(text(&json(&mut other), "/fingerprint"), fingerprint);
}

/// Four validators that run, and one who wants to be one.
struct Committee {
    folder: tempfile::TempDir,
    network: Network,
    members: Vec<Node>,
    joining: Node,
}

impl Committee {
    fn run() -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let homes: Vec<PathBuf> = (1..=4).map(|number| folder.path().join(number.to_string())).collect();
        let network = Network::found_together(&folder.path().join("network"), "quartet", &homes);
        let mut members: Vec<Node> = Vec::new();
        for home in &homes {
            let others: Vec<String> = members.iter().map(Node::address).collect();
            let (mut member, _) = Node::member(home, &network);
            if !others.is_empty() {
                member = member.with("validators", &others.join(","));
            }
            member.start();
            members.push(member);
        }
        let addresses: Vec<String> = members.iter().map(Node::address).collect();
        let upstreams: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let home = folder.path().join("5");
        let mut joining = Node::follower(&home, &network, &upstreams).with("validators", &addresses.join(","));
        done(waxwing(&home).args(["network", "key"]));
        joining.start();
        Self {
            folder,
            network,
            members,
            joining,
        }
    }

    fn committee(&self, operator: &str, arguments: &[&str]) -> Command {
        let mut all = vec!["committee"];
        all.extend(arguments);
        network(self.folder.path(), operator, &all)
    }

    fn order_until(&self, seed: u64, height: u64) {
        let load = Load::start(&self.members[0], &self.network.genesis(), seed);
        self.members[0].until_height(height);
        assert!(!load.finish().is_empty());
    }

    fn role(node: &Node) -> String {
        text(&node.status(), "/role").to_owned()
    }
}

impl Committee {
    /// Proposes to replace the fourth validator by the fifth node, some blocks from now.
    fn propose(&self) -> Value {
        let leaving = text(&json(&mut network(self.folder.path(), "4", &["key"])), "/line").to_owned();
        let now = json(&mut self.committee("1", &["show"]));
        let from = (number(&now, "/height") + 40).to_string();
        let proposing = [
            "propose",
            "--add",
            "5/vote.pub",
            "--remove",
            &leaving,
            "--from-height",
            &from,
        ];
        let proposed = json(&mut self.committee("1", &proposing));
        assert_eq!((number(&proposed, "/missing"), number(&proposed, "/needed")), (3, 3));
        assert_eq!(
            (list(&proposed, "/joins").len(), list(&proposed, "/leaves").len()),
            (1, 1)
        );
        proposed
    }

    /// Three of those who vote sign: nobody by accident, nobody who does not vote, and one signature counts once.
    fn agree(&self) -> Value {
        let (code, line) = refusal(&mut self.committee("1", &["sign", "change.wxc"]));
        assert!(code == 2 && line.contains("add --yes"), "{line}");
        let (code, line) = refusal(&mut self.committee("5", &["sign", "change.wxc", "--yes"]));
        assert!(code == 2 && line.contains("does not vote now"), "{line}");
        for _ in 0..2 {
            let signed = json(&mut self.committee("1", &["sign", "change.wxc", "--yes"]));
            assert_eq!(number(&signed, "/missing"), 2, "{signed}");
        }
        // Two sign copies at the same time; the third puts them together, and has the quorum.
        let at = |name: &str| self.folder.path().join(name);
        std::fs::copy(at("change.wxc"), at("copy.wxc")).expect("files can be copied");
        let signed = json(&mut self.committee("2", &["sign", "copy.wxc", "--yes"]));
        assert_eq!(number(&signed, "/missing"), 1, "{signed}");
        let whole = ["sign", "change.wxc", "--with", "copy.wxc", "--yes"];
        let agreed = json(&mut self.committee("3", &whole));
        assert_eq!(
            (number(&agreed, "/missing"), list(&agreed, "/signed_by").len()),
            (0, 3),
            "{agreed}"
        );
        assert!(number(&agreed, "/ordered_in") > 0, "{agreed}");
        self.sign_late(&agreed);
        agreed
    }

    /// Who signs what is ordered already learns where, at once, and orders nothing more.
    fn sign_late(&self, agreed: &Value) {
        let late = json(&mut self.committee("4", &["sign", "change.wxc", "--yes"]));
        assert_eq!(list(&late, "/signed_by").len(), 4, "{late}");
        let collected = json(&mut self.committee("2", &["sign", "change.wxc", "--collect", "--yes"]));
        for said in [&late, &collected] {
            assert_eq!(said.get("ordered_in"), agreed.get("ordered_in"), "{said}");
        }
        let told = done(&mut self.committee("4", &["sign", "change.wxc", "--collect", "--no-submit"]));
        assert!(told.contains("4 signed, 3 needed"), "{told}");
    }

    /// The history is audited over the change, and is one wherever it is read.
    fn check_histories(&self) {
        let policy = self.folder.path().join("policy");
        self.network.policy(&policy, None);
        let audit = |arguments: &[&str]| {
            let mut command = waxwing(&self.folder.path().join("nobody"));
            command.arg("audit").args(arguments).current_dir(self.folder.path());
            verdict(command.arg("--policy").arg(&policy))
        };
        for home in ["1", "4", "5"] {
            let (code, report) = audit(&["run", home]);
            assert_eq!((code, number(&report, "/terms")), (0, 2), "{report}");
        }
        let (code, found) = audit(&["compare", "1", &self.joining.address()]);
        assert_eq!((code, text(&found, "/verdict")), (0, "VERIFIED"), "{found}");
    }
}

#[test]
fn a_quorum_replaces_a_validator_while_everything_runs() {
    let mut all = Committee::run();
    all.order_until(1, 3);
    assert!(
        !all.folder.path().join("5/vote.key").exists(),
        "the node took the key over"
    );
    assert_eq!(Committee::role(&all.joining), "follower");
    all.propose();
    let from = number(&all.agree(), "/from_height");

    // It takes over at its height and not before; nobody waits for it.
    let before = json(&mut all.committee("2", &["show"]));
    assert_eq!(number(&before, "/term"), 0);
    all.order_until(2, from + 5);
    all.joining.until_height(from + 5);
    let after = json(&mut all.committee("2", &["show"]));
    assert_eq!(
        (number(&after, "/term"), number(&after, "/from_height")),
        (1, from),
        "{after}"
    );
    assert_eq!(list(&after, "/terms").len(), 2);
    assert_eq!(Committee::role(&all.joining), "validator");

    // Who left goes on as a follower, without the key.
    all.members[3].until_height(from + 5);
    assert_eq!(Committee::role(&all.members[3]), "follower");
    assert!(
        !all.folder.path().join("4/node/keys/vote").exists(),
        "its vote key is destroyed"
    );

    // The change was for that committee: it counts once.
    let (code, line) = refusal(&mut all.committee("1", &["sign", "change.wxc", "--yes"]));
    assert!(
        code == 2 && line.contains("another committee than the one that votes now"),
        "{line}"
    );
    all.check_histories();
    for member in &mut all.members {
        member.stop();
    }
    all.joining.stop();
}

#[test]
fn a_change_that_cannot_take_over_is_refused_with_what_to_do() {
    let mut all = Committee::run();
    all.order_until(1, 3);
    let refused = |operator: &str, arguments: &[&str], words: &str| {
        let (code, line) = refusal(&mut all.committee(operator, arguments));
        assert!(code == 2 && line.contains(words), "{arguments:?}: {line}");
    };
    let member = text(&json(&mut network(all.folder.path(), "2", &["key"])), "/line").to_owned();
    refused("1", &["propose"], "say who joins (--add) or leaves (--remove)");
    refused("1", &["propose", "--add", &member], "it votes already");
    refused("1", &["propose", "--remove", "5/vote.pub"], "--remove");
    refused(
        "1",
        &["propose", "--add", "5/vote.pub", "--from-height", "2"],
        "is too early",
    );
    done(&mut all.committee("1", &["propose", "--add", "5/vote.pub", "--from-height", "6"]));
    refused("1", &["propose", "--add", "5/vote.pub"], "is not overwritten");
    std::fs::write(all.folder.path().join("rubbish"), b"hello").expect("a file can be written");
    refused("1", &["sign", "rubbish", "--yes"], "is no change of a committee");
    refused(
        "1",
        &["sign", "change.wxc", "--with", "rubbish", "--yes"],
        "is no change of a committee",
    );
    done(&mut all.committee(
        "1",
        &[
            "propose",
            "--add",
            "5/vote.pub",
            "--from-height",
            "99",
            "--out",
            "later.wxc",
        ],
    ));
    refused(
        "1",
        &["sign", "change.wxc", "--with", "later.wxc", "--yes"],
        "is another change",
    );
    // Too late: the ledger has passed its height.
    all.order_until(2, 8);
    refused("1", &["sign", "change.wxc", "--yes"], "has passed: propose it again");
    for member in &mut all.members {
        member.kill();
    }
    all.joining.kill();
}

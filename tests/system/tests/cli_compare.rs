//! Two histories held against each other on the command line: what is said, the exit code, and the one file that is left.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use waxwing_system::command::{done, json, list, number, refusal, run, text, verdict, waxwing};
use waxwing_system::load::Load;
use waxwing_system::node::{Network, Node};
use waxwing_system::until::until;

/// A network whose only validator was run twice, from one copy of its directory each, so that it has two histories.
struct World {
    folder: tempfile::TempDir,
    network: Network,
    /// Blocks that both have.
    shared: u64,
}

impl World {
    fn forked() -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let network = Network::found_cheap(&folder.path().join("network"), "fork");
        let mut node = Node::validator(&folder.path().join("one"), &network);
        node.start();
        order(&node, &network, 1);
        node.stop();
        copy_folder(&folder.path().join("one"), &folder.path().join("two"));
        let world = Self {
            shared: height(&folder.path().join("one")),
            folder,
            network,
        };
        for (seed, home) in [(2, "one"), (3, "two")] {
            let mut node = Node::in_home(&world.at(home));
            node.start();
            order(&node, &world.network, seed);
            node.stop();
        }
        world.network.policy(&world.at("policy"), None);
        world
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `waxwing audit ...`, typed in the world's folder.
    fn audit(&self, arguments: &[&str]) -> Command {
        let mut command = waxwing(&self.at("nobody"));
        command.arg("audit").args(arguments).current_dir(self.folder.path());
        command
    }

    fn compare(&self, first: &str, second: &str) -> (i32, Value) {
        verdict(&mut self.audit(&["compare", first, second, "--policy", "policy"]))
    }

    /// The other way round, and from bundles: the same evidence, which is not written twice.
    fn says_the_same_of_bundles(&self, found: &Value) {
        for home in ["one", "two"] {
            let mut export = waxwing(&self.at("nobody"));
            export.arg("export").arg(self.at(home));
            done(export.arg("--out").arg(self.at(&format!("{home}.wxb"))));
        }
        for (first, second) in [("two", "one"), ("one.wxb", "two"), ("two.wxb", "one.wxb")] {
            let (code, again) = self.compare(first, second);
            assert_eq!(
                (code, again.get("evidence_file")),
                (30, found.get("evidence_file")),
                "{again}"
            );
            assert_eq!(again.get("evidence"), found.get("evidence"));
        }
    }

    fn verify(&self, file: &str) -> (Option<i32>, String) {
        let mut command = Command::new(waxwing_system::program("waxwing-verify"));
        let said = run(command.arg(self.at(file)).arg("--policy").arg(self.at("policy")));
        (said.code, said.out)
    }
}

/// Orders some envelopes, each run others.
fn order(node: &Node, network: &Network, seed: u64) {
    let load = Load::start(node, &network.genesis(), seed);
    until("some envelopes are final", || (load.told() >= 20).then_some(()));
    assert!(!load.finish().is_empty());
}

fn height(home: &Path) -> u64 {
    let audited = verdict(waxwing(home).args(["audit", "run"]).arg(home)).1;
    number(&audited, "/head/height")
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("the folder is there") {
        let path = entry.expect("the folder can be listed").path();
        let target = to.join(path.file_name().expect("files have names"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a file can be copied");
        }
    }
}

#[test]
fn two_certified_histories_leave_one_file_that_convinces_a_stranger() {
    let world = World::forked();
    let (code, found) = world.compare("one", "two");
    assert_eq!((code, text(&found, "/verdict")), (30, "DIVERGED"), "{found}");
    assert_eq!(number(&found, "/agree_height"), world.shared);
    assert_eq!(number(&found, "/differ_height"), world.shared + 1);
    assert_eq!(list(&found, "/convicted").len(), 1, "the only validator signed both");
    let file = format!("evidence-{}.wxe", world.shared + 1);
    assert_eq!(text(&found, "/evidence_file"), file);
    let (code, said) = world.verify(&file);
    assert_eq!(code, Some(0), "{said}");
    let claim = format!(
        "VERIFIED  the validators made two different blocks final at height {}\n",
        world.shared + 1
    );
    assert!(said.starts_with(&claim), "{said}");

    world.says_the_same_of_bundles(&found);
    assert!(!world.at(&format!("evidence-{}-2.wxe", world.shared + 1)).exists());

    let (code, line) = refusal(&mut world.audit(&["compare", &file, &file]));
    assert!(code == 2 && line.contains("both files are evidence"), "{line}");

    // Somebody who was handed the file learns on which side a history is.
    let (code, first) = world.compare(&file, "one");
    let (_, second) = world.compare("two.wxb", &file);
    assert_eq!((code, text(&first, "/verdict")), (30, "DIVERGED"), "{first}");
    let sides = [&first, &second].map(|held| text(held, "/headline").to_owned());
    assert_ne!(sides[0], sides[1], "they are on different sides");
    assert!(
        sides.iter().all(|side| side.contains("the evidence holds")),
        "{sides:?}"
    );
}

#[test]
fn one_history_is_one_wherever_it_is_read_from() {
    let world = World::forked();
    let mut node = Node::in_home(&world.at("one"));
    node.start();
    let address = node.address();
    let (code, found) = world.compare("one", &address);
    assert_eq!((code, text(&found, "/verdict")), (0, "VERIFIED"), "{found}");
    assert_eq!(text(&found, "/second/source"), "nodes");
    assert!(found.get("evidence").is_some_and(Value::is_null));
    let (code, found) = world.compare(&address, "two");
    assert_eq!(
        (code, number(&found, "/differ_height")),
        (30, world.shared + 1),
        "{found}"
    );

    // A running node can be audited, exported and looked at from outside, and believed in nothing.
    let (code, audited) = verdict(&mut world.audit(&["run", &address, "--policy", "policy"]));
    assert_eq!((code, text(&audited, "/source")), (0, "nodes"), "{audited}");
    let mut export = waxwing(&world.at("nobody"));
    done(export.args(["export", &address, "--out"]).arg(world.at("node.wxb")));
    let (code, found) = world.compare("node.wxb", "one");
    assert_eq!((code, text(&found, "/verdict")), (0, "VERIFIED"), "{found}");
    let mut show = waxwing(&world.at("nobody"));
    let committee = json(show.args(["network", "committee", "show", &address]));
    assert_eq!(
        (number(&committee, "/term"), list(&committee, "/validators").len()),
        (0, 1)
    );
    let evidence = json(&mut world.audit(&["evidence", &address]));
    assert_eq!(list(&evidence, "/pieces").len(), 0, "nobody has told the node");
    node.kill();
    let (code, line) = refusal(&mut world.audit(&["compare", "one", &address]));
    assert_eq!(code, 1, "{line}");

    let (code, unanchored) = verdict(&mut world.audit(&["compare", "one", "one"]));
    assert_eq!((code, text(&unanchored, "/verdict")), (20, "UNANCHORED"));
}

#[test]
fn what_is_no_history_or_no_evidence_is_refused_by_name() {
    let world = World::forked();
    let (_, found) = world.compare("one", "two");
    let file = text(&found, "/evidence_file").to_owned();
    let bytes = std::fs::read(world.at(&file)).expect("the evidence was written");
    let write = |name: &str, bytes: &[u8]| std::fs::write(world.at(name), bytes).expect("a file can be written");

    let mut forged = bytes.clone();
    if let Some(last) = forged.last_mut() {
        *last ^= 1;
    }
    write("forged.wxe", &forged);
    assert_eq!(world.verify("forged.wxe").0, Some(40));
    let (code, held) = world.compare("forged.wxe", "one");
    assert_eq!(code, 40, "{held}");
    assert!(
        text(&held, "/headline").contains("the evidence does not hold"),
        "{held}"
    );

    write("cut.wxe", bytes.split_at(bytes.len() / 2).0);
    assert_eq!(world.verify("cut.wxe").0, Some(50));
    write("rubbish", b"hello");
    for broken in ["cut.wxe", "rubbish"] {
        let (code, held) = world.compare("one", broken);
        assert_eq!((code, text(&held, "/verdict")), (50, "MALFORMED"), "{held}");
    }

    let other = Network::found(&world.at("elsewhere"), "other");
    let mut node = Node::validator(&world.at("other"), &other);
    node.start();
    node.stop();
    let refused = |arguments: &[&str], words: &str| {
        let (code, line) = refusal(&mut world.audit(arguments));
        assert!(code == 2 && line.contains(words), "{arguments:?}: {line}");
    };
    refused(&["compare", "one", "other"], "only histories of one network");
    refused(&["compare", &file, "other"], "only histories of one network");
    refused(&["compare", "one", "-"], "standard input");
    refused(&["compare", "one", "missing"], "there is no such file");
    refused(&["compare", "one", "x@y"], "KEY@HOST:PORT");
    refused(&["compare", "one", "two", "--out", &file], "is not overwritten");
    let receipt = ["receipt", file.as_str()];
    let said = run(&mut world.audit(&receipt));
    assert!(
        said.err.contains("waxwing-verify"),
        "evidence is no receipt: {}{}",
        said.out,
        said.err
    );
}

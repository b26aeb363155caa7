//! Audits as scripts use them: what is typed, the first word, the exit code. Which damage is found where is the table of
//! `waxwing-audit`'s own tests; here it is the contract of the command line.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use waxwing_system::process::Running;

struct World {
    folder: tempfile::TempDir,
}

impl World {
    /// A ledger with a few messages whose node has stopped, and a policy that pins its network.
    fn new() -> Self {
        let world = Self {
            folder: tempfile::tempdir().expect("there is room for temporary files"),
        };
        std::fs::write(world.at("passphrase"), "correct horse\n").expect("a file can be written");
        let mut node =
            Running::start(
                world
                    .waxwing()
                    .args(["node", "run", "--listen", "127.0.0.1:0", "--http", "off"]),
            );
        node.line_with("next: waxwing chat new");
        world.says(&["chat", "new", "garden", "--by-link", "--as", "alice"]);
        for words in ["the roses are out", "so are the slugs", "and the hedgehog"] {
            world.says(&["chat", "send", "garden", words]);
        }
        world.says(&["audit", "policy", "new", "home", "--out", "policy"]);
        node.kill();
        world
    }

    fn at(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    fn waxwing(&self) -> Command {
        let mut command = Command::new(waxwing_system::program("waxwing"));
        command
            .env("WAXWING_HOME", self.folder.path().join("home"))
            .env("WAXWING_PASSPHRASE_FILE", self.folder.path().join("passphrase"))
            .env("LC_ALL", "C.UTF-8")
            .current_dir(self.folder.path())
            .stdin(std::process::Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.waxwing().args(arguments).output().expect("the program starts")
    }

    fn says(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (said, fault) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success(),
            "waxwing {}: {said}{fault}",
            arguments.join(" ")
        );
        said.into_owned()
    }

    /// An audit must print this word first and end with its code.
    fn verdict(&self, arguments: &[&str], word: &str, code: i32) {
        let output = self.run(&[&["audit", "run"], arguments].concat());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let fault = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.starts_with(&format!("{word}  ")), "{arguments:?}: {said}{fault}");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        let json = self.run(&[&["--json", "audit", "run"], arguments].concat());
        let report: Value = serde_json::from_slice(&json.stdout).expect("standard output is JSON");
        assert_eq!(report.get("schema").and_then(Value::as_str), Some("waxwing.audit/1"));
        assert_eq!(report.get("verdict").and_then(Value::as_str), Some(word));
        assert_eq!(json.status.code(), Some(code));
    }

    /// A copy of the ledger.
    fn copy(&self, name: &str) -> String {
        let (from, to) = (self.folder.path().join("home/node/db"), self.folder.path().join(name));
        copy_folder(&from, &to);
        self.at(name)
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("the ledger is there") {
        let path = entry.expect("the folder can be listed").path();
        std::fs::copy(&path, to.join(path.file_name().expect("files have names"))).expect("a file can be copied");
    }
}

#[test]
fn each_verdict_has_its_word_and_its_exit_code() {
    let world = World::new();
    world.verdict(&["home", "--policy", "policy"], "VERIFIED", 0);
    world.verdict(&["home/node", "--policy", "policy"], "VERIFIED", 0);
    world.verdict(&["home/node/db"], "UNANCHORED", 20);

    let later = format!("9:{}", "ab".repeat(32));
    world.says(&["audit", "policy", "new", "home", "--out", "later", "--head", &later]);
    world.verdict(&["home", "--policy", "later"], "INCOMPLETE", 12);
    let other = format!("1:{}", "ab".repeat(32));
    world.says(&["audit", "policy", "new", "home", "--out", "other", "--head", &other]);
    world.verdict(&["home", "--policy", "other"], "DIVERGED", 30);

    let tampered = world.copy("tampered");
    let said = world.says(&["dev", "tamper", "body-bit", &tampered, "--yes"]);
    assert!(said.starts_with("body-bit: "), "{said}");
    world.verdict(&[&tampered, "--policy", "policy"], "TAMPERED", 40);
    world.verdict(&["home", "--policy", "policy"], "VERIFIED", 0);

    std::fs::write(world.at("rubbish"), b"hello").expect("a file can be written");
    world.verdict(&["rubbish", "--policy", "policy"], "MALFORMED", 50);
}

#[test]
fn a_bundle_says_the_same_as_the_directory_and_half_of_one_is_malformed() {
    let world = World::new();
    world.says(&["export", "home", "--out", "bundle"]);
    assert!(!Path::new(&world.at("bundle.part")).exists());
    world.verdict(&["bundle", "--policy", "policy"], "VERIFIED", 0);

    let piped = world.run(&["export", "home", "--out", "-"]);
    let bytes = std::fs::read(world.at("bundle")).expect("the bundle was written");
    assert_eq!(piped.stdout, bytes, "the same history is the same bundle");
    let both = world.run(&["--json", "export", "home", "--out", "-"]);
    assert_eq!((both.status.code(), both.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8_lossy(&both.stderr).contains("name a file with --out"));
    let half = bytes.split_at(bytes.len() / 2).0;
    std::fs::write(world.at("half"), half).expect("a file can be written");
    world.verdict(&["half", "--policy", "policy"], "MALFORMED", 50);

    let again = world.run(&["export", "home", "--out", "bundle"]);
    assert_eq!(again.status.code(), Some(2), "a bundle is not overwritten");
    let nothing = world.run(&["export", "passphrase", "--out", "b2"]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(!Path::new(&world.at("b2")).exists());
}

#[test]
fn damage_is_done_only_with_a_yes_and_to_a_ledger() {
    let world = World::new();
    let refused = |arguments: &[&str], words: &str| {
        let output = world.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            (output.status.code(), said.lines().count()),
            (Some(2), 1),
            "{arguments:?}: {said}"
        );
        assert!(said.contains(words), "{arguments:?}: {said}");
    };
    refused(&["dev", "tamper", "body-bit", "home"], "add --yes");
    world.verdict(&["home", "--policy", "policy"], "VERIFIED", 0);
    refused(&["dev", "tamper", "no-such-kind", "home", "--yes"], "lists the kinds");
    refused(&["dev", "tamper", "body-bit", "--yes"], "what is to be damaged?");
    refused(&["dev", "tamper", "body-bit", "passphrase", "--yes"], "holds no ledger");
    let listed = world.says(&["dev", "tamper"]);
    assert!(
        listed.lines().filter(|line| line.contains("  ")).count() >= 12,
        "{listed}"
    );
}

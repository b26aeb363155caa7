//! What members tell each other beside what they say, by typing commands: whom they mean, what was read, who has it, and for
//! how long it stays.

#![expect(clippy::panic, reason = "a test that cannot go on says what it was given")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use waxwing_system::process::Running;

struct World {
    folder: tempfile::TempDir,
    _node: Running,
    link: String,
}

impl World {
    /// A node, a channel that everybody with its link is in, alice who opened it, and bob.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        std::fs::write(folder.path().join("passphrase"), "correct horse\n").expect("a file can be written");
        let mut command = waxwing(folder.path(), "node");
        command.args(["node", "run", "--listen", "127.0.0.1:0", "--http", "off"]);
        let mut node = Running::start(&mut command);
        node.line_with("next: waxwing chat new");
        let mut world = Self {
            folder,
            _node: node,
            link: String::new(),
        };
        world.says("node", &["chat", "new", "garden", "--by-link", "--as", "alice"]);
        let invited = world.json("node", &["chat", "invite", "garden"]);
        text(&invited, "/link").clone_into(&mut world.link);
        world.joins("bob", "bob");
        world
    }

    fn joins(&self, home: &str, name: &str) {
        self.says(home, &["chat", "join", &self.link, "--as", name]);
    }

    fn run(&self, home: &str, arguments: &[&str]) -> Output {
        waxwing(self.folder.path(), home)
            .args(arguments)
            .output()
            .expect("the program starts")
    }

    fn says(&self, home: &str, arguments: &[&str]) -> String {
        let output = self.run(home, arguments);
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

    /// What a command that is refused says.
    fn refuses(&self, home: &str, arguments: &[&str]) -> String {
        let output = self.run(home, arguments);
        assert_eq!(output.status.code(), Some(2), "waxwing {}", arguments.join(" "));
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn json(&self, home: &str, arguments: &[&str]) -> Value {
        let said = self.says(home, &[&["--json"], arguments].concat());
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {said}"))
    }

    fn number(&self, home: &str, arguments: &[&str], pointer: &str) -> u64 {
        let value = self.json(home, arguments);
        let found = value.pointer(pointer).and_then(Value::as_u64);
        found.unwrap_or_else(|| panic!("{pointer} in {value}"))
    }
}

fn waxwing(folder: &Path, home: &str) -> Command {
    let mut command = Command::new(waxwing_system::program("waxwing"));
    command
        .env("WAXWING_HOME", folder.join(home))
        .env("WAXWING_PASSPHRASE_FILE", folder.join("passphrase"))
        .env("LC_ALL", "C.UTF-8")
        .current_dir(folder);
    command
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("{pointer} in {value}"))
}

#[test]
fn what_is_for_oneself_is_counted_until_it_was_read() {
    let world = World::new();
    world.says("node", &["chat", "send", "garden", "hello"]);
    world.says("bob", &["chat", "read", "garden"]);
    world.says("bob", &["chat", "send", "garden", "the roses are out, @alice!"]);
    let unread = || {
        let channels = ["chat", "channels"];
        let count = |pointer| world.number("node", &channels, pointer);
        (count("/channels/0/unread"), count("/channels/0/mentioned"))
    };
    let peeked = world.json("node", &["chat", "read", "garden", "--peek"]);
    assert_eq!(text(&peeked, "/messages/1/mentions/0/name"), "alice");
    assert_eq!(peeked.pointer("/messages/1/mentions/0/me"), Some(&Value::Bool(true)));
    assert_eq!(unread(), (1, 1), "peeking is no reading");
    let listed = world.says("node", &["chat", "channels"]);
    assert!(listed.contains("1 unread, 1 of them for you"), "{listed}");
    let read = world.says("node", &["chat", "read", "garden"]);
    assert!(read.contains("bob  the roses are out, "), "{read}");
    assert_eq!(unread(), (0, 0));
}

#[test]
fn a_name_that_two_could_mean_is_refused_and_both_are_named() {
    let world = World::new();
    world.joins("carol", "b\u{043e}b");
    for home in ["bob", "carol"] {
        world.says(home, &["chat", "send", "garden", "here I am"]);
    }
    world.says("node", &["chat", "read", "garden"]);
    let refused = world.refuses("node", &["chat", "send", "garden", "hi @bob"]);
    assert!(
        refused.contains("@bob/") && refused.contains("@b\u{043e}b/"),
        "{refused}"
    );
    let waiting = world.number("node", &["chat", "channels"], "/channels/0/waiting");
    assert_eq!(waiting, 0, "nothing was queued");
    let named = refused
        .split_whitespace()
        .find(|word| word.starts_with("@bob/"))
        .unwrap_or_else(|| panic!("{refused}"));
    let sent = world.json("node", &["chat", "send", "garden", &format!("hi {named}")]);
    assert_eq!(text(&sent, "/message/text"), "hi @bob");
    assert_eq!(text(&sent, "/message/mentions/0/name"), "bob");
}

#[test]
fn receipts_are_off_until_they_are_chosen_and_views_say_who_has_it() {
    let world = World::new();
    world.says("node", &["chat", "send", "garden", "is anybody here?"]);
    world.says("bob", &["chat", "read", "garden"]);
    world.says("bob", &["chat", "send", "garden", "I am"]);
    world.says("node", &["chat", "send", "garden", "good"]);
    let state = |index: u64| {
        let read = world.json("node", &["chat", "read", "garden"]);
        text(&read, &format!("/messages/{index}/state")).to_owned()
    };
    assert_eq!(state(0), "seen-by-all", "bob's words carry what he had proven");
    assert_eq!(state(2), "final");
    let shown = world.says("bob", &["chat", "receipts", "garden"]);
    assert!(
        shown.starts_with("garden: receipts off, telling what you hold on"),
        "{shown}"
    );
    world.says("bob", &["chat", "read", "garden"]);
    let told = world.number("bob", &["chat", "receipts", "garden", "on", "--now"], "/told");
    assert_eq!(told, 1);
    assert_eq!(state(2), "seen-by-all");
    let proofs = world.says("node", &["chat", "read", "garden", "--proofs"]);
    assert!(proofs.contains("seen by all, block "), "{proofs}");
    assert!(proofs.contains("held by 1 of 1, delivered to 1, read by 1"), "{proofs}");
    let why = world.says("node", &["chat", "why", "garden#2"]);
    assert!(
        why.contains("seen-by-all") && why.contains("who only reads is not counted"),
        "{why}"
    );
    assert!(why.contains("has read it, it says"), "{why}");
    let again = world.number("bob", &["chat", "receipts", "garden", "--now"], "/told");
    assert_eq!(again, 0, "a receipt is never about nothing, nor about a receipt");
    let off = world.json("bob", &["chat", "receipts", "garden", "off", "--seen", "off"]);
    assert_eq!(off.pointer("/receipts"), Some(&Value::Bool(false)));
    assert_eq!(text(&off, "/seen"), "off");
    world.refuses("bob", &["chat", "receipts", "garden", "perhaps"]);
}

#[test]
fn a_timer_is_one_of_five_and_says_whom_it_binds() {
    let world = World::new();
    let never = world.says("node", &["chat", "timer", "garden"]);
    assert_eq!(never, "garden: messages stay until they are erased\n");
    world.says("node", &["chat", "timer", "garden", "7d"]);
    let read = world.says("bob", &["chat", "read", "garden"]);
    assert!(
        read.contains("from here on messages disappear after 7 days; that binds honest members only"),
        "{read}"
    );
    assert_eq!(world.number("bob", &["chat", "timer", "garden"], "/timer_days"), 7);
    let sent = world.json("bob", &["chat", "send", "garden", "for a week"]);
    let (ordered, expires) = (text(&sent, "/message/ordered"), text(&sent, "/message/expires"));
    assert!(expires > ordered, "{sent}");
    world.says("bob", &["chat", "timer", "garden", "off"]);
    world.says("node", &["chat", "read", "garden"]);
    let sent = world.json("node", &["chat", "send", "garden", "for ever"]);
    assert_eq!(sent.pointer("/message/expires"), Some(&Value::Null), "{sent}");
    for wrong in ["2d", "7", "never"] {
        world.refuses("node", &["chat", "timer", "garden", wrong]);
    }
}

//! Two people on one machine, by typing commands: a node, a channel, an invitation, messages, proofs, an audit.
//!
//! Everything here is what the page for users says to type, with `--json` where a value is needed for the next command.

#![expect(clippy::panic, reason = "a test that cannot go on says what it was given")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use waxwing_system::process::Running;

struct World {
    folder: tempfile::TempDir,
    node: Running,
}

impl World {
    /// A node that founded a network of its own, and a passphrase.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        std::fs::write(folder.path().join("passphrase"), "correct horse\n").expect("a file can be written");
        let mut command = waxwing(folder.path(), "node");
        command.args(["node", "run", "--listen", "127.0.0.1:0", "--http", "off"]);
        let mut node = Running::start(&mut command);
        node.line_with("next: waxwing chat new");
        Self { folder, node }
    }

    fn at(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    /// Runs a command in somebody's home.
    fn run(&self, home: &str, arguments: &[&str]) -> Output {
        waxwing(self.folder.path(), home)
            .args(arguments)
            .output()
            .expect("the program starts")
    }

    /// The same for a command that must succeed; returns what it prints.
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
        assert!(
            !said.contains('\u{1b}'),
            "an escape sequence reached the terminal: {said:?}"
        );
        said.into_owned()
    }

    fn json(&self, home: &str, arguments: &[&str]) -> Value {
        let said = self.says(home, &[&["--json"], arguments].concat());
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {said}"))
    }

    /// Opens a channel for alice, in the node's own home, and lets bob in.
    fn with_channel() -> Self {
        let world = Self::new();
        world.says("node", &["chat", "new", "garden", "--by-link", "--as", "alice"]);
        let invite = world.json("node", &["chat", "invite", "garden"]);
        let link = invite
            .get("link")
            .and_then(Value::as_str)
            .expect("an invitation has a link");
        world.says("bob", &["chat", "join", link, "--as", "bob"]);
        world
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
fn a_message_climbs_the_ladder_and_is_read_with_its_proof() {
    let world = World::with_channel();
    let sent = world.says("node", &["chat", "send", "garden", "the", "roses", "are", "out"]);
    let ladder = sent.lines().next().unwrap_or_default();
    assert!(ladder.starts_with("○ queued") && ladder.ends_with("✓ final"), "{sent}");
    assert!(sent.contains("block 1, entry 0"), "{sent}");

    let read = world.says("bob", &["chat", "read", "garden", "--proofs"]);
    assert!(read.contains("alice  the roses are out"), "{read}");
    assert!(read.contains("final, block 1, entry 0, ordered "), "{read}");
    assert!(
        read.contains("1 entry checked to block 1, certified by 1 of 1"),
        "{read}"
    );

    let answer = world.json("bob", &["chat", "send", "garden", "at last"]);
    assert_eq!(text(&answer, "/message/state"), "final");
    let read = world.json("node", &["chat", "read", "garden"]);
    assert_eq!(text(&read, "/schema"), "waxwing.chat.read/1");
    assert_eq!(text(&read, "/messages/1/text"), "at last");
    assert_eq!(text(&read, "/messages/1/author/name"), "bob");
    let ascii = world.says("bob", &["chat", "read", "garden", "--ascii"]);
    assert!(ascii.is_ascii() && ascii.contains("+ "), "{ascii}");
}

/// Does what a line suggests, word for word but for the names, in a home that knows nothing by itself.
fn follow(world: &World, line: &str, channel: &str) -> String {
    let suggested = line
        .trim()
        .strip_prefix("next: waxwing ")
        .expect("it suggests a command");
    let words = suggested.split(' ').map(|word| match word {
        "NAME" => channel,
        "YOU" => "alice",
        word => word,
    });
    world.says("nowhere", &words.collect::<Vec<_>>())
}

#[test]
fn what_a_running_node_or_network_suggests_works_as_it_stands() {
    let mut world = World::new();
    world.says("new", &["network", "new", "trio", "--out", "net"]);
    let founded = ["--genesis", "net/genesis.wxg", "--vote-key", "net/vote.key"];
    world.says("given", &[&["node", "init"], &founded[..]].concat());
    // The genesis lies in the node's directory alone, and is found there.
    let shown = world.says("given", &["network", "show"]);
    assert!(shown.contains("trio"), "{shown}");
    let mut command = waxwing(world.folder.path(), "given");
    command.args(["node", "run", "--listen", "127.0.0.1:0", "--http", "off"]);
    world.node = Running::start(&mut command);
    let line = world.node.line_with("next: waxwing chat new");
    let opened = follow(&world, &line, "garden");
    assert!(opened.contains("garden") && opened.contains("trio"), "{opened}");

    let mut command = waxwing(world.folder.path(), "new");
    world.node = Running::start(command.args(["dev", "up", "--dir", "playground"]));
    let line = world.node.line_with("next: waxwing chat new");
    let opened = follow(&world, &line, "den");
    assert!(opened.contains("den") && opened.contains("alice"), "{opened}");
}

#[test]
fn what_is_queued_without_waiting_goes_out_with_the_next_command() {
    let world = World::with_channel();
    let queued = world.json("bob", &["chat", "send", "garden", "later", "--no-wait"]);
    assert_eq!(text(&queued, "/message/state"), "queued");
    let read = world.json("bob", &["chat", "send", "garden", "now"]);
    assert_eq!(text(&read, "/message/state"), "final");
    let read = world.json("node", &["chat", "read", "garden"]);
    let said: Vec<_> = ["/messages/0/text", "/messages/1/text"]
        .map(|at| text(&read, at))
        .to_vec();
    assert!(said.contains(&"later") && said.contains(&"now"), "{said:?}");
}

#[test]
fn hostile_words_move_no_terminal_and_json_keeps_them_exactly() {
    let world = World::with_channel();
    let hostile = "\u{1b}[2J\u{202e}exe.\u{9b}1mjpg";
    world.says("bob", &["chat", "send", "garden", hostile]);
    let read = world.says("node", &["chat", "read", "garden"]);
    assert!(read.contains("␛[2J⟨202E⟩exe."), "{read}");
    let json = world.says("node", &["--json", "chat", "read", "garden"]);
    assert!(!json.contains(['\u{202e}', '\u{9b}']), "{json:?}");
    let json: Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(text(&json, "/messages/0/text"), hostile);
}

#[test]
fn why_lists_what_was_not_checked_and_a_receipt_convinces_an_auditor() {
    let world = World::with_channel();
    world.says("bob", &["chat", "send", "garden", "note this"]);
    let why = world.says("bob", &["chat", "why", "garden#0"]);
    assert!(
        why.contains("holds     in-the-ledger") && why.contains("not done  person"),
        "{why}"
    );

    world.says("bob", &["chat", "receipt", "garden#0", "--out", &world.at("r")]);
    world.says(
        "bob",
        &["audit", "policy", "new", &world.at("node"), "--out", &world.at("p")],
    );
    let verified = world.says("bob", &["audit", "receipt", &world.at("r"), "--policy", &world.at("p")]);
    assert!(
        verified.starts_with("VERIFIED  final in block 1, as entry 0 of its log"),
        "{verified}"
    );
    let unanchored = world.run("bob", &["audit", "receipt", &world.at("r")]);
    assert_eq!(unanchored.status.code(), Some(20));
    let mut bytes = std::fs::read(world.at("r")).expect("the receipt was written");
    let middle = bytes.len() / 2;
    *bytes.get_mut(middle).expect("a receipt has bytes") ^= 1;
    std::fs::write(world.at("r"), bytes).expect("a file can be written");
    let tampered = world.run("bob", &["audit", "receipt", &world.at("r"), "--policy", &world.at("p")]);
    assert_eq!(
        tampered.status.code(),
        Some(40),
        "{}",
        String::from_utf8_lossy(&tampered.stdout)
    );
}

#[test]
fn without_a_terminal_nothing_is_asked_and_the_flag_is_named() {
    let world = World::new();
    let refused = |home: &str, arguments: &[&str], variable: bool, words: &str| {
        let mut command = waxwing(world.folder.path(), home);
        if !variable {
            command.env_remove("WAXWING_PASSPHRASE_FILE");
        }
        let output = command
            .args(arguments)
            .stdin(std::process::Stdio::null())
            .output()
            .expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            (output.status.code(), said.lines().count()),
            (Some(2), 1),
            "{arguments:?}: {said}"
        );
        assert!(
            said.starts_with("error: ") && said.contains(words),
            "{arguments:?}: {said}"
        );
    };
    refused(
        "node",
        &["chat", "new", "a", "--as", "x"],
        false,
        "--passphrase-file FILE",
    );
    refused("node", &["chat", "new", "a"], true, "--as NAME");
    refused("node", &["chat", "read", "a"], true, "waxwing chat new NAME");
    refused("empty", &["chat", "new", "a", "--as", "x"], true, "--genesis FILE");
    refused(
        "node",
        &["chat", "new", "a", "--as", "x", "--node", "y"],
        true,
        "KEY@HOST:PORT",
    );
    refused(
        "node",
        &["chat", "join", "hello", "--as", "x"],
        true,
        "starts with \"waxwing:\"",
    );
    refused(
        "node",
        &["chat", "join", "waxwing:AQB_", "--as", "x"],
        true,
        "copy the whole link",
    );

    world.says("node", &["chat", "new", "a", "--as", "x"]);
    refused("node", &["chat", "new", "a"], true, "choose another name");
    refused("node", &["chat", "read", "b"], true, "waxwing chat channels");
    refused("node", &["chat", "why", "a#7"], true, "no message");
    refused("node", &["chat", "why", "what"], true, "CHANNEL#ENTRY");
    refused("node", &["chat", "send", "a", " "], true, "the message is empty");
    std::fs::write(world.at("passphrase"), "another one\n").expect("a file can be written");
    refused("node", &["chat", "read", "a"], true, "passphrase");
}

#[test]
fn a_node_that_is_gone_is_said_and_what_was_read_is_still_shown() {
    let world = World::with_channel();
    world.says("bob", &["chat", "send", "garden", "still here"]);
    let World { folder, node } = world;
    node.kill();
    let read = waxwing(folder.path(), "bob")
        .args(["chat", "read", "garden"])
        .output()
        .expect("the program starts");
    assert_eq!(read.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&read.stdout).contains("still here"));
    let said = String::from_utf8_lossy(&read.stderr).into_owned();
    assert!(
        said.starts_with("error: no node served") && said.lines().count() == 1,
        "{said}"
    );
    let offline = waxwing(folder.path(), "bob")
        .args(["chat", "read", "garden", "--offline"])
        .output();
    assert!(offline.expect("the program starts").status.success());
}

#[test]
fn a_tail_prints_what_becomes_final_and_a_watch_what_changes() {
    let world = World::with_channel();
    world.says("node", &["chat", "send", "garden", "before"]);
    let mut tail = Running::start(waxwing(world.folder.path(), "bob").args(["chat", "tail", "garden", "--proofs"]));
    tail.line_with("waiting for messages");
    let mut watch = Running::start(waxwing(world.folder.path(), "node").args(["node", "status", "--watch"]));
    watch.line_with("verified to its head, block 1");
    world.says("node", &["chat", "send", "garden", "and after"]);
    tail.line_with("alice  and after");
    tail.line_with("final, block 2, entry 1");
    watch.line_with("verified to its head, block 2");
    // An interrupt is how a tail ends, so it is no fault.
    let asked = Command::new("kill").args(["-INT", &tail.id().to_string()]).status();
    assert!(asked.expect("the system has `kill`").success());
    let (status, said) = tail.end();
    assert!(status.success(), "{said}");
    assert!(said.contains("alice  before"), "what was there is shown first: {said}");
}

/// The names of an object's fields, the schema aside.
fn fields(value: &Value) -> Vec<&str> {
    let object = value.as_object().expect("a result is an object");
    object
        .keys()
        .map(String::as_str)
        .filter(|name| *name != "schema")
        .collect()
}

/// What is said about a running node.
const STATUS: [&str; 14] = [
    "address",
    "attachments",
    "head",
    "height",
    "network",
    "page",
    "policy",
    "progress",
    "progress_done",
    "progress_target",
    "quota_bytes",
    "role",
    "software",
    "used_bytes",
];

#[test]
fn schemas_of_chat_and_of_a_running_node_are_stable() {
    let world = World::with_channel();
    let check = |home: &str, arguments: &[&str], schema: &str, expected: &[&str]| -> Value {
        let value = world.json(home, arguments);
        assert_eq!(text(&value, "/schema"), schema);
        assert_eq!(fields(&value), expected, "{schema}");
        value
    };
    let channel = ["channel", "device", "group", "log", "name", "network"];
    check(
        "node",
        &["chat", "new", "second", "--by-link"],
        "waxwing.chat.new/1",
        &channel,
    );
    let invited = check(
        "node",
        &["chat", "invite", "second"],
        "waxwing.chat.invite/1",
        &["channel", "link"],
    );
    check(
        "bob",
        &["chat", "join", text(&invited, "/link")],
        "waxwing.chat.join/1",
        &channel,
    );
    check("bob", &["chat", "channels"], "waxwing.chat.channels/1", &["channels"]);
    let send = ["chat", "send", "garden", "schemas"];
    let sent = check("bob", &send, "waxwing.chat.send/1", &["ladder", "message", "took_ms"]);
    let ordered = text(&sent, "/message/ordered");
    assert!(
        ordered.ends_with('Z') && ordered.contains('T'),
        "times are ISO 8601 in UTC: {ordered}"
    );
    let read = ["channel", "messages", "network", "refreshed"];
    check("bob", &["chat", "read", "garden"], "waxwing.chat.read/1", &read);
    let why = world.json("bob", &["chat", "why", "garden#0"]);
    assert_eq!(text(&why, "/schema"), "waxwing.chat.why/1");
    assert_eq!(
        fields(why.pointer("/checks/0").expect("there are checks")),
        ["check", "result", "says"]
    );
    let receipt = world.json("bob", &["chat", "receipt", "garden#0", "--out", &world.at("r")]);
    assert_eq!(text(&receipt, "/schema"), "waxwing.chat.receipt/1");
    assert_eq!(text(&receipt, "/log"), text(&read_log(&world), "/log"));

    check("node", &["node", "health"], "waxwing.node.health/1", &["says", "well"]);
    check("node", &["node", "status"], "waxwing.node.status/1", &STATUS);
}

fn read_log(world: &World) -> Value {
    let channels = world.json("bob", &["chat", "channels"]);
    let all = channels
        .get("channels")
        .and_then(Value::as_array)
        .expect("channels are listed");
    let garden = all
        .iter()
        .find(|channel| channel.get("name").and_then(Value::as_str) == Some("garden"));
    garden.cloned().expect("bob has joined it")
}

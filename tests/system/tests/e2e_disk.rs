//! A disk that fills up under a node: it stops with the reason, loses nothing that was final, and goes on when there is
//! room again.
//!
//! A disk of its own, small and in memory, needs the right to mount; where there is none, a limit on the size of files has
//! the same end by another error. Both are what a node must survive, so both are tried where both can be.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use waxwing_system::command::{number, refusal, verdict, waxwing};
use waxwing_system::load::Load;
use waxwing_system::node::{Network, Node};
use waxwing_system::person::Person;
use waxwing_system::told::Told;
use waxwing_system::until::until;

/// Room for a node that has hardly begun, and for little more.
const DISK: &str = "size=24m";

/// The same as a limit for each file, in units of the shell: blocks of 512 bytes.
const FILE_BLOCKS: &str = "8192";

/// Bodies that fill it soon.
const BODY: u32 = 60_000;

/// A disk of its own; gone when it is dropped.
struct Small(PathBuf);

impl Small {
    /// `None` where mounting is not permitted.
    fn mount(at: &Path) -> Option<Self> {
        fs::create_dir(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", DISK, "tmpfs"])
            .arg(at)
            .output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then(|| Self(at.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Lazily: what still runs on it after a failed test keeps it until it ends.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// Fills a disk under a load until the node has stopped; makes room; everything goes on.
fn fill(folder: &Path, home: &Path, starve: impl FnOnce(&mut Node), feed: impl FnOnce(&mut Node), why: &str) {
    let network = Network::found_cheap(&folder.join("network"), "disk");
    let mut node = Node::validator(home, &network);
    starve(&mut node);
    let ann = Person::new(folder, "ann");
    ann.open("den", &network.genesis_file(), &[&node.address()]);
    let mut told = Told::default();
    let sent = ann.send("den", "before the disk is full");
    told.head(&node.status());
    let load = Load::start_with(&node, &network.genesis(), 1, BODY);
    let (status, printed) = node.end();
    assert_eq!(status.code(), Some(1), "{status}: {printed}");
    let last = printed
        .lines()
        .find(|line| line.starts_with("error: "))
        .unwrap_or_default();
    for word in [
        "WX-1001",
        why,
        "check the disk and its space, then start the node again",
    ] {
        assert!(last.contains(word), "{word:?} in: {printed}");
    }
    ann.queue("den", "while it was");
    let before = load.told();
    feed(&mut node);
    until("the load goes on", || (load.told() > before + 20).then_some(()));
    until("what was queued is final", || {
        (number(&ann.read("den"), "/channel/waiting") == 0).then_some(())
    });
    for one in load.finish() {
        told.envelope(&one);
    }
    let log = number(&sent, "/message/log_index");
    assert_eq!((log, number(&ann.read("den"), "/channel/entries")), (0, 2));
    told.head(&node.status());
    node.stop();
    let policy = folder.join("policy");
    network.policy(&policy, told.newest_head().as_deref());
    let mut audit = waxwing(home);
    audit
        .args(["audit", "run"])
        .arg(node.directory())
        .arg("--policy")
        .arg(&policy);
    let (code, report) = verdict(&mut audit);
    assert_eq!(code, 0, "{report}");
    assert!(told.hold_against(&node.directory()) > 20);
}

#[test]
fn a_full_disk_stops_the_node_with_the_reason_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    let Some(mounted) = Small::mount(&disk) else {
        println!("mounting is not permitted here; the limit on files stands for it");
        return full_by_limit();
    };
    let ballast = disk.join("ballast");
    let starve = |node: &mut Node| {
        node.start();
        // Somebody else's file takes what is left but a little.
        fs::write(&ballast, vec![7; 12 << 20]).unwrap();
    };
    let feed = |node: &mut Node| {
        // Still full, to the last byte: the node says so again instead of damaging anything.
        let rest = disk.join("rest");
        assert!(fs::write(&rest, vec![7; 24 << 20]).is_err(), "there was room left");
        let (code, line) = refusal(&mut node.command());
        for word in ["No space left on device", "check the disk and its space"] {
            assert!(code == 1 && line.contains(word), "{code}, not {word:?}: {line}");
        }
        fs::remove_file(&rest).unwrap();
        fs::remove_file(&ballast).unwrap();
        node.start();
    };
    fill(
        folder.path(),
        &disk.join("node"),
        starve,
        feed,
        "No space left on device",
    );
    drop(mounted);
}

#[test]
fn a_file_that_may_not_grow_stops_the_node_with_the_reason_and_nothing_is_lost() {
    full_by_limit();
}

fn full_by_limit() {
    let folder = tempfile::tempdir().unwrap();
    let starve = |node: &mut Node| {
        let command = node.command();
        let mut limited = Command::new("sh");
        // Without the trap the system would end the process by a signal, which no disk does.
        let script = format!("trap '' XFSZ; ulimit -f {FILE_BLOCKS}; exec \"$0\" \"$@\"");
        limited
            .args(["-c", &script])
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => limited.env(name, value),
                None => limited.env_remove(name),
            };
        }
        node.start_as(limited);
    };
    fill(
        folder.path(),
        &folder.path().join("node"),
        starve,
        Node::start,
        "File too large",
    );
}

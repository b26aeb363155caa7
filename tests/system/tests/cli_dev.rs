//! The playground and the demonstration, as a newcomer runs them.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use waxwing_system::process::Running;

fn waxwing(folder: &Path) -> Command {
    let mut command = Command::new(waxwing_system::program("waxwing"));
    command
        .env("WAXWING_HOME", folder.join("home"))
        .env("LC_ALL", "C.UTF-8")
        .current_dir(folder);
    command
}

/// Asks a process that this test started to end, as a service manager does.
fn terminate(process: u32) {
    let sent = Command::new("kill").args(["-TERM", &process.to_string()]).status();
    assert!(sent.expect("the system has `kill`").success());
}

#[test]
fn the_demonstration_comes_out_as_it_says_and_leaves_a_folder_to_look_around_in() {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let demo = ["dev", "demo", "--messages", "24", "--dir", "d"];
    let output = waxwing(folder.path()).args(demo).output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for line in [
        "✓ final  block",
        "came late    let in",
        "taken out    the guest",
        "the first 12 messages and none after",
        "killed       validator-2",
        "came back    process",
        "every block checked",
        "lies         validator-4",
        "found out    validator-1 shows",
        "VERIFIED  a validator cast two contradicting",
        "found none",
        "VERIFIED     to height",
        "validator-1 and validator-2: one history",
        "TAMPERED",
        "the same words, names and order",
    ] {
        assert!(said.contains(line), "no {line:?} in:\n{said}");
    }
    // What it suggests to type works.
    let suggested: Vec<_> = said
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("waxwing "))
        .collect();
    assert!(suggested.len() >= 4, "{suggested:?}");
    let code = |line: &str| {
        let words = line.split_whitespace().skip(1);
        let output = waxwing(folder.path())
            .args(words)
            .stdin(Stdio::null())
            .output()
            .expect("the program starts");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    for line in suggested.iter().filter(|line| !line.contains("dev up")) {
        let expected = if line.contains("tampered") { Some(40) } else { Some(0) };
        let (found, said) = code(line);
        assert_eq!(found, expected, "{line}: {said}");
    }
    let again = waxwing(folder.path()).args(demo).output().expect("the program starts");
    assert_eq!(again.status.code(), Some(2), "a folder in use is not used again");
}

#[test]
fn a_folder_of_other_logs_can_be_replayed_and_json_gives_the_figures() {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let logs = folder.path().join("logs");
    std::fs::create_dir(&logs).expect("a folder can be made");
    let lines: String = (0..40)
        .map(|number| format!("[10:{number:02}] <nick{}> line {number}\n", number % 9))
        .collect();
    std::fs::write(logs.join("a.log"), lines).expect("a file can be written");
    let demo = [
        "--json",
        "dev",
        "demo",
        "--messages",
        "12",
        "--corpus",
        "logs",
        "--dir",
        "d",
    ];
    let output = waxwing(folder.path()).args(demo).output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let figures: Value = serde_json::from_slice(&output.stdout).expect("standard output is one JSON object");
    assert_eq!(
        figures.get("schema").and_then(Value::as_str),
        Some("waxwing.dev.demo/1")
    );
    assert_eq!(figures.get("messages").and_then(Value::as_u64), Some(12));
    assert_eq!(figures.get("people").and_then(Value::as_u64), Some(8));
}

#[test]
fn a_committee_runs_with_its_followers_and_only_with_as_many_as_founded_it() {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let mut command = waxwing(folder.path());
    let size = ["--validators", "4", "--followers", "2"];
    let mut running = Running::start(command.args(["--json", "dev", "up", "--dir", "d"]).args(size));
    let said: Value = serde_json::from_str(&running.line_with("waxwing.dev.up/1")).expect("it is JSON");
    let nodes = said.get("nodes").and_then(Value::as_array).expect("nodes are listed");
    let names: Vec<_> = nodes.iter().filter_map(|node| node.get("name")?.as_str()).collect();
    let expected = [
        "validator-1",
        "validator-2",
        "validator-3",
        "validator-4",
        "follower-1",
        "follower-2",
    ];
    assert_eq!(names, expected);
    // Each validator has a key of its own, in its own home.
    let keys: std::collections::BTreeSet<_> = names
        .iter()
        .take(4)
        .map(|name| {
            let mut command = waxwing(folder.path());
            let home = folder.path().join("d").join(name);
            let output = command.args(["--json", "network", "key", "--home"]).arg(home).output();
            let key: Value = serde_json::from_slice(&output.expect("the program starts").stdout).expect("it is JSON");
            assert_eq!(key.get("new"), Some(&Value::Bool(false)), "{key}");
            key.get("line").and_then(Value::as_str).map(str::to_owned)
        })
        .collect();
    assert_eq!(keys.len(), 4);
    terminate(running.id());
    let (status, said) = running.end();
    assert!(status.success(), "{said}");
    let mut other = waxwing(folder.path());
    let other = other
        .args(["dev", "up", "--validators", "3", "--dir", "d"])
        .stdin(Stdio::null())
        .output();
    let other = other.expect("the program starts");
    let told = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(
        other.status.code() == Some(2) && told.contains("holds a network of 4 validators, not of 3"),
        "{told}"
    );
}

#[test]
fn a_network_runs_until_it_is_asked_to_end_and_is_taken_up_again_where_it_was() {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let up = || {
        let mut command = waxwing(folder.path());
        Running::start(command.args(["--json", "dev", "up", "--followers", "1", "--dir", "d"]))
    };
    let read = |running: &mut Running| -> Value {
        serde_json::from_str(&running.line_with("waxwing.dev.up/1")).expect("it is JSON")
    };
    let mut running = up();
    let first = read(&mut running);
    let nodes = first.get("nodes").and_then(Value::as_array).expect("nodes are listed");
    assert_eq!(nodes.len(), 2);
    let processes: Vec<_> = nodes.iter().filter_map(|node| node.get("process")?.as_u64()).collect();
    terminate(running.id());
    let (status, said) = running.end();
    assert!(status.success(), "{said}");
    for process in processes {
        assert!(
            !Path::new(&format!("/proc/{process}")).exists(),
            "node {process} is still there"
        );
    }

    let mut running = up();
    let second = read(&mut running);
    let addresses = |value: &Value| -> Vec<Value> {
        let nodes = value.get("nodes").and_then(Value::as_array).expect("nodes are listed");
        nodes.iter().filter_map(|node| node.get("address").cloned()).collect()
    };
    assert_eq!(first.get("network"), second.get("network"));
    assert_eq!(addresses(&first), addresses(&second), "clients find it where it was");
    terminate(running.id());
    assert!(running.end().0.success());
}

#[test]
fn nodes_do_not_outlive_the_program_that_started_them() {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let mut command = waxwing(folder.path());
    let mut running = Running::start(command.args(["--json", "dev", "up", "--followers", "0", "--dir", "d"]));
    let said: Value = serde_json::from_str(&running.line_with("waxwing.dev.up/1")).expect("it is JSON");
    let process = said
        .pointer("/nodes/0/process")
        .and_then(Value::as_u64)
        .expect("the node has a process");
    running.kill();
    // The pipe closed with the killed program; the node drains and ends.
    let gone = (0..600).any(|_| {
        let is_there = Path::new(&format!("/proc/{process}")).exists();
        if is_there {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        !is_there
    });
    assert!(gone, "node {process} outlived the program that started it");
}

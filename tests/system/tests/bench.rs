//! The benchmark program in small: every figure can be measured, prints what it says it prints, and the values are of the
//! right kind. Whether they are good is for a quiet machine and a release build.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// Value, limit and ratio are each rounded to four digits, which moves each by a two-thousandth of itself at most; they
/// are compared with each other only that closely.
const ROUNDED: f64 = 3.1 / 2_000.0;

/// Values and limits of the lines that `waxwing-bench` prints for these figures, by name.
fn measured(figures: &[&str]) -> BTreeMap<String, (f64, Option<f64>)> {
    let output = Command::new(waxwing_system::program("waxwing-bench"))
        .arg("--quick")
        .args(figures)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{figures:?}: {said}");
    String::from_utf8(output.stdout).unwrap().lines().map(read).collect()
}

fn read(line: &str) -> (String, (f64, Option<f64>)) {
    let object: serde_json::Map<String, Value> = serde_json::from_str(line).expect(line);
    let mut keys: Vec<&str> = object.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["limit", "name", "ratio", "unit", "value"], "{line}");
    let field = |key: &str| object.get(key).and_then(Value::as_f64);
    let (value, limit, ratio) = (field("value").expect(line), field("limit"), field("ratio"));
    assert!(value.is_finite() && value >= 0.0, "{line}");
    match limit {
        Some(limit) => assert!((ratio.expect(line) * limit - value).abs() <= ROUNDED * value, "{line}"),
        None => assert!(ratio.is_none(), "{line}"),
    }
    assert!(
        !object.get("unit").and_then(Value::as_str).unwrap().is_empty(),
        "{line}"
    );
    let name = object.get("name").and_then(Value::as_str).unwrap();
    (name.to_owned(), (value, limit))
}

/// The value of a line that must be there, held against bounds that no machine leaves.
fn within(lines: &BTreeMap<String, (f64, Option<f64>)>, name: &str, least: f64, most: f64) {
    let (value, _) = lines.get(name).expect(name);
    assert!(
        (least..=most).contains(value),
        "{name} is {value}, not within {least} and {most}"
    );
}

#[test]
fn every_figure_is_listed_with_what_it_must_reach() {
    let output = Command::new(waxwing_system::program("waxwing-bench"))
        .arg("--list")
        .output()
        .unwrap();
    let list = String::from_utf8(output.stdout).unwrap();
    for name in [
        "limits",
        "head-proof",
        "receipt",
        "catch-up",
        "ingest",
        "latency",
        "idle",
        "committee",
        "committee-latency",
        "one-dead",
        "copying",
        "committee-idle",
        "fifty",
        "audit",
        "disk",
        "memory",
        "send",
        "receive",
        "members",
        "start",
        "waits",
    ] {
        assert!(list.lines().any(|line| line.starts_with(name)), "{name} in {list}");
    }
    assert_eq!(list.matches("to reach: ").count() * 2, list.lines().count());
}

#[test]
fn an_unknown_figure_is_refused_with_exit_code_2() {
    let output = Command::new(waxwing_system::program("waxwing-bench"))
        .arg("speed")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no figure 'speed'"));
    assert!(output.stdout.is_empty());
}

#[test]
fn the_machine_and_the_proofs_are_measured() {
    let lines = measured(&["limits", "head-proof", "receipt", "catch-up"]);
    within(&lines, "limits.verify", 100.0, 1e7);
    within(&lines, "limits.sync_p50", 0.0, 1_000.0);
    within(&lines, "limits.quic", 10.0, 1e7);
    // Sizes depend on no machine: a thousand logs and blocks here, half as many levels as at a million.
    within(&lines, "head-proof.bytes", 1_050.0, 1_200.0);
    within(&lines, "head-proof.extended_bytes", 1_370.0, 1_520.0);
    within(&lines, "receipt.bytes", 1_250.0, 1_400.0);
    within(&lines, "catch-up.round_trips", 1.0, 1.0);
    within(&lines, "catch-up.bytes", 1_370.0, 1_700.0);
}

#[test]
fn a_node_in_another_process_takes_envelopes_and_they_become_final() {
    let lines = measured(&["ingest", "latency"]);
    within(&lines, "ingest.rate", 1.0, 1e6);
    within(&lines, "ingest.node_processor", 1.0, 1e6);
    within(&lines, "latency.p50", 0.1, 30_000.0);
    within(&lines, "latency.p99", 0.1, 30_000.0);
}

#[test]
fn an_idle_node_is_measured() {
    let lines = measured(&["idle"]);
    within(&lines, "idle.memory", 1.0, 1_000.0);
    within(&lines, "idle.processor", 0.0, 100.0);
}

#[test]
fn long_histories_are_audited_weighed_and_served() {
    let lines = measured(&["audit", "disk", "memory"]);
    within(&lines, "audit.1M_logs", 10.0, 1e7);
    within(&lines, "audit.1000_logs", 10.0, 1e7);
    within(&lines, "disk.1000_logs", 224.0, 10_000.0);
    within(&lines, "memory.working", 1.0, 2_000.0);
}

#[test]
fn four_validators_in_four_processes_agree_on_what_clients_bring_to_each() {
    let lines = measured(&["committee", "committee-latency"]);
    within(&lines, "committee.rate", 1.0, 1e6);
    within(&lines, "committee.nodes_processor", 1.0, 1e6);
    within(&lines, "committee.clients_processor", 0.1, 1e6);
    within(&lines, "committee-latency.p50", 0.1, 30_000.0);
    within(&lines, "committee-latency.p99", 0.1, 30_000.0);
}

#[test]
fn the_death_of_a_validator_is_measured() {
    let lines = measured(&["one-dead"]);
    within(&lines, "one-dead.before", 0.0, 1e6);
    within(&lines, "one-dead.after", 0.0, 1e6);
    within(&lines, "one-dead.gap", 0.001, 60.0);
}

#[test]
fn a_node_that_copies_a_ledger_is_measured() {
    let lines = measured(&["copying"]);
    within(&lines, "copying.rate", 0.001, 10_000.0);
    within(&lines, "copying.node_processor", 1.0, 1e6);
}

#[test]
fn committees_at_rest_and_committees_of_many_are_measured() {
    let lines = measured(&["committee-idle", "fifty"]);
    within(&lines, "committee-idle.processor", 0.0, 100.0);
    within(&lines, "committee-idle.memory", 1.0, 1_000.0);
    // Where no network of its own may be made, nobody counts bytes.
    if let Some((wire, _)) = lines.get("committee-idle.wire") {
        assert!(*wire < 1e6, "{wire}");
    }
    // Round, bitmap of one byte with its length, three signatures.
    within(&lines, "fifty.certificate", 201.0, 201.0);
    within(&lines, "fifty.ladder_step", 1_000.0, 1_600.0);
    within(&lines, "fifty.wire_per_block", 1.0, 1e7);
}

#[test]
fn people_who_talk_are_measured() {
    let lines = measured(&["send", "receive", "members", "start", "waits"]);
    for name in [
        "send.2.p50",
        "send.3.p99",
        "receive.each",
        "members.process",
        "start.shown",
    ] {
        within(&lines, name, 0.001, 60_000_000.0);
    }
    // A client holds something, and no gigabyte.
    within(&lines, "waits.memory", 1.0, 1000.0);
}

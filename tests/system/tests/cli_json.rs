//! What scripts may rely on: with `--json`, standard output is JSON and nothing else, and each schema keeps its fields.
//!
//! Every field that a schema has is written down here. Taking one away or changing its type breaks somebody's script
//! and needs a new number behind the `/`; adding one needs a line here.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let output = Command::new(waxwing_system::program("waxwing"))
        .args(arguments)
        .arg("--json")
        .current_dir(folder)
        .env("WAXWING_HOME", folder.join("home"))
        .output()
        .expect("the program starts");
    let said = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(said.lines().count(), 1, "{arguments:?} prints one object: {said}");
    serde_json::from_str(&said).expect("standard output is JSON")
}

/// The fields of an object with their types, in the order of their names: `height: number`.
fn shape(value: &Value) -> Vec<String> {
    let object = value.as_object().expect("a result is an object");
    let kind = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    object
        .iter()
        .map(|(name, value)| format!("{name}: {}", kind(value)))
        .collect()
}

fn check(folder: &Path, arguments: &[&str], schema: &str, fields: &[&str]) -> Value {
    let value = json(folder, arguments);
    assert_eq!(
        value.get("schema").and_then(Value::as_str),
        Some(schema),
        "{arguments:?}"
    );
    let found: Vec<_> = shape(&value)
        .into_iter()
        .filter(|field| field != "schema: text")
        .collect();
    assert_eq!(found, fields, "{schema}");
    value
}

const NETWORK: [&str; 9] = [
    "fingerprint: text",
    "founded: text",
    "name: text",
    "network: text",
    "new_log_bits: number",
    "own_validator: null",
    "quorum: number",
    "stamp_bits: number",
    "validators: list",
];

#[test]
fn schemas_of_networks_and_policies_are_stable() {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let at = folder.path();
    let mut founded: Vec<&str> = NETWORK
        .iter()
        .copied()
        .filter(|field| !field.starts_with("own_validator"))
        .collect();
    // Whoever founds alone is the only validator.
    founded.extend(["genesis: text", "own_validator: number", "vote_key: text"]);
    founded.sort_unstable();
    let new = check(
        at,
        &["network", "new", "j", "--out", "n"],
        "waxwing.network.new/1",
        &founded,
    );
    let show = check(at, &["network", "show", "n"], "waxwing.network.show/1", &NETWORK);
    assert_eq!(new.get("network"), show.get("network"));

    let pinned = format!("3:{}", "ab".repeat(32));
    let policy = ["audit", "policy", "new", "n", "--out", "p", "--head", &pinned];
    let fields = [
        "fingerprint: text",
        "founded: text",
        "head: object",
        "name: text",
        "network: text",
    ];
    let new = check(at, &policy, "waxwing.audit.policy.new/1", &fields);
    let show = check(
        at,
        &["audit", "policy", "show", "p"],
        "waxwing.audit.policy.show/1",
        &fields,
    );
    assert_eq!(new.get("fingerprint"), show.get("fingerprint"));
    let fingerprint = ["audit", "policy", "fingerprint", "p"];
    let print = check(
        at,
        &fingerprint,
        "waxwing.audit.policy.fingerprint/1",
        &["fingerprint: text"],
    );
    assert_eq!(new.get("fingerprint"), print.get("fingerprint"));

    let mut inline: Vec<&str> = fields.into_iter().filter(|field| !field.starts_with("head")).collect();
    inline.extend(["head: null", "policy: text"]);
    inline.sort_unstable();
    check(
        at,
        &["audit", "policy", "new", "n"],
        "waxwing.audit.policy.new/1",
        &inline,
    );
}

#[test]
fn schemas_of_the_ceremony_are_stable() {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let at = folder.path();
    let key = ["line: text", "new: bool", "public: text", "vote_key: text"];
    for home in ["a", "b"] {
        check(at, &["network", "key", "--out", home], "waxwing.network.key/1", &key);
    }
    let together = [
        "network",
        "new",
        "two",
        "--key",
        "a/vote.pub",
        "--key",
        "b/vote.pub",
        "--out",
        "n",
    ];
    let mut founded: Vec<&str> = NETWORK.to_vec();
    founded.extend(["genesis: text", "vote_key: null"]);
    founded.sort_unstable();
    let new = check(at, &together, "waxwing.network.new/1", &founded);
    assert_eq!(new.get("validators").and_then(Value::as_array).map(Vec::len), Some(2));
}

#[test]
fn schemas_of_nodes_are_stable() {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let at = folder.path();
    let init = [
        "address: text",
        "address_lacks: list",
        "data: text",
        "http: text",
        "listen: text",
        "name: text",
        "network: text",
        "node: text",
        "role: text",
        "upstreams: list",
    ];
    check(at, &["node", "init"], "waxwing.node.init/1", &init);
    let show = check(
        at,
        &["node", "config", "show"],
        "waxwing.node.config.show/1",
        &["settings: object"],
    );
    let listen = show.pointer("/settings/listen").expect("every setting is there");
    assert_eq!(shape(listen), ["origin: text", "value: text"]);
    let fields = ["file: text", "set: number", "settings: number", "unused: list"];
    check(at, &["node", "config", "check"], "waxwing.node.config.check/1", &fields);
}

#[test]
fn schemas_of_the_papers_are_stable() {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let at = folder.path();
    let version = [
        "build: text",
        "machine: text",
        "parts: list",
        "system: text",
        "version: text",
    ];
    check(at, &["version"], "waxwing.version/1", &version);
    check(
        at,
        &["completions", "fish"],
        "waxwing.completions/1",
        &["script: text", "shell: text"],
    );
    check(at, &["man"], "waxwing.man/1", &["page: text"]);
    check(
        at,
        &["man", "--out", "m"],
        "waxwing.man/1",
        &["folder: text", "pages: list"],
    );
}

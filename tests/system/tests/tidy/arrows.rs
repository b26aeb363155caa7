//! Rules on who may use whom, asked of cargo itself.
//!
//! The promises of the design are arrows that do not exist: a node cannot decrypt because it cannot name the crate that
//! opens messages, and the rules can run in a browser because nothing they reach opens a socket.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// Which of our crates each of our crates may name. Tests of a crate may name the same, and no more.
const MAY_USE: [(&str, &[&str]); 9] = [
    ("waxwing-core", &[]),
    ("waxwing-seal", &["waxwing-core"]),
    ("waxwing-store", &["waxwing-core"]),
    ("waxwing-net", &["waxwing-core"]),
    ("waxwing-order", &["waxwing-core"]),
    (
        "waxwing-node",
        &["waxwing-core", "waxwing-net", "waxwing-order", "waxwing-store"],
    ),
    ("waxwing-light", &["waxwing-core", "waxwing-net", "waxwing-seal"]),
    ("waxwing-audit", &["waxwing-core", "waxwing-net", "waxwing-store"]),
    ("waxwing-verify", &["waxwing-core"]),
];

/// Programs and tests of whole systems may use all of the above.
const MAY_USE_ALL: [&str; 5] = [
    "waxwing",
    "waxwing-bench",
    "waxwing-rules",
    "waxwing-sim",
    "waxwing-system",
];

/// What a crate must not reach, through however many others.
const MUST_NOT_REACH: [(&str, &[&str]); 8] = [
    // The rules: no thread, socket, disk or chance; they also run in a browser.
    (
        "waxwing-core",
        &[
            "tokio",
            "quinn",
            "rocksdb",
            "librocksdb-sys",
            "getrandom",
            "rand",
            "serde",
            "bincode",
        ],
    ),
    // Storage and randomness are arguments.
    ("waxwing-seal", &["tokio", "quinn", "rocksdb", "rusqlite"]),
    ("waxwing-net", &["rocksdb", "rusqlite", "waxwing-seal"]),
    // The agreement: no socket, disk or chance, so that a simulation decides what happens. The engine names tokio and
    // uses nothing of it.
    (
        "waxwing-order",
        &["quinn", "mio", "socket2", "rocksdb", "getrandom", "rand"],
    ),
    // A node that cannot decrypt.
    ("waxwing-node", &["waxwing-seal", "waxwing-light", "rusqlite"]),
    // A client without a ledger's database.
    ("waxwing-light", &["waxwing-store", "waxwing-node", "rocksdb"]),
    ("waxwing-audit", &["waxwing-seal", "waxwing-light"]),
    // Small enough to be read in an afternoon, dependencies included.
    ("waxwing-verify", &["tokio", "quinn", "rocksdb", "rusqlite", "rustls"]),
];

/// The only crate that declares it depends on RocksDB.
const NAMES_ROCKSDB: &str = "waxwing-store";

/// What every member of the workspace declares, of whatever kind (normal, build, tests).
type Declared = BTreeMap<String, Vec<String>>;

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(arguments)
        .args(["--offline", "--locked"])
        .current_dir(waxwing_system::root())
        .output()
        .expect("cargo runs: it started this test");
    assert!(
        output.status.success(),
        "cargo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}

fn declared() -> Declared {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"]))
        .expect("cargo metadata prints JSON");
    list(&metadata, "packages")
        .iter()
        .map(|package| {
            let uses = list(package, "dependencies").iter().map(name);
            // A crate may name itself to switch on features for its own tests.
            (name(package), uses.filter(|used| *used != name(package)).collect())
        })
        .collect()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .expect("cargo metadata lists packages and their dependencies")
}

fn name(value: &Value) -> String {
    value
        .get("name")
        .and_then(Value::as_str)
        .expect("packages and dependencies have names")
        .to_owned()
}

fn forbidden_arrows(declared: &Declared) -> Vec<String> {
    let mut found = Vec::new();
    for (package, uses) in declared {
        let ours = uses.iter().filter(|used| used.starts_with("waxwing"));
        match MAY_USE.iter().find(|(name, _)| name == package) {
            Some((_, allowed)) => {
                found.extend(
                    ours.filter(|used| !allowed.contains(&used.as_str()))
                        .map(|used| format!("{package} -> {used}")),
                );
            }
            None if MAY_USE_ALL.contains(&package.as_str()) => {}
            None => found.push(format!("{package} has no row in the table of arrows")),
        }
        if package != NAMES_ROCKSDB && uses.iter().any(|used| used == "rocksdb") {
            found.push(format!("{package} -> rocksdb"));
        }
    }
    found
}

/// The names of all packages that `package` is built with on this machine, tests aside.
fn reached(package: &str) -> Vec<String> {
    reached_with(package, &[])
}

/// The same with these features.
fn reached_with(package: &str, features: &[&str]) -> Vec<String> {
    let asked = [
        "tree",
        "--package",
        package,
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ];
    let tree = cargo(&[&asked[..], features].concat());
    tree.lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

fn forbidden_reach(package: &str, reached: &[String], forbidden: &[&str]) -> Vec<String> {
    let hits = forbidden
        .iter()
        .filter(|name| reached.iter().any(|found| found == *name));
    hits.map(|name| format!("{package} reaches {name}; ask: cargo tree -p {package} -e normal -i {name}"))
        .collect()
}

#[test]
fn crates_use_each_other_as_the_table_says() {
    assert_eq!(forbidden_arrows(&declared()), Vec::<String>::new());

    let sample = |package: &str, uses: &[&str]| {
        forbidden_arrows(&Declared::from([(
            package.to_owned(),
            uses.iter().map(|&used| used.to_owned()).collect(),
        )]))
    };
    assert_eq!(
        sample("waxwing-node", &["waxwing-seal", "tokio"]),
        ["waxwing-node -> waxwing-seal"]
    );
    assert_eq!(
        sample("waxwing-light", &["waxwing-store"]),
        ["waxwing-light -> waxwing-store"]
    );
    assert_eq!(
        sample("waxwing-core", &["waxwing-net"]),
        ["waxwing-core -> waxwing-net"]
    );
    assert_eq!(sample("waxwing", &["rocksdb"]), ["waxwing -> rocksdb"]);
    assert_eq!(sample("waxwing-new", &[]).len(), 1);
    assert_eq!(
        sample("waxwing-store", &["waxwing-core", "rocksdb"]),
        Vec::<String>::new()
    );
}

#[test]
fn crates_reach_nothing_that_their_promise_excludes() {
    let found: Vec<String> = MUST_NOT_REACH
        .iter()
        .flat_map(|(package, forbidden)| forbidden_reach(package, &reached(package), forbidden))
        .collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));

    // The tree is really read: what a crate is made of is in it, and would be found.
    let core = reached("waxwing-core");
    assert_eq!(forbidden_reach("waxwing-core", &core, &["blake3", "tokio"]).len(), 1);
    assert!(reached("waxwing-node").iter().any(|name| name == "librocksdb-sys"));
}

#[test]
fn the_chat_by_itself_needs_no_ledgers_database() {
    let alone = reached_with("waxwing", &["--no-default-features"]);
    let excluded = [
        "librocksdb-sys",
        "rocksdb",
        "waxwing-node",
        "waxwing-order",
        "waxwing-store",
    ];
    assert_eq!(forbidden_reach("waxwing", &alone, &excluded), Vec::<String>::new());
    assert!(alone.iter().any(|name| name == "waxwing-light"));
    // By default it is all there, and would be found.
    assert_eq!(
        forbidden_reach("waxwing", &reached("waxwing"), &excluded).len(),
        excluded.len()
    );
}

//! Bad input of every kind, in one table: the exit code, one line that says what to do, and never a panic.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is typed (`DIR` stands for the folder of [`files`]), and words that the one line must hold.
const REFUSED: &[(&[&str], &[&str])] = &[
    // Arguments.
    (&["nettwork"], &["'network'", "waxwing --help"]),
    (&["--frobnicate"], &["--frobnicate", "waxwing --help"]),
    (&["network", "new"], &["<NAME>", "waxwing network new --help"]),
    (
        &["network", "new", "x", "--stamp-bits", "many"],
        &["many", "--stamp-bits"],
    ),
    (&["network", "new", "x", "--stamp-bits", "99"], &["40 bits"]),
    (&["network", "new", ""], &["1 to 64 ASCII letters"]),
    (&["network", "new", "a\u{1b}[2Jb"], &["ASCII letters"]),
    (&["version", "--color", "blue"], &["blue", "auto, always, never"]),
    (&["version", "-q", "-v"], &["cannot be used with"]),
    (&["completions", "cmd.exe"], &["cmd.exe", "zsh"]),
    // Files.
    (
        &["network", "show", "DIR/missing"],
        &["no genesis at", "waxwing network new"],
    ),
    (&["network", "show", "DIR/empty"], &["no genesis at", "genesis.wxg"]),
    (
        &["network", "show", "DIR/rubbish"],
        &["is no genesis", "ask whoever founded"],
    ),
    (&["network", "show", "DIR/huge"], &["larger than"]),
    (&["network", "show", "DIR/cut.wxg"], &["is no genesis"]),
    (&["network", "show", "DIR/long.wxg"], &["is no genesis"]),
    (
        &["chat", "attach", "den", "DIR/rubbish", "--name", " "],
        &["--name is empty", "leave --name out"],
    ),
    (&["network", "new", "x", "--out", "DIR/net"], &["is not overwritten"]),
    // Founding together.
    (
        &["network", "new", "x", "--validators", "4"],
        &["takes 4 keys", "waxwing network key"],
    ),
    (
        &["network", "new", "x", "--validators", "0"],
        &["--validators", "waxwing network new --help"],
    ),
    (
        &["network", "new", "x", "--validators", "4", "--key", "DIR/ann/vote.pub"],
        &["1 of 4 keys", "who is missing runs `waxwing network key`"],
    ),
    (
        &[
            "network",
            "new",
            "x",
            "--key",
            "DIR/ann/vote.pub",
            "--key",
            "DIR/ann/vote.pub",
        ],
        &["key 1", "key 2", "are the same key"],
    ),
    (
        &["network", "new", "x", "--key", "DIR/ann/vote.key"],
        &["never pass vote.key around", "waxwing network key"],
    ),
    (
        &["network", "new", "x", "--key", "vote1qqqq"],
        &["key 1", "mistyped or cut off"],
    ),
    (&["network", "new", "x", "--key", "DIR/rubbish"], &["not a text file"]),
    (
        &["network", "new", "x", "--key", "DIR/text"],
        &["key 1 (line 1 of", "is no validator's key", "put a # before it"],
    ),
    (
        &["network", "new", "x", "--key", "DIR/ann/vote.pub", "--out", "DIR/net"],
        &["is not overwritten"],
    ),
    (&["network", "key", "--out", "DIR/rubbish/x"], &["rubbish"]),
    // The committee.
    (&["network", "committee", "show"], &["no such file"]),
    (&["network", "committee", "show", "DIR/empty"], &["holds no ledger"]),
    (&["network", "committee", "show", "x@y"], &["KEY@HOST:PORT"]),
    (
        &["network", "committee", "propose", "--source", "DIR/empty"],
        &["holds no ledger"],
    ),
    (&["network", "committee", "sign", "DIR/missing"], &["no such file"]),
    (&["audit", "evidence", "DIR/missing"], &["no such file"]),
    (&["audit", "compare", "DIR/empty", "DIR/empty"], &["holds no ledger"]),
    (&["network", "new", "x", "--out", "DIR/rubbish/x"], &["rubbish"]),
    (&["audit", "policy", "new", "DIR/rubbish"], &["is no genesis"]),
    (&["audit", "policy", "new", "DIR/net", "--head", "12"], &["HEIGHT:ID"]),
    (
        &["audit", "policy", "new", "DIR/net", "--head", "12:block1qqqq"],
        &["checksum"],
    ),
    (
        &["audit", "policy", "new", "DIR/net", "--head", "1:log1xyz"],
        &["kind `log`", "`block1`"],
    ),
    (
        &["audit", "policy", "new", "DIR/net", "--out", "DIR/rubbish"],
        &["is not overwritten"],
    ),
    (&["audit", "policy", "show", "DIR/rubbish"], &["not a text file"]),
    (&["audit", "policy", "show", "DIR/missing"], &["no such file"]),
    (&["audit", "policy", "show", "DIR/empty"], &["it is a folder"]),
    (
        &["audit", "policy", "show", "DIR/text"],
        &["line 1", "waxwing-policy 1"],
    ),
    (&["audit", "policy", "fingerprint", "DIR/text"], &["line 1"]),
    (&["audit", "receipt", "DIR/missing"], &["no such file"]),
    (
        &["audit", "receipt", "DIR/rubbish", "--policy", "DIR/text"],
        &["line 1"],
    ),
    (&["audit", "receipt", "DIR/huge"], &["larger than"]),
    (&["audit", "run", "DIR/missing"], &["no such file"]),
    (&["audit", "run", "DIR/empty"], &["holds no ledger"]),
    (
        &["audit", "run", "DIR/long.wxg"],
        &["is a genesis, and no history", "waxwing network show"],
    ),
    (
        &["audit", "run", "DIR/rubbish", "--policy", "DIR/missing"],
        &["cannot read policy"],
    ),
    (&["export", "DIR/empty", "--out", "DIR/b"], &["holds no ledger"]),
    (
        &["--json", "export", "DIR/empty", "--out", "-"],
        &["name a file with --out"],
    ),
    (&["export", "DIR/rubbish", "--out", "DIR/b"], &["not a bundle"]),
    // The playground.
    (&["dev", "demo", "--messages", "3"], &["8 or more"]),
    (&["dev", "demo", "--corpus", "DIR/empty"], &["no log"]),
    (&["dev", "demo", "--corpus", "DIR/missing"], &["no such file"]),
    (&["dev", "demo", "--dir", "DIR"], &["is not empty"]),
    (&["dev", "up", "--followers", "99"], &["0 to 16"]),
    (&["dev", "up", "--validators", "99"], &["1 to 16"]),
    (
        &["dev", "tamper", "body-bit", "DIR/empty", "--yes"],
        &["holds no ledger"],
    ),
    // Chat.
    (&["chat"], &["waxwing chat --help"]),
    (&["chat", "read", "x"], &["no channels", "waxwing chat new"]),
    (&["chat", "join", "https://example.org"], &["starts with"]),
    (&["chat", "new", "x", "--genesis", "DIR/rubbish"], &["is no genesis"]),
    (
        &["chat", "new", "x", "--genesis", "DIR/net", "--node", "here"],
        &["KEY@HOST:PORT"],
    ),
    (
        &["chat", "new", "x", "--genesis", "DIR/net", "--as", "y"],
        &["--passphrase-file"],
    ),
    // Nodes.
    (
        &["node", "init", "--listen", "nowhere"],
        &["--listen", "an IP address and a port"],
    ),
    (&["node", "init", "--http", "0.0.0.0:80"], &["a loopback address"]),
    (&["node", "init", "--genesis", "DIR/rubbish"], &["is no genesis"]),
    (
        &["node", "init", "--genesis", "DIR/net", "--vote-key", "DIR/text"],
        &["64 hexadecimal digits"],
    ),
    (
        &["node", "init", "--genesis", "DIR/net", "--vote-key", "DIR/other.key"],
        &["key of no validator"],
    ),
    (&["node", "run", "--threads", "-1"], &["whole number from 0 to 1024"]),
    (
        &["node", "config", "check", "DIR/typo.toml"],
        &["\"conections\"", "did you mean \"connections\""],
    ),
    (&["node", "config", "check", "DIR/bad.toml"], &["is not TOML"]),
    (&["node", "config", "check", "DIR/missing"], &["no such file"]),
    (&["node", "status"], &["no node runs in", "waxwing node run"]),
    (
        &["node", "status", "--node", "here"],
        &["<64 hexadecimal digits>@<host>:<port>"],
    ),
];

fn waxwing(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(waxwing_system::program("waxwing"));
    let shown = folder.to_str().expect("temporary folders have plain names");
    command.args(arguments.iter().map(|argument| argument.replace("DIR", shown)));
    command
        .env("WAXWING_HOME", folder.join("home"))
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null());
    command
}

/// The files that the table names.
fn files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let path = |name: &str| folder.path().join(name);
    let made = waxwing(folder.path(), &["network", "new", "table", "--out", "DIR/net"]).output();
    assert!(made.expect("the program starts").status.success());
    let made = waxwing(folder.path(), &["network", "key", "--out", "DIR/ann"]).output();
    assert!(made.expect("the program starts").status.success());
    let genesis = fs::read(path("net/genesis.wxg")).expect("the network was founded");
    let write = |name: &str, bytes: &[u8]| fs::write(path(name), bytes).expect("a new file can be written");
    write("rubbish", &[0xff; 100]);
    write("text", b"hello\nworld\n");
    write("other.key", "ab".repeat(32).as_bytes());
    write("typo.toml", b"conections = 3\n");
    write("bad.toml", b"threads = = 3\n");
    write("huge", &vec![b'x'; 17 << 20]);
    write("cut.wxg", genesis.split_at(genesis.len() - 1).0);
    write("long.wxg", &[&genesis[..], b"\0"].concat());
    fs::create_dir(path("empty")).expect("a folder can be made");
    folder
}

fn fault_of(arguments: &[&str], words: &[&str], folder: &Path) -> Result<(), String> {
    let output = waxwing(folder, arguments).output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let shown = arguments.join(" ");
    let fault = |what: &str| Err(format!("waxwing {shown}: {what}: {:?}\n{said}", output.status.code()));
    // 2 is the caller's fault, 1 the system's; anything else would be a verdict, a panic or a signal.
    if !matches!(output.status.code(), Some(1 | 2)) {
        return fault("wrong exit code");
    }
    if said.contains("panicked") || said.contains("this is a bug") {
        return fault("a bug");
    }
    if said.lines().count() != 1 || !said.starts_with("error: ") {
        return fault("not one line");
    }
    if said.contains('\u{1b}') {
        return fault("an escape sequence reached the terminal");
    }
    if !output.stdout.is_empty() {
        return fault("something on standard output");
    }
    match words.iter().find(|word| !said.contains(*word)) {
        Some(missing) => fault(&format!("does not say {missing:?}")),
        None => Ok(()),
    }
}

#[test]
fn bad_input_gives_one_line_and_an_exit_code() {
    let folder = files();
    let faults: Vec<_> = REFUSED
        .iter()
        .filter_map(|(arguments, words)| fault_of(arguments, words, folder.path()).err())
        .collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn the_table_would_notice_a_command_that_succeeds_or_says_something_else() {
    let folder = files();
    assert!(fault_of(&["version"], &[], folder.path()).is_err());
    assert!(fault_of(&["nettwork"], &["no such words"], folder.path()).is_err());
}

#[test]
fn output_that_nobody_reads_is_no_fault() {
    let folder = files();
    let mut running = waxwing(folder.path(), &["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // The reader goes away before anything was written.
    drop(running.stdout.take());
    let output = running.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

/// All files of the tree with code or scripts in them.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the tree can be read").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let is_script = path.extension().is_none() || path.extension().is_some_and(|kind| kind == "rs");
        if path.is_dir() && !["target", "data"].iter().any(|other| name == *other) {
            sources(&path, found);
        } else if path.is_file() && is_script {
            found.push(path);
        }
    }
}

/// Every variable of ours that the tree speaks of, but for those that are misspelt on purpose.
fn variables() -> BTreeSet<String> {
    let mut files = Vec::new();
    for folder in ["ledger", "net", "node", "tools", "tests", ".ci"] {
        sources(&waxwing_system::root().join(folder), &mut files);
    }
    files.retain(|path| !path.ends_with("waxwing/src/environment.rs") && !path.ends_with("tests/cli_refusals.rs"));
    let texts = files.into_iter().filter_map(|path| fs::read_to_string(path).ok());
    let mut names = BTreeSet::new();
    for text in texts {
        names.extend(text.split("WAXWING_").skip(1).filter_map(|rest| {
            let is_of_name = |letter: char| letter.is_ascii_uppercase() || letter == '_';
            let name = rest.split(|letter| !is_of_name(letter)).next()?;
            (!name.is_empty()).then(|| format!("WAXWING_{name}"))
        }));
    }
    names
}

#[test]
fn a_variable_that_nothing_reads_is_refused_and_those_of_the_tree_are_not() {
    let names = variables();
    assert!(
        names.contains("WAXWING_CACHE") && names.contains("WAXWING_HOME"),
        "{names:?}"
    );
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let mut version = waxwing(folder.path(), &["version"]);
    version.envs(names.iter().map(|name| (name, "1")));
    let output = version.output().expect("the program starts");
    let says = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "a new one is named in tools/waxwing/src/environment.rs: {says}"
    );
    let mut misspelt = waxwing(folder.path(), &["version"]);
    let output = (misspelt.env("WAXWING_HOEM", "1").output()).expect("the program starts");
    assert_eq!(output.status.code(), Some(2));
    let says = String::from_utf8_lossy(&output.stderr);
    assert!(
        says.contains("$WAXWING_HOEM") && says.contains("did you mean WAXWING_HOME?"),
        "{says}"
    );
}

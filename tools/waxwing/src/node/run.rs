//! `waxwing node run`: starts the node, says where it is, and takes it down in order.
//!
//! The first signal drains, the second ends the program at once. Both are safe: what is final is durable before anybody
//! hears of it, so there is nothing that only a good end would save.

use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use waxwing_node::{Clock, NodeAddress, NodeHandle, StartError};

use super::{init, log, settings};
use crate::Done;
use crate::args::{RunNode, Settings};
use crate::failure::Failure;
use crate::files;
use crate::home::Home;
use crate::ids::{self, Kind};
use crate::output::Output;
use crate::signals::Signals;
use crate::words::count;

/// How long requests under way may take once the node drains.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a running node notes how it is reached, in its directory.
const NOTE: &str = "running.json";

/// The note is less than 1 kB.
const NOTE_MAX: u64 = 64 << 10;

/// What a node does with its vote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Honesty {
    /// What the rules say.
    Honest,
    /// It votes for two blocks wherever it votes: `waxwing dev liar`, and nothing else.
    VotesTwice,
}

pub(crate) fn run(options: &RunNode, honesty: Honesty, home: &Home, output: &Output) -> Done {
    let folder = init::folder(home)?;
    let config = settings::load(&options.init.settings, home)?.config;
    settings::unused(&config).iter().for_each(|line| output.note(line));
    if !folder.join("genesis").exists() {
        // Flags are for this run alone, so a directory that is made on the way gets the settings that nobody gave.
        init::make(&options.init, &Settings::default(), home)?;
        output.note(&format!("made a new node in {}", folder.display()));
    }
    if let Some(key) = init::adopt_key(home)? {
        output.note(&format!(
            "took the vote key {} into the node's directory; it votes when a committee names it",
            ids::short(Kind::Validator, key.as_bytes())
        ));
    }
    log::start(&config)?;
    let mut directory = init::open(&folder)?;
    if honesty == Honesty::VotesTwice {
        directory.vote_twice();
        output.note("this node lies: wherever it votes, it votes for two blocks");
    }
    let facts = init::facts(&directory, &config, output);
    let mut object = init::as_json(&directory, &config);
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::failed(format!("the system gives no threads: {}", files::reason(&error))))?;
    let done = runtime.block_on(async {
        let mut signals = Signals::new()?;
        // A node that joins may wait for others, and whoever waits may change their mind.
        let node = tokio::select! {
            started = waxwing_node::start(directory, &config, Clock::system()) => started.map_err(|error| refused(&error))?,
            () = signals.next() => {
                output.note("stopped before it had started; the next start begins where this one did");
                return Ok(0);
            }
        };
        let note = Note::write(folder, &node)?;
        announce(&node, facts, &mut object, home, output)?;
        serve(node, &mut signals, options.with_parent, output).await?;
        drop(note);
        Ok(0)
    });
    // Reading standard input cannot be interrupted; nothing waits for it.
    runtime.shutdown_background();
    done
}

fn refused(error: &StartError) -> Failure {
    if error.is_the_machines() {
        Failure::failed(error.to_string())
    } else {
        Failure::usage(error.to_string())
    }
}

/// How others reach this node from the same machine; what listens everywhere is reached on loopback.
pub(crate) fn address_of(node: &NodeHandle) -> NodeAddress {
    let listens = node.address();
    let host = match (listens.ip().is_unspecified(), listens.is_ipv4()) {
        (true, true) => "127.0.0.1".to_owned(),
        (true, false) => "[::1]".to_owned(),
        (false, true) => listens.ip().to_string(),
        (false, false) => format!("[{}]", listens.ip()),
    };
    NodeAddress {
        node: node.node(),
        host,
        port: listens.port(),
    }
}

fn announce(
    node: &NodeHandle,
    mut facts: Vec<(&'static str, String)>,
    object: &mut Value,
    home: &Home,
    output: &Output,
) -> Result<(), Failure> {
    let (tip, address) = (node.tip(), address_of(node));
    // Only now the ports are known that the system chose.
    facts.retain(|(name, _)| *name != "listens" && *name != "http");
    facts.push(("address", address.to_string()));
    facts.extend(
        node.http()
            .map(|http| ("http", format!("http://{http}/status, /readyz, /livez, /metrics"))),
    );
    facts.push((
        "head",
        format!(
            "block {}, {} in {}",
            tip.height,
            count(tip.entries, "entry", "entries"),
            count(tip.logs, "log", "logs")
        ),
    ));
    if let Some(fields) = object.as_object_mut() {
        fields.insert("event".to_owned(), json!("running"));
        fields.insert("address".to_owned(), json!(address.to_string()));
        fields.insert("listen".to_owned(), json!(node.address().to_string()));
        fields.insert("http".to_owned(), json!(node.http().map(|http| http.to_string())));
        fields.insert("height".to_owned(), json!(tip.height));
        fields.insert("process".to_owned(), json!(std::process::id()));
    }
    output.result("node.run", object.clone(), &output.facts("node running", &facts))?;
    output.next(&format!("waxwing chat new NAME --as YOU{}", home.as_option()))?;
    output.note("Ctrl-C stops the node");
    Ok(())
}

async fn serve(node: NodeHandle, signals: &mut Signals, with_parent: bool, output: &Output) -> Result<(), Failure> {
    let fault = tokio::select! {
        fault = node.failed() => fault,
        () = signals.next() => None,
        () = parent_gone(with_parent) => None,
    };
    if let Some(fault) = fault {
        return Err(Failure::failed(format!("{}: {fault}", fault.code())));
    }
    output.note(&format!(
        "stopping: requests under way get {} s, then what waits is ordered; once more to stop at once",
        PATIENCE.as_secs()
    ));
    let tips = node.tip();
    tokio::select! {
        () = node.shut_down(PATIENCE) => {}
        () = signals.next() => {
            output.note("stopped at once; the next start goes on from what is on disk");
            std::process::exit(130);
        }
    }
    let text = format!("stopped at block {}", tips.height);
    output.result("node.run", json!({ "event": "stopped", "height": tips.height }), &text)
}

/// Returns when standard input ends, if that matters.
async fn parent_gone(matters: bool) {
    if !matters {
        return std::future::pending().await;
    }
    let (gone, seen) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let mut rest = Vec::new();
        let _ = std::io::stdin().lock().read_to_end(&mut rest);
        let _ = gone.send(());
    });
    let _ = seen.await;
}

/// The note of how a running node is reached; gone when it has stopped in order.
struct Note(PathBuf);

impl Note {
    fn write(folder: PathBuf, node: &NodeHandle) -> Result<Self, Failure> {
        let path = folder.join(NOTE);
        let text = json!({
            "address": address_of(node).to_string(),
            "http": node.http().map(|http| http.to_string()),
            "process": std::process::id(),
        });
        std::fs::write(&path, format!("{text}\n"))
            .map_err(|error| Failure::failed(format!("cannot write {}: {}", path.display(), files::reason(&error))))?;
        Ok(Self(path))
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// How a running node is reached.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    /// By clients and nodes.
    pub(crate) address: NodeAddress,
    /// For health and figures, if it shows them.
    pub(crate) http: Option<SocketAddr>,
}

/// How the node that runs in a home is reached. After a kill the note may be old: then nobody answers.
///
/// # Errors
/// If no node has noted anything there.
pub(crate) fn running_in(home: &Home) -> Result<Running, Failure> {
    let path = init::folder(home)?.join(NOTE);
    let nobody = || {
        Failure::usage(format!(
            "no node runs in {}: start one with `waxwing node run{}`, or name one with --node KEY@HOST:PORT",
            path.parent().unwrap_or(&path).display(),
            home.as_option()
        ))
    };
    if !path.exists() {
        return Err(nobody());
    }
    let note: Value = serde_json::from_slice(&files::read(&path, "note", NOTE_MAX)?).map_err(|_| nobody())?;
    let text = |name: &str| note.get(name).and_then(Value::as_str);
    let address = text("address")
        .and_then(|address| address.parse().ok())
        .ok_or_else(nobody)?;
    let http = text("http").and_then(|http| http.parse().ok());
    Ok(Running { address, http })
}

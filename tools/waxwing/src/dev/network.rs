//! A whole network on this machine: real processes of this very program, on loopback, each with a home of its own.
//!
//! ```text
//! DIR/network/        genesis and vote key, as `waxwing network new` makes them
//! DIR/validator/      the home of the node that orders
//! DIR/follower-1/     homes of the nodes that copy and serve
//! ```
//!
//! The nodes end with this process, however it ends: each reads a pipe from it and drains when the pipe closes. They are
//! killed by their process ids, never by name.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::failure::Failure;
use crate::files;
use crate::home::{GENESIS_FILE, VOTE_KEY_FILE};

/// How long a node may take until it listens. It bounds a failure, it paces nothing.
const START: Duration = Duration::from_secs(60);

/// How long a node may take to drain.
const END: Duration = Duration::from_secs(30);

/// A running node.
pub(super) struct Member {
    /// `validator`, `follower-1`, ...
    pub(super) name: String,
    /// Its home.
    pub(super) home: PathBuf,
    /// How clients reach it: key, host and port.
    pub(super) address: String,
    /// Its process id.
    pub(super) process: u32,
    /// Height of its newest block when it started.
    pub(super) height: u64,
    child: Child,
    /// Closing it asks the node to drain.
    pipe: Option<ChildStdin>,
    said: Lines<BufReader<ChildStdout>>,
}

/// Founds a network in a folder, unless there is one.
///
/// # Errors
/// If that fails.
pub(super) async fn found(dir: &Path, name: &str) -> Result<PathBuf, Failure> {
    let network = dir.join("network");
    if network.join(GENESIS_FILE).exists() {
        return Ok(network);
    }
    let mut command = own_program()?;
    command.args(["network", "new", name, "--quiet", "--out"]).arg(&network);
    let done = command
        .stdout(Stdio::null())
        .status()
        .await
        .map_err(|error| cannot_start(&error))?;
    if done.success() {
        Ok(network)
    } else {
        Err(Failure::failed(
            "the network could not be founded; the reason stands above",
        ))
    }
}

/// Starts a node and waits until it listens: where it listened the last time if that is free, so that clients find it
/// again. A node without upstreams gets the vote key and orders; the others follow.
///
/// # Errors
/// If it does not listen; the end of its log says why.
pub(super) async fn start(dir: &Path, name: &str, network: &Path, upstreams: &[&Member]) -> Result<Member, Failure> {
    let home = dir.join(name);
    files::create_folder(&home)?;
    let note = home.join("listens");
    let last = std::fs::read_to_string(&note).ok();
    let last = last
        .and_then(|text| text.trim().parse::<SocketAddr>().ok())
        .filter(|address| address.ip().is_loopback());
    let member = match last {
        Some(address) if is_free(address) => launch(&home, name, network, upstreams, address).await?,
        _ => launch(&home, name, network, upstreams, ANY_PORT).await?,
    };
    let listens = member.address.split_once('@').map_or("", |(_, listens)| listens);
    std::fs::write(&note, format!("{listens}\n"))
        .map_err(|error| Failure::failed(format!("cannot write {}: {}", note.display(), files::reason(&error))))?;
    Ok(member)
}

/// Loopback, and whatever port the system has to give.
const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Whether nobody listens there now.
fn is_free(address: SocketAddr) -> bool {
    std::net::UdpSocket::bind(address).is_ok()
}

/// How a node is started by hand, but for the pipe that ends it.
fn node_command(home: &Path, network: &Path, upstreams: &[&Member], listen: SocketAddr) -> Result<Command, Failure> {
    let mut command = own_program()?;
    command
        .arg("--home")
        .arg(home)
        .args(["--json", "node", "run", "--with-parent", "--http", "127.0.0.1:0"]);
    command
        .args(["--listen", &listen.to_string()])
        .arg("--genesis")
        .arg(network.join(GENESIS_FILE));
    if upstreams.is_empty() {
        command.arg("--vote-key").arg(network.join(VOTE_KEY_FILE));
    } else {
        let addresses: Vec<_> = upstreams.iter().map(|member| member.address.as_str()).collect();
        command.arg("--upstreams").arg(addresses.join(","));
    }
    Ok(command)
}

async fn launch(
    home: &Path,
    name: &str,
    network: &Path,
    upstreams: &[&Member],
    listen: SocketAddr,
) -> Result<Member, Failure> {
    let log_path = home.join("log");
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log_path)
        .map_err(|error| {
            Failure::failed(format!(
                "cannot write {}: {}",
                log_path.display(),
                files::reason(&error)
            ))
        })?;
    let mut command = node_command(home, network, upstreams, listen)?;
    let spawned = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true)
        .spawn();
    let mut child = spawned.map_err(|error| cannot_start(&error))?;
    let said = child.stdout.take().expect("standard output was asked for as a pipe");
    let mut said = BufReader::new(said).lines();
    let running = match timeout(START, said.next_line()).await {
        Ok(Ok(Some(line))) => serde_json::from_str::<Value>(&line).ok(),
        _ => None,
    };
    let field = |name: &str| running.as_ref()?.get(name)?.as_str().map(str::to_owned);
    let (Some(address), Some(process)) = (field("address"), child.id()) else {
        return Err(Failure::failed(format!(
            "{name} does not start: {}",
            last_line(&log_path)
        )));
    };
    let height = running
        .as_ref()
        .and_then(|running| running.get("height")?.as_u64())
        .unwrap_or(0);
    let pipe = child.stdin.take();
    Ok(Member {
        name: name.to_owned(),
        home: home.to_owned(),
        address,
        process,
        height,
        child,
        pipe,
        said,
    })
}

impl Member {
    /// Where its data directory is.
    pub(super) fn data(&self) -> PathBuf {
        self.home.join("node")
    }

    /// Kills it, as a power failure would: no chance to save anything.
    ///
    /// # Errors
    /// If the system does not let us.
    pub(super) async fn kill(&mut self) -> Result<(), Failure> {
        let killed = self.child.kill().await;
        killed.map_err(|error| Failure::failed(format!("{} cannot be killed: {}", self.name, files::reason(&error))))
    }

    /// Asks it to drain, and waits until it is gone.
    ///
    /// # Errors
    /// If it ends with a fault.
    pub(super) async fn stop(mut self) -> Result<(), Failure> {
        drop(self.pipe.take());
        let ended = timeout(END, async {
            // What it still says must be read, or it could wait for us.
            while let Ok(Some(_)) = self.said.next_line().await {}
            self.child.wait().await
        });
        match ended.await {
            Ok(Ok(status)) if status.success() => Ok(()),
            _ => Err(Failure::failed(format!(
                "{} did not end in order: {}",
                self.name,
                last_line(&self.home.join("log"))
            ))),
        }
    }

    /// Returns when the process ends by itself, with the last thing it said.
    pub(super) async fn ended(&mut self) -> String {
        while let Ok(Some(_)) = self.said.next_line().await {}
        let _ = self.child.wait().await;
        last_line(&self.home.join("log"))
    }
}

/// This very program, free of variables that are meant for one node.
fn own_program() -> Result<Command, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::failed(format!("this program does not find itself: {}", files::reason(&error))))?;
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("WAXWING_") {
            command.env_remove(name);
        }
    }
    // Of its own group: an interrupt from the terminal reaches this process alone, which then stops them in order.
    command.process_group(0);
    Ok(command)
}

fn cannot_start(error: &std::io::Error) -> Failure {
    Failure::failed(format!("this program cannot start itself: {}", files::reason(error)))
}

fn last_line(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let last = text
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or("it said nothing");
    format!("{last} (log: {})", log.display())
}

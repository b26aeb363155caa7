//! A whole network on this machine: real processes of this very program, on loopback, each with a home of its own.
//!
//! ```text
//! DIR/network/        genesis; with one validator also its vote key, as `waxwing network new` makes them
//! DIR/validator/      the home of the node that orders; with several of them validator-1/, validator-2/, ..., each with
//!                     the vote key that it made itself
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
use crate::network::read_genesis;

/// How long a node may take until it listens. It bounds a failure, it paces nothing.
const START: Duration = Duration::from_secs(60);

/// How long a node may take to drain.
const END: Duration = Duration::from_secs(30);

/// A running node.
pub(super) struct Member {
    /// `validator` or `validator-1`, `follower-1`, ...
    pub(super) name: String,
    /// Its home.
    pub(super) home: PathBuf,
    /// How clients reach it: key, host and port.
    pub(super) address: String,
    /// Where it shows its pages.
    pub(super) http: Option<SocketAddr>,
    /// Its process id.
    pub(super) process: u32,
    /// Height of its newest block when it started.
    pub(super) height: u64,
    child: Child,
    /// Closing it asks the node to drain.
    pipe: Option<ChildStdin>,
    said: Lines<BufReader<ChildStdout>>,
}

/// What a node does in its network.
#[derive(Clone, Copy)]
pub(super) enum Part<'a> {
    /// It orders, with these others; each of two validators has to know the other, or be known by it.
    Validator(&'a [&'a Member]),
    /// As a validator, but that it votes for two blocks wherever it votes.
    Liar(&'a [&'a Member]),
    /// It copies and serves.
    Follower(&'a [&'a Member]),
}

/// Names of the validators' homes.
pub(super) fn validator_names(count: u16) -> Vec<String> {
    match count {
        1 => vec!["validator".to_owned()],
        count => (1..=count).map(|number| format!("validator-{number}")).collect(),
    }
}

/// Founds a network of so many validators in a folder, unless there is one. Several validators found it as several operators
/// would: each makes its key in its own home, and one genesis names them all.
///
/// # Errors
/// If that fails, or there is one of another size.
pub(super) async fn found(dir: &Path, name: &str, validators: u16) -> Result<PathBuf, Failure> {
    let network = dir.join("network");
    if network.join(GENESIS_FILE).exists() {
        return match read_genesis(&network)?.validators.len() {
            found if found == usize::from(validators) => Ok(network),
            found => Err(Failure::usage(format!(
                "{} holds a network of {found} validators, not of {validators}: choose another folder, or --validators {found}",
                dir.display()
            ))),
        };
    }
    let mut founding = own_program()?;
    founding
        .args(["network", "new", name, "--quiet", "--out"])
        .arg(&network);
    if validators > 1 {
        founding.args(["--validators", &validators.to_string()]);
        for name in validator_names(validators) {
            let home = dir.join(name);
            let mut making = own_program()?;
            making.args(["network", "key", "--quiet", "--out"]).arg(&home);
            run(making).await?;
            founding.arg("--key").arg(home.join("vote.pub"));
        }
    }
    run(founding).await?;
    Ok(network)
}

async fn run(mut command: Command) -> Result<(), Failure> {
    let done = command.stdout(Stdio::null()).status().await;
    if done.map_err(|error| cannot_start(&error))?.success() {
        Ok(())
    } else {
        Err(Failure::failed(
            "the network could not be founded; the reason stands above",
        ))
    }
}

/// Starts all validators of a network, each knowing those before it.
///
/// # Errors
/// As [`start`].
pub(super) async fn start_validators(dir: &Path, network: &Path, count: u16) -> Result<Vec<Member>, Failure> {
    let mut members: Vec<Member> = Vec::new();
    for name in validator_names(count) {
        let others: Vec<&Member> = members.iter().collect();
        let member = start(dir, &name, network, Part::Validator(&others)).await?;
        members.push(member);
    }
    Ok(members)
}

/// Starts a node and waits until it listens: where it listened the last time if that is free, so that clients find it
/// again.
///
/// # Errors
/// If it does not listen; the end of its log says why.
pub(super) async fn start(dir: &Path, name: &str, network: &Path, part: Part<'_>) -> Result<Member, Failure> {
    let home = dir.join(name);
    files::create_folder(&home)?;
    let note = home.join("listens");
    let last = std::fs::read_to_string(&note).ok();
    let last = last
        .and_then(|text| text.trim().parse::<SocketAddr>().ok())
        .filter(|address| address.ip().is_loopback());
    let listen = last.filter(|address| is_free(*address)).unwrap_or(ANY_PORT);
    let member = launch(&home, name, node_command(&home, network, part, listen)?).await?;
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
fn node_command(home: &Path, network: &Path, part: Part<'_>, listen: SocketAddr) -> Result<Command, Failure> {
    let mut command = own_program()?;
    command
        .arg("--home")
        .arg(home)
        .arg("--json")
        .args(match part {
            Part::Liar(_) => ["dev", "liar"],
            Part::Validator(_) | Part::Follower(_) => ["node", "run"],
        })
        .args(["--with-parent", "--http", "127.0.0.1:0"]);
    command
        .args(["--listen", &listen.to_string()])
        .arg("--genesis")
        .arg(network.join(GENESIS_FILE));
    let (option, others) = match part {
        Part::Validator(others) | Part::Liar(others) => ("--validators", others),
        Part::Follower(upstreams) => ("--upstreams", upstreams),
    };
    // A validator that is alone gets its key from where the network was founded; others made theirs in their homes.
    let key = network.join(VOTE_KEY_FILE);
    if matches!(part, Part::Validator(_)) && key.exists() {
        command.arg("--vote-key").arg(key);
    }
    if !others.is_empty() {
        let addresses: Vec<_> = others.iter().map(|member| member.address.as_str()).collect();
        command.arg(option).arg(addresses.join(","));
    }
    Ok(command)
}

async fn launch(home: &Path, name: &str, mut command: Command) -> Result<Member, Failure> {
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
    let http = field("http").and_then(|http| http.parse().ok());
    Ok(Member {
        name: name.to_owned(),
        home: home.to_owned(),
        address,
        http,
        process,
        height,
        child,
        pipe,
        said,
    })
}

impl Member {
    /// Where it listens, without its key.
    pub(super) fn place(&self) -> &str {
        let place = self.address.split_once('@').map(|(_, place)| place);
        place.unwrap_or(&self.address)
    }

    /// What it shows of itself on this machine; `None` while it does not answer.
    pub(super) fn status(&self) -> Option<Value> {
        let page = crate::node::pages::fetch(self.http?, "/status")?;
        serde_json::from_str(&page.text).ok()
    }

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

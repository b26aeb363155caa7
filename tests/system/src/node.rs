//! A full node in a process of its own: found its network, start it, look at its pages, kill it, start it again.
//!
//! A node has a [`Port`] of its own from the beginning to the end, as an operator's would: clients that knew it find it
//! again, and nobody else listens there while it is dead.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use waxwing_core::codec::Decode;
use waxwing_core::genesis::Genesis;
use waxwing_core::keys::NodeId;
use waxwing_node::NodeAddress;

use crate::command::{done, json, number, text, waxwing};
use crate::hosts::Hosts;
use crate::port::Port;
use crate::process::Running;
use crate::until::until;

/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A network that was founded on this machine.
#[derive(Clone, Debug)]
pub struct Network {
    folder: PathBuf,
}

impl Network {
    /// Founds one in a folder.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn found(folder: &Path, name: &str) -> Self {
        Self::found_with(folder, name, &[])
    }

    /// Founds one whose stamps cost next to nothing, for whoever makes thousands of them without optimisation.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn found_cheap(folder: &Path, name: &str) -> Self {
        Self::found_with(folder, name, &["--stamp-bits", "2", "--new-log-bits", "0"])
    }

    fn found_with(folder: &Path, name: &str, options: &[&str]) -> Self {
        let folder = folder.to_owned();
        done(waxwing(&folder).args(["network", "new", name]).args(options));
        Self { folder }
    }

    /// Founds one of several validators, as their operators would: everybody makes a key, somebody puts the public lines
    /// together. Stamps cost next to nothing. The vote keys stay in `homes`.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn found_together(folder: &Path, name: &str, homes: &[PathBuf]) -> Self {
        let mut command = waxwing(folder);
        command.args(["network", "new", name, "--stamp-bits", "2", "--new-log-bits", "0"]);
        command.args(["--validators", &homes.len().to_string()]);
        for home in homes {
            done(waxwing(home).args(["network", "key"]));
            command.arg("--key").arg(home.join("vote.pub"));
        }
        done(&mut command);
        Self {
            folder: folder.to_owned(),
        }
    }

    /// The file with its founding facts.
    #[must_use]
    pub fn genesis_file(&self) -> PathBuf {
        self.folder.join("genesis.wxg")
    }

    /// The file with its only vote key.
    #[must_use]
    pub fn vote_key_file(&self) -> PathBuf {
        self.folder.join("vote.key")
    }

    /// Its founding facts.
    ///
    /// # Panics
    /// If the file is gone or was changed.
    #[must_use]
    pub fn genesis(&self) -> Genesis {
        let bytes = std::fs::read(self.genesis_file()).expect("the network was founded");
        Genesis::from_bytes(&bytes).expect("the network was founded")
    }

    /// Writes a policy that pins the genesis, and a block if there is one.
    ///
    /// # Panics
    /// If that fails.
    pub fn policy(&self, file: &Path, head: Option<&str>) {
        let mut command = waxwing(&self.folder);
        command.args(["audit", "policy", "new"]).arg(self.genesis_file());
        command.arg("--out").arg(file);
        if let Some(head) = head {
            command.args(["--head", head]);
        }
        done(&mut command);
    }
}

/// A full node.
#[derive(Debug)]
pub struct Node {
    home: PathBuf,
    settings: Vec<String>,
    running: Option<Running>,
    port: Arc<Port>,
    /// Known from the first start on.
    place: Option<Place>,
    /// A host of its own, if it has one.
    host: Option<u8>,
}

#[derive(Clone, Debug)]
struct Place {
    address: NodeAddress,
    listen: String,
    http: String,
}

impl Node {
    /// Makes the validator of a network, in a new home.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn validator(home: &Path, network: &Network) -> Self {
        let mut command = waxwing(home);
        command
            .args(["node", "init", "--vote-key"])
            .arg(network.vote_key_file());
        Self::init(home, command, network)
    }

    /// Makes a validator of a network that was founded together, in the home that holds its vote key; returns its node's
    /// key as well, which the others have to know.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn member(home: &Path, network: &Network) -> (Self, String) {
        let mut command = waxwing(home);
        let made = json(command.args(["node", "init", "--genesis"]).arg(network.genesis_file()));
        (Self::in_home(home), text(&made, "/node").to_owned())
    }

    /// Makes a follower of other nodes, in a new home.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn follower(home: &Path, network: &Network, upstreams: &[&str]) -> Self {
        let mut command = waxwing(home);
        command.args(["node", "init", "--upstreams", &upstreams.join(",")]);
        Self::init(home, command, network)
    }

    fn init(home: &Path, mut command: Command, network: &Network) -> Self {
        done(command.arg("--genesis").arg(network.genesis_file()));
        Self::in_home(home)
    }

    /// The node of a home: made before, or at its first start.
    #[must_use]
    pub fn in_home(home: &Path) -> Self {
        Self {
            home: home.to_owned(),
            settings: Vec::new(),
            running: None,
            port: Arc::new(Port::take()),
            place: None,
            host: None,
        }
    }

    /// Runs it where another one was, which has stopped: nobody can tell them apart by the address.
    #[must_use]
    pub fn in_place_of(mut self, other: &Self) -> Self {
        self.port = Arc::clone(&other.port);
        self
    }

    /// Runs it on one of [`Hosts`], from its next start on.
    #[must_use]
    pub const fn on_host(mut self, host: u8) -> Self {
        self.host = Some(host);
        self
    }

    /// Runs it with a setting, as `("block-pause-ms", "5")`, from its next start on.
    #[must_use]
    pub fn with(mut self, setting: &str, value: &str) -> Self {
        self.settings.extend([format!("--{setting}"), value.to_owned()]);
        self
    }

    /// What starts it.
    #[must_use]
    pub fn command(&self) -> Command {
        let own = self.port.address();
        let listen = self.host.map_or(own, Hosts::listens).to_string();
        let mut command = waxwing(&self.home);
        command.args(["node", "run", "--json", "--listen", &listen, "--http", &own.to_string()]);
        command.args(&self.settings);
        match self.host {
            Some(host) => through(&["ip", "netns", "exec", &Hosts::name(host)], &command),
            None => command,
        }
    }

    /// Starts it, and returns when it serves.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(&mut self) {
        let command = self.command();
        self.start_as(command);
    }

    /// Starts it by a changed form of [`Node::command`].
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_as(&mut self, mut command: Command) {
        let mut running = Running::start(&mut command);
        let line = running.line_with("\"event\":\"running\"");
        let said: Value = serde_json::from_str(&line).expect("with --json a node prints objects");
        self.place = Some(Place {
            address: text(&said, "/address").parse().expect("a node prints its address"),
            listen: text(&said, "/listen").to_owned(),
            http: text(&said, "/http").to_owned(),
        });
        self.running = Some(running);
    }

    fn place(&self) -> &Place {
        self.place.as_ref().expect("the node was started before")
    }

    /// How clients name it.
    #[must_use]
    pub fn address(&self) -> String {
        self.place().address.to_string()
    }

    /// Its key.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.place().address.node
    }

    /// Where it listens for clients.
    ///
    /// # Panics
    /// If it was never started.
    #[must_use]
    pub fn listens(&self) -> SocketAddr {
        self.place().listen.parse().expect("a node prints where it listens")
    }

    /// Its home.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Its data directory.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.home.join("node")
    }

    /// The process.
    ///
    /// # Panics
    /// If it does not run.
    pub fn process(&mut self) -> &mut Running {
        self.running.as_mut().expect("the node runs")
    }

    /// The process, if it runs.
    pub const fn running(&mut self) -> Option<&mut Running> {
        self.running.as_mut()
    }

    /// One of its pages; `None` while it does not answer.
    #[must_use]
    pub fn page(&self, path: &str) -> Option<(u16, String)> {
        match self.host {
            Some(host) => page_on(host, &self.place().http, path),
            None => page(&self.place().http, path),
        }
    }

    /// What it says of itself.
    ///
    /// # Panics
    /// If it does not answer for a minute.
    #[must_use]
    pub fn status(&self) -> Value {
        until("the node shows its status", || {
            let (code, page) = self.page("/status")?;
            (code == 200).then(|| serde_json::from_str(&page).expect("the status is JSON"))
        })
    }

    /// A figure from its metrics, by its whole name; one with a label is 0 until it was counted once.
    ///
    /// # Panics
    /// If it does not answer for a minute, or has no such figure.
    #[must_use]
    #[expect(clippy::panic, reason = "the test fails here")]
    pub fn figure(&self, name: &str) -> u64 {
        let (_, page) = until("the node shows its figures", || self.page("/metrics"));
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = match value {
            None if name.ends_with('}') => Some(0),
            value => value.and_then(|value| value.parse().ok()),
        };
        value.unwrap_or_else(|| panic!("there is no figure {name} in:\n{page}"))
    }

    /// Waits until its ledger has so many blocks, all checked.
    ///
    /// # Panics
    /// If that never comes.
    pub fn until_height(&self, height: u64) {
        until(&format!("the node has block {height}"), || {
            let status = self.status();
            (number(&status, "/height") >= height).then_some(())
        });
    }

    /// Kills it with `SIGKILL`.
    pub fn kill(&mut self) {
        self.running.take();
    }

    /// Interrupts it, waits until it has stopped in order, and returns what it printed.
    ///
    /// # Panics
    /// If it does not run, or ends with a complaint.
    pub fn stop(&mut self) -> String {
        let running = self.running.take().expect("the node runs");
        running.interrupt();
        let (status, printed) = running.end();
        assert!(status.success(), "{status}: {printed}");
        printed
    }

    /// Waits until it has ended by itself; returns its exit status and all it printed.
    ///
    /// # Panics
    /// If it does not run.
    pub fn end(&mut self) -> (ExitStatus, String) {
        self.running.take().expect("the node runs").end()
    }
}

/// The same command, started by another program that is given it as its last arguments.
#[must_use]
pub fn through(starter: &[&str], command: &Command) -> Command {
    let (program, arguments) = starter.split_first().expect("somebody has to start it");
    let mut starting = Command::new(program);
    starting
        .args(arguments)
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => starting.env(name, value),
            None => starting.env_remove(name),
        };
    }
    starting
}

/// A page that a node shows on the loopback of its own host only: somebody who is there has to look.
fn page_on(host: u8, address: &str, path: &str) -> Option<(u16, String)> {
    let script = r#"exec 3<>"/dev/tcp/${1%:*}/${1##*:}" && printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$2" "$1" >&3 && cat <&3"#;
    let look = Command::new("ip")
        .args([
            "netns",
            "exec",
            &Hosts::name(host),
            "timeout",
            "10",
            "bash",
            "-c",
            script,
            "bash",
            address,
            path,
        ])
        .output();
    look.ok()
        .and_then(|output| answer(&String::from_utf8_lossy(&output.stdout)))
}

/// A page over HTTP; `None` if nobody answers.
fn page(host: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(host).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    self::answer(&answer)
}

/// Code and page in an answer.
fn answer(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let code = head.split(' ').nth(1)?.parse().ok()?;
    Some((code, body.to_owned()))
}

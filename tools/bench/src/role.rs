//! The other process: what serves while this one measures.
//!
//! A node that shared its process with its clients would share their memory, their threads and their allocator with
//! them, and no figure about it would be true. So this program starts itself a second time in a *role*:
//!
//! ```text
//! waxwing-bench ──starts──> waxwing-bench --role ROLE ARGUMENT...
//!               <── one JSON line: where it listens ──
//!               ── closes the pipe ──>                              it stops and ends
//! ```
//!
//! Clients are told what to do by further lines, and answer each.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::Context as _;
use serde_json::{Value, json};
use waxwing_core::Hash;
use waxwing_core::keys::NodeId;

use crate::load::Target;
use crate::node::Neighbours;
use crate::process::Usage;
use crate::{client, node, quiet, sink, talk};

/// What the other process is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// Takes every envelope and forgets it: what QUIC alone can carry.
    Sink,
    /// A full node: the validator of a committee of one, or one of several, or a follower.
    Node,
    /// Clients of one node.
    Client,
    /// A committee without clients, in a network of its own.
    Quiet,
    /// A client that follows a conversation in which nothing is said.
    Waits,
}

impl Role {
    const ALL: [Self; 5] = [Self::Sink, Self::Node, Self::Client, Self::Quiet, Self::Waits];

    const fn name(self) -> &'static str {
        match self {
            Self::Sink => "sink",
            Self::Node => "node",
            Self::Client => "client",
            Self::Quiet => "quiet",
            Self::Waits => "waits",
        }
    }

    /// The role with this name.
    pub(crate) fn named(name: &str) -> anyhow::Result<Self> {
        let found = Self::ALL.into_iter().find(|role| role.name() == name);
        found.with_context(|| format!("there is no role '{name}'"))
    }

    /// Plays the role until the pipe to it is closed.
    pub(crate) fn play(self, directory: &Path, neighbours: &Neighbours) -> anyhow::Result<()> {
        match self {
            Self::Sink => sink::run(),
            Self::Node => node::run(directory, neighbours),
            Self::Client => client::run(),
            Self::Quiet => quiet::run(directory),
            Self::Waits => talk::wait(directory),
        }
    }
}

/// Says where the role listens, to who started it.
pub(crate) fn ready(target: Target) -> anyhow::Result<()> {
    answer(&json!({ "address": target.address.to_string(), "node": target.node.to_string() }))
}

/// Waits until who started the role is done with it, or gone.
pub(crate) async fn stopped() -> anyhow::Result<()> {
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

/// Says a line to who started the role.
pub(crate) fn answer(line: &Value) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

/// The other process, seen from this one. Dropped without [`Process::stop`] it is killed.
pub(crate) struct Process {
    child: Child,
    pipe: Option<ChildStdin>,
    out: BufReader<ChildStdout>,
}

impl Process {
    /// Starts this program in a role.
    pub(crate) fn start(role: Role, arguments: &[String]) -> anyhow::Result<Self> {
        Self::run(Command::new(std::env::current_exe()?), role, arguments)
    }

    /// The same, through a command that runs the one behind it.
    pub(crate) fn run(mut command: Command, role: Role, arguments: &[String]) -> anyhow::Result<Self> {
        let mut child = command
            .args(["--role", role.name()])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().context("its output was asked for as a pipe")?;
        Ok(Self {
            pipe: child.stdin.take(),
            child,
            out: BufReader::new(out),
        })
    }

    /// Tells it something.
    pub(crate) fn tell(&mut self, line: &Value) -> anyhow::Result<()> {
        let pipe = self.pipe.as_mut().context("its pipe is closed")?;
        writeln!(pipe, "{line}")?;
        pipe.flush()?;
        Ok(())
    }

    /// Waits for the next line that it says.
    pub(crate) fn hear(&mut self) -> anyhow::Result<Value> {
        let mut line = String::new();
        self.out.read_line(&mut line)?;
        serde_json::from_str(&line).context("the other process ended; the reason stands above")
    }

    /// What it uses of the machine now.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.child.id())
    }

    /// Ends it in good order.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        drop(self.pipe.take());
        let status = self.child.wait()?;
        anyhow::ensure!(status.success(), "the other process ended with {status}");
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Another process that serves.
pub(crate) struct Other {
    process: Process,
    /// Where it listens.
    pub(crate) target: Target,
}

impl Other {
    /// Starts it and waits until it listens.
    pub(crate) fn start(role: Role, directory: &Path) -> anyhow::Result<Self> {
        Self::start_among(role, directory, &[])
    }

    /// The same for a node that knows others: `(option, address)` each.
    pub(crate) fn start_among(role: Role, directory: &Path, others: &[(&str, String)]) -> anyhow::Result<Self> {
        let mut arguments = vec!["--dir".to_owned(), directory.display().to_string()];
        for (option, address) in others {
            arguments.extend([(*option).to_owned(), address.clone()]);
        }
        let mut process = Process::start(role, &arguments)?;
        let target = process.hear().ok().as_ref().and_then(read_ready);
        Ok(Self {
            process,
            target: target.with_context(|| format!("the {} did not start", role.name()))?,
        })
    }

    /// What it uses of the machine now.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        self.process.usage()
    }

    /// Ends it in good order.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.process.stop()
    }
}

/// Reads where something listens.
pub(crate) fn read_ready(line: &Value) -> Option<Target> {
    let text = |key| line.get(key).and_then(Value::as_str);
    Some(Target {
        address: text("address")?.parse::<SocketAddr>().ok()?,
        node: NodeId(read_hash(text("node")?)?.0),
    })
}

fn read_hash(text: &str) -> Option<Hash> {
    let digits: Option<Vec<u8>> = (0..text.len())
        .step_by(2)
        .map(|start| u8::from_str_radix(text.get(start..start + 2)?, 16).ok())
        .collect();
    digits?.try_into().ok().map(Hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_says_where_the_role_listens() {
        let node = NodeId([0xa7; 32]);
        let target = read_ready(&json!({ "address": "127.0.0.1:4040", "node": node.to_string() })).unwrap();
        assert_eq!((target.address.port(), target.node), (4040, node));
        assert!(read_ready(&json!({})).is_none());
        assert!(read_ready(&json!({ "address": "127.0.0.1:1", "node": "a7" })).is_none());
    }

    #[test]
    fn roles_are_found_by_their_names() {
        for role in Role::ALL {
            assert_eq!(Role::named(role.name()).unwrap(), role);
        }
        assert!(Role::named("king").is_err());
    }
}

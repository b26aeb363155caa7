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

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::Context as _;
use serde_json::{Value, json};
use waxwing_core::Hash;
use waxwing_core::keys::NodeId;

use crate::load::Target;
use crate::process::Usage;
use crate::{node, sink};

/// What the other process is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// Takes every envelope and forgets it: what QUIC alone can carry.
    Sink,
    /// A full node, the validator of a committee of one.
    Node,
}

impl Role {
    const ALL: [Self; 2] = [Self::Sink, Self::Node];

    const fn name(self) -> &'static str {
        match self {
            Self::Sink => "sink",
            Self::Node => "node",
        }
    }

    /// The role with this name.
    pub(crate) fn named(name: &str) -> anyhow::Result<Self> {
        let found = Self::ALL.into_iter().find(|role| role.name() == name);
        found.with_context(|| format!("there is no role '{name}'"))
    }

    /// Plays the role until the pipe to it is closed.
    pub(crate) fn play(self, directory: &Path) -> anyhow::Result<()> {
        match self {
            Self::Sink => sink::run(),
            Self::Node => node::run(directory),
        }
    }
}

/// Says where the role listens, to who started it.
pub(crate) fn ready(target: Target) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let line = json!({ "address": target.address.to_string(), "node": target.node.to_string() });
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

/// Waits until who started the role is done with it, or gone.
pub(crate) async fn stopped() -> anyhow::Result<()> {
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

/// The other process, seen from this one. Dropped without [`Other::stop`] it is killed.
pub(crate) struct Other {
    child: Child,
    pipe: Option<ChildStdin>,
    /// Where it listens.
    pub(crate) target: Target,
}

impl Other {
    /// Starts it and waits until it listens.
    pub(crate) fn start(role: Role, directory: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--role", role.name(), "--dir"])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().context("its output was asked for as a pipe")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let target = read_ready(&line).with_context(|| format!("the {} did not start", role.name()))?;
        Ok(Self {
            pipe: child.stdin.take(),
            child,
            target,
        })
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

impl Drop for Other {
    fn drop(&mut self) {
        // Both fail only if it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_ready(line: &str) -> Option<Target> {
    let line: Value = serde_json::from_str(line).ok()?;
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
        let line = format!(r#"{{"address":"127.0.0.1:4040","node":"{node}"}}"#);
        let target = read_ready(&line).unwrap();
        assert_eq!((target.address.port(), target.node), (4040, node));
        assert!(read_ready("").is_none() && read_ready(r#"{"address":"127.0.0.1:1","node":"a7"}"#).is_none());
    }

    #[test]
    fn roles_are_found_by_their_names() {
        for role in Role::ALL {
            assert_eq!(Role::named(role.name()).unwrap(), role);
        }
        assert!(Role::named("king").is_err());
    }
}

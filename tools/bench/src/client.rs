//! Clients in a process of their own, so that what several nodes order comes from several senders, and none of their work is
//! counted as a node's.
//!
//! ```text
//! task ──> signs everything in advance, connects ──> ready
//! open ──> the first entry of every log           ──> how many were taken
//! send ──> more, as fast as the node takes them
//! stop ──>                                            how many were taken in all, and what it cost
//! ```

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::genesis::Genesis;

use crate::envelopes::Writers;
use crate::load::{Clients, Queue, Target};
use crate::process::Usage;
use crate::role::{Process, Role, answer, read_ready};

/// What one process of clients is to do.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) genesis: Genesis,
    /// The node that it brings its envelopes to.
    pub(crate) target: Target,
    /// Its number among the processes.
    pub(crate) share: u32,
    /// Its own logs.
    pub(crate) logs: u64,
    /// Envelopes beyond those that open the logs.
    pub(crate) count: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// Envelopes that the node took.
    pub(crate) taken: u64,
    /// Whether there was nothing left to send.
    pub(crate) is_used_up: bool,
    /// Processor time while it sent.
    pub(crate) processor: Duration,
}

impl Task {
    fn to_line(&self) -> Value {
        json!({
            "genesis": self.genesis.to_bytes(),
            "address": self.target.address.to_string(),
            "node": self.target.node.to_string(),
            "share": self.share,
            "logs": self.logs,
            "count": self.count,
        })
    }

    fn read(line: &Value) -> Option<Self> {
        let number = |key| line.get(key).and_then(Value::as_u64);
        let bytes = line.get("genesis")?.as_array()?.iter();
        let bytes: Option<Vec<u8>> = bytes.map(|byte| byte.as_u64()?.try_into().ok()).collect();
        Some(Self {
            genesis: Genesis::from_bytes(&bytes?).ok()?,
            target: read_ready(line)?,
            share: number("share")?.try_into().ok()?,
            logs: number("logs")?,
            count: number("count")?,
        })
    }
}

/// The process, seen from the one that measures.
pub(crate) struct Sender(Process);

impl Sender {
    /// Starts several processes; returns when all are ready to send.
    pub(crate) fn start(tasks: &[Task]) -> anyhow::Result<Vec<Self>> {
        let mut senders = Vec::new();
        for task in tasks {
            let mut process = Process::start(Role::Client, &[])?;
            process.tell(&task.to_line())?;
            senders.push(Self(process));
        }
        for Self(process) in &mut senders {
            process.hear()?;
        }
        Ok(senders)
    }

    /// Has all of them write the first entry of every log; how many that were.
    pub(crate) fn open(senders: &mut [Self]) -> anyhow::Result<u64> {
        for Self(process) in &mut *senders {
            process.tell(&json!("open"))?;
        }
        let taken = senders.iter_mut().map(|Self(process)| count(&process.hear()?, "taken"));
        taken.sum()
    }

    /// Has all of them send from now on.
    pub(crate) fn send(senders: &mut [Self]) -> anyhow::Result<()> {
        senders
            .iter_mut()
            .try_for_each(|Self(process)| process.tell(&json!("send")))
    }

    /// Ends the sending of all; what they sent together, and with an end in good order.
    pub(crate) fn stop(mut senders: Vec<Self>) -> anyhow::Result<Sent> {
        for Self(process) in &mut senders {
            process.tell(&json!("stop"))?;
        }
        let mut all = Sent {
            taken: 0,
            is_used_up: false,
            processor: Duration::ZERO,
        };
        for Self(mut process) in senders {
            let line = process.hear()?;
            all.taken += count(&line, "taken")?;
            all.is_used_up |= line.get("used_up") == Some(&Value::Bool(true));
            all.processor += Duration::from_micros(count(&line, "processor_us")?);
            process.stop()?;
        }
        Ok(all)
    }
}

fn count(line: &Value, key: &str) -> anyhow::Result<u64> {
    let count = line.get(key).and_then(Value::as_u64);
    count.with_context(|| format!("the clients do not tell {key}"))
}

/// Does what it is told until the pipe is closed.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut lines = std::io::stdin().lines();
    let task = lines.next().context("there is no task")??;
    let task = Task::read(&serde_json::from_str(&task)?).context("the task makes no sense")?;
    let writers = Writers::share(&task.genesis, task.share, task.logs)?;
    let (opening, more) = (Queue::new(writers.open_logs()?), Queue::new(writers.write(task.count)?));
    drop(writers);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let clients = Arc::new(runtime.block_on(Clients::connect(task.target))?);
    answer(&json!("ready"))?;
    let (mut sending, mut before) = (None, Usage::of(std::process::id())?);
    for line in lines {
        match line?.as_str() {
            r#""open""# => {
                runtime.block_on(clients.send_all(&opening))?;
                answer(&json!({ "taken": opening.taken() }))?;
            }
            r#""send""# => {
                before = Usage::of(std::process::id())?;
                let (clients, queue) = (Arc::clone(&clients), more.clone());
                sending = Some(runtime.spawn(async move { clients.send_all(&queue).await }));
            }
            r#""stop""# => {
                let is_used_up = more.is_used_up();
                more.close();
                if let Some(sending) = sending.take() {
                    runtime.block_on(sending)??;
                }
                let processor = Usage::of(std::process::id())?.processor_since(&before);
                answer(&json!({
                    "taken": opening.taken() + more.taken(),
                    "used_up": is_used_up,
                    "processor_us": u64::try_from(processor.as_micros())?,
                }))?;
            }
            other => anyhow::bail!("{other} is nothing that clients do"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_core::genesis::Parameters;
    use waxwing_core::keys::{NodeId, VoteKey};

    #[test]
    fn a_task_is_read_as_it_was_told() {
        let validator = VoteKey::from_seed(&[1; 32]).public();
        let task = Task {
            genesis: Genesis::new("test", 1_000, Parameters::DEFAULT, vec![validator]).unwrap(),
            target: Target {
                address: ([127, 0, 0, 1], 7).into(),
                node: NodeId([0x5a; 32]),
            },
            share: 3,
            logs: 4,
            count: 5,
        };
        let line = serde_json::from_str(&task.to_line().to_string()).unwrap();
        let read = Task::read(&line).unwrap();
        assert_eq!((read.genesis, read.share), (task.genesis, 3));
        assert_eq!((read.target.node, read.logs, read.count), (task.target.node, 4, 5));
        assert!(Task::read(&json!({ "share": 1 })).is_none());
    }
}

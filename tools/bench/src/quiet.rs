//! What a committee costs while nothing happens: processor time of all four, and every byte between them.
//!
//! Bytes are those that the kernel counts on the loopback of a network that nobody else is in, headers included. Where no
//! such network may be made, there is no figure about bytes.

use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::committee::{Committee, VALIDATORS};
use crate::envelopes::Writers;
use crate::figure::{Bench, say};
use crate::load::{Clients, Queue};
use crate::number::real;
use crate::role::{Process, Role, answer};

/// Gives the program behind it a network of its own that has a loopback and nothing else.
const ALONE: [&str; 5] = ["--net", "--", "sh", "-c", r#"ip link set lo up && exec "$0" "$@""#];

/// Measures a committee at rest.
pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let times = json!({ "settle_ms": bench.sized(10_000, 500), "ms": bench.sized(60_000, 1_000) });
    let is_alone = Command::new("unshare").args(ALONE).arg("true").output();
    let is_alone = is_alone.is_ok_and(|outcome| outcome.status.success());
    let program = std::env::current_exe()?;
    let command = if is_alone {
        let mut command = Command::new("unshare");
        command.args(ALONE).arg(program);
        command
    } else {
        say("  no network of its own can be made here, so bytes are not counted");
        Command::new(program)
    };
    let arguments = ["--dir".to_owned(), bench.dir().display().to_string()];
    let mut process = Process::run(command, Role::Quiet, &arguments)?;
    process.tell(&times)?;
    let measured = process.hear()?;
    process.stop()?;
    let number = |key| {
        measured
            .get(key)
            .and_then(Value::as_f64)
            .with_context(|| format!("{key} was not measured"))
    };
    bench.line("committee-idle.processor", number("processor")?, "% of a core", None)?;
    bench.line("committee-idle.memory", number("memory")?, "MB", None)?;
    if is_alone {
        bench.line("committee-idle.wire", number("wire")?, "B/s", None)?;
    }
    Ok(())
}

/// Runs a committee that has ordered something, and measures it.
pub(crate) fn run(directory: &Path) -> anyhow::Result<()> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let times: Value = serde_json::from_str(&line)?;
    let time = |key| times.get(key).and_then(Value::as_u64).map(Duration::from_millis);
    let (settle, window) = (time("settle_ms").context("no time")?, time("ms").context("no time")?);
    let committee = Committee::start(directory)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // Rest is only worth something if it is not that of somebody who is dead.
    runtime.block_on(order_one(&committee))?;
    sleep(settle);
    let (before, sent) = (committee.usages()?, bytes_sent()?);
    sleep(window);
    let (after, sent) = (committee.usages()?, bytes_sent()? - sent);
    let used: Duration = after
        .iter()
        .zip(&before)
        .map(|(after, before)| after.processor_since(before))
        .sum();
    let seconds = window.as_secs_f64();
    let memory: u64 = after.iter().map(|usage| usage.resident).sum();
    answer(&json!({
        "processor": used.as_secs_f64() / seconds * 100.0,
        "memory": real(memory) / 1e6 / f64::from(VALIDATORS),
        "wire": real(sent) / seconds,
    }))
}

/// Has the committee order an envelope, and lets go of all connections.
async fn order_one(committee: &Committee) -> anyhow::Result<()> {
    let writers = Writers::new(&committee.genesis, 1)?;
    let queue = Queue::new(writers.open_logs()?);
    let first = committee.targets().next().context("a committee has members")?;
    let clients = Clients::connect(first).await?;
    clients.send_all(&queue).await?;
    clients.leave().await;
    for mut watcher in committee.watch().await? {
        watcher.until_entries(queue.taken()).await?;
    }
    Ok(())
}

/// Bytes that have gone over this network's loopback.
fn bytes_sent() -> anyhow::Result<u64> {
    let counters = std::fs::read_to_string("/proc/self/net/dev")?;
    loopback(&counters).context("the kernel does not count the bytes of the loopback")
}

/// The bytes received, which on a loopback are those sent: the first number behind the name.
fn loopback(counters: &str) -> Option<u64> {
    let line = counters
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("lo:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopbacks_bytes_are_found() {
        let counters = "Inter-| Receive\n face |bytes packets\n  eth0: 5 1 0\n    lo: 1234 7 0 0 0 0 0 0 1234 7\n";
        assert_eq!(loopback(counters), Some(1234));
        assert_eq!(loopback("eth0: 1 2"), None);
        assert!(bytes_sent().is_ok());
    }
}

//! How many envelopes a second become final on all four validators of a committee, brought by clients to each of them.
//!
//! A machine that runs all four does everything four times, so the limit is a fourth of the signatures that it can check.

use std::time::Duration;

use crate::client::Sender;
use crate::committee::{Committee, LOGS, VALIDATORS};
use crate::figure::{Bench, say};
use crate::limit;
use crate::node::LOOK;
use crate::number::real;
use crate::proofs::BODY_BYTES;

/// Envelopes that are made in advance, for each second that is measured: more than four validators on two cores could
/// check the signatures of.
const PREPARED_PER_SECOND: u64 = 9_000;

/// Envelopes that wait in a pool when it is full, and are taken before a rate can be seen.
pub(crate) const POOL: u64 = 70_000;

/// Times that a body is written to disk: by every validator to its journal, before it votes, and with the block.
const WRITES: f64 = 2.0;

/// Measures the throughput of a committee.
pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    bench.limits.verify_all_cores()?;
    let committee = Committee::start(bench.dir())?;
    let (warm_up, window) = (Duration::from_secs(bench.sized(5, 0)), bench.window());
    let count = bench.sized(POOL + PREPARED_PER_SECOND * (warm_up + window).as_secs(), 2_000);
    say(&format!("  signing {count} envelopes in advance"));
    let among = (u32::from(VALIDATORS), usize::from(VALIDATORS));
    let mut senders = Sender::start(&committee.tasks(among, bench.sized(LOGS, 100), count))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut watchers = runtime.block_on(committee.watch())?;
    say("  sending");
    let opened = Sender::open(&mut senders)?;
    for watcher in &mut watchers {
        runtime.block_on(watcher.until_entries(opened))?;
    }
    Sender::send(&mut senders)?;
    std::thread::sleep(warm_up);
    let start = runtime.block_on(committee.read(&mut watchers))?;
    let mut end = runtime.block_on(committee.read(&mut watchers))?;
    while end.at - start.at < window {
        std::thread::sleep(LOOK.min(window));
        end = runtime.block_on(committee.read(&mut watchers))?;
    }
    let sent = Sender::stop(senders)?;
    // Nothing can be said about a rate that only the clients bounded.
    let is_early = sent.is_used_up && bench.sized(1, 0) == 1;
    anyhow::ensure!(!is_early, "the envelopes ran out while it was measured");
    if end.entries == start.entries {
        // So few envelopes that none was left when the window began.
        for watcher in &mut watchers {
            runtime.block_on(watcher.until_entries(sent.taken))?;
        }
        end = runtime.block_on(committee.read(&mut watchers))?;
    }
    say(&format!(
        "  {} entries are final; comparing and auditing them",
        sent.taken
    ));
    committee.finish(&runtime, watchers, sent.taken)?;

    let (entries, time) = (real(end.entries - start.entries), (end.at - start.at).as_secs_f64());
    let validators = f64::from(VALIDATORS);
    let verify = bench.limits.verify_all_cores()? / validators;
    bench.line("committee.rate", entries / time, "entries/s", Some(verify))?;
    let each_us = |used: Duration, of: f64| used.as_secs_f64() * 1e6 / of;
    let verify_us = bench.limits.verify_ms()? * 1e3 * validators;
    let nodes = each_us(end.processor_since(&start), entries);
    bench.line("committee.nodes_processor", nodes, "us", Some(verify_us))?;
    let clients = each_us(sent.processor, real(sent.taken));
    bench.line("committee.clients_processor", clients, "us", None)?;
    let synced = limit::disk(bench.dir(), bench.size())?.bytes_per_second / 1e6;
    let written = entries / time * f64::from(BODY_BYTES) * validators * WRITES / 1e6;
    bench.line("committee.beside_disk", written, "MB/s", Some(synced))
}

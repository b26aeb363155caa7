//! How many envelopes a second become final: clients here, the node in another process, everything checked.
//!
//! ```text
//! pre-sign ──> open all logs ──> warm up ──> 60 s: entries of the certified heads at both ends ──> drain ──> audit
//! ```
//!
//! The rate is counted in certified heads, not in answers to clients: what is not final is not counted. In the end the
//! ledger must hold exactly what was sent, and the audit of the node's directory must say VERIFIED.

use std::sync::Arc;
use std::time::{Duration, Instant};

use waxwing_node::directory::Directory;

use crate::clock::now;
use crate::envelopes::Writers;
use crate::figure::{Bench, say};
use crate::load::{Clients, Queue};
use crate::node::{self, LOOK, Watcher};
use crate::number::real;
use crate::process::Usage;
use crate::proofs::BODY_BYTES;
use crate::role::{Other, Role};
use crate::{audit, disk, limit};

/// Envelopes that are made in advance, for each second that is measured: more than any machine of two cores has taken.
/// They fill 2.5 GB of memory.
const PREPARED_PER_SECOND: u64 = 32_000;

/// How long is measured, after how long a run-up.
#[derive(Clone, Copy)]
struct Times {
    warm_up: Duration,
    window: Duration,
}

/// What came of it.
struct Outcome {
    /// Final entries per second in the window.
    rate: f64,
    /// Processor time that the node used per final entry in the window, µs.
    node_us: f64,
    /// The same for the clients, this process.
    clients_us: f64,
    /// All that were sent, and are in the ledger.
    sent: u64,
}

/// A reading at one end of the window.
struct Reading {
    at: Instant,
    entries: u64,
    node: Usage,
    clients: Usage,
}

/// Measures ingest.
pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    bench.limits.verify_all_cores()?;
    let directory = tempfile::tempdir_in(bench.dir())?;
    let path = directory.path().join("node");
    let genesis = node::found(&path)?;
    let database = Directory::open(&path)?.database();
    let times = Times {
        warm_up: Duration::from_secs(bench.sized(5, 0)),
        window: Duration::from_secs(bench.sized(60, 1)),
    };
    let whole = times.warm_up + times.window;
    let count = bench.sized(PREPARED_PER_SECOND * whole.as_secs(), 2_000);
    let writers = Writers::new(&genesis, bench.sized(10_000, 100))?;
    say(&format!("  signing {count} envelopes in advance"));
    let (opening, more) = (Queue::new(writers.open_logs()?), Queue::new(writers.write(count)?));
    let node = Other::start(Role::Node, &path)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    say("  sending");
    let outcome = runtime.block_on(async {
        let watcher = Watcher::new(node.target, &genesis).await?;
        drive(watcher, &node, opening, more, times).await
    })?;
    let memory = node.usage()?.resident_peak;
    node.stop()?;
    drop((writers, runtime));
    say(&format!("  {} entries are final; auditing them", outcome.sent));
    let audited = audit::verified(&database, &genesis)?;
    anyhow::ensure!(
        audited == outcome.sent,
        "the audit found {audited} entries, {} were sent",
        outcome.sent
    );

    let on_disk = disk::settled(&database, bench.size())?;
    let verify = bench.limits.verify_all_cores()?;
    let synced = limit::disk(bench.dir(), bench.size())?.bytes_per_second / 1e6;
    let quic = limit::quic(bench)?;
    bench.line("ingest.rate", outcome.rate, "entries/s", Some(verify))?;
    bench.line("ingest.beside_quic", outcome.rate, "entries/s", Some(quic))?;
    let bodies = outcome.rate * f64::from(BODY_BYTES) / 1e6;
    bench.line("ingest.beside_disk", bodies, "MB/s", Some(synced))?;
    let verify_us = bench.limits.verify_ms()? * 1e3;
    bench.line("ingest.node_processor", outcome.node_us, "us", Some(verify_us))?;
    bench.line("ingest.clients_processor", outcome.clients_us, "us", None)?;
    bench.line("ingest.node_memory", real(memory) / 1e6, "MB", None)?;
    let beyond = real(on_disk) / real(outcome.sent) - f64::from(BODY_BYTES);
    bench.line("ingest.disk", beyond, "B", Some(disk::SIGNED_HEADER_BYTES))
}

async fn drive(
    mut watcher: Watcher,
    node: &Other,
    opening: Queue,
    more: Queue,
    times: Times,
) -> anyhow::Result<Outcome> {
    let clients = Arc::new(Clients::connect(node.target).await?);
    clients.send_all(&opening).await?;
    watcher.until_entries(opening.taken()).await?;
    let mut start = reading(&mut watcher, node).await?;
    let (sender, queue) = (Arc::clone(&clients), more.clone());
    let sending = tokio::spawn(async move { sender.send_all(&queue).await });
    if !times.warm_up.is_zero() {
        tokio::time::sleep(times.warm_up).await;
        start = reading(&mut watcher, node).await?;
    }
    while start.at.elapsed() < times.window && !more.is_used_up() {
        tokio::time::sleep(LOOK).await;
    }
    // Where the envelopes run out early, the window ends when the last of them is final.
    let early = more.is_used_up();
    let mut end = reading(&mut watcher, node).await?;
    more.close();
    sending.await??;
    let sent = opening.taken() + more.taken();
    watcher.until_entries(sent).await?;
    if early {
        end = reading(&mut watcher, node).await?;
    }
    let total = watcher.follow.header().total_entries;
    anyhow::ensure!(total == sent, "the ledger holds {total} entries, {sent} were sent");
    let (entries, time) = (end.entries - start.entries, (end.at - start.at).as_secs_f64());
    anyhow::ensure!(entries > 0, "nothing became final while it was measured");
    say(&format!("  {entries} entries in {time:.1} s"));
    let each_us = |used: Duration| used.as_secs_f64() * 1e6 / real(entries);
    Ok(Outcome {
        rate: real(entries) / time,
        node_us: each_us(end.node.processor_since(&start.node)),
        clients_us: each_us(end.clients.processor_since(&start.clients)),
        sent,
    })
}

async fn reading(watcher: &mut Watcher, node: &Other) -> anyhow::Result<Reading> {
    let entries = watcher.head().await?.total_entries;
    Ok(Reading {
        at: now(),
        entries,
        node: node.usage()?,
        clients: Usage::of(std::process::id())?,
    })
}

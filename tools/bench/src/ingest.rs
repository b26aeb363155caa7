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

use crate::clock::now;
use crate::envelopes::Writers;
use crate::figure::{Bench, say};
use crate::limit;
use crate::load::{Clients, Queue};
use crate::node::{self, LOOK, Watcher};
use crate::number::real;
use crate::proofs::BODY_BYTES;
use crate::role::{Other, Role};

/// The share of strict verification that ingest cannot exceed even if everything else cost half of it: so many envelopes
/// are made in advance.
const SHARE_PREPARED: f64 = 0.5;

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
    /// All that were sent, and are in the ledger.
    sent: u64,
}

/// A reading at one end of the window.
struct Reading {
    at: Instant,
    entries: u64,
    processor: Duration,
}

/// Measures ingest.
pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let verify = bench.limits.verify_all_cores()?;
    let directory = tempfile::tempdir_in(bench.dir())?;
    let path = directory.path().join("node");
    let genesis = node::found(&path)?;
    let times = Times {
        warm_up: Duration::from_secs(bench.sized(5, 0)),
        window: Duration::from_secs(bench.sized(60, 1)),
    };
    let whole = times.warm_up + times.window;
    let count = most(
        verify * SHARE_PREPARED * whole.as_secs_f64(),
        bench.sized(u64::MAX, 1_000),
    );
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

    let verify = bench.limits.verify_all_cores()?;
    let disk = limit::disk(bench.dir(), bench.size())?.bytes_per_second / 1e6;
    let quic = limit::quic(bench)?;
    bench.line("ingest.rate", outcome.rate, "entries/s", Some(verify))?;
    bench.line("ingest.beside_quic", outcome.rate, "entries/s", Some(quic))?;
    let bodies = outcome.rate * f64::from(BODY_BYTES) / 1e6;
    bench.line("ingest.beside_disk", bodies, "MB/s", Some(disk))?;
    bench.line("ingest.node_processor", outcome.node_us, "us", None)?;
    bench.line("ingest.node_memory", real(memory) / 1e6, "MB", None)
}

/// A count out of a real number, within bounds.
fn most(count: f64, bound: u64) -> u64 {
    let count = Duration::try_from_secs_f64(count).unwrap_or_default().as_secs();
    count.min(bound)
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
    let (sender, queue) = (Arc::clone(&clients), more.clone());
    let sending = tokio::spawn(async move { sender.send_all(&queue).await });
    tokio::time::sleep(times.warm_up).await;
    let start = reading(&mut watcher, node).await?;
    // Runs out early only where the machine is faster than its own limit said: then the window is shorter.
    while start.at.elapsed() < times.window && !more.is_used_up() {
        tokio::time::sleep(LOOK).await;
    }
    let end = reading(&mut watcher, node).await?;
    more.close();
    sending.await??;
    let sent = opening.taken() + more.taken();
    watcher.until_entries(sent).await?;
    let total = watcher.follow.header().total_entries;
    anyhow::ensure!(total == sent, "the ledger holds {total} entries, {sent} were sent");
    let (entries, time) = (end.entries - start.entries, (end.at - start.at).as_secs_f64());
    anyhow::ensure!(entries > 0, "nothing became final while it was measured");
    say(&format!("  {entries} entries in {time:.1} s"));
    Ok(Outcome {
        rate: real(entries) / time,
        node_us: (end.processor - start.processor).as_secs_f64() * 1e6 / real(entries),
        sent,
    })
}

async fn reading(watcher: &mut Watcher, node: &Other) -> anyhow::Result<Reading> {
    let entries = watcher.head().await?.total_entries;
    Ok(Reading {
        at: now(),
        entries,
        processor: node.usage()?.processor,
    })
}

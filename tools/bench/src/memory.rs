//! What a node with a million logs holds in memory.
//!
//! Twice: when it has just started, which is the log map; and when it has served proofs of logs all over the map and
//! ordered new entries on them, so that read cache, write buffers and pool have filled as well.

use std::time::Duration;

use waxwing_core::genesis::Genesis;
use waxwing_core::keys::LogKey;
use waxwing_net::wire::{Request, Response};
use waxwing_node::directory::Directory;
use waxwing_store::fixture::writer;

use crate::chain::{Logs, spread};
use crate::envelopes::{Writers, on_all_cores};
use crate::figure::{Bench, say};
use crate::history::Shape;
use crate::load::{Clients, Queue, ask};
use crate::node::Watcher;
use crate::number::{real, real_len};
use crate::role::{Other, Role};

/// What is done to the node before it is measured again.
struct Work {
    /// Logs whose proofs and entries are asked for.
    read: Vec<LogKey>,
    /// Entries that are added to these logs.
    written: u64,
}

/// Measures a node on the history of many logs.
pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let path = bench.history(Shape::ManyLogs)?;
    let genesis = Directory::open(&path)?.genesis().clone();
    let logs = bench.sized(1_000_000, 2_000);
    let numbers = spread(&genesis.keys(), logs, bench.sized(50_000, 100));
    let read = on_all_cores(u64::try_from(numbers.len())?, |place| {
        let number = usize::try_from(place).ok().and_then(|place| numbers.get(place));
        writer(number.copied().unwrap_or_default())
    })?;
    let work = Work {
        read,
        written: bench.sized(100_000, 200),
    };
    let node = Other::start(Role::Node, &path)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let started = runtime.block_on(settled(&node, &genesis))?;
    runtime.block_on(perform(&node, &genesis, work))?;
    let after = node.usage()?;
    node.stop()?;
    let map = real_len(Logs::new(&genesis.keys(), logs, 1)?.map.memory_bytes()) / 1e6;
    bench.line("memory.started", real(started) / 1e6, "MB", Some(map))?;
    bench.line("memory.working", real(after.resident) / 1e6, "MB", Some(map))?;
    bench.line("memory.peak", real(after.resident_peak) / 1e6, "MB", Some(map))
}

/// Resident memory once the node answers and has had a moment.
async fn settled(node: &Other, genesis: &Genesis) -> anyhow::Result<u64> {
    Watcher::new(node.target, genesis).await?.head().await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(node.usage()?.resident)
}

async fn perform(node: &Other, genesis: &Genesis, work: Work) -> anyhow::Result<()> {
    let mut watcher = Watcher::new(node.target, genesis).await?;
    let before = watcher.head().await?.clone();
    say("  reading");
    for key in &work.read {
        let request = Request::Log {
            log: key.public(),
            held: before.height,
        };
        let answer = ask(&watcher.connection, &request).await?;
        anyhow::ensure!(matches!(answer, Response::Log(_)), "the node answered another question");
    }
    say("  writing");
    let queue = Queue::new(Writers::of(genesis, work.read).write(work.written)?);
    let clients = Clients::connect(node.target).await?;
    clients.send_all(&queue).await?;
    clients.leave().await;
    watcher.until_entries(before.total_entries + queue.taken()).await
}

//! How fast a node copies a ledger from another one and checks all of it: what a follower does that is new, and a validator
//! that was away.

use std::path::Path;
use std::time::Duration;

use waxwing_core::genesis::Genesis;
use waxwing_node::directory::Directory;

use crate::clock::now;
use crate::disk::SIGNED_HEADER_BYTES;
use crate::figure::Bench;
use crate::history::Shape;
use crate::node::{self, Watcher};
use crate::number::{Samples, real};
use crate::process::Usage;
use crate::proofs::BODY_BYTES;
use crate::role::{Other, Role};
use crate::{audit, limit};

/// Copies of the history; the median counts.
const TIMES: u64 = 3;

/// Between two looks at how far it is.
const GLANCE: Duration = Duration::from_millis(50);

/// A copy that takes longer is none.
const TOO_LONG: Duration = Duration::from_mins(5);

/// What one copy took.
struct Copied {
    entries_per_second: f64,
    /// Processor time for each entry, µs: of the node that copies, and of the one that it copies from.
    node_us: f64,
    source_us: f64,
}

/// Measures copying.
pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let path = bench.history(Shape::Conversations)?;
    let genesis = Directory::open(&path)?.genesis().clone();
    let source = Other::start(Role::Node, &path)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut all = Vec::new();
    for _ in 0..bench.sized(TIMES, 1) {
        let directory = tempfile::tempdir_in(bench.dir())?;
        let path = directory.path().join("node");
        node::found_on(&path, &genesis, None)?;
        let (copied, entries) = runtime.block_on(copy(&source, &path, &genesis))?;
        let database = Directory::open(&path)?.database();
        let audited = audit::verified(&database, &genesis)?;
        anyhow::ensure!(
            audited == entries,
            "the copy holds {audited} entries instead of {entries}"
        );
        all.push(copied);
    }
    source.stop()?;
    let median = |of: fn(&Copied) -> f64| Samples::new(all.iter().map(of).collect()).map(|samples| samples.median());
    let each = f64::from(BODY_BYTES) + SIGNED_HEADER_BYTES;
    let rate = median(|copied| copied.entries_per_second)?;
    let verify = bench.limits.verify_all_cores()?;
    bench.line("copying.rate", rate * each / 1e6, "MB/s", Some(verify * each / 1e6))?;
    let synced = limit::disk(bench.dir(), bench.size())?.bytes_per_second / 1e6;
    bench.line("copying.beside_disk", rate * each / 1e6, "MB/s", Some(synced))?;
    let verify_us = bench.limits.verify_ms()? * 1e3;
    bench.line(
        "copying.node_processor",
        median(|copied| copied.node_us)?,
        "us",
        Some(verify_us),
    )?;
    bench.line(
        "copying.source_processor",
        median(|copied| copied.source_us)?,
        "us",
        None,
    )
}

/// Starts a follower on an empty directory and waits until it has everything. Its start counts.
async fn copy(source: &Other, path: &Path, genesis: &Genesis) -> anyhow::Result<(Copied, u64)> {
    let wanted = Watcher::new(source.target, genesis).await?.head().await?.clone();
    let (before, start) = (source.usage()?, now());
    let node = Other::start_among(Role::Node, path, &[("--upstream", source.target.named())])?;
    let mut watcher = Watcher::new(node.target, genesis).await?;
    while watcher.head().await?.height < wanted.height {
        anyhow::ensure!(start.elapsed() < TOO_LONG, "the copy does not get to its end");
        tokio::time::sleep(GLANCE).await;
    }
    let (took, entries) = (start.elapsed().as_secs_f64(), real(wanted.total_entries));
    let (after, source_after) = (node.usage()?, source.usage()?);
    anyhow::ensure!(watcher.head().await? == &wanted, "the copy ends in another block");
    node.stop()?;
    let each_us = |used: Duration| used.as_secs_f64() * 1e6 / entries;
    let copied = Copied {
        entries_per_second: entries / took,
        node_us: each_us(after.processor_since(&Usage::NONE)),
        source_us: each_us(source_after.processor_since(&before)),
    };
    Ok((copied, wanted.total_entries))
}

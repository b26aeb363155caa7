//! What a node costs while nothing happens.

use std::thread::sleep;
use std::time::Duration;

use crate::figure::Bench;
use crate::node;
use crate::number::real;
use crate::role::{Other, Role};

/// Measures a node that was just founded and has no clients.
pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let directory = tempfile::tempdir_in(bench.dir())?;
    let path = directory.path().join("node");
    node::found(&path)?;
    let node = Other::start(Role::Node, &path)?;
    // What a start leaves to be done is not idleness.
    sleep(Duration::from_millis(bench.sized(5_000, 100)));
    let before = node.usage()?;
    let time = Duration::from_millis(bench.sized(60_000, 500));
    sleep(time);
    let after = node.usage()?;
    node.stop()?;
    let processor = after.processor_since(&before);
    bench.line("idle.memory", real(after.resident) / 1e6, "MB", None)?;
    bench.line(
        "idle.processor",
        processor.as_secs_f64() / time.as_secs_f64() * 100.0,
        "% of a core",
        None,
    )
}

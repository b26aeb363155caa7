//! Bytes that an entry takes on disk beside its body.
//!
//! What a running node would have after a while: tables as its background work leaves them, and no write-ahead log that
//! would hold the newest entries a second time. Opening the database again moves that log into tables; then the
//! background work is awaited. Nothing is compacted by hand.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use waxwing_node::directory::Directory;
use waxwing_store::{Options, Store};

use crate::figure::{Bench, Size};
use crate::history::Shape;
use crate::number::real;
use crate::proofs::BODY_BYTES;

/// Envelope header and signature: kept for ever.
pub(crate) const SIGNED_HEADER_BYTES: f64 = 224.0;

/// When the size has not changed for so long, the background work is done.
const SETTLED: Duration = Duration::from_secs(3);
const SETTLED_QUICK: Duration = Duration::from_millis(300);

/// Measures the size of the long histories.
pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    for (name, shape) in [("disk.1000_logs", Shape::LongLogs), ("disk.1M_logs", Shape::ManyLogs)] {
        let database = Directory::open(&bench.history(shape)?)?.database();
        let bytes = settled(&database, bench.size())?;
        let store = Store::open_read_only(&database, &Options::default())?;
        let entries = store.header(store.applied())?.map_or(0, |header| header.total_entries);
        anyhow::ensure!(entries > 0, "the history is empty");
        let beyond = real(bytes) / real(entries) - f64::from(BODY_BYTES);
        bench.line(name, beyond, "B", Some(SIGNED_HEADER_BYTES))?;
    }
    Ok(())
}

/// Bytes of a ledger once the write-ahead log is in tables and the background work is done.
pub(crate) fn settled(database: &Path, size: Size) -> anyhow::Result<u64> {
    let store = Store::open(database, &Options::default())?;
    let settled = match size {
        Size::Full => SETTLED,
        Size::Quick => SETTLED_QUICK,
    };
    let look = settled / 10;
    let (mut known, mut still) = (bytes_in(database)?, Duration::ZERO);
    while still < settled {
        sleep(look);
        let now = bytes_in(database)?;
        still = if now == known { still + look } else { Duration::ZERO };
        known = now;
    }
    drop(store);
    bytes_in(database)
}

/// Bytes of all files in a directory.
fn bytes_in(directory: &Path) -> anyhow::Result<u64> {
    let mut total = 0;
    for file in fs::read_dir(directory)? {
        // A table that was merged away while the list was read takes no space any more.
        if let Ok(metadata) = file?.metadata() {
            total += metadata.len();
        }
    }
    Ok(total)
}

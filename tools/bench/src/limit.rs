//! What the machine can do at most: the limits that figures are held against.
//!
//! They are measured when a figure asks, shortly before or after it, several times, and the median counts: on a shared
//! machine the second measurement of a minute is often not the first.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use waxwing_core::keys::{LogId, LogKey, Signature};

use crate::clock::{now, timed};
use crate::envelopes::{BATCH, Batch};
use crate::figure::{Bench, Size};
use crate::load::{Clients, Queue};
use crate::number::{Samples, ms, real};
use crate::process::thread_time;
use crate::role::{Other, Role};

/// Bytes that a log signs: domain, network, envelope header.
const MESSAGE_BYTES: usize = 19 + 32 + 160;

/// Keys that sign in turn: enough that none stays in a cache line for the next signature.
const SIGNERS: u8 = 255;

/// Signatures checked between two looks at the clock.
const BETWEEN_LOOKS: u32 = 64;

/// Bytes of a synced write that stands for one block with a single entry.
const SMALL_WRITE_BYTES: usize = 4 << 10;

/// Bytes of a synced write that stands for one full block.
const BLOCK_WRITE_BYTES: usize = 2 << 20;

/// The limits of this run.
#[derive(Debug)]
pub(crate) struct Limits {
    size: Size,
    signed: Vec<Signed>,
    all_cores: Vec<f64>,
}

#[derive(Debug)]
struct Signed {
    log: LogId,
    message: Vec<u8>,
    signature: Signature,
}

/// How fast a disk makes writes durable.
#[derive(Debug)]
pub(crate) struct DiskLimit {
    /// A small write and its sync, ms each.
    pub(crate) sync_ms: Samples,
    /// Writes of a block's size, each synced: bytes per second.
    pub(crate) bytes_per_second: f64,
}

impl Limits {
    pub(crate) fn new(size: Size) -> Self {
        let signed = (0..SIGNERS).map(|number| {
            let key = LogKey::from_seed(&[number; 32]);
            let message = vec![number; MESSAGE_BYTES];
            let signature = key.sign(&message);
            Signed {
                log: key.public(),
                message,
                signature,
            }
        });
        Self {
            size,
            signed: signed.collect(),
            all_cores: Vec::new(),
        }
    }

    /// Strict verifications per second on all cores: the median of all measurements in this run, three of them new.
    pub(crate) fn verify_all_cores(&mut self) -> anyhow::Result<f64> {
        let threads = std::thread::available_parallelism()?.get();
        for _ in 0..3 {
            let rate = self.verify_rate(threads)?;
            self.all_cores.push(rate);
        }
        Samples::new(self.all_cores.clone()).map(|samples| samples.median())
    }

    /// Milliseconds of processor time that one strict verification takes. Unlike a rate it stays the same while others
    /// use the machine.
    pub(crate) fn verify_ms(&self) -> anyhow::Result<f64> {
        let time = self.time();
        let costs = (0..3)
            .map(|_| {
                let (before, mut done) = (thread_time()?, 0);
                // The kernel counts in steps that may be longer than a short measurement.
                loop {
                    done += self.verify_for(time)?;
                    let took = thread_time()?.saturating_sub(before);
                    if !took.is_zero() {
                        return Ok(ms(took) / real(done));
                    }
                }
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Samples::new(costs)?.median())
    }

    const fn time(&self) -> Duration {
        match self.size {
            Size::Full => Duration::from_secs(1),
            Size::Quick => Duration::from_millis(20),
        }
    }

    fn verify_rate(&self, threads: usize) -> anyhow::Result<f64> {
        let (time, start) = (self.time(), now());
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| self.verify_for(time))).collect();
            let mut done = 0;
            for worker in workers {
                done += worker
                    .join()
                    .map_err(|_| anyhow::anyhow!("a verifying thread died"))??;
            }
            Ok(real(done) / start.elapsed().as_secs_f64())
        })
    }

    /// Verifies for so long, some at least; how many it were.
    fn verify_for(&self, time: Duration) -> anyhow::Result<u64> {
        let (start, mut done) = (now(), 0);
        let mut signed = self.signed.iter().cycle();
        loop {
            for Signed {
                log,
                message,
                signature,
            } in signed.by_ref().take(usize::try_from(BETWEEN_LOOKS)?)
            {
                log.verify(message, signature)?;
            }
            done += u64::from(BETWEEN_LOOKS);
            if start.elapsed() >= time {
                return Ok(done);
            }
        }
    }
}

/// Measures the disk that holds `dir`, by appending to one file as a database's log does.
pub(crate) fn disk(dir: &Path, size: Size) -> anyhow::Result<DiskLimit> {
    let (small, blocks) = match size {
        Size::Full => (200, 50),
        Size::Quick => (5, 2),
    };
    let mut file = tempfile::tempfile_in(dir)?;
    let mut written = |bytes: usize, times: u64| -> anyhow::Result<Vec<f64>> {
        let data = vec![0x5a; bytes];
        (0..times)
            .map(|_| {
                let (outcome, took) = timed(|| file.write_all(&data).and_then(|()| file.sync_data()));
                outcome.map(|()| ms(took)).map_err(anyhow::Error::from)
            })
            .collect()
    };
    let sync_ms = Samples::new(written(SMALL_WRITE_BYTES, small)?)?;
    let block_ms = Samples::new(written(BLOCK_WRITE_BYTES, blocks)?)?.median();
    Ok(DiskLimit {
        sync_ms,
        bytes_per_second: f64::from(u32::try_from(BLOCK_WRITE_BYTES)?) / block_ms * 1e3,
    })
}

/// Prints the limits by themselves.
pub(crate) fn report(bench: &mut Bench) -> anyhow::Result<()> {
    let all = bench.limits.verify_all_cores()?;
    bench.line("limits.verify", all, "signatures/s", None)?;
    let one = bench.limits.verify_ms()?;
    bench.line("limits.verify_one", one, "ms", None)?;
    let disk = disk(bench.dir(), bench.size())?;
    bench.line("limits.sync_p50", disk.sync_ms.median(), "ms", None)?;
    bench.line("limits.sync_p99", disk.sync_ms.percentile(99), "ms", None)?;
    bench.line("limits.synced_blocks", disk.bytes_per_second / 1e6, "MB/s", None)?;
    let quic = quic(bench)?;
    bench.line("limits.quic", quic, "entries/s", None)
}

/// Envelopes per second that clients in one process can hand to a server in another that does nothing with them.
pub(crate) fn quic(bench: &Bench) -> anyhow::Result<f64> {
    let batches = usize::try_from(bench.sized(400_000, 2 * BATCH).div_ceil(BATCH))?;
    let queue = Queue::new(vec![Batch::blank(); batches]);
    let sink = Other::start(Role::Sink, bench.dir())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let clients = runtime.block_on(Clients::connect(sink.target))?;
    let (outcome, took) = timed(|| runtime.block_on(clients.send_all(&queue)));
    outcome?;
    runtime.block_on(clients.leave());
    sink.stop()?;
    Ok(real(queue.taken()) / took.as_secs_f64())
}

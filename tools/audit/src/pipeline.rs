//! Three stages on all cores: one thread reads, the pool verifies, the caller replays.
//!
//! ```text
//! reader thread ── batches ──> pool: signatures, stamps, bodies ── in order ──> caller: the ledger's rules
//!      3 µs an entry                  23 µs an entry, any order                      5 µs an entry, one by one
//! ```
//!
//! The caller waits for batches in the order in which they were read, while the pool works on whatever is there: many are
//! under way, so a core is never idle because another one is late with the last entry of a batch. What is under way is
//! bounded, so memory does not grow with the history.

use core::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::check::{CheckedBlock, Checker};
use crate::finding::{At, Coverage, Fault, Finding};
use crate::replay::Replay;
use crate::source::{HistorySource, SourceBlock, SourceError};

/// Entries in a batch: some milliseconds of work, beside which handing it over costs nothing.
const BATCH_ENTRIES: usize = 512;

/// Blocks in a batch, for histories of nearly empty ones.
const BATCH_BLOCKS: usize = 128;

/// Body bytes in a batch; the last block can exceed it by its own size.
const BATCH_BYTES: usize = 2 << 20;

/// Batches under way for each core: one that it works on, and enough behind it that a late one makes nobody wait.
const BATCHES_PER_CORE: usize = 4;

/// How far an audit is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Blocks replayed.
    pub blocks: u64,
    /// Blocks there are, as far as the source says.
    pub claimed: Option<u64>,
    /// Entries replayed.
    pub entries: u64,
}

/// Blocks that belong together, and what comes after them.
struct Batch<B> {
    blocks: Vec<B>,
    then: Then,
}

/// What comes after a batch.
enum Then {
    More,
    Nothing,
    Error(SourceError),
}

/// Replays all of a source.
///
/// # Errors
/// [`SourceError::Failed`] only: what a source says about itself becomes a finding.
pub(crate) fn run(
    source: &mut dyn HistorySource,
    checker: Checker,
    replay: &mut Replay,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), SourceError> {
    let claimed = source.claimed();
    let checker = Arc::new(checker);
    thread::scope(|scope| {
        let (queue, batches) = sync_channel(BATCHES_PER_CORE * rayon::current_num_threads());
        scope.spawn(move || read(source, &checker, &queue));
        for batch in batches {
            let Ok(Batch { blocks, then }) = batch.recv() else {
                // The verifying job is gone: it can only have panicked, and then the pool has ended the process.
                break;
            };
            if replay_batch(replay, blocks)?.is_break() {
                break;
            }
            if let Then::Error(error) = then {
                replay.record(refuse(replay.next_height(), error)?);
                break;
            }
            progress(Progress {
                blocks: replay.figures().blocks,
                claimed,
                entries: replay.figures().entries,
            });
        }
        Ok(())
    })
}

fn replay_batch(replay: &mut Replay, blocks: Vec<CheckedBlock>) -> Result<ControlFlow<()>, SourceError> {
    for block in blocks {
        if replay.block(block)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Reads until the source ends, or nobody listens any more.
fn read(source: &mut dyn HistorySource, checker: &Arc<Checker>, queue: &SyncSender<Receiver<Batch<CheckedBlock>>>) {
    loop {
        let Batch { blocks, then } = gather(source);
        let goes_on = matches!(then, Then::More);
        let (done, outcome) = sync_channel(1);
        if queue.send(outcome).is_err() {
            return;
        }
        let checker = Arc::clone(checker);
        rayon::spawn(move || {
            let blocks = blocks.into_iter().map(|block| checker.check(block)).collect();
            // Nobody listens if the replay has ended: then the outcome does not matter.
            drop(done.send(Batch { blocks, then }));
        });
        if !goes_on {
            return;
        }
    }
}

/// The next blocks, until they make a batch or the source ends.
fn gather(source: &mut dyn HistorySource) -> Batch<SourceBlock> {
    let (mut blocks, mut entries, mut bytes) = (Vec::new(), 0, 0);
    while blocks.len() < BATCH_BLOCKS && entries < BATCH_ENTRIES && bytes < BATCH_BYTES {
        let then = match source.next_block() {
            Ok(Some(block)) => {
                entries += block.entries.len();
                bytes += block.entries.iter().map(body_bytes).sum::<usize>();
                blocks.push(block);
                continue;
            }
            Ok(None) => Then::Nothing,
            Err(error) => Then::Error(error),
        };
        return Batch { blocks, then };
    }
    Batch {
        blocks,
        then: Then::More,
    }
}

fn body_bytes(entry: &waxwing_core::envelope::Carried) -> usize {
    entry.body.present().map_or(0, <[u8]>::len)
}

/// What it means that the source has no block at this height, if it means anything.
pub(crate) fn refuse(height: u64, error: SourceError) -> Result<Finding, SourceError> {
    match error {
        SourceError::Malformed { what } => Ok(Finding::malformed(At::block(height, None), what)),
        SourceError::MissingBlock => Ok(Finding {
            fault: Fault::MissingBlock,
            at: At::block(height, None),
            expected: format!("block {height}"),
            found: "no such block, but later ones or a note of them".into(),
            coverage: Coverage::Open,
        }),
        SourceError::Failed(_) => Err(error),
    }
}

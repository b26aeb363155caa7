//! Copies blocks: fetch, check, make durable, three batches at once.
//!
//! ```text
//! fetch (network) ──1──> check (all cores) ──1──> ledger.check, commit, advance, announce (disk)
//! ```
//!
//! Between the stages at most one batch waits, so memory is bounded by a few batches whatever the network delivers. The last
//! stage is the thread that orders, the same one on every node: whoever stops in the middle goes on there after a restart.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use waxwing_core::block::CertifiedBlock;
use waxwing_core::certificate::{Head, HeadError};
use waxwing_core::codec::Decode;
use waxwing_net::quic::{Connection, RequestError};
use waxwing_net::wire::limits::BLOCKS_PER_REPLY_MAX;
use waxwing_net::wire::{Opaque, Request, Response};
use waxwing_store::Tables;

use super::Copying;
use super::check::{Absent, Checked, Ended, Rules, check};
use super::faults::{Lie, RuleBroken, UpstreamFault};
use crate::faults::{BODY_WITHHELD, Fault};
use crate::order::event::CopiedBlock;

/// Bytes of blocks that are fetched at once.
const BATCH_BYTES: NonZeroU32 = NonZeroU32::new(2 << 20).expect("two million are not zero");

/// Time for a batch to arrive: at 200 kB/s, with the time that the other side needs to read it.
const BATCH_TIME: Duration = Duration::from_secs(15);

/// Copies whatever is missing whenever something is, until the node stops or the ledger forks.
pub(super) async fn copy<T: Tables>(copying: Arc<Copying<T>>) {
    let mut news = copying.upstreams.news();
    while !copying.lifeline.is_stopping() && !copying.is_halted() {
        news.mark_unchanged();
        let next = copying.chain.tip().height + 1;
        let Some(choice) = copying.upstreams.choose(next) else {
            tokio::select! {
                changed = news.changed() => if changed.is_err() { return },
                () = copying.lifeline.stopped() => return,
            }
            continue;
        };
        // Somebody who has just failed is given time; somebody who has not is used at once.
        tokio::select! {
            () = tokio::time::sleep(pause(choice.faults_in_a_row)) => {}
            () = copying.lifeline.stopped() => return,
        }
        let absent = if copying.upstreams.is_withheld_by_all(next) {
            Absent::AcceptedAt(next)
        } else {
            Absent::Refused
        };
        match run(&copying, &choice.connection, (next, choice.announced), absent).await {
            Ok(()) => copying.upstreams.delivered(choice.index),
            Err(Trouble::Upstream(fault)) => {
                look_for_fork(&copying, &choice.connection, &fault).await;
                copying.fault(choice.index, &fault);
            }
            Err(Trouble::Own(fault)) => copying.lifeline.fail(fault),
            Err(Trouble::Stopped) => return,
        }
        copying.compare();
    }
}

/// A certified block that does not follow the certified block held here: the committee has certified two histories, and
/// the other node can show it.
pub(super) async fn look_for_fork<T: Tables>(copying: &Copying<T>, connection: &Connection, fault: &UpstreamFault) {
    let UpstreamFault::Lied(Lie::Rule {
        error: RuleBroken::NotNext,
        ..
    }) = fault
    else {
        return;
    };
    if let Ok(theirs) = first_block(connection, copying.chain.tip().height).await {
        copying.contradicts(theirs.head);
    }
}

/// How long a node is left alone that failed so many times in a row, and is still the best there is.
fn pause(faults_in_a_row: u32) -> Duration {
    match faults_in_a_row {
        0 => Duration::ZERO,
        many => Duration::from_millis(100 << many.min(7)),
    }
}

/// Whose fault it was that copying ended early.
pub(super) enum Trouble {
    Upstream(UpstreamFault),
    Own(Fault),
    Stopped,
}

impl From<UpstreamFault> for Trouble {
    fn from(fault: UpstreamFault) -> Self {
        Self::Upstream(fault)
    }
}

/// Copies the blocks from `first` to `last` from one node.
///
/// A stage that fails lets go of its channels; the stages behind it finish what they have, the one before it stops. So when
/// this returns nothing is under way any more, and the next run starts from what is true then.
pub(super) async fn run<T: Tables>(
    copying: &Arc<Copying<T>>,
    connection: &Connection,
    (first, last): (u64, u64),
    absent: Absent,
) -> Result<(), Trouble> {
    let (fetched, to_check) = mpsc::channel(1);
    let (checked, to_apply) = mpsc::channel(1);
    let (fetching, checking, applying) = tokio::join!(
        fetch(copying, connection, first..=last, fetched),
        check_all(copying, absent, to_check, checked),
        apply_all(copying, to_apply),
    );
    applying.and(checking).and(fetching)
}

/// A batch and the height of its first block.
type Batch = (u64, Vec<Opaque>);

async fn fetch<T: Tables>(
    copying: &Copying<T>,
    connection: &Connection,
    wanted: RangeInclusive<u64>,
    fetched: mpsc::Sender<Batch>,
) -> Result<(), Trouble> {
    let (mut next, last) = wanted.into_inner();
    while next <= last {
        let blocks = tokio::select! {
            blocks = blocks(connection, next, last - next + 1, BATCH_BYTES) => blocks?,
            () = fetched.closed() => break,
            () = copying.lifeline.stopped() => break,
        };
        let count = u64::try_from(blocks.len()).unwrap_or(0);
        if fetched.send((next, blocks)).await.is_err() || count == 0 {
            break;
        }
        next += count;
    }
    Ok(())
}

async fn blocks(
    connection: &Connection,
    from: u64,
    count: u64,
    bytes: NonZeroU32,
) -> Result<Vec<Opaque>, UpstreamFault> {
    let count = usize::try_from(count)
        .unwrap_or(usize::MAX)
        .clamp(1, BLOCKS_PER_REPLY_MAX);
    let count = u32::try_from(count)
        .ok()
        .and_then(NonZeroU32::new)
        .unwrap_or(NonZeroU32::MIN);
    match connection
        .request(&Request::Blocks { from, count, bytes }, BATCH_TIME)
        .await
    {
        Ok(Response::Blocks(blocks)) => Ok(blocks.into_vec()),
        Ok(_) => Err(UpstreamFault::Lied(Lie::Nonsense)),
        Err(RequestError::TimedOut) => Err(UpstreamFault::Stalled { height: from }),
        Err(error) => Err(UpstreamFault::Request(error)),
    }
}

/// The block at a height, decoded and nothing more.
pub(super) async fn first_block(connection: &Connection, height: u64) -> Result<CertifiedBlock, UpstreamFault> {
    let blocks = blocks(connection, height, 1, NonZeroU32::MIN).await?;
    let bytes = blocks.first().ok_or(UpstreamFault::Stalled { height })?;
    CertifiedBlock::from_bytes(bytes).map_err(|_| UpstreamFault::Lied(Lie::Nonsense))
}

async fn check_all<T: Tables>(
    copying: &Arc<Copying<T>>,
    absent: Absent,
    mut batches: mpsc::Receiver<Batch>,
    checked: mpsc::Sender<Vec<Checked>>,
) -> Result<(), Trouble> {
    while let Some((from, blocks)) = batches.recv().await {
        let (rules, next) = rules(copying);
        let workers = Arc::clone(&copying.workers);
        let work = move || workers.run_here(|| check(&rules, from, &blocks, absent));
        let Ok((good, ended)) = tokio::task::spawn_blocking(work).await else {
            return Err(Trouble::Own(Fault::Broken("checking a block panicked")));
        };
        let first = good.is_empty().then_some(from);
        if checked.send(good).await.is_err() {
            break;
        }
        match ended {
            Ended::Whole => {}
            Ended::Fault(fault) => return Err(fault.into()),
            // Whoever offers a block right behind the ledger's own end has no term to wait for.
            Ended::LaterTerm if first == Some(next) => {
                let error = HeadError::WrongCommittee;
                return Err(UpstreamFault::Lied(Lie::Certificate { height: next, error }).into());
            }
            // The next run begins when what is good so far is part of the ledger.
            Ended::LaterTerm => break,
        }
    }
    Ok(())
}

/// What to check against, and the height of the block that comes next.
fn rules<T: Tables>(copying: &Copying<T>) -> (Rules, u64) {
    let ledger = copying.chain.ledger();
    let rules = Rules {
        keys: ledger.keys().clone(),
        committee: ledger.committee().clone(),
        next: ledger.pending().map(|change| (change.from_height, change.next.clone())),
        stamp_bits: ledger.parameters().stamp_bits,
        newest_time: copying.upstreams.newest_time(),
    };
    (rules, ledger.head().height + 1)
}

/// Hands blocks to the thread that orders, one after the other: it alone changes the ledger.
async fn apply_all<T: Tables>(
    copying: &Arc<Copying<T>>,
    mut batches: mpsc::Receiver<Vec<Checked>>,
) -> Result<(), Trouble> {
    while let Some(blocks) = batches.recv().await {
        for block in blocks {
            apply(copying, block).await?;
        }
    }
    Ok(())
}

async fn apply<T: Tables>(copying: &Arc<Copying<T>>, block: Checked) -> Result<(), Trouble> {
    let (theirs, entries) = (Head::clone(&block.head), block.entries.clone());
    let height = theirs.header.height;
    if block.withheld > 0 {
        let bodies = block.withheld;
        tracing::warn!(
            code = BODY_WITHHELD,
            height,
            bodies,
            "bodies are withheld by all upstream nodes"
        );
    }
    let copied = CopiedBlock {
        head: block.head,
        entries: block.entries,
        evidence: block.evidence,
    };
    match copying.inbox.copied(copied).await {
        // The node stops.
        None => return Err(Trouble::Stopped),
        Some(Ok(())) => {}
        // A validator that was behind may have decided it by itself meanwhile; if it was another one, that is a fork.
        Some(Err(_)) if copying.chain.tip().height >= height => copying.contradicts(theirs),
        Some(Err(error)) => {
            let error = RuleBroken::of(&error).unwrap_or(RuleBroken::NotNext);
            return Err(Trouble::Upstream(UpstreamFault::Lied(Lie::Rule { height, error })));
        }
    }
    copying.memory.settle(&entries);
    let here = Arc::clone(copying);
    // It may read the disk.
    let retried = tokio::task::spawn_blocking(move || here.erasures.retry());
    retried
        .await
        .map_err(|_| Trouble::Own(Fault::Broken("erasing a body panicked")))
}

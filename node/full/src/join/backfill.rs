//! Filling in what came before the snapshot, from the genesis upwards, with every check that a full copy makes.
//!
//! ```text
//! fetch (network) ── the next batch ──┐
//! check (all cores) ── replay: ledger.check, commit ── the batch before ──> at the snapshot's height: compare, be whole
//! ```
//!
//! The replay is a ledger of its own in the same tables (`waxwing_store::Behind`). It goes on across restarts, takes blocks
//! from whoever has them, and never holds up what is ordered now.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use waxwing_core::keys::NodeId;
use waxwing_core::ledger::{BlockError, Ledger};
use waxwing_net::quic::{Connection, RequestError};
use waxwing_net::wire::limits::BLOCKS_PER_REPLY_MAX;
use waxwing_net::wire::{Opaque, Refusal, Request, Response};
use waxwing_store::{Behind, FillError, Gap, OpenError, RestoreError, Store, StoreError, Tables};

use crate::chain::Chain;
use crate::clock::Clock;
use crate::faults::{BODY_WITHHELD, Fault, Lifeline};
use crate::meter::Meter;
use crate::sync::{Absent, Checked, Ended, Lie, RuleBroken, Rules, UpstreamFault, Upstreams, check};
use crate::workers::Workers;

/// Bytes of blocks that are fetched at once.
const BATCH_BYTES: NonZeroU32 = NonZeroU32::new(2 << 20).expect("two million are not zero");

/// Time for a batch to arrive: at 200 kB/s, with the time that the other side needs to read it.
const BATCH_TIME: Duration = Duration::from_secs(15);

/// How long to wait while nobody can be asked.
const IDLE: Duration = Duration::from_millis(500);

/// How long a node is left alone that failed, or that lacks the block itself.
const PAUSE_MS: u64 = 5_000;

/// Everything that filling in works with.
pub(crate) struct Backfill<T> {
    pub(crate) chain: Arc<Chain<T>>,
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) workers: Arc<Workers>,
    pub(crate) clock: Clock,
    pub(crate) lifeline: Lifeline,
    pub(crate) meter: Arc<Meter>,
}

/// Whose store the replay shares.
struct Host<T>(Arc<Chain<T>>);

impl<T: Tables> AsRef<Store<T>> for Host<T> {
    fn as_ref(&self) -> &Store<T> {
        self.0.store()
    }
}

/// The replay: a ledger that begins at block 0, and where its rows go.
struct Replay<T: Tables> {
    store: Store<Behind<Host<T>, T>>,
    ledger: Ledger,
}

/// Blocks fetched from one node.
struct Batch {
    node: NodeId,
    from: u64,
    blocks: Vec<Opaque>,
}

/// Whose fault it was that blocks did not count.
enum Trouble {
    Upstream(UpstreamFault),
    Own(Fault),
}

/// Whom to leave alone, and who lacks bodies of the next block.
#[derive(Debug, Default)]
struct Memory {
    /// Until when, by the steady clock.
    paused: BTreeMap<NodeId, u64>,
    withheld: (u64, BTreeSet<NodeId>),
}

impl Memory {
    fn note_withheld(&mut self, height: u64, by: NodeId) {
        if self.withheld.0 != height {
            self.withheld = (height, BTreeSet::new());
        }
        self.withheld.1.insert(by);
    }

    /// Whether all of these lack a body of this block, so that waiting for it would be waiting for ever.
    fn is_withheld_by_all(&self, height: u64, mut nodes: impl Iterator<Item = NodeId>) -> bool {
        self.withheld.0 == height && nodes.all(|node| self.withheld.1.contains(&node))
    }
}

impl<T: Tables> Backfill<T> {
    /// Fills in what is missing, on tasks of the caller's runtime, until the store is whole or the node stops.
    pub(crate) fn begin(self) {
        if self.chain.store().gap().is_some() {
            tokio::spawn(async move {
                let here = Arc::new(self);
                if let Err(fault) = here.run().await {
                    here.lifeline.fail(fault);
                }
            });
        }
    }

    async fn run(self: &Arc<Self>) -> Result<(), Fault> {
        let here = Arc::clone(self);
        let mut replay = blocking(move || here.open()).await??;
        let (mut memory, mut ahead) = (Memory::default(), None);
        while let Some(gap) = self.chain.store().gap().filter(|_| !self.lifeline.is_stopping()) {
            let next = replay.ledger.head().height + 1;
            if next > gap.joined {
                return self.finish(replay, gap).await;
            }
            let batch = match ahead.take().filter(|batch: &Batch| batch.from == next) {
                Some(batch) => Some(batch),
                None => self.fetch(next, gap, &mut memory).await,
            };
            let Some(batch) = batch else {
                self.idle().await;
                continue;
            };
            let (node, after) = (batch.node, next.saturating_add(batch.len()));
            let absent = self.absent(next, &memory);
            // The next batch is fetched while this one is checked.
            let (taken, fetched) = tokio::join!(self.take(replay, batch, absent), self.fetch(after, gap, &mut memory));
            let outcome;
            (replay, outcome) = taken?;
            match outcome {
                Ok(()) => ahead = fetched,
                Err(Trouble::Own(fault)) => return Err(fault),
                Err(Trouble::Upstream(fault)) => self.fault(node, &fault, &mut memory),
            }
        }
        Ok(())
    }

    /// Waits a moment, or until the node stops.
    async fn idle(&self) {
        tokio::select! {
            () = tokio::time::sleep(IDLE) => {}
            () = self.lifeline.stopped() => {}
        }
    }

    fn fault(&self, node: NodeId, fault: &UpstreamFault, memory: &mut Memory) {
        match fault {
            UpstreamFault::Withholds { height, .. } => memory.note_withheld(*height, node),
            _ => {
                let until = self.clock.steady_ms().saturating_add(PAUSE_MS);
                memory.paused.insert(node, until);
            }
        }
        self.meter.upstream_fault(fault.name());
        self.upstreams.blame(node, fault);
    }

    fn absent(&self, height: u64, memory: &Memory) -> Absent {
        let nodes = self.upstreams.connections();
        if memory.is_withheld_by_all(height, nodes.iter().map(Connection::node)) {
            Absent::AcceptedAt(height)
        } else {
            Absent::Refused
        }
    }

    /// Blocks from a height on, from whoever has them; `None` if nobody does now.
    async fn fetch(&self, from: u64, gap: Gap, memory: &mut Memory) -> Option<Batch> {
        let last = self.last_of_batch(from, gap)?;
        let count = usize::try_from(last - from + 1).unwrap_or(usize::MAX);
        let count = u32::try_from(count.min(BLOCKS_PER_REPLY_MAX))
            .ok()
            .and_then(NonZeroU32::new)?;
        for connection in self.upstreams.connections() {
            let node = connection.node();
            let is_paused = memory
                .paused
                .get(&node)
                .is_some_and(|until| *until > self.clock.steady_ms());
            let withholds = memory.withheld.0 == from && memory.withheld.1.contains(&node);
            if is_paused || (withholds && self.absent(from, memory) == Absent::Refused) {
                continue;
            }
            let bytes = BATCH_BYTES;
            match connection
                .request(&Request::Blocks { from, count, bytes }, BATCH_TIME)
                .await
            {
                Ok(Response::Blocks(blocks)) if !blocks.is_empty() && blocks.len() <= usize_of(count) => {
                    let blocks = blocks.into_vec();
                    return Some(Batch { node, from, blocks });
                }
                Ok(_) => self.fault(node, &UpstreamFault::Lied(Lie::Nonsense), memory),
                // It joined lately itself, or is behind: no fault of its own.
                Err(RequestError::Refused(Refusal::NotHereYet { .. } | Refusal::HeightAhead { .. })) => {
                    let until = self.clock.steady_ms().saturating_add(PAUSE_MS);
                    memory.paused.insert(node, until);
                }
                Err(error) => self.fault(node, &UpstreamFault::Request(error), memory),
            }
        }
        None
    }

    /// The last height that one committee certifies together with `from`, and that is missing.
    fn last_of_batch(&self, from: u64, gap: Gap) -> Option<u64> {
        let ledger = self.chain.ledger();
        let next_term = ledger
            .ladder()
            .terms()
            .map(|term| term.from)
            .find(|begins| *begins > from);
        let last = next_term.map_or(gap.joined, |begins| gap.joined.min(begins - 1));
        (from <= last).then_some(last)
    }

    /// Checks a batch and replays it, on threads that may wait for the disk.
    async fn take(
        self: &Arc<Self>,
        mut replay: Replay<T>,
        batch: Batch,
        absent: Absent,
    ) -> Result<(Replay<T>, Result<(), Trouble>), Fault> {
        let here = Arc::clone(self);
        blocking(move || {
            let rules = here.rules(batch.from);
            let checked = here
                .workers
                .run_here(|| check(&rules, batch.from, &batch.blocks, absent));
            let (good, ended) = checked;
            let applied = good.into_iter().try_for_each(|block| here.apply(&mut replay, block));
            let outcome = applied.and(match ended {
                Ended::Whole => Ok(()),
                Ended::Fault(fault) => Err(Trouble::Upstream(fault)),
                // No batch reaches beyond the term it begins in, so the block is not what was asked for.
                Ended::LaterTerm => Err(Trouble::Upstream(UpstreamFault::Lied(Lie::Nonsense))),
            });
            (replay, outcome)
        })
        .await
    }

    fn rules(&self, from: u64) -> Rules {
        let ledger = self.chain.ledger();
        Rules {
            keys: ledger.keys().clone(),
            committee: ledger.ladder().at(from).clone(),
            next: None,
            stamp_bits: ledger.parameters().stamp_bits,
            newest_time: self.upstreams.newest_time().max(ledger.head().time),
        }
    }

    fn apply(&self, replay: &mut Replay<T>, block: Checked) -> Result<(), Trouble> {
        let Replay { store, ledger } = replay;
        let header = &block.head.header;
        let height = header.height;
        let checked = ledger.check(store, header, block.entries, block.evidence);
        let step = match checked {
            Ok(step) => step,
            Err(BlockError::Read(error)) => return Err(Trouble::Own(Fault::Store(error))),
            Err(error) => {
                let error = RuleBroken::of(&error).unwrap_or(RuleBroken::NotNext);
                return Err(Trouble::Upstream(UpstreamFault::Lied(Lie::Rule { height, error })));
            }
        };
        if block.withheld > 0 {
            let bodies = block.withheld;
            tracing::warn!(
                code = BODY_WITHHELD,
                height,
                bodies,
                "bodies are withheld by all upstream nodes"
            );
        }
        let committed = store.commit(&step, &block.head.certificate);
        committed.map_err(|error| Trouble::Own(Fault::Store(error)))?;
        ledger.advance(step);
        Ok(())
    }

    /// The replay has arrived: if it leads to what was joined, nothing is missing any more.
    async fn finish(self: &Arc<Self>, replay: Replay<T>, gap: Gap) -> Result<(), Fault> {
        let here = Arc::clone(self);
        let whole = blocking(move || {
            drop(replay);
            here.chain.store().become_whole()
        });
        match whole.await? {
            Ok(()) => {
                tracing::info!(
                    joined = gap.joined,
                    "everything before the snapshot is here and leads to it"
                );
                Ok(())
            }
            Err(FillError::Store(error)) => Err(Fault::Store(error)),
            Err(error) => {
                tracing::error!(code = crate::faults::BROKEN, "{error}");
                Err(Fault::Broken(
                    "replaying the history leads elsewhere than what was joined",
                ))
            }
        }
    }

    fn open(&self) -> Result<Replay<T>, Fault> {
        let tables = || Behind::new(Host(Arc::clone(&self.chain)));
        let genesis = self.chain.store().genesis().clone();
        let opened = match Store::open_on(tables()) {
            Err(OpenError::NoLedger) => Store::create_on(tables(), &genesis),
            opened => opened,
        };
        let store = opened.map_err(|error| match error {
            OpenError::Store(error) => Fault::Store(error),
            _ => Fault::Store(StoreError::Malformed(waxwing_store::Family::Meta)),
        })?;
        let ledger = store.restore().map_err(|error| match error {
            RestoreError::Store(error) => Fault::Store(error),
            _ => Fault::Store(StoreError::Malformed(waxwing_store::Family::Meta)),
        })?;
        Ok(Replay { store, ledger })
    }
}

impl Batch {
    fn len(&self) -> u64 {
        u64::try_from(self.blocks.len()).unwrap_or(0)
    }
}

fn usize_of(count: NonZeroU32) -> usize {
    usize::try_from(count.get()).unwrap_or(usize::MAX)
}

async fn blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Result<R, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Fault::Broken("filling in a block panicked"))
}

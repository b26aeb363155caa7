//! Chunks: pieces of attachments that this node keeps for clients, beside the ledger.
//!
//! A node knows of a chunk its bytes, which mean nothing to it, their hash, which is its name, and the day until which it
//! promised to keep it: no key, name, type or true size of a file, nor who put it. It keeps as much and for as long as its
//! operator says, and everybody is told how much that is.
//!
//! ```text
//! request ── turn (few at once, two of one address) ── vault ── answer        a thread that may wait for the disk
//!                                                        │
//!                                             list in memory, files on disk
//! ```
//!
//! Read [`vault`] first, then [`files`] and [`held`]; [`shares`] and [`turns`] keep one address from taking everything. A
//! disk that fails here does not stop the node: the ledger does not depend on it, and nothing was promised that is not there.

mod day;
mod files;
mod held;
mod limits;
mod shares;
#[cfg(test)]
mod tests;
mod turns;
mod vault;

use std::io;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Notify;
use waxwing_core::HashKeys;
use waxwing_core::chunk::ChunkId;
use waxwing_core::limits::{CHUNK_BYTES_MAX, DAY_MS};
use waxwing_net::wire::{Chunk, ChunkTerms, Holding, List, Opaque, Refusal, Reply, Request, Response};

use crate::clock::Clock;
use crate::config::NodeConfig;
use crate::faults::{CHUNK_DAMAGED, CHUNKS_UNUSABLE, Lifeline, Seldom};
use crate::meter::Meter;
use crate::serve::subscriber_of;
use day::Day;
use limits::{FREE_PARTS, NO_ROOM_RETRY_MS, READS_MAX, SWEEP_MS, WRITES_MAX};
use shares::Shares;
use turns::Turns;
pub(crate) use vault::Vault;
use vault::{Fetched, PutError, Stored, Taken};

/// What an operator offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Offer {
    /// 0 for nothing.
    quota_bytes: u64,
    days: NonZeroU32,
}

impl Offer {
    fn of(config: &NodeConfig) -> Self {
        let days = u32::try_from(config.chunks_days).ok().and_then(NonZeroU32::new);
        Self {
            quota_bytes: config.chunks_mib << 20,
            days: days.unwrap_or(NonZeroU32::MIN),
        }
    }
}

/// How full the node is with chunks, for its operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct ChunkStatus {
    /// Bytes that it keeps at most; 0 if it takes none.
    pub quota_bytes: u64,
    /// Bytes that it keeps, in whole blocks of the disk.
    pub used_bytes: u64,
    /// Chunks that it keeps.
    pub chunks: u64,
    /// Days that it keeps one at most.
    pub days: u32,
}

/// What is kept, and what it takes to be asked for it.
#[derive(Debug)]
pub(crate) struct Chunks {
    vault: Vault,
    offer: Offer,
    shares: Mutex<Shares>,
    writes: Turns,
    reads: Turns,
    /// There is something that will be over some day.
    some: Notify,
    clock: Clock,
    lifeline: Lifeline,
    meter: Arc<Meter>,
    unusable: Seldom,
    damaged: Seldom,
}

/// Opens what a node keeps in its directory. Waits for the disk: a file name for each chunk.
pub(crate) fn open(directory: PathBuf, keys: HashKeys, config: &NodeConfig, now_ms: u64) -> io::Result<Vault> {
    Vault::open(keys, directory, Offer::of(config).quota_bytes, now_ms)
}

impl Chunks {
    pub(crate) fn new(vault: Vault, config: &NodeConfig, clock: Clock, lifeline: Lifeline, meter: Arc<Meter>) -> Self {
        let offer = Offer::of(config);
        let fades_ms = u64::from(offer.days.get()) * DAY_MS;
        Self {
            vault,
            offer,
            shares: Mutex::new(Shares::new(config.chunks_share, fades_ms)),
            writes: Turns::new(WRITES_MAX),
            reads: Turns::new(READS_MAX),
            some: Notify::new(),
            clock,
            lifeline,
            meter,
            unusable: Seldom::default(),
            damaged: Seldom::default(),
        }
    }

    /// Answers a request about chunks.
    pub(crate) async fn answer(self: &Arc<Self>, address: IpAddr, request: Request) -> Reply {
        if self.lifeline.is_stopping() {
            return Err(Refusal::ShuttingDown);
        }
        // What was taken is kept until its day, also by a node that takes nothing new.
        if self.offer.quota_bytes == 0 && (self.vault.is_empty() || matches!(request, Request::PutChunk { .. })) {
            return Err(Refusal::NoChunks);
        }
        let address = subscriber_of(address);
        match request {
            Request::PutChunk { days, bytes } => self.put(address, days, bytes).await,
            Request::GetChunk { id } => self.read(address, move |here| here.get(&id)).await,
            Request::HaveChunks { ids } => self.read(address, move |here| here.have(&ids)).await,
            Request::ChunkTerms => self.read(address, |here| here.terms()).await,
            _ => Err(Refusal::Contradiction),
        }
    }

    async fn put(self: &Arc<Self>, address: IpAddr, days: NonZeroU32, bytes: Opaque) -> Reply {
        if u32::try_from(bytes.len()).is_ok_and(|length| length <= CHUNK_BYTES_MAX) {
            let turn = self.writes.take(address).await;
            let here = Arc::clone(self);
            let put = move || {
                let _turn = turn;
                here.put_now(address, days, &bytes)
            };
            return tokio::task::spawn_blocking(put).await.unwrap_or(Err(Refusal::Broken));
        }
        self.meter.chunk_put("too_long");
        Err(Refusal::ChunkTooLong { most: CHUNK_BYTES_MAX })
    }

    async fn read(self: &Arc<Self>, address: IpAddr, read: impl FnOnce(&Self) -> Reply + Send + 'static) -> Reply {
        let turn = self.reads.take(address).await;
        let here = Arc::clone(self);
        let read = move || {
            let _turn = turn;
            read(&here)
        };
        // A read that panicked says nothing about the next one.
        tokio::task::spawn_blocking(read).await.unwrap_or(Err(Refusal::Broken))
    }

    /// Puts a chunk. Waits for the disk.
    fn put_now(&self, address: IpAddr, days: NonZeroU32, bytes: &[u8]) -> Reply {
        let now_ms = self.clock.now_ms();
        let day = Day::after(now_ms, days.min(self.offer.days));
        let mut taken = 0;
        let stored = self.vault.put(bytes, day, now_ms, &mut |wanted| {
            let bytes = self.counts(wanted);
            let may = self.shares().take(address, bytes, wanted.free, self.clock.steady_ms());
            taken += if may { bytes } else { 0 };
            may
        });
        if stored.is_err() {
            self.shares().give_back(address, taken);
        }
        let retry_after_ms = NO_ROOM_RETRY_MS;
        let (outcome, reply) = match stored {
            Ok(Stored::New(day)) => ("kept", Ok(day)),
            Ok(Stored::Already(day)) => ("already", Ok(day)),
            Err(PutError::TooLong) => ("too_long", Err(Refusal::ChunkTooLong { most: CHUNK_BYTES_MAX })),
            Err(PutError::Full) => ("full", Err(Refusal::ChunksFull { retry_after_ms })),
            Err(PutError::Share) => ("share", Err(Refusal::ChunkShareUsed { retry_after_ms })),
            Err(PutError::Disk(error)) => ("failed", Err(self.failed(&error))),
        };
        self.meter.chunk_put(outcome);
        self.some.notify_one();
        reply.map(|day| Response::PutChunk {
            until_ms: day.ends_ms(),
        })
    }

    /// What counts as taken from a share: all of a piece for as long as it is kept, and a part of it for each day that it is
    /// kept longer. So nobody keeps his share for ever by putting the same again, and nobody has more of it by short stays.
    fn counts(&self, taken: Taken) -> u64 {
        let most = u64::from(self.offer.days.get());
        match taken.longer.map(u64::from) {
            None => taken.bytes,
            Some(days) => taken.bytes.saturating_mul(days.min(most)) / most,
        }
    }

    fn shares(&self) -> std::sync::MutexGuard<'_, Shares> {
        // Each change is one of a number.
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches a chunk. Waits for the disk.
    fn get(&self, id: &ChunkId) -> Reply {
        let (outcome, reply) = match self.vault.get(id, self.clock.now_ms()) {
            Ok(Fetched::Chunk(bytes)) => ("served", Ok(Response::GetChunk(bytes.into()))),
            Ok(Fetched::Unknown) => ("unknown", Err(Refusal::UnknownChunk)),
            Ok(Fetched::Damaged) => {
                if self.damaged.is_due(self.clock.steady_ms()) {
                    tracing::warn!(
                        code = CHUNK_DAMAGED,
                        "a piece of an attachment was damaged on the disk and is forgotten"
                    );
                }
                ("damaged", Err(Refusal::UnknownChunk))
            }
            Err(error) => ("failed", Err(self.failed(&error))),
        };
        self.meter.chunk_get(outcome);
        reply
    }

    fn have(&self, ids: &[Chunk]) -> Reply {
        let found = self.vault.have(ids.iter().map(|Chunk(id)| *id), self.clock.now_ms());
        let holding = |day: Option<Day>| {
            day.map_or(Holding::Nothing, |day| Holding::Kept {
                until_ms: day.ends_ms(),
            })
        };
        let holdings = List::new(found.into_iter().map(holding).collect());
        holdings.map(Response::HaveChunks).ok_or(Refusal::Contradiction)
    }

    fn terms(&self) -> Reply {
        if self.offer.quota_bytes == 0 {
            return Err(Refusal::NoChunks);
        }
        Ok(Response::ChunkTerms(ChunkTerms {
            quota_bytes: self.offer.quota_bytes,
            free_bytes: rounded(self.vault.free(), self.offer.quota_bytes),
            days: self.offer.days.get(),
            chunk_bytes: CHUNK_BYTES_MAX,
        }))
    }

    /// The disk failed. The node goes on: every file stands for itself, and what was not confirmed was not promised.
    fn failed(&self, error: &io::Error) -> Refusal {
        if self.unusable.is_due(self.clock.steady_ms()) {
            tracing::warn!(
                code = CHUNKS_UNUSABLE,
                "pieces of attachments cannot be read or written: {error}"
            );
        }
        Refusal::Broken
    }

    /// Removes what is over; returns how many chunks that were. Waits for the disk.
    pub(crate) fn sweep(&self) -> u64 {
        let removed = self.vault.sweep(self.clock.now_ms()).unwrap_or_else(|error| {
            self.failed(&error);
            0
        });
        if removed > 0 {
            self.meter.chunks_expired.inc_by(removed);
        }
        removed
    }

    /// Removes what is over, now and then, until the node stops. Nothing kept, nothing to wait for.
    pub(crate) async fn tend(self: Arc<Self>) {
        loop {
            let next = async {
                if self.vault.is_empty() {
                    self.some.notified().await;
                }
                tokio::time::sleep(Duration::from_millis(SWEEP_MS)).await;
            };
            tokio::select! {
                () = next => {}
                () = self.lifeline.stopped() => return,
            }
            let here = Arc::clone(&self);
            // One that panicked leaves the rest to the next.
            let _ = tokio::task::spawn_blocking(move || here.sweep()).await;
        }
    }

    /// For the operator.
    pub(crate) fn status(&self) -> ChunkStatus {
        let level = self.vault.level();
        ChunkStatus {
            quota_bytes: self.offer.quota_bytes,
            used_bytes: level.used_bytes,
            chunks: level.chunks,
            days: self.offer.days.get(),
        }
    }
}

/// What strangers are told of what is free.
fn rounded(free: u64, quota: u64) -> u64 {
    let part = (quota / FREE_PARTS).max(1);
    free / part * part
}

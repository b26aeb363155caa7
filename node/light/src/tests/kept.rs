//! What a node for tests keeps of files: every chunk, for as long as it is asked to, up to a quota.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use waxwing_core::chunk::ChunkId;
use waxwing_core::limits::{CHUNK_BYTES_MAX, DAY_MS};
use waxwing_net::wire::{Chunk, ChunkTerms, Holding, List, Opaque, Refusal, Reply, Request, Response};

use super::world::World;

/// Bytes that it keeps.
pub(crate) const QUOTA: u64 = 64 << 20;

/// Days that it keeps a chunk at most.
const DAYS: u32 = 30;

/// Chunks, and until when they are kept.
#[derive(Default)]
pub(crate) struct Kept {
    chunks: Mutex<BTreeMap<ChunkId, (Opaque, u64)>>,
    puts: AtomicU32,
    gets: AtomicU32,
}

impl Kept {
    fn chunks(&self) -> MutexGuard<'_, BTreeMap<ChunkId, (Opaque, u64)>> {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Chunks that it was given, whether or not it had them.
    pub(crate) fn puts(&self) -> u32 {
        self.puts.load(Ordering::Relaxed)
    }

    /// Chunks that it was asked for.
    pub(crate) fn gets(&self) -> u32 {
        self.gets.load(Ordering::Relaxed)
    }

    /// What it has.
    pub(crate) fn ids(&self) -> Vec<ChunkId> {
        self.chunks().keys().copied().collect()
    }

    /// Drops everything: its time is over.
    pub(crate) fn drop_all(&self) {
        self.chunks().clear();
    }

    /// An honest answer to a request about chunks.
    pub(super) fn answer(&self, world: &World, request: Request) -> Reply {
        match request {
            Request::PutChunk { days, bytes } => {
                self.puts.fetch_add(1, Ordering::Relaxed);
                let until_ms = world.clock.now() + u64::from(days.get().min(DAYS)) * DAY_MS;
                self.chunks()
                    .insert(ChunkId::of(&world.keys, &bytes), (bytes, until_ms));
                Ok(Response::PutChunk { until_ms })
            }
            Request::GetChunk { id } => {
                self.gets.fetch_add(1, Ordering::Relaxed);
                let chunks = self.chunks();
                let (chunk, _) = chunks.get(&id).ok_or(Refusal::UnknownChunk)?;
                Ok(Response::GetChunk(chunk.clone()))
            }
            Request::HaveChunks { ids } => {
                let chunks = self.chunks();
                let holding = |Chunk(id): &Chunk| match chunks.get(id) {
                    Some((_, until_ms)) => Holding::Kept { until_ms: *until_ms },
                    None => Holding::Nothing,
                };
                let holdings = ids.iter().map(holding).collect();
                Ok(Response::HaveChunks(List::new(holdings).unwrap()))
            }
            _ => {
                let used: usize = self.chunks().values().map(|(chunk, _)| chunk.len()).sum();
                Ok(Response::ChunkTerms(ChunkTerms {
                    quota_bytes: QUOTA,
                    free_bytes: QUOTA - u64::try_from(used).unwrap(),
                    days: DAYS,
                    chunk_bytes: CHUNK_BYTES_MAX,
                }))
            }
        }
    }
}

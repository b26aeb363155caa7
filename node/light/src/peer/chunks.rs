//! Pieces of attachments, put on a node and fetched from one.
//!
//! A node is believed in nothing here either: a piece counts only if its bytes have the id that was asked for. What it
//! says about its room, and until when it keeps something, is its word.

use core::num::NonZeroU32;

use waxwing_core::HashKeys;
use waxwing_core::chunk::ChunkId;
use waxwing_net::wire::{Chunk, ChunkTerms, Holding, List, Opaque, Request, Response};

use super::Peer;
use crate::nodes::Fault;

impl Peer {
    /// Asks the node to keep a sealed chunk for so many days; returns until when it does, in ms since 1970 by its clock.
    /// The chunk is durable there then. Putting it again, after an answer that got lost, costs nothing.
    pub(crate) async fn put_chunk(&self, days: NonZeroU32, bytes: Opaque) -> Result<u64, Fault> {
        let response = self.ask(Request::PutChunk { days, bytes }).await?;
        answer!(response, Response::PutChunk { until_ms } => Ok(until_ms))
    }

    /// A chunk, held against its id. [`Refusal::UnknownChunk`](waxwing_net::wire::Refusal::UnknownChunk) if the node does
    /// not have it, or not any more.
    pub(crate) async fn fetch_chunk(&self, keys: &HashKeys, id: ChunkId) -> Result<Opaque, Fault> {
        let bytes = answer!(self.ask(Request::GetChunk { id }).await?, Response::GetChunk(bytes) => bytes);
        if id.names(keys, &bytes) {
            Ok(bytes)
        } else {
            Err(Fault::WrongAnswer)
        }
    }

    /// Which of these the node says it has, in their order; at most
    /// [`CHUNKS_PER_QUESTION_MAX`](waxwing_net::wire::limits::CHUNKS_PER_QUESTION_MAX), at least one.
    pub(crate) async fn have_chunks(&self, ids: &[ChunkId]) -> Result<Vec<Holding>, Fault> {
        let asked = ids.iter().copied().map(Chunk).collect();
        let asked = List::new(asked).ok_or(Fault::WrongAnswer)?;
        let response = self.ask(Request::HaveChunks { ids: asked }).await?;
        let holdings = answer!(response, Response::HaveChunks(holdings) => holdings.into_vec());
        if holdings.len() == ids.len() {
            Ok(holdings)
        } else {
            Err(Fault::WrongAnswer)
        }
    }

    /// How much the node keeps of attachments, and for how long.
    /// [`Refusal::NoChunks`](waxwing_net::wire::Refusal::NoChunks) if it keeps none.
    pub(crate) async fn chunk_terms(&self) -> Result<ChunkTerms, Fault> {
        answer!(self.ask(Request::ChunkTerms).await?, Response::ChunkTerms(terms) => Ok(terms))
    }
}

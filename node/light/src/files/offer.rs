//! What nodes offer for files: how much they keep of them, for how long, and whether this one goes there.
//!
//! All of it is a node's word. It is shown before anything is sent, and decides which nodes are asked to keep a file.

use std::sync::Arc;

use serde::Serialize;
use tokio::task::JoinSet;
use waxwing_core::Hash;
use waxwing_net::wire::{ChunkTerms, Refusal};
use waxwing_seal::NodeAddress;
use waxwing_seal::file::{Shape, levels};
use waxwing_seal::limits::PIECE_TAG_BYTES;

use super::error::FileError;
use super::plan::len;
use crate::client::Client;
use crate::core::Core;
use crate::error::Error;
use crate::limits::NODES_COMPARED_MAX;
use crate::message::ChannelId;
use crate::nodes::Fault;

/// What a node offers for files: its word.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Offer {
    /// The node.
    pub node: String,
    /// Bytes that it keeps of everybody; none if it keeps no files, or did not say.
    pub quota_bytes: Option<u64>,
    /// Bytes of them that are free, about.
    pub free_bytes: Option<u64>,
    /// Days that it keeps a file at most.
    pub days: Option<u32>,
    /// Whether a file of this size goes there.
    pub takes: bool,
    /// Why it does not.
    pub reason: Option<String>,
}

impl Client {
    /// What the nodes that this home knows of a conversation's ledger offer for a file of so many bytes.
    ///
    /// # Errors
    /// If the conversation or no node is known, or the file is larger than any can be.
    pub async fn file_offers(&self, channel: ChannelId, length: u64) -> Result<Vec<Offer>, Error> {
        let network = self.network_of(channel).await?;
        let needed = sealed_bytes(length).ok_or(FileError::TooLarge)?;
        let offers = offers(&self.core, network).await?;
        Ok(offers.iter().map(|(node, offer)| told(node, offer, needed)).collect())
    }
}

/// Bytes of all chunks of a file and of its lists.
pub(super) fn sealed_bytes(length: u64) -> Option<u64> {
    let of = |shape: &Shape| shape.padded() + u64::from(shape.pieces()) * len(PIECE_TAG_BYTES);
    Some(levels(length)?.iter().map(of).sum())
}

/// The terms of the best nodes, in the order in which to ask them.
pub(super) async fn offers(
    core: &Arc<Core>,
    network: Hash,
) -> Result<Vec<(NodeAddress, Result<ChunkTerms, Fault>)>, Error> {
    let nodes = core.nodes(network).await?;
    if nodes.is_empty() {
        return Err(Error::NoNodes);
    }
    let mut asked = JoinSet::new();
    for (place, node) in nodes.into_iter().take(NODES_COMPARED_MAX).enumerate() {
        let core = Arc::clone(core);
        asked.spawn(async move {
            let terms = match core.peer(network, &node.address).await {
                Ok(peer) => peer.chunk_terms().await,
                Err(fault) => Err(fault),
            };
            (place, node.address, terms)
        });
    }
    let mut offers = Vec::new();
    while let Some(answered) = asked.join_next().await {
        // A question that panicked is a fault of this program; the panic was printed.
        offers.extend(answered.ok());
    }
    offers.sort_by_key(|(place, ..)| *place);
    for (_, node, terms) in &offers {
        if let Err(fault) = terms
            && !is_policy(fault)
        {
            core.blame(network, node.id(), fault).await?;
            core.hang_up(network, node.id());
        }
    }
    Ok(offers.into_iter().map(|(_, node, terms)| (node, terms)).collect())
}

/// Whether a node only says what it does not offer: nothing that speaks against it.
pub(super) const fn is_policy(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Refused(
            Refusal::NoChunks
                | Refusal::ChunksFull { .. }
                | Refusal::ChunkShareUsed { .. }
                | Refusal::ChunkTooLong { .. }
                | Refusal::NotAllowed
        )
    )
}

/// Whether a file goes there, and why not.
pub(super) fn judge(offer: &Result<ChunkTerms, Fault>, needed: u64) -> Result<&ChunkTerms, Fault> {
    let terms = offer.as_ref().map_err(Clone::clone)?;
    let longest = waxwing_core::limits::CHUNK_BYTES_MAX;
    if terms.chunk_bytes < longest && u64::from(terms.chunk_bytes) < needed {
        return Err(Fault::Refused(Refusal::ChunkTooLong {
            most: terms.chunk_bytes,
        }));
    }
    if terms.free_bytes < needed || terms.days == 0 {
        return Err(Fault::Refused(Refusal::ChunksFull { retry_after_ms: 0 }));
    }
    Ok(terms)
}

fn told(node: &NodeAddress, offer: &Result<ChunkTerms, Fault>, needed: u64) -> Offer {
    let terms = offer.as_ref().ok();
    let judged = judge(offer, needed);
    let reason = match (&judged, terms) {
        (Ok(_), _) => None,
        // The node has not said so itself: it would, with a time to wait.
        (Err(_), Some(terms)) if terms.free_bytes < needed => Some("the file is larger than what is free".to_owned()),
        (Err(fault), _) => Some(fault.to_string()),
    };
    Offer {
        node: node.id().to_string(),
        quota_bytes: terms.map(|terms| terms.quota_bytes),
        free_bytes: terms.map(|terms| terms.free_bytes),
        days: terms.map(|terms| terms.days),
        takes: judged.is_ok(),
        reason,
    }
}

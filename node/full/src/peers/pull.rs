//! Entries of a block under way that one validator lacks and another one has.
//!
//! A proposer lists what its block consists of; gossip has brought most of it before. What is missing is asked for by stamp,
//! and each entry is verified as if it had been submitted, but before everything that was: a round waits for it. Whoever
//! has all of a block can hand it on, so a proposer that tells only some what it proposes cannot hold up the others.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rayon::prelude::*;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::{Body, Carried};
use waxwing_core::hash::HashKeys;
use waxwing_core::keys::{NodeId, ValidatorId};
use waxwing_core::{Hash, Verified};
use waxwing_net::wire::limits::{BLOCK_ROOM_BYTES, MISSING_PER_REQUEST_MAX};
use waxwing_net::wire::{List, Opaque, Refusal, Reply, Request, Response, Stamp};
use waxwing_store::Tables;

use super::Links;
use super::limits::PULL_MS;
use crate::intake::AT_ONCE;
use crate::order::event::Event;

impl<T: Tables> Links<T> {
    /// Asks a validator for entries of a block under way, and reports with [`Event::Missing`] what of it verifies.
    pub(crate) fn pull(self: &Arc<Self>, block: Hash, from: ValidatorId, stamps: Vec<Hash>) {
        let links = Arc::clone(self);
        tokio::spawn(async move {
            let entries = links.fetch(block, &from, stamps).await.unwrap_or_default();
            (links.deliver)(Event::Missing { block, entries });
        });
    }

    async fn fetch(
        self: &Arc<Self>,
        block: Hash,
        from: &ValidatorId,
        stamps: Vec<Hash>,
    ) -> Option<Vec<Arc<Verified<Carried>>>> {
        let _turn = self.pulls.acquire().await.ok()?;
        let connection = self.connection(from)?;
        let wanted: BTreeSet<Hash> = stamps.iter().copied().collect();
        let asked = stamps.into_iter().take(MISSING_PER_REQUEST_MAX).map(Stamp).collect();
        let request = Request::Missing {
            block,
            stamps: List::new(asked)?,
        };
        let Ok(Response::Missing(sent)) = connection.request(&request, Duration::from_millis(PULL_MS)).await else {
            return None;
        };
        let (keys, bits) = {
            let ledger = self.chain.ledger();
            (ledger.keys().clone(), ledger.parameters().stamp_bits)
        };
        let verify = move || -> Vec<Arc<Verified<Carried>>> {
            let sent = sent.into_vec();
            sent.par_iter()
                .with_min_len(AT_ONCE)
                .filter_map(|bytes| verified(bytes, &keys, bits, &wanted))
                .collect()
        };
        self.workers.run_first(verify).await
    }

    /// Answers [`Request::Missing`] for another validator: what is here, in the order of the question and as far as a
    /// reply goes.
    pub(crate) fn missing(&self, node: &NodeId, block: Hash, stamps: &[Stamp]) -> Reply {
        if self.validator_at(node).is_none() {
            return Err(Refusal::Stranger);
        }
        let stamps: Vec<Hash> = stamps.iter().map(|stamp| stamp.0).collect();
        let (mut entries, mut bytes): (Vec<Opaque>, usize) = (Vec::new(), 0);
        for entry in self.lookup.find(&block, &stamps) {
            let entry = entry.to_bytes();
            bytes += entry.len();
            // Only who names entries of several blocks as one gets there.
            if bytes > BLOCK_ROOM_BYTES {
                break;
            }
            entries.push(entry.into());
        }
        if entries.is_empty() {
            return Err(Refusal::UnknownBlock);
        }
        List::new(entries).map(Response::Missing).ok_or(Refusal::Broken)
    }
}

/// An entry that was asked for, whole and signed, by its stamp.
fn verified(bytes: &[u8], keys: &HashKeys, bits: u8, wanted: &BTreeSet<Hash>) -> Option<Arc<Verified<Carried>>> {
    let entry = Carried::from_bytes(bytes).ok()?;
    let stamp = entry.signed.header.stamp(keys);
    // What was not asked for is not worth a signature's time, and nothing is ordered without its body.
    let is_wanted = wanted.contains(&stamp) && matches!(entry.body, Body::Present(_));
    is_wanted.then(|| entry.verify(keys, bits).ok())?.map(Arc::new)
}

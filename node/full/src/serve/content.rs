//! Answers that are compared with a proof: entries of a log, whole blocks.

use std::num::NonZeroU32;

use waxwing_core::codec::Encode;
use waxwing_core::keys::LogId;
use waxwing_net::wire::{Bodies, Entries, List, Opaque, Refusal, Response};
use waxwing_store::{Bodies as StoredBodies, LogEntry, Page, StoreError, Tables};

use super::{Answer, proofs};
use crate::chain::Chain;

/// How much of a log is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// First index.
    pub(super) from: u64,
    /// At most so many entries.
    pub(super) count: NonZeroU32,
    /// At most so many bytes, but at least one entry.
    pub(super) bytes: NonZeroU32,
    /// With or without bodies.
    pub(super) bodies: Bodies,
}

/// A range of a log's entries, as far as the newest head proves them.
pub(super) fn entries<T: Tables>(chain: &Chain<T>, log: &LogId, wanted: Wanted) -> Answer {
    let Some(length) = proofs::length(chain, log)? else {
        return Ok(Err(Refusal::UnknownLog));
    };
    if wanted.from > length {
        return Ok(Err(Refusal::IndexAhead { length }));
    }
    Ok(page(chain, log, length, wanted)?.map(Response::Entries))
}

/// A page of a log that has `length` entries under the newest head. The store may hold more; they are not shown yet.
pub(super) fn page<T: Tables>(
    chain: &Chain<T>,
    log: &LogId,
    length: u64,
    wanted: Wanted,
) -> Result<Result<Entries, Refusal>, StoreError> {
    chain.store().expect_entry(log, wanted.from)?;
    let left = u32::try_from(length.saturating_sub(wanted.from)).unwrap_or(u32::MAX);
    let page = Page {
        max_entries: wanted.count.get().min(left),
        max_bytes: wanted.bytes.get(),
        bodies: match wanted.bodies {
            Bodies::With => StoredBodies::With,
            Bodies::Without => StoredBodies::Without,
        },
    };
    let Some(frontier) = chain.store().frontier_at(log, wanted.from)? else {
        return Ok(Err(Refusal::IndexAhead { length }));
    };
    let found = if left == 0 {
        Vec::new()
    } else {
        chain.store().log_entries(log, wanted.from, page)?
    };
    let entries: Vec<Opaque> = found.into_iter().map(opaque).collect();
    Ok(List::new(entries).ok_or(Refusal::Contradiction).map(|entries| Entries {
        from: wanted.from,
        frontier: frontier.to_bytes().into(),
        entries,
        length,
    }))
}

/// Place, then the entry as blocks carry it, or header and signature alone if bodies were not asked for.
fn opaque(entry: LogEntry) -> Opaque {
    let mut bytes = Vec::new();
    entry.place.encode(&mut bytes);
    entry.signed.encode(&mut bytes);
    if let Some(body) = &entry.body {
        body.encode(&mut bytes);
    }
    bytes.into()
}

/// Whole blocks with their certificates.
pub(super) fn blocks<T: Tables>(chain: &Chain<T>, from: u64, count: NonZeroU32, bytes: NonZeroU32) -> Answer {
    let newest = chain.tip().height;
    if from == 0 {
        // Block 0 has neither entries nor a certificate: everybody computes it from the genesis.
        return Ok(Err(Refusal::Contradiction));
    }
    if from > newest {
        return Ok(Err(Refusal::HeightAhead { newest }));
    }
    chain.store().expect_block(from)?;
    let room = usize::try_from(bytes.get()).unwrap_or(usize::MAX);
    let (mut blocks, mut used): (Vec<Opaque>, usize) = (Vec::new(), 0);
    for height in (from..=newest).take(usize::try_from(count.get()).unwrap_or(usize::MAX)) {
        if chain.store().expect_block(height).is_err() {
            break;
        }
        let Some(block) = chain.store().block(height)? else {
            break;
        };
        let block = block.to_bytes();
        if !blocks.is_empty() && used + block.len() > room {
            break;
        }
        used += block.len();
        blocks.push(block.into());
    }
    Ok(List::new(blocks).map(Response::Blocks).ok_or(Refusal::Contradiction))
}

//! Answers that prove themselves: heads, logs, history, receipts.
//!
//! Each proof is made for the head that is true in memory, while the lock on it is held; the store may be one block
//! further, because a block is durable before it is true.

use std::num::NonZeroU32;

use waxwing_core::codec::Encode;
use waxwing_core::keys::LogId;
use waxwing_net::wire::limits::HEADERS_PER_REPLY_MAX;
use waxwing_net::wire::{List, Opaque, Refusal, Response};
use waxwing_store::{StoreError, Tables};

use super::Answer;
use crate::chain::Chain;

/// The newest head, and why it extends the asker's.
pub(super) fn head<T: Tables>(chain: &Chain<T>, held: u64) -> Answer {
    let newest = chain.tip().height;
    let update = if held > newest {
        None
    } else {
        chain.store().head_update(held, newest)?
    };
    // There is no certificate for block 0, so a ledger without entries has no head to show.
    let ahead = Refusal::HeightAhead { newest };
    Ok(update
        .map(|update| Response::Head(update.to_bytes().into()))
        .ok_or(ahead))
}

/// The state of a log under the newest head.
pub(super) fn log<T: Tables>(chain: &Chain<T>, log: &LogId, held: u64) -> Answer {
    let ledger = chain.ledger();
    let newest = ledger.head().height;
    let proof = if held > newest {
        None
    } else {
        chain.store().head_proof(&ledger, log, held)?
    };
    let ahead = Refusal::HeightAhead { newest };
    Ok(proof.map(|proof| Response::Log(proof.to_bytes().into())).ok_or(ahead))
}

/// Length of a log under the newest head; `None` if nothing was ordered on it.
pub(super) fn length<T: Tables>(chain: &Chain<T>, log: &LogId) -> Result<Option<u64>, StoreError> {
    let proof = chain.store().log_proof(&chain.ledger(), log)?;
    Ok(proof.leaf.map(|leaf| leaf.length))
}

/// What convinces somebody offline that an entry was ordered.
pub(super) fn receipt<T: Tables>(chain: &Chain<T>, log: &LogId, index: u64) -> Answer {
    match length(chain, log)? {
        None => return Ok(Err(Refusal::UnknownLog)),
        Some(length) if index >= length => return Ok(Err(Refusal::IndexAhead { length })),
        Some(_) => {}
    }
    chain.store().expect_entry(log, index)?;
    let receipt = chain.store().receipt(log, index)?;
    Ok(receipt
        .map(|receipt| Response::Receipt(receipt.to_bytes().into()))
        .ok_or(Refusal::Broken))
}

/// Headers without certificates.
pub(super) fn headers<T: Tables>(chain: &Chain<T>, from: u64, count: NonZeroU32) -> Answer {
    let newest = chain.tip().height;
    if from > newest {
        return Ok(Err(Refusal::HeightAhead { newest }));
    }
    if chain.store().header(from)?.is_none() {
        chain.store().expect_block(from)?;
    }
    let mut headers = Vec::new();
    for height in (from..=newest).take(usize::try_from(count.get()).unwrap_or(HEADERS_PER_REPLY_MAX)) {
        let Some(header) = chain.store().header(height)? else {
            break;
        };
        headers.push(Opaque::from(header.to_bytes()));
    }
    Ok(List::new(headers).map(Response::Headers).ok_or(Refusal::Contradiction))
}

/// An old header and its place in the history that the head at height `size` commits to.
pub(super) fn history<T: Tables>(chain: &Chain<T>, height: u64, size: u64) -> Answer {
    let newest = chain.tip().height;
    if height >= size {
        return Ok(Err(Refusal::Contradiction));
    }
    if size > newest {
        return Ok(Err(Refusal::HeightAhead { newest }));
    }
    if chain.store().header(height)?.is_none() {
        chain.store().expect_block(height)?;
    }
    let (header, proof) = (chain.store().header(height)?, chain.store().history_path(height, size)?);
    Ok(header.zip(proof).map_or(Err(Refusal::Broken), |(header, proof)| {
        Ok(Response::HistoryProof {
            header: header.to_bytes().into(),
            proof: proof.to_bytes().into(),
        })
    }))
}

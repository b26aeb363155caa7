//! The other side: parts of snapshots for nodes that join.
//!
//! Every part but the outline is read when it is asked for, for any recent height. An outline takes a look at every log, so
//! it is made once and kept, one is made at a time, and strangers cannot have one made for every block.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use waxwing_core::codec::Decode;
use waxwing_core::snapshot::{Ask, Slot};
use waxwing_net::wire::{Refusal, Reply, Response};
use waxwing_store::{StoreError, Tables};

use crate::chain::Chain;
use crate::clock::Clock;

/// Outlines that are kept: 40 bytes for some 700 logs each.
const KEPT_MAX: usize = 4;

/// After how long another outline is made, at the least. Whoever joins meanwhile is told to wait so long, or asks another
/// node.
const BETWEEN_MS: u64 = 2_000;

/// How many times as long as making one took nothing more is made: strangers get a tenth of one core.
const REST: u64 = 9;

/// When to ask again for an outline that is being made.
const RETRY_MS: u64 = 500;

/// What is kept for nodes that join.
#[derive(Debug)]
pub(crate) struct Offers {
    clock: Clock,
    kept: Mutex<Kept>,
    /// Held while an outline is made.
    making: Mutex<()>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Height and outline, the oldest first.
    outlines: Vec<(u64, Arc<Vec<Slot>>)>,
    /// When the next one may be made, by the steady clock.
    next_ms: u64,
}

impl Offers {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            kept: Mutex::default(),
            making: Mutex::default(),
        }
    }

    /// A part of the snapshot at a height. Waits for the disk.
    pub(crate) fn part<T: Tables>(&self, chain: &Chain<T>, height: u64, part: &[u8]) -> Result<Reply, StoreError> {
        let Ok(ask) = Ask::from_bytes(part) else {
            return Ok(Err(Refusal::Contradiction));
        };
        let newest = chain.tip().height;
        if height > newest {
            return Ok(Err(Refusal::HeightAhead { newest }));
        }
        let outline = match ask {
            Ask::Outline { .. } => match self.outline(chain, height)? {
                Ok(outline) => outline,
                Err(refusal) => return Ok(Err(refusal)),
            },
            _ => Arc::default(),
        };
        let found = chain.store().snapshot_part(height, &ask, &outline)?;
        let not_here = || match chain.store().gap() {
            Some(gap) => Refusal::NotHereYet { from: gap.whole_from() },
            None => Refusal::Contradiction,
        };
        Ok(found
            .map(|answer| Response::Snapshot(answer.to_bytes().into()))
            .ok_or_else(not_here))
    }

    fn outline<T: Tables>(&self, chain: &Chain<T>, height: u64) -> Result<Result<Arc<Vec<Slot>>, Refusal>, StoreError> {
        if let Some(kept) = self.kept(height) {
            return Ok(Ok(kept));
        }
        let _making = match self.making.try_lock() {
            Ok(making) => making,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Ok(Err(Refusal::Busy {
                    retry_after_ms: RETRY_MS,
                }));
            }
        };
        if let Some(kept) = self.kept(height) {
            return Ok(Ok(kept));
        }
        let (now_ms, next_ms) = (self.clock.steady_ms(), self.lock().next_ms);
        if now_ms < next_ms {
            let retry_after_ms = next_ms - now_ms;
            return Ok(Err(Refusal::Busy { retry_after_ms }));
        }
        let outline = Arc::new(chain.store().outline(height)?.unwrap_or_default());
        let mut kept = self.lock();
        if kept.outlines.len() == KEPT_MAX {
            kept.outlines.remove(0);
        }
        kept.outlines.push((height, Arc::clone(&outline)));
        let done_ms = self.clock.steady_ms();
        let rest_ms = REST * done_ms.saturating_sub(now_ms);
        kept.next_ms = done_ms.saturating_add(rest_ms.max(BETWEEN_MS));
        Ok(Ok(outline))
    }

    fn kept(&self, height: u64) -> Option<Arc<Vec<Slot>>> {
        let kept = self.lock();
        let found = kept.outlines.iter().find(|(there, _)| *there == height);
        found.map(|(_, outline)| Arc::clone(outline))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // A list and a number: a panic cannot leave half of a change that matters.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

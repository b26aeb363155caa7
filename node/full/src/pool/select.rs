//! Which envelopes the next block is tried with, and in which order.
//!
//! New logs cost every node memory for ever, so whoever opens one competes by stamp; but a flood of new logs must not
//! silence the conversations that exist, so openers get half of the block as long as others wait. The rest goes by
//! arrival. What is selected here is still checked by the ledger's own draft: this is a proposal, not a rule.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use waxwing_core::envelope::Carried;
use waxwing_core::keys::LogId;
use waxwing_core::limits::{
    BLOCK_BYTES_MAX, BLOCK_ENTRIES_MAX, LOG_BYTES_PER_BLOCK_MAX, LOG_ENTRIES_PER_BLOCK_MAX, NEW_LOGS_PER_BLOCK_MAX,
};
use waxwing_core::{Hash, Verified};

use super::{Candidate, Pool};

/// After so many envelopes in a row for which a block has no room, no more are tried: what waits is mostly of one size, and
/// looking through all of a full pool would cost more than the last few hundred bytes of a block are worth.
const MISFITS_MAX: u32 = 64;

/// An envelope that the next block is tried with.
#[derive(Clone, Debug)]
pub(crate) struct Selected {
    /// The envelope.
    pub(crate) carried: Arc<Verified<Carried>>,
    /// Its name in the pool.
    pub(crate) stamp: Hash,
}

/// Room in a block, or in a log's share of one.
#[derive(Clone, Copy, Default)]
struct Used {
    entries: u32,
    bytes: u32,
}

impl Used {
    /// Whether `share` bytes more would still be within these bounds.
    fn fits(self, share: u32, entries_max: u32, bytes_max: u32) -> bool {
        self.entries < entries_max && self.bytes.saturating_add(share) <= bytes_max
    }

    const fn add(&mut self, share: u32) {
        self.entries += 1;
        self.bytes += share;
    }
}

#[derive(Default)]
struct Selection {
    chosen: Vec<Selected>,
    sequences: HashSet<u64>,
    block: Used,
    logs: HashMap<LogId, Used>,
    /// How many in a row the block had no room for.
    misfits: u32,
}

impl Selection {
    fn offer(&mut self, sequence: u64, candidate: &Candidate, entries_max: u32, bytes_max: u32) -> bool {
        let share = candidate.carried.share();
        let log = self.logs.entry(candidate.log()).or_default();
        let fits = self.block.fits(share, entries_max, bytes_max)
            && log.fits(share, LOG_ENTRIES_PER_BLOCK_MAX, LOG_BYTES_PER_BLOCK_MAX);
        if fits {
            self.misfits = 0;
            log.add(share);
            self.block.add(share);
            self.sequences.insert(sequence);
            self.chosen.push(Selected {
                carried: Arc::clone(&candidate.carried),
                stamp: candidate.stamp,
            });
        } else if !self.block.fits(share, BLOCK_ENTRIES_MAX, BLOCK_BYTES_MAX) {
            self.misfits += 1;
        }
        fits
    }

    fn is_full(&self) -> bool {
        // Nothing is smaller than an envelope without a body.
        let smallest = 224;
        self.misfits >= MISFITS_MAX || !self.block.fits(smallest, BLOCK_ENTRIES_MAX, BLOCK_BYTES_MAX)
    }
}

impl Pool {
    /// What the next block is tried with, in order.
    pub(crate) fn select(&self) -> Vec<Selected> {
        let mut selection = Selection::default();
        let mut opened = HashSet::new();
        let others_wait = self.len() > self.openers.len();
        let part = if others_wait { 2 } else { 1 };
        self.select_openers(&mut selection, &mut opened, part);
        self.select_by_arrival(&mut selection, &opened);
        if others_wait {
            self.select_openers(&mut selection, &mut opened, 1);
        }
        selection.chosen
    }

    /// Openers, strongest first, up to one part in `part` of the block.
    fn select_openers(&self, selection: &mut Selection, opened: &mut HashSet<LogId>, part: u32) {
        let logs_max = usize::try_from(NEW_LOGS_PER_BLOCK_MAX).unwrap_or(usize::MAX);
        for (_, sequence) in &self.openers {
            if selection.is_full() || opened.len() >= logs_max {
                return;
            }
            let Some(candidate) = self.waiting.get(sequence) else {
                continue;
            };
            let is_new = !selection.sequences.contains(sequence);
            if is_new && selection.offer(*sequence, candidate, BLOCK_ENTRIES_MAX / part, BLOCK_BYTES_MAX / part) {
                opened.insert(candidate.log());
            }
        }
    }

    /// The others as they came, but none whose log is not open.
    fn select_by_arrival(&self, selection: &mut Selection, opened: &HashSet<LogId>) {
        for (sequence, candidate) in &self.waiting {
            if selection.is_full() {
                return;
            }
            let log = candidate.log();
            let waits_for_opener = self.logs.get(&log).is_some_and(|share| share.opener.is_some());
            if !selection.sequences.contains(sequence) && (!waits_for_opener || opened.contains(&log)) {
                selection.offer(*sequence, candidate, BLOCK_ENTRIES_MAX, BLOCK_BYTES_MAX);
            }
        }
    }
}

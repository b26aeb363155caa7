//! Envelopes that were checked and wait for a block.
//!
//! The pool is bounded in entries and bytes, over all and per log, and says so when it is full: an honest "try again in
//! 800 ms" is worth more to a sender than an envelope that is silently forgotten. Nothing leaves the pool but into a
//! block, or because it can never stand in one.
//!
//! ```text
//! admit ──> waiting, by arrival ──select──> candidates for the next block ──draft──> remove (ordered or hopeless)
//!              │                                                              └────> stays (the block was full)
//!              └── new logs: one envelope opens each; strongest stamp first; the others of that log wait behind it
//! ```
//!
//! Pure: no clock, no lock, no thread.

mod select;
mod waiting;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use waxwing_core::envelope::Carried;
use waxwing_core::genesis::FirstOfLog;
use waxwing_core::keys::LogId;
use waxwing_core::limits::{BLOCK_BYTES_MAX, BLOCK_ENTRIES_MAX, LOG_BYTES_PER_BLOCK_MAX, LOG_ENTRIES_PER_BLOCK_MAX};
use waxwing_core::{Hash, Verified};

use crate::order::Backlog;

pub(crate) use select::Selected;
pub(crate) use waiting::Waiting;

/// What may wait at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PoolLimits {
    /// Envelopes in all.
    pub(crate) entries: usize,
    /// Bytes in all.
    pub(crate) bytes: u64,
}

/// Envelopes of one log that may wait: what it can place in sixteen blocks. More would only crowd out others.
const LOG_ENTRIES_MAX: u32 = 16 * LOG_ENTRIES_PER_BLOCK_MAX;

/// Bytes of one log that may wait.
const LOG_BYTES_MAX: u64 = 4 * widen(LOG_BYTES_PER_BLOCK_MAX);

/// An envelope on its way in, with what intake found out about it.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// The envelope, checked.
    pub(crate) carried: Arc<Verified<Carried>>,
    /// The name under which duplicates are known.
    pub(crate) stamp: Hash,
    /// Bits the stamp needs if this is the first entry of its log.
    pub(crate) first_bits: u32,
    /// Whether the ledger has no entry of this log yet.
    pub(crate) first: FirstOfLog,
}

impl Candidate {
    fn log(&self) -> LogId {
        self.carried.signed.header.log
    }

    fn bytes(&self) -> u64 {
        u64::from(self.carried.share())
    }

    fn bits(&self) -> u32 {
        self.stamp.leading_zero_bits()
    }
}

/// That an envelope waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admitted {
    /// Since now.
    New,
    /// It did already.
    Before,
}

/// Why an envelope may not wait here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotAdmitted {
    /// It would open its log, which takes more work.
    WeakStamp {
        /// Bits that are needed.
        required: u32,
    },
    /// The pool is full.
    Full,
    /// The log has as much waiting as one log may.
    LogFull,
}

/// What waits of one log.
#[derive(Debug, Default)]
struct Share {
    entries: u32,
    bytes: u64,
    /// The waiting envelope that is to open the log, if the ledger does not have the log yet.
    opener: Option<u64>,
    /// Sequence numbers of what waits, so that a log can be looked through without looking through all.
    waiting: BTreeSet<u64>,
}

impl Share {
    /// What the log could place in one block: its whole share, or as much as the limits per log allow.
    fn placeable(&self) -> (u64, u64) {
        let entries = self.entries.min(LOG_ENTRIES_PER_BLOCK_MAX);
        let average = self.bytes.checked_div(u64::from(self.entries)).unwrap_or(0);
        let bytes = (average * u64::from(entries)).min(widen(LOG_BYTES_PER_BLOCK_MAX));
        (u64::from(entries), bytes)
    }
}

/// The pool.
#[derive(Debug)]
pub(crate) struct Pool {
    limits: PoolLimits,
    /// By arrival. A sequence number is never used twice.
    waiting: BTreeMap<u64, Candidate>,
    next: u64,
    by_stamp: HashMap<Hash, u64>,
    logs: HashMap<LogId, Share>,
    /// What was handed to other validators by this one.
    passed_on: BTreeSet<u64>,
    /// Openers of new logs, strongest stamp first, then by arrival.
    openers: BTreeSet<(Reverse<u32>, u64)>,
    bytes: u64,
    /// What could be placed in one block if it were endless: entries and bytes.
    placeable: (u64, u64),
}

impl Pool {
    pub(crate) fn new(limits: PoolLimits) -> Self {
        Self {
            limits,
            waiting: BTreeMap::new(),
            next: 0,
            by_stamp: HashMap::new(),
            logs: HashMap::new(),
            passed_on: BTreeSet::new(),
            openers: BTreeSet::new(),
            bytes: 0,
            placeable: (0, 0),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn holds(&self, stamp: &Hash) -> bool {
        self.by_stamp.contains_key(stamp)
    }

    pub(crate) fn entry_of(&self, stamp: &Hash) -> Option<Hash> {
        let candidate = self.waiting.get(self.by_stamp.get(stamp)?)?;
        Some(candidate.carried.id())
    }

    pub(crate) fn carried(&self, stamp: &Hash) -> Option<Arc<Verified<Carried>>> {
        let candidate = self.waiting.get(self.by_stamp.get(stamp)?)?;
        Some(Arc::clone(&candidate.carried))
    }

    /// The envelope that waits under a stamp, if it is to be handed to other validators now; never twice.
    pub(crate) fn pass_on(&mut self, stamp: &Hash) -> Option<Arc<Verified<Carried>>> {
        let sequence = *self.by_stamp.get(stamp)?;
        let candidate = self.waiting.get(&sequence)?;
        self.passed_on.insert(sequence).then(|| Arc::clone(&candidate.carried))
    }

    /// Whether one more envelope of so many bytes may wait, as far as the whole pool goes.
    pub(crate) fn has_room(&self, bytes: u64) -> bool {
        self.waiting.len() < self.limits.entries && self.bytes.saturating_add(bytes) <= self.limits.bytes
    }

    /// How much waits, as the pace of blocks asks it.
    pub(crate) fn backlog(&self) -> Backlog {
        let (entries, bytes) = self.placeable;
        if self.waiting.is_empty() {
            Backlog::Empty
        } else if bytes >= widen(BLOCK_BYTES_MAX) || entries >= widen(BLOCK_ENTRIES_MAX) {
            Backlog::FullBlock
        } else {
            Backlog::Some
        }
    }

    /// Takes an envelope in, or says why not; then nothing has changed.
    pub(crate) fn admit(&mut self, candidate: Candidate) -> Result<Admitted, NotAdmitted> {
        if self.holds(&candidate.stamp) {
            return Ok(Admitted::Before);
        }
        let share = self.logs.get(&candidate.log());
        let opens = candidate.first == FirstOfLog::Yes && share.is_none_or(|share| share.opener.is_none());
        let required = candidate.first_bits;
        if opens && candidate.bits() < required {
            return Err(NotAdmitted::WeakStamp { required });
        }
        let is_log_full = share.is_some_and(|share| {
            share.entries >= LOG_ENTRIES_MAX || share.bytes.saturating_add(candidate.bytes()) > LOG_BYTES_MAX
        });
        if is_log_full {
            return Err(NotAdmitted::LogFull);
        }
        if !self.has_room(candidate.bytes()) {
            return Err(NotAdmitted::Full);
        }
        self.insert(candidate, opens);
        Ok(Admitted::New)
    }

    fn insert(&mut self, candidate: Candidate, opens: bool) {
        let sequence = self.next;
        self.next += 1;
        self.by_stamp.insert(candidate.stamp, sequence);
        self.bytes += candidate.bytes();
        self.change_share(candidate.log(), |share| {
            share.entries += 1;
            share.bytes += candidate.bytes();
            share.waiting.insert(sequence);
            if opens {
                share.opener = Some(sequence);
            }
        });
        if opens {
            self.openers.insert((Reverse(candidate.bits()), sequence));
        }
        self.waiting.insert(sequence, candidate);
    }

    /// Takes out what was ordered.
    pub(crate) fn remove_ordered<'a>(&mut self, stamps: impl IntoIterator<Item = &'a Hash>) {
        for stamp in stamps {
            self.remove(stamp);
        }
    }

    /// Takes out what can never be ordered, and with an opener those behind it whose stamps cannot open the log. Who
    /// submits one of them again is told the reason. Returns how many left.
    pub(crate) fn remove_hopeless(&mut self, stamp: &Hash) -> usize {
        let before = self.len();
        if let Some(orphaned) = self.remove(stamp) {
            self.promote(&orphaned);
        }
        before - self.len()
    }

    /// Returns the log, if it was the log's opener that left.
    fn remove(&mut self, stamp: &Hash) -> Option<LogId> {
        let sequence = self.by_stamp.remove(stamp)?;
        let candidate = self.waiting.remove(&sequence)?;
        let log = candidate.log();
        self.bytes -= candidate.bytes();
        self.passed_on.remove(&sequence);
        self.openers.remove(&(Reverse(candidate.bits()), sequence));
        let mut orphaned = false;
        self.change_share(log, |share| {
            share.entries -= 1;
            share.bytes -= candidate.bytes();
            share.waiting.remove(&sequence);
            orphaned = share.opener == Some(sequence);
            if orphaned {
                share.opener = None;
            }
        });
        orphaned.then_some(log)
    }

    /// Finds another envelope that can open the log, or lets the log go.
    fn promote(&mut self, log: &LogId) {
        let Some(share) = self.logs.get_mut(log) else { return };
        let strong = |sequence: &&u64| self.waiting.get(*sequence).is_some_and(|c| c.bits() >= c.first_bits);
        if let Some(sequence) = share.waiting.iter().find(strong).copied() {
            share.opener = Some(sequence);
            let bits = self.waiting.get(&sequence).map_or(0, Candidate::bits);
            self.openers.insert((Reverse(bits), sequence));
            return;
        }
        let stranded: Vec<Hash> = (share.waiting.iter())
            .filter_map(|sequence| self.waiting.get(sequence))
            .map(|candidate| candidate.stamp)
            .collect();
        for stamp in &stranded {
            self.remove(stamp);
        }
    }

    /// Changes what is noted of one log and keeps the sum over all logs true.
    fn change_share(&mut self, log: LogId, change: impl FnOnce(&mut Share)) {
        let share = self.logs.entry(log).or_default();
        let (entries, bytes) = share.placeable();
        change(share);
        let (entries_now, bytes_now) = share.placeable();
        self.placeable.0 = self.placeable.0 + entries_now - entries;
        self.placeable.1 = self.placeable.1 + bytes_now - bytes;
        if share.entries == 0 {
            self.logs.remove(&log);
        }
    }
}

/// A `u32` as a `u64` where a constant is needed.
#[expect(clippy::as_conversions, reason = "From is not const, and widening loses nothing")]
const fn widen(value: u32) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests;

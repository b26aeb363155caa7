//! A block in the making: entries are added one by one, each against the state that the earlier ones lead to.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::anchors::{AnchorError, HeadIsAnchor};
use super::{KEPT_LEVEL_STEP, Ledger, LedgerReader, LogChange, Step, StepEntry, TreeNode};
use crate::block::{block_leaf, entries_root};
use crate::change::{ChangeError, CommitteeChange};
use crate::codec::Decode;
use crate::envelope::{Carried, KeepFor};
use crate::evidence::Evidence;
use crate::genesis::FirstOfLog;
use crate::hash::Hash;
use crate::history;
use crate::keys::{LogId, ValidatorId, Verified};
use crate::ladder::Term;
use crate::limits::{
    BLOCK_BYTES_MAX, BLOCK_ENTRIES_MAX, LOG_BYTES_PER_BLOCK_MAX, LOG_ENTRIES_PER_BLOCK_MAX, NEW_LOGS_PER_BLOCK_MAX,
};
use crate::log::{LogState, Place, log_leaf, log_tree};
use crate::logmap::map_key;
use crate::merkle::Sha256Tree;

/// Why an entry may not stand in the next block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryFault {
    /// Its anchor is not a block of this history that can be named.
    AnchorUnknown,
    /// Its anchor is too old: this envelope can never be ordered any more.
    AnchorExpired,
    /// It is in the ledger already, or earlier in this block.
    Duplicate,
    /// The first entry of a log needs a stronger stamp.
    WeakStamp {
        /// Leading zero bits that are needed.
        required: u32,
    },
    /// On the committee log stand only changes of the committee that have an effect.
    Change(ChangeError),
    /// The log has had its share of this block. May stand in the next one.
    LogFull,
    /// The block has had its share of new logs. May stand in the next one.
    NewLogsFull,
    /// The block is full. May stand in the next one.
    BlockFull,
}

impl EntryFault {
    /// Whether the entry may yet stand in a later block.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::LogFull | Self::NewLogsFull | Self::BlockFull)
    }
}

impl core::fmt::Display for EntryFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::AnchorUnknown => f.write_str("the anchor is not a block of this history"),
            Self::AnchorExpired => f.write_str("the anchor is too old"),
            Self::Duplicate => f.write_str("the envelope is in the ledger already"),
            Self::WeakStamp { required } => write!(f, "the first entry of a log needs a stamp of {required} bits"),
            Self::Change(error) => error.fmt(f),
            Self::LogFull => f.write_str("the log has had its share of the block"),
            Self::NewLogsFull => f.write_str("the block has had its share of new logs"),
            Self::BlockFull => f.write_str("the block is full"),
        }
    }
}

struct PendingLog {
    state: LogState,
    first: FirstOfLog,
    entries: u32,
    bytes: u32,
    nodes: Vec<TreeNode>,
}

/// A block in the making.
pub struct Draft<'a, R> {
    ledger: &'a Ledger,
    reader: &'a R,
    time: u64,
    bytes: u32,
    new_logs: u32,
    logs: HashMap<LogId, PendingLog>,
    stamps: HashSet<Hash>,
    entries: Vec<StepEntry>,
    leaves: Vec<Hash>,
    /// The change of the committee that is agreed on, this block's entries included.
    pending: Option<CommitteeChange>,
}

impl<R> core::fmt::Debug for Draft<'_, R> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Draft({} entries, {} bytes)", self.entries.len(), self.bytes)
    }
}

impl<'a, R: LedgerReader> Draft<'a, R> {
    pub(super) fn new(ledger: &'a Ledger, reader: &'a R, time: u64) -> Self {
        Self {
            ledger,
            reader,
            time,
            bytes: 0,
            new_logs: 0,
            logs: HashMap::new(),
            stamps: HashSet::new(),
            entries: Vec::new(),
            leaves: Vec::new(),
            pending: ledger.pending.clone(),
        }
    }

    /// Entries so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds an entry, or says why it may not stand here; then the draft is as before.
    ///
    /// # Errors
    /// The outer error if the state could not be read, the inner one if the entry is at fault.
    pub fn add(&mut self, carried: Arc<Verified<Carried>>) -> Result<Result<(), EntryFault>, R::Error> {
        let header = &carried.signed.header;
        let stamp = header.stamp(&self.ledger.keys);
        if let Err(fault) = self.check_block(&carried, &stamp) {
            return Ok(Err(fault));
        }
        if self.reader.is_known(header.anchor.height, &stamp)? {
            return Ok(Err(EntryFault::Duplicate));
        }
        if !self.logs.contains_key(&header.log) {
            let state = self.reader.log(&header.log)?;
            self.logs.insert(header.log, PendingLog::open(header.log, state));
        }
        Ok(self.place(carried, stamp))
    }

    /// What can be said without reading anything.
    fn check_block(&self, carried: &Carried, stamp: &Hash) -> Result<(), EntryFault> {
        let limit = usize::try_from(BLOCK_ENTRIES_MAX).unwrap_or(usize::MAX);
        if self.entries.len() >= limit || self.bytes.saturating_add(carried.share()) > BLOCK_BYTES_MAX {
            return Err(EntryFault::BlockFull);
        }
        self.ledger
            .anchors
            .check(&carried.signed.header.anchor, self.time)
            .map_err(|error| match error {
                AnchorError::Unknown => EntryFault::AnchorUnknown,
                AnchorError::Expired => EntryFault::AnchorExpired,
            })?;
        if self.stamps.contains(stamp) {
            Err(EntryFault::Duplicate)
        } else {
            Ok(())
        }
    }

    fn place(&mut self, carried: Arc<Verified<Carried>>, stamp: Hash) -> Result<(), EntryFault> {
        let (header, keys) = (&carried.signed.header, &self.ledger.keys);
        let pending = self.logs.get_mut(&header.log).expect("the log was opened just before");
        let opens = pending.opens();
        pending.check(&carried)?;
        let required = self.ledger.parameters.required_bits(header.body_length, opens);
        if stamp.leading_zero_bits() < required {
            return Err(EntryFault::WeakStamp { required });
        }
        if opens == FirstOfLog::Yes && self.new_logs >= NEW_LOGS_PER_BLOCK_MAX {
            return Err(EntryFault::NewLogsFull);
        }
        if header.log == self.ledger.committee_log {
            self.pending = Some(change_in(self.ledger, self.pending.as_ref(), &carried).map_err(EntryFault::Change)?);
        }
        let height = self.ledger.head.height + 1;
        let in_block = u32::try_from(self.entries.len()).map_err(|_| EntryFault::BlockFull)?;
        let log_index = pending.state.length();
        let leaf = log_leaf(
            keys,
            &carried.id(),
            &Place {
                height,
                time: self.time,
                in_block,
            },
        );
        let nodes = &mut pending.nodes;
        pending
            .state
            .frontier
            .append_with(&log_tree(keys), leaf, |level, index, hash| {
                if level % KEPT_LEVEL_STEP == 0 {
                    nodes.push(TreeNode { level, index, hash });
                }
            });
        pending.state.last_height = height;
        pending.entries += 1;
        pending.bytes += carried.share();
        self.new_logs += u32::from(opens == FirstOfLog::Yes);
        self.bytes += carried.share();
        self.stamps.insert(stamp);
        self.leaves.push(block_leaf(keys, &carried.id(), log_index));
        let position = self.ledger.head.total_entries + u64::from(in_block);
        self.entries.push(StepEntry {
            carried,
            stamp,
            position,
            log_index,
            log_leaf: leaf,
        });
        Ok(())
    }

    /// The finished block.
    ///
    /// # Panics
    /// If the log map is full: two thousand million logs do not fit a machine's memory long before.
    pub fn finish(self, proposer: ValidatorId, evidence: Vec<Evidence>) -> Step {
        let Self {
            ledger,
            time,
            logs,
            entries,
            leaves,
            pending,
            ..
        } = self;
        let keys = &ledger.keys;
        let logs = changes(ledger, logs);
        let updates: Vec<(Hash, Hash)> = logs
            .iter()
            .map(|change| (change.map_key, change.leaf.hash(keys)))
            .collect();
        let map = ledger
            .map
            .plan(keys, &updates)
            .expect("the keys are sorted, unique, and leaf hashes are not zero");
        let mut header = ledger.next_header(time, proposer, &evidence);
        header.entries_root = entries_root(keys, &leaves);
        header.entry_count = u32::try_from(entries.len()).expect("bounded by the block's limit");
        header.total_entries += u64::from(header.entry_count);
        header.map_root = map.root();
        header.log_count += map.new_logs();
        let (next_term, pending) = takes_over(pending, header.height + 1);
        if let Some(term) = &next_term {
            header.next_committee = term.committee.hash(keys);
        }
        let mut history = ledger.history.clone();
        let mut history_nodes = Vec::new();
        history.append_with(&Sha256Tree, history::leaf(&header), |level, index, hash| {
            if level % KEPT_LEVEL_STEP == 0 {
                history_nodes.push(TreeNode { level, index, hash });
            }
        });
        let head_is_anchor = if header.can_be_anchor() {
            HeadIsAnchor::Yes
        } else {
            HeadIsAnchor::No
        };
        let expired_anchors = ledger.anchors.expired_after(time, head_is_anchor);
        let id = header.id(keys);
        Step {
            header,
            id,
            entries,
            evidence,
            logs,
            history_nodes,
            expired_anchors,
            next_term,
            pending,
            map,
            history,
        }
    }
}

impl PendingLog {
    fn open(log: LogId, state: Option<LogState>) -> Self {
        let first = if state.is_some() {
            FirstOfLog::No
        } else {
            FirstOfLog::Yes
        };
        Self {
            state: state.unwrap_or_else(|| LogState::empty(log)),
            first,
            entries: 0,
            bytes: 0,
            nodes: Vec::new(),
        }
    }

    /// Whether the next entry is the log's first.
    fn opens(&self) -> FirstOfLog {
        if self.entries == 0 { self.first } else { FirstOfLog::No }
    }

    fn check(&self, carried: &Carried) -> Result<(), EntryFault> {
        let bytes = self.bytes.saturating_add(carried.share());
        if self.entries >= LOG_ENTRIES_PER_BLOCK_MAX || bytes > LOG_BYTES_PER_BLOCK_MAX {
            return Err(EntryFault::LogFull);
        }
        Ok(())
    }
}

/// What an entry on the committee log changes. `pending` is what was agreed on before it: a change that takes over
/// earlier replaces it, so that a mistake can be corrected and an old change that somebody submits again can not undo it.
fn change_in(
    ledger: &Ledger,
    pending: Option<&CommitteeChange>,
    carried: &Carried,
) -> Result<CommitteeChange, ChangeError> {
    let body = carried.body.present().ok_or(ChangeError::BodyMissing)?;
    if carried.signed.header.keep_for != KeepFor::Ever {
        return Err(ChangeError::WouldExpire);
    }
    let change = CommitteeChange::from_bytes(body).map_err(ChangeError::Malformed)?;
    if change.from_height <= ledger.head.height + 1 {
        return Err(ChangeError::NotAhead);
    }
    if pending.is_some_and(|pending| pending.from_height <= change.from_height) {
        return Err(ChangeError::Superseded);
    }
    let verified = change.verify(&ledger.keys, ledger.committee())?;
    Ok(verified.into_inner())
}

/// Whether what was agreed on takes over at `height`, or goes on waiting.
fn takes_over(pending: Option<CommitteeChange>, height: u64) -> (Option<Term>, Option<CommitteeChange>) {
    match pending {
        Some(change) if change.from_height == height => {
            let (from, committee) = (change.from_height, change.next);
            (Some(Term { from, committee }), None)
        }
        waiting => (None, waiting),
    }
}

/// The logs that gained entries, ascending by map key. A log that was only looked at is none.
fn changes(ledger: &Ledger, logs: HashMap<LogId, PendingLog>) -> Vec<LogChange> {
    let keys = &ledger.keys;
    let changed = logs.into_values().filter(|pending| pending.entries > 0);
    let mut changes: Vec<LogChange> = changed
        .map(|PendingLog { state, nodes, .. }| LogChange {
            map_key: map_key(keys, &state.log.as_hash()),
            leaf: state.leaf(keys),
            state,
            nodes,
        })
        .collect();
    changes.sort_unstable_by_key(|change| change.map_key);
    changes
}

//! The ledger's rules on state: which entries a block may hold, and what it changes.
//!
//! ```text
//! ledger.check(block) -> Step      pure: everything the block changes, as a value
//! store.commit(step)               one atomic, synced write
//! ledger.advance(step)             only now is it true here
//! announce                         only now do others hear of it
//! ```
//!
//! Proposing and checking are one computation: a proposer drafts a block entry by entry, and whoever checks drafts the
//! same entries and compares the header he arrives at with the one he was shown. So no field of a header can be
//! believed by mistake, and a validator cannot propose what it would refuse. Recovery runs the same three calls.
//! `// SPEC 14`

mod anchors;
mod draft;

pub use anchors::{AnchorError, Anchors};
pub use draft::{Draft, EntryFault};

use std::sync::Arc;

use crate::block::{BlockHeader, evidence_root};
use crate::change::CommitteeChange;
use crate::committee::Committee;
use crate::envelope::Carried;
use crate::evidence::{Evidence, EvidenceError};
use crate::genesis::{Genesis, Parameters};
use crate::hash::{Hash, HashKeys};
use crate::history;
use crate::keys::{LogId, ValidatorId, Verified};
use crate::ladder::{Ladder, Term};
use crate::limits::{CLOCK_SKEW_MS, EVIDENCE_MAX};
use crate::log::LogState;
use crate::logmap::{LogMap, MapLeaf, MapPath, MapStep};
use crate::merkle::{Frontier, Sha256Tree};
use crate::schedule::{self, Schedule};

/// A tree keeps its nodes of every level that is a multiple of this; the levels between are computed again when asked.
pub const KEPT_LEVEL_STEP: u8 = 4;

/// What the rules must read of the state that is not in memory.
pub trait LedgerReader {
    /// Why it could not be read.
    type Error;

    /// The state of a log after the ledger's head; `None` if there is no such log.
    ///
    /// # Errors
    /// If it could not be read.
    fn log(&self, log: &LogId) -> Result<Option<LogState>, Self::Error>;

    /// Whether an envelope with this anchor height and stamp is in the ledger already.
    ///
    /// # Errors
    /// If it could not be read.
    fn is_known(&self, anchor: u64, stamp: &Hash) -> Result<bool, Self::Error>;
}

/// An inner node of a tree that became complete: level, index, hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TreeNode {
    /// 4, 8, 12, ...
    pub level: u8,
    /// Among the nodes of its level.
    pub index: u64,
    /// Its hash.
    pub hash: Hash,
}

/// One entry in its place.
#[derive(Clone, Debug)]
pub struct StepEntry {
    /// Header, signature, body.
    pub carried: Arc<Verified<Carried>>,
    /// The name under which duplicates are known.
    pub stamp: Hash,
    /// Its place among all entries of the ledger.
    pub position: u64,
    /// Its index in its log.
    pub log_index: u64,
    /// Its leaf in its log.
    pub log_leaf: Hash,
}

/// One log after the block.
#[derive(Clone, Debug)]
pub struct LogChange {
    /// Where it stands in the log map.
    pub map_key: Hash,
    /// Its state.
    pub state: LogState,
    /// The same as a leaf of the log map.
    pub leaf: MapLeaf,
    /// Nodes to keep.
    pub nodes: Vec<TreeNode>,
}

/// Everything a block changes, as a value. It changes nothing until it is committed and advanced to.
#[derive(Debug)]
#[must_use = "a step changes nothing until the ledger advances to it"]
pub struct Step {
    /// The block's header.
    pub header: BlockHeader,
    /// Its block id.
    pub id: Hash,
    /// Its entries in order.
    pub entries: Vec<StepEntry>,
    /// The evidence it carries.
    pub evidence: Vec<Evidence>,
    /// The logs it changes, ascending by map key.
    pub logs: Vec<LogChange>,
    /// Nodes of the history tree to keep.
    pub history_nodes: Vec<TreeNode>,
    /// Heights of anchors that no later block can use: what is known of duplicates under them can be forgotten.
    pub expired_anchors: Vec<u64>,
    /// The term that begins with the next block, if one does.
    pub next_term: Option<Term>,
    /// The change of the committee that was agreed on and has not taken over yet.
    pending: Option<CommitteeChange>,
    map: MapStep,
    history: Frontier,
}

/// Why a block is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BlockError<E> {
    /// It belongs to another network.
    ForeignNetwork,
    /// It does not follow the head: another height or parent.
    NotNext,
    /// Its time is not after its parent's.
    TimeRunsBack,
    /// An entry may not stand where it stands.
    Entry {
        /// Its place in the block.
        place: usize,
        /// Why.
        fault: EntryFault,
    },
    /// A piece of evidence proves nothing.
    Evidence(EvidenceError),
    /// The header says something else than its content and the state before it lead to.
    Wrong(HeaderField),
    /// The state could not be read: says nothing about the block.
    Read(E),
}

/// A field of a header that is computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeaderField {
    /// Parameters in force.
    Parameters,
    /// Term or a committee's hash.
    Committee,
    /// Root of the history.
    HistoryRoot,
    /// Root over the entries.
    EntriesRoot,
    /// Number of entries, here or in all.
    Counts,
    /// Root of the log map.
    MapRoot,
    /// Number of logs.
    LogCount,
    /// Hash of the evidence.
    EvidenceRoot,
    /// Who proposed it: a member of the committee.
    Proposer,
}

impl core::fmt::Display for HeaderField {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Parameters => "parameters",
            Self::Committee => "term or committee",
            Self::HistoryRoot => "history root",
            Self::EntriesRoot => "entries root",
            Self::Counts => "entry count",
            Self::MapRoot => "log map root",
            Self::LogCount => "log count",
            Self::EvidenceRoot => "evidence root",
            Self::Proposer => "proposer",
        })
    }
}

impl<E: core::fmt::Display> core::fmt::Display for BlockError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::ForeignNetwork => f.write_str("the block belongs to another network"),
            Self::NotNext => f.write_str("the block does not follow the head"),
            Self::TimeRunsBack => f.write_str("the block's time is not after its parent's"),
            Self::Entry { place, fault } => write!(f, "entry {place} of the block: {fault}"),
            Self::Evidence(error) => write!(f, "the block's evidence: {error}"),
            Self::Wrong(field) => write!(f, "the header's {field} does not match its content"),
            Self::Read(error) => write!(f, "the ledger could not be read: {error}"),
        }
    }
}

impl<E: core::fmt::Debug + core::fmt::Display> core::error::Error for BlockError<E> {}

/// Why stored state is not the state of the head it claims.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RestoreError {
    /// The head belongs to another network.
    OtherNetwork,
    /// The committees do not lead from the genesis to the one that the head names, or the change that is agreed on is
    /// not theirs.
    WrongCommittee,
    /// The log map does not have the root, or not the number of logs, that the head names.
    WrongMap,
    /// The history does not end in the head.
    WrongHistory,
}

impl core::fmt::Display for RestoreError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::OtherNetwork => "the head belongs to another network",
            Self::WrongCommittee => "the committees stored do not lead to the one that the head names",
            Self::WrongMap => "the log map does not have the root that the head names",
            Self::WrongHistory => "the history of headers does not lead to the head",
        })
    }
}

impl core::error::Error for RestoreError {}

/// The part of the ledger's state that is held in memory: about 160 MB per million logs.
#[derive(Debug)]
pub struct Ledger {
    keys: HashKeys,
    parameters: Parameters,
    /// The log on which changes of the committee stand.
    committee_log: LogId,
    ladder: Ladder,
    /// A change that was agreed on and takes over in a block after the next.
    pending: Option<CommitteeChange>,
    schedule: Schedule,
    head: BlockHeader,
    id: Hash,
    /// Over all headers, the head's included.
    history: Frontier,
    map: LogMap,
    anchors: Anchors,
}

/// What a store hands back so that a ledger goes on where it stopped.
#[derive(Debug)]
pub struct Stored {
    /// The newest block.
    pub head: BlockHeader,
    /// Frontier of the history tree over all headers before the head.
    pub history: Frontier,
    /// All logs.
    pub map: LogMap,
    /// Headers that can still be anchors, ascending, as (height, block id, time).
    pub anchors: Vec<(u64, Hash, u64)>,
    /// All committees up to the one that certifies the block after the head.
    pub ladder: Ladder,
    /// Who proposed the newest blocks, ascending up to the head: those from [`schedule::first_height`] on.
    pub proposers: Vec<ValidatorId>,
    /// A change of the committee that was agreed on and takes over in a block after the next.
    pub pending: Option<CommitteeChange>,
}

impl Ledger {
    /// The state after block 0.
    #[must_use]
    pub fn new(genesis: &Genesis) -> Self {
        let (keys, head) = (genesis.keys(), genesis.block());
        let id = head.id(&keys);
        let mut history = Frontier::empty();
        history.append(&Sha256Tree, history::leaf(&head));
        let anchors = Anchors::new([(0, id, head.time)]);
        let ladder = Ladder::new(genesis.committee());
        Self {
            parameters: genesis.parameters,
            committee_log: genesis.committee_log_id(),
            schedule: Schedule::new(ladder.current()),
            ladder,
            pending: None,
            map: LogMap::new(),
            keys,
            head,
            id,
            history,
            anchors,
        }
    }

    /// The state after a stored head.
    ///
    /// # Errors
    /// If what was stored does not add up to what the head commits to.
    pub fn restore(genesis: &Genesis, stored: Stored) -> Result<Self, RestoreError> {
        let Stored {
            head,
            mut history,
            map,
            anchors,
            ladder,
            proposers,
            pending,
        } = stored;
        let keys = genesis.keys();
        if head.network != keys.network() {
            return Err(RestoreError::OtherNetwork);
        }
        if !leads_to(&keys, genesis, &ladder, &head)
            || !pending.iter().all(|change| waits(&keys, &ladder, &head, change))
        {
            return Err(RestoreError::WrongCommittee);
        }
        if map.root() != head.map_root || u64::try_from(map.len()) != Ok(head.log_count) {
            return Err(RestoreError::WrongMap);
        }
        if history.len() != head.height || history.root(&Sha256Tree) != head.history_root {
            return Err(RestoreError::WrongHistory);
        }
        let schedule = recall(&ladder, &head, &proposers).ok_or(RestoreError::WrongHistory)?;
        history.append(&Sha256Tree, history::leaf(&head));
        let id = head.id(&keys);
        let anchors = Anchors::new(anchors);
        Ok(Self {
            parameters: genesis.parameters,
            committee_log: genesis.committee_log_id(),
            ladder,
            pending,
            schedule,
            keys,
            head,
            id,
            history,
            map,
            anchors,
        })
    }

    /// The same rules but one, for a simulation that is to notice: entries may stand under any anchor.
    #[cfg(feature = "broken-on-purpose")]
    #[must_use]
    pub fn without_anchor_checks(mut self) -> Self {
        self.anchors.disregard();
        self
    }

    /// The network's hash keys.
    #[must_use]
    pub const fn keys(&self) -> &HashKeys {
        &self.keys
    }

    /// Stamp difficulty in force.
    #[must_use]
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Who certifies the next block.
    #[must_use]
    pub const fn committee(&self) -> &Committee {
        self.ladder.current()
    }

    /// All committees so far, that of the next block included.
    #[must_use]
    pub const fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// The log on which changes of the committee stand.
    #[must_use]
    pub const fn committee_log(&self) -> LogId {
        self.committee_log
    }

    /// The change of the committee that was agreed on and takes over in a block after the next.
    #[must_use]
    pub const fn pending(&self) -> Option<&CommitteeChange> {
        self.pending.as_ref()
    }

    /// Who proposes the next block: round r is the turn of `turns[r % n]`. See [`crate::schedule`].
    #[must_use]
    pub fn turns(&self) -> Vec<ValidatorId> {
        self.schedule.turns(self.head.height + 1)
    }

    /// The newest block's header.
    #[must_use]
    pub const fn head(&self) -> &BlockHeader {
        &self.head
    }

    /// Its block id.
    #[must_use]
    pub const fn id(&self) -> Hash {
        self.id
    }

    /// Blocks that envelopes may name.
    #[must_use]
    pub const fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    /// The way to a log in the log map, as proof of what is there.
    #[must_use]
    pub fn prove(&self, map_key: &Hash) -> MapPath {
        self.map.prove(map_key)
    }

    /// Starts the next block, ordered at `time`.
    #[must_use]
    pub fn draft<'a, R: LedgerReader>(&'a self, reader: &'a R, time: u64) -> Draft<'a, R> {
        Draft::new(self, reader, time)
    }

    /// Checks a block of verified entries against the state, and says what it changes.
    ///
    /// That its time is not too far ahead of a clock is for voters to judge: [`is_timely`].
    ///
    /// # Errors
    /// See [`BlockError`].
    pub fn check<R: LedgerReader>(
        &self,
        reader: &R,
        header: &BlockHeader,
        entries: Vec<Arc<Verified<Carried>>>,
        evidence: Vec<Evidence>,
    ) -> Result<Step, BlockError<R::Error>> {
        if header.network != self.keys.network() {
            return Err(BlockError::ForeignNetwork);
        }
        if Some(header.height) != self.head.height.checked_add(1) || header.parent != self.id {
            return Err(BlockError::NotNext);
        }
        if header.time <= self.head.time {
            return Err(BlockError::TimeRunsBack);
        }
        if evidence.len() > usize::try_from(EVIDENCE_MAX).unwrap_or(usize::MAX) {
            return Err(BlockError::Evidence(EvidenceError::TooMany));
        }
        for piece in &evidence {
            self.check_evidence(piece).map_err(BlockError::Evidence)?;
        }
        let mut draft = self.draft(reader, header.time);
        for (place, entry) in entries.into_iter().enumerate() {
            draft
                .add(entry)
                .map_err(BlockError::Read)?
                .map_err(|fault| BlockError::Entry { place, fault })?;
        }
        let step = draft.finish(header.proposer, evidence);
        if let Some(field) = first_difference(header, &step.header) {
            return Err(BlockError::Wrong(field));
        }
        match self.committee().members().binary_search(&header.proposer) {
            Ok(_) => Ok(step),
            Err(_) => Err(BlockError::Wrong(HeaderField::Proposer)),
        }
    }

    /// Checks evidence against the committee of the height that it is about: one of this ledger's, up to the one that is
    /// voting now.
    ///
    /// # Errors
    /// See [`EvidenceError`]; [`EvidenceError::NotYet`] above the next block.
    pub fn check_evidence(&self, evidence: &Evidence) -> Result<(), EvidenceError> {
        let height = evidence.height();
        if height > self.head.height + 1 {
            return Err(EvidenceError::NotYet);
        }
        evidence.verify(&self.keys, self.ladder.at(height))
    }

    /// Makes a step true in memory. Its effects must be durable by now.
    ///
    /// # Panics
    /// If the step was made for another state: that is a mistake in the program, and going on would be worse.
    pub fn advance(&mut self, step: Step) {
        assert_eq!(
            step.header.parent, self.id,
            "a step is advanced to from the state it was made for"
        );
        self.map
            .apply(step.map)
            .expect("the step was planned on this map, which nobody changed since");
        if step.header.can_be_anchor() {
            self.anchors.push((step.header.height, step.id, step.header.time));
        }
        self.anchors.forget(&step.expired_anchors);
        self.schedule.record(step.header.height, &step.header.proposer);
        if let Some(term) = step.next_term {
            self.schedule = Schedule::new(&term.committee);
            self.ladder
                .climb(term)
                .expect("the draft named the committee of the next term");
        }
        self.pending = step.pending;
        self.history = step.history;
        self.head = step.header;
        self.id = step.id;
    }

    fn next_header(&self, time: u64, proposer: ValidatorId, evidence: &[Evidence]) -> BlockHeader {
        let committee = self.ladder.hash(&self.keys);
        BlockHeader {
            parameters: self.parameters.hash(&self.keys),
            network: self.keys.network(),
            term: self.committee().term(),
            height: self.head.height + 1,
            time,
            parent: self.id,
            history_root: self.history.root(&Sha256Tree),
            entries_root: Hash::ZERO,
            entry_count: 0,
            total_entries: self.head.total_entries,
            map_root: self.map.root(),
            log_count: self.head.log_count,
            committee,
            next_committee: committee,
            evidence_root: evidence_root(&self.keys, evidence),
            proposer,
        }
    }
}

/// Whether a voter whose clock says `now` may accept a header's time.
#[must_use]
pub const fn is_timely(time: u64, now: u64) -> bool {
    time <= now.saturating_add(CLOCK_SKEW_MS)
}

/// Whether these are the committees from the genesis to the one that certifies what follows `head`.
fn leads_to(keys: &HashKeys, genesis: &Genesis, ladder: &Ladder, head: &BlockHeader) -> bool {
    let first = ladder.terms().next().map(|term| &term.committee);
    let own = ladder.at(head.height);
    first == Some(&genesis.committee())
        && ladder.from() <= head.height.saturating_add(1)
        && (head.term, head.committee) == (own.term(), own.hash(keys))
        && head.next_committee == ladder.hash(keys)
}

/// Whether a change is one that the committee in force agreed on and that has not taken over yet.
fn waits(keys: &HashKeys, ladder: &Ladder, head: &BlockHeader, change: &CommitteeChange) -> bool {
    let is_ahead = change.from_height > head.height.saturating_add(1);
    is_ahead && change.clone().verify(keys, ladder.current()).is_ok()
}

/// The turns after `head`, from the proposers of the newest blocks; `None` if they are not as many as it takes.
fn recall(ladder: &Ladder, head: &BlockHeader, proposers: &[ValidatorId]) -> Option<Schedule> {
    let committee = ladder.current();
    let first = schedule::first_height(committee, ladder.from(), head.height);
    let heights = first..head.height.saturating_add(1);
    let expected = heights.end.saturating_sub(heights.start);
    if u64::try_from(proposers.len()) != Ok(expected) {
        return None;
    }
    let mut schedule = Schedule::new(committee);
    for (height, proposer) in heights.zip(proposers) {
        schedule.record(height, proposer);
    }
    Some(schedule)
}

fn first_difference(shown: &BlockHeader, computed: &BlockHeader) -> Option<HeaderField> {
    let committee = |header: &BlockHeader| (header.term, header.committee, header.next_committee);
    let counts = |header: &BlockHeader| (header.entry_count, header.total_entries);
    let fields = [
        (shown.parameters == computed.parameters, HeaderField::Parameters),
        (committee(shown) == committee(computed), HeaderField::Committee),
        (shown.history_root == computed.history_root, HeaderField::HistoryRoot),
        (counts(shown) == counts(computed), HeaderField::Counts),
        (shown.entries_root == computed.entries_root, HeaderField::EntriesRoot),
        (shown.log_count == computed.log_count, HeaderField::LogCount),
        (shown.map_root == computed.map_root, HeaderField::MapRoot),
        (shown.evidence_root == computed.evidence_root, HeaderField::EvidenceRoot),
    ];
    fields.into_iter().find(|(same, _)| !same).map(|(_, field)| field)
}

#[cfg(test)]
mod tests;

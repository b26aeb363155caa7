//! Putting a snapshot together: what to ask for next, and whether what came is true.
//!
//! ```text
//! Ascent ── updates climb the ladder ──> Assembly ── ask ──> (anybody) ── answer ──> take ──> rows, checked
//!                                           ^                               │
//!                                           └─────── failed: asked again ───┘
//! ```
//!
//! Several questions may be under way at once, at several nodes. Rows come out as soon as they are checked, for a store to
//! put aside; what stays here is the outline and what is known of the blocks that still lack their entries. The slot with
//! the committee log comes first, and the opening after it and all headers, so that every part can be judged when it comes.

use std::collections::VecDeque;

use super::SnapshotError;
use super::limits::BLOCKS_WAITING_MAX;
use super::logs::{self, LogRow};
use super::outline::{OutlineCheck, Slot, Span};
use super::part::{Answer, Ask, LastChange, Opening};
use super::window::{Chain, Group, Recent};
use crate::block::BlockHeader;
use crate::certificate::Head;
use crate::change::{ChangeError, CommitteeChange};
use crate::codec::Decode;
use crate::follow::{Accepted, Follow, HeadUpdate};
use crate::genesis::Genesis;
use crate::hash::{Hash, HashKeys, Meaning};
use crate::history;
use crate::keys::LogId;
use crate::ladder::{Ladder, Term};
use crate::ledger::TreeNode;
use crate::log::{LogCursor, LogState, Place, log_leaf};
use crate::logmap::map_key;
use crate::merkle::{Frontier, InclusionProof, Sha256Tree};
use crate::schedule;

/// The way to a certified header: a client's, that keeps the committees it meets.
#[derive(Debug)]
pub struct Ascent {
    genesis: Genesis,
    follow: Follow,
    ladder: Ladder,
    rungs: Vec<Head>,
    nodes: Vec<TreeNode>,
    head: Option<Head>,
}

impl Ascent {
    /// From the genesis.
    #[must_use]
    pub fn new(genesis: &Genesis) -> Self {
        Self {
            follow: Follow::from_genesis(genesis),
            ladder: Ladder::new(genesis.committee()),
            genesis: genesis.clone(),
            rungs: Vec::new(),
            nodes: Vec::new(),
            head: None,
        }
    }

    /// Height of the newest header that holds: where the next update begins.
    #[must_use]
    pub const fn held(&self) -> u64 {
        self.follow.header().height
    }

    /// The newest head that holds; `None` before the first.
    #[must_use]
    pub const fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    pub(super) const fn keys(&self) -> &HashKeys {
        self.follow.keys()
    }

    pub(super) const fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// When a committee last certified something that holds, ms.
    pub(super) const fn confirmed(&self) -> u64 {
        self.follow.held().confirmed
    }

    /// Climbs; whoever starts from an old genesis relies on its committee's keys, so `now` (ms) decides whether it may.
    ///
    /// # Errors
    /// [`SnapshotError::Head`]; then nothing has changed.
    pub fn accept(&mut self, update: &HeadUpdate, now: u64) -> Result<Accepted, SnapshotError> {
        let mut below = self.held();
        let accepted = self.follow.accept(update, now).map_err(SnapshotError::Head)?;
        for rung in &update.ladder {
            let height = rung.head.header.height;
            self.nodes.extend(complete_siblings(below, height, &rung.extension));
            below = height;
            let term = Term {
                from: rung.head.header.height.saturating_add(1),
                committee: rung.next.clone(),
            };
            if self.ladder.climb(term).is_ok() {
                self.rungs.push(rung.head.clone());
            }
        }
        let height = update.head.header.height;
        self.nodes.extend(complete_siblings(below, height, &update.extension));
        self.head = Some(update.head.clone());
        Ok(accepted)
    }

    /// Begins with the snapshot at the newest head; `None` if there is none: a ledger without blocks.
    #[must_use]
    pub fn begin(self) -> Option<Assembly> {
        let Self {
            genesis,
            ladder,
            rungs,
            nodes,
            head,
            ..
        } = self;
        let (head, keys) = (head?, genesis.keys());
        let block = genesis.block();
        let genesis_id = block.id(&keys);
        let first = schedule::first_height(ladder.current(), ladder.from(), head.header.height);
        let chain = Chain::new(&keys, &head.header, first, (&block, genesis_id));
        Some(Assembly {
            committee_log: genesis.committee_log_id(),
            committee: CommitteeLog::Unknown,
            keys,
            block,
            genesis_id,
            head,
            ladder,
            rungs,
            nodes,
            opening_stage: Stage::Due,
            opening: None,
            outline: OutlineCheck::new(),
            outline_stage: Stage::Due,
            slots: VecDeque::new(),
            chain,
            headers_stage: Stage::Due,
            groups: VecDeque::new(),
            back: VecDeque::new(),
            under_way: 0,
        })
    }
}

/// The complete subtrees on the way from a header up to the root of the history before a later one. They never change: whoever
/// has them can lead others up the same way, to any later head.
fn complete_siblings(older: u64, newer: u64, path: &InclusionProof) -> Vec<TreeNode> {
    let inner = u64::BITS - (older ^ newer.saturating_sub(1)).leading_zeros();
    let mut siblings = path.siblings.iter();
    let mut nodes = Vec::new();
    for level in 0..63_u8 {
        let here = older >> level;
        let index = match here & 1 {
            1 => here - 1,
            _ if u32::from(level) < inner => here + 1,
            _ => continue,
        };
        let Some(hash) = siblings.next() else { break };
        if (index + 1).checked_shl(level.into()).is_some_and(|end| end <= newer) {
            nodes.push(TreeNode {
                level,
                index,
                hash: *hash,
            });
        }
    }
    nodes
}

/// Parts that come one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// To be asked for.
    Due,
    /// Asked for.
    Asked,
    /// Nothing more to ask for.
    Done,
}

/// What is under way, with what it will be checked against.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question {
    /// What to ask.
    pub ask: Ask,
    against: Against,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Against {
    Slot(Span, Slot),
    Group(Group),
    Own,
}

/// Rows that hold, for a store to put aside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rows {
    /// Nothing yet.
    None,
    /// States of logs with their map keys, ascending.
    Logs(Vec<(Hash, LogState)>),
    /// Headers, ascending.
    Headers(Vec<BlockHeader>),
    /// Envelopes that could come again. Some may be under anchors that nobody can name any more.
    Recent(Vec<Recent>),
}

/// What a snapshot holds beside its rows: where a ledger goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joint {
    /// The certified head.
    pub head: Head,
    /// The frontier of the history before the lowest header that is here.
    pub history: Frontier,
    /// Complete subtrees of the history on the way from the genesis over the last heads of terms to the head.
    pub nodes: Vec<TreeNode>,
    /// Blocks that can be named, ascending.
    pub anchors: Vec<(u64, Hash, u64)>,
    /// All committees.
    pub ladder: Ladder,
    /// The last heads of the terms that have ended.
    pub rungs: Vec<Head>,
    /// The last entry on the committee log.
    pub change: Option<ChangeEntry>,
}

/// The last entry on the committee log, where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeEntry {
    /// The log.
    pub log: LogId,
    /// Its index there.
    pub index: u64,
    /// Its leaf there.
    pub leaf: Hash,
    /// Its place among all entries of the ledger.
    pub position: u64,
    /// Its body, a change of the committee. Whether it still waits follows from the height that it names.
    pub body: Vec<u8>,
}

/// What is known of the committee log.
#[derive(Clone, PartialEq, Eq, Debug)]
enum CommitteeLog {
    /// Its slot is not here yet.
    Unknown,
    /// Nothing was ever ordered on it.
    Absent,
    /// It has this state.
    Known(LogState),
}

/// A snapshot in the making.
#[derive(Debug)]
pub struct Assembly {
    keys: HashKeys,
    block: BlockHeader,
    genesis_id: Hash,
    committee_log: LogId,
    committee: CommitteeLog,
    head: Head,
    ladder: Ladder,
    rungs: Vec<Head>,
    nodes: Vec<TreeNode>,
    opening_stage: Stage,
    opening: Option<(Frontier, Option<ChangeEntry>)>,
    outline: OutlineCheck,
    outline_stage: Stage,
    slots: VecDeque<(Span, Slot)>,
    chain: Chain,
    headers_stage: Stage,
    groups: VecDeque<Group>,
    /// Asked for in vain.
    back: VecDeque<Question>,
    under_way: usize,
}

impl Assembly {
    /// The head that everything is held against.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// What to ask for next; `None` while nothing more can be asked before something under way is answered, or at the end.
    pub fn next_question(&mut self) -> Option<Question> {
        let question = self.choose()?;
        self.under_way += 1;
        Some(question)
    }

    fn choose(&mut self) -> Option<Question> {
        let own = |ask| {
            Some(Question {
                ask,
                against: Against::Own,
            })
        };
        if let Some(again) = self.back.pop_front() {
            return Some(again);
        }
        if self.outline_stage == Stage::Due {
            self.outline_stage = Stage::Asked;
            let first = u64::try_from(self.outline.len()).unwrap_or(u64::MAX);
            return own(Ask::Outline { first });
        }
        if self.headers_stage == Stage::Due && !self.chain.is_behind(BLOCKS_WAITING_MAX) {
            match self.chain.wanted() {
                Some((from, count)) => {
                    self.headers_stage = Stage::Asked;
                    return own(Ask::Headers { from, count });
                }
                None => self.headers_stage = Stage::Done,
            }
        }
        if self.opening_stage == Stage::Due && self.can_open() {
            self.opening_stage = Stage::Asked;
            let size = self.chain.lowest().height;
            return own(Ask::Opening { size });
        }
        if let Some((span, slot)) = self.slots.pop_front() {
            return Some(Question {
                ask: Ask::Logs(span),
                against: Against::Slot(span, slot),
            });
        }
        let group = self.groups.pop_front().or_else(|| self.chain.group())?;
        Some(Question {
            ask: Ask::Window {
                from: group.from(),
                count: group.count(),
            },
            against: Against::Group(group),
        })
    }

    /// Whether the opening can be judged when it comes.
    fn can_open(&self) -> bool {
        self.committee != CommitteeLog::Unknown && self.headers_stage == Stage::Done
    }

    /// Whether everything is here.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let is_idle = self.under_way == 0 && self.back.is_empty() && self.slots.is_empty() && self.groups.is_empty();
        let stages = [self.opening_stage, self.outline_stage, self.headers_stage];
        is_idle && stages == [Stage::Done; 3] && !self.chain.is_behind(1)
    }

    /// Where a ledger goes on; `None` until everything is here.
    #[must_use]
    pub fn finish(self) -> Option<Joint> {
        if !self.is_complete() {
            return None;
        }
        let (history, change) = self.opening?;
        Some(Joint {
            anchors: self.chain.anchors(),
            head: self.head,
            history,
            nodes: self.nodes,
            ladder: self.ladder,
            rungs: self.rungs,
            change,
        })
    }

    /// A question was not answered, or not truthfully: it is asked again.
    pub fn failed(&mut self, question: Question) {
        self.under_way = self.under_way.saturating_sub(1);
        if let Ask::Outline { .. } = question.ask {
            // Only the whole is certified. Parts of two nodes would not say which of them lied.
            self.outline = OutlineCheck::new();
            self.outline_stage = Stage::Due;
        } else {
            self.back.push_back(question);
        }
    }

    /// Checks an answer; what comes out holds. After a refusal everything is as before, and the question is due again.
    ///
    /// All parts of an outline have to come from one node: a refused one takes those before it along.
    ///
    /// # Errors
    /// See [`SnapshotError`]: the fault of who answered.
    pub fn take(&mut self, question: Question, answer: &[u8]) -> Result<Rows, SnapshotError> {
        let taken = question
            .ask
            .answer(answer)
            .and_then(|answer| self.check(&question, answer));
        match taken {
            Ok(_) => self.under_way = self.under_way.saturating_sub(1),
            Err(_) => self.failed(question),
        }
        taken
    }

    fn check(&mut self, question: &Question, answer: Answer) -> Result<Rows, SnapshotError> {
        match (&question.ask, &question.against, answer) {
            (Ask::Opening { .. }, _, Answer::Opening(opening)) => self.open(*opening),
            (Ask::Outline { .. }, _, Answer::Outline(slots)) => self.outline(&slots),
            (Ask::Headers { from, count }, _, Answer::Headers(headers)) => self.headers(*from, *count, headers),
            (_, Against::Slot(span, slot), Answer::Logs(rows)) => self.logs(&(*span, *slot), rows),
            (_, Against::Group(group), Answer::Window(blocks)) => group.check(&self.keys, &blocks).map(Rows::Recent),
            _ => Err(SnapshotError::OtherAnswer),
        }
    }

    fn outline(&mut self, slots: &[Slot]) -> Result<Rows, SnapshotError> {
        if slots.is_empty() {
            return Err(SnapshotError::OtherAnswer);
        }
        for slot in slots {
            self.outline.push(&self.keys, &self.head.header, *slot)?;
        }
        if !self.outline.is_whole() {
            self.outline_stage = Stage::Due;
            return Ok(Rows::None);
        }
        let mut slots = self.outline.finish(&self.head.header)?;
        let key = map_key(&self.keys, &self.committee_log.as_hash());
        // An empty slot has nothing to ask for: its hash says so.
        slots.retain(|(_, slot)| slot.logs > 0);
        match slots.iter().position(|(span, _)| span.contains(&key)) {
            Some(place) => slots.swap(0, place),
            None => self.committee = CommitteeLog::Absent,
        }
        (self.slots, self.outline_stage) = (slots.into(), Stage::Done);
        Ok(Rows::None)
    }

    fn logs(&mut self, slot: &(Span, Slot), rows: Vec<LogRow>) -> Result<Rows, SnapshotError> {
        let states = logs::check(&self.keys, slot, rows)?;
        if slot.0.contains(&map_key(&self.keys, &self.committee_log.as_hash())) {
            let found = states.iter().find(|(_, state)| state.log == self.committee_log);
            self.committee = found.map_or(CommitteeLog::Absent, |(_, state)| CommitteeLog::Known(state.clone()));
        }
        Ok(Rows::Logs(states))
    }

    fn open(&mut self, opening: Opening) -> Result<Rows, SnapshotError> {
        let Opening { history, change } = opening;
        let lowest = self.chain.lowest();
        if history.len() != lowest.height || history.root(&Sha256Tree) != lowest.history_root {
            return Err(SnapshotError::WrongHistory);
        }
        let change = match (&self.committee, change) {
            (CommitteeLog::Known(state), Some(change)) => Some(self.check_change(state, change)?),
            (CommitteeLog::Known(_), None) => return Err(SnapshotError::MissingChange),
            (_, Some(_)) => return Err(SnapshotError::WrongChange),
            (_, None) => None,
        };
        (self.opening, self.opening_stage) = (Some((history, change)), Stage::Done);
        Ok(Rows::None)
    }

    /// That a change is the last entry of the committee log, and can take over if it still waits.
    fn check_change(&self, state: &LogState, change: LastChange) -> Result<ChangeEntry, SnapshotError> {
        let LastChange {
            before,
            header,
            path,
            in_block,
            signed,
            body,
        } = change;
        let head = &self.head.header;
        let is_in_history = if header.height == head.height {
            header == *head && path.siblings.is_empty()
        } else {
            history::verify_inclusion(&header, head, &path).is_ok()
        };
        let place = Place {
            height: header.height,
            time: header.time,
            in_block,
        };
        let index = before.len();
        let mut cursor = LogCursor::at(LogState {
            log: state.log,
            frontier: before,
            last_height: 0,
        });
        let entry = signed.entry_id(&self.keys);
        let is_last = index.checked_add(1) == Some(state.length())
            && cursor
                .extend(&self.keys, &[(entry, place)], &state.leaf(&self.keys))
                .is_ok();
        let is_its_body = self.keys.hash(Meaning::Body, &body) == signed.header.body_hash;
        if !is_in_history || !is_last || !is_its_body || in_block >= header.entry_count {
            return Err(SnapshotError::WrongChange);
        }
        let bad = SnapshotError::BadChange;
        let read = CommitteeChange::from_bytes(&body).map_err(|error| bad(ChangeError::Malformed(error)))?;
        if read.from_height > head.height.saturating_add(1) {
            read.verify(&self.keys, self.ladder.current()).map_err(bad)?;
        }
        Ok(ChangeEntry {
            log: state.log,
            index,
            leaf: log_leaf(&self.keys, &entry, &place),
            position: header.first_position().saturating_add(u64::from(in_block)),
            body,
        })
    }

    fn headers(&mut self, from: u64, count: u32, headers: Vec<BlockHeader>) -> Result<Rows, SnapshotError> {
        let first = headers.first().map(|header| header.height);
        if first != Some(from) || u32::try_from(headers.len()) != Ok(count) {
            return Err(SnapshotError::OtherAnswer);
        }
        self.chain.take(&self.keys, &headers, (&self.block, self.genesis_id))?;
        self.headers_stage = Stage::Due;
        Ok(Rows::Headers(headers))
    }
}

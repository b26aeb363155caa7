//! Snapshots: read from a store that goes on ordering, and brought into one that has nothing yet.
//!
//! *Reading* stops nobody and copies nothing. Everything here but the states of logs is never changed once it is written,
//! and the state that a log had at an earlier block follows from what it has now: so a part of a snapshot is computed
//! when it is asked for, for any height, whatever was ordered meanwhile.
//!
//! *Bringing in* puts rows aside as they come and makes them count in one write:
//!
//! ```text
//! begin    "joining" ─────────────────────────────────────────── synced
//! put      states, base, headers, what could come again ───────── synced, a few megabytes at a time
//! finish   head, terms, "joined", newest height; "joining" goes ─ one batch: before it nothing counts, after it all does
//! ```
//!
//! Whoever finds "joining" at a start discards what was put aside and has what it had before: a ledger with block 0.

use core::fmt;
use core::ops::ControlFlow;

use waxwing_core::block::BlockHeader;
use waxwing_core::codec::{Decode, Encode, Reader};
use waxwing_core::hash::Hash;
use waxwing_core::history;
use waxwing_core::ledger::{KEPT_LEVEL_STEP, LedgerReader, TreeNode};
use waxwing_core::log::LogState;
use waxwing_core::logmap::map_key;
use waxwing_core::merkle::Sha256Tree;
use waxwing_core::snapshot::{
    Answer, Ask, Cutter, Joint, LastChange, LogRow, Opening, PART_BYTES_MAX, Rows, SLOT_LOGS_MAX, SLOTS_PER_PART_MAX,
    Slot, Span, WindowBlock, WindowEntry,
};

use crate::behind::end_of;
use crate::error::StoreError;
use crate::joined::JointRow;
use crate::read::go_on_if;
use crate::rows::{self, EntryRow, HISTORY, IndexRow, meta};
use crate::store::Store;
use crate::tables::{Batch, Family, Tables};

/// Rows of `log` that are read at once.
const CHUNK: usize = 1 << 12;

/// Rows of `log` that one slot may cost: sixteen times as many as it holds. A slot that has grown by more since the
/// snapshot is not worth reading; whoever asks is told to begin with a newer one.
const SLOT_ROWS_MAX: usize = 16 * 1024;

/// Bytes that are put aside in one write.
const WRITE_BYTES: usize = 8 << 20;

/// Behind the last key of `log` and `recent`.
const LAST: [u8; 41] = [0xff; 41];

impl<T: Tables> Store<T> {
    /// The outline of the log map as it was after the block at a height; `None` if that is not here. Reads all logs: two
    /// seconds for a million, so whoever serves it keeps it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn outline(&self, height: u64) -> Result<Option<Vec<Slot>>, StoreError> {
        let Some(head) = self.head_of_snapshot(height)? else {
            return Ok(None);
        };
        let mut cutter = Cutter::new(self.keys());
        let mut from = Some(Hash::ZERO.0.to_vec());
        while let Some(start) = from {
            let (states, next) = self.states(&start, &LAST, CHUNK)?;
            for (key, state) in states {
                if let Some(state) = self.state_at(&head, &key, state)? {
                    cutter.push(key, state.leaf(self.keys()).hash(self.keys()));
                }
            }
            from = next;
        }
        Ok(Some(cutter.finish()))
    }

    /// A part of the snapshot at a height, but for its outline, which is given; `None` if something of it is not here.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn snapshot_part(&self, height: u64, ask: &Ask, outline: &[Slot]) -> Result<Option<Answer>, StoreError> {
        match *ask {
            Ask::Opening { size } => Ok(self
                .opening(height, size)?
                .map(|opening| Answer::Opening(Box::new(opening)))),
            Ask::Outline { first } => {
                let first = usize::try_from(first).unwrap_or(usize::MAX);
                let count = usize::try_from(SLOTS_PER_PART_MAX).unwrap_or(usize::MAX);
                let slots: Vec<Slot> = outline.iter().skip(first).take(count).copied().collect();
                Ok((!slots.is_empty()).then_some(Answer::Outline(slots)))
            }
            Ask::Logs(span) => Ok(self.slot(height, span)?.map(Answer::Logs)),
            Ask::Headers { from, count } => Ok(self.headers_for(from, count)?.map(Answer::Headers)),
            Ask::Window { from, count } => Ok(self.window(from, count)?.map(Answer::Window)),
        }
    }

    /// The header of a block that a snapshot can be made of.
    fn head_of_snapshot(&self, height: u64) -> Result<Option<BlockHeader>, StoreError> {
        let is_here = height <= self.applied() && self.gap().is_none_or(|gap| height >= gap.joined);
        if is_here { self.header(height) } else { Ok(None) }
    }

    /// States of logs with their map keys, ascending, and where to go on.
    #[expect(
        clippy::type_complexity,
        reason = "rows and the key behind them, for this file alone"
    )]
    fn states(
        &self,
        from: &[u8],
        to: &[u8],
        max: usize,
    ) -> Result<(Vec<(Hash, LogState)>, Option<Vec<u8>>), StoreError> {
        let (mut states, mut next, mut outcome) = (Vec::new(), None, Ok(()));
        self.rows.scan(Family::Log, from, Some(to), |key, value| {
            if states.len() == max {
                next = Some(key.to_vec());
                return ControlFlow::Break(());
            }
            match (key.try_into(), rows::decode_log(value)) {
                (Ok(key), Ok(state)) => states.push((Hash(key), state)),
                _ => outcome = Err(StoreError::Malformed(Family::Log)),
            }
            go_on_if(outcome.is_ok())
        })?;
        outcome.map(|()| (states, next))
    }

    /// The logs of a slot as they were after the block at a height.
    fn slot(&self, height: u64, span: Span) -> Result<Option<Vec<LogRow>>, StoreError> {
        let Some(head) = self.head_of_snapshot(height)? else {
            return Ok(None);
        };
        let end = span.end().map_or(LAST.to_vec(), |end| end.0.to_vec());
        let (states, more) = self.states(span.start.as_bytes(), &end, SLOT_ROWS_MAX)?;
        let most = usize::try_from(SLOT_LOGS_MAX).unwrap_or(usize::MAX);
        let mut logs = Vec::new();
        for (key, state) in states {
            let then = self.state_at(&head, &key, state)?;
            logs.extend(then.map(|state| LogRow::of(self.keys(), &state)));
        }
        Ok((more.is_none() && logs.len() <= most).then_some(logs))
    }

    fn opening(&self, height: u64, size: u64) -> Result<Option<Opening>, StoreError> {
        let Some(head) = self.head_of_snapshot(height)?.filter(|head| size <= head.height) else {
            return Ok(None);
        };
        let change = match self.last_change(&head)? {
            Last::NotHere => return Ok(None),
            Last::None => None,
            Last::Entry(change) => Some(*change),
        };
        Ok(Some(Opening {
            history: self.history_frontier(size)?,
            change,
        }))
    }

    fn last_change(&self, head: &BlockHeader) -> Result<Last, StoreError> {
        let log = self.genesis().committee_log_id();
        let Some(now) = self.log(&log)? else {
            return Ok(Last::None);
        };
        let key = map_key(self.keys(), &log.as_hash());
        let Some(state) = self.state_at(head, &key, now)? else {
            return Ok(Last::None);
        };
        if self.gap().is_some_and(|gap| gap.lacks(state.last_height)) {
            return Ok(Last::NotHere);
        }
        let last = state.length().saturating_sub(1);
        let position = self
            .position_of(&log, last)?
            .ok_or(StoreError::Missing(Family::Index))?;
        let entry = self.entry(position)?.ok_or(StoreError::Missing(Family::Entry))?;
        let header = self.header_of(entry.height)?;
        let Some(body) = self.body(position)?.and_then(|body| body.present().map(<[u8]>::to_vec)) else {
            return Ok(Last::NotHere);
        };
        let in_block = position.saturating_sub(header.first_position());
        Ok(Last::Entry(Box::new(LastChange {
            before: self.frontier_of(&log, last)?,
            path: self.history_path(entry.height, head.height)?.unwrap_or_default(),
            in_block: u32::try_from(in_block).map_err(|_| StoreError::Malformed(Family::Entry))?,
            signed: entry.signed,
            header,
            body,
        })))
    }

    /// Nodes of the history to keep that the headers put aside lead to: those that a store has which saw their blocks.
    fn window_nodes(&self, joint: &Joint) -> Result<Vec<TreeNode>, StoreError> {
        let (mut history, head) = (joint.history.clone(), &joint.head.header);
        let (from, to) = (rows::number_key(history.len()), rows::number_key(head.height));
        let (mut nodes, mut outcome) = (Vec::new(), Ok(()));
        if from < to {
            self.rows.scan(Family::Block, &from, Some(&to), |_, value| {
                match BlockHeader::decode(&mut Reader::new(value)) {
                    Ok(header) => history.append_with(&Sha256Tree, history::leaf(&header), |level, index, hash| {
                        if level % KEPT_LEVEL_STEP == 0 {
                            nodes.push(TreeNode { level, index, hash });
                        }
                    }),
                    Err(_) => outcome = Err(StoreError::Malformed(Family::Block)),
                }
                go_on_if(outcome.is_ok())
            })?;
        }
        outcome?;
        if history.len() == head.height && history.root(&Sha256Tree) == head.history_root {
            Ok(nodes)
        } else {
            Err(StoreError::Missing(Family::Block))
        }
    }

    fn headers_for(&self, from: u64, count: u32) -> Result<Option<Vec<BlockHeader>>, StoreError> {
        let mut headers = Vec::new();
        for height in from..from.saturating_add(u64::from(count)) {
            match self.header(height)? {
                Some(header) => headers.push(header),
                None => return Ok(None),
            }
        }
        Ok(Some(headers))
    }

    /// The entries of blocks, as their blocks commit to them.
    fn window(&self, from: u64, count: u32) -> Result<Option<Vec<WindowBlock>>, StoreError> {
        let (mut blocks, mut bytes) = (Vec::new(), 0);
        for height in from..from.saturating_add(u64::from(count)) {
            let is_here = height <= self.applied() && self.gap().is_none_or(|gap| !gap.lacks(height));
            let Some(header) = self.header(height)?.filter(|_| is_here) else {
                return Ok(None);
            };
            let mut block = WindowBlock::default();
            self.entry_rows(&header, |bytes| {
                let row = EntryRow::from_bytes(bytes).map_err(|_| StoreError::Malformed(Family::Entry))?;
                block.entries.push(WindowEntry {
                    signed: row.signed,
                    log_index: row.log_index,
                });
                Ok(())
            })?;
            bytes += 4 + block.entries.len() * rows::ENTRY_BYTES;
            if bytes > PART_BYTES_MAX {
                // An honest node asks for no more than fits.
                return Ok(None);
            }
            blocks.push(block);
        }
        Ok(Some(blocks))
    }
}

/// The last entry on the committee log.
enum Last {
    /// There is none.
    None,
    /// There is one, and this store does not have it.
    NotHere,
    /// This one.
    Entry(Box<LastChange>),
}

/// Why a snapshot cannot be brought in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ImportError {
    /// The store has blocks already.
    NotEmpty {
        /// Height of the newest one.
        applied: u64,
    },
    /// The store failed.
    Store(StoreError),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEmpty { applied } => write!(
                f,
                "the ledger has blocks up to {applied} already: it goes on from there, and joins from a snapshot only if it \
                 has none"
            ),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ImportError {}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A snapshot that is being brought in.
pub struct Import<'a, T: Tables> {
    store: &'a Store<T>,
    batch: T::Batch<'a>,
    bytes: usize,
}

impl<T: Tables> Store<T> {
    /// Begins to bring in a snapshot. What an earlier attempt left is discarded.
    ///
    /// # Errors
    /// [`ImportError::NotEmpty`] if there are blocks here.
    pub fn begin_import(&self) -> Result<Import<'_, T>, ImportError> {
        if self.applied() > 0 {
            return Err(ImportError::NotEmpty {
                applied: self.applied(),
            });
        }
        self.discard_import()?;
        let mut batch = self.rows.batch(64);
        batch.put(Family::Meta, meta::JOINING, &[1]);
        self.rows.write(batch)?;
        Ok(Import {
            store: self,
            batch: self.rows.batch(WRITE_BYTES),
            bytes: 0,
        })
    }

    /// Discards a snapshot that was not brought in to its end, in one synced write; nothing if there is none.
    ///
    /// # Errors
    /// If the store fails.
    pub fn discard_import(&self) -> Result<(), StoreError> {
        if !self.is_joining()? {
            return Ok(());
        }
        let mut batch = self.rows.batch(1024);
        batch.delete_range(Family::Log, &[], &LAST);
        batch.delete_range(Family::Recent, &[], &LAST);
        batch.delete_range(Family::Block, &rows::number_key(1), &LAST);
        delete_base(&mut batch);
        batch.delete(Family::Meta, meta::JOINING);
        self.rows.write(batch)
    }
}

/// Deletes what proofs needed of the snapshot.
pub(crate) fn delete_base(batch: &mut impl Batch) {
    for prefix in [meta::BASE, meta::PATH] {
        batch.delete_range(Family::Meta, prefix, &end_of(prefix));
    }
}

impl<T: Tables> Import<'_, T> {
    /// Puts rows aside that hold. They count only once everything is there.
    ///
    /// # Errors
    /// If the store fails.
    pub fn put(&mut self, rows: &Rows) -> Result<(), StoreError> {
        match rows {
            Rows::None => {}
            Rows::Logs(states) => states.iter().for_each(|(key, state)| {
                let row = rows::log_row(state);
                self.row(Family::Log, key.as_bytes(), &row);
                self.row(Family::Meta, &meta::base_key(key), &row);
            }),
            Rows::Headers(headers) => headers.iter().for_each(|header| self.header(header)),
            Rows::Recent(recent) => recent.iter().for_each(|recent| {
                let key = rows::recent_key(recent.anchor, &recent.stamp);
                self.row(Family::Recent, &key, &rows::number_key(recent.position));
            }),
        }
        if self.bytes < WRITE_BYTES {
            return Ok(());
        }
        self.bytes = 0;
        let batch = core::mem::replace(&mut self.batch, self.store.rows.batch(WRITE_BYTES));
        self.store.rows.write(batch)
    }

    fn row(&mut self, family: Family, key: &[u8], value: &[u8]) {
        self.bytes += key.len() + value.len();
        self.batch.put(family, key, value);
    }

    /// A header without what else belongs to its block.
    fn header(&mut self, header: &BlockHeader) {
        let mut row = Vec::with_capacity(512);
        rows::encode_block(&mut row, header, &[], &[]);
        self.row(Family::Block, &rows::number_key(header.height), &row);
    }

    /// Makes everything count, in one synced write. From then on the store goes on at the snapshot's head.
    ///
    /// # Errors
    /// If the store fails; then nothing counts.
    pub fn finish(mut self, joint: &Joint) -> Result<(), StoreError> {
        let store = self.store;
        let mut tip = store.writing();
        // The rows put aside so far must not come after the ones that make them count.
        let aside = core::mem::replace(&mut self.batch, store.rows.batch(64 << 10));
        store.rows.write(aside)?;
        let header = &joint.head.header;
        for head in joint.rungs.iter().chain([&joint.head]) {
            let mut row = Vec::new();
            let certificate = core::slice::from_ref(&head.certificate);
            rows::encode_block(&mut row, &head.header, certificate, &[]);
            self.row(Family::Block, &rows::number_key(head.header.height), &row);
        }
        for term in joint.ladder.terms().skip(1) {
            self.row(Family::Meta, &meta::term_key(term.from), &term.committee.to_bytes());
        }
        if let Some(change) = &joint.change {
            let index = IndexRow {
                position: change.position,
                leaf: change.leaf,
            };
            self.row(
                Family::Index,
                &rows::index_key(&change.log, change.index),
                &index.to_array(),
            );
            self.row(Family::Body, &rows::number_key(change.position), &change.body);
        }
        let oldest = joint.anchors.first().map_or(0, |(height, _, _)| *height);
        self.batch.delete_range(Family::Recent, &[], &rows::number_key(oldest));
        for node in store.window_nodes(joint)? {
            self.row(
                Family::Node,
                &rows::node_key(&HISTORY, node.level, node.index),
                node.hash.as_bytes(),
            );
        }
        for node in &joint.nodes {
            self.row(
                Family::Meta,
                &meta::path_key(node.level, node.index),
                node.hash.as_bytes(),
            );
        }
        let joined = JointRow {
            height: header.height,
            id: header.id(store.keys()),
            history: joint.history.clone(),
        };
        self.row(Family::Meta, meta::JOINED, &joined.to_bytes());
        self.row(Family::Meta, meta::APPLIED, &rows::number_key(header.height));
        self.batch.delete(Family::Meta, meta::JOINING);
        store.rows.write(self.batch)?;
        *tip = None;
        store.joins.set(header.height, 0);
        store.set_applied(header.height);
        Ok(())
    }
}

impl<T: Tables> fmt::Debug for Import<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Import({} bytes to be written)", self.bytes)
    }
}

//! The one write that makes a block durable.
//!
//! ```text
//! each entry  -> body, entry, index, recent      by position, by log, by what would be a duplicate
//! each log    -> log, node                       its state after the block, tree nodes of levels 4, 8, ...
//! the block   -> block, node, expiry, meta       header and certificate, history nodes, bodies to drop one day
//!                └──────────── one batch, written and synced, or nothing at all ────────────┘
//! ```
//!
//! Every row of a block is in one batch, so there is no state between two blocks that a crash could leave behind, and
//! nothing to repair at start.

use waxwing_core::certificate::Certificate;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::{Body, KeepFor};
use waxwing_core::hash::Hash;
use waxwing_core::keys::LogId;
use waxwing_core::ledger::{LedgerReader, Step, StepEntry, TreeNode};
use waxwing_core::limits::SIGNED_HEADER_BYTES;
use waxwing_core::log::LogState;
use waxwing_core::logmap::map_key;

use crate::error::StoreError;
use crate::rows::{self, BlockRow, HISTORY, IndexRow, meta};
use crate::store::{Store, Tip};
use crate::tables::{Batch, Family, Tables};

/// Bytes that the rows of one entry take beside its body, their framing in a batch included.
const ENTRY_ROWS_BYTES: usize = SIGNED_HEADER_BYTES + 300;

impl<T: Tables> Store<T> {
    /// Makes a block durable: everything the step changes, in one synced write. The certificate is one that was verified:
    /// it is checked again when the ledger is restored, and a wrong one would stop the node then.
    ///
    /// Committing the newest block again changes nothing: a node that died after the write and before it could say so
    /// does that.
    ///
    /// # Errors
    /// [`StoreError::NotNext`] unless the block follows the newest one; the database's own.
    pub fn commit(&self, step: &Step, certificate: &Certificate) -> Result<(), StoreError> {
        let mut tip = self.writing();
        let newest = match *tip {
            Some(newest) => newest,
            None => self.read_tip()?,
        };
        if step.header.height == newest.height && step.id == newest.id {
            return Ok(());
        }
        if newest.height.checked_add(1) != Some(step.header.height) || step.header.parent != newest.id {
            return Err(StoreError::NotNext {
                applied: newest.height,
                offered: step.header.height,
            });
        }
        let mut batch = self.rows.batch(size_of_rows(step));
        let mut value = Vec::with_capacity(rows::ENTRY_BYTES);
        put_entries(&mut batch, step, &mut value);
        put_logs(&mut batch, step, &mut value);
        put_block(&mut batch, step, certificate, &mut value);
        self.rows.write(batch)?;
        // Only now: readers must never see a height that a crash could take back.
        *tip = Some(Tip {
            height: step.header.height,
            id: step.id,
        });
        self.set_applied(step.header.height);
        Ok(())
    }

    fn read_tip(&self) -> Result<Tip, StoreError> {
        let height = self.applied();
        let key = rows::number_key(height);
        let row = self.row(Family::Block, &key, BlockRow::from_bytes)?;
        let header = row.ok_or(StoreError::Missing(Family::Block))?.header;
        let id = header.id(self.keys());
        Ok(Tip { height, id })
    }
}

fn put_entries(batch: &mut impl Batch, step: &Step, value: &mut Vec<u8>) {
    for entry in &step.entries {
        let signed = &entry.carried.signed;
        let position = rows::number_key(entry.position);
        match &entry.carried.body {
            Body::Present(bytes) => batch.put(Family::Body, &position, bytes),
            Body::Erased(secret) => batch.put(Family::Excuse, &position, &secret.0),
            // Copied from a node that had dropped it rightly, or that withholds it: nothing to keep either way.
            Body::Expired | Body::Withheld => {}
        }
        value.clear();
        rows::encode_entry(value, step.header.height, entry.log_index, signed);
        batch.put(Family::Entry, &position, value);
        let place = IndexRow {
            position: entry.position,
            leaf: entry.log_leaf,
        };
        let key = rows::index_key(&signed.header.log, entry.log_index);
        batch.put(Family::Index, &key, &place.to_array());
        let key = rows::recent_key(signed.header.anchor.height, &entry.stamp);
        batch.put(Family::Recent, &key, &position);
    }
}

fn put_logs(batch: &mut impl Batch, step: &Step, value: &mut Vec<u8>) {
    for change in &step.logs {
        value.clear();
        rows::encode_log(value, &change.state);
        batch.put(Family::Log, change.map_key.as_bytes(), value);
        put_nodes(batch, &change.state.log, &change.nodes);
    }
}

fn put_nodes(batch: &mut impl Batch, tree: &LogId, nodes: &[TreeNode]) {
    for node in nodes {
        let key = rows::node_key(tree, node.level, node.index);
        batch.put(Family::Node, &key, node.hash.as_bytes());
    }
}

fn put_block(batch: &mut impl Batch, step: &Step, certificate: &Certificate, value: &mut Vec<u8>) {
    let height = rows::number_key(step.header.height);
    value.clear();
    rows::encode_block(value, &step.header, core::slice::from_ref(certificate), &step.evidence);
    batch.put(Family::Block, &height, value);
    put_nodes(batch, &HISTORY, &step.history_nodes);
    for keep_for in KeepFor::ALL {
        put_expiry(batch, step, keep_for);
    }
    for anchor in &step.expired_anchors {
        let (from, to) = (rows::number_key(*anchor), rows::number_key(anchor.saturating_add(1)));
        batch.delete_range(Family::Recent, &from, &to);
    }
    if let Some(term) = &step.next_term {
        batch.put(Family::Meta, &meta::term_key(term.from), &term.committee.to_bytes());
    }
    batch.put(Family::Meta, meta::APPLIED, &height);
}

/// Which bodies of this block are to be dropped together. One row for a block and a keep-for: the sweep that drops them
/// reads what is due and nothing else.
fn put_expiry(batch: &mut impl Batch, step: &Step, keep_for: KeepFor) {
    let Some(expiry) = keep_for.expiry(step.header.time) else {
        return;
    };
    let is_due = |entry: &StepEntry| {
        let carried = &entry.carried;
        carried.signed.header.keep_for == keep_for && carried.body.present().is_some()
    };
    let places: Vec<u16> = step
        .entries
        .iter()
        .zip(0..=u16::MAX)
        .filter(|(entry, _)| is_due(entry))
        .map(|(_, place)| place)
        .collect();
    if !places.is_empty() {
        let key = rows::expiry_key(expiry, step.header.height);
        batch.put(Family::Expiry, &key, &rows::expiry_row(&places));
    }
}

fn size_of_rows(step: &Step) -> usize {
    let body = |entry: &StepEntry| entry.carried.body.present().map_or(0, <[u8]>::len);
    step.entries
        .iter()
        .map(|entry| body(entry) + ENTRY_ROWS_BYTES)
        .sum::<usize>()
        + 4096
}

/// What the rules ask for each entry, so both are one point read.
impl<T: Tables> LedgerReader for Store<T> {
    type Error = StoreError;

    fn log(&self, log: &LogId) -> Result<Option<LogState>, StoreError> {
        let key = map_key(self.keys(), &log.as_hash());
        self.row(Family::Log, key.as_bytes(), rows::decode_log)
    }

    fn is_known(&self, anchor: u64, stamp: &Hash) -> Result<bool, StoreError> {
        let key = rows::recent_key(anchor, stamp);
        Ok(self.rows.get(Family::Recent, &key)?.is_some())
    }
}

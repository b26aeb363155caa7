//! What a directory keeps beside the blocks, held against the replay: indexes, states of logs, kept nodes, notes.
//!
//! None of it is certified on its own, all of it can be computed from the blocks, and a node that serves from wrong rows
//! sends its clients proofs that fail. Large tables (`index`, `node`, `recent`) are compared as sums, the others row by row
//! (`small.rs`).

use core::ops::{ControlFlow, Range};
use std::collections::BTreeMap;
use std::sync::Arc;

use waxwing_core::codec::Decode;
use waxwing_core::keys::LogId;
use waxwing_core::ledger::{Ledger, Step, TreeNode};
use waxwing_store::rows::{self, HISTORY, IndexRow};
use waxwing_store::{Family, Store, Tables};

use super::locate::Search;
use super::sum::{Sum, SumKey};
use super::unreadable;
use crate::finding::{At, Finding};
use crate::source::{Beside, Placed, SourceError};
use crate::state::State;

/// The tables of a store, and the sums of what they should hold.
pub(super) struct Rows<T> {
    pub(super) store: Arc<Store<T>>,
    index: (SumKey, Sum),
    nodes: (SumKey, Sum),
    /// A sum for each anchor, because an anchor's rows go when it expires.
    recent: (SumKey, BTreeMap<u64, Sum>),
    /// Rows of `expiry` that belong to blocks replayed.
    pub(super) expiries: u64,
}

impl<T: Tables> Rows<T> {
    pub(super) fn new(store: Arc<Store<T>>, secret: &[u8; 32]) -> Self {
        Self {
            store,
            index: (SumKey::new(secret, "index"), Sum::default()),
            nodes: (SumKey::new(secret, "node"), Sum::default()),
            recent: (SumKey::new(secret, "recent"), BTreeMap::new()),
            expiries: 0,
        }
    }

    pub(super) fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, SourceError> {
        let row = self.store.tables().get(family, key);
        let row = row.map_err(|failure| unreadable(&failure))?;
        Ok(row.map(|value| value.to_vec()))
    }

    pub(super) fn scan(
        &self,
        family: Family,
        from: &[u8],
        to: Option<&[u8]>,
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        let outcome = self.store.tables().scan(family, from, to, visit);
        outcome.map_err(|failure| unreadable(&failure))
    }

    /// Shows all rows of a family.
    pub(super) fn each(&self, family: Family, mut visit: impl FnMut(&[u8], &[u8])) -> Result<(), SourceError> {
        self.scan(family, &[], None, |key, value| {
            visit(key, value);
            ControlFlow::Continue(())
        })
    }

    fn add_nodes(&mut self, tree: &LogId, nodes: &[TreeNode]) {
        let (key, sum) = &mut self.nodes;
        for node in nodes {
            let row = rows::node_key(tree, node.level, node.index);
            sum.add(key, &row, node.hash.as_bytes());
        }
    }

    fn add_entries(&mut self, step: &Step) {
        for entry in &step.entries {
            let header = &entry.carried.signed.header;
            let row = IndexRow {
                position: entry.position,
                leaf: entry.log_leaf,
            };
            let (key, sum) = &mut self.index;
            sum.add(key, &rows::index_key(&header.log, entry.log_index), &row.to_array());
            let (key, sums) = &mut self.recent;
            let row_key = rows::recent_key(header.anchor.height, &entry.stamp);
            let sum = sums.entry(header.anchor.height).or_default();
            sum.add(key, &row_key, &rows::number_key(entry.position));
        }
    }

    /// Compares the sums of large tables, all at once, and looks for the rows where they differ.
    fn compare_sums(&self, ledger: &Ledger, state: &State) -> Result<Vec<Finding>, SourceError> {
        let differs = |family, (key, expected): &(SumKey, Sum)| Ok(self.sum(family, key)? != *expected);
        let (index, (nodes, recent)) = rayon::join(
            || differs(Family::Index, &self.index),
            || rayon::join(|| differs(Family::Node, &self.nodes), || self.recent_sums()),
        );
        let search = Search {
            index: index?,
            nodes: nodes?,
            recent: recent? != self.recent.1,
        };
        self.locate(search, ledger, state)
    }

    fn sum(&self, family: Family, key: &SumKey) -> Result<Sum, SourceError> {
        let mut sum = Sum::default();
        self.each(family, |row_key, value| sum.add(key, row_key, value))?;
        Ok(sum)
    }

    fn recent_sums(&self) -> Result<BTreeMap<u64, Sum>, SourceError> {
        let mut sums: BTreeMap<u64, Sum> = BTreeMap::new();
        self.each(Family::Recent, |row_key, value| {
            // A key without an anchor is under one that there is not, and so the sums differ.
            let anchor = row_key
                .first_chunk()
                .map_or(u64::MAX, |anchor| u64::from_be_bytes(*anchor));
            sums.entry(anchor).or_default().add(&self.recent.0, row_key, value);
        })?;
        Ok(sums)
    }
}

impl<T: Tables> Beside for Rows<T> {
    fn placed(&self, positions: Range<u64>) -> Result<Vec<Placed>, SourceError> {
        let mut placed = Vec::new();
        self.each(Family::Index, |key, value| {
            if let Some(row) = decode_index(key, value).filter(|row| positions.contains(&row.position)) {
                placed.push(row);
            }
        })?;
        placed.sort_by_key(|row| row.position);
        Ok(placed)
    }

    fn follow(&mut self, step: &Step) -> Result<Option<Finding>, SourceError> {
        self.add_entries(step);
        for change in &step.logs {
            self.add_nodes(&change.state.log, &change.nodes);
        }
        self.add_nodes(&HISTORY, &step.history_nodes);
        for anchor in &step.expired_anchors {
            self.recent.1.remove(anchor);
        }
        self.follow_expiry(step)
    }

    fn compare(&mut self, ledger: &Ledger, state: &State) -> Result<Vec<Finding>, SourceError> {
        let rows = &*self;
        let (sums, logs) = rayon::join(|| rows.compare_sums(ledger, state), || rows.compare_logs(ledger, state));
        let mut findings = sums?;
        findings.extend(logs?);
        findings.extend(self.compare_excuses(ledger)?);
        findings.extend(self.compare_expiries(ledger)?);
        findings.extend(self.compare_ends(ledger)?);
        findings.extend(self.compare_notes(ledger)?);
        findings.extend(self.compare_terms(ledger)?);
        Ok(findings)
    }
}

/// A row that no block leads to.
pub(super) fn surplus(table: &'static str, ledger: &Ledger, found: &str) -> Finding {
    let head = ledger.head();
    Finding::row(table, At::block(head.height, Some(head.time)), "no such row", found)
}

/// A row of `index` in its place; `None` if it is none.
pub(super) fn decode_index(key: &[u8], value: &[u8]) -> Option<Placed> {
    let (log, index) = key.split_first_chunk::<32>()?;
    let row = IndexRow::from_bytes(value).ok()?;
    Some(Placed {
        position: row.position,
        log: LogId(*log),
        index: u64::from_be_bytes(index.try_into().ok()?),
        leaf: row.leaf,
    })
}

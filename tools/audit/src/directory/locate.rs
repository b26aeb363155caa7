//! Which rows of a large table are wrong, once its sum is.
//!
//! All blocks hold by now, so every row that the tables should have can be computed from the entries again, in the order of
//! the ledger, and looked up. Then whatever else the table has is one row too many.

use std::collections::HashMap;

use waxwing_core::Hash;
use waxwing_core::codec::Decode;
use waxwing_core::history;
use waxwing_core::keys::LogId;
use waxwing_core::ledger::{KEPT_LEVEL_STEP, Ledger, LedgerReader};
use waxwing_core::log::{Place, log_leaf, log_tree};
use waxwing_core::merkle::{Frontier, Sha256Tree, TreeHasher};
use waxwing_store::rows::{self, BlockRow, EntryRow, HISTORY, IndexRow};
use waxwing_store::{Family, Tables};

use super::beside::{Rows, decode_index, surplus};
use crate::finding::{At, Finding};
use crate::replay::FINDINGS_KEPT;
use crate::source::SourceError;
use crate::state::State;

/// Tables to be searched.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Search {
    pub(super) index: bool,
    pub(super) nodes: bool,
    pub(super) recent: bool,
}

impl<T: Tables> Rows<T> {
    /// The wrong rows of these tables, the first ones in the order of the ledger.
    pub(super) fn locate(&self, search: Search, ledger: &Ledger, state: &State) -> Result<Vec<Finding>, SourceError> {
        if search == Search::default() {
            return Ok(Vec::new());
        }
        let mut walk = Walk {
            rows: self,
            search,
            ledger,
            state,
            trees: HashMap::new(),
            findings: Vec::new(),
        };
        walk.blocks()?;
        walk.surplus()?;
        let mut findings = walk.findings;
        findings.truncate(FINDINGS_KEPT);
        Ok(findings)
    }
}

/// All blocks once more, for the rows they lead to.
struct Walk<'a, T> {
    rows: &'a Rows<T>,
    search: Search,
    ledger: &'a Ledger,
    state: &'a State,
    /// Logs so far; the history stands under [`HISTORY`].
    trees: HashMap<LogId, Frontier>,
    findings: Vec<Finding>,
}

impl<T: Tables> Walk<'_, T> {
    fn blocks(&mut self) -> Result<(), SourceError> {
        for height in 0..=self.ledger.head().height {
            let row = self.rows.get(Family::Block, &rows::number_key(height))?;
            let row = row.and_then(|row| BlockRow::from_bytes(&row).ok());
            let Some(BlockRow { header, .. }) = row else {
                return Err(gone("a block"));
            };
            let first = header.first_position();
            for (in_block, position) in (0..).zip(first..header.total_entries) {
                let place = Place {
                    height,
                    time: header.time,
                    in_block,
                };
                self.entry(position, &place)?;
            }
            let at = At::block(height, Some(header.time));
            self.append(&Sha256Tree, HISTORY, history::leaf(&header), at)?;
            if self.findings.len() >= FINDINGS_KEPT {
                break;
            }
        }
        Ok(())
    }

    fn entry(&mut self, position: u64, place: &Place) -> Result<(), SourceError> {
        let row = self.rows.get(Family::Entry, &rows::number_key(position))?;
        let Some(row) = row.and_then(|row| EntryRow::from_bytes(&row).ok()) else {
            return Err(gone("an entry"));
        };
        let (keys, log) = (self.ledger.keys(), row.signed.header.log);
        let index = self.trees.get(&log).map_or(0, Frontier::len);
        let at = At {
            height: place.height,
            time: Some(place.time),
            place: Some(place.in_block),
            position: Some(position),
            entry: Some((log, index)),
        };
        let leaf = log_leaf(keys, &row.signed.entry_id(keys), place);
        if self.search.index {
            let value = IndexRow { position, leaf }.to_array();
            self.look(Family::Index, &rows::index_key(&log, index), &value, at)?;
        }
        let (anchor, stamp) = (row.signed.header.anchor.height, row.signed.header.stamp(keys));
        let Ok(is_remembered) = self.state.is_known(anchor, &stamp);
        if self.search.recent && is_remembered {
            let value = rows::number_key(position);
            self.look(Family::Recent, &rows::recent_key(anchor, &stamp), &value, at)?;
        }
        self.append(&log_tree(keys), log, leaf, at)
    }

    /// Appends a leaf to a tree, and looks up the nodes that it completes.
    fn append(&mut self, hasher: &impl TreeHasher, tree: LogId, leaf: Hash, at: At) -> Result<(), SourceError> {
        let mut nodes = Vec::new();
        let frontier = self.trees.entry(tree).or_default();
        frontier.append_with(hasher, leaf, |level, index, hash| {
            if level.is_multiple_of(KEPT_LEVEL_STEP) {
                nodes.push((rows::node_key(&tree, level, index), hash));
            }
        });
        if self.search.nodes {
            for (key, hash) in nodes {
                self.look(Family::Node, &key, hash.as_bytes(), at)?;
            }
        }
        Ok(())
    }

    /// Compares a row.
    fn look(&mut self, family: Family, key: &[u8], value: &[u8], at: At) -> Result<(), SourceError> {
        let found = self.rows.get(family, key)?;
        if found.as_deref() != Some(value) {
            let found = found.map_or_else(|| "no row".to_owned(), |found| show(family, &found));
            self.findings
                .push(Finding::row(family.name(), at, show(family, value), found));
        }
        Ok(())
    }

    /// Rows that no block leads to.
    fn surplus(&mut self) -> Result<(), SourceError> {
        let (state, height) = (self.state, self.ledger.head().height);
        let mut found: Vec<(Family, &str)> = Vec::new();
        if self.search.index {
            self.rows.each(Family::Index, |key, value| {
                let is_one = decode_index(key, value).is_some_and(|row| row.index < state.length(&row.log));
                if !is_one && found.len() < FINDINGS_KEPT {
                    found.push((Family::Index, "a row for no entry"));
                }
            })?;
        }
        if self.search.nodes {
            self.rows.each(Family::Node, |key, _| {
                if !is_node(key, state, height) && found.len() < FINDINGS_KEPT {
                    found.push((Family::Node, "a row for no node"));
                }
            })?;
        }
        if self.search.recent {
            self.rows.each(Family::Recent, |key, _| {
                if !is_recent(key, state) && found.len() < FINDINGS_KEPT {
                    found.push((Family::Recent, "a row for no envelope that could come again"));
                }
            })?;
        }
        let findings = found
            .into_iter()
            .map(|(family, words)| surplus(family.name(), self.ledger, words));
        self.findings.extend(findings);
        Ok(())
    }
}

/// Whether a key of `node` names a complete subtree of a level that is kept.
fn is_node(key: &[u8], state: &State, height: u64) -> bool {
    let Some((log, rest)) = key.split_first_chunk::<32>() else {
        return false;
    };
    let [level, index @ ..] = rest else { return false };
    let Ok(index) = rows::decode_number(index) else {
        return false;
    };
    let log = LogId(*log);
    let length = if log == HISTORY {
        height.saturating_add(1)
    } else {
        state.length(&log)
    };
    let complete = length.checked_shr(u32::from(*level)).unwrap_or(0);
    *level > 0 && level.is_multiple_of(KEPT_LEVEL_STEP) && index < complete
}

fn is_recent(key: &[u8], state: &State) -> bool {
    let Some((anchor, stamp)) = key.split_first_chunk::<8>() else {
        return false;
    };
    let Ok(stamp) = stamp.try_into().map(Hash) else {
        return false;
    };
    let Ok(is_known) = state.is_known(u64::from_be_bytes(*anchor), &stamp);
    is_known
}

fn show(family: Family, value: &[u8]) -> String {
    match family {
        Family::Index => IndexRow::from_bytes(value).map_or_else(
            |error| format!("a row that cannot be read: {error}"),
            |row| format!("entry {} of the ledger, leaf {}", row.position, row.leaf),
        ),
        Family::Recent => rows::decode_number(value).map_or_else(
            |error| format!("a row that cannot be read: {error}"),
            |position| format!("entry {position} of the ledger"),
        ),
        _ => value.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// A row was there during the replay and is not there now.
fn gone(what: &str) -> SourceError {
    SourceError::Failed(format!(
        "{what} disappeared during the audit: is a node writing here? Audit a copy"
    ))
}

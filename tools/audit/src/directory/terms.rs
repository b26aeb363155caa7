//! The committees in a directory, held against those that the replay leads to: a node goes on from these rows.

use std::collections::BTreeMap;

use waxwing_core::codec::Encode;
use waxwing_core::ledger::Ledger;
use waxwing_store::rows::meta;
use waxwing_store::{Family, Tables};

use super::beside::Rows;
use crate::finding::{At, Finding};
use crate::source::SourceError;

impl<T: Tables> Rows<T> {
    /// One row for each term but the first, and no other.
    pub(super) fn compare_terms(&self, ledger: &Ledger) -> Result<Vec<Finding>, SourceError> {
        let mut stored: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        self.each(Family::Meta, |key, value| {
            if key.starts_with(meta::TERM) {
                stored.insert(key.to_vec(), value.to_vec());
            }
        })?;
        let mut findings = Vec::new();
        for term in ledger.ladder().terms().filter(|term| term.from > 0) {
            let row = stored.remove(meta::term_key(term.from).as_slice());
            if row.as_ref() != Some(&term.committee.to_bytes()) {
                let expected = format!("the committee of term {}", term.committee.term());
                let found = row.map_or("no row", |_| "another one");
                findings.push(Finding::row("meta", At::block(term.from, None), expected, found));
            }
        }
        let (height, time) = (ledger.head().height, ledger.head().time);
        for _ in stored {
            let at = At::block(height, Some(time));
            findings.push(Finding::row(
                "meta",
                at,
                "no such row",
                "a committee that no block leads to",
            ));
        }
        Ok(findings)
    }
}

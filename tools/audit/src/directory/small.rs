//! The small tables of a directory, held against the replay row by row: states of logs, expiries, excuses, notes.

use core::ops::ControlFlow;
use std::collections::HashMap;

use waxwing_core::codec::{CodecError, Decode, Encode};
use waxwing_core::envelope::{Body, KeepFor};
use waxwing_core::keys::LogId;
use waxwing_core::ledger::{Ledger, LedgerReader, Step};
use waxwing_core::log::LogState;
use waxwing_core::logmap::map_key;
use waxwing_store::rows::{self, meta};
use waxwing_store::{Family, Store, Tables};

use super::beside::{Rows, surplus};
use crate::finding::{At, Finding};
use crate::replay::FINDINGS_KEPT;
use crate::source::SourceError;
use crate::state::State;
use crate::words::count;

impl<T: Tables> Rows<T> {
    /// Compares the rows that say which bodies of a block to drop when.
    pub(super) fn follow_expiry(&mut self, step: &Step) -> Result<Option<Finding>, SourceError> {
        for keep_for in KeepFor::ALL {
            let Some(expiry) = keep_for.expiry(step.header.time) else {
                continue;
            };
            let entries = || {
                (0..)
                    .zip(&step.entries)
                    .filter(|(_, entry)| entry.carried.signed.header.keep_for == keep_for)
            };
            if entries().next().is_none() {
                continue;
            }
            let allowed: Vec<u16> = entries().map(|(place, _)| place).collect();
            let needed = entries().filter(|(_, entry)| matches!(entry.carried.body, Body::Present(_)));
            let needed: Vec<u16> = needed.map(|(place, _)| place).collect();
            let row = self.get(Family::Expiry, &rows::expiry_key(expiry, step.header.height))?;
            self.expiries += u64::from(row.is_some());
            let listed = row.map(|row| rows::decode_expiry(&row));
            let is_right = match &listed {
                None => needed.is_empty(),
                Some(Ok(listed)) => {
                    listed.is_sorted_by(|a, b| a < b)
                        && listed.iter().all(|place| allowed.binary_search(place).is_ok())
                        && needed.iter().all(|place| listed.binary_search(place).is_ok())
                }
                Some(Err(_)) => false,
            };
            if !is_right {
                let at = At::block(step.header.height, Some(step.header.time));
                let expected = format!("a row with the places {needed:?}, perhaps others of {allowed:?}");
                return Ok(Some(Finding::row("expiry", at, expected, shown(listed.as_ref()))));
            }
        }
        Ok(None)
    }

    /// Compares the states of all logs with those that the replay arrived at.
    pub(super) fn compare_logs(&self, ledger: &Ledger, state: &State) -> Result<Vec<Finding>, SourceError> {
        let (mut findings, mut right) = (Vec::new(), 0);
        let mut wrong: HashMap<LogId, String> = HashMap::new();
        self.each(Family::Log, |key, value| {
            let row = rows::decode_log(value);
            let replayed = row.as_ref().ok().and_then(|row| {
                let Ok(replayed) = state.log(&row.log);
                replayed
            });
            match (row, replayed) {
                (Ok(row), Some(replayed))
                    if row == replayed && *key == map_key(ledger.keys(), &row.log.as_hash()).0 =>
                {
                    right += 1;
                }
                (Ok(row), Some(_)) => drop(wrong.insert(row.log, show_log(&row))),
                (row, _) if findings.len() < FINDINGS_KEPT => {
                    findings.push(surplus("log", ledger, &show_result(row.map(|row| show_log(&row)))));
                }
                _ => {}
            }
        })?;
        if right < state.logs() {
            findings.extend(self.wrong_logs(ledger, state, &wrong)?);
        }
        Ok(findings)
    }

    /// The logs whose rows are missing or wrong, in the order of the ledger.
    fn wrong_logs(
        &self,
        ledger: &Ledger,
        state: &State,
        wrong: &HashMap<LogId, String>,
    ) -> Result<Vec<Finding>, SourceError> {
        let mut found = Vec::new();
        for replayed in state.all_logs() {
            let key = map_key(ledger.keys(), &replayed.log.as_hash());
            let row = self.get(Family::Log, key.as_bytes())?;
            let stored = row.as_ref().map(|row| rows::decode_log(row));
            if stored == Some(Ok(replayed.clone())) {
                continue;
            }
            let at = At {
                height: replayed.last_height,
                entry: Some((replayed.log, replayed.length().saturating_sub(1))),
                ..At::default()
            };
            let stands = || wrong.get(&replayed.log).map(|row| format!("under another key, {row}"));
            let found_there = stored.map(|row| show_result(row.map(|row| show_log(&row))));
            let words = found_there.or_else(stands).unwrap_or_else(|| "no row".to_owned());
            found.push(Finding::row("log", at, show_log(replayed), words));
        }
        found.sort_by_key(|finding| (finding.at.height, finding.at.entry));
        found.truncate(FINDINGS_KEPT);
        Ok(found)
    }
}

impl<T: Tables> Rows<T> {
    /// An excuse is kept for an entry of the ledger, in the place of its body. That its secret is the right one was
    /// checked with the entry.
    pub(super) fn compare_excuses(&self, ledger: &Ledger) -> Result<Vec<Finding>, SourceError> {
        let mut positions = Vec::new();
        self.each(Family::Excuse, |key, _| positions.push(rows::decode_number(key)))?;
        let mut findings = Vec::new();
        for position in positions {
            let position = position.ok().filter(|position| *position < ledger.head().total_entries);
            let Some(position) = position else {
                findings.push(surplus("excuse", ledger, "a secret for no entry"));
                continue;
            };
            if self.get(Family::Body, &rows::number_key(position))?.is_some() {
                let at = At {
                    height: ledger.head().height,
                    position: Some(position),
                    ..At::default()
                };
                let expected = "no row: the body is there";
                findings.push(Finding::row("excuse", at, expected, "a secret"));
            }
        }
        Ok(findings)
    }

    /// Every row of `expiry` was met by a block, or it is one too many.
    pub(super) fn compare_expiries(&self, ledger: &Ledger) -> Result<Vec<Finding>, SourceError> {
        let (mut count, mut heights) = (0, Vec::new());
        self.each(Family::Expiry, |key, _| {
            count += 1;
            heights.push(key.to_vec());
        })?;
        if count == self.expiries {
            return Ok(Vec::new());
        }
        let mut findings = Vec::new();
        for key in heights {
            if !self.is_expiry(&key)? {
                findings.push(surplus("expiry", ledger, "a row for no entry"));
            }
        }
        Ok(findings)
    }

    /// Whether a key of `expiry` belongs to a block and to one of its entries.
    fn is_expiry(&self, key: &[u8]) -> Result<bool, SourceError> {
        let Some((time, height)) = key.split_first_chunk::<8>() else {
            return Ok(false);
        };
        let header = match self.get(Family::Block, height)? {
            Some(row) => rows::BlockRow::from_bytes(&row).ok().map(|row| row.header),
            None => None,
        };
        let Some(header) = header else { return Ok(false) };
        let expiry = u64::from_be_bytes(*time);
        let mut is_met = false;
        let (from, to) = (
            rows::number_key(header.first_position()),
            rows::number_key(header.total_entries),
        );
        self.scan(Family::Entry, &from, Some(&to), |_, value| {
            let row = rows::EntryRow::from_bytes(value);
            is_met |= row.is_ok_and(|row| row.signed.header.keep_for.expiry(header.time) == Some(expiry));
            ControlFlow::Continue(())
        })?;
        Ok(is_met)
    }

    /// Nothing stands before the first or behind the last row of the tables that were read in order.
    pub(super) fn compare_ends(&self, ledger: &Ledger) -> Result<Vec<Finding>, SourceError> {
        let head = ledger.head();
        let mut findings = Vec::new();
        for (family, first, end) in [
            (Family::Entry, 0, head.total_entries),
            (Family::Body, 0, head.total_entries),
            (Family::Block, 1, head.height.saturating_add(1)),
        ] {
            let mut before = Vec::new();
            self.scan(family, &[], Some(&rows::number_key(first)), |key, value| {
                before.push((key.to_vec(), value.to_vec()));
                if before.len() < 2 {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })?;
            let expected = if family == Family::Block {
                first_block(&self.store)
            } else {
                Vec::new()
            };
            if before != expected {
                let at = At::block(0, None);
                let found = format!(
                    "{} before the first one",
                    count(u64::try_from(before.len()).unwrap_or(u64::MAX), "row", "rows")
                );
                findings.push(Finding::row(
                    family.name(),
                    at,
                    "the first row as it was founded",
                    found,
                ));
            }
            let mut behind = 0;
            self.scan(family, &rows::number_key(end), None, |_, _| {
                behind += 1;
                ControlFlow::Break(())
            })?;
            if behind > 0 {
                findings.push(surplus(family.name(), ledger, "a row behind the last one"));
            }
        }
        Ok(findings)
    }

    /// The store's notes about itself, as far as the blocks bound them.
    pub(super) fn compare_notes(&self, ledger: &Ledger) -> Result<Vec<Finding>, SourceError> {
        let (mut findings, head) = (Vec::new(), ledger.head());
        let mut excuses = 0;
        self.each(Family::Excuse, |_, _| excuses += 1)?;
        let bounds = [
            (meta::APPLIED, head.height, head.height),
            (meta::ERASED, 0, excuses),
            (meta::PRUNED, 0, head.time),
        ];
        for (name, least, most) in bounds {
            let note = self.get(Family::Meta, name)?.map(|row| rows::decode_number(&row));
            let is_right = match note {
                None => least == 0,
                Some(number) => number.is_ok_and(|number| (least..=most).contains(&number)),
            };
            if !is_right {
                let name = String::from_utf8_lossy(name);
                let expected = if least == most {
                    format!("{name} {least}")
                } else {
                    format!("{name} at most {most}")
                };
                let found = format!("{name} {}", show_result(note.unwrap_or(Err(CodecError::Truncated))));
                findings.push(Finding::row(
                    "meta",
                    At::block(head.height, Some(head.time)),
                    expected,
                    found,
                ));
            }
        }
        Ok(findings)
    }
}

/// The row of block 0, which needs no certificate.
fn first_block<T: Tables>(store: &Store<T>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let row = rows::BlockRow {
        header: store.genesis().block(),
        certificate: None,
        evidence: Vec::new(),
    };
    vec![(rows::number_key(0).to_vec(), row.to_bytes())]
}

fn show_log(state: &LogState) -> String {
    let peaks: Vec<String> = state.frontier.peaks().iter().map(ToString::to_string).collect();
    format!(
        "log {} of {} entries, last in block {}, peaks {}",
        state.log,
        state.length(),
        state.last_height,
        peaks.join(" ")
    )
}

fn show_result(value: Result<impl core::fmt::Display, CodecError>) -> String {
    match value {
        Ok(value) => value.to_string(),
        Err(error) => format!("a row that cannot be read: {error}"),
    }
}

fn shown(listed: Option<&Result<Vec<u16>, CodecError>>) -> String {
    match listed {
        None => "no row".to_owned(),
        Some(Ok(places)) => format!("the places {places:?}"),
        Some(Err(error)) => format!("a row that cannot be read: {error}"),
    }
}

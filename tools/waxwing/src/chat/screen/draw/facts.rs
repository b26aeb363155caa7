//! What is known about a ledger in words; never more than is known.

use waxwing_light::{Age, ClockVerdict};

use super::super::model::{Known, Model};
use super::super::when::ago;
use crate::words::{count, grouped};

/// How old the newest certified word is by now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Freshness {
    /// So many ms.
    Fresh(u64),
    /// So many ms: the end may be withheld.
    Stale(u64),
    /// The clock says nothing.
    Unknown,
}

/// Older than this the end of a conversation may be withheld; what was fresh becomes stale while nobody answers.
const FRESH_MS: u64 = waxwing_core::limits::FRESH_MS;

/// The age as it was, and what has passed since.
pub(super) fn freshness(known: &Known, now: u64) -> Freshness {
    let passed = now.saturating_sub(known.at);
    match known.view.age {
        Age::Fresh { age_ms } if age_ms.saturating_add(passed) <= FRESH_MS => {
            Freshness::Fresh(age_ms.saturating_add(passed))
        }
        Age::Fresh { age_ms } | Age::Stale { age_ms } => Freshness::Stale(age_ms.saturating_add(passed)),
        Age::Unknown => Freshness::Unknown,
    }
}

/// `3 s ago`.
pub(in super::super) fn age(known: &Known, now: u64) -> String {
    match freshness(known, now) {
        Freshness::Fresh(ms) => ago(ms),
        Freshness::Stale(ms) => format!("{}: the end may be withheld", ago(ms)),
        Freshness::Unknown => "its age is unknown: this device's clock is behind".to_owned(),
    }
}

/// `4 of 4 validators`.
pub(in super::super) fn signers(known: &Known) -> String {
    let view = &known.view;
    match view.signers {
        Some(signers) => format!("{signers} of {} validators", view.validators),
        None if view.height == 0 => {
            let validators = u64::try_from(view.validators).unwrap_or(u64::MAX);
            format!("the genesis of {}", count(validators, "validator", "validators"))
        }
        None => "pinned by the invitation, certified by nobody yet".to_owned(),
    }
}

/// `4 of 4`, where the rest goes without saying.
pub(super) fn signers_short(known: &Known) -> Option<String> {
    match known.view.signers {
        Some(signers) => Some(format!("{signers} of {}", known.view.validators)),
        None if known.view.height == 0 => Some("genesis".to_owned()),
        None => Some("pinned".to_owned()),
    }
}

/// `verified to block 1,204`.
pub(in super::super) fn height(known: &Known) -> String {
    format!("verified to block {}", grouped(known.view.height))
}

/// Whether no node of the ledger serves at the moment.
pub(in super::super) const fn is_offline(known: &Known) -> bool {
    known.view.trouble.is_some()
}

/// Whether the clock is known to be wrong.
pub(super) const fn is_clock_wrong(known: &Known) -> bool {
    matches!(
        known.view.clock,
        ClockVerdict::Behind { .. } | ClockVerdict::Ahead { .. }
    )
}

/// Entries that are proven to exist and not read yet.
pub(super) fn unread_entries(model: &Model) -> u64 {
    model
        .open()
        .map_or(0, |channel| channel.proven.unwrap_or(0).saturating_sub(channel.entries))
}

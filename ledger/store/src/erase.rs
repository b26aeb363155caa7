//! Bodies go, proofs stay: erasure by the author's secret, and expiry.
//!
//! Every tree commits to a body through its hash in the 224 bytes that are kept, so dropping one touches no proof. An
//! erased body leaves its author's secret behind: a node that lacks a body must show why, and this is why. An expired
//! body needs no excuse but header time.

use core::ops::ControlFlow;

use waxwing_core::envelope::ErasureSecret;
use waxwing_core::keys::LogId;

use crate::error::{EraseError, StoreError};
use crate::rows::{self, meta};
use crate::store::Store;
use crate::tables::{Batch, Family, Tables};

/// What came of a revealed secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Erasure {
    /// The body is gone and the secret is kept, durably.
    Done,
    /// That was so before.
    Already,
}

/// What came of a sweep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sweep {
    /// Bodies whose rows were dropped.
    pub dropped: u64,
    /// Whether more are due: the budget ended first.
    pub rest: Rest,
}

/// Whether a sweep left something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rest {
    /// Nothing more is due now.
    None,
    /// Sweep again.
    More,
}

impl<T: Tables> Store<T> {
    /// Drops the body of an entry whose author revealed the secret, and keeps the secret as the excuse: one synced write.
    ///
    /// # Errors
    /// See [`EraseError`]; nothing has changed then.
    pub fn erase(&self, log: &LogId, index: u64, secret: ErasureSecret) -> Result<Erasure, EraseError> {
        if *log == self.genesis().committee_log_id() {
            return Err(EraseError::Kept);
        }
        let position = self.position_of(log, index)?.ok_or(EraseError::NoSuchEntry)?;
        let entry = self.entry(position)?.ok_or(StoreError::Missing(Family::Entry))?;
        if secret.commitment(self.keys()) != entry.signed.header.erasure {
            return Err(EraseError::WrongSecret);
        }
        let key = rows::number_key(position);
        let _alone = self.writing();
        if self.rows.get(Family::Excuse, &key)?.is_some() {
            return Ok(Erasure::Already);
        }
        let erased = self.erased()?.saturating_add(1);
        let mut batch = self.rows.batch(256);
        batch.delete(Family::Body, &key);
        batch.put(Family::Excuse, &key, &secret.0);
        batch.put(Family::Meta, meta::ERASED, &erased.to_be_bytes());
        self.rows.write(batch)?;
        Ok(Erasure::Done)
    }

    /// How many bodies were dropped here because their authors revealed the secret. It only grows: a backup with a lower
    /// number than this would bring bodies back.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn erased(&self) -> Result<u64, StoreError> {
        let erased = self.row(Family::Meta, meta::ERASED, rows::decode_number)?;
        Ok(erased.unwrap_or(0))
    }

    /// Header time up to which every expired body was dropped here (ms); 0 before the first sweep that found one.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn pruned(&self) -> Result<u64, StoreError> {
        let pruned = self.row(Family::Meta, meta::PRUNED, rows::decode_number)?;
        Ok(pruned.unwrap_or(0))
    }

    /// Drops bodies whose keep-for has passed by the newest block's time, about `budget` of them at most, in one synced
    /// write; none if nothing is due. What is due stands first in a family of its own, so a sweep reads nothing else.
    ///
    /// # Errors
    /// If the store fails; nothing has changed then.
    pub fn expire(&self, budget: u64) -> Result<Sweep, StoreError> {
        let _alone = self.writing();
        let now = self.header_of(self.applied())?.time;
        let due = self.due(now, budget)?;
        let mut batch = self.rows.batch(1024);
        let (mut dropped, mut rest, mut pruned) = (0, Rest::None, None);
        for Due {
            key,
            time,
            height,
            places,
        } in due
        {
            if dropped >= budget {
                rest = Rest::More;
                break;
            }
            let first = self.header_of(height)?.first_position();
            for place in &places {
                let position = first.saturating_add(u64::from(*place));
                batch.delete(Family::Body, &rows::number_key(position));
                dropped += 1;
            }
            batch.delete(Family::Expiry, &key);
            pruned = Some(time);
        }
        if let Some(time) = pruned {
            batch.put(Family::Meta, meta::PRUNED, &time.to_be_bytes());
            self.rows.write(batch)?;
        }
        Ok(Sweep { dropped, rest })
    }

    /// What is due at a header time, up to a row beyond the budget.
    fn due(&self, now: u64, budget: u64) -> Result<Vec<Due>, StoreError> {
        let end = rows::expiry_key(now.saturating_add(1), 0);
        let (mut due, mut count, mut outcome) = (Vec::new(), 0, Ok(()));
        self.rows.scan(Family::Expiry, &[], Some(&end), |key, value| {
            let is_beyond = count >= budget;
            match Due::decode(key, value) {
                Some(row) => {
                    count += u64::try_from(row.places.len()).unwrap_or(u64::MAX);
                    due.push(row);
                }
                None => outcome = Err(StoreError::Malformed(Family::Expiry)),
            }
            if is_beyond || outcome.is_err() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        outcome.map(|()| due)
    }
}

/// A row of `expiry`.
struct Due {
    key: [u8; 16],
    time: u64,
    height: u64,
    places: Vec<u16>,
}

impl Due {
    fn decode(key: &[u8], value: &[u8]) -> Option<Self> {
        let (time, height) = key.split_first_chunk::<8>()?;
        Some(Self {
            key: key.try_into().ok()?,
            time: u64::from_be_bytes(*time),
            height: u64::from_be_bytes(height.try_into().ok()?),
            places: rows::decode_expiry(value).ok()?,
        })
    }
}

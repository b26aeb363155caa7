//! One row changed: a bit somewhere, a body gone.

use core::ops::ControlFlow;

use waxwing_core::block::HEADER_BYTES;
use waxwing_core::codec::Encode;
use waxwing_core::keys::SIGNATURE_BYTES;
use waxwing_core::limits::ENVELOPE_HEADER_BYTES;
use waxwing_core::log::LogState;
use waxwing_store::raw::Change;
use waxwing_store::rows::{self, BlockRow, EntryRow, meta};
use waxwing_store::{Family, StoreError, Tables};

use super::{Done, Scene, TamperError};
use crate::finding::At;

/// Where the body hash stands in an envelope header.
const BODY_HASH: core::ops::Range<usize> = 84..116;

/// Where the root of the log map stands in a block header.
const MAP_ROOT: core::ops::Range<usize> = 204..236;

/// Bytes of an `entry` row before the envelope header.
const LABEL_BYTES: usize = rows::ENTRY_BYTES - ENVELOPE_HEADER_BYTES - SIGNATURE_BYTES;

impl<T: Tables> Scene<'_, T> {
    /// Where the entry at a position stands.
    pub(super) fn at(&self, position: u64) -> Result<At, TamperError> {
        let row = self.entry(position)?;
        let header = self.block(row.height)?.header;
        Ok(At {
            height: row.height,
            time: Some(header.time),
            place: u32::try_from(position - header.first_position().min(position)).ok(),
            position: Some(position),
            entry: Some((row.signed.header.log, row.log_index)),
        })
    }

    pub(super) fn entry(&self, position: u64) -> Result<EntryRow, TamperError> {
        let row = self.store.entry(position)?;
        row.ok_or(TamperError::Store(StoreError::Missing(Family::Entry)))
    }

    pub(super) fn block(&self, height: u64) -> Result<BlockRow, TamperError> {
        let row = self.store.block_row(height)?;
        row.ok_or(TamperError::Store(StoreError::Missing(Family::Block)))
    }

    pub(super) fn total(&self) -> Result<u64, TamperError> {
        Ok(self.block(self.store.applied())?.header.total_entries)
    }

    pub(super) fn any_entry(&self) -> Result<u64, TamperError> {
        let position = self.choice.around("entry", 0, self.total()?).next();
        position.ok_or(TamperError::Nothing { needs: "an entry" })
    }

    pub(super) fn any_block(&self) -> Result<u64, TamperError> {
        let height = self
            .choice
            .around("block", 1, self.store.applied().saturating_add(1))
            .next();
        height.ok_or(TamperError::Nothing { needs: "a block" })
    }

    /// Flips a bit in a part of a row.
    fn flip(&self, family: Family, key: &[u8], part: core::ops::Range<usize>) -> Result<String, TamperError> {
        let raw = self.store.raw();
        let mut row = raw.get(family, key)?.ok_or(StoreError::Missing(family))?;
        let what = match row.get_mut(part) {
            Some(part) => self.choice.flip(part),
            None => return Err(TamperError::Store(StoreError::Malformed(family))),
        };
        raw.put(family, key, &row)?;
        Ok(what)
    }

    pub(super) fn body_bit(&self) -> Result<Done, TamperError> {
        let (position, body) = self.any_body(|_, bytes| !bytes.is_empty())?;
        let what = self.flip(Family::Body, &rows::number_key(position), 0..body.len())?;
        Ok((
            self.at(position)?,
            format!("{what} of the body of entry {position} flipped"),
        ))
    }

    pub(super) fn header_bit(&self) -> Result<Done, TamperError> {
        let position = self.any_entry()?;
        let at = self.at(position)?;
        let part = LABEL_BYTES + BODY_HASH.start..LABEL_BYTES + BODY_HASH.end;
        let what = self.flip(Family::Entry, &rows::number_key(position), part)?;
        Ok((
            at,
            format!("{what} of the body hash in the envelope header of entry {position} flipped"),
        ))
    }

    pub(super) fn signature_bit(&self) -> Result<Done, TamperError> {
        let position = self.any_entry()?;
        let part = LABEL_BYTES + ENVELOPE_HEADER_BYTES..rows::ENTRY_BYTES;
        let what = self.flip(Family::Entry, &rows::number_key(position), part)?;
        Ok((
            self.at(position)?,
            format!("{what} of the signature of entry {position} flipped"),
        ))
    }

    pub(super) fn certificate_bit(&self) -> Result<Done, TamperError> {
        let height = self.any_block()?;
        let row = self.block(height)?;
        let certificate = row.certificate.map_or(0, |certificate| certificate.to_bytes().len());
        let end = HEADER_BYTES + 4 + certificate;
        let part = end.saturating_sub(SIGNATURE_BYTES)..end;
        let what = self.flip(Family::Block, &rows::number_key(height), part)?;
        let at = At::block(height, None);
        Ok((
            at,
            format!("{what} of the last signature in the certificate of block {height} flipped"),
        ))
    }

    pub(super) fn block_header_bit(&self) -> Result<Done, TamperError> {
        let height = self.any_block()?;
        let what = self.flip(Family::Block, &rows::number_key(height), MAP_ROOT)?;
        let at = At::block(height, None);
        Ok((
            at,
            format!("{what} of the log map root in the header of block {height} flipped"),
        ))
    }

    pub(super) fn index_bit(&self) -> Result<Done, TamperError> {
        let position = self.any_entry()?;
        let at = self.at(position)?;
        let row = self.entry(position)?;
        let key = rows::index_key(&row.signed.header.log, row.log_index);
        let what = self.flip(Family::Index, &key, 8..40)?;
        Ok((
            at,
            format!("{what} of the leaf of entry {position} in the index flipped"),
        ))
    }

    pub(super) fn node_bit(&self) -> Result<Done, TamperError> {
        // The chosen entry's log first, then any: only logs of 16 entries have nodes that are kept.
        let nothing = TamperError::Nothing {
            needs: "16 entries in a log, or 16 blocks",
        };
        let key = self.any_key(Family::Node)?.ok_or(nothing)?;
        let what = self.flip(Family::Node, &key, 0..32)?;
        Ok((self.completes(&key)?, format!("{what} of a kept node flipped")))
    }

    /// Where the last leaf below a kept node stands.
    fn completes(&self, key: &[u8]) -> Result<At, TamperError> {
        let malformed = || TamperError::Store(StoreError::Malformed(Family::Node));
        let (log, rest) = key.split_first_chunk::<32>().ok_or_else(malformed)?;
        let (level, index) = rest.split_first().ok_or_else(malformed)?;
        let index = rows::decode_number(index).map_err(|_| malformed())?;
        let leaf = ((index + 1) << level) - 1;
        let log = waxwing_core::keys::LogId(*log);
        if log == rows::HISTORY {
            let header = self.block(leaf)?.header;
            return Ok(At::block(leaf, Some(header.time)));
        }
        let position = self.store.position_of(&log, leaf)?.ok_or_else(malformed)?;
        self.at(position)
    }

    pub(super) fn log_bit(&self) -> Result<Done, TamperError> {
        let (_, key) = self.any_log()?;
        // log 32, last height 8, length 8, then the peaks.
        let (state, part) = (self.log_at(&key)?, 48..80);
        let what = self.flip(Family::Log, &key, part)?;
        let at = At {
            height: state.last_height,
            entry: Some((state.log, state.length().saturating_sub(1))),
            ..At::default()
        };
        Ok((at, format!("{what} of the first peak of log {} flipped", state.log)))
    }

    fn log_at(&self, key: &[u8]) -> Result<LogState, TamperError> {
        let row = self
            .store
            .raw()
            .get(Family::Log, key)?
            .ok_or(StoreError::Missing(Family::Log))?;
        rows::decode_log(&row).map_err(|_| TamperError::Store(StoreError::Malformed(Family::Log)))
    }

    /// The log of a chosen entry, and the key of its state.
    fn any_log(&self) -> Result<(LogState, Vec<u8>), TamperError> {
        let log = self.entry(self.any_entry()?)?.signed.header.log;
        let key = waxwing_core::logmap::map_key(self.store.keys(), &log.as_hash())
            .0
            .to_vec();
        Ok((self.log_at(&key)?, key))
    }

    pub(super) fn recent_bit(&self) -> Result<Done, TamperError> {
        let nothing = TamperError::Nothing {
            needs: "an entry whose anchor is still valid",
        };
        let key = self.any_key(Family::Recent)?.ok_or(nothing)?;
        let raw = self.store.raw();
        let row = raw
            .get(Family::Recent, &key)?
            .ok_or(StoreError::Missing(Family::Recent))?;
        let position = rows::decode_number(&row).map_err(|_| StoreError::Malformed(Family::Recent))?;
        let what = self.flip(Family::Recent, &key, 0..8)?;
        Ok((
            self.at(position)?,
            format!("{what} of the recent row of entry {position} flipped"),
        ))
    }

    pub(super) fn applied_changed(&self) -> Result<Done, TamperError> {
        let height = self.any_block()?;
        let applied = height - 1;
        self.store
            .raw()
            .put(Family::Meta, meta::APPLIED, &rows::number_key(applied))?;
        let head = self.store.applied();
        let time = self.block(head)?.header.time;
        Ok((
            At::block(head, Some(time)),
            format!("the newest block's height noted as {applied} instead of {head}"),
        ))
    }

    pub(super) fn body_removed(&self) -> Result<Done, TamperError> {
        let position = self.any_kept_body()?;
        self.store.raw().delete(Family::Body, &rows::number_key(position))?;
        Ok((self.at(position)?, format!("the body of entry {position} removed")))
    }

    pub(super) fn excuse_forged(&self) -> Result<Done, TamperError> {
        let position = self.any_kept_body()?;
        let key = rows::number_key(position).to_vec();
        let secret = blake3::derive_key("made up", &self.choice.seed).to_vec();
        let changes = [
            Change::Delete(Family::Body, key.clone()),
            Change::Put(Family::Excuse, key, secret),
        ];
        self.store.raw().change(&changes)?;
        Ok((
            self.at(position)?,
            format!("the body of entry {position} removed, and a secret made up for it"),
        ))
    }

    /// A body that is there and has not expired.
    fn any_kept_body(&self) -> Result<u64, TamperError> {
        let now = self.block(self.store.applied())?.header.time;
        let is_kept = |row: &EntryRow, time: u64| {
            let expiry = row.signed.header.keep_for.expiry(time);
            expiry.is_none_or(|expiry| expiry > now)
        };
        let found = self.any_body(|position, _| {
            let kept = self.entry(position).and_then(|row| {
                let time = self.block(row.height)?.header.time;
                Ok(is_kept(&row, time))
            });
            kept.unwrap_or(false)
        })?;
        Ok(found.0)
    }

    /// A body that is there and fits.
    fn any_body(&self, fits: impl Fn(u64, &[u8]) -> bool) -> Result<(u64, Vec<u8>), TamperError> {
        for position in self.choice.around("entry", 0, self.total()?) {
            let body = self.store.raw().get(Family::Body, &rows::number_key(position))?;
            if let Some(body) = body.filter(|body| fits(position, body)) {
                return Ok((position, body));
            }
        }
        Err(TamperError::Nothing { needs: "a body" })
    }

    /// A key of a family whose keys are spread evenly: the first behind a place chosen, else the first of all.
    fn any_key(&self, family: Family) -> Result<Option<Vec<u8>>, TamperError> {
        let place = blake3::derive_key("key", &self.choice.seed);
        for from in [&place[..], &[]] {
            let mut found = None;
            self.store.raw().scan(family, from, None, |key, _| {
                found = Some(key.to_vec());
                ControlFlow::Break(())
            })?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

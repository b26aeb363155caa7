//! Who voted when, and whose turn it is: what the ledger must remember of its committees to go on where it stopped.
//!
//! Each committee but the first has a row, written with the block that named it and kept for ever: it is a rung of the
//! ladder that clients climb. Whose turn it is follows from the newest headers, and what was agreed on but has not taken
//! over yet is the last entry of the committee log; neither has a row that could disagree with them.

use core::ops::ControlFlow;

use waxwing_core::block::BlockHeader;
use waxwing_core::change::CommitteeChange;
use waxwing_core::codec::{Decode, Reader};
use waxwing_core::committee::Committee;
use waxwing_core::keys::ValidatorId;
use waxwing_core::ladder::{Ladder, Term};
use waxwing_core::logmap::map_key;
use waxwing_core::schedule;

use crate::error::{RestoreError, StoreError};
use crate::read::go_on_if;
use crate::rows::{self, meta};
use crate::store::Store;
use crate::tables::{Family, Tables};

impl<T: Tables> Store<T> {
    /// All committees up to the one that certifies the next block. That each was named by a block that the one before it
    /// certified is checked by [`Store::restore`].
    ///
    /// # Errors
    /// If they cannot be read, or one does not follow the one before it.
    pub fn ladder(&self) -> Result<Ladder, StoreError> {
        let mut ladder = Ladder::new(self.genesis().committee());
        for term in self.later_terms()? {
            ladder.climb(term).map_err(|_| StoreError::Malformed(Family::Meta))?;
        }
        Ok(ladder)
    }

    fn later_terms(&self) -> Result<Vec<Term>, StoreError> {
        let (from, to) = (meta::term_key(0), meta::term_key(u64::MAX));
        let (mut terms, mut outcome) = (Vec::new(), Ok(()));
        self.rows.scan(Family::Meta, &from, Some(&to), |key, value| {
            match (meta::decode_term_key(key), Committee::from_bytes(value)) {
                (Some(from), Ok(committee)) => terms.push(Term { from, committee }),
                _ => outcome = Err(StoreError::Malformed(Family::Meta)),
            }
            go_on_if(outcome.is_ok())
        })?;
        outcome.map(|()| terms)
    }

    /// The ladder, climbed: the last block of each term is certified by its committee and names the next one.
    pub(crate) fn climbed_ladder(&self) -> Result<Ladder, RestoreError> {
        let mut ladder = Ladder::new(self.genesis().committee());
        for term in self.later_terms()? {
            let last = term.from.checked_sub(1).ok_or(RestoreError::Ladder)?;
            let head = self.certified(last)?.ok_or(RestoreError::Uncertified)?;
            let verified = head.verify(self.keys(), ladder.current());
            let header = verified.map_err(RestoreError::Head)?.into_inner().header;
            if header.height != last || header.next_committee != term.committee.hash(self.keys()) {
                return Err(RestoreError::Ladder);
            }
            ladder.climb(term).map_err(|_| RestoreError::Ladder)?;
        }
        Ok(ladder)
    }

    /// Who proposed the blocks that decide about the turns after `head`.
    pub(crate) fn proposers(&self, ladder: &Ladder, head: &BlockHeader) -> Result<Vec<ValidatorId>, StoreError> {
        let first = schedule::first_height(ladder.current(), ladder.from(), head.height);
        let (from, to) = (rows::number_key(first), rows::number_key(head.height.saturating_add(1)));
        if to <= from {
            return Ok(Vec::new());
        }
        let (mut proposers, mut outcome) = (Vec::new(), Ok(()));
        self.rows.scan(Family::Block, &from, Some(&to), |_, value| {
            match BlockHeader::decode(&mut Reader::new(value)) {
                Ok(header) => proposers.push(header.proposer),
                Err(_) => outcome = Err(StoreError::Malformed(Family::Block)),
            }
            go_on_if(outcome.is_ok())
        })?;
        outcome.map(|()| proposers)
    }

    /// The change of the committee that was agreed on and takes over in a block after the next. On the committee log stand
    /// only changes that counted when they were ordered, each taking over earlier than the one before it that still
    /// waited; so it is the last one or none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn pending_change(&self, ladder: &Ladder, head: &BlockHeader) -> Result<Option<CommitteeChange>, StoreError> {
        let log = self.genesis().committee_log_id();
        let key = map_key(self.keys(), &log.as_hash());
        let Some(state) = self.row(Family::Log, key.as_bytes(), rows::decode_log)? else {
            return Ok(None);
        };
        let last = state.length().checked_sub(1);
        let last = last.ok_or(StoreError::Malformed(Family::Log))?;
        let position = self.position_of(&log, last)?;
        let position = position.ok_or(StoreError::Missing(Family::Index))?;
        let body = self.body(position)?.ok_or(StoreError::Missing(Family::Entry))?;
        let body = body.present().ok_or(StoreError::Missing(Family::Body))?;
        let change = CommitteeChange::from_bytes(body).map_err(|_| StoreError::Malformed(Family::Body))?;
        let waits = change.current == ladder.hash(self.keys()) && change.from_height > head.height.saturating_add(1);
        Ok(waits.then_some(change))
    }

    /// Heights of the last blocks of the terms that ended above `held` and up to `head`, with the committees that they name,
    /// oldest first, at most `max` of them.
    pub(crate) fn rungs(&self, held: u64, head: u64, max: usize) -> Result<Vec<(u64, Committee)>, StoreError> {
        let mut rungs = Vec::new();
        // Whoever holds a block also holds the committee that it names: the term that begins behind `held` is known.
        let (from, to) = (
            meta::term_key(held.saturating_add(2)),
            meta::term_key(head.saturating_add(2)),
        );
        if to <= from {
            return Ok(rungs);
        }
        let mut outcome = Ok(());
        self.rows.scan(Family::Meta, &from, Some(&to), |key, value| {
            match (meta::decode_term_key(key), Committee::from_bytes(value)) {
                (Some(from), Ok(committee)) if rungs.len() < max => rungs.push((from.saturating_sub(1), committee)),
                (Some(_), Ok(_)) => return ControlFlow::Break(()),
                _ => outcome = Err(StoreError::Malformed(Family::Meta)),
            }
            go_on_if(outcome.is_ok())
        })?;
        outcome.map(|()| rungs)
    }
}

//! Entries and blocks dropped, exchanged, put in.

use waxwing_core::Meaning;
use waxwing_core::certificate::{Certificate, VoteKind, vote_message};
use waxwing_core::codec::Encode;
use waxwing_core::committee::{Committee, Signatures};
use waxwing_core::envelope::{EnvelopeHeader, ErasureSecret, KeepFor, SignedHeader};
use waxwing_core::genesis::FirstOfLog;
use waxwing_core::keys::{LogKey, VoteKey};
use waxwing_core::ledger::Step;
use waxwing_store::raw::Change;
use waxwing_store::rows::{self, EntryRow};
use waxwing_store::{Family, StoreError, Tables};

use super::{Done, Scene, TamperError};
use crate::finding::At;

/// Tables that are keyed by position.
const BY_POSITION: [Family; 3] = [Family::Entry, Family::Body, Family::Excuse];

/// Entries behind an inserted one are moved, so it goes in near the end.
const MOVED_MAX: u64 = 4096;

impl<T: Tables> Scene<'_, T> {
    pub(super) fn entry_dropped(&self) -> Result<Done, TamperError> {
        let position = self.any_entry()?;
        let at = self.at(position)?;
        let key = rows::number_key(position).to_vec();
        let changes = BY_POSITION.map(|family| Change::Delete(family, key.clone()));
        self.store.raw().change(&changes)?;
        Ok((at, format!("entry {position} removed, with its body")))
    }

    pub(super) fn entries_swapped(&self) -> Result<Done, TamperError> {
        let total = self.total()?;
        for position in self.choice.around("entry", 0, total.saturating_sub(1)) {
            let at = self.at(position)?;
            let (one, other) = (self.entry(position)?, self.entry(position + 1)?);
            if one.height == other.height {
                let mut changes = self.moved(position, position + 1)?;
                changes.extend(self.moved(position + 1, position)?);
                self.store.raw().change(&changes)?;
                return Ok((at, format!("entries {position} and {} exchanged", position + 1)));
            }
        }
        Err(TamperError::Nothing {
            needs: "a block with two entries",
        })
    }

    /// The changes that put what stands at one position to another.
    fn moved(&self, from: u64, to: u64) -> Result<Vec<Change>, TamperError> {
        let key = rows::number_key(to).to_vec();
        let mut changes = Vec::new();
        for family in BY_POSITION {
            changes.push(match self.store.raw().get(family, &rows::number_key(from))? {
                Some(row) => Change::Put(family, key.clone(), row),
                None => Change::Delete(family, key.clone()),
            });
        }
        Ok(changes)
    }

    pub(super) fn entry_inserted(&self) -> Result<Done, TamperError> {
        let total = self.total()?;
        let first = total.saturating_sub(MOVED_MAX);
        let place = self.choice.around("entry", first, total).next();
        let position = place.ok_or(TamperError::Nothing { needs: "an entry" })?;
        let (at, there) = (self.at(position)?, self.entry(position)?);
        let (row, body) = self.stranger(&there);
        let mut changes = Vec::new();
        for moved in position..total {
            changes.extend(self.moved(moved, moved + 1)?);
        }
        let key = rows::number_key(position).to_vec();
        changes.push(Change::Put(Family::Entry, key.clone(), row.to_bytes()));
        changes.push(Change::Put(Family::Body, key.clone(), body));
        changes.push(Change::Delete(Family::Excuse, key));
        self.store.raw().change(&changes)?;
        Ok((at, format!("a stranger's envelope put before entry {position}")))
    }

    /// A sound envelope on a log of its own, under the same anchor as its neighbour.
    fn stranger(&self, beside: &EntryRow) -> (EntryRow, Vec<u8>) {
        let (keys, key) = (self.store.keys(), LogKey::from_seed(&self.choice.seed));
        let body = b"this was never here".to_vec();
        let body_length = u32::try_from(body.len()).unwrap_or(0);
        let mut header = EnvelopeHeader {
            body_length,
            log: key.public(),
            anchor: beside.signed.header.anchor,
            body_hash: keys.hash(Meaning::Body, &body),
            erasure: ErasureSecret(self.choice.seed).commitment(keys),
            keep_for: KeepFor::Ever,
            nonce: 0,
        };
        let parameters = self.store.genesis().parameters;
        header.grind(keys, parameters.required_bits(body_length, FirstOfLog::Yes));
        let signed: SignedHeader = header.sign(keys, &key);
        let row = EntryRow {
            height: beside.height,
            log_index: 0,
            signed,
        };
        (row, body)
    }

    pub(super) fn block_dropped(&self) -> Result<Done, TamperError> {
        let height = self.any_block()?;
        self.store.raw().delete(Family::Block, &rows::number_key(height))?;
        Ok((At::block(height, None), format!("block {height} removed")))
    }

    /// A block that keeps every rule, certified by keys that belong to nobody.
    pub(super) fn block_forged(&self) -> Result<Done, TamperError> {
        let ledger = self.store.restore().map_err(|_| StoreError::Malformed(Family::Block))?;
        let draft = ledger.draft(self.store, ledger.head().time.saturating_add(1));
        let proposer = self.store.genesis().validators.first().copied();
        let proposer = proposer.ok_or(TamperError::Nothing { needs: "a validator" })?;
        let step = draft.finish(proposer, Vec::new());
        let certificate = self.forged(ledger.committee(), &step);
        self.store.commit(&step, &certificate)?;
        let height = step.header.height;
        Ok((
            At::block(height, None),
            format!("block {height} added, its certificate signed by a stranger"),
        ))
    }

    fn forged(&self, committee: &Committee, step: &Step) -> Certificate {
        let header = &step.header;
        let message = vote_message(header.network, VoteKind::Precommit, header.height, 0, step.id);
        let signature = VoteKey::from_seed(&self.choice.seed).sign(&message);
        let all = (0..committee.members().len()).map(|member| (member, signature));
        Certificate {
            round: 0,
            signatures: Signatures::collect(committee, all),
        }
    }
}

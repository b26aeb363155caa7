//! One transaction, and the groups that it uses.
//!
//! A large group is slow to read: its tree alone takes milliseconds. So a group that a transaction has written stays in memory
//! until somebody changes it. Which state is the newest is said by a count in the conversation's row, which rises with each
//! that is written: a group in memory is used only if it is of the count that the transaction reads, whichever process wrote
//! last. What a transaction that was not committed has made of a group is dropped with it.
//!
//! Likewise this device as it stands on a ledger: to verify its certificate takes longer than to seal a message. It counts for
//! exactly the rows that it was made of, so nothing has to be told when they change.
//!
//! Likewise cards: each statement is signed, and a device publishes every week for as long as it lives. What was said on a card
//! is never unsaid, so one in memory counts up to its last statement, and only what came behind it is looked at.

use core::cell::RefCell;
use core::ops::{Deref, DerefMut};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use waxwing_core::Hash;
use waxwing_core::keys::LogId;
use waxwing_seal::group::{Group, Myself};
use waxwing_seal::identity::Card;

use super::StoreError;
use super::account::Standing;
use crate::limits::{CARDS_IN_MEMORY_MAX, GROUPS_IN_MEMORY_MAX};
use crate::message::ChannelId;

/// Since version 11.
pub(super) const COLUMNS: &str = "ALTER TABLE channel ADD COLUMN written INTEGER NOT NULL DEFAULT 0;";

/// Groups as they were last written, and this device on each ledger with the rows that it was verified from.
#[derive(Default)]
pub(super) struct Kept {
    groups: Mutex<HashMap<ChannelId, (i64, Group)>>,
    myself: Mutex<HashMap<Hash, (Standing, Myself)>>,
    cards: Mutex<HashMap<ChannelId, FoldedCard>>,
    full: Mutex<HashMap<ChannelId, LogId>>,
}

/// A card, and the place of the last statement that it was folded from.
#[derive(Clone, Debug)]
pub(crate) struct FoldedCard {
    pub(crate) last: u64,
    pub(crate) card: Card,
}

impl Kept {
    fn take(&self, channel: ChannelId, written: i64) -> Option<Group> {
        let mut kept = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, group) = kept.remove(&channel)?;
        (count == written).then_some(group)
    }

    fn put(&self, groups: Vec<(ChannelId, i64, Group)>) {
        let mut kept = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        for (channel, count, group) in groups {
            if kept.len() >= GROUPS_IN_MEMORY_MAX {
                kept.clear();
            }
            kept.insert(channel, (count, group));
        }
    }

    fn put_cards(&self, cards: Vec<(ChannelId, FoldedCard)>) {
        if cards.is_empty() {
            return;
        }
        let mut kept = self.cards.lock().unwrap_or_else(PoisonError::into_inner);
        for (channel, folded) in cards {
            if kept.len() >= CARDS_IN_MEMORY_MAX {
                kept.clear();
            }
            kept.insert(channel, folded);
        }
    }
}

/// A transaction of the store. Everything that SQLite's can, and groups.
pub(crate) struct Transaction<'a> {
    database: rusqlite::Transaction<'a>,
    kept: &'a Kept,
    written: RefCell<Vec<(ChannelId, i64, Group)>>,
    folded: RefCell<Vec<(ChannelId, FoldedCard)>>,
}

impl<'a> Transaction<'a> {
    pub(super) const fn new(database: rusqlite::Transaction<'a>, kept: &'a Kept) -> Self {
        Self {
            database,
            kept,
            written: RefCell::new(Vec::new()),
            folded: RefCell::new(Vec::new()),
        }
    }

    /// Makes it durable; from now on its groups are the newest.
    pub(super) fn commit(self) -> Result<(), StoreError> {
        self.database.commit()?;
        self.kept.put(self.written.into_inner());
        self.kept.put_cards(self.folded.into_inner());
        Ok(())
    }

    /// It was only read: what it has folded is as it stands on the disk.
    pub(super) fn end_reading(self) {
        self.kept.put_cards(self.folded.into_inner());
    }

    /// The group of a conversation, if it is in memory as it was last written. It is this transaction's now.
    pub(crate) fn group(&self, channel: ChannelId) -> Result<Option<Group>, StoreError> {
        let count = self.count(channel)?;
        let mut written = self.written.borrow_mut();
        if let Some(at) = written.iter().position(|(of, ..)| *of == channel) {
            let (_, of, group) = written.swap_remove(at);
            return Ok((of == count).then_some(group));
        }
        Ok(self.kept.take(channel, count))
    }

    /// Keeps a group in memory that was written last in this transaction.
    pub(crate) fn keep_group(&self, channel: ChannelId, group: Group) -> Result<(), StoreError> {
        let count = self.count(channel)?;
        let mut written = self.written.borrow_mut();
        written.retain(|(of, ..)| *of != channel);
        written.push((channel, count, group));
        Ok(())
    }

    /// This device on a ledger, if it was verified in this process from exactly these rows.
    pub(crate) fn myself(&self, network: Hash, standing: &Standing) -> Option<Myself> {
        let kept = self.kept.myself.lock().unwrap_or_else(PoisonError::into_inner);
        let (from, myself) = kept.get(&network)?;
        (from == standing).then(|| myself.clone())
    }

    /// Keeps in memory what was verified from these rows.
    pub(crate) fn keep_myself(&self, network: Hash, standing: Standing, myself: Myself) {
        let mut kept = self.kept.myself.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(network, (standing, myself));
    }

    /// A card as far as it is in memory.
    pub(crate) fn card(&self, channel: ChannelId) -> Option<FoldedCard> {
        let folded = self.folded.borrow();
        if let Some((_, known)) = folded.iter().rev().find(|(of, _)| *of == channel) {
            return Some(known.clone());
        }
        let kept = self.kept.cards.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&channel).cloned()
    }

    /// Keeps a card in memory, once what it was folded from is on the disk.
    pub(crate) fn keep_card(&self, channel: ChannelId, folded: FoldedCard) {
        let mut kept = self.folded.borrow_mut();
        kept.retain(|(of, _)| *of != channel);
        kept.push((channel, folded));
    }

    /// Whether a group was found to be full in the epoch of this log: nobody comes or goes before the next one.
    pub(crate) fn is_full(&self, channel: ChannelId, epoch: LogId) -> bool {
        let full = self.kept.full.lock().unwrap_or_else(PoisonError::into_inner);
        full.get(&channel) == Some(&epoch)
    }

    /// Remembers that it is.
    pub(crate) fn note_full(&self, channel: ChannelId, epoch: LogId) {
        let mut full = self.kept.full.lock().unwrap_or_else(PoisonError::into_inner);
        full.insert(channel, epoch);
    }

    fn count(&self, channel: ChannelId) -> Result<i64, StoreError> {
        Ok(self
            .database
            .prepare_cached("SELECT written FROM channel WHERE id = ?1")?
            .query_row([channel.0], |row| row.get(0))?)
    }
}

impl<'a> Deref for Transaction<'a> {
    type Target = rusqlite::Transaction<'a>;

    fn deref(&self) -> &Self::Target {
        &self.database
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.database
    }
}

//! One transaction, and the groups that it uses.
//!
//! A large group is slow to read: its tree alone takes milliseconds. So a group that a transaction has written stays in memory
//! until somebody changes it. Which state is the newest is said by a count in the conversation's row, which rises with each
//! that is written: a group in memory is used only if it is of the count that the transaction reads, whichever process wrote
//! last. What a transaction that was not committed has made of a group is dropped with it.
//!
//! Likewise this device as it stands on a ledger: to verify its certificate takes longer than to seal a message. It counts for
//! exactly the rows that it was made of, so nothing has to be told when they change.

use core::cell::RefCell;
use core::ops::{Deref, DerefMut};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use waxwing_core::Hash;
use waxwing_seal::group::{Group, Myself};

use super::StoreError;
use super::account::Standing;
use crate::limits::GROUPS_IN_MEMORY_MAX;
use crate::message::ChannelId;

/// Since version 11.
pub(super) const COLUMNS: &str = "ALTER TABLE channel ADD COLUMN written INTEGER NOT NULL DEFAULT 0;";

/// Groups as they were last written, and this device on each ledger with the rows that it was verified from.
#[derive(Default)]
pub(super) struct Kept {
    groups: Mutex<HashMap<ChannelId, (i64, Group)>>,
    myself: Mutex<HashMap<Hash, (Standing, Myself)>>,
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
}

/// A transaction of the store. Everything that SQLite's can, and groups.
pub(crate) struct Transaction<'a> {
    database: rusqlite::Transaction<'a>,
    kept: &'a Kept,
    written: RefCell<Vec<(ChannelId, i64, Group)>>,
}

impl<'a> Transaction<'a> {
    pub(super) const fn new(database: rusqlite::Transaction<'a>, kept: &'a Kept) -> Self {
        Self {
            database,
            kept,
            written: RefCell::new(Vec::new()),
        }
    }

    /// Makes it durable; from now on its groups are the newest.
    pub(super) fn commit(self) -> Result<(), StoreError> {
        self.database.commit()?;
        self.kept.put(self.written.into_inner());
        Ok(())
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

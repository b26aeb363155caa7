//! Rows as they are, past every rule.
//!
//! For two users: whoever damages a ledger on purpose to see that it is noticed, through the database and with valid
//! checksums; and the auditor, who must look at rows that no longer make sense. A node never comes here. The layout is
//! in [`crate::rows`].

use core::ops::ControlFlow;

use crate::error::StoreError;
use crate::store::Store;
use crate::tables::{Batch, Family, Tables};

/// The rows of a store.
#[derive(Debug)]
pub struct Raw<'a, T> {
    store: &'a Store<T>,
}

/// One change of a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// It gets this value.
    Put(Family, Vec<u8>, Vec<u8>),
    /// It goes.
    Delete(Family, Vec<u8>),
}

impl<T: Tables> Store<T> {
    /// Past every rule: see [`crate::raw`].
    #[must_use]
    pub const fn raw(&self) -> Raw<'_, T> {
        Raw { store: self }
    }
}

impl<T: Tables> Raw<'_, T> {
    /// The value of a row.
    ///
    /// # Errors
    /// If the database fails.
    pub fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.store.rows.get(family, key)?.map(|value| value.to_vec()))
    }

    /// Shows all rows of a family, ascending, from `from` to before `to` (or the end), until `visit` breaks.
    ///
    /// # Errors
    /// If the database fails.
    pub fn scan(
        &self,
        family: Family,
        from: &[u8],
        to: Option<&[u8]>,
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.store.rows.scan(family, from, to, visit)
    }

    /// Makes these changes, all or none, durably. The store does not notice: open it again before using it otherwise.
    ///
    /// # Errors
    /// If the database fails.
    pub fn change(&self, changes: &[Change]) -> Result<(), StoreError> {
        let _alone = self.store.writing();
        let mut batch = self.store.rows.batch(1024);
        for change in changes {
            match change {
                Change::Put(family, key, value) => batch.put(*family, key, value),
                Change::Delete(family, key) => batch.delete(*family, key),
            }
        }
        self.store.rows.write(batch)
    }

    /// Gives a row this value.
    ///
    /// # Errors
    /// If the database fails.
    pub fn put(&self, family: Family, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.change(&[Change::Put(family, key.to_vec(), value.to_vec())])
    }

    /// Removes a row.
    ///
    /// # Errors
    /// If the database fails.
    pub fn delete(&self, family: Family, key: &[u8]) -> Result<(), StoreError> {
        self.change(&[Change::Delete(family, key.to_vec())])
    }
}

//! A database that failed once is not asked again.
//!
//! After a failed write nobody knows what is durable, and after a failed read nobody knows what else is damaged: going on
//! could certify a block over state that is lost. So the first failure stops everything, and the restart, which checks
//! the whole state against a certified header, decides.

use core::ops::ControlFlow;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::error::StoreError;
use crate::tables::{Failure, Family, Tables};

#[derive(Debug)]
pub(crate) struct Guarded<T> {
    tables: T,
    has_failed: AtomicBool,
}

impl<T: Tables> Guarded<T> {
    pub(crate) const fn new(tables: T) -> Self {
        Self {
            tables,
            has_failed: AtomicBool::new(false),
        }
    }

    pub(crate) const fn tables(&self) -> &T {
        &self.tables
    }

    pub(crate) fn get(&self, family: Family, key: &[u8]) -> Result<Option<T::Value<'_>>, StoreError> {
        self.ask(|tables| tables.get(family, key))
    }

    pub(crate) fn multi_get<K: AsRef<[u8]>>(
        &self,
        family: Family,
        keys: &[K],
    ) -> Result<Vec<Option<T::Value<'_>>>, StoreError> {
        self.ask(|tables| tables.multi_get(family, keys))
    }

    pub(crate) fn scan(
        &self,
        family: Family,
        from: &[u8],
        to: Option<&[u8]>,
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.ask(|tables| tables.scan(family, from, to, visit))
    }

    pub(crate) fn batch(&self, bytes: usize) -> T::Batch<'_> {
        self.tables.batch(bytes)
    }

    pub(crate) fn write(&self, batch: T::Batch<'_>) -> Result<(), StoreError> {
        self.ask(|tables| tables.write(batch))
    }

    pub(crate) fn ask<'a, A>(&'a self, question: impl FnOnce(&'a T) -> Result<A, Failure>) -> Result<A, StoreError> {
        if self.has_failed.load(Ordering::Acquire) {
            return Err(StoreError::Stopped);
        }
        question(&self.tables).map_err(|failure| {
            self.has_failed.store(true, Ordering::Release);
            StoreError::Failed(failure)
        })
    }
}

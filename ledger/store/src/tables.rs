//! The seam to a database: ten families of ordered rows, and one way to change them.
//!
//! Everything this crate knows about the ledger stands above this seam, once, and everything it knows about RocksDB below
//! it. So the in-memory double runs the very lines that run on a disk, and what a crash may do to them can be tried out
//! exhaustively.

use core::fmt;
use core::ops::{ControlFlow, Deref};
use std::sync::Arc;

/// A family of rows. What its keys and values are stands in [`crate::rows`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// Sealed bodies. Erasing and expiring delete here only.
    Body,
    /// What is kept of an entry for ever.
    Entry,
    /// Where the entries of a log are.
    Index,
    /// The state of each log: the leaves of the log map.
    Log,
    /// Secrets revealed by authors: why a body is absent.
    Excuse,
    /// Which bodies to drop when.
    Expiry,
    /// Inner nodes of logs' trees and of the history tree.
    Node,
    /// Headers, certificates, evidence.
    Block,
    /// Envelopes that could come again.
    Recent,
    /// Facts about the database itself.
    Meta,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Body,
        Self::Entry,
        Self::Index,
        Self::Log,
        Self::Excuse,
        Self::Expiry,
        Self::Node,
        Self::Block,
        Self::Recent,
        Self::Meta,
    ];

    /// The name it has in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Entry => "entry",
            Self::Index => "index",
            Self::Log => "log",
            Self::Excuse => "excuse",
            Self::Expiry => "expiry",
            Self::Node => "node",
            Self::Block => "block",
            Self::Recent => "recent",
            Self::Meta => "meta",
        }
    }

    /// The family with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The database or the disk below it failed. What it says is for the operator; nobody decides anything by it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure(Arc<str>);

impl Failure {
    /// With what the database says.
    #[must_use]
    pub fn new(reason: impl Into<Arc<str>>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Failure {}

/// Changes that become true together or not at all.
pub trait Batch {
    /// A row gets this value.
    fn put(&mut self, family: Family, key: &[u8], value: &[u8]);

    /// A row goes; nothing happens if it is not there.
    fn delete(&mut self, family: Family, key: &[u8]);

    /// All rows go whose keys are at least `from` and less than `to`.
    fn delete_range(&mut self, family: Family, from: &[u8], to: &[u8]);
}

/// A database of ordered rows.
pub trait Tables: Send + Sync + 'static {
    /// A value that was read, without a copy where the database can lend it.
    type Value<'a>: Deref<Target = [u8]>
    where
        Self: 'a;

    /// Changes in the making.
    type Batch<'a>: Batch
    where
        Self: 'a;

    /// The value of one row.
    ///
    /// # Errors
    /// If the database fails.
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Self::Value<'_>>, Failure>;

    /// The values of several rows, in the order of their keys, which ascend.
    ///
    /// # Errors
    /// If the database fails.
    fn multi_get<K: AsRef<[u8]>>(&self, family: Family, keys: &[K]) -> Result<Vec<Option<Self::Value<'_>>>, Failure>;

    /// Shows all rows, ascending, from `from` to before `to` (or the end), until `visit` breaks.
    ///
    /// # Errors
    /// If the database fails.
    fn scan(
        &self,
        family: Family,
        from: &[u8],
        to: Option<&[u8]>,
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Failure>;

    /// An empty batch with room for about so many bytes.
    fn batch(&self, bytes: usize) -> Self::Batch<'_>;

    /// Makes the changes, all or none. When it returns they are *durable*: no crash of program or machine undoes them.
    ///
    /// # Errors
    /// If the database fails. Then it is unknown whether the changes are durable.
    fn write(&self, batch: Self::Batch<'_>) -> Result<(), Failure>;

    /// How many times writes were made durable since the database was opened, as counted by whoever did it.
    fn syncs(&self) -> u64;
}

//! The replay of what came before a snapshot: an ordinary ledger that begins at the genesis, in the same tables.
//!
//! ```text
//! its body, entry, index, node, block, expiry, excuse  ──>  the joined store's own: other heights, so other keys
//! its log, recent, meta                                ──>  aside, in `meta`, until it has arrived at the snapshot
//! ```
//!
//! What was ordered before the snapshot is checked like every copied block, by a ledger of its own that starts at block 0,
//! and its rows land where they belong at once. States of logs are what the two would fight over: those of the replay stand
//! aside. When it arrives at the snapshot's height they are compared with those that were joined, and go.

use core::fmt;
use core::marker::PhantomData;
use core::ops::ControlFlow;
use std::borrow::Cow;

use waxwing_core::hash::Hash;

use crate::error::StoreError;
use crate::read::go_on_if;
use crate::rows::{self, meta};
use crate::snapshot::delete_base;
use crate::store::Store;
use crate::tables::{Batch, Failure, Family, Tables};

/// Rows that are compared at once.
const CHUNK: usize = 1 << 12;

/// The tables of the replay behind a joined store, which `H` holds.
pub struct Behind<H, T> {
    host: H,
    tables: PhantomData<fn() -> T>,
}

impl<T: Tables, H: AsRef<Store<T>> + Send + Sync + 'static> Behind<H, T> {
    /// Behind this store.
    #[must_use]
    pub const fn new(host: H) -> Self {
        Self {
            host,
            tables: PhantomData,
        }
    }

    fn store(&self) -> &Store<T> {
        self.host.as_ref()
    }
}

/// Where a family's rows stand aside; `None` for those that stand where they belong.
const fn aside(family: Family) -> Option<&'static [u8]> {
    match family {
        Family::Log => Some(meta::BEHIND_LOG),
        Family::Recent => Some(meta::BEHIND_RECENT),
        Family::Meta => Some(meta::BEHIND_META),
        Family::Body
        | Family::Entry
        | Family::Index
        | Family::Excuse
        | Family::Expiry
        | Family::Node
        | Family::Block => None,
    }
}

fn place(family: Family, key: &[u8]) -> (Family, Cow<'_, [u8]>) {
    match aside(family) {
        Some(prefix) => (Family::Meta, Cow::Owned(meta::behind(prefix, key))),
        None => (family, Cow::Borrowed(key)),
    }
}

/// Behind the last key with a prefix: none ends with the highest byte.
pub(crate) fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

fn failure(error: StoreError) -> Failure {
    match error {
        StoreError::Failed(failure) => failure,
        error => Failure::new(error.to_string()),
    }
}

impl<T: Tables, H: AsRef<Store<T>> + Send + Sync + 'static> Tables for Behind<H, T> {
    type Value<'a> = T::Value<'a>;
    type Batch<'a> = BehindBatch<T::Batch<'a>>;

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Self::Value<'_>>, Failure> {
        let (family, key) = place(family, key);
        self.store().rows.get(family, &key).map_err(failure)
    }

    fn multi_get<K: AsRef<[u8]>>(&self, family: Family, keys: &[K]) -> Result<Vec<Option<Self::Value<'_>>>, Failure> {
        let keys: Vec<Cow<'_, [u8]>> = keys.iter().map(|key| place(family, key.as_ref()).1).collect();
        let (family, _) = place(family, &[]);
        self.store().rows.multi_get(family, &keys).map_err(failure)
    }

    fn scan(
        &self,
        family: Family,
        from: &[u8],
        to: Option<&[u8]>,
        mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        let rows = &self.store().rows;
        let Some(prefix) = aside(family) else {
            return rows.scan(family, from, to, visit).map_err(failure);
        };
        let from = meta::behind(prefix, from);
        let to = to.map_or_else(|| end_of(prefix), |to| meta::behind(prefix, to));
        let outcome = rows.scan(Family::Meta, &from, Some(&to), |key, value| {
            visit(key.strip_prefix(prefix).unwrap_or(key), value)
        });
        outcome.map_err(failure)
    }

    fn batch(&self, bytes: usize) -> Self::Batch<'_> {
        BehindBatch {
            batch: self.store().rows.batch(bytes),
            applied: None,
        }
    }

    fn write(&self, batch: Self::Batch<'_>) -> Result<(), Failure> {
        let BehindBatch { batch, applied } = batch;
        self.store().rows.write(batch).map_err(failure)?;
        if let Some(height) = applied {
            self.store().joins.fill(height);
        }
        Ok(())
    }

    fn syncs(&self) -> u64 {
        self.store().syncs()
    }
}

impl<H, T> fmt::Debug for Behind<H, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Behind")
    }
}

/// Changes on their way to where they belong.
#[derive(Debug)]
pub struct BehindBatch<B> {
    batch: B,
    /// The height that these changes fill up to.
    applied: Option<u64>,
}

impl<B: Batch> Batch for BehindBatch<B> {
    fn put(&mut self, family: Family, key: &[u8], value: &[u8]) {
        if family == Family::Meta && key == meta::APPLIED {
            self.applied = rows::decode_number(value).ok();
        }
        let (family, key) = place(family, key);
        self.batch.put(family, &key, value);
    }

    fn delete(&mut self, family: Family, key: &[u8]) {
        let (family, key) = place(family, key);
        self.batch.delete(family, &key);
    }

    fn delete_range(&mut self, family: Family, from: &[u8], to: &[u8]) {
        let ((family, from), (_, to)) = (place(family, from), place(family, to));
        self.batch.delete_range(family, &from, &to);
    }
}

/// Why a joined store is not whole yet, or never will be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FillError {
    /// The replay has not arrived at the snapshot.
    NotThere {
        /// How far it is.
        filled: u64,
        /// Where it has to be.
        joined: u64,
    },
    /// The replay leads to another block than the one that was joined: the committee certified what breaks the rules.
    OtherHead,
    /// The replay leads to another state of a log than the one that was joined.
    OtherLog {
        /// Its place in the log map.
        map_key: Hash,
    },
    /// The replay knows of other envelopes that could come again.
    OtherWindow {
        /// Height of their anchor.
        anchor: u64,
    },
    /// The store failed.
    Store(StoreError),
}

impl fmt::Display for FillError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThere { filled, joined } => write!(f, "only blocks up to {filled} of {joined} are here"),
            Self::OtherHead => f.write_str("replaying the history leads to another block than the one that was joined"),
            Self::OtherLog { map_key } => {
                write!(
                    f,
                    "replaying the history leads to another state of the log at {map_key}"
                )
            }
            Self::OtherWindow { anchor } => {
                write!(
                    f,
                    "replaying the history leads to other envelopes under the anchor at block {anchor}"
                )
            }
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for FillError {}

impl From<StoreError> for FillError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl<T: Tables> Store<T> {
    /// Compares the replay, which has arrived at the snapshot's height, with what was joined there. If all is the same the
    /// store is whole from then on, and what it needed until now goes in one synced write. Nothing changes if it is whole.
    ///
    /// # Errors
    /// See [`FillError`]; nothing has changed then.
    pub fn become_whole(&self) -> Result<(), FillError> {
        let (Some(gap), Some(joint)) = (self.gap(), self.joint_row()?) else {
            return Ok(());
        };
        if gap.filled != gap.joined {
            return Err(FillError::NotThere {
                filled: gap.filled,
                joined: gap.joined,
            });
        }
        let header = self.header_of(gap.joined)?;
        if header.id(self.keys()) != joint.id {
            return Err(FillError::OtherHead);
        }
        self.compare_logs()?;
        self.compare_window(header.total_entries)?;
        let _alone = self.writing();
        let mut batch = self.rows.batch(1024);
        delete_base(&mut batch);
        for prefix in [meta::BEHIND_LOG, meta::BEHIND_RECENT, meta::BEHIND_META] {
            batch.delete_range(Family::Meta, prefix, &end_of(prefix));
        }
        batch.delete(Family::Meta, meta::JOINED);
        self.rows.write(batch)?;
        self.joins.set(0, 0);
        Ok(())
    }

    /// Each state that was joined is one that was replayed, and the other way round.
    fn compare_logs(&self) -> Result<(), FillError> {
        let (mut joined, mut replayed) = (Vec::new(), Vec::new());
        let mut from = Hash::ZERO.0.to_vec();
        loop {
            self.chunk((Family::Meta, meta::BASE), &from, &mut joined)?;
            self.chunk((Family::Meta, meta::BEHIND_LOG), &from, &mut replayed)?;
            for (one, other) in joined.iter().zip(&replayed) {
                if one != other {
                    return Err(other_log(one.0.as_slice().min(other.0.as_slice())));
                }
            }
            if let Some((key, _)) = joined.get(replayed.len()).or_else(|| replayed.get(joined.len())) {
                return Err(other_log(key));
            }
            match joined.last() {
                Some((last, _)) if joined.len() == CHUNK => from = [last.as_slice(), &[0]].concat(),
                _ => return Ok(()),
            }
        }
    }

    /// What the replay knows of envelopes that can still come again is known here, and the other way round for those that
    /// were ordered up to the snapshot.
    fn compare_window(&self, end: u64) -> Result<(), FillError> {
        let oldest = rows::number_key(self.oldest_anchor()?);
        let aside = |key: &[u8]| self.rows.get(Family::Meta, &meta::behind(meta::BEHIND_RECENT, key));
        self.each((Family::Meta, meta::BEHIND_RECENT), &oldest, |key, value| {
            let here = self.rows.get(Family::Recent, key)?;
            self.expect_recent(key, here.as_deref() == Some(value))
        })?;
        self.each((Family::Recent, &[]), &oldest, |key, value| {
            let is_later = rows::decode_number(value).is_ok_and(|position| position >= end);
            self.expect_recent(key, is_later || aside(key)?.is_some())
        })
    }

    /// Blocks go on being ordered meanwhile, and what is known under an anchor goes when it expires.
    fn expect_recent(&self, key: &[u8], is_known: bool) -> Result<(), FillError> {
        let anchor = key.first_chunk().map_or(0, |anchor| u64::from_be_bytes(*anchor));
        if is_known || anchor < self.oldest_anchor()? {
            Ok(())
        } else {
            Err(FillError::OtherWindow { anchor })
        }
    }

    fn oldest_anchor(&self) -> Result<u64, StoreError> {
        let head = self.header_of(self.applied())?;
        Ok(self.anchors(&head)?.first().map_or(0, |(height, _, _)| *height))
    }

    /// Shows rows with a prefix, their names without it. They are read in chunks: whoever looks at them may read others.
    fn each(
        &self,
        (family, prefix): (Family, &[u8]),
        from: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), FillError>,
    ) -> Result<(), FillError> {
        let (mut rows, mut from) = (Vec::new(), from.to_vec());
        loop {
            self.chunk((family, prefix), &from, &mut rows)?;
            for (key, value) in &rows {
                visit(key, value)?;
            }
            match rows.last() {
                Some((last, _)) if rows.len() == CHUNK => from = [last.as_slice(), &[0]].concat(),
                _ => return Ok(()),
            }
        }
    }

    fn chunk(
        &self,
        (family, prefix): (Family, &[u8]),
        from: &[u8],
        rows: &mut Vec<(Vec<u8>, Vec<u8>)>,
    ) -> Result<(), StoreError> {
        rows.clear();
        let from = meta::behind(prefix, from);
        let end = (!prefix.is_empty()).then(|| end_of(prefix));
        self.rows.scan(family, &from, end.as_deref(), |key, value| {
            rows.push((key.strip_prefix(prefix).unwrap_or(key).to_vec(), value.to_vec()));
            go_on_if(rows.len() < CHUNK)
        })
    }
}

fn other_log(key: &[u8]) -> FillError {
    FillError::OtherLog {
        map_key: Hash(key.try_into().unwrap_or_default()),
    }
}

//! The store: a ledger's rows in some tables, founded or opened.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use waxwing_core::codec::{CodecError, Decode, Encode};
use waxwing_core::genesis::Genesis;
use waxwing_core::hash::{Hash, HashKeys};

use crate::error::{OpenError, StoreError};
use crate::guard::Guarded;
use crate::joined::Joins;
#[cfg(feature = "rocks")]
use crate::rocks::RocksTables;
use crate::rows::{self, meta};
use crate::tables::{Batch, Family, Tables};

/// Version of the layout of all rows. An older one is migrated or refused, a newer one is refused.
pub const SCHEMA: u32 = 1;

/// The ledger of one network in a database.
pub struct Store<#[cfg(feature = "rocks")] T = RocksTables, #[cfg(not(feature = "rocks"))] T> {
    pub(crate) rows: Guarded<T>,
    genesis: Genesis,
    keys: HashKeys,
    /// Height of the newest block, for readers.
    applied: AtomicU64,
    /// The newest block, once it was needed. Held while anything is written: there is one writer at a time.
    tip: Mutex<Option<Tip>>,
    /// Which blocks are not here yet.
    pub(crate) joins: Joins,
}

/// The newest block stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tip {
    pub(crate) height: u64,
    pub(crate) id: Hash,
}

impl<T: Tables> Store<T> {
    /// Founds a ledger in tables without one.
    ///
    /// # Errors
    /// [`OpenError::Occupied`] if there is one.
    pub fn create_on(tables: T, genesis: &Genesis) -> Result<Self, OpenError> {
        let rows = Guarded::new(tables);
        if rows.get(Family::Meta, meta::SCHEMA)?.is_some() {
            return Err(OpenError::Occupied);
        }
        let mut block = Vec::new();
        rows::encode_block(&mut block, &genesis.block(), &[], &[]);
        let mut batch = rows.batch(2 * block.len());
        batch.put(Family::Meta, meta::SCHEMA, &SCHEMA.to_be_bytes());
        batch.put(Family::Meta, meta::GENESIS, &genesis.to_bytes());
        batch.put(Family::Meta, meta::APPLIED, &0_u64.to_be_bytes());
        batch.put(Family::Block, &rows::number_key(0), &block);
        rows.write(batch)?;
        Ok(Self::with(rows, genesis.clone(), 0, Joins::default()))
    }

    /// Opens the ledger that the tables hold. What it holds is not judged here: a node calls [`Store::restore`].
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_on(tables: T) -> Result<Self, OpenError> {
        let rows = Guarded::new(tables);
        match read(&rows, Family::Meta, meta::SCHEMA, rows::decode_schema)?.ok_or(OpenError::NoLedger)? {
            SCHEMA => {}
            found if found > SCHEMA => return Err(OpenError::Newer { found }),
            found => return Err(OpenError::Older { found }),
        }
        let genesis = read(&rows, Family::Meta, meta::GENESIS, Genesis::from_bytes)?;
        let applied = read(&rows, Family::Meta, meta::APPLIED, rows::decode_number)?;
        let missing = StoreError::Missing(Family::Meta);
        let (genesis, applied) = genesis.zip(applied).ok_or(missing)?;
        let joins = Joins::read(&rows)?;
        Ok(Self::with(rows, genesis, applied, joins))
    }

    fn with(rows: Guarded<T>, genesis: Genesis, applied: u64, joins: Joins) -> Self {
        Self {
            rows,
            keys: genesis.keys(),
            genesis,
            applied: AtomicU64::new(applied),
            tip: Mutex::new(None),
            joins,
        }
    }

    /// The founding facts of its network.
    #[must_use]
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The network's hash keys.
    #[must_use]
    pub const fn keys(&self) -> &HashKeys {
        &self.keys
    }

    /// Height of the newest block stored; everything up to it is durable.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// How many writes were made durable since the tables were opened, as counted by the database. Never less than the
    /// blocks committed: tests compare.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.rows.tables().syncs()
    }

    /// The database below.
    #[must_use]
    pub const fn tables(&self) -> &T {
        self.rows.tables()
    }

    /// The only writer, until the guard is dropped.
    pub(crate) fn writing(&self) -> MutexGuard<'_, Option<Tip>> {
        // Whoever panicked here left no half of a batch behind, and the tip is changed after the write only.
        self.tip.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_applied(&self, height: u64) {
        self.applied.store(height, Ordering::Release);
    }

    /// A row, decoded.
    pub(crate) fn row<V>(
        &self,
        family: Family,
        key: &[u8],
        decode: impl FnOnce(&[u8]) -> Result<V, CodecError>,
    ) -> Result<Option<V>, StoreError> {
        read(&self.rows, family, key, decode)
    }
}

fn read<T: Tables, V>(
    rows: &Guarded<T>,
    family: Family,
    key: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<V, CodecError>,
) -> Result<Option<V>, StoreError> {
    match rows.get(family, key)? {
        Some(value) => decode(&value).map(Some).map_err(|_| StoreError::Malformed(family)),
        None => Ok(None),
    }
}

impl<T> fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Store({}, up to block {})",
            self.keys.network(),
            self.applied.load(Ordering::Acquire)
        )
    }
}

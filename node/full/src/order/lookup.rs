//! Entries that this node holds and another validator lacks: asked for by the name of a block that is under way.
//!
//! The block comes before the pool: whoever holds a log's key can sign one header twice, and only the block says which
//! of the two it is about.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use waxwing_core::envelope::Carried;
use waxwing_core::{Hash, Verified};

use crate::pool::Waiting;

/// Entries of one block, by their stamps.
pub(super) type Stamped = Vec<(Hash, Arc<Verified<Carried>>)>;

/// Where entries are looked up.
#[derive(Debug)]
pub(crate) struct Lookup {
    waiting: Arc<Waiting>,
    under_way: Mutex<BTreeMap<Hash, Arc<Stamped>>>,
}

impl Lookup {
    pub(crate) fn new(waiting: Arc<Waiting>) -> Self {
        Self {
            waiting,
            under_way: Mutex::default(),
        }
    }

    /// Those of the entries that are here, in the order of the stamps.
    pub(crate) fn find(&self, block: &Hash, stamps: &[Hash]) -> Vec<Arc<Verified<Carried>>> {
        let held = (self.under_way.lock().unwrap_or_else(PoisonError::into_inner))
            .get(block)
            .cloned();
        let Some(held) = held else {
            return self.waiting.find(stamps.iter()).into_iter().flatten().collect();
        };
        let held: HashMap<Hash, &Arc<Verified<Carried>>> = held.iter().map(|(stamp, entry)| (*stamp, entry)).collect();
        let found = stamps.iter().filter_map(|stamp| held.get(stamp));
        found.map(|entry| Arc::clone(entry)).collect()
    }

    /// A block whose entries are all here.
    pub(super) fn put(&self, block: Hash, entries: Stamped) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.insert(block, Arc::new(entries));
    }

    /// The height is done: others copy its block.
    pub(super) fn clear(&self) {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

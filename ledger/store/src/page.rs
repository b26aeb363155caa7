//! Pages of a log: what a client appends to the frontier it holds.

use waxwing_core::codec::Decode;
use waxwing_core::envelope::{Body, Carried, SignedHeader};
use waxwing_core::keys::LogId;
use waxwing_core::log::Place;

use crate::error::StoreError;
use crate::read::go_on_if;
use crate::rows::{self, EntryRow};
use crate::store::Store;
use crate::tables::{Family, Tables};

/// Entries that are looked up at once: enough to amortise a lookup, little enough not to read far beyond a page's end.
const LOOKUP: usize = 64;

/// What an entry takes of a page beside its body: place, header, signature.
const HEADER_BYTES: u64 = 20 + 224;

/// How much of a log is wanted at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Page {
    /// At most so many entries.
    pub max_entries: u32,
    /// At most so many bytes of headers and bodies, but at least one entry.
    pub max_bytes: u32,
    /// With or without their bodies.
    pub bodies: Bodies,
}

/// Whether bodies are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bodies {
    /// Each with its body, or why it is absent.
    With,
    /// Headers and signatures: enough to recompute the log.
    Without,
}

/// An entry of a log in its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogEntry {
    /// Index in the log.
    pub index: u64,
    /// Place among all entries of the ledger.
    pub position: u64,
    /// Block, time, place in the block.
    pub place: Place,
    /// Header and signature.
    pub signed: SignedHeader,
    /// The body or why it is absent; `None` if bodies were not asked for.
    pub body: Option<Body>,
}

impl LogEntry {
    /// The entry as blocks carry it; `None` if bodies were not asked for.
    #[must_use]
    pub fn into_carried(self) -> Option<Carried> {
        let Self { signed, body, .. } = self;
        body.map(|body| Carried { signed, body })
    }
}

impl<T: Tables> Store<T> {
    /// The entries of a log from an index on, ascending without gaps; none if the log ends before.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn log_entries(&self, log: &LogId, from: u64, page: Page) -> Result<Vec<LogEntry>, StoreError> {
        let wanted = usize::try_from(page.max_entries).unwrap_or(usize::MAX);
        let mut gathered = Gathered {
            store: self,
            next: from,
            bytes_left: u64::from(page.max_bytes),
            has_taken: false,
            bodies: page.bodies,
            block: None,
            entries: Vec::new(),
        };
        while gathered.entries.len() < wanted {
            let count = LOOKUP.min(wanted - gathered.entries.len());
            let positions = self.positions(log, gathered.next, count)?;
            let is_full = gathered.add(&positions)? == Room::None;
            if is_full || positions.len() < count {
                break;
            }
        }
        Ok(gathered.entries)
    }

    /// The keys of a log's entries, without gaps.
    fn positions(&self, log: &LogId, from: u64, count: usize) -> Result<Vec<[u8; 8]>, StoreError> {
        let (start, end) = (rows::index_key(log, from), rows::index_key(log, u64::MAX));
        let (mut positions, mut expected, mut outcome) = (Vec::with_capacity(count), from, Ok(()));
        self.rows.scan(Family::Index, &start, Some(&end), |key, value| {
            match value.first_chunk::<8>() {
                Some(position) if *key == rows::index_key(log, expected) => positions.push(*position),
                Some(_) => outcome = Err(StoreError::Missing(Family::Index)),
                None => outcome = Err(StoreError::Malformed(Family::Index)),
            }
            expected = expected.saturating_add(1);
            go_on_if(outcome.is_ok() && positions.len() < count)
        })?;
        outcome.map(|()| positions)
    }
}

/// Whether a page has room for more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Room {
    Some,
    None,
}

/// A page in the making.
struct Gathered<'a, T> {
    store: &'a Store<T>,
    next: u64,
    bytes_left: u64,
    has_taken: bool,
    bodies: Bodies,
    /// The block of the last entry: the next one is often in it too.
    block: Option<Ordered>,
    entries: Vec<LogEntry>,
}

/// What of a block says where its entries stand.
#[derive(Clone, Copy)]
struct Ordered {
    height: u64,
    time: u64,
    first_position: u64,
}

impl<T: Tables> Gathered<'_, T> {
    fn add(&mut self, positions: &[[u8; 8]]) -> Result<Room, StoreError> {
        let mut signed = Vec::with_capacity(positions.len());
        for row in self.store.rows.multi_get(Family::Entry, positions)? {
            let row = row.ok_or(StoreError::Missing(Family::Entry))?;
            signed.push(EntryRow::from_bytes(&row).map_err(|_| StoreError::Malformed(Family::Entry))?);
        }
        let fitting = signed.iter().take_while(|row| self.takes(row)).count();
        let room = if fitting == positions.len() {
            Room::Some
        } else {
            Room::None
        };
        let positions = positions.get(..fitting).unwrap_or_default();
        let mut bodies = match self.bodies {
            Bodies::With => self.store.rows.multi_get(Family::Body, positions)?,
            Bodies::Without => Vec::new(),
        }
        .into_iter();
        for (key, row) in positions.iter().zip(signed) {
            let body = bodies.next().map(|body| body.map(|bytes| bytes.to_vec()));
            self.push(u64::from_be_bytes(*key), row, body)?;
        }
        Ok(room)
    }

    /// Whether an entry still fits, and if so takes its share; the first one always does.
    fn takes(&mut self, row: &EntryRow) -> bool {
        let body = match self.bodies {
            Bodies::With => u64::from(row.signed.header.body_length),
            Bodies::Without => 0,
        };
        let left = self.bytes_left.checked_sub(HEADER_BYTES + body);
        let is_first = self.entries.is_empty() && !self.has_taken;
        self.has_taken = true;
        self.bytes_left = left.unwrap_or(0);
        left.is_some() || is_first
    }

    fn push(&mut self, position: u64, row: EntryRow, body: Option<Option<Vec<u8>>>) -> Result<(), StoreError> {
        let block = self.block_at(row.height)?;
        let in_block = position.checked_sub(block.first_position).map(u32::try_from);
        let Some(Ok(in_block)) = in_block else {
            return Err(StoreError::Malformed(Family::Entry));
        };
        let body = match body {
            Some(Some(bytes)) => Some(Body::Present(bytes)),
            Some(None) => Some(self.store.absent(position, &row.signed.header, block.time)?),
            None => None,
        };
        self.entries.push(LogEntry {
            index: self.next,
            position,
            place: Place {
                height: block.height,
                time: block.time,
                in_block,
            },
            signed: row.signed,
            body,
        });
        self.next = self.next.saturating_add(1);
        Ok(())
    }

    fn block_at(&mut self, height: u64) -> Result<Ordered, StoreError> {
        if let Some(block) = self.block.filter(|block| block.height == height) {
            return Ok(block);
        }
        let header = self.store.header_of(height)?;
        let block = Ordered {
            height,
            time: header.time,
            first_position: header.first_position(),
        };
        self.block = Some(block);
        Ok(block)
    }
}

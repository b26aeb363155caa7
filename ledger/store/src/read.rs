//! What a node serves without proving it: blocks, entries, bodies or why they are absent.

use core::ops::ControlFlow;

use waxwing_core::block::{BlockHeader, CertifiedBlock};
use waxwing_core::certificate::Head;
use waxwing_core::codec::{Decode, Reader};
use waxwing_core::envelope::{Body, Carried, EnvelopeHeader, ErasureSecret, SignedHeader};
use waxwing_core::hash::Hash;
use waxwing_core::keys::LogId;

use crate::error::StoreError;
use crate::rows::{self, BlockRow, EntryRow, IndexRow};
use crate::store::Store;
use crate::tables::{Family, Tables};

impl<T: Tables> Store<T> {
    /// The newest block's header and certificate; `None` while there is only block 0, which has none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn head(&self) -> Result<Option<Head>, StoreError> {
        self.certified(self.applied())
    }

    /// A block's header and certificate; `None` for block 0 and for blocks that are not here.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn certified(&self, height: u64) -> Result<Option<Head>, StoreError> {
        Ok(self.block_row(height)?.and_then(BlockRow::into_head))
    }

    /// A block's header, certificate and evidence; `None` if it is not here.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn block_row(&self, height: u64) -> Result<Option<BlockRow>, StoreError> {
        self.row(Family::Block, &rows::number_key(height), BlockRow::from_bytes)
    }

    /// A block's header; `None` if it is not here.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn header(&self, height: u64) -> Result<Option<BlockHeader>, StoreError> {
        let header = |bytes: &[u8]| BlockHeader::decode(&mut Reader::new(bytes));
        self.row(Family::Block, &rows::number_key(height), header)
    }

    /// The header of a block that must be here.
    pub(crate) fn header_of(&self, height: u64) -> Result<BlockHeader, StoreError> {
        self.header(height)?.ok_or(StoreError::Missing(Family::Block))
    }

    /// A whole block, bodies or their excuses included; `None` for block 0 and for blocks that are not here.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn block(&self, height: u64) -> Result<Option<CertifiedBlock>, StoreError> {
        let Some(row) = self.block_row(height)? else {
            return Ok(None);
        };
        let evidence = row.evidence.clone();
        let Some(head) = row.into_head() else {
            return Ok(None);
        };
        let (first, time) = (head.header.first_position(), head.header.time);
        let signed = self.signed_of(&head.header)?;
        let mut bodies = self.bodies_of(&head.header)?.into_iter().peekable();
        let mut entries = Vec::with_capacity(signed.len());
        for (position, signed) in (first..).zip(signed) {
            let body = match bodies.next_if(|(here, _)| *here == position) {
                Some((_, bytes)) => Body::Present(bytes),
                None => self.absent(position, &signed.header, time)?,
            };
            entries.push(Carried { signed, body });
        }
        Ok(Some(CertifiedBlock {
            head,
            entries,
            evidence,
        }))
    }

    fn signed_of(&self, header: &BlockHeader) -> Result<Vec<SignedHeader>, StoreError> {
        let mut signed = Vec::new();
        self.entry_rows(header, |bytes| {
            let row = EntryRow::from_bytes(bytes).map_err(|_| StoreError::Malformed(Family::Entry))?;
            signed.push(row.signed);
            Ok(())
        })?;
        Ok(signed)
    }

    /// Shows the `entry` rows of a block, all of them or an error.
    pub(crate) fn entry_rows(
        &self,
        header: &BlockHeader,
        mut visit: impl FnMut(&[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let from = rows::number_key(header.first_position());
        let to = rows::number_key(header.total_entries);
        let (mut count, mut outcome) = (0, Ok(()));
        self.rows.scan(Family::Entry, &from, Some(&to), |_, value| {
            count += 1;
            outcome = visit(value);
            go_on_if(outcome.is_ok())
        })?;
        outcome?;
        if count == header.entry_count {
            Ok(())
        } else {
            Err(StoreError::Missing(Family::Entry))
        }
    }

    /// The bodies of a block that are here, with their positions.
    fn bodies_of(&self, header: &BlockHeader) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        let from = rows::number_key(header.first_position());
        let to = rows::number_key(header.total_entries);
        let (mut bodies, mut outcome) = (Vec::new(), Ok(()));
        self.rows.scan(Family::Body, &from, Some(&to), |key, value| {
            match rows::decode_number(key) {
                Ok(position) => bodies.push((position, value.to_vec())),
                Err(_) => outcome = Err(StoreError::Malformed(Family::Body)),
            }
            go_on_if(outcome.is_ok())
        })?;
        outcome.map(|()| bodies)
    }

    /// What is kept of the entry at a position; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn entry(&self, position: u64) -> Result<Option<EntryRow>, StoreError> {
        self.row(Family::Entry, &rows::number_key(position), EntryRow::from_bytes)
    }

    /// Header and signature of the entry at a position; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn signed_header(&self, position: u64) -> Result<Option<SignedHeader>, StoreError> {
        Ok(self.entry(position)?.map(|row| row.signed))
    }

    /// The body of the entry at a position, or why it is absent; `None` if there is no such entry.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn body(&self, position: u64) -> Result<Option<Body>, StoreError> {
        let key = rows::number_key(position);
        if let Some(bytes) = self.rows.get(Family::Body, &key)? {
            return Ok(Some(Body::Present(bytes.to_vec())));
        }
        let Some(entry) = self.entry(position)? else {
            return Ok(None);
        };
        let ordered = self.header_of(entry.height)?.time;
        self.absent(position, &entry.signed.header, ordered).map(Some)
    }

    /// Why a body is not here.
    pub(crate) fn absent(&self, position: u64, header: &EnvelopeHeader, ordered: u64) -> Result<Body, StoreError> {
        let excuse = self.row(Family::Excuse, &rows::number_key(position), rows::decode_excuse)?;
        if let Some(secret) = excuse {
            return Ok(Body::Erased(secret));
        }
        let now = self.header_of(self.applied())?.time;
        Ok(if Body::Expired.is_excused(header, ordered, now) {
            Body::Expired
        } else {
            Body::Withheld
        })
    }

    /// Secrets that authors revealed for entries from a position on, at most so many, ascending by position: what a node
    /// that copied the ledger earlier needs to drop the same bodies.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn excuses(&self, from: u64, max: usize) -> Result<Vec<(u64, ErasureSecret)>, StoreError> {
        let (mut found, mut outcome) = (Vec::new(), Ok(()));
        self.rows
            .scan(Family::Excuse, &rows::number_key(from), None, |key, value| {
                match rows::decode_number(key).and_then(|position| Ok((position, rows::decode_excuse(value)?))) {
                    Ok(excuse) if found.len() < max => found.push(excuse),
                    Ok(_) => return ControlFlow::Break(()),
                    Err(_) => outcome = Err(StoreError::Malformed(Family::Excuse)),
                }
                go_on_if(outcome.is_ok())
            })?;
        outcome.map(|()| found)
    }

    /// Where the entry with an index in a log is among all of the ledger; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn position_of(&self, log: &LogId, index: u64) -> Result<Option<u64>, StoreError> {
        Ok(self.index_row(log, index)?.map(|row| row.position))
    }

    /// Where the envelope with this anchor height and stamp was ordered; `None` if it was not, or its anchor has expired.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn position_of_stamp(&self, anchor: u64, stamp: &Hash) -> Result<Option<u64>, StoreError> {
        self.row(Family::Recent, &rows::recent_key(anchor, stamp), rows::decode_number)
    }

    /// The `index` row of an entry; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn index_row(&self, log: &LogId, index: u64) -> Result<Option<IndexRow>, StoreError> {
        self.row(Family::Index, &rows::index_key(log, index), IndexRow::from_bytes)
    }
}

/// Whether a scan goes on.
pub(crate) const fn go_on_if(condition: bool) -> ControlFlow<()> {
    if condition {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(())
    }
}

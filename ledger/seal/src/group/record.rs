//! What a device knows about a group beside the library's own state, stored by the caller in the same transaction.
//!
//! ```text
//! "WXGROUP" 1 | network 32 | suite 2 | group id 32 | standing 1
//! pending commit: 0, or 1 and its id 32 | leave: likewise | leaving: list of leaf 4 | own messages: list of id 32
//! ```
//!
//! No secrets in it. Own messages are told from others' by their bytes: whoever wrote a message cannot decrypt it, and
//! an own commit must be recognised when the ledger's order makes it true. `// SPEC 22.14`

use std::collections::BTreeSet;

use waxwing_core::Hash;
use waxwing_core::codec::{CodecError, Decode, Encode, Reader, put_count};

use super::limits::{MEMBERS_MAX, OUTSTANDING_MAX};

/// First bytes of a record; the last one is the version.
const RECORD_MAGIC: [u8; 8] = *b"WXGROUP\x01";

/// Whether this device can still follow the group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It can.
    Member,
    /// A commit whose author encrypted nothing here that opens: all that is left is to be added afresh.
    Stranded,
    /// It was removed.
    Removed,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Record {
    pub(super) network: Hash,
    /// The suite's number: every group says which it has, so that it can be moved to another.
    pub(super) suite: u16,
    pub(super) group: [u8; 32],
    pub(super) standing: Standing,
    /// The own commit that waits for the ledger.
    pub(super) pending: Option<Hash>,
    /// The own wish to leave that waits for the ledger.
    pub(super) leave: Option<Hash>,
    /// Leaves whose wish to leave stands on this epoch's log.
    pub(super) leaving: BTreeSet<u32>,
    /// Own messages of this epoch that have not appeared on its log.
    pub(super) outstanding: BTreeSet<Hash>,
}

impl Record {
    pub(super) const fn new(network: Hash, suite: u16, group: [u8; 32]) -> Self {
        Self {
            network,
            suite,
            group,
            standing: Standing::Member,
            pending: None,
            leave: None,
            leaving: BTreeSet::new(),
            outstanding: BTreeSet::new(),
        }
    }

    /// Forgets what belonged to the epoch that ends, and returns the own messages that the order left behind.
    pub(super) fn end_epoch(&mut self) -> Vec<Hash> {
        self.pending = None;
        self.leave = None;
        self.leaving.clear();
        core::mem::take(&mut self.outstanding).into_iter().collect()
    }
}

fn put_option(out: &mut Vec<u8>, hash: Option<Hash>) {
    match hash {
        None => out.push(0),
        Some(hash) => {
            out.push(1);
            hash.encode(out);
        }
    }
}

fn option(reader: &mut Reader<'_>) -> Result<Option<Hash>, CodecError> {
    match reader.u8()? {
        0 => Ok(None),
        1 => reader.hash().map(Some),
        _ => Err(CodecError::BadValue),
    }
}

fn put_set<T: Copy>(out: &mut Vec<u8>, set: &BTreeSet<T>, put: impl Fn(&mut Vec<u8>, T)) {
    put_count(out, set.len());
    for value in set {
        put(out, *value);
    }
}

/// A list that strictly ascends: a set has one form.
fn set<T: Ord>(values: Vec<T>) -> Result<BTreeSet<T>, CodecError> {
    if values.is_sorted_by(|one, next| one < next) {
        Ok(values.into_iter().collect())
    } else {
        Err(CodecError::BadValue)
    }
}

impl Encode for Record {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&RECORD_MAGIC);
        self.network.encode(out);
        out.extend_from_slice(&self.suite.to_be_bytes());
        out.extend_from_slice(&self.group);
        match self.standing {
            Standing::Member => out.push(0),
            Standing::Stranded => out.push(1),
            Standing::Removed => out.push(2),
        }
        put_option(out, self.pending);
        put_option(out, self.leave);
        put_set(out, &self.leaving, |out, leaf| {
            out.extend_from_slice(&leaf.to_be_bytes())
        });
        put_set(out, &self.outstanding, |out, id| id.encode(out));
    }
}

impl Decode for Record {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.magic(&RECORD_MAGIC)?;
        let (network, suite, group) = (reader.hash()?, reader.u16()?, reader.array()?);
        let standing = match reader.u8()? {
            0 => Standing::Member,
            1 => Standing::Stranded,
            2 => Standing::Removed,
            _ => return Err(CodecError::BadValue),
        };
        let (pending, leave) = (option(reader)?, option(reader)?);
        let count = reader.count(MEMBERS_MAX, 4)?;
        let leaving = (0..count).map(|_| reader.u32()).collect::<Result<_, _>>()?;
        Ok(Self {
            network,
            suite,
            group,
            standing,
            pending,
            leave,
            leaving: set(leaving)?,
            outstanding: set(reader.list(OUTSTANDING_MAX, 32)?)?,
        })
    }
}

//! What liars tell clients: every answer begins as the truth and is altered in one place.

use std::fmt;

use waxwing_core::follow::HeadProof;
use waxwing_core::hash::Hash;
use waxwing_core::keys::LogId;
use waxwing_core::ledger::Ledger;
use waxwing_core::log::Place;
use waxwing_core::merkle::Frontier;
use waxwing_store::{Bodies, MemoryTables, Page, Store, StoreError};

use crate::founding::Founding;
use crate::network::Seat;

/// A kind of lie.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Lie {
    /// An old head for the present.
    Stale,
    /// A header that nobody certified, under the certificate of another.
    Altered,
    /// Another history, certified by the liars alone.
    OtherHistory,
    /// The proof of another log.
    OtherLog,
    /// Not all entries of a log.
    CutShort,
    /// Another entry in place of the last.
    Swapped,
    /// That there is no such log.
    Denied,
}

impl Lie {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Stale,
        Self::Altered,
        Self::OtherHistory,
        Self::OtherLog,
        Self::CutShort,
        Self::Swapped,
        Self::Denied,
    ];
}

impl fmt::Display for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stale => "an old head",
            Self::Altered => "an altered header",
            Self::OtherHistory => "another history",
            Self::OtherLog => "another log's proof",
            Self::CutShort => "a log cut short",
            Self::Swapped => "another entry",
            Self::Denied => "no such log",
        })
    }
}

/// What a client is told: the newest head, the state of its log there, and the entries it lacks.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The way to the head, and the log there.
    pub proof: HeadProof,
    /// Entry ids and places from the client's position on.
    pub entries: Vec<(Hash, Place)>,
}

/// The truth, for a client that holds the head at height `held` and so many entries of the log. `None` while the ledger
/// is older, or has no block but the genesis.
///
/// # Errors
/// If the store cannot be read.
pub fn truth(
    store: &Store<MemoryTables>,
    ledger: &Ledger,
    log: &LogId,
    (held, entries): (u64, u64),
) -> Result<Option<Answer>, StoreError> {
    let Some(proof) = store.head_proof(ledger, log, held)? else {
        return Ok(None);
    };
    let page = Page {
        max_entries: 10_000,
        max_bytes: u32::MAX,
        bodies: Bodies::Without,
    };
    let listed = store.log_entries(log, entries, page)?;
    let entries = listed
        .iter()
        .map(|entry| (entry.signed.entry_id(store.keys()), entry.place));
    Ok(Some(Answer {
        proof,
        entries: entries.collect(),
    }))
}

/// What a liar makes of the truth; `None` where it does not lend itself to this lie. `other` is the truth about another
/// log and head, `liars` are those who would certify anything.
#[must_use]
pub fn lie(kind: Lie, truth: &Answer, other: &Answer, founding: &Founding, liars: &[Seat]) -> Option<Answer> {
    let mut told = truth.clone();
    let head = &mut told.proof.update.head;
    match kind {
        Lie::Stale => return Some(other.clone()),
        Lie::Altered => head.header.total_entries += 1,
        Lie::OtherHistory => {
            head.header.time += 1;
            let round = head.certificate.round;
            *head = founding.certify(&head.header, round, liars);
        }
        Lie::OtherLog => {
            if told.proof.log == other.proof.log {
                return None;
            }
            told.proof.log = other.proof.log.clone();
        }
        Lie::CutShort => {
            told.entries.pop()?;
        }
        Lie::Swapped => {
            told.entries.last_mut()?.0 = Hash([3; 32]);
        }
        Lie::Denied => {
            // An empty log would have this root; the proof stays that of the log as it is.
            let leaf = told.proof.log.leaf.as_mut()?;
            leaf.length = Frontier::empty().len();
        }
    }
    Some(told)
}

//! What can be checked of a block without knowing what came before: signatures, stamps, bodies, the certificate.
//!
//! This is where nearly all the time of an audit goes (23 µs an entry, against 5 for everything else), and all of it can
//! be done for any blocks at once. So it runs on all cores, in front of the replay, which only looks at the outcome.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use waxwing_core::certificate::{Head, HeadError};
use waxwing_core::codec::Encode;
use waxwing_core::committee::Committee;
use waxwing_core::envelope::{Body, Carried, EnvelopeError, SignedHeader};
use waxwing_core::evidence::Evidence;
use waxwing_core::genesis::Genesis;
use waxwing_core::{Hash, HashKeys, Meaning, Verified};

use crate::source::{Gap, Label, SourceBlock};
use crate::words::count;

/// Entries that one core takes at a time: a millisecond of work.
const ENTRIES_AT_A_TIME: usize = 48;

/// The committees that are known so far, by their hashes: what headers name. The replay adds one when a block names it;
/// a block that was checked before that happened is certified by the replay itself.
#[derive(Debug, Default)]
pub(crate) struct Committees(RwLock<HashMap<Hash, Arc<Committee>>>);

impl Committees {
    pub(crate) fn add(&self, keys: &HashKeys, committee: &Committee) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(committee.hash(keys), Arc::new(committee.clone()));
    }

    fn find(&self, hash: &Hash) -> Option<Arc<Committee>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(hash).cloned()
    }
}

/// What must be known of a network for it.
#[derive(Debug)]
pub(crate) struct Checker {
    keys: HashKeys,
    stamp_bits: u8,
    committees: Arc<Committees>,
}

/// A block and the outcome.
#[derive(Debug)]
pub(crate) struct CheckedBlock {
    pub(crate) head: Head,
    pub(crate) id: Hash,
    pub(crate) certified: Result<(), HeadError>,
    /// Hash of the committee that was asked for that; none if the one that the header names is not known yet.
    pub(crate) asked: Option<Hash>,
    pub(crate) entries: Vec<CheckedEntry>,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) gap: Option<Gap>,
    pub(crate) labels: Vec<Label>,
    /// Bytes that the block takes, as far as it is here.
    pub(crate) bytes: u64,
}

/// An entry and the outcome.
#[derive(Debug)]
pub(crate) enum CheckedEntry {
    /// All of it holds.
    Sound(Arc<Verified<Carried>>),
    /// All but the body or its excuse, which counts as absent; and what is there instead.
    WithoutBody(Arc<Verified<Carried>>, EnvelopeError, String),
    /// Stamp or signature do not count.
    Broken(Box<SignedHeader>, EnvelopeError),
}

impl CheckedEntry {
    pub(crate) fn signed(&self) -> &SignedHeader {
        match self {
            Self::Sound(entry) | Self::WithoutBody(entry, ..) => &entry.signed,
            Self::Broken(signed, _) => signed,
        }
    }

    /// The entry id of what is stored, whether it counts or not.
    pub(crate) fn id(&self, keys: &HashKeys) -> Hash {
        match self {
            Self::Sound(entry) | Self::WithoutBody(entry, ..) => entry.id(),
            Self::Broken(signed, _) => signed.entry_id(keys),
        }
    }
}

impl Checker {
    pub(crate) fn new(genesis: &Genesis, committees: Arc<Committees>) -> Self {
        Self {
            keys: genesis.keys(),
            stamp_bits: genesis.parameters.stamp_bits,
            committees,
        }
    }

    /// Checks one block, its entries on all cores.
    pub(crate) fn check(&self, block: SourceBlock) -> CheckedBlock {
        let SourceBlock {
            head,
            entries,
            evidence,
            gap,
            labels,
        } = block;
        let id = head.header.id(&self.keys);
        let committee = self.committees.find(&head.header.committee);
        let asked = committee.as_ref().map(|_| head.header.committee);
        let certified = committee.map_or(Err(HeadError::WrongCommittee), |committee| {
            head.clone().verify(&self.keys, &committee).map(|_| ())
        });
        let frame = head.to_bytes().len() + evidence.iter().map(|piece| piece.to_bytes().len()).sum::<usize>();
        let content: usize = entries.iter().map(size).sum();
        let check = |carried| self.entry(carried);
        let entries = entries
            .into_par_iter()
            .with_min_len(ENTRIES_AT_A_TIME)
            .map(check)
            .collect();
        CheckedBlock {
            head,
            id,
            certified,
            asked,
            entries,
            evidence,
            gap,
            labels,
            bytes: u64::try_from(frame + content).unwrap_or(u64::MAX),
        }
    }

    fn entry(&self, carried: Carried) -> CheckedEntry {
        let (refused, error) = match carried.verify_or_return(&self.keys, self.stamp_bits) {
            Ok(entry) => return CheckedEntry::Sound(Arc::new(entry)),
            Err(refused) => *refused,
        };
        if matches!(error, EnvelopeError::BadSignature | EnvelopeError::WeakStamp { .. }) {
            return CheckedEntry::Broken(Box::new(refused.signed), error);
        }
        // The body is committed to by its hash alone: everything else about the entry can still hold.
        let found = self.show(&refused, error);
        let bare = Carried {
            signed: refused.signed,
            body: Body::Withheld,
        };
        match bare.verify_or_return(&self.keys, self.stamp_bits) {
            Ok(entry) => CheckedEntry::WithoutBody(Arc::new(entry), error, found),
            Err(refused) => CheckedEntry::Broken(Box::new(refused.0.signed), refused.1),
        }
    }

    /// A body or excuse that is not the entry's, for people.
    fn show(&self, refused: &Carried, error: EnvelopeError) -> String {
        match &refused.body {
            Body::Present(bytes) if error == EnvelopeError::WrongBodyLength => {
                let length = refused.signed.header.body_length;
                match u32::try_from(bytes.len()) {
                    Ok(found) if found < length => count(found, "byte", "bytes"),
                    // Sources need not read more of it than that.
                    _ => format!("more than {}", count(length, "byte", "bytes")),
                }
            }
            Body::Present(bytes) => {
                let hash = self.keys.hash(Meaning::Body, bytes);
                format!("{} that hash to {hash}", count(bytes.len(), "byte", "bytes"))
            }
            Body::Erased(secret) => format!("a secret that hashes to {}", secret.commitment(&self.keys)),
            Body::Expired | Body::Withheld => "no body".to_owned(),
        }
    }
}

fn size(entry: &Carried) -> usize {
    let body = match &entry.body {
        Body::Present(bytes) => bytes.len(),
        Body::Erased(secret) => secret.0.len(),
        Body::Expired | Body::Withheld => 0,
    };
    waxwing_core::limits::SIGNED_HEADER_BYTES + body
}

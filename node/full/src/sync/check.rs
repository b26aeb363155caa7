//! Everything that is checked of copied blocks before they count. No byte of an upstream node is believed.
//!
//! ```text
//! bytes ── decode ── right heights ── certificate ── bodies and excuses ── stamps and signatures ──> Checked
//!                                                      (on all cores)                                  │
//!                     ledger.check: order, anchors, duplicates, every root in the header  <────────────┘
//! ```

use std::sync::Arc;

use rayon::prelude::*;
use waxwing_core::Verified;
use waxwing_core::block::CertifiedBlock;
use waxwing_core::certificate::Head;
use waxwing_core::codec::Decode;
use waxwing_core::committee::Committee;
use waxwing_core::envelope::Carried;
use waxwing_core::evidence::Evidence;
use waxwing_core::hash::HashKeys;
use waxwing_net::wire::Opaque;

use super::faults::{Lie, UpstreamFault};

/// A block whose parts verify; whether it follows is for the ledger to say.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) head: Verified<Head>,
    pub(crate) entries: Vec<Arc<Verified<Carried>>>,
    pub(crate) evidence: Vec<Evidence>,
    /// Bodies that are absent without an excuse.
    pub(crate) withheld: usize,
}

/// What blocks are checked against.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) keys: HashKeys,
    /// Who certifies the next block.
    pub(crate) committee: Committee,
    /// Who will from a height on, if that is known.
    pub(crate) next: Option<(u64, Committee)>,
    pub(crate) stamp_bits: u8,
    /// The newest certified time known: bodies may have expired up to it.
    pub(crate) newest_time: u64,
}

impl Rules {
    fn committee(&self, height: u64) -> &Committee {
        match &self.next {
            Some((from, next)) if height >= *from => next,
            _ => &self.committee,
        }
    }
}

/// How a batch ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// All of it was checked.
    Whole,
    /// A block names a later term than is known here: the blocks before it have to be part of the ledger first, because they
    /// say who certifies it.
    LaterTerm,
    /// The other node is at fault.
    Fault(UpstreamFault),
}

/// What is done about bodies that are absent without an excuse.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Absent {
    /// The block is asked of somebody else.
    Refused,
    /// Nobody has the body: the block counts without it, as far as this height.
    AcceptedAt(u64),
}

/// Checks blocks that should have the heights from `from` on. Those before the first fault are good all the same. If `from`
/// is the `next` height of the ledger, its term must be known.
pub(crate) fn check(rules: &Rules, from: u64, blocks: &[Opaque], absent: Absent) -> (Vec<Checked>, Ended) {
    let outcomes: Vec<Result<Checked, Ended>> = blocks
        .par_iter()
        .enumerate()
        .map(|(number, bytes)| {
            let height = from.saturating_add(u64::try_from(number).unwrap_or(u64::MAX));
            check_block(rules, height, bytes, absent)
        })
        .collect();
    let mut good = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        match outcome {
            Ok(checked) => good.push(checked),
            Err(ended) => return (good, ended),
        }
    }
    // Who announces a block and has none to give does not deliver.
    let ended = if good.is_empty() {
        Ended::Fault(UpstreamFault::Stalled { height: from })
    } else {
        Ended::Whole
    };
    (good, ended)
}

fn check_block(rules: &Rules, height: u64, bytes: &[u8], absent: Absent) -> Result<Checked, Ended> {
    let nonsense = Ended::Fault(UpstreamFault::Lied(Lie::Nonsense));
    let CertifiedBlock {
        head,
        entries,
        evidence,
    } = CertifiedBlock::from_bytes(bytes).map_err(|_| nonsense.clone())?;
    if head.header.height != height {
        return Err(nonsense);
    }
    let committee = rules.committee(height);
    if head.header.term > committee.term() {
        return Err(Ended::LaterTerm);
    }
    // Before the signatures of thousands of entries: a block that is not certified is not worth their time.
    let head = head
        .verify(&rules.keys, committee)
        .map_err(|error| Ended::Fault(UpstreamFault::Lied(Lie::Certificate { height, error })))?;
    let withheld = excused(rules, head.header.time, height, &entries, absent).map_err(Ended::Fault)?;
    let entries = entries
        .into_par_iter()
        .enumerate()
        .map(|(place, entry)| {
            let verified = entry.verify(&rules.keys, rules.stamp_bits);
            verified
                .map(Arc::new)
                .map_err(|error| Ended::Fault(UpstreamFault::Lied(Lie::Entry { height, place, error })))
        })
        .collect::<Result<_, _>>()?;
    Ok(Checked {
        head,
        entries,
        evidence,
        withheld,
    })
}

/// Number of bodies that are absent without an excuse, if that is to be put up with.
fn excused(
    rules: &Rules,
    ordered: u64,
    height: u64,
    entries: &[Carried],
    absent: Absent,
) -> Result<usize, UpstreamFault> {
    let is_missing = |entry: &Carried| !entry.body.is_excused(&entry.signed.header, ordered, rules.newest_time);
    let missing = entries.iter().filter(|entry| is_missing(entry)).count();
    match entries.iter().position(is_missing) {
        Some(place) if absent != Absent::AcceptedAt(height) => Err(UpstreamFault::Withholds { height, place }),
        _ => Ok(missing),
    }
}

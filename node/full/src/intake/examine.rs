//! One envelope, looked at from all sides, cheapest first.

use std::convert::Infallible;
use std::sync::Arc;

use waxwing_core::Hash;
use waxwing_core::codec::{CodecError, Decode};
use waxwing_core::envelope::{Anchor, Envelope, EnvelopeError, EnvelopeHeader};
use waxwing_core::genesis::FirstOfLog;
use waxwing_core::keys::LogId;
use waxwing_core::ledger::{AnchorError, Ledger};
use waxwing_core::limits::ANCHOR_INTERVAL;
use waxwing_net::wire::EnvelopeRefusal;
use waxwing_store::{StoreError, Tables};

use super::claims::{Claim, Claims};
use crate::chain::Chain;
use crate::pool::{Candidate, Waiting};

/// What an envelope turned out to be.
#[derive(Clone, Debug)]
pub(crate) enum Examined {
    /// Everything that can be checked holds.
    Fit(Box<Candidate>),
    /// It waits already: the entry id under which it does.
    Waits(Hash),
    /// It was ordered before.
    Final {
        /// Its index in its log.
        index: u64,
        /// Height of its block.
        height: u64,
    },
    /// Not taken.
    Refused(EnvelopeRefusal),
}

impl Examined {
    pub(crate) fn candidate(&self) -> Option<&Candidate> {
        match self {
            Self::Fit(candidate) => Some(candidate),
            Self::Waits(_) | Self::Final { .. } | Self::Refused(_) => None,
        }
    }
}

/// Examines the bytes of an envelope at a time.
///
/// # Errors
/// If the store fails.
pub(crate) fn examine<T: Tables>(
    chain: &Chain<T>,
    waiting: Option<&Waiting>,
    bytes: &[u8],
    now: u64,
) -> Result<Examined, StoreError> {
    let Ok((examined, _)) = look(chain, waiting, |_| Ok::<(), Infallible>(()), bytes, now)?;
    Ok(examined)
}

/// The same for a node on which several threads may get the same envelope: the one that claims it checks it, and keeps the
/// claim until the pool knows. `Err` is about an envelope that another thread is checking at this moment.
///
/// # Errors
/// If the store fails.
pub(super) fn examine_once<T: Tables>(
    chain: &Chain<T>,
    waiting: &Waiting,
    claims: &Arc<Claims>,
    bytes: &[u8],
    now: u64,
) -> Result<Looked<Claim, Elsewhere>, StoreError> {
    let claim = |elsewhere: Elsewhere| claims.claim(elsewhere.stamp).ok_or(elsewhere);
    look(chain, Some(waiting), claim, bytes, now)
}

/// An envelope that is being checked on another thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Elsewhere {
    pub(super) stamp: Hash,
    pub(super) log: LogId,
}

/// What an envelope turned out to be, and the claim that was needed for it; or why it could not be claimed.
pub(super) type Looked<C, E> = Result<(Examined, Option<C>), E>;

fn look<T: Tables, C, E>(
    chain: &Chain<T>,
    waiting: Option<&Waiting>,
    claim: impl FnOnce(Elsewhere) -> Result<C, E>,
    bytes: &[u8],
    now: u64,
) -> Result<Looked<C, E>, StoreError> {
    let envelope = match Envelope::from_bytes(bytes) {
        Ok(envelope) => envelope,
        Err(CodecError::TooLong) => return Ok(refused(EnvelopeRefusal::TooLarge)),
        Err(_) => return Ok(refused(EnvelopeRefusal::Malformed)),
    };
    let header = &envelope.signed.header;
    let facts = Facts::of(&chain.ledger(), header, now);
    if let Some((error, newest)) = facts.anchor {
        return anchor_refusal(chain, &header.anchor, error, newest).map(refused);
    }
    let keys = chain.store().keys();
    let stamp = header.stamp(keys);
    if stamp.leading_zero_bits() < facts.base_bits {
        let is_new = !chain.has_log(&header.log);
        let required = if is_new { facts.first_bits } else { facts.base_bits };
        return Ok(refused(EnvelopeRefusal::WeakStamp { required }));
    }
    // Claimed before it is looked up: whoever held the claim before has told the pool.
    let claim = match claim(Elsewhere { stamp, log: header.log }) {
        Ok(claim) => claim,
        Err(taken) => return Ok(Err(taken)),
    };
    if let Some(known) = known(chain, waiting, header.anchor.height, &stamp)? {
        return Ok(Ok((known, None)));
    }
    // Who is told to come again is checked then, not now as well.
    if let Some(waiting) = waiting
        && !waiting.has_room(bytes.len())
    {
        let retry_after_ms = waiting.retry_after_ms();
        return Ok(refused(EnvelopeRefusal::PoolFull { retry_after_ms }));
    }
    let first = if chain.has_log(&header.log) {
        FirstOfLog::No
    } else {
        FirstOfLog::Yes
    };
    Ok(match envelope.verify(keys, facts.stamp_bits) {
        Ok(carried) => {
            let candidate = Candidate {
                carried: Arc::new(carried),
                stamp,
                first_bits: facts.first_bits,
                first,
            };
            Ok((Examined::Fit(Box::new(candidate)), Some(claim)))
        }
        Err(error) => refused(envelope_refusal(error)),
    })
}

const fn refused<C, E>(refusal: EnvelopeRefusal) -> Looked<C, E> {
    Ok((Examined::Refused(refusal), None))
}

/// What the ledger says about a header at this moment.
struct Facts {
    /// What is wrong with the anchor, and the height of the newest one.
    anchor: Option<(AnchorError, u64)>,
    /// The network's base difficulty.
    stamp_bits: u8,
    /// Bits that this header's stamp needs at least.
    base_bits: u32,
    /// Bits it needs as the first of its log.
    first_bits: u32,
}

impl Facts {
    fn of(ledger: &Ledger, header: &EnvelopeHeader, now: u64) -> Self {
        // The next block is not timed before its parent, whatever the clock says.
        let time = now.max(ledger.head().time.saturating_add(1));
        let anchors = ledger.anchors();
        let newest = anchors.newest().map_or(0, |newest| newest.height);
        let parameters = ledger.parameters();
        Self {
            anchor: anchors.check(&header.anchor, time).err().map(|error| (error, newest)),
            stamp_bits: parameters.stamp_bits,
            base_bits: parameters.required_bits(header.body_length, FirstOfLog::No),
            first_bits: parameters.required_bits(header.body_length, FirstOfLog::Yes),
        }
    }
}

/// An anchor that the ledger has forgotten is not an unknown one: the difference tells a client whether its envelope is
/// dead or this node is on another history.
fn anchor_refusal<T: Tables>(
    chain: &Chain<T>,
    anchor: &Anchor,
    error: AnchorError,
    newest: u64,
) -> Result<EnvelopeRefusal, StoreError> {
    let was_valid = match error {
        AnchorError::Expired => true,
        AnchorError::Unknown if anchor.height.is_multiple_of(ANCHOR_INTERVAL) => {
            let header = chain.store().header(anchor.height)?;
            header.is_some_and(|header| header.id(chain.store().keys()) == anchor.id)
        }
        AnchorError::Unknown => false,
    };
    Ok(if was_valid {
        EnvelopeRefusal::ExpiredAnchor { newest }
    } else {
        EnvelopeRefusal::UnknownAnchor { newest }
    })
}

/// An envelope that waits or was ordered, known by its stamp. Asked before the signature is checked, so that repeating
/// an envelope costs the node next to nothing; what is told is true whoever asks.
fn known<T: Tables>(
    chain: &Chain<T>,
    waiting: Option<&Waiting>,
    anchor: u64,
    stamp: &Hash,
) -> Result<Option<Examined>, StoreError> {
    if let Some(entry) = waiting.and_then(|waiting| waiting.entry_of(stamp)) {
        return Ok(Some(Examined::Waits(entry)));
    }
    let Some(position) = chain.store().position_of_stamp(anchor, stamp)? else {
        return Ok(None);
    };
    let entry = chain.store().entry(position)?;
    Ok(entry.map(|entry| Examined::Final {
        index: entry.log_index,
        height: entry.height,
    }))
}

const fn envelope_refusal(error: EnvelopeError) -> EnvelopeRefusal {
    match error {
        EnvelopeError::WeakStamp { required } => EnvelopeRefusal::WeakStamp { required },
        EnvelopeError::BadSignature => EnvelopeRefusal::BadSignature,
        EnvelopeError::WrongBodyLength | EnvelopeError::WrongBodyHash | EnvelopeError::WrongSecret => {
            EnvelopeRefusal::WrongBody
        }
    }
}

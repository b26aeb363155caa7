//! What a light client believes, and why: the state machine that follows the ledger by proofs alone.
//!
//! ```text
//! genesis or pin ──> held head ──(ladder of committees, certificate, extension)──> newer held head ──> ...
//!                        │                                                             │
//!                        └── a certified other block at the same height ──> halted, evidence kept
//! ```
//!
//! A node is never believed. A newer head must be certified by the committee that the held history names, and must
//! provably extend the held head; so whoever once held a frontier can be shown nothing that is altered, moved or left
//! out. A beacon says how old the newest head may be. Time is an argument. `// SPEC 15, SPEC 16`

use crate::block::BlockHeader;
use crate::certificate::{Beacon, Certificate, Head, HeadError};
use crate::codec::{CodecError, Decode, Encode, Reader, put_list};
use crate::committee::{Committee, QuorumError};
use crate::evidence::Evidence;
use crate::genesis::Genesis;
use crate::hash::{Hash, HashKeys};
use crate::history;
use crate::keys::LogId;
use crate::limits::{CLOCK_SKEW_MS, FRESH_MS, LADDER_STEPS_MAX, TRUSTING_PERIOD_MS};
use crate::logmap::{MapLeaf, MapProof, MapProofError, ProofEnd};
use crate::merkle::{InclusionProof, ProofError};

/// One rung: the last head of a term, which names the next committee.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LadderStep {
    /// The last head of its term.
    pub head: Head,
    /// That it extends the head before.
    pub extension: InclusionProof,
    /// The committee it names.
    pub next: Committee,
}

/// What brings a client from the head it holds to a newer one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeadUpdate {
    /// A rung for each term that ended after the held head, oldest first; one at the newer head too, if it is the last of
    /// its term.
    pub ladder: Vec<LadderStep>,
    /// The newer head.
    pub head: Head,
    /// That it extends the held head, or the last rung. Empty if it is one of them.
    pub extension: InclusionProof,
}

impl HeadUpdate {
    /// Whether the ladder is as long as one can be: then it leads to its last rung, and there may be a newer head to ask
    /// for from there.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        u32::try_from(self.ladder.len()) == Ok(LADDER_STEPS_MAX)
    }
}

/// What the log map says about one log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogProof {
    /// The log's state; `None` if there is no such log.
    pub leaf: Option<MapLeaf>,
    /// Its place in the log map, or the place it does not have.
    pub path: MapProof,
}

/// "This log has exactly n entries with this root", in one message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeadProof {
    /// The way to the head.
    pub update: HeadUpdate,
    /// The log, at that head. Says nothing if the way is only a part of it ([`HeadUpdate::is_partial`]).
    pub log: LogProof,
}

/// What came of an update.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accepted {
    /// The held head is newer than before.
    Newer,
    /// It is the held head.
    Same,
}

/// Why an update was not accepted. Nothing has changed then, but for [`FollowError::Fork`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FollowError {
    /// Two final blocks were seen earlier: nothing is accepted any more.
    Halted,
    /// The head is older than the held one: the node is behind, or pretends to be.
    Older {
        /// Height held.
        held: u64,
        /// Height offered.
        offered: u64,
    },
    /// Not final, foreign, or of another committee.
    Head(HeadError),
    /// It does not provably extend the held head.
    NotExtending(ProofError),
    /// Its time is not after the held head's.
    TimeRunsBack,
    /// A rung names another committee or term than it brings, there are too many, or the last one is left out.
    BadLadder,
    /// The held head is so old that its committee's keys may have leaked: a new pin is needed.
    NeedsPin,
    /// Two final blocks at one height. The client has halted and keeps the evidence.
    Fork(Evidence),
}

impl core::fmt::Display for FollowError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Halted => f.write_str("two final blocks at one height were seen: following has stopped"),
            Self::Older { held, offered } => write!(f, "block {offered} is older than block {held}, checked before"),
            Self::Head(error) => error.fmt(f),
            Self::NotExtending(error) => write!(f, "the block does not extend the one checked before: {error}"),
            Self::TimeRunsBack => f.write_str("the block's time is not after the one checked before"),
            Self::BadLadder => f.write_str("the changes of the committee do not follow from each other"),
            Self::NeedsPin => f.write_str("the last block checked is too old to start from: a recent pin is needed"),
            Self::Fork(evidence) => write!(f, "two final blocks at height {}", evidence.height()),
        }
    }
}

impl core::error::Error for FollowError {}

/// Why a beacon says nothing about the held head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BeaconError {
    /// It is about another head.
    OtherHead,
    /// A quorum did not sign it.
    Quorum(QuorumError),
    /// It claims a time that the device's clock has not reached, beyond the permitted skew.
    FromTheFuture,
    /// The held head is so old that its committee's keys may have leaked: a new pin is needed.
    NeedsPin,
}

impl core::fmt::Display for BeaconError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::OtherHead => f.write_str("the beacon is about another head"),
            Self::Quorum(error) => error.fmt(f),
            Self::FromTheFuture => f.write_str("the beacon's time is ahead of this device's clock"),
            Self::NeedsPin => FollowError::NeedsPin.fmt(f),
        }
    }
}

impl core::error::Error for BeaconError {}

/// How old the newest certified word about the head is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Freshness {
    /// Nothing newer than this many ms can be withheld.
    Fresh {
        /// Age in ms.
        age: u64,
    },
    /// No certified word for longer than the limit: the end of a log may be withheld.
    Stale {
        /// Age in ms.
        age: u64,
    },
    /// Certified time is ahead of the device's clock, which must be wrong: nothing can be said about age.
    ClockBehind {
        /// By how many ms at least.
        by: u64,
    },
}

/// What a light client holds to be true about the ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// The committee that certifies what comes next: the one that the held header names.
    pub committee: Committee,
    /// The committee that certified the held head, if that was the last of its term and its ladder was climbed here: what
    /// another block at that height would be judged by.
    pub former: Option<Committee>,
    /// The newest head checked.
    pub header: BlockHeader,
    /// Its certificate; `None` for genesis and pins.
    pub certificate: Option<Certificate>,
    /// The newest certified time: the header's or a beacon's, ms since 1970.
    pub confirmed: u64,
    /// Evidence that made the client halt.
    pub halted: Option<Evidence>,
}

/// The state machine.
#[derive(Clone, Debug)]
pub struct Follow {
    keys: HashKeys,
    held: Held,
    id: Hash,
}

impl Follow {
    /// Starts from a pinned genesis.
    #[must_use]
    pub fn from_genesis(genesis: &Genesis) -> Self {
        let header = genesis.block();
        let confirmed = header.time;
        let held = Held {
            committee: genesis.committee(),
            former: None,
            header,
            certificate: None,
            confirmed,
            halted: None,
        };
        Self::resume(genesis.keys(), held)
    }

    /// Starts from a head whose block id came from a person or file that is trusted.
    ///
    /// # Errors
    /// [`FollowError::Head`] unless the header hashes to `pin`, belongs to the network and is to be followed by
    /// `committee`.
    pub fn from_pin(keys: HashKeys, pin: Hash, header: BlockHeader, committee: Committee) -> Result<Self, FollowError> {
        if header.network != keys.network() || header.id(&keys) != pin {
            return Err(FollowError::Head(HeadError::ForeignNetwork));
        }
        if header.next_committee != committee.hash(&keys) {
            return Err(FollowError::Head(HeadError::WrongCommittee));
        }
        let confirmed = header.time;
        Ok(Self::resume(
            keys,
            Held {
                committee,
                former: None,
                header,
                certificate: None,
                confirmed,
                halted: None,
            },
        ))
    }

    /// Goes on from what was stored.
    #[must_use]
    pub fn resume(keys: HashKeys, held: Held) -> Self {
        let id = held.header.id(&keys);
        Self { keys, held, id }
    }

    /// What is held, to be stored.
    #[must_use]
    pub const fn held(&self) -> &Held {
        &self.held
    }

    /// The network's hash keys.
    #[must_use]
    pub const fn keys(&self) -> &HashKeys {
        &self.keys
    }

    /// The newest head checked.
    #[must_use]
    pub const fn header(&self) -> &BlockHeader {
        &self.held.header
    }

    /// Its block id.
    #[must_use]
    pub const fn id(&self) -> Hash {
        self.id
    }

    /// Moves to a newer head, or does not.
    ///
    /// # Errors
    /// See [`FollowError`]; only [`FollowError::Fork`] changes anything.
    pub fn accept(&mut self, update: &HeadUpdate, now: u64) -> Result<Accepted, FollowError> {
        if self.held.halted.is_some() {
            return Err(FollowError::Halted);
        }
        if !self.is_trusted(now) {
            return Err(FollowError::NeedsPin);
        }
        if update.ladder.len() > usize::try_from(LADDER_STEPS_MAX).unwrap_or(usize::MAX) {
            return Err(FollowError::BadLadder);
        }
        let before = self.id;
        let mut next = self.clone();
        match next.follow(update) {
            Ok(()) => {
                *self = next;
                Ok(if self.id == before {
                    Accepted::Same
                } else {
                    Accepted::Newer
                })
            }
            Err(FollowError::Fork(evidence)) => {
                self.held.halted = Some(evidence.clone());
                Err(FollowError::Fork(evidence))
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the newest certified word is recent enough for its committee's to count.
    const fn is_trusted(&self, now: u64) -> bool {
        now.saturating_sub(self.held.confirmed) <= TRUSTING_PERIOD_MS
    }

    /// Over the ladder and to the head. Whoever holds a head knows who certifies the next one: without the rung of a term
    /// that ended, two clients with one head could tell different blocks for final.
    fn follow(&mut self, update: &HeadUpdate) -> Result<(), FollowError> {
        update.ladder.iter().try_for_each(|rung| self.climb(rung))?;
        self.step(&update.head, &update.extension)?;
        if self.held.header.next_committee == self.held.committee.hash(&self.keys) {
            Ok(())
        } else {
            Err(FollowError::BadLadder)
        }
    }

    fn climb(&mut self, rung: &LadderStep) -> Result<(), FollowError> {
        self.step(&rung.head, &rung.extension)?;
        let follows = rung.next.hash(&self.keys) == self.held.header.next_committee
            && self.held.header.committee != self.held.header.next_committee
            && Some(rung.next.term()) == self.held.committee.term().checked_add(1);
        if !follows {
            return Err(FollowError::BadLadder);
        }
        let former = core::mem::replace(&mut self.held.committee, rung.next.clone());
        self.held.former = Some(former);
        Ok(())
    }

    /// One certified head further, by the committee that is held; or another one at the held height, by the committee that
    /// certified that.
    fn step(&mut self, head: &Head, extension: &InclusionProof) -> Result<(), FollowError> {
        let (held, offered) = (self.held.header.height, head.header.height);
        if offered < held {
            return Err(FollowError::Older { held, offered });
        }
        if offered == held && head.header == self.held.header {
            return self.hold_on(head, extension);
        }
        let committee = match &self.held.former {
            Some(former) if offered == held => former,
            _ => &self.held.committee,
        };
        let verified = head.clone().verify(&self.keys, committee).map_err(FollowError::Head)?;
        if offered == held {
            return Err(self.fork(head));
        }
        history::verify_extension(&self.held.header, &verified.header, extension).map_err(FollowError::NotExtending)?;
        if verified.header.time <= self.held.header.time {
            return Err(FollowError::TimeRunsBack);
        }
        self.id = verified.id();
        self.held.confirmed = self.held.confirmed.max(verified.header.time);
        let Head { header, certificate } = verified.into_inner();
        self.held.header = header;
        self.held.certificate = Some(certificate);
        self.held.former = None;
        Ok(())
    }

    /// The held head again: there is nothing to extend, so a path proves nothing and is refused. A pin gains its
    /// certificate this way; genesis needs none.
    fn hold_on(&mut self, head: &Head, extension: &InclusionProof) -> Result<(), FollowError> {
        if !extension.siblings.is_empty() {
            return Err(FollowError::NotExtending(ProofError::WrongLength));
        }
        let is_new = self.held.certificate.is_none() && head.header.height > 0;
        if is_new && head.clone().verify(&self.keys, &self.held.committee).is_ok() {
            self.held.certificate = Some(head.certificate.clone());
        }
        Ok(())
    }

    /// A certified block beside the held one. Without a certificate for the held one (genesis, pin) there is no
    /// portable evidence, only the certainty that the offered block is not ours.
    fn fork(&self, other: &Head) -> FollowError {
        match &self.held.certificate {
            Some(certificate) => {
                let own = Head {
                    header: self.held.header.clone(),
                    certificate: certificate.clone(),
                };
                FollowError::Fork(Evidence::of_heads(&self.keys, own, other.clone()))
            }
            None => FollowError::NotExtending(ProofError::WrongRoot),
        }
    }

    /// Notes that the held head was still the newest at the beacon's time.
    ///
    /// # Errors
    /// See [`BeaconError`].
    pub fn accept_beacon(&mut self, beacon: &Beacon, now: u64) -> Result<(), BeaconError> {
        if (beacon.height, beacon.head) != (self.held.header.height, self.id) {
            return Err(BeaconError::OtherHead);
        }
        // A beacon of leaked keys would make an old head look recent, and forks of it acceptable.
        if !self.is_trusted(now) {
            return Err(BeaconError::NeedsPin);
        }
        beacon
            .verify(&self.held.committee, self.keys.network())
            .map_err(BeaconError::Quorum)?;
        if beacon.time > now.saturating_add(CLOCK_SKEW_MS) {
            return Err(BeaconError::FromTheFuture);
        }
        self.held.confirmed = self.held.confirmed.max(beacon.time);
        Ok(())
    }

    /// How old the newest certified word is, by the device's clock.
    #[must_use]
    pub const fn freshness(&self, now: u64) -> Freshness {
        let confirmed = self.held.confirmed;
        if confirmed > now.saturating_add(CLOCK_SKEW_MS) {
            return Freshness::ClockBehind { by: confirmed - now };
        }
        let age = now.saturating_sub(confirmed);
        if age <= FRESH_MS {
            Freshness::Fresh { age }
        } else {
            Freshness::Stale { age }
        }
    }

    /// What the held head says about a log: its state, or that it does not exist.
    ///
    /// # Errors
    /// If the proof does not show that, or is about another log or head.
    pub fn check_log(&self, log: &LogId, proof: &LogProof) -> Result<Option<MapLeaf>, MapProofError> {
        proof.verify(&self.keys, &self.held.header, log)
    }
}

impl LogProof {
    /// What `header` says about `log`.
    ///
    /// # Errors
    /// If the proof does not show that, or is about another log.
    pub fn verify(&self, keys: &HashKeys, header: &BlockHeader, log: &LogId) -> Result<Option<MapLeaf>, MapProofError> {
        match &self.leaf {
            Some(leaf) if leaf.log != log.as_hash() => Err(MapProofError::WrongRoot),
            Some(leaf) => {
                self.path.verify_presence(keys, &header.map_root, leaf)?;
                Ok(Some(*leaf))
            }
            None => {
                self.path.verify_absence(keys, &header.map_root, &log.as_hash())?;
                Ok(None)
            }
        }
    }
}

impl Encode for LadderStep {
    fn encode(&self, out: &mut Vec<u8>) {
        self.head.encode(out);
        self.extension.encode(out);
        self.next.encode(out);
    }
}

impl Decode for LadderStep {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            head: Head::decode(reader)?,
            extension: InclusionProof::decode(reader)?,
            next: Committee::decode(reader)?,
        })
    }
}

impl Encode for HeadUpdate {
    fn encode(&self, out: &mut Vec<u8>) {
        put_list(out, &self.ladder);
        self.head.encode(out);
        self.extension.encode(out);
    }
}

impl Decode for HeadUpdate {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            ladder: reader.list(LADDER_STEPS_MAX, crate::block::HEADER_BYTES)?,
            head: Head::decode(reader)?,
            extension: InclusionProof::decode(reader)?,
        })
    }
}

/// The path, then the leaf exactly if the path ends in presence.
impl Encode for LogProof {
    fn encode(&self, out: &mut Vec<u8>) {
        self.path.encode(out);
        if let Some(leaf) = &self.leaf {
            leaf.encode(out);
        }
    }
}

impl Decode for LogProof {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let path = MapProof::decode(reader)?;
        let leaf = match path.end() {
            ProofEnd::Present => Some(MapLeaf::decode(reader)?),
            ProofEnd::EmptySlot | ProofEnd::OtherLeaf(_) => None,
        };
        Ok(Self { leaf, path })
    }
}

impl Encode for HeadProof {
    fn encode(&self, out: &mut Vec<u8>) {
        self.update.encode(out);
        self.log.encode(out);
    }
}

impl Decode for HeadProof {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            update: HeadUpdate::decode(reader)?,
            log: LogProof::decode(reader)?,
        })
    }
}

/// For the client's own store: whatever is read back was written by the same client.
impl Encode for Held {
    fn encode(&self, out: &mut Vec<u8>) {
        self.committee.encode(out);
        self.header.encode(out);
        out.extend_from_slice(&self.confirmed.to_be_bytes());
        put_list(out, self.certificate.as_slice());
        put_list(out, self.halted.as_slice());
        put_list(out, self.former.as_slice());
    }
}

impl Decode for Held {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            committee: Committee::decode(reader)?,
            header: BlockHeader::decode(reader)?,
            confirmed: reader.u64()?,
            certificate: reader.list(1, 1)?.pop(),
            halted: reader.list(1, 1)?.pop(),
            former: reader.list(1, 1)?.pop(),
        })
    }
}

#[cfg(test)]
mod tests;

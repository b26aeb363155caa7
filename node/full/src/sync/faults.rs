//! What can be wrong with an upstream node, and by whose fault.

use std::fmt;

use waxwing_core::certificate::HeadError;
use waxwing_core::envelope::EnvelopeError;
use waxwing_core::follow::FollowError;
use waxwing_core::ledger::{BlockError, EntryFault, HeaderField};
use waxwing_core::snapshot::{PinError, SnapshotError};
use waxwing_net::quic::RequestError;
use waxwing_net::wire::Refusal;

use crate::reach::Unreached;

/// Why an upstream node is not used, or not any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UpstreamFault {
    /// It cannot be reached.
    Unreached(Unreached),
    /// It did not answer a question, or refused.
    Request(RequestError),
    /// It ended the subscription.
    Ended(Option<Refusal>),
    /// It belongs to another network.
    OtherNetwork,
    /// It does not deliver blocks that it or others announced.
    Stalled {
        /// The first block that is missing here.
        height: u64,
    },
    /// It sent something that does not verify.
    Lied(Lie),
    /// It lacks a body without an excuse.
    Withholds {
        /// The block.
        height: u64,
        /// The entry's place in it.
        place: usize,
    },
}

/// Something that does not verify.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lie {
    /// Bytes that are no block, head or secret; or other blocks than were asked for.
    Nonsense,
    /// A head that does not extend what is held here.
    Head(FollowError),
    /// A block that is not certified.
    Certificate {
        /// Its height.
        height: u64,
        /// What is wrong.
        error: HeadError,
    },
    /// An entry that does not verify.
    Entry {
        /// Height of its block.
        height: u64,
        /// Its place in the block.
        place: usize,
        /// What is wrong.
        error: EnvelopeError,
    },
    /// A certified block that breaks a rule: the committee certified it all the same.
    Rule {
        /// Its height.
        height: u64,
        /// Which.
        error: RuleBroken,
    },
    /// A part of a snapshot that does not fit its head.
    Snapshot(SnapshotError),
    /// A head that does not follow the block that the operator has pinned.
    Pin(PinError),
}

/// The rule that a block breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleBroken {
    /// It does not follow the head held here.
    NotNext,
    /// Its time is not after its parent's.
    TimeRunsBack,
    /// An entry may not stand where it stands.
    Entry {
        /// Its place.
        place: usize,
        /// Why.
        fault: EntryFault,
    },
    /// Its evidence proves nothing.
    Evidence,
    /// A field of its header is not what its content leads to.
    Field(HeaderField),
}

impl RuleBroken {
    /// The rule, or `None` if the state could not be read.
    pub(crate) fn of<E>(error: &BlockError<E>) -> Option<Self> {
        Some(match error {
            BlockError::ForeignNetwork | BlockError::NotNext => Self::NotNext,
            BlockError::TimeRunsBack => Self::TimeRunsBack,
            BlockError::Entry { place, fault } => Self::Entry {
                place: *place,
                fault: *fault,
            },
            BlockError::Evidence(_) => Self::Evidence,
            BlockError::Wrong(field) => Self::Field(*field),
            BlockError::Read(_) => return None,
        })
    }
}

impl UpstreamFault {
    /// A short name for counters.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Unreached(_) => "unreachable",
            Self::Request(_) => "request",
            Self::Ended(_) => "ended",
            Self::OtherNetwork => "other_network",
            Self::Stalled { .. } => "stalled",
            Self::Lied(_) => "lied",
            Self::Withholds { .. } => "withholds",
        }
    }

    /// Whether the node is used last from now on.
    #[must_use]
    pub const fn is_grave(&self) -> bool {
        match self {
            Self::OtherNetwork | Self::Lied(_) => true,
            Self::Request(error) => error.is_nodes_fault(),
            Self::Unreached(_) | Self::Ended(_) | Self::Stalled { .. } | Self::Withholds { .. } => false,
        }
    }
}

impl fmt::Display for UpstreamFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreached(unreached) => unreached.fmt(f),
            Self::Request(error) => error.fmt(f),
            Self::Ended(Some(refusal)) => write!(f, "it ended the subscription: {refusal}"),
            Self::Ended(None) => f.write_str("it ended the subscription"),
            Self::OtherNetwork => f.write_str("it belongs to another network; correct `upstreams`"),
            Self::Stalled { height } => write!(f, "it does not deliver block {height}"),
            Self::Lied(lie) => lie.fmt(f),
            Self::Withholds { height, place } => {
                write!(
                    f,
                    "it lacks the body of entry {place} of block {height} without an excuse"
                )
            }
        }
    }
}

impl fmt::Display for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nonsense => f.write_str("it sent something else than was asked for"),
            Self::Head(error) => write!(f, "it showed a head that cannot be accepted: {error}"),
            Self::Certificate { height, error } => write!(f, "its block {height} is not final: {error}"),
            Self::Entry { height, place, error } => {
                write!(f, "entry {place} of its block {height} does not verify: {error}")
            }
            Self::Rule { height, error } => write!(f, "its block {height} breaks a rule: {error}"),
            Self::Pin(error) => write!(f, "it showed a head that cannot be joined: {error}; compare the pin"),
            Self::Snapshot(error) => write!(f, "it sent a snapshot that does not hold: {error}"),
        }
    }
}

impl fmt::Display for RuleBroken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNext => f.write_str("it does not follow the block held here"),
            Self::TimeRunsBack => f.write_str("its time is not after its parent's"),
            Self::Entry { place, fault } => write!(f, "entry {place}: {fault}"),
            Self::Evidence => f.write_str("its evidence proves nothing"),
            Self::Field(field) => write!(f, "the header's {field} does not match its content"),
        }
    }
}

impl std::error::Error for UpstreamFault {}

//! The way to a certified header by a block whose id a person or a file vouches for.
//!
//! ```text
//! genesis ── ladder ──> ... ── pinned block ── ladder, from the committee that it names ──> head
//!    └── keys of these committees may have leaked ──┘
//! ```
//!
//! Whoever starts from an old genesis relies on keys that may have leaked since: with them somebody could certify another
//! history. Such a history can even hold the pinned block, and leave out that others vote since; so it is not enough to
//! find the block. The committee that votes after it has to be the one that it names, and from there on everything is
//! certified by keys that are fresh. What lies before is in the history of a head that those certified, and so it is what
//! really happened. `// SPEC 25.8`

use core::fmt;

use super::{Ascent, SnapshotError};
use crate::block::BlockHeader;
use crate::certificate::Head;
use crate::follow::{Accepted, HeadUpdate};
use crate::genesis::Genesis;
use crate::history;
use crate::limits::TRUSTING_PERIOD_MS;
use crate::merkle::{InclusionProof, ProofError};
use crate::policy::PinnedHead;

/// An ascent that counts once its head is shown to follow a pinned block.
#[derive(Debug)]
pub struct PinnedAscent {
    ascent: Ascent,
    pin: PinnedHead,
}

/// Why a head is not known to follow a pinned block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PinError {
    /// The head is below the pinned height: whoever showed it does not have that block yet.
    Below {
        /// The head's height.
        head: u64,
    },
    /// The block is not the pinned one.
    OtherBlock,
    /// The pinned block is not in the head's history.
    NotInHistory(ProofError),
    /// The ladder leads to another committee than the pinned block names.
    OtherCommittee,
    /// The pinned block is so old itself that keys may have leaked since. The fault of whoever pinned it.
    TooOld,
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Below { head } => write!(f, "its head, at height {head}, is below the pinned block"),
            Self::OtherBlock => f.write_str("its block of the pinned height is another one"),
            Self::NotInHistory(error) => write!(f, "the pinned block is not in its history: {error}"),
            Self::OtherCommittee => f.write_str("it shows another committee than the pinned block names"),
            Self::TooOld => f.write_str("the pinned block is more than 30 days old"),
        }
    }
}

impl core::error::Error for PinError {}

impl PinnedAscent {
    /// From the genesis, however old it is.
    #[must_use]
    pub fn new(genesis: &Genesis, pin: PinnedHead) -> Self {
        Self {
            ascent: Ascent::new(genesis),
            pin,
        }
    }

    /// Height of the newest header that the ladder leads to: where the next update begins.
    #[must_use]
    pub const fn held(&self) -> u64 {
        self.ascent.held()
    }

    /// The newest head that the ladder leads to; `None` before the first.
    #[must_use]
    pub const fn head(&self) -> Option<&Head> {
        self.ascent.head()
    }

    /// Climbs; nothing counts before [`Self::confirm`].
    ///
    /// # Errors
    /// [`SnapshotError::Head`]; then nothing has changed.
    pub fn accept(&mut self, update: &HeadUpdate) -> Result<Accepted, SnapshotError> {
        // As if no time had passed: the pinned block decides whether it has.
        let then = self.ascent.confirmed();
        self.ascent.accept(update, then)
    }

    /// Whether the head follows the pinned block, given that block's header and its way into the history of the head. No
    /// way is needed if it is the head itself.
    ///
    /// # Errors
    /// See [`PinError`].
    pub fn confirm(self, header: &BlockHeader, path: &InclusionProof, now: u64) -> Result<Ascent, PinError> {
        let Self { ascent, pin } = self;
        let head = ascent.head().map(|head| &head.header);
        let Some(head) = head.filter(|head| head.height >= pin.height) else {
            return Err(PinError::Below { head: ascent.held() });
        };
        let keys = ascent.keys();
        if header.height != pin.height || header.id(keys) != pin.id {
            return Err(PinError::OtherBlock);
        }
        if header != head {
            history::verify_extension(header, head, path).map_err(PinError::NotInHistory)?;
        }
        let committee = ascent.ladder().at(header.height.saturating_add(1));
        if committee.hash(keys) != header.next_committee {
            return Err(PinError::OtherCommittee);
        }
        if now.saturating_sub(header.time) > TRUSTING_PERIOD_MS {
            return Err(PinError::TooOld);
        }
        Ok(ascent)
    }
}

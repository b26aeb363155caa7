//! Which blocks envelopes may name, and for how long.
//!
//! An anchor is a block at a multiple of 64. It is valid while it is the newest such block, or while the including
//! block's time is within 24 h of its own. So on an idle network the newest anchor stays valid for ever, on a busy one
//! a lost envelope is provably dead a day after its anchor. `// SPEC 14.4`

use std::collections::VecDeque;

use crate::envelope::Anchor;
use crate::hash::Hash;
use crate::limits::ANCHOR_VALID_MS;

/// Why an anchor does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AnchorError {
    /// No such block here: not at a multiple of 64, from another history, ahead of the head, or long forgotten.
    Unknown,
    /// It was valid once.
    Expired,
}

/// The blocks that can be named, oldest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Anchors {
    /// (height, block id, time), ascending.
    rows: VecDeque<(u64, Hash, u64)>,
    /// The rule is broken, so that a simulation can show that it would notice.
    #[cfg(feature = "broken-on-purpose")]
    is_unchecked: bool,
}

impl Anchors {
    pub(super) fn new(rows: impl IntoIterator<Item = (u64, Hash, u64)>) -> Self {
        Self {
            rows: rows.into_iter().collect(),
            #[cfg(feature = "broken-on-purpose")]
            is_unchecked: false,
        }
    }

    /// The same, but anything may be named from now on.
    #[cfg(feature = "broken-on-purpose")]
    pub(super) const fn disregard(&mut self) {
        self.is_unchecked = true;
    }

    pub(super) fn push(&mut self, row: (u64, Hash, u64)) {
        self.rows.push_back(row);
    }

    pub(super) fn forget(&mut self, expired: &[u64]) {
        self.rows
            .retain(|(height, _, _)| expired.binary_search(height).is_err());
    }

    /// The newest block that can be named.
    #[must_use]
    pub fn newest(&self) -> Option<Anchor> {
        self.rows.back().map(|(height, id, _)| Anchor {
            height: *height,
            id: *id,
        })
    }

    /// Whether an envelope with this anchor may stand in a block ordered at `time`.
    ///
    /// # Errors
    /// See [`AnchorError`].
    pub fn check(&self, anchor: &Anchor, time: u64) -> Result<(), AnchorError> {
        #[cfg(feature = "broken-on-purpose")]
        if self.is_unchecked {
            return Ok(());
        }
        let found = self.rows.binary_search_by_key(&anchor.height, |(height, _, _)| *height);
        let place = found.map_err(|_| AnchorError::Unknown)?;
        let (_, id, anchored) = self.rows.get(place).ok_or(AnchorError::Unknown)?;
        if *id != anchor.id {
            return Err(AnchorError::Unknown);
        }
        let is_newest = place + 1 == self.rows.len();
        if is_newest || is_valid(*anchored, time) {
            Ok(())
        } else {
            Err(AnchorError::Expired)
        }
    }

    /// Heights that no block after one with this height, id and time can use.
    pub(super) fn expired_after(&self, time: u64, head_is_anchor: HeadIsAnchor) -> Vec<u64> {
        let newest = match head_is_anchor {
            HeadIsAnchor::Yes => None,
            HeadIsAnchor::No => self.rows.back().map(|(height, _, _)| *height),
        };
        let too_old = |row: &&(u64, Hash, u64)| !is_valid(row.2, time) && Some(row.0) != newest;
        self.rows.iter().filter(too_old).map(|(height, _, _)| *height).collect()
    }
}

/// Whether the block just drafted will itself be the newest anchor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum HeadIsAnchor {
    Yes,
    No,
}

const fn is_valid(anchored: u64, time: u64) -> bool {
    time.saturating_sub(anchored) <= ANCHOR_VALID_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor(height: u64) -> Anchor {
        Anchor {
            height,
            id: Hash([u8::try_from(height).unwrap(); 32]),
        }
    }

    fn anchors(times: &[(u64, u64)]) -> Anchors {
        Anchors::new(times.iter().map(|(height, time)| (*height, anchor(*height).id, *time)))
    }

    #[test]
    fn the_newest_anchor_never_expires_and_older_ones_do_after_a_day() {
        let anchors = anchors(&[(0, 0), (64, 1000)]);
        assert_eq!(anchors.check(&anchor(0), ANCHOR_VALID_MS), Ok(()));
        assert_eq!(
            anchors.check(&anchor(0), ANCHOR_VALID_MS + 1),
            Err(AnchorError::Expired)
        );
        assert_eq!(anchors.check(&anchor(64), 10 * ANCHOR_VALID_MS), Ok(()));
        let tagged = Anchor {
            height: 64,
            id: Hash([7; 32]),
        };
        assert_eq!(anchors.check(&tagged, 0), Err(AnchorError::Unknown));
        assert_eq!(anchors.check(&anchor(65), 0), Err(AnchorError::Unknown));
    }

    #[test]
    fn an_anchor_is_forgotten_exactly_when_no_later_block_can_use_it() {
        let anchors = anchors(&[(0, 0), (64, 1000)]);
        let late = 1001 + ANCHOR_VALID_MS;
        assert_eq!(
            anchors.expired_after(ANCHOR_VALID_MS, HeadIsAnchor::No),
            Vec::<u64>::new()
        );
        assert_eq!(anchors.expired_after(late, HeadIsAnchor::No), vec![0]);
        assert_eq!(anchors.expired_after(late, HeadIsAnchor::Yes), vec![0, 64]);
    }
}

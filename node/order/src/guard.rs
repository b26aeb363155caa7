//! The double-sign guard: the newest thing a vote key has signed.
//!
//! Whoever signs two different votes of one step can be made to help two different blocks become final. A height's own
//! signatures are in its journal; the guard is what is left when that journal is gone, or was never on this machine: a
//! restored copy, a moved key. Nothing at or before it is signed unless the journal shows that it was signed here, and
//! then it is the same again.

use waxwing_core::certificate::VoteKind;
use waxwing_core::codec::{CodecError, Decode, Encode, Reader};

/// The steps of a round in which something is signed, in their order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub enum Step {
    /// A block is proposed.
    #[default]
    Propose,
    /// First vote.
    Prevote,
    /// Second vote, the one that certificates consist of.
    Precommit,
}

impl Step {
    /// The step in which votes of this kind are cast.
    #[must_use]
    pub const fn of_vote(kind: VoteKind) -> Self {
        match kind {
            VoteKind::Prevote => Self::Prevote,
            VoteKind::Precommit => Self::Precommit,
        }
    }
}

/// Where a vote key has last signed. The default stands for a key that has signed nothing: there is no agreement about
/// height 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Guard {
    /// Height.
    pub height: u64,
    /// Round.
    pub round: u32,
    /// Step.
    pub step: Step,
}

impl Guard {
    /// Whether a precommit may have been signed at `height` or later. A later round counts too: it is seldom entered
    /// without one.
    #[must_use]
    pub fn may_have_precommitted(&self, height: u64) -> bool {
        self.height > height || (self.height == height && (self.round > 0 || self.step == Step::Precommit))
    }
}

impl Encode for Guard {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.height.to_be_bytes());
        out.extend_from_slice(&self.round.to_be_bytes());
        out.push(match self.step {
            Step::Propose => 0,
            Step::Prevote => 1,
            Step::Precommit => 2,
        });
    }
}

impl Decode for Guard {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            height: reader.u64()?,
            round: reader.u32()?,
            step: match reader.u8()? {
                0 => Step::Propose,
                1 => Step::Prevote,
                2 => Step::Precommit,
                _ => return Err(CodecError::BadValue),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guards_are_ordered_as_a_height_goes() {
        let at = |height, round, step| Guard { height, round, step };
        let steps = [
            Guard::default(),
            at(1, 0, Step::Propose),
            at(1, 0, Step::Prevote),
            at(1, 0, Step::Precommit),
            at(1, 1, Step::Propose),
            at(2, 0, Step::Propose),
        ];
        assert!(steps.is_sorted_by(|a, b| a < b));
        for guard in steps {
            assert_eq!(Guard::from_bytes(&guard.to_bytes()), Ok(guard));
        }
        let mut bytes = steps[1].to_bytes();
        bytes[12] = 3;
        assert_eq!(Guard::from_bytes(&bytes), Err(CodecError::BadValue));
    }

    #[test]
    fn a_precommit_is_remembered_for_its_height_and_all_before() {
        let guard = |round, step| Guard { height: 7, round, step };
        assert!(!guard(0, Step::Prevote).may_have_precommitted(7));
        assert!(guard(0, Step::Precommit).may_have_precommitted(7));
        assert!(guard(1, Step::Propose).may_have_precommitted(7));
        assert!(guard(0, Step::Propose).may_have_precommitted(6));
        assert!(!guard(3, Step::Precommit).may_have_precommitted(8));
    }
}

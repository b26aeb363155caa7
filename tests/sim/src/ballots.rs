//! What honest validators signed, by whom and where: one of them may sign one thing in a step, before a crash and
//! after.

use std::collections::BTreeMap;

use waxwing_core::certificate::VoteKind;
use waxwing_core::hash::{Hash, HashKeys};
use waxwing_core::keys::ValidatorId;
use waxwing_order::{Message, Step};

use crate::network::Seat;
use crate::violation::Violation;

/// What was signed in one step: a block and, of a proposal, the round of its polka.
type Signed = (Hash, Option<u32>);

/// Everything that left an honest validator.
#[derive(Debug, Default)]
pub struct Ballots {
    seen: BTreeMap<(Seat, u64, u32, Step), Signed>,
}

impl Ballots {
    /// Validator `node`, whose key is `own`, lets a message out.
    ///
    /// # Errors
    /// If it contradicts an earlier one of the same key.
    pub fn note(
        &mut self,
        (node, own): (Seat, ValidatorId),
        message: &Message,
        keys: &HashKeys,
    ) -> Result<(), Violation> {
        let (step, signed) = match message {
            Message::Proposal(proposal) if proposal.validator == own => {
                (Step::Propose, (proposal.header.id(keys), proposal.polka_round))
            }
            Message::Vote(vote) if vote.validator == own => match vote.kind {
                VoteKind::Prevote => (Step::Prevote, (vote.block, None)),
                VoteKind::Precommit => (Step::Precommit, (vote.block, None)),
            },
            Message::Proposal(_) | Message::Vote(_) | Message::Polka(_) | Message::Round(_) => return Ok(()),
        };
        let (height, round) = (message.height(), message.round());
        let before = *self.seen.entry((node, height, round, step)).or_insert(signed);
        if before == signed {
            Ok(())
        } else {
            Err(Violation::SignedTwice {
                node,
                height,
                round,
                step,
            })
        }
    }

    /// How many different things were signed.
    #[must_use]
    pub fn count(&self) -> usize {
        self.seen.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::founding::Founding;
    use waxwing_core::keys::Signature;
    use waxwing_order::Vote;

    #[test]
    fn the_same_vote_again_is_no_contradiction_and_another_is() {
        let founding = Founding::new(4);
        let vote = |seat: Seat, kind, round, block| {
            Message::Vote(Vote {
                validator: founding.id(seat),
                kind,
                height: 5,
                round,
                block: Hash([block; 32]),
                signature: Signature([0; 64]),
            })
        };
        let mut ballots = Ballots::default();
        let mut note = |seat, message: &Message| ballots.note((seat, founding.id(seat)), message, &founding.keys);
        assert_eq!(note(0, &vote(0, VoteKind::Prevote, 0, 1)), Ok(()));
        assert_eq!(note(0, &vote(0, VoteKind::Prevote, 0, 1)), Ok(()));
        assert_eq!(note(0, &vote(0, VoteKind::Precommit, 0, 2)), Ok(()));
        assert_eq!(note(0, &vote(0, VoteKind::Prevote, 1, 2)), Ok(()));
        assert_eq!(note(1, &vote(1, VoteKind::Prevote, 0, 2)), Ok(()));
        assert_eq!(
            note(0, &vote(1, VoteKind::Prevote, 0, 3)),
            Ok(()),
            "passed on, not signed"
        );
        let twice = Violation::SignedTwice {
            node: 0,
            height: 5,
            round: 0,
            step: Step::Prevote,
        };
        assert_eq!(note(0, &vote(0, VoteKind::Prevote, 0, 2)), Err(twice));
        assert_eq!(ballots.count(), 4);
    }
}

//! What must come of two histories: with more liars than a committee bears there may be two, but never unnoticed.

use waxwing_core::codec::{Decode, Encode};
use waxwing_core::evidence::Evidence;
use waxwing_core::follow::{Follow, FollowError};

use crate::network::Seat;
use crate::violation::Violation;
use crate::world::World;

impl World {
    /// If honest validators hold two histories by now, there must be evidence: whoever compares two heads has it, and
    /// some validator has seen a contradiction by itself.
    pub(crate) fn judge_fork(&self) -> Result<(), Violation> {
        let Some((astray, height)) = self.astray else {
            return Ok(());
        };
        let uncaught = |what| Violation::Uncaught { height, what };
        let evidence = self
            .compare_heads(astray, height)
            .ok_or_else(|| uncaught("a client does not notice"))?;
        let read = Evidence::from_bytes(&evidence.to_bytes());
        let committee = self.committee(height);
        let holds = |evidence: &Evidence| evidence.verify(&self.founding.keys, committee).is_ok();
        if read.as_ref() != Ok(&evidence) || !holds(&evidence) {
            return Err(uncaught("what a client notices proves nothing"));
        }
        if !self.evidence.iter().any(holds) {
            return Err(uncaught("no validator has evidence"));
        }
        Ok(())
    }

    /// A client of the one history is shown the other one's block of the same height.
    fn compare_heads(&self, astray: Seat, height: u64) -> Option<Evidence> {
        let (here, there) = (self.chronicle.store(), &self.node(astray)?.tables);
        let there = waxwing_store::Store::open_on(there.clone()).ok()?;
        let now_ms = self.now_ms();
        let mut follow = Follow::from_genesis(&self.founding.genesis);
        follow.accept(&here.head_update(0, height).ok()??, now_ms).ok()?;
        let mut other = there.head_update(0, height).ok()??;
        other.extension = waxwing_core::merkle::InclusionProof::default();
        match follow.accept(&other, now_ms) {
            Err(FollowError::Fork(evidence)) => Some(evidence),
            _ => None,
        }
    }

    /// Whether evidence names a validator that follows the rules.
    pub(crate) fn accuses_honest(&self, evidence: &Evidence) -> bool {
        match evidence {
            Evidence::TwoVotes(votes) => {
                let seat = self.founding.seat(&votes.validator);
                seat.is_some_and(|seat| self.honest.contains(&seat))
            }
            Evidence::TwoHeads(_) => false,
        }
    }
}

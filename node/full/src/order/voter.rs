//! What a validator says about the newest block beside agreeing on the next: "this is still the head at time t".
//!
//! It may say so only as long as it has not precommitted the block after it: once a quorum has, that block is final,
//! and a beacon that calls its parent the newest would hide it. The thread that orders notes every signature here
//! before it leaves the node; whoever collects beacons asks here, on any other thread.

use waxwing_core::Hash;
use waxwing_core::certificate::beacon_message;
use waxwing_core::keys::{Signature, ValidatorId, VoteKey};
use waxwing_order::Guard;

/// The vote key as far as beacons need it.
#[derive(Debug)]
pub(crate) struct Voter {
    key: Option<VoteKey>,
    /// The newest block that is true here: height and id.
    head: (u64, Hash),
    signed: Guard,
    /// Height and round under way, for people.
    under_way: Option<(u64, u32)>,
}

impl Voter {
    /// Speaks for nobody until it is given a key.
    pub(crate) const fn new(head: (u64, Hash), signed: Guard) -> Self {
        Self {
            key: None,
            head,
            signed,
            under_way: None,
        }
    }

    /// The key of the committee that speaks here, if one does.
    pub(crate) fn public(&self) -> Option<ValidatorId> {
        self.key.as_ref().map(VoteKey::public)
    }

    /// The key belongs to the committee from now on.
    pub(super) fn join(&mut self, key: VoteKey) {
        self.key = Some(key);
    }

    /// It does not any more.
    pub(super) fn leave(&mut self) {
        self.key = None;
    }

    /// Height and round under way; nothing at rest.
    pub(crate) const fn under_way(&self) -> Option<(u64, u32)> {
        self.under_way
    }

    pub(super) const fn go_on(&mut self, under_way: Option<(u64, u32)>) {
        self.under_way = under_way;
    }

    /// Notes what was signed, before it leaves the node.
    pub(super) fn signed(&mut self, signed: Guard) {
        self.signed = self.signed.max(signed);
    }

    /// Notes a block that is true here.
    pub(super) const fn head(&mut self, head: (u64, Hash)) {
        self.head = head;
    }

    fn may_say(&self, head: (u64, Hash)) -> bool {
        head == self.head && !self.signed.may_have_precommitted(head.0.saturating_add(1))
    }

    /// Says that `head` is the newest block at `time`, as one validator's part of a beacon; `None` if it may not.
    pub(crate) fn statement(&self, network: Hash, head: (u64, Hash), time: u64) -> Option<Signature> {
        let key = self.key.as_ref().filter(|_| self.may_say(head))?;
        Some(key.sign(&beacon_message(network, head.0, head.1, time)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_core::genesis::{Genesis, Parameters};
    use waxwing_order::Step;

    fn at(height: u64, step: Step) -> Guard {
        Guard { height, round: 0, step }
    }

    #[test]
    fn a_head_is_confirmed_until_the_next_block_is_precommitted() {
        let key = VoteKey::from_seed(&[1; 32]);
        let genesis = Genesis::new("test", 1_000, Parameters::DEFAULT, vec![key.public()]).unwrap();
        let network = genesis.network();
        let head = (0, genesis.block().id(&genesis.keys()));
        let mut voter = Voter::new(head, Guard::default());
        assert_eq!(voter.statement(network, head, 9), None, "nobody speaks yet");
        voter.join(key);
        let signature = voter.statement(network, head, 9).unwrap();
        let message = beacon_message(network, head.0, head.1, 9);
        assert_eq!(genesis.committee().members()[0].verify(&message, &signature), Ok(()));
        voter.signed(at(1, Step::Prevote));
        assert!(
            voter.statement(network, head, 9).is_some(),
            "a prevote makes nothing final"
        );
        voter.signed(at(1, Step::Precommit));
        assert_eq!(voter.statement(network, head, 10), None);
        let next = (1, Hash([4; 32]));
        assert_eq!(voter.statement(network, next, 10), None, "not true here yet");
        voter.head(next);
        assert!(voter.statement(network, next, 10).is_some());
        assert_eq!(voter.statement(network, head, 10), None, "not the newest any more");
        voter.leave();
        assert_eq!(voter.statement(network, next, 10), None);
    }
}

//! The committee changes while everything else goes wrong: a quorum decides that a guest votes in a member's place.
//!
//! Who leaves may be a liar, and whose signature counts may be one's as well. The decision is an entry like any other: it can
//! be lost with the process that took it in, or come too late for its height. Then it is made anew.

use waxwing_core::change::CommitteeChange;
use waxwing_core::codec::Encode;
use waxwing_core::committee::Committee;

use crate::network::Seat;
use crate::packet::Packet;
use crate::time::{Micros, SECOND};
use crate::violation::Violation;
use crate::world::{Coming, World};

/// After how long it is looked whether the decision stands in the ledger.
const PATIENCE: Micros = 2 * SECOND;

/// Least and most blocks until it takes over: the nearest leaves hardly time to order it.
const AHEAD: (u64, u64) = (1, 8);

impl World {
    /// Whether a node is the guest.
    pub(crate) fn is_guest(&self, seat: Seat) -> bool {
        seat == usize::from(self.plan.validators)
    }

    /// Who certifies a height, as far as the one history says.
    pub(crate) fn committee(&self, height: u64) -> &Committee {
        self.chronicle.ledger().ladder().at(height)
    }

    /// The same, as far as a node knows by itself.
    pub(crate) fn committee_of(&self, seat: Seat, height: u64) -> Option<Committee> {
        let process = self.node(seat)?.process.as_ref()?;
        Some(process.validator.ledger().ladder().at(height).clone())
    }

    /// Hands a decision of the committee in, unless one stands in the ledger.
    pub(crate) fn decide_change(&mut self) -> Result<(), Violation> {
        let Some(change) = self.plan.change else { return Ok(()) };
        let ledger = self.chronicle.ledger();
        if ledger.committee().term() > 0 {
            return Ok(());
        }
        self.queue.after(PATIENCE, Coming::Change);
        if ledger.pending().is_some() {
            return Ok(());
        }
        let from_height = self.chronicle.height() + 1 + self.chance.between(AHEAD.0, AHEAD.1);
        let Some(bytes) = self.decision(change.leaves, from_height) else {
            return Ok(());
        };
        let honest = self.honest.clone();
        let Some(seat) = self.chance.pick(&honest).copied() else {
            return Ok(());
        };
        let now = self.queue.now();
        self.story.tell(now, || {
            format!("validator {seat} is given a change from height {from_height} on")
        });
        if self.submit(seat, &bytes)? {
            let packet = Packet::Spread(bytes.into());
            for peer in self.network.others(seat) {
                self.transmit(seat, peer, &packet);
            }
        }
        Ok(())
    }

    /// The envelope with a change that a quorum has signed.
    fn decision(&self, leaves: Seat, from_height: u64) -> Option<Vec<u8>> {
        let current = self.chronicle.ledger().committee();
        let (leaving, guest) = (self.founding.id(leaves), self.founding.voters.last()?.public());
        let stays = current.members().iter().copied().filter(|member| *member != leaving);
        let members = stays.chain([guest]).collect();
        let mut change = CommitteeChange::propose(&self.founding.keys, current, from_height, members).ok()?;
        for voter in self.founding.voters.iter().take(current.quorum()) {
            change.sign(current, voter).ok()?;
        }
        let anchor = self.chronicle.anchor(self.chronicle.height())?;
        let log = self.founding.genesis.committee_log();
        Some(self.founding.envelope(&log, anchor, &change.to_bytes()).to_bytes())
    }
}

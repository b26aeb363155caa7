//! Clients that ask whether what they hold is still the newest: a quorum that says so must be right.
//!
//! Liars say so of every head. The honest may not, from the moment on in which they may have helped a newer block to
//! become final, before a crash or after.

use waxwing_core::certificate::{Beacon, beacon_message};
use waxwing_core::committee::Signatures;
use waxwing_core::hash::Hash;
use waxwing_core::keys::Signature;

use crate::violation::Violation;
use crate::world::{Member, World};

impl World {
    /// A client asks all validators at once about the head it holds.
    pub(crate) fn ask_for_beacon(&mut self, number: usize) -> Result<(), Violation> {
        let now_ms = self.now_ms();
        let Some(client) = self.clients.get(number) else {
            return Ok(());
        };
        let (height, id) = (client.follow().header().height, client.follow().id());
        // Those say so who would certify the next block.
        let committee = self.committee(height + 1);
        let said = (0..self.members.len()).filter_map(|seat| {
            let place = committee.members().binary_search(&self.founding.id(seat)).ok()?;
            Some((place, self.statement(seat, (height, id), now_ms)?))
        });
        let beacon = Beacon {
            height,
            head: id,
            time: now_ms,
            signatures: Signatures::collect(committee, said.collect::<Vec<_>>()),
        };
        let Some(client) = self.clients.get_mut(number) else {
            return Ok(());
        };
        if client.hear_beacon(&beacon, now_ms).is_err() {
            return Ok(());
        }
        self.beacons += 1;
        let newest = self.chronicle.height();
        if newest > height && !self.plan.is_conspiracy() {
            return Err(Violation::StaleBeacon {
                client: number,
                height,
                newest,
            });
        }
        Ok(())
    }

    fn statement(&self, seat: usize, head: (u64, Hash), time: u64) -> Option<Signature> {
        match self.members.get(seat)? {
            Member::Honest(node) => node.process.as_ref()?.validator.statement(head, time),
            Member::Liar(_) => {
                let said = beacon_message(self.founding.keys.network(), head.0, head.1, time);
                Some(self.founding.voter(seat).sign(&said))
            }
        }
    }
}

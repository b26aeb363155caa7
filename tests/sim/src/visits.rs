//! Clients at work: one asks a validator at random, checks what it is told, and hands in its letters.

use waxwing_core::codec::Encode;
use waxwing_core::envelope::Anchor;
use waxwing_core::keys::{LogId, LogKey};
use waxwing_core::limits::{ANCHOR_INTERVAL, ANCHOR_VALID_MS};
use waxwing_node::order::Validator;
use waxwing_store::MemoryTables;

use crate::chronicle::Certificates;
use crate::client::Sight;
use crate::faults::Fault;
use crate::lies::{self, Answer, Lie};
use crate::network::Seat;
use crate::node::Node;
use crate::packet::Packet;
use crate::time::{MS, Micros};
use crate::violation::Violation;
use crate::world::{Coming, Member, World};

/// Shortest and longest pause between two visits of a client.
const PAUSE: (Micros, Micros) = (200 * MS, 900 * MS);

impl World {
    /// A client turns to somebody.
    pub(crate) fn visit(&mut self, client: usize) -> Result<(), Violation> {
        let again = self.chance.between(PAUSE.0, PAUSE.1);
        self.queue.after(again, Coming::Visit(client));
        let seat = self.chance.place(self.members.len());
        match self.members.get(seat) {
            Some(Member::Honest(node)) => {
                let answer = node
                    .process
                    .as_ref()
                    .map(|process| self.honest_answer(client, &process.validator));
                match answer {
                    Some(Some(answer)) => self.hear(client, seat, &answer)?,
                    // Behind the client, or without a block.
                    Some(None) => {}
                    None => return Ok(()),
                }
            }
            Some(Member::Liar(_)) => self.hear_a_lie(client)?,
            None => return Ok(()),
        }
        if self.chance.once_in(4) {
            self.ask_for_beacon(client)?;
        }
        self.hand_in(client, seat)
    }

    fn honest_answer(&self, client: usize, validator: &Validator<MemoryTables>) -> Option<Answer> {
        let client = self.clients.get(client)?;
        let (log, position) = (client.log(), client.position());
        // A store that fails answers nobody.
        lies::truth(validator.store(), &validator.ledger(), &log, position)
            .ok()
            .flatten()
    }

    fn hear(&mut self, number: usize, node: Seat, answer: &Answer) -> Result<(), Violation> {
        let now_ms = self.now_ms();
        let Some(client) = self.clients.get_mut(number) else {
            return Ok(());
        };
        let term = client.follow().header().term;
        let heard = client.hear(answer, now_ms);
        let has_climbed = client.follow().header().term > term;
        if has_climbed {
            self.counts.count(Fault::Climbed);
        }
        if self.node(node).is_some_and(Node::follows) {
            self.counts.count(Fault::Served);
        }
        if self.plan.is_conspiracy() || self.chronicle.certificates() == Certificates::Ignored {
            return Ok(());
        }
        heard.map_err(|why| Violation::Refused {
            client: number,
            node,
            why,
        })?;
        self.stays_on_history(number)
    }

    fn stays_on_history(&self, number: usize) -> Result<(), Violation> {
        let Some(client) = self.clients.get(number) else {
            return Ok(());
        };
        let height = client.follow().header().height;
        if self.chronicle.id(height) == Some(client.follow().id()) {
            Ok(())
        } else {
            Err(Violation::ClientAstray { client: number, height })
        }
    }

    fn hear_a_lie(&mut self, number: usize) -> Result<(), Violation> {
        let kind = self.chance.pick(&Lie::ALL).copied().unwrap_or(Lie::Stale);
        let Some((kind, told)) = self.make_up(number, kind) else {
            return Ok(());
        };
        let now_ms = self.now_ms();
        self.counts.count(Fault::Lied(kind));
        let Some(client) = self.clients.get_mut(number) else {
            return Ok(());
        };
        let heard = client.hear(&told, now_ms);
        if self.plan.is_conspiracy() {
            return Ok(());
        }
        // An old head is no lie that can be seen: that is what beacons are for.
        if heard.is_ok() && kind != Lie::Stale {
            return Err(Violation::Believed {
                client: number,
                lie: kind,
            });
        }
        self.stays_on_history(number)
    }

    fn make_up(&self, number: usize, kind: Lie) -> Option<(Lie, Answer)> {
        let client = self.clients.get(number)?;
        let (store, ledger) = (self.chronicle.store(), self.chronicle.ledger());
        let truth = lies::truth(store, ledger, &client.log(), client.position()).ok()??;
        let other = match kind {
            Lie::Stale => self.stale(number)?,
            _ => lies::truth(store, ledger, &another_log(), (client.position().0, 0)).ok()??,
        };
        let liars: Vec<Seat> = self.plan.liars.iter().map(|(seat, _)| *seat).collect();
        lies::lie(kind, &truth, &other, &self.founding, &liars).map(|told| (kind, told))
    }

    /// The state of some block behind the newest, which some validator still is at or pretends to be.
    fn stale(&self, number: usize) -> Option<Answer> {
        let client = self.clients.get(number)?;
        let behind = self.honest.iter().filter_map(|seat| self.node(*seat)?.process.as_ref());
        let oldest = behind.min_by_key(|process| process.validator.tip().height)?;
        self.honest_answer(number, &oldest.validator)
            .filter(|_| client.position().0 > 0)
    }

    /// A client hands in what is due.
    fn hand_in(&mut self, number: usize, seat: Seat) -> Result<(), Violation> {
        let Some(sight) = self.sight(number) else { return Ok(()) };
        let now = self.queue.now();
        let Some(client) = self.clients.get_mut(number) else {
            return Ok(());
        };
        let letters = client.send(&self.founding, sight, now, &mut self.chance);
        for letter in letters {
            let bytes = letter.to_bytes();
            if matches!(self.members.get(seat), Some(Member::Liar(_))) {
                self.give(seat, &bytes);
            } else if self.node(seat).is_some_and(Node::follows) || self.submit(seat, &bytes)? {
                // Whoever does not vote only passes it on.
                let packet = Packet::Spread(bytes.into());
                for peer in self.network.others(seat) {
                    self.transmit(seat, peer, &packet);
                }
            }
        }
        Ok(())
    }

    /// What a client knows of anchors. It has proofs for them in truth; that part is not played here.
    fn sight(&self, number: usize) -> Option<Sight> {
        let client = self.clients.get(number)?;
        let held = client.follow().header().height;
        let anchor = self.chronicle.anchor(held)?;
        let proved = self.chronicle.header(client.proved())?;
        let newest = self.chronicle.anchor(client.proved())?;
        let is_over = |anchor: &Anchor| {
            let header = self.chronicle.header(anchor.height);
            header.is_some_and(|header| proved.time.saturating_sub(header.time) > ANCHOR_VALID_MS)
        };
        let genesis = self.chronicle.anchor(0)?;
        // The newest never expires.
        let anchors = (0..=newest.height / ANCHOR_INTERVAL).map(|number| number * ANCHOR_INTERVAL);
        let mut valid = anchors.filter(|height| self.chronicle.anchor(*height).is_some_and(|anchor| !is_over(&anchor)));
        let first_valid = valid.next().unwrap_or(newest.height);
        Some(Sight {
            anchor,
            older: Some(genesis).filter(|older| *older != anchor && !is_over(older)),
            expired_below: first_valid,
        })
    }
}

/// A log that no client writes on.
fn another_log() -> LogId {
    LogKey::from_seed(&[90; 32]).public()
}

//! What goes wrong in a run, and what follows from it: processes die and start, connections break, clocks are set.

use waxwing_node::order::event::Event;

use crate::faults::Fault;
use crate::network::{IDLE_LIMIT, Notice, Seat, Weather};
use crate::plan::{Death, FAR_OFF_MS, Trouble};
use crate::time::{MS, Micros};
use crate::violation::Violation;
use crate::world::{Coming, Member, World};

/// A disk that never refuses again.
const NEVER: u64 = 1 << 40;

impl World {
    pub(crate) fn start(&mut self, seat: Seat) -> Result<(), Violation> {
        let now = self.queue.now();
        let founding = &self.founding;
        let Some(Member::Honest(node)) = self.members.get_mut(seat) else {
            return Ok(());
        };
        if node.process.is_some() {
            return Ok(());
        }
        let had = node.known_height;
        let started = node.start(founding, now);
        let actions = started.map_err(|why| Violation::DoesNotStart { node: seat, why })?;
        let has = node.height().unwrap_or(0);
        self.story
            .tell(now, || format!("validator {seat} starts at height {has}"));
        if has < had {
            return Err(Violation::Forgot { node: seat, had, has });
        }
        self.carry_out(seat, actions)
    }

    pub(crate) fn notice(&mut self, notice: &Notice) -> Result<(), Violation> {
        if !self.network.notice(notice) {
            return Ok(());
        }
        let peer = self.founding.id(notice.peer);
        let event = if notice.is_up {
            Event::PeerUp(peer)
        } else {
            Event::PeerDown(peer)
        };
        self.tell(notice.node, event)
    }

    pub(crate) fn suffer(&mut self, trouble: Trouble) -> Result<(), Violation> {
        let now = self.queue.now();
        self.story.tell(now, || format!("{trouble:?}"));
        match trouble {
            Trouble::Crash { node, death, away } => self.doom(node, death, away),
            Trouble::Break(a, b) => {
                self.counts.count(Fault::Broken);
                self.cut((a, b), now);
            }
            Trouble::Partition { side, lasts } => self.part(&side, lasts),
            Trouble::Clock(node, skew) => {
                let is_far_off = skew.unsigned_abs() >= FAR_OFF_MS;
                self.counts.count(if is_far_off {
                    Fault::ClockFarOff
                } else {
                    Fault::ClockWrong
                });
                if let Some(node) = self.node_mut(node) {
                    node.clock.set(skew);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn part(&mut self, side: &[Seat], lasts: Micros) {
        let now = self.queue.now();
        let is_long = lasts > IDLE_LIMIT;
        self.counts
            .count(if is_long { Fault::Partition } else { Fault::Stalled });
        for a in 0..self.members.len() {
            for b in a + 1..self.members.len() {
                if side.contains(&a) != side.contains(&b) {
                    if is_long {
                        self.cut((a, b), now + lasts);
                    } else {
                        self.network.stall((a, b), now + lasts);
                    }
                }
            }
        }
    }

    pub(crate) fn cut(&mut self, pair: (Seat, Seat), until: Micros) {
        let now = self.queue.now();
        for notice in self.network.cut(pair, now, until, &mut self.chance) {
            self.queue.at(notice.at, Coming::Notice(notice));
        }
    }

    pub(crate) fn doom(&mut self, seat: Seat, death: Death, away: Micros) {
        let Some(node) = self.node_mut(seat) else { return };
        node.away = away;
        match death {
            // It dies while it starts.
            Death::AfterActions(count) if node.process.is_none() => node.doom = Some(count),
            _ if node.process.is_none() => {}
            Death::AtOnce => {
                self.counts.count(Fault::Crash);
                self.crash(seat);
            }
            Death::AfterActions(count) => node.doom = Some(count),
            Death::InWrite(fault) => node.tables.fail(0, fault),
        }
    }

    /// The process of a validator dies now, and is started again later.
    pub(crate) fn crash(&mut self, seat: Seat) {
        let Some(Member::Honest(node)) = self.members.get_mut(seat) else {
            return;
        };
        if node.crash(&mut self.chance) {
            self.counts.count(Fault::JournalLost);
        }
        let again = self.queue.now() + node.away;
        self.story.tell(self.queue.now(), || {
            format!("validator {seat} dies until {} ms", again / MS)
        });
        self.queue.at(again, Coming::Start(seat));
        for other in self.network.others(seat) {
            self.cut((seat, other), again);
        }
    }

    pub(crate) fn calm(&mut self) -> Result<(), Violation> {
        self.story.tell(self.queue.now(), || "faults end".to_owned());
        self.is_calm = true;
        self.network.weather = Weather {
            loss_permille: 0,
            twice_permille: 0,
            slow_permille: 0,
            ..self.network.weather
        };
        for seat in self.honest.clone() {
            if let Some(node) = self.node_mut(seat) {
                node.clock.set(0);
                node.doom = None;
                node.tables.fail(NEVER, waxwing_store::memory::Fault::Refused);
            }
        }
        Ok(())
    }
}

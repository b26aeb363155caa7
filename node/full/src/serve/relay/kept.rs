//! What was passed on to nodes that order and is not final yet, in the order in which it came. Pure.
//!
//! A pool is only memory: a validator that dies loses what waited there. Whoever passed it on still has it here, and gives it
//! to the next one *before* anything later of the same log, so that a reply never stands before what it replies to because a
//! machine died in between. And a validator that takes an envelope and does not order it is not waited for: after a while
//! another one gets it too.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use waxwing_core::Hash;
use waxwing_core::keys::{LogId, NodeId};
use waxwing_net::wire::Opaque;

/// Envelopes that are kept in all; what some ten seconds at full load bring.
const ENVELOPES_MAX: usize = 65_536;

/// The same in bytes.
const BYTES_MAX: usize = 64 << 20;

/// Blocks that may pass before a further node is given an envelope: one was under way already, and one is the turn of somebody
/// who does not have it yet.
pub(super) const OVERDUE_BLOCKS: u64 = 3;

/// The same in time: where nobody has anything else to order there are no blocks to count.
pub(super) const OVERDUE_MS: u64 = 2000;

/// After so long without a block that orders it, everybody is given it anew: perhaps pools were lost.
const ANEW_MS: u64 = 20_000;

/// One connection to a node; a later one to the same node is another.
pub(super) type Session = (NodeId, u64);

/// When something happened: height of the newest block, and steady milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Moment {
    pub(super) height: u64,
    pub(super) ms: u64,
}

/// An envelope on its way.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) stamp: Hash,
    pub(super) log: LogId,
    /// Its entry id.
    pub(super) entry: Hash,
    pub(super) envelope: Opaque,
}

#[derive(Debug)]
struct Place {
    item: Item,
    given: BTreeSet<Session>,
    refused: BTreeSet<NodeId>,
    /// When it was last given to somebody.
    last: Option<Moment>,
    /// When it was first given to somebody, or to everybody anew.
    round: u64,
}

/// What a node said to an envelope.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Said {
    /// It waits there.
    Taken,
    /// It is ordered.
    Final,
    /// It does not want it.
    Refused,
}

/// Whether there is room for an envelope.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Keeping {
    /// It is kept, now or already before.
    Kept,
    /// There is no room.
    Full,
}

/// Everything that is kept.
#[derive(Debug, Default)]
pub(super) struct Kept {
    logs: BTreeMap<LogId, VecDeque<Place>>,
    envelopes: usize,
    bytes: usize,
}

impl Kept {
    pub(super) fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }

    /// Keeps an envelope behind what is kept of its log.
    pub(super) fn keep(&mut self, item: Item, now: Moment) -> Keeping {
        if self.find(&item).is_some() {
            return Keeping::Kept;
        }
        if self.envelopes >= ENVELOPES_MAX || self.bytes + item.envelope.len() > BYTES_MAX {
            return Keeping::Full;
        }
        self.envelopes += 1;
        self.bytes += item.envelope.len();
        self.logs.entry(item.log).or_default().push_back(Place {
            item,
            given: BTreeSet::new(),
            refused: BTreeSet::new(),
            last: None,
            round: now.ms,
        });
        Keeping::Kept
    }

    fn find(&mut self, item: &Item) -> Option<&mut Place> {
        let log = self.logs.get_mut(&item.log)?;
        log.iter_mut().find(|place| place.item.stamp == item.stamp)
    }

    /// What a node is to be given so that it has these: of each log everything that it was not given and that came before
    /// the last of them, in order.
    pub(super) fn outgoing(&self, wanted: &[Item], to: &Session) -> Vec<Item> {
        let mut outgoing = Vec::new();
        let logs: BTreeSet<LogId> = wanted.iter().map(|item| item.log).collect();
        let stamps: BTreeSet<Hash> = wanted.iter().map(|item| item.stamp).collect();
        for log in logs {
            let Some(places) = self.logs.get(&log) else { continue };
            let is_wanted = |place: &Place| stamps.contains(&place.item.stamp);
            let Some(last) = places.iter().rposition(is_wanted) else {
                continue;
            };
            let due = places.iter().take(last + 1).filter(|place| {
                // What is wanted goes out again although it was given before: its sender asks anew.
                (is_wanted(place) || !place.given.contains(to)) && !place.refused.contains(&to.0)
            });
            outgoing.extend(due.map(|place| place.item.clone()));
        }
        outgoing
    }

    /// Notes what a node said to an envelope. Returns by how many nodes it was refused.
    pub(super) fn said(&mut self, item: &Item, by: Session, said: Said, now: Moment) -> usize {
        let Some(place) = self.find(item) else { return 0 };
        match said {
            Said::Taken => {
                place.given.insert(by);
                place.refused.remove(&by.0);
                place.last = Some(now);
            }
            Said::Refused => {
                place.refused.insert(by.0);
            }
            Said::Final => {
                self.forget(item);
                return 0;
            }
        }
        place.refused.len()
    }

    /// Those of these that a node was not given, and has not refused.
    pub(super) fn ungiven(&mut self, items: &[Item], to: &Session) -> Vec<Item> {
        let is_new = |place: &mut Place| !place.given.contains(to) && !place.refused.contains(&to.0);
        let ungiven = items.iter().filter(|item| self.find(item).is_some_and(is_new));
        ungiven.cloned().collect()
    }

    /// Whether anybody has taken it.
    pub(super) fn is_taken(&mut self, item: &Item) -> bool {
        self.find(item).is_some_and(|place| place.last.is_some())
    }

    /// An envelope need not be kept any more.
    pub(super) fn forget(&mut self, item: &Item) {
        self.remove(item.log, |place| place.item.stamp == item.stamp);
    }

    /// A block orders this entry.
    pub(super) fn settle(&mut self, log: LogId, entry: &Hash) {
        self.remove(log, |place| place.item.entry == *entry);
    }

    fn remove(&mut self, log: LogId, is_it: impl Fn(&Place) -> bool) {
        let Some(places) = self.logs.get_mut(&log) else { return };
        let before = places.len();
        let bytes = places
            .iter()
            .filter(|place| is_it(place))
            .map(|place| place.item.envelope.len());
        self.bytes -= bytes.sum::<usize>();
        places.retain(|place| !is_it(place));
        self.envelopes -= before - places.len();
        if places.is_empty() {
            self.logs.remove(&log);
        }
    }

    /// What another node should get now, given that these can be reached: what nobody has any more, and what whoever has it
    /// has not brought into a block in time. Of each log the last one is enough, because what is before it goes with it.
    pub(super) fn overdue(&mut self, reachable: &BTreeSet<Session>, now: Moment) -> Vec<Item> {
        let mut overdue = Vec::new();
        for places in self.logs.values_mut() {
            for place in places {
                place.given.retain(|session| reachable.contains(session));
                let Some(last) = place.last else { continue };
                let is_late = now.height >= last.height + OVERDUE_BLOCKS || now.ms >= last.ms + OVERDUE_MS;
                if now.ms >= place.round + ANEW_MS {
                    place.round = now.ms;
                    place.given.clear();
                    place.refused.clear();
                }
                let is_with_all = reachable.iter().all(|session| place.given.contains(session));
                if !is_with_all && (is_late || place.given.is_empty()) {
                    overdue.push(place.item.clone());
                }
            }
        }
        overdue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(log: u8, number: u8) -> Item {
        Item {
            stamp: Hash([number; 32]),
            log: LogId([log; 32]),
            entry: Hash([number + 100; 32]),
            envelope: vec![number; 10].into(),
        }
    }

    fn at(height: u64, ms: u64) -> Moment {
        Moment { height, ms }
    }

    const A: Session = (NodeId([1; 32]), 0);
    const A_AGAIN: Session = (NodeId([1; 32]), 1);
    const B: Session = (NodeId([2; 32]), 0);

    fn numbers(items: &[Item]) -> Vec<u8> {
        items.iter().map(|item| item.envelope[0]).collect()
    }

    #[test]
    fn who_is_given_a_later_envelope_is_given_the_earlier_ones_first() {
        let mut kept = Kept::default();
        for number in [1, 2] {
            kept.keep(item(1, number), at(0, 0));
            kept.said(&item(1, number), A, Said::Taken, at(0, 0));
        }
        kept.keep(item(2, 9), at(0, 0));
        kept.keep(item(1, 3), at(0, 0));
        assert_eq!(numbers(&kept.outgoing(&[item(1, 3)], &A)), [3], "it has the others");
        assert_eq!(numbers(&kept.outgoing(&[item(1, 3)], &B)), [1, 2, 3]);
        assert_eq!(
            numbers(&kept.outgoing(&[item(1, 3)], &A_AGAIN)),
            [1, 2, 3],
            "it may have lost them"
        );
        assert_eq!(numbers(&kept.outgoing(&[item(1, 1)], &A)), [1], "its sender asks again");
        kept.settle(LogId([1; 32]), &item(1, 1).entry);
        assert_eq!(numbers(&kept.outgoing(&[item(1, 3)], &B)), [2, 3]);
        kept.said(&item(1, 2), B, Said::Final, at(0, 0));
        assert_eq!(numbers(&kept.outgoing(&[item(1, 3)], &B)), [3]);
    }

    #[test]
    fn what_is_not_ordered_in_time_goes_to_one_more_and_what_a_lost_node_had_at_once() {
        let mut kept = Kept::default();
        let both = BTreeSet::from([A, B]);
        kept.keep(item(1, 1), at(5, 0));
        assert_eq!(
            numbers(&kept.overdue(&both, at(5, 9000))),
            [0; 0],
            "nobody has said that it takes it"
        );
        kept.said(&item(1, 1), A, Said::Taken, at(5, 1000));
        assert_eq!(numbers(&kept.overdue(&both, at(7, 2999))), [0; 0]);
        assert_eq!(
            numbers(&kept.overdue(&both, at(8, 1000))),
            [1],
            "three blocks without it"
        );
        assert_eq!(numbers(&kept.overdue(&both, at(5, 3000))), [1], "no block at all");
        assert_eq!(
            numbers(&kept.overdue(&BTreeSet::from([A]), at(9, 9000))),
            [0; 0],
            "there is no other"
        );
        kept.said(&item(1, 1), B, Said::Taken, at(7, 3000));
        assert_eq!(
            numbers(&kept.overdue(&both, at(19, 19_999))),
            [0; 0],
            "everybody has it"
        );
        assert_eq!(
            numbers(&kept.overdue(&both, at(19, 20_000))),
            [1],
            "once more from the beginning"
        );
        kept.said(&item(1, 1), A, Said::Taken, at(19, 20_000));
        let anew = BTreeSet::from([A_AGAIN]);
        assert_eq!(
            numbers(&kept.overdue(&anew, at(19, 20_001))),
            [1],
            "its pool may be gone"
        );
    }

    #[test]
    fn nothing_is_kept_that_is_final_and_no_more_than_there_is_room_for() {
        let mut kept = Kept::default();
        for number in 1..=3 {
            assert_eq!(kept.keep(item(1, number), at(0, 0)), Keeping::Kept);
        }
        kept.forget(&item(1, 2));
        kept.settle(LogId([1; 32]), &item(1, 1).entry);
        kept.settle(LogId([7; 32]), &item(1, 3).entry);
        assert_eq!((kept.envelopes, kept.bytes), (1, 10));
        kept.said(&item(1, 3), A, Said::Final, at(0, 0));
        assert!(kept.is_empty() && kept.bytes == 0);
        let mut large = item(1, 1);
        large.envelope = vec![0; BYTES_MAX].into();
        assert_eq!(kept.keep(large, at(0, 0)), Keeping::Kept);
        assert_eq!(kept.keep(item(1, 2), at(0, 0)), Keeping::Full);
        assert_eq!(kept.keep(item(1, 1), at(0, 0)), Keeping::Kept, "it is already");
    }

    #[test]
    fn who_refused_an_envelope_is_not_offered_it_again_and_is_counted_once() {
        let mut kept = Kept::default();
        kept.keep(item(1, 1), at(0, 0));
        assert_eq!(kept.said(&item(1, 1), A, Said::Refused, at(0, 0)), 1);
        assert_eq!(kept.said(&item(1, 1), A_AGAIN, Said::Refused, at(0, 0)), 1);
        assert_eq!(numbers(&kept.outgoing(&[item(1, 1)], &A)), [0; 0]);
        assert_eq!(kept.said(&item(1, 1), B, Said::Refused, at(0, 0)), 2);
        assert!(!kept.is_taken(&item(1, 1)));
    }
}

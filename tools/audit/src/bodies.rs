//! Bodies: present, erased by their author, expired, or withheld.
//!
//! A body that is not there is no sign of tampering, but it needs a reason: a secret that only its author knew, or a
//! keep-for that has passed in header time, as of the newest block. What has neither is *withheld*. Whoever handed out
//! the history may call a body expired; that word is not believed, only the header's time is.

use std::collections::VecDeque;

use waxwing_core::envelope::{Body, EnvelopeHeader, KeepFor};

use crate::finding::At;

/// Withheld bodies that a report lists.
pub(crate) const LISTED: usize = 16;

/// Counts of bodies, and the first that are withheld.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bodies {
    /// There, and the ones that were ordered.
    pub present: u64,
    /// Absent with their author's secret.
    pub erased: u64,
    /// Absent, their keep-for passed.
    pub expired: u64,
    /// Absent without excuse.
    pub withheld: u64,
    /// There, but not the ones that were ordered, or excused by a secret that is not their author's.
    pub damaged: u64,
    /// Bytes of the bodies present.
    pub bytes: u64,
    /// Where the first ones withheld belong.
    pub first_withheld: Vec<At>,
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    bodies: Bodies,
    /// Absent, their keep-for not yet passed at the block replayed last; a queue for each keep-for, since in each of
    /// them entries expire in the order in which they came.
    waiting: [VecDeque<Waiting>; KeepFor::ALL.len()],
}

/// The entries of one block that expire together.
#[derive(Debug)]
struct Waiting {
    expiry: u64,
    count: u64,
    first: Vec<At>,
}

impl Tally {
    pub(crate) fn damaged(&mut self) {
        self.bodies.damaged += 1;
    }

    pub(crate) fn add(&mut self, body: &Body, header: &EnvelopeHeader, at: At) {
        match body {
            Body::Present(bytes) => {
                self.bodies.present += 1;
                self.bodies.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            }
            Body::Erased(_) => self.bodies.erased += 1,
            Body::Expired | Body::Withheld => self.absent(header.keep_for, at),
        }
    }

    fn absent(&mut self, keep_for: KeepFor, at: At) {
        let expiry = at.time.and_then(|ordered| keep_for.expiry(ordered));
        let Some(expiry) = expiry else {
            self.withhold(1, vec![at]);
            return;
        };
        let queues = self.waiting.iter_mut().zip(KeepFor::ALL);
        let Some((queue, _)) = queues.into_iter().find(|(_, kind)| *kind == keep_for) else {
            return;
        };
        match queue.back_mut().filter(|last| last.expiry == expiry) {
            Some(last) => {
                last.count += 1;
                if last.first.len() < LISTED {
                    last.first.push(at);
                }
            }
            None => queue.push_back(Waiting {
                expiry,
                count: 1,
                first: vec![at],
            }),
        }
    }

    /// The newest block now has this time.
    pub(crate) fn advance(&mut self, time: u64) {
        for queue in &mut self.waiting {
            while let Some(next) = queue.front().filter(|waiting| waiting.expiry <= time) {
                self.bodies.expired += next.count;
                queue.pop_front();
            }
        }
    }

    /// Absent without excuse.
    pub(crate) fn withhold(&mut self, count: u64, first: Vec<At>) {
        self.bodies.withheld += count;
        self.bodies.first_withheld.extend(first);
        // The lists of several queues meet here: the first of all of them stay.
        self.bodies.first_withheld.sort_by_key(|at| at.position);
        self.bodies.first_withheld.truncate(LISTED);
    }

    /// What it comes to, once there are no more blocks.
    pub(crate) fn finish(mut self) -> Bodies {
        for waiting in std::mem::take(&mut self.waiting).into_iter().flatten() {
            self.withhold(waiting.count, waiting.first);
        }
        self.bodies
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_core::Hash;
    use waxwing_core::envelope::{Anchor, ErasureSecret};
    use waxwing_core::keys::LogId;
    use waxwing_core::limits::DAY_MS;

    fn header(keep_for: KeepFor) -> EnvelopeHeader {
        EnvelopeHeader {
            body_length: 0,
            log: LogId([1; 32]),
            anchor: Anchor {
                height: 0,
                id: Hash::ZERO,
            },
            body_hash: Hash::ZERO,
            erasure: Hash([1; 32]),
            keep_for,
            nonce: 0,
        }
    }

    fn at(position: u64, time: u64) -> At {
        At {
            position: Some(position),
            time: Some(time),
            ..At::default()
        }
    }

    #[test]
    fn a_body_is_expired_only_once_its_time_has_passed_whatever_it_is_called() {
        for word in [Body::Expired, Body::Withheld] {
            let tally = |now| {
                let mut tally = Tally::default();
                tally.add(&word, &header(KeepFor::Day), at(0, 1_000));
                tally.advance(now);
                tally.finish()
            };
            let (before, after) = (tally(999 + DAY_MS), tally(1_000 + DAY_MS));
            assert_eq!((before.expired, before.withheld), (0, 1));
            assert_eq!((after.expired, after.withheld), (1, 0));
            assert_eq!(before.first_withheld, [at(0, 1_000)]);
        }
    }

    #[test]
    fn a_body_kept_for_ever_is_withheld_without_its_secret_and_erased_with_it() {
        let mut tally = Tally::default();
        tally.add(&Body::Expired, &header(KeepFor::Ever), at(0, 1));
        tally.add(&Body::Erased(ErasureSecret([1; 32])), &header(KeepFor::Ever), at(1, 1));
        tally.add(&Body::Present(vec![0; 7]), &header(KeepFor::Ever), at(2, 1));
        tally.advance(u64::MAX);
        let bodies = tally.finish();
        assert_eq!(
            (bodies.withheld, bodies.erased, bodies.present, bodies.bytes),
            (1, 1, 1, 7)
        );
    }

    #[test]
    fn the_first_withheld_of_all_keep_fors_are_listed_in_order() {
        let mut tally = Tally::default();
        for position in 0..40 {
            let keep_for = if position % 2 == 0 { KeepFor::Day } else { KeepFor::Year };
            tally.add(&Body::Withheld, &header(keep_for), at(position, position));
        }
        let bodies = tally.finish();
        let listed: Vec<_> = bodies.first_withheld.iter().filter_map(|at| at.position).collect();
        assert_eq!(bodies.withheld, 40);
        assert_eq!(listed, (0..16).collect::<Vec<_>>());
    }
}

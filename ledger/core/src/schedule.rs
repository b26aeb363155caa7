//! Whose turn it is to propose, so that a dead validator costs its timeout seldom.
//!
//! ```text
//! height         40   41   42   43 | 44   45   46   47 | 48 ...        n = 4, base turn of h: members[h mod 4]
//! base turn       A    B    C    D |  A    B    C    D |  A
//! B missed its         ·              ·                                1 missed: tried, 2: not, 3: tried, 7: tried, ...
//! first proposer  A    B    C    D |  A    B    C    D |  A    C    D  A      a seat that is not due: the next one proposes
//! ```
//!
//! Everybody must name the same proposer without a word about it, so turns follow from certified headers alone: a base
//! turn is *missed* if the header of that height names another proposer. Whoever missed the last `m` of its base turns in
//! a row is tried at its next one only if `m + 1` is a power of two, from 63 on at every 64th of its turns, and is the last
//! choice otherwise; one block of its own makes it as good as any. Nothing before the current term counts, and nothing
//! older than [`window`] heights, so the state can be computed again from the newest headers. `// SPEC 11.5`

use crate::committee::Committee;
use crate::keys::ValidatorId;
use crate::limits::MISSED_TURNS_MAX;

/// The turns of one term.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    /// In the order of the committee.
    seats: Vec<Seat>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Seat {
    member: ValidatorId,
    /// Base turns missed in a row, the newest included; counted up to the limit.
    missed: u32,
}

impl Seat {
    /// Whether it is tried at its base turn number `turn`.
    const fn is_due(&self, turn: u64) -> bool {
        if self.missed < MISSED_TURNS_MAX {
            (self.missed + 1).is_power_of_two()
        } else {
            // The count stands still here, so the height takes over: it needs no memory.
            turn.is_multiple_of(CYCLE)
        }
    }
}

impl Schedule {
    /// The first turns of a term: nobody has missed any.
    #[must_use]
    pub fn new(committee: &Committee) -> Self {
        let seat = |member: &ValidatorId| Seat {
            member: *member,
            missed: 0,
        };
        Self {
            seats: committee.members().iter().map(seat).collect(),
        }
    }

    /// Takes note of the next block of the term and who proposed it. Blocks come in the order of their heights.
    pub fn record(&mut self, height: u64, proposer: &ValidatorId) {
        let (place, _) = self.base(height);
        if let Some(seat) = self.seats.get_mut(place) {
            seat.missed = if seat.member == *proposer {
                0
            } else {
                (seat.missed + 1).min(MISSED_TURNS_MAX)
            };
        }
    }

    /// Who proposes at a height: the proposer of round r is `turns[r % n]`. Every member stands in it once: the base
    /// turn's if it is due, then in the order of the committee from there those who missed nothing, then the others.
    #[must_use]
    pub fn turns(&self, height: u64) -> Vec<ValidatorId> {
        let (place, turn) = self.base(height);
        let (before, from) = self.seats.split_at(place);
        let around = || from.iter().chain(before);
        let is_first = |seat: &Seat| from.first() == Some(seat) && seat.is_due(turn);
        let rank = |seat: &Seat| match (is_first(seat), seat.missed) {
            (true, _) => 0,
            (false, 0) => 1,
            (false, _) => 2,
        };
        let of_rank = |wanted: u8| around().filter(move |seat| rank(seat) == wanted);
        (0..=2).flat_map(of_rank).map(|seat| seat.member).collect()
    }

    /// Whose base turn a height is, and the how manieth of its turns.
    fn base(&self, height: u64) -> (usize, u64) {
        let members = u64::try_from(self.seats.len()).expect("a committee has at most 100 members");
        let place = usize::try_from(height % members).expect("less than the number of members");
        (place, height / members)
    }
}

/// How many of the newest headers decide about the turns of a committee of so many members.
#[must_use]
pub const fn window(members: u64) -> u64 {
    members.saturating_mul(CYCLE - 1)
}

/// The first height that must be recorded to know the turns after `head`, in a term that began at height `from`.
#[must_use]
pub fn first_height(committee: &Committee, from: u64, head: u64) -> u64 {
    let members = u64::try_from(committee.members().len()).expect("a committee has at most 100 members");
    // Nobody proposed block 0.
    from.max(1).max(head.saturating_add(1).saturating_sub(window(members)))
}

/// A seat that missed too many turns to count them is tried once in so many.
const CYCLE: u64 = 64;

// A count below the limit names every power of two up to the cycle, so the trials never come further apart than that.
const _: () = assert!(MISSED_TURNS_MAX == 63 && CYCLE == 64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::VoteKey;

    fn committee(count: u8) -> Committee {
        let mut members: Vec<_> = (1..=count)
            .map(|seed| VoteKey::from_seed(&[seed; 32]).public())
            .collect();
        members.sort_unstable();
        Committee::new(0, members).unwrap()
    }

    /// Runs heights `0..end`; `alive` says who proposes when asked. Gives the first choices.
    fn run(schedule: &mut Schedule, end: u64, alive: impl Fn(u64, &ValidatorId) -> bool) -> Vec<ValidatorId> {
        (0..end)
            .map(|height| {
                let turns = schedule.turns(height);
                let proposer = turns.iter().find(|member| alive(height, member)).unwrap();
                schedule.record(height, proposer);
                turns[0]
            })
            .collect()
    }

    #[test]
    fn with_everybody_alive_turns_go_round() {
        let committee = committee(4);
        let mut schedule = Schedule::new(&committee);
        let first = run(&mut schedule, 40, |_, _| true);
        let round: Vec<_> = committee.members().iter().copied().cycle().take(40).collect();
        assert_eq!(first, round);
        assert_eq!(schedule, Schedule::new(&committee));
    }

    #[test]
    fn a_dead_validator_is_tried_ever_less_often_and_at_last_at_every_64th_turn() {
        let committee = committee(4);
        let dead = committee.members()[1];
        let mut schedule = Schedule::new(&committee);
        let first = run(&mut schedule, 4 * 320, |_, member| *member != dead);
        let tried: Vec<usize> = (0..first.len()).filter(|height| first[*height] == dead).collect();
        let turns: Vec<usize> = tried.iter().map(|height| height / 4).collect();
        assert_eq!(turns, [0, 1, 3, 7, 15, 31, 64, 128, 192, 256]);
        assert!(tried.iter().all(|height| height % 4 == 1), "only at its own turns");
    }

    #[test]
    fn one_block_of_its_own_makes_a_validator_as_good_as_any() {
        let committee = committee(4);
        let sleeper = committee.members()[2];
        let mut schedule = Schedule::new(&committee);
        run(&mut schedule, 400, |height, member| *member != sleeper || height >= 200);
        assert_eq!(schedule, Schedule::new(&committee));
    }

    #[test]
    fn whoever_missed_a_turn_is_the_last_choice_of_the_others_turns() {
        let committee = committee(4);
        let (members, mut schedule) = (committee.members(), Schedule::new(&committee));
        schedule.record(1, &members[2]);
        assert_eq!(schedule.turns(4), [members[0], members[2], members[3], members[1]]);
        assert_eq!(schedule.turns(5), [members[1], members[2], members[3], members[0]]);
        schedule.record(5, &members[2]);
        assert_eq!(schedule.turns(9), [members[2], members[3], members[0], members[1]]);
    }

    #[test]
    fn every_member_stands_in_every_turn_once() {
        for count in [1, 2, 3, 4, 7, 10] {
            let committee = committee(count);
            let mut schedule = Schedule::new(&committee);
            for height in 0..500 {
                let mut turns = schedule.turns(height);
                schedule.record(height, &turns[usize::from(count) / 2]);
                turns.sort_unstable();
                assert_eq!(turns, committee.members(), "n = {count}, height {height}");
            }
        }
    }

    #[test]
    fn the_newest_headers_lead_to_the_same_turns_as_all_of_them() {
        let committee = committee(3);
        let mut proposers = Vec::new();
        let mut all = Schedule::new(&committee);
        proposers.push(committee.members()[0]);
        for height in 1..900_u64 {
            // The last member proposes for a while, then never again, then always when asked.
            let turns = all.turns(height);
            let absent = (height > 50 && height < 500).then_some(committee.members()[2]);
            let proposer = *turns.iter().find(|member| Some(**member) != absent).unwrap();
            all.record(height, &proposer);
            proposers.push(proposer);
            let first = first_height(&committee, 0, height);
            assert!(height + 1 - first <= window(3));
            let mut newest = Schedule::new(&committee);
            for at in first..=height {
                newest.record(at, &proposers[usize::try_from(at).unwrap()]);
            }
            assert_eq!(newest, all, "after block {height}");
        }
    }
}

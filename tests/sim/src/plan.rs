//! What a seed means: who lies, what the network does, and which misfortunes come when.
//!
//! Everything is drawn before the run begins, so that a run can be told about before it is made.

use std::fmt;

use waxwing_store::memory::Fault as WriteFault;

use crate::chance::Chance;
use crate::chronicle::HONEST_SKEW_MS;
use crate::founding::PASTS;
use crate::network::{IDLE_LIMIT, Seat, Weather};
use crate::time::{MS, Micros, SECOND};

/// How a liar lies. All of them tell clients what they like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Habit {
    /// Says nothing to other validators.
    Silent,
    /// Proposes two blocks, and votes for both and for none.
    Equivocates,
    /// The same, but so that with others of its kind both blocks become final.
    Conspires,
    /// Proposes blocks whose contents it keeps, or shows to a few.
    Withholds,
    /// Proposes blocks that break a rule, and votes for everything.
    Invalid,
    /// One or the other, as it likes.
    Anything,
}

/// How a process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Death {
    /// Between two events.
    AtOnce,
    /// When it has carried out so many more actions, if the next event asks for that many.
    AfterActions(u64),
    /// In the next write to its tables.
    InWrite(WriteFault),
}

/// A misfortune.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// A process dies, and is started again later.
    Crash {
        /// Whose.
        node: Seat,
        /// How.
        death: Death,
        /// How long it stays away.
        away: Micros,
    },
    /// A connection breaks.
    Break(Seat, Seat),
    /// These cannot reach the others for a while.
    Partition {
        /// One side.
        side: Vec<Seat>,
        /// For how long.
        lasts: Micros,
    },
    /// A wall clock is set wrong by so many ms.
    Clock(Seat, i64),
}

/// One run in so many has a guest who takes a member's place.
const CHANGE_ONCE_IN: u64 = 5;

/// Milliseconds from which on a clock is far off: beyond what voters put up with.
pub const FAR_OFF_MS: u64 = 30_000;

/// A member of the committee and a guest who has followed until then change places, as a quorum decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    /// Who votes no more.
    pub leaves: Seat,
    /// When it is decided first; it is decided again until a block says so.
    pub at: Micros,
}

/// A whole run, drawn from a seed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// How many validators.
    pub validators: u8,
    /// Whether there is a guest who takes somebody's place; it sits behind the validators.
    pub change: Option<Change>,
    /// Who of them lies, and how.
    pub liars: Vec<(Seat, Habit)>,
    /// The height at which the run starts.
    pub past: u64,
    /// What the links do by themselves until the calm.
    pub weather: Weather,
    /// Misfortunes by time.
    pub troubles: Vec<(Micros, Trouble)>,
    /// By how much each wall clock is wrong from the start on, ms, and runs wrong, millionth.
    pub clocks: Vec<(i64, i64)>,
    /// When faults end.
    pub calm: Micros,
    /// How many clients, and how many letters each writes.
    pub clients: (u8, u64),
}

impl Plan {
    /// Draws what the seed means. The chance goes on into the run.
    #[must_use]
    pub fn new(seed: u64) -> (Self, Chance) {
        let mut chance = Chance::new(seed);
        let validators = *chance.pick(&[1, 4, 4, 4, 4, 4, 4, 4, 7, 7]).unwrap_or(&4);
        let tolerated = (validators - 1) / 3;
        // One run in ten has more liars than a committee bears.
        let is_conspiracy = validators == 4 && chance.once_in(9);
        let liars = if is_conspiracy {
            tolerated + 1
        } else {
            u8::try_from(
                chance
                    .below(u64::from(tolerated) + 1)
                    .max(chance.below(u64::from(tolerated) + 1)),
            )
            .unwrap_or(0)
        };
        let mut seats: Vec<Seat> = (0..usize::from(validators)).collect();
        chance.shuffle(&mut seats);
        let (lying, honest) = seats.split_at(usize::from(liars));
        let calm = chance.between(25 * SECOND, 60 * SECOND);
        let change = (validators > 1 && !is_conspiracy && chance.once_in(CHANGE_ONCE_IN)).then(|| Change {
            leaves: chance.place(usize::from(validators)),
            at: chance.below(calm / 2),
        });
        let mut plan = Self {
            seed,
            validators,
            change,
            liars: lying
                .iter()
                .map(|seat| (*seat, habit(is_conspiracy, &mut chance)))
                .collect(),
            past: chance.pick(&PASTS).copied().unwrap_or(0),
            weather: weather(&mut chance),
            troubles: Vec::new(),
            clocks: Vec::new(),
            calm,
            clients: (u8::try_from(chance.between(2, 4)).unwrap_or(2), chance.between(10, 35)),
        };
        plan.clocks = (0..plan.seats()).map(|_| clock(&mut chance)).collect();
        if !is_conspiracy {
            let guest = change.map(|_| usize::from(validators));
            let honest: Vec<Seat> = honest.iter().copied().chain(guest).collect();
            plan.trouble(&honest, &mut chance);
        }
        (plan, chance)
    }

    /// Whether more validators lie than the committee bears.
    #[must_use]
    pub fn is_conspiracy(&self) -> bool {
        self.liars.len() > usize::from((self.validators - 1) / 3)
    }

    /// How many nodes there are: the validators, and a guest.
    #[must_use]
    pub fn seats(&self) -> u8 {
        self.validators + u8::from(self.change.is_some())
    }

    fn trouble(&mut self, honest: &[Seat], chance: &mut Chance) {
        // From quiet runs, in which only liars disturb, to such in which everything breaks all the time.
        let most = *chance.pick(&[0, 4, 10, 25, 60]).unwrap_or(&10);
        for _ in 0..chance.below(most + 1) {
            let at = chance.below(self.calm);
            if let Some(trouble) = trouble(honest, self.seats(), self.calm - at, chance) {
                self.troubles.push((at, trouble));
            }
        }
        // A clock that is far off makes its validator as useless as a liar: only in place of one.
        let may_be_far_off = self.liars.len() < usize::from((self.validators - 1) / 3);
        if may_be_far_off && chance.once_in(2) {
            let node = chance.pick(honest).copied().unwrap_or(0);
            let by = i64::try_from(FAR_OFF_MS).unwrap_or(0);
            let by = if chance.once_in(2) { by } else { -2 * by };
            self.troubles
                .push((chance.below(self.calm / 2), Trouble::Clock(node, by)));
        }
        self.troubles.sort_by_key(|(at, _)| *at);
    }
}

fn habit(is_conspiracy: bool, chance: &mut Chance) -> Habit {
    if is_conspiracy {
        return Habit::Conspires;
    }
    let habits = [
        Habit::Silent,
        Habit::Equivocates,
        Habit::Equivocates,
        Habit::Withholds,
        Habit::Invalid,
        Habit::Invalid,
        Habit::Invalid,
        Habit::Invalid,
        Habit::Invalid,
        Habit::Anything,
    ];
    chance.pick(&habits).copied().unwrap_or(Habit::Anything)
}

fn weather(chance: &mut Chance) -> Weather {
    let delay_least = *chance.pick(&[MS, 10 * MS, 50 * MS]).unwrap_or(&MS);
    Weather {
        delay_least,
        delay_most: delay_least * 2 + *chance.pick(&[MS, 20 * MS, 100 * MS]).unwrap_or(&MS),
        slow_permille: *chance.pick(&[0, 10, 100]).unwrap_or(&0),
        loss_permille: *chance.pick(&[0, 0, 10, 50]).unwrap_or(&0),
        twice_permille: *chance.pick(&[0, 10, 50]).unwrap_or(&0),
    }
}

/// Within what those who certify blocks put up with, and fifty millionth of drift.
fn clock(chance: &mut Chance) -> (i64, i64) {
    (skew(chance), i64::try_from(chance.below(101)).unwrap_or(0) - 50)
}

fn skew(chance: &mut Chance) -> i64 {
    let most = HONEST_SKEW_MS - 500;
    i64::try_from(chance.below(2 * most)).unwrap_or(0) - i64::try_from(most).unwrap_or(0)
}

fn trouble(honest: &[Seat], seats: u8, left: Micros, chance: &mut Chance) -> Option<Trouble> {
    let node = chance.pick(honest).copied()?;
    let other = chance.place(usize::from(seats));
    Some(match chance.below(8) {
        0..4 => Trouble::Crash {
            node,
            death: death(chance),
            away: chance.between(100 * MS, 8 * SECOND).min(left),
        },
        4..6 if node != other => Trouble::Break(node, other),
        6 if seats > 1 => {
            let mut side: Vec<Seat> = (0..usize::from(seats)).collect();
            chance.shuffle(&mut side);
            side.truncate(1 + chance.place(usize::from(seats) - 1));
            let lasts = *chance
                .pick(&[SECOND, IDLE_LIMIT / 2, 2 * IDLE_LIMIT])
                .unwrap_or(&SECOND);
            Trouble::Partition {
                side,
                lasts: chance.between(lasts / 2, lasts).min(left),
            }
        }
        7 => Trouble::Clock(node, skew(chance)),
        _ => return None,
    })
}

fn death(chance: &mut Chance) -> Death {
    match chance.below(6) {
        0..2 => Death::AtOnce,
        2..4 => Death::AfterActions(chance.below(8)),
        4 => Death::InWrite(WriteFault::Refused),
        _ => Death::InWrite(match chance.below(3) {
            0 => WriteFault::DiesBefore,
            1 => WriteFault::DiesUnsynced,
            _ => WriteFault::DiesAfter,
        }),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            validators,
            liars,
            past,
            change,
            troubles,
            ..
        } = self;
        let troubles = troubles.len();
        write!(
            f,
            "seed {seed}: {validators} validators from height {past}, liars {liars:?}, {troubles} troubles"
        )?;
        match change {
            Some(Change { leaves, .. }) => write!(f, ", a guest for validator {leaves}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_means_one_plan_and_all_seeds_mean_everything() {
        let plans: Vec<Plan> = (0..300).map(|seed| Plan::new(seed).0).collect();
        assert_eq!(format!("{:?}", plans[7]), format!("{:?}", Plan::new(7).0));
        assert!(plans.iter().any(|plan| plan.validators == 1));
        assert!(plans.iter().any(Plan::is_conspiracy));
        assert!(
            plans
                .iter()
                .any(|plan| plan.liars.is_empty() && plan.troubles.is_empty())
        );
        assert!(plans.iter().any(|plan| plan.liars.len() == 2 && plan.validators == 7));
        let leaves = |plan: &Plan| plan.change.map(|change| change.leaves);
        let is_liar = |plan: &Plan, seat| plan.liars.iter().any(|(liar, _)| *liar == seat);
        for wanted in [true, false] {
            assert!(
                plans
                    .iter()
                    .any(|plan| leaves(plan).is_some_and(|seat| is_liar(plan, seat) == wanted))
            );
        }
        for plan in &plans {
            assert!(plan.troubles.is_sorted_by_key(|(at, _)| *at));
            assert!(plan.troubles.iter().all(|(at, _)| *at < plan.calm));
            let lies = |node: &Seat| plan.liars.iter().any(|(liar, _)| liar == node);
            let crashed = plan.troubles.iter().filter_map(|(_, trouble)| match trouble {
                Trouble::Crash { node, .. } => Some(node),
                _ => None,
            });
            assert!(
                crashed.into_iter().all(|node| !lies(node)),
                "what a liar does is no fault"
            );
        }
    }
}

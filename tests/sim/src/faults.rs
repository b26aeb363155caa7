//! What goes wrong in the runs, and what else is seldom, counted: a simulation that injects nothing proves nothing, so each
//! kind has a floor.

use std::collections::BTreeMap;
use std::fmt;

use crate::invalid::Invalid;
use crate::lies::Lie;

/// Something that went wrong on purpose, or that no run needs to do and many must.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fault {
    /// A message vanished.
    Lost,
    /// A message arrived twice.
    Duplicated,
    /// A message of an old connection arrived behind those of the new one.
    Reordered,
    /// A connection broke.
    Broken,
    /// Links stood still and went on, nothing lost.
    Stalled,
    /// Some nodes could not reach the others for so long that the connections ended.
    Partition,
    /// A process died between two events.
    Crash,
    /// A process died between two actions of one event.
    CrashBetween,
    /// A process died in a write to its tables.
    CrashInWrite,
    /// A crash took records of the journal that were not flushed.
    JournalLost,
    /// A disk refused a write.
    DiskFull,
    /// A wall clock was set wrong by up to four seconds.
    ClockWrong,
    /// A wall clock was set wrong by half a minute or more.
    ClockFarOff,
    /// A liar did not answer where an honest validator would have.
    Silence,
    /// A liar proposed two blocks in one round.
    TwoBlocks,
    /// A liar cast two votes in one step.
    TwoVotes,
    /// A liar proposed a block and kept its contents.
    Withheld,
    /// A liar proposed a block that breaks a rule.
    Invalid(Invalid),
    /// A liar told a client something that is not so.
    Lied(Lie),
    /// A quorum of liars certified two blocks of one height.
    Conspiracy,
    /// The committee changed: a guest came in for one of its members.
    Changed,
    /// A validator that joined cast a vote.
    Joined,
    /// A validator that left copied a block of those who vote.
    Left,
    /// A follower that was never a validator copied a block.
    Followed,
    /// A client climbed a rung of the ladder.
    Climbed,
    /// A client checked the answer of a follower.
    Served,
}

impl Fault {
    /// Every kind.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = vec![
            Self::Lost,
            Self::Duplicated,
            Self::Reordered,
            Self::Broken,
            Self::Stalled,
            Self::Partition,
            Self::Crash,
            Self::CrashBetween,
            Self::CrashInWrite,
            Self::JournalLost,
            Self::DiskFull,
            Self::ClockWrong,
            Self::ClockFarOff,
            Self::Silence,
            Self::TwoBlocks,
            Self::TwoVotes,
            Self::Withheld,
            Self::Conspiracy,
            Self::Changed,
            Self::Joined,
            Self::Left,
            Self::Followed,
            Self::Climbed,
            Self::Served,
        ];
        all.extend(Invalid::ALL.map(Self::Invalid));
        all.extend(Lie::ALL.map(Self::Lied));
        all
    }

    /// How many 200 seeds must show at least.
    #[must_use]
    pub const fn floor(self) -> u64 {
        match self {
            Self::Lost | Self::TwoVotes => 5000,
            Self::Silence | Self::Duplicated => 1000,
            Self::Lied(Lie::CutShort | Lie::Swapped) | Self::Broken | Self::Crash | Self::CrashBetween => 100,
            Self::Lied(_) => 500,
            Self::Reordered | Self::JournalLost | Self::ClockWrong => 100,
            Self::TwoBlocks => 60,
            Self::Stalled | Self::CrashInWrite | Self::DiskFull => 40,
            Self::Withheld => 20,
            Self::Partition => 30,
            Self::ClockFarOff => 12,
            Self::Conspiracy => 6,
            Self::Changed => 12,
            Self::Joined | Self::Served => 200,
            Self::Left | Self::Followed => 60,
            Self::Climbed => 24,
            Self::Invalid(_) => 2,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "messages lost",
            Self::Duplicated => "messages duplicated",
            Self::Reordered => "messages of an old connection behind the new one's",
            Self::Broken => "connections broken",
            Self::Stalled => "links stalled",
            Self::Partition => "partitions",
            Self::Crash => "crashes between two events",
            Self::CrashBetween => "crashes between two actions",
            Self::CrashInWrite => "crashes in a write",
            Self::JournalLost => "crashes that lost journal records",
            Self::DiskFull => "full disks",
            Self::ClockWrong => "clocks seconds wrong",
            Self::ClockFarOff => "clocks half a minute or more wrong",
            Self::Silence => "silences of a liar",
            Self::TwoBlocks => "two blocks in one round",
            Self::TwoVotes => "two votes in one step",
            Self::Withheld => "contents withheld",
            Self::Conspiracy => "two certified blocks of one height",
            Self::Changed => "changes of the committee",
            Self::Joined => "votes of one that joined",
            Self::Left => "blocks copied by one that left",
            Self::Followed => "blocks copied by a follower",
            Self::Climbed => "rungs climbed by clients",
            Self::Served => "answers of followers checked by clients",
            Self::Invalid(invalid) => return write!(f, "invalid block: {invalid}"),
            Self::Lied(lie) => return write!(f, "lie to a client: {lie}"),
        })
    }
}

/// How many of each.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Counts(BTreeMap<Fault, u64>);

impl Counts {
    /// One more.
    pub fn count(&mut self, fault: Fault) {
        *self.0.entry(fault).or_default() += 1;
    }

    /// How many there were.
    #[must_use]
    pub fn of(&self, fault: Fault) -> u64 {
        self.0.get(&fault).copied().unwrap_or(0)
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        for (fault, count) in &other.0 {
            *self.0.entry(*fault).or_default() += count;
        }
    }

    /// The kinds of which so many seeds should have shown more: (kind, seen, floor).
    #[must_use]
    pub fn below_floor(&self, seeds: u64) -> Vec<(Fault, u64, u64)> {
        let floor = |fault: Fault| fault.floor() * seeds / 200;
        let all = Fault::all().into_iter();
        let rows = all.map(|fault| (fault, self.of(fault), floor(fault)));
        rows.filter(|(_, seen, floor)| seen < floor).collect()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in Fault::all() {
            writeln!(f, "{:>9}  {fault}", self.of(fault))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_injects_too_little_is_below_the_floor() {
        let mut counts = Counts::default();
        assert_eq!(counts.below_floor(200).len(), Fault::all().len());
        assert_eq!(counts.below_floor(0), []);
        for fault in Fault::all() {
            for _ in 0..fault.floor() {
                counts.count(fault);
            }
        }
        assert_eq!(counts.below_floor(200), []);
        let more = counts.below_floor(400);
        assert_eq!(more.len(), Fault::all().len(), "twice the seeds, twice the floor");
        let mut both = counts.clone();
        both.add(&counts);
        assert_eq!(both.below_floor(400), []);
    }

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let mut names: Vec<String> = Fault::all().iter().map(ToString::to_string).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), Fault::all().len());
    }
}

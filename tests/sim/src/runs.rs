//! Many seeds one after the other: what they injected together, what they found, and the line that replays a failure.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use waxwing_order::Settings;

use crate::chronicle::Certificates;
use crate::faults::Counts;
use crate::founding::Archive;
use crate::plan::Plan;
use crate::time::{MS, Micros, SECOND};
use crate::violation::Violation;
use crate::world::{Outcome, World};

/// What the validators of a run are like.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What they wait for.
    pub settings: Settings,
    /// Whether certificates count.
    pub certificates: Certificates,
    /// How the program is told to run the same kind.
    pub flag: &'static str,
}

impl Kind {
    /// Validators as they are.
    pub const SOUND: Self = Self {
        settings: Settings::DEFAULT,
        certificates: Certificates::Checked,
        flag: "",
    };

    /// Validators that break a rule, by the name of the rule; `None` if there is no such name.
    #[cfg(feature = "broken-on-purpose")]
    #[must_use]
    pub fn broken(rule: &str) -> Option<Self> {
        use waxwing_order::event::Broken;

        let (broken, certificates, flag) = match rule {
            "quorum" => (Broken::SmallQuorum, Certificates::Ignored, " --broken quorum"),
            "flush" => (Broken::NoFlush, Certificates::Checked, " --broken flush"),
            "anchor" => (Broken::AnchorsUnchecked, Certificates::Checked, " --broken anchor"),
            _ => return None,
        };
        Some(Self {
            settings: Settings {
                broken,
                ..Settings::DEFAULT
            },
            certificates,
            flag,
        })
    }
}

/// A seed that broke a promise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What was broken.
    pub violation: Violation,
    /// When, in virtual time.
    pub at: Micros,
    /// How the program is told to run the same kind.
    flag: &'static str,
}

impl Failure {
    /// A seed of this kind of run that broke a promise.
    #[must_use]
    pub const fn new(seed: u64, violation: Violation, at: Micros, kind: &Kind) -> Self {
        Self {
            seed,
            violation,
            at,
            flag: kind.flag,
        }
    }
}

impl fmt::Display for Failure {
    /// One line, which replays it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            violation,
            at,
            flag,
        } = self;
        let end = seed + 1;
        let features = if flag.is_empty() {
            ""
        } else {
            " --features broken-on-purpose"
        };
        write!(
            f,
            "seed {seed} at {} ms: {violation}; \
             replay: cargo run -p waxwing-sim{features} -- --seeds {seed}..{end}{flag}",
            at / MS
        )
    }
}

/// What many seeds came to.
#[derive(Clone, Default, Debug)]
pub struct Summary {
    /// How many.
    pub seeds: u64,
    /// What they injected together.
    pub counts: Counts,
    /// Seeds that broke a promise.
    pub failures: Vec<Failure>,
    /// Letters that became final.
    pub letters: usize,
    /// Things that happened.
    pub events: u64,
    /// Different things that honest validators signed.
    pub signed: usize,
    /// Bytes sent between validators.
    pub bytes: u64,
    /// How often clients were told that their heads are the newest.
    pub beacons: u64,
    /// The longest time from the last fault to the last letter final.
    pub live_after: Micros,
}

impl Summary {
    /// Takes note of one more seed.
    pub fn add(&mut self, seed: u64, kind: &Kind, outcome: Outcome) {
        self.seeds += 1;
        self.counts.add(&outcome.counts);
        self.letters += outcome.letters;
        self.events += outcome.events;
        self.signed += outcome.signed;
        self.bytes += outcome.bytes;
        self.beacons += outcome.beacons;
        self.live_after = self.live_after.max(outcome.live_after);
        if let Some((violation, at)) = outcome.violation {
            self.failures.push(Failure::new(seed, violation, at, kind));
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.counts)?;
        let Self {
            seeds,
            letters,
            events,
            signed,
            bytes,
            beacons,
            live_after,
            failures,
            ..
        } = self;
        writeln!(f, "{seeds} seeds, {events} events, {bytes} bytes between validators")?;
        writeln!(
            f,
            "{letters} letters final, the last {} s after the last fault at most",
            live_after / SECOND
        )?;
        writeln!(
            f,
            "{signed} signatures by honest validators, {beacons} beacons, {} failures",
            failures.len()
        )
    }
}

/// Runs seeds; pasts are made once for each size of committee.
#[derive(Debug, Default)]
pub struct Runner {
    archives: BTreeMap<u8, Archive>,
}

impl Runner {
    /// Runs one seed.
    pub fn run(&mut self, seed: u64, kind: &Kind) -> Outcome {
        self.world(seed, kind).run()
    }

    /// Runs a seed and writes down what happens.
    pub fn tell(&mut self, seed: u64, kind: &Kind) -> Outcome {
        self.world(seed, kind).told().run()
    }

    fn world(&mut self, seed: u64, kind: &Kind) -> World {
        let (plan, chance) = Plan::new(seed);
        let validators = plan.validators;
        let archive = self
            .archives
            .entry(validators)
            .or_insert_with(|| Archive::new(validators));
        World::new((plan, chance), archive, kind.settings, kind.certificates)
    }

    /// Runs seeds until one fails, if `stop` says so; tells of each when it is done.
    pub fn run_all(&mut self, seeds: Range<u64>, kind: &Kind, mut done: impl FnMut(u64, &Outcome) -> Next) -> Summary {
        let mut summary = Summary::default();
        for seed in seeds {
            let outcome = self.run(seed, kind);
            let next = done(seed, &outcome);
            summary.add(seed, kind, outcome);
            if next == Next::Stop {
                break;
            }
        }
        summary
    }
}

/// Whether to go on with the next seed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Yes.
    GoOn,
    /// No.
    Stop,
}

//! Comparing two histories: how far they agree, or the first height at which validators made two blocks final.
//!
//! A block id covers everything before it, so equal ids at one height are equal histories up to there, and the first
//! difference is found by halving: of a million blocks twenty are looked at. Both sides of a difference are checked before
//! anybody is accused: certified by the committee of that height, and standing on the same block. Then they are evidence,
//! and it is handed out as one file that anybody can check ([`EvidenceFile`]).
//!
//! ```text
//! height      0    1    2   ...   40 | 41   42  ...
//! first       g────a────b── ... ──m  |  n────o─ ...          agree to 40: m is the same block
//! second      g────a────b── ... ──m  |  x────y─ ...          41: n and x, both certified, both after m
//! ```
//!
//! What blocks hold is not read here: [`crate::audit`] does that, for one history at a time.

mod bundle;
#[cfg(feature = "store")]
mod directory;
mod held;
mod report;

use waxwing_core::Hash;
use waxwing_core::certificate::Head;
use waxwing_core::evidence::Evidence;
use waxwing_core::evidence_file::{EvidenceFile, Rung, convicted};
use waxwing_core::genesis::Genesis;
use waxwing_core::hash::HashKeys;
use waxwing_core::keys::ValidatorId;
use waxwing_core::ladder::{Ladder, Term};
use waxwing_core::policy::Policy;
use waxwing_core::verdict::Verdict;

pub use bundle::BundleHeads;
pub use held::compare_with_evidence;

use crate::report::{Anchoring, Network, Reached};
use crate::source::{SourceError, SourceKind};

/// A history of which single heads can be read.
pub trait Heads {
    /// What kind of place it is.
    fn kind(&self) -> SourceKind;

    /// The founding facts that it claims for itself.
    fn genesis(&self) -> &Genesis;

    /// Height of its newest block, as it says.
    ///
    /// # Errors
    /// If it cannot be read.
    fn newest(&mut self) -> Result<u64, SourceError>;

    /// Header and certificate at a height between 1 and the newest; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read.
    fn head(&mut self, height: u64) -> Result<Option<Head>, SourceError>;

    /// The changes of the committee up to the newest block, oldest first. Each is checked before it counts.
    ///
    /// # Errors
    /// If they cannot be read.
    fn ladder(&mut self) -> Result<Vec<Rung>, SourceError>;
}

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// The one named first.
    First,
    /// The one named second.
    Second,
}

/// What came of a comparison.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Comparison {
    /// The verdict.
    pub verdict: Verdict,
    /// The network they are of.
    pub network: Network,
    /// What it was held against.
    pub anchor: Option<Anchoring>,
    /// What was compared: kind and height of the newest block of each.
    pub sides: [(SourceKind, u64); 2],
    /// What was found.
    pub outcome: Outcome,
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// One history, as far as both go.
    Agree {
        /// The newest block that both have.
        common: Reached,
        /// The block that stands, certified, where the policy pins another one.
        not_pinned: Option<Hash>,
    },
    /// Two histories.
    Differ(Box<Difference>),
    /// One of them does not hold where it had to be looked at.
    Broken {
        /// Which.
        which: Which,
        /// Where.
        height: u64,
        /// What is wrong, for people.
        why: String,
    },
    /// A history was held against an evidence file.
    Held(Box<Held>),
}

/// Two certified histories.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// The newest block on which they agree.
    pub common: Reached,
    /// What each has at the next height.
    pub blocks: [Reached; 2],
    /// Validators whose signatures stand under both in one round; empty if the rounds differ.
    pub convicted: Vec<ValidatorId>,
    /// What anybody can check.
    pub file: EvidenceFile,
}

/// A history beside evidence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// The evidence.
    pub file: EvidenceFile,
    /// The two block ids that exclude each other.
    pub blocks: [Hash; 2],
    /// The block that the history has at that height; `None` if it does not reach so far.
    pub own: Option<Hash>,
    /// Validators that the evidence convicts by name.
    pub convicted: Vec<ValidatorId>,
    /// The block that stands, certified, where the policy pins another one.
    pub not_pinned: Option<Hash>,
}

/// Why there is no comparison.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CompareError {
    /// They belong to two networks: there is nothing to compare.
    OtherNetworks([Hash; 2]),
    /// One of them could not be read now: says nothing about what it holds.
    Failed(Which, String),
}

impl Comparison {
    /// The exit code of a program that prints this.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        self.verdict.exit_code()
    }

    /// The evidence that was found.
    #[must_use]
    pub fn evidence(&self) -> Option<&EvidenceFile> {
        match &self.outcome {
            Outcome::Differ(difference) => Some(&difference.file),
            _ => None,
        }
    }
}

/// Compares two histories.
///
/// # Errors
/// See [`CompareError`].
pub fn compare(
    first: &mut dyn Heads,
    second: &mut dyn Heads,
    policy: Option<&Policy>,
) -> Result<Comparison, CompareError> {
    let genesis = first.genesis().clone();
    if *second.genesis() != genesis {
        let networks = [genesis.network(), second.genesis().network()];
        return Err(CompareError::OtherNetworks(networks));
    }
    let (kinds, anchor) = ([first.kind(), second.kind()], policy.map(Anchoring::of));
    let mut newest = [0, 0];
    let found = Sides::open(first, second, &genesis, &mut newest).and_then(|mut sides| sides.compare(policy));
    let (outcome, verdict) = match found {
        Ok(outcome) => {
            let verdict = judge(&outcome, &genesis, policy);
            (outcome, verdict)
        }
        Err(Stop::Failed(which, why)) => return Err(CompareError::Failed(which, why)),
        Err(Stop::Broken(which, height, why, verdict)) => (Outcome::Broken { which, height, why }, verdict),
    };
    Ok(Comparison {
        verdict,
        network: Network::of(&genesis),
        anchor,
        sides: [(kinds[0], newest[0]), (kinds[1], newest[1])],
        outcome,
    })
}

/// The committees of a history, each change checked from the genesis on, and its newest block, which is certified.
///
/// # Errors
/// What does not hold or cannot be read, for people.
pub fn committees(heads: &mut dyn Heads) -> Result<(Ladder, Reached), String> {
    let (genesis, mut newest) = (heads.genesis().clone(), 0);
    let keys = genesis.keys();
    let found = Side::open(Which::First, heads, &keys, &mut newest).and_then(|mut side| {
        let reached = if newest == 0 {
            Reached::of(&genesis.block(), side.id(&keys, 0)?)
        } else {
            let head = side.certified(&keys, newest)?;
            Reached::of(&head.header, head.header.id(&keys))
        };
        Ok((side.ladder, reached))
    });
    found.map_err(|stop| match stop {
        Stop::Failed(_, why) => why,
        Stop::Broken(_, height, why, _) => format!("it does not hold at height {height}: {why}"),
    })
}

/// Two valid histories contradict each other whatever the policy says; that they agree proves something about the world
/// only if the policy pins their network.
fn judge(outcome: &Outcome, genesis: &Genesis, policy: Option<&Policy>) -> Verdict {
    let Outcome::Agree { common, not_pinned } = outcome else {
        return Verdict::Diverged;
    };
    anchored(common.height, *not_pinned, genesis, policy)
}

/// What a sound history that goes up to a height is worth, by the policy.
fn anchored(newest: u64, not_pinned: Option<Hash>, genesis: &Genesis, policy: Option<&Policy>) -> Verdict {
    let Some(policy) = policy.filter(|policy| policy.genesis == *genesis) else {
        return Verdict::Unanchored;
    };
    match policy.head {
        _ if not_pinned.is_some() => Verdict::Diverged,
        Some(pin) if pin.height > newest => Verdict::Incomplete,
        _ => Verdict::Verified,
    }
}

/// Why comparing ends early.
enum Stop {
    /// A side could not be read now.
    Failed(Which, String),
    /// A side does not hold at a height.
    Broken(Which, u64, String, Verdict),
}

/// A history and what was learnt of it.
struct Side<'a> {
    which: Which,
    heads: &'a mut dyn Heads,
    newest: u64,
    rungs: Vec<Rung>,
    ladder: Ladder,
}

impl<'a> Side<'a> {
    fn open(which: Which, heads: &'a mut dyn Heads, keys: &HashKeys, newest: &mut u64) -> Result<Self, Stop> {
        let stopped = |error| stop(which, 0, error);
        *newest = heads.newest().map_err(stopped)?;
        let rungs = heads.ladder().map_err(stopped)?;
        let mut ladder = Ladder::new(heads.genesis().committee());
        let mut height = 0;
        for rung in &rungs {
            let at = rung.head.header.height;
            let broken = |why: String| Stop::Broken(which, at, why, Verdict::Tampered);
            let climbed = rung.climb(keys, ladder.current(), height);
            let committee =
                climbed.map_err(|fault| broken(format!("the change of the committee does not hold: {fault}")))?;
            let from = at.saturating_add(1);
            let climbed = ladder.climb(Term { from, committee });
            climbed.map_err(|error| broken(error.to_string()))?;
            height = at;
        }
        Ok(Self {
            which,
            heads,
            newest: *newest,
            rungs,
            ladder,
        })
    }

    fn broken(&self, height: u64, why: impl Into<String>) -> Stop {
        Stop::Broken(self.which, height, why.into(), Verdict::Tampered)
    }

    /// The head at a height, which the side says it has.
    fn head(&mut self, height: u64) -> Result<Head, Stop> {
        match self.heads.head(height) {
            Ok(Some(head)) if head.header.height == height => Ok(head),
            Ok(Some(head)) => Err(self.broken(height, format!("block {} stands in its place", head.header.height))),
            Ok(None) => Err(self.broken(height, "the block is missing")),
            Err(error) => Err(stop(self.which, height, error)),
        }
    }

    /// The id at a height, believed for the moment.
    fn id(&mut self, keys: &HashKeys, height: u64) -> Result<Hash, Stop> {
        if height == 0 {
            return Ok(self.heads.genesis().block().id(keys));
        }
        Ok(self.head(height)?.header.id(keys))
    }

    /// The certified head at a height.
    fn certified(&mut self, keys: &HashKeys, height: u64) -> Result<Head, Stop> {
        let head = self.head(height)?;
        match head.clone().verify(keys, self.ladder.at(height)) {
            Ok(_) => Ok(head),
            Err(error) => Err(self.broken(height, format!("the block is not certified: {error}"))),
        }
    }
}

/// What it means for a comparison that a side cannot be read.
fn stop(which: Which, height: u64, error: SourceError) -> Stop {
    match error {
        SourceError::Failed(why) => Stop::Failed(which, why),
        SourceError::Malformed { what } => Stop::Broken(which, height, what, Verdict::Malformed),
        SourceError::MissingBlock => Stop::Broken(which, height, "the block is missing".to_owned(), Verdict::Tampered),
    }
}

struct Sides<'a> {
    genesis: &'a Genesis,
    keys: HashKeys,
    first: Side<'a>,
    second: Side<'a>,
}

impl<'a> Sides<'a> {
    fn open(
        first: &'a mut dyn Heads,
        second: &'a mut dyn Heads,
        genesis: &'a Genesis,
        newest: &mut [u64; 2],
    ) -> Result<Self, Stop> {
        let (keys, [one, two]) = (genesis.keys(), newest);
        Ok(Self {
            genesis,
            first: Side::open(Which::First, first, &keys, one)?,
            second: Side::open(Which::Second, second, &keys, two)?,
            keys,
        })
    }

    fn agree_at(&mut self, height: u64) -> Result<bool, Stop> {
        Ok(self.first.id(&self.keys, height)? == self.second.id(&self.keys, height)?)
    }

    fn compare(&mut self, policy: Option<&Policy>) -> Result<Outcome, Stop> {
        let end = self.first.newest.min(self.second.newest);
        if !self.agree_at(end)? {
            return self.first_difference(end);
        }
        let common = self.common(end)?;
        let not_pinned = match policy.and_then(|policy| policy.head) {
            Some(pin) if pin.height <= end => {
                let found = self.common(pin.height)?.id;
                (found != pin.id).then_some(found)
            }
            _ => None,
        };
        Ok(Outcome::Agree { common, not_pinned })
    }

    /// The block at a height on which both agree, certified on both sides.
    fn common(&mut self, height: u64) -> Result<Reached, Stop> {
        if height == 0 {
            let block = self.genesis.block();
            let id = block.id(&self.keys);
            return Ok(Reached::of(&block, id));
        }
        let head = self.first.certified(&self.keys, height)?;
        self.second.certified(&self.keys, height)?;
        Ok(Reached::of(&head.header, head.header.id(&self.keys)))
    }

    /// Halves between a height at which both agree and one at which they do not. That a block id covers everything below it
    /// is what a history claims; whether it is so at the height found is checked there.
    fn first_difference(&mut self, end: u64) -> Result<Outcome, Stop> {
        let (mut same, mut other) = (0, end);
        while other - same > 1 {
            let middle = same + (other - same) / 2;
            if self.agree_at(middle)? {
                same = middle;
            } else {
                other = middle;
            }
        }
        let common = self.common(same)?;
        let first = self.beside(Which::First, other, common.id)?;
        let second = self.beside(Which::Second, other, common.id)?;
        let reached = |head: &Head| Reached::of(&head.header, head.header.id(&self.keys));
        let blocks = [reached(&first), reached(&second)];
        let below = |rung: &&Rung| rung.head.header.height < other;
        let file = EvidenceFile {
            genesis: self.genesis.clone(),
            ladder: self.first.rungs.iter().filter(below).cloned().collect(),
            evidence: Evidence::of_heads(&self.keys, first, second),
        };
        // Both heads hold against the ladder of their own side. If those ladders part below this height, one of them is
        // not the ladder of its history.
        match file.verify() {
            Ok(committee) => Ok(Outcome::Differ(Box::new(Difference {
                common,
                blocks,
                convicted: convicted(&file.evidence, &committee),
                file,
            }))),
            Err(error) => Err(self
                .second
                .broken(other, format!("its changes of the committee are others: {error}"))),
        }
    }

    /// One side of a difference: certified, and after the block on which both agree.
    fn beside(&mut self, which: Which, height: u64, parent: Hash) -> Result<Head, Stop> {
        let side = match which {
            Which::First => &mut self.first,
            Which::Second => &mut self.second,
        };
        let head = side.certified(&self.keys, height)?;
        if head.header.parent == parent {
            Ok(head)
        } else {
            Err(side.broken(height, "the block does not follow the one before it"))
        }
    }
}

//! What a host is told and what it wants done: values both, so that whoever carries them decides nothing.
//!
//! ```text
//! links, timers, block source ──Input──> Host ──Output──> journal, links, timers, block source
//! ```
//!
//! Outputs are carried out in their order, each before the next begins.

use std::time::Duration;

use waxwing_core::Hash;
use waxwing_core::block::BlockHeader;
use waxwing_core::certificate::Certificate;
use waxwing_core::evidence::TwoVotes;
use waxwing_core::keys::ValidatorId;

use crate::message::Message;
use crate::record::Record;

/// What a host is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// Another validator's message, as decoded: the host verifies it strictly and once.
    Message(Message),
    /// The time of an [`Output::Set`] has come. One that was cancelled in the meantime is ignored.
    Timeout(Timer),
    /// The answer to [`Output::Propose`]: a block of ours whose contents are durable. Too late is no harm.
    Proposed {
        /// The round it was asked for.
        round: u32,
        /// The block.
        header: Box<BlockHeader>,
    },
    /// The answer to [`Output::Judge`]: the contents are complete, durable and checked. It may come at any later time,
    /// and a second time if a block that could not be voted for can be now.
    Judged {
        /// The block.
        id: Hash,
        /// Whether it may be voted for.
        is_valid: bool,
    },
}

/// What a host wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Append to the journal of this height.
    Record(Record),
    /// Everything recorded is durable before any later output is carried out.
    Flush,
    /// Send to every other validator of the committee. Whoever sends a proposal sends what the others may lack of the
    /// block's contents along, also when it is proposed again.
    Publish(Message),
    /// An [`Input::Timeout`] after this time; replaces an earlier one of the same timer.
    Set(Timer, Duration),
    /// No such timeout after all.
    Cancel(Timer),
    /// It is our turn: build a block, make its contents durable, answer with [`Input::Proposed`].
    Propose {
        /// The block's height.
        height: u64,
        /// For which round.
        round: u32,
        /// After which time the others go on without us.
        within: Duration,
    },
    /// Somebody proposed this block, and it was their turn: fetch and check its contents, answer with
    /// [`Input::Judged`]. Asked once per block and height, and again after a restart.
    Judge {
        /// The block. Its height and network are right; if it is proposed for the first time, so is its proposer.
        header: Box<BlockHeader>,
        /// Its id.
        id: Hash,
        /// The round it was proposed in.
        round: u32,
        /// Who proposed it in that round: has its contents.
        proposer: ValidatorId,
    },
    /// The block is final. Nothing more comes about this height, and the host rests until [`crate::Host::begin`].
    Decided {
        /// The block.
        header: Box<BlockHeader>,
        /// Its id.
        id: Hash,
        /// A quorum's precommits for it.
        certificate: Certificate,
    },
    /// A validator signed two different votes of one step. Given once per validator and height.
    Equivocation(Box<TwoVotes>),
    /// The journal contradicts itself, so the host takes no part in this height: copy its block from others.
    SitOut {
        /// The height.
        height: u64,
    },
    /// The validator must stop. The host does nothing from here on.
    Stop(StopReason),
}

/// Why a validator must stop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StopReason {
    /// A vote or proposal counts for our key, and this host did not sign it: the key is used on a second machine, or
    /// this directory is an old copy.
    SecondMachine {
        /// Where it was signed.
        height: u64,
        /// In which round.
        round: u32,
    },
    /// The engine wanted two different things signed for one step.
    Contradiction {
        /// Where.
        height: u64,
        /// In which round.
        round: u32,
    },
    /// The engine failed; what it says.
    Engine(String),
}

/// The name of a timer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timer {
    /// Height.
    pub height: u64,
    /// Round.
    pub round: u32,
    /// Which of the round's timers.
    pub kind: TimerKind,
}

/// The timers of a round.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TimerKind {
    /// How long a proposal is waited for.
    Propose,
    /// How long the prevotes are waited for that could still make a quorum for one block.
    Prevote,
    /// The same of precommits.
    Precommit,
    /// When to say again what was said: messages get lost with connections.
    Again,
}

/// How long a host waits. Everything grows with the round, so that in the end the wait is long enough for whatever the
/// network does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Round 0, for a proposal and its contents.
    pub propose: Duration,
    /// Round 0, for votes of each of the two steps.
    pub vote: Duration,
    /// By how much each grows from round to round.
    pub growth: Duration,
    /// After which time everything is said again.
    pub again: Duration,
    /// The longest wait of all.
    pub longest: Duration,
    /// Which rule to break.
    #[cfg(feature = "broken-on-purpose")]
    pub broken: Broken,
}

/// A rule to break, so that a simulation can show that it would notice.
#[cfg(feature = "broken-on-purpose")]
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Broken {
    /// None.
    #[default]
    Nothing,
    /// 2f votes count as a quorum instead of n - f.
    SmallQuorum,
    /// Votes leave before they are durable.
    NoFlush,
    /// Entries may stand under any anchor. Whoever makes the ledger sees to it; a host knows no entries.
    AnchorsUnchecked,
}

impl Settings {
    /// For validators that are up to some hundred milliseconds apart: a silent proposer costs a second, and in round 9
    /// the wait for a block is ten times the time that a full one needs on a 10 Mbit/s link.
    pub const DEFAULT: Self = Self {
        propose: Duration::from_millis(1000),
        vote: Duration::from_millis(500),
        growth: Duration::from_millis(500),
        again: Duration::from_millis(1000),
        longest: Duration::from_secs(20),
        #[cfg(feature = "broken-on-purpose")]
        broken: Broken::Nothing,
    };

    /// How long `timer` waits.
    #[must_use]
    pub fn wait(&self, timer: Timer) -> Duration {
        let first = match timer.kind {
            TimerKind::Propose => self.propose,
            TimerKind::Prevote | TimerKind::Precommit => self.vote,
            TimerKind::Again => self.again,
        };
        first
            .saturating_add(self.growth.saturating_mul(timer.round))
            .min(self.longest)
    }
}

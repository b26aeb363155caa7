//! What must never happen. A run ends with the first of these.

use std::fmt;

use waxwing_order::Step;

use crate::lies::Lie;
use crate::network::Seat;

/// A promise that was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Violation {
    /// Two honest validators applied different blocks at one height.
    TwoBlocks {
        /// Where.
        height: u64,
        /// Who applied the second.
        node: Seat,
    },
    /// A block broke a rule, and an honest validator applied it.
    BadBlock {
        /// Where.
        height: u64,
        /// Who applied it first.
        node: Seat,
        /// Which rule.
        rule: String,
    },
    /// A block that was applied has no sound certificate.
    BadCertificate {
        /// Where.
        height: u64,
        /// Who applied it first.
        node: Seat,
        /// Why.
        why: String,
    },
    /// What a client wrote once is in the ledger twice.
    WrittenTwice {
        /// Where the second one is.
        height: u64,
    },
    /// An honest validator signed two different things of one step.
    SignedTwice {
        /// Who.
        node: Seat,
        /// At which height.
        height: u64,
        /// In which round.
        round: u32,
        /// In which step.
        step: Step,
    },
    /// A validator that was started again lacks blocks that it had.
    Forgot {
        /// Who.
        node: Seat,
        /// What it had.
        had: u64,
        /// What it has.
        has: u64,
    },
    /// A validator does not start from what its last process left.
    DoesNotStart {
        /// Who.
        node: Seat,
        /// What it says.
        why: String,
    },
    /// An honest validator gave up, and nothing was wrong with its disk.
    Stopped {
        /// Who.
        node: Seat,
        /// What it says.
        why: String,
    },
    /// A client holds a head that is not on the one history.
    ClientAstray {
        /// Which client.
        client: usize,
        /// At which height.
        height: u64,
    },
    /// A quorum told a client that its head is the newest, and it was not.
    StaleBeacon {
        /// Which client.
        client: usize,
        /// What it holds.
        height: u64,
        /// What some validator has.
        newest: u64,
    },
    /// A client believed a lie.
    Believed {
        /// Which client.
        client: usize,
        /// What.
        lie: Lie,
    },
    /// A client refused what an honest validator told it.
    Refused {
        /// Which client.
        client: usize,
        /// By whom.
        node: Seat,
        /// Why.
        why: String,
    },
    /// A validator's evidence proves nothing, or names one that follows the rules.
    Framed {
        /// Who has it.
        node: Seat,
        /// The height it is about.
        height: u64,
    },
    /// Two histories, and no evidence of it.
    Uncaught {
        /// Where they part.
        height: u64,
        /// What is missing.
        what: &'static str,
    },
    /// Faults have ended, and some envelope is not final in time.
    NotLive {
        /// How many are not.
        waiting: usize,
        /// The highest height that an honest validator reached.
        height: u64,
    },
    /// Everything is final, and some validator lacks blocks in the end.
    Behind {
        /// Who.
        node: Seat,
        /// What it has.
        has: u64,
        /// What others have.
        height: u64,
    },
    /// Everything is final, and the validators do not come to rest.
    Restless {
        /// How many timers run.
        timers: usize,
    },
    /// What a validator wrote or sent cannot be read back.
    Unreadable {
        /// Who.
        node: Seat,
        /// What.
        what: &'static str,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwoBlocks { height, node } => {
                write!(f, "validator {node} applied another block {height} than others")
            }
            Self::BadBlock { height, node, rule } => {
                write!(
                    f,
                    "validator {node} applied block {height}, which breaks a rule: {rule}"
                )
            }
            Self::BadCertificate { height, node, why } => {
                write!(
                    f,
                    "validator {node} applied block {height} without a sound certificate: {why}"
                )
            }
            Self::WrittenTwice { height } => write!(f, "block {height} holds what was written once a second time"),
            Self::SignedTwice {
                node,
                height,
                round,
                step,
            } => write!(
                f,
                "validator {node} signed twice: height {height}, round {round}, {step:?}"
            ),
            Self::Forgot { node, had, has } => {
                write!(f, "validator {node} had {had} blocks and has {has} since its start")
            }
            Self::DoesNotStart { node, why } => write!(f, "validator {node} does not start: {why}"),
            Self::Stopped { node, why } => write!(f, "validator {node} stopped: {why}"),
            Self::ClientAstray { client, height } => write!(f, "client {client} holds another block {height}"),
            Self::StaleBeacon { client, height, newest } => {
                write!(
                    f,
                    "a quorum told client {client} that block {height} is the newest, but there is {newest}"
                )
            }
            Self::Believed { client, lie } => write!(f, "client {client} believed a lie: {lie}"),
            Self::Refused { client, node, why } => write!(f, "client {client} refused validator {node}'s word: {why}"),
            Self::Framed { node, height } => {
                write!(
                    f,
                    "validator {node} has evidence about height {height} that proves nothing or the wrong thing"
                )
            }
            Self::Uncaught { height, what } => write!(f, "two histories part at height {height}, and {what}"),
            Self::NotLive { waiting, height } => {
                write!(
                    f,
                    "{waiting} envelopes are not final in time; the newest block is {height}"
                )
            }
            Self::Behind { node, has, height } => write!(f, "validator {node} stays at block {has} of {height}"),
            Self::Restless { timers } => write!(f, "the validators do not come to rest: {timers} timers run"),
            Self::Unreadable { node, what } => write!(f, "validator {node}: {what} cannot be read back"),
        }
    }
}

impl std::error::Error for Violation {}

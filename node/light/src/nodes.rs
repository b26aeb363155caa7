//! Which node to ask next, and why others were left.
//!
//! A client believes proofs, never a node; still it has to choose whom to ask. What a node did wrong is a [`Fault`]
//! with a name of its own, and how bad that is decides for how long others are preferred:
//!
//! | severity | means | left alone for |
//! |---|---|---|
//! | lags | behind what is proven already | 1 s, doubling to 1 min |
//! | fails | unreachable, stalled, refuses, keeps something back | 2 s, doubling to 10 min |
//! | lies | showed something that does not prove what it claims | a day |
//!
//! The order only prefers: when no better node is left, the worst is asked. Nothing here can cut a client off from
//! the last node it knows, and nothing a node says about another changes that other's standing.

use core::cmp::Reverse;
use core::fmt;

use waxwing_core::certificate::HeadError;
use waxwing_core::codec::CodecError;
use waxwing_core::envelope::EnvelopeError;
use waxwing_core::follow::{BeaconError, FollowError};
use waxwing_core::limits::{DAY_MS, SECOND_MS};
use waxwing_core::log::LogError;
use waxwing_core::logmap::MapProofError;
use waxwing_core::merkle::ProofError;
use waxwing_core::receipt_file::ReceiptFileError;
use waxwing_net::quic::{Closed, ConnectError};
use waxwing_net::wire::{EnvelopeRefusal, Refusal};

use crate::store::networks::Node;

/// What a node did wrong, or failed to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// No connection: nobody there, another key, or another protocol.
    Unreachable(ConnectError),
    /// Its name does not lead to an address.
    NoAddress,
    /// The connection ended, for this reason.
    Ended(Closed),
    /// An answer or a subscription ended without a word.
    HungUp,
    /// No answer in time.
    Stalled,
    /// It said no.
    Refused(Refusal),
    /// It did not take an envelope.
    RefusedEnvelope(EnvelopeRefusal),
    /// The answer is not an encoding of what was asked for.
    Garbled(CodecError),
    /// It answered another question, or more than was asked.
    WrongAnswer,
    /// The genesis does not hash to the network's id.
    WrongGenesis,
    /// The header does not hash to the pinned block id.
    WrongPin,
    /// The head was not accepted.
    Head(FollowError),
    /// An old block is not in the history that is held.
    History(ProofError),
    /// What it says about a log is not what the head says.
    LogProof(MapProofError),
    /// The log got shorter than what is proven.
    Shrunk {
        /// Entries proven before.
        proven: u64,
        /// Entries claimed now.
        claimed: u64,
    },
    /// The entries do not lead to the proven root.
    Entries(LogError),
    /// It keeps entries back that are proven to exist.
    WithheldEntries {
        /// Entries given.
        have: u64,
        /// Entries proven.
        proven: u64,
    },
    /// A body that is not the one the entry commits to, or a secret that is not the author's.
    AlteredBody(EnvelopeError),
    /// A body is absent without an excuse.
    WithheldBody {
        /// Index in the log.
        index: u64,
    },
    /// The beacon says nothing about the held head.
    Beacon(BeaconError),
    /// The promise it gave is not signed by the node that it names, or is about another envelope.
    Acknowledgement,
    /// It said that an envelope is final, and the proven log does not hold it.
    FalseFinal,
    /// The receipt proves nothing.
    Receipt(ReceiptFileError),
    /// The receipt is about another entry or place.
    OtherReceipt,
}

/// How bad a fault is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// Nothing is wrong.
    Fine,
    /// Behind.
    Lags,
    /// Does not serve.
    Fails,
    /// Claims what is not so.
    Lies,
}

impl Severity {
    const ALL: [Self; 4] = [Self::Fine, Self::Lags, Self::Fails, Self::Lies];

    pub(crate) const fn number(self) -> i64 {
        match self {
            Self::Fine => 0,
            Self::Lags => 1,
            Self::Fails => 2,
            Self::Lies => 3,
        }
    }

    pub(crate) fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.number() == number)
    }

    /// One word, for screens and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Lags => "lags",
            Self::Fails => "fails",
            Self::Lies => "lies",
        }
    }

    /// How long others are preferred after so many faults in a row.
    fn pause(self, strikes: u32) -> u64 {
        let doubled = |first: u64, most: u64| {
            let factor = 1_u64.checked_shl(strikes.saturating_sub(1)).unwrap_or(u64::MAX);
            first.saturating_mul(factor).min(most)
        };
        match self {
            Self::Fine => 0,
            Self::Lags => doubled(SECOND_MS, 60 * SECOND_MS),
            Self::Fails => doubled(2 * SECOND_MS, 600 * SECOND_MS),
            Self::Lies => DAY_MS,
        }
    }
}

impl Fault {
    /// Whether this program ended what was under way: nothing that the node did.
    #[must_use]
    pub(crate) const fn is_own_end(&self) -> bool {
        matches!(
            self,
            Self::Ended(Closed::Here) | Self::Unreachable(ConnectError::Closed(Closed::Here))
        )
    }

    /// How bad it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Head(FollowError::Older { .. }) | Self::Beacon(BeaconError::OtherHead) => Severity::Lags,
            Self::Unreachable(_)
            | Self::NoAddress
            | Self::Ended(_)
            | Self::HungUp
            | Self::Stalled
            | Self::Refused(_)
            | Self::RefusedEnvelope(_)
            | Self::WithheldEntries { .. }
            | Self::WithheldBody { .. }
            // About this client's own state or clock, not about the node.
            | Self::Head(FollowError::Halted | FollowError::NeedsPin)
            | Self::Beacon(BeaconError::FromTheFuture | BeaconError::NeedsPin) => Severity::Fails,
            Self::Garbled(_)
            | Self::WrongAnswer
            | Self::WrongGenesis
            | Self::WrongPin
            | Self::Head(_)
            | Self::History(_)
            | Self::LogProof(_)
            | Self::Shrunk { .. }
            | Self::Entries(_)
            | Self::AlteredBody(_)
            | Self::Beacon(_)
            | Self::Acknowledgement
            | Self::FalseFinal
            | Self::Receipt(_)
            | Self::OtherReceipt => Severity::Lies,
        }
    }

    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(ConnectError::WrongKey { .. }) => "other-key",
            Self::Unreachable(_) => "unreachable",
            Self::NoAddress => "no-address",
            Self::Ended(_) | Self::HungUp => "hung-up",
            Self::Stalled => "stalled",
            Self::Refused(_) => "refused",
            Self::RefusedEnvelope(_) => "envelope-refused",
            Self::Garbled(_) => "garbled",
            Self::WrongAnswer => "wrong-answer",
            Self::WrongGenesis => "wrong-genesis",
            Self::WrongPin => "wrong-pin",
            Self::Head(FollowError::Older { .. }) => "stale-head",
            Self::Head(FollowError::Head(HeadError::ForeignNetwork)) => "foreign-network",
            Self::Head(FollowError::Head(_)) => "uncertified-head",
            Self::Head(FollowError::NotExtending(_)) => "other-history",
            Self::Head(FollowError::Fork(_)) => "fork",
            Self::Head(FollowError::BadLadder) => "wrong-ladder",
            Self::Head(_) => "wrong-head",
            Self::History(_) => "wrong-history",
            Self::LogProof(_) => "wrong-log-proof",
            Self::Shrunk { .. } => "log-shrunk",
            Self::Entries(_) => "wrong-entries",
            Self::WithheldEntries { .. } => "withheld-entries",
            Self::AlteredBody(_) => "altered-body",
            Self::WithheldBody { .. } => "withheld-body",
            Self::Beacon(_) => "wrong-beacon",
            Self::Acknowledgement => "wrong-acknowledgement",
            Self::FalseFinal => "false-final",
            Self::Receipt(_) => "wrong-receipt",
            Self::OtherReceipt => "other-receipt",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(error) => error.fmt(f),
            Self::NoAddress => f.write_str("its name does not lead to an address: check the name, and the network"),
            Self::Ended(closed) => closed.fmt(f),
            Self::HungUp => f.write_str("it ended its answer without a word"),
            Self::Stalled => f.write_str("it did not answer in time"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::RefusedEnvelope(refusal) => write!(f, "it did not take a message: {refusal}"),
            Self::Garbled(CodecError::WrongMagic) => {
                f.write_str("its answer is of a version that this program does not read: update this program")
            }
            Self::Garbled(error) => write!(f, "its answer cannot be read: {error}"),
            Self::WrongAnswer => f.write_str("it answered something that was not asked"),
            Self::WrongGenesis => f.write_str("it shows the founding facts of another network"),
            Self::WrongPin => f.write_str("it shows another block than the pinned one"),
            Self::Head(error) => error.fmt(f),
            Self::History(error) => write!(f, "an old block it shows is not in the checked history: {error}"),
            Self::LogProof(error) => write!(f, "its proof about a conversation's log does not hold: {error}"),
            Self::Shrunk { proven, claimed } => {
                write!(f, "it claims that a log has {claimed} entries, and {proven} are proven")
            }
            Self::Entries(error) => write!(f, "its entries are not those of the log: {error}"),
            Self::WithheldEntries { have, proven } => {
                write!(
                    f,
                    "it keeps entries back: {proven} are proven to exist, it gives {have}"
                )
            }
            Self::AlteredBody(error) => write!(f, "it altered a message: {error}"),
            Self::WithheldBody { index } => write!(f, "it keeps back the body of entry {index} without an excuse"),
            Self::Beacon(error) => error.fmt(f),
            Self::Acknowledgement => f.write_str(
                "the promise that it gave to include a message is about another one, or is not signed by whom it names",
            ),
            Self::FalseFinal => f.write_str("it says that a message is final, and the checked log does not hold it"),
            Self::Receipt(error) => write!(f, "its receipt proves nothing: {error}"),
            Self::OtherReceipt => f.write_str("its receipt is about another entry"),
        }
    }
}

impl core::error::Error for Fault {}

/// How a node stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The worst it did lately.
    pub severity: Severity,
    /// Faults in a row.
    pub strikes: u32,
    /// Until when others are preferred, ms since 1970 by this device's clock.
    pub until: u64,
}

impl Standing {
    /// Nothing is known against it.
    pub const FINE: Self = Self {
        severity: Severity::Fine,
        strikes: 0,
        until: 0,
    };

    /// The standing after one more fault.
    #[must_use]
    pub fn after(self, severity: Severity, now: u64) -> Self {
        let strikes = self.strikes.saturating_add(1);
        Self {
            severity: self.severity.max(severity),
            strikes,
            until: self.until.max(now.saturating_add(severity.pause(strikes))),
        }
    }

    /// Whether others are preferred now. A time further away than any pause comes from a clock that was wrong.
    #[must_use]
    pub const fn sits_out(&self, now: u64) -> bool {
        self.until > now && self.until - now <= DAY_MS
    }
}

/// The nodes in the order in which to ask them: who sits nothing out first, then the better, then who served last.
pub(crate) fn in_order(mut nodes: Vec<Node>, now: u64) -> Vec<Node> {
    nodes.sort_by_key(|node| {
        let sits_out = node.standing.sits_out(now);
        let severity = if sits_out {
            node.standing.severity
        } else {
            Severity::Fine
        };
        (
            severity,
            node.standing.severity,
            Reverse(node.served),
            node.address.id(),
        )
    });
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::networks::Source;
    use waxwing_core::keys::NodeId;
    use waxwing_seal::NodeAddress;

    fn node(id: u8, standing: Standing, served: u64) -> Node {
        Node {
            address: NodeAddress::new("127.0.0.1:1", NodeId([id; 32])).unwrap(),
            source: Source::Person,
            standing,
            served,
        }
    }

    fn order(nodes: &[Node], now: u64) -> Vec<u8> {
        in_order(nodes.to_vec(), now)
            .iter()
            .map(|node| node.address.id().0[0])
            .collect()
    }

    #[test]
    fn what_this_program_ended_itself_is_no_nodes_doing() {
        assert!(Fault::Ended(Closed::Here).is_own_end());
        assert!(Fault::Unreachable(ConnectError::Closed(Closed::Here)).is_own_end());
        assert!(!Fault::Ended(Closed::Lost).is_own_end());
        assert!(!Fault::Unreachable(ConnectError::NoAnswer).is_own_end());
    }

    #[test]
    fn a_node_that_failed_is_asked_after_the_others_and_again_when_its_time_is_over() {
        let failed = Standing::FINE.after(Severity::Fails, 1_000);
        let nodes = [node(1, failed, 900), node(2, Standing::FINE, 0)];
        assert_eq!(order(&nodes, 2_000), [2, 1]);
        assert!(!failed.sits_out(1_000 + 2 * SECOND_MS));
        let lied = Standing::FINE.after(Severity::Lies, 1_000);
        assert_eq!(
            order(&[node(3, lied, 0), nodes[0].clone()], 2_000),
            [1, 3],
            "the lesser evil"
        );
        assert_eq!(order(&[node(3, lied, 0)], 2_000), [3], "the last node is always asked");
    }

    #[test]
    fn who_served_last_is_asked_first() {
        let nodes = [node(1, Standing::FINE, 10), node(2, Standing::FINE, 20)];
        assert_eq!(order(&nodes, 30), [2, 1]);
    }

    #[test]
    fn pauses_double_and_end() {
        let mut standing = Standing::FINE;
        let mut pauses = Vec::new();
        for _ in 0..12 {
            standing = Standing { until: 0, ..standing }.after(Severity::Fails, 0);
            pauses.push(standing.until / SECOND_MS);
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600]);
        let lies = Standing::FINE.after(Severity::Lies, 0);
        assert_eq!(lies.until, DAY_MS);
    }

    #[test]
    fn a_time_that_a_wrong_clock_left_behind_does_not_count() {
        let standing = Standing::FINE.after(Severity::Fails, 10 * DAY_MS);
        assert!(standing.sits_out(10 * DAY_MS));
        assert!(!standing.sits_out(0), "the clock was ten days ahead");
    }

    #[test]
    fn staleness_is_no_lie_and_a_false_proof_is() {
        let older = FollowError::Older { held: 2, offered: 1 };
        assert_eq!(Fault::Head(older).severity(), Severity::Lags);
        assert_eq!(Fault::Head(FollowError::BadLadder).severity(), Severity::Lies);
        assert_eq!(Fault::WithheldBody { index: 1 }.severity(), Severity::Fails);
        let body = Fault::AlteredBody(EnvelopeError::WrongBodyHash);
        assert_eq!(body.severity(), Severity::Lies);
    }
}

//! Whether a node can be recommended, as the node itself sees it: what stands in the way, if anything does.
//!
//! It is a node's word about itself, as a status is: shown to people, used to choose a node, never believed. No keys and no
//! addresses are in it, so that strangers learn nothing of a node's company.

use core::fmt;

use serde::{Deserialize, Serialize};

/// What stands in the way of a node's being of use. The order is part of the format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Hindrance {
    /// The node stops.
    Stopping,
    /// It copies the ledger from others, and none of them answers.
    NoUpstream {
        /// How many it knows.
        known: u32,
    },
    /// It votes, and has links both ways with so few other validators that they decide nothing together.
    NoQuorum {
        /// Validators that it is linked with, itself counted.
        linked: u32,
        /// Validators that there are.
        members: u32,
        /// How many must agree on a block.
        needed: u32,
    },
    /// Others have shown it much newer blocks.
    Behind {
        /// Height up to which it has everything.
        height: u64,
        /// The newest height that it was shown.
        target: u64,
    },
    /// Two certified histories were seen: it copies nothing more.
    TwoHistories,
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopping => f.write_str("the node stops"),
            Self::NoUpstream { known } => write!(f, "none of {known} upstream nodes answers"),
            Self::NoQuorum {
                linked,
                members,
                needed,
            } => write!(
                f,
                "linked with {linked} of {members} validators, itself counted; {needed} must be"
            ),
            Self::Behind { height, target } => write!(f, "verified to {height} of {target}"),
            Self::TwoHistories => f.write_str("two certified histories were seen"),
        }
    }
}

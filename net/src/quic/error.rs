//! What can go wrong when calling a node, and what to do about it.

use std::fmt;
use std::net::SocketAddr;

use waxwing_core::keys::NodeId;

use super::close::Closed;
use crate::wire::{FrameError, Refusal, WireError};

/// Why there is no connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectError {
    /// Somebody else answers at that address.
    WrongKey {
        /// Who was called.
        expected: NodeId,
        /// Who answered.
        answered: NodeId,
    },
    /// Nobody answers.
    NoAnswer,
    /// That is no address to call, or of a kind that this machine has no network for.
    BadAddress(SocketAddr),
    /// The handshake failed.
    Closed(Closed),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongKey { expected, answered } => write!(
                f,
                "another node answers at this address: expected {expected}, found {answered}; \
                 if the node has a new key, get its address again from somebody you trust"
            ),
            Self::NoAnswer => f.write_str("nobody answers at this address; check it, and whether the node runs"),
            Self::BadAddress(address) => {
                write!(
                    f,
                    "{address} cannot be called from here; check the address and the network"
                )
            }
            Self::Closed(closed) => closed.fmt(f),
        }
    }
}

impl std::error::Error for ConnectError {}

/// Why a request has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestError {
    /// The node says no, and why.
    Refused(Refusal),
    /// The connection is over.
    Closed(Closed),
    /// No answer in time.
    TimedOut,
    /// The node gave up on the request without an answer.
    NoAnswer,
    /// The answer belongs to another question.
    WrongAnswer,
    /// The answer is not made of frames.
    BadFrame(FrameError),
    /// The answer is no message of this protocol.
    BadAnswer(WireError),
    /// The request itself is beyond what the protocol allows: a fault of this program.
    Unsendable(WireError),
}

impl RequestError {
    /// Whether the node broke the protocol, so that another one should be used.
    #[must_use]
    pub const fn is_nodes_fault(&self) -> bool {
        match self {
            Self::WrongAnswer | Self::BadFrame(_) | Self::BadAnswer(_) | Self::NoAnswer => true,
            Self::Refused(_) | Self::Closed(_) | Self::TimedOut | Self::Unsendable(_) => false,
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Closed(closed) => closed.fmt(f),
            Self::TimedOut => f.write_str("the node did not answer in time; try again or use another node"),
            Self::NoAnswer => f.write_str("the node gave no answer; use another node"),
            Self::WrongAnswer => f.write_str("the node answered something else than was asked; use another node"),
            Self::BadFrame(error) => write!(f, "the node's answer cannot be read: {error}; use another node"),
            Self::BadAnswer(error) => write!(f, "the node's answer cannot be understood: {error}; use another node"),
            Self::Unsendable(error) => write!(f, "the request cannot be sent: {error}"),
        }
    }
}

impl std::error::Error for RequestError {}

//! Why a connection ended, as a number that both sides know and a sentence for people.
//!
//! The numbers are QUIC application error codes and part of the protocol; the sentence travels beside the number for
//! foreign implementations and packet captures, but a program shows its own words for the number, never the peer's.

use std::fmt;

use quinn::{ConnectionError, TransportErrorCode, VarInt};

/// Why a node ends a connection. 0x1. is the normal course of things, 0x2. too many, 0x3. the peer's fault.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CloseCode {
    /// No longer needed.
    Done,
    /// The node stops.
    ShuttingDown,
    /// The node failed.
    Broken,
    /// The node has all the connections it takes.
    NodeFull,
    /// The peer's address has all the connections it may have.
    AddressFull,
    /// The peer's address connects too often.
    ConnectingTooOften,
    /// More streams than the protocol allows.
    TooManyStreams,
    /// Requests went on although each was refused as too many.
    TooManyRequests,
    /// Bytes that are no request, or more of them than one.
    Malformed,
    /// A frame larger than a request may be.
    Oversize,
    /// A stream that ended within a frame.
    HalfFrame,
    /// A request that did not arrive in time.
    TooSlow,
    /// A reply that was not taken in time.
    NotReading,
}

impl CloseCode {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Done,
        Self::ShuttingDown,
        Self::Broken,
        Self::NodeFull,
        Self::AddressFull,
        Self::ConnectingTooOften,
        Self::TooManyStreams,
        Self::TooManyRequests,
        Self::Malformed,
        Self::Oversize,
        Self::HalfFrame,
        Self::TooSlow,
        Self::NotReading,
    ];

    /// The number on the wire. QUIC itself sends 0 when a program just lets go of a connection.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Done => 0,
            Self::ShuttingDown => 0x10,
            Self::Broken => 0x11,
            Self::NodeFull => 0x20,
            Self::AddressFull => 0x21,
            Self::ConnectingTooOften => 0x22,
            Self::TooManyStreams => 0x23,
            Self::TooManyRequests => 0x24,
            Self::Malformed => 0x30,
            Self::Oversize => 0x31,
            Self::HalfFrame => 0x32,
            Self::TooSlow => 0x33,
            Self::NotReading => 0x34,
        }
    }

    fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|code| u64::from(code.number()) == number)
    }

    /// What happened, and what the one who was dropped can do.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Done => "the connection is no longer needed",
            Self::ShuttingDown => "the node is shutting down; use another node",
            Self::Broken => "the node has a fault of its own; use another node",
            Self::NodeFull => "the node has as many connections as it takes; use another node or try later",
            Self::AddressFull => "your address has as many connections to this node as it may have; close some",
            Self::ConnectingTooOften => "your address connects too often; wait a few seconds",
            Self::TooManyStreams => "more streams are open than the protocol allows",
            Self::TooManyRequests => "requests went on although the node asked to wait",
            Self::Malformed => "what was sent is no request of this protocol",
            Self::Oversize => "a request was announced that is larger than a request may be",
            Self::HalfFrame => "a request ended in the middle",
            Self::TooSlow => "a request did not arrive in time",
            Self::NotReading => "a reply was not read in time",
        }
    }

    pub(super) fn var_int(self) -> VarInt {
        self.number().into()
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// Why a connection is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closed {
    /// This program ended it.
    Here,
    /// The peer ended it and said why.
    ByPeer(CloseCode),
    /// The peer ended it with a reason that this version does not know.
    ForUnknownReason(u64),
    /// The node turned it away at the first packet: it or this address has too many connections under way.
    TurnedAway,
    /// Nothing was heard for too long.
    Lost,
    /// The peer does not know this connection any more; it was probably restarted.
    Restarted,
    /// The peer speaks another version of the protocol.
    OtherProtocol,
    /// One of the two found that the other breaks QUIC or TLS. The number is QUIC's.
    Broken(u64),
}

impl From<&ConnectionError> for Closed {
    fn from(error: &ConnectionError) -> Self {
        /// TLS alert "no application protocol" (RFC 7301).
        const NO_APPLICATION_PROTOCOL: u8 = 120;
        let of_transport = |code: TransportErrorCode| match code {
            TransportErrorCode::CONNECTION_REFUSED => Self::TurnedAway,
            code if code == TransportErrorCode::crypto(NO_APPLICATION_PROTOCOL) => Self::OtherProtocol,
            code => Self::Broken(code.into()),
        };
        match error {
            ConnectionError::ApplicationClosed(close) => {
                let number = close.error_code.into_inner();
                CloseCode::from_number(number).map_or(Self::ForUnknownReason(number), Self::ByPeer)
            }
            ConnectionError::ConnectionClosed(close) => of_transport(close.error_code),
            ConnectionError::TransportError(error) => of_transport(error.code),
            ConnectionError::VersionMismatch => Self::OtherProtocol,
            ConnectionError::Reset => Self::Restarted,
            ConnectionError::TimedOut => Self::Lost,
            ConnectionError::LocallyClosed => Self::Here,
            ConnectionError::CidsExhausted => Self::Broken(TransportErrorCode::INTERNAL_ERROR.into()),
        }
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here => f.write_str("the connection was closed here"),
            Self::ByPeer(code) => code.fmt(f),
            Self::ForUnknownReason(number) => {
                write!(
                    f,
                    "the node closed the connection for a reason ({number:#x}) that this version does not know"
                )
            }
            Self::TurnedAway => f.write_str(
                "the node turned the connection away: too many are under way; try later or use another node",
            ),
            Self::Lost => f.write_str("the node does not answer any more"),
            Self::Restarted => f.write_str("the node does not know the connection any more; connect again"),
            Self::OtherProtocol => {
                f.write_str("the node speaks another version of the protocol; update one of the two")
            }
            Self::Broken(code) => write!(f, "the connection broke (QUIC error {code:#x}); connect again"),
        }
    }
}

impl std::error::Error for Closed {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_number_of_its_own_and_words() {
        for code in CloseCode::ALL {
            assert_eq!(CloseCode::from_number(u64::from(code.number())), Some(code));
            assert!(code.words().len() > 20);
        }
        assert_eq!(CloseCode::from_number(0x99), None);
    }

    #[test]
    fn a_reason_from_a_newer_version_is_passed_on_as_a_number() {
        let close = quinn::ApplicationClose {
            error_code: VarInt::from_u32(0x99),
            reason: b"\x1b[31mhostile"[..].into(),
        };
        let closed = Closed::from(&ConnectionError::ApplicationClosed(close));
        assert_eq!(closed, Closed::ForUnknownReason(0x99));
        assert!(
            !closed.to_string().contains("hostile"),
            "the peer's words are never shown"
        );
    }
}

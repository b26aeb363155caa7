//! Why something on a card has no effect, and why a device does not speak for an account.
//!
//! A void statement is no crime and no alarm: two machines with the same words say the same number, a phone that was
//! offline suspends what the root has long lifted. The names are part of the specification, because two readers who
//! disagree on one of them have two cards. `// SPEC 26.5`

use core::fmt;

use waxwing_core::codec::CodecError;

use crate::engine::OpenError;
use crate::identity::certificate::CertificateError;

/// Why a device does not speak for the account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeviceFault {
    /// The card does not know it.
    NotOnCard,
    /// Another device suspended it, and the root has not lifted that.
    Suspended,
    /// The root revoked it.
    Revoked,
    /// Its certificate does not count at this time.
    Time(CertificateError),
}

impl fmt::Display for DeviceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOnCard => f.write_str("this device is not on the account's card"),
            Self::Suspended => {
                f.write_str("another device of the account suspended it; the account's 24 words lift that")
            }
            Self::Revoked => f.write_str("the account revoked this device"),
            Self::Time(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for DeviceFault {}

/// Why an entry of a card has no effect. Every reader computes the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Void {
    /// Its body does not open.
    Seal(OpenError),
    /// Its body could be erased, or expires.
    Erasable,
    /// Inside is no statement.
    Malformed(CodecError),
    /// The card has ended.
    Moved,
    /// Only the root may say this.
    RootOnly,
    /// Only a device that speaks for the account may say this.
    Author(DeviceFault),
    /// The author did not sign it, or signed it for another card.
    BadSignature,
    /// The root's statements count in their order. Too early: it can be posted again in its turn.
    OutOfTurn {
        /// The number that would have counted.
        expected: u64,
    },
    /// The certificate in it does not count.
    Certificate(CertificateError),
    /// The account has signed a later certificate.
    OldCertificate,
    /// More devices than an account may have.
    DevicesFull,
    /// It names a device that is not on the card.
    UnknownDevice,
    /// The device to be lifted is not suspended.
    NotSuspended,
    /// The device is suspended already.
    AlreadySuspended,
    /// The device is revoked, for ever.
    AlreadyRevoked,
    /// The next card is this one.
    SameCard,
    /// A device cannot suspend itself.
    Itself,
    /// It names a statement of the root that does not exist yet.
    Premature,
    /// The root has spoken about the device since.
    Outdated,
    /// The device has published later key packages.
    Replayed,
}

impl fmt::Display for Void {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seal(error) => error.fmt(f),
            Self::Erasable => f.write_str("what stands on a card must stay for ever"),
            Self::Malformed(_) => f.write_str("the inside is not a statement"),
            Self::Moved => f.write_str("the card had ended"),
            Self::RootOnly => f.write_str("only the account itself may say this"),
            Self::Author(fault) => fault.fmt(f),
            Self::BadSignature => f.write_str("the signature of its author does not count on this card"),
            Self::OutOfTurn { expected } => write!(f, "the account's next statement is number {expected}"),
            Self::Certificate(error) => error.fmt(f),
            Self::OldCertificate => f.write_str("the account has signed a later certificate"),
            Self::DevicesFull => f.write_str("the account has as many devices as it may have: revoke one first"),
            Self::UnknownDevice => f.write_str("it names a device that is not on the card"),
            Self::NotSuspended => f.write_str("the device is not suspended"),
            Self::AlreadySuspended => f.write_str("the device is suspended already"),
            Self::AlreadyRevoked => f.write_str("the device was revoked: add it as a new one, with a new key"),
            Self::SameCard => f.write_str("a card cannot move on to itself"),
            Self::Itself => f.write_str("a device cannot suspend itself"),
            Self::Premature => f.write_str("it names a statement of the account that is yet to come"),
            Self::Outdated => f.write_str("the account has lifted a suspension of this device since"),
            Self::Replayed => f.write_str("the device has published later key packages"),
        }
    }
}

impl core::error::Error for Void {}

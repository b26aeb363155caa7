//! Why something in an inbox has no effect, and why something cannot be posted.
//!
//! Strangers write here: most of what is void is neither a crime nor an alarm. The names are part of the specification.
//! `// SPEC 28.7`

use core::fmt;

use waxwing_core::codec::CodecError;

use crate::engine::{OpenError, SealError};
use crate::group::KeyPackageFault;
use crate::identity::CertificateError;

/// Why an entry has no effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Void {
    /// This entry, or a later one, has been read.
    AlreadyRead,
    /// It came after the time that the opening names.
    Expired,
    /// The inbox has taken as many requests as it takes.
    UsedUp,
    /// Nothing that counts here has so long a body.
    TooLarge,
    /// The outer seal does not open, or is not what sealing makes.
    Seal(OpenError),
    /// Neither an opening nor a post: of a newer version.
    UnknownForm(u8),
    /// It is no encoding.
    Malformed(CodecError),
    /// An opening that could vanish.
    Erasable,
    /// The certificate of its author does not count.
    Certificate(CertificateError),
    /// The signature of its author does not count here.
    BadSignature,
    /// Another opening than the one that was named.
    OtherOpening,
    /// The inbox was opened before.
    SecondOpening,
    /// A post before the opening.
    NotOpened,
    /// It was not sealed to this inbox's key, not for its occasion, or not under these terms.
    NotForUs,
    /// A post of a newer version.
    UnknownKind(u8),
    /// Nothing of this kind is taken here.
    OutOfPlace,
    /// This device has asked, or offered, before.
    AskedBefore,
    /// Nobody can answer to the inbox that it names.
    Unanswerable,
    /// Its key package adds nobody.
    KeyPackage(KeyPackageFault),
    /// Its key package adds another device.
    OtherPackage,
    /// It answers something else.
    OtherOccasion,
    /// It has been here before.
    Repeated,
    /// A part of a welcome that has another number of parts.
    OtherCount,
    /// The parts make another welcome than was announced.
    OtherWhole,
    /// More accounts have made an offer than are listened to.
    OffersFull,
    /// No offer has been accepted, or not this one.
    OtherOffer,
    /// It is for another device.
    OtherDevice,
    /// It is about other networks than was said.
    OtherNetworks,
}

impl fmt::Display for Void {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadyRead => "it has been read",
            Self::Expired => "it came too late: ask for a new link",
            Self::UsedUp => "the link has been used up: ask for a new one",
            Self::TooLarge => "it is longer than anything that is taken here",
            Self::Seal(error) => return error.fmt(f),
            Self::UnknownForm(_) | Self::UnknownKind(_) => "it was written by a newer version: update to read it",
            Self::Malformed(_) => "the inside is damaged",
            Self::Erasable => "the opening of an inbox must stay for ever",
            Self::Certificate(error) => return error.fmt(f),
            Self::BadSignature => "the signature of its author does not count here",
            Self::OtherOpening => "it is not the opening that the link names",
            Self::SecondOpening => "the inbox was opened before",
            Self::NotOpened => "it came before the inbox was opened",
            Self::NotForUs => "it was sealed for somebody else, or reposted under other terms",
            Self::OutOfPlace => "nothing of this kind is taken here",
            Self::AskedBefore => "the same device has asked before",
            Self::Unanswerable => "nobody can answer it",
            Self::KeyPackage(fault) => return fault.fmt(f),
            Self::OtherPackage => "it would add another device than the one that asks",
            Self::OtherOccasion => "it answers something else",
            Self::Repeated => "it has been here before",
            Self::OtherCount => "its welcome has another number of parts",
            Self::OtherWhole => "the parts make another welcome than was announced",
            Self::OffersFull => "too many accounts have made an offer: show a new link",
            Self::OtherOffer => "it belongs to an offer that was not accepted",
            Self::OtherDevice => "it is for another device",
            Self::OtherNetworks => "it is about other networks than was said",
        })
    }
}

impl core::error::Error for Void {}

/// Why something cannot be posted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PostError {
    /// Nothing can be sealed to the other's key.
    Unanswerable,
    /// It does not fit.
    TooLong,
    /// There is no such offer, or nothing was accepted.
    NoSuchOffer,
    /// What is handed over is not what was offered: other networks, another device, or another account.
    NotAsOffered,
}

impl fmt::Display for PostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unanswerable => "nothing can be sealed to this inbox: ask for a new link",
            Self::TooLong => "it does not fit: shorten it",
            Self::NoSuchOffer => "there is no such offer: scan the new device's link again",
            Self::NotAsOffered => "what is handed over is not what was offered: scan the new device's link again",
        })
    }
}

impl core::error::Error for PostError {}

impl From<SealError> for PostError {
    fn from(_: SealError) -> Self {
        Self::TooLong
    }
}

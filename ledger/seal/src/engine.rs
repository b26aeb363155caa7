//! Layer 3 as a seam: who wrote a content, and that it belongs under this envelope.
//!
//! Whatever stands here ties the content to the **binding**: the terms that the envelope states in the open. Else any
//! member, who holds the log key like all others, could take a body off the ledger and post it again under other terms:
//! erasable by somebody else, expiring tomorrow, or never. [`crate::StandIn`] signs the binding; groups
//! carry it as authenticated data.

use core::fmt;

use waxwing_core::Hash;
use waxwing_core::codec::CodecError;
use waxwing_core::envelope::KeepFor;
use waxwing_core::keys::LogId;

use crate::content::Content;
use crate::device::{DeviceId, DeviceKey};

/// What the inside of a body binds itself to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Binding {
    /// The network.
    pub network: Hash,
    /// The log.
    pub log: LogId,
    /// The erasure commitment of the envelope, or zeros for a body that must stay: its commitment is computed from the
    /// body itself, which cannot contain it.
    pub erasure: Hash,
    /// The envelope's keep-for.
    pub keep_for: KeepFor,
}

/// A content whose author is proven.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Authored {
    /// Who wrote it.
    pub device: DeviceId,
    /// The device's own count of its messages on this log: a gap in it is a message that did not arrive.
    pub counter: u64,
    /// What was written.
    pub content: Content,
}

/// Protects contents and opens what others protected. State is explicit: whoever drives an engine stores it in the same
/// transaction as the rows that its calls led to.
pub trait GroupEngine {
    /// Turns a content into a layer 3 message. Changes state: the result is durable before it is sent, and the same
    /// content is not protected twice.
    ///
    /// # Errors
    /// If the engine cannot write any more, or not for this device.
    fn protect(&mut self, device: &DeviceKey, content: &Content, binding: &Binding) -> Result<Vec<u8>, SealError>;

    /// Opens a layer 3 message that arrived under `binding`.
    ///
    /// # Errors
    /// The first check that fails.
    fn unprotect(&mut self, message: &[u8], binding: &Binding) -> Result<Authored, OpenError>;
}

/// Why a message cannot be sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SealError {
    /// It does not fit into the largest body.
    TooLong,
    /// The device has used up its counter on this log.
    CounterExhausted,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the message is too long: shorten it, or send it as a file",
            Self::CounterExhausted => "this device cannot write on this channel any more: join it as a new device",
        })
    }
}

impl core::error::Error for SealError {}

/// Why a certified entry does not open. It becomes a visible tombstone with this reason, and the reader moves on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenError {
    /// The entry stands on another log than these keys are for.
    WrongLog,
    /// Sealing never makes a body of this length.
    BodyLength,
    /// The outer seal does not open: other keys, another network or log, or altered bytes.
    SealBroken,
    /// The outer seal opens, and the padding inside is not the one form it may have.
    BadPadding,
    /// Layer 3 is of a kind that this version does not know.
    UnknownEngine(u8),
    /// The bytes inside are not an encoding.
    Malformed(CodecError),
    /// The envelope names another erasure commitment than the author signed.
    WrongErasure,
    /// The envelope names another keep-for than the author signed.
    WrongKeepFor,
    /// The device's signature does not count.
    BadSignature,
    /// The device used this counter before: a replay, or a device restored from a copy.
    Replayed,
    /// The device has moved on too far since: whether this is a replay cannot be told any more.
    TooOld,
    /// More devices have written on this log than are remembered.
    TooManyDevices,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongLog => "it stands on another log",
            Self::BodyLength => "no sealed body has this length",
            Self::SealBroken => "the seal does not open with this channel's keys",
            Self::BadPadding => "the padding is not what sealing makes",
            Self::UnknownEngine(_) => "it was written by a newer version: update to read it",
            Self::Malformed(_) => "the inside is not a message",
            Self::WrongErasure => "somebody reposted it under another erasure commitment",
            Self::WrongKeepFor => "somebody reposted it under another keep-for",
            Self::BadSignature => "the signature of the device does not count",
            Self::Replayed => "the device used this counter before: a replay, or a copied device",
            Self::TooOld => "it comes too late behind its device's later messages",
            Self::TooManyDevices => "too many devices have written on this log",
        })
    }
}

impl core::error::Error for OpenError {}

impl From<CodecError> for OpenError {
    fn from(error: CodecError) -> Self {
        Self::Malformed(error)
    }
}

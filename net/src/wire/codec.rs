//! Messages to bytes and back: the only module that names bincode.
//!
//! The format is bincode 2 with fixed-width big-endian integers (as everywhere else in the project, so that one can
//! read a dump), lengths as `u64`, enum variants as `u32`. Nothing that is hashed, signed or kept for ever passes
//! through it: ledger values travel as [`Opaque`](super::Opaque) bytes that `waxwing-core` reads and writes. bincode is
//! pinned and no longer maintained; because every use goes through the two functions below, it can be replaced here.
//!
//! What comes from a stranger may be anything, so [`decode`] promises more than bincode does: it takes all bytes or
//! none, it refuses what is beyond the limits, and it never allocates more than a small multiple of the bytes it was
//! given, whatever lengths they claim. The latter comes from the types in `values.rs`, which borrow before they copy.

use bincode::config::{BigEndian, Configuration, Fixint, Limit};
use bincode::error::{DecodeError, EncodeError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::limits::{REPLY_BYTES_MAX, REQUEST_BYTES_MAX};

/// Why bytes are not a message, or a message may not be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WireError {
    /// The bytes end before the message does.
    Truncated,
    /// Bytes are left after the message.
    Trailing,
    /// The message, or a list or text in it, is longer than the protocol allows.
    TooLong,
    /// A field has a value that it cannot have: an unknown variant, a text that is no text, a count of nothing.
    BadValue,
}

impl core::fmt::Display for WireError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the message ends too early",
            Self::Trailing => "bytes are left over after the message",
            Self::TooLong => "the message, or a list in it, is longer than the protocol allows",
            Self::BadValue => "a field of the message has a value that is not allowed",
        })
    }
}

impl core::error::Error for WireError {}

/// What can be the payload of a frame.
pub trait Message: Serialize + DeserializeOwned {
    /// The longest payload.
    const BYTES_MAX: usize;

    /// Bounds that types alone do not express.
    ///
    /// # Errors
    /// If a value is outside of what the protocol allows.
    fn check(&self) -> Result<(), WireError> {
        Ok(())
    }
}

/// The largest payload of any message; bincode's own limit is a constant of the program.
const BYTES_MAX: usize = if REQUEST_BYTES_MAX > REPLY_BYTES_MAX {
    REQUEST_BYTES_MAX
} else {
    REPLY_BYTES_MAX
};

const FORMAT: Configuration<BigEndian, Fixint, Limit<BYTES_MAX>> = bincode::config::standard()
    .with_big_endian()
    .with_fixed_int_encoding()
    .with_limit::<BYTES_MAX>();

/// Appends the encoding of `message` to `out`.
///
/// # Errors
/// If the message is beyond the limits; then `out` is as long as before.
pub fn encode<M: Message>(message: &M, out: &mut Vec<u8>) -> Result<(), WireError> {
    message.check()?;
    let start = out.len();
    let outcome = bincode::serde::encode_into_std_write(message, out, FORMAT);
    let outcome = match outcome {
        Ok(written) if written <= M::BYTES_MAX => Ok(()),
        Ok(_) => Err(WireError::TooLong),
        Err(error) => Err(encode_error(&error)),
    };
    if outcome.is_err() {
        out.truncate(start);
    }
    outcome
}

/// Reads a message that takes all of `bytes`.
///
/// # Errors
/// If the bytes are no such message or are beyond its limits.
pub fn decode<M: Message>(bytes: &[u8]) -> Result<M, WireError> {
    if bytes.len() > M::BYTES_MAX {
        return Err(WireError::TooLong);
    }
    let (message, taken): (M, usize) =
        bincode::serde::borrow_decode_from_slice(bytes, FORMAT).map_err(|error| decode_error(&error))?;
    if taken != bytes.len() {
        return Err(WireError::Trailing);
    }
    message.check()?;
    Ok(message)
}

fn decode_error(error: &DecodeError) -> WireError {
    match error {
        DecodeError::UnexpectedEnd { .. } => WireError::Truncated,
        DecodeError::LimitExceeded => WireError::TooLong,
        _ => WireError::BadValue,
    }
}

const fn encode_error(error: &EncodeError) -> WireError {
    match error {
        // The writer is a vector, which takes everything: what is left is a value's own refusal.
        EncodeError::UnexpectedEnd | EncodeError::Io { .. } => WireError::TooLong,
        _ => WireError::BadValue,
    }
}

//! What stands around an encrypted group message, read before anything is decrypted.
//!
//! ```text
//! MLS 1.0: 2 | private message: 2 | group id n | epoch 8 | content type 1 | authenticated data n | sender n | text n
//! authenticated data:  log 32 | erasure 32 | keep-for 4
//! ```
//!
//! Decrypting uses up the message's key. If the terms were compared only afterwards, any member could silence another:
//! take a message from the wire, post it first under other terms, and the true one would not open any more. So an entry
//! under the wrong terms is void before it costs anything. (RFC 9420, section 6.3.) `// SPEC 22.12`

use waxwing_core::Hash;
use waxwing_core::codec::{CodecError, Encode, Reader};

use crate::channel::derive;
use crate::engine::Binding;

/// First byte of a layer 3 message of a group.
pub(super) const ENGINE: u8 = 2;

/// What the hash starts from that tells own messages apart.
const MESSAGE_CONTEXT: &str = "waxwing v1 group message";

/// The terms a message is bound to.
pub(super) fn authenticated_data(binding: &Binding) -> Vec<u8> {
    let mut out = Vec::with_capacity(32 + 32 + 4);
    binding.log.encode(&mut out);
    binding.erasure.encode(&mut out);
    out.extend_from_slice(&binding.keep_for.days().to_be_bytes());
    out
}

/// Names a message by its bytes, whoever posted them: own messages come back from the ledger and cannot be decrypted by
/// the one who wrote them.
pub(super) fn message_id(message: &[u8]) -> Hash {
    Hash(*derive(MESSAGE_CONTEXT, &[message]))
}

/// What an encrypted message carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Carried {
    Application,
    /// A commit, or a proposal on its own.
    Handshake,
}

/// The readable part of an encrypted message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Framing<'a> {
    pub(super) group: &'a [u8],
    pub(super) epoch: u64,
    pub(super) carried: Carried,
    pub(super) authenticated_data: &'a [u8],
}

impl<'a> Framing<'a> {
    /// Reads the front of a message. The library reads it again, and the rest.
    ///
    /// # Errors
    /// If it is none, or not encrypted.
    pub(super) fn read(message: &'a [u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(message);
        reader.magic(&[0, 1, 0, 2])?;
        Ok(Self {
            group: opaque(&mut reader)?,
            epoch: reader.u64()?,
            carried: match reader.u8()? {
                1 => Carried::Application,
                2 | 3 => Carried::Handshake,
                _ => return Err(CodecError::BadValue),
            },
            authenticated_data: opaque(&mut reader)?,
        })
    }
}

/// Bytes behind a length of 1, 2 or 4 bytes, as its first two bits say (RFC 9420, section 2.1.2).
fn opaque<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], CodecError> {
    let first = reader.u8()?;
    let mut length = u32::from(first & 0x3f);
    let more = match first >> 6 {
        0 => 0,
        1 => 1,
        2 => 3,
        _ => return Err(CodecError::BadValue),
    };
    for _ in 0..more {
        length = (length << 8) | u32::from(reader.u8()?);
    }
    reader.take(usize::try_from(length).map_err(|_| CodecError::TooLong)?)
}

//! Layer 4: what a member says, before any encryption.
//!
//! ```text
//! version 1 | content id 16 | time 8 | name 4+n | erase salt 16 | view 8+32+8+32 | kind 2 | payload 4+n
//! ```
//!
//! The payload stands behind its own length, so a client that does not know a kind keeps the bytes as they are and says
//! "update to see this" instead of losing the message. The **view** is what the writer had proven when writing, of the log
//! that the message stands on: compared with others' views it shows gaps, and it carries *seen by all*.
//!
//! Name and time are claims. What an edit or retraction does to another message is the reader's decision: it counts
//! only from the device that wrote that message. `// SPEC 22.5`

mod past;
mod receipt;
mod words;

use core::fmt;

use waxwing_core::Hash;
use waxwing_core::codec::{CodecError, Decode, Encode, Reader, put_bytes};
use waxwing_core::envelope::KeepFor;

pub use self::past::{Past, Told};
pub use self::receipt::{Receipt, Watermark};
pub use self::words::{Meant, Mention, Words};
use crate::file::Manifest;
use crate::limits::{HISTORY_PART_BYTES_MAX, NAME_BYTES_MAX, PAYLOAD_BYTES_MAX, REACTION_BYTES_MAX};
use crate::{Chance, draw};

const CONTENT_VERSION: u8 = 1;

/// The text is longer than its place allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLong {
    /// Bytes allowed.
    pub limit: u32,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "longer than {} bytes: shorten it, or send it as a file", self.limit)
    }
}

impl core::error::Error for TooLong {}

/// UTF-8 text of at most `MAX` bytes, exactly as its author wrote it: hostile until it went through [`crate::display`].
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Text<const MAX: u32>(String);

impl<const MAX: u32> Text<MAX> {
    /// Accepts what fits.
    ///
    /// # Errors
    /// If it is longer than `MAX` bytes.
    pub fn new(text: impl Into<String>) -> Result<Self, TooLong> {
        let text = text.into();
        let fits = u32::try_from(text.len()).is_ok_and(|length| length <= MAX);
        if fits {
            Ok(Self(text))
        } else {
            Err(TooLong { limit: MAX })
        }
    }

    /// The text, unfiltered.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Content never reaches a log line by way of `{:?}`.
impl<const MAX: u32> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

impl<const MAX: u32> Encode for Text<MAX> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.0.as_bytes());
    }
}

impl<const MAX: u32> Decode for Text<MAX> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let text = core::str::from_utf8(reader.bytes(MAX)?).map_err(|_| CodecError::BadValue)?;
        Ok(Self(text.to_owned()))
    }
}

/// The name a sender claims.
pub type Name = Text<NAME_BYTES_MAX>;
/// A reaction: an emoji or a few letters.
pub type Emoji = Text<REACTION_BYTES_MAX>;

/// Names a message for replies, edits and displays: 16 random bytes. A message that has to be sealed again in a later
/// epoch keeps its id, and displays show an id once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId(pub [u8; 16]);

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Encode for ContentId {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl Decode for ContentId {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.array().map(Self)
    }
}

/// Makes one message's erasure secret different from every other's: 16 random bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EraseSalt(pub [u8; 16]);

/// What the writer had proven when writing: a head, and the state of the channel's log under it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct View {
    /// Height of the head.
    pub height: u64,
    /// Its block id.
    pub head: Hash,
    /// Entries of the log.
    pub length: u64,
    /// Root of the log.
    pub root: Hash,
}

impl View {
    /// What the author of a channel's first message has proven about its log: that there is nothing.
    #[must_use]
    pub const fn empty_log(height: u64, head: Hash) -> Self {
        Self {
            height,
            head,
            length: 0,
            root: Hash::ZERO,
        }
    }
}

impl Encode for View {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.height.to_be_bytes());
        self.head.encode(out);
        out.extend_from_slice(&self.length.to_be_bytes());
        self.root.encode(out);
    }
}

impl Decode for View {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            height: reader.u64()?,
            head: reader.hash()?,
            length: reader.u64()?,
            root: reader.hash()?,
        })
    }
}

/// Numbers of the kinds. 0 is none; a number is never used again for something else.
mod number {
    pub(super) const TEXT: u16 = 1;
    pub(super) const REPLY: u16 = 2;
    pub(super) const REACTION: u16 = 3;
    pub(super) const EDIT: u16 = 4;
    pub(super) const RETRACTION: u16 = 5;
    pub(super) const RECEIPT: u16 = 6;
    pub(super) const ATTACHMENT: u16 = 7;
    pub(super) const TIMER: u16 = 8;
    pub(super) const DEVICE: u16 = 9;
    pub(super) const HISTORY: u16 = 10;

    /// 0, and those that this version has a layout for.
    pub(super) const IS_READ: [u16; 10] = [
        0, TEXT, REPLY, REACTION, EDIT, RETRACTION, RECEIPT, ATTACHMENT, TIMER, HISTORY,
    ];
}

/// What a message does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Says something.
    Text(Words),
    /// Says something about an earlier message.
    Reply {
        /// The message answered.
        to: ContentId,
        /// The answer.
        body: Words,
    },
    /// Reacts to a message. Taken back by retracting the reaction.
    Reaction {
        /// The message reacted to.
        to: ContentId,
        /// With this.
        emoji: Emoji,
    },
    /// Replaces the body of an earlier message of the same device.
    Edit {
        /// The message replaced.
        of: ContentId,
        /// Its new body, whole.
        body: Words,
    },
    /// Asks readers to forget an earlier message of the same device. Erasing the body on nodes is a separate act.
    Retraction {
        /// The message.
        of: ContentId,
    },
    /// Says how far its device has come. Never about another receipt alone.
    Receipt(Receipt),
    /// Asks members to have messages that are written from here on disappear after a time.
    Timer {
        /// The time; for ever: not any more.
        keep_for: KeepFor,
    },
    /// Hands over a file that lies on nodes beside the ledger.
    Attachment(Box<Manifest>),
    /// Tells newcomers what was said before they came. Nothing in it is proven but who tells it.
    History(Past),
    /// A kind that this version gives no meaning to; its bytes are kept.
    Unknown(Unknown),
}

/// The payload of a kind that this version does not read: a numbered kind whose layout comes later (device), or one
/// from the future.
#[derive(Clone, PartialEq, Eq)]
pub struct Unknown {
    number: u16,
    payload: Vec<u8>,
}

impl Unknown {
    /// A payload under the number of its kind; `None` for a number that this version reads itself (its bytes would come
    /// back as something else), for 0, and for more bytes than fit.
    #[must_use]
    pub fn new(number: u16, payload: Vec<u8>) -> Option<Self> {
        let fits = u32::try_from(payload.len()).is_ok_and(|length| length <= PAYLOAD_BYTES_MAX);
        (!number::IS_READ.contains(&number) && fits).then_some(Self { number, payload })
    }

    /// The number of the kind.
    #[must_use]
    pub const fn number(&self) -> u16 {
        self.number
    }

    /// Its bytes.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }
}

impl fmt::Debug for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unknown(kind {}, {} bytes)", self.number, self.payload.len())
    }
}

impl Kind {
    /// The number under which the kind is encoded.
    #[must_use]
    pub const fn number(&self) -> u16 {
        match self {
            Self::Text(_) => number::TEXT,
            Self::Reply { .. } => number::REPLY,
            Self::Reaction { .. } => number::REACTION,
            Self::Edit { .. } => number::EDIT,
            Self::Retraction { .. } => number::RETRACTION,
            Self::Receipt(_) => number::RECEIPT,
            Self::Timer { .. } => number::TIMER,
            Self::Attachment(_) => number::ATTACHMENT,
            Self::History(_) => number::HISTORY,
            Self::Unknown(unknown) => unknown.number,
        }
    }

    /// One word for the kind, for screens and JSON: also for the kinds that have a number but no layout yet.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self.number() {
            number::TEXT => "text",
            number::REPLY => "reply",
            number::REACTION => "reaction",
            number::EDIT => "edit",
            number::RETRACTION => "retraction",
            number::RECEIPT => "receipt",
            number::ATTACHMENT => "attachment",
            number::TIMER => "timer",
            number::DEVICE => "device",
            number::HISTORY => "history",
            _ => "unknown",
        }
    }

    /// Whether it has words, or a file, that were not taken back. What only does something to others has none.
    #[must_use]
    pub fn says_something(&self) -> bool {
        match self {
            Self::Text(words) | Self::Reply { body: words, .. } => !words.as_str().is_empty(),
            Self::Attachment(manifest) => !manifest.is_forgotten(),
            _ => false,
        }
    }

    fn payload(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Text(body) => body.encode_last(&mut out),
            Self::Reply { to, body } => {
                to.encode(&mut out);
                body.encode_last(&mut out);
            }
            Self::Reaction { to, emoji } => {
                to.encode(&mut out);
                emoji.encode(&mut out);
            }
            Self::Edit { of, body } => {
                of.encode(&mut out);
                body.encode_last(&mut out);
            }
            Self::Retraction { of } => of.encode(&mut out),
            Self::Receipt(receipt) => receipt.encode(&mut out),
            Self::Timer { keep_for } => out.extend_from_slice(&keep_for.days().to_be_bytes()),
            Self::Attachment(manifest) => manifest.encode(&mut out),
            Self::History(past) => past.encode(&mut out),
            Self::Unknown(unknown) => out.extend_from_slice(&unknown.payload),
        }
        out
    }

    fn from_payload(number: u16, payload: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(payload);
        let kind = match number {
            0 => return Err(CodecError::BadValue),
            number::TEXT => Self::Text(Words::decode_last(&mut reader)?),
            number::REPLY => Self::Reply {
                to: ContentId::decode(&mut reader)?,
                body: Words::decode_last(&mut reader)?,
            },
            number::REACTION => Self::Reaction {
                to: ContentId::decode(&mut reader)?,
                emoji: Text::decode(&mut reader)?,
            },
            number::EDIT => Self::Edit {
                of: ContentId::decode(&mut reader)?,
                body: Words::decode_last(&mut reader)?,
            },
            number::RETRACTION => Self::Retraction {
                of: ContentId::decode(&mut reader)?,
            },
            number::RECEIPT => Self::Receipt(Receipt::decode(&mut reader)?),
            number::TIMER => Self::Timer {
                keep_for: KeepFor::try_from(reader.u32()?)?,
            },
            number::ATTACHMENT => Self::Attachment(Box::new(Manifest::decode(&mut reader)?)),
            number::HISTORY if exceeds(payload, HISTORY_PART_BYTES_MAX) => return Err(CodecError::TooLong),
            number::HISTORY => Self::History(Past::decode(&mut reader)?),
            _ => {
                return Ok(Self::Unknown(Unknown {
                    number,
                    payload: payload.to_vec(),
                }));
            }
        };
        reader.finish()?;
        Ok(kind)
    }
}

fn exceeds(bytes: &[u8], limit: u32) -> bool {
    u32::try_from(bytes.len()).map_or(true, |length| length > limit)
}

impl Encode for Kind {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.number().to_be_bytes());
        put_bytes(out, &self.payload());
    }
}

impl Decode for Kind {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let number = reader.u16()?;
        Self::from_payload(number, reader.bytes(PAYLOAD_BYTES_MAX)?)
    }
}

/// A message as its author wrote it, and as its readers get it back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content {
    /// Names the message.
    pub id: ContentId,
    /// When it was written, by the writer's own clock: milliseconds since 1970.
    pub time_ms: u64,
    /// Who the writer says to be.
    pub name: Name,
    /// Part of the erasure secret.
    pub salt: EraseSalt,
    /// What the writer had proven.
    pub view: View,
    /// What the message does.
    pub kind: Kind,
}

impl Content {
    /// A new message: id and salt are drawn here, so that they are never used twice.
    #[must_use]
    pub fn new(chance: &mut Chance<'_>, time_ms: u64, name: Name, view: View, kind: Kind) -> Self {
        Self {
            id: ContentId(draw(chance)),
            time_ms,
            name,
            salt: EraseSalt(draw(chance)),
            view,
            kind,
        }
    }
}

impl Encode for Content {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(CONTENT_VERSION);
        self.id.encode(out);
        out.extend_from_slice(&self.time_ms.to_be_bytes());
        self.name.encode(out);
        out.extend_from_slice(&self.salt.0);
        self.view.encode(out);
        self.kind.encode(out);
    }
}

impl Decode for Content {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.magic(&[CONTENT_VERSION])?;
        Ok(Self {
            id: ContentId::decode(reader)?,
            time_ms: reader.u64()?,
            name: Name::decode(reader)?,
            salt: EraseSalt(reader.array()?),
            view: View::decode(reader)?,
            kind: Kind::decode(reader)?,
        })
    }
}

#[cfg(test)]
mod tests;

//! What travels: a question for one part of the snapshot at a height, and its answer. `// SPEC 25.1`

use super::SnapshotError;
use super::limits::{BLOCKS_PER_PART_MAX, HEADERS_PER_PART_MAX, SLOT_LOGS_MAX, SLOTS_PER_PART_MAX};
use super::logs::{LOG_ROW_BYTES, LogRow};
use super::outline::{SLOT_BYTES, Slot, Span};
use super::window::WindowBlock;
use crate::block::{BlockHeader, HEADER_BYTES};
use crate::codec::{CodecError, Decode, Encode, Reader, put_bytes, put_list};
use crate::envelope::SignedHeader;
use crate::limits::BODY_BYTES_MAX;
use crate::merkle::{Frontier, InclusionProof};

/// One part of a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ask {
    /// What is small: the history's frontier before the lowest header that was joined, the last change of the committee.
    Opening {
        /// Number of headers before that one.
        size: u64,
    },
    /// Slots of the outline, from this number on.
    Outline {
        /// Number of the first.
        first: u64,
    },
    /// The logs of a slot.
    Logs(Span),
    /// Headers, ascending.
    Headers {
        /// First height.
        from: u64,
        /// How many.
        count: u32,
    },
    /// The entries of blocks, ascending.
    Window {
        /// First height.
        from: u64,
        /// How many.
        count: u32,
    },
}

/// The answer to an [`Ask`], decoded and nothing more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// To [`Ask::Opening`].
    Opening(Box<Opening>),
    /// To [`Ask::Outline`]: at least one slot.
    Outline(Vec<Slot>),
    /// To [`Ask::Logs`]: all of the slot.
    Logs(Vec<LogRow>),
    /// To [`Ask::Headers`]: all of them.
    Headers(Vec<BlockHeader>),
    /// To [`Ask::Window`]: all of them.
    Window(Vec<WindowBlock>),
}

/// What is small in a snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opening {
    /// The frontier of the history over as many headers as were asked for.
    pub history: Frontier,
    /// The last entry on the committee log, if there is one: the change in it may not have taken over yet.
    pub change: Option<LastChange>,
}

/// The last entry on the committee log, and what proves that it is that.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LastChange {
    /// The frontier of the log before the entry.
    pub before: Frontier,
    /// The header of its block.
    pub header: BlockHeader,
    /// Why that header is in the history of the snapshot's head; empty if it is the head's own.
    pub path: InclusionProof,
    /// The entry's place in its block.
    pub in_block: u32,
    /// Header and signature.
    pub signed: SignedHeader,
    /// A [`CommitteeChange`](crate::change::CommitteeChange).
    pub body: Vec<u8>,
}

impl Encode for LastChange {
    fn encode(&self, out: &mut Vec<u8>) {
        self.before.encode(out);
        self.header.encode(out);
        self.path.encode(out);
        out.extend_from_slice(&self.in_block.to_be_bytes());
        self.signed.encode(out);
        put_bytes(out, &self.body);
    }
}

impl Decode for LastChange {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            before: Frontier::decode(reader)?,
            header: BlockHeader::decode(reader)?,
            path: InclusionProof::decode(reader)?,
            in_block: reader.u32()?,
            signed: SignedHeader::decode(reader)?,
            body: reader.bytes(BODY_BYTES_MAX)?.to_vec(),
        })
    }
}

impl Encode for Opening {
    fn encode(&self, out: &mut Vec<u8>) {
        self.history.encode(out);
        put_list(out, self.change.as_slice());
    }
}

impl Decode for Opening {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            history: Frontier::decode(reader)?,
            change: reader.list(1, 1)?.pop(),
        })
    }
}

impl Encode for Ask {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut range = |kind: u8, from: u64, count: u32| {
            out.push(kind);
            out.extend_from_slice(&from.to_be_bytes());
            out.extend_from_slice(&count.to_be_bytes());
        };
        match self {
            Self::Headers { from, count } => range(3, *from, *count),
            Self::Window { from, count } => range(4, *from, *count),
            Self::Opening { size: number } | Self::Outline { first: number } => {
                out.push(u8::from(matches!(self, Self::Outline { .. })));
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::Logs(span) => {
                out.push(2);
                span.start.encode(out);
                out.extend_from_slice(&span.depth.to_be_bytes());
            }
        }
    }
}

impl Decode for Ask {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let kind = reader.u8()?;
        let mut range = |most: u32| {
            let (from, count) = (reader.u64()?, reader.u32()?);
            match count {
                0 => Err(CodecError::BadValue),
                count if count > most => Err(CodecError::TooLong),
                count => Ok((from, count)),
            }
        };
        Ok(match kind {
            0 => Self::Opening { size: reader.u64()? },
            1 => Self::Outline { first: reader.u64()? },
            2 => {
                let (start, depth) = (reader.hash()?, reader.u16()?);
                Self::Logs(Span::new(start, depth).ok_or(CodecError::BadValue)?)
            }
            3 => {
                let (from, count) = range(HEADERS_PER_PART_MAX)?;
                Self::Headers { from, count }
            }
            4 => {
                let (from, count) = range(BLOCKS_PER_PART_MAX)?;
                Self::Window { from, count }
            }
            _ => return Err(CodecError::BadValue),
        })
    }
}

impl Ask {
    /// Reads the answer to this question.
    ///
    /// # Errors
    /// [`SnapshotError::Malformed`] if the bytes are none.
    pub fn answer(&self, bytes: &[u8]) -> Result<Answer, SnapshotError> {
        let mut reader = Reader::new(bytes);
        let answer = match self {
            Self::Opening { .. } => Answer::Opening(Box::new(Opening::decode(&mut reader)?)),
            Self::Outline { .. } => Answer::Outline(reader.list(SLOTS_PER_PART_MAX, SLOT_BYTES)?),
            Self::Logs(_) => Answer::Logs(reader.list(SLOT_LOGS_MAX, LOG_ROW_BYTES)?),
            Self::Headers { .. } => Answer::Headers(reader.list(HEADERS_PER_PART_MAX, HEADER_BYTES)?),
            Self::Window { .. } => Answer::Window(reader.list(BLOCKS_PER_PART_MAX, 4)?),
        };
        reader.finish()?;
        Ok(answer)
    }
}

impl Answer {
    /// As it travels; [`Ask::answer`] reads it back.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Opening(opening) => opening.encode(&mut bytes),
            Self::Outline(slots) => put_list(&mut bytes, slots),
            Self::Logs(rows) => put_list(&mut bytes, rows),
            Self::Headers(headers) => put_list(&mut bytes, headers),
            Self::Window(blocks) => put_list(&mut bytes, blocks),
        }
        bytes
    }
}

//! A welcome to a group, in parts: it may have 2 MB, and a body has half of one.
//!
//! ```text
//! whole   1 | answers 32 | log 32, index 8, height 8 of the commit | message 4+n | tree 4+n
//! part    id of the whole 32 | parts in all 4 | number from 0, 4 | bytes 4+n: 512,000, the last part the rest
//! ```
//!
//! The id is a hash of the whole, so that parts of two welcomes never make one, and a whole that is not what was
//! announced is noticed. Parts come in any order. At most two welcomes are under way at a time. `// SPEC 28.6`

use std::collections::BTreeMap;

use waxwing_core::Hash;
use waxwing_core::codec::{CodecError, Decode, Encode, Reader, put_bytes, put_count};
use waxwing_core::keys::LogId;

use crate::channel::derive;
use crate::group::Welcome;
use crate::group::limits::WELCOME_BYTES_MAX;

use super::limits::{TRANSFERS_MAX, WELCOME_PART_BYTES, WELCOME_PARTS_MAX, WELCOME_WHOLE_BYTES_MAX};
use super::void::Void;

const WELCOME_CONTEXT: &str = "waxwing v1 welcome id";

const VERSION: u8 = 1;

/// Where the commit stands that adds whom the welcome is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CommitPlace {
    /// The log of the epoch that it closed.
    pub log: LogId,
    /// Its index there.
    pub index: u64,
    /// The height of its block.
    pub height: u64,
}

/// A welcome with what it answers and where its commit is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WholeWelcome {
    /// The id of the request, or of the greeting that handed the inbox over.
    pub answers: Hash,
    /// The commit.
    pub place: CommitPlace,
    /// For [`crate::group::Group::join`].
    pub welcome: Welcome,
}

impl WholeWelcome {
    fn id(network: Hash, bytes: &[u8]) -> Hash {
        Hash(*derive(WELCOME_CONTEXT, &[network.as_bytes(), bytes]))
    }

    /// The parts to post; `None` if it is longer than any welcome.
    pub(super) fn cut(&self, network: Hash) -> Option<Vec<WelcomePart>> {
        let bytes = self.to_bytes();
        if u32::try_from(bytes.len()).ok()? > WELCOME_WHOLE_BYTES_MAX {
            return None;
        }
        let whole = Self::id(network, &bytes);
        let chunks = bytes.chunks(usize::try_from(WELCOME_PART_BYTES).ok()?);
        let count = u32::try_from(chunks.len()).ok()?;
        let part = |(number, chunk): (u32, &[u8])| WelcomePart {
            whole,
            count,
            number,
            bytes: chunk.to_vec(),
        };
        Some((0..).zip(chunks).map(part).collect())
    }
}

impl Encode for WholeWelcome {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        self.answers.encode(out);
        self.place.log.encode(out);
        out.extend_from_slice(&self.place.index.to_be_bytes());
        out.extend_from_slice(&self.place.height.to_be_bytes());
        put_bytes(out, &self.welcome.message);
        put_bytes(out, &self.welcome.tree);
    }
}

impl Decode for WholeWelcome {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.magic(&[VERSION])?;
        Ok(Self {
            answers: reader.hash()?,
            place: CommitPlace {
                log: LogId::decode(reader)?,
                index: reader.u64()?,
                height: reader.u64()?,
            },
            welcome: Welcome {
                message: reader.bytes(WELCOME_BYTES_MAX)?.to_vec(),
                tree: reader.bytes(WELCOME_BYTES_MAX)?.to_vec(),
            },
        })
    }
}

/// A part of a welcome.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WelcomePart {
    whole: Hash,
    count: u32,
    number: u32,
    bytes: Vec<u8>,
}

impl WelcomePart {
    /// The id of the welcome that it is a part of.
    pub(super) const fn whole(&self) -> Hash {
        self.whole
    }
}

impl Encode for WelcomePart {
    fn encode(&self, out: &mut Vec<u8>) {
        self.whole.encode(out);
        out.extend_from_slice(&self.count.to_be_bytes());
        out.extend_from_slice(&self.number.to_be_bytes());
        put_bytes(out, &self.bytes);
    }
}

impl Decode for WelcomePart {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let (whole, count, number) = (reader.hash()?, reader.u32()?, reader.u32()?);
        let bytes = reader.bytes(WELCOME_PART_BYTES)?.to_vec();
        let is_full = u32::try_from(bytes.len()) == Ok(WELCOME_PART_BYTES);
        let is_last = number.checked_add(1) == Some(count);
        if count > WELCOME_PARTS_MAX || number >= count || bytes.is_empty() || !(is_full || is_last) {
            return Err(CodecError::BadValue);
        }
        Ok(Self {
            whole,
            count,
            number,
            bytes,
        })
    }
}

/// What has come of one welcome.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Transfer {
    whole: Hash,
    count: u32,
    parts: BTreeMap<u32, Vec<u8>>,
}

/// What a part led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Others are still to come.
    Part { have: u32, of: u32 },
    /// All are there.
    Whole { id: Hash, whole: Box<WholeWelcome> },
}

/// The welcomes that are under way, the older one first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Transfers(Vec<Transfer>);

impl Transfers {
    /// Takes a part. What is refused changes nothing, but for parts that make something else than was announced: those
    /// are thrown away together.
    pub(super) fn take(&mut self, network: Hash, part: WelcomePart) -> Result<Step, Void> {
        let known = self.0.iter().position(|transfer| transfer.whole == part.whole);
        let place = known.unwrap_or(self.0.len());
        if let Some(transfer) = self.0.get(place) {
            if transfer.count != part.count {
                return Err(Void::OtherCount);
            }
            if transfer.parts.contains_key(&part.number) {
                return Err(Void::Repeated);
            }
        } else {
            self.0.push(Transfer {
                whole: part.whole,
                count: part.count,
                parts: BTreeMap::new(),
            });
        }
        let Some(transfer) = self.0.get_mut(place) else {
            return Err(Void::Repeated);
        };
        transfer.parts.insert(part.number, part.bytes);
        let have = u32::try_from(transfer.parts.len()).unwrap_or(u32::MAX);
        if have == transfer.count {
            let transfer = self.0.remove(place);
            return transfer.whole(network);
        }
        let of = transfer.count;
        if u32::try_from(self.0.len()).is_ok_and(|transfers| transfers > TRANSFERS_MAX) {
            self.0.remove(0);
        }
        Ok(Step::Part { have, of })
    }
}

impl Transfer {
    fn whole(self, network: Hash) -> Result<Step, Void> {
        let parts: Vec<&[u8]> = self.parts.values().map(Vec::as_slice).collect();
        let bytes = parts.concat();
        if WholeWelcome::id(network, &bytes) != self.whole {
            return Err(Void::OtherWhole);
        }
        let whole = WholeWelcome::from_bytes(&bytes).map_err(Void::Malformed)?;
        Ok(Step::Whole {
            id: self.whole,
            whole: Box::new(whole),
        })
    }
}

impl Encode for Transfers {
    fn encode(&self, out: &mut Vec<u8>) {
        put_count(out, self.0.len());
        for transfer in &self.0 {
            put_count(out, transfer.parts.len());
            for (number, bytes) in &transfer.parts {
                let part = WelcomePart {
                    whole: transfer.whole,
                    count: transfer.count,
                    number: *number,
                    bytes: bytes.clone(),
                };
                part.encode(out);
            }
        }
    }
}

/// The fewest bytes of a part: it has one byte.
const PART_BYTES_MIN: usize = 32 + 4 + 4 + 4 + 1;

impl Decode for Transfers {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let count = reader.count(TRANSFERS_MAX, 4 + PART_BYTES_MIN)?;
        let transfers: Vec<Transfer> = (0..count).map(|_| transfer(reader)).collect::<Result<_, _>>()?;
        let is_twice = matches!(transfers.as_slice(), [one, other, ..] if one.whole == other.whole);
        if is_twice {
            return Err(CodecError::BadValue);
        }
        Ok(Self(transfers))
    }
}

/// At least one part, not all of them, ascending, of one welcome.
fn transfer(reader: &mut Reader<'_>) -> Result<Transfer, CodecError> {
    let parts: Vec<WelcomePart> = reader.list(WELCOME_PARTS_MAX, PART_BYTES_MIN)?;
    let Some(first) = parts.first() else {
        return Err(CodecError::BadValue);
    };
    let (whole, count) = (first.whole, first.count);
    let is_one = parts.iter().all(|part| part.whole == whole && part.count == count);
    let ascends = parts.is_sorted_by(|one, next| one.number < next.number);
    if !is_one || !ascends || u32::try_from(parts.len()).is_ok_and(|have| have >= count) {
        return Err(CodecError::BadValue);
    }
    let parts = parts.into_iter().map(|part| (part.number, part.bytes)).collect();
    Ok(Transfer { whole, count, parts })
}

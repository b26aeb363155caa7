//! What was said before somebody came, as a member tells it.
//!
//! ```text
//! epoch 8 | part 1 | parts 1 | count 4, each:
//!     content id 16 | device 32 | account 32 | written 8 | ordered 8 | edited 1 | name 4+n | kind 2 | payload 4+n
//! ```
//!
//! A member who may hand the past over tells it to everybody whom one commit let in, the one that began **epoch**: in at most
//! a few parts, the newest messages in the first, the oldest in the last; within a part in their order. Of each message it
//! tells what members see now: the words after their last edit, or a file's manifest. Reactions, receipts and what was taken
//! back or is to disappear are not told.
//!
//! **Nothing in it is proven.** A sealed body opens with keys that its readers have forgotten, and an envelope commits to the
//! sealed body, not to words: so whoever was not there cannot hold what is told against the ledger, neither who wrote it nor
//! when nor whether it was said at all. That the teller says so is proven, by the message that this stands in. `// SPEC 22.5`

use std::collections::BTreeSet;

use waxwing_core::codec::{CodecError, Decode, Encode, Reader, put_bytes, put_list};

use super::{ContentId, Kind, Name, number};
use crate::device::DeviceId;
use crate::identity::AccountId;
use crate::limits::{HISTORY_MESSAGES_MAX, HISTORY_PARTS_MAX, PAYLOAD_BYTES_MAX};

/// Bytes of the shortest told message: no name, no words.
const TOLD_BYTES_MIN: usize = 16 + 32 + 32 + 8 + 8 + 1 + 4 + 2 + 4;

/// One message, as a member tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// The message's own id.
    pub id: ContentId,
    /// The device that is said to have written it.
    pub device: DeviceId,
    /// Whose device it is said to have been.
    pub account: AccountId,
    /// What the author is said to have claimed as the time of writing: milliseconds since 1970.
    pub written_ms: u64,
    /// When it is said to have been ordered: milliseconds since 1970.
    pub ordered_ms: u64,
    /// Whether other words are said to have stood there first.
    pub is_edited: bool,
    /// The name that the author is said to have claimed.
    pub name: Name,
    /// A text, a reply or an attachment; no other kind is told.
    pub kind: Kind,
}

impl Encode for Told {
    fn encode(&self, out: &mut Vec<u8>) {
        self.id.encode(out);
        out.extend_from_slice(&self.device.0);
        out.extend_from_slice(&self.account.0);
        out.extend_from_slice(&self.written_ms.to_be_bytes());
        out.extend_from_slice(&self.ordered_ms.to_be_bytes());
        out.push(u8::from(self.is_edited));
        self.name.encode(out);
        out.extend_from_slice(&self.kind.number().to_be_bytes());
        put_bytes(out, &self.kind.payload());
    }
}

impl Decode for Told {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let (id, device) = (ContentId::decode(reader)?, DeviceId(reader.array()?));
        let (account, written_ms, ordered_ms) = (AccountId(reader.array()?), reader.u64()?, reader.u64()?);
        let is_edited = match reader.u8()? {
            0 => false,
            1 => true,
            _ => return Err(CodecError::BadValue),
        };
        let (name, kind) = (Name::decode(reader)?, reader.u16()?);
        // Looked at before the payload is read: a history within a history within a history has no end.
        if !matches!(kind, number::TEXT | number::REPLY | number::ATTACHMENT) {
            return Err(CodecError::BadValue);
        }
        let kind = Kind::from_payload(kind, reader.bytes(PAYLOAD_BYTES_MAX)?)?;
        let told = Self {
            id,
            device,
            account,
            written_ms,
            ordered_ms,
            is_edited,
            name,
            kind,
        };
        if told.says_something() {
            Ok(told)
        } else {
            Err(CodecError::BadValue)
        }
    }
}

impl Told {
    /// Whether there is something to tell: words and files that were taken back are gone.
    fn says_something(&self) -> bool {
        self.kind.says_something()
    }
}

/// A part of what was said before somebody came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Past {
    epoch: u64,
    part: u8,
    parts: u8,
    told: Vec<Told>,
}

impl Past {
    /// A part of the past for whoever came with this epoch; `None` for a part that there cannot be: too many parts or
    /// messages, one message twice, not in their order, or of a kind that is not told.
    #[must_use]
    pub fn new(epoch: u64, (part, parts): (u8, u8), told: Vec<Told>) -> Option<Self> {
        let past = Self {
            epoch,
            part,
            parts,
            told,
        };
        (past.is_sound() && past.told.iter().all(Told::says_something)).then_some(past)
    }

    /// What is left of a part when it has done what it is for: nobody keeps it twice.
    #[must_use]
    pub fn forgotten(&self) -> Self {
        Self {
            told: Vec::new(),
            ..*self
        }
    }

    /// The epoch that those began with whom it is for.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Its number among the parts.
    #[must_use]
    pub const fn part(&self) -> u8 {
        self.part
    }

    /// Whether it is the last part, that with the oldest messages.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.part.saturating_add(1) == self.parts
    }

    /// The messages, oldest first; none in a part that was forgotten.
    #[must_use]
    pub fn told(&self) -> &[Told] {
        &self.told
    }

    fn is_sound(&self) -> bool {
        let is_part = self.part < self.parts && self.parts <= HISTORY_PARTS_MAX;
        let is_few = u32::try_from(self.told.len()).is_ok_and(|count| count <= HISTORY_MESSAGES_MAX);
        let in_order = self.told.is_sorted_by(|one, next| one.ordered_ms <= next.ordered_ms);
        let ids: BTreeSet<ContentId> = self.told.iter().map(|told| told.id).collect();
        is_part && is_few && in_order && ids.len() == self.told.len()
    }
}

impl Encode for Past {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(&[self.part, self.parts]);
        put_list(out, &self.told);
    }
}

impl Decode for Past {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let past = Self {
            epoch: reader.u64()?,
            part: reader.u8()?,
            parts: reader.u8()?,
            told: reader.list(HISTORY_MESSAGES_MAX, TOLD_BYTES_MIN)?,
        };
        if past.is_sound() {
            Ok(past)
        } else {
            Err(CodecError::BadValue)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Words;
    use crate::file::Manifest;

    fn told(id: u8, ordered_ms: u64, kind: Kind) -> Told {
        Told {
            id: ContentId([id; 16]),
            device: DeviceId([1; 32]),
            account: AccountId([2; 32]),
            written_ms: 5,
            ordered_ms,
            is_edited: false,
            name: Name::new("Ada").unwrap(),
            kind,
        }
    }

    fn text(id: u8, ordered_ms: u64) -> Told {
        told(id, ordered_ms, Kind::Text(Words::new("hello").unwrap()))
    }

    fn bytes(part: u8, parts: u8, told: Vec<Told>) -> Vec<u8> {
        let past = Past {
            epoch: 7,
            part,
            parts,
            told,
        };
        past.to_bytes()
    }

    #[test]
    fn a_part_is_read_back_and_each_broken_one_is_refused() {
        let good = Past::new(7, (0, 2), vec![text(1, 3), text(2, 3), text(3, 9)]).unwrap();
        assert_eq!(Past::from_bytes(&good.to_bytes()), Ok(good.clone()));
        assert_eq!(Past::from_bytes(&good.forgotten().to_bytes()), Ok(good.forgotten()));
        assert!(!good.is_last() && good.told().len() == 3 && good.forgotten().told().is_empty());
        let broken = [
            (2, 2, vec![text(1, 1)], "a part behind the last"),
            (0, 0, vec![text(1, 1)], "none of no parts"),
            (0, HISTORY_PARTS_MAX + 1, vec![text(1, 1)], "too many parts"),
            (0, 1, vec![text(1, 2), text(2, 1)], "not in their order"),
            (0, 1, vec![text(1, 1), text(1, 2)], "one message twice"),
            (0, 1, vec![told(1, 1, Kind::Text(Words::default()))], "it says nothing"),
            (
                0,
                1,
                vec![told(1, 1, Kind::Attachment(Box::new(Manifest::forgotten())))],
                "a file that is gone",
            ),
            (
                0,
                1,
                vec![told(1, 1, Kind::Retraction { of: ContentId([9; 16]) })],
                "not of a kind that is told",
            ),
        ];
        for (part, parts, told, why) in broken {
            assert_eq!(
                Past::from_bytes(&bytes(part, parts, told.clone())),
                Err(CodecError::BadValue),
                "{why}"
            );
            assert_eq!(Past::new(7, (part, parts), told), None, "{why}");
        }
        let crowd = (0..=HISTORY_MESSAGES_MAX).map(|number| {
            let mut told = text(0, 1);
            told.id.0[..4].copy_from_slice(&number.to_be_bytes());
            told
        });
        let crowd: Vec<_> = crowd.collect();
        assert_eq!(Past::from_bytes(&bytes(0, 1, crowd.clone())), Err(CodecError::TooLong));
        assert_eq!(Past::new(7, (0, 1), crowd), None);
    }

    #[test]
    fn a_history_inside_of_a_history_is_refused_however_deep() {
        let mut past = bytes(0, 1, vec![text(1, 1)]);
        for _ in 0..2000 {
            let mut outer = [&7_u64.to_be_bytes()[..], &[0, 1], &1_u32.to_be_bytes()].concat();
            let told = text(1, 1).to_bytes();
            let kind = told.len() - (2 + 4 + 4 + 5);
            outer.extend_from_slice(&told[..kind]);
            outer.extend_from_slice(&number::HISTORY.to_be_bytes());
            put_bytes(&mut outer, &past);
            past = outer;
        }
        assert_eq!(Past::from_bytes(&past), Err(CodecError::BadValue));
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_refused_or_read_back_as_it_is() {
        let good = bytes(1, 3, vec![text(1, 3), text(2, 4)]);
        for at in 0..good.len() {
            assert!(Past::from_bytes(&good[..at]).is_err());
            for to in [0, 1, 2, 0xff] {
                let mut bytes = good.clone();
                bytes[at] = to;
                if let Ok(read) = Past::from_bytes(&bytes) {
                    assert_eq!(read.to_bytes(), bytes);
                }
            }
        }
    }
}

//! What a text, reply or edit says, and whom it means.
//!
//! ```text
//! words    4+n                 exactly as their author wrote them: hostile until they were neutralised
//! mentions count 4, each: begin 4 | length 4 | who 1 | id 32        left out where there are none
//! ```
//!
//! A name in a text means nobody: anybody may claim it. So the writer's client looks up once whom an `@name` means, and a
//! **mention** carries that device or account beside the range of bytes that stands for it. A reader shows the name that
//! *it* knows the meant one by, whatever stands in that range. Ranges are bytes of the text as it was written; whoever
//! neutralises the text cuts it at the ranges first, so that no filter moves them. `// SPEC 22.5`

use waxwing_core::codec::{CodecError, Decode, Encode, Reader, put_list};

use super::{Text, TooLong};
use crate::device::DeviceId;
use crate::identity::AccountId;
use crate::limits::{MENTIONS_MAX, TEXT_BYTES_MAX};

/// Bytes of a mention.
const MENTION_BYTES: usize = 4 + 4 + 1 + 32;

/// Who is meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Meant {
    /// One device: as long as members are known by nothing else.
    Device(DeviceId),
    /// All devices of an account.
    Account(AccountId),
}

impl Meant {
    const fn number(self) -> u8 {
        match self {
            Self::Device(_) => 1,
            Self::Account(_) => 2,
        }
    }

    const fn id(&self) -> &[u8; 32] {
        match self {
            Self::Device(device) => &device.0,
            Self::Account(account) => &account.0,
        }
    }
}

/// A range of a text that stands for somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mention {
    /// The first byte of the range.
    pub begin: u32,
    /// Its bytes, at least one.
    pub length: u32,
    /// Who is meant.
    pub who: Meant,
}

impl Mention {
    /// The range.
    #[must_use]
    pub fn range(&self) -> core::ops::Range<usize> {
        // A text is far shorter than four gigabytes, and so are its ranges; one that does not fit is empty.
        let begin = usize::try_from(self.begin).unwrap_or(usize::MAX);
        begin..begin.saturating_add(usize::try_from(self.length).unwrap_or(0))
    }
}

impl Encode for Mention {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.begin.to_be_bytes());
        out.extend_from_slice(&self.length.to_be_bytes());
        out.push(self.who.number());
        out.extend_from_slice(self.who.id());
    }
}

impl Decode for Mention {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let (begin, length) = (reader.u32()?, reader.u32()?);
        let who = match reader.u8()? {
            1 => Meant::Device(DeviceId(reader.array()?)),
            2 => Meant::Account(AccountId(reader.array()?)),
            _ => return Err(CodecError::BadValue),
        };
        Ok(Self { begin, length, who })
    }
}

/// Words with the mentions in them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Words {
    text: Text<TEXT_BYTES_MAX>,
    mentions: Vec<Mention>,
}

impl From<Text<TEXT_BYTES_MAX>> for Words {
    fn from(text: Text<TEXT_BYTES_MAX>) -> Self {
        Self {
            text,
            mentions: Vec::new(),
        }
    }
}

impl Words {
    /// Words that mean nobody in particular.
    ///
    /// # Errors
    /// If they are longer than a text may be.
    pub fn new(text: impl Into<String>) -> Result<Self, TooLong> {
        Ok(Self {
            text: Text::new(text)?,
            mentions: Vec::new(),
        })
    }

    /// The same words with these mentions in them; `None` unless every range is one of the text, not empty, between whole
    /// characters and behind the one before, or if there are more than [`MENTIONS_MAX`].
    #[must_use]
    pub fn meaning(self, mentions: Vec<Mention>) -> Option<Self> {
        let fits = u32::try_from(mentions.len()).is_ok_and(|count| count <= MENTIONS_MAX);
        (fits && are_sound(self.text.as_str(), &mentions)).then_some(Self {
            text: self.text,
            mentions,
        })
    }

    /// The words, unfiltered.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.text.as_str()
    }

    /// Whom they mean, in the order of the text.
    #[must_use]
    pub fn mentions(&self) -> &[Mention] {
        &self.mentions
    }

    /// They are the last field of their payload, so that words without mentions have the form of a text alone.
    pub(crate) fn encode_last(&self, out: &mut Vec<u8>) {
        self.text.encode(out);
        if !self.mentions.is_empty() {
            put_list(out, &self.mentions);
        }
    }

    pub(crate) fn decode_last(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let text: Text<TEXT_BYTES_MAX> = Text::decode(reader)?;
        if reader.remaining() == 0 {
            return Ok(Self {
                text,
                mentions: Vec::new(),
            });
        }
        let mentions = reader.list(MENTIONS_MAX, MENTION_BYTES)?;
        // An empty list would be a second form of words without mentions.
        if mentions.is_empty() || !are_sound(text.as_str(), &mentions) {
            return Err(CodecError::BadValue);
        }
        Ok(Self { text, mentions })
    }
}

fn are_sound(text: &str, mentions: &[Mention]) -> bool {
    let mut end = 0;
    mentions.iter().all(|mention| {
        let range = mention.range();
        let is_behind = range.start >= end && !range.is_empty();
        end = range.end;
        // Only within the text and between whole characters.
        is_behind && text.get(range).is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mention(begin: u32, length: u32) -> Mention {
        Mention {
            begin,
            length,
            who: Meant::Device(DeviceId([1; 32])),
        }
    }

    #[test]
    fn ranges_lie_in_the_text_between_whole_characters_and_one_behind_the_other() {
        let words = || Words::new("hé @Ada, @Ben").unwrap();
        for sound in [
            vec![],
            vec![mention(4, 4)],
            vec![mention(4, 4), mention(10, 4)],
            vec![mention(0, 1), mention(1, 2)],
        ] {
            let count = sound.len();
            assert_eq!(words().meaning(sound).unwrap().mentions().len(), count);
        }
        let broken = [
            vec![mention(4, 0)],
            vec![mention(0, 2)],
            vec![mention(2, 1)],
            vec![mention(10, 5)],
            vec![mention(u32::MAX, u32::MAX)],
            vec![mention(4, 4), mention(7, 2)],
            vec![mention(10, 4), mention(4, 4)],
        ];
        for broken in broken {
            assert_eq!(words().meaning(broken.clone()), None, "{broken:?}");
        }
    }

    #[test]
    fn more_mentions_than_a_crowd_are_not_taken() {
        let text = "x".repeat(200);
        let many = |count| (0..count).map(|at| mention(at, 1)).collect::<Vec<_>>();
        let words = || Words::new(text.clone()).unwrap();
        assert!(words().meaning(many(MENTIONS_MAX)).is_some());
        assert_eq!(words().meaning(many(MENTIONS_MAX + 1)), None);
    }

    #[test]
    fn words_without_mentions_have_one_form_and_broken_lists_are_refused() {
        let words = Words::new("@Ada").unwrap();
        let mut bytes = Vec::new();
        words.encode_last(&mut bytes);
        assert_eq!(bytes, [0, 0, 0, 4, b'@', b'A', b'd', b'a']);
        let read = |bytes: &[u8]| Words::decode_last(&mut Reader::new(bytes));
        assert_eq!(read(&bytes), Ok(words.clone()));
        let with = |list: &[u8]| read(&[&bytes, list].concat());
        assert_eq!(with(&[0; 4]), Err(CodecError::BadValue), "an empty list");
        assert_eq!(with(&65_u32.to_be_bytes()), Err(CodecError::TooLong));
        let mut one = Vec::new();
        put_list(&mut one, &[mention(0, 4)]);
        assert_eq!(with(&one).unwrap().mentions(), [mention(0, 4)]);
        one[12] = 3;
        assert_eq!(with(&one), Err(CodecError::BadValue), "neither a device nor an account");
    }
}

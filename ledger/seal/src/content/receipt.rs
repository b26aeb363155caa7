//! How far a device has come: what it holds and what its person has read.
//!
//! ```text
//! count 4, each: log 32 | delivered 8 | read 8        ascending by log
//! ```
//!
//! One receipt stands for all messages before its watermarks, so that a hundred messages cost one. It names logs, since
//! the conversation goes on under another one when its keys change. **Delivered**: so many entries, from the first on, are
//! on the device. **Read**: up to there its person has seen them, as far as a program can know. A receipt without
//! watermarks is sent for the view that every content carries, and says no more than that. `// SPEC 22.5`

use waxwing_core::codec::{CodecError, Decode, Encode, Reader, put_list};
use waxwing_core::keys::LogId;

use crate::limits::WATERMARKS_MAX;

/// Bytes of a watermark.
const WATERMARK_BYTES: usize = 32 + 8 + 8;

/// How far a device has come in one log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watermark {
    /// The log.
    pub log: LogId,
    /// Entries, from its first on, that are on the device. At least one.
    pub delivered: u64,
    /// Entries, from its first on, that were read: at most as many.
    pub read: u64,
}

impl Encode for Watermark {
    fn encode(&self, out: &mut Vec<u8>) {
        self.log.encode(out);
        out.extend_from_slice(&self.delivered.to_be_bytes());
        out.extend_from_slice(&self.read.to_be_bytes());
    }
}

impl Decode for Watermark {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            log: LogId::decode(reader)?,
            delivered: reader.u64()?,
            read: reader.u64()?,
        })
    }
}

/// Watermarks, one for each log, in the order of the logs' bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Receipt(Vec<Watermark>);

impl Receipt {
    /// Watermarks in any order; `None` for two about one log, for one that says nothing or the impossible, and for more than
    /// [`WATERMARKS_MAX`].
    #[must_use]
    pub fn new(mut watermarks: Vec<Watermark>) -> Option<Self> {
        watermarks.sort_by_key(|watermark| watermark.log);
        let fits = u32::try_from(watermarks.len()).is_ok_and(|count| count <= WATERMARKS_MAX);
        (fits && are_sound(&watermarks)).then_some(Self(watermarks))
    }

    /// The watermarks.
    #[must_use]
    pub fn watermarks(&self) -> &[Watermark] {
        &self.0
    }
}

fn are_sound(watermarks: &[Watermark]) -> bool {
    let ascend = watermarks
        .iter()
        .zip(watermarks.iter().skip(1))
        .all(|(one, next)| one.log < next.log);
    let possible = |mark: &Watermark| mark.delivered > 0 && mark.read <= mark.delivered;
    ascend && watermarks.iter().all(possible)
}

impl Encode for Receipt {
    fn encode(&self, out: &mut Vec<u8>) {
        put_list(out, &self.0);
    }
}

impl Decode for Receipt {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let watermarks = reader.list(WATERMARKS_MAX, WATERMARK_BYTES)?;
        if are_sound(&watermarks) {
            Ok(Self(watermarks))
        } else {
            Err(CodecError::BadValue)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(log: u8, delivered: u64, read: u64) -> Watermark {
        Watermark {
            log: LogId([log; 32]),
            delivered,
            read,
        }
    }

    #[test]
    fn a_receipt_has_one_watermark_for_each_log_and_none_that_cannot_be() {
        let receipt = Receipt::new(vec![mark(2, 5, 5), mark(1, 3, 0)]).unwrap();
        assert_eq!(receipt.watermarks(), [mark(1, 3, 0), mark(2, 5, 5)]);
        assert_eq!(Receipt::from_bytes(&receipt.to_bytes()), Ok(receipt));
        assert_eq!(Receipt::new(vec![mark(1, 3, 0), mark(1, 4, 0)]), None);
        assert_eq!(Receipt::new(vec![mark(1, 3, 4)]), None, "read and not delivered");
        assert_eq!(Receipt::new(vec![mark(1, 0, 0)]), None, "it says nothing");
        let crowd = (0..=u8::try_from(WATERMARKS_MAX).unwrap()).map(|log| mark(log, 1, 1));
        assert_eq!(Receipt::new(crowd.collect()), None);
        assert_eq!(Receipt::from_bytes(&[0; 4]), Ok(Receipt::default()));
    }

    #[test]
    fn a_receipt_in_another_order_is_refused() {
        let bytes = |marks: &[Watermark]| {
            let mut out = Vec::new();
            put_list(&mut out, marks);
            out
        };
        let broken = [
            vec![mark(2, 1, 1), mark(1, 1, 1)],
            vec![mark(1, 1, 1), mark(1, 1, 1)],
            vec![mark(1, 1, 2)],
            vec![mark(1, 0, 0)],
        ];
        for broken in broken {
            assert_eq!(
                Receipt::from_bytes(&bytes(&broken)),
                Err(CodecError::BadValue),
                "{broken:?}"
            );
        }
    }
}

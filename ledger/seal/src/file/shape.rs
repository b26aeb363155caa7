//! What a length decides: how a file is padded, into how many pieces it is cut, and how deep its lists of ids are.
//!
//! Nodes see how many chunks came in a row and how long the last one is. So the whole is padded first: a photograph that
//! is known elsewhere could else be recognised by its size. It is padded like a body (Padmé: at most 12 % above 4 kB, 3 % at
//! a gigabyte, O(log log L) bits leak), with 4 kB as the smallest size, because a file costs a chunk anyway. Then it is cut
//! into pieces of one size; the last takes the rest, which Padmé has made one of few. `// SPEC 29.1`

use crate::limits::{FILE_BYTES_MAX, IDS_IN_MANIFEST_MAX, PIECE_BYTES};
use crate::padding::padme;

/// Smallest padded text.
const PADDED_BYTES_MIN: u64 = 4096;

/// Bytes of an id in a list.
const ID_BYTES: u64 = 32;

/// How a text of a known length is padded and cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    length: u64,
    padded: u64,
    pieces: u32,
}

/// One piece of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    /// Where it starts in the text.
    pub start: u64,
    /// Bytes of the text in it: none where it is padding alone.
    pub text: usize,
    /// Bytes with the zeros behind the text.
    pub padded: usize,
    /// Whether it is the last one.
    pub is_last: bool,
}

impl Shape {
    /// The shape of a text; `None` above the largest file.
    #[must_use]
    pub fn of(length: u64) -> Option<Self> {
        if length > FILE_BYTES_MAX {
            return None;
        }
        let padded = padme(length.max(PADDED_BYTES_MIN));
        let pieces = u32::try_from(padded.div_ceil(u64::from(PIECE_BYTES))).ok()?;
        Some(Self { length, padded, pieces })
    }

    /// Bytes of the text.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Bytes with the padding.
    #[must_use]
    pub const fn padded(&self) -> u64 {
        self.padded
    }

    /// Pieces, at least one.
    #[must_use]
    pub const fn pieces(&self) -> u32 {
        self.pieces
    }

    /// The piece at a position; `None` behind the last one.
    #[must_use]
    pub fn extent(&self, position: u32) -> Option<Extent> {
        if position >= self.pieces {
            return None;
        }
        let start = u64::from(position) * u64::from(PIECE_BYTES);
        let padded = (self.padded - start).min(u64::from(PIECE_BYTES));
        let text = self.length.saturating_sub(start).min(padded);
        Some(Extent {
            start,
            text: usize::try_from(text).ok()?,
            padded: usize::try_from(padded).ok()?,
            is_last: position + 1 == self.pieces,
        })
    }
}

/// The shapes of a file, of the list of its chunks' ids, of the list of that list's, and so on; the last one has as few
/// chunks as a manifest lists. `None` above the largest file.
#[must_use]
pub fn levels(length: u64) -> Option<Vec<Shape>> {
    let mut last = Shape::of(length)?;
    let mut shapes = vec![last];
    while last.pieces > IDS_IN_MANIFEST_MAX {
        last = Shape::of(u64::from(last.pieces) * ID_BYTES)?;
        shapes.push(last);
    }
    Some(shapes)
}

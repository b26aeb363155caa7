//! Frames: where one message ends and the next begins on a stream of bytes.
//!
//! ```text
//! +----------------+---------------------------+
//! | length u32 BE  | payload: `length` bytes   |   length >= 1, at most what the message's kind allows
//! +----------------+---------------------------+
//! ```
//!
//! [`FrameReader`] is fed whatever pieces arrive. It refuses a length beyond its limit when the four bytes of the length
//! are there, before it has allocated anything for it; and it never holds more than twice what has really arrived, so
//! that announcing a megabyte costs the peer a megabyte too.

use bytes::Bytes;

use super::codec::{self, Message, WireError};

/// Bytes in front of each payload.
pub const FRAME_HEADER_BYTES: usize = 4;

/// Below this much a payload is allocated at once; a larger one grows with what arrives.
const AT_ONCE_BYTES: usize = 16 << 10;

/// Why a stream of bytes is not a stream of frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameError {
    /// A frame says that it is longer than allowed.
    Oversize {
        /// What it says.
        length: u32,
        /// What is allowed.
        limit: usize,
    },
    /// A frame says that it holds nothing. No message is empty.
    Empty,
    /// The stream ended in the middle of a frame.
    Half,
}

impl core::fmt::Display for FrameError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Oversize { length, limit } => {
                write!(f, "a frame of {length} bytes was announced, {limit} are allowed")
            }
            Self::Empty => f.write_str("an empty frame"),
            Self::Half => f.write_str("the stream ended in the middle of a frame"),
        }
    }
}

impl core::error::Error for FrameError {}

/// Encodes `message` as one frame.
///
/// # Errors
/// If the message is beyond its limits.
pub fn frame<M: Message>(message: &M) -> Result<Bytes, WireError> {
    let mut out = vec![0; FRAME_HEADER_BYTES];
    codec::encode(message, &mut out)?;
    let length = u32::try_from(out.len() - FRAME_HEADER_BYTES).map_err(|_| WireError::TooLong)?;
    for (slot, byte) in out.iter_mut().zip(length.to_be_bytes()) {
        *slot = byte;
    }
    Ok(out.into())
}

/// Cuts a stream of bytes into payloads.
#[derive(Debug)]
pub struct FrameReader {
    limit: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// So many bytes of the length are here.
    Length {
        bytes: [u8; FRAME_HEADER_BYTES],
        have: usize,
    },
    /// The length is known, so much of the payload is here.
    Payload { length: usize, payload: Vec<u8> },
}

impl State {
    const START: Self = Self::Length {
        bytes: [0; FRAME_HEADER_BYTES],
        have: 0,
    };
}

impl FrameReader {
    /// Reads frames whose payload has at most `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            limit,
            state: State::START,
        }
    }

    /// Takes bytes off the front of `input` until a payload is complete or `input` is empty.
    ///
    /// Call it again with the rest after a payload: more may follow.
    ///
    /// # Errors
    /// If a length is not allowed. The stream cannot be understood any further then.
    pub fn feed(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, FrameError> {
        loop {
            match &mut self.state {
                State::Length { bytes, have } => {
                    while let (Some(slot), Some((byte, rest))) = (bytes.get_mut(*have), input.split_first()) {
                        *slot = *byte;
                        *input = rest;
                        *have += 1;
                    }
                    if *have < FRAME_HEADER_BYTES {
                        return Ok(None);
                    }
                    let length = allowed(u32::from_be_bytes(*bytes), self.limit)?;
                    self.state = State::Payload {
                        length,
                        payload: Vec::with_capacity(length.min(AT_ONCE_BYTES)),
                    };
                }
                State::Payload { length, payload } => {
                    let wanted = *length - payload.len();
                    let (now, rest) = input.split_at_checked(wanted).unwrap_or((*input, &[]));
                    *input = rest;
                    grow(payload, now.len(), *length);
                    payload.extend_from_slice(now);
                    if payload.len() < *length {
                        return Ok(None);
                    }
                    let payload = std::mem::take(payload);
                    self.state = State::START;
                    return Ok(Some(payload));
                }
            }
        }
    }

    /// Length of the payload that is under way, as soon as it is known.
    #[must_use]
    pub const fn expects(&self) -> Option<usize> {
        match &self.state {
            State::Length { .. } => None,
            State::Payload { length, .. } => Some(*length),
        }
    }

    /// Says that the stream has ended.
    ///
    /// # Errors
    /// [`FrameError::Half`] if it ended within a frame.
    pub const fn finish(&self) -> Result<(), FrameError> {
        match self.state {
            State::Length { have: 0, .. } => Ok(()),
            State::Length { .. } | State::Payload { .. } => Err(FrameError::Half),
        }
    }
}

fn allowed(length: u32, limit: usize) -> Result<usize, FrameError> {
    match usize::try_from(length) {
        Ok(0) => Err(FrameError::Empty),
        Ok(length) if length <= limit => Ok(length),
        _ => Err(FrameError::Oversize { length, limit }),
    }
}

/// Makes room for `more` bytes: double what is there, but never beyond the payload's `length`.
fn grow(payload: &mut Vec<u8>, more: usize, length: usize) {
    let needed = payload.len() + more;
    if needed > payload.capacity() {
        let target = needed.max(payload.capacity().saturating_mul(2)).min(length);
        payload.reserve_exact(target - payload.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(payload: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn frames_are_found_however_the_bytes_are_cut() {
        let payloads: [&[u8]; 3] = [b"one", &[7; 40_000], b"3"];
        let stream: Vec<u8> = payloads.iter().flat_map(|payload| framed(payload)).collect();
        for piece in [1, 2, 3, 4, 5, 7, 1400, 16_384, 16_385, stream.len()] {
            let mut reader = FrameReader::new(40_000);
            let mut found = Vec::new();
            for mut chunk in stream.chunks(piece) {
                while let Some(payload) = reader.feed(&mut chunk).unwrap() {
                    found.push(payload);
                }
                assert!(chunk.is_empty());
            }
            assert_eq!(found, payloads, "in pieces of {piece}");
            assert_eq!(reader.finish(), Ok(()));
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_as_soon_as_it_is_known() {
        let mut reader = FrameReader::new(10);
        assert_eq!(reader.feed(&mut &[0, 0, 0][..]), Ok(None));
        assert_eq!(
            reader.feed(&mut &[11][..]),
            Err(FrameError::Oversize { length: 11, limit: 10 })
        );
        let mut reader = FrameReader::new(10);
        assert_eq!(reader.feed(&mut &framed(&[1; 10])[..]), Ok(Some(vec![1; 10])));
    }

    #[test]
    fn an_announced_payload_is_not_allocated_before_it_arrives() {
        let mut reader = FrameReader::new(1 << 30);
        assert_eq!(reader.feed(&mut &(1u32 << 30).to_be_bytes()[..]), Ok(None));
        assert_eq!(reader.expects(), Some(1 << 30));
        let State::Payload { payload, .. } = &reader.state else {
            panic!("the length is known")
        };
        assert!(payload.capacity() <= AT_ONCE_BYTES);
        assert_eq!(reader.feed(&mut &vec![0; 3 * AT_ONCE_BYTES][..]), Ok(None));
        let State::Payload { payload, .. } = &reader.state else {
            panic!("the payload is under way")
        };
        assert!(payload.capacity() <= 6 * AT_ONCE_BYTES);
    }

    #[test]
    fn an_empty_frame_and_a_half_frame_are_refused() {
        assert_eq!(FrameReader::new(10).feed(&mut &[0; 4][..]), Err(FrameError::Empty));
        for cut in 1..framed(b"payload").len() {
            let mut reader = FrameReader::new(10);
            assert_eq!(reader.feed(&mut &framed(b"payload")[..cut]), Ok(None));
            assert_eq!(reader.finish(), Err(FrameError::Half), "after {cut} bytes");
        }
    }
}

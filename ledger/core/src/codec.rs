//! Bytes in and out, the only way that hashed, signed or kept-for-ever bytes are read and written.
//!
//! Big-endian integers of fixed width, `u32` counts, no optional forms: each value has exactly one encoding, so
//! decoding and encoding again gives the same bytes and a hash over them has one meaning. Counts are checked against
//! [`crate::limits`] before anything is allocated; leftover bytes are refused. `// SPEC 2`

use crate::hash::{HASH_BYTES, Hash};

/// Why bytes are not an encoding of what was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CodecError {
    /// The bytes end before the value does.
    Truncated,
    /// Bytes are left after the value.
    Trailing,
    /// A count or length is above the limit for its kind.
    TooLong,
    /// Magic bytes or version are not the expected ones.
    WrongMagic,
    /// A field has a value outside its allowed set.
    BadValue,
}

impl core::fmt::Display for CodecError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the bytes end too early",
            Self::Trailing => "bytes are left over at the end",
            Self::TooLong => "a length is above its limit",
            Self::WrongMagic => "the magic bytes or the version are wrong",
            Self::BadValue => "a field has a value that is not allowed",
        })
    }
}

impl core::error::Error for CodecError {}

/// A value with exactly one encoding.
pub trait Encode {
    /// Appends the encoding to `out`.
    fn encode(&self, out: &mut Vec<u8>);

    /// The encoding as a fresh vector.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }
}

/// The reverse of [`Encode`].
pub trait Decode: Sized {
    /// Reads one value and leaves the reader behind it.
    ///
    /// # Errors
    /// If the bytes are not the encoding of a value of this type.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError>;

    /// Reads a value that takes all of `bytes`.
    ///
    /// # Errors
    /// As [`Decode::decode`], and [`CodecError::Trailing`] if bytes are left.
    fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let value = Self::decode(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }
}

/// Reads values off the front of a byte slice.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the front of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes not yet read.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `count` bytes, borrowed.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] if there are fewer.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], CodecError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] if there are fewer.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// One byte.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] at the end.
    pub fn u8(&mut self) -> Result<u8, CodecError> {
        self.array::<1>().map(u8::from_be_bytes)
    }

    /// Two bytes, big-endian.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] if there are fewer.
    pub fn u16(&mut self) -> Result<u16, CodecError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Four bytes, big-endian.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] if there are fewer.
    pub fn u32(&mut self) -> Result<u32, CodecError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Eight bytes, big-endian.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] if there are fewer.
    pub fn u64(&mut self) -> Result<u64, CodecError> {
        self.array().map(u64::from_be_bytes)
    }

    /// A hash.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] if fewer than 32 bytes are left.
    pub fn hash(&mut self) -> Result<Hash, CodecError> {
        self.array::<HASH_BYTES>().map(Hash)
    }

    /// A `u32` count, at most `limit`, of things that take at least `each` bytes: so that a count alone can never make
    /// the reader allocate more than a small multiple of the bytes that were sent.
    ///
    /// # Errors
    /// [`CodecError::TooLong`] above the limit, [`CodecError::Truncated`] if so many cannot follow.
    pub fn count(&mut self, limit: u32, each: usize) -> Result<usize, CodecError> {
        let count = self.u32()?;
        if count > limit {
            return Err(CodecError::TooLong);
        }
        let count = usize::try_from(count).map_err(|_| CodecError::TooLong)?;
        if count.saturating_mul(each) > self.remaining() {
            return Err(CodecError::Truncated);
        }
        Ok(count)
    }

    /// A `u32` length, at most `limit`, and that many bytes.
    ///
    /// # Errors
    /// [`CodecError::TooLong`] above the limit, [`CodecError::Truncated`] if the bytes end early.
    pub fn bytes(&mut self, limit: u32) -> Result<&'a [u8], CodecError> {
        let count = self.count(limit, 1)?;
        self.take(count)
    }

    /// A list: a `u32` count of at most `limit`, then the values.
    ///
    /// # Errors
    /// As [`Reader::count`] and the values' own errors.
    pub fn list<T: Decode>(&mut self, limit: u32, each: usize) -> Result<Vec<T>, CodecError> {
        let count = self.count(limit, each)?;
        (0..count).map(|_| T::decode(self)).collect()
    }

    /// Demands exactly these bytes.
    ///
    /// # Errors
    /// [`CodecError::WrongMagic`] if others stand there.
    pub fn magic(&mut self, expected: &[u8]) -> Result<(), CodecError> {
        if self.take(expected.len())? == expected {
            Ok(())
        } else {
            Err(CodecError::WrongMagic)
        }
    }

    /// Demands that nothing is left.
    ///
    /// # Errors
    /// [`CodecError::Trailing`] if something is.
    pub const fn finish(&self) -> Result<(), CodecError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(CodecError::Trailing)
        }
    }
}

/// Appends a `u32` count.
///
/// # Panics
/// If `count` does not fit: every list is bounded far below by [`crate::limits`].
pub fn put_count(out: &mut Vec<u8>, count: usize) {
    let count = u32::try_from(count).expect("every list is bounded below u32::MAX by its limit");
    out.extend_from_slice(&count.to_be_bytes());
}

/// Appends a `u32` length and the bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends a list: its count, then its values.
pub fn put_list<T: Encode>(out: &mut Vec<u8>, values: &[T]) {
    put_count(out, values.len());
    for value in values {
        value.encode(out);
    }
}

impl Encode for Hash {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl Decode for Hash {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.hash()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_back_and_each_broken_form_is_refused_by_name() {
        let list = [Hash([1; 32]), Hash([2; 32])];
        let mut bytes = Vec::new();
        put_list(&mut bytes, &list);
        assert_eq!(Reader::new(&bytes).list::<Hash>(2, 32), Ok(list.to_vec()));
        assert_eq!(Reader::new(&bytes).list::<Hash>(1, 32), Err(CodecError::TooLong));
        assert_eq!(
            Reader::new(&bytes[..67]).list::<Hash>(2, 32),
            Err(CodecError::Truncated)
        );
    }

    #[test]
    fn a_huge_count_allocates_nothing() {
        let bytes = u32::MAX.to_be_bytes();
        assert_eq!(
            Reader::new(&bytes).list::<Hash>(u32::MAX, 32),
            Err(CodecError::Truncated)
        );
    }

    #[test]
    fn leftover_bytes_are_refused() {
        let mut bytes = Hash([3; 32]).to_bytes();
        assert_eq!(Hash::from_bytes(&bytes), Ok(Hash([3; 32])));
        bytes.push(0);
        assert_eq!(Hash::from_bytes(&bytes), Err(CodecError::Trailing));
    }
}

//! What messages are made of: opaque ledger values, bounded lists, bounded texts, and the ledger's 32-byte names.
//!
//! Each type refuses what is too much *while* it is read, and copies only what is really there: a length is a claim of
//! a stranger, and a claim must not allocate.

use core::fmt;
use core::ops::Deref;

use bytes::Bytes;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Elements for which a list makes room before it has seen one.
const LIST_AT_ONCE: usize = 16;

/// A ledger value in the encoding of `waxwing-core`. This crate neither reads nor trusts it.
///
/// It is a copy of its own rather than a piece of the frame it came in: one small envelope that waits in a pool would
/// otherwise keep a whole megabyte alive.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Opaque(pub Bytes);

impl Deref for Opaque {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Opaque {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<Bytes> for Opaque {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opaque({} bytes)", self.0.len())
    }
}

impl Serialize for Opaque {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Opaque {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowed;

        impl Visitor<'_> for Borrowed {
            type Value = Opaque;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Opaque, E> {
                Ok(Opaque(Bytes::copy_from_slice(bytes)))
            }
        }

        // Not `deserialize_byte_buf`: it would allocate the claimed length before looking for the bytes.
        deserializer.deserialize_bytes(Borrowed)
    }
}

/// At most `MAX` values.
#[derive(Clone, PartialEq, Eq)]
pub struct List<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> List<T, MAX> {
    /// No values.
    pub const EMPTY: Self = Self(Vec::new());

    /// The values, if there are not too many.
    #[must_use]
    pub fn new(values: Vec<T>) -> Option<Self> {
        (values.len() <= MAX).then_some(Self(values))
    }

    /// The values.
    #[must_use]
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T, const MAX: usize> Deref for List<T, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MAX: usize> IntoIterator for List<T, MAX> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<T: fmt::Debug, const MAX: usize> fmt::Debug for List<T, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Serialize, const MAX: usize> Serialize for List<T, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bounded<T, const MAX: usize>(core::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Bounded<T, MAX> {
            type Value = List<T, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {MAX} values")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
                let claimed = values.size_hint().unwrap_or(0);
                if claimed > MAX {
                    return Err(A::Error::custom("too many values"));
                }
                let mut list = Vec::with_capacity(claimed.min(LIST_AT_ONCE));
                while let Some(value) = values.next_element()? {
                    if list.len() == MAX {
                        return Err(A::Error::custom("too many values"));
                    }
                    list.push(value);
                }
                Ok(List(list))
            }
        }

        deserializer.deserialize_seq(Bounded(core::marker::PhantomData))
    }
}

/// A line of text for people, at most `MAX` bytes of UTF-8, without control characters.
///
/// That keeps terminal escapes and line breaks out of logs; whoever shows it on a screen neutralises the rest
/// (bidirectional controls, look-alikes) as with every text of others.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// The text, if it is short enough and has no control characters.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        Self::is_allowed(text).then(|| Self(text.to_owned()))
    }

    fn is_allowed(text: &str) -> bool {
        text.len() <= MAX && !text.chars().any(char::is_control)
    }
}

impl<const MAX: usize> Deref for Text<MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const MAX: usize> Serialize for Text<MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Line<const MAX: usize>;

        impl<const MAX: usize> Visitor<'_> for Line<MAX> {
            type Value = Text<MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a line of at most {MAX} bytes")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Text<MAX>, E> {
                Text::new(text).ok_or_else(|| E::custom("a text that is too long or holds control characters"))
            }
        }

        deserializer.deserialize_str(Line)
    }
}

/// The ledger's 32-byte names (hashes, logs, nodes) in messages: the bytes as they are.
pub(crate) mod name {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use waxwing_core::Hash;
    use waxwing_core::chunk::ChunkId;
    use waxwing_core::envelope::ErasureSecret;
    use waxwing_core::keys::{LogId, NodeId};

    /// A value that is 32 bytes.
    pub(crate) trait Name {
        /// From the bytes.
        fn from_bytes(bytes: [u8; 32]) -> Self;
        /// The bytes.
        fn bytes(&self) -> [u8; 32];
    }

    macro_rules! name {
        ($($type:ident),+) => {$(
            impl Name for $type {
                fn from_bytes(bytes: [u8; 32]) -> Self {
                    Self(bytes)
                }

                fn bytes(&self) -> [u8; 32] {
                    self.0
                }
            }
        )+};
    }

    name!(Hash, LogId, NodeId, ErasureSecret, ChunkId);

    pub(crate) fn serialize<N: Name, S: Serializer>(name: &N, serializer: S) -> Result<S::Ok, S::Error> {
        name.bytes().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, N: Name, D: Deserializer<'de>>(deserializer: D) -> Result<N, D::Error> {
        <[u8; 32]>::deserialize(deserializer).map(N::from_bytes)
    }
}

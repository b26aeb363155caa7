//! One piece, sealed into a chunk and opened again: the STREAM construction over XChaCha20-Poly1305.
//!
//! ```text
//! key of a level = derive_key("waxwing v1 file level"; file key || level)
//! chunk          = XChaCha20-Poly1305(key, zeros 19 || position u32 || last 1; text || zeros) || tag 16
//! ```
//!
//! STREAM (Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance",
//! 2015) puts the position and whether it is the last into the nonce. So a chunk opens in its own place of its own file and
//! nowhere else: leaving out, repeating and swapping pieces fails, and so does an end that is none. The construction is the
//! library's; ours is only that the first 19 bytes are zeros, since no two texts share a key. `// SPEC 29.2`

use core::fmt;

use aead_stream::{NewStream, StreamBE32, StreamPrimitive};
use chacha20poly1305::XChaCha20Poly1305;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::shape::Shape;
use crate::channel::derive;
use crate::limits::PIECE_TAG_BYTES;
use crate::{Chance, draw};

const LEVEL_CONTEXT: &str = "waxwing v1 file level";

/// What the nonce begins with: the key belongs to one text, so nothing else has to be told apart.
const NONCE_PREFIX: [u8; 19] = [0; 19];

/// The key of one file. Wiped when dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct FileKey([u8; 32]);

impl FileKey {
    /// The key of a file that was never sealed before.
    #[must_use]
    pub fn random(chance: &mut Chance<'_>) -> Self {
        Self(draw(chance))
    }

    /// A key from a manifest, or from the local store.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes, for the local store and the manifest.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals and opens the pieces of one level: 0 is the file, 1 the list of its chunks' ids, and so on.
    #[must_use]
    pub fn level(&self, level: u32, shape: Shape) -> Level {
        let key = derive(LEVEL_CONTEXT, &[&self.0, &level.to_be_bytes()]);
        Level {
            stream: StreamBE32::new(&(*key).into(), &NONCE_PREFIX.into()),
            shape,
        }
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKey(..)")
    }
}

/// Why bytes are not the chunk of a piece, or a text not that of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PieceError {
    /// There is no piece at this position.
    NoPiece,
    /// The text or the chunk has another length than this piece.
    WrongLength,
    /// The cipher refuses: another key, another place, or altered.
    Broken,
    /// There is something behind the end of the text.
    BadPadding,
}

impl fmt::Display for PieceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPiece => "the file has no piece there",
            Self::WrongLength => "a piece of the file has another length than its manifest says",
            Self::Broken => "a piece of the file does not open in its place",
            Self::BadPadding => "there is something behind the end of the file",
        })
    }
}

impl core::error::Error for PieceError {}

/// The pieces of one text.
pub struct Level {
    stream: StreamBE32<XChaCha20Poly1305>,
    shape: Shape,
}

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Level({:?})", self.shape)
    }
}

impl Level {
    /// How the text is cut.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// Seals the piece at a position. The same text there gives the same chunk; **another text there must never be sealed
    /// under the same key and shown to anybody**: two chunks of one position tell the difference of their texts.
    ///
    /// # Errors
    /// If there is no such piece, or its text has another length.
    ///
    /// # Panics
    /// Never: the cipher refuses only texts above 256 GiB.
    pub fn seal(&self, position: u32, text: &[u8]) -> Result<Vec<u8>, PieceError> {
        let extent = self.shape.extent(position).ok_or(PieceError::NoPiece)?;
        if text.len() != extent.text {
            return Err(PieceError::WrongLength);
        }
        // Reserved whole: a vector that grew would leave pieces of the plain text behind in freed memory.
        let mut chunk = Vec::with_capacity(extent.padded + PIECE_TAG_BYTES);
        chunk.extend_from_slice(text);
        chunk.resize(extent.padded, 0);
        self.stream
            .encrypt_in_place(position, extent.is_last, &[], &mut chunk)
            .expect("the cipher refuses only texts above 256 GiB, and a piece has at most 256 KiB");
        Ok(chunk)
    }

    /// The text of the piece at a position.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn open(&self, position: u32, chunk: &[u8]) -> Result<Zeroizing<Vec<u8>>, PieceError> {
        let extent = self.shape.extent(position).ok_or(PieceError::NoPiece)?;
        if chunk.len() != extent.padded + PIECE_TAG_BYTES {
            return Err(PieceError::WrongLength);
        }
        let mut text = Zeroizing::new(chunk.to_vec());
        self.stream
            .decrypt_in_place(position, extent.is_last, &[], &mut *text)
            .map_err(|_| PieceError::Broken)?;
        let zeros = text.get(extent.text..).ok_or(PieceError::WrongLength)?;
        if zeros.iter().any(|byte| *byte != 0) {
            return Err(PieceError::BadPadding);
        }
        text.truncate(extent.text);
        Ok(text)
    }
}

//! How a passphrase opens a home.
//!
//! ```text
//! passphrase ──Argon2id(salt, cost)──> wrapping key ──opens──> database key ──> SQLCipher
//!                    └──────────── key file, 108 bytes ──────────────┘
//! ```
//!
//! The database key is random and only wrapped by the passphrase: so a wrong passphrase is told apart from a damaged
//! file (the wrapping has a tag of its own), and a passphrase can be changed without writing the database again. Cost
//! and salt stand in the key file and are covered by the tag: whoever makes them cheaper only makes the file useless.

use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, Tag, XChaCha20Poly1305, XNonce};
use waxwing_core::codec::{CodecError, Decode, Encode, Reader};
use zeroize::Zeroizing;

use super::home::HomeError;
use crate::chance;
use crate::limits::{KDF_LANES_MAX, KDF_MEMORY_KIB_MAX, KDF_PASSES_MAX, PASSPHRASE_BYTES_MAX};

/// First bytes of a key file; the last one is the version.
const KEY_FILE_MAGIC: [u8; 8] = *b"WXHOME\x00\x01";

const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;
const KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 16;

/// What a person types to open a home. Wiped when dropped, never shown.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Takes what was typed.
    ///
    /// # Errors
    /// [`HomeError::UnusablePassphrase`] if it is empty or longer than 1024 bytes.
    pub fn new(typed: &str) -> Result<Self, HomeError> {
        Self::from_bytes(typed.as_bytes())
    }

    /// Reads a passphrase file: its first line, for use without a person.
    ///
    /// # Errors
    /// If it cannot be read, or its first line is no passphrase.
    pub fn from_file(path: &Path) -> Result<Self, HomeError> {
        let bytes = Zeroizing::new(std::fs::read(path).map_err(|error| HomeError::io(path, &error))?);
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Self::from_bytes(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, HomeError> {
        if bytes.is_empty() || bytes.len() > PASSPHRASE_BYTES_MAX {
            return Err(HomeError::UnusablePassphrase);
        }
        Ok(Self(Zeroizing::new(bytes.to_vec())))
    }
}

impl Passphrase {
    /// As it was typed, if that is text.
    pub(super) fn text(&self) -> Option<&str> {
        core::str::from_utf8(&self.0).ok()
    }
}

impl core::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// What guessing one passphrase costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    /// 64 MiB, three passes, four lanes: the second recommendation of RFC 9106 section 4, about a tenth of a second.
    pub const RECOMMENDED: Self = Self {
        memory_kib: 64 << 10,
        passes: 3,
        lanes: 4,
    };

    /// Another cost; `None` outside of what Argon2 and a laptop can do.
    #[must_use]
    pub const fn new(memory_kib: u32, passes: u32, lanes: u32) -> Option<Self> {
        let lanes_fit = 1 <= lanes && lanes <= KDF_LANES_MAX;
        let passes_fit = 1 <= passes && passes <= KDF_PASSES_MAX;
        if lanes_fit && passes_fit && 8 * lanes <= memory_kib && memory_kib <= KDF_MEMORY_KIB_MAX {
            Some(Self {
                memory_kib,
                passes,
                lanes,
            })
        } else {
            None
        }
    }
}

/// The key of the database. Wiped when dropped, never shown.
pub(crate) struct DatabaseKey(Zeroizing<[u8; KEY_BYTES]>);

impl DatabaseKey {
    fn random() -> Self {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        chance::fill(&mut *key);
        Self(key)
    }

    /// As SQLCipher takes a raw key, which spares its own derivation: `x'<64 digits>'`.
    pub(crate) fn literal(&self) -> Zeroizing<String> {
        // Reserved whole: a string that grew would leave pieces of the key behind in freed memory.
        let mut literal = Zeroizing::new(String::with_capacity(3 + 2 * KEY_BYTES));
        literal.push_str("x'");
        for byte in self.0.iter() {
            for digit in [byte >> 4, byte & 15] {
                literal.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
        }
        literal.push('\'');
        literal
    }
}

/// The content of the key file. Says nothing to whoever lacks the passphrase.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct KeyFile {
    cost: Cost,
    salt: [u8; SALT_BYTES],
    nonce: [u8; NONCE_BYTES],
    wrapped: [u8; KEY_BYTES],
    tag: [u8; TAG_BYTES],
}

impl KeyFile {
    /// Draws a database key and wraps it.
    pub(crate) fn create(passphrase: &Passphrase, cost: Cost) -> Result<(Self, DatabaseKey), HomeError> {
        let key = DatabaseKey::random();
        Ok((Self::wrap(&key, passphrase, cost)?, key))
    }

    /// Wraps a database key under a passphrase, with fresh salt.
    pub(crate) fn wrap(key: &DatabaseKey, passphrase: &Passphrase, cost: Cost) -> Result<Self, HomeError> {
        let (mut salt, mut nonce) = ([0; SALT_BYTES], [0; NONCE_BYTES]);
        chance::fill(&mut salt);
        chance::fill(&mut nonce);
        let mut file = Self {
            cost,
            salt,
            nonce,
            wrapped: *key.0,
            tag: [0; TAG_BYTES],
        };
        let (cipher, front) = (file.cipher(passphrase)?, file.front());
        let nonce = XNonce::from(nonce);
        let tag = cipher
            .encrypt_inout_detached(&nonce, &front, file.wrapped.as_mut_slice().into())
            .expect("the cipher refuses only texts above 256 GiB");
        file.tag = tag.into();
        Ok(file)
    }

    /// The database key.
    ///
    /// # Errors
    /// [`HomeError::WrongPassphrase`]; an altered key file looks the same.
    pub(crate) fn open(&self, passphrase: &Passphrase) -> Result<DatabaseKey, HomeError> {
        let cipher = self.cipher(passphrase)?;
        let mut key = Zeroizing::new(self.wrapped);
        cipher
            .decrypt_inout_detached(
                &XNonce::from(self.nonce),
                &self.front(),
                key.as_mut_slice().into(),
                &Tag::from(self.tag),
            )
            .map_err(|_| HomeError::WrongPassphrase)?;
        Ok(DatabaseKey(key))
    }

    fn cipher(&self, passphrase: &Passphrase) -> Result<XChaCha20Poly1305, HomeError> {
        let Cost {
            memory_kib,
            passes,
            lanes,
        } = self.cost;
        let params = Params::new(memory_kib, passes, lanes, Some(KEY_BYTES)).map_err(|_| HomeError::BadKeyFile)?;
        let mut wrapping = Zeroizing::new([0; KEY_BYTES]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(&passphrase.0, &self.salt, &mut *wrapping)
            .map_err(|_| HomeError::NoMemory)?;
        Ok(XChaCha20Poly1305::new(&(*wrapping).into()))
    }

    /// What the tag covers beside the key.
    fn front(&self) -> Vec<u8> {
        let mut front = KEY_FILE_MAGIC.to_vec();
        for number in [self.cost.memory_kib, self.cost.passes, self.cost.lanes] {
            front.extend_from_slice(&number.to_be_bytes());
        }
        front.extend_from_slice(&self.salt);
        front
    }
}

impl Encode for KeyFile {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.front());
        out.extend_from_slice(&self.nonce);
        out.extend_from_slice(&self.wrapped);
        out.extend_from_slice(&self.tag);
    }
}

impl Decode for KeyFile {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.magic(&KEY_FILE_MAGIC)?;
        let cost = Cost::new(reader.u32()?, reader.u32()?, reader.u32()?).ok_or(CodecError::BadValue)?;
        Ok(Self {
            cost,
            salt: reader.array()?,
            nonce: reader.array()?,
            wrapped: reader.array()?,
            tag: reader.array()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost::new(64, 1, 1).unwrap();

    fn passphrase(typed: &str) -> Passphrase {
        Passphrase::new(typed).unwrap()
    }

    #[test]
    fn the_passphrase_opens_the_key_and_another_one_does_not() {
        let (file, key) = KeyFile::create(&passphrase("correct horse"), CHEAP).unwrap();
        let bytes = file.to_bytes();
        assert_eq!(bytes.len(), 108);
        let read = KeyFile::from_bytes(&bytes).unwrap();
        assert_eq!(read.open(&passphrase("correct horse")).unwrap().0, key.0);
        assert_eq!(
            read.open(&passphrase("Correct horse")).err(),
            Some(HomeError::WrongPassphrase)
        );
        assert!(!bytes.windows(8).any(|part| part == &key.0[..8]), "the key is wrapped");
    }

    #[test]
    fn every_altered_byte_of_a_key_file_is_refused() {
        let (file, _) = KeyFile::create(&passphrase("p"), CHEAP).unwrap();
        let bytes = file.to_bytes();
        for place in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[place] ^= 1;
            let opened = KeyFile::from_bytes(&altered).map(|file| file.open(&passphrase("p")).is_ok());
            assert_ne!(opened, Ok(true), "byte {place}");
        }
    }

    #[test]
    fn a_key_file_cannot_ask_for_more_memory_than_a_laptop_has() {
        let (file, _) = KeyFile::create(&passphrase("p"), CHEAP).unwrap();
        let mut bytes = file.to_bytes();
        bytes[8..12].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(KeyFile::from_bytes(&bytes).err(), Some(CodecError::BadValue));
        assert_eq!(Cost::new(7, 1, 1), None, "Argon2 needs 8 KiB per lane");
        assert_eq!(Cost::new(1 << 20, 1, 0), None);
    }

    #[test]
    fn a_passphrase_file_is_read_up_to_its_first_line_break() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        let (file, _) = KeyFile::create(&passphrase("two words"), CHEAP).unwrap();
        for content in ["two words", "two words\n", "two words\r\n", "two words\nmore"] {
            std::fs::write(&path, content).unwrap();
            assert!(file.open(&Passphrase::from_file(&path).unwrap()).is_ok(), "{content:?}");
        }
        for content in ["", "\n", "\r\n", &"x".repeat(1025)] {
            std::fs::write(&path, content).unwrap();
            let refused = Passphrase::from_file(&path).err();
            assert_eq!(refused, Some(HomeError::UnusablePassphrase));
        }
        assert!(Passphrase::from_file(&folder.path().join("none")).is_err());
    }

    #[test]
    fn debug_output_shows_no_secret() {
        assert_eq!(format!("{:?}", passphrase("hunter2")), "Passphrase(..)");
    }
}

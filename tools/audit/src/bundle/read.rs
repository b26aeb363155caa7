//! Reading a bundle: no length is believed before it is compared with its limit.

use core::fmt;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use blake3::Hasher;
use waxwing_core::block::CertifiedBlock;
use waxwing_core::codec::Decode;
use waxwing_core::genesis::Genesis;

use super::{BLOCK_BYTES_MAX, BUNDLE_CONTEXT, BUNDLE_MAGIC, END_BYTES, GENESIS_BYTES_MAX};
use crate::source::{HistorySource, SourceBlock, SourceError, SourceKind};

/// A bundle that is being read.
pub struct Bundle<R> {
    input: Input<R>,
    genesis: Genesis,
    claimed: Option<u64>,
    blocks: u64,
}

impl<R> fmt::Debug for Bundle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bundle(after block {})", self.blocks)
    }
}

impl Bundle<BufReader<File>> {
    /// Opens a bundle file. Its end mark is looked at first, for the number of blocks; that is believed only when it is
    /// read again at the end.
    ///
    /// # Errors
    /// As [`Bundle::read`].
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let mut file = File::open(path).map_err(|error| failed(&error))?;
        let claimed = claimed(&mut file).map_err(|error| failed(&error))?;
        let mut bundle = Self::read(BufReader::with_capacity(1 << 20, file))?;
        bundle.claimed = claimed;
        Ok(bundle)
    }
}

impl<R: Read> Bundle<R> {
    /// Reads the beginning of a bundle, up to its first block.
    ///
    /// # Errors
    /// [`SourceError::Malformed`] if it is none, [`SourceError::Failed`] if it cannot be read now.
    pub fn read(input: R) -> Result<Self, SourceError> {
        let mut input = Input {
            input,
            hasher: Hasher::new_derive_key(BUNDLE_CONTEXT),
            part: Vec::new(),
        };
        let is_bundle = input.array()? == Some(BUNDLE_MAGIC);
        if !is_bundle {
            return Err(malformed(
                "this is not a bundle: it does not start as one (histories are data directories, bundles that `waxwing export` wrote, \
                 and running nodes)",
            ));
        }
        let genesis = match input.length()? {
            Some(length) if length <= GENESIS_BYTES_MAX => input.part(length)?,
            _ => None,
        };
        let genesis = genesis.and_then(|bytes| Genesis::from_bytes(bytes).ok());
        let genesis = genesis.ok_or_else(|| malformed("the bundle's founding facts cannot be read"))?;
        Ok(Self {
            input,
            genesis,
            claimed: None,
            blocks: 0,
        })
    }

    /// The next block, or `None` behind a right end mark.
    fn next(&mut self) -> Result<Option<CertifiedBlock>, SourceError> {
        let height = self.blocks.saturating_add(1);
        let length = match self.input.length()? {
            Some(0) => return self.end().map(|()| None),
            Some(length) if length <= BLOCK_BYTES_MAX => length,
            Some(length) => {
                let what = format!("block {height} of the bundle is said to have {length} bytes: none has so many");
                return Err(malformed(what));
            }
            None => return Err(cut_off(self.blocks)),
        };
        let part = self.input.part(length)?;
        let part = part.ok_or_else(|| cut_off(height.saturating_sub(1)))?;
        let block = CertifiedBlock::from_bytes(part)
            .map_err(|error| malformed(format!("block {height} of the bundle cannot be read: {error}")))?;
        self.blocks = height;
        Ok(Some(block))
    }

    /// Reads the rest of the end mark, and that nothing follows it.
    fn end(&mut self) -> Result<(), SourceError> {
        let count = self.input.array()?.map(u64::from_be_bytes);
        let expected = *self.input.hasher.finalize().as_bytes();
        let hash = self.input.array::<32>()?;
        let (Some(count), Some(hash)) = (count, hash) else {
            return Err(cut_off(self.blocks));
        };
        if count != self.blocks {
            let blocks = self.blocks;
            let what = format!("the bundle's end mark speaks of {count} blocks, and there are {blocks}");
            return Err(malformed(what));
        }
        if hash != expected {
            return Err(malformed(
                "the bundle does not have the hash that its end mark names: the file was damaged",
            ));
        }
        match self.input.array::<1>()? {
            None => Ok(()),
            Some(_) => Err(malformed("there is something behind the bundle's end mark")),
        }
    }
}

impl<R: Read + Send> HistorySource for Bundle<R> {
    fn kind(&self) -> SourceKind {
        SourceKind::Bundle
    }

    fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    fn claimed(&self) -> Option<u64> {
        self.claimed
    }

    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceError> {
        Ok(self.next()?.map(SourceBlock::from))
    }
}

/// Bytes that are hashed as they are read.
struct Input<R> {
    input: R,
    hasher: Hasher,
    part: Vec<u8>,
}

impl<R: Read> Input<R> {
    /// So many bytes; `None` if there are fewer.
    fn array<const N: usize>(&mut self) -> Result<Option<[u8; N]>, SourceError> {
        let mut bytes = [0; N];
        match self.input.read_exact(&mut bytes) {
            Ok(()) => {
                self.hasher.update(&bytes);
                Ok(Some(bytes))
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    fn length(&mut self) -> Result<Option<u32>, SourceError> {
        Ok(self.array()?.map(u32::from_be_bytes))
    }

    /// So many bytes, which the caller has compared with a limit; `None` if there are fewer.
    fn part(&mut self, length: u32) -> Result<Option<&[u8]>, SourceError> {
        self.part.clear();
        let read = self.input.by_ref().take(u64::from(length)).read_to_end(&mut self.part);
        let read = read.map_err(|error| failed(&error))?;
        if u32::try_from(read) != Ok(length) {
            return Ok(None);
        }
        self.hasher.update(&self.part);
        Ok(Some(&self.part))
    }
}

/// The number of blocks in the end mark, if there is something of its form.
fn claimed(file: &mut File) -> io::Result<Option<u64>> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut mark = [0; 12];
    if let Some(start) = length.checked_sub(END_BYTES) {
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut mark)?;
    }
    file.rewind()?;
    let [0, 0, 0, 0, count @ ..] = mark else {
        return Ok(None);
    };
    Ok(Some(u64::from_be_bytes(count)).filter(|_| length > END_BYTES))
}

fn cut_off(last: u64) -> SourceError {
    malformed(format!(
        "the bundle breaks off after block {last}: it has no end mark, so the file was not copied to its end"
    ))
}

fn malformed(what: impl Into<String>) -> SourceError {
    SourceError::Malformed { what: what.into() }
}

fn failed(error: &io::Error) -> SourceError {
    SourceError::Failed(error.to_string())
}

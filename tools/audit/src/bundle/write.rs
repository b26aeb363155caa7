//! Writing a bundle, block by block, with nothing held but the block at hand.

use core::fmt;
use std::io::{self, Write};

use blake3::Hasher;
use waxwing_core::block::CertifiedBlock;
use waxwing_core::codec::Encode;
use waxwing_core::genesis::Genesis;

use super::{BUNDLE_CONTEXT, BUNDLE_MAGIC};
use crate::pipeline::Progress;
use crate::source::{HistorySource, SourceBlock, SourceError};

/// Writes a bundle.
pub struct Writer<W> {
    out: W,
    hasher: Hasher,
    blocks: u64,
    bytes: u64,
    buffer: Vec<u8>,
}

impl<W> fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writer({} blocks, {} bytes)", self.blocks, self.bytes)
    }
}

/// What was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exported {
    /// Blocks.
    pub blocks: u64,
    /// Entries in them.
    pub entries: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Why a history could not be written as a bundle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExportError {
    /// The source ends before its end.
    Source {
        /// Height of the block that could not be read.
        height: u64,
        /// Why.
        error: SourceError,
    },
    /// A block lacks entries.
    Incomplete {
        /// Its height.
        height: u64,
    },
    /// The file could not be written.
    Write(String),
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source {
                error: SourceError::Failed(why),
                ..
            } => write!(f, "the history could not be read: {why}"),
            Self::Source { height, error } => {
                write!(
                    f,
                    "block {height} cannot be exported: {error}; `waxwing audit run` says what is wrong"
                )
            }
            Self::Incomplete { height } => write!(
                f,
                "block {height} cannot be exported: it lacks entries; `waxwing audit run` says what is wrong"
            ),
            Self::Write(why) => write!(f, "the bundle could not be written: {why}"),
        }
    }
}

impl core::error::Error for ExportError {}

impl<W: Write> Writer<W> {
    /// Starts the bundle of a network.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn new(out: W, genesis: &Genesis) -> io::Result<Self> {
        let mut writer = Self {
            out,
            hasher: Hasher::new_derive_key(BUNDLE_CONTEXT),
            blocks: 0,
            bytes: 0,
            buffer: Vec::new(),
        };
        writer.put(&BUNDLE_MAGIC)?;
        writer.part(genesis)?;
        Ok(writer)
    }

    /// Appends the next block. Nothing is checked: an audit does that.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn block(&mut self, block: &CertifiedBlock) -> io::Result<()> {
        self.part(block)?;
        self.blocks += 1;
        Ok(())
    }

    /// Writes the end mark; without it the file is no bundle. Making it durable is up to the caller, who knows what `out` is.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.put(&0_u32.to_be_bytes())?;
        let blocks = self.blocks;
        self.put(&blocks.to_be_bytes())?;
        let hash = self.hasher.finalize();
        self.out.write_all(hash.as_bytes())?;
        self.out.flush()?;
        Ok(self.out)
    }

    /// Something encoded, its length before it.
    fn part(&mut self, part: &impl Encode) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        part.encode(&mut buffer);
        let length = u32::try_from(buffer.len()).map_err(|_| io::Error::other("a block is too large for a bundle"))?;
        self.put(&length.to_be_bytes())?;
        self.put(&buffer)?;
        self.buffer = buffer;
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.out.write_all(bytes)
    }
}

/// Writes everything that a source has as a bundle.
///
/// # Errors
/// See [`ExportError`]. What was written until then is no bundle: the caller removes it.
pub fn export(
    source: &mut dyn HistorySource,
    out: impl Write,
    progress: &mut dyn FnMut(Progress),
) -> Result<Exported, ExportError> {
    let failed = |error: io::Error| ExportError::Write(error.to_string());
    let (claimed, mut entries) = (source.claimed(), 0);
    let mut writer = Writer::new(out, source.genesis()).map_err(failed)?;
    loop {
        let height = writer.blocks + 1;
        let next = source
            .next_block()
            .map_err(|error| ExportError::Source { height, error })?;
        let Some(block) = next else { break };
        let block = whole(block).ok_or(ExportError::Incomplete { height })?;
        entries += u64::from(block.head.header.entry_count);
        writer.block(&block).map_err(failed)?;
        progress(Progress {
            blocks: writer.blocks,
            claimed,
            entries,
        });
    }
    let (blocks, bytes) = (writer.blocks, writer.bytes + super::END_BYTES);
    writer.finish().map_err(failed)?;
    Ok(Exported { blocks, entries, bytes })
}

fn whole(block: SourceBlock) -> Option<CertifiedBlock> {
    let is_whole = block.gap.is_none();
    is_whole.then_some(CertifiedBlock {
        head: block.head,
        entries: block.entries,
        evidence: block.evidence,
    })
}

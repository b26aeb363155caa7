//! A bundle, indexed: its blocks stand one behind the other, so where each begins is noted in one pass over the lengths.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use waxwing_core::Hash;
use waxwing_core::block::CertifiedBlock;
use waxwing_core::certificate::Head;
use waxwing_core::change::CommitteeChange;
use waxwing_core::codec::{Decode, Reader};
use waxwing_core::committee::Committee;
use waxwing_core::evidence_file::Rung;
use waxwing_core::genesis::Genesis;

use super::Heads;
use crate::bundle::{BLOCK_BYTES_MAX, Bundle};
use crate::source::{HistorySource, SourceError, SourceKind};

/// A bundle of which single heads can be read.
#[derive(Debug)]
pub struct BundleHeads {
    file: BufReader<File>,
    genesis: Genesis,
    /// Where the block of each height begins, and its length; block 1 first.
    blocks: Vec<(u64, u32)>,
}

impl BundleHeads {
    /// Opens a bundle file and finds its blocks. Its hash is not compared: an audit does that.
    ///
    /// # Errors
    /// [`SourceError::Malformed`] if it is none or breaks off, [`SourceError::Failed`] if it cannot be read now.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let genesis = Bundle::open(path)?.genesis().clone();
        let mut file = BufReader::with_capacity(1 << 20, File::open(path).map_err(|error| failed(&error))?);
        file.seek(SeekFrom::Start(8)).map_err(|error| failed(&error))?;
        let length = length(&mut file, 0)?;
        skip(&mut file, length)?;
        let (mut blocks, mut at) = (Vec::new(), 12 + u64::from(length));
        loop {
            let height = blocks.len();
            let length = self::length(&mut file, height)?;
            if length == 0 {
                return Ok(Self { file, genesis, blocks });
            }
            if length > BLOCK_BYTES_MAX {
                return Err(cut_off(height));
            }
            blocks.push((at + 4, length));
            at += 4 + u64::from(length);
            skip(&mut file, length)?;
        }
    }

    fn block_bytes(&mut self, height: u64) -> Result<Option<Vec<u8>>, SourceError> {
        let place = height.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        let Some((at, length)) = place.and_then(|place| self.blocks.get(place)).copied() else {
            return Ok(None);
        };
        self.file.seek(SeekFrom::Start(at)).map_err(|error| failed(&error))?;
        let mut bytes = Vec::new();
        let read = self.file.by_ref().take(u64::from(length)).read_to_end(&mut bytes);
        read.map_err(|error| failed(&error))?;
        Ok(Some(bytes))
    }

    /// The committees that entries of the committee log propose, by their hashes: headers name them by hash alone.
    fn proposed(&mut self) -> Result<HashMap<Hash, Committee>, SourceError> {
        let (keys, log) = (self.genesis.keys(), self.genesis.committee_log_id());
        let mut proposed = HashMap::new();
        for height in 1..=self.newest()? {
            let Some(bytes) = self.block_bytes(height)? else {
                continue;
            };
            let block = CertifiedBlock::from_bytes(&bytes).map_err(|error| unreadable(height, &error))?;
            let on_log = block.entries.iter().filter(|entry| entry.signed.header.log == log);
            for body in on_log.filter_map(|entry| entry.body.present()) {
                if let Ok(change) = CommitteeChange::from_bytes(body) {
                    proposed.insert(change.next.hash(&keys), change.next);
                }
            }
        }
        Ok(proposed)
    }
}

impl Heads for BundleHeads {
    fn kind(&self) -> SourceKind {
        SourceKind::Bundle
    }

    fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    fn newest(&mut self) -> Result<u64, SourceError> {
        Ok(u64::try_from(self.blocks.len()).unwrap_or(u64::MAX))
    }

    fn head(&mut self, height: u64) -> Result<Option<Head>, SourceError> {
        let Some(bytes) = self.block_bytes(height)? else {
            return Ok(None);
        };
        let head = Head::decode(&mut Reader::new(&bytes));
        head.map(Some).map_err(|error| unreadable(height, &error))
    }

    /// Most networks never changed their committee, and the newest header says so; else all blocks are read once.
    fn ladder(&mut self) -> Result<Vec<Rung>, SourceError> {
        let newest = self.newest()?;
        let Some(last) = self.head(newest)? else {
            return Ok(Vec::new());
        };
        if last.header.term == 0 && last.header.next_committee == last.header.committee {
            return Ok(Vec::new());
        }
        let (proposed, mut rungs) = (self.proposed()?, Vec::new());
        for height in 1..=newest {
            let Some(head) = self.head(height)? else { continue };
            if head.header.next_committee == head.header.committee {
                continue;
            }
            let next = proposed.get(&head.header.next_committee);
            let next = next.ok_or_else(|| SourceError::Malformed {
                what: format!("block {height} names a committee that no entry before it proposes"),
            })?;
            let next = next.clone();
            rungs.push(Rung { head, next });
        }
        Ok(rungs)
    }
}

fn length(file: &mut impl Read, height: usize) -> Result<u32, SourceError> {
    let mut bytes = [0; 4];
    match file.read_exact(&mut bytes) {
        Ok(()) => Ok(u32::from_be_bytes(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(cut_off(height)),
        Err(error) => Err(failed(&error)),
    }
}

fn skip(file: &mut BufReader<File>, length: u32) -> Result<(), SourceError> {
    file.seek_relative(i64::from(length)).map_err(|error| failed(&error))
}

fn cut_off(last: usize) -> SourceError {
    SourceError::Malformed {
        what: format!("the bundle breaks off after block {last}: it was not copied to its end"),
    }
}

fn unreadable(height: u64, error: &dyn core::fmt::Display) -> SourceError {
    SourceError::Malformed {
        what: format!("block {height} of the bundle cannot be read: {error}"),
    }
}

fn failed(error: &std::io::Error) -> SourceError {
    SourceError::Failed(error.to_string())
}

//! Reading and sealing a file: once to know what its chunks will be, and again to send them.
//!
//! The first reading yields the [`Plan`]: the ids of all chunks, under a fresh key. Every later one, after a crash too, goes
//! through [`Sealing`] and is held against the plan piece by piece.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use waxwing_core::chunk::ChunkId;
use waxwing_core::{Hash, HashKeys};
use waxwing_seal::file::{FileKey, Level, Shape, levels, list_bytes};

use super::error::FileError;
use super::progress::{Progress, Report, Stage, StillWanted};
use crate::chance;

/// What a file will be on the nodes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    /// Bytes.
    pub(crate) length: u64,
    /// Of the whole.
    pub(crate) hash: Hash,
    /// Its own.
    pub(crate) key: FileKey,
    /// Of the file's chunks, in order.
    pub(crate) ids: Vec<ChunkId>,
}

/// The lists of ids of a file with many chunks.
pub(super) struct Lists {
    /// Level by level.
    pub(super) chunks: Vec<(ChunkId, Vec<u8>)>,
    /// What the manifest lists: of the last level, or of the file's own chunks while they are few.
    pub(super) ids: Vec<ChunkId>,
}

/// A file being read and sealed, piece after piece.
pub(super) struct Sealing {
    file: File,
    level: Level,
    position: u32,
    /// One piece, used again and again.
    text: Vec<u8>,
    hasher: blake3::Hasher,
}

/// One sealed piece.
pub(super) struct Piece {
    pub(super) position: u32,
    pub(super) id: ChunkId,
    pub(super) chunk: Vec<u8>,
    /// Bytes of the file up to its end.
    pub(super) done: u64,
}

impl Sealing {
    /// Opens a file to be sent whole.
    pub(super) fn open(path: &Path, key: &FileKey) -> Result<Self, FileError> {
        // Looked at before it is opened: opening a pipe would wait for its writer.
        let is_file = |metadata: std::io::Result<std::fs::Metadata>| match metadata {
            Ok(metadata) if !metadata.is_file() => Err(FileError::NoFile),
            Ok(metadata) => Ok(metadata.len()),
            Err(error) => Err(FileError::reading(&error)),
        };
        is_file(std::fs::metadata(path))?;
        let file = File::open(path).map_err(|error| FileError::reading(&error))?;
        let length = is_file(file.metadata())?;
        let shape = Shape::of(length).ok_or(FileError::TooLarge)?;
        Ok(Self {
            file,
            level: key.level(0, shape),
            position: 0,
            text: Vec::new(),
            hasher: blake3::Hasher::new(),
        })
    }

    pub(super) const fn shape(&self) -> Shape {
        self.level.shape()
    }

    /// The next piece; `None` behind the last, once the file has turned out to end there.
    pub(super) fn next(&mut self, keys: &HashKeys) -> Result<Option<Piece>, FileError> {
        let Some(extent) = self.shape().extent(self.position) else {
            return self.end();
        };
        self.text.resize(extent.text, 0);
        self.file
            .read_exact(&mut self.text)
            .map_err(|error| FileError::reading(&error))?;
        self.hasher.update(&self.text);
        let chunk = self.level.seal(self.position, &self.text).map_err(FileError::Unsound)?;
        let piece = Piece {
            position: self.position,
            id: ChunkId::of(keys, &chunk),
            chunk,
            done: self.shape().length().min(extent.start + len(extent.padded)),
        };
        self.position += 1;
        Ok(Some(piece))
    }

    fn end(&mut self) -> Result<Option<Piece>, FileError> {
        let mut more = [0];
        match self.file.read(&mut more) {
            Ok(0) => Ok(None),
            Ok(_) => Err(FileError::Changes),
            Err(error) => Err(FileError::reading(&error)),
        }
    }

    /// The hash of what was read so far.
    pub(super) fn hash(&self) -> Hash {
        Hash(*self.hasher.finalize().as_bytes())
    }
}

pub(super) fn len(bytes: usize) -> u64 {
    // No machine has longer addresses.
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

impl Plan {
    /// Reads a file for the first time, under a fresh key.
    pub(super) fn make(path: &Path, keys: &HashKeys, report: &Report, wanted: &StillWanted) -> Result<Self, FileError> {
        let key = FileKey::random(&mut chance::fill);
        let mut sealing = Sealing::open(path, &key)?;
        let (mut ids, all) = (Vec::new(), sealing.shape().length());
        while let Some(piece) = sealing.next(keys)? {
            if wanted.is_over() {
                return Err(FileError::GivenUp);
            }
            ids.push(piece.id);
            report(Progress {
                stage: Stage::Sealing,
                done: piece.done,
                all,
            });
        }
        Ok(Self {
            length: all,
            hash: sealing.hash(),
            key,
            ids,
        })
    }

    /// Seals the lists of ids, which follow from the ids of the file's own chunks.
    pub(super) fn lists(&self, keys: &HashKeys) -> Result<Lists, FileError> {
        let shapes = levels(self.length).ok_or(FileError::TooLarge)?;
        let (mut chunks, mut ids) = (Vec::new(), self.ids.clone());
        for (number, shape) in (0..).zip(shapes).skip(1) {
            let (level, text) = (self.key.level(number, shape), list_bytes(&ids));
            ids = Vec::new();
            for position in 0..shape.pieces() {
                let chunk = seal_part(&level, position, &text)?;
                let id = ChunkId::of(keys, &chunk);
                ids.push(id);
                chunks.push((id, chunk));
            }
        }
        Ok(Lists { chunks, ids })
    }
}

/// Seals a piece of a text that is in memory as a whole.
fn seal_part(level: &Level, position: u32, text: &[u8]) -> Result<Vec<u8>, FileError> {
    let unsound = FileError::Unsound(waxwing_seal::file::PieceError::NoPiece);
    let extent = level.shape().extent(position).ok_or(unsound.clone())?;
    // Where a piece is padding alone, its start lies behind the text.
    let start = usize::try_from(extent.start).unwrap_or(usize::MAX).min(text.len());
    let part = text.get(start..start + extent.text).ok_or(unsound)?;
    level.seal(position, part).map_err(FileError::Unsound)
}

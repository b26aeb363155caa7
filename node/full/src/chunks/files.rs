//! Chunks on disk: a file each, in a folder for the day until which it is kept.
//!
//! ```text
//! chunks/           0700
//!   new/            what is being written; emptied at every start
//!   20780/          until the end of this day (days since 1970)
//!     5f0c...e1     one chunk: its bytes, under its id
//! ```
//!
//! A file is written and synced under another name, then renamed: nobody ever finds half a chunk under an id, whenever the
//! process or the machine dies. Being kept longer is a rename as well, so there is no record that could contradict the file.
//! What is over is a folder to remove.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use waxwing_core::chunk::ChunkId;
use waxwing_core::limits::CHUNK_BYTES_MAX;

use super::day::Day;
use crate::address::parse_hex;

/// The folder.
#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
    /// Names of files that are being written.
    next: AtomicU64,
}

/// A file that is written and synced, and has no place yet. Removed if it is dropped.
#[derive(Debug)]
pub(super) struct Written(PathBuf);

impl Drop for Written {
    fn drop(&mut self) {
        // It fails after a rename, when there is nothing to remove.
        let _ = fs::remove_file(&self.0);
    }
}

/// A chunk that was found at the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Found {
    pub(super) id: ChunkId,
    pub(super) day: Day,
    pub(super) bytes: u32,
}

impl Files {
    /// Opens the folder, makes it if there is none, and removes what was never finished.
    pub(super) fn open(root: PathBuf) -> io::Result<Self> {
        make_private(&root)?;
        let files = Self {
            root,
            next: AtomicU64::new(0),
        };
        match fs::remove_dir_all(files.unfinished()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => make_private(&files.unfinished())?,
        }
        sync(&files.root)?;
        if let Some(parent) = files.root.parent() {
            sync(parent)?;
        }
        Ok(files)
    }

    fn unfinished(&self) -> PathBuf {
        self.root.join("new")
    }

    fn folder(&self, day: Day) -> PathBuf {
        self.root.join(day.to_string())
    }

    fn path(&self, day: Day, id: &ChunkId) -> PathBuf {
        self.folder(day).join(id.to_string())
    }

    /// Every chunk there is, as far as names and lengths tell; files that no chunk can have are removed if they bear the name
    /// of one, and left alone otherwise. What was found is durable: a process that was killed may not have come to that.
    pub(super) fn scan(&self, mut each: impl FnMut(Found)) -> io::Result<()> {
        for folder in fs::read_dir(&self.root)? {
            let folder = folder?;
            let Some(day) = folder.file_name().to_str().and_then(Day::parse) else {
                continue;
            };
            for file in fs::read_dir(folder.path())? {
                let file = file?;
                let Some(id) = file.file_name().to_str().and_then(named) else {
                    continue;
                };
                let bytes = u32::try_from(file.metadata()?.len()).unwrap_or(u32::MAX);
                if (1..=CHUNK_BYTES_MAX).contains(&bytes) {
                    each(Found { id, day, bytes });
                } else {
                    fs::remove_file(file.path())?;
                }
            }
            sync(&folder.path())?;
        }
        Ok(())
    }

    /// Writes a file and waits until the disk has it.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<Written> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let written = Written(self.unfinished().join(number.to_string()));
        let mut file = private().create_new(true).write(true).open(&written.0)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(written)
    }

    /// Gives a file its place. It is durable there after [`Files::settle`].
    pub(super) fn place(&self, written: &Written, day: Day, id: &ChunkId) -> io::Result<()> {
        self.ready(day)?;
        fs::rename(&written.0, self.path(day, id))
    }

    /// Has a chunk kept until another day. It is durable there after [`Files::settle`].
    pub(super) fn shift(&self, from: Day, to: Day, id: &ChunkId) -> io::Result<()> {
        self.ready(to)?;
        fs::rename(self.path(from, id), self.path(to, id))
    }

    /// Waits until the disk has what was placed in a day's folder.
    pub(super) fn settle(&self, day: Day) -> io::Result<()> {
        sync(&self.folder(day))
    }

    /// Reads a file; `None` if there is none. One that is longer than a chunk is not read to its end.
    pub(super) fn read(&self, day: Day, id: &ChunkId) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.path(day, id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut bytes = Vec::with_capacity(usize::try_from(CHUNK_BYTES_MAX).unwrap_or(0) + 1);
        file.take(u64::from(CHUNK_BYTES_MAX) + 1).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Removes a file, if it is there.
    pub(super) fn remove(&self, day: Day, id: &ChunkId) -> io::Result<()> {
        gone(fs::remove_file(self.path(day, id)))
    }

    /// Removes the folders of all days that are over. A power failure may bring some of it back, for the next start to remove.
    pub(super) fn remove_until(&self, over: Day) -> io::Result<()> {
        for folder in fs::read_dir(&self.root)? {
            let folder = folder?;
            let day = folder.file_name().to_str().and_then(Day::parse);
            if day.is_some_and(|day| day <= over) {
                gone(fs::remove_dir_all(folder.path()))?;
            }
        }
        Ok(())
    }

    /// Bytes that the disk has left for anybody; `None` where the system does not tell.
    pub(super) fn disk_left(&self) -> Option<u64> {
        #[cfg(target_os = "linux")]
        {
            let disk = rustix::fs::statvfs(&self.root).ok()?;
            Some(disk.f_bavail.saturating_mul(disk.f_frsize))
        }
        #[cfg(not(target_os = "linux"))]
        None
    }

    /// Makes a day's folder if there is none, durably: what is placed in it must not vanish with it.
    fn ready(&self, day: Day) -> io::Result<()> {
        let folder = self.folder(day);
        if folder.is_dir() {
            return Ok(());
        }
        make_private(&folder)?;
        // Whoever comes next takes a folder that is there for one that stays.
        sync(&self.root).inspect_err(|_| drop(fs::remove_dir(&folder)))
    }
}

/// An id, if a file's name is one.
fn named(name: &str) -> Option<ChunkId> {
    let id = ChunkId(parse_hex(name)?);
    (id.to_string() == name).then_some(id)
}

fn gone(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

/// A directory's names are durable when the directory was synced.
fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn make_private(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

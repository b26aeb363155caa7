//! Where a received file comes to lie: first under a name of its own beside its place, then, whole and durable, in its place.
//!
//! ```text
//! .waxwing-CONTENT_ID.part   0600, locked by who writes it; what it holds counts only as far as it seals to the ids
//! NAME                       appears at once and whole, never over something that is there
//! ```
//!
//! The name is this device's choice: one that was given on a command line, or what is left of the sender's after
//! [`safe_file_name`](waxwing_seal::file::safe_file_name); with a number behind it if there is such a file.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use waxwing_core::HashKeys;
use waxwing_core::chunk::ChunkId;
use waxwing_seal::ContentId;
use waxwing_seal::file::Level;

use super::error::FileError;
use super::progress::{Progress, Report, Stage, StillWanted};

/// Files of one name that are passed over before this is given up.
const NAMES_TRIED: u32 = 1000;

/// A file that is being received.
pub(super) struct Part {
    path: PathBuf,
    pub(super) file: File,
    /// Of what is in it.
    pub(super) hasher: blake3::Hasher,
    /// The first piece that is not in it.
    pub(super) next: u32,
}

/// What an unfinished file is checked against.
pub(super) struct Expected<'a> {
    pub(super) keys: &'a HashKeys,
    pub(super) level: &'a Level,
    pub(super) ids: &'a [ChunkId],
}

impl Part {
    /// Begins, or goes on where an earlier attempt was: as far as what it left behind seals to the ids.
    pub(super) fn open(
        folder: &Path,
        of: ContentId,
        expected: &Expected<'_>,
        report: &Report,
        wanted: &StillWanted,
    ) -> Result<Self, FileError> {
        let path = folder.join(format!(".waxwing-{of}.part"));
        // A link here was not made by this program, and leads somewhere else.
        if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            return Err(FileError::Exists);
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        owner_only(&mut options);
        let file = options.open(&path).map_err(|error| FileError::writing(&error))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => FileError::BeingSaved,
            TryLockError::Error(error) => FileError::writing(&error),
        })?;
        let mut part = Self {
            path,
            file,
            hasher: blake3::Hasher::new(),
            next: 0,
        };
        part.check(expected, report, wanted)?;
        Ok(part)
    }

    fn check(&mut self, expected: &Expected<'_>, report: &Report, wanted: &StillWanted) -> Result<(), FileError> {
        let (shape, mut text) = (expected.level.shape(), Vec::new());
        let mut end = 0;
        for (position, id) in (0..).zip(expected.ids) {
            let Some(extent) = shape.extent(position) else { break };
            if wanted.is_over() {
                return Err(FileError::GivenUp);
            }
            text.resize(extent.text, 0);
            match self.file.read_exact(&mut text) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(FileError::writing(&error)),
            }
            // Bytes that a crash left behind, or another program wrote, seal to something else.
            let sealed = expected.level.seal(position, &text).map_err(FileError::Unsound)?;
            if !id.names(expected.keys, &sealed) {
                break;
            }
            self.hasher.update(&text);
            self.next = position + 1;
            end = shape.length().min(extent.start + super::plan::len(extent.text));
            report(Progress {
                stage: Stage::Checking,
                done: end,
                all: shape.length(),
            });
        }
        let cut = self
            .file
            .set_len(end)
            .and_then(|()| self.file.seek(SeekFrom::Start(end)));
        cut.map(|_| ()).map_err(|error| FileError::writing(&error))
    }

    /// Begins again with nothing.
    pub(super) fn forget(self) {
        // Whoever saves the file next checks what it finds.
        let _ = fs::remove_file(&self.path);
    }

    /// Gives the whole file its name: one that was asked for.
    pub(super) fn finish_as(self, target: &Path) -> Result<PathBuf, FileError> {
        self.sync()?;
        match put_in_place(&self.path, target) {
            Ok(()) => Ok(self.in_place(target.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(FileError::Exists),
            Err(error) => Err(FileError::writing(&error)),
        }
    }

    /// Gives the whole file its name: the first like this one that is free.
    pub(super) fn finish_in(self, folder: &Path, name: &str) -> Result<PathBuf, FileError> {
        self.sync()?;
        for number in 1..=NAMES_TRIED {
            let target = folder.join(numbered(name, number));
            match put_in_place(&self.path, &target) {
                Ok(()) => return Ok(self.in_place(target)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(FileError::writing(&error)),
            }
        }
        Err(FileError::Exists)
    }

    fn sync(&self) -> Result<(), FileError> {
        self.file.sync_all().map_err(|error| FileError::writing(&error))
    }

    /// The name is durable as well, as far as the system can say so.
    fn in_place(self, target: PathBuf) -> PathBuf {
        let _ = fs::remove_file(&self.path);
        if let Some(folder) = target.parent()
            && let Ok(folder) = File::open(if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            })
        {
            let _ = folder.sync_all();
        }
        target
    }
}

/// Gives a file a second name, which fails if there is one, unlike renaming it. Where files have one name only (FAT), the
/// name is taken first, so that nobody else's file is replaced.
fn put_in_place(part: &Path, target: &Path) -> io::Result<()> {
    match fs::hard_link(part, target) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) => {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            owner_only(&mut options);
            options.open(target)?;
            fs::rename(part, target)
        }
    }
}

/// `cat.jpg`, `cat (2).jpg`, ...
fn numbered(name: &str, number: u32) -> String {
    if number == 1 {
        return name.to_owned();
    }
    match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() => format!("{stem} ({number}).{ending}"),
        _ => format!("{name} ({number})"),
    }
}

#[cfg(unix)]
fn owner_only(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn owner_only(_options: &mut OpenOptions) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_never_takes_the_place_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let (part, target) = (folder.path().join("part"), folder.path().join("cat.jpg"));
        fs::write(&part, b"new").unwrap();
        fs::write(&target, b"old").unwrap();
        let refused = put_in_place(&part, &target).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&target).unwrap(), b"old");
        put_in_place(&part, &folder.path().join("free")).unwrap();
        assert_eq!(fs::read(folder.path().join("free")).unwrap(), b"new");
    }

    #[test]
    fn further_files_of_a_name_are_numbered_before_their_ending() {
        for (name, expected) in [
            ("cat.jpg", "cat (2).jpg"),
            ("a.tar.gz", "a.tar (2).gz"),
            ("noending", "noending (2)"),
        ] {
            assert_eq!(numbered(name, 1), name);
            assert_eq!(numbered(name, 2), expected);
        }
    }
}

//! The folder of one client: a key file, a database, a lock.
//!
//! ```text
//! home/  key               what the passphrase opens (written last when a home is made)
//!        store.db          SQLCipher; beside it SQLite's own -wal and -shm
//!        lock              held while a home is made, opened or migrated; never while it is in use
//! ```
//!
//! Making a home is safe against being interrupted: the database is written under another name, then the key file, then
//! the database gets its name. A home without a key file promised nothing; one with a key file is finished by whoever
//! opens it next.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use waxwing_core::codec::{Decode, Encode};

use super::StoreError;
use super::key::{Cost, DatabaseKey, KeyFile, Passphrase};

const KEY_FILE: &str = "key";
const DATABASE: &str = "store.db";
const DATABASE_NEW: &str = "store.db.new";
const LOCK: &str = "lock";

/// A key file has 108 bytes; what is longer is none.
const KEY_FILE_BYTES_MAX: u64 = 4096;

/// Why a home cannot be used, and what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HomeError {
    /// There is no client in this folder.
    NotThere(PathBuf),
    /// There is one already.
    Exists(PathBuf),
    /// The passphrase does not open it.
    WrongPassphrase,
    /// Empty, or far too long.
    UnusablePassphrase,
    /// Not a key file, or one that was cut off.
    BadKeyFile,
    /// The key file is gone, and without it nobody can read the database.
    KeyFileGone,
    /// The database is gone.
    DatabaseGone,
    /// The passphrase is right, and the database is not what was written.
    Damaged,
    /// Made by a newer version of this program.
    Newer,
    /// Argon2 needs more memory than there is.
    NoMemory,
    /// The folder or a file in it cannot be used.
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        kind: io::ErrorKind,
    },
    /// The database refused.
    Store(StoreError),
}

impl HomeError {
    pub(crate) fn io(path: &Path, error: &io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            kind: error.kind(),
        }
    }
}

impl core::fmt::Display for HomeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotThere(path) => write!(f, "there is no client in {}: make one first", path.display()),
            Self::Exists(path) => write!(
                f,
                "there is a client in {} already: open it, or choose another folder",
                path.display()
            ),
            Self::WrongPassphrase => f.write_str("the passphrase does not open this home: type it again"),
            Self::UnusablePassphrase => {
                f.write_str("a passphrase has 1 to 1024 bytes: choose one, or check the passphrase file")
            }
            Self::BadKeyFile => {
                f.write_str("the key file is damaged: put back a copy of the file `key`, nothing else opens this home")
            }
            Self::KeyFileGone => {
                f.write_str("the file `key` is missing: put back a copy, nothing else opens this home")
            }
            Self::DatabaseGone => {
                f.write_str("the file `store.db` is missing: put back a copy, or start anew in another folder")
            }
            Self::Damaged => f.write_str("the passphrase is right, but `store.db` is damaged: put back a copy"),
            Self::Newer => f.write_str("this home was written by a newer version: update this program"),
            Self::NoMemory => {
                f.write_str("not enough memory to check the passphrase: close other programs and try again")
            }
            Self::Io { path, kind } => write!(f, "{}: {kind}", path.display()),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for HomeError {}

impl From<StoreError> for HomeError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged => Self::Damaged,
            StoreError::Newer => Self::Newer,
            other => Self::Store(other),
        }
    }
}

/// The paths of one home.
#[derive(Clone, Debug)]
pub(crate) struct Home(PathBuf);

/// Other processes wait until this is dropped.
pub(crate) struct HomeLock(#[expect(dead_code, reason = "held for what its drop releases")] File);

impl Home {
    pub(crate) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.join(DATABASE)
    }

    /// Whether somebody made a client here.
    pub(crate) fn exists(&self) -> bool {
        self.0.join(KEY_FILE).exists()
    }

    fn lock(&self) -> Result<HomeLock, HomeError> {
        let path = self.0.join(LOCK);
        let file = private().create(true).truncate(false).open(&path);
        let file = file.map_err(|error| HomeError::io(&path, &error))?;
        file.lock().map_err(|error| HomeError::io(&path, &error))?;
        Ok(HomeLock(file))
    }

    /// Makes a home. `write` makes the database at the path it is given.
    pub(crate) fn create(
        &self,
        passphrase: &Passphrase,
        cost: Cost,
        write: impl FnOnce(&Path, &DatabaseKey) -> Result<(), StoreError>,
    ) -> Result<(HomeLock, DatabaseKey), HomeError> {
        make_folder(&self.0).map_err(|error| HomeError::io(&self.0, &error))?;
        let lock = self.lock()?;
        if self.exists() {
            return Err(HomeError::Exists(self.0.clone()));
        }
        if self.database().exists() {
            return Err(HomeError::KeyFileGone);
        }
        let (file, key) = KeyFile::create(passphrase, cost)?;
        let fresh = self.0.join(DATABASE_NEW);
        // Left behind by somebody who was interrupted before the key file: nobody has its key.
        remove(&fresh).map_err(|error| HomeError::io(&fresh, &error))?;
        write(&fresh, &key)?;
        self.write_key(&file)
            .map_err(|error| HomeError::io(&self.0.join(KEY_FILE), &error))?;
        self.finish()?;
        Ok((lock, key))
    }

    /// The database key of a home.
    pub(crate) fn open(&self, passphrase: &Passphrase) -> Result<(HomeLock, DatabaseKey), HomeError> {
        if !self.0.is_dir() {
            return Err(HomeError::NotThere(self.0.clone()));
        }
        let lock = self.lock()?;
        if !self.exists() {
            return Err(if self.database().exists() {
                HomeError::KeyFileGone
            } else {
                HomeError::NotThere(self.0.clone())
            });
        }
        let key = self.read_key()?.open(passphrase)?;
        self.finish()?;
        Ok((lock, key))
    }

    /// Gives the database its name, if that is still to be done.
    fn finish(&self) -> Result<(), HomeError> {
        let (fresh, database) = (self.0.join(DATABASE_NEW), self.database());
        if database.exists() {
            return Ok(());
        }
        if !fresh.exists() {
            return Err(HomeError::DatabaseGone);
        }
        fs::rename(&fresh, &database)
            .and_then(|()| sync_folder(&self.0))
            .map_err(|error| HomeError::io(&database, &error))
    }

    /// Wraps the database key anew.
    pub(crate) fn replace_key(&self, file: &KeyFile) -> Result<(), HomeError> {
        let _lock = self.lock()?;
        self.write_key(file)
            .map_err(|error| HomeError::io(&self.0.join(KEY_FILE), &error))
    }

    fn write_key(&self, key: &KeyFile) -> io::Result<()> {
        let fresh = self.0.join("key.new");
        let mut file = private().create(true).truncate(true).open(&fresh)?;
        file.write_all(&key.to_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, self.0.join(KEY_FILE))?;
        sync_folder(&self.0)
    }

    pub(crate) fn read_key(&self) -> Result<KeyFile, HomeError> {
        let path = self.0.join(KEY_FILE);
        let mut bytes = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(KEY_FILE_BYTES_MAX).read_to_end(&mut bytes))
            .map_err(|error| HomeError::io(&path, &error))?;
        KeyFile::from_bytes(&bytes).map_err(|_| HomeError::BadKeyFile)
    }
}

/// Files that nobody else on this machine may read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A new name is durable once its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(path)?.sync_all()?;
    Ok(())
}

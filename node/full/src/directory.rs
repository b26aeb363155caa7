//! A node's directory: what must survive a restart, and who may touch it.
//!
//! ```text
//! DIR/            0700
//!   genesis       the network's founding facts, as bytes; their hash is the network id
//!   node.toml     settings, each explained
//!   keys/         0700
//!     transport   0600  seed of the key that is this node's address
//!     vote        0600  seed of the vote key; only validators have one
//!     signed      where that key has last signed; belongs into every backup of the key
//!   db/           the ledger
//!   chunks/       pieces of attachments that are kept for clients; nothing of the ledger
//!   journal       what was agreed on about the block under way
//!   evidence      what is known of validators' contradictions; its newest part is found in the newest blocks as well
//!   announced     the newest block whose certificate left this node: tells when an older copy of db/ was put back
//!   lock          held while a node runs; two nodes on one directory would corrupt it and sign twice
//! ```

mod announced;
mod signed;

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use waxwing_core::codec::{Decode, Encode};
use waxwing_core::genesis::Genesis;
use waxwing_core::keys::{NodeKey, VoteKey};
use zeroize::Zeroizing;

pub(crate) use announced::{Announced, RolledBack};
pub(crate) use signed::{Said, Signed};

use crate::address::parse_hex;
use crate::config::NodeConfig;

/// A node's directory, held for as long as this value lives.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    genesis: Genesis,
    transport: NodeKey,
    vote: Option<VoteKey>,
    #[cfg(feature = "liar")]
    votes_twice: bool,
    /// Dropping it gives the directory free.
    _lock: File,
}

/// Why a directory cannot be used.
#[derive(Debug)]
pub enum DirectoryError {
    /// There is a node already.
    Occupied(PathBuf),
    /// There is no node.
    Empty(PathBuf),
    /// Another process runs on it.
    Busy {
        /// The directory.
        directory: PathBuf,
        /// The number of that process, if it could be read.
        process: Option<String>,
    },
    /// A file does not hold what it should.
    Damaged {
        /// Which.
        file: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// A secret can be read by others than its owner.
    Exposed(PathBuf),
    /// The system refuses.
    System {
        /// What was to be read or written.
        file: PathBuf,
        /// Why it was not.
        error: io::Error,
    },
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Occupied(path) => write!(f, "{} holds a node already: name another directory", path.display()),
            Self::Empty(path) => write!(
                f,
                "{} holds no node: make one with `waxwing node init`, or name another directory",
                path.display()
            ),
            Self::Busy { directory, process } => {
                let process = process
                    .as_ref()
                    .map_or_else(String::new, |number| format!(" (process {number})"));
                write!(
                    f,
                    "another process{process} runs on {}: stop it first, or name another directory",
                    directory.display()
                )
            }
            Self::Damaged { file, expected } => {
                write!(
                    f,
                    "{} should hold {expected} and does not: put a backup in its place",
                    file.display()
                )
            }
            Self::Exposed(file) => write!(
                f,
                "{} can be read by others, so its secret may be known: make it 0600, and replace the key if somebody had access",
                file.display()
            ),
            Self::System { file, error } => write!(f, "{}: {error}", file.display()),
        }
    }
}

impl std::error::Error for DirectoryError {}

impl Directory {
    /// Makes the directory of a new node: writes genesis, settings and keys. `vote` makes it a validator.
    ///
    /// # Errors
    /// [`DirectoryError::Occupied`] if there is a node already.
    pub fn found(
        path: &Path,
        genesis: &Genesis,
        vote: Option<&VoteKey>,
        config: &NodeConfig,
    ) -> Result<(), DirectoryError> {
        if path.join("genesis").exists() {
            return Err(DirectoryError::Occupied(path.to_owned()));
        }
        make_private(path)?;
        let keys = path.join("keys");
        make_private(&keys)?;
        write_secret(&keys.join("transport"), &*new_seed()?)?;
        if let Some(vote) = vote {
            write_vote(path, vote)?;
        }
        write_new(&path.join("node.toml"), config.to_file().as_bytes(), 0o644)?;
        // Last: whoever finds a genesis may rely on the rest.
        write_new(&path.join("genesis"), &genesis.to_bytes(), 0o644)?;
        sync_directory(path)
    }

    /// Gives a node a vote key: it follows until a committee names that key. A node that has one keeps it.
    ///
    /// # Errors
    /// [`DirectoryError::Empty`] if there is no node, [`DirectoryError::System`] if the key cannot be written.
    pub fn add_vote(path: &Path, vote: &VoteKey) -> Result<(), DirectoryError> {
        if !path.join("genesis").exists() {
            return Err(DirectoryError::Empty(path.to_owned()));
        }
        let keys = path.join("keys");
        if !keys.join("vote").exists() {
            write_vote(path, vote)?;
            sync_directory(&keys)?;
        }
        Ok(())
    }

    /// Opens a directory for one process.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub fn open(path: &Path) -> Result<Self, DirectoryError> {
        let file = path.join("genesis");
        if !file.exists() {
            return Err(DirectoryError::Empty(path.to_owned()));
        }
        let lock = lock(path)?;
        let expected = "the founding facts of a network";
        let genesis = Genesis::from_bytes(&read(&file)?).map_err(|_| DirectoryError::Damaged { file, expected })?;
        let keys = path.join("keys");
        let vote = keys.join("vote");
        let vote = if vote.exists() {
            Some(VoteKey::from_seed(&*read_secret(&vote)?))
        } else {
            None
        };
        Ok(Self {
            transport: NodeKey::from_seed(&*read_secret(&keys.join("transport"))?),
            path: path.to_owned(),
            genesis,
            vote,
            #[cfg(feature = "liar")]
            votes_twice: false,
            _lock: lock,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the ledger is.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.path.join("db")
    }

    /// Where pieces of attachments are.
    #[must_use]
    pub fn chunks(&self) -> PathBuf {
        self.path.join("chunks")
    }

    /// The network's founding facts.
    #[must_use]
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The key that is this node's address.
    #[must_use]
    pub const fn transport(&self) -> &NodeKey {
        &self.transport
    }

    /// Makes a liar of the node that is started on this directory: it votes for two blocks wherever it votes. For
    /// demonstrations and tests; what it signs is evidence against its key for ever.
    #[cfg(feature = "liar")]
    pub const fn vote_twice(&mut self) {
        self.votes_twice = true;
    }

    /// Whether the node votes twice.
    #[cfg(feature = "liar")]
    pub(crate) const fn votes_twice(&self) -> bool {
        self.votes_twice
    }

    /// Takes the vote key out: whoever votes holds it alone, and can destroy it.
    pub(crate) const fn take_vote(&mut self) -> Option<VoteKey> {
        self.vote.take()
    }

    /// The vote key, if there is one.
    #[must_use]
    pub const fn vote(&self) -> Option<&VoteKey> {
        self.vote.as_ref()
    }
}

/// A vote key that nobody has seen before.
///
/// # Errors
/// If the system has no randomness.
pub fn new_vote_key() -> Result<VoteKey, DirectoryError> {
    new_seed().map(|seed| VoteKey::from_seed(&seed))
}

fn new_seed() -> Result<Zeroizing<[u8; 32]>, DirectoryError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut seed[..]).map_err(|error| DirectoryError::System {
        file: "the system's randomness".into(),
        error: io::Error::other(error.to_string()),
    })?;
    Ok(seed)
}

fn lock(path: &Path) -> Result<File, DirectoryError> {
    let file = path.join("lock");
    let system = |error| DirectoryError::System {
        file: file.clone(),
        error,
    };
    let mut lock = options(0o600)
        .create(true)
        .truncate(false)
        .open(&file)
        .map_err(system)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut process = String::new();
            let is_number = lock.read_to_string(&mut process).is_ok() && process.trim().parse::<u32>().is_ok();
            return Err(DirectoryError::Busy {
                directory: path.to_owned(),
                process: is_number.then(|| process.trim().to_owned()),
            });
        }
        Err(TryLockError::Error(error)) => return Err(system(error)),
    }
    lock.set_len(0).map_err(system)?;
    writeln!(lock, "{}", std::process::id()).map_err(system)?;
    Ok(lock)
}

fn read(file: &Path) -> Result<Vec<u8>, DirectoryError> {
    fs::read(file).map_err(|error| DirectoryError::System {
        file: file.to_owned(),
        error,
    })
}

fn read_secret(file: &Path) -> Result<Zeroizing<[u8; 32]>, DirectoryError> {
    if is_exposed(file)? {
        return Err(DirectoryError::Exposed(file.to_owned()));
    }
    let text = Zeroizing::new(read(file)?);
    let seed = std::str::from_utf8(&text).ok().and_then(|text| parse_hex(text.trim()));
    seed.map(Zeroizing::new).ok_or_else(|| DirectoryError::Damaged {
        file: file.to_owned(),
        expected: "the seed of a key, 64 hexadecimal digits",
    })
}

/// Puts a vote key into a directory, and beside it the note of where it has signed. The note first: a key without one is
/// refused.
fn write_vote(directory: &Path, vote: &VoteKey) -> Result<(), DirectoryError> {
    Signed::begin(directory).map_err(|error| DirectoryError::System {
        file: directory.join("keys").join("signed"),
        error,
    })?;
    write_secret(&directory.join("keys").join("vote"), &vote.seed())
}

fn write_secret(file: &Path, seed: &[u8; 32]) -> Result<(), DirectoryError> {
    let mut text = Zeroizing::new(String::with_capacity(65));
    for byte in seed {
        text.push_str(&format!("{byte:02x}"));
    }
    text.push('\n');
    write_new(file, text.as_bytes(), 0o600)
}

/// Writes a file that must not exist yet, durably.
fn write_new(file: &Path, bytes: &[u8], mode: u32) -> Result<(), DirectoryError> {
    let write = || {
        let mut opened = options(mode).create_new(true).open(file)?;
        opened.write_all(bytes)?;
        opened.sync_all()
    };
    write().map_err(|error| DirectoryError::System {
        file: file.to_owned(),
        error,
    })
}

fn sync_directory(path: &Path) -> Result<(), DirectoryError> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| DirectoryError::System {
            file: path.to_owned(),
            error,
        })
}

#[cfg(unix)]
pub(crate) fn options(mode: u32) -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(mode);
    options
}

#[cfg(unix)]
fn make_private(path: &Path) -> Result<(), DirectoryError> {
    use std::os::unix::fs::DirBuilderExt;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| DirectoryError::System {
            file: path.to_owned(),
            error,
        })
}

#[cfg(unix)]
fn is_exposed(file: &Path) -> Result<bool, DirectoryError> {
    use std::os::unix::fs::PermissionsExt;
    let found = fs::metadata(file).map_err(|error| DirectoryError::System {
        file: file.to_owned(),
        error,
    })?;
    Ok(found.permissions().mode() & 0o077 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use waxwing_core::genesis::Parameters;

    fn genesis(vote: &VoteKey) -> Genesis {
        Genesis::new("test", 1, Parameters::DEFAULT, vec![vote.public()]).unwrap()
    }

    fn founded() -> (tempfile::TempDir, VoteKey) {
        let (directory, vote) = (tempfile::tempdir().unwrap(), new_vote_key().unwrap());
        Directory::found(directory.path(), &genesis(&vote), Some(&vote), &NodeConfig::default()).unwrap();
        (directory, vote)
    }

    #[test]
    fn what_was_founded_is_opened_and_secrets_are_for_the_owner_alone() {
        let (directory, vote) = founded();
        let opened = Directory::open(directory.path()).unwrap();
        assert_eq!(opened.genesis(), &genesis(&vote));
        assert_eq!(opened.vote().unwrap().public(), vote.public());
        let transport = opened.transport().public();
        drop(opened);
        assert_eq!(
            Directory::open(directory.path()).unwrap().transport().public(),
            transport
        );
        for secret in ["keys/vote", "keys/transport"] {
            let mode = fs::metadata(directory.path().join(secret))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{secret}");
        }
    }

    #[test]
    fn a_directory_is_founded_once_and_an_empty_one_is_not_opened() {
        let (directory, vote) = founded();
        let again = Directory::found(directory.path(), &genesis(&vote), None, &NodeConfig::default());
        assert!(matches!(again, Err(DirectoryError::Occupied(_))));
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(Directory::open(empty.path()), Err(DirectoryError::Empty(_))));
    }

    #[test]
    fn a_node_is_given_a_vote_key_once() {
        let (directory, vote) = founded();
        let (other, empty) = (new_vote_key().unwrap(), tempfile::tempdir().unwrap());
        Directory::add_vote(directory.path(), &other).unwrap();
        let kept = Directory::open(directory.path()).unwrap();
        assert_eq!(kept.vote().unwrap().public(), vote.public());
        drop(kept);
        fs::remove_file(directory.path().join("keys/vote")).unwrap();
        Directory::add_vote(directory.path(), &other).unwrap();
        let given = Directory::open(directory.path()).unwrap();
        assert_eq!(given.vote().unwrap().public(), other.public());
        assert!(matches!(
            Directory::add_vote(empty.path(), &other),
            Err(DirectoryError::Empty(_))
        ));
    }

    #[test]
    fn a_second_opening_is_refused_by_the_number_of_the_process() {
        let (directory, _) = founded();
        let _first = Directory::open(directory.path()).unwrap();
        let error = Directory::open(directory.path()).unwrap_err();
        let number = format!("another process (process {})", std::process::id());
        assert!(error.to_string().starts_with(&number), "{error}");
    }

    #[test]
    fn a_damaged_or_exposed_key_is_refused() {
        let (directory, _) = founded();
        let key = directory.path().join("keys/vote");
        fs::write(&key, "abc").unwrap();
        let error = Directory::open(directory.path()).unwrap_err();
        assert!(matches!(error, DirectoryError::Damaged { .. }), "{error}");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let error = Directory::open(directory.path()).unwrap_err();
        assert!(matches!(error, DirectoryError::Exposed(_)), "{error}");
    }
}

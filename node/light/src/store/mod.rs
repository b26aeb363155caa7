//! What a client must not forget, encrypted at rest.
//!
//! SQLite with SQLCipher: every page on the disk, of the write-ahead log too, is encrypted and authenticated. A
//! transaction is durable when it returns (`synchronous = FULL`). Several processes may use one home: each writes in
//! short transactions, which SQLite puts one after the other, and each of those reads what it depends on *inside* the
//! transaction. Nothing here trusts what was read before.
//!
//! ```text
//! home.rs      the folder            networks.rs  ledgers, nodes, faults, evidence
//! key.rs       passphrase -> key     channels.rs  secrets, layer 3 state, cursors
//! account.rs   whose device it is    contacts.rs  people met
//! schema.rs    tables, version       messages.rs  what readers see
//! aftermath.rs what messages do to   outbox.rs    what is on its way
//!              those they are about   search.rs    full-text index
//! epochs.rs    logs of epochs, one     waiting.rs   how much of it
//!              after the other        mls.rs       what the group library keeps
//! inboxes.rs   who asked               transaction.rs  one step, and the groups it uses
//! ```

pub(crate) mod account;
pub(crate) mod aftermath;
pub(crate) mod backup;
pub(crate) mod cards;
mod cbor;
pub(crate) mod channels;
pub(crate) mod contacts;
pub(crate) mod epochs;
pub(crate) mod expiry;
pub(crate) mod files;
pub(crate) mod forget;
pub(crate) mod gaps;
pub(crate) mod home;
pub(crate) mod inboxes;
pub(crate) mod key;
pub(crate) mod known;
pub(crate) mod linkings;
pub(crate) mod manners;
pub(crate) mod members;
pub(crate) mod messages;
pub(crate) mod mls;
pub(crate) mod networks;
pub(crate) mod outbox;
pub(crate) mod past;
mod schema;
pub(crate) mod search;
mod transaction;
pub(crate) mod unread;
pub(crate) mod waiting;
pub(crate) mod wanted;

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use waxwing_core::Hash;
use waxwing_core::codec::CodecError;
use waxwing_seal::DeviceKey;
use waxwing_seal::identity::Phrase;
use zeroize::Zeroizing;

use self::backup::{BackupError, Counts};
use self::home::{Home, HomeError};
use self::key::{Cost, DatabaseKey, Passphrase};
use crate::backup::file_fault;
use crate::chance;
use crate::error::Error;
use crate::limits::BUSY_MS;

use self::transaction::Kept;
pub(crate) use self::transaction::Transaction;

/// Prepared statements that are kept: about as many as there are in this folder.
const STATEMENTS_KEPT: usize = 80;

/// Why the store could not do what it was asked. A fault of disk, machine or program, never of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreError {
    /// Another process kept the home busy for too long.
    Busy,
    /// The disk is full.
    Full,
    /// The files cannot be written.
    ReadOnly,
    /// What was read is not what was written.
    Damaged,
    /// Written by a newer version.
    Newer,
    /// Something else; the number is SQLite's.
    Failed(i32),
    /// A test has cut the power.
    #[cfg(test)]
    Crashed,
}

impl core::fmt::Display for StoreError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Busy => f.write_str("another process keeps this home busy: wait for it, or stop it"),
            Self::Full => f.write_str("the disk is full: make room and try again, nothing was lost"),
            Self::ReadOnly => f.write_str("the home cannot be written: check the permissions of its files"),
            Self::Damaged => f.write_str("`store.db` is damaged: put back a copy"),
            Self::Newer => f.write_str("this home was written by a newer version: update this program"),
            Self::Failed(code) => write!(f, "the database failed (SQLite {code}): check the disk and try again"),
            #[cfg(test)]
            Self::Crashed => f.write_str("the power is off"),
        }
    }
}

impl core::error::Error for StoreError {}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::SqliteFailure(error, _) | rusqlite::Error::SqlInputError { error, .. } => match error.code
            {
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
                ErrorCode::DiskFull => Self::Full,
                ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => Self::ReadOnly,
                ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt => Self::Damaged,
                _ => Self::Failed(error.extended_code),
            },
            // A value or row that the schema promises is missing or of another type.
            _ => Self::Damaged,
        }
    }
}

impl From<CodecError> for StoreError {
    /// What is decoded here was encoded here.
    fn from(_: CodecError) -> Self {
        Self::Damaged
    }
}

/// The database of one home, in one process.
pub(crate) struct Store {
    connection: Mutex<Connection>,
    kept: Kept,
    home: Home,
    #[cfg(test)]
    pub(crate) fuse: Fuse,
}

impl core::fmt::Debug for Store {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Store({:?})", self.home)
    }
}

impl Store {
    /// Whether there is a home at `path`.
    pub(crate) fn exists(path: &Path) -> bool {
        Home::at(path).exists()
    }

    /// Makes a home with a new device of a new account.
    pub(crate) fn create(path: &Path, passphrase: &Passphrase, cost: Cost, name: &str) -> Result<Self, HomeError> {
        Self::make(path, passphrase, cost, name, account::begin)
    }

    /// Makes a home with a new device of an account that there was before.
    pub(crate) fn recover(
        path: &Path,
        passphrase: &Passphrase,
        cost: Cost,
        name: &str,
        phrase: &Phrase,
    ) -> Result<Self, HomeError> {
        Self::make(path, passphrase, cost, name, |connection| {
            account::recover(connection, phrase)
        })
    }

    fn make(
        path: &Path,
        passphrase: &Passphrase,
        cost: Cost,
        name: &str,
        account: impl FnOnce(&Connection) -> Result<(), StoreError>,
    ) -> Result<Self, HomeError> {
        let home = Home::at(path);
        let (_lock, key) = home.create(passphrase, cost, |path, key| {
            let mut connection = connect(path, key)?;
            schema::create(&mut connection)?;
            let device = DeviceKey::random(&mut chance::fill);
            connection.execute(
                "INSERT INTO device (only, seed, name, changed) VALUES (1, ?1, ?2, 0)",
                (&device.seed()[..], name),
            )?;
            account(&connection)?;
            // Closing writes everything into the one file that is given its name next.
            connection.close().map_err(|(_, error)| error.into())
        })?;
        Self::connect(home, &key)
    }

    /// Opens a home.
    pub(crate) fn open(path: &Path, passphrase: &Passphrase) -> Result<Self, HomeError> {
        let home = Home::at(path);
        let (_lock, key) = home.open(passphrase)?;
        Self::connect(home, &key)
    }

    fn connect(home: Home, key: &DatabaseKey) -> Result<Self, HomeError> {
        let mut connection = connect(&home.database(), key)?;
        schema::migrate(&mut connection)?;
        Ok(Self {
            connection: Mutex::new(connection),
            kept: Kept::default(),
            home,
            #[cfg(test)]
            fuse: Fuse::default(),
        })
    }

    /// Lets another passphrase open the home.
    pub(crate) fn change_passphrase(&self, old: &Passphrase, new: &Passphrase, cost: Cost) -> Result<(), HomeError> {
        let key = self.home.read_key()?.open(old)?;
        self.home.replace_key(&key::KeyFile::wrap(&key, new, cost)?)
    }

    /// Writes a backup: beside its place first, so that what has the name is whole.
    pub(crate) fn back_up(&self, file: &Path, passphrase: &Passphrase, now: u64) -> Result<Counts, Error> {
        let key = passphrase.text().ok_or(Error::Backup(BackupError::NoText))?;
        if file.exists() {
            return Err(Error::Backup(BackupError::Exists));
        }
        let mut name = file.as_os_str().to_owned();
        name.push(".part");
        let part = PathBuf::from(name);
        // What an attempt that was interrupted has left, or the way there is blocked, which is said next.
        let _ = std::fs::remove_file(&part);
        let made = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&part);
        made.map_err(|error| file_fault(&error))?;
        let written = backup::write(&self.lock(), &part, key, now);
        let kept = written.map_err(Error::from).and_then(|counts| {
            let synced = std::fs::File::open(&part).and_then(|file| file.sync_all());
            synced
                .and_then(|()| std::fs::rename(&part, file))
                .map_err(|error| file_fault(&error))?;
            Ok(counts)
        });
        if kept.is_err() {
            let _ = std::fs::remove_file(&part);
        }
        kept
    }

    /// Takes what is not here yet out of a backup.
    pub(crate) fn restore(&self, file: &Path, passphrase: &Passphrase) -> Result<Counts, Error> {
        let key = passphrase.text().ok_or(Error::Backup(BackupError::NoText))?;
        let is_file = std::fs::metadata(file).map_err(|error| file_fault(&error))?.is_file();
        if !is_file {
            return Err(Error::Backup(BackupError::NotOpened));
        }
        let mut connection = self.lock();
        backup::attach(&connection, file, key).map_err(|error| match error {
            StoreError::Damaged => Error::Backup(BackupError::NotOpened),
            error => error.into(),
        })?;
        let taken = self.take_attached(&mut connection);
        let detached = backup::detach(&connection);
        let counts = taken?;
        detached?;
        Ok(counts)
    }

    fn take_attached(&self, connection: &mut Connection) -> Result<Counts, Error> {
        backup::judge(connection).map_err(Error::Backup)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = Transaction::new(transaction.map_err(StoreError::from)?, &self.kept);
        Ok(backup::take_all(transaction)?)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // Whoever panicked left a transaction that was rolled back: the connection is sound.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads one consistent state.
    pub(crate) fn read<R, E: From<StoreError>>(
        &self,
        read: impl FnOnce(&Transaction<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let mut connection = self.lock();
        #[cfg(test)]
        self.fuse.check()?;
        let transaction = connection.transaction().map_err(StoreError::from)?;
        let transaction = Transaction::new(transaction, &self.kept);
        let read = read(&transaction)?;
        transaction.end_reading();
        Ok(read)
    }

    /// Writes one transaction: durable when this returns, without effect if `write` fails.
    pub(crate) fn write<R, E: From<StoreError>>(
        &self,
        write: impl FnOnce(&mut Transaction<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let mut connection = self.lock();
        #[cfg(test)]
        self.fuse.check()?;
        // Immediate: what is read in here cannot be changed by another process before it is written.
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::from)?;
        let mut transaction = Transaction::new(transaction, &self.kept);
        let written = tracing::trace_span!("step").in_scope(|| write(&mut transaction))?;
        #[cfg(test)]
        self.fuse.before_commit()?;
        tracing::trace_span!("commit").in_scope(|| transaction.commit())?;
        #[cfg(test)]
        self.fuse.after_commit()?;
        Ok(written)
    }

    /// Empties the write-ahead log, which still holds the encrypted pages from before. Where another process is reading
    /// it, that process does so later.
    pub(crate) fn empty_journal(&self) {
        // It answers with a row that says whether it was busy; there is nothing to be done about it here.
        let emptied = self.lock().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = emptied {
            tracing::debug!("the write-ahead log was not emptied: {}", StoreError::from(error));
        }
    }

    /// A number that differs when another process has written since.
    pub(crate) fn others_wrote(&self) -> Result<i64, StoreError> {
        Ok(self.lock().pragma_query_value(None, "data_version", |row| row.get(0))?)
    }
}

fn connect(path: &Path, key: &DatabaseKey) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_millis(BUSY_MS))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // SQLCipher prints to the standard error by itself; what goes wrong is returned here, and said in our words.
    connection.pragma_update_and_check(None, "cipher_log_level", "NONE", |_| Ok(()))?;
    connection.pragma_update(None, "key", key.literal().as_str())?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;",
    )?;
    Ok(connection)
}

/// This device's key and the name it shows.
pub(crate) fn device(connection: &Connection) -> Result<(DeviceKey, String), StoreError> {
    let mut statement = connection.prepare_cached("SELECT seed, name FROM device")?;
    let (seed, name): (Vec<u8>, String) = statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let seed = Zeroizing::new(seed);
    let seed: &[u8; 32] = seed.as_slice().try_into().map_err(|_| StoreError::Damaged)?;
    Ok((DeviceKey::from_seed(seed), name))
}

/// The name that this device shows.
pub(crate) fn name(connection: &Connection) -> Result<String, StoreError> {
    let mut statement = connection.prepare_cached("SELECT name FROM device")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// Changes the name this device shows from now on.
pub(crate) fn rename(connection: &Connection, name: &str) -> Result<(), StoreError> {
    connection.execute("UPDATE device SET name = ?1", [name])?;
    Ok(())
}

/// The next number of a visible change. Only inside a transaction that makes it.
pub(crate) fn next_change(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection
        .prepare_cached("UPDATE device SET changed = changed + 1 RETURNING changed")?
        .query_row([], |row| row.get(0))?)
}

/// The number of the newest visible change.
pub(crate) fn newest_change(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("SELECT changed FROM device", [], |row| row.get(0))?)
}

/// 32 bytes that the schema promises.
pub(crate) fn hash(bytes: &[u8]) -> Result<Hash, StoreError> {
    bytes.try_into().map(Hash).map_err(|_| StoreError::Damaged)
}

/// Cuts the power at a chosen transaction, so that every boundary can be tested.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct Fuse {
    state: Mutex<FuseState>,
}

#[cfg(test)]
#[derive(Default)]
struct FuseState {
    commits: u32,
    at: Option<(u32, Side)>,
    is_burnt: bool,
}

/// On which side of a commit the power goes.
#[cfg(test)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Before,
    After,
}

#[cfg(test)]
impl Fuse {
    fn state(&self) -> MutexGuard<'_, FuseState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Burns at the commit with this number, counted from 1 and from now on.
    pub(crate) fn set(&self, number: u32, side: Side) {
        let mut state = self.state();
        state.commits = 0;
        state.at = Some((number, side));
    }

    /// Commits since the fuse was set, or since the store was opened.
    pub(crate) fn commits(&self) -> u32 {
        self.state().commits
    }

    pub(crate) fn is_burnt(&self) -> bool {
        self.state().is_burnt
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.is_burnt() {
            Err(StoreError::Crashed)
        } else {
            Ok(())
        }
    }

    fn before_commit(&self) -> Result<(), StoreError> {
        let mut state = self.state();
        state.commits += 1;
        state.is_burnt = state.at == Some((state.commits, Side::Before));
        drop(state);
        self.check()
    }

    fn after_commit(&self) -> Result<(), StoreError> {
        let mut state = self.state();
        state.is_burnt = state.at == Some((state.commits, Side::After));
        drop(state);
        self.check()
    }
}

#[cfg(test)]
pub(crate) mod tests;

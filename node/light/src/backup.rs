//! Backups: what was said and who is known, in one encrypted file; and back.
//!
//! A backup holds no key: not of the device, not of a log, not of a group. Who restores one has a new device, reads what was
//! said, and is let into the groups again by their members. The account comes from its 24 words.

use std::path::Path;

use crate::client::Client;
use crate::core::blocking;
use crate::error::Error;
use crate::store::backup::{BackupError, Counts};
use crate::store::key::Passphrase;

impl Client {
    /// Writes a backup into a new file, under a passphrase of its own. When this returns the file is whole and durable; nothing
    /// is left of it if it fails.
    ///
    /// # Errors
    /// If there is such a file, or it cannot be written.
    pub async fn back_up(&self, file: &Path, passphrase: Passphrase) -> Result<Counts, Error> {
        let (store, file, now) = (self.core.store().clone(), file.to_owned(), self.core.clock.now());
        blocking(move || store.back_up(&file, &passphrase, now)).await
    }

    /// Takes everything out of a backup that is not here yet. Conversations come as they were read: they can be read and
    /// searched, and nothing can be said in them.
    ///
    /// # Errors
    /// If the file is no backup, or does not open with this passphrase. Then nothing has changed.
    pub async fn restore(&self, file: &Path, passphrase: Passphrase) -> Result<Counts, Error> {
        let (store, file) = (self.core.store().clone(), file.to_owned());
        let counts = blocking(move || store.restore(&file, &passphrase)).await?;
        self.core.lists_changed();
        Ok(counts)
    }
}

/// What cannot be a backup, or a place for one.
pub(crate) fn file_fault(error: &std::io::Error) -> Error {
    Error::Backup(BackupError::File(error.kind()))
}

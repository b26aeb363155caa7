//! What a reader is shown of a file.

use serde::Serialize;
use waxwing_seal::file::{Manifest, safe_file_name};

use crate::message::MessageId;
use crate::store::{StoreError, Transaction};

/// A file that a message hands over. The name is its sender's: **hostile until it went through**
/// [`waxwing_seal::display`]; nothing is ever saved under it.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct AttachmentView {
    /// Its name, as its sender has it.
    pub name: String,
    /// What it would be called here.
    pub safe_name: String,
    /// What it is, as its sender says. Nothing here acts on it.
    pub media_type: String,
    /// Bytes.
    pub size: u64,
    /// Its BLAKE3 hash, as `b3sum` prints it; checked when it is saved.
    pub hash: String,
    /// Until when the nodes that took it promised its sender to keep it, ms since 1970; none if they named no end.
    pub kept_until_ms: Option<u64>,
    /// How many nodes took it.
    pub copies: usize,
    /// Where it was last saved on this device.
    pub saved: Option<String>,
    /// When that was, by this device's clock.
    pub saved_ms: Option<u64>,
}

/// Names never reach a log line by way of `{:?}`.
impl core::fmt::Debug for AttachmentView {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "AttachmentView({} bytes)", self.size)
    }
}

impl AttachmentView {
    /// What a manifest says; `None` if its sender took the file back.
    pub(crate) fn of(manifest: &Manifest) -> Option<Self> {
        if manifest.is_forgotten() {
            return None;
        }
        Some(Self {
            name: manifest.name.as_str().to_owned(),
            safe_name: safe_file_name(manifest.name.as_str()),
            media_type: manifest.media_type.as_str().to_owned(),
            size: manifest.length,
            hash: manifest.hash.to_string(),
            kept_until_ms: Some(manifest.kept_until_ms).filter(|until| *until > 0),
            copies: manifest.holders.len(),
            saved: None,
            saved_ms: None,
        })
    }

    /// The same with where it was saved.
    pub(crate) fn with_saved(mut self, tx: &Transaction<'_>, message: MessageId) -> Result<Self, StoreError> {
        if let Some((path, time)) = crate::store::files::saved(tx, message)? {
            (self.saved, self.saved_ms) = (Some(path), Some(time));
        }
        Ok(self)
    }
}

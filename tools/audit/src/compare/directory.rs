//! A data directory, of which single heads are read.

use waxwing_core::certificate::Head;
use waxwing_core::evidence_file::Rung;
use waxwing_core::genesis::Genesis;
use waxwing_store::{StoreError, Tables};

use super::Heads;
use crate::directory::{Directory, unreadable};
use crate::source::{HistorySource, SourceError, SourceKind};

impl<T: Tables> Heads for Directory<T> {
    fn kind(&self) -> SourceKind {
        SourceKind::Directory
    }

    fn genesis(&self) -> &Genesis {
        HistorySource::genesis(self)
    }

    fn newest(&mut self) -> Result<u64, SourceError> {
        Ok(self.store().applied())
    }

    fn head(&mut self, height: u64) -> Result<Option<Head>, SourceError> {
        self.store().certified(height).map_err(|error| unread(&error))
    }

    /// As clients climb it: some rungs at a time, each time from the last one.
    fn ladder(&mut self) -> Result<Vec<Rung>, SourceError> {
        let (newest, mut held, mut rungs) = (self.store().applied(), 0, Vec::new());
        loop {
            let update = self.store().head_update(held, newest).map_err(|error| unread(&error))?;
            let Some(last) = update.as_ref().and_then(|update| update.ladder.last()) else {
                return Ok(rungs);
            };
            let height = last.head.header.height;
            if height <= held {
                return Ok(rungs);
            }
            held = height;
            rungs.extend(update.into_iter().flat_map(|update| update.ladder).map(Rung::from));
        }
    }
}

/// What it means for a comparison that a row cannot be read.
fn unread(error: &StoreError) -> SourceError {
    match error {
        StoreError::Failed(failure) => unreadable(failure),
        error => SourceError::Malformed {
            what: error.to_string(),
        },
    }
}

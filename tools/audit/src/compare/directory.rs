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
        match self.store().certified(height) {
            Ok(None) if self.store().gap().is_some_and(|gap| gap.lacks(height)) => Err(not_yet(height)),
            Ok(head) => Ok(head),
            Err(_) if self.store().gap().is_some() => Err(not_yet(height)),
            Err(error) => Err(unread(&error)),
        }
    }

    /// As clients climb it: some rungs at a time, each time from the last one.
    fn ladder(&mut self) -> Result<Vec<Rung>, SourceError> {
        let (newest, mut held, mut rungs) = (self.store().applied(), 0, Vec::new());
        loop {
            let update = match self.store().head_update(held, newest) {
                Err(_) if self.store().gap().is_some() => return Err(not_yet(held)),
                update => update.map_err(|error| unread(&error))?,
            };
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

/// A node that joined lately lacks what came before: that says nothing about its history.
fn not_yet(height: u64) -> SourceError {
    SourceError::Failed(format!(
        "its node joined lately and does not hold everything around block {height} yet: compare again when it has filled that in"
    ))
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

//! Saving the file that a message hands over.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;
use waxwing_core::{Hash, HashKeys};
use waxwing_net::wire::Opaque;
use waxwing_seal::file::{Level, Manifest, safe_file_name};
use waxwing_seal::{ContentId, Kind};

use super::error::FileError;
use super::fetch::Sources;
use super::place::{Expected, Part};
use super::progress::{Progress, Report, Stage, StillWanted, Wanted};
use crate::client::Client;
use crate::core::blocking;
use crate::error::Error;
use crate::message::MessageId;
use crate::store::messages::BodyState;
use crate::store::{channels, files, messages};

/// Chunks that wait for the disk.
const CHUNKS_WAITING: usize = 2;

/// Where a file goes.
pub enum Destination {
    /// Into a folder, under a harmless form of the name that its sender gave it; a number is added if there is such a file.
    Folder(PathBuf),
    /// To this place, where nothing is.
    File(PathBuf),
    /// Somewhere else, piece by piece, each as soon as it was checked. Nothing can be taken back, so whoever reads on must
    /// look at whether it ended well.
    Stream(Box<dyn Write + Send>),
}

/// A file and the message that hands it over.
struct Wish {
    message: MessageId,
    content: ContentId,
    network: Hash,
    manifest: Manifest,
}

impl Client {
    /// Fetches the file that a message hands over, checks every piece of it and the whole, and saves it; goes on where an
    /// earlier attempt was. Returns its place, if it is a file. Whoever drops the future gives up; what is there already is
    /// used the next time.
    ///
    /// # Errors
    /// [`Error::File`] with the reason, [`Error::UnknownMessage`].
    pub async fn save_attachment(
        &self,
        message: MessageId,
        to: Destination,
        report: Report,
    ) -> Result<Option<PathBuf>, Error> {
        let wish = self.wish(message).await?;
        if let Destination::File(target) = &to
            && target.symlink_metadata().is_ok()
        {
            return Err(FileError::Exists.into());
        }
        let sources = Sources::of(&self.core, wish.network, &wish.manifest).await?;
        let path = match to {
            Destination::Stream(out) => {
                stream(&sources, &wish, out, report).await?;
                return Ok(None);
            }
            Destination::Folder(folder) => {
                let name = safe_file_name(wish.manifest.name.as_str());
                let part = receive(&sources, &wish, folder.clone(), report).await?;
                blocking(move || part.finish_in(&folder, &name)).await?
            }
            Destination::File(target) => {
                let folder = target.parent().map_or_else(PathBuf::new, Path::to_owned);
                let part = receive(&sources, &wish, folder, report).await?;
                blocking(move || part.finish_as(&target)).await?
            }
        };
        let shown = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        let (shown, now) = (shown.to_string_lossy().into_owned(), self.core.clock.now());
        self.core.write(move |tx| files::save(tx, message, &shown, now)).await?;
        Ok(Some(path))
    }

    async fn wish(&self, message: MessageId) -> Result<Wish, Error> {
        self.core
            .read(move |tx| {
                let row = messages::load(tx, message)?.ok_or(Error::UnknownMessage)?;
                let channel = channels::load(tx, row.channel)?.ok_or(Error::UnknownChannel)?;
                let content = match row.content {
                    Some(content) => content,
                    None if matches!(row.body, BodyState::Erased | BodyState::Expired) => {
                        return Err(FileError::TakenBack.into());
                    }
                    None => return Err(FileError::NoAttachment.into()),
                };
                let Kind::Attachment(manifest) = content.kind else {
                    return Err(FileError::NoAttachment.into());
                };
                if manifest.is_forgotten() {
                    return Err(FileError::TakenBack.into());
                }
                Ok(Wish {
                    message,
                    content: content.id,
                    network: channel.network,
                    manifest: *manifest,
                })
            })
            .await
    }
}

fn level_of(manifest: &Manifest) -> Result<Level, FileError> {
    let shapes = manifest.levels().ok_or(FileError::TooLarge)?;
    let shape = shapes.first().copied().ok_or(FileError::TooLarge)?;
    Ok(manifest.key.level(0, shape))
}

/// Fetches what is missing of the unfinished file; whole and checked when this returns.
async fn receive(sources: &Arc<Sources>, wish: &Wish, folder: PathBuf, report: Report) -> Result<Part, Error> {
    let folder = if folder.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        folder
    };
    let ids = Arc::new(sources.ids(&wish.manifest).await?);
    let (level, hash, content) = (level_of(&wish.manifest)?, wish.manifest.hash, wish.content);
    let (keys, wanted) = (HashKeys::new(wish.network), Wanted::default());
    tracing::debug!(message = wish.message.0, "a file is fetched");
    let (watch, checked, told) = (wanted.watch(), Arc::clone(&ids), Arc::clone(&report));
    let (mut part, level) = blocking(move || {
        let expected = Expected {
            keys: &keys,
            level: &level,
            ids: &checked,
        };
        Ok::<_, FileError>((Part::open(&folder, content, &expected, &told, &watch)?, level))
    })
    .await?;
    let (to, chunks) = mpsc::channel(CHUNKS_WAITING);
    let (from, watch) = (part.next, wanted.watch());
    let writing = tokio::task::spawn_blocking(move || {
        let mut writing = Writing {
            level,
            hasher: part.hasher.clone(),
            report,
            wanted: watch,
        };
        let written = writing.take(chunks, &mut part.file);
        part.hasher = writing.hasher;
        written.map(|()| part)
    });
    let fetched = sources.hand_on(&ids, from, to).await;
    // What the disk says comes first: fetching ends because of it.
    let part = joined(writing).await??;
    fetched?;
    if Hash(*part.hasher.finalize().as_bytes()) != hash {
        part.forget();
        return Err(FileError::WrongHash.into());
    }
    drop(wanted);
    Ok(part)
}

/// Fetches everything and hands it on.
async fn stream(
    sources: &Arc<Sources>,
    wish: &Wish,
    mut out: Box<dyn Write + Send>,
    report: Report,
) -> Result<(), Error> {
    let ids = sources.ids(&wish.manifest).await?;
    let (to, chunks) = mpsc::channel(CHUNKS_WAITING);
    let wanted = Wanted::default();
    let mut writing = Writing {
        level: level_of(&wish.manifest)?,
        hasher: blake3::Hasher::new(),
        report,
        wanted: wanted.watch(),
    };
    let written = tokio::task::spawn_blocking(move || {
        writing.take(chunks, &mut *out)?;
        out.flush().map_err(|error| FileError::writing(&error))?;
        Ok::<_, FileError>(Hash(*writing.hasher.finalize().as_bytes()))
    });
    let fetched = sources.hand_on(&ids, 0, to).await;
    let hash = joined(written).await??;
    fetched?;
    drop(wanted);
    if hash == wish.manifest.hash {
        Ok(())
    } else {
        Err(FileError::WrongHash.into())
    }
}

async fn joined<R>(task: tokio::task::JoinHandle<R>) -> Result<R, FileError> {
    match task.await {
        Ok(done) => Ok(done),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(FileError::GivenUp),
        },
    }
}

/// Opens chunks and writes what is in them.
struct Writing {
    level: Level,
    hasher: blake3::Hasher,
    report: Report,
    wanted: StillWanted,
}

impl Writing {
    fn take(&mut self, mut chunks: mpsc::Receiver<(u32, Opaque)>, out: &mut dyn Write) -> Result<(), FileError> {
        let all = self.level.shape().length();
        while let Some((position, chunk)) = chunks.blocking_recv() {
            if self.wanted.is_over() {
                return Err(FileError::GivenUp);
            }
            let text = self.level.open(position, &chunk).map_err(FileError::Unsound)?;
            self.hasher.update(&text);
            out.write_all(&text).map_err(|error| FileError::writing(&error))?;
            let start = self.level.shape().extent(position).map_or(0, |extent| extent.start);
            (self.report)(Progress {
                stage: Stage::Fetching,
                done: all.min(start + super::plan::len(chunk.len())),
                all,
            });
        }
        Ok(())
    }
}

//! Sending a file: planned, carried to several nodes, and said in a message once they all keep it.
//!
//! ```text
//! terms of the nodes ──> two that take it (or as many as there are), the others in reserve
//! the row of an earlier attempt, or a fresh plan
//! each round: what do these nodes have already? ──> read, seal, hold against the plan ──> put what is missing
//!             a node that fails is left, and in the next round one of the reserve takes its place
//! all chunks kept ──> {message with the manifest, row gone} in one transaction
//! ```

use core::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use waxwing_core::chunk::ChunkId;
use waxwing_core::envelope::KeepFor;
use waxwing_core::keys::NodeId;
use waxwing_core::{Hash, HashKeys};
use waxwing_net::wire::limits::CHUNKS_PER_QUESTION_MAX;
use waxwing_net::wire::{Holding, Opaque};
use waxwing_seal::content::Words;
use waxwing_seal::file::{FileName, Manifest, MediaType};
use waxwing_seal::limits::FILE_NAME_BYTES_MAX;
use waxwing_seal::{Kind, NodeAddress};

use super::ask::patiently;
use super::error::FileError;
use super::offer::{is_policy, judge, offers, sealed_bytes};
use super::plan::{Lists, Plan, Sealing, len};
use super::progress::{Progress, Report, Stage, StillWanted, Wanted};
use crate::chat::{Draft, queue};
use crate::client::Client;
use crate::core::{Core, blocking};
use crate::error::Error;
use crate::limits::{CHUNK_KEPT_ENOUGH_MS, CHUNKS_SENT_AT_ONCE, COPIES, PLANS_MAX, UPLOAD_KEPT_MS};
use crate::message::{ChannelId, MessageId};
use crate::nodes::Fault;
use crate::store::{channels, files, manners, networks};

/// A file to be sent.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// Where it is.
    pub path: PathBuf,
    /// What it is called for others; its own name if none is given.
    pub name: Option<String>,
    /// What it is, as `image/png`; may be empty.
    pub media_type: String,
    /// What is said with it; may be empty.
    pub words: String,
    /// For how long nodes are asked to keep it.
    pub days: NonZeroU32,
}

/// A file that nodes keep, in a message that is queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Attached {
    /// The message.
    pub message: MessageId,
    /// Nodes that keep it.
    pub copies: usize,
    /// Until when one of them at least does, by its word, ms since 1970.
    pub kept_until_ms: u64,
    /// Bytes of chunks that were put on nodes by this call, all copies together.
    pub put_bytes: u64,
}

/// What every part of one transfer needs.
struct Transfer<'a> {
    core: &'a Arc<Core>,
    network: Hash,
    keys: HashKeys,
    path: &'a Path,
    report: &'a Report,
    wanted: StillWanted,
}

/// A node that is to keep the file.
#[derive(Clone)]
struct Target {
    address: NodeAddress,
    days: NonZeroU32,
    /// By the place of the chunk: the file's, then the lists'.
    missing: Vec<bool>,
    until_ms: u64,
    fault: Option<Fault>,
}

impl Client {
    /// Puts a file on nodes and queues the message that hands it over: only when every chunk is kept by at least one of
    /// them, by two where two take it. Called again for the same file after a crash, or when the future was dropped, it
    /// goes on where it was.
    ///
    /// # Errors
    /// [`Error::File`] with the reason; else as [`Client::send`].
    pub async fn attach(&self, channel: ChannelId, attachment: Attachment, report: Report) -> Result<Attached, Error> {
        let network = self.network_of(channel).await?;
        let days = self.days_of(channel, attachment.days).await?;
        let path = std::fs::canonicalize(&attachment.path).map_err(|error| FileError::reading(&error))?;
        let about = about(&attachment, &path)?;
        let wanted = Wanted::default();
        let transfer = Transfer {
            core: &self.core,
            network,
            keys: HashKeys::new(network),
            path: &path,
            report: &report,
            wanted: wanted.watch(),
        };
        for _ in 0..PLANS_MAX {
            let plan = transfer.plan(channel).await?;
            match transfer.carry(&plan, days).await {
                Ok(carried) => return self.hand_over(channel, &path, plan, carried, about).await,
                // What was planned can not be sent any more, and never will be.
                Err(Error::File(FileError::Changes)) => transfer.give_up(channel, plan.hash).await?,
                Err(error) => return Err(error),
            }
        }
        Err(FileError::Changes.into())
    }

    pub(super) async fn network_of(&self, channel: ChannelId) -> Result<Hash, Error> {
        self.core
            .read(move |tx| {
                let channel = channels::load(tx, channel)?.ok_or(Error::UnknownChannel)?;
                let network = networks::load(tx, channel.network)?.ok_or(Error::UnknownNetwork(channel.network))?;
                match &network.held.halted {
                    // Said before an hour of sending, not behind it.
                    Some(evidence) => Err(Error::Forked {
                        height: evidence.height(),
                    }),
                    None => Ok(channel.network),
                }
            })
            .await
    }

    /// For how long nodes are asked to keep a file: not longer than the message with its key lives, where a timer ends that.
    async fn days_of(&self, channel: ChannelId, wanted: NonZeroU32) -> Result<NonZeroU32, Error> {
        let timer = self.core.read(move |tx| manners::load(tx, channel)).await?.timer;
        // For ever is no days at all.
        Ok(NonZeroU32::new(timer.days()).map_or(wanted, |days| days.min(wanted)))
    }

    /// Queues the message, and forgets the upload with the same write: a crash sends it once or goes on with it.
    async fn hand_over(
        &self,
        channel: ChannelId,
        path: &Path,
        plan: Plan,
        carried: Carried,
        about: About,
    ) -> Result<Attached, Error> {
        let (row, now) = (path_bytes(path), self.core.clock.now());
        let Carried { kept, ids, put_bytes } = carried;
        let kept_until_ms = kept.iter().map(|target| target.until_ms).max().unwrap_or(0);
        let copies = kept.len();
        let whole = plan.hash;
        let manifest = Manifest {
            name: about.name,
            media_type: about.media_type,
            length: plan.length,
            hash: plan.hash,
            key: plan.key,
            kept_until_ms,
            holders: kept.iter().map(|target| target.address.id()).collect(),
            chunks: ids,
            words: about.words,
        };
        let draft = Draft {
            kind: Kind::Attachment(Box::new(manifest)),
            keep_for: KeepFor::Ever,
        };
        let message = self
            .core
            .write::<_, Error>(move |tx| {
                if !files::end_upload(tx, channel, &row, whole)? {
                    return Err(FileError::SentElsewhere.into());
                }
                queue(tx, channel, draft, now)
            })
            .await?;
        self.core.outbox_changed();
        Ok(Attached {
            message,
            copies,
            kept_until_ms,
            put_bytes,
        })
    }
}

/// What a message says about a file beside what its bytes are.
struct About {
    name: FileName,
    media_type: MediaType,
    words: Words,
}

fn about(attachment: &Attachment, path: &Path) -> Result<About, Error> {
    let own = path.file_name().unwrap_or_default().to_string_lossy();
    let name = attachment.name.as_deref().unwrap_or(&own);
    let most = usize::try_from(FILE_NAME_BYTES_MAX).unwrap_or(usize::MAX);
    Ok(About {
        name: FileName::new(name.get(..name.floor_char_boundary(most)).unwrap_or_default())?,
        media_type: MediaType::new(attachment.media_type.as_str())?,
        words: Words::new(attachment.words.as_str())?,
    })
}

fn path_bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_encoded_bytes().to_vec()
}

/// What nodes keep.
struct Carried {
    kept: Vec<Target>,
    /// What the manifest lists.
    ids: Vec<ChunkId>,
    put_bytes: u64,
}

impl Transfer<'_> {
    /// The plan of an earlier attempt, or a fresh one; durable when this returns.
    async fn plan(&self, channel: ChannelId) -> Result<Plan, Error> {
        let (row, now) = (path_bytes(self.path), self.core.clock.now());
        let earlier = row.clone();
        let known = self
            .core
            .write::<_, Error>(move |tx| {
                files::drop_old_uploads(tx, now.saturating_sub(UPLOAD_KEPT_MS))?;
                Ok(files::upload(tx, channel, &earlier)?)
            })
            .await?;
        if let Some(plan) = known {
            return Ok(plan);
        }
        let (path, keys) = (self.path.to_owned(), self.keys.clone());
        let (report, wanted) = (Arc::clone(self.report), self.wanted.clone());
        let plan = blocking(move || Plan::make(&path, &keys, &report, &wanted)).await?;
        // Before any chunk leaves: see the opening of this folder.
        self.core
            .write::<_, Error>(move |tx| {
                // Another process may have begun with the same file meanwhile: one of the two plans counts.
                if let Some(first) = files::upload(tx, channel, &row)? {
                    return Ok(first);
                }
                files::begin_upload(tx, channel, &row, &plan, now)?;
                Ok(plan)
            })
            .await
    }

    /// Forgets a plan that the file does not fit any more.
    async fn give_up(&self, channel: ChannelId, whole: Hash) -> Result<(), Error> {
        let row = path_bytes(self.path);
        self.core
            .write(move |tx| files::end_upload(tx, channel, &row, whole).map(|_| ()))
            .await?;
        Ok(())
    }

    /// Puts the chunks on as many nodes as there are to be copies, or as take them.
    async fn carry(&self, plan: &Plan, days: NonZeroU32) -> Result<Carried, Error> {
        let needed = sealed_bytes(plan.length).ok_or(FileError::TooLarge)?;
        let Lists { chunks, ids } = plan.lists(&self.keys)?;
        let listed = chunks.iter().map(|(id, _)| *id);
        let all: Vec<ChunkId> = plan.ids.iter().copied().chain(listed).collect();
        let lists: Vec<Opaque> = chunks.into_iter().map(|(_, chunk)| chunk.into()).collect();
        let (mut reserve, mut faults) = (std::collections::VecDeque::new(), Vec::new());
        for (address, offer) in offers(self.core, self.network).await? {
            match judge(&offer, needed) {
                Ok(terms) => reserve.push_back(Target {
                    days: days.min(NonZeroU32::new(terms.days).unwrap_or(days)),
                    address,
                    missing: Vec::new(),
                    until_ms: 0,
                    fault: None,
                }),
                Err(fault) => faults.push((address.id(), fault)),
            }
        }
        let (mut kept, mut put_bytes): (Vec<Target>, u64) = (Vec::new(), 0);
        while kept.len() < COPIES && !reserve.is_empty() {
            let next = reserve.drain(..reserve.len().min(COPIES - kept.len())).collect();
            let (targets, put) = self.round(plan, &all, &lists, next).await?;
            put_bytes += put;
            for target in targets {
                match target.fault.clone() {
                    None => kept.push(target),
                    Some(fault) => {
                        self.leave(target.address.id(), &fault).await?;
                        faults.push((target.address.id(), fault));
                    }
                }
            }
        }
        if kept.is_empty() {
            return Err(FileError::NobodyKeeps(faults).into());
        }
        Ok(Carried { kept, ids, put_bytes })
    }

    async fn leave(&self, node: NodeId, fault: &Fault) -> Result<(), Error> {
        if !is_policy(fault) {
            self.core.blame(self.network, node, fault).await?;
            self.core.hang_up(self.network, node);
        }
        Ok(())
    }

    /// Gives these nodes what they do not have yet. Each comes back with everything, or with a fault.
    async fn round(
        &self,
        plan: &Plan,
        all: &[ChunkId],
        lists: &[Opaque],
        mut targets: Vec<Target>,
    ) -> Result<(Vec<Target>, u64), Error> {
        for target in &mut targets {
            if let Err(fault) = self.look(target, all).await {
                target.fault = Some(fault);
            }
        }
        let mut round = Round {
            transfer: self,
            targets,
            puts: JoinSet::new(),
            put_bytes: 0,
        };
        let (to, mut chunks) = mpsc::channel(1);
        let reading = tokio::task::spawn_blocking(self.reader(plan, round.wanted(plan.ids.len()), to));
        while let Some((place, chunk)) = chunks.recv().await {
            round.put(place, &chunk).await;
            if round.is_lost() {
                break;
            }
        }
        drop(chunks);
        let read = reading.await.unwrap_or(Err(FileError::GivenUp));
        if !round.is_lost() {
            read?;
        }
        for (place, chunk) in (plan.ids.len()..).zip(lists) {
            round.put(place, chunk).await;
        }
        round.finish().await;
        Ok((round.targets, round.put_bytes))
    }

    /// Asks a node what it has already. What it drops soon is put again.
    async fn look(&self, target: &mut Target, all: &[ChunkId]) -> Result<(), Fault> {
        let enough = self.core.clock.now().saturating_add(CHUNK_KEPT_ENOUGH_MS);
        target.until_ms = u64::MAX;
        for ids in all.chunks(CHUNKS_PER_QUESTION_MAX) {
            let ask = |peer: crate::peer::Peer| async move { peer.have_chunks(ids).await };
            for holding in patiently(self.core, self.network, &target.address, ask).await? {
                let until = match holding {
                    Holding::Kept { until_ms } if until_ms >= enough => Some(until_ms),
                    Holding::Kept { .. } | Holding::Nothing => None,
                };
                target.until_ms = target.until_ms.min(until.unwrap_or(u64::MAX));
                target.missing.push(until.is_none());
            }
        }
        Ok(())
    }

    /// Reads and seals the whole file, holds every chunk against the plan, and hands on those that are wanted.
    fn reader(
        &self,
        plan: &Plan,
        wanted: Vec<bool>,
        to: mpsc::Sender<(usize, Opaque)>,
    ) -> impl FnOnce() -> Result<(), FileError> + Send + 'static {
        let (plan, keys, path) = (plan.clone(), self.keys.clone(), self.path.to_owned());
        let (report, over) = (Arc::clone(self.report), self.wanted.clone());
        move || {
            let mut sealing = Sealing::open(&path, &plan.key)?;
            if sealing.shape().length() != plan.length {
                return Err(FileError::Changes);
            }
            while let Some(piece) = sealing.next(&keys)? {
                if over.is_over() {
                    return Err(FileError::GivenUp);
                }
                let place = usize::try_from(piece.position).unwrap_or(usize::MAX);
                // The one line that keeps two texts from leaving under one key.
                if plan.ids.get(place) != Some(&piece.id) {
                    return Err(FileError::Changes);
                }
                let is_wanted = wanted.get(place).copied().unwrap_or(false);
                if is_wanted && to.blocking_send((place, Opaque::from(piece.chunk))).is_err() {
                    return Err(FileError::GivenUp);
                }
                report(Progress {
                    stage: Stage::Sending,
                    done: piece.done,
                    all: plan.length,
                });
            }
            Ok(())
        }
    }
}

/// Chunks on their way to a few nodes.
struct Round<'a> {
    transfer: &'a Transfer<'a>,
    targets: Vec<Target>,
    /// Dropped with this, which ends them.
    puts: JoinSet<(usize, usize, Result<u64, Fault>)>,
    put_bytes: u64,
}

impl Round<'_> {
    /// Which chunks of the file any node lacks.
    fn wanted(&self, chunks: usize) -> Vec<bool> {
        let lacks =
            |target: &Target, place| target.fault.is_none() && target.missing.get(place).copied().unwrap_or(true);
        (0..chunks)
            .map(|place| self.targets.iter().any(|target| lacks(target, place)))
            .collect()
    }

    /// Whether every node has failed.
    fn is_lost(&self) -> bool {
        self.targets.iter().all(|target| target.fault.is_some())
    }

    /// Puts a chunk on every node that lacks it; waits while enough are on their way.
    async fn put(&mut self, place: usize, chunk: &Opaque) {
        let core = Arc::clone(self.transfer.core);
        for number in 0..self.targets.len() {
            while self.puts.len() >= CHUNKS_SENT_AT_ONCE {
                self.done().await;
            }
            let Some(target) = self.targets.get(number) else { return };
            let lacks = target.missing.get(place).copied().unwrap_or(true);
            if target.fault.is_some() || !lacks {
                continue;
            }
            let (core, network) = (Arc::clone(&core), self.transfer.network);
            let (address, days, chunk) = (target.address.clone(), target.days, chunk.clone());
            self.puts.spawn(async move {
                let bytes = chunk.len();
                let ask = |peer: crate::peer::Peer| {
                    let chunk = chunk.clone();
                    async move { peer.put_chunk(days, chunk).await }
                };
                (number, bytes, patiently(&core, network, &address, ask).await)
            });
        }
    }

    /// Takes note of one put that is over.
    async fn done(&mut self) {
        // A put that panicked is a fault of this program; the panic was printed, and its node counts as failed.
        let Some(Ok((number, bytes, put))) = self.puts.join_next().await else {
            self.targets.iter_mut().for_each(|target| {
                target.fault.get_or_insert(Fault::HungUp);
            });
            return;
        };
        let Some(target) = self.targets.get_mut(number) else {
            return;
        };
        match put {
            Ok(until_ms) => {
                target.until_ms = target.until_ms.min(until_ms);
                self.put_bytes += len(bytes);
            }
            Err(fault) => {
                target.fault.get_or_insert(fault);
            }
        }
    }

    async fn finish(&mut self) {
        while !self.puts.is_empty() {
            self.done().await;
        }
    }
}

//! Chunks from whoever has them: believed by their ids, whoever gives them.
//!
//! The nodes that the sender named are asked first, of those that this home knows: an address that another member wrote is
//! never dialled, since it would tell him where his readers are. A node that does not have a chunk, or gives another, is
//! asked last from then on.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use waxwing_core::chunk::ChunkId;
use waxwing_core::keys::NodeId;
use waxwing_core::{Hash, HashKeys};
use waxwing_net::wire::{Opaque, Refusal};
use waxwing_seal::NodeAddress;
use waxwing_seal::file::{Manifest, PieceError, listed};

use super::ask::patiently;
use super::error::FileError;
use crate::core::Core;
use crate::error::Error;
use crate::limits::CHUNKS_FETCHED_AT_ONCE;
use crate::nodes::Fault;

/// Where the chunks of one file may be.
pub(super) struct Sources {
    core: Arc<Core>,
    network: Hash,
    keys: HashKeys,
    kept_until_ms: u64,
    asked: Mutex<Asked>,
}

/// The nodes in the order in which to ask them, and what was wrong with some.
struct Asked {
    order: Vec<NodeAddress>,
    faults: Vec<(NodeId, Fault)>,
}

impl Sources {
    pub(super) async fn of(core: &Arc<Core>, network: Hash, manifest: &Manifest) -> Result<Arc<Self>, Error> {
        let mut order: Vec<NodeAddress> = core
            .nodes(network)
            .await?
            .into_iter()
            .map(|node| node.address)
            .collect();
        if order.is_empty() {
            return Err(Error::NoNodes);
        }
        // A stable sort: among the holders, and among the others, the better node stays first.
        order.sort_by_key(|node| !manifest.holders.contains(&node.id()));
        Ok(Arc::new(Self {
            core: Arc::clone(core),
            network,
            keys: HashKeys::new(network),
            kept_until_ms: manifest.kept_until_ms,
            asked: Mutex::new(Asked {
                order,
                faults: Vec::new(),
            }),
        }))
    }

    fn asked(&self) -> std::sync::MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A chunk, from the first node that has it.
    pub(super) async fn chunk(&self, id: ChunkId) -> Result<Opaque, Error> {
        let order = self.asked().order.clone();
        for node in &order {
            let ask = |peer: crate::peer::Peer| async move { peer.fetch_chunk(&self.keys, id).await };
            match patiently(&self.core, self.network, node, ask).await {
                Ok(chunk) => return Ok(chunk),
                Err(fault) => self.ask_last(node.id(), fault).await?,
            }
        }
        let (now, until) = (self.core.clock.now(), self.kept_until_ms);
        Err(FileError::NobodyHas {
            kept_until_ms: until,
            is_over: until > 0 && until <= now,
            faults: self.asked().faults.clone(),
        }
        .into())
    }

    /// Asks others before this node from now on. That it does not keep a chunk is no fault: nobody promised that to us.
    async fn ask_last(&self, node: NodeId, fault: Fault) -> Result<(), Error> {
        let is_new = {
            let mut asked = self.asked();
            asked.order.sort_by_key(|other| other.id() == node);
            let is_new = asked.faults.iter().all(|(of, known)| *of != node || *known != fault);
            if is_new {
                asked.faults.push((node, fault.clone()));
            }
            is_new
        };
        if is_new && !matches!(fault, Fault::Refused(Refusal::UnknownChunk | Refusal::NoChunks)) {
            self.core.blame(self.network, node, &fault).await?;
            self.core.hang_up(self.network, node);
        }
        Ok(())
    }

    /// The ids of the file's own chunks: from the manifest, or through the lists that it begins.
    pub(super) async fn ids(&self, manifest: &Manifest) -> Result<Vec<ChunkId>, Error> {
        let shapes = manifest.levels().ok_or(FileError::TooLarge)?;
        let mut ids = manifest.chunks.clone();
        for (number, shape) in (0..).zip(shapes).skip(1).collect::<Vec<_>>().into_iter().rev() {
            let level = manifest.key.level(number, shape);
            let mut text = Vec::new();
            for (position, id) in (0..).zip(&ids) {
                let chunk = self.chunk(*id).await?;
                text.extend_from_slice(&level.open(position, &chunk).map_err(FileError::Unsound)?);
            }
            ids = listed(&text).ok_or(FileError::Unsound(PieceError::WrongLength))?;
        }
        Ok(ids)
    }

    /// Hands on the chunks with these ids from a position on, in order, several on their way at a time. Ends early when
    /// nobody takes them any more.
    pub(super) async fn hand_on(
        self: &Arc<Self>,
        ids: &[ChunkId],
        from: u32,
        to: mpsc::Sender<(u32, Opaque)>,
    ) -> Result<(), Error> {
        let mut wanted = (0..)
            .zip(ids.iter().copied())
            .skip(usize::try_from(from).unwrap_or(usize::MAX));
        // Dropped with this future, which ends them.
        let mut tasks = JoinSet::new();
        let mut coming: VecDeque<(u32, oneshot::Receiver<Result<Opaque, Error>>)> = VecDeque::new();
        loop {
            while coming.len() < CHUNKS_FETCHED_AT_ONCE
                && let Some((position, id)) = wanted.next()
            {
                let (done, arrives) = oneshot::channel();
                let sources = Arc::clone(self);
                tasks.spawn(async move {
                    // Nobody waits any more: the transfer was given up.
                    let _ = done.send(sources.chunk(id).await);
                });
                coming.push_back((position, arrives));
            }
            while tasks.try_join_next().is_some() {}
            let Some((position, arrives)) = coming.pop_front() else {
                return Ok(());
            };
            // A task that panicked has printed why.
            let chunk = arrives.await.map_err(|_| FileError::GivenUp)??;
            if to.send((position, chunk)).await.is_err() {
                return Ok(());
            }
        }
    }
}

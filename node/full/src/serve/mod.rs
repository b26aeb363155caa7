//! Serve: answers to clients and to nodes that copy.
//!
//! What an answer says is decided in plain functions that read the chain ([`proofs`], [`content`]); here they are moved off
//! the tasks that talk to peers, because a read may have to wait for a disk. Nobody is believed and nobody has to believe:
//! a request names no user, and an answer is worth what its proof shows.

mod beacons;
mod committee;
mod content;
mod proofs;
mod readiness;
mod relay;
mod status;
mod subscribers;
mod subscription;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{Semaphore, watch};
use waxwing_core::codec::Encode;
use waxwing_core::keys::NodeId;
use waxwing_net::quic::{PeerInfo, Responder, Service};
use waxwing_net::wire::{
    Admission, EnvelopeRefusal, Kind, List, Opaque, Promise, Refusal, Reply, Request, Response, Room, Submitters,
};
use waxwing_store::{EraseError, StoreError, Tables};

pub(crate) use beacons::{Beacons, Makers};
pub use committee::{CertificateReport, CommitteeReport};
pub(crate) use relay::{Memory, Relay};
pub(crate) use status::Facts;
pub use status::{EvidenceReport, LinkReport, NodeStatus, PoolStatus, UpstreamReport};
pub(crate) use subscribers::{Subscribers, subscriber_of};

use crate::chain::Chain;
use crate::chunks::Chunks;
use crate::disk::Disk;
use crate::erasures::{Erasures, Revealed};
use crate::faults::{Fault, Lifeline};
use crate::intake::Intake;
use crate::join::Offers;
use crate::meter::Meter;
use crate::order::Voter;
use crate::peers::Links;
use crate::reports::{Report, Reports};
use crate::sync::Upstreams;

/// A reply, unless the store fails.
type Answer = Result<Reply, StoreError>;

/// When a sender should try again if the disk quota is used up: an operator has to act.
const QUOTA_RETRY_MS: u64 = 60_000;

/// Reads of the chain at once.
pub(crate) const READS_MAX: usize = 32;

/// Everything that answers need.
pub(crate) struct Serving<T> {
    pub(crate) chain: Arc<Chain<T>>,
    pub(crate) intake: Arc<Intake<T>>,
    pub(crate) relay: Arc<Relay<T>>,
    /// Whether this node votes: then envelopes wait here, else they are passed on.
    pub(crate) votes: watch::Receiver<bool>,
    pub(crate) links: Arc<Links<T>>,
    pub(crate) voter: Arc<Mutex<Voter>>,
    pub(crate) beacons: Arc<Beacons<T>>,
    pub(crate) subscribers: Arc<Subscribers>,
    pub(crate) erasures: Arc<Erasures<T>>,
    pub(crate) reports: Arc<Reports>,
    pub(crate) offers: Arc<Offers>,
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) disk: Arc<Disk>,
    pub(crate) chunks: Arc<Chunks>,
    /// Turns for reads: a thread each, and more of them would only queue at the same disk.
    pub(crate) reads: Semaphore,
    pub(crate) facts: Facts,
    pub(crate) lifeline: Lifeline,
    /// Set for good when two certified histories were seen.
    pub(crate) halted: Arc<AtomicBool>,
    pub(crate) meter: Arc<Meter>,
}

/// The service as the server calls it.
pub(crate) struct Served<T>(pub(crate) Arc<Serving<T>>);

impl<T: Tables> Service for Served<T> {
    async fn call(&self, peer: PeerInfo, request: Request, responder: Responder) {
        let serving = Arc::clone(&self.0);
        serving.meter.request(kind_name(request.kind()));
        match request {
            Request::Subscribe { logs, held, watch } => {
                let wanted = subscription::Wanted {
                    logs: logs.into_vec(),
                    held,
                    watch,
                };
                subscription::serve(serving, peer.address.ip(), wanted, responder).await;
            }
            Request::Order { hello } => Arc::clone(&serving.links).listen(peer, &hello, responder).await,
            Request::Spread { envelopes } => {
                responder
                    .reply(serving.spread(&peer.node, envelopes.into_vec()).await)
                    .await;
            }
            Request::Missing { block, stamps } => {
                responder.reply(serving.links.missing(&peer.node, block, &stamps)).await;
            }
            Request::PutChunk { .. } | Request::GetChunk { .. } | Request::HaveChunks { .. } | Request::ChunkTerms => {
                responder
                    .reply(serving.chunks.answer(peer.address.ip(), request).await)
                    .await;
            }
            request => responder.reply(serving.answer(request).await).await,
        }
    }
}

impl<T: Tables> Serving<T> {
    async fn answer(self: &Arc<Self>, request: Request) -> Reply {
        match request {
            Request::Status => self.status(),
            Request::Genesis => Ok(Response::Genesis(self.chain.store().genesis().to_bytes().into())),
            Request::Submit { envelopes, promise } => self.submit(envelopes.into_vec(), promise).await,
            Request::Head { held } => self.read(move |chain| proofs::head(chain, held)).await,
            Request::Log { log, held } => self.read(move |chain| proofs::log(chain, &log, held)).await,
            Request::Entries { .. } | Request::Blocks { .. } => self.content(request).await,
            Request::Receipt { log, index } => self.read(move |chain| proofs::receipt(chain, &log, index)).await,
            Request::Headers { from, count } => self.read(move |chain| proofs::headers(chain, from, count)).await,
            Request::HistoryProof { height, size } => {
                self.read(move |chain| proofs::history(chain, height, size)).await
            }
            Request::Beacon { newer_than_ms, wait_ms } => self.beacons.answer(newer_than_ms, wait_ms).await,
            Request::Statement { height, head } => self.beacons.statement(height, head),
            Request::Confirm { height, head, time } => self.beacons.confirm(height, head, time).await,
            Request::Reveal { log, index, secret } => self.reveal(Revealed { log, index, secret }).await,
            Request::Peers => Ok(self.peers()),
            Request::Ready => Ok(self.ready()),
            Request::Report { evidence } => self.report(&evidence),
            // Answered by pushes, or according to who asks: see `call`.
            Request::Subscribe { .. }
            | Request::Order { .. }
            | Request::Spread { .. }
            | Request::Missing { .. }
            | Request::PutChunk { .. }
            | Request::GetChunk { .. }
            | Request::HaveChunks { .. }
            | Request::ChunkTerms => Err(Refusal::Contradiction),
            Request::Snapshot { height, part } => self.snapshot(height, part).await,
        }
    }

    async fn content(&self, request: Request) -> Reply {
        match request {
            Request::Entries {
                log,
                from,
                count,
                bytes,
                bodies,
            } => {
                let wanted = content::Wanted {
                    from,
                    count,
                    bytes,
                    bodies,
                };
                self.read(move |chain| content::entries(chain, &log, wanted)).await
            }
            Request::Blocks { from, count, bytes } => {
                self.read(move |chain| content::blocks(chain, from, count, bytes)).await
            }
            _ => Err(Refusal::Contradiction),
        }
    }

    async fn submit(&self, envelopes: Vec<Opaque>, promise: Promise) -> Reply {
        if self.lifeline.is_stopping() {
            return Err(self.refusal());
        }
        if self.facts.submitters == Submitters::Nobody {
            return Err(Refusal::NotAllowed);
        }
        let full = Admission::Refused(EnvelopeRefusal::PoolFull {
            retry_after_ms: QUOTA_RETRY_MS,
        });
        let votes = *self.votes.borrow();
        let admissions = match votes {
            _ if self.disk.is_full() => vec![full; envelopes.len()],
            true => self.intake.take(envelopes, promise).await?,
            false => self.relay.take(envelopes, promise).await?,
        };
        List::new(admissions).map(Response::Submit).ok_or(Refusal::Broken)
    }

    /// Envelopes that another validator took in. What it says about itself it has proved before.
    async fn spread(&self, node: &NodeId, envelopes: Vec<Opaque>) -> Reply {
        let validator = self.links.may_spread(node).ok_or(Refusal::Stranger)?;
        if self.lifeline.is_stopping() {
            return Err(self.refusal());
        }
        if self.disk.is_full() {
            return Ok(Response::Spread(Room::Full {
                retry_after_ms: QUOTA_RETRY_MS,
            }));
        }
        let spread = self.intake.take_spread(envelopes).await?;
        if spread.is_nonsense {
            self.links.ban(validator);
        }
        Ok(Response::Spread(spread.room))
    }

    async fn reveal(self: &Arc<Self>, revealed: Revealed) -> Reply {
        let here = Arc::clone(self);
        self.read(move |chain| match here.erasures.reveal(revealed) {
            Ok(()) => Ok(Ok(Response::Reveal)),
            Err(EraseError::WrongSecret) => Ok(Err(Refusal::WrongSecret)),
            Err(EraseError::Kept) => Ok(Err(Refusal::NotAllowed)),
            Err(EraseError::NoSuchEntry) => {
                chain.store().expect_entry(&revealed.log, revealed.index)?;
                let length = proofs::length(chain, &revealed.log)?;
                Ok(Err(
                    length.map_or(Refusal::UnknownLog, |length| Refusal::IndexAhead { length })
                ))
            }
            Err(EraseError::Store(error)) => Err(error),
        })
        .await
    }

    fn report(&self, evidence: &Opaque) -> Reply {
        match self.reports.take(evidence, &self.chain.ledger()) {
            Report::Nothing => Err(Refusal::NoEvidence),
            Report::Known | Report::News => Ok(Response::Report),
        }
    }

    /// Whether two certified histories were seen, so that nothing more is copied.
    fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Relaxed)
    }

    /// A part of a snapshot, for a node that joins.
    async fn snapshot(&self, height: u64, part: Opaque) -> Reply {
        let offers = Arc::clone(&self.offers);
        self.read(move |chain| offers.part(chain, height, &part)).await
    }

    /// A row that is missing while the node fills in what came before it joined is one that is not here yet. Any other
    /// failure stops the node.
    fn unreadable(&self, error: StoreError) -> Refusal {
        match (error, self.chain.store().gap()) {
            (StoreError::Missing(_), Some(gap)) => Refusal::NotHereYet { from: gap.whole_from() },
            (error, _) => {
                self.lifeline.fail(Fault::Store(error));
                Refusal::Broken
            }
        }
    }

    /// Why nothing is answered any more.
    fn refusal(&self) -> Refusal {
        if self.lifeline.fault().is_some() {
            Refusal::Broken
        } else {
            Refusal::ShuttingDown
        }
    }

    async fn read(&self, read: impl FnOnce(&Chain<T>) -> Answer + Send + 'static) -> Reply {
        self.read_value(read).await?
    }

    /// Reads the chain on a thread that may wait for a disk; only so many at once.
    async fn read_value<V: Send + 'static>(
        &self,
        read: impl FnOnce(&Chain<T>) -> Result<V, StoreError> + Send + 'static,
    ) -> Result<V, Refusal> {
        let _turn = self.reads.acquire().await.map_err(|_| Refusal::ShuttingDown)?;
        let chain = Arc::clone(&self.chain);
        match tokio::task::spawn_blocking(move || read(&chain)).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.unreadable(error)),
            // The read panicked: a fault of ours that says nothing about the next one.
            Err(_) => Err(Refusal::Broken),
        }
    }
}

const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Status => "status",
        Kind::Genesis => "genesis",
        Kind::Submit => "submit",
        Kind::Head => "head",
        Kind::Log => "log",
        Kind::Entries => "entries",
        Kind::Receipt => "receipt",
        Kind::Headers => "headers",
        Kind::HistoryProof => "history_proof",
        Kind::Blocks => "blocks",
        Kind::Beacon => "beacon",
        Kind::Statement => "statement",
        Kind::Reveal => "reveal",
        Kind::Subscribe => "subscribe",
        Kind::Peers => "peers",
        Kind::Report => "report",
        Kind::Order => "order",
        Kind::Spread => "spread",
        Kind::Missing => "missing",
        Kind::Confirm => "confirm",
        Kind::Snapshot => "snapshot",
        Kind::PutChunk => "put_chunk",
        Kind::GetChunk => "get_chunk",
        Kind::HaveChunks => "have_chunks",
        Kind::ChunkTerms => "chunk_terms",
        Kind::Ready => "ready",
    }
}

impl<T> std::fmt::Debug for Serving<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Serving")
    }
}

//! Serve: answers to clients and to nodes that copy.
//!
//! What an answer says is decided in plain functions that read the chain ([`proofs`], [`content`]); here they are moved off
//! the tasks that talk to peers, because a read may have to wait for a disk. Nobody is believed and nobody has to believe:
//! a request names no user, and an answer is worth what its proof shows.

mod beacons;
mod content;
mod proofs;
mod relay;
mod status;
mod subscribers;
mod subscription;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use waxwing_core::Hash;
use waxwing_core::codec::Encode;
use waxwing_net::quic::{PeerInfo, Responder, Service};
use waxwing_net::wire::{
    Admission, EnvelopeRefusal, Kind, List, Opaque, Promise, Refusal, Reply, Request, Response, Submitters,
};
use waxwing_store::{EraseError, StoreError, Tables};

pub(crate) use beacons::{Beacons, Source};
pub(crate) use relay::Relay;
pub(crate) use status::Facts;
pub use status::{NodeStatus, PoolStatus, UpstreamReport};
pub(crate) use subscribers::Subscribers;

use crate::chain::Chain;
use crate::clock::Clock;
use crate::disk::Disk;
use crate::erasures::{Erasures, Revealed};
use crate::faults::{Fault, Lifeline};
use crate::intake::Intake;
use crate::meter::Meter;
use crate::order::Voter;
use crate::reports::{Report, Reports};
use crate::sync::Upstreams;

/// A reply, unless the store fails.
type Answer = Result<Reply, StoreError>;

/// When a sender should try again if the disk quota is used up: an operator has to act.
const QUOTA_RETRY_MS: u64 = 60_000;

/// Time for an upstream node to take what is passed on.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads of the chain at once.
pub(crate) const READS_MAX: usize = 32;

/// Everything that answers need.
pub(crate) struct Serving<T> {
    pub(crate) chain: Arc<Chain<T>>,
    pub(crate) submissions: Submissions<T>,
    pub(crate) beacons: Arc<Beacons<T>>,
    pub(crate) subscribers: Arc<Subscribers>,
    pub(crate) erasures: Arc<Erasures<T>>,
    pub(crate) reports: Arc<Reports>,
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) voter: Option<Arc<Mutex<Voter>>>,
    pub(crate) disk: Arc<Disk>,
    /// Turns for reads: a thread each, and more of them would only queue at the same disk.
    pub(crate) reads: Semaphore,
    pub(crate) facts: Facts,
    pub(crate) clock: Clock,
    pub(crate) lifeline: Lifeline,
    pub(crate) meter: Arc<Meter>,
}

/// Where submitted envelopes go.
pub(crate) enum Submissions<T> {
    /// Into this node's own pool.
    Here(Arc<Intake<T>>),
    /// To a node that orders.
    Elsewhere(Relay<T>),
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
            Request::Statement { height, head } => self.statement(height, head),
            Request::Reveal { log, index, secret } => self.reveal(Revealed { log, index, secret }).await,
            Request::Peers => Ok(self.peers()),
            Request::Report { evidence } => self.report(evidence),
            // Answered by pushes, not by an answer: see `call`.
            Request::Subscribe { .. } | Request::Order { .. } => Err(Refusal::Contradiction),
            // Nobody has shown a vote key to a node that is linked with nobody.
            Request::Spread { .. } | Request::Missing { .. } => Err(Refusal::Stranger),
            Request::Confirm { .. } => Err(Refusal::NoValidator),
            Request::Snapshot { .. } => Err(Refusal::NotAllowed),
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
        let admissions = match &self.submissions {
            _ if self.disk.is_full() => vec![
                Admission::Refused(EnvelopeRefusal::PoolFull {
                    retry_after_ms: QUOTA_RETRY_MS,
                });
                envelopes.len()
            ],
            Submissions::Here(intake) => intake.take(envelopes, promise).await?,
            Submissions::Elsewhere(relay) => relay.take(envelopes, promise).await?,
        };
        List::new(admissions).map(Response::Submit).ok_or(Refusal::Broken)
    }

    /// One validator's word that a head is still the newest: time, then signature.
    fn statement(&self, height: u64, head: Hash) -> Reply {
        let tip = self.chain.tip();
        let Some(voter) = &self.voter else {
            return Err(Refusal::NoValidator);
        };
        if (tip.height, tip.id) != (height, head) {
            return Err(Refusal::NotTheHead { newest: tip.height });
        }
        let time = self.clock.now_ms();
        let voter = voter.lock().unwrap_or_else(PoisonError::into_inner);
        let signature = voter.statement(self.chain.store().keys().network(), (height, head), time);
        // Signed already: the next block is under way.
        let signature = signature.ok_or(Refusal::NotTheHead { newest: height + 1 })?;
        let mut statement = time.to_be_bytes().to_vec();
        signature.encode(&mut statement);
        Ok(Response::Statement(statement.into()))
    }

    async fn reveal(self: &Arc<Self>, revealed: Revealed) -> Reply {
        let here = Arc::clone(self);
        self.read(move |chain| match here.erasures.reveal(revealed) {
            Ok(()) => Ok(Ok(Response::Reveal)),
            Err(EraseError::WrongSecret) => Ok(Err(Refusal::WrongSecret)),
            Err(EraseError::Kept) => Ok(Err(Refusal::NotAllowed)),
            Err(EraseError::NoSuchEntry) => {
                let length = proofs::length(chain, &revealed.log)?;
                Ok(Err(
                    length.map_or(Refusal::UnknownLog, |length| Refusal::IndexAhead { length })
                ))
            }
            Err(EraseError::Store(error)) => Err(error),
        })
        .await
    }

    fn report(&self, evidence: Opaque) -> Reply {
        let report = {
            let ledger = self.chain.ledger();
            self.reports.take(&evidence, ledger.keys(), ledger.committee())
        };
        match report {
            Report::Nothing => return Err(Refusal::NoEvidence),
            Report::Known => {}
            Report::News => {
                for connection in self.upstreams.connections() {
                    let request = Request::Report {
                        evidence: evidence.clone(),
                    };
                    tokio::spawn(async move { connection.request(&request, PATIENCE).await });
                }
            }
        }
        Ok(Response::Report)
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
            Ok(Err(error)) => {
                self.lifeline.fail(Fault::Store(error));
                Err(Refusal::Broken)
            }
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
    }
}

impl<T> std::fmt::Debug for Serving<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Serving")
    }
}

//! Serve: answers to clients and to nodes that copy.
//!
//! What an answer says is decided in plain functions that read the chain ([`proofs`], [`content`]); here they are moved off
//! the tasks that talk to peers, because a read may have to wait for a disk. Nobody is believed and nobody has to believe:
//! a request names no user, and an answer is worth what its proof shows.

mod content;
mod proofs;
mod status;

use std::sync::Arc;

use waxwing_core::codec::Encode;
use waxwing_net::quic::{PeerInfo, Responder, Service};
use waxwing_net::wire::{Kind, List, Opaque, Promise, Refusal, Reply, Request, Response};
use waxwing_store::{StoreError, Tables};

use crate::chain::Chain;
use crate::faults::{Fault, Lifeline};
use crate::meter::Meter;
pub(crate) use status::Facts;

/// A reply, unless the store fails.
type Answer = Result<Reply, StoreError>;

/// Everything that answers need.
pub(crate) struct Serving<T> {
    pub(crate) chain: Arc<Chain<T>>,
    pub(crate) submissions: Submissions<T>,
    pub(crate) facts: Facts,
    pub(crate) lifeline: Lifeline,
    pub(crate) meter: Arc<Meter>,
}

/// Where submitted envelopes go.
pub(crate) enum Submissions<T> {
    /// Into this node's own pool.
    Here(Arc<crate::intake::Intake<T>>),
}

/// The service as the server calls it; clones are the same service.
pub(crate) struct Served<T>(pub(crate) Arc<Serving<T>>);

impl<T: Tables> Service for Served<T> {
    async fn call(&self, _peer: PeerInfo, request: Request, responder: Responder) {
        self.0.meter.request(kind_name(request.kind()));
        responder.reply(self.0.answer(request).await).await;
    }
}

impl<T: Tables> Serving<T> {
    async fn answer(&self, request: Request) -> Reply {
        match request {
            Request::Status => self.status(),
            Request::Genesis => Ok(Response::Genesis(self.chain.store().genesis().to_bytes().into())),
            Request::Submit { envelopes, promise } => self.submit(envelopes.into_vec(), promise).await,
            Request::Head { held } => self.read(move |chain| proofs::head(chain, held)).await,
            Request::Log { log, held } => self.read(move |chain| proofs::log(chain, &log, held)).await,
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
            Request::Receipt { log, index } => self.read(move |chain| proofs::receipt(chain, &log, index)).await,
            Request::Headers { from, count } => self.read(move |chain| proofs::headers(chain, from, count.get())).await,
            Request::HistoryProof { height, size } => {
                self.read(move |chain| proofs::history(chain, height, size)).await
            }
            Request::Blocks { from, count, bytes } => {
                self.read(move |chain| content::blocks(chain, from, count, bytes)).await
            }
            _ => Err(Refusal::NotAllowed),
        }
    }

    async fn submit(&self, envelopes: Vec<Opaque>, promise: Promise) -> Reply {
        if self.lifeline.is_stopping() {
            return Err(Refusal::ShuttingDown);
        }
        let admissions = match &self.submissions {
            Submissions::Here(intake) => intake.take(envelopes, promise).await?,
        };
        List::new(admissions).map(Response::Submit).ok_or(Refusal::Broken)
    }

    /// Reads the chain on a thread that may wait for a disk.
    async fn read(&self, read: impl FnOnce(&Chain<T>) -> Answer + Send + 'static) -> Reply {
        let chain = Arc::clone(&self.chain);
        match tokio::task::spawn_blocking(move || read(&chain)).await {
            Ok(Ok(reply)) => reply,
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
    }
}

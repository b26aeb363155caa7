//! One node, asked over QUIC: requests out, decoded and unbelieved values back.
//!
//! Everything here turns what can go wrong into a [`Fault`] with a name. That a value decodes says nothing about its
//! truth: [`crate::trust`] and [`crate::sync`] judge that.

use core::num::NonZeroU32;
use std::time::Duration;

use waxwing_core::block::{BlockHeader, CertifiedBlock};
use waxwing_core::certificate::{Beacon, Head};
use waxwing_core::codec::{CodecError, Decode, Encode, Reader};
use waxwing_core::envelope::{Carried, Envelope, ErasureSecret, SignedHeader};
use waxwing_core::evidence::Evidence;
use waxwing_core::follow::{FollowError, HeadProof, HeadUpdate};
use waxwing_core::genesis::Genesis;
use waxwing_core::keys::{LogId, NodeId};
use waxwing_core::log::Place;
use waxwing_core::merkle::InclusionProof;
use waxwing_core::receipt::Receipt;
use waxwing_net::quic::{Connection, Dialer, RequestError, Subscription};
use waxwing_net::wire::limits::BEACON_WAIT_MS_MAX;
use waxwing_net::wire::{Admission, Bodies, FollowLog, List, Opaque, Promise, Push, Refusal, Request, Response, Watch};
use waxwing_seal::NodeAddress;

use crate::limits::Pace;
use crate::nodes::Fault;

/// Addresses of one name that are tried.
const ADDRESSES_TRIED: usize = 4;

/// A connection to a node whose key was checked.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    connection: Connection,
    answer: Duration,
}

impl From<RequestError> for Fault {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Refused(refusal) => Self::Refused(refusal),
            RequestError::Closed(closed) => Self::Ended(closed),
            RequestError::TimedOut => Self::Stalled,
            RequestError::NoAnswer => Self::HungUp,
            RequestError::WrongAnswer => Self::WrongAnswer,
            RequestError::BadFrame(_) | RequestError::BadAnswer(_) => Self::Garbled(CodecError::BadValue),
            // Requests of this client are within the protocol's limits; a node that agreed on the protocol takes them.
            RequestError::Unsendable(_) => Self::WrongAnswer,
        }
    }
}

fn decoded<T: Decode>(bytes: &[u8]) -> Result<T, Fault> {
    T::from_bytes(bytes).map_err(Fault::Garbled)
}

/// Takes the one response that answers the request; [`Connection::request`] has refused all others already.
macro_rules! answer {
    ($response:expr, $pattern:pat => $value:expr) => {
        match $response {
            $pattern => $value,
            _ => return Err(Fault::WrongAnswer),
        }
    };
}

mod chunks;

impl Peer {
    /// Calls a node. Its address may be a name: every address it resolves to is tried.
    pub(crate) async fn dial(dialer: &Dialer, node: &NodeAddress, pace: &Pace) -> Result<Self, Fault> {
        let within = pace.connect;
        let resolved = tokio::time::timeout(within, tokio::net::lookup_host(node.address())).await;
        let addresses = resolved.ok().and_then(Result::ok).ok_or(Fault::NoAddress)?;
        let mut fault = Fault::NoAddress;
        for address in addresses.take(ADDRESSES_TRIED) {
            match dialer.connect(address, node.id(), within).await {
                Ok(connection) => {
                    return Ok(Self {
                        connection,
                        answer: pace.answer,
                    });
                }
                Err(error) => fault = Fault::Unreachable(error),
            }
        }
        Err(fault)
    }

    /// The same connection with less patience.
    pub(crate) fn hurried(&self, answer: Duration) -> Self {
        Self {
            connection: self.connection.clone(),
            answer: self.answer.min(answer),
        }
    }

    /// The same connection with so many times the patience.
    pub(crate) fn patient(&self, times: u32) -> Self {
        Self {
            connection: self.connection.clone(),
            answer: self.answer * times,
        }
    }

    /// Who it is.
    pub(crate) const fn node(&self) -> NodeId {
        self.connection.node()
    }

    /// Whether the connection is over.
    pub(crate) fn is_closed(&self) -> bool {
        self.connection.why_closed().is_some()
    }

    async fn ask(&self, request: Request) -> Result<Response, Fault> {
        self.ask_for(request, Duration::ZERO).await
    }

    /// Asks for something that the node may wait for itself.
    async fn ask_for(&self, request: Request, wait: Duration) -> Result<Response, Fault> {
        Ok(self.connection.request(&request, self.answer + wait).await?)
    }

    pub(crate) async fn genesis(&self) -> Result<Genesis, Fault> {
        answer!(self.ask(Request::Genesis).await?, Response::Genesis(bytes) => decoded(&bytes))
    }

    /// The newest head, from the held one; `None` if nothing was ordered since the founding.
    pub(crate) async fn head(&self, held: u64) -> Result<Option<HeadUpdate>, Fault> {
        match nothing_yet(held, self.ask(Request::Head { held }).await)? {
            Some(Response::Head(bytes)) => decoded(&bytes).map(Some),
            Some(_) => Err(Fault::WrongAnswer),
            None => Ok(None),
        }
    }

    /// A log under the newest head; `None` if nothing was ordered since the founding.
    pub(crate) async fn log(&self, log: LogId, held: u64) -> Result<Option<HeadProof>, Fault> {
        match nothing_yet(held, self.ask(Request::Log { log, held }).await)? {
            Some(Response::Log(bytes)) => decoded(&bytes).map(Some),
            Some(_) => Err(Fault::WrongAnswer),
            None => Ok(None),
        }
    }

    /// Entries from an index on, at most `count` of them and as many as fit `bytes`.
    pub(crate) async fn entries(
        &self,
        log: LogId,
        from: u64,
        count: NonZeroU32,
        bytes: NonZeroU32,
    ) -> Result<Vec<(Place, Carried)>, Fault> {
        self.range(log, from, count, bytes, Bodies::With).await
    }

    /// The same without bodies.
    pub(crate) async fn entry_headers(
        &self,
        log: LogId,
        from: u64,
        count: NonZeroU32,
        bytes: NonZeroU32,
    ) -> Result<Vec<(Place, SignedHeader)>, Fault> {
        self.range(log, from, count, bytes, Bodies::Without).await
    }

    async fn range<T: Decode>(
        &self,
        log: LogId,
        from: u64,
        count: NonZeroU32,
        bytes: NonZeroU32,
        bodies: Bodies,
    ) -> Result<Vec<(Place, T)>, Fault> {
        let request = Request::Entries {
            log,
            from,
            count,
            bytes,
            bodies,
        };
        let entries = answer!(self.ask(request).await?, Response::Entries(entries) => entries);
        let most = usize::try_from(count.get()).unwrap_or(usize::MAX);
        if entries.from != from || entries.entries.len() > most {
            return Err(Fault::WrongAnswer);
        }
        placed(&entries.entries)
    }

    pub(crate) async fn receipt(&self, log: LogId, index: u64) -> Result<Receipt, Fault> {
        answer!(self.ask(Request::Receipt { log, index }).await?, Response::Receipt(bytes) => decoded(&bytes))
    }

    /// The header at a height.
    pub(crate) async fn header(&self, height: u64) -> Result<BlockHeader, Fault> {
        let request = Request::Headers {
            from: height,
            count: NonZeroU32::MIN,
        };
        let headers = answer!(self.ask(request).await?, Response::Headers(headers) => headers);
        match &headers[..] {
            [bytes] => decoded(bytes),
            _ => Err(Fault::WrongAnswer),
        }
    }

    /// The header at a height, and its place in the history of `size` headers.
    pub(crate) async fn history(&self, height: u64, size: u64) -> Result<(BlockHeader, InclusionProof), Fault> {
        let response = self.ask(Request::HistoryProof { height, size }).await?;
        answer!(response, Response::HistoryProof { header, proof } => Ok((decoded(&header)?, decoded(&proof)?)))
    }

    /// The certified head at a height: for comparing histories.
    pub(crate) async fn certified(&self, height: u64) -> Result<Head, Fault> {
        let request = Request::Blocks {
            from: height,
            count: NonZeroU32::MIN,
            bytes: NonZeroU32::MIN,
        };
        let blocks = answer!(self.ask(request).await?, Response::Blocks(blocks) => blocks);
        match &blocks[..] {
            [bytes] => Ok(decoded::<CertifiedBlock>(bytes)?.head),
            _ => Err(Fault::WrongAnswer),
        }
    }

    /// A beacon that is newer than a time; the node may wait for one.
    pub(crate) async fn beacon(&self, newer_than_ms: u64, wait: Duration) -> Result<Beacon, Fault> {
        let wait_ms = u64::try_from(wait.as_millis())
            .unwrap_or(u64::MAX)
            .min(BEACON_WAIT_MS_MAX);
        let request = Request::Beacon { newer_than_ms, wait_ms };
        answer!(self.ask_for(request, wait).await?, Response::Beacon(bytes) => decoded(&bytes))
    }

    /// Submits envelopes; one answer for each, in order.
    pub(crate) async fn submit(&self, envelopes: &[Envelope]) -> Result<Vec<Admission>, Fault> {
        let opaque = envelopes
            .iter()
            .map(|envelope| Opaque::from(envelope.to_bytes()))
            .collect();
        let envelopes_listed = List::new(opaque).ok_or(Fault::WrongAnswer)?;
        let request = Request::Submit {
            envelopes: envelopes_listed,
            promise: Promise::Signed,
        };
        let admissions = answer!(self.ask(request).await?, Response::Submit(admissions) => admissions.into_vec());
        if admissions.len() == envelopes.len() {
            Ok(admissions)
        } else {
            Err(Fault::WrongAnswer)
        }
    }

    pub(crate) async fn reveal(&self, log: LogId, index: u64, secret: ErasureSecret) -> Result<(), Fault> {
        let response = self.ask(Request::Reveal { log, index, secret }).await?;
        answer!(response, Response::Reveal => Ok(()))
    }

    /// Other nodes that it knows, as addresses that can be tried.
    pub(crate) async fn peers(&self) -> Result<Vec<NodeAddress>, Fault> {
        let peers = answer!(self.ask(Request::Peers).await?, Response::Peers(peers) => peers);
        let addresses = peers
            .iter()
            .filter_map(|peer| NodeAddress::new(&peer.address.to_string(), peer.node));
        Ok(addresses.collect())
    }

    /// Hands on evidence.
    pub(crate) async fn report(&self, evidence: &Evidence) -> Result<(), Fault> {
        let evidence = evidence.to_bytes().into();
        answer!(self.ask(Request::Report { evidence }).await?, Response::Report => Ok(()))
    }

    /// Follows logs from where this client is.
    pub(crate) async fn subscribe(&self, logs: Vec<FollowLog>, held: u64, watch: Watch) -> Result<Pushed, Fault> {
        let logs = List::new(logs).ok_or(Fault::WrongAnswer)?;
        let request = Request::Subscribe { logs, held, watch };
        let subscription = self.connection.subscribe(&request, self.answer).await?;
        Ok(Pushed(subscription))
    }
}

/// What a subscription tells, decoded.
pub(crate) enum News {
    /// Entries of a log, with the proof from the head pushed last.
    Entries {
        log: LogId,
        from: u64,
        entries: Vec<(Place, Carried)>,
        proof: Box<HeadProof>,
    },
    /// A newer head, from the head pushed last.
    Head(Box<HeadUpdate>),
    /// A beacon for the head pushed last.
    Beacon(Beacon),
    /// Pushes were left out.
    Lagged,
}

/// An open subscription.
pub(crate) struct Pushed(Subscription);

impl Pushed {
    /// Waits for what is pushed next. Safe to cancel.
    pub(crate) async fn next(&mut self) -> Result<News, Fault> {
        loop {
            let push = self.0.next().await?.ok_or(Fault::HungUp)?;
            return Ok(match push {
                Push::Entries { log, entries, proof } => News::Entries {
                    log,
                    from: entries.from,
                    entries: placed(&entries.entries)?,
                    proof: Box::new(decoded(&proof)?),
                },
                Push::Head(update) => News::Head(Box::new(decoded(&update)?)),
                Push::Beacon(beacon) => News::Beacon(decoded(&beacon)?),
                Push::Lagged { .. } => News::Lagged,
                Push::Ended(refusal) => return Err(Fault::Refused(refusal)),
                // Only nodes ask for these.
                Push::Revealed { .. } | Push::Order(_) | Push::Reported(_) => continue,
            });
        }
    }
}

fn placed<T: Decode>(entries: &[Opaque]) -> Result<Vec<(Place, T)>, Fault> {
    let read = |bytes: &Opaque| {
        let mut reader = Reader::new(bytes);
        let entry = (Place::decode(&mut reader)?, T::decode(&mut reader)?);
        reader.finish()?;
        Ok(entry)
    };
    entries
        .iter()
        .map(read)
        .collect::<Result<_, _>>()
        .map_err(Fault::Garbled)
}

/// Nothing was ordered since the founding: there is no certified head to show, and none is needed.
fn nothing_yet<T>(held: u64, answer: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Fault::Refused(Refusal::HeightAhead { newest: 0 })) if held == 0 => Ok(None),
        Err(Fault::Refused(Refusal::HeightAhead { newest })) if newest < held => {
            Err(Fault::Head(FollowError::Older { held, offered: newest }))
        }
        Err(fault) => Err(fault),
    }
}

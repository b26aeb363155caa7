//! The asking side: dials a node by address and key, asks, follows.
//!
//! A node may be slow, silent or hostile. So everything here has a deadline, every frame a bound, and a node can open no
//! streams of its own. Connecting again, and to whom, is the caller's business.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use quinn::{Endpoint, EndpointConfig, NoneTokenStore, ReadError, RecvStream, SendStream, TransportConfig, WriteError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use waxwing_core::keys::NodeId;

use super::close::{CloseCode, Closed};
use super::error::{ConnectError, RequestError};
use super::identity::Identity;
use super::{tls, transport};
use crate::wire::limits::{ALPN, CONNECTION_REQUEST_BYTES_MAX, IDLE_MS, REQUESTS_IN_FLIGHT_MAX, SUBSCRIPTIONS_MAX};
use crate::wire::{FrameReader, Message, Push, Reply, Request, Response, codec, frame};

/// What a dialer shows to the nodes it calls.
#[derive(Clone, Debug)]
pub enum Shown {
    /// A fresh key for each connection: light clients.
    Ephemeral,
    /// Always the same key: nodes among themselves.
    Always(Identity),
}

/// Opens connections.
#[derive(Debug)]
pub struct Dialer {
    endpoint: Endpoint,
    shown: Shown,
    pub(super) transport: Arc<TransportConfig>,
}

impl Dialer {
    /// Prepares to dial over IPv6 and IPv4, whichever this machine has.
    ///
    /// # Errors
    /// If no socket can be opened.
    pub fn new(shown: Shown) -> io::Result<Self> {
        let any6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        let any4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Self::from_address(any6, shown.clone()).or_else(|_| Self::from_address(any4, shown))
    }

    /// Prepares to dial from a given address.
    ///
    /// # Errors
    /// If no socket can be opened there.
    pub fn from_address(address: SocketAddr, shown: Shown) -> io::Result<Self> {
        let endpoint = transport::endpoint(address, EndpointConfig::default(), None)?;
        Ok(Self {
            endpoint,
            shown,
            transport: Arc::new(transport::of_client(Duration::from_millis(IDLE_MS))),
        })
    }

    /// From now on connections count as lost after so much silence, instead of [`IDLE_MS`]. They are kept alive
    /// accordingly: noticing a dead node sooner costs more packets while nothing happens.
    #[must_use]
    pub fn noticing_silence_after(mut self, silence: Duration) -> Self {
        self.transport = Arc::new(transport::of_client(silence));
        self
    }

    /// Calls the node with the key `node` at `address`. Whoever else answers there is refused.
    ///
    /// A node that takes no more connections may say so only at the first request.
    ///
    /// # Errors
    /// If nobody or somebody else answers, or the node does not want the connection.
    pub async fn connect(
        &self,
        address: SocketAddr,
        node: NodeId,
        within: Duration,
    ) -> Result<Connection, ConnectError> {
        self.connect_speaking(ALPN, address, node, within).await
    }

    pub(super) async fn connect_speaking(
        &self,
        protocol: &[u8],
        address: SocketAddr,
        node: NodeId,
        within: Duration,
    ) -> Result<Connection, ConnectError> {
        let identity = match &self.shown {
            Shown::Ephemeral => Identity::ephemeral(),
            Shown::Always(identity) => identity.clone(),
        };
        let found = Arc::new(OnceLock::new());
        let crypto = tls::quic_client(tls::client_config(&identity, protocol, node, found.clone()));
        let mut config = quinn::ClientConfig::new(crypto);
        config
            .transport_config(self.transport.clone())
            .token_store(Arc::new(NoneTokenStore));
        let connecting =
            self.endpoint
                .connect_with(config, address, tls::SERVER_NAME)
                .map_err(|error| match error {
                    // The program was ending when it called.
                    quinn::ConnectError::EndpointStopping => ConnectError::Closed(Closed::Here),
                    _ => ConnectError::BadAddress(address),
                })?;
        match timeout(within, connecting).await {
            Ok(Ok(connection)) => Ok(Connection::new(connection, node)),
            Ok(Err(error)) => Err(match found.get() {
                Some(answered) => ConnectError::WrongKey {
                    expected: node,
                    answered: *answered,
                },
                None => ConnectError::Closed(Closed::from(&error)),
            }),
            Err(_) => Err(ConnectError::NoAnswer),
        }
    }

    /// Ends all connections, for good: nobody can be dialed any more. Returns when the nodes know, or after `within`.
    pub async fn hang_up(&self, within: Duration) {
        self.endpoint
            .close(CloseCode::Done.var_int(), CloseCode::Done.words().as_bytes());
        // The word leaves at once; what takes longer is waiting for the case that it gets lost.
        let _ = timeout(within, self.endpoint.wait_idle()).await;
    }

    /// Ends all connections and returns when the nodes know.
    pub async fn shut_down(self) {
        self.endpoint
            .close(CloseCode::Done.var_int(), CloseCode::Done.words().as_bytes());
        self.endpoint.wait_idle().await;
    }
}

/// A connection to a node whose key was checked. Clones share it; it ends when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Connection {
    connection: quinn::Connection,
    node: NodeId,
    requests: Arc<Semaphore>,
    request_bytes: Arc<Semaphore>,
    subscriptions: Arc<Semaphore>,
}

impl Connection {
    pub(super) fn new(connection: quinn::Connection, node: NodeId) -> Self {
        Self {
            connection,
            node,
            requests: Arc::new(Semaphore::new(REQUESTS_IN_FLIGHT_MAX)),
            request_bytes: Arc::new(Semaphore::new(CONNECTION_REQUEST_BYTES_MAX)),
            subscriptions: Arc::new(Semaphore::new(SUBSCRIPTIONS_MAX)),
        }
    }

    /// The node at the other end.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.connection.remote_address()
    }

    /// How long a packet takes there and back, as far as is known.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        self.connection.rtt()
    }

    /// Asks and waits for the answer. Any number of requests may be asked at once; beyond what the protocol allows in
    /// flight they wait here. Dropping the future takes the request back as far as that is still possible.
    ///
    /// # Errors
    /// If there is no answer within `within`, or none that belongs to the request, or the node refuses.
    pub async fn request(&self, request: &Request, within: Duration) -> Result<Response, RequestError> {
        let kind = request.kind();
        let bytes = frame(request).map_err(RequestError::Unsendable)?;
        let asked = async {
            let _place = places(&self.requests, 1).await?;
            let _room = places(&self.request_bytes, bytes.len()).await?;
            let (mut replies, response) = self.ask(bytes, Reply::BYTES_MAX).await?;
            replies.end().await?;
            Ok(response)
        };
        let response = timeout(within, asked).await.map_err(|_| RequestError::TimedOut)??;
        if response.kind() == kind {
            Ok(response)
        } else {
            Err(RequestError::WrongAnswer)
        }
    }

    /// Subscribes with a [`Request::Subscribe`] or a [`Request::Order`].
    ///
    /// # Errors
    /// As [`Connection::request`].
    pub async fn subscribe(&self, request: &Request, within: Duration) -> Result<Subscription, RequestError> {
        let bytes = frame(request).map_err(RequestError::Unsendable)?;
        let asked = async {
            let place = places(&self.subscriptions, 1).await?;
            let (pushes, response) = self.ask(bytes, request.push_bytes_max()).await?;
            match response {
                Response::Subscribed => Ok(Subscription { pushes, _place: place }),
                _ => Err(RequestError::WrongAnswer),
            }
        };
        timeout(within, asked).await.map_err(|_| RequestError::TimedOut)?
    }

    /// Waits until the connection is over.
    pub async fn closed(&self) -> Closed {
        Closed::from(&self.connection.closed().await)
    }

    /// Why the connection is over, if it is.
    #[must_use]
    pub fn why_closed(&self) -> Option<Closed> {
        self.connection.close_reason().as_ref().map(Closed::from)
    }

    /// Ends the connection for all clones.
    pub fn close(&self) {
        self.connection
            .close(CloseCode::Done.var_int(), CloseCode::Done.words().as_bytes());
    }

    /// Sends a request frame on a new stream and reads the first frame of the answer; no frame may be longer
    /// than `limit`.
    async fn ask(&self, bytes: Bytes, limit: usize) -> Result<(Frames, Response), RequestError> {
        let (send, receive) = self
            .connection
            .open_bi()
            .await
            .map_err(|error| RequestError::Closed((&error).into()))?;
        Outgoing {
            stream: send,
            whole: false,
        }
        .send(bytes)
        .await?;
        let mut frames = Frames::new(receive, limit);
        let reply: Reply = frames.next().await?.ok_or(RequestError::NoAnswer)?;
        Ok((frames, reply.map_err(RequestError::Refused)?))
    }

    #[cfg(test)]
    pub(super) const fn quinn(&self) -> &quinn::Connection {
        &self.connection
    }
}

async fn places(places: &Arc<Semaphore>, count: usize) -> Result<OwnedSemaphorePermit, RequestError> {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    places
        .clone()
        .acquire_many_owned(count)
        .await
        .map_err(|_| RequestError::Closed(Closed::Here))
}

/// What a node pushes. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscription {
    pushes: Frames,
    _place: OwnedSemaphorePermit,
}

impl Subscription {
    /// Waits for the next push; `None` after the node has ended the subscription in good order. Safe to cancel: what has
    /// arrived in part is kept.
    ///
    /// # Errors
    /// If the connection is over or the node does not keep to the protocol.
    pub async fn next(&mut self) -> Result<Option<Push>, RequestError> {
        self.pushes.next().await
    }
}

/// The request's direction of a stream. Dropped half way it is taken back rather than ended, because the end of a half
/// frame would look like an attack.
struct Outgoing {
    stream: SendStream,
    whole: bool,
}

impl Outgoing {
    async fn send(mut self, bytes: Bytes) -> Result<(), RequestError> {
        match self.stream.write_chunk(bytes).await {
            // The node has answered before it has read everything: the answer says why.
            Ok(()) | Err(WriteError::Stopped(_)) => {}
            Err(WriteError::ConnectionLost(error)) => return Err(RequestError::Closed((&error).into())),
            Err(WriteError::ClosedStream | WriteError::ZeroRttRejected) => return Err(RequestError::NoAnswer),
        }
        self.whole = true;
        let _ = self.stream.finish();
        Ok(())
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if !self.whole {
            let _ = self.stream.reset(CloseCode::Done.var_int());
        }
    }
}

/// The answer's direction of a stream, as messages.
#[derive(Debug)]
struct Frames {
    stream: RecvStream,
    reader: FrameReader,
    rest: Bytes,
}

impl Frames {
    /// Refuses frames of more than `limit` bytes when they are announced.
    fn new(stream: RecvStream, limit: usize) -> Self {
        Self {
            stream,
            reader: FrameReader::new(limit),
            rest: Bytes::new(),
        }
    }

    /// The next message; `None` at the end of the stream.
    async fn next<M: Message>(&mut self) -> Result<Option<M>, RequestError> {
        loop {
            let mut bytes = &self.rest[..];
            let payload = self.reader.feed(&mut bytes).map_err(RequestError::BadFrame)?;
            let fed = self.rest.len() - bytes.len();
            self.rest = self.rest.split_off(fed);
            if let Some(payload) = payload {
                return codec::decode(&payload).map(Some).map_err(RequestError::BadAnswer);
            }
            match self.stream.read_chunk(usize::MAX, true).await {
                Ok(Some(chunk)) => self.rest = chunk.bytes,
                Ok(None) => return self.reader.finish().map(|()| None).map_err(RequestError::BadFrame),
                Err(ReadError::ConnectionLost(error)) => return Err(RequestError::Closed((&error).into())),
                Err(_) => return Err(RequestError::NoAnswer),
            }
        }
    }

    /// Waits for the end of the stream. The node frees its place for this request before it sends the end.
    async fn end(&mut self) -> Result<(), RequestError> {
        match self.next::<Push>().await? {
            None => Ok(()),
            Some(_) => Err(RequestError::WrongAnswer),
        }
    }
}

//! A running node as the source of an audit: whatever it says is a claim like any other.
//!
//! Requests wait here, one after the other, because those who read a history want it block by block. The connection is
//! kept alive by a thread of its own, so that a long replay between two requests does not lose it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use waxwing_audit::compare::Heads;
use waxwing_audit::source::{SourceBlock, SourceKind};
use waxwing_audit::{HistorySource, SourceError};
use waxwing_core::block::CertifiedBlock;
use waxwing_core::certificate::Head;
use waxwing_core::codec::Decode;
use waxwing_core::evidence_file::Rung;
use waxwing_core::follow::HeadUpdate;
use waxwing_core::genesis::Genesis;
use waxwing_net::quic::{Connection, Dialer, RequestError, Shown};
use waxwing_net::wire::limits::BLOCKS_PER_REPLY_MAX;
use waxwing_net::wire::{Refusal, Request, Response};
use waxwing_seal::NodeAddress;

use crate::failure::Failure;
use crate::files;

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long it may take to reach it.
const CONNECT: Duration = Duration::from_secs(5);

/// Bytes of blocks asked for at once.
const BATCH_BYTES: NonZeroU32 = NonZeroU32::MIN.saturating_add((1 << 20) - 1);

/// How often a node that has too much to do is asked again.
const TRIES: u32 = 5;

/// Changes of the committee that are taken from a node: as many as evidence can carry.
const RUNGS_MAX: usize = 1024;

/// The address of a node, if that is what was typed where a history is wanted. A file of that name goes first.
///
/// # Errors
/// If it looks like an address and is none.
pub(super) fn named(source: &Path) -> Result<Option<NodeAddress>, Failure> {
    match source.to_str() {
        Some(text) if text.contains('@') && !source.exists() => crate::chat::parse_node(text, "a history").map(Some),
        _ => Ok(None),
    }
}

/// A node that is asked one thing after the other.
pub(crate) struct Caller {
    connection: Connection,
    /// The connection lives as long as its socket.
    _dialer: Dialer,
    runtime: Runtime,
}

impl Caller {
    /// Calls a node.
    ///
    /// # Errors
    /// Why it cannot be reached.
    pub(crate) fn call(address: &NodeAddress) -> Result<Self, String> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| format!("the system gives no threads: {}", files::reason(&error)))?;
        let (connection, dialer) = runtime.block_on(connect(address))?;
        Ok(Self {
            connection,
            _dialer: dialer,
            runtime,
        })
    }

    /// Asks; a node that has too much to do is asked again when it says so.
    ///
    /// # Errors
    /// If it does not answer, or refuses.
    pub(crate) fn ask(&self, request: &Request) -> Result<Response, RequestError> {
        self.runtime.block_on(async {
            for _ in 1..TRIES {
                let answer = self.connection.request(request, PATIENCE).await;
                let Err(RequestError::Refused(
                    Refusal::Busy { retry_after_ms } | Refusal::TooManyRequests { retry_after_ms },
                )) = answer
                else {
                    return answer;
                };
                tokio::time::sleep(Duration::from_millis(retry_after_ms).min(PATIENCE)).await;
            }
            self.connection.request(request, PATIENCE).await
        })
    }
}

async fn connect(address: &NodeAddress) -> Result<(Connection, Dialer), String> {
    let mut found = tokio::net::lookup_host(address.address())
        .await
        .map_err(|_| "no such host; check the address".to_owned())?;
    let socket: SocketAddr = found.next().ok_or("no such host; check the address")?;
    let dialer = Dialer::new(Shown::Ephemeral).map_err(|error| format!("no socket: {}", files::reason(&error)))?;
    let connected = dialer.connect(socket, address.id(), CONNECT).await;
    connected
        .map(|connection| (connection, dialer))
        .map_err(|error| error.to_string())
}

/// A node's history.
pub(super) struct NodeHistory {
    caller: Caller,
    genesis: Genesis,
    newest: u64,
    next: u64,
    ready: VecDeque<CertifiedBlock>,
}

impl NodeHistory {
    /// Calls a node, and asks for its founding facts and how far it is.
    ///
    /// # Errors
    /// If nobody answers, or not what was asked.
    pub(super) fn call(address: &NodeAddress) -> Result<Self, Failure> {
        let failed = |why: String| Failure::failed(format!("{}: {why}", address.address()));
        let strange = || failed("it answers what no node would; name another one".to_owned());
        let caller = Caller::call(address).map_err(failed)?;
        let asked = |request| caller.ask(&request).map_err(|error| failed(error.to_string()));
        let Response::Genesis(genesis) = asked(Request::Genesis)? else {
            return Err(strange());
        };
        let Response::Status(status) = asked(Request::Status)? else {
            return Err(strange());
        };
        Ok(Self {
            genesis: Genesis::from_bytes(&genesis).map_err(|_| strange())?,
            newest: status.height,
            next: 1,
            ready: VecDeque::new(),
            caller,
        })
    }

    fn blocks(&self, from: u64, most: u64, bytes: NonZeroU32) -> Result<Vec<CertifiedBlock>, SourceError> {
        let most = usize::try_from(most)
            .unwrap_or(usize::MAX)
            .clamp(1, BLOCKS_PER_REPLY_MAX);
        let count = u32::try_from(most)
            .ok()
            .and_then(NonZeroU32::new)
            .unwrap_or(NonZeroU32::MIN);
        match self.caller.ask(&Request::Blocks { from, count, bytes }) {
            Ok(Response::Blocks(blocks)) => blocks.iter().map(|block| decoded(from, block)).collect(),
            Ok(_) => Err(malformed(from)),
            Err(RequestError::Refused(Refusal::HeightAhead { .. })) => Ok(Vec::new()),
            // What it does not hold, or not yet, says nothing about its history.
            Err(error) => Err(SourceError::Failed(error.to_string())),
        }
    }
}

fn decoded<T: Decode>(height: u64, bytes: &[u8]) -> Result<T, SourceError> {
    T::from_bytes(bytes).map_err(|_| malformed(height))
}

fn malformed(height: u64) -> SourceError {
    SourceError::Malformed {
        what: format!("what the node answers about block {height} cannot be read"),
    }
}

impl HistorySource for NodeHistory {
    fn kind(&self) -> SourceKind {
        SourceKind::Nodes
    }

    fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    fn claimed(&self) -> Option<u64> {
        Some(self.newest)
    }

    /// Up to the block that was the newest when the node was called: what it orders meanwhile is another history's end.
    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceError> {
        if self.next > self.newest {
            return Ok(None);
        }
        if self.ready.is_empty() {
            let blocks = self.blocks(self.next, self.newest - self.next + 1, BATCH_BYTES)?;
            self.ready = blocks.into();
        }
        let block = self.ready.pop_front().ok_or(SourceError::MissingBlock)?;
        self.next += 1;
        Ok(Some(block.into()))
    }
}

impl Heads for NodeHistory {
    fn kind(&self) -> SourceKind {
        SourceKind::Nodes
    }

    fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    fn newest(&mut self) -> Result<u64, SourceError> {
        Ok(self.newest)
    }

    fn head(&mut self, height: u64) -> Result<Option<Head>, SourceError> {
        let mut blocks = self.blocks(height, 1, NonZeroU32::MIN)?;
        Ok(blocks.pop().map(|block| block.head))
    }

    /// As clients climb it: some rungs in each answer, each time from the last one.
    fn ladder(&mut self) -> Result<Vec<Rung>, SourceError> {
        let (mut held, mut rungs) = (0, Vec::new());
        if self.newest == 0 {
            return Ok(rungs);
        }
        loop {
            let update: HeadUpdate = match self.caller.ask(&Request::Head { held }) {
                Ok(Response::Head(bytes)) => decoded(held, &bytes)?,
                Ok(_) => return Err(malformed(held)),
                Err(error) => return Err(SourceError::Failed(error.to_string())),
            };
            let top = update.ladder.last().map_or(held, |last| last.head.header.height);
            rungs.extend(update.ladder.into_iter().map(Rung::from));
            if top <= held || rungs.len() > RUNGS_MAX {
                return Ok(rungs);
            }
            held = top;
        }
    }
}

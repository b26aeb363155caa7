//! The clients: connections that submit batches of envelopes as fast as the node takes them.
//!
//! Each connection keeps a few requests under way, so that the node never waits for a client. What a node cannot take
//! now is sent again when it said so; every other refusal ends the measurement, because then the figure would be about
//! something else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinSet;
use waxwing_core::keys::NodeId;
use waxwing_net::quic::{Connection, Dialer, RequestError, Shown};
use waxwing_net::wire::{Admission, List, Opaque, Promise, Request, Response};

use crate::envelopes::Batch;

/// Connections at once: clients of one node, well below what it allows one address.
const CONNECTIONS: usize = 8;

/// Requests under way on each connection.
const IN_FLIGHT: usize = 4;

/// How long a node may take for one answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Where a node is and which key it must show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) node: NodeId,
}

impl Target {
    /// The address as other nodes are told it.
    pub(crate) fn named(&self) -> String {
        format!("{}@{}", self.node, self.address)
    }

    pub(crate) async fn connect(&self, dialer: &Dialer) -> anyhow::Result<Connection> {
        Ok(dialer.connect(self.address, self.node, PATIENCE).await?)
    }
}

/// Asks, and asks again when the node said so if it is asked too often.
pub(crate) async fn ask(connection: &Connection, request: &Request) -> Result<Response, RequestError> {
    loop {
        let refusal = match connection.request(request, PATIENCE).await {
            Err(RequestError::Refused(refusal)) => refusal,
            answer => return answer,
        };
        let wait = refusal.retry_after_ms().ok_or(RequestError::Refused(refusal))?;
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
}

/// Batches that several tasks take from, each once.
#[derive(Clone)]
pub(crate) struct Queue {
    batches: Arc<Vec<Batch>>,
    next: Arc<AtomicUsize>,
    /// Envelopes that the node has taken.
    taken: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
}

impl Queue {
    pub(crate) fn new(batches: Vec<Batch>) -> Self {
        Self {
            open: Arc::new(AtomicUsize::new(batches.len())),
            batches: Arc::new(batches),
            next: Arc::default(),
            taken: Arc::default(),
        }
    }

    fn next(&self) -> Option<Batch> {
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        let batch = self
            .batches
            .get(place)
            .filter(|_| place < self.open.load(Ordering::Relaxed));
        batch.cloned()
    }

    /// Ends the sending: batches under way are finished, no others are begun.
    pub(crate) fn close(&self) {
        self.open.store(0, Ordering::Relaxed);
    }

    /// Whether all batches have been begun.
    pub(crate) fn is_used_up(&self) -> bool {
        self.next.load(Ordering::Relaxed) >= self.batches.len()
    }

    /// Envelopes that the node has taken so far.
    pub(crate) fn taken(&self) -> u64 {
        u64::try_from(self.taken.load(Ordering::Relaxed)).unwrap_or(u64::MAX)
    }
}

/// Clients that are connected, before anything is timed.
pub(crate) struct Clients {
    dialer: Dialer,
    connections: Vec<Connection>,
}

impl Clients {
    pub(crate) async fn connect(target: Target) -> anyhow::Result<Self> {
        let dialer = Dialer::new(Shown::Ephemeral)?;
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(target.connect(&dialer).await?);
        }
        Ok(Self { dialer, connections })
    }

    /// Sends until the queue is used up or closed; every envelope that was begun has been taken then.
    pub(crate) async fn send_all(&self, queue: &Queue) -> anyhow::Result<()> {
        let mut tasks = JoinSet::new();
        for connection in &self.connections {
            for _ in 0..IN_FLIGHT {
                tasks.spawn(send(connection.clone(), queue.clone()));
            }
        }
        while let Some(outcome) = tasks.join_next().await {
            outcome?.context("sending envelopes")?;
        }
        Ok(())
    }

    /// Ends the connections; returns when the node knows.
    pub(crate) async fn leave(self) {
        drop(self.connections);
        self.dialer.shut_down().await;
    }
}

async fn send(connection: Connection, queue: Queue) -> anyhow::Result<()> {
    while let Some(batch) = queue.next() {
        let mut left: Vec<Opaque> = batch.envelopes().map(Opaque).collect();
        while !left.is_empty() {
            left = submit(&connection, left).await?;
        }
        queue.taken.fetch_add(batch.len(), Ordering::Relaxed);
    }
    Ok(())
}

/// Submits once; gives back what must be submitted again, after the wait that was asked for.
async fn submit(connection: &Connection, envelopes: Vec<Opaque>) -> anyhow::Result<Vec<Opaque>> {
    let list = List::new(envelopes.clone()).context("a batch is larger than a request may be")?;
    let request = Request::Submit {
        envelopes: list,
        promise: Promise::Word,
    };
    let Response::Submit(admissions) = ask(connection, &request).await? else {
        anyhow::bail!("the node answered another question");
    };
    anyhow::ensure!(
        admissions.len() == envelopes.len(),
        "the node answered for another number of envelopes"
    );
    let (mut again, mut wait) = (Vec::new(), 0);
    for (envelope, admission) in envelopes.into_iter().zip(admissions.iter()) {
        match admission {
            Admission::Taken | Admission::Acknowledged(_) => {}
            Admission::Refused(refusal) => {
                let asked = refusal.retry_after_ms();
                wait = wait.max(asked.with_context(|| format!("an envelope was refused: {refusal}"))?);
                again.push(envelope);
            }
            Admission::Waiting(_) | Admission::Final { .. } => anyhow::bail!("an envelope was known already"),
        }
    }
    if wait > 0 {
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
    Ok(again)
}

//! Keeps a node busy with envelopes of its own, and remembers where it was told that each is final.
//!
//! Conversations alone would leave a node idle most of the time, and a kill would hit nothing. So beside them somebody
//! submits envelopes as fast as they become final, again and again until the node says so: a client that cannot know
//! whether its last request arrived has no other way, and none of them may be ordered twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use waxwing_core::codec::Encode;
use waxwing_core::envelope::{Anchor, Envelope, EnvelopeHeader, ErasureSecret, KeepFor};
use waxwing_core::genesis::{FirstOfLog, Genesis};
use waxwing_core::keys::{LogId, LogKey};
use waxwing_core::{Hash, Meaning};
use waxwing_net::quic::{Connection, Dialer, Shown};
use waxwing_net::wire::{Admission, List, Opaque, Promise, Request, Response};
use waxwing_rules::chance::Chance;

use crate::node::Node;

/// Envelopes under way at once. Few, so that there are many blocks: what a kill is to meet is a block being written.
const AT_ONCE: usize = 8;

/// Logs that they are spread over.
const LOGS: u64 = 6;

/// Bytes of each body, if nothing else is asked for: a line or two, padded.
const BODY: u32 = 300;

/// How long a node may take to answer before it is called again.
const PATIENCE: Duration = Duration::from_secs(2);

/// Between two looks whether what waits is final, and between two calls to a node that does not answer.
const PAUSE: Duration = Duration::from_millis(5);

/// An envelope that a node said is final, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ToldFinal {
    /// Its entry id.
    pub entry: Hash,
    /// Its log.
    pub log: LogId,
    /// Its index there.
    pub index: u64,
    /// Height of its block.
    pub height: u64,
}

/// Somebody who submits.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    told: Arc<AtomicU64>,
    thread: JoinHandle<Vec<ToldFinal>>,
}

impl Load {
    /// Begins to submit to a node that runs, and goes on whatever happens to it. The seed makes the logs: two loads of one
    /// ledger need two seeds.
    #[must_use]
    pub fn start(node: &Node, genesis: &Genesis, seed: u64) -> Self {
        Self::start_with(node, genesis, seed, BODY)
    }

    /// The same with bodies of so many bytes.
    #[must_use]
    pub fn start_with(node: &Node, genesis: &Genesis, seed: u64, body_bytes: u32) -> Self {
        let (stop, told) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let sender = Sender {
            writer: Writer::new(genesis, seed, body_bytes),
            node: (node.listens(), node.id()),
            stop: Arc::clone(&stop),
            told: Arc::clone(&told),
            finals: Vec::new(),
        };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime
                .expect("the system has room for a runtime")
                .block_on(sender.run())
        });
        Self { stop, told, thread }
    }

    /// Envelopes that were said to be final so far.
    #[must_use]
    pub fn told(&self) -> u64 {
        self.told.load(Ordering::Acquire)
    }

    /// Submits no more new ones, waits until all are final, and returns where they stand.
    ///
    /// # Panics
    /// If the node ever refused one for good: nothing here gives it a reason.
    #[must_use]
    pub fn finish(self) -> Vec<ToldFinal> {
        self.stop.store(true, Ordering::Release);
        self.thread.join().expect("every envelope is one that a node takes")
    }
}

/// Makes envelopes, each another one.
struct Writer {
    genesis: Genesis,
    chance: Chance,
    logs: Vec<LogKey>,
    body_bytes: u32,
    made: u64,
}

impl Writer {
    fn new(genesis: &Genesis, seed: u64, body_bytes: u32) -> Self {
        let mut chance = Chance::new(seed);
        let logs = (0..LOGS).map(|_| LogKey::from_seed(&chance.array())).collect();
        Self {
            genesis: genesis.clone(),
            chance,
            logs,
            body_bytes,
            made: 0,
        }
    }

    /// Block 0 stays an anchor for a day after the founding, which no test outlives.
    fn envelope(&mut self) -> Envelope {
        let keys = self.genesis.keys();
        let body = self.chance.bytes(usize::try_from(self.body_bytes).unwrap_or_default());
        let log = usize::try_from(self.made % LOGS)
            .ok()
            .and_then(|place| self.logs.get(place));
        let log = log.expect("there are so many logs");
        // Nobody knows in which order they are taken, so each is stamped as if it were the first of its log.
        let bits = self.genesis.parameters.required_bits(self.body_bytes, FirstOfLog::Yes);
        let mut header = EnvelopeHeader {
            body_length: self.body_bytes,
            log: log.public(),
            anchor: Anchor {
                height: 0,
                id: self.genesis.block().id(&keys),
            },
            body_hash: keys.hash(Meaning::Body, &body),
            erasure: ErasureSecret(self.chance.array()).commitment(&keys),
            keep_for: KeepFor::Ever,
            nonce: 0,
        };
        header.grind(&keys, bits);
        self.made += 1;
        Envelope {
            signed: header.sign(&keys, log),
            body,
        }
    }
}

struct Sender {
    writer: Writer,
    node: (std::net::SocketAddr, waxwing_core::keys::NodeId),
    stop: Arc<AtomicBool>,
    told: Arc<AtomicU64>,
    finals: Vec<ToldFinal>,
}

impl Sender {
    async fn run(mut self) -> Vec<ToldFinal> {
        let dialer = Dialer::new(Shown::Ephemeral).expect("the system has room for a socket");
        let mut connection = None;
        let mut waiting = Vec::new();
        loop {
            if !self.stop.load(Ordering::Acquire) {
                let missing = AT_ONCE.saturating_sub(waiting.len());
                waiting.extend((0..missing).map(|_| self.writer.envelope()));
            }
            if waiting.is_empty() {
                dialer.shut_down().await;
                return self.finals;
            }
            if connection.is_none() {
                connection = dialer.connect(self.node.0, self.node.1, PATIENCE).await.ok();
            }
            if let Some(open) = &connection
                && !self.submit(open, &mut waiting).await
            {
                connection = None;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Submits everything that waits; what is final waits no more. False if the node did not answer.
    async fn submit(&mut self, connection: &Connection, waiting: &mut Vec<Envelope>) -> bool {
        let envelopes = waiting
            .iter()
            .map(|envelope| Opaque::from(envelope.to_bytes()))
            .collect();
        let request = Request::Submit {
            envelopes: List::new(envelopes).expect("a request has room for a few envelopes"),
            promise: Promise::Word,
        };
        let Ok(Response::Submit(admissions)) = connection.request(&request, PATIENCE).await else {
            return false;
        };
        let keys = self.writer.genesis.keys();
        let mut still = Vec::new();
        for (envelope, admission) in waiting.drain(..).zip(admissions) {
            match admission {
                Admission::Final { index, height } => {
                    self.finals.push(ToldFinal {
                        entry: envelope.signed.entry_id(&keys),
                        log: envelope.signed.header.log,
                        index,
                        height,
                    });
                    self.told.fetch_add(1, Ordering::Release);
                }
                Admission::Refused(refusal) => {
                    assert!(refusal.retry_after_ms().is_some(), "an envelope was refused: {refusal}");
                    still.push(envelope);
                }
                Admission::Taken | Admission::Acknowledged(_) | Admission::Waiting(_) => still.push(envelope),
            }
        }
        *waiting = still;
        true
    }
}

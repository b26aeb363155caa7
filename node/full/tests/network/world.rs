//! A network for a test: its genesis, its validator, its nodes, and writers that seal envelopes for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use waxwing_core::codec::Encode;
use waxwing_core::envelope::{Anchor, Envelope, EnvelopeHeader, ErasureSecret, KeepFor};
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::hash::{HashKeys, Meaning};
use waxwing_core::keys::{LogKey, NodeId, VoteKey};
use waxwing_net::wire::Opaque;
use waxwing_node::config::NodeConfig;
use waxwing_node::directory::Directory;
use waxwing_node::{Clock, NodeAddress, NodeHandle, StartError, start};

/// Bits that every stamp needs, and the first of a log beyond them: little work, but some.
pub(crate) const STAMP_BITS: u8 = 2;
pub(crate) const NEW_LOG_BITS: u8 = 4;

/// How long anything in these tests may take at the worst.
pub(crate) const SOON: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) genesis: Genesis,
    pub(crate) keys: HashKeys,
    pub(crate) vote: VoteKey,
    /// All of the committee's keys.
    pub(crate) votes: Vec<VoteKey>,
    pub(crate) clock: Clock,
    ahead_ms: Arc<AtomicU64>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::of(1)
    }

    /// A network of so many validators.
    pub(crate) fn of(validators: u8) -> Self {
        let ahead_ms = Arc::new(AtomicU64::new(0));
        let clock = Clock::ahead_by(Arc::clone(&ahead_ms));
        let votes: Vec<_> = (0..validators)
            .map(|number| VoteKey::from_seed(&[7 + number; 32]))
            .collect();
        let members = votes.iter().map(VoteKey::public).collect();
        let parameters = Parameters {
            stamp_bits: STAMP_BITS,
            new_log_bits: NEW_LOG_BITS,
        };
        static WORLDS: AtomicU64 = AtomicU64::new(0);
        let name = format!("test {}", WORLDS.fetch_add(1, Ordering::Relaxed));
        let genesis = Genesis::new(&name, clock.now_ms() - 1000, parameters, members).unwrap();
        Self {
            keys: genesis.keys(),
            genesis,
            vote: votes[0].clone(),
            votes,
            clock,
            ahead_ms,
        }
    }

    /// Lets time pass for all nodes and clients of this world.
    pub(crate) fn pass(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap();
        self.ahead_ms.fetch_add(ms, Ordering::Relaxed);
    }

    pub(crate) async fn validator(&self) -> Running {
        self.validator_with(|_| {}).await
    }

    pub(crate) async fn validator_with(&self, change: impl FnOnce(&mut NodeConfig)) -> Running {
        let place = tempfile::tempdir().unwrap();
        let mut config = config();
        change(&mut config);
        Directory::found(place.path(), &self.genesis, Some(&self.vote), &config).unwrap();
        self.run(place, config).await
    }

    /// The whole committee. Each node is told where those before it are, and introduces itself to them.
    pub(crate) async fn committee(&self) -> Vec<Running> {
        self.committee_with(|_| {}).await
    }

    pub(crate) async fn committee_with(&self, change: impl Fn(&mut NodeConfig)) -> Vec<Running> {
        let mut nodes: Vec<Running> = Vec::new();
        for vote in &self.votes {
            let others: Vec<NodeAddress> = nodes.iter().map(Running::address).collect();
            nodes.push(self.member_with(vote, &others, &change).await);
        }
        nodes
    }

    /// A node with a vote key that knows some others.
    pub(crate) async fn member(&self, vote: &VoteKey, others: &[NodeAddress]) -> Running {
        self.member_with(vote, others, |_| {}).await
    }

    pub(crate) async fn member_with(
        &self,
        vote: &VoteKey,
        others: &[NodeAddress],
        change: impl Fn(&mut NodeConfig),
    ) -> Running {
        let place = tempfile::tempdir().unwrap();
        let mut config = NodeConfig {
            validators: others.to_vec(),
            ..config()
        };
        change(&mut config);
        Directory::found(place.path(), &self.genesis, Some(vote), &config).unwrap();
        self.run(place, config).await
    }

    pub(crate) async fn follower(&self, upstreams: &[NodeAddress]) -> Running {
        let place = tempfile::tempdir().unwrap();
        let config = NodeConfig {
            upstreams: upstreams.to_vec(),
            ..config()
        };
        Directory::found(place.path(), &self.genesis, None, &config).unwrap();
        self.run(place, config).await
    }

    pub(crate) async fn run(&self, place: TempDir, config: NodeConfig) -> Running {
        let handle = self.try_run(&place, &config).await.unwrap();
        Running { handle, place, config }
    }

    pub(crate) async fn try_run(&self, place: &TempDir, config: &NodeConfig) -> Result<NodeHandle, StartError> {
        let directory = Directory::open(place.path()).unwrap();
        start(directory, config, self.clock.clone()).await
    }

    /// The first anchor there is.
    pub(crate) fn genesis_anchor(&self) -> Anchor {
        Anchor {
            height: 0,
            id: self.genesis.block().id(&self.keys),
        }
    }
}

/// Settings for tests: any port, small buffers, no pause unless a test is about it.
pub(crate) fn config() -> NodeConfig {
    NodeConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        http: None,
        block_pause_ms: 1,
        cache_mib: 4,
        write_buffers_mib: 8,
        threads: 2,
        ..NodeConfig::default()
    }
}

/// A node and its directory.
pub(crate) struct Running {
    pub(crate) handle: NodeHandle,
    pub(crate) place: TempDir,
    pub(crate) config: NodeConfig,
}

impl Running {
    pub(crate) fn node(&self) -> NodeId {
        self.handle.node()
    }

    pub(crate) fn address(&self) -> NodeAddress {
        NodeAddress {
            node: self.node(),
            host: "127.0.0.1".to_owned(),
            port: self.handle.address().port(),
        }
    }

    /// Stops in good order; the directory stays.
    pub(crate) async fn stop(self) -> (TempDir, NodeConfig) {
        self.handle.shut_down(Duration::from_secs(5)).await;
        (self.place, self.config)
    }
}

/// Somebody who holds a log's key.
pub(crate) struct Writer {
    pub(crate) key: LogKey,
    pub(crate) keys: HashKeys,
    anchor: Anchor,
    pub(crate) keep_for: KeepFor,
    count: u64,
}

impl Writer {
    pub(crate) fn new(world: &World, seed: u8) -> Self {
        Self {
            key: LogKey::from_seed(&[seed; 32]),
            keys: world.keys.clone(),
            anchor: world.genesis_anchor(),
            keep_for: KeepFor::Ever,
            count: 0,
        }
    }

    pub(crate) fn under(mut self, anchor: Anchor) -> Self {
        self.anchor = anchor;
        self
    }

    /// The secret that erases the entry with a body.
    pub(crate) fn secret(&self, body: &[u8]) -> ErasureSecret {
        ErasureSecret(self.keys.hash(Meaning::Body, body).0)
    }

    /// An envelope that differs from every other of this writer, stamped as the first of its log.
    pub(crate) fn seal(&mut self, body: &[u8]) -> Envelope {
        self.seal_with(body, STAMP_BITS + NEW_LOG_BITS)
    }

    /// An envelope whose stamp has exactly so many bits beyond what its size asks for.
    pub(crate) fn seal_with(&mut self, body: &[u8], bits: u8) -> Envelope {
        self.count += 1;
        let length = u32::try_from(body.len()).unwrap();
        let mut header = EnvelopeHeader {
            body_length: length,
            log: self.key.public(),
            anchor: self.anchor,
            body_hash: self.keys.hash(Meaning::Body, body),
            erasure: self.secret(body).commitment(&self.keys),
            keep_for: self.keep_for,
            nonce: self.count << 32,
        };
        let bits = waxwing_core::envelope::stamp_bits(bits, length);
        while header.stamp(&self.keys).leading_zero_bits() != bits {
            header.nonce += 1;
        }
        Envelope {
            signed: header.sign(&self.keys, &self.key),
            body: body.to_vec(),
        }
    }
}

pub(crate) fn opaque(envelope: &Envelope) -> Opaque {
    envelope.to_bytes().into()
}

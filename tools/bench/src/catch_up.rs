//! A client that was away for a million blocks: what it asks, and how many bytes bring it back.
//!
//! The ledger has headers only (see [`crate::chain`]); a server answers from it over QUIC as a node would, and the
//! client asks and verifies as a light client does. The server counts the requests.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use waxwing_core::codec::{Decode, Encode};
use waxwing_core::follow::{Accepted, Follow, HeadProof, HeadUpdate, LogProof};
use waxwing_core::keys::LogId;
use waxwing_net::quic::{Dialer, Identity, PeerInfo, Responder, Server, ServerLimits, Service, Shown};
use waxwing_net::wire::{Opaque, Refusal, Reply, Request, Response, frame};

use crate::chain::Network;
use crate::clock::now;
use crate::figure::Bench;
use crate::load::{PATIENCE, Target};
use crate::number::{Samples, ms, real, real_len};
use crate::proofs;

/// Clients that catch up one after the other.
const CLIENTS: usize = 20;

/// A node's answers about one log, to who holds one head.
struct Answers {
    held: u64,
    log: LogId,
    proof: HeadProof,
    requests: AtomicU64,
}

struct Headers(Arc<Answers>);

impl Service for Headers {
    async fn call(&self, _peer: PeerInfo, request: Request, responder: Responder) {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        match request {
            Request::Log { log, held } if (log, held) == (self.0.log, self.0.held) => {
                responder.answer(Response::Log(self.0.proof.to_bytes().into())).await;
            }
            _ => responder.refuse(Refusal::NotAllowed).await,
        }
    }
}

/// Measures what it takes to catch up.
pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let network = Network::found()?;
    let missed = bench.sized(1_000_000, 1_000);
    let (logs, chain) = proofs::ledger(&network, bench.sized(1_000_000, 1_000), missed, 0)?;
    let mut answers = Vec::new();
    for leaf in logs.sample.iter().take(CLIENTS) {
        let update = HeadUpdate {
            ladder: Vec::new(),
            head: network.certify(chain.newest.clone()),
            extension: chain.extension()?,
        };
        let log = LogProof {
            leaf: Some(*leaf),
            path: logs.prove(&network.keys, leaf)?,
        };
        answers.push(Arc::new(Answers {
            held: chain.held.height,
            log: LogId(leaf.log.0),
            proof: HeadProof { update, log },
            requests: AtomicU64::new(0),
        }));
    }
    drop(logs);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (mut trips, mut sizes, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for answers in answers {
        let took = runtime.block_on(catch_up(&network, &answers, chain.newest.time))?;
        times.push(ms(took));
        trips.push(real(answers.requests.load(Ordering::Relaxed)));
        let reply: Reply = Ok(Response::Log(Opaque::from(answers.proof.to_bytes())));
        sizes.push(real_len(frame(&reply)?.len()));
    }
    let least = proofs::least_bytes(&network, chain.newest.log_count) + proofs::path_bytes(missed);
    let signatures = real_len(network.committee.quorum()) * bench.limits.verify_ms()?;
    bench.line(
        "catch-up.round_trips",
        Samples::new(trips)?.max(),
        "requests",
        Some(1.0),
    )?;
    bench.line("catch-up.bytes", Samples::new(sizes)?.max(), "B", Some(least))?;
    bench.line("catch-up.time", Samples::new(times)?.median(), "ms", Some(signatures))
}

/// One client: a connection, as many requests as it needs, every check.
async fn catch_up(network: &Network, answers: &Arc<Answers>, time: u64) -> anyhow::Result<Duration> {
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Server::bind(
        anywhere,
        &Identity::ephemeral(),
        ServerLimits::DEFAULT,
        Headers(Arc::clone(answers)),
    )?;
    let target = Target {
        address: server.address()?,
        node: server.node(),
    };
    let connection = target.connect(&Dialer::new(Shown::Ephemeral)?).await?;
    let mut follow = Follow::from_genesis(&network.genesis);
    let start = now();
    let question = Request::Log {
        log: answers.log,
        held: follow.header().height,
    };
    let Response::Log(bytes) = connection.request(&question, PATIENCE).await? else {
        anyhow::bail!("the node answered another question");
    };
    let proof = HeadProof::from_bytes(&bytes)?;
    let accepted = follow.accept(&proof.update, time)?;
    let state = follow.check_log(&answers.log, &proof.log)?;
    let took = start.elapsed();
    anyhow::ensure!(
        accepted == Accepted::Newer && state.is_some(),
        "the client has not caught up"
    );
    Ok(took)
}

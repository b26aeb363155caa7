//! From submitting an envelope to holding the proof that it is final, over loopback, on a node that has nothing else to do.
//!
//! The client is the whole client: it submits, is pushed the entry with its proof, verifies the certificate and the path in
//! the log map, appends the entry and compares the root. Only then the clock stops.

use std::time::Duration;

use anyhow::Context as _;
use waxwing_core::codec::Decode;
use waxwing_core::envelope::Carried;
use waxwing_core::follow::HeadProof;
use waxwing_core::genesis::Genesis;
use waxwing_core::keys::LogId;
use waxwing_core::log::{LogCursor, Place};
use waxwing_core::{Hash, codec::Reader};
use waxwing_net::quic::Subscription;
use waxwing_net::wire::{Admission, FollowLog, List, Opaque, Promise, Push, Request, Response, Watch};
use waxwing_node::Clock;

use crate::clock::now;
use crate::committee::Committee;
use crate::envelopes::Writers;
use crate::figure::Bench;
use crate::limit;
use crate::load::{PATIENCE, Target};
use crate::node::{self, Watcher};
use crate::number::{Samples, ms};
use crate::role::{Other, Role};

/// Synced writes of a committee that lie one behind the other: the proposal, the block before the first vote, the second
/// vote, the block in the ledger.
const SYNCS: u8 = 4;

/// Measures the way of single envelopes.
pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let directory = tempfile::tempdir_in(bench.dir())?;
    let path = directory.path().join("node");
    let genesis = node::found(&path)?;
    let node = Other::start(Role::Node, &path)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let pause = Duration::from_millis(bench.sized(1_000, 150));
    let times = runtime.block_on(drive(node.target, &genesis, bench.sized(200, 5), pause))?;
    node.stop()?;
    let sync = limit::disk(bench.dir(), bench.size())?.sync_ms;
    bench.line("latency.p50", times.median(), "ms", Some(sync.median()))?;
    bench.line("latency.p99", times.percentile(99), "ms", Some(sync.percentile(99)))
}

/// The same on a committee of four. The client is served by one of them, and another one's turn it is most of the time.
pub(crate) fn of_a_committee(bench: &mut Bench) -> anyhow::Result<()> {
    let committee = Committee::start(bench.dir())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let pause = Duration::from_millis(bench.sized(1_000, 150));
    let target = committee.targets().next().context("a committee has members")?;
    let count = bench.sized(200, 5);
    let times = runtime.block_on(drive(target, &committee.genesis, count, pause))?;
    let watchers = runtime.block_on(committee.watch())?;
    committee.finish(&runtime, watchers, count + 1)?;
    let sync = limit::disk(bench.dir(), bench.size())?.sync_ms;
    let limit = |percent| Some(f64::from(SYNCS) * sync.percentile(percent));
    bench.line("committee-latency.p50", times.median(), "ms", limit(50))?;
    bench.line("committee-latency.p99", times.percentile(99), "ms", limit(99))
}

async fn drive(target: Target, genesis: &Genesis, count: u64, pause: Duration) -> anyhow::Result<Samples> {
    let writers = Writers::new(genesis, 1)?;
    let batches = writers.open_logs()?.into_iter().chain(writers.write(count)?);
    let envelopes: Vec<_> = batches
        .flat_map(|batch| batch.envelopes().collect::<Vec<_>>())
        .collect();
    let mut client = Client::new(Watcher::new(target, genesis).await?, writers.log()?).await?;
    let mut times = Vec::new();
    for envelope in envelopes {
        let start = now();
        client.submit(Opaque(envelope)).await?;
        client.until_final().await?;
        times.push(ms(start.elapsed()));
        tokio::time::sleep(pause).await;
    }
    // The first one opened its log, and the connection.
    times.remove(0);
    Samples::new(times)
}

struct Client {
    watcher: Watcher,
    pushes: Subscription,
    cursor: LogCursor,
}

impl Client {
    async fn new(watcher: Watcher, log: LogId) -> anyhow::Result<Self> {
        let logs = List::new(vec![FollowLog { log, from: 0 }]).unwrap_or(List::EMPTY);
        let subscribe = Request::Subscribe {
            logs,
            held: 0,
            watch: Watch::Logs,
        };
        Ok(Self {
            pushes: watcher.connection.subscribe(&subscribe, PATIENCE).await?,
            watcher,
            cursor: LogCursor::start(log),
        })
    }

    async fn submit(&self, envelope: Opaque) -> anyhow::Result<()> {
        let request = Request::Submit {
            envelopes: List::new(vec![envelope]).unwrap_or(List::EMPTY),
            promise: Promise::Signed,
        };
        let Response::Submit(admissions) = self.watcher.connection.request(&request, PATIENCE).await? else {
            anyhow::bail!("the node answered another question");
        };
        anyhow::ensure!(
            matches!(*admissions, [Admission::Acknowledged(_)]),
            "the envelope was not taken"
        );
        Ok(())
    }

    /// Waits for the next entry of the log and checks everything about it.
    async fn until_final(&mut self) -> anyhow::Result<()> {
        loop {
            let push = tokio::time::timeout(PATIENCE, self.pushes.next()).await??;
            match push {
                Some(Push::Entries { entries, proof, .. }) => return self.check(&entries.entries, &proof),
                Some(Push::Ended(refusal)) => anyhow::bail!("the node ended the subscription: {refusal}"),
                Some(_) => {}
                None => anyhow::bail!("the node ended the subscription"),
            }
        }
    }

    fn check(&mut self, entries: &[Opaque], proof: &[u8]) -> anyhow::Result<()> {
        let proof = HeadProof::from_bytes(proof)?;
        let follow = &mut self.watcher.follow;
        let keys = follow.keys().clone();
        follow.accept(&proof.update, Clock::system().now_ms())?;
        let leaf = follow.check_log(&self.cursor.state.log, &proof.log)?;
        let leaf = leaf.ok_or_else(|| anyhow::anyhow!("the log is not there"))?;
        let entries: Vec<(Hash, Place)> = entries
            .iter()
            .map(|bytes| {
                let mut reader = Reader::new(bytes);
                let (place, carried) = (Place::decode(&mut reader)?, Carried::decode(&mut reader)?);
                reader.finish()?;
                Ok((carried.signed.entry_id(&keys), place))
            })
            .collect::<anyhow::Result<_>>()?;
        self.cursor.extend(&keys, &entries, &leaf)?;
        Ok(())
    }
}

//! How many envelopes a node orders in a second, measured by hand while working on the node.
//!
//! ```text
//! cargo run --release -p waxwing-node --example ingest_rate [ENVELOPES [LOGS [BODY BYTES]]]
//! ```
//!
//! Starts itself a second time as the node, so that load and node are two processes as in life, seals the envelopes first,
//! then submits them over QUIC on loopback and waits until all are final. A follower copies the result.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rayon::prelude::*;
use waxwing_core::block::BlockHeader;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::{Anchor, Envelope, EnvelopeHeader, ErasureSecret, KeepFor};
use waxwing_core::follow::HeadUpdate;
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::hash::{HashKeys, Meaning};
use waxwing_core::keys::{LogKey, VoteKey};
use waxwing_net::quic::{Connection, Dialer, Shown};
use waxwing_net::wire::{Admission, EnvelopeRefusal, List, Opaque, Promise, Request, Response};
use waxwing_node::config::NodeConfig;
use waxwing_node::directory::Directory;
use waxwing_node::{Clock, NodeAddress, start};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const PARAMETERS: Parameters = Parameters {
    stamp_bits: 2,
    new_log_bits: 2,
};

const PATIENCE: Duration = Duration::from_secs(5);

/// Submissions under way at once, and envelopes in each.
const UNDER_WAY: usize = 8;
const BATCH: usize = 640;

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let mut arguments = std::env::args().skip(1);
    match arguments.next() {
        Some(word) if word == "node" => {
            let directory = arguments.next().ok_or("a directory is missing")?;
            runtime.block_on(node(directory.into()))
        }
        count => {
            let number = |text: Option<String>, default| text.map_or(Ok(default), |text| text.parse::<usize>());
            let count = number(count, 200_000)?;
            let (logs, body) = (number(arguments.next(), 10_000)?, number(arguments.next(), 1024)?);
            runtime.block_on(load(count, logs, body))
        }
    }
}

fn say(line: &str) -> Outcome<()> {
    Ok(writeln!(std::io::stdout().lock(), "{line}")?)
}

fn config() -> NodeConfig {
    NodeConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        http: None,
        ..NodeConfig::default()
    }
}

async fn node(path: PathBuf) -> Outcome<()> {
    let clock = Clock::system();
    let vote = VoteKey::from_seed(&[7; 32]);
    let genesis = Genesis::new("rate", clock.now_ms(), PARAMETERS, vec![vote.public()])?;
    let config = config();
    Directory::found(&path, &genesis, Some(&vote), &config)?;
    let handle = start(Directory::open(&path)?, &config, clock).await?;
    say(&format!("{}@{}", handle.node(), handle.address()))?;
    // Until the other process closes our input.
    tokio::task::spawn_blocking(|| std::io::stdin().lines().count()).await?;
    handle.shut_down(Duration::from_secs(5)).await;
    Ok(())
}

async fn load(count: usize, logs: usize, body: usize) -> Outcome<()> {
    let home = tempfile::tempdir()?;
    let mut child = Command::new(std::env::current_exe()?)
        .arg("node")
        .arg(home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    let address: NodeAddress = line.trim().parse()?;
    let dialer = Dialer::from_address(([127, 0, 0, 1], 0).into(), Shown::Ephemeral)?;
    let place = format!("{}:{}", address.host, address.port).parse()?;
    let connection = dialer.connect(place, address.node, Duration::from_secs(5)).await?;
    let sealed = seal(&connection, count, logs, body).await?;
    say(&format!("sealed {count} envelopes on {logs} logs, {body} bytes each"))?;
    let (of_node, of_load) = (cpu_ms(child.id())?, cpu_ms(std::process::id())?);
    submit(&connection, sealed).await?;
    let (of_node, of_load) = (cpu_ms(child.id())? - of_node, cpu_ms(std::process::id())? - of_load);
    let each = |ms: u64| {
        ms.saturating_mul(1000)
            .checked_div(u64::try_from(count).unwrap_or(1))
            .unwrap_or(0)
    };
    say(&format!(
        "processor time per envelope: node {} us, load {} us",
        each(of_node),
        each(of_load)
    ))?;
    copy(&connection, &address, count).await?;
    drop(child.stdin.take());
    child.wait()?;
    Ok(())
}

/// Lets a follower copy everything, and says how long it took.
async fn copy(connection: &Connection, upstream: &NodeAddress, count: usize) -> Outcome<()> {
    let (home, clock, genesis) = (tempfile::tempdir()?, Clock::system(), genesis(connection).await?);
    let config = NodeConfig {
        upstreams: vec![upstream.clone()],
        ..config()
    };
    Directory::found(home.path(), &genesis, None, &config)?;
    let wanted = head(connection).await?.height;
    let (started, used) = (clock.steady_ms(), cpu_ms(std::process::id())?);
    let follower = start(Directory::open(home.path())?, &config, clock.clone()).await?;
    follower.until_height(wanted).await?;
    let took = usize::try_from(clock.steady_ms() - started)?.max(1);
    let used = usize::try_from(cpu_ms(std::process::id())? - used)?;
    say(&format!(
        "a follower copied and checked all in {took} ms: {}/s, {} us of processor time each",
        count * 1000 / took,
        used * 1000 / count
    ))?;
    follower.shut_down(Duration::from_secs(5)).await;
    Ok(())
}

async fn genesis(connection: &Connection) -> Outcome<Genesis> {
    match connection.request(&Request::Genesis, PATIENCE).await? {
        Response::Genesis(bytes) => Ok(Genesis::from_bytes(&bytes)?),
        _ => Err("no genesis".into()),
    }
}

async fn head(connection: &Connection) -> Outcome<BlockHeader> {
    match connection.request(&Request::Head { held: 0 }, PATIENCE).await? {
        Response::Head(update) => Ok(HeadUpdate::from_bytes(&update)?.head.header),
        _ => Err("no head".into()),
    }
}

/// Processor time that a process has used, from `/proc`: what counts on a machine that does other things as well.
fn cpu_ms(process: u32) -> Outcome<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after_name = text.rsplit_once(") ").ok_or("no figures")?.1;
    let ticks = after_name.split(' ').skip(11).take(2).map(str::parse::<u64>);
    // A hundred ticks a second on every Linux there is.
    Ok(ticks.sum::<Result<u64, _>>()? * 10)
}

async fn seal(connection: &Connection, count: usize, logs: usize, body: usize) -> Outcome<Vec<Opaque>> {
    let genesis = genesis(connection).await?;
    let keys = genesis.keys();
    let anchor = Anchor {
        height: 0,
        id: genesis.block().id(&keys),
    };
    let log_keys: Vec<LogKey> = (0..logs)
        .map(|log| LogKey::from_seed(&keys.hash(Meaning::Body, &log.to_be_bytes()).0))
        .collect();
    let one = |number: usize| {
        let key = log_keys.get(number % logs)?;
        Some(envelope(&keys, key, anchor, number, body))
    };
    (0..count)
        .into_par_iter()
        .map(one)
        .collect::<Option<_>>()
        .ok_or_else(|| "a log without a key".into())
}

fn envelope(keys: &HashKeys, key: &LogKey, anchor: Anchor, number: usize, body: usize) -> Opaque {
    let body: Vec<u8> = number.to_be_bytes().into_iter().cycle().take(body).collect();
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut header = EnvelopeHeader {
        body_length: length,
        log: key.public(),
        anchor,
        body_hash: keys.hash(Meaning::Body, &body),
        erasure: ErasureSecret([1; 32]).commitment(keys),
        keep_for: KeepFor::Ever,
        nonce: u64::try_from(number).unwrap_or(0) << 20,
    };
    header.grind(keys, u32::from(PARAMETERS.stamp_bits + PARAMETERS.new_log_bits));
    let signed = header.sign(keys, key);
    Envelope { signed, body }.to_bytes().into()
}

async fn submit(connection: &Connection, sealed: Vec<Opaque>) -> Outcome<()> {
    let (count, clock) = (sealed.len(), Clock::system());
    let batches: Arc<Vec<Vec<Opaque>>> = Arc::new(sealed.chunks(BATCH).map(<[Opaque]>::to_vec).collect());
    let (next, waits) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..UNDER_WAY {
        let (connection, batches) = (connection.clone(), Arc::clone(&batches));
        let (next, waits) = (Arc::clone(&next), Arc::clone(&waits));
        senders.spawn(async move {
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                send(&connection, batch.clone(), &waits).await?;
            }
            Outcome::Ok(())
        });
    }
    while let Some(sent) = senders.join_next().await {
        sent??;
    }
    let sent_ms = clock.steady_ms();
    until_final(connection, count).await?;
    let final_ms = clock.steady_ms();
    let rate = count
        .checked_mul(1000)
        .and_then(|total| total.checked_div(usize::try_from(final_ms).ok()?));
    say(&format!(
        "{count} final after {final_ms} ms (sent after {sent_ms} ms, told to wait {} times): {}/s",
        waits.load(Ordering::Relaxed),
        rate.unwrap_or(0)
    ))
}

/// Sends until all are taken; those for which there is no room are sent again when the node says so.
async fn send(connection: &Connection, mut batch: Vec<Opaque>, waits: &AtomicUsize) -> Outcome<()> {
    while !batch.is_empty() {
        let request = Request::Submit {
            envelopes: List::new(batch.clone()).ok_or("too many at once")?,
            promise: Promise::Word,
        };
        let Response::Submit(admissions) = connection.request(&request, Duration::from_secs(30)).await? else {
            return Err("no admissions".into());
        };
        let (mut left, mut wait) = (Vec::new(), 0);
        for (envelope, admission) in batch.into_iter().zip(admissions) {
            match admission {
                Admission::Taken | Admission::Final { .. } => {}
                Admission::Refused(EnvelopeRefusal::PoolFull { retry_after_ms }) => {
                    left.push(envelope);
                    wait = retry_after_ms;
                }
                other => return Err(format!("{other:?}").into()),
            }
        }
        batch = left;
        if !batch.is_empty() {
            waits.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
    }
    Ok(())
}

async fn until_final(connection: &Connection, count: usize) -> Outcome<()> {
    let wanted = u64::try_from(count)?;
    while head(connection).await?.total_entries < wanted {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

//! What a conversation costs the people in it: sending, receiving, members who come, starting, waiting.
//!
//! People are whole clients with homes on the disk that is measured, see [`crate::people`]; the node is another process. What
//! is measured begins when everything before it is done: with `--pause` not before somebody says that the machine is quiet,
//! since founding a group of 256 takes minutes and matters to no figure.

use std::ops::RangeInclusive;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context as _;
use waxwing_core::genesis::Genesis;
use waxwing_light::{ChannelId, Client, Draft, Range};
use waxwing_node::directory::Directory;
use waxwing_store::Store;

use crate::clock::now;
use crate::figure::{Bench, say};
use crate::layers::Layers;
use crate::limit;
use crate::load::Target;
use crate::node;
use crate::number::{Samples, ms, real, real_len};
use crate::people::{self, Group, Person};
use crate::process::Usage;
use crate::role::{Other, Process, Role, answer};

/// What people say: a sentence.
const WORDS: &str = "The wing tips look like drops of sealing wax, which is where the name comes from.";

/// Members of a group of some size in which something is received.
const TALKERS: u32 = 32;

/// Messages on their way at a time, of those whose sending is measured: the ledger takes them in between.
const AT_ONCE: usize = 25;

/// The layers that a commit goes through at another member: proofs of the log, the transaction, its sync.
const PROCESSING: [&str; 3] = ["check", "step", "commit"];

/// In the transaction, what the group does with it.
const OPENING: &str = "open";

/// A node, and the folder in which homes are made.
struct Place {
    folder: tempfile::TempDir,
    node: Other,
    genesis: Genesis,
}

impl Place {
    fn new(bench: &Bench) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir_in(bench.dir())?;
        let path = folder.path().join("node");
        let genesis = node::found(&path)?;
        let node = Other::start(Role::Node, &path)?;
        Ok(Self { folder, node, genesis })
    }

    async fn group(&self, size: u32) -> anyhow::Result<Group> {
        let folder = self.folder.path().join(format!("group-{size}"));
        std::fs::create_dir(&folder)?;
        Group::found(&folder, &self.genesis, self.target(), size).await
    }

    fn target(&self) -> Target {
        self.node.target
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// From a sentence to its sealed body, its signed envelope and its rows on the disk.
pub(crate) fn send(bench: &mut Bench) -> anyhow::Result<()> {
    let place = Place::new(bench)?;
    let count = usize::try_from(bench.sized(300, 5))?;
    // One runtime to the end: connections live in it.
    let runtime = runtime()?;
    let mut groups = Vec::new();
    for size in bench.members(&[2, 32, 256], &[2, 3])? {
        groups.push((size, runtime.block_on(place.group(size))?));
    }
    bench.begin()?;
    let sync = limit::disk(bench.dir(), bench.size())?.sync_ms;
    for (size, group) in groups {
        let (first, times) = runtime.block_on(say_and_time(&group.first, group.channel, count))?;
        bench.line(&format!("send.{size}.p50"), times.median(), "ms", Some(sync.median()))?;
        let late = times.percentile(99);
        bench.line(&format!("send.{size}.p99"), late, "ms", Some(sync.percentile(99)))?;
        bench.line(&format!("send.{size}.first"), first, "ms", Some(sync.median()))?;
    }
    place.node.stop()
}

/// How long the first message on an epoch's log takes, whose stamp is stronger than all others'; and so many further ones.
async fn say_and_time(person: &Person, channel: ChannelId, count: usize) -> anyhow::Result<(f64, Samples)> {
    let start = now();
    person.client.send(channel, Draft::text(WORDS)?).await?;
    let first = ms(start.elapsed());
    person.is_done(channel).await?;
    let mut times = Vec::new();
    while times.len() < count {
        for _ in 0..AT_ONCE.min(count - times.len()) {
            let start = now();
            person.client.send(channel, Draft::text(WORDS)?).await?;
            times.push(ms(start.elapsed()));
        }
        person.is_done(channel).await?;
    }
    Ok((first, Samples::new(times)?))
}

/// Messages that waited while a member of a group was away, until the last of them can be read.
pub(crate) fn receive(bench: &mut Bench) -> anyhow::Result<()> {
    let place = Place::new(bench)?;
    let size = u32::try_from(bench.sized(u64::from(TALKERS), 3))?;
    let count = bench.sized(10_000, 30);
    let group = runtime()?.block_on(async {
        let group = place.group(size).await?;
        // Whoever reads has come so far that only messages wait.
        let (away, theirs) = group.others.last().context("a group has members")?;
        let reader = away.back().await?;
        reader.is_done(*theirs).await?;
        reader.leave().await?;
        group.first.says(group.channel, count, WORDS).await?;
        Ok::<_, anyhow::Error>(group)
    })?;
    say(&format!("  {count} messages wait"));
    bench.begin()?;
    let last = format!("{}: {WORDS}", count.saturating_sub(1));
    let layers = Layers::default();
    let (took, processor, read) = layers.runtime()?.block_on(async {
        let _listening = layers.here();
        let (away, theirs) = group.others.last().context("a group has members")?;
        let reader = away.back().await?;
        let before = Usage::of(std::process::id())?;
        let start = now();
        reader.client.refresh().await?;
        let stored = start.elapsed();
        let read = reader.client.read(*theirs, Range::Last(50)).await?;
        let took = start.elapsed();
        let is_there = read.last().is_some_and(|view| view.text.as_ref() == Some(&last));
        anyhow::ensure!(is_there, "the last one is not there");
        let processor = Usage::of(std::process::id())?.processor_since(&before);
        Ok::<_, anyhow::Error>((took, processor, took.saturating_sub(stored)))
    })?;
    bench.line("receive.time", took.as_secs_f64(), "s", None)?;
    bench.line("receive.each", ms(took) * 1e3 / real(count), "us", None)?;
    bench.line("receive.processor", ms(processor) * 1e3 / real(count), "us", None)?;
    let (check, open, step) = (layers.time("check"), layers.time("open"), layers.time("step"));
    let (write, commit) = (step.saturating_sub(open), layers.time("commit"));
    let fetch = took.saturating_sub(check + step + commit + read);
    let shares = [fetch, check, open, write, commit, read].map(|part| part.as_secs_f64() / took.as_secs_f64());
    for (layer, share) in ["fetch", "check", "open", "store", "commit", "read"]
        .into_iter()
        .zip(shares)
    {
        bench.line(&format!("receive.{layer}"), share * 100.0, "% of the time", None)?;
    }
    place.node.stop()
}

/// One more in a large group whose members have renewed their keys: at the member who lets them in, at another one, and on
/// the ledger.
pub(crate) fn members(bench: &mut Bench) -> anyhow::Result<()> {
    let place = Place::new(bench)?;
    let size = match bench.members(&[256], &[4])?.as_slice() {
        [size, ..] => size.saturating_sub(1),
        [] => return Ok(()),
    };
    let times = bench.sized(3, 1);
    let layers = Layers::default();
    let _listening = layers.here();
    let runtime = layers.runtime()?;
    let mut group = runtime.block_on(async {
        let group = place
            .group(size.saturating_sub(u32::try_from(times)?.saturating_sub(1)))
            .await?;
        group.warm_up().await?;
        Ok::<_, anyhow::Error>(group)
    })?;
    bench.begin()?;
    let come = (0..times).map(|number| runtime.block_on(one_more(&place, &mut group, (number, &layers))));
    let come = come.collect::<anyhow::Result<Vec<Come>>>()?;
    say_how_long(bench, &come)?;
    place.node.stop()?;
    let path = place.folder.path().join("node");
    let store = Store::open_read_only(&Directory::open(&path)?.database(), &waxwing_store::Options::default())?;
    let (mut commits, mut all) = (Vec::new(), Vec::new());
    for come in &come {
        commits.push(body_bytes(&store, come.commit..=come.commit)?);
        all.push(body_bytes(&store, come.before.saturating_add(1)..=come.after)?);
    }
    bench.line(
        "members.commit",
        Samples::new(commits)?.median(),
        "B on the ledger",
        None,
    )?;
    bench.line(
        "members.bytes",
        Samples::new(all)?.median(),
        "B on the ledger, with request and welcome",
        None,
    )
}

/// Medians of what it took.
fn say_how_long(bench: &mut Bench, come: &[Come]) -> anyhow::Result<()> {
    let line = |name: &str, of: &dyn Fn(&Come) -> Duration| {
        let times = come.iter().map(|come| ms(of(come))).collect();
        bench.line(&format!("members.{name}"), Samples::new(times)?.median(), "ms", None)
    };
    line("add", &|come| come.adds.inside())?;
    line("add.round", &|come| come.adds.took)?;
    line("comes-true.round", &|come| come.merges.took)?;
    line("process", &|come| come.processes.inside())?;
    line("process.round", &|come| come.processes.took)?;
    for (place, layer) in PROCESSING.into_iter().enumerate() {
        line(&format!("process.{layer}"), &|come| come.processes.in_layer(place))?;
    }
    line(&format!("process.{OPENING}"), &|come| come.processes.opens)
}

/// Bytes of the bodies in some blocks, as the ledger has them.
fn body_bytes(store: &Store, heights: RangeInclusive<u64>) -> anyhow::Result<f64> {
    let mut bytes = 0.0;
    for height in heights {
        let block = store.block(height)?.context("the node has all blocks")?;
        bytes += block
            .entries
            .iter()
            .map(|entry| f64::from(entry.signed.header.body_length))
            .sum::<f64>();
    }
    Ok(bytes)
}

/// A round: everything that a client does when it looks. It asks for each log that it follows, and who lets people in
/// follows many.
#[derive(Clone)]
struct Round {
    took: Duration,
    /// In each of the layers that were asked for.
    layers: Vec<Duration>,
    /// Of that, what groups did with what they were given.
    opens: Duration,
}

impl Round {
    fn inside(&self) -> Duration {
        self.layers.iter().sum()
    }

    fn in_layer(&self, place: usize) -> Duration {
        self.layers.get(place).copied().unwrap_or_default()
    }
}

/// What it took to let one more in.
struct Come {
    /// The round that found the request and submitted the commit; inside, what it took to make and store the commit.
    adds: Round,
    /// The round that found the commit on the ledger, began the next epoch and submitted the welcome.
    merges: Round,
    /// The round of another member that found the commit; inside, everything but what it waited for the node.
    processes: Round,
    /// Height of the commit, of what was there before, and of all that belongs to it.
    commit: u64,
    before: u64,
    after: u64,
}

async fn one_more(place: &Place, group: &mut Group, (number, layers): (u64, &Layers)) -> anyhow::Result<Come> {
    let folder = place.folder.path().join(format!("one-more-{number}"));
    std::fs::create_dir(&folder)?;
    let (away, theirs) = group.others.first().context("a group has members")?.clone();
    let other = away.back().await?;
    other.is_done(theirs).await?;
    let before = height(&group.first).await?;
    let asking = group.asks(&folder, 1).await?;
    // Both are connected, and have looked a moment ago.
    other.client.refresh().await?;
    let epoch = people::epoch(&group.first, group.channel).await?;
    let proposed = async || Ok(people::waiting(&group.first, group.channel).await? > 0);
    let adds = round_after_which(&group.first, (layers, &["propose"]), proposed).await?;
    let begun = async || Ok(people::epoch(&group.first, group.channel).await? > epoch);
    let merges = round_after_which(&group.first, (layers, &["step", "commit"]), begun).await?;
    let followed = async || Ok(people::epoch(&other, theirs).await? > epoch);
    let processes = round_after_which(&other, (layers, &PROCESSING), followed).await?;
    let commit = group.newest().await?;
    other.leave().await?;
    group.first.is_done(group.channel).await?;
    group.come_in(asking).await?;
    Ok(Come {
        adds,
        merges,
        processes,
        commit,
        before,
        after: height(&group.first).await?,
    })
}

/// The round after which it was so.
async fn round_after_which(
    person: &Person,
    (layers, names): (&Layers, &[&str]),
    is_so: impl AsyncFn() -> anyhow::Result<bool>,
) -> anyhow::Result<Round> {
    let times = || names.iter().map(|name| layers.time(name)).collect::<Vec<Duration>>();
    loop {
        let (start, before, opened) = (now(), times(), layers.time(OPENING));
        person.client.refresh().await?;
        let took = start.elapsed();
        let since = times().into_iter().zip(before);
        let round = Round {
            took,
            layers: since.map(|(after, before)| after.saturating_sub(before)).collect(),
            opens: layers.time(OPENING).saturating_sub(opened),
        };
        if is_so().await? {
            return Ok(round);
        }
    }
}

/// Height of the newest block that somebody has checked.
async fn height(person: &Person) -> anyhow::Result<u64> {
    let network = *person.client.networks().await?.first().context("there is a ledger")?;
    Ok(person.client.status(network).await?.height)
}

/// A home with many messages: from the key to the first screen.
pub(crate) fn start(bench: &mut Bench) -> anyhow::Result<()> {
    let place = Place::new(bench)?;
    let count = bench.sized(100_000, 50);
    let home = runtime()?.block_on(async {
        let group = place.group(2).await?;
        group.first.says(group.channel, count, WORDS).await?;
        group.first.leave().await
    })?;
    say(&format!("  {count} messages are there"));
    bench.begin()?;
    let (opened, shown) = runtime()?.block_on(async {
        let begin = now();
        let person = home.back().await?;
        let opened = begin.elapsed();
        let channels = person.client.channels().await?;
        let channel = channels.first().context("there is a conversation")?.id;
        let read = person.client.read(channel, Range::Last(100)).await?;
        let shown = begin.elapsed();
        anyhow::ensure!(!read.is_empty(), "there is something to show");
        Ok::<_, anyhow::Error>((opened, shown))
    })?;
    bench.line("start.opened", ms(opened), "ms", None)?;
    bench.line("start.shown", ms(shown), "ms", None)?;
    place.node.stop()
}

/// A client in a process of its own that follows a conversation in which nothing is said.
pub(crate) fn waits(bench: &mut Bench) -> anyhow::Result<()> {
    let place = Place::new(bench)?;
    let home = runtime()?.block_on(async {
        let group = place.group(2).await?;
        group.first.is_done(group.channel).await?;
        Ok::<_, anyhow::Error>(group.first.leave().await?.home().to_owned())
    })?;
    bench.begin()?;
    let mut client = Process::start(Role::Waits, &["--dir".to_owned(), home.display().to_string()])?;
    client.hear()?;
    sleep(Duration::from_millis(bench.sized(5_000, 100)));
    let before = client.usage()?;
    let time = Duration::from_millis(bench.sized(60_000, 500));
    sleep(time);
    let after = client.usage()?;
    client.stop()?;
    let processor = after.processor_since(&before);
    bench.line("waits.memory", real(after.resident) / 1e6, "MB", None)?;
    bench.line(
        "waits.processor",
        processor.as_secs_f64() / time.as_secs_f64() * 100.0,
        "% of a core",
        None,
    )?;
    place.node.stop()
}

/// The client that waits.
pub(crate) fn wait(home: &Path) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let client = Client::open(people::options(home)?).await?;
        client.start();
        let channels = client.channels().await?;
        answer(&serde_json::json!({ "channels": real_len(channels.len()) }))?;
        crate::role::stopped().await?;
        client.leave().await;
        Ok(())
    })
}

//! What a conversation costs the people in it: sending, receiving, members who come, starting, waiting.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context as _;
use waxwing_core::genesis::Genesis;
use waxwing_light::{Client, Draft, Range};

use crate::clock::now;
use crate::figure::{Bench, say};
use crate::limit;
use crate::load::{PATIENCE, Target};
use crate::node;
use crate::number::{Samples, ms, real, real_len};
use crate::people::{Group, options};
use crate::process::Usage;
use crate::role::{Other, Process, Role, answer};

/// What people say: a sentence.
const WORDS: &str = "The wing tips look like drops of sealing wax, which is where the name comes from.";

/// Members of a group of some size in which something is received.
const TALKERS: u32 = 32;

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

/// From a sentence to its sealed body, its signed envelope and its rows on the disk, in groups of 2, 32 and 256.
pub(crate) fn send(bench: &mut Bench) -> anyhow::Result<()> {
    let place = Place::new(bench)?;
    let sync = limit::disk(bench.dir(), bench.size())?.sync_ms;
    let sizes = if bench.sized(1, 0) == 1 {
        vec![2, 32, 256]
    } else {
        vec![2, 3]
    };
    let count = bench.sized(300, 5);
    for size in sizes {
        let times = runtime()?.block_on(async {
            let group = place.group(size).await?;
            let (first, channel) = group.first()?;
            // The first entry of a log takes a stronger stamp than all others.
            let opened = first.client.send(channel, Draft::text(WORDS)?).await?;
            first.client.settle(opened, PATIENCE).await?;
            first.client.stop();
            let mut times = Vec::new();
            for _ in 0..count {
                let start = now();
                first.client.send(channel, Draft::text(WORDS)?).await?;
                times.push(ms(start.elapsed()));
            }
            Samples::new(times)
        })?;
        bench.line(&format!("send.{size}.p50"), times.median(), "ms", Some(sync.median()))?;
        bench.line(
            &format!("send.{size}.p99"),
            times.percentile(99),
            "ms",
            Some(sync.percentile(99)),
        )?;
    }
    place.node.stop()
}

/// Messages that waited while a member of a group was away, until the last of them can be read.
pub(crate) fn receive(bench: &mut Bench) -> anyhow::Result<()> {
    let place = Place::new(bench)?;
    let (size, count) = (
        u32::try_from(bench.sized(u64::from(TALKERS), 3))?,
        bench.sized(10_000, 30),
    );
    let (took, processor) = runtime()?.block_on(async {
        let group = place.group(size).await?;
        let (reader, theirs) = group.people.last().context("a group has members")?;
        reader.round().await?;
        let (first, channel) = group.first()?;
        for number in 0..count {
            first
                .client
                .send(channel, Draft::text(&format!("{number}: {WORDS}"))?)
                .await?;
            if number % 500 == 499 {
                first.client.refresh().await?;
            }
        }
        while first.client.channels().await?.iter().any(|channel| channel.waiting > 0) {
            first.round().await?;
        }
        say(&format!("  {count} messages wait"));
        let before = Usage::of(std::process::id())?;
        let start = now();
        reader.client.refresh().await?;
        let read = reader.client.read(*theirs, Range::Last(50)).await?;
        let took = start.elapsed();
        let last = format!("{}: {WORDS}", count.saturating_sub(1));
        anyhow::ensure!(
            read.last().is_some_and(|view| view.text.as_ref() == Some(&last)),
            "the last one is not there"
        );
        let processor = Usage::of(std::process::id())?.processor_since(&before);
        Ok((took, processor))
    })?;
    bench.line("receive.time", took.as_secs_f64(), "s", None)?;
    bench.line("receive.each", ms(took) * 1e3 / real(count), "us", None)?;
    bench.line("receive.processor", ms(processor) * 1e3 / real(count), "us", None)?;
    place.node.stop()
}

/// One more in a large group: at the member who lets them in, and at another one.
pub(crate) fn members(bench: &mut Bench) -> anyhow::Result<()> {
    let place = Place::new(bench)?;
    let size = u32::try_from(bench.sized(255, 3))?;
    let (adds, processes) = runtime()?.block_on(async {
        let mut group = place.group(size).await?;
        for (person, _) in &group.people {
            person.round().await?;
        }
        let folder = place.folder.path().join("one-more");
        std::fs::create_dir(&folder)?;
        let before = Usage::of(std::process::id())?;
        group.let_in(&folder, 1).await?;
        let adds = Usage::of(std::process::id())?.processor_since(&before);
        let (other, _) = group.people.get(1).context("a group has members")?;
        let start = now();
        other.round().await?;
        Ok::<_, anyhow::Error>((adds, start.elapsed()))
    })?;
    bench.line("members.come", ms(adds), "ms of processor time, both sides", None)?;
    bench.line("members.process", ms(processes), "ms", None)?;
    place.node.stop()
}

/// A home with many messages: from the key to the first screen.
pub(crate) fn start(bench: &mut Bench) -> anyhow::Result<()> {
    let place = Place::new(bench)?;
    let count = bench.sized(100_000, 50);
    let (opened, shown) = runtime()?.block_on(async {
        let group = place.group(2).await?;
        let (first, channel) = group.first()?;
        for number in 0..count {
            first
                .client
                .send(channel, Draft::text(&format!("{number}: {WORDS}"))?)
                .await?;
            if number % 500 == 499 {
                first.client.refresh().await?;
            }
        }
        while first.client.channels().await?.iter().any(|channel| channel.waiting > 0) {
            first.round().await?;
        }
        let home = first.home().to_owned();
        drop(group);
        say(&format!("  {count} messages are there"));
        let begin = now();
        let client = Client::open(options(&home)?).await?;
        let opened = begin.elapsed();
        let channels = client.channels().await?;
        let read = client.read(channel, Range::Last(100)).await?;
        let shown = begin.elapsed();
        anyhow::ensure!(!channels.is_empty() && !read.is_empty(), "there is something to show");
        Ok((opened, shown))
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
        let (first, _) = group.first()?;
        first.round().await?;
        Ok::<_, anyhow::Error>(first.home().to_owned())
    })?;
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
        let client = Client::open(options(home)?).await?;
        client.start();
        let channels = client.channels().await?;
        answer(&serde_json::json!({ "channels": real_len(channels.len()) }))?;
        crate::role::stopped().await?;
        client.leave().await;
        Ok(())
    })
}

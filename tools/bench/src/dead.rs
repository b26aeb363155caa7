//! What the death of one validator of four costs: the throughput after it beside the one before, and the longest time in
//! which nobody saw a new head.
//!
//! Clients bring their envelopes to the three that live on. One client follows the heads and checks each; its clock is the
//! one that counts. What is measured after the death begins with the moment of the kill, so the pause is in it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use waxwing_core::codec::Decode;
use waxwing_core::follow::HeadUpdate;
use waxwing_net::quic::Subscription;
use waxwing_net::wire::{List, Push, Request, Watch};
use waxwing_node::Clock;

use crate::agree::POOL;
use crate::client::Sender;
use crate::clock::now;
use crate::committee::{Committee, LOGS, Reading, VALIDATORS};
use crate::figure::{Bench, say};
use crate::load::PATIENCE;
use crate::node::Watcher;
use crate::number::real;

/// Envelopes that are made in advance for each second; three validators take more than four on the same cores.
const PREPARED_PER_SECOND: u64 = 16_000;

/// Between two readings of how fast it goes.
const GLANCE: Duration = Duration::from_secs(2);

/// When heads came, oldest first.
#[derive(Clone, Default)]
struct Heads(Arc<Mutex<Vec<Instant>>>);

impl Heads {
    fn saw(&self, at: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(at);
    }

    /// The times without a new head between two moments, longest first.
    fn gaps(&self, from: Instant, to: Instant) -> Vec<Duration> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let within = seen.iter().copied().filter(|at| (from..to).contains(at));
        let mut last = from;
        let mut gaps: Vec<Duration> = within
            .chain([to])
            .map(|at| at - std::mem::replace(&mut last, at))
            .collect();
        gaps.sort_unstable_by_key(|gap| std::cmp::Reverse(*gap));
        gaps
    }

    /// The longest of them, in seconds.
    fn longest_gap(&self, from: Instant, to: Instant) -> f64 {
        let gaps = self.gaps(from, to);
        let few: Vec<String> = gaps
            .iter()
            .take(6)
            .map(|gap| format!("{:.2}", gap.as_secs_f64()))
            .collect();
        say(&format!(
            "  {} waits for a head, the longest: {} s",
            gaps.len(),
            few.join(" ")
        ));
        gaps.first().map_or(0.0, Duration::as_secs_f64)
    }
}

/// Measures the death of a validator.
pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let mut committee = Committee::start(bench.dir())?;
    let window = bench.window() / 2;
    let warm_up = Duration::from_secs(bench.sized(5, 0));
    let count = bench.sized(
        POOL + PREPARED_PER_SECOND * (warm_up + bench.window()).as_secs(),
        30_000,
    );
    say(&format!("  signing {count} envelopes in advance"));
    let among = (u32::from(VALIDATORS) - 1, usize::from(VALIDATORS) - 1);
    let mut senders = Sender::start(&committee.tasks(among, bench.sized(LOGS, 100), count))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut watchers = runtime.block_on(committee.watch())?;
    let heads = Heads::default();
    let opened = Sender::open(&mut senders)?;
    for watcher in &mut watchers {
        runtime.block_on(watcher.until_entries(opened))?;
    }
    let follower = runtime.block_on(follow(&committee, heads.clone()))?;
    Sender::send(&mut senders)?;
    std::thread::sleep(warm_up);
    say("  before");
    let start = runtime.block_on(committee.read(&mut watchers))?;
    let killed = pass(&runtime, &committee, &mut watchers, &start, window)?;
    committee.kill_last()?;
    watchers.truncate(usize::from(VALIDATORS) - 1);
    say("  after");
    let end = pass(&runtime, &committee, &mut watchers, &killed, window)?;
    let sent = Sender::stop(senders)?;
    anyhow::ensure!(
        !sent.is_used_up || bench.sized(0, 1) == 1,
        "the envelopes ran out while it was measured"
    );
    follower.abort();
    committee.finish(&runtime, watchers, sent.taken)?;

    let rate = |from: &Reading, to: &Reading| real(to.entries - from.entries) / (to.at - from.at).as_secs_f64();
    let (before, after) = (rate(&start, &killed), rate(&killed, &end));
    let verify = bench.limits.verify_all_cores()?;
    let each = f64::from(VALIDATORS);
    bench.line("one-dead.before", before, "entries/s", Some(verify / each))?;
    bench.line("one-dead.after", after, "entries/s", Some(verify / (each - 1.0)))?;
    bench.line("one-dead.share", after / before.max(1.0) * 100.0, "%", None)?;
    let usual = heads.longest_gap(start.at, killed.at);
    let gap = heads.longest_gap(killed.at, end.at);
    bench.line("one-dead.gap", gap, "s", Some(usual))
}

/// Lets time pass, says how fast it goes, and reads what is final at the end.
fn pass(
    runtime: &Runtime,
    committee: &Committee,
    watchers: &mut [Watcher],
    from: &Reading,
    window: Duration,
) -> anyhow::Result<Reading> {
    let mut rates = Vec::new();
    let (mut last_at, mut last_entries) = (from.at, from.entries);
    loop {
        let left = window.saturating_sub(last_at - from.at);
        std::thread::sleep(left.min(GLANCE));
        let reading = runtime.block_on(committee.read(watchers))?;
        let rate = real(reading.entries - last_entries) / (reading.at - last_at).as_secs_f64();
        rates.push(format!("{rate:.0}"));
        (last_at, last_entries) = (reading.at, reading.entries);
        if reading.at - from.at >= window {
            say(&format!("  entries a second: {}", rates.join(" ")));
            return Ok(reading);
        }
    }
}

/// Follows the heads of the first validator, which lives on.
async fn follow(committee: &Committee, heads: Heads) -> anyhow::Result<tokio::task::JoinHandle<anyhow::Result<()>>> {
    let mut watchers = committee.watch().await?;
    let mut watcher = watchers.swap_remove(0);
    let held = watcher.head().await?.height;
    let subscribe = Request::Subscribe {
        logs: List::EMPTY,
        held,
        watch: Watch::Heads,
    };
    let pushes = watcher.connection.subscribe(&subscribe, PATIENCE).await?;
    Ok(tokio::spawn(note(watcher, pushes, heads)))
}

async fn note(mut watcher: Watcher, mut pushes: Subscription, heads: Heads) -> anyhow::Result<()> {
    while let Some(push) = pushes.next().await? {
        if let Push::Head(update) = push {
            let update = HeadUpdate::from_bytes(&update)?;
            watcher.follow.accept(&update, Clock::system().now_ms())?;
            heads.saw(now());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_counts_both_ends() {
        let (heads, start) = (Heads::default(), now());
        let at = |ms: u64| start + Duration::from_millis(ms);
        for ms in [5, 110, 130, 500] {
            heads.saw(at(ms));
        }
        let longest = |from, to| heads.gaps(at(from), at(to)).first().copied();
        assert_eq!(longest(100, 200), Some(Duration::from_millis(70)));
        assert_eq!(longest(0, 131), Some(Duration::from_millis(105)));
        assert_eq!(longest(600, 900), Some(Duration::from_millis(300)));
        assert_eq!(heads.gaps(at(0), at(131)).len(), 4);
    }
}

//! Four validators, each a node in a process of its own, on the settings that every node has.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use waxwing_audit::compare::{Outcome, compare};
use waxwing_audit::directory;
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::keys::VoteKey;
use waxwing_core::policy::Policy;
use waxwing_core::verdict::Verdict;
use waxwing_node::Clock;
use waxwing_node::directory::Directory;

use crate::audit;
use crate::client::Task;
use crate::clock::now;
use crate::load::Target;
use crate::node::{self, Watcher};
use crate::process::Usage;
use crate::role::{Other, Role};

/// Validators: the least that bear one that fails.
pub(crate) const VALIDATORS: u8 = 4;

/// Logs that are written to, of all clients together.
pub(crate) const LOGS: u64 = 10_000;

/// A committee that runs.
pub(crate) struct Committee {
    pub(crate) genesis: Genesis,
    directory: TempDir,
    /// `None` was killed.
    nodes: Vec<Option<Other>>,
}

/// What all living validators have, and what they used.
pub(crate) struct Reading {
    pub(crate) at: Instant,
    /// Entries that are final on every one of them.
    pub(crate) entries: u64,
    usages: Vec<Option<Usage>>,
}

impl Reading {
    /// Processor time of all validators since an earlier reading.
    pub(crate) fn processor_since(&self, earlier: &Self) -> Duration {
        let both = self.usages.iter().zip(&earlier.usages);
        both.filter_map(|(now, before)| Some(now.as_ref()?.processor_since(before.as_ref()?)))
            .sum()
    }
}

impl Committee {
    /// Founds a network in a directory and starts its validators. Each knows those before it, which is enough.
    pub(crate) fn start(parent: &std::path::Path) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir_in(parent)?;
        let keys: Vec<VoteKey> = (1..=VALIDATORS).map(|seed| VoteKey::from_seed(&[seed; 32])).collect();
        let members = keys.iter().map(VoteKey::public).collect();
        let genesis = Genesis::new("bench", Clock::system().now_ms(), Parameters::DEFAULT, members)?;
        let mut committee = Self {
            genesis,
            directory,
            nodes: Vec::new(),
        };
        for (number, key) in keys.iter().enumerate() {
            let path = committee.path(number);
            node::found_on(&path, &committee.genesis, Some(key))?;
            let others: Vec<_> = committee
                .targets()
                .map(|target| ("--validator", target.named()))
                .collect();
            let node = Other::start_among(Role::Node, &path, &others)?;
            committee.nodes.push(Some(node));
        }
        Ok(committee)
    }

    fn path(&self, number: usize) -> PathBuf {
        self.directory.path().join(format!("v{number}"))
    }

    fn living(&self) -> impl Iterator<Item = &Other> {
        self.nodes.iter().flatten()
    }

    /// Where the living validators are.
    pub(crate) fn targets(&self) -> impl Iterator<Item = Target> {
        self.living().map(|node| node.target)
    }

    /// One that checks the heads of each living validator.
    pub(crate) async fn watch(&self) -> anyhow::Result<Vec<Watcher>> {
        let mut watchers = Vec::new();
        for target in self.targets() {
            watchers.push(Watcher::new(target, &self.genesis).await?);
        }
        Ok(watchers)
    }

    /// So many processes of clients, spread over the first `among` validators.
    pub(crate) fn tasks(&self, (clients, among): (u32, usize), logs: u64, count: u64) -> Vec<Task> {
        let targets: Vec<Target> = self.targets().take(among).collect();
        let of_each = |all: u64| all.div_ceil(u64::from(clients));
        let task = |(share, target): (u32, &Target)| Task {
            genesis: self.genesis.clone(),
            target: *target,
            share,
            logs: of_each(logs),
            count: of_each(count),
        };
        (0..clients).zip(targets.iter().cycle()).map(task).collect()
    }

    /// What is final everywhere now.
    pub(crate) async fn read(&self, watchers: &mut [Watcher]) -> anyhow::Result<Reading> {
        let mut entries = u64::MAX;
        for watcher in watchers {
            entries = entries.min(watcher.head().await?.total_entries);
        }
        let usages = self
            .nodes
            .iter()
            .map(|node| node.as_ref().map(Other::usage).transpose())
            .collect::<anyhow::Result<_>>()?;
        Ok(Reading {
            at: now(),
            entries,
            usages,
        })
    }

    /// What all of them use.
    pub(crate) fn usages(&self) -> anyhow::Result<Vec<Usage>> {
        self.living().map(Other::usage).collect()
    }

    /// Kills the last one, without a word.
    pub(crate) fn kill_last(&mut self) -> anyhow::Result<()> {
        let last = self.nodes.last_mut().context("a committee has members")?;
        drop(last.take());
        Ok(())
    }

    /// Ends all; every living one must hold exactly what was sent, all the same history, and an audit must find nothing.
    pub(crate) fn finish(self, runtime: &Runtime, watchers: Vec<Watcher>, sent: u64) -> anyhow::Result<()> {
        let heads = runtime.block_on(settled(watchers, sent))?;
        anyhow::ensure!(
            heads.iter().all(|head| Some(head) == heads.first()),
            "the validators show different heads"
        );
        let living: Vec<PathBuf> = (0..)
            .zip(&self.nodes)
            .filter(|(_, node)| node.is_some())
            .map(|(number, _)| self.path(number))
            .collect();
        for node in self.nodes.into_iter().flatten() {
            node.stop()?;
        }
        let databases = living.iter().map(|path| Ok(Directory::open(path)?.database()));
        let databases: Vec<PathBuf> = databases.collect::<anyhow::Result<_>>()?;
        let (first, others) = databases.split_first().context("all validators were killed")?;
        for other in others {
            agree(first, other, &self.genesis)?;
        }
        let audited = audit::verified(first, &self.genesis)?;
        anyhow::ensure!(audited == sent, "the audit found {audited} entries, {sent} were sent");
        Ok(())
    }
}

/// Waits until every validator has what was sent; height and id of the newest block of each.
async fn settled(watchers: Vec<Watcher>, sent: u64) -> anyhow::Result<Vec<(u64, waxwing_core::Hash)>> {
    let mut heads = Vec::new();
    for mut watcher in watchers {
        watcher.until_entries(sent).await?;
        let keys = watcher.follow.keys().clone();
        let header = watcher.head().await?;
        anyhow::ensure!(
            header.total_entries == sent,
            "a validator holds {} entries, {sent} were sent",
            header.total_entries
        );
        heads.push((header.height, header.id(&keys)));
    }
    Ok(heads)
}

/// Both directories must hold one history, of the same length.
fn agree(one: &std::path::Path, other: &std::path::Path, genesis: &Genesis) -> anyhow::Result<()> {
    let policy = Policy {
        genesis: genesis.clone(),
        head: None,
    };
    let (mut one, mut other) = (directory::Directory::open(one)?, directory::Directory::open(other)?);
    let compared = compare(&mut one, &mut other, Some(&policy));
    let compared = compared.map_err(|error| anyhow::anyhow!("two directories cannot be compared: {error:?}"))?;
    let [one, other] = compared.sides.map(|(_, newest)| newest);
    let is_one_history = matches!(&compared.outcome, Outcome::Agree { common, .. } if common.height == one);
    anyhow::ensure!(
        compared.verdict == Verdict::Verified && is_one_history && one == other,
        "two validators do not agree: {}",
        compared.claim()
    );
    Ok(())
}

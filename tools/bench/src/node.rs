//! A full node in the other process, and the one question that every figure about it asks: what is the head?

use std::path::Path;
use std::time::Duration;

use waxwing_core::block::BlockHeader;
use waxwing_core::codec::Decode;
use waxwing_core::follow::{Follow, HeadUpdate};
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::keys::VoteKey;
use waxwing_net::quic::{Connection, Dialer, RequestError, Shown};
use waxwing_net::wire::{Refusal, Request, Response};
use waxwing_node::config::NodeConfig;
use waxwing_node::directory::Directory;
use waxwing_node::{Clock, NodeAddress};

use crate::figure::say;
use crate::load::{PATIENCE, Target, ask};
use crate::role;

/// Time for what is under way when the node is stopped.
const STOPPING: Duration = Duration::from_secs(10);

/// Other nodes that a node is told of.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Neighbours {
    /// Validators, if it is one.
    pub(crate) validators: Vec<NodeAddress>,
    /// Whom it copies from, if it is none.
    pub(crate) upstreams: Vec<NodeAddress>,
}

/// The settings of every node here: the defaults, on ports that are free.
fn config(neighbours: &Neighbours) -> NodeConfig {
    NodeConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        http: Some(([127, 0, 0, 1], 0).into()),
        validators: neighbours.validators.clone(),
        upstreams: neighbours.upstreams.clone(),
        ..NodeConfig::default()
    }
}

/// The vote key of the committee of one.
fn vote_key() -> VoteKey {
    VoteKey::from_seed(&[0xbe; 32])
}

/// A network that is founded now, so that its first block stays an anchor for a day, and the directory of its validator.
pub(crate) fn found(directory: &Path) -> anyhow::Result<Genesis> {
    let genesis = Genesis::new(
        "bench",
        Clock::system().now_ms(),
        Parameters::DEFAULT,
        vec![vote_key().public()],
    )?;
    found_on(directory, &genesis, Some(&vote_key()))?;
    Ok(genesis)
}

/// The directory of a node of a network that there is; with a key it is a validator.
pub(crate) fn found_on(directory: &Path, genesis: &Genesis, vote: Option<&VoteKey>) -> anyhow::Result<()> {
    Ok(Directory::found(
        directory,
        genesis,
        vote,
        &config(&Neighbours::default()),
    )?)
}

/// Runs a node until the pipe is closed.
pub(crate) fn run(directory: &Path, neighbours: &Neighbours) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let node = waxwing_node::start(Directory::open(directory)?, &config(neighbours), Clock::system()).await?;
        role::ready(Target {
            address: node.address(),
            node: node.node(),
        })?;
        tokio::select! {
            stopped = role::stopped() => stopped?,
            fault = node.failed() => {
                // Said at once: this process ends only when who started it does.
                say(&format!("  a node stopped by itself: {fault:?}"));
                anyhow::bail!("the node stopped by itself");
            }
        }
        node.shut_down(STOPPING).await;
        Ok(())
    })
}

/// A client that follows the node's head, checking every proof.
pub(crate) struct Watcher {
    _dialer: Dialer,
    pub(crate) connection: Connection,
    pub(crate) follow: Follow,
}

impl Watcher {
    pub(crate) async fn new(target: Target, genesis: &Genesis) -> anyhow::Result<Self> {
        let dialer = Dialer::new(Shown::Ephemeral)?;
        Ok(Self {
            connection: target.connect(&dialer).await?,
            _dialer: dialer,
            follow: Follow::from_genesis(genesis),
        })
    }

    /// The newest certified header, checked.
    pub(crate) async fn head(&mut self) -> anyhow::Result<&BlockHeader> {
        let held = self.follow.header().height;
        match ask(&self.connection, &Request::Head { held }).await {
            Ok(Response::Head(update)) => {
                let update = HeadUpdate::from_bytes(&update)?;
                self.follow.accept(&update, Clock::system().now_ms())?;
            }
            Ok(_) => anyhow::bail!("the node answered another question"),
            // Block 0 has no certificate, so there is no head to show before the first entry.
            Err(RequestError::Refused(Refusal::HeightAhead { newest: 0 })) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.follow.header())
    }

    /// Waits until the ledger has so many entries; fails if it stops growing before.
    pub(crate) async fn until_entries(&mut self, entries: u64) -> anyhow::Result<()> {
        let (mut known, mut still) = (0, Duration::ZERO);
        loop {
            let total = self.head().await?.total_entries;
            if total >= entries {
                return Ok(());
            }
            if total > known {
                (known, still) = (total, Duration::ZERO);
            }
            anyhow::ensure!(
                still < PATIENCE,
                "the ledger stays at {total} entries, {entries} were sent"
            );
            tokio::time::sleep(LOOK).await;
            still += LOOK;
        }
    }
}

/// Between two looks at the head.
pub(crate) const LOOK: Duration = Duration::from_millis(250);

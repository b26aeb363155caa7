//! The whole client against nodes in this process: real QUIC, the real rules, ledgers in memory, lies on demand.

mod about;
mod afresh;
mod backup;
mod capture;
mod chat;
mod clock;
mod files;
mod flood;
mod forget;
mod forks;
mod garble;
mod gone;
mod groups;
mod history;
mod home;
mod inbox;
mod kept;
mod known;
mod lies;
mod malicious;
mod manners;
mod mentions;
mod node;
mod once;
mod persons;
mod schedules;
mod search;
mod stranded;
mod terms;
mod timers;
mod world;

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use waxwing_core::Hash;

pub(crate) use self::node::{Lie, TestNode};
pub(crate) use self::world::World;
use crate::chat::{Draft, Range};
use crate::client::{Client, Options};
use crate::clock::Clock;
use crate::limits::Pace;
use crate::message::{ChannelId, Ladder, MessageId, MessageView};
use crate::store::key::{Cost, Passphrase};

/// Argon2 as cheap as it gets.
pub(crate) const CHEAP: Cost = Cost::new(8, 1, 1).unwrap();

/// Longer than anything here takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) fn passphrase() -> Passphrase {
    Passphrase::new("correct horse battery staple").unwrap()
}

/// Waits that a test can wait for.
const PACE: Pace = Pace {
    connect: Duration::from_secs(2),
    answer: Duration::from_millis(800),
    inclusion: Duration::from_millis(300),
    compare: Duration::from_millis(300),
    // Where it matters a test tells by itself.
    telling: Duration::from_secs(3600),
};

pub(crate) fn options(home: &Path) -> Options {
    let mut options = Options::new(home, passphrase());
    options.pace = PACE;
    options
}

/// A client in a folder of its own.
pub(crate) struct Person {
    pub(crate) home: TempDir,
    pub(crate) client: Client,
}

impl Person {
    pub(crate) async fn new(name: &str) -> Self {
        Self::with_clock(name, Clock::system()).await
    }

    pub(crate) async fn with_clock(name: &str, clock: Clock) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut options = options(home.path());
        options.clock = clock;
        let client = Client::create(options, name, CHEAP).await.unwrap();
        Self { home, client }
    }

    /// A person who knows a ledger by its genesis, and these nodes.
    pub(crate) async fn on(name: &str, world: &World, nodes: &[&TestNode]) -> Self {
        let person = Self::new(name).await;
        person.knows(world, nodes).await;
        person
    }

    pub(crate) async fn knows(&self, world: &World, nodes: &[&TestNode]) {
        let nodes: Vec<_> = nodes.iter().map(|node| node.address()).collect();
        self.client.add_network(&world.genesis, &nodes).await.unwrap();
    }

    /// The same home opened once more, as another process would.
    pub(crate) async fn again(&self) -> Client {
        Client::open(options(self.home.path())).await.unwrap()
    }

    pub(crate) async fn say(&self, channel: ChannelId, words: &str) -> MessageId {
        self.client.send(channel, Draft::text(words).unwrap()).await.unwrap()
    }

    /// Says something and waits until it is final.
    pub(crate) async fn say_finally(&self, channel: ChannelId, words: &str) -> MessageView {
        let message = self.say(channel, words).await;
        match self.client.settle(message, PATIENCE).await {
            Ok(view) if view.state.is_final() => view,
            other => panic!("{other:?}; {}", self.circumstances(message).await),
        }
    }

    /// What a failed test prints.
    async fn circumstances(&self, message: MessageId) -> String {
        let mut text = serde_json::to_string_pretty(&self.client.why(message).await.unwrap().nodes).unwrap();
        for network in self.client.networks().await.unwrap() {
            text += &serde_json::to_string_pretty(&self.client.status(network).await.unwrap()).unwrap();
        }
        text
    }

    /// Everything a reader sees, as text; tombstones and the like as `(body kind)`.
    pub(crate) async fn reads(&self, channel: ChannelId) -> Vec<String> {
        texts(&self.client, channel).await
    }

    /// Makes this node the first to be asked.
    pub(crate) async fn prefers(&self, world: &World, node: &TestNode) {
        let (network, id, now) = (world.network(), node.address().id(), self.client.clock().now());
        let core = std::sync::Arc::clone(&self.client.core);
        core.write(move |tx| crate::store::networks::praise(tx, network, id, now + 3_600_000))
            .await
            .unwrap();
    }

    pub(crate) async fn faults(&self, network: Hash) -> Vec<String> {
        let status = self.client.status(network).await.unwrap();
        status.faults.into_iter().map(|fault| fault.code).collect()
    }
}

pub(crate) async fn texts(client: &Client, channel: ChannelId) -> Vec<String> {
    let views = client.read(channel, Range::Last(1000)).await.unwrap();
    let text = |view: &MessageView| view.text.clone().unwrap_or_else(|| format!("({:?})", view.body));
    views.iter().map(text).collect()
}

/// A ledger, an honest node, and two people who share a channel on it.
pub(crate) struct Pair {
    pub(crate) world: std::sync::Arc<World>,
    pub(crate) node: TestNode,
    pub(crate) ada: Person,
    pub(crate) ben: Person,
    /// Ada's and Ben's handle for the channel.
    pub(crate) channel: (ChannelId, ChannelId),
}

pub(crate) async fn pair() -> Pair {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let ada = Person::on("Ada", &world, &[&node]).await;
    let ben = Person::new("Ben").await;
    let channel = ada.client.create_channel(world.network(), "plans").await.unwrap();
    let link = ada.client.invite(channel).await.unwrap();
    let crate::conversations::Joined::New(joined) = ben.client.join(&link).await.unwrap() else {
        panic!("it was not there before");
    };
    Pair {
        world,
        node,
        ada,
        ben,
        channel: (channel, joined),
    }
}

/// Waits until a condition holds; a test that waits too long says for what.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let wait = async {
        while !holds().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(timeout(PATIENCE, wait).await.is_ok(), "waited in vain: {what}");
}

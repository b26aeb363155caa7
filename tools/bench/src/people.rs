//! People who write to each other on one node: whole clients, each with a home of its own.
//!
//! Few of them are there at a time: whoever has nothing to do is away, and only the home is left of them, as where 256 people
//! have a device each. So a large group costs the memory of those who act.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use waxwing_core::genesis::Genesis;
use waxwing_core::{Hash, limits::DAY_MS};
use waxwing_light::limits::NEWCOMER_RENEWS_MS;
use waxwing_light::{
    AskedState, ChannelId, Client, Clock, Cost, Draft, Error, Inviting, Joined, Options, Passphrase, Range, Uses,
};
use waxwing_seal::NodeAddress;
use waxwing_seal::group::limits::ADDS_MAX;

use crate::clock::now;
use crate::figure::say;
use crate::load::Target;

/// How long others may take for what one person waits for: in a large group 32 requests are one commit, and its welcome
/// is some hundred kB for each newcomer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// Argon2 as cheap as it gets: what opens a home is not what is measured.
const CHEAP: Cost = match Cost::new(8, 1, 1) {
    Some(cost) => cost,
    None => Cost::RECOMMENDED,
};

/// Between two looks: a node makes at most ten blocks a second while it has little to do.
const PAUSE: Duration = Duration::from_millis(20);

/// Before a node that was asked too often is asked again.
const LATER: Duration = Duration::from_millis(200);

/// Messages on their way at a time, where many are written: they are sealed in one transaction.
const AT_ONCE: u64 = 250;

/// Somebody who is there.
pub(crate) struct Person {
    pub(crate) client: Client,
    away: Away,
}

/// Somebody's home.
#[derive(Clone, Debug)]
pub(crate) struct Away {
    home: PathBuf,
}

/// How homes are opened here.
pub(crate) fn options(home: &Path) -> anyhow::Result<Options> {
    Ok(Options::new(
        home,
        Passphrase::new("what opens it is not what is measured")?,
    ))
}

impl Away {
    /// Where everything is kept.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// Comes back.
    pub(crate) async fn back(&self) -> anyhow::Result<Person> {
        self.back_at(Clock::system()).await
    }

    /// Comes back with a clock that may be wrong.
    async fn back_at(&self, clock: Clock) -> anyhow::Result<Person> {
        let options = Options {
            clock,
            ..options(&self.home)?
        };
        Ok(Person {
            client: Client::open(options).await?,
            away: self.clone(),
        })
    }
}

impl Person {
    async fn new(folder: &Path, number: u32) -> anyhow::Result<Self> {
        let home = folder.join(format!("person-{number}"));
        std::fs::create_dir(&home)?;
        Ok(Self {
            client: Client::create(options(&home)?, &format!("Person {number}"), CHEAP).await?,
            away: Away { home },
        })
    }

    async fn knows(&self, genesis: &Genesis, target: Target) -> anyhow::Result<Hash> {
        let node = NodeAddress::new(&target.address.to_string(), target.node);
        let node = node.context("the node's address is one")?;
        Ok(self.client.add_network(genesis, &[node]).await?)
    }

    /// Goes, when all that was said is on the ledger.
    pub(crate) async fn leave(self) -> anyhow::Result<Away> {
        self.client.leave().await;
        Ok(self.away)
    }

    /// One round with the node, and no connection afterwards: a node has room for some from one address. Where it says that
    /// this address connects too often, it is asked again a little later.
    pub(crate) async fn round(&self) -> anyhow::Result<()> {
        let start = now();
        let outcome = loop {
            match self.client.refresh().await {
                Err(Error::NobodyServed(_)) if start.elapsed() < PATIENCE => tokio::time::sleep(LATER).await,
                other => break other,
            }
        };
        self.client.stop();
        outcome.map(drop).map_err(anyhow::Error::from)
    }

    /// Rounds until nothing of this device's is on its way, of messages or of changes.
    pub(crate) async fn is_done(&self, channel: ChannelId) -> anyhow::Result<()> {
        within(async || {
            self.round().await?;
            Ok((waiting(self, channel).await? == 0).then_some(()))
        })
        .await
    }

    /// Says so many sentences, each with its number before it, and waits until the ledger has them.
    pub(crate) async fn says(&self, channel: ChannelId, count: u64, words: &str) -> anyhow::Result<()> {
        let mut said = 0;
        while said < count {
            let next = count.min(said.saturating_add(AT_ONCE));
            let drafts: Result<Vec<Draft>, _> = (said..next)
                .map(|number| Draft::text(&format!("{number}: {words}")))
                .collect();
            self.client.send_all(channel, drafts?).await?;
            self.client.refresh().await?;
            said = next;
        }
        self.is_done(channel).await
    }
}

/// A group on one node. Who founded it is there; the others are away, in the order in which they came.
pub(crate) struct Group {
    pub(crate) first: Person,
    pub(crate) channel: ChannelId,
    pub(crate) others: Vec<(Away, ChannelId)>,
}

impl Group {
    /// Height of the newest line of the conversation.
    pub(crate) async fn newest(&self) -> anyhow::Result<u64> {
        let lines = self.first.client.read(self.channel, Range::Last(1)).await?;
        lines.last().and_then(|line| line.height).context("it has a place")
    }

    /// Founds a group and lets in as many as are missing, as many at a time as one commit takes.
    pub(crate) async fn found(folder: &Path, genesis: &Genesis, target: Target, size: u32) -> anyhow::Result<Self> {
        let first = Person::new(folder, 0).await?;
        let network = first.knows(genesis, target).await?;
        let channel = first.client.found_group(network, "bench").await?;
        let mut group = Self {
            first,
            channel,
            others: Vec::new(),
        };
        let mut missing = size.saturating_sub(1);
        while missing > 0 {
            let count = missing.min(ADDS_MAX);
            let asking = group.asks(folder, count).await?;
            group.lets_in(count).await?;
            group.come_in(asking).await?;
            missing -= count;
            say(&format!("  {} are in", group.others.len().saturating_add(1)));
        }
        Ok(group)
    }

    /// So many more ask to be let in, by one invitation.
    pub(crate) async fn asks(&self, folder: &Path, count: u32) -> anyhow::Result<Vec<(Person, i64)>> {
        let inviting = Inviting {
            uses: Uses::new(count).context("somebody is to come")?,
            valid_ms: DAY_MS,
            asks: false,
        };
        let invited = self.first.client.invite_to_group(self.channel, inviting).await?;
        self.first.client.settle(invited.opening, PATIENCE).await?;
        self.first.client.stop();
        let here = u32::try_from(self.others.len())?.saturating_add(1);
        let mut asking = Vec::new();
        for number in here..here.saturating_add(count) {
            let person = Person::new(folder, number).await?;
            let Joined::Asked(asked) = person.client.join(&invited.link).await? else {
                anyhow::bail!("a link to a group is answered by a member");
            };
            within(async || {
                person.round().await?;
                let found = person.client.asked().await?.into_iter().find(|view| view.id == asked);
                Ok(found.filter(|view| view.state == AskedState::Asked).map(|_| ()))
            })
            .await?;
            asking.push((person, asked));
        }
        Ok(asking)
    }

    /// Rounds of the first one until so many more are members.
    pub(crate) async fn lets_in(&self, count: u32) -> anyhow::Result<()> {
        let members = self
            .others
            .len()
            .saturating_add(1)
            .saturating_add(usize::try_from(count)?);
        within(async || {
            self.first.round().await?;
            let group = self.first.client.group(self.channel).await?.context("it is a group")?;
            Ok((group.members.len() == members).then_some(()))
        })
        .await?;
        self.first.is_done(self.channel).await
    }

    /// Those who asked take the answer, and go.
    pub(crate) async fn come_in(&mut self, asking: Vec<(Person, i64)>) -> anyhow::Result<()> {
        for (person, asked) in asking {
            let channel = within(async || {
                person.round().await?;
                let found = person.client.asked().await?.into_iter().find(|view| view.id == asked);
                let channel = found.and_then(|view| view.channel);
                if channel.is_none() {
                    self.first.round().await?;
                }
                Ok(channel)
            })
            .await?;
            self.others.push((person.leave().await?, channel));
        }
        Ok(())
    }

    /// Every second newcomer takes keys of its own choice, as all do within some minutes: then every node of the tree has
    /// keys, and a commit is as short as it can be. Their clocks are put forward, so that nobody has to wait.
    pub(crate) async fn warm_up(&self) -> anyhow::Result<()> {
        let forward = i64::try_from(NEWCOMER_RENEWS_MS)?.saturating_add(60_000);
        let before = epoch(&self.first, self.channel).await?;
        let renewing: Vec<_> = self.others.iter().step_by(2).collect();
        for (number, (away, channel)) in renewing.iter().enumerate() {
            let person = away.back_at(Clock::shifted(forward)).await?;
            person.is_done(*channel).await?;
            person.leave().await?;
            if number % 16 == 15 {
                say(&format!("  {} have renewed their keys", number + 1));
            }
        }
        self.first.is_done(self.channel).await?;
        let renewed = epoch(&self.first, self.channel).await?.saturating_sub(before);
        let all = u64::try_from(renewing.len())?;
        anyhow::ensure!(renewed >= all, "{renewed} of {all} have renewed their keys");
        Ok(())
    }
}

/// Changes of a group that somebody knows.
pub(crate) async fn epoch(person: &Person, channel: ChannelId) -> anyhow::Result<u64> {
    let group = person.client.group(channel).await?.context("it is a group")?;
    Ok(group.epoch)
}

/// What is on its way from somebody in a conversation: messages, and changes.
pub(crate) async fn waiting(person: &Person, channel: ChannelId) -> anyhow::Result<u64> {
    let channels = person.client.channels().await?;
    let messages: u64 = channels.iter().map(|channel| channel.waiting).sum();
    let group = person.client.group(channel).await?.context("it is a group")?;
    Ok(messages.saturating_add(group.changes_waiting))
}

/// Looks again until there is something.
async fn within<T>(mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let start = now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        anyhow::ensure!(start.elapsed() < PATIENCE, "what somebody waited for did not come");
        tokio::time::sleep(PAUSE).await;
    }
}

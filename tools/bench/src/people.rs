//! People who write to each other on one node: whole clients, each with a home of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use waxwing_core::genesis::Genesis;
use waxwing_core::{Hash, limits::DAY_MS};
use waxwing_light::{AskedState, ChannelId, Client, Cost, Error, Inviting, Joined, Options, Passphrase, Uses};
use waxwing_seal::NodeAddress;

use crate::clock::now;
use crate::figure::say;
use crate::load::{PATIENCE, Target};

/// Argon2 as cheap as it gets: what opens a home is not what is measured.
const CHEAP: Cost = match Cost::new(8, 1, 1) {
    Some(cost) => cost,
    None => Cost::RECOMMENDED,
};

/// Between two looks: a node makes at most ten blocks a second while it has little to do.
const PAUSE: Duration = Duration::from_millis(20);

/// Before a node that was asked too often is asked again.
const LATER: Duration = Duration::from_millis(200);

/// Somebody with a home.
pub(crate) struct Person {
    pub(crate) client: Client,
    home: PathBuf,
}

/// How homes are opened here.
pub(crate) fn options(home: &Path) -> anyhow::Result<Options> {
    Ok(Options::new(
        home,
        Passphrase::new("what opens it is not what is measured")?,
    ))
}

impl Person {
    pub(crate) async fn new(folder: &Path, number: u32) -> anyhow::Result<Self> {
        let home = folder.join(format!("person-{number}"));
        std::fs::create_dir(&home)?;
        Ok(Self {
            client: Client::create(options(&home)?, &format!("Person {number}"), CHEAP).await?,
            home,
        })
    }

    /// Where everything is kept.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    pub(crate) async fn knows(&self, genesis: &Genesis, target: Target) -> anyhow::Result<Hash> {
        let node = NodeAddress::new(&target.address.to_string(), target.node);
        let node = node.context("the node's address is one")?;
        Ok(self.client.add_network(genesis, &[node]).await?)
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
}

/// A group on one node. The first founded it.
pub(crate) struct Group {
    pub(crate) people: Vec<(Person, ChannelId)>,
}

impl Group {
    /// Founds a group and lets in as many as are missing, by one invitation.
    pub(crate) async fn found(folder: &Path, genesis: &Genesis, target: Target, size: u32) -> anyhow::Result<Self> {
        let first = Person::new(folder, 0).await?;
        let network = first.knows(genesis, target).await?;
        let channel = first.client.found_group(network, "bench").await?;
        let mut group = Self {
            people: vec![(first, channel)],
        };
        group.let_in(folder, size.saturating_sub(1)).await?;
        Ok(group)
    }

    /// The one who founded it, and the conversation there.
    pub(crate) fn first(&self) -> anyhow::Result<(&Person, ChannelId)> {
        let (person, channel) = self.people.first().context("a group has members")?;
        Ok((person, *channel))
    }

    /// Lets in so many more.
    pub(crate) async fn let_in(&mut self, folder: &Path, count: u32) -> anyhow::Result<()> {
        let Some(uses) = Uses::new(count) else { return Ok(()) };
        let here = u32::try_from(self.people.len())?;
        let (first, channel) = self.first()?;
        let inviting = Inviting {
            uses,
            valid_ms: DAY_MS,
            asks: false,
        };
        let invited = first.client.invite_to_group(channel, inviting).await?;
        first.client.settle(invited.opening, PATIENCE).await?;
        first.client.stop();
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
        say(&format!("  {count} have asked to be let in"));
        let members = usize::try_from(here.saturating_add(count))?;
        within(async || {
            first.round().await?;
            let group = first.client.group(channel).await?.context("it is a group")?;
            Ok((group.members.len() == members).then_some(()))
        })
        .await?;
        let mut joined = Vec::new();
        for (person, asked) in asking {
            joined.push((Self::is_in(&person, asked).await?, person));
        }
        self.people
            .extend(joined.into_iter().map(|(channel, person)| (person, channel)));
        Ok(())
    }

    async fn is_in(person: &Person, asked: i64) -> anyhow::Result<ChannelId> {
        within(async || {
            person.round().await?;
            let found = person.client.asked().await?.into_iter().find(|view| view.id == asked);
            Ok(found.and_then(|view| view.channel))
        })
        .await
    }
}

/// Looks again until there is something; whatever takes longer than a minute has failed.
async fn within<T>(mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let start = now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        anyhow::ensure!(start.elapsed() < PATIENCE, "somebody was not let in");
        tokio::time::sleep(PAUSE).await;
    }
}

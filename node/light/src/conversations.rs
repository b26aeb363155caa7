//! Conversations: begun, handed on by invitations, joined, listed and found.

use waxwing_core::Hash;
use waxwing_seal::inbox::Link;
use waxwing_seal::invitation::{ChannelName, Pin};
use waxwing_seal::{ChannelSecret, Invitation};
use zeroize::Zeroizing;

use crate::client::Client;
use crate::error::{AskError, Error};
use crate::message::{ChannelId, ChannelView, begins, log_name};
use crate::store::channels::{Channel, ChannelKind, NotAdded};
use crate::store::{channels, epochs, manners, networks, unread, waiting};
use crate::{chance, join, trust};

/// What came of joining.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Joined {
    /// The conversation is here now.
    New(ChannelId),
    /// It was here before.
    Known(ChannelId),
    /// This device asked to be let in, by the number of its request.
    Asked(i64),
}

/// Conversations.
impl Client {
    /// Begins a conversation on a ledger.
    ///
    /// # Errors
    /// If the ledger is not known, or the name too long.
    pub async fn create_channel(&self, network: Hash, name: &str) -> Result<ChannelId, Error> {
        let name = ChannelName::new(name)?;
        let secret = ChannelSecret::random(&mut chance::fill);
        match self.add_channel(network, secret, name).await? {
            Ok(channel) => Ok(channel),
            Err(NotAdded::Known(channel)) => Ok(channel),
            Err(NotAdded::TooMany) => Err(Error::TooManyChannels),
        }
    }

    async fn add_channel(
        &self,
        network: Hash,
        secret: ChannelSecret,
        name: ChannelName,
    ) -> Result<Result<ChannelId, NotAdded>, Error> {
        let now = self.core.clock.now();
        let added = self
            .core
            .write::<_, Error>(move |tx| {
                networks::load(tx, network)?.ok_or(Error::UnknownNetwork(network))?;
                Ok(channels::insert(tx, network, &secret, name.as_str(), now)?)
            })
            .await?;
        self.core.lists_changed();
        Ok(added)
    }

    /// An invitation to a conversation: whoever has the link can read and write it. It pins the newest head that is
    /// held, and names the nodes that serve best.
    ///
    /// # Errors
    /// If the conversation is not known, or its ledger is forked.
    pub async fn invite(&self, channel: ChannelId) -> Result<Zeroizing<String>, Error> {
        let channel = self.channel(channel).await?;
        let held = trust::load(&self.core, channel.network).await?.follow();
        let nodes = self.core.nodes(channel.network).await?;
        let invitation = Invitation {
            network: channel.network,
            pin: Pin {
                height: held.header().height,
                id: held.id(),
            },
            nodes: nodes.into_iter().map(|node| node.address).collect(),
            name: ChannelName::new(channel.name)?,
            secret: channel.secret,
        };
        Ok(invitation.link())
    }

    /// Joins a conversation by an invitation, or asks to be let in. Needs a node of its ledger.
    ///
    /// # Errors
    /// If the link is none, no node serves, or the block it pins is not in the history that this home has checked.
    pub async fn join(&self, link: &str) -> Result<Joined, Error> {
        self.join_with(link, "").await
    }

    /// The same, with a few words to whoever lets people in.
    ///
    /// # Errors
    /// As [`Self::join`]; or if there are too many words.
    pub async fn join_with(&self, link: &str, note: &str) -> Result<Joined, Error> {
        let invitation = match Link::read(link)? {
            Link::Channel(invitation) => invitation,
            Link::Person(link) => {
                let told = join::Told {
                    network: link.network,
                    pin: link.pin,
                    nodes: &link.nodes,
                };
                join::trust_told(&self.core, &told).await?;
                return Ok(Joined::Asked(self.ask(link, note).await?));
            }
            Link::Device(_) => return Err(Error::Ask(AskError::DeviceLink)),
        };
        let told = join::Told {
            network: invitation.network,
            pin: invitation.pin,
            nodes: &invitation.nodes,
        };
        join::trust_told(&self.core, &told).await?;
        let Invitation {
            network, secret, name, ..
        } = invitation;
        match self.add_channel(network, secret, name).await? {
            Ok(channel) => Ok(Joined::New(channel)),
            Err(NotAdded::Known(channel)) => Ok(Joined::Known(channel)),
            Err(NotAdded::TooMany) => Err(Error::TooManyChannels),
        }
    }

    /// The conversations of this home.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn channels(&self) -> Result<Vec<ChannelView>, Error> {
        self.core
            .read::<_, Error>(|tx| {
                let mut views = Vec::new();
                for channel in channels::all(tx)? {
                    let waiting = waiting::count(tx, channel.id)?;
                    let unread = unread::count(tx, channel.id)?;
                    views.push(ChannelView {
                        id: channel.id,
                        created_ms: channel.created,
                        network: channel.network.to_string(),
                        log: log_name(channel.log()),
                        group: channel.kind == ChannelKind::Group,
                        closed: !channel.is_live,
                        entries: channel.next_number(),
                        checked: epochs::checked(tx, &channel)?,
                        proven: channel.proven.map(|proven| channel.base.saturating_add(proven.length)),
                        waiting,
                        unread: unread.messages,
                        mentioned: unread.mentioned,
                        first_unread: unread.first,
                        timer_days: manners::load(tx, channel.id)?.timer.days(),
                        name: channel.name,
                    });
                }
                Ok(views)
            })
            .await
    }

    /// The conversation that a person means: its name, its number, or the first digits of its log.
    ///
    /// # Errors
    /// If none or several are meant.
    pub async fn find_channel(&self, text: &str) -> Result<ChannelId, Error> {
        let views = self.channels().await?;
        let number = text.parse().ok();
        let by_name = views.iter().filter(|view| view.name == text);
        let by_id = views
            .iter()
            .filter(|view| Some(view.id.0) == number || begins(&view.log, text));
        let by_id = one(by_id.map(|view| view.id));
        one(by_name.map(|view| view.id)).or_else(|named| match named {
            Error::UnknownChannel => by_id,
            several => by_id.or(Err(several)),
        })
    }

    /// Calls a conversation something else on this device.
    ///
    /// # Errors
    /// If the name is too long.
    pub async fn rename_channel(&self, channel: ChannelId, name: &str) -> Result<(), Error> {
        let name = ChannelName::new(name)?;
        Ok(self
            .core
            .write(move |tx| channels::rename(tx, channel, name.as_str()))
            .await?)
    }

    async fn channel(&self, channel: ChannelId) -> Result<Channel, Error> {
        let row = self.core.read(move |tx| channels::load(tx, channel)).await?;
        row.ok_or(Error::UnknownChannel)
    }
}

/// The only one, if there is exactly one.
fn one(found: impl Iterator<Item = ChannelId>) -> Result<ChannelId, Error> {
    let found: Vec<_> = found.collect();
    match found.as_slice() {
        [] => Err(Error::UnknownChannel),
        [only] => Ok(*only),
        _ => Err(Error::SeveralChannels(found)),
    }
}

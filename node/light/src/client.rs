//! The client as a program holds it: conversations, messages, and what is known about their ledgers.
//!
//! Everything a person was promised is durable when a call returns: a queued message survives any crash from then on.
//! Nothing here needs a network but what says so; with [`Client::start`] the client follows its ledgers in the background.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use waxwing_core::Hash;
use waxwing_core::envelope::KeepFor;
use waxwing_core::follow::Follow;
use waxwing_core::genesis::Genesis;
use waxwing_core::keys::NodeId;
use waxwing_seal::content::{Emoji, Name, Words};
use waxwing_seal::invitation::{ChannelName, Pin};
use waxwing_seal::{ChannelSecret, Content, ContentId, DeviceId, Invitation, Keeping, Kind, NodeAddress};
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::core::{Core, blocking};
use crate::error::Error;
use crate::join;
use crate::limits::{MESSAGES_PER_READ_MAX, NOTICE_MS, Pace};
use crate::message::{ChannelId, ChannelView, Ladder, MessageId, MessageView, begins, log_name};
use crate::nodes::Fault;
use crate::store::channels::{Channel, NotAdded};
use crate::store::key::{Cost, Passphrase};
use crate::store::messages::{BodyState, Message, State};
use crate::store::networks::Source;
use crate::store::{self, Store, Transaction, channels, messages, networks, outbox};
use crate::tail::Tail;
use crate::{chance, deliver, open, sync, worker};

/// What opens a home.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder.
    pub home: PathBuf,
    /// What protects it.
    pub passphrase: Passphrase,
    /// The device's clock.
    pub clock: Clock,
    /// How long to wait for others.
    pub pace: Pace,
}

impl Options {
    /// A home and its passphrase, with the system's clock.
    #[must_use]
    pub fn new(home: &Path, passphrase: Passphrase) -> Self {
        Self {
            home: home.to_owned(),
            passphrase,
            clock: Clock::system(),
            pace: Pace::DEFAULT,
        }
    }
}

/// What is to be said, and for how long nodes are to keep it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What the message does.
    pub kind: Kind,
    /// For how long.
    pub keep_for: KeepFor,
}

impl Draft {
    /// Says something.
    ///
    /// # Errors
    /// If it is too long.
    pub fn text(words: &str) -> Result<Self, Error> {
        Ok(Self::of(Kind::Text(Words::new(words)?)))
    }

    /// Answers a message.
    ///
    /// # Errors
    /// If it is too long.
    pub fn reply(to: ContentId, words: &str) -> Result<Self, Error> {
        let body = Words::new(words)?;
        Ok(Self::of(Kind::Reply { to, body }))
    }

    /// Reacts to a message.
    ///
    /// # Errors
    /// If it is too long.
    pub fn reaction(to: ContentId, emoji: &str) -> Result<Self, Error> {
        let emoji = Emoji::new(emoji)?;
        Ok(Self::of(Kind::Reaction { to, emoji }))
    }

    /// Puts other words in the place of an own message's.
    ///
    /// # Errors
    /// If it is too long.
    pub fn edit(of: ContentId, words: &str) -> Result<Self, Error> {
        let body = Words::new(words)?;
        Ok(Self::of(Kind::Edit { of, body }))
    }

    /// Asks readers to forget an own message.
    #[must_use]
    pub const fn retraction(of: ContentId) -> Self {
        Self::of(Kind::Retraction { of })
    }

    const fn of(kind: Kind) -> Self {
        Self {
            kind,
            keep_for: KeepFor::Ever,
        }
    }

    /// Asks nodes to drop it after a time.
    #[must_use]
    pub const fn keep_for(mut self, keep_for: KeepFor) -> Self {
        self.keep_for = keep_for;
        self
    }
}

/// Which messages to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Range {
    /// The last ones, with those on their way behind them.
    Last(u32),
    /// Those before an index of the log.
    Before(u64, u32),
    /// Those from an index of the log on.
    From(u64, u32),
}

/// What came of joining.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Joined {
    /// The conversation is here now.
    New(ChannelId),
    /// It was here before.
    Known(ChannelId),
}

/// Which node served a round, and what was wrong with those before it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Served {
    /// The ledger.
    pub network: Hash,
    /// The node.
    pub node: NodeId,
    /// The reasons to leave others.
    pub left: Vec<(NodeId, Fault)>,
}

/// A client. Clones share it.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) core: Arc<Core>,
    supervisor: Arc<Mutex<Option<Supervisor>>>,
}

/// The background work; ends when it is dropped.
#[derive(Debug)]
struct Supervisor(JoinHandle<()>);

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Homes, names and background work.
impl Client {
    /// Whether there is a client in a folder.
    #[must_use]
    pub fn exists(home: &Path) -> bool {
        Store::exists(home)
    }

    /// Makes a client with a new device that shows this name.
    ///
    /// # Errors
    /// If there is one already, or the folder cannot be used.
    pub async fn create(options: Options, name: &str, cost: Cost) -> Result<Self, Error> {
        let name = Name::new(name)?.as_str().to_owned();
        let Options {
            home,
            passphrase,
            clock,
            pace,
        } = options;
        let store = blocking(move || Store::create(&home, &passphrase, cost, &name)).await?;
        Self::of(store, clock, pace)
    }

    /// Opens a client.
    ///
    /// # Errors
    /// If there is none, or the passphrase does not open it.
    pub async fn open(options: Options) -> Result<Self, Error> {
        let Options {
            home,
            passphrase,
            clock,
            pace,
        } = options;
        let store = blocking(move || Store::open(&home, &passphrase)).await?;
        Self::of(store, clock, pace)
    }

    fn of(store: Store, clock: Clock, pace: Pace) -> Result<Self, Error> {
        Ok(Self {
            core: Arc::new(Core::new(store, clock, pace)?),
            supervisor: Arc::default(),
        })
    }

    /// Lets another passphrase open the home from now on.
    ///
    /// # Errors
    /// If the old one does not.
    pub async fn change_passphrase(&self, old: Passphrase, new: Passphrase, cost: Cost) -> Result<(), Error> {
        let store = Arc::clone(self.core.store());
        Ok(blocking(move || store.change_passphrase(&old, &new, cost)).await?)
    }

    /// This device and the name it shows.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn device(&self) -> Result<(DeviceId, String), Error> {
        let (key, name) = self.core.read(|tx| store::device(tx)).await?;
        Ok((key.id(), name))
    }

    /// Changes the name this device shows in its next messages.
    ///
    /// # Errors
    /// If it is too long.
    pub async fn set_name(&self, name: &str) -> Result<(), Error> {
        let name = Name::new(name)?;
        Ok(self.core.write(move |tx| store::rename(tx, name.as_str())).await?)
    }

    /// Follows all ledgers in the background, those that are added later too, until the last clone is dropped or
    /// [`Client::stop`] is called. A second call changes nothing.
    pub fn start(&self) {
        let mut supervisor = self.supervisor.lock().unwrap_or_else(PoisonError::into_inner);
        if supervisor.is_none() {
            *supervisor = Some(Supervisor(tokio::spawn(supervise(Arc::clone(&self.core)))));
        }
    }

    /// Ends the background work and all connections. What is on its way stays in the outbox.
    pub fn stop(&self) {
        self.supervisor.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.core.hang_up_all();
    }

    /// The device's clock as this client reads it.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.core.clock
    }
}

async fn supervise(core: Arc<Core>) {
    let mut lists = core.lists();
    let mut followed: Vec<Hash> = Vec::new();
    // Dropped with this task, which ends them.
    let mut workers = tokio::task::JoinSet::new();
    loop {
        match core.read(|tx| networks::ids(tx)).await {
            Ok(ids) => {
                for network in ids {
                    if !followed.contains(&network) {
                        followed.push(network);
                        workers.spawn(worker::run(Arc::clone(&core), network));
                    }
                }
            }
            Err(error) => tracing::error!("the list of networks cannot be read: {error}"),
        }
        if lists.changed().await.is_err() {
            return;
        }
    }
}

/// Ledgers and nodes.
impl Client {
    /// Adds a ledger whose founding facts are at hand: they are the pin.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn add_network(&self, genesis: &Genesis, nodes: &[NodeAddress]) -> Result<Hash, Error> {
        let (genesis, nodes) = (genesis.clone(), nodes.to_vec());
        let network = genesis.network();
        self.core
            .write::<_, Error>(move |tx| {
                networks::insert(tx, &genesis, &Follow::from_genesis(&genesis))?;
                for node in &nodes {
                    networks::add_node(tx, network, node, Source::Person)?;
                }
                Ok(())
            })
            .await?;
        self.core.lists_changed();
        Ok(network)
    }

    /// Adds a ledger whose id is known: its founding facts are fetched from a node and compared with the id.
    ///
    /// # Errors
    /// If no node gives them.
    pub async fn fetch_network(&self, network: Hash, nodes: &[NodeAddress]) -> Result<(), Error> {
        let genesis = join::fetch_genesis(&self.core, network, nodes).await?;
        self.add_network(&genesis, nodes).await?;
        Ok(())
    }

    /// Adds a node to ask.
    ///
    /// # Errors
    /// If the ledger is not known.
    pub async fn add_node(&self, network: Hash, node: NodeAddress) -> Result<(), Error> {
        self.core
            .write::<_, Error>(move |tx| {
                networks::load(tx, network)?.ok_or(Error::UnknownNetwork(network))?;
                Ok(networks::add_node(tx, network, &node, Source::Person)?)
            })
            .await?;
        self.core.lists_changed();
        Ok(())
    }

    /// The ledgers of this home.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn networks(&self) -> Result<Vec<Hash>, Error> {
        Ok(self.core.read(|tx| networks::ids(tx)).await?)
    }

    /// One round with each ledger: everything is read that the best serving node can prove, and what is due is sent.
    ///
    /// # Errors
    /// If no node of a ledger serves, with the reasons.
    pub async fn refresh(&self) -> Result<Vec<Served>, Error> {
        let mut served = Vec::new();
        for network in self.networks().await? {
            let (node, left) = worker::refresh(&self.core, network).await?;
            served.push(Served { network, node, left });
        }
        Ok(served)
    }

    /// Compares the heads of all nodes of a ledger with what is held; says how many agreed.
    ///
    /// # Errors
    /// If two of them show two final blocks of one height.
    pub async fn compare(&self, network: Hash) -> Result<usize, Error> {
        worker::compare(&self.core, network, None).await
    }
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

    /// An invitation to a conversation: whoever has the link can read and write it. It pins the newest head that is held,
    /// and names the nodes that serve best.
    ///
    /// # Errors
    /// If the conversation is not known, or its ledger is forked.
    pub async fn invite(&self, channel: ChannelId) -> Result<Zeroizing<String>, Error> {
        let channel = self.channel(channel).await?;
        let held = crate::trust::load(&self.core, channel.network).await?.follow();
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

    /// Joins a conversation by an invitation. Needs a node of its ledger.
    ///
    /// # Errors
    /// If the link is none, no node serves, or the block it pins is not in the history that this home has checked.
    pub async fn join(&self, link: &str) -> Result<Joined, Error> {
        let invitation = Invitation::from_link(link)?;
        join::trust_invitation(&self.core, &invitation).await?;
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
                    let (_, waiting) = messages::count(tx, channel.id)?;
                    views.push(ChannelView {
                        id: channel.id,
                        created_ms: channel.created,
                        network: channel.network.to_string(),
                        log: log_name(channel.log()),
                        entries: channel.state.length(),
                        proven: channel.proven.map(|proven| proven.length),
                        waiting,
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
        one(by_name.map(|view| view.id)).or_else(|_| one(by_id.map(|view| view.id)))
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
fn one<T>(mut found: impl Iterator<Item = T>) -> Result<T, Error> {
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(Error::UnknownChannel),
    }
}

/// Messages.
impl Client {
    /// Seals a message and puts it into the outbox. When this returns it is `queued`: durable, and sent exactly once, whatever
    /// happens. Needs no network.
    ///
    /// # Errors
    /// If it cannot be sealed, the conversation is not known, or its ledger is forked.
    pub async fn send(&self, channel: ChannelId, draft: Draft) -> Result<MessageId, Error> {
        let now = self.core.clock.now();
        let message = self.core.write(move |tx| queue(tx, channel, draft, now)).await?;
        self.core.outbox_changed();
        Ok(message)
    }

    /// Waits until a message is final or failed, following its ledger meanwhile.
    ///
    /// # Errors
    /// [`Error::StillWaiting`] when the time is over.
    pub async fn settle(&self, message: MessageId, within: Duration) -> Result<MessageView, Error> {
        self.start();
        let settled = async {
            let mut writes = self.core.writes();
            loop {
                let view = self.message(message).await?;
                if matches!(view.state, Ladder::Final | Ladder::Failed) {
                    return Ok(view);
                }
                // Another process may be the one that reads the log.
                let _ = timeout(Duration::from_millis(NOTICE_MS), writes.changed()).await;
            }
        };
        timeout(within, settled).await.unwrap_or(Err(Error::StillWaiting))
    }

    /// Tries a failed message again now.
    ///
    /// # Errors
    /// [`Error::NotFailed`] if it did not fail, or can never become final.
    pub async fn retry(&self, message: MessageId) -> Result<(), Error> {
        self.core
            .write::<_, Error>(move |tx| {
                let row = messages::load(tx, message)?.ok_or(Error::UnknownMessage)?;
                if row.state != State::Failed || outbox::load(tx, message)?.is_none() {
                    return Err(Error::NotFailed);
                }
                Ok(messages::set_state(tx, message, State::Queued, None)?)
            })
            .await?;
        deliver::hurry(&self.core, message);
        Ok(())
    }

    /// Reads messages in their order, each with what later ones did to it; edits, retractions and reactions that belong to
    /// a message are not listed by themselves.
    ///
    /// # Errors
    /// If the conversation is not known.
    pub async fn read(&self, channel: ChannelId, range: Range) -> Result<Vec<MessageView>, Error> {
        self.core
            .read::<_, Error>(move |tx| {
                channels::load(tx, channel)?.ok_or(Error::UnknownChannel)?;
                let rows = match range {
                    Range::Last(most) => messages::before(tx, channel, None, most.min(MESSAGES_PER_READ_MAX)),
                    Range::Before(index, most) => {
                        messages::before(tx, channel, Some(index), most.min(MESSAGES_PER_READ_MAX))
                    }
                    Range::From(index, most) => messages::from(tx, channel, index, most.min(MESSAGES_PER_READ_MAX)),
                }?;
                let mut views = Vec::new();
                for row in &rows {
                    if !belongs_to_another(tx, row)? {
                        views.push(whole(tx, row)?);
                    }
                }
                Ok(views)
            })
            .await
    }

    /// One message with what later ones did to it.
    ///
    /// # Errors
    /// If there is no such message.
    pub async fn message(&self, message: MessageId) -> Result<MessageView, Error> {
        self.core
            .read(move |tx| {
                let row = messages::load(tx, message)?.ok_or(Error::UnknownMessage)?;
                whole(tx, &row)
            })
            .await
    }

    /// The message of a conversation that a person means: `#` and its index, its number, or the first digits of its
    /// content id.
    ///
    /// # Errors
    /// If none or several are meant.
    pub async fn find_message(&self, channel: ChannelId, text: &str) -> Result<MessageId, Error> {
        let text = text.to_owned();
        self.core
            .read::<_, Error>(move |tx| {
                let found = match text.strip_prefix('#').map(str::parse) {
                    Some(index) => {
                        let index = index.map_err(|_| Error::UnknownMessage)?;
                        messages::at(tx, channel, index)?
                    }
                    None => messages::beginning_with(tx, channel, &text)?,
                };
                Ok(found.ok_or(Error::UnknownMessage)?.id)
            })
            .await
    }

    /// What changes from now on, or from a change that was seen before.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn tail(&self, channel: Option<ChannelId>, after: Option<i64>) -> Result<Tail, Error> {
        Tail::begin(&self.core, channel, after).await
    }

    /// Erases an own message: forgets its content here, and reveals the secret that lets every honest node drop its body.
    /// The nodes are told when one is reached. Erasing several at once links them to one author.
    ///
    /// # Errors
    /// If it is not final, not from this device, or was made to stay.
    pub async fn erase(&self, message: MessageId) -> Result<(), Error> {
        self.core.write(move |tx| erase(tx, message)).await?;
        self.core.lists_changed();
        Ok(())
    }
}

fn queue(tx: &mut Transaction<'_>, channel: ChannelId, draft: Draft, now: u64) -> Result<MessageId, Error> {
    let channel = channels::load(tx, channel)?.ok_or(Error::UnknownChannel)?;
    let network = networks::load(tx, channel.network)?.ok_or(Error::UnknownNetwork(channel.network))?;
    if let Some(evidence) = &network.held.halted {
        return Err(Error::Forked {
            height: evidence.height(),
        });
    }
    let keys = network.genesis.keys();
    let (device, name) = store::device(tx)?;
    let view = sync::view_of(tx, &channel)?;
    let content = Content::new(&mut chance::fill, now, Name::new(name)?, view, draft.kind);
    let mut sealer = open::sealer(tx, &keys, &channel, device)?;
    let keeping = Keeping::Erasable(draft.keep_for);
    let sealed = sealer.seal(&content, keeping, &mut chance::fill)?;
    channels::set_engine(tx, channel.id, sealer.engine())?;
    let message = messages::queue(tx, channel.id, sealer.device(), &content, now)?;
    outbox::insert(tx, message, channel.id, &sealed)?;
    deliver::sign_at_once(tx, &keys, &channel, message, &sealed, now)?;
    Ok(message)
}

/// Whether a message only does something to another one that is here.
fn belongs_to_another(tx: &Transaction<'_>, row: &Message) -> Result<bool, Error> {
    let Some(content) = &row.content else { return Ok(false) };
    let target = match &content.kind {
        Kind::Edit { of, .. } | Kind::Retraction { of } => *of,
        Kind::Reaction { to, .. } => *to,
        Kind::Text(_) | Kind::Reply { .. } | Kind::Unknown(_) => return Ok(false),
    };
    Ok(messages::with_content(tx, row.channel, target)?.is_some())
}

/// A message with everything that later ones did to it.
pub(crate) fn whole(tx: &Transaction<'_>, row: &Message) -> Result<MessageView, Error> {
    let Some(content) = &row.content else {
        return Ok(MessageView::of(row));
    };
    let about = messages::about(tx, row.channel, content.id)?;
    let mut about_reactions = Vec::new();
    for later in &about {
        if let Some(Kind::Reaction { .. }) = later.content.as_ref().map(|content| &content.kind)
            && let Some(content) = &later.content
        {
            about_reactions.extend(messages::about(tx, row.channel, content.id)?);
        }
    }
    Ok(MessageView::with(row, &about, &about_reactions))
}

fn erase(tx: &mut Transaction<'_>, message: MessageId) -> Result<(), Error> {
    let row = messages::load(tx, message)?.ok_or(Error::UnknownMessage)?;
    if !row.is_own {
        return Err(Error::NotOwn);
    }
    if row.body == BodyState::Erased && outbox::is_revealed(tx, message)?.is_some() {
        return Ok(());
    }
    let (Some(signed), Some(content)) = (&row.signed, &row.content) else {
        return Err(if row.log_index.is_none() {
            Error::NotFinal
        } else {
            Error::NotErasable
        });
    };
    let channel = channels::load(tx, row.channel)?.ok_or(Error::UnknownChannel)?;
    let keys = waxwing_core::HashKeys::new(channel.network);
    let (device, _) = store::device(tx)?;
    let secret = device.erasure_secret(channel.log(), content.salt);
    if secret.commitment(&keys) != signed.header.erasure {
        return Err(Error::NotErasable);
    }
    outbox::reveal(tx, message, &secret)?;
    messages::forget_content(tx, message)?;
    Ok(())
}

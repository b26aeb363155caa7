//! The client as a program holds it: its home, its ledgers, and the work in the background.
//!
//! Everything a person was promised is durable when a call returns: a queued message survives any crash from then on.
//! Nothing here needs a network but what says so; with [`Client::start`] the client follows its ledgers in the
//! background.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;
use waxwing_core::Hash;
use waxwing_core::follow::Follow;
use waxwing_core::genesis::Genesis;
use waxwing_core::keys::NodeId;
use waxwing_seal::content::Name;
use waxwing_seal::{DeviceId, NodeAddress};

use crate::clock::Clock;
use crate::core::{Core, blocking};
use crate::error::Error;
use crate::join;
use crate::limits::Pace;
use crate::nodes::Fault;
use crate::others::{self, Noticed};
use crate::store::home::HomeError;
use crate::store::key::{Cost, Passphrase};
use crate::store::networks::Source;
use crate::store::{self, Store, networks};
use crate::{telling, worker};

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

    /// Makes a client with a new device of a new account that shows this name.
    ///
    /// # Errors
    /// If there is one already, or the folder cannot be used.
    pub async fn create(options: Options, name: &str, cost: Cost) -> Result<Self, Error> {
        Self::make(options, name, move |home, passphrase, name| {
            Store::create(home, passphrase, cost, name)
        })
        .await
    }

    pub(crate) async fn make(
        options: Options,
        name: &str,
        make: impl FnOnce(&Path, &Passphrase, &str) -> Result<Store, HomeError> + Send + 'static,
    ) -> Result<Self, Error> {
        let name = Name::new(name)?.as_str().to_owned();
        let Options {
            home,
            passphrase,
            clock,
            pace,
        } = options;
        let store = blocking(move || make(&home, &passphrase, &name)).await?;
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
        // Before anything can be shown that has had its time while nobody was here.
        telling::sweep(&store, clock.now())?;
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

    /// Ends the background work and tells all nodes; for a program that ends. Nobody can be reached through this
    /// client any more, what is on its way stays in the outbox.
    pub async fn leave(&self) {
        self.stop();
        self.core.take_leave().await;
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
    match Noticed::now(&core).await {
        Ok(before) => {
            workers.spawn(others::notice(Arc::clone(&core), before));
        }
        Err(error) => tracing::error!("it cannot be seen what other programs write: {error}"),
    }
    workers.spawn(telling::run(Arc::clone(&core)));
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
        let (mut served, mut first_error) = (Vec::new(), None);
        for network in self.networks().await? {
            match worker::refresh(&self.core, network).await {
                Ok((node, left)) => served.push(Served { network, node, left }),
                // One ledger that nobody serves does not keep the others waiting.
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        first_error.map_or(Ok(served), Err)
    }

    /// Compares the heads of all nodes of a ledger with what is held; says how many agreed.
    ///
    /// # Errors
    /// If two of them show two final blocks of one height.
    pub async fn compare(&self, network: Hash) -> Result<usize, Error> {
        worker::compare(&self.core, network, None).await
    }
}

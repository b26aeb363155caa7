//! A running node: puts the parts together, and takes them apart again in the right order.
//!
//! ```text
//!  tokio (the caller's)      QUIC server ── serve ──┬── reads ──> blocking threads ──> Chain (ledger + store)
//!                                                   └── submit ─> workers (rayon, one per core) ──> Waiting (pool)
//!  own threads               order: Waiting ──> Chain          (validators)
//! ```
//!
//! Stopping: no more requests are taken, what waits in the pool is ordered, then the database is closed.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rayon::ThreadPoolBuilder;
use waxwing_core::keys::NodeId;
use waxwing_core::ledger::Ledger;
use waxwing_net::quic::{Identity, Server, ServerLimits};
use waxwing_net::wire::{Role, Submitters, Text};
use waxwing_store::{OpenError, Options, RestoreError, RocksTables, Store, Tables};

use crate::chain::{Chain, OpenFault, Tip, open_announced};
use crate::clock::Clock;
use crate::config::{NodeConfig, Submit};
use crate::directory::{Announced, Directory};
use crate::faults::{Fault, Lifeline};
use crate::intake::Intake;
use crate::meter::Meter;
use crate::order::{Pace, Proposer, Voter};
use crate::pool::{PoolLimits, Waiting};
use crate::serve::{Facts, Served, Serving, Submissions};

/// Why a node does not start.
#[derive(Debug)]
pub enum StartError {
    /// The ledger cannot be opened.
    Open {
        /// Where it is.
        directory: PathBuf,
        /// Why.
        error: OpenError,
    },
    /// The ledger in the directory belongs to another network than its genesis.
    OtherNetwork,
    /// What is stored does not add up to what is certified.
    Restore(RestoreError),
    /// An older copy of the ledger was put back under a validator.
    RolledBack {
        /// The newest block it announced.
        announced: u64,
    },
    /// The committee has several validators, which this version cannot order with.
    Committee {
        /// How many.
        members: usize,
    },
    /// An address cannot be listened at.
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The system gives no thread, no socket or no file.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { directory, error } => write!(f, "{}: {error}", directory.display()),
            Self::OtherNetwork => f.write_str(
                "the ledger in db/ belongs to another network than the genesis beside it: put the right one in its place",
            ),
            Self::Restore(error) => error.fmt(f),
            Self::RolledBack { announced } => crate::directory::RolledBack { announced: *announced }.fmt(f),
            Self::Committee { members } => write!(
                f,
                "this network has {members} validators, and this version orders for one: run it as a follower, without the \
                 vote key"
            ),
            Self::Listen { address, error } => write!(
                f,
                "cannot listen at {address}: {error}; choose another address with `listen` or `http`, or stop the program \
                 that uses it"
            ),
            Self::System(error) => write!(f, "the system refuses: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// A running node. Dropped without [`NodeHandle::shut_down`] it stops at once.
#[derive(Debug)]
pub struct NodeHandle {
    server: Option<Server>,
    address: SocketAddr,
    node: NodeId,
    tips: tokio::sync::watch::Receiver<Tip>,
    lifeline: Lifeline,
    waiting: Option<Arc<Waiting>>,
    ordering: Option<JoinHandle<()>>,
}

/// Starts a node on the ledger in its directory; founds the ledger if there is none yet. Needs a tokio runtime.
///
/// # Errors
/// See [`StartError`].
pub async fn start(directory: Directory, config: &NodeConfig, clock: Clock) -> Result<NodeHandle, StartError> {
    let path = directory.database();
    let options = Options {
        cache_bytes: mib(config.cache_mib),
        write_buffer_bytes: mib(config.write_buffers_mib),
        ..Options::default()
    };
    let genesis = directory.genesis().clone();
    let store = blocking(move || match Store::open(&path, &options) {
        Err(error) if error.error == OpenError::NoLedger => Store::<RocksTables>::create(&path, &genesis, &options),
        opened => opened,
    })
    .await?
    .map_err(|error| StartError::Open {
        directory: error.directory,
        error: error.error,
    })?;
    start_on(directory, config, clock, store).await
}

/// Starts a node on a store that is open already.
///
/// # Errors
/// See [`StartError`].
pub async fn start_on<T: Tables>(
    directory: Directory,
    config: &NodeConfig,
    clock: Clock,
    store: Store<T>,
) -> Result<NodeHandle, StartError> {
    if store.genesis() != directory.genesis() {
        return Err(StartError::OtherNetwork);
    }
    let (store, ledger) = blocking(move || store.restore().map(|ledger| (store, ledger)))
        .await?
        .map_err(StartError::Restore)?;
    let voter = voter(&directory, &ledger)?;
    let announced = match voter {
        Some(_) => Some(announced(&directory, &store)?),
        None => None,
    };
    let parts = Parts::new(config, clock, store, ledger, announced)?;
    parts.run(directory, config, voter)
}

/// The vote key, if this node votes.
fn voter(directory: &Directory, ledger: &Ledger) -> Result<Option<Voter>, StartError> {
    let members = ledger.committee().members();
    let Some(key) = directory.vote().filter(|key| members.contains(&key.public())) else {
        return Ok(None);
    };
    if members.len() > 1 {
        return Err(StartError::Committee { members: members.len() });
    }
    Ok(Some(Voter::new(key.clone(), (ledger.head().height, ledger.id()))))
}

fn announced<T: Tables>(directory: &Directory, store: &Store<T>) -> Result<Announced, StartError> {
    open_announced(directory.path(), store).map_err(|fault| match fault {
        OpenFault::Note(error) => StartError::System(error),
        OpenFault::Store(error) => StartError::Restore(RestoreError::Store(error)),
        OpenFault::RolledBack(rolled_back) => StartError::RolledBack {
            announced: rolled_back.announced,
        },
    })
}

/// What all parts of a node share.
struct Parts<T> {
    chain: Arc<Chain<T>>,
    clock: Clock,
    lifeline: Lifeline,
    meter: Arc<Meter>,
    workers: Arc<rayon::ThreadPool>,
}

impl<T: Tables> Parts<T> {
    fn new(
        config: &NodeConfig,
        clock: Clock,
        store: Store<T>,
        ledger: Ledger,
        announced: Option<Announced>,
    ) -> Result<Self, StartError> {
        let workers = ThreadPoolBuilder::new()
            .num_threads(usize::try_from(config.threads).unwrap_or(0))
            .thread_name(|number| format!("verify-{number}"))
            .build()
            .map_err(|error| StartError::System(io::Error::other(error)))?;
        Ok(Self {
            chain: Arc::new(Chain::new(store, ledger, announced, Box::new(|_| {}))),
            clock,
            lifeline: Lifeline::default(),
            meter: Arc::new(Meter::new()),
            workers: Arc::new(workers),
        })
    }

    fn run(self, directory: Directory, config: &NodeConfig, voter: Option<Voter>) -> Result<NodeHandle, StartError> {
        let waiting = Arc::new(Waiting::new(PoolLimits {
            entries: usize::try_from(config.pool_entries).unwrap_or(usize::MAX),
            bytes: config.pool_mib << 20,
        }));
        let role = if voter.is_some() {
            Role::Validator
        } else {
            Role::Follower
        };
        let serving = Serving {
            chain: Arc::clone(&self.chain),
            submissions: Submissions::Here(Arc::new(Intake {
                chain: Arc::clone(&self.chain),
                waiting: Arc::clone(&waiting),
                workers: Arc::clone(&self.workers),
                key: directory.transport().clone(),
                clock: self.clock.clone(),
                lifeline: self.lifeline.clone(),
                meter: Arc::clone(&self.meter),
            })),
            facts: facts(config, role),
            lifeline: self.lifeline.clone(),
            meter: Arc::clone(&self.meter),
        };
        let identity = Identity::new(directory.transport());
        let listen = |error| StartError::Listen {
            address: config.listen,
            error,
        };
        let server =
            Server::bind(config.listen, &identity, limits(config), Served(Arc::new(serving))).map_err(listen)?;
        let address = server.address().map_err(listen)?;
        let ordering = match voter {
            Some(voter) => Some(self.order(config, &waiting, voter)?),
            None => None,
        };
        Ok(NodeHandle {
            address,
            node: server.node(),
            server: Some(server),
            tips: self.chain.tips(),
            lifeline: self.lifeline,
            waiting: Some(waiting),
            ordering,
        })
    }

    fn order(&self, config: &NodeConfig, waiting: &Arc<Waiting>, voter: Voter) -> Result<JoinHandle<()>, StartError> {
        let proposer = Proposer {
            chain: Arc::clone(&self.chain),
            waiting: Arc::clone(waiting),
            voter: Arc::new(Mutex::new(voter)),
            pace: Pace::new(config.block_pause_ms),
            clock: self.clock.clone(),
            lifeline: self.lifeline.clone(),
            meter: Arc::clone(&self.meter),
        };
        std::thread::Builder::new()
            .name("order".to_owned())
            .spawn(move || proposer.run())
            .map_err(StartError::System)
    }
}

fn facts(config: &NodeConfig, role: Role) -> Facts {
    Facts {
        role,
        software: Text::new(concat!("waxwing ", env!("CARGO_PKG_VERSION"))).unwrap_or_default(),
        submitters: match config.submit {
            Submit::Everybody => Submitters::Everybody,
            Submit::Nobody => Submitters::Nobody,
        },
        policy: Text::new(&config.policy).unwrap_or_default(),
        quota_bytes: Some(config.quota_mib << 20).filter(|quota| *quota > 0),
    }
}

fn limits(config: &NodeConfig) -> ServerLimits {
    let default = ServerLimits::default();
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let rate = u32::try_from(config.requests_per_second)
        .ok()
        .and_then(std::num::NonZeroU32::new);
    let rate = rate.unwrap_or(default.requests_per_second);
    ServerLimits {
        connections: count(config.connections),
        connections_per_address: count(config.connections_per_address),
        requests_per_second: rate,
        requests_burst: rate.saturating_add(rate.get()),
        ..default
    }
}

fn mib(count: u64) -> usize {
    usize::try_from(count << 20).unwrap_or(usize::MAX)
}

/// Runs what may wait for a disk beside the runtime's own threads.
async fn blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Result<R, StartError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StartError::System(io::Error::other(error)))
}

impl NodeHandle {
    /// The key that clients pin.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// Where it listens: the port that the system chose if none was asked for.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The newest block.
    #[must_use]
    pub fn tip(&self) -> Tip {
        *self.tips.borrow()
    }

    /// Waits until the ledger has a block of this height.
    ///
    /// # Errors
    /// If the node stops before.
    pub async fn until_height(&self, height: u64) -> Result<Tip, Stopped> {
        let mut tips = self.tips.clone();
        tokio::select! {
            tip = tips.wait_for(|tip| tip.height >= height) => tip.map(|tip| *tip).map_err(|_| Stopped),
            () = self.lifeline.stopped() => Err(Stopped),
        }
    }

    /// Returns when the node stops by itself, with the reason.
    pub async fn failed(&self) -> Option<Fault> {
        self.lifeline.stopped().await;
        self.lifeline.fault().cloned()
    }

    /// Stops: takes no more requests, waits at most `patience` for those under way, orders what waits, closes.
    pub async fn shut_down(mut self, patience: Duration) {
        self.lifeline.stop();
        if let Some(server) = self.server.take() {
            server.shut_down(patience).await;
        }
        if let Some(waiting) = self.waiting.take() {
            waiting.close();
        }
        if let Some(ordering) = self.ordering.take() {
            let _ = tokio::task::spawn_blocking(move || ordering.join()).await;
        }
    }
}

impl Drop for NodeHandle {
    fn drop(&mut self) {
        self.lifeline.stop();
        if let Some(waiting) = &self.waiting {
            waiting.kill();
        }
    }
}

/// The node stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the node stopped")
    }
}

impl std::error::Error for Stopped {}

//! A running node: puts the parts together.
//!
//! ```text
//!  tokio (the caller's)   QUIC server ── serve ──┬── reads ──> blocking threads ──> Chain (ledger + store)
//!                                                ├── submit ─> workers (rayon, one per core) ──> Waiting (pool)
//!                                                └── subscriptions, beacons, erasures
//!                         links: the other validators ──> Inbox                          (validators)
//!                         sync: nodes that are further ──> workers ──> Inbox             (followers, and who was away)
//!                         HTTP on loopback, sweeper
//!  one thread             order: Inbox, Waiting ──> Validator ──> journal, Chain, links, sync
//! ```

mod errors;
mod handle;
mod ordering;

use std::io;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot, watch};
use waxwing_core::keys::{NodeId, NodeKey};
use waxwing_net::quic::{Dialer, Identity, Server, ServerLimits, Shown};
use waxwing_net::wire::{Submitters, Text};
use waxwing_store::{OpenError, Options, RocksTables, Store, StoreError, Tables};

pub use errors::StartError;
use handle::Inside;
pub use handle::{NodeHandle, Stopped};
use ordering::Ordering;

use crate::address::NodeAddress;
use crate::chain::{Chain, open_announced};
use crate::chunks::{self, Chunks};
use crate::clock::Clock;
use crate::config::{NodeConfig, Submit};
use crate::directory::Directory;
use crate::disk::Disk;
use crate::erasures::Erasures;
use crate::faults::{Lifeline, Seldom};
use crate::http::{self, Pages};
use crate::intake::{Claims, Intake};
use crate::join::{self, Backfill, Entrance, Offers};
use crate::meter::Meter;
use crate::order::{Inbox, Lookup, Voter};
use crate::peers::{self, Greet, Links};
use crate::pool::{PoolLimits, Waiting};
use crate::reports::{Others, Reports};
use crate::serve::{Beacons, Facts, Makers, Memory, NodeStatus, READS_MAX, Relay, Served, Serving, Subscribers};
use crate::sweep::Sweeper;
use crate::sync::{CatchingUp, Copying, Upstreams};
use crate::workers::Workers;

/// Silence after which an upstream node counts as lost. A follower only listens, so it learns that the other was killed,
/// or started anew, by what it sends to keep the connection alive, which is then every four seconds. A phone has to
/// save that; a node's readers wait for it.
const UPSTREAM_SILENCE: Duration = Duration::from_secs(10);

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
    mut directory: Directory,
    config: &NodeConfig,
    clock: Clock,
    store: Store<T>,
) -> Result<NodeHandle, StartError> {
    if store.genesis() != directory.genesis() {
        return Err(StartError::OtherNetwork);
    }
    let config = &without_itself(config, directory.transport().public());
    let entrance = Entrance::of(&directory, config, &clock).map_err(StartError::System)?;
    let (store, faults) = join::at_start(store, entrance).await.map_err(StartError::Join)?;
    let (store, ledger) = blocking(move || store.restore().map(|ledger| (store, ledger)))
        .await?
        .map_err(StartError::Restore)?;
    let ordering = Ordering::open(&mut directory, &ledger)?;
    // Several validators have each other's word, and an older copy of one of them catches up.
    let is_alone = ordering.votes_at_start && ledger.committee().members().len() == 1;
    let announced = is_alone.then(|| open_announced(directory.path(), &store)).transpose()?;
    let subscribers = Arc::new(Subscribers::default());
    let told = Arc::clone(&subscribers);
    let (chain, closed) = Chain::new(store, ledger, announced, Box::new(move |logs| told.announce(logs)));
    let (place, keys, wanted, now_ms) = (
        directory.chunks(),
        chain.store().keys().clone(),
        config.clone(),
        clock.now_ms(),
    );
    let vault = blocking(move || chunks::open(place, keys, &wanted, now_ms)).await?;
    let vault = vault.map_err(StartError::System)?;
    let parts = Parts::new(directory, config, clock, chain, subscribers, &ordering, vault)?;
    for (index, fault) in faults {
        parts.upstreams.remember(index, fault);
    }
    parts.run(config, closed, ordering).await
}

/// The parts of a node, before they run.
struct Parts<T> {
    chain: Arc<Chain<T>>,
    subscribers: Arc<Subscribers>,
    upstreams: Arc<Upstreams>,
    erasures: Arc<Erasures<T>>,
    reports: Arc<Reports>,
    waiting: Arc<Waiting>,
    workers: Arc<Workers>,
    disk: Arc<Disk>,
    chunks: Arc<Chunks>,
    voter: Arc<Mutex<Voter>>,
    inbox: Arc<Inbox>,
    lookup: Arc<Lookup>,
    links: Arc<Links<T>>,
    claims: Arc<Claims>,
    memory: Arc<Memory>,
    votes: watch::Sender<bool>,
    halted: Arc<AtomicBool>,
    clock: Clock,
    lifeline: Lifeline,
    meter: Arc<Meter>,
    key: NodeKey,
    home: PathBuf,
    /// Held until the last part is gone: the lock on the directory is in it.
    directory: Directory,
}

impl<T: Tables> Parts<T> {
    fn new(
        directory: Directory,
        config: &NodeConfig,
        clock: Clock,
        chain: Chain<T>,
        subscribers: Arc<Subscribers>,
        ordering: &Ordering,
        vault: chunks::Vault,
    ) -> Result<Self, StartError> {
        let workers = Workers::new(usize::try_from(config.threads).unwrap_or(0)).map_err(StartError::System)?;
        let workers = Arc::new(workers);
        let (chain, lifeline, meter) = (Arc::new(chain), Lifeline::default(), Arc::new(Meter::new()));
        let upstreams = Arc::new(Upstreams::new(sources(config), clock.clone()));
        let waiting = Arc::new(Waiting::new(PoolLimits {
            entries: usize::try_from(config.pool_entries).unwrap_or(usize::MAX),
            bytes: config.pool_mib << 20,
        }));
        let (inbox, lookup) = (Arc::<Inbox>::default(), Arc::new(Lookup::new(Arc::clone(&waiting))));
        let heard = Arc::clone(&inbox);
        let links = Links::new(peers::Parts {
            chain: Arc::clone(&chain),
            lookup: Arc::clone(&lookup),
            workers: Arc::clone(&workers),
            clock: clock.clone(),
            lifeline: lifeline.clone(),
            node: directory.transport().public(),
            vote: ordering.key.clone(),
            deliver: Box::new(move |event| heard.put(event)),
        });
        let reports = Reports::open(directory.path(), &chain.ledger(), chain.store());
        let reports = Arc::new(reports.map_err(StartError::reports)?);
        reports.tell_others(others(&upstreams, &links));
        let chunks = Chunks::new(vault, config, clock.clone(), lifeline.clone(), Arc::clone(&meter));
        let quota_bytes = Some(config.quota_mib << 20).filter(|quota| *quota > 0);
        Ok(Self {
            erasures: Arc::new(Erasures::new(
                Arc::clone(&chain),
                others(&upstreams, &links),
                lifeline.clone(),
                Arc::clone(&meter),
            )),
            reports,
            waiting,
            workers,
            disk: Arc::new(Disk::new(directory.database(), quota_bytes)),
            chunks: Arc::new(chunks),
            voter: Arc::clone(&ordering.voter),
            claims: Arc::default(),
            memory: Arc::default(),
            votes: watch::Sender::new(ordering.votes_at_start),
            lookup,
            links,
            inbox,
            halted: Arc::default(),
            key: directory.transport().clone(),
            home: directory.path().to_owned(),
            chain,
            subscribers,
            upstreams,
            clock,
            lifeline,
            meter,
            directory,
        })
    }

    async fn run(
        self,
        config: &NodeConfig,
        closed: oneshot::Receiver<()>,
        ordering: Ordering,
    ) -> Result<NodeHandle, StartError> {
        let identity = Identity::new(&self.key);
        let serving = Arc::new(self.serving(config));
        let listen = |error| StartError::Listen {
            address: config.listen,
            error,
        };
        let server = Server::bind(config.listen, &identity, limits(config), Served(Arc::clone(&serving)));
        let server = Arc::new(server.map_err(listen)?);
        let address = server.address().map_err(listen)?;
        let sweeper = Arc::new(self.sweeper());
        let inside = Arc::new(Within {
            serving,
            sweeper: Arc::clone(&sweeper),
        });
        let http = self
            .http(config, Arc::downgrade(&inside), Arc::downgrade(&server))
            .await?;
        let is_validator = ordering.votes_at_start;
        let dialer = || Dialer::new(Shown::Always(identity.clone())).map_err(StartError::System);
        let (to_upstreams, to_validators) = (dialer()?.noticing_silence_after(UPSTREAM_SILENCE), dialer()?);
        let copying = Arc::new(self.copying());
        let outside = self.outside(&copying);
        #[cfg(feature = "liar")]
        let outside = match &ordering.key {
            Some(key) if self.directory.votes_twice() => {
                crate::liar::tongue(key.clone(), self.chain.store().keys().network(), outside)
            }
            _ => outside,
        };
        let ordering = self.order(config, ordering, outside)?;
        copying.begin(to_upstreams);
        self.backfill().begin();
        self.links
            .begin(to_validators, address.port(), &config.validators, self.greet());
        tokio::spawn(Arc::clone(&inside.serving.relay).tend());
        let (node, height) = (server.node(), self.chain.tip().height);
        tracing::info!(%node, %address, height, is_validator, "the node runs");
        tokio::spawn(Arc::clone(&inside.serving.beacons).beat(self.lifeline.clone()));
        tokio::spawn(sweeper.run());
        tokio::spawn(Arc::clone(&self.chunks).tend());
        Ok(NodeHandle {
            address,
            http,
            node,
            server: Some(server),
            tips: self.chain.tips(),
            inside: Some(inside),
            lifeline: self.lifeline,
            inbox: self.inbox,
            ordering: Some(ordering),
            closed: Some(closed),
            directory: self.directory,
        })
    }

    fn serving(&self, config: &NodeConfig) -> Serving<T> {
        let makers = Makers {
            votes: self.votes.subscribe(),
            voter: Arc::clone(&self.voter),
            links: Arc::clone(&self.links),
            upstreams: Arc::clone(&self.upstreams),
        };
        let (chain, clock, meter) = (Arc::clone(&self.chain), self.clock.clone(), Arc::clone(&self.meter));
        Serving {
            intake: Arc::new(self.intake()),
            relay: Arc::new(self.relay()),
            votes: self.votes.subscribe(),
            links: Arc::clone(&self.links),
            voter: Arc::clone(&self.voter),
            beacons: Arc::new(Beacons::new(chain, makers, clock, meter)),
            chain: Arc::clone(&self.chain),
            subscribers: Arc::clone(&self.subscribers),
            erasures: Arc::clone(&self.erasures),
            reports: Arc::clone(&self.reports),
            offers: Arc::new(Offers::new(self.clock.clone())),
            upstreams: Arc::clone(&self.upstreams),
            disk: Arc::clone(&self.disk),
            chunks: Arc::clone(&self.chunks),
            reads: Semaphore::new(READS_MAX),
            facts: facts(config),
            lifeline: self.lifeline.clone(),
            halted: Arc::clone(&self.halted),
            meter: Arc::clone(&self.meter),
        }
    }

    fn backfill(&self) -> Backfill<T> {
        Backfill {
            chain: Arc::clone(&self.chain),
            upstreams: Arc::clone(&self.upstreams),
            workers: Arc::clone(&self.workers),
            clock: self.clock.clone(),
            lifeline: self.lifeline.clone(),
            meter: Arc::clone(&self.meter),
        }
    }

    fn intake(&self) -> Intake<T> {
        Intake {
            chain: Arc::clone(&self.chain),
            waiting: Arc::clone(&self.waiting),
            workers: Arc::clone(&self.workers),
            key: self.key.clone(),
            clock: self.clock.clone(),
            lifeline: self.lifeline.clone(),
            meter: Arc::clone(&self.meter),
            full: Seldom::default(),
            claims: Arc::clone(&self.claims),
            links: Arc::clone(&self.links),
        }
    }

    fn relay(&self) -> Relay<T> {
        Relay {
            chain: Arc::clone(&self.chain),
            upstreams: Arc::clone(&self.upstreams),
            workers: Arc::clone(&self.workers),
            clock: self.clock.clone(),
            lifeline: self.lifeline.clone(),
            memory: Arc::clone(&self.memory),
            nobody: Seldom::default(),
        }
    }

    /// Tells a validator that was just reached what it may have missed beside blocks.
    fn greet(&self) -> Greet {
        let (reports, erasures) = (Arc::clone(&self.reports), Arc::clone(&self.erasures));
        Box::new(move |connection| {
            erasures.tell(connection.clone());
            reports.tell(connection);
        })
    }

    fn copying(&self) -> Copying<T> {
        Copying {
            chain: Arc::clone(&self.chain),
            upstreams: Arc::clone(&self.upstreams),
            erasures: Arc::clone(&self.erasures),
            reports: Arc::clone(&self.reports),
            workers: Arc::clone(&self.workers),
            clock: self.clock.clone(),
            lifeline: self.lifeline.clone(),
            meter: Arc::clone(&self.meter),
            directory: self.home.clone(),
            halted: Arc::clone(&self.halted),
            inbox: Arc::clone(&self.inbox),
            memory: Arc::clone(&self.memory),
            votes: self.votes.subscribe(),
            catching_up: CatchingUp::default(),
            lacking: Mutex::default(),
        }
    }

    fn sweeper(&self) -> Sweeper<T> {
        Sweeper {
            chain: Arc::clone(&self.chain),
            disk: Arc::clone(&self.disk),
            lifeline: self.lifeline.clone(),
            meter: Arc::clone(&self.meter),
        }
    }

    /// Pages hold nothing alive: a node that stops does not wait for somebody who looks at it.
    async fn http(
        &self,
        config: &NodeConfig,
        inside: Weak<Within<T>>,
        server: Weak<Server>,
    ) -> Result<Option<std::net::SocketAddr>, StartError> {
        let Some(address) = config.http else { return Ok(None) };
        let (meter, shown, asked) = (Arc::clone(&self.meter), inside.clone(), inside.clone());
        let pages = Pages {
            lifeline: self.lifeline.clone(),
            status: Box::new(move || inside.upgrade().map(|inside| inside.status())),
            hindrances: Box::new(move || asked.upgrade().map(|inside| inside.serving.hindrances())),
            metrics: Box::new(move || {
                let mut levels = shown.upgrade().map(|inside| inside.serving.levels())?;
                if let Some(server) = server.upgrade() {
                    levels.note_server(&server.counts());
                }
                Some(meter.text(&levels))
            }),
        };
        let bound = http::serve(address, pages).await;
        bound.map(Some).map_err(|error| StartError::Listen { address, error })
    }
}

/// What a handle and the pages ask.
struct Within<T> {
    serving: Arc<Serving<T>>,
    sweeper: Arc<Sweeper<T>>,
}

impl<T: Tables> Inside for Within<T> {
    fn status(&self) -> NodeStatus {
        self.serving.report_status()
    }

    fn sweep(&self) -> Result<u64, StoreError> {
        self.serving.chunks.sweep();
        self.sweeper.sweep()
    }
}

/// The settings without this node's own address: operators give every machine the same list.
fn without_itself(config: &NodeConfig, own: NodeId) -> NodeConfig {
    let mut config = config.clone();
    config.upstreams.retain(|address| address.node != own);
    config.validators.retain(|address| address.node != own);
    config
}

/// Where blocks are copied from while this node does not vote: a validator that leaves goes on with those it knows.
fn sources(config: &NodeConfig) -> Vec<NodeAddress> {
    let mut sources = config.upstreams.clone();
    for validator in &config.validators {
        if !sources.iter().any(|source| source.node == validator.node) {
            sources.push(validator.clone());
        }
    }
    sources
}

/// Everybody this node speaks to among other nodes.
fn others<T: Tables>(upstreams: &Arc<Upstreams>, links: &Arc<Links<T>>) -> Others {
    let (upstreams, links) = (Arc::clone(upstreams), Arc::downgrade(links));
    Box::new(move || {
        let linked = links.upgrade().map(|links| links.connections()).unwrap_or_default();
        let linked = linked.into_iter().map(|(_, connection)| connection);
        upstreams.connections().into_iter().chain(linked).collect()
    })
}

fn facts(config: &NodeConfig) -> Facts {
    Facts {
        software: Text::new(concat!("waxwing ", env!("CARGO_PKG_VERSION"))).unwrap_or_default(),
        submitters: match config.submit {
            Submit::Everybody => Submitters::Everybody,
            Submit::Nobody => Submitters::Nobody,
        },
        policy: Text::new(&config.policy).unwrap_or_default(),
        upstreams: config.upstreams.iter().map(|address| address.node).collect(),
    }
}

fn limits(config: &NodeConfig) -> ServerLimits {
    let default = ServerLimits::default();
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let rate = u32::try_from(config.requests_per_second).ok().and_then(NonZeroU32::new);
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

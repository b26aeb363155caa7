//! One ledger followed for as long as the client runs, and once when somebody asks.
//!
//! ```text
//! best node ──> catch up: head, logs, withheld bodies, anchor, outbox, erasures
//!           ──> subscribe ──┬── push: the fast path if it continues exactly what is held, else ask
//!                           ├── outbox or its patience: deliver
//!                           ├── tick: is the node behind what others proved? is the head fresh?
//!                           └── a fault: the reason is kept, the next node is asked
//! beside it: heads of the other nodes, compared every half minute
//! ```
//!
//! A push is a hint that carries its own proof. Everything it could do, a question does as well; so a lost, late or
//! useless push costs a round trip and nothing else.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use waxwing_core::follow::{Follow, FollowError, Freshness, HeadProof, HeadUpdate};
use waxwing_core::keys::{LogId, NodeId};
use waxwing_core::{Hash, HashKeys};
use waxwing_net::wire::{FollowLog, Refusal, Watch};
use waxwing_seal::NodeAddress;

use crate::clock::ticks;
use crate::core::Core;
use crate::deliver;
use crate::error::{Error, Trouble};
use crate::limits::NODES_COMPARED_MAX;
use crate::message::ChannelId;
use crate::nodes::{Fault, Severity};
use crate::peer::{News, Peer, Pushed};
use crate::store::networks::{Node, Source};
use crate::store::{channels, networks, outbox};
use crate::sync::{Reading, Went};
use crate::trust::{self, Lit, Taken};
use crate::views;

/// Nodes known at which others are not asked for more.
const NODES_ENOUGH: usize = 4;

/// How long to wait for a beacon that is made on demand.
const BEACON_WAIT: Duration = Duration::from_secs(3);

/// How long a node may take to be compared with.
const COMPARE_PATIENCE: Duration = Duration::from_secs(3);

/// The first pause when no node serves; doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest one.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Follows a ledger until the task is ended, or the ledger is forked: then there is nothing more to believe.
pub(crate) async fn run(core: Arc<Core>, network: Hash) {
    let mut pause = PAUSE_MIN;
    loop {
        let mut lists = core.lists();
        match serve_once(&core, network).await {
            Ok(()) => {
                pause = PAUSE_MIN;
                core.note_trouble(network, None);
                continue;
            }
            Err(error @ Error::Forked { .. }) => {
                core.note_trouble(network, Some(error));
                if let Err(error) = trust::spread_evidence(&core, network).await {
                    tracing::error!("the evidence of a fork could not be handed on: {error}");
                }
                return;
            }
            Err(error) => core.note_trouble(network, Some(error)),
        }
        tokio::select! {
            () = sleep(pause) => {}
            _ = lists.changed() => {}
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Follows through one node after the other until one served and is to be followed anew, or none serves.
async fn serve_once(core: &Arc<Core>, network: Hash) -> Result<(), Error> {
    let mut faults = Vec::new();
    for node in nodes(core, network).await? {
        match follow(core, network, &node.address).await {
            Ok(()) => return Ok(()),
            Err(trouble) => faults.push(leave(core, network, node.address.id(), trouble).await?),
        }
    }
    Err(Error::NobodyServed(faults))
}

async fn nodes(core: &Core, network: Hash) -> Result<Vec<Node>, Error> {
    let nodes = core.nodes(network).await?;
    if nodes.is_empty() {
        Err(Error::NoNodes)
    } else {
        Ok(nodes)
    }
}

/// Keeps the reason and ends the connection; hands back what is not the node's fault.
async fn leave(core: &Core, network: Hash, node: NodeId, trouble: Trouble) -> Result<(NodeId, Fault), Error> {
    match trouble {
        Trouble::Here(error) => Err(error),
        Trouble::Node(fault) => {
            core.blame(network, node, &fault).await?;
            core.hang_up(network, node);
            Ok((node, fault))
        }
    }
}

/// One round with the best node that serves: everything is as new as that node can prove, and what was due was sent.
///
/// Returns the node, and what was wrong with those before it.
pub(crate) async fn refresh(core: &Arc<Core>, network: Hash) -> Result<(NodeId, Vec<(NodeId, Fault)>), Error> {
    let keys = HashKeys::new(network);
    let mut faults = Vec::new();
    for node in nodes(core, network).await? {
        let id = node.address.id();
        let went = async {
            let peer = core.peer(network, &node.address).await?;
            let reading = Reading {
                core,
                network,
                keys: &keys,
                peer: &peer,
            };
            catch_up(&reading).await?;
            light(core, network, &peer, BEACON_WAIT).await
        };
        match went.await {
            Ok(()) => {
                core.praise(network, id).await?;
                return Ok((id, faults));
            }
            Err(trouble) => faults.push(leave(core, network, id, trouble).await?),
        }
    }
    Err(Error::NobodyServed(faults))
}

/// Everything that one node can tell and take. A fault in one log does not keep the others, or the outbox, waiting.
async fn catch_up(reading: &Reading<'_>) -> Result<(), Trouble> {
    let (core, network) = (reading.core, reading.network);
    trust::head(core, network, reading.peer).await?;
    let mut fault = None;
    for channel in core.read(move |tx| channels::on(tx, network)).await? {
        let read = async {
            reading.read_log(channel.id).await?;
            reading.ask_for_withheld(channel.id).await
        };
        match read.await {
            Err(Trouble::Node(found)) if !reading.peer.is_closed() && found != Fault::Stalled => {
                fault.get_or_insert(found);
            }
            // It was forgotten meanwhile.
            Err(Trouble::Here(Error::UnknownChannel)) => {}
            other => other?,
        }
    }
    views::compare(reading).await?;
    trust::anchor(core, network, reading.peer).await?;
    learn_nodes(core, network, reading.peer).await?;
    deliver::deliver(reading).await?;
    deliver::reveal(reading).await?;
    match fault {
        Some(fault) => Err(fault.into()),
        None => Ok(()),
    }
}

/// Asks for other nodes while few are known: one that is lost can then be replaced.
async fn learn_nodes(core: &Core, network: Hash, peer: &Peer) -> Result<(), Trouble> {
    let known = core.nodes(network).await?;
    if known.len() >= NODES_ENOUGH {
        return Ok(());
    }
    let told = match peer.peers().await {
        Ok(told) => told,
        Err(Fault::Refused(_)) => return Ok(()),
        Err(fault) => return Err(fault.into()),
    };
    let new: Vec<NodeAddress> = told
        .into_iter()
        .filter(|told| known.iter().all(|node| node.address.id() != told.id()))
        .take(NODES_COMPARED_MAX)
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    core.write(move |tx| {
        new.iter()
            .try_for_each(|node| networks::add_node(tx, network, node, Source::Node))
    })
    .await?;
    Ok(())
}

/// Asks for beacons until the held head is known to be fresh, or the node gives nothing newer: on the way the
/// device's clock is compared with certified time.
async fn light(core: &Core, network: Hash, peer: &Peer, wait: Duration) -> Result<(), Trouble> {
    for _ in 0..3 {
        let held = trust::load(core, network).await?.follow();
        if matches!(held.freshness(core.clock.now()), Freshness::Fresh { .. }) {
            return Ok(());
        }
        let beacon = match peer.beacon(held.held().confirmed, wait).await {
            Ok(beacon) => beacon,
            // Not enough validators answered it: no fault of this node that could be proven.
            Err(Fault::Refused(Refusal::NoBeacon | Refusal::NoValidator | Refusal::NotTheHead { .. })) => return Ok(()),
            Err(fault) => return Err(fault.into()),
        };
        match trust::beacon(core, network, peer, beacon).await? {
            Lit::Confirmed => {}
            Lit::OtherHead => {
                trust::head(core, network, peer).await?;
            }
            Lit::ClockBehind => return Ok(()),
        }
    }
    Ok(())
}

/// Compares the heads of all nodes but `except` with what is held; each is asked at the same time. A fork ends in an
/// error, everything else in the nodes' standing.
pub(crate) async fn compare(core: &Arc<Core>, network: Hash, except: Option<NodeId>) -> Result<usize, Error> {
    let nodes = core.nodes(network).await?;
    let reference = match except {
        Some(id) => nodes
            .iter()
            .find(|node| node.address.id() == id)
            .map(|node| node.address.clone()),
        None => None,
    };
    let others = nodes.into_iter().filter(|node| Some(node.address.id()) != except);
    let mut asked = JoinSet::new();
    for node in others.take(NODES_COMPARED_MAX) {
        let (core, reference) = (Arc::clone(core), reference.clone());
        asked.spawn(async move {
            let outcome = compare_one(&core, network, &node.address, reference.as_ref()).await;
            (node.address.id(), outcome)
        });
    }
    let mut agreed = 0;
    while let Some(done) = asked.join_next().await {
        // A comparison that panicked is a fault of this program; the panic was printed.
        let Ok((node, outcome)) = done else { continue };
        match outcome {
            Ok(()) => {
                core.praise(network, node).await?;
                agreed += 1;
            }
            Err(trouble) => {
                leave(core, network, node, trouble).await?;
            }
        }
    }
    Ok(agreed)
}

async fn compare_one(
    core: &Core,
    network: Hash,
    node: &NodeAddress,
    reference: Option<&NodeAddress>,
) -> Result<(), Trouble> {
    let peer = core.peer(network, node).await?.hurried(COMPARE_PATIENCE);
    match trust::head(core, network, &peer).await {
        Err(Trouble::Node(fault)) if fault.severity() == Severity::Lags => {
            if let Some(reference) = reference {
                let ahead = core.peer(network, reference).await?;
                trust::compare_behind(core, network, &peer, &ahead).await?;
            }
            Err(fault.into())
        }
        Err(trouble) => Err(trouble),
        Ok(held) if matches!(held.freshness(core.clock.now()), Freshness::Fresh { .. }) => Ok(()),
        Ok(_) => light(core, network, &peer, BEACON_WAIT).await,
    }
}

/// What a subscription has told so far.
struct Session<'a> {
    reading: Reading<'a>,
    /// The head pushed last: what the next push extends.
    pushed: Follow,
    /// Height that was held here at the last tick.
    ticked: u64,
    /// What was asked for: pushes of it are on their way even when nobody here follows it any more.
    logs: Vec<LogId>,
}

/// Follows through one node until the subscription has to be made anew.
async fn follow(core: &Arc<Core>, network: Hash, node: &NodeAddress) -> Result<(), Trouble> {
    let keys = HashKeys::new(network);
    let peer = core.peer(network, node).await?;
    let reading = Reading {
        core,
        network,
        keys: &keys,
        peer: &peer,
    };
    // From before the first look: what changes meanwhile must wake this up.
    let changes = Changes {
        lists: core.lists(),
        queued: core.outbox(),
    };
    catch_up(&reading).await?;
    core.praise(network, peer.node()).await?;
    core.note_trouble(network, None);
    let (pushes, pushed, logs) = subscribe(&reading).await?;
    let session = Session {
        ticked: pushed.header().height,
        reading,
        pushed,
        logs,
    };
    listen(core, session, pushes, changes).await
}

/// What wakes a subscription up beside its pushes.
struct Changes {
    lists: watch::Receiver<u64>,
    queued: watch::Receiver<u64>,
}

/// Takes pushes and does what is due, until the subscription has to be made anew.
async fn listen(
    core: &Arc<Core>,
    mut session: Session<'_>,
    mut pushes: Pushed,
    mut changes: Changes,
) -> Result<(), Trouble> {
    let (network, node) = (session.reading.network, session.reading.peer.node());
    let mut comparing = JoinSet::new();
    let mut tick = interval(core.pace.compare);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let due = core.attempts.next_due(network);
        tokio::select! {
            news = pushes.next() => session.take(news?).await?,
            _ = changes.queued.changed() => deliver::deliver(&session.reading).await?,
            () = until(due) => session.hand_on_again().await?,
            _ = changes.lists.changed() => return Ok(()),
            _ = tick.tick() => {
                session.tick().await?;
                if comparing.is_empty() {
                    let core = Arc::clone(core);
                    comparing.spawn(async move { compare(&core, network, Some(node)).await });
                }
            }
            // A comparison that panicked has printed why; the next one begins with the next tick.
            Some(Ok(compared)) = comparing.join_next() => {
                compared?;
            }
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

async fn subscribe(reading: &Reading<'_>) -> Result<(Pushed, Follow, Vec<LogId>), Trouble> {
    let network = reading.network;
    let held = trust::load(reading.core, network).await?.follow();
    let channels = reading.core.read(move |tx| channels::on(tx, network)).await?;
    let asked = channels.iter().map(|channel| channel.log()).collect();
    let logs = channels
        .iter()
        .map(|channel| FollowLog {
            log: channel.log(),
            from: channel.state.length(),
        })
        .collect();
    let watch = if reading.core.is_watched() {
        Watch::HeadsAndBeacons
    } else {
        Watch::Heads
    };
    let pushes = reading.peer.subscribe(logs, held.header().height, watch).await?;
    Ok((pushes, held, asked))
}

impl Session<'_> {
    async fn take(&mut self, news: News) -> Result<(), Trouble> {
        match news {
            News::Entries {
                log,
                from,
                entries,
                proof,
            } => {
                match self.channel(log).await? {
                    Some(channel) => self.take_entries((channel, log), from, entries, *proof).await?,
                    // It was on its way when the conversation was forgotten, or its epoch ended. Its head counts.
                    None => self.take_head(proof.update).await?,
                }
            }
            News::Head(update) => self.take_head(*update).await?,
            News::Beacon(beacon) => {
                trust::beacon(self.reading.core, self.reading.network, self.reading.peer, beacon).await?;
                return Ok(());
            }
            News::Lagged => return catch_up(&self.reading).await,
        }
        self.look_for_expired().await
    }

    /// Messages on their way were not included in time.
    async fn hand_on_again(&self) -> Result<(), Trouble> {
        deliver::deliver(&self.reading).await?;
        let attempts = &self.reading.core.attempts;
        attempts.postpone(self.reading.network, ticks(), Duration::from_secs(1));
        Ok(())
    }

    /// Whose log it is; `None` if it is nobody's any more.
    async fn channel(&self, log: LogId) -> Result<Option<ChannelId>, Trouble> {
        if !self.logs.contains(&log) {
            return Err(Fault::WrongAnswer.into());
        }
        let found = self.reading.core.read(move |tx| channels::find(tx, log)).await?;
        Ok(found.map(|channel| channel.id))
    }

    async fn take_entries(
        &mut self,
        (channel, log): (ChannelId, LogId),
        from: u64,
        entries: Vec<(waxwing_core::log::Place, waxwing_core::envelope::Carried)>,
        proof: HeadProof,
    ) -> Result<(), Trouble> {
        let update = proof.update.clone();
        let Some(target) = self.reading.take_proof(channel, log, self.pushed.id(), proof).await? else {
            // Something else has moved the held head, or has ended this epoch. The push is still held against the one before it.
            self.extend(&update).await?;
            return self.reading.read_log(channel).await;
        };
        self.pushed = target.follow.clone();
        let leaf = target.leaf.ok_or(Fault::WrongAnswer)?;
        let continues = from == target.channel.state.length() && u64::try_from(entries.len()) == Ok(target.missing());
        let went = if continues && !entries.is_empty() {
            let start = &target.channel.state;
            self.reading.store_piece(&target, start, leaf, entries).await?
        } else {
            self.reading.read_up_to(&target).await?
        };
        match went {
            Went::Through => Ok(()),
            Went::Elsewhere | Went::NextLog => self.reading.read_log(channel).await,
        }
    }

    async fn take_head(&mut self, update: HeadUpdate) -> Result<(), Trouble> {
        let (network, base, now) = (self.reading.network, self.pushed.id(), self.reading.core.clock.now());
        let from = self.reading.peer.node();
        let pushed = update.clone();
        let taken = self
            .reading
            .core
            .write(move |tx| trust::take(tx, network, from, base, &update, now))
            .await?;
        match taken {
            Taken::Held(follow) => {
                self.pushed = *follow;
                Ok(())
            }
            Taken::BaseMoved => self.extend(&pushed).await,
            Taken::Refused(fault) => Err(fault.into()),
        }
    }

    /// Holds a push against the one before it, when something else is held by now.
    async fn extend(&mut self, update: &HeadUpdate) -> Result<(), Trouble> {
        let (core, network) = (self.reading.core, self.reading.network);
        let accepted = self.pushed.accept(update, core.clock.now());
        if let Err(FollowError::Fork(evidence)) = &accepted {
            trust::halt(core, network, evidence.clone()).await?;
        }
        accepted.map_err(Fault::Head)?;
        Ok(())
    }

    /// A new head may be the one that proves a message dead.
    async fn look_for_expired(&self) -> Result<(), Trouble> {
        let (network, time) = (self.reading.network, self.pushed.header().time);
        let expired = self
            .reading
            .core
            .read(move |tx| outbox::any_expired(tx, network, time))
            .await?;
        if expired {
            deliver::deliver(&self.reading).await?;
        }
        Ok(())
    }

    /// Every half minute: a node that has not pushed what was held here half a minute ago has stalled.
    async fn tick(&mut self) -> Result<(), Trouble> {
        let (core, network) = (self.reading.core, self.reading.network);
        if self.pushed.header().height < self.ticked {
            return Err(Fault::Stalled.into());
        }
        self.ticked = trust::load(core, network).await?.held.header.height;
        if core.is_watched() {
            light(core, network, self.reading.peer, BEACON_WAIT).await?;
        }
        for channel in core.read(move |tx| channels::on(tx, network)).await? {
            self.reading.ask_for_withheld(channel.id).await?;
        }
        // Changes of groups wait for their time, too.
        deliver::deliver(&self.reading).await?;
        views::compare(&self.reading).await?;
        deliver::reveal(&self.reading).await
    }
}

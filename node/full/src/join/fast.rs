//! Joining before the node runs: climb to a recent certified header, fetch the snapshot at it from whoever has it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use waxwing_core::codec::Encode;
use waxwing_core::genesis::Genesis;
use waxwing_core::policy::PinnedHead;
use waxwing_core::snapshot::{Ascent, Ask, Assembly, Joint, Question};
use waxwing_net::quic::{Connection, Dialer, Identity, RequestError, Shown};
use waxwing_net::wire::{Opaque, Refusal, Request, Response};
use waxwing_store::{ImportError, Store, Tables};

use super::assembling::{Answered, Ends, UNDER_WAY_MAX, Verdict, assemble};
use super::climb::{Fall, climb, connect, expect_no_fork};
use super::sources::{Part, Standing, choose};
use crate::address::NodeAddress;
use crate::clock::Clock;
use crate::config::{Join, NodeConfig};
use crate::directory::Directory;
use crate::faults::UPSTREAM_LIED;
use crate::reach::Unreached;
use crate::sync::{Lie, UpstreamFault};

/// Time for a part to arrive: three megabytes at 200 kB/s.
const PART_TIME: Duration = Duration::from_secs(15);

/// How often it is looked whether somebody who rested can be asked again.
const TICK: Duration = Duration::from_millis(100);

/// Time without a single part that holds, after which joining is given up: somebody has to act.
const STALLED_MS: u64 = 30_000;

/// What a node that may join has.
#[derive(Debug)]
pub(crate) struct Entrance {
    pub(crate) addresses: Vec<NodeAddress>,
    /// A block that the operator vouches for.
    pub(crate) pin: Option<PinnedHead>,
    pub(crate) dialer: Dialer,
    pub(crate) clock: Clock,
}

impl Entrance {
    /// The entrance that a node's settings open; `None` if it begins in full.
    ///
    /// # Errors
    /// If the system gives no socket.
    pub(crate) fn of(directory: &Directory, config: &NodeConfig, clock: &Clock) -> std::io::Result<Option<Self>> {
        // A validator vouches for every block since the genesis: it checks them before it votes.
        if config.join == Join::Full || directory.vote().is_some() {
            return Ok(None);
        }
        let identity = Identity::new(directory.transport());
        Ok(Some(Self {
            addresses: config.upstreams.clone(),
            pin: config.pin,
            dialer: Dialer::new(Shown::Always(identity))?,
            clock: clock.clone(),
        }))
    }
}

/// What was wrong with whom while the node joined: the number of the upstream node, and the fault.
pub(crate) type Faults = Vec<(usize, UpstreamFault)>;

/// Why a node could not join.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum JoinError {
    /// The genesis is so old that the keys of its committee may have leaked since.
    NeedsPin,
    /// The pinned block is so old that the keys of the committee after it may have leaked since.
    OldPin,
    /// Two certified blocks of one height were shown.
    Forked {
        /// The height.
        height: u64,
    },
    /// Nobody sent anything that holds for half a minute.
    Stalled {
        /// What was wrong with each upstream node, in words.
        reasons: Vec<String>,
    },
    /// The store cannot take it.
    Import(ImportError),
    /// A fault of the program.
    Broken,
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeedsPin => f.write_str(
                "the genesis is more than 30 days old, and the keys of its validators may have leaked since: a fast join \
                 would have to trust them. Pin a recent block that somebody you trust has checked (--pin HEIGHT:ID), or \
                 set join = \"full\"",
            ),
            Self::OldPin => f.write_str(
                "the pinned block is more than 30 days old, and the keys of the validators after it may have leaked since: \
                 pin a newer one",
            ),
            Self::Forked { height } => write!(
                f,
                "two certified blocks of height {height} exist: validators broke the rules. Compare with other operators \
                 before joining"
            ),
            Self::Stalled { reasons } => {
                f.write_str("no upstream node sent a snapshot that holds; check `upstreams`, or set join = \"full\"")?;
                reasons.iter().try_for_each(|reason| write!(f, "; {reason}"))
            }
            Self::Import(error) => error.fmt(f),
            Self::Broken => f.write_str("assembling the snapshot panicked: this is a fault of the program, please report it"),
        }
    }
}

impl std::error::Error for JoinError {}

/// Joins a store that has nothing yet, if there is an entrance; then, or if there is nothing to join, gives it back.
pub(crate) async fn at_start<T: Tables>(
    store: Store<T>,
    entrance: Option<Entrance>,
) -> Result<(Store<T>, Faults), JoinError> {
    store
        .discard_import()
        .map_err(|error| JoinError::Import(error.into()))?;
    match entrance.filter(|entrance| store.applied() == 0 && !entrance.addresses.is_empty()) {
        Some(entrance) => Joining::new(entrance, store.genesis()).join(store).await,
        None => Ok((store, Vec::new())),
    }
}

/// A node on its way in.
struct Joining {
    entrance: Arc<Entrance>,
    genesis: Genesis,
    standings: Vec<Standing>,
    connections: Vec<Option<Connection>>,
    faults: Vec<Option<UpstreamFault>>,
    /// Who sent the outline so far: all of it has to come from one source.
    outliner: Option<usize>,
    /// Questions for which there is nobody now.
    waiting: Vec<Question>,
    /// When something held last, by the steady clock.
    progress_ms: u64,
    bytes: usize,
}

/// What came back from one source.
enum Came {
    Dialled(usize, Result<Connection, UpstreamFault>),
    Answer(usize, Question, Result<Response, RequestError>),
}

impl Joining {
    fn new(entrance: Entrance, genesis: &Genesis) -> Self {
        let count = entrance.addresses.len();
        Self {
            progress_ms: entrance.clock.steady_ms(),
            entrance: Arc::new(entrance),
            genesis: genesis.clone(),
            standings: vec![Standing::default(); count],
            connections: vec![None; count],
            faults: vec![None; count],
            outliner: None,
            waiting: Vec::new(),
            bytes: 0,
        }
    }

    fn now_ms(&self) -> u64 {
        self.entrance.clock.steady_ms()
    }

    async fn join<T: Tables>(mut self, store: Store<T>) -> Result<(Store<T>, Faults), JoinError> {
        let started = self.now_ms();
        let Some(assembly) = self.ascend().await? else {
            return Ok((store, self.found()));
        };
        let height = assembly.head().header.height;
        let logs = assembly.head().header.log_count;
        tracing::info!(height, logs, "joining at a certified block");
        let (store, joint) = self.fetch(store, assembly).await?;
        let (took_ms, bytes) = (self.now_ms().saturating_sub(started), self.bytes);
        let oldest = joint.anchors.first().map(|(height, _, _)| *height);
        tracing::info!(
            height,
            logs,
            ?oldest,
            took_ms,
            bytes,
            "joined; what came before is filled in behind"
        );
        Ok((store, self.found()))
    }

    fn found(self) -> Faults {
        let faults = self.faults.into_iter().enumerate();
        faults.filter_map(|(index, fault)| Some((index, fault?))).collect()
    }

    /// Whether nothing has held for so long that somebody has to act.
    fn check_stall(&self) -> Result<(), JoinError> {
        if self.now_ms().saturating_sub(self.progress_ms) < STALLED_MS {
            return Ok(());
        }
        let reasons = self.entrance.addresses.iter().zip(&self.faults);
        let reason = |(address, fault): (&NodeAddress, &Option<UpstreamFault>)| {
            let fault = fault
                .as_ref()
                .map_or_else(|| "it did not answer".to_owned(), ToString::to_string);
            format!("{address}: {fault}")
        };
        Err(JoinError::Stalled {
            reasons: reasons.map(reason).collect(),
        })
    }

    fn fault(&mut self, index: usize, fault: UpstreamFault) {
        let now_ms = self.now_ms();
        let node = self
            .entrance
            .addresses
            .get(index)
            .map(|address| address.node.to_string());
        if fault.is_grave() {
            tracing::warn!(code = UPSTREAM_LIED, node, "upstream node: {fault}");
        }
        if let Some(standing) = self.standings.get_mut(index) {
            standing.is_liar |= fault.is_grave();
            standing.failed(now_ms);
            if let UpstreamFault::Request(RequestError::Closed(_)) | UpstreamFault::Unreached(_) = &fault {
                standing.is_connected = false;
            }
        }
        if let Some(slot) = self.faults.get_mut(index) {
            // What somebody lied about is worth more than that it does not answer now.
            if fault.is_grave() || !slot.as_ref().is_some_and(UpstreamFault::is_grave) {
                *slot = Some(fault);
            }
        }
    }

    /// Dials everybody who is not connected and not resting.
    fn dial(&mut self, flights: &mut JoinSet<Came>) {
        let now_ms = self.now_ms();
        for (index, standing) in self.standings.iter_mut().enumerate() {
            if standing.is_connected || !standing.is_rested(now_ms) || standing.under_way > 0 {
                continue;
            }
            standing.under_way += 1;
            let (entrance, network) = (Arc::clone(&self.entrance), self.genesis.keys().network());
            flights.spawn(async move {
                let dialled = match entrance.addresses.get(index) {
                    Some(address) => connect(&entrance.dialer, address, network).await,
                    None => Err(UpstreamFault::Unreached(Unreached::NoSuchHost)),
                };
                Came::Dialled(index, dialled)
            });
        }
    }

    fn dialled(&mut self, index: usize, dialled: Result<Connection, UpstreamFault>) {
        if let Some(standing) = self.standings.get_mut(index) {
            standing.under_way = standing.under_way.saturating_sub(1);
            standing.is_connected = dialled.is_ok();
        }
        match dialled {
            Ok(connection) => {
                if let Some(slot) = self.connections.get_mut(index) {
                    *slot = Some(connection);
                }
            }
            Err(fault) => self.fault(index, fault),
        }
    }

    /// Climbs to the newest head that anybody shows; `None` if the ledger has no blocks.
    async fn ascend(&mut self) -> Result<Option<Assembly>, JoinError> {
        loop {
            let mut flights = JoinSet::new();
            self.dial(&mut flights);
            while let Some(came) = flights.join_next().await {
                if let Ok(Came::Dialled(index, dialled)) = came {
                    self.dialled(index, dialled);
                }
            }
            let (best, is_empty) = self.climb_all().await?;
            match best {
                Some(best) => return Ok(best.begin()),
                // Somebody says that there is nothing to join yet, and nobody knows better.
                None if is_empty => return Ok(None),
                None => self.check_stall()?,
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// The highest ascent of all, and whether anybody has no blocks.
    async fn climb_all(&mut self) -> Result<(Option<Ascent>, bool), JoinError> {
        let (mut flights, now) = (JoinSet::new(), self.entrance.clock.now_ms());
        for (index, connection) in self.connections.iter().enumerate() {
            let Some(connection) = connection.clone() else { continue };
            let (genesis, pin) = (self.genesis.clone(), self.entrance.pin);
            flights.spawn(async move { (index, climb(&connection, &genesis, pin, now).await) });
        }
        let (mut best, mut is_empty): (Option<Ascent>, bool) = (None, false);
        while let Some(climbed) = flights.join_next().await {
            match climbed {
                Ok((_, Ok(Some(ascent)))) => {
                    expect_no_fork(&self.genesis, best.as_ref(), &ascent)?;
                    if best.as_ref().is_none_or(|best| best.held() < ascent.held()) {
                        best = Some(ascent);
                    }
                }
                Ok((_, Ok(None))) => is_empty = true,
                Ok((_, Err(Fall::Operator(error)))) => return Err(error),
                Ok((index, Err(Fall::Node(fault)))) => self.fault(index, fault),
                Err(_) => return Err(JoinError::Broken),
            }
        }
        Ok((best, is_empty))
    }

    /// Fetches everything, from all sources at once.
    async fn fetch<T: Tables>(&mut self, store: Store<T>, assembly: Assembly) -> Result<(Store<T>, Joint), JoinError> {
        let height = assembly.head().header.height;
        let (questions, mut to_ask) = mpsc::channel(UNDER_WAY_MAX);
        let (answers, answered) = mpsc::channel(UNDER_WAY_MAX);
        let (verdicts, mut judged) = mpsc::unbounded_channel();
        let ends = Ends {
            questions,
            answers: answered,
            verdicts,
        };
        let mut thread =
            tokio::task::spawn_blocking(move || assemble(&store, assembly, ends).map(|joint| (store, joint)));
        let (mut flights, mut ticks) = (JoinSet::new(), tokio::time::interval(TICK));
        loop {
            tokio::select! {
                done = &mut thread => return match done {
                    Ok(Ok((store, Some(joint)))) => Ok((store, joint)),
                    Ok(Ok((_, None))) | Err(_) => Err(JoinError::Broken),
                    Ok(Err(error)) => Err(JoinError::Import(error)),
                },
                Some(question) = to_ask.recv() => self.waiting.push(question),
                Some(verdict) = judged.recv() => self.judged(verdict),
                Some(Ok(came)) = flights.join_next(), if !flights.is_empty() => {
                    if let Some(answered) = self.came(came)
                        && answers.send(answered).await.is_err()
                    {
                        return Err(JoinError::Broken);
                    }
                }
                _ = ticks.tick() => {
                    self.check_stall()?;
                    self.dial(&mut flights);
                }
            }
            self.ask_all(height, &mut flights);
        }
    }

    fn judged(&mut self, verdict: Verdict) {
        let Verdict { source, outcome } = verdict;
        match outcome {
            Ok(()) => {
                self.progress_ms = self.now_ms();
                if let Some(standing) = self.standings.get_mut(source) {
                    standing.delivered();
                }
            }
            Err(error) => self.fault(source, UpstreamFault::Lied(Lie::Snapshot(error))),
        }
    }

    /// Asks what waits, as far as there is somebody to ask.
    fn ask_all(&mut self, height: u64, flights: &mut JoinSet<Came>) {
        let now_ms = self.now_ms();
        for question in std::mem::take(&mut self.waiting) {
            let part = Part::of(&question.ask);
            let preferred = self.outliner.filter(|_| part == Part::Outline);
            let chosen = choose(&self.standings, part, preferred, now_ms);
            let connection = chosen.and_then(|index| self.connections.get(index)?.clone());
            let (Some(index), Some(connection)) = (chosen, connection) else {
                self.waiting.push(question);
                continue;
            };
            if part == Part::Outline {
                self.outliner = Some(index);
            }
            if let Some(standing) = self.standings.get_mut(index) {
                standing.under_way += 1;
            }
            let request = Request::Snapshot {
                height,
                part: question.ask.to_bytes().into(),
            };
            flights.spawn(async move {
                let response = connection.request(&request, PART_TIME).await;
                Came::Answer(index, question, response)
            });
        }
    }

    /// What to tell the thread about something that came.
    fn came(&mut self, came: Came) -> Option<Answered> {
        let (source, question, response) = match came {
            Came::Dialled(index, dialled) => {
                self.dialled(index, dialled);
                return None;
            }
            Came::Answer(source, question, response) => (source, question, response),
        };
        let now_ms = self.now_ms();
        if let Some(standing) = self.standings.get_mut(source) {
            standing.under_way = standing.under_way.saturating_sub(1);
        }
        let answer: Option<Opaque> = match response {
            Ok(Response::Snapshot(answer)) => {
                self.bytes += answer.len();
                Some(answer)
            }
            Ok(_) => {
                self.fault(source, UpstreamFault::Lied(Lie::Nonsense));
                None
            }
            Err(RequestError::Refused(refusal)) => {
                self.refused(source, &question.ask, refusal, now_ms);
                None
            }
            Err(error) => {
                self.fault(source, UpstreamFault::Request(error));
                None
            }
        };
        Some(Answered {
            source,
            question,
            answer,
        })
    }

    /// A refusal is no fault by itself: somebody else may have it.
    fn refused(&mut self, source: usize, ask: &Ask, refusal: Refusal, now_ms: u64) {
        if let Some(standing) = self.standings.get_mut(source) {
            match &refusal {
                Refusal::NotHereYet { .. } => standing.lacks(Part::of(ask)),
                other => match other.retry_after_ms() {
                    Some(pause_ms) => return standing.pause(now_ms, pause_ms),
                    None => standing.failed(now_ms),
                },
            }
        }
        if let Some(slot @ None) = self.faults.get_mut(source) {
            *slot = Some(UpstreamFault::Request(RequestError::Refused(refusal)));
        }
    }
}

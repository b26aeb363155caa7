//! A node that does not order passes envelopes on to one that does, and hands back what *that* node says: an
//! acknowledgement names who promised, and a node must not promise what is not in its hands.
//!
//! Each envelope is checked here first, so nobody can use a follower to throw rubbish at a validator.
//!
//! ```text
//! submitted ── checked ── kept ── validator ── refuses, or is silent ──> the next one
//!                          │          └── takes it ──> final within three blocks or two seconds? else the next one as well
//!                          └── until a block orders it; a node that is given a later one of the same log is given it first
//! ```
//!
//! So one dishonest validator cannot keep an envelope out, however it goes about it: see the bound in the README.

mod kept;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rayon::prelude::*;
use tokio::sync::Notify;
use waxwing_core::envelope::Carried;
use waxwing_core::keys::NodeId;
use waxwing_core::{Hash, Verified};
use waxwing_net::quic::Connection;
use waxwing_net::wire::{Admission, EnvelopeRefusal, List, Opaque, Promise, Refusal, Request, Response};
use waxwing_store::{StoreError, Tables};

use crate::chain::Chain;
use crate::clock::Clock;
use crate::faults::{Fault, Lifeline, NO_VALIDATOR, Seldom};
use crate::intake::{AT_ONCE, Examined, examine};
use crate::sync::Upstreams;
use crate::workers::Workers;

use kept::{Item, Keeping, Kept, Moment, Said, Session};

/// Time for a validator to answer; it takes envelopes in within milliseconds, and another one is waiting.
const PATIENCE: Duration = Duration::from_secs(3);

/// When a sender should try again if nobody who orders can be reached, or there is no room to keep more.
const RETRY_MS: u64 = 2000;

/// For how long a node that was silent, or refused to answer, is asked last.
const PASSED_OVER_MS: u64 = 30_000;

/// How often it is looked whether what is kept is overdue, beside after each block; not at all while nothing is kept.
const TENDING: Duration = Duration::from_millis(250);

/// Bytes and envelopes in one submission: a request takes a megabyte.
const SUBMISSION_BYTES: usize = 900 << 10;
const SUBMISSION_ENVELOPES: usize = 1024;

/// What passes envelopes on.
pub(crate) struct Relay<T> {
    pub(crate) chain: Arc<Chain<T>>,
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) workers: Arc<Workers>,
    pub(crate) clock: Clock,
    pub(crate) lifeline: Lifeline,
    pub(crate) nobody: Seldom,
    pub(crate) memory: Arc<Memory>,
}

/// What a relay remembers.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    kept: Mutex<Kept>,
    /// There is something to look after.
    tend: Notify,
    /// Stamps of envelopes that are being passed on. One that comes back went in a circle among followers.
    under_way: Mutex<HashSet<Hash>>,
    /// Nodes that are asked last, and until when.
    passed_over: Mutex<BTreeMap<NodeId, u64>>,
}

impl Memory {
    /// A block orders these entries: nobody needs them any more.
    pub(crate) fn settle(&self, entries: &[Arc<Verified<Carried>>]) {
        let mut kept = lock(&self.kept);
        if !kept.is_empty() {
            entries
                .iter()
                .for_each(|entry| kept.settle(entry.signed.header.log, &entry.id()));
        }
    }

    /// Says that envelopes are under way from now on; those that are already are left out.
    fn begin(&self, items: Vec<Item>) -> UnderWay<'_> {
        let mut set = lock(&self.under_way);
        let items = items.into_iter().filter(|item| set.insert(item.stamp)).collect();
        UnderWay {
            set: &self.under_way,
            items,
        }
    }
}

/// Envelopes that are under way for as long as this lives.
struct UnderWay<'a> {
    set: &'a Mutex<HashSet<Hash>>,
    items: Vec<Item>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut set = lock(self.set);
        for item in &self.items {
            set.remove(&item.stamp);
        }
    }
}

fn lock<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    // Sets and maps of copies, changed by methods that do not panic half way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const NOBODY: Admission = Admission::Refused(EnvelopeRefusal::NoValidator {
    retry_after_ms: RETRY_MS,
});

const NO_ROOM: Admission = Admission::Refused(EnvelopeRefusal::PoolFull {
    retry_after_ms: RETRY_MS,
});

impl<T: Tables> Relay<T> {
    /// Passes a submission on; one answer per envelope, in order.
    ///
    /// # Errors
    /// If this node has a fault of its own.
    pub(super) async fn take(&self, envelopes: Vec<Opaque>, promise: Promise) -> Result<Vec<Admission>, Refusal> {
        let envelopes = Arc::new(envelopes);
        let examined = self.examine(Arc::clone(&envelopes)).await?;
        let mut admissions = vec![NOBODY; examined.len()];
        let (mut places, mut items) = (BTreeMap::new(), Vec::new());
        let looked = envelopes.iter().zip(examined).zip(&mut admissions).enumerate();
        for (place, ((bytes, examined), admission)) in looked {
            match examined {
                Examined::Fit(candidate) => {
                    places.entry(candidate.stamp).or_insert_with(Vec::new).push(place);
                    items.push(Item {
                        stamp: candidate.stamp,
                        log: candidate.carried.signed.header.log,
                        entry: candidate.carried.id(),
                        envelope: bytes.clone(),
                    });
                }
                Examined::Waits(_) => {}
                Examined::Final { index, height } => *admission = Admission::Final { index, height },
                Examined::Refused(refusal) => *admission = Admission::Refused(refusal),
            }
        }
        for (stamp, answer) in self.keep_and_pass(items, promise).await {
            for place in places.get(&stamp).into_iter().flatten() {
                if let Some(admission) = admissions.get_mut(*place) {
                    *admission = answer.clone();
                }
            }
        }
        Ok(admissions)
    }

    async fn examine(&self, envelopes: Arc<Vec<Opaque>>) -> Result<Vec<Examined>, Refusal> {
        let (chain, now) = (Arc::clone(&self.chain), self.clock.now_ms());
        let job = move || -> Result<Vec<Examined>, StoreError> {
            let examined = envelopes.par_iter().with_min_len(AT_ONCE);
            examined.map(|bytes| examine(&chain, None, bytes, now)).collect()
        };
        match self.workers.run(job).await {
            Some(Ok(examined)) => Ok(examined),
            Some(Err(error)) => {
                self.lifeline.fail(Fault::Store(error));
                Err(Refusal::Broken)
            }
            None => Err(Refusal::Broken),
        }
    }

    /// Keeps envelopes in the order in which they came, and passes them on. Those that are under way already, in a circle or
    /// because their sender is impatient, are answered with nothing.
    async fn keep_and_pass(&self, items: Vec<Item>, promise: Promise) -> BTreeMap<Hash, Admission> {
        let under_way = self.memory.begin(items);
        let now = self.now();
        let (kept, no_room): (Vec<Item>, Vec<Item>) = {
            let mut kept = lock(&self.memory.kept);
            let keep = |item: &Item| kept.keep(item.clone(), now) == Keeping::Kept;
            under_way.items.iter().cloned().partition(keep)
        };
        let mut answers = self.pass(&kept, promise).await;
        answers.extend(no_room.iter().map(|item| (item.stamp, NO_ROOM)));
        let mut memory = lock(&self.memory.kept);
        for item in &kept {
            // Whoever is told that nobody took it has it himself.
            if !memory.is_taken(item) {
                memory.forget(item);
            }
        }
        let has_left = !memory.is_empty();
        drop(memory);
        if has_left {
            self.memory.tend.notify_one();
        }
        answers
    }

    /// Passes envelopes on, each behind what is kept of its log, to one node after the other, until each was taken.
    async fn pass(&self, items: &[Item], promise: Promise) -> BTreeMap<Hash, Admission> {
        let mut answers: BTreeMap<Hash, Admission> = BTreeMap::new();
        let mut left: BTreeMap<Hash, Item> = items.iter().map(|item| (item.stamp, item.clone())).collect();
        for (session, connection) in self.in_turn() {
            if left.is_empty() {
                break;
            }
            let wanted: Vec<Item> = left.values().cloned().collect();
            let outgoing = lock(&self.memory.kept).outgoing(&wanted, &session);
            for batch in batches(outgoing) {
                let Some(said) = self.submit(session, &connection, &batch, promise).await else {
                    break;
                };
                for (item, (admission, is_decided)) in batch.iter().zip(said) {
                    if left.contains_key(&item.stamp) {
                        answers.insert(item.stamp, admission);
                    }
                    if is_decided {
                        left.remove(&item.stamp);
                    }
                }
            }
        }
        if !left.is_empty() && answers.is_empty() && self.nobody.is_due(self.clock.steady_ms()) {
            let envelopes = left.len();
            tracing::warn!(code = NO_VALIDATOR, envelopes, "no node that orders could be reached");
        }
        answers
    }

    /// Gives envelopes to one node. `None` if it does not answer as it should; else each answer, and whether it is the last
    /// word: what one validator refuses another may take, and no more than f of them refuse without a reason.
    async fn submit(
        &self,
        session: Session,
        connection: &Connection,
        batch: &[Item],
        promise: Promise,
    ) -> Option<Vec<(Admission, bool)>> {
        let envelopes = List::new(batch.iter().map(|item| item.envelope.clone()).collect())?;
        let answer = connection
            .request(&Request::Submit { envelopes, promise }, PATIENCE)
            .await;
        let Ok(Response::Submit(admissions)) = answer else {
            self.pass_over(session.0);
            return None;
        };
        if admissions.len() != batch.len() {
            self.pass_over(session.0);
            return None;
        }
        let (now, tolerated) = (self.now(), self.chain.ledger().committee().tolerated());
        let mut kept = lock(&self.memory.kept);
        let judged = batch.iter().zip(admissions).map(|(item, admission)| {
            let said = match &admission {
                Admission::Acknowledged(_) | Admission::Waiting(_) | Admission::Taken => Said::Taken,
                Admission::Final { .. } => Said::Final,
                // That says nothing about the envelope.
                Admission::Refused(EnvelopeRefusal::NoValidator { .. }) => return (admission, false),
                Admission::Refused(_) => Said::Refused,
            };
            let refusals = kept.said(item, session, said, now);
            (admission, said != Said::Refused || refusals > tolerated)
        });
        Some(judged.collect())
    }

    /// Nodes in the order in which they are asked: validators first, and last whoever has just failed.
    fn in_turn(&self) -> Vec<(Session, Connection)> {
        let now = self.clock.steady_ms();
        let mut passed_over = lock(&self.memory.passed_over);
        passed_over.retain(|_, until| *until > now);
        let mut nodes = self.upstreams.sessions();
        nodes.sort_by_key(|((node, _), _)| passed_over.contains_key(node));
        nodes
    }

    fn pass_over(&self, node: NodeId) {
        let until = self.clock.steady_ms() + PASSED_OVER_MS;
        lock(&self.memory.passed_over).insert(node, until);
    }

    fn now(&self) -> Moment {
        Moment {
            height: self.chain.tip().height,
            ms: self.clock.steady_ms(),
        }
    }

    /// Looks after what is kept, until the node stops: gives it to a further node when it is overdue, and to another one when
    /// whoever had it is gone. Sleeps without a timer while nothing is kept.
    pub(crate) async fn tend(self: Arc<Self>) {
        let mut tips = self.chain.tips();
        loop {
            let next = async {
                while lock(&self.memory.kept).is_empty() {
                    self.memory.tend.notified().await;
                }
                // A node that stops ends the wait below; here it is only one look more.
                let _ = tokio::time::timeout(TENDING, tips.changed()).await;
            };
            tokio::select! {
                () = next => self.look().await,
                () = self.lifeline.stopped() => return,
            }
        }
    }

    async fn look(&self) {
        let nodes = self.in_turn();
        let reachable: BTreeSet<Session> = nodes.iter().map(|(session, _)| *session).collect();
        let overdue = lock(&self.memory.kept).overdue(&reachable, self.now());
        let under_way = self.memory.begin(overdue);
        let mut left = under_way.items.clone();
        for (session, connection) in nodes {
            // Only what this one was not given: `outgoing` would repeat what is asked for by name.
            let fresh = lock(&self.memory.kept).ungiven(&left, &session);
            let outgoing = lock(&self.memory.kept).outgoing(&fresh, &session);
            for batch in batches(outgoing) {
                let Some(said) = self.submit(session, &connection, &batch, Promise::Word).await else {
                    break;
                };
                for (item, (_, is_decided)) in batch.iter().zip(said) {
                    if is_decided {
                        left.retain(|one| one.stamp != item.stamp);
                    }
                }
            }
        }
    }
}

/// Cuts envelopes into submissions that fit.
fn batches(items: Vec<Item>) -> Vec<Vec<Item>> {
    let mut batches: Vec<Vec<Item>> = Vec::new();
    let mut bytes = 0;
    for item in items {
        bytes += item.envelope.len();
        match batches.last_mut() {
            Some(batch) if bytes <= SUBMISSION_BYTES && batch.len() < SUBMISSION_ENVELOPES => batch.push(item),
            _ => {
                bytes = item.envelope.len();
                batches.push(vec![item]);
            }
        }
    }
    batches
}

impl<T> std::fmt::Debug for Relay<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Relay")
    }
}

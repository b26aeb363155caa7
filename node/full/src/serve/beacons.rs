//! Beacons: "this is still the newest block at time t", made only while somebody wants to know.
//!
//! A validator asks the others for their statements and puts a quorum of them together; any other node passes the wish on and
//! checks what comes back. However many watch, one beacon a second is made at most: who asks within that second gets the same
//! one or waits for the next.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use waxwing_core::Hash;
use waxwing_core::certificate::{Beacon, beacon_message};
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::committee::Signatures;
use waxwing_core::keys::{Signature, ValidatorId};
use waxwing_core::limits::CLOCK_SKEW_MS;
use waxwing_net::quic::RequestError;
use waxwing_net::wire::{Refusal, Reply, Request, Response};
use waxwing_store::Tables;

use crate::chain::{Chain, Tip};
use crate::clock::Clock;
use crate::faults::Lifeline;
use crate::meter::Meter;
use crate::order::Voter;
use crate::peers::Links;
use crate::sync::Upstreams;

/// Time between two beacons at least.
const BETWEEN_MS: u64 = 1000;

/// How often watchers are told while nothing happens: three times before a head would be called stale.
const PULSE: Duration = Duration::from_secs(10);

/// Time on the way that a wish which is passed on needs beside the time that it may wait.
const MARGIN: Duration = Duration::from_secs(2);

/// Time for a validator to say whether a head is still the newest.
const CONFIRM: Duration = Duration::from_secs(3);

/// How far a time may lie ahead of this machine's clock to be waited for: clocks of machines that are looked after differ by
/// milliseconds, and the asker names the time by its own.
const AHEAD_MS_MAX: u64 = 1000;

/// For how long a head is waited for that another validator holds already: it decides by the same votes.
const DECIDING: Duration = Duration::from_millis(500);

/// Before somebody asks again whether the next block is there yet, although none has come: it may have come to nothing.
const AGAIN: Duration = Duration::from_millis(250);

/// Who makes beacons.
pub(crate) struct Makers<T> {
    /// Whether this node votes, and so collects them.
    pub(crate) votes: watch::Receiver<bool>,
    pub(crate) voter: Arc<Mutex<Voter>>,
    /// The other validators.
    pub(crate) links: Arc<Links<T>>,
    /// Others, who are asked by a node that does not vote.
    pub(crate) upstreams: Arc<Upstreams>,
}

/// Beacons for whoever asks.
pub(crate) struct Beacons<T> {
    chain: Arc<Chain<T>>,
    makers: Makers<T>,
    clock: Clock,
    meter: Arc<Meter>,
    /// The last one. Locked while one is made: whoever waits for the lock finds it.
    last: tokio::sync::Mutex<Option<Beacon>>,
    pulse: watch::Sender<Option<Beacon>>,
    watched: Notify,
}

impl<T: Tables> Beacons<T> {
    pub(crate) fn new(chain: Arc<Chain<T>>, makers: Makers<T>, clock: Clock, meter: Arc<Meter>) -> Self {
        Self {
            chain,
            makers,
            clock,
            meter,
            last: tokio::sync::Mutex::new(None),
            pulse: watch::channel(None).0,
            watched: Notify::new(),
        }
    }

    /// Answers a wish within the time that the asker would wait.
    pub(super) async fn answer(&self, newer_than_ms: u64, wait_ms: u64) -> Reply {
        // Before that time nobody can say so, and waiting for it in vain would only take up a place.
        if newer_than_ms > self.clock.now_ms().saturating_add(wait_ms) {
            return Err(Refusal::NoBeacon);
        }
        let wait = Duration::from_millis(wait_ms);
        let wish = tokio::time::timeout(wait, self.newer_than(newer_than_ms, wait)).await;
        let beacon = wish.ok().flatten().ok_or(Refusal::NoBeacon)?;
        Ok(Response::Beacon(beacon.to_bytes().into()))
    }

    /// A beacon about the newest block here that is newer than a time; `None` if nobody makes one.
    async fn newer_than(&self, newer_than_ms: u64, wait: Duration) -> Option<Beacon> {
        let mut last = self.last.lock().await;
        let mut tips = self.chain.tips();
        loop {
            let tip = *tips.borrow_and_update();
            if let Some(beacon) = last
                .as_ref()
                .filter(|beacon| beacon.time > newer_than_ms && is_about(beacon, &tip))
            {
                return Some(beacon.clone());
            }
            if last.as_ref().is_some_and(|beacon| beacon.height > tip.height) {
                // Somebody is ahead of this node: the beacon will count here when the block does.
                tips.changed().await.ok()?;
                continue;
            }
            let since = last.as_ref().map_or(0, |beacon| beacon.time.saturating_add(BETWEEN_MS));
            self.sleep_until(since.max(newer_than_ms.saturating_add(1))).await;
            match self.make(newer_than_ms, wait).await? {
                Made::Beacon(beacon) => {
                    self.meter.beacons.inc();
                    *last = Some(beacon);
                }
                // The next block is under way: this one may not be called the newest any more.
                Made::NextBlock => {
                    let changed = tokio::time::timeout(AGAIN, tips.changed()).await;
                    changed.unwrap_or(Ok(())).ok()?;
                }
            }
        }
    }

    async fn make(&self, newer_than_ms: u64, wait: Duration) -> Option<Made> {
        if *self.makers.votes.borrow() {
            return self.collect().await;
        }
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let request = Request::Beacon { newer_than_ms, wait_ms };
        let answer = self.makers.upstreams.ask(&request, wait + MARGIN).await;
        let Some(Ok(Response::Beacon(bytes))) = answer else {
            return None;
        };
        self.check(&bytes, newer_than_ms).map(Made::Beacon)
    }

    /// Asks all validators for their statements, this one included, until a quorum has said the same.
    async fn collect(&self) -> Option<Made> {
        let (tip, time) = (self.chain.tip(), self.clock.now_ms());
        let (committee, network) = {
            let ledger = self.chain.ledger();
            (ledger.committee().clone(), ledger.keys().network())
        };
        let (height, head) = (tip.height, tip.id);
        let message = beacon_message(network, height, head, time);
        let mut asked = JoinSet::new();
        for (validator, connection) in self.makers.links.connections() {
            let request = Request::Confirm { height, head, time };
            asked.spawn(async move { (validator, connection.request(&request, CONFIRM).await) });
        }
        let place = |validator: &ValidatorId| committee.members().binary_search(validator).ok();
        let mut statements: BTreeMap<usize, Signature> = BTreeMap::new();
        let own = {
            let voter = lock(&self.makers.voter);
            voter.public().zip(voter.statement(network, (height, head), time))
        };
        statements.extend(own.and_then(|(validator, signature)| Some((place(&validator)?, signature))));
        let mut is_newest = true;
        while statements.len() < committee.quorum() {
            match asked.join_next().await {
                Some(Ok((validator, Ok(Response::Confirm(bytes))))) => {
                    let signature = Signature::from_bytes(&bytes).ok();
                    let signature = signature.filter(|signature| validator.verify(&message, signature).is_ok());
                    statements.extend(place(&validator).zip(signature));
                }
                Some(Ok((_, Err(RequestError::Refused(Refusal::NotTheHead { newest }))))) => {
                    is_newest &= newest <= height;
                }
                Some(_) => {}
                // Somebody has signed the next block, or this validator has: then that one comes soon.
                None => return (own.is_none() || !is_newest).then_some(Made::NextBlock),
            }
        }
        Some(Made::Beacon(Beacon {
            height,
            head,
            time,
            signatures: Signatures::collect(&committee, statements),
        }))
    }

    /// This validator's own statement about a head and a time that somebody names.
    pub(super) async fn confirm(&self, height: u64, head: Hash, time: u64) -> Reply {
        if !*self.makers.votes.borrow() {
            return Err(Refusal::NoValidator);
        }
        let now_ms = self.clock.now_ms();
        if time > now_ms.saturating_add(AHEAD_MS_MAX) {
            return Err(Refusal::TimeAhead { now_ms });
        }
        let mut tips = self.chain.tips();
        // Whether it comes or not is looked at below.
        let _ = tokio::time::timeout(DECIDING, tips.wait_for(|tip| tip.height >= height)).await;
        // A statement is about now, or about a time when this block was there already. Never about a time to come.
        self.sleep_until(time).await;
        let tip = self.chain.tip();
        if (tip.height, tip.id) != (height, head) {
            return Err(Refusal::NotTheHead { newest: tip.height });
        }
        if time < tip.time || time > self.clock.now_ms() {
            return Err(Refusal::Contradiction);
        }
        let network = self.chain.store().keys().network();
        let signature = lock(&self.makers.voter).statement(network, (height, head), time);
        // Signed already: the next block is under way.
        let signature = signature.ok_or(Refusal::NotTheHead { newest: height + 1 })?;
        Ok(Response::Confirm(signature.to_bytes().into()))
    }

    /// The same at a time of its own: the time, then the signature.
    pub(super) fn statement(&self, height: u64, head: Hash) -> Reply {
        let tip = self.chain.tip();
        if !*self.makers.votes.borrow() {
            return Err(Refusal::NoValidator);
        }
        if (tip.height, tip.id) != (height, head) {
            return Err(Refusal::NotTheHead { newest: tip.height });
        }
        let (network, time) = (self.chain.store().keys().network(), self.clock.now_ms());
        let signature = lock(&self.makers.voter).statement(network, (height, head), time);
        let signature = signature.ok_or(Refusal::NotTheHead { newest: height + 1 })?;
        let mut statement = time.to_be_bytes().to_vec();
        signature.encode(&mut statement);
        Ok(Response::Statement(statement.into()))
    }

    /// What came back counts only if a quorum signed it, it is what was asked for, and this clock does not contradict it.
    fn check(&self, bytes: &[u8], newer_than_ms: u64) -> Option<Beacon> {
        let beacon = Beacon::from_bytes(bytes).ok()?;
        let is_timely = beacon.time > newer_than_ms && beacon.time <= self.clock.now_ms().saturating_add(CLOCK_SKEW_MS);
        let ledger = self.chain.ledger();
        let verified = beacon.verify(ledger.committee(), ledger.keys().network()).is_ok();
        (is_timely && verified).then_some(beacon)
    }

    async fn sleep_until(&self, time_ms: u64) {
        let left = time_ms.saturating_sub(self.clock.now_ms());
        tokio::time::sleep(Duration::from_millis(left)).await;
    }

    /// Beacons for somebody who watches; they come while nothing else happens.
    pub(super) fn watch(&self) -> watch::Receiver<Option<Beacon>> {
        let pulse = self.pulse.subscribe();
        self.watched.notify_one();
        pulse
    }

    /// Gives watchers beacons until the node stops. Sleeps without a timer while nobody watches.
    pub(crate) async fn beat(self: Arc<Self>, lifeline: Lifeline) {
        loop {
            let wait = async {
                if self.pulse.receiver_count() == 0 {
                    self.watched.notified().await;
                }
                tokio::time::sleep(PULSE).await;
            };
            tokio::select! {
                () = wait => {}
                () = lifeline.stopped() => return,
            }
            let quiet_since = self
                .clock
                .now_ms()
                .saturating_sub(PULSE.as_millis().try_into().unwrap_or(0));
            // A block since then is newer word than any beacon about the one before.
            if self.pulse.receiver_count() > 0 && self.chain.tip().time < quiet_since {
                let wish = tokio::time::timeout(PULSE, self.newer_than(quiet_since, PULSE)).await;
                if let Ok(Some(beacon)) = wish {
                    self.pulse.send_replace(Some(beacon));
                }
            }
        }
    }
}

/// What came of trying to make a beacon.
enum Made {
    Beacon(Beacon),
    NextBlock,
}

/// Whether a beacon says that this block is the newest.
pub(super) fn is_about(beacon: &Beacon, tip: &Tip) -> bool {
    (beacon.height, beacon.head) == (tip.height, tip.id)
}

fn lock(voter: &Mutex<Voter>) -> MutexGuard<'_, Voter> {
    // A key and what was noted beside it, changed by single assignments.
    voter.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> std::fmt::Debug for Beacons<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Beacons")
    }
}

//! Beacons: "this is still the newest block at time t", made only while somebody wants to know.
//!
//! A validator signs one itself; any other node passes the wish on and checks what comes back. However many watch, one
//! beacon a second is made at most: who asks within that second gets the same one or waits for the next.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use waxwing_core::certificate::Beacon;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::limits::CLOCK_SKEW_MS;
use waxwing_net::wire::{Refusal, Reply, Request, Response};
use waxwing_store::Tables;

use crate::chain::{Chain, Tip};
use crate::clock::Clock;
use crate::faults::Lifeline;
use crate::meter::Meter;
use crate::order::Voter;
use crate::sync::Upstreams;

/// Time between two beacons at least.
const BETWEEN_MS: u64 = 1000;

/// How often watchers are told while nothing happens: three times before a head would be called stale.
const PULSE: Duration = Duration::from_secs(10);

/// Time on the way that a wish which is passed on needs beside the time that it may wait.
const MARGIN: Duration = Duration::from_secs(2);

/// Who makes beacons.
pub(crate) enum Source {
    /// This node: it is the committee.
    Own(Arc<Mutex<Voter>>),
    /// Others, who are asked.
    Upstreams(Arc<Upstreams>),
}

/// Beacons for whoever asks.
pub(crate) struct Beacons<T> {
    chain: Arc<Chain<T>>,
    source: Source,
    clock: Clock,
    meter: Arc<Meter>,
    /// The last one. Locked while one is made: whoever waits for the lock finds it.
    last: tokio::sync::Mutex<Option<Beacon>>,
    pulse: watch::Sender<Option<Beacon>>,
    watched: Notify,
}

impl<T: Tables> Beacons<T> {
    pub(crate) fn new(chain: Arc<Chain<T>>, source: Source, clock: Clock, meter: Arc<Meter>) -> Self {
        Self {
            chain,
            source,
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
                Made::NextBlock => tips.changed().await.ok()?,
            }
        }
    }

    async fn make(&self, newer_than_ms: u64, wait: Duration) -> Option<Made> {
        match &self.source {
            Source::Own(voter) => {
                let tip = self.chain.tip();
                let (committee, network) = {
                    let ledger = self.chain.ledger();
                    (ledger.committee().clone(), ledger.keys().network())
                };
                let now = self.clock.now_ms();
                let voter = voter.lock().unwrap_or_else(PoisonError::into_inner);
                let beacon = voter.beacon(&committee, network, (tip.height, tip.id), now);
                Some(beacon.map_or(Made::NextBlock, Made::Beacon))
            }
            Source::Upstreams(upstreams) => {
                let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                let request = Request::Beacon { newer_than_ms, wait_ms };
                let Some(Ok(Response::Beacon(bytes))) = upstreams.ask(&request, wait + MARGIN).await else {
                    return None;
                };
                self.check(&bytes, newer_than_ms).map(Made::Beacon)
            }
        }
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

impl<T> std::fmt::Debug for Beacons<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Beacons")
    }
}

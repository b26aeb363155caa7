//! One subscription: pushes what is new, each time with the proof that it is, for as long as the other side listens.
//!
//! Every pushed head proves that it extends the one pushed before, so a subscriber needs no other request to stay up to
//! date. What it is shown of a log goes exactly as far as the head that comes with it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use tokio::sync::{broadcast, watch};
use waxwing_core::certificate::Beacon;
use waxwing_core::codec::Encode;
use waxwing_core::keys::LogId;
use waxwing_net::quic::{Gone, Pushes, Responder};
use waxwing_net::wire::{Bodies, FollowLog, Opaque, Push, Refusal, Watch};
use waxwing_store::{StoreError, Tables};

use super::Serving;
use super::beacons::is_about;
use super::content::{self, page};
use super::subscribers::Registered;
use crate::chain::{Chain, Tip};
use crate::erasures::Revealed;

/// Entries and bytes in one push: a slow line gets something every few seconds.
const PUSH_ENTRIES: NonZeroU32 = NonZeroU32::new(1024).expect("1024 is not zero");
const PUSH_BYTES: NonZeroU32 = NonZeroU32::new(1 << 20).expect("a million is not zero");

/// An open subscription.
pub(super) struct Subscription<T> {
    serving: Arc<Serving<T>>,
    registered: Registered,
    /// First index of each log that the subscriber does not have.
    next: HashMap<LogId, u64>,
    /// Height of the head that the subscriber holds.
    shown: u64,
    watch: Watch,
    pushes: Pushes,
}

/// Why a subscription is over.
enum End {
    /// The subscriber went, or does not read.
    Gone,
    /// This node ends it.
    Refused(Refusal),
}

impl From<Gone> for End {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

/// What a subscriber asks for.
pub(super) struct Wanted {
    pub(super) logs: Vec<FollowLog>,
    /// Height of the head that the subscriber holds.
    pub(super) held: u64,
    pub(super) watch: Watch,
}

/// Opens a subscription and serves it until one side ends it.
pub(super) async fn serve<T: Tables>(serving: Arc<Serving<T>>, address: IpAddr, wanted: Wanted, responder: Responder) {
    let Wanted { logs, held, watch } = wanted;
    let next: HashMap<LogId, u64> = logs.iter().map(|follow| (follow.log, follow.from)).collect();
    let registered = match serving.subscribers.register(address, next.keys().copied().collect()) {
        Ok(registered) => registered,
        Err(refusal) => return responder.refuse(refusal).await,
    };
    let Ok(pushes) = responder.subscribe().await else {
        return;
    };
    serving.meter.subscriptions.inc();
    let meter = Arc::clone(&serving.meter);
    let mut subscription = Subscription {
        serving,
        registered,
        next,
        shown: held,
        watch,
        pushes,
    };
    let end = subscription.run().await;
    meter.subscriptions.dec();
    if let End::Refused(refusal) = end {
        subscription.pushes.end(refusal).await;
    }
}

/// What woke a subscription up.
enum Event {
    Entries,
    Head,
    Beacon,
    Revealed(Result<Revealed, broadcast::error::RecvError>),
    Reported(Result<Opaque, broadcast::error::RecvError>),
    End(End),
}

/// Where a subscription hears of what is new.
struct Ears {
    tips: watch::Receiver<Tip>,
    beacons: Option<watch::Receiver<Option<Beacon>>>,
    revealed: Option<broadcast::Receiver<Revealed>>,
    reported: Option<broadcast::Receiver<Opaque>>,
}

impl<T: Tables> Subscription<T> {
    async fn run(&mut self) -> End {
        match self.listen().await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn listen(&mut self) -> Result<Infallible, End> {
        let copies = self.watch == Watch::Ledger;
        let mut ears = Ears {
            tips: self.serving.chain.tips(),
            beacons: (self.watch == Watch::HeadsAndBeacons).then(|| self.serving.beacons.watch()),
            revealed: if copies {
                Some(self.follow_revealed().await?)
            } else {
                None
            },
            reported: if copies {
                Some(self.follow_reported().await?)
            } else {
                None
            },
        };
        let mut event = Event::Entries;
        loop {
            match event {
                Event::Entries | Event::Head => self.push_news(&mut ears.tips).await?,
                Event::Beacon => self.push_beacon(ears.beacons.as_mut()).await?,
                Event::Revealed(Ok(one)) => self.push_revealed(vec![one]).await?,
                // Too many at once: the recent ones again, which hold what was missed.
                Event::Revealed(Err(_)) => ears.revealed = Some(self.follow_revealed().await?),
                Event::Reported(Ok(one)) => self.push_reported(vec![one]).await?,
                Event::Reported(Err(_)) => ears.reported = Some(self.follow_reported().await?),
                Event::End(end) => return Err(end),
            }
            event = self.wait(&mut ears).await;
        }
    }

    /// Tells the secrets that were revealed lately, and goes on with those that will be.
    async fn follow_revealed(&mut self) -> Result<broadcast::Receiver<Revealed>, Gone> {
        let (spread, recent) = self.serving.erasures.follow();
        self.push_revealed(recent).await?;
        Ok(spread)
    }

    /// The same with evidence.
    async fn follow_reported(&mut self) -> Result<broadcast::Receiver<Opaque>, Gone> {
        let (spread, known) = self.serving.reports.follow();
        self.push_reported(known).await?;
        Ok(spread)
    }

    async fn wait(&mut self, ears: &mut Ears) -> Event {
        // Without a head that can be shown nothing is looked at, or this would go round and round until there is one.
        let can_show = self.can_show(&ears.tips.borrow());
        tokio::select! {
            () = self.registered.due.some(), if can_show => Event::Entries,
            _ = ears.tips.changed(), if self.watch != Watch::Logs || !can_show => Event::Head,
            _ = changed(&mut ears.beacons) => Event::Beacon,
            one = received(&mut ears.revealed) => Event::Revealed(one),
            one = received(&mut ears.reported) => Event::Reported(one),
            () = self.pushes.gone() => Event::End(End::Gone),
            () = self.serving.lifeline.stopped() => Event::End(End::Refused(self.serving.refusal())),
        }
    }

    /// Whether there is a head to show: block 0 has no certificate, and the subscriber's own may be newer than this node's.
    fn can_show(&self, tip: &Tip) -> bool {
        tip.height >= self.shown.max(1)
    }

    /// Pushes the entries that are due, then the head, if that is news by itself.
    async fn push_news(&mut self, tips: &mut watch::Receiver<Tip>) -> Result<(), End> {
        let tip = *tips.borrow_and_update();
        if !self.can_show(&tip) {
            return Ok(());
        }
        while let Some(log) = self.registered.due.take() {
            self.push_entries(log).await?;
        }
        if self.watch == Watch::Logs || tip.height <= self.shown {
            return Ok(());
        }
        // One push, unless more terms have passed than one message leads over.
        while self.shown < tip.height {
            let (held, newest) = (self.shown, tip.height);
            let update = self.read(move |chain| chain.store().head_update(held, newest)).await?;
            let Some(update) = update else { break };
            self.push(&Push::Head(update.to_bytes().into())).await?;
            self.shown = update.head.header.height;
        }
        Ok(())
    }

    /// Pushes one page of a log, and notes the log again if that was not all.
    async fn push_entries(&mut self, log: LogId) -> Result<(), End> {
        let (from, held) = (self.next.get(&log).copied().unwrap_or(0), self.shown);
        let found = self.read(move |chain| news_of(chain, log, from, held)).await?;
        let Some(News {
            push,
            next,
            length,
            head,
        }) = found
        else {
            return Ok(());
        };
        self.push(&push).await?;
        self.shown = head;
        self.next.insert(log, next);
        if next < length {
            self.registered.due.add(log);
        }
        Ok(())
    }

    async fn push_beacon(&mut self, beacons: Option<&mut watch::Receiver<Option<Beacon>>>) -> Result<(), End> {
        let beacon = beacons.and_then(|beacons| beacons.borrow_and_update().clone());
        let tip = self.serving.chain.tip();
        // About any other head than the one that the subscriber holds it would say nothing to it.
        if let Some(beacon) = beacon.filter(|beacon| is_about(beacon, &tip) && tip.height == self.shown) {
            self.push(&Push::Beacon(beacon.to_bytes().into())).await?;
        }
        Ok(())
    }

    async fn push_revealed(&mut self, revealed: Vec<Revealed>) -> Result<(), Gone> {
        for Revealed { log, index, secret } in revealed {
            self.push(&Push::Revealed { log, index, secret }).await?;
        }
        Ok(())
    }

    async fn push_reported(&mut self, reported: Vec<Opaque>) -> Result<(), Gone> {
        for evidence in reported {
            self.push(&Push::Reported(evidence)).await?;
        }
        Ok(())
    }

    async fn push(&mut self, push: &Push) -> Result<(), Gone> {
        self.serving.meter.pushes.inc();
        self.pushes.send(push).await
    }

    async fn read<V: Send + 'static>(
        &self,
        read: impl FnOnce(&Chain<T>) -> Result<V, StoreError> + Send + 'static,
    ) -> Result<V, End> {
        self.serving.read_value(read).await.map_err(End::Refused)
    }
}

/// Never, if nobody watches or no more beacons come.
async fn changed(beacons: &mut Option<watch::Receiver<Option<Beacon>>>) {
    if let Some(beacons) = beacons
        && beacons.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

/// Never, if it is not asked for.
async fn received<V: Clone>(told: &mut Option<broadcast::Receiver<V>>) -> Result<V, broadcast::error::RecvError> {
    match told {
        Some(told) => told.recv().await,
        None => std::future::pending().await,
    }
}

/// Entries to push.
struct News {
    push: Push,
    /// First index after them.
    next: u64,
    /// Length of the log under the head that proves them.
    length: u64,
    /// Height of that head.
    head: u64,
}

/// What a log has beyond an index, and the proof, for a subscriber that holds the head at `held`.
fn news_of<T: Tables>(chain: &Chain<T>, log: LogId, from: u64, held: u64) -> Result<Option<News>, StoreError> {
    let proof = {
        let ledger = chain.ledger();
        chain.store().head_proof(&ledger, &log, held)?
    };
    let Some(proof) = proof else { return Ok(None) };
    // Not the newest one if more terms have passed than one message leads over.
    let head = proof.update.head.header.height;
    let length = proof.log.leaf.map_or(0, |leaf| leaf.length);
    if length <= from {
        return Ok(None);
    }
    let wanted = content::Wanted {
        from,
        count: PUSH_ENTRIES,
        bytes: PUSH_BYTES,
        bodies: Bodies::With,
    };
    let Ok(entries) = page(chain, &log, length, wanted)? else {
        return Ok(None);
    };
    let count = u64::try_from(entries.entries.len()).unwrap_or(0);
    Ok(Some(News {
        next: from.saturating_add(count),
        length,
        head,
        push: Push::Entries {
            log,
            entries,
            proof: proof.to_bytes().into(),
        },
    }))
}

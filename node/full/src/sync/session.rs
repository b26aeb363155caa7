//! One upstream node: connect, compare networks, follow its heads, hear of erasures; and again, when it is over.
//!
//! Heads are followed with the light client's own state machine, at all upstream nodes at once. That costs half a
//! kilobyte per block and node, and a node that holds blocks back is noticed by comparison with the others.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use waxwing_core::certificate::{Certificate, Head};
use waxwing_core::codec::Decode;
use waxwing_core::committee::Committee;
use waxwing_core::follow::{Follow, FollowError, HeadUpdate, Held};
use waxwing_core::ladder::Ladder;
use waxwing_net::quic::{Connection, Dialer, Subscription};
use waxwing_net::wire::{List, Push, Request, Response, Status, Watch};
use waxwing_store::Tables;

use super::copy::first_block;
use super::faults::{Lie, UpstreamFault};
use super::{Copying, Stop};
use crate::erasures::Revealed;
use crate::reach::{Unreached, reach};

/// Time for a handshake, and for an answer that needs no disk.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks at a node that is behind. It shows no head until it has passed the one held here.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// First and longest wait before a node is called again.
const SHORTEST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Waits that double, with jitter: a thousand followers of a node that restarts come back spread out.
fn waits() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(SHORTEST_WAIT)
        .with_max_delay(LONGEST_WAIT)
        .with_jitter()
        .without_max_times()
        .build()
}

/// Stays with one upstream node until this node stops.
pub(super) async fn attend<T: Tables>(copying: Arc<Copying<T>>, dialer: Arc<Dialer>, index: usize) {
    let mut waits = waits();
    let mut votes = copying.votes.clone();
    loop {
        // Whoever votes decides blocks itself; whoever does not any more goes on here.
        tokio::select! {
            follows = votes.wait_for(|votes| !votes) => if follows.is_err() { return },
            () = copying.lifeline.stopped() => return,
        }
        let before = copying.clock.steady_ms();
        tokio::select! {
            outcome = converse(&copying, &dialer, index) => match outcome {
                Ok(Stop) => return,
                Err(fault) => copying.fault(index, &fault),
            },
            _ = votes.wait_for(|votes| *votes) => {}
        }
        copying.upstreams.disconnected(index);
        // Whoever was of use for a while is tried again soon.
        if copying.clock.steady_ms().saturating_sub(before) > 60_000 {
            waits = self::waits();
        }
        tokio::select! {
            () = tokio::time::sleep(waits.next().unwrap_or(LONGEST_WAIT)) => {}
            () = copying.lifeline.stopped() => return,
        }
    }
}

async fn converse<T: Tables>(copying: &Arc<Copying<T>>, dialer: &Dialer, index: usize) -> Result<Stop, UpstreamFault> {
    let connection = tokio::select! {
        connection = connect(copying, dialer, index) => connection?,
        () = copying.lifeline.stopped() => return Ok(Stop),
    };
    let status = status(&connection).await?;
    if status.network != copying.chain.store().keys().network() {
        return Err(UpstreamFault::OtherNetwork);
    }
    compare_older(copying, &connection, &status).await;
    let follow = follow(copying);
    let subscription = subscribe(&connection, follow.header().height).await?;
    copying.upstreams.connected(index, &connection, status.role);
    listen(copying, index, &connection, follow, subscription, status.height).await
}

/// A node that is behind shows no newer head, and may be behind in another history: its head is compared with the block
/// that is held here at that height.
async fn compare_older<T: Tables>(copying: &Copying<T>, connection: &Connection, status: &Status) {
    if status.height == 0 || status.height > copying.chain.tip().height {
        return;
    }
    let store = copying.chain.store();
    if matches!(store.header(status.height), Ok(Some(header)) if header.id(store.keys()) != status.head)
        && let Ok(theirs) = first_block(connection, status.height).await
    {
        copying.contradicts(theirs.head);
    }
}

async fn connect<T: Tables>(copying: &Copying<T>, dialer: &Dialer, index: usize) -> Result<Connection, UpstreamFault> {
    let address = copying.upstreams.addresses().get(index);
    let address = address.ok_or(UpstreamFault::Unreached(Unreached::NoSuchHost))?;
    reach(dialer, address, PATIENCE).await.map_err(UpstreamFault::Unreached)
}

async fn status(connection: &Connection) -> Result<Box<Status>, UpstreamFault> {
    match connection.request(&Request::Status, PATIENCE).await {
        Ok(Response::Status(status)) => Ok(status),
        Ok(_) => Err(UpstreamFault::Lied(Lie::Nonsense)),
        Err(error) => Err(UpstreamFault::Request(error)),
    }
}

/// Follows from the head that is true here.
pub(super) fn follow<T: Tables>(copying: &Copying<T>) -> Follow {
    let ledger = copying.chain.ledger();
    let header = ledger.head().clone();
    let held = Held {
        committee: ledger.committee().clone(),
        former: former(ledger.ladder(), header.height),
        confirmed: header.time,
        certificate: certificate(copying, header.height),
        header,
        halted: None,
    };
    Follow::resume(ledger.keys().clone(), held)
}

/// Who certified the head, if it was the last of its term.
fn former(ladder: &Ladder, head: u64) -> Option<Committee> {
    (ladder.from() > head).then(|| ladder.at(head).clone())
}

/// Without it there is no portable evidence of a fork, and nothing else is missing.
fn certificate<T: Tables>(copying: &Copying<T>, height: u64) -> Option<Certificate> {
    let head = copying.chain.store().certified(height).ok().flatten();
    head.map(|head| head.certificate)
}

async fn subscribe(connection: &Connection, held: u64) -> Result<Subscription, UpstreamFault> {
    let request = Request::Subscribe {
        logs: List::EMPTY,
        held,
        watch: Watch::Ledger,
    };
    connection
        .subscribe(&request, PATIENCE)
        .await
        .map_err(UpstreamFault::Request)
}

async fn listen<T: Tables>(
    copying: &Arc<Copying<T>>,
    index: usize,
    connection: &Connection,
    mut follow: Follow,
    mut subscription: Subscription,
    mut shown: u64,
) -> Result<Stop, UpstreamFault> {
    loop {
        let is_behind = shown < follow.header().height;
        let push = tokio::select! {
            push = subscription.next() => push.map_err(UpstreamFault::Request)?,
            () = tokio::time::sleep(LOOK_AGAIN), if is_behind => {
                let status = status(connection).await?;
                compare_older(copying, connection, &status).await;
                shown = status.height;
                continue;
            }
            () = copying.lifeline.stopped() => {
                connection.close();
                return Ok(Stop);
            }
        };
        match push {
            Some(Push::Head(update)) => {
                let update = HeadUpdate::from_bytes(&update).map_err(|_| UpstreamFault::Lied(Lie::Nonsense))?;
                // Time 0: a full node checks every block since the genesis, so no head is too old to go on from.
                if let Err(error) = follow.accept(&update, 0) {
                    return Err(refused(copying, connection, &update.head, error).await);
                }
                shown = follow.header().height;
                copying.upstreams.announced(index, update.head);
                copying.compare();
            }
            Some(Push::Revealed { log, index, secret }) => {
                copying.erasures.heard_later(Revealed { log, index, secret })
            }
            Some(Push::Beacon(_) | Push::Lagged { .. }) => {}
            Some(Push::Reported(evidence)) => {
                // Evidence about a term that this node has not reached proves nothing here yet; it comes with a block then.
                copying.reports.take(&evidence, &copying.chain.ledger());
            }
            Some(Push::Entries { .. } | Push::Order(_)) => return Err(UpstreamFault::Lied(Lie::Nonsense)),
            Some(Push::Ended(refusal)) => return Err(UpstreamFault::Ended(Some(refusal))),
            None => return Err(UpstreamFault::Ended(None)),
        }
    }
}

/// A head that does not continue what is held here is a lie, or, if the committee certified it, a fork: then the node
/// stops copying and keeps the evidence.
pub(super) async fn refused<T: Tables>(
    copying: &Copying<T>,
    connection: &Connection,
    offered: &Head,
    error: FollowError,
) -> UpstreamFault {
    match &error {
        FollowError::Fork(evidence) => copying.halt(evidence),
        FollowError::NotExtending(_) => {
            let (keys, committee) = copying.certifiers();
            // Only a certified head is worth a further question.
            if offered.clone().verify(&keys, &committee).is_ok()
                && let Ok(theirs) = first_block(connection, copying.chain.tip().height).await
            {
                copying.contradicts(theirs.head);
            }
        }
        _ => {}
    }
    UpstreamFault::Lied(Lie::Head(error))
}

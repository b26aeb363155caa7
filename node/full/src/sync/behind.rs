//! A validator that is behind copies from one that is ahead, as a follower does, over the link that they have anyway.
//!
//! The thread that orders says when, and from whom: it hears how far the others are, and does not ask before it is clear that
//! it will not decide the next block by itself. What is copied is checked and applied like everything else.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use waxwing_core::codec::Decode;
use waxwing_core::follow::HeadUpdate;
use waxwing_core::keys::NodeId;
use waxwing_net::quic::{Connection, RequestError};
use waxwing_net::wire::{Request, Response};
use waxwing_store::Tables;

use super::Copying;
use super::check::Absent;
use super::copy::{Trouble, look_for_fork, run};
use super::faults::{Lie, UpstreamFault};
use super::session::{follow, refused};
use crate::faults::UPSTREAM_LOST;

/// Time for an answer that needs no disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whom a validator that is behind asks now, and whom next.
#[derive(Debug, Default)]
pub(crate) struct CatchingUp {
    is_running: AtomicBool,
    next: Mutex<Option<(Connection, usize)>>,
    /// Somebody may stand there as the next.
    news: Notify,
}

impl CatchingUp {
    /// Who comes next; if nobody does, the run is over.
    fn whom(&self) -> Option<(Connection, usize)> {
        let mut next = super::lock(&self.next);
        let whom = next.take();
        // Under the lock: whoever is named after this begins a new run.
        self.is_running.store(whom.is_some(), Ordering::Relaxed);
        whom
    }

    /// Waits until there is somebody else to be asked.
    async fn somebody_else(&self) {
        while super::lock(&self.next).is_none() {
            self.news.notified().await;
        }
    }
}

/// Nodes that lacked a body of a block, and its height.
#[derive(Debug, Default)]
pub(crate) struct Lacking {
    height: u64,
    by: BTreeSet<NodeId>,
}

impl<T: Tables> Copying<T> {
    /// Copies what another validator has and this one lacks. One such run at a time. Whoever is named while one is under
    /// way comes next, and at once if the one before has not even answered: a validator that has just died is as far as the
    /// others, and waiting for it would keep the whole committee waiting. `others` is how many could be asked.
    pub(crate) fn catch_up(self: &Arc<Self>, connection: Connection, others: usize) {
        if self.is_halted() {
            return;
        }
        let mut next = super::lock(&self.catching_up.next);
        *next = Some((connection, others));
        self.catching_up.news.notify_one();
        let is_running = self.catching_up.is_running.swap(true, Ordering::Relaxed);
        drop(next);
        if is_running {
            return;
        }
        let copying = Arc::clone(self);
        tokio::spawn(async move {
            while let Some((connection, others)) = copying.catching_up.whom() {
                copying.try_with(&connection, others).await;
            }
        });
    }

    async fn try_with(self: &Arc<Self>, connection: &Connection, others: usize) {
        let outcome = tokio::select! {
            outcome = self.copy_from(connection, others) => outcome,
            () = self.lifeline.stopped() => Err(Trouble::Stopped),
        };
        match outcome {
            Ok(()) | Err(Trouble::Stopped) => {}
            Err(Trouble::Own(fault)) => self.lifeline.fail(fault),
            Err(Trouble::Upstream(fault)) => {
                look_for_fork(self, connection, &fault).await;
                self.blame(connection, &fault);
            }
        }
    }

    async fn copy_from(self: &Arc<Self>, connection: &Connection, others: usize) -> Result<(), Trouble> {
        let mut follow = follow(self);
        let held = follow.header().height;
        let request = Request::Head { held };
        let answer = tokio::select! {
            answer = connection.request(&request, PATIENCE) => answer,
            () = self.catching_up.somebody_else() => Err(RequestError::TimedOut),
        };
        let update = match answer {
            Ok(Response::Head(update)) => HeadUpdate::from_bytes(&update).ok(),
            Ok(_) => None,
            Err(error) => return Err(UpstreamFault::Request(error).into()),
        };
        let update = update.ok_or(UpstreamFault::Lied(Lie::Nonsense))?;
        // Time 0: a full node checks every block since the genesis, so no head is too old to go on from.
        if let Err(error) = follow.accept(&update, 0) {
            return Err(refused(self, connection, &update.head, error).await.into());
        }
        self.upstreams.note_time(update.head.header.time);
        while self.chain.tip().height < update.head.header.height {
            let next = self.chain.tip().height + 1;
            let absent = if self.is_lacked_by(next, others) {
                Absent::AcceptedAt(next)
            } else {
                Absent::Refused
            };
            run(self, connection, (next, update.head.header.height), absent).await?;
        }
        Ok(())
    }

    /// Whether so many nodes lack a body of this block that waiting for it would be waiting for ever.
    fn is_lacked_by(&self, height: u64, others: usize) -> bool {
        let lacking = super::lock(&self.lacking);
        lacking.height == height && lacking.by.len() >= others.max(1)
    }

    fn blame(&self, connection: &Connection, fault: &UpstreamFault) {
        if let UpstreamFault::Withholds { height, .. } = fault {
            let mut lacking = super::lock(&self.lacking);
            if lacking.height != *height {
                *lacking = Lacking {
                    height: *height,
                    by: BTreeSet::new(),
                };
            }
            lacking.by.insert(connection.node());
        }
        self.meter.upstream_fault(fault.name());
        tracing::warn!(code = UPSTREAM_LOST, node = %connection.node(), "catching up: {fault}");
    }
}

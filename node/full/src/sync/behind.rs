//! A validator that is behind copies from one that is ahead, as a follower does, over the link that they have anyway.
//!
//! The thread that orders says when, and from whom: it hears how far the others are, and does not ask before it is clear that
//! it will not decide the next block by itself. What is copied is checked and applied like everything else.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use waxwing_core::codec::Decode;
use waxwing_core::follow::HeadUpdate;
use waxwing_core::keys::NodeId;
use waxwing_net::quic::Connection;
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

/// Nodes that lacked a body of a block, and its height.
#[derive(Debug, Default)]
pub(crate) struct Lacking {
    height: u64,
    by: BTreeSet<NodeId>,
}

impl<T: Tables> Copying<T> {
    /// Copies what another validator has and this one lacks. One such run at a time; whoever is told that one is under way
    /// will ask again if it is still needed then. `others` is how many could be asked.
    pub(crate) fn catch_up(self: &Arc<Self>, connection: Connection, others: usize) {
        if self.is_halted() || self.is_catching_up.swap(true, Ordering::Relaxed) {
            return;
        }
        let copying = Arc::clone(self);
        tokio::spawn(async move {
            let outcome = tokio::select! {
                outcome = copying.copy_from(&connection, others) => outcome,
                () = copying.lifeline.stopped() => Err(Trouble::Stopped),
            };
            match outcome {
                Ok(()) | Err(Trouble::Stopped) => {}
                Err(Trouble::Own(fault)) => copying.lifeline.fail(fault),
                Err(Trouble::Upstream(fault)) => {
                    look_for_fork(&copying, &connection, &fault).await;
                    copying.blame(&connection, &fault);
                }
            }
            copying.is_catching_up.store(false, Ordering::Relaxed);
        });
    }

    async fn copy_from(self: &Arc<Self>, connection: &Connection, others: usize) -> Result<(), Trouble> {
        let mut follow = follow(self);
        let held = follow.header().height;
        let update = match connection.request(&Request::Head { held }, PATIENCE).await {
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

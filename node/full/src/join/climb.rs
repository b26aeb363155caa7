//! The way of a new node to a recent certified header: whom it calls, and how it climbs the ladder of committees there.
//!
//! From a genesis that is not old every rung counts by itself. From an older one the keys that made the first rungs may have
//! leaked, so the head counts only if it is shown to follow a block that the operator has pinned ([`PinnedAscent`]).

use std::time::Duration;

use waxwing_core::Hash;
use waxwing_core::block::BlockHeader;
use waxwing_core::codec::Decode;
use waxwing_core::evidence::Evidence;
use waxwing_core::follow::{FollowError, HeadUpdate};
use waxwing_core::genesis::Genesis;
use waxwing_core::limits::LADDER_STEPS_MAX;
use waxwing_core::merkle::InclusionProof;
use waxwing_core::policy::PinnedHead;
use waxwing_core::snapshot::{Ascent, PinError, PinnedAscent, SnapshotError};
use waxwing_net::quic::{Connection, Dialer, RequestError};
use waxwing_net::wire::{Refusal, Request, Response};

use super::JoinError;
use crate::address::NodeAddress;
use crate::reach::reach;
use crate::sync::{Lie, UpstreamFault};

/// Time for a handshake, and for an answer that needs no disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// Two certified blocks of one height mean that there is nothing that one could safely join.
pub(super) fn expect_no_fork(genesis: &Genesis, best: Option<&Ascent>, other: &Ascent) -> Result<(), JoinError> {
    let Some((one, other)) = best.and_then(Ascent::head).zip(other.head()) else {
        return Ok(());
    };
    let keys = genesis.keys();
    let is_fork = one.header.height == other.header.height && one.header.id(&keys) != other.header.id(&keys);
    if is_fork {
        let evidence = Evidence::of_heads(&keys, one.clone(), other.clone());
        return Err(JoinError::Forked {
            height: evidence.height(),
        });
    }
    Ok(())
}

pub(super) async fn connect(
    dialer: &Dialer,
    address: &NodeAddress,
    network: Hash,
) -> Result<Connection, UpstreamFault> {
    let connection = reach(dialer, address, PATIENCE).await;
    same_network(connection.map_err(UpstreamFault::Unreached)?, network).await
}

async fn same_network(connection: Connection, network: Hash) -> Result<Connection, UpstreamFault> {
    match connection.request(&Request::Status, PATIENCE).await {
        Ok(Response::Status(status)) if status.network == network => Ok(connection),
        Ok(Response::Status(_)) => Err(UpstreamFault::OtherNetwork),
        Ok(_) => Err(UpstreamFault::Lied(Lie::Nonsense)),
        Err(error) => Err(UpstreamFault::Request(error)),
    }
}

/// Why a climb ended without a head.
pub(super) enum Fall {
    /// The node's fault.
    Node(UpstreamFault),
    /// Nobody could lead this node up.
    Operator(JoinError),
}

impl From<UpstreamFault> for Fall {
    fn from(fault: UpstreamFault) -> Self {
        match fault {
            UpstreamFault::Lied(Lie::Snapshot(SnapshotError::Head(FollowError::NeedsPin))) => {
                Self::Operator(JoinError::NeedsPin)
            }
            UpstreamFault::Lied(Lie::Pin(PinError::TooOld)) => Self::Operator(JoinError::OldPin),
            fault => Self::Node(fault),
        }
    }
}

/// Climbs to the newest head of one node, by way of the pinned block if there is one; `None` if it has no blocks.
pub(super) async fn climb(
    connection: &Connection,
    genesis: &Genesis,
    pin: Option<PinnedHead>,
    now: u64,
) -> Result<Option<Ascent>, Fall> {
    let Some(pin) = pin else {
        let mut ascent = Ascent::new(genesis);
        let has_blocks = updates(connection, &mut ascent, now).await?;
        return Ok(has_blocks.then_some(ascent));
    };
    let mut ascent = PinnedAscent::new(genesis, pin);
    // Whoever has no blocks has not the pinned one either.
    updates(connection, &mut ascent, now).await?;
    let newest = ascent.held();
    if newest < pin.height {
        return Err(UpstreamFault::Stalled { height: pin.height }.into());
    }
    let (header, path) = match ascent.head() {
        Some(head) if newest == pin.height => (head.header.clone(), NO_PATH),
        _ => pinned(connection, pin.height, newest).await?,
    };
    let confirmed = ascent.confirm(&header, &path, now);
    Ok(Some(confirmed.map_err(|error| UpstreamFault::Lied(Lie::Pin(error)))?))
}

/// The way from a header to itself.
const NO_PATH: InclusionProof = InclusionProof { siblings: Vec::new() };

/// What climbs.
trait Climber {
    fn held(&self) -> u64;
    fn accept(&mut self, update: &HeadUpdate, now: u64) -> Result<(), SnapshotError>;
}

impl Climber for Ascent {
    fn held(&self) -> u64 {
        Self::held(self)
    }

    fn accept(&mut self, update: &HeadUpdate, now: u64) -> Result<(), SnapshotError> {
        Self::accept(self, update, now).map(|_| ())
    }
}

impl Climber for PinnedAscent {
    fn held(&self) -> u64 {
        Self::held(self)
    }

    fn accept(&mut self, update: &HeadUpdate, _now: u64) -> Result<(), SnapshotError> {
        Self::accept(self, update).map(|_| ())
    }
}

/// Takes updates until the node has none that leads further; false if it has no blocks.
async fn updates(connection: &Connection, climber: &mut impl Climber, now: u64) -> Result<bool, UpstreamFault> {
    let nonsense = || UpstreamFault::Lied(Lie::Nonsense);
    loop {
        let held = climber.held();
        let update = match connection.request(&Request::Head { held }, PATIENCE).await {
            Ok(Response::Head(update)) => HeadUpdate::from_bytes(&update).map_err(|_| nonsense())?,
            Ok(_) => return Err(nonsense()),
            Err(RequestError::Refused(Refusal::HeightAhead { newest: 0 })) => return Ok(false),
            Err(error) => return Err(UpstreamFault::Request(error)),
        };
        let rungs = u32::try_from(update.ladder.len()).unwrap_or(u32::MAX);
        let accepted = climber.accept(&update, now);
        accepted.map_err(|error| UpstreamFault::Lied(Lie::Snapshot(error)))?;
        if rungs < LADDER_STEPS_MAX || climber.held() == held {
            return Ok(true);
        }
    }
}

/// The node's block of a height, and its way into the history of a newer one.
async fn pinned(
    connection: &Connection,
    height: u64,
    newest: u64,
) -> Result<(BlockHeader, InclusionProof), UpstreamFault> {
    let nonsense = || UpstreamFault::Lied(Lie::Nonsense);
    let question = Request::HistoryProof { height, size: newest };
    match connection.request(&question, PATIENCE).await {
        Ok(Response::HistoryProof { header, proof }) => {
            let header = BlockHeader::from_bytes(&header).map_err(|_| nonsense())?;
            let path = InclusionProof::from_bytes(&proof).map_err(|_| nonsense())?;
            Ok((header, path))
        }
        Ok(_) => Err(nonsense()),
        Err(error) => Err(UpstreamFault::Request(error)),
    }
}

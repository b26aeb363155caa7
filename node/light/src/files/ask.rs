//! Asking one node for one chunk's sake, with the patience that a transfer of thousands of them needs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use waxwing_core::Hash;
use waxwing_net::wire::Refusal;
use waxwing_seal::NodeAddress;

use crate::core::Core;
use crate::limits::{BUSY_TRIES, CHUNK_PATIENCE, LOST_TRIES, LOST_WAIT_MS};
use crate::nodes::Fault;
use crate::peer::Peer;

/// Asks a node until it answers or says no. A node that is busy is asked again when it says so; a connection that was lost is
/// made anew, a few times: a restart of the node, or another network, must not end an upload of an hour.
pub(super) async fn patiently<R, F>(
    core: &Arc<Core>,
    network: Hash,
    node: &NodeAddress,
    ask: impl Fn(Peer) -> F,
) -> Result<R, Fault>
where
    F: Future<Output = Result<R, Fault>>,
{
    let (mut busy, mut lost) = (0, 0);
    loop {
        let asked = match core.peer(network, node).await {
            Ok(peer) => ask(peer.patient(CHUNK_PATIENCE)).await,
            Err(fault) => Err(fault),
        };
        let fault = match asked {
            Ok(answer) => return Ok(answer),
            Err(fault) => fault,
        };
        let wait = match &fault {
            Fault::Refused(Refusal::Busy { retry_after_ms } | Refusal::TooManyRequests { retry_after_ms })
                if busy < BUSY_TRIES =>
            {
                busy += 1;
                // At least a little, whatever the node says.
                Duration::from_millis((*retry_after_ms).clamp(LOST_WAIT_MS / 10, 10 * LOST_WAIT_MS))
            }
            Fault::Unreachable(_) | Fault::Ended(_) | Fault::HungUp | Fault::Stalled if lost < LOST_TRIES => {
                lost += 1;
                core.hang_up(network, node.id());
                Duration::from_millis(LOST_WAIT_MS) * lost
            }
            _ => return Err(fault),
        };
        sleep(wait).await;
    }
}

//! Heads that members had checked, held against the own history: a fork shows where two people talk to each other.
//!
//! Every content says which head its writer had checked. The roots of the log in it are compared as the content is opened;
//! whether the head is a block of the history that is held here takes a proof, so it is asked for, for each member's newest
//! one, a few at a time. A head that is not in the own history is shown with the message. That alone proves nothing to
//! others, since a member can make one up; but if a node has a certificate for it, that is the evidence it always was, and
//! is found and kept by [`crate::parting`].

use waxwing_core::Hash;
use waxwing_core::follow::Follow;

use crate::core::Core;
use crate::error::{Error, Trouble};
use crate::parting;
use crate::store::StoreError;
use crate::store::members::{self, HeadToCompare};
use crate::sync::Reading;
use crate::trust;

/// Heads compared in one round: each costs one question of about a kilobyte and a half.
const HEADS_AT_ONCE: u32 = 8;

/// Compares what members had checked with the own history.
pub(crate) async fn compare(reading: &Reading<'_>) -> Result<(), Trouble> {
    let (core, network) = (reading.core, reading.network);
    let waiting = core
        .read(move |tx| members::heads_to_compare(tx, network, HEADS_AT_ONCE))
        .await?;
    if waiting.is_empty() {
        return Ok(());
    }
    let held = trust::load(core, network).await?.follow();
    for theirs in waiting {
        if theirs.height > held.header().height {
            continue;
        }
        let own = parting::own_id(reading.peer, &held, theirs.height).await?;
        let agrees = own == theirs.head;
        core.write::<_, StoreError>(move |tx| members::compared(tx, &theirs, agrees))
            .await?;
        if !agrees {
            seek(core, network, &held, &theirs).await?;
        }
    }
    Ok(())
}

/// Asks the nodes for a certificate over the other head: then it is evidence.
async fn seek(core: &Core, network: Hash, held: &Follow, theirs: &HeadToCompare) -> Result<(), Error> {
    for node in core.nodes(network).await? {
        let Ok(peer) = core.peer(network, &node.address).await else {
            continue;
        };
        // A node that does not have it is none the worse.
        let Ok(found) = peer.certified(theirs.height).await else {
            continue;
        };
        if found.header.id(held.keys()) == theirs.head {
            return parting::look(core, network, &peer, held).await;
        }
    }
    Ok(())
}

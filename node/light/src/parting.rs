//! Where two histories part.
//!
//! ```text
//! held     0 ──────── same ─ a ──(change)── ... ── held        each of them proven to be in the held history
//! other    0 ──────── same ─ b ── ... ──(other change)── ...
//!                            └─ one committee certified both: evidence
//! ```
//!
//! Two blocks of one height are evidence where one committee certified both. If the histories name different validators
//! by now, the newest ones prove nothing; but the first block that differs was still certified by those on whom both
//! agree. It is found by halving, in some forty questions, and nothing that is answered is believed: what a node says of
//! the held history is proven by the held head, and the last step by the two certificates.

use waxwing_core::Hash;
use waxwing_core::evidence::Evidence;
use waxwing_core::follow::Follow;
use waxwing_core::genesis::Genesis;
use waxwing_core::history;

use crate::core::Core;
use crate::error::{Error, Trouble};
use crate::nodes::Fault;
use crate::peer::Peer;
use crate::store::networks::{self, Halts};
use crate::trust;

/// Looks for the parting of the held history from that of a node whose head was refused, with the help of the other nodes.
/// Evidence is kept and shown; it does not halt, since it is about blocks below the held head.
pub(crate) async fn look(core: &Core, network: Hash, theirs: &Peer, held: &Follow) -> Result<(), Error> {
    let row = trust::load(core, network).await?;
    for node in core.nodes(network).await? {
        if node.address.id() == theirs.node() {
            continue;
        }
        let Ok(ours) = core.peer(network, &node.address).await else {
            continue;
        };
        // Who is at fault, and for what, was said before; this may fail without anybody's.
        if let Ok(Some(evidence)) = find(&ours, theirs, &row.genesis, held).await {
            keep(core, network, evidence).await?;
            return Ok(());
        }
    }
    Ok(())
}

/// The same with a node that serves the held history.
pub(crate) async fn look_with(
    core: &Core,
    network: Hash,
    (ours, theirs): (&Peer, &Peer),
    held: &Follow,
) -> Result<(), Trouble> {
    let row = trust::load(core, network).await?;
    if let Some(evidence) = find(ours, theirs, &row.genesis, held).await? {
        keep(core, network, evidence).await?;
    }
    Ok(())
}

async fn keep(core: &Core, network: Hash, evidence: Evidence) -> Result<(), Error> {
    let now = core.clock.now();
    let kept = core.write(move |tx| networks::add_evidence(tx, network, &evidence, Halts::No, now));
    kept.await?;
    Ok(())
}

/// Two certified blocks at the first height at which the histories differ; `None` if they do not, or the other one is not
/// certified there.
async fn find(ours: &Peer, theirs: &Peer, genesis: &Genesis, held: &Follow) -> Result<Option<Evidence>, Fault> {
    let keys = held.keys();
    let Some(newest) = theirs.head(0).await? else {
        return Ok(None);
    };
    // Block 0 is one for both: its hash is in the network's id.
    let (mut same, mut differs) = (0, newest.head.header.height.min(held.header().height));
    let mut other = theirs.certified(differs).await?;
    if differs == 0 || own_id(ours, held, differs).await? == other.header.id(keys) {
        return Ok(None);
    }
    while differs - same > 1 {
        let middle = same + (differs - same) / 2;
        let head = theirs.certified(middle).await?;
        if own_id(ours, held, middle).await? == head.header.id(keys) {
            same = middle;
        } else {
            (differs, other) = (middle, head);
        }
    }
    let (ladder, _) = trust::changes(ours, genesis, differs).await?;
    let evidence = Evidence::of_heads(keys, ours.certified(differs).await?, other);
    Ok(evidence.verify(keys, ladder.at(differs)).is_ok().then_some(evidence))
}

/// The block id at a height of the held history.
pub(crate) async fn own_id(ours: &Peer, held: &Follow, height: u64) -> Result<Hash, Fault> {
    let newest = held.header();
    if height == newest.height {
        return Ok(held.id());
    }
    let (header, path) = ours.history(height, newest.height).await?;
    history::verify_inclusion(&header, newest, &path).map_err(Fault::History)?;
    if header.height == height {
        Ok(header.id(held.keys()))
    } else {
        Err(Fault::WrongAnswer)
    }
}

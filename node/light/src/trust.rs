//! What is believed about a ledger, kept across processes and restarts.
//!
//! The state machine is `waxwing_core::follow`; here it is read, moved and stored in one transaction, because several
//! processes may follow with one home. Heads come from several nodes at once. One that does not extend the held
//! history is looked into: if its node can show a certified block beside ours, that is portable evidence, and the
//! client halts.

use waxwing_core::certificate::{Beacon, HeadError};
use waxwing_core::envelope::Anchor;
use waxwing_core::evidence::Evidence;
use waxwing_core::evidence_file::{EvidenceFile, Rung};
use waxwing_core::follow::{BeaconError, Follow, FollowError, HeadUpdate};
use waxwing_core::genesis::Genesis;
use waxwing_core::history;
use waxwing_core::keys::NodeId;
use waxwing_core::ladder::Ladder;
use waxwing_core::limits::ANCHOR_INTERVAL;
use waxwing_core::merkle::{InclusionProof, ProofError};
use waxwing_core::{Hash, HashKeys};

use crate::core::Core;
use crate::error::{Error, Trouble};
use crate::nodes::Fault;
use crate::parting;
use crate::peer::Peer;
use crate::store::networks::{Halts, KnownAnchor, Network};
use crate::store::{StoreError, Transaction, networks};

/// How often something is tried again because another process was faster.
const TRIES: u32 = 5;

/// How many messages a ladder from the founding is asked for in: four thousand terms.
const LADDER_MESSAGES_MAX: u32 = 64;

/// What came of an update.
#[derive(Debug)]
pub(crate) enum Taken {
    /// This is held now.
    Held(Box<Follow>),
    /// The update starts from another head than the one that is held: ask again from there.
    BaseMoved,
    /// Not accepted.
    Refused(Fault),
}

/// Moves a ledger to a newer head that extends the block `base`. Evidence of a fork is stored, with the name of the
/// node that showed it, before anybody hears of it.
pub(crate) fn take(
    tx: &Transaction<'_>,
    network: Hash,
    from: NodeId,
    base: Hash,
    update: &HeadUpdate,
    now: u64,
) -> Result<Taken, StoreError> {
    let row = networks::load(tx, network)?.ok_or(StoreError::Damaged)?;
    if let Some(evidence) = row.held.halted {
        // Somebody else has found the fork while this was asked.
        return Ok(Taken::Refused(Fault::Head(FollowError::Fork(evidence))));
    }
    let mut follow = row.follow();
    if follow.id() != base {
        return Ok(Taken::BaseMoved);
    }
    let accepted = follow.accept(update, now);
    if *follow.held() != row.held {
        networks::hold(tx, network, follow.held())?;
    }
    match accepted {
        Ok(_) => Ok(Taken::Held(Box::new(follow))),
        Err(error) => {
            let fork = match &error {
                FollowError::Fork(evidence) => Some(evidence.clone()),
                _ => None,
            };
            let fault = Fault::Head(error);
            if let Some(evidence) = fork {
                networks::add_evidence(tx, network, &evidence, Halts::Yes, now)?;
                networks::blame(tx, network, from, &fault, now)?;
            }
            Ok(Taken::Refused(fault))
        }
    }
}

/// Stops believing a ledger: two final blocks of one height were shown, though neither may be the held one.
pub(crate) async fn halt(core: &Core, network: Hash, evidence: Evidence) -> Result<(), StoreError> {
    let now = core.clock.now();
    core.write(move |tx| {
        let mut held = networks::load(tx, network)?.ok_or(StoreError::Damaged)?.held;
        networks::add_evidence(tx, network, &evidence, Halts::Yes, now)?;
        held.halted.get_or_insert(evidence);
        networks::hold(tx, network, &held)
    })
    .await
}

/// A ledger as stored, refused once it is forked.
pub(crate) async fn load(core: &Core, network: Hash) -> Result<Network, Error> {
    let row = core.read(move |tx| networks::load(tx, network)).await?;
    let row = row.ok_or(Error::UnknownNetwork(network))?;
    match &row.held.halted {
        Some(evidence) => Err(Error::Forked {
            height: evidence.height(),
        }),
        None => Ok(row),
    }
}

/// Takes a node's head.
pub(crate) async fn head(core: &Core, network: Hash, peer: &Peer) -> Result<Follow, Trouble> {
    for _ in 0..TRIES {
        let held = load(core, network).await?.follow();
        let Some(update) = peer.head(held.header().height).await? else {
            return Ok(held);
        };
        let (from, base, now) = (peer.node(), held.id(), core.clock.now());
        let is_partial = update.is_partial();
        match core
            .write(move |tx| take(tx, network, from, base, &update, now))
            .await?
        {
            Taken::Held(follow) if !is_partial => return Ok(*follow),
            // More terms have passed than one message holds: on from the last of them.
            Taken::Held(_) | Taken::BaseMoved => {}
            Taken::Refused(fault) => return Err(look_into(core, network, peer, &held, fault).await?),
        }
    }
    // Another process is always a step ahead, or this client hundreds of terms behind: what is held was proven as well.
    Ok(load(core, network).await?.follow())
}

/// A head was refused. If that could be a fork, the node is asked for its block at the held height: two final blocks
/// of one height are evidence that halts.
async fn look_into(
    core: &Core,
    network: Hash,
    peer: &Peer,
    held: &Follow,
    fault: Fault,
) -> Result<Trouble, StoreError> {
    // Another committee may be the one that a fork has named.
    let is_other_history = matches!(
        fault,
        Fault::Head(
            FollowError::NotExtending(_)
                | FollowError::TimeRunsBack
                | FollowError::BadLadder
                | FollowError::Head(HeadError::WrongCommittee)
        )
    );
    if !is_other_history {
        return Ok(fault.into());
    }
    let Ok(head) = peer.certified(held.header().height).await else {
        return Ok(fault.into());
    };
    let beside = HeadUpdate {
        ladder: Vec::new(),
        head,
        extension: InclusionProof { siblings: Vec::new() },
    };
    let (from, base, now) = (peer.node(), held.id(), core.clock.now());
    let taken = core
        .write(move |tx| take(tx, network, from, base, &beside, now))
        .await?;
    if let Taken::Refused(fork @ Fault::Head(FollowError::Fork(_))) = taken {
        return Ok(fork.into());
    }
    // Of another committee at that height: then the histories parted before.
    match parting::look(core, network, peer, held).await {
        Ok(()) => Ok(fault.into()),
        Err(error) => Ok(error.into()),
    }
}

/// A node is behind. If its head is certified and yet not in the held history, that is evidence too: it is kept and
/// shown, and does not halt, because it is about blocks below the held head.
pub(crate) async fn compare_behind(core: &Core, network: Hash, behind: &Peer, ahead: &Peer) -> Result<(), Trouble> {
    let row = load(core, network).await?;
    let held = row.follow();
    // Its newest head, told as an update from genesis: the head itself is looked at, and who certified it.
    let Some(update) = behind.head(0).await? else {
        return Ok(());
    };
    let mut ladder = Ladder::new(row.genesis.committee());
    climb(&mut ladder, held.keys(), &update)?;
    let theirs = update.head;
    let height = theirs.header.height;
    if height == 0 || height >= held.header().height {
        return Ok(());
    }
    let committee = ladder.at(height);
    let verified = theirs.verify(held.keys(), committee);
    let theirs = verified.map_err(|error| Fault::Head(FollowError::Head(error)))?;
    let (ours, path) = ahead.history(height, held.header().height).await?;
    history::verify_inclusion(&ours, held.header(), &path).map_err(Fault::History)?;
    if ours.id(held.keys()) == theirs.id() {
        return Ok(());
    }
    let ours = ahead.certified(height).await?;
    let evidence = Evidence::of_heads(held.keys(), ours, theirs.into_inner());
    if evidence.verify(held.keys(), committee).is_ok() {
        let now = core.clock.now();
        core.write(move |tx| networks::add_evidence(tx, network, &evidence, Halts::No, now))
            .await?;
    } else {
        // Of different committees: then the histories parted before.
        parting::look_with(core, network, (ahead, behind), &held).await?;
    }
    Err(Fault::Head(FollowError::NotExtending(ProofError::WrongRoot)).into())
}

/// The changes of the committee from the founding on, up to the one that certifies the block at a height and perhaps
/// beyond, as this node tells them: each committee was named by a block that the one before it certified.
pub(crate) async fn changes(peer: &Peer, genesis: &Genesis, height: u64) -> Result<(Ladder, Vec<Rung>), Fault> {
    let keys = genesis.keys();
    let (mut ladder, mut rungs) = (Ladder::new(genesis.committee()), Vec::new());
    for _ in 0..LADDER_MESSAGES_MAX {
        // Whoever asks from the last block of a term is told of the terms behind it.
        let Some(update) = peer.head(ladder.from().saturating_sub(1)).await? else {
            break;
        };
        climb(&mut ladder, &keys, &update)?;
        let is_partial = update.is_partial();
        rungs.extend(update.ladder.into_iter().map(Rung::from));
        if !is_partial || ladder.from() > height {
            break;
        }
    }
    Ok((ladder, rungs))
}

fn climb(ladder: &mut Ladder, keys: &HashKeys, update: &HeadUpdate) -> Result<(), Fault> {
    let mut rungs = update.ladder.iter();
    rungs
        .try_for_each(|rung| ladder.climb_rung(keys, rung))
        .map_err(Fault::Head)
}

/// Evidence with everything that a stranger needs to check it: the founding facts, and the changes of the committee up to
/// the accused one. Nodes are asked for the latter, where there were any.
pub(crate) async fn evidence_file(core: &Core, network: Hash, evidence: Evidence) -> Result<EvidenceFile, Error> {
    let row = core.read(move |tx| networks::load(tx, network)).await?;
    let genesis = row.ok_or(Error::UnknownNetwork(network))?.genesis;
    let mut file = EvidenceFile {
        genesis,
        ladder: Vec::new(),
        evidence,
    };
    if file.verify().is_ok() {
        return Ok(file);
    }
    let (height, mut faults) = (file.evidence.height(), Vec::new());
    for node in core.nodes(network).await? {
        let asked = async {
            let peer = core.peer(network, &node.address).await?;
            changes(&peer, &file.genesis, height).await
        };
        match asked.await {
            Ok((_, mut rungs)) => {
                rungs.retain(|rung| rung.head.header.height < height);
                file.ladder = rungs;
                match file.verify() {
                    Ok(_) => return Ok(file),
                    Err(_) => faults.push((node.address.id(), Fault::WrongAnswer)),
                }
            }
            Err(fault) => faults.push((node.address.id(), fault)),
        }
    }
    Err(if faults.is_empty() {
        Error::NoNodes
    } else {
        Error::NobodyServed(faults)
    })
}

/// The newest block that envelopes may name, checked against the held history. Fetched only when it changed.
pub(crate) async fn anchor(core: &Core, network: Hash, peer: &Peer) -> Result<KnownAnchor, Trouble> {
    let row = load(core, network).await?;
    let held = row.follow();
    let height = held.header().height - held.header().height % ANCHOR_INTERVAL;
    let checked = core.clock.now();
    let known = match row.anchor {
        Some(known) if known.anchor.height == height => KnownAnchor { checked, ..known },
        _ => {
            let header = if height == held.header().height {
                held.header().clone()
            } else {
                let (header, path) = peer.history(height, held.header().height).await?;
                if header.height != height {
                    return Err(Fault::WrongAnswer.into());
                }
                history::verify_inclusion(&header, held.header(), &path).map_err(Fault::History)?;
                header
            };
            KnownAnchor {
                anchor: Anchor {
                    height,
                    id: header.id(held.keys()),
                },
                time: header.time,
                checked,
            }
        }
    };
    core.write(move |tx| networks::set_anchor(tx, network, &known)).await?;
    Ok(known)
}

/// Hands evidence to every node that can be reached: whoever learns of a fork tells the others.
pub(crate) async fn spread_evidence(core: &Core, network: Hash) -> Result<(), StoreError> {
    let evidence = core.read(move |tx| networks::evidence(tx, network)).await?;
    for node in core.nodes(network).await? {
        let Ok(peer) = core.peer(network, &node.address).await else {
            continue;
        };
        for piece in &evidence {
            // What a node makes of it changes nothing here.
            let _ = peer.report(piece).await;
        }
    }
    Ok(())
}

/// What a beacon did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lit {
    /// The held head was still the newest at its time.
    Confirmed,
    /// It is about another head than the held one.
    OtherHead,
    /// A quorum signed a time that this device's clock has not reached.
    ClockBehind,
}

/// Takes a beacon from a node, and notes its time for the judgement of the clock.
pub(crate) async fn beacon(core: &Core, network: Hash, peer: &Peer, beacon: Beacon) -> Result<Lit, Trouble> {
    let now = core.clock.now();
    let time = beacon.time;
    let accepted = core
        .write::<_, Error>(move |tx| {
            let row = networks::load(tx, network)?.ok_or(Error::UnknownNetwork(network))?;
            let mut follow = row.follow();
            let accepted = follow.accept_beacon(&beacon, now);
            if follow.held().confirmed != row.held.confirmed {
                networks::hold(tx, network, follow.held())?;
            }
            Ok(accepted)
        })
        .await?;
    match accepted {
        Ok(()) => {
            core.sample(network, peer.node(), time);
            Ok(Lit::Confirmed)
        }
        Err(BeaconError::OtherHead) => Ok(Lit::OtherHead),
        Err(BeaconError::NeedsPin) => Err(Error::NeedsPin.into()),
        Err(BeaconError::FromTheFuture) => {
            core.sample(network, peer.node(), time);
            Ok(Lit::ClockBehind)
        }
        Err(error) => Err(Fault::Beacon(error).into()),
    }
}

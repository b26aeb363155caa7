//! Coming to trust a ledger by an invitation.
//!
//! The link names the network (the hash of its genesis) and a block that the inviter has checked; nodes are only
//! where to ask. The genesis is fetched and hashed, the pinned header is fetched and hashed, and from there on proofs
//! lead. A ledger that is known already keeps its own trust, and the inviter's block must be in its history: if it is
//! not, one of the two was shown a fork, and that is said before anything is sent.

use waxwing_core::Hash;
use waxwing_core::follow::{Follow, FollowError};
use waxwing_core::genesis::Genesis;
use waxwing_core::history;
use waxwing_core::keys::NodeId;
use waxwing_core::ladder::Ladder;
use waxwing_core::limits::TRUSTING_PERIOD_MS;
use waxwing_seal::NodeAddress;
use waxwing_seal::invitation::Pin;

use crate::core::Core;
use crate::error::{Error, Trouble};
use crate::nodes::Fault;
use crate::peer::Peer;
use crate::store::networks::{self, Source};
use crate::trust;

/// Asks nodes for the founding facts until one gives those that hash to the id.
pub(crate) async fn fetch_genesis(core: &Core, network: Hash, nodes: &[NodeAddress]) -> Result<Genesis, Error> {
    let mut faults = Vec::new();
    for node in nodes {
        match genesis_from(core, network, node).await {
            Ok(genesis) => return Ok(genesis),
            Err(fault) => faults.push((node.id(), fault)),
        }
    }
    Err(nobody(faults))
}

fn nobody(faults: Vec<(NodeId, Fault)>) -> Error {
    if faults.is_empty() {
        Error::NoNodes
    } else {
        Error::NobodyServed(faults)
    }
}

async fn genesis_from(core: &Core, network: Hash, node: &NodeAddress) -> Result<Genesis, Fault> {
    let genesis = core.peer(network, node).await?.genesis().await?;
    if genesis.network() == network {
        Ok(genesis)
    } else {
        Err(Fault::WrongGenesis)
    }
}

/// What an invitation says about its ledger.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    pub(crate) network: Hash,
    /// A block that the inviter has checked.
    pub(crate) pin: Pin,
    pub(crate) nodes: &'a [NodeAddress],
}

/// Makes an invitation's ledger a trusted one, or checks that it is the one that is trusted.
pub(crate) async fn trust_told(core: &Core, invitation: &Told<'_>) -> Result<(), Error> {
    let network = invitation.network;
    let known = core.read(move |tx| networks::load(tx, network)).await?;
    match known {
        None => begin(core, invitation).await?,
        Some(known) => {
            add_nodes(core, invitation).await?;
            let age = core.clock.now().saturating_sub(known.held.confirmed);
            if age > TRUSTING_PERIOD_MS && known.held.header.height < invitation.pin.height {
                pin_again(core, &known.follow(), invitation.pin).await?;
            }
        }
    }
    compare_pin(core, network, invitation.pin).await
}

async fn add_nodes(core: &Core, invitation: &Told<'_>) -> Result<(), Error> {
    let (network, nodes) = (invitation.network, invitation.nodes.to_vec());
    core.write(move |tx| {
        nodes
            .iter()
            .try_for_each(|node| networks::add_node(tx, network, node, Source::Person))
    })
    .await?;
    core.lists_changed();
    Ok(())
}

async fn begin(core: &Core, invitation: &Told<'_>) -> Result<(), Error> {
    let network = invitation.network;
    let mut faults = Vec::new();
    for node in invitation.nodes {
        match follow_from(core, network, node, invitation.pin).await {
            Ok((genesis, follow)) => {
                core.write(move |tx| networks::insert(tx, &genesis, &follow)).await?;
                return add_nodes(core, invitation).await;
            }
            Err(fault) => faults.push((node.id(), fault)),
        }
    }
    Err(nobody(faults))
}

/// The held head is too old to start from: its validators' keys may have leaked since. The inviter's word leads over
/// the gap, to a block that must extend what was held before; else one of the two was shown a fork.
async fn pin_again(core: &Core, held: &Follow, pin: Pin) -> Result<(), Error> {
    let network = held.keys().network();
    let mut faults = Vec::new();
    for node in core.nodes(network).await? {
        match pin_beyond(core, held, &node.address, pin).await {
            Ok(follow) => {
                core.write(move |tx| networks::hold(tx, network, follow.held())).await?;
                return Ok(());
            }
            Err(Trouble::Here(error)) => return Err(error),
            Err(Trouble::Node(fault)) => faults.push((node.address.id(), fault)),
        }
    }
    Err(nobody(faults))
}

async fn pin_beyond(core: &Core, held: &Follow, node: &NodeAddress, pin: Pin) -> Result<Follow, Trouble> {
    let network = held.keys().network();
    let (_, follow) = follow_from(core, network, node, pin).await?;
    let (then, path) = core
        .peer(network, node)
        .await?
        .history(held.header().height, pin.height)
        .await?;
    history::verify_inclusion(&then, follow.header(), &path).map_err(Fault::History)?;
    if then == *held.header() {
        Ok(follow)
    } else if then.height == held.header().height {
        // Proven: the history that the inviter pins has another block where this home held one.
        Err(Error::OtherHistory { height: then.height }.into())
    } else {
        Err(Fault::WrongAnswer.into())
    }
}

/// The state machine at the pinned block, if this node shows what hashes to it.
async fn follow_from(core: &Core, network: Hash, node: &NodeAddress, pin: Pin) -> Result<(Genesis, Follow), Fault> {
    let genesis = genesis_from(core, network, node).await?;
    let from_genesis = Follow::from_genesis(&genesis);
    if pin.height == 0 {
        return if pin.id == from_genesis.id() {
            Ok((genesis, from_genesis))
        } else {
            Err(Fault::WrongPin)
        };
    }
    let peer = core.peer(network, node).await?;
    let header = peer.header(pin.height).await?;
    if header.height != pin.height || header.id(from_genesis.keys()) != pin.id {
        return Err(Fault::WrongPin);
    }
    // The pinned block names who certifies the next one. Where that is not the committee of the founding, the changes
    // since then lead to it; whatever they say, only the committee that the pin names will do.
    let ladder = if header.next_committee == genesis.committee().hash(from_genesis.keys()) {
        Ladder::new(genesis.committee())
    } else {
        trust::changes(&peer, &genesis, header.height).await?.0
    };
    let committee = ladder.at(header.height.saturating_add(1)).clone();
    let follow = Follow::from_pin(genesis.keys(), pin.id, header, committee).map_err(Fault::Head)?;
    Ok((genesis, follow))
}

/// Whether the inviter's block is in the history that is held here, once that reaches so far.
async fn compare_pin(core: &Core, network: Hash, pin: Pin) -> Result<(), Error> {
    let mut faults = Vec::new();
    for node in core.nodes(network).await? {
        let compared = async {
            let peer = core.peer(network, &node.address).await?;
            find_pin(core, network, &peer, pin).await
        };
        match compared.await {
            Ok(()) => return Ok(()),
            Err(Trouble::Here(error)) => return Err(error),
            Err(Trouble::Node(fault)) => {
                core.blame(network, node.address.id(), &fault).await?;
                faults.push((node.address.id(), fault));
            }
        }
    }
    Err(nobody(faults))
}

async fn find_pin(core: &Core, network: Hash, peer: &Peer, pin: Pin) -> Result<(), Trouble> {
    let held = trust::head(core, network, peer).await?;
    let height = held.header().height;
    let header = if pin.height == height {
        held.header().clone()
    } else if pin.height > height {
        // This node is behind the inviter; another may not be.
        return Err(Fault::Head(FollowError::Older {
            held: pin.height,
            offered: height,
        })
        .into());
    } else {
        let (header, path) = peer.history(pin.height, height).await?;
        history::verify_inclusion(&header, held.header(), &path).map_err(Fault::History)?;
        header
    };
    if header.height == pin.height && header.id(held.keys()) == pin.id {
        Ok(())
    } else if header.height == pin.height {
        Err(Error::OtherHistory { height: pin.height }.into())
    } else {
        Err(Fault::WrongAnswer.into())
    }
}

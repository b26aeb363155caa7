//! Checks about the inside of an envelope: keys, bodies, contents, invitations.

use serde_json::{Value, json};
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::EnvelopeHeader;
use waxwing_core::keys::LogId;
use waxwing_seal::content::EraseSalt;
use waxwing_seal::sealer::Opened;
use waxwing_seal::{ChannelSecret, Content, DeviceKey, EpochKeys, Invitation, Keeping, OpenError, Sealer, StandIn};

use crate::case::{Outcome, hex};
use crate::check::{Given, rule};

pub(crate) fn run(check: &str, given: &Given<'_>) -> Option<Outcome> {
    Some(match check {
        "epoch keys" => Ok(epoch_keys(given)),
        "erasure secret" => Ok(erasure_secret(given)),
        "content" => content(given),
        "open" => open(given),
        "invitation" => invitation(given),
        _ => return None,
    })
}

fn epoch(given: &Given<'_>) -> EpochKeys {
    ChannelSecret::from_bytes(given.array("secret")).epoch_keys(given.hash("network"), given.number("epoch"))
}

/// What the seal key is, from the specification alone: the code never shows it.
pub(crate) fn seal_key(secret: &[u8; 32], network: &[u8; 32], epoch: u64) -> [u8; 32] {
    let parts = [&secret[..], network, &epoch.to_be_bytes()].concat();
    blake3::derive_key("waxwing v1 channel seal key", &parts)
}

fn epoch_keys(given: &Given<'_>) -> Value {
    let keys = epoch(given);
    let seal = seal_key(&given.array("secret"), &given.array("network"), given.number("epoch"));
    json!({"log seed": hex(*keys.log_key().seed()), "log": hex(keys.log().0), "seal key": hex(seal)})
}

fn erasure_secret(given: &Given<'_>) -> Value {
    let device = DeviceKey::from_seed(&given.array("device seed"));
    let secret = device.erasure_secret(LogId(given.array("log")), EraseSalt(given.array("salt")));
    json!({"device": hex(device.id().0), "secret": hex(secret.0), "commitment": hex(secret.commitment(&given.keys()).0)})
}

fn content_facts(content: &Content) -> Value {
    json!({
        "id": hex(content.id.0),
        "time": content.time_ms,
        "name": content.name.as_str(),
        "salt": hex(content.salt.0),
        "view": hex(content.view.to_bytes()),
        "kind": content.kind.number(),
        "word": content.kind.word(),
    })
}

fn content(given: &Given<'_>) -> Outcome {
    Ok(content_facts(&given.decoded("bytes")?))
}

/// A reader with the state given, or that has opened the entries before.
fn open(given: &Given<'_>) -> Outcome {
    let state = if given.has("state") {
        given.sound("state")
    } else {
        StandIn::new()
    };
    let device = DeviceKey::from_seed(&[0; 32]);
    let mut sealer = Sealer::new(given.keys(), epoch(given), device, state);
    if given.has("before") {
        for entry in given.list("before") {
            opened(&mut sealer, &entry).unwrap();
        }
    }
    let opened = opened(&mut sealer, given).map_err(rule)?;
    let keeping = match opened.keeping {
        Keeping::Erasable(keep_for) => json!({"erasable, days": keep_for.days()}),
        Keeping::Stays => json!("stays"),
    };
    Ok(json!({
        "device": hex(opened.device.0),
        "counter": opened.counter,
        "keeping": keeping,
        "content": content_facts(&opened.content),
    }))
}

fn opened(sealer: &mut Sealer<StandIn>, entry: &Given<'_>) -> Result<Opened, OpenError> {
    let header = EnvelopeHeader::from_bytes(&entry.bytes("header")).unwrap();
    sealer.open(&header, &entry.bytes("body"))
}

fn invitation(given: &Given<'_>) -> Outcome {
    let invitation = Invitation::from_link(given.text("link")).map_err(rule)?;
    let nodes = invitation.nodes.iter();
    Ok(json!({
        "network": hex(invitation.network.0),
        "height": invitation.pin.height,
        "head": hex(invitation.pin.id.0),
        "nodes": nodes.map(|node| json!([node.address(), hex(node.id().0)])).collect::<Vec<_>>(),
        "name": invitation.name.as_str(),
        "secret": hex(invitation.secret.expose()),
    }))
}

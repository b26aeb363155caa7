//! Checks about how two people get together: links, openings, and what comes of what is posted.

use serde_json::{Value, json};
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::{Anchor, EnvelopeHeader, KeepFor};
use waxwing_core::hash::{Hash, Meaning};
use waxwing_seal::inbox::opening::Opening;
use waxwing_seal::inbox::{DeviceLink, Event, Inbox, InboxKey, Opened, PersonLink, Purpose, Void};

use crate::by_hand::{Keys, seal, text};
use crate::case::{Outcome, hex};
use crate::check::{Given, rule};

/// The commitment of what can be erased.
pub(crate) const ERASURE: [u8; 32] = [0xe5; 32];

pub(crate) fn run(check: &str, given: &Given<'_>) -> Option<Outcome> {
    Some(match check {
        "inbox keys" => Ok(inbox_keys(given)),
        "person link" => person_link(given),
        "device link" => device_link(given),
        "opening" => opening(given),
        "inbox" => inbox(given),
        _ => return None,
    })
}

fn keys_of(given: &Given<'_>, seed: &str) -> Keys {
    Keys::new(given.array("network"), given.array(seed))
}

fn inbox_keys(given: &Given<'_>) -> Value {
    let keys = keys_of(given, "seed");
    let code = waxwing_seal::inbox::InboxSeed::from_bytes(given.array("seed")).keys(given.hash("network"));
    assert_eq!(*code.log_key().seed(), *keys.log_key.seed());
    let public = InboxKey::from_bytes(given.array("key")).public().to_bytes();
    json!({
        "log seed": hex(*keys.log_key.seed()),
        "log": hex(keys.log().0),
        "seal key": hex(keys.seal_key),
        "public hash": hex(blake3::hash(&public).as_bytes()),
        "public key": hex(public),
    })
}

fn purpose(purpose: &Purpose) -> Value {
    match purpose {
        Purpose::Contact => json!("contact"),
        Purpose::Channel(name) => json!({"channel": name.as_str()}),
    }
}

fn person_link(given: &Given<'_>) -> Outcome {
    let link = PersonLink::from_link(given.text("link")).map_err(rule)?;
    let nodes = link.nodes.iter();
    Ok(json!({
        "network": hex(link.network.0),
        "height": link.pin.height,
        "head": hex(link.pin.id.0),
        "nodes": nodes.map(|node| json!([node.address(), hex(node.id().0)])).collect::<Vec<_>>(),
        "account": hex(link.account.0),
        "seed": hex(link.seed.expose()),
        "purpose": purpose(&link.purpose),
        "log": hex(link.door().log().0),
    }))
}

fn device_link(given: &Given<'_>) -> Outcome {
    let link = DeviceLink::from_link(given.text("link")).map_err(rule)?;
    let nodes = link.nodes.iter();
    Ok(json!({
        "network": hex(link.network.0),
        "nodes": nodes.map(|node| json!([node.address(), hex(node.id().0)])).collect::<Vec<_>>(),
        "seed": hex(link.seed.expose()),
        "opening": hex(link.opening.0),
        "log": hex(link.door().log().0),
    }))
}

/// The envelope header of a body on this log.
fn header(given: &Given<'_>, keys: &Keys, body: &[u8], stays: bool) -> EnvelopeHeader {
    let body_hash = given.keys().hash(Meaning::Body, body);
    let erasure = if stays { keys.stays(&body_hash.0) } else { ERASURE };
    EnvelopeHeader {
        body_length: u32::try_from(body.len()).unwrap(),
        log: keys.log(),
        anchor: Anchor {
            height: 64,
            id: Hash([0xd1; 32]),
        },
        body_hash,
        erasure: Hash(erasure),
        keep_for: KeepFor::Ever,
        nonce: 0,
    }
}

/// A link's holder reads an opening, which stays unless it is said to be erasable.
fn opening(given: &Given<'_>) -> Outcome {
    let seed = waxwing_seal::inbox::InboxSeed::from_bytes(given.array("seed"));
    let (network, keys) = (given.hash("network"), keys_of(given, "seed"));
    let pin = waxwing_seal::invitation::Pin {
        height: 0,
        id: Hash::ZERO,
    };
    let (door, form) = if given.has("device opening") {
        let link = DeviceLink {
            network,
            nodes: Vec::new(),
            seed,
            opening: given.hash("named"),
        };
        (link.door(), 2)
    } else {
        let link = PersonLink {
            network,
            pin,
            nodes: Vec::new(),
            account: waxwing_seal::identity::AccountId(given.array("account")),
            seed,
            purpose: Purpose::Contact,
        };
        (link.door(), 1)
    };
    let said = given.bytes(if form == 2 { "device opening" } else { "opening" });
    let body = keys.outer(&[&[form], said.as_slice()].concat());
    let header = header(given, &keys, &body, !given.has("erasable"));
    match door.read(given.number("time"), &header, &body).map_err(rule)? {
        Opened::Person(inbox) => {
            let opening = inbox.opening();
            assert_eq!(opening.to_bytes(), said);
            Ok(json!({
                "id": hex(opening.id(network, keys.log()).0),
                "device": hex(opening.certificate.device.0),
                "name": opening.terms.name.as_str(),
                "purpose": purpose(&opening.terms.purpose),
                "expires": opening.terms.expires_ms,
                "uses": opening.terms.uses.count(),
            }))
        }
        Opened::Device(device) => {
            let opening = device.opening();
            assert_eq!(opening.to_bytes(), said);
            Ok(json!({
                "id": hex(opening.id(network, keys.log()).0),
                "device": hex(opening.device.0),
                "name": opening.name.as_str(),
                "expires": opening.expires_ms,
            }))
        }
    }
}

/// An inbox as it is stored, the entries that it reads before, and the one that it is about.
fn inbox(given: &Given<'_>) -> Outcome {
    let mut inbox: Inbox = given.decoded("inbox")?;
    if given.has("before") {
        for entry in given.list("before") {
            apply(&mut inbox, given, &entry).unwrap();
        }
    }
    let event = apply(&mut inbox, given, given).map_err(rule)?;
    let mut facts = facts(&event);
    facts["next index"] = json!(inbox.next_index());
    facts["uses left"] = json!(inbox.uses_left());
    Ok(facts)
}

/// The secrets of a stored inbox: what an entry must be sealed with to get there.
fn secrets(inbox: &Inbox) -> ([u8; 32], Vec<u8>) {
    let stored = inbox.to_bytes();
    let part = |from: usize| -> [u8; 32] { stored[from..from + 32].try_into().unwrap() };
    (part(40), InboxKey::from_bytes(part(72)).public().to_bytes())
}

fn apply(inbox: &mut Inbox, given: &Given<'_>, entry: &Given<'_>) -> Result<Event, Void> {
    let (seed, public) = secrets(inbox);
    let keys = Keys::new(given.array("network"), seed);
    let (message, stays) = message(&keys, &public, given, entry);
    let body = keys.outer(&message);
    let mut header = header(given, &keys, &body, stays && !entry.has("erasable"));
    if entry.has("body length") {
        header.body_length = entry.small("body length");
    }
    if entry.has("erasure") {
        header.erasure = entry.hash("erasure");
    }
    if entry.has("body") {
        assert_eq!(hex(&body), entry.text("body"), "sealed by hand");
    }
    let index = if entry.has("index") {
        entry.number("index")
    } else {
        inbox.next_index()
    };
    let time = if entry.has("at") {
        entry.number("at")
    } else {
        given.number("time")
    };
    inbox.apply(index, time, &header, &body)
}

/// What stands under the outer seal, and whether it stays.
fn message(keys: &Keys, public: &[u8], given: &Given<'_>, entry: &Given<'_>) -> (Vec<u8>, bool) {
    if entry.has("opening") {
        return ([&[1], entry.bytes("opening").as_slice()].concat(), true);
    }
    if entry.has("device opening") {
        return ([&[2], entry.bytes("device opening").as_slice()].concat(), true);
    }
    if entry.has("message") {
        return (entry.bytes("message"), false);
    }
    let text = if entry.has("text") {
        entry.bytes("text")
    } else {
        text(&entry.bytes("post"))
    };
    let occasion: [u8; 32] = if entry.has("occasion") {
        entry.array("occasion")
    } else {
        given.array("occasion")
    };
    let information = [b"waxwing v1 inbox seal", &keys.network[..], &keys.log().0, &occasion].concat();
    let associated = [&ERASURE[..], &[0; 4]].concat();
    let sealed = seal(public, &information, &associated, &text);
    ([&[3], sealed.as_slice()].concat(), false)
}

fn facts(event: &Event) -> Value {
    match event {
        Event::Opened => json!({"event": "Opened"}),
        Event::OpenedByAnother => json!({"event": "OpenedByAnother"}),
        Event::Request(taken) => json!({
            "event": "Request",
            "id": hex(taken.id.0),
            "account": hex(taken.request.certificate.account.0),
            "device": hex(taken.request.certificate.device.0),
            "name": taken.request.name.as_str(),
            "note": taken.request.note.as_str(),
            "answer": hex(taken.recipient().log().0),
        }),
        Event::Part { have, of } => json!({"event": "Part", "have": have, "of": of}),
        Event::Welcome(whole) => json!({
            "event": "Welcome",
            "message": hex(&whole.welcome.message),
            "tree": hex(&whole.welcome.tree),
            "commit": [hex(whole.place.log.0), whole.place.index.to_string(), whole.place.height.to_string()],
        }),
        Event::Declined(reason) => json!({"event": "Declined", "reason": reason.code()}),
        Event::Greeting(greeting, recipient) => json!({
            "event": "Greeting",
            "name": greeting.name.as_str(),
            "id": hex(recipient.occasion().0),
            "log": hex(recipient.log().0),
        }),
        Event::Offer(offered) => json!({
            "event": "Offer",
            "id": hex(offered.id.0),
            "account": hex(offered.offer.certificate.account.0),
            "networks": offered.offer.networks.len(),
        }),
        Event::Accepted(accepted) => json!({"event": "Accepted", "networks": accepted.len()}),
        Event::HandOver(handed) => json!({
            "event": "HandOver",
            "name": handed.name.as_str(),
            "card seeds": handed.handed.iter().map(|one| hex(one.card.expose())).collect::<Vec<_>>(),
        }),
    }
}

/// Only so that the stored forms of the vectors are those of the code.
pub(crate) fn is_opening(bytes: &[u8]) -> bool {
    Opening::from_bytes(bytes).is_ok()
}

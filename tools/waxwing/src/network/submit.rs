//! A change of the committee on its way into the ledger: an entry on the log that the genesis names for it.
//!
//! Everybody may write there, what counts is the quorum's signatures inside. The node is not believed: that the change was
//! ordered is proven by a receipt, certified by the committee that decided about it.

use core::num::NonZeroU32;
use std::time::Duration;

use waxwing_core::Meaning;
use waxwing_core::change::CommitteeChange;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::committee::Committee;
use waxwing_core::envelope::{Anchor, Envelope, EnvelopeHeader, KeepFor};
use waxwing_core::follow::HeadProof;
use waxwing_core::genesis::{FirstOfLog, Genesis};
use waxwing_core::limits::ANCHOR_INTERVAL;
use waxwing_core::receipt::Receipt;
use waxwing_net::quic::RequestError;
use waxwing_net::wire::{Admission, List, Opaque, Promise, Refusal, Request, Response};
use waxwing_seal::NodeAddress;

use crate::audit::Caller;
use crate::clock;
use crate::failure::Failure;
use crate::home::Home;

/// How long a change may take to be ordered. It bounds a failure, it paces nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks whether it was.
const PAUSE: Duration = Duration::from_millis(200);

/// The node to submit to: the one that was named, or the one that runs in the home.
///
/// # Errors
/// If there is none.
pub(super) fn node(named: Option<&str>, home: &Home) -> Result<NodeAddress, Failure> {
    match named {
        Some(text) => crate::chat::parse_node(text, "--node"),
        None => running(home),
    }
}

#[cfg(feature = "node")]
fn running(home: &Home) -> Result<NodeAddress, Failure> {
    let running = crate::node::run::running_in(home)?.address;
    NodeAddress::new(&format!("{}:{}", running.host, running.port), running.node)
        .ok_or_else(|| Failure::failed("the node's note of its own address is none"))
}

#[cfg(not(feature = "node"))]
fn running(_home: &Home) -> Result<NodeAddress, Failure> {
    Err(Failure::usage("name the node to submit to: --node KEY@HOST:PORT"))
}

/// Submits a change and waits until it is in a block; returns the block's height.
///
/// # Errors
/// If no node takes it, or it does not become final.
pub(super) fn submit(
    change: &CommitteeChange,
    genesis: &Genesis,
    current: &Committee,
    node: &NodeAddress,
) -> Result<u64, Failure> {
    let caller = Caller::call(node).map_err(|why| Failure::failed(format!("{}: {why}", node.address())))?;
    let envelope = envelope(change, genesis, anchor(&caller, genesis)?);
    let entry = envelope.signed.entry_id(&genesis.keys());
    let before = length(&caller, genesis)?;
    let envelopes = List::new(vec![Opaque::from(envelope.to_bytes())]).ok_or_else(strange)?;
    let request = Request::Submit {
        envelopes,
        promise: Promise::Word,
    };
    match ask(&caller, &request)? {
        Response::Submit(answers) => match answers.first() {
            Some(Admission::Refused(refusal)) => {
                return Err(Failure::failed(format!("the node does not take the change: {refusal}")));
            }
            Some(_) => {}
            None => return Err(strange()),
        },
        _ => return Err(strange()),
    }
    let started = clock::steady();
    let mut index = before;
    while clock::steady().duration_since(started) < PATIENCE {
        while index < length(&caller, genesis)? {
            let receipt = receipt(&caller, genesis, index)?;
            let ordered = receipt
                .verify(&genesis.keys(), current)
                .map_err(|error| Failure::failed(format!("the node's receipt proves nothing: {error}")))?;
            if ordered.entry == entry {
                return Ok(ordered.place.height);
            }
            index += 1;
        }
        std::thread::sleep(PAUSE);
    }
    Err(Failure::failed(
        "the node took the change and it was not ordered within a minute: look at `waxwing network committee show` later",
    ))
}

/// The change as an entry. It must never be erased, so its commitment is one whose secret nobody can know: the hash of the
/// body, made for another purpose.
fn envelope(change: &CommitteeChange, genesis: &Genesis, anchor: Anchor) -> Envelope {
    let (keys, key, body) = (genesis.keys(), genesis.committee_log(), change.to_bytes());
    let body_hash = keys.hash(Meaning::Body, &body);
    let mut header = EnvelopeHeader {
        body_length: u32::try_from(body.len()).expect("a change of 100 members takes 10 kB"),
        log: key.public(),
        anchor,
        body_hash,
        erasure: body_hash,
        keep_for: KeepFor::Ever,
        nonce: 0,
    };
    let bits = genesis.parameters.required_bits(header.body_length, FirstOfLog::Yes);
    header.grind(&keys, bits);
    Envelope {
        signed: header.sign(&keys, &key),
        body,
    }
}

/// The newest block that an envelope may name. A node that lies about it only makes other nodes refuse the envelope.
fn anchor(caller: &Caller, genesis: &Genesis) -> Result<Anchor, Failure> {
    let Response::Status(status) = ask(caller, &Request::Status)? else {
        return Err(strange());
    };
    let height = status.height - status.height % ANCHOR_INTERVAL;
    let header = if height == 0 {
        genesis.block()
    } else {
        let request = Request::Headers {
            from: height,
            count: NonZeroU32::MIN,
        };
        let Response::Headers(headers) = ask(caller, &request)? else {
            return Err(strange());
        };
        let bytes = headers.first().ok_or_else(strange)?;
        Decode::from_bytes(bytes).map_err(|_| strange())?
    };
    let id = header.id(&genesis.keys());
    Ok(Anchor { height, id })
}

/// How many entries the committee log has, as the node says: what counts is proven by receipts.
fn length(caller: &Caller, genesis: &Genesis) -> Result<u64, Failure> {
    let log = genesis.committee_log_id();
    match caller.ask(&Request::Log { log, held: 0 }) {
        Ok(Response::Log(bytes)) => {
            let proof = HeadProof::from_bytes(&bytes).map_err(|_| strange())?;
            Ok(proof.log.leaf.map_or(0, |leaf| leaf.length))
        }
        // Nothing was ordered since the founding.
        Err(RequestError::Refused(Refusal::HeightAhead { newest: 0 })) => Ok(0),
        Ok(_) => Err(strange()),
        Err(error) => Err(Failure::failed(error.to_string())),
    }
}

fn receipt(caller: &Caller, genesis: &Genesis, index: u64) -> Result<Receipt, Failure> {
    let log = genesis.committee_log_id();
    let Response::Receipt(bytes) = ask(caller, &Request::Receipt { log, index })? else {
        return Err(strange());
    };
    Receipt::from_bytes(&bytes).map_err(|_| strange())
}

fn ask(caller: &Caller, request: &Request) -> Result<Response, Failure> {
    caller.ask(request).map_err(|error| Failure::failed(error.to_string()))
}

fn strange() -> Failure {
    Failure::failed("the node answers what no node would; name another one with --node")
}

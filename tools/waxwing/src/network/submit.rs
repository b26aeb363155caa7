//! A change of the committee on its way into the ledger: an entry on the log that the genesis names for it.
//!
//! Everybody may write there, what counts is the quorum's signatures inside. The node is not believed: that the change was
//! ordered is proven by a receipt, certified by the committee that decided about it.

use core::num::NonZeroU32;
use std::time::Duration;

use waxwing_core::Meaning;
use waxwing_core::change::CommitteeChange;
use waxwing_core::codec::{Decode, Encode, Reader};
use waxwing_core::committee::Committee;
use waxwing_core::envelope::{Anchor, Body, Carried, Envelope, EnvelopeHeader, KeepFor};
use waxwing_core::follow::HeadProof;
use waxwing_core::genesis::{FirstOfLog, Genesis};
use waxwing_core::hash::HashKeys;
use waxwing_core::limits::ANCHOR_INTERVAL;
use waxwing_core::log::Place;
use waxwing_core::receipt::Receipt;
use waxwing_net::quic::RequestError;
use waxwing_net::wire::{Admission, Bodies, List, Opaque, Promise, Refusal, Request, Response};
use waxwing_seal::NodeAddress;

use crate::audit::Caller;
use crate::clock;
use crate::failure::Failure;
use crate::home::Home;

/// How long a change may take to be ordered. It bounds a failure, it paces nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks whether it was.
const PAUSE: Duration = Duration::from_millis(200);

/// Bytes of the committee log that are asked for at once: a hundred changes of the largest committee.
const PAGE_BYTES: NonZeroU32 = NonZeroU32::MIN.saturating_add((1 << 20) - 1);

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

/// Submits a change, unless it is ordered already, and waits until it is in a block; returns the block's height.
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
    let mut log = CommitteeLog {
        caller: &caller,
        genesis,
        current,
        read: 0,
    };
    // Others may have submitted it: an operator who signs late learns that it is decided.
    if let Some(height) = log.find(change)? {
        return Ok(height);
    }
    give(&caller, &envelope(change, genesis, anchor(&caller, genesis)?))?;
    let started = clock::steady();
    while clock::steady().duration_since(started) < PATIENCE {
        if let Some(height) = log.find(change)? {
            return Ok(height);
        }
        std::thread::sleep(PAUSE);
    }
    Err(Failure::failed(
        "the node took the change and it was not ordered within a minute: look at `waxwing network committee show` later",
    ))
}

/// Gives the node an envelope.
fn give(caller: &Caller, envelope: &Envelope) -> Result<(), Failure> {
    let envelopes = List::new(vec![Opaque::from(envelope.to_bytes())]).ok_or_else(strange)?;
    let request = Request::Submit {
        envelopes,
        promise: Promise::Word,
    };
    match ask(caller, &request)? {
        Response::Submit(answers) => match answers.first() {
            Some(Admission::Refused(refusal)) => {
                Err(Failure::failed(format!("the node does not take the change: {refusal}")))
            }
            Some(_) => Ok(()),
            None => Err(strange()),
        },
        _ => Err(strange()),
    }
}

/// The committee log as a node shows it, read from its beginning.
struct CommitteeLog<'a> {
    caller: &'a Caller,
    genesis: &'a Genesis,
    current: &'a Committee,
    /// Entries that were read and are not the change.
    read: u64,
}

impl CommitteeLog<'_> {
    /// The height at which the change was ordered, if it was. A change is known by what its signatures are over: who
    /// submitted it first may have had other signatures of the same quorum.
    fn find(&mut self, change: &CommitteeChange) -> Result<Option<u64>, Failure> {
        let keys = self.genesis.keys();
        let length = length(self.caller, self.genesis)?;
        while self.read < length {
            let request = Request::Entries {
                log: self.genesis.committee_log_id(),
                from: self.read,
                count: NonZeroU32::MIN.saturating_add(u32::from(u8::MAX)),
                bytes: PAGE_BYTES,
                bodies: Bodies::With,
            };
            let Response::Entries(page) = ask(self.caller, &request)? else {
                return Err(strange());
            };
            if page.from != self.read || page.entries.is_empty() {
                return Err(strange());
            }
            for bytes in page.entries.iter() {
                let entry = carried(bytes).ok_or_else(strange)?;
                if is_agreed(&entry, change, &keys, self.current)
                    && let Some(height) = self.proven(&entry, change)?
                {
                    return Ok(Some(height));
                }
                self.read += 1;
            }
        }
        Ok(None)
    }

    /// The height of the entry to be read next, by its receipt; `None` if the change came too late there.
    fn proven(&self, entry: &Carried, change: &CommitteeChange) -> Result<Option<u64>, Failure> {
        let keys = self.genesis.keys();
        let receipt = receipt(self.caller, self.genesis, self.read)?;
        let ordered = receipt
            .verify(&keys, self.current)
            .map_err(|error| Failure::failed(format!("the node's receipt proves nothing: {error}")))?;
        if ordered.entry != entry.signed.entry_id(&keys) || ordered.log != self.genesis.committee_log_id() {
            return Err(strange());
        }
        Ok(Some(ordered.place.height).filter(|height| *height < change.from_height))
    }
}

/// An entry as a node sends it.
fn carried(bytes: &[u8]) -> Option<Carried> {
    let mut reader = Reader::new(bytes);
    Place::decode(&mut reader).ok()?;
    let entry = Carried::decode(&mut reader).ok()?;
    reader.finish().ok().map(|()| entry)
}

/// Whether an entry's body is this change, signed by a quorum.
fn is_agreed(entry: &Carried, change: &CommitteeChange, keys: &HashKeys, current: &Committee) -> bool {
    let Body::Present(body) = &entry.body else {
        return false;
    };
    let is_its_body = keys.hash(Meaning::Body, body) == entry.signed.header.body_hash;
    let found = CommitteeChange::from_bytes(body);
    is_its_body && found.is_ok_and(|found| found.message() == change.message() && found.verify(keys, current).is_ok())
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

//! Checks about whole histories: what a full node accepts as the next block, and a client as a newer head.

use std::sync::Arc;

use serde_json::{Value, json};
use waxwing_core::block::{BlockHeader, CertifiedBlock};
use waxwing_core::certificate::Beacon;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::committee::Committee;
use waxwing_core::envelope::Carried;
use waxwing_core::follow::{Follow, FollowError, Freshness, HeadUpdate};
use waxwing_core::keys::Verified;
use waxwing_core::ledger::{Ledger, Step, is_timely};
use waxwing_rules::world::Rows;

use crate::case::{Outcome, hex};
use crate::check::{Given, rule, unhex};

pub(crate) fn run(check: &str, given: &Given<'_>) -> Option<Outcome> {
    Some(match check {
        "next block" => next_block(given),
        "timely" => timely(given),
        "follow" => follow(given),
        "follow from pin" => follow_from_pin(given),
        "follow beacon" => follow_beacon(given),
        "freshness" => Ok(freshness(&client(given), given.number("now"))),
        _ => return None,
    })
}

/// The state after some blocks, each of which must be acceptable.
fn ledger(given: &Given<'_>) -> (Ledger, Rows) {
    let genesis = given.genesis();
    let (mut ledger, mut rows) = (Ledger::new(&genesis), Rows::default());
    for block in given.list("blocks") {
        let block = CertifiedBlock::from_bytes(&unhex(block.0.as_str().unwrap())).unwrap();
        let head = block.head.clone().verify(ledger.keys(), ledger.committee());
        assert!(head.is_ok(), "block {}: {head:?}", block.head.header.height);
        let step = check(&ledger, &rows, &block).unwrap();
        rows.apply(&step);
        ledger.advance(step);
    }
    (ledger, rows)
}

fn check(ledger: &Ledger, rows: &Rows, block: &CertifiedBlock) -> Result<Step, String> {
    let bits = ledger.parameters().stamp_bits;
    let verify = |carried: &Carried| carried.clone().verify(ledger.keys(), bits).map(Arc::new);
    let entries: Vec<Arc<Verified<Carried>>> = block
        .entries
        .iter()
        .map(verify)
        .collect::<Result<_, _>>()
        .map_err(rule)?;
    ledger
        .check(rows, &block.head.header, entries, block.evidence.clone())
        .map_err(rule)
}

/// The candidate's certificate is not asked for: these are the rules on which validators vote.
fn next_block(given: &Given<'_>) -> Outcome {
    let (ledger, rows) = ledger(given);
    let block: CertifiedBlock = given.decoded("candidate")?;
    let step = check(&ledger, &rows, &block)?;
    let logs = step.logs.iter().map(|change| hex(change.leaf.to_bytes()));
    Ok(json!({
        "id": hex(step.id.0),
        "logs": logs.collect::<Vec<_>>(),
        "positions": step.entries.iter().map(|entry| entry.position).collect::<Vec<_>>(),
        "expired anchors": step.expired_anchors,
        "next term from": step.next_term.map(|term| term.from),
    }))
}

fn timely(given: &Given<'_>) -> Outcome {
    if is_timely(given.number("time"), given.number("now")) {
        Ok(json!({}))
    } else {
        Err("not timely".to_owned())
    }
}

/// A client that was offered some updates before, whatever came of them.
fn client(given: &Given<'_>) -> Follow {
    let mut client = if given.has("pin") {
        pinned(given).unwrap()
    } else {
        Follow::from_genesis(&given.genesis())
    };
    if given.has("before") {
        for offered in given.list("before") {
            let update: HeadUpdate = offered.sound("update");
            let _ = client.accept(&update, offered.number("now"));
        }
    }
    client
}

fn pinned(given: &Given<'_>) -> Result<Follow, String> {
    let header: BlockHeader = given.sound("pinned header");
    let committee: Committee = given.committee();
    Follow::from_pin(given.keys(), given.hash("pin"), header, committee).map_err(rule)
}

fn follow_from_pin(given: &Given<'_>) -> Outcome {
    let client = pinned(given)?;
    Ok(json!({"height": client.header().height, "confirmed": client.held().confirmed}))
}

fn follow(given: &Given<'_>) -> Outcome {
    let mut client = client(given);
    let held = client.id();
    let update: HeadUpdate = given.decoded("update")?;
    let outcome = client.accept(&update, given.number("now"));
    if !matches!(outcome, Err(FollowError::Fork(_))) {
        assert_eq!(
            client.id() == held,
            outcome != Ok(waxwing_core::follow::Accepted::Newer)
        );
    }
    let accepted = outcome.map_err(|error| match error {
        FollowError::Fork(evidence) => format!("Fork at height {}", evidence.height()),
        other => rule(other),
    })?;
    Ok(json!({
        "accepted": rule(accepted),
        "height": client.header().height,
        "id": hex(client.id().0),
        "term": client.held().committee.term(),
        "confirmed": client.held().confirmed,
    }))
}

fn follow_beacon(given: &Given<'_>) -> Outcome {
    let mut client = client(given);
    let beacon: Beacon = given.decoded("beacon")?;
    let now = given.number("now");
    client.accept_beacon(&beacon, now).map_err(rule)?;
    Ok(freshness(&client, now))
}

fn freshness(client: &Follow, now: u64) -> Value {
    match client.freshness(now) {
        Freshness::Fresh { age } => json!({"fresh, ms old": age}),
        Freshness::Stale { age } => json!({"stale, ms old": age}),
        Freshness::ClockBehind { by } => json!({"clock behind by ms": by}),
    }
}

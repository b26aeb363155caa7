//! `waxwing node status` and `health`: what a node says of itself, over the same connection that clients use.
//!
//! It is the node's word, no proof; the words never claim more than the node checked itself.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use serde_json::{Value, json};
use waxwing_net::quic::{CloseCode, Closed, Connection, Dialer, RequestError, Shown};
use waxwing_net::wire::{
    ChunkTerms, Hindrance, Progress, Refusal, Request, Response, Retention, Role, Status, Submitters,
};
use waxwing_node::NodeAddress;
use waxwing_seal::display::display_safe;

use super::pages;
use super::run::{Running, running_in};
use crate::args::Place;
use crate::failure::Failure;
use crate::home::Home;
use crate::ids::{self, Kind};
use crate::output::{Output, Tone};
use crate::words::{bytes, count, grouped};
use crate::{Done, clock};

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks of `--watch`.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) fn status(watch: bool, place: &Place, home: &Home, output: &Output) -> Done {
    let Running { address, http } = wanted(place, home)?;
    alone(async {
        let connection = call(&address).await?;
        let mut last = ask(&connection).await?;
        let offer = offer(&address).await;
        tell((&last, offer), &address, http, &connection, output)?;
        if !watch {
            return Ok(0);
        }
        loop {
            tokio::time::sleep(PAUSE).await;
            let status = ask(&connection).await?;
            if status != last {
                let line = format!("{}  {}", clock::local(clock::now_ms()), progress_line(&status));
                output.result("node.status", as_json(&status, &address), &line)?;
                last = status;
            }
        }
    })
}

pub(super) fn health(live_only: bool, place: &Place, home: &Home, output: &Output) -> Done {
    let (is_well, says) = match wanted(place, home) {
        Err(failure) => (false, failure.to_string()),
        Ok(Running { http: Some(http), .. }) => by_page(http, live_only),
        Ok(Running { address, http: None }) => by_question(&address, live_only),
    };
    let tone = if is_well { Tone::Good } else { Tone::Bad };
    output.result(
        "node.health",
        json!({ "well": is_well, "says": says }),
        &output.paint(tone, &says),
    )?;
    Ok(u8::from(!is_well))
}

/// What the node's own page says: it knows about its peers and its store.
fn by_page(http: SocketAddr, live_only: bool) -> (bool, String) {
    let path = if live_only { "/livez" } else { "/readyz?verbose" };
    match pages::fetch(http, path) {
        None => (
            false,
            format!("nobody answers at http://{http}: start the node with `waxwing node run`"),
        ),
        Some(page) if live_only => (page.code == 200, format!("live: {}", page.text.trim())),
        Some(page) => (page.code == 200, page.text.trim().to_owned()),
    }
}

/// What it says when it is asked from outside: whether it answers, how far it is, and what stands in its way.
fn by_question(address: &NodeAddress, live_only: bool) -> (bool, String) {
    let asked = alone(async {
        let connection = call(address).await?;
        let status = ask(&connection).await?;
        let hindrances = if live_only {
            Vec::new()
        } else {
            hindrances(&connection).await?
        };
        Ok((status, hindrances))
    });
    match asked {
        Err(failure) => (false, failure.to_string()),
        Ok(_) if live_only => (true, "live: it answers".to_owned()),
        Ok((status, hindrances)) => readiness(&progress_line(&status), &hindrances),
    }
}

fn readiness(progress: &str, hindrances: &[Hindrance]) -> (bool, String) {
    if hindrances.is_empty() {
        return (true, format!("ready: {progress}"));
    }
    let reasons: Vec<_> = hindrances.iter().map(ToString::to_string).collect();
    (false, format!("not ready: {}", reasons.join("; ")))
}

async fn hindrances(connection: &Connection) -> Result<Vec<Hindrance>, Failure> {
    match connection.request(&Request::Ready, PATIENCE).await {
        Ok(Response::Ready(hindrances)) => Ok(hindrances.into_vec()),
        // Its version is older than the question.
        Err(RequestError::Closed(Closed::ByPeer(CloseCode::Malformed))) => Err(Failure::failed(
            "the node cannot say whether it is ready: update it, or ask on its machine with `waxwing node health`",
        )),
        // Or newer than this program.
        Err(RequestError::BadAnswer(_)) => Err(Failure::failed(
            "the node gives a reason that this program does not know: update this program",
        )),
        Ok(_) => Err(other_answer()),
        Err(error) => Err(Failure::failed(error.to_string())),
    }
}

fn wanted(place: &Place, home: &Home) -> Result<Running, Failure> {
    match &place.node {
        Some(text) => {
            let address = text
                .parse()
                .map_err(|error| Failure::usage(format!("--node: {error}")))?;
            Ok(Running { address, http: None })
        }
        None => running_in(home),
    }
}

/// Runs a short conversation on this thread.
fn alone<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("the system gives no event queue: {error}")))?;
    runtime.block_on(work)
}

async fn call(address: &NodeAddress) -> Result<Connection, Failure> {
    let failed = |why: &str| Failure::failed(format!("{}:{}: {why}", address.host, address.port));
    let host = address.host.trim_matches(['[', ']']);
    let mut found = (host, address.port)
        .to_socket_addrs()
        .map_err(|_| failed("no such host; check the address"))?;
    let socket: SocketAddr = found.next().ok_or_else(|| failed("no such host; check the address"))?;
    let dialer = Dialer::new(Shown::Ephemeral).map_err(|error| failed(&format!("no socket: {error}")))?;
    dialer
        .connect(socket, address.node, PATIENCE)
        .await
        .map_err(|error| failed(&error.to_string()))
}

async fn ask(connection: &Connection) -> Result<Status, Failure> {
    match connection.request(&Request::Status, PATIENCE).await {
        Ok(Response::Status(status)) => Ok(*status),
        Ok(_) => Err(other_answer()),
        Err(error) => Err(Failure::failed(error.to_string())),
    }
}

/// What the node offers to keep of attachments; `None` if it does not say. On a connection of its own: a node that is older
/// than the question ends it.
async fn offer(address: &NodeAddress) -> Option<Offer> {
    let connection = call(address).await.ok()?;
    match connection.request(&Request::ChunkTerms, PATIENCE).await {
        Ok(Response::ChunkTerms(terms)) => Some(Offer::Terms(terms)),
        Err(RequestError::Refused(Refusal::NoChunks)) => Some(Offer::Nothing),
        _ => None,
    }
}

/// What a node offers to keep.
#[derive(Clone, Copy)]
enum Offer {
    Nothing,
    Terms(ChunkTerms),
}

impl Offer {
    fn line(self) -> String {
        match self {
            Self::Nothing => "none are kept".to_owned(),
            Self::Terms(terms) => format!(
                "kept for at most {}, {} of {} free",
                count(terms.days.into(), "day", "days"),
                bytes(terms.free_bytes),
                bytes(terms.quota_bytes)
            ),
        }
    }

    fn as_json(self) -> Value {
        match self {
            Self::Nothing => json!({ "quota_bytes": 0 }),
            Self::Terms(terms) => json!({
                "quota_bytes": terms.quota_bytes,
                "free_bytes": terms.free_bytes,
                "days": terms.days,
            }),
        }
    }
}

fn other_answer() -> Failure {
    Failure::failed("the node answered something else than was asked; use another node")
}

fn tell(
    (status, offer): (&Status, Option<Offer>),
    address: &NodeAddress,
    http: Option<SocketAddr>,
    connection: &Connection,
    output: &Output,
) -> Result<(), Failure> {
    let access = &status.access;
    let takes = match access.submit {
        Submitters::Everybody => "envelopes of everybody who pays the stamp",
        Submitters::Members => "envelopes of those whom the operator knows",
        Submitters::Nobody => "no envelopes",
    };
    let keeps = match status.retention {
        Retention::AsAsked => "bodies as long as their envelopes ask".to_owned(),
        Retention::AtMostDays(days) => format!("bodies as long as their envelopes ask, at most {days} days"),
    };
    let quota = access
        .quota_bytes
        .map_or_else(|| "no bound".to_owned(), |quota| format!("of {}", bytes(quota)));
    let mut facts = vec![
        ("node", output.id(Kind::Node, address.node.as_bytes())),
        ("network", output.id(Kind::Network, status.network.as_bytes())),
        (
            "head",
            format!(
                "block {}  {}",
                status.height,
                output.id(Kind::Block, status.head.as_bytes())
            ),
        ),
        ("progress", progress_line(status)),
        ("takes", takes.to_owned()),
        ("keeps", keeps),
        ("disk", format!("{}, {quota}", bytes(access.used_bytes))),
        ("software", display_safe(&status.software).into_owned()),
        (
            "round trip",
            format!("{:.1} ms", connection.round_trip().as_secs_f64() * 1000.0),
        ),
    ];
    facts.extend(offer.map(|offer| ("attachments", offer.line())));
    let policy = display_safe(&access.policy);
    if !policy.is_empty() {
        facts.push(("operator", policy.into_owned()));
    }
    let page = http.and_then(|http| pages::fetch(http, "/status"));
    let page: Option<Value> = page.and_then(|page| serde_json::from_str(&page.text).ok());
    facts.extend(page.iter().flat_map(from_page));
    let heading = format!("{} at {}:{}", role(status), address.host, address.port);
    let mut value = as_json(status, address);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("attachments".to_owned(), offer.map_or(Value::Null, Offer::as_json));
        fields.insert("page".to_owned(), page.unwrap_or_default());
    }
    output.result("node.status", value, &output.facts(&heading, &facts))
}

const fn role(status: &Status) -> &'static str {
    match status.role {
        Role::Validator => "validator",
        Role::Follower => "follower",
    }
}

fn progress_line(status: &Status) -> String {
    match status.progress {
        Progress::Downloading { have, target } => {
            format!("downloading, {} of {} blocks", grouped(have), grouped(target))
        }
        Progress::Verifying { verified, target } => format!("verified to {} of {}", grouped(verified), grouped(target)),
        Progress::Verified { height } => format!("verified to its head, block {}", grouped(height)),
        Progress::Joined { joined, verified } => {
            let joined = grouped(joined);
            format!("joined at {joined}, verified to {} of {joined}", grouped(verified))
        }
    }
}

/// What the node shows on its own machine alone.
fn from_page(page: &Value) -> Vec<(&'static str, String)> {
    let number = |pointer: &str| page.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let mut facts = vec![
        (
            "ledger",
            format!(
                "{} in {}",
                count(number("/entries"), "entry", "entries"),
                count(number("/logs"), "log", "logs")
            ),
        ),
        (
            "waiting",
            format!(
                "{} envelopes, {}",
                grouped(number("/pool/envelopes")),
                bytes(number("/pool/bytes"))
            ),
        ),
        (
            "attached",
            format!(
                "{} in {}",
                count(number("/chunks/chunks"), "piece", "pieces"),
                bytes(number("/chunks/used_bytes"))
            ),
        ),
    ];
    for upstream in page.get("upstreams").and_then(Value::as_array).into_iter().flatten() {
        let place = upstream.get("address").and_then(Value::as_str).unwrap_or_default();
        let place = place.split_once('@').map_or(place, |(_, place)| place);
        let is_connected = upstream.get("is_connected").and_then(Value::as_bool) == Some(true);
        let state = if is_connected { "connected" } else { "not connected" };
        facts.push(("upstream", format!("{}  {state}", display_safe(place))));
    }
    facts.extend(
        page.get("links")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(link),
    );
    facts.extend(
        page.get("evidence")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(evidence),
    );
    if page.get("is_halted").and_then(Value::as_bool) == Some(true) {
        let halted =
            "two certified histories were seen: nothing more is copied; the evidence lies in the node's directory";
        facts.push(("halted", halted.to_owned()));
    }
    facts
}

/// Another validator, as this one sees it.
fn link(link: &Value) -> (&'static str, String) {
    let validator = link
        .get("validator")
        .and_then(Value::as_str)
        .map_or_else(String::new, validator);
    let listens = link.get("listens").and_then(Value::as_bool) == Some(true);
    let is_heard = link.get("heard_at").is_some_and(|place| !place.is_null());
    let state = match (listens, is_heard) {
        (true, true) => "connected both ways",
        (true, false) => "listens, and is not heard",
        (false, true) => "is heard, and does not listen",
        (false, false) => "not connected",
    };
    ("link", format!("{validator}  {state}"))
}

fn validator(hex: &str) -> String {
    ids::hex_32(hex).map_or_else(|| hex.to_owned(), |key| ids::short(Kind::Validator, &key))
}

/// A signed contradiction that the node has heard of.
fn evidence(piece: &Value) -> (&'static str, String) {
    let height = piece.get("height").and_then(Value::as_u64).unwrap_or(0);
    let text = match piece.get("validator").and_then(Value::as_str) {
        Some(key) => format!("{} cast two contradicting votes at height {height}", validator(key)),
        None => format!("two different blocks are certified at height {height}"),
    };
    ("evidence", text)
}

/// `page` is what the node shows on its own machine, `null` for nodes elsewhere; `attachments` what it offers to keep of them,
/// `null` if it does not say.
fn as_json(status: &Status, address: &NodeAddress) -> Value {
    let (state, done, target) = match status.progress {
        Progress::Downloading { have, target } => ("downloading", have, target),
        Progress::Verifying { verified, target } => ("verifying", verified, target),
        Progress::Verified { height } => ("verified", height, height),
        Progress::Joined { joined, verified } => ("joined", verified, joined),
    };
    json!({
        "address": address.to_string(),
        "role": role(status),
        "network": status.network.to_string(),
        "height": status.height,
        "head": status.head.to_string(),
        "progress": state,
        "progress_done": done,
        "progress_target": target,
        "used_bytes": status.access.used_bytes,
        "quota_bytes": status.access.quota_bytes,
        "policy": &*status.access.policy,
        "software": &*status.software,
        "attachments": null,
        "page": null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_ready_when_nothing_stands_in_the_way_and_else_says_all_of_it() {
        let done = "verified to its head, block 7";
        assert_eq!(
            readiness(done, &[]),
            (true, "ready: verified to its head, block 7".to_owned())
        );
        let quorum = Hindrance::NoQuorum {
            linked: 2,
            members: 4,
            needed: 3,
        };
        assert_eq!(
            readiness(done, &[quorum, Hindrance::TwoHistories]),
            (
                false,
                "not ready: linked with 2 of 4 validators, itself counted; 3 must be; two certified histories were seen"
                    .to_owned()
            )
        );
    }
}

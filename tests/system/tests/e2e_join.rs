//! A new node joins fast and is killed again and again, while it joins and while it fills in what came before: nothing is
//! ever half there, an audit of its directory says what it is at every moment, and in the end it is verified.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use waxwing_core::keys::NodeKey;
use waxwing_net::quic::{
    Connection, Dialer, Identity, PeerInfo, RequestError, Responder, Server, ServerLimits, Service, Shown,
};
use waxwing_net::wire::Request;
use waxwing_system::command::{number, text, verdict, waxwing};
use waxwing_system::load::Load;
use waxwing_system::node::{Network, Node};
use waxwing_system::process::Running;
use waxwing_system::until::until;

/// Entries that there are to join.
const ENTRIES: u64 = 3_000;

fn audit(directory: &Path, policy: &Path) -> (i32, Value) {
    let mut command = waxwing(directory);
    command
        .args(["audit", "run"])
        .arg(directory)
        .arg("--policy")
        .arg(policy);
    verdict(&mut command)
}

/// How far a directory is that nobody is running on, by its audit: nothing, nothing but rows put aside, joined, verified.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Stage {
    Nothing,
    Joining,
    Filling(u64),
    Whole,
}

fn stage(node: &Node, policy: &Path) -> Stage {
    if !node.directory().join("db/CURRENT").is_file() {
        return Stage::Nothing;
    }
    let (code, report) = audit(&node.directory().join("db"), policy);
    let joined = report.pointer("/joined").filter(|joined| !joined.is_null());
    match (code, joined) {
        (12, Some(joined)) if number(joined, "/height") == 0 => Stage::Joining,
        (12, Some(joined)) => Stage::Filling(number(joined, "/filled_height")),
        (0, None) if number(&report, "/head/height") == 0 => Stage::Nothing,
        (0, None) => Stage::Whole,
        // Killed before its first rows were written.
        (50, None) if text(&report, "/headline").contains("holds no ledger") => Stage::Nothing,
        _ => unreachable!("exit code {code}: {report}"),
    }
}

/// Stands between a new node and another one, and falls silent after so many parts of the snapshot.
struct Falls {
    honest: Connection,
    parts: usize,
    asked: Arc<AtomicUsize>,
}

impl Service for Falls {
    async fn call(&self, _peer: PeerInfo, request: Request, responder: Responder) {
        if matches!(request, Request::Snapshot { .. }) && self.asked.fetch_add(1, Ordering::Relaxed) >= self.parts {
            return std::future::pending().await;
        }
        match self.honest.request(&request, Duration::from_secs(10)).await {
            Ok(response) => responder.answer(response).await,
            Err(RequestError::Refused(refusal)) => responder.refuse(refusal).await,
            Err(_) => {}
        }
    }
}

/// Kills a node that waits for a part of its snapshot after it got so many; returns what is in its directory then.
async fn killed_after(parts: usize, validator: &Node, node: &Node, policy: &Path) -> Stage {
    let any = ([127, 0, 0, 1], 0).into();
    let dialer = Dialer::from_address(any, Shown::Ephemeral).unwrap();
    let honest = dialer
        .connect(validator.listens(), validator.id(), Duration::from_secs(10))
        .await;
    let asked = Arc::<AtomicUsize>::default();
    let falls = Falls {
        honest: honest.unwrap(),
        parts,
        asked: Arc::clone(&asked),
    };
    let identity = Identity::new(&NodeKey::from_seed(&[66; 32]));
    let server = Server::bind(any, &identity, ServerLimits::DEFAULT, falls).unwrap();
    let mut command = node.command();
    command
        .arg("--upstreams")
        .arg(format!("{}@{}", server.node(), server.address().unwrap()));
    let running = Running::start(&mut command);
    while asked.load(Ordering::Relaxed) <= parts {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    running.kill();
    stage(node, policy)
}

#[test]
fn a_node_that_is_killed_in_the_middle_of_its_snapshot_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::found_cheap(&folder.path().join("network"), "join");
    let policy = folder.path().join("policy");
    network.policy(&policy, None);
    let mut validator = Node::validator(&folder.path().join("validator"), &network).with("block-pause-ms", "1");
    validator.start();
    let load = Load::start(&validator, &network.genesis(), 7);
    until("there is something to join", || (load.told() > 300).then_some(()));
    let _ = load.finish();
    let mut node = Node::follower(&folder.path().join("node"), &network, &[&validator.address()]).with("join", "fast");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for parts in 0..4 {
        let stage = runtime.block_on(killed_after(parts, &validator, &node, &policy));
        assert_eq!(stage, Stage::Joining, "after {parts} parts");
    }
    node.start();
    until("everything is here", || node.status()["joined"].is_null().then_some(()));
    node.until_height(number(&validator.status(), "/height"));
    node.stop();
    assert_eq!(stage(&node, &policy), Stage::Whole);
}

#[test]
fn a_node_that_is_killed_while_it_joins_and_fills_in_is_verified_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::found_cheap(&folder.path().join("network"), "join");
    let policy = folder.path().join("policy");
    network.policy(&policy, None);
    let mut validator = Node::validator(&folder.path().join("validator"), &network).with("block-pause-ms", "1");
    validator.start();
    let load = Load::start(&validator, &network.genesis(), 7);
    until("there is something to join", || (load.told() > ENTRIES).then_some(()));
    let finals = load.finish();
    let upstream = validator.address();
    let mut node = Node::follower(&folder.path().join("node"), &network, &[&upstream]).with("join", "fast");

    // A process takes some time to start, so the first kills meet nothing and the later ones something.
    let (mut seen, mut before) = (Vec::new(), Stage::Nothing);
    for delay_ms in (40..1000).step_by(20) {
        let running = Running::start(&mut node.command());
        std::thread::sleep(Duration::from_millis(delay_ms));
        running.kill();
        let stage = stage(&node, &policy);
        assert!(
            stage >= before || before == Stage::Joining,
            "{before:?}, then {stage:?}"
        );
        seen.push(stage);
        before = stage;
        if stage == Stage::Whole {
            break;
        }
    }
    println!("killed {} times: {seen:?}", seen.len());
    let was_met = |stage: &Stage| matches!(stage, Stage::Joining | Stage::Filling(_));
    assert!(seen.iter().any(was_met), "{seen:?}");

    node.start();
    let status = until("everything is here", || {
        let status = node.status();
        status["joined"].is_null().then_some(status)
    });
    assert_eq!(number(&status, "/verified"), number(&status, "/height"));
    node.until_height(number(&validator.status(), "/height"));
    let last = finals.iter().map(|one| one.height).max().unwrap();
    assert!(number(&node.status(), "/height") >= last);
    node.stop();
    let (code, report) = audit(&node.directory().join("db"), &policy);
    assert_eq!((code, text(&report, "/verdict")), (0, "VERIFIED"), "{report}");
    assert!(number(&report, "/figures/entries") >= ENTRIES);
}

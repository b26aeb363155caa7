//! What a real node says of itself in figures: every block it announced was synced first, and a node that nobody needs
//! needs next to nothing.

use std::thread;
use std::time::Duration;

use waxwing_system::command::number;
use waxwing_system::load::Load;
use waxwing_system::node::{Network, Node};
use waxwing_system::until::until;

/// Resident, in KiB, of a node without optimisation. What the release build takes is measured by the benchmarks.
const IDLE_KIB: u64 = 80 << 10;

/// How long an idle node is watched, and what of that time it may spend on a processor: two in a hundred, for a build
/// without optimisation on a machine that does other things. The benchmarks hold the release build to far less.
const WATCHED: Duration = Duration::from_secs(3);
const IDLE_NS: u64 = 60_000_000;

/// Blocks of this run that somebody can have heard of, then syncs of this run.
fn announced_and_synced(node: &Node, before: u64) -> (u64, u64) {
    // In this order: a block announced between the two looks can only raise the second.
    let announced = number(&node.status(), "/height") - before;
    (announced, node.figure("waxwing_wal_syncs"))
}

#[test]
fn a_live_node_has_synced_at_least_as_often_as_it_has_announced_a_block() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::found_cheap(&folder.path().join("network"), "syncs");
    let mut validator = Node::validator(&folder.path().join("validator"), &network).with("block-pause-ms", "5");
    validator.start();
    let mut follower = Node::follower(&folder.path().join("follower"), &network, &[&validator.address()]);
    follower.start();
    let load = Load::start(&validator, &network.genesis(), 3);
    for round in 1..=20 {
        until("the ledger grows", || (load.told() >= round * 10).then_some(()));
        for node in [&validator, &follower] {
            let (announced, synced) = announced_and_synced(node, 0);
            assert!(
                synced >= announced,
                "{announced} blocks were announced after {synced} syncs"
            );
        }
    }
    // The count is one of a run: after a restart it begins anew, and so do the blocks that are held against it.
    validator.kill();
    validator.start();
    let (height, told) = (number(&validator.status(), "/height"), load.told());
    until("the ledger grows again", || (load.told() > told + 50).then_some(()));
    let (announced, synced) = announced_and_synced(&validator, height);
    assert!(
        announced > 0 && synced >= announced,
        "{announced} blocks were announced after {synced} syncs"
    );
    let _ = load.finish();
    let height = number(&validator.status(), "/height");
    follower.until_height(height);
    let (announced, synced) = announced_and_synced(&follower, 0);
    assert!(
        announced >= height && synced >= announced,
        "{announced} blocks were announced after {synced} syncs"
    );
}

#[test]
fn an_idle_node_is_small_and_rests() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::found_cheap(&folder.path().join("network"), "idle");
    let mut node = Node::validator(&folder.path().join("node"), &network);
    node.start();
    let mut follower = Node::follower(&folder.path().join("follower"), &network, &[&node.address()]);
    follower.start();
    let load = Load::start(&node, &network.genesis(), 3);
    until("the node has done something", || (load.told() > 100).then_some(()));
    let _ = load.finish();
    follower.until_height(number(&node.status(), "/height"));
    let before = [node.process().processor_ns(), follower.process().processor_ns()];
    // Not waiting for anything: time is what is measured against.
    thread::sleep(WATCHED);
    for (node, before) in [&mut node, &mut follower].into_iter().zip(before) {
        let spent = node.process().processor_ns().saturating_sub(before);
        assert!(spent < IDLE_NS, "{spent} ns on a processor while nothing happened");
        let memory = node.process().memory_kib();
        assert!((1_000..IDLE_KIB).contains(&memory), "{memory} KiB");
    }
}

//! Servers that lie about every part of a snapshot, each seen through, and the truth taken from another.

use tokio::sync::watch;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::follow::HeadUpdate;
use waxwing_core::hash::HashKeys;
use waxwing_core::merkle::Frontier;
use waxwing_core::snapshot::{Answer, Ask};
use waxwing_net::wire::{Request, Response};

use super::{busy, double, join, log, until_whole};
use crate::client::Client;
use crate::world::{SOON, World};

/// A new node that gets lies before it gets the truth: it joins all the same, and keeps what was wrong with whom.
async fn seen_through(
    lie: impl Fn(&HashKeys, &Request, Response) -> Option<Response> + Send + Sync + 'static,
    reason: &str,
) {
    let world = World::new();
    let validator = busy(&world, 400, 5).await;
    let (keys, told) = (world.keys.clone(), watch::Sender::new(false));
    let telling = told.clone();
    let liar = double(&validator.address(), move |request, response| {
        let truth = response.clone();
        let answer = lie(&keys, request, response);
        if answer.as_ref() != Some(&truth) {
            telling.send_replace(true);
        }
        answer
    })
    .await;
    // Busy until the lie is told, so that it is.
    let honest = double(&validator.address(), |_, response| Some(response)).await;
    honest.parts.send_replace(false);
    let mut is_told = told.subscribe();
    let upstreams = [liar.address.clone(), honest.address.clone()];
    let (node, told) = tokio::join!(join(&world, &upstreams), async {
        let told = tokio::time::timeout(SOON, is_told.wait_for(|told| *told)).await.is_ok();
        honest.parts.send_replace(true);
        told
    });
    assert!(told, "no lie was told");
    assert_eq!(node.handle.tip(), validator.handle.tip());
    let status = node.handle.status().unwrap();
    let fault = status.upstreams[0].fault.clone().unwrap_or_default();
    assert!(fault.contains(reason), "{reason:?} in {fault:?}");
    assert!(!status.upstreams[1].fault.iter().any(|fault| fault.contains("snapshot")));
    until_whole(&node).await;
    let mut client = Client::to(&world, &node).await;
    assert_eq!(client.read(log(2)).await.len(), 400);
}

/// Changes parts of snapshots.
fn parts(
    change: impl Fn(&HashKeys, &mut Answer) + Send + Sync,
) -> impl Fn(&HashKeys, &Request, Response) -> Option<Response> + Send + Sync {
    move |keys, request, response| match (request, response) {
        (Request::Snapshot { part, .. }, Response::Snapshot(answer)) => {
            let ask = Ask::from_bytes(part).unwrap();
            let mut answer = ask.answer(&answer).unwrap();
            change(keys, &mut answer);
            Some(Response::Snapshot(answer.to_bytes().into()))
        }
        (_, response) => Some(response),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_leaf_is_seen_through() {
    let lie = parts(|_, answer| {
        if let Answer::Logs(rows) = answer {
            rows[1].leaf.last_height += 1;
        }
    });
    seen_through(lie, "the logs of the slot from").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_leaf_is_seen_through() {
    let lie = parts(|_, answer| {
        if let Answer::Logs(rows) = answer {
            rows.pop();
        }
    });
    seen_through(lie, "logs are missing: 4 of 5").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_extra_leaf_is_seen_through() {
    let lie = parts(|keys, answer| {
        if let Answer::Logs(rows) = answer {
            // Behind the last one, where it would belong.
            let last = rows.last().unwrap().leaf.map_key(keys);
            let mut more = rows[0].clone();
            for number in 0_u64.. {
                more.leaf.log = keys.hash(waxwing_core::Meaning::Body, &number.to_be_bytes());
                if more.leaf.map_key(keys) > last {
                    break;
                }
            }
            rows.push(more);
        }
    });
    seen_through(lie, "logs that are not in the log map: 6 in a slot of 5").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_frontier_is_seen_through() {
    let lie = parts(|_, answer| {
        if let Answer::Logs(rows) = answer {
            rows[2].leaf.root.0[0] ^= 1;
        }
    });
    seen_through(lie, "does not fold to its root").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_outline_is_seen_through() {
    let lie = parts(|_, answer| {
        if let Answer::Outline(slots) = answer {
            slots[0].hash.0[0] ^= 1;
        }
    });
    seen_through(lie, "the outline does not fold to the certified root").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_window_entry_is_seen_through() {
    let lie = parts(|_, answer| {
        if let Answer::Window(blocks) = answer {
            blocks[0].entries.pop();
        }
    });
    seen_through(lie, "are missing from the window").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_altered_window_entry_is_seen_through() {
    let lie = parts(|_, answer| {
        if let Answer::Window(blocks) = answer {
            blocks[0].entries[0].signed.header.nonce ^= 1;
        }
    });
    seen_through(lie, "are not those that are certified").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_altered_header_of_the_window_is_seen_through() {
    let lie = parts(|_, answer| {
        if let Answer::Headers(headers) = answer {
            headers[3].time += 1;
        }
    });
    seen_through(lie, "is not the parent of the one above it").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_frontier_of_the_history_is_seen_through() {
    let lie = parts(|_, answer| {
        if let Answer::Opening(opening) = answer {
            let mut peaks = opening.history.peaks().to_vec();
            peaks[0].0[0] ^= 1;
            opening.history = Frontier::from_parts(opening.history.len(), peaks).unwrap();
        }
    });
    seen_through(lie, "the history's frontier is not that of the head").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_header_is_seen_through() {
    let lie = |_: &HashKeys, request: &Request, response| match (request, response) {
        (Request::Head { held: 0 }, Response::Head(update)) => {
            let mut update = HeadUpdate::from_bytes(&update).unwrap();
            update.head.header.network.0[0] ^= 1;
            Some(Response::Head(update.to_bytes().into()))
        }
        (_, response) => Some(response),
    };
    seen_through(
        lie,
        "the snapshot's head cannot be accepted: the block belongs to another network",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_says_nothing_or_nonsense_is_passed_over() {
    let nonsense = |_: &HashKeys, request: &Request, response| match (request, response) {
        (Request::Snapshot { .. }, Response::Snapshot(answer)) => {
            Some(Response::Snapshot([&answer[..], &[1]].concat().into()))
        }
        (_, response) => Some(response),
    };
    seen_through(nonsense, "a part of a snapshot cannot be read").await;
    let silent = |_: &HashKeys, request: &Request, response| match request {
        Request::Snapshot { .. } => None,
        _ => Some(response),
    };
    seen_through(silent, "the node gave no answer").await;
}

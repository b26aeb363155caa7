//! Everything that a node sees of a busy group, searched for what it must not see.
//!
//! Recorded are all requests as the node reads them, from every client, with the keys that the clients' connections show:
//! founding, inviting, asking, joining, talking, reacting, attaching, renaming, removing, leaving, erasing, publishing an
//! account, meeting somebody, taking in a further device. A request has one encoding, so what was read is what was sent. Then
//! everything secret or telling that the clients know is looked for in it, byte by byte and as digits; and values
//! that stand under two logs, or on two connections, by which somebody could link them. First the search has to find planted
//! leaks of every class: in what groups say, in what is posted to inboxes, in pieces of files, and in what connections show.
//!
//! Said plainly, and no leak here: a node sees which logs a connection follows and submits to, one after the other and at what
//! time, when it is asked for which chunk, and sizes in buckets. Whoever follows the logs of a group's epochs one after the
//! other through one node links them for that node by that alone.
//!
//! ```text
//! life.rs   what happens, and what its clients know      search.rs   needles, and values that repeat
//! ```

mod life;
mod search;

use std::sync::{Arc, Mutex};

use waxwing_core::keys::NodeId;
use waxwing_net::wire::{Request, codec};

use self::search::Class;
use super::*;

/// What a node saw.
#[derive(Clone, Default)]
pub(super) struct Capture {
    pub(super) seen: Vec<Seen>,
}

/// One request.
#[derive(Clone)]
pub(super) struct Seen {
    /// The bytes behind its frame's header.
    pub(super) bytes: Vec<u8>,
    pub(super) request: Request,
    /// The key that the connection shows.
    pub(super) shown: NodeId,
    /// Which of the node's connections it is.
    pub(super) connection: u64,
}

/// Records everything that a node is asked from now on.
pub(super) fn record(node: &TestNode) -> Arc<Mutex<Capture>> {
    let capture = Arc::new(Mutex::new(Capture::default()));
    let ear = Arc::clone(&capture);
    node.tells_who(move |from, request| {
        let mut bytes = Vec::new();
        codec::encode(request, &mut bytes).unwrap();
        ear.lock().unwrap().seen.push(Seen {
            bytes,
            request: request.clone(),
            shown: from.node,
            connection: from.connection,
        });
    });
    capture
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_sees_a_busy_group_sees_nothing_of_what_is_inside() {
    let (capture, known) = Box::pin(life::of_a_busy_group()).await;
    let kinds = capture.kinds();
    println!(
        "{} requests, {} bytes, {} envelopes on {} logs, {} chunks; looked for: {:?}",
        capture.seen.len(),
        capture.bytes(),
        capture.envelopes().len(),
        capture.logs().len(),
        capture.chunks().len(),
        known.counts()
    );
    assert!(
        capture.envelopes().len() > 50 && capture.logs().len() > 12,
        "it was a busy life"
    );
    assert!(capture.chunks().len() >= 2, "files were sent");
    assert!(capture.connections() >= 6, "everybody has a connection");
    assert!(known.inboxes.len() >= 6, "people have met: {}", known.inboxes.len());
    for kind in [
        "Submit",
        "Log",
        "Entries",
        "Subscribe",
        "Reveal",
        "PutChunk",
        "GetChunk",
        "HaveChunks",
        "Head",
    ] {
        assert!(kinds.contains(kind), "no {kind} among {kinds:?}");
    }
    for class in Class::ALL {
        for planted in search::plant(&capture, &known, class) {
            let found = search::search(&planted.capture, &known);
            assert!(
                found.iter().any(|leak| leak.class == class),
                "{class:?} was planted as {} and not found: {found:?}",
                planted.how
            );
        }
    }
    let found = search::search(&capture, &known);
    assert!(found.is_empty(), "{found:#?}");
}

//! Pieces of attachments on a node that is killed, full, damaged and late: what it promised is there, and nothing else is
//! ever served.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails, and says what it saw"
)]

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use waxwing_core::HashKeys;
use waxwing_core::chunk::ChunkId;
use waxwing_core::limits::{CHUNK_BYTES_MAX, DAY_MS};
use waxwing_net::quic::{Connection, Dialer, RequestError, Shown};
use waxwing_net::wire::{Chunk, Holding, List, Refusal, Request, Response};
use waxwing_system::command::{done, json, number, waxwing};
use waxwing_system::node::{Network, Node};

const PATIENCE: Duration = Duration::from_secs(30);

/// Days for which pieces are put.
const DAYS: NonZeroU32 = NonZeroU32::new(3).unwrap();

/// Pieces of one file.
const PIECES: u32 = 50;

/// Somebody with files.
struct Caller {
    keys: HashKeys,
    /// Kept open: a connection dies with the socket it came from.
    _dialer: Dialer,
    connection: Connection,
}

impl Caller {
    async fn of(node: &Node, network: &Network) -> Arc<Self> {
        let dialer = Dialer::new(Shown::Ephemeral).unwrap();
        let connection = dialer.connect(node.listens(), node.id(), PATIENCE).await.unwrap();
        Arc::new(Self {
            keys: network.genesis().keys(),
            _dialer: dialer,
            connection,
        })
    }

    async fn ask(&self, request: Request) -> Result<Response, RequestError> {
        self.connection.request(&request, PATIENCE).await
    }

    fn id(&self, number: u32) -> ChunkId {
        ChunkId::of(&self.keys, &piece(number))
    }

    /// Until when the node keeps a piece now.
    async fn put(&self, number: u32) -> Result<u64, RequestError> {
        let bytes = piece(number).into();
        match self.ask(Request::PutChunk { days: DAYS, bytes }).await? {
            Response::PutChunk { until_ms } => Ok(until_ms),
            other => panic!("{other:?}"),
        }
    }

    /// Why it does not.
    async fn refusal(&self, number: u32) -> Refusal {
        match self.put(number).await {
            Err(RequestError::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }

    /// Whether a piece is served, whole.
    async fn is_served(&self, number: u32) -> bool {
        let id = self.id(number);
        match self.ask(Request::GetChunk { id }).await {
            Ok(Response::GetChunk(bytes)) => {
                assert!(
                    bytes[..] == piece(number),
                    "piece {number} was served as something else"
                );
                true
            }
            Err(RequestError::Refused(Refusal::UnknownChunk)) => false,
            other => panic!("{other:?}"),
        }
    }

    /// Which of these the node says it has.
    async fn known(&self, numbers: std::ops::Range<u32>) -> BTreeSet<u32> {
        let ids = List::new(numbers.clone().map(|number| Chunk(self.id(number))).collect()).unwrap();
        match self.ask(Request::HaveChunks { ids }).await {
            Ok(Response::HaveChunks(holdings)) => numbers
                .zip(holdings)
                .filter(|(_, holding)| *holding != Holding::Nothing)
                .map(|(number, _)| number)
                .collect(),
            other => panic!("{other:?}"),
        }
    }
}

/// Like no other number's.
fn piece(number: u32) -> Vec<u8> {
    let mut bytes = vec![0xa7; usize::try_from(CHUNK_BYTES_MAX).unwrap()];
    let (place, _) = bytes.split_at_mut(4);
    place.copy_from_slice(&number.to_be_bytes());
    bytes
}

fn folder_of(node: &Node) -> PathBuf {
    node.directory().join("chunks")
}

/// Files below a folder.
fn files(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap();
    let count = |path: PathBuf| if path.is_dir() { files(&path) } else { 1 };
    entries.map(|entry| count(entry.unwrap().path())).sum()
}

/// Puts a whole file, all pieces at once; kills the node when so many were promised, and starts it again. Returns which
/// were.
async fn put_and_strike(node: &mut Node, caller: &Arc<Caller>, pieces: std::ops::Range<u32>, after: usize) -> Vec<u32> {
    let mut under_way = JoinSet::new();
    for number in pieces {
        let caller = Arc::clone(caller);
        under_way.spawn(async move { (number, caller.put(number).await) });
    }
    let (mut promised, mut is_struck) = (Vec::new(), false);
    while let Some(put) = under_way.join_next().await {
        match put.unwrap() {
            (number, Ok(_)) => promised.push(number),
            (_, Err(RequestError::Refused(refusal))) => panic!("{refusal}"),
            (_, Err(error)) => assert!(is_struck, "{error}"),
        }
        if promised.len() == after && !is_struck {
            node.kill();
            // What was under way is over as soon as the node that runs now says that it knows nothing of it.
            node.start();
            is_struck = true;
        }
    }
    promised
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_the_node_is_killed_it_has_what_it_promised_and_half_of_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::found_cheap(&folder.path().join("network"), "chunks");
    let mut node = Node::validator(&folder.path().join("node"), &network).with("chunks-share", "100");
    let mut first = 0;
    for after in [1, 9, 25, 49, 50] {
        node.start();
        let caller = Caller::of(&node, &network).await;
        let file = first..first + PIECES;
        let promised = put_and_strike(&mut node, &caller, file.clone(), after).await;
        assert!(promised.len() >= after);
        let caller = Caller::of(&node, &network).await;
        let known = caller.known(file.clone()).await;
        for number in file.clone() {
            let is_promised = promised.contains(&number);
            let is_known = known.contains(&number);
            assert!(is_known || !is_promised, "piece {number} was promised and is gone");
            assert_eq!(caller.is_served(number).await, is_known, "piece {number}");
        }
        // Going on with what is missing is all that it takes.
        for number in file.clone().filter(|number| !known.contains(number)) {
            caller.put(number).await.unwrap();
        }
        assert_eq!(caller.known(file.clone()).await, file.clone().collect());
        first = file.end;
        let held = node.figure("waxwing_chunks_held");
        assert_eq!((held, files(&folder_of(&node))), (u64::from(first), u64::from(first)));
        node.kill();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_node_says_so_before_and_after_a_restart_and_takes_a_piece_twice_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::found_cheap(&folder.path().join("network"), "chunks");
    let settings = |node: Node| node.with("chunks-mib", "2").with("chunks-share", "100");
    let mut node = settings(Node::validator(&folder.path().join("node"), &network));
    node.start();
    let caller = Caller::of(&node, &network).await;
    for number in 0..7 {
        caller.put(number).await.unwrap();
    }
    let is_full = |refusal: Refusal| matches!(refusal, Refusal::ChunksFull { retry_after_ms } if retry_after_ms > 0);
    assert!(is_full(caller.refusal(7).await));
    node.kill();
    node.start();
    let caller = Caller::of(&node, &network).await;
    assert!(is_full(caller.refusal(7).await));
    caller.put(3).await.unwrap();
    assert_eq!(node.figure("waxwing_chunks_held"), 7);
    assert_eq!(node.figure("waxwing_chunk_quota_bytes"), 2 << 20);
    assert!(node.figure("waxwing_chunk_bytes") <= 2 << 20);
    assert_eq!(node.figure("waxwing_chunk_puts_total{outcome=\"full\"}"), 1);
    let shown = done(waxwing(node.home()).args(["node", "status"]));
    assert!(
        shown.contains("7 pieces in") && shown.contains("for at most 30 days"),
        "{shown}"
    );
    let status = json(waxwing(node.home()).args(["node", "status"]));
    assert_eq!(number(&status, "/page/chunks/chunks"), 7, "{status}");
    assert_eq!(
        number(&status, "/attachments/days"),
        30,
        "also for who is not on its machine"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_keeps_none_says_so_and_one_address_does_not_get_everything() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::found_cheap(&folder.path().join("network"), "chunks");
    let home = folder.path().join("node");
    let mut node = Node::validator(&home, &network).with("chunks-mib", "4");
    node.start();
    let caller = Caller::of(&node, &network).await;
    let mut taken = 0;
    let refusal = loop {
        match caller.put(taken).await {
            Ok(_) => taken += 1,
            Err(RequestError::Refused(refusal)) => break refusal,
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(refusal, Refusal::ChunkShareUsed { .. }), "{refusal:?}");
    assert_eq!(taken, 7, "half of what fifteen take");
    node.stop();
    let mut node = Node::in_home(&home).with("chunks-mib", "0");
    node.start();
    let caller = Caller::of(&node, &network).await;
    assert_eq!(caller.refusal(99).await, Refusal::NoChunks);
    assert!(caller.is_served(0).await, "it was promised for three days");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_disk_changed_is_not_served_and_what_is_over_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::found_cheap(&folder.path().join("network"), "chunks");
    let mut node = Node::validator(&folder.path().join("node"), &network);
    node.start();
    let caller = Caller::of(&node, &network).await;
    let until_ms = caller.put(1).await.unwrap();
    caller.put(2).await.unwrap();
    let day = folder_of(&node).join((until_ms / DAY_MS).to_string());
    let file = day.join(caller.id(1).to_string());
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, &bytes).unwrap();
    assert!(!caller.is_served(1).await, "one bit is another");
    assert_eq!(node.figure("waxwing_chunk_gets_total{outcome=\"damaged\"}"), 1);
    node.process().line_with("WX-3007");
    caller.put(1).await.unwrap();
    // Half of it, as a disk that lies about having written leaves it.
    fs::write(&file, bytes.get(..1000).unwrap()).unwrap();
    assert!(!caller.is_served(1).await);
    caller.put(1).await.unwrap();
    assert!(caller.is_served(1).await && caller.is_served(2).await);

    node.stop();
    // Days pass while the node is down: what it kept until then is what it kept until a day that is over.
    fs::rename(&day, folder_of(&node).join("20000")).unwrap();
    node.start();
    let caller = Caller::of(&node, &network).await;
    assert!(!caller.is_served(1).await && !caller.is_served(2).await);
    assert_eq!((node.figure("waxwing_chunks_held"), files(&folder_of(&node))), (0, 0));
    caller.put(1).await.unwrap();
    assert!(caller.is_served(1).await);
}

//! A real node under attack from all sides at once: each peer is dropped for its own reason, the memory stays bounded, and
//! everybody else is served as if nothing were.
//!
//! That the others keep at least 80 % of their speed is measured beside the server itself, in `waxwing-net`; here the
//! whole program is asked, with its ledger behind it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod raw;

use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroU32;
use std::time::Duration;

use quinn::{Connection, ConnectionError};
use raw::Attacker;
use tokio::time::timeout;
use waxwing_net::quic::{CloseCode, Closed};
use waxwing_net::wire::limits::{ALPN, REQUEST_BYTES_MAX};
use waxwing_net::wire::{Request, frame};
use waxwing_rules::chance::Chance;
use waxwing_system::command::{number, verdict, waxwing};
use waxwing_system::load::Load;
use waxwing_system::node::{Network, Node};
use waxwing_system::person::Person;

/// Longer than any peer may take for anything.
const PATIENCE: Duration = Duration::from_secs(40);

/// What a node may take more while it is attacked, in KiB: a tenth of what 32 connections may cost it at the worst.
const GROWTH_KIB: u64 = 64 << 10;

/// How the node ends a connection.
async fn end(connection: &Connection) -> Closed {
    let ended = timeout(PATIENCE, connection.closed()).await;
    Closed::from(&ended.expect("the node ends the connection"))
}

/// Sends these bytes on one stream and ends it.
async fn after_sending(number: u8, node: SocketAddr, bytes: Vec<u8>) -> Closed {
    let attacker = Attacker::new(number);
    let connection = attacker.connect(node, ALPN).await.unwrap();
    let (mut send, _receive) = connection.open_bi().await.unwrap();
    // The node may have hung up before everything is written.
    let _ = send.write_all(&bytes).await;
    let _ = send.finish();
    end(&connection).await
}

fn framed(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    [&length.to_be_bytes()[..], payload].concat()
}

async fn garbage(node: SocketAddr) -> Closed {
    after_sending(1, node, framed(&Chance::new(1).bytes(5000))).await
}

async fn oversized(node: SocketAddr) -> Closed {
    let length = u32::try_from(REQUEST_BYTES_MAX + 1).unwrap();
    after_sending(2, node, length.to_be_bytes().to_vec()).await
}

async fn half_a_frame(node: SocketAddr) -> Closed {
    let mut bytes = frame(&Request::Head { held: 4 }).unwrap().to_vec();
    bytes.pop();
    after_sending(3, node, bytes).await
}

async fn two_on_a_stream(node: SocketAddr) -> Closed {
    let one = frame(&Request::Status).unwrap();
    after_sending(4, node, [&one[..], &one[..]].concat()).await
}

/// A byte now and then, for as long as the node listens.
async fn slow(node: SocketAddr) -> Closed {
    let attacker = Attacker::new(5);
    let connection = attacker.connect(node, ALPN).await.unwrap();
    let (mut send, _receive) = connection.open_bi().await.unwrap();
    send.write_all(&1000_u32.to_be_bytes()).await.unwrap();
    let drip = async {
        while send.write_all(&[0]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let (closed, ()) = tokio::join!(end(&connection), drip);
    closed
}

/// Ten thousand streams, each with the beginning of the largest request.
async fn flood(node: SocketAddr) -> Closed {
    let attacker = Attacker::new(6);
    let connection = attacker.connect(node, ALPN).await.unwrap();
    let mut begun = u32::try_from(REQUEST_BYTES_MAX).unwrap().to_be_bytes().to_vec();
    begun.extend([0; 4000]);
    let mut open = Vec::new();
    for _ in 0..10_000 {
        let Ok((mut send, receive)) = connection.open_bi().await else {
            break;
        };
        if send.write_all(&begun).await.is_err() {
            break;
        }
        open.push((send, receive));
    }
    end(&connection).await
}

/// Asks for headers and takes none of them.
async fn deaf(node: SocketAddr) -> Closed {
    let attacker = Attacker::new(7).with_window(100);
    let connection = attacker.connect(node, ALPN).await.unwrap();
    let (mut send, _unread) = connection.open_bi().await.unwrap();
    let count = NonZeroU32::new(32).unwrap();
    let request = frame(&Request::Headers { from: 0, count }).unwrap();
    send.write_all(&request).await.unwrap();
    send.finish().unwrap();
    end(&connection).await
}

/// Datagrams that are no QUIC, and such as could be.
fn noise(node: SocketAddr) {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let mut chance = Chance::new(9);
    for _ in 0..5_000 {
        let length = 1 + chance.place(1400);
        let mut datagram = chance.bytes(length);
        if chance.once_in(2) {
            // The long header of QUIC's first packets.
            for (byte, shown) in datagram.iter_mut().zip([0xc3, 0, 0, 0, 1]) {
                *byte = shown;
            }
        }
        let _ = socket.send_to(&datagram, node);
    }
}

async fn attack(node: SocketAddr) {
    let noisy = tokio::task::spawn_blocking(move || noise(node));
    let (garbage, oversized, half, two, slow, flood, deaf) = tokio::join!(
        garbage(node),
        oversized(node),
        half_a_frame(node),
        two_on_a_stream(node),
        slow(node),
        flood(node),
        deaf(node)
    );
    noisy.await.unwrap();
    let by_peer = |code| Closed::ByPeer(code);
    assert_eq!(garbage, by_peer(CloseCode::Malformed));
    assert_eq!(oversized, by_peer(CloseCode::Oversize));
    assert_eq!(half, by_peer(CloseCode::HalfFrame));
    assert_eq!(two, by_peer(CloseCode::Malformed));
    assert_eq!(slow, by_peer(CloseCode::TooSlow));
    assert_eq!(flood, by_peer(CloseCode::TooManyStreams));
    assert_eq!(deaf, by_peer(CloseCode::NotReading));
    let foreign = Attacker::new(8).connect(node, b"waxwing/999").await;
    let refused = foreign.map(|_| ()).unwrap_err();
    assert_eq!(Closed::from(&refused), Closed::OtherProtocol, "{refused}");
}

#[test]
fn hostile_peers_are_dropped_for_their_own_reasons_and_others_are_served_on() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::found_cheap(&folder.path().join("network"), "hostile");
    let mut node = Node::validator(&folder.path().join("node"), &network).with("block-pause-ms", "20");
    node.start();
    let ann = Person::new(folder.path(), "ann");
    ann.open("den", &network.genesis_file(), &[&node.address()]);
    let load = Load::start(&node, &network.genesis(), 1);
    ann.send("den", "before");
    let memory = node.process().memory_kib();
    let before = load.told();

    let address = node.listens();
    let attack = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        runtime.unwrap().block_on(attack(address));
    });
    let mut sent = 0;
    while !attack.is_finished() {
        let took = number(&ann.send("den", "in the midst of it"), "/took_ms");
        assert!(took < 10_000, "a message took {took} ms");
        sent += 1;
    }
    attack.join().unwrap();
    let during = load.told() - before;
    assert!(
        sent > 3 && during > 100,
        "{sent} messages and {during} envelopes while the node was attacked"
    );

    assert!(node.figure("waxwing_connections_dropped") >= 7);
    let grown = node.process().memory_kib().saturating_sub(memory);
    assert!(grown < GROWTH_KIB, "the node grew by {grown} KiB");
    assert_eq!(node.page("/readyz").unwrap().0, 200);
    let told = load.finish();
    node.stop();
    let mut audit = waxwing(folder.path());
    let policy = folder.path().join("policy");
    network.policy(&policy, None);
    let (code, report) = verdict(
        audit
            .args(["audit", "run"])
            .arg(node.directory())
            .arg("--policy")
            .arg(&policy),
    );
    assert_eq!(code, 0, "{report}");
    let messages = u64::try_from(told.len()).unwrap() + sent + 1;
    assert_eq!(number(&report, "/figures/entries"), messages);
}

#[test]
fn one_address_gets_its_share_of_connections_and_learns_why_it_gets_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::found(&folder.path().join("network"), "crowd");
    let mut node = Node::validator(&folder.path().join("node"), &network).with("connections-per-address", "5");
    node.start();
    let address = node.listens();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let crowd = Attacker::new(1);
        let mut kept = Vec::new();
        for _ in 0..5 {
            kept.push(crowd.connect(address, ALPN).await.unwrap());
        }
        let surplus = match crowd.connect(address, ALPN).await {
            Ok(connection) => timeout(PATIENCE, connection.closed()).await.unwrap(),
            Err(error) => error,
        };
        assert_eq!(Closed::from(&surplus), Closed::ByPeer(CloseCode::AddressFull));
        assert!(
            kept.iter().all(|connection| connection.close_reason().is_none()),
            "who came first stays"
        );
        let left = kept.pop().unwrap();
        left.close(0_u32.into(), b"");
        assert_eq!(left.closed().await, ConnectionError::LocallyClosed);
        // The place that became free is given to the next.
        let next = async {
            loop {
                let connection = crowd.connect(address, ALPN).await.unwrap();
                let (mut send, mut receive) = connection.open_bi().await.unwrap();
                let _ = send.write_all(&frame(&Request::Status).unwrap()).await;
                let _ = send.finish();
                if receive.read_to_end(1 << 20).await.is_ok_and(|reply| !reply.is_empty()) {
                    return;
                }
            }
        };
        timeout(PATIENCE, next).await.expect("somebody gets the free place");
    });
    node.stop();
}

//! What hostile peers get: each its own reason, asserted where the peer sees it.

use std::net::UdpSocket;

use quinn::TransportConfig;

use super::*;
use crate::wire::limits::{
    CONNECTION_REQUEST_BYTES_MAX, REPLY_BYTES_MAX, REQUEST_BYTES_MAX, STREAMS_GRANTED, STREAMS_TOLERATED_MAX,
};
use crate::wire::{List, Promise, Watch, frame};

/// Sends these bytes on one stream, ends it, and says how the node takes it.
async fn after_sending(bytes: &[u8]) -> Closed {
    let server = listen(ServerLimits::DEFAULT, Script);
    let dialer = dialer(1);
    let client = call(&dialer, &server).await;
    let (mut send, _receive) = client.quinn().open_bi().await.unwrap();
    // The node may have hung up before everything is written.
    let _ = send.write_all(bytes).await;
    let _ = send.finish();
    let closed = soon(client.closed()).await;
    if let Closed::ByPeer(code) = closed {
        assert_eq!(
            server.counts().dropped.get(&code),
            Some(&1),
            "the operator sees it as well"
        );
    }
    // And the node is there for the next one.
    assert!(
        call(&dialer, &server)
            .await
            .request(&Request::Status, PATIENCE)
            .await
            .is_ok()
    );
    closed
}

fn framed(payload: &[u8]) -> Vec<u8> {
    [&u32::try_from(payload.len()).unwrap().to_be_bytes()[..], payload].concat()
}

#[tokio::test]
async fn garbage_is_refused_as_garbage() {
    assert_eq!(
        after_sending(&framed(&[0xa5; 5000])).await,
        Closed::ByPeer(CloseCode::Malformed)
    );
    assert_eq!(after_sending(&framed(b"")).await, Closed::ByPeer(CloseCode::Malformed));
    let trailing = [&frame(&Request::Status).unwrap()[4..], b"x"].concat();
    assert_eq!(
        after_sending(&framed(&trailing)).await,
        Closed::ByPeer(CloseCode::Malformed)
    );
}

#[tokio::test]
async fn two_requests_on_one_stream_are_refused() {
    let one = frame(&Request::Status).unwrap();
    assert_eq!(
        after_sending(&[&one[..], &one[..]].concat()).await,
        Closed::ByPeer(CloseCode::Malformed)
    );
    assert_eq!(
        after_sending(&[&one[..], b"x"].concat()).await,
        Closed::ByPeer(CloseCode::Malformed)
    );
}

#[tokio::test]
async fn an_oversized_frame_is_refused_when_it_is_announced() {
    let announced = u32::try_from(REQUEST_BYTES_MAX + 1).unwrap().to_be_bytes();
    assert_eq!(after_sending(&announced).await, Closed::ByPeer(CloseCode::Oversize));
    assert_eq!(after_sending(&[0xff; 100]).await, Closed::ByPeer(CloseCode::Oversize));
}

#[tokio::test]
async fn a_half_frame_is_refused() {
    let whole = frame(&Request::Head { held: 4 }).unwrap();
    for cut in [0, 1, 3, 4, 5, whole.len() - 1] {
        assert_eq!(
            after_sending(&whole[..cut]).await,
            Closed::ByPeer(CloseCode::HalfFrame),
            "after {cut} bytes"
        );
    }
}

#[tokio::test]
async fn slow_bytes_are_refused_when_their_time_is_over() {
    let limits = ServerLimits {
        transfer_time: Duration::from_millis(300),
        ..ServerLimits::DEFAULT
    };
    let server = listen(limits, Script);
    let dialer = dialer(1);
    for bytes_first in [1, 10] {
        let client = call(&dialer, &server).await;
        let (mut send, _receive) = client.quinn().open_bi().await.unwrap();
        let request = frame(&Request::Head { held: 4 }).unwrap();
        send.write_all(&request[..bytes_first]).await.unwrap();
        let drip = async {
            for byte in &request[bytes_first..request.len() - 1] {
                tokio::time::sleep(Duration::from_millis(200)).await;
                if send.write_all(&[*byte]).await.is_err() {
                    break;
                }
            }
        };
        let (closed, ()) = soon(async { tokio::join!(client.closed(), drip) }).await;
        assert_eq!(closed, Closed::ByPeer(CloseCode::TooSlow));
    }
}

#[tokio::test]
async fn a_peer_that_does_not_read_its_reply_is_dropped() {
    let reply = Response::Genesis(vec![7; REPLY_BYTES_MAX - 16].into());
    let limits = ServerLimits {
        transfer_time: Duration::from_millis(200),
        transfer_bytes_per_second: many(u32::MAX),
        ..ServerLimits::DEFAULT
    };
    let server = listen(limits, Always(Ok(reply)));
    let mut narrow = TransportConfig::default();
    narrow.stream_receive_window(1000u32.into());
    let mut dialer = dialer(1);
    dialer.transport = Arc::new(narrow);
    let client = call(&dialer, &server).await;
    let (mut send, _unread) = client.quinn().open_bi().await.unwrap();
    send.write_all(&frame(&Request::Genesis).unwrap()).await.unwrap();
    send.finish().unwrap();
    assert_eq!(soon(client.closed()).await, Closed::ByPeer(CloseCode::NotReading));
    until(|| server.serving() == 0).await;
}

#[tokio::test]
async fn a_subscriber_that_does_not_read_is_dropped() {
    struct Talkative(tokio::sync::mpsc::UnboundedSender<Gone>);
    impl Service for Talkative {
        async fn call(&self, _: PeerInfo, _: Request, responder: Responder) {
            let mut pushes = responder.subscribe().await.unwrap();
            let push = Push::Head(vec![3; 100_000].into());
            loop {
                if let Err(gone) = pushes.send(&push).await {
                    return self.0.send(gone).unwrap();
                }
            }
        }
    }
    let (gone, mut goings) = tokio::sync::mpsc::unbounded_channel();
    let limits = ServerLimits {
        transfer_time: Duration::from_millis(200),
        ..ServerLimits::DEFAULT
    };
    let server = listen(limits, Talkative(gone));
    let dialer = dialer(1);
    let client = call(&dialer, &server).await;
    let request = Request::Subscribe {
        logs: List::EMPTY,
        held: 0,
        watch: Watch::Heads,
    };
    let _unread = client.subscribe(&request, PATIENCE).await.unwrap();
    assert_eq!(soon(client.closed()).await, Closed::ByPeer(CloseCode::NotReading));
    assert_eq!(soon(goings.recv()).await, Some(Gone));
}

#[tokio::test]
async fn what_does_not_fit_into_the_memory_of_all_is_refused_as_busy() {
    let reply = Always(Ok(Response::Genesis(vec![7; 1 << 20].into())));
    let server = listen(
        ServerLimits {
            reply_bytes: 100 << 10,
            ..ServerLimits::DEFAULT
        },
        reply,
    );
    let dialer = dialer(1);
    let client = call(&dialer, &server).await;
    let too_large = client.request(&Request::Genesis, PATIENCE).await;
    assert!(
        matches!(too_large, Err(RequestError::Refused(Refusal::Busy { .. }))),
        "{too_large:?}"
    );

    let server = listen(
        ServerLimits {
            request_bytes: 1000,
            ..ServerLimits::DEFAULT
        },
        Script,
    );
    let client = call(&dialer, &server).await;
    let envelopes = List::new(vec![vec![7; REQUEST_BYTES_MAX - 24].into()]).unwrap();
    let submit = Request::Submit {
        envelopes,
        promise: Promise::Word,
    };
    let too_large = client.request(&submit, PATIENCE).await;
    assert!(
        matches!(too_large, Err(RequestError::Refused(Refusal::Busy { .. }))),
        "{too_large:?}"
    );
    assert!(
        client.request(&Request::Status, PATIENCE).await.is_ok(),
        "small ones still fit"
    );
}

#[tokio::test]
async fn ten_thousand_streams_are_too_many_and_hold_little() {
    let server = listen(ServerLimits::DEFAULT, Script);
    let dialer = dialer(1);
    let client = call(&dialer, &server).await;
    // Each announces the largest request and sends a part of it.
    let half = [&u32::try_from(REQUEST_BYTES_MAX).unwrap().to_be_bytes()[..], &[0; 1000]].concat();
    let mut streams = Vec::new();
    for _ in 0..10_000 {
        let Ok((mut send, receive)) = client.quinn().open_bi().await else {
            break;
        };
        if send.write_all(&half).await.is_err() {
            break;
        }
        streams.push((send, receive));
        let free = server.shared.everybody.request_bytes.available_permits();
        assert!(server.shared.limits.request_bytes - free <= CONNECTION_REQUEST_BYTES_MAX);
    }
    assert_eq!(soon(client.closed()).await, Closed::ByPeer(CloseCode::TooManyStreams));
    let opened = streams.len();
    assert!(
        (STREAMS_TOLERATED_MAX..=usize::try_from(STREAMS_GRANTED).unwrap()).contains(&opened),
        "{opened}"
    );
    until(|| server.shared.everybody.request_bytes.available_permits() == server.shared.limits.request_bytes).await;
}

#[tokio::test]
async fn ten_thousand_streams_one_after_the_other_are_too_many_requests() {
    let limits = ServerLimits {
        requests_per_second: many(1),
        requests_burst: many(100),
        ..ServerLimits::DEFAULT
    };
    let server = listen(limits, Script);
    let dialer = dialer(1);
    let client = call(&dialer, &server).await;
    let mut opened = 0;
    for _ in 0..10_000 {
        let Ok((mut send, mut receive)) = client.quinn().open_bi().await else {
            break;
        };
        opened += 1;
        // Opened and taken back at once: no request ever arrives.
        if send.write_all(&[0]).await.is_err() || send.reset(0u32.into()).is_err() {
            break;
        }
        let _ = receive.stop(0u32.into());
        tokio::task::yield_now().await;
    }
    assert_eq!(soon(client.closed()).await, Closed::ByPeer(CloseCode::TooManyRequests));
    assert!(opened < 2000, "{opened}");
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let limits = ServerLimits {
        requests_per_second: many(10),
        requests_burst: many(20),
        ..ServerLimits::DEFAULT
    };
    let server = listen(limits, Script);
    let (dialer, elsewhere) = (dialer(1), dialer_at_other_address());
    let client = call(&dialer, &server).await;
    let mut refused = None;
    for _ in 0..21 {
        match client.request(&Request::Status, PATIENCE).await {
            Ok(_) => {}
            Err(RequestError::Refused(refusal)) => refused = Some(refusal),
            Err(other) => panic!("{other}"),
        }
    }
    let wait = refused.and_then(|refusal| refusal.retry_after_ms()).unwrap();
    assert!((1..=200).contains(&wait), "{wait}");
    // Not by connecting again, but from elsewhere, and after the wait.
    let again = call(&dialer, &server).await.request(&Request::Status, PATIENCE).await;
    assert!(
        matches!(again, Err(RequestError::Refused(Refusal::TooManyRequests { .. }))),
        "{again:?}"
    );
    assert!(
        call(&elsewhere, &server)
            .await
            .request(&Request::Status, PATIENCE)
            .await
            .is_ok()
    );
    soon(async {
        while client.request(&Request::Status, PATIENCE).await.is_err() {
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
    })
    .await;
}

fn dialer_at_other_address() -> Dialer {
    dialer(2)
}

#[tokio::test]
async fn a_node_that_is_busy_says_so_instead_of_queueing() {
    let patient = Patient::default();
    let server = listen(
        ServerLimits {
            requests_served: 1,
            ..ServerLimits::DEFAULT
        },
        patient.clone(),
    );
    let dialer = dialer(1);
    let client = call(&dialer, &server).await;
    let first = tokio::spawn({
        let client = client.clone();
        async move { client.request(&Request::Status, PATIENCE).await }
    });
    until(|| server.serving() == 1).await;
    let second = client.request(&Request::Status, PATIENCE).await;
    assert!(
        matches!(second, Err(RequestError::Refused(Refusal::Busy { .. }))),
        "{second:?}"
    );
    patient.0.notify_one();
    assert_eq!(
        soon(first).await.unwrap(),
        Err(RequestError::WrongAnswer),
        "it was answered"
    );
}

/// Connects and asks; what the node says to that.
async fn attempt(dialer: &Dialer, server: &Server) -> Result<Connection, Closed> {
    let connected = dialer.connect(server.address().unwrap(), server.node(), PATIENCE).await;
    let client = connected.map_err(|error| match error {
        ConnectError::Closed(closed) => closed,
        other => panic!("{other}"),
    })?;
    match client.request(&Request::Status, PATIENCE).await {
        Ok(_) => Ok(client),
        Err(RequestError::Closed(closed)) => Err(closed),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_flood_of_connections_gets_its_share_and_the_rest_is_told_or_turned_away() {
    let limits = ServerLimits {
        connections_per_address: 8,
        ..ServerLimits::DEFAULT
    };
    let server = Arc::new(listen(limits, Script));
    let dialer = Arc::new(dialer(1));
    let flood: Vec<_> = (0..60)
        .map(|_| {
            let (dialer, server) = (dialer.clone(), server.clone());
            tokio::spawn(async move { attempt(&dialer, &server).await })
        })
        .collect();
    let (mut let_in, mut told, mut turned_away) = (Vec::new(), 0, 0);
    for outcome in flood {
        match soon(outcome).await.unwrap() {
            Ok(client) => let_in.push(client),
            Err(Closed::ByPeer(CloseCode::AddressFull)) => told += 1,
            Err(Closed::TurnedAway) => turned_away += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(let_in.len(), 8);
    assert!(
        told >= 1 && told + turned_away == 52,
        "{told} told, {turned_away} turned away"
    );
    // Somebody from elsewhere finds the door open.
    let _elsewhere = attempt(&dialer_at_other_address(), &server).await.unwrap();
    // And a place that is given back can be taken again.
    let_in.pop();
    until(|| server.counts().open == 8).await;
    assert!(soon(attempt(&dialer, &server)).await.is_ok());
}

#[tokio::test]
async fn a_full_node_says_that_it_is_full() {
    let server = listen(
        ServerLimits {
            connections: 1,
            ..ServerLimits::DEFAULT
        },
        Script,
    );
    let (dialer, other) = (dialer(1), dialer_at_other_address());
    let _first = attempt(&dialer, &server).await.unwrap();
    let second = attempt(&other, &server).await.map(|_| ());
    assert_eq!(second, Err(Closed::ByPeer(CloseCode::NodeFull)));
}

#[tokio::test]
async fn connecting_again_and_again_is_refused_as_that() {
    let limits = ServerLimits {
        attempts_per_second: many(1),
        attempts_burst: many(4),
        ..ServerLimits::DEFAULT
    };
    let server = listen(limits, Script);
    let dialer = dialer(1);
    let mut outcomes = Vec::new();
    for _ in 0..12 {
        outcomes.push(attempt(&dialer, &server).await.map(|client| client.close()));
    }
    // Four without a proof of the address, four with it, then the reason.
    assert!(outcomes[..8].iter().all(Result::is_ok), "{outcomes:?}");
    let told = Err(Closed::ByPeer(CloseCode::ConnectingTooOften));
    assert!(outcomes[8..].contains(&told), "{outcomes:?}");
    assert!(server.counts().made_to_prove >= 4);
}

/// Carries packets from a client to a node, and none back.
fn one_way(node: SocketAddr) -> SocketAddr {
    let ear = UdpSocket::bind(loopback(1)).unwrap();
    let mouth = UdpSocket::bind(loopback(3)).unwrap();
    let address = ear.local_addr().unwrap();
    ear.set_read_timeout(Some(PATIENCE)).unwrap();
    std::thread::spawn(move || {
        let mut packet = [0; 2000];
        while let Ok(length) = ear.recv(&mut packet) {
            let _ = mouth.send_to(&packet[..length], node);
        }
    });
    address
}

#[tokio::test]
async fn a_handshake_that_does_not_go_on_is_given_up() {
    let limits = ServerLimits {
        handshake_time: Duration::from_millis(100),
        ..ServerLimits::DEFAULT
    };
    let server = listen(limits, Script);
    let relay = one_way(server.address().unwrap());
    let outcome = dialer(1)
        .connect(relay, server.node(), Duration::from_millis(300))
        .await;
    assert_eq!(outcome.map(|_| ()), Err(ConnectError::NoAnswer));
    until(|| server.counts().failed_handshakes >= 1).await;
    assert_eq!(server.counts().admitted, 0);
    assert!(attempt(&dialer(1), &server).await.is_ok());
}

#[tokio::test]
async fn packets_that_are_no_quic_are_ignored() {
    let server = listen(ServerLimits::DEFAULT, Script);
    let noise = UdpSocket::bind(loopback(1)).unwrap();
    for length in 0..1400_usize {
        let byte = u8::try_from(length * 7 % 256).unwrap();
        noise.send_to(&vec![byte; length], server.address().unwrap()).unwrap();
    }
    assert!(attempt(&dialer(1), &server).await.is_ok());
    assert_eq!(server.counts().admitted, 1);
}

#[tokio::test]
async fn streams_in_one_direction_are_not_granted() {
    let server = listen(ServerLimits::DEFAULT, Script);
    let dialer = dialer(1);
    let client = call(&dialer, &server).await;
    let opened = tokio::time::timeout(Duration::from_millis(100), client.quinn().open_uni()).await;
    assert!(opened.is_err(), "it waits for ever");
}

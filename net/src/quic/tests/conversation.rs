//! What honest peers get.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use waxwing_core::keys::LogId;

use super::*;
use crate::quic::client::Connection as Client;
use crate::wire::limits::{REPLY_BYTES_MAX, REQUEST_BYTES_MAX, REQUESTS_IN_FLIGHT_MAX, SUBSCRIPTIONS_MAX};
use crate::wire::{List, Opaque, Promise, Watch};

fn subscription() -> Request {
    Request::Subscribe {
        logs: List::EMPTY,
        held: 0,
        watch: Watch::Heads,
    }
}

#[tokio::test]
async fn every_question_gets_its_answer() {
    let server = listen(ServerLimits::DEFAULT, Script);
    let dialer = dialer(1);
    let client = call(&dialer, &server).await;
    for (request, response) in conversation() {
        if response == Response::Subscribed {
            let mut pushes = client.subscribe(&request, PATIENCE).await.unwrap();
            for left_out in 0..3 {
                assert_eq!(soon(pushes.next()).await, Ok(Some(Push::Lagged { left_out })));
            }
            assert_eq!(soon(pushes.next()).await, Ok(Some(Push::Ended(Refusal::ShuttingDown))));
            assert_eq!(soon(pushes.next()).await, Ok(None));
        } else {
            assert_eq!(client.request(&request, PATIENCE).await, Ok(response));
        }
    }
    let unknown = Request::Receipt {
        log: LogId([99; 32]),
        index: 0,
    };
    assert_eq!(
        client.request(&unknown, PATIENCE).await,
        Err(RequestError::Refused(Refusal::UnknownLog))
    );
    let asked = u64::try_from(conversation().len()).unwrap() + 1;
    assert_eq!(server.counts().requests, asked);
}

#[tokio::test]
async fn the_largest_request_and_the_largest_reply_get_through() {
    let largest = Response::Genesis(vec![7; REPLY_BYTES_MAX - 16].into());
    let server = listen(ServerLimits::DEFAULT, Always(Ok(largest.clone())));
    let dialer = dialer(1);
    let client = call(&dialer, &server).await;
    assert_eq!(client.request(&Request::Genesis, PATIENCE).await, Ok(largest));
    let envelope = Opaque::from(vec![8; REQUEST_BYTES_MAX - 24]);
    let request = Request::Submit {
        envelopes: List::new(vec![envelope]).unwrap(),
        promise: Promise::Word,
    };
    // The reply is none to a submission, which only a request that got through can find out.
    assert_eq!(client.request(&request, PATIENCE).await, Err(RequestError::WrongAnswer));
}

#[tokio::test]
async fn both_sides_know_whom_they_talk_to() {
    struct Introduce(mpsc::UnboundedSender<PeerInfo>);
    impl Service for Introduce {
        async fn call(&self, peer: PeerInfo, _: Request, responder: Responder) {
            self.0.send(peer).unwrap();
            responder.answer(Response::Reveal).await;
        }
    }
    let (met, mut meetings) = mpsc::unbounded_channel();
    let server = listen(ServerLimits::DEFAULT, Introduce(met));
    let me = Identity::new(&NodeKey::from_seed(&[5; 32]));
    let known = Dialer::from_address(loopback(1), Shown::Always(me.clone())).unwrap();
    let unknown = dialer(1);
    let mut nodes = Vec::new();
    for dialer in [&known, &known, &unknown, &unknown] {
        let client = call(dialer, &server).await;
        assert_eq!(client.node(), node_identity().node());
        let _ = client.request(&Request::Status, PATIENCE).await;
        let peer = meetings.recv().await.unwrap();
        assert_eq!(server.peers(), [peer]);
        nodes.push(peer.node);
        client.close();
        until(|| server.peers().is_empty()).await;
    }
    assert_eq!(nodes[..2], [me.node(), me.node()]);
    assert_ne!(nodes[2], nodes[3], "a light client is somebody else each time");
    assert_eq!((server.counts().admitted, server.counts().open), (4, 0));
}

#[tokio::test]
async fn another_key_than_the_pinned_one_is_refused_and_named() {
    let server = listen(ServerLimits::DEFAULT, Script);
    let expected = NodeKey::from_seed(&[77; 32]).public();
    let outcome = dialer(1).connect(server.address().unwrap(), expected, PATIENCE).await;
    let error = outcome.map(|_| ()).unwrap_err();
    assert_eq!(
        error,
        ConnectError::WrongKey {
            expected,
            answered: server.node()
        }
    );
    assert!(error.to_string().contains(&server.node().to_string()));
}

#[tokio::test]
async fn another_protocol_version_is_refused() {
    let server = listen(ServerLimits::DEFAULT, Script);
    let (address, node) = (server.address().unwrap(), server.node());
    let outcome = dialer(1).connect_speaking(b"waxwing/0", address, node, PATIENCE).await;
    assert_eq!(outcome.map(|_| ()), Err(ConnectError::Closed(Closed::OtherProtocol)));
}

#[tokio::test]
async fn where_nobody_answers_waiting_has_an_end() {
    let silent = std::net::UdpSocket::bind(loopback(1)).unwrap();
    let node = node_identity().node();
    let outcome = dialer(1)
        .connect(silent.local_addr().unwrap(), node, Duration::from_millis(200))
        .await;
    assert_eq!(outcome.map(|_| ()), Err(ConnectError::NoAnswer));
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let outcome = dialer(1).connect(nowhere, node, PATIENCE).await;
    assert_eq!(outcome.map(|_| ()), Err(ConnectError::BadAddress(nowhere)));
}

#[tokio::test]
async fn whoever_is_ending_calls_nobody_and_the_address_is_not_to_blame() {
    let silent = std::net::UdpSocket::bind(loopback(1)).unwrap();
    let dialer = dialer(1);
    dialer.hang_up(PATIENCE).await;
    let outcome = dialer
        .connect(silent.local_addr().unwrap(), node_identity().node(), PATIENCE)
        .await;
    assert_eq!(outcome.map(|_| ()), Err(ConnectError::Closed(Closed::Here)));
}

#[tokio::test]
async fn more_requests_than_may_be_in_flight_wait_and_are_all_answered() {
    /// Sees how many requests are served at once.
    #[derive(Clone, Default)]
    struct Gauge(Arc<(AtomicU64, AtomicU64)>);
    impl Service for Gauge {
        async fn call(&self, _: PeerInfo, _: Request, responder: Responder) {
            let (now, most) = &*self.0;
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            now.fetch_sub(1, Ordering::SeqCst);
            responder.answer(Response::Reveal).await;
        }
    }
    let gauge = Gauge::default();
    let server = listen(ServerLimits::DEFAULT, gauge.clone());
    let dialer = dialer(1);
    let client = call(&dialer, &server).await;
    let requests: Vec<_> = (0..1000)
        .map(|_| {
            let client = client.clone();
            // A reveal, because it is answered by `Response::Reveal`.
            let (request, _) = conversation()
                .into_iter()
                .find(|(_, answer)| *answer == Response::Reveal)
                .unwrap();
            tokio::spawn(async move { client.request(&request, PATIENCE).await })
        })
        .collect();
    for request in requests {
        assert_eq!(soon(request).await.unwrap(), Ok(Response::Reveal));
    }
    let most = gauge.0.1.load(Ordering::SeqCst);
    assert!(most <= u64::try_from(REQUESTS_IN_FLIGHT_MAX).unwrap(), "{most}");
    assert!(client.why_closed().is_none());
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up_and_the_connection_goes_on() {
    let patient = Patient::default();
    let server = listen(ServerLimits::DEFAULT, patient.clone());
    let dialer = dialer(1);
    let client = call(&dialer, &server).await;
    let outcome = client.request(&Request::Status, Duration::from_millis(50)).await;
    assert_eq!(outcome, Err(RequestError::TimedOut));
    patient.0.notify_one();
    until(|| server.serving() == 0).await;
    let (request, _) = conversation()
        .into_iter()
        .find(|(_, answer)| *answer == Response::Reveal)
        .unwrap();
    let again = tokio::spawn({
        let client = client.clone();
        async move { client.request(&request, PATIENCE).await }
    });
    until(|| server.serving() == 1).await;
    patient.0.notify_one();
    assert_eq!(soon(again).await.unwrap(), Ok(Response::Reveal));
}

#[tokio::test]
async fn requests_beyond_what_a_node_holds_wait_for_their_turn() {
    let patient = Patient::default();
    let server = listen(ServerLimits::DEFAULT, patient.clone());
    let dialer = dialer(1);
    let client = call(&dialer, &server).await;
    // Two of them are all that a connection may have under way. If others were sent as well, they would use up QUIC's
    // window, and what a node has begun to read could starve.
    let payload = 700 << 10;
    let requests: Vec<_> = (0..5)
        .map(|_| {
            let client = client.clone();
            let envelopes = List::new(vec![Opaque::from(vec![8; payload - 24])]).unwrap();
            let request = Request::Submit {
                envelopes,
                promise: Promise::Word,
            };
            tokio::spawn(async move { client.request(&request, PATIENCE).await })
        })
        .collect();
    until(|| server.serving() == 2).await;
    let free = server.shared.everybody.request_bytes.available_permits();
    assert_eq!(server.shared.limits.request_bytes - free, 2 * payload);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let sent = client.quinn().stats().udp_tx.bytes;
    assert!((1_400_000..2_000_000).contains(&sent), "{sent} bytes were sent");
    for request in requests {
        while !request.is_finished() {
            patient.0.notify_one();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(
            request.await.unwrap(),
            Err(RequestError::WrongAnswer),
            "it was answered"
        );
    }
}

#[tokio::test]
async fn a_request_taken_back_half_way_is_no_attack() {
    let server = listen(ServerLimits::DEFAULT, Script);
    let dialer = dialer(1);
    let client = call(&dialer, &server).await;
    let envelope = Opaque::from(vec![8; REQUEST_BYTES_MAX - 24]);
    let large = Request::Submit {
        envelopes: List::new(vec![envelope]).unwrap(),
        promise: Promise::Word,
    };
    for micros in 0..40 {
        let outcome = client.request(&large, Duration::from_micros(micros * 50)).await;
        assert!(
            matches!(outcome, Err(RequestError::TimedOut | RequestError::Refused(_))),
            "{outcome:?}"
        );
    }
    assert!(client.request(&Request::Status, PATIENCE).await.is_ok());
    assert!(server.counts().dropped.is_empty(), "{:?}", server.counts());
}

#[tokio::test]
async fn no_answer_is_told_from_a_late_one() {
    struct Mute;
    impl Service for Mute {
        async fn call(&self, _: PeerInfo, _: Request, responder: Responder) {
            drop(responder);
        }
    }
    let server = listen(ServerLimits::DEFAULT, Mute);
    let dialer = dialer(1);
    let client = call(&dialer, &server).await;
    assert_eq!(
        client.request(&Request::Status, PATIENCE).await,
        Err(RequestError::NoAnswer)
    );
    assert_eq!(
        client.request(&Request::Status, PATIENCE).await,
        Err(RequestError::NoAnswer)
    );
}

#[tokio::test]
async fn a_reply_that_does_not_fit_is_the_nodes_fault_and_said_to_be() {
    let server = listen(
        ServerLimits::DEFAULT,
        Always(Ok(Response::Genesis(vec![0; REPLY_BYTES_MAX].into()))),
    );
    let dialer = dialer(1);
    let client = call(&dialer, &server).await;
    let outcome = client.request(&Request::Genesis, PATIENCE).await;
    assert_eq!(outcome, Err(RequestError::Refused(Refusal::Broken)));
}

#[tokio::test]
async fn a_request_beyond_the_limits_is_not_even_sent() {
    let server = listen(ServerLimits::DEFAULT, Script);
    let dialer = dialer(1);
    let client = call(&dialer, &server).await;
    let outcome = client
        .request(
            &Request::Beacon {
                newer_than_ms: 0,
                wait_ms: u64::MAX,
            },
            PATIENCE,
        )
        .await;
    assert_eq!(outcome, Err(RequestError::Unsendable(crate::wire::WireError::TooLong)));
}

/// Pushes what it is given, to one subscriber at a time, and reports when that one is gone.
struct Announcer {
    news: tokio::sync::Mutex<mpsc::UnboundedReceiver<Push>>,
    gone: mpsc::UnboundedSender<()>,
}

impl Service for Announcer {
    async fn call(&self, _: PeerInfo, _: Request, responder: Responder) {
        let Ok(mut pushes) = responder.subscribe().await else {
            return;
        };
        let mut news = self.news.lock().await;
        loop {
            tokio::select! {
                push = news.recv() => match push {
                    Some(push) => pushes.send(&push).await.unwrap(),
                    None => return pushes.end(Refusal::Broken).await,
                },
                () = pushes.gone() => break,
            }
        }
        self.gone.send(()).unwrap();
    }
}

#[tokio::test]
async fn a_subscriber_is_told_what_happens_until_it_no_longer_wants_to_know() {
    let (announce, news) = mpsc::unbounded_channel();
    let (gone, mut goings) = mpsc::unbounded_channel();
    let server = listen(
        ServerLimits::DEFAULT,
        Announcer {
            news: news.into(),
            gone,
        },
    );
    let dialer = dialer(1);
    let client = call(&dialer, &server).await;
    let mut pushes = client.subscribe(&subscription(), PATIENCE).await.unwrap();
    assert_eq!(
        server.serving(),
        0,
        "a subscription is not a request that is being answered"
    );
    for size in [1, 100_000, 3_000_000] {
        let push = Push::Head(vec![3; size].into());
        announce.send(push.clone()).unwrap();
        assert_eq!(soon(pushes.next()).await, Ok(Some(push)));
    }
    // Waiting for news and giving up loses nothing.
    assert!(
        tokio::time::timeout(Duration::from_millis(20), pushes.next())
            .await
            .is_err()
    );
    announce.send(Push::Lagged { left_out: 1 }).unwrap();
    assert_eq!(soon(pushes.next()).await, Ok(Some(Push::Lagged { left_out: 1 })));
    drop(pushes);
    soon(goings.recv()).await.unwrap();
    // A new one on the same connection, ended by the end of the connection.
    let pushes = client.subscribe(&subscription(), PATIENCE).await.unwrap();
    client.close();
    soon(goings.recv()).await.unwrap();
    drop(pushes);
}

#[tokio::test]
async fn one_subscription_too_many_is_refused() {
    struct Silent;
    impl Service for Silent {
        async fn call(&self, _: PeerInfo, _: Request, responder: Responder) {
            if let Ok(mut pushes) = responder.subscribe().await {
                pushes.gone().await;
            }
        }
    }
    let server = listen(ServerLimits::DEFAULT, Silent);
    let dialer = dialer(1);
    let client = call(&dialer, &server).await;
    let mut kept = Vec::new();
    for _ in 0..SUBSCRIPTIONS_MAX {
        kept.push(client.subscribe(&subscription(), PATIENCE).await.unwrap());
    }
    let waits = client.subscribe(&subscription(), Duration::from_millis(20)).await;
    assert_eq!(waits.map(|_| ()), Err(RequestError::TimedOut), "an honest client waits");
    // One that does not count by itself:
    let greedy = Client::new(client.quinn().clone(), client.node());
    let refused = greedy.subscribe(&subscription(), PATIENCE).await;
    assert_eq!(
        refused.map(|_| ()),
        Err(RequestError::Refused(Refusal::TooManySubscriptions))
    );
    kept.pop();
    soon(client.subscribe(&subscription(), PATIENCE)).await.unwrap();
}

#[tokio::test]
async fn a_node_that_stops_finishes_what_it_has_begun_and_says_goodbye() {
    let patient = Patient::default();
    let server = listen(ServerLimits::DEFAULT, patient.clone());
    let (dialer, address, node) = (dialer(1), server.address().unwrap(), server.node());
    let client = call(&dialer, &server).await;
    let (request, _) = conversation()
        .into_iter()
        .find(|(_, answer)| *answer == Response::Reveal)
        .unwrap();
    let begun = tokio::spawn({
        let (client, request) = (client.clone(), request.clone());
        async move { client.request(&request, PATIENCE).await }
    });
    until(|| server.serving() == 1).await;
    let shared = server.shared.clone();
    let stopping = tokio::spawn(server.shut_down(PATIENCE));
    until(|| shared.stopping.load(Ordering::Relaxed)).await;
    let late = client.request(&request, PATIENCE).await;
    assert_eq!(late, Err(RequestError::Refused(Refusal::ShuttingDown)));
    patient.0.notify_one();
    assert_eq!(soon(begun).await.unwrap(), Ok(Response::Reveal));
    soon(stopping).await.unwrap();
    assert_eq!(soon(client.closed()).await, Closed::ByPeer(CloseCode::ShuttingDown));
    assert!(dialer.connect(address, node, Duration::from_millis(200)).await.is_err());
}

#[tokio::test]
async fn a_dead_node_is_noticed_after_the_silence_that_was_asked_for() {
    let server = listen(ServerLimits::DEFAULT, Script);
    let dialer = dialer(1).noticing_silence_after(Duration::from_millis(300));
    let relay = Relay::to(server.address().unwrap());
    let client = dialer.connect(relay.address, server.node(), PATIENCE).await.unwrap();
    // It is kept alive while nothing is said,
    assert!(
        tokio::time::timeout(Duration::from_millis(900), client.closed())
            .await
            .is_err()
    );
    // and lost when nobody answers any more.
    relay.lead_to(std::net::UdpSocket::bind(loopback(1)).unwrap().local_addr().unwrap());
    assert_eq!(soon(client.closed()).await, Closed::Lost);
}

#[tokio::test]
async fn a_restarted_node_is_noticed_at_once() {
    let before = listen(ServerLimits::DEFAULT, Script);
    let after = listen(ServerLimits::DEFAULT, Script);
    let dialer = dialer(1);
    let relay = Relay::to(before.address().unwrap());
    let client = dialer.connect(relay.address, before.node(), PATIENCE).await.unwrap();
    assert!(client.request(&Request::Status, PATIENCE).await.is_ok());
    // As if the process had been killed and started again: the same key, none of the memory.
    relay.lead_to(after.address().unwrap());
    let outcome = client.request(&Request::Status, PATIENCE).await;
    assert_eq!(outcome, Err(RequestError::Closed(Closed::Restarted)));
    let again = dialer.connect(relay.address, after.node(), PATIENCE).await.unwrap();
    assert!(again.request(&Request::Status, PATIENCE).await.is_ok());
}

/// Gathers three subscribers, and tells the first two much and then the third something urgent, in one breath.
#[derive(Default)]
struct Teller(tokio::sync::Mutex<Vec<Pushes>>);

impl Service for Teller {
    async fn call(&self, _: PeerInfo, _: Request, responder: Responder) {
        let mut gathered = self.0.lock().await;
        gathered.push(responder.subscribe().await.unwrap());
        if let [one, two, urgent] = &mut gathered[..] {
            urgent.make_urgent();
            one.send(&Push::Head(vec![1; 600_000].into())).await.unwrap();
            two.send(&Push::Head(vec![2; 600_000].into())).await.unwrap();
            urgent.send(&Push::Order(vec![3; 700_000].into())).await.unwrap();
        }
    }
}

/// Sent last and larger than what waits already, and yet there first: taking turns would bring it last.
#[tokio::test]
async fn what_is_urgent_goes_before_what_was_sent_earlier() {
    let server = listen(ServerLimits::DEFAULT, Teller::default());
    let dialer = dialer(1);
    let client = call(&dialer, &server).await;
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let order = Request::Order { hello: vec![1].into() };
    for request in [&subscription(), &subscription(), &order] {
        let mut pushes = client.subscribe(request, PATIENCE).await.unwrap();
        let arrived = arrived.clone();
        tokio::spawn(async move {
            arrived.send(pushes.next().await.unwrap()).unwrap();
            pushes
        });
    }
    let first = soon(arrivals.recv()).await;
    assert!(matches!(first, Some(Some(Push::Order(_)))));
    assert!(matches!(soon(arrivals.recv()).await, Some(Some(Push::Head(_)))));
}

//! Places that are kept: whoever can show a key gets in and is served, whatever strangers hold.

use super::*;
use crate::wire::{List, Promise};

/// Vouches for whoever shows one of these keys.
const KEYS: [u8; 2] = [1, 2];

/// Tells whoever shows a key what it showed; refuses everything else.
struct Voucher;

impl Service for Voucher {
    async fn call(&self, _: PeerInfo, request: Request, responder: Responder) {
        let key = match &request {
            Request::Order { hello } => hello.first().copied().filter(|key| KEYS.contains(key)),
            _ => return responder.refuse(Refusal::UnknownLog).await,
        };
        let Some(key) = key else {
            return responder.refuse(Refusal::Stranger).await;
        };
        let place = responder.keep_place([key; 32]);
        assert!(place.is_some(), "there are as many places as keys");
        let Ok(mut pushes) = responder.subscribe().await else {
            return;
        };
        pushes.send(&Push::Order(vec![key].into())).await.unwrap();
        pushes.gone().await;
    }
}

fn limits() -> ServerLimits {
    ServerLimits {
        connections: 16,
        connections_kept: KEYS.len(),
        connections_per_address: 4,
        handshakes: 8,
        handshakes_unproven: 8,
        hello_time: Duration::from_secs(60),
        ..ServerLimits::DEFAULT
    }
}

fn hello(key: u8) -> Request {
    Request::Order {
        hello: vec![key].into(),
    }
}

/// Shows a key; what it was told then, and the subscription.
async fn show(client: &Connection, key: u8) -> Result<Subscription, RequestError> {
    let mut pushes = client.subscribe(&hello(key), PATIENCE).await?;
    assert_eq!(soon(pushes.next()).await, Ok(Some(Push::Order(vec![key].into()))));
    Ok(pushes)
}

/// Takes every place that is for everybody, from addresses of which each has its share.
async fn take_all(server: &Server) -> Vec<(Dialer, Vec<Connection>)> {
    let mut strangers = Vec::new();
    for address in 0..u8::try_from(server.shared.limits.connections / 4).unwrap() {
        let dialer = dialer(100 + address);
        let mut connections = Vec::new();
        for _ in 0..4 {
            connections.push(call(&dialer, server).await);
        }
        strangers.push((dialer, connections));
    }
    until(|| server.shared.gate.ordinary() == server.shared.limits.connections && server.shared.gate.waiting() == 0)
        .await;
    strangers
}

async fn full(client: &Connection) {
    assert_eq!(soon(client.closed()).await, Closed::ByPeer(CloseCode::NodeFull));
}

#[tokio::test]
async fn whoever_can_show_a_key_gets_in_though_strangers_hold_every_other_place() {
    let server = listen(limits(), Voucher);
    let strangers = take_all(&server).await;
    // And more of them push on the threshold, without end: each that is let go comes again.
    let pushing: Vec<_> = (150..158)
        .map(|address| {
            let (place, node) = (server.address().unwrap(), server.node());
            tokio::spawn(async move {
                let dialer = dialer(address);
                loop {
                    if let Ok(client) = dialer.connect(place, node, PATIENCE).await {
                        client.closed().await;
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            })
        })
        .collect();
    until(|| server.shared.gate.waiting() >= 8).await;
    let caller = dialer(9);
    for _ in 0..10 {
        let validator = call(&caller, &server).await;
        let held = show(&validator, 1).await.unwrap();
        assert_eq!(
            validator.request(&Request::Status, PATIENCE).await,
            Err(RequestError::Refused(Refusal::UnknownLog)),
            "it is served"
        );
        drop(held);
        // Nobody vouches for it any more, and there is no place of everybody's.
        full(&validator).await;
    }
    // Nobody who was in before lost anything.
    assert!(
        strangers
            .iter()
            .flat_map(|(_, all)| all)
            .all(|one| one.why_closed().is_none())
    );
    for task in pushing {
        task.abort();
    }
}

#[tokio::test]
async fn a_stranger_on_the_threshold_is_told_that_the_node_is_full_when_it_asks_or_shows_nothing() {
    let server = listen(
        ServerLimits {
            hello_time: Duration::from_millis(200),
            ..limits()
        },
        Voucher,
    );
    let _strangers = take_all(&server).await;
    let dialer = dialer(9);
    let (asks, poses, silent) = (
        call(&dialer, &server).await,
        call(&dialer, &server).await,
        call(&dialer, &server).await,
    );
    assert!(asks.request(&Request::Status, PATIENCE).await.is_err());
    full(&asks).await;
    assert!(poses.subscribe(&hello(9), PATIENCE).await.is_err());
    full(&poses).await;
    full(&silent).await;
    // Whoever has shown a key stays beyond that time.
    let validator = call(&dialer, &server).await;
    let _held = show(&validator, 1).await.unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(validator.why_closed().is_none());
    assert_eq!(server.shared.gate.waiting(), 0);
}

#[tokio::test]
async fn one_key_has_one_place_and_whoever_showed_it_before_goes_on_only_where_everybody_may() {
    let server = listen(limits(), Voucher);
    let first = call(&dialer(9), &server).await;
    let _held = show(&first, 1).await.unwrap();
    assert_eq!(server.shared.gate.ordinary(), 0, "it takes none of everybody's places");
    let _strangers = take_all(&server).await;
    let second = call(&dialer(10), &server).await;
    let _later = show(&second, 1).await.unwrap();
    full(&first).await;
    assert!(second.why_closed().is_none());
}

#[tokio::test]
async fn what_strangers_hold_of_memory_and_turns_is_not_what_whoever_shows_a_key_needs() {
    // As if strangers held all of it.
    let server = listen(
        ServerLimits {
            requests_served: 0,
            request_bytes: 0,
            reply_bytes: 0,
            ..ServerLimits::DEFAULT
        },
        Voucher,
    );
    let dialer = dialer(1);
    let client = call(&dialer, &server).await;
    let large = Request::Submit {
        envelopes: List::new(vec![vec![7; 10_000].into()]).unwrap(),
        promise: Promise::Word,
    };
    let busy =
        |asked: &Result<Response, RequestError>| matches!(asked, Err(RequestError::Refused(Refusal::Busy { .. })));
    for request in [&Request::Status, &large] {
        let refused = client.request(request, PATIENCE).await;
        assert!(busy(&refused), "{refused:?}");
    }
    let held = show(&client, 1).await.unwrap();
    for request in [&Request::Status, &large] {
        let served = client.request(request, PATIENCE).await;
        assert_eq!(served, Err(RequestError::Refused(Refusal::UnknownLog)));
    }
    drop(held);
    soon(async {
        while !busy(&client.request(&Request::Status, PATIENCE).await) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

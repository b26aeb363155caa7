//! What a client makes of a hostile node: a node that holds its key, and answers what it likes.

use quinn::crypto::rustls::QuicServerConfig;

use super::*;
use crate::wire::limits::{ALPN, REPLY_BYTES_MAX};
use crate::wire::{FrameError, List, Watch, WireError};

/// Answers every stream with these bytes and ends it.
fn answering(bytes: &'static [u8]) -> (quinn::Endpoint, SocketAddr) {
    let crypto = QuicServerConfig::try_from(tls::server_config(&node_identity(), ALPN)).unwrap();
    let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    let endpoint = quinn::Endpoint::server(config, loopback(1)).unwrap();
    let address = endpoint.local_addr().unwrap();
    tokio::spawn({
        let endpoint = endpoint.clone();
        async move {
            let connection = endpoint.accept().await.unwrap().await.unwrap();
            // Streams that the client did not ask for are not granted.
            assert!(
                tokio::time::timeout(Duration::from_millis(50), connection.open_bi())
                    .await
                    .is_err()
            );
            assert!(
                tokio::time::timeout(Duration::from_millis(50), connection.open_uni())
                    .await
                    .is_err()
            );
            while let Ok((mut send, mut receive)) = connection.accept_bi().await {
                receive.read_to_end(1 << 20).await.unwrap();
                let _ = send.write_all(bytes).await;
                let _ = send.finish();
            }
        }
    });
    (endpoint, address)
}

async fn asked_of(bytes: &'static [u8]) -> RequestError {
    let (_endpoint, address) = answering(bytes);
    let client = dialer(1)
        .connect(address, node_identity().node(), PATIENCE)
        .await
        .unwrap();
    client.request(&Request::Status, PATIENCE).await.unwrap_err()
}

#[tokio::test]
async fn nonsense_is_named_and_held_against_the_node() {
    let limit = REPLY_BYTES_MAX;
    let cases: [(&[u8], RequestError); 7] = [
        (&[], RequestError::NoAnswer),
        (&[0, 0], RequestError::BadFrame(FrameError::Half)),
        (&[0, 0, 0, 9, 1], RequestError::BadFrame(FrameError::Half)),
        (&[0, 0, 0, 0], RequestError::BadFrame(FrameError::Empty)),
        (
            &[0xff; 4],
            RequestError::BadFrame(FrameError::Oversize {
                length: u32::MAX,
                limit,
            }),
        ),
        (&[0, 0, 0, 4, 0, 0, 0, 9], RequestError::BadAnswer(WireError::BadValue)),
        // A reply of the right form to another question: `Ok(Response::Reveal)`.
        (&[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 12], RequestError::WrongAnswer),
    ];
    for (bytes, error) in cases {
        assert_eq!(asked_of(bytes).await, error);
        assert!(error.is_nodes_fault());
    }
}

#[tokio::test]
async fn more_after_the_answer_is_nonsense_too() {
    // `Err(Refusal::ShuttingDown)` alone is an answer; a good answer with a second frame behind it is none.
    let refused = asked_of(&[0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 3]).await;
    assert_eq!(refused, RequestError::Refused(Refusal::ShuttingDown));
    let two = asked_of(&[
        0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 12, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1,
    ])
    .await;
    assert_eq!(two, RequestError::WrongAnswer);
}

/// `Ok(Response::Subscribed)`, then the announcement of a push of as many bytes.
fn subscribed_then(announced: usize) -> &'static [u8] {
    let mut bytes = vec![0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 13];
    bytes.extend(u32::try_from(announced).unwrap().to_be_bytes());
    bytes.leak()
}

#[tokio::test]
async fn a_message_between_validators_that_is_too_long_is_refused_when_it_is_announced() {
    let order = Request::Order {
        hello: vec![1; 8].into(),
    };
    let limit = order.push_bytes_max();
    let subscribe = Request::Subscribe {
        logs: List::EMPTY,
        held: 0,
        watch: Watch::Logs,
    };
    for (request, announced, outcome) in [
        (&order, limit, Err(RequestError::BadFrame(FrameError::Half))),
        (
            &order,
            limit + 1,
            Err(RequestError::BadFrame(FrameError::Oversize {
                length: u32::try_from(limit + 1).unwrap(),
                limit,
            })),
        ),
        (&subscribe, limit + 1, Err(RequestError::BadFrame(FrameError::Half))),
    ] {
        let (_endpoint, address) = answering(subscribed_then(announced));
        let dialer = dialer(1);
        let client = dialer.connect(address, node_identity().node(), PATIENCE).await.unwrap();
        let mut pushes = client.subscribe(request, PATIENCE).await.unwrap();
        assert_eq!(soon(pushes.next()).await, outcome);
    }
}

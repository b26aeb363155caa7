//! What strangers and hostile validators get, each beside what is right.

use waxwing_core::codec::Encode;
use waxwing_core::keys::NodeId;
use waxwing_net::quic::{CloseCode, Closed, ConnectError, RequestError, Subscription};
use waxwing_net::wire::{List, Push, Stamp};

use super::*;
use crate::peers::limits::{NO_ROOM_MS, QUEUE_FRAMES_MAX, UNITS_BURST, UNITS_PER_SECOND};

const STRANGER: Result<Subscription, RequestError> = Err(RequestError::Refused(Refusal::Stranger));

/// Calls a node with the key of a node.
async fn call(caller: u8, node: &Node) -> (Dialer, Connection) {
    let identity = Identity::new(&node_key(caller));
    let dialer = Dialer::from_address((Ipv4Addr::LOCALHOST, 0).into(), Shown::Always(identity)).unwrap();
    let connection = dialer
        .connect(node.server.address().unwrap(), node.server.node(), PATIENCE)
        .await;
    (dialer, connection.unwrap())
}

fn hello(vote: u8, from: NodeId, to: NodeId) -> Opaque {
    let key = vote_key(vote);
    let message = hello_message(genesis().network(), &from, &to, 9);
    let hello = Hello {
        validator: key.public(),
        port: 9,
        signature: key.sign(&message),
    };
    hello.to_bytes().into()
}

async fn order(connection: &Connection, hello: Opaque) -> Result<Subscription, RequestError> {
    connection.subscribe(&Request::Order { hello }, PATIENCE).await
}

fn is_stranger(asked: &Result<Subscription, RequestError>) -> bool {
    matches!((asked, &STRANGER), (Err(error), Err(stranger)) if error == stranger)
}

#[tokio::test]
async fn a_hello_that_proves_nothing_is_refused_and_opens_nothing() {
    let mut node = Node::start(1, &[]);
    let (_dialer, connection) = call(2, &node).await;
    let (own, theirs, elsewhere) = (node_key(2).public(), node.server.node(), node_key(3).public());
    let missing = Request::Missing {
        block: Hash([1; 32]),
        stamps: List::new(vec![Stamp(Hash([2; 32]))]).unwrap(),
    };
    let spread = Request::Spread {
        envelopes: List::new(vec![vec![1].into()]).unwrap(),
    };
    for (what, hello) in [
        ("nothing", Vec::new().into()),
        ("nonsense", vec![7; 98].into()),
        ("a key that does not vote", hello(9, own, theirs)),
        ("recorded when it was said by another node", hello(2, elsewhere, theirs)),
        ("recorded when it was said to another node", hello(2, own, elsewhere)),
        ("the node's own key", hello(1, own, theirs)),
    ] {
        assert!(is_stranger(&order(&connection, hello).await), "{what}");
        for request in [&missing, &spread] {
            let refused = connection.request(request, PATIENCE).await;
            assert_eq!(refused, Err(RequestError::Refused(Refusal::Stranger)), "{what}");
        }
    }
    assert!(node.events.try_recv().is_err(), "nobody has come");
    let mut subscription = order(&connection, hello(2, own, theirs)).await.unwrap();
    let Ok(Some(Push::Order(answer))) = soon(subscription.next()).await else {
        panic!("a hello is answered with a hello")
    };
    assert!(Hello::read(&answer, genesis().network(), &theirs, &own).is_some());
    node.until_up(vote_key(2).public()).await;
    let unknown = connection.request(&missing, PATIENCE).await;
    assert_eq!(unknown, Err(RequestError::Refused(Refusal::UnknownBlock)));
    assert_eq!(
        connection.request(&spread, PATIENCE).await,
        Ok(Response::Spread(Room::Enough))
    );
    // The right ends with the subscription.
    drop(subscription);
    node.until_down(vote_key(2).public()).await;
    let refused = connection.request(&spread, PATIENCE).await;
    assert_eq!(refused, Err(RequestError::Refused(Refusal::Stranger)));
}

#[tokio::test]
async fn a_node_that_does_not_vote_is_no_party_to_it() {
    let node = Node::start(9, &[]);
    let (_dialer, connection) = call(2, &node).await;
    let asked = order(&connection, hello(2, node_key(2).public(), node.server.node())).await;
    assert!(
        matches!(asked, Err(RequestError::Refused(Refusal::NoValidator))),
        "{asked:?}"
    );
    assert_eq!(node.links.report(), []);
}

/// Calls a node from an address of its own.
async fn call_from(last: u8, node: &Node) -> (Dialer, Result<Connection, ConnectError>) {
    let address = (Ipv4Addr::new(127, 0, 0, last), 0).into();
    let dialer = Dialer::from_address(address, Shown::Ephemeral).unwrap();
    let connection = dialer
        .connect(node.server.address().unwrap(), node.server.node(), PATIENCE)
        .await;
    (dialer, connection)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_gets_in_though_many_addresses_hold_every_other_place() {
    let limits = ServerLimits {
        connections: 64,
        connections_per_address: 2,
        handshakes: 16,
        handshakes_unproven: 8,
        ..ServerLimits::DEFAULT
    };
    let (told, events) = mpsc::unbounded_channel();
    let place = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let deliver: Deliver = Box::new(move |event| told.send(event).is_ok());
    let mut node = Node::limited(1, events, (place, limits), deliver);
    let dialer = Dialer::from_address(place, Shown::Always(Identity::new(&node_key(1)))).unwrap();
    let port = node.server.address().unwrap().port();
    node.links.begin(dialer, port, &[], Box::new(|_| {}));
    let mut strangers = Vec::new();
    for last in 100..132 {
        for _ in 0..2 {
            strangers.push(call_from(last, &node).await);
        }
    }
    soon(async {
        while node.server.counts().open < 64 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    // A stranger who poses as a validator, one who says nothing, and one who asks as anybody does.
    let (_poses, posing) = call_from(140, &node).await;
    let posing = posing.unwrap();
    let own = node_key(7).public();
    assert!(order(&posing, hello(7, own, node.server.node())).await.is_err());
    let (_asks, asking) = call_from(141, &node).await;
    let asking = asking.unwrap();
    assert!(asking.request(&Request::Status, PATIENCE).await.is_err());
    let (_says_nothing, silent) = call_from(142, &node).await;
    for connection in [posing, asking, silent.unwrap()] {
        assert_eq!(soon(connection.closed()).await, Closed::ByPeer(CloseCode::NodeFull));
    }
    // A validator that dials is heard, and dialled.
    let mut validator = Node::start(2, &[node.address()]);
    node.until_up(validator.validator()).await;
    validator.until_up(node.validator()).await;
    node.links.send(To::All, &Frame::Status(7));
    assert_eq!(validator.frame().await, (node.validator(), Frame::Status(7)));
    validator.links.send(To::All, &Frame::Status(8));
    assert_eq!(node.frame().await, (validator.validator(), Frame::Status(8)));
    let counts = node.server.counts();
    assert_eq!(counts.open, 65, "none of the strangers had to go: {counts:?}");
}

/// Says hello as a validator, and then whatever it is told to say.
struct Mouth {
    vote: u8,
    pushes: Mutex<Option<Vec<Push>>>,
}

impl Service for Mouth {
    async fn call(&self, peer: PeerInfo, request: Request, responder: Responder) {
        if !matches!(request, Request::Order { .. }) {
            return responder.refuse(Refusal::NotAllowed).await;
        }
        let Ok(mut pushes) = responder.subscribe().await else {
            return;
        };
        let own = node_key(self.vote).public();
        let hello = Push::Order(hello(self.vote, own, peer.node));
        let said = self.pushes.lock().unwrap().take();
        for push in [hello].into_iter().chain(said.unwrap_or_default()) {
            if pushes.send(&push).await.is_err() {
                return;
            }
        }
        pushes.gone().await;
    }
}

fn mouth(number: u8, vote: u8, pushes: Vec<Push>) -> (Server, NodeAddress) {
    let mouth = Mouth {
        vote,
        pushes: Mutex::new(Some(pushes)),
    };
    let identity = Identity::new(&node_key(number));
    let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into(), &identity, ServerLimits::DEFAULT, mouth).unwrap();
    let address = NodeAddress {
        node: server.node(),
        host: "127.0.0.1".to_owned(),
        port: server.address().unwrap().port(),
    };
    (server, address)
}

fn said(frame: &Frame) -> Push {
    Push::Order(frame.to_bytes().into())
}

#[tokio::test]
async fn a_node_that_only_says_that_it_is_a_validator_is_not_listened_to() {
    // It answers with the hello of a validator at another node: recorded, or made up.
    let (_posing, address) = mouth(5, 2, vec![said(&Frame::Status(666))]);
    let (_honest, true_address) = mouth(3, 3, vec![said(&Frame::Status(3))]);
    let mut node = Node::start(1, &[address, true_address]);
    assert_eq!(node.frame().await, (vote_key(3).public(), Frame::Status(3)));
    assert!(node.links.connection(&vote_key(2).public()).is_none());
    assert!(node.events.try_recv().is_err());
}

#[tokio::test]
async fn what_is_no_message_ends_the_link_and_what_came_before_it_counts() {
    let status = said(&Frame::Status(5));
    for nonsense in [
        Push::Order(vec![99; 10].into()),
        Push::Order(Vec::new().into()),
        Push::Order([&Frame::Status(1).to_bytes()[..], &[0]].concat().into()),
        Push::Lagged { left_out: 1 },
    ] {
        let (_liar, address) = mouth(2, 2, vec![status.clone(), nonsense, said(&Frame::Status(6))]);
        let mut node = Node::start(1, &[address]);
        assert_eq!(node.frame().await, (vote_key(2).public(), Frame::Status(5)));
        soon(async {
            while node.links.reaches_anybody() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        assert!(node.events.try_recv().is_err(), "nothing behind it is listened to");
    }
}

/// Frames of each validator within a second, while one of them talks without end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_talks_without_end_is_read_at_the_rate_that_is_allowed_and_the_others_are_heard() {
    let flood = vec![said(&Frame::Status(1)); usize::try_from(3 * UNITS_BURST).unwrap()];
    let (_loud, loud) = mouth(2, 2, flood);
    let (_calm, calm) = mouth(3, 3, vec![said(&Frame::Status(2)); 10]);
    let mut node = Node::start(1, &[loud, calm]);
    let mut heard: BTreeMap<ValidatorId, u64> = BTreeMap::new();
    let began = node.links.clock.steady_ms();
    while node.links.clock.steady_ms() < began + 1500 {
        if let Ok(Some(Event::Frame { from, .. })) =
            tokio::time::timeout(Duration::from_millis(100), node.events.recv()).await
        {
            *heard.entry(from).or_default() += 1;
        }
    }
    let most = UNITS_BURST + (node.links.clock.steady_ms() - began + 100) * UNITS_PER_SECOND / 1000;
    assert_eq!(heard.get(&vote_key(3).public()), Some(&10));
    let loud = heard.get(&vote_key(2).public()).copied().unwrap_or(0);
    assert!((1..=most).contains(&loud), "{loud} of at most {most}");
}

#[tokio::test]
async fn frames_without_room_slow_their_sender_down() {
    let (_loud, loud) = mouth(2, 2, vec![said(&Frame::Status(1)); 1000]);
    let (offered, mut offers) = mpsc::unbounded_channel();
    let node = Node::with(
        1,
        mpsc::unbounded_channel().1,
        (Ipv4Addr::LOCALHOST, 0).into(),
        // Nothing is ever taken.
        Box::new(move |event| {
            let _ = offered.send(event);
            false
        }),
    );
    let identity = Identity::new(&node_key(1));
    let dialer = Dialer::from_address((Ipv4Addr::LOCALHOST, 0).into(), Shown::Always(identity)).unwrap();
    node.links.begin(dialer, 9, &[loud], Box::new(|_| {}));
    soon(offers.recv()).await.unwrap();
    let began = node.links.clock.steady_ms();
    for _ in 0..10 {
        soon(offers.recv()).await.unwrap();
    }
    assert!(node.links.clock.steady_ms() >= began + 9 * NO_ROOM_MS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_that_does_not_read_is_let_go_and_the_others_are_not_kept_waiting() {
    let mut node = Node::start(1, &[]);
    let mut attentive = Node::start(3, &[node.address()]);
    node.until_up(attentive.validator()).await;
    let (_dialer, connection) = call(2, &node).await;
    let deaf = order(&connection, hello(2, node_key(2).public(), node.server.node())).await;
    node.until_up(vote_key(2).public()).await;
    // More than QUIC's windows and the queue hold together.
    let large = Frame::Contents(Box::new(contents()));
    let frame_bytes = large.to_bytes().len();
    let count = u64::try_from((24 << 20) / frame_bytes + QUEUE_FRAMES_MAX / 100).unwrap();
    for number in 0..count {
        node.links.send(To::One(vote_key(2).public()), &large);
        node.links.send(To::One(attentive.validator()), &Frame::Status(number));
    }
    for number in 0..count {
        assert_eq!(attentive.frame().await, (node.validator(), Frame::Status(number)));
    }
    node.until_down(vote_key(2).public()).await;
    drop(deaf);
}

fn contents() -> crate::order::event::Contents {
    let mut header = genesis().block();
    header.entry_count = 8000;
    let listed = crate::order::event::Listed {
        stamp: Hash([1; 32]),
        entry: Hash([2; 32]),
    };
    crate::order::event::Contents {
        header,
        entries: vec![listed; 8000],
        evidence: Vec::new(),
    }
}

/// Answers every pull with the same entries, whatever was asked for.
struct Poisoner(Vec<Opaque>);

impl Service for Poisoner {
    async fn call(&self, peer: PeerInfo, request: Request, responder: Responder) {
        match request {
            Request::Order { .. } => {
                let Ok(mut pushes) = responder.subscribe().await else {
                    return;
                };
                let own = node_key(2).public();
                let _ = pushes.send(&Push::Order(hello(2, own, peer.node))).await;
                pushes.gone().await;
            }
            Request::Missing { .. } => {
                responder
                    .answer(Response::Missing(List::new(self.0.clone()).unwrap()))
                    .await;
            }
            _ => responder.refuse(Refusal::NotAllowed).await,
        }
    }
}

#[tokio::test]
async fn of_what_is_delivered_only_what_was_asked_for_and_verifies_counts() {
    let good = super::honest::candidates(4);
    let mut forged = good[1].carried.to_bytes();
    // Its signature: the stamp is still the one that was asked for.
    forged[200] ^= 1;
    let delivered = [
        good[0].carried.to_bytes(),
        forged,
        good[2].carried.to_bytes(),
        vec![1, 2, 3],
    ];
    let identity = Identity::new(&node_key(2));
    let poisoner = Poisoner(delivered.into_iter().map(Opaque::from).collect());
    let server = Server::bind(
        (Ipv4Addr::LOCALHOST, 0).into(),
        &identity,
        ServerLimits::DEFAULT,
        poisoner,
    )
    .unwrap();
    let address = NodeAddress {
        node: server.node(),
        host: "127.0.0.1".to_owned(),
        port: server.address().unwrap().port(),
    };
    let mut node = Node::start(1, &[address]);
    node.until_reached(vote_key(2).public()).await;
    let stamps = vec![good[1].stamp, good[2].stamp, good[3].stamp];
    node.links.pull(Hash([1; 32]), vote_key(2).public(), stamps);
    assert_eq!(node.pulled().await, [good[2].carried.id()]);
}

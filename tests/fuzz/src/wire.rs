//! What programs say to each other: frames, requests, replies, pushes, and the ledger values inside them.
//!
//! A stranger reaches these lines first. Frames are cut alike however they arrive; a message that is accepted has one
//! encoding and can be sent again; and whatever a reply holds, a client that reads it has an answer.

use core::num::NonZeroU32;
use std::fmt::Debug;
use std::net::SocketAddr;

use waxwing_core::Hash;
use waxwing_core::block::{BlockHeader, CertifiedBlock};
use waxwing_core::certificate::Beacon;
use waxwing_core::chunk::ChunkId;
use waxwing_core::codec::{Decode, Reader};
use waxwing_core::envelope::{Carried, Envelope, ErasureSecret, SignedHeader};
use waxwing_core::evidence::Evidence;
use waxwing_core::follow::{HeadProof, HeadUpdate};
use waxwing_core::genesis::Genesis;
use waxwing_core::keys::{LogId, NodeId, Signature};
use waxwing_core::log::Place;
use waxwing_core::merkle::{Frontier, InclusionProof};
use waxwing_core::receipt::{Acknowledgement, Receipt};
use waxwing_net::wire::{
    Access, Admission, Bodies, Chunk, ChunkTerms, Entries, EnvelopeRefusal, FRAME_HEADER_BYTES, FollowLog, FrameError,
    FrameReader, Holding, List, Message, Opaque, Peer, Progress, Promise, Push, Refusal, Reply, Request, Response,
    Retention, Role, Room, Stamp, Status, Submitters, Text, Watch, codec, frame,
};

use crate::golden::GOLDEN;
use crate::script::seed;
use crate::values::{again, answered};

/// Frames of these games are short, so that a fuzzer reaches the bound.
const LIMIT: usize = 300;

/// The first word between validators, taken from the node's own source: its crate links a database.
#[path = "../../../node/full/src/peers/hello.rs"]
mod hello;

/// Plays one input: what it is, and its bytes.
pub fn run(data: &[u8]) {
    let Some((chosen, bytes)) = data.split_first() else {
        return;
    };
    match chosen % 5 {
        0 => request(bytes),
        1 => reply(bytes),
        2 => push(bytes),
        3 => {
            again::<hello::Hello>(bytes);
            let node = NodeId([1; 32]);
            assert!(
                hello::Hello::read(bytes, Hash([1; 32]), &node, &node).is_none(),
                "nobody signed it"
            );
        }
        _ => frames(bytes),
    }
}

/// Decodes a message; what is accepted has one encoding, and fits a frame of its own.
fn one<M: Message + PartialEq + Debug>(bytes: &[u8]) -> Option<M> {
    let message: M = codec::decode(bytes).ok()?;
    let mut out = Vec::new();
    codec::encode(&message, &mut out).expect("what was accepted may be sent");
    assert_eq!(out, bytes, "accepted, but not the one encoding: {message:?}");
    let framed = frame(&message).expect("what was accepted may be framed");
    assert_eq!(framed.get(FRAME_HEADER_BYTES..), Some(bytes));
    Some(message)
}

fn request(bytes: &[u8]) {
    let Some(request) = one::<Request>(bytes) else { return };
    answered(request.cost());
    answered(request.push_bytes_max());
    assert!(
        request.reply_bytes() <= 8 << 20,
        "a request that reserves {} bytes",
        request.reply_bytes()
    );
    match &request {
        Request::Submit { envelopes, .. } | Request::Spread { envelopes } => inside::<Envelope>(envelopes),
        Request::Report { evidence } => answered(again::<Evidence>(evidence)),
        _ => {}
    }
}

fn reply(bytes: &[u8]) {
    let Some(reply) = one::<Reply>(bytes) else { return };
    match reply {
        Ok(response) => {
            answered(response.kind());
            read(&response);
        }
        Err(refusal) => {
            answered(refusal.retry_after_ms());
            assert!(!refusal.to_string().is_empty());
        }
    }
}

/// What a client does with a reply before it trusts any of it.
fn read(response: &Response) {
    match response {
        Response::Genesis(bytes) => answered(again::<Genesis>(bytes)),
        Response::Head(bytes) => answered(again::<HeadUpdate>(bytes)),
        Response::Log(bytes) => answered(again::<HeadProof>(bytes)),
        Response::Entries(entries) => placed(entries),
        Response::Receipt(bytes) => answered(again::<Receipt>(bytes)),
        Response::Headers(headers) => inside::<BlockHeader>(headers),
        Response::HistoryProof { header, proof } => {
            again::<BlockHeader>(header);
            again::<InclusionProof>(proof);
        }
        Response::Blocks(blocks) => inside::<CertifiedBlock>(blocks),
        Response::Missing(entries) => inside::<Carried>(entries),
        Response::Beacon(bytes) => answered(again::<Beacon>(bytes)),
        Response::Submit(admissions) => admissions.iter().for_each(|admission| {
            if let Admission::Acknowledged(bytes) | Admission::Waiting(bytes) = admission {
                again::<Acknowledgement>(bytes);
            }
        }),
        Response::Confirm(bytes) => answered(again::<Signature>(bytes)),
        _ => {}
    }
}

fn inside<T: Decode + waxwing_core::codec::Encode + Debug>(parts: &[Opaque]) {
    parts.iter().for_each(|bytes| answered(again::<T>(bytes)));
}

fn placed(entries: &Entries) {
    again::<Frontier>(&entries.frontier);
    for bytes in entries.entries.iter() {
        let mut reader = Reader::new(bytes);
        if Place::decode(&mut reader).is_ok() {
            let mut other = reader.clone();
            let _ = Carried::decode(&mut reader).and_then(|_| reader.finish());
            let _ = SignedHeader::decode(&mut other).and_then(|_| other.finish());
        }
    }
}

fn push(bytes: &[u8]) {
    match one::<Push>(bytes) {
        Some(Push::Entries { entries, proof, .. }) => {
            placed(&entries);
            again::<HeadProof>(&proof);
        }
        Some(Push::Head(bytes)) => answered(again::<HeadUpdate>(&bytes)),
        Some(Push::Beacon(bytes)) => answered(again::<Beacon>(&bytes)),
        Some(Push::Reported(bytes)) => answered(again::<Evidence>(&bytes)),
        _ => {}
    }
}

/// A stream of bytes, cut into pieces by its first bytes: the same frames as in one piece.
fn frames(bytes: &[u8]) {
    let (cuts, stream) = bytes.split_at_checked(4).unwrap_or((&[], bytes));
    let whole = cut(stream, &[]);
    let pieces = cut(stream, cuts);
    assert_eq!(whole, pieces, "frames depend on how they arrive");
    let taken: usize = whole.0.iter().map(|payload| payload.len() + FRAME_HEADER_BYTES).sum();
    assert!(taken <= stream.len());
    assert!(whole.0.iter().all(|payload| (1..=LIMIT).contains(&payload.len())));
}

fn cut(stream: &[u8], cuts: &[u8]) -> (Vec<Vec<u8>>, Result<(), FrameError>) {
    let mut reader = FrameReader::new(LIMIT);
    let (mut found, mut rest, mut turn) = (Vec::new(), stream, 0);
    while !rest.is_empty() {
        let length = cuts
            .get(turn % cuts.len().max(1))
            .map_or(rest.len(), |cut| usize::from(*cut) + 1);
        turn += 1;
        let (mut piece, later) = rest.split_at(length.min(rest.len()));
        rest = later;
        loop {
            match reader.feed(&mut piece) {
                Ok(Some(payload)) => found.push(payload),
                Ok(None) => break,
                Err(error) => return (found, Err(error)),
            }
        }
        assert!(piece.is_empty(), "bytes were left lying");
    }
    let end = reader.finish();
    (found, end)
}

fn bytes_of<M: Message>(message: &M) -> Vec<u8> {
    let mut out = Vec::new();
    codec::encode(message, &mut out).expect("seeds are within the limits");
    out
}

fn list<T: Clone, const MAX: usize>(values: &[T]) -> List<T, MAX> {
    List::new(values.to_vec()).expect("seeds are within the limits")
}

/// A vector of a type, as it travels.
fn vector<T: Decode>() -> Opaque {
    let found = GOLDEN.bytes.iter().find(|bytes| T::from_bytes(bytes).is_ok());
    Opaque::from(found.cloned().unwrap_or_default())
}

fn requests() -> Vec<Request> {
    let (log, count) = (LogId([5; 32]), NonZeroU32::MIN);
    let envelopes = [vector::<Envelope>(), Opaque::default()];
    vec![
        Request::Status,
        Request::Genesis,
        Request::Submit {
            envelopes: list(&envelopes),
            promise: Promise::Signed,
        },
        Request::Submit {
            envelopes: list(&envelopes),
            promise: Promise::Word,
        },
        Request::Head { held: 3 },
        Request::Log { log, held: 3 },
        Request::Entries {
            log,
            from: 1,
            count,
            bytes: count,
            bodies: Bodies::With,
        },
        Request::Entries {
            log,
            from: 1,
            count,
            bytes: count,
            bodies: Bodies::Without,
        },
        Request::Receipt { log, index: 1 },
        Request::Headers { from: 1, count },
        Request::HistoryProof { height: 1, size: 2 },
        Request::Blocks {
            from: 1,
            count,
            bytes: count,
        },
        Request::Beacon {
            newer_than_ms: 1,
            wait_ms: 2,
        },
        Request::Statement {
            height: 1,
            head: Hash([1; 32]),
        },
        Request::Reveal {
            log,
            index: 1,
            secret: ErasureSecret([2; 32]),
        },
        Request::Subscribe {
            logs: list(&[FollowLog { log, from: 1 }]),
            held: 1,
            watch: Watch::HeadsAndBeacons,
        },
        Request::Peers,
        Request::Report {
            evidence: vector::<Evidence>(),
        },
        Request::Order {
            hello: Opaque::from(vec![1; 40]),
        },
        Request::Spread {
            envelopes: list(&envelopes),
        },
        Request::Missing {
            block: Hash([1; 32]),
            stamps: list(&[Stamp(Hash([2; 32]))]),
        },
        Request::Confirm {
            height: 1,
            head: Hash([1; 32]),
            time: 3,
        },
        Request::PutChunk {
            days: count,
            bytes: Opaque::from(vec![1; 40]),
        },
        Request::GetChunk { id: ChunkId([1; 32]) },
        Request::HaveChunks {
            ids: list(&[Chunk(ChunkId([1; 32])), Chunk(ChunkId([2; 32]))]),
        },
        Request::ChunkTerms,
    ]
}

fn status() -> Status {
    Status {
        network: Hash([1; 32]),
        height: 2,
        head: Hash([2; 32]),
        software: Text::new("waxwing 0.1").expect("short"),
        role: Role::Validator,
        progress: Progress::Verified { height: 2 },
        access: Access {
            submit: Submitters::Everybody,
            policy: Text::new("be kind").expect("short"),
            quota_bytes: Some(9),
            used_bytes: 4,
        },
        retention: Retention::AtMostDays(30),
    }
}

fn entries() -> Entries {
    let place = Place {
        height: 1,
        time: 2,
        in_block: 0,
    };
    let carried = vector::<Carried>();
    let placed = [&waxwing_core::codec::Encode::to_bytes(&place)[..], &carried].concat();
    Entries {
        from: 0,
        frontier: vector::<Frontier>(),
        entries: list(&[Opaque::from(placed)]),
        length: 1,
    }
}

fn responses() -> Vec<Response> {
    let promise = vector::<Acknowledgement>();
    let peer = Peer {
        node: NodeId([3; 32]),
        address: SocketAddr::from(([127, 0, 0, 1], 7)),
        role: Role::Follower,
    };
    let refused = Admission::Refused(EnvelopeRefusal::Malformed);
    vec![
        Response::Status(Box::new(status())),
        Response::Genesis(vector::<Genesis>()),
        Response::Submit(list(&[
            Admission::Acknowledged(promise.clone()),
            Admission::Waiting(promise),
            Admission::Final { index: 1, height: 2 },
            refused,
            Admission::Taken,
        ])),
        Response::Head(vector::<HeadUpdate>()),
        Response::Log(vector::<HeadProof>()),
        Response::Entries(entries()),
        Response::Receipt(vector::<Receipt>()),
        Response::Headers(list(&[vector::<BlockHeader>()])),
        Response::HistoryProof {
            header: vector::<BlockHeader>(),
            proof: vector::<InclusionProof>(),
        },
        Response::Blocks(list(&[vector::<CertifiedBlock>()])),
        Response::Beacon(vector::<Beacon>()),
        Response::Statement(Opaque::from(vec![1; 72])),
        Response::Reveal,
        Response::Subscribed,
        Response::Peers(list(&[peer])),
        Response::Report,
        Response::Spread(Room::Full { retry_after_ms: 5 }),
        Response::Missing(list(&[vector::<Carried>()])),
        Response::Confirm(vector::<Signature>()),
        Response::PutChunk { until_ms: 1 },
        Response::GetChunk(Opaque::from(vec![1; 40])),
        Response::HaveChunks(list(&[Holding::Nothing, Holding::Kept { until_ms: 1 }])),
        Response::ChunkTerms(ChunkTerms {
            quota_bytes: 4,
            free_bytes: 3,
            days: 2,
            chunk_bytes: 1,
        }),
    ]
}

fn pushes() -> Vec<Push> {
    vec![
        Push::Entries {
            log: LogId([1; 32]),
            entries: entries(),
            proof: vector::<HeadProof>(),
        },
        Push::Head(vector::<HeadUpdate>()),
        Push::Beacon(vector::<Beacon>()),
        Push::Lagged { left_out: 3 },
        Push::Ended(Refusal::NoBeacon),
        Push::Revealed {
            log: LogId([1; 32]),
            index: 2,
            secret: ErasureSecret([3; 32]),
        },
        Push::Order(Opaque::from(vec![2; 60])),
        Push::Reported(vector::<Evidence>()),
    ]
}

/// One message of every kind with true contents, and all of them as one stream in different pieces.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = requests().iter().map(|request| seed(0, &bytes_of(request))).collect();
    seeds.extend(
        responses()
            .into_iter()
            .map(|response| seed(1, &bytes_of::<Reply>(&Ok(response)))),
    );
    for refusal in [
        Refusal::NoBeacon,
        Refusal::HeightAhead { newest: 4 },
        Refusal::UnknownLog,
        Refusal::ChunksFull { retry_after_ms: 5 },
    ] {
        seeds.push(seed(1, &bytes_of::<Reply>(&Err(refusal))));
    }
    seeds.extend(pushes().iter().map(|push| seed(2, &bytes_of(push))));
    seeds.push(seed(3, &[5; 98]));
    let small = [Request::Status, Request::Peers, Request::Head { held: 1 }];
    let stream: Vec<u8> = small
        .iter()
        .flat_map(|request| frame(request).expect("small").to_vec())
        .collect();
    for cuts in [[0; 4], [1, 2, 3, 4], [200; 4]] {
        seeds.push(seed(4, &[&cuts[..], &stream].concat()));
    }
    seeds
}

//! One message of every kind, and a strategy for any message: for the tests of this crate.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;

use proptest::collection::vec;
use proptest::prelude::*;
use waxwing_core::Hash;
use waxwing_core::chunk::ChunkId;
use waxwing_core::envelope::ErasureSecret;
use waxwing_core::keys::{LogId, NodeId};
use waxwing_core::limits::CHUNK_BYTES_MAX;

use super::limits::{
    BEACON_WAIT_MS_MAX, ENVELOPES_PER_SUBMIT_MAX, HELLO_BYTES_MAX, HINDRANCES_PER_REPLY_MAX, SNAPSHOT_ASK_BYTES_MAX,
};
use super::*;

fn opaque() -> impl Strategy<Value = Opaque> {
    vec(any::<u8>(), 0..300).prop_map(Opaque::from)
}

fn list<T: core::fmt::Debug, const MAX: usize>(value: impl Strategy<Value = T>) -> impl Strategy<Value = List<T, MAX>> {
    vec(value, 0..20).prop_map(|values| List::new(values).unwrap())
}

fn text<const MAX: usize>() -> impl Strategy<Value = Text<MAX>> {
    "[a-zäß☃ ]{0,20}".prop_map(|text| Text::new(&text).unwrap())
}

fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

fn log() -> impl Strategy<Value = LogId> {
    any::<[u8; 32]>().prop_map(LogId)
}

fn count(max: u32) -> impl Strategy<Value = NonZeroU32> {
    (1..=max).prop_map(|count| NonZeroU32::new(count).unwrap())
}

fn chunk() -> impl Strategy<Value = ChunkId> {
    any::<[u8; 32]>().prop_map(ChunkId)
}

fn request_about_chunks() -> impl Strategy<Value = Request> {
    prop_oneof![
        (count(u32::MAX), vec(any::<u8>(), 1..300)).prop_map(|(days, bytes)| Request::PutChunk {
            days,
            bytes: bytes.into()
        }),
        chunk().prop_map(|id| Request::GetChunk { id }),
        vec(chunk().prop_map(Chunk), 1..20).prop_map(|ids| Request::HaveChunks {
            ids: List::new(ids).unwrap()
        }),
        Just(Request::ChunkTerms),
    ]
}

fn response_about_chunks() -> impl Strategy<Value = Response> {
    let holding = prop_oneof![
        Just(Holding::Nothing),
        any::<u64>().prop_map(|until_ms| Holding::Kept { until_ms })
    ];
    prop_oneof![
        any::<u64>().prop_map(|until_ms| Response::PutChunk { until_ms }),
        vec(any::<u8>(), 1..300).prop_map(|bytes| Response::GetChunk(bytes.into())),
        list(holding).prop_map(Response::HaveChunks),
        any::<(u64, u64, u32, u32)>().prop_map(|(quota_bytes, free_bytes, days, chunk_bytes)| {
            Response::ChunkTerms(ChunkTerms {
                quota_bytes,
                free_bytes,
                days,
                chunk_bytes,
            })
        }),
    ]
}

pub(crate) fn any_request() -> impl Strategy<Value = Request> {
    prop_oneof![6 => request_about_the_ledger(), 1 => request_about_chunks(), 1 => Just(Request::Ready)]
}

fn request_about_the_ledger() -> impl Strategy<Value = Request> {
    let bodies = prop_oneof![Just(Bodies::With), Just(Bodies::Without)];
    let promise = prop_oneof![Just(Promise::Signed), Just(Promise::Word)];
    let watch = proptest::sample::select(&[Watch::Logs, Watch::Heads, Watch::HeadsAndBeacons, Watch::Ledger][..]);
    let follow = (log(), any::<u64>()).prop_map(|(log, from)| FollowLog { log, from });
    prop_oneof![
        Just(Request::Status),
        Just(Request::Genesis),
        (vec(opaque(), 1..20), promise).prop_map(|(envelopes, promise)| Request::Submit {
            envelopes: List::new(envelopes).unwrap(),
            promise,
        }),
        any::<u64>().prop_map(|held| Request::Head { held }),
        (log(), any::<u64>()).prop_map(|(log, held)| Request::Log { log, held }),
        (log(), any::<u64>(), count(4096), count(4 << 20), bodies).prop_map(|(log, from, count, bytes, bodies)| {
            Request::Entries {
                log,
                from,
                count,
                bytes,
                bodies,
            }
        }),
        (log(), any::<u64>()).prop_map(|(log, index)| Request::Receipt { log, index }),
        (any::<u64>(), count(1024)).prop_map(|(from, count)| Request::Headers { from, count }),
        any::<(u64, u64)>().prop_map(|(height, size)| Request::HistoryProof { height, size }),
        (any::<u64>(), count(256), count(4 << 20)).prop_map(|(from, count, bytes)| Request::Blocks {
            from,
            count,
            bytes
        }),
        (any::<u64>(), 0..=BEACON_WAIT_MS_MAX)
            .prop_map(|(newer_than_ms, wait_ms)| Request::Beacon { newer_than_ms, wait_ms }),
        (any::<u64>(), hash()).prop_map(|(height, head)| Request::Statement { height, head }),
        (log(), any::<u64>(), any::<[u8; 32]>()).prop_map(|(log, index, secret)| Request::Reveal {
            log,
            index,
            secret: ErasureSecret(secret)
        }),
        (list(follow), any::<u64>(), watch).prop_map(|(logs, held, watch)| Request::Subscribe { logs, held, watch }),
        Just(Request::Peers),
        opaque().prop_map(|evidence| Request::Report { evidence }),
        vec(any::<u8>(), 0..=HELLO_BYTES_MAX).prop_map(|hello| Request::Order { hello: hello.into() }),
        vec(opaque(), 1..20).prop_map(|envelopes| Request::Spread {
            envelopes: List::new(envelopes).unwrap(),
        }),
        (hash(), vec(hash().prop_map(Stamp), 1..20)).prop_map(|(block, stamps)| Request::Missing {
            block,
            stamps: List::new(stamps).unwrap(),
        }),
        (any::<u64>(), hash(), any::<u64>()).prop_map(|(height, head, time)| Request::Confirm { height, head, time }),
        (any::<u64>(), vec(any::<u8>(), 0..=SNAPSHOT_ASK_BYTES_MAX)).prop_map(|(height, part)| Request::Snapshot {
            height,
            part: part.into(),
        }),
    ]
}

pub(crate) const REFUSALS: [Refusal; 26] = [
    Refusal::Busy { retry_after_ms: 1 },
    Refusal::TooManyRequests {
        retry_after_ms: u64::MAX,
    },
    Refusal::TooManySubscriptions,
    Refusal::ShuttingDown,
    Refusal::NotReady { verified: 7 },
    Refusal::Broken,
    Refusal::NotAllowed,
    Refusal::HeightAhead { newest: 8 },
    Refusal::Pruned { oldest: 9 },
    Refusal::UnknownLog,
    Refusal::IndexAhead { length: 3 },
    Refusal::Contradiction,
    Refusal::NoBeacon,
    Refusal::NoValidator,
    Refusal::NotTheHead { newest: 4 },
    Refusal::WrongSecret,
    Refusal::NoEvidence,
    Refusal::Stranger,
    Refusal::UnknownBlock,
    Refusal::TimeAhead { now_ms: 5 },
    Refusal::NotHereYet { from: 6 },
    Refusal::NoChunks,
    Refusal::ChunksFull { retry_after_ms: 7 },
    Refusal::ChunkShareUsed { retry_after_ms: 8 },
    Refusal::UnknownChunk,
    Refusal::ChunkTooLong { most: CHUNK_BYTES_MAX },
];

pub(crate) const HINDRANCES: [Hindrance; 5] = [
    Hindrance::Stopping,
    Hindrance::NoUpstream { known: 3 },
    Hindrance::NoQuorum {
        linked: 2,
        members: 4,
        needed: 3,
    },
    Hindrance::Behind { height: 5, target: 99 },
    Hindrance::TwoHistories,
];

pub(crate) const ENVELOPE_REFUSALS: [EnvelopeRefusal; 10] = [
    EnvelopeRefusal::Malformed,
    EnvelopeRefusal::TooLarge,
    EnvelopeRefusal::WrongBody,
    EnvelopeRefusal::WeakStamp { required: 12 },
    EnvelopeRefusal::BadSignature,
    EnvelopeRefusal::UnknownAnchor { newest: 64 },
    EnvelopeRefusal::ExpiredAnchor { newest: 128 },
    EnvelopeRefusal::PoolFull { retry_after_ms: 5 },
    EnvelopeRefusal::LogFull { retry_after_ms: 6 },
    EnvelopeRefusal::NoValidator { retry_after_ms: 7 },
];

fn refusal() -> impl Strategy<Value = Refusal> {
    proptest::sample::select(&REFUSALS[..])
}

fn admission() -> impl Strategy<Value = Admission> {
    prop_oneof![
        opaque().prop_map(Admission::Acknowledged),
        opaque().prop_map(Admission::Waiting),
        any::<(u64, u64)>().prop_map(|(index, height)| Admission::Final { index, height }),
        proptest::sample::select(&ENVELOPE_REFUSALS[..]).prop_map(Admission::Refused),
        Just(Admission::Taken),
    ]
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Validator), Just(Role::Follower)]
}

fn progress() -> impl Strategy<Value = Progress> {
    any::<(u64, u64, u8)>().prop_map(|(one, two, which)| match which % 4 {
        0 => Progress::Downloading { have: one, target: two },
        1 => Progress::Verifying {
            verified: one,
            target: two,
        },
        2 => Progress::Joined {
            joined: one,
            verified: two,
        },
        _ => Progress::Verified { height: one },
    })
}

fn access() -> impl Strategy<Value = Access> {
    let submit = prop_oneof![
        Just(Submitters::Everybody),
        Just(Submitters::Members),
        Just(Submitters::Nobody)
    ];
    (submit, text(), any::<Option<u64>>(), any::<u64>()).prop_map(|(submit, policy, quota_bytes, used_bytes)| Access {
        submit,
        policy,
        quota_bytes,
        used_bytes,
    })
}

fn any_status() -> impl Strategy<Value = Response> {
    let retention = prop_oneof![Just(Retention::AsAsked), any::<u32>().prop_map(Retention::AtMostDays)];
    (
        hash(),
        any::<u64>(),
        hash(),
        text(),
        role(),
        progress(),
        access(),
        retention,
    )
        .prop_map(|(network, height, head, software, role, progress, access, retention)| {
            Response::Status(Box::new(Status {
                network,
                height,
                head,
                software,
                role,
                progress,
                access,
                retention,
            }))
        })
}

fn entries() -> impl Strategy<Value = Entries> {
    (any::<u64>(), opaque(), list(opaque()), any::<u64>()).prop_map(|(from, frontier, entries, length)| Entries {
        from,
        frontier,
        entries,
        length,
    })
}

fn any_peer() -> impl Strategy<Value = Peer> {
    let address = prop_oneof![
        any::<([u8; 4], u16)>().prop_map(|(ip, port)| SocketAddr::from((Ipv4Addr::from(ip), port))),
        any::<([u8; 16], u16)>().prop_map(|(ip, port)| SocketAddr::from((Ipv6Addr::from(ip), port))),
    ];
    (any::<[u8; 32]>(), address, role()).prop_map(|(node, address, role)| Peer {
        node: NodeId(node),
        address,
        role,
    })
}

fn response() -> impl Strategy<Value = Response> {
    prop_oneof![
        any_status(),
        opaque().prop_map(Response::Genesis),
        list(admission()).prop_map(Response::Submit),
        opaque().prop_map(Response::Head),
        opaque().prop_map(Response::Log),
        entries().prop_map(Response::Entries),
        opaque().prop_map(Response::Receipt),
        list(opaque()).prop_map(Response::Headers),
        (opaque(), opaque()).prop_map(|(header, proof)| Response::HistoryProof { header, proof }),
        list(opaque()).prop_map(Response::Blocks),
        opaque().prop_map(Response::Beacon),
        opaque().prop_map(Response::Statement),
        Just(Response::Reveal),
        Just(Response::Subscribed),
        list(any_peer()).prop_map(Response::Peers),
        Just(Response::Report),
        Just(Response::Spread(Room::Enough)),
        any::<u64>().prop_map(|retry_after_ms| Response::Spread(Room::Full { retry_after_ms })),
        list(opaque()).prop_map(Response::Missing),
        opaque().prop_map(Response::Confirm),
        opaque().prop_map(Response::Snapshot),
    ]
}

pub(crate) fn any_reply() -> impl Strategy<Value = Reply> {
    let hindrances = vec(proptest::sample::select(&HINDRANCES[..]), 0..=HINDRANCES_PER_REPLY_MAX);
    let ready = hindrances.prop_map(|hindrances| Response::Ready(List::new(hindrances).unwrap()));
    let response = prop_oneof![6 => response(), 1 => response_about_chunks(), 1 => ready];
    prop_oneof![4 => response.prop_map(Ok), 1 => refusal().prop_map(Err)]
}

pub(crate) fn any_push() -> impl Strategy<Value = Push> {
    prop_oneof![
        (log(), entries(), opaque()).prop_map(|(log, entries, proof)| Push::Entries { log, entries, proof }),
        opaque().prop_map(Push::Head),
        opaque().prop_map(Push::Beacon),
        any::<u64>().prop_map(|left_out| Push::Lagged { left_out }),
        refusal().prop_map(Push::Ended),
        (log(), any::<u64>(), any::<[u8; 32]>()).prop_map(|(log, index, secret)| Push::Revealed {
            log,
            index,
            secret: ErasureSecret(secret),
        }),
        opaque().prop_map(Push::Order),
        opaque().prop_map(Push::Reported),
    ]
}

/// One request of every kind with an answer to it.
pub(crate) fn conversation() -> Vec<(Request, Response)> {
    let peers = List::new(vec![peer()]).unwrap();
    let mut conversation = vec![
        (Request::Status, Response::Status(Box::new(status()))),
        (Request::Genesis, Response::Genesis(sample(13))),
        (
            Request::Submit {
                envelopes: samples([1, 2, 3, 4, 5]),
                promise: Promise::Signed,
            },
            Response::Submit(admissions()),
        ),
    ];
    conversation.extend(questions_about_a_log(LogId([1; 32])));
    conversation.extend(questions_about_history());
    conversation.push((Request::Peers, Response::Peers(peers)));
    conversation.push((Request::Report { evidence: sample(21) }, Response::Report));
    conversation.extend(questions_among_validators());
    let part = Request::Snapshot {
        height: 5,
        part: sample(28),
    };
    conversation.push((part, Response::Snapshot(sample(29))));
    conversation.extend(questions_about_chunks());
    let hindrances = List::new(HINDRANCES.to_vec()).unwrap();
    conversation.push((Request::Ready, Response::Ready(hindrances)));
    conversation
}

fn questions_about_chunks() -> [(Request, Response); 4] {
    let put = Request::PutChunk {
        days: NonZeroU32::MIN,
        bytes: sample(30),
    };
    let ids = List::new(vec![Chunk(ChunkId([9; 32])), Chunk(ChunkId([10; 32]))]).unwrap();
    let holdings = List::new(vec![Holding::Nothing, Holding::Kept { until_ms: 11 }]).unwrap();
    let terms = ChunkTerms {
        quota_bytes: 1 << 32,
        free_bytes: 1 << 31,
        days: 30,
        chunk_bytes: CHUNK_BYTES_MAX,
    };
    [
        (put, Response::PutChunk { until_ms: 10 }),
        (
            Request::GetChunk { id: ChunkId([9; 32]) },
            Response::GetChunk(sample(31)),
        ),
        (Request::HaveChunks { ids }, Response::HaveChunks(holdings)),
        (Request::ChunkTerms, Response::ChunkTerms(terms)),
    ]
}

fn questions_about_a_log(log: LogId) -> [(Request, Response); 5] {
    let entries = Entries {
        from: 3,
        frontier: sample(2),
        entries: samples([3, 4]),
        length: 9,
    };
    let (count, bytes) = (NonZeroU32::MIN, NonZeroU32::MIN);
    let logs = List::new(vec![FollowLog { log, from: 4 }]).unwrap();
    let secret = ErasureSecret([3; 32]);
    [
        (Request::Log { log, held: 4 }, Response::Log(sample(15))),
        (
            Request::Entries {
                log,
                from: 3,
                count,
                bytes,
                bodies: Bodies::With,
            },
            Response::Entries(entries),
        ),
        (Request::Receipt { log, index: 3 }, Response::Receipt(sample(16))),
        (Request::Reveal { log, index: 3, secret }, Response::Reveal),
        (
            Request::Subscribe {
                logs,
                held: 4,
                watch: Watch::Heads,
            },
            Response::Subscribed,
        ),
    ]
}

fn questions_about_history() -> [(Request, Response); 6] {
    let (count, bytes) = (NonZeroU32::MIN, NonZeroU32::MIN);
    let proof = Response::HistoryProof {
        header: sample(11),
        proof: sample(12),
    };
    [
        (Request::Head { held: 4 }, Response::Head(sample(14))),
        (Request::Headers { from: 1, count }, Response::Headers(samples([17]))),
        (Request::HistoryProof { height: 3, size: 9 }, proof),
        (
            Request::Blocks { from: 1, count, bytes },
            Response::Blocks(samples([18])),
        ),
        (
            Request::Beacon {
                newer_than_ms: 5,
                wait_ms: 6,
            },
            Response::Beacon(sample(19)),
        ),
        (
            Request::Statement {
                height: 5,
                head: Hash([2; 32]),
            },
            Response::Statement(sample(20)),
        ),
    ]
}

fn questions_among_validators() -> [(Request, Response); 4] {
    let block = Hash([6; 32]);
    let stamps = List::new(vec![Stamp(Hash([7; 32])), Stamp(Hash([8; 32]))]).unwrap();
    let confirm = Request::Confirm {
        height: 5,
        head: Hash([2; 32]),
        time: 7,
    };
    [
        (Request::Order { hello: sample(22) }, Response::Subscribed),
        (
            Request::Spread {
                envelopes: samples([23, 24]),
            },
            Response::Spread(Room::Full { retry_after_ms: 9 }),
        ),
        (Request::Missing { block, stamps }, Response::Missing(samples([25, 26]))),
        (confirm, Response::Confirm(sample(27))),
    ]
}

fn sample(byte: u8) -> Opaque {
    vec![byte; 5].into()
}

fn samples<const MAX: usize, const N: usize>(bytes: [u8; N]) -> List<Opaque, MAX> {
    List::new(bytes.map(sample).to_vec()).unwrap()
}

fn admissions() -> List<Admission, ENVELOPES_PER_SUBMIT_MAX> {
    List::new(vec![
        Admission::Acknowledged(sample(5)),
        Admission::Waiting(sample(6)),
        Admission::Final { index: 1, height: 2 },
        Admission::Refused(EnvelopeRefusal::WeakStamp { required: 9 }),
        Admission::Taken,
    ])
    .unwrap()
}

fn peer() -> Peer {
    Peer {
        node: NodeId([9; 32]),
        address: SocketAddr::from(([127, 0, 0, 1], 4040)),
        role: Role::Validator,
    }
}

pub(crate) fn status() -> Status {
    Status {
        network: Hash([7; 32]),
        height: 77,
        head: Hash([8; 32]),
        software: Text::new("waxwing 0.1.0").unwrap(),
        role: Role::Follower,
        progress: Progress::Verifying {
            verified: 70,
            target: 77,
        },
        access: Access {
            submit: Submitters::Everybody,
            policy: Text::new("be kind").unwrap(),
            quota_bytes: Some(1 << 40),
            used_bytes: 1 << 30,
        },
        retention: Retention::AtMostDays(365),
    }
}

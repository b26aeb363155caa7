//! From submission to a proof, and every reason not to take an envelope.

use std::time::Duration;

use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::{Anchor, Body};
use waxwing_core::genesis::Genesis;
use waxwing_core::limits::{ANCHOR_VALID_MS, BODY_BYTES_MAX};
use waxwing_core::receipt::Acknowledgement;
use waxwing_net::wire::{Admission, EnvelopeRefusal, List, Promise, Refusal, Request, Response};
use waxwing_node::config::Submit;

use crate::client::Client;
use crate::world::{NEW_LOG_BITS, STAMP_BITS, World, Writer, opaque};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_submitted_becomes_final_and_proves_itself() {
    let world = World::new();
    let node = world.validator().await;
    let mut client = Client::to(&world, &node).await;
    let mut writer = Writer::new(&world, 1);
    let sealed = [writer.seal(b"one"), writer.seal(b"two"), writer.seal(b"three")];
    let admissions = client.submit_for(&sealed, Promise::Signed).await;
    for (admission, envelope) in admissions.iter().zip(&sealed) {
        let Admission::Acknowledged(promise) = admission else {
            panic!("{admission:?}")
        };
        let promise = Acknowledgement::from_bytes(promise).unwrap();
        promise.verify(world.keys.network()).unwrap();
        assert_eq!(
            (promise.node, promise.entry),
            (node.node(), envelope.signed.entry_id(&world.keys))
        );
    }
    let log = writer.key.public();
    client.until_length(log, 3).await;
    let read = client.read(log).await;
    for (index, ((carried, place), envelope)) in (0..).zip(read.iter().zip(&sealed)) {
        assert_eq!(carried.signed, envelope.signed);
        assert_eq!(carried.body, Body::Present(envelope.body.clone()));
        let ordered = client.receipt(&world, log, index).await.unwrap();
        assert_eq!((ordered.place, ordered.index), (*place, index));
    }
    assert_eq!(
        client.log(Writer::new(&world, 9).key.public()).await,
        None,
        "absence is proven as well"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envelope_that_comes_again_is_answered_with_what_became_of_it() {
    let world = World::new();
    // The second block would come after an hour: what is submitted meanwhile waits.
    let node = world.validator_with(|config| config.block_pause_ms = 3_600_000).await;
    let mut client = Client::to(&world, &node).await;
    let mut writer = Writer::new(&world, 1);
    let (first, second) = (writer.seal(b"one"), writer.seal(b"two"));
    assert_eq!(client.submit_one(&first).await, Admission::Taken);
    let leaf = client.until_length(writer.key.public(), 1).await;
    assert_eq!(
        client.submit_one(&first).await,
        Admission::Final {
            index: 0,
            height: leaf.last_height
        }
    );
    assert_eq!(client.submit_one(&second).await, Admission::Taken);
    assert_eq!(client.submit_one(&second).await, Admission::Taken);
    let again = client.submit_for(std::slice::from_ref(&second), Promise::Signed).await;
    let Admission::Waiting(promise) = &again[0] else {
        panic!("{again:?}")
    };
    let promise = Acknowledgement::from_bytes(promise).unwrap();
    assert_eq!(promise.entry, second.signed.entry_id(&world.keys));
    assert_eq!(node.handle.status().unwrap().pool.envelopes, 1);
    // What waits when the node stops is ordered before it stops.
    let log = writer.key.public();
    let (place, config) = node.stop().await;
    let node = world.run(place, config).await;
    let mut client = Client::to(&world, &node).await;
    assert_eq!(client.log(log).await.unwrap().length, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bad_envelope_is_refused_by_its_own_name_and_spoils_no_other() {
    let world = World::new();
    let node = world.validator().await;
    let client = Client::to(&world, &node).await;
    let mut writer = Writer::new(&world, 1);
    let good = writer.seal(b"good");
    let mut unsigned = writer.seal(b"unsigned");
    unsigned.signed.signature.0[3] ^= 1;
    let mut other_body = writer.seal(b"body");
    other_body.body[0] ^= 1;
    let weak = Writer::new(&world, 2).seal_with(b"weak", STAMP_BITS - 1);
    let weak_opener = Writer::new(&world, 3).seal_with(b"weak", STAMP_BITS);
    let foreign = Genesis {
        name: "other".to_owned(),
        ..world.genesis.clone()
    };
    let mut stranger = Writer::new(&world, 1);
    stranger.keys = foreign.keys();
    let foreign = stranger.seal(b"foreign");
    let sealed = [unsigned, other_body, weak, weak_opener, foreign, good];
    let admissions = client.submit(&sealed).await;
    let required = u32::from(STAMP_BITS + NEW_LOG_BITS);
    let foreign = &admissions[4];
    let is_refused = matches!(
        foreign,
        Admission::Refused(
            EnvelopeRefusal::BadSignature | EnvelopeRefusal::WeakStamp { .. } | EnvelopeRefusal::WrongBody
        )
    );
    assert!(is_refused, "nothing of another network counts: {foreign:?}");
    assert_eq!(admissions[0], Admission::Refused(EnvelopeRefusal::BadSignature));
    assert_eq!(admissions[1], Admission::Refused(EnvelopeRefusal::WrongBody));
    assert_eq!(
        admissions[2],
        Admission::Refused(EnvelopeRefusal::WeakStamp { required })
    );
    assert_eq!(
        admissions[3],
        Admission::Refused(EnvelopeRefusal::WeakStamp { required })
    );
    assert_eq!(admissions[5], Admission::Taken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_envelope_is_refused_and_spoils_no_other() {
    let world = World::new();
    let node = world.validator().await;
    let client = Client::to(&world, &node).await;
    let good = opaque(&Writer::new(&world, 1).seal(b"good"));
    let mut oversized = good.to_vec();
    oversized[8..12].copy_from_slice(&(BODY_BYTES_MAX + 1).to_be_bytes());
    let longer = [&good[..], &[0]].concat();
    let envelopes = List::new(vec![oversized.into(), longer.into(), vec![].into(), good]).unwrap();
    let request = Request::Submit {
        envelopes,
        promise: Promise::Word,
    };
    let Ok(Response::Submit(admissions)) = client.ask(request).await else {
        panic!()
    };
    assert_eq!(admissions[0], Admission::Refused(EnvelopeRefusal::TooLarge));
    assert_eq!(admissions[1], Admission::Refused(EnvelopeRefusal::Malformed));
    assert_eq!(admissions[2], Admission::Refused(EnvelopeRefusal::Malformed));
    assert_eq!(admissions[3], Admission::Taken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_entry_of_a_log_may_be_cheaper_than_the_first() {
    let world = World::new();
    let node = world.validator().await;
    let mut client = Client::to(&world, &node).await;
    let mut writer = Writer::new(&world, 1);
    let first = [writer.seal(b"opens"), writer.seal_with(b"follows", STAMP_BITS)];
    assert_eq!(client.submit(&first).await, [Admission::Taken, Admission::Taken]);
    client.until_length(writer.key.public(), 2).await;
    let third = writer.seal_with(b"later", STAMP_BITS);
    assert_eq!(client.submit_one(&third).await, Admission::Taken);
    client.until_length(writer.key.public(), 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_anchor_is_unknown_or_expired_and_the_newest_is_named() {
    let world = World::new();
    let node = world.validator().await;
    let mut client = Client::to(&world, &node).await;
    let foreign = Anchor {
        height: 0,
        id: Hash([9; 32]),
    };
    let sealed = Writer::new(&world, 1).under(foreign).seal(b"x");
    let unknown = Admission::Refused(EnvelopeRefusal::UnknownAnchor { newest: 0 });
    assert_eq!(client.submit_one(&sealed).await, unknown);
    let mut writer = Writer::new(&world, 2);
    let lost = writer.seal(b"lost");
    for height in 1..=64 {
        assert_eq!(client.submit_one(&writer.seal(b"x")).await, Admission::Taken);
        node.handle.until_height(height).await.unwrap();
    }
    assert_eq!(client.catch_up().await, 64);
    let newest = Anchor {
        height: 64,
        id: client.follow.id(),
    };
    world.pass(Duration::from_millis(ANCHOR_VALID_MS) + MINUTE);
    let expired = Admission::Refused(EnvelopeRefusal::ExpiredAnchor { newest: 64 });
    assert_eq!(client.submit_one(&lost).await, expired);
    let mut writer = writer.under(newest);
    assert_eq!(client.submit_one(&writer.seal(b"again")).await, Admission::Taken);
    node.handle.until_height(65).await.unwrap();
    assert_eq!(
        client.submit_one(&lost).await,
        expired,
        "also when the ledger has forgotten the anchor"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_pool_is_honest_about_it() {
    let world = World::new();
    let node = world
        .validator_with(|config| {
            config.pool_entries = 3;
            config.block_pause_ms = 3_600_000;
        })
        .await;
    let mut client = Client::to(&world, &node).await;
    let mut writer = Writer::new(&world, 1);
    assert_eq!(client.submit_one(&writer.seal(b"first")).await, Admission::Taken);
    client.until_length(writer.key.public(), 1).await;
    let more: Vec<_> = (0..5).map(|_| writer.seal(b"more")).collect();
    let admissions = client.submit(&more).await;
    assert_eq!(admissions[..3], [Admission::Taken, Admission::Taken, Admission::Taken]);
    for refused in &admissions[3..] {
        let Admission::Refused(refusal @ EnvelopeRefusal::PoolFull { .. }) = refused else {
            panic!("{refused:?}")
        };
        assert!(refusal.retry_after_ms().is_some_and(|wait| wait >= 100));
    }
    assert_eq!(
        client.submit_one(&more[0]).await,
        Admission::Taken,
        "what waits already is no news"
    );
    let mut forged = writer.seal(b"forged");
    forged.signed.signature.0[40] ^= 1;
    let refused = client.submit_one(&forged).await;
    assert!(
        matches!(refused, Admission::Refused(EnvelopeRefusal::PoolFull { .. })),
        "no signature is checked for which there is no room: {refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_takes_nothing_says_so_in_its_status() {
    let world = World::new();
    let node = world
        .validator_with(|config| {
            config.submit = Submit::Nobody;
            config.policy = "read only".to_owned();
        })
        .await;
    let client = Client::to(&world, &node).await;
    let envelopes = List::new(vec![opaque(&Writer::new(&world, 1).seal(b"x"))]).unwrap();
    let refused = client
        .ask(Request::Submit {
            envelopes,
            promise: Promise::Word,
        })
        .await;
    assert_eq!(refused, Err(Refusal::NotAllowed));
    let Ok(Response::Status(status)) = client.ask(Request::Status).await else {
        panic!()
    };
    assert_eq!(
        (&*status.access.policy, status.network),
        ("read only", world.keys.network())
    );
    let Ok(Response::Genesis(genesis)) = client.ask(Request::Genesis).await else {
        panic!()
    };
    assert_eq!(*genesis, world.genesis.to_bytes()[..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_quota_stops_submissions_and_nothing_else() {
    let world = World::new();
    let node = world.validator().await;
    let mut client = Client::to(&world, &node).await;
    let mut writer = Writer::new(&world, 1);
    let body = vec![1; 400 << 10];
    for height in 1..=4 {
        assert_eq!(client.submit_one(&writer.seal(&body)).await, Admission::Taken);
        node.handle.until_height(height).await.unwrap();
    }
    let (place, mut config) = node.stop().await;
    config.quota_mib = 1;
    let node = world.run(place, config).await;
    client = Client::to(&world, &node).await;
    let refused = client.submit_one(&writer.seal(b"x")).await;
    assert!(
        matches!(refused, Admission::Refused(EnvelopeRefusal::PoolFull { .. })),
        "{refused:?}"
    );
    assert_eq!(client.read(writer.key.public()).await.len(), 4);
    let Ok(Response::Status(status)) = client.ask(Request::Status).await else {
        panic!()
    };
    assert_eq!(status.access.quota_bytes, Some(1 << 20));
    assert!(status.access.used_bytes > 1 << 20);
}

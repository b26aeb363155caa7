//! The laws of the format: what is sent is what arrives, and nothing else arrives.

use std::num::NonZeroU32;

use proptest::collection::vec;
use proptest::prelude::*;
use waxwing_core::chunk::ChunkId;
use waxwing_core::envelope::ErasureSecret;
use waxwing_core::hash::{Hash, HashKeys, Meaning};
use waxwing_core::keys::LogId;
use waxwing_core::limits::CHUNK_BYTES_MAX;

use super::limits::{
    CHUNK_ROOM_BYTES, CHUNKS_PER_QUESTION_MAX, ENTRIES_PER_REPLY_MAX, ENVELOPES_PER_SUBMIT_MAX, HELLO_BYTES_MAX,
    MISSING_PER_REQUEST_MAX, ORDER_BYTES_MAX, REPLY_BYTES_MAX, REQUEST_BYTES_MAX, RETRY_AFTER_MS_MAX,
};
use super::samples::{ENVELOPE_REFUSALS, REFUSALS, any_push, any_reply, any_request, conversation};
use super::*;

fn encoded<M: Message>(message: &M) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode(message, &mut bytes).unwrap();
    bytes
}

/// What holds for every message of every kind.
fn obeys_the_laws<M: Message + PartialEq + core::fmt::Debug>(message: &M) {
    let bytes = encoded(message);
    assert_eq!(codec::decode::<M>(&bytes).as_ref(), Ok(message));
    for cut in 0..bytes.len() {
        assert_ne!(
            codec::decode::<M>(&bytes[..cut]).as_ref(),
            Ok(message),
            "cut to {cut} bytes"
        );
    }
    let cut = codec::decode::<M>(&bytes[..bytes.len() - 1]);
    assert!(matches!(cut, Err(WireError::Truncated)), "{cut:?}");
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(codec::decode::<M>(&longer), Err(WireError::Trailing));

    let framed = frame(message).unwrap();
    let mut reader = FrameReader::new(M::BYTES_MAX);
    assert_eq!(reader.feed(&mut &framed[..]), Ok(Some(bytes.clone())));
    if bytes.len() > 1 {
        let oversize = FrameReader::new(bytes.len() - 1).feed(&mut &framed[..]);
        assert!(matches!(oversize, Err(FrameError::Oversize { .. })), "{oversize:?}");
    }
}

/// Decodes what may be anything and says how many bytes were allocated at the worst moment.
fn allocated<M: Message>(bytes: &[u8]) -> u64 {
    allocation_counter::measure(|| drop(codec::decode::<M>(bytes))).bytes_max
}

/// A `Vec` that grows holds its old and its new half, and an empty `Opaque` takes 8 bytes here and 32 in memory.
fn bound(bytes: usize) -> u64 {
    u64::try_from(16 * bytes + 4096).unwrap()
}

proptest! {
    #[test]
    fn every_request_arrives_as_it_was_sent(request in any_request()) {
        obeys_the_laws(&request);
    }

    #[test]
    fn every_reply_arrives_as_it_was_sent(reply in any_reply()) {
        obeys_the_laws(&reply);
    }

    #[test]
    fn every_push_arrives_as_it_was_sent(push in any_push()) {
        obeys_the_laws(&push);
    }

    #[test]
    fn random_bytes_are_an_error_or_a_message_and_allocate_in_proportion(bytes in vec(any::<u8>(), 0..2000)) {
        prop_assert!(allocated::<Request>(&bytes) <= bound(bytes.len()));
        prop_assert!(allocated::<Reply>(&bytes) <= bound(bytes.len()));
        prop_assert!(allocated::<Push>(&bytes) <= bound(bytes.len()));
        if let Ok(request) = codec::decode::<Request>(&bytes) {
            prop_assert_eq!(encoded(&request), bytes);
        }
    }

    /// Random bytes rarely get past the first variant; damaged messages do.
    #[test]
    fn damaged_messages_allocate_in_proportion(
        request in any_request(),
        reply in any_reply(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let (mut request, mut reply) = (encoded(&request), encoded(&reply));
        for (place, byte) in damage {
            let (one, other) = (place.index(request.len()), place.index(reply.len()));
            request[one] = byte;
            reply[other] = byte;
        }
        prop_assert!(allocated::<Request>(&request) <= bound(request.len()));
        prop_assert!(allocated::<Reply>(&reply) <= bound(reply.len()));
    }

    #[test]
    fn a_frame_reader_never_panics_and_holds_a_small_multiple_of_what_it_was_fed(
        pieces in vec(vec(any::<u8>(), 0..200), 0..50),
    ) {
        let mut reader = FrameReader::new(REQUEST_BYTES_MAX);
        let fed: usize = pieces.iter().map(Vec::len).sum();
        let held = allocation_counter::measure(|| {
            for piece in &pieces {
                let mut rest = &piece[..];
                while let Ok(Some(_)) = reader.feed(&mut rest) {}
            }
        });
        prop_assert!(held.bytes_max <= u64::try_from(3 * fed + (16 << 10)).unwrap());
    }
}

#[test]
fn a_claimed_length_allocates_nothing() {
    // Submit, one envelope, and a length that fits the limit but not the bytes.
    let mut bytes = 2u32.to_be_bytes().to_vec();
    bytes.extend(1u64.to_be_bytes());
    bytes.extend(u64::try_from(REQUEST_BYTES_MAX / 2).unwrap().to_be_bytes());
    assert_eq!(codec::decode::<Request>(&bytes), Err(WireError::Truncated));
    assert!(allocated::<Request>(&bytes) < 4096);
    // And as many envelopes as can be claimed.
    let mut bytes = 2u32.to_be_bytes().to_vec();
    bytes.extend(u64::try_from(ENVELOPES_PER_SUBMIT_MAX).unwrap().to_be_bytes());
    assert_eq!(codec::decode::<Request>(&bytes), Err(WireError::Truncated));
    assert!(allocated::<Request>(&bytes) < 4096);
}

#[test]
fn lists_beyond_their_limit_are_refused_on_both_sides() {
    let envelopes = vec![Opaque::default(); ENVELOPES_PER_SUBMIT_MAX + 1];
    assert_eq!(List::<Opaque, ENVELOPES_PER_SUBMIT_MAX>::new(envelopes), None);
    let most = List::new(vec![Opaque::default(); ENVELOPES_PER_SUBMIT_MAX]).unwrap();
    let mut bytes = encoded(&Request::Submit {
        envelopes: most,
        promise: Promise::Word,
    });
    assert!(codec::decode::<Request>(&bytes).is_ok());
    bytes[4..12].copy_from_slice(&u64::try_from(ENVELOPES_PER_SUBMIT_MAX + 1).unwrap().to_be_bytes());
    bytes.extend([0; 8]);
    assert_eq!(codec::decode::<Request>(&bytes), Err(WireError::BadValue));
}

#[test]
fn a_message_beyond_the_frame_limit_is_refused_on_both_sides() {
    let submit = |bytes: usize| Request::Submit {
        envelopes: List::new(vec![Opaque::from(vec![0; bytes])]).unwrap(),
        promise: Promise::Word,
    };
    let largest = REQUEST_BYTES_MAX - 24;
    assert_eq!(encoded(&submit(largest)).len(), REQUEST_BYTES_MAX);
    let mut out = vec![1, 2, 3];
    assert_eq!(codec::encode(&submit(largest + 1), &mut out), Err(WireError::TooLong));
    assert_eq!(out, [1, 2, 3], "nothing of a refused message is left behind");
    assert_eq!(
        codec::decode::<Request>(&vec![0; REQUEST_BYTES_MAX + 1]),
        Err(WireError::TooLong)
    );
    assert_eq!(
        frame::<Reply>(&Ok(Response::Genesis(vec![0; REPLY_BYTES_MAX].into()))),
        Err(WireError::TooLong)
    );
}

#[test]
fn counts_of_nothing_and_beyond_the_limits_are_refused() {
    let entries = |count: usize, bytes: usize| Request::Entries {
        log: LogId([1; 32]),
        from: 0,
        count: NonZeroU32::new(u32::try_from(count).unwrap()).unwrap(),
        bytes: NonZeroU32::new(u32::try_from(bytes).unwrap()).unwrap(),
        bodies: Bodies::With,
    };
    let mut out = Vec::new();
    assert_eq!(
        codec::encode(&entries(ENTRIES_PER_REPLY_MAX, REPLY_BYTES_MAX), &mut out),
        Ok(())
    );
    assert_eq!(
        codec::encode(&entries(ENTRIES_PER_REPLY_MAX + 1, 1), &mut Vec::new()),
        Err(WireError::TooLong)
    );
    assert_eq!(
        codec::encode(&entries(1, REPLY_BYTES_MAX + 1), &mut Vec::new()),
        Err(WireError::TooLong)
    );
    let count = out.len() - 12..out.len() - 8;
    out[count].copy_from_slice(&0u32.to_be_bytes());
    assert_eq!(codec::decode::<Request>(&out), Err(WireError::BadValue));
    let nothing = Request::Submit {
        envelopes: List::EMPTY,
        promise: Promise::Word,
    };
    assert_eq!(codec::encode(&nothing, &mut Vec::new()), Err(WireError::BadValue));
}

#[test]
fn what_validators_send_each_other_is_bounded_on_both_sides() {
    let hello = |bytes: usize| Request::Order {
        hello: vec![0; bytes].into(),
    };
    let mut bytes = encoded(&hello(HELLO_BYTES_MAX));
    assert_eq!(
        codec::encode(&hello(HELLO_BYTES_MAX + 1), &mut Vec::new()),
        Err(WireError::TooLong)
    );
    bytes[4..12].copy_from_slice(&u64::try_from(HELLO_BYTES_MAX + 1).unwrap().to_be_bytes());
    bytes.push(0);
    assert_eq!(codec::decode::<Request>(&bytes), Err(WireError::TooLong));

    let order = |bytes: usize| Push::Order(vec![0; bytes].into());
    let mut bytes = encoded(&order(ORDER_BYTES_MAX));
    assert_eq!(bytes.len(), hello(0).push_bytes_max());
    assert_eq!(
        codec::encode(&order(ORDER_BYTES_MAX + 1), &mut Vec::new()),
        Err(WireError::TooLong)
    );
    bytes[4..12].copy_from_slice(&u64::try_from(ORDER_BYTES_MAX + 1).unwrap().to_be_bytes());
    bytes.push(0);
    assert_eq!(codec::decode::<Push>(&bytes), Err(WireError::TooLong));

    let block = Hash([1; 32]);
    let missing =
        |count: usize| List::new(vec![Stamp(Hash([2; 32])); count]).map(|stamps| Request::Missing { block, stamps });
    assert_eq!(missing(MISSING_PER_REQUEST_MAX + 1), None);
    let all = encoded(&missing(MISSING_PER_REQUEST_MAX).unwrap());
    assert!(codec::decode::<Request>(&all).is_ok());
    assert_eq!(
        codec::encode(&missing(0).unwrap(), &mut Vec::new()),
        Err(WireError::BadValue)
    );
    let nothing = Request::Spread { envelopes: List::EMPTY };
    assert_eq!(codec::encode(&nothing, &mut Vec::new()), Err(WireError::BadValue));
}

#[test]
fn a_chunk_is_bounded_where_it_is_read_and_never_empty() {
    let most = usize::try_from(CHUNK_BYTES_MAX).unwrap();
    let got = |bytes: usize| -> Reply { Ok(Response::GetChunk(vec![0; bytes].into())) };
    let mut bytes = encoded(&got(most));
    assert!(bytes.len() <= CHUNK_ROOM_BYTES);
    assert!(codec::decode::<Reply>(&bytes).is_ok());
    assert_eq!(codec::encode(&got(most + 1), &mut Vec::new()), Err(WireError::TooLong));
    let length = bytes.len() - most - 8..bytes.len() - most;
    bytes[length].copy_from_slice(&u64::from(CHUNK_BYTES_MAX + 1).to_be_bytes());
    bytes.push(0);
    assert_eq!(codec::decode::<Reply>(&bytes), Err(WireError::TooLong));
    assert_eq!(codec::encode(&got(0), &mut Vec::new()), Err(WireError::BadValue));

    // A node may take less than others, and says so: a longer one reaches it, as far as a frame does.
    let put = |bytes: usize| Request::PutChunk {
        days: NonZeroU32::MIN,
        bytes: vec![0; bytes].into(),
    };
    assert!(codec::decode::<Request>(&encoded(&put(most + 1))).is_ok());
    assert_eq!(codec::encode(&put(0), &mut Vec::new()), Err(WireError::BadValue));
    assert_eq!(
        codec::encode(&put(REQUEST_BYTES_MAX), &mut Vec::new()),
        Err(WireError::TooLong)
    );
    let mut bytes = encoded(&put(1));
    bytes[4..8].copy_from_slice(&0u32.to_be_bytes());
    assert_eq!(codec::decode::<Request>(&bytes), Err(WireError::BadValue), "for no day");
}

#[test]
fn a_question_for_chunks_names_some_and_not_too_many() {
    let ids = |count: usize| List::new(vec![Chunk(ChunkId([1; 32])); count]);
    assert_eq!(ids(CHUNKS_PER_QUESTION_MAX + 1), None);
    let have = |count: usize| Request::HaveChunks {
        ids: ids(count).unwrap(),
    };
    let most = encoded(&have(CHUNKS_PER_QUESTION_MAX));
    assert!(codec::decode::<Request>(&most).is_ok());
    assert_eq!(codec::encode(&have(0), &mut Vec::new()), Err(WireError::BadValue));
    let all = List::new(vec![Holding::Kept { until_ms: 1 }; CHUNKS_PER_QUESTION_MAX]).unwrap();
    let answer = encoded::<Reply>(&Ok(Response::HaveChunks(all)));
    assert!(answer.len() <= have(1).reply_bytes(), "{} bytes", answer.len());
}

#[test]
fn unknown_variants_are_refused() {
    assert_eq!(codec::decode::<Request>(&99u32.to_be_bytes()), Err(WireError::BadValue));
    assert_eq!(codec::decode::<Reply>(&2u32.to_be_bytes()), Err(WireError::BadValue));
    assert_eq!(codec::decode::<Push>(&[]), Err(WireError::Truncated));
}

#[test]
fn a_text_with_control_characters_cannot_be_made_or_read() {
    assert_eq!(Text::<64>::new("a\u{1b}[31m"), None);
    assert_eq!(Text::<2>::new("abc"), None);
    let Response::Status(status) = conversation().remove(0).1 else {
        panic!("the first answer is a status")
    };
    let mut bytes = encoded::<Reply>(&Ok(Response::Status(status)));
    let place = bytes.windows(4).position(|window| window == b"waxw").unwrap();
    bytes[place] = 0x1b;
    assert_eq!(codec::decode::<Reply>(&bytes), Err(WireError::BadValue));
}

#[test]
fn every_kind_of_request_is_answered_by_the_response_of_its_name() {
    let conversation = conversation();
    let mut kinds: Vec<Kind> = conversation.iter().map(|(request, _)| request.kind()).collect();
    for (request, response) in &conversation {
        // Both subscriptions begin with the same word.
        let answered = match request.kind() {
            Kind::Order => Kind::Subscribe,
            kind => kind,
        };
        assert_eq!(answered, response.kind());
        assert!(request.reply_bytes() <= REPLY_BYTES_MAX, "{request:?}");
    }
    kinds.dedup();
    assert_eq!(kinds.len(), 26, "a new kind needs a sample");
}

#[test]
fn refusals_have_codes_of_their_own_and_say_something() {
    let mut codes: Vec<u16> = REFUSALS.iter().map(Refusal::code).collect();
    codes.extend(ENVELOPE_REFUSALS.iter().map(EnvelopeRefusal::code));
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), REFUSALS.len() + ENVELOPE_REFUSALS.len());
    let mut words: Vec<String> = REFUSALS.iter().map(ToString::to_string).collect();
    words.extend(ENVELOPE_REFUSALS.iter().map(ToString::to_string));
    assert!(words.iter().all(|word| word.len() > 10));
}

#[test]
fn a_refusal_cannot_make_a_client_wait_for_ever() {
    let refusal = Refusal::Busy {
        retry_after_ms: u64::MAX,
    };
    assert_eq!(refusal.retry_after_ms(), Some(RETRY_AFTER_MS_MAX));
    assert_eq!(
        EnvelopeRefusal::PoolFull { retry_after_ms: 5 }.retry_after_ms(),
        Some(5)
    );
    assert_eq!(Refusal::ShuttingDown.retry_after_ms(), None);
}

fn pin(bytes: &[u8]) -> (usize, String) {
    let hash = HashKeys::new(Hash::ZERO).hash(Meaning::Body, bytes).to_string();
    (bytes.len(), hash[..16].to_owned())
}

fn spoken(conversation: &[(Request, Response)], refusals: &[Refusal], bytes: &mut Vec<u8>) {
    for (request, response) in conversation {
        codec::encode(request, bytes).unwrap();
        codec::encode::<Reply>(&Ok(response.clone()), bytes).unwrap();
    }
    for refusal in refusals {
        codec::encode::<Reply>(&Err(*refusal), bytes).unwrap();
        codec::encode(&Push::Ended(*refusal), bytes).unwrap();
    }
}

/// If this fails, programs that are out there no longer understand each other: the ALPN needs a new number.
#[test]
fn the_format_of_version_1_is_pinned() {
    let mut bytes = Vec::new();
    spoken(&conversation()[..16], &REFUSALS[..17], &mut bytes);
    for refusal in ENVELOPE_REFUSALS {
        let admissions = List::new(vec![Admission::Refused(refusal)]).unwrap();
        codec::encode::<Reply>(&Ok(Response::Submit(admissions)), &mut bytes).unwrap();
    }
    let revealed = Push::Revealed {
        log: LogId([1; 32]),
        index: 2,
        secret: ErasureSecret([3; 32]),
    };
    codec::encode(&revealed, &mut bytes).unwrap();
    assert_eq!(pin(&bytes), (1900, "c2e6adc1ba11f0b3".to_owned()));
}

/// What committees added to it.
#[test]
fn what_validators_say_to_each_other_is_pinned() {
    let mut bytes = Vec::new();
    spoken(&conversation()[16..20], &REFUSALS[17..20], &mut bytes);
    for push in [Push::Order(vec![1; 3].into()), Push::Reported(vec![2; 3].into())] {
        codec::encode(&push, &mut bytes).unwrap();
    }
    codec::encode::<Reply>(&Ok(Response::Spread(Room::Enough)), &mut bytes).unwrap();
    assert_eq!(pin(&bytes), (412, "f3e8a5b9ce59a0a4".to_owned()));
}

/// What joining added to it.
#[test]
fn what_a_node_that_joins_says_is_pinned() {
    let mut bytes = Vec::new();
    spoken(&conversation()[20..21], &REFUSALS[20..21], &mut bytes);
    assert_eq!(pin(&bytes), (78, "dae6f22c8e0b4b40".to_owned()));
}

/// What attachments added to it.
#[test]
fn what_is_said_about_chunks_is_pinned() {
    let mut bytes = Vec::new();
    spoken(&conversation()[21..25], &REFUSALS[21..], &mut bytes);
    assert_eq!(pin(&bytes), (358, "8da5935989b23f4d".to_owned()));
}

/// What asking a node whether it is ready added to it.
#[test]
fn what_a_node_says_about_being_ready_is_pinned() {
    let mut bytes = Vec::new();
    spoken(&conversation()[25..], &[], &mut bytes);
    assert_eq!(pin(&bytes), (72, "80efea12f602e6e3".to_owned()));
}

#[test]
fn more_hindrances_than_a_reply_holds_are_refused_and_a_ready_node_has_none() {
    let mut bytes = Vec::new();
    codec::encode::<Reply>(&Ok(Response::Ready(List::EMPTY)), &mut bytes).unwrap();
    assert_eq!(codec::decode::<Reply>(&bytes), Ok(Ok(Response::Ready(List::EMPTY))));
    // The list's length stands last.
    let length = bytes.len() - 8;
    bytes.truncate(length);
    bytes.extend(17_u64.to_be_bytes());
    bytes.extend([0; 17 * 4]);
    assert!(codec::decode::<Reply>(&bytes).is_err());
}

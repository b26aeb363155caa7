//! Laws of envelopes: what is sound is accepted, whatever is changed afterwards is not, and an absent body is excused
//! exactly when its header says so.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use proptest::prelude::*;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::{
    Anchor, Body, Carried, Envelope, EnvelopeError, EnvelopeHeader, ErasureSecret, KeepFor, stamp_bits,
};
use waxwing_core::genesis::{FirstOfLog, Parameters};
use waxwing_core::hash::{Hash, HashKeys, Meaning};
use waxwing_core::keys::LogKey;
use waxwing_core::limits::{BODY_BYTES_MAX, DAY_MS};
use waxwing_rules::chance::Chance;

const NETWORK: Hash = Hash([0xaa; 32]);

fn keys() -> HashKeys {
    HashKeys::new(NETWORK)
}

/// A sound envelope with a stamp of at least this many bits.
fn envelope(chance: &mut Chance, bits: u32) -> Envelope {
    let (keys, key) = (keys(), LogKey::from_seed(&chance.array()));
    let body = chance.list(0, 300, Chance::byte);
    let mut header = EnvelopeHeader {
        body_length: u32::try_from(body.len()).unwrap(),
        log: key.public(),
        anchor: Anchor {
            height: chance.number(),
            id: Hash(chance.array()),
        },
        body_hash: keys.hash(Meaning::Body, &body),
        erasure: ErasureSecret(chance.array()).commitment(&keys),
        keep_for: *chance.pick(&KeepFor::ALL),
        nonce: chance.number(),
    };
    header.grind(&keys, bits);
    Envelope {
        signed: header.sign(&keys, &key),
        body,
    }
}

fn is_accepted(bytes: &[u8], keys: &HashKeys, bits: u8) -> bool {
    Envelope::from_bytes(bytes).is_ok_and(|envelope| envelope.verify(keys, bits).is_ok())
}

#[test]
fn every_flipped_bit_cut_and_addition_makes_an_envelope_worthless() {
    let (keys, mut chance) = (keys(), Chance::new(1));
    for _ in 0..4 {
        let bytes = envelope(&mut chance, 0).to_bytes();
        assert!(is_accepted(&bytes, &keys, 0));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 0x80 >> (bit % 8);
            assert!(!is_accepted(&flipped, &keys, 0), "bit {bit}");
        }
        assert!((0..bytes.len()).all(|length| !is_accepted(&bytes[..length], &keys, 0)));
        assert!(!is_accepted(&[&bytes[..], &[0]].concat(), &keys, 0));
    }
}

#[test]
fn nothing_of_one_network_counts_in_another() {
    let mut chance = Chance::new(2);
    for _ in 0..20 {
        let bytes = envelope(&mut chance, 0).to_bytes();
        let other = HashKeys::new(Hash(chance.array()));
        assert!(is_accepted(&bytes, &keys(), 0) && !is_accepted(&bytes, &other, 0));
    }
}

/// The id names all 224 bytes: two entries of one id would be one entry with two contents.
#[test]
fn every_byte_of_header_and_signature_changes_the_entry_id_and_the_stamp_leaves_the_signature_out() {
    let (keys, mut chance) = (keys(), Chance::new(3));
    let signed = envelope(&mut chance, 0).signed;
    let id = signed.entry_id(&keys);
    let mut other = signed.clone();
    other.signature.0[0] ^= 1;
    assert_ne!(other.entry_id(&keys), id);
    assert_eq!(other.header.stamp(&keys), signed.header.stamp(&keys));
    let bytes = signed.to_bytes();
    for place in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[place] ^= 1;
        if let Ok(other) = waxwing_core::envelope::SignedHeader::from_bytes(&flipped) {
            assert_ne!(other.entry_id(&keys), id, "byte {place}");
        }
    }
}

/// The stamp is checked to the bit, and before the signature: a flood costs its author more than the node.
#[test]
fn a_stamp_counts_to_the_bit_and_is_looked_at_before_the_signature() {
    let (keys, mut chance) = (keys(), Chance::new(4));
    for bits in 0..=10_u8 {
        let mut envelope = envelope(&mut chance, bits.into());
        let work = envelope.signed.header.stamp(&keys).leading_zero_bits();
        let work = u8::try_from(work).unwrap();
        assert!(envelope.clone().verify(&keys, work).is_ok());
        envelope.signed.signature.0[1] ^= 1;
        let weak = EnvelopeError::WeakStamp {
            required: u32::from(work) + 1,
        };
        assert_eq!(envelope.clone().verify(&keys, work + 1), Err(weak));
        assert_eq!(envelope.verify(&keys, work), Err(EnvelopeError::BadSignature));
    }
}

/// Base, one bit per doubling of the body above one KiB, and the extra for the first entry of a log; nothing overflows.
#[test]
fn the_work_asked_for_grows_with_the_body_by_one_bit_per_doubling() {
    for length in 0..=BODY_BYTES_MAX {
        let doublings = (0..).find(|power| u64::from(length) <= 1024_u64 << power).unwrap();
        assert_eq!(stamp_bits(8, length), 8 + doublings, "{length} bytes");
    }
    assert_eq!(stamp_bits(255, u32::MAX), 255 + 22);
    let parameters = Parameters {
        stamp_bits: 3,
        new_log_bits: 6,
    };
    assert_eq!(parameters.required_bits(2048, FirstOfLog::No), 4);
    assert_eq!(parameters.required_bits(2048, FirstOfLog::Yes), 10);
}

/// What is there, what its author gave up, and what has expired: all four states against every keep-for, to the
/// millisecond.
#[test]
fn an_absent_body_is_excused_exactly_when_its_header_says_so() {
    let (keys, mut chance) = (keys(), Chance::new(5));
    for keep_for in KeepFor::ALL {
        let mut envelope = envelope(&mut chance, 0);
        let secret = ErasureSecret([7; 32]);
        envelope.signed.header.keep_for = keep_for;
        envelope.signed.header.erasure = secret.commitment(&keys);
        let header = envelope.signed.header;
        let ordered = 5_000;
        let end = u64::from(keep_for.days()) * DAY_MS + ordered;
        for now in [0, ordered, end - 1, end, end + 1, u64::MAX] {
            let expired = keep_for != KeepFor::Ever && now >= end;
            let excused = |body: &Body| body.is_excused(&header, ordered, now);
            assert!(excused(&Body::Present(envelope.body.clone())) && excused(&Body::Erased(secret)));
            assert_eq!(excused(&Body::Expired), expired, "{keep_for:?} at {now}");
            assert!(!excused(&Body::Withheld));
        }
        for (body, outcome) in [
            (Body::Erased(ErasureSecret([8; 32])), Err(EnvelopeError::WrongSecret)),
            (Body::Erased(secret), Ok(())),
            (Body::Expired, Ok(())),
            (Body::Withheld, Ok(())),
        ] {
            assert_eq!(body.check(&header, &keys), outcome, "{body:?}");
        }
    }
    assert_eq!(KeepFor::Year.expiry(u64::MAX), Some(u64::MAX), "no overflow");
}

proptest! {
    /// Erasing a body changes nothing that anything commits to.
    #[test]
    fn an_entry_is_the_same_entry_with_and_without_its_body(seed in any::<u64>(), secret in any::<[u8; 32]>()) {
        let keys = keys();
        let envelope = envelope(&mut Chance::new(seed), 0);
        let states = [Body::Present(envelope.body.clone()), Body::Expired, Body::Withheld];
        let mut ids = Vec::new();
        for body in states {
            let carried = Carried { signed: envelope.signed.clone(), body };
            let share = carried.share();
            let again = Carried::from_bytes(&carried.to_bytes()).unwrap();
            let verified = again.verify(&keys, 0).unwrap();
            ids.push((verified.id(), share));
        }
        prop_assert!(ids.iter().all(|id| *id == ids[0]));
        let claimed = Carried { signed: envelope.signed, body: Body::Erased(ErasureSecret(secret)) };
        prop_assert_eq!(claimed.verify(&keys, 0), Err(EnvelopeError::WrongSecret), "nobody guesses the secret");
    }
}

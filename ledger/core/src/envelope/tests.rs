//! One envelope, and each way in which one can be wrong.

use super::*;

fn keys() -> HashKeys {
    HashKeys::new(Hash([9; 32]))
}

fn envelope(bits: u32) -> Envelope {
    let (keys, key, body) = (keys(), LogKey::from_seed(&[1; 32]), b"sealed".to_vec());
    let mut header = EnvelopeHeader {
        body_length: 6,
        log: key.public(),
        anchor: Anchor {
            height: 64,
            id: Hash([2; 32]),
        },
        body_hash: keys.hash(Meaning::Body, &body),
        erasure: ErasureSecret([3; 32]).commitment(&keys),
        keep_for: KeepFor::Week,
        nonce: 0,
    };
    header.grind(&keys, bits);
    Envelope {
        signed: header.sign(&keys, &key),
        body,
    }
}

#[test]
fn an_envelope_is_read_back_and_accepted() {
    let envelope = envelope(8);
    let bytes = envelope.to_bytes();
    assert_eq!(bytes.len(), 224 + 6);
    assert_eq!(Envelope::from_bytes(&bytes).as_ref(), Ok(&envelope));
    assert!(envelope.verify(&keys(), 8).is_ok());
}

#[test]
fn each_broken_envelope_is_refused_by_its_own_name() {
    let keys = keys();
    let good = envelope(8);
    let mut altered = good.clone();
    altered.body[0] ^= 1;
    assert_eq!(altered.verify(&keys, 8), Err(EnvelopeError::WrongBodyHash));
    let mut longer = good.clone();
    longer.body.push(0);
    assert_eq!(longer.verify(&keys, 8), Err(EnvelopeError::WrongBodyLength));
    let mut unsigned = good.clone();
    unsigned.signed.signature.0[0] ^= 1;
    assert_eq!(unsigned.verify(&keys, 8), Err(EnvelopeError::BadSignature));
    assert_eq!(
        good.clone().verify(&keys, 40),
        Err(EnvelopeError::WeakStamp { required: 40 })
    );
    let foreign = HashKeys::new(Hash([8; 32]));
    assert!(
        good.verify(&foreign, 0).is_err(),
        "nothing of one network verifies in another"
    );
}

#[test]
fn an_entry_of_another_log_cannot_be_claimed() {
    let keys = keys();
    let mut stolen = envelope(0);
    stolen.signed.header.log = LogKey::from_seed(&[7; 32]).public();
    assert_eq!(stolen.verify(&keys, 0), Err(EnvelopeError::BadSignature));
}

#[test]
fn a_larger_body_needs_more_work() {
    assert_eq!(stamp_bits(8, 0), 8);
    assert_eq!(stamp_bits(8, 1024), 8);
    assert_eq!(stamp_bits(8, 1025), 9);
    assert_eq!(stamp_bits(8, 4096), 10);
    assert_eq!(stamp_bits(8, 512 << 10), 17);
}

#[test]
fn a_zero_erasure_commitment_and_an_odd_keep_for_are_refused() {
    let mut bytes = envelope(0).to_bytes();
    bytes[116..148].fill(0);
    assert_eq!(Envelope::from_bytes(&bytes), Err(CodecError::BadValue));
    let mut bytes = envelope(0).to_bytes();
    bytes[151] = 2;
    assert_eq!(Envelope::from_bytes(&bytes), Err(CodecError::BadValue));
}

#[test]
fn an_absent_body_needs_a_reason_that_holds() {
    let keys = keys();
    let header = envelope(0).signed.header;
    assert_eq!(Body::Erased(ErasureSecret([3; 32])).check(&header, &keys), Ok(()));
    assert_eq!(
        Body::Erased(ErasureSecret([4; 32])).check(&header, &keys),
        Err(EnvelopeError::WrongSecret)
    );
    let ordered = 1_000;
    assert!(!Body::Expired.is_excused(&header, ordered, ordered + 7 * DAY_MS - 1));
    assert!(Body::Expired.is_excused(&header, ordered, ordered + 7 * DAY_MS));
    assert!(!Body::Withheld.is_excused(&header, ordered, u64::MAX));
}

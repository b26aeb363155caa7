//! Layer 2: the outer seal, under the epoch's seal key.
//!
//! ```text
//! ┌──────────┬───────────────────────────────────────────────┬────────┐
//! │ nonce 24 │ encrypted: length 4, layer 3 message, zeros   │ tag 16 │   body: 512, 1024, 2048, 4096, Padmé above
//! └──────────┴───────────────────────────────────────────────┴────────┘
//!   associated data: domain, network, log
//! ```
//!
//! It hides everything that layer 3 leaves readable. Nonces are random, 192 bits wide: members share the key and keep
//! no common counter. The anchor is not associated data, so that a lost submission is signed again with the same body.
//! `// SPEC 22.2`

use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use waxwing_core::Hash;
use waxwing_core::keys::LogId;
use zeroize::Zeroizing;

use crate::channel::SealKey;
use crate::engine::{OpenError, SealError};
use crate::padding::{LENGTH_BYTES, bucket, is_bucket, unpad};

/// What the associated data starts with.
const DOMAIN: &[u8] = b"waxwing v1 outer seal";

/// Bytes of the nonce in front.
pub(crate) const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// Bytes of a body beside the padded text.
const AROUND_BYTES: usize = NONCE_BYTES + TAG_BYTES;

/// Bytes of a body beside the message before padding.
pub(crate) const OUTER_BYTES: usize = AROUND_BYTES + LENGTH_BYTES;

fn associated_data(network: Hash, log: LogId) -> Vec<u8> {
    [DOMAIN, network.as_bytes(), log.as_bytes()].concat()
}

fn encrypt(key: &SealKey, nonce: &[u8; NONCE_BYTES], associated: &[u8], text: &mut [u8]) -> Tag {
    XChaCha20Poly1305::new(&key.0.into())
        .encrypt_inout_detached(&XNonce::from(*nonce), associated, text.into())
        .expect("the cipher refuses only texts above 256 GiB, and a body has at most 512 KiB")
}

fn decrypt(
    key: &SealKey,
    nonce: &[u8; NONCE_BYTES],
    associated: &[u8],
    text: &mut [u8],
    tag: &[u8; TAG_BYTES],
) -> Result<(), OpenError> {
    XChaCha20Poly1305::new(&key.0.into())
        .decrypt_inout_detached(&XNonce::from(*nonce), associated, text.into(), &Tag::from(*tag))
        .map_err(|_| OpenError::SealBroken)
}

impl SealKey {
    /// Pads and encrypts a layer 3 message into a body. The nonce is fresh and random: the same one twice under one key
    /// would show both messages.
    pub(crate) fn seal(
        &self,
        network: Hash,
        log: LogId,
        message: &[u8],
        nonce: &[u8; NONCE_BYTES],
    ) -> Result<Vec<u8>, SealError> {
        let total = bucket(OUTER_BYTES + message.len()).ok_or(SealError::TooLong)?;
        let total = usize::try_from(total).map_err(|_| SealError::TooLong)?;
        let length = u32::try_from(message.len()).map_err(|_| SealError::TooLong)?;
        // Reserved whole: a vector that grew would leave pieces of the plain text behind in freed memory.
        let mut body = Vec::with_capacity(total);
        body.extend_from_slice(nonce);
        body.extend_from_slice(&length.to_be_bytes());
        body.extend_from_slice(message);
        body.resize(total - TAG_BYTES, 0);
        let (_, text) = body.split_at_mut(NONCE_BYTES);
        let tag = encrypt(self, nonce, &associated_data(network, log), text);
        body.extend_from_slice(&tag);
        Ok(body)
    }

    /// The layer 3 message in a body.
    pub(crate) fn open(&self, network: Hash, log: LogId, body: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        if !is_bucket(body.len()) {
            return Err(OpenError::BodyLength);
        }
        let (nonce, rest) = body.split_first_chunk().ok_or(OpenError::BodyLength)?;
        let (text, tag) = rest.split_last_chunk().ok_or(OpenError::BodyLength)?;
        let mut text = Zeroizing::new(text.to_vec());
        decrypt(self, nonce, &associated_data(network, log), &mut text, tag)?;
        let message = unpad(&text, AROUND_BYTES).ok_or(OpenError::BadPadding)?;
        Ok(Zeroizing::new(message.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: Hash = Hash([1; 32]);
    const LOG: LogId = LogId([2; 32]);
    const NONCE: [u8; NONCE_BYTES] = [4; NONCE_BYTES];

    fn key() -> SealKey {
        SealKey([3; 32])
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
        digits
            .chunks(2)
            .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap())
            .collect()
    }

    /// draft-irtf-cfrg-xchacha-03, appendix A.3.1: nobody here wrote it.
    #[test]
    fn the_cipher_is_the_one_of_the_draft() {
        let text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
            sunscreen would be it.";
        let associated = hex("50515253c0c1c2c3c4c5c6c7");
        let key = SealKey(
            hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f")
                .try_into()
                .unwrap(),
        );
        let nonce = hex("404142434445464748494a4b4c4d4e4f5051525354555657")
            .try_into()
            .unwrap();
        let ciphertext = hex("bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb
             731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452
             2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9
             21f9664c97637da9768812f615c68b13b52e");
        let tag: [u8; 16] = hex("c0875924c1c7987947deafd8780acf49").try_into().unwrap();
        let mut buffer = text.to_vec();
        assert_eq!(encrypt(&key, &nonce, &associated, &mut buffer).as_slice(), tag);
        assert_eq!(buffer, ciphertext);
        decrypt(&key, &nonce, &associated, &mut buffer, &tag).unwrap();
        assert_eq!(buffer, text);
    }

    #[test]
    fn a_message_of_any_length_comes_back() {
        for length in [
            0,
            1,
            467,
            468,
            469,
            980,
            981,
            4052,
            4053,
            100_000,
            (512 << 10) - OUTER_BYTES,
        ] {
            let message = vec![0x5a; length];
            let body = key().seal(NETWORK, LOG, &message, &NONCE).unwrap();
            assert!(is_bucket(body.len()), "{length}");
            assert_eq!(*key().open(NETWORK, LOG, &body).unwrap(), message, "{length}");
        }
    }

    #[test]
    fn a_body_shows_its_bucket_and_nothing_else_of_the_length() {
        let size = |length| key().seal(NETWORK, LOG, &vec![0; length], &NONCE).unwrap().len();
        for (lengths, expected) in [
            (0..=468, 512),
            (469..=980, 1024),
            (981..=2004, 2048),
            (2005..=4052, 4096),
            (4053..=4308, 4352),
        ] {
            assert_eq!(size(*lengths.start()), expected);
            assert_eq!(size(*lengths.end()), expected);
        }
    }

    #[test]
    fn a_message_above_the_largest_body_is_refused() {
        let message = vec![0; (512 << 10) - OUTER_BYTES + 1];
        assert_eq!(key().seal(NETWORK, LOG, &message, &NONCE), Err(SealError::TooLong));
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let body = key().seal(NETWORK, LOG, b"message", &NONCE).unwrap();
        for bit in 0..body.len() * 8 {
            let mut altered = body.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                key().open(NETWORK, LOG, &altered),
                Err(OpenError::SealBroken),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn another_key_network_or_log_does_not_open_it() {
        let body = key().seal(NETWORK, LOG, b"message", &NONCE).unwrap();
        assert_eq!(SealKey([9; 32]).open(NETWORK, LOG, &body), Err(OpenError::SealBroken));
        assert_eq!(key().open(Hash([9; 32]), LOG, &body), Err(OpenError::SealBroken));
        assert_eq!(key().open(NETWORK, LogId([9; 32]), &body), Err(OpenError::SealBroken));
    }

    #[test]
    fn bodies_of_other_lengths_are_refused_before_any_work() {
        let body = key().seal(NETWORK, LOG, b"message", &NONCE).unwrap();
        for length in [0, 1, 39, 40, 511] {
            assert_eq!(
                key().open(NETWORK, LOG, &body[..length]),
                Err(OpenError::BodyLength),
                "{length}"
            );
        }
        let mut longer = body;
        longer.push(0);
        assert_eq!(key().open(NETWORK, LOG, &longer), Err(OpenError::BodyLength));
    }

    #[test]
    fn padding_that_a_member_filled_with_something_is_refused() {
        let mut text = 7_u32.to_be_bytes().to_vec();
        text.extend_from_slice(b"message");
        text.resize(512 - AROUND_BYTES, 0);
        *text.last_mut().unwrap() = 1;
        let tag = encrypt(&key(), &NONCE, &associated_data(NETWORK, LOG), &mut text);
        let body = [&NONCE[..], &text, &tag].concat();
        assert_eq!(key().open(NETWORK, LOG, &body), Err(OpenError::BadPadding));
    }
}

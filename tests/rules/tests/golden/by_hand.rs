//! Posts into an inbox, sealed from the specification alone: HPKE (RFC 9180, base mode) with X-Wing, HKDF-SHA384 and
//! AES-256-GCM, and the outer seal around it. Whatever the library does, it must open this.
//!
//! The randomness is always the same, so that a body is a vector.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{AeadInOut as _, KeyInit as _, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha384;
use waxwing_core::keys::{LogId, LogKey};
use x_wing::{EncapsulationKey, TryKeyInit as _};

/// What is drawn for a post, and for the outer seal.
const DRAWN: [u8; 64] = [0xc4; 64];
const NONCE: [u8; 24] = [0xc3; 24];

/// KEM 0x647a, KDF 0x0002, AEAD 0x0002.
const SUITE: &[u8] = b"HPKE\x64\x7a\x00\x02\x00\x02";

/// An inbox as whoever has its seed knows it.
pub(crate) struct Keys {
    pub(crate) network: [u8; 32],
    pub(crate) log_key: LogKey,
    pub(crate) seal_key: [u8; 32],
}

impl Keys {
    pub(crate) fn new(network: [u8; 32], seed: [u8; 32]) -> Self {
        let derive = |context| blake3::derive_key(context, &[seed, network].concat());
        Self {
            network,
            log_key: LogKey::from_seed(&derive("waxwing v1 inbox log key")),
            seal_key: derive("waxwing v1 inbox seal key"),
        }
    }

    pub(crate) fn log(&self) -> LogId {
        self.log_key.public()
    }

    /// The body around a message.
    pub(crate) fn outer(&self, message: &[u8]) -> Vec<u8> {
        let mut text = u32::try_from(message.len()).unwrap().to_be_bytes().to_vec();
        text.extend(message);
        text.resize(bucket(40 + text.len()) - 40, 0);
        let associated = [b"waxwing v1 outer seal", &self.network[..], &self.log().0].concat();
        let tag = XChaCha20Poly1305::new(&self.seal_key.into())
            .encrypt_inout_detached(&XNonce::from(NONCE), &associated, text.as_mut_slice().into())
            .unwrap();
        [&NONCE[..], &text, &tag].concat()
    }

    /// The commitment of a body that stays.
    pub(crate) fn stays(&self, body_hash: &[u8; 32]) -> [u8; 32] {
        blake3::derive_key("waxwing v1 no erase", &[self.seal_key, *body_hash].concat())
    }
}

fn bucket(length: usize) -> usize {
    if length <= 4096 {
        return length.next_power_of_two().max(512);
    }
    let exponent = length.ilog2();
    let step = 1 << (exponent - exponent.ilog2() - 1);
    length.next_multiple_of(step)
}

/// A post as a text of 7,011 bytes, or more.
pub(crate) fn text(post: &[u8]) -> Vec<u8> {
    let mut text = u32::try_from(post.len()).unwrap().to_be_bytes().to_vec();
    text.extend(post);
    text.resize(text.len().max(7011), 0);
    text
}

fn extract(salt: &[u8], label: &[u8], material: &[u8]) -> (Vec<u8>, Hkdf<Sha384>) {
    let (bytes, key) = Hkdf::<Sha384>::extract(Some(salt), &[b"HPKE-v1", SUITE, label, material].concat());
    (bytes.to_vec(), key)
}

fn expand<const N: usize>(key: &Hkdf<Sha384>, label: &[u8], context: &[u8]) -> [u8; N] {
    let length = u16::try_from(N).unwrap().to_be_bytes();
    let mut out = [0; N];
    key.expand(&[&length, &b"HPKE-v1"[..], SUITE, label, context].concat(), &mut out)
        .unwrap();
    out
}

/// The encapsulated key and the ciphertext.
pub(crate) fn seal(public: &[u8], information: &[u8], associated: &[u8], text: &[u8]) -> Vec<u8> {
    let public = EncapsulationKey::new_from_slice(public).unwrap();
    let (encapsulated, shared) = public.encapsulate_deterministic(&DRAWN.into());
    let (psk_id, _) = extract(&[], b"psk_id_hash", &[]);
    let (information, _) = extract(&[], b"info_hash", information);
    let context = [&[0][..], &psk_id, &information].concat();
    let (_, secret) = extract(&shared, b"secret", &[]);
    let key: [u8; 32] = expand(&secret, b"key", &context);
    let nonce: [u8; 12] = expand(&secret, b"base_nonce", &context);
    let payload = Payload {
        msg: text,
        aad: associated,
    };
    let sealed = Aes256Gcm::new(&key.into()).encrypt(&nonce.into(), payload).unwrap();
    [encapsulated.as_slice(), &sealed].concat()
}

//! What stands in inboxes, assembled from the specification alone: openings, requests, stored forms.

use openmls_memory_storage::MemoryStorage;
use serde_json::{Value, json};
use waxwing_core::codec::{Encode, put_bytes};
use waxwing_core::hash::Hash;
use waxwing_seal::DeviceKey;
use waxwing_seal::group::{KeyPackage, Lifetime, Myself, Provider};
use waxwing_seal::identity::certificate::{DeviceName, Validity};
use waxwing_seal::identity::{Acceptance, AccountKey, DeviceCertificate, Phrase};
use waxwing_seal::inbox::InboxKey;

use crate::by_hand::Keys;
use crate::case::hex;
use crate::identities::{FROM, NETWORK, Paper, root_key};

pub(crate) const SEED: [u8; 32] = [0xd1; 32];
pub(crate) const KEY: [u8; 32] = [0xd2; 32];
pub(crate) const ANSWER_SEED: [u8; 32] = [0xd3; 32];
pub(crate) const ANSWER_KEY: [u8; 32] = [0xd4; 32];
pub(crate) const EXPIRES: u64 = FROM + 86_400_000;
pub(crate) const ELSEWHERE: [u8; 32] = [0xab; 32];

pub(crate) fn keys(seed: [u8; 32]) -> Keys {
    Keys::new(NETWORK.0, seed)
}

pub(crate) fn device(seed: u8) -> DeviceKey {
    DeviceKey::from_seed(&[seed; 32])
}

pub(crate) fn public(key: [u8; 32]) -> Vec<u8> {
    InboxKey::from_bytes(key).public().to_bytes()
}

pub(crate) fn derive(context: &str, parts: &[&[u8]]) -> [u8; 32] {
    blake3::derive_key(context, &parts.concat())
}

pub(crate) fn bytes(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, content);
    out
}

/// Somebody who asks: an account of his own, and a device.
pub(crate) fn bob() -> AccountKey {
    Phrase::from_entropy(&[0xe2; 32]).account()
}

pub(crate) fn certificate(root: &AccountKey, network: Hash, of: &DeviceKey, validity: Validity) -> Vec<u8> {
    let accepted = Acceptance::sign(of, network, root.id());
    let name = DeviceName::new("phone").unwrap();
    DeviceCertificate::sign(root, network, &accepted, name, validity, 1).to_bytes()
}

pub(crate) fn bobs_certificate() -> Vec<u8> {
    certificate(&bob(), NETWORK, &device(5), Validity::from(FROM))
}

/// A key package of a device of Bob's.
pub(crate) fn key_package(of: &DeviceKey) -> Vec<u8> {
    let accepted = Acceptance::sign(of, NETWORK, bob().id());
    let name = DeviceName::new("phone").unwrap();
    let certificate = DeviceCertificate::sign(&bob(), NETWORK, &accepted, name, Validity::from(FROM), 1);
    let myself = Myself::new(of.clone(), certificate.verify(NETWORK, bob().id()).unwrap()).unwrap();
    let (storage, mut count) = (MemoryStorage::default(), 0_u8);
    let mut chance = |room: &mut [u8]| {
        count = count.wrapping_add(1);
        room.fill(count);
    };
    let lifetime = Lifetime::new(FROM - 1, FROM + 86_400_000).unwrap();
    KeyPackage::offer(&Provider::new(&storage, &mut chance), &myself, lifetime).unwrap()
}

/// An opening by a device of the account 26.1, from the specification.
#[derive(Clone)]
pub(crate) struct Paperwork {
    pub(crate) certificate: Vec<u8>,
    pub(crate) signed_by: u8,
    pub(crate) log: [u8; 32],
    pub(crate) purpose: Vec<u8>,
    pub(crate) uses: u32,
}

impl Paperwork {
    pub(crate) fn new() -> Self {
        Self {
            certificate: Paper::of(1, 1).bytes(),
            signed_by: 1,
            log: keys(SEED).log().0,
            purpose: [&[2][..], &bytes(b"birds")].concat(),
            uses: 2,
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut said = [&[1][..], &self.certificate, &public(KEY), &[0]].concat();
        said.extend(bytes(b"Ada"));
        said.extend(&self.purpose);
        said.extend(EXPIRES.to_be_bytes());
        said.extend(self.uses.to_be_bytes());
        let message = [b"waxwing v1 inbox opening", &NETWORK.0[..], &self.log, &said].concat();
        said.extend(device(self.signed_by).sign(&message).0);
        said
    }
}

pub(crate) fn opening() -> Vec<u8> {
    Paperwork::new().bytes()
}

pub(crate) fn opening_id(opening: &[u8]) -> [u8; 32] {
    let log = keys(SEED).log().0;
    derive("waxwing v1 inbox opening id", &[&NETWORK.0, &log, opening])
}

pub(crate) fn device_opening_by(signed_by: u8) -> Vec<u8> {
    let mut said = [&[1][..], &device(7).id().0, &public(KEY)].concat();
    said.extend(bytes(b"laptop"));
    said.extend(EXPIRES.to_be_bytes());
    let log = keys(SEED).log().0;
    let message = [b"waxwing v1 device opening", &NETWORK.0[..], &log, &said].concat();
    said.extend(device(signed_by).sign(&message).0);
    said
}

/// A post that is signed: for the log of the seed, and the occasion.
pub(crate) fn signed(kind: u8, (seed, occasion): ([u8; 32], [u8; 32]), by: u8, said: &[u8]) -> Vec<u8> {
    let log = keys(seed).log().0;
    let start = [b"waxwing v1 inbox post", &NETWORK.0[..], &log, &occasion].concat();
    let signature = device(by).sign(&[&start[..], &[kind], said].concat());
    [&[kind][..], said, &signature.0].concat()
}

pub(crate) fn post_id(seed: [u8; 32], post: &[u8]) -> [u8; 32] {
    let log = keys(seed).log().0;
    derive("waxwing v1 inbox post id", &[&NETWORK.0, &log, post])
}

/// What a request says before it is signed.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) certificate: Vec<u8>,
    pub(crate) note: Vec<u8>,
    pub(crate) package: Vec<u8>,
    pub(crate) answer: Vec<u8>,
}

impl Ask {
    /// Refused at its key package at the latest.
    pub(crate) fn short() -> Self {
        Self {
            certificate: bobs_certificate(),
            note: b"we met at the lake".to_vec(),
            package: b"a key package".to_vec(),
            answer: public(ANSWER_KEY),
        }
    }

    pub(crate) fn whole() -> Self {
        Self {
            package: key_package(&device(5)),
            ..Self::short()
        }
    }

    pub(crate) fn said(&self) -> Vec<u8> {
        let mut said = [
            &self.certificate[..],
            &bytes(b"Bob"),
            &bytes(&self.note),
            &bytes(&self.package),
        ]
        .concat();
        said.extend(ANSWER_SEED);
        said.extend(&self.answer);
        said.push(0);
        said
    }

    pub(crate) fn post(&self) -> Vec<u8> {
        signed(1, (SEED, opening_id(&opening())), 5, &self.said())
    }
}

/// The stored form of an inbox with this seed and key.
pub(crate) fn stored(seed: [u8; 32], key: [u8; 32], role: u8, rest: &[u8]) -> Vec<u8> {
    let start = [b"WXINBOX\x01", &NETWORK.0[..], &seed, &key, &[0; 8], &[role]].concat();
    [&start[..], rest].concat()
}

/// An invitation's, before anything has been read.
pub(crate) fn invitation(opening: &[u8]) -> Vec<u8> {
    stored(SEED, KEY, 1, &[opening, &[0], &[0; 4]].concat())
}

/// One that answers come to, from account 26.1, for the occasion.
pub(crate) fn answers(occasion: [u8; 32]) -> Vec<u8> {
    let with = root_key().public().0;
    let rest = [&with[..], &occasion, &[0], &[0; 4], &[0; 4]].concat();
    stored(ANSWER_SEED, ANSWER_KEY, 2, &rest)
}

/// A new device's.
pub(crate) fn newcomer(opening: &[u8]) -> Vec<u8> {
    stored(SEED, KEY, 3, &[opening, &[0], &[0; 4]].concat())
}

pub(crate) fn nodes() -> Vec<u8> {
    [&1_u32.to_be_bytes()[..], &bytes(b"192.0.2.7:7400"), &[0xee; 32]].concat()
}

/// An entry on the log of an inbox that has read the others.
pub(crate) fn entry(inbox: &[u8], before: &[Value], entry: &Value) -> Value {
    let mut given = json!({"inbox": hex(inbox), "before": before});
    given
        .as_object_mut()
        .unwrap()
        .extend(entry.as_object().unwrap().clone());
    given
}

pub(crate) fn opens(opening: &[u8]) -> Value {
    json!({"opening": hex(opening)})
}

pub(crate) fn posts(post: &[u8]) -> Value {
    json!({"post": hex(post)})
}

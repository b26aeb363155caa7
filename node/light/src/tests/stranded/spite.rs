//! Members who write what an honest program would not: with the library's own means, on the state of an honest client.

use openmls::group::{GroupId, MlsGroup};
use openmls::prelude::tls_codec::SecretVLBytes;
use openmls::prelude::{
    AeadType, Ciphersuite as Suite, CryptoError, ExporterSecret, HashType, HpkeCiphertext, HpkeConfig, HpkeKeyPair,
    KemOutput, OpenMlsCrypto, SignatureScheme,
};
use openmls_rust_crypto::RustCrypto;
use openmls_traits::OpenMlsProvider as _;
use waxwing_core::Hash;
use waxwing_core::codec::Encode;
use waxwing_core::envelope::{Envelope, EnvelopeHeader, KeepFor};
use waxwing_core::genesis::FirstOfLog;
use waxwing_seal::content::{EraseSalt, Name, Words};
use waxwing_seal::engine::Authored;
use waxwing_seal::group::Group;
use waxwing_seal::{
    Binding, Content, ContentId, DeviceKey, EpochKeys, GroupEngine, Keeping, Kind, OpenError, SealError, Sealed,
    Sealer, View,
};

use super::super::World;
use super::super::groups::Member;
use super::super::world::Admitted;
use crate::error::Error;
use crate::store::{StoreError, Transaction, channels, mls};
use crate::{account, chance};

/// Where the group's id stands in a record, and where its own commit that waits.
pub(in crate::tests) const GROUP_ID: core::ops::Range<usize> = 42..74;
const PENDING: usize = 75;

/// Cryptography that is honest to all but one: what is encrypted to the victim's key is rubbish.
struct Spiteful {
    honest: RustCrypto,
    victim: Vec<u8>,
}

impl OpenMlsCrypto for Spiteful {
    fn supports(&self, suite: Suite) -> Result<(), CryptoError> {
        self.honest.supports(suite)
    }
    fn supported_ciphersuites(&self) -> Vec<Suite> {
        self.honest.supported_ciphersuites()
    }
    fn hkdf_extract(&self, hash: HashType, salt: &[u8], ikm: &[u8]) -> Result<SecretVLBytes, CryptoError> {
        self.honest.hkdf_extract(hash, salt, ikm)
    }
    fn hmac(&self, hash: HashType, key: &[u8], message: &[u8]) -> Result<SecretVLBytes, CryptoError> {
        self.honest.hmac(hash, key, message)
    }
    fn hkdf_expand(&self, hash: HashType, prk: &[u8], info: &[u8], len: usize) -> Result<SecretVLBytes, CryptoError> {
        self.honest.hkdf_expand(hash, prk, info, len)
    }
    fn hash(&self, hash: HashType, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.honest.hash(hash, data)
    }
    fn aead_encrypt(&self, a: AeadType, k: &[u8], d: &[u8], n: &[u8], aad: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.honest.aead_encrypt(a, k, d, n, aad)
    }
    fn aead_decrypt(&self, a: AeadType, k: &[u8], c: &[u8], n: &[u8], aad: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.honest.aead_decrypt(a, k, c, n, aad)
    }
    fn signature_key_gen(&self, scheme: SignatureScheme) -> Result<(Vec<u8>, Vec<u8>), CryptoError> {
        self.honest.signature_key_gen(scheme)
    }
    fn verify_signature(&self, s: SignatureScheme, d: &[u8], pk: &[u8], sig: &[u8]) -> Result<(), CryptoError> {
        self.honest.verify_signature(s, d, pk, sig)
    }
    fn sign(&self, scheme: SignatureScheme, data: &[u8], key: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.honest.sign(scheme, data, key)
    }
    fn hpke_seal(
        &self,
        config: HpkeConfig,
        pk: &[u8],
        info: &[u8],
        aad: &[u8],
        text: &[u8],
    ) -> Result<HpkeCiphertext, CryptoError> {
        let info = if pk == self.victim { b"rubbish" } else { info };
        self.honest.hpke_seal(config, pk, info, aad, text)
    }
    fn hpke_open(
        &self,
        config: HpkeConfig,
        input: &HpkeCiphertext,
        sk: &[u8],
        info: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        self.honest.hpke_open(config, input, sk, info, aad)
    }
    fn hpke_setup_sender_and_export(
        &self,
        config: HpkeConfig,
        pk: &[u8],
        info: &[u8],
        context: &[u8],
        length: usize,
    ) -> Result<(KemOutput, ExporterSecret), CryptoError> {
        self.honest
            .hpke_setup_sender_and_export(config, pk, info, context, length)
    }
    fn hpke_setup_receiver_and_export(
        &self,
        config: HpkeConfig,
        enc: &[u8],
        sk: &[u8],
        info: &[u8],
        context: &[u8],
        length: usize,
    ) -> Result<ExporterSecret, CryptoError> {
        self.honest
            .hpke_setup_receiver_and_export(config, enc, sk, info, context, length)
    }
    fn derive_hpke_keypair(&self, config: HpkeConfig, ikm: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
        self.honest.derive_hpke_keypair(config, ikm)
    }
}

/// Puts ready-made bytes of the library into an envelope's body, or takes them out of one.
#[derive(Default)]
struct Bare {
    mls: Vec<u8>,
}

impl GroupEngine for Bare {
    fn protect(&mut self, _: &DeviceKey, _: &Content, _: &Binding) -> Result<Vec<u8>, SealError> {
        Ok([&[2], self.mls.as_slice()].concat())
    }

    fn unprotect(&mut self, message: &[u8], _: &Binding) -> Result<Authored, OpenError> {
        self.mls = message[1..].to_vec();
        Err(OpenError::UnknownEngine(message[0]))
    }
}

fn sealed(world: &World, keys: &EpochKeys, mls: Vec<u8>) -> Sealed {
    let nothing = Content {
        id: ContentId([0; 16]),
        time_ms: 0,
        salt: EraseSalt([0; 16]),
        name: Name::new("").unwrap(),
        view: View::empty_log(0, Hash::ZERO),
        kind: Kind::Text(Words::default()),
    };
    let device = DeviceKey::from_seed(&[0; 32]);
    let mut sealer = Sealer::new(world.keys.clone(), keys.clone(), device, Bare { mls });
    sealer.seal(&nothing, Keeping::Stays, &mut chance::fill).unwrap()
}

/// Has the ledger take what was sealed.
fn post(world: &World, keys: &EpochKeys, sealed: &Sealed) {
    let mut header = sealed.header(world.anchor());
    let parameters = &world.genesis.parameters;
    header.grind(
        &world.keys,
        parameters.required_bits(header.body_length, FirstOfLog::Yes),
    );
    let signed = header.sign(&world.keys, keys.log_key());
    let body = sealed.body.clone();
    let admitted = world.submit(&Envelope { signed, body }.to_bytes());
    assert!(matches!(admitted, Admitted::Taken(_)));
}

/// The layer 3 message in a body that an honest program sealed.
pub(in crate::tests) fn taken_out(world: &World, keys: &EpochKeys, header: &EnvelopeHeader, body: &[u8]) -> Vec<u8> {
    let device = DeviceKey::from_seed(&[0; 32]);
    let mut sealer = Sealer::new(world.keys.clone(), keys.clone(), device, Bare::default());
    assert_eq!(sealer.open(header, body), Err(OpenError::UnknownEngine(2)));
    sealer.engine().mls.clone()
}

pub(in crate::tests) fn group(tx: &Transaction<'_>, member: crate::ChannelId) -> (Group, Vec<u8>) {
    let record = channels::engine(tx, member).unwrap();
    let group = mls::lend(tx, |provider| Group::load(provider, &record)).unwrap();
    (group, record)
}

fn terms(keys: &EpochKeys) -> Vec<u8> {
    let days = KeepFor::Ever.days().to_be_bytes();
    [keys.log().as_bytes().as_slice(), &[0; 32], &days].concat()
}

/// Posts a commit that all can follow but one device, to whom its author encrypts rubbish.
pub(super) async fn lock_out(world: &World, author: &Member, victim: &str) {
    let (channel, network, now) = (author.channel, world.network(), author.client().clock().now());
    let victim = victim.to_owned();
    let built = author.client().core.write::<_, Error>(move |tx| {
        let (group, record) = group(tx, channel);
        let keys = group.keys().unwrap().clone();
        let myself = account::myself(tx, network, now)?;
        let mls = mls::lend(tx, |provider| {
            let id = GroupId::from_slice(&record[GROUP_ID]);
            let mut mls = MlsGroup::load(provider.storage(), &id).unwrap().unwrap();
            let hex = |key: &[u8]| key.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            let victim = mls
                .members()
                .find(|member| hex(&member.signature_key) == victim)
                .unwrap();
            let crypto = Spiteful {
                honest: RustCrypto::default(),
                victim: victim.encryption_key,
            };
            mls.set_aad(terms(&keys));
            let builder = mls.commit_builder().force_self_update(true);
            let builder = builder.load_psks(provider.storage()).unwrap();
            let built = builder.build(provider.rand(), &crypto, &myself, |_| true).unwrap();
            built.stage_commit(provider).unwrap().commit().to_bytes().unwrap()
        });
        // Its own program takes it for its own.
        let id = blake3::derive_key("waxwing v1 group message", &mls);
        let mut record = record;
        record.splice(PENDING..=PENDING, [&[1], id.as_slice()].concat());
        channels::set_engine(tx, channel, &record)?;
        Ok((keys, mls))
    });
    let (keys, mls) = built.await.unwrap();
    post(world, &keys, &sealed(world, &keys, mls));
}

/// Posts what looks like a change of the group from outside, and is none.
pub(super) async fn post_rubbish(world: &World, author: &Member) {
    let channel = author.channel;
    let read = author.client().core.read::<_, StoreError>(move |tx| {
        let (group, record) = group(tx, channel);
        let keys = group.keys().unwrap().clone();
        // RFC 9420, section 2.1.2: the shortest length that fits.
        let opaque = |bytes: &[u8]| {
            let length = u8::try_from(bytes.len()).unwrap();
            let front = if length < 64 { vec![length] } else { vec![0x40, length] };
            [front.as_slice(), bytes].concat()
        };
        let mls = [
            &[0, 1, 0, 2][..],
            &opaque(&record[GROUP_ID]),
            &group.epoch().to_be_bytes(),
            &[3],
            &opaque(&terms(&keys)),
            &opaque(&[7; 32]),
            &opaque(&[9; 200]),
        ];
        Ok((keys, mls.concat()))
    });
    let (keys, mls) = read.await.unwrap();
    post(world, &keys, &sealed(world, &keys, mls));
}

//! Key packages and newcomers: what adds a device and what does not; and the member who is locked out and comes back.

use openmls::prelude::tls_codec::SecretVLBytes;
use openmls::prelude::{AeadType, ExporterSecret};
use openmls::prelude::{
    Ciphersuite as Suite, CryptoError, Extension, Extensions, HashType, HpkeCiphertext, HpkeConfig, HpkeKeyPair,
    KemOutput, KeyPackage as MlsKeyPackage, LeafNodeIndex, MlsMessageOut, OpenMlsCrypto, SignatureScheme,
    UnknownExtension,
};
use openmls_rust_crypto::RustCrypto;

use super::*;

/// A key package that is made by other rules than ours.
pub(super) fn odd(
    device: &mut Device,
    suite: Suite,
    extension: Option<Vec<u8>>,
    any: bool,
    last_resort: bool,
) -> Vec<u8> {
    device.lend(|provider, myself| {
        let mut builder = MlsKeyPackage::builder().leaf_node_capabilities(member::capabilities());
        if any {
            builder = builder.key_package_lifetime(any_time());
        }
        if let Some(bytes) = extension {
            let extension = Extension::Unknown(LIFETIME_EXTENSION, UnknownExtension(bytes));
            builder = builder.key_package_extensions(Extensions::single(extension).unwrap());
        }
        if last_resort {
            builder = builder.mark_as_last_resort();
        }
        let bundle = builder.build(suite, provider, myself, myself.credential()).unwrap();
        MlsMessageOut::from(bundle.into_key_package()).to_bytes().unwrap()
    })
}

#[test]
fn a_key_package_counts_in_its_time_and_with_every_field_as_it_should_be() {
    let lifetime = || Some(Lifetime::new(NOW, NOW + HOUR).unwrap().to_bytes());
    let long = [
        NOW.to_be_bytes(),
        (NOW + limits::KEY_PACKAGE_LIFE_MS_MAX + 1).to_be_bytes(),
    ]
    .concat();
    let mut device = Device::new(4, 4);
    let mut read = |extension, any, last_resort, time| {
        let bytes = odd(&mut device, SUITE, extension, any, last_resort);
        KeyPackage::read(&bytes, NETWORK, time).map(|key_package| key_package.member())
    };
    assert_eq!(read(lifetime(), true, true, NOW), Ok(account_member(4)));
    assert_eq!(read(lifetime(), true, true, NOW + HOUR), Ok(account_member(4)));
    let not_now = Err(KeyPackageFault::NotNow);
    assert_eq!(read(lifetime(), true, true, NOW + HOUR + 1), not_now);
    assert_eq!(read(lifetime(), true, true, NOW - 1), not_now);
    let lifetime_fault = Err(KeyPackageFault::Lifetime);
    assert_eq!(
        read(lifetime(), false, true, NOW),
        lifetime_fault,
        "one that the library would check"
    );
    assert_eq!(read(None, true, true, NOW), lifetime_fault);
    assert_eq!(read(Some(long), true, true, NOW), lifetime_fault);
    assert_eq!(read(lifetime(), true, false, NOW), Err(KeyPackageFault::Extensions));
    let early = LeafFault::Certificate(CertificateError::NotYetValid);
    let before = Some(Lifetime::new(NOW - 100 * HOUR, NOW).unwrap().to_bytes());
    assert_eq!(
        read(before, true, true, NOW - 50 * HOUR),
        Err(KeyPackageFault::Leaf(early))
    );
}

#[test]
fn what_is_no_key_package_of_this_suite_and_network_is_refused() {
    let mut device = Device::new(4, 4);
    let lifetime = Lifetime::new(NOW, NOW + HOUR).unwrap();
    let good = device
        .lend(|provider, myself| KeyPackage::offer(provider, myself, lifetime))
        .unwrap();
    let read = |bytes: &[u8]| KeyPackage::read(bytes, NETWORK, NOW).map(|key_package| key_package.member());
    assert_eq!(read(&good), Ok(account_member(4)));
    for at in [0, 3, 4, 100, good.len() - 1] {
        let mut altered = good.clone();
        altered[at] ^= 1;
        assert!(read(&altered).is_err(), "byte {at}");
    }
    assert_eq!(read(&good[..good.len() - 1]), Err(KeyPackageFault::Malformed));
    assert_eq!(read(&vec![0; 9000]), Err(KeyPackageFault::Malformed));
    let classic = Suite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;
    let bytes = odd(&mut device, classic, Some(lifetime.to_bytes()), true, true);
    assert_eq!(read(&bytes), Err(KeyPackageFault::OtherSuite));
    let elsewhere = KeyPackage::read(&good, Hash([8; 32]), NOW).map(|key_package| key_package.member());
    let other_network = LeafFault::Certificate(CertificateError::BadSignature);
    assert_eq!(elsewhere, Err(KeyPackageFault::Leaf(other_network)));
}

#[test]
fn lifetimes_that_cannot_be_are_refused() {
    assert_eq!(Lifetime::new(5, 5), Err(KeyPackageFault::Lifetime));
    assert_eq!(Lifetime::new(6, 5), Err(KeyPackageFault::Lifetime));
    assert!(Lifetime::new(0, limits::KEY_PACKAGE_LIFE_MS_MAX).is_ok());
    assert_eq!(
        Lifetime::new(0, limits::KEY_PACKAGE_LIFE_MS_MAX + 1),
        Err(KeyPackageFault::Lifetime)
    );
}

#[test]
fn a_key_package_is_used_again_until_it_is_forgotten() {
    let mut newcomer = Device::new(9, 9);
    let offer = newcomer.offer();
    for dice in 1..=2 {
        let (mut ledger, mut devices) = channel_by(2, dice);
        let add = vec![offer.clone()];
        let welcome = commit(
            &mut ledger,
            &mut devices[0],
            &Change {
                add,
                ..Change::default()
            },
        )
        .unwrap();
        devices[0].catch_up(&ledger);
        newcomer.group = None;
        assert_eq!(join(&mut newcomer, &welcome), Ok(account_member(1)));
        assert_eq!(newcomer.log(), devices[0].log());
    }
    newcomer.group = None;
    let (mut ledger, mut devices) = channel_by(2, 3);
    newcomer.lend(|provider, _| offer.forget(provider)).unwrap();
    let add = vec![offer];
    let welcome = commit(
        &mut ledger,
        &mut devices[0],
        &Change {
            add,
            ..Change::default()
        },
    )
    .unwrap();
    assert_eq!(join(&mut newcomer, &welcome), Err(JoinError::NotForUs));
}

#[test]
fn a_welcome_that_does_not_hold_is_refused_and_the_next_one_is_not() {
    let (mut ledger, mut devices) = channel(2);
    let mut newcomer = Device::new(9, 9);
    let add = vec![newcomer.offer()];
    let welcome = commit(
        &mut ledger,
        &mut devices[0],
        &Change {
            add,
            ..Change::default()
        },
    )
    .unwrap();
    devices[0].catch_up(&ledger);
    let altered = |change: &dyn Fn(&mut Welcome)| {
        let mut altered = welcome.clone();
        change(&mut altered);
        altered
    };
    let cut = altered(&|welcome| welcome.tree.truncate(100));
    assert_eq!(join(&mut newcomer, &cut), Err(JoinError::Malformed));
    let flipped = altered(&|welcome| *welcome.message.last_mut().unwrap() ^= 1);
    assert_eq!(join(&mut newcomer, &flipped), Err(JoinError::BadWelcome));
    let old_tree = altered(&|welcome| welcome.tree = tree(&devices[1]));
    assert_eq!(join(&mut newcomer, &old_tree), Err(JoinError::BadWelcome));
    assert_eq!(join(&mut newcomer, &welcome), Ok(devices[0].member()));
    let again = newcomer.lend(|provider, myself| Group::join(provider, NETWORK, myself, &welcome, None));
    assert_eq!(again.unwrap_err(), JoinError::AlreadyMember);
    let replaced = join(&mut newcomer, &welcome);
    assert_eq!(replaced, Err(JoinError::NotReplaceable), "the old group still works");
}

fn tree(device: &Device) -> Vec<u8> {
    use openmls::prelude::tls_codec::Serialize as _;
    device
        .group()
        .mls
        .export_ratchet_tree()
        .tls_serialize_detached()
        .unwrap()
}

#[test]
fn a_newcomer_on_another_network_believes_no_leaf() {
    let (mut ledger, mut devices) = channel(2);
    let mut newcomer = Device::new(9, 9);
    let add = vec![newcomer.offer()];
    let welcome = commit(
        &mut ledger,
        &mut devices[0],
        &Change {
            add,
            ..Change::default()
        },
    )
    .unwrap();
    let joined = newcomer.lend(|provider, myself| Group::join(provider, Hash([8; 32]), myself, &welcome, None));
    let fault = LeafFault::Certificate(CertificateError::BadSignature);
    assert_eq!(joined.unwrap_err(), JoinError::Leaf(fault));
}

/// Cryptography that is honest to all but one: what is encrypted to the victim's key is rubbish.
struct Spiteful {
    honest: RustCrypto,
    victim: Vec<u8>,
    /// Whether the rubbish decrypts, to something else.
    opens: bool,
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
        if pk != self.victim {
            return self.honest.hpke_seal(config, pk, info, aad, text);
        }
        let info = if self.opens { info } else { b"rubbish" };
        self.honest.hpke_seal(config, pk, info, aad, &vec![0; text.len()])
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

/// A commit of the admin in which the third member's share is rubbish.
fn spiteful(devices: &mut [Device], opens: bool) -> Outgoing {
    let victim = devices[0]
        .group()
        .mls
        .member_at(LeafNodeIndex::new(2))
        .unwrap()
        .encryption_key;
    devices[0].lend_group(|group, provider, myself| {
        let crypto = Spiteful {
            honest: RustCrypto::default(),
            victim,
            opens,
        };
        let binding = group.binding(Hash::ZERO, Keeping::Stays).unwrap();
        group.mls.set_aad(wire::authenticated_data(&binding));
        let builder = group.mls.commit_builder().force_self_update(true);
        let builder = builder.load_psks(provider.storage()).unwrap();
        let built = builder.build(provider.rand(), &crypto, myself, |_| true).unwrap();
        let bundle = built.stage_commit(provider).unwrap();
        let outgoing = group
            .enclosed(provider, bundle.commit(), &binding, Keeping::Stays)
            .unwrap();
        group.record.pending = Some(outgoing.id);
        outgoing
    })
}

#[test]
fn a_member_locked_out_by_a_corrupted_path_says_so_and_is_added_afresh_by_anybody() {
    for opens in [true, false] {
        let (mut ledger, mut devices) = channel(3);
        let outgoing = spiteful(&mut devices, opens);
        ledger.post(&outgoing.sealed);
        for device in &mut devices[..2] {
            assert!(matches!(only(device, &ledger), Verdict::Closed(_)));
        }
        let victim = devices[2].member();
        assert_eq!(only(&mut devices[2], &ledger), Verdict::Stranded);
        assert_eq!(devices[2].group().standing(), Standing::Stranded);
        let content = devices[2].content("does anybody hear me?");
        let refused = devices[2].step(|group, provider, myself| group.seal(provider, myself, &content, Keeping::Stays));
        assert_eq!(refused.unwrap_err(), GroupError::NotAMember);
        // It knows so after a restart as well.
        let record = devices[2].group().record();
        let loaded = devices[2].lend(|provider, _| Group::load(provider, &record)).unwrap();
        assert_eq!(loaded.standing(), Standing::Stranded);

        // The second member is no admin.
        let (add, remove) = (vec![devices[2].offer()], vec![victim.device]);
        let change = Change {
            add,
            remove,
            charter: None,
        };
        let welcome = commit(&mut ledger, &mut devices[1], &change).unwrap();
        for device in &mut devices[..2] {
            let Verdict::Closed(closed) = only(device, &ledger) else {
                panic!("the commit counts");
            };
            assert_eq!(
                (closed.added, closed.removed),
                (vec![victim], vec![victim]),
                "the others see it"
            );
        }
        assert_eq!(join(&mut devices[2], &welcome), Ok(devices[1].member()));
        let words = devices[2].seal("here again");
        ledger.post(&words.sealed);
        for device in &mut devices[..2] {
            assert!(matches!(only(device, &ledger), Verdict::Message { .. }));
        }
        agree(&devices);
    }
}

#[test]
fn a_member_whose_own_keys_are_gone_or_others_is_stranded_and_calls_no_true_commit_void() {
    for is_gone in [true, false] {
        let (mut ledger, mut devices) = channel(3);
        let pairs_of = |device: &Device| {
            let values = device.storage.values.read().unwrap();
            let mut pairs = values.iter().filter(|(key, _)| key.starts_with(b"EpochKeyPairs"));
            let (key, value) = pairs.next().unwrap();
            (key.clone(), value.clone())
        };
        let (key, _) = pairs_of(&devices[2]);
        let (_, anothers) = pairs_of(&devices[1]);
        let values = if is_gone { b"[]".to_vec() } else { anothers };
        devices[2].storage.values.write().unwrap().insert(key, values);
        commit(&mut ledger, &mut devices[0], &Change::default());
        assert!(matches!(only(&mut devices[1], &ledger), Verdict::Closed(_)));
        assert_eq!(only(&mut devices[2], &ledger), Verdict::Stranded);
        assert_eq!(devices[2].group().standing(), Standing::Stranded);
    }
}

#[test]
fn what_may_have_been_a_change_is_told_from_words_that_do_not_open() {
    let (mut ledger, mut devices) = channel(3);
    let words = devices[0].seal("words");
    let wish = devices[1]
        .step(|group, provider, myself| group.leave(provider, myself))
        .unwrap();
    for sealed in [&words.sealed, &wish.sealed] {
        ledger.post(sealed);
        ledger.post(sealed);
    }
    let verdicts = devices[2].catch_up(&ledger);
    assert_eq!(verdicts[1], Verdict::Void(Void::NotOpened));
    assert_eq!(verdicts[2], Verdict::Leaving(devices[1].member()));
    assert_eq!(verdicts[3], Verdict::Void(Void::ChangeNotOpened));
    assert_eq!(devices[2].group().standing(), Standing::Member, "a copy strands nobody");
    // A caller who knows more than one entry says stops it.
    devices[2].lend_group(|group, _, _| group.strand());
    let content = devices[2].content("does anybody hear me?");
    let refused = devices[2].step(|group, provider, myself| group.seal(provider, myself, &content, Keeping::Stays));
    assert_eq!(refused.unwrap_err(), GroupError::NotAMember);
}

#[test]
fn whoever_is_added_afresh_while_it_could_follow_comes_in_again_by_the_welcome() {
    let (mut ledger, mut devices) = channel(3);
    let target = devices[2].member();
    let change = Change {
        add: vec![devices[2].offer()],
        remove: vec![target.device],
        charter: None,
    };
    let welcome = commit(&mut ledger, &mut devices[1], &change).unwrap();
    for device in &mut devices {
        assert!(matches!(only(device, &ledger), Verdict::Closed(_)));
    }
    assert_eq!(devices[2].group().standing(), Standing::Removed);
    assert_eq!(join(&mut devices[2], &welcome), Ok(devices[1].member()));
    agree(&devices);
}

#[test]
fn a_merge_that_changes_nothing_is_not_gone_on_with() {
    let (_, mut devices) = channel(2);
    let renewed = devices[0].lend_group(|group, _, _| group.renew());
    assert_eq!(renewed, Err(GroupError::SameAuthenticator));
}

#[test]
fn a_store_that_holds_another_epoch_is_not_gone_on_with() {
    let (mut ledger, mut devices) = channel(2);
    let before = devices[0].snapshot();
    commit(&mut ledger, &mut devices[0], &Change::default());
    devices[0].catch_up(&ledger);
    let after = devices[0].snapshot();
    devices[0].roll_back(before);
    let restored = devices[0].lend_group(|group, provider, _| {
        group.stale = true;
        (group.restore(provider), group.ready().map(|_| ()))
    });
    assert_eq!(restored, (Err(GroupError::NoSuchGroup), Err(GroupError::NotRestored)));
    devices[0].roll_back(after);
    assert_eq!(
        devices[0].lend_group(|group, provider, _| group.restore(provider)),
        Ok(())
    );
}

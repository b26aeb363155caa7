//! Key packages: what a device leaves behind so that others can add it while it sleeps.
//!
//! ```text
//! lifetime extension   from 8 | until 8          ms since 1970, from < until, at most 90 days
//! ```
//!
//! The library checks the lifetime that MLS itself provides for against the machine's clock, and it does so again
//! whenever a commit is processed: a member who catches up after the key package has expired would refuse a commit that
//! all others accepted, and be alone for ever. So that field always says "any time", and the true lifetime stands in an
//! extension of ours. Whoever adds compares it with the present, and every member with the certified time of the block
//! that holds the commit: the same for all, for ever. `// SPEC 22.11`

use openmls::prelude::tls_codec::DeserializeBytes as _;
use openmls::prelude::{
    Extension, Extensions, KeyPackage as MlsKeyPackage, KeyPackageBundle, Lifetime as MlsLifetime, MlsMessageBodyIn,
    MlsMessageIn, MlsMessageOut, ProtocolVersion, UnknownExtension,
};
use openmls::storage::StorageProvider;
use openmls_rust_crypto::RustCrypto;
use openmls_traits::OpenMlsProvider;
use openmls_traits::crypto::OpenMlsCrypto;
use openmls_traits::types::HpkeCiphertext;
use waxwing_core::Hash;
use waxwing_core::codec::{CodecError, Decode, Encode, Reader};
use zeroize::Zeroizing;

use crate::inbox::limits::ENCAPSULATED_BYTES;
use crate::limits::KEY_PACKAGE_BYTES_MAX;

use super::limits::KEY_PACKAGE_LIFE_MS_MAX;
use super::member::{LeafFault, Member, Myself, capabilities};
use super::provider::Provider;
use super::{GroupError, SUITE};

/// Where the lifetime stands among the extensions of a key package: a number for private use.
pub(super) const LIFETIME_EXTENSION: u16 = 0xf7c2;

/// The lifetime that the library is to see: any time.
pub(super) fn any_time() -> MlsLifetime {
    MlsLifetime::init(0, u64::MAX)
}

/// From when until when a key package may be used, in ms since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lifetime {
    from_ms: u64,
    until_ms: u64,
}

impl Lifetime {
    /// Both ends included.
    ///
    /// # Errors
    /// [`KeyPackageFault::Lifetime`] if it ends before it begins, or is longer than a key package may be offered.
    pub fn new(from_ms: u64, until_ms: u64) -> Result<Self, KeyPackageFault> {
        let length = until_ms.checked_sub(from_ms);
        match length {
            Some(1..=KEY_PACKAGE_LIFE_MS_MAX) => Ok(Self { from_ms, until_ms }),
            _ => Err(KeyPackageFault::Lifetime),
        }
    }

    /// Whether this moment is in it.
    #[must_use]
    pub const fn contains(&self, time_ms: u64) -> bool {
        self.from_ms <= time_ms && time_ms <= self.until_ms
    }
}

impl Encode for Lifetime {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.from_ms.to_be_bytes());
        out.extend_from_slice(&self.until_ms.to_be_bytes());
    }
}

impl Decode for Lifetime {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let (from_ms, until_ms) = (reader.u64()?, reader.u64()?);
        Self::new(from_ms, until_ms).map_err(|_| CodecError::BadValue)
    }
}

/// Why a key package adds nobody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyPackageFault {
    /// The bytes are no key package, or its signatures do not count.
    Malformed,
    /// It is for another suite.
    OtherSuite,
    /// It has another lifetime than it may have: none of ours, too long, or one that the library would check.
    Lifetime,
    /// Its lifetime does not contain this moment.
    NotNow,
    /// It carries extensions that mean nothing here.
    Extensions,
    /// Its leaf is none that a group has.
    Leaf(LeafFault),
}

/// A key package whose signatures count and that is one of ours in every field.
#[derive(Clone, Debug)]
pub struct KeyPackage {
    mls: MlsKeyPackage,
    member: Member,
    lifetime: Lifetime,
}

impl KeyPackage {
    /// Reads what a device has published. It may be used later: [`super::Group::propose`] asks for the time again.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn read(bytes: &[u8], network: Hash, now_ms: u64) -> Result<Self, KeyPackageFault> {
        if u32::try_from(bytes.len()).map_or(true, |length| length > KEY_PACKAGE_BYTES_MAX) {
            return Err(KeyPackageFault::Malformed);
        }
        let message = MlsMessageIn::tls_deserialize_exact_bytes(bytes).map_err(|_| KeyPackageFault::Malformed)?;
        let MlsMessageBodyIn::KeyPackage(unchecked) = message.extract() else {
            return Err(KeyPackageFault::Malformed);
        };
        let crypto = openmls_rust_crypto::RustCrypto::default();
        let mls = unchecked
            .validate(&crypto, ProtocolVersion::Mls10)
            .map_err(|_| KeyPackageFault::Malformed)?;
        Self::check(mls, network, now_ms)
    }

    /// The checks beyond the library's.
    pub(super) fn check(mls: MlsKeyPackage, network: Hash, time_ms: u64) -> Result<Self, KeyPackageFault> {
        if mls.ciphersuite() != SUITE {
            return Err(KeyPackageFault::OtherSuite);
        }
        let lifetime = mls.extensions().unknown(LIFETIME_EXTENSION);
        let lifetime = lifetime.ok_or(KeyPackageFault::Lifetime)?;
        let lifetime = Lifetime::from_bytes(&lifetime.0).map_err(|_| KeyPackageFault::Lifetime)?;
        if *mls.life_time() != any_time() {
            return Err(KeyPackageFault::Lifetime);
        }
        if !mls.last_resort() || mls.extensions().iter().count() != 2 {
            return Err(KeyPackageFault::Extensions);
        }
        let member = Member::at(mls.leaf_node(), network, time_ms).map_err(KeyPackageFault::Leaf)?;
        let checked = Self { mls, member, lifetime };
        checked.usable_at(time_ms)?;
        Ok(checked)
    }

    pub(super) const fn usable_at(&self, time_ms: u64) -> Result<(), KeyPackageFault> {
        if self.lifetime.contains(time_ms) {
            Ok(())
        } else {
            Err(KeyPackageFault::NotNow)
        }
    }

    /// Whom it adds.
    #[must_use]
    pub const fn member(&self) -> Member {
        self.member
    }

    pub(super) fn mls(&self) -> MlsKeyPackage {
        self.mls.clone()
    }

    /// Makes a key package of this device, keeps its secrets in the storage, and returns what to publish. It can be used
    /// more than once, since nothing on an open log can be handed out to one taker only; [`Self::forget`] ends that.
    ///
    /// # Errors
    /// If the storage refuses.
    pub fn offer<S: StorageProvider>(
        provider: &Provider<'_, S>,
        myself: &Myself,
        lifetime: Lifetime,
    ) -> Result<Vec<u8>, GroupError> {
        let extension = Extension::Unknown(LIFETIME_EXTENSION, UnknownExtension(lifetime.to_bytes()));
        let bundle = MlsKeyPackage::builder()
            .key_package_lifetime(any_time())
            .key_package_extensions(Extensions::single(extension).map_err(|_| GroupError::Library)?)
            .leaf_node_capabilities(capabilities())
            .mark_as_last_resort()
            .build(SUITE, provider, myself, myself.credential())
            .map_err(|_| GroupError::Library)?;
        MlsMessageOut::from(bundle.into_key_package())
            .to_bytes()
            .map_err(|_| GroupError::Library)
    }

    /// Seals a few bytes to the device that published this, outside of any group; `information` says what they are for, and
    /// opens nothing else. HPKE in the suite of the groups.
    #[must_use]
    pub fn seal(&self, information: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        let key = self.mls.hpke_init_key().as_slice();
        let sealed = RustCrypto::default().hpke_seal(SUITE.hpke_config(), key, information, &[], text);
        let sealed = sealed.ok()?;
        Some([sealed.kem_output.as_slice(), sealed.ciphertext.as_slice()].concat())
    }

    /// What was sealed to this key package of the own device; `None` if it does not open, or its secrets are gone.
    ///
    /// # Errors
    /// If the storage refuses.
    pub fn open<S: StorageProvider>(
        &self,
        provider: &Provider<'_, S>,
        information: &[u8],
        sealed: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, GroupError> {
        let reference = self.mls.hash_ref(provider.crypto()).map_err(|_| GroupError::Library)?;
        let bundle: Option<KeyPackageBundle> = provider
            .storage()
            .key_package(&reference)
            .map_err(|_| GroupError::Storage)?;
        let (Some(bundle), Some((encapsulated, text))) = (bundle, sealed.split_at_checked(ENCAPSULATED_BYTES)) else {
            return Ok(None);
        };
        let sealed = HpkeCiphertext {
            kem_output: encapsulated.to_vec().into(),
            ciphertext: text.to_vec().into(),
        };
        let opened = provider.crypto().hpke_open(
            SUITE.hpke_config(),
            &sealed,
            bundle.init_private_key(),
            information,
            &[],
        );
        Ok(opened.ok().map(Zeroizing::new))
    }

    /// Deletes the secrets of a key package: it adds this device no more, and what was sent to it opens no more.
    ///
    /// # Errors
    /// If the storage refuses.
    pub fn forget<S: StorageProvider>(&self, provider: &Provider<'_, S>) -> Result<(), GroupError> {
        let reference = self.mls.hash_ref(provider.crypto()).map_err(|_| GroupError::Library)?;
        provider
            .storage()
            .delete_key_package(&reference)
            .map_err(|_| GroupError::Storage)
    }
}

//! Members: devices, each certified by its account.
//!
//! Each device is one leaf of the group's tree; the leaf's signature key is the device's own, and its credential is the
//! device's certificate. Without looking into it, any member could update its leaf and be somebody else, since the
//! library leaves the meaning of a credential to us. So the certificate is checked on every leaf that comes in or
//! changes, at the certified time of its block. Whether the account has revoked the device since is not asked here: that
//! depends on what a reader has fetched, and all members must come to the same verdict. `// SPEC 22.9`

use openmls::prelude::{
    BasicCredential, Capabilities, Credential, CredentialType, CredentialWithKey, ExtensionType, LeafNode,
    ProtocolVersion, SignatureScheme,
};
use openmls_traits::signatures::{Signer, SignerError};
use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Encode};

use crate::device::{DeviceId, DeviceKey};
use crate::identity::{AccountId, CertificateError, CertifiedDevice, DeviceCertificate};

use super::{CHARTER_EXTENSION, LIFETIME_EXTENSION, SUITE};

/// A device in a group, certified by its account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Member {
    /// The device: what its messages are signed with.
    pub device: DeviceId,
    /// Whose device it is.
    pub account: AccountId,
}

/// Why a leaf is none that a group has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeafFault {
    /// The credential is no certificate.
    NoCertificate,
    /// The certificate is another device's.
    OtherDevice,
    /// The certificate does not count.
    Certificate(CertificateError),
    /// The leaf announces other abilities than all members have, or carries extensions.
    OtherAbilities,
}

impl Member {
    /// Who stands behind a leaf that comes in or changes in a block of this time.
    pub(super) fn at(leaf: &LeafNode, network: Hash, time_ms: u64) -> Result<Self, LeafFault> {
        let certified = certified(leaf, network)?;
        certified.counts_at(time_ms).map_err(LeafFault::Certificate)?;
        Ok(Self::of(&certified))
    }

    /// Who stands behind a leaf that came in earlier, by another's word.
    pub(super) fn told(leaf: &LeafNode, network: Hash) -> Result<Self, LeafFault> {
        certified(leaf, network).map(|certified| Self::of(&certified))
    }

    /// Who stands behind a leaf that this device has checked when it came in.
    pub(super) fn known(leaf: &LeafNode) -> Option<Self> {
        certificate(leaf).ok().map(|certificate| Self::of(&certificate))
    }

    const fn of(certificate: &DeviceCertificate) -> Self {
        Self {
            device: certificate.device,
            account: certificate.account,
        }
    }
}

fn certificate(leaf: &LeafNode) -> Result<DeviceCertificate, LeafFault> {
    let credential = BasicCredential::try_from(leaf.credential().clone()).map_err(|_| LeafFault::NoCertificate)?;
    DeviceCertificate::from_bytes(credential.identity()).map_err(|_| LeafFault::NoCertificate)
}

fn certified(leaf: &LeafNode, network: Hash) -> Result<CertifiedDevice, LeafFault> {
    if *leaf.capabilities() != capabilities() || leaf.extensions().iter().next().is_some() {
        return Err(LeafFault::OtherAbilities);
    }
    let certificate = certificate(leaf)?;
    if leaf.signature_key().as_slice() != certificate.device.0 {
        return Err(LeafFault::OtherDevice);
    }
    let account = certificate.account;
    certificate.verify(network, account).map_err(LeafFault::Certificate)
}

/// What every leaf says it can do: one answer for all, so that nothing about a device shows.
pub(super) fn capabilities() -> Capabilities {
    let extensions = [
        ExtensionType::LastResort,
        ExtensionType::Unknown(CHARTER_EXTENSION),
        ExtensionType::Unknown(LIFETIME_EXTENSION),
    ];
    Capabilities::new(
        Some(&[ProtocolVersion::Mls10]),
        Some(&[SUITE]),
        Some(&extensions),
        Some(&[]),
        Some(&[CredentialType::Basic]),
    )
}

/// This device, as it stands in groups: its key, and its certificate.
#[derive(Clone, Debug)]
pub struct Myself {
    key: DeviceKey,
    certificate: CertifiedDevice,
}

impl Myself {
    /// Puts the two together; `None` if they do not belong together.
    #[must_use]
    pub fn new(key: DeviceKey, certificate: CertifiedDevice) -> Option<Self> {
        (certificate.device == key.id()).then_some(Self { key, certificate })
    }

    /// The device's key.
    #[must_use]
    pub const fn key(&self) -> &DeviceKey {
        &self.key
    }

    /// What its account says about it.
    #[must_use]
    pub const fn certificate(&self) -> &CertifiedDevice {
        &self.certificate
    }

    /// How others see it.
    #[must_use]
    pub fn member(&self) -> Member {
        Member::of(&self.certificate)
    }

    pub(super) fn credential(&self) -> CredentialWithKey {
        let certificate: &DeviceCertificate = &self.certificate;
        CredentialWithKey {
            credential: Credential::from(BasicCredential::new(certificate.to_bytes())),
            signature_key: self.key.id().0.to_vec().into(),
        }
    }
}

impl Signer for Myself {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.key.sign(payload).0.to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

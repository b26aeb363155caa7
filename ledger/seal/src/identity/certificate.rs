//! The certificate of a device: its account says that it may speak, and the device says for whom.
//!
//! ```text
//! version 1 | account 32 | device 32 | name 4+n | from 8 | until 8 | sequence 8 | acceptance 64 | signature 64
//! acceptance  by the device:  domain, network, account
//! signature   by the root:    domain, network, everything before the signature
//! ```
//!
//! Two signatures, because with the root's alone anybody could put somebody else's device on his own card, and what that
//! device says would be taken for his. The certificate is the same on every card of the account and in every group; what
//! takes it back is the card, and what ends it by itself is its time. `// SPEC 26.2`

use core::fmt;
use core::ops::Deref;

use waxwing_core::Hash;
use waxwing_core::codec::{CodecError, Decode, Encode, Reader};
use waxwing_core::keys::{BadSignature, Signature};

use crate::content::Text;
use crate::device::{DeviceId, DeviceKey};
use crate::identity::account::{AccountId, AccountKey};
use crate::limits::{CERTIFICATE_SKEW_MS, DEVICE_NAME_BYTES_MAX};

/// What the root signs starts with this.
pub const CERTIFICATE_DOMAIN: &[u8] = b"waxwing v1 device certificate";
/// What the device signs starts with this.
pub const ACCEPTANCE_DOMAIN: &[u8] = b"waxwing v1 device acceptance";

const VERSION: u8 = 1;

/// The fewest bytes of a certificate: its device has no name.
pub(crate) const CERTIFICATE_BYTES_MIN: usize = 1 + 32 + 32 + 4 + 8 + 8 + 8 + 64 + 64;

/// What the owner calls a device.
pub type DeviceName = Text<DEVICE_NAME_BYTES_MAX>;

/// A device's word that it speaks for an account: what it hands to whoever holds the root key, to be certified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Acceptance {
    /// The device.
    pub device: DeviceId,
    /// Its signature.
    pub signature: Signature,
}

impl Acceptance {
    /// Signed by the device itself.
    #[must_use]
    pub fn sign(device: &DeviceKey, network: Hash, account: AccountId) -> Self {
        Self {
            device: device.id(),
            signature: device.sign(&acceptance_message(network, account)),
        }
    }

    /// Whether this device accepted this account.
    ///
    /// # Errors
    /// If its signature does not count.
    pub fn verify(&self, network: Hash, account: AccountId) -> Result<(), BadSignature> {
        self.device
            .verify(&acceptance_message(network, account), &self.signature)
    }
}

fn acceptance_message(network: Hash, account: AccountId) -> Vec<u8> {
    [ACCEPTANCE_DOMAIN, network.as_bytes(), account.as_bytes()].concat()
}

impl Encode for Acceptance {
    fn encode(&self, out: &mut Vec<u8>) {
        self.device.encode(out);
        self.signature.encode(out);
    }
}

impl Decode for Acceptance {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            device: DeviceId::decode(reader)?,
            signature: Signature::decode(reader)?,
        })
    }
}

/// When a certificate counts, in the ledger's time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Validity {
    from_ms: u64,
    until_ms: u64,
}

impl Validity {
    /// Until it is revoked.
    #[must_use]
    pub const fn from(from_ms: u64) -> Self {
        Self {
            from_ms,
            until_ms: u64::MAX,
        }
    }

    /// Up to and not including a time; `None` if that is not after the start.
    #[must_use]
    pub const fn between(from_ms: u64, until_ms: u64) -> Option<Self> {
        if from_ms < until_ms {
            Some(Self { from_ms, until_ms })
        } else {
            None
        }
    }

    /// When it starts, by the clock of whoever signed: milliseconds since 1970.
    #[must_use]
    pub const fn from_ms(&self) -> u64 {
        self.from_ms
    }

    /// When it ends; the largest number stands for "never".
    #[must_use]
    pub const fn until_ms(&self) -> u64 {
        self.until_ms
    }
}

/// A certificate as it travels; says nothing until it is verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceCertificate {
    /// Whose device it is.
    pub account: AccountId,
    /// The device.
    pub device: DeviceId,
    /// What the owner calls it.
    pub name: DeviceName,
    /// When the certificate counts.
    pub validity: Validity,
    /// Which of the account's certificates this is, from 1: of two for one device the later one counts.
    pub sequence: u64,
    /// The device's own word.
    pub acceptance: Signature,
    /// The root's signature.
    pub signature: Signature,
}

impl DeviceCertificate {
    /// A certificate, signed by the root. Sequence numbers start at 1 and are never used twice.
    #[must_use]
    pub fn sign(
        root: &AccountKey,
        network: Hash,
        accepted: &Acceptance,
        name: DeviceName,
        validity: Validity,
        sequence: u64,
    ) -> Self {
        let mut certificate = Self {
            account: root.id(),
            device: accepted.device,
            name,
            validity,
            sequence,
            acceptance: accepted.signature,
            signature: Signature([0; 64]),
        };
        certificate.signature = root.sign(&certificate.message(network));
        certificate
    }

    fn message(&self, network: Hash) -> Vec<u8> {
        let mut message = [CERTIFICATE_DOMAIN, network.as_bytes()].concat();
        self.encode_signed(&mut message);
        message
    }

    fn encode_signed(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        self.account.encode(out);
        self.device.encode(out);
        self.name.encode(out);
        out.extend_from_slice(&self.validity.from_ms.to_be_bytes());
        out.extend_from_slice(&self.validity.until_ms.to_be_bytes());
        out.extend_from_slice(&self.sequence.to_be_bytes());
        self.acceptance.encode(out);
    }

    /// Checks that it is of this account, and both signatures. Its time is asked for separately, where there is one:
    /// [`CertifiedDevice::counts_at`].
    ///
    /// # Errors
    /// The first check that fails.
    pub fn verify(self, network: Hash, account: AccountId) -> Result<CertifiedDevice, CertificateError> {
        if self.account != account {
            return Err(CertificateError::WrongAccount);
        }
        account
            .verify(&self.message(network), &self.signature)
            .map_err(|_| CertificateError::BadSignature)?;
        let accepted = Acceptance {
            device: self.device,
            signature: self.acceptance,
        };
        accepted
            .verify(network, account)
            .map_err(|_| CertificateError::NotAccepted)?;
        Ok(CertifiedDevice(self))
    }
}

impl Encode for DeviceCertificate {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_signed(out);
        self.signature.encode(out);
    }
}

impl Decode for DeviceCertificate {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.magic(&[VERSION])?;
        let account = AccountId::decode(reader)?;
        let device = DeviceId::decode(reader)?;
        let name = DeviceName::decode(reader)?;
        let validity = Validity::between(reader.u64()?, reader.u64()?).ok_or(CodecError::BadValue)?;
        let sequence = reader.u64()?;
        if sequence == 0 {
            return Err(CodecError::BadValue);
        }
        Ok(Self {
            account,
            device,
            name,
            validity,
            sequence,
            acceptance: Signature::decode(reader)?,
            signature: Signature::decode(reader)?,
        })
    }
}

/// A certificate whose signatures count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertifiedDevice(DeviceCertificate);

impl CertifiedDevice {
    /// Whether it counts at a time: that of the ledger, from the entry that is judged, never that of the own clock.
    /// Whoever signed it may have had a clock that was a day fast.
    ///
    /// # Errors
    /// If it is too early or too late.
    pub const fn counts_at(&self, time_ms: u64) -> Result<(), CertificateError> {
        if time_ms.saturating_add(CERTIFICATE_SKEW_MS) < self.0.validity.from_ms {
            return Err(CertificateError::NotYetValid);
        }
        if time_ms >= self.0.validity.until_ms {
            return Err(CertificateError::Expired);
        }
        Ok(())
    }
}

impl Deref for CertifiedDevice {
    type Target = DeviceCertificate;

    fn deref(&self) -> &DeviceCertificate {
        &self.0
    }
}

/// Why a certificate does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CertificateError {
    /// It is of another account.
    WrongAccount,
    /// The root did not sign it, or signed it for another network.
    BadSignature,
    /// The device did not accept the account.
    NotAccepted,
    /// It starts more than a day later.
    NotYetValid,
    /// Its time is over.
    Expired,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongAccount => "the certificate is of another account",
            Self::BadSignature => "the account did not sign this certificate",
            Self::NotAccepted => "the device never agreed to speak for this account",
            Self::NotYetValid => "the certificate starts later: the clock it was signed with was wrong; sign it again",
            Self::Expired => "the certificate has expired: sign a new one with the account's 24 words",
        })
    }
}

impl core::error::Error for CertificateError {}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: Hash = Hash([1; 32]);

    fn root(byte: u8) -> AccountKey {
        AccountKey::from_entropy(&[byte; 32])
    }

    fn device(byte: u8) -> DeviceKey {
        DeviceKey::from_seed(&[byte; 32])
    }

    fn certificate(validity: Validity) -> DeviceCertificate {
        let accepted = Acceptance::sign(&device(5), NETWORK, root(1).id());
        DeviceCertificate::sign(
            &root(1),
            NETWORK,
            &accepted,
            DeviceName::new("phone").unwrap(),
            validity,
            3,
        )
    }

    #[test]
    fn a_certificate_counts_for_its_account_and_network() {
        let certificate = certificate(Validity::from(1000));
        let verified = certificate.clone().verify(NETWORK, root(1).id()).unwrap();
        assert_eq!((verified.device, verified.sequence), (device(5).id(), 3));
        let refused = |network, account: u8| certificate.clone().verify(network, root(account).id()).unwrap_err();
        assert_eq!(refused(NETWORK, 2), CertificateError::WrongAccount);
        assert_eq!(refused(Hash([2; 32]), 1), CertificateError::BadSignature);
        assert_eq!(DeviceCertificate::from_bytes(&certificate.to_bytes()), Ok(certificate));
    }

    #[test]
    fn every_altered_byte_is_noticed() {
        let bytes = certificate(Validity::from(1000)).to_bytes();
        for place in 0..bytes.len() {
            let mut other = bytes.clone();
            other[place] ^= 1;
            let outcome = DeviceCertificate::from_bytes(&other);
            assert!(
                outcome.is_err() || outcome.unwrap().verify(NETWORK, root(1).id()).is_err(),
                "byte {place}"
            );
        }
    }

    /// The account of somebody who would like to pass for the author of what another's device says.
    #[test]
    fn a_root_cannot_certify_a_device_that_never_agreed() {
        let for_one = Acceptance::sign(&device(5), NETWORK, root(1).id());
        let name = DeviceName::default();
        let stolen = DeviceCertificate::sign(&root(2), NETWORK, &for_one, name, Validity::from(0), 1);
        assert_eq!(stolen.verify(NETWORK, root(2).id()), Err(CertificateError::NotAccepted));
    }

    #[test]
    fn it_counts_from_a_day_before_its_start_to_just_before_its_end() {
        let day = CERTIFICATE_SKEW_MS;
        let certificate = certificate(Validity::between(5 * day, 9 * day).unwrap());
        let certified = certificate.verify(NETWORK, root(1).id()).unwrap();
        assert_eq!(certified.counts_at(4 * day - 1), Err(CertificateError::NotYetValid));
        assert_eq!(certified.counts_at(4 * day), Ok(()));
        assert_eq!(certified.counts_at(9 * day - 1), Ok(()));
        assert_eq!(certified.counts_at(9 * day), Err(CertificateError::Expired));
        assert_eq!(certified.counts_at(u64::MAX), Err(CertificateError::Expired));
        assert_eq!((Validity::between(5, 5), Validity::between(6, 5)), (None, None));
    }

    #[test]
    fn sequence_0_and_an_end_before_the_start_are_no_encoding() {
        let mut bytes = certificate(Validity::from(1000)).to_bytes();
        let start = bytes.len() - 2 * 64 - 3 * 8;
        bytes[start + 23] = 0;
        assert_eq!(DeviceCertificate::from_bytes(&bytes), Err(CodecError::BadValue));
        bytes[start + 23] = 3;
        bytes[start + 8..start + 16].copy_from_slice(&1000_u64.to_be_bytes());
        assert_eq!(DeviceCertificate::from_bytes(&bytes), Err(CodecError::BadValue));
    }
}

//! Devices: who wrote a message, proven by a signature inside the encryption.
//!
//! A device id is an ed25519 public key. Only members ever see it: nodes see the log's signature, which all members
//! make alike. The key also roots the device's erasure secrets, so that erasing an old message takes nothing but the
//! message itself (its salt) and the key. `// SPEC 22.4`

use core::fmt;

use ed25519_dalek::{Signature as DalekSignature, Signer, SigningKey, VerifyingKey};
use waxwing_core::Hash;
use waxwing_core::codec::{CodecError, Decode, Encode, Reader};
use waxwing_core::envelope::ErasureSecret;
use waxwing_core::keys::{BadSignature, LogId, Signature};
use zeroize::Zeroizing;

use crate::channel::derive;
use crate::content::EraseSalt;
use crate::{Chance, draw};

const ERASURE_CONTEXT: &str = "waxwing v1 erasure secret";

/// A device: the public key its messages are checked with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub [u8; 32]);

impl DeviceId {
    /// Checks a signature, strictly: the ledger's one rule of validity.
    ///
    /// # Errors
    /// If it does not count.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        let key = VerifyingKey::from_bytes(&self.0).map_err(|_| BadSignature)?;
        key.verify_strict(message, &DalekSignature::from_bytes(&signature.0))
            .map_err(|_| BadSignature)
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hash(self.0), f)
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceId({self})")
    }
}

impl Encode for DeviceId {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl Decode for DeviceId {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.array().map(Self)
    }
}

/// A device's key. Never leaves the device, never in a backup. Wiped when dropped.
#[derive(Clone)]
pub struct DeviceKey(SigningKey);

impl DeviceKey {
    /// A new device.
    #[must_use]
    pub fn random(chance: &mut Chance<'_>) -> Self {
        Self::from_seed(&Zeroizing::new(draw(chance)))
    }

    /// The key that grows from this seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed, for the local store; wiped when dropped.
    #[must_use]
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    #[must_use]
    pub fn id(&self) -> DeviceId {
        DeviceId(self.0.verifying_key().to_bytes())
    }

    /// Signs; the caller puts the domain first.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }

    /// The secret whose publication erases the body that carries `salt` on `log`. Computed again when it is needed,
    /// never stored.
    #[must_use]
    pub fn erasure_secret(&self, log: LogId, salt: EraseSalt) -> ErasureSecret {
        ErasureSecret(*derive(ERASURE_CONTEXT, &[&*self.seed(), log.as_bytes(), &salt.0]))
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey(secret of {})", self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::Verifier;

    #[test]
    fn a_signature_counts_for_its_device_and_message_only() {
        let key = DeviceKey::from_seed(&[1; 32]);
        let signature = key.sign(b"message");
        assert_eq!(key.id().verify(b"message", &signature), Ok(()));
        assert_eq!(key.id().verify(b"massage", &signature), Err(BadSignature));
        assert_eq!(
            DeviceKey::from_seed(&[2; 32]).id().verify(b"message", &signature),
            Err(BadSignature)
        );
    }

    /// With the identity point as key and as R, and S = 0, the plain equation S B = R + k A holds for every message: a
    /// "device" that signed everything.
    #[test]
    fn a_key_that_signs_everything_is_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        let plain = VerifyingKey::from_bytes(&identity).unwrap();
        assert!(
            plain
                .verify(b"anything", &DalekSignature::from_bytes(&signature))
                .is_ok(),
            "the danger is real"
        );
        assert_eq!(
            DeviceId(identity).verify(b"anything", &Signature(signature)),
            Err(BadSignature)
        );
    }

    #[test]
    fn device_log_and_salt_each_give_another_erasure_secret() {
        let secret = |device, log, salt| {
            DeviceKey::from_seed(&[device; 32])
                .erasure_secret(LogId([log; 32]), EraseSalt([salt; 16]))
                .0
        };
        assert_eq!(secret(1, 1, 1), secret(1, 1, 1));
        let mut seen = vec![secret(1, 1, 1), secret(2, 1, 1), secret(1, 2, 1), secret(1, 1, 2)];
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 4);
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let shown = format!("{:?}", DeviceKey::random(&mut |bytes| bytes.fill(0xab)));
        assert!(!shown.contains("abab") && !shown.contains("171, 171"), "{shown}");
    }
}

//! Keys, a pair of types per purpose.
//!
//! A log key, a vote key and a node's transport key are all ed25519 keys, and none may stand in for another: whoever
//! could make a node sign a "log entry" that is a vote would own the network. So each purpose has its own types, every
//! signed message starts with its own domain, and the one rule of validity everywhere is `verify_strict`: it refuses
//! keys of small order and signatures with more than one encoding, so two implementations can never disagree about
//! whether a signature counts. `// SPEC 4`

use core::fmt;

use ed25519_dalek::{Signature as DalekSignature, Signer, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::codec::{CodecError, Decode, Encode, Reader};
use crate::hash::Hash;

/// Bytes in a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// An ed25519 signature as it travels; says nothing until it is verified.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; SIGNATURE_BYTES]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}

impl Encode for Signature {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl Decode for Signature {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.array().map(Self)
    }
}

/// The signature does not count: wrong key, wrong message, or a form that strict verification refuses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadSignature;

impl fmt::Display for BadSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the signature is not valid for this key and message")
    }
}

impl core::error::Error for BadSignature {}

fn verify_strict(key: &[u8; 32], message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
    let key = VerifyingKey::from_bytes(key).map_err(|_| BadSignature)?;
    key.verify_strict(message, &DalekSignature::from_bytes(&signature.0))
        .map_err(|_| BadSignature)
}

fn is_usable(key: &[u8; 32]) -> bool {
    VerifyingKey::from_bytes(key).is_ok_and(|key| !key.is_weak())
}

macro_rules! key_pair {
    ($public:ident, $secret:ident, $public_doc:literal, $secret_doc:literal) => {
        #[doc = $public_doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $public(pub [u8; 32]);

        impl $public {
            /// The raw bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// The same bytes as a [`Hash`](struct@Hash), for where keys stand beside hashes.
            #[must_use]
            pub const fn as_hash(&self) -> Hash {
                Hash(self.0)
            }

            /// Whether any signature could ever count for this key: a point on the curve, not of small order.
            #[must_use]
            pub fn is_usable(&self) -> bool {
                is_usable(&self.0)
            }

            /// Checks a signature, strictly.
            ///
            /// # Errors
            /// If it does not count.
            pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
                verify_strict(&self.0, message, signature)
            }
        }

        impl fmt::Debug for $public {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($public), "({})"), self.as_hash())
            }
        }

        impl fmt::Display for $public {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.as_hash(), f)
            }
        }

        impl Encode for $public {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.0);
            }
        }

        impl Decode for $public {
            fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
                reader.array().map(Self)
            }
        }

        #[doc = $secret_doc]
        #[derive(Clone)]
        pub struct $secret(SigningKey);

        impl $secret {
            /// The key that grows from this seed.
            #[must_use]
            pub fn from_seed(seed: &[u8; 32]) -> Self {
                Self(SigningKey::from_bytes(seed))
            }

            /// The seed, to be stored; wiped when dropped.
            #[must_use]
            pub fn seed(&self) -> Zeroizing<[u8; 32]> {
                Zeroizing::new(self.0.to_bytes())
            }

            /// The public half.
            #[must_use]
            pub fn public(&self) -> $public {
                $public(self.0.verifying_key().to_bytes())
            }

            /// Signs; the caller puts the domain first.
            #[must_use]
            pub fn sign(&self, message: &[u8]) -> Signature {
                Signature(self.0.sign(message).to_bytes())
            }
        }

        impl fmt::Debug for $secret {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($secret), "(secret of {})"), self.public())
            }
        }
    };
}

key_pair!(
    LogId,
    LogKey,
    "A log: the public key whose signature makes an entry count on it.",
    "The right to append to a log. Wiped when dropped."
);
key_pair!(
    ValidatorId,
    VoteKey,
    "A validator: the public key its votes and beacons are checked with.",
    "A validator's right to vote. On two machines at once it is the classic way to lose a validator. Wiped when dropped."
);
key_pair!(
    NodeId,
    NodeKey,
    "A node's address: the public key it shows in the TLS handshake and signs acknowledgements with.",
    "A node's transport key. Wiped when dropped."
);

/// A value that passed every check that can be made on it alone.
///
/// Only this crate makes one, by consuming the unverified value; [`Verified::id()`] is the hash that names the value,
/// computed on the way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified<T> {
    value: T,
    id: Hash,
}

impl<T> Verified<T> {
    pub(crate) const fn new(value: T, id: Hash) -> Self {
        Self { value, id }
    }

    /// The hash that names the value: entry id or block id.
    #[must_use]
    pub const fn id(&self) -> Hash {
        self.id
    }

    /// Gives up the proof of verification.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> core::ops::Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_counts_for_its_key_and_message_only() {
        let key = LogKey::from_seed(&[1; 32]);
        let signature = key.sign(b"message");
        assert_eq!(key.public().verify(b"message", &signature), Ok(()));
        assert_eq!(key.public().verify(b"massage", &signature), Err(BadSignature));
        let other = LogKey::from_seed(&[2; 32]).public();
        assert_eq!(other.verify(b"message", &signature), Err(BadSignature));
    }

    #[test]
    fn keys_of_small_order_are_not_usable() {
        assert!(LogKey::from_seed(&[1; 32]).public().is_usable());
        assert!(!LogId([0; 32]).is_usable(), "the all-zero key has order 4");
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(!LogId(identity).is_usable());
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let key = NodeKey::from_seed(&[0xab; 32]);
        assert!(!format!("{key:?}").contains("abababab"));
    }
}

//! The account: one root key that certifies devices, and from which every card of the account grows.
//!
//! ```text
//! root seed       = derive_key("waxwing v1 account root key"; 256 bits behind the 24 words)
//! card seed       = derive_key("waxwing v1 card seed"; root seed, network, number of the card)
//! ```
//!
//! The words alone are enough to find the account again: they give the seed of card 0, that card names the next one, and
//! so on to the last. No device can compute the seed of a card to come, so whoever had a device and lost it is left
//! behind with the card it knew. The account is one on all networks; what it signs names the network. `// SPEC 26.1`

use core::fmt;

use ed25519_dalek::{Signature as DalekSignature, Signer, SigningKey, VerifyingKey};
use waxwing_core::Hash;
use waxwing_core::codec::{CodecError, Decode, Encode, Reader};
use waxwing_core::keys::{BadSignature, Signature};
use zeroize::Zeroizing;

use crate::channel::derive;
use crate::identity::address::CardSeed;

const ROOT_CONTEXT: &str = "waxwing v1 account root key";
const CARD_SEED_CONTEXT: &str = "waxwing v1 card seed";

/// An account: the public half of its root key. Only contacts ever see it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub [u8; 32]);

impl AccountId {
    /// The raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

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

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hash(self.0), f)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountId({self})")
    }
}

impl Encode for AccountId {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl Decode for AccountId {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.array().map(Self)
    }
}

/// The root key. In memory only while devices are added, lifted or revoked; never stored. Wiped when dropped.
#[derive(Clone)]
pub struct AccountKey(SigningKey);

impl AccountKey {
    /// The key that grows from the bits behind the words.
    pub(crate) fn from_entropy(entropy: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&derive(ROOT_CONTEXT, &[entropy])))
    }

    /// The account.
    #[must_use]
    pub fn id(&self) -> AccountId {
        AccountId(self.0.verifying_key().to_bytes())
    }

    /// Signs; the caller puts the domain first.
    pub(crate) fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }

    /// The seed of one of the account's cards on a network, counted from 0.
    #[must_use]
    pub fn card_seed(&self, network: Hash, number: u64) -> CardSeed {
        let seed = Zeroizing::new(self.0.to_bytes());
        let parts: [&[u8]; 3] = [&*seed, network.as_bytes(), &number.to_be_bytes()];
        CardSeed::from_bytes(*derive(CARD_SEED_CONTEXT, &parts))
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountKey(secret of {})", self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> AccountKey {
        AccountKey::from_entropy(&[byte; 32])
    }

    #[test]
    fn the_words_determine_the_account_and_other_words_another() {
        assert_eq!(key(1).id(), key(1).id());
        assert_ne!(key(1).id(), key(2).id());
        // The bits are not used as a key themselves: the same words may serve something else as well.
        assert_ne!(
            key(1).id().0,
            SigningKey::from_bytes(&[1; 32]).verifying_key().to_bytes()
        );
    }

    #[test]
    fn a_signature_counts_for_its_account_and_message_only() {
        let signature = key(1).sign(b"message");
        assert_eq!(key(1).id().verify(b"message", &signature), Ok(()));
        assert_eq!(key(1).id().verify(b"massage", &signature), Err(BadSignature));
        assert_eq!(key(2).id().verify(b"message", &signature), Err(BadSignature));
    }

    #[test]
    fn account_network_and_number_each_give_another_card() {
        let seed = |account, network, number| *key(account).card_seed(Hash([network; 32]), number).expose();
        let mut seen = vec![seed(1, 1, 0), seed(2, 1, 0), seed(1, 2, 0), seed(1, 1, 1)];
        assert_eq!(seed(1, 1, 0), seed(1, 1, 0));
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 4);
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let secret = Hash(key(3).0.to_bytes()).to_string();
        assert!(!format!("{:?}", key(3)).contains(secret.get(..8).unwrap()));
    }
}

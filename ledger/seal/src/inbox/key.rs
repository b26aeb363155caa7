//! The two keys of an inbox: the seed that lets somebody post, and the key that lets its owner read.
//!
//! ```text
//! inbox seed ─┬─ "waxwing v1 inbox log key"  ─> log seed ─> ed25519 key = the log    who has the link: may post
//! (network)   └─ "waxwing v1 inbox seal key" ─> seal key ─> outer seal               and sees that there are posts
//! inbox key  ──  "waxwing v1 inbox key pair" ─> X-Wing key pair (ML-KEM-768 and X25519)  the owner alone: reads them
//! ```
//!
//! A link may pass through many hands, and all of them could read what is sealed with what it holds. So posts are sealed
//! once more, to a key whose secret half never leaves the owner. Its public half is too long for a link: it is the first
//! thing said on the log. The encryption is HPKE (RFC 9180) in the suite of our groups, by the library that groups use.
//! `// SPEC 28.1, 28.2`

use core::fmt;

use openmls_rust_crypto::RustCrypto;
use openmls_traits::crypto::OpenMlsCrypto;
use openmls_traits::types::{HpkeCiphertext, HpkeKeyPair};
use waxwing_core::Hash;
use waxwing_core::codec::{CodecError, Decode, Encode, Reader};
use waxwing_core::keys::LogId;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::channel::{EpochKeys, derive};
use crate::engine::Binding;
use crate::group::SUITE;
use crate::{Chance, draw};

use super::limits::{ENCAPSULATED_BYTES, PUBLIC_KEY_BYTES};

const LOG_KEY_CONTEXT: &str = "waxwing v1 inbox log key";
const SEAL_KEY_CONTEXT: &str = "waxwing v1 inbox seal key";
const KEY_PAIR_CONTEXT: &str = "waxwing v1 inbox key pair";

/// What the information for HPKE starts with.
const SEAL_DOMAIN: &[u8] = b"waxwing v1 inbox seal";

/// The right to post into an inbox: 32 random bytes, one seed per invitation and one per contact. Wiped when dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct InboxSeed([u8; 32]);

impl InboxSeed {
    /// A new inbox.
    #[must_use]
    pub fn random(chance: &mut Chance<'_>) -> Self {
        Self(draw(chance))
    }

    /// An inbox known from a link, a post, or the local store.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The inbox's log, and the key of the outer seal.
    #[must_use]
    pub fn keys(&self, network: Hash) -> EpochKeys {
        let parts: [&[u8]; 2] = [&self.0, network.as_bytes()];
        EpochKeys::new(&derive(LOG_KEY_CONTEXT, &parts), &derive(SEAL_KEY_CONTEXT, &parts))
    }
}

impl fmt::Debug for InboxSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InboxSeed(..)")
    }
}

impl Encode for InboxSeed {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl Decode for InboxSeed {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.array().map(Self)
    }
}

/// The right to read what is posted: 32 random bytes from which the key pair grows. Stays on its device, and is deleted
/// with the inbox: then nobody reads the old posts any more. Wiped when dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct InboxKey([u8; 32]);

impl InboxKey {
    /// A new key.
    #[must_use]
    pub fn random(chance: &mut Chance<'_>) -> Self {
        Self(draw(chance))
    }

    /// A key known from the local store.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes, for the local store.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The public half.
    ///
    /// # Panics
    /// Never: the public keys of this KEM all have one length.
    #[must_use]
    pub fn public(&self) -> InboxPublic {
        let public = self.pair().public.try_into();
        InboxPublic(public.expect("a public key of this KEM has 1216 bytes"))
    }

    fn pair(&self) -> HpkeKeyPair {
        RustCrypto::default()
            .derive_hpke_keypair(SUITE.hpke_config(), &*derive(KEY_PAIR_CONTEXT, &[&self.0]))
            .expect("the key pair of this KEM grows from any 32 bytes")
    }

    /// What was sealed to this key, under these terms.
    pub(super) fn open(&self, sealing: &Sealing, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (encapsulated, text) = sealed.split_at_checked(ENCAPSULATED_BYTES)?;
        let sealed = HpkeCiphertext {
            kem_output: encapsulated.to_vec().into(),
            ciphertext: text.to_vec().into(),
        };
        let pair = self.pair();
        let opened = RustCrypto::default().hpke_open(
            SUITE.hpke_config(),
            &sealed,
            &pair.private,
            &sealing.information(),
            &sealing.associated(),
        );
        opened.ok().map(Zeroizing::new)
    }
}

impl fmt::Debug for InboxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InboxKey(..)")
    }
}

impl Encode for InboxKey {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl Decode for InboxKey {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.array().map(Self)
    }
}

/// The public half of an [`InboxKey`]. As it travels: any bytes of its length.
#[derive(Clone, PartialEq, Eq)]
pub struct InboxPublic(Box<[u8; PUBLIC_KEY_BYTES]>);

impl InboxPublic {
    /// Seals to the owner under these terms; `None` if no such key can be sealed to.
    pub(super) fn seal(&self, sealing: &Sealing, text: &[u8]) -> Option<Vec<u8>> {
        let sealed = RustCrypto::default().hpke_seal(
            SUITE.hpke_config(),
            self.0.as_slice(),
            &sealing.information(),
            &sealing.associated(),
            text,
        );
        let sealed = sealed.ok()?;
        Some([sealed.kem_output.as_slice(), sealed.ciphertext.as_slice()].concat())
    }

    /// Whether anything can be sealed to it: a made-up key is refused before somebody waits for an answer.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.seal(&Sealing::default(), &[]).is_some()
    }
}

impl fmt::Debug for InboxPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = *self.0;
        write!(f, "InboxPublic({a:02x}{b:02x}{c:02x}{d:02x}..)")
    }
}

impl Encode for InboxPublic {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.as_slice());
    }
}

impl Decode for InboxPublic {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.array().map(|bytes| Self(Box::new(bytes)))
    }
}

/// Where somebody is written to: the right to post, and the key to seal to. Not in links: it travels inside of posts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InboxAddress {
    /// The right to post.
    pub seed: InboxSeed,
    /// Who reads.
    pub public: InboxPublic,
}

impl Encode for InboxAddress {
    fn encode(&self, out: &mut Vec<u8>) {
        self.seed.encode(out);
        self.public.encode(out);
    }
}

impl Decode for InboxAddress {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            seed: InboxSeed::decode(reader)?,
            public: InboxPublic::decode(reader)?,
        })
    }
}

/// What a sealed post is bound to: whoever posts it elsewhere, later, or under other terms of keeping posts nothing.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Sealing {
    network: Hash,
    log: Hash,
    occasion: Hash,
    erasure: Hash,
    days: u32,
}

impl Sealing {
    pub(super) const fn new(binding: &Binding, occasion: Hash) -> Self {
        Self {
            network: binding.network,
            log: log_hash(binding.log),
            occasion,
            erasure: binding.erasure,
            days: binding.keep_for.days(),
        }
    }

    fn information(&self) -> Vec<u8> {
        let parts = [&self.network, &self.log, &self.occasion];
        let mut out = SEAL_DOMAIN.to_vec();
        parts.iter().for_each(|part| part.encode(&mut out));
        out
    }

    fn associated(&self) -> Vec<u8> {
        let mut out = self.erasure.to_bytes();
        out.extend_from_slice(&self.days.to_be_bytes());
        out
    }
}

const fn log_hash(log: LogId) -> Hash {
    Hash(log.0)
}

#[cfg(test)]
mod tests {
    use waxwing_core::envelope::KeepFor;

    use super::*;

    const NETWORK: Hash = Hash([1; 32]);

    fn terms(network: u8, log: u8, occasion: u8, erasure: u8, keep_for: KeepFor) -> Sealing {
        let binding = Binding {
            network: Hash([network; 32]),
            log: LogId([log; 32]),
            erasure: Hash([erasure; 32]),
            keep_for,
        };
        Sealing::new(&binding, Hash([occasion; 32]))
    }

    #[test]
    fn seed_and_network_give_other_inboxes_and_neither_channels_nor_cards_do() {
        let log = |seed, network| InboxSeed::from_bytes([seed; 32]).keys(Hash([network; 32])).log().0;
        let channel = crate::ChannelSecret::from_bytes([1; 32]).epoch_keys(NETWORK, 0);
        let card = crate::identity::CardSeed::from_bytes([1; 32]).keys(NETWORK);
        let mut seen = vec![log(1, 1), log(2, 1), log(1, 2), channel.log().0, card.log().0];
        assert_eq!(log(1, 1), log(1, 1));
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 5);
    }

    #[test]
    fn what_is_sealed_to_a_key_opens_with_it_under_the_same_terms_alone() {
        let (key, other) = (InboxKey::from_bytes([5; 32]), InboxKey::from_bytes([6; 32]));
        let good = terms(1, 2, 3, 4, KeepFor::Week);
        let sealed = key.public().seal(&good, b"text").unwrap();
        assert_eq!(key.open(&good, &sealed).unwrap().as_slice(), b"text");
        assert!(other.open(&good, &sealed).is_none());
        for elsewhere in [
            terms(9, 2, 3, 4, KeepFor::Week),
            terms(1, 9, 3, 4, KeepFor::Week),
            terms(1, 2, 9, 4, KeepFor::Week),
            terms(1, 2, 3, 9, KeepFor::Week),
            terms(1, 2, 3, 4, KeepFor::Ever),
        ] {
            assert!(key.open(&elsewhere, &sealed).is_none(), "{elsewhere:?}");
        }
        for place in [0, 1119, 1120, sealed.len() - 1] {
            let mut altered = sealed.clone();
            altered[place] ^= 1;
            assert!(key.open(&good, &altered).is_none(), "byte {place}");
        }
        for length in [0, 1, 1119, 1120, 1135, sealed.len() - 1] {
            assert!(key.open(&good, &sealed[..length]).is_none(), "{length} bytes");
        }
    }

    #[test]
    fn nothing_is_sealed_twice_alike() {
        let public = InboxKey::from_bytes([5; 32]).public();
        let seal = || public.seal(&Sealing::default(), b"text").unwrap();
        assert_ne!(seal(), seal());
    }

    #[test]
    fn the_public_half_is_always_the_same_and_usable_and_a_made_up_one_is_not() {
        let key = InboxKey::from_bytes([5; 32]);
        assert_eq!(key.public(), key.public());
        assert!(key.public().is_usable());
        let made_up = InboxPublic(Box::new([0xff; PUBLIC_KEY_BYTES]));
        assert!(!made_up.is_usable(), "its numbers are above the modulus");
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let address = InboxAddress {
            seed: InboxSeed::from_bytes([0xab; 32]),
            public: InboxKey::from_bytes([0xcd; 32]).public(),
        };
        let key = InboxKey::from_bytes([0xef; 32]);
        let shown = format!("{address:?} {key:?} {:?}", address.seed);
        for hidden in ["abab", "171, 171", "cdcd", "205, 205", "efef", "239, 239"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }
}

//! Who an endpoint is: an ed25519 key, shown in the TLS handshake as it is (RFC 7250), vouched for by nobody.
//!
//! A node's address contains its key, so whoever dials knows which key must answer and needs no certificate authority.
//! A light client shows a key too, because the handshake is the same for everybody, but a fresh one for each connection:
//! two connections of one person have nothing in common but what they ask for.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use waxwing_core::keys::{NodeId, NodeKey};
use zeroize::Zeroizing;

use super::restart::ResetSecret;

/// `SubjectPublicKeyInfo` of an ed25519 key, up to the key itself (RFC 8410, section 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// `PrivateKeyInfo` of an ed25519 key, up to the seed (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// What an endpoint shows and proves in the handshake. Cheap to clone.
///
/// The seed is wiped here; the copy inside the cryptographic library is wiped by it when the last clone is dropped.
#[derive(Clone)]
pub struct Identity {
    node: NodeId,
    certified: Arc<CertifiedKey>,
    reset: ResetSecret,
}

impl Identity {
    /// The identity that this key gives.
    ///
    /// # Panics
    /// Never: every seed is a key.
    #[must_use]
    pub fn new(key: &NodeKey) -> Self {
        let node = key.public();
        let seed = key.seed();
        let pkcs8 = Zeroizing::new([&PKCS8_PREFIX[..], &seed[..]].concat());
        let signer = aws_lc_rs::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(&pkcs8[..]))
            .expect("every 32 bytes are an ed25519 seed, and the prefix says so");
        let certified = CertifiedKey::new(vec![CertificateDer::from(spki(node))], signer);
        Self {
            node,
            certified: Arc::new(certified),
            reset: ResetSecret::new(key),
        }
    }

    /// An identity that nobody has seen before and nobody will see again.
    ///
    /// # Panics
    /// If the operating system has no randomness; then nothing else here could be secret either.
    #[must_use]
    pub fn ephemeral() -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        aws_lc_rs::default_provider()
            .secure_random
            .fill(&mut seed[..])
            .expect("without randomness no connection could be secret, so there is nothing to go on with");
        Self::new(&NodeKey::from_seed(&seed))
    }

    /// The public half.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        self.node
    }

    pub(super) const fn reset(&self) -> &ResetSecret {
        &self.reset
    }

    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        self.certified.clone()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.node)
    }
}

fn spki(node: NodeId) -> Vec<u8> {
    [&SPKI_PREFIX[..], node.as_bytes()].concat()
}

/// The key that a peer showed, if it is one that a signature could ever count for.
///
/// A key of small order would be an address at which anybody can answer.
pub(super) fn shown_node(spki: &[u8]) -> Option<NodeId> {
    let key = spki.strip_prefix(&SPKI_PREFIX)?;
    let node = NodeId(key.try_into().ok()?);
    node.is_usable().then_some(node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_shows_the_public_key_of_its_node() {
        let key = NodeKey::from_seed(&[3; 32]);
        let identity = Identity::new(&key);
        assert_eq!(identity.node(), key.public());
        let shown = identity.certified();
        assert_eq!(shown.cert[0].as_ref(), spki(key.public()));
        assert_eq!(
            shown.key.public_key().unwrap().as_ref(),
            spki(key.public()),
            "the secret half belongs to it"
        );
        assert_eq!(shown_node(&spki(key.public())), Some(key.public()));
    }

    #[test]
    fn ephemeral_identities_differ() {
        assert_ne!(Identity::ephemeral().node(), Identity::ephemeral().node());
    }

    #[test]
    fn what_is_not_an_honest_ed25519_key_is_nobody() {
        let good = spki(NodeKey::from_seed(&[3; 32]).public());
        assert_eq!(shown_node(&good[..43]), None, "too short");
        assert_eq!(shown_node(&[&good[..], &[0]].concat()), None, "too long");
        let mut other_kind = good.clone();
        other_kind[8] ^= 1;
        assert_eq!(shown_node(&other_kind), None, "another algorithm");
        let mut small_order = [0; 32];
        small_order[0] = 1;
        assert_eq!(
            shown_node(&spki(NodeId(small_order))),
            None,
            "a key that fits every signature"
        );
    }
}

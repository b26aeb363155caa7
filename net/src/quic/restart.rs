//! How a client learns at once that its node was restarted.
//!
//! A node that was killed says no goodbye, and its successor knows nothing of the old connections; a client would wait
//! until the silence is long enough. QUIC's stateless reset (RFC 9000, section 10.3) lets the successor answer a packet
//! of an unknown connection with a token that only the node with this key can know. The secret for it grows from the
//! node's key, so that it survives where the memory does not.

use std::sync::Arc;

use quinn::crypto::{CryptoError, HmacKey};
use quinn::{ConnectionId, ConnectionIdGenerator, EndpointConfig};
use rustls::crypto::SecureRandom;
use rustls::crypto::aws_lc_rs;
use waxwing_core::keys::NodeKey;
use zeroize::Zeroizing;

const CONTEXT: &str = "waxwing v1 stateless reset";

/// Bytes of a connection id: enough that two connections never meet.
const CONNECTION_ID_BYTES: usize = 8;

/// What the tokens of a node are made with.
#[derive(Clone)]
pub(super) struct ResetSecret(Arc<Zeroizing<[u8; 32]>>);

impl ResetSecret {
    pub(super) fn new(key: &NodeKey) -> Self {
        Self(Arc::new(Zeroizing::new(blake3::derive_key(CONTEXT, &key.seed()[..]))))
    }

    /// An endpoint that resets the connections of its predecessor.
    pub(super) fn endpoint(&self) -> EndpointConfig {
        let mut config = EndpointConfig::new(Arc::new(self.clone()));
        // quinn's own ids are only recognised by the process that made them, and its successor would stay silent.
        config.cid_generator(|| Box::new(RandomIds(aws_lc_rs::default_provider().secure_random)));
        config
    }

    fn hash(&self, data: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.0, data)
    }
}

impl HmacKey for ResetSecret {
    fn sign(&self, data: &[u8], signature: &mut [u8]) {
        for (slot, byte) in signature.iter_mut().zip(self.hash(data).as_bytes()) {
            *slot = *byte;
        }
    }

    fn signature_len(&self) -> usize {
        blake3::OUT_LEN
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        // Compared in constant time.
        if self.hash(data) == *signature {
            Ok(())
        } else {
            Err(CryptoError)
        }
    }
}

struct RandomIds(&'static dyn SecureRandom);

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; CONNECTION_ID_BYTES];
        self.0
            .fill(&mut id)
            .expect("the system had randomness when the endpoint was made");
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<std::time::Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_belong_to_a_key_and_survive_a_restart() {
        let before = ResetSecret::new(&NodeKey::from_seed(&[1; 32]));
        let after = ResetSecret::new(&NodeKey::from_seed(&[1; 32]));
        let other = ResetSecret::new(&NodeKey::from_seed(&[2; 32]));
        let mut token = vec![0; before.signature_len()];
        before.sign(b"connection", &mut token);
        assert!(after.verify(b"connection", &token).is_ok());
        assert!(after.verify(b"another one", &token).is_err());
        assert!(other.verify(b"connection", &token).is_err());
    }
}

//! A channel's secret and the two keys of an epoch that grow from it.
//!
//! ```text
//! channel secret ─┬─ "waxwing v1 channel log key"  ─> log seed ─> ed25519 key = the log
//! (network, epoch)└─ "waxwing v1 channel seal key" ─> seal key ─> XChaCha20-Poly1305
//! ```
//!
//! The network is part of the derivation, so that one secret used on two networks gives two logs that nobody can link.
//! [`EpochKeys`] is the seam: groups fill it from their exporter instead. `// SPEC 22.1`

use core::fmt;

use waxwing_core::Hash;
use waxwing_core::keys::{LogId, LogKey};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{Chance, draw};

const LOG_KEY_CONTEXT: &str = "waxwing v1 channel log key";
const SEAL_KEY_CONTEXT: &str = "waxwing v1 channel seal key";

/// Derives 32 bytes from parts of fixed width; what the hasher kept of them is wiped.
pub(crate) fn derive(context: &str, parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for part in parts {
        hasher.update(part);
    }
    let derived = Zeroizing::new(*hasher.finalize().as_bytes());
    hasher.zeroize();
    derived
}

/// The 32 random bytes that make a channel. Whoever has them reads and writes it. Wiped when dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct ChannelSecret([u8; 32]);

impl ChannelSecret {
    /// A new channel.
    #[must_use]
    pub fn random(chance: &mut Chance<'_>) -> Self {
        Self(draw(chance))
    }

    /// A channel known from an invitation or from the local store.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes, for the local store and for invitations.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The keys of one epoch. A channel that is made from a link alone has epoch 0 for ever.
    #[must_use]
    pub fn epoch_keys(&self, network: Hash, epoch: u64) -> EpochKeys {
        let epoch = epoch.to_be_bytes();
        let parts: [&[u8]; 3] = [&self.0, network.as_bytes(), &epoch];
        EpochKeys::new(&derive(LOG_KEY_CONTEXT, &parts), &derive(SEAL_KEY_CONTEXT, &parts))
    }
}

impl fmt::Debug for ChannelSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChannelSecret(..)")
    }
}

/// The key of the outer seal for one epoch. Wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SealKey(pub(crate) [u8; 32]);

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(..)")
    }
}

/// What all members of an epoch share: the right to write on its log, and the key that opens its bodies.
#[derive(Clone, Debug)]
pub struct EpochKeys {
    log_key: LogKey,
    log: LogId,
    seal_key: SealKey,
}

impl EpochKeys {
    /// From a log seed and a seal key, wherever they were derived: here, or by a group's exporter.
    #[must_use]
    pub fn new(log_seed: &[u8; 32], seal_key: &[u8; 32]) -> Self {
        let log_key = LogKey::from_seed(log_seed);
        let log = log_key.public();
        Self {
            log_key,
            log,
            seal_key: SealKey(*seal_key),
        }
    }

    /// The epoch's log.
    #[must_use]
    pub const fn log(&self) -> LogId {
        self.log
    }

    /// Signs the envelopes.
    #[must_use]
    pub const fn log_key(&self) -> &LogKey {
        &self.log_key
    }

    /// Seals the bodies.
    #[must_use]
    pub const fn seal_key(&self) -> &SealKey {
        &self.seal_key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_network_and_epoch_each_give_other_keys() {
        let keys = |secret, network, epoch| {
            let keys = ChannelSecret::from_bytes([secret; 32]).epoch_keys(Hash([network; 32]), epoch);
            (keys.log().0, keys.seal_key().0)
        };
        let mut seen = vec![keys(1, 1, 0), keys(2, 1, 0), keys(1, 2, 0), keys(1, 1, 1)];
        assert_eq!(keys(1, 1, 0), keys(1, 1, 0), "members derive alike");
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 4);
    }

    #[test]
    fn the_log_is_the_public_half_of_the_log_key_and_not_the_seal_key() {
        let keys = ChannelSecret::from_bytes([5; 32]).epoch_keys(Hash([6; 32]), 0);
        assert_eq!(keys.log_key().public(), keys.log());
        assert_ne!(*keys.log_key().seed(), keys.seal_key().0);
    }

    #[test]
    fn a_new_channel_is_made_of_the_callers_randomness() {
        let secret = ChannelSecret::random(&mut |bytes| bytes.fill(9));
        assert_eq!(secret.expose(), &[9; 32]);
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let secret = ChannelSecret::from_bytes([0xab; 32]);
        let keys = EpochKeys::new(&[0xcd; 32], &[0xef; 32]);
        let shown = format!("{secret:?} {keys:?} {:?}", keys.seal_key());
        for hidden in ["abab", "171", "cdcd", "205", "efef", "239, 239"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }
}

//! Where a card is, and what opens it.
//!
//! ```text
//! card seed ─┬─ "waxwing v1 card log key"  ─> log seed ─> ed25519 key = the card's log    devices: write and read
//! (network)  └─ "waxwing v1 card seal key" ─> seal key ─> XChaCha20-Poly1305             ┐
//!                                             address  =  log, seal key                  ┘ contacts: read
//! ```
//!
//! A body on a card is a statement under the outer seal, with nothing between: the statement signs for itself. Bodies of
//! a card **stay**: whoever could erase a statement could change what the card says to those who come later, so an entry
//! that could be erased, or that expires, is void. `// SPEC 26.3`

use core::fmt;

use waxwing_core::codec::{CodecError, Decode, Encode, Reader};
use waxwing_core::envelope::{EnvelopeHeader, KeepFor};
use waxwing_core::hash::Meaning;
use waxwing_core::keys::LogId;
use waxwing_core::{Hash, HashKeys};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::channel::{EpochKeys, SealKey, derive};
use crate::engine::{OpenError, SealError};
use crate::identity::statement::Statement;
use crate::identity::void::Void;
use crate::sealer::{Sealed, no_erase};
use crate::{Chance, draw};

const LOG_KEY_CONTEXT: &str = "waxwing v1 card log key";
const SEAL_KEY_CONTEXT: &str = "waxwing v1 card seal key";

/// The right to write on a card. The account's devices share it; a revoked device is left with the one before. Wiped
/// when dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct CardSeed([u8; 32]);

impl CardSeed {
    /// A seed known from the local store or from another device; new ones grow from the root:
    /// [`crate::identity::AccountKey::card_seed`].
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes, for the local store and for the account's other devices.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The keys of the card.
    #[must_use]
    pub fn keys(&self, network: Hash) -> EpochKeys {
        let parts: [&[u8]; 2] = [&self.0, network.as_bytes()];
        EpochKeys::new(&derive(LOG_KEY_CONTEXT, &parts), &derive(SEAL_KEY_CONTEXT, &parts))
    }

    /// What contacts need.
    #[must_use]
    pub fn address(&self, network: Hash) -> CardAddress {
        let keys = self.keys(network);
        CardAddress {
            log: keys.log(),
            seal_key: keys.seal_key().clone(),
        }
    }
}

impl fmt::Debug for CardSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardSeed(..)")
    }
}

/// A card's log and the key that opens its bodies: what an invitation hands to a contact, and what a card that moved
/// leaves behind. It gives no right to write.
#[derive(Clone)]
pub struct CardAddress {
    log: LogId,
    seal_key: SealKey,
}

impl CardAddress {
    /// The card's log.
    #[must_use]
    pub const fn log(&self) -> LogId {
        self.log
    }

    /// Whether an entry of the card must stay, by its header alone. A body of such that a node does not have is waited for:
    /// it may decide which devices there are. Any other is void whatever it says.
    #[must_use]
    pub fn must_stay(&self, header: &EnvelopeHeader) -> bool {
        header.log == self.log
            && header.keep_for == KeepFor::Ever
            && header.erasure == no_erase(&self.seal_key, header.body_hash)
    }

    /// Opens the body of a certified entry. That it opens says nothing yet: [`crate::identity::Card::apply`] judges what
    /// it says.
    ///
    /// # Errors
    /// If the entry is not for this card, does not open, could be erased, or holds no statement: it is void.
    pub fn open(&self, hash_keys: &HashKeys, header: &EnvelopeHeader, body: &[u8]) -> Result<Statement, Void> {
        if header.log != self.log {
            return Err(Void::Seal(OpenError::WrongLog));
        }
        let statement = self
            .seal_key
            .open(hash_keys.network(), self.log, body)
            .map_err(Void::Seal)?;
        let stays = no_erase(&self.seal_key, hash_keys.hash(Meaning::Body, body));
        if header.erasure != stays || header.keep_for != KeepFor::Ever {
            return Err(Void::Erasable);
        }
        Statement::from_bytes(&statement).map_err(Void::Malformed)
    }
}

/// Seals a statement as a body for the card with these keys.
///
/// # Errors
/// Never for what this version makes: the largest statement fits into a body.
pub fn seal(
    hash_keys: &HashKeys,
    keys: &EpochKeys,
    statement: &Statement,
    chance: &mut Chance<'_>,
) -> Result<Sealed, SealError> {
    let log = keys.log();
    let body = keys
        .seal_key()
        .seal(hash_keys.network(), log, &statement.to_bytes(), &draw(chance))?;
    let body_hash = hash_keys.hash(Meaning::Body, &body);
    Ok(Sealed {
        log,
        erasure: no_erase(keys.seal_key(), body_hash),
        body,
        body_hash,
        keep_for: KeepFor::Ever,
    })
}

impl PartialEq for CardAddress {
    fn eq(&self, other: &Self) -> bool {
        self.log == other.log && self.seal_key.0 == other.seal_key.0
    }
}

impl Eq for CardAddress {}

impl fmt::Debug for CardAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CardAddress({})", self.log)
    }
}

impl Encode for CardAddress {
    fn encode(&self, out: &mut Vec<u8>) {
        self.log.encode(out);
        out.extend_from_slice(&self.seal_key.0);
    }
}

impl Decode for CardAddress {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            log: LogId::decode(reader)?,
            seal_key: SealKey(reader.array()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceKey;
    use crate::identity::statement::{Said, Signer};
    use waxwing_core::envelope::Anchor;

    const NETWORK: Hash = Hash([1; 32]);

    fn sealed() -> (HashKeys, CardSeed, Statement, Sealed) {
        let (keys, seed) = (HashKeys::new(NETWORK), CardSeed::from_bytes([2; 32]));
        let device = DeviceKey::from_seed(&[3; 32]);
        let log = seed.keys(NETWORK).log();
        let statement = Statement::sign(Signer::Device(&device), NETWORK, log, 1, Said::KeyPackages(vec![]));
        let sealed = seal(&keys, &seed.keys(NETWORK), &statement, &mut |bytes| bytes.fill(4)).unwrap();
        (keys, seed, statement, sealed)
    }

    fn header(sealed: &Sealed) -> EnvelopeHeader {
        sealed.header(Anchor {
            height: 0,
            id: Hash([9; 32]),
        })
    }

    #[test]
    fn what_a_device_seals_a_contact_opens() {
        let (keys, seed, statement, sealed) = sealed();
        let address = CardAddress::from_bytes(&seed.address(NETWORK).to_bytes()).unwrap();
        assert_eq!(address.open(&keys, &header(&sealed), &sealed.body), Ok(statement));
    }

    #[test]
    fn seed_and_network_give_other_cards_and_channels_do_not() {
        let log = |seed, network| CardSeed::from_bytes([seed; 32]).keys(Hash([network; 32])).log().0;
        let channel = crate::ChannelSecret::from_bytes([1; 32]).epoch_keys(Hash([1; 32]), 0);
        let mut seen = vec![log(1, 1), log(2, 1), log(1, 2), channel.log().0];
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 4);
    }

    #[test]
    fn what_could_be_erased_or_expires_is_void() {
        let (keys, seed, _, sealed) = sealed();
        let address = seed.address(NETWORK);
        let mut erasable = header(&sealed);
        erasable.erasure.0[0] ^= 1;
        assert_eq!(address.open(&keys, &erasable, &sealed.body), Err(Void::Erasable));
        let mut expiring = header(&sealed);
        expiring.keep_for = KeepFor::Week;
        assert_eq!(address.open(&keys, &expiring, &sealed.body), Err(Void::Erasable));
    }

    #[test]
    fn another_card_another_network_and_altered_bytes_do_not_open() {
        let (keys, seed, _, sealed) = sealed();
        let other = CardSeed::from_bytes([8; 32]).address(NETWORK);
        let refused = other.open(&keys, &header(&sealed), &sealed.body);
        assert_eq!(refused, Err(Void::Seal(OpenError::WrongLog)));
        let foreign = HashKeys::new(Hash([7; 32]));
        let refused = seed.address(NETWORK).open(&foreign, &header(&sealed), &sealed.body);
        assert_eq!(refused, Err(Void::Seal(OpenError::SealBroken)));
        let mut body = sealed.body.clone();
        body[100] ^= 1;
        let refused = seed.address(NETWORK).open(&keys, &header(&sealed), &body);
        assert_eq!(refused, Err(Void::Seal(OpenError::SealBroken)));
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let seed = CardSeed::from_bytes([0xab; 32]);
        let shown = format!(
            "{seed:?} {:?}",
            CardAddress {
                log: LogId([1; 32]),
                seal_key: SealKey([0xcd; 32]),
            }
        );
        for hidden in ["abab", "171, 171", "cdcd", "205, 205"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }
}

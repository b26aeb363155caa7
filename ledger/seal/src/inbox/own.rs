//! The inbox of an account's own devices: what one of them has to hand to the others, welcomes above all.
//!
//! Nobody hands out its address. Seed, key and occasion grow from the card seed, which the account's devices have and nobody
//! else; so each of them can write there and read there from its first day on, and a device that was revoked with a move to
//! another card can do neither on the next card's. `// SPEC 28.1`

use waxwing_core::Hash;

use crate::channel::derive;
use crate::identity::{AccountId, CardSeed};

use super::Inbox;
use super::key::{InboxAddress, InboxKey, InboxSeed};
use super::recipient::Recipient;

const SEED_CONTEXT: &str = "waxwing v1 own inbox seed";
const KEY_CONTEXT: &str = "waxwing v1 own inbox key";
const OCCASION_CONTEXT: &str = "waxwing v1 own inbox occasion";

struct Secrets {
    seed: InboxSeed,
    key: InboxKey,
    occasion: Hash,
}

impl Secrets {
    fn of(network: Hash, card: &CardSeed) -> Self {
        let from = |context| *derive(context, &[card.expose(), network.as_bytes()]);
        Self {
            seed: InboxSeed::from_bytes(from(SEED_CONTEXT)),
            key: InboxKey::from_bytes(from(KEY_CONTEXT)),
            occasion: Hash(from(OCCASION_CONTEXT)),
        }
    }
}

impl Inbox {
    /// The inbox of the devices that have a card's seed, to be read by one of them.
    #[must_use]
    pub fn own(network: Hash, account: AccountId, card: &CardSeed) -> Self {
        let Secrets { seed, key, occasion } = Secrets::of(network, card);
        Self::for_answers(network, seed, key, account, occasion)
    }
}

impl Recipient {
    /// The other devices that have a card's seed.
    #[must_use]
    pub fn own(network: Hash, account: AccountId, card: &CardSeed) -> Self {
        let Secrets { seed, key, occasion } = Secrets::of(network, card);
        let public = key.public();
        Self::new(network, account, InboxAddress { seed, public }, occasion)
    }
}

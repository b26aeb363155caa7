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

#[cfg(test)]
mod tests {
    use waxwing_core::envelope::KeepFor;

    use super::*;
    use crate::group::Welcome;
    use crate::inbox::tests::{NETWORK, NOW, Person, read};
    use crate::inbox::{CommitPlace, Event, Void};

    fn welcome(from: &mut Person, to: &Recipient) -> crate::inbox::Mail {
        let welcome = Welcome {
            message: vec![1; 900],
            tree: vec![2; 90],
        };
        let place = CommitPlace {
            log: to.log(),
            index: 3,
            height: 9,
        };
        let mails = from.chance(|myself, chance| to.welcome(myself.key(), (&welcome, place), KeepFor::Week, chance));
        mails.unwrap().remove(0)
    }

    #[test]
    fn whoever_has_the_cards_seed_writes_to_the_other_devices_and_nobody_else_can() {
        let (mut phone, laptop) = (Person::with(1, 1), Person::with(1, 2));
        let card = phone.root.card_seed(NETWORK, 0);
        let to = Recipient::own(NETWORK, phone.account(), &card);
        let mut inbox = Inbox::own(NETWORK, laptop.account(), &card);
        assert_eq!(to.log(), inbox.log());
        let mail = welcome(&mut phone, &to);
        assert!(matches!(read(&mut inbox, &mail.sealed), Ok(Event::Welcome(_))));
        assert_eq!(read(&mut inbox, &mail.sealed).err(), Some(Void::Repeated));
        assert!(
            !inbox.is_over(NOW + 1_000_000_000_000),
            "the devices have each other for ever"
        );
        // Another card, network or account is another inbox.
        let after = phone.root.card_seed(NETWORK, 1);
        assert_ne!(Inbox::own(NETWORK, phone.account(), &after).log(), inbox.log());
        assert_ne!(Inbox::own(Hash([8; 32]), phone.account(), &card).log(), inbox.log());
        let theirs = Person::new(3).root.card_seed(NETWORK, 0);
        assert_ne!(Inbox::own(NETWORK, phone.account(), &theirs).log(), inbox.log());
    }
}

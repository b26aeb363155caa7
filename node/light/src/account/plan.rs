//! What this device has to say on its account's card: decided from the card as it was read, and nothing else.
//!
//! | the card | this device | says |
//! |---|---|---|
//! | is empty | has the 24 words | the opening |
//! | is open | is not on it, and has the 24 words | its addition |
//! | is open, after a move | is active, and others do not have the card's seed | the seed, sealed to them |
//! | is open | is active | key packages: the first, others after a week, and soon after it was added by one |
//! | has moved | | nothing: the account goes on with another card |
//!
//! Nothing else is said by itself. Suspending, lifting and revoking are the person's. A statement that came too late is void
//! and hurts nobody: the card as it is then is looked at again. `// SPEC 26.5`

use waxwing_seal::DeviceId;
use waxwing_seal::identity::Card;
use waxwing_seal::identity::statement::Standing;

use super::Root;
use crate::limits::{KEY_PACKAGES_KEPT_MS, KEY_PACKAGES_ROTATE_MS, KEY_PACKAGES_USED_MS};
use crate::store::cards::Offered;

/// What is to be said next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    /// The card begins.
    Open,
    /// This device is added.
    Add,
    /// Other devices get the card's seed.
    HandOver,
    /// This device can be added to groups with new key packages.
    Publish,
}

/// What the decision rests on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) card: &'a Card,
    pub(crate) device: DeviceId,
    pub(crate) root: Root,
    /// What this device offers, oldest first.
    pub(crate) offered: &'a [Offered],
    /// Whether other devices wait for the card's seed, and can be handed it.
    pub(crate) leaves_somebody: bool,
    pub(crate) now_ms: u64,
}

/// What is due, if anything: one statement, since the next one depends on what becomes of it.
pub(crate) fn due(facts: &Facts<'_>) -> Option<Due> {
    let card = facts.card;
    if card.next().is_some() {
        return None;
    }
    if card.number().is_none() {
        return (facts.root == Root::Here).then_some(Due::Open);
    }
    let Some(device) = card.device(facts.device) else {
        return (facts.root == Root::Here).then_some(Due::Add);
    };
    if device.standing() != Standing::Active {
        return None;
    }
    if facts.leaves_somebody {
        return Some(Due::HandOver);
    }
    let newest = facts.offered.iter().rfind(|offered| offered.replaced.is_none());
    // What stands there under another number is of a home that was put back from a copy: its secrets are elsewhere.
    let stands = newest.filter(|newest| newest.number.saturating_add(1) == device.next_number());
    let is_fresh = |offered: &Offered| {
        let age = facts.now_ms.saturating_sub(offered.made);
        age < KEY_PACKAGES_ROTATE_MS && (offered.used.is_none() || age < KEY_PACKAGES_USED_MS)
    };
    (!stands.is_some_and(is_fresh)).then_some(Due::Publish)
}

/// What was replaced so long ago that nobody adds this device with it any more: its secrets go.
pub(crate) fn over(offered: &[Offered], now_ms: u64) -> impl Iterator<Item = &Offered> {
    offered.iter().filter(move |offered| {
        let replaced = offered.replaced;
        replaced.is_some_and(|replaced| now_ms.saturating_sub(replaced) >= KEY_PACKAGES_KEPT_MS)
    })
}

#[cfg(test)]
mod tests {
    use waxwing_core::Hash;
    use waxwing_core::limits::DAY_MS;
    use waxwing_seal::DeviceKey;
    use waxwing_seal::identity::certificate::{DeviceName, Validity};
    use waxwing_seal::identity::hand::{DeviceHand, NewDevice, RootHand};
    use waxwing_seal::identity::statement::KeyPackage;
    use waxwing_seal::identity::{Acceptance, AccountKey, At, Phrase, Statement};

    use super::*;

    const NETWORK: Hash = Hash([1; 32]);
    const NOW: u64 = 1_700_000_000_000;

    fn root() -> AccountKey {
        Phrase::from_entropy(&[7; 32]).account()
    }

    fn key(byte: u8) -> DeviceKey {
        DeviceKey::from_seed(&[byte; 32])
    }

    fn new_device(byte: u8) -> NewDevice {
        NewDevice {
            accepted: Acceptance::sign(&key(byte), NETWORK, root().id()),
            name: DeviceName::default(),
            validity: Validity::from(NOW),
        }
    }

    fn says(card: &mut Card, statement: &Statement) {
        let index = u64::try_from(card.history().len()).unwrap();
        card.apply(At { index, time_ms: NOW }, statement).unwrap();
    }

    /// A card with device 1 on it.
    fn open_card() -> Card {
        let root = root();
        let begun = RootHand::new(&root, NETWORK, NOW).begin(&new_device(1)).unwrap();
        let mut card = Card::new(NETWORK, root.id(), begun.seed.keys(NETWORK).log());
        says(&mut card, &begun.opening);
        card
    }

    fn published(card: &mut Card, device: u8, after: u64) -> Offered {
        let packages = vec![KeyPackage::new(vec![1, 2, 3]).unwrap()];
        let key = key(device);
        let statement = DeviceHand::new(&key, NETWORK, NOW)
            .publish(card, after, packages)
            .unwrap();
        says(card, &statement);
        Offered {
            number: statement.number(),
            made: NOW,
            replaced: None,
            used: None,
            bytes: vec![1, 2, 3],
        }
    }

    fn next(card: &Card, device: u8, root: Root, offered: &[Offered], now_ms: u64) -> Option<Due> {
        let device = key(device).id();
        due(&Facts {
            card,
            device,
            root,
            offered,
            leaves_somebody: false,
            now_ms,
        })
    }

    #[test]
    fn a_card_is_begun_and_a_device_added_by_whoever_has_the_words() {
        let empty = Card::new(NETWORK, root().id(), open_card().log());
        assert_eq!(next(&empty, 1, Root::Here, &[], NOW), Some(Due::Open));
        assert_eq!(next(&empty, 1, Root::OnPaper, &[], NOW), None);
        assert_eq!(next(&open_card(), 2, Root::Here, &[], NOW), Some(Due::Add));
        assert_eq!(next(&open_card(), 2, Root::OnPaper, &[], NOW), None);
    }

    #[test]
    fn key_packages_are_published_at_once_and_again_after_a_week() {
        let mut card = open_card();
        assert_eq!(next(&card, 1, Root::OnPaper, &[], NOW), Some(Due::Publish));
        let first = published(&mut card, 1, 0);
        let after = |ms| next(&card, 1, Root::OnPaper, core::slice::from_ref(&first), NOW + ms);
        assert_eq!(after(0), None);
        assert_eq!(after(7 * DAY_MS - 1), None);
        assert_eq!(after(7 * DAY_MS), Some(Due::Publish));
        assert_eq!(
            next(&card, 1, Root::Here, &[], NOW),
            Some(Due::Publish),
            "their secrets are not here"
        );
        let mut later = card.clone();
        published(&mut later, 1, 4);
        let offered = [first];
        assert_eq!(
            next(&later, 1, Root::Here, &offered, NOW),
            Some(Due::Publish),
            "others stand there"
        );
    }

    #[test]
    fn a_device_that_may_not_speak_says_nothing_and_a_card_that_moved_hears_nothing() {
        let mut card = open_card();
        let root = root();
        let hand = RootHand::new(&root, NETWORK, NOW);
        let added = hand.add(&card, &new_device(2)).unwrap();
        says(&mut card, &added);
        let key_one = key(1);
        let suspended = DeviceHand::new(&key_one, NETWORK, NOW).suspend(&card, key(2).id());
        says(&mut card, &suspended.unwrap());
        assert_eq!(next(&card, 2, Root::Here, &[], NOW), None);
        assert_eq!(next(&card, 1, Root::Here, &[], NOW), Some(Due::Publish));
        let (farewell, _) = hand.move_on(&card, &[key(2).id()], None).unwrap();
        says(&mut card, &farewell);
        assert_eq!(next(&card, 1, Root::Here, &[], NOW), None);
        assert_eq!(next(&card, 3, Root::Here, &[], NOW), None);
    }

    #[test]
    fn secrets_are_kept_for_a_while_after_they_were_replaced() {
        let offered = |number, replaced| Offered {
            number,
            made: NOW,
            replaced,
            used: None,
            bytes: vec![1],
        };
        let all = [offered(1, Some(NOW)), offered(2, Some(NOW + DAY_MS)), offered(3, None)];
        let gone = |now| over(&all, now).map(|offered| offered.number).collect::<Vec<_>>();
        assert_eq!(gone(NOW + KEY_PACKAGES_KEPT_MS - 1), Vec::<u64>::new());
        assert_eq!(gone(NOW + KEY_PACKAGES_KEPT_MS), [1]);
        assert_eq!(
            gone(NOW + 9 * KEY_PACKAGES_KEPT_MS),
            [1, 2],
            "what is offered now stays"
        );
    }
}

//! Writing on a card: statements that count, from those who may make them.
//!
//! What a card accepts is decided in [`crate::identity::card`] and nowhere else. So a hand makes a statement, asks a copy
//! of the card that its device knows, and hands out nothing that would be void; between that and its place on the log
//! others may have been faster, and then it is made again from the card as it is. Statements of the root count in their
//! order only: each is final before the next is made.
//!
//! A move has two ends. The last statement of the old card names the new one, and the first of the new card repeats
//! every device; both are made here at once from one list, so that they cannot disagree. `// SPEC 26.5`

use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::keys::LogId;

use crate::device::{DeviceId, DeviceKey};
use crate::identity::account::AccountKey;
use crate::identity::address::CardSeed;
use crate::identity::card::{At, Card, Device};
use crate::identity::certificate::{Acceptance, DeviceCertificate, DeviceName, Validity};
use crate::identity::statement::{KeyPackage, Listed, Move, Opening, Said, SealedSeed, Signer, Standing, Statement};
use crate::identity::void::Void;

/// A device that is to be certified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewDevice {
    /// Its own word that it speaks for the account.
    pub accepted: Acceptance,
    /// What the owner calls it.
    pub name: DeviceName,
    /// How long it may speak.
    pub validity: Validity,
}

/// A card that is about to begin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewCard {
    /// For the account's devices, those left behind aside.
    pub seed: CardSeed,
    /// The first statement on it.
    pub opening: Statement,
}

/// The root key at work, for as long as the words are typed in.
#[derive(Clone, Copy, Debug)]
pub struct RootHand<'a> {
    root: &'a AccountKey,
    network: Hash,
    /// The time of the newest head, which is when the statements will be ordered, or a little before.
    now_ms: u64,
}

impl<'a> RootHand<'a> {
    /// For one network, at a time of its ledger.
    #[must_use]
    pub const fn new(root: &'a AccountKey, network: Hash, now_ms: u64) -> Self {
        Self { root, network, now_ms }
    }

    /// Card 0 of a new account, with its first device.
    ///
    /// # Errors
    /// If the device did not agree.
    pub fn begin(&self, device: &NewDevice) -> Result<NewCard, Void> {
        let listed = Listed {
            certificate: self.certificate(device, 1),
            standing: Standing::Active,
        };
        self.open(0, LogId([0; 32]), vec![listed])
    }

    /// Adds a device, or gives a known one a newer certificate.
    ///
    /// # Errors
    /// What would make it void.
    pub fn add(&self, card: &Card, device: &NewDevice) -> Result<Statement, Void> {
        let certificate = self.certificate(device, card.next_sequence());
        self.say(card, Said::Addition(certificate))
    }

    /// Lifts a suspension.
    ///
    /// # Errors
    /// What would make it void.
    pub fn lift(&self, card: &Card, device: DeviceId) -> Result<Statement, Void> {
        self.say(card, Said::Lifting(device))
    }

    /// Goes on with the next card: without the devices that are revoked, and with a new one if it is the new machine of
    /// somebody who has lost all others. The opening is posted once the move is final.
    ///
    /// # Errors
    /// What would make either statement void.
    pub fn move_on(
        &self,
        card: &Card,
        revoked: &[DeviceId],
        added: Option<&NewDevice>,
    ) -> Result<(Statement, NewCard), Void> {
        let (number, _) = card.number().ok_or(Void::OutOfTurn { expected: 0 })?;
        let mut revoked = revoked.to_vec();
        revoked.sort_unstable();
        revoked.dedup();
        let mut devices: Vec<Listed> = card.devices().map(|device| listed(device, &revoked)).collect();
        if let Some(device) = added {
            devices.retain(|listed| listed.certificate.device != device.accepted.device);
            if card.device(device.accepted.device).is_some_and(is_revoked) || revoked.contains(&device.accepted.device)
            {
                return Err(Void::AlreadyRevoked);
            }
            devices.push(Listed {
                certificate: self.certificate(device, card.next_sequence()),
                standing: Standing::Active,
            });
        }
        devices.sort_unstable_by_key(|listed| listed.certificate.sequence);
        let next = self.open(number.saturating_add(1), card.log(), devices)?;
        let address = next.seed.address(self.network);
        let farewell = Said::Move(Move { revoked, next: address });
        Ok((self.say(card, farewell)?, next))
    }

    fn certificate(&self, device: &NewDevice, sequence: u64) -> DeviceCertificate {
        let name = device.name.clone();
        DeviceCertificate::sign(
            self.root,
            self.network,
            &device.accepted,
            name,
            device.validity,
            sequence,
        )
    }

    fn open(&self, number: u64, previous: LogId, devices: Vec<Listed>) -> Result<NewCard, Void> {
        let seed = self.root.card_seed(self.network, number);
        let empty = Card::new(self.network, self.root.id(), seed.keys(self.network).log());
        let opening = Said::Opening(Opening {
            card: number,
            previous,
            devices,
        });
        let opening = self.say(&empty, opening)?;
        Ok(NewCard { seed, opening })
    }

    fn say(&self, card: &Card, said: Said) -> Result<Statement, Void> {
        if card.number().is_none() && !matches!(said, Said::Opening(_)) {
            return Err(Void::OutOfTurn { expected: 0 });
        }
        let signer = Signer::Root(self.root);
        let statement = Statement::sign(signer, self.network, card.log(), card.next_number(), said);
        counted(card, self.now_ms, statement)
    }
}

/// A device's key at work.
#[derive(Clone, Copy, Debug)]
pub struct DeviceHand<'a> {
    device: &'a DeviceKey,
    network: Hash,
    now_ms: u64,
}

impl<'a> DeviceHand<'a> {
    /// For one network, at a time of its ledger.
    #[must_use]
    pub const fn new(device: &'a DeviceKey, network: Hash, now_ms: u64) -> Self {
        Self {
            device,
            network,
            now_ms,
        }
    }

    /// Suspends another device, until the root lifts it.
    ///
    /// # Errors
    /// What would make it void.
    pub fn suspend(&self, card: &Card, device: DeviceId) -> Result<Statement, Void> {
        let seen = card.next_number().saturating_sub(1);
        self.say(card, seen, Said::Suspension(device))
    }

    /// Publishes key packages in place of those before. `after` is the number of the last ones that this device ever
    /// published here, final or not: two under one number, and the log would choose.
    ///
    /// # Errors
    /// What would make it void.
    pub fn publish(&self, card: &Card, after: u64, packages: Vec<KeyPackage>) -> Result<Statement, Void> {
        let shown = card.device(self.device.id()).map_or(1, Device::next_number);
        self.say(card, shown.max(after.saturating_add(1)), Said::KeyPackages(packages))
    }

    /// Hands the card's seed to other devices, each sealed to it.
    ///
    /// # Errors
    /// What would make it void; [`Void::Malformed`] for nobody, or for more than an account has.
    pub fn hand_over(&self, card: &Card, mut seeds: Vec<SealedSeed>) -> Result<Statement, Void> {
        seeds.sort_unstable_by_key(|seed| seed.device);
        self.say(card, 1, Said::HandOver(seeds))
    }

    fn say(&self, card: &Card, number: u64, said: Said) -> Result<Statement, Void> {
        let signer = Signer::Device(self.device);
        let statement = Statement::sign(signer, self.network, card.log(), number, said);
        counted(card, self.now_ms, statement)
    }
}

/// A device as the next card will list it.
fn listed(device: &Device, revoked: &[DeviceId]) -> Listed {
    let certificate = device.certificate();
    let standing = if revoked.contains(&certificate.device) {
        Standing::Revoked
    } else {
        device.standing()
    };
    Listed {
        certificate: (**certificate).clone(),
        standing,
    }
}

fn is_revoked(device: &Device) -> bool {
    device.standing() == Standing::Revoked
}

/// The statement, if it would count on this card as it is known: read back from its bytes, as others will.
fn counted(card: &Card, now_ms: u64, statement: Statement) -> Result<Statement, Void> {
    let statement = Statement::from_bytes(&statement.to_bytes()).map_err(Void::Malformed)?;
    let at = At {
        index: u64::MAX,
        time_ms: now_ms,
    };
    card.clone().apply(at, &statement)?;
    Ok(statement)
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_core::codec::CodecError;

    const NETWORK: Hash = Hash([1; 32]);
    const NOW: u64 = 1_700_000_000_000;

    fn root() -> AccountKey {
        AccountKey::from_entropy(&[7; 32])
    }

    fn key(byte: u8) -> DeviceKey {
        DeviceKey::from_seed(&[byte; 32])
    }

    fn new_device(byte: u8) -> NewDevice {
        NewDevice {
            accepted: Acceptance::sign(&key(byte), NETWORK, root().id()),
            name: DeviceName::new("phone").unwrap(),
            validity: Validity::from(NOW),
        }
    }

    fn package() -> Vec<KeyPackage> {
        vec![KeyPackage::new(vec![1]).unwrap()]
    }

    /// A card as others read it.
    struct Reader(Card, u64);

    impl Reader {
        fn of(card: &NewCard) -> Self {
            let log = card.seed.keys(NETWORK).log();
            let mut reader = Self(Card::new(NETWORK, root().id(), log), 0);
            reader.reads(&card.opening);
            reader
        }

        fn reads(&mut self, statement: &Statement) {
            let at = At {
                index: self.1,
                time_ms: NOW + self.1,
            };
            self.1 += 1;
            assert_eq!(self.0.apply(at, statement), Ok(()));
        }
    }

    fn standings(card: &Card) -> Vec<(DeviceId, Standing)> {
        let mut all: Vec<_> = card
            .devices()
            .map(|one| (one.certificate().device, one.standing()))
            .collect();
        all.sort_unstable_by_key(|(id, _)| (1..9).position(|byte| key(byte).id() == *id));
        all
    }

    #[test]
    fn what_the_hands_write_counts_for_the_whole_life_of_an_account() {
        use Standing::{Active, Revoked, Suspended};
        let key_of_root = root();
        let root = RootHand::new(&key_of_root, NETWORK, NOW);
        let (phone_key, laptop_key) = (key(1), key(2));
        let phone = DeviceHand::new(&phone_key, NETWORK, NOW);
        let laptop = DeviceHand::new(&laptop_key, NETWORK, NOW);
        let id = |byte| key(byte).id();

        let mut reader = Reader::of(&root.begin(&new_device(1)).unwrap());
        let added = root.add(&reader.0, &new_device(2)).unwrap();
        reader.reads(&added);
        let published = laptop.publish(&reader.0, 0, package()).unwrap();
        reader.reads(&published);
        let again = laptop.publish(&reader.0, 4, package()).unwrap();
        reader.reads(&again);
        assert_eq!((published.number(), again.number()), (1, 5));
        let suspended = phone.suspend(&reader.0, id(2)).unwrap();
        reader.reads(&suspended);
        let lifted = root.lift(&reader.0, id(2)).unwrap();
        reader.reads(&lifted);
        let suspended = phone.suspend(&reader.0, id(2)).unwrap();
        reader.reads(&suspended);
        assert_eq!(standings(&reader.0), [(id(1), Active), (id(2), Suspended)]);

        // The phone is stolen; the laptop stays suspended for now, and a new phone comes along.
        let (farewell, next) = root.move_on(&reader.0, &[id(1)], Some(&new_device(3))).unwrap();
        reader.reads(&farewell);
        assert_eq!(reader.0.next(), Some(&next.seed.address(NETWORK)));
        let mut second = Reader::of(&next);
        assert_eq!(second.0.number(), Some((1, reader.0.log())));
        assert_eq!(
            standings(&second.0),
            [(id(1), Revoked), (id(2), Suspended), (id(3), Active)]
        );
        let lifted = root.lift(&second.0, id(2)).unwrap();
        second.reads(&lifted);
        assert_eq!(second.0.next_sequence(), 4);

        // Everything is lost but the words.
        let all = [id(2), id(3), id(3)];
        let (farewell, next) = root.move_on(&second.0, &all, Some(&new_device(4))).unwrap();
        second.reads(&farewell);
        let third = Reader::of(&next);
        let expected = [(id(1), Revoked), (id(2), Revoked), (id(3), Revoked), (id(4), Active)];
        assert_eq!(standings(&third.0), expected);
        assert_eq!(third.0.number(), Some((2, second.0.log())));
    }

    #[test]
    fn what_would_be_void_is_not_written() {
        let (key_of_root, phone_key) = (root(), key(1));
        let hand = RootHand::new(&key_of_root, NETWORK, NOW);
        let phone = DeviceHand::new(&phone_key, NETWORK, NOW);
        let id = |byte| key(byte).id();
        let mut stranger = new_device(2);
        stranger.accepted = Acceptance::sign(&key(2), NETWORK, AccountKey::from_entropy(&[8; 32]).id());
        let refused = Void::Certificate(crate::identity::CertificateError::NotAccepted);
        assert_eq!(hand.begin(&stranger), Err(refused));

        let unread = Card::new(NETWORK, root().id(), LogId([9; 32]));
        let early = Void::OutOfTurn { expected: 0 };
        assert_eq!(hand.add(&unread, &new_device(2)), Err(early));
        assert_eq!(hand.move_on(&unread, &[], None).unwrap_err(), early);

        let reader = Reader::of(&hand.begin(&new_device(1)).unwrap());
        assert_eq!(hand.add(&reader.0, &stranger), Err(refused));
        assert_eq!(hand.lift(&reader.0, id(1)), Err(Void::NotSuspended));
        assert_eq!(
            hand.move_on(&reader.0, &[id(2)], None).unwrap_err(),
            Void::UnknownDevice
        );
        let back = hand.move_on(&reader.0, &[id(1)], Some(&new_device(1)));
        assert_eq!(back.unwrap_err(), Void::AlreadyRevoked);
        assert_eq!(phone.suspend(&reader.0, id(1)), Err(Void::Itself));
        let nine = vec![KeyPackage::new(vec![1]).unwrap(); 9];
        assert_eq!(
            phone.publish(&reader.0, 0, nine),
            Err(Void::Malformed(CodecError::TooLong))
        );
    }

    #[test]
    fn the_device_at_hand_may_be_renewed_while_the_card_moves() {
        let key_of_root = root();
        let hand = RootHand::new(&key_of_root, NETWORK, NOW);
        let reader = Reader::of(&hand.begin(&new_device(1)).unwrap());
        let (_, next) = hand.move_on(&reader.0, &[], Some(&new_device(1))).unwrap();
        let next = Reader::of(&next);
        assert_eq!(standings(&next.0), [(key(1).id(), Standing::Active)]);
        assert_eq!(next.0.next_sequence(), 3);
    }
}

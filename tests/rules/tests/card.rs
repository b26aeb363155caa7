//! Laws of the card: whoever posts whatever in whatever order, every honest reader ends with the same card, and only
//! what counts has left a trace.
//!
//! Deeds are made at random by the root, by devices, by strangers and by people who repeat what others said. A model
//! judges each by looking through everything that counted before, from the start, with nothing remembered in between; the
//! card has to agree every time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::hash::{Hash, HashKeys};
use waxwing_core::keys::LogId;
use waxwing_rules::chance::Chance;
use waxwing_seal::identity::address::seal;
use waxwing_seal::identity::certificate::{DeviceName, Validity};
use waxwing_seal::identity::statement::{KeyPackage, Listed, Move, Opening};
use waxwing_seal::identity::{
    Acceptance, AccountKey, At, Card, CardAddress, DeviceCertificate, Phrase, Said, Signer, Standing, Statement,
};
use waxwing_seal::{DeviceId, DeviceKey};

const NETWORK: Hash = Hash([3; 32]);
const ELSEWHERE: LogId = LogId([9; 32]);
const TIME: u64 = 1_700_000_000_000;

/// Devices that the deeds are about; those above the last one listed are strangers for now.
const DEVICES: u8 = 6;

struct People {
    root: AccountKey,
    other: AccountKey,
    devices: Vec<DeviceKey>,
    card: LogId,
    next: CardAddress,
}

static PEOPLE: LazyLock<People> = LazyLock::new(|| {
    let account = |byte| Phrase::from_entropy(&[byte; 32]).account();
    let root = account(1);
    People {
        card: root.card_seed(NETWORK, 0).keys(NETWORK).log(),
        next: root.card_seed(NETWORK, 1).address(NETWORK),
        root,
        other: account(2),
        devices: (0..DEVICES).map(|seed| DeviceKey::from_seed(&[seed; 32])).collect(),
    }
});

fn key(device: u8) -> &'static DeviceKey {
    PEOPLE.devices.get(usize::from(device)).unwrap()
}

fn id(device: u8) -> DeviceId {
    key(device).id()
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Who {
    Root,
    OtherAccount,
    Device(u8),
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum What {
    Open(Vec<(u8, Standing)>),
    Add { device: u8, sequence: u64, is_sound: bool },
    Lift(u8),
    Move(Vec<u8>),
    Suspend(u8),
    Publish(u8),
}

/// Something that somebody posted, as the model sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Deed {
    who: Who,
    number: u64,
    what: What,
    /// Signed for this card, and not for another one.
    is_here: bool,
}

/// One that is not sound is for a device that agreed to speak for somebody else.
fn certificate(device: u8, sequence: u64, is_sound: bool) -> DeviceCertificate {
    let account = if is_sound { &PEOPLE.root } else { &PEOPLE.other };
    let accepted = Acceptance::sign(key(device), NETWORK, account.id());
    let name = DeviceName::default();
    DeviceCertificate::sign(&PEOPLE.root, NETWORK, &accepted, name, Validity::from(TIME), sequence)
}

impl Deed {
    fn said(&self) -> Said {
        match &self.what {
            What::Open(devices) => Said::Opening(Opening {
                card: 0,
                previous: LogId([0; 32]),
                devices: (1..)
                    .zip(devices)
                    .map(|(sequence, (device, standing))| Listed {
                        certificate: certificate(*device, sequence, true),
                        standing: *standing,
                    })
                    .collect(),
            }),
            What::Add {
                device,
                sequence,
                is_sound,
            } => Said::Addition(certificate(*device, *sequence, *is_sound)),
            What::Lift(device) => Said::Lifting(id(*device)),
            What::Move(revoked) => {
                let mut revoked: Vec<DeviceId> = revoked.iter().map(|device| id(*device)).collect();
                revoked.sort_unstable();
                Said::Move(Move {
                    revoked,
                    next: PEOPLE.next.clone(),
                })
            }
            What::Suspend(device) => Said::Suspension(id(*device)),
            What::Publish(byte) => Said::KeyPackages(vec![KeyPackage::new(vec![*byte; 4]).unwrap()]),
        }
    }

    fn statement(&self) -> Statement {
        let signer = match self.who {
            Who::Root => Signer::Root(&PEOPLE.root),
            Who::OtherAccount => Signer::Root(&PEOPLE.other),
            Who::Device(device) => Signer::Device(key(device)),
        };
        let card = if self.is_here { PEOPLE.card } else { ELSEWHERE };
        Statement::sign(signer, NETWORK, card, self.number, self.said())
    }
}

/// What counted so far, and nothing else.
#[derive(Default)]
struct Model(Vec<Deed>);

impl Model {
    /// From the first deed to the last, what they did to this device.
    fn standing(&self, device: u8) -> Option<Standing> {
        self.0.iter().fold(None, |before, deed| match &deed.what {
            What::Open(devices) => devices.iter().find(|(listed, _)| *listed == device).map(|(_, s)| *s),
            What::Add { device: added, .. } if *added == device => before.or(Some(Standing::Active)),
            What::Lift(lifted) if *lifted == device => Some(Standing::Active),
            What::Suspend(suspended) if *suspended == device => Some(Standing::Suspended),
            What::Move(revoked) if revoked.contains(&device) => Some(Standing::Revoked),
            _ => before,
        })
    }

    fn by_root(&self) -> impl DoubleEndedIterator<Item = &Deed> {
        self.0.iter().filter(|deed| deed.who == Who::Root)
    }

    /// Number of the root's last deed that let this device speak.
    fn active_since(&self, device: u8) -> u64 {
        let first = self.by_root().position(|deed| match &deed.what {
            What::Open(devices) => devices.iter().any(|(listed, _)| *listed == device),
            What::Add { device: added, .. } => *added == device,
            _ => false,
        });
        let lifted = self.by_root().rev().find(|deed| deed.what == What::Lift(device));
        let first = first.map_or(0, |place| u64::try_from(place).unwrap());
        lifted.map_or(first, |deed| deed.number)
    }

    fn highest_sequence(&self) -> u64 {
        let sequences = self.0.iter().map(|deed| match &deed.what {
            What::Open(devices) => u64::try_from(devices.len()).unwrap(),
            What::Add { sequence, .. } => *sequence,
            _ => 0,
        });
        sequences.max().unwrap_or(0)
    }

    fn counts(&self, deed: &Deed) -> bool {
        let is_over = self.0.iter().any(|deed| matches!(deed.what, What::Move(_)));
        !is_over && deed.is_here && self.may_speak(deed) && self.makes_sense(deed)
    }

    fn may_speak(&self, deed: &Deed) -> bool {
        match (&deed.what, deed.who) {
            (What::Suspend(_) | What::Publish(_), Who::Device(device)) => {
                self.standing(device) == Some(Standing::Active)
            }
            (What::Suspend(_) | What::Publish(_), _) => false,
            (_, who) => who == Who::Root && deed.number == u64::try_from(self.by_root().count()).unwrap(),
        }
    }

    fn makes_sense(&self, deed: &Deed) -> bool {
        match &deed.what {
            What::Open(_) => true,
            What::Add {
                device,
                sequence,
                is_sound,
            } => *is_sound && *sequence > self.highest_sequence() && self.standing(*device) != Some(Standing::Revoked),
            What::Lift(device) => self.standing(*device) == Some(Standing::Suspended),
            What::Move(revoked) => revoked.iter().all(|device| {
                self.standing(*device)
                    .is_some_and(|standing| standing != Standing::Revoked)
            }),
            What::Suspend(device) => {
                let seen = self.active_since(*device)..u64::try_from(self.by_root().count()).unwrap();
                deed.who != Who::Device(*device)
                    && self.standing(*device) == Some(Standing::Active)
                    && seen.contains(&deed.number)
            }
            What::Publish(_) => {
                let earlier = self.0.iter().filter(|one| one.who == deed.who);
                let published = earlier.filter(|one| matches!(one.what, What::Publish(_)));
                published.map(|one| one.number).max().unwrap_or(0) < deed.number
            }
        }
    }
}

/// One of the devices, each as likely as any other.
fn some_device(chance: &mut Chance) -> u8 {
    u8::try_from(chance.below(DEVICES.into())).unwrap()
}

fn opening(chance: &mut Chance) -> Deed {
    let standings = [
        Standing::Active,
        Standing::Active,
        Standing::Suspended,
        Standing::Revoked,
    ];
    let devices = (0..4).map(|device| (device, *chance.pick(&standings))).collect();
    Deed {
        who: Who::Root,
        number: 0,
        what: What::Open(devices),
        is_here: true,
    }
}

/// A deed that makes sense more often than not, from whoever may or may not do it.
fn deed(chance: &mut Chance, model: &Model) -> Deed {
    let root_next = u64::try_from(model.by_root().count()).unwrap();
    if root_next == 0 && chance.below(4) > 0 {
        return opening(chance);
    }
    let what = match chance.below(40) {
        0 => What::Move(chance.list(0, 2, some_device)),
        1..8 => What::Add {
            device: some_device(chance),
            sequence: (model.highest_sequence() + chance.below(4)).max(1),
            is_sound: !chance.once_in(6),
        },
        8..18 => What::Lift(some_device(chance)),
        18..30 => What::Suspend(some_device(chance)),
        _ => What::Publish(chance.byte()),
    };
    let what = match what {
        What::Move(mut revoked) => {
            revoked.sort_unstable();
            revoked.dedup();
            What::Move(revoked)
        }
        what => what,
    };
    let is_of_device = matches!(what, What::Suspend(_) | What::Publish(_));
    let who = match chance.below(12) {
        0 => Who::OtherAccount,
        1 => Who::Root,
        2 => Who::Device(some_device(chance)),
        _ if is_of_device => Who::Device(some_device(chance)),
        _ => Who::Root,
    };
    let near = |number: u64, chance: &mut Chance| (number + chance.below(3)).saturating_sub(1);
    let number = match what {
        What::Suspend(_) => near(root_next.saturating_sub(1), chance),
        What::Publish(_) => 1 + chance.below(1 + u64::try_from(model.0.len()).unwrap()),
        _ if chance.once_in(4) => near(root_next, chance).max(1),
        _ => root_next.max(1),
    };
    Deed {
        who,
        number,
        what,
        is_here: !chance.once_in(12),
    }
}

/// Everything that was posted on a card, and what the model says of it.
struct Story {
    posted: Vec<(At, Deed, Statement)>,
    counted: Vec<bool>,
}

fn story(seed: u64, length: u64) -> Story {
    let mut chance = Chance::new(seed);
    let mut model = Model::default();
    let mut story = Story {
        posted: Vec::new(),
        counted: Vec::new(),
    };
    for index in 0..length {
        // Whoever has the card's seed can post again what stands there.
        let again = story.posted.get(chance.place(story.posted.len().max(1)));
        let deed = match again {
            Some((_, deed, _)) if chance.once_in(5) => deed.clone(),
            _ => deed(&mut chance, &model),
        };
        let at = At {
            index,
            time_ms: TIME + index,
        };
        let counts = model.counts(&deed);
        if counts {
            model.0.push(deed.clone());
        }
        let statement = deed.statement();
        story.posted.push((at, deed, statement));
        story.counted.push(counts);
    }
    story
}

fn empty() -> Card {
    Card::new(NETWORK, PEOPLE.root.id(), PEOPLE.card)
}

fn read<'a>(statements: impl IntoIterator<Item = &'a (At, Deed, Statement)>) -> Card {
    let mut card = empty();
    for (at, _, statement) in statements {
        let _ = card.apply(*at, statement);
    }
    card
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_card_says_what_the_model_says(seed in any::<u64>()) {
        let story = story(seed, 60);
        let mut card = empty();
        let mut standings = Model::default();
        for ((at, deed, statement), counts) in story.posted.iter().zip(&story.counted) {
            let before = card.clone();
            let outcome = card.apply(*at, statement);
            prop_assert_eq!(outcome.is_ok(), *counts, "{} {:?}: {:?}", at.index, deed, outcome);
            if *counts {
                standings.0.push(deed.clone());
                prop_assert!(card.history().len() > before.history().len());
            } else {
                prop_assert_eq!(&card, &before, "what is void changes nothing");
            }
            for device in 0..DEVICES {
                let known = card.device(id(device)).map(|known| known.standing());
                prop_assert_eq!(known, standings.standing(device), "{} device {}", at.index, device);
            }
        }
    }

    #[test]
    fn without_what_is_void_the_card_is_the_same(seed in any::<u64>()) {
        let story = story(seed, 60);
        let counted = story.posted.iter().zip(&story.counted).filter(|(_, counts)| **counts);
        prop_assert_eq!(read(counted.map(|(posted, _)| posted)), read(&story.posted));
    }

    /// In any number, at any places: what strangers say, what was signed for another card, and what counted before.
    #[test]
    fn strangers_and_repetitions_change_nothing_wherever_they_stand(seed in any::<u64>()) {
        let story = story(seed, 40);
        let mut chance = Chance::new(!seed);
        let mut with_noise = Vec::new();
        let mut heard: Vec<&(At, Deed, Statement)> = Vec::new();
        for (posted, counts) in story.posted.iter().zip(&story.counted) {
            for _ in 0..chance.below(3) {
                let noise = match chance.below(3) {
                    0 => Deed { who: Who::OtherAccount, ..deed(&mut chance, &Model::default()) },
                    1 => Deed { is_here: false, ..deed(&mut chance, &Model::default()) },
                    _ if heard.is_empty() => continue,
                    _ => chance.pick(&heard).1.clone(),
                };
                let at = At { index: u64::MAX, time_ms: posted.0.time_ms };
                let statement = noise.statement();
                with_noise.push((at, noise, statement));
            }
            with_noise.push(posted.clone());
            if *counts {
                heard.push(posted);
            }
        }
        prop_assert_eq!(read(&with_noise), read(&story.posted));
    }

    /// One reads everything at once, one stops and goes on later, one opens bodies as a contact does.
    #[test]
    fn every_honest_reader_ends_equal(seed in any::<u64>(), pause in 0_usize..30) {
        let story = story(seed, 30);
        let all = read(&story.posted);
        let (early, late) = story.posted.split_at(pause);
        let mut paused = read(early);
        for (at, _, statement) in late {
            let _ = paused.apply(*at, &Statement::from_bytes(&statement.to_bytes()).unwrap());
        }
        prop_assert_eq!(&paused, &all);

        let (keys, seed) = (HashKeys::new(NETWORK), PEOPLE.root.card_seed(NETWORK, 0));
        let (writes, address) = (seed.keys(NETWORK), seed.address(NETWORK));
        let mut contact = empty();
        for (at, _, statement) in &story.posted {
            let sealed = seal(&keys, &writes, statement, &mut |bytes| bytes.fill(7)).unwrap();
            let header = sealed.header(waxwing_core::envelope::Anchor { height: 0, id: Hash([1; 32]) });
            let _ = contact.apply(*at, &address.open(&keys, &header, &sealed.body).unwrap());
        }
        prop_assert_eq!(&contact, &all);
    }
}

/// A law over stories in which nothing happens would hold for any card.
#[test]
fn the_stories_reach_every_rule() {
    let mut reasons: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..200 {
        let story = story(seed, 60);
        let mut card = empty();
        for (at, _, statement) in &story.posted {
            let name = match card.apply(*at, statement) {
                Ok(()) => "counts".to_owned(),
                Err(void) => format!("{void:?}"),
            };
            let name = name.split(" {").next().unwrap().to_owned();
            *reasons.entry(name).or_default() += 1;
        }
    }
    for reason in [
        "counts",
        "Moved",
        "RootOnly",
        "Author(NotOnCard)",
        "Author(Suspended)",
        "Author(Revoked)",
        "BadSignature",
        "OutOfTurn",
        "Certificate(NotAccepted)",
        "OldCertificate",
        "UnknownDevice",
        "NotSuspended",
        "AlreadySuspended",
        "AlreadyRevoked",
        "Itself",
        "Premature",
        "Outdated",
        "Replayed",
    ] {
        assert!(
            reasons.get(reason).is_some_and(|count| *count >= 5),
            "{reason}: {reasons:?}"
        );
    }
}

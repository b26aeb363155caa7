//! What is posted into inboxes, and the links that lead there. Games of the target [`crate::seal`].
//!
//! Whoever has a link is anybody. What he posts, in whatever order, spoilt, repeated, or taken from another inbox: there
//! is an answer, what is void leaves the inbox as it was, the inbox takes no more than it says, and its state has an
//! end. What arrives was sent.

use std::sync::LazyLock;

use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::{Anchor, EnvelopeHeader, KeepFor};
use waxwing_core::hash::Hash;
use waxwing_core::keys::LogId;
use waxwing_rules::chance::Chance;
use waxwing_rules::values::FORMATS;
use waxwing_seal::content::Name;
use waxwing_seal::group::{Myself, Welcome};
use waxwing_seal::identity::certificate::{DeviceName, Validity};
use waxwing_seal::identity::statement::KeyPackage;
use waxwing_seal::identity::{Acceptance, AccountKey, DeviceCertificate, Phrase};
use waxwing_seal::inbox::opening::{DeviceOpening, Opening};
use waxwing_seal::inbox::{
    Asking, CommitPlace, Door, Event, Inbox, InboxKey, InboxSeed, Link, Note, Opened, PersonLink, Post, Purpose,
    Reason, Recipient, Taken, Terms, Uses, Void, WholeWelcome,
};
use waxwing_seal::invitation::Pin;
use waxwing_seal::{DeviceKey, Sealed};

use crate::golden::GOLDEN;
use crate::script::{Script, seed};
use crate::values::{again, answered};

/// The games, numbered by the target behind those of who somebody is.
pub(crate) const GAMES: [fn(&[u8]); 5] = [links, forms, stored, invitation, answers];

const NETWORK: Hash = Hash([3; 32]);
const NOW: u64 = 1_700_000_000_000;

/// The most that an inbox stores: two welcomes that never end, and what else there is.
const STORED_BYTES_MAX: usize = 2 * 5 * ((500 << 10) + 64) + (64 << 10);

fn links(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let Ok(link) = Link::read(text) else { return };
    let again = match &link {
        Link::Channel(channel) => channel.link(),
        Link::Person(person) => person.link(),
        Link::Device(device) => device.link(),
    };
    assert_eq!(
        Link::read(&again).as_ref(),
        Ok(&link),
        "a link that reads back as another"
    );
}

fn forms(bytes: &[u8]) {
    again::<Opening>(bytes);
    again::<DeviceOpening>(bytes);
    again::<Post>(bytes);
    again::<WholeWelcome>(bytes);
    again::<Taken>(bytes);
    if let Some(recipient) = again::<Recipient>(bytes) {
        answered(recipient.log());
    }
}

/// An inbox whose stored state is anything that can be stored.
fn stored(bytes: &[u8]) {
    let Some(mut inbox) = again::<Inbox>(bytes) else { return };
    answered((
        inbox.is_over(NOW),
        inbox.uses_left(),
        inbox.opening(),
        inbox.device_opening(),
    ));
    for posted in &*POSTED {
        apply(&mut inbox, posted);
    }
}

/// The only device of somebody.
fn person(number: u8) -> Myself {
    let (root, device) = (root(number), DeviceKey::from_seed(&[number; 32]));
    let accepted = Acceptance::sign(&device, NETWORK, root.id());
    let certificate = DeviceCertificate::sign(&root, NETWORK, &accepted, DeviceName::default(), Validity::from(NOW), 1);
    let certificate = certificate.verify(NETWORK, root.id()).expect("just signed");
    Myself::new(device, certificate).expect("the two belong together")
}

fn root(number: u8) -> AccountKey {
    Phrase::from_entropy(&[number; 32]).account()
}

/// Randomness that is other in every call.
fn drawing(mut count: u64) -> impl FnMut(&mut [u8]) {
    move |room: &mut [u8]| {
        for byte in room {
            count = count.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = count.to_be_bytes()[0];
        }
    }
}

/// Ada's invitation, the link's door, and what she and others have posted on its log.
struct Invited {
    inbox: Inbox,
    posted: Vec<Sealed>,
}

fn invite(uses: u32, dice: u64) -> Invited {
    let terms = Terms {
        name: Name::default(),
        purpose: Purpose::Contact,
        expires_ms: NOW,
        uses: Uses::new(uses).expect("between 1 and 256"),
        card: None,
    };
    let (inbox, opening) = Inbox::open(NETWORK, &person(1), terms, &mut drawing(dice)).expect("an opening fits");
    let link = PersonLink {
        network: NETWORK,
        pin: Pin {
            height: 0,
            id: Hash::ZERO,
        },
        nodes: Vec::new(),
        account: root(1).id(),
        seed: inbox.seed().clone(),
        purpose: Purpose::Contact,
    };
    let asked = (2..4).map(|number| ask(&link.door(), &opening, number));
    let posted = asked.collect();
    Invited {
        inbox,
        posted: [vec![opening], posted].concat(),
    }
}

/// Somebody's request, which brings no true key package: as near as one comes without a group.
fn ask(door: &Door, opening: &Sealed, number: u8) -> Sealed {
    let Ok(Opened::Person(inbox)) = door.read(NOW, &header(opening), &opening.body) else {
        panic!("the opening counts");
    };
    let asking = Asking {
        name: Name::default(),
        note: Note::default(),
        key_package: KeyPackage::new(vec![1]).expect("one byte is a key package"),
        card: None,
    };
    let mut drawing = drawing(u64::from(number));
    let asked = inbox.ask(&person(number), asking, KeepFor::Week, &mut drawing);
    asked.expect("the key is Ada's").0.sealed
}

/// On two logs: openings and requests.
static POSTED: LazyLock<Vec<Sealed>> = LazyLock::new(|| [invite(2, 1).posted, invite(2, 2).posted].concat());

fn header(sealed: &Sealed) -> EnvelopeHeader {
    sealed.header(Anchor {
        height: 0,
        id: Hash([1; 32]),
    })
}

/// Reads it as the next entry; what is void has changed nothing, but for parts that came to nothing.
fn apply(inbox: &mut Inbox, sealed: &Sealed) -> Option<Event> {
    let (before, index) = (inbox.to_bytes(), inbox.next_index());
    let outcome = inbox.apply(index, NOW, &header(sealed), &sealed.body);
    assert_eq!(inbox.next_index(), index.saturating_add(1));
    let now = inbox.to_bytes();
    assert!(now.len() <= STORED_BYTES_MAX.max(before.len()), "memory has an end");
    let is_thrown_away = matches!(
        outcome,
        Err(Void::OtherWhole | Void::OtherOccasion | Void::Malformed(_))
    );
    if outcome.is_err() && !is_thrown_away {
        // The cursor stands behind magic, network, seed and key.
        assert!(
            now[..104] == before[..104] && now[112..] == before[112..],
            "what is void changes nothing"
        );
    }
    outcome.ok()
}

/// Everything that can be posted, spoilt or not, in any order, into an invitation's inbox.
fn invitation(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let Invited { mut inbox, posted } = invite(2, 1);
    let mut openings = 0;
    for _ in 0..16 {
        if script.is_over() {
            break;
        }
        let all = [&posted[..], &POSTED[..]].concat();
        let mut sealed = script.pick(&all).clone();
        let honest = sealed.clone();
        script.spoil(&mut sealed.body);
        match script.byte() % 8 {
            0 => sealed.erasure.0[script.place(32)] ^= script.byte(),
            1 => sealed.keep_for = *script.pick(&KeepFor::ALL),
            2 => sealed.log = LogId([script.byte(); 32]),
            _ => {}
        }
        match apply(&mut inbox, &sealed) {
            Some(Event::Opened) => {
                assert!(sealed == honest, "a spoilt opening counted");
                openings += 1;
            }
            Some(event) => panic!("nobody has a true key package: {event:?}"),
            None => {}
        }
    }
    assert!(openings <= 1, "opened twice");
    assert_eq!(Inbox::from_bytes(&inbox.to_bytes()).as_ref(), Ok(&inbox));
}

/// Somebody who waits for an answer, as the one who was asked sees him, and as he is stored.
fn waiting(number: u8) -> (Recipient, Inbox) {
    let (seed, key) = (
        InboxSeed::from_bytes([number; 32]),
        InboxKey::from_bytes([number ^ 0x80; 32]),
    );
    let occasion = Hash([number; 32]);
    let mut there = NETWORK.to_bytes();
    root(2).id().encode(&mut there);
    seed.encode(&mut there);
    key.public().encode(&mut there);
    occasion.encode(&mut there);
    let mut here = b"WXINBOX\x01".to_vec();
    NETWORK.encode(&mut here);
    seed.encode(&mut here);
    key.encode(&mut here);
    here.extend([&[0; 8][..], &[2]].concat());
    root(1).id().encode(&mut here);
    occasion.encode(&mut here);
    here.extend([0; 9]);
    (
        Recipient::from_bytes(&there).expect("keys and ids are any bytes"),
        Inbox::from_bytes(&here).expect("an inbox that has read nothing"),
    )
}

/// What Ada says to one of two who asked. Welcomes have one part, or now and then three.
fn said(script: &mut Script<'_>, recipient: &Recipient) -> (Vec<Sealed>, Option<Welcome>) {
    let (ada, mut drawing) = (person(1), drawing(script.number()));
    let sealed = match script.byte() % 4 {
        0 => recipient.decline(ada.key(), Reason::of(script.byte()), KeepFor::Week, &mut drawing),
        1 => {
            let about = (Name::default(), None);
            let greeted = recipient.greet(&ada, about, KeepFor::Week, &mut drawing);
            greeted.map(|(mail, _)| mail)
        }
        _ => {
            let length = if script.byte() % 16 == 0 { 1 << 20 } else { 100 };
            let welcome = Welcome {
                message: vec![script.byte(); length],
                tree: vec![script.byte(); 100],
            };
            let place = CommitPlace {
                log: LogId([1; 32]),
                index: script.number(),
                height: script.number(),
            };
            let mails = recipient.welcome(ada.key(), (&welcome, place), KeepFor::Week, &mut drawing);
            let mails = mails.expect("it is no longer than a welcome may be");
            return (mails.into_iter().map(|mail| mail.sealed).collect(), Some(welcome));
        }
    };
    (vec![sealed.expect("the key is sound").sealed], None)
}

/// Answers to two who asked, delivered to one of them: mixed, repeated, spoilt, out of order.
fn answers(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let (to_bob, mut bob) = waiting(2);
    let (to_eve, _) = waiting(4);
    let (mut sent, mut welcomes) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let is_for_bob = script.byte() % 4 != 0;
        let (sealed, welcome) = said(&mut script, if is_for_bob { &to_bob } else { &to_eve });
        sent.extend(sealed);
        welcomes.extend(welcome.filter(|_| is_for_bob));
    }
    for _ in 0..24 {
        if script.is_over() {
            break;
        }
        let honest = script.pick(&sent).clone();
        let mut sealed = honest.clone();
        if script.byte() % 4 == 0 {
            script.spoil(&mut sealed.body);
        }
        let event = apply(&mut bob, &sealed);
        assert!(event.is_none() || sealed == honest, "a spoilt answer counted");
        if let Some(Event::Welcome(whole)) = event {
            assert!(welcomes.contains(&whole.welcome), "a welcome that nobody sent");
            assert!(apply(&mut bob, &honest).is_none(), "it came twice");
        }
    }
}

/// The vectors' links, openings, posts and stored inboxes, values of each format, and some scripts. `first` is the number
/// of the first game.
pub(crate) fn seeds(first: usize) -> Vec<Vec<u8>> {
    let [links, forms, stored, invitation, answers] = core::array::from_fn(|place| first + place);
    let mut seeds = Vec::new();
    for text in GOLDEN.texts.iter().filter(|text| text.starts_with("waxwing:")) {
        seeds.push(seed(links, text.as_bytes()));
    }
    for bytes in &GOLDEN.bytes {
        if Opening::from_bytes(bytes).is_ok() || DeviceOpening::from_bytes(bytes).is_ok() {
            seeds.push(seed(forms, bytes));
        }
        if Inbox::from_bytes(bytes).is_ok() {
            seeds.push(seed(stored, bytes));
        }
    }
    for format in FORMATS {
        let bytes = (format.random)(&mut Chance::new(5));
        match format.name {
            "inbox opening" | "device opening" | "inbox post" | "welcome" | "taken request" | "recipient" => {
                seeds.push(seed(forms, &bytes));
            }
            "inbox" => seeds.push(seed(stored, &bytes)),
            _ => {}
        }
    }
    for start in 0..8_u8 {
        let script: Vec<u8> = (0..120_u8)
            .map(|at| start.wrapping_mul(at).wrapping_add(at >> 2))
            .collect();
        seeds.push(seed(invitation, &script));
        seeds.push(seed(answers, &script));
    }
    seeds
}

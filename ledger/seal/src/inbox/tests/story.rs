//! From a link to a message, with real groups.

use super::*;
use crate::ChannelSecret;
use crate::group::{Change, Charter, Entry, Group, GroupName, Joined, Verdict};
use crate::identity::CardAddress;

/// Ada's group with whoever she lets in, and what it takes to tell him.
fn admit(ada: &mut Person, group: &mut Group, taken: &Taken) -> (crate::group::Welcome, CommitPlace) {
    let log = group.keys().unwrap().log();
    let change = Change {
        add: vec![taken.key_package(NOW).unwrap()],
        ..Change::default()
    };
    let proposed = ada
        .lend(|provider, myself| group.propose(provider, myself, &change, NOW))
        .unwrap();
    let sealed = proposed.outgoing.sealed;
    let header = header(&sealed);
    let entry = Entry {
        header: &header,
        body: &sealed.body,
        time_ms: NOW,
    };
    let verdict = ada.lend(|provider, _| group.process(provider, &entry)).unwrap();
    assert!(matches!(verdict, Verdict::Closed(_)), "{verdict:?}");
    let place = CommitPlace {
        log,
        index: 0,
        height: 1204,
    };
    (proposed.welcome.unwrap(), place)
}

fn birds(ada: &mut Person) -> Group {
    let charter = Charter::channel(GroupName::new("birds").unwrap(), vec![ada.account()]).unwrap();
    ada.lend(|provider, myself| Group::create(provider, NETWORK, myself, &charter))
        .unwrap()
}

#[test]
fn who_asks_by_a_link_is_let_in_and_is_in_the_same_group() {
    let mut open = opened(1);
    let mut group = birds(&mut open.ada);
    let mut bob = Person::new(2);
    let (mail, mut answers) = bob.ask(&open.enter());
    let taken = request(read(&mut open.inbox, &mail.sealed));
    assert_eq!(taken.request.certificate.account, bob.account());
    assert_eq!(taken.request.note.as_str(), "we met at the lake");
    let taken = Taken::from_bytes(&taken.to_bytes()).unwrap();
    let (welcome, place) = admit(&mut open.ada, &mut group, &taken);
    let mails = open.ada.chance(|myself, chance| {
        let recipient = taken.recipient();
        recipient.welcome(myself.key(), (&welcome, place), KeepFor::Week, chance)
    });
    let mails = mails.unwrap();
    assert_eq!(mails.len(), 1);
    let Ok(Event::Welcome(whole)) = read(&mut answers, &mails[0].sealed) else {
        panic!("the welcome is complete");
    };
    assert_eq!((whole.place, whole.answers), (place, taken.id));
    let joined = bob.lend(|provider, myself| Group::join(provider, NETWORK, myself, &whole.welcome, None));
    let Joined { group: bobs, by } = joined.unwrap();
    assert_eq!(by.account, open.ada.account());
    assert_eq!(bobs.authenticator(), group.authenticator());
    assert_eq!(bobs.keys().unwrap().log(), group.keys().unwrap().log());
}

/// What a node sees of it: logs that have nothing in common, and bodies of one size.
#[test]
fn a_request_a_refusal_a_greeting_and_a_first_welcome_look_alike() {
    let mut open = opened(3);
    let mut group = birds(&mut open.ada);
    let mut bob = Person::new(2);
    let (asked, answers) = bob.ask(&open.enter());
    let taken = request(read(&mut open.inbox, &asked.sealed));
    let (welcome, place) = admit(&mut open.ada, &mut group, &taken);
    let recipient = taken.recipient();
    let (declined, greeting, welcome) = open.ada.chance(|myself, chance| {
        let declined = recipient
            .decline(myself.key(), Reason::Full, KeepFor::Week, chance)
            .unwrap();
        let about = (Name::new("Ada").unwrap(), None::<CardAddress>);
        let greeting = recipient.greet(myself, about, KeepFor::Week, chance).unwrap().0;
        let welcome = recipient.welcome(myself.key(), (&welcome, place), KeepFor::Week, chance);
        (declined, greeting, welcome.unwrap().remove(0))
    });
    for mail in [&asked, &declined, &greeting, &welcome] {
        assert_eq!(mail.sealed.body.len(), 8192);
    }
    assert_ne!(answers.log(), open.inbox.log());
    assert_eq!(welcome.sealed.log, answers.log());
}

#[test]
fn contacts_hand_each_other_inboxes_and_write_into_them() {
    let mut open = opened(1);
    let mut bob = Person::new(2);
    let (asked, mut bobs_answers) = bob.ask(&open.enter());
    let taken = request(read(&mut open.inbox, &asked.sealed));
    let card = open.ada.root.card_seed(NETWORK, 0).address(NETWORK);
    let about = (Name::new("Ada").unwrap(), Some(card.clone()));
    let greeted = open
        .ada
        .chance(|myself, chance| taken.recipient().greet(myself, about, KeepFor::Week, chance));
    let (mail, mut adas) = greeted.unwrap();
    let Ok(Event::Greeting(greeting, to_ada)) = read(&mut bobs_answers, &mail.sealed) else {
        panic!("a greeting counts");
    };
    assert_eq!((greeting.card, to_ada.log()), (Some(card), adas.log()));
    assert_eq!(read(&mut bobs_answers, &mail.sealed), Err(Void::Repeated));
    let to_ada = Recipient::from_bytes(&to_ada.to_bytes()).unwrap();
    let about = (Name::new("Bob").unwrap(), None);
    let greeted = bob.chance(|myself, chance| to_ada.greet(myself, about, KeepFor::Week, chance));
    let (mail, bobs) = greeted.unwrap();
    let Ok(Event::Greeting(_, to_bob)) = read(&mut adas, &mail.sealed) else {
        panic!("a greeting counts");
    };
    assert_eq!((to_bob.log(), to_bob.account()), (bobs.log(), bob.account()));
    let mut eve = Person::new(3);
    let about = (Name::new("Bob").unwrap(), None);
    let forged = eve.chance(|myself, chance| to_ada.greet(myself, about, KeepFor::Week, chance));
    let refused = read(&mut adas, &forged.unwrap().0.sealed);
    let other = crate::identity::CertificateError::WrongAccount;
    assert_eq!(
        refused,
        Err(Void::Certificate(other)),
        "even with the address, Eve is not Bob"
    );
}

#[test]
fn who_is_declined_is_told_once_and_why() {
    let mut open = opened(1);
    let mut bob = Person::new(2);
    let (asked, mut answers) = bob.ask(&open.enter());
    let taken = request(read(&mut open.inbox, &asked.sealed));
    let decline = |open: &mut Open, reason| {
        let recipient = taken.recipient();
        let mail = open
            .ada
            .chance(|myself, chance| recipient.decline(myself.key(), reason, KeepFor::Week, chance));
        mail.unwrap().sealed
    };
    let no = decline(&mut open, Reason::Stranger);
    assert_eq!(read(&mut answers, &no), Ok(Event::Declined(Reason::Stranger)));
    let again = decline(&mut open, Reason::Full);
    assert_eq!(read(&mut answers, &again), Err(Void::Repeated));
    assert!(
        !answers.is_over(u64::MAX),
        "who changes his mind can still send a welcome"
    );
    for code in 0..=u8::MAX {
        assert_eq!(Reason::of(code).code(), code);
    }
}

#[test]
fn debug_output_shows_no_secret() {
    let mut open = opened(1);
    let mut bob = Person::new(2);
    let (mail, answers) = bob.ask(&open.enter());
    let inbox = open.inbox.clone();
    let taken = request(read(&mut open.inbox, &mail.sealed));
    let link = PersonLink {
        network: NETWORK,
        pin: crate::invitation::Pin {
            height: 1,
            id: Hash([1; 32]),
        },
        nodes: vec![],
        account: open.ada.account(),
        seed: InboxSeed::from_bytes([0xab; 32]),
        purpose: Purpose::Contact,
    };
    let event = Event::Request(Box::new(taken.clone()));
    let shown = format!(
        "{inbox:?} {answers:?} {taken:?} {:?} {link:?} {event:?}",
        taken.recipient()
    );
    let bytes = inbox.to_bytes();
    let secrets = [
        &bytes[40..72],
        &bytes[72..104],
        taken.request.answer.seed.expose().as_slice(),
        &[0xab; 32],
    ];
    for secret in secrets {
        let hex = Hash(secret.try_into().unwrap()).to_string();
        let list = format!("{}, {}, {}", secret[0], secret[1], secret[2]);
        assert!(!shown.contains(&hex[..8]) && !shown.contains(&list), "{shown}");
    }
    assert!(!shown.contains("lake"), "what strangers write reaches no log line");
    let _ = ChannelSecret::from_bytes([0; 32]);
}

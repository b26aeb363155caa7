//! A busy group's life through one node, and all that its clients know about it.

use core::num::NonZeroU32;
use std::sync::Arc;

use waxwing_core::Hash;
use waxwing_core::codec::Encode;
use waxwing_core::limits::DAY_MS;
use waxwing_seal::inbox::{InboxKey, Uses};
use waxwing_seal::{ContentId, Kind};

use super::super::*;
use super::search::{Class, Known};
use super::{Capture, record};
use crate::conversations::Joined;
use crate::files::{Attachment, Destination};
use crate::inbox::Inviting;
use crate::message::BodyKind;
use crate::store::channels::ChannelKind;
use crate::store::linkings::LinkingState;
use crate::store::{self, StoreError, account, channels, inboxes, messages};

/// Names and words that nothing else is called.
const PEOPLE: [&str; 6] = [
    "Ada of the Capture",
    "Ben of the Capture",
    "Cleo of the Capture",
    "Dora of the Capture",
    "Emil of the Capture",
    "Laptop of the Capture",
];
const GROUP: &str = "harvest festival of the capture";
const RENAMED: &str = "winter ball of the capture";
const NOTE: &str = "it is the baker with the red door";
const SAID: [&str; 4] = [
    "yes",
    "no, not before the harvest is in and the barn is swept, and even then we should ask the neighbours first",
    "seven crates of pears",
    "bring the long ladder",
];
const FILE: &str = "figures-of-the-orchard.xlsx";
const GREETING: &str = "we met at the cider press, remember?";
const MEDIA: &str = "application/x-orchard-sheet";
const WITH_FILE: &str = "have a look at row seventeen";

/// Longer than a piece, and no size that others have.
const FILE_BYTES: usize = 300_123;

/// Front of what the group library writes: version 1.0, a private message, a group id of 32 bytes.
const MLS_FRONT: [u8; 5] = [0, 1, 0, 2, 32];

struct Member {
    person: Person,
    channel: ChannelId,
}

impl Member {
    async fn say(&self, words: &str) -> MessageView {
        self.person.say_finally(self.channel, words).await
    }

    async fn epoch(&self) -> u64 {
        self.person.client.group(self.channel).await.unwrap().unwrap().epoch
    }
}

/// Comes in by a link.
async fn comes_in(name: &str, link: &str) -> Member {
    let person = Person::new(name).await;
    let Joined::Asked(asked) = person.client.join_with(link, NOTE).await.unwrap() else {
        panic!("whoever has a link asks");
    };
    let answered = person.client.answered(asked, PATIENCE).await.unwrap();
    let channel = answered.channel.unwrap_or_else(|| panic!("{:?}", answered.reason));
    Member { person, channel }
}

/// Waits until all are in the same epoch, not before this one; and notes it.
async fn until_epoch(members: &[&Member], at_least: u64, known: &mut Known) {
    until("all are in one epoch", async || {
        let mut epochs = Vec::new();
        for member in members {
            epochs.push(member.epoch().await);
        }
        epochs[0] >= at_least && epochs.iter().all(|epoch| *epoch == epochs[0])
    })
    .await;
    for member in members {
        known.epochs.insert(member.epoch().await);
        know_the_epoch(&member.person, member.channel, known).await;
    }
}

/// What nodes must not learn of inboxes: who could post there, who could read, what leads there.
async fn know_the_inboxes(person: &Person, network: Hash, known: &mut Known) {
    let core = Arc::clone(&person.client.core);
    let read = core.read::<_, StoreError>(move |tx| {
        let mut states = Vec::new();
        for row in channels::on(tx, network)? {
            if row.kind == ChannelKind::Inbox {
                states.push((row.log(), channels::engine(tx, row.id)?));
            }
        }
        Ok(states)
    });
    for (log, state) in read.await.unwrap() {
        // "WXINBOX" and a version, the network, seed and key.
        assert_eq!(state[..7], *b"WXINBOX");
        known.inboxes.insert(log);
        known.add(Class::Inbox, &state[40..72]);
        known.add(Class::Inbox, &state[72..104]);
        let key = InboxKey::from_bytes(state[72..104].try_into().unwrap())
            .public()
            .to_bytes();
        for at in (0..key.len() - 32).step_by(16) {
            known.add(Class::Inbox, &key[at..at + 32]);
        }
    }
}

/// Every part of a link, as it would stand in a text.
fn know_the_link(link: &str, known: &mut Known) {
    for at in (8..link.len() - 24).step_by(8) {
        known.add(Class::Inbox, &link.as_bytes()[at..at + 24]);
    }
}

/// What those who asked had to offer.
async fn know_the_offers(person: &Person, known: &mut Known) {
    for request in person.client.requests().await.unwrap() {
        let core = Arc::clone(&person.client.core);
        let read = core
            .read::<_, StoreError>(move |tx| inboxes::request(tx, request.id))
            .await;
        let request = read.unwrap().unwrap();
        let taken = request.taken().unwrap();
        let package = taken.request.key_package.as_bytes();
        assert!(package.len() > 1000, "keys of the hybrid suite are long");
        for at in (0..package.len() - 32).step_by(16) {
            known.add(Class::KeyPackage, &package[at..at + 32]);
        }
    }
}

/// What nodes must not learn of a log's key, and of the group.
async fn know_the_epoch(person: &Person, channel: ChannelId, known: &mut Known) {
    let core = Arc::clone(&person.client.core);
    let read = core.read::<_, StoreError>(move |tx| {
        let row = channels::load(tx, channel)?.ok_or(StoreError::Damaged)?;
        Ok((*row.secret.expose(), channels::engine(tx, channel)?))
    });
    let (seed, record) = read.await.unwrap();
    if seed != [0; 32] {
        known.add(Class::Key, &seed);
    }
    // "WXGROUP" and a version, the network, the suite, the group's id.
    assert_eq!(record[..7], *b"WXGROUP");
    known.add(Class::GroupId, &record[42..74]);
}

/// Everything else that a client knows.
async fn know_the_rest(person: &Person, network: Hash, known: &mut Known) {
    let core = Arc::clone(&person.client.core);
    let read = core.read::<_, StoreError>(move |tx| {
        let (device, name) = store::device(tx)?;
        let own = account::load(tx)?;
        let phrase = account::phrase(tx)?;
        let certificate = account::certificate(tx, network)?;
        let mut followed = Vec::new();
        let mut contents = Vec::new();
        for row in channels::on(tx, network)? {
            if row.kind != ChannelKind::Link {
                followed.push(*row.secret.expose());
            }
            contents.extend(
                messages::from(tx, row.id, 0, 10_000)?
                    .into_iter()
                    .filter_map(|row| row.content),
            );
        }
        Ok((device, name, own, phrase, certificate, followed, contents))
    });
    let (device, name, own, phrase, certificate, followed, contents) = read.await.unwrap();
    known.add(Class::Member, &device.id().0);
    known.add(Class::Member, own.id.as_bytes());
    known.add(Class::Member, name.as_bytes());
    let certificate = certificate.unwrap().to_bytes();
    known.add(Class::Member, &certificate[certificate.len() - 40..]);
    known.add(Class::Key, &device.seed()[..]);
    if let Some(phrase) = phrase {
        known.add(Class::Key, &phrase.entropy()[..]);
    }
    for seed in followed.iter().filter(|seed| **seed != [0; 32]) {
        known.add(Class::Key, seed);
    }
    for content in contents {
        known.add(Class::Message, &content.id.0);
        if let Kind::Attachment(manifest) = content.kind {
            known.add(Class::Key, manifest.key.expose());
            known.add(Class::Message, manifest.hash.as_bytes());
        }
    }
}

fn attachment(path: std::path::PathBuf) -> Attachment {
    Attachment {
        path,
        name: None,
        media_type: MEDIA.to_owned(),
        words: WITH_FILE.to_owned(),
        days: NonZeroU32::new(30).unwrap(),
    }
}

/// What all of them know before it begins.
fn told() -> Known {
    let mut known = Known::default();
    known.add(Class::ContentType, &MLS_FRONT);
    for words in [GROUP, RENAMED, NOTE, GREETING, FILE, MEDIA, WITH_FILE]
        .into_iter()
        .chain(PEOPLE)
        .chain(SAID)
    {
        // A word that chance could write is looked for with what stands around it: nothing.
        if words.len() >= 8 {
            known.add(Class::Words, words.as_bytes());
        }
    }
    known
}

/// Lives it.
pub(super) async fn of_a_busy_group() -> (Capture, Known) {
    let world = World::new("test");
    let node = TestNode::honest(&world);
    let capture = record(&node);
    let mut known = told();
    let person = Person::on(PEOPLE[0], &world, &[&node]).await;
    person.client.publish_account(world.network()).await.unwrap();
    let channel = person.client.found_group(world.network(), GROUP).await.unwrap();
    let inviting = Inviting {
        uses: Uses::new(5).unwrap(),
        valid_ms: 7 * DAY_MS,
        asks: false,
    };
    let invited = person.client.invite_to_group(channel, inviting).await.unwrap();
    person.client.settle(invited.opening, PATIENCE).await.unwrap();
    let ada = Member { person, channel };
    know_the_link(&invited.link, &mut known);
    live(&ada, &invited.link, world.network(), &mut known).await;
    let emil = meet(&ada, world.network(), &mut known).await;
    let laptop = take_in(&ada, &world, &node).await;
    for person in [&ada.person, &emil, &laptop] {
        know_the_inboxes(person, world.network(), &mut known).await;
        know_the_rest(person, world.network(), &mut known).await;
    }
    let capture = capture.lock().unwrap().clone();
    (capture, known)
}

/// From the first words to the last.
async fn live(ada: &Member, link: &str, network: Hash, known: &mut Known) {
    until_epoch(&[ada], 0, known).await;
    ada.say(SAID[0]).await;
    let ben = comes_in(PEOPLE[1], link).await;
    until_epoch(&[ada, &ben], 1, known).await;
    let cleo = comes_in(PEOPLE[2], link).await;
    let dora = comes_in(PEOPLE[3], link).await;
    until_epoch(&[ada, &ben, &cleo, &dora], 3, known).await;
    talk(&[ada, &ben, &cleo, &dora]).await;
    send_a_file(ada, &ben, known).await;
    change(&[ada, &ben, &cleo, &dora], known).await;
    know_the_offers(&ada.person, known).await;
    for member in [ada, &ben, &cleo, &dora] {
        know_the_inboxes(&member.person, network, known).await;
        know_the_rest(&member.person, network, known).await;
    }
}

/// Somebody else follows a link to her, and they talk.
async fn meet(ada: &Member, network: Hash, known: &mut Known) -> Person {
    let inviting = Inviting {
        uses: Uses::new(1).unwrap(),
        valid_ms: DAY_MS,
        asks: true,
    };
    let client = &ada.person.client;
    let invited = client.invite_contact(network, inviting).await.unwrap();
    know_the_link(&invited.link, known);
    client.settle(invited.opening, PATIENCE).await.unwrap();
    let emil = Person::new(PEOPLE[4]).await;
    let Joined::Asked(asked) = emil.client.join_with(&invited.link, GREETING).await.unwrap() else {
        panic!("whoever has a link asks");
    };
    emil.client.start();
    let waiting = async || {
        let requests = client.requests().await.unwrap();
        requests.into_iter().find(|request| request.note == GREETING)
    };
    until("Emil has asked", async || waiting().await.is_some()).await;
    know_the_inboxes(&ada.person, network, known).await;
    know_the_inboxes(&emil, network, known).await;
    client.accept_request(waiting().await.unwrap().id).await.unwrap();
    let answered = emil.client.answered(asked, PATIENCE).await.unwrap();
    let channel = answered.channel.unwrap_or_else(|| panic!("{:?}", answered.reason));
    know_the_epoch(&emil, channel, known).await;
    emil.say_finally(channel, SAID[2]).await;
    emil
}

/// A further device of hers.
async fn take_in(ada: &Member, world: &Arc<World>, node: &TestNode) -> Person {
    let laptop = Person::on(PEOPLE[5], world, &[node]).await;
    let (showing, link) = laptop.client.begin_linking(world.network(), PEOPLE[5]).await.unwrap();
    let taking = ada.person.client.link_device(&link).await.unwrap();
    laptop.client.start();
    let offered = laptop
        .client
        .linking_is(showing, &[LinkingState::Offered], PATIENCE)
        .await;
    let offer = offered.unwrap().offers[0].offer.clone();
    laptop.client.agree_to_link(showing, &offer).await.unwrap();
    for (client, id) in [(&ada.person.client, taking), (&laptop.client, showing)] {
        client.linking_is(id, &[LinkingState::Done], PATIENCE).await.unwrap();
    }
    laptop
}

/// The newest message that says this, as a member has it.
async fn content_of(member: &Member, words: &str) -> Option<ContentId> {
    let (core, channel) = (Arc::clone(&member.person.client.core), member.channel);
    let rows = core
        .read::<_, StoreError>(move |tx| messages::from(tx, channel, 0, 10_000))
        .await;
    let contents = rows.unwrap().into_iter().filter_map(|row| row.content);
    let mut said = contents.filter(|content| matches!(&content.kind, Kind::Text(said) if said.as_str() == words));
    said.next_back().map(|content| content.id)
}

async fn talk(members: &[&Member]) {
    for round in 0..6 {
        for member in members {
            member.say(SAID[round % SAID.len()]).await;
        }
    }
    let (ada, ben) = (members[0], members[1]);
    let long = ada.say(SAID[1]).await;
    until("Ben has read it", async || content_of(ben, SAID[1]).await.is_some()).await;
    let content = content_of(ben, SAID[1]).await.unwrap();
    let reaction = Draft::reaction(content, "\u{1f350}").unwrap();
    let sent = ben.person.client.send(ben.channel, reaction).await.unwrap();
    ben.person.client.settle(sent, PATIENCE).await.unwrap();
    ada.person.client.erase(long.id).await.unwrap();
    until("the node has dropped it", async || {
        ada.person.client.message(long.id).await.unwrap().body == BodyKind::Erased
    })
    .await;
}

async fn send_a_file(from: &Member, to: &Member, known: &mut Known) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    let bytes: Vec<u8> = (0..FILE_BYTES)
        .map(|at| u8::try_from((at / 7 + at / 65_537) % 251).unwrap())
        .collect();
    std::fs::write(&path, &bytes).unwrap();
    known.lengths.insert(u64::try_from(FILE_BYTES).unwrap());
    known.lengths.insert(u64::try_from(FILE_BYTES % (256 << 10)).unwrap());
    // A piece of the file itself.
    known.add(Class::Words, &bytes[1000..1064]);
    let attached = from
        .person
        .client
        .attach(from.channel, attachment(path), Arc::new(|_| {}))
        .await
        .unwrap();
    from.person.client.settle(attached.message, PATIENCE).await.unwrap();
    let newest = async || {
        let views = to.person.client.read(to.channel, Range::Last(20)).await.unwrap();
        views.into_iter().rfind(|view| view.kind == Some("attachment"))
    };
    until("the file is announced", async || newest().await.is_some()).await;
    let out = tempfile::tempdir().unwrap();
    let into = Destination::Folder(out.path().to_owned());
    let saved = to
        .person
        .client
        .save_attachment(newest().await.unwrap().id, into, Arc::new(|_| {}));
    assert_eq!(std::fs::read(saved.await.unwrap().unwrap()).unwrap(), bytes);
}

/// Renamed, an admin made, one put out, one gone.
async fn change(members: &[&Member; 4], known: &mut Known) {
    let [ada, ben, cleo, dora] = *members;
    let epoch = ada.epoch().await;
    ada.person.client.rename_group(ada.channel, RENAMED).await.unwrap();
    until_epoch(&[ada, ben, cleo, dora], epoch + 1, known).await;
    let account = ben.person.client.account().await.unwrap().id;
    ada.person.client.appoint(ada.channel, account, true).await.unwrap();
    until_epoch(&[ada, ben, cleo, dora], epoch + 2, known).await;
    let account = dora.person.client.account().await.unwrap().id;
    ben.person.client.remove_member(ben.channel, account).await.unwrap();
    until_epoch(&[ada, ben, cleo], epoch + 3, known).await;
    leave(ada, ben, cleo).await;
    until_epoch(&[ada, ben], epoch + 4, known).await;
    say_all(ben).await;
}

async fn say_all(member: &Member) {
    for words in SAID {
        member.say(words).await;
    }
}

/// The third of them goes.
async fn leave(ada: &Member, ben: &Member, cleo: &Member) {
    say_all(cleo).await;
    cleo.person.client.leave_group(cleo.channel).await.unwrap();
    cleo.person.client.refresh().await.unwrap();
    until("Cleo is gone", async || {
        // The others wait a while before they make it true, each another one.
        for member in [ada, ben] {
            member.person.client.clock().shift(5_000);
            member.person.client.refresh().await.unwrap();
        }
        ada.person
            .client
            .group(ada.channel)
            .await
            .unwrap()
            .unwrap()
            .members
            .len()
            == 2
    })
    .await;
}

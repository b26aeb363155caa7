//! What a group is sent: by strangers, by members who write what they like, and by whoever posts it all again.
//!
//! Members share the keys of an epoch's log, so any of them may put anything there: bytes of his own, others' messages under
//! other terms, twice, spoilt inside of the seal. Whatever stands on the log, and in whatever order: all who read it end in
//! one epoch with one authenticator, what is void leaves no trace, nothing true is lost by what others post, and nothing
//! is said twice. Key packages and welcomes that were spoilt add nobody and lead nowhere else.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use openmls_memory_storage::MemoryStorage;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::{Anchor, EnvelopeHeader, KeepFor};
use waxwing_core::hash::{Hash, HashKeys};
use waxwing_core::keys::LogId;
use waxwing_rules::chance::Chance;
use waxwing_rules::values::FORMATS;
use waxwing_seal::content::Content;
use waxwing_seal::engine::{Authored, Binding, GroupEngine, OpenError, SealError};
use waxwing_seal::group::{
    Change, Charter, Entry, Group, GroupName, KeyPackage, Lifetime, Myself, Provider, Standing, Verdict, Welcome,
};
use waxwing_seal::identity::certificate::{DeviceName, Validity};
use waxwing_seal::identity::{Acceptance, AccountKey, DeviceCertificate, Phrase};
use waxwing_seal::{DeviceKey, EpochKeys, Keeping, Sealed, Sealer};

use crate::golden::GOLDEN;
use crate::script::{Script, seed};
use crate::values::{again, answered};

const GAMES: [fn(&[u8]); 5] = [papers, key_package, welcome, stored, epoch];

// Their places, for the seeds.
const PAPERS: usize = 0;
const KEY_PACKAGE: usize = 1;
const WELCOME: usize = 2;
const STORED: usize = 3;
const EPOCH: usize = 4;

const NETWORK: Hash = Hash([3; 32]);
const NOW: u64 = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;

/// Five people: the first is the only admin, the second and the third write as well, the last two only read.
const PEOPLE: u8 = 5;

/// Entries that one script puts on the log: each is read three times.
const ENTRIES: usize = 12;

/// Plays one input: the game, and its bytes.
pub fn run(data: &[u8]) {
    let Some((chosen, bytes)) = data.split_first() else {
        return;
    };
    GAMES[usize::from(*chosen) % GAMES.len()](bytes);
}

type Stored = HashMap<Vec<u8>, Vec<u8>>;

/// A device between two steps, and during one.
struct Device {
    myself: Myself,
    storage: MemoryStorage,
    count: u64,
    group: Option<Group>,
}

fn root(number: u8) -> AccountKey {
    Phrase::from_entropy(&[number; 32]).account()
}

fn myself(number: u8) -> Myself {
    let (root, device) = (root(number), DeviceKey::from_seed(&[number; 32]));
    let accepted = Acceptance::sign(&device, NETWORK, root.id());
    let validity = Validity::from(NOW - HOUR);
    let certificate = DeviceCertificate::sign(&root, NETWORK, &accepted, DeviceName::default(), validity, 1);
    let certificate = certificate.verify(NETWORK, root.id()).expect("just signed");
    Myself::new(device, certificate).expect("the two belong together")
}

impl Device {
    fn new(number: u8) -> Self {
        Self {
            myself: myself(number),
            storage: MemoryStorage::default(),
            count: u64::from(number) << 32,
            group: None,
        }
    }

    /// As it was when it was put away.
    fn of(member: &Kept) -> Self {
        let mut device = Self::new(member.number);
        device.put(member.stored.clone());
        let record = &member.record;
        device.group = Some(
            device
                .lend(|provider, _| Group::load(provider, record))
                .expect("it was stored"),
        );
        device
    }

    fn stored(&self) -> Stored {
        self.storage.values.read().expect("nobody panicked").clone()
    }

    fn put(&self, stored: Stored) {
        *self.storage.values.write().expect("nobody panicked") = stored;
    }

    fn lend<T>(&mut self, step: impl FnOnce(&Provider<'_, MemoryStorage>, &Myself) -> T) -> T {
        let Self {
            storage, count, myself, ..
        } = self;
        let mut chance = |room: &mut [u8]| {
            for byte in room {
                *count = count.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = count.to_be_bytes()[0];
            }
        };
        step(&Provider::new(storage, &mut chance), myself)
    }

    fn step<T>(&mut self, step: impl FnOnce(&mut Group, &Provider<'_, MemoryStorage>, &Myself) -> T) -> T {
        let mut group = self.group.take().expect("it is in a group");
        let done = self.lend(|provider, myself| step(&mut group, provider, myself));
        self.group = Some(group);
        done
    }

    fn group(&self) -> &Group {
        self.group.as_ref().expect("it is in a group")
    }

    fn offer(&mut self) -> Vec<u8> {
        let lifetime = Lifetime::new(NOW - HOUR, NOW + HOUR).expect("two hours");
        self.lend(|provider, myself| KeyPackage::offer(provider, myself, lifetime))
            .expect("memory takes it")
    }

    /// Takes an entry as a program has to. What is void has left no trace.
    fn take(&mut self, header: &EnvelopeHeader, body: &[u8]) -> Verdict {
        let (before, record) = (self.stored(), self.group().record());
        let entry = Entry {
            header,
            body,
            time_ms: NOW + 1,
        };
        let verdict = self.step(|group, provider, _| group.process(provider, &entry));
        let verdict = verdict.expect("an entry is never an error");
        if verdict.changed_nothing() {
            self.put(before);
            self.step(|group, provider, _| group.restore(provider))
                .expect("it was as it should be");
            assert!(
                verdict == Verdict::Stranded || self.group().record() == record,
                "what is void leaves no trace"
            );
        }
        verdict
    }

    fn state(&self) -> (u64, Vec<u8>, Standing) {
        let group = self.group();
        (group.epoch(), group.authenticator().to_vec(), group.standing())
    }
}

/// A member, put away.
struct Kept {
    number: u8,
    stored: Stored,
    record: Vec<u8>,
}

/// What a member has sealed for the log.
struct Said {
    sealed: Sealed,
    keeping: Keeping,
    /// What is inside of the outer seal.
    message: Vec<u8>,
}

/// A group in its second epoch, what its members have to say in it, and somebody who is about to come in.
struct World {
    members: Vec<Kept>,
    keys: EpochKeys,
    said: Vec<Said>,
    offer: Vec<u8>,
    /// The last of them before he came in.
    newcomer: Stored,
    welcome: Welcome,
    /// Of the epoch that the welcome leads to.
    authenticator: Vec<u8>,
}

static WORLD: LazyLock<World> = LazyLock::new(found);

fn text(number: u64) -> Content {
    let format = FORMATS.iter().find(|format| format.name == "content");
    let bytes = (format.expect("it is a format").random)(&mut Chance::new(number));
    Content::from_bytes(&bytes).expect("it is a content")
}

fn anchored(sealed: &Sealed) -> EnvelopeHeader {
    sealed.header(Anchor {
        height: 0,
        id: Hash([1; 32]),
    })
}

fn found() -> World {
    let mut devices: Vec<Device> = (1..=PEOPLE).map(Device::new).collect();
    let charter = charter("birds");
    let group = devices[0].lend(|provider, myself| Group::create(provider, NETWORK, myself, &charter));
    devices[0].group = Some(group.expect("its admin founds it"));
    let offers: Vec<Vec<u8>> = devices[1..].iter_mut().map(Device::offer).collect();
    let newcomer = devices[usize::from(PEOPLE) - 1].stored();
    let read = |bytes: &Vec<u8>| KeyPackage::read(bytes, NETWORK, NOW).expect("just offered");
    let change = Change {
        add: offers.iter().map(read).collect(),
        ..Change::default()
    };
    let proposed = devices[0].step(|group, provider, myself| group.propose(provider, myself, &change, NOW));
    let proposed = proposed.expect("an admin may add");
    let sealed = proposed.outgoing.sealed;
    let closed = devices[0].take(&anchored(&sealed), &sealed.body);
    assert!(matches!(closed, Verdict::Closed(_)));
    let welcome = proposed.welcome.expect("it adds");
    for device in &mut devices[1..] {
        let joined = device.lend(|provider, myself| Group::join(provider, NETWORK, myself, &welcome, None));
        device.group = Some(joined.expect("it is welcome").group);
    }
    let keys = devices[0].group().keys().expect("it is a member").clone();
    let said = say(&mut devices, &keys);
    let (_, authenticator, _) = devices[0].state();
    let members = (1..).zip(&devices).map(|(number, device)| Kept {
        number,
        stored: device.stored(),
        record: device.group().record(),
    });
    World {
        members: members.collect(),
        keys,
        said,
        offer: offers[0].clone(),
        newcomer,
        welcome,
        authenticator,
    }
}

fn charter(name: &str) -> Charter {
    let name = GroupName::new(name).expect("a short name");
    Charter::channel(name, vec![root(1).id()]).expect("it has an admin")
}

/// Messages of the first three, a wish to leave of the third, and commits of the first two: one renames, one renews.
fn say(devices: &mut [Device], keys: &EpochKeys) -> Vec<Said> {
    let mut said = Vec::new();
    let mut add = |sealed: Sealed, keeping| {
        let mut through = sealer(keys, Through::default());
        answered(through.open(&anchored(&sealed), &sealed.body));
        let message = through.engine().0.clone();
        said.push(Said {
            sealed,
            keeping,
            message,
        });
    };
    for (number, device) in (0..).zip(&mut devices[..3]) {
        for keeping in [Keeping::Erasable(KeepFor::Week), Keeping::Stays] {
            let content = text(number);
            let sealed = device.step(|group, provider, myself| group.seal(provider, myself, &content, keeping));
            add(sealed.expect("a short content").sealed, keeping);
        }
    }
    let wish = devices[2].step(|group, provider, myself| group.leave(provider, myself));
    add(wish.expect("a member may leave").sealed, Keeping::Stays);
    let renamed = Change {
        charter: Some(charter("crows")),
        ..Change::default()
    };
    for (device, change) in devices.iter_mut().zip([renamed, Change::default()]) {
        let proposed = device.step(|group, provider, myself| group.propose(provider, myself, &change, NOW));
        add(proposed.expect("it may").outgoing.sealed, Keeping::Stays);
    }
    said
}

/// Hands through what is inside of the outer seal: how a member's program reads and writes who keeps to no rule.
#[derive(Default)]
struct Through(Vec<u8>);

impl GroupEngine for Through {
    fn protect(&mut self, _: &DeviceKey, _: &Content, _: &Binding) -> Result<Vec<u8>, SealError> {
        Ok(self.0.clone())
    }

    fn unprotect(&mut self, message: &[u8], _: &Binding) -> Result<Authored, OpenError> {
        self.0 = message.to_vec();
        Err(OpenError::BadSignature)
    }
}

fn sealer(keys: &EpochKeys, engine: Through) -> Sealer<Through> {
    Sealer::new(
        HashKeys::new(NETWORK),
        keys.clone(),
        DeviceKey::from_seed(&[9; 32]),
        engine,
    )
}

/// Anything a member likes, under the terms that somebody else's message has.
fn enclosed(message: Vec<u8>, terms: &Said) -> Option<Sealed> {
    let mut through = sealer(&WORLD.keys, Through(message));
    let sealed = through.seal(&text(1), terms.keeping, &mut |room| room.fill(7));
    let mut sealed = sealed.ok()?;
    if terms.keeping != Keeping::Stays {
        sealed.erasure = terms.sealed.erasure;
    }
    Some(sealed)
}

/// Whatever a group reads that is no message.
fn papers(bytes: &[u8]) {
    again::<Charter>(bytes);
    again::<Lifetime>(bytes);
    answered(KeyPackage::read(bytes, NETWORK, NOW));
    let (message, tree) = bytes.split_at(bytes.len() / 2);
    joins(&Welcome {
        message: message.to_vec(),
        tree: tree.to_vec(),
    });
}

/// A key package that was spoilt adds nobody.
fn key_package(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let mut offer = WORLD.offer.clone();
    script.spoil(&mut offer);
    let read = KeyPackage::read(&offer, NETWORK, NOW + script.below(4) * HOUR);
    if let Ok(package) = read {
        assert_eq!(offer, WORLD.offer, "a spoilt key package counted");
        assert_eq!(package.member(), myself(2).member());
    }
}

/// Tries it as the newcomer; says which epoch it led to.
fn joins(welcome: &Welcome) -> Option<Vec<u8>> {
    let mut device = Device::new(PEOPLE);
    device.put(WORLD.newcomer.clone());
    let joined = device.lend(|provider, myself| Group::join(provider, NETWORK, myself, welcome, None));
    joined.ok().map(|joined| joined.group.authenticator().to_vec())
}

/// A welcome that was spoilt leads nowhere, or where it led before: its secrets for others are others' to open.
fn welcome(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let mut welcome = WORLD.welcome.clone();
    if script.coin() {
        script.spoil(&mut welcome.message);
    } else {
        script.spoil(&mut welcome.tree);
    }
    let is_true = welcome == WORLD.welcome;
    match joins(&welcome) {
        Some(authenticator) => assert_eq!(authenticator, WORLD.authenticator, "another epoch than the true one's"),
        None => assert!(!is_true, "the true welcome leads nowhere"),
    }
}

/// A record that is anything that can be stored, beside a library's state that is as it should be.
fn stored(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let reader = &WORLD.members[usize::from(PEOPLE) - 1];
    let mut record = reader.record.clone();
    if script.coin() {
        script.spoil(&mut record);
    } else {
        record = script.rest().to_vec();
    }
    let mut device = Device::new(PEOPLE);
    device.put(reader.stored.clone());
    let Ok(group) = device.lend(|provider, _| Group::load(provider, &record)) else {
        return;
    };
    assert_eq!(group.record(), record, "accepted, but not the one encoding");
    device.group = Some(group);
    let said = &WORLD.said[0];
    let (header, body) = (anchored(&said.sealed), &said.sealed.body);
    let entry = Entry {
        header: &header,
        body,
        time_ms: NOW + 1,
    };
    answered(device.step(|group, provider, _| group.process(provider, &entry)));
}

/// One entry of the log, and which true one it is, if it is one.
fn posted(script: &mut Script<'_>) -> Option<(EnvelopeHeader, Vec<u8>, Option<usize>)> {
    let number = script.place(WORLD.said.len());
    let said = &WORLD.said[number];
    match script.byte() % 8 {
        // By whoever has no keys.
        0 => {
            let mut sealed = said.sealed.clone();
            script.spoil(&mut sealed.body);
            let is_true = sealed.body == said.sealed.body;
            Some((anchored(&sealed), sealed.body, is_true.then_some(number)))
        }
        // By a member who writes what he likes.
        1 | 2 => {
            let mut message = said.message.clone();
            script.spoil(&mut message);
            let is_true = message == said.message;
            let sealed = enclosed(message, said)?;
            Some((anchored(&sealed), sealed.body, is_true.then_some(number)))
        }
        3 => {
            let sealed = enclosed(script.bytes(200).to_vec(), said)?;
            Some((anchored(&sealed), sealed.body, None))
        }
        // Under other terms.
        4 => {
            let mut header = anchored(&said.sealed);
            match script.byte() % 3 {
                0 => header.erasure.0[script.place(32)] ^= 1 << (script.byte() % 8),
                1 => header.keep_for = *script.pick(&KeepFor::ALL),
                _ => header.log = LogId([script.byte(); 32]),
            }
            let is_true = header == anchored(&said.sealed);
            Some((header, said.sealed.body.clone(), is_true.then_some(number)))
        }
        // One's message under the terms of another.
        5 => {
            let terms = script.pick(&WORLD.said);
            let is_true = terms.sealed.erasure == said.sealed.erasure || terms.message == said.message;
            let is_true = is_true || (terms.keeping, said.keeping) == (Keeping::Stays, Keeping::Stays);
            let sealed = enclosed(said.message.clone(), terms)?;
            Some((anchored(&sealed), sealed.body, is_true.then_some(number)))
        }
        _ => Some((anchored(&said.sealed), said.sealed.body.clone(), Some(number))),
    }
}

/// The log of one epoch, read by the admin, who has written on it and waits for a commit, and by two who have not.
fn epoch(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let mut readers: Vec<Device> = [0, 3, 4].into_iter().map(|at| Device::of(&WORLD.members[at])).collect();
    let (mut counted, mut is_closed) = (BTreeSet::new(), false);
    for _ in 0..ENTRIES {
        if script.is_over() {
            break;
        }
        let Some((header, body, number)) = posted(&mut script) else {
            continue;
        };
        let verdicts: Vec<Verdict> = readers.iter_mut().map(|reader| reader.take(&header, &body)).collect();
        assert_eq!(verdicts[1], verdicts[2], "two who only read disagree");
        let counts: Vec<bool> = verdicts.iter().map(|verdict| !verdict.changed_nothing()).collect();
        assert!(
            counts[0] == counts[1],
            "who wrote disagrees with who reads: {verdicts:?}"
        );
        assert!(!verdicts.contains(&Verdict::Stranded), "nobody made such a commit");
        match number.filter(|_| counts[0]) {
            Some(number) => assert!(counted.insert(number), "it counted twice: {verdicts:?}"),
            None => assert!(!counts[0], "what nobody said counted: {verdicts:?}"),
        }
        if let Some(number) = number {
            assert!(
                is_closed || counted.contains(&number),
                "what was said was lost: {verdicts:?}"
            );
        }
        assert!(!is_closed || !counts[0], "it counted behind the end of the epoch");
        is_closed |= matches!(verdicts[1], Verdict::Closed(_));
        let states: Vec<_> = readers.iter().map(Device::state).collect();
        assert!(states.iter().all(|state| *state == states[0]), "{states:?}");
    }
}

/// The vectors' charters, lifetimes and records, the world's own papers, and some scripts.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![
        seed(PAPERS, &charter("birds").to_bytes()),
        seed(PAPERS, &WORLD.offer),
        seed(PAPERS, &[&WORLD.welcome.message[..], &WORLD.welcome.tree].concat()),
    ];
    for bytes in &GOLDEN.bytes {
        if Charter::from_bytes(bytes).is_ok() || Lifetime::from_bytes(bytes).is_ok() {
            seeds.push(seed(PAPERS, bytes));
        }
        if bytes.starts_with(b"WXGROUP") {
            seeds.push(seed(STORED, &[&[0], &bytes[..]].concat()));
        }
    }
    let record = &WORLD.members[usize::from(PEOPLE) - 1].record;
    seeds.push(seed(STORED, &[&[0], &record[..]].concat()));
    for start in 0..4_u8 {
        let script: Vec<u8> = (0..24_u8)
            .map(|at| start.wrapping_mul(at).wrapping_add(at >> 2))
            .collect();
        for game in [KEY_PACKAGE, WELCOME, STORED] {
            seeds.push(seed(game, &script));
        }
    }
    // Everything once and in order, backwards, and twice; then mixtures.
    let said = u8::try_from(WORLD.said.len()).expect("they have said little");
    seeds.push(seed(
        EPOCH,
        &(0..said).flat_map(|number| [number, 7]).collect::<Vec<u8>>(),
    ));
    seeds.push(seed(
        EPOCH,
        &(0..said).rev().flat_map(|number| [number, 7]).collect::<Vec<u8>>(),
    ));
    seeds.push(seed(
        EPOCH,
        &(0..said).flat_map(|number| [number / 2, 7]).collect::<Vec<u8>>(),
    ));
    for start in 0..6_u8 {
        let script: Vec<u8> = (0..80_u8)
            .map(|at| start.wrapping_mul(at).wrapping_add(at >> 2))
            .collect();
        seeds.push(seed(EPOCH, &script));
    }
    seeds
}

//! Groups on a ledger in miniature: devices with stores of their own, and logs that everybody reads in one order.
//!
//! A device takes each step as a caller has to: a copy of its store before, and back to it if the step changed nothing.

mod bytes;
mod fresh;
mod handing;
mod invented;
mod lifecycle;
mod order;
mod rules;
mod schedule;
mod terms;

use std::collections::{BTreeMap, HashMap};

use openmls_memory_storage::MemoryStorage;
use waxwing_core::Hash;
use waxwing_core::envelope::{Anchor, KeepFor};
use waxwing_core::keys::LogId;

use super::*;
use crate::DeviceKey;
use crate::content::{Content, Kind, Name, Text, View, Words};
use crate::identity::certificate::Validity;
use crate::identity::{
    Acceptance, AccountId, AccountKey, CertificateError, CertifiedDevice, DeviceCertificate, Phrase,
};
use crate::sealer::{Keeping, Sealed};

const NETWORK: Hash = Hash([7; 32]);
const NOW: u64 = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;

/// Bytes that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    /// SplitMix64.
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let roll = self.roll().to_be_bytes();
            chunk.copy_from_slice(&roll[..chunk.len()]);
        }
    }
}

/// An entry as it stands on a log.
#[derive(Clone)]
struct Row {
    header: EnvelopeHeader,
    body: Vec<u8>,
    time_ms: u64,
}

/// All logs, each in the one order.
#[derive(Default)]
struct Ledger {
    logs: BTreeMap<LogId, Vec<Row>>,
    time_ms: u64,
}

impl Ledger {
    fn new() -> Self {
        Self {
            logs: BTreeMap::new(),
            time_ms: NOW,
        }
    }

    fn post(&mut self, sealed: &Sealed) {
        let anchor = Anchor {
            height: 64,
            id: Hash([9; 32]),
        };
        self.post_as(sealed.header(anchor), sealed.body.clone());
    }

    fn post_as(&mut self, header: EnvelopeHeader, body: Vec<u8>) {
        self.time_ms += 1;
        let row = Row {
            header,
            body,
            time_ms: self.time_ms,
        };
        self.logs.entry(row.header.log).or_default().push(row);
    }

    fn row(&self, log: LogId, index: usize) -> Option<&Row> {
        self.logs.get(&log).and_then(|rows| rows.get(index))
    }
}

/// A device: its key, its store, its place on the present log, and what it has read.
struct Device {
    myself: Myself,
    storage: MemoryStorage,
    dice: Dice,
    group: Option<Group>,
    read: usize,
    verdicts: Vec<Verdict>,
}

fn account(number: u8) -> AccountKey {
    Phrase::from_entropy(&[number; 32]).account()
}

fn certified(key: &DeviceKey, account: &AccountKey) -> CertifiedDevice {
    let accepted = Acceptance::sign(key, NETWORK, account.id());
    let (name, validity) = (Text::default(), Validity::from(NOW - HOUR));
    DeviceCertificate::sign(account, NETWORK, &accepted, name, validity, 1)
        .verify(NETWORK, account.id())
        .unwrap()
}

impl Device {
    /// The device of account `person`; their further devices have other numbers.
    fn new(person: u8, number: u8) -> Self {
        Self::with_seed(person, [number; 32])
    }

    fn with_seed(person: u8, seed: [u8; 32]) -> Self {
        let key = DeviceKey::from_seed(&seed);
        let certificate = certified(&key, &account(person));
        Self {
            myself: Myself::new(key, certificate).unwrap(),
            storage: MemoryStorage::default(),
            dice: Dice(u64::from(seed[0]) << 8 | u64::from(seed[1])),
            group: None,
            read: 0,
            verdicts: Vec::new(),
        }
    }

    fn member(&self) -> Member {
        self.myself.member()
    }

    fn group(&self) -> &Group {
        self.group.as_ref().unwrap()
    }

    fn log(&self) -> LogId {
        self.group().keys().unwrap().log()
    }

    fn snapshot(&self) -> HashMap<Vec<u8>, Vec<u8>> {
        self.storage.values.read().unwrap().clone()
    }

    fn roll_back(&self, to: HashMap<Vec<u8>, Vec<u8>>) {
        *self.storage.values.write().unwrap() = to;
    }

    /// One step outside of any group.
    fn lend<T>(&mut self, step: impl FnOnce(&Provider<'_, MemoryStorage>, &Myself) -> T) -> T {
        let Self {
            storage, dice, myself, ..
        } = self;
        let mut chance = |bytes: &mut [u8]| dice.fill(bytes);
        step(&Provider::new(storage, &mut chance), myself)
    }

    /// One step of the group, rolled back if it fails.
    fn step<T>(
        &mut self,
        step: impl FnOnce(&mut Group, &Provider<'_, MemoryStorage>, &Myself) -> Result<T, GroupError>,
    ) -> Result<T, GroupError> {
        let before = self.snapshot();
        let mut group = self.group.take().unwrap();
        let done = self.lend(|provider, myself| step(&mut group, provider, myself));
        if done.is_err() {
            self.roll_back(before);
            self.lend(|provider, _| group.restore(provider)).unwrap();
        }
        self.group = Some(group);
        done
    }

    /// One step of a program that keeps no rules: nothing is rolled back, and the group is not used by it again.
    fn lend_group<T>(&mut self, step: impl FnOnce(&mut Group, &Provider<'_, MemoryStorage>, &Myself) -> T) -> T {
        let mut group = self.group.take().unwrap();
        let done = self.lend(|provider, myself| step(&mut group, provider, myself));
        self.group = Some(group);
        done
    }

    fn found(&mut self, charter: &Charter) {
        let group = self.lend(|provider, myself| Group::create(provider, NETWORK, myself, charter));
        self.enter(group.unwrap());
    }

    fn enter(&mut self, group: Group) {
        self.group = Some(group);
        self.read = 0;
    }

    fn offer(&mut self) -> KeyPackage {
        let lifetime = Lifetime::new(NOW - HOUR, NOW + 1000 * HOUR).unwrap();
        let bytes = self.lend(|provider, myself| KeyPackage::offer(provider, myself, lifetime));
        KeyPackage::read(&bytes.unwrap(), NETWORK, NOW).unwrap()
    }

    fn propose(&mut self, change: &Change) -> Result<Proposed, GroupError> {
        self.step(|group, provider, myself| group.propose(provider, myself, change, NOW))
    }

    fn content(&mut self, text: &str) -> Content {
        let (name, view) = (Name::new("x").unwrap(), View::empty_log(64, Hash([9; 32])));
        let kind = Kind::Text(Words::new(text).unwrap());
        let dice = &mut self.dice;
        Content::new(&mut |bytes| dice.fill(bytes), NOW, name, view, kind)
    }

    fn seal(&mut self, text: &str) -> Outgoing {
        let content = self.content(text);
        let keeping = Keeping::Erasable(KeepFor::Week);
        self.step(|group, provider, myself| group.seal(provider, myself, &content, keeping))
            .unwrap()
    }

    /// Takes one entry as a caller has to: savepoint, and back if nothing came of it.
    fn take(&mut self, row: &Row) -> Verdict {
        let before = self.snapshot();
        let entry = Entry {
            header: &row.header,
            body: &row.body,
            time_ms: row.time_ms,
        };
        let verdict = self.step(|group, provider, _| group.process(provider, &entry)).unwrap();
        if verdict.changed_nothing() {
            self.roll_back(before);
            self.step(|group, provider, _| group.restore(provider)).unwrap();
        }
        verdict
    }

    /// Whether there is anything this device can still read.
    fn follows(&self) -> bool {
        self.group
            .as_ref()
            .is_some_and(|group| group.standing() == Standing::Member)
    }

    /// Reads the next entry, if there is one; over the end of an epoch onto the next log.
    fn advance(&mut self, ledger: &Ledger) -> Option<Verdict> {
        if !self.follows() {
            return None;
        }
        let row = ledger.row(self.log(), self.read)?.clone();
        let verdict = self.take(&row);
        self.read = match verdict {
            Verdict::Closed(_) => 0,
            _ => self.read + 1,
        };
        self.verdicts.push(verdict.clone());
        Some(verdict)
    }

    fn catch_up(&mut self, ledger: &Ledger) -> Vec<Verdict> {
        core::iter::from_fn(|| self.advance(ledger)).collect()
    }

    /// The texts that this device has read from others, in order.
    fn texts(&self) -> Vec<String> {
        let text = |verdict: &Verdict| match verdict {
            Verdict::Message { content, .. } => Some(text_of(content)),
            _ => None,
        };
        self.verdicts.iter().filter_map(text).collect()
    }
}

fn text_of(content: &Content) -> String {
    match &content.kind {
        Kind::Text(text) => text.as_str().to_owned(),
        other => panic!("only texts are sent here: {other:?}"),
    }
}

/// What a commit that adds brings to those it adds.
fn join(device: &mut Device, welcome: &Welcome) -> Result<Member, JoinError> {
    let old = device.group.take();
    let before = device.snapshot();
    let joined = device.lend(|provider, myself| Group::join(provider, NETWORK, myself, welcome, old.as_ref()));
    match joined {
        Ok(Joined { group, by }) => {
            device.enter(group);
            Ok(by)
        }
        Err(error) => {
            device.roll_back(before);
            device.group = old;
            Err(error)
        }
    }
}

/// A channel of as many people, one device each; the first is the only admin. Everybody is in its second epoch.
fn channel(people: u8) -> (Ledger, Vec<Device>) {
    channel_by(people, 0)
}

/// Other dice give another group of the same people.
fn channel_by(people: u8, dice: u64) -> (Ledger, Vec<Device>) {
    let mut devices: Vec<Device> = (1..=people).map(|person| Device::new(person, person)).collect();
    for device in &mut devices {
        device.dice.0 ^= dice << 32;
    }
    let charter = Charter::channel(GroupName::new("birds").unwrap(), vec![account(1).id()]).unwrap();
    devices[0].found(&charter);
    let mut ledger = Ledger::new();
    let add = devices[1..].iter_mut().map(Device::offer).collect();
    let welcome = commit(
        &mut ledger,
        &mut devices[0],
        &Change {
            add,
            ..Change::default()
        },
    )
    .unwrap();
    devices[0].catch_up(&ledger);
    for device in &mut devices[1..] {
        assert_eq!(join(device, &welcome), Ok(account_member(1)));
    }
    agree(&devices);
    (ledger, devices)
}

fn account_member(number: u8) -> Member {
    Device::new(number, number).member()
}

/// Proposes and posts.
fn commit(ledger: &mut Ledger, device: &mut Device, change: &Change) -> Option<Welcome> {
    let proposed = device.propose(change).unwrap();
    ledger.post(&proposed.outgoing.sealed);
    proposed.welcome
}

/// All who follow are in one epoch with one authenticator and one log, and see the same members.
fn agree(devices: &[Device]) {
    let state = |device: &Device| {
        let group = device.group();
        (
            group.epoch(),
            group.authenticator().to_vec(),
            device.log(),
            group.members(),
        )
    };
    let states: Vec<_> = devices.iter().filter(|device| device.follows()).map(state).collect();
    assert!(states.windows(2).all(|pair| pair[0] == pair[1]), "{states:?}");
}

/// The only verdict of a device that reads on.
fn only(device: &mut Device, ledger: &Ledger) -> Verdict {
    let verdicts = device.catch_up(ledger);
    assert_eq!(verdicts.len(), 1, "{verdicts:?}");
    verdicts.into_iter().next().unwrap()
}

//! What a group costs: bytes on the ledger and processor time per step, in groups of 2 and 32 devices, by hand, on Linux.
//!
//! `cargo run --release -p waxwing-seal --example group_cost`. State lies in memory and is written as JSON in every step,
//! which is slower than the client's store. Times are of one run, of all threads together: what others do on the machine
//! meanwhile does not count.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot go on has failed"
)]

use std::fs;

use openmls_memory_storage::MemoryStorage;
use waxwing_core::Hash;
use waxwing_core::envelope::{Anchor, KeepFor};
use waxwing_seal::content::{Content, Kind, Name, Text, View, Words};
use waxwing_seal::group::{
    Change, Charter, Entry, Group, GroupName, KeyPackage, Lifetime, Myself, Outgoing, Proposed, Provider, Verdict,
    Welcome,
};
use waxwing_seal::identity::certificate::Validity;
use waxwing_seal::identity::{Acceptance, DeviceCertificate, Phrase};
use waxwing_seal::{DeviceKey, Keeping};

const NETWORK: Hash = Hash([7; 32]);
const NOW: u64 = 1_800_000_000_000;
const ROUNDS: u32 = 100;
const GAP: u32 = 1000;
const EPOCHS: u32 = 100;

struct Device {
    myself: Myself,
    storage: MemoryStorage,
    rolls: u64,
    group: Option<Group>,
}

impl Device {
    fn new(number: u8) -> Self {
        let (key, account) = (
            DeviceKey::from_seed(&[number; 32]),
            Phrase::from_entropy(&[number; 32]).account(),
        );
        let accepted = Acceptance::sign(&key, NETWORK, account.id());
        let name = Text::new("a device").unwrap();
        let certificate = DeviceCertificate::sign(&account, NETWORK, &accepted, name, Validity::from(NOW), 1);
        Self {
            myself: Myself::new(key, certificate.verify(NETWORK, account.id()).unwrap()).unwrap(),
            storage: MemoryStorage::default(),
            rolls: u64::from(number) << 32,
            group: None,
        }
    }

    fn step<T>(&mut self, step: impl FnOnce(&mut Option<Group>, &Provider<'_, MemoryStorage>, &Myself) -> T) -> T {
        let rolls = &mut self.rolls;
        let mut chance = |bytes: &mut [u8]| {
            for chunk in bytes.chunks_mut(8) {
                *rolls = rolls.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let roll = rolls.to_be_bytes();
                chunk.copy_from_slice(roll.get(..chunk.len()).unwrap());
            }
        };
        step(
            &mut self.group,
            &Provider::new(&self.storage, &mut chance),
            &self.myself,
        )
    }

    fn offer(&mut self) -> KeyPackage {
        let lifetime = Lifetime::new(NOW, NOW + 1).unwrap();
        let bytes = self
            .step(|_, provider, myself| KeyPackage::offer(provider, myself, lifetime))
            .unwrap();
        KeyPackage::read(&bytes, NETWORK, NOW).unwrap()
    }

    fn propose(&mut self, change: &Change) -> Proposed {
        self.step(|group, provider, myself| group.as_mut().unwrap().propose(provider, myself, change, NOW))
            .unwrap()
    }

    fn process(&mut self, outgoing: &Outgoing) -> Verdict {
        let header = outgoing.sealed.header(Anchor {
            height: 64,
            id: Hash([9; 32]),
        });
        let entry = Entry {
            header: &header,
            body: &outgoing.sealed.body,
            time_ms: NOW,
        };
        let verdict = self.step(|group, provider, _| group.as_mut().unwrap().process(provider, &entry));
        let verdict = verdict.unwrap();
        assert!(!verdict.changed_nothing(), "{verdict:?}");
        verdict
    }

    fn join(&mut self, welcome: &Welcome) {
        self.group =
            self.step(|_, provider, myself| Some(Group::join(provider, NETWORK, myself, welcome, None).unwrap().group));
    }

    fn seal(&mut self, round: u32) -> Outgoing {
        let kind = Kind::Text(Words::new(format!("{round:0>200}")).unwrap());
        let view = View::empty_log(64, Hash([9; 32]));
        let content = Content::new(&mut |bytes| bytes.fill(1), NOW, Name::new("x").unwrap(), view, kind);
        let keeping = Keeping::Erasable(KeepFor::Week);
        self.step(|group, provider, myself| group.as_mut().unwrap().seal(provider, myself, &content, keeping))
            .unwrap()
    }
}

/// What all threads of this program have spent on a processor so far, in ms: the first number of each one's `schedstat`.
fn spent() -> f64 {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let of = |thread: fs::DirEntry| {
        let statistics = fs::read_to_string(thread.path().join("schedstat")).unwrap();
        let nanoseconds = statistics.split(' ').next().and_then(|number| number.parse().ok());
        nanoseconds.unwrap_or(0.0)
    };
    threads.map(|thread| of(thread.unwrap())).sum::<f64>() / 1e6
}

fn timed<T>(step: impl FnOnce() -> T) -> (f64, T) {
    let before = spent();
    let done = step();
    (spent() - before, done)
}

/// A group of so many devices, its first two members at hand, and the welcome that made it.
fn group(size: u8) -> (Device, Device) {
    let mut ada = Device::new(1);
    let charter = Charter::channel(GroupName::new("birds").unwrap(), vec![ada.myself.member().account]).unwrap();
    ada.group = ada.step(|_, provider, myself| Some(Group::create(provider, NETWORK, myself, &charter).unwrap()));
    let mut others: Vec<Device> = (2..=size).map(Device::new).collect();
    let add = others.iter_mut().map(Device::offer).collect();
    let proposed = ada.propose(&Change {
        add,
        ..Change::default()
    });
    let body = proposed.outgoing.sealed.body.len();
    println!("{size} devices, all added at once by {body} B on the ledger");
    ada.process(&proposed.outgoing);
    let mut bob = others.swap_remove(0);
    bob.join(proposed.welcome.as_ref().unwrap());
    (ada, bob)
}

/// The same commit many times over, since the system counts processor time in steps of some milliseconds.
#[derive(Default)]
struct Total {
    propose: f64,
    merge: f64,
    process: f64,
    body: usize,
}

impl Total {
    fn commit(&mut self, ada: &mut Device, bob: &mut Device, change: &Change) -> Option<Welcome> {
        let (propose, proposed) = timed(|| ada.propose(change));
        let (merge, _) = timed(|| ada.process(&proposed.outgoing));
        let (process, _) = timed(|| bob.process(&proposed.outgoing));
        self.propose += propose;
        self.merge += merge;
        self.process += process;
        self.body = proposed.outgoing.sealed.body.len();
        proposed.welcome
    }

    fn print(&self, what: &str) {
        let each = |total: f64| total / f64::from(ROUNDS);
        println!(
            "  {what}: propose {:.1} ms, merge {:.1} ms, others process {:.1} ms, {} B",
            each(self.propose),
            each(self.merge),
            each(self.process),
            self.body
        );
    }
}

fn commits(ada: &mut Device, bob: &mut Device) {
    let (mut add, mut join, mut update) = (Total::default(), 0.0, Total::default());
    let mut sizes = (0, 0);
    for round in 0..ROUNDS {
        let mut newcomer = Device::new(100 + u8::try_from(round).unwrap());
        let change = Change {
            add: vec![newcomer.offer()],
            ..Change::default()
        };
        let welcome = add.commit(ada, bob, &change).unwrap();
        join += timed(|| newcomer.join(&welcome)).0;
        sizes = (welcome.message.len(), welcome.tree.len());
        let remove = vec![newcomer.myself.member().device];
        Total::default().commit(
            ada,
            bob,
            &Change {
                remove,
                ..Change::default()
            },
        );
        update.commit(ada, bob, &Change::default());
    }
    add.print("add one");
    let join = join / f64::from(ROUNDS);
    println!("  join {join:.1} ms, welcome {} B, tree {} B", sizes.0, sizes.1);
    update.print("update self");
}

fn messages(ada: &mut Device, bob: &mut Device) {
    let (seal, sent) = timed(|| (0..ROUNDS).map(|round| ada.seal(round)).collect::<Vec<_>>());
    let (open, ()) = timed(|| sent.iter().for_each(|outgoing| drop(bob.process(outgoing))));
    let body = sent.first().map_or(0, |outgoing| outgoing.sealed.body.len());
    let rounds = f64::from(ROUNDS);
    println!(
        "  message of 200 B: seal {:.2} ms, open {:.2} ms, {body} B",
        seal / rounds,
        open / rounds
    );
}

fn gap(ada: &mut Device, bob: &mut Device) {
    let sent: Vec<Outgoing> = (0..GAP).map(|round| ada.seal(round)).collect();
    let (far, _) = timed(|| sent.last().map(|outgoing| bob.process(outgoing)));
    println!("  the last of {GAP} messages whose others are gone: open {far:.1} ms");
}

/// A member comes back to so many epochs that it has not seen.
fn absence(ada: &mut Device, bob: &mut Device) {
    let missed: Vec<Outgoing> = (0..EPOCHS)
        .map(|_| {
            let outgoing = ada.propose(&Change::default()).outgoing;
            ada.process(&outgoing);
            outgoing
        })
        .collect();
    let (ms, ()) = timed(|| missed.iter().for_each(|outgoing| drop(bob.process(outgoing))));
    println!("  {EPOCHS} epochs missed: caught up in {ms:.0} ms");
}

fn main() {
    for size in [2, 32] {
        let (mut ada, mut bob) = group(size);
        commits(&mut ada, &mut bob);
        messages(&mut ada, &mut bob);
        let stored: usize = bob.storage.values.read().unwrap().values().map(Vec::len).sum();
        println!("  stored by a member, as JSON: {stored} B");
        absence(&mut ada, &mut bob);
        gap(&mut ada, &mut bob);
    }
}

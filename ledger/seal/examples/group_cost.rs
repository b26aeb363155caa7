//! What a group costs: bytes on the ledger and time per step, in groups of 2 and 32 devices, by hand.
//!
//! `cargo run --release -p waxwing-seal --example group_cost`. State lies in memory and is written as JSON after every
//! step, which is slower than the clients' store; times are of one run on whatever machine this is.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot go on has failed"
)]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::time::Instant;

use openmls_memory_storage::MemoryStorage;
use waxwing_core::Hash;
use waxwing_core::envelope::{Anchor, KeepFor};
use waxwing_seal::content::{Content, Kind, Name, Text, View};
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
        let kind = Kind::Text(Text::new(format!("{round:0>200}")).unwrap());
        let view = View::empty_log(64, Hash([9; 32]));
        let content = Content::new(&mut |bytes| bytes.fill(1), NOW, Name::new("x").unwrap(), view, kind);
        let keeping = Keeping::Erasable(KeepFor::Week);
        self.step(|group, provider, myself| group.as_mut().unwrap().seal(provider, myself, &content, keeping))
            .unwrap()
    }
}

fn timed<T>(step: impl FnOnce() -> T) -> (f64, T) {
    let start = Instant::now();
    let done = step();
    (start.elapsed().as_secs_f64() * 1e3, done)
}

/// A group of so many devices, its first two members at hand, and the welcome that made it.
fn group(size: u8) -> (Device, Device) {
    let mut ada = Device::new(1);
    let charter = Charter::channel(GroupName::new("birds").unwrap(), vec![ada.myself.member().account]).unwrap();
    ada.group = ada.step(|_, provider, myself| Some(Group::create(provider, NETWORK, myself, &charter).unwrap()));
    let mut others: Vec<Device> = (2..=size).map(Device::new).collect();
    let add = others.iter_mut().map(Device::offer).collect();
    let (ms, proposed) = timed(|| {
        ada.propose(&Change {
            add,
            ..Change::default()
        })
    });
    println!(
        "{size} devices: all added at once {ms:.1} ms, {} B on the ledger",
        proposed.outgoing.sealed.body.len()
    );
    ada.process(&proposed.outgoing);
    let mut bob = others.swap_remove(0);
    bob.join(proposed.welcome.as_ref().unwrap());
    (ada, bob)
}

fn commits(ada: &mut Device, bob: &mut Device) {
    let mut newcomer = Device::new(200);
    let add = vec![newcomer.offer()];
    for (name, change) in [
        (
            "add one",
            Change {
                add,
                ..Change::default()
            },
        ),
        ("update self", Change::default()),
        ("update self again", Change::default()),
    ] {
        let (propose, proposed) = timed(|| ada.propose(&change));
        let (merge, _) = timed(|| ada.process(&proposed.outgoing));
        let (process, _) = timed(|| bob.process(&proposed.outgoing));
        let body = proposed.outgoing.sealed.body.len();
        println!("  {name}: propose {propose:.1} ms, merge {merge:.1} ms, others process {process:.1} ms, {body} B");
        if let Some(welcome) = &proposed.welcome {
            let (join, ()) = timed(|| newcomer.join(welcome));
            println!(
                "  join {join:.1} ms, welcome {} B, tree {} B",
                welcome.message.len(),
                welcome.tree.len()
            );
        }
    }
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

fn main() {
    for size in [2, 32] {
        let (mut ada, mut bob) = group(size);
        commits(&mut ada, &mut bob);
        messages(&mut ada, &mut bob);
        let stored: usize = bob.storage.values.read().unwrap().values().map(Vec::len).sum();
        println!("  stored by a member, as JSON: {stored} B");
        gap(&mut ada, &mut bob);
    }
}

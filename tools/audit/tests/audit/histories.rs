//! Small histories with everything in them: several logs, erased and expired bodies, an empty block.

use std::path::Path;

use waxwing_audit::report::Report;
use waxwing_audit::source::{Blocks, SourceError, SourceKind};
use waxwing_audit::{HistorySource, audit};
use waxwing_core::block::CertifiedBlock;
use waxwing_core::certificate::{Certificate, Head};
use waxwing_core::envelope::{Carried, KeepFor};
use waxwing_core::genesis::Genesis;
use waxwing_core::ledger::Step;
use waxwing_core::limits::DAY_MS;
use waxwing_core::policy::{PinnedHead, Policy};
use waxwing_store::fixture::{Note, World, genesis, writer};
use waxwing_store::{MemoryTables, Options, Store, Tables};

/// Validators of the networks of most tests: one may lie.
pub(crate) const VALIDATORS: u8 = 4;

/// A note of a few bytes.
pub(crate) fn note(writer: u64, number: u64) -> Note {
    Note {
        bytes: 40,
        ..Note::new(writer, number)
    }
}

fn kept(writer: u64, number: u64, keep_for: KeepFor) -> Note {
    Note {
        keep_for,
        ..note(writer, number)
    }
}

/// An empty ledger in memory.
pub(crate) fn town() -> World<MemoryTables> {
    World::found(MemoryTables::new(), VALIDATORS)
}

/// Seven blocks, eleven entries, three logs. The second entry of block 2 is erased; the first of block 3 expires after
/// a day, and block 6 comes two days later; block 5 is empty.
pub(crate) fn live<T: Tables>(world: &mut World<T>) {
    let erased = note(2, 4);
    world.append(100, &[note(1, 0), note(2, 1), note(1, 2)]);
    world.append(100, &[note(1, 3), erased, note(3, 5)]);
    world.append(100, &[kept(3, 6, KeepFor::Day), kept(1, 7, KeepFor::Year)]);
    let large = Note {
        bytes: 3000,
        ..note(2, 8)
    };
    world.append(100, &[large]);
    world.append(100, &[]);
    world.append(2 * DAY_MS, &[note(1, 9)]);
    world.append(100, &[note(2, 10)]);
    let secret = erased.secret(world.store.keys());
    world.store.erase(&writer(2).public(), 1, secret).unwrap();
    assert_eq!(world.store.expire(u64::MAX).unwrap().dropped, 1);
}

/// The same in a directory; nobody has it open any more.
pub(crate) fn live_in(directory: &Path) {
    let store = Store::create(directory, &genesis(VALIDATORS), &Options::default()).unwrap();
    let mut world = World::resume(store, VALIDATORS);
    live(&mut world);
    world.store.settle().unwrap();
}

/// A history as a list, to be changed by tests.
#[derive(Clone)]
pub(crate) struct History {
    pub(crate) genesis: Genesis,
    pub(crate) blocks: Vec<CertifiedBlock>,
}

/// What [`live`] makes.
pub(crate) fn honest() -> History {
    let mut world = town();
    live(&mut world);
    History::of(&world)
}

/// One block with an entry and an erased one, certified by one validator: small enough to try every bit.
pub(crate) fn tiny() -> World<MemoryTables> {
    let mut world = World::found(MemoryTables::new(), 1);
    let (kept, erased) = (Note { bytes: 1, ..note(1, 0) }, Note { bytes: 1, ..note(2, 1) });
    world.append(100, &[kept, erased]);
    let secret = erased.secret(world.store.keys());
    world.store.erase(&writer(2).public(), 0, secret).unwrap();
    world
}

/// A step as a block that travels.
pub(crate) fn certified(step: &Step, certificate: Certificate) -> CertifiedBlock {
    CertifiedBlock {
        head: Head {
            header: step.header.clone(),
            certificate,
        },
        entries: step
            .entries
            .iter()
            .map(|entry| Carried::clone(&entry.carried))
            .collect(),
        evidence: step.evidence.clone(),
    }
}

impl History {
    /// What a store holds.
    pub(crate) fn of<T: Tables>(world: &World<T>) -> Self {
        let block = |height| world.store.block(height).unwrap().unwrap();
        Self {
            genesis: world.store.genesis().clone(),
            blocks: (1..=world.store.applied()).map(block).collect(),
        }
    }

    pub(crate) fn source(&self) -> impl HistorySource + use<> {
        let claimed = u64::try_from(self.blocks.len()).ok();
        let blocks: Vec<Result<CertifiedBlock, SourceError>> = self.blocks.iter().cloned().map(Ok).collect();
        Blocks::new(self.genesis.clone(), SourceKind::Memory, claimed, blocks.into_iter())
    }

    pub(crate) fn audit(&self, policy: Option<&Policy>) -> Report {
        audit(&mut self.source(), policy, &mut |_| ()).unwrap()
    }

    /// Under the policy that pins its network.
    pub(crate) fn verdict(&self) -> Report {
        self.audit(Some(&self.policy()))
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy {
            genesis: self.genesis.clone(),
            head: None,
        }
    }

    /// The policy that also pins a block of this history.
    pub(crate) fn policy_at(&self, height: usize) -> Policy {
        let header = &self.blocks[height - 1].head.header;
        let head = PinnedHead {
            height: header.height,
            id: header.id(&self.genesis.keys()),
        };
        Policy {
            head: Some(head),
            ..self.policy()
        }
    }

    /// A block, by its height.
    pub(crate) fn at(&mut self, height: usize) -> &mut CertifiedBlock {
        &mut self.blocks[height - 1]
    }
}

/// The envelope of a note, sealed for the block after the newest one.
pub(crate) fn sealed<T: Tables>(world: &World<T>, note: &Note) -> Carried {
    Carried::clone(&world.verified(note))
}

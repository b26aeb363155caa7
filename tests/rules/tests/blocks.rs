//! The ledger's rules against a naive model: which entries a block may hold, what its header must say, and that whoever
//! proposes and whoever checks agree, over random histories with every fault there is.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;

use proptest::prelude::*;
use waxwing_core::block::BlockHeader;
use waxwing_core::envelope::{Anchor, Body, Carried, Envelope, SignedHeader};
use waxwing_core::hash::{Hash, Meaning};
use waxwing_core::keys::{LogKey, ValidatorId, Verified};
use waxwing_core::ladder::Ladder;
use waxwing_core::ledger::{BlockError, EntryFault, HeaderField, Ledger, Stored, is_timely};
use waxwing_core::limits::{ANCHOR_VALID_MS, BLOCK_ENTRIES_MAX, CLOCK_SKEW_MS, NEW_LOGS_PER_BLOCK_MAX};
use waxwing_core::logmap::LogMap;
use waxwing_core::merkle::{Frontier, Sha256Tree};
use waxwing_core::schedule;
use waxwing_rules::chance::Chance;
use waxwing_rules::model::ledger::NaiveLedger;
use waxwing_rules::world::{Rows, World, log_key};

const HOUR_MS: u64 = 3_600_000;

/// A network that two nodes follow: one proposes, the other checks, the model watches both.
struct Trio {
    world: World,
    other: Ledger,
    rows: Rows,
    naive: NaiveLedger,
    /// Every envelope that was ever made, ordered or not.
    made: Vec<Envelope>,
    /// How often each verdict came about.
    seen: Vec<Result<(), EntryFault>>,
}

impl Trio {
    fn new() -> Self {
        let world = World::new(1);
        Self {
            other: Ledger::new(&world.genesis),
            rows: Rows::default(),
            naive: NaiveLedger::new(&world.genesis),
            made: Vec::new(),
            seen: Vec::new(),
            world,
        }
    }

    fn proposer(&self) -> ValidatorId {
        self.world.voters.first().unwrap().public()
    }

    /// Any anchor: mostly the newest, sometimes an older one, or one that is none.
    fn anchor(&self, chance: &mut Chance) -> Anchor {
        let newest = self.world.newest_anchor();
        let any = |chance: &mut Chance| {
            let height = chance.below(self.world.height() + 1);
            let height = if chance.once_in(4) { height } else { height / 64 * 64 };
            let id = self.world.header(height).id(self.world.keys());
            Anchor { height, id }
        };
        match chance.below(10) {
            0..6 => newest,
            6..8 => any(chance),
            8 => Anchor {
                id: Hash(chance.array()),
                ..newest
            },
            _ => Anchor {
                height: newest.height + 64,
                ..newest
            },
        }
    }

    fn envelope(&mut self, chance: &mut Chance) -> Envelope {
        if !self.made.is_empty() && chance.once_in(6) {
            return chance.pick(&self.made).clone();
        }
        let anchor = self.anchor(chance);
        let writer = 1 + chance.byte() % 6;
        let bits = 1 + u32::from(chance.byte() % 5);
        let body = self.made.len().to_be_bytes();
        let envelope = self.world.envelope_at(anchor, writer, &body, bits);
        self.made.push(envelope.clone());
        envelope
    }

    /// Offers candidates for the next block to the proposer and to the model; they must say the same of each.
    fn block(&mut self, time: u64, candidates: &[Envelope]) {
        let mut admitted: Vec<SignedHeader> = Vec::new();
        let mut entries: Vec<Arc<Verified<Carried>>> = Vec::new();
        let mut draft = self.world.ledger.draft(&self.world.rows, time);
        for envelope in candidates {
            let verified = self.world.verified(envelope);
            let verdict = draft.add(Arc::clone(&verified)).unwrap();
            assert_eq!(verdict, self.naive.verdict(time, &admitted, &envelope.signed));
            if verdict.is_ok() {
                admitted.push(envelope.signed.clone());
                entries.push(verified);
            }
            self.seen.push(verdict);
        }
        let step = draft.finish(self.proposer(), Vec::new());
        let header = self.naive.next_header(time, self.proposer(), &admitted);
        assert_eq!(step.header, header, "the header is what the model computes");
        let checked = self
            .other
            .check(&self.rows, &header, entries.clone(), Vec::new())
            .unwrap();
        assert_eq!((&checked.header, checked.id), (&step.header, step.id));
        assert_eq!(checked.expired_anchors, step.expired_anchors);
        self.every_other_header_is_refused(&header, &entries);
        self.rows.apply(&checked);
        self.other.advance(checked);
        self.world.commit(step);
        self.naive.add(header, admitted);
    }

    fn every_other_header_is_refused(&self, header: &BlockHeader, entries: &[Arc<Verified<Carried>>]) {
        for (change, error) in CHANGES {
            let mut other = header.clone();
            change(&mut other);
            let outcome = self.other.check(&self.rows, &other, entries.to_vec(), Vec::new());
            assert_eq!(outcome.unwrap_err(), error);
        }
    }

    /// Who proposed the newest blocks, as many as turns depend on.
    fn proposers(&self) -> Vec<ValidatorId> {
        let committee = self.world.genesis.committee();
        let first = schedule::first_height(&committee, 0, self.naive.head().height);
        let headers = self.naive.headers().filter(|header| header.height >= first);
        headers.map(|header| header.proposer).collect()
    }

    /// A ledger that is put together from the model's state alone goes on like the others.
    fn restored(&self) -> Ledger {
        let keys = self.world.keys();
        let mut history = Frontier::empty();
        let before = self.naive.headers().rev().skip(1).collect::<Vec<_>>();
        for header in before.into_iter().rev() {
            history.append(&Sha256Tree, waxwing_core::history::leaf(header));
        }
        let anchors = self.naive.anchors();
        let stored = Stored {
            head: self.naive.head().clone(),
            history,
            map: LogMap::build(keys, self.naive.map_leaves()).unwrap(),
            anchors: anchors
                .iter()
                .map(|header| (header.height, header.id(keys), header.time))
                .collect(),
            ladder: Ladder::new(self.world.genesis.committee()),
            proposers: self.proposers(),
            pending: None,
        };
        Ledger::restore(&self.world.genesis, stored).unwrap()
    }
}

type Change = (fn(&mut BlockHeader), BlockError<core::convert::Infallible>);

const CHANGES: [Change; 14] = [
    (|header| header.network.0[0] ^= 1, BlockError::ForeignNetwork),
    (|header| header.height += 1, BlockError::NotNext),
    (|header| header.height -= 1, BlockError::NotNext),
    (|header| header.parent.0[0] ^= 1, BlockError::NotNext),
    (|header| header.time = 0, BlockError::TimeRunsBack),
    (
        |header| header.parameters.0[0] ^= 1,
        BlockError::Wrong(HeaderField::Parameters),
    ),
    (
        |header| header.committee.0[0] ^= 1,
        BlockError::Wrong(HeaderField::Committee),
    ),
    (
        |header| header.next_committee.0[0] ^= 1,
        BlockError::Wrong(HeaderField::Committee),
    ),
    (
        |header| header.history_root.0[0] ^= 1,
        BlockError::Wrong(HeaderField::HistoryRoot),
    ),
    (|header| header.entry_count += 1, BlockError::Wrong(HeaderField::Counts)),
    (
        |header| header.entries_root.0[0] ^= 1,
        BlockError::Wrong(HeaderField::EntriesRoot),
    ),
    (|header| header.log_count += 1, BlockError::Wrong(HeaderField::LogCount)),
    (
        |header| header.map_root.0[0] ^= 1,
        BlockError::Wrong(HeaderField::MapRoot),
    ),
    (
        |header| header.evidence_root.0[0] ^= 1,
        BlockError::Wrong(HeaderField::EvidenceRoot),
    ),
];

/// Some histories are busy, a second a block, and others idle for hours: so anchors die under the hands of their users,
/// or long before.
fn scenario(seed: u64, blocks: u64) -> Trio {
    let mut chance = Chance::new(seed);
    let mut trio = Trio::new();
    let pauses = *chance.pick(&[4, 60]);
    for _ in 0..blocks {
        let step = match chance.below(pauses) {
            0 => 1 + chance.below(30 * HOUR_MS),
            1 => ANCHOR_VALID_MS - chance.below(3) * 64,
            _ => 1 + chance.below(1_000),
        };
        let time = trio.world.ledger.head().time + step;
        let count = if chance.once_in(2) { chance.below(6) } else { 0 };
        let candidates: Vec<Envelope> = (0..count).map(|_| trio.envelope(&mut chance)).collect();
        trio.block(time, &candidates);
    }
    trio
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn proposer_checker_and_model_agree_on_any_history(seed in any::<u64>()) {
        scenario(seed, 90);
    }
}

/// So that the law above is not about empty blocks: over a few histories every verdict occurs.
#[test]
fn every_verdict_that_random_histories_can_reach_is_reached() {
    let mut seen: Vec<Result<(), EntryFault>> = Vec::new();
    for seed in 0..6 {
        seen.extend(scenario(seed, 200).seen);
    }
    for wanted in [
        Ok(()),
        Err(EntryFault::AnchorUnknown),
        Err(EntryFault::AnchorExpired),
        Err(EntryFault::Duplicate),
        Err(EntryFault::WeakStamp { required: 4 }),
    ] {
        assert!(seen.contains(&wanted), "{wanted:?} never came about");
    }
}

#[test]
fn a_ledger_restored_from_the_models_state_goes_on_like_the_others() {
    for seed in 0..4 {
        let mut trio = scenario(seed, 140);
        let restored = trio.restored();
        assert_eq!((restored.head(), restored.id()), (trio.other.head(), trio.other.id()));
        assert_eq!(restored.anchors(), trio.other.anchors());
        trio.other = restored;
        let mut chance = Chance::new(seed + 100);
        for _ in 0..5 {
            let time = trio.world.ledger.head().time + 1 + chance.below(HOUR_MS);
            let candidates: Vec<Envelope> = (0..5).map(|_| trio.envelope(&mut chance)).collect();
            trio.block(time, &candidates);
        }
    }
}

/// An anchor counts from the block after it, at heights that are multiples of 64 and no others.
#[test]
fn anchors_are_the_blocks_at_multiples_of_64_from_the_next_block_on() {
    let mut world = World::new(1);
    for height in 1..=130_u64 {
        world.grow(&[]);
        let head = Anchor {
            height,
            id: world.ledger.id(),
        };
        let envelope = world.envelope_at(head, 1, b"x", 4);
        let mut draft = world.ledger.draft(&world.rows, world.ledger.head().time + 1);
        let expected = if height % 64 == 0 {
            Ok(())
        } else {
            Err(EntryFault::AnchorUnknown)
        };
        assert_eq!(draft.add(world.verified(&envelope)), Ok(expected), "height {height}");
    }
}

/// The 24 hours end to the millisecond, and only for anchors that are not the newest.
#[test]
fn an_anchor_dies_24_hours_after_its_block_unless_it_is_the_newest() {
    for blocks in [1, 63, 64, 65] {
        let mut world = World::new(1);
        let genesis = world.newest_anchor();
        (0..blocks).for_each(|_| {
            world.grow(&[]);
        });
        let envelope = world.verified(&world.envelope_at(genesis, 1, b"x", 4));
        for late in [
            ANCHOR_VALID_MS - 1,
            ANCHOR_VALID_MS,
            ANCHOR_VALID_MS + 1,
            400 * ANCHOR_VALID_MS,
        ] {
            let mut draft = world.ledger.draft(&world.rows, world.genesis.time + late);
            let is_newest = blocks < 64;
            let expected = if is_newest || late <= ANCHOR_VALID_MS {
                Ok(())
            } else {
                Err(EntryFault::AnchorExpired)
            };
            assert_eq!(
                draft.add(Arc::clone(&envelope)),
                Ok(expected),
                "{blocks} blocks, {late} ms"
            );
        }
    }
}

/// Up to its last millisecond an anchor is known, and so is every envelope under it; one block later both are forgotten.
#[test]
fn an_anchor_and_its_duplicates_are_forgotten_exactly_when_no_later_block_can_use_them() {
    let mut world = World::new(1);
    let genesis = world.newest_anchor();
    let ordered = world.envelope(1, b"ordered");
    let late = world.envelope_at(genesis, 2, b"late", 4);
    world.grow(std::slice::from_ref(&ordered));
    (0..63).for_each(|_| {
        world.grow(&[]);
    });
    let end = world.genesis.time + ANCHOR_VALID_MS;
    let verdict = |world: &World, time, envelope: &Envelope| {
        let mut draft = world.ledger.draft(&world.rows, time);
        draft.add(world.verified(envelope)).unwrap()
    };
    for before in [1_000, 1, 0] {
        let time = end - before;
        assert_eq!(verdict(&world, time, &late), Ok(()), "{before} ms before its end");
        assert_eq!(
            verdict(&world, time, &ordered),
            Err(EntryFault::Duplicate),
            "{before} ms before its end"
        );
        world.grow_at(time, &[], Vec::new());
    }
    assert_eq!(verdict(&world, end + 1, &late), Err(EntryFault::AnchorExpired));
    assert_eq!(verdict(&world, end + 1, &ordered), Err(EntryFault::AnchorExpired));
    world.grow_at(end + 1, &[], Vec::new());
    assert_eq!(verdict(&world, end + 2, &late), Err(EntryFault::AnchorUnknown));
    assert_eq!(verdict(&world, end + 2, &ordered), Err(EntryFault::AnchorUnknown));
}

/// Signing one header twice, or giving the same envelope another signature, makes no second entry.
#[test]
fn a_duplicate_is_known_by_its_header_whatever_its_signature() {
    let mut world = World::new(1);
    let envelope = world.envelope(1, b"once");
    let verified = world.verified(&envelope);
    world.grow(&[envelope]);
    let mut draft = world.ledger.draft(&world.rows, world.ledger.head().time + 1);
    assert_eq!(draft.add(verified), Ok(Err(EntryFault::Duplicate)));
    assert!(draft.is_empty());
}

#[test]
fn a_block_may_be_ten_seconds_ahead_of_a_clock_and_no_more() {
    for now in [0, 1_000_000, u64::MAX - CLOCK_SKEW_MS] {
        assert!(is_timely(0, now) && is_timely(now, now) && is_timely(now + CLOCK_SKEW_MS, now));
    }
    assert!(!is_timely(CLOCK_SKEW_MS + 1, 0));
    assert!(is_timely(u64::MAX, u64::MAX));
}

/// An entry of any log, as cheap as possible: no body, one bit of stamp and three more for a new log.
fn entry_of(world: &World, key: &LogKey, number: u64) -> Arc<Verified<Carried>> {
    let keys = world.keys();
    let mut header = world.envelope(1, b"").signed.header;
    header.log = key.public();
    header.body_hash = keys.hash(Meaning::Body, b"");
    header.nonce = number << 32;
    header.grind(keys, 4);
    let carried = Carried {
        signed: header.sign(keys, key),
        body: Body::Present(Vec::new()),
    };
    Arc::new(carried.verify(keys, 1).unwrap())
}

#[test]
fn a_block_takes_8192_entries_and_not_one_more() {
    let world = World::new(1);
    let mut draft = world.ledger.draft(&world.rows, world.genesis.time + 1);
    for number in 0..u64::from(BLOCK_ENTRIES_MAX) {
        let key = log_key(u8::try_from(number / 64).unwrap());
        assert_eq!(draft.add(entry_of(&world, &key, number)), Ok(Ok(())), "entry {number}");
    }
    let more = entry_of(&world, &log_key(200), 0);
    assert_eq!(draft.add(more), Ok(Err(EntryFault::BlockFull)));
    let step = draft.finish(ValidatorId([0; 32]), Vec::new());
    assert_eq!((step.header.entry_count, step.header.log_count), (8192, 128));
}

#[test]
fn a_block_opens_2048_logs_and_entries_of_known_ones_still_fit() {
    let mut world = World::new(1);
    let old = world.envelope(1, b"old");
    world.grow(&[old]);
    let mut draft = world.ledger.draft(&world.rows, world.ledger.head().time + 1);
    let key = |number: u32| {
        let mut seed = [0xcc; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        LogKey::from_seed(&seed)
    };
    for number in 0..NEW_LOGS_PER_BLOCK_MAX {
        let entry = entry_of(&world, &key(number), u64::from(number));
        assert_eq!(draft.add(entry), Ok(Ok(())), "log {number}");
    }
    let one_more = entry_of(&world, &key(NEW_LOGS_PER_BLOCK_MAX), 0);
    assert_eq!(draft.add(one_more), Ok(Err(EntryFault::NewLogsFull)));
    assert!(EntryFault::NewLogsFull.is_passing() && !EntryFault::Duplicate.is_passing());
    let known = world.verified(&world.envelope(1, b"more"));
    assert_eq!(draft.add(known), Ok(Ok(())));
    let opened = entry_of(&world, &key(7), 1 << 20);
    assert_eq!(draft.add(opened), Ok(Ok(())), "a log that this block opened");
}

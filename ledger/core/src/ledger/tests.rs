//! Whole blocks against a naive store: what is accepted, and each refusal by its name.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;

use super::*;
use crate::envelope::{Anchor, Body, EnvelopeHeader, ErasureSecret, KeepFor};
use crate::hash::Meaning;
use crate::keys::{LogKey, VoteKey};
use crate::limits::{ANCHOR_VALID_MS, LOG_ENTRIES_PER_BLOCK_MAX};

#[derive(Default)]
struct Rows {
    logs: RefCell<HashMap<LogId, LogState>>,
    known: RefCell<HashSet<(u64, Hash)>>,
}

impl LedgerReader for Rows {
    type Error = Infallible;

    fn log(&self, log: &LogId) -> Result<Option<LogState>, Infallible> {
        Ok(self.logs.borrow().get(log).cloned())
    }

    fn is_known(&self, anchor: u64, stamp: &Hash) -> Result<bool, Infallible> {
        Ok(self.known.borrow().contains(&(anchor, *stamp)))
    }
}

struct World {
    ledger: Ledger,
    rows: Rows,
    validator: VoteKey,
}

impl World {
    fn new() -> Self {
        let validator = VoteKey::from_seed(&[9; 32]);
        let parameters = Parameters {
            stamp_bits: 1,
            new_log_bits: 3,
        };
        let genesis = Genesis::new("test", 1_000, parameters, vec![validator.public()]).unwrap();
        Self {
            ledger: Ledger::new(&genesis),
            rows: Rows::default(),
            validator,
        }
    }

    fn envelope(&self, writer: u8, text: &[u8], bits: u32) -> Arc<Verified<Carried>> {
        let anchor = self.ledger.anchors().newest().unwrap();
        self.envelope_at(anchor, writer, text, bits)
    }

    fn envelope_at(&self, anchor: Anchor, writer: u8, text: &[u8], bits: u32) -> Arc<Verified<Carried>> {
        let (keys, key) = (self.ledger.keys(), LogKey::from_seed(&[writer; 32]));
        let mut header = EnvelopeHeader {
            body_length: u32::try_from(text.len()).unwrap(),
            log: key.public(),
            anchor,
            body_hash: keys.hash(Meaning::Body, text),
            erasure: ErasureSecret([1; 32]).commitment(keys),
            keep_for: KeepFor::Ever,
            nonce: 0,
        };
        while header.stamp(keys).leading_zero_bits() != bits {
            header.nonce += 1;
        }
        let carried = Carried {
            signed: header.sign(keys, &key),
            body: Body::Present(text.to_vec()),
        };
        Arc::new(carried.verify(keys, 1).unwrap())
    }

    fn propose(&self, time: u64, entries: &[Arc<Verified<Carried>>]) -> Step {
        let mut draft = self.ledger.draft(&self.rows, time);
        for entry in entries {
            draft.add(Arc::clone(entry)).unwrap().unwrap();
        }
        draft.finish(self.validator.public(), Vec::new())
    }

    fn commit(&mut self, step: Step) {
        for change in &step.logs {
            self.rows
                .logs
                .borrow_mut()
                .insert(change.state.log, change.state.clone());
        }
        for entry in &step.entries {
            self.rows
                .known
                .borrow_mut()
                .insert((entry.carried.signed.header.anchor.height, entry.stamp));
        }
        self.ledger.advance(step);
    }

    fn refusal(&self, time: u64, entry: &Arc<Verified<Carried>>) -> EntryFault {
        self.ledger
            .draft(&self.rows, time)
            .add(Arc::clone(entry))
            .unwrap()
            .unwrap_err()
    }
}

fn entries_of(step: &Step) -> Vec<Arc<Verified<Carried>>> {
    step.entries.iter().map(|entry| Arc::clone(&entry.carried)).collect()
}

type Change = (fn(&mut BlockHeader), BlockError<Infallible>);

const CHANGES: [Change; 13] = [
    (|h| h.network = Hash::ZERO, BlockError::ForeignNetwork),
    (|h| h.height = 2, BlockError::NotNext),
    (|h| h.parent = Hash::ZERO, BlockError::NotNext),
    (|h| h.time = 1_000, BlockError::TimeRunsBack),
    (|h| h.term = 1, BlockError::Wrong(HeaderField::Committee)),
    (|h| h.total_entries += 1, BlockError::Wrong(HeaderField::Counts)),
    (|h| h.log_count += 1, BlockError::Wrong(HeaderField::LogCount)),
    (
        |h| h.parameters = Hash::ZERO,
        BlockError::Wrong(HeaderField::Parameters),
    ),
    (
        |h| h.next_committee = Hash::ZERO,
        BlockError::Wrong(HeaderField::Committee),
    ),
    (
        |h| h.history_root = Hash::ZERO,
        BlockError::Wrong(HeaderField::HistoryRoot),
    ),
    (
        |h| h.entries_root = Hash::ZERO,
        BlockError::Wrong(HeaderField::EntriesRoot),
    ),
    (|h| h.map_root = Hash::ZERO, BlockError::Wrong(HeaderField::MapRoot)),
    (
        |h| h.evidence_root = Hash([1; 32]),
        BlockError::Wrong(HeaderField::EvidenceRoot),
    ),
];

#[test]
fn what_one_proposes_another_accepts_and_any_changed_field_is_refused_by_name() {
    let mut world = World::new();
    let first = [
        world.envelope(1, b"a", 4),
        world.envelope(2, b"b", 4),
        world.envelope(1, b"c", 1),
    ];
    let step = world.propose(2_000, &first);
    assert_eq!(
        (step.header.entry_count, step.header.log_count, step.logs.len()),
        (3, 2, 2)
    );
    assert_eq!(
        step.entries.iter().map(|entry| entry.log_index).collect::<Vec<_>>(),
        [0, 0, 1]
    );
    let header = step.header.clone();
    let check = |header: &BlockHeader| {
        world
            .ledger
            .check(&world.rows, header, entries_of(&step), Vec::new())
            .map(|step| step.header)
    };
    assert_eq!(check(&header), Ok(header.clone()));

    for (change, error) in CHANGES {
        let mut other = header.clone();
        change(&mut other);
        assert_eq!(check(&other), Err(error));
    }
    world.commit(step);
    assert_eq!(world.ledger.head(), &header);
}

#[test]
fn an_envelope_is_ordered_once() {
    let mut world = World::new();
    let entry = world.envelope(1, b"once", 4);
    let mut draft = world.ledger.draft(&world.rows, 2_000);
    assert_eq!(draft.add(Arc::clone(&entry)), Ok(Ok(())));
    assert_eq!(draft.add(Arc::clone(&entry)), Ok(Err(EntryFault::Duplicate)));
    let step = draft.finish(world.validator.public(), Vec::new());
    world.commit(step);
    assert_eq!(world.refusal(3_000, &entry), EntryFault::Duplicate);
}

#[test]
fn the_first_entry_of_a_log_needs_more_work_than_the_next() {
    let mut world = World::new();
    assert_eq!(
        world.refusal(2_000, &world.envelope(1, b"a", 3)),
        EntryFault::WeakStamp { required: 4 }
    );
    let step = world.propose(2_000, &[world.envelope(1, b"a", 4)]);
    world.commit(step);
    let step = world.propose(3_000, &[world.envelope(1, b"b", 1)]);
    assert_eq!(step.logs[0].leaf.length, 2);
}

#[test]
fn a_log_has_its_share_of_a_block_and_no_more() {
    let world = World::new();
    let mut draft = world.ledger.draft(&world.rows, 2_000);
    for number in 0..LOG_ENTRIES_PER_BLOCK_MAX {
        let entry = world.envelope(1, &number.to_be_bytes(), 4);
        assert_eq!(draft.add(entry), Ok(Ok(())));
    }
    assert_eq!(draft.add(world.envelope(1, b"more", 4)), Ok(Err(EntryFault::LogFull)));
    assert_eq!(draft.add(world.envelope(2, b"other", 4)), Ok(Ok(())));
}

#[test]
fn large_bodies_fill_the_log_and_then_the_block() {
    let world = World::new();
    let mut draft = world.ledger.draft(&world.rows, 2_000);
    let body = vec![0; 500 << 10];
    for writer in [1, 1, 2, 2] {
        let entry = world.envelope(writer, &body, 13 + u32::try_from(draft.len()).unwrap() % 2);
        assert_eq!(draft.add(entry), Ok(Ok(())), "entry {}", draft.len());
    }
    assert_eq!(draft.add(world.envelope(3, &body, 13)), Ok(Err(EntryFault::BlockFull)));
    let mut draft = world.ledger.draft(&world.rows, 2_000);
    for bits in [13, 14] {
        assert_eq!(draft.add(world.envelope(1, &body, bits)), Ok(Ok(())));
    }
    assert_eq!(draft.add(world.envelope(1, &body, 15)), Ok(Err(EntryFault::LogFull)));
}

#[test]
fn an_envelope_dies_with_its_anchor_and_the_ledger_forgets_it() {
    let mut world = World::new();
    let old = world.ledger.anchors().newest().unwrap();
    let lost = world.envelope_at(old, 1, b"lost", 4);
    let foreign = Anchor {
        height: 0,
        id: Hash([7; 32]),
    };
    assert_eq!(
        world.refusal(2_000, &world.envelope_at(foreign, 1, b"x", 4)),
        EntryFault::AnchorUnknown
    );
    for height in 1..=64_u8 {
        let step = world.propose(2_000 + u64::from(height), &[world.envelope(2, &[height], 4)]);
        world.commit(step);
    }
    assert_eq!(world.ledger.anchors().newest().unwrap().height, 64);
    let last_moment = 1_000 + ANCHOR_VALID_MS;
    let mut draft = world.ledger.draft(&world.rows, last_moment);
    assert_eq!(draft.add(Arc::clone(&lost)), Ok(Ok(())));
    assert_eq!(world.refusal(last_moment + 1, &lost), EntryFault::AnchorExpired);
    let step = world.propose(last_moment + 1, &[]);
    assert_eq!(step.expired_anchors, [0]);
    world.commit(step);
    assert_eq!(world.refusal(last_moment + 2, &lost), EntryFault::AnchorUnknown);
}

#[test]
fn a_ledger_restored_from_what_was_stored_goes_on_and_wrong_state_is_refused() {
    let mut world = World::new();
    let genesis = Genesis::new(
        "test",
        1_000,
        *world.ledger.parameters(),
        vec![world.validator.public()],
    )
    .unwrap();
    let step = world.propose(2_000, &[world.envelope(1, b"a", 4), world.envelope(2, b"b", 4)]);
    let leaves: Vec<(Hash, Hash)> = step
        .logs
        .iter()
        .map(|change| (change.map_key, change.leaf.hash(world.ledger.keys())))
        .collect();
    let history = world.ledger.history.clone();
    world.commit(step);
    let stored = |leaves: &[(Hash, Hash)], history: &Frontier| Stored {
        head: world.ledger.head().clone(),
        history: history.clone(),
        map: LogMap::build(world.ledger.keys(), leaves.iter().copied()).unwrap(),
        anchors: vec![(0, genesis.block().id(world.ledger.keys()), 1_000)],
        ladder: Ladder::new(genesis.committee()),
        proposers: vec![world.validator.public()],
        pending: None,
    };
    let restored = Ledger::restore(&genesis, stored(&leaves, &history)).unwrap();
    assert_eq!(
        (restored.head(), restored.id()),
        (world.ledger.head(), world.ledger.id())
    );
    let next = world.propose(3_000, &[world.envelope(1, b"c", 4)]);
    assert!(
        restored
            .check(&world.rows, &next.header, entries_of(&next), Vec::new())
            .is_ok()
    );

    assert_eq!(
        Ledger::restore(&genesis, stored(&leaves[1..], &history)).unwrap_err(),
        RestoreError::WrongMap
    );
    let empty = Frontier::empty();
    assert_eq!(
        Ledger::restore(&genesis, stored(&leaves, &empty)).unwrap_err(),
        RestoreError::WrongHistory
    );
}

#[test]
fn a_block_carries_no_more_evidence_than_the_limit() {
    use crate::certificate::{VoteKind, vote_message};
    use crate::evidence::TwoVotes;
    let world = World::new();
    let network = world.ledger.keys().network();
    let vote = |block: u8| {
        let message = vote_message(network, VoteKind::Prevote, 1, 0, Hash([block; 32]));
        (Hash([block; 32]), world.validator.sign(&message))
    };
    let piece = |number: u8| {
        Evidence::TwoVotes(Box::new(TwoVotes {
            validator: world.validator.public(),
            kind: VoteKind::Prevote,
            height: 1,
            round: 0,
            first: vote(number),
            second: vote(number + 1),
        }))
    };
    let check = |count: u8| {
        let evidence: Vec<Evidence> = (0..count).map(piece).collect();
        let step = world
            .ledger
            .draft(&world.rows, 2_000)
            .finish(world.validator.public(), evidence.clone());
        let checked = world.ledger.check(&world.rows, &step.header, Vec::new(), evidence);
        checked.map(|_| ())
    };
    let most = u8::try_from(EVIDENCE_MAX).unwrap();
    assert_eq!(check(most), Ok(()));
    assert_eq!(check(most + 1), Err(BlockError::Evidence(EvidenceError::TooMany)));
}

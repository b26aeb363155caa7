//! Every proof the store makes, given to the verifiers that clients run, in every small case and some long ones.

use waxwing_core::block::BlockHeader;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::envelope::KeepFor;
use waxwing_core::follow::{Accepted, Follow, HeadProof};
use waxwing_core::history;
use waxwing_core::keys::LogId;
use waxwing_core::log::LogCursor;
use waxwing_core::merkle::InclusionProof;
use waxwing_store::fixture::{self, Note, Plan, World};
use waxwing_store::{MemoryTables, Tables};

use crate::model::{EVERYTHING, number};

fn log(writer: u64) -> LogId {
    fixture::writer(writer).public()
}

/// A client: follows heads and one log, and believes nothing.
struct Client {
    follow: Follow,
    cursor: LogCursor,
}

impl Client {
    fn new<T: Tables>(world: &World<T>, log: LogId) -> Self {
        Self {
            follow: Follow::from_genesis(world.store.genesis()),
            cursor: LogCursor::start(log),
        }
    }

    fn catch_up<T: Tables>(&mut self, world: &World<T>) -> HeadProof {
        let (held, log) = (self.follow.header().height, self.cursor.state.log);
        let proof = world.store.head_proof(&world.ledger, &log, held).unwrap().unwrap();
        assert_eq!(HeadProof::from_bytes(&proof.to_bytes()).as_ref(), Ok(&proof));
        let now = proof.update.head.header.time;
        self.follow.accept(&proof.update, now).unwrap();
        assert_eq!(self.follow.header(), world.ledger.head());
        let proven = self.follow.check_log(&log, &proof.log).unwrap();
        let length = self.cursor.state.length();
        let entries = world.store.log_entries(&log, length, EVERYTHING).unwrap();
        let places: Vec<_> = entries
            .iter()
            .map(|entry| (entry.signed.entry_id(self.follow.keys()), entry.place))
            .collect();
        match proven {
            Some(leaf) => self.cursor.extend(self.follow.keys(), &places, &leaf).unwrap(),
            None => assert_eq!((length, entries.len()), (0, 0)),
        }
        proof
    }
}

/// A history in which logs begin, rest and go on, and some blocks are empty.
fn uneven(blocks: u64) -> World<MemoryTables> {
    let mut world = World::found(MemoryTables::new(), 4);
    let mut next = 0;
    for height in 0..blocks {
        let notes: Vec<Note> = (0..height % 5)
            .map(|writer| {
                next += 1;
                Note {
                    bytes: 10,
                    ..Note::new(writer * (height % 3), next)
                }
            })
            .collect();
        world.append(1000, &notes);
    }
    world
}

#[test]
fn a_client_at_any_height_catches_up_with_any_log() {
    for blocks in 1..24 {
        let world = uneven(blocks);
        for writer in 0..10 {
            Client::new(&world, log(writer)).catch_up(&world);
        }
    }
}

#[test]
fn a_client_that_follows_every_block_needs_only_what_is_new() {
    let mut world = uneven(1);
    let mut clients: Vec<Client> = (0..4).map(|writer| Client::new(&world, log(writer))).collect();
    for height in 1..150 {
        let notes: Vec<Note> = (0..height % 4)
            .map(|writer| Note {
                bytes: 5,
                ..Note::new(writer, 1000 + 4 * height + writer)
            })
            .collect();
        world.append(500, &notes);
        for client in clients.iter_mut().skip(usize::try_from(height % 4).unwrap()) {
            client.catch_up(&world);
        }
    }
}

#[test]
fn every_header_is_proved_in_the_history_of_every_later_one_and_nowhere_else() {
    let world = uneven(70);
    let headers: Vec<BlockHeader> = (0..=70)
        .map(|height| world.store.header(height).unwrap().unwrap())
        .collect();
    for newer in &headers {
        for older in &headers {
            let path = world.store.history_path(older.height, newer.height).unwrap();
            if older.height < newer.height {
                assert_eq!(history::verify_extension(older, newer, &path.unwrap()), Ok(()));
            } else {
                assert_eq!(path, None);
            }
        }
    }
    assert_eq!(world.store.history_path(3, 71), Ok(None));
}

#[test]
fn updates_are_made_from_and_to_every_height() {
    let world = uneven(20);
    let genesis = world.store.genesis();
    for held in 0..=20 {
        for head in 0..=21 {
            let update = world.store.head_update(held, head).unwrap();
            assert_eq!(
                update.is_some(),
                head > 0 && (held..=20).contains(&head),
                "{held} to {head}"
            );
            let Some(update) = update else { continue };
            let mut follow = Follow::from_genesis(genesis);
            if held > 0 {
                let first = world.store.head_update(0, held).unwrap().unwrap();
                assert_eq!(follow.accept(&first, first.head.header.time), Ok(Accepted::Newer));
            }
            let expected = if held == head { Accepted::Same } else { Accepted::Newer };
            assert_eq!(follow.accept(&update, update.head.header.time), Ok(expected));
            assert_eq!(update.extension == InclusionProof::default(), held == head || head == 1);
        }
    }
}

#[test]
fn every_entry_has_a_receipt_that_says_where_it_stands() {
    let world = uneven(24);
    let (keys, committee) = (world.store.keys(), world.store.genesis().committee());
    let mut seen = 0;
    for writer in 0..10 {
        let entries = world.store.log_entries(&log(writer), 0, EVERYTHING).unwrap();
        for entry in &entries {
            let receipt = world.store.receipt(&log(writer), entry.index).unwrap().unwrap();
            let ordered = receipt.verify(keys, &committee).unwrap();
            assert_eq!(
                (ordered.log, ordered.index, ordered.place),
                (log(writer), entry.index, entry.place)
            );
            assert_eq!(ordered.entry, entry.signed.entry_id(keys));
            seen += 1;
        }
        assert_eq!(world.store.receipt(&log(writer), number(entries.len())), Ok(None));
    }
    assert_eq!(
        Some(seen),
        world.store.header(24).unwrap().map(|header| header.total_entries)
    );
}

#[test]
fn a_proof_for_the_ledgers_head_is_right_while_the_store_is_a_block_ahead() {
    for blocks in 1..16 {
        let mut world = uneven(blocks);
        let notes: Vec<Note> = (0..12)
            .chain(0..12)
            .zip(10_000..)
            .map(|(writer, number)| Note::new(writer, number))
            .collect();
        let entries: Vec<_> = notes.iter().map(|note| world.verified(note)).collect();
        let (step, certificate) = world.propose(1000, &entries);
        let before: Vec<_> = (0..16)
            .map(|writer| world.store.log_proof(&world.ledger, &log(writer)).unwrap())
            .collect();
        world.store.commit(&step, &certificate).unwrap();
        let between: Vec<_> = (0..16)
            .map(|writer| world.store.log_proof(&world.ledger, &log(writer)).unwrap())
            .collect();
        assert_eq!(before, between);
        for (writer, proof) in (0..).zip(&between) {
            proof
                .verify(world.store.keys(), world.ledger.head(), &log(writer))
                .unwrap();
        }
        world.ledger.advance(step);
        for writer in 0..16 {
            let proof = world.store.log_proof(&world.ledger, &log(writer)).unwrap();
            let leaf = proof
                .verify(world.store.keys(), world.ledger.head(), &log(writer))
                .unwrap();
            assert_eq!(leaf.is_some(), writer < 12);
        }
    }
}

#[test]
fn long_logs_and_long_histories_are_proved_from_the_kept_nodes() {
    let plan = Plan {
        entries: 1200,
        logs: 2,
        per_block: 4,
        bytes: 8,
        interval: 1000,
    };
    let mut world = World::found(MemoryTables::new(), 1);
    world.grow(0, &plan);
    let entries = world.store.log_entries(&log(1), 0, EVERYTHING).unwrap();
    assert_eq!(entries.len(), 600);
    let mut client = Client::new(&world, log(1));
    client.catch_up(&world);
    for size in [0, 1, 15, 16, 17, 255, 256, 257, 511, 512, 513, 599, 600] {
        let frontier = world.store.frontier_at(&log(1), size).unwrap().unwrap();
        let mut cursor = LogCursor::at(waxwing_core::log::LogState {
            log: log(1),
            last_height: 0,
            frontier,
        });
        let rest: Vec<_> = entries[usize::try_from(size).unwrap()..]
            .iter()
            .map(|entry| (entry.signed.entry_id(world.store.keys()), entry.place))
            .collect();
        let leaf = client.cursor.state.leaf(world.store.keys());
        if !rest.is_empty() {
            assert_eq!(cursor.extend(world.store.keys(), &rest, &leaf), Ok(()), "from {size}");
        }
    }
    let newest = world.store.header(300).unwrap().unwrap();
    for older in 0..300 {
        let path = world.store.history_path(older, 300).unwrap().unwrap();
        let header = world.store.header(older).unwrap().unwrap();
        assert_eq!(history::verify_extension(&header, &newest, &path), Ok(()));
    }
}

#[test]
fn proofs_stand_when_bodies_are_gone() {
    let mut world = World::found(MemoryTables::new(), 1);
    let notes: Vec<Note> = (0..20)
        .map(|number| Note {
            keep_for: if number % 2 == 0 { KeepFor::Day } else { KeepFor::Ever },
            ..Note::new(number % 3, number)
        })
        .collect();
    world.append(1000, &notes);
    let note = notes[4];
    let secret = note.secret(world.store.keys());
    world.store.erase(&log(note.writer), 1, secret).unwrap();
    world.append(waxwing_core::limits::DAY_MS, &[]);
    assert_eq!(world.store.expire(100).unwrap().dropped, 10);
    for writer in 0..3 {
        Client::new(&world, log(writer)).catch_up(&world);
        for index in 0..6 {
            let receipt = world.store.receipt(&log(writer), index).unwrap().unwrap();
            receipt
                .verify(world.store.keys(), &world.store.genesis().committee())
                .unwrap();
        }
    }
    // Whoever copies the ledger from here checks every block and arrives at the same state.
    let mut copy = World::found(MemoryTables::new(), 1);
    for height in 1..=world.store.applied() {
        let block = world.store.block(height).unwrap().unwrap();
        let verified = block.entries.into_iter().map(|carried| {
            std::sync::Arc::new(
                carried
                    .verify(copy.ledger.keys(), copy.ledger.parameters().stamp_bits)
                    .unwrap(),
            )
        });
        let step = copy
            .ledger
            .check(&copy.store, &block.head.header, verified.collect(), block.evidence)
            .unwrap();
        copy.store.commit(&step, &block.head.certificate).unwrap();
        copy.ledger.advance(step);
    }
    for position in 0..20 {
        assert_eq!(copy.store.body(position), world.store.body(position));
    }
    assert_eq!(
        copy.store.expire(100).unwrap().dropped,
        0,
        "what came without a body has none to drop"
    );
}

//! Committees come and go: a start knows them all, whoever asks is led over them, and nothing of it can be lost.

use waxwing_core::certificate::HeadError;
use waxwing_core::codec::Encode;
use waxwing_core::committee::{QuorumError, Signatures};
use waxwing_core::envelope::ErasureSecret;
use waxwing_core::follow::{Accepted, Follow, HeadUpdate};
use waxwing_core::ledger::{self, LedgerReader};
use waxwing_core::limits::{DAY_MS, LADDER_STEPS_MAX};
use waxwing_store::fixture::{self, Note, World};
use waxwing_store::raw::Change;
use waxwing_store::rows::{self, meta};
use waxwing_store::{EraseError, Family, MemoryTables, RestoreError, Store, StoreError};

/// As a new process finds it after a crash that loses whatever was not durable.
fn restarted(world: &World<MemoryTables>) -> World<MemoryTables> {
    World::resume(Store::open_on(world.store.tables().copy().crash(0)).unwrap(), 40)
}

fn height(world: &World<MemoryTables>) -> u64 {
    world.ledger.head().height
}

/// Goes on with blocks of a note each, up to a height.
fn grow_to(world: &mut World<MemoryTables>, end: u64) {
    while height(world) < end {
        let number = height(world);
        world.append(1000, &[Note::new(number % 5, number)]);
    }
}

/// Agrees in the next block that these validators vote from a height on.
fn agree(world: &mut World<MemoryTables>, from: u64, numbers: core::ops::Range<u8>) {
    let change = world.change(from, numbers);
    world.append_entries(1000, &[change]);
}

/// Terms that begin at 6, 7, 20, 21 and 40, of one to seven validators; up to block 44.
fn terms() -> World<MemoryTables> {
    let mut world = World::found(MemoryTables::new(), 4);
    grow_to(&mut world, 3);
    agree(&mut world, 6, 2..9);
    grow_to(&mut world, 5);
    agree(&mut world, 7, 4..5);
    agree(&mut world, 20, 0..1);
    grow_to(&mut world, 19);
    agree(&mut world, 21, 9..13);
    agree(&mut world, 40, 9..12);
    grow_to(&mut world, 44);
    world
}

#[test]
fn a_start_knows_every_committee_and_whose_turn_it_is() {
    let mut world = World::found(MemoryTables::new(), 4);
    let mut seen = Vec::new();
    for block in 1..420 {
        let at = height(&world);
        match block {
            30 => agree(&mut world, at + 9, 2..9),
            // Sooner than what waits: it takes its place.
            33 => agree(&mut world, at + 3, 3..6),
            60 => agree(&mut world, at + 2, 1..2),
            90 => agree(&mut world, at + 30, 10..20),
            _ => world.append(1000, &[]),
        }
        world.absent = match block {
            5..25 => vec![fixture::validator(1).public()],
            150..300 => vec![fixture::validator(12).public(), fixture::validator(15).public()],
            _ => Vec::new(),
        };
        let again = restarted(&world);
        assert_eq!(again.ledger.ladder(), world.ledger.ladder(), "block {block}");
        assert_eq!(again.ledger.turns(), world.ledger.turns(), "block {block}");
        assert_eq!(again.ledger.pending(), world.ledger.pending(), "block {block}");
        let (here, there) = (world.propose(1, &[]).0, restarted(&world).propose(1, &[]).0);
        assert_eq!(here.header.next_committee, there.header.next_committee);
        seen.push((world.ledger.ladder().from(), world.ledger.pending().is_some()));
    }
    seen.dedup();
    let waited = [
        (0, false),
        (0, true),
        (35, false),
        (61, false),
        (61, true),
        (119, false),
    ];
    assert_eq!(seen, waited);
}

#[test]
fn a_client_is_led_from_every_height_to_every_other_over_all_terms_between() {
    let world = terms();
    let end = height(&world);
    let starts: Vec<u64> = world.ledger.ladder().terms().map(|term| term.from).collect();
    assert_eq!(starts, [0, 6, 7, 20, 21, 40]);
    for held in 0..=end {
        let mut follow = Follow::from_genesis(world.store.genesis());
        let now = world.ledger.head().time;
        if held > 0 {
            let first = world.store.head_update(0, held).unwrap().unwrap();
            assert_eq!(follow.accept(&first, now), Ok(Accepted::Newer), "0 to {held}");
        }
        let named = &follow.held().committee;
        assert_eq!(named, world.ledger.ladder().at(held + 1), "at {held}");
        for head in held.max(1)..=end {
            let update = world.store.head_update(held, head).unwrap().unwrap();
            let mut client = follow.clone();
            client.accept(&update, now).unwrap();
            assert_eq!(client.header().height, head, "{held} to {head}");
        }
    }
}

#[test]
fn more_terms_than_fit_into_a_message_are_climbed_in_several() {
    let mut world = World::found(MemoryTables::new(), 1);
    let terms = u64::from(LADDER_STEPS_MAX) * 2 + 3;
    for _ in 0..terms {
        let from = height(&world) + 2;
        agree(&mut world, from, 0..1);
    }
    grow_to(&mut world, terms + 4);
    let mut follow = Follow::from_genesis(world.store.genesis());
    let now = world.ledger.head().time;
    let ask = |held: u64| -> HeadUpdate { world.store.head_update(held, height(&world)).unwrap().unwrap() };
    let mut messages = 0;
    loop {
        let update = ask(follow.header().height);
        follow.accept(&update, now).unwrap();
        messages += 1;
        if !update.is_partial() {
            break;
        }
    }
    assert_eq!((messages, follow.header()), (3, world.ledger.head()));
}

#[test]
fn every_receipt_counts_with_the_committee_of_its_time_and_no_other() {
    let world = terms();
    let ladder = world.ledger.ladder();
    for writer in 0..5 {
        let log = fixture::writer(writer).public();
        for index in 0..world.store.log(&log).unwrap().unwrap().length() {
            let receipt = world.store.receipt(&log, index).unwrap().unwrap();
            let height = receipt.head.header.height;
            for term in ladder.terms() {
                let ordered = receipt.verify(world.store.keys(), &term.committee);
                assert_eq!(ordered.is_ok(), &term.committee == ladder.at(height), "block {height}");
            }
        }
    }
}

#[test]
fn a_change_of_the_committee_cannot_be_erased_and_never_expires() {
    let mut world = terms();
    let log = world.store.genesis().committee_log_id();
    let length = world.store.log(&log).unwrap().unwrap().length();
    for index in 0..length {
        let position = world.store.position_of(&log, index).unwrap().unwrap();
        let entry = world.store.entry(position).unwrap().unwrap();
        let secret = ErasureSecret(entry.signed.header.body_hash.0);
        assert_eq!(secret.commitment(world.store.keys()), entry.signed.header.erasure);
        assert_eq!(world.store.erase(&log, index, secret), Err(EraseError::Kept));
        world.append(400 * DAY_MS, &[]);
        world.store.expire(1000).unwrap();
        assert!(world.store.body(position).unwrap().unwrap().present().is_some());
    }
    assert_eq!(length, 5);
}

/// What a start says after these rows were changed.
fn start_after(change: impl FnOnce(&World<MemoryTables>) -> Change) -> RestoreError {
    let world = terms();
    let change = change(&world);
    world.store.raw().change(&[change]).unwrap();
    let store = Store::open_on(world.store.tables().copy()).unwrap();
    store.restore().unwrap_err()
}

#[test]
fn a_committee_that_nobody_agreed_on_stops_the_start() {
    let key = |from: u64| meta::term_key(from).to_vec();
    let ladder = terms().ledger.ladder().clone();
    let usurper = ladder.at(20).to_bytes();
    let replaced = start_after(|_| Change::Put(Family::Meta, key(6), usurper.clone()));
    assert_eq!(replaced, RestoreError::Ladder);
    let later = start_after(|_| Change::Put(Family::Meta, key(8), ladder.at(7).to_bytes()));
    assert_eq!(later, RestoreError::Ladder);
    let left_out = start_after(|_| Change::Delete(Family::Meta, key(7)));
    let uncertified = RestoreError::Head(HeadError::WrongCommittee);
    assert_eq!(left_out, uncertified);
    let newest_left_out = start_after(|_| Change::Delete(Family::Meta, key(40)));
    assert_eq!(newest_left_out, uncertified);
    let cut = start_after(|_| Change::Put(Family::Meta, key(7), vec![1; 40]));
    assert_eq!(cut, RestoreError::Store(StoreError::Malformed(Family::Meta)));
    let forged = start_after(|world| {
        let mut row = world.store.block_row(20).unwrap().unwrap();
        // The right committee, one signature short.
        let mut head = row.clone().into_head().unwrap();
        head.certificate.signatures = Signatures::collect(world.ledger.ladder().at(20), []);
        row.certificate = Some(head.certificate);
        Change::Put(Family::Block, rows::number_key(20).to_vec(), row.to_bytes())
    });
    let few = RestoreError::Head(HeadError::Quorum(QuorumError::TooFew));
    assert_eq!(forged, few);
}

#[test]
fn a_change_that_waits_is_not_forgotten_and_not_made_up() {
    let mut world = World::found(MemoryTables::new(), 4);
    grow_to(&mut world, 3);
    agree(&mut world, 9, 2..9);
    assert!(restarted(&world).ledger.pending().is_some());
    let log = world.store.genesis().committee_log_id();
    let position = world.store.position_of(&log, 0).unwrap().unwrap();
    let key = rows::number_key(position).to_vec();
    let mut body = world.store.body(position).unwrap().unwrap().present().unwrap().to_vec();

    let gone = Store::open_on(world.store.tables().copy()).unwrap();
    gone.raw().change(&[Change::Delete(Family::Body, key.clone())]).unwrap();
    let missing = RestoreError::Store(StoreError::Missing(Family::Body));
    assert_eq!(gone.restore().unwrap_err(), missing);

    *body.last_mut().unwrap() ^= 1;
    let other = Store::open_on(world.store.tables().copy()).unwrap();
    other.raw().change(&[Change::Put(Family::Body, key, body)]).unwrap();
    let made_up = RestoreError::State(ledger::RestoreError::WrongCommittee);
    assert_eq!(other.restore().unwrap_err(), made_up);
}

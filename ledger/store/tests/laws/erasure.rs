//! Bodies go for a reason, the reason stays, and a body that is gone without one is withheld.

use waxwing_core::envelope::{Body, ErasureSecret, KeepFor};
use waxwing_core::limits::DAY_MS;
use waxwing_store::fixture::{self, Note, World};
use waxwing_store::{EraseError, Erasure, Family, MemoryTables, Rest, Sweep, rows};

fn note(number: u64, keep_for: KeepFor) -> Note {
    Note {
        keep_for,
        bytes: 30,
        ..Note::new(1, number)
    }
}

fn world(keep_for: &[KeepFor]) -> World<MemoryTables> {
    let mut world = World::found(MemoryTables::new(), 1);
    let notes: Vec<Note> = (0..)
        .zip(keep_for)
        .map(|(number, keep_for)| note(number, *keep_for))
        .collect();
    world.append(1000, &notes);
    world
}

#[test]
fn a_body_is_erased_by_its_authors_secret_once_and_by_no_other() {
    let world = world(&[KeepFor::Ever, KeepFor::Ever]);
    let (store, log) = (&world.store, fixture::writer(1).public());
    let secret = note(1, KeepFor::Ever).secret(store.keys());
    assert_eq!(store.erase(&log, 0, secret), Err(EraseError::WrongSecret));
    assert_eq!(
        store.erase(&log, 1, ErasureSecret([7; 32])),
        Err(EraseError::WrongSecret)
    );
    assert_eq!(store.erase(&log, 2, secret), Err(EraseError::NoSuchEntry));
    assert_eq!(
        store.erase(&fixture::writer(2).public(), 1, secret),
        Err(EraseError::NoSuchEntry)
    );
    assert_eq!(
        (store.erased(), store.tables().writes()),
        (Ok(0), 2),
        "a refusal writes nothing"
    );

    assert_eq!(store.erase(&log, 1, secret), Ok(Erasure::Done));
    assert_eq!(store.erase(&log, 1, secret), Ok(Erasure::Already));
    assert_eq!((store.erased(), store.tables().writes()), (Ok(1), 3));
    assert_eq!(store.body(1), Ok(Some(Body::Erased(secret))));
    assert!(matches!(store.body(0), Ok(Some(Body::Present(_)))));
}

#[test]
fn a_body_goes_when_header_time_reaches_its_expiry_and_not_a_moment_before() {
    let mut world = world(&[KeepFor::Day, KeepFor::Week, KeepFor::Ever]);
    world.append(DAY_MS - 1, &[]);
    let nothing = Sweep {
        dropped: 0,
        rest: Rest::None,
    };
    assert_eq!(world.store.expire(10), Ok(nothing));
    assert_eq!(
        world.store.tables().writes(),
        3,
        "a sweep without result writes nothing"
    );
    world.append(1, &[]);
    assert!(
        matches!(world.store.body(0), Ok(Some(Body::Present(_)))),
        "kept until it is swept"
    );
    assert_eq!(world.store.pruned(), Ok(0));
    assert_eq!(world.store.expire(10).unwrap().dropped, 1);
    assert_eq!(world.store.pruned(), Ok(world.ledger.head().time));
    assert_eq!(world.store.body(0), Ok(Some(Body::Expired)));
    assert_eq!(
        world.store.expire(10),
        Ok(nothing),
        "what is swept is not looked at again"
    );
    world.append(400 * DAY_MS, &[]);
    assert_eq!(world.store.expire(10).unwrap().dropped, 1);
    assert_eq!(world.store.body(1), Ok(Some(Body::Expired)));
    assert!(matches!(world.store.body(2), Ok(Some(Body::Present(_)))));
}

#[test]
fn a_sweep_stops_at_its_budget_and_the_next_goes_on() {
    let mut world = World::found(MemoryTables::new(), 1);
    for block in 0..5 {
        let notes: Vec<Note> = (0..4).map(|number| note(4 * block + number, KeepFor::Day)).collect();
        world.append(1000, &notes);
    }
    world.append(2 * DAY_MS, &[]);
    let sweep = |budget| world.store.expire(budget).map(|sweep| (sweep.dropped, sweep.rest));
    assert_eq!(sweep(1), Ok((4, Rest::More)), "a block is dropped as a whole");
    assert_eq!(sweep(8), Ok((8, Rest::More)));
    assert_eq!(sweep(8), Ok((8, Rest::None)));
    assert_eq!(sweep(8), Ok((0, Rest::None)));
}

#[test]
fn an_erased_body_that_also_expires_stays_erased() {
    let mut world = world(&[KeepFor::Day]);
    let secret = note(0, KeepFor::Day).secret(world.store.keys());
    let log = fixture::writer(1).public();
    world.append(2 * DAY_MS, &[]);
    world.store.expire(10).unwrap();
    assert_eq!(world.store.body(0), Ok(Some(Body::Expired)));
    assert_eq!(world.store.erase(&log, 0, secret), Ok(Erasure::Done));
    assert_eq!(world.store.body(0), Ok(Some(Body::Erased(secret))));
}

#[test]
fn a_body_that_is_gone_without_a_reason_is_withheld() {
    let mut world = world(&[KeepFor::Day, KeepFor::Ever]);
    for position in [0, 1] {
        world
            .store
            .raw()
            .delete(Family::Body, &rows::number_key(position))
            .unwrap();
        assert_eq!(world.store.body(position), Ok(Some(Body::Withheld)));
    }
    let block = world.store.block(1).unwrap().unwrap();
    assert!(block.entries.iter().all(|carried| carried.body == Body::Withheld));
    world.append(DAY_MS, &[]);
    assert_eq!(
        world.store.body(0),
        Ok(Some(Body::Expired)),
        "by now anybody may have dropped it"
    );
    assert_eq!(world.store.body(1), Ok(Some(Body::Withheld)));
}

//! What a list cannot show: many at once, half of everything, and folders as an accident leaves them.

use std::fs;
use std::sync::Barrier;
use std::thread;

use waxwing_core::limits::{CHUNK_BYTES_MAX, DAY_MS};

use super::super::limits::{COUNTED_BYTES_MIN, counted};
use super::super::vault::{Fetched, PutError, Stored, Taken, Vault};
use super::{NOON, Place, chunk, day, files, id, put};

fn served(vault: &Vault, number: u32) -> bool {
    match vault.get(&id(number), NOON).unwrap() {
        Fetched::Chunk(bytes) => bytes == chunk(number),
        Fetched::Unknown | Fetched::Damaged => false,
    }
}

#[test]
fn as_many_are_taken_as_there_is_room_for_however_many_come_at_once() {
    let place = Place::with_room(10);
    let vault = place.open(NOON);
    let all = Barrier::new(16);
    let taken: usize = thread::scope(|scope| {
        let put_some = |who: u32| {
            let (vault, all) = (&vault, &all);
            move || {
                all.wait();
                let mine = (0..4).map(|turn| put(vault, who * 4 + turn, day(NOON, 1), NOON));
                mine.filter(Result::is_ok).count()
            }
        };
        let threads: Vec<_> = (0..16).map(|who| scope.spawn(put_some(who))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(taken, 10);
    assert_eq!((vault.level().chunks, vault.level().used_bytes), (10, place.room));
    assert_eq!(files(&place.root()), 10, "and nothing of the others is left");
    drop(vault);
    let vault = place.open(NOON);
    assert_eq!((0..64).filter(|number| served(&vault, *number)).count(), 10);
    assert!(matches!(put(&vault, 99, day(NOON, 1), NOON), Err(PutError::Full)));
}

#[test]
fn who_was_quicker_has_the_last_room_and_the_other_none() {
    let place = Place::with_room(1);
    let vault = place.open(NOON);
    let until = day(NOON, 1);
    // Somebody else comes between the question for a share and the room for it.
    let slower = vault.put(&chunk(1), until, NOON, &mut |taken| {
        assert_eq!(taken.free, COUNTED_BYTES_MIN);
        put(&vault, 2, until, NOON).is_ok()
    });
    assert!(matches!(slower, Err(PutError::Full)), "{slower:?}");
    assert_eq!((vault.level().chunks, vault.level().used_bytes), (1, place.room));
    assert!(served(&vault, 2) && !served(&vault, 1));
}

#[test]
fn the_same_chunk_put_by_many_at_once_is_kept_once_and_for_the_longest() {
    let place = Place::with_room(20);
    let vault = place.open(NOON);
    let all = Barrier::new(16);
    thread::scope(|scope| {
        for days in 1..=16 {
            let (vault, all) = (&vault, &all);
            scope.spawn(move || {
                all.wait();
                let (Stored::New(until) | Stored::Already(until)) = put(vault, 1, day(NOON, days), NOON).unwrap();
                assert!(until >= day(NOON, days));
            });
        }
    });
    assert_eq!((vault.level().chunks, vault.level().used_bytes), (1, COUNTED_BYTES_MIN));
    assert_eq!(vault.have([id(1)].into_iter(), NOON), [Some(day(NOON, 16))]);
    assert_eq!(files(&place.root()), 1);
    assert!(served(&vault, 1));
}

#[test]
fn a_chunk_of_one_byte_counts_as_much_as_many_and_the_largest_fits() {
    assert_eq!(counted(1), COUNTED_BYTES_MIN);
    let place = Place::with_room(17);
    let vault = place.open(NOON);
    let mut largest = vec![3; usize::try_from(CHUNK_BYTES_MAX).unwrap()];
    let until = day(NOON, 1);
    let stored = vault.put(&largest, until, NOON, &mut |_| true);
    assert_eq!(stored.unwrap(), Stored::New(until));
    assert_eq!(vault.level().used_bytes, counted(CHUNK_BYTES_MAX));
    largest.push(3);
    assert!(matches!(
        vault.put(&largest, until, NOON, &mut |_| true),
        Err(PutError::TooLong)
    ));
}

#[test]
fn what_a_killed_process_had_begun_is_gone_and_what_it_had_finished_is_there() {
    let place = Place::with_room(10);
    let vault = place.open(NOON);
    put(&vault, 1, day(NOON, 1), NOON).unwrap();
    drop(vault);
    fs::write(place.root().join("new").join("0"), chunk(2)).unwrap();
    let vault = place.open(NOON);
    assert!(served(&vault, 1) && !served(&vault, 2));
    assert_eq!(files(&place.root()), 1);
}

#[test]
fn half_a_chunk_under_its_id_is_never_served_and_makes_room_for_the_whole() {
    let place = Place::with_room(10);
    drop(place.open(NOON));
    let (until, whole) = (day(NOON, 1), chunk(3));
    fs::create_dir(place.root().join(until.to_string())).unwrap();
    fs::write(place.file(until, 3), &whole[..whole.len() / 2]).unwrap();
    let vault = place.open(NOON);
    assert!(matches!(vault.get(&id(3), NOON).unwrap(), Fetched::Damaged));
    assert!(matches!(vault.get(&id(3), NOON).unwrap(), Fetched::Unknown));
    assert_eq!(put(&vault, 3, until, NOON).unwrap(), Stored::New(until));
    assert!(served(&vault, 3));
    // And one that nobody has asked for since it broke is made whole by whoever puts it again.
    fs::write(place.file(until, 3), b"other").unwrap();
    assert_eq!(put(&vault, 3, until, NOON).unwrap(), Stored::New(until));
    assert!(served(&vault, 3));
    assert_eq!(vault.level().chunks, 1);
}

#[test]
fn what_lies_in_the_folder_by_accident_is_sorted_out_at_the_start() {
    let place = Place::with_room(10);
    drop(place.open(NOON));
    let (early, late, past) = (day(NOON, 1), day(NOON, 2), day(NOON - 10 * DAY_MS, 1));
    for folder in [early, late, past] {
        fs::create_dir(place.root().join(folder.to_string())).unwrap();
    }
    for folder in [early, late] {
        fs::write(place.file(folder, 1), chunk(1)).unwrap();
    }
    fs::write(place.file(past, 2), chunk(2)).unwrap();
    fs::write(place.file(early, 3), []).unwrap();
    fs::write(
        place.file(early, 4),
        vec![0; usize::try_from(CHUNK_BYTES_MAX).unwrap() + 1],
    )
    .unwrap();
    let foreign = place.root().join(early.to_string()).join("README");
    fs::write(&foreign, "not a chunk").unwrap();
    let vault = place.open(NOON);
    assert_eq!(vault.level().chunks, 1);
    assert_eq!(
        vault.have([id(1)].into_iter(), NOON),
        [Some(late)],
        "the longer promise stands"
    );
    assert!(!place.file(early, 1).exists() && foreign.exists());
    assert!(!place.root().join(past.to_string()).exists(), "what is over is gone");
    assert_eq!(files(&place.root()), 2);
}

#[test]
fn a_smaller_quota_takes_nothing_away_and_takes_nothing_new() {
    let mut place = Place::with_room(10);
    let vault = place.open(NOON);
    for number in 0..6 {
        put(&vault, number, day(NOON, 1), NOON).unwrap();
    }
    drop(vault);
    place.room = 3 * COUNTED_BYTES_MIN;
    let vault = place.open(NOON);
    assert!((0..6).all(|number| served(&vault, number)));
    assert!(matches!(put(&vault, 7, day(NOON, 1), NOON), Err(PutError::Full)));
    let longer = day(NOON, 5);
    assert_eq!(put(&vault, 1, longer, NOON).unwrap(), Stored::Already(longer));
}

#[test]
fn a_clock_that_was_set_back_brings_no_day_back() {
    let place = Place::with_room(10);
    let vault = place.open(NOON);
    put(&vault, 1, day(NOON, 1), NOON).unwrap();
    let later = NOON + 5 * DAY_MS;
    assert_eq!(vault.sweep(later).unwrap(), 1);
    // Back again: the days that were swept are not used any more, whatever the clock says.
    let (Stored::New(until) | Stored::Already(until)) = put(&vault, 2, day(NOON, 1), NOON).unwrap();
    assert!(!until.is_over(later));
    assert_eq!(vault.sweep(later).unwrap(), 0);
    assert!(served(&vault, 2));
}

#[test]
fn whoever_has_no_share_left_gets_no_room_and_no_further_day() {
    let place = Place::with_room(10);
    let vault = place.open(NOON);
    let mut asked = Vec::new();
    let refused = vault.put(&chunk(1), day(NOON, 2), NOON, &mut |taken| {
        asked.push(taken);
        false
    });
    assert!(matches!(refused, Err(PutError::Share)));
    assert_eq!((vault.level().chunks, vault.level().used_bytes), (0, 0));
    let first = Taken {
        bytes: COUNTED_BYTES_MIN,
        longer: None,
        free: place.room,
    };
    assert_eq!(asked, [first]);
    put(&vault, 1, day(NOON, 2), NOON).unwrap();
    let longer = vault.put(&chunk(1), day(NOON, 6), NOON, &mut |taken| {
        asked.push(taken);
        false
    });
    assert_eq!(
        longer.unwrap(),
        Stored::Already(day(NOON, 2)),
        "as it was promised before"
    );
    assert_eq!(asked[1].longer, Some(4));
    // Nothing more is wanted, so nobody is asked.
    let same = vault.put(&chunk(1), day(NOON, 1), NOON, &mut |_| unreachable!());
    assert_eq!(same.unwrap(), Stored::Already(day(NOON, 2)));
}

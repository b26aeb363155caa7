//! Pages of a log end where they must, and rows that are gone or cut are errors, never gaps.

use waxwing_core::keys::LogId;
use waxwing_store::fixture::{self, Note, World};
use waxwing_store::rows::{self, HISTORY};
use waxwing_store::{Bodies, Family, MemoryTables, Page, StoreError};

use crate::model::EVERYTHING;

/// Place, header and signature.
const BARE: u32 = 20 + 224;

fn log() -> LogId {
    fixture::writer(1).public()
}

/// One log of 130 entries of 100 bytes, more than are looked up at once, beside another one.
fn world() -> World<MemoryTables> {
    let mut world = World::found(MemoryTables::new(), 1);
    for block in 0..13 {
        let notes: Vec<Note> = (0..20)
            .map(|place| Note {
                bytes: 100,
                ..Note::new(1 + place % 2, 20 * block + place)
            })
            .collect();
        world.append(1000, &notes);
    }
    world
}

fn indexes(world: &World<MemoryTables>, from: u64, page: Page) -> Vec<u64> {
    let entries = world.store.log_entries(&log(), from, page).unwrap();
    entries.iter().map(|entry| entry.index).collect()
}

#[test]
fn a_page_holds_as_many_entries_as_were_asked_for() {
    let world = world();
    for max_entries in [1, 2, 63, 64, 65, 127, 128, 129, 130, 131, 1000] {
        let page = Page {
            max_entries,
            ..EVERYTHING
        };
        let expected: Vec<u64> = (0..130).take(usize::try_from(max_entries).unwrap()).collect();
        assert_eq!(indexes(&world, 0, page), expected);
        let expected: Vec<u64> = (100..130).take(usize::try_from(max_entries).unwrap()).collect();
        assert_eq!(indexes(&world, 100, page), expected);
    }
    let none = Page {
        max_entries: 0,
        ..EVERYTHING
    };
    assert_eq!(indexes(&world, 0, none), Vec::<u64>::new());
    assert_eq!(indexes(&world, u64::MAX, EVERYTHING), Vec::<u64>::new());
}

#[test]
fn a_page_holds_at_least_one_entry_and_no_more_bytes_than_were_asked_for() {
    let world = world();
    for (bodies, each) in [(Bodies::With, BARE + 100), (Bodies::Without, BARE)] {
        for (max_bytes, count) in [
            (0, 1),
            (1, 1),
            (each, 1),
            (2 * each - 1, 1),
            (2 * each, 2),
            (70 * each - 1, 69),
            (70 * each, 70),
            (200 * each, 130),
        ] {
            let page = Page {
                max_entries: 1000,
                max_bytes,
                bodies,
            };
            let expected: Vec<u64> = (0..count).collect();
            assert_eq!(indexes(&world, 0, page), expected, "{max_bytes} bytes, {bodies:?}");
        }
    }
}

#[test]
fn an_entry_that_is_gone_is_an_error_and_no_gap() {
    let (missing, world) = (|family| StoreError::Missing(family), world());
    let raw = world.store.raw();
    raw.delete(Family::Index, &rows::index_key(&log(), 5)).unwrap();
    let entries = |from| {
        world
            .store
            .log_entries(&log(), from, EVERYTHING)
            .map(|entries| entries.len())
    };
    assert_eq!(entries(0), Err(missing(Family::Index)));
    assert_eq!(entries(5), Err(missing(Family::Index)));
    assert_eq!(entries(6), Ok(124));
    assert_eq!(world.store.frontier_at(&log(), 7), Err(missing(Family::Index)));

    let position = world.store.position_of(&log(), 9).unwrap().unwrap();
    raw.delete(Family::Entry, &rows::number_key(position)).unwrap();
    assert_eq!(entries(6), Err(missing(Family::Entry)));
    assert_eq!(world.store.block(1), Err(missing(Family::Entry)));
    assert_eq!(
        world.store.receipt(&log(), 8),
        Err(missing(Family::Entry)),
        "its neighbour in the block"
    );
    assert_eq!(world.store.body(position).map(|body| body.is_some()), Ok(true));
    raw.delete(Family::Body, &rows::number_key(position)).unwrap();
    assert_eq!(world.store.body(position), Ok(None));
    raw.delete(Family::Block, &rows::number_key(2)).unwrap();
    assert_eq!(entries(12), Err(missing(Family::Block)));
    assert_eq!(world.store.history_path(1, 5), Err(missing(Family::Block)));
}

#[test]
fn a_row_in_another_form_is_an_error_that_names_its_family() {
    let world = world();
    let cut = |family: Family, key: &[u8]| {
        let mut row = world.store.raw().get(family, key).unwrap().unwrap();
        row.pop();
        world.store.raw().put(family, key, &row).unwrap();
        StoreError::Malformed(family)
    };
    let index = cut(Family::Index, &rows::index_key(&log(), 3));
    assert_eq!(world.store.position_of(&log(), 3), Err(index.clone()));
    let node = cut(Family::Node, &rows::node_key(&log(), 4, 1));
    assert_eq!(world.store.frontier_at(&log(), 33), Err(node.clone()));
    let entry = cut(Family::Entry, &rows::number_key(40));
    assert_eq!(world.store.entry(40), Err(entry.clone()));
    assert_eq!(world.store.block(3), Err(entry));
    let block = cut(Family::Block, &rows::number_key(9));
    assert_eq!(world.store.block_row(9), Err(block));
    let history = rows::node_key(&HISTORY, 4, 0);
    assert_eq!(
        world.store.raw().get(Family::Node, &history),
        Ok(None),
        "13 blocks keep no node yet"
    );
    assert_ne!(index, node);
}

#[test]
fn families_have_names_and_rows_can_be_shown() {
    for family in Family::ALL {
        assert_eq!(Family::from_name(family.name()), Some(family));
    }
    assert_eq!(Family::from_name("bodies"), None);
    let world = world();
    let mut positions = Vec::new();
    let scan = |key: &[u8], _: &[u8]| {
        positions.push(rows::decode_number(key).unwrap());
        if positions.len() < 3 {
            core::ops::ControlFlow::Continue(())
        } else {
            core::ops::ControlFlow::Break(())
        }
    };
    world
        .store
        .raw()
        .scan(Family::Entry, &rows::number_key(7), None, scan)
        .unwrap();
    assert_eq!(positions, [7, 8, 9]);
}

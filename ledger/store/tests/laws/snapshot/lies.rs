//! Every kind of lie about every part of a snapshot, each refused for its own reason, and nothing changed by it.

use waxwing_core::block::BlockHeader;
use waxwing_core::certificate::HeadError;
use waxwing_core::follow::FollowError;
use waxwing_core::limits::DAY_MS;
use waxwing_core::snapshot::{Answer, Ascent, Ask, LogRow, Opening, Slot, SnapshotError, WindowBlock};
use waxwing_store::fixture::{self, Note, World};
use waxwing_store::{MemoryTables, Store};

use super::{SOON, ascend, assemble, bring_in, same_ledger, world};

/// What came of one lie, told once.
fn refused(world: &World<MemoryTables>, mut lie: impl FnMut(&Ask, &mut Answer) -> bool) -> SnapshotError {
    let head = world.ledger.head().height;
    let mut is_told = false;
    let (parts, joint, refusals) = assemble(&world.store, ascend(&world.store, head), |ask, answer| {
        is_told = is_told || lie(ask, answer);
    });
    assert!(is_told, "nothing was changed");
    // The truth that came after it makes the same ledger.
    let store = Store::create_on(MemoryTables::new(), world.store.genesis()).unwrap();
    bring_in(&store, &parts, &joint).unwrap();
    same_ledger(&store.restore().unwrap(), &world.ledger);
    let [refusal] = refusals.as_slice() else {
        panic!("{refusals:?}")
    };
    refusal.clone()
}

/// Changes the first answer of a kind that `change` is able to change.
fn lie<P>(
    world: &World<MemoryTables>,
    pick: impl Fn(&mut Answer) -> Option<&mut P>,
    mut change: impl FnMut(&mut P) -> bool,
) -> SnapshotError {
    refused(world, |_, answer| pick(answer).is_some_and(&mut change))
}

fn logs(answer: &mut Answer) -> Option<&mut Vec<LogRow>> {
    match answer {
        Answer::Logs(part) => Some(part),
        _ => None,
    }
}

fn slots(answer: &mut Answer) -> Option<&mut Vec<Slot>> {
    match answer {
        Answer::Outline(part) => Some(part),
        _ => None,
    }
}

fn blocks(answer: &mut Answer) -> Option<&mut Vec<WindowBlock>> {
    match answer {
        Answer::Window(part) => Some(part),
        _ => None,
    }
}

fn headers(answer: &mut Answer) -> Option<&mut Vec<BlockHeader>> {
    match answer {
        Answer::Headers(part) => Some(part),
        _ => None,
    }
}

fn opening(answer: &mut Answer) -> Option<&mut Box<Opening>> {
    match answer {
        Answer::Opening(part) => Some(part),
        _ => None,
    }
}

#[test]
fn every_lie_about_logs_is_refused_for_its_own_reason() {
    let world = world(1800);
    let world = &world;
    let wrong = lie(world, logs, |rows: &mut Vec<LogRow>| {
        rows[3].leaf.last_height += 1;
        true
    });
    assert!(matches!(wrong, SnapshotError::WrongLog { .. }), "{wrong:?}");
    let missing = lie(world, logs, |rows: &mut Vec<LogRow>| rows.pop().is_some());
    assert!(matches!(missing, SnapshotError::MissingLog { .. }), "{missing:?}");
    let extra = lie(world, logs, |rows: &mut Vec<LogRow>| {
        // A log that nobody has opened, in its place.
        let keys = world.store.keys();
        let stranger = (1_u64..).map(|number| {
            let mut row = rows[0].clone();
            row.leaf.log = keys.hash(waxwing_core::Meaning::Body, &number.to_be_bytes());
            row
        });
        let last = rows[rows.len() - 2].leaf.map_key(keys);
        let end = rows[rows.len() - 1].leaf.map_key(keys);
        let mut fitting = stranger.filter(|row| last < row.leaf.map_key(keys) && row.leaf.map_key(keys) < end);
        rows.insert(rows.len() - 1, fitting.next().unwrap());
        true
    });
    assert!(matches!(extra, SnapshotError::ExtraLog { .. }), "{extra:?}");
    let frontier = lie(world, logs, |rows: &mut Vec<LogRow>| {
        let row = rows.iter_mut().find(|row| row.leaf.length.count_ones() > 1).unwrap();
        row.leaf.root.0[7] ^= 1;
        true
    });
    assert!(matches!(frontier, SnapshotError::WrongFrontier { .. }), "{frontier:?}");
    let order = lie(world, logs, |rows: &mut Vec<LogRow>| {
        rows.swap(0, 1);
        true
    });
    assert!(matches!(order, SnapshotError::Unsorted { .. }), "{order:?}");
    let mut first = None;
    let other_slot = lie(world, logs, |rows: &mut Vec<LogRow>| {
        let stolen = first.replace(rows.clone());
        stolen.is_some_and(|stolen| {
            *rows = stolen;
            true
        })
    });
    assert!(
        matches!(other_slot, SnapshotError::OutsideSlot { .. }),
        "{other_slot:?}"
    );
}

#[test]
fn every_lie_about_the_outline_is_refused_for_its_own_reason() {
    let world = world(1800);
    let world = &world;
    let root = lie(world, slots, |slots: &mut Vec<Slot>| {
        slots[0].hash.0[0] ^= 1;
        true
    });
    assert_eq!(root, SnapshotError::OutlineRoot);
    let count = lie(world, slots, |slots: &mut Vec<Slot>| {
        slots[0].logs -= 1;
        true
    });
    assert_eq!(count, SnapshotError::OutlineCount);
    let shape = lie(world, slots, |slots: &mut Vec<Slot>| {
        slots[1].depth += 7;
        slots.truncate(2);
        slots.push(slots[0]);
        true
    });
    assert_eq!(shape, SnapshotError::OutlineShape);
    let nothing = lie(world, slots, |slots: &mut Vec<Slot>| {
        slots.clear();
        true
    });
    assert_eq!(nothing, SnapshotError::OtherAnswer);
}

#[test]
fn every_lie_about_the_window_is_refused_for_its_own_reason() {
    let world = world(1800);
    let world = &world;
    type Blocks = Vec<WindowBlock>;
    let missing = lie(world, blocks, |blocks: &mut Blocks| blocks[0].entries.pop().is_some());
    assert!(matches!(missing, SnapshotError::MissingEntry { .. }), "{missing:?}");
    let extra = lie(world, blocks, |blocks: &mut Blocks| {
        let entry = blocks[0].entries[0].clone();
        blocks[0].entries.push(entry);
        true
    });
    assert!(matches!(extra, SnapshotError::ExtraEntry { .. }), "{extra:?}");
    let wrong = lie(world, blocks, |blocks: &mut Blocks| {
        blocks[0].entries[0].signed.header.nonce ^= 1;
        true
    });
    assert!(matches!(wrong, SnapshotError::WrongEntry { .. }), "{wrong:?}");
    let moved = lie(world, blocks, |blocks: &mut Blocks| {
        blocks[0].entries[0].log_index += 1;
        true
    });
    assert!(matches!(moved, SnapshotError::WrongEntry { .. }), "{moved:?}");
    let block = lie(world, blocks, |blocks: &mut Blocks| blocks.pop().is_some());
    assert_eq!(block, SnapshotError::OtherAnswer);
    let header = lie(world, headers, |headers: &mut Vec<BlockHeader>| {
        let middle = headers.len() / 2;
        headers[middle].proposer = headers[0].proposer;
        headers[middle].time += 1;
        true
    });
    assert!(matches!(header, SnapshotError::BrokenChain { .. }), "{header:?}");
    let fewer = lie(world, headers, |headers: &mut Vec<BlockHeader>| headers.pop().is_some());
    assert_eq!(fewer, SnapshotError::OtherAnswer);
}

#[test]
fn every_lie_about_history_and_committee_is_refused_for_its_own_reason() {
    let world = world(1800);
    let world = &world;
    let older = world
        .store
        .snapshot_part(
            world.ledger.head().height,
            &Ask::Opening {
                size: world.ledger.head().height - 1,
            },
            &[],
        )
        .unwrap()
        .unwrap();
    let Answer::Opening(older) = older else { panic!() };
    let history = lie(world, opening, |opening: &mut Box<Opening>| {
        opening.history = older.history.clone();
        true
    });
    assert_eq!(history, SnapshotError::WrongHistory);
    let held_back = lie(world, opening, |opening: &mut Box<Opening>| {
        opening.change.take().is_some()
    });
    assert_eq!(held_back, SnapshotError::MissingChange);
    for change in 0..5 {
        let altered = lie(world, opening, |opening: &mut Box<Opening>| {
            let last = opening.change.as_mut().unwrap();
            match change {
                0 => last.body[20] ^= 1,
                1 => last.in_block += 1,
                2 => last.header.time += 1,
                3 => last.signed.header.nonce ^= 1,
                _ => last.before = opening.history.clone(),
            }
            true
        });
        assert_eq!(altered, SnapshotError::WrongChange, "change {change}");
    }
    let mut quiet = World::found(MemoryTables::new(), 1);
    quiet.append(1000, &[Note::new(1, 1)]);
    let invented = lie(&quiet, opening, |opening: &mut Box<Opening>| {
        opening.change = older.change.clone();
        true
    });
    assert_eq!(invented, SnapshotError::WrongChange);
}

#[test]
fn a_foreign_head_a_stolen_rung_and_an_old_genesis_are_refused() {
    let world = world(60);
    let head = world.ledger.head().height;
    let update = world.store.head_update(0, head).unwrap().unwrap();
    let mut ascent = Ascent::new(world.store.genesis());
    let mut elsewhere = World::found(MemoryTables::new(), 3);
    elsewhere.append(1000, &[Note::new(1, 1)]);
    let foreign = elsewhere.store.head_update(0, 1).unwrap().unwrap();
    let refused = |error| Err(SnapshotError::Head(error));
    assert_eq!(
        ascent.accept(&foreign, SOON),
        refused(FollowError::Head(HeadError::ForeignNetwork))
    );
    let mut unsigned = update.clone();
    unsigned.head.header.time += 1;
    assert!(matches!(
        ascent.accept(&unsigned, SOON),
        Err(SnapshotError::Head(FollowError::Head(_)))
    ));
    let mut short = update.clone();
    short.ladder.remove(0);
    assert!(ascent.accept(&short, SOON).is_err());
    let late = fixture::FOUNDED + 40 * DAY_MS;
    assert_eq!(ascent.accept(&update, late), refused(FollowError::NeedsPin));
    assert_eq!(ascent.held(), 0, "none of them changed anything");
    ascent.accept(&update, SOON).unwrap();
    assert_eq!(ascent.held(), head);
}

#[test]
fn bytes_that_are_no_answer_are_refused() {
    let world = world(60);
    let head = world.ledger.head().height;
    let outline = world.store.outline(head).unwrap().unwrap();
    let mut assembly = ascend(&world.store, head);
    while let Some(question) = assembly.next_question() {
        let answer = world
            .store
            .snapshot_part(head, &question.ask, &outline)
            .unwrap()
            .unwrap()
            .to_bytes();
        let longer = [&answer[..], &[0]].concat();
        assert!(matches!(
            assembly.take(question.clone(), &longer),
            Err(SnapshotError::Malformed(_))
        ));
        let again = assembly.next_question().unwrap();
        let cut = &answer[..answer.len() - 1];
        assert!(matches!(
            assembly.take(again.clone(), cut),
            Err(SnapshotError::Malformed(_))
        ));
        let mut due = Vec::new();
        // What was refused comes again, in its turn.
        let again = loop {
            let next = assembly.next_question().unwrap();
            if next.ask == question.ask {
                break next;
            }
            due.push(next);
        };
        due.into_iter().for_each(|question| assembly.failed(question));
        assembly.take(again, &answer).unwrap();
    }
    assert!(assembly.is_complete());
}

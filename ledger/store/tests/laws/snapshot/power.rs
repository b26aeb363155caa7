//! The power fails at every write of bringing a snapshot in and of filling in what came before; and a replay that leads
//! elsewhere makes no store whole.

use std::ops::ControlFlow;
use std::sync::Arc;

use waxwing_core::codec::Encode;
use waxwing_store::memory::Fault;
use waxwing_store::{Behind, Family, FillError, ImportError, MemoryTables, Store, StoreError, Tables};

use super::{Host, ascend, assemble, behind, bring_in, copy_blocks, joined, rows, world};

#[test]
fn power_that_fails_at_any_write_of_a_snapshot_leaves_nothing_or_all() {
    let world = world(200);
    let head = world.ledger.head().height;
    let (parts, joint, _) = assemble(&world.store, ascend(&world.store, head), |_, _| {});
    let founded = || Store::create_on(MemoryTables::new(), world.store.genesis()).unwrap();
    let (nothing, all) = (founded(), founded());
    bring_in(&all, &parts, &joint).unwrap();
    let writes = all.tables().writes() - 1;
    let (nothing, all) = (rows(nothing.tables()), rows(all.tables()));
    let mut seen = [0, 0];
    for write in 0..writes {
        for fault in [Fault::DiesBefore, Fault::DiesUnsynced, Fault::DiesAfter] {
            let store = founded();
            store.tables().fail(write, fault);
            assert!(matches!(
                bring_in(&store, &parts, &joint),
                Err(ImportError::Store(StoreError::Failed(_)))
            ));
            for kept in 0..=store.tables().undurable() {
                let found = Store::open_on(store.tables().crash(kept)).unwrap();
                found.discard_import().unwrap();
                let is_all = found.applied() > 0;
                seen[usize::from(is_all)] += 1;
                assert!(rows(found.tables()) == if is_all { all.clone() } else { nothing.clone() });
                found.restore().unwrap();
                if !is_all {
                    bring_in(&found, &parts, &joint).unwrap();
                    assert!(
                        rows(found.tables()) == all,
                        "the second attempt is not disturbed by the first"
                    );
                }
            }
        }
    }
    assert!(writes >= 3 && seen[0] > 6 && seen[1] >= 1, "{writes} writes, {seen:?}");
}

#[test]
fn power_that_fails_at_any_write_of_the_replay_loses_no_block_and_leads_to_the_same_rows() {
    let world = world(40);
    let head = world.ledger.head().height;
    let (store, _) = joined(&world.store, head);
    let whole = rows(world.store.tables());
    let mut tables = store.tables().copy();
    let (mut fault, mut deaths) = (
        [Fault::DiesBefore, Fault::DiesUnsynced, Fault::DiesAfter]
            .into_iter()
            .cycle(),
        0,
    );
    // Each life does one write and dies in the second, so that blocks, the founding and the end are all met.
    loop {
        let store = Arc::new(Store::open_on(tables.clone()).unwrap());
        store.restore().unwrap();
        tables.fail(1, fault.next().unwrap());
        let life = || -> Result<(), StoreError> {
            if store.gap().is_none() {
                // It died after it had become whole, before it knew.
                return Ok(());
            }
            let host = || Behind::new(Host(Arc::clone(&store)));
            let replay = Store::open_on(host())
                .or_else(|_| Store::create_on(host(), store.genesis()))
                .map_err(|_| StoreError::Stopped)?;
            let mut past = replay.restore().map_err(|_| StoreError::Stopped)?;
            for height in past.head().height + 1..=head {
                let block = world.store.block(height).unwrap().unwrap();
                let (keys, bits) = (past.keys().clone(), past.parameters().stamp_bits);
                let entries = block
                    .entries
                    .into_iter()
                    .map(|entry| Arc::new(entry.verify(&keys, bits).unwrap()));
                let step = past
                    .check(&replay, &block.head.header, entries.collect(), block.evidence)
                    .unwrap();
                replay.commit(&step, &block.head.certificate)?;
                past.advance(step);
            }
            store.become_whole().map_err(|_| StoreError::Stopped)
        };
        if life().is_ok() {
            break assert!(rows(&tables) == whole);
        }
        deaths += 1;
        tables = tables.crash(deaths % 2);
    }
    assert!(deaths > 10, "only {deaths} deaths");
}

#[test]
fn a_replay_that_does_not_lead_to_what_was_joined_does_not_make_a_store_whole() {
    let world = world(60);
    let head = world.ledger.head().height;
    let spoiled = |spoil: &dyn Fn(&Store<MemoryTables>)| {
        let (store, _) = joined(&world.store, head);
        let (replay, mut past) = behind(&store);
        copy_blocks(&world.store, &replay, &mut past, head);
        spoil(&store);
        let before = rows(store.tables());
        let outcome = store.become_whole();
        assert!(rows(store.tables()) == before, "nothing has changed");
        outcome.unwrap_err()
    };
    let row = |store: &Store<MemoryTables>, prefix: &[u8]| {
        let mut found = None;
        let scan = store.tables().scan(Family::Meta, prefix, None, |key, value| {
            found = Some((key.to_vec(), value.to_vec()));
            ControlFlow::Break(())
        });
        scan.unwrap();
        found.unwrap()
    };
    let altered = |prefix: &'static [u8]| {
        spoiled(&|store| {
            let (key, mut value) = row(store, prefix);
            *value.last_mut().unwrap() ^= 1;
            store.raw().put(Family::Meta, &key, &value).unwrap();
        })
    };
    let gone = |prefix: &'static [u8]| {
        spoiled(&|store| {
            let (key, _) = row(store, prefix);
            store.raw().delete(Family::Meta, &key).unwrap();
        })
    };
    for prefix in [b"base".as_slice(), b"behind.log."] {
        assert!(matches!(altered(prefix), FillError::OtherLog { .. }));
        assert!(matches!(gone(prefix), FillError::OtherLog { .. }));
    }
    let last = [b"behind.recent.".as_slice(), &(head - head % 64).to_be_bytes()].concat();
    let last: &'static [u8] = Box::leak(last.into_boxed_slice());
    assert!(matches!(altered(last), FillError::OtherWindow { .. }));
    assert!(matches!(gone(last), FillError::OtherWindow { .. }));
    let other = spoiled(&|store| {
        let mut row = store.block_row(head).unwrap().unwrap();
        row.header.time += 1;
        store
            .raw()
            .put(Family::Block, &head.to_be_bytes(), &row.to_bytes())
            .unwrap();
    });
    assert_eq!(other, FillError::OtherHead);
}

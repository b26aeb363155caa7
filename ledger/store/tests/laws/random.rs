//! Random histories: both kinds of tables answer like a list, before and after a restart.

use proptest::prelude::*;
use waxwing_core::envelope::KeepFor;
use waxwing_core::limits::{DAY_MS, HOUR_MS};
use waxwing_store::fixture::{Note, World};
use waxwing_store::{MemoryTables, Store, Tables};

use crate::model::Model;

#[derive(Clone, Debug)]
enum Act {
    /// A block of (writer, bytes, keep-for) so many ms later.
    Append(u64, Vec<(u64, u32, KeepFor)>),
    /// So many blocks without entries: anchors come and go.
    Idle(u64, u64),
    /// The secret of an entry is revealed.
    Erase(u64),
    /// Sweeps with a budget.
    Expire(u64),
    /// The node starts anew.
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    let after = prop_oneof![Just(1), Just(1000), Just(HOUR_MS), Just(DAY_MS), Just(40 * DAY_MS)];
    let keep_for = proptest::sample::select(KeepFor::ALL.to_vec());
    let note = (0..4_u64, prop_oneof![Just(0), Just(1), 0..2000_u32], keep_for);
    prop_oneof![
        8 => (after.clone(), proptest::collection::vec(note, 0..24)).prop_map(|(after, notes)| Act::Append(after, notes)),
        1 => (1..70_u64, after).prop_map(|(count, after)| Act::Idle(count, after)),
        3 => any::<u64>().prop_map(Act::Erase),
        2 => (1..20_u64).prop_map(Act::Expire),
        1 => Just(Act::Restart),
    ]
}

/// Carries out one act in a world and in the model; a restart is for the caller.
fn carry_out<T: Tables>(act: &Act, world: &mut World<T>, model: &mut Model) {
    match act {
        Act::Append(after, notes) => {
            let first = model.len();
            let note = |(number, (writer, bytes, keep_for)): (u64, &(u64, u32, KeepFor))| Note {
                writer: *writer,
                number,
                bytes: *bytes,
                keep_for: *keep_for,
            };
            let notes: Vec<Note> = (first..).zip(notes).map(note).collect();
            model.append(world, *after, &notes);
        }
        Act::Idle(count, after) => (0..*count).for_each(|_| model.append(world, *after, &[])),
        Act::Erase(choice) if model.len() > 0 => model.erase(world, choice % model.len()),
        Act::Expire(budget) => model.expire(world, *budget),
        Act::Erase(_) | Act::Restart => {}
    }
}

/// Runs a history; `restart` gives what a new process finds.
fn run<T: Tables>(acts: &[Act], mut world: World<T>, restart: impl Fn(Store<T>) -> Store<T>) {
    let mut model = Model::default();
    for act in acts.iter().chain([&Act::Restart]) {
        carry_out(act, &mut world, &mut model);
        if matches!(act, Act::Restart) {
            let before = world.ledger;
            world = World::resume(restart(world.store), 1);
            assert_eq!(world.ledger.id(), before.id());
            assert_eq!(world.ledger.anchors(), before.anchors());
            model.check(&world.store);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_double_answers_like_a_list(acts in proptest::collection::vec(act(), 1..24)) {
        let restart = |store: Store<MemoryTables>| Store::open_on(store.tables().crash(0)).unwrap();
        run(&acts, World::found(MemoryTables::new(), 1), restart);
    }
}

#[cfg(feature = "rocks")]
proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn rocksdb_answers_like_a_list(acts in proptest::collection::vec(act(), 1..24)) {
        use waxwing_store::Options;
        let directory = tempfile::tempdir().unwrap();
        let store = Store::create(directory.path(), &waxwing_store::fixture::genesis(1), &Options::default()).unwrap();
        let restart = |store: Store| {
            drop(store);
            Store::open(directory.path(), &Options::default()).unwrap()
        };
        run(&acts, World::resume(store, 1), restart);
    }
}

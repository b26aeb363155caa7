//! The vault against a model of it that is a list: any sequence of puts, reads, accidents, days and restarts.

use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;
use waxwing_core::limits::DAY_MS;

use super::super::day::Day;
use super::super::limits::counted;
use super::super::vault::{Fetched, PutError, Stored};
use super::{NOON, Place, chunk, day, files, id, put};

/// Chunks that there are, and chunks for which there is room.
const CHUNKS: u32 = 8;
const ROOM: u64 = 5;

#[derive(Clone, Copy, Debug)]
enum Step {
    Put {
        number: u32,
        days: u32,
    },
    Get {
        number: u32,
    },
    /// A bit of the file turns over.
    Flip {
        number: u32,
    },
    /// The file vanishes.
    Lose {
        number: u32,
    },
    Pass {
        hours: u64,
    },
    Sweep,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let number = 0..CHUNKS;
    prop_oneof![
        6 => (number.clone(), 1..4_u32).prop_map(|(number, days)| Step::Put { number, days }),
        4 => number.clone().prop_map(|number| Step::Get { number }),
        1 => number.clone().prop_map(|number| Step::Flip { number }),
        1 => number.prop_map(|number| Step::Lose { number }),
        2 => (1..40_u64).prop_map(|hours| Step::Pass { hours }),
        1 => Just(Step::Sweep),
        1 => Just(Step::Restart),
    ]
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum File {
    Whole,
    Flipped,
    Lost,
}

/// What should be there.
#[derive(Default)]
struct Model(BTreeMap<u32, (Day, File)>);

impl Model {
    fn used(&self) -> u64 {
        self.0.keys().map(|number| room_of(*number)).sum()
    }

    fn sweep(&mut self, now_ms: u64) {
        self.0.retain(|_, (day, _)| !day.is_over(now_ms));
    }

    /// What a put leads to; `None` if there is no room.
    fn put(&mut self, number: u32, until: Day, now_ms: u64) -> Option<Stored> {
        if let Some((day, File::Whole)) = self.0.get_mut(&number) {
            *day = until.max(*day);
            return Some(Stored::Already(*day));
        }
        self.0.remove(&number);
        self.sweep(now_ms);
        if self.used() + room_of(number) > ROOM * room_of(0) {
            return None;
        }
        self.0.insert(number, (until, File::Whole));
        Some(Stored::New(until))
    }

    fn get(&mut self, number: u32, now_ms: u64) -> Option<File> {
        let (day, file) = *self.0.get(&number)?;
        if day.is_over(now_ms) {
            return None;
        }
        if file != File::Whole {
            self.0.remove(&number);
        }
        Some(file)
    }
}

fn room_of(number: u32) -> u64 {
    counted(u32::try_from(chunk(number).len()).unwrap())
}

fn damage(place: &Place, model: &mut Model, number: u32, file: File) {
    let Some((day, known)) = model.0.get_mut(&number).filter(|(_, known)| *known == File::Whole) else {
        return;
    };
    *known = file;
    let path = place.file(*day, number);
    match file {
        File::Lost => fs::remove_file(path).unwrap(),
        _ => {
            let mut bytes = fs::read(&path).unwrap();
            bytes[3] ^= 0x40;
            fs::write(path, bytes).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_vault_does_what_a_list_of_promises_would(steps in proptest::collection::vec(step(), 1..60)) {
        let place = Place::with_room(ROOM);
        let (mut now_ms, mut model) = (NOON, Model::default());
        let mut vault = place.open(now_ms);
        for step in steps {
            match step {
                Step::Put { number, days } => {
                    let until = day(now_ms, days);
                    let stored = put(&vault, number, until, now_ms);
                    match model.put(number, until, now_ms) {
                        Some(expected) => prop_assert_eq!(stored.unwrap(), expected),
                        None => prop_assert!(matches!(stored, Err(PutError::Full)), "{:?}", stored),
                    }
                }
                Step::Get { number } => match (vault.get(&id(number), now_ms).unwrap(), model.get(number, now_ms)) {
                    (Fetched::Chunk(bytes), Some(File::Whole)) => prop_assert_eq!(bytes, chunk(number)),
                    (Fetched::Damaged, Some(File::Flipped | File::Lost)) | (Fetched::Unknown, None) => {}
                    other => prop_assert!(false, "{other:?}"),
                },
                Step::Flip { number } => damage(&place, &mut model, number, File::Flipped),
                Step::Lose { number } => damage(&place, &mut model, number, File::Lost),
                Step::Pass { hours } => now_ms += hours * DAY_MS / 24,
                Step::Sweep => {
                    let before = model.0.len();
                    model.sweep(now_ms);
                    let swept = u64::try_from(before - model.0.len()).unwrap();
                    prop_assert_eq!(vault.sweep(now_ms).unwrap(), swept);
                }
                Step::Restart => {
                    drop(vault);
                    vault = place.open(now_ms);
                    model.sweep(now_ms);
                    model.0.retain(|_, (_, file)| *file != File::Lost);
                }
            }
            let level = vault.level();
            prop_assert_eq!((level.chunks, level.used_bytes), (u64::try_from(model.0.len()).unwrap(), model.used()));
            prop_assert!(level.used_bytes <= place.room);
            let there = model.0.values().filter(|(_, file)| *file != File::Lost).count();
            prop_assert_eq!(files(&place.root()), there, "files");
            let known = vault.have((0..CHUNKS).map(id), now_ms);
            let expected = (0..CHUNKS).map(|number| model.0.get(&number).map(|(day, _)| *day));
            prop_assert_eq!(known, expected.map(|day| day.filter(|day| !day.is_over(now_ms))).collect::<Vec<_>>());
        }
    }
}

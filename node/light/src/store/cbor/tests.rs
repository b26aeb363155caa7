//! What is written, beside what everybody else writes.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Unit;

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Newtype(u8);

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Pair(u8, i32);

#[derive(Serialize, Deserialize, PartialEq, Debug)]
enum Choice {
    Nothing,
    One(u64),
    Two(u8, String),
    Named { left: Option<i8>, right: char },
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Everything {
    flag: bool,
    unit: Unit,
    numbers: (i8, i16, i32, i64, u16, u32, u64, f32, f64),
    text: String,
    newtypes: Vec<Newtype>,
    pairs: Vec<Pair>,
    choices: Vec<Choice>,
    map: BTreeMap<String, Vec<u16>>,
    nothing: Option<u32>,
    empty: Vec<u8>,
}

fn everything() -> Everything {
    Everything {
        flag: true,
        unit: Unit,
        numbers: (-1, -300, i32::MIN, i64::MIN, 24, 70_000, u64::MAX, 0.5, -0.1),
        text: "w\u{e4}xwing".repeat(40),
        newtypes: vec![Newtype(1), Newtype(255)],
        pairs: vec![Pair(1, -2), Pair(3, 4)],
        choices: vec![
            Choice::Nothing,
            Choice::One(0xffff_ffff),
            Choice::Two(7, "x".to_owned()),
            Choice::Named {
                left: Some(-128),
                right: 'ß',
            },
        ],
        map: BTreeMap::from([("a".to_owned(), vec![]), ("b".to_owned(), vec![256, 65_535])]),
        nothing: None,
        empty: Vec::new(),
    }
}

fn plain<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).unwrap();
    out
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> T {
    ciborium::from_reader(bytes).unwrap()
}

#[test]
fn whatever_has_no_list_of_bytes_is_written_as_by_everybody_else() {
    let mut value = everything();
    // A float has one form here, and the shortest one there.
    (value.numbers.7, value.numbers.8) = (0.1, -0.1);
    let (ours, theirs) = (to_vec(&value).unwrap(), plain(&value));
    assert_eq!(read::<Everything>(&ours), value);
    assert_eq!(read::<Everything>(&theirs), value);
    let whole = (
        value.flag,
        value.unit,
        value.text,
        value.newtypes,
        value.pairs,
        value.choices,
        value.map,
    );
    assert_eq!(to_vec(&whole).unwrap(), plain(&whole));
}

#[test]
fn every_length_and_number_has_its_shortest_head() {
    for number in [
        0_u64,
        23,
        24,
        255,
        256,
        65_535,
        65_536,
        u64::from(u32::MAX),
        1 << 32,
        u64::MAX,
    ] {
        assert_eq!(to_vec(&number).unwrap(), plain(&number), "{number}");
        let negative = i64::try_from(number).map_or(i64::MIN, |number| -number);
        assert_eq!(to_vec(&negative).unwrap(), plain(&negative), "{negative}");
    }
    for length in [0_usize, 1, 23, 24, 255, 256, 65_535, 65_536] {
        let (list, text) = (vec![300_u16; length], "x".repeat(length));
        assert_eq!(to_vec(&list).unwrap(), plain(&list), "{length}");
        assert_eq!(to_vec(&text).unwrap(), plain(&text), "{length}");
    }
}

#[test]
fn lists_of_bytes_are_byte_strings_and_read_back_as_lists() {
    let key: Vec<u8> = (0..=255).cycle().take(1_216).collect();
    let written = to_vec(&key).unwrap();
    assert_eq!(written, [&[0x59, 0x04, 0xc0][..], &key].concat());
    assert_eq!(read::<Vec<u8>>(&written), key);
    assert_eq!(read::<Vec<u8>>(&plain(&key)), key, "as it was written before");
    let (fixed, nested) = ([7_u8; 32], vec![Some(vec![1_u8, 200]), None, Some(vec![])]);
    assert_eq!(read::<[u8; 32]>(&to_vec(&fixed).unwrap()), fixed);
    assert_eq!(read::<Vec<Option<Vec<u8>>>>(&to_vec(&nested).unwrap()), nested);
    let (mixed, wide) = ((1_u8, 2_u8, "three".to_owned()), vec![1_u16, 2]);
    assert_eq!(
        to_vec(&mixed).unwrap(),
        plain(&mixed),
        "it begins with bytes, and is none"
    );
    assert_eq!(
        to_vec(&wide).unwrap(),
        plain(&wide),
        "numbers that could be bytes are none"
    );
}

#[test]
fn lists_and_maps_of_a_length_that_nobody_said_are_closed() {
    struct Unsized(Vec<u8>);
    impl Serialize for Unsized {
        fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use ser::SerializeSeq as _;
            let mut list = serializer.serialize_seq(None)?;
            for byte in &self.0 {
                list.serialize_element(&u32::from(*byte))?;
            }
            list.end()
        }
    }
    for value in [Unsized(vec![]), Unsized(vec![1, 2, 3])] {
        assert_eq!(to_vec(&value).unwrap(), plain(&value));
        assert_eq!(read::<Vec<u8>>(&to_vec(&value).unwrap()), value.0);
    }
}

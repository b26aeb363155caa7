//! Formats pinned by a hash over ten thousand random values of each: what no list of examples would notice.
//!
//! A hash that differs says that the bytes of some value differ, and not which: look at the vectors first. It may only
//! change together with the specification.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use waxwing_rules::chance::Chance;
use waxwing_rules::values::FORMATS;

use crate::case::hex;
use crate::{folder, is_writing};

const VALUES: u32 = 10_000;

/// Length and bytes of each value in turn, hashed.
fn pinned() -> BTreeMap<&'static str, String> {
    let of_format = |(number, format): (u64, &waxwing_rules::values::Format)| {
        let mut chance = Chance::new(0x5eed_0000 + number);
        let mut hasher = blake3::Hasher::new();
        for value in 0..VALUES {
            let bytes = (format.random)(&mut chance);
            let length = u32::try_from(bytes.len()).unwrap();
            hasher.update(&length.to_be_bytes()).update(&bytes);
            // Reading a committee back decompresses its keys: a part of the values is enough here.
            if value % 8 == 0 {
                assert_eq!((format.again)(&bytes), Ok(bytes), "{}", format.name);
            }
        }
        (format.name, hex(hasher.finalize().as_bytes()))
    };
    (0..).zip(FORMATS).map(of_format).collect()
}

#[test]
fn ten_thousand_values_of_every_format_have_the_bytes_they_always_had() {
    let path = folder().join("pinned.json");
    let hashes = pinned();
    if is_writing() {
        let lines: Vec<String> = hashes
            .iter()
            .map(|(name, hash)| format!("{}:{}", json!(name), json!(hash)))
            .collect();
        std::fs::write(path, format!("{{{}}}\n", lines.join(",\n"))).unwrap();
        return;
    }
    let stored: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(stored, json!(hashes));
}

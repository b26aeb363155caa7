//! The golden vectors as seeds: every byte string that any of them gives.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;
use waxwing_core::codec::Decode;
use waxwing_core::genesis::Genesis;

/// What the vectors hold.
#[derive(Debug)]
pub struct Golden {
    /// Every text that is the hexadecimal form of bytes, as these bytes.
    pub bytes: Vec<Vec<u8>>,
    /// Every text, as it stands: links, policies, and the hexadecimal ones again.
    pub texts: Vec<String>,
    /// The founding facts of the networks that the vectors are about.
    pub networks: Vec<Genesis>,
}

/// The vectors under `tests/data/golden`.
///
/// # Panics
/// If they cannot be read: they are part of the repository.
pub static GOLDEN: LazyLock<Golden> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/golden");
    let mut texts = BTreeSet::new();
    for entry in std::fs::read_dir(folder).expect("the vectors are part of the repository") {
        let path = entry.expect("a folder can be read").path();
        if path.extension().is_some_and(|ending| ending == "json") {
            let text = std::fs::read_to_string(&path).expect("a vector can be read");
            gather(&serde_json::from_str(&text).expect("a vector is JSON"), &mut texts);
        }
    }
    let bytes: BTreeSet<Vec<u8>> = texts.iter().filter_map(|text| unhex(text)).collect();
    let mut networks: Vec<Genesis> = bytes
        .iter()
        .filter_map(|bytes| Genesis::from_bytes(bytes).ok())
        .collect();
    networks.truncate(4);
    Golden {
        bytes: bytes.into_iter().collect(),
        texts: texts.into_iter().collect(),
        networks,
    }
});

fn gather(value: &Value, texts: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(texts.insert(text.clone())),
        Value::Array(values) => values.iter().for_each(|value| gather(value, texts)),
        Value::Object(fields) => fields.values().for_each(|value| gather(value, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() || !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_give_hundreds_of_byte_strings_and_some_networks() {
        assert!(GOLDEN.bytes.len() > 300, "{}", GOLDEN.bytes.len());
        assert!(!GOLDEN.networks.is_empty());
        assert!(GOLDEN.texts.iter().any(|text| text.starts_with("waxwing-policy 1")));
        assert!(GOLDEN.texts.iter().any(|text| text.starts_with("waxwing:")));
    }
}

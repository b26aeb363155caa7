//! Reads the vectors under `tests/data`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error};
use std::path::Path;

/// Reads one JSON file under `tests/data`, such as `"rfc6962/inclusion.json"`.
///
/// # Panics
/// If it is missing or does not have that shape: vectors that cannot be read must not look like vectors that pass.
#[must_use]
pub fn read<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data").join(name);
    let text = std::fs::read(&path).expect("the vectors are part of the repository");
    serde_json::from_slice(&text).expect("the vectors have the shape that their test states")
}

/// Bytes written as hexadecimal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hex(pub Vec<u8>);

impl Hex {
    /// The first `N` bytes.
    ///
    /// # Panics
    /// If there are fewer.
    #[must_use]
    pub fn first<const N: usize>(&self) -> [u8; N] {
        *self.0.first_chunk().expect("the vector is as long as its kind demands")
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text
            .chars()
            .map(|digit| digit.to_digit(16))
            .collect::<Option<Vec<u32>>>();
        let digits = digits
            .filter(|digits| digits.len() % 2 == 0)
            .ok_or_else(|| D::Error::custom("not hexadecimal"))?;
        let bytes = digits
            .chunks_exact(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte * 16 + digit));
        bytes
            .map(u8::try_from)
            .collect::<Result<_, _>>()
            .map(Self)
            .map_err(D::Error::custom)
    }
}

/// Bytes written as base64; no value at all is no bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Base64(pub Vec<u8>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        STANDARD.decode(text).map(Self).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_and_anything_else_is_refused() {
        assert_eq!(
            serde_json::from_str::<Hex>("\"00ff1A\"").unwrap(),
            Hex(vec![0, 255, 26])
        );
        for wrong in ["\"0\"", "\"0g\"", "\"+1\"", "null"] {
            assert!(serde_json::from_str::<Hex>(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            serde_json::from_str::<Base64>("\"AP8a\"").unwrap(),
            Base64(vec![0, 255, 26])
        );
        assert_eq!(serde_json::from_str::<Base64>("null").unwrap(), Base64(Vec::new()));
        assert!(serde_json::from_str::<Base64>("\"AP8\"").is_err());
    }
}

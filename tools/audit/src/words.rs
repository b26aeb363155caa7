//! Times and other values as people and programs read them.

use jiff::Timestamp;

/// A time, ISO 8601 in UTC. Times come out of headers that nobody may have certified, so any number has a form.
pub(crate) fn time(ms: u64) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .map_or_else(|| format!("{ms} ms after 1970"), |time| time.to_string())
}

/// `1 block`, `2 blocks`.
pub(crate) fn count<N: PartialEq + From<u8> + core::fmt::Display>(number: N, one: &str, many: &str) -> String {
    format!("{number} {}", if number == N::from(1) { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_utc_and_any_number_is_one() {
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
        assert_eq!(time(1_795_000_000_123), "2026-11-18T11:06:40.123Z");
        assert_eq!(time(u64::MAX), "18446744073709551615 ms after 1970");
    }
}

//! The program's one reading of the clock, and times as people and programs read them.
//!
//! Everywhere below, time is an argument. JSON gets ISO 8601 in UTC; people get their own time with its offset, so that
//! two of them can compare what they see.

use std::time::Instant;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Milliseconds since 1970, as the ledger counts.
pub(crate) fn now_ms() -> u64 {
    let now = Timestamp::now().as_millisecond();
    // Before 1970 only a broken clock stands; the ledger has no such times.
    u64::try_from(now).unwrap_or(0)
}

/// For measuring how long something takes: never set back, unlike the time of day.
#[expect(clippy::disallowed_methods, reason = "the program's edge, see above")]
pub(crate) fn steady() -> Instant {
    Instant::now()
}

/// `2026-01-31T14:05:06.789Z`, or the number if no calendar reaches that far.
pub(crate) fn iso(ms: u64) -> String {
    match timestamp(ms) {
        Some(time) => format!("{time:.3}"),
        None => format!("{ms} ms after 1970"),
    }
}

/// `2026-01-31 15:05:06 +01:00`.
pub(crate) fn local(ms: u64) -> String {
    written(ms, "%Y-%m-%d %H:%M:%S %:z")
}

/// `2026-01-31 15:05`.
pub(crate) fn day_and_minute(ms: u64) -> String {
    written(ms, "%Y-%m-%d %H:%M")
}

/// `15:05`.
pub(crate) fn minute(ms: u64) -> String {
    written(ms, "%H:%M")
}

fn written(ms: u64, format: &str) -> String {
    match timestamp(ms) {
        Some(time) => time.to_zoned(TimeZone::system()).strftime(format).to_string(),
        None => format!("{ms} ms after 1970"),
    }
}

fn timestamp(ms: u64) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_get_utc_with_milliseconds() {
        assert_eq!(iso(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso(1_445_262_345_678), "2015-10-19T13:45:45.678Z");
    }

    #[test]
    fn a_time_beyond_all_calendars_is_a_number_and_no_panic() {
        assert_eq!(iso(u64::MAX), "18446744073709551615 ms after 1970");
        assert_eq!(local(u64::MAX), iso(u64::MAX));
    }

    #[test]
    fn people_get_their_offset() {
        let text = local(1_445_262_345_678);
        assert!(
            text.ends_with(":00") && (text.contains(" +") || text.contains(" -")),
            "{text}"
        );
    }
}

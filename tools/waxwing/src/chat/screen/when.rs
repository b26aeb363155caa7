//! Times and ages as the screen shows them, in the time zone it was given.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Where the reader is.
#[derive(Clone, Debug)]
pub(super) struct Zone(pub(super) TimeZone);

impl Zone {
    /// The time zone of this machine.
    pub(super) fn of_this_machine() -> Self {
        Self(TimeZone::system())
    }

    /// `15:05`.
    pub(super) fn minute(&self, ms: u64) -> String {
        self.written(ms, "%H:%M")
    }

    /// `15:05:06`.
    pub(super) fn second(&self, ms: u64) -> String {
        self.written(ms, "%H:%M:%S")
    }

    /// `2026-11-23 15:05`.
    pub(super) fn date(&self, ms: u64) -> String {
        self.written(ms, "%Y-%m-%d %H:%M")
    }

    /// `Monday 23 November 2026`.
    pub(super) fn day(&self, ms: u64) -> String {
        self.written(ms, "%A %-d %B %Y")
    }

    /// `2026-01-31 15:05:06 +01:00`, so that two people can compare what they see.
    pub(super) fn whole(&self, ms: u64) -> String {
        self.written(ms, "%Y-%m-%d %H:%M:%S %:z")
    }

    fn written(&self, ms: u64, format: &str) -> String {
        let time = i64::try_from(ms)
            .ok()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok());
        match time {
            Some(time) => time.to_zoned(self.0.clone()).strftime(format).to_string(),
            None => format!("{ms} ms after 1970"),
        }
    }
}

/// How long ago something was, in the unit that people use for it.
pub(super) fn ago(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..=119 => format!("{seconds} s ago"),
        120..=7199 => format!("{} min ago", seconds / 60),
        7200..=172_799 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_the_unit_that_people_use() {
        let told: Vec<_> = [0, 3_000, 119_999, 120_000, 7_200_000, 172_800_000]
            .into_iter()
            .map(ago)
            .collect();
        assert_eq!(
            told,
            ["0 s ago", "3 s ago", "119 s ago", "2 min ago", "2 h ago", "2 days ago"]
        );
    }

    #[test]
    fn times_are_those_of_the_given_zone() {
        let zone = Zone(TimeZone::fixed(jiff::tz::offset(2)));
        assert_eq!(zone.minute(1_445_262_345_678), "15:45");
        assert_eq!(zone.day(1_445_262_345_678), "Monday 19 October 2015");
        assert_eq!(zone.whole(1_445_262_345_678), "2015-10-19 15:45:45 +02:00");
        assert_eq!(zone.minute(u64::MAX), "18446744073709551615 ms after 1970");
    }
}

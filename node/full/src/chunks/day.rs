//! The day until which a chunk is kept. Days are what is promised and what is stored: the time at which somebody sent a file is
//! nobody's business, and what ends together goes together.

use core::fmt;
use core::num::NonZeroU32;

use waxwing_core::limits::DAY_MS;

/// The end of so many days since 1970.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Day(u32);

impl Day {
    /// Before every other.
    pub(super) const ZERO: Self = Self(0);

    /// The first end of a day that is at least so many days away.
    pub(super) fn after(now_ms: u64, days: NonZeroU32) -> Self {
        let until = now_ms.saturating_add(u64::from(days.get()) * DAY_MS);
        Self(u32::try_from(until.div_ceil(DAY_MS)).unwrap_or(u32::MAX))
    }

    /// The newest day that is over.
    pub(super) fn over(now_ms: u64) -> Self {
        Self(u32::try_from(now_ms / DAY_MS).unwrap_or(u32::MAX))
    }

    /// The day after it.
    pub(super) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// How many days later than another one it is.
    pub(super) const fn later_than(self, other: Self) -> u32 {
        self.0.saturating_sub(other.0)
    }

    /// When it ends, in ms since 1970.
    pub(super) fn ends_ms(self) -> u64 {
        u64::from(self.0) * DAY_MS
    }

    /// Whether it has ended.
    pub(super) fn is_over(self, now_ms: u64) -> bool {
        self <= Self::over(now_ms)
    }

    /// From the name of a folder.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let day: u32 = name.parse().ok()?;
        (day.to_string() == name).then_some(Self(day))
    }
}

/// As folders are named.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAYS: NonZeroU32 = NonZeroU32::new(3).unwrap();

    #[test]
    fn what_is_kept_for_three_days_is_kept_for_at_least_three_and_less_than_four() {
        for now_ms in [0, 1, DAY_MS - 1, DAY_MS, 20_000 * DAY_MS + 7] {
            let day = Day::after(now_ms, DAYS);
            let kept = day.ends_ms() - now_ms;
            assert!((3 * DAY_MS..4 * DAY_MS).contains(&kept), "{now_ms}: {kept}");
            assert!(!day.is_over(day.ends_ms() - 1) && day.is_over(day.ends_ms()));
        }
    }

    #[test]
    fn the_end_of_time_is_a_day_like_others() {
        let last = Day::after(u64::MAX, NonZeroU32::MAX);
        assert_eq!(last.next(), last);
        assert!(last.is_over(u64::MAX));
    }

    #[test]
    fn a_folder_has_one_name() {
        let day = Day::after(5 * DAY_MS, DAYS);
        assert_eq!(day.to_string(), "8");
        assert_eq!(Day::parse("8"), Some(day));
        for other in ["08", "+8", "", "new", "-1", "8 ", "99999999999"] {
            assert_eq!(Day::parse(other), None, "{other}");
        }
    }
}

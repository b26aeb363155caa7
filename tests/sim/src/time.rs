//! Virtual time, and how the nodes' clocks tell it.
//!
//! The world counts microseconds from the start of a run. No node sees that count: each has a wall clock that is set
//! wrong and a quartz that runs wrong, and a steady clock that starts with its process.

use waxwing_node::order::event::Now;

/// Microseconds since the run began.
pub type Micros = u64;

/// Microseconds in a millisecond.
pub const MS: Micros = 1000;

/// Microseconds in a second.
pub const SECOND: Micros = 1000 * MS;

/// A node's clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    /// What a right wall clock showed when the run began, ms since 1970.
    epoch_ms: u64,
    /// By how much the wall clock is set wrong, ms.
    skew_ms: i64,
    /// By how many millionth it runs too fast.
    drift_ppm: i64,
    /// When the process began.
    booted: Micros,
}

impl Clock {
    /// A clock that is right but for these.
    #[must_use]
    pub const fn new(epoch_ms: u64, skew_ms: i64, drift_ppm: i64) -> Self {
        Self {
            epoch_ms,
            skew_ms,
            drift_ppm,
            booted: 0,
        }
    }

    /// Sets the wall clock, right but for this.
    pub const fn set(&mut self, skew_ms: i64) {
        self.skew_ms = skew_ms;
    }

    /// The process began.
    pub const fn boot(&mut self, at: Micros) {
        self.booted = at;
    }

    /// What the node is told.
    #[must_use]
    pub fn now(&self, at: Micros) -> Now {
        let wall = self.epoch_ms.saturating_add(self.drifted(at) / MS);
        Now {
            wall_ms: wall.saturating_add_signed(self.skew_ms),
            steady_ms: self.drifted(at.saturating_sub(self.booted)) / MS,
        }
    }

    /// How long something takes that lasts so many of this clock's milliseconds.
    #[must_use]
    pub fn lasts(&self, ms: u64) -> Micros {
        let exact = ms.saturating_mul(MS);
        exact.saturating_add_signed(-self.error(exact)).max(1)
    }

    fn drifted(&self, duration: Micros) -> Micros {
        duration.saturating_add_signed(self.error(duration))
    }

    fn error(&self, duration: Micros) -> i64 {
        i64::try_from(duration).unwrap_or(i64::MAX / 1_000_000) / 1_000_000 * self.drift_ppm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_shows_its_own_idea_of_time() {
        let mut clock = Clock::new(1_000_000, -500, 200);
        assert_eq!(
            clock.now(0),
            Now {
                wall_ms: 999_500,
                steady_ms: 0
            }
        );
        // Two hundred millionth of 100 s are 20 ms.
        assert_eq!(
            clock.now(100 * SECOND),
            Now {
                wall_ms: 1_099_520,
                steady_ms: 100_020
            }
        );
        clock.boot(90 * SECOND);
        clock.set(2_000);
        assert_eq!(
            clock.now(100 * SECOND),
            Now {
                wall_ms: 1_102_020,
                steady_ms: 10_002
            }
        );
        assert_eq!(clock.lasts(10_000), 9_998 * MS);
    }
}

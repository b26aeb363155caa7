//! The only place of this crate where a clock is read.
//!
//! Everything else takes time as an argument, so that a test can ask what happens a day later without waiting for it.
//! A clock can run ahead of the machine's: tests and experiments move a whole node through time that way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What time it is. Clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock {
    started: Instant,
    ahead_ms: Arc<AtomicU64>,
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::ahead_by(Arc::default())
    }

    /// A clock that runs ahead of the machine's by so many milliseconds, from now on or whenever the number changes.
    #[must_use]
    pub fn ahead_by(ahead_ms: Arc<AtomicU64>) -> Self {
        Self {
            started: instant(),
            ahead_ms,
        }
    }

    /// Milliseconds since 1970. May jump: people set clocks.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        wall_ms().saturating_add(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// Milliseconds since this clock was made. Never jumps, never runs back.
    #[must_use]
    pub fn steady_ms(&self) -> u64 {
        u64::try_from(self.steady_us() / 1000).unwrap_or(u64::MAX)
    }

    /// The same in microseconds, for measuring.
    #[must_use]
    pub fn steady_us(&self) -> u128 {
        instant().duration_since(self.started).as_micros()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one edge at which this crate reads a clock"
)]
fn instant() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one edge at which this crate reads a clock"
)]
fn wall_ms() -> u64 {
    // A machine that believes to live before 1970 gets 0: its blocks are then timed by their parents alone.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_can_be_moved_ahead_and_its_clones_follow() {
        let ahead = Arc::new(AtomicU64::new(0));
        let clock = Clock::ahead_by(Arc::clone(&ahead));
        let (twin, before) = (clock.clone(), clock.now_ms());
        ahead.store(86_400_000, Ordering::Relaxed);
        assert!(twin.now_ms() >= before + 86_400_000);
        assert!(clock.steady_ms() < 60_000, "the steady clock does not jump");
    }
}

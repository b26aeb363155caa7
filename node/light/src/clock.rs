//! The device's clock: the one place where it is read, and the judgement whether it is right.
//!
//! Every promise about age rests on the device's clock, so a client compares it with certified time. That it is
//! *behind* is certain: a quorum signed a time it has not reached. That it is *ahead* can only be inferred: every
//! node that was asked just now gave a word from the past, all by the same amount. Either the clock is ahead by that
//! much, or all these nodes show the same past, and the verdict says both.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokio::time::Instant;
use waxwing_core::keys::NodeId;
use waxwing_core::limits::{CLOCK_SKEW_MS, FRESH_MS};

use crate::limits::CLOCK_AGREE_MS;

/// Milliseconds since 1970, by the system's clock and a shift that tests set.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    shift: Arc<AtomicI64>,
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that is wrong by so many ms, to see what happens then.
    #[must_use]
    pub fn shifted(ms: i64) -> Self {
        let clock = Self::default();
        clock.shift(ms);
        clock
    }

    /// Makes this clock, and its clones, wrong by so many ms more.
    pub fn shift(&self, ms: i64) {
        self.shift.fetch_add(ms, Ordering::Relaxed);
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> u64 {
        #[expect(clippy::disallowed_methods, reason = "the light client's one edge to the clock")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        now.saturating_add_signed(self.shift.load(Ordering::Relaxed))
    }
}

/// The process's own count of time, for waiting only: nobody is told, and nothing is stored.
#[must_use]
pub(crate) fn ticks() -> Instant {
    Instant::now()
}

/// A certified time that a node gave when it was asked for a new one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sample {
    /// Who gave it.
    pub(crate) node: NodeId,
    /// The time, by the validators' clocks.
    pub(crate) certified: u64,
    /// When it came, by this device's clock.
    pub(crate) received: u64,
}

/// What can be said about the device's clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum ClockVerdict {
    /// Nobody gave a certified time lately.
    Unchecked,
    /// It agrees with certified time, as far as messages travel.
    Agrees,
    /// It is behind: a quorum signed a later time.
    Behind {
        /// By at least so many ms.
        by_ms: u64,
    },
    /// It is ahead, or all nodes that were asked show the same past.
    Ahead {
        /// By about so many ms.
        by_ms: u64,
        /// Nodes that agree.
        nodes: usize,
    },
}

impl core::fmt::Display for ClockVerdict {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Unchecked => f.write_str("this device's clock was not compared with certified time yet"),
            Self::Agrees => f.write_str("this device's clock agrees with certified time"),
            Self::Behind { by_ms } => write!(
                f,
                "this device's clock is behind by at least {} s: set it, nothing can be said about age until then",
                by_ms / 1000
            ),
            Self::Ahead { by_ms, nodes } => write!(
                f,
                "this device's clock is ahead by about {} s, or all {nodes} nodes asked show the past: \
                 compare it with another clock and set it",
                by_ms / 1000
            ),
        }
    }
}

/// Judges the clock by the newest sample of each node and the newest certified time of the held head.
pub(crate) fn judge(now: u64, confirmed: u64, samples: &[Sample]) -> ClockVerdict {
    let latest = samples.iter().map(|sample| sample.certified).fold(confirmed, u64::max);
    if latest > now.saturating_add(CLOCK_SKEW_MS) {
        return ClockVerdict::Behind { by_ms: latest - now };
    }
    if now.saturating_sub(latest) <= FRESH_MS {
        return ClockVerdict::Agrees;
    }
    let lags = || {
        samples
            .iter()
            .map(|sample| sample.received.saturating_sub(sample.certified))
    };
    let (Some(least), Some(most)) = (lags().min(), lags().max()) else {
        return ClockVerdict::Unchecked;
    };
    if least <= FRESH_MS {
        // Fresh when it came, and no news since: the clock was right.
        return ClockVerdict::Agrees;
    }
    if most - least > CLOCK_AGREE_MS {
        // They differ among themselves: some are stale, and none is fresh. Freshness says so already.
        return ClockVerdict::Unchecked;
    }
    ClockVerdict::Ahead {
        by_ms: least,
        nodes: samples.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    fn sample(node: u8, certified: u64, received: u64) -> Sample {
        Sample {
            node: NodeId([node; 32]),
            certified,
            received,
        }
    }

    #[test]
    fn a_clock_behind_certified_time_is_certain() {
        let now = 10 * HOUR;
        let verdict = ClockVerdict::Behind { by_ms: HOUR };
        assert_eq!(judge(now, now + HOUR, &[]), verdict, "by a block");
        assert_eq!(judge(now, 0, &[sample(1, now + HOUR, now)]), verdict, "by a beacon");
        assert_eq!(
            judge(now, now + CLOCK_SKEW_MS, &[]),
            ClockVerdict::Agrees,
            "within the skew"
        );
    }

    #[test]
    fn a_clock_ahead_shows_when_every_node_gives_the_same_past() {
        let now = 10 * HOUR;
        let both = [sample(1, now - HOUR, now), sample(2, now - HOUR - 2_000, now)];
        assert_eq!(judge(now, 0, &both), ClockVerdict::Ahead { by_ms: HOUR, nodes: 2 });
        let one_fresh = [both[0], sample(2, now - 1_000, now)];
        assert_eq!(
            judge(now, 0, &one_fresh),
            ClockVerdict::Agrees,
            "one of them is stale, the clock is right"
        );
        let apart = [both[0], sample(2, now - 3 * HOUR, now)];
        assert_eq!(judge(now, 0, &apart), ClockVerdict::Unchecked);
        assert_eq!(judge(now, now, &[]), ClockVerdict::Agrees, "a block was just ordered");
        assert_eq!(
            judge(now, now - HOUR, &[]),
            ClockVerdict::Unchecked,
            "nothing was ordered, or it is ahead"
        );
    }

    #[test]
    fn a_shifted_clock_and_its_clones_are_wrong_alike() {
        let clock = Clock::shifted(-5_000);
        let clone = clock.clone();
        let right = Clock::system().now();
        clock.shift(65_000);
        assert!(clone.now().abs_diff(right + 60_000) < 5_000);
    }
}

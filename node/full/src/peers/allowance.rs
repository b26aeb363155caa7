//! How much one validator may say in a second: a bucket that fills with time. Pure: the time is an argument.

use super::limits::{UNIT_BYTES, UNITS_BURST, UNITS_PER_SECOND};

/// Thousandths of a unit, so that a millisecond's share is a whole number.
const PARTS: u64 = 1000;

/// What a validator may still say at this moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Allowance {
    /// What is left.
    parts: u64,
    /// When that was, by the steady clock.
    at_ms: u64,
}

impl Allowance {
    /// A new connection may say at once what is re-sent on it.
    pub(super) const fn new(now_ms: u64) -> Self {
        Self {
            parts: UNITS_BURST * PARTS,
            at_ms: now_ms,
        }
    }

    /// Pays for a frame; returns how many milliseconds to wait before the next one is read. A frame is never refused: it
    /// has arrived, and reading it costs nothing more.
    pub(super) fn pay(&mut self, now_ms: u64, frame_bytes: usize) -> u64 {
        let units = 1 + u64::try_from(frame_bytes / UNIT_BYTES).unwrap_or(u64::MAX / PARTS - 1);
        let since = now_ms.saturating_sub(self.at_ms);
        let filled = self.parts.saturating_add(since.saturating_mul(UNITS_PER_SECOND));
        let have = filled.min(UNITS_BURST * PARTS);
        let cost = units.saturating_mul(PARTS);
        let wait = cost.saturating_sub(have).div_ceil(UNITS_PER_SECOND);
        // What is owed is paid by the wait: then exactly that much has come in.
        self.parts = (have + wait * UNITS_PER_SECOND).saturating_sub(cost);
        self.at_ms = now_ms + wait;
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agreement_under_load_never_waits() {
        let mut allowance = Allowance::new(0);
        for second in 0..100 {
            for frame in 0..400_u64 {
                let now = second * 1000 + frame * 2;
                let bytes = if frame.is_multiple_of(7) { 30_000 } else { 200 };
                assert_eq!(allowance.pay(now, bytes), 0);
            }
        }
    }

    #[test]
    fn who_talks_without_end_is_read_at_the_rate_that_is_allowed() {
        let (mut allowance, mut now, mut frames) = (Allowance::new(0), 0, 0);
        while now < 10_000 {
            now += allowance.pay(now, 10);
            frames += 1;
        }
        let allowed = UNITS_BURST + 10 * UNITS_PER_SECOND;
        assert!((allowed - 100..allowed + 100).contains(&frames), "{frames}");
    }

    #[test]
    fn large_frames_cost_more_and_rest_pays_back_no_more_than_the_burst() {
        let mut allowance = Allowance::new(0);
        let large = 700 * UNIT_BYTES;
        let waits: Vec<u64> = (0..13).map(|_| allowance.pay(0, large)).collect();
        assert!(waits[..11].iter().all(|wait| *wait == 0) && waits[11] > 0, "{waits:?}");
        let mut rested = allowance;
        let waited = (0..20).find(|_| rested.pay(1_000_000, large) > 0);
        assert_eq!(waited, Some(11));
    }
}

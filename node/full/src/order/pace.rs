//! When the next block begins.
//!
//! A lone message should not wait, and a stream of messages should not become a stream of tiny blocks, each with a
//! synced write and a signature of its own. So: from rest at once; when a full block waits, at once; else a pause after
//! the last block. Without work there is no block, and nothing wakes up.

/// How much waits in the pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Backlog {
    /// Nothing.
    Empty,
    /// Something, but less than a block.
    Some,
    /// At least what fills a block.
    FullBlock,
}

/// What the proposer does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    /// Sleeps until something arrives.
    Rest,
    /// Sleeps so many milliseconds, unless a full block gathers.
    Pause(u64),
    /// Proposes.
    Propose,
}

/// Decides when the next block begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pace {
    pause_ms: u64,
    /// When the last block was done, by the steady clock.
    last_ms: Option<u64>,
}

impl Pace {
    pub(crate) const fn new(pause_ms: u64) -> Self {
        Self {
            pause_ms,
            last_ms: None,
        }
    }

    /// Notes that a block, or an attempt that came to nothing, is done.
    pub(crate) const fn done(&mut self, now_ms: u64) {
        self.last_ms = Some(now_ms);
    }

    pub(crate) fn next(&self, now_ms: u64, backlog: Backlog) -> Next {
        let waited = self.last_ms.map(|last| now_ms.saturating_sub(last));
        match (backlog, waited) {
            (Backlog::Empty, _) => Next::Rest,
            (Backlog::FullBlock, _) | (Backlog::Some, None) => Next::Propose,
            (Backlog::Some, Some(waited)) if waited >= self.pause_ms => Next::Propose,
            (Backlog::Some, Some(waited)) => Next::Pause(self.pause_ms - waited),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_work_there_is_no_block() {
        let mut pace = Pace::new(100);
        assert_eq!(pace.next(0, Backlog::Empty), Next::Rest);
        pace.done(5);
        assert_eq!(pace.next(1_000_000, Backlog::Empty), Next::Rest);
    }

    #[test]
    fn the_first_envelope_after_a_rest_is_ordered_at_once() {
        let mut pace = Pace::new(100);
        assert_eq!(pace.next(0, Backlog::Some), Next::Propose);
        pace.done(50);
        assert_eq!(pace.next(150, Backlog::Some), Next::Propose);
    }

    #[test]
    fn a_block_that_is_not_full_waits_out_the_pause_and_a_full_one_does_not() {
        let mut pace = Pace::new(100);
        pace.done(50);
        assert_eq!(pace.next(51, Backlog::Some), Next::Pause(99));
        assert_eq!(pace.next(149, Backlog::Some), Next::Pause(1));
        assert_eq!(pace.next(51, Backlog::FullBlock), Next::Propose);
    }
}

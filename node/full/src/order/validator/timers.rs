//! The names of timers: a few of the validator's own, and those of the host, which come and go.

use std::collections::{BTreeMap, BTreeSet};

use waxwing_order::Timer;

use crate::order::event::TimerId;

/// The next block may begin.
pub(super) const PACE: TimerId = TimerId(0);
/// Others seem to be further.
pub(super) const LAG: TimerId = TimerId(1);
/// Contents that were asked for have not come.
pub(super) const FETCH: TimerId = TimerId(2);
/// A block was ahead of the clock.
pub(super) const CLOCK: TimerId = TimerId(3);

/// Timers of the host have names from here on.
const HOST: u64 = 16;

/// Which timers run.
#[derive(Debug, Default)]
pub(super) struct Timers {
    host: BTreeMap<Timer, TimerId>,
    own: BTreeSet<TimerId>,
    named: u64,
}

impl Timers {
    /// The name under which a timer of the host runs from now on.
    pub(super) fn set(&mut self, timer: Timer) -> TimerId {
        if let Some(id) = self.host.get(&timer) {
            return *id;
        }
        let id = TimerId(HOST + self.named);
        self.named += 1;
        self.host.insert(timer, id);
        id
    }

    pub(super) fn cancel(&mut self, timer: Timer) -> Option<TimerId> {
        self.host.remove(&timer)
    }

    /// The host's timer of this name, which has run out.
    pub(super) fn run_out(&mut self, id: TimerId) -> Option<Timer> {
        let timer = self
            .host
            .iter()
            .find(|(_, name)| **name == id)
            .map(|(timer, _)| *timer)?;
        self.host.remove(&timer);
        Some(timer)
    }

    /// Forgets the host's timers; gives their names.
    pub(super) fn clear(&mut self) -> impl Iterator<Item = TimerId> {
        std::mem::take(&mut self.host).into_values()
    }

    /// Notes that one of the validator's own runs; false if it does already.
    pub(super) fn start(&mut self, id: TimerId) -> bool {
        self.own.insert(id)
    }

    /// Notes that one of them does not run any more; false if it did not.
    pub(super) fn stop(&mut self, id: TimerId) -> bool {
        self.own.remove(&id)
    }
}

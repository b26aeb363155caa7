//! The thread that orders: takes events and timers to the validator, and carries its actions out.
//!
//! ```text
//! links, pool, sync ──> Inbox ──> Validator ──> journal, timers (here), links and sync (given as a function)
//! ```
//!
//! One thread, so that what the ledger becomes is decided in one place, and so that actions are carried out in the
//! order in which they were wanted: a vote leaves after the journal has it, because the lines stand in that order.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use waxwing_store::{Failure, StoreError, Tables};

use super::event::{Action, Event, Now, TimerId};
use super::inbox::{Inbox, Turn};
use super::journal::Journal;
use super::validator::Validator;
use crate::clock::Clock;
use crate::directory::Signed;
use crate::faults::{Fault, Lifeline};

/// Everything that the thread works with.
pub(crate) struct Driver<T> {
    pub(crate) validator: Validator<T>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) outlets: Outlets,
    pub(crate) clock: Clock,
    pub(crate) lifeline: Lifeline,
}

/// Where actions go.
pub(crate) struct Outlets {
    pub(crate) journal: Journal,
    pub(crate) signed: Signed,
    /// Carries out what is neither about time nor about this machine's disk.
    pub(crate) outside: Box<dyn FnMut(Action) + Send>,
    pub(crate) timers: BTreeMap<TimerId, u64>,
}

impl<T: Tables> Driver<T> {
    /// Orders until the node ends. `first` is what the validator wanted when it was made.
    pub(crate) fn run(mut self, first: Vec<Action>) {
        if let Err(fault) = self.carry_out(first).and_then(|()| self.order()) {
            self.lifeline.fail(fault);
        }
        // Whoever waits for an answer learns that there will be none.
        self.inbox.kill();
    }

    fn order(&mut self) -> Result<(), Fault> {
        loop {
            let within = self.outlets.within(self.clock.steady_ms());
            let event = match self.inbox.next(within) {
                Turn::Event(event) => event,
                Turn::Time => match self.outlets.due(self.clock.steady_ms()) {
                    Some(timer) => Event::Timer(timer),
                    None => continue,
                },
                Turn::Drain if self.validator.is_drained() || !self.validator.is_alone() => return Ok(()),
                Turn::Drain => {
                    let height = self.validator.tip().height;
                    let actions = self.validator.hurry(self.now());
                    self.carry_out(actions)?;
                    // What waits and fits into no block is lost with the pool.
                    if self.validator.tip().height == height {
                        return Ok(());
                    }
                    continue;
                }
                Turn::End => return Ok(()),
            };
            let actions = self.validator.on(event, self.now());
            self.carry_out(actions)?;
        }
    }

    fn now(&self) -> Now {
        Now {
            wall_ms: self.clock.now_ms(),
            steady_ms: self.clock.steady_ms(),
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>) -> Result<(), Fault> {
        for action in actions {
            match action {
                Action::Stop(fault) => return Err(fault),
                Action::Copied { outcome, .. } => self.inbox.answer(outcome),
                action => {
                    let now = self.clock.steady_ms();
                    self.outlets.carry_out(action, now).map_err(failed)?;
                }
            }
        }
        Ok(())
    }
}

impl Outlets {
    fn carry_out(&mut self, action: Action, now: u64) -> io::Result<()> {
        match action {
            Action::Append(record) => self.journal.append(&record)?,
            Action::Flush => self.journal.flush()?,
            Action::Reset => self.journal.reset()?,
            Action::Signed(guard) => self.signed.note(guard)?,
            Action::DestroyKey => {
                self.signed.destroy_key()?;
                (self.outside)(Action::DestroyKey);
            }
            Action::Set(timer, after) => {
                self.timers.insert(timer, now.saturating_add(after));
            }
            Action::Cancel(timer) => {
                self.timers.remove(&timer);
            }
            action => (self.outside)(action),
        }
        Ok(())
    }

    /// How long until the next timer; `None` if there is none.
    fn within(&self, now: u64) -> Option<Duration> {
        let next = self.timers.values().min()?;
        Some(Duration::from_millis(next.saturating_sub(now)))
    }

    /// Takes a timer whose time has come.
    fn due(&mut self, now: u64) -> Option<TimerId> {
        let (timer, _) = self
            .timers
            .iter()
            .filter(|(_, due)| **due <= now)
            .min_by_key(|(_, due)| **due)?;
        let timer = *timer;
        self.timers.remove(&timer);
        Some(timer)
    }
}

/// A journal that cannot be written stops the node as a database does that cannot.
fn failed(error: io::Error) -> Fault {
    Fault::Store(StoreError::Failed(Failure::new(error.to_string())))
}

impl<T> std::fmt::Debug for Driver<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Driver")
    }
}

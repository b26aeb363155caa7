//! What waits for the thread that orders.
//!
//! Any thread and any task puts events in, one thread takes them out. News from the pool are a flag, not a queue:
//! however many envelopes came, there is one look to be taken. Frames of one validator are bounded, so that one that
//! floods this node costs it a few megabytes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use waxwing_core::keys::ValidatorId;
use waxwing_core::ledger::BlockError;
use waxwing_store::StoreError;

use super::event::{CopiedBlock, Event, Frame};
use super::limits::INBOX_BYTES_PER_VALIDATOR_MAX;

/// What became of a copied block; nothing if the node stops.
pub(crate) type Outcome = Result<(), Box<BlockError<StoreError>>>;

/// How the thread that orders ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum End {
    /// It does not.
    Open,
    /// Nothing more comes in; what waits in the pool is ordered if this node can do so alone.
    Closing,
    /// At once.
    Now,
}

#[derive(Debug)]
struct State {
    events: VecDeque<Event>,
    /// Bytes of frames that wait, by sender.
    bytes: BTreeMap<ValidatorId, usize>,
    /// Who waits for the outcome of copied blocks, in the order of the events.
    copying: VecDeque<oneshot::Sender<Outcome>>,
    has_work: bool,
    end: End,
}

/// What waits for the thread that orders.
#[derive(Debug)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
}

/// What the thread does next.
#[derive(Debug)]
pub(super) enum Turn {
    /// Takes up an event.
    Event(Event),
    /// The time that it waited for has come.
    Time,
    /// Orders what is left, then ends.
    Drain,
    /// Ends.
    End,
}

impl Default for Inbox {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                events: VecDeque::new(),
                bytes: BTreeMap::new(),
                copying: VecDeque::new(),
                has_work: false,
                end: End::Open,
            }),
            changed: Condvar::new(),
        }
    }
}

impl Inbox {
    fn state(&self) -> MutexGuard<'_, State> {
        // Queues and flags; nothing panics half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an event in. A frame of somebody of whom too much waits already is dropped; says whether it was taken.
    pub(crate) fn put(&self, event: Event) -> bool {
        let mut state = self.state();
        if let Event::Frame { from, frame } = &event {
            let waiting = state.bytes.entry(*from).or_default();
            let weight = weight(frame);
            if *waiting + weight > INBOX_BYTES_PER_VALIDATOR_MAX {
                return false;
            }
            *waiting += weight;
        }
        state.events.push_back(event);
        drop(state);
        self.changed.notify_one();
        true
    }

    /// The pool or the evidence that waits has changed.
    pub(crate) fn work(&self) {
        let mut state = self.state();
        let is_news = !std::mem::replace(&mut state.has_work, true);
        drop(state);
        if is_news {
            self.changed.notify_one();
        }
    }

    /// Hands a copied block over; what became of it, or nothing if the node stops before.
    pub(crate) async fn copied(&self, block: CopiedBlock) -> Option<Outcome> {
        let (outcome, until) = oneshot::channel();
        {
            let mut state = self.state();
            if state.end != End::Open {
                return None;
            }
            state.copying.push_back(outcome);
            state.events.push_back(Event::Copied(Box::new(block)));
        }
        self.changed.notify_one();
        until.await.ok()
    }

    /// Tells whoever copied the oldest block that waits what became of it.
    pub(super) fn answer(&self, outcome: Outcome) {
        let sender = self.state().copying.pop_front();
        if let Some(sender) = sender {
            // Whoever asked may have gone; the block counts all the same.
            let _ = sender.send(outcome);
        }
    }

    /// Nothing more comes in.
    pub(crate) fn close(&self) {
        self.end(End::Closing);
    }

    /// The thread ends now.
    pub(crate) fn kill(&self) {
        self.end(End::Now);
    }

    fn end(&self, end: End) {
        let mut state = self.state();
        state.end = state.end.max(end);
        if end == End::Now {
            // Whoever waits for a copied block hears that there will be no answer.
            state.copying.clear();
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Waits for what is to be done next; `within` is how long until the next timer.
    pub(super) fn next(&self, within: Option<Duration>) -> Turn {
        let mut state = self.state();
        loop {
            if state.end == End::Now {
                return Turn::End;
            }
            if let Some(event) = state.events.pop_front() {
                if let Event::Frame { from, frame } = &event
                    && let Some(waiting) = state.bytes.get_mut(from)
                {
                    *waiting = waiting.saturating_sub(weight(frame));
                }
                return Turn::Event(event);
            }
            if std::mem::take(&mut state.has_work) {
                return Turn::Event(Event::Work);
            }
            if state.end == End::Closing {
                return Turn::Drain;
            }
            match within {
                Some(within) if within.is_zero() => return Turn::Time,
                Some(within) => {
                    let waited = self.changed.wait_timeout(state, within);
                    let (woken, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
                    if outcome.timed_out() {
                        return Turn::Time;
                    }
                    state = woken;
                }
                None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// About how much memory a frame takes.
fn weight(frame: &Frame) -> usize {
    match frame {
        Frame::Consensus { .. } => 1024,
        Frame::Contents(contents) => 1024 + contents.entries.len() * 64 + contents.evidence.len() * 4096,
        Frame::WantContents(_) | Frame::Status(_) => 128,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(from: u8) -> Event {
        Event::Frame {
            from: ValidatorId([from; 32]),
            frame: Frame::Status(1),
        }
    }

    #[test]
    fn one_that_floods_fills_its_own_share_and_nobody_elses() {
        let inbox = Inbox::default();
        let taken = (0..1_000_000).take_while(|_| inbox.put(status(1))).count();
        assert_eq!(taken, INBOX_BYTES_PER_VALIDATOR_MAX / 128);
        assert!(inbox.put(status(2)));
        assert!(matches!(inbox.next(None), Turn::Event(Event::Frame { .. })));
        assert!(inbox.put(status(1)), "there is room again for what was taken out");
        assert!(!inbox.put(status(1)));
    }

    #[test]
    fn however_often_the_pool_changes_there_is_one_look_and_then_the_timer() {
        let inbox = Inbox::default();
        inbox.work();
        inbox.work();
        assert!(matches!(inbox.next(None), Turn::Event(Event::Work)));
        assert!(matches!(inbox.next(Some(Duration::ZERO)), Turn::Time));
        inbox.close();
        assert!(matches!(inbox.next(None), Turn::Drain));
        inbox.kill();
        assert!(matches!(inbox.next(None), Turn::End));
    }
}

//! Frames that wait for one validator, in the order in which they were sent.
//!
//! Agreement goes on when a third are silent, so nobody waits for a validator that reads slowly; and what it missed is
//! worth nothing a second later. So the queue is bounded, and whoever lets it overflow is let go as a whole: a gap that
//! nobody knows of would be worse.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use waxwing_net::wire::Opaque;

use super::limits::{QUEUE_BYTES_MAX, QUEUE_FRAMES_MAX};

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Opaque>,
    bytes: usize,
    is_over: bool,
}

/// The queue between whoever sends and the task that writes to one validator.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

/// Nothing more goes through this queue: too much waited, or another connection took its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Over;

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        // A deque and its sum; both change in lines that do not panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a frame behind the others. One too many ends the queue.
    pub(super) fn push(&self, frame: Opaque) {
        let mut state = self.state();
        if state.is_over {
            return;
        }
        state.bytes += frame.len();
        state.frames.push_back(frame);
        let is_too_much = state.frames.len() > QUEUE_FRAMES_MAX || state.bytes > QUEUE_BYTES_MAX;
        drop(state);
        if is_too_much {
            self.end();
        }
        self.changed.notify_one();
    }

    /// Ends the queue and forgets what waits.
    pub(super) fn end(&self) {
        let mut state = self.state();
        *state = State {
            is_over: true,
            ..State::default()
        };
        drop(state);
        self.changed.notify_one();
    }

    /// Waits until nothing more goes through this queue. Safe to cancel.
    pub(super) async fn over(&self) {
        while !self.state().is_over {
            self.changed.notified().await;
        }
    }

    /// Waits for the next frame. Safe to cancel.
    pub(super) async fn next(&self) -> Result<Opaque, Over> {
        loop {
            {
                let mut state = self.state();
                if state.is_over {
                    return Err(Over);
                }
                if let Some(frame) = state.frames.pop_front() {
                    state.bytes -= frame.len();
                    return Ok(frame);
                }
            }
            self.changed.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: usize) -> Opaque {
        vec![0; bytes].into()
    }

    #[tokio::test]
    async fn frames_come_out_as_they_went_in() {
        let queue = Queue::default();
        for bytes in 1..=3 {
            queue.push(frame(bytes));
        }
        for bytes in 1..=3 {
            assert_eq!(queue.next().await.unwrap().len(), bytes);
        }
        let (next, ()) = tokio::join!(queue.next(), async {
            tokio::task::yield_now().await;
            queue.push(frame(7));
        });
        assert_eq!(next.unwrap().len(), 7);
    }

    #[tokio::test]
    async fn who_lets_too_much_wait_is_let_go_and_nothing_is_kept() {
        let (many, large) = (Queue::default(), Queue::default());
        for _ in 0..QUEUE_FRAMES_MAX {
            many.push(frame(1));
        }
        assert!(many.next().await.is_ok(), "as many may wait");
        many.push(frame(1));
        many.push(frame(1));
        assert_eq!(many.next().await, Err(Over));
        large.push(frame(QUEUE_BYTES_MAX));
        assert!(large.next().await.is_ok());
        large.push(frame(QUEUE_BYTES_MAX));
        large.push(frame(1));
        assert_eq!(large.next().await, Err(Over));
        large.push(frame(1));
        assert_eq!((large.next().await, large.state().frames.len()), (Err(Over), 0));
    }
}

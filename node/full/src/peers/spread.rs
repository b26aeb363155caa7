//! Gossip: what was submitted here is passed on to every other validator, so that whoever proposes next has it.
//!
//! An envelope is passed on once by each validator that somebody who is none gave it to, and by nobody else: not by those
//! whom a validator told. So it crosses each link seldom more than once, and one dishonest validator cannot keep it from the
//! others by being the first to hear of it.
//!
//! Whoever has no room says so and is left alone for a while. What is left out meanwhile comes with the block that orders it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use waxwing_core::keys::{NodeId, ValidatorId};
use waxwing_net::quic::{Connection, RequestError};
use waxwing_net::wire::{List, Opaque, Request, Response, Room};
use waxwing_store::Tables;

use super::Links;
use super::limits::{
    SPREAD_BAN_MS, SPREAD_BATCH_BYTES, SPREAD_BATCH_ENVELOPES, SPREAD_BYTES_MAX, SPREAD_ENVELOPES_MAX, SPREAD_PAUSE_MS,
};
use crate::faults::LINK_BROKE;

/// Time for a validator to take envelopes in; it does so within milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest pause that a validator without room is given. After it what has gathered is offered again.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Pause after a refusal, which says nothing about the envelopes.
const REFUSED: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
struct State {
    envelopes: VecDeque<Opaque>,
    bytes: usize,
}

/// Envelopes on their way to one validator, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    state: Mutex<State>,
    changed: Notify,
}

impl Outgoing {
    fn state(&self) -> MutexGuard<'_, State> {
        // A deque and its sum; both change in lines that do not panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts envelopes behind the others; the oldest make room.
    fn push(&self, envelopes: &[Opaque]) {
        let mut state = self.state();
        for envelope in envelopes {
            state.bytes += envelope.len();
            state.envelopes.push_back(envelope.clone());
        }
        while state.bytes > SPREAD_BYTES_MAX || state.envelopes.len() > SPREAD_ENVELOPES_MAX {
            let Some(left_out) = state.envelopes.pop_front() else {
                break;
            };
            state.bytes -= left_out.len();
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Waits for envelopes, and takes as many as fit into one message.
    async fn batch(&self) -> Vec<Opaque> {
        loop {
            let batch = self.take();
            if !batch.is_empty() {
                return batch;
            }
            self.changed.notified().await;
        }
    }

    fn take(&self) -> Vec<Opaque> {
        let mut state = self.state();
        let (mut batch, mut bytes): (Vec<Opaque>, usize) = (Vec::new(), 0);
        while let Some(next) = state.envelopes.front() {
            bytes += next.len();
            if !batch.is_empty() && (bytes > SPREAD_BATCH_BYTES || batch.len() == SPREAD_BATCH_ENVELOPES) {
                break;
            }
            batch.extend(state.envelopes.pop_front());
        }
        state.bytes -= batch.iter().map(|envelope| envelope.len()).sum::<usize>();
        batch
    }
}

impl<T: Tables> Links<T> {
    /// Whether any other validator can be told something.
    pub(crate) fn reaches_anybody(&self) -> bool {
        !self.state().reached.is_empty()
    }

    /// Passes envelopes on to all validators that can be reached; `Envelope` each. Returns at once.
    pub(crate) fn spread(&self, envelopes: &[Opaque]) {
        if envelopes.is_empty() {
            return;
        }
        for reached in self.state().reached.values() {
            reached.outgoing.push(envelopes);
        }
    }

    /// The validator whose envelopes are to be looked at, when the node passes some on.
    pub(crate) fn may_spread(&self, node: &NodeId) -> Option<ValidatorId> {
        let validator = self.validator_at(node)?;
        let now = self.clock.steady_ms();
        let mut state = self.state();
        state.banned.retain(|_, until| *until > now);
        (!state.banned.contains_key(&validator)).then_some(validator)
    }

    /// A validator passed on what can never count, although it says that it has checked it: nothing more is taken from it
    /// for a while. The agreement with it goes on; that is proved word by word.
    pub(crate) fn ban(&self, validator: ValidatorId) {
        let until = self.clock.steady_ms() + SPREAD_BAN_MS;
        if self.state().banned.insert(validator, until).is_none() {
            tracing::warn!(code = LINK_BROKE, %validator, "another validator passed on envelopes that do not verify");
        }
    }
}

/// Carries envelopes to one validator, until it cannot be reached. One message at a time: they arrive in order.
pub(super) async fn carry<T: Tables>(links: &Links<T>, outgoing: &Outgoing, connection: &Connection) {
    loop {
        let batch = tokio::select! {
            batch = outgoing.batch() => batch,
            () = links.lifeline.stopped() => return,
        };
        let Some(envelopes) = List::new(batch) else { return };
        let pause = match connection.request(&Request::Spread { envelopes }, PATIENCE).await {
            Ok(Response::Spread(Room::Full { retry_after_ms })) => Duration::from_millis(retry_after_ms).min(PAUSE_MAX),
            Ok(_) => Duration::from_millis(SPREAD_PAUSE_MS),
            Err(RequestError::Refused(_)) => REFUSED,
            Err(_) => return,
        };
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(batch: &[Opaque]) -> Vec<usize> {
        batch.iter().map(|envelope| envelope.len()).collect()
    }

    fn sealed(bytes: usize) -> Opaque {
        vec![0; bytes].into()
    }

    #[test]
    fn envelopes_leave_in_order_and_in_messages_that_fit() {
        let outgoing = Outgoing::default();
        outgoing.push(&[sealed(400 << 10), sealed(400 << 10), sealed(300 << 10), sealed(1)]);
        assert_eq!(sizes(&outgoing.take()), [400 << 10, 400 << 10]);
        assert_eq!(sizes(&outgoing.take()), [300 << 10, 1]);
        assert_eq!(sizes(&outgoing.take()), [0; 0]);
        outgoing.push(&vec![sealed(3); SPREAD_BATCH_ENVELOPES + 1]);
        assert_eq!(outgoing.take().len(), SPREAD_BATCH_ENVELOPES);
        assert_eq!((outgoing.take().len(), outgoing.state().bytes), (1, 0));
        outgoing.push(&[sealed(SPREAD_BATCH_BYTES + 1)]);
        assert_eq!(
            outgoing.take().len(),
            1,
            "one that is larger than a message should be goes alone"
        );
    }

    #[test]
    fn the_oldest_are_left_out_when_a_validator_takes_nothing() {
        let outgoing = Outgoing::default();
        outgoing.push(&[sealed(5)]);
        outgoing.push(&vec![sealed(1); SPREAD_ENVELOPES_MAX]);
        let state = outgoing.state();
        assert_eq!(
            (state.envelopes.len(), state.bytes),
            (SPREAD_ENVELOPES_MAX, SPREAD_ENVELOPES_MAX)
        );
        drop(state);
        outgoing.push(&[sealed(SPREAD_BYTES_MAX)]);
        let state = outgoing.state();
        assert_eq!((state.envelopes.len(), state.bytes), (1, SPREAD_BYTES_MAX));
    }
}

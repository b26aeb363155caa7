//! A node that does not order passes envelopes on to one that does, and hands back what *that* node says: an
//! acknowledgement names who promised, and a node must not promise what is not in its hands.
//!
//! Each envelope is checked here first, so nobody can use a follower to throw rubbish at a validator.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rayon::prelude::*;
use waxwing_core::Hash;
use waxwing_net::quic::Connection;
use waxwing_net::wire::{Admission, EnvelopeRefusal, List, Opaque, Promise, Refusal, Request, Response};
use waxwing_store::{StoreError, Tables};

use crate::chain::Chain;
use crate::clock::Clock;
use crate::faults::{Fault, Lifeline, NO_VALIDATOR, Seldom};
use crate::intake::{AT_ONCE, Examined, examine};
use crate::sync::Upstreams;
use crate::workers::Workers;

/// Time for a validator to answer; it takes envelopes in within milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// When a sender should try again if nobody who orders can be reached.
const RETRY_MS: u64 = 2000;

/// What passes envelopes on.
pub(crate) struct Relay<T> {
    pub(crate) chain: Arc<Chain<T>>,
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) workers: Arc<Workers>,
    pub(crate) clock: Clock,
    pub(crate) lifeline: Lifeline,
    /// Stamps of envelopes that are being passed on. One that comes back went in a circle among followers.
    pub(crate) under_way: Mutex<HashSet<Hash>>,
    pub(crate) nobody: Seldom,
}

/// Envelopes that are under way for as long as this lives.
struct UnderWay<'a> {
    set: &'a Mutex<HashSet<Hash>>,
    stamps: Vec<Hash>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut set = lock(self.set);
        for stamp in &self.stamps {
            set.remove(stamp);
        }
    }
}

fn lock(set: &Mutex<HashSet<Hash>>) -> MutexGuard<'_, HashSet<Hash>> {
    // Single insertions and removals.
    set.lock().unwrap_or_else(PoisonError::into_inner)
}

const NOBODY: Admission = Admission::Refused(EnvelopeRefusal::NoValidator {
    retry_after_ms: RETRY_MS,
});

impl<T: Tables> Relay<T> {
    /// Passes a submission on; one answer per envelope, in order.
    ///
    /// # Errors
    /// If this node has a fault of its own.
    pub(super) async fn take(&self, envelopes: Vec<Opaque>, promise: Promise) -> Result<Vec<Admission>, Refusal> {
        let envelopes = Arc::new(envelopes);
        let examined = self.examine(Arc::clone(&envelopes)).await?;
        let mut admissions = vec![NOBODY; examined.len()];
        let (mut left, mut stamps) = (Vec::new(), Vec::new());
        for (place, (one, admission)) in examined.into_iter().zip(&mut admissions).enumerate() {
            match one {
                Examined::Fit(candidate) if lock(&self.under_way).insert(candidate.stamp) => {
                    left.push(place);
                    stamps.push(candidate.stamp);
                }
                // Under way already, in a circle or because its sender is impatient.
                Examined::Fit(_) | Examined::Waits(_) => {}
                Examined::Final { index, height } => *admission = Admission::Final { index, height },
                Examined::Refused(refusal) => *admission = Admission::Refused(refusal),
            }
        }
        let _under_way = UnderWay {
            set: &self.under_way,
            stamps,
        };
        for connection in self.upstreams.connections() {
            if left.is_empty() {
                break;
            }
            left = pass_on(&connection, &envelopes, left, promise, &mut admissions).await;
        }
        if !left.is_empty() && self.nobody.is_due(self.clock.steady_ms()) {
            tracing::warn!(
                code = NO_VALIDATOR,
                envelopes = left.len(),
                "no node that orders could be reached"
            );
        }
        Ok(admissions)
    }

    async fn examine(&self, envelopes: Arc<Vec<Opaque>>) -> Result<Vec<Examined>, Refusal> {
        let (chain, now) = (Arc::clone(&self.chain), self.clock.now_ms());
        let job = move || -> Result<Vec<Examined>, StoreError> {
            let examined = envelopes.par_iter().with_min_len(AT_ONCE);
            examined.map(|bytes| examine(&chain, None, bytes, now)).collect()
        };
        match self.workers.run(job).await {
            Some(Ok(examined)) => Ok(examined),
            Some(Err(error)) => {
                self.lifeline.fail(Fault::Store(error));
                Err(Refusal::Broken)
            }
            None => Err(Refusal::Broken),
        }
    }
}

/// Passes envelopes on to one node; returns the places of those that it could not take for want of a validator.
async fn pass_on(
    connection: &Connection,
    envelopes: &[Opaque],
    places: Vec<usize>,
    promise: Promise,
    admissions: &mut [Admission],
) -> Vec<usize> {
    let chosen: Vec<Opaque> = places
        .iter()
        .filter_map(|place| envelopes.get(*place).cloned())
        .collect();
    let Some(chosen) = List::new(chosen) else { return places };
    let request = Request::Submit {
        envelopes: chosen,
        promise,
    };
    let Ok(Response::Submit(answers)) = connection.request(&request, PATIENCE).await else {
        return places;
    };
    if answers.len() != places.len() {
        return places;
    }
    let mut left = Vec::new();
    for (place, answer) in places.into_iter().zip(answers) {
        if matches!(answer, Admission::Refused(EnvelopeRefusal::NoValidator { .. })) {
            left.push(place);
        }
        if let Some(admission) = admissions.get_mut(place) {
            *admission = answer;
        }
    }
    left
}

impl<T> std::fmt::Debug for Relay<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Relay")
    }
}

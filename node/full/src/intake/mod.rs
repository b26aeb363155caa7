//! Intake: from bytes that anybody may have sent to envelopes that wait for a block.
//!
//! ```text
//! bytes ── decode ── anchor ── stamp ── duplicate ── body ── signature ──> waits in the pool (or is passed on)
//!           cheapest first: whoever sends rubbish pays more for sending it than the node for refusing it
//! ```
//!
//! A submission is one job on a pool of threads, one per core; within it the envelopes are spread over the threads, so a
//! single large submission uses all cores and many small ones do not wait for each other. Each envelope is verified once:
//! from then on its type says so.

mod examine;

use std::sync::Arc;

use rayon::prelude::*;
use waxwing_core::Hash;
use waxwing_core::codec::Encode;
use waxwing_core::genesis::FirstOfLog;
use waxwing_core::keys::NodeKey;
use waxwing_core::receipt::Acknowledgement;
use waxwing_net::wire::{Admission, EnvelopeRefusal, Opaque, Promise, Refusal};
use waxwing_store::Tables;

pub(crate) use examine::{Examined, examine};

use crate::chain::Chain;
use crate::clock::Clock;
use crate::faults::{Fault, Lifeline, POOL_FULL, Seldom};
use crate::meter::{Meter, Outcome};
use crate::pool::{Admitted, Candidate, NotAdmitted, Waiting};
use crate::workers::Workers;

/// Envelopes that one thread takes at once: enough to be worth waking another one.
pub(crate) const AT_ONCE: usize = 8;

/// What takes envelopes in on a validator.
pub(crate) struct Intake<T> {
    pub(crate) chain: Arc<Chain<T>>,
    pub(crate) waiting: Arc<Waiting>,
    pub(crate) workers: Arc<Workers>,
    pub(crate) key: NodeKey,
    pub(crate) clock: Clock,
    pub(crate) lifeline: Lifeline,
    pub(crate) meter: Arc<Meter>,
    pub(crate) full: Seldom,
}

impl<T: Tables> Intake<T> {
    /// Takes a submission; one answer per envelope, in order.
    ///
    /// # Errors
    /// If the node has a fault of its own.
    pub(crate) async fn take(
        self: &Arc<Self>,
        envelopes: Vec<Opaque>,
        promise: Promise,
    ) -> Result<Vec<Admission>, Refusal> {
        let intake = Arc::clone(self);
        let taken = self.workers.run(move || intake.take_now(&envelopes, promise)).await;
        taken.unwrap_or(Err(Refusal::Broken))
    }

    fn take_now(&self, envelopes: &[Opaque], promise: Promise) -> Result<Vec<Admission>, Refusal> {
        let now = self.clock.now_ms();
        let examined: Vec<Examined> = envelopes
            .par_iter()
            .with_min_len(AT_ONCE)
            .map(|bytes| examine(&self.chain, Some(&self.waiting), bytes, now))
            .collect::<Result<_, _>>()
            .map_err(|error| {
                self.lifeline.fail(Fault::Store(error));
                Refusal::Broken
            })?;
        let verdicts = self.admit(examined);
        self.count(&verdicts);
        let sign = |verdict: Verdict| self.answer(verdict, promise, now);
        Ok(verdicts.into_par_iter().with_min_len(AT_ONCE).map(sign).collect())
    }

    /// Puts what may wait into the pool.
    fn admit(&self, examined: Vec<Examined>) -> Vec<Verdict> {
        let fit: Vec<Candidate> = examined.iter().filter_map(Examined::candidate).cloned().collect();
        let mut outcomes = self.waiting.admit(fit).into_iter();
        let verdicts = examined.into_iter().map(|one| match one {
            Examined::Fit(candidate) => {
                let entry = candidate.carried.id();
                let outcome = outcomes.next().unwrap_or(Err(NotAdmitted::Full));
                self.judge(*candidate, entry, outcome)
            }
            Examined::Waits(entry) => Verdict::Waits(entry),
            Examined::Final { index, height } => Verdict::Final { index, height },
            Examined::Refused(refusal) => Verdict::Refused(refusal),
        });
        verdicts.collect()
    }

    fn judge(&self, mut candidate: Candidate, entry: Hash, outcome: Result<Admitted, NotAdmitted>) -> Verdict {
        match outcome {
            Ok(Admitted::New) => Verdict::Taken(entry),
            Ok(Admitted::Before) => Verdict::Waits(self.waiting.entry_of(&candidate.stamp).unwrap_or(entry)),
            // The log's first entry may have been ordered between the two looks, at the ledger and at the pool.
            Err(NotAdmitted::WeakStamp { .. }) if self.chain.has_log(&candidate.carried.signed.header.log) => {
                candidate.first = FirstOfLog::No;
                match self.waiting.admit(vec![candidate]).pop() {
                    Some(Ok(_)) => Verdict::Taken(entry),
                    _ => self.full(),
                }
            }
            Err(NotAdmitted::WeakStamp { required }) => Verdict::Refused(EnvelopeRefusal::WeakStamp { required }),
            Err(NotAdmitted::LogFull) => Verdict::Refused(EnvelopeRefusal::LogFull {
                retry_after_ms: self.waiting.retry_after_ms(),
            }),
            Err(NotAdmitted::Full) => self.full(),
        }
    }

    fn full(&self) -> Verdict {
        Verdict::Refused(EnvelopeRefusal::PoolFull {
            retry_after_ms: self.waiting.retry_after_ms(),
        })
    }

    fn answer(&self, verdict: Verdict, promise: Promise, now: u64) -> Admission {
        let sign = |entry| {
            let network = self.chain.store().keys().network();
            Opaque::from(Acknowledgement::sign(&self.key, network, entry, now).to_bytes())
        };
        match (verdict, promise) {
            (Verdict::Taken(entry), Promise::Signed) => Admission::Acknowledged(sign(entry)),
            (Verdict::Waits(entry), Promise::Signed) => Admission::Waiting(sign(entry)),
            (Verdict::Taken(_) | Verdict::Waits(_), Promise::Word) => Admission::Taken,
            (Verdict::Final { index, height }, _) => Admission::Final { index, height },
            (Verdict::Refused(refusal), _) => Admission::Refused(refusal),
        }
    }

    fn count(&self, verdicts: &[Verdict]) {
        let count = |wanted: Outcome| {
            let count = verdicts.iter().filter(|verdict| verdict.outcome() == wanted).count();
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            if count > 0 {
                self.meter.envelope(wanted, count);
            }
            count
        };
        for outcome in [Outcome::Taken, Outcome::Waiting, Outcome::Final, Outcome::Refused] {
            count(outcome);
        }
        let full = count(Outcome::Full);
        if full > 0 && self.full.is_due(self.clock.steady_ms()) {
            tracing::warn!(
                code = POOL_FULL,
                envelopes = full,
                "the pool is full; senders are told to wait"
            );
        }
    }
}

/// What becomes of an envelope, before it is put into words for its sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Taken(Hash),
    Waits(Hash),
    Final { index: u64, height: u64 },
    Refused(EnvelopeRefusal),
}

impl Verdict {
    const fn outcome(&self) -> Outcome {
        match self {
            Self::Taken(_) => Outcome::Taken,
            Self::Waits(_) => Outcome::Waiting,
            Self::Final { .. } => Outcome::Final,
            Self::Refused(EnvelopeRefusal::PoolFull { .. } | EnvelopeRefusal::LogFull { .. }) => Outcome::Full,
            Self::Refused(_) => Outcome::Refused,
        }
    }
}

impl<T> std::fmt::Debug for Intake<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Intake")
    }
}

//! Intake: from bytes that anybody may have sent to envelopes that wait for a block.
//!
//! ```text
//! bytes ── decode ── anchor ── stamp ── duplicate ── room ── body ── signature ──> waits in the pool (or is passed on)
//!           cheapest first: whoever sends rubbish pays more for sending it than the node for refusing it
//! ```
//!
//! A submission is one job on a pool of threads, one per core; within it the envelopes are spread over the threads, so a
//! single large submission uses all cores and many small ones do not wait for each other. Each envelope is verified once,
//! also if it comes from its sender and from another validator at once: from then on its type says so. What somebody who is
//! no validator brings is passed on to the other validators, once.

mod claims;
mod examine;

use std::collections::HashSet;
use std::sync::Arc;

use rayon::prelude::*;
use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Encode, Reader};
use waxwing_core::envelope::{Carried, EnvelopeHeader};
use waxwing_core::genesis::FirstOfLog;
use waxwing_core::keys::NodeKey;
use waxwing_core::receipt::Acknowledgement;
use waxwing_net::wire::{Admission, EnvelopeRefusal, Opaque, Promise, Refusal, Room};
use waxwing_store::Tables;

use claims::Claim;
pub(crate) use claims::Claims;
use examine::{Elsewhere, Looked, examine_once};
pub(crate) use examine::{Examined, examine};

use crate::chain::Chain;
use crate::clock::Clock;
use crate::faults::{Fault, Lifeline, POOL_FULL, Seldom};
use crate::meter::{Meter, Outcome};
use crate::peers::Links;
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
    /// What is being checked at this moment.
    pub(crate) claims: Arc<Claims>,
    /// The other validators.
    pub(crate) links: Arc<Links<T>>,
}

/// What became of what another validator passed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Spread {
    /// How much room there was.
    pub(crate) room: Room,
    /// Something in it can never count, whoever looks at it and when.
    pub(crate) is_nonsense: bool,
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
        let now = self.clock.now_ms();
        let mut admissions = vec![Admission::Taken; envelopes.len()];
        let mut left: Vec<(usize, Opaque)> = envelopes.into_iter().enumerate().collect();
        while !left.is_empty() {
            let (intake, bytes) = (Arc::clone(self), left.iter().map(|(_, bytes)| bytes.clone()).collect());
            let taken = self.workers.run(move || intake.take_now(bytes, promise, now)).await;
            let (mut elsewhere, mut later) = (Vec::new(), Vec::new());
            for ((place, bytes), outcome) in left.into_iter().zip(taken.unwrap_or(Err(Refusal::Broken))?) {
                match (outcome, admissions.get_mut(place)) {
                    (Ok(answer), Some(admission)) => *admission = answer,
                    (Err(stamp), _) => {
                        elsewhere.push(stamp);
                        later.push((place, bytes));
                    }
                    (Ok(_), None) => {}
                }
            }
            // Nothing is claimed by this submission any more, so whoever it waits for does not wait for it.
            self.claims.free(&elsewhere).await;
            left = later;
        }
        Ok(admissions)
    }

    /// Takes what another validator passed on. It is not passed on any further, and promised to nobody.
    ///
    /// # Errors
    /// If the node has a fault of its own.
    pub(crate) async fn take_spread(self: &Arc<Self>, envelopes: Vec<Opaque>) -> Result<Spread, Refusal> {
        let (intake, now) = (Arc::clone(self), self.clock.now_ms());
        let taken = self.workers.run(move || intake.judge_all(&envelopes, now)).await;
        // What another thread is checking is looked after there.
        let verdicts: Vec<Verdict> = taken.unwrap_or(Err(Refusal::Broken))?.into_iter().flatten().collect();
        self.count(&verdicts);
        let is_full = verdicts.iter().any(|verdict| verdict.outcome() == Outcome::Full);
        Ok(Spread {
            room: if is_full {
                Room::Full {
                    retry_after_ms: self.waiting.retry_after_ms(),
                }
            } else {
                Room::Enough
            },
            is_nonsense: verdicts.iter().any(Verdict::is_nonsense),
        })
    }

    fn take_now(
        &self,
        envelopes: Vec<Opaque>,
        promise: Promise,
        now: u64,
    ) -> Result<Vec<Result<Admission, Hash>>, Refusal> {
        let verdicts = self.judge_all(&envelopes, now)?;
        self.count(&verdicts.iter().flatten().copied().collect::<Vec<_>>());
        self.pass_on(&envelopes, &verdicts);
        let sign = |verdict: Result<Verdict, Hash>| verdict.map(|verdict| self.answer(verdict, promise, now));
        Ok(verdicts.into_par_iter().with_min_len(AT_ONCE).map(sign).collect())
    }

    /// Examines envelopes and puts what may wait into the pool. `Err` is the stamp of one that is left for later.
    fn judge_all(&self, envelopes: &[Opaque], now: u64) -> Result<Vec<Result<Verdict, Hash>>, Refusal> {
        let examine = |bytes: &Opaque| examine_once(&self.chain, &self.waiting, &self.claims, bytes, now);
        let examined = envelopes.par_iter().with_min_len(AT_ONCE).map(examine);
        let examined = examined.collect::<Result<Vec<_>, _>>().map_err(|error| {
            self.lifeline.fail(Fault::Store(error));
            Refusal::Broken
        })?;
        Ok(self.admit(in_order(examined)))
    }

    /// Tells the other validators what was brought here. What one of them brought before is passed on as well, if its sender
    /// comes here too: perhaps that one told nobody else.
    fn pass_on(&self, envelopes: &[Opaque], verdicts: &[Result<Verdict, Hash>]) {
        if !self.links.reaches_anybody() {
            return;
        }
        let stamp = |bytes: &Opaque| {
            let header = EnvelopeHeader::decode(&mut Reader::new(bytes)).ok()?;
            Some(header.stamp(self.chain.store().keys()))
        };
        let waiting = |verdict: &Result<Verdict, Hash>| matches!(verdict, Ok(Verdict::Taken(_) | Verdict::Waits(_)));
        let brought = envelopes.iter().zip(verdicts).filter(|(_, verdict)| waiting(verdict));
        let stamps: Vec<Hash> = brought.filter_map(|(bytes, _)| stamp(bytes)).collect();
        // From the pool, where everything is verified: the same stamp may have been brought with another body.
        let envelopes = self.waiting.pass_on(&stamps);
        let bytes: Vec<Opaque> = envelopes.iter().filter_map(|entry| as_submitted(entry)).collect();
        self.links.spread(&bytes);
    }

    /// Puts what may wait into the pool. The claims end when it is there.
    fn admit(&self, examined: Vec<Looked<Claim, Elsewhere>>) -> Vec<Result<Verdict, Hash>> {
        let candidate = |one: &Looked<Claim, Elsewhere>| one.as_ref().ok()?.0.candidate().cloned();
        let fit: Vec<Candidate> = examined.iter().filter_map(candidate).collect();
        self.meter.verified.inc_by(u64::try_from(fit.len()).unwrap_or(u64::MAX));
        let mut outcomes = self.waiting.admit(fit).into_iter();
        let verdicts = examined.into_iter().map(|one| {
            let (examined, _claim) = one.map_err(|elsewhere| elsewhere.stamp)?;
            Ok(match examined {
                Examined::Fit(candidate) => {
                    let entry = candidate.carried.id();
                    let outcome = outcomes.next().unwrap_or(Err(NotAdmitted::Full));
                    self.judge(*candidate, entry, outcome)
                }
                Examined::Waits(entry) => Verdict::Waits(entry),
                Examined::Final { index, height } => Verdict::Final { index, height },
                Examined::Refused(refusal) => Verdict::Refused(refusal),
            })
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

impl Verdict {
    /// Whether no honest validator would have passed this on: it is wrong in itself, and not only at this moment.
    const fn is_nonsense(&self) -> bool {
        matches!(
            self,
            Self::Refused(
                EnvelopeRefusal::Malformed
                    | EnvelopeRefusal::TooLarge
                    | EnvelopeRefusal::WrongBody
                    | EnvelopeRefusal::BadSignature
            )
        )
    }
}

/// Behind an envelope that is left for later, those of the same log are left for later too: nothing may overtake.
fn in_order(examined: Vec<Looked<Claim, Elsewhere>>) -> Vec<Looked<Claim, Elsewhere>> {
    let mut held_up = HashSet::new();
    let held = examined.into_iter().map(|one| match one {
        Err(elsewhere) => {
            held_up.insert(elsewhere.log);
            Err(elsewhere)
        }
        Ok((Examined::Fit(candidate), _)) if held_up.contains(&candidate.carried.signed.header.log) => Err(Elsewhere {
            stamp: candidate.stamp,
            log: candidate.carried.signed.header.log,
        }),
        looked => looked,
    });
    held.collect()
}

/// A waiting entry in the form in which it was submitted.
fn as_submitted(entry: &Carried) -> Option<Opaque> {
    let mut bytes = entry.signed.to_bytes();
    bytes.extend_from_slice(entry.body.present()?);
    Some(bytes.into())
}

impl<T> std::fmt::Debug for Intake<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Intake")
    }
}

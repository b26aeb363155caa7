//! Envelopes made in advance: distinct, stamped, signed, ready to be sent.
//!
//! Clients must not be what is measured. So everything that costs a client is done before the clock starts, on all
//! cores, and the envelopes lie in memory in batches, each one piece of memory of which a request borrows its parts.

use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use waxwing_core::codec::Encode;
use waxwing_core::envelope::{Anchor, Envelope, EnvelopeHeader, ErasureSecret, KeepFor};
use waxwing_core::genesis::{FirstOfLog, Genesis, Parameters};
use waxwing_core::keys::{LogId, LogKey};
use waxwing_core::limits::SIGNED_HEADER_BYTES;
use waxwing_core::{Hash, HashKeys, Meaning};

use crate::proofs::BODY_BYTES;

/// Envelopes in a batch, which is what one request holds: large enough that the request itself costs little, small
/// enough that a node sees several clients at once.
pub(crate) const BATCH: u64 = 128;

/// Who writes, and where.
#[derive(Clone)]
pub(crate) struct Writers {
    keys: HashKeys,
    parameters: Parameters,
    anchor: Anchor,
    logs: Arc<[LogKey]>,
    /// What tells these writers' bodies and logs from those of others in the same network.
    share: u64,
}

/// Envelopes one behind the other, all of the same length.
#[derive(Clone)]
pub(crate) struct Batch(Bytes);

impl Batch {
    /// As many bytes as a full batch has, without a meaning.
    pub(crate) fn blank() -> Self {
        let each = u32::try_from(SIGNED_HEADER_BYTES).unwrap_or_default() + BODY_BYTES;
        let bytes = usize::try_from(BATCH * u64::from(each)).unwrap_or_default();
        Self(vec![0; bytes].into())
    }

    /// The encoded envelopes, borrowed.
    pub(crate) fn envelopes(&self) -> impl Iterator<Item = Bytes> {
        let each = SIGNED_HEADER_BYTES + usize::try_from(BODY_BYTES).unwrap_or(usize::MAX);
        (0..self.0.len())
            .step_by(each)
            .map(move |start| self.0.slice(start..start + each))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.envelopes().count()
    }
}

impl Writers {
    /// So many new logs in a network that was founded just now: block 0 stays an anchor for a day.
    pub(crate) fn new(genesis: &Genesis, logs: u64) -> anyhow::Result<Self> {
        Self::share(genesis, 0, logs)
    }

    /// The same for one of several processes: no two shares have a log or a body in common.
    pub(crate) fn share(genesis: &Genesis, share: u32, logs: u64) -> anyhow::Result<Self> {
        let (keys, share) = (genesis.keys(), u64::from(share) << 32);
        let log = |number: u64| LogKey::from_seed(&keys.hash(Meaning::MapKey, &(share + number).to_be_bytes()).0);
        let logs = on_all_cores(logs, log)?;
        Ok(Self {
            share,
            ..Self::of(genesis, logs)
        })
    }

    /// These logs, in a network that was founded less than a day ago.
    pub(crate) fn of(genesis: &Genesis, logs: Vec<LogKey>) -> Self {
        let keys = genesis.keys();
        let anchor = Anchor {
            height: 0,
            id: genesis.block().id(&keys),
        };
        Self {
            keys,
            parameters: genesis.parameters,
            anchor,
            logs: logs.into(),
            share: 0,
        }
    }

    /// The first of the logs.
    pub(crate) fn log(&self) -> anyhow::Result<LogId> {
        let first = self.logs.first().context("there are no logs")?;
        Ok(first.public())
    }

    /// The first entry of every log.
    pub(crate) fn open_logs(&self) -> anyhow::Result<Vec<Batch>> {
        let count = u64::try_from(self.logs.len())?;
        self.batches(count.div_ceil(BATCH), count, FirstOfLog::Yes, 0)
    }

    /// Later entries, spread over the logs as by chance.
    pub(crate) fn write(&self, count: u64) -> anyhow::Result<Vec<Batch>> {
        self.batches(
            count.div_ceil(BATCH),
            count,
            FirstOfLog::No,
            u64::try_from(self.logs.len())?,
        )
    }

    fn batches(&self, batches: u64, count: u64, first: FirstOfLog, offset: u64) -> anyhow::Result<Vec<Batch>> {
        on_all_cores(batches, |batch| {
            let mut bytes = Vec::new();
            for number in batch * BATCH..count.min((batch + 1) * BATCH) {
                self.envelope(offset + number, first).encode(&mut bytes);
            }
            Batch(bytes.into())
        })
    }

    fn envelope(&self, number: u64, first: FirstOfLog) -> Envelope {
        let seed = self.keys.hash(Meaning::Body, &(self.share + number).to_be_bytes());
        let mut body = vec![0; usize::try_from(BODY_BYTES).unwrap_or_default()];
        blake3::Hasher::new_keyed(&seed.0).finalize_xof().fill(&mut body);
        let log = self.log_of(number, &seed, first);
        let mut header = EnvelopeHeader {
            body_length: BODY_BYTES,
            log: log.public(),
            anchor: self.anchor,
            body_hash: self.keys.hash(Meaning::Body, &body),
            erasure: ErasureSecret(seed.0).commitment(&self.keys),
            keep_for: KeepFor::Ever,
            nonce: 0,
        };
        header.grind(&self.keys, self.parameters.required_bits(BODY_BYTES, first));
        let signed = header.sign(&self.keys, log);
        Envelope { signed, body }
    }

    fn log_of(&self, number: u64, seed: &Hash, first: FirstOfLog) -> &LogKey {
        let place = match first {
            FirstOfLog::Yes => number,
            FirstOfLog::No => seed.0.iter().take(7).fold(0, |sum, byte| (sum << 8) | u64::from(*byte)),
        };
        let logs = u64::try_from(self.logs.len()).unwrap_or(u64::MAX).max(1);
        let log = usize::try_from(place % logs)
            .ok()
            .and_then(|place| self.logs.get(place));
        log.expect("the place is below the number of logs, of which there is at least one")
    }
}

/// `make(0)`, `make(1)`, ... in order, made by as many threads as there are cores.
pub(crate) fn on_all_cores<T: Send>(count: u64, make: impl Fn(u64) -> T + Sync) -> anyhow::Result<Vec<T>> {
    let threads = u64::try_from(std::thread::available_parallelism()?.get())?;
    let share = count.div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let make = &make;
        let workers: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || (thread * share..count.min((thread + 1) * share)).map(make).collect()))
            .collect();
        let mut made = Vec::new();
        for worker in workers {
            let part: Vec<T> = worker.join().map_err(|_| anyhow::anyhow!("a thread died"))?;
            made.extend(part);
        }
        Ok(made)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use waxwing_core::codec::Decode;
    use waxwing_core::keys::VoteKey;

    #[test]
    fn what_is_made_in_advance_is_distinct_and_would_be_taken() {
        let validator = VoteKey::from_seed(&[1; 32]).public();
        let parameters = Parameters {
            stamp_bits: 2,
            new_log_bits: 2,
        };
        let genesis = Genesis::new("test", 1_000, parameters, vec![validator]).unwrap();
        let writers = Writers::new(&genesis, 5).unwrap();
        let (opening, more) = (writers.open_logs().unwrap(), writers.write(300).unwrap());
        assert_eq!((opening.len(), more.len()), (1, 3));
        let (mut stamps, mut logs) = (HashSet::new(), HashSet::new());
        for bytes in opening.iter().chain(&more).flat_map(Batch::envelopes) {
            let envelope = Envelope::from_bytes(&bytes).unwrap();
            stamps.insert(envelope.signed.header.stamp(&genesis.keys()));
            logs.insert(envelope.signed.header.log);
            assert!(envelope.verify(&genesis.keys(), parameters.stamp_bits).is_ok());
        }
        assert_eq!((stamps.len(), logs.len()), (305, 5));
        for bytes in opening.iter().flat_map(Batch::envelopes) {
            let header = Envelope::from_bytes(&bytes).unwrap().signed.header;
            assert!(
                header.stamp(&genesis.keys()).leading_zero_bits() >= 4,
                "a log's first entry needs more"
            );
        }
    }

    #[test]
    fn shares_have_nothing_in_common() {
        let validator = VoteKey::from_seed(&[1; 32]).public();
        let parameters = Parameters {
            stamp_bits: 2,
            new_log_bits: 2,
        };
        let genesis = Genesis::new("test", 1_000, parameters, vec![validator]).unwrap();
        let (mut bodies, mut logs) = (HashSet::new(), HashSet::new());
        for share in 0..3 {
            let writers = Writers::share(&genesis, share, 4).unwrap();
            for bytes in writers.write(6).unwrap().iter().flat_map(Batch::envelopes) {
                bodies.insert(Envelope::from_bytes(&bytes).unwrap().body);
            }
            for bytes in writers.open_logs().unwrap().iter().flat_map(Batch::envelopes) {
                logs.insert(Envelope::from_bytes(&bytes).unwrap().signed.header.log);
            }
        }
        assert_eq!((bodies.len(), logs.len()), (18, 12));
    }

    #[test]
    fn work_on_all_cores_comes_back_in_order() {
        for count in [0, 1, 2, 3, 100] {
            assert_eq!(
                on_all_cores(count, |number| number).unwrap(),
                (0..count).collect::<Vec<_>>()
            );
        }
    }
}

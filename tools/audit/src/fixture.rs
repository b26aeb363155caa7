//! Generated histories: for tests of whatever reads one, and for benchmarks.
//!
//! A [`Founder`] has all the keys of a small network: it seals envelopes, orders them by the ledger's own rules and
//! certifies the blocks. The same calls give the same bytes.

use core::ops::Range;
use std::sync::Arc;

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use waxwing_core::block::CertifiedBlock;
use waxwing_core::certificate::{Certificate, Head};
use waxwing_core::envelope::{Body, Carried, EnvelopeHeader, ErasureSecret, KeepFor};
use waxwing_core::evidence::Evidence;
use waxwing_core::genesis::{FirstOfLog, Genesis, Parameters};
use waxwing_core::keys::{LogKey, VoteKey};
use waxwing_core::ledger::{Ledger, Step};
use waxwing_core::limits::{BLOCK_BYTES_MAX, LOG_ENTRIES_PER_BLOCK_MAX, NEW_LOGS_PER_BLOCK_MAX, SIGNED_HEADER_BYTES};
use waxwing_core::{Meaning, Verified};

use crate::state::State;

/// When generated networks are founded, ms since 1970.
pub const FOUNDED: u64 = 1_790_000_000_000;

/// Stamps that cost nothing, so that a million of them can be made.
pub const CHEAP: Parameters = Parameters {
    stamp_bits: 1,
    new_log_bits: 1,
};

/// Somebody with all keys of a network.
#[derive(Debug)]
pub struct Founder {
    genesis: Genesis,
    ledger: Ledger,
    state: State,
    voters: Vec<VoteKey>,
}

/// What goes into an envelope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// Who writes; each writer has a log.
    pub writer: u64,
    /// The sealed body.
    pub body: Vec<u8>,
    /// How long to keep it.
    pub keep_for: KeepFor,
}

impl Note {
    /// A note to be kept for ever.
    #[must_use]
    pub fn new(writer: u64, body: &[u8]) -> Self {
        Self {
            writer,
            body: body.to_vec(),
            keep_for: KeepFor::Ever,
        }
    }

    /// The same, to be kept for so long.
    #[must_use]
    pub fn keep(self, keep_for: KeepFor) -> Self {
        Self { keep_for, ..self }
    }
}

impl Founder {
    /// Founds a network of so many validators.
    ///
    /// # Panics
    /// If there cannot be such a network.
    #[must_use]
    pub fn new(name: &str, validators: u8, parameters: Parameters) -> Self {
        let voters: Vec<VoteKey> = (1..=validators).map(|seed| VoteKey::from_seed(&[seed; 32])).collect();
        let members = voters.iter().map(VoteKey::public).collect();
        let genesis =
            Genesis::new(name, FOUNDED, parameters, members).expect("the name is printable, the stamps are low");
        Self {
            ledger: Ledger::new(&genesis),
            state: State::default(),
            genesis,
            voters,
        }
    }

    /// The founding facts.
    #[must_use]
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The ledger as it is now.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What the rules read.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The validators' keys.
    #[must_use]
    pub fn voters(&self) -> &[VoteKey] {
        &self.voters
    }

    /// A writer's key.
    #[must_use]
    pub fn log_key(writer: u64) -> LogKey {
        LogKey::from_seed(&blake3::derive_key("waxwing fixture writer", &writer.to_be_bytes()))
    }

    /// The secret that erases a body.
    #[must_use]
    pub fn secret(note: &Note) -> ErasureSecret {
        let seed = [&note.writer.to_be_bytes()[..], &note.body].concat();
        ErasureSecret(blake3::derive_key("waxwing fixture secret", &seed))
    }

    /// Seals a note for the next block: stamped as the first of its log unless the log has entries.
    ///
    /// # Panics
    /// If the body is larger than a body can be.
    #[must_use]
    pub fn seal(&self, note: &Note) -> Carried {
        let (keys, key) = (self.ledger.keys(), Self::log_key(note.writer));
        let body_length = u32::try_from(note.body.len()).expect("a body is below 4 GiB");
        let first = if self.state.length(&key.public()) == 0 {
            FirstOfLog::Yes
        } else {
            FirstOfLog::No
        };
        let anchor = self
            .ledger
            .anchors()
            .newest()
            .expect("block 0 is an anchor, and the newest one stays");
        let mut header = EnvelopeHeader {
            body_length,
            log: key.public(),
            anchor,
            body_hash: keys.hash(Meaning::Body, &note.body),
            erasure: Self::secret(note).commitment(keys),
            keep_for: note.keep_for,
            nonce: 0,
        };
        header.grind(keys, self.ledger.parameters().required_bits(body_length, first));
        Carried {
            signed: header.sign(keys, &key),
            body: Body::Present(note.body.clone()),
        }
    }

    /// Orders notes in the next block, so many ms after the last one.
    ///
    /// # Panics
    /// If the rules refuse one: then the test that made it is wrong.
    pub fn order(&self, after: u64, notes: &[Note]) -> (Step, Certificate) {
        let envelopes = notes.into_par_iter().map(|note| self.seal(note)).collect();
        self.order_carried(after, envelopes, Vec::new())
    }

    /// Orders envelopes, and evidence, in the next block.
    ///
    /// # Panics
    /// If the rules refuse one.
    pub fn order_carried(&self, after: u64, envelopes: Vec<Carried>, evidence: Vec<Evidence>) -> (Step, Certificate) {
        let (keys, bits) = (self.ledger.keys(), self.genesis.parameters.stamp_bits);
        let verify = |carried: Carried| carried.verify(keys, bits).expect("the fixture seals as the rules ask");
        let verified: Vec<Verified<Carried>> = envelopes.into_par_iter().map(verify).collect();
        let time = self.ledger.head().time + after;
        let mut draft = self.ledger.draft(&self.state, time);
        for entry in verified {
            let Ok(added) = draft.add(Arc::new(entry));
            added.expect("the fixture orders what the rules allow");
        }
        let proposer = self.voters.first().expect("a network has a validator").public();
        let step = draft.finish(proposer, evidence);
        let certificate = self.certify(&step);
        (step, certificate)
    }

    /// The certificate that all validators give.
    #[must_use]
    pub fn certify(&self, step: &Step) -> Certificate {
        let voters: Vec<&VoteKey> = self.voters.iter().collect();
        Certificate::sign(&self.genesis.committee(), 0, &step.header, step.id, &voters)
    }

    /// Makes an ordered block true.
    pub fn advance(&mut self, mut step: Step) {
        self.state.apply(&mut step);
        self.ledger.advance(step);
    }

    /// Orders notes and makes the block true.
    ///
    /// # Panics
    /// As [`Founder::order`].
    pub fn block(&mut self, after: u64, notes: &[Note]) -> CertifiedBlock {
        let (step, certificate) = self.order(after, notes);
        let block = certified(&step, certificate);
        self.advance(step);
        block
    }
}

/// A large history, block by block: so many entries of this many body bytes, spread evenly over so many logs.
#[derive(Debug)]
pub struct Large {
    founder: Founder,
    entries: Range<u64>,
    logs: u64,
    body_bytes: usize,
    per_block: u64,
}

impl Large {
    /// The history of these dimensions. The same ones give the same bytes.
    #[must_use]
    pub fn new(entries: u64, logs: u64, body_bytes: usize) -> Self {
        let fitting = BLOCK_BYTES_MAX / u32::try_from(body_bytes + SIGNED_HEADER_BYTES).unwrap_or(u32::MAX);
        let per_log = logs.saturating_mul(u64::from(LOG_ENTRIES_PER_BLOCK_MAX));
        Self {
            founder: Founder::new("large", 1, CHEAP),
            entries: 0..entries,
            logs,
            body_bytes,
            per_block: u64::from(fitting.min(NEW_LOGS_PER_BLOCK_MAX)).min(per_log),
        }
    }

    /// Who has the network's keys.
    #[must_use]
    pub const fn founder(&self) -> &Founder {
        &self.founder
    }

    /// Notes of the next block; none once all are made.
    #[must_use]
    pub fn notes(&mut self) -> Vec<Note> {
        let count = usize::try_from(self.per_block).unwrap_or(usize::MAX);
        let (logs, length) = (self.logs.max(1), self.body_bytes);
        let body = |number: u64| {
            let mut body = vec![0; length.max(8)];
            blake3::Hasher::new()
                .update(&number.to_be_bytes())
                .finalize_xof()
                .fill(&mut body);
            body
        };
        let note = |number: u64| Note {
            writer: number % logs,
            body: body(number),
            keep_for: KeepFor::Ever,
        };
        self.entries.by_ref().take(count).map(note).collect()
    }

    /// The founder, to order what [`Large::notes`] gives.
    pub const fn founder_mut(&mut self) -> &mut Founder {
        &mut self.founder
    }
}

impl Iterator for Large {
    type Item = CertifiedBlock;

    fn next(&mut self) -> Option<CertifiedBlock> {
        let notes = self.notes();
        (!notes.is_empty()).then(|| self.founder.block(100, &notes))
    }
}

/// A step as a block that travels.
#[must_use]
pub fn certified(step: &Step, certificate: Certificate) -> CertifiedBlock {
    CertifiedBlock {
        head: Head {
            header: step.header.clone(),
            certificate,
        },
        entries: step
            .entries
            .iter()
            .map(|entry| Carried::clone(&entry.carried))
            .collect(),
        evidence: step.evidence.clone(),
    }
}

/// Drops a body and leaves its author's secret.
pub fn erase(entry: &mut Carried, note: &Note) {
    entry.body = Body::Erased(Founder::secret(note));
}

//! Generated histories: real keys, real signatures, real blocks, the same ones every time.
//!
//! For tests and benchmarks of everything that reads a ledger. What is generated passes every rule, since it goes through
//! the very calls that a node makes; only keys, texts and times are made up. A million entries take about as long as
//! verifying them does, and use all cores.

use std::sync::Arc;

use rayon::prelude::*;
use waxwing_core::certificate::Certificate;
use waxwing_core::change::CommitteeChange;
use waxwing_core::codec::Encode;
use waxwing_core::envelope::{Anchor, Carried, Envelope, EnvelopeHeader, ErasureSecret, KeepFor};
use waxwing_core::genesis::{FirstOfLog, Genesis, Parameters};
use waxwing_core::hash::{Hash, HashKeys, Meaning};
use waxwing_core::keys::{LogKey, ValidatorId, Verified, VoteKey};
use waxwing_core::ledger::{Ledger, Step};
use waxwing_core::limits::SECOND_MS;

use crate::store::Store;
use crate::tables::Tables;

/// When every generated network was founded: 2025-01-01, ms since 1970.
pub const FOUNDED: u64 = 1_735_689_600 * SECOND_MS;

/// Stamps that cost next to nothing, and still more for the first entry of a log.
pub const PARAMETERS: Parameters = Parameters {
    stamp_bits: 1,
    new_log_bits: 1,
};

/// Vote key of the validator with this number.
#[must_use]
pub fn validator(number: u8) -> VoteKey {
    VoteKey::from_seed(&[0xf0 ^ number; 32])
}

/// The genesis of a network of so many validators.
///
/// # Panics
/// If a committee cannot be as large.
#[must_use]
pub fn genesis(validators: u8) -> Genesis {
    let validators = (0..validators).map(|number| validator(number).public()).collect();
    Genesis::new("generated", FOUNDED, PARAMETERS, validators).expect("the facts are sound but for their number")
}

/// Key of the log with this number.
#[must_use]
pub fn writer(number: u64) -> LogKey {
    let mut seed = [0x5e; 32];
    let (front, _) = seed.split_at_mut(8);
    front.copy_from_slice(&number.to_be_bytes());
    LogKey::from_seed(&seed)
}

/// An envelope to be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Note {
    /// Which log it is for.
    pub writer: u64,
    /// Tells apart what one writer writes.
    pub number: u64,
    /// Bytes of the body.
    pub bytes: u32,
    /// For how long.
    pub keep_for: KeepFor,
}

impl Note {
    /// A note of a kilobyte, to be kept for ever.
    #[must_use]
    pub const fn new(writer: u64, number: u64) -> Self {
        Self {
            writer,
            number,
            bytes: 1000,
            keep_for: KeepFor::Ever,
        }
    }

    /// What erases it.
    #[must_use]
    pub fn secret(&self, keys: &HashKeys) -> ErasureSecret {
        ErasureSecret(self.chunk(keys, u64::MAX).0)
    }

    /// Its body: bytes that no compression shrinks, like a sealed one's.
    #[must_use]
    pub fn body(&self, keys: &HashKeys) -> Vec<u8> {
        let bytes = usize::try_from(self.bytes).expect("a machine that runs this can number the bytes of a body");
        let mut body = Vec::with_capacity(bytes + 32);
        for chunk in 0.. {
            if body.len() >= bytes {
                break;
            }
            body.extend_from_slice(&self.chunk(keys, chunk).0);
        }
        body.truncate(bytes);
        body
    }

    fn chunk(&self, keys: &HashKeys, chunk: u64) -> Hash {
        let mut seed = [0; 24];
        for (place, number) in seed
            .as_chunks_mut::<8>()
            .0
            .iter_mut()
            .zip([self.writer, self.number, chunk])
        {
            *place = number.to_be_bytes();
        }
        keys.hash(Meaning::Body, &seed)
    }

    /// Stamped and signed, good enough to be the first of its log.
    #[must_use]
    pub fn envelope(&self, keys: &HashKeys, parameters: &Parameters, anchor: Anchor, key: &LogKey) -> Envelope {
        let body = self.body(keys);
        let mut header = EnvelopeHeader {
            body_length: self.bytes,
            log: key.public(),
            anchor,
            body_hash: keys.hash(Meaning::Body, &body),
            erasure: self.secret(keys).commitment(keys),
            keep_for: self.keep_for,
            nonce: 0,
        };
        header.grind(keys, parameters.required_bits(self.bytes, FirstOfLog::Yes));
        Envelope {
            signed: header.sign(keys, key),
            body,
        }
    }
}

/// A network and its one node: validators, ledger, store.
#[derive(Debug)]
pub struct World<T> {
    /// What is durable.
    pub store: Store<T>,
    /// What is true.
    pub ledger: Ledger,
    /// Validators that never propose.
    pub absent: Vec<ValidatorId>,
    validators: Vec<VoteKey>,
}

/// How a long history is to look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Entries in all.
    pub entries: u64,
    /// Logs they go round.
    pub logs: u64,
    /// Entries in a block.
    pub per_block: u32,
    /// Bytes of each body.
    pub bytes: u32,
    /// Time between blocks, ms.
    pub interval: u64,
}

impl<T: Tables> World<T> {
    /// Founds a network of so many validators in empty tables.
    ///
    /// # Panics
    /// If the tables fail or are not empty.
    #[must_use]
    pub fn found(tables: T, validators: u8) -> Self {
        let genesis = genesis(validators);
        let store = Store::create_on(tables, &genesis).expect("the tables are new");
        Self::resume(store, validators)
    }

    /// Goes on with what is stored. Keys of so many validators sign; those that do not vote change nothing.
    ///
    /// # Panics
    /// If it cannot be restored.
    #[must_use]
    pub fn resume(store: Store<T>, validators: u8) -> Self {
        let ledger = store.restore().expect("what was committed can be restored");
        Self {
            store,
            ledger,
            absent: Vec::new(),
            validators: (0..validators).map(validator).collect(),
        }
    }

    /// A note as a verified envelope under the newest anchor.
    ///
    /// # Panics
    /// If a generated envelope does not verify: then the rules changed.
    #[must_use]
    pub fn verified(&self, note: &Note) -> Arc<Verified<Carried>> {
        self.verified_by(note, &writer(note.writer))
    }

    fn verified_by(&self, note: &Note, key: &LogKey) -> Arc<Verified<Carried>> {
        let (keys, parameters) = (self.ledger.keys(), self.ledger.parameters());
        let anchor = self.ledger.anchors().newest().expect("block 0 can be named");
        let envelope = note.envelope(keys, parameters, anchor, key);
        let verified = envelope.verify(keys, parameters.stamp_bits);
        Arc::new(verified.expect("a generated envelope is sound"))
    }

    /// An entry on the committee log: the validators with these numbers vote from a height on, if all who vote now say so.
    ///
    /// # Panics
    /// If they are no committee.
    pub fn change(&mut self, from_height: u64, numbers: core::ops::Range<u8>) -> Arc<Verified<Carried>> {
        let known = u8::try_from(self.validators.len()).expect("there are fewer than 256");
        self.validators.extend((known..numbers.end).map(validator));
        let (keys, current) = (self.ledger.keys(), self.ledger.committee());
        let members = numbers.map(|number| validator(number).public()).collect();
        let change = CommitteeChange::propose(keys, current, from_height, members);
        let mut change = change.expect("the numbers are those of a committee");
        for key in &self.validators {
            // Who does not vote has no say.
            let _ = change.sign(current, key);
        }
        self.carrying(&self.store.genesis().committee_log(), change.to_bytes())
    }

    /// An entry with this body, to be kept for ever.
    ///
    /// # Panics
    /// If it is too long for one.
    #[must_use]
    pub fn carrying(&self, log: &LogKey, body: Vec<u8>) -> Arc<Verified<Carried>> {
        let (keys, parameters) = (self.ledger.keys(), self.ledger.parameters());
        let body_length = u32::try_from(body.len()).expect("a body's length fits");
        let body_hash = keys.hash(Meaning::Body, &body);
        let mut header = EnvelopeHeader {
            body_length,
            log: log.public(),
            anchor: self.ledger.anchors().newest().expect("block 0 can be named"),
            body_hash,
            erasure: ErasureSecret(body_hash.0).commitment(keys),
            keep_for: KeepFor::Ever,
            nonce: 0,
        };
        header.grind(keys, parameters.required_bits(body_length, FirstOfLog::Yes));
        let signed = header.sign(keys, log);
        let verified = Envelope { signed, body }.verify(keys, parameters.stamp_bits);
        Arc::new(verified.expect("it was made according to the rules"))
    }

    /// Adds a block of these entries, ordered so many ms after the head.
    ///
    /// # Panics
    /// If an entry may not stand in it, or the store fails.
    pub fn append_entries(&mut self, after: u64, entries: &[Arc<Verified<Carried>>]) {
        let (step, certificate) = self.propose(after, entries);
        self.store
            .commit(&step, &certificate)
            .expect("the store can be written");
        self.ledger.advance(step);
    }

    /// The next block of these entries, ordered so many ms after the head, with its certificate.
    ///
    /// # Panics
    /// If an entry may not stand in it.
    pub fn propose(&self, after: u64, entries: &[Arc<Verified<Carried>>]) -> (Step, Certificate) {
        let mut draft = self.ledger.draft(&self.store, self.ledger.head().time + after);
        for entry in entries {
            let admitted = draft.add(Arc::clone(entry)).expect("the store can be read");
            admitted.expect("a generated entry may stand in its block");
        }
        let turns = self.ledger.turns();
        let proposer = turns.iter().find(|member| !self.absent.contains(member));
        let step = draft.finish(*proposer.expect("somebody is there"), Vec::new());
        let certificate = self.certify(&step);
        (step, certificate)
    }

    /// All validators' signatures for a block.
    #[must_use]
    pub fn certify(&self, step: &Step) -> Certificate {
        let voters: Vec<&VoteKey> = self.validators.iter().collect();
        Certificate::sign(self.ledger.committee(), 0, &step.header, step.id, &voters)
    }

    /// Adds a block of these notes, ordered so many ms after the head.
    ///
    /// # Panics
    /// If a note may not stand in it, or the store fails.
    pub fn append(&mut self, after: u64, notes: &[Note]) {
        let entries: Vec<_> = notes.par_iter().map(|note| self.verified(note)).collect();
        self.append_entries(after, &entries);
    }

    /// Adds a whole history. Each log gets its turn, and each note a number of its own from `first` on.
    ///
    /// # Panics
    /// If a block of the plan is larger than the rules allow, or the store fails.
    pub fn grow(&mut self, first: u64, plan: &Plan) {
        let writers = Writers::of(plan.logs);
        let numbers: Vec<u64> = (first..first + plan.entries).collect();
        let per_block = usize::try_from(plan.per_block).expect("a block's entries can be numbered");
        for numbers in numbers.chunks(per_block) {
            let entries: Vec<_> = numbers
                .par_iter()
                .map(|number| {
                    let note = Note {
                        writer: number % plan.logs,
                        number: *number,
                        bytes: plan.bytes,
                        keep_for: KeepFor::Ever,
                    };
                    writers.with(note.writer, |key| self.verified_by(&note, key))
                })
                .collect();
            self.append_entries(plan.interval, &entries);
        }
    }
}

/// Log keys, kept if they come again: growing one from its seed costs as much as signing.
struct Writers(Vec<LogKey>);

impl Writers {
    /// More would take more memory than the time is worth.
    const KEPT_MAX: u64 = 100_000;

    fn of(logs: u64) -> Self {
        Self((0..logs.min(Self::KEPT_MAX)).into_par_iter().map(writer).collect())
    }

    fn with<A>(&self, number: u64, act: impl FnOnce(&LogKey) -> A) -> A {
        match usize::try_from(number).ok().and_then(|number| self.0.get(number)) {
            Some(key) => act(key),
            None => act(&writer(number)),
        }
    }
}

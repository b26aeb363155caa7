//! The network that every run starts from: keys, genesis, and some blocks of a quieter past.
//!
//! Stamps cost a few hashes. The past is a day long, so that its oldest anchor expires while a run goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use waxwing_core::block::{BlockHeader, CertifiedBlock};
use waxwing_core::certificate::{Certificate, Head};
use waxwing_core::envelope::{Anchor, Body, Carried, Envelope, EnvelopeHeader, ErasureSecret, KeepFor};
use waxwing_core::genesis::{FirstOfLog, Genesis, Parameters};
use waxwing_core::hash::{HashKeys, Meaning};
use waxwing_core::keys::{LogKey, ValidatorId, Verified, VoteKey};
use waxwing_core::ledger::{Ledger, Step};
use waxwing_core::limits::DAY_MS;
use waxwing_rules::model::ledger::NaiveLedger;
use waxwing_store::{MemoryTables, Store};

use crate::network::Seat;

/// When the network was founded, ms since 1970.
pub const FOUNDED_MS: u64 = 1_700_000_000_000;

/// What a right clock shows when a run begins: the anchor of block 0 expires ten seconds later, once there is another.
pub const BEGUN_MS: u64 = FOUNDED_MS + DAY_MS - 10_000;

/// Heights that runs start at: no anchor but the genesis, one in sight, one there.
pub const PASTS: [u64; 4] = [0, 60, 63, 66];

/// Seed of the vote key of somebody who is not among the founders.
const GUEST: u8 = 200;

/// Cheap stamps: the rules are the same.
const CHEAP: Parameters = Parameters {
    stamp_bits: 1,
    new_log_bits: 3,
};

/// Keys and founding facts of a network.
#[derive(Clone, Debug)]
pub struct Founding {
    /// The facts.
    pub genesis: Genesis,
    /// The network's hash keys.
    pub keys: HashKeys,
    /// The validators' keys, in the committee's order, and behind them that of a guest, who may vote one day: a node's seat
    /// is its place here.
    pub voters: Vec<VoteKey>,
}

impl Founding {
    /// A network of so many validators.
    ///
    /// # Panics
    /// If that is no committee.
    #[must_use]
    pub fn new(validators: u8) -> Self {
        let mut voters: Vec<VoteKey> = (1..=validators).map(|seed| VoteKey::from_seed(&[seed; 32])).collect();
        voters.sort_by_key(VoteKey::public);
        let members = voters.iter().map(VoteKey::public).collect();
        let genesis = Genesis::new("simulated", FOUNDED_MS, CHEAP, members).expect("sound facts");
        Self {
            keys: genesis.keys(),
            genesis,
            voters,
        }
    }

    /// The same with somebody who does not vote at first.
    #[must_use]
    pub fn with_guest(mut self) -> Self {
        self.voters.push(VoteKey::from_seed(&[GUEST; 32]));
        self
    }

    /// The vote key of a validator.
    ///
    /// # Panics
    /// If there is no such validator.
    #[must_use]
    pub fn voter(&self, seat: Seat) -> &VoteKey {
        self.voters.get(seat).expect("every seat has a key")
    }

    /// Its public half.
    #[must_use]
    pub fn id(&self, seat: Seat) -> ValidatorId {
        self.voter(seat).public()
    }

    /// Whose key it is.
    #[must_use]
    pub fn seat(&self, id: &ValidatorId) -> Option<Seat> {
        self.voters.iter().position(|voter| voter.public() == *id)
    }

    /// An envelope whose stamp would do for the first entry of a log too.
    ///
    /// # Panics
    /// If the body is longer than four gigabytes.
    #[must_use]
    pub fn envelope(&self, key: &LogKey, anchor: Anchor, body: &[u8]) -> Envelope {
        let length = u32::try_from(body.len()).expect("bodies are small here");
        let bits = self.genesis.parameters.required_bits(length, FirstOfLog::Yes);
        self.envelope_of(key, anchor, body, |stamped| stamped >= bits)
    }

    /// An envelope whose stamp has as many zero bits as `suits` likes.
    ///
    /// # Panics
    /// If the body is longer than four gigabytes.
    #[must_use]
    pub fn envelope_of(&self, key: &LogKey, anchor: Anchor, body: &[u8], suits: impl Fn(u32) -> bool) -> Envelope {
        let mut header = EnvelopeHeader {
            body_length: u32::try_from(body.len()).expect("bodies are small here"),
            log: key.public(),
            anchor,
            body_hash: self.keys.hash(Meaning::Body, body),
            erasure: ErasureSecret([7; 32]).commitment(&self.keys),
            keep_for: KeepFor::Ever,
            nonce: 0,
        };
        while !suits(header.stamp(&self.keys).leading_zero_bits()) {
            header.nonce += 1;
        }
        Envelope {
            signed: header.sign(&self.keys, key),
            body: body.to_vec(),
        }
    }

    /// An envelope as an entry that was checked.
    ///
    /// # Panics
    /// If it is not sound in itself.
    #[must_use]
    pub fn verified(&self, envelope: Envelope) -> Arc<Verified<Carried>> {
        let carried = Carried {
            signed: envelope.signed,
            body: Body::Present(envelope.body),
        };
        let verified = carried.verify(&self.keys, self.genesis.parameters.stamp_bits);
        Arc::new(verified.expect("an envelope made here is sound"))
    }

    /// A header with the signatures of these validators.
    #[must_use]
    pub fn certify(&self, header: &BlockHeader, round: u32, signers: &[Seat]) -> Head {
        let id = header.id(&self.keys);
        let signers: Vec<&VoteKey> = signers.iter().map(|seat| self.voter(*seat)).collect();
        Head {
            header: header.clone(),
            certificate: Certificate::sign(&self.genesis.committee(), round, header, id, &signers),
        }
    }
}

/// A ledger at some height, ready to be copied to every node.
#[derive(Clone, Debug)]
pub struct Past {
    /// What is stored.
    pub tables: MemoryTables,
    /// The same, slow and obvious.
    pub model: NaiveLedger,
}

/// The pasts of a network, made once for all runs.
#[derive(Debug)]
pub struct Archive {
    /// The network.
    pub founding: Founding,
    pasts: BTreeMap<u64, Past>,
}

impl Archive {
    /// Makes the pasts of a network of so many validators.
    ///
    /// # Panics
    /// If the rules refuse what they drafted.
    #[must_use]
    pub fn new(validators: u8) -> Self {
        Self::up_to(validators, PASTS.into_iter().max().unwrap_or(0))
    }

    /// The same without pasts beyond a height.
    ///
    /// # Panics
    /// If the rules refuse what they drafted.
    #[must_use]
    pub fn up_to(validators: u8, last: u64) -> Self {
        let founding = Founding::new(validators);
        let store = Store::create_on(MemoryTables::new(), &founding.genesis).expect("the tables are empty");
        let mut ledger = Ledger::new(&founding.genesis);
        let mut model = NaiveLedger::new(&founding.genesis);
        let mut pasts = BTreeMap::new();
        for height in 0..=last {
            if height > 0 {
                let step = grow(&founding, &store, &ledger);
                let signed = step.entries.iter().map(|entry| entry.carried.signed.clone()).collect();
                model.add(step.header.clone(), signed);
                ledger.advance(step);
            }
            if PASTS.contains(&height) {
                let past = Past {
                    tables: store.tables().copy(),
                    model: model.clone(),
                };
                pasts.insert(height, past);
            }
        }
        Self { founding, pasts }
    }

    /// The ledger at one of the [`PASTS`].
    ///
    /// # Panics
    /// At another height.
    #[must_use]
    pub fn past(&self, height: u64) -> &Past {
        self.pasts.get(&height).expect("runs start at these heights only")
    }
}

/// One more block, a second after the last, with one entry of one log.
fn grow(founding: &Founding, store: &Store<MemoryTables>, ledger: &Ledger) -> Step {
    let anchor = ledger.anchors().newest().expect("there is always an anchor");
    let height = ledger.head().height + 1;
    let envelope = founding.envelope(&LogKey::from_seed(&[90; 32]), anchor, &height.to_be_bytes());
    let mut draft = ledger.draft(store, ledger.head().time + 1000);
    let added = draft.add(founding.verified(envelope)).expect("memory can be read");
    added.expect("the entry may stand there");
    let proposer = ledger.turns().first().copied().expect("a committee has members");
    let step = draft.finish(proposer, Vec::new());
    let signers: Vec<Seat> = (0..founding.genesis.committee().quorum()).collect();
    let head = founding.certify(&step.header, 0, &signers);
    store.commit(&step, &head.certificate).expect("memory can be written");
    step
}

/// What a block is, for whoever passes it on.
#[must_use]
pub fn copied(block: &CertifiedBlock, founding: &Founding) -> Option<Vec<Arc<Verified<Carried>>>> {
    let bits = founding.genesis.parameters.stamp_bits;
    let verified = |entry: &Carried| entry.clone().verify(&founding.keys, bits).map(Arc::new);
    block.entries.iter().map(verified).collect::<Result<_, _>>().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_past_is_a_ledger_that_can_be_opened_and_the_model_agrees() {
        let archive = Archive::new(4);
        for height in PASTS {
            let past = archive.past(height);
            let store = Store::open_on(past.tables.copy()).unwrap();
            let ledger = store.restore().unwrap();
            assert_eq!((ledger.head().height, ledger.head()), (height, past.model.head()));
            assert!(ledger.head().time < BEGUN_MS);
        }
    }
}

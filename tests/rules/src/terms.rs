//! Changes of the committee in the small world: sound ones, and every other kind.

use waxwing_core::change::CommitteeChange;
use waxwing_core::codec::Encode;
use waxwing_core::committee::{Committee, Signatures};
use waxwing_core::envelope::{Envelope, EnvelopeHeader, ErasureSecret, KeepFor};
use waxwing_core::genesis::FirstOfLog;
use waxwing_core::hash::{Hash, Meaning};
use waxwing_core::keys::VoteKey;

use crate::world::{World, voters};

impl World {
    /// Gives validators that may vote one day their keys.
    pub fn introduce(&mut self, seeds: core::ops::RangeInclusive<u8>) {
        for key in voters(seeds) {
            if !self.voters.iter().any(|known| known.public() == key.public()) {
                self.voters.push(key);
            }
        }
    }

    /// That the validators of these seeds vote from a height on, signed by the first few who vote now.
    ///
    /// # Panics
    /// If they are no committee.
    #[must_use]
    pub fn change(&self, from: u64, seeds: core::ops::RangeInclusive<u8>, signers: usize) -> CommitteeChange {
        let current = self.ledger.committee();
        let members = voters(seeds).iter().map(VoteKey::public).collect();
        let change = CommitteeChange::propose(self.keys(), current, from, members);
        self.signed(change.expect("the seeds are those of a committee"), signers)
    }

    /// A change with the signatures of the first few who vote now, whatever it says.
    #[must_use]
    pub fn signed(&self, change: CommitteeChange, signers: usize) -> CommitteeChange {
        let current = self.ledger.committee();
        let keys: Vec<&VoteKey> = self.keys_of(current).into_iter().take(signers).collect();
        sign(change, current, &keys)
    }

    /// An entry on the committee log with this body.
    #[must_use]
    pub fn on_committee_log(&self, body: &[u8]) -> Envelope {
        self.on_committee_log_for(body, KeepFor::Ever)
    }

    /// The same, to be kept for a while.
    ///
    /// # Panics
    /// If the body is too long for one.
    #[must_use]
    pub fn on_committee_log_for(&self, body: &[u8], keep_for: KeepFor) -> Envelope {
        let (keys, key) = (self.keys(), self.genesis.committee_log());
        let body_length = u32::try_from(body.len()).expect("bodies of tests are small");
        let mut header = EnvelopeHeader {
            body_length,
            log: key.public(),
            anchor: self.newest_anchor(),
            body_hash: keys.hash(Meaning::Body, body),
            erasure: committee_secret(self.height()).commitment(keys),
            keep_for,
            nonce: 0,
        };
        let parameters = self.ledger.parameters();
        header.grind(keys, parameters.required_bits(body_length, FirstOfLog::Yes));
        Envelope {
            signed: header.sign(keys, &key),
            body: body.to_vec(),
        }
    }

    /// The entry that changes the committee as said.
    #[must_use]
    pub fn changing(&self, change: &CommitteeChange) -> Envelope {
        self.on_committee_log(&change.to_bytes())
    }
}

/// What would erase an entry on the committee log that was made at a height, if such an entry could be erased.
#[must_use]
pub fn committee_secret(height: u64) -> ErasureSecret {
    let mut secret = Hash::ZERO.0;
    if let Some(front) = secret.first_chunk_mut::<8>() {
        *front = height.to_be_bytes();
    }
    ErasureSecret(secret)
}

/// A change with the signatures of these keys alone, as members of `committee`; strangers' take the first places.
#[must_use]
pub fn sign(mut change: CommitteeChange, committee: &Committee, keys: &[&VoteKey]) -> CommitteeChange {
    let message = change.message();
    let signed = keys.iter().enumerate().map(|(place, key)| {
        let member = committee.members().binary_search(&key.public());
        (member.unwrap_or(place), key.sign(&message))
    });
    change.signatures = Signatures::collect(committee, signed);
    change
}

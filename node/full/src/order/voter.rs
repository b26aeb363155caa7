//! The vote key, behind a lock that lets it sign one block per height.
//!
//! Signing two blocks of one height is the one thing a validator must never do: it forks the network and leaves
//! evidence against its owner. So no other code holds the key, and the lock is asked before every signature. A
//! signature also ends the time in which the validator may say "the block before is still the newest".

use waxwing_core::Hash;
use waxwing_core::block::BlockHeader;
use waxwing_core::certificate::{Beacon, Certificate, beacon_message};
use waxwing_core::committee::Committee;
use waxwing_core::keys::{Signature, ValidatorId, VoteKey};

/// A signature was asked for that would contradict an earlier one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Contradiction {
    /// Height up to which blocks were signed.
    pub(crate) signed: u64,
}

/// The vote key and what it has signed.
#[derive(Debug)]
pub(crate) struct Voter {
    key: VoteKey,
    /// The newest block signed: height and id.
    signed: (u64, Hash),
}

impl Voter {
    /// Goes on after a head that is durable. Whatever was signed beyond it never left this process, because a
    /// certificate is announced only after its block is durable.
    pub(crate) const fn new(key: VoteKey, head: (u64, Hash)) -> Self {
        Self { key, signed: head }
    }

    pub(crate) fn public(&self) -> ValidatorId {
        self.key.public()
    }

    /// Certifies a block for a committee that consists of this validator alone.
    ///
    /// # Errors
    /// [`Contradiction`] if another block of that height, or a later one, was signed before.
    pub(crate) fn certify(
        &mut self,
        committee: &Committee,
        header: &BlockHeader,
        id: Hash,
    ) -> Result<Certificate, Contradiction> {
        let (signed, signed_id) = self.signed;
        let again = (header.height, id) == (signed, signed_id);
        if header.height <= signed && !again {
            return Err(Contradiction { signed });
        }
        // Noted before signing: should signing ever fail half-way, the height counts as used.
        self.signed = (header.height, id);
        Ok(Certificate::sign(committee, 0, header, id, &[&self.key]))
    }

    /// The same as [`Voter::beacon`], as one validator's part of it.
    pub(crate) fn statement(&self, network: Hash, head: (u64, Hash), time: u64) -> Option<Signature> {
        let (height, id) = head;
        (head == self.signed).then(|| self.key.sign(&beacon_message(network, height, id, time)))
    }

    /// Says that `head` is the newest block at `time`, unless a newer one is signed already.
    pub(crate) fn beacon(&self, committee: &Committee, network: Hash, head: (u64, Hash), time: u64) -> Option<Beacon> {
        (head == self.signed).then(|| Beacon::sign(committee, network, head, time, &[&self.key]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_core::genesis::{Genesis, Parameters};

    fn network() -> (Genesis, Voter) {
        let key = VoteKey::from_seed(&[1; 32]);
        let genesis = Genesis::new("test", 1_000, Parameters::DEFAULT, vec![key.public()]).unwrap();
        let head = (0, genesis.block().id(&genesis.keys()));
        (genesis, Voter::new(key, head))
    }

    fn block(genesis: &Genesis, height: u64, time: u64) -> (BlockHeader, Hash) {
        let header = BlockHeader {
            height,
            time,
            ..genesis.block()
        };
        let id = header.id(&genesis.keys());
        (header, id)
    }

    #[test]
    fn one_block_per_height_is_signed_and_another_is_refused() {
        let (genesis, mut voter) = network();
        let committee = genesis.committee();
        let (header, id) = block(&genesis, 1, 2_000);
        let certificate = voter.certify(&committee, &header, id).unwrap();
        assert_eq!(certificate.verify(&committee, genesis.network(), 1, id), Ok(()));
        assert_eq!(
            voter.certify(&committee, &header, id),
            Ok(certificate),
            "the same again"
        );
        let (other, other_id) = block(&genesis, 1, 2_001);
        let refused = Err(Contradiction { signed: 1 });
        assert_eq!(voter.certify(&committee, &other, other_id), refused);
        let (zero, zero_id) = block(&genesis, 0, 1_000);
        assert_eq!(voter.certify(&committee, &zero, zero_id), refused);
    }

    #[test]
    fn a_head_is_confirmed_until_the_next_block_is_signed() {
        let (genesis, mut voter) = network();
        let (committee, network) = (genesis.committee(), genesis.network());
        let genesis_head = (0, genesis.block().id(&genesis.keys()));
        let beacon = voter.beacon(&committee, network, genesis_head, 9).unwrap();
        assert_eq!(beacon.verify(&committee, network), Ok(()));
        let (header, id) = block(&genesis, 1, 2_000);
        voter.certify(&committee, &header, id).unwrap();
        assert_eq!(voter.beacon(&committee, network, genesis_head, 10), None);
        assert!(voter.beacon(&committee, network, (1, id), 10).is_some());
    }
}

//! Certified statements: a certificate says "this block is final", a beacon says "this is still the head at time t".
//!
//! Both are a quorum's signatures over one fixed message. A certificate is no part of the block id: which validators
//! signed differs from node to node. The round is in the vote and not in the header, because a block may be proposed
//! again in a later round, unchanged. `// SPEC 11`

use crate::block::BlockHeader;
use crate::codec::{CodecError, Decode, Encode, Reader};
use crate::committee::{Committee, QuorumError, Signatures};
use crate::hash::{Hash, HashKeys};
use crate::keys::{Signature, Verified, VoteKey};

/// What a vote starts with.
pub const VOTE_DOMAIN: &[u8] = b"waxwing v1 vote";

/// What a beacon's statement starts with.
pub const BEACON_DOMAIN: &[u8] = b"waxwing v1 beacon";

/// The two steps of agreement. Only precommits make certificates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VoteKind {
    /// "I have checked this block."
    Prevote,
    /// "I saw a quorum of prevotes for it."
    Precommit,
}

impl VoteKind {
    const fn number(self) -> u8 {
        match self {
            Self::Prevote => 1,
            Self::Precommit => 2,
        }
    }
}

/// The bytes a validator signs to vote. One layout for all, no key inside, so that a certificate is many signatures
/// over one message.
#[must_use]
pub fn vote_message(network: Hash, kind: VoteKind, height: u64, round: u32, block: Hash) -> Vec<u8> {
    let mut message = VOTE_DOMAIN.to_vec();
    network.encode(&mut message);
    message.push(kind.number());
    message.extend_from_slice(&height.to_be_bytes());
    message.extend_from_slice(&round.to_be_bytes());
    block.encode(&mut message);
    message
}

/// The bytes a validator signs to say that a head is still the newest at a time (ms).
#[must_use]
pub fn beacon_message(network: Hash, height: u64, head: Hash, time: u64) -> Vec<u8> {
    let mut message = BEACON_DOMAIN.to_vec();
    network.encode(&mut message);
    message.extend_from_slice(&height.to_be_bytes());
    head.encode(&mut message);
    message.extend_from_slice(&time.to_be_bytes());
    message
}

/// A quorum's precommits for one block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Certificate {
    /// The round they voted in.
    pub round: u32,
    /// Theirs.
    pub signatures: Signatures,
}

impl Certificate {
    /// The certificate of a committee of one, or of as many as the given keys are.
    #[must_use]
    pub fn sign(committee: &Committee, round: u32, header: &BlockHeader, id: Hash, voters: &[&VoteKey]) -> Self {
        let message = vote_message(header.network, VoteKind::Precommit, header.height, round, id);
        Self {
            round,
            signatures: sign_all(committee, &message, voters),
        }
    }

    /// Checks that a quorum of `committee` precommitted the block `id` at `height`.
    ///
    /// # Errors
    /// See [`QuorumError`].
    pub fn verify(&self, committee: &Committee, network: Hash, height: u64, id: Hash) -> Result<(), QuorumError> {
        let message = vote_message(network, VoteKind::Precommit, height, self.round, id);
        self.signatures.verify(committee, &message)
    }
}

fn sign_all(committee: &Committee, message: &[u8], voters: &[&VoteKey]) -> Signatures {
    let signed = voters.iter().filter_map(|voter| {
        let member = committee.members().binary_search(&voter.public()).ok()?;
        Some((member, voter.sign(message)))
    });
    Signatures::collect(committee, signed.collect::<Vec<(usize, Signature)>>())
}

impl Encode for Certificate {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.round.to_be_bytes());
        self.signatures.encode(out);
    }
}

impl Decode for Certificate {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            round: reader.u32()?,
            signatures: Signatures::decode(reader)?,
        })
    }
}

/// A header and what makes it final.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// The header.
    pub header: BlockHeader,
    /// Its certificate.
    pub certificate: Certificate,
}

/// Why a head is not final.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeadError {
    /// It belongs to another network.
    ForeignNetwork,
    /// It names another committee or term than the one that should certify it.
    WrongCommittee,
    /// Not certified.
    Quorum(QuorumError),
}

impl core::fmt::Display for HeadError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::ForeignNetwork => f.write_str("the block belongs to another network"),
            Self::WrongCommittee => f.write_str("the block names another committee"),
            Self::Quorum(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for HeadError {}

impl Head {
    /// Checks network, committee and certificate.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn verify(self, keys: &HashKeys, committee: &Committee) -> Result<Verified<Self>, HeadError> {
        let header = &self.header;
        if header.network != keys.network() {
            return Err(HeadError::ForeignNetwork);
        }
        if header.term != committee.term() || header.committee != committee.hash(keys) {
            return Err(HeadError::WrongCommittee);
        }
        let id = header.id(keys);
        self.certificate
            .verify(committee, keys.network(), header.height, id)
            .map_err(HeadError::Quorum)?;
        Ok(Verified::new(self, id))
    }
}

impl Encode for Head {
    fn encode(&self, out: &mut Vec<u8>) {
        self.header.encode(out);
        self.certificate.encode(out);
    }
}

impl Decode for Head {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            header: BlockHeader::decode(reader)?,
            certificate: Certificate::decode(reader)?,
        })
    }
}

/// A quorum's word that a head was still the newest at a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Beacon {
    /// Height of the head.
    pub height: u64,
    /// Its block id.
    pub head: Hash,
    /// When, ms since 1970, by the validators' clocks.
    pub time: u64,
    /// Theirs.
    pub signatures: Signatures,
}

impl Beacon {
    /// Signs the statement with the given keys.
    #[must_use]
    pub fn sign(
        committee: &Committee,
        network: Hash,
        (height, head): (u64, Hash),
        time: u64,
        voters: &[&VoteKey],
    ) -> Self {
        let message = beacon_message(network, height, head, time);
        Self {
            height,
            head,
            time,
            signatures: sign_all(committee, &message, voters),
        }
    }

    /// Checks that a quorum of `committee` said so.
    ///
    /// # Errors
    /// See [`QuorumError`].
    pub fn verify(&self, committee: &Committee, network: Hash) -> Result<(), QuorumError> {
        self.signatures
            .verify(committee, &beacon_message(network, self.height, self.head, self.time))
    }
}

impl Encode for Beacon {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.height.to_be_bytes());
        self.head.encode(out);
        out.extend_from_slice(&self.time.to_be_bytes());
        self.signatures.encode(out);
    }
}

impl Decode for Beacon {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            height: reader.u64()?,
            head: reader.hash()?,
            time: reader.u64()?,
            signatures: Signatures::decode(reader)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genesis::{Genesis, Parameters};

    fn network() -> (Genesis, Vec<VoteKey>) {
        let secrets: Vec<_> = (1..=4).map(|seed| VoteKey::from_seed(&[seed; 32])).collect();
        let members = secrets.iter().map(VoteKey::public).collect();
        (
            Genesis::new("test", 1_000, Parameters::DEFAULT, members).unwrap(),
            secrets,
        )
    }

    fn head(genesis: &Genesis, voters: &[&VoteKey]) -> Head {
        let keys = genesis.keys();
        let header = BlockHeader {
            height: 1,
            time: 2_000,
            parent: genesis.block().id(&keys),
            ..genesis.block()
        };
        let certificate = Certificate::sign(&genesis.committee(), 5, &header, header.id(&keys), voters);
        Head { header, certificate }
    }

    #[test]
    fn a_certified_head_is_accepted_and_each_other_is_refused_by_name() {
        let (genesis, secrets) = network();
        let (keys, committee) = (genesis.keys(), genesis.committee());
        let voters: Vec<_> = secrets.iter().take(3).collect();
        let good = head(&genesis, &voters);
        assert_eq!(Head::from_bytes(&good.to_bytes()).as_ref(), Ok(&good));
        assert!(good.clone().verify(&keys, &committee).is_ok());

        let few = head(&genesis, &voters[..2]).verify(&keys, &committee);
        assert_eq!(few, Err(HeadError::Quorum(QuorumError::TooFew)));
        let mut round = good.clone();
        round.certificate.round = 6;
        let wrong = Err(HeadError::Quorum(QuorumError::BadSignature));
        assert_eq!(round.verify(&keys, &committee), wrong);
        let mut term = good.clone();
        term.header.term = 1;
        assert_eq!(term.verify(&keys, &committee), Err(HeadError::WrongCommittee));
        let foreign = HashKeys::new(Hash([1; 32]));
        assert_eq!(good.verify(&foreign, &committee), Err(HeadError::ForeignNetwork));
    }

    #[test]
    fn a_prevote_is_no_precommit_and_a_beacon_no_vote() {
        let (genesis, secrets) = network();
        let (network, committee) = (genesis.network(), genesis.committee());
        let id = Hash([4; 32]);
        let prevote = vote_message(network, VoteKind::Prevote, 1, 0, id);
        let voters: Vec<_> = secrets.iter().collect();
        let posing = Certificate {
            round: 0,
            signatures: sign_all(&committee, &prevote, &voters),
        };
        assert_eq!(
            posing.verify(&committee, network, 1, id),
            Err(QuorumError::BadSignature)
        );
        let beacon = Beacon::sign(&committee, network, (1, id), 9, &voters);
        assert_eq!(beacon.verify(&committee, network), Ok(()));
        assert_eq!(Beacon::from_bytes(&beacon.to_bytes()).as_ref(), Ok(&beacon));
        let later = Beacon { time: 10, ..beacon };
        assert_eq!(later.verify(&committee, network), Err(QuorumError::BadSignature));
    }
}

//! Evidence: signed contradictions, worth keeping because anybody can check them.
//!
//! Two votes of one round name the validator that cast both. Two certified heads of one height prove that more than f
//! validators broke the rules; if the rounds differ they do not say who, since an honest validator may have signed
//! both. Either is self-contained: the network's keys and the committee of that term are all it takes. `// SPEC 18`

use crate::certificate::{Head, HeadError, VoteKind, vote_message};
use crate::codec::{CodecError, Decode, Encode, Reader};
use crate::committee::Committee;
use crate::hash::{Hash, HashKeys};
use crate::keys::{Signature, ValidatorId};
use crate::limits::EVIDENCE_MAX;

/// A signed contradiction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Evidence {
    /// One validator, two votes.
    TwoVotes(Box<TwoVotes>),
    /// One height, two final blocks.
    TwoHeads(Box<TwoHeads>),
}

/// Two votes of one validator in one round: it may cast one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TwoVotes {
    /// Who.
    pub validator: ValidatorId,
    /// In which step.
    pub kind: VoteKind,
    /// At which height.
    pub height: u64,
    /// In which round.
    pub round: u32,
    /// The smaller block id voted for, and the signature.
    pub first: (Hash, Signature),
    /// The larger one.
    pub second: (Hash, Signature),
}

/// Two certified heads of one height: there may be one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TwoHeads {
    /// The one with the smaller block id.
    pub first: Head,
    /// The other one.
    pub second: Head,
}

/// Why something is no evidence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EvidenceError {
    /// Both statements say the same, are about different heights, or stand in the wrong order.
    NoContradiction,
    /// The validator is not in the committee.
    Stranger,
    /// A vote was not signed.
    BadSignature,
    /// A head is not certified.
    Head(HeadError),
    /// It is about a height whose committee is not known yet.
    NotYet,
    /// It comes with more others than a block may carry.
    TooMany,
}

impl core::fmt::Display for EvidenceError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoContradiction => f.write_str("the two statements do not contradict each other"),
            Self::Stranger => f.write_str("the key does not belong to the committee"),
            Self::BadSignature => f.write_str("a vote's signature does not count"),
            Self::Head(error) => error.fmt(f),
            Self::NotYet => f.write_str("the height it is about has not been reached"),
            Self::TooMany => write!(f, "more than {EVIDENCE_MAX} pieces"),
        }
    }
}

impl core::error::Error for EvidenceError {}

impl Evidence {
    /// Evidence that two heads contradict each other, in canonical order.
    #[must_use]
    pub fn of_heads(keys: &HashKeys, a: Head, b: Head) -> Self {
        let (first, second) = if a.header.id(keys) <= b.header.id(keys) {
            (a, b)
        } else {
            (b, a)
        };
        Self::TwoHeads(Box::new(TwoHeads { first, second }))
    }

    /// The height it is about.
    #[must_use]
    pub const fn height(&self) -> u64 {
        match self {
            Self::TwoVotes(votes) => votes.height,
            Self::TwoHeads(heads) => heads.first.header.height,
        }
    }

    /// Checks that it is a contradiction and that both sides of it were signed.
    ///
    /// # Errors
    /// See [`EvidenceError`].
    pub fn verify(&self, keys: &HashKeys, committee: &Committee) -> Result<(), EvidenceError> {
        match self {
            Self::TwoVotes(votes) => votes.verify(keys, committee),
            Self::TwoHeads(heads) => heads.verify(keys, committee),
        }
    }
}

impl TwoVotes {
    fn verify(&self, keys: &HashKeys, committee: &Committee) -> Result<(), EvidenceError> {
        if self.first.0 >= self.second.0 {
            return Err(EvidenceError::NoContradiction);
        }
        if committee.members().binary_search(&self.validator).is_err() {
            return Err(EvidenceError::Stranger);
        }
        for (block, signature) in [&self.first, &self.second] {
            let message = vote_message(keys.network(), self.kind, self.height, self.round, *block);
            self.validator
                .verify(&message, signature)
                .map_err(|_| EvidenceError::BadSignature)?;
        }
        Ok(())
    }
}

impl TwoHeads {
    fn verify(&self, keys: &HashKeys, committee: &Committee) -> Result<(), EvidenceError> {
        let first = self
            .first
            .clone()
            .verify(keys, committee)
            .map_err(EvidenceError::Head)?;
        let second = self
            .second
            .clone()
            .verify(keys, committee)
            .map_err(EvidenceError::Head)?;
        let contradict = first.header.height == second.header.height && first.id() < second.id();
        if contradict {
            Ok(())
        } else {
            Err(EvidenceError::NoContradiction)
        }
    }
}

impl Encode for Evidence {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::TwoVotes(votes) => {
                out.push(1);
                votes.validator.encode(out);
                out.push(match votes.kind {
                    VoteKind::Prevote => 1,
                    VoteKind::Precommit => 2,
                });
                out.extend_from_slice(&votes.height.to_be_bytes());
                out.extend_from_slice(&votes.round.to_be_bytes());
                for (block, signature) in [&votes.first, &votes.second] {
                    block.encode(out);
                    signature.encode(out);
                }
            }
            Self::TwoHeads(heads) => {
                out.push(2);
                heads.first.encode(out);
                heads.second.encode(out);
            }
        }
    }
}

impl Decode for Evidence {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match reader.u8()? {
            1 => Ok(Self::TwoVotes(Box::new(TwoVotes {
                validator: ValidatorId::decode(reader)?,
                kind: match reader.u8()? {
                    1 => VoteKind::Prevote,
                    2 => VoteKind::Precommit,
                    _ => return Err(CodecError::BadValue),
                },
                height: reader.u64()?,
                round: reader.u32()?,
                first: (reader.hash()?, Signature::decode(reader)?),
                second: (reader.hash()?, Signature::decode(reader)?),
            }))),
            2 => {
                let (first, second) = (Head::decode(reader)?, Head::decode(reader)?);
                Ok(Self::TwoHeads(Box::new(TwoHeads { first, second })))
            }
            _ => Err(CodecError::BadValue),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::BlockHeader;
    use crate::certificate::Certificate;
    use crate::committee::QuorumError;
    use crate::genesis::{Genesis, Parameters};
    use crate::keys::VoteKey;

    fn network() -> (Genesis, VoteKey) {
        let key = VoteKey::from_seed(&[1; 32]);
        (
            Genesis::new("test", 1, Parameters::DEFAULT, vec![key.public()]).unwrap(),
            key,
        )
    }

    fn head(genesis: &Genesis, key: &VoteKey, height: u64, time: u64) -> Head {
        let header = BlockHeader {
            height,
            time,
            ..genesis.block()
        };
        let id = header.id(&genesis.keys());
        let certificate = Certificate::sign(&genesis.committee(), 0, &header, id, &[key]);
        Head { header, certificate }
    }

    #[test]
    fn two_heads_of_one_height_are_evidence_and_nothing_less_is() {
        let (genesis, key) = network();
        let (keys, committee) = (genesis.keys(), genesis.committee());
        let (a, b) = (head(&genesis, &key, 4, 10), head(&genesis, &key, 4, 11));
        let evidence = Evidence::of_heads(&keys, a.clone(), b);
        assert_eq!(evidence.verify(&keys, &committee), Ok(()));
        assert_eq!(Evidence::from_bytes(&evidence.to_bytes()).as_ref(), Ok(&evidence));

        let same = Evidence::of_heads(&keys, a.clone(), a.clone());
        assert_eq!(same.verify(&keys, &committee), Err(EvidenceError::NoContradiction));
        let later = Evidence::of_heads(&keys, a.clone(), head(&genesis, &key, 5, 11));
        assert_eq!(later.verify(&keys, &committee), Err(EvidenceError::NoContradiction));
        let mut forged = head(&genesis, &key, 4, 12);
        forged.header.time = 13;
        let forged = Evidence::of_heads(&keys, a, forged);
        let error = EvidenceError::Head(HeadError::Quorum(QuorumError::BadSignature));
        assert_eq!(forged.verify(&keys, &committee), Err(error));
    }

    #[test]
    fn two_votes_of_one_round_name_the_validator() {
        let (genesis, key) = network();
        let (keys, committee) = (genesis.keys(), genesis.committee());
        let vote = |round, block: Hash| {
            let message = vote_message(keys.network(), VoteKind::Precommit, 9, round, block);
            (block, key.sign(&message))
        };
        let votes = |first, second| TwoVotes {
            validator: key.public(),
            kind: VoteKind::Precommit,
            height: 9,
            round: 2,
            first,
            second,
        };
        let make = |first, second| Box::new(votes(first, second));
        let (one, two) = (Hash([1; 32]), Hash([2; 32]));
        let evidence = Evidence::TwoVotes(make(vote(2, one), vote(2, two)));
        assert_eq!(evidence.verify(&keys, &committee), Ok(()));
        assert_eq!(Evidence::from_bytes(&evidence.to_bytes()).as_ref(), Ok(&evidence));
        let other_round = Evidence::TwoVotes(make(vote(2, one), vote(3, two)));
        assert_eq!(other_round.verify(&keys, &committee), Err(EvidenceError::BadSignature));
        let same = Evidence::TwoVotes(make(vote(2, one), vote(2, one)));
        assert_eq!(same.verify(&keys, &committee), Err(EvidenceError::NoContradiction));
        let stranger = VoteKey::from_seed(&[2; 32]).public();
        let strange = TwoVotes {
            validator: stranger,
            ..votes(vote(2, one), vote(2, two))
        };
        let error = Evidence::TwoVotes(Box::new(strange)).verify(&keys, &committee);
        assert_eq!(error, Err(EvidenceError::Stranger));
    }
}
